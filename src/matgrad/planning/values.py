"""What a node of the graph is in a plan: a step, and which of its axes are which of the node's.

A node whose values repeat along an axis, or that is zero off a diagonal, is kept without that axis, and without the
zeros, until something needs the whole array.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matgrad.planning.steps import Step


class Value(NamedTuple):
    """``labels`` name the axes of the step, each once; ``out`` those of the node.

    A label of ``out`` that the step does not have is broadcast; one that occurs twice is a diagonal.
    """

    step: Step
    labels: tuple[int, ...]
    out: tuple[int, ...]

    def renamed(self, axes: Sequence[int]) -> Value:
        """With the axes of the node so named; the first name of a diagonal counts."""
        table: dict[int, int] = {}
        for label, axis in zip(self.out, axes, strict=True):
            table.setdefault(label, axis)
        return Value(self.step, tuple(table[x] for x in self.labels), tuple(table[x] for x in self.out))


def labelled(step: Step) -> Value:
    """A whole array."""
    labels = tuple(range(len(step.shape)))
    return Value(step, labels, labels)
