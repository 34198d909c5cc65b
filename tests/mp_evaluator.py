"""Formula trees in mpmath, and their derivatives by central differences in very high precision.

Nothing is shared with matgrad's derivatives, nor with its stable forms: a formula is evaluated as typed, with so many
digits that nothing cancels that matters: exp(-800) is still seen beside 1, and a step of 1e-150 costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import product
from typing import Any

import mpmath as mp
import numpy as np

from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Expr, Program, fold, product_kind

DIGITS = 1100
"""Digits of every number: exp(-1000) beside 1 takes 435, a squared step 300 more."""

STEP = mp.mpf(10) ** -150

Array = Any


def exact(array: Any) -> Array:
    """An array of floats as numbers of mpmath, digit by digit."""
    with mp.workdps(DIGITS):
        return np.vectorize(lambda value: mp.mpf(float(value)), otypes=[object])(np.asarray(array, dtype=float))


def evaluate(program: Program, arrays: Mapping[str, Array], sizes: Mapping[str, int]) -> Array:
    """The value of a formula at arrays of mpmath's numbers."""
    known: dict[str, Any] = {**{name: mp.mpf(size) for name, size in sizes.items()}, **arrays}
    for name, value in program.definitions:
        known[name] = fold(value, _visitor(known, sizes))
    return np.asarray(fold(program.body, _visitor(known, sizes)), dtype=object)


def derivative(program: Program, arrays: Mapping[str, Any], sizes: Mapping[str, int], wrt: str, order: int) -> Array:
    """The value (order 0), or the derivative by central differences: axes of the value, then of the variable."""
    with mp.workdps(DIGITS):
        point = {name: exact(array) for name, array in arrays.items()}
        x = point[wrt]
        step = STEP * max([abs(value) for value in x.flat if value] or [mp.mpf(1)])

        @cache
        def value_at(steps: tuple[int, ...]) -> Array:
            moved = x + step * np.asarray(steps, dtype=object).reshape(x.shape)
            return evaluate(program, {**point, wrt: moved}, sizes)

        places = list(np.ndindex(*x.shape))

        def value(moves: Iterable[tuple[tuple[int, ...], int]]) -> Array:
            steps = dict.fromkeys(places, 0)
            for place, sign in moves:
                steps[place] += sign
            return value_at(tuple(steps.values()))

        plain = value(())
        found = np.empty((*plain.shape, *x.shape * order), dtype=object)
        for chosen in product(places, repeat=order):
            total = sum(
                (np.prod(signs, dtype=object) * value(zip(chosen, signs, strict=True))
                 for signs in product((1, -1), repeat=order)), 0 * plain)  # fmt: skip
            index = tuple(i for place in chosen for i in place)
            found[(..., *index)] = total / (2 * step) ** order if order else plain
        return found


def _visitor(known: Mapping[str, Any], sizes: Mapping[str, int]) -> Callable[[Expr, list[Array]], Array]:
    def visit(node: Expr, values: list[Array]) -> Array:
        match node.op:
            case "number":
                return mp.mpf(node.value.numerator) / node.value.denominator
            case "constant":
                return mp.pi()
            case "name":
                found = known[node.value]
                return found[()] if isinstance(found, np.ndarray) and not found.ndim else found
            case "add":
                return sum(values[1:], values[0])
            case "neg":
                return -values[0]
            case "product":
                return _product(node, values)
            case "power":
                return _power(node, *values)
            case "transpose":
                return np.transpose(values[0]) if node.args[0].kind == MATRIX else values[0]
            case "call":
                return _call(node, values, tuple(d.evaluate(sizes) for d in node.dims))
            case "index":
                return values[0][tuple(slice(None) if i is None else i - 1 for i in node.value)]
        raise TypeError(f"the exact evaluator has no {node.op}")

    return visit


def _product(node: Expr, values: list[Array]) -> Array:
    result, kind = values[0], node.args[0].kind
    for operator, value, factor in zip(node.value, values[1:], node.args[1:], strict=True):
        if operator in ("/", "./"):
            result = result / value
        elif operator == ".*" or SCALAR in (kind, factor.kind):
            result = result * value
        else:
            result = np.outer(result, value) if (kind, factor.kind) == (VECTOR, ROW) else np.dot(result, value)
        kind = product_kind(kind, operator, factor.kind) or kind
    return result


def _power(node: Expr, base: Array, exponent: Array) -> Array:
    if node.value == "^" and node.args[0].kind == MATRIX:
        found = mp.matrix(base.tolist()) ** int(exponent)
        return np.array(found.tolist(), dtype=object)
    return np.vectorize(mp.power, otypes=[object])(base, exponent) if np.ndim(base) else mp.power(base, exponent)


def _call(node: Expr, values: list[Array], shape: tuple[int, ...]) -> Array:
    name, axis = node.value.name, None if node.value.dim is None else node.value.dim - 1
    if name in _ENTRYWISE:
        return np.vectorize(_ENTRYWISE[name], otypes=[object])(values[0])[()]
    if name == "polygamma":
        return np.vectorize(lambda x: mp.psi(int(values[0]), x), otypes=[object])(values[1])[()]
    if name in _ALONG:
        return _ALONG[name](np.asarray(values[0], dtype=object), axis)
    if name in _WHOLE:
        return _WHOLE[name](values[0])
    if name in ("rows", "cols", "length"):
        return mp.mpf(np.shape(values[0])[-1 if name == "cols" else 0])
    if name in ("vector", "matrix"):
        return np.full(shape, values[0], dtype=object)
    if name == "eye":
        return np.eye(shape[0], dtype=int).astype(object) * mp.mpf(1)
    raise TypeError(f"the exact evaluator has no {name}")


def _inverse(x: Array) -> Array:
    return np.array((mp.matrix(x.tolist()) ** -1).tolist(), dtype=object)


def _determinant(x: Array) -> Any:
    return mp.det(mp.matrix(x.tolist()))


def _exps(x: Array) -> Array:
    return np.vectorize(mp.exp, otypes=[object])(x)


def _log(x: Array) -> Array:
    return np.vectorize(mp.log, otypes=[object])(x)[()]


def _norm(x: Array, axis: int | None) -> Array:
    return np.vectorize(mp.sqrt, otypes=[object])(np.sum(x * x, axis=axis))[()]


_ENTRYWISE: dict[str, Callable[[Any], Any]] = {
    "exp": mp.exp, "log": mp.log, "log1p": lambda x: mp.log(1 + x), "expm1": lambda x: mp.exp(x) - 1, "sqrt": mp.sqrt,
    "sin": mp.sin, "cos": mp.cos, "tan": mp.tan, "sinh": mp.sinh, "cosh": mp.cosh, "tanh": mp.tanh,
    "abs": abs, "sigmoid": lambda x: 1 / (1 + mp.exp(-x)), "softplus": lambda x: mp.log(1 + mp.exp(x)),
    "erf": mp.erf, "erfc": mp.erfc, "arcsinh": mp.asinh, "arccosh": mp.acosh, "arctanh": mp.atanh,
    "normcdf": lambda x: mp.erfc(-x / mp.sqrt(2)) / 2, "normpdf": mp.npdf,
     "gelu": lambda x: x * mp.erfc(-x / mp.sqrt(2)) / 2, "arcsin": mp.asin, "arccos": mp.acos,
    "arctan": mp.atan, "relu": lambda x: max(x, mp.mpf(0)),
    "lgamma": mp.loggamma, "digamma": mp.digamma, "gamma": mp.gamma,
}  # fmt: skip
_ALONG: dict[str, Callable[[Array, int | None], Array]] = {
    "sum": lambda x, axis: np.sum(x, axis=axis),
    "mean": lambda x, axis: np.sum(x, axis=axis) / (x.size if axis is None else x.shape[axis]),
    "prod": lambda x, axis: np.prod(x, axis=axis),
    "logsumexp": lambda x, axis: _log(np.sum(_exps(x), axis=axis)),
    "softmax": lambda x, axis: _exps(x) / np.sum(_exps(x), axis=axis, keepdims=axis is not None),
    "norm2": _norm,
    "normF": _norm,
    "max": lambda x, axis: np.max(x, axis=axis),
}
_WHOLE: dict[str, Callable[[Array], Array]] = {
    "inv": _inverse, "det": _determinant, "tr": np.trace, "diag": np.diag,
    "logdet": lambda x: mp.log(abs(_determinant(x))),
}  # fmt: skip
