"""Derivatives at work: what a gradient, a Jacobian and a Hessian are for. Names are loaded when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "compare_methods": "matgrad.analysis.comparing",
    "composition": "matgrad.analysis.compositions",
    "degeneracy": "matgrad.analysis.rank",
    "descent_step": "matgrad.analysis.direction",
    "directional": "matgrad.analysis.direction",
    "fisher": "matgrad.analysis.fisher_information",
    "implicit": "matgrad.analysis.implicit_functions",
    "jacobian_operator": "matgrad.analysis.maps",
    "linearize": "matgrad.analysis.linear",
    "curvature": "matgrad.analysis.local_curvature",
    "load_data": "matgrad.analysis.data",
    "plot_contours": "matgrad.analysis.contours",
    "plot_convergence": "matgrad.analysis.pictures",
    "plot_linearization": "matgrad.analysis.pictures",
    "plot_minimize": "matgrad.analysis.minimize_plot",
    "plot_paths": "matgrad.analysis.contours",
    "plot_spectrum": "matgrad.analysis.pictures",
    "propagate": "matgrad.analysis.propagation",
    "pullback": "matgrad.analysis.maps",
    "pushforward": "matgrad.analysis.maps",
    "sensitivity": "matgrad.analysis.sensitivities",
    "steepest": "matgrad.analysis.direction",
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
