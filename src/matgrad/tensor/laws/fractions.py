"""Laws that multiply out because something cancels: fractions over a common denominator, complements of sigmoid.

A sum is multiplied out only where that leaves less than there was, and only a small one: (A + B)^20 stays as it is.
What is divided by was divided by before, so no condition is added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from fractions import Fraction

from matgrad.dims import Dim
from matgrad.tensor import builders as b
from matgrad.tensor.builders import Network, Operand, einsum, map_, power, scaled
from matgrad.tensor.laws.shared import is_map, multiplied_out, power_of, weight
from matgrad.tensor.nodes import Einsum, Map, Node, Sum

Terms = dict[Node, Fraction]
Key = tuple[Node, tuple[int, ...]]
"""What is divided by, and on which axes of the result."""

MOST = 4
"""Terms and exponents up to which fractions are put over a common denominator."""


@dataclass(frozen=True)
class Product:
    """One term of a sum as a product, with what it is divided by."""

    node: Node
    operands: list[Operand]
    out: tuple[int, ...]
    coefficient: Fraction
    sizes: dict[int, Dim]
    below: dict[Key, Fraction]

    @classmethod
    def of(cls, node: Node) -> Product | None:
        """None if two axes are one: a diagonal."""
        labels = tuple(range(len(node.shape)))
        if not isinstance(node, Einsum):
            operands: list[Operand] = [(node, labels)]
            return cls(node, operands, labels, Fraction(1), dict(enumerate(node.shape)), _below(operands, labels))
        if node.out != labels:
            return None
        operands = list(zip(node.operands, node.subscripts, strict=True))
        return cls(node, operands, labels, node.coefficient, dict(enumerate(node.sizes)), _below(operands, labels))

    def above(self, extra: Mapping[Key, Fraction], axes: Set[tuple[int, ...]]) -> list[Node] | None:
        """The numerator, times more factors, multiplied out."""
        operands = [o for o in self.operands if (power_of(o[0])[0], o[1]) not in self.below]
        for (base, labels), count in extra.items():
            operands += [(base, labels)] * int(count)
        return multiplied_out(operands, self.out, self.coefficient, self.sizes, axes)


def _below(operands: Sequence[Operand], out: tuple[int, ...]) -> dict[Key, Fraction]:
    found = {}
    for node, labels in operands:
        base, exponent = power_of(node)
        broken = exponent.denominator != 1 and isinstance(base, Sum)
        if (exponent.numerator < 0 or broken) and set(labels) <= set(out):
            found[base, labels] = -exponent
    return found


@b.READING_LAWS.add(
    "common denominator",
    "u/v - w/v^2 = (u*v - w)/v^2, where something cancels in the numerator",
    because="both sides times the denominator",
    examples=(
        ("1/(1 + c^2) - 2*c^2/(1 + c^2)^2", "c: scalar"),
        ("y./x - (1 - y)./(1 - x)", "x: vector(n); y: vector(n)"),
        ("1./sqrt(c^2 + x.^2) - x.^2./(c^2 + x.^2).^(3/2)", "x: vector(n); c: scalar"),
        ("sqrt(1 + c^2) + c^2/sqrt(1 + c^2)", "c: scalar"),
    ),
)
def common_denominator(terms: Terms) -> Node | None:
    """u/v - w/v² = (u·v - w)/v², where the numerator gets shorter."""
    if not 1 < len(terms) <= 2 * MOST:
        return None
    found = [Product.of(node) for node in terms if isinstance(node, Einsum) or is_map(node, "power")]
    parts = [part for part in found if part is not None and part.below]
    keys = dict.fromkeys(key for part in parts for key in part.below)
    most = {key: max(part.below.get(key, Fraction(0)) for part in parts) for key in keys}
    if all(count.numerator <= 0 for count in most.values()):
        return None
    missing = [{key: most[key] - part.below.get(key, Fraction(0)) for key in keys} for part in parts]
    counts = [count for extra in missing for count in extra.values()]
    if not 1 < len(parts) <= MOST or any(count.denominator != 1 or count > MOST for count in counts):
        return None
    if not any(count and isinstance(base, Sum) for extra in missing for (base, _), count in extra.items()):
        return None
    above: Terms = {}
    for part, extra in zip(parts, missing, strict=True):
        grown = part.above(extra, {axes for _, axes in keys})
        if grown is None:
            return None
        for product in grown:
            b.collect(above, product, terms[part.node])
    below = [(power(base, -count), axes) for (base, axes), count in most.items()]
    if not above:
        return None
    numerator = b.add([scaled(node, factor) for node, factor in above.items()])
    rest = [scaled(node, factor) for node, factor in terms.items() if all(node is not part.node for part in parts)]
    return b.add([einsum([(numerator, parts[0].out), *below], parts[0].out), *rest])


@b.SUM_LAWS.add(
    "complement in a product",
    "(1 - y)*sigmoid(z) - y*sigmoid(-z) = sigmoid(z) - y",
    because="sigmoid(-z) = 1 - sigmoid(z), where something cancels",
    examples=(
        ("(1 - y).*sigmoid(x) - y.*sigmoid(-x)", "x: vector(n); y: vector(n)"),
        ("X'*((1 - y).*sigmoid(x)) - X'*(y.*sigmoid(-x))", "X: matrix(n,m); x: vector(n); y: vector(n)"),
    ),
)
def complement_in_product(terms: Terms) -> bool:
    """(1 - y)·sigmoid(z) - y·sigmoid(-z) = sigmoid(z) - y."""
    if not 1 < len(terms) <= 2 * MOST:
        return False
    holders: dict[Node, list[Node]] = {}
    for term in terms:
        for node in term.operands if isinstance(term, Einsum) else (term,):
            if is_map(node, "sigmoid"):
                holders.setdefault(node.args[0], []).append(term)  # type: ignore[attr-defined]
    if len(holders) < 2:
        return False
    for argument, own in holders.items():
        opposite = scaled(argument, -1)
        if opposite in holders and opposite.digest < argument.digest:
            for kept in sorted((argument, opposite), key=_negativity):
                if _without_complement(terms, kept, own + holders[opposite]):
                    return True
    return False


def _negativity(node: Node) -> bool:
    return isinstance(node, Einsum) and node.coefficient.numerator < 0


def _without_complement(terms: Terms, kept: Node, group: list[Node]) -> bool:
    """The terms of a group with 1 - sigmoid(kept) for sigmoid(-kept), multiplied out; False if that is not less."""
    plain, gone = map_("sigmoid", (kept,)), map_("sigmoid", (scaled(kept, -1),))
    group = list(dict.fromkeys(group))
    after: Terms = {}
    for term in group:
        part = Product.of(term)
        place = next((k for k, (n, _) in enumerate(part.operands) if n in (plain, gone)), None) if part else None
        if part is None or place is None:
            return False
        node, labels = part.operands[place]
        rest = part.operands[:place] + part.operands[place + 1 :]
        for extra, sign in (([(plain, labels)], 1),) if node is plain else (([], 1), ([(plain, labels)], -1)):
            grown = multiplied_out([*rest, *extra], part.out, sign * part.coefficient, part.sizes, {labels, ()})
            if grown is None:
                return False
            for product in grown:
                b.collect(after, product, terms[term])
    if sum(map(weight, after)) >= sum(map(weight, group)):
        return False
    for term in group:
        del terms[term]
    for term, factor in after.items():
        b.collect(terms, term, factor)
    return True


@b.NETWORK_LAWS.add(
    "quotient in a denominator",
    "1/(v*(1 + u/v)) = 1/(v + u)",
    on=(Map,),
    because="distributivity",
    examples=(
        ("1/(c*(1 + x'*x/c))", "x: vector(n); c: scalar"),
        ("x./(y.^2.*(1 + x./y.^2))", "x: vector(n); y: vector(n)"),
    ),
)
def quotient_in_denominator(net: Network) -> Network | None:
    """1/(v·(1 + u/v)) = 1/(v + u)."""
    below = [(k, *power_of(node), labels) for k, (node, labels) in enumerate(net.operands)]
    below = [entry for entry in below if entry[2].numerator < 0]
    if len(below) < 2:
        return None
    for i, total, count, labels in below:
        if not isinstance(total, Sum) or count.denominator != 1:
            continue
        for j, factor, other, axes in below:
            times = other / count
            if j == i or axes not in ((), labels) or times.denominator != 1 or isinstance(factor, Sum):
                continue
            inner = tuple(range(len(total.shape)))
            joint = [(power(factor, times), inner if axes == labels else ()), (total, inner)]
            grown = multiplied_out(joint, inner, Fraction(1), dict(enumerate(total.shape)), {inner, ()})
            if grown is not None:
                found = b.add(grown)
                if weight(found) < weight(total):
                    return net.replaced([i, j], [(power(found, count), labels)])
    return None


@b.NETWORK_LAWS.add(
    "rectifier",
    "step(z)*relu(z) = relu(z), z*step(z) = relu(z)",
    on=(Map,),
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
