"""Quadratic forms, log-determinants, inverses, log-sum-exp, factorisations, networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.problems.dialects import Dialect
from benchmarks.problems.problem import JAX, Arrays, Problem, Target, Work
from benchmarks.problems.regression import GRADIENT, with_direction

FACTORISATION, SOFTPLUS = "norm2(U*V' - Y)^2", "norm2(V*log(1 + exp(W*X)) - Y)^2"
TANH = "norm2(V*tanh(W*X) - Y)^2"


def square_data(rng: np.random.Generator, n: int) -> Arrays:
    return {"A": rng.standard_normal((n, n)) / np.sqrt(n), "x": rng.standard_normal(n)}


def general_data(rng: np.random.Generator, n: int) -> Arrays:
    return {"X": rng.standard_normal((n, n)) + n * np.eye(n)}


def general_pair(rng: np.random.Generator, n: int) -> Arrays:
    return general_data(rng, n) | {"A": rng.standard_normal((n, n))}


def vector_data(rng: np.random.Generator, n: int) -> Arrays:
    return {"x": rng.standard_normal(n)}


def factor_data(rng: np.random.Generator, n: int, k: int) -> Arrays:
    U, V = rng.standard_normal((n, k)), rng.standard_normal((n, k))
    return {"U": U, "V": V, "Y": rng.standard_normal((n, n))}


def network_data(rng: np.random.Generator, batch: int, inputs: int, hidden: int, outputs: int) -> Arrays:
    return {
        "X": rng.standard_normal((inputs, batch)),
        "Y": rng.standard_normal((outputs, batch)),
        "W": rng.standard_normal((hidden, inputs)) / np.sqrt(inputs),
        "V": rng.standard_normal((outputs, hidden)) / np.sqrt(hidden),
    }


def quadratic(d: Dialect, A: Any, x: Any) -> Any:
    return x @ (A @ x)


def logdet(d: Dialect, X: Any) -> Any:
    return d.logdet(X)


def trace_by_inverse(d: Dialect, X: Any, A: Any) -> Any:
    return d.xp.trace(d.inv(X) @ A)


def trace_by_solve(d: Dialect, X: Any, A: Any) -> Any:
    return d.xp.trace(d.solve(X, A))


def log_sum_exp(d: Dialect, x: Any) -> Any:
    return d.logsumexp(x)


def exponentials(d: Dialect, A: Any, x: Any) -> Any:
    return d.xp.exp(A @ x)


def factorisation(d: Dialect, U: Any, V: Any, Y: Any) -> Any:
    return ((U @ V.T - Y) ** 2).sum()


def softplus_network(d: Dialect, W: Any, V: Any, X: Any, Y: Any) -> Any:
    return ((V @ d.softplus(W @ X) - Y) ** 2).sum()


def tanh_network(d: Dialect, W: Any, V: Any, X: Any, Y: Any) -> Any:
    return ((V @ d.xp.tanh(W @ X) - Y) ** 2).sum()


def quadratic_gradient(A: Any, x: Any) -> Any:
    return A @ x + x @ A


TILE = 64


def quadratic_hessian_numpy(A: Any, x: Any) -> Any:
    """By blocks of rows, which stay in the cache between the two steps."""
    H = np.empty_like(A)
    for i in range(0, len(A), TILE):
        rows = H[i : i + TILE]
        rows[...] = A[:, i : i + TILE].T
        rows += A[i : i + TILE]
    return H


def quadratic_hessian_jax(A: Any, x: Any) -> Any:
    """XLA's transpose on CPUs is several times slower than the same as a gather."""
    import jax.numpy as jnp

    k = jnp.arange(len(A))
    return A + A.ravel()[k[:, None] + len(A) * k[None]]


def exponentials_jacobian_numpy(A: Any, x: Any) -> Any:
    return np.einsum("i,ij->ij", np.exp(A @ x), A)  # faster than broadcasting


def exponentials_jacobian_jax(A: Any, x: Any) -> Any:
    import jax
    import jax.numpy as jnp

    return jax.lax.optimization_barrier(jnp.exp(A @ x))[:, None] * A


def logdet_gradient_numpy(X: Any) -> Any:
    from scipy.linalg import lapack

    factor, pivots, _ = lapack.dgetrf(X.T)
    inverse, _ = lapack.dgetri(factor, pivots, lwork=64 * len(X), overwrite_lu=1)
    return inverse  # of X'


def logdet_gradient_jax(X: Any) -> Any:
    import jax.numpy as jnp

    return jnp.linalg.inv(X).T


def logdet_hessian_numpy(X: Any) -> Any:
    P = np.linalg.inv(X)
    return np.einsum("jk,li->ijkl", P, -P)


def logdet_hessian_jax(X: Any) -> Any:
    import jax.numpy as jnp

    P = jnp.linalg.inv(X)
    return -jnp.einsum("jk,li->ijkl", P, P)


def trace_hessian_numpy(X: Any, A: Any) -> Any:
    """Both terms as one product of rank two."""
    P = np.linalg.inv(X)
    Q = P @ A @ P
    left, right = np.stack([Q.ravel(), P.ravel()], 1), np.stack([P.T, Q.T], 1)
    return np.matmul(left, right).reshape(X.shape + X.shape)


def trace_hessian_jax(X: Any, A: Any) -> Any:
    import jax.numpy as jnp

    P = jnp.linalg.inv(X)
    Q = P @ A @ P
    return jnp.einsum("jk,li->ijkl", Q, P) + jnp.einsum("jk,li->ijkl", P, Q)


def log_sum_exp_hessian_numpy(x: Any) -> Any:
    p = np.exp(x - x.max())
    p /= p.sum()
    H = np.einsum("i,j->ij", p, -p)  # faster than np.outer
    H.ravel()[:: len(H) + 1] += p
    return H


def log_sum_exp_hessian_jax(x: Any) -> Any:
    """Without the barrier XLA computes p anew for each entry."""
    import jax
    import jax.numpy as jnp

    p = jax.lax.optimization_barrier(jax.nn.softmax(x))
    return p[:, None] * (jnp.eye(len(x)) - p[None])


def factorisation_hessian_numpy(U: Any, V: Any, Y: Any) -> Any:
    (m, k), n = U.shape, len(V)
    R = 2 * (U @ V.T - Y)
    UU, VV = np.zeros((m, k, m, k)), np.zeros((n, k, n, k))
    np.einsum("ijil->ijl", UU)[:] = 2 * (V.T @ V)
    np.einsum("ijil->ijl", VV)[:] = 2 * (U.T @ U)
    UV = np.einsum("il,kj->ijkl", 2 * U, V)
    np.einsum("ijkj->ikj", UV)[:] += R[:, :, None]
    return UU, UV, UV.transpose(2, 3, 0, 1), VV


def factorisation_hessian_jax(U: Any, V: Any, Y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    (m, k), n = U.shape, len(V)
    R, G, H = jax.lax.optimization_barrier((2 * (U @ V.T - Y), 2 * V.T @ V, 2 * U.T @ U))
    eye = jnp.eye(k)[None, :, None, :]
    UU = jnp.eye(m)[:, None, :, None] * G[None, :, None, :]
    VV = jnp.eye(n)[:, None, :, None] * H[None, :, None, :]
    UV = 2 * U[:, None, None, :] * V.T[None, :, :, None] + R[:, None, :, None] * eye
    VU = 2 * V[:, None, None, :] * U.T[None, :, :, None] + R.T[:, None, :, None] * eye
    return UU, UV, VU, VV


def softplus_hessian_numpy(W: Any, V: Any, X: Any, Y: Any) -> Any:
    """Σ over the batch of M[h, k, b] X[i, b] X[j, b], as one product of matrices."""
    from scipy.special import expit

    (h, i), b = W.shape, X.shape[1]
    Z = W @ X
    S = expit(Z)
    R = V @ np.logaddexp(0, Z) - Y
    M = (2 * V.T @ V)[:, :, None] * S[:, None, :] * S[None]
    np.einsum("hhb->hb", M)[...] += 2 * (V.T @ R) * S * (1 - S)
    pairs = (X[:, None, :] * X[None]).reshape(i * i, b)
    return (M.reshape(h * h, b) @ pairs.T).reshape(h, h, i, i).transpose(0, 2, 1, 3)


def softplus_hessian_jax(W: Any, V: Any, X: Any, Y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    (h, i), b = W.shape, X.shape[1]
    Z = W @ X
    S = jax.nn.sigmoid(Z)
    R = V @ jax.nn.softplus(Z) - Y
    T = (S[:, None, :] * X[None]).reshape(h * i, b)  # the derivative of each unit by its own weights
    H = (T @ T.T).reshape(h, i, h, i) * (2 * V.T @ V)[:, None, :, None]
    blocks = jnp.einsum("hb,ib,jb->hij", 2 * (V.T @ R) * S * (1 - S), X, X)
    k = jnp.arange(h)
    return H.at[k, :, k, :].add(blocks)


def tanh_product_numpy(W: Any, V: Any, X: Any, Y: Any, v: Any) -> Any:
    T, dZ = np.tanh(W @ X), v @ X
    S = 1 - T * T
    return (2 * S * (V.T @ (V @ (S * dZ)) - 2 * T * dZ * (V.T @ (V @ T - Y)))) @ X.T


def tanh_product_jax(W: Any, V: Any, X: Any, Y: Any, v: Any) -> Any:
    import jax.numpy as jnp

    T, dZ = jnp.tanh(W @ X), v @ X
    S = 1 - T * T
    return (2 * S * (V.T @ (V @ (S * dZ)) - 2 * T * dZ * (V.T @ (V @ T - Y)))) @ X.T


def _network_work(batch: int, inputs: int, hidden: int, outputs: int) -> Work:
    return Work(gemm=float(6 * batch * inputs * hidden + 8 * batch * hidden * outputs))


def _softplus_work(batch: int, inputs: int, hidden: int, outputs: int) -> Work:
    size = inputs * hidden
    return Work(syrk=float(batch * size**2), written=8.0 * size**2)


PROBLEMS = [
    Problem(
        "quadratic gradient", "x'*A*x", ("x",), "gradient", square_data, (quadratic,),
        {(100,): (), (500,): GRADIENT, (2000,): GRADIENT}, work=lambda n: Work(read=16.0 * n * n, held=8.0 * n * n),
        by_hand={"numpy": quadratic_gradient, "jax": quadratic_gradient},
        note="two passes over A",
    ),
    Problem(
        "logdet gradient", "logdet(X)", ("X",), "gradient", general_data, (logdet,),
        {(50,): (), (200,): GRADIENT, (800,): ()},
        work=lambda n: Work(gemm=2.0 * n**3),
        by_hand={"numpy": logdet_gradient_numpy, "jax": logdet_gradient_jax},
        note="an inverse: 2n³ operations, from one factorisation by LAPACK at this size far below the peak",
    ),
    Problem(
        "2-layer net Hessian times v", TANH, ("W",), "product", with_direction(network_data, "W"), (tanh_network,),
        {(200, 20, 50, 5): (Target(0.95),), (1000, 100, 200, 10): (Target(0.95),)}, work=_network_work,
        by_hand={"numpy": tanh_product_numpy, "jax": tanh_product_jax},
        note="three products with X, four with V",
    ),
    Problem(
        "log-sum-exp Hessian", "log(sum(exp(x)))", ("x",), "hessian", vector_data, (log_sum_exp,),
        {(n,): (Target(1.7),) for n in (100, 500, 1000, 2000)}, work=lambda n: Work(written=8.0 * n * n),
        by_hand={"numpy": log_sum_exp_hessian_numpy, "jax": log_sum_exp_hessian_jax},
        note="n² numbers written once",
    ),
    Problem(
        "x'Ax Hessian", "x'*A*x", ("x",), "hessian", square_data, (quadratic,),
        {(100,): (), (500,): (Target(43),), (1000,): (Target(48),)},
        work=lambda n: Work(read=8.0 * n * n, written=8.0 * n * n),
        by_hand={"numpy": quadratic_hessian_numpy, "jax": quadratic_hessian_jax},
        note="A read along rows and columns, n² numbers written",
    ),
    Problem(
        "exp(Ax) Jacobian", "exp(A*x)", ("x",), "jacobian", square_data, (exponentials,),
        {(100,): (), (500,): (Target(39),), (1000,): (Target(50),)},
        work=lambda n: Work(read=8.0 * n * n, written=8.0 * n * n),
        by_hand={"numpy": exponentials_jacobian_numpy, "jax": exponentials_jacobian_jax},
        note="A read twice, n² numbers written",
    ),
    Problem(
        "logdet Hessian", "logdet(X)", ("X",), "hessian", general_data, (logdet,), {(10,): (), (30,): (Target(25),)},
        work=lambda n: Work(written=8.0 * n**4),
        by_hand={"numpy": logdet_hessian_numpy, "jax": logdet_hessian_jax}, note="n⁴ numbers written once",
    ),
    Problem(
        "tr(inv(X)A) Hessian", "tr(inv(X)*A)", ("X",), "hessian", general_pair, (trace_by_inverse, trace_by_solve),
        {(10,): (), (30,): (Target(50),)}, work=lambda n: Work(written=8.0 * n**4),
        by_hand={"numpy": trace_hessian_numpy, "jax": trace_hessian_jax}, note="n⁴ numbers, each of two terms",
    ),
    Problem(
        "matrix factorisation Hessian", FACTORISATION, ("U", "V"), "hessian", factor_data, (factorisation,),
        {(20, 5): (), (50, 5): (Target(15, JAX, JAX),)}, work=lambda n, k: Work(written=32.0 * (n * k) ** 2),
        by_hand={"numpy": factorisation_hessian_numpy, "jax": factorisation_hessian_jax},
        note="(2nk)² numbers written once",
    ),
    Problem(
        "2-layer softplus net Hessian", SOFTPLUS, ("W",), "hessian", network_data, (softplus_network,),
        {(20, 10, 20, 3): (Target(1.7),), (20, 20, 50, 5): (Target(1.7),)}, work=_softplus_work,
        by_hand={"numpy": softplus_hessian_numpy, "jax": softplus_hessian_jax},
        note="one symmetric product and a pass over the Hessian",
    ),
]  # fmt: skip
