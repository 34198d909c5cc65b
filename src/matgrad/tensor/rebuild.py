"""Rebuilding a graph with some nodes replaced: every node is made anew by its builder, bottom up."""

from __future__ import annotations

from collections.abc import Mapping

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
    if all(done[child] is child for child in node.children):
        return node
    if isinstance(node, Einsum):
        operands = [(done[n], s) for n, s in zip(node.operands, node.subscripts, strict=True)]
        return einsum(operands, node.out, node.coefficient, dict(enumerate(node.sizes)))
    if isinstance(node, Sum):
        return add([scaled(done[term], factor) for factor, term in node.terms])
    if isinstance(node, Map):
        if node.function == "power":
            return power(done[node.args[0]], node.parameter)
        return map_(node.function, [done[arg] for arg in node.args], node.parameter)
    if isinstance(node, Apply):
        return apply(node.function, done[node.arg], node.parameter)
    if isinstance(node, MatrixPower):
        return matrix_power(done[node.base], done[node.exponent])
    raise TypeError(f"no rule to rebuild a {type(node).__name__}")
