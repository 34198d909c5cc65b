"""What is printed, against what an expert writes: standard results of books and papers, exactly as we print them.

A line of expert.jsonl has ``formula``, ``where``, ``wrt``, ``order``, the ``text`` printed, mostly the ``expert``'s own
answer, and, where parts repeat, ``short`` and its ``names``.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import matgrad
from matgrad.checking.sampling import Subject, points
from matgrad.formula.reference import evaluate
from matgrad.formula.syntax import Program

Line = dict[str, Any]
LINES: list[Line] = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "expert.jsonl").read_text(encoding="utf-8").splitlines()
]
every_line = pytest.mark.parametrize(
    "line", LINES, ids=lambda line: f"{line['formula'][:50]} {line['wrt']}{line['order']}"
)


def _derive(line: Line) -> matgrad.Derivative:
    return matgrad.derive(line["formula"], line["wrt"], where=line["where"], order=line["order"])


@every_line
def test_the_text_is_the_experts_and_right(line: Line) -> None:
    derivative = _derive(line)
    assert derivative.text == line["text"]
    assert derivative.closed_form
    assert derivative.verify(points=2).passed is True


@pytest.mark.parametrize("line", [line for line in LINES if "names" in line], ids=lambda line: line["formula"][:50])
def test_short_names_what_repeats(line: Line) -> None:
    """The names are as expected, and putting them in gives the text's value."""
    derivative = _derive(line)
    assert (derivative.short, derivative.names) == (line["short"], line["names"])
    formula = derivative.formula
    subjects = [Subject(n, v.type, frozenset(v.traits)) for n, v in formula.typed.variables.items()]
    named = Program((*formula.program.definitions, *derivative.reading.definitions), derivative.reading.body)
    plain = Program(formula.program.definitions, derivative.expr)
    for count, point in enumerate(points(formula.program, subjects, (), seed=5)):
        value, other = (np.asarray(evaluate(p, point.arrays, point.sizes)) for p in (plain, named))
        np.testing.assert_allclose(other, value, rtol=1e-9, atol=1e-11 * (1 + np.max(np.abs(value))))
        if count == 2:
            break


def test_lengths_are_an_experts() -> None:
    """Without spaces, over all lines that have an expert's answer; the exact texts are above."""
    ratios = sorted(
        len(line["text"].replace(" ", "")) / len(line["expert"].replace(" ", "")) for line in LINES if "expert" in line
    )
    assert len(ratios) > 300
    assert statistics.median(ratios) <= 1.0
    assert ratios[int(0.9 * len(ratios))] <= 1.05
