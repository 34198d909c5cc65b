"""Answers of people: right in any form, wrong ones diagnosed; and answers spoilt on purpose."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import load_answers, load_cases, where_text
from random_formulas import arrays_of, printable, variables_of, where_of

import matgrad
from matgrad import check_answer
from matgrad.diagnosing import trees
from matgrad.diagnosing.testing import Bench
from matgrad.formula.syntax import Expr, walk
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


DATA = Path(__file__).parent / "data" / "wrong_answers.jsonl"
WRONG = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("row", WRONG[::6], ids=lambda row: f"{row['formula']}: {row['answer']}")
def test_answers_that_students_give(row: dict[str, Any]) -> None:
    options = {key: row[key] for key in ("where", "order", "layout") if key in row}
    verdict = check_answer(row["formula"], row["wrt"], row["answer"], **options)
    assert verdict.correct is (row["kind"] == "right")
    assert row["kind"] in ("right", verdict.kind)
    assert verdict.condition == row.get("condition", "")
    assert len(verdict.also) <= 2
    again = check_answer(row["formula"], row["wrt"], verdict.correction, **options)
    assert again.correct is True, verdict.correction


def test_no_verdict_depends_on_how_fast_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be tried is counted: on a busy machine kinds of mistakes were not found."""
    monkeypatch.setattr(time, "process_time", itertools.count(0, 10).__next__)
    assert check_answer("x'*A*x", "x", "A*x").kind == "missing-symmetric-term"
    for row in [row for row in WRONG if "tanh" in row["formula"]][:4]:
        assert row["kind"] in ("right", check_answer(row["formula"], row["wrt"], row["answer"]).kind)


def test_what_is_tried_for_a_long_answer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr(Bench, "values_of", lambda *args: tried.append(args[1]))
    long = "+".join(f"A{i}*x" for i in range(20))
    assert check_answer(f"x'*({long})", "x", long).correct is False
    assert sum(1 for tree in tried for _ in walk(tree)) < 30_000


def _random_cases() -> list[tuple[str, str]]:
    texts = [printable(seed) for seed in range(1000, 1012)]
    return [(text, variables_of(text)[0]) for text in texts if variables_of(text)]


@pytest.mark.parametrize(("text", "wrt"), _random_cases())
def test_a_wrong_answer_is_never_called_right(text: str, wrt: str) -> None:
    """A spoilt answer is right only where it agrees with the derivative at every random point."""
    where = where_of(text)
    try:
        derivative = matgrad.derive(text, wrt, where=where)
        values = [derivative(**arrays_of(text, seed)) for seed in range(4)]
    except matgrad.MatgradError:
        pytest.skip("no derivative, or no value at these points")
    if not all(np.all(np.isfinite(v)) for v in values):
        pytest.skip("no value at these points")
    assert check_answer(text, wrt, derivative.text, where=where).correct is not False
    for _, tree in _spoilt(derivative.expr):
        answer = derivative.formula.print(tree)
        verdict = check_answer(text, wrt, answer, where=where)
        if not verdict.correct or "symmetric part" in verdict.message:
            continue
        spoilt = matgrad.parse(answer, context=derivative)
        for seed, value in enumerate(values):
            assert np.allclose(spoilt(**arrays_of(text, seed)), value, rtol=1e-6), answer


REWRITTEN = [
    ("logdet(A*X)", "X", "inv(X')", "A: matrix(n,n); X: matrix(n,n)"),
    ("tr(inv(X)*A)", "X", "-inv(X')*A'*inv(X')", None),
    ("logsumexp(A*x)", "x", "A'*(exp(A*x)/sum(exp(A*x)))", None),
    ("sum(log(1 + exp(x)))", "x", "1 - 1./(1 + exp(x))", "x: vector(n)"),
    ("sum(tanh(x))", "x", "1./cosh(x).^2", "x: vector(n)"),
    ("norm2(A*x - b)^2", "x", "A'*A*x + A'*A*x - 2*(b'*A)'", None),
    ("x'*A*x", "x", "(x'*A)' + A*x", None),
    ("sqrt(x'*x)", "x", "x/norm2(x)", None),
    ("tr(X'*A*X*B)", "X", "(B*X'*A + B'*X'*A')'", None),
    ("sum(log(sigmoid(x)))", "x", "1 - sigmoid(x)", "x: vector(n)"),
]


@pytest.mark.parametrize(("formula", "wrt", "answer", "where"), REWRITTEN)
def test_other_forms_of_the_same_are_right(formula: str, wrt: str, answer: str, where: str | None) -> None:
    assert check_answer(formula, wrt, answer, where=where).correct is True


@pytest.mark.parametrize(
    ("formula", "answer", "where"),
    [("sqrt(x^2)", "1", "x: scalar"), ("sqrt(x^2)*sqrt(y^2)", "y", "x: scalar; y: scalar"),
     ("log(x^2)/2", "1/sqrt(x^2)", "x: scalar"), ("norm2(x)", "x/x", "x: scalar")],
)  # fmt: skip
def test_what_holds_for_some_signs_only_is_wrong(formula: str, answer: str, where: str) -> None:
    verdict = check_answer(formula, "x", answer, where=where)
    assert verdict.correct is False
    assert verdict.condition == "x > 0" or "sqrt(y^2)" in formula


CLASSICS = [
    ("x'*A*x", "x", "(A + A')*x", True, None),
    ("x'*A*x", "x", "2*A*x", False, "only-valid-if-symmetric"),
    ("x'*A*x", "x", "x'*(A + A')", False, "wrong-layout"),
    ("x'*A*x", "x", "A*x", False, "missing-symmetric-term"),
    ("norm2(A*x - b)^2", "x", "2*A*(A*x - b)", False, "shape-mismatch"),
    ("norm2(A*x - b)^2", "x", "2*A'*(A*x + b)", False, "sign"),
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


@pytest.mark.parametrize(("formula", "answer"), [("cosh(x)", "sinh(x)"), ("sin(x)*exp(x)", "exp(x)*(sin(x) + cos(x))")])
def test_an_answer_for_a_scalar_says_so(formula, answer):
    """x is assumed to be a vector in the first; in the second it is a scalar by its place."""
    verdict = matgrad.check_answer(formula, "x", answer)
    if not verdict.correct:
        assert (verdict.kind, verdict.condition) == ("shape-mismatch", "x is a scalar")
        assert verdict.message.endswith("declare x: scalar.")
    assert matgrad.check_answer(formula, "x", answer, where="x: scalar").correct


@pytest.mark.parametrize(("answer", "where"), [("cosh(x)", None), ("sinh(x)", "x: vector(n)"), ("-sinh(x)", None)])
def test_a_wrong_answer_is_not_right_for_a_scalar(answer, where):
    verdict = matgrad.check_answer("cosh(x)", "x", answer, where=where)
    assert (verdict.correct, verdict.condition) == (False, "")
