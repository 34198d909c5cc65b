"""Two real fits by SciPy's own optimisers, with exact derivatives from one formula each.

``matgrad.objective`` gives the value, the gradient, the Hessian and its products with vectors as functions of one
vector, as scipy.optimize.minimize takes them. Logistic regression on the breast-cancer data, and the hyper-parameters
of a Gaussian process (by their logarithms, so that no bounds are needed), are compared with scikit-learn.

    python examples/scipy_methods.py
"""

import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import matgrad
from matgrad.analysis.objective import Objective

# What each method takes besides the value and the gradient.
METHODS = {"trust-exact": "hess", "trust-krylov": "hessp", "Newton-CG": "hessp", "L-BFGS-B": ""}


def fit(objective: Objective, wanted: np.ndarray, name: str) -> float:
    """Minimises by every method, prints a line for each, and returns the largest difference to ``wanted``."""
    print(f"\n{name}: {objective.size} numbers, {objective.formula.text}")
    worst = 0.0
    for method, second in METHODS.items():
        more = {second: getattr(objective, second)} if second else {}
        options = (
            {"ftol": 0, "gtol": 1e-9} if method == "L-BFGS-B" else {"xtol": 1e-12} if method == "Newton-CG" else {}
        )
        options = options or {"gtol": 1e-9}
        # L-BFGS-B cannot go back from an infinite value: outside of the domain it is given a finite wall.
        value, slope = (objective.walled, True) if method == "L-BFGS-B" else (objective.fun, objective.jac)
        found = minimize(value, objective.x0, jac=slope, method=method, options=options, **more)
        difference = float(np.max(np.abs(found.x - wanted)) / np.max(np.abs(wanted)))
        worst = max(worst, difference)
        counts = f"{found.nit:4d} iterations, {found.nfev:4d} values"
        print(f"  {method:<13}{counts}, value {found.fun:.9f}, {difference:.1e} off")
    return worst


def logistic() -> float:
    features, labels = load_breast_cancer(return_X_y=True)
    X, y = StandardScaler().fit_transform(features), labels
    objective = matgrad.objective(
        "sum(log(1 + exp(X*w + b)) - y.*(X*w + b)) + 0.5*c*norm2(w)^2",
        ["w", "b"],
        {"X": X, "y": y, "c": 1.0},
        where="b: scalar; c: positive",
    )
    peer = LogisticRegression(C=1.0, tol=1e-12, solver="newton-cholesky").fit(X, y)
    return fit(objective, objective.pack(w=peer.coef_[0], b=peer.intercept_[0]), "Logistic regression")


def gaussian_process() -> float:
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 5, 40))
    y = np.sin(1.5 * x) + 0.2 * rng.normal(size=40)
    objective = matgrad.objective(
        "K = exp(s)*exp(-0.5*exp(-2*l)*D) + exp(v)*eye(n); 0.5*y'*inv(K)*y + 0.5*logdet(K)",
        ["s", "l", "v"],
        {"D": (x[:, None] - x) ** 2, "y": y},
        where="D: symmetric(n); y: vector(n); s: scalar; l: scalar; v: scalar",
        start={"s": 0.0, "l": 0.0, "v": -2.0},
    )
    kernel = ConstantKernel(1.0) * RBF(1.0) + WhiteKernel(np.exp(-2))
    # Its own optimiser stops early: it is shown a tighter one.
    peer = GaussianProcessRegressor(kernel, alpha=0, optimizer=_tight).fit(x[:, None], y)
    return fit(objective, peer.kernel_.theta, "Gaussian process")


def _tight(function, start, bounds):  # type: ignore[no-untyped-def]  # as scikit-learn calls it
    found = minimize(function, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"ftol": 0, "gtol": 1e-10})
    return found.x, found.fun


def main() -> float:
    """Fits, prints, and returns the largest difference to scikit-learn."""
    worst = max(logistic(), gaussian_process())
    print(f"\nlargest difference to scikit-learn, relative to the largest parameter: {worst:.1e}")
    return worst


if __name__ == "__main__":
    main()
