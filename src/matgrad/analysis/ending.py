"""What the Hessian says of the point where a method ended: a minimum, one of many, a saddle, or none."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from matgrad.analysis.problem import Problem, Stop
from matgrad.analysis.spaces import LEAST
from matgrad.errors import MatgradError

Array = Any
SMALL = 1e-10
"""An eigenvalue below this, relative to the largest, counts as zero."""
NEGATIVE = 1e-8
"""One below minus this is negative."""
LONG = 1e-2
"""A Newton step that is this long, relative to the point, where the gradient is small: the minimum is elsewhere."""
STILL, LITTLE = 0.05, 1e-8
"""A share of the value, and a number, that a Newton step may still gain at a minimum."""
PROBED, DIRECTIONS = 1e-3, 5
"""How far, relative to the point, and along how many directions without curvature the value is looked at."""
LOOKED_AT = 1000
"""Length of the vector up to which eigenvalues are found."""


class Bends(NamedTuple):
    """The eigenvalues and eigenvectors of the Hessian in the entries that are free to move."""

    values: Array
    vectors: Array
    free: Array

    @property
    def size(self) -> float:
        return float(np.max(np.abs(self.values), initial=0.0))

    def is_saddle(self) -> bool:
        return bool(len(self.values) and self.values[0] < -NEGATIVE * self.size)


def bends_at(problem: Problem, z: Array) -> Bends | None:
    """How the formula curves at a point; None where that cannot be had, or is too large."""
    if len(z) > LOOKED_AT:
        return None
    gradient = problem.made.jac(z)
    free = problem.free(z, gradient)
    try:
        matrix = problem.made.hess(z)
    except MatgradError:
        return None
    free &= ~at_zero(problem, z, gradient, matrix)
    matrix = matrix[np.ix_(free, free)]
    if not np.all(np.isfinite(matrix)):
        return None
    values, vectors = np.linalg.eigh(matrix)
    return Bends(values, vectors, free)


def at_zero(problem: Problem, z: Array, gradient: Array, matrix: Array) -> Array:
    """Which entries that are declared positive go to 0: the value falls with them as a straight line does."""
    if problem.lower is None:
        return np.zeros(len(z), dtype=bool)
    return (problem.lower == LEAST) & (gradient > 0) & (gradient > 10 * np.abs(np.diag(matrix)) * z)


def inspected(problem: Problem, z: Array, ending: Stop) -> Stop:
    """The ending of a method that arrived, unless its point is a saddle, or the minimum is at infinity."""
    bends = bends_at(problem, z)
    if bends is None:
        return ending
    near = np.flatnonzero(at_zero(problem, z, problem.made.jac(z), problem.made.hess(z)))
    if near.size:
        names = ", ".join(problem.made.labels[k] for k in near)
        problem.notes.append(f"{names}: declared positive, and the lowest value is approached at 0, not attained")
    steep = np.abs(bends.values) > SMALL * bends.size
    inward = bends.vectors.T @ problem.made.jac(z)[bends.free]
    step = float(np.linalg.norm(inward[steep] / bends.values[steep]))
    if step > LONG * (1 + np.linalg.norm(z)):
        return Stop(
            f"there seems to be no minimum: the gradient is small, but Newton's step is still {step:.3g} long, as "
            "where the value falls for ever towards a limit; try bounds, or a penalty such as 0.01*norm2(x)^2",
            status=3,
        )
    rising = steep & (bends.values > 0)
    fall = float(np.sum(inward[rising] ** 2 / bends.values[rising])) / 2
    fall += float(np.sum(np.abs(inward[~steep]))) * float(1 + np.linalg.norm(z))  # where nothing bends
    if fall > max(STILL * abs(problem.lowest), LITTLE):
        return Stop(
            f"not converged: the gradient is small beside that at the start, but a Newton step should still lower the "
            f"value by {fall:.3g}, and it is {problem.lowest:.3g}; go on from here: start=result.values",
            status=1,
        )
    if bends.is_saddle():
        return Stop(
            f"stopped at a saddle point, no minimum: the Hessian has the eigenvalue {bends.values[0]:.3g}; try another "
            "start, or method='newton', which leaves it",
            status=4,
        )
    flat = int(np.sum(bends.values <= SMALL * bends.size))
    falls = _falls(problem, z, bends) if flat else None
    if falls is not None:
        return Stop(
            f"stopped where the gradient vanishes, at no minimum: along a direction in which nothing bends the value "
            f"falls by {falls:.2g} within {PROBED:g}; try another start",
            status=4,
        )
    if flat:
        problem.notes.append(
            f"the Hessian is singular here ({flat} of {len(bends.values)} eigenvalues are below {SMALL:g} of the "
            "largest): other points may be as low, or the minimum at infinity"
        )
    return ending


def _falls(problem: Problem, z: Array, bends: Bends) -> float | None:
    """By how much the value falls a little way along directions without curvature: the sign of third derivatives."""
    here = problem.made.fun(z)
    free = np.flatnonzero(bends.free)
    for k in np.flatnonzero(bends.values <= SMALL * bends.size)[:DIRECTIONS]:
        for sign in (1.0, -1.0):
            near = np.array(z)
            near[free] += sign * PROBED * (1 + np.linalg.norm(z)) * bends.vectors[:, k]
            try:
                fall = here - problem.made.fun(problem.inside(near))
            except MatgradError:
                continue
            if fall > 1e-10 * max(1.0, abs(here)):
                return float(fall)
    return None
