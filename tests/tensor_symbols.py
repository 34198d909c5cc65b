"""Symbols of every kind for tests of graphs, and the values of what is built of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from tensor_evaluator import evaluate

from matgrad.dims import Dim
from matgrad.tensor import builders as b
from matgrad.tensor import laws as _laws  # noqa: F401  (arms the normal form)
from matgrad.tensor.nodes import Node, Symbol

SIZES = {"m": 4, "n": 3, "p": 2}
M, N, P = (Dim.of(name) for name in "mnp")
A, B, C = b.symbol("A", (M, N)), b.symbol("B", (N, P)), b.symbol("C", (M, N))
X, Y = b.symbol("X", (N, N)), b.symbol("Y", (N, N))
x, y, u = b.symbol("x", (N,)), b.symbol("y", (N,)), b.symbol("u", (M,))
a, c = b.symbol("a", ()), b.symbol("c", ())
w = b.symbol("w", (N,), frozenset({"positive"}))
r = b.symbol("r", (N,), frozenset({"nonnegative"}))
S = b.symbol("S", (N, N), frozenset({"symmetric"}))
Q = b.symbol("Q", (N, N), frozenset({"symmetric", "psd"}))
D = b.symbol("D", (N, N), frozenset({"symmetric", "psd", "spd"}))
SYMBOLS = (A, B, C, X, Y, x, y, u, a, c, w, r, S, Q, D)


def arrays(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    values: dict[str, Any] = {}
    for s in SYMBOLS:
        assert isinstance(s, Symbol)
        value = rng.standard_normal([d.evaluate(SIZES) for d in s.shape])
        values[s.name] = np.abs(value) + 0.1 if s.traits & {"positive", "nonnegative"} else value
    values["r"][0] = 0
    values["S"] = values["S"] + values["S"].T
    thin = values["Q"][:, :2]
    values["Q"] = thin @ thin.T
    values["D"] = values["D"] @ values["D"].T + 0.1 * np.eye(3)
    return values


def value(node: Node, seed: int = 0) -> Any:
    return evaluate(node, arrays(seed), SIZES)


def same(node: Node, expected: Callable[..., Any]) -> None:
    """The node's value, at two points, is that of a function of the arrays."""
    for seed in (0, 1):
        known = arrays(seed)
        wanted = expected(**{n: known[n] for n in expected.__code__.co_varnames[: expected.__code__.co_argcount]})
        np.testing.assert_allclose(value(node, seed), wanted, rtol=1e-9, atol=1e-11)


def gram(matrix: Node) -> Node:
    return b.matmul(b.transpose(matrix), matrix)
