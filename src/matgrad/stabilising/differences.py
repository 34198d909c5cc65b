"""Sums in which leading digits cancel: 1 - cos(x), exp(x) - 1, sqrt(1 + x) - 1, p - p^2."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

from matgrad.stabilising.rule import LAST, RULES
from matgrad.tensor import builders as b
from matgrad.tensor.builders import apply, einsum, map_, number, power, scaled
from matgrad.tensor.facts import Fact, positive
from matgrad.tensor.laws.shared import power_of
from matgrad.tensor.nodes import Apply, Constant, Einsum, Map, Node, Sum

MANY = 32
"""Terms of a sum up to which pairs are looked for."""

Labels = tuple[int, ...]


class Part:
    """A factor f(z)^k of a term, and the term without it."""

    def __init__(self, term: Node, factor: Node, count: Fraction, labels: Labels) -> None:
        self.term, self.factor, self.count, self.labels = term, factor, count, labels

    def times(self, *others: Node) -> Node:
        """The term with other factors on the same axes instead of f(z)^k."""
        node = self.term
        if not isinstance(node, Einsum):
            return b.multiply(*others) if others else number(1, node.shape)
        pairs = list(zip(node.operands, node.subscripts, strict=True))
        left = [(n, s) for n, s in pairs if not (power_of(n)[0] is self.factor and s == self.labels)]
        new = [(other, self.labels) for other in others]
        return einsum([*left, *new], node.out, node.coefficient, dict(enumerate(node.sizes)))


def parts_of(node: Sum, functions: set[str]) -> Iterator[tuple[Fraction, Part]]:
    """Every factor f(z)^k of a term, with the term's coefficient."""
    if len(node.terms) > MANY:
        return
    for factor, term in node.terms:
        axes = tuple(range(len(term.shape)))
        pairs = zip(term.operands, term.subscripts, strict=True) if isinstance(term, Einsum) else [(term, axes)]
        for operand, labels in pairs:
            base, count = power_of(operand)
            if isinstance(base, Map | Apply) and base.function in functions and abs(count) >= 1:
                yield factor, Part(term, base, count, labels)


Stable = Callable[[Node], tuple[Fraction | int, tuple[Node, ...]]]


def _normal_tail(z: Node, sign: int) -> tuple[Fraction | int, tuple[Node, ...]]:
    """1 ± erf(z) = 2·normcdf(±√2·z)."""
    root = b.broadcast(power(number(2), Fraction(1, 2)), z.shape)
    return 2, (map_("normcdf", (scaled(b.multiply(root, z), sign),)),)


# f, k, c: what R + c·R·f(z)^k is, as a number and factors beside R.
_COMPLEMENTS: dict[tuple[str, int, int], Stable] = {
    ("sigmoid", 1, -1): lambda z: (1, (map_("sigmoid", (scaled(z, -1),)),)),
    ("sigmoid", 1, -2): lambda z: (-1, (map_("tanh", (scaled(z, Fraction(1, 2)),)),)),
    ("normcdf", 1, -1): lambda z: (1, (map_("normcdf", (scaled(z, -1),)),)),
    ("erf", 1, -1): lambda z: _normal_tail(z, -1),
    ("erf", 1, 1): lambda z: _normal_tail(z, 1),
    ("tanh", 1, -1): lambda z: (2, (map_("sigmoid", (scaled(z, -2),)),)),
    ("tanh", 1, 1): lambda z: (2, (map_("sigmoid", (scaled(z, 2),)),)),
    ("tanh", 2, -1): lambda z: (1, (map_("sech2", (z,)),)),
    ("tanh", -2, -1): lambda z: (-1, (power(map_("sinh", (z,)), -2),)),
    ("cos", 1, -1): lambda z: (2, (power(map_("sin", (scaled(z, Fraction(1, 2)),)), 2),)),
    ("cosh", 1, -1): lambda z: (-2, (power(map_("sinh", (scaled(z, Fraction(1, 2)),)), 2),)),
    ("exp", 1, -1): lambda z: (-1, (map_("expm1", (z,)),)),
    ("expm1", 1, 1): lambda z: (1, (map_("exp", (z,)),)),
    ("expm1", -1, 1): lambda z: (1, (map_("exp", (z,)), power(map_("expm1", (z,)), -1))),
}
_FUNCTIONS = {function for function, _, _ in _COMPLEMENTS}


@RULES.add(
    "power near one",
    "x^p - 1 = expm1(p*log(x))",
    because="accurate for small p, and for x near 1",
    on=(Sum,),
    examples=(
        ("y.*x.^c - y", "x: positive vector(n); y: vector(n); c: scalar"),
        ("(1 - x^p)/p", "x: positive; p: scalar"),
    ),
)
def power_near_one(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    factors = {term: factor for factor, term in node.terms}
    for factor, part in parts_of(node, {"pow"}):
        assert isinstance(part.factor, Map)
        base, exponent = part.factor.args
        rest = b.linear_terms(part.times()) if part.count == 1 and positive(base) is Fact.YES else {}
        if is_taken_off(rest, factor, factors):
            new = part.times(map_("expm1", (b.multiply(exponent, map_("log", (base,))),)))
            return without(node, {part.term, *rest}, scaled(new, factor))
    return None


@LAST.add(
    "power of one and more",
    "(1 + x)^p = exp(p*log1p(x))",
    because="1 + x has lost digits of a small x, of which a large p makes much",
    on=(Map,),
    examples=(
        ("(1 + a/c)^(c*d)", "a: positive; c: positive; d: scalar"),
        ("(1 + x.^2/c).^(-c)", "x: vector(n); c: positive"),
    ),
)
def power_of_one_more(node: Node) -> Node | None:
    assert isinstance(node, Map)
    terms = b.linear_terms(node.args[0]) if node.function == "pow" else {}
    one = number(1, node.args[0].shape)
    if len(terms) < 2 or terms.get(one) != 1 or positive(node.args[0]) is not Fact.YES:
        return None
    more = b.add([scaled(term, factor) for term, factor in terms.items() if term is not one])
    return map_("exp", (b.multiply(node.args[1], map_("log1p", (more,))),))


@RULES.add(
    "one without a quotient",
    "1 - 1/(1 + x) = x/(1 + x), x/(x + y) - 1 = -y/(x + y), (x + z)/(x + y)^2 - 1/(x + y) = (z - y)/(x + y)^2",
    because="accurate where the quotient is nearly 1",
    on=(Sum,),
    examples=(
        ("1 - 1/(1 + c^2)", "c: scalar"),
        ("y - 2*y./(2 + x)", "x: positive vector(n); y: vector(n)"),
        ("(a + d)/(a + c) - 1", "a: positive; c: positive; d: scalar"),
        ("(a + d)/(a + c)^2 - 1/(a + c)", "a: positive; c: positive; d: scalar"),
        ("y.*x./(x + c) - y", "x: positive vector(n); y: vector(n); c: positive"),
    ),
)
def one_without_quotient(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    factors = {term: factor for factor, term in node.terms}
    for factor, term in node.terms if len(node.terms) <= MANY else ():
        axes = tuple(range(len(term.shape)))
        pairs = list(zip(term.operands, term.subscripts, strict=True)) if isinstance(term, Einsum) else [(term, axes)]
        out, size_of = (term.out, term.sizes) if isinstance(term, Einsum) else (axes, term.shape)
        sizes = dict(enumerate(size_of))
        for place, (operand, labels) in enumerate(pairs):
            base, count = power_of(operand)
            if not isinstance(base, Sum) or count > -1:
                continue
            above = [k for k, (_, own) in enumerate(pairs) if k != place and own == labels]
            for k in (None, *above):
                beside = [pair for other, pair in enumerate(pairs) if other not in (place, k)]
                top = number(1, base.shape) if k is None else pairs[k][0]
                rest = b.linear_terms(einsum([*beside, (power(base, count + 1), labels)], out, 1, sizes))
                ratios = {factors.get(other, Fraction(0)) / own for other, own in rest.items()}
                if len(ratios) != 1 or not max(ratios):
                    continue
                left = b.add([scaled(base, max(ratios)), scaled(top, factor)])
                if len(b.linear_terms(left)) <= len(base.terms) + len(b.linear_terms(top)) - 2:
                    new = einsum([*beside, (left, labels), (operand, labels)], out, 1, sizes)
                    return without(node, {term, *rest}, new)
    return None


def is_taken_off(terms: Mapping[Node, Fraction], factor: Fraction, known: Mapping[Node, Fraction]) -> bool:
    """Whether the known terms of a sum have these, times -factor."""
    return bool(terms) and all(known.get(term) == -factor * size for term, size in terms.items())


def without(node: Sum, gone: set[Node], new: Node) -> Node:
    return b.add([*[scaled(term, factor) for factor, term in node.terms if term not in gone], new])


@RULES.add(
    "complement",
    "1 - sigmoid(x) = sigmoid(-x), 1 - 2*sigmoid(x) = -tanh(x/2), 1 - tanh(x)^2 = sech2(x), "
    "1 - tanh(x) = 2*sigmoid(-2*x), 1 - erf(x) = 2*normcdf(-sqrt(2)*x), 1 - normcdf(x) = normcdf(-x), "
    "1 - cos(x) = 2*sin(x/2)^2, 1 - cosh(x) = -2*sinh(x/2)^2, exp(x) - 1 = expm1(x), "
    "1 + expm1(x) = exp(x)",
    because="the same without a difference of nearly equal numbers; a common factor may stand before both terms",
    on=(Sum,),
    examples=(
        ("y.*sigmoid(x) - y.*sigmoid(x).^2", "x: vector(n); y: vector(n)"),
        ("y - 2*y.*sigmoid(x)", "x: vector(n); y: vector(n)"),
        ("c*tanh(a) - c*tanh(a)^3 + 2 - 2*tanh(a)", "a: scalar; c: scalar"),
        ("diag(x) - diag(x)*diag(cos(y))", "x: vector(n); y: vector(n)"),
        ("exp(cosh(x) - 1) - 1 + y - y.*erf(x)", "x: vector(n); y: vector(n)"),
        ("1 - normcdf(a) + c*(exp(a) - 1) + 2 + 2*erf(c)", "a: scalar; c: scalar"),
        ("1./(exp(x) - 1) + 1./(exp(x) - 1).^2", "x: vector(n)"),
    ),
)
def complement(node: Node) -> Node | None:
    return complement_of(node, _FUNCTIONS)


def complement_of(node: Node, functions: set[str]) -> Node | None:
    """The same, for some of the functions."""
    assert isinstance(node, Sum)
    factors = {term: factor for factor, term in node.terms}
    for factor, part in parts_of(node, functions):
        assert isinstance(part.factor, Map)
        for (function, count, ratio), stable in _COMPLEMENTS.items():
            left_over = part.count / count - 1
            if function != part.factor.function or left_over < 0 or (part.count.denominator != 1 and count < 0):
                continue
            rest = b.linear_terms(part.times(power(part.factor, part.count - count)))
            size = factor / ratio
            if rest and all(factors.get(term) == size * own for term, own in rest.items()):
                number_, new = stable(part.factor.args[0])
                left = part.times(power(part.factor, part.count - count), *new)
                return without(node, {part.term, *rest}, scaled(left, number_ * size))
    return None


@RULES.add(
    "two logistics",
    "sigmoid(x) - sigmoid(-x) = tanh(x/2), sigmoid(x) - tanh(x/2) = sigmoid(-x)",
    because="two are 1/2 near 0, or 1 for large x",
    on=(Sum,),
    examples=(
        ("sigmoid(x).*sigmoid(-x).^2 - sigmoid(x).^2.*sigmoid(-x)", "x: vector(n)"),
        ("y.*sigmoid(x) - y.*tanh(x/2) - sigmoid(2*y) - tanh(-y)", "x: vector(n); y: vector(n)"),
    ),
)
def two_logistics(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    factors = {term: factor for factor, term in node.terms}
    for factor, part in parts_of(node, {"sigmoid"}):
        assert isinstance(part.factor, Map)
        z = part.factor.args[0]
        left = power(part.factor, part.count - 1)
        turned, half = map_("sigmoid", (scaled(z, -1),)), map_("tanh", (scaled(z, Fraction(1, 2)),))
        for other, rest in ((turned, half), (half, turned)):
            terms = b.linear_terms(part.times(left, other))
            if is_taken_off(terms, factor, factors):
                return without(node, {part.term, *terms}, scaled(part.times(left, rest), factor))
    return None


@RULES.add(
    "softplus beside its argument",
    "softplus(x) - x = softplus(-x)",
    because="both are large where the difference is small",
    on=(Sum,),
    examples=(("y.*softplus(x) - y.*x", "x: vector(n); y: vector(n)"),),
)
def softplus_beside(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    factors = {term: factor for factor, term in node.terms}
    for factor, part in parts_of(node, {"softplus"}):
        assert isinstance(part.factor, Map)
        if part.count != 1:
            continue
        terms = b.linear_terms(part.times(part.factor.args[0]))
        if is_taken_off(terms, factor, factors):
            new = part.times(map_("softplus", (scaled(part.factor.args[0], -1),)))
            return without(node, {part.term, *terms}, scaled(new, factor))
    return None


@RULES.add(
    "softplus beside its slope",
    "softplus(x) - x*sigmoid(x) = softplus(-abs(x)) + abs(x)*sigmoid(-abs(x))",
    because="it is the same for x and -x, and small where x is large: the entropy of a logistic choice",
    on=(Sum,),
    examples=(
        ("y.*x.*sigmoid(x) - y.*softplus(x)", "x: vector(n); y: vector(n)"),
        ("log(1 + exp(a*c))/c^2 - a*sigmoid(a*c)/c", "a: scalar; c: positive"),
    ),
)
def softplus_beside_slope(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    factors = {term: factor for factor, term in node.terms}
    for factor, part in parts_of(node, {"softplus"}):
        assert isinstance(part.factor, Map)
        if part.count != 1:
            continue
        z = part.factor.args[0]
        terms = b.linear_terms(part.times(z, map_("sigmoid", (z,))))
        if is_taken_off(terms, factor, factors):
            distance = map_("abs", (z,))
            less = scaled(distance, -1)
            entropy = b.add([map_("softplus", (less,)), b.multiply(distance, map_("sigmoid", (less,)))])
            return without(node, {part.term, *terms}, scaled(part.times(entropy), factor))
    return None


@RULES.add(
    "entry beside logsumexp",
    "x[1] - logsumexp(x) = log_softmax(x)[1]",
    because="accurate where this entry is by far the largest",
    on=(Sum,),
    examples=(
        ("logsumexp(x) - x[2]", "x: vector(n)"),
        ("2*x - 2*logsumexp(x)", "x: vector(n)"),
        ("logsumexp(X, dim=2) - X[:, 1]", "X: matrix(m, n)"),
    ),
)
def entry_beside_logsumexp(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    factors = {term: factor for factor, term in node.terms}
    for total_factor, total, kept in _logsumexps(node):
        for factor, term in node.terms:
            if factor != -total_factor:
                continue
            place = _picked(term, total, kept)
            if place is None:
                if len(total.arg.shape) == len(node.shape) and kept == tuple(range(len(total.shape))):
                    terms = b.linear_terms(total.arg)
                    if all(factors.get(t) == -total_factor * size for t, size in terms.items()):
                        soft = apply("log_softmax", total.arg, total.parameter)
                        gone = set(terms) | {_spread(total, kept, node)}
                        return without(node, gone, scaled(soft, -total_factor))
                continue
            assert isinstance(term, Einsum)
            operands = [*term.operands]
            operands[place] = apply("log_softmax", total.arg, total.parameter)
            new = einsum(list(zip(operands, term.subscripts, strict=True)), term.out, 1, dict(enumerate(term.sizes)))
            return without(node, {term, _spread(total, kept, node)}, scaled(new, factor))
    return None


def _logsumexps(node: Sum) -> Iterator[tuple[Fraction, Apply, Labels]]:
    """Terms that are a logsumexp, perhaps broadcast, with the axes of the sum that it stands on."""
    for factor, term in node.terms:
        plain = isinstance(term, Einsum) and len(term.operands) == 1 and term.out == tuple(range(len(term.shape)))
        total = term.operands[0] if isinstance(term, Einsum) and plain else term
        kept = term.subscripts[0] if isinstance(term, Einsum) and plain else tuple(range(len(term.shape)))
        if isinstance(total, Apply) and total.function == "logsumexp":
            yield factor, total, kept


def _spread(total: Apply, kept: Labels, node: Node) -> Node:
    axes = tuple(range(len(node.shape)))
    return einsum([(total, kept)], axes, 1, dict(enumerate(node.shape)))


def _picked(term: Node, total: Apply, kept: Labels) -> int | None:
    """The place of the operand of which a term is an entry, the same that the logsumexp is taken of; else None.

    On the axes that are kept the entry is that of the same row, the others are picked by unit vectors, and along
    all other axes of the term it is constant.
    """
    if not isinstance(term, Einsum) or term.coefficient != 1 or term.operands.count(total.arg) != 1:
        return None
    place = term.operands.index(total.arg)
    own, rows = term.subscripts[place], len(total.shape)
    others = [pair for k, pair in enumerate(zip(term.operands, term.subscripts, strict=True)) if k != place]
    if not all(isinstance(n, Constant) and n.name == "unit" for n, _ in others):
        return None
    picked = sorted(x for _, labels in others for x in labels)
    along = [x for k, x in enumerate(term.out) if k not in kept]
    fits = own[:rows] == tuple(term.out[k] for k in kept) and picked == sorted(own[rows:])
    return place if picked and fits and not set(along) & set(own) and len(set(own)) == len(own) else None
