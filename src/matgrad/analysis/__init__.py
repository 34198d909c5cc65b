"""Derivatives at work: what a gradient, a Jacobian and a Hessian are for. Names are loaded when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "jacobian_operator": "matgrad.analysis.maps",
    "plot_contours": "matgrad.analysis.contours",
    "plot_paths": "matgrad.analysis.contours",
    "pullback": "matgrad.analysis.maps",
    "pushforward": "matgrad.analysis.maps",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605  (a list of names, made from the table)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'matgrad.analysis' has no attribute {name!r}")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
