"""Logistic and ridge regression: gradients, products with the Hessian, Hessians."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.problems.dialects import Dialect
from benchmarks.problems.problem import BEST, JAX, TORCH, UNJITTED, Arrays, Problem, Target, Work

LOGISTIC, RIDGE = "z = X*w; sum(log(1 + exp(z))) - y'*z", "norm2(X*w - y)^2 + c*norm2(w)^2"
GRADIENT = (Target(0.95), Target(0.95, JAX, JAX))


def logistic_data(rng: np.random.Generator, m: int, n: int) -> Arrays:
    X = rng.standard_normal((m, n))
    return {"X": X, "y": (rng.random(m) < 0.5).astype(float), "w": rng.standard_normal(n) / np.sqrt(n)}


def ridge_data(rng: np.random.Generator, m: int, n: int) -> Arrays:
    return {"X": rng.standard_normal((m, n)), "y": rng.standard_normal(m), "w": rng.standard_normal(n), "c": 0.7}


def logistic(d: Dialect, X: Any, y: Any, w: Any) -> Any:
    z = X @ w
    return d.softplus(z).sum() - y @ z


def ridge(d: Dialect, X: Any, y: Any, w: Any, c: Any) -> Any:
    r = X @ w - y
    return r @ r + c * (w @ w)


def with_direction(data: Any, like: str) -> Any:
    """The same data and a direction v of the shape of a variable."""

    def found(rng: np.random.Generator, *size: int) -> Arrays:
        arrays = data(rng, *size)
        return arrays | {"v": rng.standard_normal(arrays[like].shape)}

    return found


def logistic_gradient_numpy(X: Any, y: Any, w: Any) -> Any:
    from scipy.special import expit

    return (expit(X @ w) - y) @ X


def logistic_gradient_jax(X: Any, y: Any, w: Any) -> Any:
    import jax

    return (jax.nn.sigmoid(X @ w) - y) @ X


def ridge_gradient(X: Any, y: Any, w: Any, c: Any) -> Any:
    return 2 * ((X @ w - y) @ X + c * w)


def logistic_product_numpy(X: Any, y: Any, w: Any, v: Any) -> Any:
    from scipy.special import expit

    p = expit(X @ w)
    return (p * (1 - p) * (X @ v)) @ X


def logistic_product_jax(X: Any, y: Any, w: Any, v: Any) -> Any:
    import jax

    p = jax.nn.sigmoid(X @ w)
    return (p * (1 - p) * (X @ v)) @ X


def logistic_hessian_numpy(X: Any, y: Any, w: Any) -> Any:
    from scipy.special import expit

    p = expit(X @ w)
    Z = X * np.sqrt(p * (1 - p))[:, None]
    return Z.T @ Z  # NumPy calls the symmetric product of BLAS


def logistic_hessian_jax(X: Any, y: Any, w: Any) -> Any:
    import jax

    p = jax.nn.sigmoid(X @ w)
    return (X * (p * (1 - p))[:, None]).T @ X


def ridge_hessian_numpy(X: Any, y: Any, w: Any, c: Any) -> Any:
    H = X.T @ X
    H *= 2
    H.ravel()[:: len(H) + 1] += 2 * c
    return H


def ridge_hessian_jax(X: Any, y: Any, w: Any, c: Any) -> Any:
    import jax.numpy as jnp

    return 2 * (X.T @ X + c * jnp.eye(X.shape[1]))


PROBLEMS = [
    Problem(
        "logistic gradient", LOGISTIC, ("w",), "gradient", logistic_data, (logistic,),
        {(200, 20): (), (1000, 100): GRADIENT, (5000, 500): GRADIENT},
        work=lambda m, n: Work(read=16.0 * m * n, held=8.0 * m * n),
        by_hand={"numpy": logistic_gradient_numpy, "jax": logistic_gradient_jax},
        note="two passes over X, each at the bandwidth of the cache that X fits in",
    ),
    Problem(
        "ridge gradient", RIDGE, ("w",), "gradient", ridge_data, (ridge,),
        {(200, 20): (), (1000, 100): GRADIENT, (5000, 500): GRADIENT},
        work=lambda m, n: Work(read=16.0 * m * n, held=8.0 * m * n),
        by_hand={"numpy": ridge_gradient, "jax": ridge_gradient},
        note="two passes over X, each at the bandwidth of the cache that X fits in",
    ),
    Problem(
        "logistic Hessian times v", LOGISTIC, ("w",), "product", with_direction(logistic_data, "w"), (logistic,),
        {(200, 20): (), (1000, 100): (Target(0.95),), (5000, 500): (Target(0.95),)},
        work=lambda m, n: Work(read=24.0 * m * n, held=8.0 * m * n),
        by_hand={"numpy": logistic_product_numpy, "jax": logistic_product_jax},
        note="three passes over X",
    ),
    Problem(
        "logistic Hessian", LOGISTIC, ("w",), "hessian", logistic_data, (logistic,),
        {(200, 20): (), (1000, 100): (Target(2.0),), (5000, 500): (Target(3.0),)},
        work=lambda m, n: Work(syrk=float(m * n * n)), limit=0.7,
        by_hand={"numpy": logistic_hessian_numpy, "jax": logistic_hessian_jax},
        note="one symmetric product of m n² operations, and a pass that scales X",
    ),
    Problem(
        "ridge Hessian", RIDGE, ("w",), "hessian", ridge_data, (ridge,),
        {(200, 20): (), (1000, 100): (), (5000, 500): (Target(4.0),)},
        work=lambda m, n: Work(syrk=float(m * n * n)),
        by_hand={"numpy": ridge_hessian_numpy, "jax": ridge_hessian_jax},
        note="one symmetric product of m n² operations",
    ),
    Problem(
        "small logistic gradient", LOGISTIC, ("w",), "gradient", logistic_data, (logistic,),
        {(20, 5): (Target(1.6, JAX, BEST), Target(10, TORCH), Target(100, UNJITTED))},
        by_hand={"numpy": logistic_gradient_numpy}, numpy_in_and_out=True,
        note="calls of NumPy of about 0.5 µs each",
    ),
]  # fmt: skip
