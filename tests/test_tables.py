"""Published tables as data: the Matrix Cookbook's derivatives and identities, and the derivatives that SymPy tests.

Each entry is right, or not covered, and why. Facts only, written in the language of matgrad. The Cookbook's numbers are
meant to be those of the version of 15 November 2012 and have not been compared with it again: what the tests show is
that the entries are true. Those of SymPy are from sympy/matrices/expressions/tests/test_derivatives.py (commit
057ec4a8), where all is square; here sizes differ where they may.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensor_evaluator import evaluate

import matgrad
from matgrad.formula.reference import evaluate as reference

DATA = Path(__file__).parent / "data"
SIZES = {"m": 4, "n": 3, "p": 2, "k": 5}
Entry = dict[str, Any]


def load(name: str) -> list[Entry]:
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


COOKBOOK, SYMPY, IDENTITIES = load("cookbook.jsonl"), load("sympy.jsonl"), load("identities.jsonl")
DERIVATIVES = COOKBOOK + SYMPY
COVERED = [entry for entry in DERIVATIVES if "not covered" not in entry]


def draw(formula: matgrad.Formula, seed: int) -> dict[str, Any]:
    """Values of the declared structure; square matrices have a positive determinant."""
    rng, found = np.random.default_rng(seed), {}
    for name, variable in formula.typed.variables.items():
        value = rng.standard_normal([d.evaluate(SIZES) for d in variable.type.dims])
        if "diagonal" in variable.traits:
            value = np.diag(np.diag(value))
        elif "symmetric" in variable.traits:
            value = value @ value.T
        elif value.ndim == 2 and value.shape[0] == value.shape[1] and np.linalg.det(value) < 0:
            value[0] *= -1
        found[name] = np.abs(value) if "positive" in variable.traits else value
    return found


@pytest.mark.parametrize("entry", COVERED, ids=lambda e: f"{e.get('eq') or e['test']} {e['formula']}")
def test_the_derivative_is_that_of_the_table(entry: Entry) -> None:
    options = {"order": entry.get("order", 1), "symmetric": entry.get("symmetric", "projected")}
    derivative = matgrad.derive(entry["formula"], entry["wrt"], where=entry["where"], **options)
    expected = matgrad.parse(entry["expected"], context=derivative)
    for seed in (0, 1):
        arrays = draw(derivative.formula, seed)
        got, want = derivative(**arrays), reference(expected.program, arrays, SIZES)
        assert np.shape(got) == np.shape(want)
        assert np.allclose(got, want, rtol=1e-9, atol=1e-9 * np.max(np.abs(want))), derivative.text


@pytest.mark.parametrize("entry", IDENTITIES, ids=lambda e: f"{e['source']} {e['left']}")
def test_both_sides_of_the_identity_have_one_value(entry: Entry) -> None:
    """By the formula as typed, and by the graph, on which the laws have worked."""
    left, right = (matgrad.parse(f"{entry[side]}", where=entry["where"]) for side in ("left", "right"))
    arrays = draw(left, 0)
    values = [reference(side.program, arrays, SIZES) for side in (left, right)]
    graphs = [evaluate(side.node, arrays, SIZES) for side in (left, right)]
    for value in (*values[1:], *graphs):
        assert np.allclose(value, values[0], rtol=1e-9, atol=1e-9)


def test_the_tables_are_whole() -> None:
    assert sum(entry in COVERED for entry in COOKBOOK) >= 60
    assert sum(entry in COVERED for entry in SYMPY) >= 100
    assert len(IDENTITIES) >= 20
    assert all(len(entry["not covered"]) > 20 for entry in DERIVATIVES if entry not in COVERED)
