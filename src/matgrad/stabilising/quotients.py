"""Products in which exponentials meet: numerator and denominator overflow together where their quotient does not."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import prod

from matgrad.dims import Dim
from matgrad.stabilising.log_forms import log_of, log_of_positive, log_of_sum, quantile
from matgrad.stabilising.rule import BEFORE, RULES
from matgrad.tensor import builders as b
from matgrad.tensor.builders import Operand, einsum, map_, number, power, scaled
from matgrad.tensor.components import components
from matgrad.tensor.facts import Fact, positive
from matgrad.tensor.facts.signs import selects
from matgrad.tensor.laws.shared import is_apply, is_map, power_of
from matgrad.tensor.nodes import Apply, Einsum, Map, Named, Node, Sum

FEW = 8
"""Terms of a numerator up to which it is multiplied out."""

NESTED = 6
"""Nesting of sums and products in which exponentials are looked for."""


def _pairs(node: Node) -> list[Operand]:
    assert isinstance(node, Einsum)
    return list(zip(node.operands, node.subscripts, strict=True))


def _with(node: Node, gone: set[int], new: list[Operand], coefficient: Fraction | int = 1) -> Node:
    """The contraction with some operands exchanged for others."""
    assert isinstance(node, Einsum)
    left = [pair for place, pair in enumerate(_pairs(node)) if place not in gone]
    return einsum([*left, *new], node.out, node.coefficient * coefficient, dict(enumerate(node.sizes)))


def _exponent(node: Node) -> tuple[Node, Fraction] | None:
    """z and k, where the node is exp(z)^k."""
    base, count = power_of(node)
    return (base.args[0], count) if isinstance(base, Map) and base.function == "exp" else None


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
    pairs = _pairs(node)
    if len(pairs) < 2 or not any(isinstance(operand, Sum) for operand, _ in pairs):
        return None
    kept = {operand for operand, _ in pairs}
    growing = any(is_map(operand, "exp") for operand in kept)
    sums = [place for place, (operand, _) in enumerate(pairs) if isinstance(operand, Sum)
            and (grows(operand) or _restores(operand, kept) or (growing and divides(operand)))]  # fmt: skip
    count = prod(len(operand.terms) for operand, _ in pairs if isinstance(operand, Sum))
    if not sums or count > FEW:
        return None
    if not any(divides(operand) for operand in kept):
        return None
    total, labels = pairs[sums[0]]
    assert isinstance(total, Sum)
    return b.add([_with(node, {sums[0]}, [(term, labels)], factor) for factor, term in total.terms])


def _factors(node: Node) -> Iterator[Node]:
    """The factors of a node, or of the terms of a sum."""
    for term in node.children if isinstance(node, Sum) else (node,):
        yield from term.operands if isinstance(term, Einsum) else (term,)


def divides(node: Node) -> bool:
    """Whether a product, or a term of a sum, is divided by what grows or may vanish."""
    return any(_falls(factor) for factor in _factors(node))


def _falls(node: Node) -> bool:
    """Whether a factor divides by exponentials, or by what may underflow, or is exp(x - exp(x))."""
    base, count = power_of(node)
    if isinstance(base, Map) and base.function == "exp":
        return any(factor < 0 and grows(term) for term, factor in b.linear_terms(base.args[0]).items())
    return count < 0 and (grows(base) or _vanishes(base))


def _vanishes(node: Node) -> bool:
    return _vanishing(node) is not None


def _vanishing(node: Node) -> Node | None:
    """The softmax or sigmoid that a node is, or entries of which it is, or the first of several in a sum."""
    if isinstance(node, Sum):
        found = [_vanishing(term) for term in node.children]
        return None if None in found else found[0]
    if isinstance(node, Einsum) and selects(node):
        return next((operand for operand in node.operands if _vanishes(operand)), None)
    return node if is_apply(node, "softmax") or is_map(node, "sigmoid") else None


def _restores(node: Node, beside: set[Node]) -> bool:
    """Whether a sum has factors that cancel with what is beside it: softmax(x) with 1/softmax(x)[1]."""
    inside = set(_factors(node))
    own = {_vanishing(base) for base, count in map(power_of, inside) if count > 0}
    return bool(_divided_by(beside) & own or _divided_by(inside) & beside)


def _divided_by(factors: set[Node]) -> set[Node]:
    """What may underflow and is divided by, or an entry of which."""
    found = {_vanishing(base) for base, count in map(power_of, factors) if count < 0}
    return {node for node in found if node is not None}


@BEFORE.add(
    "divisor that is the same along an axis",
    "Y./(v*ones(n)') = diag(1./v)*Y",
    because="its entries are divided by once for each row",
    on=(Einsum,),
    examples=(("X./(sum(exp(X), dim=2)*ones(n)')", "X: matrix(m, n)"),),
)
def divisor_along_axis(node: Node) -> Node | None:
    pairs = _pairs(node)
    for i, (operand, labels) in enumerate(pairs):
        base, count = power_of(operand)
        if count >= 0 or not isinstance(base, Einsum) or len(set(base.out)) < len(base.out):
            continue
        used = {x for own in base.subscripts for x in own}
        places = [k for k, x in enumerate(base.out) if x in used]
        if len(places) == len(base.out):
            continue
        over = {x: dim for x, dim in enumerate(base.sizes) if x in used}
        entries = einsum(_pairs(base), tuple(base.out[k] for k in places), base.coefficient, over)
        return _with(node, {i}, [(power(entries, count), tuple(labels[k] for k in places))])
    return None


@BEFORE.add(
    "diagonal of exponentials",
    "diag(exp(X)) = exp(diag(X))",
    because="only the entries on the diagonal are shares of what divides them",
    on=(Einsum,),
    examples=(("diag(exp(X))/tr(exp(X))", "X: matrix(n, n)"),),
)
def diagonal_of_exponentials(node: Node) -> Node | None:
    for i, (operand, labels) in enumerate(_pairs(node)):
        if isinstance(operand, Map) and operand.function == "exp" and len(set(labels)) < len(labels):
            kept = tuple(dict.fromkeys(labels))
            return _with(node, {i}, [(map_("exp", (einsum([(operand.args[0], labels)], kept),)), kept)])
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
    entries = einsum(_pairs(inner), inner.out[:1], inner.coefficient, over)
    if not grows(entries) or positive(entries) is not Fact.YES:
        return None
    return einsum([(power(entries, -1), (0,))], (0, 0), 1, {0: entries.shape[0]})


@RULES.add(
    "entry over a sum of entries",
    "x[1]/(x[1] + x[2]) = exp(log(x)[1] - log(x[1] + x[2])), x = softmax(z)",
    because="all of them may underflow",
    on=(Einsum,),
    examples=(("softmax(x)[1]*softmax(x)/(softmax(x)[1] + softmax(x)[2])", "x: vector(n)"),),
)
def entry_over_entries(node: Node) -> Node | None:
    assert isinstance(node, Einsum)
    pairs = _pairs(node)
    for j, (below, labels) in enumerate(pairs):
        base, count = power_of(below)
        if labels or count > -1 or not isinstance(base, Sum) or not _vanishes(base):
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
    pairs = _pairs(node)
    for place, (operand, labels) in enumerate(pairs):
        if is_map(operand, "exp"):
            groups.setdefault(labels, []).append(place)
    for labels, places in groups.items():
        if len(places) > 1:
            total = b.add([pairs[place][0].args[0] for place in places])  # type: ignore[attr-defined]
            return _with(node, set(places), [(map_("exp", (total,)), labels)])
    return None


@RULES.add(
    "exponential and logistic",
    "exp(x)*sigmoid(-x) = sigmoid(x), exp(2*x)*sigmoid(-x)^2 = sigmoid(x)^2, (exp(x) - 1)*sigmoid(-x) = tanh(x/2)",
    because="sigmoid(x) = exp(x)/(1 + exp(x))",
    on=(Einsum,),
    examples=(
        ("exp(3*c)*sigmoid(-c)^2", "c: scalar"),
        ("(exp(2*x) - 1)./(exp(2*x) + 1)", "x: vector(n)"),
        ("(1 - exp(-2*x))./(1 + exp(-2*x))", "x: vector(n)"),
    ),
)
def exponential_and_logistic(node: Node) -> Node | None:
    pairs = _pairs(node)
    for j, (soft, labels) in enumerate(pairs):
        base, count = power_of(soft)
        if not isinstance(base, Map) or base.function != "sigmoid" or count <= 0:
            continue
        z = base.args[0]
        for i, (operand, others) in enumerate(pairs):
            if labels != others or not isinstance(operand, Map) or operand.function not in ("exp", "expm1"):
                continue
            if operand.function == "expm1":
                if operand.args[0] is scaled(z, -1) and count >= 1:
                    half = map_("tanh", (scaled(z, Fraction(-1, 2)),))
                    return _with(node, {i, j}, [(half, labels), (power(base, count - 1), labels)])
                continue
            times = _multiple(operand.args[0], z)
            used = min(-times, count) if times is not None else Fraction(0)
            if count.denominator == 1:
                used = Fraction(used // 1)
            if used > 0:
                new = [(power(map_("sigmoid", (scaled(z, -1),)), used), labels), (power(base, count - used), labels)]
                return _with(node, {i, j}, [*new, (map_("exp", (b.add([operand.args[0], scaled(z, used)]),)), labels)])
    return None


def _multiple(node: Node, of: Node) -> Fraction | None:
    """c, where the node is c·of."""
    mine, other = b.linear_terms(node), b.linear_terms(of)
    if not mine or mine.keys() != other.keys():
        return None
    factors = {mine[term] / other[term] for term in mine}
    return factors.pop() if len(factors) == 1 else None


@RULES.add(
    "growing beside vanishing",
    "cosh(x)*sigmoid(-x) = exp(log(cosh(x)) - softplus(x))",
    because="one may overflow where the other underflows",
    on=(Einsum,),
    examples=(
        ("cosh(c)^3*sigmoid(-2*c) + exp(c/2)*sigmoid(-c)", "c: scalar"),
        ("exp(x).*(1 - tanh(x).^2)", "x: vector(n)"),
    ),
)
def growing_beside_vanishing(node: Node) -> Node | None:
    pairs = _pairs(node)
    for i, (above, labels) in enumerate(pairs):
        top, times = power_of(above)
        if not isinstance(top, Map) or top.function not in ("exp", "cosh") or times < 1:
            continue
        for j, (below, others) in enumerate(pairs):
            base, count = power_of(below)
            if labels != others or not isinstance(base, Map) or base.function not in ("sigmoid", "sech2") or count <= 0:
                continue
            ratio, upper, lower = _multiple(base.args[0], top.args[0]), log_of(top), log_of(base)
            against = ratio is not None and (ratio < 0 or base.function != "sigmoid" or top.function != "exp")
            if against and upper is not None and lower is not None:
                merged = map_("exp", (b.add([scaled(upper, times), scaled(lower, count)]),))
                return _with(node, {i, j}, [(merged, labels)])
    return None


@RULES.add(
    "hyperbolic secant over logistic",
    "(1 - tanh(x)^2)/sigmoid(2*x) = 4*sigmoid(-2*x)",
    because="1 - tanh(x)^2 = 4*sigmoid(2*x)*sigmoid(-2*x)",
    on=(Einsum,),
    examples=(("(1 - tanh(x).^2)./(1 + tanh(x)) - (1 - tanh(x).^2)./(1 - tanh(x)).^2", "x: vector(n)"),),
)
def secant_over_logistic(node: Node) -> Node | None:
    pairs = _pairs(node)
    for i, (above, labels) in enumerate(pairs):
        top, times = power_of(above)
        for j, (below, others) in enumerate(pairs):
            base, count = power_of(below)
            if labels != others or not is_map(top, "sech2") or not is_map(base, "sigmoid") or times < 1 or count > -1:
                continue
            assert isinstance(top, Map) and isinstance(base, Map)
            ratio = _multiple(base.args[0], top.args[0])
            if ratio is not None and abs(ratio) == 2:
                other = map_("sigmoid", (scaled(base.args[0], -1),))
                new = [(other, labels), (power(top, times - 1), labels), (power(base, count + 1), labels)]
                return _with(node, {i, j}, new, 4)
    return None


@RULES.add(
    "exponential over its difference to one",
    "exp(x)/(exp(x) - 1) = -1/(exp(-x) - 1)",
    because="the quotient tends to 1 where both overflow",
    on=(Einsum,),
    examples=(("x.^3.*exp(x)./(exp(x) - 1).^2", "x: positive vector(n)"), ("exp(2*c)/(exp(c) - 1)", "c: positive")),
)
def exponential_over_expm1(node: Node) -> Node | None:
    pairs = _pairs(node)
    for j, (below, labels) in enumerate(pairs):
        base, count = power_of(below)
        if not isinstance(base, Map) or base.function != "expm1" or count > -1:
            continue
        z = base.args[0]
        for i, (operand, others) in enumerate(pairs):
            times = _multiple(operand.args[0], z) if is_map(operand, "exp") and labels == others else None  # type: ignore[attr-defined]
            if times is None or times < 1:
                continue
            used = min(times.numerator // times.denominator, -count.numerator // count.denominator)
            turned = map_("expm1", (scaled(z, -1),))
            new = [(power(turned, -used), labels), (power(base, count + used), labels),
                   (map_("exp", (scaled(z, times - used),)), labels)]  # fmt: skip
            return _with(node, {i, j}, new, (-1) ** used)
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
    ),
)
def share_of_sum(node: Node) -> Node | None:
    pairs = _pairs(node)
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
            beside = {k for k, (factor, own) in enumerate(pairs) if is_map(factor, "exp") and k not in gone | {i}
                      and set(own) < set(others)}  # fmt: skip
            axes = dict(zip(others, top.shape, strict=True))
            logs = [upper, scaled(_spread(bottom, labels, axes), -1)]
            logs += [_spread(pairs[k][0].args[0], pairs[k][1], axes) for k in beside]  # type: ignore[attr-defined]
            new += [(map_("exp", (b.add(logs),)), others), (power(top, times - 1), others)]
            gone, left = gone | {i} | beside, left - 1
        if new:
            return _with(node, gone, [*new, (power(base, -left), labels)])
    return None


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
    pairs = _pairs(node)
    for j, (below, labels) in enumerate(pairs):
        base, count = power_of(below)
        logs = _logs_of_difference(base) if count <= -1 and count.denominator == 1 else None
        for i, (above, others) in enumerate(pairs if logs is not None else ()):
            top, times = power_of(above)
            upper = log_of(top) if times >= 1 and grows(top) else None
            if upper is None or logs is None or not set(labels) <= set(others) or len(set(others)) < len(others):
                continue
            positive_, negative = logs
            turned = _multiple(upper, positive_) is None and _multiple(upper, negative) is not None
            largest, other = (negative, positive_) if turned else (positive_, negative)
            used = min(int(times), -int(count))
            scale = _spread(largest, labels, dict(zip(others, top.shape, strict=True)))
            new = [(map_("exp", (scaled(b.subtract(upper, scale), used),)), others), (power(top, times - used), others),
                   (power(map_("expm1", (b.subtract(other, largest),)), -used), labels),
                   (power(base, count + used), labels)]  # fmt: skip
            return _with(node, {i, j}, new, 1 if turned else (-1) ** used)
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


@RULES.add(
    "hyperbolic sine over exponentials",
    "sinh(x) = cosh(x)*tanh(x)",
    because="cosh(x) has a logarithm, as what divides it",
    on=(Einsum,),
    examples=(
        ("sinh(2*x)./cosh(x).^2", "x: vector(n)"),
        ("sinh(c)^3/(2 + exp(2*c)) + sinh(c)^3/(1 + exp(2*c))", "c: scalar"),
    ),
)
def sine_over_exponentials(node: Node) -> Node | None:
    pairs = _pairs(node)
    below = {labels for operand, labels in pairs for base, count in [power_of(operand)]
             if (count <= -1 and log_of(base) is not None) or (count > 0 and is_map(base, "sigmoid"))}  # fmt: skip
    for i, (above, labels) in enumerate(pairs):
        base, count = power_of(above)
        if isinstance(base, Map) and base.function == "sinh" and count >= 1 and labels in below:
            new = [(power(map_(name, base.args), count), labels) for name in ("cosh", "tanh")]
            return _with(node, {i}, new)
    return None


_GROWING = frozenset(("exp", "cosh", "sinh", "normpdf", "normcdf"))


def grows(node: Node, deep: int = NESTED) -> bool:
    """Whether a factor is made of exponentials that may overflow, or underflow together with what divides it."""
    if isinstance(node, Map):
        return node.function in _GROWING or (node.function == "pow" and positive(node.args[0]) is Fact.YES)
    if not isinstance(node, Sum | Einsum | Named) or not deep:
        return False
    key = f"grows {deep}"
    if key not in node.memo:
        node.memo[key] = any(grows(child, deep - 1) for child in node.children)
    return node.memo[key]  # type: ignore[no-any-return]


def _share(upper: Node, base: Node, most: Fraction) -> tuple[int, Node, Node] | None:
    """How often u/base, for a term u of base, is in exp(upper)/base^most; its power, and the logarithm of the rest."""
    terms = b.linear_terms(base)
    best: tuple[Fraction, Node] | None = None
    for term in terms if len(terms) > 1 else ():
        own = log_of(term)
        times = _multiple(upper, own) if own is not None else None
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


@RULES.add(
    "hyperbolic cosine over sine",
    "cosh(x)/sinh(x) = 1/tanh(x)",
    because="tanh(x) = sinh(x)/cosh(x)",
    on=(Einsum,),
    examples=(("cosh(x).^2./sinh(x)", "x: positive vector(n)"),),
)
def hyperbolic_cosine_over_sine(node: Node) -> Node | None:
    pairs = _pairs(node)
    for i, (above, labels) in enumerate(pairs):
        top, times = power_of(above)
        for j, (below, others) in enumerate(pairs):
            base, count = power_of(below)
            if labels == others and is_map(top, "cosh") and is_map(base, "sinh") and times >= 1 and count <= -1:
                if top.args == base.args:  # type: ignore[attr-defined]
                    used = min(times, -count)
                    new = [(power(map_("tanh", top.args), -used), labels), (power(top, times - used), labels),  # type: ignore[attr-defined]
                           (power(base, count + used), labels)]  # fmt: skip
                    return _with(node, {i, j}, new)
    return None


@RULES.add(
    "hyperbolic sine in a quotient",
    "sinh(x)*exp(-x) = (1 - exp(-2*x))/2",
    because="sinh(x) overflows where the product does not",
    on=(Einsum,),
    examples=(("sinh(x).*exp(-x) + sinh(x)./exp(2*x)", "x: vector(n)"),),
)
def hyperbolic_sine(node: Node) -> Node | None:
    pairs = _pairs(node)
    for i, (operand, labels) in enumerate(pairs):
        if not isinstance(operand, Map) or operand.function != "sinh":
            continue
        for j, (other, others) in enumerate(pairs):
            times = _multiple(other.args[0], operand.args[0]) if is_map(other, "exp") else None  # type: ignore[attr-defined]
            if labels != others or times is None or abs(times) < 1:
                continue
            sign = 1 if times < 0 else -1
            z = scaled(operand.args[0], sign)
            small = map_("expm1", (scaled(z, -2),))
            left = map_("exp", (b.add([other.args[0], z]),))  # type: ignore[attr-defined]
            return _with(node, {i, j}, [(small, labels), (left, labels)], Fraction(-sign, 2))
    return None


@RULES.add(
    "quotient of determinants",
    "det(X)/det(Y) = sign(det(X))*sign(det(Y))*exp(logdet(X) - logdet(Y)), det(X)^p = sign(det(X))^p*exp(p*logdet(X))",
    because="each may overflow where the quotient does not",
    on=(Einsum, Map),
    examples=(
        ("det(X)/det(Y)", "X: matrix(n, n); Y: matrix(n, n)"),
        ("det(X)^(1/2)/det(Y)^(1/3)", "X: spd(n); Y: spd(n)"),
        ("log(det(X)^2)", "X: matrix(n, n)"),
        ("det(X'*X + eye)^(1/3)", "X: matrix(n, n)"),
    ),
)
def quotient_of_determinants(node: Node) -> Node | None:
    if isinstance(node, Map):
        base, count = power_of(node)
        if is_apply(base, "det") and count.denominator > 1:
            root = map_("exp", (scaled(b.apply("logdet", base.arg), count),))  # type: ignore[attr-defined]
            if positive(base) is Fact.YES:
                return root
            return b.multiply(power(b.apply("detsign", base.arg), count), root)  # type: ignore[attr-defined]
        if node.function == "log":
            base, count = power_of(node.args[0])
            if is_apply(base, "det") and count.denominator == 1:
                return scaled(b.apply("logdet", base.arg), count)  # type: ignore[attr-defined]
        return None
    pairs = _pairs(node)
    places = [place for place, (operand, _) in enumerate(pairs) if is_apply(power_of(operand)[0], "det")]
    counts = [power_of(pairs[place][0])[1] for place in places]
    if len(places) < 2 or any(count.denominator > 1 for count in counts) or min(counts) > 0 or max(counts) < 0:
        return None
    args = [power_of(pairs[place][0])[0].arg for place in places]  # type: ignore[attr-defined]
    logs = [scaled(b.apply("logdet", arg), count) for arg, count in zip(args, counts, strict=True)]
    signs: list[Operand] = [(b.apply("detsign", arg), ()) for arg, count in zip(args, counts, strict=True)
                            if count.numerator % 2]  # fmt: skip
    return _with(node, set(places), [(map_("exp", (b.add(logs),)), ()), *signs])


@RULES.add(
    "adjugate over a determinant",
    "adj(X)/det(Y) = sign(det(Y))*exp((n - 1)*log(m) - logdet(Y))*adj(X/m) with m = max(abs(X))",
    because="both may underflow or overflow where the quotient does not",
    on=(Einsum,),
    examples=(("adj(X)/det(Y)^3", "X: matrix(n, n); Y: matrix(n, n)"),),
)
def adjugate_over_determinant(node: Node) -> Node | None:
    pairs = _pairs(node)
    above = next((place for place, (operand, _) in enumerate(pairs) if is_apply(operand, "adj")), None)
    below = {place: power_of(operand) for place, (operand, _) in enumerate(pairs)
             if is_apply(power_of(operand)[0], "det")}  # fmt: skip
    if above is None or not any(count < 0 and count.denominator == 1 for _, count in below.values()):
        return None
    x = pairs[above][0].children[0]
    largest = b.apply("largest", x, 2)
    part = map_("ratio", (x, b.broadcast(largest, x.shape)))
    logs = [b.multiply(b.subtract(b.size(x.shape[0]), number(1)), map_("log", (largest,)))]
    signs: list[Operand] = []
    for det, count in below.values():
        logs.append(scaled(b.apply("logdet", det.children[0]), count))
        if count.numerator % 2:
            signs.append((b.apply("detsign", det.children[0]), ()))
    new = [(b.apply("adj", part), pairs[above][1]), (map_("exp", (b.add(logs),)), ()), *signs]
    return _with(node, {above, *below}, new)
