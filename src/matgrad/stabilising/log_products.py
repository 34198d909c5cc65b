"""Logarithms of products: of a factor that is certainly positive, of a power, and of one that grows like exp(x)."""

from __future__ import annotations

from fractions import Fraction

from matgrad.stabilising.log_forms import log_of, spread
from matgrad.stabilising.rule import RULES
from matgrad.tensor import builders as b
from matgrad.tensor.builders import einsum, map_, number, power, scaled
from matgrad.tensor.facts import Fact, positive
from matgrad.tensor.laws.shared import is_map, power_of
from matgrad.tensor.nodes import Einsum, Map, Node


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
        ("log(abs(x)^k*y^2/3) + log(x^2)", "x: scalar; k: scalar; y: scalar"),
        ("log(c*x.^3./y.^2) + log(1./y.^4)", "x: positive vector(n); y: positive vector(n); c: scalar"),
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
        base, exponent = _power(operand)
        if exponent is None or _is_sign(base):
            left.append((operand, labels))
            continue
        certain = positive(base) is Fact.YES
        log = map_("log", (base if certain else map_("abs", (base,)),))
        logs.append(einsum([(b.multiply(exponent, log), labels)], out, 1, {x: sizes[x] for x in out}))
        count = b.as_number(exponent)
        if not certain and (count is None or count % 2):
            left.append((map_("pow", (map_("sign", (base,)), exponent)), labels))
    if not logs:
        return None
    return b.add([*logs, map_("log", (einsum(left, out, coefficient, {x: sizes[x] for x in out}),))])


def _power(node: Node) -> tuple[Node, Node | None]:
    """x and p for x^p, where p is no number, or even, or x > 0 and p neither 1 nor -1."""
    if is_map(node, "pow"):
        base, exponent = node.children
        return base, exponent
    base, count = power_of(node)
    known = count % 2 == 0 or (abs(count) != 1 and positive(base) is Fact.YES)
    return base, number(count, node.shape) if known else None


def _is_sign(node: Node) -> bool:
    """Whether a node is sign(x) or -sign(x)."""
    return all(is_map(term, "sign") for term in b.linear_terms(node))


@RULES.add(
    "logarithm of a factor that grows",
    "log(sinh(x)*y) = x + log((1 - exp(-2*x))/2*y), log((exp(x) - 1)*y) = x + log((1 - exp(-x))*y)",
    because="what grows like exp(x) may overflow where its logarithm does not",
    on=(Map,),
    examples=(
        ("log(k/(4*sinh(k)))", "k: positive"),
        ("log(sinh(x)./x) + log(expm1(y).^2./x)", "x: positive vector(n); y: positive vector(n)"),
    ),
)
def logarithm_of_growing(node: Node) -> Node | None:
    assert isinstance(node, Map)
    inner = node.args[0]
    if node.function != "log" or not isinstance(inner, Einsum) or len(inner.sizes) > len(inner.out):
        return None
    pairs = list(zip(inner.operands, inner.subscripts, strict=True))
    for place, (operand, labels) in enumerate(pairs):
        base, count = power_of(operand)
        growth = {"sinh": 2, "expm1": 1}.get(base.function) if isinstance(base, Map) else None
        if growth is None or positive(base.children[0]) is not Fact.YES or len(set(labels)) < len(labels):
            continue
        z = base.children[0]
        rest = power(scaled(map_("expm1", (scaled(z, -growth),)), Fraction(-1, growth)), count)
        others = [*pairs[:place], *pairs[place + 1 :], (rest, labels)]
        left = einsum(others, inner.out, inner.coefficient, dict(enumerate(inner.sizes)))
        return b.add([scaled(spread(z, labels, inner.out, inner.sizes), count), map_("log", (left,))])
    return None
