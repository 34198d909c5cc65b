"""Trees of formulas entry by entry: sums, products and quotients of entries.

They have four operations of their own, all of them scalars:

======= ========== ======================================================================
op      args       value
======= ========== ======================================================================
entry   an array   its indices, ``()`` for a scalar
delta   –          the two indices of a Kronecker delta
over    a scalar   the indices that the sum runs over
partial –          name, its indices: ∂name[indices]/∂x[at]
======= ========== ======================================================================

An index is a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matgrad.formula.syntax import SCALAR_TYPE, Expr, fold, walk
from matgrad.translate.algebra import number

Index = int


def scalar(op: str, args: tuple[Expr, ...] = (), value: Any = None) -> Expr:
    return Expr(op, args, value, type=SCALAR_TYPE)


def entry(array: Expr, indices: tuple[Index, ...] = ()) -> Expr:
    return scalar("entry", (array,), indices)


def delta(i: Index, j: Index) -> Expr:
    return scalar("delta", (), (i, j))


def over(indices: tuple[Index, ...], body: Expr) -> Expr:
    """Σ body; sums inside of sums are joined."""
    if body.op == "over":
        indices, body = (*indices, *body.value), body.args[0]
    order = {index: k for k, index in enumerate(reading_order(body))}
    indices = tuple(sorted(indices, key=lambda index: order.get(index, len(order))))
    return scalar("over", (body,), indices) if indices else body


def times(*factors: Expr) -> Expr:
    """A product; sums in it are pulled to the front."""
    sums: tuple[Index, ...] = ()
    flat: list[tuple[str, Expr]] = []
    for factor in factors:
        if factor.op == "over":
            sums, factor = (*sums, *factor.value), factor.args[0]
        flat += parts_of(factor) if factor.op == "product" else [("*", factor)]
    return over(sums, joined(numbers_first(flat)))


def numbers_first(parts: list[tuple[str, Expr]]) -> list[tuple[str, Expr]]:
    """The numbers of a product in front, ones left out."""
    numbers = [(o, f) for o, f in parts if o == "*" and f.op == "number" and f.value != 1]
    others = [(o, f) for o, f in parts if not (o == "*" and f.op == "number")]
    return [*numbers, *others] or [("*", number(1))]


def parts_of(expr: Expr) -> list[tuple[str, Expr]]:
    return list(zip(("*", *expr.value), expr.args, strict=True)) if expr.op == "product" else [("*", expr)]


def joined(parts: list[tuple[str, Expr]]) -> Expr:
    if parts[0][0] == "/":
        parts = [("*", number(1)), *parts]
    if len(parts) == 1:
        return parts[0][1]
    return scalar("product", tuple(f for _, f in parts), tuple(o for o, _ in parts[1:]))


def divided(top: Expr, bottom: Expr) -> Expr:
    if top.op == "over":
        return over(top.value, divided(top.args[0], bottom))
    return joined([*parts_of(top), ("/", bottom)])


def total(terms: list[Expr]) -> Expr:
    return scalar("add", tuple(terms)) if len(terms) > 1 else terms[0]


def reading_order(expr: Expr) -> list[Index]:
    """The indices of a formula, as they are met in it; those of sums where they are first used."""
    found: dict[Index, None] = {}
    for node in walk(expr):
        if node.op in ("entry", "delta"):
            found |= dict.fromkeys(node.value)
        elif node.op == "partial":
            found |= dict.fromkeys(node.value[1])
    return list(found)


def bound_in(expr: Expr) -> set[Index]:
    return {index for node in walk(expr) if node.op == "over" for index in node.value}


def with_indices(expr: Expr, new: Mapping[Index, Index]) -> Expr:
    """The formula with other indices."""

    def visit(node: Expr, args: list[Expr]) -> Expr:
        if node.op in ("entry", "delta", "over"):
            return node.replace(args=tuple(args), value=tuple(new.get(i, i) for i in node.value))
        if node.op == "partial":
            return node.replace(value=(node.value[0], tuple(new.get(i, i) for i in node.value[1])))
        return node.replace(args=tuple(args)) if args else node

    found: Expr = fold(expr, visit)
    return found


def renumbered(expr: Expr, free: tuple[Index, ...]) -> Expr:
    """The same formula for all that differ in their indices only."""
    order = dict.fromkeys([*free, *reading_order(expr)])
    return with_indices(expr, {index: k for k, index in enumerate(order)})
