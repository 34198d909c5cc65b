"""Times of several competitors on several tasks: CPU time of the process, repetitions interleaved, medians."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from signal import ITIMER_REAL, SIGALRM, setitimer, signal
from typing import Any

Task = Callable[[], Any]
PATIENCE = 20.0
"""Seconds after which a competitor has failed at a task. Not of CPU time: once a timer of that kind has been set, Linux
reads the clock of the process's CPU time in steps of milliseconds."""


class TooLong(Exception):
    """A task was stopped."""


@contextmanager
def limited(seconds: float = PATIENCE) -> Iterator[None]:
    """Raise TooLong where what is inside takes longer."""

    def stop(number: int, frame: object) -> None:
        raise TooLong(f"not done after {seconds:g} s")

    before = signal(SIGALRM, stop)
    setitimer(ITIMER_REAL, seconds)
    try:
        yield
    finally:
        setitimer(ITIMER_REAL, 0)
        signal(SIGALRM, before)


def once(task: Task, prepare: Callable[[], None]) -> float:
    """Seconds of CPU time that a task takes after a preparation."""
    prepare()
    start = time.process_time()
    task()
    return time.process_time() - start


def interleaved(
    tasks: Mapping[tuple[str, str], Task], prepare: Mapping[str, Callable[[], None]], repeat: int
) -> dict[tuple[str, str], float]:
    """The median time in milliseconds of each (task, competitor): all once, then all again, so that what else the
    machine does falls on all alike."""
    times: dict[tuple[str, str], list[float]] = {key: [] for key in tasks}
    gc.collect()
    gc.freeze()  # what was imported to check the answers is no garbage to look through while others are timed
    for _ in range(repeat):
        gc.collect()
        for key, task in tasks.items():
            times[key].append(once(task, prepare[key[1]]))
    return {key: 1000 * statistics.median(found) for key, found in times.items()}


def quantile(values: list[float], share: float) -> float:
    """The smallest value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


LEAST_SAMPLE = 2e-3
"""Seconds that a sample takes at the least: shorter tasks are called several times in it."""
HOPELESS = 3.0
"""A competitor that in a first call takes this many times as long as the fastest one of its group is called no more."""


def compared(tasks: Mapping[str, Task], groups: Mapping[str, str], repeat: int) -> dict[str, list[float]]:
    """CPU seconds of one call of each task, sample by sample, interleaved; each round has an order of its own, and each
    sample begins with a call that is not timed, so that nobody pays for what another has left in the caches.

    Tasks of one group compete with each other: only the fastest one's time will be wanted.
    """
    first = {name: _roughly(task) for name, task in tasks.items()}
    fastest = {group: min(first[name] for name in tasks if groups[name] == group) for group in groups.values()}
    names = [name for name in tasks if first[name] <= max(HOPELESS * fastest[groups[name]], LEAST_SAMPLE)]
    calls = {name: max(1, int(LEAST_SAMPLE / max(first[name], 1e-7))) for name in names}
    found: dict[str, list[float]] = {name: [] if name in names else [seconds] for name, seconds in first.items()}
    gc.collect()
    gc.disable()
    for round_ in range(repeat):
        for name in random.Random(round_).sample(names, len(names)):
            found[name].append(once(_repeated(tasks[name], calls[name]), tasks[name]) / calls[name])
    gc.enable()
    return found


def _roughly(task: Task) -> float:
    """Seconds of a call; of a short one, once it is warm."""
    cold = once(task, _nothing)
    return cold if cold > 10 * LEAST_SAMPLE else min(once(task, _nothing) for _ in range(5))


def _repeated(task: Task, calls: int) -> Task:
    def all_of_them() -> None:
        for _ in range(calls):
            task()

    return all_of_them


def _nothing() -> None:
    pass
