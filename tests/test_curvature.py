"""Curvature at a point: against NumPy, JAX and what books say, and wrong input."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from matgrad import MatgradError, curvature
from matgrad.analysis.spectrum import dense
from matgrad.cli import main

RNG = np.random.default_rng(7)


# -- at a point


def test_the_worked_example() -> None:
    c = curvature("x[1]^2 + 2*x[1]*x[2] + 3*x[2]^2", "x", {"x": [0, 0]})
    assert c.hessian is not None
    assert c.eigenvalues is not None
    assert c.descent is not None
    np.testing.assert_array_equal(c.hessian, [[2, 2], [2, 6]])
    np.testing.assert_allclose(c.eigenvalues, [4 - 2 * 2**0.5, 4 + 2 * 2**0.5], rtol=1e-14)
    assert (c.kind, c.stationary, c.definiteness) == ("strict local minimum", True, "positive definite")
    kappa = c.eigenvalues[1] / c.eigenvalues[0]
    assert c.condition_number == pytest.approx(kappa)
    assert c.descent.limit == pytest.approx(2 / c.eigenvalues[1])
    assert c.descent.best == pytest.approx(0.25)
    assert c.descent.contraction == pytest.approx((kappa - 1) / (kappa + 1))
    assert c.convexity.verdict == "convex"


KINDS = [
    ("x[1]^2 - x[2]^2", [0, 0], "saddle"),
    ("-x[1]^2 - 3*x[2]^2", [0, 0], "strict local maximum"),
    ("(x[1] + x[2])^2", [0, 0], "valley"),
    ("-(x[1] - x[2])^2", [1, 1], "ridge"),
    ("x[1]^2 + x[2]^3", [0, 0], "undecided"),
    ("x[1]^2 - x[2]^4", [0, 0], "undecided"),
    ("x[1]^2 + x[2]^4", [0, 0], "valley"),
    ("x[1]^2 + 1e-18*x[2]^2", [0, 0], "strict local minimum"),
    ("x[1]^2 - 1e-18*x[2]^2", [0, 0], "saddle"),
    ("1 + 0*x[1]*x[2]", [0, 0], "flat"),
    ("x[1]^2 + x[2]^2", [1, 0], "not stationary"),
    ("x[1]^4 + x[2]^4", [0, 0], "undecided"),
    ("(x[1] - 1e6)^2 + 0.001*x[2]", [1e6, 0], "not stationary"),  # 0.001 is little beside 1e6, and not 0
    ("x[1]^2 + x[2]^2 - 2*x[1]", [1, 1e-12], "strict local minimum"),
    ("x[1]*x[2]*x[3]", [0, 0, 0], "undecided"),  # level along every axis, and not between them
    ("(1 - x[1])^2 + 100*(x[2] - x[1]^2)^2", [1, 1], "strict local minimum"),
    ("cos(x[1]) + x[2]^2", [np.pi, 0], "strict local minimum"),
    ("(x[1] - 1/3)^2 + (x[2] - 0.1)^2", [1 / 3, 0.1], "strict local minimum"),
]


@pytest.mark.parametrize(("formula", "point", "kind"), KINDS)
def test_kinds(formula: str, point: list[float], kind: str) -> None:
    assert curvature(formula, "x", {"x": point}).kind == kind


def test_flat_directions_are_told() -> None:
    A = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]])
    c = curvature("norm2(A*x)^2", "x", {"A": A, "x": np.zeros(3)})
    assert c.kind == "valley"
    assert c.flat_directions is not None
    np.testing.assert_allclose(A @ c.flat_directions, 0, atol=1e-12)
    assert c.flat_directions.shape == (3, 2)
    assert c.condition_number == np.inf
    assert c.descent is None


def test_several_variables_against_complex_steps() -> None:
    U, V, c0, Y = RNG.standard_normal((3, 2)), RNG.standard_normal((2, 4)), 0.7, RNG.standard_normal((3, 4))
    c = curvature("norm2(U*V - Y)^2 + c^2*tr(U'*U)", ["c", "V", "U"], {"U": U, "V": V, "c": c0, "Y": Y})

    def gradient(z: np.ndarray) -> np.ndarray:  # by hand, in the order that was asked for: c, V, U
        c, V, U = z[0], z[1:9].reshape(2, 4), z[9:].reshape(3, 2)
        r = U @ V - Y
        return np.concatenate([[2 * c * np.sum(U * U)], (2 * U.T @ r).ravel(), (2 * r @ V.T + 2 * c**2 * U).ravel()])

    z = np.concatenate([[c0], V.ravel(), U.ravel()])
    H = np.column_stack([gradient(z + 1e-30j * e).imag / 1e-30 for e in np.eye(15)])
    g = gradient(z)
    assert c.hessian is not None
    assert c.gradient is not None
    assert c.eigenvalues is not None
    assert c.newton is not None
    np.testing.assert_allclose(c.hessian, H, atol=1e-10)
    np.testing.assert_allclose(c.eigenvalues, np.linalg.eigvalsh(H), atol=1e-10)
    np.testing.assert_allclose(c.gradient["U"], g[9:].reshape(3, 2), atol=1e-10)
    np.testing.assert_allclose(c.newton.step, -np.linalg.solve(H, g), rtol=1e-8)
    assert c.labels is not None
    assert c.labels[:2] == ("c", "V[1,1]")


def test_a_symmetric_variable_has_the_eigenvalues_of_the_map() -> None:
    S = np.array([[2.0, 0.3, 0.1], [0.3, 1.0, 0.2], [0.1, 0.2, 3.0]])
    c = curvature("-logdet(S) + tr(S*C)", "S", {"S": S, "C": np.linalg.inv(S)}, where="S: spd(n); C: spd(n)")
    w = np.linalg.eigvalsh(S)
    wanted = np.sort([1 / (w[i] * w[j]) for i in range(3) for j in range(i + 1)])
    assert c.eigenvalues is not None
    assert c.eigenvectors is not None
    np.testing.assert_allclose(c.eigenvalues, wanted, rtol=1e-10)
    direction = c.direction(c.eigenvectors[:, 0])["S"]
    np.testing.assert_allclose(direction, direction.T)
    assert np.linalg.norm(direction) == pytest.approx(1)
    assert c.kind == "strict local minimum"
    assert c.convexity.verdict == "convex"


def test_descent_and_newton_do_what_is_said() -> None:
    A = RNG.standard_normal((6, 3))
    b = RNG.standard_normal(6)
    x = RNG.standard_normal(3)
    c = curvature("norm2(A*x - b)^2", "x", {"A": A, "b": b, "x": x})
    assert c.descent is not None
    assert c.newton is not None
    assert not c.stationary
    best = np.linalg.lstsq(A, b, rcond=None)[0]
    np.testing.assert_allclose(x + c.newton.step, best, atol=1e-10)
    assert c.newton.actual == pytest.approx(c.newton.predicted)
    assert c.newton.decrement == pytest.approx(np.sqrt(2 * -c.newton.predicted))
    errors = [np.linalg.norm(x - best)]
    for _ in range(c.descent.iterations):
        x = x - c.descent.best * 2 * A.T @ (A @ x - b)
        errors.append(np.linalg.norm(x - best))
    assert errors[-1] <= 1.01e-6 * errors[0]
    assert all(after <= c.descent.contraction * before * (1 + 1e-6) for before, after in itertools.pairwise(errors))


def test_ill_conditioned_signs_are_not_guessed() -> None:
    """A Hilbert matrix of order 12 has an eigenvalue of 2e-17, which the entries do not determine."""
    n = 12
    hilbert = 1 / (np.arange(n)[:, None] + np.arange(n) + 1.0)
    c = curvature("x'*A*x", "x", {"A": hilbert, "x": np.zeros(n)})
    assert c.kind != "saddle"
    assert c.definiteness == "positive semidefinite to rounding"
    assert c.convexity.verdict != "neither"


def test_dense_signs_are_certain() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        q, _ = np.linalg.qr(rng.standard_normal((6, 6)))
        values = rng.choice([-1, 1], 6) * 10.0 ** rng.integers(-9, 3, 6)
        matrix = (q * values) @ q.T
        found = dense((matrix + matrix.T) / 2, np.full((6, 6), 1e-14 * np.abs(values).max())).inertia
        assert found is not None
        assert found.positive <= np.sum(values > 0)
        assert found.negative <= np.sum(values < 0)


# -- wrong input


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("A*x", "x"), "curvature is of a scalar"),
        (("A*x - b", "x", {"x": [1.0]}), "curvature is of a scalar"),
        (("x'*A*x",), "say in which variables"),
        (("x'*A*x", "z"), "does not occur"),
        (("sum(log(x))", "x", {"x": [1.0, -1.0]}), "not defined at this point"),
        (("norm2(x)^2", "x", {"x": [1.0, np.nan]}), r"nan at \[2\]"),
        (("norm2(x)^2", "x", {"x": [1.0, np.inf]}), "infinite"),
        (("norm2(A*x)^2", "x", {"x": [1.0, 2.0], "A": np.ones((2, 3))}), "shape"),
        (("norm2(A*x)^2", "x", {"x": [1.0, 2.0]}), "no value is given for A"),
        (("norm2(x)^2", "x", [1.0, 2.0]), "a mapping"),
        (("norm1(x)", "x", {"x": [0.0, 1.0]}), "no second derivatives"),
        (("norm2(x)", "x", {"x": [0.0, 0.0]}), "no second derivatives"),
        (("r = A*x; r'*r", "r", {"A": np.eye(2), "x": [1, 2]}), "intermediate"),
        (("norm2(x)^2", "x", {"x": []}), "no entries"),
        (("3", None), "no variables"),
        (("exp(c)", "c", {"c": 1e4}), "overflows"),
        (("norm2(x)^2", "x", {"x": [1.0, 2.0], "y": 3}), "no variable y"),
    ],
)
def test_wrong_input(arguments: tuple, said: str) -> None:
    with pytest.raises(MatgradError, match=said):
        curvature(*arguments)


def test_wrong_options() -> None:
    with pytest.raises(MatgradError, match="no method"):
        curvature("x'*x", "x", {"x": [1.0]}, method="magic")
    with pytest.raises(MatgradError, match="orthogonal"):
        curvature("tr(A*O)", "O", where="O: orthogonal(n)")
    with pytest.raises(MatgradError, match="iterative"):
        curvature("x'*x", "x", {"x": np.zeros(30_000)}, method="dense")
    with pytest.raises(MatgradError, match="largest"):
        curvature("x'*x", "x", {"x": [1.0]}, largest=0)


# -- printed


def test_to_dict_is_json_and_markdown_reads() -> None:
    c = curvature("(x[1] + x[2])^2", "x", {"x": [0, 0]})
    data = json.loads(json.dumps(c.to_dict(), allow_nan=False))
    assert data["at"]["kind"] == "valley"
    assert data["at"]["condition_number"] == "inf"
    assert data["convexity"]["verdict"] == "convex"
    assert "| kind | valley" in c.markdown


def test_command_line(capsys: pytest.CaptureFixture[str], tmp_path) -> None:
    assert main(["curvature", "x[1]^2 + 2*x[1]*x[2] + 3*x[2]^2", "--wrt", "x", "--at", "x=[0,0]"]) == 0
    assert "strict local minimum" in capsys.readouterr().out
    np.savez(tmp_path / "d.npz", A=np.eye(2), b=np.ones(2), more=np.ones(3))
    arguments = ["curvature", "norm2(A*x - b)^2", "--wrt", "x", "--data", str(tmp_path / "d.npz"), "--at", "x=[1,1]"]
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["at"]["stationary"] is True
    assert main(["curvature", "norm2(U*V - Y)^2", "--wrt", "U,V"]) == 0
    assert "neither in U, V" in capsys.readouterr().out
    assert main(["curvature", "A*x", "--wrt", "x"]) == 2


def test_a_step_out_of_the_domain_is_no_decrease() -> None:
    """Newton's step from 3 for S - log S ends at S = -3, where log|det S| would have a value."""
    c = curvature("tr(S) - logdet(S)", "S", {"S": [[3.0]]}, where="S: spd(n)")
    assert c.newton is not None
    np.testing.assert_allclose(c.newton.step, [-6.0])
    assert np.isnan(c.newton.actual)
    assert "leaves the domain" in c.text


def test_values_decide_what_undeclared_names_are() -> None:
    assert curvature("x*exp(-y)", ["x", "y"], {"x": 0.0, "y": 1.0}).kind == "not stationary"
