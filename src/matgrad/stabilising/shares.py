"""Shares of sums and differences of exponentials, which overflow together where their quotient does not."""

from __future__ import annotations

from fractions import Fraction

from matgrad.dims import Dim
from matgrad.stabilising.growth import exchanged, grows, multiple, pairs_of, vanishes
from matgrad.stabilising.log_forms import log_of, log_of_positive, log_of_sum, quantile
from matgrad.stabilising.rule import RULES
from matgrad.tensor import builders as b
from matgrad.tensor.builders import einsum, map_, number, power, scaled
from matgrad.tensor.components import components
from matgrad.tensor.facts import Fact, positive
from matgrad.tensor.laws.shared import is_map, power_of
from matgrad.tensor.nodes import Einsum, Map, Node, Sum


@RULES.add(
    "entry over a sum of entries",
    "x[1]/(x[1] + x[2]) = exp(log(x)[1] - log(x[1] + x[2])), x = softmax(z)",
    because="all of them may underflow",
    on=(Einsum,),
    examples=(("softmax(x)[1]*softmax(x)/(softmax(x)[1] + softmax(x)[2])", "x: vector(n)"),),
)
def entry_over_entries(node: Node) -> Node | None:
    assert isinstance(node, Einsum)
    pairs = pairs_of(node)
    for j, (below, labels) in enumerate(pairs):
        base, count = power_of(below)
        if labels or count > -1 or not isinstance(base, Sum) or not vanishes(base):
            continue
        bottom, terms = log_of(base), b.linear_terms(base)
        rest = [pair for k, pair in enumerate(pairs) if k != j]
        for part in components(rest, node.out) if bottom is not None else ():
            inner = einsum(part, ()) if all(x not in node.out for _, own in part for x in own) else None
            upper = log_of(inner) if inner in terms else None
            if upper is not None and bottom is not None:
                left = [pair for pair in rest if pair not in part]
                share = map_("exp", (b.subtract(upper, bottom),))
                sizes = {x: node.sizes[x] for x in node.out}
                return einsum([*left, (share, ()), (power(base, count + 1), ())], node.out, node.coefficient, sizes)
    return None


@RULES.add(
    "root of exponentials",
    "sqrt(1 + exp(x)) = exp(softplus(x)/2)",
    because="the sum may overflow where its root does not",
    on=(Map,),
    examples=(("exp(x)./sqrt(3 + exp(2*x))", "x: vector(n)"), ("(1 + exp(c) + exp(2*c))^(-3/2)", "c: scalar")),
)
def root_of_exponentials(node: Node) -> Node | None:
    base, count = power_of(node)
    found = log_of(base) if count.denominator > 1 and isinstance(base, Sum) and grows(base) else None
    return None if found is None else map_("exp", (scaled(found, count),))


@RULES.add(
    "share of a sum",
    "u/(u + v) = sigmoid(log(u) - log(v)), u/v = exp(log(u) - log(v))",
    because="only the logarithms are formed, for u and v made of exponentials",
    on=(Einsum,),
    examples=(
        ("exp(a)/(1 + exp(a) + exp(c))", "a: scalar; c: scalar"),
        ("exp(2*a)/(1 + exp(a) + exp(2*a))^2", "a: scalar"),
        ("exp(x)/(2 + sum(exp(x)))", "x: vector(n)"),
        ("w.*exp(x)/(w'*exp(x))", "x: vector(n); w: positive vector(n)"),
        ("exp(x)./cosh(x) + cosh(x)./cosh(2*x)", "x: vector(n)"),
        ("(exp(a) - 2*exp(c))/(3 + exp(a) + exp(c))", "a: scalar; c: scalar"),
        ("normpdf(x)./normcdf(2*x)", "x: vector(n)"),
        ("(1 + exp(a))/(1 + exp(a) + exp(c))", "a: scalar; c: scalar"),
        ("x.^c./(1 + x.^c) + 1./(2 + x.^c)", "x: positive vector(n); c: scalar"),
        ("x.^(c - 1).*y.^(1 - c)/sum(x.^c.*y.^(1 - c))", "x: positive vector(n); y: positive vector(n); c: scalar"),
    ),
)
def share_of_sum(node: Node) -> Node | None:
    pairs = pairs_of(node)
    for j, (below, labels) in enumerate(pairs):
        base, count = power_of(below)
        bottom = log_of(base) if count <= -1 else None
        if bottom is None or is_map(base, "exp"):
            continue
        left, gone, new = -count, {j}, []
        for i, (above, others) in sorted(enumerate(pairs), key=lambda entry: -len(entry[1][1])):
            top, times = power_of(above)
            upper = log_of(top) if times >= 1 and grows(top) and i not in gone else None
            if upper is None or not set(labels) <= set(others) or len(set(others)) < len(others) or left < 1:
                continue
            if others == labels:
                share = _share(upper, base, left)
                if share is not None:
                    used, factor, rest = share
                    new += [(factor, others), (map_("exp", (rest,)), others), (power(top, times - 1), others)]
                    gone, left = gone | {i}, left - used
                    continue
            if others == labels and isinstance(base, Sum) and is_map(top, "exp"):
                continue  # a share of a weighted sum
            beside = {k for k, (factor, own) in enumerate(pairs) if k not in gone | {i} and _joins(factor, own, others)}
            axes = dict(zip(others, top.shape, strict=True))
            logs = [upper, scaled(_spread(bottom, labels, axes), -1)]
            logs += [_spread(found, pairs[k][1], axes) for k in sorted(beside) if (found := log_of(pairs[k][0]))]
            new += [(map_("exp", (b.add(logs),)), others), (power(top, times - 1), others)]
            gone, left = gone | {i} | beside, left - 1
        if new:
            return exchanged(node, gone, [*new, (power(base, -left), labels)])
    return None


def _joins(factor: Node, labels: tuple[int, ...], axes: tuple[int, ...]) -> bool:
    """Whether what stands beside an exponential goes into its exponent: exponentials, and powers with an exponent."""
    if is_map(factor, "exp"):
        return set(labels) < set(axes)
    return is_map(factor, "pow") and labels == axes and log_of(factor) is not None


def _share(upper: Node, base: Node, most: Fraction) -> tuple[int, Node, Node] | None:
    """How often u/base, for a term u of base, is in exp(upper)/base^most; its power, and the logarithm of the rest."""
    terms = b.linear_terms(base)
    best: tuple[Fraction, Node] | None = None
    for term in terms if len(terms) > 1 else ():
        own = log_of(term)
        times = multiple(upper, own) if own is not None else None
        if times is not None and times >= 1 and (best is None or times < best[0]):
            best = times, term
    if best is None:
        return None
    times, term = best
    own = log_of(term)
    beside = _log_of_rest({other: factor for other, factor in terms.items() if other is not term})
    if own is None or beside is None:
        return None
    used, factor = min(int(times), int(most)), terms[term]
    weighted_ = own if factor == 1 else b.add([own, map_("log", (number(factor, term.shape),))])
    share = scaled(map_("sigmoid", (b.subtract(weighted_, beside),)), 1 / factor)
    return used, power(share, used), scaled(own, times - used)


def _log_of_rest(terms: dict[Node, Fraction]) -> Node | None:
    """The logarithm of a sum of positive terms, with exponentials or without."""
    found = log_of_sum(terms)
    if found is None:
        whole = b.add([scaled(term, factor) for term, factor in terms.items()])
        found = map_("log", (whole,)) if positive(whole) is Fact.YES else None
    return found


def _spread(node: Node, labels: tuple[int, ...], axes: dict[int, Dim]) -> Node:
    return einsum([(node, labels)], tuple(axes), 1, axes)


@RULES.add(
    "share of a difference",
    "u/(u - v) = -1/expm1(log(v) - log(u))",
    because="only the logarithms are formed, for u and v made of exponentials",
    on=(Einsum,),
    examples=(
        ("exp(a)/(exp(a) - exp(c))", "a: scalar; c: scalar"),
        ("exp(2*a)*exp(c)/(exp(a) - 3*exp(c))^3", "a: scalar; c: scalar"),
        ("exp(x)/(3 - exp(c))", "x: vector(n); c: scalar"),
        ("cosh(x)./(2*exp(x) - exp(y))", "x: vector(n); y: vector(n)"),
    ),
)
def share_of_difference(node: Node) -> Node | None:
    pairs = pairs_of(node)
    for j, (below, labels) in enumerate(pairs):
        base, count = power_of(below)
        logs = _logs_of_difference(base) if count <= -1 and count.denominator == 1 else None
        for i, (above, others) in enumerate(pairs if logs is not None else ()):
            top, times = power_of(above)
            upper = log_of(top) if times >= 1 and grows(top) else None
            if upper is None or logs is None or not set(labels) <= set(others) or len(set(others)) < len(others):
                continue
            positive_, negative = logs
            turned = multiple(upper, positive_) is None and multiple(upper, negative) is not None
            largest, other = (negative, positive_) if turned else (positive_, negative)
            used = min(int(times), -int(count))
            scale = _spread(largest, labels, dict(zip(others, top.shape, strict=True)))
            new = [(map_("exp", (scaled(b.subtract(upper, scale), used),)), others), (power(top, times - used), others),
                   (power(map_("expm1", (b.subtract(other, largest),)), -used), labels),
                   (power(base, count + used), labels)]  # fmt: skip
            return exchanged(node, {i, j}, new, 1 if turned else (-1) ** used)
    return None


def _logs_of_difference(node: Node) -> tuple[Node, Node] | None:
    """log(u) and log(v), where the node is u - v for positive u and v, one of them made of exponentials."""
    terms = sorted(b.linear_terms(node).items(), key=lambda entry: -entry[1])
    if len(terms) != 2 or terms[0][1] < 0 or terms[1][1] > 0 or all(log_of(term) is None for term, _ in terms):
        return None
    if all(quantile(term) is not None for term, _ in terms):
        return None  # their logarithms are nearly equal where they are nearly 1: see ``neighbours``
    first, second = (log_of_positive(scaled(term, abs(factor))) for term, factor in terms)
    return None if first is None or second is None else (first, second)
