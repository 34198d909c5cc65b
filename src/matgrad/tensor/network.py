"""A contraction under construction: what laws read and change."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from matgrad.dims import Dim
from matgrad.errors import MatgradError
from matgrad.tensor.nodes import Einsum, Node
from matgrad.tensor.numbers import ONE, as_fraction, times
from matgrad.tensor.simple import primitive

FLATTEN = 24
"""Operands of one Einsum above which an inner Einsum stays a factor: long chains stay linear in cost."""


class IllegalNode(MatgradError):
    """A bug in matgrad: a node with shapes that do not fit."""


Operand = tuple[Node, tuple[int, ...]]


class Network:
    """A contraction under construction; laws read and change it."""

    __slots__ = ("_counts", "coefficient", "operands", "out", "sizes")

    def __init__(
        self, operands: list[Operand], out: tuple[int, ...], coefficient: Fraction, sizes: dict[int, Dim]
    ) -> None:
        self.operands = operands
        self.out = out
        self.coefficient = coefficient
        self.sizes = sizes
        self._counts: dict[int, int] | None = None

    def count(self, label: int) -> int:
        """How often a label occurs, in operands and in out."""
        if self._counts is None:
            self._counts = {}
            for labels in (self.out, *[subscript for _, subscript in self.operands]):
                for x in labels:
                    self._counts[x] = self._counts.get(x, 0) + 1
        return self._counts.get(label, 0)

    def replaced(
        self,
        remove: Sequence[int],
        add: Sequence[Operand] = (),
        *,
        merge: tuple[int, int] | None = None,
        drop: Sequence[int] = (),
        coefficient: Fraction | int = ONE,
    ) -> Network:
        """Without the operands at these positions, with others; two labels made one; labels no longer summed."""
        operands = [operand for i, operand in enumerate(self.operands) if i not in remove] + list(add)
        out = self.out
        sizes = {x: dim for x, dim in self.sizes.items() if x not in drop}
        if merge is not None and merge[0] != merge[1]:
            kept, gone = merge
            operands = [(node, tuple(kept if x == gone else x for x in s)) for node, s in operands]
            out = tuple(kept if x == gone else x for x in out)
            sizes.pop(gone, None)
        return Network(operands, out, times(self.coefficient, as_fraction(coefficient)), sizes)


def flatten(network: Network) -> Network:
    """Inner contractions spliced in, with fresh labels for what they sum over; their diagonals join labels here."""
    return _spliced(network) if _checked(network) else network


def _checked(network: Network) -> bool:
    """Numbers taken into the coefficient, and shapes checked, in place; whether an operand is a contraction."""
    operands: list[Operand] = []
    sizes, coefficient = network.sizes, network.coefficient
    nested = False
    for node, labels in network.operands:
        if isinstance(node, Einsum):
            if not node.operands and not node.shape and not labels:
                coefficient = times(coefficient, node.coefficient)  # a number
                continue
            nested = True
        operands.append((node, tuple(labels)))
        if len(labels) != len(node.shape):
            raise IllegalNode(f"{len(node.shape)} axes labelled {tuple(labels)}")
        for label, dim in zip(labels, node.shape, strict=True):
            known = sizes.setdefault(label, dim)
            if known is not dim and known != dim:
                raise IllegalNode(f"label {label} has the sizes {sizes[label]} and {dim}")
    network.operands, network.coefficient = operands, coefficient
    return nested


def _spliced(network: Network) -> Network:
    sizes, coefficient = network.sizes, network.coefficient
    parent: dict[int, int] = {}

    def find(x: int) -> int:
        while x in parent:
            x = parent[x]
        return x

    fresh = 1 + max(sizes, default=-1)
    room = FLATTEN - len(network.operands)
    flat: list[Operand] = []
    for node, labels in network.operands:
        if not isinstance(node, Einsum):
            flat.append((node, labels))
            continue
        coefficient = times(coefficient, node.coefficient)
        if len(node.operands) > max(1, room):
            flat.append((primitive(node), labels))
            continue
        room -= len(node.operands) - 1
        inner: dict[int, int] = {}
        for label, outer in zip(node.out, labels, strict=True):
            if label not in inner:
                inner[label] = outer
                continue
            low, high = sorted((find(inner[label]), find(outer)))
            if low != high:
                parent[high] = low
        for operand, subscript in zip(node.operands, node.subscripts, strict=True):
            for label in subscript:
                if label not in inner:
                    inner[label] = fresh
                    sizes[fresh] = node.sizes[label]
                    fresh += 1
            flat.append((operand, tuple([inner[x] for x in subscript])))
    if not parent:
        return Network(flat, network.out, coefficient, sizes)
    joined = [(node, tuple(find(x) for x in labels)) for node, labels in flat]
    return Network(joined, tuple(find(x) for x in network.out), coefficient, {find(x): dim for x, dim in sizes.items()})
