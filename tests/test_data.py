"""Files of arrays: what they hold comes out by name, and what is wrong with them is said."""

import json
from pathlib import Path

import numpy as np
import pytest

from matgrad.analysis.data import gathered, load_data
from matgrad.errors import DataError

ROWS = "X1,X2,X10,y,kind\n1,2,3,4,a\n5,6,7,8,b\n"


def _file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_of_a_csv_file_are_vectors(tmp_path: Path) -> None:
    found = load_data(_file(tmp_path, "t.csv", ROWS))
    assert {name: value.tolist() for name, value in found.items()} == {
        "X1": [1, 5], "X2": [2, 6], "X10": [3, 7], "y": [4, 8], "kind": ["a", "b"],
    }  # fmt: skip


def test_chosen_columns_make_variables(tmp_path: Path) -> None:
    path = _file(tmp_path, "t.csv", ROWS)
    found = load_data(path, "A=X10,X1; t=y; K=kind; B=*")
    assert found["A"].tolist() == [[3, 1], [7, 5]]
    assert found["t"].tolist() == [4, 8]
    assert found["B"].tolist() == [[2], [6]]
    assert load_data(path, {"A": ["X2", "y"], "z": "X1"})["A"].tolist() == [[2, 4], [6, 8]]


def test_numbered_columns_become_a_matrix_where_one_is_wanted() -> None:
    data = {"X1": np.array([1.0, 2.0]), "X02": np.array([3.0, 4.0]), "X_3": np.array([5.0, 6.0]), "y": np.ones(2)}
    assert gathered(data, {"X": 2, "y": 1})["X"].tolist() == [[1, 3, 5], [2, 4, 6]]
    assert "X" not in gathered(data, {"X": 1})
    assert "X" not in gathered({"X1": np.ones(2), "X3": np.ones(2)}, {"X": 2})  # a gap: something is missing
    with pytest.raises(DataError, match="both column 1"):
        gathered({"X1": np.ones(2), "X01": np.ones(2)}, {"X": 2})


def test_a_table_without_a_header_is_called_as_its_file(tmp_path: Path) -> None:
    assert load_data(_file(tmp_path, "A.csv", "1;2;3\n4;5;6\n"))["A"].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert load_data(_file(tmp_path, "b.csv", "1\n2\n"))["b"].tolist() == [1, 2]


def test_a_missing_cell_is_nan(tmp_path: Path) -> None:
    found = load_data(_file(tmp_path, "t.csv", "x,y\n1,\nNA,2\n"))
    assert np.isnan(found["x"]).tolist() == [False, True]
    assert np.isnan(found["y"]).tolist() == [True, False]


def test_other_kinds_of_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", A=np.eye(2), c=3)
    assert load_data(tmp_path / "t.npz")["c"] == 3
    assert load_data(_file(tmp_path, "t.json", json.dumps({"x": [1, 2]}))) == {"x": [1, 2]}
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"y": [1.0, 2.0, 3.0], "X": [[1, 2], [3, 4], [5, 6]]})
    parquet.write_table(table, tmp_path / "t.parquet")
    found = load_data(str(tmp_path / "t.parquet"))
    assert found["y"].tolist() == [1, 2, 3]
    assert found["X"].tolist() == [[1, 2], [3, 4], [5, 6]]


@pytest.mark.parametrize(
    ("name", "text", "columns", "says"),
    [
        ("t.txt", "1", None, "no kind that is read"),
        ("t.csv", "", None, "is empty"),
        ("t.csv", "x,y\n", None, "no rows"),
        ("t.csv", "x,y\n1,2,3\n", None, "row 2 has 3 cells"),
        ("t.csv", "x,x\n1,2\n", None, "two columns are called x"),
        ("t.csv", "x,\n1,2\n", None, "a column has no name"),
        ("t.csv", "1,2\n3,four\n", None, "'four' in row 2"),
        ("t.csv", "x,y\n1,2\n", "A=z", "no column z"),
        ("t.csv", "x,y\n1,2\n", "A", "does not say which columns"),
        ("t.csv", "x,y\n1,2\n", "A=x; A=y", "given twice"),
        ("t.json", "[1, 2]", None, "must hold an object"),
        ("t.parquet", "x,y\n1,2\n", None, "cannot be read as Parquet"),
        ("missing.csv", None, None, "No such file"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, name: str, text: str | None, columns: str | None, says: str) -> None:
    if text is not None:
        _file(tmp_path, name, text)
    with pytest.raises(DataError, match=says):
        load_data(tmp_path / name, columns)
