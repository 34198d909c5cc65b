"""Taking the differential of one formula, one law a line."""

from __future__ import annotations

from typing import NamedTuple

from matgrad.explaining.laws import Differentials, differential
from matgrad.explaining.lines import Law, Path
from matgrad.explaining.trees import at, is_pending, paths_to, pending, rebuilt, tidied
from matgrad.formula.syntax import Expr, fold

LINEAR = Law("differential of a linear expression", "d(a*u + v) = a*d(u) + d(v)", "a is constant")


class Step(NamedTuple):
    """``before`` became ``after`` by a law, which acted on its parts ``where``."""

    law: Law
    before: Expr
    where: tuple[Path, ...]
    after: Expr


def worked_out(expr: Expr, of: Differentials) -> list[Step]:
    """The steps from d(expr) to a formula in the differentials of names."""
    before = pending(expr)
    current = _pushed(before, of)
    steps: list[Step] = []
    while any(True for _ in paths_to(current, is_pending)):
        law, where, after = _applied(current, of)
        steps.append(Step(law, current, where, after))
        current = _pushed(after, of)
        steps[-1] = steps[-1]._replace(after=current)
    return steps or [Step(LINEAR, before, ((),), current)]


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
    where = tuple(path for path in places if (laws[path][0] or law).rule == law.rule)
    chosen = {id(at(expr, path)): laws[path][1] for path in where}

    def visit(node: Expr, args: list[Expr]) -> Expr:
        if is_pending(node):
            return chosen.get(id(node), node)
        return rebuilt(node, args)

    return law, where, tidied(fold(expr, visit))
