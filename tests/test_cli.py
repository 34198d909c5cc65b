"""The command line: what it prints, what it refuses, and with which exit status."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import refused, shell

from matgrad.checking.verify import Check
from matgrad.cli import main
from matgrad.cli.output import Row, aligned, plain_data, show_value

AT = "A=[1,2;2,3]; x=[1,2]"
QUADRATIC = "x'*A*x"


# -- what derive prints


def test_the_command_of_the_readme(run) -> None:
    found = run("derive", "norm2(A*x - b)^2", "--wrt", "x")
    assert (found.status, found.err) == (0, "")
    *lines, check = found.lines
    assert lines == [
        "f(x) = ‖A x − b‖₂²          A: matrix(m, n) · x: vector(n) · b: vector(m), assumed from A*x - b",
        "∇f   = 2 Aᵀ(A x − b)        gradient, shape (n)",
        "text   2*A'*(A*x - b)",
    ]
    small = r"check  relative error \de-1\d against complex-step differentiation at 8 random points"
    assert re.fullmatch(small, check)


def test_several_variables_share_the_first_line(run) -> None:
    found = run("derive", QUADRATIC, "--wrt", "x, A")
    assert found.out.count("f(x, A) = xᵀ A x") == 1
    assert "∂f/∂x   = (A + Aᵀ) x        gradient, shape (n)" in found.lines
    assert "text      (A + A')*x" in found.lines
    assert "∂f/∂A   = x xᵀ              gradient, shape (n, n)" in found.lines
    assert found.out.count("\ncheck ") == 2
    assert run("derive", QUADRATIC, "--wrt", "x", "--wrt", "A").lines[0] == found.lines[0]


def test_intermediates_are_shown_and_used(run) -> None:
    found = run("derive", "r = A*x - b; r'*r", "--wrt", "x")
    assert found.lines[0] == "let r = A x − b             vector(m)"
    assert "text    2*A'*(A*x - b)" in found.lines
    assert "short   2*A'*r" in found.lines


def test_wide_lines_keep_the_columns(run) -> None:
    found = run("derive", "sum(log(1 + exp(-y.*(X*w)))) + c/2*norm2(w)^2", "--wrt", "w")
    assert found.lines[0].startswith("f(w) = ")
    assert found.lines[1].startswith("       y: vector(n) · X: matrix(n, m)")
    assert found.lines[1].endswith("c assumed from its first letter; y assumed from y.*(X*w)")


def test_index_notation_has_action_and_vec(run) -> None:
    found = run("derive", "A*X*B", "--wrt", "X")
    assert "action  dX ↦ A*dX*B" in found.lines
    assert "vec     kron(B', A)" in found.lines


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((QUADRATIC, "--wrt", "x", "--order", "2"), "∇²f  = A + Aᵀ               Hessian, shape (n, n)"),
        (("A*x", "--wrt", "x"), "J    = A                    Jacobian, shape (m, n)"),
        (("J*x", "--wrt", "x"), "∂f/∂x = J                   Jacobian, shape (m, n)"),
        (("f*x'*x", "--wrt", "x"), "∇F   = 2 f x                gradient, shape (n)"),
        (("x^3", "--wrt", "x", "--order", "2"), "∂²f/∂x² = 6 x               second derivative, scalar"),
        (("norm1(x)", "--wrt", "x"), "where  x ≠ 0; elsewhere the answer uses sign(0) = 0"),
        (("-x'*x", "--wrt", "x"), "text   -2*x"),
    ],
)  # fmt: skip
def test_labels_and_remarks(run, arguments, expected) -> None:
    found = run("derive", *arguments)
    assert found.status == 0
    assert expected in found.lines


def test_conventions_that_are_not_the_usual_ones_are_said(run) -> None:
    symmetric = ("derive", "logdet(S)", "--wrt", "S", "--where", "S: spd(n)")
    assert "each free entry counted once" in run(*symmetric, "--symmetric", "entries").out
    assert "as if S were not symmetric" in run(*symmetric, "--symmetric", "ignore").out
    assert ", shape (n, m), denominator layout" in run("derive", "A*x", "--wrt", "x", "--layout", "denominator").out
    assert "vec layout (columns stacked)" in run("derive", "A*X*B", "--wrt", "X", "--layout", "vec").out


def test_functions_and_the_identity_are_listed(run) -> None:
    assert "g: function" in run("derive", "g(a'*x)", "--wrt", "x", "--where", "g: function").lines[0]
    assert "; I is read as the identity matrix" in run("derive", "norm2(I - X'*X)^2", "--wrt", "X").lines[0]


def test_numbers_for_reading() -> None:
    assert show_value(np.array([-0.0, 0.1 + 0.2])) == "(0, 0.3)"
    assert show_value(np.zeros((2, 1, 2))).splitlines() == ["[1,:,:]", "[ 0  0 ]", "[2,:,:]", "[ 0  0 ]"]
    assert show_value(np.zeros((30, 20))) == "30 × 20 numbers, from 0 to 0"
    assert show_value(np.zeros((0, 2))) == "[ ] (0 × 2)"
    assert show_value(np.zeros(0)) == "()"
    assert plain_data(np.array([np.inf, 1])) == ["inf", 1]


def test_rows_align() -> None:
    wide = Row("g", "y" * 60, "said below", equation=True)
    assert aligned([[Row("f", "x", "a", equation=True), wide, Row("text", "x")]]).splitlines() == [
        "f   = x                     a",
        f"g   = {'y' * 60}",
        "      said below",
        "text  x",
    ]


# -- the other forms


def test_json(run) -> None:
    data = json.loads(run("derive", QUADRATIC, "--wrt", "x", "--json", "--at", AT).out)
    assert data["text"] == "(A + A')*x"
    assert data["check"]["passed"] is True
    assert data["at"] == {"value": 21, "derivative": [10, 16]}
    several = json.loads(run("derive", QUADRATIC, "--wrt", "x,A", "--json").out)
    assert several["A"]["text"] == "x*x'"
    assert "at" not in several["A"]
    value = json.loads(run("eval", "A*x", "--at", AT, "--json").out)
    assert value == {"formula": "A*x", "shape": ["m"], "value": [5, 8]}


def test_latex(run) -> None:
    lines = run("derive", "r = A*x; r'*r", "--wrt", "x", "--latex").lines
    assert len(lines) == 2
    assert lines[0].startswith(r"\mathbf{r} = \mathbf{A} \mathbf{x},\quad f(\mathbf{x}) = ")
    assert lines[1].startswith(r"\nabla f = 2 ")


def test_code_runs(run) -> None:
    names: dict[str, object] = {}
    exec(run("derive", QUADRATIC, "--wrt", "x", "--code", "numpy").out, names)
    A, x = np.array([[1.0, 2], [2, 3]]), np.array([1.0, 2])
    np.testing.assert_allclose(names["gradient"](A=A, x=x), [10, 16])
    source = run("derive", QUADRATIC, "--wrt", "x,A", "--code", "numpy").out
    assert source.count("import numpy as np") == 1
    exec(source, names)
    np.testing.assert_allclose(names["gradient_A"](A=A, x=x), np.outer(x, x))


def test_help_and_version(run) -> None:
    assert "examples:" in run().out
    for command in ((), ("derive",), ("eval",)):
        found = run(*command, "--help")
        assert found.status == 0
        assert 'matgrad derive "' in found.out or 'matgrad eval "' in found.out
    assert re.fullmatch(r"matgrad \d+\.\d+\.\d+\S*\n", run("--version").out)


# -- exit status of the check


@pytest.mark.parametrize(("passed", "status"), [(False, 3), (None, 4)])
@pytest.mark.parametrize("form", [[], ["--json"], ["--latex"], ["--code", "numpy"]])
def test_a_check_that_does_not_pass(run, monkeypatch, passed, status, form) -> None:
    check = Check(passed, "complex-step differentiation", 8, 0.5)
    monkeypatch.setattr("matgrad.Derivative.verify", lambda self: check)
    found = run("derive", QUADRATIC, "--wrt", "x", *form)
    assert found.status == status
    assert (str(check) in found.err) == (form in (["--latex"], ["--code", "numpy"]))


# -- bad input


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["(x'*A*x", "--wrt", "x"], ["never closed", "\n    ^"]),
        (["x'*A)*x", "--wrt", "x"], [")", "^"]),
        (["lgo(x)", "--wrt", "x"], ["lgo", "try  log(x)"]),
        (["x'*X*x", "--wrt", "y"], ["y does not occur in the formula", "x, X"]),
        (["weights'*x", "--wrt", "weight"], ["weight does not occur", "try  weights"]),
        (["A*x + b'", "--wrt", "x"], ["column", "row", "try  A*x + b"]),
        (["A*B", "--wrt", "A", "--where", "A: matrix(2,3); B: matrix(4,5)"], ["3", "4", "2 × 3", "4 × 5"]),
        (["tr(A)", "--wrt", "A", "--where", "A: matrix(2,3)"], ["square", "2 × 3"]),
        (["det(A)", "--wrt", "A", "--where", "A: matrix(2,3)"], ["square", "2 × 3"]),
        (["inv(A)", "--wrt", "A", "--where", "A: matrix(2,3)"], ["square", "2 × 3"]),
        (["A/x", "--wrt", "x", "--where", "x: vector(n)"], ["nothing can be divided by", "column"]),
        (["x'*x + det(x)", "--wrt", "x"], ["x"]),
        (["x'*x", "--wrt", "x", "--where", "y: vector(n)"], ["y is declared, but does not occur"]),
        (["A*x + x'*A", "--wrt", "x", "--where", "A: matrix(2,3); x: vector(n)"], ["x", "2", "3"]),
        (["A*x + x", "--wrt", "x", "--where", "A: scalar; x: scalar; B: spd(n)"], ["B is declared"]),
        (["x'*A*x", "--wrt", "x", "--where", "A: matrix(2,3)"], ["2", "3"]),
        (["", "--wrt", "x"], ["empty"]),
        (["  ", "--wrt", "x"], ["empty"]),
        (["x+" * 10_001 + "x", "--wrt", "x"], ["20000"]),
        (["(" * 300 + "x" + ")" * 300, "--wrt", "x"], ["200"]),
        (["x'*x", "--wrt", "x", "--where", "x matrix"], ["a declaration is"]),
        (["x'*x"], ["--wrt x"]),
        (["x'*x", "--wrt", "x,"], ["commas"]),
        (["x'*x", "--wrt", "x,x"], ["twice"]),
        (["x'*x", "--wrt", "x", "--order", "5"], ["order"]),
        (["x'*x", "--wrt", "x", "--order", "two"], ["--order"]),
        (["x'*x", "--wrt", "x", "--layout", "sideways"], ["--layout", "numerator"]),
        (["A*X*B", "--wrt", "X", "--layout", "numerator"], ["--layout vec"]),
        (["norm2(x)", "--wrt", "x", "--order", "5"], ["--order 2, for a Hessian"]),
        (["x'*x", "--wrt", "x", "--code", "fortran"], ["--code", "numpy"]),
        (["x'*x", "--wrt", "x", "--json", "--latex"], ["--json"]),
        (["x'*x", "--wrt", "x", "--colour"], ["--colour"]),
        (["x'*x", "--wrt", "x", "-colour"], ["-colour"]),
        (["pinv(A)", "--wrt", "A"], ["pinv"]),
        (["A\\b", "--wrt", "b"], ["inv(A)*b"]),
        (["\udcce\udcbb", "--wrt", "x"], ["character"]),
    ],
)
def test_bad_input(run, arguments, said) -> None:
    message = refused(run("derive", *arguments))
    for part in said:
        assert part in message, message


def test_an_unknown_command(run) -> None:
    assert "derive" in refused(run("drive", "x'*x"))


# -- what is not the user's fault


def test_a_fault_of_matgrad_is_no_traceback(run, monkeypatch) -> None:
    def broken(self) -> None:
        raise ZeroDivisionError("deep inside")

    monkeypatch.setattr("matgrad.Derivative.verify", broken)
    found = run("derive", QUADRATIC, "--wrt", "x")
    assert found.status == 70
    assert "ZeroDivisionError: deep inside" in found.err
    monkeypatch.setenv("MATGRAD_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["derive", QUADRATIC, "--wrt", "x"])


def test_an_interrupt(run, monkeypatch) -> None:
    def interrupted(self) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("matgrad.Derivative.verify", interrupted)
    found = run("derive", QUADRATIC, "--wrt", "x")
    assert (found.status, found.out, found.err) == (130, "", "")


def test_as_a_process() -> None:
    found = shell("derive", "inv(X)", "--wrt", "X", PYTHONIOENCODING="utf-8")
    assert (found.returncode, found.stderr) == (0, b"")
    assert "X⁻¹" in found.stdout.decode()
    found = shell("derive", "A/x", "--wrt", "x", "--where", "x: vector(n)")
    assert found.returncode == 2
    assert found.stderr.startswith(b"error: ")
    assert b"Traceback" not in found.stderr


def test_without_unicode() -> None:
    hessian = ("derive", "λ*sum(log(x))", "--wrt", "x", "--order", "2")
    found = shell(*hessian, PYTHONIOENCODING="ascii")
    assert (found.returncode, found.stderr) == (0, b"")
    text = found.stdout.decode("ascii")
    assert text.startswith("f(x)   = \\u03bb*sum(log(x))")
    assert "\nhess f = " in text
    for form in ("--json", "--latex"):
        assert shell(*hessian, form, PYTHONIOENCODING="ascii").returncode == 0
    found = shell("derive", "λ+", "--wrt", "x", PYTHONIOENCODING="ascii")
    assert (found.returncode, found.stdout) == (2, b"")
    poor = shell("derive", "inv(X)", "--wrt", "X", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert poor.returncode == 0
    assert b"df/dX = -einsum" in poor.stdout


def test_a_closed_pipe_is_quiet() -> None:
    read, write = os.pipe()
    os.close(read)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "matgrad", "derive", QUADRATIC, "--wrt", "x"]
    with os.fdopen(write, "wb") as pipe:
        found = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, env=env)
    assert (found.returncode, found.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="not for CI: there is no /dev/full here")
def test_a_full_disk() -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "matgrad", "eval", "1"]
        found = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=env)
    assert found.returncode == 74
    assert found.stderr.startswith(b"error: the output cannot be written")
    assert b"Traceback" not in found.stderr


def test_import_is_light() -> None:
    heavy = ("numpy", "lark", "scipy", "argparse")
    code = f"import sys, matgrad; print([m for m in {heavy} if m in sys.modules])"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert found.stdout == "[]\n", found.stderr


def test_scipy_is_imported_only_for_functions_that_need_it() -> None:
    code = (
        "import sys; from matgrad.cli import main; "
        "main(['derive', 'norm2(A*x - b)^2', '--wrt', 'x', '--code', 'numpy']); "
        "print('scipy' in sys.modules)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "utf-8"}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert found.stdout.endswith("False\n"), found.stderr
