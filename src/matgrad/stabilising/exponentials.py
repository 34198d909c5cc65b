"""Exponentials in products, before the products are formed."""

from __future__ import annotations

from fractions import Fraction
from math import prod

from matgrad.stabilising.growth import divides, exchanged, grows, pairs_of, restores
from matgrad.stabilising.rule import BEFORE, RULES
from matgrad.tensor import builders as b
from matgrad.tensor.builders import einsum, map_, power, scaled
from matgrad.tensor.facts import Fact, positive
from matgrad.tensor.laws.shared import is_map, power_of
from matgrad.tensor.nodes import Apply, Einsum, Map, Node, Sum

FEW = 8
"""Terms of a numerator up to which it is multiplied out."""


@BEFORE.add(
    "exponentials before a sum",
    "exp(x)*(1/s - exp(x)/s^2) = exp(x)/s - exp(x)^2/s^2, where s is made of exponentials",
    because="each term alone is a share of s",
    on=(Einsum,),
    examples=(
        ("exp(x).*(y./(1 + exp(x)) - exp(x)./(2 + exp(x)).^2)", "x: vector(n); y: vector(n)"),
        ("(exp(a) - 2*exp(c))/(3 + exp(a) + exp(c))", "a: scalar; c: scalar"),
        ("exp(a - exp(a))*(1 - exp(a))", "a: scalar"),
    ),
)
def exponentials_before_sum(node: Node) -> Node | None:
    pairs = pairs_of(node)
    if len(pairs) < 2 or not any(isinstance(operand, Sum) for operand, _ in pairs):
        return None
    kept = {operand for operand, _ in pairs}
    growing = any(is_map(operand, "exp") for operand in kept)
    sums = [place for place, (operand, _) in enumerate(pairs) if isinstance(operand, Sum)
            and (grows(operand) or restores(operand, kept) or (growing and divides(operand)))]  # fmt: skip
    count = prod(len(operand.terms) for operand, _ in pairs if isinstance(operand, Sum))
    if not sums or count > FEW:
        return None
    if not any(divides(operand) for operand in kept):
        return None
    total, labels = pairs[sums[0]]
    assert isinstance(total, Sum)
    return b.add([exchanged(node, {sums[0]}, [(term, labels)], factor) for factor, term in total.terms])


@BEFORE.add(
    "divisor that is the same along an axis",
    "Y./(v*ones(n)') = diag(1./v)*Y",
    because="its entries are divided by once for each row",
    on=(Einsum,),
    examples=(("X./(sum(exp(X), dim=2)*ones(n)')", "X: matrix(m, n)"),),
)
def divisor_along_axis(node: Node) -> Node | None:
    pairs = pairs_of(node)
    for i, (operand, labels) in enumerate(pairs):
        base, count = power_of(operand)
        if count >= 0 or not isinstance(base, Einsum) or len(set(base.out)) < len(base.out):
            continue
        used = {x for own in base.subscripts for x in own}
        places = [k for k, x in enumerate(base.out) if x in used]
        if len(places) == len(base.out):
            continue
        over = {x: dim for x, dim in enumerate(base.sizes) if x in used}
        entries = einsum(pairs_of(base), tuple(base.out[k] for k in places), base.coefficient, over)
        return exchanged(node, {i}, [(power(entries, count), tuple(labels[k] for k in places))])
    return None


@BEFORE.add(
    "diagonal of exponentials",
    "diag(exp(X)) = exp(diag(X))",
    because="only the entries on the diagonal are shares of what divides them",
    on=(Einsum,),
    examples=(("diag(exp(X))/tr(exp(X))", "X: matrix(n, n)"),),
)
def diagonal_of_exponentials(node: Node) -> Node | None:
    for i, (operand, labels) in enumerate(pairs_of(node)):
        if isinstance(operand, Map) and operand.function == "exp" and len(set(labels)) < len(labels):
            kept = tuple(dict.fromkeys(labels))
            return exchanged(node, {i}, [(map_("exp", (einsum([(operand.args[0], labels)], kept),)), kept)])
    return None


@BEFORE.add(
    "inverse of a positive diagonal",
    "inv(diag(exp(x))) = diag(1./exp(x))",
    because="what is divided may overflow together with the diagonal, which is not singular",
    on=(Apply,),
    examples=(("inv(diag(sum(exp(X), dim=2)))*exp(X)", "X: matrix(m, n)"),),
)
def inverse_of_diagonal(node: Node) -> Node | None:
    assert isinstance(node, Apply)
    inner = node.arg
    if node.function != "inv" or not isinstance(inner, Einsum) or len(set(inner.out)) != 1:
        return None
    over = dict(enumerate(inner.sizes))
    entries = einsum(pairs_of(inner), inner.out[:1], inner.coefficient, over)
    if not grows(entries) or positive(entries) is not Fact.YES:
        return None
    return einsum([(power(entries, -1), (0,))], (0, 0), 1, {0: entries.shape[0]})


@RULES.add(
    "exponentials of one product",
    "exp(x)*exp(y) = exp(x + y), 1/exp(x) = exp(-x)",
    because="one of them may overflow where the product does not",
    on=(Einsum, Map),
    examples=(("exp(x).*exp(y)./exp(x - 1).^2", "x: vector(n); y: vector(n)"), ("1/exp(c)", "c: scalar")),
)
def exponentials_of_product(node: Node) -> Node | None:
    if isinstance(node, Map):
        found = _exponent(node) if node.function == "power" else None
        return None if found is None else map_("exp", (scaled(*found),))
    groups: dict[tuple[int, ...], list[int]] = {}
    pairs = pairs_of(node)
    for place, (operand, labels) in enumerate(pairs):
        if is_map(operand, "exp"):
            groups.setdefault(labels, []).append(place)
    for labels, places in groups.items():
        if len(places) > 1:
            total = b.add([pairs[place][0].args[0] for place in places])  # type: ignore[attr-defined]
            return exchanged(node, set(places), [(map_("exp", (total,)), labels)])
    return None


def _exponent(node: Node) -> tuple[Node, Fraction] | None:
    """z and k, where the node is exp(z)^k."""
    base, count = power_of(node)
    return (base.args[0], count) if isinstance(base, Map) and base.function == "exp" else None
