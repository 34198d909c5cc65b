"""Convex for all points, or refuted where: certificates against what books say, and against segments."""

from __future__ import annotations

import re

import numpy as np
import pytest

import matgrad
from matgrad import curvature
from matgrad.certificates.findings import Inquiry
from matgrad.certificates.hessian import by_hessian
from matgrad.certificates.refute import Search, against_convexity
from matgrad.certificates.setting import region

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
