"""Curvature at a point and for all points: against NumPy, JAX and what books say, and wrong input."""

from __future__ import annotations

import itertools
import json
import re
import tracemalloc

import numpy as np
import pytest

import matgrad
from matgrad import MatgradError, curvature
from matgrad.analysis.krylov import Extremes
from matgrad.analysis.local import Local
from matgrad.analysis.spectrum import dense
from matgrad.certificates.findings import Inquiry
from matgrad.certificates.hessian import by_hessian
from matgrad.certificates.refute import Search, against_convexity
from matgrad.certificates.setting import region
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


# -- large


def test_the_ends_of_a_spectrum_agree_with_all_of_it() -> None:
    n, p = 90, 100
    X = RNG.standard_normal((n, p)) * np.linspace(0.2, 2, p)
    at = {"X": X, "w": RNG.standard_normal(p) * 0.1, "y": RNG.integers(0, 2, n).astype(float)}
    formula = "sum(softplus(X*w)) - y'*X*w - 0.3*norm2(w)^2"
    all_, ends = curvature(formula, "w", at), curvature(formula, "w", at, method="iterative", largest=5)
    assert all_.eigenvalues is not None
    assert ends.eigenvalues is not None
    assert ends.residuals is not None
    np.testing.assert_allclose(ends.eigenvalues[-5:], all_.eigenvalues[-5:], rtol=1e-8)
    np.testing.assert_allclose(ends.eigenvalues[:5], all_.eigenvalues[:5], rtol=1e-8)
    assert np.all(ends.residuals < 1e-6)
    assert ends.hessian is None
    assert "‖Hv − λv‖" in ends.text


@pytest.mark.parametrize("n", [6, 200])
def test_products_in_which_terms_cancel_show_no_signs(n: int) -> None:
    """The Hessian is the rounding of two large matrices that are nearly one: of its signs nothing is known."""
    B = RNG.standard_normal((n, n))
    B = (B + B.T) * 1e10
    at = {"A": B, "B": B * (1 + 3e-16), "x": np.zeros(n)}
    for method in ("dense", "iterative"):
        found = curvature("x'*A*x - x'*B*x", "x", at, method=method, largest=3)
        assert found.kind == "undecided"
        assert found.at is not None
        assert np.all(found.at.spectrum.is_zero)
    assert curvature("x'*A*x", "x", {"A": B, "x": np.zeros(n)}, method="iterative", largest=3).kind == "saddle"


def test_no_matrix_of_the_size_of_the_hessian_is_formed() -> None:
    """Not by the bounds of errors either, which are of 2*A'*A*x and 2*A'*A*dx as they stand."""
    p = 4000
    at = {"A": RNG.standard_normal((3, p)), "x": np.zeros(p)}
    tracemalloc.start()
    try:
        curvature("norm2(A*x)^2", "x", at, method="iterative", largest=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < p * p  # bytes: an eighth of a Hessian


def test_copies_of_an_eigenvalue_are_all_found_and_no_ghosts() -> None:
    diagonal = np.concatenate([np.full(6, 5.0), np.linspace(0, 4, 200), np.full(3, -2.0)])
    found = Extremes(lambda v: diagonal * v, len(diagonal), 1e-15).find(8)
    np.testing.assert_allclose(found.values[-8:], np.sort(diagonal)[-8:], atol=1e-8)
    np.testing.assert_allclose(found.values[:3], -2, atol=1e-8)
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(len(found.values)), atol=1e-10)


def test_what_did_not_converge_is_said() -> None:
    diagonal = np.linspace(1, 1.0001, 3000)
    found = Extremes(lambda v: diagonal * v, len(diagonal), 1e-15, limit=40).find(5)
    assert any("not converged" in note for note in found.notes)
    distance = np.abs(diagonal[:, None] - found.values).min(axis=0)
    assert np.all(distance <= found.errors)


def test_products_are_those_of_the_matrix() -> None:
    at = {"S": np.diag([1.0, 2.0]) + 0.1, "L": np.tril(RNG.standard_normal((2, 2)))}
    local = Local(matgrad.parse("tr(S*L*L'*S) + norm2(L)^4", where="S: symmetric(n); L: lower(n)"), ["S", "L"], at)
    columns = np.column_stack([local.product(e) for e in np.eye(local.size)])
    np.testing.assert_allclose(columns, local.hessian, atol=1e-12)
    steps = np.array([[_second(local, e + f) - _second(local, e) - _second(local, f) for f in np.eye(6)]
                      for e in np.eye(6)]) / 2  # fmt: skip
    np.testing.assert_allclose(local.hessian, steps, atol=1e-4)


def _second(local: Local, along: np.ndarray, h: float = 1e-3) -> float:
    return (local.value_at(local.point + h * along) - 2 * local.value + local.value_at(local.point - h * along)) / h**2


# -- for all points

CONVEX = [
    ("norm2(A*x - b)^2", "x", None),
    ("norm2(A*x - b)^2 + e*norm2(x)^2", "x", "e: nonnegative"),
    ("sum(log(1 + exp(X*w))) - y'*X*w", "w", None),
    ("sum(exp(X*w)) - y'*X*w", "w", None),
    ("logsumexp(z) - y'*z", "z", None),
    ("sum(logsumexp(X*W, dim=2)) - tr(Y'*X*W)", "W", None),
    ("sum(k.*logsumexp(X*W, dim=2))", "W", "k: nonnegative vector(m)"),
    ("-tr(Y'*log(softmax(X*W, dim=2)))", "W", "Y: nonnegative matrix(m,k)"),
    ("logsumexp(A*x + b)", "x", None),
    ("-logdet(S)", "S", "S: spd(n)"),
    ("-logdet(S) + tr(S*C)", "S", "S: spd(n); C: symmetric(n)"),
    ("x'*x/t", "x,t", "t: positive"),
    ("sum(softplus(A*x - b) + softplus(b - A*x))", "x", None),
    ("sum(log(cosh(A*x - b)))", "x", None),
    ("norm2(A*x - b)", "x", None),
    ("norm1(x) + norm2(x)", "x", None),
    ("x[1]^2 + 2*x[1]*x[2] + 3*x[2]^2", "x", None),
    ("c^2 - 2*c*d + d^2", "c,d", None),
    ("x'*S*x - 2*x'*S*y + y'*S*y", "x,y", "S: spd(n)"),
    ("c*log(c/d)", "c,d", "c: positive; d: positive"),
    ("-sum(log(b - A*x))", "x", None),
    ("x'*inv(S)*x", "x,S", "S: spd(n)"),
]
NEITHER = [
    ("norm2(U*V - Y)^2", "U,V", None),
    ("x'*A*x/(x'*x)", "x", "A: symmetric(n)"),
    ("norm2(W2*tanh(W1*x) - y)^2", "W1,W2", None),
    ("1/c^2", "c", None),
    ("-logdet(X)", "X", "X: matrix(n,n)"),
    ("sin(c)", "c", None),
    ("x[1]*x[2]", "x", None),
    ("c^4 - c^2", "c", None),
]


@pytest.mark.parametrize(("formula", "names", "where"), CONVEX)
def test_certified_convex(formula: str, names: str, where: str | None) -> None:
    found = curvature(formula, names.split(","), where=where).convexity
    assert found.verdict == "convex"
    assert found.because
    assert found.on
    minus = curvature(f"-({formula})", names.split(","), where=where).convexity
    assert minus.verdict == "concave"


@pytest.mark.parametrize(("formula", "names", "where"), NEITHER)
def test_refuted_with_a_point_and_a_direction(formula: str, names: str, where: str | None) -> None:
    found = curvature(formula, names.split(","), where=where).convexity
    assert found.verdict == "neither"
    known = matgrad.parse(formula, where=where)
    for r in found.refutations:
        if r.curvature is None:
            assert "midway" in r.says
            continue
        wrong = -1 if r.of == "convex" else 1
        h = 1e-3

        def value(t: float, r=r) -> float:
            moved = {n: np.asarray(v) + t * np.asarray(r.direction[n]) for n, v in r.point.items()}
            return known(**{**r.arrays, **moved})

        second = (value(h) - 2 * value(0) + value(-h)) / h**2
        assert wrong * second > 0
        assert second == pytest.approx(r.curvature, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(
    "formula",
    ["-norm1(x)", "-norm2(x)", "-(x'*x)^(1/2)", "-sum(abs(x))", "-sum(sqrt(x.^2))", "-max(x)", "-sum(relu(x))"],
)
def test_a_kink_is_no_place_for_a_hessian(formula: str) -> None:
    """Their Hessians are zero or nonnegative almost everywhere for the last ones, and none of them is convex."""
    assert curvature(formula, "x").convexity.verdict in ("concave", "neither")


@pytest.mark.parametrize("formula", ["sign(c)", "step(c)", "c*step(c)*0 + abs(c)*step(c) - 3*relu(c)", "(c^3)^(1/3)"])
def test_jumps_are_not_called_affine(formula: str) -> None:
    assert curvature(formula, "c").convexity.verdict not in ("affine", "convex")


def test_a_verdict_may_rest_on_the_data() -> None:
    at = {"A": [[2.0, 1.0], [1.0, 3.0]], "x": [1.0, 1.0]}
    assert curvature("x'*A*x", "x").convexity.verdict == "unknown"
    found = curvature("x'*A*x", "x", at).convexity
    assert found.verdict == "convex"
    assert found.data == ("A is positive definite",)
    found = curvature("x'*A*x", "x", {**at, "A": [[2.0, 1.5], [0.5, 3.0]]}).convexity
    assert found.verdict == "convex"
    assert "does not depend on x" in found.because[0]
    assert curvature("x'*A*x", "x", {**at, "A": [[1.0, 2.0], [2.0, 1.0]]}).convexity.verdict == "unknown"
    found = curvature("norm2(A*x - b)^2/c", "x", {"A": np.eye(2), "b": [1, 2], "x": [0, 0], "c": 3}).convexity
    assert found.verdict == "convex"
    assert found.data == ("c is positive",)


def test_certificates_in_words() -> None:
    text = curvature("sum(softplus(X*w)) - y'*X*w", "w").text
    assert "H = Xᵀ diag(p ∘ (1 − p)) X with p = σ(X w) is positive semidefinite" in text
    assert "a Gram form" in text
    assert "twice continuously differentiable" in text
    assert "where b − A x > 0" in text or curvature("-sum(log(b - A*x))", "x").convexity.on[-1] == "b - A*x > 0"


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


# -- certificates are never false

SMOOTH = [
    "x'*x", "x'*P*x", "x'*y", "logsumexp(A*x)", "logsumexp(2*x)", "sum(exp(x))", "log(cosh(c))", "sum(sigmoid(x))",
    "softmax(x)'*y", "tanh(c)^2", "sin(c)", "x'*softmax(x)", "norm2(softmax(A*x))^2", "sqrt(1 + x'*x)", "c^2", "c*d",
    "x[1]^2 + x[2]*x[1]", "c*sum(x)", "logdet(S)", "tr(inv(S))", "logdet(S + x*x')", "sum(x.^3)", "c^2*step(c)",
    "sum(abs(x).^3)", "relu(c)^2", "norm2(x)^3", "c*abs(c)", "(x'*x)^(3/2)", "(x'*x)^(1/2)", "c*log(c/d)", "x'*x/d",
    "abs(c)", "relu(c)", "step(c)", "norm1(x)", "sum(x.*sigmoid(x))", "sum(log(cosh(x - y)))", "exp(c - d)", "c^2/d",
]  # fmt: skip
KNOWN = {
    "x": "vector(n)",
    "y": "vector(n)",
    "A": "matrix(m,n)",
    "P": "psd(n)",
    "S": "spd(n)",
    "c": "scalar",
    "d": "positive",
}


@pytest.mark.parametrize("seed", range(24))
def test_no_segment_refutes_a_certificate(seed: int) -> None:
    """Sums of a few terms with signs, of which the Hessian is judged alone, without rules of composition."""
    rng = np.random.default_rng(seed)
    terms = [
        f"{rng.choice(['+', '+', '-'])} {rng.choice(['', '2*', 'd*'])}{rng.choice(SMOOTH)}" for _ in range(seed % 3 + 1)
    ]
    text = f"0 {' '.join(terms)}"
    known = matgrad.parse(text, where={name: kind for name, kind in KNOWN.items() if re.search(rf"\b{name}\b", text)})
    inquiry = Inquiry(known.typed, None, repr, known.print)
    for names in ([*inquiry.names], *([name] for name in inquiry.names)):
        if region(inquiry.setting, [inquiry.setting.symbols[name] for name in names]).obstacle is not None:
            continue
        for sign in (1, -1):
            if by_hessian(inquiry.setting, names, sign) is not None:
                refuting = against_convexity(Search(inquiry.program, inquiry.subjects, seed), names, sign, 20)
                assert refuting is None, f"{text} in {names}: {refuting}"


def test_a_certificate_says_what_the_ends_of_a_spectrum_do_not() -> None:
    X = np.random.default_rng(1).standard_normal((80, 100))
    at = {"X": X, "b": np.zeros(80), "x": np.zeros(100)}
    found = curvature("norm2(X*x - b)^2", "x", at, method="iterative", largest=2)
    assert found.kind == "minimum"
    assert found.eigenvalues is not None
    np.testing.assert_allclose(found.eigenvalues[-2:], np.linalg.eigvalsh(2 * X.T @ X)[-2:], rtol=1e-8)
    assert curvature("norm2(X*x - b)^2 - x'*x", "x", at, method="iterative", largest=2).kind == "saddle"


def test_few_entries_are_all_found_by_products_too() -> None:
    at = {"A": [[1.0, 2.0], [3.0, 4.0]], "x": [0.0, 0.0]}
    found = curvature("x'*A*x", "x", at, method="iterative")
    assert found.kind == "saddle"
    assert found.condition_number == pytest.approx(curvature("x'*A*x", "x", at).condition_number)
