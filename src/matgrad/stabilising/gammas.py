"""Differences of lgamma, digamma and polygamma at points that share terms: what likelihoods of counts are made of.

lgamma(r + y) - lgamma(r) is about y*log(r), of numbers about r*log(r): for r = 1e8 and y = 5 half the digits are lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from matgrad.stabilising.differences import MANY, Part, parts_of, without
from matgrad.stabilising.rule import LAST
from matgrad.tensor import builders as b
from matgrad.tensor.builders import einsum, map_, number, scaled
from matgrad.tensor.nodes import Einsum, Map, Node, Sum

_GAMMAS = {"lgamma", "digamma", "polygamma"}


class Mate(NamedTuple):
    """c·R·f(q) in a sum that has c·R·f(p) or -c·R·f(p), whose ``sign`` this is, and the terms that it is."""

    sign: int
    point: Node
    terms: frozenset[Node]


def _mates(node: Sum, factor: Fraction, part: Part) -> Iterator[Mate]:
    """The other values of the same function beside the same R; a single number may stand beside many."""
    factors = {term: own for own, term in node.terms}
    own = part.factor
    assert isinstance(own, Map)
    seen = {own}
    for _, other in parts_of(node, {own.function}):
        value = other.factor
        assert isinstance(value, Map)
        if value in seen or value.shape not in (own.shape, ()):
            continue
        seen.add(value)
        wide = value if value.shape == own.shape else b.broadcast(value, own.shape)
        if own.function == "polygamma" and b.as_number(value.args[0]) != b.as_number(own.args[0]):
            continue
        terms = b.linear_terms(part.times(wide))
        for sign in (1, -1):
            if terms and all(factors.get(term) == sign * factor * size for term, size in terms.items()):
                point = value.args[-1]
                point = point if point.shape == own.shape else b.broadcast(point, own.shape)
                yield Mate(sign, point, frozenset(terms))


def _gap(above: Node, below: Node) -> Node | None:
    """The difference of two points that have a term in common."""
    terms, others = _terms(above), _terms(below)
    left = {term: terms.get(term, 0) - others.get(term, 0) for term in {**terms, **others}}
    count = sum([size != 0 for size in left.values()])
    if not 0 < count <= len(terms) + len(others) - 2:
        return None
    return b.add([scaled(term, size) for term, size in left.items()])


def _terms(point: Node) -> dict[Node, Fraction]:
    """The terms of a point, of a number that stands for all entries too."""
    one = b.scalar_of(point)
    if one is None or not point.shape:
        return b.linear_terms(point)
    return {b.broadcast(term, point.shape): size for term, size in b.linear_terms(one).items()}


def _spread(node: Sum) -> Sum:
    """sum(f(x) + c) as sum(f(x)) + sum(c), where f is one of these functions."""
    if len(node.terms) > MANY or not any(map(_has_gammas, (x for _, term in node.terms for x in term.children))):
        return node
    found = []
    for factor, term in node.terms:
        pairs = list(zip(term.operands, term.subscripts, strict=True)) if isinstance(term, Einsum) else []
        place = next((k for k, (operand, _) in enumerate(pairs) if _has_gammas(operand)), None)
        if place is None or not isinstance(term, Einsum):
            found.append(scaled(term, factor))
            continue
        inner, labels = pairs[place]
        for part, size in b.linear_terms(inner).items():
            new = [*pairs[:place], (part, labels), *pairs[place + 1 :]]
            sizes = dict(enumerate(term.sizes))
            found.append(einsum(new, term.out, factor * term.coefficient * size, sizes))
    spread = b.add(found)
    return spread if isinstance(spread, Sum) else node


def _has_gammas(node: Node) -> bool:
    return isinstance(node, Sum) and any(isinstance(x, Map) and x.function in _GAMMAS for _, x in node.terms)


@LAST.add(
    "difference of gamma functions",
    "lgamma(x + s) - lgamma(x), and lgamma(x + s) - lgamma(x) - lgamma(y) where x + s = y + t, by Stirling's series; "
    "digamma and polygamma alike",
    because="accurate where x is much larger than s",
    on=(Sum,),
    examples=(
        ("sum(lgamma(r + y)) - length(y)*lgamma(r)", "r: positive; y: positive vector(n)"),
        ("3*y.*digamma(x) - 3*y.*digamma(x + y) + polygamma(1, x + 1/2) - polygamma(1, x)",
         "x: positive vector(n); y: positive vector(n)"),
        ("sum(digamma(r + y) - y.*log(r)) - length(y)*digamma(r)", "r: positive; y: positive vector(n)"),
        ("lgamma(a) + lgamma(b) - lgamma(a + b)", "a: positive; b: positive"),
        ("lgamma(a + 1) - lgamma(a + 1/2 - sin(y)/4) - lgamma(1 + sin(y)/4)",
         "a: positive; y: positive vector(n)"),
    ),
)  # fmt: skip
def difference_of_gammas(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    spread = _spread(node)
    return _replaced(node) or (None if spread is node else _replaced(spread))


def _replaced(node: Sum) -> Node | None:
    for factor, part in parts_of(node, _GAMMAS):
        if part.count != 1:
            continue
        mates = list(_mates(node, factor, part))
        assert isinstance(part.factor, Map)
        three = _of_three(part.factor, mates) if part.factor.function == "lgamma" else None
        found = three or _of_two(part.factor, mates)
        if found is not None:
            value, gone = found
            return without(node, {*b.linear_terms(part.times(part.factor)), *gone}, scaled(part.times(value), factor))
    return None


def _of_two(own: Map, mates: list[Mate]) -> tuple[Node, frozenset[Node]] | None:
    """f(p) - f(q), from the shorter of the two points."""
    order = {"lgamma": -1, "digamma": 0}.get(own.function)
    k = number(order, own.shape) if order is not None else own.args[0]
    for mate in mates:
        gap = _gap(own.args[-1], mate.point)
        if mate.sign < 0 and gap is not None:
            above, below = own.args[-1], mate.point
            if len(b.linear_terms(above)) < len(b.linear_terms(below)):
                return scaled(map_("polygamma_rise", (k, above, below, scaled(gap, -1))), -1), mate.terms
            return map_("polygamma_rise", (k, below, above, gap)), mate.terms
    return None


def _of_three(own: Map, mates: list[Mate]) -> tuple[Node, frozenset[Node]] | None:
    """±(lgamma(p) - lgamma(q) - lgamma(r)), where each of q and r has a term in common with p."""
    point = own.args[0]
    for i, first in enumerate(mates):
        for second in mates[i + 1 :]:
            if first.sign == second.sign == -1:
                sign, top, below = 1, point, (first.point, second.point)
            elif first.sign != second.sign:
                opposite, same = (first, second) if first.sign < 0 else (second, first)
                sign, top, below = -1, opposite.point, (point, same.point)
            else:
                continue
            gaps = [gap for gap in (_gap(top, q) for q in below) if gap is not None]
            if len(gaps) == 2:
                return scaled(map_("lgamma_over", (top, *below, *gaps)), sign), first.terms | second.terms
    return None
