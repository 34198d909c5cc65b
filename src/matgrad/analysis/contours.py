"""Contours of a scalar formula, with the paths of methods and the quadratic model at the start."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from matgrad.analysis.figures import checked, new_figure, saved, settings, style, title_of, with_unit
from matgrad.analysis.plane import DENSE, Choice, Plane, hessian_product, plane_of
from matgrad.analysis.setting import Setting
from matgrad.errors import DataError, MatgradError, NotSupported
from matgrad.formula.declarations import Where
from matgrad.objects.asking import Name, Text, names

Array = Any
FINE, COARSE, SECONDS = 81, 41, 3.0
"""Points along each side of the grid: as many as can be had in some seconds."""
LEVELS = 14
MOST_GROWTH = 3.0
"""How much wider a picture may become to show all of the ellipse."""
MARKED = 40
"""Steps of a path that have markers of their own."""


def plot_paths(
    formula: Text,
    over: Name | Sequence[Name],
    data: Mapping[str, Any],
    histories: Mapping[str, Any],
    path: str | Path | None = None,
    *,
    plane: Choice = None,
    quadratic: bool = True,
    title: str | None = None,
    units: Mapping[str, str] | None = None,
    where: Where = None,
) -> Any:
    """Contours with the paths of methods: the figure, written to ``path`` (.png, .svg, .pdf) if one is given.

    ``histories`` maps the name of a method to the points that it visited, each a mapping of names to arrays or one
    vector of all entries of ``over``; ``data`` holds the other variables. With more than two coordinates the contours
    are those of a plane through the last point of the first path, on which the paths are projected: ``plane`` says
    which, as two coordinates ``("x[1]", "x[3]")``, two numbers of Hessian eigenvectors ``(1, -1)``, or two arrays.
    ``quadratic`` draws the level line of the quadratic model at the start that goes through the start; its centre is
    where Newton's full step leads.

    >>> steps = [{"x": [2.0, 1.0]}, {"x": [1.0, -0.5]}, {"x": [0.4, 0.1]}]
    >>> figure = plot_paths("x[1]^2 + 4*x[2]^2", "x", {}, {"gradient descent": steps})
    >>> figure.axes[0].get_xlabel()
    'x[1]'
    """
    target = checked(path)
    if not histories:
        raise MatgradError("there is no path to draw", hint="matgrad.analysis.plot_contours(…), for contours alone")
    given = names(over)
    first = _first(next(iter(histories.values())))
    start = Setting(formula, {**data, **_by_name(given, first)}, given, where)
    start.require_scalar("a contour")
    tracks = {label: _track(start, label, history) for label, history in histories.items()}
    lowest = tracks[_lowest(start, tracks)][-1]
    settled = Setting(start.formula, {**start.arrays, **start.coordinates.arrays(lowest)}, given)
    flat = plane_of(settled, plane)
    with settings():
        figure = _drawn(settled, flat, tracks, start if quadratic else None, units)
        figure.axes[0].set_title(title or _title(settled, flat, "the lowest end; paths are projected"))
        return saved(figure, target)


def plot_contours(
    formula: Text,
    over: Name | Sequence[Name],
    at: Mapping[str, Any],
    path: str | Path | None = None,
    *,
    radius: float | None = None,
    plane: Choice = None,
    quadratic: bool = True,
    title: str | None = None,
    units: Mapping[str, str] | None = None,
    where: Where = None,
) -> Any:
    """Contours around a point, with the quadratic model there: in two coordinates, or on a plane through the point.

    >>> figure = plot_contours("x[1]^2 - x[2]^2", "x", {"x": [0.0, 0.0]}, radius=1)
    >>> figure.axes[0].get_title()
    'x[1]^2 - x[2]^2'
    """
    target = checked(path)
    setting = Setting(formula, at, over, where)
    setting.require_scalar("a contour")
    flat = plane_of(setting, plane)
    reach = float(radius) if radius is not None else 0.5 * (float(np.linalg.norm(setting.point)) or 2.0)
    if not (np.isfinite(reach) and reach > 0):
        raise DataError(f"the radius is a number above 0, not {radius!r}", hint="radius=1")
    here = flat.project(setting.point)[0]
    with settings():
        figure = new_figure(6.4, 5.2)
        axes = figure.add_subplot()
        window = ((here[0] - reach, here[0] + reach), (here[1] - reach, here[1] + reach))
        _contours(axes, setting, flat, window)
        axes.plot(*here, "k*", markersize=11, label="the point", zorder=6)
        if quadratic and _smooth(setting, flat):
            _model(axes, setting, flat, window, through=0.6 * reach, where="here")
        _finish(axes, flat, window, units)
        axes.set_title(title or _title(setting, flat, "the point"))
        return saved(figure, target)


# -- paths


def _first(history: Any) -> Any:
    if len(history) == 0:
        raise DataError("a path holds no points", hint="the start, at least")
    return history[0]


def _by_name(over: list[str], point: Any) -> dict[str, Any]:
    """A point of a path by name; a vector is taken apart where one name has all of it, or each one number."""
    if isinstance(point, Mapping):
        return dict(point)
    if len(over) == 1:
        return {over[0]: point}
    array = np.asarray(point, dtype=float)
    if array.shape == (len(over),):
        return dict(zip(over, array, strict=True))
    raise DataError(
        f"the points of a path over {', '.join(over)} are mappings of names to arrays", hint='{"x": [1, 2], "c": 3}'
    )


def _lowest(setting: Setting, tracks: Mapping[str, Array]) -> str:
    """The path whose end has the lowest value."""
    ends = {label: setting.value_at(track[-1])[0] for label, track in tracks.items()}
    return min(ends, key=lambda label: (np.isnan(ends[label]), ends[label]))


def _track(setting: Setting, label: str, history: Any) -> Array:
    """The points of a path as rows of coordinates."""
    rows: list[Array] = []
    for k, point in enumerate(history):
        if isinstance(point, Mapping):
            missing = [name for name in setting.wrt if name not in point]
            if missing:
                raise DataError(f"point {k + 1} of the path {label} has no {missing[0]}")
            row = setting.coordinates.flat(point)
        else:
            row = np.asarray(point, dtype=float).reshape(-1)
        if row.size != setting.coordinates.size:
            raise DataError(f"point {k + 1} of the path {label} has {row.size} entries, not {setting.coordinates.size}")
        rows.append(row)
    if not rows:
        raise DataError(f"the path {label} holds no points", hint="the start, at least")
    found = np.array(rows)
    return found[np.all(np.isfinite(found), axis=1)]


# -- drawing


def _drawn(
    setting: Setting, flat: Plane, tracks: Mapping[str, Array], start: Setting | None, units: Mapping[str, str] | None
) -> Any:
    figure = new_figure(6.4, 5.6)
    axes = figure.add_subplot()
    seen = {label: flat.project(track) for label, track in tracks.items()}
    window = _window(list(seen.values()), alike=flat.alike)
    start = start if start is not None and _smooth(start, flat) else None
    if start is not None:
        window = _with_ellipse(window, start, flat)
    _contours(axes, setting, flat, window)
    if start is not None:
        _model(axes, start, flat, window, through=None, where="at the start")
    for k, (label, track) in enumerate(seen.items()):
        steps = f"{len(track) - 1} step{'s' if len(track) != 2 else ''}"
        every = slice(0, min(len(track), MARKED))
        looks = style(k)
        axes.plot(*track.T, linewidth=1.6, color=looks["color"], linestyle=looks["linestyle"], zorder=4)
        axes.plot(*track[every].T, linewidth=0, markersize=4, color=looks["color"], marker=looks["marker"], zorder=4)
        axes.plot([], [], **looks, markersize=4, linewidth=1.6, label=f"{label} ({steps})")
    best = _lowest(setting, tracks)
    axes.plot(*next(iter(seen.values()))[0], "kX", markersize=8, label="start", zorder=6)
    axes.plot(*seen[best][-1], "k*", markersize=11, label=f"lowest end: {best}", zorder=6)
    _finish(axes, flat, window, units)
    return figure


_Window = tuple[tuple[float, float], tuple[float, float]]


def _window(tracks: Sequence[Array], *, alike: bool) -> _Window:
    """What is shown: starts, ends, and the points between them that are not far off.

    A square where both axes measure alike, so that angles are true.
    """
    ends = np.array([point for track in tracks for point in (track[0], track[-1])])
    middle, half = (ends.max(0) + ends.min(0)) / 2, (ends.max(0) - ends.min(0)) / 2
    reach = 2.5 * np.maximum(half, half.max() if alike else 1e-3 * half.max()) + 1e-8 * (1 + np.abs(middle).max())
    points = np.concatenate([*tracks, ends])
    near = points[np.all(np.abs(points - middle) <= reach, axis=1)]
    return _framed(near.min(0), near.max(0), 1.2, alike=alike)


def _framed(low: Array, high: Array, margin: float, *, alike: bool) -> _Window:
    """A window around a box; nearly square if both axes measure alike."""
    middle, half = (low + high) / 2, (high - low) / 2 * margin
    half = np.maximum(half, 0.8 * half.max()) if alike else np.where(half > 0, half, half.max())
    half[half == 0] = 1.0
    return (middle[0] - half[0], middle[0] + half[0]), (middle[1] - half[1], middle[1] + half[1])


def _with_ellipse(window: _Window, setting: Setting, flat: Plane) -> _Window:
    """The window with all of the quadratic model's ellipse, unless that is much larger."""
    gradient, hessian = _in_plane(setting, flat)
    if np.linalg.eigvalsh(hessian)[0] <= 0:
        return window
    inverse = np.linalg.inv(hessian)
    centre = flat.project(setting.point)[0] - inverse @ gradient
    half = np.sqrt(np.diag(inverse) * (gradient @ inverse @ gradient)) * 1.05
    found = [(min(low, c - r), max(high, c + r)) for (low, high), c, r in zip(window, centre, half, strict=True)]
    grown = max((after[1] - after[0]) / (now[1] - now[0]) for after, now in zip(found, window, strict=True))
    low, high = np.array(found).T
    return _framed(low, high, 1.0, alike=flat.alike) if grown <= MOST_GROWTH else window


def _in_plane(setting: Setting, flat: Plane) -> tuple[Array, Array]:
    """The gradient and the Hessian at the setting's point, in the plane; no large Hessian is formed."""
    if setting.coordinates.size <= DENSE:
        bent = setting.hessians[0] @ flat.basis
    else:
        bent = np.column_stack([*map(hessian_product(setting), flat.basis.T)])
    return setting.jacobian[0] @ flat.basis, setting.finite(flat.basis.T @ bent, "the Hessian")


def _smooth(setting: Setting, flat: Plane) -> bool:
    """Whether there is a quadratic model at the setting's point."""
    try:
        _in_plane(setting, flat)
    except (DataError, NotSupported):
        return False
    return True


def _grid(setting: Setting, flat: Plane, window: _Window) -> tuple[Array, Array, Array]:
    """Values on a grid: fine if the formula is fast."""
    began = time.perf_counter()
    for _ in range(3):
        setting.value_at(flat.point(window[0][0], window[1][0]))
    each = (time.perf_counter() - began) / 3
    side = int(np.clip(np.sqrt(SECONDS / max(each, 1e-9)), COARSE, FINE))
    s, t = np.linspace(*window[0], side), np.linspace(*window[1], side)
    values = np.array([[setting.value_at(flat.point(a, b))[0] for a in s] for b in t])
    return s, t, np.where(np.isfinite(values), values, np.nan)


def _contours(axes: Any, setting: Setting, flat: Plane, window: _Window) -> None:
    s, t, values = _grid(setting, flat, window)
    if np.all(np.isnan(values)):
        raise DataError("the formula is defined nowhere in the picture", hint="another point or radius")
    if np.isnan(values).any():
        axes.contourf(s, t, np.isnan(values), levels=[0.5, 1.5], colors="none", hatches=["///"])
        axes.fill([], [], facecolor="white", edgecolor="0.6", hatch="///", label="not defined")
    levels = _levels(values)
    if len(levels) < 2:
        return
    steps = np.arange(len(levels))  # greys go evenly through the levels, however these lie
    shades = np.where(np.isnan(values), np.nan, np.interp(values, levels, steps))
    axes.contourf(s, t, shades, levels=steps, cmap=_greys())
    lines = axes.contour(s, t, values, levels=levels, colors="0.45", linewidths=0.6, linestyles="solid")
    axes.clabel(lines, levels=levels[1::3], fontsize=7, fmt=lambda level: f"{level:.3g}", inline=True)


def _greys() -> Any:
    """Light greys only: paths and print stand out from them."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("light", ["0.68", "1.0"])


def _levels(values: Array) -> Array:
    """Levels that lie closer to each other near the lowest value, as the lines of a valley should; even elsewhere."""
    ordered = np.sort(values[np.isfinite(values)])
    if not ordered[-1] > ordered[0]:
        return np.array([])
    low, fifth, most, high = np.quantile(ordered, [0, 0.05, 0.95, 0.98])
    base = fifth if fifth - low > most - fifth else low  # it falls without bound: the bulk counts
    inside = values[1:-1, 1:-1]
    valley = np.isfinite(inside).any() and np.nanmin(inside) <= low
    return np.unique(base + (high - base) * np.linspace(0, 1, LEVELS) ** (2 if valley else 1))


def _model(axes: Any, setting: Setting, flat: Plane, window: _Window, through: float | None, where: str) -> None:
    """A level line of the quadratic model at the setting's point, in the plane: an ellipse where it has a minimum."""
    here = flat.project(setting.point)[0]
    gradient, hessian = _in_plane(setting, flat)
    s, t = np.linspace(*window[0], 201), np.linspace(*window[1], 201)
    moves = np.stack(np.meshgrid(s - here[0], t - here[1]), axis=-1)
    change = moves @ gradient + 0.5 * np.einsum("...i,ij,...j", moves, hessian, moves)
    values = np.linalg.eigvalsh(hessian)
    bend = float(np.max(np.abs(values))) * (through or 0.0) / 2
    tilted = float(np.linalg.norm(gradient)) > 0.1 * bend  # else the line through the point is next to nothing
    level = 0.0 if through is None or tilted else bend * through * (1 if values[-1] > 0 else -1)
    if not change.min() < level < change.max():
        return
    axes.contour(s, t, change, levels=[level], colors="#7F3C8D", linewidths=1.6, linestyles="dashed", zorder=3)
    shape = (
        "ellipse" if values[0] > 0 or values[-1] < 0 else "hyperbola" if values[0] < 0 < values[-1] else "level line"
    )
    axes.plot([], [], color="#7F3C8D", linestyle="dashed", linewidth=1.6, label=f"quadratic model {where}: {shape}")
    if values[0] > 0:
        centre = here - np.linalg.solve(hessian, gradient)
        if all(low <= c <= high for c, (low, high) in zip(centre, window, strict=True)) and np.any(gradient):
            axes.plot(*centre, marker="+", color="#7F3C8D", markersize=10, markeredgewidth=2, linewidth=0,
                      label="its minimum (Newton's full step)", zorder=5)  # fmt: skip


def _title(setting: Setting, flat: Plane, through: str) -> str:
    """The formula, and how the plane lies where it is not the whole space."""
    formula = title_of(setting.formula.text)
    return formula if flat.whole else f"{formula}\nslice through {through}"


def _finish(axes: Any, flat: Plane, window: _Window, units: Mapping[str, str] | None) -> None:
    axes.set_xlim(*window[0])
    axes.set_ylim(*window[1])
    axes.set_aspect("equal" if flat.alike else "auto")
    axes.set_xlabel(with_unit(flat.labels[0], units))
    axes.set_ylabel(with_unit(flat.labels[1], units))
    axes.get_figure().legend(loc="outside lower center", ncols=2)
