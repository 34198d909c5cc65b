"""Ordinary least squares on the diabetes data of scikit-learn, from one formula.

The loss is quadratic, so one Newton step from anywhere, with the derived gradient and Hessian, is the solution.

    python examples/least_squares.py
"""

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

import matgrad

LOSS = "norm2(A*x - y)^2"
WHERE = "A: matrix(m,n); x: vector(n); y: vector(m)"


def main() -> float:
    """Fits, prints, and returns the largest difference to scikit-learn's coefficients, relative to the largest one."""
    features, y = load_diabetes(return_X_y=True)
    A = np.column_stack([features, np.ones(len(y))])  # the last coefficient is the intercept
    gradient = matgrad.gradient(LOSS, "x", where=WHERE)
    hessian = matgrad.hessian(LOSS, "x", where=WHERE)
    print(f"loss:      {LOSS}\ngradient:  {gradient.text}\nHessian:   {hessian.text}\n")

    x = np.zeros(A.shape[1])
    print(f"|gradient| at the start:    {np.linalg.norm(gradient(A=A, x=x, y=y)):.3e}")
    x = x - np.linalg.solve(hessian(A=A, x=x, y=y), gradient(A=A, x=x, y=y))
    print(f"|gradient| after one step:  {np.linalg.norm(gradient(A=A, x=x, y=y)):.3e}")

    peer = LinearRegression().fit(features, y)
    expected = np.append(peer.coef_, peer.intercept_)
    difference = float(np.abs(x - expected).max() / np.abs(expected).max())
    print(f"\nlargest difference to scikit-learn's coefficients, relative: {difference:.1e}")
    return difference


if __name__ == "__main__":
    main()
