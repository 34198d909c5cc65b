"""Objectives: what SciPy gets is right by finite differences, in every kind of variable, and bad input is told."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import least_squares, minimize

import matgrad
from matgrad.analysis.objective import Objective
from matgrad.errors import DataError, MatgradError, NotScalar, NotSupported, ShapeError, UnknownName

rng = np.random.default_rng(5)
X, Y = rng.normal(size=(7, 3)), rng.normal(size=(7, 2))
LABELS = (rng.random(7) > 0.4) * 1.0
SQUARES = ((X[:, None] - X[None]) ** 2).sum(-1)

Case = tuple[str, list[str], dict[str, Any], str]
LOGISTIC = "sum(log(1 + exp(X*w + b))) - y'*(X*w + b) + 0.5*c*norm2(w)^2"
PROCESS = "K = s*exp(-D/(2*l^2)) + v*eye(n); 0.5*y'*inv(K)*y + 0.5*logdet(K)"
TRIANGLES = "norm2(L*X' - B)^2 + sum(exp(D)) + tr(R*X'*X*R')"
CASES: list[Case] = [
    (LOGISTIC, ["w", "b"], {"X": X, "y": LABELS, "c": 2}, "b: scalar; c: positive"),
    ("0.5*logdet(S) + 0.5*tr(inv(S)*C)", ["S"], {"C": X.T @ X}, "S: spd(n)"),
    ("norm2(M - U*V')^2 + c*norm2(U)^2", ["U", "V"], {"M": X, "p": 2, "c": 0.3}, "U: matrix(m,p); V: matrix(n,p)"),
    (PROCESS, ["s", "l", "v"], {"D": SQUARES, "y": LABELS}, "D: symmetric(n); s: positive; l: positive; v: positive"),
    (TRIANGLES, ["L", "D", "R"], {"X": X, "B": np.ones((3, 7))}, "L: lower(n); D: diagonal(n); R: upper(n)"),
    ("sum(logsumexp(X*W, dim=2)) - sum(Y.*(X*W))", ["W"], {"X": X, "Y": Y}, ""),
]


def _made(case: Case) -> tuple[Objective, np.ndarray]:
    formula, over, data, where = case
    made = matgrad.objective(formula, over, data, where=where)
    return made, made.x0 + 0.2 * np.random.default_rng(1).random(made.size)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_derivatives_are_those_of_the_value(case: Case) -> None:
    made, z = _made(case)
    step = 1e-6
    slopes = [(made.fun(z + step * e) - made.fun(z - step * e)) / (2 * step) for e in np.eye(made.size)]
    bends = [(made.jac(z + step * e) - made.jac(z - step * e)) / (2 * step) for e in np.eye(made.size)]
    assert np.allclose(made.jac(z), slopes, rtol=1e-6, atol=1e-6)
    assert np.allclose(made.hess(z), bends, rtol=1e-6, atol=1e-6)
    v = np.random.default_rng(2).normal(size=made.size)
    assert np.allclose(made.hessp(z, v), made.hess(z) @ v, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_packing_and_unpacking_undo_each_other(case: Case) -> None:
    made, z = _made(case)
    arrays = made.unpack(z)
    assert np.array_equal(made.pack(arrays), z)
    assert np.array_equal(made.pack(**arrays), z)
    assert len(made.labels) == made.size
    assert made.fun(z) == pytest.approx(matgrad.parse(case[0], where=case[3])(**arrays, **_arrays(case, made)))


def _arrays(case: Case, made: Objective) -> dict[str, Any]:
    return {name: value for name, value in case[2].items() if name in made.formula.variables}


def test_matrices_are_packed_row_by_row() -> None:
    made = matgrad.objective("norm2(A*B)^2", ["B"], {"A": X}, start={"B": [[1.0, 2], [3, 4], [5, 6]]})
    assert made.x0.tolist() == [1, 2, 3, 4, 5, 6]
    assert made.labels[1] == "B[1,2]"
    symmetric = matgrad.objective("tr(S*C)", "S", {"C": X.T @ X}, where="S: symmetric(n)")
    assert symmetric.labels == ("S[1,1]", "S[2,1]", "S[2,2]", "S[3,1]", "S[3,2]", "S[3,3]")
    # Both entries of a symmetric pair move with one coordinate.
    assert np.allclose(symmetric.jac(symmetric.x0)[1], 2 * (X.T @ X)[0, 1])


@pytest.mark.parametrize("method", ["trust-exact", "trust-krylov", "trust-ncg", "Newton-CG", "L-BFGS-B"])
def test_scipy_takes_them(method: str) -> None:
    formula, over, data, where = CASES[0]
    made = matgrad.objective(formula, over, data, where=where)
    hessian = {"hess": made.hess} if method == "trust-exact" else {"hessp": made.hessp}
    more = {} if method == "L-BFGS-B" else hessian
    found = minimize(made.fun, made.x0, jac=made.jac, method=method, bounds=made.bounds, tol=1e-9, **more)
    assert np.linalg.norm(made.jac(found.x)) < 1e-4


def test_least_squares_takes_them() -> None:
    made = matgrad.objective("a*exp(-k*t) - y", ["a", "k"], {"t": np.arange(5.0), "y": 3 * np.exp(-0.7 * np.arange(5))},
                             where="a: scalar; k: positive", start={"a": 1, "k": 1})  # fmt: skip
    found = least_squares(made.residuals, made.x0, jac=made.jacobian, bounds=made.bounds, xtol=1e-15, ftol=1e-15)
    assert np.allclose(found.x, [3, 0.7], atol=1e-9)
    shaped = matgrad.objective("A*B - M", "B", {"A": X, "M": Y})
    z = rng.normal(size=shaped.size)
    differences = [(shaped.residuals(z + 1e-6 * e) - shaped.residuals(z - 1e-6 * e)) / 2e-6 for e in np.eye(6)]
    assert np.allclose(shaped.jacobian(z), np.transpose(differences), atol=1e-8)
    assert np.allclose(shaped.residuals(z), (X @ z.reshape(3, 2) - Y).ravel())


def test_bounds_come_from_declarations() -> None:
    made = matgrad.objective(
        "sum(a.*log(p)) + q", ["p", "q"], {"a": [1.0, 2]}, where="p: positive vector(n); q: nonnegative"
    )
    assert made.bounds is not None
    assert made.bounds.lb[-1] == 0
    assert np.all(made.bounds.lb[:2] > 0)
    assert matgrad.objective("x'*x", "x", {"n": 2}).bounds is None


def test_calls_at_one_point_share_their_work() -> None:
    made, z = _made(CASES[0])
    calls: list[str] = []
    inner = made._values
    made._values = lambda *given: (calls.append("values"), inner(*given))[1]  # type: ignore[method-assign]
    made.fun(z), made.jac(z), made.fun(z.copy()), made.hess(z), made.hess(z)
    assert len(calls) == 2
    made.fun(z + 1), made.jac(z), made.fun(z)  # where a method is, and where it looks
    assert len(calls) == 3
    made.jac(z)[:] = 0  # what is handed out is the caller's own
    assert np.any(made.jac(z))


def test_outside_of_the_domain_the_value_is_infinite() -> None:
    made = matgrad.objective("a'*log(x) + sum(x)", "x", {"a": [-1.0, -2]})
    assert made.fun(np.array([1.0, -1])) == np.inf
    assert np.isnan(made.jac(np.array([1.0, -1]))).all()
    assert np.isnan(made.hessp(np.array([1.0, -1]), np.ones(2))).all()
    spd = matgrad.objective("tr(S) - logdet(S)", "S", {"n": 2}, where="S: spd(n)")
    assert spd.fun(np.array([1.0, 2, 1])) == np.inf
    singular = matgrad.objective("tr(inv(A))", "A", {"n": 2}, where="A: matrix(n,n)")
    assert singular.fun(np.zeros(4)) == np.inf


DOMAINS: dict[str, tuple[str, str, dict[str, Any], str, dict[str, Any]]] = {
    "barrier": ("c'*x - sum(log(b - A*x))", "x", {"A": np.vstack([X, -X]), "b": np.ones(14), "c": [10.0, -20, 30]},
                "", {}),
    "spd": ("4*log(det(S)) + tr(inv(S)*C)", "S", {"C": X.T @ X}, "S: spd(n)", {}),
    "positive": ("sum(p.*log(p)) - c'*p", "p", {"c": [-3.0, 0]}, "p: positive vector(2)", {"p": [1.0, 1]}),
    "interval": ("x - 0.001*log(x) - 0.001*log(2 - x)", "x", {}, "x: scalar", {"x": 1.0}),
}  # fmt: skip


@pytest.mark.parametrize("name", DOMAINS)
@pytest.mark.parametrize(
    "method",
    ["Newton-CG", "trust-ncg", "trust-krylov", "trust-exact", "trust-constr", "L-BFGS-B", "TNC", "SLSQP", "BFGS", "CG"],
)
@pytest.mark.filterwarnings("ignore:.*Hessian:UserWarning", "ignore:overflow:RuntimeWarning")
def test_methods_go_back_into_the_domain(name: str, method: str) -> None:
    """trust-exact raised, TNC stepped to nan, L-BFGS-B ended with success where its first step had been too long."""
    formula, over, data, where, start = DOMAINS[name]
    best = matgrad.minimize(formula, over, data, where=where, start=start).fun
    made = matgrad.objective(formula, over, data, where=where, start=start)
    more: dict[str, Any] = {"hess": made.hess} if method in ("trust-exact", "trust-constr") else {}
    if method in ("Newton-CG", "trust-krylov", "trust-ncg"):
        more = {"hessp": made.hessp}
    if method in ("L-BFGS-B", "TNC"):
        found = minimize(made.walled, made.x0, jac=True, method=method)
        assert np.isfinite(made.fun(found.x))
    else:
        found = minimize(made.fun, made.x0, jac=made.jac, method=method, **more)
    assert not found.success or found.fun == pytest.approx(best, rel=1e-4)
    if method in ("L-BFGS-B", "TNC", "trust-exact", "trust-krylov", "trust-ncg", "SLSQP", "BFGS", "CG"):
        assert found.success
    plain = minimize(made.fun, made.x0, jac=made.jac, method="TNC")
    assert not plain.success or plain.fun == pytest.approx(best, rel=1e-4)


@pytest.mark.parametrize("method", ["trf", "dogbox", "lm"])
def test_least_squares_goes_back_into_the_domain(method: str) -> None:
    t = np.linspace(0, 5, 40)
    made = matgrad.objective("log(t*a + b) - y", ["a", "b"], {"t": t, "y": np.log(t * 3 + 0.01)},
                             where="a: scalar; b: scalar; t: vector(n)", start={"a": 0.1, "b": 20})  # fmt: skip
    outside = [0]

    def residuals(z: Any) -> Any:
        found = made.residuals(z)
        outside[0] += not np.all(np.isfinite(found))
        return found

    found = least_squares(residuals, made.x0, jac=made.jacobian, method=method)
    assert outside[0]
    assert np.allclose(found.x, [3, 0.01], atol=1e-6)


def test_derivatives_outside_are_those_of_the_last_point_inside() -> None:
    made, there = _made(CASES[1])
    outside = np.array([1.0, 2, 1, 0, 0, 1])
    assert made.fun(there) < np.inf
    v = np.ones(made.size)
    for _ in range(2):
        assert made.fun(outside) == np.inf
        assert np.array_equal(made.jac(outside), made.jac(there))
        assert np.array_equal(made.hess(outside), made.hess(there))
        assert np.array_equal(made.hessp(outside, v), made.hessp(there, v))
    value, slope = made.walled(outside)
    along = slope @ (outside - there)
    assert along > 0  # the wall rises
    assert value == pytest.approx(made.fun(there) + along)
    inside, gradient = made.walled(there)
    assert inside == made.fun(there)
    assert np.array_equal(gradient, made.jac(there))


@pytest.mark.filterwarnings("error")
def test_what_is_definite_has_no_value_where_rounding_says_that_it_is_not() -> None:
    """LU took over from Cholesky, and the value was -1e17."""
    f = "4*log(det(L*L' + diag(d))) + tr(inv(L*L' + diag(d))*C)"
    where, start = "L: matrix(n,1); d: positive vector(n)", {"L": np.ones((3, 1)), "d": np.ones(3)}
    made = matgrad.objective(f, ["L", "d"], {"C": X.T @ X}, where=where, start=start)
    drawn = np.random.default_rng(0)
    for _ in range(100):
        tiny = 10 ** drawn.uniform(-19, -14, size=3)
        assert made.fun(np.concatenate([drawn.normal(size=3), tiny])) > 0


def test_integers_lists_and_read_only_arrays_are_taken() -> None:
    fixed = np.arange(6).reshape(3, 2)[::-1]
    fixed.flags.writeable = False
    made = matgrad.objective("norm2(A*x - b)^2", "x", {"A": fixed, "b": [1, 2, 3]})
    assert made.fun([1, 2]) == pytest.approx(float(np.sum((fixed @ [1, 2] - [1, 2, 3]) ** 2)))


def test_objects_and_files_are_taken(tmp_path: Path) -> None:
    A, x = matgrad.matrix("A", "m", "n"), matgrad.vector("x", "n")
    np.savez(tmp_path / "d.npz", A=X, other=1)
    made = matgrad.objective((A @ x) @ (A @ x), x, tmp_path / "d.npz")
    assert made.fun(np.ones(3)) == pytest.approx(float(np.sum((X @ np.ones(3)) ** 2)))


def test_an_objective_pickles() -> None:
    made, z = _made(CASES[0])
    again = pickle.loads(pickle.dumps(made))
    assert again.fun(z) == made.fun(z)
    assert np.array_equal(again.hess(z), made.hess(z))


GOOD = {"A": X, "b": np.ones(7)}
LOSS = "norm2(A*x - b)^2"


@pytest.mark.parametrize(
    ("formula", "over", "data", "start", "error", "says"),
    [
        (LOSS, "z", GOOD, None, UnknownName, "z does not occur"),
        (LOSS, [], GOOD, None, MatgradError, "names no variable"),
        (LOSS, ["x", "x"], GOOD, None, MatgradError, "twice"),
        ("r = A*x - b; r'*r", "r", GOOD, None, MatgradError, "r is an intermediate"),
        (LOSS, "x", {"A": X}, None, DataError, "no value is given for b"),
        (LOSS, "x", {**GOOD, "c": 1}, None, DataError, "there is no variable c"),
        (LOSS, "x", {**GOOD, "x": np.ones(3)}, None, DataError, "x varies"),
        (LOSS, "x", {"A": X, "b": np.ones(6)}, None, DataError, "b has shape"),
        (LOSS, "x", {"A": X, "b": [1, 2, 3, np.nan, 5, 6, np.nan]}, None, DataError, r"b holds nan at \[4\] and one"),
        (LOSS, "x", {"A": X, "b": [np.inf] * 7}, None, DataError, "b holds an infinite number"),
        (LOSS, "x", {"A": X, "b": ["one"] * 7}, None, DataError, "b must hold real numbers"),
        (LOSS, "x", {"A": X * 1j, "b": np.ones(7)}, None, DataError, "A must hold real numbers"),
        (LOSS, "x", [1, 2], None, DataError, "data are a mapping"),
        (LOSS, "x", GOOD, {"y": 1}, DataError, "start has y"),
        (LOSS, "x", GOOD, {"x": np.ones(4)}, DataError, "x has shape"),
        (LOSS, "x", GOOD, {"x": [np.nan, 1, 1]}, DataError, "start of x holds nan"),
        ("norm2(M - U*V')^2", ["U", "V"], {"M": X}, None, DataError, "do not say the size"),
        ("tr(O*A)", "O", {"A": np.eye(2)}, None, DataError, "orthogonal"),
        ("sum(g(x))", "x", {"n": 2}, None, NotSupported, "unspecified function"),
        ("A*x + b'", "x", GOOD, None, ShapeError, "cannot be added"),
    ],
)  # fmt: skip
def test_bad_input_is_told(
    formula: str, over: Any, data: Any, start: Any, error: type[MatgradError], says: str
) -> None:
    where = (
        {"O": "orthogonal(n)"} if "O" in formula else {"g": "function", "x": "vector(n)"} if "g(" in formula else None
    )
    with pytest.raises(error, match=says):
        matgrad.objective(formula, over, data, start=start, where=where)


def test_bad_vectors_are_told() -> None:
    made = matgrad.objective(LOSS, "x", GOOD)
    for call in (made.fun, made.jac, made.hess, made.unpack, lambda z: made.hessp(np.ones(3), z)):
        with pytest.raises(DataError, match="shape"):
            call(np.ones(4))
        with pytest.raises(DataError, match=r"nan, at x\[2\]"):
            call(np.array([1, np.nan, 3]))
        with pytest.raises(DataError, match="real numbers"):
            call(np.ones(3) * 1j)
    with pytest.raises(DataError, match="no value is given for x"):
        made.pack({})
    with pytest.raises(DataError, match="there is no y"):
        made.pack(x=np.ones(3), y=1)
    with pytest.raises(DataError, match="structure"):
        matgrad.objective("tr(S*S)", "S", {"n": 2}, where="S: symmetric(n)").pack(S=[[1, 2], [3, 4]])
    with pytest.raises(NotScalar, match="least_squares"):
        matgrad.objective("A*x - b", "x", GOOD).fun(np.ones(3))
    with pytest.raises(NotSupported, match="hessp"):
        matgrad.objective("x'*x", "x", {"n": 20000}).hess(np.ones(20000))
