"""Arrays multiplied entry by entry, as they are written."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from matgrad.formula.syntax import MATRIX, SCALAR, SCALAR_TYPE, Expr
from matgrad.translate.algebra import coefficient, number, power, product, times, transposed, triangle
from matgrad.translate.entrywise import cancelled
from matgrad.translate.splitting import counted, scalars_in_front
from matgrad.translate.terms import Ordering

TRIANGLES = {"tril": "triu", "triu": "tril"}


def elementwise(factors: Sequence[Expr], order: Ordering) -> Expr:
    """The elementwise product; scalars come first, what it is divided by comes last, masks take their argument."""
    front: list[tuple[str, Expr]] = []
    back: list[tuple[str, Expr]] = []
    factors = [_upright_mask(_without_scalars(f, front, back)) for f in factors]
    masks = [f for f in factors if _is_mask(f)]
    plain = [f for f in factors if not _is_mask(f)]
    above, below = [], []
    for factor in plain:
        if factor.op == "product" and factor.value == ("./",) and factor.args[0].op == "number":
            front += [("*", factor.args[0])] * (factor.args[0].value != 1)
            below.append(factor.args[1])
        else:
            above.append(factor)
    above, below = cancelled(above, below)
    above = sorted(_repeated(above), key=lambda e: (e.op == "product", order.rank(e)))
    below = sorted(_repeated(below), key=lambda e: (e.op not in ("name", "call"), order.rank(e)))
    if not above and below:
        above = [number(1)]
    divisor = [("./", product([(".*", e) for e in below]))] if below else []
    whole = product([*((".*", e) for e in above), *divisor]) if above else masks.pop(0)
    for mask in masks:
        (filled,) = mask.args[0].args
        inside = whole if filled.op == "number" and filled.value == 1 else times(filled, whole)
        whole = mask.replace(args=(inside, *mask.args[1:]), type=whole.type or SCALAR_TYPE)
    return product([*front, ("*", whole), *back]) if front or back else whole


def _upright_mask(expr: Expr) -> Expr:
    """tril(matrix(1))' as triu(matrix(1))."""
    if expr.op != "transpose" or not _is_mask(expr.args[0]):
        return expr
    matrix, *offset = expr.args[0].args
    name = TRIANGLES[expr.args[0].value.name]
    return triangle(name, matrix.replace(type=expr.type), -int(coefficient(offset[0])[0]) if offset else 0)


def _without_scalars(expr: Expr, front: list[tuple[str, Expr]], back: list[tuple[str, Expr]]) -> Expr:
    """A matrix without the scalars that it is multiplied with, and divided by, which are added to the lists."""
    if expr.op == "transpose":
        inner = _without_scalars(expr.args[0], front, back)
        return expr if inner is expr.args[0] else transposed(inner)
    if expr.op == "product" and set(expr.value) & {".*", "./"}:
        found, expr = scalars_in_front(expr)
        front += [("*", e) for e in found]
    if expr.op != "product" or expr.kind != MATRIX or "./" in expr.value:
        return expr
    parts = list(zip(("*", *expr.value), expr.args, strict=True))
    scalars = [part for part in parts if part[1].kind == SCALAR and part[0] in ("*", "/")]
    if not scalars or len(scalars) == len(parts):
        return expr
    front += [part for part in scalars if part[0] == "*"]
    back += [part for part in scalars if part[0] == "/"]
    rest = [part for part in parts if part not in scalars]
    return product([("*", rest[0][1]), *rest[1:]])


def _repeated(factors: Sequence[Expr]) -> list[Expr]:
    """Equal factors as powers: u.*u is u.^2."""
    return [power(e, Fraction(count)) for e, count in counted(factors).items()]


def _is_mask(expr: Expr) -> bool:
    return (
        expr.op == "call"
        and expr.value.name in TRIANGLES
        and expr.args[0].op == "call"
        and expr.args[0].value.name == "matrix"
        and expr.args[0].args[0] == number(1)
    )
