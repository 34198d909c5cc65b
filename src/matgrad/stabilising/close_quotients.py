"""Quotients by one sum that differ by little where a term of the sum is nearly all of it: x/(x + y)^2 - 1/(x + y).

They are what derivatives of x/(x + y) are made of: each is large where their difference is small.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from matgrad.stabilising.differences import MANY
from matgrad.stabilising.growth import exchanged, grows, pairs_of
from matgrad.stabilising.rule import BEFORE
from matgrad.tensor import builders as b
from matgrad.tensor.builders import Operand, einsum, map_, power, scaled
from matgrad.tensor.laws.shared import is_map, power_of
from matgrad.tensor.nodes import Einsum, Node, Sum


@BEFORE.add(
    "quotient by a sum beside a term of it",
    "1/(x + y) - x/(x + y)^2 = y/(x + y)^2, 3/(x + y) - 2*x/(x + y)^2 = 1/(x + y) + 2*y/(x + y)^2",
    because="where x is nearly all of the sum, the quotients are nearly equal",
    on=(Sum, Einsum),
    examples=(
        ("c/(a + c) - a*c/(a + c)^2", "a: positive; c: positive"),
        ("2*a/(a^2 + c) - 10*a^3/(a^2 + c)^2 + 8*a^5/(a^2 + c)^3", "a: scalar; c: positive"),
        ("a^(c - 1)/(a^c + d^c) - a^(2*c - 1)/(a^c + d^c)^2", "a: positive; c: scalar; d: positive"),
        ("x./(c + 3*x.*y) - 3*x.^2.*y./(c + 3*x.*y).^2", "x: positive vector(n); y: positive vector(n); c: positive"),
    ),
)
def quotient_beside_term(node: Node) -> Node | None:
    if isinstance(node, Sum):
        return _together(node) if len(node.terms) <= MANY else None
    for place, (operand, labels) in enumerate(pairs_of(node)):  # before the sum is multiplied out
        found = quotient_beside_term(operand) if isinstance(operand, Sum) and grows(operand) else None
        if found is not None:
            return exchanged(node, {place}, [(found, labels)])
    return None


def _together(node: Sum) -> Node | None:
    factors = {term: factor for factor, term in node.terms}
    for factor, term in node.terms:
        for size, plain, left in _without(term):
            rest = b.linear_terms(plain)
            scale = factor / size
            ratios = [-factors.get(other, Fraction(0)) / (scale * own) for other, own in rest.items()]
            if not ratios or min(ratios) < 1:
                continue
            new = {other: own for other, own in factors.items() if other is not term}
            for other, own in rest.items():
                new[other] += scale * own
            return b.add([*(scaled(other, own) for other, own in new.items() if own), scaled(left, -scale)])
    return None


def _without(term: Node) -> Iterator[tuple[Fraction, Node, Node]]:
    """c, R/s^(k - 1) and R*(s - c*t)/s^k for each term c*t of each sum s where the term is R*t/s^k, with k > 1."""
    if not isinstance(term, Einsum):
        return
    pairs = list(zip(term.operands, term.subscripts, strict=True))
    sizes = dict(enumerate(term.sizes))
    for place, (operand, labels) in enumerate(pairs):
        base, count = power_of(operand)
        if not isinstance(base, Sum) or count > -2 or count.denominator > 1 or len(set(labels)) < len(labels):
            continue
        if grows(base) and not all(is_map(part, "pow") for part in base.children):
            continue  # exponentials are shares of such a sum
        for size, part in base.terms:
            rest = _divided([pair for k, pair in enumerate(pairs) if k != place], part, labels)
            if rest is not None:
                others = b.subtract(base, scaled(part, size))
                beside = [*rest, (power(base, count + 1), labels)]
                left = [*rest, (others, labels), (operand, labels)]
                plain, whole = (einsum(new, term.out, term.coefficient, sizes) for new in (beside, left))
                yield size, plain, whole


def _divided(pairs: list[Operand], part: Node, labels: tuple[int, ...]) -> list[Operand] | None:
    """A product divided by a product of powers on some of its axes; None where it has not all of these factors."""
    rest = list(pairs)
    if isinstance(part, Einsum):
        if len(part.sizes) > len(set(part.out)) or part.coefficient != 1 or len(set(part.out)) < len(part.out):
            return None
        inner = [
            (n, tuple(labels[part.out.index(x)] for x in s))
            for n, s in zip(part.operands, part.subscripts, strict=True)
        ]
    else:
        inner = [(part, labels)]
    for operand, own in inner:
        places = [k for k, (_, s) in enumerate(rest) if s == own]
        found = next(((k, left) for k in places if (left := _quotient(rest[k][0], operand)) is not None), None)
        if found is None:
            return None
        rest[found[0]] = found[1], own
    return rest


def _quotient(whole: Node, part: Node) -> Node | None:
    """x^(p - q) for x^p and x^q, where it is a power of x too."""
    base, count = power_of(part)
    same, times = power_of(whole)
    if same is base and 0 < count <= times:
        return power(base, times - count)
    if is_map(whole, "pow") and is_map(part, "pow") and whole.children[0] is part.children[0]:
        return map_("pow", (part.children[0], b.subtract(whole.children[1], part.children[1])))
    return None
