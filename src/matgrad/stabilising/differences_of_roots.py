"""Differences of roots of which terms cancel: sqrt(1 + x^2) - 1, sqrt(x + 1) - sqrt(x), sqrt(b^2 - 4*a*c) - b."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from matgrad.stabilising.differences import MANY, without
from matgrad.stabilising.rule import AHEAD, BEFORE, RULES
from matgrad.tensor import builders as b
from matgrad.tensor.builders import einsum, map_, number, power, scaled
from matgrad.tensor.facts import Fact, nonnegative, positive
from matgrad.tensor.laws.shared import power_of
from matgrad.tensor.nodes import Apply, Einsum, Map, Node, Sum

HALF = Fraction(1, 2)


def _square(node: Node) -> Node | None:
    """The square of a root, of a length, or of a number or node that is certainly positive."""
    value = b.as_number(node)
    if value is not None:
        return number(value**2, node.shape) if value > 0 else None
    if isinstance(node, Map) and node.function == "power" and node.parameter == HALF:
        return node.args[0]
    if isinstance(node, Map) and node.function == "hypot":
        return b.add([power(arg, 2) for arg in node.args])
    if isinstance(node, Apply) and node.function == "safe_norm":
        kept = tuple(range(len(node.shape)))
        return einsum([(power(node.arg, 2), tuple(range(len(node.arg.shape))))], kept)
    return power(node, 2) if positive(node) is Fact.YES else None


def _is_root(node: Node) -> bool:
    half = isinstance(node, Map) and node.function == "power" and node.parameter == HALF
    return half or (isinstance(node, Map) and node.function == "hypot") or (
        isinstance(node, Apply) and node.function == "safe_norm"
    )  # fmt: skip


@RULES.add(
    "difference of roots",
    "sqrt(u) - sqrt(v) = (u - v)/(sqrt(u) + sqrt(v)), sqrt(1 + x^2) - 1 = x^2/(1 + sqrt(1 + x^2))",
    because="where terms of u and v cancel",
    on=(Sum,),
    examples=(
        ("sqrt(1 + x.^2) - 1", "x: vector(n)"),
        ("c^2*(sqrt(1 + (a/c)^2) - 1)", "a: scalar; c: positive"),
        ("sqrt(c + 1) - sqrt(c)", "c: positive"),
        ("3 - sqrt(9 + x'*x)", "x: vector(n)"),
        ("(sqrt(c^2 + 4*a) - c)/2", "a: positive; c: positive"),
    ),
)
def difference_of_roots(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    for found in _pairs(node):
        side = _root_of_square(found.gap)
        if side is not None:  # in one piece: the square alone may overflow
            return found.instead(b.multiply(side, map_("ratio", (side, found.total))))
        return found.instead(b.multiply(found.gap, power(found.total, -1)))
    return None


@AHEAD.add(
    "difference of roots over what their squares differ by",
    "(sqrt(b^2 - 4*a*c) - b)/(2*a) = -2*c/(b + sqrt(b^2 - 4*a*c))",
    because="what is divided by is a factor of the difference, so that derivatives have one cancelling term less",
    on=(Einsum,),
    examples=(("(sqrt(d^2 - 4*a*c) - d)/(2*a)", "a: positive; c: scalar; d: positive"),),
)
def root_over_gap(node: Node) -> Node | None:
    assert isinstance(node, Einsum)
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    for place, (operand, labels) in enumerate(pairs):
        for found in _pairs(operand) if isinstance(operand, Sum) and len(operand.terms) == 2 else ():
            gap = scaled(b.multiply(found.common, found.gap), found.factor)
            if len(b.linear_terms(gap)) != 1 or b.as_number(found.second) is not None:
                continue  # a number has no derivative, so that nothing cancels
            rest = [*pairs[:place], *pairs[place + 1 :]]
            product = einsum([*rest, (gap, labels)], node.out, node.coefficient, dict(enumerate(node.sizes)))
            if _factors(product) < _factors(gap):
                total = (power(found.total, -1), labels)
                return einsum([*rest, (gap, labels), total], node.out, node.coefficient, dict(enumerate(node.sizes)))
    return None


def _factors(node: Node) -> int:
    return len(node.operands) if isinstance(node, Einsum) else 1


@BEFORE.add(
    "root beside a quotient by it",
    "u/s - v = v*(u^2/v^2 - s^2)/(s*(s + u/v)), u/s^3 - v/s = (u - v*s^2)/s^3, for a root s",
    because="where terms of u^2/v^2, or u, and s^2 cancel",
    on=(Sum,),
    examples=(
        ("a^2*c/sqrt(y^2 + a^2*c^2) - a", "a: positive; c: positive; y: scalar"),
        ("1 - x./sqrt(x.^2 + 2)", "x: positive vector(n)"),
        ("2*a/(a^2 + c)^(1/2) - 2*a^3/(a^2 + c)^(3/2)", "a: scalar; c: positive"),
    ),
)
def root_beside_quotient(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    powers = [(factor, term, *found) for factor, term in node.terms for found in _root_powers(term)] if len(
        node.terms) <= MANY else []  # fmt: skip
    for factor, term, root, count, rest in powers:
        plain = [(own, other, root, 0, other) for own, other in node.terms if not _holds(other, root)]
        for own, other, same, times, beside in [*powers, *plain] if count < 0 else ():
            if other is term or same is not root or (own > 0) == (factor > 0) or times - count not in (1, 2):
                continue
            join = _joined if times - count == 2 else _over_sum
            found = join(root, scaled(rest, factor), scaled(beside, own))
            if found is not None:
                return without(node, {term, other}, b.multiply(found, power(root, count)))
    return None


def _root_powers(term: Node) -> Iterator[tuple[Node, int, Node]]:
    """Each root s in a term, k for its power s^k, and the rest of the term."""
    pairs = [(term, tuple(range(len(term.shape))))]
    out, coefficient, sizes = pairs[0][1], Fraction(1), dict(enumerate(term.shape))
    if isinstance(term, Einsum):
        pairs = list(zip(term.operands, term.subscripts, strict=True))
        out, coefficient, sizes = term.out, term.coefficient, dict(enumerate(term.sizes))
    for place, (operand, labels) in enumerate(pairs):
        base, count = power_of(operand)
        root, count = (power(base, HALF), 2 * count) if count.denominator == 2 else (base, count)
        if labels == out and len(set(out)) == len(out) and _is_root(root) and count.denominator == 1:
            yield root, int(count), einsum(pairs[:place] + pairs[place + 1 :], out, coefficient, sizes)


def _holds(term: Node, root: Node) -> bool:
    return any(own is root for own, _, _ in _root_powers(term))


def _joined(root: Node, above: Node, below: Node) -> Node | None:
    """u + v*s^2, where terms cancel."""
    square = _square(root)
    parts = b.linear_terms(square) if square is not None else {}
    found = b.add([above, *(scaled(b.multiply(below, part), size) for part, size in parts.items())])
    return found if parts and len(b.linear_terms(found)) < len(parts) else None


def _over_sum(root: Node, above: Node, below: Node) -> Node | None:
    """u + v*s = v*(s^2 - r^2)/(s + r) with r = -u/v, where terms cancel."""
    second = scaled(b.multiply(above, power(below, -1)), -1)
    square, other = _square(root), _square(second)
    if square is None or other is None or nonnegative(second) is not Fact.YES:
        return None
    gap = b.subtract(square, other)
    if len(b.linear_terms(gap)) >= len(b.linear_terms(square)):
        return None
    return b.multiply(below, gap, power(b.add([root, second]), -1))


class _Pair(NamedTuple):
    """factor·common·(root - second) in a sum, the second being a root, too; ``gap`` is what their squares differ by."""

    node: Sum
    terms: set[Node]
    factor: Fraction
    common: Node
    root: Node
    second: Node
    gap: Node

    @property
    def total(self) -> Node:
        return b.add([self.root, self.second])

    def instead(self, difference: Node) -> Node:
        """The sum with another form of the difference of the roots."""
        return without(self.node, self.terms, scaled(b.multiply(self.common, difference), self.factor))


def _pairs(node: Sum) -> Iterator[_Pair]:
    for factor, term in node.terms if len(node.terms) <= MANY else ():
        for root, common in _roots(term):
            above = _square(root)
            for other_factor, other in node.terms if above is not None else ():
                if other is term or (factor > 0) == (other_factor > 0):
                    continue
                second = scaled(b.multiply(other, power(common, -1)), -other_factor / factor)
                below = _square(second)
                if above is None or below is None or nonnegative(second) is not Fact.YES:
                    continue
                gap = b.subtract(above, below)
                if len(b.linear_terms(gap)) < len(b.linear_terms(above)) + len(b.linear_terms(below)) - 1:
                    yield _Pair(node, {term, other}, factor, common, root, second, gap)


def _roots(term: Node) -> Iterator[tuple[Node, Node]]:
    """Each root in a term, with the rest of the term."""
    if _is_root(term):
        yield term, number(1, term.shape)
    if isinstance(term, Einsum) and len(set(term.out)) == len(term.out):
        pairs = list(zip(term.operands, term.subscripts, strict=True))
        for place, (operand, labels) in enumerate(pairs):
            if labels == term.out and _is_root(operand):
                rest = einsum(
                    pairs[:place] + pairs[place + 1 :], term.out, term.coefficient, dict(enumerate(term.sizes))
                )
                yield operand, rest


def _root_of_square(node: Node) -> Node | None:
    """x/y for x^2/y^2."""
    base, count = power_of(node)
    if count == 2:
        return base
    if not isinstance(node, Einsum) or len(node.sizes) > len(set(node.out)) or node.coefficient != 1:
        return None
    halves = [(power_of(operand), labels) for operand, labels in zip(node.operands, node.subscripts, strict=True)]
    if not halves or any(size.denominator > 1 or size.numerator % 2 for (_, size), _ in halves):
        return None
    return einsum([(power(n, size / 2), s) for (n, size), s in halves], node.out, 1, dict(enumerate(node.sizes)))


@BEFORE.add(
    "difference of lengths",
    "sum(u.^2) - sum(v.^2) = sum((u - v).*(u + v)), norm2(u) - norm2(v) = (u - v)'*((u + v)/(norm2(u) + norm2(v)))",
    because="where terms of u and v cancel: two distances from one point far away are nearly equal",
    on=(Sum,),
    examples=(
        ("norm2(x - y)^2 - norm2(x - z)^2 + c", "x: vector(n); y: vector(n); z: vector(n); c: scalar"),
        ("norm2(x - y) - norm2(x - z)", "x: vector(n); y: vector(n); z: vector(n)"),
        ("2*(a - c)^2 - 2*(a + d)^2", "a: scalar; c: scalar; d: scalar"),
    ),
)
def difference_of_lengths(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    found = [(factor, term, *side) for factor, term in node.terms if (side := _squared(term)) is not None]
    for factor, first, u, over, size in found if len(node.terms) <= MANY else ():
        for other, second, v, axes, count in found:
            if factor < 0 or other != -factor or u is v or (u.shape, over, size) != (v.shape, axes, count):
                continue
            gap, total = b.subtract(u, v), b.add([u, v])
            if len(b.linear_terms(gap)) >= len(b.linear_terms(u)) + len(b.linear_terms(v)) - 1:
                continue
            whole = tuple(range(len(u.shape)))
            kept = whole[: len(whole) - over]
            if size == HALF:
                both = einsum([(b.add([first, second]), kept)], whole, 1, dict(enumerate(u.shape)))
                total = map_("ratio", (total, both))
            return without(node, {first, second}, scaled(einsum([(gap, whole), (total, whole)], kept), factor))
    return None


def _squared(term: Node) -> tuple[Node, int, Fraction] | None:
    """A sum u, over how many of its last axes u^2 is summed, and the power of that: 1, or 1/2 for a length."""
    inner, size = power_of(term)
    if size == 2 and isinstance(inner, Sum):
        return inner, 0, Fraction(1)
    if size not in (1, HALF) or not isinstance(inner, Einsum) or inner.coefficient != 1:
        return None
    labels = inner.subscripts[0] if inner.subscripts else ()
    over = len(labels) - len(inner.out)
    if set(inner.subscripts) != {labels} or labels[: len(inner.out)] != inner.out or len(set(labels)) < len(labels):
        return None
    bases = {power_of(operand)[0] for operand in inner.operands}
    if len(bases) > 1 or sum(power_of(operand)[1] for operand in inner.operands) != 2 or not over:
        return None
    (base,) = bases
    return (base, over, size) if isinstance(base, Sum) else None
