"""A node as a series in one x, where everything in it is a function of that x: its Laurent series at 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from matgrad.stabilising.differences import MANY
from matgrad.stabilising.series import FUNCTIONS, Series
from matgrad.tensor import builders as b
from matgrad.tensor.builders import einsum, map_, power, scaled
from matgrad.tensor.facts import Fact, positive
from matgrad.tensor.laws.shared import is_apply, is_map, power_of
from matgrad.tensor.nodes import Apply, Einsum, Map, Node, Sum

LOOK = 8
"""Coefficients with which cancellation is looked for."""

FACTORS = 3
"""Factors of which an x is made at most."""

NESTED = 6
"""Nesting of functions, sums and products in one x that is followed."""

Terms = Sequence[tuple[Fraction, Node]]
Monomial = dict[Node, Fraction]
Powers = tuple[tuple[Node, Fraction], ...]


@dataclass(frozen=True)
class Variable:
    """x: a node, and the same as a product of powers. The first has all axes of x, and where it stands alone it is
    written with x: for x = t*y, 1/y is t/x. ``one`` is 1 + x or 1 - x: what logarithms are taken of."""

    node: Node
    powers: Powers
    one: Node | None = None
    sign: int = 1

    def unit(self, base: Node) -> Fraction | None:
        """k, where the node stands as x^(1/k) in x, or is the square of a length x."""
        pivot, count = self.powers[0]
        if base is pivot:
            return count
        if len(self.powers) == 1 and is_apply(pivot, "safe_norm") and base is _square(pivot):
            return count / 2
        return None

    def times(self, node: Node) -> tuple[Fraction, int] | None:
        """c and k, where the node is c·x^k."""
        found = _monomial(node)
        if found is None:
            return None
        factor, powers = found
        if len(powers) == len(self.powers) == 1:
            ((base, count),) = powers.items()
            unit = self.unit(base)
            return None if unit is None or (count / unit).denominator > 1 else (factor, int(count / unit))
        ratios = {powers.get(base, Fraction(0)) / count for base, count in self.powers}
        if len(ratios) != 1 or len(powers) != len(self.powers) or not all(ratios):
            return None
        (count,) = ratios
        return (factor, int(count)) if count.denominator == 1 else None


def _square(node: Node) -> Node:
    """The sum of squares that a length is the root of."""
    assert isinstance(node, Apply)
    axes = tuple(range(len(node.arg.shape)))
    return einsum([(power(node.arg, 2), axes)], axes[: len(node.shape)])


def _monomial(node: Node) -> tuple[Fraction, Monomial] | None:
    """A node as a rational number times powers of others, all entry by entry."""
    terms = b.linear_terms(node)
    if len(terms) != 1:
        return (Fraction(1), {node: Fraction(1)}) if terms else None
    ((inner, factor),) = terms.items()
    if not isinstance(inner, Einsum) or len(inner.sizes) > len(inner.out) or not inner.operands:
        base, count = power_of(inner)
        return factor, {base: count}
    powers: Monomial = {}
    for operand, labels in zip(inner.operands, inner.subscripts, strict=True):
        if labels not in ((), inner.out):
            return factor, {inner: Fraction(1)}
        base, count = power_of(operand)
        powers[base] = powers.get(base, Fraction(0)) + count
    return factor, powers


def variables(terms: Terms) -> Iterator[Variable]:
    """What functions in the factors of the terms are taken of."""
    operands = (n for _, term in terms for n in (term.operands if isinstance(term, Einsum) else (term,)))
    for powers in dict.fromkeys(x for operand in operands for x in inside(operand)):
        if powers[0][1]:
            yield Variable(b.multiply(*(power(base, count) for base, count in powers)), powers)
            continue
        one, sign = powers[0][0], 1
        less = b.subtract(one, b.number(1, one.shape))
        if isinstance(less, Einsum) and less.coefficient == -1 and len(less.operands) == 1:
            less, sign = less.operands[0], -1
        if isinstance(less, Sum):
            yield Variable(less, ((less, Fraction(1)),), one, sign)


def _argument(node: Map) -> Node | None:
    """What a function with a series is taken of; z for (1 + z)^p and hypot(1, z), p*log(z) for z^p."""
    if node.function in FUNCTIONS or node.function in ("log", "erf"):
        return node.args[0]
    if node.function == "pow" and positive(node.args[0]) is Fact.YES:
        return b.multiply(node.args[1], map_("log", (node.args[0],)))
    if node.function == "power" and node.parameter.denominator > 1 and isinstance(node.args[0], Sum):
        rest = [term for term in node.args[0].children if b.as_number(term) is None]
        return rest[0] if len(rest) == 1 else None
    if node.function == "hypot":
        rest = [arg for arg in node.args if b.as_number(arg) is None]
        return rest[0] if len(rest) == 1 else None
    return None


def inside(node: Node, deep: int = NESTED) -> tuple[Powers, ...]:
    """The arguments of functions with a series, as products of powers."""
    key = f"series {deep}"
    if key in node.memo:
        return node.memo[key]  # type: ignore[no-any-return]
    found: tuple[Powers, ...] = ()
    argument = _argument(node) if isinstance(node, Map) else None
    if argument is not None:
        product = _monomial(argument)
        if is_map(node, "log"):
            found = (((argument, Fraction(0)),),)
        elif product is not None and 1 <= len(product[1]) <= FACTORS:
            smallest = min(abs(count) for count in product[1].values())
            entries = sorted(product[1].items(), key=lambda entry: (-len(entry[0].shape), entry[0].digest))
            units = {Fraction(1), smallest} if smallest.denominator == 1 else {Fraction(1)}  # of sin(x^3): x^3, and x
            found = tuple(tuple((base, count / unit) for base, count in entries) for unit in sorted(units))
    elif deep and isinstance(node, Sum | Einsum | Map) and len(node.children) <= MANY:
        inner = node.children[:1] if is_map(node, "near_zero") else node.children
        found = tuple(dict.fromkeys(x for child in inner for x in inside(child, deep - 1)))
    node.memo[key] = found
    return found


_MORE = ("power", "ratio", "hypot", "near_zero", "log")
"""Functions that have a series for most arguments."""


def depends(node: Node, x: Variable, deep: int = NESTED) -> bool:
    """Whether a node is made of x and numbers alone, by functions that have a series."""
    if node is x.one or x.times(node) is not None or b.as_number(node) is not None:
        return True
    if isinstance(node, Einsum):
        if len(node.sizes) != len(node.out) or any(labels != node.out for labels in node.subscripts):
            return False
    elif isinstance(node, Map):
        whole = _power_beside(node, x)
        if whole is not None:
            return b.as_number(whole[1]) == 0 or depends(map_("exp", (whole[1],)), x, deep)
        if node.function == "pow":
            argument = _argument(node)
            return argument is not None and x.times(argument) is not None
        if node.function not in FUNCTIONS and node.function not in _MORE:
            return False
        if node.function in FUNCTIONS and x.times(node.args[0]) is None:
            own = expanded(node.args[0], x, LOOK, deep - 1) if depends(node.args[0], x, deep - 1) else None
            own = None if own is None else own.trimmed()
            return own is not None and own.first > 0
    elif not isinstance(node, Sum):
        return False
    return deep > 0 and all(depends(child, x, deep - 1) for child in node.children)


def expanded(node: Node, x: Variable, count: int, deep: int = NESTED) -> Series | None:
    """The series of a node that depends on x alone."""
    if node is x.one:
        return Series(0, [Fraction(1), Fraction(x.sign), *[Fraction(0)] * (count - 2)])
    found = x.times(node)
    if found is not None:
        factor, first = found
        return Series(first, constant(factor, count).numbers)
    value = b.as_number(node)
    if value is not None:
        return constant(value, count)
    if not deep:
        return None
    if isinstance(node, Sum):
        total: Series | None = None
        for factor, term in node.terms:
            own = expanded(term, x, count, deep - 1)
            if own is None:
                return None
            total = own.scaled(factor) if total is None else total + own.scaled(factor)
        return total
    if isinstance(node, Einsum):
        if len(node.sizes) != len(node.out) or any(labels != node.out for labels in node.subscripts):
            return None
        return multiplied([expanded(operand, x, count, deep - 1) for operand in node.operands], node.coefficient)
    return _of_map(node, x, count, deep) if isinstance(node, Map) else None


def constant(value: Fraction | int, count: int) -> Series:
    return Series(0, [Fraction(value), *[Fraction(0)] * (count - 1)])


def multiplied(factors: list[Series | None], coefficient: Fraction) -> Series | None:
    total: Series | None = None
    for own in factors:
        if own is None:
            return None
        total = own if total is None else total * own
    return None if total is None else total.scaled(coefficient)


def _power_beside(node: Node, x: Variable) -> tuple[int, Node] | None:
    """k and y, where the node is exp(y)*x^k for an exponential x."""
    terms = b.linear_terms(x.node.children[0]) if is_map(node, "exp") and is_map(x.node, "exp") else {}
    own = b.linear_terms(node.children[0]) if terms else {}
    ratios = {own.get(term, Fraction(0)) / size for term, size in terms.items()}
    count = max(ratios, default=Fraction(0))
    if len(ratios) != 1 or not count or count.denominator != 1:
        return None
    return int(count), b.subtract(node.children[0], scaled(x.node.children[0], count))


def _of_map(node: Map, x: Variable, count: int, deep: int) -> Series | None:
    whole = _power_beside(node, x)
    if whole is not None:
        rest = expanded(whole[1], x, count, deep - 1)
        rest = None if rest is None else rest.inside("exp")
        return None if rest is None else rest * Series(whole[0], constant(1, count).numbers)
    if node.function == "near_zero":
        return expanded(node.args[1], x, count, deep - 1)
    if node.function == "pow":
        argument = _argument(node)
        inner = None if argument is None else expanded(argument, x, count, deep - 1)
        return None if inner is None else inner.inside("exp")
    args = [expanded(arg, x, count, deep - 1) for arg in node.args]
    first = args[0]
    if first is None or any(arg is None for arg in args):
        return None
    if node.function == "power":
        return first.power(node.parameter)
    if node.function == "log":
        known = first.first + len(first.numbers) > 0
        return (first + constant(-1, count)).inside("log1p") if known and first.at(0) == 1 else None
    if node.function == "ratio":
        below = args[1].power(Fraction(-1)) if args[1] is not None else None
        return None if below is None else first * below
    if node.function == "hypot":
        squares = [arg.power(Fraction(2)) for arg in args if arg is not None]
        if squares[0] is None or squares[1] is None:
            return None
        return (squares[0] + squares[1]).power(Fraction(1, 2))
    return first.inside(node.function) if node.function in FUNCTIONS else None
