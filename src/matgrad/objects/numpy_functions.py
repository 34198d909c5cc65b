"""NumPy's functions by name, and what to use for those that formulas do not have.

Each takes what NumPy's takes, as far as a formula can hold it: an argument that is not listed is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, NamedTuple

from matgrad.errors import NotSupported, ShapeError
from matgrad.objects import comparison, elementwise, indexing, linear, reductions, selecting, shaping, stacking
from matgrad.objects.contraction import einsum, tensordot
from matgrad.objects.inputs import as_test, as_value, nested, values
from matgrad.objects.reductions import Axis
from matgrad.objects.value import Value, clash

v = as_value


class SlogdetResult(NamedTuple):
    sign: Any
    logabsdet: Any


def reduction(name: str) -> Callable[..., Value]:
    def reduce(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Value:
        return reductions.reduce(name, v(a), axis, keepdims)

    return reduce


def moment(function: Callable[..., Value]) -> Callable[..., Value]:
    def of(a: Any, axis: Axis = None, *, ddof: int = 0, keepdims: bool = False) -> Value:
        return function(v(a), axis, ddof, keepdims)

    return of


def one(function: Callable[[Value], Any]) -> Callable[[Any], Any]:
    """A function of one array and nothing else."""
    return lambda a: function(v(a))


def two(function: Callable[[Value, Value], Value]) -> Callable[[Any, Any], Value]:
    return lambda a, b: function(v(a), v(b))


def matrix_power(a: Any, n: Any) -> Value:
    return linear.matrix_power(v(a), int(n)) if isinstance(n, Integral) else linear.symbolic_power(v(a), v(n))


def several(function: Callable[..., Value]) -> Callable[..., Value]:
    """A function of a list of arrays."""
    return lambda arrays, **options: function(values(arrays), **options)


def on_a_diagonal(function: Callable[[Value, int], Value], name: str) -> Callable[..., Value]:
    """Of the main diagonal, or the one with an offset."""

    def of(a: Any, k: int = 0, *, offset: int = 0) -> Value:
        return function(v(a), _whole(k or offset, name))

    return of


def _whole(offset: Any, name: str) -> int:
    if not isinstance(offset, Integral):
        raise NotSupported(f"np.{name} takes a whole number for the diagonal, not {offset!r}", hint=f"np.{name}(X, 1)")
    return int(offset)


def triangle(name: str) -> Callable[..., Value]:
    def of(m: Any, k: int = 0) -> Value:
        return linear.triangle(name, v(m), _whole(k, name))

    return of


def clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Value:
    low, high = (min if a_min is None else a_min), (max if a_max is None else a_max)
    found = v(a) if low is None else elementwise.maximum(v(a), v(low))
    return found if high is None else elementwise.minimum(found, v(high))


def where(condition: Any, *chosen: Any) -> Value:
    if len(chosen) != 2:
        raise NotSupported("np.where needs what to choose from", hint="np.where(x > 0, x, 0)")
    return comparison.where(as_test(condition), v(chosen[0]), v(chosen[1]))


def select(condlist: Any, choicelist: Any, default: Any = 0) -> Value:
    if not isinstance(condlist, list | tuple) or len(condlist) != len(choicelist) or not condlist:
        raise NotSupported("np.select takes a list of tests and one of as many choices", hint="np.where(x > 0, x, 0)")
    return comparison.select([as_test(one) for one in condlist], values(choicelist), v(default))


def squeeze(a: Any, axis: Axis = None) -> Value:
    return indexing.squeeze(v(a), None if axis is None else reductions.axis_numbers(v(a), axis))


def slogdet(a: Any) -> SlogdetResult:
    return SlogdetResult(*linear.slogdet(v(a)))


def subscripts(pattern: Any, *operands: Any, optimize: Any = False) -> Value:
    if not isinstance(pattern, str):
        raise NotSupported("np.einsum takes letters here", hint='np.einsum("ij,jk->ik", A, B)')
    return einsum(pattern, [v(a) for a in operands])


def vdot(a: Any, b: Any) -> Value:
    """The sum of the products of entries; arrays of different shapes are read as vectors, row by row."""
    one, other = v(a), v(b)
    if one.sizes != other.sizes:
        one, other = linear.ravel(one), linear.ravel(other)
    if one.sizes != other.sizes:
        raise clash("np.vdot takes arrays of as many entries", v(a), v(b))
    return reductions.total(elementwise.multiply(one, other))


def norm(x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Value:
    return reductions.norm(v(x), ord, axis, keepdims)


def vector_norm(x: Any, /, *, axis: Axis = None, keepdims: bool = False, ord: Any = 2) -> Value:
    return reductions.vector_norm(v(x), ord, axis, keepdims)


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Value:
    return reductions.matrix_norm(v(x), ord, keepdims)


def average(a: Any, axis: Axis = None, weights: Any = None) -> Value:
    return reductions.average(v(a), axis, None if weights is None else v(weights))


def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Value:
    """The differences of neighbours along an axis, n times."""
    found = v(a)
    if n < 0:
        raise ShapeError(f"np.diff takes differences 0 times or more, not {n} times")
    (place,) = reductions.axis_numbers(found, axis)
    ends = [None if end is None else _beside(found, v(end), place) for end in (prepend, append)]
    if any(end is not None for end in ends):
        found = stacking.concatenate([part for part in (ends[0], found, ends[1]) if part is not None], place)
    whole = (slice(None),) * place
    for _ in range(n):
        after, before = (indexing.pick(found, (*whole, part)) for part in (slice(1, None), slice(None, -1)))
        found = elementwise.subtract(after, before)
    return found


def _beside(array: Value, end: Value, axis: int) -> Value:
    """A number as a row or column that fits beside an array along an axis."""
    if end.axes:
        return end
    return shaping.broadcast_to(end, tuple(1 if k == axis else size for k, size in enumerate(shaping.shape(array))))


def append(arr: Any, values: Any, axis: int | None = None) -> Value:
    """Below or beside each other; without an axis, all entries of both in one vector, row by row."""
    if axis is not None:
        return stacking.concatenate([v(arr), v(values)], axis)
    return stacking.concatenate([linear.ravel(v(arr)), linear.ravel(v(values))])


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: reduction(name) for name in ("sum", "prod", "mean", "max", "min")},
    "amax": reduction("max"),
    "amin": reduction("min"),
    "ptp": lambda a, axis=None, *, keepdims=False: reductions.spread(v(a), axis, keepdims),
    "var": moment(reductions.variance),
    "std": moment(reductions.deviation),
    "average": average,
    "cumsum": lambda a, axis=None: reductions.cumulative_sum(v(a), axis),
    "diff": diff,
    "clip": clip,
    "where": where,
    "select": select,
    "einsum": subscripts,
    "tensordot": lambda a, b, axes=2: tensordot(v(a), v(b), axes),
    "dot": two(linear.dot),
    "inner": two(linear.inner),
    "outer": two(linear.outer),
    "vdot": vdot,
    "kron": two(linear.kron),
    "trace": on_a_diagonal(selecting.trace, "trace"),
    "diag": on_a_diagonal(selecting.diag, "diag"),
    "diagflat": on_a_diagonal(selecting.diag, "diagflat"),
    "diagonal": on_a_diagonal(selecting.diagonal, "diagonal"),
    "take": lambda a, indices, axis=None: selecting.take(v(a), indices, axis),
    "roll": lambda a, shift, axis=None: selecting.roll(v(a), _whole(shift, "roll"), axis),
    "flip": lambda m, axis=None: selecting.flip(v(m), axis),
    "tile": lambda A, reps: selecting.tile(v(A), reps),
    "repeat": lambda a, repeats: selecting.repeat(v(a), repeats),
    "tril": triangle("tril"),
    "triu": triangle("triu"),
    "concatenate": lambda arrays, axis=0: stacking.concatenate(values(arrays), axis),
    "stack": several(stacking.stack),
    "vstack": several(stacking.vstack),
    "hstack": several(stacking.hstack),
    "column_stack": several(stacking.column_stack),
    "block": lambda arrays: stacking.block(nested(arrays)),
    "append": append,
    "transpose": lambda a, axes=None: shaping.permuted(v(a), axes),
    "matrix_transpose": one(linear.transpose),
    "swapaxes": lambda a, axis1, axis2: shaping.swapped(v(a), axis1, axis2),
    "moveaxis": lambda a, source, destination: shaping.moved(v(a), source, destination),
    "reshape": lambda a, /, shape, order="C": shaping.reshape(v(a), shape, order=order),
    "ravel": lambda a, order="C": linear.ravel(v(a), order),
    "squeeze": squeeze,
    "expand_dims": lambda a, axis: shaping.expanded(v(a), axis),
    "broadcast_to": lambda array, shape: shaping.broadcast_to(v(array), shape),
    "atleast_1d": one(lambda a: shaping.at_least(a, 1)),
    "atleast_2d": one(lambda a: shaping.at_least(a, 2)),
    "zeros_like": one(shaping.filled_like(0)),
    "ones_like": one(shaping.filled_like(1)),
    "full_like": lambda a, fill_value: shaping.filled(v(a), v(fill_value)),
    "zeros": lambda shape: shaping.full(shape, 0),
    "ones": lambda shape: shaping.full(shape, 1),
    "full": shaping.full,
    "eye": shaping.identity,
    "identity": shaping.identity,
    "shape": one(shaping.shape),
    "ndim": one(lambda a: len(a.axes)),
    "size": lambda a, axis=None: reductions.count(v(a), axis),
    "real": one(lambda a: a),
    "copy": one(lambda a: a),
    "linalg.inv": one(linear.inverse),
    "linalg.det": one(linear.determinant),
    "linalg.slogdet": slogdet,
    "linalg.norm": norm,
    "linalg.vector_norm": vector_norm,
    "linalg.matrix_norm": matrix_norm,
    "linalg.solve": two(linear.solve),
    "linalg.trace": on_a_diagonal(selecting.trace, "linalg.trace"),
    "linalg.diagonal": on_a_diagonal(selecting.diagonal, "linalg.diagonal"),
    "linalg.matrix_power": matrix_power,
    "linalg.multi_dot": lambda arrays: linear.multi_dot(values(arrays)),
    "linalg.matmul": two(linear.matmul),
    "linalg.outer": two(linear.outer),
    "linalg.vecdot": lambda x1, x2, *, axis=-1: reductions.total(elementwise.multiply(v(x1), v(x2)), axis),
    "linalg.tensordot": lambda a, b, *, axes=2: tensordot(v(a), v(b), axes),
    "linalg.matrix_transpose": one(linear.transpose),
}

_EIGEN = "np.trace(X) is the sum and np.linalg.det(X) the product of the eigenvalues"
_BEFORE = "it has no derivative but 0"

INSTEAD: dict[str, str] = {
    "cumprod": "np.exp(np.cumsum(np.log(x))), for positive x",
    "argmax": "x.max(): the place of the maximum is no formula",
    "argmin": "x.min(): the place of the minimum is no formula",
    "median": "x.mean()",
    "sort": "x.max() and x.min()",
    "cov": "Z = X - X.mean(0); Z.T @ Z/(X.shape[0] - 1), for observations in rows",
    "cross": "np.stack of x[1]*y[2] - x[2]*y[1] and the like",
    "round": _BEFORE, "around": _BEFORE, "count_nonzero": "(x > 0).sum()",
    "nansum": "np.sum", "nanmean": "np.mean", "nanmax": "np.max", "nanmin": "np.min",
    "array_equal": "x == y", "allclose": "x == y", "any": "(x > 0).max()",
    "all": "(x > 0).min()", "array2string": "str(x)", "array_str": "str(x)", "array_repr": "repr(x)", "imag": "0*x",
    "linalg.pinv": "np.linalg.inv(X.T @ X) @ X.T, for full column rank",
    "linalg.lstsq": "np.linalg.inv(A.T @ A) @ A.T @ b, for full column rank",
    "linalg.cholesky": "np.linalg.slogdet(X) or np.linalg.inv(X), which need no factor",
    "linalg.eig": _EIGEN, "linalg.eigh": _EIGEN, "linalg.eigvals": _EIGEN, "linalg.eigvalsh": _EIGEN,
    "linalg.svd": 'np.linalg.norm(X, "fro") is the root of the sum of squared singular values',
    "linalg.svdvals": 'np.linalg.norm(X, "fro") is the root of the sum of squared singular values',
    "linalg.qr": "np.linalg.inv(A.T @ A) @ A.T @ b solves least squares",
    "linalg.cond": 'np.linalg.norm(X, "fro")*np.linalg.norm(np.linalg.inv(X), "fro")',
    "linalg.matrix_rank": "it has no derivative",
}  # fmt: skip
"""What to use for those that are not there."""
