"""Laws of products of functions: what the chain rule leaves of exp, sigmoid, tanh and abs.

A law is applied only where it holds on the whole domain of the formula as typed: what it needs beyond that
(x ≠ 0 in x/x) was already needed to write the formula, and its conditions are collected from there.
"""

from __future__ import annotations

from fractions import Fraction

from matgrad.functions import CARDS
from matgrad.tensor import builders as b
from matgrad.tensor.builders import Network, einsum, map_, number, power, scaled
from matgrad.tensor.laws.shared import is_map, power_of
from matgrad.tensor.nodes import Einsum, Map, Node


@b.NETWORK_LAWS.add(
    "softmax",
    "exp(x)/sum(exp(x)) = softmax(x)",
    on=("exp",),
    because="the definition of softmax",
    examples=(
        ("exp(x)/sum(exp(x))", "x: vector(n)"),
        ("exp(X)/sum(exp(X))", "X: matrix(m,n)"),
        ("diag(1./sum(exp(X), dim=2))*exp(X)", "X: matrix(m,n)"),
    ),
)
def softmax(net: Network) -> Network | None:
    """exp(x)/sum(exp(x)) = softmax(x), over all entries or along some axes."""
    for j, (total, free) in enumerate(net.operands):
        sums, exponent = power_of(total)
        if not isinstance(sums, Einsum) or len(sums.operands) != 1 or exponent > -1 or sums.coefficient != 1:
            continue
        exps = sums.operands[0]
        if not is_map(exps, "exp") or len(set(sums.out)) != len(sums.out):
            continue
        assert isinstance(exps, Map)
        subscript = sums.subscripts[0]
        if len(set(subscript)) != len(subscript) or not set(sums.out) <= set(subscript):
            continue
        for i, (node, labels) in enumerate(net.operands):
            base, times = power_of(node)
            if base is not exps or times < 1:
                continue
            kept = [subscript.index(x) for x in sums.out]
            if tuple(labels[p] for p in kept) != tuple(free):
                continue
            order = kept + [p for p in range(len(labels)) if p not in kept]
            turned = einsum([(exps.args[0], tuple(range(len(labels))))], order)
            soft = b.apply("softmax", turned, len(labels) - len(kept))
            return net.replaced(
                [i, j],
                [
                    (soft, tuple(labels[p] for p in order)),
                    (power(base, times - 1), labels),
                    (power(sums, exponent + 1), free),
                ],
            )
    return None


@b.NETWORK_LAWS.add(
    "logistic",
    "exp(z)*sigmoid(-z) = sigmoid(z)",
    on=("exp",),
    because="sigmoid(z) = exp(z)/(1 + exp(z))",
    examples=(
        ("exp(x)./(1 + exp(x))", "x: vector(n)"),
        ("exp(x)./(1 + exp(x)).^2", "x: vector(n)"),
    ),
)
def logistic(net: Network) -> Network | None:
    """exp(z)·sigmoid(-z) = sigmoid(z)."""
    for i, (node, labels) in enumerate(net.operands):
        base, times = power_of(node)
        if not is_map(base, "exp") or times < 1:
            continue
        assert isinstance(base, Map)
        for j, (other, others) in enumerate(net.operands):
            soft, count = power_of(other)
            if count >= 1 and labels == others and is_map(soft, "sigmoid"):
                assert isinstance(soft, Map)
                if soft.args[0] is scaled(base.args[0], -1):
                    new = map_("sigmoid", base.args)
                    return net.replaced(
                        [i, j],
                        [(new, labels), (power(base, times - 1), labels), (power(soft, count - 1), labels)],
                    )
    return None


_QUOTIENTS = {entry.facts["quotient"]: entry.name for entry in CARDS.values() if "quotient" in entry.facts}


@b.NETWORK_LAWS.add(
    "quotient",
    "sinh(z)/cosh(z) = tanh(z), sin(z)/cos(z) = tan(z)",
    on=tuple(quotient.split("/")[0] for quotient in _QUOTIENTS),
    because="the definitions of tanh and tan",
    examples=(
        ("sinh(x)./cosh(x)", "x: vector(n)"),
        ("sin(c)^2/cos(c)^3", "c: scalar"),
    ),
)
def quotients(net: Network) -> Network | None:
    """sinh(z)/cosh(z) = tanh(z), sin(z)/cos(z) = tan(z)."""
    for i, (above, labels) in enumerate(net.operands):
        top, times = power_of(above)
        if not isinstance(top, Map):
            continue
        for j, (below, others) in enumerate(net.operands):
            bottom, count = power_of(below)
            if not (isinstance(bottom, Map) and labels == others and top.args == bottom.args):
                continue
            name = _QUOTIENTS.get(f"{top.function}/{bottom.function}")
            joint = min(times, -count)
            if name is not None and joint >= 1 and joint.denominator == 1:
                whole = power(map_(name, top.args), joint)
                return net.replaced(
                    [i, j],
                    [(whole, labels), (power(top, times - joint), labels), (power(bottom, count + joint), labels)],
                )
    return None


@b.NETWORK_LAWS.add(
    "absolute value",
    "abs(z)*sign(z) = z, sign(z)/abs(z) = 1/z, z*sign(z) = abs(z)",
    on=("sign",),
    because="z = sign(z)*abs(z)",
    examples=(
        ("abs(x).*sign(x).*y", "x: vector(n); y: vector(n)"),
        ("sign(c)/abs(c)", "c: scalar"),
        ("x.^3.*sign(x)", "x: vector(n)"),
    ),
)
def absolute_values(net: Network) -> Network | None:
    """abs(z)*sign(z) = z, sign(z)/abs(z) = 1/z, and z*sign(z) = abs(z)."""
    for i, (above, labels) in enumerate(net.operands):
        signs, times = power_of(above)
        if not is_map(signs, "sign") or times.denominator != 1 or times < 1:
            continue
        assert isinstance(signs, Map)
        for j, (other, others) in enumerate(net.operands):
            base, exponent = power_of(other)
            if base is signs.args[0] and labels == others and exponent.denominator == 1 and exponent >= 1:
                left = [(power(signs, times - 1), labels), (power(base, exponent - 1), labels)]
                return net.replaced([i, j], [(map_("abs", signs.args), labels), *left])
            if not (is_map(base, "abs") and labels == others and exponent.denominator == 1):
                continue
            assert isinstance(base, Map)
            if base.args == signs.args:
                one = 1 if exponent > 0 else -1
                left = [(power(signs, times - 1), labels), (power(base, exponent - one), labels)]
                return net.replaced([i, j], [(power(signs.args[0], one), labels), *left])
    return None


@b.SUM_LAWS.add(
    "complement",
    "1 - sigmoid(z) = sigmoid(-z)",
    because="1/(1 + exp(-z)) + 1/(1 + exp(z)) = 1",
    examples=(
        ("1 - sigmoid(x)", "x: vector(n)"),
        ("y - 2 + 2*sigmoid(x)", "x: vector(n); y: vector(n)"),
    ),
)
def complement(terms: dict[Node, Fraction]) -> bool:
    """1 - sigmoid(z) = sigmoid(-z)."""
    for node, factor in terms.items():
        if is_map(node, "sigmoid"):
            assert isinstance(node, Map)
            ones = number(1, node.shape)
            if terms.get(ones) == -factor:
                opposite = map_("sigmoid", (scaled(node.args[0], -1),))
                del terms[node], terms[ones]
                b.collect(terms, opposite, -factor)
                return True
    return False
