"""Parts of a LaTeX formula while it is read."""

from __future__ import annotations

from typing import Any

from matgrad.formula.syntax import Expr
from matgrad.latex_input.tokens import Token


class Part:
    """An expression, and what only the text shows: its place, its brackets, and its juxtaposed factors."""

    __slots__ = ("bracketed", "expr", "factors", "start", "stop")

    def __init__(self, expr: Expr, start: int, stop: int, bracketed: bool = False, factors: int = 1) -> None:
        self.expr = expr
        self.start = start
        self.stop = stop
        self.bracketed = bracketed
        self.factors = factors


def made(op: str, parts: list[Part], value: Any = None, start: int | None = None, stop: int | None = None) -> Part:
    span = (parts[0].start if start is None else start, parts[-1].stop if stop is None else stop)
    return Part(Expr(op, tuple(p.expr for p in parts), value, span), *span)


def span_of(expr: Expr) -> tuple[int, int]:
    """The place of a part that was read."""
    assert expr.span is not None
    return expr.span


def leaf(op: str, token: Token, value: Any = None, args: tuple[Expr, ...] = ()) -> Part:
    """What one token says. ``choices`` keeps kinds by the identity of places, so this place is a tuple of its own."""
    return Part(Expr(op, args, value, (token.start, token.stop)), token.start, token.stop)
