"""Any input at all, threads, pickles, and many derivations in one process."""

from __future__ import annotations

import gc
import pickle
import resource
from concurrent.futures import ThreadPoolExecutor

import fuzz
import pytest
from random_formulas import random_formula, variables_of, where_of

import matgrad
from matgrad.tensor import nodes

CHUNKS, EACH, PATIENCE = 50, 2000, 5.0
"""In seconds of processor time: the script wants 1, tests must not fail on a slow machine."""


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_any_input_gives_an_answer_or_an_error_of_ours(chunk: int) -> None:
    """One hundred thousand inputs, random or mutated; ``tools/fuzz.py`` tries any number of them."""
    assert fuzz.run(chunk * EACH, (chunk + 1) * EACH, PATIENCE) == []


def test_the_inputs_are_seeded_and_mixed() -> None:
    said = [str(fuzz.Input(n)) for n in range(400)]
    assert said == [str(fuzz.Input(n)) for n in range(400)]
    refused = 0
    for n in range(400):
        try:
            fuzz.Input(n).run()
        except matgrad.MatgradError:
            refused += 1
    assert 100 < refused < 350


def _printed(seed: int) -> tuple[str, ...]:
    text = random_formula(seed).text
    derivative = matgrad.derive(text, variables_of(text)[0], where=where_of(text))
    try:
        return derivative.text, derivative.latex, derivative.unicode, *derivative.conditions
    except matgrad.errors.NotSupported as error:
        return (str(error),)


def test_eight_threads_print_what_one_prints() -> None:
    """All eight derive the same formulas at once, so that they meet in the tables of nodes."""
    seeds = list(range(40))
    alone = [_printed(seed) for seed in seeds]
    gc.collect()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda start: [_printed(s) for s in seeds[start:] + seeds[:start]], range(8)))
    for start, found in enumerate(together):
        assert found == alone[start:] + alone[:start]


def test_formulas_and_answers_pickle() -> None:
    for seed in range(60):
        text = random_formula(seed).text
        formula = matgrad.parse(text, where=where_of(text))
        assert pickle.loads(pickle.dumps(formula)).node is formula.node
        derivative = matgrad.derive(text, variables_of(text)[0], where=where_of(text))
        again = pickle.loads(pickle.dumps(derivative))
        assert again._node is derivative._node
        try:
            assert again.text == derivative.text
        except matgrad.errors.NotSupported:
            continue


def _many(start: int, stop: int) -> None:
    for seed in range(start, stop):
        text = random_formula(seed, depth=1).text
        matgrad.derive(text, variables_of(text)[0], where=where_of(text)).shape  # noqa: B018


def test_thousands_of_derivations_leave_nothing_behind() -> None:
    """``tools/soak.py`` with ``--growth`` does it a million times."""
    _many(0, 300)  # what is loaded and cached once
    gc.collect()
    nodes_before, size = len(nodes._TABLE), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _many(300, 2000)
    gc.collect()
    assert len(nodes._TABLE) <= nodes_before + 2000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - size < 60_000
