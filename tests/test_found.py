"""Formulas of long runs of random ones (tools/soak.py) in which a form of the answer was wrong."""

from __future__ import annotations

import numpy as np
import pytest
from formula_properties import failure_of
from near_examples import failure_near

import matgrad


@pytest.mark.parametrize(
    ("text", "wrt", "order"),
    [
        ("sign(sum([u*z', u; (z)', 3].^2))", "z", 1),
        ("(sum(triu(1./((v*v').^2 + 1)).^2))./(1 + abs(sum(triu(1./((v*v').^2 + 1)).^2)))", "v", 1),
        ("(sum(triu(Y').^2))./(1 + abs(sum(triu(Y').^2)))", "Y", 1),
        ("(((B')*(x*t')).*sigmoid((B')*(x*t')))[:,2]", "t", 1),
        ("normF(x*t', dim=2)", "x", 2),
        ("sum(vec(diag(w)).^3)", "w", 1),
        ("r = argmin(L', dim=2); abs(r)", "r", 1),
        ("norm2((tril(B, -1) + B), dim=2)", "B", 1),
        ("(x)'*((U').*(U))*(x)/(1 + norm2((U').*(U))^2)", "U", 1),
        ("logsumexp(u) - (u)[2]*(u)[3]", "u", 1),
        ("(vector(logsumexp(u)) - (u)[2]*unit(3))", "u", 1),
        ("log((exp(Y) + 3*y*exp(Y)[1,1]*y').*(exp(Y) + 3*y*exp(Y)[1,1]*y')')", "Y", 1),
        ("((u)./unit(2))[2]", "u", 1),
        ("sum(step(Y).*(diag(diag(relu(Y))) - X))", "Y", 1),
        ("inv((sum(vec(B).^3))^2 + 1)", "B", 2),
        ("(((min(u, 0.1)) + unit(2)))./(1 + abs(((min(u, 0.1)) + unit(2))))", "u", 1),
    ],
)
def test_all_forms_agree(text: str, wrt: str, order: int) -> None:
    assert failure_of(text, wrt, order, share=1) is None


@pytest.mark.parametrize("text", ["d*norm2(X^3)^2", "q = X^3; d*norm2(q)^2", "q = X*X; d/(1 + norm2(q)^2)"])
def test_the_squares_of_a_power_of_a_matrix_are_not_powers_of_its_entries(text: str) -> None:
    """norm2(X^3)^2 of a named X^3 was printed as sum(X.^6)."""
    derivative = matgrad.derive(text, "d", where="X: matrix(n,n); d: scalar")
    assert "norm2(X" in derivative.text
    assert derivative.verify().passed


def test_one_minus_a_name_stands_as_the_name_does() -> None:
    """sigmoid(-x*t') is 1 - P' where P = sigmoid(t*x'): with equal sizes nothing but values shows it."""
    derivative = matgrad.derive("((x*t').*sigmoid(x*t'))[:,2]", "t", where="x: vector(n); t: vector(n)")
    named = "; ".join(f"{name} = {value}" for name, value in derivative.names.items())
    rng = np.random.default_rng(4)
    at = {"x": rng.normal(size=3), "t": rng.normal(size=3)}
    assert "(1 - P')" in derivative.short
    assert matgrad.parse(f"{named}; {derivative.short}", context=derivative)(**at) == pytest.approx(derivative(**at))


def test_a_triangle_filled_with_a_number_is_no_triangle_of_ones() -> None:
    derivative = matgrad.derive("sum(triu(Y).^2)*c/(1 + sum(triu(Y).^2))", "Y", where="Y: matrix(n,n); c: scalar")
    assert derivative.text == "2*c*triu(Y)/(1 + sum(triu(Y).^2))^2"
    assert derivative.verify().passed


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("log(p^k*(1 - 1/p)^(n - k)*exp(p))", "p: positive; k: positive; n: positive"),
        ("log(abs(1 + w*exp(a) - 2*exp(c)*(w*x)[1]))", "w: scalar; a: scalar; c: scalar; x: vector(n)"),
        ("exp(x)./(1 + exp(x)*(exp(x)'*y.^3)) - exp(x)./(2 + exp(x)).^2", "x: vector(n); y: vector(n)"),
        ("log(exp(x + y) - x[1]*x[2]*exp(x))", "x: vector(n); y: positive vector(n)"),
        ("log((exp(2*exp(2*c^2))/(exp(c^2) - 1))^2 + 1)", "c: positive"),
    ],
)
def test_rules_for_code_come_to_an_end(text: str, where: str) -> None:
    """They made sums of ever more terms."""
    assert len(matgrad.compile(matgrad.parse(text, where=where)).source) < 2500


def test_a_kronecker_form_of_one_row_is_checked() -> None:
    text = "sqrt(logsumexp(X, dim=2)) - X[:,1]*(abs(X)[:,1]'*X[:,1])"
    assert matgrad.derive(text, "X", where="X: matrix(1,n)").verify(1).passed


def test_a_sum_beside_the_products_of_all_entries_but_two_is_no_factor() -> None:
    """Where the dimension is a number, a diagonal was multiplied by it."""
    text = "3*prod(x)*(x'*y)*(1./x)*(1./x)' - prod(x)*(x'*y)*diag(1./x.^2)"
    assert failure_near(text, "x: vector(3); y: vector(3)", 1, 0) is None
