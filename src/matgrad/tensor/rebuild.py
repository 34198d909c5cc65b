"""Rebuilding a graph with some nodes replaced: every node is made anew by its builder, bottom up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matgrad.tensor import laws as _laws  # noqa: F401  (arms the normal form)
from matgrad.tensor.builders import add, apply, einsum, map_, matrix_power, named, power, scaled
from matgrad.tensor.nodes import Apply, Einsum, Map, MatrixPower, Named, Node, Sum, topological


def rebuild(root: Node, replace: Mapping[Node, Node], *, expand: bool = False) -> Node:
    """The graph with nodes replaced; with ``expand``, named intermediates give way to their values.

    What was replaced is not looked into. A dict takes up what was rebuilt, so that the next call need not do it again.
    """
    done = replace if isinstance(replace, dict) else dict(replace)
    for node in topological(root, skip=done):
        done[node] = rebuilt(node, done, expand)
    return done[root]


def rebuilt(node: Node, done: Mapping[Node, Node], expand: bool) -> Node:
    """One node made anew from its children as they are now."""
    if isinstance(node, Named):
        value = done[node.value]
        return value if expand else node if value is node.value else named(node.name, value, symmetric=node.symmetric)
    return remade(node, [done[child] for child in node.children])


def remade(node: Node, children: Sequence[Node]) -> Node:
    """One node made anew from other children, each in its place."""
    if all(new is old for new, old in zip(children, node.children, strict=True)):
        return node
    if isinstance(node, Einsum):
        operands = list(zip(children, node.subscripts, strict=True))
        return einsum(operands, node.out, node.coefficient, dict(enumerate(node.sizes)))
    if isinstance(node, Sum):
        return add([scaled(new, factor) for new, (factor, _) in zip(children, node.terms, strict=True)])
    if isinstance(node, Map):
        if node.function == "power":
            return power(children[0], node.parameter)
        return map_(node.function, children, node.parameter)
    if isinstance(node, Apply):
        return apply(node.function, children[0], node.parameter)
    if isinstance(node, MatrixPower):
        return matrix_power(*children)
    if isinstance(node, Named):
        return named(node.name, children[0], symmetric=node.symmetric)
    raise TypeError(f"no rule to rebuild a {type(node).__name__}")
