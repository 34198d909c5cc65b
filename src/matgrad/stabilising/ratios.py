"""Powers of quotients: x^12/y^12 is (x/y)^12, whose parts neither overflow nor underflow together."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from matgrad.stabilising.comparisons import value_where_it_holds
from matgrad.stabilising.rule import LAST
from matgrad.tensor.builders import einsum, map_, power
from matgrad.tensor.laws.shared import power_of
from matgrad.tensor.nodes import Constant, Einsum, Node, Sum, topological


class _Power(NamedTuple):
    """base^times, the factor at a place of a product."""

    place: int
    base: Node
    times: Fraction


@LAST.add(
    "power of a quotient",
    "x^3/y^2 = (x/y)^2*x, x/y^2 = (x/y)/y",
    because="the powers alone may overflow or underflow",
    on=(Einsum,),
    examples=(
        ("4*c*((a/d)^12 - (a/d)^6)", "a: scalar; c: scalar; d: scalar"),
        ("1./(1 + (x./y).^2) + x./y.^2", "x: vector(n); y: vector(n)"),
        ("exp(-(a - c)^2/(2*d^2))", "a: scalar; c: scalar; d: scalar"),
    ),
)
def power_of_quotient(node: Node) -> Node | None:
    assert isinstance(node, Einsum)
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    for labels in dict.fromkeys(node.subscripts) if len(pairs) > 1 else ():
        powers = [_Power(i, *power_of(operand)) for i, (operand, own) in enumerate(pairs)
                  if own == labels and value_where_it_holds(operand) is None]  # fmt: skip
        above, below = ([x for x in powers if sign * x.times >= 1 and not isinstance(x.base, Constant)]
                        for sign in (1, -1))  # fmt: skip
        found = [(abs(u.times + v.times), u, v) for u in above for v in below if v.times <= -2 and not _within(u, v)]
        if found and len(set(labels)) == len(labels):
            _, u, v = min(found, key=lambda entry: entry[0])
            used = Fraction(min(u.times, -v.times) // 1)
            new = [(power(map_("ratio", (u.base, v.base)), used), labels), (power(u.base, u.times - used), labels),
                   (power(v.base, v.times + used), labels)]  # fmt: skip
            rest = [pair for place, pair in enumerate(pairs) if place not in (u.place, v.place)]
            return einsum([*rest, *new], node.out, node.coefficient, dict(enumerate(node.sizes)))
    return None


def _within(above: _Power, below: _Power) -> bool:
    """Whether a sum is divided by that has what is above in some other form: for large x, x/(1 + x^4)^2 is x^-7 though
    x/(1 + x^4) is 0."""
    if not isinstance(below.base, Sum) or above.base in below.base.children:
        return False
    return any(node is above.base for node in topological(below.base))


@LAST.add(
    "square of a quotient",
    "M'*diag(1./d.^2)*M = Q'*Q with Q = diag(1./d)*M",
    because="the square of the divisor may overflow or underflow; with other weights, all are one array",
    on=(Einsum,),
    examples=(
        ("X'*diag(1./(X*exp(x)).^2)*X*y", "X: nonnegative matrix(m, n); x: vector(n); y: vector(n)"),
        ("X'*diag(1./y.^3)*X", "X: matrix(m, n); y: vector(m)"),
    ),
)
def square_of_quotient(node: Node) -> Node | None:
    assert isinstance(node, Einsum)
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    for j, (divisor, labels) in enumerate(pairs):
        base, count = power_of(divisor)
        if not labels or count > -2 or isinstance(base, Constant) or len(set(labels)) < len(labels):
            continue
        if sum(not {*labels}.isdisjoint(own) for _, own in pairs) != 3:
            continue
        for i, (factor, own) in enumerate(pairs):
            if isinstance(factor, Constant) or not _each_once(own, labels):
                continue
            places = [own.index(x) for x in labels]
            alike = [k for k, (n, s) in enumerate(pairs[:i]) if n is factor and s != own and _each_once(s, labels)]
            other = next((k for k in alike if [pairs[k][1].index(x) for x in labels] == places), None)
            if other is None or _within(_Power(i, factor, Fraction(1)), _Power(j, base, count)):
                continue
            over = einsum([(base, labels)], own, 1, dict(zip(own, factor.shape, strict=True)))
            part = map_("ratio", (factor, over))
            rest = [pair for place, pair in enumerate(pairs) if place not in (i, j, other)]
            new = [(part, own), (part, pairs[other][1]), (power(base, count + 2), labels)]
            return einsum([*rest, *new], node.out, node.coefficient, dict(enumerate(node.sizes)))
    return None


def _each_once(own: tuple[int, ...], labels: tuple[int, ...]) -> bool:
    """Whether an array has each of its axes once, and all of those of the divisor."""
    return len({*own}) == len(own) and {*labels} <= {*own}
