"""How large arrays must be for every index to lie within them: ``x[2:5]`` needs length(x) ≥ 5, ``x[3:n]`` n ≥ 2."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from matgrad.dims import ONE, Dim
from matgrad.errors import DataError
from matgrad.formula.sizes import size_of
from matgrad.formula.syntax import Expr, Program, index_items, walk


class Range(NamedTuple):
    """The positions first … last of an axis; ``single`` for one position."""

    first: Dim
    last: Dim
    size: Dim
    single: bool

    @property
    def gaps(self) -> tuple[Dim, Dim, Dim]:
        """What is not negative where it lies within its axis; a range may be empty, then last = first - 1."""
        return (self.first - ONE, self.last - self.first + ONE, self.size - self.last)

    def __str__(self) -> str:
        return f"{self.first}" if self.single else f"{self.first}:{self.last}".replace(" ", "")


def range_of(item: object, size: Dim) -> Range | None:
    """One item of an index whose formulas are sizes; None for all of the axis."""
    if item is None:
        return None
    first, last = item if isinstance(item, tuple) else (item, item)
    start, stop = (Dim.of(end) if isinstance(end, int) else end for end in (first, last))
    return Range(start, stop, size, not isinstance(item, tuple))


def ranges(program: Program) -> Iterator[Range]:
    """All positions and ranges of a typed program that do not lie within their axis whatever its size is."""
    for part in (*(value for _, value in program.definitions), program.body):
        for node in walk(part):
            if node.op == "index":
                found = [range_of(item, size) for item, size in zip(_items(node), node.args[0].dims, strict=True)]
                yield from (r for r in found if r is not None and not all(gap.is_nonnegative for gap in r.gaps))
            elif node.op == "call" and node.value.name == "unit" and node.args[0].op == "number":
                place = Dim.of(int(node.args[0].value))
                if not (node.dims[0] - place).is_nonnegative:
                    yield Range(place, place, node.dims[0], True)


def _items(node: Expr) -> list[object]:
    bounds = [size_of(bound, lambda part: part.dims) for bound in node.args[1:]]
    return index_items(node, bounds)


def only_components(nodes: Sequence[Expr]) -> dict[str, Dim]:
    """Names that occur only as ``x[1]``, ``x[2:5]`` or ``x[2:n]``, with their largest index, where there is one."""
    found: dict[str, list[Dim | None]] = {}
    for node in nodes:
        if node.op == "index" and node.args[0].op == "name" and len(node.value) == 1 and node.value[0] is not None:
            bounds = [None if _uses_arrays(bound) else size_of(bound, lambda _: ()) for bound in node.args[1:]]
            (item,) = index_items(node, bounds)
            last = item[1] if isinstance(item, tuple) else item
            found.setdefault(node.args[0].value, []).append(Dim.of(last) if isinstance(last, int) else last)
    if not found:
        return {}
    total = Counter([node.value for node in nodes if node.op == "name"])
    ends = {name: _largest(places) for name, places in found.items() if len(places) == total[name]}
    return {name: end for name, end in ends.items() if end is not None}


def _largest(ends: Sequence[Dim | None]) -> Dim | None:
    """The one that is at least as large as each of the others, for all sizes that are large enough."""
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        return None
    return next((end for end in known if all((end - other).is_nonnegative_at_last for other in known)), None)


def _uses_arrays(bound: Expr) -> bool:
    return any(part.op == "call" for part in walk(bound))


def check_ranges(found: Iterable[Range], sizes: Mapping[str, int]) -> None:
    """Raise DataError where a range does not lie within its axis."""
    for r in found:
        if any(gap.names <= sizes.keys() and gap.evaluate(sizes) < 0 for gap in r.gaps):
            first, last, size = (d.evaluate(sizes) if d.names <= sizes.keys() else d for d in r[:3])
            shown = f"{first}" if r.single else f"{first}:{last}"
            written = f", {r}," if r.first.names | r.last.names else ""
            raise DataError(f"the index {shown}{written} does not lie within 1:{size}")
