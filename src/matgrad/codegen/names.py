"""Sizes and names of generated functions: which argument shows a size, and which size must be one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from matgrad.codegen.python_text import words
from matgrad.dims import Dim


class Argument(NamedTuple):
    """An array that a generated function takes."""

    name: str
    dims: tuple[Dim, ...]


def spelled(dim: Dim, names: Mapping[str, str]) -> str:
    """A dimension in Python: ``m*n + 1``."""
    terms = ["*".join([str(c)] * (c != 1 or not k) + [names[n] for n in k]) for k, c in reversed(dim.terms)]
    return " + ".join(terms).replace("+ -", "- ") or "0"


def size_lines(arguments: Iterable[Argument], names: Mapping[str, str], used: str) -> tuple[list[str], set[str]]:
    """``n = x.shape[0]`` for each size that the text uses, and the sizes that some argument shows.

    They are read off arguments that the text uses anyway, where these show them.
    """
    found: dict[str, str] = {}
    there = words(used)
    for argument in sorted(
        arguments, key=lambda a: (max((len(d.terms) for d in a.dims), default=0), names[a.name] not in there)
    ):
        for axis, dim in enumerate(argument.dims):
            for name in sorted(dim.names - found.keys()):
                solved = _solved(dim, name, f"{names[argument.name]}.shape[{axis}]", names)
                if solved is not None and dim.names - {name} <= found.keys():
                    found[name] = solved
    needed, kept = words(used), []
    for name, text in reversed(found.items()):
        if names[name] in needed:
            kept.append(f"{names[name]} = {text}")
            needed |= words(text)
    return kept[::-1], set(found)


def _solved(dim: Dim, name: str, shape: str, names: Mapping[str, str]) -> str | None:
    """``name`` from ``dim = shape``, where dim is name times known names, plus known terms."""
    containing = [(key, count) for key, count in dim.terms if name in key]
    if len(containing) != 1 or containing[0][0].count(name) != 1:
        return None
    key, count = containing[0]
    rest = [(k, c) for k, c in dim.terms if name not in k]
    factors = [*map(str, [count] * (count != 1)), *(names[k] for k in key if k != name)]
    left = shape if not rest else f"({shape} - ({spelled(Dim(dict(rest)), names)}))"
    if not factors:
        return left[1:-1] if rest else left
    return f"{left} // {factors[0] if len(factors) == 1 else '(' + '*'.join(factors) + ')'}"
