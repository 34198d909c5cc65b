"""Every file of examples/ runs as a user would run it, and arrives where scikit-learn does."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


def test_there_are_examples() -> None:
    assert {path.stem for path in EXAMPLES} >= {"logistic_newton", "least_squares"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_agrees_with_scikit_learn(path: Path) -> None:
    run = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    last = run.stdout.splitlines()[-1]
    match = re.fullmatch(r"largest difference to scikit-learn.*: (\S+)", last)
    assert match, run.stdout
    assert float(match[1]) < 1e-6
    if path.stem == "logistic_newton":
        its_iterations_are_printed(run.stdout.splitlines())


def its_iterations_are_printed(lines: list[str]) -> None:
    start = next(i for i, line in enumerate(lines) if line.startswith("iteration"))
    rows = [line.split() for line in lines[start + 1 : lines.index("", start)]]
    assert [int(row[0]) for row in rows] == list(range(len(rows)))
    losses, gradients = [float(row[1]) for row in rows], [float(row[2]) for row in rows]
    assert all(after <= before * (1 + 1e-9) for before, after in itertools.pairwise(losses))
    assert gradients[-1] < 1e-9 < gradients[0]
