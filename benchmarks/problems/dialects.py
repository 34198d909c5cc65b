"""The few functions that JAX, PyTorch and autograd spell differently; a loss takes one of these and is one program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Dialect:
    """``sum``, ``exp``, ``tanh`` … as ``xp`` has them; what differs by name."""

    name: str
    xp: Any
    softplus: Callable[[Any], Any]
    logsumexp: Callable[[Any], Any]
    logdet: Callable[[Any], Any]
    solve: Callable[[Any, Any], Any]
    inv: Callable[[Any], Any]
    cholesky: Callable[[Any], Any]
    cholesky_solve: Callable[[Any, Any], Any]
    """The solution of L L' x = b for a vector b."""
    diagonal: Callable[[Any], Any]
    identity: Callable[[int], Any]


def jax_dialect() -> Dialect:
    import jax
    import jax.numpy as jnp
    import jax.scipy.linalg as jsl

    return Dialect(
        "jax", jnp, jax.nn.softplus, jax.scipy.special.logsumexp, lambda X: jnp.linalg.slogdet(X)[1],
        jnp.linalg.solve, jnp.linalg.inv, jnp.linalg.cholesky, lambda L, b: jsl.cho_solve((L, True), b),
        jnp.diagonal, jnp.eye,
    )  # fmt: skip


def torch_dialect() -> Dialect:
    import torch

    return Dialect(
        "torch", torch, torch.nn.functional.softplus, lambda x: torch.logsumexp(x, 0),
        lambda X: torch.linalg.slogdet(X)[1], torch.linalg.solve, torch.linalg.inv, torch.linalg.cholesky,
        lambda L, b: torch.cholesky_solve(b[:, None], L)[:, 0], torch.diagonal,
        lambda n: torch.eye(n, dtype=torch.float64),
    )  # fmt: skip


def autograd_dialect() -> Dialect:
    import autograd.numpy as anp
    import autograd.scipy.linalg as asl
    from autograd.scipy import special

    def cholesky_solve(L: Any, b: Any) -> Any:
        return asl.solve_triangular(L, asl.solve_triangular(L, b, lower=True), lower=True, trans="T")

    return Dialect(
        "autograd", anp, lambda z: anp.logaddexp(0.0, z), special.logsumexp, lambda X: anp.linalg.slogdet(X)[1],
        anp.linalg.solve, anp.linalg.inv, anp.linalg.cholesky, cholesky_solve,
        anp.diag, anp.eye,
    )  # fmt: skip
