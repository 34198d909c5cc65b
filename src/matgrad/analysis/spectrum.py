"""Eigenvalues of a Hessian with what is known of their errors, and the signs that follow for certain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from matgrad.analysis.local import EPS

Array = Any


@dataclass(frozen=True)
class Inertia:
    """How many eigenvalues are positive and negative for certain, and how many are 0 to rounding."""

    positive: int
    negative: int
    undecided: int

    @property
    def definiteness(self) -> str:
        if not self.undecided and not (self.positive and self.negative):
            return "positive definite" if self.positive else "negative definite"
        if self.positive and self.negative:
            return "indefinite"
        if self.positive:
            return "positive semidefinite to rounding"
        return "negative semidefinite to rounding" if self.negative else "zero to rounding"


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues, ascending, with their eigenvectors as columns; all of them, or those that were ``asked`` for.

    Each eigenvalue is one of the Hessian's to within its entry of ``errors``. ``inertia`` is None where not all are
    known.
    """

    values: Array
    vectors: Array
    errors: Array
    inertia: Inertia | None
    residuals: Array
    size: int
    notes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return len(self.values) == self.size

    @property
    def is_clear(self) -> bool:
        """Whether every eigenvalue is larger than its error."""
        return not bool(np.any(self.is_zero))

    @property
    def is_zero(self) -> Array:
        """Which eigenvalues cannot be told from 0."""
        return np.abs(self.values) <= self.errors


def dense(matrix: Array, errors: Array) -> Spectrum:
    """All eigenvalues of a symmetric matrix, whose entries are known to within ``errors``.

    Weyl: an eigenvalue moves by ‖E‖₂ at most. Sylvester: the signs are also those of D·H·D for any D > 0, which are
    found for D with unit diagonal, so that a small eigenvalue of a badly scaled matrix is not lost.

    >>> found = dense(np.diag([2.0, 2e-20]), np.diag([1e-15, 1e-35]))
    >>> found.inertia.definiteness
    'positive definite'
    """
    values, vectors = np.linalg.eigh(matrix)
    error = _bound(matrix, errors)
    first = inertia_of(values, error)
    scale = np.sqrt(np.abs(np.diag(matrix)) + np.diag(errors))
    scale = 1 / np.where(scale > 0, scale, 1.0)
    scaled, off = matrix * scale[:, None] * scale, errors * scale[:, None] * scale
    second = inertia_of(np.linalg.eigvalsh(scaled), _bound(scaled, off))
    positive, negative = max(first.positive, second.positive), max(first.negative, second.negative)
    inertia = Inertia(positive, negative, len(values) - positive - negative)
    residuals = np.linalg.norm(matrix @ vectors - vectors * values, axis=0)
    return Spectrum(values, signed(vectors), np.full(len(values), error), inertia, residuals, len(values))


def _bound(matrix: Array, errors: Array) -> float:
    """How far computed eigenvalues may be off: errors of the entries, and those of the algorithm."""
    return float(np.linalg.norm(errors) + len(matrix) * EPS * np.max(np.sum(np.abs(matrix), axis=1), initial=0))


def inertia_of(values: Array, error: float) -> Inertia:
    positive, negative = int(np.sum(values > error)), int(np.sum(values < -error))
    return Inertia(positive, negative, len(values) - positive - negative)


def signed(vectors: Array) -> Array:
    """Eigenvectors are known up to sign: the largest entry is positive."""
    leading = vectors[np.argmax(np.abs(vectors), axis=0), np.arange(vectors.shape[1])]
    return vectors * np.where(leading < 0, -1.0, 1.0)
