"""The check of a derivative: every printed form against a numerical derivative. Imported on first use, for NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from matgrad.answer.differentiation import variable_of
from matgrad.answer.layout import to_mixed, to_vec
from matgrad.answer.printed import Printed
from matgrad.answer.riemannian import RIEMANNIAN
from matgrad.checking.sampling import Point, Subject
from matgrad.checking.verify import Check, Claim, Form, verify
from matgrad.differentiate.conditions import needed
from matgrad.formula.reference import evaluate
from matgrad.formula.syntax import Program
from matgrad.tensor.nodes import Symbol
from matgrad.translate.algebra import of_order


def check(printed: Printed, points: int, seed: int, forms: bool = True) -> Check:
    """Compare with a numerical derivative of what it is the derivative of; ``forms``: the other forms, too."""
    formula, name = printed.formula, printed.wrt[-1]
    variable = variable_of(formula, name)
    traits = variable.traits if isinstance(variable, Symbol) else frozenset()
    claim = Claim(
        formula.program,
        printed.below_program,
        printed.whole,
        Subject(name, of_order(variable.shape), traits),
        [Subject(n, v.type, frozenset(v.traits)) for n, v in formula.typed.variables.items()],
        sorted(formula.typed.functions),
        printed.convention,
        to_mixed(printed.layout, printed.outputs),
        _other_forms(printed) if forms else [],
        _holds(printed),
    )
    return verify(claim, points, seed)


def _holds(printed: Printed) -> Callable[[Point], bool]:
    """Whether the conditions of the derivative hold at a point, by the reference evaluator."""
    program = printed.formula.program

    def holds(point: Point) -> bool:
        found = needed(program, printed.wrt, printed.formula.node_of)
        return all(
            c.holds(lambda e: evaluate(Program(program.definitions, e), point.arrays, point.sizes)) for c in found
        )

    return holds


def _other_forms(printed: Printed) -> list[Form]:
    """What else is printed: the matrix on vec, and the action on a direction."""
    found = []
    definitions = printed.formula.program.definitions
    if printed.on_vec is not None:
        found.append(Form(Program(definitions, printed.on_vec), to_vec(printed.outputs)))
    if printed.convention not in ("entries", RIEMANNIAN) and printed.action.available:
        axes = len(printed.node.shape) - printed.outputs
        action = Program(definitions, printed.action.expr)
        found.append(Form(action, lambda array, d: np.tensordot(array, d, axes), printed.action.subject))
    return found
