"""The values of the lines of a derivation at a point, and what is used at its kinks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from matgrad.answer.derivative import Derivative
from matgrad.answer.evaluation import bound, kinks_at
from matgrad.errors import DataError
from matgrad.explaining.lines import Line


def at_point(
    evaluated: Callable[[], list[Line]], answer: Derivative, at: Mapping[str, Any]
) -> tuple[list[Line], tuple[str, ...]]:
    """The lines with their values, and what is used at the kinks of the point; an error where there is no derivative.

    At a kink, the last line has the value that ``derive`` gives, and a line without a value has none beside it.
    """
    details = f"it holds where {' and '.join(answer.conditions)}" if answer.conditions else None
    nowhere = DataError("the derivative is not defined at this point", details=details)
    bound(answer.formula, at)
    try:
        with np.errstate(all="ignore"):
            lines = evaluated()
        finite = bool(np.all(np.isfinite(lines[-1].numbers)))
        last = lines[-1].numbers if finite else answer(**at)
    except DataError as error:  # an inverse of a singular matrix
        raise nowhere from error
    if not np.all(np.isfinite(last)):
        raise nowhere
    met = kinks_at(answer.formula, answer.wrt, at)
    lines[-1] = lines[-1]._replace(numbers=last)
    if met:
        lines = [line if _is_finite(line.numbers) else line._replace(numbers=None) for line in lines]
    return lines, met


def _is_finite(numbers: Any) -> bool:
    values = numbers.values() if isinstance(numbers, dict) else [numbers]
    return all(bool(np.all(np.isfinite(value))) for value in values if value is not None)
