"""Ridge-penalised logistic regression by Newton's method, from one formula.

The gradient and the Hessian are derived, then they fit the breast-cancer data of scikit-learn (standardised, with a
free intercept) to the coefficients that its LogisticRegression finds.

    python examples/logistic_newton.py
"""

from collections.abc import Callable

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import matgrad

LOSS = "sum(log(1 + exp(-y.*(X*w + b)))) + 0.5*c*norm2(w)^2"
WHERE = "X: matrix(m,n); y: vector(m); w: vector(n); b: scalar; c: positive"
PENALTY = 1.0  # scikit-learn's C is its inverse

Function = Callable[[np.ndarray], np.ndarray]


def derived(X: np.ndarray, y: np.ndarray) -> tuple[Function, Function, Function]:
    """The loss, its gradient and its Hessian as functions of the parameters (w, b) in one array."""
    loss = matgrad.parse(LOSS, where=WHERE)
    gradient = matgrad.gradient(LOSS, ["w", "b"], where=WHERE)
    hessian = matgrad.hessian(LOSS, ["w", "b"], where=WHERE)
    for name, derivative in gradient.items():
        print(f"gradient in {name}:  {derivative.text}")
    for pair, block in hessian.items():
        print(f"Hessian in {pair[0]}, {pair[1]}:  {block.text}")

    def at(parameters: np.ndarray) -> dict[str, np.ndarray]:
        return {"X": X, "y": y, "w": parameters[:-1], "b": parameters[-1], "c": PENALTY}

    def blocks(point: np.ndarray) -> np.ndarray:
        ww, wb, bb = (hessian[pair](**at(point)) for pair in (("w", "w"), ("w", "b"), ("b", "b")))
        return np.block([[ww, wb[:, None]], [wb[None, :], np.reshape(bb, (1, 1))]])

    return (
        lambda point: loss(**at(point)),
        lambda point: np.append(gradient["w"](**at(point)), gradient["b"](**at(point))),
        blocks,
    )


def newton(loss: Function, gradient: Function, hessian: Function, point: np.ndarray) -> np.ndarray:
    """Newton's method, halving a step as long as it does not lower the loss; ends where the gradient is rounding."""
    print("\niteration            loss   |gradient|")
    for iteration in range(50):
        value, g = float(loss(point)), gradient(point)
        print(f"{iteration:9d} {value:15.9f} {np.linalg.norm(g):12.3e}")
        if np.linalg.norm(g) < 1e-9:
            return point
        step = np.linalg.solve(hessian(point), g)
        while loss(point - step) > value + 1e-12 * abs(value):
            step = step / 2
        point = point - step
    raise RuntimeError("Newton's method did not converge")


def main() -> float:
    """Fits, prints, and returns the largest difference to scikit-learn's coefficients."""
    features, labels = load_breast_cancer(return_X_y=True)
    X, y = StandardScaler().fit_transform(features), 2.0 * labels - 1
    print(f"loss:  {LOSS}")
    point = newton(*derived(X, y), np.zeros(X.shape[1] + 1))
    peer = LogisticRegression(C=1 / PENALTY, tol=1e-12, solver="newton-cholesky", max_iter=1000).fit(X, y)
    difference = float(np.abs(point - np.append(peer.coef_, peer.intercept_)).max())
    print(f"\nlargest difference to scikit-learn's coefficients: {difference:.1e}")
    return difference


if __name__ == "__main__":
    main()
