"""Taking the differential of one formula, one law a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from matgrad.explaining.laws import Differentials, differential
from matgrad.explaining.lines import Law, Path
from matgrad.explaining.trees import at, is_pending, paths_to, pending, rebuilt, tidied, varies
from matgrad.formula.syntax import MATRIX, SCALAR, VECTOR, Expr, fold, walk
from matgrad.formula.unicode import to_unicode

MOST_NAMES = 3
"""Constants that a line names; more are not worth reading."""


_LINEAR = {
    (VECTOR, SCALAR): "d(a*u + v) = d(a)*u",
    (MATRIX, SCALAR): "d(a*U + V) = d(a)*U",
    (SCALAR, VECTOR): "d(u'*v + a) = u'*d(v)",
    (MATRIX, VECTOR): "d(u*v' + U) = d(u)*v'",
    (SCALAR, MATRIX): "d(tr(U*V) + a) = tr(U*d(V))",
    (VECTOR, MATRIX): "d(U*v + w) = d(U)*v",
    (MATRIX, MATRIX): "d(U*W*V + C) = U*d(W)*V",
}
"""The law of a linear expression, by its kind and that of what varies."""


_INSIDE = frozenset({"diag", "sum", "mean", "vec", "kron", "tril", "triu", "matrix", "vector"})
"""Linear functions for which no law of products stands."""


def linear_law(expr: Expr, of: Differentials) -> Law:
    """Why d moves inside of everything: what is constant."""
    constants = [n for n in walk(expr) if n.op == "name" and n.value not in of]
    shown = [to_unicode(n) for n in dict.fromkeys(constants)]
    kinds = [n.kind for n in walk(expr) if n.op == "name" and n.value in of]
    law = _LINEAR.get((expr.kind, kinds[0] if kinds else SCALAR), "d(a*u + b) = a*d(u)")
    if kinds[:1] == [VECTOR] == [expr.kind] and any(n.kind == MATRIX for n in constants):
        law = "d(U*v + w) = U*d(v)"
    name = expr.value.name if expr.op == "call" and len(expr.args) == 1 else ""
    if name and (not shown or name in ("diag", "vec")):
        return Law(f"{name} is linear", f"d({name}(u)) = {name}(d(u))", "d and a linear function commute")
    if any(n.op == "call" and n.value.name in _INSIDE and any(varies(a, of) for a in n.args) for n in walk(expr)):
        law = "d(L(u) + c) = L(d(u))"
    if not shown or len(shown) > MOST_NAMES:
        rule = "differential of a linear expression"
        law = law if shown or expr.op != "add" else "d(u + v) = d(u) + d(v)"
        return Law(rule, law, "d is linear, and d(c) = 0 for a constant c")
    rule = f"{shown[0]} is constant" if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]} are constant"
    return Law(rule, law, "d is linear, and d(c) = 0 for a constant c")


class Step(NamedTuple):
    """``before`` became ``after`` by a law, which acted on its parts ``where``."""

    law: Law
    before: Expr
    where: tuple[Path, ...]
    after: Expr


def worked_out(expr: Expr, of: Differentials, in_names: Callable[[Expr], Expr] = lambda e: e) -> list[Step]:
    """The steps from d(expr) to a formula in the differentials of names; ``in_names`` puts names for their values."""
    before = pending(expr)
    current = _pushed(before, of)
    steps: list[Step] = []
    while any(True for _ in paths_to(current, is_pending)):
        law, where, after = _applied(current, of)
        pushed = in_names(_pushed(after, of))
        steps.append(Step(law, current, where, pushed))
        current = pushed
    return steps or [Step(linear_law(expr, of), before, ((),), current)]


def _pushed(expr: Expr, of: Differentials) -> Expr:
    """d moved inside of everything linear."""
    while True:

        def visit(node: Expr, args: list[Expr]) -> Expr:
            if is_pending(node):
                law, found = differential(node.args[0], of)
                return found if law is None else node
            return rebuilt(node, args)

        found: Expr = tidied(fold(expr, visit))
        if found == expr:
            return found
        expr = found


def _applied(expr: Expr, of: Differentials) -> tuple[Law, tuple[Path, ...], Expr]:
    """The law of the first pending differential, applied to all that obey the same."""
    places = list(paths_to(expr, is_pending))
    laws = {path: differential(at(expr, path).args[0], of) for path in places}
    law = next(found for found, _ in laws.values() if found is not None)
    where = tuple(path for path in places if laws[path][0] == law)
    chosen = {id(at(expr, path)): laws[path][1] for path in where}

    def visit(node: Expr, args: list[Expr]) -> Expr:
        if is_pending(node):
            return chosen.get(id(node), node)
        return rebuilt(node, args)

    return law, where, tidied(fold(expr, visit))
