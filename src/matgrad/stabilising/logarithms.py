"""Logarithms of exponentials, of sums and quotients that are other functions, and of 1 plus something small."""

from __future__ import annotations

from fractions import Fraction

from matgrad.stabilising.log_forms import log_of, log_of_number, quantile
from matgrad.stabilising.rule import RULES
from matgrad.tensor import builders as b
from matgrad.tensor.builders import apply, map_, number, scaled
from matgrad.tensor.laws.shared import power_of
from matgrad.tensor.nodes import Apply, Einsum, Map, Node


@RULES.add(
    "logarithm of exponentials",
    "log(u + v) = log(u) + softplus(log(v) - log(u)), log(sum(u)) = logsumexp(log(u)), log(u*v) = log(u) + log(v)",
    because="none of the exponentials is formed",
    on=(Map,),
    examples=(
        ("log(1 + exp(a) + exp(2*a))", "a: scalar"),
        ("log(3 + 2*exp(a))", "a: scalar"),
        ("log(sigmoid(x)) + log(softmax(x))", "x: vector(n)"),
        ("log(softmax(x)[2]) + log(cosh(c))", "x: vector(n); c: scalar"),
        ("log(exp(-C)*exp(x))", "C: matrix(m, n); x: vector(n)"),
        ("log(w'*exp(x)) + log(u'*exp(x))", "x: vector(n); w: positive vector(n); u: nonnegative vector(n)"),
        ("log(normcdf(x)) + log(normpdf(x))", "x: vector(n)"),
        ("log1p(exp(c)*exp(x))", "x: vector(n); c: scalar"),
        ("log(tr(exp(X))) + log(sum(diag(exp(X)).*y))", "X: matrix(n, n); y: positive vector(n)"),
        ("log(x.^c + 1)", "x: positive vector(n); c: scalar"),
        ("log(sum(exp(x)[1:2].*exp(y)))", "x: vector(4); y: vector(2)"),
        ("log(sum(diag(exp(X)).*(y[1]*y)))", "X: matrix(n, n); y: positive vector(n)"),
        ("log(sum(exp([x; ones(m)])))", "x: vector(n)"),
    ),
)
def logarithm_of_exponentials(node: Node) -> Node | None:
    assert isinstance(node, Map)
    if node.function == "log1p":
        return _of_one_more(node)
    return log_of(node.args[0]) if node.function == "log" else None


def _of_one_more(node: Map) -> Node | None:
    """log(1 + u): softplus(log(u)) for an exponential u; the plain logarithm where 1 + u is simpler than u."""
    found = log_of(node.args[0])
    if found is not None:
        return map_("softplus", (found,))
    whole = b.add([number(1, node.shape), node.args[0]])
    return None if len(b.linear_terms(whole)) > 1 else map_("log", (whole,))


@RULES.add(
    "logarithm of a difference",
    "log(exp(x) - 1) = x + log1mexp(-x), log(1 - exp(x)) = log1mexp(x), log(exp(x) - exp(y)) = x + log1mexp(y - x)",
    because="where the logarithm typed is defined",
    on=(Map,),
    examples=(
        ("log(exp(c) - 1)", "c: positive"),
        ("log(1 - exp(-c))", "c: positive"),
        ("log(expm1(x)) + log(sinh(x)) + log(tanh(x))", "x: positive vector(n)"),
        ("log(exp(x + y) - exp(x))", "x: vector(n); y: positive vector(n)"),
    ),
)
def logarithm_of_difference(node: Node) -> Node | None:
    assert isinstance(node, Map)
    if node.function != "log":
        return None
    terms = b.linear_terms(node.args[0])
    if len(terms) == 1:
        ((inner, factor),) = terms.items()
        return _of_positive_branch(inner, factor) if isinstance(inner, Map) and abs(factor) == 1 else None
    if len(terms) == 2 and sorted(terms.values()) == [-1, 1]:
        above, below = sorted(terms, key=lambda term: -terms[term])
        u, v = log_of(above), log_of(below)
        normal = quantile(above) is not None and quantile(below) is not None  # see ``close_pairs``
        if u is not None and v is not None and not normal:
            return b.add([u, map_("log1mexp", (b.subtract(v, u),))])
    return None


def _of_positive_branch(node: Map, factor: Fraction) -> Node | None:
    """log(±f(z)) for odd-like f, where ±f(z) > 0 says which sign z has."""
    z = node.args[0]
    if node.function == "expm1":
        small = map_("log1mexp", (scaled(z, -factor),))
        return b.add([z, small]) if factor > 0 else map_("log1mexp", (z,))
    if node.function not in ("sinh", "tanh"):
        return None
    z = scaled(z, factor)
    small = map_("log1mexp", (scaled(z, -2),))
    if node.function == "tanh":
        return b.subtract(small, map_("softplus", (scaled(z, -2),)))
    return b.add([z, small, scaled(log_of_number(Fraction(2), z), -1)])


@RULES.add(
    "logarithm of a quotient",
    "log((1 + x)/(1 - x)) = 2*arctanh(x)",
    because="accurate for small x, and near ±1",
    on=(Map,),
    examples=(("log((1 + x)./(1 - x)) + log((c - x)./(c + x))", "x: vector(n); c: scalar"),),
)
def logarithm_of_quotient(node: Node) -> Node | None:
    assert isinstance(node, Map)
    inner = node.args[0]
    if node.function != "log" or not isinstance(inner, Einsum) or len(inner.operands) != 2:
        return None
    if len(inner.sizes) != len(inner.out) or any(labels != inner.out for labels in inner.subscripts):
        return None
    (above, first), (below, second) = sorted(map(power_of, inner.operands), key=lambda pair: -pair[1])
    if first != 1 or second != -1 or abs(inner.coefficient) != 1:
        return None
    above = scaled(above, inner.coefficient)
    mean, gap = (scaled(b.add([above, scaled(below, sign)]), Fraction(1, 2)) for sign in (1, -1))
    if len(b.linear_terms(mean)) != 1 or len(b.linear_terms(gap)) != 1:
        return None
    return scaled(map_("arctanh", (b.multiply(gap, b.power(mean, -1)),)), 2)


@RULES.add(
    "logarithm of one more",
    "log(1 + x) = log1p(x)",
    because="accurate for small x",
    on=(Map,),
    examples=(("log(1 + x.^2) + log(1 - y)", "x: vector(n); y: vector(n)"),),
)
def logarithm_of_one_more(node: Node) -> Node | None:
    assert isinstance(node, Map)
    terms = b.linear_terms(node.args[0])
    one = number(1, node.shape)
    if node.function != "log" or len(terms) < 2 or terms.get(one) != 1:
        return None
    return map_("log1p", (b.add([scaled(term, f) for term, f in terms.items() if term is not one]),))


@RULES.add(
    "exponential of a logarithm",
    "exp(x - logsumexp(x)) = softmax(x)",
    because="x - logsumexp(x) = log(softmax(x))",
    on=(Map,),
    examples=(("exp(x - logsumexp(x))", "x: vector(n)"), ("exp(X - logsumexp(X))", "X: matrix(m, n)")),
)
def exponential_of_logarithm(node: Node) -> Node | None:
    assert isinstance(node, Map)
    inner = node.args[0]
    if node.function == "exp" and isinstance(inner, Apply) and inner.function == "log_softmax":
        return apply("softmax", inner.arg, inner.parameter)
    return None
