"""Check many random formulas, and report what fails, shrunk: ``python tools/soak.py N [SEED]``."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from random_formulas import failure_of, random_formula, shrunk, variables_of

LONG = 5.0
"""Seconds from which a formula is reported as slow."""


def main(count: int, seed: int) -> int:
    failures: Counter[str] = Counter()
    for number in range(seed, seed + count):
        part, rng = random_formula(number), random.Random(number)
        wrt, order = rng.choice(variables_of(part.text)), rng.choice([1, 1, 1, 2])
        start = time.perf_counter()
        found = failure_of(part.text, wrt, order, number)
        took = time.perf_counter() - start
        if took > LONG:
            print(f"SLOW {took:.1f} s  {part.text}  in {wrt}, order {order}", flush=True)
        if found is not None:
            failures[found[0]] += 1
            if failures[found[0]] <= 40:
                least = shrunk(part, wrt, order, found[0], number)
                told = failure_of(least.text, wrt, order, number) or found
                print(f"{number}  {least.text}  in {wrt}, order {order}\n    {told[1]}", flush=True)
    print(f"{count} formulas, {failures.total()} failures", dict(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:]]
    sys.exit(main(numbers[0] if numbers else 400, numbers[1] if len(numbers) > 1 else 0))
