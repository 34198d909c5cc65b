"""What a repair is: a fault that explains a wrong answer, and the answer that is tried."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from matgrad.diagnosing.testing import Bench, Values
from matgrad.formula.syntax import Expr, walk

MOST_OF_KIND, MOST = 4_500, 13_000
"""Parts that the trees tried may have between them, for one kind of mistake and for all: no verdict depends on time."""


class Allowance:
    """What may still be tried: of the kind that has begun, and of all."""

    def __init__(self) -> None:
        self.left, self.of_kind = MOST, MOST_OF_KIND

    def begin(self) -> None:
        self.of_kind = MOST_OF_KIND

    def spend(self, tree: Expr) -> bool:
        """Whether more may be tried, after this tree."""
        size = sum(1 for _ in walk(tree))
        self.left -= size
        self.of_kind -= size
        return self.left > 0 and self.of_kind > 0


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
    allowance: Allowance
    variable: str = ""


def proposals(wrong: Wrong, changes: Iterator[tuple[Expr, Expr | None]]) -> Iterator[tuple[Expr, Expr | None]]:
    """The changed trees that give the truth, as far as the allowance goes."""
    wrong.allowance.begin()
    seen: set[Expr] = set()
    for tree, part in changes:
        if tree in seen:
            continue
        seen.add(tree)
        if wrong.bench.matches(wrong.bench.values_of(tree)):
            yield tree, part
        if not wrong.allowance.spend(tree):
            return


def first(wrong: Wrong, kind: str, changes: Iterator[tuple[Expr, Expr | None]]) -> Fault | None:
    for tree, part in proposals(wrong, changes):
        return Fault(kind, part, tree)
    return None
