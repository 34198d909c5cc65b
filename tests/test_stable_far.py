"""Formulas as people type them, far out: against the same formula in 1,100 digits, differentiated by differences."""

from __future__ import annotations

from typing import Any

import mp_evaluator
import numpy as np
import pytest
from mpmath import mp

import matgrad

Point = dict[str, Any]
MIXTURE = "log(w/s1*exp(-(x-m1)^2/(2*s1^2)) + (1-w)/s2*exp(-(x-m2)^2/(2*s2^2)))"
SCALARS = "x: scalar; w: scalar; m1: scalar; m2: scalar; s1: positive; s2: positive"
NORMALS: Point = {"w": 0.3, "m1": 0.0, "m2": 2.0, "s1": 1.0, "s2": 1.5}

SCORES = np.array([[1, 2, 0.5], [-0.3, 0.1, 0.4]])
FAR_SCORES: list[Point] = [
    {"S": SCORES + k * np.array([[1], [-1]]), "Y": [[1, 0, 2], [0.5, 0.25, 1]]} for k in (1, 300, 1000)
]

# formula, declarations, variables, points
CASES: list[tuple[str, str, str, list[Point]]] = [
    (MIXTURE, SCALARS, "x w m1 s2", [NORMALS | {"x": x} for x in (0.5, 100.0, -60.0)]),
    (MIXTURE, SCALARS.replace("w: scalar", "w: positive"), "x w", [NORMALS | {"x": x} for x in (0.5, 100.0, 1e3)]),
    (
        "sum(log(w*exp(-(x-a).^2/2) + (1-w)*exp(-(x-c).^2/2)))",
        "x: vector(n); w: scalar; a: scalar; c: scalar",
        "x w a",
        [{"x": [0.5, 100.0, -60.0, 1000.0], "w": 0.3, "a": 0.0, "c": 2.0}],
    ),
    (  # one component has no weight
        "sum(log(w*exp(-(x-a).^2/2) + (1-w)*exp(-(x-c).^2/2)))",
        "x: vector(n); w: scalar; a: scalar; c: scalar",
        "x a",
        [{"x": [0.5, 100.0, -60.0], "w": 1.0, "a": 0.0, "c": 2.0}],
    ),
    (
        "log(w*exp(a) + v*exp(c) + u*exp(d))",
        "a: scalar; c: scalar; d: scalar; u: scalar; v: scalar; w: scalar",
        "a w",
        [
            {"a": a, "c": a - 10, "d": d, "u": 0.2, "v": 0.3, "w": w}
            for a, d, w in [(1.0, 0.5, -0.04), (800.0, 810.0, -0.4), (-800.0, -1e5, 0.4)]
        ],
    ),
    (
        "w*exp(a)/(w*exp(a) + v*exp(c))",
        "a: scalar; c: scalar; v: scalar; w: scalar",
        "a w",
        [{"a": a, "c": a - 10, "v": 0.3, "w": 0.4} for a in (1.0, 800.0, -800.0)],
    ),
    (  # far apart, the larger is all of the sum
        "log(exp(-a) + exp(-c))",
        "a: scalar; c: scalar",
        "a",
        [{"a": 1.0, "c": 2.0}, {"a": 1e17, "c": 1.0}, {"a": 1.0, "c": 1e17}],
    ),
    (
        "p = sigmoid(a); -log(p + (1-p)*exp(-exp(c)))",
        "a: scalar; c: scalar",
        "a c",
        [{"a": 0.2, "c": 1.0}, {"a": 0.0, "c": 7.0}, {"a": 1.0, "c": 50.0}],
    ),
    (
        "(sqrt(q^2 - 4*a*c) - q)/(2*a)",
        "a: positive; q: positive; c: scalar",
        "a q c",
        [{"a": 1.0, "q": 5.0, "c": 2.0}, {"a": 1e-9, "q": 1.0, "c": 1e-9}, {"a": 2.0, "q": 1e9, "c": 3.0}],
    ),
    ("log(k/(4*pi*sinh(k)))", "k: positive", "k", [{"k": k} for k in (1.3, 1e-8, 1000.0)]),  # von Mises and Fisher
    (  # binary response with a complementary log-log link
        "(1-y)*exp(z) - y*log(1 - exp(-exp(z)))",
        "z: scalar; y: scalar",
        "z",
        [{"z": z, "y": y} for z, y in [(0.2, 1.0), (-20.0, 1.0), (-300.0, 1.0), (-20.0, 0.5), (3.0, 0.0)]],
    ),
    (  # negative binomial
        "-k*log(m/(m+r)) - r*log(r/(m+r))",
        "k: positive; m: positive; r: positive",
        "r m",
        [{"k": 3.0, "m": 2.0, "r": r} for r in (3.0, 1e8, 1e12)],
    ),
    (
        "sqrt(p^2*c^2 + m^2*c^4) - m*c^2",
        "p: scalar; m: positive; c: positive",
        "m p",
        [{"p": 1.0, "m": 2.0, "c": 3.0}, {"p": 1e-9, "m": 1.0, "c": 1.0}],
    ),
    ("log(1 + w*exp(a))", "a: scalar; w: scalar", "a w", [{"a": a, "w": w} for a, w in [(800.0, 2.0), (-60.0, -3.0)]]),
    *[
        (text, "S: matrix(m, n); Y: matrix(m, n)", "S", FAR_SCORES)
        for text in ("E = exp(S); tr(Y'*(diag(1./sum(E, dim=2))*E))", "tr(Y'*inv(diag(sum(exp(S), dim=2)))*exp(S))")
    ],
    (
        "log(p^k*(1-p)^(n-k))",
        "p: scalar; k: scalar; n: scalar",
        "p k",
        [{"p": p, "k": k, "n": 2000.0} for p, k in [(0.2, 600.0), (1e-3, 500.0), (0.999, 5.0)]],
    ),
    ("log(lam^k*exp(-lam)/4)", "lam: scalar; k: scalar", "lam k", [{"lam": x, "k": 500.0} for x in (1e-3, 7.0, 2e3)]),
    (
        "log(tr(exp(X)))",
        "X: matrix(n, n)",
        "X",
        [{"X": [[1.0, 2.0], [3.0, 4.0]]}, {"X": [[800.0, 2.0], [3.0, 810.0]]}, {"X": [[-800.0, 2.0], [3.0, -810.0]]}],
    ),
    (
        "x^n/(k^n + x^n)",
        "x: positive; k: positive; n: scalar",
        "x k",
        [{"x": 1000.0, "k": 1100.0, "n": n} for n in (2.0, 200.0)],
    ),
    ("1/(1 + (x/k)^n)", "x: positive; k: positive; n: scalar", "x", [{"x": 1e3, "k": 900.0, "n": n} for n in (2, 190)]),
    ("log(1 + x) - log(x)", "x: scalar", "x", [{"x": x} for x in (1e-10, 2.0, 1e10, 1e130)]),
    ("log(x) - log(3 + x)", "x: positive", "x", [{"x": x} for x in (1e-10, 2.0, 1e10)]),
    (
        MIXTURE.replace("exp(-(x-m1)^2/(2*s1^2))", "normpdf((x-m1)/s1)").replace(
            "exp(-(x-m2)^2/(2*s2^2))", "normpdf((x-m2)/s2)"
        ),
        SCALARS,
        "x m1 s2",
        [NORMALS | {"x": x} for x in (0.5, 30.0, -800.0)],
    ),
    (  # contrastive: the temperature
        "-log(exp(x'*y/t)/(exp(x'*y/t) + sum(exp(K*x/t))))",
        "x: vector(n); y: vector(n); K: matrix(m, n); t: positive",
        "t x",
        [{"x": [1.0, -0.5], "y": [0.25, 2.0], "K": [[1.0, 0.5], [-0.5, 1.0]], "t": t} for t in (0.5, 1e-3, 1e-5)],
    ),
    (  # Rényi
        "log(sum(x.^a.*y.^(1-a)))/(a-1)",
        "x: positive vector(n); y: positive vector(n); a: positive",
        "x a",
        [{"x": [0.2, 0.5, 0.3], "y": [0.4, 0.5, 0.1], "a": a} for a in (0.5, 30.0, 800.0)],
    ),
    ("log((1 + x)^n - 1)", "x: positive; n: positive", "x n", [{"x": 0.5, "n": n} for n in (1e-8, 3.0, 5e3)]),
    ("v*s/(k + s)", "v: positive; s: positive; k: positive", "s k", [{"v": 2.0, "s": s, "k": 0.5} for s in (3.0, 1e9)]),
    ("a*b/(a + b)", "a: positive; b: positive", "a", [{"a": a, "b": 0.3} for a in (3.0, 1e9, 1e-9)]),
    (  # Geman and McClure
        "sum((x - y).^2./(c^2 + (x - y).^2))",
        "x: vector(n); y: vector(n); c: positive",
        "x c",
        [{"x": [1.0, 2.0, -0.5], "y": [0.5, -1.0, 3.0], "c": c} for c in (0.7, 1e-9, 1e9, 1e-100)],
    ),
    (
        "v*s^h/(k^h + s^h)",
        "v: positive; s: positive; k: positive; h: positive",
        "s",
        [{"v": 2.0, "s": 3.0, "k": 0.5, "h": h} for h in (2.0, 30.0, 100.0)],
    ),
    ("log(x^2) - log(1 + x^2)", "x: scalar", "x", [{"x": x} for x in (-2.0, 1e-200, 300.0)]),
    ("log(x^2)/2", "x: scalar", "x", [{"x": x} for x in (-2.0, 1e-150, -1e200)]),
    (
        "(1 + r/n)^(n*t)",
        "r: positive; n: positive; t: positive",
        "r",
        [{"r": 0.05, "n": n, "t": 30.0} for n in (12.0, 1e9, 1e17)],
    ),
    ("1/a - 1/(a + c)", "a: positive; c: positive", "a c", [{"a": a, "c": 0.3} for a in (2.0, 1e9, 1e-9)]),
    ("t*log(1 + exp(x/t))", "x: scalar; t: positive", "t", [{"x": x, "t": 0.5} for x in (0.3, 25.0, -25.0, 300.0)]),
    (
        "log(1 + exp(norm2(x - y)^2 - norm2(x - z)^2))",
        "x: vector(n); y: vector(n); z: vector(n)",
        "x y",
        [{"x": [far, -1.5 * far], "y": [0.5, -1.0], "z": [0.25, -1.0]} for far in (1.0, 1e8)],
    ),
    (
        "norm2(x - y) - norm2(x - z)",
        "x: vector(n); y: vector(n); z: vector(n)",
        "y",
        [{"x": [far, -1.5 * far], "y": [0.5, -1.0], "z": [0.25, -1.0]} for far in (1.0, 1e8)],
    ),
    ("(x - y)/(x + y)", "x: positive; y: positive", "x y", [{"x": x, "y": 2 * x} for x in (1.0, 1e200, 1e-200)]),
]
EACH = [(text, where, wrt, at) for text, where, names, points in CASES for wrt in names.split() for at in points]


def asked(text: str, where: str, wrt: str) -> list[Any]:
    formula = matgrad.parse(text, where=where)
    return [formula, matgrad.derive(formula, wrt), matgrad.hessian(formula, wrt)]


def truth(text: str, where: str, wrt: str, at: Point, order: int) -> Any:
    formula = matgrad.parse(text, where=where)
    sizes = {}
    for name, variable in formula.typed.variables.items():
        sizes |= {str(dim): size for dim, size in zip(variable.type.dims, np.shape(at[name]), strict=False)}
    return mp_evaluator.derivative(formula.typed.program, at, sizes, wrt, order)


@pytest.mark.parametrize(("text", "where", "wrt", "at"), EACH, ids=[f"{text}, {wrt}" for text, _, wrt, _ in EACH])
def test_right_where_what_is_typed_is_not(text: str, where: str, wrt: str, at: Point) -> None:
    """To nine digits of the largest entry, where that is a number of floating point."""
    arrays = {name: np.asarray(value, dtype=float) for name, value in at.items()}
    for order, item in enumerate(asked(text, where, wrt)):
        wanted = truth(text, where, wrt, at, order)
        largest = max(abs(entry) for entry in wanted.flat)
        if not 1e-290 < largest < 1e290:
            continue
        with np.errstate(all="ignore"):
            found = np.asarray(matgrad.compile(item)(**arrays), dtype=float)
        assert found.shape == wanted.shape
        off = max(abs(float((entry - one) / largest)) if np.isfinite(one) else np.inf
                  for one, entry in zip(found.flat, wanted.flat, strict=True))  # fmt: skip
        assert off < 1e-9, (order, found, wanted)


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_code_for_jax_is_alike(case: tuple[str, str, str, list[Point]]) -> None:
    jax = pytest.importorskip("jax")
    text, where, names, points = case
    wrt = names.split()[0]
    for item in asked(text, where, wrt):
        plain, traced = matgrad.compile(item), matgrad.compile(item, backend="jax")
        for at in points:
            arrays = {name: np.asarray(value, dtype=float) for name, value in at.items()}
            with np.errstate(all="ignore"):
                wanted = np.asarray(plain(**arrays), dtype=float)
            scale = np.max(np.abs(wanted))
            if 1e-290 < scale < 1e290:
                with jax.enable_x64(True):
                    found = np.asarray(traced(**arrays))
                np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-10 * scale)


@pytest.mark.parametrize(
    "text", ["exp(S)./(sum(exp(S), dim=2)*ones(cols(S))')", "E./(E*ones(cols(S), cols(S)))", "diag(1./sum(E, dim=2))*E"]
)
def test_softmax_of_rows_typed_by_hand(text: str) -> None:
    """The code is that of the softmax, in the derivatives as well."""
    where = "S: matrix(m, n); Y: matrix(m, n)"
    for order in range(3):
        typed, plain = (
            matgrad.compile(asked(f"E = exp(S); P = {formula}; sum(Y.*P)", where, "S")[order])
            for formula in (text, "softmax(S, dim=2)")
        )
        for at in [*FAR_SCORES, FAR_SCORES[0] | {"S": 300 * SCORES}]:
            np.testing.assert_allclose(typed(**at), plain(**at), rtol=1e-9, atol=1e-13)
        assert "softmax" in typed.source


TALL = [[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]]
KINKS: list[tuple[str, str, str, Point]] = [
    ("norm2(A*x)", "A: matrix(m, n); x: vector(n)", "x", {"A": TALL, "x": [0.0, 0.0]}),
    ("norm2(A*x)", "A: matrix(m, n); x: vector(n)", "A", {"A": TALL, "x": [0.0, 0.0]}),
    ("norm2(A*x - b)", "A: matrix(m, n); x: vector(n)", "x", {"A": TALL, "x": [1.0, 1.0], "b": [3.0, 7.0, 12.0]}),
    ("norm2(x.^2)", "x: vector(n)", "x", {"x": [0.0, 0.0]}),
    ("normF(X'*X)", "X: matrix(m, n)", "X", {"X": np.zeros((3, 2))}),
    ("norm2(A*x)^3", "A: matrix(m, n); x: vector(n)", "x", {"A": TALL, "x": [0.0, 0.0]}),
]


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize(("text", "where", "wrt", "at"), KINKS, ids=[f"{text}, {wrt}" for text, _, wrt, _ in KINKS])
def test_compiled_code_uses_the_subgradient_that_is_printed(
    text: str, where: str, wrt: str, at: Point, backend: Any
) -> None:
    arrays = {name: np.asarray(value) for name, value in at.items()}
    if backend == "jax":
        pytest.importorskip("jax")
    derivative = matgrad.derive(text, wrt, where=where)
    with np.errstate(all="ignore"):
        assert not np.any(np.asarray(matgrad.compile(derivative, backend=backend)(**arrays)))
        assert not np.any(derivative(**arrays))


@pytest.mark.parametrize("text", ["log(norm2(x))", "1/norm2(x)"])
def test_without_a_subgradient_a_derivative_at_a_kink_is_nan(text: str) -> None:
    derivative = matgrad.derive(text, "x", where="x: vector(n)")
    with np.errstate(all="ignore"):
        for found in (matgrad.compile(derivative)(x=np.zeros(2)), derivative(x=np.zeros(2))):
            assert np.all(np.isnan(found))


def test_a_second_derivative_at_a_kink_is_no_number() -> None:
    second = matgrad.hessian("norm2(A*x)", "x", where="A: matrix(m, n); x: vector(n)")
    with np.errstate(all="ignore"):
        for found in (matgrad.compile(second), second):
            assert np.all(np.isnan(found(A=np.asarray(TALL), x=np.zeros(2))))


@pytest.mark.parametrize("z", [-50.0, -3.1, 5.0, 39.0])
def test_normal_probabilities_between_two_points(z: float) -> None:
    """In the right tail both are 1: the left tail has their difference."""
    formula = matgrad.parse("log(normcdf(z + 1) - normcdf(z))", where="z: scalar")
    with mp.workdps(60):
        truth, slope, bend = (float(mp.diff(_log_between, mp.mpf(z), order)) for order in (0, 1, 2))
    assert matgrad.compile(formula)(z=z) == pytest.approx(truth, rel=1e-12)
    assert matgrad.compile(matgrad.gradient(formula, "z"))(z=z) == pytest.approx(slope, rel=1e-9)
    assert matgrad.compile(matgrad.hessian(formula, "z"))(z=z) == pytest.approx(bend, rel=1e-9)


def _log_between(z: Any) -> Any:
    return mp.log(mp.ncdf(z + 1) - mp.ncdf(z) if z < 0 else mp.ncdf(-z) - mp.ncdf(-z - 1))


NEAR_ZERO: list[tuple[str, Any, Any]] = [  # with a form that is exact there, and its slope
    ("arccos(1 - d^2/2)", lambda d: 2 * np.arcsin(d / 2), lambda d: 1 / np.sqrt(1 - d * d / 4)),
    ("arccosh(1 + 2*norm2([d; 0])^2)", lambda d: 2 * np.arcsinh(d), lambda d: 2 / np.hypot(1, d)),
]


@pytest.mark.parametrize(("text", "exact", "slope"), NEAR_ZERO, ids=[text for text, *_ in NEAR_ZERO])
def test_angles_and_distances_near_zero(text: str, exact: Any, slope: Any) -> None:
    formula = matgrad.parse(text, where="d: scalar")
    value, derivative = matgrad.compile(formula), matgrad.compile(matgrad.gradient(formula, "d"))
    for d in (0.3, 1e-9, 1e-150):
        assert value(d=d) == pytest.approx(exact(d), rel=1e-14)
        assert derivative(d=d) == pytest.approx(slope(d), rel=1e-13)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("a", [1e-100, 1e-9, 0.3, 1.999, 2 - 1e-10, 2 - 1e-14])
def test_angles_near_0_and_near_pi(a: float, backend: Any) -> None:
    """By arcsin(sqrt(a/2)) they lost digits where a is nearly 2."""
    jax = pytest.importorskip("jax")
    formula = matgrad.parse("arccos(1 - a)", where="a: scalar")
    with mp.workdps(250):
        exact = mp.mpf(a)
        truth = float(mp.acos(1 - exact)), float(1 / mp.sqrt(exact * (2 - exact)))
    with jax.enable_x64(True):
        value = matgrad.compile(formula, backend)
        found = float(value(a=a)), float(matgrad.compile(matgrad.derive(formula, "a"), backend)(a=a))
        assert found == pytest.approx(truth, rel=1e-14)
        if backend == "jax":
            assert float(jax.grad(lambda z: value(a=z))(a)) == pytest.approx(truth[1], rel=1e-13)


def test_an_inverse_hyperbolic_sine_typed_as_a_logarithm() -> None:
    formula = matgrad.parse("log(x + sqrt(x^2 + 1))", where="x: scalar")
    value, second = matgrad.compile(formula), matgrad.compile(matgrad.hessian(formula, "x"))
    for x in (-1e200, -1e8, -0.25, 1e-200, 3.0):
        assert value(x=x) == pytest.approx(np.arcsinh(x), rel=1e-14)
        assert second(x=x) == pytest.approx(-x / np.hypot(1, x) / np.hypot(1, x) / np.hypot(1, x), rel=1e-13)


@pytest.mark.parametrize(
    "text", ["log(normcdf(a) - normcdf(b))", "log(1 + a - b) - log(a - b)", "log(exp(a) - exp(b))"]
)
def test_stable_logarithms_have_the_domain_of_what_is_typed(text: str) -> None:
    """For a < b there is none: thresholds of an ordinal model must not cross without a word."""
    value = matgrad.compile(matgrad.parse(text, where="a: scalar; b: scalar"))
    with np.errstate(all="ignore"):
        assert np.isnan(value(a=-0.9, b=0.5))
        assert np.isnan(value(a=-2.5, b=0.5))
        assert np.isfinite(value(a=0.5, b=-0.9))


def test_logarithms_of_powers_and_of_sums_of_squares_far_out() -> None:
    density = matgrad.parse("log(1/sqrt(2*pi*s^2)*exp(-x^2/(2*s^2)))", where="s: positive; x: scalar")
    cubed = matgrad.parse("log(a/x^3)/2", where="a: positive; x: positive")
    circle = matgrad.parse("log(x^2 + y^2)", where="x: scalar; y: scalar")
    for size in (1e-200, 3.0, 1e200):
        log = np.log(size)
        assert matgrad.compile(density)(s=size, x=size) == pytest.approx(-log - np.log(2 * np.pi) / 2 - 0.5, rel=1e-14)
        assert matgrad.compile(cubed)(a=2.0, x=size) == pytest.approx(np.log(2) / 2 - 1.5 * log, rel=1e-14)
        assert matgrad.compile(circle)(x=-size, y=size) == pytest.approx(2 * log + np.log(2), rel=1e-14)
        slopes = matgrad.compile(matgrad.gradient(circle, "x"))(x=-size, y=size)
        assert slopes == pytest.approx(-1 / size, rel=1e-14)


def test_the_hessian_of_a_partial_likelihood_where_its_risks_are_large() -> None:
    """Cox's, with ties: the squares of the sums of exponentials overflow at 355."""
    formula = matgrad.parse("sum(log(M*exp(X*b)))", where="M: nonnegative matrix(m, m); X: matrix(m, n); b: vector(n)")
    hessian = matgrad.compile(matgrad.hessian(formula, "b"))
    at = {"M": np.triu(np.ones((3, 3))), "X": np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 2.0]])}
    # at equal risks of the first two, each row of M has a mean and a covariance of rows of X that are halves
    wanted = sum(np.cov(rows.T, bias=True) for rows in (at["X"][:2], at["X"][1:2]))
    assert hessian(**at, b=np.array([300.0, 200.0])) == pytest.approx(wanted, rel=1e-9, abs=1e-12)
