"""Proximal gradient: a smooth part plus Σ w∘|z|, by FISTA with backtracking and restarts.

Beck and Teboulle 2009; the restart where momentum and step disagree is that of O'Donoghue and Candès 2015. Steps are
scaled by the diagonal of the Hessian at the start, which keeps them separable and makes units irrelevant. Once the
signs have settled, Newton steps are tried on the entries that are not zero: there the l1 term is linear.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from matgrad.analysis.ending import LOOKED_AT
from matgrad.analysis.newton import ROUNDING, solve_positive
from matgrad.analysis.objective import Objective
from matgrad.analysis.problem import Problem, Stop
from matgrad.errors import MatgradError

Array = Any
SETTLED = 6
"""Iterations with the same signs after which a Newton step is tried."""


def shrunk(z: Array, by: Array) -> Array:
    """The proximal step of Σ by∘|z|: every entry moves towards zero, and stops there.

    >>> shrunk(np.array([3.0, -0.5, -2.0]), np.array([1.0, 1.0, 1.0])).tolist()
    [2.0, 0.0, -1.0]
    """
    return np.where(np.abs(z) > by, z - np.sign(z) * by, 0.0)


def proximal_gradient(problem: Problem, smooth: Objective, weights: Array, *, accelerated: bool = True) -> None:
    """FISTA, or ISTA without acceleration. Always leaves by Stop.

    Ends where the step that the gradient and the kinks together ask for, D(z − prox(z − tD⁻¹∇g))/t, is small.
    """
    _Proximal(problem, smooth, weights, accelerated).run()


class _Proximal:
    """The state between iterations: the point, the point ahead of it, and the length t of a step."""

    def __init__(self, problem: Problem, smooth: Objective, weights: Array, accelerated: bool) -> None:
        self.problem = problem
        self.smooth = smooth
        self.weights = weights
        self.accelerated = accelerated
        self.z = problem.start
        if not np.isfinite(smooth.fun(self.z)):
            raise Stop("the smooth part has no value at the start: try another start", status=2)
        self.curved = _curved(smooth, self.z)
        self.metric = np.ones(len(self.z))
        if self.curved:
            diagonal = np.diag(smooth.hess(self.z))
            self.metric = np.maximum(diagonal, 1e-8 * max(float(diagonal.max()), 1e-300))
        gradient = smooth.jac(self.z)
        problem.scale = max(1.0, float(np.linalg.norm(gradient)))
        self.t = 64.0 if self.curved else 1e6 / problem.scale

    def run(self) -> None:
        problem, smooth = self.problem, self.smooth
        gradient = smooth.jac(self.z)
        first = self._proximal(self.z, gradient, min(self.t, 1.0))
        self._note(self.z, gradient, self._slope(self.z, first, min(self.t, 1.0)))
        ahead, momentum, settled = self.z, 1.0, 0
        while True:
            value, gradient = smooth.fun(ahead), smooth.jac(ahead)
            problem.counts["njev"] += 1
            if not np.isfinite(value):  # momentum has left the domain
                ahead, momentum = self.z, 1.0
                continue
            new = self._step(ahead, value, gradient)
            slope = self._slope(ahead, new, self.t)
            change = new - self.z
            restart = float((ahead - new) @ (self.metric * change)) > 0
            following = 1.0 if restart or not self.accelerated else (1 + (1 + 4 * momentum**2) ** 0.5) / 2
            ahead = new + ((momentum - 1) / following) * change if following > 1 else new
            settled = settled + 1 if np.array_equal(np.sign(new), np.sign(self.z)) else 0
            self.z, momentum = new, following
            self._note(new, gradient, slope, float(np.linalg.norm(change)))
            if slope <= problem.tolerance * problem.scale:
                raise Stop("converged: no proximal step changes the point", success=True, status=0)
            if self.curved and self.accelerated and settled >= SETTLED:
                settled = 0
                if self._newton():
                    ahead, momentum = self.z, 1.0

    def _note(self, z: Array, gradient: Array, slope: float, step: float = 0.0) -> None:
        self.problem.note(z, self.problem.value(z), gradient, step, slope=slope)

    def _proximal(self, z: Array, gradient: Array, t: float) -> Array:
        by = t / self.metric
        return self.problem.inside(shrunk(z - by * gradient, by * self.weights))

    def _slope(self, z: Array, new: Array, t: float) -> float:
        return float(np.linalg.norm(self.metric * (z - new))) / t

    def _step(self, z: Array, value: float, gradient: Array) -> Array:
        """The proximal step with the largest t, halving, at which the quadratic model is above the smooth part."""
        for _ in range(200):
            new = self._proximal(z, gradient, self.t)
            change = new - z
            self.problem.counts["nfev"] += 1
            above = value + float(gradient @ change) + float(change @ (self.metric * change)) / (2 * self.t)
            found = self.smooth.fun(new)
            if np.isfinite(found) and found <= above + ROUNDING * max(abs(value), abs(found)):
                return new
            self.t /= 2
        raise Stop("no proximal step lowers the value: the smooth part may not be smooth here", status=2)

    def _newton(self) -> bool:
        """A Newton step on the entries that are not zero, until one becomes so; whether it lowers the value."""
        z, problem = self.z, self.problem
        gradient = self.smooth.jac(z) + self.weights * np.sign(z)
        moving = ((z != 0) | (self.weights == 0)) & problem.free(z, gradient)
        if not moving.any():
            return False
        problem.counts["nhev"] += 1
        step = np.zeros_like(z)
        step[moving] = -solve_positive(self.smooth.hess(z)[np.ix_(moving, moving)], gradient[moving])
        crossing = (z * (z + step) < 0) & (self.weights > 0)
        shares = np.where(crossing, z / np.where(crossing, -step, 1.0), 1.0)
        share = float(shares.min())
        trial = problem.inside(np.where(crossing & (shares == share), 0.0, z + share * step))
        before, after = problem.value(z), problem.value(trial)
        if not after < before:
            return False
        self._note(trial, gradient, self.problem.history[-1].gradient, float(np.linalg.norm(trial - z)))
        self.z = trial
        return True


def _curved(smooth: Objective, z: Array) -> bool:
    """Whether there is a Hessian to be had."""
    if len(z) > LOOKED_AT:
        return False
    try:
        return bool(np.all(np.isfinite(smooth.hess(z))))
    except MatgradError:
        return False
