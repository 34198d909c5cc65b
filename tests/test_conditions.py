"""When a derivative holds: the conditions that are said, conventions at kinks, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from draws import close

import matgrad
from matgrad import derive

CONDITIONS = [
    ("log(det(X))", "X", None, 1, ["det(X) > 0"]),
    ("logdet(X)", "X", None, 1, ["det(X) ≠ 0"]),
    ("a/c", "c", None, 1, ["c ≠ 0"]),
    ("inv(A'*A + eye)", "A", None, 1, []),
    ("sum(log(x))", "x", "x: positive vector(n)", 1, []),
    ("sum(log(x))", "x", None, 1, ["x > 0"]),
    ("sqrt(c)", "c", "c: scalar", 1, ["c > 0"]),
    ("norm2(x)^2", "x", None, 1, []),
    ("inv(X)", "X", "X: spd(n)", 1, []),
]


@pytest.mark.parametrize(("text", "wrt", "where", "order", "expected"), CONDITIONS)
def test_conditions(text: str, wrt: str, where: str | None, order: int, expected: list[str]) -> None:
    assert list(derive(text, wrt, where=where, order=order).conditions) == expected


def test_conditions_name_the_subgradient_that_was_used() -> None:
    lasso = derive("norm2(X*w - y)^2/2 + lambda*norm1(w)", "w")
    (said,) = lasso.conditions
    assert "w ≠ 0" in said
    assert "sign(0) = 0" in said
    assert "step(0) = 0" in derive("sum(relu(A*x))", "x").conditions[0]
    assert "subgradient" in derive("norm2(x)", "x").conditions[0]
    assert "unique" in derive("max(x)", "x").conditions[0]
    assert "ties" in derive("max(x)", "x").conditions[0]
    assert not derive("c + norm1(w)", "c", where="c: scalar").conditions
    assert "twice" in derive("logsumexp(z)", "z", order=2).conditions[0]
    assert "almost everywhere" in " ".join(derive("sum(relu(x))", "x", order=2).conditions)


def test_conventions_at_kinks() -> None:
    zero = np.zeros(3)
    close(derive("norm1(x)", "x")(x=zero), zero)
    close(derive("norm2(x)", "x")(x=zero), zero)
    close(derive("sum(relu(x))", "x")(x=zero), zero)
    close(derive("max(x)", "x")(x=[1, 1, 0]), [0.5, 0.5, 0])
    close(derive("min(x)", "x")(x=[1, 1, 0]), [0.0, 0, 1])


def test_the_kink_of_a_norm_is_a_convention_of_derivatives_only() -> None:
    """The gradient of norm2 at 0 is the subgradient 0; the formula x/norm2(x) has no value there."""
    zero = np.zeros(3)
    np.testing.assert_array_equal(derive("norm2(x)", "x")(x=zero), zero)
    assert np.isnan(matgrad.parse("x/norm2(x)")(x=zero)).all()


@pytest.mark.parametrize("formula", ["log(0)*x", "sqrt(-1)*x", "arcsin(2)*x", "log(1-1)*x"])
def test_constants_outside_a_domain_are_refused(formula: str) -> None:
    with pytest.raises(matgrad.MatgradError, match="has no value"):
        matgrad.derive(formula, "x")


@pytest.mark.parametrize(
    ("formula", "where", "condition"),
    [
        ("inv(x*x')*b", "x: vector(n); b: vector(n)", "≠ 0, which does not hold for n > 1: the rank is at most 1"),
        ("logdet(b*b' + x*b')", "x: vector(n); b: vector(n)", "the rank is at most 2"),
        ("tr(inv(X*b*b'))", "X: matrix(n,n); b: vector(n)", "the rank is at most 1"),
        ("inv(X*Y)*b", "X: matrix(3,2); Y: matrix(2,3); b: vector(3)", "which never holds: the rank is at most 2"),
        ("inv(X*Y)*b", "X: matrix(2,3); Y: matrix(3,2); b: vector(2)", "det(X*Y) ≠ 0"),
        ("inv((b*b').*X)*b", "X: matrix(n,n); b: vector(n)", "det((b*b').*X) ≠ 0"),
    ],
)
def test_what_is_singular_for_its_rank_is_said(formula: str, where: str, condition: str) -> None:
    (found,) = matgrad.derive(formula, "b", where=where).conditions[:1]
    assert found.endswith(condition)


@pytest.mark.parametrize(
    ("formula", "where", "order", "first"),
    [
        ("sum(arcsin(x))", "x: vector(n)", 1, "abs(x) < 1"),
        ("sqrt(x'*A*x)", "x: vector(n); A: matrix(n,n)", 2, "x'*A*x > 0"),
        ("arccosh(1 + norm2(x)^2/2)", "x: vector(n)", 1, "1 + norm2(x)^2/2 > 1"),
    ],
)
def test_of_conditions_the_strictest_is_named(formula: str, where: str, order: int, first: str) -> None:
    """E ≥ b and E ≠ b are E > b, which says 2*sqrt(E) ≠ 0, too."""
    found = matgrad.derive(formula, "x", where=where, order=order).conditions
    assert found[0] == first
    assert not any("≥" in c or "≤" in c or "≠" in c for c in found), found


@pytest.mark.parametrize("text", ["max(hypot(L', U), dim=1)", "arctan2(U, L')"])
def test_where_no_point_meets_the_conditions_nothing_is_decided(text: str) -> None:
    """Below the diagonal both arguments are 0 by declaration: hypot and arctan2 have no derivative there."""
    checked = matgrad.derive(text, "L", where="L: lower(n); U: upper(n)").verify()
    assert checked.passed is None
    assert "its conditions do not hold at the points that were tried" in str(checked)
