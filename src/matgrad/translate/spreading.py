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
    """A sum divided by one of its terms and by nothing else, or multiplied by what a term is divided by, term by term:
    1 - y./x for (x - y)./x, x - 1./x for x.*(1 - 1./x.^2)."""
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    below = [power_of(n)[1].numerator < 0 for n, _ in pairs]
    for j, (factor, labels) in enumerate(pairs):
        if below.count(True) != below[j]:
            continue
        for k, (total, others) in enumerate(pairs):
            if k == j or others != labels or not isinstance(total, Sum) or len(total.terms) > MOST:
                continue
            base, count = power_of(factor)
            parts = [power_of(term) for _, term in total.terms]
            if (base, -count) in parts or (not below[j] and any(own == base and size < 0 for own, size in parts)):
                axes = tuple(range(len(labels)))
                spread = b.add([b.einsum([(t, axes), (factor, axes)], axes, f) for f, t in total.terms])
                rest = [pair for i, pair in enumerate(pairs) if i not in (j, k)]
                return b.einsum([(spread, labels), *rest], node.out, node.coefficient, dict(enumerate(node.sizes)))
    return None


MOST = 4
"""Terms up to which a sum is multiplied term by term."""
