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
FLAT = 1e-14
"""One below this, relative to the largest, is rounding; so is a slope, relative to the gradient."""
LONG, FOLLOWED = 1e-2, 30
"""A Newton step that is this long, relative to the point, where the gradient is small: the minimum is elsewhere, or
nowhere. How many are followed, to see which."""
STILL, LITTLE, CLOSE = 0.05, 1e-8, 1e-5
"""A share of the value, and a number, that a Newton step may still gain at a minimum, unless it is short: its length,
relative to each entry of the point."""
PROBED, DIRECTIONS = 1e-3, 5
"""How far, relative to the point, and along how many directions without curvature the value is looked at."""
HALVINGS = 30
LOOKED_AT = 1000
"""Length of the vector up to which eigenvalues are found."""


class Bends(NamedTuple):
    """The eigenvalues and eigenvectors of the Hessian in the entries that are free to move.

    ``doubt``: where the gradient is g, not 0, minimisers that lie on a curve have eigenvalues of up to |g|/|z| along
    it.
    """

    values: Array
    vectors: Array
    free: Array
    doubt: float

    @property
    def size(self) -> float:
        return float(np.max(np.abs(self.values), initial=0.0))

    def is_saddle(self) -> bool:
        return bool(len(self.values) and self.values[0] < -max(NEGATIVE * self.size, self.doubt))


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
    doubt = 10 * float(np.linalg.norm(gradient[free]) / (1 + np.linalg.norm(z)))
    return Bends(values, vectors, free, doubt)


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
    gradient = problem.made.jac(z)
    inward = bends.vectors.T @ gradient[bends.free]
    steep = np.abs(bends.values) > SMALL * bends.size
    long = float(np.linalg.norm(inward[steep] / bends.values[steep]))
    if long > LONG * (1 + np.linalg.norm(z)) and not _settles(problem, z):
        return Stop(
            f"there seems to be no minimum: the gradient is small, but Newton's step is still {long:.3g} long, as "
            "where the value falls for ever towards a limit; try bounds, or a penalty such as 0.01*norm2(x)^2",
            status=3,
        )
    fall, far = _ahead(problem, z, bends, inward)
    if (far and fall > max(STILL * abs(problem.lowest), LITTLE)) or long > LONG * (1 + np.linalg.norm(z)):
        return Stop(
            f"not converged: the gradient is small beside that at the start, but a Newton step should still lower the "
            f"value by {fall:.3g}, and it is {problem.lowest:.3g}; go on from here: start=result.values, and a smaller "
            "tolerance",
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


def _ahead(problem: Problem, z: Array, bends: Bends, inward: Array) -> tuple[float, bool]:
    """By how much the value should still fall, and whether that is where the point is not yet: a value near 0 may be
    halved by the last digits of the point."""
    rising = bends.values > FLAT * bends.size
    along = inward[rising] / bends.values[rising]
    step = np.abs(bends.vectors[:, rising] @ along)
    slopes = np.abs(inward[np.abs(bends.values) <= FLAT * bends.size])
    slope = float(np.sum(slopes[slopes > FLAT * np.linalg.norm(inward)]))  # where nothing bends
    promised = 100 * problem.tolerance * float(np.linalg.norm(z - problem.start))
    far = bool(np.any(step > CLOSE * np.abs(z[bends.free]) + promised)) or slope > 0
    return float(inward[rising] @ along) / 2 + slope * float(1 + np.linalg.norm(z)), far


def _settles(problem: Problem, z: Array) -> bool:
    """Whether Newton's steps from here become short: there is a minimum, though not here."""
    value = problem.made.fun(z)
    for _ in range(FOLLOWED):
        bends = bends_at(problem, z)
        if bends is None:
            return False
        steep = np.abs(bends.values) > SMALL * bends.size
        gradient = problem.made.jac(z)[bends.free]
        step = np.zeros_like(z)
        step[bends.free] = -bends.vectors[:, steep] @ (
            (bends.vectors.T @ gradient)[steep] / np.abs(bends.values[steep])
        )
        if np.linalg.norm(step) <= LONG * (1 + np.linalg.norm(z)):
            return True
        trials = (problem.moved(z, 0.5**k * step) for k in range(HALVINGS))
        lower = next((trial for trial in trials if problem.made.fun(trial) < value), None)
        if lower is None:
            return False
        z, value = lower, problem.made.fun(lower)
    return False


def _falls(problem: Problem, z: Array, bends: Bends) -> float | None:
    """By how much the value falls a little way along directions without curvature: the sign of third derivatives.

    What the gradient does there, which is small but not zero, is not counted.
    """
    here, gradient = problem.made.fun(z), problem.made.jac(z)
    free = np.flatnonzero(bends.free)
    for k in np.flatnonzero(bends.values <= SMALL * bends.size)[:DIRECTIONS]:
        for sign in (1.0, -1.0):
            near = np.array(z)
            near[free] += sign * PROBED * (1 + np.linalg.norm(z)) * bends.vectors[:, k]
            try:
                fall = here - problem.made.fun(near := problem.inside(near))
            except MatgradError:
                continue
            if fall - 2 * abs(float(gradient @ (near - z))) > 1e-10 * max(1.0, abs(here)):
                return float(fall)
    return None
