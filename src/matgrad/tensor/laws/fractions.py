"""Laws that multiply out because something cancels: fractions over a common denominator, complements of sigmoid.

A sum is multiplied out only where that leaves less than there was, and only a small one: (A + B)^20 stays as it is.
What is divided by was divided by before, so no condition is added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from fractions import Fraction

from matgrad.dims import Dim
from matgrad.tensor import builders as b
from matgrad.tensor.builders import Network, Operand, einsum, map_, power, scaled
from matgrad.tensor.laws.shared import is_map, multiplied_out, power_of, weight
from matgrad.tensor.nodes import Einsum, Map, Node, Sum, Symbol

Terms = dict[Node, Fraction]
Key = tuple[Node, tuple[int, ...]]
"""What is divided by, and on which axes of the result."""

MOST = 4
"""Exponents up to which fractions are put over a common denominator."""
MOST_TERMS = 6
"""Terms up to which they are."""


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

    def above(self, extra: Mapping[Key, Fraction], axes: Set[tuple[int, ...]], squares: bool) -> list[Node] | None:
        """The numerator, times more factors, multiplied out, with squares of sums or without."""
        operands = [o for o in self.operands if (power_of(o[0])[0], o[1]) not in self.below]
        for (base, labels), count in extra.items():
            operands += [(base, labels)] * int(count)
            operands += [(power(base, count % 1), labels)] if count % 1 else []
        operands = _factors(operands) if squares else operands
        return multiplied_out(operands, self.out, self.coefficient, self.sizes, axes)


def _factors(operands: Sequence[Operand]) -> list[Operand]:
    """Squares and cubes of sums as factors, to be multiplied out."""
    found: list[Operand] = []
    for node, labels in operands:
        base, count = power_of(node)
        if isinstance(base, Sum) and count in (2, 3):
            found += [(base, labels)] * int(count)
        else:
            found.append((node, labels))
    return found


def _below(operands: Sequence[Operand], out: tuple[int, ...]) -> dict[Key, Fraction]:
    found = {}
    for node, labels in operands:
        base, exponent = power_of(node)
        broken = exponent.denominator != 1 and isinstance(base, Sum)
        if (exponent.numerator < 0 or broken) and set(labels) <= set(out):
            found[base, labels] = -exponent
    return found


def _is_divided(term: Node) -> bool:
    """Whether a term has a negative or a broken power."""
    for node in term.operands if isinstance(term, Einsum) else (term,):
        if isinstance(node, Map) and node.function == "power":
            if node.parameter.numerator < 0 or node.parameter.denominator != 1:
                return True
    return False


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
    if not 1 < len(terms) <= 2 * MOST or not any(map(_is_divided, terms)):
        return None
    return _over_one(terms, squares=False) or _over_one(terms, squares=True)


def _over_one(terms: Terms, *, squares: bool) -> Node | None:
    found = [Product.of(node) for node in terms if isinstance(node, Einsum) or is_map(node, "power")]
    parts = [part for part in found if part is not None and part.below]
    multiplied = any(isinstance(n, Sum) for part in parts for n, _ in part.operands)
    if squares:
        if not any(_factors(part.operands) != part.operands for part in parts):
            return None
        multiplied = True
    if multiplied and len(parts) < len(terms):
        parts = [part for part in map(Product.of, terms) if part is not None]
    keys = dict.fromkeys(key for part in parts for key in part.below)
    most = {key: max(part.below.get(key, Fraction(0)) for part in parts) for key in keys}
    if all(count.numerator <= 0 for count in most.values()):
        return None
    missing = [{key: most[key] - part.below.get(key, Fraction(0)) for key in keys} for part in parts]
    counts = [count for extra in missing for count in extra.values()]
    if not 1 < len(parts) <= MOST_TERMS or any(count > MOST for count in counts):
        return None
    divided = any(count and isinstance(base, Sum) for extra in missing for (base, _), count in extra.items())
    if not divided and not multiplied:
        return None
    axes = {axes for _, axes in keys} | ({parts[0].out} if multiplied else set())
    grown = [part.above(extra, axes, squares) for part, extra in zip(parts, missing, strict=True)]
    above: Terms = {}
    for part, products in zip(parts, grown, strict=True):
        if products is None:
            return None
        for product in products:
            b.collect(above, product, terms[part.node])
    cancelled = len(above) < sum(len(products or ()) for products in grown)
    grows = len(above) > len(parts)
    if (squares and (grows or not cancelled)) or (not cancelled and (grows or not divided)):
        return None
    below = [(power(base, -count), axes) for (base, axes), count in most.items()]
    if not above:
        return None
    numerator = b.add([scaled(node, factor) for node, factor in above.items()])
    broken = any(count.denominator != 1 for count in counts)
    if broken and not cancelled and all(base is not numerator for base, _ in keys):
        return None
    rest = [scaled(node, factor) for node, factor in terms.items() if all(node is not part.node for part in parts)]
    return b.add([einsum([(numerator, parts[0].out), *below], parts[0].out), *rest])


@b.READING_LAWS.add(
    "common denominator inside",
    "X'*(u./v) - X'*(w./v.^2) = X'*((u.*v - w)./v.^2), where something cancels in the numerator",
    because="distributivity, and both sides times the denominator",
    examples=(
        ("A'*diag(1./(1 + x.^2))*A - A'*diag(2*x.^2./(1 + x.^2).^2)*A", "A: matrix(m,n); x: vector(m)"),
        ("diag(1./sqrt(c^2 + x.^2)) - diag(x.^2./(c^2 + x.^2).^(3/2))", "x: vector(n); c: scalar"),
    ),
)
def denominator_inside(terms: Terms) -> Node | None:
    """A'·diag(u./v)·A - A'·diag(w./v²)·A = A'·diag((u.*v - w)./v²)·A: terms that differ in one vector only."""
    if not 1 < len(terms) <= 2 * MOST or sum(map(_is_divided, terms)) < 2:
        return None
    groups: dict[Node, dict[Node, Node]] = {}
    for term in terms:
        for around, vector in _vectors(term):
            groups.setdefault(around, {})[vector] = term
    for around, group in groups.items():
        inside: Terms = {}
        for vector, term in group.items():
            b.collect(inside, vector, terms[term])
        merged = common_denominator(inside) if len(group) > 1 else None
        if merged is not None:
            assert isinstance(around, Einsum)
            operands = [(merged if _is_hole(n) else n, labels) for n, labels in _operands(around)]
            rest = [scaled(term, factor) for term, factor in terms.items() if term not in group.values()]
            return b.add([einsum(operands, around.out, around.coefficient, dict(enumerate(around.sizes))), *rest])
    return None


def _vectors(term: Node) -> Iterator[tuple[Node, Node]]:
    """The vectors with a denominator in a contraction, each with what is around it: a contraction with a hole."""
    if not isinstance(term, Einsum):
        return
    operands = _operands(term)
    for x in dict.fromkeys(labels[0] for n, labels in operands if len(labels) == 1 and isinstance(n, Map)):
        if _below([o for o in operands if o[1] == (x,)], (x,)) and term.out != (x,):
            around, own = _hanging(operands, x, term.out)
            hole = b.symbol(_HOLE, (term.sizes[x],))
            sizes = {y: term.sizes[y] for y in term.out}
            yield einsum([*around, (hole, (x,))], term.out, term.coefficient, sizes), einsum(own, (x,))


def _hanging(operands: list[Operand], x: int, out: tuple[int, ...]) -> tuple[list[Operand], list[Operand]]:
    """What is left, and the vectors that hang on one label and on nothing else, equal ones as powers."""
    left = list(operands)
    vectors: dict[Node, int] = {}
    for start in operands:
        if x not in start[1] or start not in left:
            continue
        part, reached = [start], set(start[1]) - {x}
        while more := [o for o in left if o not in part and reached & set(o[1])]:
            part += more
            reached.update(*(set(labels) - {x} for _, labels in more))
        if not reached & set(out):
            left = [o for o in left if o not in part]
            vector = einsum(part, (x,))
            vectors[vector] = vectors.get(vector, 0) + 1
    return left, [(power(vector, count), (x,)) for vector, count in vectors.items()]


_HOLE = "<hole>"


def _is_hole(node: Node) -> bool:
    return isinstance(node, Symbol) and node.name == _HOLE


def _operands(node: Einsum) -> list[Operand]:
    return list(zip(node.operands, node.subscripts, strict=True))


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
    on=("power",),
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
