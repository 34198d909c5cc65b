"""How large the rank of a matrix is at most, where that is a number: of u*v' it is 1, of a sum the sum of the bounds.

A matrix of a smaller rank than its size is singular, whatever its variables are.
"""

from __future__ import annotations

from collections.abc import Sequence

from matgrad.tensor.components import components
from matgrad.tensor.nodes import Einsum, Named, Node, Sum


def rank_bound(node: Node) -> int | None:
    """A number that the rank of a matrix is at most; None where none is known.

    >>> from matgrad.answer.formula import Formula
    >>> rank_bound(Formula("x*x' + A*y*y'").node), rank_bound(Formula("A*x*x' + B").node)
    (2, None)
    """
    if isinstance(node, Named):
        return rank_bound(node.value)
    if isinstance(node, Sum):
        bounds = [rank_bound(term) for _, term in node.terms]
        return None if None in bounds else sum(bound for bound in bounds if bound is not None)
    if not isinstance(node, Einsum) or len(node.out) != 2 or node.out[0] == node.out[1]:
        return None
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    if not _joined(pairs, node.out, ()):
        return 1
    summed = {x for labels in node.subscripts for x in labels}.difference(node.out)
    bounds = [node.sizes[x].number for x in summed if not _joined(pairs, node.out, (x,))]
    for k, (operand, labels) in enumerate(pairs):  # the rank of A*B*C is at most that of B
        if len(set(labels)) == len(labels) == 2 and not _joined(pairs[:k] + pairs[k + 1 :], node.out, ()):
            bounds.append(rank_bound(operand))
    return min((bound for bound in bounds if bound is not None), default=None)


def _joined(pairs: Sequence[tuple[Node, tuple[int, ...]]], out: tuple[int, ...], cut: tuple[int, ...]) -> bool:
    """Whether the factors connect rows with columns, other than through the labels ``cut``: k in Σ A[i,k]*B[k,j]."""
    return any(set(out) <= {x for _, labels in group for x in labels} for group in components(pairs, cut))
