"""Indices and slices, counted from 0 and with open ends, as in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index as whole
from types import EllipsisType

from matgrad.dims import Dim
from matgrad.errors import NotSupported, ShapeError
from matgrad.objects.comparison import Test
from matgrad.objects.stacking import stack
from matgrad.objects.value import Axes, Picked, Place, Value, as_dim, index, shown, squeezed

Item = int | slice | list[int] | None | EllipsisType


def pick(value: Value, given: object) -> Value:
    """``value[given]``.

    >>> from matgrad.formula.syntax import Expr, Type
    >>> x = Value(Expr("name", value="x", type=Type("vector", (Dim.of(5),))))
    >>> pick(x, slice(1, -1)).expr.value
    ((2, 4),)
    """
    items = _complete(value, given if isinstance(given, tuple) else (given,))
    for place, item in enumerate(items):
        if isinstance(item, list) or (isinstance(item, slice) and item.step is not None and whole(item.step) != 1):
            return _one_by_one(value, items, place)
    picked: list[Picked] = [None] * value.order
    kept: list[int | None] = []
    position = 0
    for item in items:
        if item is None:
            kept.append(None)
            continue
        assert not isinstance(item, list)
        axis, dim = value.axes[position], value.sizes[position]
        choice = _choice(item, dim, value)
        if axis is None:
            if isinstance(choice, tuple) and choice != (1, 1):
                raise ShapeError("this range is outside of an axis of size 1", details=shown(value))
        else:
            picked[axis] = choice
        if not isinstance(choice, Place):
            kept.append(axis)
        position += 1
    return _picked(value, picked, kept)


def _one_by_one(value: Value, items: Sequence[Item], place: int) -> Value:
    """A list of indices, or a slice with a step: what it takes, one by one, in a stack."""
    positions = _positions(items[place], value.sizes[sum(one is not None for one in items[:place])], value)
    if not 0 < len(positions) <= MOST:
        raise NotSupported(
            f"this index takes 1 to {MOST} entries one by one, not {len(positions)}", details=shown(value)
        )
    if any(isinstance(one, list) for one in items[place + 1 :]):
        raise NotSupported(
            "two lists of indices at once are not supported",
            details=shown(value),
            hint="X[[0, 2]][:, [1, 3]] for rows and columns, np.stack([X[0, 1], X[2, 3]]) for entries",
        )
    parts = [pick(value, (*items[:place], k, *items[place + 1 :])) for k in positions]
    return stack(parts, sum(not isinstance(one, int) for one in items[:place]))


def _positions(item: Item, dim: Dim, value: Value) -> Sequence[int]:
    if isinstance(item, list):
        return item
    assert isinstance(item, slice)
    if dim.number is None:
        raise NotSupported(
            f"a slice with a step needs a size that is a number, and this axis has {dim}",
            details=shown(value),
            hint='np.stack([x[0], x[2], x[4]]), or sizes as numbers, such as vector("x", 5)',
        )
    return range(*item.indices(dim.number))


MOST = 64
"""Entries that a list, or a slice with a step, may take: each is written out."""


def _picked(value: Value, picked: Sequence[Picked], kept: Sequence[int | None]) -> Value:
    if all(item is None for item in picked):
        return value.but(value.expr, tuple(kept))
    if value.order > 2:
        raise NotSupported("an array of three axes cannot be indexed", hint='np.einsum("ijk,k->ij", T, x)')
    rest = [axis for axis, item in enumerate(picked) if not isinstance(item, Place)]
    axes: Axes = tuple(None if axis is None else rest.index(axis) for axis in kept)
    return value.but(index(value.expr, picked), axes)


def ranges(value: Value, given: Sequence[Picked]) -> Value:
    """Places and ranges axis by axis, counted from 1 as in the language; sizes may stand in them."""
    picked: list[Picked] = [None] * value.order
    kept: list[int | None] = []
    for axis, one in zip(value.axes, given, strict=True):
        first, last = ((_plain(end) for end in one) if isinstance(one, tuple) else (_plain(one), None))  # fmt: skip
        single = first == last or last is None  # one row or column, which stays one if it is a range
        if axis is None and one is not None and not (single and first == 1):
            raise ShapeError("this range is outside of an axis of size 1", details=shown(value))
        if axis is not None and first is not None:
            picked[axis] = first if single or last is None else (first, last)
        if one is None or isinstance(one, tuple):
            kept.append(None if one is not None and single else axis)
    return _picked(value, picked, kept)


def _plain(place: Picked) -> Place | None:
    assert not isinstance(place, tuple)
    return place.number if isinstance(place, Dim) and place.number is not None else place


def _complete(value: Value, given: Sequence[object]) -> list[Item]:
    """The items with ``...`` and what is left out at the end as full slices."""
    items: list[Item] = []
    for one in given:
        if one is None or isinstance(one, slice | EllipsisType):
            items.append(one)
            continue
        if _is_list_of_indices(one):
            items.append([whole(k) for k in one])  # type: ignore[attr-defined]
            continue
        if isinstance(one, bool | Value | Test) or not hasattr(one, "__index__"):
            _no_choice(one)
        try:
            items.append(whole(one))  # type: ignore[arg-type]
        except TypeError:
            _no_choice(one)
    count = sum(1 for item in items if item is not None and item is not Ellipsis)
    if count > len(value.axes):
        raise ShapeError(f"{count} indices are given for {len(value.axes)} axes", details=shown(value))
    if sum(1 for item in items if item is Ellipsis) > 1:
        raise ShapeError("an index can have only one ...")
    if Ellipsis not in items:
        items.append(Ellipsis)
    place = items.index(Ellipsis)
    return [*items[:place], *[slice(None)] * (len(value.axes) - count), *items[place + 1 :]]


def _is_list_of_indices(given: object) -> bool:
    """[0, 2, -1], as a list or an array; a list of truths is a mask."""
    if not isinstance(given, list) and getattr(given, "ndim", 0) != 1:
        return False
    return not isinstance(given, Value | Test) and all(
        hasattr(k, "__index__") and not isinstance(k, bool | Value | Test)
        for k in given  # type: ignore[attr-defined]
    )


def _no_choice(given: object) -> int:
    raise NotSupported(
        f"an index is a whole number, a list of them, a slice or None, not {type(given).__name__}",
        hint="np.where(x > 0, x, 0).sum() for x[x > 0].sum(); X[[0, 2]][:, [1, 3]] for X[np.ix_([0, 2], [1, 3])]",
    )


def _choice(item: int | slice | EllipsisType, dim: Dim, value: Value) -> Picked:
    if isinstance(item, slice):
        return _range(item, dim, value)
    assert isinstance(item, int)
    number = dim.number
    if number is None and item < 0:
        return _from_the_end(item + 1, dim)
    if number is not None and not -number <= item < number:
        raise IndexOutside(f"the index {item} is outside of an axis of size {number}", details=shown(value))
    return item + 1 + (number if number is not None and item < 0 else 0)


class IndexOutside(ShapeError, IndexError):
    """An index that the array does not have: an IndexError as well, which ends Python's loops."""


def _from_the_end(places: int, dim: Dim) -> Place:
    """n + places: as a number, where it is one."""
    place = _plain(dim + Dim.of(places))
    assert place is not None
    return place


def _range(item: slice, dim: Dim, value: Value) -> tuple[Place, Place] | None:
    start, stop = (None if part is None else whole(part) for part in (item.start, item.stop))
    if start in (None, 0) and stop is None:
        return None
    number = dim.number
    first: Place
    last: Place
    if number is None:
        first = _from_the_end(start + 1, dim) if start is not None and start < 0 else (start or 0) + 1
        last = _from_the_end(stop or 0, dim) if stop is None or stop < 0 else stop
    else:
        first, last = slice(start, stop).indices(number)[0] + 1, slice(start, stop).indices(number)[1]
    if not (as_dim(last) - as_dim(first)).is_nonnegative_at_last:
        raise NotSupported("an empty slice has no formula", details=shown(value))
    return (first, last) if (first, last) != (1, number) else None


def squeeze(value: Value, axes: Sequence[int] | None = None) -> Value:
    """Without the axes of size 1, or without these ones."""
    positions = range(len(value.axes)) if axes is None else axes
    found = squeezed(value, list(positions))
    for k in positions:
        if axes is not None and found.axes[k] is not None:
            raise ShapeError(f"axis {k} has not size 1", details=shown(value))
    return found.but(found.expr, tuple(a for k, a in enumerate(found.axes) if k not in positions or a is not None))
