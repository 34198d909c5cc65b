"""Shapes: reshaping, swapping and adding axes, constants of a shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from matgrad.dims import Dim
from matgrad.errors import MatgradError, NotSupported, ShapeError
from matgrad.objects import linear
from matgrad.objects.elementwise import multiply
from matgrad.objects.inputs import as_value
from matgrad.objects.linear import ravel, transpose
from matgrad.objects.names import Names, dim_of, joined, size
from matgrad.objects.reductions import axis_numbers
from matgrad.objects.value import Value, eye, literal, ones, shown


def dimension(given: Any) -> Dim:
    """A size as a number, a name, or an entry of a shape."""
    if isinstance(given, Value):
        found = dim_of(given.expr, given.names.declared)
        if found is not None:
            return found
    elif isinstance(given, str) and given.isidentifier():
        return Dim.of(given)
    if isinstance(given, int) and not isinstance(given, bool) and given > 0:
        return Dim.of(given)
    raise MatgradError(f"a size is a whole number, a name or an entry of x.shape, not {given!r}")


def dimensions(given: Any) -> list[Dim]:
    return [dimension(one) for one in (given if isinstance(given, list | tuple) else [given])]


def names_of(sizes: Any) -> Names:
    """The variables whose sizes these are."""
    given = sizes if isinstance(sizes, list | tuple) else [sizes]
    return joined([Names(), *(one.names for one in given if isinstance(one, Value))])


def reshape(value: Value, *shape: Any, order: str = "C") -> Value:
    """To a vector, a column or a row, where -1 is the length; or to the shape that it has."""
    wanted = shape[0] if len(shape) == 1 else shape
    given = tuple(wanted) if isinstance(wanted, list | tuple) else (wanted,)
    dims = [None if isinstance(one, int) and one == -1 else dimension(one) for one in given]
    if tuple(dims) == value.sizes:
        return value
    flat = ravel(value, order)
    long = [k for k, dim in enumerate(dims) if dim in (None, flat.sizes[0])]
    rest = [dim for k, dim in enumerate(dims) if not long or k != long[0]]
    if long and len(dims) <= 2 and all(dim == Dim.of(1) for dim in rest):
        return flat.but(flat.expr, tuple(flat.axes[0] if k == long[0] else None for k in range(len(dims))))
    raise NotSupported(
        "only reshaping to a vector, a column or a row has a formula",
        details=f"{shown(value)}\nthe default order C reads row by row, vec stacks columns: X.ravel() is vec(X')",
        hint='x.reshape(-1), x.reshape(-1, 1), x.reshape(1, -1), or X.ravel(order="F") for vec(X)',
    )


def permuted(value: Value, axes: Sequence[int] | None = None) -> Value:
    """np.transpose."""
    if axes is None:
        return transpose(value)
    order = [axis_numbers(value, axis)[0] for axis in axes]
    if sorted(order) != list(range(len(value.axes))):
        raise ShapeError(f"{tuple(axes)} does not name each axis once", details=shown(value))
    return linear.permuted(value, order)


def swapped(value: Value, first: int, second: int) -> Value:
    """np.swapaxes."""
    (a,), (b,) = axis_numbers(value, first), axis_numbers(value, second)
    return linear.permuted(value, [{a: b, b: a}.get(k, k) for k in range(len(value.axes))])


def moved(value: Value, source: int | Sequence[int], destination: int | Sequence[int]) -> Value:
    """np.moveaxis: the other axes keep their order."""
    places = [[g] if isinstance(g, int) else list(g) for g in (source, destination)]
    taken, given = ([axis_numbers(value, k)[0] for k in one] for one in places)
    if len(set(taken)) != len(places[0]) or len(set(given)) != len(taken) or len(places[1]) != len(taken):
        raise ShapeError("np.moveaxis takes as many different axes as places for them", details=shown(value))
    order = [k for k in range(len(value.axes)) if k not in taken]
    for place, axis in sorted(zip(given, taken, strict=True)):
        order.insert(place, axis)
    return linear.permuted(value, order)


def expanded(value: Value, axis: int | Sequence[int]) -> Value:
    """np.expand_dims: new axes of size 1 at these places of the result."""
    places = [axis] if isinstance(axis, int) else list(axis)
    count = len(value.axes) + len(places)
    if not all(-count <= place < count for place in places) or len({p % count for p in places}) < len(places):
        raise ShapeError(f"new axes cannot stand at {axis}", details=shown(value))
    old = iter(value.axes)
    new = {place % count for place in places}
    return value.but(value.expr, tuple(None if k in new else next(old) for k in range(count)))


def broadcast_to(value: Value, shape: Any) -> Value:
    """Multiplied by ones of the shape."""
    found = multiply(value, full(shape, 1))
    if list(found.sizes) != dimensions(shape):
        raise ShapeError("this cannot be broadcast to the shape", details=shown(value))
    return found


def at_least(value: Value, count: int) -> Value:
    """np.atleast_1d and np.atleast_2d: new axes in front."""
    return value.but(value.expr, (None,) * (count - len(value.axes)) + value.axes)


def filled(value: Value, number: Value) -> Value:
    """An array of the shape of ``value``, all entries alike."""
    dims = [value.expr.dims[axis] for axis in range(value.order)]
    if len(dims) > 2:
        raise NotSupported("a constant array of three axes has no formula")
    constant = value.but(ones(*dims) if dims else literal(1).expr, value.axes)
    return multiply(number, constant)


def filled_like(number: int) -> Callable[[Value], Value]:
    return lambda value: filled(value, literal(number))


def full(shape: Any, number: Any) -> Value:
    """A vector or a matrix, all entries alike."""
    dims = dimensions(shape)
    if not 1 <= len(dims) <= 2:
        raise NotSupported("a constant array has one axis or two")
    return multiply(as_value(number), Value(ones(*dims), None, names_of(shape)))


def identity(n: Any, m: Any = None, k: int = 0) -> Value:
    if k or (m is not None and dimension(m) != dimension(n)):
        raise NotSupported("only the square identity has a formula", hint="np.eye(n, like=x)")
    return Value(eye(dimension(n)), None, names_of(n))


def shape(value: Value) -> tuple[Any, ...]:
    """The size of each axis: a number, or a scalar formula such as ``n``."""
    return tuple(d.number if d.number is not None else value.but(size(d)) for d in value.sizes)
