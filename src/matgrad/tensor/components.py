"""The factors of a contraction in groups that are connected by labels."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeVar

T = TypeVar("T")
Labels = tuple[int, ...]


def components(operands: Iterable[tuple[T, Labels]], cut: Collection[int] = ()) -> list[list[tuple[T, Labels]]]:
    """The operands in groups that share labels, ``cut`` not counted.

    >>> components([("u", (0,)), ("A", (1, 2)), ("v", (0,)), ("x", (2,))])
    [[('u', (0,)), ('v', (0,))], [('A', (1, 2)), ('x', (2,))]]
    """
    groups: list[tuple[set[int], list[tuple[T, Labels]]]] = []
    for operand, labels in operands:
        own, members = set(labels).difference(cut), [(operand, labels)]
        for group in [g for g in groups if g[0] & own]:
            groups.remove(group)
            own |= group[0]
            members = group[1] + members
        groups.append((own, members))
    return [members for _, members in groups]


def columns_and_rows(subscripts: Iterable[Labels], out: Labels) -> int:
    """How many groups of factors have axes of the result: of a matrix that is a column times a row, two."""
    groups = components([(None, labels) for labels in subscripts])
    return sum(any(x in labels for _, labels in group for x in out) for group in groups)
