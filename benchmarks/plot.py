"""Time over size, both logarithmic: one panel for each problem, one line for each kind of competitor."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from benchmarks.competitors import BY_HAND, MATGRAD, PEER
from benchmarks.outcome import Outcome
from benchmarks.problems.problem import AUTOGRAD, JAX, TORCH

LINES = (
    ("matgrad, NumPy", MATGRAD, "numpy", "C0", "o-"),
    ("matgrad, JAX", MATGRAD, JAX, "C0", "s--"),
    ("matgrad, PyTorch", MATGRAD, TORCH, "C0", "^:"),
    ("by hand, best", BY_HAND, None, "C2", "x-"),
    ("JAX", PEER, JAX, "C1", "s-"),
    ("PyTorch", PEER, TORCH, "C3", "^-"),
    ("autograd", PEER, AUTOGRAD, "C7", "v-"),
)
COLUMNS = 4


def draw(outcomes: list[Outcome], path: Path) -> Path:
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(outcome.problem for outcome in outcomes))
    rows = math.ceil(len(names) / COLUMNS)
    figure = Figure(figsize=(4.2 * COLUMNS, 3.4 * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False)
    for ax in axes.flat[len(names) :]:
        ax.set_axis_off()
    for ax, name in zip(axes.flat, names, strict=False):
        chosen = sorted((o for o in outcomes if o.problem == name), key=lambda o: math.prod(o.size))
        for label, kind, library, colour, style in LINES:
            points = []
            for outcome in chosen:
                fitting = [t for t in outcome.timings if t.kind == kind and library in (None, t.library)]
                if fitting:
                    points.append((math.prod(outcome.size), min(t.milliseconds for t in fitting)))
            if points:
                ax.loglog(*zip(*points, strict=True), style, color=colour, label=label, markersize=5)
        if all(outcome.limit for outcome in chosen):
            sizes = [math.prod(outcome.size) for outcome in chosen]
            ax.loglog(sizes, [outcome.limit for outcome in chosen], "k_--", linewidth=1, label="limit of the machine")
        _ticks(ax, chosen)
        ax.set_title(name, fontsize=10)
        ax.set_ylabel("ms of CPU time")
    handles = {label: line for ax in axes.flat for line, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(LINES) + 1)
    figure.savefig(path)
    return path


def _ticks(ax: Any, chosen: list[Outcome]) -> None:
    from matplotlib.ticker import NullFormatter

    ax.set_xticks([math.prod(o.size) for o in chosen], ["×".join(map(str, o.size)) for o in chosen])
    ax.xaxis.set_minor_formatter(NullFormatter())
