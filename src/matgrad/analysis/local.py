"""A scalar formula at a point: its value, gradient and Hessian there, over orthonormal coordinates of its variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import Any

import numpy as np

from matgrad.analysis.coordinates import Coordinates
from matgrad.analysis.spaces import belongs
from matgrad.answer.action import Action
from matgrad.answer.compiled import Compiled
from matgrad.answer.derivative import Derivative
from matgrad.answer.deriving import derivative_of
from matgrad.answer.evaluation import bound, kinks_at
from matgrad.answer.formula import Formula
from matgrad.checking.magnitude import magnitudes
from matgrad.errors import DataError, MatgradError
from matgrad.formula.syntax import Program

Array = Any
EPS = float(np.finfo(float).eps)


class Local:
    """The formula at a point. Of a symmetric matrix the coordinates are Sᵢᵢ and √2·Sᵢⱼ, so that lengths and angles
    are those of the matrices, and the eigenvalues those of the Hessian as a map on symmetric matrices.

    >>> here = Local(Formula("tr(S*S)", "S: symmetric(2)"), ["S"], {"S": [[1.0, 2.0], [2.0, 0.0]]})
    >>> here.hessian.round(12).tolist()
    [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]]
    """

    def __init__(self, formula: Formula, wrt: Sequence[str], at: Mapping[str, Any]) -> None:
        self.formula = formula
        self.wrt = tuple(wrt)
        for name, value in at.items():
            _require_complete(name, value)
        found = bound(formula, at)
        self.sizes = found.sizes
        functions = formula.typed.functions
        for name, array in found.arrays.items():
            if name not in functions and not np.all(np.isfinite(array)):
                raise DataError(f"{name} holds an infinite number", hint="finite values")
        self.arrays = {**found.arrays, **{n: v for n, v in at.items() if n not in found.arrays}}
        self.coordinates = Coordinates(formula, wrt, {name: np.shape(found.arrays[name]) for name in wrt})
        self.size = self.coordinates.size
        if self.size == 0:
            raise DataError(f"{', '.join(wrt)} has no entries here: there is nothing to vary")
        self.point = self.flat(self.arrays)

    # -- coordinates

    @cached_property
    def _weights(self) -> Array:
        """√2 for an entry that moves together with its mirror image, else 1."""
        return np.sqrt(self.coordinates.weights)

    def flat(self, arrays: Mapping[str, Array]) -> Array:
        """The orthonormal coordinates of arrays by name."""
        return self.coordinates.flat(arrays) * self._weights

    def unflat(self, flat: Array) -> dict[str, Array]:
        """The arrays by name with these orthonormal coordinates."""
        return self.coordinates.arrays(flat / self._weights)

    def moved(self, arrays: Mapping[str, Array]) -> Local:
        """The formula at another point of the same shapes, with what is compiled kept."""
        other = copy(self)
        for name in ("value", "gradient", "hessian", "kinks", "value_error", "hessian_error"):
            other.__dict__.pop(name, None)
        other.arrays = {**self.arrays, **bound(self.formula, {**self.arrays, **arrays}).arrays}
        other.point = other.flat(other.arrays)
        return other

    # -- values

    def _needed(self, compiled: Compiled, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """The arrays that a part of the formula needs, and sizes that are given as numbers."""
        wanted = {*compiled.parameters, *(self.formula.sizes_needed() - self.formula.typed.variables.keys())}
        return {name: value for name, value in arrays.items() if name in wanted}

    def _call(self, compiled: Compiled, arrays: Mapping[str, Any]) -> Any:
        return compiled(**self._needed(compiled, arrays))

    @cached_property
    def gradients(self) -> dict[str, Derivative]:
        found = derivative_of(self.formula, self.wrt)
        return dict(zip(self.wrt, found, strict=True))

    @cached_property
    def blocks(self) -> dict[tuple[str, str], Derivative]:
        """The closed forms of the Hessian, block by block."""
        return {(a, b): d.derive(b) for a, d in self.gradients.items() for b in self.wrt}

    @property
    def conditions(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(c for d in self.gradients.values() for c in d.conditions))

    @cached_property
    def value(self) -> float:
        found = self.value_at(self.point)
        if not np.isfinite(found):
            if np.isinf(found) and not self.conditions:
                raise DataError("the formula overflows at this point", hint="smaller values, or other units")
            raise DataError(
                "the formula is not defined at this point" if np.isnan(found) else "the formula is infinite here",
                details="\n".join(self.conditions) or None,
                hint="a point inside its domain",
            )
        return found

    @cached_property
    def _value(self) -> Compiled:
        return Compiled(self.formula)

    def value_at(self, flat: Array) -> float:
        """The value at other coordinates; nan where it is not defined, or a variable is not what it is declared."""
        arrays = self.unflat(flat)
        if not all(belongs(array, self.formula.typed.variables[name].traits) for name, array in arrays.items()):
            return float("nan")
        try:
            with np.errstate(all="ignore"):
                return float(self._call(self._value, {**self.arrays, **arrays}))
        except (MatgradError, np.linalg.LinAlgError):
            return float("nan")

    @cached_property
    def gradient(self) -> Array:
        with np.errstate(all="ignore"):
            found = self._call(Compiled(self.gradients), self.arrays)
        return self._finite(self.flat(found), "the gradient")

    @cached_property
    def hessian(self) -> Array:
        """The matrix of second derivatives in orthonormal coordinates, symmetric."""
        return self._hessian_at(self.arrays)

    @cached_property
    def _blocks(self) -> Compiled:
        return Compiled(self.blocks)

    def _hessian_at(self, arrays: Mapping[str, Array]) -> Array:
        with np.errstate(all="ignore"):
            found = self._call(self._blocks, arrays)
        matrix = self._as_matrix(found) * self._weights[:, None] * self._weights
        return self._finite((matrix + matrix.T) / 2, "the Hessian")

    def _as_matrix(self, blocks: Mapping[tuple[str, str], Array]) -> Array:
        """One matrix over the free entries from an array for each pair of variables."""
        rows = []
        for a in self.coordinates.blocks:
            row = []
            for b in self.coordinates.blocks:
                array = np.asarray(blocks[a.name, b.name], dtype=float).reshape((*a.shape, *b.shape))
                free = array[a.places] if a.places else array[None]
                behind = (slice(None), *b.places)
                row.append(free[behind] if b.places else free[:, None])
            rows.append(np.concatenate(row, axis=1))
        return np.concatenate(rows, axis=0)

    @cached_property
    def _actions(self) -> dict[tuple[str, str], Action]:
        return {pair: block.matvec for pair, block in self.blocks.items()}

    @cached_property
    def _product(self) -> Compiled:
        return Compiled(self._actions)

    def _directions(self, direction: Array) -> dict[str, Array]:
        """The parts of a direction by the names that they have in the actions."""
        along = self.unflat(np.asarray(direction, dtype=float).reshape(-1))
        return {action.direction: along[b] for (_, b), action in self._actions.items()}

    def product(self, direction: Array) -> Array:
        """H·v from the closed form of the product, without forming H."""
        with np.errstate(all="ignore"):
            found = self._product(**self._needed(self._product, self.arrays), **self._directions(direction))
        total = {a: sum(np.asarray(found[a, b], dtype=float) for b in self.wrt) for a in self.wrt}
        return self._finite(self.flat(total), "the Hessian-vector product")

    def _finite(self, array: Array, what: str) -> Array:
        if not np.all(np.isfinite(array)):
            self.value  # noqa: B018  (says so where already the formula is not defined)
            raise DataError(
                f"{what} is not finite at this point",
                details="\n".join(self.conditions) or None,
                hint="a point at which the formula is twice differentiable",
            )
        return array

    # -- how far the numbers can be trusted

    @cached_property
    def kinks(self) -> tuple[str, ...]:
        """The kinks that the point meets: there are no derivatives there."""
        return tuple(line.partition(":")[0] for line in kinks_at(self.formula, self.wrt, self.arrays))

    @cached_property
    def unit(self) -> float:
        """What one evaluation loses, relative to its terms: rounding errors of long sums grow like a root."""
        longest = max((n for array in self.arrays.values() for n in np.shape(array)), default=1)
        return EPS * (16 + 8 * float(np.sqrt(longest)))

    @cached_property
    def value_error(self) -> float:
        size = self._magnitude(self.formula.program)
        return self.unit * max(abs(self.value), float(np.max(size)))

    def gradient_ratio(self, *, formed: bool) -> float:
        """The gradient relative to its scale: that of the terms that make it, and of its change where the point is
        rounded. Entry by entry where the Hessian is ``formed``, since entries may be of very different sizes; else by
        norms."""
        gradient = np.abs(self.gradient)
        if not np.any(gradient):
            return 0.0
        terms = np.abs(self.flat({name: self._magnitude(d.program()) for name, d in self.gradients.items()}))
        if formed:
            point = np.abs(self.point)
            moved = np.maximum(np.abs(self.hessian) @ point, np.abs(np.diag(self.hessian)) * np.max(point))
            scale = np.maximum(terms, moved)
            with np.errstate(divide="ignore"):
                return float(np.max(gradient[gradient > 0] / scale[gradient > 0]))
        norm = max(float(np.linalg.norm(terms)), float(np.linalg.norm(self.product(self.point))))
        return float(np.linalg.norm(gradient)) / norm if norm else np.inf

    @cached_property
    def hessian_error(self) -> Array:
        """A bound on the error of each entry of the Hessian: rounding of its terms, and of the data."""
        terms = {pair: self._magnitude(block.program()) for pair, block in self.blocks.items()}
        weights = self._weights[:, None] * self._weights
        rounding = np.maximum(self._as_matrix(terms) * weights, np.abs(self.hessian)) * self.unit
        return rounding + self._sensitivity()

    def product_error(self, direction: Array) -> float:
        """A bound on ‖error of H·v‖: rounding of its terms; infinite where these cannot be written down."""
        if not all(action.available for action in self._actions.values()):
            return np.inf
        known = {**self.arrays, **self._directions(direction)}
        terms = {pair: magnitudes(Program((), a.expr), known, self.sizes) for pair, a in self._actions.items()}
        total = {a: sum(terms[a, b] for b in self.wrt) for a in self.wrt}
        return self.unit * float(np.linalg.norm(self.flat(total)))

    def _sensitivity(self, samples: int = 2) -> Array:
        """How much the Hessian changes where the data are changed in their last digits: it shows ill-conditioning."""
        rng = np.random.default_rng(0)
        found = np.zeros((self.size, self.size))
        for _ in range(samples):
            changed = {name: self._stirred(name, value, rng) for name, value in self.arrays.items()}
            try:
                found = np.maximum(found, np.abs(self._hessian_at(changed) - self.hessian))
            except MatgradError:  # at the edge of what is declared
                continue
        return 4 * found

    def _stirred(self, name: str, value: Any, rng: np.random.Generator) -> Any:
        variable = self.formula.typed.variables.get(name)
        if variable is None or name in self.formula.typed.functions or "orthogonal" in variable.traits:
            return value
        noise = rng.choice([-1.0, 1.0], np.shape(value))
        if variable.traits & {"symmetric", "psd", "spd"}:
            noise = np.tril(noise) + np.tril(noise, -1).T
        return np.asarray(value) * (1 + 2 * EPS * noise)

    def _magnitude(self, program: Program) -> Array:
        return magnitudes(program, self.arrays, self.sizes)


def _require_complete(name: str, value: Any) -> None:
    """Raises DataError where an entry is nan, and says which."""
    try:
        missing = np.isnan(np.asarray(value))
    except (TypeError, ValueError):
        return  # what is no number is told where arrays are bound
    if missing.any():
        place = ",".join(str(k + 1) for k in np.argwhere(missing)[0])
        where = f" at [{place}]" if place else ""
        raise DataError(f"{name} holds nan{where}", hint="only what is complete, such as rows without missing values")
