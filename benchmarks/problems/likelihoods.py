"""Gaussian likelihoods and Gaussian processes: what shares one factorisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.problems.dialects import Dialect
from benchmarks.problems.problem import Arrays, Problem, Target, Work

GAUSSIAN = "logdet(S) + (x - u)'*inv(S)*(x - u)"
PROCESS = "K = exp(a)*exp(-exp(b)*D) + exp(c)*eye; y'*inv(K)*y/2 + logdet(K)/2"


def gaussian_data(rng: np.random.Generator, n: int) -> Arrays:
    A = rng.standard_normal((n, 2 * n))
    return {"S": A @ A.T / n, "x": rng.standard_normal(n), "u": rng.standard_normal(n)}


def process_data(rng: np.random.Generator, n: int) -> Arrays:
    points = rng.standard_normal((n, 3))
    D = ((points[:, None] - points[None]) ** 2).sum(-1)
    return {"D": D, "y": rng.standard_normal(n), "a": 0.3, "b": 0.2, "c": -1.0}


def gaussian_lu(d: Dialect, S: Any, x: Any, u: Any) -> Any:
    r = x - u
    return d.logdet(S) + r @ d.solve(S, r)


def gaussian_cholesky(d: Dialect, S: Any, x: Any, u: Any) -> Any:
    r, L = x - u, d.cholesky(S)
    return 2 * d.xp.log(d.diagonal(L)).sum() + r @ d.cholesky_solve(L, r)


def _kernel(d: Dialect, D: Any, a: Any, b: Any, c: Any) -> Any:
    return d.xp.exp(a) * d.xp.exp(-d.xp.exp(b) * D) + d.xp.exp(c) * d.identity(D.shape[0])


def process_lu(d: Dialect, D: Any, y: Any, a: Any, b: Any, c: Any) -> Any:
    K = _kernel(d, D, a, b, c)
    return y @ d.solve(K, y) / 2 + d.logdet(K) / 2


def process_cholesky(d: Dialect, D: Any, y: Any, a: Any, b: Any, c: Any) -> Any:
    L = d.cholesky(_kernel(d, D, a, b, c))
    return y @ d.cholesky_solve(L, y) / 2 + d.xp.log(d.diagonal(L)).sum()


def inverse_spd(A: Any) -> tuple[Any, Any]:
    """The lower triangle of the inverse of a positive definite matrix, zeros above it, and the Cholesky factor.

    LAPACK stores by columns, for which A' of an array stored by rows needs no copy.
    """
    from scipy.linalg import lapack

    factor, _ = lapack.dpotrf(A.T, lower=1, clean=1)
    inverse, _ = lapack.dpotri(factor, lower=1)
    return inverse, factor


def mirrored(lower: Any) -> Any:
    """The symmetric matrix of which this is the lower triangle, with zeros above it."""
    full = lower + lower.T
    np.einsum("ii->i", full)[...] *= 0.5
    return full


def gaussian_gradient_numpy(S: Any, x: Any, u: Any) -> Any:
    from scipy.linalg import blas

    lower, _ = inverse_spd(S)
    q = blas.dsymv(1.0, lower, x - u, lower=1)
    return -2 * q, mirrored(blas.dsyr(-1.0, q, lower=1, a=lower, overwrite_a=1))


def gaussian_gradient_torch(S: Any, x: Any, u: Any) -> Any:
    import torch

    inverse = torch.cholesky_inverse(torch.linalg.cholesky(S))
    q = inverse @ (x - u)
    return -2 * q, inverse - torch.outer(q, q)


def gaussian_gradient_jax(S: Any, x: Any, u: Any) -> Any:
    import jax.numpy as jnp
    from jax.scipy.linalg import cho_factor, cho_solve

    inverse = cho_solve(cho_factor(S, lower=True), jnp.eye(len(x)))
    q = inverse @ (x - u)
    return -2 * q, inverse - jnp.outer(q, q)


def kernel_numpy(D: Any, a: Any, e: Any) -> Any:
    K = np.multiply(D, -e)
    np.exp(K, out=K)
    K *= np.exp(a)
    return K


def process_gradient_numpy(D: Any, y: Any, a: Any, b: Any, c: Any) -> Any:
    from scipy.linalg import lapack

    e, noise = np.exp(b), np.exp(c)
    K0 = kernel_numpy(D, a, e)
    K = K0.copy()
    K.ravel()[:: len(K) + 1] += noise
    lower, factor = inverse_spd(K)
    q, _ = lapack.dpotrs(factor, y, lower=1)
    diagonal, weights = lower.diagonal(), lower.T  # a triangle stands for both halves
    of_a = 2 * np.vdot(weights, K0) - diagonal @ K0.diagonal() - q @ (K0 @ q)
    K0 *= D
    of_l = 2 * np.vdot(weights, K0) - diagonal @ K0.diagonal() - q @ (K0 @ q)
    return of_a / 2, -e * of_l / 2, noise * (diagonal.sum() - q @ q) / 2


def process_gradient_jax(D: Any, y: Any, a: Any, b: Any, c: Any) -> Any:
    import jax.numpy as jnp

    n, e, noise = len(y), jnp.exp(b), jnp.exp(c)
    K0 = jnp.exp(a) * jnp.exp(-e * D)
    G = jnp.linalg.inv(K0 + noise * jnp.eye(n))
    q = G @ y
    G = G - jnp.outer(q, q)
    W = G * K0
    return W.sum() / 2, -e * jnp.vdot(W, D) / 2, noise * jnp.trace(G) / 2


def process_hessian_numpy(D: Any, y: Any, a: Any, b: Any, c: Any) -> Any:
    e, noise = np.exp(b), np.exp(c)
    K = kernel_numpy(D, a, e)
    K1 = K * D
    K.ravel()[:: len(K) + 1] += noise
    P = mirrored(inverse_spd(K)[0])
    B, q = P @ K1, P @ y
    q1 = K1 @ q
    traces = np.trace(P), np.vdot(P, P), np.trace(B), np.vdot(P, B), np.einsum("ij,ji", B, B)
    K1 *= D
    return process_entries(e, noise, y, q, P @ q, q1, P @ q1, traces, np.vdot(P, K1), q @ (K1 @ q))


def process_hessian_torch(D: Any, y: Any, a: Any, b: Any, c: Any) -> Any:
    import torch

    e, noise = torch.exp(b), torch.exp(c)
    K = torch.exp(a) * torch.exp(-e * D)
    K1 = K * D
    K.diagonal().add_(noise)
    P = torch.cholesky_inverse(torch.linalg.cholesky(K))
    B, q = P @ K1, P @ y
    q1 = K1 @ q
    traces = torch.trace(P), (P * P).sum(), torch.trace(B), (P * B).sum(), (B.T * B).sum()
    K1 *= D
    return process_entries(e, noise, y, q, P @ q, q1, P @ q1, traces, (P * K1).sum(), q @ (K1 @ q))


def process_hessian_jax(D: Any, y: Any, a: Any, b: Any, c: Any) -> Any:
    import jax.numpy as jnp

    e, noise = jnp.exp(b), jnp.exp(c)
    K = jnp.exp(a) * jnp.exp(-e * D)
    K1 = K * D
    K2 = K1 * D
    P = jnp.linalg.inv(K + noise * jnp.eye(len(y)))
    B, q = P @ K1, P @ y
    q1 = K1 @ q
    traces = jnp.trace(P), jnp.sum(P * P), jnp.trace(B), jnp.sum(P * B), jnp.sum(B.T * B)
    return process_entries(e, noise, y, q, P @ q, q1, P @ q1, traces, jnp.sum(P * K2), q @ (K2 @ q))


def process_entries(
    e: Any, c: Any, y: Any, q: Any, Pq: Any, q1: Any, Pq1: Any, traces: tuple[Any, ...], trace2: Any, form2: Any
) -> tuple[Any, ...]:
    """−½ tr(P Kᵢ P Kⱼ) + q'Kᵢ P Kⱼ q + ½ tr(P Kᵢⱼ) − ½ q'Kᵢⱼ q.

    Here P = inv(K₀ + cI), q = P y, B = P (K₀∘D). The product P K₀ is spared: it is I − cP.
    """
    p, pp, b, pb, bb = traces
    q0, Pq0 = y - c * q, q - c * Pq
    aa = -(len(y) - 2 * c * p + c * c * pp) / 2 + q0 @ Pq0 + (len(y) - c * p - q @ q0) / 2
    al = -e * (-(b - c * pb) / 2 + q0 @ Pq1 + (b - q @ q1) / 2)
    ll = e * e * (-bb / 2 + q1 @ Pq1 + (trace2 - form2) / 2) - e * (b - q @ q1) / 2
    sa = c * (-(p - c * pp) / 2 + q @ Pq0)
    sl = -e * c * (-pb / 2 + q @ Pq1)
    ss = c * c * (-pp / 2 + q @ Pq) + c * (p - q @ q) / 2
    return aa, al, sa, al, ll, sl, sa, sl, ss


PROBLEMS = [
    Problem(
        "Gaussian NLL gradient", GAUSSIAN, ("u", "S"), "gradient", gaussian_data, (gaussian_lu, gaussian_cholesky),
        {(n,): (Target(2.3),) for n in (50, 200, 800)}, where="S: spd(n)",
        work=lambda n: Work(gemm=float(n**3)),
        by_hand={"numpy": gaussian_gradient_numpy, "jax": gaussian_gradient_jax, "torch": gaussian_gradient_torch},
        note="n³/3 operations for the factor, 2n³/3 for the inverse",
    ),
    Problem(
        "GP gradient", PROCESS, ("a", "b", "c"), "gradient", process_data, (process_lu, process_cholesky),
        {(n,): (Target(1.4),) for n in (50, 200, 800)}, where="D: symmetric(n); a: scalar; b: scalar; c: scalar",
        work=lambda n: Work(gemm=float(n**3)),
        by_hand={"numpy": process_gradient_numpy, "jax": process_gradient_jax},
        note="n³/3 operations for the factor, 2n³/3 for the inverse; n² exponentials",
    ),
    Problem(
        "GP 3×3 Hessian", PROCESS, ("a", "b", "c"), "hessian", process_data, (process_lu, process_cholesky),
        {(50,): (), (200,): (Target(6.0),), (800,): (Target(8.0),)},
        where="D: symmetric(n); a: scalar; b: scalar; c: scalar",
        work=lambda n: Work(gemm=3.0 * n**3),
        by_hand={"numpy": process_hessian_numpy, "jax": process_hessian_jax, "torch": process_hessian_torch},
        note="n³ operations for the inverse, 2n³ for one product with it, and ten passes over n² numbers",
    ),
]  # fmt: skip
