"""A function is one card: a throwaway card of each family is derived, explained and checked with no other change."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import matgrad
from matgrad.functions import CARDS, Card

OVER = {None: ("*->",), 1: ("ij->j'",), 2: ("ij->i",)}
WITHIN = {None: ("*->*",), 1: ("ij->ij",), 2: ("ij->ij",)}
MATRIX = {None: ("ii->ii", "->")}
NUMBER = {None: ("ii->", "->")}


def _inverse_square(np: Any, x: Any) -> Any:
    return 1 / x**2 if np.ndim(x) == 0 else np.linalg.inv(x @ x)


def _size(np: Any, x: Any) -> Any:
    return x**2 if np.ndim(x) == 0 else np.linalg.det(x) ** 2


def _power_sum(np: Any, x: Any, axis: int | None = None) -> Any:
    return np.sum(x**3, axis=axis)


def _shares(np: Any, x: Any, axis: int | None = None) -> Any:
    return x / np.sum(x, axis=axis, keepdims=axis is not None)


CASES: list[tuple[Card, list[tuple[str, str]]]] = [
    (
        Card("cubed", "elementwise", {None: ("*->*",)}, "the power rule", lambda np, x: x**3, "#1**3",
             derivative="3*x^2"),
        [("sum(cubed(A*x))", "x"), ("cubed(A*x)", "x"), ("cubed(c)^2", "c")],
    ),
    (
        Card("powersum", "reduction", OVER, "the power rule", _power_sum, "np.sum(#1**3, axis=#axis)",
             differential="sum(3*x^2*dx)", facts={"of a scalar": "x^3"}),
        [("powersum(A*x)^2", "x"), ("b'*powersum(A.*K, dim=2)", "A"), ("powersum(A, dim=1)*x", "A"),
         ("powersum(2*c)", "c")],
    ),
    (
        Card("shares", "reduction", WITHIN, "the quotient rule", _shares, "shares(#1, axis=#axis)",
             helper="def shares(x, axis=None):\n    return x / np.sum(x, axis=axis, keepdims=axis is not None)\n",
             differential="dx/sum(x) - x*sum(dx)/sum(x)^2", facts={"of a scalar": "1"}),
        [("b'*shares(exp(A*x))", "x"), ("tr(shares(exp(A), dim=2)'*K)", "A"), ("c*shares(2*c)", "c")],
    ),
    (
        Card("invsquare", "matrix", MATRIX, "the product rule on inv(X)*inv(X)", _inverse_square,
             "np.linalg.inv(#1 @ #1)", differential="-inv(X)*dX*invsquare(X) - invsquare(X)*dX*inv(X)",
             needs="det(X) != 0", facts={"of a scalar": "1/x^2"}),
        [("tr(invsquare(X)*S)", "X"), ("invsquare(X)*y", "X"), ("invsquare(c)", "c"), ("invsquare(2*c)^2", "c")],
    ),
    (
        Card("sqdet", "matrix", NUMBER, "Jacobi's formula", _size, "np.linalg.det(#1)**2",
             differential="2*sqdet(X)*tr(inv(X)*dX)", needs="det(X) != 0", facts={"of a scalar": "x^2"}),
        [("sqdet(X*S)", "X"), ("sqdet(X)*y", "y"), ("sqdet(3*c)", "c")],
    ),
    (
        Card("spread", "defined", OVER, "a definition", lambda np, x, axis=None: np.sum(x**2, axis=axis),
             "np.sum(#1**2, axis=#axis)", definition="sum(x.^2)"),
        [("spread(A*x - b)", "x"), ("spread(A, dim=2)'*b", "A")],
    ),
    (
        Card("turnedsum", "structural", {None: ("ij->ji",)}, "linear", lambda np, x: x.T, "#1.T"),
        [("tr(turnedsum(A)*K)", "A"), ("turnedsum(A)*b", "A")],
    ),
]  # fmt: skip
SIZES = {"m": 2, "n": 3, "k": 4}
TYPES = {
    "A": "matrix(m,n)", "K": "matrix(m,n)", "x": "vector(n)", "b": "vector(m)",
    "X": "matrix(k,k)", "S": "matrix(k,k)", "y": "vector(k)", "c": "scalar",
}  # fmt: skip
EACH = [pytest.param(entry, *case, id=case[0]) for entry, cases in CASES for case in cases]


@pytest.mark.parametrize(("entry", "text", "wrt"), EACH)
def test_a_card_is_all_it_takes(entry: Card, text: str, wrt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CARDS, entry.name, entry)
    where = {name: TYPES[name] for name in re.findall(r"\b[A-Za-z]\b", text)}
    found = matgrad.derive(text, wrt, where=where)
    assert found.verify().passed is True
    rng = np.random.default_rng(7)
    shapes = {name: re.findall(r"\b[mnk]\b", kind) for name, kind in where.items()}
    arrays = {name: rng.uniform(0.5, 2, [SIZES[d] for d in dims]) for name, dims in shapes.items()}
    step = rng.normal(size=np.shape(arrays[wrt]))
    shifted = [found.formula(**{**arrays, wrt: arrays[wrt] + h * step}) for h in (1e-5, -1e-5)]
    slope = np.tensordot(found(**arrays), step, np.ndim(step))
    assert slope == pytest.approx((shifted[0] - shifted[1]) / 2e-5, rel=1e-5, abs=1e-7)
    assert len(matgrad.explain(text, wrt, where=where)) > 1
