"""A constant matrix in a sum: with ones where a bare number would be taken for a number times the identity."""

from __future__ import annotations

import numpy as np
import pytest

import matgrad

CASES = [
    # formula, declarations, variable, order, text
    ("x - mean(x)", "x: vector(n)", "x", 1, "eye - ones(n)*ones(n)'/n"),
    ("x - mean(x)", "", "x", 1, "eye - vector(1)*vector(1)'/length(x)"),
    ("mean(x)*ones(n) - x", "", "x", 1, "ones(n)*ones(n)'/n - eye"),
    ("tr(X'*(eye - ones(n)*ones(n)'/n)*X)", "X: matrix(n, d)", "X", 1, "2*(eye - ones(n)*ones(n)'/n)*X"),
    ("logdet(X) + sum(X)", "X: matrix(n, n)", "X", 1, "inv(X)' + ones(n)*ones(n)'"),
    ("log(sum(x)) + sum(x.^3)", "x: vector(n)", "x", 2, "6*diag(x) - ones(n)*ones(n)'/sum(x)^2"),
    ("norm2(A*(X - 3))^2", "A: matrix(k, m); X: matrix(m, n)", "X", 1, "2*A'*A*(X - 3)"),  # as typed
    ("sum((A*X - A*ones(m)*ones(n)').^2)/2", "A: matrix(k, m); X: matrix(m, n)", "X", 1, None),
    ("sum(x.^3/3 - x)", "x: vector(n)", "x", 1, "x.^2 - 1"),
    ("sum(X.^3/3 - X)", "X: matrix(m, n)", "X", 1, "X.^2 - 1"),
    ("sum(W*H - X.*log(W*H))", "W: matrix(m, k); H: matrix(k, n)", "W", 1, "(1 - X./(W*H))*H'"),
    ("sum(tanh(X*W))", "X: matrix(m, n); W: matrix(n, k)", "W", 1, "X'*(1 - tanh(X*W).^2)"),
]


@pytest.mark.parametrize(("source", "where", "wrt", "order", "text"), CASES)
def test_a_constant_matrix_is_written_with_ones_where_the_sum_is_not_read_entry_by_entry(
    source: str, where: str, wrt: str, order: int, text: str | None
) -> None:
    f = matgrad.parse(source, where=where)
    d = matgrad.derive(f, wrt, order=order)
    assert text is None or d.text == text
    assert d.verify().passed
    again = matgrad.parse(d.text, context=d)
    assert again.node is d.node


def test_code_has_the_number_that_numpy_broadcasts() -> None:
    d = matgrad.derive("x - mean(x)", "x")
    assert "np.full((n, n), -1 / n" in d.code("numpy")
    assert np.allclose(d(x=np.arange(3.0)), np.eye(3) - 1 / 3)
