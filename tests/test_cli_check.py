"""``matgrad check``, and LaTeX as input of every command."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import matgrad

LEAST_SQUARES = "norm2(A*x - b)^2"


def test_a_right_answer(run: Any) -> None:
    status, out, _ = run("check", LEAST_SQUARES, "--wrt", "x", "--answer", "2*A'*A*x - 2*A'*b")
    assert status == 0
    assert "right: unusual-form\n" in out


def test_a_wrong_answer_is_told_and_mended(run: Any) -> None:
    status, out, _ = run("check", LEAST_SQUARES, "--wrt", "x", "--answer", "A'*(A*x - b)", "--show")
    assert status == 1
    assert "wrong: constant-factor 2; it may also be" in out
    assert out.splitlines()[0].startswith("f(x) = ‖A x − b‖₂²")
    (correct,) = [line.removeprefix("correct: ") for line in out.splitlines() if line.startswith("correct: ")]
    assert matgrad.check_answer(LEAST_SQUARES, "x", correct).correct is True


def test_an_undecided_answer(run: Any) -> None:
    status, out, _ = run("check", "x'*x*log(-1 - x'*x)", "--wrt", "x", "--answer", "x*log(-1 - x'*x)")
    assert status == 4
    assert out.count("undecided") == 1


def test_bad_input(run: Any) -> None:
    assert run("check", LEAST_SQUARES, "--wrt", "x", "--answer", "A'*(")[0] == 2
    assert run("check", LEAST_SQUARES, "--wrt", "x")[0] == 2
    assert run("check", LEAST_SQUARES, "--wrt", "x,b", "--answer", "x")[0] == 2
    assert run("check", LEAST_SQUARES, "--answer", "x")[0] == 2


def test_json(run: Any) -> None:
    status, out, _ = run("check", "x'*A*x", "--wrt", "x", "--order", "2", "--answer", "2*A", "--json")
    data = json.loads(out)
    assert status == 1
    assert (data["correct"], data["kind"], data["condition"]) == (False, "only-valid-if-symmetric", "A is symmetric")


def test_options_reach_the_check(run: Any) -> None:
    assert run("check", "A*x", "--wrt", "x", "--answer", "A'", "--layout", "denominator")[0] == 0
    where = ("--where", "S: symmetric(n); A: matrix(n,n)")
    entries = ("--wrt", "S", "--answer", "A + A' - A.*eye", "--symmetric", "entries")
    assert run("check", "tr(A*S)", *where, *entries)[0] == 0


# -- LaTeX


GRADIENT = r"\nabla_{\mathbf{x}} \mathbf{x}^\top \mathbf{A} \mathbf{x}"


def test_latex_says_what_to_differentiate_in(run: Any) -> None:
    status, out, _ = run("derive", "--latex-input", GRADIENT)
    assert status == 0
    assert "(A + Aᵀ) x" in out
    assert "bold letters are read as vectors and matrices" in out
    assert "shape (n, m)" in run("derive", "--latex-input", r"\frac{\partial^2}{\partial x \partial y} x^\top A y")[1]
    assert run("explain", "--latex-input", GRADIENT)[1].splitlines()[-1].startswith("∇f = (A + Aᵀ) x")
    assert run("check", "--latex-input", GRADIENT, "--answer", r"(\mathbf{A}+\mathbf{A}^\top)\mathbf{x}")[0] == 0


def test_latex_in_every_command(run: Any) -> None:
    assert run("eval", "--latex-input", r"\frac12 x^\top x", "--at", "x=[1,2]")[1] == "2.5\n"
    assert "convex in x    yes" in run("facts", "--latex-input", "x^\\top x")[1]
    assert run("derive", "--latex-input", "x^\\top x", "--wrt", "x")[0] == 0


def test_latex_and_options_must_agree(run: Any) -> None:
    status, _, err = run("derive", "--latex-input", GRADIENT, "--wrt", "A")
    assert status == 2
    assert "asks for the derivative in x, not in A" in err
    assert "order 1, not 2" in run("derive", "--latex-input", GRADIENT, "--order", "2")[2]
    for command in (("eval", "--at", "x=[1]"), ("facts",)):
        assert "asks for a derivative" in run(command[0], "--latex-input", GRADIENT, *command[1:])[2]


def test_the_answer_is_spelled_as_the_formula(run: Any) -> None:
    latex = r"\nabla_{\boldsymbol{\theta}} \lVert \hat{\mathbf{y}} - \boldsymbol{\theta} \rVert_2^2"
    assert r"\hat{\mathbf{y}}" in run("derive", "--latex-input", latex, "--latex")[1]
    assert r"\hat{\mathbf{y}}" in run("explain", "--latex-input", latex, "--latex")[1]


def test_in_python_too() -> None:
    formula = matgrad.parse_latex(GRADIENT)
    assert matgrad.derive(formula).text == "(A + A')*x"
    assert matgrad.gradient(formula, "x").text == "(A + A')*x"
    assert matgrad.explain(formula).wrt == ("x",)
    twice = matgrad.parse_latex(r"\nabla_{x}^2 \, x^\top A x")
    assert matgrad.derive(twice).text == matgrad.hessian(twice, "x").text == "A + A'"
    with pytest.raises(matgrad.MatgradError, match="order 2"):
        matgrad.gradient(twice, "x")
    with pytest.raises(matgrad.MatgradError, match="say in which variable"):
        matgrad.derive("x'*x")


def test_answers_as_objects() -> None:
    A, x = matgrad.matrix("A", "n", "n"), matgrad.vector("x", "n")
    assert matgrad.check_answer(x @ A @ x, x, (A + A.T) @ x).correct is True
    assert matgrad.check_answer(x @ A @ x, x, 2 * A @ x).condition == "A is symmetric"
    assert matgrad.check_answer(x @ A @ x, x, matgrad.derive("x'*A*x", "x")).correct is True
    formula = matgrad.parse_latex(GRADIENT)
    assert matgrad.check_answer(formula, None, r"2\mathbf{A}\mathbf{x}").kind == "only-valid-if-symmetric"
    with pytest.raises(matgrad.MatgradError, match="an answer is text"):
        matgrad.check_answer("x'*x", "x", np.zeros(3))  # type: ignore[arg-type]
