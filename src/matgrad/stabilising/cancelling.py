"""Terms of a sum that are also terms of a product beside it, with the other sign: x*(y + z) - x*y is x*z."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from matgrad.stabilising.differences import MANY
from matgrad.stabilising.rule import BEFORE
from matgrad.tensor import builders as b
from matgrad.tensor.builders import einsum, scaled
from matgrad.tensor.nodes import Einsum, Node, Sum, Symbol, topological

DEEP = 2
"""Sums within products within sums that are looked into."""
SUMS = 3
"""Sums in one product that are looked into; a product with more, as of many tests 1 - step(z), is left alone."""


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
    if len(node.terms) > MANY:
        return None
    factors = {term: factor for factor, term in node.terms}
    for factor, term in node.terms:
        looks = {_names(other) for other in factors if other is not term}
        for found in _taken_out(factor, term, DEEP, looks):
            other = factors.get(found.term, Fraction(0))
            if other * found.factor < 0:
                new = {t: f for t, f in factors.items() if t is not term} | {found.term: other + found.factor}
                return b.add(
                    [*(scaled(t, f) for t, f in new.items() if f), *(product.rest() for product in found.products)]
                )
    return None


class _Product(NamedTuple):
    """factor*term, a product, and a term of the sum at one of its places."""

    factor: Fraction
    term: Einsum
    place: int
    part: Node

    def rest(self) -> Node:
        """The product without that term."""
        pairs = list(zip(self.term.operands, self.term.subscripts, strict=True))
        whole, labels = pairs[self.place]
        pairs[self.place] = b.subtract(whole, self.part), labels
        sizes = dict(enumerate(self.term.sizes))
        return scaled(einsum(pairs, self.term.out, self.term.coefficient, sizes), self.factor)


class _Taken(NamedTuple):
    """factor*term, a term of a product multiplied out, and the products that it was taken out of."""

    factor: Fraction
    term: Node
    products: tuple[_Product, ...]


def _taken_out(factor: Fraction, term: Node, deep: int, looks: set[frozenset[Node]]) -> Iterator[_Taken]:
    """The terms of a product multiplied out that have the same names as one of those that are looked for."""
    if not isinstance(term, Einsum) or not deep:
        return
    pairs = list(zip(term.operands, term.subscripts, strict=True))
    if sum(isinstance(operand, Sum) for operand, _ in pairs) > SUMS:
        return
    sizes = dict(enumerate(term.sizes))
    for place, (operand, labels) in enumerate(pairs):
        if not isinstance(operand, Sum) or len(operand.terms) > MANY:
            continue
        beside = [pair for k, pair in enumerate(pairs) if k != place]
        names = frozenset[Node]().union(*(_names(n) for n, _ in beside))
        inside = deep > 1 and any(isinstance(n, Sum) for n, _ in beside)
        for size, part in operand.terms:
            nested = inside or (
                deep > 1 and isinstance(part, Einsum) and any(isinstance(n, Sum) for n in part.operands)
            )
            if not nested and names | _names(part) not in looks:
                continue
            whole = b.linear_terms(einsum([*beside, (part, labels)], term.out, term.coefficient, sizes))
            if len(whole) != 1:
                continue
            ((own, count),) = whole.items()
            taken = _Taken(factor * size * count, own, (_Product(factor, term, place, scaled(part, size)),))
            yield taken
            for found in _taken_out(taken.factor, own, deep - 1, looks) if nested else ():
                yield found._replace(products=taken.products + found.products)


def _names(node: Node) -> frozenset[Node]:
    if "symbols" not in node.memo:
        for part in topological(node, skip=_KNOWN):
            own = frozenset([part]) if isinstance(part, Symbol) else frozenset()
            part.memo["symbols"] = own.union(*(child.memo["symbols"] for child in part.children))
    return node.memo["symbols"]  # type: ignore[no-any-return]


class _Known:
    def __contains__(self, node: object) -> bool:
        return "symbols" in getattr(node, "memo", ())


_KNOWN = _Known()
