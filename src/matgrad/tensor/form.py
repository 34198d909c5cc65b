"""What is seen of a node's form: is it a number, a transpose, the same along an axis?"""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction

from matgrad.tensor.network import Operand
from matgrad.tensor.nodes import Constant, Einsum, Map, Node, Shape
from matgrad.tensor.numbers import ONE
from matgrad.tensor.simple import triangle


def is_zero(node: Node) -> bool:
    return isinstance(node, Einsum) and not node.coefficient


def as_number(node: Node) -> Fraction | None:
    """The rational number that every entry of the node is, else None."""
    if isinstance(node, Einsum) and not node.operands and (is_plain(node) or node.coefficient == 0):
        return node.coefficient
    return None


def is_plain(node: Einsum) -> bool:
    """No diagonal among the axes."""
    return len(set(node.out)) == len(node.out)


def exponent_of(node: Node) -> Fraction:
    return node.parameter if isinstance(node, Map) and node.function == "power" else ONE


def repeated_along(terms: Collection[Node], shape: Shape) -> set[int]:
    """The axes along which every term repeats itself, as x*vector(1)' does along its rows."""
    repeated = set(range(len(shape)))
    for node in terms:
        if not isinstance(node, Einsum) or not repeated:
            return set()
        used = {x for labels in node.subscripts for x in labels}
        repeated = {k for k in repeated if node.out[k] not in used and node.out.count(node.out[k]) == 1}
    return repeated


def stands(turned: Collection[Node], nodes: Collection[Node]) -> bool:
    """Of a node and its transpose, the one with fewer transposes inside is kept, then the smaller digests."""
    more, less = sum(map(is_transpose, nodes)), sum(map(is_transpose, turned))
    if less != more:
        return less < more
    return sorted([node.digest for node in turned]) < sorted([node.digest for node in nodes])


def is_transpose(node: Node) -> bool:
    return isinstance(node, Einsum) and len(node.operands) == 1 and node.subscripts[0] == node.out[::-1] == (1, 0)


_MASKS = {"tril": "triu", "triu": "tril"}


def upright_mask(operand: Operand, out: tuple[int, ...]) -> Operand:
    """A triangle of ones on both axes of a matrix, as it stands: tril(matrix(1), k)' is triu(matrix(1), -k)."""
    node, labels = operand
    if not isinstance(node, Constant) or node.name not in _MASKS or labels[::-1] != out:
        return operand
    return triangle(_MASKS[node.name], node.shape[::-1], -node.parameter), out
