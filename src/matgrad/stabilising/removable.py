"""Sums whose leading terms at 0 cancel: cos(x)/x - sin(x)/x^2, x - sin(x), 1/x - 1/(exp(x) - 1).

Where everything in some terms is a function of one x, these have a Laurent series with rational coefficients. If the
series of the sum begins later than those of the terms, code takes it for small x, and the terms for all others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from matgrad.dims import Dim
from matgrad.stabilising.comparisons import value_where_it_holds
from matgrad.stabilising.differences import MANY
from matgrad.stabilising.expansions import (
    LOOK,
    Monomial,
    Terms,
    Variable,
    constant,
    depends,
    expanded,
    inside,
    multiplied,
    variables,
)
from matgrad.stabilising.rule import RULES
from matgrad.stabilising.series import Series, near
from matgrad.tensor import builders as b
from matgrad.tensor.builders import Operand, einsum, map_, power, scaled
from matgrad.tensor.laws.shared import is_map, power_of
from matgrad.tensor.nodes import Einsum, Map, Node, Sum

LONG = 32
"""Coefficients of the whole, from which those of the code are taken."""

Labels = tuple[int, ...]


@dataclass(frozen=True)
class _Part:
    """What depends on x in a term: its factors, and x^k from powers of what x is made of; sqrt(pi)/2*erf(x), which
    has rational coefficients."""

    factors: tuple[Node, ...]
    count: int
    error_function: Node | None = None

    def series(self, x: Variable, count: int) -> Series | None:
        own = [expanded(factor, x, count) for factor in self.factors]
        if self.error_function is not None:
            inner = expanded(self.error_function.children[0], x, count)
            own.append(None if inner is None else inner.inside("erf"))
        power_ = Series(self.count, constant(1, count).numbers)
        return multiplied([power_, *own], Fraction(1))

    def first(self, x: Variable) -> int:
        """The lowest power in the series."""
        found = self.series(x, LOOK)
        found = None if found is None else found.trimmed()
        return 0 if found is None else found.first

    def node(self, x: Variable, shift: int = 0) -> Node:
        node = b.multiply(power(x.node, self.count + shift), *self.factors)
        if self.error_function is not None:
            root = b.broadcast(power(b.constant("pi"), Fraction(1, 2)), node.shape)
            node = scaled(b.multiply(node, self.error_function, root), Fraction(1, 2))
        return node


Entries = list[tuple[Fraction, Node, _Part]]


@dataclass(frozen=True)
class _Split:
    """A term as a part in x, on axes ``labels``, and what stands beside it; x^k was formed from
    its first factor alone, ``left`` is k: the others stand beside with -k."""

    factor: Fraction
    term: Node
    part: _Part
    beside: list[Operand]
    labels: Labels
    left: Fraction = Fraction(0)

    def looks(self, x: Variable) -> frozenset[tuple[Node, Fraction]]:
        """The powers beside: equal if what stands beside is, and cheap."""
        powers: Monomial = dict(x.powers[1:]) if self.left else {}
        powers = {base: count * -self.left for base, count in powers.items()}
        for operand, _ in self.beside:
            base, count = power_of(operand)
            powers[base] = powers.get(base, Fraction(0)) + count
        return frozenset((base, count) for base, count in powers.items() if count.numerator)

    def marked(self, x: Variable, mark: Node) -> tuple[Fraction, Node] | None:
        """What stands beside, with a mark in place of the part in x, and its coefficient."""
        pairs = [*self.beside, (mark, self.labels)]
        pairs += [(power(base, -self.left * count), self.labels if base.shape else ())
                  for base, count in x.powers[1:] if self.left]  # fmt: skip
        out, sizes, coefficient = _frame(self.term)
        terms = b.linear_terms(einsum(pairs, out, coefficient, sizes))
        if len(terms) != 1:
            return None
        ((node, size),) = terms.items()
        return size * self.factor, node


def _frame(term: Node) -> tuple[Labels, dict[int, Dim], Fraction]:
    if isinstance(term, Einsum):
        return term.out, dict(enumerate(term.sizes)), term.coefficient
    return tuple(range(len(term.shape))), dict(enumerate(term.shape)), Fraction(1)


def _groups(terms: Terms, x: Variable, mark: Node) -> Iterator[tuple[Node, Entries]]:
    """The parts in x of all terms, by what stands beside them; ``mark`` holds their place."""
    alike: dict[frozenset[tuple[Node, Fraction]], list[_Split]] = {}
    bare = set()
    for factor, term in terms:
        bare.add(_Split(factor, term, _Part((), 0), _pairs(term), ()).looks(x))
        for split in _splits(factor, term, x):
            alike.setdefault(split.looks(x), []).append(split)
    for looks, splits in alike.items():
        if len(splits) + (looks in bare) < 2 or not any(s.part.factors or s.part.error_function for s in splits):
            continue
        groups: dict[Node, Entries] = {}
        for split in splits:
            marked = split.marked(x, mark)
            if marked is not None:
                groups.setdefault(marked[1], []).append((marked[0], split.term, split.part))
        yield from groups.items()


def _pairs(term: Node) -> list[Operand]:
    if isinstance(term, Einsum):
        return list(zip(term.operands, term.subscripts, strict=True))
    return [(term, tuple(range(len(term.shape))))]


def _splits(factor: Fraction, term: Node, x: Variable) -> Iterator[_Split]:
    """A term taken apart, once for all axes that x may stand on."""
    pairs = _pairs(term)
    for labels in dict.fromkeys(own for operand, own in pairs if operand.shape == x.node.shape):
        inner, rest, count, error, left = [], [], 0, None, Fraction(0)
        for operand, own in pairs:
            base, times = power_of(operand)
            if own != labels or len(set(own)) < len(own):
                rest.append((operand, own))
            elif (unit := x.unit(base)) is not None:
                whole = times // unit
                count += whole
                left += whole * (len(x.powers) > 1)
                if times != whole * unit:
                    rest.append((power(base, times - whole * unit), own))
            elif is_map(operand, "erf") and error is None and x.times(operand.children[0]) is not None:
                error = operand
                rest.append((power(b.constant("pi"), Fraction(-1, 2)), ()))
            elif depends(operand, x):
                inner.append(operand)
            else:
                rest.append((operand, own))
        if inner or count or error is not None:
            yield _Split(
                factor if error is None else 2 * factor, term, _Part(tuple(inner), count, error), rest, labels, left
            )


@RULES.add(
    "removable singularity",
    "cos(x)/x - sin(x)/x^2 = -x/3 + x^3/30 - …, x - sin(x) = x^3/6 - …, 1/x - 1/expm1(x) = 1/2 - x/12 + …",
    because="leading terms cancel where x is small: there the power series is computed",
    on=(Sum,),
    examples=(
        ("cos(c)/c - sin(c)/c^2", "c: scalar"),
        ("y.*(x - sin(x))", "x: vector(n); y: vector(n)"),
        ("1./x - 1./(exp(x) - 1)", "x: vector(n)"),
        ("a*exp(a*c)/c - (exp(a*c) - 1)/c^2", "a: scalar; c: scalar"),
        ("y.*(exp(x).*exp(-exp(x))./(1 - exp(-exp(x))) - 1) + exp(x)", "x: vector(n); y: vector(n)"),
        ("cos(sqrt(c))/c - sin(sqrt(c))/sqrt(c)^3", "c: positive"),
    ),
)
def removable(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    if len(node.terms) > MANY or not inside(node):
        return None
    found = _of_terms(node.terms)
    if found is None and any(_divides(operand) for _, term in node.terms for operand, _ in _pairs(term)):
        found = _of_terms(multiplied_out(node))
    return found


def _divides(node: Node) -> bool:
    """Whether a factor, or a factor in a term of it, is a negative power."""
    if isinstance(node, Sum):
        return any(power_of(operand)[1] < 0 for _, term in node.terms for operand, _ in _pairs(term))
    return power_of(node)[1] < 0


def multiplied_out(node: Sum) -> Terms:
    """The terms with sums in their factors multiplied out, but for tests; none where nothing is to be done."""
    found: dict[Node, Fraction] = {}
    for factor, term in node.terms:
        left = [(factor, term)]
        while left:
            size, part = left.pop()
            pairs = [pair for own in _pairs(part) for pair in _by_length(own)] if isinstance(part, Einsum) else []
            place = next((k for k, (operand, _) in enumerate(pairs)
                          if isinstance(operand, Sum) and value_where_it_holds(operand) is None), None)  # fmt: skip
            if place is None or not isinstance(part, Einsum):
                if isinstance(part, Einsum) and len(pairs) > len(part.operands):
                    part = einsum(pairs, part.out, part.coefficient, dict(enumerate(part.sizes)))
                found[part] = found.get(part, Fraction(0)) + size
                continue
            inner, labels = pairs[place]
            assert isinstance(inner, Sum)
            if len(found) + len(left) + len(inner.terms) > MANY:
                return ()
            for own, subterm in inner.terms:
                made = einsum([*pairs[:place], (subterm, labels), *pairs[place + 1 :]], part.out, part.coefficient,
                              dict(enumerate(part.sizes)))  # fmt: skip
                left += [(size * own * c, t) for t, c in b.linear_terms(made).items()]
    terms = [(factor, term) for term, factor in found.items() if factor.numerator]
    return () if {term for _, term in terms} == set(node.children) else terms


def _by_length(pair: Operand) -> list[Operand]:
    """x and 1/n, for x/n with a length n."""
    node, labels = pair
    if isinstance(node, Map) and node.function == "ratio":
        length = b.scalar_of(node.args[1])
        if length is not None and length is not node.args[1]:
            return [(node.args[0], labels), (power(length, -1), ())]
    return [pair]


def _of_terms(terms: Terms) -> Node | None:
    for x in variables(terms):
        mark = b.symbol(" ", x.node.shape)
        for beside, entries in _groups(terms, x, mark):
            found = _of_group(terms, x, mark, beside, entries)
            if found is not None:
                return found
    return None


def _of_group(all_terms: Terms, x: Variable, mark: Node, beside: Node, entries: Entries) -> Node | None:
    alone = _in_place(beside, mark, b.number(1, mark.shape))
    factors = {term: factor for factor, term in all_terms}
    terms = b.linear_terms(alone)
    gone = {term for _, term, _ in entries}
    if len(terms) == 1:
        ((term, size),) = terms.items()
        if term in factors and term not in gone:
            entries = [*entries, (factors[term] / size, term, _Part((), 0))]
            gone.add(term)
    if len(entries) < 2 or len(gone) < len(entries):
        return None
    if _stays(x, entries) or _total(x, entries, LOOK) is None:
        return None
    rest = [(factor, term) for factor, term in all_terms if term not in gone]
    if all(part.first(x) >= 0 for _, _, part in entries) and not all(_vanishes(term, x) for _, term in rest):
        return None  # nothing is large, and the rest is not small
    series = _total(x, entries, LONG)
    chosen = near(series.numbers) if series is not None else None
    if series is None or chosen is None:
        return None
    radius, numbers = chosen
    first, below = series.first, min(series.first, 0)
    closed = b.add([scaled(part.node(x, -below), factor) for factor, _, part in entries])
    numbers = (*[Fraction(0)] * (first - below), *numbers)
    new = b.multiply(power(x.node, below), map_("near_zero", (x.node, closed), (radius, numbers)))
    return b.add([*(scaled(term, factor) for factor, term in rest), _in_place(beside, mark, new)])


def _vanishes(term: Node, x: Variable) -> bool:
    """Whether it is 0 where x is."""
    return any(split.part.first(x) > 0 for split in _splits(Fraction(1), term, x))


def _stays(x: Variable, entries: Entries) -> bool:
    """Whether the leading terms certainly do not cancel, from few coefficients."""
    leading: dict[int, Fraction] = {}
    for factor, _, part in entries:
        own = part.series(x, 3)
        own = None if own is None else own.trimmed()
        if own is None:
            return False
        leading[own.first] = leading.get(own.first, Fraction(0)) + factor * own.numbers[0]
    return leading[min(leading)].numerator != 0


def _total(x: Variable, entries: Entries, count: int) -> Series | None:
    """The series of a sum whose leading terms cancel; None where none do, or all."""
    total: Series | None = None
    lowest: list[int] = []
    for factor, _, part in entries:
        own = part.series(x, count)
        own = None if own is None else own.trimmed()
        if own is None:
            return None
        lowest.append(own.first)
        total = own.scaled(factor) if total is None else total + own.scaled(factor)
    total = total.trimmed() if total is not None else None
    return total if total is not None and total.first > min(lowest) else None


def _in_place(node: Node, mark: Node, new: Node) -> Node:
    if node is mark:
        return new
    assert isinstance(node, Einsum)
    pairs = [(new if operand is mark else operand, labels)
             for operand, labels in zip(node.operands, node.subscripts, strict=True)]  # fmt: skip
    return einsum(pairs, node.out, node.coefficient, dict(enumerate(node.sizes)))
