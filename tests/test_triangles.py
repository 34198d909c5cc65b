"""tril and triu with an offset: NumPy's diagonals, in formulas, answers, LaTeX and code."""

from __future__ import annotations

import numpy as np
import pytest

import matgrad
from matgrad import derive, parse, parse_latex

RNG = np.random.default_rng(4)
X = RNG.standard_normal((4, 6))
A, B, C = (RNG.standard_normal((5, 5)) for _ in range(3))
WHERE = {"X": "matrix(m,n)", "A": "matrix(k,k)", "B": "matrix(k,k)", "x": "vector(k)"}
OFFSETS = (-7, -2, -1, 0, 1, 3, 9)


def where(formula: str) -> dict[str, str]:
    return {name: what for name, what in WHERE.items() if name in formula.replace("matrix", "")}


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("name", ["tril", "triu"])
def test_the_offset_is_numpys(name: str, offset: int) -> None:
    kept = getattr(np, name)
    formula = parse(f"{name}(X, {offset})", where=where("X"))
    assert np.array_equal(formula(X=X), kept(X, offset))
    assert np.array_equal(matgrad.compile(formula)(X=X), kept(X, offset))
    gradient = derive(f"sum({name}(X, {offset}).^3)", "X", where=where("X"))
    assert gradient(X=X) == pytest.approx(3 * kept(X, offset) ** 2)
    assert matgrad.compile(gradient)(X=X) == pytest.approx(3 * kept(X, offset) ** 2)
    of_transpose = derive(f"tr({name}(X, {offset})'*Y)", "X", where={"X": "matrix(m,n)", "Y": "matrix(m,n)"})
    assert of_transpose(X=X, Y=2 * X) == pytest.approx(2 * kept(X, offset))


@pytest.mark.parametrize(
    ("formula", "wrt", "text"),
    [
        ("sum(triu(X, 1).^2)", "X", "2*triu(X, 1)"),
        ("x'*tril(A, -2)*x", "A", "tril(x*x', -2)"),
        ("x'*tril(A, -2)*x", "x", "(tril(A, -2) + tril(A, -2)')*x"),
        ("tr(triu(A, 1)*B)", "A", "triu(B', 1)"),
        ("tr(triu(A, 1)*B)", "B", "tril(A', -1)"),
        ("norm2(triu(A*B, 1))^2", "A", "2*triu(A*B, 1)*B'"),
        ("sum(triu(tril(A, 1), -1).*B)", "A", "tril(triu(B, -1), 1)"),
        ("sum(diag(tril(A, -1)))", "A", "zeros(k, k)"),
        ("tr(tril(A, 1))", "A", "eye"),
        ("triu(A, 0)*x", "x", "triu(A)"),
    ],
)
def test_derivatives(formula: str, wrt: str, text: str) -> None:
    d = derive(formula, wrt, where=where(formula))
    assert d.text == text
    assert d.verify().passed
    assert parse(d.text, context=d).text == d.text
    assert parse_latex(d.latex, context=d).text == d.text
    assert matgrad.hessian(f"sum(({formula}).^3)", wrt, where=where(formula)).verify().passed


def test_second_derivatives_and_their_kronecker_form() -> None:
    h = matgrad.hessian("sum(triu(X, 1).^2)", "X", where=where("X"))
    assert h.kronecker == "2*diag(vec(triu(ones(m, n), 1)))"
    assert h.verify().passed
    assert np.array_equal(h(X=X).reshape(24, 24), np.diag(2 * np.triu(np.ones((4, 6)), 1).ravel()))


def test_explanations_and_answers() -> None:
    told = str(matgrad.explain("sum(triu(X, 1).^2)", "X"))
    assert "triu" in told
    assert "1)" in told
    assert matgrad.check_answer("sum(triu(X, 1).^2)", "X", "2*(X - tril(X))").correct
    assert not matgrad.check_answer("sum(triu(X, 1).^2)", "X", "2*triu(X)").correct
    assert not matgrad.check_answer("sum(triu(X, 1).^2)", "X", "2*triu(X, -1)").correct


def test_objects() -> None:
    a, b = matgrad.matrix("A", "m", "n"), matgrad.matrix("B", "m", "n")
    d = derive(np.multiply(np.tril(a, -1), b).sum(), "A")
    assert d.text == "tril(B, -1)"
    assert np.array_equal(d(A=X, B=2 * X), np.tril(2 * X, -1))


@pytest.mark.parametrize("formula", ["tril(X, 0.5)", "tril(X, c)", "triu(X, n)", "triu(X, 1, 2)"])
def test_what_is_no_diagonal_is_refused(formula: str) -> None:
    with pytest.raises(matgrad.MatgradError, match=r"whole number|argument"):
        parse(formula)


@pytest.mark.parametrize("sizes", ["m,n", "n,p"])
@pytest.mark.parametrize("part", ["triu(C)", "tril(C')", "tril(C', -1)", "triu(C, 1)"])
def test_a_triangle_of_a_number_is_no_mask(part: str, sizes: str) -> None:
    """C.*triu(matrix(c)) is c*triu(C): the number was lost once, and 2*triu(C) printed for 2*triu(C)/(1 + s)^2."""
    f = f"sum({part}.^2)/(1 + sum({part}.^2))"
    d = derive(f, "C", where=f"C: matrix({sizes})")
    upper = np.triu(X, 1) if "1" in part else np.triu(X)
    truth = 2 * upper / (1 + np.sum(upper**2)) ** 2
    assert d(C=X) == pytest.approx(truth)
    assert parse(d.text, context=d)(C=X) == pytest.approx(truth)
    assert d.verify().passed


def test_a_triangle_of_a_number_times_a_matrix() -> None:
    formula = parse("A.*triu(matrix(c + 1))", where="A: matrix(k,k); c: scalar")
    assert derive("sum(A.*triu(matrix(c + 1)))", "A", where="A: matrix(k,k); c: scalar")(A=A, c=2.0) == pytest.approx(
        3 * np.triu(np.ones((5, 5)))
    )
    assert formula(A=A, c=2.0) == pytest.approx(3 * np.triu(A))
