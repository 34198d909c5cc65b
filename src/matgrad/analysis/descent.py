"""Gradient descent, with a fixed step or a backtracking one."""

from __future__ import annotations

from typing import Any

import numpy as np

from matgrad.analysis.newton import search
from matgrad.analysis.problem import Problem, Stop

Array = Any


def gradient_descent(problem: Problem, step: float | None) -> None:
    """z − η∇f, projected on the bounds; η is fixed, or halved until the value falls enough, and doubled between.

    Always leaves by Stop. A fixed η that is too large is told with the stability limit 2/λmax.
    """
    z, value, gradient = problem.begin()
    t = 1.0 / max(1.0, float(np.linalg.norm(gradient))) if step is None else step
    while not problem.is_small(z, gradient):
        if step is None:
            found = search(problem, z, value, gradient, -gradient, first=t)
            if found is None:
                raise _stuck(problem, z, gradient)
            moved = float(np.linalg.norm(found[0] - z))
            t = 2 * float(np.max(np.abs(found[0] - z)[gradient != 0] / np.abs(gradient)[gradient != 0]))
        else:
            trial = problem.inside(z - step * gradient)
            found = trial, problem.value(trial), problem.gradient(trial)
            moved = float(np.linalg.norm(trial - z))
            if not np.isfinite(found[1]) or found[1] > 1e6 * (1 + abs(problem.history[0].fun)):
                raise Stop(f"the fixed step {step:g} diverges{_limit(problem)}", status=2)
        z, value, gradient = found
        problem.note(z, value, gradient, moved)
    raise Stop("converged: the gradient is small", success=True, status=0)


def _stuck(problem: Problem, z: Array, gradient: Array) -> Stop:
    size = float(np.linalg.norm(problem.descent(z, gradient)))
    if size <= 1e-6 * problem.scale:
        return Stop("converged: what is left of the gradient is rounding", success=True, status=0)
    said = (
        f"no step against the gradient lowers the value, and its norm is {size:.2g}: the formula may have a kink here"
    )
    return Stop(f"{said}; try another start", status=2)


def _limit(problem: Problem) -> str:
    """The largest step that is stable near the start, where it can be had."""
    if len(problem.start) > 1000:
        return "; try a smaller one, or step=None, for backtracking"
    largest = float(np.linalg.eigvalsh(problem.hessian(problem.start))[-1])
    said = f": near the start it must be below 2/λmax = {2 / largest:.3g}" if largest > 0 else ""
    return f"{said}; try a smaller one, or step=None, for backtracking"
