"""Code for matrices that are large enough to be worked on in blocks, in place or by halves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import matgrad


def definite(n: int, dtype: Any = np.float64) -> Any:
    roots = np.random.default_rng(n).standard_normal((n, 2 * n))
    found = roots @ roots.T / n + np.diag(np.linspace(1, 9, n))
    return ((found + found.T) / 2).astype(dtype)


@pytest.mark.parametrize("n", [1, 2, 65, 95, 96, 97, 129, 203, 256])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_inverse_of_a_definite_matrix(n: int, dtype: Any) -> None:
    """By halves from 96 rows on, the lower triangle mirrored by blocks from 129 on."""
    code = matgrad.compile(matgrad.gradient("logdet(S)", "S", where="S: spd(n)"))
    given = definite(n, dtype)
    kept = given.copy()
    found = code(S=given)
    assert found.dtype == dtype
    assert np.array_equal(found, found.T)
    assert np.array_equal(given, kept)
    assert found == pytest.approx(np.linalg.inv(given.astype(float)), abs=2e-6 if dtype == np.float32 else 1e-13)


def test_an_inverse_keeps_the_digits_that_the_matrix_allows() -> None:
    """Rows that are scaled by 1e-8 to 1e8: each entry is right, and so are those of a factor after the inverse."""
    n, scales = 150, np.logspace(-8, 8, 150)
    S = definite(n)
    code = matgrad.compile(
        [matgrad.gradient("logdet(S)", "S", where="S: spd(n)"), matgrad.parse("logdet(S)", where="S: spd(n)")]
    )
    found, value = code(S=S * scales * scales[:, None])
    assert np.max(np.abs(found * scales * scales[:, None] - np.linalg.inv(S))) < 1e-12
    assert value == pytest.approx(np.linalg.slogdet(S)[1] + 2 * np.sum(np.log(scales)), rel=1e-13)


@pytest.mark.parametrize(
    ("text", "where", "expected"),
    [
        ("logdet(S) + x'*inv(S)*x", "S: spd(n)",
         lambda S, x: np.linalg.inv(S) - np.outer(q := np.linalg.solve(S, x), q)),
        ("logdet(S) + 3*x'*inv(S)*y", "S: matrix(n,n)",
         lambda S, x: np.linalg.inv(S).T - 3*np.outer(np.linalg.solve(S.T, x), np.linalg.solve(S, np.cos(x)))),
    ],
)  # fmt: skip
@pytest.mark.parametrize("n", [3, 140])
def test_an_outer_product_is_added_to_an_inverse_in_its_place(text: str, where: str, expected: Any, n: int) -> None:
    x = np.sin(np.arange(n))
    code = matgrad.compile(matgrad.gradient(text, "S", where=where))
    assert "rank_one(" in code.source
    S = definite(n) if "spd" in where else definite(n) + np.triu(np.ones((n, n)))
    at = {"S": S, "x": x} | ({"y": np.cos(x)} if "y" in text else {})
    assert code(**at) == pytest.approx(expected(S, x), abs=1e-12)
    assert np.isnan(code(**at | {"x": np.where(np.arange(n) == 1, np.nan, x)})).any()


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("columns", [1, 63, 64, 300])
@pytest.mark.parametrize("kind", ["spd", "symmetric"])
def test_many_right_sides_at_once(backend: Any, columns: int, kind: str) -> None:
    """Pascal's matrix has the condition 2e7 and an integer inverse; an indefinite one goes through LU."""
    if backend == "jax":
        pytest.importorskip("jax")
    pascal = np.array([[math.comb(i + j, i) for j in range(8)] for i in range(8)], dtype=float)
    exact = np.random.default_rng(columns).integers(-9, 9, (8, columns)).astype(float)
    code = matgrad.compile(matgrad.parse("inv(S)*B", where=f"S: {kind}(n); B: matrix(n, m)"), backend=backend)
    assert np.asarray(code(S=pascal, B=pascal @ exact)) == pytest.approx(exact, abs=1e-7)
    assert np.asarray(code(S=np.eye(8), B=np.asfortranarray(exact))) == pytest.approx(exact, abs=0)
    if kind == "symmetric":
        turned = np.diag([1.0, -2, 3, 4, -5, 6, 7, 8])
        assert np.asarray(code(S=turned, B=turned @ exact)) == pytest.approx(exact)


def test_an_inverse_that_is_needed_again_is_kept() -> None:
    items = [matgrad.gradient(text, "S", where="S: spd(n)") for text in ("logdet(S) + x'*inv(S)*x", "logdet(S)")]
    S, x = definite(5), np.arange(5.0)
    first, second = matgrad.compile(items)(S=S, x=x)
    assert second == pytest.approx(np.linalg.inv(S))
    assert first == pytest.approx(second - np.outer(second @ x, second @ x))


@pytest.mark.parametrize("n", [4, 300])
def test_a_matrix_and_its_transpose(n: int) -> None:
    """Blocks of rows of a large one; of an argument in any layout, which stays as it is."""
    code = matgrad.compile(matgrad.parse("A + A'"))
    A = np.random.default_rng(n).standard_normal((2 * n, n))[::2]
    kept = A.copy()
    for given in (A, A.T, np.asfortranarray(A), A[::-1], A.astype(np.float32)):
        found = code(A=given)
        assert found.dtype == given.dtype
        assert np.array_equal(found, given + given.T)
    assert np.array_equal(A, kept)


def test_functions_of_new_matrices_are_taken_in_place() -> None:
    code = matgrad.compile([matgrad.parse("exp(-c*D)"), matgrad.parse("sqrt(exp(c*D))"), matgrad.parse("sin(D)")])
    D = np.random.default_rng(1).standard_normal((3, 4))
    kept = D.copy()
    first, second, third = code(D=D, c=0.5)
    assert "out=" in code.source
    assert np.array_equal(D, kept)
    assert first == pytest.approx(np.exp(-0.5 * D))
    assert second == pytest.approx(np.exp(0.25 * D))
    assert third == pytest.approx(np.sin(D))


@pytest.mark.parametrize("noise", [0.3, 40.0])
def test_a_trace_with_a_symmetric_matrix_needs_no_transpose(noise: float) -> None:
    """A kernel times its inverse is symmetric, which is known late; no product is formed where the noise is small."""
    text = "K = exp(a)*exp(-exp(b)*D) + c*eye; logdet(K)"
    formula = matgrad.parse(text, where="D: symmetric(n); a: scalar; b: scalar; c: scalar")
    code = matgrad.compile(matgrad.derive(formula, "a").derive("b"))
    points = np.random.default_rng(3).standard_normal((80, 2))
    D = ((points[:, None] - points) ** 2).sum(-1)
    kernel = np.exp(0.1) * np.exp(-np.exp(0.2) * D)
    slope, P = -np.exp(0.2) * kernel * D, np.linalg.inv(kernel + noise * np.eye(80))
    assert code(D=D, a=0.1, b=0.2, c=noise) == pytest.approx(np.trace(P @ slope) - np.trace(P @ slope @ P @ kernel))
    assert "smooth(" in code.source
    assert "ij,ji" not in code.source


def test_a_trace_is_numpys() -> None:
    code = matgrad.compile(matgrad.parse("tr(X)^2", where="X: matrix(n,n)"))
    assert code(X=np.arange(9.0).reshape(3, 3)) == 144
    assert "np.trace(X)" in code.source
