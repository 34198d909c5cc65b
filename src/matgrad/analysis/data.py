"""Arrays by name from a file: CSV, NPZ, JSON, or Parquet where pyarrow is installed.

>>> import tempfile, pathlib
>>> path = pathlib.Path(tempfile.mkdtemp()) / "points.csv"
>>> _ = path.write_text("X1,X2,y\\n1,2,3\\n4,5,6\\n")
>>> found = load_data(path)
>>> sorted(found), found["y"].tolist(), gathered(found, {"X": 2, "y": 1})["X"].tolist()
(['X1', 'X2', 'y'], [3.0, 6.0], [[1.0, 2.0], [4.0, 5.0]])
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matgrad.errors import DataError
from matgrad.formula.tokens import normalise_name

SUFFIXES = (".npz", ".json", ".csv", ".parquet")
_MISSING = {"", "na", "nan", "null", "none", "n/a"}
_NUMBERED = re.compile(r"(?P<name>.*?[^\W\d]|.*?[^\W\d]_)(?P<number>\d+)|(?P<indexed>.*?)\[(?P<index>\d+)\]")
_COLUMNS = 'columns "X=age,bmi; y=target"'


def load_data(path: str | Path, columns: str | Mapping[str, Sequence[str] | str] | None = None) -> dict[str, Any]:
    """The arrays in a file, by name. Raises DataError, naming the file and the place in it.

    A ``.csv`` or ``.parquet`` file gives a vector for each column; a ``.csv`` file without a header, all numbers, is
    one matrix (a vector where it has one column) that is called as the file is. ``columns`` makes variables of
    columns: one is a vector, several are a matrix, ``*`` stands for all that are not named: ``"y=target; X=*"``.
    """
    file = Path(path)
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(f"{file} is of no kind that is read here", hint=f"a file that ends in {', '.join(SUFFIXES)}")
    readers = {".npz": _from_npz, ".json": _from_json, ".csv": _from_csv, ".parquet": _from_parquet}
    try:
        found = readers[suffix](file)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}") from error
    if columns is not None:
        found = _chosen(file, found, _choices(columns))
    return {normalise_name(name) or name: value for name, value in found.items()}


def gathered(data: Mapping[str, Any], axes: Mapping[str, int]) -> dict[str, Any]:
    """The data with numbered columns X1, X2, … (or X_1, X[1]) put together to the matrix X that is wanted.

    ``axes`` says how many axes each variable has; numbers below ten may have zeros before them. A variable that the
    data have under its own name is left as it is.
    """
    found = dict(data)
    for name, wanted in axes.items():
        parts = [] if wanted != 2 or name in data else _numbered(name, data)
        if parts:
            found[name] = _stacked(name, [data[part] for part in parts])
            for part in parts:
                found.pop(part)
    return found


def _numbered(name: str, data: Iterable[str]) -> list[str]:
    """The columns that are numbered parts of a name, in order; empty unless their numbers have no gaps."""
    numbers: dict[int, str] = {}
    for column in data:
        match = _NUMBERED.fullmatch(column)
        if match is None or (match["name"] or match["indexed"]).removesuffix("_") != name.removesuffix("_"):
            continue
        number = int(match["number"] or match["index"])
        if number in numbers:
            raise DataError(f"{numbers[number]} and {column} are both column {number} of {name}", hint=_COLUMNS)
        numbers[number] = column
    order = sorted(numbers)
    return [numbers[k] for k in order] if order and order == list(range(order[0], order[0] + len(order))) else []


def _stacked(name: str, parts: Sequence[Any]) -> Any:
    import numpy as np

    arrays = [np.asarray(part) for part in parts]
    lengths = {array.shape[:1] for array in arrays}
    if len(lengths) > 1 or any(array.ndim not in (1, 2) for array in arrays):
        raise DataError(f"the columns of {name} cannot be put side by side: their shapes are "
                        f"{', '.join(str(array.shape) for array in arrays)}")  # fmt: skip
    return np.column_stack(arrays)


# -- which columns


def _choices(columns: str | Mapping[str, Sequence[str] | str]) -> dict[str, list[str]]:
    """Variables with the columns that they are made of."""
    if isinstance(columns, Mapping):
        return {name: [chosen] if isinstance(chosen, str) else list(chosen) for name, chosen in columns.items()}
    found: dict[str, list[str]] = {}
    for part in (part for part in re.split(r"[;\n]", columns) if part.strip()):
        name, equals, chosen = part.partition("=")
        wanted = [column.strip() for column in chosen.split(",")]
        if not equals or not name.strip() or not all(wanted):
            raise DataError(f"'{part.strip()}' does not say which columns make which variable", hint=_COLUMNS)
        if name.strip() in found:
            raise DataError(f"{name.strip()} is given twice")
        found[name.strip()] = wanted
    return found


def _chosen(file: Path, data: dict[str, Any], choices: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    used = [column for chosen in choices.values() for column in chosen if column != "*"]
    unknown = [column for column in used if column not in data]
    if unknown:
        raise DataError(f"{file} has no column {unknown[0]}", details="its columns are " + ", ".join(map(str, data)))
    rest = [column for column in data if column not in used]
    found = {}
    for name, chosen in choices.items():
        parts = [part for column in chosen for part in (rest if column == "*" else [column])]
        single = len(parts) == 1 and chosen[0] != "*"
        found[name] = data[parts[0]] if single else _stacked(name, [data[part] for part in parts])
    return {**{column: data[column] for column in rest if column not in found}, **found}


# -- one reader for each kind of file


def _from_npz(path: Path) -> dict[str, Any]:
    from zipfile import BadZipFile
    from zlib import error as BadCompression

    import numpy as np

    hint = "numpy.savez(path, A=A, x=x)"
    try:
        with path.open("rb") as file:
            opened = np.load(file, allow_pickle=False)
            if not isinstance(opened, np.lib.npyio.NpzFile):
                raise DataError(f"{path} holds one array without a name", hint=hint)
            return {name: opened[name][()] for name in opened.files}
    except (ValueError, EOFError, BadZipFile, BadCompression, KeyError) as error:
        reason = "its arrays must hold numbers" if "Object arrays" in str(error) else "it is no such file, or damaged"
        raise DataError(f"{path} cannot be read as a .npz file: {reason}", hint=hint) from error


def _from_json(path: Path) -> dict[str, Any]:
    import json

    hint = '{"A": [[1, 2], [2, 3]], "x": [1, 2]}'
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not JSON: it is no UTF-8 text", hint=hint) from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise DataError(f"{path} is not JSON: {error.msg.lower()} at {where}", hint=hint) from error
    except (RecursionError, ValueError) as error:
        raise DataError(f"{path} is no JSON that holds arrays: {error}", hint=hint) from error
    if not isinstance(found, dict):
        raise DataError(f"{path} must hold an object, from names to numbers and nested lists", hint=hint)
    return found


def _from_csv(path: Path) -> dict[str, Any]:
    """Columns of numbers; one that holds words is kept as words, for what does not ask for it."""
    import csv
    from io import StringIO

    import numpy as np

    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text") from error
    separator = max(",;\t", key=text.partition("\n")[0].count)
    try:
        rows = [row for row in csv.reader(StringIO(text, newline=""), delimiter=separator) if row]
    except csv.Error as error:
        raise DataError(f"{path} cannot be read as CSV: {error}") from error
    if not rows:
        raise DataError(f"{path} is empty")
    headless = all(_number(cell) is not None for cell in rows[0])
    header = [] if headless else [cell.strip() for cell in rows[0]]
    width = len(rows[0])
    for k, row in enumerate(rows):
        if len(row) != width:
            raise DataError(f"{path}: row {k + 1} has {len(row)} cells, and the first row has {width}")
    if headless:
        for k, row in enumerate(rows):
            for cell in row:
                if _number(cell) is None:
                    raise DataError(f"{path}: '{cell}' in row {k + 1} is not a number")
        table = np.array([[_number(cell) for cell in row] for row in rows], dtype=float)
        return {path.stem: table[:, 0] if width == 1 else table}
    if len(set(header)) != len(header) or not all(header):
        twice = next((name for name in header if header.count(name) > 1), "")
        raise DataError(f"{path}: {f'two columns are called {twice}' if twice else 'a column has no name'}")
    if len(rows) == 1:
        raise DataError(f"{path} holds names of columns, but no rows")
    return {name: _column([row[k] for row in rows[1:]]) for k, name in enumerate(header)}


def _column(cells: Sequence[str]) -> Any:
    """Numbers, with nan where a cell is empty; or words."""
    import numpy as np

    values = [_number(cell) if cell.strip().lower() not in _MISSING else float("nan") for cell in cells]
    return np.array(cells) if any(value is None for value in values) else np.array(values, dtype=float)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _from_parquet(path: Path) -> dict[str, Any]:
    import numpy as np

    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise DataError(
            f"{path} needs the package pyarrow", hint="pip install pyarrow, or a .csv or .npz file"
        ) from error
    try:
        table = parquet.read_table(path)
    except pa.ArrowException as error:
        raise DataError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    found = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        nested = pa.types.is_nested(column.type)
        try:
            found[name] = np.array(column.to_pylist()) if nested else column.to_numpy()
        except ValueError as error:
            raise DataError(f"{path}: the rows of {name} differ in length") from error
    return found
