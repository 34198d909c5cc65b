"""Structure that only facts ask about: symmetric and orthogonal matrices.

What holds on a constraint that derivatives ignore, such as O'*O = eye, must not be used in the normal form; so it
stands here and not among the facts of the tensor graph.
"""

from __future__ import annotations

from matgrad.certificates.proof import Proof
from matgrad.tensor.builders import is_symmetric
from matgrad.tensor.nodes import Apply, Einsum, Node, Symbol


def symmetric(root: Node) -> Proof | None:
    """Declared, or its own transpose."""
    if not is_symmetric(root):
        return None
    return Proof("symmetric", root, "declared" if isinstance(root, Symbol) else "it is its own transpose")


def orthogonal(node: Node) -> Proof | None:
    """Declared, the identity, and inverses, transposes and products of orthogonal matrices."""
    if isinstance(node, Symbol) and "orthogonal" in node.traits:
        return Proof("orthogonal", node, "declared")
    if isinstance(node, Apply) and node.function == "inv":
        inner = orthogonal(node.arg)
        return None if inner is None else Proof("orthogonal", node, "an inverse of one", (inner,))
    if not isinstance(node, Einsum) or len(node.out) != 2 or abs(node.coefficient) != 1:
        return None
    if not node.operands:
        return Proof("orthogonal", node, "the identity, up to sign") if node.out == (0, 0) else None
    parts = [orthogonal(operand) for operand in node.operands]
    if None in parts or not _is_chain(node):
        return None
    return Proof("orthogonal", node, "a product of orthogonal matrices", tuple(p for p in parts if p is not None))


def _is_chain(node: Einsum) -> bool:
    """A product of matrices from one axis to the other, each taken as it is or transposed."""
    waiting, at = list(node.subscripts), node.out[0]
    while waiting:
        here = [s for s in waiting if at in s]
        if len(here) != 1 or len(set(here[0])) != 2:
            return False
        waiting.remove(here[0])
        (at,) = set(here[0]) - {at}
    return at == node.out[1] and len(set(node.out)) == 2
