"""Which inputs matter: relative condition numbers of every output in every input.

κᵢⱼ = |xⱼ ∂Fᵢ/∂xⱼ / Fᵢ| is the percentage by which output i changes when input j changes by one percent. It says nothing
where an output is 0 (no change is small relative to it) and is 0 where an input is 0 (one percent of nothing).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from matgrad.analysis.report import array, labelled, number, table
from matgrad.analysis.setting import Setting
from matgrad.formula.declarations import Where
from matgrad.objects.asking import Name, Text

Array = Any
SHOWN = 20
"""Pairs of an output and an input in a report."""
ZERO = 64 * float(np.finfo(float).eps)
"""An output is as good as 0 if it is that small beside the terms that cancel in it."""


def sensitivity(
    formula: Text, at: Mapping[str, Any], wrt: Name | Sequence[Name] | None = None, *, where: Where = None
) -> Sensitivity:
    """The relative condition numbers |xⱼ ∂Fᵢ/∂xⱼ / Fᵢ| at a point, ranked; of all variables, if ``wrt`` names none.

    >>> s = sensitivity("a*b^3/c", {"a": 2.0, "b": 5.0, "c": 4.0})
    >>> for row in s.ranked:
    ...     print(row.output, row.input, row.relative)
    f b 3.0
    f a 1.0
    f c 1.0
    >>> sensitivity("x[1] - x[2]", {"x": [1.0, 1.0]}).ranked[0].relative
    inf
    """
    return Sensitivity(Setting(formula, at, wrt, where))


class Pair(NamedTuple):
    """One output and one input: the relative condition number, and the derivative itself."""

    output: str
    input: str
    relative: float
    derivative: float


class Sensitivity:
    """Relative condition numbers at a point. Made by :func:`sensitivity`."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.value, self.jacobian = setting.value, setting.jacobian

    @cached_property
    def zero(self) -> Array:
        """Which outputs are 0, up to the rounding of the terms xⱼ ∂Fᵢ/∂xⱼ."""
        terms = np.abs(self.jacobian * self.setting.point)
        return np.abs(self.value) <= ZERO * terms.max(axis=1, initial=0)

    @cached_property
    def relative(self) -> Array:
        """|xⱼ ∂Fᵢ/∂xⱼ / Fᵢ|, outputs by inputs: inf where Fᵢ is 0 and changes with xⱼ, nan where it is 0/0."""
        terms = np.abs(self.jacobian * self.setting.point)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = terms / np.where(self.zero, 0.0, np.abs(self.value))[:, None]
        return np.where(self.zero[:, None] & (terms == 0), np.nan, found)

    @cached_property
    def ranked(self) -> list[Pair]:
        """Every pair of an output and an input, the most sensitive first; at a tie the larger derivative first."""
        relative, slopes = self.relative, self.jacobian
        size = np.where(np.isnan(relative), -1.0, relative).reshape(-1)
        order = np.lexsort((-np.abs(slopes).reshape(-1), -size))
        inputs, outputs = self.setting.inputs, self.setting.outputs
        found = []
        for place in order:
            i, j = divmod(int(place), len(inputs))
            found.append(Pair(outputs[i], inputs[j], float(relative[i, j]), float(slopes[i, j])))
        return found

    @cached_property
    def by_variable(self) -> dict[str, float]:
        """‖∂F/∂x‖ ‖x‖ / ‖F‖ for each variable as a whole: how relative errors in norm are magnified at most."""
        size = float(np.linalg.norm(self.value))
        found = {}
        for name, span in self.setting.coordinates.spans().items():
            change = float(np.linalg.norm(self.jacobian[:, span], 2)) * float(np.linalg.norm(self.setting.point[span]))
            found[name] = change / size if size and not self.zero.all() else float("inf") if change else float("nan")
        return dict(sorted(found.items(), key=lambda item: -np.nan_to_num(item[1], nan=-1.0)))

    @property
    def notes(self) -> list[str]:
        """Where relative numbers say little, and what to look at instead."""
        notes = []
        outputs = [label for label, zero in zip(self.setting.outputs, self.zero, strict=True) if zero]
        if outputs:
            said = f"{_some(outputs)} is 0 here" if len(outputs) == 1 else f"{_some(outputs)} are 0 here"
            notes.append(f"{said}: no change is small relative to 0 (inf, or nan for 0/0); see the derivatives")
        pairs = zip(self.setting.inputs, self.setting.point, self.jacobian.T, strict=True)
        inputs = [label for label, value, column in pairs if value == 0 and np.any(column)]
        if inputs:
            said = f"{_some(inputs)} is 0 here" if len(inputs) == 1 else f"{_some(inputs)} are 0 here"
            notes.append(f"{said}: a relative change of 0 is none, so that its numbers are 0; see the derivatives")
        return [*notes, *self.setting.notes]

    def __str__(self) -> str:
        lines = [("formula", self.setting.formula.text), ("value", array(self.value.reshape(self.setting.shape)))]
        lines += [("relative", "κ = |x*∂F/∂x/F|: percent of the output for one percent of the input")]
        shown = self.ranked[:SHOWN]
        rows = [["output", "input", "κ", "∂F/∂x"]]
        rows += [[p.output, p.input, number(p.relative, 4), number(p.derivative)] for p in shown]
        body = ["  " + row for row in table(rows, left=2)]
        if len(self.ranked) > len(shown):
            body.append(f"  … and {len(self.ranked) - len(shown)} more")
        norms = ", ".join(f"{name} {number(value, 4)}" for name, value in self.by_variable.items())
        return "\n".join([labelled(lines), *body, f"in norm, ‖∂F/∂x‖ ‖x‖ / ‖F‖: {norms}", *self.notes])

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain data for JSON."""
        return {
            "formula": self.setting.formula.text,
            "value": self.value.reshape(self.setting.shape).tolist(),
            "inputs": list(self.setting.inputs),
            "outputs": list(self.setting.outputs),
            "relative": self.relative.tolist(),
            "jacobian": self.jacobian.tolist(),
            "ranked": [pair._asdict() for pair in self.ranked],
            "by_variable": self.by_variable,
            "notes": self.notes,
        }


def _some(labels: Sequence[str]) -> str:
    shown = ", ".join(labels[:6])
    return shown if len(labels) <= 6 else f"{shown} and {len(labels) - 6} more"
