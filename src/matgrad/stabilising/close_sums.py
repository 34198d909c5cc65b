"""Logarithms and reciprocals of sums that differ in few terms: log(1 + x) - log(x), 1/x - 1/(x + 1), x/(x + y)^2."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from matgrad.stabilising.differences import MANY, Part, is_taken_off, parts_of, without
from matgrad.stabilising.rule import BEFORE, RULES
from matgrad.tensor import builders as b
from matgrad.tensor.builders import einsum, map_, number, power, scaled
from matgrad.tensor.facts import Fact, positive
from matgrad.tensor.laws.shared import power_of
from matgrad.tensor.nodes import Einsum, Map, Node, Sum

MOST = 4
"""The power up to which differences of reciprocals of powers are looked for."""


def _gap(u: Node, v: Node) -> Node | None:
    """u - v, where terms cancel."""
    gap = b.subtract(u, v)
    return gap if len(b.linear_terms(gap)) < len(b.linear_terms(u)) + len(b.linear_terms(v)) - 1 else None


def difference_of_logarithms(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    factors = {term: factor for factor, term in node.terms}
    parts = [(factor, part, inner) for factor, part in parts_of(node, {"log", "log1p"})
             if part.count == 1 and (inner := _inside(part)) is not None]  # fmt: skip
    for factor, part, larger in parts:
        for _, other, smaller in parts:
            gap = _gap(larger, smaller) if other is not part and larger.shape == smaller.shape else None
            if gap is None or positive(gap) is not Fact.YES:
                continue
            rest = b.linear_terms(part.times(other.factor))
            if is_taken_off(rest, factor, factors):
                return without(node, {part.term, *rest}, scaled(part.times(_more(gap, smaller)), factor))
    return None


for _rules in (BEFORE, RULES):  # as typed, and once what is inside is stable
    _rules.add(
        "difference of logarithms",
        "log(v + y) - log(v) = log1p(y/v), softplus(log(y) - log(v)) for a v of unknown sign",
        because="for large v both are nearly equal",
        on=(Sum,),
        examples=(
            ("log(1 + c) - log(c)", "c: positive"),
            ("log(1 + c) - log(c)", "c: scalar"),
            ("y.*log(x) - y.*log(x + 3) + y", "x: positive vector(n); y: vector(n)"),
        ),
    )(difference_of_logarithms)


def _more(gap: Node, v: Node) -> Node:
    """log(v + gap) - log(v) for gap > 0; where v may be negative, so that it is nan there."""
    if positive(v) is Fact.YES:
        return map_("log1p", (b.multiply(gap, power(v, -1)),))
    return map_("softplus", (b.subtract(map_("log", (gap,)), map_("log", (v,))),))


@RULES.add(
    "logarithm of a share",
    "log(x/(x + y)) = -log1p(y/x)",
    because="accurate where the share is nearly 1",
    on=(Map,),
    examples=(
        ("c*log(c/(a + c))", "a: positive; c: positive"),
        ("log(2*x./(3*x + y)) + log(2./(2 + y))", "x: positive vector(n); y: positive vector(n)"),
    ),
)
def logarithm_of_share(node: Node) -> Node | None:
    assert isinstance(node, Map)
    ((inner, size),) = b.linear_terms(node.args[0]).items() if len(b.linear_terms(node.args[0])) == 1 else ((node, 0),)
    pairs = [power_of(operand) for operand in inner.operands] if isinstance(inner, Einsum) else [power_of(inner)]
    below = next((base for base, count in pairs if count == -1 and isinstance(base, Sum)), None)
    if node.function != "log" or below is None or len(pairs) > 2 or below.shape != node.shape or size <= 0:
        return None
    top = b.multiply(node.args[0], below)
    for term, factor in b.linear_terms(below).items():
        rest = b.subtract(below, scaled(term, factor))
        (own,) = b.linear_terms(top).values() if b.linear_terms(top).keys() == {term} else (Fraction(0),)
        if own > 0 and factor > 0 and positive(term) is Fact.YES and positive(rest) is Fact.YES:
            less = map_("log1p", (b.multiply(rest, power(scaled(term, factor), -1)),))
            return b.subtract(map_("log", (number(own / factor, node.shape),)), less)
    return None


def _inside(part: Part) -> Node | None:
    """u, where the factor is log(u)."""
    assert isinstance(part.factor, Map)
    (inner,) = part.factor.args
    return inner if part.factor.function == "log" else b.add([number(1, inner.shape), inner])


@RULES.add(
    "difference of reciprocals",
    "1/v - 1/u = (u - v)/(v*u), 1/v^2 - 1/u^2 = (u - v)/(v*u)*(1/v + 1/u), … for u = v + y",
    because="for large v both are nearly equal",
    on=(Sum,),
    examples=(
        ("1/(1 + c) - 1/c", "c: positive"),
        ("y./x.^2 - y./(x + 3).^2", "x: positive vector(n); y: vector(n)"),
        ("2/a^3 - 2/(a + c)^3", "a: positive; c: positive"),
        ("1/a^2 - 1/(1 + a^2)", "a: scalar"),
    ),
)
def difference_of_reciprocals(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    factors = {term: factor for factor, term in node.terms}
    parts = list(_reciprocals(node))
    for factor, part in parts:
        for _, other in parts:
            u, times = part.factor, other.count / part.count
            if not isinstance(u, Sum) or u is other.factor or u.shape != other.factor.shape or times.denominator > 1:
                continue
            v = power(other.factor, times)
            gap = _gap(v, u)
            if gap is None:
                continue
            rest = b.linear_terms(part.times(power(v, part.count)))
            if is_taken_off(rest, factor, factors):
                shared = [b.multiply(power(u, 1 - k), power(v, part.count + k)) for k in range(1, 1 - int(part.count))]
                new = part.times(gap, power(u, -1), power(v, -1), *[b.add(shared)] * (part.count < -1))
                return without(node, {part.term, *rest}, scaled(new, factor))
    return None


def _reciprocals(node: Sum) -> Iterator[tuple[Fraction, Part]]:
    """1/u^k as factors of the terms."""
    for factor, term in node.terms if len(node.terms) <= MANY else ():
        axes = tuple(range(len(term.shape)))
        pairs = zip(term.operands, term.subscripts, strict=True) if isinstance(term, Einsum) else [(term, axes)]
        for operand, labels in pairs:
            base, count = power_of(operand)
            if -MOST <= count <= -1 and count.denominator == 1:
                yield factor, Part(term, base, count, labels)


@RULES.add(
    "difference of multiples of sums",
    "y*(x + u) - y*(x + v) = y*(u - v)",
    because="where x is large, both are nearly equal",
    on=(Sum,),
    examples=(("exp(c)*(x - y) - exp(c)*(x - z)", "x: vector(n); y: vector(n); z: vector(n); c: scalar"),),
)
def difference_of_multiples(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    parts = list(_sums(node))
    for factor, part in parts:
        for size, other in parts if factor > 0 else ():
            if size != -factor or part.labels != other.labels or part.factor.shape != other.factor.shape:
                continue
            if {*part.term.children} - {part.factor} != {*other.term.children} - {other.factor}:
                continue
            gap = _gap(part.factor, other.factor)
            if gap is not None and part.times() is other.times():
                return without(node, {part.term, other.term}, scaled(part.times(gap), factor))
    return None


def _sums(node: Sum) -> Iterator[tuple[Fraction, Part]]:
    """The sums among the factors of the terms."""
    for factor, term in node.terms if len(node.terms) <= MANY else ():
        for operand, labels in zip(term.operands, term.subscripts, strict=True) if isinstance(term, Einsum) else ():
            if isinstance(operand, Sum):
                yield factor, Part(term, operand, Fraction(1), labels)


def _is_part(node: Node, whole: Node) -> bool:
    """Whether terms of a sum are those of another one, or entries those of a sum over axes."""
    if isinstance(whole, Einsum):
        return whole.operands == (node,) and whole.coefficient > 0 and len(whole.sizes) > len(whole.out)
    return b.linear_terms(node).keys() <= b.linear_terms(whole).keys()


@RULES.add(
    "part of a sum",
    "x/(x + y)^2 = (x/(x + y))/(x + y)",
    because="the square may overflow or underflow where the quotient does not",
    on=(Einsum,),
    examples=(
        ("x./(x + y).^2", "x: positive vector(n); y: positive vector(n)"),
        ("(a - c)/(a + 2*c)^2", "a: scalar; c: scalar"),
        ("x/sum(x)^2", "x: positive vector(n)"),
    ),
)
def part_of_sum(node: Node) -> Node | None:
    assert isinstance(node, Einsum)
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    for j, (below, labels) in enumerate(pairs):
        base, count = power_of(below)
        if count > -2 or not isinstance(base, Sum | Einsum):
            continue
        for i, (top, own) in enumerate(pairs):
            if set(labels) <= set(own) and len(set(own)) == len(own) and _is_part(top, base):
                axes = dict(zip(own, top.shape, strict=True))
                whole = einsum([(base, labels)], own, 1, axes)
                new = [(map_("ratio", (top, whole)), own), (power(base, count + 1), labels)]
                rest = [pair for k, pair in enumerate(pairs) if k not in (i, j)]
                return einsum([*rest, *new], node.out, node.coefficient, dict(enumerate(node.sizes)))
    return None
