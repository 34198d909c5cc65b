"""Messages as people see them, whole: what, where (the smallest wrong part), what clashes, what to try."""

from __future__ import annotations

import numpy as np
import pytest

import matgrad
from matgrad.errors import MatgradError

MESSAGES = [
    ("", None, "the formula is empty\n    try  x'*A*x"),
    ("  \n ", None, "the formula is empty\n    try  x'*A*x"),
    (
        "X^65",
        None,
        (
            "matrix powers are supported for whole exponents of at most 64\n"
            "    X^65\n"
            "      ^^\n"
            "    try  a product of smaller powers"
        ),
    ),
    ("0/0*x", None, "a division by zero\n    0/0*x\n      ^"),
    ("x'*x/(1-1)", None, "a division by zero\n    x'*x/(1-1)\n          ^^^"),
    (
        "inv(A - A)*x",
        "A: matrix(n,n)",
        "inv of a matrix of zeros has no value: it needs det(X) != 0\n    inv(A - A)*x\n    ^^^^^^^^^^",
    ),
    ("zeros(n,n)^-1*x", None, "a negative power of zero\n    zeros(n,n)^-1*x\n    ^^^^^^^^^^^^^"),
    ("x*0^-1", None, "a negative power of zero\n    x*0^-1\n      ^^^^"),
    (
        "sum(mean(X,1).^2)",
        None,
        (
            "mean takes the dimension over which it runs by its name\n"
            "    sum(mean(X,1).^2)\n"
            "        ^^^^^^^^^\n"
            "    try  mean(X, dim=1)"
        ),
    ),
    ("sin x", None, "the argument of sin needs brackets\n    sin x\n    ^^^^^\n    try  sin(x)"),
    (
        "x'*x",
        "x: vector(n); y: vector(n)",
        "y is declared, but does not occur in the formula\n    its names are x",
    ),
    (
        "A/x",
        "A: matrix(m,n); x: vector(n)",
        (
            "A/x: nothing can be divided by a column of length n\n"
            "    A/x\n"
            "    ^^^\n"
            "    A  matrix, m × n (A is declared matrix(m,n))\n"
            "    x  column, n (x is declared vector(n))\n"
            "    try  A*diag(1./x)"
        ),
    ),
]


@pytest.mark.parametrize(("formula", "where", "message"), MESSAGES)
def test_messages(formula: str, where: str | None, message: str) -> None:
    with pytest.raises(MatgradError) as error:
        matgrad.derive(formula, "X" if "X" in formula else "x", where=where)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("formula", "where", "hint"),
    [
        ("A/x", "A: matrix(m,n); x: vector(m)", "diag(1./x)*A"),
        ("A/B", "A: matrix(n,n); B: matrix(n,n)", "A./B or inv(B)*A or A*inv(B)"),
        ("x'/A", "x: vector(n); A: matrix(n,n)", "x'*inv(A)"),
        ("1/A", "A: matrix(n,n)", "1./A or inv(A)"),
        ("c/A", "A: matrix(n,n); c: scalar", "c./A or c*inv(A)"),
        ("x/y", "x: vector(n); y: vector(n)", "x./y"),
        ("x/y", "x: vector(n); y: vector(m)", "x/norm2(y)"),
    ],
)
def test_what_to_use_for_a_division(formula: str, where: str, hint: str) -> None:
    with pytest.raises(MatgradError) as error:
        matgrad.derive(formula, formula[-1], where=where)
    assert error.value.hint == hint


def test_a_name_that_the_formula_does_not_have() -> None:
    with pytest.raises(MatgradError, match="its names are A, x"):
        matgrad.derive("A*x", "y")
    with pytest.raises(MatgradError, match="it has no names"):
        matgrad.derive("det(eye(3))", "y")


def test_a_wrong_shape_says_which_one_is_right() -> None:
    gradient = matgrad.gradient("norm2(A*x - b)^2", "x")
    with pytest.raises(MatgradError) as error:
        gradient(A=np.ones((2, 3)), x=np.ones(2), b=np.ones(2))
    assert str(error.value).splitlines()[0] == "x has shape (2,), not (3,)"


def test_primes() -> None:
    second = matgrad.hessian("sum(g(x))", "x", where="g: function")
    assert (second.text, second.unicode) == ("diag(g''(x))", "diag(g′′(x))")
    assert second.latex == r"\operatorname{diag}(g''(\mathbf{x}))"


def test_answers_may_have_more_primes_than_formulas() -> None:
    """What is printed can be read back."""
    derivative = matgrad.derive("g'''(x)", "x", where="g: function")
    assert derivative.text == "diag(g''''(x))"
    assert matgrad.parse(derivative.text, context=derivative).text == derivative.text
    with pytest.raises(MatgradError, match="at most 3 primes"):
        matgrad.parse("g''''(x)", where="g: function")


@pytest.mark.parametrize(
    ("formula", "where", "hint"),
    [
        ("tr(A^-T*X)", None, "inv(A)'"),
        ("tr(inv(X)^T*A)", None, "inv(X)'"),
        ("(A*x)^T*y", None, "(A*x)'"),
        ("log det(X)", None, "log(det(X))"),
        ("x^T A x", None, "x'*A"),
        ("x'Ax", None, "x'*A*x"),
        ("np.exp(x)", None, "exp(x)"),
        ("np.linalg.det(X)", None, "det(X)"),
        ("x.sum()", None, "sum(x)"),
        ("log det X", None, "log(det(X))"),
        ("tr inv(X'*X)*A", None, "tr(inv(X'*X))"),
        ("a tr(X*(A + B))", None, "a*tr(X*(A + B))"),
        ("X - mean(X, dim=1)", None, "X - vector(1)*mean(X, dim=1)"),
        ("mean(X, dim=2) + X", None, "mean(X, dim=2)*vector(1)' + X"),
        ("X + b", "X: matrix(m,n); b: vector(n)", "X + vector(1)*b'"),
        ("X./sum(X, dim=2)", None, "diag(1./sum(X, dim=2))*X"),
        ("X./sum(X, dim=1)", None, "X*diag(1./sum(X, dim=1)')"),
        ("b./X", "X: matrix(m,n); b: vector(m)", "diag(b)*(1./X)"),
        ("(X + Y).*b'", "X: matrix(m,n); b: vector(n)", "(X + Y)*diag(b)"),
    ],
)
def test_a_hint_is_a_formula_in_the_words_of_the_user(formula: str, where: str | None, hint: str) -> None:
    with pytest.raises(MatgradError) as error:
        matgrad.parse(formula, where=where)
    assert error.value.hint == hint
    assert matgrad.parse(hint).text == hint


@pytest.mark.parametrize(("braced", "hint"), [("A^{-T}", "inv(A)'"), ("A^{T}", "A'"), ("A^{2}", "^(2)")])
def test_exponents_in_braces(braced: str, hint: str) -> None:
    with pytest.raises(MatgradError, match="without braces") as error:
        matgrad.parse(f"tr({braced}*X)")
    assert error.value.hint == f"{hint}, or parse_latex"


@pytest.mark.parametrize(
    ("formula", "where", "hint"),
    [
        ("norm2(x[1:n-1] + x[2:n] - y)^2", "x: vector(n)", "declarations with sizes: y: vector(…)"),
        ("logdet(kron(A,B) + kron(C,D))", "A: matrix(2,2); B: matrix(3,3)",
         "declarations with sizes: C: matrix(…, …); D: matrix(…, …)"),
    ],
)  # fmt: skip
def test_sizes_that_cannot_be_told_name_the_variables(formula: str, where: str, hint: str) -> None:
    with pytest.raises(MatgradError, match="cannot be told") as error:
        matgrad.parse(formula, where=where)
    assert error.value.hint == hint


@pytest.mark.parametrize(
    ("latex", "words"),
    [
        (r"\mathbf{1}^\top[\mathbf{x} - \mathbf{b}]_+", r"\max(0, x)"),
        (r"\|\mathbf{x}\|_3", r"\|x\|_1, \|x\|_2 or \|X\|_F"),
    ],
)
def test_latex_that_is_written_otherwise(latex: str, words: str) -> None:
    with pytest.raises(MatgradError) as error:
        matgrad.parse_latex(latex)
    assert words in str(error.value.hint)


def test_a_function_of_matrices_says_what_it_takes() -> None:
    """A diagonal beside it is no second operand: hypot(x, y) of two equal shapes is another matter."""
    with pytest.raises(MatgradError, match=r"triu takes a matrix.*\n[^$]*try  triu\(diag\(x\), 1\)"):
        matgrad.derive("triu(x, 1)", "x", where="x: vector(n)")
