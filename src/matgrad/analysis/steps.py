"""What gradient descent and Newton's method will do near a point, from its Hessian."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log, log1p
from typing import Any

import numpy as np

from matgrad.analysis.local import Local
from matgrad.analysis.spectrum import Spectrum

Array = Any
TARGET = 1e-6
"""By how much the distance to the minimum is to shrink."""


@dataclass(frozen=True)
class Descent:
    """Gradient descent with a fixed step η on the quadratic model of a positive definite Hessian.

    The error along an eigenvector is multiplied by 1 − η·λ in each step (Nocedal and Wright, Numerical Optimization,
    2006, 3.3; Polyak 1964): it shrinks for η < 2/λmax, fastest over all for η = 2/(λmin + λmax), by (κ − 1)/(κ + 1).

    >>> d = Descent(1.0, 9.0)
    >>> d.limit, d.best, d.contraction, d.iterations
    (0.2222222222222222, 0.2, 0.8, 62)
    """

    least: float
    most: float

    @property
    def limit(self) -> float:
        return 2 / self.most

    @property
    def best(self) -> float:
        return 2 / (self.least + self.most)

    @property
    def contraction(self) -> float:
        return (self.most - self.least) / (self.most + self.least)

    @property
    def iterations(self) -> int:
        """Steps until the distance to the minimum has shrunk by 1e-6."""
        if self.contraction == 0:
            return 1
        # log ρ = log1p(−2·λmin/(λmin + λmax)), without the cancellation near 1
        return ceil(log(TARGET) / log1p(-2 * self.least / (self.least + self.most)))

    @property
    def why(self) -> str:
        """Why it goes as it goes."""
        rate = self.contraction
        if rate < 1e-9:
            return "all eigenvalues are alike: the gradient points at the minimum, and one step is enough"
        return (
            f"each step multiplies the error along the steepest eigenvector by -{rate:.4g} and along the flattest by "
            f"+{rate:.4g}: it crosses the valley at every step (zig-zag) while it creeps along it"
        )

    def to_dict(self) -> dict[str, Any]:
        return {"stability_limit": self.limit, "best_step": self.best, "contraction": self.contraction,
                "iterations_to_1e-6": self.iterations, "why": self.why}  # fmt: skip


@dataclass(frozen=True)
class Newton:
    """Newton's step p = −H⁻¹g, its decrement √(g'·H⁻¹·g), and what the model and the formula say of the decrease."""

    step: Array
    decrement: float | None
    predicted: float
    actual: float
    slope: float
    remark: str


def newton_step(local: Local, spectrum: Spectrum, quadratic: bool) -> Newton:
    """Newton's step from a complete spectrum; eigenvalues that are 0 to rounding are left out of the inverse."""
    values, vectors, gradient = spectrum.values, spectrum.vectors, local.gradient
    definite = spectrum.inertia is not None and not (spectrum.inertia.negative or spectrum.inertia.undecided)
    kept = np.ones(len(values), bool) if definite else ~spectrum.is_zero
    along = vectors[:, kept].T @ gradient
    step = -vectors[:, kept] @ (along / values[kept])
    slope = float(gradient @ step)
    decrement = float(np.sqrt(max(-slope, 0.0))) if np.all(values[kept] > 0) else None
    actual = local.value_at(local.point + step) - local.value
    return Newton(step, decrement, slope / 2, float(actual), slope, _remark(definite, kept, values, slope, quadratic))


def _remark(definite: bool, kept: Array, values: Array, slope: float, quadratic: bool) -> str:
    if not kept.any():
        return "the Hessian is 0 to rounding: there is no step"
    if not slope:
        return "the step is 0: the gradient is" if kept.all() else "the step is 0, apart from flat directions"
    if definite:
        return "the formula is quadratic: this step ends at the minimum, from anywhere" if quadratic else ""
    if np.all(values[kept] > 0):
        return "flat directions are left out: the shortest of many steps"
    if np.all(values[kept] < 0):
        return "the Hessian is not positive: the step leads to a maximum of the model"
    down = "downhill at first" if slope < 0 else "uphill at first"
    return f"the Hessian is indefinite: the step leads to a saddle of the model, {down}; modified Newton would not"
