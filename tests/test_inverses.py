"""Products with an inverse that is needed anyway: fewer of them, to the same digits."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

import matgrad
from matgrad.dims import Dim
from matgrad.planning.steps import Plan

SMOOTHER = "K = a*X + c*eye; tr(inv(K)) + tr(X*inv(K)*X*inv(K)) + u'*inv(K)*X*v"
WHERE = "X: matrix(n, n); a: scalar; c: scalar; u: vector(n); v: vector(n)"


def _exact(arrays: dict[str, object]) -> float:
    with localcontext(prec=60):
        X, a, c, u, v = (np.vectorize(Decimal, otypes=[object])(arrays[name]) for name in ("X", "a", "c", "u", "v"))
        P = _inverse(a * X + c * np.eye(len(X), dtype=int))
        A = P @ X
        return float(np.trace(P) + np.sum(A * A.T) + u @ A @ v)


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """By Gauss and Jordan: rows are exchanged so that the largest entry of a column is divided by."""
    n = len(matrix)
    both = np.hstack([matrix, np.eye(n, dtype=int)])
    for k in range(n):
        pivot = k + int(np.argmax(np.abs(both[k:, k])))
        both[[k, pivot]] = both[[pivot, k]]
        both[k] /= both[k, k]
        others = np.arange(n) != k
        both[others] -= np.outer(both[others, k], both[k])
    return both[:, n:]


@pytest.mark.parametrize("c", [1e-9, 0.3, 40.0, 1e9])
def test_the_product_with_a_shifted_matrix_is_read_off_its_inverse(c: float) -> None:
    """inv(aX + cI)·X = (I - c·inv(aX + cI))/a; where c is large beside X that would lose digits, and is not taken."""
    n = 67
    rng = np.random.default_rng(5)
    arrays = {"X": rng.standard_normal((n, n)) + 3 * np.eye(n), "a": -1.7, "c": c, "u": rng.standard_normal(n)}
    arrays["v"] = rng.standard_normal(n)
    function = matgrad.compile(matgrad.parse(SMOOTHER, where=WHERE))
    found = function(**arrays)
    assert "smooth(X, " in function.source
    assert found == pytest.approx(_exact(arrays), rel=1e-11)


def test_a_small_product_is_formed() -> None:
    function = matgrad.compile(matgrad.parse(SMOOTHER, where=WHERE))
    rng = np.random.default_rng(6)
    arrays = {"X": rng.standard_normal((4, 4)), "a": 0.4, "c": 2.0, "u": rng.standard_normal(4), "v": np.ones(4)}
    assert function(**arrays) == pytest.approx(_exact(arrays), rel=1e-12)
    assert "smooth" not in function.source


@pytest.mark.parametrize("scale", [0.0, 1e-3, 1e3])
def test_of_a_zero_matrix(scale: float) -> None:
    """Where X is 0 the product is 0, whatever c."""
    function = matgrad.compile(
        matgrad.parse("K = a*X + c*eye; sum(inv(K)) + sum(inv(K)*X)", where="X: matrix(n, n); a: scalar; c: scalar")
    )
    found = function(X=np.zeros((70, 70)), a=scale, c=2.0)
    assert found == pytest.approx(35.0)


def test_equal_terms_of_a_sum_count() -> None:
    """Sums in any order are one, but a + a is not a + a + a."""
    plan, shape = Plan(), (Dim.of("n"),)
    a, c = plan.input("a", shape), plan.input("c", shape)
    twice, thrice = (plan.step("linear", (a,) * count, (Fraction(1),) * count, shape) for count in (2, 3))
    assert twice is not thrice
    one = (Fraction(1), Fraction(-1))
    assert plan.step("linear", (a, c), one, shape) is plan.step("linear", (c, a), one[::-1], shape)
    assert plan.step("linear", (a, c), one, shape) is not plan.step("linear", (c, a), one, shape)
