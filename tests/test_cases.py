"""Every case of tests/data/derivatives.jsonl: derived, evaluated, compared with JAX; and the drawing itself."""

from __future__ import annotations

import itertools
from functools import cache

import jax
import numpy as np
import pytest
from cases import (
    DOMAINS,
    Case,
    disagreement,
    draw,
    draw_sizes,
    load_answers,
    load_cases,
    polynomial_det,
    truth,
    value,
    where_text,
)

import matgrad

CASES = load_cases()
BY_ID = {case["id"]: case for case in CASES}
SEEDS = (0, 1, 2)
every_case = pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])


@cache
def _derived(name: str) -> matgrad.Derivative:
    case = BY_ID[name]
    return matgrad.derive(case["expr"], case["wrt"], where=where_text(case), order=case["order"])


def _derive(case: Case) -> matgrad.Derivative:
    return _derived(case["id"])


@every_case
def test_the_derivative_is_right(case: Case) -> None:
    derivative = _derive(case)
    for seed in SEEDS:
        arrays, sizes = draw(case, seed), draw_sizes(case, seed)
        got, expected = np.asarray(derivative(**arrays)), truth(case, arrays)
        # Overflow in the formula as typed included: what is compared with must be stable itself.
        assert np.isfinite(expected).all()
        assert got.shape == expected.shape == tuple(sizes[d] for d in case["out_shape"])
        # Where terms cancel to zero, the function's own size stands for theirs.
        terms = max(1.0, float(np.max(np.abs(value(case, arrays)))))
        assert disagreement(got, expected, terms) <= 1e-9, f"seed {seed}: {derivative.text}"


@every_case
def test_the_derivative_is_closed_where_a_closed_form_is_known(case: Case) -> None:
    derivative = _derive(case)
    assert derivative.closed_form or case["expected"] is None, derivative.text


@every_case
def test_the_derivative_verifies_itself(case: Case) -> None:
    assert _derive(case).verify().passed is True


@every_case
def test_draws_are_seeded_and_distinct(case: Case) -> None:
    first, again, other = draw(case, 0), draw(case, 0), draw(case, 1)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    zero = set(case.get("domain", {}).values()) == {"zero"}
    assert zero or any(not np.array_equal(first[name], other[name]) for name in first)
    sizes = draw_sizes(case, 0)
    assert len(set(sizes.values())) == len(sizes)


def test_structures_are_drawn() -> None:
    names = "SPDLUO"
    structures = ("symmetric", "psd", "diagonal", "lower", "upper", "orthogonal")
    case = {"id": "all", "vars": {k: ["matrix", "n", "n", s] for k, s in zip(names, structures, strict=True)}}
    s, p, d, lower, u, o = draw(case, 0).values()
    assert np.array_equal(s, s.T)
    assert not np.array_equal(s, np.diag(np.diag(s)))
    assert np.linalg.eigvalsh(p).min() >= 1 - 1e-12
    assert np.array_equal(d, np.diag(np.diag(d)))
    assert np.array_equal(lower, np.tril(lower))
    assert np.array_equal(u, np.triu(u))
    assert np.allclose(o.T @ o, np.eye(len(o)))
    assert where_text(case) == "S: symmetric(n); P: spd(n); D: diagonal(n); L: lower(n); U: upper(n); O: orthogonal(n)"


def test_every_domain_is_drawn() -> None:
    rng = np.random.default_rng(0)
    arguments = {"big": [1e3], "shift": [-1e3], "scale": [10.0], "tiny": [1e-8], "nearsing": [1e-6]}
    drawn = {name: np.asarray(how((5, 5), rng, *arguments.get(name, []))) for name, how in DOMAINS.items()}
    assert all(a.shape == (5, 5) and np.isfinite(a).all() for a in drawn.values())
    ranges = {"pos": (0.5, 2), "unit": (0.1, 0.9), "angle": (0.2, 1.3), "pos800": (600, 1000), "ints": (-2, 2)}
    for name, (low, high) in ranges.items():
        assert low <= drawn[name].min() < drawn[name].max() <= high
    assert set(drawn["pm1"].flat) == set(drawn["alt"].flat) == {-1, 1}
    assert drawn["alt"].flat[0] == -drawn["alt"].flat[1]
    assert np.allclose(drawn["prob"].sum(axis=1), 1)
    assert np.array_equal(np.sort(drawn["onehot"], axis=1), np.eye(5)[[4] * 5])
    assert all(np.linalg.det(DOMAINS["posdet"]((3, 3), rng)) > 0 for _ in range(10))
    assert not drawn["zero"].any()
    assert 800 <= np.abs(drawn["big"]).min() <= np.abs(drawn["big"]).max() <= 1200
    assert abs(drawn["shift"].mean() + 1e3) < 1
    assert np.abs(drawn["tiny"]).max() < 1e-6
    assert np.allclose(np.linalg.svd(drawn["nearsing"])[1], [1, 1, 1, 1, 1e-6])
    assert np.allclose(np.linalg.svd(drawn["singular"])[1], [1, 1, 1, 1, 0])


def test_a_psd_matrix_is_not_drawn_from_another_domain() -> None:
    with pytest.raises(ValueError, match="need not be psd"):
        draw({"id": "x", "vars": {"S": ["matrix", "n", "n", "psd"]}, "domain": {"S": "pos"}}, 0)


def test_the_gradient_of_det_is_made_of_cofactors_at_a_singular_matrix() -> None:
    case = BY_ID["num-det-singular"]
    arrays = draw(case, 0)
    x = arrays["X"]
    n = len(x)
    cofactors = np.empty((n, n))
    for i, j in itertools.product(range(n), repeat=2):
        cofactors[i, j] = (-1) ** (i + j) * np.linalg.det(np.delete(np.delete(x, i, 0), j, 1))
    assert disagreement(truth(case, arrays), cofactors) < 1e-12
    assert np.abs(cofactors).max() > 0.01


def test_polynomial_det_is_the_determinant() -> None:
    for n in range(1, 8):
        a = np.random.default_rng(n).standard_normal((n, n))
        assert np.isclose(jax.jit(polynomial_det)(a), np.linalg.det(a), rtol=1e-11)


def test_disagreement_is_relative() -> None:
    assert disagreement(np.array([2.0, 1e-9]), np.array([2.0, 0.0])) == pytest.approx(5e-10)
    assert disagreement(np.array([1e-8]), np.array([0.0]), terms=1e3) == pytest.approx(1e-11)
    assert disagreement(np.array([np.nan]), np.array([1.0])) != disagreement(np.array([1.0]), np.array([1.0]))


def test_answers_belong_to_cases() -> None:
    answers = load_answers()
    assert answers
    assert {answer["case"] for answer in answers} <= set(BY_ID)
