"""lgamma, digamma, polygamma and what likelihoods are made of them: derivatives, code, other notations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import matgrad
from matgrad import derive


@pytest.mark.parametrize(
    ("formula", "wrt", "order", "where", "text"),
    [
        ("sum(lgamma(A*x))", "x", 1, None, "A'*digamma(A*x)"),
        ("sum(lgamma(A*x))", "x", 2, None, "A'*diag(polygamma(1, A*x))*A"),
        ("lgamma(a)", "a", 4, "a: scalar", "polygamma(3, a)"),
        ("polygamma(0, a)", "a", 1, "a: scalar", "polygamma(1, a)"),
        ("log(gamma(a))", "a", 1, "a: scalar", "digamma(a)"),
        ("lbeta(a, b)", "a", 1, "a: scalar; b: scalar", "digamma(a) - digamma(a + b)"),
        ("sum(polygamma(2, X))", "X", 1, "X: matrix(m,n)", "polygamma(3, X)"),
        ("lgamma(sum(x)) - sum(lgamma(x))", "x", 1, "x: positive vector(n)", "digamma(sum(x)) - digamma(x)"),
        ("lgamma((r + 1)/2) - lgamma(r/2)", "r", 1, "r: positive", "1/2*(digamma((r + 1)/2) - digamma(r/2))"),
    ],
)
def test_derivatives(formula: str, wrt: str, order: int, where: str | None, text: str) -> None:
    d = derive(formula, wrt, order=order, where=where)
    assert d.text == text
    assert d.verify().passed


def test_conditions_and_facts() -> None:
    assert derive("lgamma(a)", "a", where="a: scalar").conditions == ("a > 0",)
    assert derive("polygamma(1, a)", "a", where="a: scalar").conditions == ("a > 0",)
    assert derive("lbeta(a, r)", "a", where="a: scalar; r: positive").conditions == ("a > 0",)
    assert "sqrt(scipy.special.polygamma(1" in matgrad.hessian("sum(lgamma(A*x))", "x").code("numpy")  # it is positive


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("polygamma(k, x)", "first argument of polygamma is a whole number from 0 on"),
        ("polygamma(1/2, x)", "how often digamma is differentiated"),
        ("polygamma(-1, x)", "polygamma(1, x) or polygamma(2, x)"),
        ("lgamma(-3)", "needs x > 0"),
        ("polygamma(1, 0)", "needs x > 0"),
        ("gammaln(x)", "lgamma(x)"),
        ("trigamma(x)", "polygamma(1, x)"),
        ("betaln(a, b)", "lbeta(x, y)"),
    ],
)
def test_what_cannot_be_says_what_to_write(formula: str, words: str) -> None:
    with pytest.raises(matgrad.MatgradError) as error:
        matgrad.parse(formula)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\ln\Gamma(a) b", "lgamma(a)*b"),
        (r"\log \Gamma\left(a\right)", "lgamma(a)"),
        (r"\Gamma(a)", "gamma(a)"),
        (r"\psi(a) + \psi'(a) + \psi_1(b)", "digamma(a) + polygamma(1, a) + polygamma(1, b)"),
        (r"\psi^{(2)}(a)^2", "polygamma(2, a)^2"),
        (r"\psi_1(a) \psi_1", "polygamma(1, a)*psi1"),
        (r"\sum_i \ln\Gamma(\alpha_i)", "sum(lgamma(alpha))"),
    ],
)
def test_latex(latex: str, text: str) -> None:
    assert matgrad.parse_latex(latex).text == text


def test_latex_leaves_declared_names_alone() -> None:
    where = "psi: function; Gamma: matrix(n,n); x: vector(n)"
    assert matgrad.parse_latex(r"\psi'(x) + \Gamma (x + x)", where=where).text == "psi'(x) + Gamma*(x + x)"


def test_what_is_printed_is_read_back() -> None:
    d = derive("lgamma(a)*digamma(a)*b*polygamma(2, a)^2*lbeta(a, b)", "a", where="a: positive; b: positive")
    where = "a: positive; b: positive"
    assert "ψ⁽³⁾(a)" in d.unicode
    assert matgrad.parse_latex(d.latex, where=where).node is matgrad.parse(d.text, where=where).node


def test_sympy() -> None:
    sympy = pytest.importorskip("sympy")
    where = "a: positive; b: positive"
    f = matgrad.parse("lgamma(a)*digamma(b) + polygamma(2, a)*b + lbeta(a, b)", where=where)
    assert matgrad.from_sympy(f.to_sympy()).node is f.node
    assert matgrad.from_sympy(sympy.gamma(sympy.Symbol("a"))).text == "gamma(a)"
    a = sympy.Symbol("a", real=True, positive=True)
    printed = matgrad.parse(derive(f, "a").text, where=where).to_sympy()
    assert sympy.simplify(sympy.diff(f.to_sympy(), a) - printed) == 0


Y = (0.0, 3.0, 5.0)


def _counts(k: int) -> Callable[[Any], Any]:
    """The derivative of the log-likelihood of Y, negative binomial, in r: of order k + 1."""
    f = mpmath.loggamma if k < 0 else lambda z: mpmath.psi(k, z)
    return lambda r: sum(f(r + y) - f(r) for y in Y)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_differences_keep_their_digits(backend: str, order: int) -> None:
    """Where r is large the two values agree in half of their digits, or in all."""
    if backend == "jax":
        pytest.importorskip("jax")
    text, where = "sum(lgamma(r + y)) - length(y)*lgamma(r)", "r: positive; y: vector(n)"
    formula = matgrad.parse(text, where=where)
    compiled = matgrad.compile(derive(formula, "r", order=order) if order else formula, backend=backend)
    for r in (1e-3, 0.7, 30.0, 1e4, 1e8, 1e12):
        with mpmath.workdps(100):
            exact = float(_counts(order - 1)(mpmath.mpf(r)))
        assert float(compiled(r=r, y=np.array(Y))) == pytest.approx(exact, rel=5e-15)


def test_the_beta_function_keeps_its_digits() -> None:
    where = "a: positive; b: positive"
    value = matgrad.compile(matgrad.parse("lbeta(a, b)", where=where))
    slope = matgrad.compile(derive("lbeta(a, b)", "a", where=where))
    choose = matgrad.compile(matgrad.parse("lgamma(a + 1) - lgamma(b + 1) - lgamma(a - b + 1)", where=where))
    for a, b in ((1e8, 2.5), (2.5, 1e8), (1e8, 3e8), (1e-3, 1e8), (40.0, 13.0), (1e-8, 1e-9)):
        with mpmath.workdps(60):
            x, y = mpmath.mpf(a), mpmath.mpf(b)
            exact = mpmath.loggamma(x) + mpmath.loggamma(y) - mpmath.loggamma(x + y)
            binomial = mpmath.log(mpmath.binomial(x, y)) if 1 < b < a else None
            digamma = mpmath.digamma(x) - mpmath.digamma(x + y)
        assert value(a=a, b=b) == pytest.approx(float(exact), rel=5e-15)
        assert slope(a=a, b=b) == pytest.approx(float(digamma), rel=5e-15)
        if binomial is not None:
            assert choose(a=a, b=b) == pytest.approx(float(binomial), rel=5e-15)


def test_code_can_be_differentiated_where_a_count_is_zero() -> None:
    jax = pytest.importorskip("jax")
    f = matgrad.parse("lgamma(r + y) - lgamma(r)", where="r: positive; y: scalar")
    code = matgrad.compile(f, backend="jax")
    for r, y in ((2.5, 0.0), (3.0, -1.5), (1e6, 4.0)):
        slopes = jax.grad(lambda r, y: code(r=r, y=y), (0, 1))(r, y)
        exact = [float(mpmath.psi(0, mpmath.mpf(r) + y) - mpmath.psi(0, r)), float(mpmath.psi(0, r + y))]
        assert [float(s) for s in slopes] == pytest.approx(exact, rel=1e-9, abs=1e-14)


def test_points_without_a_common_term_are_left_alone() -> None:
    code = matgrad.compile(matgrad.parse("digamma(a) - digamma(b)", where="a: positive; b: positive")).source
    assert "rise" not in code
