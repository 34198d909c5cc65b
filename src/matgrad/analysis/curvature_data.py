"""What is known of the curvature of a formula: at a point, and for all points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from matgrad.analysis.convexity import Convexity
from matgrad.analysis.kinds import Kind
from matgrad.analysis.local import Local
from matgrad.analysis.spectrum import Spectrum
from matgrad.analysis.steps import Descent, Newton
from matgrad.answer.formula import Formula
from matgrad.errors import MatgradError

Array = Any


@dataclass(frozen=True)
class AtPoint:
    """What is known at one point, over orthonormal coordinates of the variables (``labels``)."""

    local: Local
    spectrum: Spectrum
    gradient_norm: float
    gradient_ratio: float
    kind: Kind
    stationary: bool
    newton: Newton | None
    quadratic: bool


@dataclass(frozen=True)
class CurvatureData:
    """The curvature of ``formula`` in some variables: ``convexity`` for all points, the rest ``at`` a point.

    Without a point only ``formula``, ``wrt`` and ``convexity`` are there; everything else is None.
    """

    formula: Formula
    wrt: tuple[str, ...]
    convexity: Convexity
    at: AtPoint | None = None

    # -- at the point

    @property
    def value(self) -> float | None:
        return self.at.local.value if self.at else None

    @property
    def gradient(self) -> dict[str, Array] | None:
        """The gradient in each variable, in its shape."""
        return self.at.local.unflat(self.at.local.gradient) if self.at else None

    @property
    def stationary(self) -> bool | None:
        return self.at.stationary if self.at else None

    @property
    def hessian(self) -> Array | None:
        """The matrix of second derivatives over ``labels``; None where it was not formed."""
        return self.at.local.hessian if self.at and self.at.spectrum.complete else None

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The entries that the rows of the Hessian belong to. Off the diagonal of a symmetric matrix it is √2 times
        the entry, so that the Hessian acts on matrices with their own lengths and angles."""
        return self.at.local.coordinates.labels if self.at else None

    @property
    def eigenvalues(self) -> Array | None:
        """Ascending; all, or those at both ends that were found."""
        return self.at.spectrum.values if self.at else None

    @property
    def eigenvectors(self) -> Array | None:
        """Orthonormal, as columns, in the order of the eigenvalues."""
        return self.at.spectrum.vectors if self.at else None

    @property
    def residuals(self) -> Array | None:
        """‖H·v − λ·v‖ of each pair: within it of λ there is an eigenvalue."""
        return self.at.spectrum.residuals if self.at else None

    @property
    def kind(self) -> str | None:
        """A strict local minimum or maximum, saddle, valley, ridge, flat, undecided, or not stationary."""
        return self.at.kind.name if self.at else None

    @property
    def definiteness(self) -> str | None:
        """What the signs of the eigenvalues are for certain; None where not all are known."""
        return self.at.spectrum.inertia.definiteness if self.at and self.at.spectrum.inertia else None

    @property
    def flat_directions(self) -> Array | None:
        """Directions in which the curvature is 0 to rounding, as columns."""
        return self.at.kind.flat if self.at else None

    @property
    def condition_number(self) -> float | None:
        """The largest over the smallest eigenvalue in absolute value; infinite where one is 0 to rounding."""
        if self.at is None or not self.at.spectrum.complete:
            return None
        signs, sizes = self.at.spectrum.inertia, np.abs(self.at.spectrum.values)
        if signs is None or signs.undecided or not sizes.min():
            return float("inf")
        return float(sizes.max() / sizes.min())

    @property
    def descent(self) -> Descent | None:
        """What gradient descent will do, where the Hessian is positive definite."""
        if self.at is None or self.definiteness != "positive definite" or not self.at.spectrum.is_clear:
            return None
        assert self.eigenvalues is not None
        return Descent(float(self.eigenvalues[0]), float(self.eigenvalues[-1]))

    @property
    def newton(self) -> Newton | None:
        return self.at.newton if self.at else None

    def direction(self, vector: Array) -> dict[str, Array]:
        """A vector over ``labels``, such as an eigenvector, as arrays in the shapes of the variables."""
        if self.at is None:
            raise MatgradError("there is no point, and so there are no directions", hint='at={"x": [1, 2]}')
        return self.at.local.unflat(np.asarray(vector, dtype=float))
