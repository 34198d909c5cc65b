"""What a card's signature says: ``"ij,kl->(ik)(jl)"`` as axes of the arguments and of the result.

>>> signature("ij->j'").result
Side(axes=('j',), any=False, row=True)
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from matgrad.formula.syntax import MATRIX, ROW, SCALAR, TENSOR, VECTOR
from matgrad.functions import Card

KINDS_BY_ORDER = (SCALAR, VECTOR, MATRIX)
VALUE_CONSTRUCTORS = frozenset({"vector", "matrix", "unit"})
TRIANGLES = frozenset({"tril", "triu"})
SIZES_OF = frozenset({"rows", "cols", "length"})


class Side(NamedTuple):
    """One argument or the result: its axes, each the letters whose dimensions it multiplies."""

    axes: tuple[str, ...]
    any: bool = False
    row: bool = False

    @property
    def kind(self) -> str:
        return ROW if self.row else kind_of_order(len(self.axes))


class Signature(NamedTuple):
    args: tuple[Side, ...]
    result: Side


def kind_of_order(order: int) -> str:
    return KINDS_BY_ORDER[order] if order < 3 else TENSOR


@lru_cache(maxsize=256)
def signature(text: str) -> Signature:
    left, right = text.split("->")
    return Signature(tuple(_side(part) for part in left.split(",")), _side(right))


def _side(text: str) -> Side:
    axes = tuple(part.strip("()") for part in re.findall(r"\([a-z]+\)|[a-z]", text))
    return Side(axes, text == "*", text.endswith("'"))


def alternatives(card: Card, dim: int | None, count: int) -> list[Signature]:
    """The signatures of a card that take so many arguments."""
    return [s for s in map(signature, card.signatures.get(dim, ())) if len(s.args) == count]


def is_sized(card: Card) -> bool:
    """Whether the card makes a constant whose arguments, if any, are its sizes."""
    return card.family == "constructor" and card.name not in VALUE_CONSTRUCTORS and card.name not in SIZES_OF


def constructed(card: Card, count: int) -> list[Side]:
    """What a constructor may make of so many sizes (or, without sizes, of its context)."""
    results = [signature(text).result for text in card.signatures[None]]
    if card.numpy.count("#") not in (0, count):
        return []  # its code says how many it takes
    if count == 0 or card.name in VALUE_CONSTRUCTORS:
        return [r for r in results if len(r.axes) <= 2]
    exact = [r for r in results if len(set("".join(r.axes))) == count]
    return exact or [r for r in results if len(set(r.axes)) == 1 and count == 2 and "->ii" in card.signatures[None]]
