"""Fisher information: the mean of the Hessian over draws of the response, and the Hessian at a canonical link."""

from typing import Any

import numpy as np
import pytest

import matgrad
from matgrad.analysis.fisher_information import fisher
from matgrad.errors import NotScalar, NotSupported, UnknownName

rng = np.random.default_rng(3)
X = rng.normal(size=(9, 2))
W = rng.normal(size=2)
CANONICAL = [
    ("sum(log(1 + exp(X*w))) - y'*X*w", "Bernoulli", "y", (rng.random(9) > 0.5) * 1.0),
    ("sum(log(1 + exp(-y.*(X*w))))", "Bernoulli", "y", np.sign(rng.normal(size=9))),
    ("mean(exp(X*w) - y.*(X*w))", "Poisson", "y", rng.poisson(2.0, 9) * 1.0),
    ("0.5*norm2(y - X*w)^2", "Gaussian", "y", rng.normal(size=9)),
]


@pytest.mark.parametrize(("formula", "family", "response", "y"), CANONICAL, ids=[case[0] for case in CANONICAL])
def test_at_a_canonical_link_it_is_the_hessian(formula: str, family: str, response: str, y: Any) -> None:
    found = fisher(formula + " + 0.5*c*norm2(w)^2", "w", where="c: positive")
    assert (found.family, found.response) == (family, response)
    data = {"X": X, "c": 0.7}
    hessian = matgrad.hessian(formula + " + 0.5*c*norm2(w)^2", "w", where="c: positive")(y=y, w=W, **data)
    block = found.blocks["w", "w"]
    names = {"X": X, "c": 0.7, "w": W, "y": y}
    ours = block(**{name: value for name, value in names.items() if name in block.variables})
    assert np.allclose(ours, hessian, rtol=1e-12)


def test_natural_gradient_steps_are_newton_steps_at_a_canonical_link() -> None:
    data = {"X": X, "y": rng.poisson(2.0, 9)}
    histories = [
        [line.z for line in matgrad.minimize("sum(exp(X*w)) - y'*X*w", "w", data, method=method).history]
        for method in ("newton", "natural-gradient")
    ]
    assert len(histories[0]) == len(histories[1])
    assert all(np.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in zip(*histories, strict=True))


DRAWN = [
    # formula, over, declarations, draws of y at w
    ("-sum(y.*log(normcdf(X*w)) + (1 - y).*log(1 - normcdf(X*w)))", ["w"], "X: matrix(m,n)",
     lambda p, n: (rng.random((n, 9)) < p["probit"]) * 1.0),
    ("sum(exp(X*w).^2) - 2*y'*X*w", ["w"], "X: matrix(m,n)",
     lambda p, n: rng.poisson(np.exp(X @ p["w"]) ** 2, (n, 9)) * 1.0),
    ("m*log(s) + norm2(y - exp(X*w))^2/(2*s^2)", ["w", "s"], "s: positive; X: matrix(m,n)",
     lambda p, n: np.exp(X @ p["w"]) + p["s"] * rng.normal(size=(n, 9))),
    ("0.5*logdet(K) + 0.5*(y - X*w)'*inv(K)*(y - X*w)", ["w", "K"], "K: spd(m)",
     lambda p, n: X @ p["w"] + rng.multivariate_normal(np.zeros(9), p["K"], n)),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "over", "where", "draw"), DRAWN, ids=[case[0] for case in DRAWN])
def test_it_is_the_mean_of_the_hessian_over_the_response(formula: str, over: list[str], where: str, draw: Any) -> None:
    from scipy.stats import norm

    K = np.eye(9) + 0.1 * X @ X.T
    point: dict[str, Any] = {"w": W * 0.5, "s": 0.8, "K": K, "probit": norm.cdf(X @ W * 0.5)}
    found = fisher(formula, over, where=where)
    made = matgrad.hessian(formula, over, where=where)
    count = 150
    draws = draw(point, count)
    values = {name: point[name] for name in over}
    for pair, block in found.blocks.items():
        if pair[0] > pair[1] or "K" in pair:
            continue  # blocks of K are large: its information is looked at below
        names = {**values, "X": X, "y": draws[0]}
        ours = block(**{n: v for n, v in names.items() if n in block.variables}, **_sizes(block))
        each = np.array([made[pair](**{**names, "y": y}) for y in draws])
        error = each.std(0) / np.sqrt(len(each))
        assert np.all(np.abs(each.mean(0) - ours) < 5 * error + 1e-9)


def _sizes(block: Any) -> dict[str, int]:
    sizes = {"m": 9, "n": 2}
    return {name: size for name, size in sizes.items() if name in block.sizes_needed()}


def test_the_information_of_a_covariance_is_the_known_one() -> None:
    """½ tr(S⁻¹ A S⁻¹ B) for directions A and B."""
    found = fisher("0.5*logdet(S) + 0.5*y'*inv(S)*y", "S", where="S: spd(n); y: vector(n)")
    B = rng.normal(size=(3, 3))
    S, A = B @ B.T + np.eye(3), B + B.T
    block = found.blocks["S", "S"](S=S)
    wanted = 0.5 * np.trace(np.linalg.solve(S, A) @ np.linalg.solve(S, A))
    assert np.einsum("ij,ijkl,kl->", A, block, A) == pytest.approx(wanted)


def test_a_softmax_model_is_categorical() -> None:
    for formula in ("sum(logsumexp(X*W, dim=2)) - sum(Y.*(X*W))", "-sum(Y.*log(softmax(X*W, dim=2)))"):
        found = fisher(formula, "W")
        assert (found.family, found.response) == ("categorical", "Y")
        V = rng.normal(size=(2, 3))
        Y = np.eye(3)[rng.integers(0, 3, 9)]
        canonical = matgrad.hessian("sum(logsumexp(X*W, dim=2)) - sum(Y.*(X*W))", "W")(X=X, W=V, Y=Y)
        assert np.allclose(found.blocks["W", "W"](X=X, W=V), canonical)


def test_what_is_no_likelihood_is_told() -> None:
    with pytest.raises(NotSupported, match="not recognised"):
        fisher("sum(cosh(X*w - y))", "w")
    with pytest.raises(UnknownName, match="z is no variable"):
        fisher("norm2(y - X*w)^2", "w", response="z")
    with pytest.raises(NotSupported, match="likelihood of X"):
        fisher("norm2(y - X*w)^2", "w", response="X")
    with pytest.raises(NotScalar):
        fisher("y - X*w", "w")
