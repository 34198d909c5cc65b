"""What is printed: one row for each target, with what limits it where it is not reached."""

from __future__ import annotations

from typing import Any

from benchmarks.competitors import BY_HAND, MATGRAD, PEER
from benchmarks.fresh import TARGETS
from benchmarks.machine import cpu
from benchmarks.outcome import Outcome, Timing
from benchmarks.problems import PROBLEMS
from benchmarks.problems.problem import BEST, Problem, Target

SLOWER = 1.15
_PROBLEMS = {problem.name: problem for problem in PROBLEMS}
_HEAD = ("problem", "size", "matgrad", "peer", "ratio", "target", "", "by hand", "of the limit", "MB, peer")


def progress(outcome: Outcome) -> None:
    """One problem as it is done, with all competitors."""
    print(f"{outcome.problem} {size_text(outcome)}: limit {outcome.limit:.4g} ms", flush=True)
    for timing in sorted(outcome.timings, key=lambda timing: timing.milliseconds):
        memory = "" if timing.peak_megabytes is None else f"  {timing.peak_megabytes:8.1f} MB"
        print(f"    {timing.name:45s} {timing.milliseconds:10.4f} ms{memory}")
    for name, error in outcome.wrong.items():
        print(f"    {name:45s} WRONG by {error:.1e}")
    for name, reason in outcome.absent.items():
        print(f"    {name:45s} – {reason[:110]}")


def size_text(outcome: Outcome) -> str:
    return "×".join(str(n) for n in outcome.size)


def table(outcomes: list[Outcome], fresh: dict[str, float], slower: list[str]) -> str:
    """Markdown: a row for each target, then notes, regressions and what was wrong."""
    rows = [_row(outcome, target) for outcome in outcomes for target in targets(outcome)]
    rows += [
        _cells("fresh process", "", fresh["matgrad"] * 1000, name, fresh[name] * 1000, ratio)
        for name, ratio in TARGETS.items()
        if name in fresh
    ]
    notes = {
        outcome.problem: _PROBLEMS[outcome.problem].note
        for outcome in outcomes
        if not all(reached(outcome, target) for target in targets(outcome))
    }
    lines = ["", _line(_HEAD), _line(["---"] * len(_HEAD)), *map(_line, rows), ""]
    lines += [f"- not reached: {name}. What limits it: {note}" for name, note in notes.items()]
    lines += [
        f"- WRONG: {outcome.problem} {size_text(outcome)}: {name}, by {error:.1e}"
        for outcome in outcomes
        for name, error in outcome.wrong.items()
    ]
    lines += [f"- SLOWER than stored: {one}" for one in slower]
    return "\n".join(lines)


def targets(outcome: Outcome) -> tuple[Target, ...]:
    problem = _PROBLEMS[outcome.problem]
    return problem.targets[outcome.size]


def reached(outcome: Outcome, target: Target) -> bool:
    ratio = outcome.ratio(target)
    return ratio is not None and ratio >= target.ratio


def _row(outcome: Outcome, target: Target) -> list[str]:
    problem = _PROBLEMS[outcome.problem]
    ours, peer = outcome.best(MATGRAD, target.ours), outcome.best(PEER, target.peer)
    if ours is None or peer is None:
        known = [f"{one.library} {_time(one.milliseconds)}" if one else "–" for one in (ours, peer)]
        return [
            outcome.problem,
            size_text(outcome),
            *known,
            "–",
            f"{target.ratio:g}",
            f"no {_missing(ours, target)}",
        ] + 3 * [""]
    cells = _cells(
        outcome.problem, size_text(outcome), ours.milliseconds, peer.name, peer.milliseconds, target.ratio, ours.library
    )
    by_hand = outcome.ratio(target, BY_HAND)
    share = outcome.limit / ours.milliseconds
    cells[7:] = ["–" if by_hand is None else f"{by_hand:.2f}", _share(problem, outcome, share), _memory(ours, peer)]
    return cells


def _missing(ours: Timing | None, target: Target) -> str:
    return f"matgrad ({target.ours})" if ours is None else f"peer ({target.peer})"


def _cells(
    name: str, size: str, ours: float, peer: str, theirs: float, target: float, library: str = "numpy"
) -> list[str]:
    ratio = theirs / ours
    verdict = "reached" if ratio >= target else "NOT"
    return [
        name, size, f"{library} {_time(ours)}", f"{peer} {_time(theirs)}", f"{ratio:.2f}", f"{target:g}", verdict,
        "", "", "",
    ]  # fmt: skip


def _share(problem: Problem, outcome: Outcome, share: float) -> str:
    if outcome.limit == 0:
        return "–"
    largest = outcome.size == list(problem.targets)[-1]
    wanted = f" (asked: {100 * problem.limit:.0f} %)" if problem.limit is not None and largest else ""
    return f"{100 * share:.0f} %{wanted}"


def _time(milliseconds: float) -> str:
    return f"{1000 * milliseconds:.3g} µs" if milliseconds < 1 else f"{milliseconds:.3g} ms"


def _memory(ours: Timing, peer: Timing) -> str:
    if ours.peak_megabytes is None or peer.peak_megabytes is None:
        return "–"
    return f"{ours.peak_megabytes:.1f}, {peer.peak_megabytes:.1f}"


def _line(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"


def regressions(outcomes: list[Outcome], stored: dict[str, Any] | None) -> list[str]:
    """Where matgrad takes over 15 % longer than stored for this machine, absolutely and against the best peer.

    Both, since a busy machine makes all slower, and a new version of a peer changes the ratio only.
    """
    if stored is None or stored["machine"]["cpu"] != cpu():
        return []
    before = {(one["problem"], tuple(one["size"])): one["timings"] for one in stored["outcomes"]}
    found = []
    for outcome in outcomes:
        for library in sorted({timing.library for timing in outcome.timings if timing.kind == MATGRAD}):
            old = _stored(before.get((outcome.problem, outcome.size), []), library)
            ours, peer = outcome.best(MATGRAD, library), outcome.best(PEER, BEST)
            if old is None or ours is None or peer is None:
                continue
            absolute = ours.milliseconds / old[0]
            relative = absolute / (peer.milliseconds / old[1])
            if min(absolute, relative) > SLOWER:
                name = f"{outcome.problem} {size_text(outcome)}, {library}"
                found.append(f"{name}: {_time(ours.milliseconds)} against {_time(old[0])}")
    return found


def _stored(timings: list[dict[str, Any]], library: str) -> tuple[float, float] | None:
    """The times of our code for a library and of the best peer."""
    ours = [one["milliseconds"] for one in timings if one["kind"] == MATGRAD and one["library"] == library]
    peers = [one["milliseconds"] for one in timings if one["kind"] == PEER and one["library"] != "unjitted"]
    return (min(ours), min(peers)) if ours and peers else None
