"""What is known of a node for certain, by one composition rule per kind: yes, no or unknown, and why.

``Fact`` cannot be used as a bool by accident: ask ``is Fact.YES``. ``why`` gives the rule that shows a fact, with its
premises, so that a proof can be told.
"""

from __future__ import annotations

from matgrad.tensor.facts import definite as _definite  # noqa: F401  (its rules)
from matgrad.tensor.facts import signs as _signs  # noqa: F401
from matgrad.tensor.facts.reasons import Fact, Why, facts_of, holds, of_function, why
from matgrad.tensor.nodes import Node

__all__ = ["Fact", "Why", "facts_of", "invertible", "nonnegative", "of_function", "positive", "psd", "spd", "why"]


def positive(node: Node) -> Fact:
    """Whether every entry is > 0."""
    return _known(node, "positive")


def nonnegative(node: Node) -> Fact:
    """Whether every entry is ≥ 0."""
    return _known(node, "nonnegative")


def psd(node: Node) -> Fact:
    """Whether a matrix is symmetric and positive semidefinite."""
    return _known(node, "psd")


def spd(node: Node) -> Fact:
    """Whether a matrix is symmetric and positive definite."""
    return _known(node, "spd")


def invertible(node: Node) -> Fact:
    """Whether a square matrix has an inverse, for every value of its variables."""
    return _known(node, "invertible")


def _known(node: Node, property: str) -> Fact:
    return Fact.YES if holds(node, property) else Fact.UNKNOWN
