"""Terms as products of factors, and the common factors of a sum.

A ``Term`` is coefficient · scalars · chain / denominators, where the chain is a matrix product of factors.
Summing terms pulls out what they share: scalars, the left ends of chains, the right ends, Hadamard factors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import groupby, pairwise
from math import gcd, lcm
from typing import NamedTuple

from matgrad.formula.syntax import SCALAR, SCALAR_TYPE, Expr, Type
from matgrad.translate.algebra import (
    addition,
    call,
    cost,
    names,
    negated,
    negative,
    number,
    of_order,
    power,
    product,
    transposed,
)
from matgrad.translate.splitting import split_scalar


class Term(NamedTuple):
    coefficient: Fraction
    scalars: tuple[Expr, ...]
    below: tuple[Expr, ...]
    chain: tuple[Expr, ...]


Grouping = tuple[list[Term], Callable[[Expr, Fraction], Term], list[Term], Type]
"""Terms with something in common: the group, how to put it back around what is left, what is left, its type."""


_IN_WORDS = 4
"""What it is worth to say a thing in the words of the formula."""


class Ordering:
    """Factors and terms stand in the order in which their names first appear in the formula as typed."""

    def __init__(self, order: Sequence[str]) -> None:
        self._place = {name: i for i, name in enumerate(order)}
        self.typed: frozenset[Expr] = frozenset()
        self.totals: dict[tuple[tuple[Term, ...], Type], Expr] = {}

    def rank(self, expr: Expr) -> tuple[int, ...]:
        place, last = self._place, len(self._place)
        return tuple([place.get(name, last) for name in names(expr)])

    def best(self, candidates: Sequence[Expr]) -> Expr:
        """The cheapest to print, in the words of the formula if possible; of equals, in the order of its names."""
        return min(candidates, key=lambda e: (cost(e) - _IN_WORDS * self._in_words(e), self.rank(e)))

    def _in_words(self, expr: Expr) -> bool:
        """Whether it is a call of the formula as typed, or a power of one: norm2(x)^2 where norm2(x) is known."""
        return expr in self.typed or (expr.op == "power" and expr.args[0] in self.typed)

    def rank_term(self, term: Term) -> tuple[tuple[int, ...], Fraction, int]:
        parts = (*term.scalars, *term.chain, *term.below)
        return tuple([r for e in parts for r in self.rank(e)]), -_degree(term), sum([cost(e) for e in parts])


def _degree(term: Term) -> Fraction:
    """The power of a single scalar, by which polynomials are ordered, the highest first."""
    if len(term.scalars) != 1 or term.below or term.chain:
        return Fraction(0)
    base, exponent = _split_power(term.scalars[0])
    return exponent if base.op == "name" else Fraction(0)


def _split_power(expr: Expr) -> tuple[Expr, Fraction]:
    """x and 3 for x^3, q and 1/2 for sqrt(q)."""
    if expr.op == "power" and expr.value == "^" and expr.args[1].op == "number":
        return expr.args[0], expr.args[1].value
    if expr.op == "call" and expr.value.name == "sqrt" and expr.kind == SCALAR:
        return expr.args[0], Fraction(1, 2)
    return expr, Fraction(1)


def joined(term: Term, order: Ordering, type_: Type) -> Expr:
    """The term as one expression of this type: coefficient, scalars, chain, then what it is divided by."""
    term = flattened(term)
    size = abs(term.coefficient)
    scalars = sorted(_powers(term.scalars), key=lambda e: (_complexity(e), order.rank(e)))
    below = list(term.below)
    if size.numerator == 1 and size != 1 and (below or size.denominator not in (2, 4, 5, 10)):
        if scalars or term.chain:
            below, size = [number(size.denominator), *below], Fraction(1)
    if not term.chain and type_.kind != SCALAR:
        inner = joined(term._replace(coefficient=abs(term.coefficient)), order, SCALAR_TYPE)
        whole = _filled(inner, type_)
        return negative(whole) if term.coefficient < 0 else whole
    factors: list[tuple[str, Expr]] = [("*", e) for e in (*([number(size)] if size != 1 else []), *scalars)]
    factors += _after(factors, runs(term.chain))
    if not factors:
        factors = [("*", number(1))]
    whole = product([*factors, *(("/", e) for e in _denominator(below, order))])
    return negative(whole) if term.coefficient < 0 else whole


def _after(front: Sequence[tuple[str, Expr]], chain: Sequence[Expr]) -> list[tuple[str, Expr]]:
    """The chain, to be written after some scalars: c*(1./x) is c./x."""
    if front and len(chain) == 1 and chain[0].op == "product":
        (only,) = chain
        if only.value[0] == "./" and only.args[0].op == "number" and only.args[0].value == 1:
            return list(zip(only.value, only.args[1:], strict=True))
    return [("*", e) for e in chain]


def chained(factors: Sequence[Expr]) -> Expr:
    """The matrix product of factors, equal neighbours as powers."""
    return product([("*", e) for e in runs(factors)])


def runs(chain: Sequence[Expr]) -> Sequence[Expr]:
    """Equal neighbours in a chain as a power, where that is no longer: X'*X'*X' is X'^3."""
    if all(a != b for a, b in pairwise(chain)):
        return chain
    found: list[Expr] = []
    for factor, group in groupby(chain):
        members = list(group)
        if len(members) > 1 and factor.kind == "matrix":
            whole = Expr("power", (factor, number(len(members))), "^", type=factor.type)
            if cost(whole) <= cost(product([("*", m) for m in members])):
                members = [whole]
        found += members
    return found


def _powers(scalars: Sequence[Expr]) -> list[Expr]:
    """Equal scalars as powers: tr(A)*tr(A) is tr(A)^2, and q*sqrt(q) is q^(3/2)."""
    counts: dict[Expr, Fraction] = {}
    for scalar in scalars:
        base, exponent = _split_power(scalar) if scalar.op == "call" else (scalar, Fraction(1))
        counts[base] = counts.get(base, Fraction(0)) + exponent
    return [power(e, count) for e, count in counts.items()]


def counted(items: Sequence[Expr]) -> dict[Expr, int]:
    """How often each item occurs: a Counter, without what makes one slow for a few items."""
    counts: dict[Expr, int] = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return counts


def flattened(term: Term) -> Term:
    """Products among the factors of a chain joined to it: what is associative is kept flat, so that ends compare."""
    coefficient, scalars, below, chain = term.coefficient, list[Expr](), list(term.below), list[Expr]()
    for scalar in term.scalars:
        coefficient *= split_scalar(scalar, scalars, below)
    for factor in term.chain:
        if factor.op == "neg":
            coefficient, factor = -coefficient, factor.args[0]
        if factor.op != "product" or not set(factor.value) <= {"*", "/"}:
            chain.append(factor)
            continue
        for operator, arg in zip(("*", *factor.value), factor.args, strict=True):
            if operator == "/":
                above: list[Expr] = []
                coefficient /= split_scalar(arg, above, scalars)
                below += above
            elif arg.op == "number":
                coefficient *= arg.value
            elif arg.kind == SCALAR:
                scalars.append(arg)
            else:
                chain.append(arg)
    scalars, below = _cancelled(scalars, below)
    return Term(coefficient, tuple(scalars), tuple(below), tuple(chain))


def _cancelled(above: list[Expr], below: list[Expr]) -> tuple[list[Expr], list[Expr]]:
    """Without the factors that stand on both sides of the fraction bar."""
    common = _shared([above, below]) if above and below else []
    return (list(_without(above, common)), list(_without(below, common))) if common else (above, below)


_SIMPLE = ("name", "number", "constant")


def _complexity(expr: Expr) -> bool:
    return not (
        expr.op in _SIMPLE or (expr.op == "power" and expr.args[0].op in _SIMPLE and expr.args[1].op == "number")
    )


def _denominator(below: Sequence[Expr], order: Ordering) -> list[Expr]:
    if not below:
        return []
    ordered = sorted(_powers(below), key=lambda e: (e.op != "number", _complexity(e), order.rank(e)))
    return [product([("*", e) for e in ordered])]


EXHAUSTIVE = 4
"""Terms up to which every grouping is tried; of more, the one that saves most at once."""


def total(terms: Sequence[Term], order: Ordering, type_: Type) -> Expr:
    """The sum of the terms with common factors pulled out, where that is shorter to print."""
    ordered = tuple(sorted(_merged(terms), key=order.rank_term))
    known = order.totals.get((ordered, type_))
    if known is not None:
        return known
    found = _plain(ordered, order, type_)
    if len(ordered) > 1:
        factored = _factored(ordered, order, type_)
        if factored is not None and dressed_cost(factored) <= dressed_cost(found):
            found = factored
    order.totals[ordered, type_] = found
    return found


def _merged(terms: Sequence[Term]) -> list[Term]:
    """Terms that differ in their coefficients only, added up."""
    found: dict[object, Term] = {}
    for term in terms:
        key = (_unordered(term.scalars), _unordered(term.below), term.chain)
        if key in found:
            term = term._replace(coefficient=found[key].coefficient + term.coefficient)
        found[key] = term
    left = [term for term in found.values() if term.coefficient]
    return left or [terms[0]._replace(coefficient=Fraction(0), scalars=(number(0),), below=(), chain=())]


def _unordered(items: Sequence[Expr]) -> frozenset[tuple[Expr, int]]:
    return frozenset(counted(items).items())


def _plain(terms: Sequence[Term], order: Ordering, type_: Type) -> Expr:
    """One term after the other, a positive one first; constants are broadcast if anything else has the shape."""
    ordered = sorted(terms, key=lambda t: t.coefficient < 0) if terms[0].coefficient < 0 else list(terms)
    if ordered and ordered[0].coefficient > 0:
        first = ordered[0]
        ordered = [first, *(t for t in terms if t is not first)]
    ordered = _numbers_last(ordered)
    shaped = any(t.chain for t in ordered)
    if not shaped and type_.kind != SCALAR:
        return _filled(_plain(terms, order, SCALAR_TYPE), type_)
    pieces = [joined(t, order, type_ if t.chain or not shaped else Type(SCALAR, ())) for t in ordered]
    return addition(pieces)


def _numbers_last(terms: list[Term]) -> list[Term]:
    """3*x^2 + 2 and log(x) + 1, but 2 - 3*x^2 and 1 + x'*A*x."""
    named = [t for t in terms if t.scalars or t.below or t.chain]
    if not named or named[0].coefficient < 0 or any(_split_power(e)[0].op == "product" for e in named[0].scalars):
        return terms
    return [*named, *(t for t in terms if not (t.scalars or t.below or t.chain))]


def _factored(terms: Sequence[Term], order: Ordering, type_: Type) -> Expr | None:
    """Candidates: the whole sum over common scalars, or one group of terms over a common end of their chains."""
    candidates = []
    groupings = list(_groupings(terms, order, type_))
    if len(terms) > EXHAUSTIVE and groupings:
        groupings = [max(groupings, key=lambda g: _saving(g, order, type_))]
    for group, outer, inner, inner_type in groupings:
        inside = total(inner, order, inner_type)
        if is_zero(inside):
            rest = [t for t in terms if t not in group]
            candidates.append(total(rest, order, type_) if rest else _filled(number(0), type_))
            continue
        sign = Fraction(1)
        if inside.op == "neg" or (inside.op == "add" and inside.args[0].op == "neg"):
            inside, sign = negated(inside), Fraction(-1)
        merged = outer(inside, sign)
        rest = [t for t in terms if t not in group]
        candidates.append(total([*rest, merged], order, type_) if rest else joined(merged, order, type_))
    return min(candidates, key=lambda e: (dressed_cost(e), order.rank(e)), default=None)


_SYMMETRY = 3
"""What showing a symmetry is worth: A'*(eye - u*u')*A rather than (A' - A'*u*u')*A."""


def dressed_cost(expr: Expr) -> int:
    return cost(expr) - (_SYMMETRY if is_palindrome(expr) else 0)


def is_palindrome(expr: Expr) -> bool:
    """Whether a product of three or more shows that it may be symmetric: the last factor is the first, transposed."""
    if expr.op == "neg":
        return is_palindrome(expr.args[0])
    chain = [a for a in expr.args if a.kind != SCALAR] if expr.op == "product" else []
    return len(chain) > 2 and chain[0].kind == "matrix" and chain[0] == transposed(chain[-1])


def is_zero(expr: Expr) -> bool:
    """Whether it is written as 0, vector(0) or matrix(0)."""
    inner = expr.args[0] if expr.op == "call" and expr.value.name in ("vector", "matrix") else expr
    return inner.op == "number" and inner.value == 0


def _filled(scalar: Expr, type_: Type) -> Expr:
    """The array all of whose entries are a scalar."""
    return call("vector" if len(type_.dims) == 1 else "matrix", scalar, type=type_) if type_.dims else scalar


def _saving(grouping: Grouping, order: Ordering, type_: Type) -> int:
    group, _, inner, inner_type = grouping
    return cost(_plain(group, order, type_)) - cost(_plain(inner, order, inner_type))


def _content(terms: Sequence[Term]) -> Fraction:
    return Fraction(gcd(*(t.coefficient.numerator for t in terms)), lcm(*(t.coefficient.denominator for t in terms)))


def _groupings(terms: Sequence[Term], order: Ordering, type_: Type) -> Iterator[Grouping]:
    """Groups of terms with something in common: (group, how to put it back, what is left, its type)."""
    common = _common_scalars(terms)
    if common is not None:
        scalars, below, inner = common
        content = _content(terms)
        if content < 1 and len({abs(t.coefficient) for t in terms}) > 1:
            content = Fraction(1)
        inner = [t._replace(coefficient=t.coefficient / content) for t in inner]

        def back(inside: Expr, sign: Fraction) -> Term:
            if type_.kind == SCALAR:
                return Term(sign * content, (*scalars, inside), below, ())
            return Term(sign * content, scalars, below, (inside,))

        yield list(terms), back, inner, type_
        return
    content = _content(terms)
    if content != 1:

        def scale(inside: Expr, sign: Fraction) -> Term:
            if type_.kind == SCALAR:
                return Term(sign * content, (inside,), (), ())
            return Term(sign * content, (), (), (inside,))

        yield list(terms), scale, [t._replace(coefficient=t.coefficient / content) for t in terms], type_
    yield from _diagonals(terms, type_)
    for left in (True, False):
        yield from _common_ends(terms, left, type_)
    yield from _common_both(terms)
    yield from _common_hadamard(terms, type_)


def _common_scalars(terms: Sequence[Term]) -> tuple[tuple[Expr, ...], tuple[Expr, ...], list[Term]] | None:
    scalars = _shared([t.scalars for t in terms])
    below = _shared([t.below for t in terms])
    if not scalars and not below:
        return None
    inner = [t._replace(scalars=_without(t.scalars, scalars), below=_without(t.below, below)) for t in terms]
    return tuple(scalars), tuple(below), inner


def _shared(lists: Sequence[Sequence[Expr]]) -> list[Expr]:
    """What all lists have, as often as all have it."""
    if not all(lists):
        return []
    common = Counter(lists[0])
    for items in lists[1:]:
        common &= Counter(items)
    return list(common.elements())


def _without(items: Sequence[Expr], gone: Sequence[Expr]) -> tuple[Expr, ...]:
    left = list(items)
    for item in gone:
        left.remove(item)
    return tuple(left)


def _common_ends(terms: Sequence[Term], left: bool, type_: Type) -> Iterator[Grouping]:
    ends: dict[tuple[Expr, Type | None], list[Term]] = {}
    for term in terms:
        if term.chain:
            end = term.chain[0 if left else -1]
            ends.setdefault((end, end.type), []).append(term)
    for (end, _), group in ends.items():
        if len(group) < 2 or all(len(t.chain) == 1 for t in group):
            continue
        shared = _shared([t.scalars for t in group])
        below = _shared([t.below for t in group])
        content = _content(group)
        inner_type = _left_over(group[0], left, type_)
        if inner_type is None:
            continue
        rests = [_rest(t.chain, left, inner_type) for t in group]
        if any(rest is None for rest in rests):
            continue
        inner = [
            Term(t.coefficient / content, _without(t.scalars, shared), _without(t.below, below), rest or ())
            for t, rest in zip(group, rests, strict=True)
        ]

        def back(  # type: ignore[no-untyped-def]
            inside: Expr, sign: Fraction, end=end, shared=tuple(shared), below=tuple(below), content=content
        ) -> Term:
            inside_chain = inside.args if inside.op == "product" and set(inside.value) == {"*"} else (inside,)
            if any(a.kind == SCALAR for a in inside_chain):
                inside_chain = (inside,)
            chain = (end, *inside_chain) if left else (*inside_chain, end)
            return Term(sign * content, shared, below, chain)

        yield group, back, inner, inner_type


def _common_both(terms: Sequence[Term]) -> Iterator[Grouping]:
    """A'*M*A + A'*A = A'*(M + eye)*A: both ends taken off at once, where one is the other transposed."""
    ends: dict[Expr, list[Term]] = {}
    for term in terms:
        if len(term.chain) > 1 and term.chain[0].kind == "matrix" and term.chain[0] == transposed(term.chain[-1]):
            ends.setdefault(term.chain[-1], []).append(term)
    for end, group in ends.items():
        if len(group) < 2 or all(len(t.chain) == 2 for t in group):
            continue
        inner_type = of_order((end.dims[0], end.dims[0]))
        content = _content(group)
        inner = [
            t._replace(coefficient=t.coefficient / content, chain=t.chain[1:-1] or (call("eye", type=inner_type),))
            for t in group
        ]

        def back(inside: Expr, sign: Fraction, end: Expr = end, content: Fraction = content) -> Term:
            return flattened(Term(sign * content, (), (), (transposed(end), inside, end)))

        yield group, back, inner, inner_type


def _rest(chain: tuple[Expr, ...], left: bool, type_: Type) -> tuple[Expr, ...] | None:
    """What is left of a chain when one end is taken off: of a single rectangular matrix, the identity.

    A'*A - A'*r*r'*A is A'*(eye - r*r')*A, but S - S*x*x'*S stays as symmetric as it is.
    """
    if len(chain) > 1:
        return chain[1:] if left else chain[:-1]
    (only,) = chain
    if only.kind != "matrix" or only.dims[0] == only.dims[1]:
        return None
    return (call("eye", type=type_),) if type_.kind == "matrix" and type_.dims[0] == type_.dims[1] else None


def _left_over(term: Term, left: bool, type_: Type) -> Type | None:
    """The type of what remains when one end of a chain is taken off."""
    end = term.chain[0 if left else -1]
    if left:
        if end.kind == "matrix":
            return Type(type_.kind, (end.dims[1], *type_.dims[1:]))
        if end.kind == "row" and type_.kind == "row":
            return Type("matrix", (end.dims[0], type_.dims[0]))
        return Type("row", type_.dims[1:]) if end.kind == "vector" and type_.kind == "matrix" else None
    if end.kind == "matrix":
        return Type(type_.kind, (*type_.dims[:-1], end.dims[0]))
    if end.kind == "vector":
        return of_order((type_.dims[0], end.dims[0]))
    if end.kind == "row" and type_.kind == "matrix":
        return Type("vector", type_.dims[:1])
    return None


def _diagonals(terms: Sequence[Term], type_: Type) -> Iterator[Grouping]:
    """diag(u) + diag(v) = diag(u + v)."""
    group = [
        t for t in terms
        if len(t.chain) == 1 and t.chain[0].op == "call" and t.chain[0].value.name == "diag" and type_.kind == "matrix"
    ]  # fmt: skip
    if len(group) > 1:
        inner = [t._replace(chain=t.chain[0].args) for t in group]

        def back(inside: Expr, sign: Fraction) -> Term:
            return Term(sign, (), (), (call("diag", inside, type=type_),))

        yield group, back, inner, of_order(type_.dims[:1])


def _common_hadamard(terms: Sequence[Term], type_: Type) -> Iterator[Grouping]:
    """u.*a + u.*b = u.*(a + b), for terms whose chain is one elementwise product."""

    def parts(term: Term) -> list[Expr] | None:
        if len(term.chain) != 1:
            return None
        (factor,) = term.chain
        if factor.op == "product" and set(factor.value) == {".*"}:
            return list(factor.args)
        return [factor]

    split = [(t, parts(t)) for t in terms]
    seen: dict[Expr, list[tuple[Term, list[Expr]]]] = {}
    for term, pieces in split:
        for piece in dict.fromkeys(pieces or ()):
            seen.setdefault(piece, []).append((term, pieces or []))
    for piece, members in seen.items():
        if len(members) < 2 or any(len(p) < 1 for _, p in members) or all(len(p) == 1 for _, p in members):
            continue
        inner = []
        for term, pieces in members:
            rest = list(pieces)
            rest.remove(piece)
            chain = (product([(".*", e) for e in rest]),) if rest else ()
            inner.append(term._replace(chain=chain))

        def back(inside: Expr, sign: Fraction, piece: Expr = piece) -> Term:
            if inside.kind == SCALAR:
                return flattened(Term(sign, (inside,), (), (piece,)))
            return Term(sign, (), (), (product([(".*", piece), (".*", inside)]),))

        yield [t for t, _ in members], back, inner, type_
