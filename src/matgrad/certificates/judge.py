"""Convex, concave, affine: judged bottom up by rules of composition, in the manner of disciplined convex programming.

A judge holds the variables; everything else is a constant, at any value that its declaration allows. A judgement is a
proof or None. There are four kinds, each with its list of rules, which stand in ``rules``:

* ``affine``;
* ``bent``: convex (sign +1) or concave (−1), entry by entry;
* ``log_bent``: the logarithm of a positive node is convex or concave;
* ``matrix_bent``: a symmetric matrix is convex or concave in the order X ⪯ Y.

All hold on every convex set on which the node, and all nodes below it, have a value. Source of the rules: Boyd and
Vandenberghe, Convex Optimization, 2004, chapter 3; Grant, Boyd and Ye 2006 for the discipline.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

from matgrad.certificates.proof import Proof
from matgrad.tensor.builders import is_symmetric, scaled
from matgrad.tensor.facts import why
from matgrad.tensor.nodes import Node, topological

CONVEX, CONCAVE = 1, -1
WORDS = {CONVEX: "convex", CONCAVE: "concave"}
BUDGET = 4000
"""Applications of rules after which a judge gives up: what is not shown by then is unknown."""


@dataclass(frozen=True)
class Rule:
    """One rule of composition. ``examples`` are pairs of a formula with declarations, and what the rule shows."""

    name: str
    law: str
    source: str
    examples: tuple[tuple[str, str, str], ...]
    apply: Callable[..., Proof | None]


RULES: dict[str, list[Rule]] = {"affine": [], "bent": [], "log_bent": [], "matrix_bent": []}
F = TypeVar("F", bound=Callable[..., "Proof | None"])


def rule(
    kind: str, name: str, law: str, *, source: str, examples: tuple[tuple[str, str, str], ...]
) -> Callable[[F], F]:
    """Registers the function below: (judge, node) or (judge, node, sign) → proof or None."""

    def register(function: F) -> F:
        RULES[kind].append(Rule(name, law, source, examples, function))
        return function

    return register


class Judge:
    """Judgements about nodes, as functions of the given variables. ``given`` holds what is known on the domain."""

    def __init__(self, variables: Collection[Node], given: Collection[tuple[str, Node]] = ()) -> None:
        self.variables = frozenset(variables)
        self.given = frozenset(given)
        self._budget = BUDGET
        self._varies: dict[Node, bool] = {}
        self._done: dict[tuple[str, Node, int], Proof | None] = {}

    def varies(self, node: Node) -> bool:
        """Whether the node depends on a variable."""
        if node not in self._varies:
            for part in topological(node):
                if part not in self._varies:
                    below = any(self._varies[child] for child in part.children)
                    self._varies[part] = below or part in self.variables
        return self._varies[node]

    def judge(self, root: Node, sign: int) -> Proof | None:
        """As ``bent``, children first, so that deep formulas need no deep recursion."""
        for node in topological(root):
            if self.varies(node):
                self.bent(node, CONVEX)
                self.bent(node, CONCAVE)
        return self.bent(root, sign)

    def affine(self, node: Node) -> Proof | None:
        if not self.varies(node):
            return Proof("constant", node, "it does not depend on the variables")
        return self._first("affine", node, 0)

    def bent(self, node: Node, sign: int) -> Proof | None:
        """Convex (sign +1) or concave (−1), entry by entry."""
        return self.affine(node) or self._first("bent", node, sign)

    def log_bent(self, node: Node, sign: int) -> Proof | None:
        """Positive, with a logarithm that is convex or concave, entry by entry."""
        if not self.varies(node):
            return self.fact(node, "positive")
        return self._first("log_bent", node, sign)

    def matrix_bent(self, node: Node, sign: int) -> Proof | None:
        """Symmetric, and convex or concave in the order of symmetric matrices."""
        if not is_symmetric(node):
            return None
        return self.affine(node) or self._first("matrix_bent", node, sign)

    def _first(self, kind: str, node: Node, sign: int) -> Proof | None:
        key = (kind, node, sign)
        if key not in self._done:
            self._done[key] = None  # while it is being judged: no proof rests on itself
            self._done[key] = self._tried(kind, node, sign)
        return self._done[key]

    def _tried(self, kind: str, node: Node, sign: int) -> Proof | None:
        for entry in RULES[kind]:
            self._budget -= 1
            if self._budget < 0:
                return None
            found = entry.apply(self, node, sign) if sign else entry.apply(self, node)
            if found is not None:
                return found
        return None

    # -- facts

    def fact(self, node: Node, property: str) -> Proof | None:
        """A proof that the node is positive, nonnegative, psd, spd or invertible."""
        if (property, node) in self.given or (property == "nonnegative" and ("positive", node) in self.given):
            if property == "spd":
                parts = tuple(p for p in (fact(node, "psd"),) if p is not None)
                return Proof(property, node, "semidefinite, and its determinant is not 0 where there is a value", parts)
            return Proof(property, node, "by its place in the formula")
        return fact(node, property)

    def sign(self, node: Node) -> tuple[int, Proof] | None:
        """+1 with a proof that the node is nonnegative, −1 with one that it is nonpositive."""
        for sign in (1, -1):
            found = self.fact(scaled(node, sign), "nonnegative")
            if found is not None:
                return sign, found
        return None


def fact(node: Node, property: str) -> Proof | None:
    """The proof of a fact of the tensor graph."""
    found = why(node, property)
    if found is None:
        return None
    premises = [fact(part, of) for of, part in found.premises]
    return Proof(property, node, found.reason, tuple(p for p in premises if p is not None))
