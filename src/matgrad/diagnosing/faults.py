"""What a repair is: a fault that explains a wrong answer, and the answer that is tried."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from matgrad.diagnosing.testing import Bench, Values
from matgrad.formula.syntax import Expr

BUDGET, TOTAL = 0.12, 0.35
"""Seconds for the proposals of one kind, and for all."""


class Fault(NamedTuple):
    """One kind of mistake that explains an answer.

    ``part`` is what the fault is about (a factor, a term, a matrix), ``repaired`` the answer after the repair, where it
    is a tree; ``value`` a constant factor; ``condition`` when the answer is right after
    all; ``unit``: where ``part`` is 1.
    """

    kind: str
    part: Expr | None = None
    repaired: Expr | None = None
    value: Fraction | float | str | None = None
    condition: str = ""
    layout: str = ""
    unit: bool = False


class Wrong(NamedTuple):
    """An answer that is not the truth: its tree (typed where it has types), and its values."""

    bench: Bench
    tree: Expr
    typed: Expr | None
    values: Values | None
    square_gradient: bool
    start: float
    variable: str = ""

    def deadline(self) -> float:
        """Until when the kind that begins now may try."""
        return min(time.process_time() + BUDGET, self.start + TOTAL)


def proposals(wrong: Wrong, changes: Iterator[tuple[Expr, Expr | None]]) -> Iterator[tuple[Expr, Expr | None]]:
    """The changed trees that give the truth, within the budget of time."""
    stop = wrong.deadline()
    seen: set[Expr] = set()
    for tree, part in changes:
        if tree in seen:
            continue
        seen.add(tree)
        if wrong.bench.matches(wrong.bench.values_of(tree)):
            yield tree, part
        if time.process_time() > stop:
            return


def first(wrong: Wrong, kind: str, changes: Iterator[tuple[Expr, Expr | None]]) -> Fault | None:
    for tree, part in proposals(wrong, changes):
        return Fault(kind, part, tree)
    return None
