"""Groups of terms that have something in common, and what is left of them without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from math import gcd, lcm

from matgrad.formula.printing import is_short
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Expr, Type
from matgrad.translate.algebra import (
    call,
    is_ones,
    negated,
    of_order,
    times,
    transposed,
)
from matgrad.translate.entrywise import entrywise, entrywise_factors, is_divisor, sum_over
from matgrad.translate.splitting import shared_by_all, split_scalar, without
from matgrad.translate.terms import Term, flattened

Grouping = tuple[list[Term], Callable[[Expr, Fraction], Term], list[Term], Type]
"""Terms with something in common: the group, how to put it back around what is left, what is left, its type."""


def content_of(terms: Sequence[Term]) -> Fraction:
    return Fraction(gcd(*(t.coefficient.numerator for t in terms)), lcm(*(t.coefficient.denominator for t in terms)))


def groupings(terms: Sequence[Term], type_: Type) -> Iterator[Grouping]:
    """Groups of terms with something in common: (group, how to put it back, what is left, its type)."""
    common = _common_scalars(terms)
    if common is not None:
        yield _over_scalars(terms, common, type_)
        return
    content = content_of(terms)
    if content != 1 and _is_readable(content, terms):

        def scale(inside: Expr, sign: Fraction) -> Term:
            if type_.kind == SCALAR:
                return Term(sign * content, (inside,), (), ())
            return Term(sign * content, (), (), (inside,))

        yield list(terms), scale, [t._replace(coefficient=t.coefficient / content) for t in terms], type_
    yield from _common_fractions(terms, type_)
    yield from _diagonals(terms, type_)
    for left in (True, False):
        yield from _common_ends(terms, left, type_)
    yield from _common_both(terms)
    if type_.kind == SCALAR:
        yield from _common_inner(terms)
    yield from _common_hadamard(terms, type_)
    yield from _common_denominator(terms, type_)
    if 2 < len(terms) <= FEW:
        yield from _some_with_scalars(terms, type_)


def _common_fractions(terms: Sequence[Term], type_: Type) -> Iterator[Grouping]:
    """H + 1/2*(P*G + G*P): a fraction that some terms have in common."""
    for size in dict.fromkeys(abs(t.coefficient) for t in terms if t.coefficient.denominator != 1):
        group = [t for t in terms if abs(t.coefficient) == size]
        if not 1 < len(group) < len(terms) or type_.kind == SCALAR or not all(t.chain for t in group):
            continue

        def back(inside: Expr, sign: Fraction, size: Fraction = size) -> Term:
            return Term(sign * size, (), (), (inside,))

        yield group, back, [t._replace(coefficient=t.coefficient / size) for t in group], type_


def _is_readable(content: Fraction, terms: Sequence[Term]) -> bool:
    """Whether it has few digits, or is written anyway: of 0.123456789123*a + 250*b nothing is pulled out."""
    return is_short(content) or any(abs(t.coefficient) == content for t in terms)


FEW = 4
"""Terms up to which some of them are put over the scalars that only they share."""

Shared = tuple[tuple[Expr, ...], tuple[Expr, ...], list[Term]]
"""Scalars that terms have in common, what they are all divided by, and what is left of the terms."""


def _over_scalars(group: Sequence[Term], common: Shared, type_: Type) -> Grouping:
    scalars, below, inner = common
    content = content_of(group)
    if content < 1 and len({abs(t.coefficient) for t in group}) > 1:
        content = Fraction(1)
    inner = [t._replace(coefficient=t.coefficient / content) for t in inner]

    def back(inside: Expr, sign: Fraction) -> Term:
        if type_.kind == SCALAR:
            return Term(sign * content, (*scalars, inside), below, ())
        return Term(sign * content, scalars, below, (inside,))

    return list(group), back, inner, type_


def _some_with_scalars(terms: Sequence[Term], type_: Type) -> Iterator[Grouping]:
    """A + t*B/q + t*C/q = A + t*(B + C)/q, for scalars that are more than a name."""
    seen: list[list[Term]] = []
    for items in ([t.scalars for t in terms], [t.below for t in terms]):
        for item in dict.fromkeys(e for own in items for e in own if e.args):
            group = [t for t, own in zip(terms, items, strict=True) if item in own]
            common = _common_scalars(group) if 1 < len(group) < len(terms) and group not in seen else None
            if common is not None:
                seen.append(group)
                yield _over_scalars(group, common, type_)


def _common_scalars(terms: Sequence[Term]) -> Shared | None:
    scalars = shared_by_all([t.scalars for t in terms])
    below = shared_by_all([t.below for t in terms])
    if not scalars and not below:
        return None
    inner = [t._replace(scalars=without(t.scalars, scalars), below=without(t.below, below)) for t in terms]
    return tuple(scalars), tuple(below), inner


def _common_ends(terms: Sequence[Term], left: bool, type_: Type) -> Iterator[Grouping]:
    place = 0 if left else -1
    ends: dict[tuple[Expr, Type | None], list[tuple[Term, int]]] = {}
    for term in terms:
        if term.chain:
            end, sign = term.chain[place], 1
            if end.op == "add" and (negated(end), end.type) in ends:  # (u - v)*a + (v - u)*b = (u - v)*(a - b)
                end, sign = negated(end), -1
            ends.setdefault((end, end.type), []).append((term, sign))
    for term in terms:
        matrix = _summed_matrix(term) if left else None
        if matrix is not None and (matrix, matrix.type) in ends:
            ends[matrix, matrix.type].append((term, 1))
    for (end, _), signed in ends.items():
        inner_type = _left_over(signed[0][0], left, type_) if len(signed) > 1 else None
        if inner_type is None:
            continue
        rests = [() if _summed_matrix(t) == end else _rest(t.chain, left, inner_type) for t, _ in signed]
        split = [(t, sign, rest) for (t, sign), rest in zip(signed, rests, strict=True) if rest is not None]
        group = [term for term, _, _ in split]
        if len(group) < 2 or not any(rest for _, _, rest in split):
            continue
        shared = shared_by_all([t.scalars for t in group])
        below = shared_by_all([t.below for t in group])
        content = content_of(group)
        inner = [
            Term(sign * t.coefficient / content, without(t.scalars, shared), without(t.below, below), rest)
            for t, sign, rest in split
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


def _summed_matrix(term: Term) -> Expr | None:
    """M for sum(M, dim=2), which is M times a column of ones, and M' for sum(M, dim=1)'."""
    if len(term.chain) != 1:
        return None
    (only,) = term.chain
    inner = only.args[0] if only.op == "transpose" else only
    if inner.op != "call" or inner.value.name != "sum" or inner.value.dim != (2 if inner is only else 1):
        return None
    return inner.args[0] if inner is only else transposed(inner.args[0])


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
        content = content_of(group)
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
        rest = chain[1:] if left else chain[:-1]
        return () if len(rest) == 1 and is_ones(rest[0]) and rest[0].args[0].value == 1 else rest
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
    """diag(u) + diag(v) = diag(u + v), and c*eye where of u + v only a number is left."""
    group = [
        t for t in terms
        if len(t.chain) == 1 and t.chain[0].op == "call" and t.chain[0].value.name == "diag" and type_.kind == "matrix"
    ]  # fmt: skip
    if len(group) > 1:
        inner = [t._replace(chain=t.chain[0].args) for t in group]

        def back(inside: Expr, sign: Fraction) -> Term:
            if inside.kind == SCALAR:
                above: list[Expr] = []
                below: list[Expr] = []
                size = sign * split_scalar(inside, above, below)
                return Term(size, tuple(above), tuple(below), (call("eye", type=type_),))
            return Term(sign, (), (), (call("diag", inside, type=type_),))

        yield group, back, inner, of_order(type_.dims[:1])


def _common_hadamard(terms: Sequence[Term], type_: Type) -> Iterator[Grouping]:
    """u.*a + u.*b = u.*(a + b), for terms whose chain is one elementwise product; u.^2 counts as u.*u."""
    split = [(t, entrywise_factors(t.chain[0]) if len(t.chain) == 1 else []) for t in terms]
    seen: dict[Expr, list[tuple[Term, list[Expr]]]] = {}
    for term, pieces in split:
        for piece in dict.fromkeys(pieces):
            seen.setdefault(piece, []).append((term, pieces))
    for piece, members in seen.items():
        if len(members) < 2 or all(len(p) == 1 for _, p in members):
            continue
        inner = []
        for term, pieces in members:
            rest = without(pieces, [piece])
            left = term._replace(chain=(entrywise(rest),) if rest else ())
            inner.append(flattened(left) if len(rest) == 1 else left)

        def back(inside: Expr, sign: Fraction, piece: Expr = piece) -> Term:
            if inside.kind == SCALAR:
                return flattened(Term(sign, (inside,), (), (entrywise([piece]),)))
            return Term(sign, (), (), (entrywise([piece, *entrywise_factors(inside)]),))

        yield [t for t, _ in members], back, inner, type_


def _common_inner(terms: Sequence[Term]) -> Iterator[Grouping]:
    """u'*x - u'*y = u'*(x - y), but not where u is on both sides of one of them: x'*A*x + x'*b stays."""
    rows: dict[Expr, dict[int, tuple[Expr, tuple[Expr, ...]]]] = {}
    for k, term in enumerate(terms):
        for scalar in term.scalars:
            for row, *rest in _inner_product(scalar):
                rows.setdefault(row, {}).setdefault(k, (scalar, tuple(rest)))
    for row, found in rows.items():
        column = transposed(row)
        if len(found) < 2 or len({rest[-1] == column for _, rest in found.values()}) > 1:
            continue
        group = [terms[k] for k in found]
        content = content_of(group)
        inner = [
            flattened(Term(t.coefficient / content, without(t.scalars, [scalar]), t.below, rest))
            for t, (scalar, rest) in zip(group, found.values(), strict=True)
        ]

        def back(inside: Expr, sign: Fraction, row: Expr = row, content: Fraction = content) -> Term:
            own = flattened(Term(sign * content, (), (), (inside,)))
            whole = sum_over(times(*own.chain), transposed(row)) or times(row, *own.chain)
            return own._replace(scalars=(*own.scalars, whole), chain=())

        yield group, back, inner, of_order(column.dims)


def _inner_product(scalar: Expr) -> Iterator[tuple[Expr, ...]]:
    """The factors of u'*A*v, and of v'*A'*u; those of sum(u./v) as (1./v)'*u."""
    if scalar.op == "call" and scalar.value.name == "sum" and scalar.args[0].kind == VECTOR:
        factors = entrywise_factors(scalar.args[0])
        below = [e for e in factors if is_divisor(e)]
        above = [e for e in factors if not is_divisor(e)]
        if above and below:
            yield transposed(entrywise(below)), entrywise(above)
    if scalar.op == "product" and set(scalar.value) == {"*"} and scalar.args[0].kind == ROW:
        if scalar.args[-1].kind == VECTOR and all(a.kind == MATRIX for a in scalar.args[1:-1]):
            yield scalar.args
            yield tuple([transposed(a) for a in reversed(scalar.args)])


def _common_denominator(terms: Sequence[Term], type_: Type) -> Iterator[Grouping]:
    """u./q.^3 + v./q.^2 = (u + v.*q)./q.^3, for terms whose chain is one elementwise quotient."""
    split = [(t, entrywise_factors(t.chain[0])) for t in terms if len(t.chain) == 1]
    for below in dict.fromkeys(e for _, pieces in split for e in pieces if is_divisor(e)):
        members = [(t, pieces, pieces.count(below)) for t, pieces in split if below in pieces]
        most = max(count for _, _, count in members)
        if len(members) < 2 or all(count == most for _, _, count in members):
            continue
        inner = []
        for term, pieces, count in members:
            above = [e for e in pieces if e != below] + [below.args[0]] * (most - count)
            inner.append(flattened(term._replace(chain=(entrywise(above),) if above else ())))

        def back(inside: Expr, sign: Fraction, over: tuple[Expr, ...] = (below,) * most) -> Term:
            if inside.kind == SCALAR:
                return flattened(Term(sign, (inside,), (), (entrywise(over),)))
            return Term(sign, (), (), (entrywise([*entrywise_factors(inside), *over]),))

        yield [t for t, _, _ in members], back, inner, type_
