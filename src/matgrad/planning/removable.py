"""Sums whose leading terms at 0 cancel: cos(x)/x - sin(x)/x^2, x - sin(x), 1/x - 1/(exp(x) - 1).

Where everything in some terms is a function of one x, these have a Laurent series with rational coefficients. If the
series of the sum begins later than those of the terms, code takes it for small x, and the terms for all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from matgrad.dims import Dim
from matgrad.planning.differences import MANY
from matgrad.planning.rule import RULES
from matgrad.planning.series import FUNCTIONS, Series, near
from matgrad.tensor import builders as b
from matgrad.tensor.builders import Operand, einsum, map_, power, scaled
from matgrad.tensor.facts import Fact, positive
from matgrad.tensor.laws.shared import is_apply, is_map, power_of
from matgrad.tensor.nodes import Apply, Einsum, Map, Node, Sum

LOOK, LONG = 8, 32
"""Coefficients with which cancellation is looked for, and those that the code's are taken from."""

FACTORS = 3
"""Factors of which an x is made at most."""

NESTED = 6
"""Nesting of functions, sums and products in one x that is followed."""

Labels = tuple[int, ...]
Monomial = dict[Node, Fraction]
Powers = tuple[tuple[Node, Fraction], ...]


@dataclass(frozen=True)
class _Variable:
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


def _variables(terms: Terms) -> Iterator[_Variable]:
    """What functions in the factors of the terms are taken of."""
    operands = (n for _, term in terms for n in (term.operands if isinstance(term, Einsum) else (term,)))
    for powers in dict.fromkeys(x for operand in operands for x in _inside(operand)):
        if powers[0][1]:
            yield _Variable(b.multiply(*(power(base, count) for base, count in powers)), powers)
            continue
        one, sign = powers[0][0], 1
        less = b.subtract(one, b.number(1, one.shape))
        if isinstance(less, Einsum) and less.coefficient == -1 and len(less.operands) == 1:
            less, sign = less.operands[0], -1
        if isinstance(less, Sum):
            yield _Variable(less, ((less, Fraction(1)),), one, sign)


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


def _inside(node: Node, deep: int = NESTED) -> tuple[Powers, ...]:
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
            unit = smallest if smallest.denominator == 1 else Fraction(1)
            entries = sorted(product[1].items(), key=lambda entry: (-len(entry[0].shape), entry[0].digest))
            found = (tuple((base, count / unit) for base, count in entries),)
    elif deep and isinstance(node, Sum | Einsum | Map) and len(node.children) <= MANY:
        inner = node.children[:1] if is_map(node, "near_zero") else node.children
        found = tuple(dict.fromkeys(x for child in inner for x in _inside(child, deep - 1)))
    node.memo[key] = found
    return found


_MORE = ("power", "ratio", "hypot", "near_zero", "log")
"""Functions that have a series for most arguments."""


def _depends(node: Node, x: _Variable, deep: int = NESTED) -> bool:
    """Whether a node is made of x and numbers alone, by functions that have a series."""
    if node is x.one or x.times(node) is not None or b.as_number(node) is not None:
        return True
    if isinstance(node, Einsum):
        if len(node.sizes) > len(node.out) or any(labels != node.out for labels in node.subscripts):
            return False
    elif isinstance(node, Map):
        if node.function == "pow":
            argument = _argument(node)
            return argument is not None and x.times(argument) is not None
        if node.function not in FUNCTIONS and node.function not in _MORE:
            return False
        if node.function in FUNCTIONS and x.times(node.args[0]) is None:
            own = _series(node.args[0], x, LOOK, deep - 1) if _depends(node.args[0], x, deep - 1) else None
            own = None if own is None else own.trimmed()
            return own is not None and own.first > 0
    elif not isinstance(node, Sum):
        return False
    return deep > 0 and all(_depends(child, x, deep - 1) for child in node.children)


def _series(node: Node, x: _Variable, count: int, deep: int = NESTED) -> Series | None:
    """The series of a node that depends on x alone."""
    if node is x.one:
        return Series(0, [Fraction(1), Fraction(x.sign), *[Fraction(0)] * (count - 2)])
    found = x.times(node)
    if found is not None:
        factor, first = found
        return Series(first, _number(factor, count).numbers)
    value = b.as_number(node)
    if value is not None:
        return _number(value, count)
    if not deep:
        return None
    if isinstance(node, Sum):
        total: Series | None = None
        for factor, term in node.terms:
            own = _series(term, x, count, deep - 1)
            if own is None:
                return None
            total = own.scaled(factor) if total is None else total + own.scaled(factor)
        return total
    if isinstance(node, Einsum):
        if len(node.sizes) > len(node.out) or any(labels != node.out for labels in node.subscripts):
            return None
        return _product([_series(operand, x, count, deep - 1) for operand in node.operands], node.coefficient)
    return _of_map(node, x, count, deep) if isinstance(node, Map) else None


def _number(value: Fraction | int, count: int) -> Series:
    return Series(0, [Fraction(value), *[Fraction(0)] * (count - 1)])


def _product(factors: list[Series | None], coefficient: Fraction) -> Series | None:
    total: Series | None = None
    for own in factors:
        if own is None:
            return None
        total = own if total is None else total * own
    return None if total is None else total.scaled(coefficient)


def _of_map(node: Map, x: _Variable, count: int, deep: int) -> Series | None:
    if node.function == "near_zero":
        return _series(node.args[1], x, count, deep - 1)
    if node.function == "pow":
        argument = _argument(node)
        inner = None if argument is None else _series(argument, x, count, deep - 1)
        return None if inner is None else inner.inside("exp")
    args = [_series(arg, x, count, deep - 1) for arg in node.args]
    first = args[0]
    if first is None or any(arg is None for arg in args):
        return None
    if node.function == "power":
        return first.power(node.parameter)
    if node.function == "log":
        return None if first.at(0) != 1 else (first + _number(-1, count)).inside("log1p")
    if node.function == "ratio":
        below = args[1].power(Fraction(-1)) if args[1] is not None else None
        return None if below is None else first * below
    if node.function == "hypot":
        squares = [arg.power(Fraction(2)) for arg in args if arg is not None]
        if squares[0] is None or squares[1] is None:
            return None
        return (squares[0] + squares[1]).power(Fraction(1, 2))
    return first.inside(node.function) if node.function in FUNCTIONS else None


@dataclass(frozen=True)
class _Part:
    """What depends on x in a term: its factors, and x^k from powers of what x is made of; sqrt(pi)/2*erf(x), which
    has rational coefficients."""

    factors: tuple[Node, ...]
    count: int
    error_function: Node | None = None

    def series(self, x: _Variable, count: int) -> Series | None:
        own = [_series(factor, x, count) for factor in self.factors]
        if self.error_function is not None:
            inner = _series(self.error_function.children[0], x, count)
            own.append(None if inner is None else inner.inside("erf"))
        power_ = Series(self.count, _number(1, count).numbers)
        return _product([power_, *own], Fraction(1))

    def first(self, x: _Variable) -> int:
        """The lowest power in the series."""
        found = self.series(x, LOOK)
        found = None if found is None else found.trimmed()
        return 0 if found is None else found.first

    def node(self, x: _Variable, shift: int = 0) -> Node:
        node = b.multiply(power(x.node, self.count + shift), *self.factors)
        if self.error_function is not None:
            root = b.broadcast(power(b.constant("pi"), Fraction(1, 2)), node.shape)
            node = scaled(b.multiply(node, self.error_function, root), Fraction(1, 2))
        return node


Terms = Sequence[tuple[Fraction, Node]]
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

    def looks(self, x: _Variable) -> frozenset[tuple[Node, Fraction]]:
        """The powers beside: equal if what stands beside is, and cheap."""
        powers: Monomial = dict(x.powers[1:]) if self.left else {}
        powers = {base: count * -self.left for base, count in powers.items()}
        for operand, _ in self.beside:
            base, count = power_of(operand)
            powers[base] = powers.get(base, Fraction(0)) + count
        return frozenset((base, count) for base, count in powers.items() if count.numerator)

    def marked(self, x: _Variable, mark: Node) -> tuple[Fraction, Node] | None:
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


def _groups(terms: Terms, x: _Variable, mark: Node) -> Iterator[tuple[Node, Entries]]:
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


def _splits(factor: Fraction, term: Node, x: _Variable) -> Iterator[_Split]:
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
            elif _depends(operand, x):
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
        ("cos(sqrt(c))/c - sin(sqrt(c))/sqrt(c)^3", "c: positive"),
    ),
)
def removable(node: Node) -> Node | None:
    assert isinstance(node, Sum)
    if len(node.terms) > MANY or not _inside(node):
        return None
    found = _of_terms(node.terms)
    if found is None and any(_divides(operand) for _, term in node.terms for operand, _ in _pairs(term)):
        found = _of_terms(_multiplied_out(node))
    return found


def _divides(node: Node) -> bool:
    """Whether a factor, or a factor in a term of it, is a negative power."""
    if isinstance(node, Sum):
        return any(power_of(operand)[1] < 0 for _, term in node.terms for operand, _ in _pairs(term))
    return power_of(node)[1] < 0


def _multiplied_out(node: Sum) -> Terms:
    """The terms with sums in their factors multiplied out; none where nothing is to be done."""
    found: dict[Node, Fraction] = {}
    for factor, term in node.terms:
        left = [(factor, term)]
        while left:
            size, part = left.pop()
            pairs = [pair for own in _pairs(part) for pair in _by_length(own)] if isinstance(part, Einsum) else []
            place = next((k for k, (operand, _) in enumerate(pairs) if isinstance(operand, Sum)), None)
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
    for x in _variables(terms):
        mark = b.symbol(" ", x.node.shape)
        for beside, entries in _groups(terms, x, mark):
            found = _of_group(terms, x, mark, beside, entries)
            if found is not None:
                return found
    return None


def _of_group(all_terms: Terms, x: _Variable, mark: Node, beside: Node, entries: Entries) -> Node | None:
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
    if len(gone) < len(all_terms) and all(part.first(x) >= 0 for _, _, part in entries):
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
    rest = [scaled(term, factor) for factor, term in all_terms if term not in gone]
    return b.add([*rest, _in_place(beside, mark, new)])


def _stays(x: _Variable, entries: Entries) -> bool:
    """Whether the leading terms certainly do not cancel, from few coefficients."""
    leading: dict[int, Fraction] = {}
    for factor, _, part in entries:
        own = part.series(x, 3)
        own = None if own is None else own.trimmed()
        if own is None:
            return False
        leading[own.first] = leading.get(own.first, Fraction(0)) + factor * own.numbers[0]
    return leading[min(leading)].numerator != 0


def _total(x: _Variable, entries: Entries, count: int) -> Series | None:
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
