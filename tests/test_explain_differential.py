"""The differential style line by line: each law is the one that its line uses, and formulas are read as in books."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

import matgrad
from matgrad.explaining.arrangement import same
from matgrad.explaining.lettering import fitted
from matgrad.explaining.lines import Law

NAMES = {
    "A": "matrix(m,n)", "X": "matrix(n,n)", "Y": "matrix(n,n)", "x": "vector(n)", "b": "vector(m)", "u": "vector(n)",
    "v": "vector(n)", "c": "scalar", "k": "scalar",
}  # fmt: skip
ARRANGED = (
    ("2*A'*(A*x - b)", "(2*x'*A'*A)' - 2*A'*b"),
    ("(1 - u).*v", "v - u.*v"),
    ("(X + X')*u", "X*u + X'*u"),
    ("2*(X*u - (u'*X*u)*u/norm2(u)^2)/norm2(u)^2", "2*X*u/norm2(u)^2 - 2*(u'*X*u)/norm2(u)^4*u"),
    ("tr(X*Y)*u", "u*tr(Y*X)"),
    ("inv(X')*u", "inv(X)'*u"),
    ("(u*v')*x", "(v'*x)*u"),
    ("X^2*u", "X*X*u"),
    ("c^2*u/c", "c*u"),
    ("c*(u./v)", "c*u./v"),
)
DIFFERENT = (
    ("X*Y", "Y*X"), ("u.*v", "u.*u"), ("1 - u", "u - 1"), ("1./u", "1./v"), ("X*u", "X'*u"), ("2*u", "u"),
    ("inv(X)*u", "inv(X')*u"), ("u./v.*v", "u"), ("1 - sigmoid(u)", "sigmoid(-u)"), ("u'*u", "norm2(u)^2"),
)  # fmt: skip


def _both(left: str, right: str) -> tuple[object, object]:
    where = "; ".join(f"{n}: {t}" for n, t in NAMES.items() if re.search(rf"\b{n}\b", f"{left} {right}"))
    program = matgrad.parse(f"l_ = {left}; r_ = {right}; l_", where=where).program
    values = dict(program.definitions)
    return values["l_"], values["r_"]


@pytest.mark.parametrize(("left", "right"), ARRANGED)
def test_what_is_only_another_arrangement(left: str, right: str) -> None:
    assert same(*_both(left, right))  # type: ignore[arg-type]


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_what_takes_a_law_is_not_an_arrangement(left: str, right: str) -> None:
    assert not same(*_both(left, right))  # type: ignore[arg-type]


def _lines(formula: str, wrt: str, where: str | None = None, order: int = 1) -> list[tuple[str, str]]:
    found = matgrad.explain(formula, wrt, where=where, order=order)
    return [(f"{found.words.unicode(n.left)} = {found.words.unicode(n.right)}", n.law.rule) for n in found]


def test_the_example_of_least_squares_rule_by_rule() -> None:
    assert _lines("norm2(A*x - b)^2", "x") == [
        ("f = ‖A x − b‖₂²", "as given"),
        ("r = A x − b", "abbreviation"),
        ("df = 2 rᵀ dr", "differential of a squared norm"),
        ("dr = A dx", "A and b are constant"),
        ("df = 2 rᵀ A dx", "substitute dr"),
        ("df = (2 Aᵀ r)ᵀ dx", "move a matrix across"),
        ("∇f = 2 Aᵀ(A x − b)", "read off the gradient"),
    ]


def test_cancelling_has_lines_of_its_own() -> None:
    shown = _lines("-y'*log(softmax(z))", "z")
    assert ("df = −Σ(y ∘ dz) + Σ(y) Σ(p ∘ dz)", "cancel in an inner product") in shown
    shown = _lines("log(1 + exp(-y*w'*x))", "w", "y: scalar; w: vector(n); x: vector(n)")
    assert shown[-1][1] == "the definition of sigmoid"


def test_names_are_used_again() -> None:
    shown = [line for line, _ in _lines("-y'*log(softmax(z))", "z")]
    assert "dp = p ∘ dz − p Σ(p ∘ dz)" in shown


def test_symmetry_is_said() -> None:
    shown = _lines("x'*S*x", "x", "S: symmetric(n)")
    assert ("df = 2 xᵀ S dx", "S is symmetric") in shown
    shown = _lines("(x - mu)'*inv(S)*(x - mu)", "x", "S: spd(n); mu: vector(n)")
    assert not any("S⁻ᵀ" in line for line, _ in shown)
    assert any("S⁻¹ is symmetric" in rule for _, rule in shown)


def test_the_symmetric_part_has_a_line_of_its_own() -> None:
    shown = _lines("tr(A*S)", "S", "A: matrix(n,n); S: symmetric(n)")
    assert ("df = ½ tr((A + Aᵀ) dS)", "the differential is symmetric") in shown
    assert shown[-1] == ("∇f = ½ (A + Aᵀ)", "read off the gradient, a symmetric matrix")


def test_a_name_for_a_coefficient_is_what_stands_above() -> None:
    lines = [line for line, _ in _lines("norm2(W2*tanh(W1*x) - y)^2", "W1")]
    place = next(k for k, line in enumerate(lines) if line.startswith("δ = "))
    assert lines[place].removeprefix("δ = ") in lines[place - 1]


def test_laws_of_vec_one_a_line() -> None:
    shown = dict(_lines("X'*X", "X", "X: matrix(m,n)"))
    assert shown["vec(dF) = (Xᵀ ⊗ I) vec(dXᵀ) + (I ⊗ Xᵀ) vec(dX)"] == "vec of a product"
    assert shown["vec(dF) = (Xᵀ ⊗ I) K_{m,n} vec(dX) + (I ⊗ Xᵀ) vec(dX)"] == "vec of a transpose"
    assert shown["DF = (Xᵀ ⊗ I) K_{m,n} + I ⊗ Xᵀ"] == "read off the Jacobian of vec"


@pytest.mark.parametrize(
    ("formula", "where", "size"),
    [("X'*X", "X: matrix(2,3)", (9, 6)), ("A*X*B", "A: matrix(4,2); X: matrix(2,3); B: matrix(3,5)", (20, 6))],
)
def test_the_jacobian_of_vec_stacks_columns(formula: str, where: str, size: tuple[int, int]) -> None:
    found = matgrad.explain(formula, "X", where=where)
    rng = np.random.default_rng(0)
    arrays = {n: rng.standard_normal(tuple(map(int, re.findall(r"\d", w)))) for n, w in
              (entry.split(": ") for entry in where.split("; "))}  # fmt: skip
    numbers = matgrad.explain(formula, "X", where=where, at=arrays)
    at = next(k for k, line in enumerate(found) if found.words.unicode(line.left) == "DF")
    value = np.asarray(numbers[at].numbers)
    assert value.shape == size
    step, compiled = 1e-6, matgrad.parse(formula, where=where)
    for k in range(6):
        moved = [dict(arrays), dict(arrays)]
        for sign, point in zip((1, -1), moved, strict=True):
            flat = arrays["X"].ravel(order="F").copy()
            flat[k] += sign * step
            point["X"] = flat.reshape(arrays["X"].shape, order="F")
        high, low = (np.asarray(compiled(**point)).ravel(order="F") for point in moved)
        assert np.allclose(value[:, k], (high - low) / (2 * step), atol=1e-6)


def test_the_power_of_a_matrix_is_the_one_of_the_formula() -> None:
    line = next(n for n in matgrad.explain("tr(X^3)", "X") if n.law.rule == "power of a matrix")
    assert line.law.law == "d(U^3) = d(U)*U^2 + U*d(U)*U + U^2*d(U)"


def test_letters_of_laws_are_not_names_of_the_formula() -> None:
    assert fitted(Law("r", "u'*U*v = v'*U'*u"), {"u", "U"}).law == "w'*V*v = v'*V'*w"
    assert fitted(Law("r", "S' = S", instance=True), {"S"}).law == "S' = S"
    for line in matgrad.explain("norm2(U*V' - R)^2", "U"):
        assert line.law.instance or not re.search(r"\b[UVR]\b", line.law.law)


def test_higher_orders_differentiate_the_derivative_before() -> None:
    shown = [line for line, _ in _lines("c^4", "c", order=3)]
    assert shown[-1] == "d³f/dc³ = 24 c"
    assert _lines("sin(A*x)", "x", order=2)[-1][0].startswith("∂²f/∂x² = −einsum")


def test_a_hessian_in_a_matrix_is_one_of_vec() -> None:
    shown = _lines("norm2(A*X - B)^2", "X", order=2)
    lines = [line for line, _ in shown]
    assert lines[-6:-1] == [
        "d²f = tr(dGᵀ dX)",
        "d²f = vec(dX)ᵀ vec(dG)",
        "d²f = vec(dX)ᵀ H vec(dX)",
        "Hᵀ = H",
        "D²f = H",
    ]


@pytest.mark.parametrize(
    ("formula", "wrt", "where", "rule", "line"),
    [
        ("norm2(x - mean(x))^2", "x", None, "the definition of mean", "df = 2 rᵀ dx − 2 (rᵀ 𝟏) Σ(dx)/n"),
        ("sum(X*X')", "X", None, "a sum of all entries", "df = 𝟏ᵀ dX Xᵀ 𝟏 + 𝟏ᵀ X dXᵀ 𝟏"),
        ("tr(exp(X))", "X", None, "the trace of an entrywise product", "df = tr(diag(diag(exp(X))) dX)"),
        ("tr(c*X)", "c", "X: matrix(n,n); c: scalar", "a number comes out of a trace", "df = tr(X) dc"),
        ("(w'*S*w)/(w'*w)", "w", "S: symmetric(n)", "quotient rule", "df = d(wᵀ S w)/(wᵀ w) − wᵀ S w d(wᵀ w)/(wᵀ w)²"),
        ("log(sum(exp(A*x)))", "x", None, "the definition of softmax", "∇f = Aᵀ softmax(A x)"),
        ("x/norm2(x)", "x", None, "a number moves behind a vector", "df = dx/‖x‖₂ − x xᵀ dx/‖x‖₂³"),
    ],
)
def test_a_law_has_a_line(formula: str, wrt: str, where: str | None, rule: str, line: str) -> None:
    assert (line, rule) in _lines(formula, wrt, where)


def test_the_number_of_intermediates_is_limited_and_the_refusal_says_what_to_try() -> None:
    steps = "; ".join(f"a{k} = tanh(W{k}*a{k - 1})" for k in range(1, 27))
    with pytest.raises(matgrad.MatgradError, match='style="backward"'):
        matgrad.explain(f"{steps}; norm2(a26)^2", "W1", where="a0: vector(n)")


def test_brief_keeps_main_lines() -> None:
    assert [str(n.law.rule) for n in matgrad.explain("norm2(A*x - b)^2", "x", brief=True)][2:] == [
        "differential of a squared norm", "A and b are constant", "move a matrix across", "read off the gradient",
    ]  # fmt: skip


def test_brief_keeps_every_name_that_it_uses() -> None:
    formula = "h1 = relu(W1*x + b1); h2 = sigmoid(W2*h1 + b2); o = W3*h2 + b3; logsumexp(o) - y'*o"
    for text, wrt in ((formula, "W1"), ("norm2(W2*gelu(W1*x) - y)^2", "W1"), ("-y'*log(softmax(A*x))", "x")):
        found = matgrad.explain(text, wrt, brief=True)
        known = {*matgrad.parse(text).variables}
        for line in found:
            known |= {line.left.value} if line.part == "let" else set()
            used = set(re.findall(r"\b(?:delta|Delta)\d*\b", found.words.text(line.right)))
            assert used <= known


@pytest.mark.parametrize(
    ("formula", "wrt", "where", "rule", "line"),
    [
        ("sum(X*A.*X)", "X", None, "a sum of products is a trace", "df = tr(Xᵀ dX A) + tr(Aᵀ Xᵀ dX)"),
        ("sum(logsumexp(X*W, dim=2))", "W", None, "all sums of rows or columns", "df = Σ(softmax(Z, dim=2) ∘ dZ)"),
        ("u'*logsumexp(X, dim=2)", "X", None, "weighted sums of rows", "df = Σ(diag(u) softmax(X, dim=2) ∘ dX)"),
        ("logsumexp(X, dim=1)*u", "X", None, "weighted sums of columns", "df = Σ(softmax(X, dim=1) diag(u) ∘ dX)"),
        ("D = diag(d); norm2(A*D*x - b)^2", "d", None, "the diagonal of an outer product", "∇f = 2 x ∘ (Aᵀ r)"),
        ("D = diag(d); norm2(A*D*x - b)^2", "d", None, "diag is linear", "dD = diag(dd)"),
    ],
)
def test_sums_and_diagonals_have_laws_of_their_own(
    formula: str, wrt: str, where: str | None, rule: str, line: str
) -> None:
    assert (line, rule) in _lines(formula, wrt, where)


def test_a_softmax_of_rows_is_worked_out_without_collecting_in_the_normal_form() -> None:
    shown = _lines("-sum(Y.*log(softmax(X*W, dim=2)))", "W")
    assert ("df = −tr(Yᵀ dZ) + Σ(Y, dim=2)ᵀ Σ(P ∘ dZ, dim=2)", "cancel in a diagonal") in shown
    assert not any(rule == "collect the terms in the differential" for _, rule in shown)


def test_no_line_repeats_the_one_above() -> None:
    shown = [line for line, _ in _lines("inv(A + X)*b", "X")]
    assert all(a != b for a, b in itertools.pairwise(shown))


def test_points_at_which_terms_cancel_under_a_jump_are_left_out() -> None:
    found = matgrad.explain("sign(argmax(x') + y' - (x' + y' - x'))", "x")
    assert found.words.unicode(found[-1].right) == "𝟎"


def test_numbers_say_what_the_differential_is() -> None:
    found = matgrad.explain("norm2(x)^2", "x", at={"x": np.array([1.0, 2.0])})
    assert found[0].remark == "in the numbers dx is all ones"
    assert found[1].numbers == pytest.approx(6)


@pytest.mark.parametrize(
    ("formula", "wrt", "where", "rule", "line"),
    [
        ("(A*x - b)'*diag(w)*(A*x - b)", "x", "w: vector(m)",
         "a scalar equals its transpose; diag(w) is symmetric", "df = 2 rᵀ diag(w) dr"),
        ("tr(X'*(eye - ones(n)*ones(n)'/n)*X)", "X", "X: matrix(n,d)",
         "a trace equals that of the transpose; I − 𝟏 𝟏ᵀ/n is symmetric", "df = 2 tr(Xᵀ(I − 𝟏 𝟏ᵀ/n) dX)"),
        ("tr(L*A*L')", "L", "L: lower(n)",
         "the transpose of a product; A + Aᵀ is symmetric", "df = tr((L (A + Aᵀ))ᵀ dL)"),
        ("tr(L*A*L')", "L", "L: lower(n)", "read off the gradient, lower triangular", "∇f = tril(L (A + Aᵀ))"),
        ("norm2(D*x - b)^2", "D", "D: diagonal(n)",
         "read off the gradient, a diagonal matrix", "∇f = 2 diag(diag(x rᵀ))"),
        ("det(X'*A*X)", "X", None, "the adjugate of the transpose",
         "∇f = Aᵀ X adj(Xᵀ Aᵀ X) + A X adj(Xᵀ Aᵀ X)ᵀ"),
        ("tr(X'*A*X)/tr(X'*X)", "X", None, "the definition of the Frobenius norm",
         "∇f = (A X − 2 tr(X Xᵀ A) X/‖X‖_F² + Aᵀ X)/‖X‖_F²"),
    ],
)  # fmt: skip
def test_symmetry_and_parts_are_said_where_they_are_used(
    formula: str, wrt: str, where: str | None, rule: str, line: str
) -> None:
    assert (line, rule) in _lines(formula, wrt, where)


@pytest.mark.parametrize(
    ("formula", "wrt", "last"),
    [
        ("v'*sigmoid(W2*tanh(W1*x + b1) + b2)", "W1", "∇f = (W₂ᵀ(v ∘ (q ∘ (1 − q))) ∘ (1 − tanh(z)∘²)) xᵀ"),
        ("norm2(X - tanh(X*W + ones(n)*b')*W' - ones(n)*c')^2/n", "W",
         "∇f = −2 (Xᵀ(R W ∘ (1 − tanh(Z)∘²)) + Rᵀ tanh(Z))/n"),
        ("norm2(W2*tanh(W1*x) - y)^2", "W1",
         "∇f = (2 (1 − tanh(W₁ x)∘²) ∘ (W₂ᵀ(W₂ tanh(W₁ x) − y))) xᵀ"),
    ],
)  # fmt: skip
def test_the_last_line_is_the_short_one(formula: str, wrt: str, last: str) -> None:
    found = matgrad.explain(formula, wrt)
    assert f"{found.words.unicode(found[-1].left)} = {found.words.unicode(found[-1].right)}" == last
    assert all(name in found[-1].remark for name in "qzZR" if name in last.replace("Rᵀ", "R"))


def test_the_hessian_of_vec_is_read_off_before_its_entries() -> None:
    shown = _lines("tr(A*inv(X)*B)", "X", order=2)
    assert shown[-2] == ("D²f = H", "read off the Hessian")
    assert shown[-1][1] == "the same numbers, entry by entry"


@pytest.mark.parametrize(
    ("formula", "rule", "line"),
    [
        ("diag(A*diag(x)*B)", "the diagonal of a product", "df = (A ∘ Bᵀ) dx"),
        ("logsumexp(A*diag(x), dim=2)", "sums of rows with a diagonal matrix", "df = (softmax(Z, dim=2) ∘ A) dx"),
        ("sum(A*diag(x)*B, dim=2)", "sums of the rows of a product", "df = A diag(dx) Σ(B, dim=2)"),
        ("A*diag(x)*b", "a diagonal matrix times a vector", "df = A diag(b) dx"),
    ],
)
def test_maps_through_a_diagonal_have_laws_of_their_own(formula: str, rule: str, line: str) -> None:
    shown = _lines(formula, "x")
    assert (line, rule) in shown
    assert not any(rule == "write the linear map as one matrix" for _, rule in shown)


def test_zeros_are_left_out_of_sums() -> None:
    assert ("df = Σ(d(relu(z)))", "max of two") in _lines("sum(max(y.*(X*w), 0))", "w")


def test_a_long_last_line_without_signals_keeps_the_names() -> None:
    u = "((x)./(1 + abs(x)))"
    found = matgrad.explain(f"exp(-{u}'*(C*C')*{u}/(1 + norm2(C*C')^2))", "x", where="x: vector(n); C: matrix(n,p)")
    assert found.points
