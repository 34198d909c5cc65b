"""Gradients in code, checked: right ones pass, and the patterns of wrong ones are told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import matgrad
from matgrad.diagnosing.gradients import check_gradient

RNG = np.random.default_rng(0)
A, B, X0 = RNG.normal(size=(6, 4)), RNG.normal(size=6), RNG.normal(size=4)
M, S = RNG.normal(size=(3, 3)), RNG.normal(size=(3, 3))


def _loss(x: Any) -> float:
    return float(np.sum((A @ x - B) ** 2))


def _gradient(x: Any) -> Any:
    return 2 * A.T @ (A @ x - B)


def test_a_right_gradient_passes() -> None:
    assert check_gradient(_loss, _gradient, X0).correct is True
    assert check_gradient(_loss, _gradient(X0), X0).correct is True


@pytest.mark.parametrize(
    ("gradient", "kind", "value"),
    [
        (lambda x: -_gradient(x), "sign", ""),
        (lambda x: _gradient(x) / 2, "constant-factor", "2"),
        (lambda x: _gradient(x) / 6, "constant-factor", "6"),
        (lambda x: _gradient(x) - 0.25 * x, "missing-term", "0.25"),
        (lambda x: _gradient(x) + 1, "missing-term", "-1"),
        (lambda x: 0 * x, "zero", ""),
        (lambda x: x * np.nan, "not-finite", ""),
        (lambda x: None, "no-gradient", ""),
        (lambda x: _gradient(x)[:2], "shape-mismatch", ""),
        (lambda x: _gradient(x) * np.array([1, 2, 3, 4]), "unknown", ""),
    ],
)
def test_patterns(gradient: Any, kind: str, value: str) -> None:
    verdict = check_gradient(_loss, gradient, X0)
    assert (verdict.correct, verdict.kind, verdict.value) == (False, kind, value)


def test_transposed() -> None:
    verdict = check_gradient(lambda x: float(np.trace(S @ x)), lambda x: S, M)
    assert (verdict.correct, verdict.kind) == (False, "wrong-layout")


def test_kinks() -> None:
    at = np.array([1.0, 0.0, -2.0])
    assert check_gradient(lambda x: float(np.sum(np.abs(x))), np.sign, at).correct is True
    beyond = check_gradient(lambda x: float(np.sum(np.abs(x))), lambda x: np.where(x == 0, 3.0, np.sign(x)), at)
    assert (beyond.correct, beyond.kind) == (False, "near-kinks")


def test_a_constant_function_is_undecided() -> None:
    assert check_gradient(lambda x: 1.0, lambda x: 0 * x, X0).correct is None


def test_single_precision_is_judged_as_such() -> None:
    x = X0.astype(np.float32)
    assert check_gradient(lambda x: np.sum(x * x), lambda x: 2 * x, x).correct is True
    assert check_gradient(lambda x: np.sum(x * x), lambda x: 2.1 * x, x).correct is False


def test_several_arguments_and_a_formula() -> None:
    at = {"A": A, "x": X0, "b": B}

    def loss(A: Any, x: Any, b: Any) -> Any:
        return np.sum((A @ x - b) ** 2)

    def right(A: Any, x: Any, b: Any) -> Any:
        r = A @ x - b
        return {"A": 2 * np.outer(r, x), "x": 2 * A.T @ r, "b": -2 * r}

    assert check_gradient(loss, right, at, "norm2(A*x - b)^2").correct is True
    spoilt = check_gradient(
        loss, lambda **v: {**right(**v), "x": 2 * v["A"].T @ v["A"] @ v["x"]}, at, "norm2(A*x - b)^2"
    )
    assert (spoilt.kind, spoilt.value) == ("missing-term", "-2*A'*b")
    other = check_gradient(loss, right, at, "2*norm2(A*x - b)^2")
    assert other.kind == "another-function"


def test_jax() -> None:
    jax = pytest.importorskip("jax")

    def loss(x: Any) -> Any:
        return jax.numpy.sum(jax.numpy.tanh(x) ** 2)

    x = jax.numpy.asarray(X0)
    assert check_gradient(loss, jax.grad(loss), x).correct is True
    assert check_gradient(loss, lambda x: 2 * jax.grad(loss)(x), x).correct is False


def test_bad_input() -> None:
    with pytest.raises(matgrad.MatgradError, match="not a number"):
        check_gradient(lambda x: x, lambda x: x, X0)
    with pytest.raises(matgrad.MatgradError, match="not finite"):
        check_gradient(_loss, _gradient, np.array([1.0, np.nan, 0, 0]))


def test_noise_is_not_taken_for_kinks() -> None:
    """Cancellation in single precision: the function's own noise is measured, not guessed from its size."""
    x = np.linspace(0.5, 1.5, 5).astype(np.float32)

    def noisy(x: Any) -> Any:
        return float(np.float32(1e4) + np.sum(x * x, dtype=np.float32) - np.float32(1e4))

    right = check_gradient(noisy, lambda x: 2 * x, x)
    assert right.correct is True
    assert "kink" not in right.message
    assert check_gradient(noisy, lambda x: 4 * x, x).kind == "constant-factor"
    assert check_gradient(noisy, lambda x: -2 * x, x).kind == "sign"


def test_only_in_single_precision() -> None:
    x = np.linspace(0.5, 1.5, 5).astype(np.float32)

    def lossy(x: Any) -> Any:
        big = np.asarray(1e7, dtype=x.dtype)
        return (2 * x + big) - big

    verdict = check_gradient(lambda x: np.sum(x * x), lossy, x)
    assert (verdict.correct, verdict.kind) == (False, "only-in-float32")


def test_large_arrays_are_tried_along_directions_too() -> None:
    big = RNG.normal(size=(60, 40))

    def spoilt(x: Any) -> Any:
        found = 2 * x
        found[30:] *= np.where(np.arange(40) == 7, 1.5, 1.0)
        return found

    assert check_gradient(lambda x: float(np.sum(x * x)), lambda x: 2 * x, big).correct is True
    assert check_gradient(lambda x: float(np.sum(x * x)), spoilt, big).correct is False

    def one_column(x: Any) -> Any:
        found = 2 * x
        found[:, 0] = 0
        return found

    assert check_gradient(lambda x: float(np.sum(x * x)), one_column, big).correct is False


def test_next_to_the_edge_of_the_domain_nothing_is_claimed() -> None:
    at = np.array([1e-9, 1.0])
    with np.errstate(invalid="ignore"):
        verdict = check_gradient(lambda x: float(np.sum(np.log(x))), lambda x: 1 / x, at)
        assert verdict.correct is True
        assert "nothing is known" in verdict.message
        alone = check_gradient(lambda x: float(np.log(x)), lambda x: 1 / x, 1e-9)
        assert alone.correct is None


def test_scalars_and_tuples() -> None:
    assert check_gradient(lambda x: x**3, lambda x: 3 * x**2, 2.0).correct is True
    verdict = check_gradient(lambda a, b: float(a @ b), lambda a, b: (b, b), (X0, X0 + 1))
    assert verdict.correct is False
    assert check_gradient(lambda a, b: float(a @ b), lambda a, b: (b, a), (X0, X0 + 1)).correct is True
    assert check_gradient(lambda a, b: float(a @ b), lambda a, b: (b, None), (X0, X0 + 1)).kind == "no-gradient"


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_torch(kind: str) -> None:
    torch = pytest.importorskip("torch", reason="not for CI: torch is large")
    x = torch.tensor(X0, dtype=getattr(torch, kind), requires_grad=True)

    def loss(x: Any) -> Any:
        return torch.sum(torch.tanh(x) ** 2)

    def gradient(x: Any) -> Any:
        return torch.autograd.grad(loss(x), x)[0]

    assert check_gradient(loss, gradient, x).correct is True
    assert check_gradient(loss, lambda x: gradient(x) / 4, x).value == "4"
    assert check_gradient(loss, lambda x: None, x).kind == "no-gradient"


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_random_losses_pass_and_spoilt_ones_do_not(kind: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(12):
        m, n = rng.integers(2, 7, 2)
        W, x = rng.normal(size=(m, n)).astype(kind), rng.normal(size=n).astype(kind)

        def loss(x: Any, W: Any = W) -> Any:
            return np.sum(np.tanh(W @ x) ** 2) + np.sum(np.exp(x / 3))

        def gradient(x: Any, W: Any = W) -> Any:
            t = np.tanh(W @ x)
            return 2 * W.T @ (t * (1 - t**2)) + np.exp(x / 3) / 3

        assert check_gradient(loss, gradient, x).correct is True
        off = np.zeros(n)
        off[rng.integers(n)] = 0.1
        assert check_gradient(loss, lambda x, g=gradient, off=off: g(x) + off, x).correct is False
