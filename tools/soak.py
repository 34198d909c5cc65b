"""Check many random formulas, and report what fails, shrunk: ``python tools/soak.py COUNT [--seed N] [--jobs K]``.

Formula number N is the same in every run; here every form of its derivative is compared, with ``--share 6`` each form
for one formula in six, as in the tests. With ``--resume FILE`` what has been done is written there, and a run that
was interrupted goes on where it was. A million, on two cores:

    python tools/soak.py 1000000 --jobs 2 --resume soak.json

With ``--near`` the formulas are those near the examples of laws and rules, and only their code is checked.

With ``--growth`` nothing is checked but that one process derives and prints so many without growing: its memory is told
ten times, and must not be larger in the end than after the first tenth.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from formula_properties import failure_of, outcome_of, shrunk, trials_of
from near_examples import failure_near, false_fact, near_example
from random_formulas import random_formula, variables_of, where_of

import matgrad

SLOW = 2.0
"""Seconds from which a formula is reported as slow."""
CHUNK = 200
GROWTH = 64.0
"""Megabytes by which the memory of a process may differ from that after a tenth of its derivations."""
SHRINK = 40
"""Failures of one kind that are shrunk, a chunk: the later ones are told as they are."""


@dataclass
class Found:
    """What a run has found so far."""

    done: int = 0
    trials: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    slow: int = 0
    lines: list[str] = field(default_factory=list)

    def add(self, other: Found) -> None:
        self.done += other.done
        self.trials += other.trials
        self.slow += other.slow
        self.failures.update(other.failures)
        self.notes.update(other.notes)
        self.lines += other.lines


def run(start: int, stop: int, share: int = 1) -> Found:
    """The formulas from ``start`` to ``stop``, and what is wrong with them."""
    found = Found()
    for number in range(start, stop):
        part = random_formula(number)
        for wrt, order in trials_of(part, number):
            began = time.perf_counter()
            outcome = outcome_of(part.text, wrt, order, number, share)
            took = time.perf_counter() - began
            found.trials += 1
            if took > SLOW:
                found.slow += 1
                found.lines.append(f"SLOW {took:.1f} s  {part.text}  in {wrt}, order {order}")
            if isinstance(outcome, list):
                found.notes.update(outcome)
                continue
            found.failures[outcome[0]] += 1
            least = part
            if found.failures[outcome[0]] <= SHRINK and took < SLOW:
                least = shrunk(part, wrt, order, outcome[0], number, share=share)
            told = failure_of(least.text, wrt, order, number, share) or outcome
            found.lines.append(f"{number}  {least.text}  in {wrt}, order {order}\n    {told[1]}")
        found.done += 1
    return found


def run_near(start: int, stop: int, _share: int = 1) -> Found:
    """The same for formulas near examples."""
    found = Found()
    for number in range(start, stop):
        made = near_example(number)
        for order in (0, 1) if made is not None else ():
            text, where = made or ("", "")
            began = time.perf_counter()
            try:
                failure = (
                    failure_near(text, where, number, order) or (order and false_fact(text, where, number)) or None
                )
            except Exception as error:  # whatever it is, it is a finding
                failure = f"raised {type(error).__name__}: {str(error)[:300]}"
            took = time.perf_counter() - began
            found.trials += 1
            if took > SLOW:
                found.slow += 1
                found.lines.append(f"SLOW {took:.1f} s  {text}  with {where}, order {order}")
            if failure is not None:
                found.failures[failure.split(":")[0]] += 1
                found.lines.append(f"{number}  {text}  with {where}, order {order}\n    {failure}")
        found.done += 1
    return found


def grown(count: int, seed: int) -> bool:
    """Derive and print that many short formulas, the one after the other; whether the process grew meanwhile."""
    told = []
    for number in range(count):
        text = random_formula(seed + number, depth=1).text
        str(matgrad.derive(text, variables_of(text)[0], where=where_of(text)).text)
        if (number + 1) % max(count // 10, 1) == 0:
            told.append(_megabytes())
            print(f"{number + 1} derivations: {told[-1]:.0f} MB", flush=True)
    return told[-1] - told[0] > GROWTH


def _megabytes() -> float:
    """The resident memory of this process, on Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0, help="number of the first formula")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--share", type=int, default=1, help="compare each form for one formula in so many")
    parser.add_argument("--resume", type=Path, help="a file that keeps what has been done")
    parser.add_argument("--near", action="store_true", help="formulas near the examples of laws and rules")
    parser.add_argument("--growth", action="store_true", help="derive all in one process, which must not grow")
    options = parser.parse_args(arguments)
    if options.growth:
        return int(grown(options.count, options.seed))
    total = _loaded(options.resume)
    first, last = options.seed + total.done, options.seed + options.count
    chunks = ((n, min(n + CHUNK, last), options.share) for n in range(first, last, CHUNK))
    began = time.perf_counter()
    with ProcessPoolExecutor(options.jobs) as pool:
        while batch := list(islice(chunks, 2 * options.jobs)):
            for found in pool.map(run_near if options.near else run, *zip(*batch, strict=True)):
                print("\n".join(found.lines), end="\n" if found.lines else "", flush=True)
                total.add(found)
            if options.resume:
                options.resume.write_text(json.dumps(vars(total)))
    print(f"{total.done} formulas, {total.trials} derivatives, {time.perf_counter() - began:.0f} s, {total.slow} slow")
    print("failures:", dict(total.failures) or "none")
    print("noted:", dict(total.notes))
    return 1 if total.failures else 0


def _loaded(path: Path | None) -> Found:
    if path is None or not path.exists():
        return Found()
    known = json.loads(path.read_text())
    return Found(**{**known, "failures": Counter(known["failures"]), "notes": Counter(known["notes"])})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
