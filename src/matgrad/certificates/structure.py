"""Structure that only facts ask about: symmetric and orthogonal matrices, and what follows from it.

What holds on a constraint that derivatives ignore, such as O'*O = eye, must not be used in the normal form; so it
stands here and not among the facts of the tensor graph.
"""

from __future__ import annotations

from collections.abc import Callable

from matgrad.certificates.proof import Proof
from matgrad.tensor.builders import is_symmetric, scaled
from matgrad.tensor.facts.definite import is_chain, is_reflection
from matgrad.tensor.nodes import Apply, Einsum, Node, Symbol


def symmetric(root: Node) -> Proof | None:
    """Declared, or its own transpose."""
    if not is_symmetric(root):
        return None
    return Proof("symmetric", root, "declared" if isinstance(root, Symbol) else "it is its own transpose")


def invertible(node: Node) -> Proof | None:
    """Orthogonal matrices are."""
    found = orthogonal(node)
    return None if found is None else Proof("invertible", node, "orthogonal matrices are invertible", (found,))


def orthogonal(node: Node) -> Proof | None:
    """Declared, the identity, and inverses, transposes and products of orthogonal matrices."""
    if isinstance(node, Symbol) and "orthogonal" in node.traits:
        return Proof("orthogonal", node, "declared")
    if isinstance(node, Apply) and node.function == "inv":
        inner = orthogonal(node.arg)
        return None if inner is None else Proof("orthogonal", node, "an inverse of one", (inner,))
    if is_reflection(node) or is_reflection(scaled(node, -1)):
        return Proof("orthogonal", node, "eye - 2*P with P = P' = P*P, up to sign")
    if not isinstance(node, Einsum) or len(node.out) != 2 or abs(node.coefficient) != 1:
        return None
    if not node.operands:
        return Proof("orthogonal", node, "the identity, up to sign") if node.out == (0, 0) else None
    parts = [orthogonal(operand) for operand in node.operands]
    if None in parts or not is_chain(node):
        return None
    return Proof("orthogonal", node, "a product of orthogonal matrices", tuple(p for p in parts if p is not None))


STRUCTURES: dict[str, Callable[[Node], Proof | None]] = {
    "symmetric": symmetric,
    "orthogonal": orthogonal,
    "invertible": invertible,
}
