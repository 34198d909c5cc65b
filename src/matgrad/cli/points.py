"""The point that ``--at`` gives, for a formula."""

from __future__ import annotations

import argparse
from typing import Any

from matgrad import Formula
from matgrad.cli.data import read_point
from matgrad.errors import DataError


def values_at(formula: Formula, at: str) -> dict[str, Any]:
    """The values of ``--at``."""
    _refuse_functions(formula)
    return read_point(at, {name: v.type for name, v in formula.typed.variables.items()})


def _refuse_functions(formula: Formula) -> None:
    functions = sorted(formula.typed.functions)
    if functions:
        raise DataError(
            f"{functions[0]} is an unspecified function: it has no values on the command line",
            hint=f"a known function in place of {functions[0]}, or Python: derivative({functions[0]}=(g0, g1), …)",
        )


def formula_and_values(
    formula: Formula, given: str | None, options: argparse.Namespace
) -> tuple[Formula, dict[str, Any]]:
    """The values of ``--at``; the formula with the kinds that these show, where it was free to choose others."""
    _refuse_functions(formula)
    if given is None:
        raise DataError("a point is needed", hint=f'--at "{"; ".join(f"{name}=…" for name in formula.variables)}"')
    try:
        return formula, values_at(formula, given)
    except DataError:
        if options.latex_input:
            raise
        from matgrad.analysis.setting import formula_at

        values = read_point(given, {})
        found = formula_at(options.formula.strip(), values, options.where)
        if found.variables == formula.variables:
            raise
        return found, values


def defined(value: Any, what: str, conditions: tuple[str, ...] = ()) -> Any:
    """The value of ``what`` at a point, if it has one there."""
    import numpy as np

    if np.isnan(value).any() or (conditions and np.isinf(value).any()):  # inf without conditions is an overflow
        raise DataError(f"{what} is not defined at this point", details="\n".join(conditions) or None)
    return value
