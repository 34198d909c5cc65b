"""Sums of exponentials with weights of any sign, as in mixtures: relative to their largest term nothing overflows.

w*exp(a) + v*exp(c) = exp(m)*(w*exp(a - m) + v*exp(c - m)), where exp(m) is the size of the largest term. What is in the
bracket, the ``rest``, is about 1, whatever the exponents are; m is a number to shift by, of which nothing depends.
"""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from typing import NamedTuple

from matgrad.stabilising.growth import exchanged, grows, pairs_of
from matgrad.stabilising.log_forms import log_of, spread
from matgrad.stabilising.rule import BEFORE, RULES
from matgrad.tensor import builders as b
from matgrad.tensor.builders import Operand, apply, einsum, map_, number, power, scaled
from matgrad.tensor.components import components
from matgrad.tensor.laws.shared import power_of
from matgrad.tensor.nodes import Constant, Einsum, Map, Node, Sum

MOST = 12
"""Terms of a sum up to which it is taken relative to its largest."""


class Weighted(NamedTuple):
    """A sum as exp(level)·rest; the weights and exponents of its terms, if they are terms on the same axes."""

    level: Node
    rest: Node
    parts: tuple[tuple[Node, Node], ...] = ()


def weighted(node: Node) -> Weighted | None:
    """A sum, or a sum over axes, some of whose terms have exponentials; None for anything else."""
    if "weighted" not in node.memo:
        found = None
        if isinstance(node, Einsum):
            found = _times_sum(node) if set(node.out) >= set(range(len(node.sizes))) else _over_axes(node)
        elif isinstance(node, Sum):
            found = _of_terms(node)
        node.memo["weighted"] = found
    return node.memo["weighted"]  # type: ignore[no-any-return]


def _over_axes(node: Einsum) -> Weighted | None:
    """Σ w·exp(x) = exp(m)·Σ sign(w)·exp(x + log|w| - m)."""
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    over = tuple(x for x in range(len(node.sizes)) if x not in node.out)
    if not over or len(set(node.out)) < len(node.out):
        return None
    if any(isinstance(n, Constant) and n.shape for n, _ in pairs) or any(len(set(s)) < len(s) for _, s in pairs):
        return None
    if len(components(pairs, node.out)) > 1 or all(log_of(n) is None for n, _ in pairs):
        return None
    axes = node.out + over
    weights = [(n, s) for n, s in pairs if log_of(n) is None]
    logs = [(found, s) for n, s in pairs if (found := log_of(n)) is not None]
    logs += [(map_("log", (map_("abs", (n,)),)), s) for n, s in weights]
    total = b.add([spread(found, labels, axes, node.sizes) for found, labels in logs])
    level = apply("max", total, len(over))
    shifted = b.subtract(total, spread(level, node.out, axes, node.sizes))
    signs = [(map_("sign", (n,)), s) for n, s in weights]
    return Weighted(level, einsum([*signs, (map_("decay", (shifted,)), axes)], node.out, node.coefficient))


def _times_sum(node: Einsum) -> Weighted | None:
    """y·(u + v) = exp(m)·y·r, where u + v = exp(m)·r."""
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    for place, (operand, labels) in enumerate(pairs):
        found = weighted(operand) if isinstance(operand, Sum) and labels == node.out else None
        if found is not None:
            pairs[place] = found.rest, labels
            return Weighted(found.level, einsum(pairs, node.out, node.coefficient), found.parts)
    return None


def _of_terms(node: Sum) -> Weighted | None:
    """Σ w·exp(z) = exp(m)·Σ w·exp(z - m), with m the largest z + log|w|."""
    if not 2 <= len(node.terms) <= MOST or not any(_unbounded(factor, term) for factor, term in node.terms):
        return None
    parts = [_part(factor, term) for factor, term in node.terms]
    if any(grows(weight) for weight, _ in parts):
        return None
    level = reduce(lambda x, y: map_("level", (x, y)), [_size(weight, z) for weight, z in parts])
    terms = [b.multiply(weight, map_("bounded_exp", (b.subtract(z, level),))) for weight, z in parts]
    return Weighted(level, b.add(terms), tuple(parts))


def _unbounded(factor: Fraction, term: Node) -> bool:
    """Whether a term may overflow where the logarithm of the sum is defined: unless it is certainly negative."""
    return grows(term) and (factor > 0 or log_of(term) is None)


def _part(factor: Fraction, term: Node) -> tuple[Node, Node]:
    """The weight and the exponent of a term; that is 0 where nothing grows."""
    zero = number(0, term.shape)
    if isinstance(term, Einsum) and len(set(term.out)) == len(term.out):
        pairs = list(zip(term.operands, term.subscripts, strict=True))
        inside = {k: found for k, (n, labels) in enumerate(pairs) if set(labels) <= set(term.out)
                  and len(set(labels)) == len(labels) and grows(n) and (found := log_of(n)) is not None}  # fmt: skip
        left = [pair for k, pair in enumerate(pairs) if k not in inside]
        weight = einsum(left, term.out, term.coefficient * factor, dict(enumerate(term.sizes)))
        if not grows(weight):
            exponents = [spread(z, pairs[k][1], term.out, term.sizes) for k, z in inside.items()]
            return weight, b.add([zero, *exponents])
    found = log_of(term) if grows(term) else None
    if found is not None:
        return number(factor, term.shape), found
    within = weighted(term)
    return (scaled(term, factor), zero) if within is None else (scaled(within.rest, factor), within.level)


def _size(weight: Node, exponent: Node) -> Node:
    """log|weight·exp(exponent)|."""
    value = b.as_number(weight)
    if value is not None and abs(value) == 1:
        return exponent
    return b.add([exponent, map_("log", (map_("abs", (weight,)),))])


@RULES.add(
    "logarithm of a weighted sum",
    "log(w'*exp(x)) = m + log(sign(w)'*exp(x + log(abs(w)) - m)) with m = max(x + log(abs(w))), "
    "log(w*exp(a) + v*exp(c)) = m + log(w*exp(a - m) + v*exp(c - m)), m = max(a + log(abs(w)), c + log(abs(v)))",
    because="the largest term is 1 in size",
    on=(Map,),
    examples=(
        ("log(exp(X)*w)", "X: matrix(m, n); w: vector(n)"),
        ("log(2*w'*exp(x))", "x: vector(n); w: vector(n)"),
        ("log(abs(w*exp(-(x - a).^2) + (1 - w)*exp(-x.^2)))", "x: vector(n); a: scalar; w: scalar"),
        ("log(abs(1 + w*exp(a) - 2*exp(c)*x[1]))", "a: scalar; c: scalar; w: scalar; x: vector(n)"),
    ),
)
def logarithm_of_weighted(node: Node) -> Node | None:
    assert isinstance(node, Map)
    if node.function not in ("log", "log1p"):
        return None
    inner = node.args[0] if node.function == "log" else b.add([number(1, node.shape), node.args[0]])
    size = isinstance(inner, Map) and inner.function == "abs"
    found = weighted(inner.args[0] if size else inner)  # type: ignore[attr-defined]
    if found is None:
        return None
    rest = map_("abs", (found.rest,)) if size else found.rest
    return b.add([found.level, _log_of_rest(rest, found.level)])


def _log_of_rest(rest: Node, level: Node) -> Node:
    """log(rest); where a term is 1/exp(level), since a term typed is 1, as log1p, accurate for small other terms."""
    terms = b.linear_terms(rest)
    one = map_("bounded_exp", (scaled(level, -1),))
    if terms.get(one) != 1:
        return map_("log", (rest,))
    others = [scaled(term, factor) for term, factor in terms.items() if term is not one]
    return map_("log1p", (b.add([map_("expm1", (scaled(level, -1),)), *others]),))


@RULES.add(
    "share of a weighted sum",
    "exp(x)/(w'*exp(x)) = exp(x - m)/(w'*exp(x - m))",
    because="with exp(m) the size of the largest term nothing overflows",
    on=(Einsum,),
    examples=(
        ("w.*exp(x)/(w'*exp(x))", "x: vector(n); w: vector(n)"),
        ("A*exp(x)/(y'*exp(x))^2*sum(exp(x))", "A: matrix(m, n); x: vector(n); y: vector(n)"),
        ("exp(a + c)/(w*exp(a) + v*exp(c))^2", "a: scalar; c: scalar; w: scalar; v: scalar"),
        ("exp(3*a)/(w*exp(a) + (1 - w)*exp(c))^2", "a: scalar; c: scalar; w: scalar"),
        ("normpdf(x).^2./(w*normpdf(x) + y.*exp(-x)).^2", "x: vector(n); y: vector(n); w: scalar"),
    ),
)
def share_of_weighted(node: Node) -> Node | None:
    assert isinstance(node, Einsum)
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    for j, (below, labels) in enumerate(pairs):
        base, count = power_of(below)
        if count > -1 or not isinstance(base, Sum | Einsum) or (isinstance(base, Einsum) and log_of(base) is not None):
            continue
        found = weighted(base)
        places = [i for i, (above, own) in enumerate(pairs) if _exponent(above) is not None
                  and set(labels) <= set(own) and len(set(own)) == len(own)]  # fmt: skip
        if found is None or not places:
            continue
        new, gone = _shares(found, labels, count, [(i, pairs[i]) for i in places], {power_of(n)[0] for n, _ in pairs})
        left = [pair for k, pair in enumerate(pairs) if k not in gone | {j}]
        return einsum([*left, *new], node.out, node.coefficient, dict(enumerate(node.sizes)))
    return None


def _exponent(node: Node) -> Node | None:
    base, count = power_of(node)
    return log_of(node) if isinstance(base, Map) and count > 0 and grows(base) else None


def _shares(
    found: Weighted, labels: tuple[int, ...], count: Fraction, above: list[tuple[int, Operand]], beside: set[Node]
) -> tuple[list[Operand], set[int]]:
    """exp(z)·…·base^count as powers of exp(z - level) and of the rest. Each exponential gets one of the divisors, one
    whose exponent is that of several terms as many, and the last what is left. Beside a weight exp(z - level) is
    bounded: where the weight is 0, all is."""
    new: list[Operand] = [(power(found.rest, count), labels)]
    gone: set[int] = set()
    left = -count
    for i, (factor, own) in above:
        exponent = _exponent(factor)
        axes = dict(zip(own, factor.shape, strict=True))
        level = einsum([(found.level, labels)], tuple(axes), 1, axes)
        assert exponent is not None
        gone.add(i)
        taken = 0
        for weight, z in found.parts if own == labels else ():
            name = "bounded_exp" if beside.intersection(_factors(weight)) else "decay"
            while left >= 1 and _contains(exponent, z):
                new.append((map_(name, (b.subtract(z, level),)), own))
                exponent, left, taken = b.subtract(exponent, z), left - 1, taken + 1
        used = left if i == above[-1][0] else min(left, Fraction(1)) if not taken else Fraction(0)
        new.append((map_("exp", (b.subtract(exponent, scaled(level, used)),)), own))
        left -= used
        if left <= 0:
            break
    return new, gone


def _factors(node: Node) -> tuple[Node, ...]:
    return node.operands if isinstance(node, Einsum) else (node,)


def _contains(node: Node, part: Node) -> bool:
    """Whether all terms of a part are in a sum, at least as often."""
    whole, inner = b.linear_terms(node), b.linear_terms(part)
    return bool(inner) and all(whole.get(term, Fraction(0)) / factor >= 1 for term, factor in inner.items())


@BEFORE.add(
    "power of a sum over a power",
    "(x'*exp(y))^2/s^3 = (x'*exp(y - log(s)))^2/s, where s is made of exponentials",
    because="each exponential alone is a share of s",
    on=(Einsum,),
    examples=(
        ("(x'*exp(x))^2/sum(exp(x))^2", "x: vector(n)"),
        ("(A*exp(x)).^3/(exp(c) + sum(exp(x)))^4", "A: matrix(m, n); x: vector(n); c: scalar"),
        ("(x'*exp(x) - c*exp(c))^2/(c*exp(c) + sum(exp(x)))^2", "x: vector(n); c: scalar"),
    ),
)
def power_of_sum(node: Node) -> Node | None:
    pairs = pairs_of(node)
    for i, (above, labels) in enumerate(pairs):
        top, times = power_of(above)
        if times < 2 or times.denominator > 1 or not isinstance(top, Einsum | Sum) or not grows(top):
            continue
        for j, (below, own) in enumerate(pairs):
            base, count = power_of(below)
            if count > -2 or count.denominator > 1 or not set(own) <= set(labels) or len(set(labels)) < len(labels):
                continue
            level, rest = log_of(base), None
            found = weighted(base) if level is None and isinstance(base, Sum | Einsum) else None
            if found is not None:
                level, rest = found.level, found.rest
            share = None if level is None else _shifted(top, level, tuple(map(labels.index, own)))
            if share is None:
                continue
            used = min(times, -count)
            new = [(power(share, used), labels), (power(top, times - used), labels), (power(base, count + used), own)]
            return exchanged(node, {i, j}, new if rest is None else [*new, (power(rest, -used), own)])
    return None


def _shifted(node: Node, level: Node, axes: tuple[int, ...]) -> Node | None:
    """A sum, or a sum over axes, divided by exp(level), which has some of its axes, with that in each exponential."""
    if isinstance(node, Sum):
        terms = [(factor, _shifted(term, level, axes)) for factor, term in node.terms]
        return None if any(made is None for _, made in terms) else b.add(
            [scaled(made, factor) for factor, made in terms if made is not None])  # fmt: skip
    out = node.out if isinstance(node, Einsum) else tuple(range(len(node.shape)))
    own = tuple(out[axis] for axis in axes)
    pairs = pairs_of(node) if isinstance(node, Einsum) else [(node, out)]
    exponents = [
        (place, labels, found) for place, (operand, labels) in enumerate(pairs) if (found := _exponent(operand))
    ]
    labels = next(
        (axes_ for _, axes_, _ in exponents if set(own) <= set(axes_) and len(set(axes_)) == len(axes_)), None
    )
    if labels is None:
        return None
    alike = {place: found for place, other, found in exponents if other == labels}
    shape = pairs[min(alike)][0].shape
    over = einsum([(level, own)], labels, 1, dict(zip(labels, shape, strict=True)))
    made = map_("exp", (b.subtract(b.add(list(alike.values())), over),))
    return exchanged(node, set(alike), [(made, labels)]) if isinstance(node, Einsum) else made
