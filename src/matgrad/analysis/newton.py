"""Newton's method: one step on a quadratic, a line search and a modified Cholesky factor elsewhere.

With a Fisher information in place of the Hessian it is the natural gradient; with bounds it is projected.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from matgrad.analysis.ending import SMALL, at_zero, bends_at
from matgrad.analysis.problem import Problem, Stop

Array = Any
ROUNDING = 4e-15
"""Relative change of a value that is no more than rounding."""
HALVINGS = 60
ARMIJO = 1e-4
TINY = 1e-150
"""A gradient below this has a Hessian that underflows, as a rule."""
ESCAPES = 10
"""Saddles that are left."""


def newton(problem: Problem, metric: Callable[[Array], Array] | None = None) -> None:
    """Steps −H⁻¹g, with H made positive definite where it is not, halved until the value falls enough.

    Ends where the gradient is small and H shows a minimum; a saddle is left along a direction of negative curvature.
    Always leaves by Stop.
    """
    curved = metric or problem.hessian
    z, value, gradient = problem.begin()
    escapes = 0
    while True:
        free = problem.free(z, gradient)
        if problem.is_small(z, gradient):
            down = None if metric is not None or escapes == ESCAPES else _escape(problem, z, value)
            if down is None:
                raise Stop("converged: the gradient is small", success=True, status=0)
            escapes += 1
            problem.notes.append("a saddle point was left along a direction of negative curvature")
            z, value, gradient = down
            continue
        matrix = _finite(curved(z))
        falling = at_zero(problem, z, gradient, matrix)  # these fall by themselves: no other step may wait for them
        step = np.where(falling, -z, 0.0)
        free &= ~falling
        matrix = matrix[np.ix_(free, free)]
        step[free] = -solve_positive(matrix, gradient[free])
        found = search(problem, z, value, gradient, step)
        if found is None:
            raise _stuck(problem, z, value, gradient, step)
        change = float(np.linalg.norm(found[0] - z))
        z, value, gradient = found
        problem.note(z, value, gradient, change)


def solve_quadratic(problem: Problem) -> None:
    """One linear solve. Raises Stop, which says so where the quadratic has no minimum, or more than one."""
    z, _, gradient = problem.begin()
    matrix = _finite(problem.hessian(z))
    if 0 < np.max(np.abs(gradient)) < TINY:
        raise Stop("the numbers are too small for their squares: scale the data", status=2)
    step = -_quadratic_step(problem, matrix, gradient)
    z = z + step
    value, slope = problem.value(z), problem.gradient(z)
    if not np.isfinite(value):
        raise Stop("the minimum of the quadratic is outside of what is declared, and here no method follows the border",
                   status=3)  # fmt: skip
    problem.note(z, value, slope, float(np.linalg.norm(step)))
    raise Stop("solved: one step of Newton's method on a quadratic", success=True, status=0)


def _quadratic_step(problem: Problem, matrix: Array, gradient: Array) -> Array:
    """H⁻¹g; the shortest of the solutions where H is singular."""
    from scipy.linalg import cho_factor, cho_solve

    try:
        factor = cho_factor(matrix)
        pivots = np.abs(np.diag(factor[0]))
        if pivots.min() ** 2 > len(pivots) * 1e-15 * pivots.max() ** 2:
            solution = cho_solve(factor, gradient)
            return solution + cho_solve(factor, gradient - matrix @ solution)  # one refinement, for the last digits
    except np.linalg.LinAlgError:
        pass
    values, vectors = np.linalg.eigh(matrix)
    size = float(np.max(np.abs(values), initial=0.0))
    if values[0] < -SMALL * size:
        raise Stop(
            f"there is no minimum: the Hessian has the eigenvalue {values[0]:.3g}, and along its eigenvector the value "
            "falls without end; try a look at the signs in the formula",
            status=3,
        )
    flat = values <= len(values) * 1e-15 * size
    inward = vectors.T @ gradient
    if np.max(np.abs(inward[flat]), initial=0.0) > 1e-8 * np.max(np.abs(gradient)):
        raise Stop(
            "there is no minimum: the Hessian is singular, and along a direction in which the formula does not curve "
            "the value falls without end; try bounds, or a penalty such as 0.01*norm2(x)^2",
            status=3,
        )
    problem.notes.append(
        f"the Hessian is singular ({int(flat.sum())} of {len(flat)} eigenvalues are zero): of the minimisers, which "
        "are not unique, the one nearest to the start was taken"
    )
    inward[flat] = 0
    values[flat] = 1
    return vectors @ (inward / values)


def solve_positive(matrix: Array, right: Array) -> Array:
    """M⁻¹r for M = H where H is positive definite, else a modified Cholesky factorisation (Cheng and Higham 1998).

    P'HP = LDL' with blocks of one or two in D; their eigenvalues are replaced by absolute values, none too small.

    >>> solve_positive(np.diag([2.0, -4.0]), np.array([2.0, 4.0])).tolist()
    [1.0, 1.0]
    """
    from scipy.linalg import cho_factor, cho_solve, ldl, solve_triangular

    try:
        return cho_solve(cho_factor(matrix), right)
    except np.linalg.LinAlgError:
        pass
    lower, blocks, order = ldl(matrix)
    values, vectors = np.linalg.eigh(blocks)
    least = max(1e-8 * float(np.max(np.abs(values), initial=0.0)), 1e-300)
    values = np.maximum(np.abs(values), least)
    triangle = lower[order]
    inner = solve_triangular(triangle, right[order], lower=True, unit_diagonal=True)
    inner = vectors @ ((vectors.T @ inner) / values)
    solved = np.empty_like(inner)
    solved[order] = solve_triangular(triangle, inner, lower=True, trans="T", unit_diagonal=True)
    return solved


def search(
    problem: Problem, z: Array, value: float, gradient: Array, step: Array, *, first: float = 1.0
) -> tuple[Array, float, Array] | None:
    """The first of z + t·step, t = 1, ½, ¼, …, projected on the bounds, that lowers the value enough (Armijo).

    Where the fall is lost in rounding, a smaller gradient counts. None where no t serves.
    """
    t = first
    size = float(np.linalg.norm(problem.descent(z, gradient)))
    for _ in range(HALVINGS):
        trial = problem.moved(z, t * step)
        expected = float(gradient @ (trial - z))
        if not np.any(trial - z):
            return None
        found = problem.value(trial)
        if found == -np.inf:
            raise Stop("there is no minimum: the value becomes −inf", status=3)
        if found < np.inf and expected < 0:
            if found < value and found <= value + ARMIJO * expected:
                return trial, found, problem.gradient(trial)
            if abs(found - value) <= ROUNDING * max(abs(value), abs(found)):
                slope = problem.gradient(trial)
                if np.linalg.norm(problem.descent(trial, slope)) < 0.9 * size:
                    return trial, found, slope
        t /= 2
    return None


def polished(problem: Problem, z: Array) -> Array:
    """A few Newton steps from where another method could not go on, while they make the gradient smaller."""
    value, gradient = problem.value(z), problem.gradient(z)
    for _ in range(5):
        matrix, free = problem.hessian(z), problem.free(z, gradient)
        if problem.is_small(z, gradient) or not np.all(np.isfinite(matrix)):
            break
        step = np.zeros_like(z)
        step[free] = -solve_positive(matrix[np.ix_(free, free)], gradient[free])
        found = search(problem, z, value, gradient, step)
        if found is None:
            break
        change = float(np.linalg.norm(found[0] - z))
        z, value, gradient = found
        problem.note(z, value, gradient, change)
    return z


def _stuck(problem: Problem, z: Array, value: float, gradient: Array, step: Array) -> Stop:
    """What is said where no step lowers the value: rounding, or a fault."""
    size = float(np.linalg.norm(problem.descent(z, gradient)))
    gain = abs(float(gradient @ step))
    if size <= 1e-6 * problem.scale or gain <= 1e-12 * max(abs(value), 1e-300):
        return Stop("converged: what is left of the gradient is rounding", success=True, status=0)
    return Stop(
        f"no step along the Newton direction lowers the value; the gradient's norm is {size:.2g}. The formula may have "
        "a kink here, or lose its digits: try another start, or method='l-bfgs'",
        status=2,
    )


def _escape(problem: Problem, z: Array, value: float) -> tuple[Array, float, Array] | None:
    """A lower point along a direction of negative curvature; None where there is none."""
    bends = bends_at(problem, z)
    if bends is None or not bends.is_saddle():
        return None
    down = np.zeros_like(z)
    down[bends.free] = bends.vectors[:, 0]
    length = max(1.0, float(np.linalg.norm(z)))
    for k in range(HALVINGS):
        for sign in (1, -1):
            trial = problem.inside(z + sign * length * 0.5**k * down)
            found = problem.value(trial)
            if found < value - ROUNDING * abs(value):
                gradient = problem.gradient(trial)
                problem.note(trial, found, gradient, float(np.linalg.norm(trial - z)))
                return trial, found, gradient
    return None


def _finite(matrix: Array) -> Array:
    if not np.all(np.isfinite(matrix)):
        said = "the Hessian is not finite at this point: try another start, data of a usual size, or method='l-bfgs'"
        raise Stop(said, status=2)
    return matrix
