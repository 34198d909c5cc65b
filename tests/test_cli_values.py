"""Values on the command line, in text and in files: what they give, and which are refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import refused

from matgrad.cli.data import read_point

AT = "A=[1,2;2,3]; x=[1,2]"
QUADRATIC = "x'*A*x"


def test_values_at_a_point(run) -> None:
    found = run("derive", QUADRATIC, "--wrt", "x", "--at", AT)
    assert found.lines[-2:] == ["at this point  f  = 21", "               ∇f = (10, 16)"]
    hessian = run("derive", QUADRATIC, "--wrt", "x", "--order", "2", "--at", AT)
    assert hessian.lines[-2:] == ["               ∇²f = [ 2  4 ]", "                     [ 4  6 ]"]


def test_literal_components(run) -> None:
    found = run("derive", "[x[1]^2 + x[2]; x[1]*x[2]]", "--wrt", "x", "--at", "x=[1;2]")
    assert found.lines[-3:] == [
        "at this point  f = (3, 2)",
        "               J = [ 2  1 ]",
        "                   [ 2  1 ]",
    ]


@pytest.mark.parametrize(
    ("formula", "at", "expected"),
    [
        (QUADRATIC, AT, "21"),
        ("A*x", AT, "(5, 8)"),
        ("r = A*x; r*x'", AT, "[ 5  10 ]\n[ 8  16 ]"),
        (QUADRATIC, "A=[[1,2],[2,3]]\nx=[1;2]", "21"),
        ("A", "A=[1,2,3]", "[ 1  2  3 ]"),
        ("A", "A=[1;2]", "[ 1 ]\n[ 2 ]"),
        ("a*b*c", "a=-1/2; b=1e-3; c=2*pi", "-0.0031415927"),
        ("ones(n)", "n=3", "(1, 1, 1)"),
        ("λ*2", "λ=.5", "1"),
        ("c/d", "c=1; d=0", "inf"),
    ],
)
def test_eval(run, formula, at, expected) -> None:
    found = run("eval", formula, "--at", at)
    assert (found.status, found.out, found.err) == (0, expected + "\n", "")


def test_eval_without_variables(run) -> None:
    assert run("eval", "1/2 + 1/4").out == "0.75\n"


@pytest.mark.parametrize("suffix", ["npz", "json"])
def test_values_from_a_file(run, tmp_path: Path, suffix) -> None:
    path = tmp_path / f"point.{suffix}"
    arrays = {"A": [[1.0, 2.0], [2.0, 3.0]], "x": [1.0, 2.0], "c": 2.0}
    if suffix == "npz":
        np.savez(path, **arrays)
    else:
        path.write_text(json.dumps(arrays), encoding="utf-8")
    assert run("eval", "c*x'*A*x", "--at", str(path)).out == "42\n"


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("x=[1,2]", ["no value is given for A"]),
        ("x=[1,2]; AA=[1,2;2,3]", ["no variable AA", "try  A"]),
        (AT + "; y=2", ["no variable y", "x, A"]),
        ("x=[1,2,3]; A=[1,2;3,4]", ["A has shape (2, 2)", "n = 3 from x"]),
        ("x=[1,2;3,4]; A=[1,2;3,4]", ["x is a vector", "^"]),
        ("x=3; A=[1,2;3,4]", ["x is a vector", "x=[3]"]),
        ("x=[1,nan]; A=[1,2;3,4]", ["x holds nan", "^^^"]),
        ("x=[1,inf]; A=[1,2;3,4]", ["x holds inf"]),
        ("x=[1,1e999]; A=[1,2;3,4]", ["too large"]),
        ("x=[1,1/0]; A=[1,2;3,4]", ["division by zero"]),
        ("x=[1,2]; A=[1,2;2]", ["rows of A differ in length: 2, 1"]),
        ("x=[1 2]; A=[1,2;2,3]", ["'1 2' is not a number", "1, 2"]),
        ("x=[1,,2]; A=[1,2;2,3]", ["an entry of x is missing"]),
        ("x=[1,z]; A=[1,2;2,3]", ["'z' is not a number"]),
        ("x=[1,2]; A=[[1,2],3]", ["either all rows are in brackets or none"]),
        ("x=[1,2]; A=[1,2;2,3", ["never closed"]),
        ("x=[1,2]]; A=[1,2;2,3]", ["never opened"]),
        ("x=[1,2](3); A=[1,2;2,3]", ["cannot be read"]),
        ("x=; A=[1,2;2,3]", ["no value is given for x"]),
        ("x=[1,2]; x=[1,2]", ["x is given twice"]),
        ("x", ["name=value"]),
        ("1=2", ["'1' is no name"]),
        ("", ["no value is given for x, A"]),
        ("x=[]; A=[1]", ["A has shape"]),
    ],
)
@pytest.mark.parametrize("command", [("eval", QUADRATIC), ("derive", QUADRATIC, "--wrt", "x")])
def test_bad_values(run, command, at, said) -> None:
    message = refused(run(*command, "--at", at))
    for part in said:
        assert part in message, message


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("eval", "x'*x"), ["--at", "x=…"]),
        (("eval", "c*x", "--at", "c=[1]; x=[1]"), ["c is a scalar", "c=1"]),
        (("eval", "log(c)", "--at", "c=-1"), ["not defined at this point"]),
        (("derive", "log(c)", "--wrt", "c", "--at", "c=-1"), ["not defined at this point", "c > 0"]),
        (("eval", "inv(X)", "--at", "X=[0,0;0,0]"), ["singular"]),
        (("eval", "ones(n)"), ["n"]),
        (("eval", "g(2)", "--where", "g: function", "--at", "g=sin"), ["g is an unspecified function"]),
        (("eval", "c", "--where", "c: positive", "--at", "c=-2"), ["positive"]),
        (("eval", "tr(S)", "--where", "S: symmetric(n)", "--at", "S=[1,2;3,4]"), ["symmetric"]),
        (("eval", "x'*x", "--where", "x: vector(3)", "--at", "x=[1,2]"), ["(2,)", "vector(3)"]),
    ],
)
def test_values_that_do_not_fit(run, command, said) -> None:
    message = refused(run(*command))
    for part in said:
        assert part in message, message


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.json", None, "No such file"),
        ("missing.npz", None, "No such file"),
        ("bad.json", b"{x: 1}", "not JSON"),
        ("latin.json", b'{"x": "\xe9"}', "UTF-8"),
        ("list.json", b"[1]", "object"),
        ("nan.json", b'{"x": [1, NaN]}', "x holds nan"),
        ("text.json", b'{"x": ["a"]}', "x must hold real numbers"),
        ("ragged.json", b'{"x": [[1], [1, 2]]}', "x"),
        ("none.json", b'{"x": null}', "x must hold real numbers"),
        ("extra.json", b'{"x": [1], "y": [2]}', "no variable y"),
        ("deep.json", b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "deep.json"),
        ("bad.npz", b"nothing", "bad.npz"),
        ("cut.npz", b"PK\x03\x04cut", "cut.npz"),
    ],
)
def test_bad_files(run, tmp_path: Path, name, content, said) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert said in refused(run("eval", "x'*x", "--at", str(path)))


def test_npz_files_without_numbers(run, tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", x=np.array([None, {}], dtype=object))
    assert "must hold numbers" in refused(run("eval", "x'*x", "--at", str(tmp_path / "objects.npz")))
    with (tmp_path / "single.npz").open("wb") as file:
        np.save(file, np.ones(2))
    assert "without a name" in refused(run("eval", "x'*x", "--at", str(tmp_path / "single.npz")))


def test_a_name_is_normalised() -> None:
    assert read_point("ﬁ=1", {}) == {"fi": 1}
