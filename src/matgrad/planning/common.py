"""Common factors of the terms of a sum: A·x + A·y is A·(x + y), one product for two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Constant, Einsum, Node

Term = tuple[Fraction, Node]
Labels = tuple[int, ...]


class Split(NamedTuple):
    """A term as a product of one matrix and the rest: where each axis of the matrix goes, and the rest.

    An axis goes to a place of the result, or to an axis of the rest, counted by negative numbers.
    """

    matrix: Node
    axes: Labels
    others: Labels
    rest: Node


def factored(terms: Sequence[Term], larger: Callable[[Node, Node], bool]) -> list[Term]:
    """Terms that share a matrix joined, each as often as possible; where the rest of one is larger than the term
    and than its own factors, it is not formed."""
    left = list(terms)
    found: list[Term] = []
    while left:
        factor, node = left.pop(0)
        for split in _splits(node):
            matches = [next((m for m in _splits(other) if _alike(split, m)), None) for _, other in left]
            shared = [b.scaled(m.rest, c) for (c, _), m in zip(left, matches, strict=True) if m is not None]
            rests = [split.rest, *(m.rest for m in matches if m is not None)]
            if not shared or any(_grows(rest) and larger(rest, node) for rest in rests):
                continue
            joined = _joined(split, b.add([b.scaled(split.rest, factor), *shared]), len(node.shape))
            if isinstance(joined, Einsum):  # else a law has taken it apart again
                left = [term for term, m in zip(left, matches, strict=True) if m is None]
                factor, node = Fraction(1), joined
                break
        found.append((factor, node))
    return found


def _grows(node: Node) -> bool:
    """Whether a product is larger than all of its factors."""
    return isinstance(node, Einsum) and not any({*node.out} <= {*labels} for labels in node.subscripts)


def _alike(one: Split, other: Split) -> bool:
    return one[:3] == other[:3]


def _splits(node: Node) -> list[Split]:
    """The ways to single out a matrix, none of whose places in the result the rest has too."""
    if not isinstance(node, Einsum) or len(node.operands) < 2 or len(set(node.out)) < len(node.out):
        return []
    found = []
    for i, (operand, labels) in enumerate(zip(node.operands, node.subscripts, strict=True)):
        rest = [(x, own) for j, (x, own) in enumerate(zip(node.operands, node.subscripts, strict=True)) if j != i]
        having = {x for _, own in rest for x in own}
        others = tuple(x for x in node.out if x not in labels)
        if (
            isinstance(operand, Constant)
            or len(labels) != 2
            or len(set(labels)) < 2
            or having & set(labels) & set(node.out)
            or not having >= {*others}
        ):
            continue
        summed = tuple(x for x in labels if x not in node.out)
        if not summed or not having >= set(summed) or len(summed) + len(others) > len(node.out):
            continue  # the rest must not be larger than the result
        axes = tuple(node.out.index(x) if x in node.out else -1 - summed.index(x) for x in labels)
        places = tuple(node.out.index(x) for x in others)
        found.append(Split(operand, axes, places, b.einsum(rest, summed + others, node.coefficient)))
    return found


def _joined(split: Split, rest: Node, order: int) -> Node:
    """matrix·rest, with so many axes."""
    summed = sum(axis < 0 for axis in split.axes)
    inner = tuple(order + k for k in range(summed))
    labels = tuple(axis if axis >= 0 else order - 1 - axis for axis in split.axes)
    return b.einsum([(split.matrix, labels), (rest, inner + split.others)], tuple(range(order)))
