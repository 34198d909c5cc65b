"""What several laws ask of a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from fractions import Fraction

from matgrad.dims import ONE as ONE_LONG
from matgrad.dims import Dim
from matgrad.tensor import builders as b
from matgrad.tensor.builders import Network
from matgrad.tensor.nodes import Apply, Constant, Einsum, Map, Node, Sum

ONE = Fraction(1)


def power_of(node: Node) -> tuple[Node, Fraction]:
    return (node.args[0], node.parameter) if isinstance(node, Map) and node.function == "power" else (node, ONE)


def term_by_term(net: Network, place: int) -> Node:
    """The contraction with the sum at this place among its factors multiplied out."""
    total, labels = net.operands[place]
    assert isinstance(total, Sum)
    rest = [operand for k, operand in enumerate(net.operands) if k != place]
    return b.add(
        [
            b.einsum([*rest, (term, labels)], net.out, net.coefficient * factor, net.sizes)
            for factor, term in total.terms
        ]
    )


def is_map(node: Node, function: str) -> bool:
    return isinstance(node, Map) and node.function == function


def is_apply(node: Node, function: str) -> bool:
    return isinstance(node, Apply) and node.function == function


def disjoint(a: Constant, other: Constant) -> bool:
    """Whether two blocks do not overlap, whatever the dimensions: one ends where the other begins, or before."""
    return any(_gap(low, high) for low, high in ((a, other), (other, a)))


def _gap(low: Constant, high: Constant) -> bool:
    (start, length), (end, _) = span(low), span(high)
    return (end - start - length).is_nonnegative


def position(unit: Constant) -> Dim:
    """Where a unit vector has its 1, as a size."""
    return unit.parameter if isinstance(unit.parameter, Dim) else Dim.of(unit.parameter)


def span(block: Constant) -> tuple[Dim, Dim]:
    """Where a unit or a shift begins on its large axis, and how long it is."""
    if block.name == "unit":
        return position(block) - ONE_LONG, ONE_LONG
    return block.parameter, block.shape[1]


def placed(node: Node) -> list[Constant] | None:
    """The blocks that the terms of a Sum stand in, by shifts or units on one and the same axis; None if some do not."""
    if not isinstance(node, Sum):
        return None
    for axis in range(len(node.shape)):
        blocks = []
        for _, term in node.terms:
            block = block_on(term, axis)
            if block is None:
                break
            blocks.append(block)
        else:
            return blocks
    return None


def block_on(term: Node, axis: int) -> Constant | None:
    """The unit or shift by which a term stands in a part of an axis."""
    if isinstance(term, Constant) and (term.name == "unit" or (term.name == "shift" and axis == 0)):
        return term
    if isinstance(term, Einsum) and term.out.count(term.out[axis]) == 1:
        for operand, labels in zip(term.operands, term.subscripts, strict=True):
            if isinstance(operand, Constant) and operand.name in ("unit", "shift") and labels[0] == term.out[axis]:
                return operand
    return None


def weight(node: Node) -> int:
    """How much there is to write: symbols, numbers and functions."""
    if "weight" not in node.memo:
        own = not isinstance(node, Einsum | Sum) or not node.children
        node.memo["weight"] = own + sum(map(weight, node.children))
    return node.memo["weight"]  # type: ignore[no-any-return]


Operands = Sequence[tuple[Node, tuple[int, ...]]]

PRODUCTS = 8
"""Terms up to which a product of sums is multiplied out."""


def multiplied_out(
    operands: Operands,
    out: tuple[int, ...],
    coefficient: Fraction,
    sizes: Sequence[Dim] | Mapping[int, Dim],
    axes: Set[tuple[int, ...]],
) -> list[Node] | None:
    """The product with the sums on these axes multiplied out, as a list of terms; None if there are too many."""
    fixed = [operand for operand in operands if not (isinstance(operand[0], Sum) and operand[1] in axes)]
    products: list[tuple[Fraction, list[tuple[Node, tuple[int, ...]]]]] = [(coefficient, fixed)]
    for node, labels in operands:
        if isinstance(node, Sum) and labels in axes:
            products = [(c * f, [*rest, (term, labels)]) for c, rest in products for f, term in node.terms]
            if len(products) > PRODUCTS:
                return None
    known = dict(sizes if isinstance(sizes, Mapping) else enumerate(sizes))
    return [b.einsum(rest, out, factor, known) for factor, rest in products]
