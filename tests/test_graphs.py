"""Graphs of formulas: legal, their own normal form, and the same in every order, thread and process."""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from legal_nodes import check_legal
from random_formulas import arrays_of, printable, random_formula, variables_of, where_of
from tensor_evaluator import evaluate

import matgrad
from matgrad.tensor import builders as b
from matgrad.tensor import laws as _laws  # noqa: F401  (arms the normal form)
from matgrad.tensor.nodes import Node, Symbol, topological
from matgrad.tensor.rebuild import rebuild


@pytest.mark.parametrize("seed", range(60))
def test_graphs_are_legal_and_their_own_normal_form(seed: int) -> None:
    text = random_formula(seed).text
    formula = matgrad.parse(text, where=where_of(text))
    derivative = matgrad.derive(text, variables_of(text)[0], where=where_of(text))
    for node in (formula.node, derivative.node):
        check_legal(node)
        assert rebuild(node, {}) is node
        assert rebuild(node, {}, expand=True) is rebuild(rebuild(node, {}, expand=True), {})


def _rebuilt_from_nothing(root: Node, names: dict[str, str]) -> Node:
    """The graph made anew, with other names of its variables."""
    replace = {n: b.symbol(names[n.name], n.shape, n.traits) for n in topological(root) if isinstance(n, Symbol)}
    return rebuild(root, replace)


@pytest.mark.parametrize("seed", range(40))
def test_renaming_there_and_back_gives_the_same_node(seed: int) -> None:
    text = random_formula(seed + 500).text
    node = matgrad.parse(text, where=where_of(text)).node
    names = sorted({n.name for n in topological(node) if isinstance(n, Symbol)})
    there = {name: f"q{(5 * i + seed) % 7}_{i}" for i, name in enumerate(names)}
    back = {new: old for old, new in there.items()}
    assert _rebuilt_from_nothing(_rebuilt_from_nothing(node, there), back) is node


DETERMINED = """
import sys; sys.path.insert(0, "tests")
import matgrad
from random_formulas import printable, variables_of, where_of
for seed in range(30):
    text = printable(seed)
    for name in variables_of(text)[:2]:
        d = matgrad.derive(text, name, where=where_of(text))
        print(seed, name, d.text, d.latex, d.conditions, d.code(), d.node.digest)
"""


def test_the_text_is_the_same_in_every_process() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", DETERMINED],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(p for p in sys.path if p)},
        ).stdout
        for seed in ("0", "1", "12345")
    }
    assert len(outputs) == 1


def test_the_text_does_not_depend_on_what_was_derived_before() -> None:
    texts = [printable(seed) for seed in range(30)]
    first = {t: matgrad.derive(t, variables_of(t)[0], where=where_of(t)).text for t in texts}
    again = {t: matgrad.derive(t, variables_of(t)[0], where=where_of(t)).text for t in reversed(texts)}
    assert first == again


def _texts(seed: int) -> list[str]:
    order = random.Random(seed).sample(range(12), 12)
    found = {}
    for number in order:
        text = printable(number)
        found[number] = matgrad.derive(text, variables_of(text)[0], where=where_of(text)).text
    return [found[number] for number in range(12)]


def test_eight_threads_derive_the_same() -> None:
    expected = _texts(0)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(found == expected for found in pool.map(_texts, range(8)))
    finally:
        sys.setswitchinterval(interval)


def test_answers_pickle() -> None:
    text = "r = A*x - b; r'*r/2 + lambda*norm1(x)"
    where = {"A": "matrix(m,n)", "lambda": "positive"}
    formula, derivative = matgrad.parse(text, where=where), matgrad.derive(text, "x", where=where)
    again: matgrad.Derivative = pickle.loads(pickle.dumps(derivative))
    assert again.text == derivative.text
    assert again.short == derivative.short
    assert again.conditions == derivative.conditions
    assert again.node is derivative.node
    assert pickle.loads(pickle.dumps(formula)).text == formula.text
    second = pickle.loads(pickle.dumps(derivative.derive("lambda")))
    assert second.text == derivative.derive("lambda").text
    back = pickle.loads(pickle.dumps(matgrad.parse(derivative.text, context=derivative)))
    assert back.text == derivative.text
    arrays = {"A": np.ones((2, 3)), "x": np.arange(3.0), "b": np.ones(2), "lambda": 2.0}
    np.testing.assert_array_equal(again(**arrays), derivative(**arrays))


@pytest.mark.parametrize("seed", range(30))
def test_the_graph_is_the_formula(seed: int) -> None:
    text = random_formula(seed + 900).text
    formula, known = matgrad.parse(text, where=where_of(text)), arrays_of(text, seed)
    sizes = {"m": 4, "n": 3, "p": 2}
    known |= {name: sizes[name] for name in formula.sizes_needed()}
    np.testing.assert_allclose(evaluate(formula.node, known, sizes), formula(**known), rtol=1e-9, atol=1e-12)


def test_a_kind_of_node_that_names_no_children_is_no_constant() -> None:
    """An unknown kind must fail in every traversal, not drop out of the derivative."""

    class Unknown(Node):
        __slots__ = ()

    with pytest.raises(NotImplementedError):
        list(topological(object.__new__(Unknown)))
