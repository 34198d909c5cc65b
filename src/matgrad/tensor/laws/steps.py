"""Laws of steps: where step(z) is a factor, z > 0 may be used in the others.

All that is replaced is finite wherever its argument is, so that nothing infinite is multiplied by 0.
"""

from __future__ import annotations

from fractions import Fraction

from matgrad.tensor import builders as b
from matgrad.tensor.builders import Network, map_, multiply, number, power, scaled
from matgrad.tensor.facts import Fact, nonnegative
from matgrad.tensor.laws.shared import is_map, power_of, weight
from matgrad.tensor.nodes import Einsum, Map, Node, Sum


@b.NETWORK_LAWS.add(
    "rectifier",
    "step(z)*relu(z) = relu(z), z*step(z) = relu(z)",
    on=("step",),
    because="both are 0 where z <= 0",
    examples=(
        ("2*relu(x).*step(x)", "x: vector(n)"),
        ("c*step(c)", "c: scalar"),
    ),
)
def rectifier(net: Network) -> Network | None:
    """step(z)·relu(z)^k = relu(z)^k for k > 0, and z·step(z) = relu(z)."""
    for i, (step, labels) in enumerate(net.operands):
        if not is_map(step, "step"):
            continue
        assert isinstance(step, Map)
        for j, (other, others) in enumerate(net.operands):
            base, exponent = power_of(other)
            if i == j or labels != others or exponent.numerator <= 0:
                continue
            if is_map(base, "relu") and base.args == step.args:  # type: ignore[attr-defined]
                return net.replaced([i])
            if base is step.args[0] and exponent >= 1:
                left = power(map_("relu", step.args), 1)
                return net.replaced([i, j], [(left, labels), (power(base, exponent - 1), labels)])
    return None


@b.NETWORK_LAWS.add(
    "where a step is 1",
    "step(z)*(relu(z) + y) = step(z)*(z + y), and abs(z) = z, sign(z) = 1, relu(-z) = step(-z) = 0 there",
    on=("step",),
    because="where step(z) is not 0, z > 0",
    examples=(
        ("step(x).*(relu(x) - y)", "x: vector(n); y: vector(n)"),
        ("step(x - y).*(max(x, y).^2 + y)", "x: vector(n); y: vector(n)"),
        ("step(c)*(abs(c) + sign(c)*step(-c) + 1)", "c: scalar"),
        ("step(X).*(abs(X) - relu(-X) - 1)", "X: matrix(m,n)"),
    ),
)
def where_a_step_is_one(net: Network) -> Network | None:
    """step(z)·F(relu(z)) = step(z)·F(z), for factors on the same axes."""
    for i, (step, labels) in enumerate(net.operands):
        if not is_map(step, "step"):
            continue
        assert isinstance(step, Map)
        known = {step.args[0]: 1, scaled(step.args[0], -1): -1}
        for j, (other, others) in enumerate(net.operands):
            if i != j and labels == others and weight(other) <= LARGEST:
                found = _of_sign(other, known)
                if found is not other and weight(found) < weight(other):
                    return net.replaced([j], [(found, labels)])
    return None


@b.NETWORK_LAWS.add(
    "sign where an absolute value is large",
    "sign(x)^2*step(abs(x) - c) = step(abs(x) - c) for c ≥ 0, and with relu",
    on=("step", "relu"),
    because="where step(abs(x) - c) is not 0, x is not 0",
    examples=(
        ("sign(x).^2.*step(abs(x) - c)", "x: vector(n); c: nonnegative"),
        ("sign(c)^3*relu(2*abs(c) - 1)", "c: scalar"),
    ),
)
def sign_of_large(net: Network) -> Network | None:
    """sign(x)^k·step(abs(x) - c) = sign(x)^(k mod 2)·step(abs(x) - c)."""
    for step, labels in net.operands:
        if not (is_map(step, "step") or is_map(step, "relu")):
            continue
        for i, (other, others) in enumerate(net.operands):
            base, exponent = power_of(other)
            if labels != others or exponent < 2 or not is_map(base, "sign"):
                continue
            size, terms = map_("abs", base.children), b.linear_terms(step.children[0])
            rest = b.add([number(0, size.shape), *(scaled(t, -f) for t, f in terms.items() if t is not size)])
            if terms.get(size, 0) > 0 and nonnegative(rest) is Fact.YES:
                return net.replaced([i], [(power(base, exponent % 2), labels)])
    return None


LARGEST = 100
"""The weight up to which factors are looked through."""


def _of_sign(node: Node, known: dict[Node, int]) -> Node:
    """The node where the signs of these arguments are known, entry by entry."""
    if isinstance(node, Sum):
        return b.add([scaled(_of_sign(term, known), factor) for factor, term in node.terms])
    plain = isinstance(node, Einsum) and len(set(node.out)) == len(node.out)  # no array on a diagonal
    if isinstance(node, Einsum) and plain and all(labels == node.out for labels in node.subscripts):
        factors = [_of_sign(operand, known) for operand in node.operands]
        return scaled(multiply(*factors), node.coefficient) if factors else node
    if not isinstance(node, Map):
        return node
    if node.function == "power":
        whole = node.parameter.denominator == 1 and node.parameter > 0
        return power(_of_sign(node.args[0], known), node.parameter) if whole else node
    if node.function not in ("relu", "abs", "sign", "step"):
        return node
    (arg,) = node.args
    if arg not in known:
        return map_(node.function, (_of_sign(arg, known),))
    if node.function == "abs":
        return scaled(arg, known[arg])
    if node.function == "sign":
        return number(known[arg], node.shape)
    if known[arg] < 0:
        return number(0, node.shape)
    return arg if node.function == "relu" else number(1, node.shape)


@b.READING_LAWS.add(
    "a rectifier as a product",
    "relu(z) = z.*step(z) and abs(z) = z.*sign(z), where something cancels",
    because="the definitions",
    examples=(
        ("relu(x - y) - x.*step(x - y) + y", "x: vector(n); y: vector(n)"),
        ("abs(c - 1) + sign(c - 1)", "c: scalar"),
    ),
)
def rectifier_as_product(terms: dict[Node, Fraction]) -> Node | None:
    """relu(x - y) - x.*step(x - y) = -y.*step(x - y)."""
    for term, times in terms.items():
        for node in term.operands if isinstance(term, Einsum) else (term,):
            factor = _factor(node)
            if factor is not None and any(factor in other.children for other in terms if other is not term):
                rest = [scaled(other, count) for other, count in terms.items() if other is not term]
                whole = b.add([*rest, *(scaled(part, times) for part in _spread(term, node, factor))])
                if weight(whole) < sum(map(weight, terms)):
                    return whole
    return None


def _spread(term: Node, node: Node, factor: Node) -> list[Node]:
    """The term with factor times z for one of its operands, a function of z, and with the sum z multiplied out."""
    parts = [scaled(part, count) for part, count in b.linear_terms(node.children[0]).items()]
    if not isinstance(term, Einsum):
        return [multiply(part, factor) for part in parts]
    pairs = list(zip(term.operands, term.subscripts, strict=True))
    place = term.operands.index(node)
    rest = [*pairs[:place], *pairs[place + 1 :], (factor, pairs[place][1])]
    sizes = dict(enumerate(term.sizes))
    return [b.einsum([*rest, (part, pairs[place][1])], term.out, term.coefficient, sizes) for part in parts]


_FACTORS = {"relu": "step", "abs": "sign"}


def _factor(node: Node) -> Node | None:
    """step(z) for relu(z), sign(z) for abs(z)."""
    return map_(_FACTORS[node.function], node.args) if isinstance(node, Map) and node.function in _FACTORS else None
