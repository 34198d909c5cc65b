"""Numbers for answers: evaluation at arrays. Imported on first use, since it needs NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from matgrad.answer.compiled import Compiled
from matgrad.answer.formula import Formula
from matgrad.differentiate.conditions import kinks
from matgrad.errors import DataError
from matgrad.formula.binding import Bound, bind
from matgrad.formula.reference import evaluate
from matgrad.formula.syntax import Expr, Program, Type


def bound(formula: Formula, arrays: Mapping[str, Any]) -> Bound:
    """The user's arrays, checked against the formula's variables."""
    typed = formula.typed
    return bind(formula.bound_by(arrays), arrays, functions=typed.functions, dimensions=formula.sizes_needed())


def value(formula: Formula, printed: Callable[[], Program], compiled: Compiled, arrays: Mapping[str, Any]) -> Any:
    """Run generated code at the user's arrays: an array, or a float for a scalar."""
    checked = bound(formula, arrays)
    given = {**arrays, **checked.arrays}
    try:
        found = np.asarray(compiled(**given))
    except ValueError:  # an exponent of a matrix that is no integer: the reference says so in the formula's words
        return np.asarray(evaluate(printed(), checked.arrays, checked.sizes, subgradient=True))
    if not np.all(np.isfinite(found)):  # at a kink or outside of the domain: the conventions are the reference's
        found = np.asarray(evaluate(printed(), checked.arrays, checked.sizes, subgradient=True))
    return found if found.ndim else float(found)


def kinks_at(formula: Formula, wrt: Sequence[str], arrays: Mapping[str, Any]) -> tuple[str, ...]:
    """What the derivative uses at kinks that are met at a point, in words; empty where it meets none."""
    found = kinks(formula.program, wrt, formula.node_of)
    if not found or formula.typed.functions:
        return ()
    checked = bound(formula, arrays)
    definitions = formula.program.definitions
    met = [c for c in found if c.fails(lambda e: evaluate(Program(definitions, e), checked.arrays, checked.sizes))]
    return tuple(dict.fromkeys(condition.at_kink(formula.print) for condition in met))


def action(formula: Formula, expr: Expr, name: str, type_: Type, direction: Any, arrays: Mapping[str, Any]) -> Any:
    """The action on a direction, by the reference evaluator."""
    checked = bound(formula, arrays)
    given = np.asarray(direction, dtype=float)
    shape = tuple(d.evaluate(checked.sizes) for d in type_.dims)
    if given.shape != shape:
        raise DataError(f"the direction has the shape {given.shape}, not {shape}")
    found = np.asarray(evaluate(expr, {**checked.arrays, name: given}, checked.sizes))
    return found if found.ndim else float(found)
