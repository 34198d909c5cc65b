"""Code for formulas by cases: finite and right where a branch that is not taken overflows or is undefined."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from branches import CASES, WHERE, Branches

import matgrad
from matgrad.codegen.source import as_function
from matgrad.formula.reference import evaluate

NAMES = pytest.mark.parametrize("name", CASES)


def agree(found: Any, case: Branches, order: int, said: str) -> None:
    """Entry by entry; of a Hessian all entries off the diagonal are 0."""
    found, truth = np.asarray(found), case.truth(order)
    if order == 2:
        assert np.all(found - np.diag(np.diagonal(found)) == 0), (said, found)
        found = np.diagonal(found)
    found = np.broadcast_to(found, truth.shape)
    np.testing.assert_allclose(found, truth, rtol=1e-9, atol=1e-60, err_msg=said)


def orders(case: Branches) -> list[Any]:
    gradient = matgrad.derive(case.total, "x")
    return [case.parsed, gradient, gradient.derive("x")]


@NAMES
def test_numpy_says_nothing_of_branches_that_are_not_taken(name: str) -> None:
    """The source as it is written out, where NumPy warns."""
    case = CASES[name]
    for order, item in enumerate(orders(case)):
        run = as_function(matgrad.compile(item).source)
        with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
            warnings.simplefilter("error")
            found = run(x=np.array(case.at))
        agree(found, case, order, f"{name}, order {order}")


@NAMES
def test_jax_differentiates_branches(name: str) -> None:
    """In both modes, also derivatives of the compiled value and gradient."""
    case = CASES[name]
    with jax.enable_x64(True):
        value, gradient, hessian = (matgrad.compile(item, "jax") for item in orders(case))
        total = lambda x: jnp.sum(value(x=x) * jnp.ones(x.shape))  # noqa: E731
        derived: list[tuple[Callable[[Any], Any], int]] = [
            (lambda x: value(x=x), 0), (lambda x: gradient(x=x), 1), (lambda x: hessian(x=x), 2),
            (jax.grad(total), 1), (jax.jacfwd(total), 1), (jax.hessian(total), 2),
            (jax.jacfwd(lambda x: gradient(x=x)), 2), (jax.jacrev(lambda x: gradient(x=x)), 2)]  # fmt: skip
        all_found = jax.jit(lambda x: [function(x) for function, _ in derived])(jnp.array(case.at))
        for place, (found, (_, order)) in enumerate(zip(all_found, derived, strict=True)):
            agree(found, case, order, f"{name}, {place}")


@NAMES
def test_torch_differentiates_branches(name: str) -> None:
    torch = pytest.importorskip("torch", reason="not for CI: torch is large")
    case = CASES[name]
    value, gradient, hessian = (matgrad.compile(item, "torch") for item in orders(case))
    total = lambda x: torch.sum(value(x=x))  # noqa: E731
    by_hand = torch.autograd.functional
    derived: list[tuple[Callable[[Any], Any], int]] = [
        (lambda x: value(x=x), 0), (lambda x: gradient(x=x), 1), (lambda x: hessian(x=x), 2),
        (lambda x: by_hand.jacobian(total, x), 1), (lambda x: by_hand.hessian(total, x), 2),
        (lambda x: by_hand.jacobian(lambda x: gradient(x=x), x), 2)]  # fmt: skip
    at = torch.as_tensor(np.array(case.at))
    for place, (function, order) in enumerate(derived):
        agree(function(at).detach().numpy(force=True), case, order, f"{name}, {place}")


@NAMES
def test_the_check_agrees_on_branches(name: str) -> None:
    """What is printed, by the reference evaluator; verified, at points in all branches."""
    case = CASES[name]
    value, gradient, hessian = orders(case)
    for order, text in enumerate([value.text, gradient.text, hessian.text]):
        program = matgrad.parse(text, where=WHERE).program
        agree(evaluate(program, {"x": np.array(case.at)}, {"n": len(case.at)}), case, order, f"{name}: {text}")
    assert [derivative.verify().passed for derivative in (gradient, hessian)] == [True, True]
