"""Exact values and the equality of formulas: against the reference evaluator, and on identities that hold or do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import load_answers, load_cases, where_text

import matgrad
from matgrad.checking.sampling import Subject, points
from matgrad.deciding.equality import equal
from matgrad.deciding.exact import exact_value
from matgrad.deciding.fields import Digits, NotRational, Residues
from matgrad.formula.infer import read
from matgrad.formula.reference import evaluate
from matgrad.formula.typed import Typed

CASES = {case["id"]: case for case in load_cases()}


def _subjects(typed: Typed) -> list[Subject]:
    return [Subject(v.name, v.type, v.traits) for v in typed.variables.values()]


def _equal(left: str, right: str, where: str = "") -> bool | None:
    typed = read(f"({left}) + ({right})", where or None)
    a, b = typed.program.body.args
    return equal(a, b, _subjects(typed), typed.functions)


TRUE = [
    ("tr(A*B)", "tr(B*A)", "A: matrix(m,n); B: matrix(n,m)"),
    ("det(A*B)", "det(A)*det(B)", "A: matrix(n,n); B: matrix(n,n)"),
    ("inv(A + u*v')", "inv(A) - inv(A)*u*v'*inv(A)/(1 + v'*inv(A)*u)", "A: matrix(n,n)"),
    ("det(eye + u*v')", "1 + u'*v", "u: vector(n); v: vector(n)"),
    ("vec(A*X*B)", "kron(B', A)*vec(X)", "A: matrix(m,n); X: matrix(n,p); B: matrix(p,q)"),
    ("commutation(m,n)*vec(X)", "vec(X')", "X: matrix(m,n)"),
    ("adj(X)*X", "det(X)*eye", "X: matrix(n,n)"),
    ("inv(S)", "inv(S)'", "S: spd(n)"),
    ("O'*O", "eye", "O: orthogonal(n)"),
    ("softmax(x)", "exp(x)/sum(exp(x))", "x: vector(n)"),
    ("logsumexp(x + vector(c))", "c + logsumexp(x)", "x: vector(n); c: scalar"),
    ("tanh(x)", "2*sigmoid(2*x) - vector(1)", "x: vector(n)"),
    ("logdet(S)", "log(det(S))", "S: spd(n)"),
    ("norm2(x)^2", "x'*x", "x: vector(n)"),
    ("norm2(X)^2", "tr(X'*X)", "X: matrix(m,n)"),
    ("abs(x)", "x.*sign(x)", "x: vector(n)"),
    ("relu(x) - relu(-x)", "x", "x: vector(n)"),
    ("max(x, 0*x)", "relu(x)", "x: vector(n)"),
    ("sum(X, dim=1)'", "X'*ones(m)", "X: matrix(m,n)"),
    ("softmax(X, dim=2)", "softmax(X', dim=1)'", "X: matrix(m,n)"),
    ("X^3", "X*X*X", "X: matrix(n,n)"),
    ("X^-2", "inv(X)*inv(X)", "X: matrix(n,n)"),
    ("[a; b]'*[a; b]", "a'*a + b'*b", "a: vector(n); b: vector(m)"),
    ("sqrt(x).^3", "x.^1.5", "x: positive vector(n)"),
    ('einsum("ij,jk->ik", A, B)', "A*B", "A: matrix(m,n); B: matrix(n,p)"),
    ("cosh(x)", "(exp(x) + exp(-x))/2", "x: scalar"),
    ("diag(diag(X))", "X.*eye", "X: matrix(n,n)"),
    ("gelu(x)", "x.*normcdf(x)", "x: vector(n)"),
]
FALSE = [
    ("A*B", "B*A", "A: matrix(n,n); B: matrix(n,n)"),
    ("A", "A'", "A: matrix(n,n)"),
    ("tr(A*B)", "tr(A)*tr(B)", "A: matrix(n,n); B: matrix(n,n)"),
    ("abs(x)", "x", "x: vector(n)"),
    ("relu(x)", "x", "x: scalar"),
    ("det(2*A)", "2*det(A)", "A: matrix(n,n)"),
    ("x/norm2(x)", "x", "x: vector(n)"),
    ("X.*X", "X*X", "X: matrix(n,n)"),
    ("log(x^2)", "2*log(abs(x)) + 0.0000001", "x: scalar"),
    ("norm1(X)", "norm2(X)", "X: matrix(m,n)"),
    ("relu(c - 50)", "0*c", "c: scalar"),
    ("relu(c - 2)*relu(3 - c)", "0*c", "c: scalar"),
    ("max(x, -30)", "x", "x: vector(n)"),
    ("step(c - 50*d)", "0*c", "c: scalar; d: positive"),
    ("det(O)", "1 + 0*det(O)", "O: orthogonal(n)"),
    ("abs(det(O) + 1)", "2 + 0*det(O)", "O: orthogonal(3)"),
]


@pytest.mark.parametrize(("left", "right", "where"), TRUE)
def test_identities_that_hold(left: str, right: str, where: str) -> None:
    assert _equal(left, right, where) is True


@pytest.mark.parametrize(("left", "right", "where"), FALSE)
def test_identities_that_do_not_hold(left: str, right: str, where: str) -> None:
    assert _equal(left, right, where) is False


@pytest.mark.parametrize("row", load_answers(), ids=lambda row: f"{row['case']}: {row['answer']}")
def test_answers_are_told_apart(row: dict[str, Any]) -> None:
    case = CASES[row["case"]]
    derivative = matgrad.derive(case["expr"], case["wrt"], where=where_text(case), order=case["order"])
    try:
        answer = matgrad.parse(row["answer"], context=derivative)
    except matgrad.MatgradError:
        assert not row["correct"]
        return
    verdict = equal(derivative.expr, answer.program.body, _subjects(derivative.formula.typed))
    assert verdict is row["correct"]


@pytest.mark.parametrize("case", list(CASES.values()), ids=lambda case: case["id"])
def test_exact_values_agree_with_the_reference(case: dict[str, Any]) -> None:
    typed = read(case["expr"], where_text(case))
    field = Digits()
    convert = np.frompyfunc(lambda x: field.mp.mpf(float(x)), 1, 1)
    point = next(iter(points(typed.program, _subjects(typed), (), seed=3)))
    value = exact_value(typed.program.body, {n: convert(v) for n, v in point.arrays.items()}, point.sizes, field)
    expected = evaluate(typed.program, point.arrays, point.sizes)
    assert np.allclose(np.asarray(value, dtype=float), expected, rtol=1e-9, atol=1e-12)


def test_residues_refuse_what_is_not_rational() -> None:
    typed = read("exp(x)", "x: scalar")
    with pytest.raises(NotRational):
        exact_value(typed.program.body, {"x": 1}, {}, Residues())


def test_undecided_where_a_value_is_too_small_to_be_told_from_rounding() -> None:
    assert _equal("exp(-1000*c^2)", "0*c", "c: scalar") is not True


def test_undecided_where_no_point_can_be_found() -> None:
    typed = read("log(-exp(x)) + log(-exp(x))*x", "x: scalar")
    a, b = typed.program.body.args
    assert equal(a, b, _subjects(typed)) is None
