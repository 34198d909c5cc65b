"""Factors of entrywise products, as sums are read."""

from __future__ import annotations

import pytest

import matgrad
from matgrad.formula.text import to_text
from matgrad.translate.entrywise import cancelled, entrywise, entrywise_factors
from matgrad.translate.terms import together


@pytest.mark.parametrize(
    "text", ["10./x", "y.*x./y.^2", "1./(x.*y)", "x./(y./x)", "x.^3./2", "0.5.*x", "x.^2.*y./(x + y)"]
)
def test_the_factors_make_the_product(text: str) -> None:
    where = {name: "vector(n)" for name in "xy" if name in text}
    formula = matgrad.parse(text, where=where)
    again = to_text(entrywise(entrywise_factors(formula.program.body)))
    at = {name: [1.5, -0.7, 2.0] if name == "x" else [0.3, 1.1, 4.0] for name in where}
    assert matgrad.parse(again, where=where)(**at) == pytest.approx(formula(**at), rel=1e-14), again


def test_what_is_on_both_sides_of_a_fraction_bar_cancels() -> None:
    parts = [matgrad.parse(text, where="x: vector(n); y: vector(n)").program.body for text in ("y.*(x - y)", "x.*y.^3")]
    above, below = cancelled([parts[0]], [parts[1]])
    assert ([to_text(e) for e in above], [to_text(e) for e in below]) == (["x - y"], ["x", "y", "y"])
    assert cancelled([parts[0]], [parts[0]]) == ([parts[0]], [parts[0]])  # a vector of ones has no shorter name


def test_terms_of_a_typed_sum_stand_together() -> None:
    where = "x: vector(n); y: vector(n); w: vector(n)"
    parse = lambda text: matgrad.parse(text, where={n: "vector(n)" for n in "xyw" if n in text}).program.body  # noqa: E731
    whole, typed = matgrad.parse("x - w.^2 - y", where=where).program.body, parse("x - y")
    assert [to_text(e) for e in together(whole.args, [typed])] == ["x", "-y", "-w.^2"]
    assert together(whole.args, [parse("y + y"), parse("x + w"), whole]) == whole.args
    twice = parse("w + w")
    assert together((twice.args[0], *whole.args), [twice]) == (twice.args[0], *whole.args)


def test_a_negative_product_is_no_sum_to_be_sorted() -> None:
    formula = "sum(abs(x - y).^2./(w + w))/(1 + sum(max(min(x - y, d), -d).^2))"
    where = "x: vector(n); y: vector(n); w: positive vector(n); d: positive"
    assert matgrad.derive(formula, "y", where=where, order=2).verify(points=2).passed
