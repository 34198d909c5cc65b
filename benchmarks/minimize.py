"""``matgrad.minimize`` on real fits beside the libraries that are made for each: difference, iterations, time.

Ours starts from the text of the formula each time: reading, deriving, choosing and making code are in its time.
"""

from __future__ import annotations

import json
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize as scipy_minimize

import matgrad


class Fit(NamedTuple):
    """One problem: ours gives a Result, theirs the wanted array and its number of iterations, if it has one."""

    name: str
    peer: str
    ours: Callable[[], Any]
    theirs: Callable[[], tuple[Any, int | None]]
    shown: Callable[[Any], Any]
    """What of our result is compared."""


def fits() -> Iterator[Fit]:
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
    from sklearn.preprocessing import StandardScaler

    diabetes, progress = load_diabetes(return_X_y=True)
    features, labels = load_breast_cancer(return_X_y=True)
    features = StandardScaler().fit_transform(features)
    yield from _linear(diabetes, progress)
    yield from _logistic("logistic, 569 × 30", features, labels)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20000, 100))
    yield from _logistic("logistic, 20000 × 100", X, (rng.random(20000) < 1 / (1 + np.exp(-X[:, 0] + X[:, 1]))) * 1)
    yield from _poisson(diabetes * 10, np.round(progress / 25))
    yield _process(rng)
    yield from _spectral(load_iris(return_X_y=True)[0])
    yield _errors(features[:, :5], labels)


def _linear(X: Any, y: Any) -> Iterator[Fit]:
    from sklearn.linear_model import Lasso

    yield Fit(
        "least squares, 442 × 10", "numpy.linalg.lstsq",
        lambda: matgrad.minimize("norm2(A*x - b)^2", "x", {"A": X, "b": y}),
        lambda: (np.linalg.lstsq(X, y, rcond=None)[0], None), lambda r: r.values["x"],
    )  # fmt: skip

    def lasso() -> tuple[Any, int]:
        peer = Lasso(alpha=1.0, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(20 * X, y - y.mean())
        return peer.coef_, int(peer.n_iter_)

    yield Fit(
        "lasso, 442 × 10", "scikit-learn Lasso",
        lambda: matgrad.minimize("norm2(y - X*w)^2/(2*m) + c*norm1(w)", "w", {"X": 20 * X, "y": y - y.mean(), "c": 1},
                                 where="c: positive; X: matrix(m,n)"),
        lasso, lambda r: r.values["w"],
    )  # fmt: skip


def _logistic(name: str, X: Any, y: Any) -> Iterator[Fit]:
    from sklearn.linear_model import LogisticRegression

    formula = "sum(log(1 + exp(X*w + b)) - y.*(X*w + b)) + 0.5*c*norm2(w)^2"

    def theirs(solver: str) -> Callable[[], tuple[Any, int]]:
        def run() -> tuple[Any, int]:
            peer = LogisticRegression(C=1.0, tol=1e-10, solver=solver, max_iter=10_000).fit(X, y)
            return peer.coef_[0], int(peer.n_iter_[0])

        return run

    for solver, method in (("newton-cholesky", "auto"), ("lbfgs", "l-bfgs")):
        yield Fit(
            name, f"scikit-learn LogisticRegression, {solver}",
            lambda method=method: matgrad.minimize(formula, ["w", "b"], {"X": X, "y": y, "c": 1}, method=method,
                                                   where="b: scalar; c: positive"),
            theirs(solver), lambda r: r.values["w"],
        )  # fmt: skip


def _poisson(X: Any, y: Any) -> Iterator[Fit]:
    from sklearn.linear_model import PoissonRegressor

    def theirs() -> tuple[Any, int]:
        peer = PoissonRegressor(alpha=0.01, tol=1e-10, solver="newton-cholesky").fit(X, y)
        return peer.coef_, int(peer.n_iter_)

    for method in ("auto", "natural-gradient"):
        yield Fit(
            "Poisson, 442 × 10", "scikit-learn PoissonRegressor, newton-cholesky",
            lambda method=method: matgrad.minimize("mean(exp(X*w + b) - y.*(X*w + b)) + 0.5*c*norm2(w)^2", ["w", "b"],
                                                   {"X": X, "y": y, "c": 0.01}, method=method,
                                                   where="b: scalar; c: positive"),
            theirs, lambda r: r.values["w"],
        )  # fmt: skip


def _process(rng: Any) -> Fit:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    x = np.sort(rng.uniform(0, 5, 100))
    y = np.sin(1.5 * x) + 0.2 * rng.normal(size=100)
    rounds = []

    def tight(function: Any, start: Any, bounds: Any) -> tuple[Any, float]:
        options = {"ftol": 0, "gtol": 1e-8}
        found = scipy_minimize(function, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options)
        rounds.append(int(found.nit))
        return found.x, found.fun

    def theirs() -> tuple[Any, int]:
        kernel = ConstantKernel(1.0) * RBF(1.0) + WhiteKernel(0.1)
        peer = GaussianProcessRegressor(kernel, alpha=0, optimizer=tight).fit(x[:, None], y)
        return np.exp(peer.kernel_.theta), rounds[-1]

    return Fit(
        "Gaussian process, n = 100", "scikit-learn GaussianProcessRegressor",
        lambda: matgrad.minimize("K = s*exp(-D/(2*l^2)) + v*eye(n); 0.5*y'*inv(K)*y + 0.5*logdet(K)", ["s", "l", "v"],
                                 {"D": (x[:, None] - x) ** 2, "y": y}, {"s": 1, "l": 1, "v": 0.1},
                                 where="D: symmetric(n); y: vector(n); s: positive; l: positive; v: positive"),
        theirs, lambda r: np.array([float(r.values[name]) for name in ("s", "l", "v")]),
    )  # fmt: skip


def _spectral(X: Any) -> Iterator[Fit]:
    from sklearn.decomposition import PCA

    X = X - X.mean(0)
    C = X.T @ X / len(X)
    yield Fit(
        "Gaussian covariance, 4 × 4", "numpy.cov",
        lambda: matgrad.minimize("0.5*logdet(S) + 0.5*tr(inv(S)*C)", "S", {"C": C}, where="S: spd(n)"),
        lambda: (np.cov(X.T, bias=True), None), lambda r: r.values["S"],
    )  # fmt: skip
    yield Fit(
        "principal component, 4", "scikit-learn PCA",
        lambda: matgrad.minimize("-(x'*C*x)/(x'*x)", "x", {"C": C}, where="C: symmetric(n)"),
        lambda: (np.abs(PCA(1).fit(X).components_[0]), None),
        lambda r: np.abs(r.values["x"]) / np.linalg.norm(r.values["x"]),
    )  # fmt: skip


def _errors(X: Any, y: Any) -> Fit:
    import statsmodels.api as statsmodels

    X = np.column_stack([np.ones(len(y)), X])

    def theirs() -> tuple[Any, int]:
        peer = statsmodels.Logit(y, X).fit(disp=0, tol=1e-12)
        return peer.bse, int(peer.mle_retvals["iterations"])

    return Fit(
        "standard errors, 569 × 6", "statsmodels Logit",
        lambda: matgrad.minimize("sum(log(1 + exp(X*w)) - y.*(X*w))", "w", {"X": X, "y": y}),
        theirs, lambda r: r.standard_errors()["w"],
    )  # fmt: skip


def run(repeat: int, path: Path, only: list[str] | None) -> int:
    """Prints a line for each fit, writes all figures, and gives 1 where one is over 1e-6 from its reference."""
    rows: list[dict[str, Any]] = []
    ends = f"{'iter.':>5} {'ms':>8}"
    head = f"{'problem':<26} {'method':<18} {ends}   {'peer':<50} {ends}  {'difference':>10}"
    print(head + "\n" + "─" * len(head))
    for fit in fits():
        if only and not any(part in fit.name for part in only):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (found, ours), (wanted, theirs) = _timed(fit.ours, repeat), _timed(fit.theirs, repeat)
        difference = float(np.max(np.abs(fit.shown(found) - wanted[0])) / np.max(np.abs(wanted[0])))
        row = {"problem": fit.name, "method": found.method, "iterations": found.nit, "seconds": ours}
        row |= {"peer": fit.peer, "peer_iterations": wanted[1], "peer_seconds": theirs, "difference": difference}
        rows.append(row)
        count = "" if wanted[1] is None else str(wanted[1])
        print(f"{fit.name:<26} {found.method:<18} {found.nit:5d} {1e3 * ours:8.1f}   {fit.peer:<50} {count:>5} "
              f"{1e3 * theirs:8.1f}  {difference:10.1e}", flush=True)  # fmt: skip
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return int(any(row["difference"] > 1e-6 for row in rows))


def _timed(task: Callable[[], Any], repeat: int) -> tuple[Any, float]:
    """What a task gives, and the median of the CPU seconds that it takes."""
    found, seconds = None, []
    for _ in range(repeat):
        began = time.process_time()
        found = task()
        seconds.append(time.process_time() - began)
    return found, statistics.median(seconds)
