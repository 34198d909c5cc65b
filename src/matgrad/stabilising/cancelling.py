"""Terms of a sum that are also terms of a product beside it, with the other sign: x*(y + z) - x*y is x*z."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from matgrad.stabilising.differences import MANY
from matgrad.stabilising.rule import BEFORE
from matgrad.tensor import builders as b
from matgrad.tensor.builders import einsum, scaled
from matgrad.tensor.nodes import Einsum, Node, Sum

DEEP = 2
"""Sums within products within sums that are looked into."""


@BEFORE.add(
    "term beside a product that has it",
    "x*(y + z) - x*y = x*z, x*(y - (k - 1)*z) - x*z = x*(y - k*z)",
    because="what is left may be small beside the terms that cancel",
    on=(Sum,),
    examples=(
        ("x.*(y + exp(x)) - x.*y", "x: vector(n); y: vector(n)"),
        ("exp(c)*(a - d*(a - 1)) - exp(c)*d", "a: scalar; c: scalar; d: scalar"),
        ("x'*(exp(y) + A*x) - x'*exp(y)", "x: vector(n); y: vector(n); A: matrix(n, n)"),
    ),
)
def term_beside_product(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    factors = {term: factor for factor, term in node.terms}
    for factor, term in node.terms if len(node.terms) <= MANY else ():
        for size, own, rest in _taken_out(factor, term, DEEP):
            other = factors.get(own, Fraction(0))
            if other * size < 0:
                new = {t: f for t, f in factors.items() if t is not term} | {own: other + size}
                return b.add([*(scaled(t, f) for t, f in new.items() if f), rest])
    return None


def _taken_out(factor: Fraction, term: Node, deep: int) -> Iterator[tuple[Fraction, Node, Node]]:
    """c, t and u, where factor*term = c*t + u, and t is a term of the product multiplied out."""
    if not isinstance(term, Einsum) or not deep:
        return
    pairs = list(zip(term.operands, term.subscripts, strict=True))
    sizes = dict(enumerate(term.sizes))
    for place, (operand, labels) in enumerate(pairs):
        if not isinstance(operand, Sum) or len(operand.terms) > MANY:
            continue
        beside = [pair for k, pair in enumerate(pairs) if k != place]
        for size, part in operand.terms:
            whole = b.linear_terms(einsum([*beside, (part, labels)], term.out, term.coefficient, sizes))
            if len(whole) != 1:
                continue
            ((own, count),) = whole.items()
            others = b.subtract(operand, scaled(part, size))
            rest = scaled(einsum([*beside, (others, labels)], term.out, term.coefficient, sizes), factor)
            total = factor * size * count
            yield total, own, rest
            for inner, found, left in _taken_out(total, own, deep - 1):
                yield inner, found, b.add([rest, left])
