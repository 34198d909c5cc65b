"""Terms as products of factors, and the common factors of a sum.

A ``Term`` is coefficient · scalars · chain / denominators, where the chain is a matrix product of factors.
Summing terms pulls out what they share: scalars, the left ends of chains, the right ends, Hadamard factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from matgrad.formula.printing import decimal_parts
from matgrad.formula.syntax import SCALAR, SCALAR_TYPE, Expr, Type
from matgrad.tensor import builders as b
from matgrad.translate.algebra import (
    addition,
    call,
    coefficient,
    cost,
    negated,
    negative,
    number,
    product,
    transposed,
)
from matgrad.translate.groupings import Grouping, groupings
from matgrad.translate.splitting import counted, powers, split_power
from matgrad.translate.terms import Ordering, Term, flattened, runs, together


def joined(term: Term, order: Ordering, type_: Type) -> Expr:
    """The term as one expression of this type: coefficient, scalars, chain, then what it is divided by."""
    term = flattened(term)
    minus = term.coefficient.numerator < 0
    size = -term.coefficient if minus else term.coefficient
    scalars = sorted(powers(term.scalars), key=lambda e: (_complexity(e), order.rank(e)))
    below = list(term.below)
    if scalars or term.chain:
        size, divisor = _divided(size, below)
        below = [number(divisor), *below] if divisor != 1 else below
    if not term.chain and type_.kind != SCALAR:
        inner = joined(term._replace(coefficient=-term.coefficient if minus else term.coefficient), order, SCALAR_TYPE)
        whole = _filled(inner, type_)
        return negative(whole) if minus else whole
    front = [] if size is b.ONE or size == 1 else [number(size)]
    factors: list[tuple[str, Expr]] = [("*", e) for e in (*front, *scalars)]
    factors += _after(factors, runs(term.chain))
    if not factors:
        factors = [("*", number(1))]
    whole = product([*factors, *(("/", e) for e in _denominator(below, order))])
    return negative(whole) if minus else whole


def _divided(size: Fraction, below: Sequence[Expr]) -> tuple[Fraction, Fraction]:
    """A coefficient as what stands in front and what is divided by: x/3, but 0.5*x; (A*x)/1.7320508075688772."""
    above, divisor = decimal_parts(size)
    if above == size.numerator and (above != 1 or (not below and size.denominator in (2, 4, 5, 10))):
        return size, Fraction(1)
    return above, divisor


def _after(front: Sequence[tuple[str, Expr]], chain: Sequence[Expr]) -> list[tuple[str, Expr]]:
    """The chain, to be written after some scalars: c*(1./x) is c./x."""
    if front and len(chain) == 1 and chain[0].op == "product":
        (only,) = chain
        if only.value[0] == "./" and only.args[0].op == "number" and only.args[0].value == 1:
            return list(zip(only.value, only.args[1:], strict=True))
    return [("*", e) for e in chain]


_SIMPLE = ("name", "number", "constant")


def _complexity(expr: Expr) -> bool:
    return not (
        expr.op in _SIMPLE or (expr.op == "power" and expr.args[0].op in _SIMPLE and expr.args[1].op == "number")
    )


def _denominator(below: Sequence[Expr], order: Ordering) -> list[Expr]:
    if not below:
        return []
    ordered = sorted(powers(below), key=lambda e: (e.op != "number", _complexity(e), order.rank(e)))
    return [product([("*", e) for e in ordered])]


EXHAUSTIVE = 4
"""Terms up to which every grouping is tried; of more, the one that saves most at once."""
LARGE = 1500
"""Factors of all terms of a sum up to which common ones are looked for: nobody reads what is longer."""


def total(terms: Sequence[Term], order: Ordering, type_: Type) -> Expr:
    """The sum of the terms with common factors pulled out, where that is shorter to print."""
    merged = _merged(terms) if len(terms) > 1 else terms
    ordered = tuple(sorted(merged, key=order.rank_term) if len(merged) > 1 else merged)
    known = order.totals.get((ordered, type_))
    if known is not None:
        return known
    found = _plain(ordered, order, type_)
    if len(ordered) > 1 and sum([len(term.chain) + len(term.scalars) for term in ordered]) <= LARGE:
        factored = _factored(ordered, order, type_)
        if factored is not None and dressed_cost(factored) <= dressed_cost(found):
            found = factored
    opened = _opened(ordered)
    if opened is not None:
        other = total(opened, order, type_)
        found = other if dressed_cost(other) < dressed_cost(found) else found
    order.totals[ordered, type_] = found
    return found


def _opened(terms: Sequence[Term]) -> list[Term] | None:
    """(x + y) - 1/2*(x - y) term by term, where terms of two sums are alike; None where none are."""
    sums = [t for t in terms if len(t.chain) == 1 and t.chain[0].op == "add" and not (t.scalars or t.below)]
    if len(sums) < 2:
        return None
    parts = [(t.coefficient, *coefficient(arg)) for t in sums for arg in t.chain[0].args]
    if len({rest for _, _, rest in parts}) == len(parts):
        return None
    inner = [flattened(Term(size * factor, (), (), (rest,))) for size, factor, rest in parts if rest.kind != SCALAR]
    inner += [flattened(Term(size * factor, (rest,), (), ())) for size, factor, rest in parts if rest.kind == SCALAR]
    return [*(t for t in terms if t not in sums), *inner]


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
    minus = terms[0].coefficient.numerator < 0
    ordered = sorted(terms, key=lambda t: t.coefficient.numerator < 0) if minus else list(terms)
    if ordered[0].coefficient.numerator > 0:
        first = ordered[0]
        ordered = [first, *(t for t in terms if t is not first)]
    ordered = _numbers_last(ordered)
    shaped = any(t.chain for t in ordered)
    if not shaped and type_.kind != SCALAR:
        return _filled(_plain(terms, order, SCALAR_TYPE), type_)
    pieces = [joined(t, order, type_ if t.chain or not shaped else Type(SCALAR, ())) for t in ordered]
    return addition(together(pieces, order.sums) if len(pieces) > 2 else pieces)


def _numbers_last(terms: list[Term]) -> list[Term]:
    """3*x^2 + 2 and log(x) + 1, but 2 - 3*x^2 and 1 + x'*A*x."""
    named = [t for t in terms if t.scalars or t.below or t.chain]
    if not named or named[0].coefficient < 0 or any(split_power(e)[0].op == "product" for e in named[0].scalars):
        return terms
    return [*named, *(t for t in terms if not (t.scalars or t.below or t.chain))]


def _factored(terms: Sequence[Term], order: Ordering, type_: Type) -> Expr | None:
    """Candidates: the whole sum over common scalars, or one group of terms over a common end of their chains."""
    candidates = []
    found = list(groupings(terms, type_))
    if len(terms) > EXHAUSTIVE and found:
        found = [max(found, key=lambda g: _saving(g, order, type_))]
    for group, outer, inner, inner_type in found:
        inside = total(inner, order, inner_type)
        if is_zero(inside):
            rest = [t for t in terms if t not in group]
            candidates.append(total(rest, order, type_) if rest else _filled(number(0), type_))
            continue
        sign = Fraction(1)
        if inside.op == "neg" or (inside.op == "add" and inside.args[0].op == "neg"):
            inside, sign = negated(inside), Fraction(-1)
            if inside.op == "add" and len(inside.args) > 2:
                inside = inside.replace(args=tuple(together(inside.args, order.sums)))
        merged = outer(inside, sign)
        rest = [t for t in terms if t not in group]
        candidates.append(total([*rest, merged], order, type_) if rest else joined(merged, order, type_))
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    return min(candidates, key=lambda e: (dressed_cost(e), order.rank(e)))


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
    """Whether it is written as 0, vector(0), matrix(0) or zeros(n)."""
    if expr.op == "call" and expr.value.name == "zeros":
        return True
    inner = expr.args[0] if expr.op == "call" and expr.value.name in ("vector", "matrix") else expr
    return inner.op == "number" and inner.value == 0


def _filled(scalar: Expr, type_: Type) -> Expr:
    """The array all of whose entries are a scalar."""
    return call("vector" if len(type_.dims) == 1 else "matrix", scalar, type=type_) if type_.dims else scalar


def _saving(grouping: Grouping, order: Ordering, type_: Type) -> int:
    group, _, inner, inner_type = grouping
    return _length(group, order, type_) - _length(inner, order, inner_type)


def _length(terms: Sequence[Term], order: Ordering, type_: Type) -> int:
    """What the terms cost one after the other; each of them is written once only."""
    found = len(terms) + all(t.coefficient.numerator < 0 for t in terms)
    shaped = any(t.chain for t in terms)
    for term in terms:
        key = (term._replace(coefficient=abs(term.coefficient)), type_ if term.chain or not shaped else SCALAR_TYPE)
        if key not in order.lengths:
            order.lengths[key] = cost(joined(key[0], order, key[1]))
        found += order.lengths[key]
    return found
