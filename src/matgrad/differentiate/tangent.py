"""The differential of the whole along directions: one forward pass over the edges, which never forms a derivative."""

from __future__ import annotations

from collections.abc import Mapping

from matgrad.differentiate.linearise import edges
from matgrad.errors import NotSupported
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import MatrixPower, Node, topological


def tangent(root: Node, directions: Mapping[Node, Node]) -> Node:
    """What the root changes by, to first order, where the keys change by the values.

    d(z) = Σ over the edges of z, each applied to the d of its child.
    """
    found: dict[Node, Node] = {}
    for node in topological(root):
        if node in directions:
            found[node] = directions[node]
            continue
        if isinstance(node, MatrixPower):
            if not found.keys().isdisjoint(node.children):
                raise NotSupported(
                    "the differential of a power of a matrix with a symbolic exponent has no closed form",
                    hint="a literal exponent, such as X^3",
                )
            continue
        terms = [
            b.einsum([(found[edge.child], edge.hole), *edge.operands], edge.out, edge.coefficient, edge.sizes)
            for edge in edges(node)
            if edge.child in found
        ]
        if terms:
            found[node] = b.add(terms)
    return found.get(root, b.zeros(root.shape))
