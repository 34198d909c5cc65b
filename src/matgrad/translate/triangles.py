"""Matrices that are triangular as they stand, so that tril and triu leave them as they are: L, diag(x), inv(L), L*L."""

from __future__ import annotations

from fractions import Fraction

from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Apply, Constant, Einsum, Map, Node, Sum, Symbol

_TRIANGLES = {"lower": "tril", "upper": "triu"}
_OTHER = {"tril": "triu", "triu": "tril"}


def is_triangular(node: Node, mask: str) -> bool:
    """Whether tril or triu of a square matrix is the matrix itself, by declarations and form."""
    if isinstance(node, Symbol):
        return "diagonal" in node.traits or any(t in node.traits and _TRIANGLES[t] == mask for t in _TRIANGLES)
    if isinstance(node, Apply):
        return node.function in ("inv", "adj") and is_triangular(node.arg, mask)
    if isinstance(node, Sum):
        return all(is_triangular(term, mask) for _, term in node.terms)
    return isinstance(node, Einsum) and len(node.out) == 2 and _is_product(node, mask)


def _is_product(node: Einsum, mask: str) -> bool:
    """A diagonal matrix, a chain of triangular ones, or anything times a triangular one entry by entry."""
    row, col = node.out
    if row == col:
        return True
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    if any(set(labels) == {row, col} and _on(operand, labels, row, mask) for operand, labels in pairs):
        return True
    matrices = [(operand, labels) for operand, labels in pairs if len(set(labels)) == 2]
    while matrices:
        following = [(n, s) for n, s in matrices if row in s]
        if len(following) != 1 or not _on(*following[0], row, mask):
            return False
        matrices.remove(following[0])
        row = next(x for x in following[0][1] if x != row)
    return row == col


def _on(operand: Node, labels: tuple[int, ...], row: int, mask: str) -> bool:
    """Whether an operand is triangular with its rows at a label."""
    kind = mask if labels[0] == row else _OTHER[mask]
    if isinstance(operand, Constant) and operand.name in _OTHER:
        return operand.name == kind and (operand.parameter <= 0 if kind == "tril" else operand.parameter >= 0)
    return len(labels) == 2 and is_triangular(operand, kind)


def diagonal_as_it_is(node: Einsum) -> Node | None:
    """D for the diagonal matrix of the diagonal of D, and of its row sums, where D is diagonal as it stands; D^2 for
    those of D.^2. Scalars stay."""
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    scalars = [pair for pair in pairs if not pair[1]]
    if len(node.out) != 2 or len(scalars) != len(pairs) - 1:
        return None
    ((matrix, labels),) = [pair for pair in pairs if pair[1]]
    if len(labels) != 2 or node.out[0] not in labels:
        return None
    count = Fraction(1)
    if isinstance(matrix, Map) and matrix.function == "power" and 1 < matrix.parameter <= b.UNROLLED:
        count, matrix = matrix.parameter, matrix.args[0]
    if count.denominator != 1 or not (is_triangular(matrix, "tril") and is_triangular(matrix, "triu")):
        return None
    chain = [(matrix, (k, k + 1)) for k in range(int(count))]
    return b.einsum([*chain, *scalars], (0, int(count)))
