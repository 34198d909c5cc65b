"""Pictures of an analysis: spectra, convergence, and how good a linearisation is. Contours are in ``contours``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from matgrad.analysis.figures import checked, new_figure, saved, settings, style, title_of
from matgrad.analysis.linear import Linearization
from matgrad.errors import DataError, MatgradError

Array = Any
NONE = 1e-14
"""Eigenvalues below this part of the largest are about 0."""
DECADES = 2.0
"""Spectra that span more than so many powers of ten have a logarithmic axis."""
UNEVEN = 30
"""A run so many times longer than another makes the axis of the iterations logarithmic."""
DISTANCES, DIRECTIONS = 13, 24


def plot_spectrum(
    eigenvalues: Any, path: str | Path | None = None, *, title: str | None = None, unit: str | None = None
) -> Any:
    """Eigenvalues from the largest to the smallest; of a mapping of labels to arrays, several spectra.

    Over many powers of ten their sizes are shown on a logarithmic axis, negative ones as triangles.

    >>> figure = plot_spectrum([4 + 8**0.5, 4 - 8**0.5])
    >>> figure.axes[0].get_legend_handles_labels()[1]
    ['eigenvalues: all positive, κ = 5.83']
    """
    target = checked(path)
    given = eigenvalues if isinstance(eigenvalues, Mapping) else {"eigenvalues": eigenvalues}
    spectra = {str(label): _spectrum(str(label), values) for label, values in given.items()}
    if not spectra:
        raise MatgradError("there is no spectrum to draw")
    sizes = np.abs(np.concatenate(list(spectra.values())))
    largest = float(sizes.max(initial=0))
    known = sizes[sizes > NONE * largest]
    wide = len(known) > 0 and np.log10(known.max() / known.min()) > DECADES
    with settings():
        figure = new_figure()
        axes = figure.add_subplot()
        for k, (label, values) in enumerate(spectra.items()):
            _draw_spectrum(axes, values, f"{label}: {_said(values)}", style(k), wide, NONE * largest)
        if wide:
            axes.set_yscale("log")
        else:
            axes.axhline(0, color="0.6", linewidth=0.8, zorder=1)
        axes.set_xlabel("number, from the largest")
        axes.set_ylabel(("|eigenvalue|" if wide else "eigenvalue") + (f"  ({unit})" if unit else ""))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(axis="y", color="0.9", linewidth=0.6)
        axes.set_title(title or "Spectrum")
        figure.legend(loc="outside lower center")
        return saved(figure, target)


def _spectrum(label: str, values: Any) -> Array:
    try:
        found = np.asarray(values, dtype=float).reshape(-1)
    except (TypeError, ValueError) as error:
        raise DataError(f"the spectrum {label} is not an array of real numbers") from error
    if not found.size or not np.all(np.isfinite(found)):
        raise DataError(f"the spectrum {label} is empty or holds nan or an infinite number")
    return np.sort(found)[::-1]


def _said(values: Array) -> str:
    """How many are positive, negative, about 0; the condition number where all are positive."""
    largest = float(np.abs(values).max())
    zero = np.abs(values) <= NONE * largest
    negative = int(np.sum((values < 0) & ~zero))
    if not zero.any() and not negative:
        return f"all positive, κ = {values[0] / values[-1]:.3g}"
    if not zero.any() and negative == len(values):
        return f"all negative, κ = {values[-1] / values[0]:.3g}"
    none = int(zero.sum())
    counts = ((len(values) - negative - none, "positive"), (negative, "negative"), (none, "about 0"))
    return ", ".join(f"{count} {word}" for count, word in counts if count)


def _draw_spectrum(axes: Any, values: Array, label: str, looks: dict[str, Any], wide: bool, floor: float) -> None:
    numbers = np.arange(1, len(values) + 1)
    size = 5 if len(values) <= 60 else 2.5
    common = {"color": looks["color"], "linewidth": 0, "markersize": size}
    if not wide:
        axes.plot(numbers, values, marker=looks["marker"], label=label, **common)
        return
    up, down = values > floor, values < -floor
    axes.plot(numbers[up], values[up], marker=looks["marker"], label=label, **common)
    if down.any():
        axes.plot(
            numbers[down], -values[down], marker="v", markerfacecolor="white", label="negative: its size", **common
        )


def plot_convergence(
    values: Mapping[str, Any],
    path: str | Path | None = None,
    *,
    gradients: Mapping[str, Any] | None = None,
    best: float | None = None,
    title: str | None = None,
    unit: str | None = None,
) -> Any:
    """How fast methods converge: f − best over the iterations, and ‖∇f‖ beside it where ``gradients`` has it.

    ``values`` maps the name of a method to the values of f that it had; ``best`` is the lowest of all if not given.

    >>> figure = plot_convergence({"gradient descent": [1.0, 0.25, 0.0625], "Newton": [1.0, 0.0]})
    >>> figure.axes[0].get_ylabel()
    'f − lowest f'
    """
    target = checked(path)
    runs = {label: _numbers(label, run) for label, run in values.items()}
    if not runs:
        raise MatgradError("there is no run to draw", hint='{"Newton": [1.0, 0.25, …]}')
    lowest = min(float(np.nanmin(run)) for run in runs.values()) if best is None else float(best)
    lengths = [len(run) for run in runs.values()]
    uneven = max(lengths) > UNEVEN * min(lengths)
    with settings():
        figure = new_figure(6.4 if gradients is None else 9.6, 4.4)
        shown = [("f − lowest f" if best is None else "f − best f", {n: run - lowest for n, run in runs.items()})]
        if gradients is not None:
            shown.append(("‖∇f‖", {label: _numbers(label, run) for label, run in gradients.items()}))
        order = {label: k for k, label in enumerate(dict.fromkeys([*runs, *(gradients or {})]))}
        for k, (name, curves) in enumerate(shown):
            axes = figure.add_subplot(1, len(shown), k + 1)
            for label, run in curves.items():
                shown_as = label if k == 0 or label not in runs else "_" + label
                _draw_run(axes, run, shown_as, style(order[label]), first=int(uneven))
            axes.set_yscale("log")
            axes.set_xlabel("iteration, the start counted as 1" if uneven else "iteration")
            axes.set_ylabel(name + (f"  ({unit})" if unit and k == 0 else ""))
            if uneven:
                axes.set_xscale("log")
            else:
                axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(axis="y", color="0.9", linewidth=0.6)
        figure.suptitle(title or "Convergence", fontsize=11)
        figure.legend(loc="outside lower center", ncols=min(3, len(order)))
        return saved(figure, target)


def _draw_run(axes: Any, run: Array, label: str, looks: dict[str, Any], *, first: int) -> None:
    """A curve; what is 0 or less cannot stand on a logarithmic axis and is left out."""
    steps = np.arange(first, first + len(run))
    known = np.isfinite(run) & (run > 0)
    every: Any = 0.05 if first else max(1, len(run) // 20)  # on a logarithmic axis by distance
    axes.plot(steps[known], run[known], **looks, markersize=4, linewidth=1.6, markevery=every, label=label)


def _numbers(label: str, run: Any) -> Array:
    try:
        found = np.asarray(run, dtype=float).reshape(-1)
    except (TypeError, ValueError) as error:
        raise DataError(f"the run {label} is not a sequence of numbers") from error
    if not np.isfinite(found).any():
        raise DataError(f"the run {label} holds no finite number")
    return found


def plot_linearization(
    linearization: Linearization, path: str | Path | None = None, *, title: str | None = None, unit: str | None = None
) -> Any:
    """The error of both Taylor models over the distance: largest and mean over random directions, with the slopes.

    >>> from matgrad.analysis import linearize
    >>> figure = plot_linearization(linearize("sin(x)", {"x": 1.0}))
    >>> figure.axes[0].get_legend_handles_labels()[1][0]
    'first order: largest (slope 2)'
    """
    target = checked(path)
    distances = linearization.radius * 0.5 ** np.arange(DISTANCES)
    errors = _errors(linearization, distances)
    with settings():
        figure = new_figure()
        axes = figure.add_subplot()
        for order, name in enumerate(("first order", "second order")):
            _draw_errors(axes, distances, errors[:, :, order], name, order, linearization.rounding)
        axes.axhline(linearization.rounding, color="0.6", linewidth=0.8, linestyle=(0, (1, 2)), label="rounding")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("distance ‖dx‖" + (f"  ({unit})" if unit else ""))
        axes.set_ylabel("‖F − model‖")
        axes.grid(color="0.92", linewidth=0.6)
        formula = linearization.setting.formula.text
        axes.set_title(title or title_of(formula, "Error of the Taylor models of "))
        figure.legend(loc="outside lower center", ncols=2)
        return saved(figure, target)


def _errors(linearization: Linearization, distances: Array) -> Array:
    """Errors by distance, direction and order."""
    rng = np.random.default_rng(linearization.seed)
    directions = rng.standard_normal((DIRECTIONS, linearization.setting.coordinates.size))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.array([[linearization.errors_after(r * u) for u in directions] for r in distances])


def _draw_errors(axes: Any, distances: Array, errors: Array, name: str, order: int, floor: float) -> None:
    looks = style(order)
    known = np.all(np.isfinite(errors), axis=1)
    distances, errors = distances[known], errors[known]
    largest, mean = errors.max(1, initial=0), errors.mean(1) if len(errors) else errors
    seen = largest > floor
    slope = f" (slope {order + 2})"
    if not seen.any():
        axes.plot([], [], **looks, label=f"{name}: none but rounding")
        return
    axes.plot(distances, np.maximum(largest, floor / 100), **looks, markersize=4, label=f"{name}: largest{slope}")
    axes.plot(distances, np.maximum(mean, floor / 100), color=looks["color"], linewidth=0.8, label=f"{name}: mean")
    start = int(np.argmax(seen))
    reference = 2 * largest[start] * (distances / distances[start]) ** (order + 2)
    shown = reference > floor
    axes.plot(distances[shown], reference[shown], color="0.5", linewidth=0.8, linestyle=(0, (6, 3)),
              label="_slope" if order else "slopes 2 and 3, for comparison")  # fmt: skip
