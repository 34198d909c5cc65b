"""Pushforwards and pullbacks: against complex steps of the formula as typed, adjoint, with no Jacobian built."""

import numpy as np
import pytest

from matgrad import MatgradError, derive, parse
from matgrad.analysis import jacobian_operator, pullback, pushforward
from matgrad.checking.sampling import Subject, draw, points
from matgrad.formula.reference import evaluate

CASES = [
    ("mean(v + v)", "v", "v: vector(n)"),
    ("rows(u*t')*x", "x", "u: vector(m); t: vector(2); x: vector(n)"),
    ("sum(triu(z*z').^2)", "z", None),
    ("sin(A*x)", "x", None),
    ("A*softmax(B*x)", ["B", "x"], None),
    ("A*X*B", ["A", "X", "B"], None),
    ("X'*X", "X", "X: matrix(m, n)"),
    ("inv(X)*B", ["X", "B"], None),
    ("x/norm2(x)", "x", None),
    ("a'*x", ["a", "x"], None),
    ("logdet(S)*S", "S", "S: spd(n)"),
    ("L*x", ["L", "x"], "L: lower(n)"),
    ("diag(D*x)", "D", "D: diagonal(n)"),
    ("[x[1]^2 + x[2]; x[1]*x[2]]", "x", None),
    ("h = tanh(W*x + b); V*h", ["W", "b", "V"], "b: vector(m)"),
    ("h = tanh(W*x); norm2(h)^2*h", "h", None),
    ("softmax(X, dim=2)", "X", None),
    ("[v*cos(t); v*sin(t)]", ["v", "t"], "v: scalar; t: scalar"),
    ("g(x)", "x", "g: function; x: vector(n)"),
    ("X^3", "X", None),
    ("tr(X^k)", "X", None),
    ("x'", "x", "x: vector(n)"),
]


def directions_of(formula, wrt, point, rng):
    found = {}
    for name in wrt:
        if name in formula.typed.variables:
            v = formula.typed.variables[name]
            traits = frozenset(v.traits) - {"psd", "spd", "positive", "nonnegative"}
            found[name] = draw(Subject(name, v.type, traits), point.sizes, rng, np.random.Generator.standard_normal)
        else:
            type_ = dict(formula.program.definitions)[name].type
            found[name] = rng.standard_normal([d.evaluate(point.sizes) for d in type_.dims])
    return found


def slope(formula, point, moves):
    """The derivative along the moves, by a complex step of the formula as typed."""
    known = {k: v + 1e-30j * moves[k] if k in moves else v for k, v in point.arrays.items()}
    for name, definition in formula.program.definitions:
        known[name] = evaluate(definition, known, point.sizes)
        if name in moves:
            known[name] = known[name] + 1e-30j * moves[name]
    return np.imag(evaluate(formula.program.body, known, point.sizes)) / 1e-30


@pytest.mark.parametrize(("text", "wrt", "where"), CASES, ids=str)
def test_maps_against_complex_steps(text, wrt, where):
    formula = parse(text, where=where)
    given = [wrt] if isinstance(wrt, str) else wrt
    push, pull = pushforward(formula, wrt), pullback(formula, wrt)
    subjects = [Subject(n, v.type, frozenset(v.traits)) for n, v in formula.typed.variables.items()]
    found = points(formula.program, subjects, sorted(formula.typed.functions), 0)
    rng = np.random.default_rng(1)
    for point, _ in zip(found, range(2), strict=False):
        moves = directions_of(formula, given, point, rng)
        truth = slope(formula, point, moves)
        pushed = push(moves if len(given) > 1 else moves[given[0]], **point.arrays)
        assert np.allclose(pushed, truth, rtol=1e-9, atol=1e-9 * (1 + np.max(np.abs(truth))))
        bar = rng.standard_normal(np.shape(truth))
        pulled = pull(bar, **point.arrays)
        pulled = pulled if isinstance(pulled, dict) else {given[0]: pulled}
        inner = sum(np.sum(pulled[name] * moves[name]) for name in given)
        assert np.isclose(inner, np.sum(bar * truth), rtol=1e-8, atol=1e-8 * (1 + np.abs(truth).max()))


def test_no_jacobian_is_built():
    """Of a net with 400 units, J has 160,000 entries; no printed part of either map has two axes of activations."""
    assert str(pushforward("A*softmax(B*x)", "x")) == "dx ↦ A*(softmax(B*x).*(B*dx - softmax(B*x)'*B*dx))"
    assert "diag" in derive("A*softmax(B*x)", "x").text
    assert "diag" not in pullback("A*softmax(B*x)", "x").text


def test_words_and_latex():
    push = pushforward("h = tanh(W*x); V*h", "x")
    assert push.short == "V*((1 - h.^2).*(W*dx))"
    assert push.latex.endswith(r"\odot (\mathbf{W} \mathrm{d}\mathbf{x}))")
    pull = pullback("A*X", ["A", "X"])
    assert pull.latex == r"(\bar{\mathbf{Y}} \mathbf{X}^{\top}, \mathbf{A}^{\top} \bar{\mathbf{Y}})"
    assert str(pullback("a'*ybar", "a")) == "ybar_ ↦ ybar_*ybar"
    (again,) = push.formulas()
    assert again.text == "h = tanh(W*x); V*((1 - h.^2).*(W*dx))"


def test_operator():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(3, 3))
    at = {"S": root @ root.T + np.eye(3), "x": rng.normal(size=3)}
    operator = jacobian_operator("inv(S)*x", at, ["S", "x"], where="S: spd(n)")
    dense = operator @ np.eye(9)
    assert operator.shape == (3, 9)
    assert np.allclose(operator.T @ np.eye(3), dense.T)
    step = 1e-6
    moved = at["S"].copy()
    moved[1, 0] += step
    moved[0, 1] += step
    slope_ = (np.linalg.solve(moved, at["x"]) - np.linalg.solve(at["S"], at["x"])) / step
    assert np.allclose(dense[:, 1], slope_, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: pushforward("A*x", "y"), "y does not occur"),
        (lambda: pushforward("A*x", "x")([1.0], A=np.eye(2), x=np.ones(2)), r"dx has the shape \(1,\), not \(2,\)"),
        (lambda: pushforward("A*x", ["A", "x"])({"x": [1.0]}, A=np.eye(1), x=[1.0]), "directions are given for x"),
        (lambda: pullback("A*x", "x")([1.0, 2.0], A=np.eye(2)), "no value is given for x"),
        (lambda: pushforward("X^k", "X"), "symbolic exponent"),
        (lambda: pushforward("tr(X^k)", "k").text, "exponent"),
    ],
)
def test_bad_input(call, said):
    with pytest.raises(MatgradError, match=said):
        str(call())
