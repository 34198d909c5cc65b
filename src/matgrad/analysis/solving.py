"""Solving F = 0 by Newton's method with backtracking, from a start that is near."""

from __future__ import annotations

from typing import Any

import numpy as np

from matgrad.analysis.setting import Setting
from matgrad.errors import DataError

Array = Any
STEPS = 60
HALVINGS = 30


def solved(setting: Setting, start: Array) -> Array:
    """The coordinates of a solution of F = 0 near a start. Raises DataError where none is found.

    >>> float(solved(Setting("x^2 - 2", {"x": 1.0}), np.array([1.0]))[0])
    1.4142135623730951
    """
    at, value = np.array(start, dtype=float), setting.value_at(start)
    if not np.all(np.isfinite(value)):
        raise DataError("F is not defined at the guess", hint="a guess inside the domain")
    for _ in range(STEPS):
        jacobian = setting.jacobian_at(at)
        step = -np.linalg.lstsq(jacobian, value, rcond=None)[0]
        size = np.linalg.norm(value)
        if np.linalg.norm(step) <= 4 * np.finfo(float).eps * np.linalg.norm(at) or not size:
            return at
        for k in range(HALVINGS):
            there = at + step / 2**k
            found = setting.value_at(there)
            if np.all(np.isfinite(found)) and np.linalg.norm(found) < size:
                break
        else:
            break  # no smaller residual is to be had: at the rounding of F, or at no solution
        at, value = there, found
    terms = float(np.max(np.abs(setting.jacobian_at(at)) @ np.abs(at), initial=0))
    residual = float(np.linalg.norm(value))
    if residual <= 1e-9 * max(terms, float(np.finfo(float).tiny)) or residual == 0:
        return at
    raise DataError(
        f"no solution of F = 0 was found from this guess: ‖F‖ is still {residual:.3g} after Newton's method",
        hint="another guess; there may be no solution at these values",
    )
