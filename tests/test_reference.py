"""The reference evaluator: values written out by hand, complex steps, and what arrays are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import DECLARED, FORMULAS, SIZES, arrays, typed, variable

from matgrad.dims import Dim
from matgrad.errors import DataError, NotSupported
from matgrad.formula.binding import bind
from matgrad.formula.reference import evaluate, power
from matgrad.formula.syntax import SCALAR_TYPE, Expr, Program, Type

STEP = 1e-30
V = arrays()
A, B, X, Y, x, y, b, c = (V[k] for k in ("A", "B", "X", "Y", "x", "y", "b", "c"))
M, N = Dim.of("m"), Dim.of("n")

VALUES = [
    ("x'*X*y", x @ X @ y),
    ("x*y'", np.outer(x, y)),
    ("x*y'*x", x * (y @ x)),
    ("A*(x - y)/m", A @ (x - y) / 4),
    ("-x'*y + 1/2", -(x @ y) + 0.5),
    ("x' ⊗ b", np.outer(b, x)),
    ("x ⊗ y", np.kron(x, y)),
    ("A ⊗ x", np.kron(A, x[:, None])),
    ("X^2 - X.^2", X @ X - X**2),
    ("X^-2", np.linalg.inv(X @ X)),
    ("vec(A)", A.T.ravel()),
    ("X[1,:]*x + X[2,3]", X[0] @ x + X[1, 2]),
    ("A[2:3,:]*x", A[1:3] @ x),
    ("[X, x; y', c]", np.block([[X, x[:, None]], [y[None, :], c]])),
    ("[x; c; 1]", np.array([*x, c, 1])),
    ("sum(X, dim=1)*y + sum(sum(X, dim=2))", X.sum(0) @ y + X.sum()),
    ("mean(X) + mean(x)", X.mean() + x.mean()),
    ("norm2(X)^2 + norm1(x)", (X**2).sum() + x.sum()),
    ("max(x, 1) + min(x, y)", np.maximum(x, 1) + np.minimum(x, y)),
    ("eye*x + vector(2) + unit(3)", x + 2 + np.array([0, 0, 1])),
    ("matrix(c) + A", c + A),
    ("rows(A)*cols(A)*length(x) + m", 4 * 3 * 3 + 4),
    ('einsum("ij,kj->ik", A, B)', A @ B.T),
    ("(-x).^3 + (-c)^2*x", -(x**3) + c**2 * x),
    ("commutation(m,n)*vec(A)", A.ravel()),
]


@pytest.mark.parametrize(("formula", "expected"), VALUES)
def test_values(formula: str, expected: Any) -> None:
    got = evaluate(typed(formula, DECLARED), V, SIZES)
    assert np.shape(got) == np.shape(expected)
    assert got == pytest.approx(np.asarray(expected), rel=1e-13)


@pytest.mark.parametrize("formula", FORMULAS)
def test_complex_steps_are_derivatives(formula: str) -> None:
    expr = typed(formula, DECLARED)
    direction = {k: v - 0.9 for k, v in arrays(1).items()}

    def along(step: complex) -> Any:
        return evaluate(expr, {k: v + step * direction[k] for k, v in V.items()}, SIZES)

    got = along(1j * STEP)
    differences = (8 * (along(1e-4) - along(-1e-4)) - (along(2e-4) - along(-2e-4))) / 12e-4
    scale = np.max(np.abs(along(0)))
    assert np.real(got) == pytest.approx(along(0), rel=1e-13, abs=1e-14 * scale)
    assert np.imag(got) / STEP == pytest.approx(differences, rel=1e-7, abs=1e-8 * scale)


@pytest.mark.parametrize("base", [-2.0, 3.0, 0.0])
@pytest.mark.parametrize("exponent", [3.0, 2.0, 1.0, 0.0, 150.0])
def test_integer_powers_carry_a_step_exactly(base: float, exponent: float) -> None:
    got = power(np.array(base + 1j * STEP), np.float64(exponent))
    assert got.real == base**exponent
    assert got.imag / STEP == pytest.approx(exponent * base ** max(exponent - 1, 0), rel=1e-15)


def test_programs_and_unspecified_functions() -> None:
    r = typed("A*x - b", DECLARED)
    body = typed("r'*r", "r: vector(m)")
    assert evaluate(Program((("r", r),), body), V, SIZES) == pytest.approx(np.sum((A @ x - b) ** 2))
    g = typed("g''(x) + g(x)", "g: function; x: vector(n)")
    given = {"x": x, "g": (np.sin, np.cos, lambda t: -np.sin(t))}
    assert evaluate(g, given, {"n": 3}) == pytest.approx(np.zeros(3), abs=1e-16)
    with pytest.raises(DataError, match="g′′ is needed"):
        evaluate(g, {"x": x, "g": (np.sin, np.cos)}, {"n": 3})


def test_what_cannot_be_evaluated() -> None:
    with pytest.raises(NotSupported, match="mystery"):
        evaluate(Expr("mystery", type=SCALAR_TYPE), {}, {})
    with pytest.raises(DataError, match="inv has no value at this point: singular"):
        evaluate(typed("inv(X)", DECLARED), {"X": np.zeros((3, 3))}, SIZES)
    with pytest.raises(DataError, match="the size n is not known"):
        evaluate(typed("eye + X", DECLARED), {"X": X}, {})
    with pytest.raises(DataError, match="no value is given for c"):
        evaluate(typed("c + 1", DECLARED), {}, {})


def test_deep_trees() -> None:
    deep = Expr("name", value="c", type=SCALAR_TYPE)
    for _ in range(20_000):
        deep = Expr("neg", (deep,), type=SCALAR_TYPE)
    assert evaluate(deep, {"c": 2.0}, {}) == 2.0


# Arrays given by the user.

MATRIX_A, VECTOR_X, SCALAR_C = (
    variable("A", Type("matrix", (M, N))), variable("x", Type("vector", (N,))), variable("c", SCALAR_TYPE)
)  # fmt: skip


def test_binding_finds_sizes_and_converts() -> None:
    bound = bind([MATRIX_A, VECTOR_X, SCALAR_C], {"A": [[1, 2], [3, 4], [5, 6]], "x": np.ones(2), "c": np.array(3)})
    assert bound.sizes == {"m": 3, "n": 2}
    assert all(array.dtype == np.float64 for array in bound.arrays.values())
    assert bound.arrays["c"].shape == ()


def test_binding_solves_sizes() -> None:
    longer = variable("y", Type("vector", (N * Dim.of(2) + Dim.of(1),)))
    flat = variable("z", Type("vector", (M * N,)))
    assert bind([longer, flat], {"y": np.ones(7), "z": np.ones(12)}).sizes == {"m": 4, "n": 3}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"A": np.ones((2, 3)), "c": 1}, "no value is given for x"),
        ({"A": np.ones((2, 3)), "x": np.ones(3), "c": 1, "X": 1}, "there is no variable X"),
        ({"A": np.ones((2, 3)), "x": np.ones(4), "c": 1}, r"x has shape \(4,\)"),
        ({"A": np.ones(3), "x": np.ones(3), "c": 1}, r"A must have 2 axes, and has shape \(3,\)"),
        ({"A": np.ones((2, 3)), "x": np.ones((3, 1)), "c": 1}, r"x must have 1 axis, and has shape \(3, 1\)"),
        ({"A": np.ones((2, 3)), "x": np.ones(3), "c": [1]}, "c must be a number"),
        ({"A": np.ones((2, 3)), "x": ["a", "b", "c"], "c": 1}, "x must hold real numbers, and is not numeric"),
        ({"A": np.ones((2, 3)), "x": np.ones(3) * 1j, "c": 1}, "x must hold real numbers, and is complex"),
        ({"A": np.ones((2, 3)), "x": [1, np.nan, 2], "c": 1}, "x holds nan"),
        ({"A": [[1, 2], [3]], "x": np.ones(3), "c": 1}, "A is not an array"),
        ({"A": np.ones((2, 3)), "x": None, "c": 1}, "x must hold real numbers"),
    ],
)
def test_binding_refuses(given: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        bind([MATRIX_A, VECTOR_X, SCALAR_C], given)


def test_binding_suggests_a_name() -> None:
    with pytest.raises(DataError, match="try  beta"):
        bind([variable("beta", SCALAR_TYPE)], {"bata": 1.0})


SQUARE = np.array([[2.0, 1.0], [1.0, 3.0]])


@pytest.mark.parametrize(
    ("trait", "good", "bad"),
    [
        ("symmetric", SQUARE, [[1, 2], [3, 4]]),
        ("spd", SQUARE, [[1, 2], [2, 1]]),
        ("psd", [[1, 1], [1, 1]], [[1, 2], [2, 1]]),
        ("diagonal", [[1, 0], [0, 2]], SQUARE),
        ("lower", [[1, 0], [5, 2]], SQUARE),
        ("upper", [[1, 5], [0, 2]], SQUARE),
        ("orthogonal", [[0, 1], [-1, 0]], SQUARE),
        ("positive", SQUARE, [[1, 0], [1, 1]]),
        ("nonnegative", [[1, 0], [1, 1]], [[1, -1], [1, 1]]),
    ],
)
def test_binding_checks_traits(trait: str, good: Any, bad: Any) -> None:
    declared = variable("S", Type("matrix", (N, N)), trait)
    assert bind([declared], {"S": good}).sizes == {"n": 2}
    with pytest.raises(DataError, match="S is declared"):
        bind([declared], {"S": bad})


def test_sizes_that_no_array_shows() -> None:
    with pytest.raises(DataError, match="the size m is not known"):
        bind([VECTOR_X], {"x": np.ones(2)}, dimensions=["m"])
    assert bind([VECTOR_X], {"x": np.ones(2), "m": 5}, dimensions=["m"]).sizes == {"m": 5, "n": 2}
    with pytest.raises(DataError, match="g must be a callable"):
        bind([VECTOR_X], {"x": np.ones(2), "g": 3}, functions=["g"])
