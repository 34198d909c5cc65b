"""Logarithms taken inside: of exponentials, of what is made of them, and of 1 plus something small.

``log_of`` gives log(node) without forming the node, which may overflow or underflow where its logarithm does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from matgrad.dims import Dim
from matgrad.stabilising.rule import RULES
from matgrad.tensor import builders as b
from matgrad.tensor.builders import Operand, apply, einsum, map_, number, scaled
from matgrad.tensor.components import components
from matgrad.tensor.facts import Fact, nonnegative, positive
from matgrad.tensor.facts.signs import selects
from matgrad.tensor.laws.shared import is_map, power_of
from matgrad.tensor.nodes import Apply, Constant, Einsum, Map, Node, Sum, topological

LONG = 12
"""Terms of a logarithm above which it is not taken inside."""


def log_of(node: Node) -> Node | None:
    """The logarithm of a node that is certainly positive and made of exponentials; None for any other.

    >>> from matgrad import parse
    >>> log_of(parse("exp(a)", where="a: scalar").node), log_of(parse("a^2", where="a: scalar").node)
    (Symbol('a', (), frozenset()), None)
    """
    if "log" not in node.memo:
        for part in topological(node, skip=_KNOWN):
            found = _log_of(part)
            terms = b.linear_terms(found) if found is not None else ()
            part.memo["log"] = found if len(terms) <= LONG else None
    return node.memo["log"]  # type: ignore[no-any-return]


class _Known:
    """The nodes whose logarithm is known or of no use: those that are neither sums, nor products, nor powers."""

    def __contains__(self, node: object) -> bool:
        assert isinstance(node, Node)
        made = isinstance(node, Sum | Einsum) or (isinstance(node, Map) and node.function in ("power", "pow"))
        if not made and "log" not in node.memo:
            node.memo["log"] = _log_of(node)
        return "log" in node.memo


_KNOWN = _Known()


def _log_of(node: Node) -> Node | None:
    """The same, from the logarithms of the children."""
    if isinstance(node, Map):
        return _of_map(node)
    if isinstance(node, Apply):
        if node.function == "softmax":
            return apply("log_softmax", node.arg, node.parameter)
        return apply("logdet", node.arg) if node.function == "det" and positive(node) is Fact.YES else None
    if isinstance(node, Sum):
        return log_of_sum(b.linear_terms(node))
    return _of_einsum(node) if isinstance(node, Einsum) else None


def log_of_positive(node: Node) -> Node | None:
    """The same, and the plain logarithm of anything else that is certainly positive."""
    found = log_of(node)
    if found is None and positive(node) is Fact.YES:
        found = map_("log", (node,))
    return found


def _of_map(node: Map) -> Node | None:
    z = node.args[0]
    match node.function:
        case "exp":
            return z
        case "sigmoid":
            return scaled(map_("softplus", (scaled(z, -1),)), -1)
        case "cosh":
            return map_("log_cosh", (z,))
        case "sech2":
            return scaled(b.add([map_("log_cosh", (z,))]), -2)
        case "normcdf":
            return map_("log_normcdf", (z,))
        case "normal_ratio":
            return b.subtract(log_density(z), map_("log_normcdf", (z,)))
        case "normpdf":
            return log_density(z)
        case "power":
            below = log_of(z)
            return None if below is None else scaled(below, node.parameter)
        case "pow":
            below = log_of(z)
            if below is None and positive(z) is Fact.YES:
                below = map_("log", (z,))
            return None if below is None else b.multiply(node.args[1], below)
    return None


def log_density(z: Node) -> Node:
    """log(normpdf(z))."""
    circle = b.broadcast(map_("log", (scaled(b.constant("pi"), 2),)), z.shape)
    return scaled(b.add([b.power(z, 2), circle]), Fraction(-1, 2))


def log_of_sum(terms: dict[Node, Fraction]) -> Node | None:
    """log(u + v) = log(u) + softplus(log(v) - log(u)), where all terms are positive and one is an exponential."""
    logs: list[Node] = []
    rest: list[Node] = []
    for term, factor in terms.items():
        found = log_of(term) if factor.numerator > 0 else None
        if found is not None:
            logs.append(b.add([found, _log_of_number(factor, term)]) if factor != 1 else found)
        elif factor.numerator > 0 and nonnegative(term) is Fact.YES:
            rest.append(scaled(term, factor))
        else:
            return None
    if not logs:
        return None
    total = logs[0]
    for other in logs[1:]:
        total = log_add(total, other)
    if not rest:
        return total
    left = b.add(rest)
    below = log_of_positive(left)
    return log_add(total, map_("log", (left,))) if below is None else log_add(below, total)


def log_add(u: Node, v: Node) -> Node:
    """log(exp(u) + exp(v))."""
    return b.add([u, map_("softplus", (b.subtract(v, u),))])


def _log_of_number(value: Fraction, like: Node) -> Node:
    return map_("log", (number(value, like.shape),))


def _of_einsum(node: Einsum) -> Node | None:
    """A product, a selection of entries, a sum over axes, or several of these."""
    if node.coefficient.numerator <= 0 or not node.operands or len(set(node.out)) < len(node.out):
        return None
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    if any(isinstance(operand, Constant) and operand.shape for operand in node.operands):
        return _of_selection(node, pairs) if selects(node) else None
    logs: list[Node] = []
    exponential = False
    for part in components(pairs, node.out):
        kept = tuple(x for x in node.out if any(x in labels for _, labels in part))
        over = tuple(dict.fromkeys(x for _, labels in part for x in labels if x not in node.out))
        found = _of_component(part, kept, over, node)
        if found is None:
            return None
        exponential |= any(log_of(operand) is not None for operand, _ in part)
        logs.append(spread(found, kept, node.out, node.sizes))
    if not exponential:
        return None
    if node.coefficient != 1:
        logs.append(_log_of_number(node.coefficient, node))
    return b.add(logs)


def spread(node: Node, labels: tuple[int, ...], axes: tuple[int, ...], sizes: Sequence[Dim]) -> Node:
    """A node on some of the axes, the same along the others."""
    return einsum([(node, labels)], axes, 1, {x: sizes[x] for x in axes})


def _of_component(part: list[Operand], kept: tuple[int, ...], over: tuple[int, ...], node: Einsum) -> Node | None:
    """log(Σ over ∏ part) = logsumexp(Σ log part)."""
    if all(log_of(operand) is None for operand, _ in part):
        whole = einsum(part, kept)
        return map_("log", (whole,)) if positive(whole) is Fact.YES else None
    logs = []
    for operand, labels in part:
        found = log_of(operand)
        if found is None and nonnegative(operand) is Fact.YES:
            found = map_("log", (operand,))
        if found is None:
            return None
        logs.append(spread(found, labels, kept + over, node.sizes))
    total = b.add(logs)
    return apply("logsumexp", total, len(over)) if over else total


def _of_selection(node: Einsum, pairs: list[Operand]) -> Node | None:
    """log(x)[i] for log(x[i])."""
    picks = [pair for pair in pairs if isinstance(pair[0], Constant) and pair[1]]
    logs = []
    exponential = False
    for operand, labels in pairs:
        if isinstance(operand, Constant) and labels:
            continue
        found = log_of_positive(operand)
        if found is None:
            return None
        exponential |= log_of(operand) is not None
        own = [pick for pick in picks if set(pick[1]) & set(labels)]
        used = {x for _, s in [(found, labels), *own] for x in s}
        sizes = {x: dim for x, dim in enumerate(node.sizes) if x in used or x in node.out}
        logs.append(einsum([(found, labels), *own], node.out, 1, sizes))
    if not exponential:
        return None
    if node.coefficient != 1:
        logs.append(_log_of_number(node.coefficient, node))
    return b.add(logs)


def quantile(node: Node) -> Node | None:
    """x, where the node is normcdf(x), perhaps of one number for all entries."""
    inner = b.scalar_of(node)
    found = node if isinstance(node, Map) else inner
    if not isinstance(found, Map) or found.function != "normcdf":
        return None
    return found.args[0] if found is node else b.broadcast(found.args[0], node.shape)


# -- rules ----------------------------------------------------------------------------------------


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
    "logarithm of a factor",
    "log(u*y) = log(u) + log(y)",
    because="y > 0 wherever the logarithm typed is defined, since u > 0",
    on=(Map,),
    examples=(
        ("log(sigmoid(c)*y)", "c: scalar; y: vector(n)"),
        ("log(cosh(x).*(2 + y))", "x: vector(n); y: vector(n)"),
    ),
)
def logarithm_of_factor(node: Node) -> Node | None:
    assert isinstance(node, Map)
    inner = node.args[0]
    if node.function != "log" or not isinstance(inner, Einsum) or len(inner.sizes) > len(set(inner.out)):
        return None
    if len(set(inner.out)) < len(inner.out):
        return None
    pairs = list(zip(inner.operands, inner.subscripts, strict=True))
    known = [(log_of(operand), labels) for operand, labels in pairs]
    inside = [(found, labels) for found, labels in known if found is not None]
    if not inside:
        return None
    left = [pair for pair, (found, _) in zip(pairs, known, strict=True) if found is None]
    logs = [spread(found, labels, inner.out, inner.sizes) for found, labels in inside]
    whole = einsum(left, inner.out, inner.coefficient, dict(enumerate(inner.sizes)))
    return b.add([*logs, map_("log", (whole,))])


@RULES.add(
    "logarithm of powers",
    "log(x^p*y) = p*log(abs(x)) + log(sign(x)^p*y)",
    because="the power may overflow or underflow where its logarithm does not",
    on=(Map,),
    examples=(
        ("log(p^k*(1 - p)^(n - k)*exp(p))", "p: positive; k: positive; n: positive"),
        ("log(abs(x)^k*y^2/3)", "x: scalar; k: scalar; y: scalar"),
    ),
)
def logarithm_of_powers(node: Node) -> Node | None:
    assert isinstance(node, Map)
    inner = node.args[0]
    if node.function != "log":
        return None
    axes = tuple(range(len(node.shape)))
    if isinstance(inner, Einsum):
        pairs, out = list(zip(inner.operands, inner.subscripts, strict=True)), inner.out
        coefficient, sizes = inner.coefficient, dict(enumerate(inner.sizes))
    else:
        pairs, out, coefficient, sizes = [(inner, axes)], axes, Fraction(1), dict(enumerate(inner.shape))
    if len(sizes) > len(set(out)) or len(set(out)) < len(out):
        return None
    logs, left = [], []
    for operand, labels in pairs:
        if not is_map(operand, "pow") or _is_sign(operand.children[0]):
            left.append((operand, labels))
            continue
        base, exponent = operand.children
        certain = positive(base) is Fact.YES
        log = map_("log", (base if certain else map_("abs", (base,)),))
        logs.append(einsum([(b.multiply(exponent, log), labels)], out, 1, {x: sizes[x] for x in out}))
        if not certain:
            left.append((map_("pow", (map_("sign", (base,)), exponent)), labels))
    if not logs:
        return None
    return b.add([*logs, map_("log", (einsum(left, out, coefficient, {x: sizes[x] for x in out}),))])


def _is_sign(node: Node) -> bool:
    """Whether a node is sign(x) or -sign(x)."""
    return all(is_map(term, "sign") for term in b.linear_terms(node))


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
    return b.add([z, small, scaled(_log_of_number(Fraction(2), z), -1)])


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
    if any(labels != inner.out for labels in inner.subscripts):
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
    "logarithm of a number and a root",
    "log(x + sqrt(1 + x^2)) = arcsinh(x)",
    because="for x < 0 the sum is nearly nothing",
    on=(Map,),
    examples=(("log(x + sqrt(x.^2 + 1)) - log(sqrt(x.^2 + 1) - x)", "x: vector(n)"),),
)
def logarithm_with_root(node: Node) -> Node | None:
    assert isinstance(node, Map)
    terms = b.linear_terms(node.args[0])
    if node.function != "log" or len(terms) != 2:
        return None
    for root, factor in terms.items():
        if not (isinstance(root, Map) and root.function == "hypot") or factor != 1:
            continue
        (rest,) = (scaled(term, own) for term, own in terms.items() if term is not root)
        sides = [arg for arg in root.args if b.as_number(arg) != 1]
        if len(sides) == 1 and b.power(rest, 2) is b.power(sides[0], 2):
            return map_("arcsinh", (rest,))
    return None


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
