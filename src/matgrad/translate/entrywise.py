"""Entrywise products as lists of factors, and the product of such a list."""

from __future__ import annotations

from collections.abc import Sequence

from matgrad.formula.syntax import SCALAR_TYPE, Expr
from matgrad.translate.algebra import call, number, product
from matgrad.translate.splitting import powers, shared_by_all, without

_MOST = 4
"""Exponents up to which an entrywise power is taken apart into equal factors."""


def entrywise_factors(expr: Expr) -> list[Expr]:
    """The factors of an elementwise product; what it is divided by is marked as a divisor."""
    if expr.op == "product" and set(expr.value) <= {".*", "./"}:
        first = expr.args[0]
        found = [] if first.op == "number" and first.value == 1 else entrywise_factors(first)
        for operator, factor in zip(expr.value, expr.args[1:], strict=True):
            more = entrywise_factors(factor)
            found += more if operator == ".*" else [divisor(e) for e in more]
        return found
    if expr.op == "power" and expr.value == ".^" and expr.args[1].op == "number":
        count = expr.args[1].value
        if count.denominator == 1 and 0 < count <= _MOST:
            return [expr.args[0]] * int(count)
    return [expr]


def divisor(expr: Expr) -> Expr:
    return expr.args[0] if is_divisor(expr) else Expr("divisor", (expr,), type=expr.type)


def is_divisor(expr: Expr) -> bool:
    return expr.op == "divisor"


def entrywise(factors: Sequence[Expr]) -> Expr:
    """The elementwise product of factors and of what ``entrywise_factors`` says of divisors."""
    above, below = (powers(side) for side in _cancelled(factors))
    over = [("./", product([(".*", e) for e in below]))] if below else []
    return product([*((".*", e) for e in above or [number(1)]), *over])


def cancelled(above: list[Expr], below: list[Expr]) -> tuple[list[Expr], list[Expr]]:
    """Without the factors that stand on both sides of the fraction bar: (x - y)./y.^2 for (y.*(x - y))./y.^3."""
    if not above or not below:
        return above, below
    factors = [e for side in above for e in entrywise_factors(side)]
    factors += [divisor(e) for side in below for e in entrywise_factors(side)]
    over, under = _cancelled(factors)
    return (over, under) if len(over) + len(under) < len(factors) else (above, below)


def _cancelled(factors: Sequence[Expr]) -> tuple[list[Expr], list[Expr]]:
    """What stands above the fraction bar and below it, without what is on both sides, unless nothing were left."""
    above, below = [e for e in factors if not is_divisor(e)], [e.args[0] for e in factors if is_divisor(e)]
    common = shared_by_all([above, below])
    if not common or len(common) == len(above) == len(below):
        return above, below
    return list(without(above, common)), list(without(below, common))


def sum_over(above: Expr, below: Expr) -> Expr | None:
    """sum(u./v) for u'*(1./v), where ``below`` is the column 1./v."""
    if below.op != "product" or below.value != ("./",) or below.args[0] != number(1):
        return None
    return call("sum", product([("*", above), ("./", below.args[1])]), type=SCALAR_TYPE)
