"""How pictures look, and how they are written: for print, in colours that the colour-blind tell apart, with markers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matgrad.errors import DataError, NotSupported

SUFFIXES = (".png", ".svg", ".pdf")
LONGEST = 70
"""Characters of a formula in a title."""
# Okabe and Ito's colours, without the yellow, which is lost on white paper; each with its own line and marker.
STYLES = (
    {"color": "#D55E00", "linestyle": "-", "marker": "o"},
    {"color": "#0072B2", "linestyle": "--", "marker": "s"},
    {"color": "#009E73", "linestyle": "-.", "marker": "^"},
    {"color": "#CC79A7", "linestyle": ":", "marker": "D"},
    {"color": "#000000", "linestyle": (0, (5, 1, 1, 1, 1, 1)), "marker": "v"},
    {"color": "#56B4E9", "linestyle": (0, (1, 1)), "marker": "P"},
)
_SETTINGS: Any = {
    "font.size": 10.0, "axes.titlesize": 11.0, "axes.labelsize": 10.0, "legend.fontsize": 9.0, "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0, "axes.spines.top": False, "axes.spines.right": False, "legend.framealpha": 0.95,
    "legend.edgecolor": "0.7", "svg.hashsalt": "matgrad", "text.usetex": False, "axes.unicode_minus": True,
}  # fmt: skip


def style(k: int) -> dict[str, Any]:
    """The colour, line and marker of the k-th curve."""
    return dict(STYLES[k % len(STYLES)])


def settings() -> Any:
    """A context in which matplotlib draws in this style; an error that says what to install where it is missing."""
    try:
        from matplotlib import rc_context
    except ImportError as error:
        raise NotSupported("pictures need the package matplotlib", hint='pip install "matgrad[plot]"') from error
    return rc_context(_SETTINGS)


def new_figure(width: float = 6.4, height: float = 4.8) -> Any:
    """An empty figure, which no window shows."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def saved(figure: Any, path: str | Path | None) -> Any:
    """The figure, written to the file if one is named: .png, .svg or .pdf."""
    if path is None:
        return figure
    path = checked(path)
    if path is not None:
        plain = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
        try:
            figure.savefig(path, dpi=200, metadata=plain[path.suffix.lower()])
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error.strerror or error}", hint="another path") from error
    return figure


def checked(path: str | Path | None) -> Path | None:
    """The path of a picture, before any work is done: its suffix says the format, its folder must exist."""
    if path is None:
        return None
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(
            f"a picture is written to a file that ends in {', '.join(SUFFIXES)}, not to {path}",
            hint=str(path.with_suffix(".png")) if path.name else "picture.png",
        )
    if not path.parent.is_dir():
        raise DataError(f"{path} cannot be written: there is no folder {path.parent}", hint=path.name)
    return path


def title_of(formula: str, before: str = "") -> str:
    """A title with a formula, cut where it is too long.

    >>> title_of("x'*x", "Contours of ")
    "Contours of x'*x"
    """
    room = LONGEST - len(before)
    return before + (formula if len(formula) <= room else formula[: room - 1] + "…")


def with_unit(label: str, units: Mapping[str, str] | None) -> str:
    """An axis label with the unit of its variable in brackets, if it has one.

    >>> with_unit("x[1]", {"x": "m"}), with_unit("c", None)
    ('x[1]  (m)', 'c')
    """
    units = units or {}
    unit = units.get(label) or units.get(label.partition("[")[0])
    return f"{label}  ({unit})" if unit else label
