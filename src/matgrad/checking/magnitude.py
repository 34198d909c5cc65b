"""The size of the terms that a formula adds up: what rounding errors are relative to.

1 - tanh(z)^2 may be 1e-9, but it is the difference of numbers near 1, and is known to 1e-16 only. The magnitude
is the value with every sum taken over absolute values, at every depth; functions are taken at their real argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from matgrad.formula.masks import is_zero_or_one
from matgrad.formula.reference import evaluate, operate
from matgrad.formula.signatures import TRIANGLES, VALUE_CONSTRUCTORS
from matgrad.formula.syntax import Expr, Program, fold
from matgrad.functions import card

Array = Any
_LAST_DIGIT = 2.0**-52
_ROUNDED = ("add", "product", "power", "call", "einsum")


def magnitude(program: Program, arrays: Mapping[str, Any], sizes: Mapping[str, int]) -> float:
    """The largest entry of the value, with every sum inside taken over absolute values."""
    return float(np.max(magnitudes(program, arrays, sizes), initial=0))


def magnitudes(program: Program, arrays: Mapping[str, Any], sizes: Mapping[str, int]) -> Array:
    """The value, with every sum inside taken over absolute values."""
    known = dict(arrays)
    for name, definition in program.definitions:
        known[name] = evaluate(definition, known, sizes)

    def visit(node: Expr, args: list[tuple[Array, Array]]) -> tuple[Array, Array]:
        value = operate(node, [v for v, _ in args], known, sizes)
        return value, _size(node, value, args, known, sizes)

    return fold(program.body, visit)[1]


def _size(
    node: Expr, value: Array, args: list[tuple[Array, Array]], arrays: Mapping[str, Any], sizes: Mapping[str, int]
) -> Array:
    magnitudes = [m for _, m in args]
    if node.op == "neg":
        return magnitudes[0]
    if node.op == "index" or _is_triangle(node):  # positions are what they are
        return operate(node, [magnitudes[0], *(v for v, _ in args[1:])], arrays, sizes)
    if node.op in ("add", "transpose", "stack", "einsum"):
        return operate(node, magnitudes, arrays, sizes)
    if node.op == "product":
        divided = [
            np.abs(v) if operator in ("/", "./") or is_zero_or_one(arg) else m
            for operator, arg, (v, m) in zip(("*", *node.value), node.args, args, strict=True)
        ]
        return np.abs(operate(node, divided, arrays, sizes))
    if node.op == "call" and _is_linear(node.value.name):
        return operate(node, magnitudes, arrays, sizes)
    return np.abs(value)


def _is_triangle(node: Expr) -> bool:
    return node.op == "call" and node.value.name in TRIANGLES


def _is_linear(name: str) -> bool:
    known = card(name)
    if known is None:
        return False
    filled = known.family == "constructor" and name in VALUE_CONSTRUCTORS
    return (
        filled or known.family == "structural" or known.facts.get("convex on") == known.facts.get("concave on") == "all"
    )


def rounding(program: Program, arrays: Mapping[str, Any], sizes: Mapping[str, int]) -> float:
    """How far the value moves if the result of every operation is off in its last digit, at random.

    >>> from matgrad.formula.infer import read
    >>> far = read("sin(1000*x)").program
    >>> 1e-14 < rounding(far, {"x": 1.23e3}, {}) < 1e-9
    True
    """
    rng, known, exact = np.random.default_rng(0), dict(arrays), dict(arrays)

    def visit(node: Expr, args: list[Array]) -> Array:
        value = operate(node, args, known, sizes)
        if node.op not in _ROUNDED:
            return value
        return value * (1 + _LAST_DIGIT * rng.choice((-1, 1), np.shape(value)))

    for name, definition in program.definitions:
        exact[name] = evaluate(definition, exact, sizes)
        known[name] = fold(definition, visit)
    moved = np.asarray(fold(program.body, visit)) - evaluate(program.body, exact, sizes)
    return float(np.max(np.abs(moved), initial=0)) if np.all(np.isfinite(moved)) else 0.0


def peak_slope(program: Program, arrays: Mapping[str, Any], sizes: Mapping[str, int], fixed: str, step: float) -> float:
    """The largest slope of any part of a formula, from arrays that carry a complex step.

    Slopes of parts may cancel; the rounding of what is left is relative to them. ``fixed`` is a name that keeps
    its array even if the program defines it.
    """
    known = dict(arrays)
    peak = 0.0

    def visit(node: Expr, args: list[Array]) -> Array:
        nonlocal peak
        value = operate(node, args, known, sizes)
        if np.iscomplexobj(value):
            for slope in (np.imag(value), *_slopes_of_factors(node, args, value)):
                found = np.abs(slope) / step
                peak = max(peak, float(np.max(found, initial=0, where=np.isfinite(found))))
        return value

    for name, definition in program.definitions:
        if name != fixed:
            known[name] = fold(definition, visit)
    fold(program.body, visit)
    return peak


def _slopes_of_factors(node: Expr, args: list[Array], value: Array) -> list[Array]:
    """The terms of the product rule, entry by entry: those of x/abs(x) cancel."""
    if node.op != "product":
        return []
    entrywise = all(
        operator in (".*", "./") or not np.ndim(a) for operator, a in zip(node.value, args[1:], strict=True)
    )
    if not entrywise and sum(1 for a in args if np.ndim(a)) > 1:
        return []
    with np.errstate(all="ignore"):
        parts = [a for a in args if np.iscomplexobj(a) and np.ndim(a) in (0, np.ndim(value))]
        return [np.imag(a) * np.abs(value) / np.abs(a) for a in parts]
