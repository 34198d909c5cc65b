"""What is said of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

KINDS = (
    "sign", "constant-factor", "wrong-layout", "shape-mismatch", "inverse-not-transposed", "missing-transpose",
    "only-valid-if-symmetric", "missing-symmetric-term", "wrong-order-of-matrix-product",
    "elementwise-vs-matrix-product", "forgot-chain-rule-factor", "missing-term", "extra-term", "unknown",
)  # fmt: skip
"""Kinds of mistakes, in the order in which the first that fits is taken."""


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and what is wrong with it.

    ``correct`` is None where it could not be decided. ``kind`` is one of ``KINDS``, ``"unusual-form"`` for a right
    answer in another form than the printed one, or None; ``also`` holds other kinds that fit as well. ``condition`` is
    what makes the answer right, where something does; ``message`` explains, and ``correction`` is the right answer, as
    near to the one given as possible. ``value`` is a constant factor, or the coefficient of a missing term.
    """

    correct: bool | None
    kind: str | None
    message: str
    correction: str
    also: tuple[str, ...] = ()
    condition: str = ""
    value: str = ""

    def __str__(self) -> str:
        return self.message

    def to_dict(self) -> dict[str, Any]:
        return {
            "correct": self.correct, "kind": self.kind, "also": list(self.also), "condition": self.condition,
            "value": self.value, "message": self.message, "correction": self.correction,
        }  # fmt: skip
