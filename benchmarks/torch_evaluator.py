"""Formula trees in PyTorch, operation by operation, as a person would type them: for the table of stability."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Expr, Program, fold, product_kind

Array = Any


def evaluate(program: Program, arrays: Mapping[str, Any], sizes: Mapping[str, int]) -> Array:
    """The value of a program at tensors."""
    known = {**sizes, **arrays}

    def visit(node: Expr, values: list[Array]) -> Array:
        return _value(node, values, known, sizes)

    for name, value in program.definitions:
        known[name] = fold(value, visit)
    return fold(program.body, visit)


def _value(node: Expr, values: list[Array], known: Mapping[str, Any], sizes: Mapping[str, int]) -> Array:
    match node.op:
        case "number":
            return torch.tensor(float(node.value), dtype=torch.float64)
        case "constant":
            return torch.tensor(torch.pi, dtype=torch.float64)
        case "name":
            return known[node.value]
        case "add":
            return sum(values[1:], values[0])
        case "neg":
            return -values[0]
        case "product":
            return _product(node, values)
        case "power":
            return _power(node, *values)
        case "transpose":
            return values[0].T if node.args[0].kind == MATRIX else values[0]
        case "call":
            return _call(node, values, tuple(d.evaluate(sizes) for d in node.dims))
        case "index":
            return values[0][tuple(slice(None) if i is None else i - 1 for i in node.value)]
    raise NotImplementedError(node.op)


def _product(node: Expr, values: list[Array]) -> Array:
    result, kind = values[0], node.args[0].kind
    for operator, value, factor in zip(node.value, values[1:], node.args[1:], strict=True):
        if operator in ("/", "./"):
            result = result / value
        elif operator == ".*" or SCALAR in (kind, factor.kind):
            result = result * value
        else:
            result = torch.outer(result, value) if (kind, factor.kind) == (VECTOR, ROW) else torch.matmul(result, value)
        kind = product_kind(kind, operator, factor.kind) or kind
    return result


def _power(node: Expr, base: Array, exponent: Array) -> Array:
    number = float(exponent)
    if node.value == "^" and node.args[0].kind == MATRIX:
        return torch.linalg.matrix_power(base, int(number))
    return torch.pow(base, int(number) if number.is_integer() else number)


def _call(node: Expr, values: list[Array], shape: tuple[int, ...]) -> Array:
    name, axis = node.value.name, None if node.value.dim is None else node.value.dim - 1
    if name in _PLAIN:
        return _PLAIN[name](*values)
    if name in _ALONG:
        return _ALONG[name](values[0], tuple(range(values[0].ndim)) if axis is None else axis)
    if name in ("vector", "matrix"):
        return values[0] * torch.ones(shape, dtype=torch.float64)
    if name == "eye":
        return torch.eye(shape[0], dtype=torch.float64)
    raise NotImplementedError(name)


def _softmax(x: Array, axis: Any) -> Array:
    if isinstance(axis, int) or x.ndim == 1:
        return torch.softmax(x, axis if isinstance(axis, int) else 0)
    return torch.softmax(x.reshape(-1), 0).reshape(x.shape)


_PLAIN: dict[str, Callable[..., Array]] = {
    "exp": torch.exp, "log": torch.log, "log1p": torch.log1p, "expm1": torch.expm1, "sqrt": torch.sqrt,
    "sin": torch.sin, "cos": torch.cos, "tan": torch.tan, "sinh": torch.sinh, "cosh": torch.cosh, "tanh": torch.tanh,
    "abs": torch.abs, "sigmoid": torch.sigmoid, "softplus": torch.nn.functional.softplus, "erf": torch.erf,
    "normcdf": torch.special.ndtr, "normpdf": lambda x: torch.exp(-x * x / 2) / (2 * torch.pi) ** 0.5,
    "inv": torch.linalg.inv, "det": torch.linalg.det, "logdet": lambda x: torch.linalg.slogdet(x)[1], "tr": torch.trace,
    "diag": torch.diag,
}  # fmt: skip
_ALONG: dict[str, Callable[[Array, Any], Array]] = {
    "sum": torch.sum, "mean": torch.mean,
    "logsumexp": torch.logsumexp, "max": torch.amax, "softmax": _softmax,
    "norm2": lambda x, axis: torch.linalg.vector_norm(x, dim=axis),
    "normF": lambda x, axis: torch.linalg.vector_norm(x, dim=axis),
}  # fmt: skip
