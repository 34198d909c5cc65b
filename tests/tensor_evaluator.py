"""Tensor graphs as dense NumPy arrays: one case per node kind, with nothing shared with what builds or prints them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import scipy.special

from matgrad.functions import CODE_ONLY
from matgrad.tensor.nodes import Apply, Constant, Einsum, Map, MatrixPower, Named, Node, Sum, Symbol, topological

Array = Any
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def evaluate(root: Node, arrays: Mapping[str, Any], sizes: Mapping[str, int]) -> Array:
    """The value of a graph. Functions without a card are given as tuples of callables: g, g', …"""
    done: dict[Node, Array] = {}
    for node in topological(root):
        value = np.asarray(_value(node, done, arrays, sizes), dtype=float)
        shape = tuple(d.evaluate(sizes) for d in node.shape)
        assert value.shape == shape, f"{node!r} has the value of shape {value.shape}, not {shape}"
        done[node] = value
    return done[root]


def _value(node: Node, done: Mapping[Node, Array], arrays: Mapping[str, Any], sizes: Mapping[str, int]) -> Array:
    if isinstance(node, Symbol):
        return arrays[node.name]
    if isinstance(node, Constant):
        return _constant(node, sizes)
    if isinstance(node, Named):
        return done[node.value]
    if isinstance(node, Sum):
        return sum(float(factor) * done[term] for factor, term in node.terms)
    if isinstance(node, Einsum):
        return _einsum(node, [done[operand] for operand in node.operands], sizes)
    if isinstance(node, Map):
        return _map(node, [done[arg] for arg in node.args], arrays)
    if isinstance(node, Apply):
        return _apply(node, done[node.arg])
    if isinstance(node, MatrixPower):
        count = round(float(done[node.exponent]))
        assert count == done[node.exponent], "an exponent of a matrix that is no integer"
        return np.linalg.matrix_power(done[node.base], count)
    raise TypeError(f"no value for a {type(node).__name__}")


def _constant(node: Constant, sizes: Mapping[str, int]) -> Array:
    shape = tuple(d.evaluate(sizes) for d in node.shape)
    match node.name:
        case "size":
            return sizes[node.parameter]
        case "pi":
            return np.pi
        case "unit":
            place = node.parameter
            return np.eye(shape[0])[(place if isinstance(place, int) else place.evaluate(sizes)) - 1]
        case "tril":
            return np.tril(np.ones(shape), node.parameter)
        case "triu":
            return np.triu(np.ones(shape), node.parameter)
        case "shift":
            return np.eye(*shape, k=-node.parameter.evaluate(sizes))
        case "fuse":
            return np.eye(shape[0]).reshape(shape)
    raise TypeError(f"no value for the constant {node.name}")


def _einsum(node: Einsum, values: list[Array], sizes: Mapping[str, int]) -> Array:
    """Each label of ``out`` once, broadcast where no operand has it, then put on the diagonal where it occurs twice."""
    extent = [d.evaluate(sizes) for d in node.sizes]
    free = tuple(dict.fromkeys(node.out))
    factors = [*zip(node.subscripts, values, strict=True), *(((x,), np.ones(extent[x])) for x in free)]
    summed = {x for s in node.subscripts for x in s} - {*free}
    while summed:
        label = min(summed, key=lambda x: (len({y for s, _ in factors if x in s for y in s}), x))
        met = [f for f in factors if label in f[0]]
        left = tuple(sorted({y for s, _ in met for y in s} - {label}))
        factors = [f for f in factors if label not in f[0]] + [(left, _product(met, left))]
        summed.remove(label)
    result = np.zeros([extent[x] for x in node.out])
    grid = dict(zip(free, np.indices([extent[x] for x in free], sparse=True), strict=True))
    result[tuple(grid[x] for x in node.out)] = float(node.coefficient) * _product(factors, free)
    return result


def _product(factors: list[tuple[tuple[int, ...], Array]], out: tuple[int, ...]) -> Array:
    """Σ over the labels that are not in ``out``; one factor after the other, and the sum with the last."""
    labels, total = (), np.array(1.0)
    for i, (subscript, value) in enumerate(factors):
        union = tuple(dict.fromkeys([*labels, *subscript]))
        wanted = out if i == len(factors) - 1 else union
        letter = {x: LETTERS[k] for k, x in enumerate(union)}
        left, right, result = ("".join(letter[x] for x in s) for s in (labels, subscript, wanted))
        total, labels = np.einsum(f"{left},{right}->{result}", total, value), wanted
    return total


_MAPS: dict[str, Callable[..., Array]] = {
    "exp": np.exp, "log": np.log, "log1p": np.log1p, "expm1": np.expm1, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "arcsin": np.arcsin, "arccos": np.arccos, "arctan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "arctan2": np.arctan2, "hypot": np.hypot,
    "abs": np.abs, "sign": np.sign, "step": lambda x: (x > 0) * 1.0, "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "softplus": lambda x: np.logaddexp(x, 0), "erf": scipy.special.erf,
    "lgamma": scipy.special.gammaln, "digamma": scipy.special.digamma,
    "polygamma": lambda k, x: scipy.special.polygamma(np.asarray(k, int), x), "erfc": scipy.special.erfc,
    "arcsinh": np.arcsinh, "arccosh": np.arccosh, "arctanh": np.arctanh,
    "normcdf": lambda x: scipy.special.erfc(-x / np.sqrt(2)) / 2,
    "normpdf": lambda x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi),
}  # fmt: skip


def _map(node: Map, args: list[Array], arrays: Mapping[str, Any]) -> Array:
    if node.function == "power":
        with np.errstate(all="ignore"):  # 1/0 stands where a formula is not defined, or where nothing selects it
            return args[0] ** float(node.parameter)
    if node.function == "pow":
        return args[0] ** args[1]
    if node.function == "function":
        name, primes = node.parameter
        return arrays[name][primes](args[0])
    if node.parameter is not None:
        return _in_code(node.function)(*args, node.parameter)
    return _MAPS[node.function](*args) if node.function in _MAPS else _in_code(node.function)(*args)


def _apply(node: Apply, arg: Array) -> Array:
    if node.function in CODE_ONLY and node.parameter is not None:
        flat = arg.reshape((*arg.shape[: arg.ndim - node.parameter], -1))  # the last axes as one
        found = _in_code(node.function)(flat, -1)
        return found if found.ndim < flat.ndim else found.reshape(arg.shape)
    if node.parameter is None:
        return _MATRIX[node.function](arg) if node.function in _MATRIX else _in_code(node.function)(arg)
    axes = tuple(range(arg.ndim - node.parameter, arg.ndim))
    return _REDUCTIONS[node.function](arg, axes)


@cache
def _in_code(name: str) -> Callable[..., Array]:
    """A function that only code uses, run from the template on its card."""
    card = CODE_ONLY[name]
    names = {"#1": "x", "#2": "y", "#3": "z", "#4": "w", "#5": "v", "#axis": "axis", "#series": "series"}
    body = card.numpy.replace("#series", "series[0], [float(c) for c in series[1]]")
    for mark in ("#1", "#2", "#3", "#4", "#5", "#axis"):
        body = body.replace(mark, names[mark])
    arguments = [argument for mark, argument in names.items() if mark in card.numpy]
    if card.whole is not None:
        body = f"[x := int(np.ravel(x)[0]), {body}][1]"
    called = "\n".join(other.helper for other in CODE_ONLY.values() if f"{other.name}(" in card.helper)
    known: dict[str, Any] = {"np": np, "scipy": scipy, "math": math}
    exec(f"{called}\n{card.helper}\ndef run({', '.join(arguments)}): return {body}", known)
    return known["run"]  # type: ignore[no-any-return]


def _adjugate(x: Array) -> Array:
    cofactors = np.empty_like(x)
    for i, j in np.ndindex(*x.shape):
        cofactors[i, j] = (-1) ** (i + j) * np.linalg.det(np.delete(np.delete(x, i, 0), j, 1))
    return cofactors.T


def _shared(mask: Array, axes: tuple[int, ...]) -> Array:
    return mask / mask.sum(axis=axes, keepdims=True)


def _inverse(x: Array) -> Array:
    """Raises LinAlgError where the matrix is singular but for rounding errors, too."""
    if x.size and not np.linalg.cond(x) < 1e14:
        raise np.linalg.LinAlgError("Singular matrix")
    return np.linalg.inv(x)


_MATRIX: dict[str, Callable[[Array], Array]] = {
    "inv": _inverse,
    "det": np.linalg.det,
    "logdet": lambda x: np.linalg.slogdet(x)[1],
    "adj": _adjugate,
}
_REDUCTIONS: dict[str, Callable[[Array, tuple[int, ...]], Array]] = {
    "logsumexp": lambda x, axes: scipy.special.logsumexp(x, axis=axes),
    "softmax": lambda x, axes: scipy.special.softmax(x, axis=axes),
    "prod": lambda x, axes: x.prod(axis=axes),
    "max": lambda x, axes: x.max(axis=axes),
    "min": lambda x, axes: x.min(axis=axes),
    "argmax": lambda x, axes: _shared(x == x.max(axis=axes, keepdims=True), axes),
    "argmin": lambda x, axes: _shared(x == x.min(axis=axes, keepdims=True), axes),
}
