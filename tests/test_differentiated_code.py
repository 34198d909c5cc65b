"""What JAX and PyTorch make of compiled code: derivatives of the compiled value and of the compiled gradient.

The truth is the formula as typed in 1,100 digits, and its differences: nothing of matgrad's derivatives. The points are
those where helpers select a branch: 0, ties, both sides of a threshold, and tiny and large arguments.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mp_evaluator
import numpy as np
import pytest

import matgrad

ENTRIES = [0.0, 1e-9, -0.3, 1.0, 40.0]
UNIT = [0.0, 1e-9, -0.3, 0.9]
POSITIVE = [1e-9, 0.3, 1.0, 40.0]
TIES = [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [-0.3, 0.5, 0.7], [30.0, -30.0, 30.0]]
SIZES = [[1.0, 1.0, -1.0], [1e200, 1.0, -1e200], [1e-200, 0.0, 1e-200]]
AT_ZERO = [[0.0, 0.0, 0.0], *SIZES]
ROWS = [[[0.0, 0.0, 0.0], [1.0, 2.0, 2.0]]]
VECTOR, VECTORS = "x: vector(n)", "x: vector(n); y: vector(n)"


class Case(NamedTuple):
    """A formula, its declarations, values of the variable ``x`` and arrays for the others."""

    text: str
    where: str
    at: list[Any]
    others: dict[str, Any] = {}  # noqa: RUF012  (nothing changes it)


CARDS = [
    ("exp sin cos arctan sinh cosh tanh sigmoid softplus erf normcdf normpdf gelu expm1", ENTRIES),
    ("log sqrt log1p", POSITIVE),
    ("tan arcsin arccos", UNIT),
    ("abs relu", [-0.3, 1.0]),
]
CASES = [
    *(Case(f"{name}(x)", "x: scalar", at) for names, at in CARDS for name in names.split()),
    # forms that select by the size of x
    Case("log(cosh(x))", "x: scalar", [*ENTRIES, 1e-5, 800.0]),
    Case("log(1 + x^2)", "x: scalar", [*ENTRIES, 1e15, -1e16]),
    Case("sqrt(1 + x^2) - 1", "x: scalar", ENTRIES),
    Case("1 - tanh(x)^2", "x: scalar", [0.0, -0.3, 1.0]),
    Case("log(1 - exp(-x))", "x: scalar", [1e-17, 1e-3, float(np.log(2)), 700.0]),
    Case("log(1 + exp(-abs(x)))", "x: scalar", [-0.3, 1.0]),
    Case("log(normcdf(x))", "x: scalar", [0.0, -10.0, 3.0]),
    Case("sqrt(x^2 + y^2)", "x: scalar; y: scalar", [0.0, 1.0, -3.0], {"y": 2.0}),
    Case("x/sqrt(1 + x^2)", "x: scalar", [0.0, 1.0]),
    # series at removable singularities
    Case("x - sin(x)", "x: scalar", [0.0, 1e-3, -3.0]),
    Case("cosh(x) - 1", "x: scalar", [0.0, 1e-9, 2.0]),
    Case("cos(x)/x - sin(x)/x^2", "x: scalar", [1e-3, -0.3, 5.0]),
    # shifts and scales on which nothing depends
    Case("log(sum(exp(x)))", VECTOR, TIES),
    Case("exp(x)/sum(exp(x))", VECTOR, TIES),
    Case("log(softmax(x))", VECTOR, TIES),
    Case("-y'*log(softmax(x))", VECTORS, TIES, {"y": [1.0, 0.0, 0.25]}),
    Case("log(1 + sum(exp(x)))", VECTOR, TIES),
    Case("log(y'*exp(x))", VECTORS, TIES, {"y": [1.0, 2.0, 3.0]}),
    Case("sum(log(softmax(x, dim=2)))", "x: matrix(m, n)", ROWS),
    Case("sum(log(sum(exp(x), dim=1)))", "x: matrix(m, n)", ROWS),
    Case("sum(x.^4)^(1/4)", VECTOR, [[1.0, 1.0, -1.0], [0.0, 0.5, -0.5]]),
    # lengths: the scale of all sides is taken together
    Case("norm2(x)", VECTOR, SIZES),
    Case("x/norm2(x)", VECTOR, SIZES[:2]),
    Case("norm2(x)^3", VECTOR, SIZES[:1]),
    Case("norm2(x)^4", VECTOR, AT_ZERO[:2]),
    Case("sqrt(1 + x'*x)", VECTOR, AT_ZERO),
    Case("sqrt(2*x'*x + 3*y'*y + 1)", VECTORS, AT_ZERO[:2], {"y": [0.0, 0.0, 0.0]}),
    Case("sum(sqrt(x'*x + y.^2))", "x: vector(n); y: vector(m)", AT_ZERO[:2], {"y": [1.0, -2.0]}),
    Case("sum(sqrt(sum(x.^2, dim=2) + y.^2))", "x: matrix(m, n); y: vector(m)", ROWS, {"y": [1.0, 2.0]}),
    Case("sqrt(1 + sum(x.^2))", "x: matrix(m, n)", ROWS),
    Case("sqrt(c^2*(x'*x) + 4)", "x: vector(n); c: scalar", AT_ZERO[:2], {"c": -2.0}),
    Case("sqrt(4 + norm2(A*x - b)^2)", "x: vector(n); A: matrix(m, n); b: vector(m)", [[1.0, 1.0]],
         {"A": [[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]], "b": [3.0, 7.0, 1.0]}),
    Case("log(1 + x'*x)", VECTOR, AT_ZERO[:3]),
    Case("x/sqrt(1 + x'*x)", VECTOR, AT_ZERO[:2]),
    # matrices
    Case("det(x)", "x: matrix(n, n)", [[[2.0, 1.0], [-1.0, 3.0]]]),
    Case("logdet(x)", "x: matrix(n, n)", [np.eye(3)]),
    Case("y'*inv(x)*y + logdet(x)", "x: matrix(n, n); y: vector(n)", [[[2.0, 1.0], [-1.0, 3.0]]], {"y": [1.0, 2.0]}),
    Case("prod(x)", VECTOR, [[1.0, 2.0, -3.0]]),
]  # fmt: skip
IDS = [case.text for case in CASES]


def truths(case: Case, at: Any) -> list[np.ndarray]:
    """Derivatives of the first and second order, and for a scalar of the third."""
    formula = matgrad.parse(case.text, where=case.where)
    arrays = {**case.others, "x": at}
    sizes = {str(dim): size for name, variable in formula.typed.variables.items() if name in arrays
             for dim, size in zip(variable.type.dims, np.shape(arrays[name]), strict=True)}  # fmt: skip
    return [np.asarray(mp_evaluator.derivative(formula.typed.program, arrays, sizes, "x", order), dtype=float)
            for order in range(1, 3 if np.shape(at) else 4)]  # fmt: skip


def check(found: Any, truth: np.ndarray, at: Any, said: str) -> None:
    """Relative to the largest entry; at ordinary points, what is very small beside 1 may be lost in rounding."""
    found = np.asarray(found)
    assert np.all(np.isfinite(found)), (said, found, truth)
    ordinary = 1e-100 < np.max(np.abs(at), where=np.asarray(at) != 0, initial=1e-9) < 1e100
    scale = max(np.max(np.abs(truth)), 1e-8 if ordinary else 1e-300)
    np.testing.assert_allclose(found / scale, truth / scale, rtol=0, atol=1e-7, err_msg=said)


def functions(case: Case, backend: str, array: Callable[[Any], Any]) -> tuple[Callable[[Any], Any], ...]:
    """The compiled value and gradient as functions of x."""
    formula = matgrad.parse(case.text, where=case.where)
    others = {name: array(np.asarray(value, dtype=float)) for name, value in case.others.items()}
    made = [matgrad.compile(item, backend=backend) for item in (formula, matgrad.derive(formula, "x"))]
    return tuple([lambda x, function=function: function(x=x, **others) for function in made])


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_jax_differentiates_what_is_compiled(case: Case) -> None:
    with jax.enable_x64(True):
        value, gradient = functions(case, "jax", jnp.asarray)
        derivatives = [jax.jacrev(value), jax.jacfwd(jax.jacrev(value)), jax.jacrev(gradient)]
        orders = [1, 2, 2]
        if "scalar" in case.where.partition(";")[0]:
            derivatives.append(jax.jacrev(jax.jacfwd(jax.jacfwd(value))))
            orders.append(3)
        points = jnp.asarray(case.at, dtype=float)
        all_found = jax.jit(jax.vmap(lambda x: [derivative(x) for derivative in derivatives]))(points)
        for k, at in enumerate(case.at):
            known = truths(case, at)
            for found, order in zip(all_found, orders, strict=True):
                check(found[k], known[order - 1], at, f"{case.text} at {at}, order {order}")


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_torch_differentiates_what_is_compiled(case: Case) -> None:
    torch = pytest.importorskip("torch", reason="not for CI: torch is large")
    value, gradient = functions(case, "torch", torch.as_tensor)
    forward, reverse = torch.func.jacfwd, torch.func.jacrev
    derivatives = [(reverse(value), 1), (forward(reverse(value)), 2), (reverse(reverse(value)), 2),
                   (reverse(gradient), 2)]  # fmt: skip
    if "scalar" in case.where.partition(";")[0]:
        derivatives.append((reverse(reverse(reverse(value))), 3))
    for at in case.at:
        known = truths(case, at)
        x = torch.as_tensor(np.asarray(at, dtype=float))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of operations that PyTorch maps one by one
            for derivative, order in derivatives:
                check(
                    derivative(x).detach().numpy(force=True),
                    known[order - 1],
                    at,
                    f"{case.text} at {at}, order {order}",
                )
        if not known[0].shape[len(np.shape(at)) :]:
            own = x.clone().requires_grad_()
            (slope,) = torch.autograd.grad(value(own), own)
            check(slope, known[0], at, f"{case.text} at {at}, autograd")


KINKS = [("abs(x)", "x: scalar", 0.0), ("relu(x)", "x: scalar", 0.0), ("norm2(x)", VECTOR, [0.0, 0.0]),
         ("sqrt(x^2 + c^2)*c", "x: scalar; c: scalar", 0.0)]  # fmt: skip


@pytest.mark.parametrize(("text", "where", "at"), KINKS, ids=[text for text, *_ in KINKS])
def test_kinks_follow_the_conventions(text: str, where: str, at: Any) -> None:
    """abs'(0) = step(0) = norm2'(0) = 0."""
    others = {"c": 0.0} if "c:" in where else {}
    value = matgrad.compile(matgrad.parse(text, where=where), backend="jax")
    slope = jax.grad(lambda x: value(x=x, **others))
    np.testing.assert_array_equal(slope(jnp.asarray(at)), np.zeros(np.shape(at)))
    np.testing.assert_array_equal(jax.jacfwd(slope)(jnp.asarray(at)), np.zeros(np.shape(at) * 2))


REMOVABLE = [
    ("cos(x)/x - sin(x)/x^2", "x: scalar", 0.0, -1 / 3, 0.0),
    ("1/x - 1/(exp(x) - 1)", "x: scalar", 0.0, -1 / 12, 0.0),
    ("sum(x - sin(x))", "x: vector(n)", [0.0, 0.0], [0.0, 0.0], np.zeros((2, 2))),
]


@pytest.mark.parametrize(("text", "where", "at", "first", "second"), REMOVABLE, ids=[row[0] for row in REMOVABLE])
def test_series_are_differentiated_at_the_singularity(text: str, where: str, at: Any, first: Any, second: Any) -> None:
    """What is not selected there is finite, so reverse mode does not make nan of it."""
    with jax.enable_x64(True):
        value = matgrad.compile(matgrad.parse(text, where=where), backend="jax")
        slope = jax.grad(lambda x: value(x=x))
        found = jax.jit(lambda x: (slope(x), jax.jacrev(slope)(x)))(jnp.asarray(at))
        np.testing.assert_allclose(found[0], first, rtol=1e-15)
        np.testing.assert_allclose(found[1], second, rtol=1e-15)


MATRICES = [
    ("logdet(X)", "X: symmetric(n)", [[1.0, 0.5, 0.1], [0.5, -2.0, 0.3], [0.1, 0.3, 3.0]]),
    ("logdet(X)", "X: symmetric(n)", [[2.0, 0.5, 0.1], [0.5, 2.0, 0.3], [0.1, 0.3, 3.0]]),
    ("logdet(X) + sum(sum(inv(X)))", "X: spd(n)", [[2.0, 0.5, 0.1], [0.5, 2.0, 0.3], [0.1, 0.3, 3.0]]),
    ("logdet(X) + sum(sum(inv(X)))", "X: symmetric(n)", [[1.0, 0.5, 0.1], [0.5, -2.0, 0.3], [0.1, 0.3, 3.0]]),
    ("det(X)", "X: matrix(n, n)", np.eye(3)),
    ("sum(adj(X).^2)", "X: matrix(n, n)", np.eye(3)),
]


@pytest.mark.parametrize(("text", "where", "at"), MATRICES)
def test_functions_of_matrices(text: str, where: str, at: Any) -> None:
    """Of symmetric matrices, definite or not, as in matgrad: the derivative on the symmetric space."""
    with jax.enable_x64(True):
        formula, point = matgrad.parse(text, where=where), np.asarray(at)
        first = matgrad.derive(formula, "X")
        value, gradient = (matgrad.compile(item, backend="jax") for item in (formula, first))
        slope = jax.grad(lambda x: value(X=x))
        curvatures = jax.jacfwd(slope), jax.jacrev(lambda x: gradient(X=x))
        found = jax.jit(lambda x: (slope(x), jax.vmap(slope)(x[None])[0], *[curvature(x) for curvature in curvatures]))
        expected = [first(X=point)] * 2 + [first.derive("X")(X=point)] * 2
        for ours, theirs in zip(found(point), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
