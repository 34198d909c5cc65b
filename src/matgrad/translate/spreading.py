"""Sums among the factors of a contraction: which are multiplied out before it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from matgrad.tensor import builders as b
from matgrad.tensor.builders import Operand, map_
from matgrad.tensor.components import components
from matgrad.tensor.laws.shared import is_map, power_of
from matgrad.tensor.nodes import Apply, Einsum, Node, Sum


def worth_spreading(factor: Node, total: Sum, square: bool) -> bool:
    """Whether the factor stands in every term of the sum, too, or its inverse in one of them."""
    if square and all(factor in term.children for _, term in total.terms):
        return True
    parts = [part for _, term in total.terms for part in (term, *term.children)]
    return any(isinstance(p, Apply) and p.function == "inv" and p.arg is factor for p in parts)


def dissolves(total: Sum, axes: tuple[int, ...], product: Einsum, *, typed: bool) -> bool:
    """Whether nothing, or little, is left of the matrix that a sum is, where the product is multiplied out."""
    outer = [is_outer(term) for _, term in total.terms]
    if any(outer) and (not product.shape or (len(product.shape) == 1 and _thin(total, outer))):
        return True
    diagonal = axes[0] == axes[1]
    return (diagonal and (all(outer) or product.out == axes)) or (not typed and _parts_with(total, axes, product))


def _parts_with(total: Sum, axes: tuple[int, ...], product: Einsum) -> bool:
    """Whether a product may be shorter term by term: with a multiple c*eye, or where rows or columns are added up."""
    if any(isinstance(t, Einsum) and t.operands and t.out == (0, 0) and not any(t.subscripts) for _, t in total.terms):
        return True
    uses = [x for labels in (*product.subscripts, product.out) for x in labels]
    return any(uses.count(x) == 1 for x in axes)


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


def arranged_sums(node: Einsum) -> Iterator[Node]:
    """A sum times a factor that it meets, or with all its terms over what it is divided by.

    1 - y./x for (x - y)./x, x - 1./x for x.*(1 - 1./x.^2), x - y.*sign(x) for sign(x).*(abs(x) - y); and
    (x - y)./x.^2 for (1 - y./x)./x.
    """
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    for k, (total, axes) in enumerate(pairs):
        if not isinstance(total, Sum) or len(total.terms) > MOST:
            continue
        powers = list(_powers(total, axes))
        divisors = sum(power_of(n)[1].numerator < 0 for n, _ in pairs)
        for j, (factor, labels) in enumerate(pairs):
            if k == j or {*axes} != {*labels}:
                continue
            times = factor if _meets(factor, labels, powers, divisors) else _denominator(factor, labels, powers)
            if times is not None:
                terms = [b.einsum([(term, axes), (times, labels)], labels, count) for count, term in total.terms]
                rest = [pair for i, pair in enumerate(pairs) if i not in (j, k)]
                rest += [(factor, labels), (b.power(times, -1), labels)] if times is not factor else []
                sizes = dict(enumerate(node.sizes))
                yield b.einsum([(b.add(terms), labels), *rest], node.out, node.coefficient, sizes)


Powers = Sequence[tuple[Operand, Fraction]]
"""Factors of terms: what stands on which axes, and to which power."""


def _powers(total: Sum, axes: tuple[int, ...]) -> Iterator[tuple[Operand, Fraction]]:
    """The factors of the terms that stand on the axes of the sum."""
    for _, term in total.terms:
        if isinstance(term, Einsum):
            for node, labels in zip(term.operands, term.subscripts, strict=True):
                if {*labels} == {*term.out}:
                    base, count = power_of(node)
                    yield (base, tuple([axes[term.out.index(x)] for x in labels])), count
        else:
            base, count = power_of(term)
            yield (base, axes), count


def _meets(factor: Node, labels: tuple[int, ...], powers: Powers, divisors: int) -> bool:
    """Whether the product of the factor with one of the terms is simpler; ``divisors`` is how many there are in all."""
    if is_map(factor, "sign"):
        return ((map_("abs", factor.children), labels), b.ONE) in powers
    base, count = power_of(factor)
    if count < 0:
        return divisors == 1 and ((base, labels), -count) in powers
    return any(own == (base, labels) and power < 0 for own, power in powers)


def _denominator(factor: Node, labels: tuple[int, ...], powers: Powers) -> Node | None:
    """The power of what it is divided by that stands below terms of the sum, too."""
    base, count = power_of(factor)
    least = min([power for own, power in powers if own == (base, labels)], default=ZERO) if count < 0 else ZERO
    return b.power(base, -least) if least < 0 and least.denominator == 1 else None


ZERO = Fraction(0)
MOST = 4
"""Terms up to which a sum is multiplied term by term."""


def _thin(total: Sum, outer: Sequence[bool]) -> bool:
    """Whether a matrix is a sum of diagonal ones and of columns times rows: with a vector, no matrix is left of it."""
    diagonal = [isinstance(term, Einsum) and len(set(term.out)) == 1 for _, term in total.terms]
    return all(map(any, zip(diagonal, outer, strict=True)))
