"""Answers of people: right in any form, wrong ones diagnosed; and answers spoilt on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from cases import load_answers, load_cases, where_text

import matgrad
from matgrad.diagnosing import trees
from matgrad.diagnosing.answers import check_answer
from matgrad.formula.syntax import Expr
from matgrad.formula.text import to_text

CASES = {case["id"]: case for case in load_cases()}
PLAIN = [c for c in CASES.values() if c["expected"] and len(c["out_shape"]) <= 2]


def _verdict(case: dict[str, Any], answer: str) -> Any:
    return check_answer(case["expr"], case["wrt"], answer, where=where_text(case), order=case["order"])


@pytest.mark.parametrize("row", load_answers(), ids=lambda row: f"{row['case']}: {row['answer']}")
def test_the_verdict_on_every_answer(row: dict[str, Any]) -> None:
    verdict = _verdict(CASES[row["case"]], row["answer"])
    assert verdict.correct is row["correct"]
    assert row["kind"] in (verdict.kind, *verdict.also)
    assert verdict.message
    assert verdict.correction


@pytest.mark.parametrize("case", PLAIN, ids=lambda case: case["id"])
def test_what_is_printed_is_right(case: dict[str, Any]) -> None:
    derivative = matgrad.derive(case["expr"], case["wrt"], where=where_text(case), order=case["order"])
    printed = _verdict(case, derivative.text)
    assert printed.correct is True
    assert printed.kind is None
    assert _verdict(case, case["expected"]).correct is True
    assert _verdict(case, derivative.latex).correct is True


def _spoilt(root: Expr) -> Iterator[tuple[str, Expr]]:
    yield "sign", trees.negated(root)
    yield "constant-factor", trees.times(trees.number(Fraction(1, 3)), root)
    for path, node in trees.paths(root):
        if node.op == "transpose":
            inverse = trees.is_inverse(node.args[0])
            yield "inverse-not-transposed" if inverse else "missing-transpose", trees.replaced(root, path, node.args[0])
            break


@pytest.mark.parametrize("case", PLAIN[::4], ids=lambda case: case["id"])
def test_spoilt_answers_are_wrong_and_told(case: dict[str, Any]) -> None:
    derivative = matgrad.derive(case["expr"], case["wrt"], where=where_text(case), order=case["order"])
    for kind, tree in _spoilt(derivative.expr):
        verdict = _verdict(case, to_text(tree))
        if verdict.correct:  # of a symmetric matrix, say
            assert kind not in ("sign", "constant-factor")
            continue
        assert kind in (verdict.kind, *verdict.also), (kind, to_text(tree), verdict)


CLASSICS = [
    ("x'*A*x", "x", "(A + A')*x", True, None),
    ("x'*A*x", "x", "2*A*x", False, "only-valid-if-symmetric"),
    ("x'*A*x", "x", "x'*(A + A')", False, "wrong-layout"),
    ("x'*A*x", "x", "A*x", False, "missing-symmetric-term"),
    ("norm2(A*x - b)^2", "x", "2*A*(A*x - b)", False, "shape-mismatch"),
    ("norm2(A*x - b)^2", "x", "2*A'*(A*x + b)", False, "unknown"),
    ("norm2(A*x - b)^2", "x", "2*A'*A*x", False, "missing-term"),
    ("norm2(A*x - b)^2", "x", "2*A'*(A*x - b) + x", False, "extra-term"),
    ("norm2(A*x - b)^2", "x", "2*(A*x - b)", False, "shape-mismatch"),
    ("tr(A*X)", "X", "A", False, "wrong-layout"),
    ("log(det(X))", "X", "inv(X)", False, "inverse-not-transposed"),
    ("sum(sin(A*x))", "x", "A'*cos(x)", False, "shape-mismatch"),
    ("sum(exp(c*x))", "x", "exp(c*x)", False, "forgot-chain-rule-factor"),
    ("mean(x.^2)", "x", "2*x", False, "constant-factor"),
    ("a'*X*b", "X", "b*a'", False, "wrong-layout"),
    ("tr(X*A*X')", "X", "X*A + X*A'", True, "unusual-form"),
    ("abs(x)", "x", "1", False, "forgot-chain-rule-factor"),
]


@pytest.mark.parametrize(("formula", "wrt", "answer", "correct", "kind"), CLASSICS)
def test_classics(formula: str, wrt: str, answer: str, correct: bool, kind: str | None) -> None:
    verdict = check_answer(formula, wrt, answer, where="x: scalar" if formula == "abs(x)" else None)
    assert (verdict.correct, verdict.kind) == (correct, kind)


def test_conditions_are_told() -> None:
    assert check_answer("x'*A*x", "x", "2*A*x").condition == "A is symmetric"
    assert check_answer("abs(x)", "x", "1", where="x: scalar").condition == "x > 0"


def test_in_a_symmetric_variable_the_symmetric_part_counts() -> None:
    verdict = check_answer("tr(A*S)", "S", "A", where="A: matrix(n,n); S: symmetric(n)")
    assert verdict.correct is True
    assert "symmetric part" in verdict.message
    entries = check_answer("tr(A*S)", "S", "A + A' - A.*eye", where="A: matrix(n,n); S: symmetric(n)")
    assert entries.correct is False
    assert entries.kind == "wrong-layout"
    assert "entries" in entries.message


def test_what_cannot_be_read_is_an_error() -> None:
    with pytest.raises(matgrad.MatgradError, match="does not occur"):
        check_answer("x'*A*x", "x", "(A + B)*x")
    with pytest.raises(matgrad.MatgradError):
        check_answer("x'*A*x", "x", "(A + A'*x")


def test_layouts_are_asked_for() -> None:
    assert check_answer("A*x", "x", "A'", layout="denominator").correct is True
    assert check_answer("A*x", "x", "A", layout="denominator").kind == "wrong-layout"
    assert check_answer("A*X*B", "X", "kron(B', A)", layout="vec").correct is True
    assert check_answer("A*X*B", "X", "kron(A, B')", layout="vec").correct is False
