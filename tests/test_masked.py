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


E = np.e
OTHERS = [  # a formula, declarations, arrays; its value and its gradient in the first variable
    ("step(c)*log(c)", "c: scalar", {"c": -1.0}, 0.0, 0.0),
    ("step(norm2(x))*(c/norm2(x))", "x: vector(n); c: scalar", {"x": [0.0, 0.0], "c": 2.0}, 0.0, [0.0, 0.0]),
    ("sum(step(norm2(x))*x/norm2(x))", "x: vector(n)", {"x": [0.0, 0.0]}, 0.0, [0.0, 0.0]),
    ("step(abs(c) - 0.01)*(sum(y.^c - 1)/c) + (1 - step(abs(c) - 0.01))*sum(log(y))",
     "c: scalar; y: positive vector(n)", {"c": 0.0, "y": [1.0, E, E**2]}, 3.0, 0.0),
    ("sum(step(X).*log(X))", "X: matrix(m, n)", {"X": [[1.0, -2.0, 0.0], [-1.0, E, 4.0]]},
     1 + np.log(4), [[1.0, 0.0, 0.0], [0.0, 1 / E, 0.25]]),
    ("sum((step(y)*ones(n)').*log(X))", "X: matrix(m, n); y: vector(m)",
     {"X": [[1.0, E], [-3.0, 0.0]], "y": [1.0, -1.0]}, 1.0, [[1.0, 1 / E], [0.0, 0.0]]),
    ("step(x)'*log(x)", "x: vector(n)", {"x": [-1.0, E]}, 1.0, [0.0, 1 / E]),
    ("m = step(x); sum(m.*log(x))", "x: vector(n)", {"x": [-1.0, E]}, 1.0, [0.0, 1 / E]),
    ("u = log(x); sum(step(x).*u)", "x: vector(n)", {"x": [-1.0, E]}, 1.0, [0.0, 1 / E]),
    ("sum(exp(step(x).*log(x)))", "x: vector(n)", {"x": [-1.0, 0.0, 2.0]}, 4.0, [0.0, 0.0, 1.0]),
    ("logsumexp(step(x).*log(x))", "x: vector(n)", {"x": [-1.0, 0.0, 2.0]}, np.log(4), [0.0, 0.0, 0.25]),
    ("sum(step(x[2:n] - x[1:n-1]).*log(x[2:n] - x[1:n-1]))", "x: vector(n)", {"x": [1.0, 3.0, 2.0, 2.0]},
     np.log(2), [-0.5, 0.5, 0.0, 0.0]),
    ("y'*(step(W*x).*(W*x) + (1 - step(W*x)).*(exp(W*x) - 1))", "W: matrix(m, n); x: vector(n); y: vector(m)",
     {"W": [[1.0, 0.0], [0.0, -1.0]], "x": [900.0, 900.0], "y": [1.0, 2.0]}, 898.0, [[900.0, 900.0], [0.0, 0.0]]),
    ("einsum(\"ij,i,i->\", X, step(x), log(x))", "x: vector(m); X: matrix(m, n)",
     {"x": [-1.0, E], "X": [[1.0, 2.0], [3.0, 4.0]]}, 7.0, [0.0, 7 / E]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "where", "at", "value", "gradient"), OTHERS)
def test_of_scalars_and_matrices(text: str, where: str, at: dict[str, Any], value: Any, gradient: Any) -> None:
    formula = matgrad.parse(text, where=where)
    derivative = matgrad.derive(formula, next(iter(at)))
    arrays = {name: np.array(array) for name, array in at.items()}
    assert formula(**arrays) == pytest.approx(value)
    with jax.enable_x64(True):
        for backend in ("numpy", "jax"):
            assert matgrad.compile(formula, backend)(**arrays) == pytest.approx(value)
            found = matgrad.compile(derivative, backend)(**arrays)
            np.testing.assert_allclose(found, gradient, atol=1e-15)
        varied = next(iter(at))
        run = matgrad.compile(formula, "jax")
        slopes = jax.grad(lambda x: run(**{**arrays, varied: x}))(jnp.array(arrays[varied]))
        np.testing.assert_allclose(slopes, gradient, atol=1e-15)
    assert derivative.verify().passed


UNMASKED = [  # nobody asked for a test, or it holds
    ("sum(log(relu(x)))", {"x": [-1.0, 2.0]}),
    ("sum(sign(x).*log(abs(x)))", {"x": [0.0, 2.0]}),
    ("sum(step(x).*log(y))", {"x": [1.0, 2.0], "y": [-1.0, 1.0]}),
    ("sum(step(log(x)).*x)", {"x": [-1.0, 2.0]}),
    ("sum(step(x).*log(x) + log(y))", {"x": [-1.0, 2.0], "y": [-1.0, 1.0]}),
    ("sum(x.*log(x))", {"x": [0.0, 2.0]}),
]


@pytest.mark.parametrize(("text", "at"), UNMASKED)
def test_what_nobody_masked_has_no_value(text: str, at: dict[str, Any]) -> None:
    formula = matgrad.parse(text, where="; ".join(f"{name}: vector(n)" for name in at))
    arrays = {name: np.array(array) for name, array in at.items()}
    values = [formula(**arrays), *(matgrad.compile(formula, backend)(**arrays) for backend in ("numpy", "jax"))]
    assert not np.any(np.isfinite(values))


def test_the_derivative_of_a_rectifier_in_a_logarithm_is_not_masked() -> None:
    """step(x)./relu(x) is 0/0 where log(relu(x)) has no value."""
    gradient = matgrad.derive("sum(log(relu(x)))", "x", where=WHERE)
    for found in (gradient(x=[-1.0, 2.0]), matgrad.compile(gradient)(x=np.array([-1.0, 2.0]))):
        np.testing.assert_array_equal(found, [np.nan, 0.5])


FINITE = [
    ("step(X).*(A'*D)", "X: matrix(m, n); A: matrix(k, m); D: matrix(k, n)"), ("step(x).*tanh(x)", WHERE),
    ("(1 - step(x)).*x.^3 + step(x).*sigmoid(x)", WHERE), ("step(x).*exp(-x.^2)", WHERE),
    ("step(x)./(1 + x.^2)", WHERE), ("step(x).*log(1 + x.^2)", WHERE), ("step(x).*softplus(x)", WHERE),
    ("step(x).*log(w)./w", "x: vector(n); w: positive vector(n)"), ("relu(A*relu(B*x))", "B: matrix(m, n)"),
    ("step(x).*cosh(y)./cosh(y)", "x: vector(n); y: vector(n)"), ("step(x).*softmax(x)", WHERE),
]  # fmt: skip


@pytest.mark.parametrize(("text", "where"), FINITE)
@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_what_is_finite_anyway_costs_nothing(text: str, where: str, backend: str) -> None:
    formula = matgrad.parse(f"sum({text})", where=where)
    for item in (formula, matgrad.derive(formula, [*formula.variables][-1])):
        assert ".where(" not in matgrad.compile(item, backend).source.partition(f"def {item.root().called}")[2]


def test_many_branches() -> None:
    """One test more in each: work and code grow with the square, not exponentially."""
    x = matgrad.vector("x", "n")
    value: Any = 1 / x
    for k in range(20):
        value = np.where(x > k, np.log(x - k), value)
    source = matgrad.compile(matgrad.derive(np.sum(value), "x"), "jax").source
    assert len(source) < 20_000
    at = np.array([-1.0, 0.5, 3.5, 25.0])
    np.testing.assert_allclose(matgrad.compile(matgrad.parse(value))(x=at), [-1.0, *np.log([0.5, 0.5, 6.0])])
