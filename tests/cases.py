"""The cases of tests/data: formulas with their derivatives, the drawing of their variables, and an independent truth.

A line of derivatives.jsonl has ``id``, ``vars`` (name → kind, dimensions, structure), ``expr``, ``wrt``, ``order``
(2: the Hessian of a scalar), ``out_shape``, ``expected`` (a closed form, or null where matrix notation has none) and
``numpy_f``, the function over arrays, which JAX differentiates in float64. Where it matters, a line also has ``domain``
(name → how to draw it), ``size_constraint`` ("m>n"), ``undeclared`` (derive without declarations) and
``naive_overflow`` (the formula as typed overflows at that draw, its derivative must not).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax_truth import derived_at

Case = dict[str, Any]
Arrays = dict[str, np.ndarray]
Rng = np.random.Generator
DATA = Path(__file__).parent / "data"


def load_cases() -> list[Case]:
    return _lines("derivatives.jsonl")


def load_answers() -> list[Case]:
    return _lines("answers.jsonl")


def _lines(name: str) -> list[Case]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines() if line.strip()]


# Declarations

_STRUCTURES = {"general": "matrix", "psd": "spd"}  # "psd" is drawn as BB' + I, which is positive definite


def where_text(case: Case) -> str | None:
    """The declarations of a case in matgrad's language, or None where it is to be derived without."""
    if case.get("undeclared"):
        return None
    return "; ".join(f"{name}: {_declaration(*kind)}" for name, kind in case["vars"].items())


def _declaration(kind: str, *rest: str | int) -> str:
    if kind == "scalar":
        return "scalar"
    if kind == "vector":
        return f"vector({rest[0]})"
    rows, columns, structure = rest
    sizes = f"{rows},{columns}" if structure == "general" else rows
    return f"{_STRUCTURES.get(str(structure), structure)}({sizes})"


# Drawing


def draw(case: Case, seed: int) -> Arrays:
    """Arrays for the variables of a case: in their domain, of their structure, with distinct dimensions."""
    rng = np.random.default_rng([seed, *case["id"].encode()])
    sizes = draw_sizes(case, seed)
    return {name: _variable(kind, case.get("domain", {}).get(name), sizes, rng) for name, kind in case["vars"].items()}


def draw_sizes(case: Case, seed: int) -> dict[str, int]:
    """Distinct sizes, so that no transpose goes unseen; 3 or more, since 1 × 1 and 2 × 2 matrices hide mistakes too.

    They depend on the seed alone where they can: JAX compiles once per shape, and then serves all cases.
    """
    names = {d for kind in case["vars"].values() for d in _dims(kind) if isinstance(d, str)}
    roster = [*"mnpk", *sorted(names - set("mnpk"))]
    rng = np.random.default_rng(seed)
    while True:
        all_sizes = dict(zip(roster, (3 + rng.permutation(len(roster))).tolist(), strict=True))
        sizes = {name: all_sizes[name] for name in sorted(names)}
        larger, _, smaller = case.get("size_constraint", "").partition(">")
        if not larger or sizes[larger] > sizes[smaller]:
            return sizes


def _dims(kind: list[Any]) -> list[Any]:
    return kind[1 : {"scalar": 1, "vector": 2, "matrix": 3}[kind[0]]]


def _variable(kind: list[Any], domain: str | None, sizes: dict[str, int], rng: Rng) -> np.ndarray:
    shape = tuple(d if isinstance(d, int) else sizes[d] for d in _dims(kind))
    structure = kind[3] if kind[0] == "matrix" else "general"
    if structure == "psd":
        if domain not in (None, "spd"):
            raise ValueError(f"a psd matrix drawn as {domain} need not be psd")
        return _spd(shape, rng)
    if domain is None:
        free = rng.uniform(0.5, 2, shape) if kind[0] == "scalar" else rng.standard_normal(shape)
    else:
        name, _, argument = domain.partition(":")
        free = DOMAINS[name](shape, rng, *([float(argument)] if argument else []))
    return np.asarray(STRUCTURES[structure](free))


def _spd(shape: tuple[int, ...], rng: Rng) -> np.ndarray:
    b = rng.standard_normal(shape)
    return b @ b.T + np.eye(shape[0])


def _posdet(shape: tuple[int, ...], rng: Rng) -> np.ndarray:
    a = rng.standard_normal(shape)
    if np.linalg.det(a) < 0:
        a[0] *= -1
    return a


def _singular(shape: tuple[int, ...], rng: Rng, smallest: float = 0.0) -> np.ndarray:
    """Singular values 1, but for one."""
    u, _, vt = np.linalg.svd(rng.standard_normal(shape), full_matrices=False)
    values = np.ones(min(shape))
    values[-1] = smallest
    return u * values @ vt


def _prob(shape: tuple[int, ...], rng: Rng) -> np.ndarray:
    p = rng.uniform(0.1, 1, shape)
    return p / p.sum(axis=-1, keepdims=True)


def _onehot(shape: tuple[int, ...], rng: Rng) -> np.ndarray:
    return np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])]


def _alternating(shape: tuple[int, ...], rng: Rng) -> np.ndarray:
    return (-1.0) ** np.arange(np.prod(shape, dtype=int)).reshape(shape)


def _big(shape: tuple[int, ...], rng: Rng, size: float) -> np.ndarray:
    return size * rng.choice([-1.0, 1.0], shape) * rng.uniform(0.8, 1.2, shape)


def _scaled(shape: tuple[int, ...], rng: Rng, size: float) -> np.ndarray:
    return size * rng.standard_normal(shape)


DOMAINS: dict[str, Callable[..., Any]] = {
    "pos": lambda shape, rng: rng.uniform(0.5, 2, shape),
    "unit": lambda shape, rng: rng.uniform(0.1, 0.9, shape),
    "angle": lambda shape, rng: rng.uniform(0.2, 1.3, shape),
    "small": lambda shape, rng: 0.3 * rng.standard_normal(shape),
    "pm1": lambda shape, rng: rng.choice([-1.0, 1.0], shape),
    "alt": _alternating,
    "prob": _prob,
    "onehot": _onehot,
    "posdet": _posdet,
    "zero": lambda shape, rng: np.zeros(shape),
    "ints": lambda shape, rng: rng.integers(-2, 3, shape).astype(float),
    "big": _big,
    "shift": lambda shape, rng, size: rng.standard_normal(shape) + size,
    "scale": _scaled,
    "tiny": _scaled,
    "nearsing": _singular,
    "singular": _singular,
    "pos800": lambda shape, rng: rng.uniform(600, 1000, shape),
    "spd": _spd,
}

STRUCTURES: dict[str, Callable[[Any], Any]] = {
    "general": lambda a: a,
    "symmetric": lambda a: (a + a.T) / 2,
    "diagonal": lambda a: np.diag(np.diag(a)),
    "lower": np.tril,
    "upper": np.triu,
    "orthogonal": lambda a: np.linalg.qr(a)[0],
}


# The truth


def polynomial_det(a: jax.Array) -> jax.Array:
    """The determinant by Faddeev and LeVerrier's recursion.

    A polynomial in the entries, with no elimination: its derivatives are the exact cofactors at singular matrices too,
    where those of ``jnp.linalg.det`` divide by zero.
    """
    n = a.shape[0]
    m, c = jnp.zeros_like(a), jnp.ones(())
    for k in range(1, n + 1):
        m = a @ m + c * jnp.eye(n)
        c = -jnp.trace(a @ m) / k
    return (-1) ** n * c


def function(case: Case) -> Callable[..., jax.Array]:
    """The formula of a case as a function of arrays, in the order of its variables."""
    text = case["numpy_f"]
    if any(domain.startswith(("singular", "nearsing")) for domain in case.get("domain", {}).values()):
        text = text.replace("jnp.linalg.det", "polynomial_det")
    return eval(text, {"jax": jax, "jnp": jnp, "polynomial_det": polynomial_det})


def value(case: Case, arrays: Arrays) -> np.ndarray:
    return np.asarray(jax.jit(function(case))(*arrays.values()))


def truth(case: Case, arrays: Arrays) -> np.ndarray:
    """The derivative by JAX in float64: output axes first, then those of the variable, of which none is constrained."""
    how = jax.hessian if case["order"] == 2 else jax.jacrev
    return derived_at(how, function(case), list(case["vars"]).index(case["wrt"]), list(arrays.values()))


def disagreement(got: np.ndarray, expected: np.ndarray, terms: float = 1.0) -> float:
    """max|got − expected| relative to max|expected|, or to the size of the terms where those cancel to zero."""
    largest = float(np.max(np.abs(expected), initial=0.0))
    scale = largest if largest > 1e-12 * terms else terms
    return float(np.max(np.abs(got - expected), initial=0.0)) / scale
