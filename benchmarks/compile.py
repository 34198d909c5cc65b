"""matgrad's code beside the derivatives of JAX, PyTorch and autograd, and beside what the machine can do.

CPU time of one process on one core with one thread everywhere, in double precision. Every competitor's result is
compared with that of the others before it is timed; repetitions are interleaved; medians count.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import fresh, limits, machine, report
from benchmarks.competitors import LIBRARIES, Competitor, competitors, installed, numbers
from benchmarks.measure import compared, limited
from benchmarks.memory import peak_megabytes
from benchmarks.outcome import Outcome, Timing
from benchmarks.problems import PROBLEMS
from benchmarks.problems.problem import Problem, Size

AGREEMENT = 1e-8
"""The largest error of an entry, relative to the largest entry."""


def run(
    repeat: int,
    output: Path,
    only: Sequence[str] | None,
    libraries: Sequence[str] = LIBRARIES,
    *,
    stored: Path | None = None,
    store: bool = False,
    plot: bool = True,
    memory: bool = True,
    fresh_processes: bool = True,
) -> int:
    """Measure, print, write JSON and plot; 1 if something is wrong or slower than what is stored for this machine."""
    libraries = [library for library in libraries if _usable(library)]
    ceiling = limits.measured(min(repeat, 5))
    outcomes = []
    for problem in PROBLEMS:
        if only is None or any(part in problem.name for part in only):
            for size in problem.targets:
                outcomes.append(measured(problem, size, repeat, libraries, ceiling, memory=memory))
                report.progress(outcomes[-1])
    started = fresh.measured(libraries, max(3, repeat // 3)) if fresh_processes else {}
    found = {
        "machine": machine.described(),
        "limits": asdict(ceiling),
        "repeat": repeat,
        "outcomes": [asdict(outcome) for outcome in outcomes],
        "fresh": started,
    }
    stored = stored or machine.results()
    slower = report.regressions(outcomes, _read(stored))
    print(report.table(outcomes, started, slower))
    output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"all figures: {output}")
    if plot:
        from benchmarks import plot as plotting

        print(f"time over size: {plotting.draw(outcomes, output.with_suffix('.svg'))}")
    if store:
        stored.parent.mkdir(exist_ok=True)
        stored.write_text(output.read_text(encoding="utf-8"), encoding="utf-8")
        print(f"stored for this machine: {stored}")
    return 1 if slower or any(outcome.wrong for outcome in outcomes) else 0


def _usable(library: str) -> bool:
    """Import a library and hold it to one thread."""
    if not installed(library):
        print(f"{library} is not installed: left out")
        return False
    if library == "torch":
        import torch

        torch.set_num_threads(1)
    return True


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def measured(
    problem: Problem,
    size: Size,
    repeat: int,
    libraries: Sequence[str],
    ceiling: limits.Limits,
    *,
    memory: bool = True,
) -> Outcome:
    """All competitors on one problem."""
    outcome = Outcome(problem.name, size, 1000 * ceiling.seconds(problem.work(*size)))
    ready: dict[str, tuple[Competitor, list[np.ndarray]]] = {}
    for name, make in competitors(problem, problem.arrays(size), libraries):
        try:
            with limited():
                competitor = make()
                ready[name] = competitor, numbers(competitor.task())
        except Exception as error:  # a competitor that cannot do it is reported, whatever its reason
            outcome.absent[name] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    truth = _truth(ready)
    tasks = {}
    for name, (competitor, result) in ready.items():
        error = _disagreement(result, truth)
        if error <= AGREEMENT:
            tasks[name] = competitor.task
        else:
            outcome.wrong[name] = error
    groups = {name: f"{ready[name][0].kind} {ready[name][0].library}" for name in tasks}
    for name, times in compared(tasks, groups, repeat).items():
        competitor = ready[name][0]
        peak = peak_megabytes(competitor.task) if memory else None
        median, least = 1000 * statistics.median(times), 1000 * min(times)
        timing = Timing(name, competitor.kind, competitor.library, median, least, len(times), peak)
        outcome.timings.append(timing)
    return outcome


def _truth(ready: dict[str, tuple[Competitor, list[np.ndarray]]]) -> list[np.ndarray]:
    """The result that most competitors agree with."""
    results = [result for _, result in ready.values()]
    return max(results, key=lambda one: sum(_disagreement(other, one) <= AGREEMENT for other in results), default=[])


def _disagreement(result: list[np.ndarray], truth: list[np.ndarray]) -> float:
    """The largest error over the largest entry, of the worst array; inf where shapes differ, and for nan."""
    if [part.shape for part in result] != [part.shape for part in truth]:
        return float("inf")
    errors = [
        float(np.max(np.abs(ours - theirs), initial=0.0)) / max(float(np.max(np.abs(theirs), initial=0.0)), 1e-300)
        for ours, theirs in zip(result, truth, strict=True)
    ]
    worst = max(errors, default=0.0)
    return float("inf") if np.isnan(worst) else worst
