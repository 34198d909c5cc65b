"""Names for sizes that nobody named."""

from __future__ import annotations

from collections.abc import Iterable

from matgrad.dims import Dim
from matgrad.formula.sizes import Sizes, unknowns
from matgrad.formula.syntax import MATRIX, Type

_SIZE_NAMES = ("n", "m", "p", "q", "k", "r", "s", "t")


def name_sizes(sizes: Sizes, types: Iterable[Type], taken: set[str]) -> dict[str, Dim]:
    """Automatic names for unknown sizes, in the order of the types: n for one size, m and n for a first rectangle."""
    named: dict[str, Dim] = {}
    free = [name for name in _SIZE_NAMES if name not in taken]
    count = 0

    def take(wanted: str | None = None) -> Dim:
        nonlocal count
        if wanted is not None:
            free.remove(wanted)
            return Dim.of(wanted)
        if free:
            return Dim.of(free.pop(0))
        count += 1
        while f"n{count}" in taken:
            count += 1
        return Dim.of(f"n{count}")

    for type in types:
        resolved = [sizes.resolve(dim) for dim in type.dims]
        missing = list(dict.fromkeys(u for dim in resolved for u in unknowns(dim) if u not in named))
        rectangle = type.kind == MATRIX and len(missing) == 2 and "m" in free and "n" in free
        for place, unknown in enumerate(missing):
            named[unknown] = take("mn"[place]) if rectangle else take()
    return named
