"""A proof: a claim about a part of the formula, the rule that shows it, and the proofs that the rule rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from matgrad.tensor.nodes import Node

SAID = {
    "psd": "positive semidefinite",
    "spd": "positive definite",
    "matrix convex": "convex in the matrix order",
    "matrix concave": "concave in the matrix order",
}
"""Properties whose names are not the words for them. Of a matrix, X ⪯ Y says that Y − X is positive semidefinite."""
DEEPEST = 12
"""Levels of a proof that are printed."""


@dataclass(frozen=True)
class Proof:
    """That ``node`` is what is claimed: because of ``reason``, resting on ``premises``."""

    claim: str
    node: Node
    reason: str
    premises: tuple[Proof, ...] = ()

    @property
    def said(self) -> str:
        return SAID.get(self.claim, self.claim)

    @property
    def is_plain(self) -> bool:
        """Whether nobody needs to be told: the variable is affine, a constant constant."""
        return not self.premises and (self.claim == "constant" or self.reason == "the variable")

    def lines(self, text: Callable[[Node], str], depth: int = 0) -> Iterator[str]:
        """The proof as an indented list, every claim once."""
        yield from self._lines(text, depth, set())

    def _lines(self, text: Callable[[Node], str], depth: int, told: set[tuple[str, Node]]) -> Iterator[str]:
        told.add((self.claim, self.node))
        yield f"{'  ' * depth}{text(self.node)} is {self.said}: {self.reason}"
        if depth < DEEPEST:
            for premise in self.premises:
                if (premise.claim, premise.node) not in told and not premise.is_plain:
                    yield from premise._lines(text, depth + 1, told)

    def to_dict(self, text: Callable[[Node], str]) -> dict[str, Any]:
        premises = [p.to_dict(text) for p in self.premises]
        return {"claim": f"{text(self.node)} is {self.said}", "because": self.reason, "premises": premises}
