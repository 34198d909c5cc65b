"""Generated NumPy code: it agrees with the reference evaluator, reads well, and executes nothing but formulas."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from helpers import DECLARED, FORMULAS, SIZES, arrays, typed, variable

from matgrad.codegen.numpy_code import compile_source, to_numpy
from matgrad.codegen.python_text import python_names
from matgrad.formula.reference import evaluate
from matgrad.formula.syntax import SCALAR_TYPE, Call, Expr, walk

V = arrays()


def source(formula: str, *, declared: str = DECLARED) -> str:
    expr = typed(formula, declared)
    used = {n.value: n.type for n in walk(expr) if n.op == "name" and n.value not in SIZES}
    return to_numpy("f", expr, variables=[variable(name, type) for name, type in used.items()])


def run(text: str) -> object:
    function = compile_source(text)
    wanted = text.split("def f(")[1].split(")", maxsplit=1)[0].removeprefix("*, ").split(", ")
    values = {**SIZES, **V, "lambda_": V["lambda"]}
    return function(**{name: values[name] for name in wanted if name})


@pytest.mark.parametrize("formula", FORMULAS)
def test_it_agrees_with_the_reference(formula: str) -> None:
    expected = evaluate(typed(formula, DECLARED), V, SIZES)
    got = run(source(formula))
    assert np.shape(got) == np.shape(expected)
    assert got == pytest.approx(expected, rel=1e-11, abs=1e-13)


@pytest.mark.parametrize(
    ("formula", "body"),
    [
        ("2*A'*(A*x - b)", "return 2 * (A.T @ (A @ x - b))"),
        ("diag(x)*X*diag(y)", "return x[:, None] * X * y"),
        ("diag(x)*y", "return x * y"),
        ("inv(X)*x", "return np.linalg.solve(X, x)"),
        ("x'*inv(X)", "return np.linalg.solve(X.T, x)"),
        ("X'^-1*x", "return np.linalg.solve(X.T, x)"),
        ("A*X*x", "return A @ (X @ x)"),
        ("x'*X*Y", "return x @ X @ Y"),
        ("A*x*y'*A'", "return np.outer(A @ x, y @ A.T)"),
        ("tr(A'*B)", "return np.sum(A.T * B.T)"),
        ("tr(x*y')", "return y @ x"),
        ("a - (-c)", "return a - (-c)"),
        ("logdet(X)", "return np.linalg.slogdet(X)[1]"),
        ("sum(X, dim=1)", "return np.sum(X, axis=0)"),
    ],
)
def test_it_reads_well(formula: str, body: str) -> None:
    assert source(formula).rstrip().endswith(body)


def test_equal_parts_are_computed_once() -> None:
    text = source("sigmoid(X*x).*(1 - sigmoid(X*x)).*log(sigmoid(X*x))")
    assert text.count("expit") == text.count("X @ x") == 1
    assert "import scipy.special" in text


def test_equal_text_of_unequal_size_is_not_shared() -> None:
    expr = typed("b'*vector(2) + x'*vector(2)", DECLARED)
    function = compile_source(to_numpy("f", expr, variables=[variable("b", typed("b", DECLARED).type),
                                                               variable("x", typed("x", DECLARED).type)]))  # fmt: skip
    assert function(b=np.ones(4), x=np.ones(3)) == 14


def test_definitions_keep_their_names() -> None:
    variables = [variable(n, typed(n, DECLARED).type) for n in ("A", "b", "x")]
    text = to_numpy("f", typed("r'*r", "r: vector(m)"), [("r", typed("A*x - b", DECLARED))], variables)
    assert "    r = A @ x - b\n    return r @ r\n" in text
    given = {name: V[name] for name in ("A", "b", "x")}
    assert compile_source(text)(**given) == pytest.approx(np.sum((V["A"] @ V["x"] - V["b"]) ** 2))


def test_names_that_python_keeps_for_itself() -> None:
    expr = typed("lambda*np + t1*f", "lambda: scalar; np: scalar; t1: scalar; f: scalar")
    text = to_numpy("f", expr, variables=[variable(n, SCALAR_TYPE) for n in ("lambda", "np", "t1", "f")])
    assert "# lambda_ stands for lambda" in text
    assert compile_source(text)(**{"lambda": 2.0, "np": 3.0, "t1": 4.0, "f": 5.0}) == 26.0
    assert python_names(["lambda", "lambda_"]) == {"lambda": "lambda__", "lambda_": "lambda_"}


def test_unspecified_functions() -> None:
    expr = typed("g'(x)", "g: function; x: vector(n)")
    text = to_numpy("f", expr, variables=[variable("x", expr.args[0].type)], functions=["g"])
    assert compile_source(text)(x=np.zeros(2), g=(np.sin, np.cos)) == pytest.approx([1, 1])


def test_sizes_come_from_shapes() -> None:
    assert "    n = x.shape[0]\n" in source("eye + x*x'")
    assert "(*, m, n)" in source("ones(m, n)")
    assert inspect.signature(compile_source(source("x"))).parameters


def test_long_sums_and_deep_calls_compile() -> None:
    c = Expr("name", value="c", type=SCALAR_TYPE)
    long, deep = Expr("add", (c,) * 5000, type=SCALAR_TYPE), c
    for _ in range(2000):
        deep = Expr("call", (deep,), Call("sin"), type=SCALAR_TYPE)
    variables = [variable("c", SCALAR_TYPE)]
    assert compile_source(to_numpy("f", long, variables=variables))(c=1.0) == 5000
    assert compile_source(to_numpy("f", deep, variables=variables))(c=1.0) > 0


def test_only_names_reach_the_source() -> None:
    bad = Expr("name", value="__import__('os')", type=SCALAR_TYPE)
    with pytest.raises((ValueError, KeyError)):
        to_numpy("f", bad, variables=[variable(bad.value, SCALAR_TYPE)])
    with pytest.raises(ValueError, match="not a name"):
        to_numpy("f(): pass", Expr("name", value="c", type=SCALAR_TYPE), variables=[variable("c", SCALAR_TYPE)])
    with pytest.raises(ValueError, match="not subscripts"):
        to_numpy("f", Expr("einsum", (), 'i", x', type=SCALAR_TYPE))
