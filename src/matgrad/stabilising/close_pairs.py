"""Differences of two values of one function, f(x) - f(y), where the values are nearly equal, or both vanish."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import NamedTuple

from matgrad.stabilising.differences import Part, parts_of, without
from matgrad.stabilising.growth import grows
from matgrad.stabilising.log_forms import log_of, quantile, spread
from matgrad.stabilising.rule import LAST, RULES
from matgrad.tensor import builders as b
from matgrad.tensor.builders import Operand, einsum, map_, number, power, scaled
from matgrad.tensor.facts import Fact, positive
from matgrad.tensor.laws.shared import is_map, power_of
from matgrad.tensor.nodes import Einsum, Map, Node, Sum

HALF = Fraction(1, 2)


class Pair(NamedTuple):
    """factor·R·(f(x) - f(y)) in a sum: R is what stands beside both."""

    factor: Fraction
    first: Part
    second: Part

    @property
    def points(self) -> tuple[Node, Node]:
        return self.first.factor.children[0], self.second.factor.children[0]


def pairs_of(node: Sum, functions: set[str]) -> Iterator[Pair]:
    """The pairs of terms that are R·f(x) and -R·f(y), with the same R."""
    found = [(factor, part) for factor, part in parts_of(node, functions) if part.count == 1]
    for factor, part in found if len(found) > 1 else ():
        for other, second in found:
            alike = factor > 0 and other == -factor and part.labels == second.labels
            assert isinstance(part.factor, Map) and isinstance(second.factor, Map)
            if alike and part.factor.function == second.factor.function and part.factor is not second.factor:
                if part.times() is second.times():
                    yield Pair(factor, part, second)


@RULES.add(
    "difference of error functions",
    "erf(x) - erf(y) = 2*normcdf(sqrt(2)*x) - 2*normcdf(sqrt(2)*y)",
    because="differences of normcdf have a form that does not cancel",
    on=(Sum,),
    examples=(("y.*erf(x) - y.*erf(x - 1/8) - erf(c)", "x: vector(n); y: vector(n); c: scalar"),),
)
def difference_of_error_functions(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    for pair in pairs_of(node, {"erf"}):
        values = []
        for z in pair.points:
            root = b.broadcast(power(number(2), HALF), z.shape)
            values.append(map_("normcdf", (b.multiply(root, z),)))
        new = pair.first.times(b.subtract(*values))
        return without(node, {pair.first.term, pair.second.term}, scaled(new, 2 * pair.factor))
    return None


@RULES.add(
    "logarithm of a normal probability",
    "log(normcdf(x) - normcdf(y)) by the tail in which both are small, nan for x < y",
    because="both may be nearly 1, or 0",
    on=(Map,),
    examples=(
        ("log(3*normcdf(x + y) - 3*normcdf(x))", "x: vector(n); y: positive vector(n)"),
        ("log(normcdf(a) - normcdf(a - c))", "a: scalar; c: positive"),
        ("log(normcdf(a) - normcdf(a - y))", "a: scalar; y: positive"),
    ),
)
def logarithm_of_normal_probability(node: Node) -> Node | None:
    assert isinstance(node, Map)
    found = _between(node.args[0]) if node.function == "log" else None
    if found is None:
        return None
    factor, points = found
    gap = b.subtract(*points)
    sign = number(1, node.shape) if positive(gap) is Fact.YES else map_("sign", (gap,))
    return b.add([map_("log_normcdf_between", points), map_("log", (scaled(sign, factor),))])


def _between(node: Node) -> tuple[Fraction, tuple[Node, Node]] | None:
    """c > 0, x and y, where the node is c·(normcdf(x) - normcdf(y))."""
    terms = sorted(b.linear_terms(node).items(), key=lambda entry: -entry[1])
    if len(terms) != 2:
        return None
    (first, factor), (second, other) = terms
    x, y = quantile(first), quantile(second)
    return (factor, (x, y)) if x is not None and y is not None and factor == -other else None


@RULES.add(
    "density over a normal probability",
    "normpdf(x)/(normcdf(x) - normcdf(y)) = exp(log(normpdf(x)) - log(normcdf(x) - normcdf(y)))",
    because="both may underflow",
    on=(Einsum,),
    examples=(
        ("normpdf(a)/(normcdf(a) - normcdf(c))", "a: scalar; c: scalar"),
        ("x.*exp(-x.^2/2).^2./(normcdf(c) - normcdf(x)).^3", "x: vector(n); c: scalar"),
        ("normpdf(a)*normpdf(c)/(normcdf(a) - normcdf(c))^2", "a: scalar; c: scalar"),
    ),
)
def density_over_probability(node: Node) -> Node | None:
    assert isinstance(node, Einsum)
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    for j, (below, labels) in enumerate(pairs):
        base, count = power_of(below)
        found = _between(base) if count <= -1 and count.denominator == 1 else None
        for i, (above, others) in sorted(enumerate(pairs if found is not None else ()), key=_is_divided):
            top, times = power_of(above)
            upper = log_of(top) if times >= 1 and grows(top) else None
            if upper is None or found is None or not set(labels) <= set(others) or len(set(others)) < len(others):
                continue
            factor, points = found
            used = Fraction(min(int(times), -int(count)))
            sizes = dict(enumerate(node.sizes))
            bottom = spread(map_("log_normcdf_between", points), labels, others, node.sizes)
            new = [
                (map_("exp", (scaled(b.subtract(upper, bottom), used),)), others),
                (power(map_("sign", (b.subtract(*points),)), used % 2), labels),
                (power(top, times - used), others),
                (power(base, count + used), labels),
            ]
            rest = [pair for place, pair in enumerate(pairs) if place not in (i, j)]
            return einsum([*rest, *new], node.out, node.coefficient * factor ** -int(used), sizes)
    return None


def _is_divided(entry: tuple[int, Operand]) -> bool:
    """Whether a factor is divided by a probability already: each gets one before any gets two."""
    exponent = log_of(power_of(entry[1][0])[0])
    return (
        any(is_map(term, "log_normcdf_between") for term in b.linear_terms(exponent)) if exponent is not None else False
    )


def _of_exponentials(x: Node, y: Node) -> Node:
    return map_("exp_difference", (x, y))


def _of_logistics(x: Node, y: Node) -> Node:
    """(σ(x)·σ(-y) + σ(-x)·σ(y))·tanh((x - y)/2): the quotient of the two products is exp(x - y)."""
    ends = [b.multiply(*(map_("sigmoid", (scaled(z, sign),)) for z, sign in ((x, s), (y, -s)))) for s in (1, -1)]
    return b.multiply(b.add(ends), map_("tanh", (scaled(b.subtract(x, y), HALF),)))


def _of_tangents(x: Node, y: Node) -> Node:
    return scaled(_of_logistics(scaled(x, 2), scaled(y, 2)), 2)


def _of_normal(x: Node, y: Node) -> Node:
    return b.multiply(map_("sign", (b.subtract(x, y),)), map_("exp", (map_("log_normcdf_between", (x, y)),)))


def _half_sum(x: Node, y: Node, outer: str, inner: str, factor: int) -> Node:
    """factor·outer((x + y)/2)·inner((x - y)/2)."""
    middle, gap = scaled(b.add([x, y]), HALF), scaled(b.subtract(x, y), HALF)
    return scaled(b.multiply(map_(outer, (middle,)), map_(inner, (gap,))), factor)


_DIFFERENCES: dict[str, Callable[[Node, Node], Node]] = {
    "exp": _of_exponentials,
    "sigmoid": _of_logistics,
    "tanh": _of_tangents,
    "normcdf": _of_normal,
    "sin": lambda x, y: _half_sum(x, y, "cos", "sin", 2),
    "cos": lambda x, y: _half_sum(x, y, "sin", "sin", -2),
}


@LAST.add(
    "difference of two values",
    "sigmoid(x) - sigmoid(y) = (sigmoid(x)*sigmoid(-y) + sigmoid(-x)*sigmoid(y))*tanh((x - y)/2), "
    "tanh(x) - tanh(y) alike, exp(x) - exp(y) by the larger and the quotient, normcdf(x) - normcdf(y) by the tail in "
    "which both are small, sin(x) - sin(y) = 2*cos((x + y)/2)*sin((x - y)/2), cos(x) - cos(y) alike",
    because="accurate where x and y are near each other, or both values near 1",
    on=(Sum,),
    examples=(
        ("sigmoid(x) - sigmoid(y) + 2*tanh(x) - 2*tanh(y)", "x: vector(n); y: vector(n)"),
        ("c*exp(-a*c) - c*exp(-a)", "a: scalar; c: scalar"),
        ("normcdf(x) - normcdf(2*x)", "x: vector(n)"),
        ("sin(x + y) - sin(x) + cos(x - y) - cos(y)", "x: vector(n); y: vector(n)"),
    ),
)
def difference_of_values(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    for pair in pairs_of(node, set(_DIFFERENCES)):
        assert isinstance(pair.first.factor, Map)
        new = pair.first.times(_DIFFERENCES[pair.first.factor.function](*pair.points))
        return without(node, {pair.first.term, pair.second.term}, scaled(new, pair.factor))
    return None
