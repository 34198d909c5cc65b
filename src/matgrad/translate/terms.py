"""Terms of a sum, as products of factors, and the order in which they stand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from itertools import groupby, pairwise
from typing import NamedTuple

from matgrad.formula.syntax import MATRIX, SCALAR, Expr, Type
from matgrad.tensor import builders as b
from matgrad.translate.algebra import (
    cost,
    names,
    negated,
    negative,
    number,
    product,
    transposed,
)
from matgrad.translate.entrywise import entrywise, entrywise_factors
from matgrad.translate.splitting import scalars_in_front, shared_by_all, split_power, split_scalar, without


class Term(NamedTuple):
    coefficient: Fraction
    scalars: tuple[Expr, ...]
    below: tuple[Expr, ...]
    chain: tuple[Expr, ...]


_IN_WORDS = 4
"""What it is worth to say a thing in the words of the formula."""


class Ordering:
    """Factors and terms stand in the order in which their names first appear in the formula as typed."""

    def __init__(self, order: Sequence[str]) -> None:
        self._place = {name: i for i, name in enumerate(order)}
        self.typed: frozenset[Expr] = frozenset()
        self.sums: frozenset[Expr] = frozenset()
        self.totals: dict[tuple[tuple[Term, ...], Type], Expr] = {}
        self.lengths: dict[tuple[Term, Type], int] = {}

    def rank(self, expr: Expr) -> tuple[int, ...]:
        place, last = self._place, len(self._place)
        return tuple([place.get(name, last) for name in names(expr)])

    def best(self, candidates: Sequence[Expr]) -> Expr:
        """The cheapest to print, in the words of the formula if possible; of equals, in the order of its names."""
        if len(candidates) == 1:
            return candidates[0]
        costs = [cost(e) - _IN_WORDS * self._in_words(e) for e in candidates]
        least = min(costs)
        cheapest = [e for e, found in zip(candidates, costs, strict=True) if found == least]
        return cheapest[0] if len(cheapest) == 1 else min(cheapest, key=self.rank)

    def _in_words(self, expr: Expr) -> bool:
        """Whether it is a call of the formula as typed, or a power of one: norm2(x)^2 where norm2(x) is known."""
        return expr in self.typed or (expr.op == "power" and expr.args[0] in self.typed)

    def rank_term(self, term: Term) -> tuple[tuple[int, ...], Fraction, int]:
        parts = (*term.scalars, *term.chain, *term.below)
        return tuple([r for e in parts for r in self.rank(e)]), _minus_degree(term), sum([cost(e) for e in parts])


_ZERO = Fraction(0)


def _minus_degree(term: Term) -> Fraction:
    """The power of a single scalar, by which polynomials are ordered, the highest first."""
    if len(term.scalars) != 1 or term.below or term.chain:
        return _ZERO
    base, exponent = split_power(term.scalars[0])
    return -exponent if base.op == "name" else _ZERO


def together(pieces: Sequence[Expr], sums: Collection[Expr]) -> Sequence[Expr]:
    """The terms of a sum of the formula, or of its negative, side by side: z - mean(z) - u for z - u - mean(z)."""
    for whole in sums:
        for terms in (whole.args, negated(whole).args) if len(whole.args) < len(pieces) else ():
            if {*pieces}.issuperset(terms) and len({*terms}) == len(terms):
                place = min(map(pieces.index, terms))
                if place or terms[0].op != "neg":
                    rest = list(without(pieces, terms))
                    pieces = [*rest[:place], *terms, *rest[place:]]
    return pieces


def chained(factors: Sequence[Expr]) -> Expr:
    """The matrix product of factors, equal neighbours as powers."""
    return product([("*", e) for e in runs(factors)])


def runs(chain: Sequence[Expr]) -> Sequence[Expr]:
    """Equal neighbours in a chain as a power, where that is no longer: X'*X'*X' is X'^3; up to what is read back."""
    if all(a != b for a, b in pairwise(chain)):
        return _repeated(chain)
    found: list[Expr] = []
    for factor, group in groupby(chain):
        members = list(group)
        while members:
            some, members = members[: b.UNROLLED], members[b.UNROLLED :]
            if len(some) > 1 and factor.kind == "matrix":
                whole = Expr("power", (factor, number(len(some))), "^", type=factor.type)
                if factor.op == "add" or cost(whole) <= cost(product([("*", m) for m in some])):
                    some = [whole]  # the brackets of a sum are written once
            found += some
    return found


def _repeated(chain: Sequence[Expr]) -> Sequence[Expr]:
    """A chain that is one block several times as a power, where that is shorter: M*G*M*G is (M*G)^2."""
    for length in range(2, len(chain) // 2 + 1):
        count, left = divmod(len(chain), length)
        if not left and count <= b.UNROLLED and all(x == y for x, y in zip(chain, chain[length:], strict=False)):
            block = product([("*", e) for e in chain[:length]])
            if block.kind == "matrix":
                whole = Expr("power", (block, number(count)), "^", type=block.type)
                if cost(whole) < cost(product([("*", e) for e in chain])):
                    return [whole]
    return chain


def flattened(term: Term) -> Term:
    """Products among the factors of a chain joined to it: what is associative is kept flat, so that ends compare."""
    coefficient, scalars, below, chain = term.coefficient, list[Expr](), list(term.below), list[Expr]()
    for scalar in term.scalars:
        coefficient = b.times(coefficient, split_scalar(scalar, scalars, below))
    for factor in term.chain:
        if factor.op == "neg":
            coefficient, factor = -coefficient, factor.args[0]
        if factor.op == "product" and not set(factor.value) <= {"*", "/"}:
            front, factor = scalars_in_front(factor)
            scalars += front
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
    for k in range(len(chain) // 2):
        mirrored = _mirrored(chain[k], chain[-1 - k]) if chain[k].op == "add" else 0
        if mirrored:
            coefficient *= mirrored
            chain[-1 - k] = transposed(chain[k])
    return Term(coefficient, tuple(scalars), tuple(below), _without_identities(_one_diagonal(chain)))


def _one_diagonal(chain: list[Expr]) -> list[Expr]:
    """diag(u)*diag(v) as diag(u.*v)."""
    if len(chain) < 2 or sum(map(_is_diagonal, chain)) < 2:
        return chain
    found: list[Expr] = []
    for factor in chain:
        last = found[-1] if found else factor
        if found and _is_diagonal(last) and _is_diagonal(factor):
            found[-1] = last.replace(
                args=(entrywise([f for e in (last, factor) for f in entrywise_factors(e.args[0])]),)
            )
        else:
            found.append(factor)
    return found


def _is_diagonal(expr: Expr) -> bool:
    return expr.op == "call" and expr.value.name == "diag" and expr.kind == MATRIX


def _mirrored(first: Expr, last: Expr) -> int:
    """1 or -1 where the last factor is ±first', term by term: (u - v)*C*(v' - u') is -(u - v)*C*(u - v)'."""
    turned = transposed(last)
    if turned.op == "transpose" and last.op == "add":
        other = [negative(transposed(a.args[0])) if a.op == "neg" else transposed(a) for a in last.args]
    else:
        other = list(turned.args) if turned.op == "add" else []
    terms = set(first.args)
    if terms == {negative(a) for a in other}:
        return -1
    return 1 if terms == set(other) and cost(transposed(first)) <= cost(last) else 0


def _without_identities(chain: list[Expr]) -> tuple[Expr, ...]:
    """eye*A as A: where the terms that stood beside an identity cancelled."""
    left = [e for e in chain if not (e.op == "call" and e.value.name == "eye")]
    return tuple(left or chain[:1])


def _cancelled(above: list[Expr], below: list[Expr]) -> tuple[list[Expr], list[Expr]]:
    """Without the factors that stand on both sides of the fraction bar."""
    common = shared_by_all([above, below]) if above and below else []
    return (list(without(above, common)), list(without(below, common))) if common else (above, below)
