"""lgamma, digamma, polygamma and what likelihoods are made of them: derivatives, code, other notations."""

from __future__ import annotations

import pytest

import matgrad
from matgrad import derive

NUMBERS = "a: scalar; b: scalar; r: positive; y: positive vector(n)"


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
