"""``matgrad minimize``: what it prints, its exit status, and the picture that it draws."""

import json
from pathlib import Path

import numpy as np
import pytest

from matgrad.cli import main

ROWS = "age,bmi,target\n1,2,3\n2,1,4\n3,5,1\n4,4,2\n"
SQUARES = "norm2(X*w - y)^2"


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "table.csv"
    path.write_text(ROWS)
    return str(path)


def _wanted() -> np.ndarray:
    X = np.array([[1, 2], [2, 1], [3, 5], [4, 4]])
    return np.linalg.lstsq(X, np.array([3, 4, 1, 2]), rcond=None)[0]


def test_it_reports_the_method_the_reason_and_the_values(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["minimize", SQUARES, "--over", "w", "--data", table, "--columns", "y=target; X=*"]) == 0
    out = capsys.readouterr().out
    assert "newton: quadratic in w, since its Hessian 2*X'*X does not vary: one linear solve" in out
    assert "solved" in out
    assert "w = [" in out


def test_json_holds_everything(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["minimize", SQUARES, "--over", "w", "--data", table, "--columns", "y=target; X=age,bmi", "--json"]) == 0
    )
    data = json.loads(capsys.readouterr().out)
    assert np.allclose(data["at"]["w"], _wanted())
    assert data["success"] is True
    assert [line["iteration"] for line in data["history"]] == [0, 1]


def test_options_reach_the_method(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["minimize", SQUARES + " + c*norm2(w)^2", "--over", "w", "--data", table, "--columns", "y=target; X=*"]
    more = [
        "--at",
        "c=1e-9",
        "--method",
        "gradient-descent",
        "--step",
        "0.01",
        "--start",
        "w=[1,1]",
        "--tolerance",
        "1e-9",
    ]
    assert main([*common, *more, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["method"] == "gradient-descent"
    assert np.allclose(data["at"]["w"], _wanted(), atol=1e-6)
    assert main([*common, "--at", "c=0", "--bounds", "w: 0..0.1", "--json"]) == 0
    at = json.loads(capsys.readouterr().out)["at"]["w"]
    assert all(0 <= value <= 0.1 for value in at)


@pytest.mark.parametrize(("formula", "start"), [("100*(x[2] - x[1]^2)^2 + (1 - x[1])^2", "x=[-1.2,1]"),
                                                ("sum(cosh(x)) + norm2(x)^2", "x=[1,2,3]")])  # fmt: skip
def test_a_picture_is_drawn(formula: str, start: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "path.png"
    given = [
        "minimize",
        formula,
        "--over",
        "x",
        "--start",
        start,
        "--method",
        "newton",
        "--plot",
        str(target),
        "--history",
    ]
    assert main(given) == 0
    assert target.read_bytes().startswith(b"\x89PNG")
    assert "iteration" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (["x'*x", "--over", "x"], 2, "do not say the size"),
        (["x[1]^2", "--over", "x", "--method", "magic"], 2, "no method 'magic'"),
        (["x[1]^2", "--over", "x", "--data", "nowhere.csv"], 2, "nowhere.csv cannot be read"),
        (["x[1]^2", "--over", "x", "--columns", "x=a"], 2, "--columns says"),
        (["x[1]^2", "--over", "x", "--bounds", "x=1"], 2, "is no bound"),
        (["x[1]^2", "--over", "x", "--bounds", "x: a..b"], 2, "no pair of numbers"),
        (["x[1]^2", "--over", "x", "--plot", "path.txt"], 2, "a picture is written"),
        (["x[1]^2", "--over", "x,"], 2, "--over takes names"),
        (["-x[1]^2", "--over", "x"], 4, "no minimum"),
        (["x[1]^4", "--over", "x", "--iterations", "2", "--start", "x=[1]"], 4, "not converged after 2 iterations"),
    ],
)
def test_what_goes_wrong_is_said(
    options: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["minimize", *options]) == status
    found = capsys.readouterr()
    assert says in found.out + found.err
