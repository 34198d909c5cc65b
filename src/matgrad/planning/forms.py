"""What nodes are before they are planned: products to be taken apart, outer products, symmetric intermediates."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from matgrad.dims import Dim
from matgrad.tensor import builders as b
from matgrad.tensor.components import columns_and_rows
from matgrad.tensor.nodes import Einsum, Named, Node, Sum, topological
from matgrad.tensor.rebuild import rebuilt


def known_symmetric(root: Node) -> Node:
    """Named intermediates that are symmetric by their values, replaced by these, so that it is seen; then those
    that are made of them."""
    done: dict[Node, Node] = {}
    for node in topological(root):
        made = rebuilt(node, done, False)
        done[node] = made.value if isinstance(made, Named) and b.is_symmetric(made.value) else made
    return done[root]


def flattened(
    coefficient: Fraction, operands: Sequence[Node], node: Einsum
) -> tuple[Fraction, list[tuple[Node, tuple[int, ...]]], list[Dim]]:
    """Products that have more than two axes are never formed for another product: their factors take part in it."""
    waiting = list(zip(operands, node.subscripts, strict=True))
    sizes = list(node.sizes)
    found = []
    while waiting:
        operand, labels = waiting.pop(0)
        if not isinstance(operand, Einsum) or not is_large(operand) or len(set(operand.out)) < len(operand.out):
            found.append((operand, labels))
            continue
        table = dict(zip(operand.out, labels, strict=True))
        for x in range(len(operand.sizes)):
            if x not in table:
                table[x] = len(sizes)
                sizes.append(operand.sizes[x])
        coefficient *= operand.coefficient
        inner = zip(operand.operands, operand.subscripts, strict=True)
        waiting += [(x, tuple(table[label] for label in own)) for x, own in inner]
    return coefficient, found, sizes


def is_large(node: Node) -> bool:
    """Whether a product or sum has more than two axes: as a factor of a product it may never be formed."""
    return isinstance(node, Einsum | Sum) and len(node.shape) > 2


def is_outer(term: Node) -> bool:
    """Whether a term is a product of factors that share no label, and have axes of the result each."""
    return isinstance(term, Einsum) and columns_and_rows(term.subscripts, term.out) > 1


def holds_outer(term: Node) -> bool:
    """Whether a term is a product with a sum that has outer products, at any depth."""
    if not isinstance(term, Einsum):
        return False
    inner = [x for x in term.operands if isinstance(x, Sum) and len(x.shape) == 2]
    return any(is_outer(part) or holds_outer(part) for x in inner for _, part in x.terms)
