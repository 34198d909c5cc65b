"""From one form of a coefficient to another: by laws, one a line; else by those that the normal form used."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from matgrad.errors import NotSupported
from matgrad.explaining.arrangement import same
from matgrad.explaining.cancelling import LATE
from matgrad.explaining.lines import Law
from matgrad.explaining.simplifying import Simplifier
from matgrad.formula.syntax import Expr, walk
from matgrad.formula.unicode import to_unicode
from matgrad.tensor import law as tensor_law
from matgrad.tensor.nodes import Node
from matgrad.translate.algebra import cost

MOST = 6
"""Laws of one's own that are tried one after the other."""
ARRANGE = Law("in the order of the formula", "", "sums and products in another order; common factors in front")
OUT = Law("multiply out and collect", "u.*(v + w) = u.*v + u.*w", "the product is distributive; like terms cancel")
POWERS = Law("equal factors are one power", "u^a*u^b = u^(a + b)", "the laws of exponents")
ADJUGATE = Law("the adjugate of the transpose", "adj(U)' = adj(U')", "the cofactors of U' are those of U, transposed")
SIMPLIFY = Law("simplify", "", "both have one normal form")


class Bridge(NamedTuple):
    law: Law
    after: Expr


def rearranged(start: Expr, end: Expr) -> bool:
    """Whether two formulas are one up to what a reader does in his head."""
    return same(start, end) and _adjugates(start) == _adjugates(end)


def _adjugates(expr: Expr) -> set[Expr]:
    return {node.args[0] for node in walk(expr) if node.op == "call" and node.value.name == "adj"}


def bridged(start: Expr, end: Expr, simplifier: Simplifier, lower: Callable[[Expr], Node]) -> list[Bridge]:
    """The lines from a formula to an equal one; the last of them is ``end`` itself."""
    if to_unicode(start) == to_unicode(end):
        return []
    lines: list[Bridge] = []
    current = start
    while not same(current, end) and len(lines) < MOST:
        step = simplifier.step(current, LATE)
        if step is None or step.after == current:
            break
        current = step.after
        lines.append(Bridge(step.law, current))
    if lines and not same(current, end) and same(current, end, powers=True):
        return [*lines, Bridge(POWERS, end)]
    if not same(current, end):
        law = POWERS if same(start, end, powers=True) else _by_normal_form(start, end, lower)
        return [Bridge(law, end)]
    bracket = any(n.op == "product" and any(a.op == "add" for a in n.args) for n in walk(current))
    shorter = bracket and 4 * cost(end) < 3 * cost(current)
    if _adjugates(current) != _adjugates(end):
        return [*lines, Bridge(ADJUGATE, end)]
    if not lines or shorter:
        return [*lines, Bridge(OUT if shorter else ARRANGE, end)]
    return [*lines[:-1], Bridge(lines[-1].law, end)]


def _by_normal_form(start: Expr, end: Expr, lower: Callable[[Expr], Node]) -> Law:
    """The law that the normal form used to make the one from the other."""
    try:
        with tensor_law.laws_used() as used:
            lower(start)
        with tensor_law.laws_used() as needed:
            lower(end)
    except NotSupported:
        return SIMPLIFY
    kept = [law for law in used if law.name not in {other.name for other in needed}] or used
    before, after = _functions(start), _functions(end)
    changed = before ^ after
    fitting = [law for law in dict.fromkeys(kept) if any(f"{name}(" in law.law for name in changed)]
    if not fitting and len(set(kept)) == 1:
        fitting = kept
    if not fitting:  # several laws at once, none of which says it all
        return SIMPLIFY
    chosen = max(fitting, key=lambda law: _fit(law.law, before, after))
    parts = chosen.law.split(", ")
    law = max(parts, key=lambda part: _fit(part, before, after))
    rule = chosen.because if chosen.because.startswith("the definition") else "simplify"
    return Law(rule, law.split(" for ")[0], chosen.because)


def _functions(expr: Expr) -> set[str]:
    return {node.value.name for node in walk(expr) if node.op == "call"}


def _fit(text: str, before: set[str], after: set[str]) -> int:
    """How well a law's functions are those that went or came."""
    changed = before ^ after
    return 3 * sum(f"{name}(" in text for name in changed) + sum(f"{name}(" in text for name in before & after)
