"""Scalars taken apart into factors and denominators, so that common ones are found."""

from __future__ import annotations

from fractions import Fraction

from matgrad.formula.syntax import SCALAR, Expr
from matgrad.tensor.builders import ONE
from matgrad.translate.algebra import power, times

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
