"""Scalars taken apart into factors and denominators, so that common ones are found."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TypeVar

from matgrad.formula.syntax import SCALAR, Expr
from matgrad.tensor.builders import ONE
from matgrad.translate.algebra import number, power, product, times

T = TypeVar("T")

REPEATED = 8
"""Exponents of scalars up to which a power is taken apart into equal factors."""


def split_scalar(expr: Expr, scalars: list[Expr], below: list[Expr]) -> Fraction:
    """A scalar factor taken apart into its own factors and denominators; the number among them."""
    if expr.op != "product" or any(o not in "*/" for o in expr.value) or any(a.kind != SCALAR for a in expr.args):
        if expr.op == "number":
            return Fraction(expr.value)
        scalars += _repeated(expr)
        return ONE
    coefficient = ONE
    for operator, arg in zip(("*", *expr.value), expr.args, strict=True):
        if arg.op == "number" and (operator == "*" or arg.value):
            coefficient = coefficient * arg.value if operator == "*" else coefficient / arg.value
        elif operator == "/" and arg.op == "product" and all(o == "*" for o in arg.value):
            inner: list[Expr] = []
            coefficient /= split_scalar(arg, inner, below)
            below += inner
        else:
            side = scalars if operator == "*" else below
            side += _repeated(arg)
    return coefficient


def _repeated(expr: Expr) -> list[Expr]:
    """s^3 as s, s, s, so that common factors are found; equal factors are joined again when they are written."""
    if expr.op == "power" and expr.value == "^" and expr.args[1].op == "number":
        base, exponent = expr.args[0], expr.args[1].value
        if exponent.denominator <= 2 and exponent <= REPEATED:
            root = [power(base, Fraction(1, 2))] if exponent.denominator == 2 else []
            return [*root, *_factors(base) * int(exponent)]
    return [expr]


def _factors(expr: Expr) -> list[Expr]:
    """A product of scalars as its factors: x'*y and c for x'*y*c."""
    if expr.op != "product" or any(o != "*" for o in expr.value):
        return [expr]
    found: list[Expr] = []
    run: list[Expr] = []
    for arg in expr.args:
        run.append(arg)
        if times(*run).kind == SCALAR:
            found.append(times(*run))
            run = []
    return found if not run else [expr]


def scalars_in_front(expr: Expr) -> tuple[list[Expr], Expr]:
    """c and x.*y for c*x.*y, c and 1./x for c./x: of a product that is entry by entry from there on."""
    parts = list(zip(("*", *expr.value), expr.args, strict=True))
    found: list[Expr] = []
    while len(parts) > 1 and parts[0][1].kind == SCALAR and parts[0][1].op != "number" and parts[1][0] in ("*", "./"):
        found.append(parts[0][1])
        parts = parts[1:] if parts[1][0] == "*" else [("*", number(1)), *parts[1:]]
    return found, product(parts) if found else expr


def split_power(expr: Expr) -> tuple[Expr, Fraction]:
    """x and 3 for x^3, q and 1/2 for sqrt(q)."""
    if expr.op == "power" and expr.value == "^" and expr.args[1].op == "number":
        return expr.args[0], expr.args[1].value
    if expr.op == "call" and expr.value.name == "sqrt" and expr.kind == SCALAR:
        return expr.args[0], Fraction(1, 2)
    return expr, ONE


def powers(scalars: Sequence[Expr]) -> list[Expr]:
    """Equal scalars as powers: tr(A)*tr(A) is tr(A)^2, and q*sqrt(q) is q^(3/2)."""
    counts: dict[Expr, Fraction] = {}
    for scalar in scalars:
        base, exponent = split_power(scalar) if scalar.op == "call" else (scalar, ONE)
        counts[base] = counts[base] + exponent if base in counts else exponent
    return [power(e, count) for e, count in counts.items()]


def counted(items: Sequence[T]) -> dict[T, int]:
    """How often each item occurs: a Counter, without what makes one slow for a few items."""
    counts: dict[T, int] = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return counts


def shared_by_all(lists: Sequence[Sequence[Expr]]) -> list[Expr]:
    """What all lists have, as often as all have it."""
    if not all(lists):
        return []
    common = counted(lists[0])
    for items in lists[1:]:
        if not common:
            return []
        counts = counted(items)
        common = {item: min(count, counts[item]) for item, count in common.items() if item in counts}
    return [item for item, count in common.items() for _ in range(count)]


def without(items: Sequence[Expr], gone: Sequence[Expr]) -> tuple[Expr, ...]:
    left = list(items)
    for item in gone:
        left.remove(item)
    return tuple(left)
