"""One term of a linear form taken apart: its sign, its scalars, and the factor that holds the differential."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import NamedTuple

from matgrad.explaining.trees import factors_of, tidied, varies
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Expr
from matgrad.translate.algebra import negative, number, power, product, times, transposed


class Parts(NamedTuple):
    """``sign * above * core / below``: the core holds the differential, the scalars do not."""

    sign: int
    above: tuple[Expr, ...]
    below: tuple[Expr, ...]
    core: Expr

    def around(self, core: Expr) -> Expr:
        """The term with another core."""
        inner = [core]
        if core.op == "product" and set(core.value) == {"*"} and self.above:
            inner = list(core.args)  # one chain: 2*u'*dx
        pairs = [*(("*", f) for f in self.above), *(("*", f) for f in inner), *(("/", f) for f in _powers(self.below))]
        whole = tidied(product(pairs))
        return whole if self.sign > 0 else negative(whole)

    def times(self, factor: Expr | None) -> Expr:
        """The scalars times another factor."""
        if factor is None:
            if not self.above:
                return self.around(number(1)) if self.below else number(self.sign)
            top = times(*self.above)
            whole = tidied(product([("*", top), *(("/", f) for f in _powers(self.below))]))
            return whole if self.sign > 0 else negative(whole)
        return self.around(factor)


def _powers(scalars: Sequence[Expr]) -> list[Expr]:
    """Equal factors of a denominator as one power: a^2*a as a^3."""
    counts: dict[Expr, Fraction] = {}
    for scalar in scalars:
        whole = scalar.op == "power" and scalar.args[1].op == "number" and scalar.args[1].value.denominator == 1
        base, count = (scalar.args[0], Fraction(scalar.args[1].value)) if whole else (scalar, Fraction(1))
        counts[base] = counts.get(base, Fraction(0)) + count
    return [power(base, count) for base, count in counts.items()]


def parts_of(term: Expr, names: Collection[str]) -> Parts | None:
    """The parts of a term; None where the differential stands in a denominator or not at all."""
    if not varies(term, names):
        return None
    if term.op == "neg":
        inner = parts_of(term.args[0], names)
        return None if inner is None else inner._replace(sign=-inner.sign)
    pairs = _spliced(factors_of(term), names)
    divided = [(o in ("/", "./")) for o, _ in pairs]
    if any(divides and varies(f, names) for divides, (_, f) in zip(divided, pairs, strict=True)):
        return None
    above: list[Expr] = []
    below: list[Expr] = []
    rest: list[tuple[str, Expr]] = []
    for k, (operator, factor) in enumerate(pairs):
        needed = k + 1 < len(pairs) and not rest and pairs[k + 1][0] == "./" and pairs[k + 1][1].kind != SCALAR
        if factor.kind == SCALAR and not varies(factor, names) and not needed:
            (below if operator in ("/", "./") else above).append(factor)
        else:
            rest.append((operator, factor))
    scalar = next((k for k, (_, f) in enumerate(rest) if f.kind == SCALAR and varies(f, names)), None)
    inside = scalar is not None and rest[scalar][1].op in ("product", "neg")
    if scalar is not None and (len(rest) > 1 or inside) and term.kind == SCALAR:
        inner = parts_of(rest[scalar][1], names)  # a varying number among others: it moves to the end
        others = rest[:scalar] + rest[scalar + 1 :]
        if inner is None or (others and others[0][0] in ("/", "./")):
            return None
        beside = (product(others),) if others else ()
        return Parts(inner.sign, (*above, *beside, *inner.above), (*below, *inner.below), inner.core)
    blocks, rest = _without_blocks(rest, names)
    core = product(rest) if len(rest) > 1 else rest[0][1]
    if core.kind != term.kind:
        return None
    return Parts(1, (*above, *blocks), tuple(below), core)


def _spliced(pairs: list[tuple[str, Expr]], names: Collection[str]) -> list[tuple[str, Expr]]:
    """A*(x*dt/c) as A*x*dt/c, where a number varies inside of a factor."""
    found: list[tuple[str, Expr]] = []
    for operator, factor in pairs:
        inner = factors_of(factor)
        number_ = any(f.kind == SCALAR and varies(f, names) for _, f in inner)
        if operator == "*" and factor.kind != SCALAR and number_ and {o for o, _ in inner} <= {"*", "/"}:
            found += [("*" if k == 0 else o, f) for k, (o, f) in enumerate(inner)]
        else:
            found.append((operator, factor))
    return found


def _without_blocks(pairs: list[tuple[str, Expr]], names: Collection[str]) -> tuple[list[Expr], list[tuple[str, Expr]]]:
    """Inner products u'*M*v without the differential are scalars."""
    if any(o != "*" for o, _ in pairs[1:]):
        return [], pairs
    blocks: list[Expr] = []
    start = 0
    while start < len(pairs):
        if pairs[start][1].kind == ROW:
            end = start + 1
            while end < len(pairs) and pairs[end][1].kind == MATRIX:
                end += 1
            inner = [f for _, f in pairs[start : end + 1]]
            closed = end < len(pairs) and pairs[end][1].kind == VECTOR
            if closed and len(inner) < len(pairs) and not any(varies(f, names) for f in inner):
                blocks.append(times(*inner))
                pairs = pairs[:start] + pairs[end + 1 :]
                continue
        start += 1
    return blocks, pairs


def chain_of(expr: Expr) -> list[Expr] | None:
    """The factors of a matrix product; a formula that is no product is its only factor."""
    if expr.op != "product":
        return [expr]
    return list(expr.args) if set(expr.value) == {"*"} else None


def turned(expr: Expr) -> Expr:
    """The transpose, with (A*B)' as B'*A', (A + B)' as A' + B', and numbers outside."""
    if expr.op == "neg":
        return negative(turned(expr.args[0]))
    if expr.op == "add":
        return expr.replace(args=tuple(turned(a) for a in expr.args), type=transposed(expr).type)
    if expr.op == "product" and set(expr.value) == {"*"}:
        scalars = [f for f in expr.args if f.kind == SCALAR]
        arrays = [turned(f) for f in reversed(expr.args) if f.kind != SCALAR]
        return times(*scalars, *arrays)
    if expr.op == "product" and set(expr.value) <= {"*", "/"} and expr.value[-1] == "/":
        inner = product(list(zip(("*", *expr.value[:-1]), expr.args[:-1], strict=True)))
        return product([("*", turned(inner)), ("/", expr.args[-1])])
    if expr.op == "call" and expr.value.name == "diag" and expr.kind == MATRIX:
        return expr
    if expr.op == "call" and expr.value.name == "eye":
        return expr
    return transposed(expr)


def turned_chain(factors: Sequence[Expr]) -> Expr:
    """(A*B*u)' as u'*B'*A'."""
    return times(*(turned(f) for f in reversed(factors)))
