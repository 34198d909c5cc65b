"""Formula trees in JAX: one case per operation, with nothing shared with the reference evaluator but the tree.

JAX has conventions of its own at kinks: beside the value comes how near the point is to one. What this table does not
have raises NotHere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special as jss

from matgrad.formula.subscripts import is_fused
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Expr, Program, fold, product_kind

jax.config.update("jax_enable_x64", True)
Array = Any


class NotHere(Exception):
    """JAX has no such function."""


def evaluate(program: Program, arrays: Mapping[str, Any], sizes: Mapping[str, int]) -> tuple[Array, Array]:
    """The value of a program at arrays, which may be traced, and the distance to the nearest kink."""
    known = {**sizes, **arrays}
    distances: list[Array] = []
    for name, value in program.definitions:
        known[name] = fold(value, _visitor(known, sizes, distances))
    value = fold(program.body, _visitor(known, sizes, distances))
    return value, jnp.min(jnp.stack([jnp.asarray(jnp.inf), *[jnp.min(jnp.abs(d)) for d in distances]]))


def _visitor(
    known: Mapping[str, Any], sizes: Mapping[str, int], kinks: list[Array]
) -> Callable[[Expr, list[Array]], Array]:
    def visit(node: Expr, values: list[Array]) -> Array:
        match node.op:
            case "number":
                return float(node.value)
            case "constant":
                return jnp.pi
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
                return jnp.transpose(values[0])
            case "call":
                return _call(node, values, known, sizes, kinks)
            case "index":
                return jnp.asarray(values[0])[tuple(_item(i) for i in node.value)]
            case "stack":
                return _stack(node, values)
            case "einsum" if not is_fused(node.value):
                return jnp.einsum(node.value, *values)
        raise NotHere(node.op)

    return visit


def _item(item: Any) -> Any:
    return slice(None) if item is None else slice(item[0] - 1, item[1]) if isinstance(item, tuple) else item - 1


def _product(node: Expr, values: list[Array]) -> Array:
    result, kind = values[0], node.args[0].kind
    for operator, value, factor in zip(node.value, values[1:], node.args[1:], strict=True):
        if operator in ("/", "./"):
            result = result / value
        elif operator == "⊗":
            result = _kron(kind, result, factor.kind, value)
        elif operator == ".*" or SCALAR in (kind, factor.kind):
            result = result * value
        else:
            result = jnp.outer(result, value) if (kind, factor.kind) == (VECTOR, ROW) else jnp.matmul(result, value)
        kind = product_kind(kind, operator, factor.kind) or kind
    return result


def _block(kind: str, value: Array) -> Array:
    return value if kind == MATRIX else jnp.reshape(value, (-1, 1) if kind == VECTOR else (1, -1))


def _kron(left: str, a: Array, right: str, b: Array) -> Array:
    if left == right and left != MATRIX:
        return jnp.kron(a, b)
    return jnp.kron(_block(left, a), _block(right, b))


def _power(node: Expr, base: Array, exponent: Array) -> Array:
    if node.value == "^" and node.args[0].kind == MATRIX:
        count = round(float(exponent))
        return jnp.linalg.matrix_power(jnp.linalg.inv(base) if count < 0 else base, abs(count))
    literal = node.args[1].args[0] if node.args[1].op == "neg" else node.args[1]
    if literal.op == "number" and literal.value.denominator == 1:
        sign = -1 if node.args[1].op == "neg" else 1
        return jax.lax.integer_pow(jnp.asarray(base, float), sign * int(literal.value))
    return jnp.power(base, exponent)


def _stack(node: Expr, values: list[Array]) -> Array:
    blocks = [_block(a.kind, jnp.asarray(v)) for a, v in zip(node.args, values, strict=True)]
    rows, start = [], 0
    for count in node.value:
        rows.append(jnp.hstack(blocks[start : start + count]))
        start += count
    result = jnp.vstack(rows)
    return result if node.kind == MATRIX else result.reshape(-1) if node.kind != SCALAR else result[0, 0]


def _call(node: Expr, values: list[Array], known: Any, sizes: Mapping[str, int], kinks: list[Array]) -> Array:
    """``kinks`` takes up what is 0 at a kink."""
    name, axis = node.value.name, None if node.value.dim is None else node.value.dim - 1
    shape = tuple(d.evaluate(sizes) for d in node.dims)
    if name in known:
        return known[name][node.value.primes](values[0])
    if name in ("rows", "cols", "length"):
        dims = [d.evaluate(sizes) for d in node.args[0].dims]
        return float(dims[-1] if name == "cols" else dims[0])
    if name in _CONSTANTS:
        return _CONSTANTS[name](shape, *values)
    if name in _SMOOTH:
        return _SMOOTH[name](*values)
    if name in ("norm2", "normF"):
        kinks.append(jnp.sum(values[0] ** 2, axis=axis))
        return jnp.sqrt(kinks[-1])
    if name in _ALONG:
        return _ALONG[name](jnp.asarray(values[0]), axis)
    if name in ("abs", "relu", "sign", "step"):
        kinks.append(values[0])
        return {"abs": jnp.abs, "relu": jax.nn.relu, "sign": jnp.sign, "step": lambda x: jnp.heaviside(x, 0)}[name](
            values[0]
        )
    if name in ("arctan2", "hypot"):
        first, second = jnp.broadcast_arrays(*map(jnp.asarray, values))
        kinks.append(jnp.hypot(first, second) if name == "hypot" else jnp.where(second > 0, 1.0, first))
        return {"arctan2": jnp.arctan2, "hypot": jnp.hypot}[name](first, second)
    if name in ("max", "min") and len(values) == 2:
        kinks.append(values[0] - values[1])
        return (jnp.maximum if name == "max" else jnp.minimum)(*values)
    if name in ("max", "min"):
        return _extreme(name, jnp.asarray(values[0]), axis, kinks)
    if name == "norm1":
        kinks.append(values[0])
        return jnp.sum(jnp.abs(jnp.asarray(values[0])), axis=axis)
    if name == "kron":
        return _kron(node.args[0].kind, values[0], node.args[1].kind, values[1])
    raise NotHere(f"{name} is not in this table")


def _extreme(name: str, x: Array, axis: int | None, kinks: list[Array]) -> Array:
    flat = jnp.reshape(x, (-1,)) if axis is None else jnp.moveaxis(x, axis, -1)
    ordered = jnp.sort(flat, axis=-1)
    if flat.shape[-1] > 1:
        kinks.append(ordered[..., -1] - ordered[..., -2] if name == "max" else ordered[..., 1] - ordered[..., 0])
    return (jnp.max if name == "max" else jnp.min)(x, axis=axis)


_CONSTANTS: dict[str, Callable[..., Array]] = {
    "eye": lambda shape, *sizes: jnp.eye(shape[0]), "ones": lambda shape, *sizes: jnp.ones(shape),
    "zeros": lambda shape, *sizes: jnp.zeros(shape), "vector": lambda shape, c: c * jnp.ones(shape),
    "matrix": lambda shape, c: c * jnp.ones(shape), "unit": lambda shape, i: jnp.eye(shape[0])[int(i) - 1],
}  # fmt: skip
_SMOOTH: dict[str, Callable[..., Array]] = {
    "exp": jnp.exp, "log": jnp.log, "log1p": jnp.log1p, "expm1": jnp.expm1, "sqrt": jnp.sqrt, "sin": jnp.sin,
    "cos": jnp.cos, "tan": jnp.tan, "arcsin": jnp.arcsin, "arccos": jnp.arccos, "arctan": jnp.arctan,
    "sinh": jnp.sinh, "cosh": jnp.cosh, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid, "softplus": jax.nn.softplus,
    "lgamma": jss.gammaln, "digamma": jss.digamma, "polygamma": lambda k, x: jss.polygamma(int(k), x),
    "gamma": lambda x: jnp.exp(jss.gammaln(x)), "lbeta": jss.betaln,
    "erf": jss.erf, "erfc": jss.erfc,
    "arcsinh": jnp.arcsinh, "arccosh": jnp.arccosh, "arctanh": jnp.arctanh, "silu": lambda x: x / (1 + jnp.exp(-x)),
    "gelu": lambda x: x * jss.ndtr(x), "normcdf": jss.ndtr,
    "normpdf": lambda x: jnp.exp(-x * x / 2) / jnp.sqrt(2 * jnp.pi),
    "tr": lambda x: jnp.trace(x) if jnp.ndim(x) else x, "diag": jnp.diag,
    "tril": lambda x, k=0: jnp.tril(x, int(k)), "triu": lambda x, k=0: jnp.triu(x, int(k)),
    "vec": lambda x: jnp.reshape(jnp.transpose(x), (-1,)), "inv": lambda x: jnp.linalg.inv(x) if jnp.ndim(x) else 1 / x,
    "det": lambda x: jnp.linalg.det(x) if jnp.ndim(x) else x,
    "logdet": lambda x: jnp.linalg.slogdet(x)[1] if jnp.ndim(x) else jnp.log(jnp.abs(x)),
    "adj": lambda x: jnp.linalg.det(x) * jnp.linalg.inv(x) if jnp.ndim(x) else 1.0 + 0 * x,
}  # fmt: skip
_ALONG: dict[str, Callable[..., Array]] = {
    "sum": lambda x, axis: jnp.sum(x, axis=axis), "mean": lambda x, axis: jnp.mean(x, axis=axis),
    "prod": lambda x, axis: jnp.prod(x, axis=axis),
    "logsumexp": lambda x, axis: jss.logsumexp(x, axis=axis),
    "softmax": lambda x, axis: jax.nn.softmax(x, axis=axis if axis is not None else tuple(range(x.ndim))),
}  # fmt: skip
