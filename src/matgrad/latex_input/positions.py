"""Sizes and positions below a name: ``n``, ``m + 1``, ``2:5``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from matgrad.errors import FormulaError
from matgrad.formula.syntax import AT, RANGE, Expr
from matgrad.latex_input.names import Name

Span = tuple[int, int]


def size(text: str, span: Span, source: str) -> Expr:
    """A size or a position: n, 3, m + 1, m n - 2."""
    terms = re.findall(r"([+-]?)\s*([^+-]+)", text)
    if "".join(sign + term for sign, term in terms).replace(" ", "") != text.replace(" ", "") or not terms:
        raise _no_size(text, span, source)
    parts = []
    for sign, term in terms:
        pieces = re.split(r"\s*(?:\*|\\cdot|\s|(?<=\d)(?=[A-Za-z]))\s*", term.strip())
        factors = [_plain(piece, span, source) for piece in pieces]
        times = ("*",) * (len(factors) - 1)
        part = factors[0] if not times else _part("product", span, times, factors)
        parts.append(_part("neg", span, None, [part]) if sign == "-" else part)
    return parts[0] if len(parts) == 1 else _part("add", span, None, parts)


def _plain(text: str, span: Span, source: str) -> Expr:
    if text.isdigit():
        return _part("number", span, Fraction(text))
    if not re.fullmatch(r"[A-Za-z]\w*", text):
        raise _no_size(text, span, source)
    return _part("name", span, Name(text))


def _part(op: str, span: Span, value: Any, args: Sequence[Expr] = ()) -> Expr:
    """A node with a place that is an object of its own: ``choices`` keeps kinds by the identity of places."""
    start, stop = span
    return Expr(op, tuple(args), value, (start, stop))


def _no_size(text: str, span: Span, source: str) -> FormulaError:
    if text.strip() in ("+", "-"):
        written = r"\max(0, x), or \operatorname{relu}(x)" if text.strip() == "+" else r"\max(0, -x)"
        what = f"the subscript {text.strip()}, for the part of that sign, is not read"
        return FormulaError(what, source=source, span=span, hint=f"{written} for [x]_{text.strip()}")
    return FormulaError(f"'{text}' is not a size", source=source, span=span, hint=r"\mathbf{I}_{n}")


def index(text: str, span: Span, source: str) -> tuple[tuple[Any, ...], list[Expr]]:
    """What stands in an index, as in the value of an ``index``, and the bounds that are no numbers."""
    items = text.split(",") if "," in text else list(text) if text.isdigit() else [text]
    ends = [[end.strip() for end in item.split(":")] for item in items]
    if len(items) > 2 or any(len(e) > 2 or (not all(e) and e != ["", ""]) or "0" in e for e in ends):
        what = f"the index '{text}' cannot be read"
        raise FormulaError(what, source=source, span=span, hint="[X]_{1,2}, or [x]_{2:5}")
    value: list[Any] = []
    bounds: list[Expr] = []
    for item in ends:
        if item == ["", ""]:
            value.append(None)
        elif all(end.isdigit() for end in item):
            value.append((int(item[0]), int(item[1])) if len(item) == 2 else int(item[0]))
        else:
            value.append(RANGE if len(item) == 2 else AT)
            bounds += [size(end, span, source) for end in item]
    return tuple(value), bounds


def part_of(array: Expr, block: tuple[str, ...], more: int) -> Expr:
    """x[2:n], and X[2:n,:] of an array with more axes."""
    ends = []
    for text in block:
        base, _, less = text.partition("-")
        end = Expr("number", (), Fraction(base)) if base.isdigit() else Expr("name", (), base)
        ends.append(Expr("add", (end, Expr("neg", (Expr("number", (), Fraction(less)),)))) if less else end)
    if all(text.isdigit() for text in block):
        return Expr("index", (array,), ((int(block[0]), int(block[1])), *(None,) * more))
    return Expr("index", (array, *ends), (RANGE, *(None,) * more))
