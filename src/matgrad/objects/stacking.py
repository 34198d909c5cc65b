"""Arrays beside and below each other."""

from __future__ import annotations

from collections.abc import Sequence

from matgrad.dims import Dim
from matgrad.errors import NotSupported, ShapeError
from matgrad.formula.syntax import MATRIX, ROW, SCALAR_TYPE, VECTOR, Expr, Type
from matgrad.objects.names import joined
from matgrad.objects.value import Value, as_matrix, clash, column, from_matrix, squeezed


def concatenate(values: Sequence[Value], axis: int | None = 0) -> Value:
    """Along an axis that they have: below each other (0), or side by side (1)."""
    if not values:
        raise ShapeError("there is nothing to stack")
    if axis is None:
        raise NotSupported("np.concatenate needs an axis", hint="np.concatenate([x.ravel(), y.ravel()])")
    count = len(values[0].axes)
    if any(len(v.axes) != count for v in values) or not 1 <= count <= 2 or not -count <= axis < count:
        raise clash(f"these cannot be stacked along axis {axis}", *values, hint="np.vstack, np.hstack or np.block")
    axis %= count
    if len(values) == 1:
        return values[0]
    if count == 1:
        return _one_axis(values)
    if len({v.sizes[1 - axis] for v in values}) > 1:
        raise clash(f"these cannot be stacked along axis {axis}: their other sizes differ", *values)
    return grid([[v] for v in values] if axis == 0 else [list(values)])


def _one_axis(values: Sequence[Value]) -> Value:
    """Vectors one below the other, as one vector."""
    parts = [squeezed(v) for v in values]
    exprs = tuple(column(p.expr) for p in parts)
    length = Dim({})
    for v in values:
        length = length + v.sizes[0]
    expr = Expr("stack", exprs, (1,) * len(exprs), type=Type(VECTOR, (length,)))
    return Value(expr, (0,), joined([v.names for v in values]))


def grid(rows: Sequence[Sequence[Value]]) -> Value:
    """A matrix from rows of arrays of two axes."""
    flat = [value for row in rows for value in row]
    height, width = Dim({}), Dim({})
    for row in rows:
        _same_sizes(row, 0)
        height = height + row[0].sizes[0]
    for value in rows[0]:
        width = width + value.sizes[1]
    for row in rows[1:]:
        total = Dim({})
        for value in row:
            total = total + value.sizes[1]
        if total != width:
            raise clash(f"the rows of blocks differ in width: {width} and {total}", *flat)
    if len(flat) == 1:
        return flat[0]
    exprs = tuple(as_matrix(squeezed(value)) for value in flat)
    one_column, one_row = width == Dim.of(1), height == Dim.of(1)
    kind = VECTOR if one_column else ROW if one_row else MATRIX
    dims = (height,) if one_column else (width,) if one_row else (height, width)
    expr = Expr("stack", exprs, tuple(len(row) for row in rows), type=Type(kind, dims) if dims else SCALAR_TYPE)
    return from_matrix(expr, joined([v.names for v in flat]))


def _same_sizes(values: Sequence[Value], axis: int) -> None:
    if len({v.sizes[axis] for v in values}) > 1:
        raise clash("blocks side by side have the same number of rows", *values)


def with_two_axes(value: Value) -> Value:
    """A vector as a row, a number as one by one."""
    if len(value.axes) > 2:
        raise NotSupported("arrays of three axes cannot be stacked")
    return value.but(value.expr, (None,) * (2 - len(value.axes)) + value.axes)


def vstack(values: Sequence[Value]) -> Value:
    return concatenate([with_two_axes(v) for v in values], 0)


def hstack(values: Sequence[Value]) -> Value:
    values = [v if v.axes else v.but(v.expr, (None,)) for v in values]
    return concatenate(values, 0 if values and len(values[0].axes) == 1 else 1)


def column_stack(values: Sequence[Value]) -> Value:
    return concatenate([v.but(v.expr, (*v.axes, None)) if len(v.axes) == 1 else v for v in values], 1)


def stack(values: Sequence[Value], axis: int = 0) -> Value:
    """Along a new axis."""
    if not values:
        raise ShapeError("there is nothing to stack")
    if len({v.sizes for v in values}) > 1:
        raise clash("np.stack takes arrays of one shape", *values, hint="np.concatenate")
    count = len(values[0].axes) + 1
    if count > 2:
        raise NotSupported("a stack of matrices would have three axes", hint="np.vstack or np.hstack")
    if not -count <= axis < count:
        raise ShapeError(f"there is no axis {axis} in a stack of {count} axes")
    axis %= count
    placed = [v.but(v.expr, (*v.axes[:axis], None, *v.axes[axis:])) for v in values]
    return concatenate(placed, axis)


def block(blocks: object) -> Value:
    """np.block: a vector, or rows of blocks; vectors are rows in it, numbers one by one."""
    if not isinstance(blocks, list) or not blocks:
        raise ShapeError("np.block takes a list of blocks, or a list of lists")
    nested = [isinstance(b, list) for b in blocks]
    if any(nested) and not all(nested):
        raise ShapeError("np.block takes blocks that are nested alike")
    if all(nested):
        if any(isinstance(b, list) for row in blocks for b in row):
            raise NotSupported("np.block with three axes is not supported")
        return grid([[with_two_axes(value) for value in row] for row in blocks])
    if all(len(v.axes) < 2 for v in blocks):
        return hstack(blocks)
    return grid([[with_two_axes(value) for value in blocks]])
