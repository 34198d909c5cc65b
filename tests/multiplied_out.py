"""Graphs multiplied out: A*x + B*x for (A + B)*x.

The normal form leaves sums as they are, factored or not, so that answers stay short and large powers of sums cheap;
what is printed is often factored anew. Multiplied out, both are the same node.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from matgrad.tensor import builders as b
from matgrad.tensor.builders import Operand
from matgrad.tensor.nodes import Einsum, Map, Node, Sum, topological
from matgrad.tensor.rebuild import rebuilt

TERMS = 300
"""Terms of a product up to which it is multiplied out."""
WHOLE = 4
"""Powers of sums up to which they are."""


def multiplied_out(root: Node) -> Node:
    """The graph with products of sums multiplied out, from the leaves up."""
    done: dict[Node, Node] = {}
    for node in topological(root):
        done[node] = spread(rebuilt(node, done, expand=True))
    return done[root]


def spread(node: Node) -> Node:
    """A product as the sum of the products of the terms of its factors."""
    axes = tuple(range(len(node.shape)))
    if isinstance(node, Einsum):
        factors = list(opened(list(zip(node.operands, node.subscripts, strict=True))))
        out, coefficient, sizes = node.out, node.coefficient, dict(enumerate(node.sizes))
    else:
        factors, out, coefficient, sizes = list(opened([(node, axes)])), axes, Fraction(1), {}
    if isinstance(node, Sum) or not any(isinstance(factor, Sum) for factor, _ in factors):
        return node
    products: list[tuple[Fraction, list[Operand]]] = [(coefficient, [])]
    for factor, labels in factors:
        terms = factor.terms if isinstance(factor, Sum) else ((Fraction(1), factor),)
        products = [(c * f, [*rest, (term, labels)]) for c, rest in products for f, term in terms]
        if len(products) > TERMS:
            return node
    parts = [b.einsum(rest, out, c, sizes) for c, rest in products]
    return b.add([spread(part) for part in parts])


def opened(factors: list[Operand]) -> Iterator[Operand]:
    """Squares and cubes of sums as products."""
    for node, labels in factors:
        whole = isinstance(node, Map) and node.function == "power" and node.parameter in range(2, WHOLE + 1)
        if whole and isinstance(node.args[0], Sum):
            yield from [(node.args[0], labels)] * int(node.parameter)
        else:
            yield node, labels
