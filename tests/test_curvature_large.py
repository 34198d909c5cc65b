"""Curvature where the Hessian is known by its products alone: the ends of its spectrum."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import matgrad
from matgrad import curvature
from matgrad.analysis.krylov import Extremes
from matgrad.analysis.local import Local

RNG = np.random.default_rng(7)


def test_the_ends_of_a_spectrum_agree_with_all_of_it() -> None:
    n, p = 90, 100
    X = RNG.standard_normal((n, p)) * np.linspace(0.2, 2, p)
    at = {"X": X, "w": RNG.standard_normal(p) * 0.1, "y": RNG.integers(0, 2, n).astype(float)}
    formula = "sum(softplus(X*w)) - y'*X*w - 0.3*norm2(w)^2"
    all_, ends = curvature(formula, "w", at), curvature(formula, "w", at, method="iterative", largest=5)
    assert all_.eigenvalues is not None
    assert ends.eigenvalues is not None
    assert ends.residuals is not None
    np.testing.assert_allclose(ends.eigenvalues[-5:], all_.eigenvalues[-5:], rtol=1e-8)
    np.testing.assert_allclose(ends.eigenvalues[:5], all_.eigenvalues[:5], rtol=1e-8)
    assert np.all(ends.residuals < 1e-6)
    assert ends.hessian is None
    assert "‖Hv − λv‖" in ends.text


@pytest.mark.parametrize("n", [6, 200])
def test_products_in_which_terms_cancel_show_no_signs(n: int) -> None:
    """The Hessian is the rounding of two large matrices that are nearly one: of its signs nothing is known."""
    B = RNG.standard_normal((n, n))
    B = (B + B.T) * 1e10
    at = {"A": B, "B": B * (1 + 3e-16), "x": np.zeros(n)}
    for method in ("dense", "iterative"):
        found = curvature("x'*A*x - x'*B*x", "x", at, method=method, largest=3)
        assert found.kind == "undecided"
        assert found.at is not None
        assert np.all(found.at.spectrum.is_zero)
    assert curvature("x'*A*x", "x", {"A": B, "x": np.zeros(n)}, method="iterative", largest=3).kind == "saddle"


def test_no_matrix_of_the_size_of_the_hessian_is_formed() -> None:
    """Not by the bounds of errors either, which are of 2*A'*A*x and 2*A'*A*dx as they stand."""
    p = 4000
    at = {"A": RNG.standard_normal((3, p)), "x": np.zeros(p)}
    tracemalloc.start()
    try:
        curvature("norm2(A*x)^2", "x", at, method="iterative", largest=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < p * p  # bytes: an eighth of a Hessian


def test_copies_of_an_eigenvalue_are_all_found_and_no_ghosts() -> None:
    diagonal = np.concatenate([np.full(6, 5.0), np.linspace(0, 4, 200), np.full(3, -2.0)])
    found = Extremes(lambda v: diagonal * v, len(diagonal), 1e-15).find(8)
    np.testing.assert_allclose(found.values[-8:], np.sort(diagonal)[-8:], atol=1e-8)
    np.testing.assert_allclose(found.values[:3], -2, atol=1e-8)
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(len(found.values)), atol=1e-10)


def test_what_did_not_converge_is_said() -> None:
    diagonal = np.linspace(1, 1.0001, 3000)
    found = Extremes(lambda v: diagonal * v, len(diagonal), 1e-15, limit=40).find(5)
    assert any("not converged" in note for note in found.notes)
    distance = np.abs(diagonal[:, None] - found.values).min(axis=0)
    assert np.all(distance <= found.errors)


def test_products_are_those_of_the_matrix() -> None:
    at = {"S": np.diag([1.0, 2.0]) + 0.1, "L": np.tril(RNG.standard_normal((2, 2)))}
    local = Local(matgrad.parse("tr(S*L*L'*S) + norm2(L)^4", where="S: symmetric(n); L: lower(n)"), ["S", "L"], at)
    columns = np.column_stack([local.product(e) for e in np.eye(local.size)])
    np.testing.assert_allclose(columns, local.hessian, atol=1e-12)
    steps = np.array([[_second(local, e + f) - _second(local, e) - _second(local, f) for f in np.eye(6)]
                      for e in np.eye(6)]) / 2  # fmt: skip
    np.testing.assert_allclose(local.hessian, steps, atol=1e-4)


def _second(local: Local, along: np.ndarray, h: float = 1e-3) -> float:
    return (local.value_at(local.point + h * along) - 2 * local.value + local.value_at(local.point - h * along)) / h**2


def test_a_certificate_says_what_the_ends_of_a_spectrum_do_not() -> None:
    X = np.random.default_rng(1).standard_normal((80, 100))
    at = {"X": X, "b": np.zeros(80), "x": np.zeros(100)}
    found = curvature("norm2(X*x - b)^2", "x", at, method="iterative", largest=2)
    assert found.kind == "minimum"
    assert found.eigenvalues is not None
    np.testing.assert_allclose(found.eigenvalues[-2:], np.linalg.eigvalsh(2 * X.T @ X)[-2:], rtol=1e-8)
    assert curvature("norm2(X*x - b)^2 - x'*x", "x", at, method="iterative", largest=2).kind == "saddle"


def test_few_entries_are_all_found_by_products_too() -> None:
    at = {"A": [[1.0, 2.0], [3.0, 4.0]], "x": [0.0, 0.0]}
    found = curvature("x'*A*x", "x", at, method="iterative")
    assert found.kind == "saddle"
    assert found.condition_number == pytest.approx(curvature("x'*A*x", "x", at).condition_number)
