"""What is printed is read back: the same text, the same LaTeX, and, multiplied out, the same graph."""

from __future__ import annotations

import random

import pytest
from multiplied_out import multiplied_out
from random_formulas import random_formula, variables_of, where_of

import matgrad
from matgrad.tensor.nodes import Node
from matgrad.tensor.rebuild import rebuild

FORMULAS = 400
OTHERWISE = 0.06
"""The share of answers whose graphs differ multiplied out, too: mostly fractions over another common denominator."""

NAMES = {
    "x": "vector(n)",
    "y": "vector(n)",
    "z": "vector(m)",
    "A": "matrix(n,n)",
    "S": "symmetric(n)",
    "B": "matrix(m,n)",
}


def node_of(text: str) -> Node:
    return matgrad.parse(text, where={name: said for name, said in NAMES.items() if name in text}).node


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("(x'*y)*(x'*y)", "(x'*y)^2"),
        ("(x'*A*x)*(x'*y)*(x'*A*x)", "(x'*A*x)^2*(x'*y)"),
        ("(x'*x)*(x'*x)*(x'*x)", "norm2(x)^6"),
        ("(x'*x)^2*(x'*x)", "(x'*x)^3"),
        ("norm2(x)*(x'*x)", "norm2(x)^3"),
        ("sum(x)*sum(x)*y", "sum(x)^2*y"),
        ("tr(A)*tr(A')", "tr(A)^2"),
        ("(A*x).*(A*x)", "(A*x).^2"),
        ("(A*A).*(A*A)", "(A*A).^2"),
        ("(B*A*x).*(B*A*x).*z", "(B*A*x).^2.*z"),
        ("(x'*S*y)*(y'*S*x)", "(x'*S*y)^2"),
        ("(x*ones(m)' + (x'*y)*y*ones(m)')", "(x + (x'*y)*y)*ones(m)'"),
        ("(x*ones(m)' + y*ones(m)')*z", "(x + y)*sum(z)"),
        ("triu(S)'", "tril(S)"),
        ("triu(ones(n,n))'.*A", "tril(A)"),
    ],
)
def test_equal_products_are_one_node(text: str, same: str) -> None:
    assert node_of(text) is node_of(same)


@pytest.mark.parametrize(
    ("text", "same"),
    [("x*z' + y*z'", "(x + y)*z'"), ("diag(x) + diag(y)", "diag(x + y)"), ("(A + S)^2*x", "(A*A + A*S + S*A + S^2)*x")],
)
def test_factored_and_not_they_are_one_node_multiplied_out(text: str, same: str) -> None:
    assert node_of(text) is not node_of(same)
    assert multiplied_out(node_of(text)) is multiplied_out(node_of(same))


def test_answers_are_read_back() -> None:
    """The text and the LaTeX of every answer; the graph of most."""
    others = []
    for seed in range(FORMULAS):
        text = random_formula(seed).text
        wrt = random.Random(seed).choice(variables_of(text))
        answer = matgrad.derive(text, wrt, where=where_of(text))
        back = matgrad.parse(answer.text, context=answer)
        assert back.text == answer.text
        assert back.latex == answer.latex
        own = rebuild(answer.node, {}, expand=True)
        if own is not back.node and multiplied_out(own) is not multiplied_out(back.node):
            others.append(answer.text)
    assert len(others) <= OTHERWISE * FORMULAS, others


def test_sums_of_three_axes_are_read_term_by_term() -> None:
    """Taken as outer products and multiplied out in turn, they never came to an end."""
    answer = matgrad.derive("prod(exp(sin(Y)), dim=2)", "Y", where="Y: matrix(n,n)", order=3)
    assert answer.verify().passed is True
    assert "einsum" in answer.text
