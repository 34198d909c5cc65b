"""Where a map is degenerate: the rank of its Jacobian, and the directions that it loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import permutations
from typing import Any

import numpy as np

from matgrad.analysis.closed import simplified
from matgrad.analysis.report import array, labelled, number
from matgrad.analysis.setting import Setting
from matgrad.errors import DataError, MatgradError
from matgrad.formula.declarations import Where
from matgrad.formula.syntax import MATRIX, SCALAR_TYPE, Expr
from matgrad.objects.asking import Name, Text
from matgrad.translate.algebra import addition, call, negative, times

Array = Any
WRITTEN_OUT = 3
"""Up to so many rows a determinant is written out."""


def degeneracy(
    formula: Text,
    at: Mapping[str, Any],
    wrt: Name | Sequence[Name] | None = None,
    *,
    where: Where = None,
    tolerance: float | None = None,
) -> Degeneracy:
    """The rank of the Jacobian at a point, and its singular directions.

    Singular values below ``tolerance`` times the largest count as 0; by default that is the rounding of a matrix of
    its size.

    >>> d = degeneracy("[x[1]^2 + x[2]; x[1]*x[2]]", {"x": [1.0, 2.0]})
    >>> d.rank, d.singular, d.determinant_text
    (1, True, '2*x[1]^2 - x[2]')
    >>> (d.lost[:, 0] / d.lost[0, 0]).round(12)
    array([ 1., -2.])
    """
    return Degeneracy(Setting(formula, at, wrt, where), tolerance)


class Degeneracy:
    """Rank, singular values and singular directions. Made by :func:`degeneracy`."""

    def __init__(self, setting: Setting, tolerance: float | None) -> None:
        self.setting = setting
        self.jacobian = setting.jacobian
        small = max(self.jacobian.shape) * float(np.finfo(float).eps)
        self.tolerance = small if tolerance is None else _checked(tolerance)
        self._left, self.singular_values, self._right = np.linalg.svd(self.jacobian)

    @property
    def rank(self) -> int:
        return int(np.sum(self.singular_values > self.tolerance * self.singular_values.max(initial=0)))

    @property
    def full(self) -> int:
        """The largest rank that a Jacobian of this shape can have."""
        return int(min(self.jacobian.shape))

    @property
    def singular(self) -> bool:
        """Whether the rank is less than it could be: the point is a critical point of the map."""
        return self.rank < self.full

    @property
    def lost(self) -> Array:
        """Input directions that do not change the value to first order, as orthonormal columns."""
        return self._right[self.rank :].T

    @property
    def missed(self) -> Array:
        """Output directions into which the value cannot move to first order, as orthonormal columns."""
        return self._left[:, self.rank :]

    @property
    def condition_number(self) -> float:
        """The largest over the smallest singular value: inf where it is singular."""
        return float("inf") if self.singular else float(self.singular_values[0] / self.singular_values[-1])

    @cached_property
    def determinant_text(self) -> str | None:
        """det J in closed form for a square Jacobian in one variable; the map is degenerate where it is 0."""
        if len(self.setting.wrt) != 1 or self.jacobian.shape[0] != self.jacobian.shape[1]:
            return None
        (d,) = self.setting.derivatives.values()
        if d.expr.kind != MATRIX or d.expr.dims[0] != d.expr.dims[1]:
            return d.text if not d.expr.dims else None
        try:
            return simplified(self.setting.formula, _determinant(d.expr)).text
        except MatgradError:
            return None

    def second_order(self, k: int = 0) -> float:
        """‖F(x + t v) − F(x)‖/t² along the k-th lost direction v, for a small t: what is left of the change."""
        step = 1e-4 * max(1.0, float(np.linalg.norm(self.setting.point)))
        moved = self.setting.value_at(self.setting.point + step * self.lost[:, k])
        return float(np.linalg.norm(moved - self.setting.value)) / step**2

    def __str__(self) -> str:
        rows, cols = self.jacobian.shape
        verdict = "singular" if self.singular else "not singular"
        lines = [
            ("formula", self.setting.formula.text),
            *((f"∂F/∂{name}", d.text) for name, d in self.setting.derivatives.items()),
            ("Jacobian", array(self.jacobian)),
            ("rank", f"{self.rank} of {self.full}: {verdict} ({rows} × {cols}, tolerance {self.tolerance:.1e})"),
            ("values", f"{array(self.singular_values)}, singular values"),
        ]
        if self.determinant_text is not None:
            lines.append(("det J", f"{self.determinant_text}, {number(float(np.linalg.det(self.jacobian)))} here"))
        lines += [("lost", f"{_unit(v)} in {_named(self.setting.inputs)}: {_LOST}") for v in self.lost.T[:SHOWN]]
        lines += [("missed", f"{_unit(u)} in {_named(self.setting.outputs)}: {_MISSED}") for u in self.missed.T[:SHOWN]]
        for what, count in (("lost", self.lost.shape[1]), ("missed", self.missed.shape[1])):
            if count > SHOWN:
                lines.append((what, f"… and {count - SHOWN} more directions"))
        return "\n".join([labelled(lines), *self.setting.notes])

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain data for JSON."""
        return {
            "formula": self.setting.formula.text,
            "inputs": list(self.setting.inputs),
            "outputs": list(self.setting.outputs),
            "jacobian": self.jacobian.tolist(),
            "rank": self.rank,
            "full": self.full,
            "singular": self.singular,
            "tolerance": self.tolerance,
            "singular_values": self.singular_values.tolist(),
            "lost": self.lost.T.tolist(),
            "missed": self.missed.T.tolist(),
            "determinant": self.determinant_text,
        }


SHOWN = 4
"""Directions of each kind in a report."""
_LOST = "F does not change along it, to first order"
_MISSED = "F cannot move there, to first order"


def _named(labels: Sequence[str]) -> str:
    return f"({', '.join(labels)})" if len(labels) <= 6 else f"{len(labels)} coordinates"


def _unit(vector: Array) -> str:
    """A unit vector, without entries that are of rounding."""
    return array(np.where(np.abs(vector) < 1e-14, 0, vector))


def _checked(tolerance: float) -> float:
    if not (isinstance(tolerance, int | float) and 0 <= tolerance < 1):
        raise DataError(f"the tolerance is a number from 0 to below 1, not {tolerance!r}", hint="tolerance=1e-10")
    return float(tolerance)


def _determinant(matrix: Expr) -> Expr:
    """det of a matrix: written out (Leibniz) if it is one of few scalar entries."""
    rows = len(matrix.value) if matrix.op == "stack" else 0
    entries = matrix.args
    if not 0 < rows <= WRITTEN_OUT or set(matrix.value) != {rows} or any(e.dims for e in entries):
        return call("det", matrix, type=SCALAR_TYPE)
    terms = []
    for order in permutations(range(rows)):
        odd = sum(order[i] > order[j] for i in range(rows) for j in range(i + 1, rows)) % 2
        term = times(*(entries[rows * i + j] for i, j in enumerate(order)))
        terms.append(negative(term) if odd else term)
    return addition(terms)
