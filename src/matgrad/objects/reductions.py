"""Sums, means, extrema, norms: over all axes, or along some."""

from __future__ import annotations

from fractions import Fraction
from math import inf

from matgrad.errors import NotSupported, ShapeError
from matgrad.formula.syntax import ROW, SCALAR_TYPE, VECTOR, Expr, Type
from matgrad.objects.elementwise import absolute, add, divide, multiply, power, sqrt, square, subtract
from matgrad.objects.linear import matrix
from matgrad.objects.names import size
from matgrad.objects.value import Axes, Value, called, column, literal, matrix_product, ones, shown, transposed
from matgrad.translate.algebra import of_order

Axis = int | tuple[int, ...] | None


def axis_numbers(value: Value, axis: Axis) -> tuple[int, ...]:
    """The axes that are meant, from 0; None is all. Raises ShapeError for one that the array does not have."""
    if axis is None:
        return tuple(range(len(value.axes)))
    given = axis if isinstance(axis, tuple) else (axis,)
    count = len(value.axes)
    for one in given:
        if not -count <= one < count:
            raise ShapeError(f"there is no axis {one}: the array has {count}", details=shown(value))
    found = tuple(sorted(one % count for one in given))
    if len(set(found)) != len(found):
        raise ShapeError(f"an axis is named twice: {axis}", details=shown(value))
    return found


def reduce(name: str, value: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """A function of the language over some axes: all, the rows, or the columns of a matrix."""
    chosen = axis_numbers(value, axis)
    own = tuple(value.axes[k] for k in chosen if value.axes[k] is not None)
    expr = _reduced(name, value.expr, own)  # type: ignore[arg-type]
    rest = [axis for axis in range(value.order) if axis not in own]
    kept: Axes = tuple(
        None if k in chosen or old is None else rest.index(old)
        for k, old in enumerate(value.axes)
        if keepdims or k not in chosen
    )
    return value.but(expr, kept)


_OF_A_SCALAR = {
    "sum": None, "mean": None, "prod": None, "max": None, "min": None, "logsumexp": None, "norm1": "abs", "norm2": "abs"
}  # fmt: skip


def _reduced(name: str, expr: Expr, axes: tuple[int, ...]) -> Expr:
    order = len(expr.dims)
    if not axes:
        entrywise = _OF_A_SCALAR[name]
        return expr if entrywise is None else called(entrywise, expr)
    if order > 2:
        return _tensor_sum(name, expr, axes)
    if len(axes) == order:
        return called(name, expr, type=SCALAR_TYPE)
    if axes == (0,):
        return called(name, expr, type=Type(ROW, expr.dims[1:]), dim=1)
    return called(name, expr, type=Type(VECTOR, expr.dims[:1]), dim=2)


def _tensor_sum(name: str, expr: Expr, axes: tuple[int, ...]) -> Expr:
    if name != "sum":
        raise NotSupported(f"{name} of an array of three axes is not supported", hint='np.einsum("ijk->ij", T)')
    letters = "abcdefghijklmnopqrstuvwxyz"[: len(expr.dims)]
    rest = [k for k in range(len(expr.dims)) if k not in axes]
    pattern = letters + "->" + "".join(letters[k] for k in rest)
    return Expr("einsum", (expr,), pattern, type=of_order([expr.dims[k] for k in rest]))


def softmax(value: Value, axis: Axis = None) -> Value:
    """exp(x)/sum(exp(x)), the sum over all entries or along one axis."""
    chosen = axis_numbers(value, axis)
    own = tuple(value.axes[k] for k in chosen if value.axes[k] is not None)
    if not own:
        return add(multiply(literal(0), value), literal(1))
    dim = None if len(own) == value.order else 1 if own == (0,) else 2
    return value.but(called("softmax", value.expr, dim=dim), value.axes)


def total(value: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    return reduce("sum", value, axis, keepdims)


def mean(value: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    return reduce("mean", value, axis, keepdims)


def count(value: Value, axis: Axis) -> Value:
    """The number of entries along some axes."""
    number = literal(1)
    for k in axis_numbers(value, axis):
        number = multiply(number, value.but(size(value.sizes[k]), ()))
    return number


def variance(value: Value, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Value:
    """mean((x - mean(x))^2), or with n - ddof in place of n."""
    deviations = square(subtract(value, mean(value, axis, True)))
    if ddof == 0:
        return mean(deviations, axis, keepdims)
    return divide(total(deviations, axis, keepdims), subtract(count(value, axis), literal(ddof)))


def deviation(value: Value, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Value:
    return sqrt(variance(value, axis, ddof, keepdims))


def spread(value: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    return subtract(reduce("max", value, axis, keepdims), reduce("min", value, axis, keepdims))


def average(value: Value, axis: Axis = None, weights: Value | None = None) -> Value:
    if weights is None:
        return mean(value, axis)
    if weights.sizes != value.sizes and axis is not None and len(weights.axes) == 1:
        (place,) = axis_numbers(value, axis)
        weights = weights.but(weights.expr, tuple(0 if k == place else None for k in range(len(value.axes))))
        return divide(total(multiply(value, weights), axis), total(weights))
    return divide(total(multiply(value, weights), axis), total(weights, axis))


def cumulative_sum(value: Value, axis: int | None = None) -> Value:
    """A triangle of ones times x: down the columns, or along the rows."""
    if axis is not None:
        axis_numbers(value, axis)
    if value.order == 1 and len(value.axes) == 1:
        return value.but(matrix_product(_lower(value.expr.dims[0]), column(value.expr)))
    if axis is None:
        raise NotSupported("np.cumsum of a matrix needs an axis", hint="np.cumsum(X.ravel()), or axis=0")
    expr = matrix(value, "np.cumsum")
    if axis_numbers(value, axis) == (0,):
        return value.but(matrix_product(_lower(expr.dims[0]), expr))
    return value.but(matrix_product(expr, transposed(_lower(expr.dims[1]))))


def _lower(dim: object) -> Expr:
    return called("tril", ones(dim, dim))  # type: ignore[arg-type]


# -- norms


def vector_norm(value: Value, order: object = None, axis: Axis = None, keepdims: bool = False) -> Value:
    """(sum |x|^p)^(1/p), or the largest or smallest |x|."""
    match order:
        case None | 2 | 2.0:
            return reduce("norm2", value, axis, keepdims)
        case 1:
            return reduce("norm1", value, axis, keepdims)
        case 0:
            raise NotSupported("the number of entries that are not 0 has no derivative", hint="np.linalg.norm(x, 1)")
    if order == inf:
        return reduce("max", absolute(value), axis, keepdims)
    if order == -inf:
        return reduce("min", absolute(value), axis, keepdims)
    if isinstance(order, int | float) and not isinstance(order, bool):
        p = Fraction(str(order))
        powers = reduce("sum", power(absolute(value), literal(p)), axis, keepdims)
        return power(powers, literal(1 / p))
    raise NotSupported(f"a vector has no norm of order {order!r}", hint="np.linalg.norm(x, 2)")


def matrix_norm(value: Value, order: object = None, keepdims: bool = False) -> Value:
    """The norms of a matrix that are sums: Frobenius, largest column sum (1) and largest row sum (inf)."""
    if len(value.axes) != 2:
        raise ShapeError("this norm is of a matrix", details=shown(value))
    if order in (None, "fro"):
        return reduce("norm2", value, (0, 1), keepdims)
    for norm, axis in ((1, 0), (inf, 1)):
        if order in (norm, -norm):
            sums = reduce("sum", absolute(value), axis, True)
            return reduce("max" if order == norm else "min", sums, (0, 1), keepdims)
    names: dict[object, str] = {2: "spectral norm", -2: "smallest singular value", "nuc": "nuclear norm"}
    raise NotSupported(
        f"the {names.get(order, f'norm {order!r}')} of a matrix is not supported", hint='np.linalg.norm(X, "fro")'
    )


def _of_both_axes(value: Value, order: object, _axis: Axis, keepdims: bool) -> Value:
    return matrix_norm(value, order, keepdims)


def norm(value: Value, order: object = None, axis: Axis = None, keepdims: bool = False) -> Value:
    """np.linalg.norm: without an order, the root of the sum of squares; else of vectors or matrices, by the axes."""
    if axis is None:
        if order is None:
            return reduce("norm2", value, None, keepdims)
        if len(value.axes) not in (1, 2):
            raise ShapeError("the norm is of a vector or matrix", details=shown(value))
        of = vector_norm if len(value.axes) == 1 else _of_both_axes
        return of(value, order, None, keepdims)
    if len(axis_numbers(value, axis)) == 1:
        return vector_norm(value, order, axis, keepdims)
    given = axis if isinstance(axis, tuple) else (axis,)
    if [one % 2 for one in given] == [1, 0]:  # the axes in reverse: the norm of the transpose
        turned: dict[object, object] = {1: inf, inf: 1, -1: -inf, -inf: -1}
        order = turned.get(order, order)
    return matrix_norm(value, order, keepdims)
