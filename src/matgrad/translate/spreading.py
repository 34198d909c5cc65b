"""Sums among the factors of a contraction: which are multiplied out before it is read."""

from __future__ import annotations

from matgrad.tensor import builders as b
from matgrad.tensor.components import components
from matgrad.tensor.laws.shared import power_of
from matgrad.tensor.nodes import Apply, Einsum, Node, Sum


def worth_spreading(factor: Node, total: Sum, square: bool) -> bool:
    """Whether the factor stands in every term of the sum, too, or its inverse in one of them."""
    if square and all(factor in term.children for _, term in total.terms):
        return True
    parts = [part for _, term in total.terms for part in (term, *term.children)]
    return any(isinstance(p, Apply) and p.function == "inv" and p.arg is factor for p in parts)


def is_outer(node: Node) -> bool:
    """Whether a matrix is a column times a row, so that its trace with another is no trace any more: u'*A*v."""
    if not isinstance(node, Einsum) or len(set(node.out)) < 2 or len(node.out) != 2:
        return False
    groups = components([(None, labels) for labels in node.subscripts])
    return not any({*node.out} <= {x for _, labels in group for x in labels} for group in groups)


def is_sum(node: Node) -> bool:
    """A Sum, or a number times a Sum."""
    if isinstance(node, Einsum):
        return (
            len(node.operands) == 1
            and isinstance(node.operands[0], Sum)
            and node.subscripts[0] == node.out
            and len(set(node.out)) == len(node.out)
        )
    return isinstance(node, Sum)


def spread_sums(node: Einsum) -> Node | None:
    """Sums of order 3 and more multiplied out: they have no name in matrix notation."""
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    for k, (operand, labels) in enumerate(pairs):
        if isinstance(operand, Sum) and len(labels) > 2 and not is_sum(node):
            rest = pairs[:k] + pairs[k + 1 :]
            sizes = dict(enumerate(node.sizes))
            return b.add(
                [b.einsum([(t, labels), *rest], node.out, node.coefficient * f, sizes) for f, t in operand.terms]
            )
    return None


def divided_sum(node: Einsum) -> Node | None:
    """A sum divided by one of its terms and by nothing else, term by term: 1 - y./x for (x - y)./x."""
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    below = [(j, *power_of(n), s) for j, (n, s) in enumerate(pairs) if power_of(n)[1].numerator < 0]
    if len(below) != 1:
        return None
    ((j, base, count, labels),) = below
    for k, (total, others) in enumerate(pairs):
        if others != labels or not isinstance(total, Sum) or len(total.terms) > MOST:
            continue
        if any(power_of(term) == (base, -count) for _, term in total.terms):
            axes = tuple(range(len(labels)))
            parts = [b.einsum([(term, axes), (pairs[j][0], axes)], axes, f) for f, term in total.terms]
            rest = [pair for i, pair in enumerate(pairs) if i not in (j, k)]
            return b.einsum([(b.add(parts), labels), *rest], node.out, node.coefficient, dict(enumerate(node.sizes)))
    return None


MOST = 4
"""Terms up to which a sum is divided term by term."""
