"""Printed formulas that can be read back: constants get their sizes where these would not be found again."""

from __future__ import annotations

from matgrad.answer.formula import Formula
from matgrad.errors import MatgradError, NotSupported
from matgrad.formula.infer import read
from matgrad.formula.syntax import Expr, Type, walk
from matgrad.formula.text import declaration_text
from matgrad.tensor.nodes import Node
from matgrad.translate.algebra import has_inner_constants, is_unsized, sized

MOST = 100_000
"""Operations and names of an answer, written out: some hundred thousand characters."""

LONG = 5000
"""Characters of an answer up to which its constants are tried without sizes; in longer ones they have them."""


def bounded(root: Node) -> Node:
    """The graph, unless it is too large to be written out: what stands in it often may make that huge."""
    if root.extent > MOST:
        raise NotSupported(
            f"an answer of {root.extent:,} operations, written out: the limit is {MOST:,}",
            hint="named intermediates (r = ...) for what it repeats",
        )
    return root


def readable(formula: Formula, expr: Expr, **more: Type) -> Expr:
    """The formula, with eye(n) for eye and the like where it could not be read otherwise; ``more`` are further names.

    >>> f = Formula("X.*X", "X: matrix(m, n)")
    >>> print(f.print(readable(f, f.program.body)))
    X.*X
    """
    return expr if _reads_back(formula, expr, more) else sized(expr, formula.recovery.size)


def _reads_back(formula: Formula, expr: Expr, more: dict[str, Type]) -> bool:
    """Whether constants inside of calls get their sizes back from what stands around them."""
    if not has_inner_constants(expr):
        return True
    text = formula.print(expr)
    if len(text) > LONG:
        return False
    where = "; ".join(f"{name}: {declaration_text(type_)}" for name, type_ in more.items())
    try:
        found = read(text, where, context=formula.typed, expect=expr.type).program.body
    except MatgradError:
        return False
    return [e.type for e in walk(found) if is_unsized(e)] == [e.type for e in walk(expr) if is_unsized(e)]
