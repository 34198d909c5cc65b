"""Minimisation: against independent references on real data, by every method, and what is said where it fails."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import Lasso, LogisticRegression, PoissonRegressor
from sklearn.preprocessing import StandardScaler

import matgrad
from matgrad.analysis.choosing import METHODS
from matgrad.analysis.minimize import minimize
from matgrad.analysis.newton import solve_positive
from matgrad.errors import DataError, MatgradError, NotSupported

rng = np.random.default_rng(11)
DIABETES, PROGRESS = load_diabetes(return_X_y=True)
FEATURES, LABELS = load_breast_cancer(return_X_y=True)
FEATURES = StandardScaler().fit_transform(FEATURES)[:, :12]
IRIS, SPECIES = load_iris(return_X_y=True)
LOGISTIC = "sum(log(1 + exp(X*w + b)) - y.*(X*w + b)) + 0.5*c*norm2(w)^2"
LOGISTIC_WHERE = "b: scalar; c: positive"
SMOOTH = [m for m in METHODS if m not in ("auto", "least-squares", "proximal-gradient", "gradient-descent")]


def _far(found: Any, wanted: Any) -> float:
    """The largest difference, relative to the largest value."""
    return float(np.max(np.abs(np.asarray(found) - wanted)) / np.max(np.abs(wanted)))


# -- references


def test_least_squares_agree_with_the_normal_equations() -> None:
    found = minimize("norm2(A*x - b)^2", "x", {"A": DIABETES, "b": PROGRESS})
    wanted = np.linalg.lstsq(DIABETES, PROGRESS, rcond=None)[0]
    assert _far(found.values["x"], wanted) < 1e-9
    assert (found.method, found.nit, found.success) == ("newton", 1, True)
    assert "2*A'*A does not vary" in found.why


@pytest.mark.parametrize("method", ["auto", *SMOOTH])
def test_logistic_regression_agrees_with_scikit_learn(method: str) -> None:
    found = minimize(LOGISTIC, ["w", "b"], {"X": FEATURES, "y": LABELS, "c": 1}, method=method, where=LOGISTIC_WHERE)
    peer = LogisticRegression(C=1.0, tol=1e-12, solver="newton-cholesky").fit(FEATURES, LABELS)
    assert found.success
    assert _far(found.values["w"], peer.coef_[0]) < 1e-6
    assert found.values["b"] == pytest.approx(peer.intercept_[0], rel=1e-6)
    falls = np.diff([line.fun for line in found.history])
    assert np.all(falls <= 1e-9 * abs(found.fun))


def test_gradient_descent_arrives_with_both_kinds_of_step() -> None:
    data = {"X": FEATURES[:100, :3], "y": LABELS[:100], "c": 5}
    wanted = minimize(LOGISTIC, ["w", "b"], data, where=LOGISTIC_WHERE).values["w"]
    for step in (None, 0.03):
        found = minimize(LOGISTIC, ["w", "b"], data, method="gradient-descent", step=step,
                             where=LOGISTIC_WHERE, tolerance=1e-9)  # fmt: skip
        assert found.success
        assert _far(found.values["w"], wanted) < 1e-6


def test_poisson_regression_agrees_with_scikit_learn() -> None:
    counts = np.round(PROGRESS / 25)
    formula = "mean(exp(X*w + b) - y.*(X*w + b)) + 0.5*c*norm2(w)^2"
    found = minimize(formula, ["w", "b"], {"X": DIABETES * 10, "y": counts, "c": 0.01}, where=LOGISTIC_WHERE)
    peer = PoissonRegressor(alpha=0.01, tol=1e-12, max_iter=10_000, solver="newton-cholesky")
    peer.fit(DIABETES * 10, counts)
    assert _far(found.values["w"], peer.coef_) < 1e-6
    assert found.values["b"] == pytest.approx(peer.intercept_, rel=1e-6)
    assert found.method == "newton"
    assert "convex" in found.why


def test_lasso_agrees_with_scikit_learn() -> None:
    X, y = DIABETES * 20, PROGRESS - PROGRESS.mean()
    for share, accelerated in ((1.0, True), (5.0, True), (5.0, False)):
        found = minimize("norm2(y - X*w)^2/(2*m) + c*norm1(w)", "w", {"X": X, "y": y, "c": share},
                         where="c: positive; X: matrix(m,n)", accelerated=accelerated,
                         method="proximal-gradient" if not accelerated else "auto")  # fmt: skip
        peer = Lasso(alpha=share, fit_intercept=False, tol=1e-14, max_iter=100_000).fit(X, y)
        assert found.method == "proximal-gradient"
        assert _far(found.values["w"], peer.coef_) < 1e-6
        assert np.array_equal(found.values["w"] == 0, np.abs(peer.coef_) < 1e-9)


def test_gaussian_process_agrees_with_scikit_learn() -> None:
    x = np.sort(rng.uniform(0, 5, 40))
    y = np.sin(1.5 * x) + 0.2 * rng.normal(size=40)
    squares = (x[:, None] - x) ** 2
    formula = "K = s*exp(-D/(2*l^2)) + v*eye(n); 0.5*y'*inv(K)*y + 0.5*logdet(K) + 0.5*n*log(2*pi)"
    where = "D: symmetric(n); y: vector(n); s: positive; l: positive; v: positive"
    found = minimize(formula, ["s", "l", "v"], {"D": squares, "y": y}, where=where, start={"s": 1, "l": 1, "v": 0.1})
    kernel = ConstantKernel(1.0) * RBF(1.0) + WhiteKernel(0.1)

    def tight(function: Callable[..., Any], start: Any, bounds: Any) -> tuple[Any, float]:
        from scipy.optimize import minimize as solve

        options = {"gtol": 1e-10, "ftol": 0}
        peer = solve(function, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options)
        return peer.x, peer.fun

    peer = GaussianProcessRegressor(kernel, alpha=0, optimizer=tight).fit(x[:, None], y)
    constant, length = peer.kernel_.k1.k1.constant_value, peer.kernel_.k1.k2.length_scale
    wanted = [constant, length, peer.kernel_.k2.noise_level]
    assert found.success
    assert found.fun == pytest.approx(-peer.log_marginal_likelihood_value_, rel=1e-9)
    assert _far([float(found.values[name]) for name in ("s", "l", "v")], wanted) < 1e-6


@pytest.mark.parametrize("method", ["auto", "newton", "l-bfgs"])
def test_gaussian_covariance_is_that_of_the_sample(method: str) -> None:
    X = IRIS - IRIS.mean(0)
    C = X.T @ X / len(X)
    found = minimize("0.5*logdet(S) + 0.5*tr(inv(S)*C)", "S", {"C": C}, where="S: spd(n)", method=method)
    assert _far(found.values["S"], C) < 1e-6


def test_one_step_of_natural_gradient_gives_the_covariance_of_rows() -> None:
    X = IRIS - IRIS.mean(0)
    where = "S: spd(n); X: matrix(m,n)"
    found = minimize("0.5*m*logdet(S) + 0.5*tr(X*inv(S)*X')", "S", {"X": X}, where=where, method="natural-gradient")
    assert found.nit <= 2
    assert _far(found.values["S"], X.T @ X / len(X)) < 1e-9


def test_the_rayleigh_quotient_gives_the_first_principal_component() -> None:
    C = np.cov(IRIS.T)
    found = minimize("-(x'*C*x)/(x'*x)", "x", {"C": C}, where="C: symmetric(n)")
    values, vectors = np.linalg.eigh(C)
    x = found.values["x"] / np.linalg.norm(found.values["x"])
    assert -found.fun == pytest.approx(values[-1], rel=1e-9)
    assert abs(x @ vectors[:, -1]) == pytest.approx(1, abs=1e-12)


def test_standard_errors_agree_with_statsmodels() -> None:
    statsmodels = pytest.importorskip("statsmodels.api")
    X = np.column_stack([np.ones(len(LABELS)), FEATURES[:, [1, 4]]])
    found = minimize("sum(log(1 + exp(X*w)) - y.*(X*w))", "w", {"X": X, "y": LABELS})
    peer = statsmodels.Logit(LABELS, X).fit(disp=0, tol=1e-12)
    assert _far(found.values["w"], peer.params) < 1e-6
    assert _far(found.standard_errors()["w"], peer.bse) < 1e-6


def test_matrix_factorisation_finds_the_singular_vectors() -> None:
    found = minimize("norm2(M - U*V')^2", ["U", "V"], {"M": IRIS[:30], "k": 2}, where="U: matrix(m,k)")
    assert found.method == "least-squares"
    assert found.fun == pytest.approx(float(np.sum(np.linalg.svd(IRIS[:30])[1][2:] ** 2)), rel=1e-9)


def test_softmax_regression_agrees_with_scikit_learn() -> None:
    one_hot = np.eye(3)[SPECIES]
    X = StandardScaler().fit_transform(IRIS)
    formula = "sum(logsumexp(X*W, dim=2)) - sum(Y.*(X*W)) + 0.5*c*norm2(W)^2"
    peer = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-12, max_iter=1000).fit(X, SPECIES)
    for method in ("auto", "natural-gradient"):
        found = minimize(formula, "W", {"X": X, "Y": one_hot, "c": 1}, where="c: positive", method=method)
        assert _far(found.values["W"], peer.coef_.T) < 1e-5


# -- methods


def test_newton_takes_one_step_on_any_quadratic() -> None:
    A = rng.normal(size=(5, 5))
    data = {"A": A @ A.T + np.eye(5), "b": rng.normal(size=5)}
    found = minimize("0.5*x'*A*x - b'*x", "x", data, rng.normal(size=5), "newton")
    assert found.nit == 1
    assert _far(found.values["x"], np.linalg.solve(data["A"], data["b"])) < 1e-9


def test_newton_leaves_a_saddle() -> None:
    formula = "x[1]^4 - 2*x[1]^2 + x[2]^2"
    found = minimize(formula, "x", start=[0.0, 1.0], method="newton")
    assert found.success
    assert abs(found.values["x"][0]) == pytest.approx(1, abs=1e-8)
    assert any("saddle" in note for note in found.notes)
    stuck = minimize(formula, "x", start=[0.0, 1.0], method="gradient-descent")
    assert not stuck.success
    assert "saddle" in stuck.message


def test_a_modified_factor_gives_directions_of_descent() -> None:
    for seed in range(20):
        draw = np.random.default_rng(seed)
        H, g = draw.normal(size=(6, 6)), draw.normal(size=6)
        H = H + H.T
        d = solve_positive(H, g)
        assert g @ d > 0
    positive = H @ H + np.eye(6)
    assert np.allclose(solve_positive(positive, g), np.linalg.solve(positive, g))


def test_rosenbrock_by_every_method() -> None:
    formula = "100*(x[2] - x[1]^2)^2 + (1 - x[1])^2"
    for method in ("auto", "newton", "l-bfgs", "trust-exact", "trust-krylov", "least-squares"):
        found = minimize(formula, "x", start=[-1.2, 1.0], method=method)
        assert found.success, found
        assert np.allclose(found.values["x"], 1, atol=1e-6)
    assert minimize(formula, "x", start=[-1.2, 1.0]).method == "least-squares"


@pytest.mark.parametrize("method", ["auto", "l-bfgs", "gradient-descent", "newton", "least-squares"])
def test_bounds_hold_and_the_minimum_within_is_found(method: str) -> None:
    from scipy.optimize import nnls

    X, y = DIABETES * 20, PROGRESS - PROGRESS.mean()
    found = minimize("norm2(X*w - y)^2", "w", {"X": X, "y": y}, method=method, where="w: nonnegative vector(n)")
    assert found.success, found
    assert np.all(found.values["w"] >= 0)
    assert _far(found.values["w"], nnls(X, y)[0]) < 1e-5
    boxed = minimize("norm2(X*w - y)^2", "w", {"X": X, "y": y}, method=method, bounds={"w": (-3, [None, *[5] * 9][1])})
    assert boxed.values["w"].min() >= -3
    assert boxed.values["w"].max() <= 5


def test_nonlinear_least_squares_of_a_vector_formula() -> None:
    t = np.linspace(0, 4, 20)
    found = minimize("y - a*exp(-k*t)", ["a", "k"], {"y": 3 * np.exp(-0.7 * t), "t": t}, where="a: scalar; k: scalar")
    assert found.method == "least-squares"
    assert np.allclose([found.values["a"], found.values["k"]], [3, 0.7])


# -- structure


@pytest.mark.parametrize(
    ("formula", "over", "data", "where", "method", "why"),
    [
        ("norm2(A*x - b)^2 + norm2(x)^2", "x", {"A": np.eye(2), "b": [1, 2]}, "", "newton", "linear solve"),
        ("logsumexp(A*x) + norm2(x)^2", "x", {"A": np.eye(2)}, "", "newton", "convex"),
        ("norm2(y - exp(X*w))^2", "w", {"X": np.eye(2), "y": [1, 2]}, "", "least-squares", "sum of squares"),
        ("norm2(x - b)^2 + 2*norm1(x)", "x", {"b": [1, 2]}, "", "proximal-gradient", "weighted sum of |x|"),
        ("norm2(x - b)^2", "x", {"b": [1, 2]}, "x: nonnegative vector(n)", "newton", "bounds"),
        ("sum(cos(x)) + 0.1*norm2(x)^2", "x", {"n": 3}, "x: vector(n)", "trust-exact", "not known to be convex"),
        ("sum((x - b).^4)", "x", {"b": np.ones(2000)}, "", "l-bfgs", "large"),
        ("norm2(x - b)^2", "x", {"b": np.ones(5000)}, "", "trust-krylov", "large"),
        ("norm1(A*x - b) + norm2(x)^2", "x", {"A": np.eye(2), "b": [1, 2]}, "", "l-bfgs", "kinks"),
    ],
)  # fmt: skip
def test_auto_chooses_by_structure(formula: str, over: str, data: Any, where: str, method: str, why: str) -> None:
    found = minimize(formula, over, data, where=where)
    assert found.method == method
    assert why in found.why


# -- results


def test_a_result_is_scipys_with_a_history() -> None:
    lines: list[int] = []
    found = minimize(LOGISTIC, ["w", "b"], {"X": FEATURES, "y": LABELS, "c": 1}, where=LOGISTIC_WHERE,
                     callback=lambda line: lines.append(line.number))  # fmt: skip
    assert set(found) >= {"x", "fun", "jac", "nit", "nfev", "njev", "nhev", "success", "status", "message"}
    assert lines == [line.number for line in found.history] == list(range(found.nit + 1))
    assert found.history[-1].fun == found.fun
    assert np.array_equal(found.history[-1].z, found.x)
    assert np.array_equal(found.objective.unpack(found.x)["w"], found.values["w"])
    assert found.history[0].step == 0
    assert "newton: convex" in str(found)


def test_an_interruption_gives_the_best_point_so_far() -> None:
    for method in ("newton", "l-bfgs", "trust-exact", "gradient-descent", "natural-gradient"):
        calls: list[float] = []

        def interrupt(line: Any, calls: list[float] = calls) -> None:
            calls.append(line.fun)
            if len(calls) == 4:
                raise KeyboardInterrupt

        found = minimize(LOGISTIC, ["w", "b"], {"X": FEATURES, "y": LABELS, "c": 1}, where=LOGISTIC_WHERE,
                         method=method, callback=interrupt)  # fmt: skip
        assert not found.success
        assert "interrupted after 3 iterations" in found.message
        assert found.fun <= min(calls)


# -- what goes wrong


@pytest.mark.parametrize(
    ("formula", "over", "data", "where", "says"),
    [
        ("c'*x", "x", {"c": [1, 2]}, "c: vector(n)", "there is no minimum"),
        ("x'*A*x", "x", {"A": [[1, 0], [0, -1]]}, "", "eigenvalue -2"),
        ("x'*A*x - b'*x", "x", {"A": [[1, 0], [0, 0]], "b": [0, 1]}, "", "does not curve"),
        ("sum(x.^3)", "x", {"n": 2}, "x: vector(n)", "seems to be no minimum"),
        ("-log(x)", "x", None, "x: positive", "seems to be no minimum"),
        ("sum(log(1 + exp(-y.*(X*w))))", "w", {"X": [[1.0], [2.0], [-1.0]], "y": [1, 1, -1]}, "", "no minimum"),
    ],
)  # fmt: skip
def test_where_there_is_no_minimum_that_is_said(formula: str, over: str, data: Any, where: str, says: str) -> None:
    found = minimize(formula, over, data, where=where)
    assert not found.success
    assert says in found.message


def test_many_minimisers_are_noted() -> None:
    found = minimize("norm2(A*x - b)^2", "x", {"A": [[1.0, 1.0]], "b": [2.0]})
    assert np.allclose(found.values["x"], [1, 1])
    assert "not unique" in found.notes[0]


def test_too_few_iterations_are_said() -> None:
    found = minimize(LOGISTIC, ["w", "b"], {"X": FEATURES, "y": LABELS, "c": 1}, where=LOGISTIC_WHERE, iterations=2)
    assert not found.success
    assert "not converged after 2 iterations" in found.message


def test_a_fixed_step_that_is_too_long_is_told_its_limit() -> None:
    found = minimize("x[1]^2 + 2*x[1]*x[2] + 3*x[2]^2", "x", start=[1.0, 1.0], method="gradient-descent", step=0.5)
    assert "diverges" in found.message
    assert f"{2 / (4 + 2 * 2**0.5):.3g}" in found.message


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"method": "bfgs"}, MatgradError, "no method 'bfgs'"),
        ({"tolerance": 0}, MatgradError, "tolerance is a number above 0"),
        ({"iterations": 0}, MatgradError, "iterations is a whole number"),
        ({"step": 0.1}, MatgradError, "a fixed step is one of gradient descent"),
        ({"start": [1, 2]}, DataError, "x has shape"),
        ({"bounds": {"y": (0, 1)}}, DataError, "bounds name y"),
        ({"bounds": {"x": 1}}, DataError, "are no pair"),
        ({"bounds": {"x": (1, 0)}}, DataError, "no value of x"),
        ({"bounds": {"x": (0, [1, 2])}}, DataError, "do not fit"),
        ({"bounds": {"x": (0, 1)}, "start": [2, 2, 2]}, DataError, "outside of the bounds"),
        ({"bounds": {"x": (0, 1)}, "method": "trust-exact"}, MatgradError, "takes no bounds"),
        ({"method": "proximal-gradient"}, MatgradError, "no l1 term"),
        ({"method": "natural-gradient", "response": "q"}, MatgradError, "q is no variable"),
    ],
)
def test_bad_options_are_told(options: dict[str, Any], error: type[MatgradError], says: str) -> None:
    with pytest.raises(error, match=says):
        minimize("norm2(A*x - b)^2", "x", {"A": np.ones((4, 3)), "b": np.ones(4)}, **options)


def test_a_start_outside_of_the_domain_is_told_with_the_conditions() -> None:
    with pytest.raises(DataError, match="x > 0"):
        minimize("sum(x - log(x))", "x", {"n": 2}, [-1.0, 1.0], where="x: vector(n)")
    inside = minimize("sum(x - log(x))", "x", {"n": 2}, where="x: vector(n)")
    assert np.allclose(inside.values["x"], 1)
    with pytest.raises(NotSupported, match="negative c"):
        minimize("norm2(x)^2 + c*norm1(x)", "x", {"c": -1, "n": 2}, where="x: vector(n); c: scalar")


def test_top_level_name() -> None:
    assert matgrad.minimize is minimize


def test_what_is_declared_positive_may_have_any_scale_and_may_go_to_zero() -> None:
    y = 1e-6 * rng.normal(size=30)
    for method in ("auto", "l-bfgs", "natural-gradient"):
        found = minimize(
            "0.5*n*log(v) + norm2(y)^2/(2*v)", "v", {"y": y}, method=method, where="v: positive; y: vector(n)"
        )
        assert found.success, found
        assert float(found.values["v"]) == pytest.approx(np.mean(y**2), rel=1e-6)
    border = minimize("x^2 + x", "x", where="x: positive")
    assert border.success
    assert float(border.values["x"]) < 1e-8
    assert "approached at 0, not attained" in border.notes[0]


def test_a_noisy_gaussian_process_does_not_end_at_the_border() -> None:
    x = np.linspace(0, 1, 12)
    y = np.sin(6 * x) + 0.1 * np.random.default_rng(4).normal(size=12)
    where = "D: symmetric(n); y: vector(n); s: positive; l: positive; v: positive"
    formula = "K = s*exp(-D/(2*l^2)) + v*eye(n); 0.5*y'*inv(K)*y + 0.5*logdet(K)"
    ends = [
        minimize(formula, ["s", "l", "v"], {"D": (x[:, None] - x) ** 2, "y": y}, where=where, method=method)
        for method in ("auto", "l-bfgs")
    ]
    assert all(end.success for end in ends)
    assert ends[0].fun == pytest.approx(ends[1].fun, abs=1e-9)
    assert all(float(end.values["s"]) > 0.1 for end in ends)


def test_sparse_precision_matrices_satisfy_their_optimality_conditions() -> None:
    """|C − S⁻¹| ≤ c where S is zero, and C − S⁻¹ = −c·sign(S) elsewhere."""
    C = np.corrcoef(IRIS.T)
    found = minimize(
        "tr(C*S) - logdet(S) + c*norm1(S)", "S", {"C": C, "c": 0.3}, where="S: spd(n); C: symmetric(n); c: positive"
    )
    S = found.values["S"]
    G = C - np.linalg.inv(S)
    assert found.success
    assert np.any(S == 0)
    assert np.all(np.abs(G) <= 0.3 + 1e-7)
    assert np.allclose(G[S != 0], -0.3 * np.sign(S[S != 0]), atol=1e-7)


def test_a_quadratic_whose_minimum_is_not_definite_is_said() -> None:
    found = minimize("norm2(S - C)^2", "S", {"C": np.diag([1.0, -1.0])}, where="S: psd(n)")
    assert not found.success
    assert "outside of what is declared" in found.message
    assert "L*L'" in found.notes[0]


def test_numbers_of_an_unusual_size_are_told() -> None:
    A, b = np.random.default_rng(0).normal(size=(6, 3)), np.ones(6)
    for scale, says in ((1e200, "not finite"), (1e-200, "too small")):
        found = minimize("norm2(A*x - b)^2", "x", {"A": scale * A, "b": b})
        assert not found.success
        assert says in found.message
    with pytest.raises(DataError, match="no entries"):
        minimize("norm2(A*x - b)^2", "x", {"A": np.zeros((6, 0)), "b": b})
    one = minimize("norm2(A*x - b)^2", "x", {"A": [[2.0]], "b": [4.0]})
    assert one.values["x"].tolist() == [2.0]


def test_an_infimum_at_infinity_is_not_taken_for_a_minimum() -> None:
    for formula, where in (("inv(X)", "X: matrix(n,n)"), ("1/x", "x: positive")):
        found = minimize(formula, formula.strip("inv()/1"), {"n": 2} if "X" in formula else None, where=where)
        assert not found.success
        assert "no minimum" in found.message


@pytest.mark.parametrize("method", ["auto", "least-squares"])
def test_a_residual_need_not_have_all_variables(method: str) -> None:
    found = matgrad.minimize("(1 - a)^2 + 100*(b - a^2)^2", ["a", "b"], None, {"a": -1.2, "b": 1.0}, method)
    assert found.success
    assert found.method == "least-squares"
    np.testing.assert_allclose(found.x, [1, 1], rtol=1e-8)
    other = matgrad.minimize("norm2(b - a^2)^2 + (a - 3)^2", ["b", "a"], None, {"b": -1.2, "a": 1.0}, method)
    np.testing.assert_allclose(other.x, [9, 3], rtol=1e-8)


def test_a_variable_in_the_l1_term_only_is_told() -> None:
    data = {"A": np.eye(2), "b": [1, 2]}
    with pytest.raises(matgrad.MatgradError, match="z is in the l1 term only"):
        matgrad.minimize("norm2(A*x - b)^2 + norm1(x) + norm1(z)", ["x", "z"], data, {"z": [1.0, 2.0]})


@pytest.mark.parametrize(
    ("formula", "over", "start", "method"),
    [
        ("(1 - a)^2 + 100*(b - a^2)^2", ["a", "b"], {"a": 1e6, "b": -1e6}, "newton"),
        ("(c - 1e8)^4", "c", {"c": 0.0}, "newton"),
        ("c^3", "c", {"c": 0.0}, "l-bfgs"),
        ("a^3 - 3*a*b^2", ["a", "b"], {"a": 0.0, "b": 0.0}, "newton"),
    ],
)
def test_a_point_that_is_no_minimum_is_no_success(formula: str, over: Any, start: Any, method: str) -> None:
    """The gradient is small beside that at a far start, or vanishes where the third derivative does not."""
    where = dict.fromkeys(start, "scalar")
    found = matgrad.minimize(matgrad.parse(formula, where=where), over, None, start, method=method)
    assert not found.success
    assert "minimum" in found.message or "not converged" in found.message


def test_trust_krylov_ends_where_its_krylov_space_breaks_down() -> None:
    C = np.cov(IRIS.T)
    found = minimize("-(x'*C*x)/(x'*x)", "x", {"C": C}, where="C: symmetric(n)", method="trust-krylov")
    assert found.success, found
    assert -found.fun == pytest.approx(np.linalg.eigvalsh(C)[-1], rel=1e-9)
    cosines = minimize("sum(cos(x)) + 0.1*norm2(x)^2", "x", {"n": 3}, where="x: vector(n)", method="trust-krylov")
    assert cosines.success, cosines


@pytest.mark.parametrize("seed", range(3))
def test_newton_goes_on_while_what_is_declared_positive_falls_to_zero(seed: int) -> None:
    from scipy.optimize import nnls

    draw = np.random.default_rng(seed)
    A = draw.normal(size=(30, 5))
    b = A @ [1.0, -1.0, 2.0, -3.0, 0.5] + 0.1 * draw.normal(size=30)
    found = minimize("norm2(A*x - b)^2", "x", {"A": A, "b": b}, where="x: positive vector(n)")
    assert found.success, found
    assert _far(found.values["x"], nnls(A, b)[0]) < 1e-8
