"""The ends of the spectrum of a large Hessian from products H·v alone, each pair with its residual.

Lanczos (ARPACK, by SciPy) proposes vectors; what is reported comes from one Rayleigh–Ritz step on an orthonormal basis
of them, so that no pair can be there twice, and every residual ‖Hv − λv‖ is measured: within it of λ there is an
eigenvalue. What a single Lanczos run may miss, a second copy of an eigenvalue, is looked for in the complement.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from matgrad.analysis.spectrum import Spectrum, inertia_of, signed

Array = Any
Product = Callable[[Array], Array]
Progress = Callable[[int], None]
MEMORY = 250_000_000
"""Bytes that the vectors of one search may take: every product is orthogonalised against all of them."""
ROUNDS = 4
"""Searches of the complement for what was missed."""


class Extremes:
    """Looks for eigenvalues at both ends of a symmetric operator of ``size``; ``unit`` is the relative error of a
    product, and ``loss`` what one with a unit vector loses where terms cancel in it; ``limit`` is the number of
    products after which a search is given up."""

    def __init__(
        self,
        product: Product,
        size: int,
        unit: float,
        *,
        loss: Callable[[Array], float] | None = None,
        tolerance: float = 1e-9,
        limit: int = 3000,
        progress: Progress | None = None,
        seed: int = 0,
    ) -> None:
        self._product, self.size, self.unit, self._loss = product, size, unit, loss
        self.tolerance, self.limit, self.progress = tolerance, limit, progress
        self.rng = np.random.default_rng(seed)
        self.products = 0
        self.notes: list[str] = []
        self.basis, self.images = np.zeros((size, 0)), np.zeros((size, 0))

    def apply(self, vector: Array) -> Array:
        self.products += 1
        if self.progress is not None:
            self.progress(self.products)
        return self._product(vector)

    def find(self, count: int, *, semidefinite: bool = False) -> Spectrum:
        """The ``count`` largest eigenvalues, the smallest one, and more of the smallest where it is negative.

        ``semidefinite`` is that no eigenvalue is negative, as a certificate may say.
        """
        if self.size <= max(64, 4 * count):
            self._add(np.eye(self.size))
            return self._spectrum(self.size, self.size)
        norm = self._norm()
        if norm == 0:
            self.notes.append("H·v = 0 for a random v")
            self._add(self._random())
            return self._spectrum(1, 0)
        self._search(count, 1, norm, "largest")
        before = self.basis, self.images
        negative = self._probe(norm, semidefinite)
        if negative:
            self.basis, self.images = before  # the vector that showed it is a rough one
            self._search(count, -1, norm, "smallest")
        return self._spectrum(count, count if negative else 1)

    def ends(self, largest: int, smallest: int) -> Spectrum:
        """So many of the largest eigenvalues and of the smallest ones, whatever their signs."""
        norm = self._norm()
        if norm == 0:
            self._add(np.eye(self.size, largest + smallest))
        for count, sign, name in ((largest, 1, "largest"), (smallest, -1, "smallest")):
            if norm and count:
                self._search(count, sign, norm, name)
        return self._spectrum(largest, smallest)

    def _random(self) -> Array:
        vector = self.rng.standard_normal((self.size, 1))
        return vector / np.linalg.norm(vector)

    def _norm(self) -> float:
        """About ‖H‖₂, by a few power steps: a scale for tolerances, and a shift."""
        vector, norm = self._random()[:, 0], 0.0
        for _ in range(12):
            image = self.apply(vector)
            norm = float(np.linalg.norm(image))
            if norm == 0:
                break
            vector = image / norm
        return 1.5 * norm

    def _probe(self, norm: float, semidefinite: bool) -> bool:
        """Add one eigenvector at the lower end, and whether it shows a negative eigenvalue.

        Eigenvalues crowd at 0 in most problems: a rough look comes first, and is all where none can be negative.
        """
        for tolerance in (1e-3,) if semidefinite else (1e-3, 1e-6):
            vectors, complete = self._lanczos(1, -1, norm, tolerance=tolerance, limit=self.limit // 5)
            self._add(vectors)
            if complete and not semidefinite and np.min(self._ritz()[0]) < -self.tolerance * norm:
                return True
        if not complete:
            self.notes.append("not converged: the smallest eigenvalue")
        return False

    def _search(self, count: int, sign: int, norm: float, name: str) -> None:
        """Add the ``count`` eigenvectors at one end, then what is found beyond them in the complement."""
        vectors, complete = self._lanczos(count, sign, norm)
        self._add(vectors)
        if not complete:
            self.notes.append(f"not converged: {vectors.shape[1]} of the {count} {name} eigenvalues")
            return
        for _ in range(ROUNDS):
            values = np.sort(sign * self._ritz()[0])[::-1]
            last = values[min(count, len(values)) - 1]
            extra, _ = self._lanczos(1, sign, norm, tolerance=1e-4, deflated=True)
            if not extra.shape[1]:
                return
            vector = extra[:, 0]
            beyond = sign * float(vector @ self.apply(vector))
            if beyond <= last + 1e-6 * norm:
                return
            better, complete = self._lanczos(1, sign, norm, deflated=True)
            self._add(better if complete else extra)
            self.notes.append(f"one of the {name} eigenvalues was missed by the first search, and found by a second")

    def _lanczos(
        self,
        count: int,
        sign: int,
        norm: float,
        *,
        tolerance: float | None = None,
        limit: int | None = None,
        deflated: bool = False,
    ) -> tuple[Array, bool]:
        """Eigenvectors at one end, of H or of H on the complement of what is known, and whether all converged.

        The operator is shifted to norm·I ± H, so that tolerances are relative to ‖H‖ at both ends.
        """
        from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

        known = self.basis if deflated else self.basis[:, :0]

        def shifted(vector: Array) -> Array:
            vector = vector.reshape(-1)
            free = vector - known @ (known.T @ vector)
            image = norm * free + sign * self.apply(free)
            return image - known @ (known.T @ image)

        room = max(MEMORY // (8 * self.size), 2 * count + 10)
        basis = min(self.size - 1, max(4 * count + 20, 40), room)
        try:
            _, vectors = eigsh(
                LinearOperator((self.size, self.size), matvec=shifted, dtype=float),
                k=count,
                which="LA",
                ncv=basis,
                tol=tolerance or self.tolerance,
                v0=self._random()[:, 0],
                maxiter=max((limit or self.limit) // (basis - count), 2),
            )
        except ArpackNoConvergence as error:
            return np.asarray(error.eigenvectors, dtype=float).reshape(self.size, -1), False
        return vectors, True

    def _add(self, vectors: Array) -> None:
        """Widen the orthonormal basis by what is new in some vectors."""
        for vector in vectors.T:
            for _ in range(2):  # twice is enough (Kahan, Parlett)
                before = np.linalg.norm(vector)
                vector = vector - self.basis @ (self.basis.T @ vector)
            norm = np.linalg.norm(vector)
            if norm < 1e-6 or before == 0:
                continue
            vector = vector / norm
            self.basis = np.column_stack([self.basis, vector])
            self.images = np.column_stack([self.images, self.apply(vector)])

    def _ritz(self) -> tuple[Array, Array]:
        small = self.basis.T @ self.images
        values, turn = np.linalg.eigh((small + small.T) / 2)
        return values, turn

    def _spectrum(self, largest: int, smallest: int) -> Spectrum:
        values, turn = self._ritz()
        vectors = self.basis @ turn
        residuals = np.linalg.norm(self.images @ turn - vectors * values, axis=0)
        count = len(values)
        kept = [k for k in range(count) if k < smallest or k >= count - largest]
        values, vectors, residuals = values[kept], vectors[:, kept], residuals[kept]
        scale = float(np.max(np.abs(values), initial=0))
        lost = np.full(len(values), self.unit * scale)
        if self._loss is not None:
            lost = np.maximum(lost, [self._loss(vector) for vector in vectors.T])
        errors = residuals + lost
        self.notes += [
            f"{value:.8g} is known to ±{error:.1e} only, by its residual"
            for value, error in zip(values, errors, strict=True)
            if error > 1e3 * max(self.tolerance, self.unit) * scale
        ]
        notes = (*self.notes, f"{self.products} products H·v")
        known = inertia_of(values, float(np.max(errors, initial=0))) if len(values) == self.size else None
        return Spectrum(values, signed(vectors), errors, known, residuals, self.size, notes)
