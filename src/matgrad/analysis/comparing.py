"""Several methods from one start: their paths on contours, or how fast they converge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matgrad.analysis.contours import plot_paths
from matgrad.analysis.figures import checked
from matgrad.analysis.minimize import minimize
from matgrad.analysis.pictures import plot_convergence
from matgrad.analysis.plane import Choice
from matgrad.analysis.result import Result
from matgrad.errors import DataError, MatgradError
from matgrad.formula.declarations import Where
from matgrad.objects.asking import Name, Text

METHODS = ("gradient-descent", "newton", "l-bfgs")


def compare_methods(
    formula: Text,
    over: Name | Sequence[Name],
    data: Mapping[str, Any],
    start: Mapping[str, Any],
    methods: Sequence[str] = METHODS,
    path: str | Path | None = None,
    *,
    convergence: str | Path | None = None,
    plane: Choice = None,
    units: Mapping[str, str] | None = None,
    where: Where = None,
) -> dict[str, Result]:
    """What :func:`matgrad.minimize` finds by each method from one start; pictures of it where paths are given.

    ``path`` is for the paths on contours, ``convergence`` for values and gradients over the iterations. A method that
    does not converge is drawn as far as it came.

    >>> found = compare_methods("x[1]^4 + x[1]*x[2] + x[2]^2", "x", {}, {"x": [1.0, 1.5]})
    >>> [name for name in found], round(float(found["newton"].fun), 6)
    (['gradient-descent', 'newton', 'l-bfgs'], -0.015625)
    """
    targets = (checked(path), checked(convergence))
    if isinstance(methods, str) or not methods:
        raise MatgradError("methods is a sequence of names", hint='methods=("gradient-descent", "newton")')
    found = {method: minimize(formula, over, data, start, method, where=where) for method in methods}
    if targets[0] is not None:
        result = next(iter(found.values()))
        histories = {method: points_of(result) for method, result in found.items()}
        given = result.objective.over
        plot_paths(result.objective.formula, given, result.objective.data, histories, path, plane=plane, units=units)
    if targets[1] is not None:
        values = {method: [line.fun for line in result.history] for method, result in found.items()}
        slopes = {method: [line.gradient for line in result.history] for method, result in found.items()}
        plot_convergence(values, convergence, gradients=slopes)
    return found


def points_of(result: Result) -> list[dict[str, Any]]:
    """The points that a minimisation visited, by name."""
    points = [result.objective.unpack(line.z) for line in result.history if line.z is not None]
    if not points:
        raise DataError(
            "the points of the path were not kept: there are too many variables",
            hint="convergence=…, a picture of values",
        )
    return points
