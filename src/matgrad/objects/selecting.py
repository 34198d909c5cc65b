"""Entries in another order or another place: diagonals beside the main one, np.take, np.roll, np.flip, np.tile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from matgrad.errors import NotSupported, ShapeError
from matgrad.objects import linear
from matgrad.objects.indexing import MOST, pick
from matgrad.objects.reductions import axis_numbers
from matgrad.objects.shaping import full, shape
from matgrad.objects.stacking import concatenate, grid
from matgrad.objects.value import Value, clash, shown


def beside_the_diagonal(value: Value, offset: int) -> Value:
    """What has the diagonal with this offset as its main one: X[:-k, k:] above, X[k:, :-k] below.

    Only of a square matrix: of another, it depends on the sizes how long that diagonal is.
    """
    linear.square_matrix(value, "a diagonal")
    if not offset:
        return value
    late, early = slice(abs(offset), None), slice(None, -abs(offset))
    return pick(value, (early, late) if offset > 0 else (late, early))


def diagonal(value: Value, offset: int = 0) -> Value:
    return linear.diagonal(beside_the_diagonal(value, offset))


def trace(value: Value, offset: int = 0) -> Value:
    return linear.trace(beside_the_diagonal(value, offset))


def diag(value: Value, offset: int = 0) -> Value:
    """np.diag: the diagonal of a matrix, or the matrix with a vector on the diagonal with this offset."""
    if len(value.axes) != 1:
        return diagonal(value, offset)
    inner, k = linear.diag(value), abs(offset)
    if not k:
        return inner
    (n,) = shape(value)
    above, left, corner = full((n, k), 0), full((k, n), 0), full((k, k), 0)
    return grid([[above, inner], [corner, left]] if offset > 0 else [[left, corner], [inner, above]])


def take(value: Value, indices: Any, axis: int | None = None) -> Value:
    if axis is None:
        return pick(linear.ravel(value), indices)
    (place,) = axis_numbers(value, axis)
    return pick(value, (*[slice(None)] * place, indices))


def roll(value: Value, shift: int, axis: int | None = None) -> Value:
    """The last entries in front."""
    if axis is None and len(value.axes) != 1:
        raise NotSupported("np.roll of a matrix needs an axis", details=shown(value), hint="np.roll(X, 1, axis=0)")
    (place,) = axis_numbers(value, 0 if axis is None else axis)
    number = value.sizes[place].number
    shift = shift if number is None else shift % number
    if not shift:
        return value
    whole = [slice(None)] * place
    return concatenate([pick(value, (*whole, s)) for s in (slice(-shift, None), slice(None, -shift))], place)


def flip(value: Value, axis: int | tuple[int, ...] | None = None) -> Value:
    places = range(len(value.axes)) if axis is None else axis_numbers(value, axis)
    for place in places:
        value = pick(value, (*[slice(None)] * place, slice(None, None, -1)))
    return value


def repeated(function: Callable[[Value, int], Value], name: str) -> Callable[[Value, Any], Value]:
    """Of a vector, a whole number of times."""

    def of(value: Value, times: Any) -> Value:
        if len(value.axes) != 1:
            raise clash(f"np.{name} takes a vector here", value, hint="np.kron")
        if not isinstance(times, int) or not 1 <= times <= MOST:
            raise ShapeError(f"np.{name} takes a whole number from 1 to {MOST}, not {times!r}")
        return function(value, times) if times > 1 else value

    return of


tile = repeated(lambda value, times: concatenate([value] * times), "tile")
repeat = repeated(lambda value, times: linear.kron(value, full(times, 1)), "repeat")
