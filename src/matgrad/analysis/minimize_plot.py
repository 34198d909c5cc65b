"""A picture of a minimisation: its path on contours where two numbers vary, else how value and gradient fall."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from matgrad.analysis.contours import plot_paths
from matgrad.analysis.figures import title_of
from matgrad.analysis.pictures import plot_convergence

if TYPE_CHECKING:
    from matgrad.analysis.result import Result


def plot_minimize(result: Result, path: str | Path | None = None, *, title: str | None = None) -> Any:
    """The figure, written to ``path`` (.png, .svg or .pdf) if one is given.

    >>> import matgrad
    >>> found = matgrad.minimize("sum(cosh(x - b))", "x", {"b": [1, 2, 3]})
    >>> plot_minimize(found).axes[0].get_xlabel()
    'iteration'
    """
    made = result.objective
    points = [made.unpack(line.z) for line in result.history if line.z is not None]
    if made.size == 2 and len(points) > 1:
        return plot_paths(made.formula, made.over, made.data, {result.method: points}, path, title=title)
    values = {result.method: [line.fun for line in result.history]}
    slopes = {result.method: [line.gradient for line in result.history]}
    return plot_convergence(values, path, gradients=slopes, title=title or title_of(made.formula.text, "Minimising "))
