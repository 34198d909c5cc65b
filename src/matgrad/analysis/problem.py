"""What every method of minimisation works on: an objective, bounds, a start, and a record of how it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from matgrad.analysis.objective import Objective
from matgrad.analysis.spaces import LEAST

Array = Any
KEPT = 2000
"""Length of the vector up to which the history holds it."""
DEEP, FAR = 1e14, 1e12
"""How low the value, and how far the point, may get before it is said that there is no minimum."""


class Iteration(NamedTuple):
    """One line of a history: the value, the norm of the gradient (that of its part inside the bounds), the length of
    the step that led here, and the point, where it is short enough to be kept."""

    number: int
    fun: float
    gradient: float
    step: float
    z: Array | None


class Stop(Exception):
    """The end of a method, with what is said about it."""

    def __init__(self, message: str, *, success: bool = False, status: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.success = success
        self.status = status


class Problem:
    """An objective with bounds and a start; methods call it, and note each iteration."""

    def __init__(
        self,
        made: Objective,
        start: Array,
        bounds: tuple[Array, Array] | None,
        tolerance: float,
        limit: int,
        callback: Callable[[Iteration], Any] | None = None,
    ) -> None:
        self.made = made
        self.start = start
        self.lower: Array | None = None if bounds is None else bounds[0]
        self.upper: Array | None = None if bounds is None else bounds[1]
        self.tolerance = tolerance
        self.limit = limit
        self.callback = callback
        self.history: list[Iteration] = []
        self.notes: list[str] = []
        self.best = start
        self.lowest = np.inf
        self.counts = {"nfev": 0, "njev": 0, "nhev": 0}
        self.scale = 1.0

    # -- functions of the point

    def value(self, z: Array) -> float:
        self.counts["nfev"] += 1
        found = self.made.fun(z)
        if found < self.lowest:
            self.best, self.lowest = np.array(z), found
        return found

    def gradient(self, z: Array) -> Array:
        self.counts["njev"] += 1
        return self.made.jac(z)

    def hessian(self, z: Array) -> Array:
        self.counts["nhev"] += 1
        return self.made.hess(z)

    def product(self, z: Array, v: Array) -> Array:
        self.counts["nhev"] += 1
        return self.made.hessp(z, v)

    # -- bounds

    @property
    def is_bounded(self) -> bool:
        return self.lower is not None

    @property
    def is_closed(self) -> bool:
        """Whether a bound may be attained: one that stands for ``positive`` is outside of the domain."""
        if self.lower is None or self.upper is None:
            return False
        return bool(np.any(np.isfinite(self.upper)) or np.any(np.isfinite(self.lower) & (self.lower != LEAST)))

    def inside(self, z: Array) -> Array:
        """The nearest point within the bounds."""
        return z if self.lower is None else np.clip(z, self.lower, self.upper)

    def moved(self, z: Array, step: Array) -> Array:
        """z + step within the bounds; what is declared positive keeps a tenth of its value at least, since 0 is no
        point of the domain, and a long step would lead to its border."""
        if self.lower is None:
            return z + step
        return np.clip(z + step, np.where(self.lower == LEAST, np.maximum(0.1 * z, LEAST), self.lower), self.upper)

    def descent(self, z: Array, gradient: Array) -> Array:
        """The gradient, or within bounds what a step against it can change; of what is positive, that in log z."""
        if self.lower is None:
            return gradient
        return np.where(self.lower == LEAST, z * gradient, z - self.inside(z - gradient))

    def free(self, z: Array, gradient: Array) -> Array:
        """Which entries can move: not those at a bound that the gradient pushes against."""
        if self.lower is None or self.upper is None:
            return np.ones(len(z), dtype=bool)
        return ~(((z <= self.lower) & (gradient > 0)) | ((z >= self.upper) & (gradient < 0)))

    # -- how it goes

    def begin(self) -> tuple[Array, float, Array]:
        """The start with its value and gradient; it sets the scale against which gradients are small."""
        z = self.start
        value, gradient = self.value(z), self.gradient(z)
        self.scale = max(1.0, float(np.linalg.norm(gradient)))
        self.note(z, value, gradient, 0.0)
        return z, value, gradient

    def is_small(self, z: Array, gradient: Array) -> bool:
        return float(np.linalg.norm(self.descent(z, gradient))) <= self.tolerance * self.scale

    def note(self, z: Array, value: float, gradient: Array, step: float, slope: float | None = None) -> None:
        """Records an iteration. Raises Stop where there is no minimum, or too many iterations were made."""
        size = float(np.linalg.norm(self.descent(z, gradient))) if slope is None else slope
        kept = np.array(z) if len(z) <= KEPT else None
        self.history.append(Iteration(len(self.history), float(value), size, float(step), kept))
        if self.callback is not None:
            self.callback(self.history[-1])
        first = self.history[0]
        far = np.linalg.norm(z) > FAR * (1 + np.linalg.norm(self.start)) and value < first.fun
        if value < -DEEP * (1 + abs(first.fun)) or far:
            raise Stop(
                f"there seems to be no minimum: the value is {value:.3g} at a distance of {np.linalg.norm(z):.3g}, and "
                "still falls; try bounds, a penalty such as 0.01*norm2(x)^2, or a look at the signs in the formula",
                status=3,
            )
        if len(self.history) > self.limit:
            raise Stop(
                f"not converged after {self.limit} iterations: the gradient's norm is {size:.2g}, and at the start it "
                f"was {first.gradient:.2g}; try more iterations, another start, or another method",
            )
