"""SciPy's methods, with exact derivatives: L-BFGS-B, trust regions, nonlinear least squares."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from matgrad.analysis.ending import LOOKED_AT
from matgrad.analysis.newton import polished
from matgrad.analysis.objective import Objective
from matgrad.analysis.problem import Problem, Stop
from matgrad.analysis.spaces import LEAST

Array = Any
STALLED = 40
"""Trials of a trust region in a row that do not move: what is left is rounding."""
ROUGHLY = 1e-6
"""Relative size of a gradient at which a method that cannot go on has converged all the same."""


def l_bfgs(problem: Problem) -> None:
    """SciPy's L-BFGS-B. Always leaves by Stop.

    Its line search interpolates values, and ∞ has no place there: outside of the domain it is shown a slope that leads
    back to where it came from. What is declared positive varies by its logarithm u, with the gradient z·∂f/∂z.
    """
    from scipy.optimize import Bounds, minimize

    z, value, _ = problem.begin()
    here = [z, value]
    positive = np.zeros(len(z), dtype=bool) if problem.lower is None else problem.lower == LEAST

    def point(u: Array) -> Array:
        return np.where(positive, np.exp(np.clip(np.where(positive, u, 0.0), -700, 700)), u)

    def coordinates(z: Array) -> Array:
        return np.where(positive, np.log(np.where(positive, z, 1.0)), z)

    def both(u: Array) -> tuple[float, Array]:
        z = point(u)
        found, slope = problem.value(z), problem.gradient(z)
        if found == -np.inf:
            raise Stop("there is no minimum: the value becomes −inf", status=3)
        if np.isfinite(found) and np.all(np.isfinite(slope)):
            return found, np.where(positive, slope * z, slope)
        away = u - coordinates(here[0])
        wall = 1.0 + abs(here[1])
        return here[1] + wall, away * (2 * wall / max(float(away @ away), 1e-300))

    def moved(u: Array) -> None:
        _note(problem, here, point(u))

    bounds = None
    if problem.lower is not None and problem.upper is not None:
        upper = coordinates(np.where(positive, np.maximum(problem.upper, LEAST), problem.upper))
        bounds = Bounds(np.where(positive, -np.inf, problem.lower), upper)
    least = problem.tolerance * problem.scale / max(1.0, len(z) ** 0.5)
    options: dict[str, Any] = {"maxiter": problem.limit + 1, "maxfun": 20 * problem.limit + 100, "maxcor": 20}
    options |= {"ftol": 0.0, "gtol": least}
    found = minimize(both, coordinates(z), jac=True, method="L-BFGS-B", bounds=bounds, callback=moved, options=options)
    raise _ended(problem, point(found.x), str(found.message))


def trust_region(problem: Problem, method: str) -> None:
    """SciPy's ``trust-exact``, with Hessians, or ``trust-krylov``, with their products. Always leaves by Stop."""
    from scipy.optimize import minimize

    z, lowest, gradient = problem.begin()
    if problem.is_small(z, gradient) and method == "trust-krylov":
        raise Stop("converged: the gradient is small at the start", success=True, status=0)
    here, still = [z, lowest], [0]

    def moved(z: Array) -> None:
        still[0] = still[0] + 1 if np.array_equal(z, here[0]) else 0
        if still[0] == STALLED:
            raise StopIteration
        if not still[0]:
            _note(problem, here, z)

    def hessian(z: Array) -> Array:
        found = problem.hessian(z)  # it is asked for at every trial, also outside of the domain, which is then refused
        return found if np.all(np.isfinite(found)) else np.eye(len(z))

    # Near the end SciPy's Krylov space breaks down, and it asks about nan: that trial is refused by its value.
    def value(z: Array) -> float:
        return problem.value(z) if np.all(np.isfinite(z)) else np.inf

    def slope(z: Array) -> Array:
        return problem.gradient(z) if np.all(np.isfinite(z)) else np.full(len(z), np.nan)

    def product(z: Array, v: Array) -> Array:
        return problem.product(z, v) if np.all(np.isfinite(v)) else np.zeros_like(v)

    second = {"hess": hessian} if method == "trust-exact" else {"hessp": product}
    options = {"maxiter": 2 * problem.limit + STALLED, "gtol": problem.tolerance * problem.scale}
    options["max_trust_radius"] = 1e12  # so that what falls without end gets far
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = minimize(value, z, jac=slope, method=method, callback=moved, options=options, **second)
    last = polished(problem, found.x) if method == "trust-exact" else found.x
    raise _ended(problem, last, str(found.message))


def least_squares(problem: Problem, parts: Sequence[tuple[float, Objective]]) -> None:
    """SciPy's trust region for ½Σ‖factor·residual‖², with exact Jacobians. Always leaves by Stop."""
    from scipy.optimize import least_squares as solve

    z, value, _ = problem.begin()
    here = [z, value]
    spans = problem.made.coordinates.spans()  # a residual need not have all variables
    taken = [np.concatenate([np.arange(len(z))[spans[name]] for name in made.over]) for _, made in parts]

    def residuals(z: Array) -> Array:
        problem.value(z)
        return np.concatenate([factor * made.residuals(z[at]) for (factor, made), at in zip(parts, taken, strict=True)])

    def jacobian(z: Array) -> Array:
        if not np.array_equal(z, here[0]):
            _note(problem, here, z)
        rows = []
        for (factor, made), at in zip(parts, taken, strict=True):
            part = factor * made.jacobian(z[at])
            rows.append(np.zeros((len(part), len(z))))
            rows[-1][:, at] = part
        return np.concatenate(rows)

    bounds = (problem.lower, problem.upper) if problem.is_bounded else (-np.inf, np.inf)
    if problem.lower is not None and problem.upper is not None:  # its first point must be strictly inside
        z = np.clip(z, np.nextafter(problem.lower, np.inf), np.nextafter(problem.upper, -np.inf))
    most = 10 * problem.limit
    found = solve(residuals, z, jac=jacobian, bounds=bounds, method="trf", x_scale="jac",
                  ftol=1e-15, xtol=1e-15, gtol=1e-15, max_nfev=most)  # fmt: skip
    last = _at_bounds(problem, found.x)
    if not np.array_equal(last, here[0]):
        _note(problem, here, last)
    if len(z) <= LOOKED_AT:
        last = polished(problem, last)
    raise _ended(problem, last, str(found.message))


def _at_bounds(problem: Problem, z: Array) -> Array:
    """The point with what an interior method leaves just inside of a bound put on it: a tiny step of descent."""
    gradient = problem.gradient(z)
    if not problem.is_bounded or not np.any(gradient):
        return z
    near = problem.inside(z - gradient * (1e-6 * (1 + np.linalg.norm(z)) / np.linalg.norm(gradient)))
    return near if problem.value(near) <= problem.value(z) else z


def _note(problem: Problem, here: list[Any], z: Array) -> None:
    value, gradient = problem.made.fun(z), problem.made.jac(z)
    step = float(np.linalg.norm(z - here[0]))
    here[:] = [np.array(z), value]
    problem.note(z, value, gradient, step)


def _ended(problem: Problem, z: Array, said: str) -> Stop:
    """Whether a method of SciPy arrived, by the gradient where it ended."""
    gradient = problem.made.jac(z)
    if problem.is_small(z, gradient):
        return Stop("converged: the gradient is small", success=True, status=0)
    size = float(np.linalg.norm(problem.descent(z, gradient)))
    if size <= ROUGHLY * problem.scale:
        return Stop(
            f"converged: the gradient is small, {size:.1g}, and no step lowers the value", success=True, status=0
        )
    said = f"not converged: the gradient's norm is {size:.2g} ({said.lower().rstrip('.: ')})"
    return Stop(f"{said}; try another start, or method='newton'", status=2)
