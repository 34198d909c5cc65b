"""Hyperbolic and logistic functions in products and quotients, whose factors overflow where the whole does not."""

from __future__ import annotations

from fractions import Fraction

from matgrad.stabilising.growth import exchanged, multiple, pairs_of
from matgrad.stabilising.log_forms import log_of
from matgrad.stabilising.rule import RULES
from matgrad.tensor import builders as b
from matgrad.tensor.builders import map_, number, power, scaled
from matgrad.tensor.facts import Fact, positive
from matgrad.tensor.laws.shared import is_map, power_of
from matgrad.tensor.nodes import Einsum, Map, Node


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
    pairs = pairs_of(node)
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
                    return exchanged(node, {i, j}, [(half, labels), (power(base, count - 1), labels)])
                continue
            times = multiple(operand.args[0], z)
            used = min(-times, count) if times is not None else Fraction(0)
            if count.denominator == 1:
                used = Fraction(used // 1)
            if used > 0:
                new = [(power(map_("sigmoid", (scaled(z, -1),)), used), labels), (power(base, count - used), labels)]
                return exchanged(
                    node, {i, j}, [*new, (map_("exp", (b.add([operand.args[0], scaled(z, used)]),)), labels)]
                )
    return None


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
    pairs = pairs_of(node)
    for i, (above, labels) in enumerate(pairs):
        top, times = power_of(above)
        if not isinstance(top, Map) or top.function not in ("exp", "cosh") or times < 1:
            continue
        for j, (below, others) in enumerate(pairs):
            base, count = power_of(below)
            if labels != others or not isinstance(base, Map) or base.function not in ("sigmoid", "sech2") or count <= 0:
                continue
            ratio, upper, lower = multiple(base.args[0], top.args[0]), log_of(top), log_of(base)
            against = ratio is not None and (ratio < 0 or base.function != "sigmoid" or top.function != "exp")
            if against and upper is not None and lower is not None:
                merged = map_("exp", (b.add([scaled(upper, times), scaled(lower, count)]),))
                return exchanged(node, {i, j}, [(merged, labels)])
    return None


@RULES.add(
    "hyperbolic secant over logistic",
    "(1 - tanh(x)^2)/sigmoid(2*x) = 4*sigmoid(-2*x)",
    because="1 - tanh(x)^2 = 4*sigmoid(2*x)*sigmoid(-2*x)",
    on=(Einsum,),
    examples=(("(1 - tanh(x).^2)./(1 + tanh(x)) - (1 - tanh(x).^2)./(1 - tanh(x)).^2", "x: vector(n)"),),
)
def secant_over_logistic(node: Node) -> Node | None:
    pairs = pairs_of(node)
    for i, (above, labels) in enumerate(pairs):
        top, times = power_of(above)
        for j, (below, others) in enumerate(pairs):
            base, count = power_of(below)
            if labels != others or not is_map(top, "sech2") or not is_map(base, "sigmoid") or times < 1 or count > -1:
                continue
            assert isinstance(top, Map) and isinstance(base, Map)
            ratio = multiple(base.args[0], top.args[0])
            if ratio is not None and abs(ratio) == 2:
                other = map_("sigmoid", (scaled(base.args[0], -1),))
                new = [(other, labels), (power(top, times - 1), labels), (power(base, count + 1), labels)]
                return exchanged(node, {i, j}, new, 4)
    return None


@RULES.add(
    "exponential over its difference to one",
    "exp(x)/(exp(x) - 1) = -1/(exp(-x) - 1), exp(x + y)/(exp(x) - 1) = -exp(y)/(exp(-x) - 1)",
    because="the quotient tends to 1 where both overflow",
    on=(Einsum,),
    examples=(
        ("x.^3.*exp(x)./(exp(x) - 1).^2", "x: positive vector(n)"),
        ("exp(2*c)/(exp(c) - 1) + exp(2*c + a)/(exp(c) - 1)", "a: scalar; c: positive"),
        ("(1 + x)^(p - 1)/((1 + x)^p - 1)", "x: positive; p: positive"),
    ),
)
def exponential_over_expm1(node: Node) -> Node | None:
    pairs = pairs_of(node)
    for j, (below, labels) in enumerate(pairs):
        base, count = power_of(below)
        if not isinstance(base, Map) or base.function != "expm1" or count > -1:
            continue
        z = base.args[0]
        for i, (operand, others) in enumerate(pairs):
            exponent = _exponent(operand) if labels == others else None
            times = _contained(exponent, z) if exponent is not None else 0
            if exponent is None or times < 1 or (multiple(exponent, z) is None and positive(z) is not Fact.YES):
                continue  # exp(x + y) may be small where exp(y) is not
            used = min(times, -count.numerator // count.denominator)
            turned = map_("expm1", (scaled(z, -1),))
            new = [(power(turned, -used), labels), (power(base, count + used), labels),
                   (map_("exp", (b.subtract(exponent, scaled(z, used)),)), labels)]  # fmt: skip
            return exchanged(node, {i, j}, new, (-1) ** used)
    return None


def _exponent(node: Node) -> Node | None:
    """z for exp(z), and p*log(x) for x^p, multiplied out."""
    if is_map(node, "exp"):
        return node.children[0]
    raised, count = power_of(node)
    if not is_map(raised, "pow") or positive(raised.children[0]) is not Fact.YES:
        return None
    base, exponent = raised.children
    terms = b.linear_terms(base)
    one = number(1, base.shape)
    more = b.add([scaled(term, factor) for term, factor in terms.items() if term is not one])
    log = map_("log1p", (more,)) if len(terms) > 1 and terms.get(one) == 1 else map_("log", (base,))
    return b.add([scaled(b.multiply(term, log), count * size) for term, size in b.linear_terms(exponent).items()])


def _contained(whole: Node, part: Node) -> int:
    """How often all terms of a part are in a sum."""
    found, own = b.linear_terms(whole), b.linear_terms(part)
    return int(min(found.get(term, Fraction(0)) / factor for term, factor in own.items())) if own else 0


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
    pairs = pairs_of(node)
    below = {labels for operand, labels in pairs for base, count in [power_of(operand)]
             if (count <= -1 and log_of(base) is not None) or (count > 0 and is_map(base, "sigmoid"))}  # fmt: skip
    for i, (above, labels) in enumerate(pairs):
        base, count = power_of(above)
        if isinstance(base, Map) and base.function == "sinh" and count >= 1 and labels in below:
            new = [(power(map_(name, base.args), count), labels) for name in ("cosh", "tanh")]
            return exchanged(node, {i}, new)
    return None


@RULES.add(
    "hyperbolic cosine over sine",
    "cosh(x)/sinh(x) = 1/tanh(x)",
    because="tanh(x) = sinh(x)/cosh(x)",
    on=(Einsum,),
    examples=(("cosh(x).^2./sinh(x)", "x: positive vector(n)"),),
)
def hyperbolic_cosine_over_sine(node: Node) -> Node | None:
    pairs = pairs_of(node)
    for i, (above, labels) in enumerate(pairs):
        top, times = power_of(above)
        for j, (below, others) in enumerate(pairs):
            base, count = power_of(below)
            if labels == others and is_map(top, "cosh") and is_map(base, "sinh") and times >= 1 and count <= -1:
                if top.args == base.args:  # type: ignore[attr-defined]
                    used = min(times, -count)
                    new = [(power(map_("tanh", top.args), -used), labels), (power(top, times - used), labels),  # type: ignore[attr-defined]
                           (power(base, count + used), labels)]  # fmt: skip
                    return exchanged(node, {i, j}, new)
    return None


@RULES.add(
    "hyperbolic sine in a quotient",
    "sinh(x)*exp(-x) = (1 - exp(-2*x))/2",
    because="sinh(x) overflows where the product does not",
    on=(Einsum,),
    examples=(("sinh(x).*exp(-x) + sinh(x)./exp(2*x)", "x: vector(n)"),),
)
def hyperbolic_sine(node: Node) -> Node | None:
    pairs = pairs_of(node)
    for i, (operand, labels) in enumerate(pairs):
        if not isinstance(operand, Map) or operand.function != "sinh":
            continue
        for j, (other, others) in enumerate(pairs):
            times = multiple(other.args[0], operand.args[0]) if is_map(other, "exp") else None  # type: ignore[attr-defined]
            if labels != others or times is None or abs(times) < 1:
                continue
            sign = 1 if times < 0 else -1
            z = scaled(operand.args[0], sign)
            small = map_("expm1", (scaled(z, -2),))
            left = map_("exp", (b.add([other.args[0], z]),))  # type: ignore[attr-defined]
            return exchanged(node, {i, j}, [(small, labels), (left, labels)], Fraction(-sign, 2))
    return None
