"""arctan2 and hypot, functions of two numbers: derivatives, kinks, code at extreme arguments, other notations."""

from __future__ import annotations

import numpy as np
import pytest

import matgrad
from matgrad import derive, parse, parse_latex

RNG = np.random.default_rng(11)
SCALARS = "x: scalar; y: scalar"


@pytest.mark.parametrize(
    ("formula", "wrt", "where", "text"),
    [
        ("arctan2(y, x)", "y", SCALARS, "x/(y^2 + x^2)"),
        ("arctan2(y, x)", "x", SCALARS, "-y/(y^2 + x^2)"),
        ("hypot(x, y)", "x", SCALARS, "x/sqrt(x^2 + y^2)"),
        ("sum(arctan2(A*x, b))", "x", None, "A'*(b./((A*x).^2 + b.^2))"),
        ("sum(arctan2(A*x, b))", "b", None, "-(A*x)./((A*x).^2 + b.^2)"),
        ("arctan2(y, x)", "y", "y: vector(n); x: vector(n)", "diag(x./(y.^2 + x.^2))"),
        ("sum(arctan2(y, 1))", "y", "y: vector(n)", "1./(y.^2 + 1)"),
        ("sum(arctan2(X, Y))", "X", "X: matrix(m,n); Y: matrix(m,n)", "Y./(X.^2 + Y.^2)"),
        ("arctan2(sin(t), cos(t))", "t", "t: scalar", "1"),
        ("sum(hypot(x, y).^2)", "x", "x: vector(n); y: vector(n)", "2*x"),
    ],
)
def test_derivatives(formula: str, wrt: str, where: str | None, text: str) -> None:
    d = derive(formula, wrt, where=where)
    assert d.text == text
    assert d.verify().passed
    assert d.derive(wrt).verify().passed
    assert parse(d.text, context=d).text == text
    assert parse_latex(d.latex, context=d).node is parse(d.text, context=d).node
    assert parse_latex(d.formula.latex, context=d).node is d.formula.node
    for style in ("differential", "components"):
        assert str(matgrad.explain(formula, wrt, where=where, style=style))


def test_both_arguments_vary() -> None:
    d = derive("sum(arctan2(A*x, x.^2))", "x", where="A: matrix(n,n); x: vector(n)")
    a, x, h = RNG.standard_normal((4, 4)), RNG.standard_normal(4), 1e-6
    steps = np.eye(4) * h
    f = [np.sum(np.arctan2(a @ (x + s), (x + s) ** 2)) - np.sum(np.arctan2(a @ (x - s), (x - s) ** 2)) for s in steps]
    assert d(A=a, x=x) == pytest.approx(np.array(f) / (2 * h), rel=1e-7)
    assert derive("arctan2(c, c)", "c").text == "0"


def test_where_they_have_no_derivative() -> None:
    assert derive("arctan2(y, x)", "y", where=SCALARS).conditions == ("y ≠ 0 or x > 0",)
    assert derive("arctan2(y, exp(x))", "y", where=SCALARS).conditions == ()
    assert derive("arctan2(y, c)", "y", where="c: positive; y: scalar").conditions == ()
    assert derive("hypot(x, y)", "x", where="x: vector(n); y: vector(n)").conditions == ("x.^2 + y.^2 > 0",)
    assert derive("hypot(x, 1)", "x", where="x: vector(n)").conditions == ()


@pytest.mark.parametrize(("x", "y"), [(3e200, 4e200), (3e-200, 4e-200), (-1e300, 1.0), (1e-300, -1e-5)])
def test_code_neither_overflows_nor_underflows(x: float, y: float) -> None:
    with np.errstate(all="raise", under="ignore"):
        angle, length = (matgrad.compile(derive(f, "x", where=SCALARS)) for f in ("arctan2(y, x)", "hypot(x, y)"))
        h = np.hypot(x, y)
        assert length(x=x, y=y) == pytest.approx(x / h, rel=1e-15)
        assert angle(x=x, y=y) == pytest.approx(-y / h / h, rel=1e-14)


def test_other_notations() -> None:
    x, y = matgrad.vector("x", "n"), matgrad.vector("y", "n")
    assert str(np.arctan2(y, x).sum()) == "sum(arctan2(y, x))"
    assert str(np.hypot(x, 2)) == "hypot(x, 2)"
    assert parse_latex(r"\operatorname{atan2}(y, x)").text == "arctan2(y, x)"
    with pytest.raises(matgrad.MatgradError, match=r"arctan2\(y, x\)"):
        parse("atan2(y, x)")
    with pytest.raises(matgrad.MatgradError, match="two arguments"):
        parse("arctan2(y)")


def test_answers_are_judged() -> None:
    assert matgrad.check_answer("arctan2(y, x)", "y", "1/(x*(1 + (y/x)^2))", where=SCALARS).correct
    assert not matgrad.check_answer("arctan2(y, x)", "y", "y/(x^2 + y^2)", where=SCALARS).correct
    assert matgrad.check_answer("hypot(x, y)", "y", "y/hypot(x, y)", where=SCALARS).correct


def test_sympy() -> None:
    sympy = pytest.importorskip("sympy")
    formula = parse("arctan2(y, x) + hypot(x, y)", where=SCALARS).to_sympy()
    a, b = sympy.symbols("x y", real=True)
    assert formula == sympy.atan2(b, a) + sympy.sqrt(a**2 + b**2)
    assert matgrad.from_sympy(sympy.atan2(b, a)).text == "arctan2(y, x)"
