"""The index patterns of einsum: letters for axes, and groups for axes that are fused.

``"ij,kl->(ik)(jl)"`` is the Kronecker product: (ik) is one axis on which i varies slowest. A fused axis of an
operand is split, and one of the result is joined.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

from matgrad.dims import Dim

S = TypeVar("S")
_AXIS = re.compile(r"\(([^()]+)\)|([^()])")


@lru_cache(maxsize=1024)
def axes(part: str) -> tuple[str, ...]:
    """The letters of each axis.

    >>> axes("i(jk)")
    ('i', 'jk')
    """
    return tuple(a or b for a, b in _AXIS.findall(part))


@lru_cache(maxsize=1024)
def split(pattern: str) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    """The axes of each operand, and those of the result."""
    left, _, right = pattern.partition("->")
    return tuple(axes(part) for part in left.split(",")), axes(right)


def is_fused(pattern: str) -> bool:
    return "(" in pattern


def plain(pattern: str) -> str:
    """The pattern after fused axes have been split: without brackets."""
    return pattern.replace("(", "").replace(")", "")


def letter_sizes(pattern: str, operands: Sequence[Sequence[Dim]], result: Sequence[Dim]) -> dict[str, Dim]:
    """The dimension of every letter that stands alone somewhere."""
    inside, out = split(pattern)
    sizes: dict[str, Dim] = {}
    for letters, dims in zip((*inside, out), (*operands, result), strict=True):
        sizes.update({axis: dim for axis, dim in zip(letters, dims, strict=True) if len(axis) == 1})
    return sizes


def split_shapes(pattern: str, size: Callable[[str], S]) -> list[tuple[S, ...] | None]:
    """For each operand the shape that splits its fused axes, or None where it has none."""
    return [
        tuple(size(letter) for axis in letters for letter in axis) if any(len(a) > 1 for a in letters) else None
        for letters in split(pattern)[0]
    ]
