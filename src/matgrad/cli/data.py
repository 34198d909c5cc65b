"""Values given on the command line: ``--at "A=[1,2;2,3]; x=[1,2]"``, or the name of a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from matgrad.analysis.data import SUFFIXES, gathered, load_data
from matgrad.errors import DataError
from matgrad.formula.syntax import MATRIX, SCALAR, VECTOR, Type
from matgrad.formula.tokens import normalise_name

EXAMPLE = "A=[1,2;2,3]; x=[1,2]; c=1/2"
_FACTOR = re.compile(r"\s*(?P<sign>[-+−]?)\s*(?:(?P<pi>pi|π)|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+−]?\d+)?))\s*")
_WHOLE = 2**53
"""Whole numbers up to here are kept whole: they may be sizes."""


def read_point(given: str, types: Mapping[str, Type]) -> dict[str, Any]:
    """The values by name, from text or from the file that it names; ``types`` are those of the variables.

    >>> read_point("A=[1,2;2,3]; c=-1/2", {"c": Type("scalar", ())})
    {'A': [[1, 2], [2, 3]], 'c': -0.5}
    """
    path = given.strip()
    if path.lower().endswith(SUFFIXES) and ("=" not in path or Path(path).is_file()):
        return gathered(load_data(path), {name: len(type.dims) for name, type in types.items()})
    return _from_text(given, types)


# -- text


def _from_text(text: str, types: Mapping[str, Type]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for start, part in _assignments(text):
        name, equals, _ = part.partition("=")
        proper = normalise_name(name.strip())
        if not equals or proper is None:
            what = f"'{name.strip()}' is no name" if equals and name.strip() else "a value is given as name=value"
            raise DataError(what, source=text, span=_within(start, part), hint=EXAMPLE)
        if proper in values:
            raise DataError(f"{proper} is given twice", source=text, span=_within(start, part))
        reader = _Value(text, proper, start + len(name) + 1, start + len(part))
        values[proper] = reader.read(types.get(proper))
    return values


def _assignments(text: str) -> Iterator[tuple[int, str]]:
    """The parts between ``;`` and new lines outside brackets, with where they start."""
    depth, start = 0, 0
    for at, char in enumerate(text + ";"):
        if char in "[(":
            depth += 1
        elif char in "])":
            depth -= 1
            if depth < 0:
                raise DataError("a bracket is closed that was never opened", source=text, span=(at, at + 1))
        elif (char in ";\n" and depth == 0) or at == len(text):
            if depth:
                opened = _innermost_open(text)
                raise DataError("a bracket is never closed", source=text, span=(opened, opened + 1))
            if text[start:at].strip():
                yield start, text[start:at]
            start = at + 1


def _innermost_open(text: str) -> int:
    opened: list[int] = []
    for at, char in enumerate(text):
        if char in "[(":
            opened.append(at)
        elif char in "])":
            opened.pop()
    return opened[-1]


def _within(start: int, part: str) -> tuple[int, int]:
    """The span of a part without the blanks around it."""
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())


class _Value:
    """Reads one value: a number, or a bracket of rows."""

    def __init__(self, text: str, name: str, start: int, stop: int) -> None:
        self.text = text
        self.name = name
        self.start, self.stop = _within(start, text[start:stop])

    def read(self, type: Type | None) -> Any:
        if self.start >= self.stop:
            raise self._error(f"no value is given for {self.name}", self.start - 1, self.start)
        if self.text[self.start] != "[":
            return self._scalar(type)
        if self.text[self.stop - 1] != "]":
            raise self._error(f"the value of {self.name} cannot be read", self.start, self.stop)
        rows = self._rows(self.start + 1, self.stop - 1)
        if len({len(row) for row in rows}) > 1:
            lengths = ", ".join(str(len(row)) for row in rows)
            raise self._error(f"the rows of {self.name} differ in length: {lengths}", self.start, self.stop)
        if type is not None and type.kind == SCALAR:
            hint = f"{self.name}={self.text[self.start + 1 : self.stop - 1].strip()}" if len(rows[0]) == 1 else None
            raise self._error(f"{self.name} is a scalar: its value is a number", self.start, self.stop, hint)
        return self._shaped(rows, type)

    def _scalar(self, type: Type | None) -> float:
        number = self._number(self.start, self.stop)
        if type is not None and type.kind != SCALAR:
            hint = f'{self.name}=[{self.text[self.start : self.stop]}], or --where "{self.name}: scalar"'
            what = f"{self.name} is a {type.kind}: its value is in brackets"
            raise self._error(what, self.start, self.stop, hint)
        return number

    def _shaped(self, rows: list[list[float]], type: Type | None) -> Any:
        """One row or one column is a vector, unless the variable is a matrix."""
        kind = type.kind if type is not None else None
        if kind == MATRIX or (len(rows) > 1 and len(rows[0]) > 1):
            if kind == VECTOR:
                what = f"{self.name} is a vector, and cannot be {len(rows)} rows of {len(rows[0])}"
                raise self._error(what, self.start, self.stop)
            return rows
        return rows[0] if len(rows) == 1 else [row[0] for row in rows]

    def _rows(self, start: int, stop: int) -> list[list[float]]:
        """Rows between ``;`` or new lines; or NumPy's way, each in brackets of its own."""
        if not self.text[start:stop].strip():
            return [[]]
        nested = "[" in self.text[start:stop]
        rows = []
        for a, b in self._split(start, stop, ",;\n" if nested else ";\n"):
            first, last = _within(a, self.text[a:b])
            if nested:
                if self.text[first : first + 1] != "[" or self.text[last - 1] != "]":
                    raise self._error("either all rows are in brackets or none", a, b)
                first, last = first + 1, last - 1
            elif first >= last:
                continue
            rows.append([self._number(c, d) for c, d in self._split(first, last, ",")])
        return rows

    def _split(self, start: int, stop: int, separators: str) -> list[tuple[int, int]]:
        """The spans between separators outside brackets."""
        depth, parts, begin = 0, [], start
        for at in range(start, stop):
            char = self.text[at]
            depth += (char in "[(") - (char in "])")
            if depth == 0 and char in separators:
                parts.append((begin, at))
                begin = at + 1
        return [*parts, (begin, stop)]

    def _number(self, start: int, stop: int) -> float:
        """A number, π, or a quotient or product of those."""
        value: float | None = None
        at, operator = start, "*"
        while True:
            found = _FACTOR.match(self.text, at, stop)
            if found is None:
                raise self._not_a_number(start, stop)
            factor = self._factor(found)
            if operator == "/" and factor == 0:
                raise self._error("a division by zero", start, stop)
            value = factor if value is None else value / factor if operator == "/" else value * factor
            at = found.end()
            if at == stop:
                return value
            if self.text[at] not in "*/":
                raise self._not_a_number(start, stop)
            operator, at = self.text[at], at + 1

    def _factor(self, found: re.Match[str]) -> float:
        from math import isinf, pi

        digits = (found["number"] or "").replace("−", "-")
        value = pi if found["pi"] else float(digits)
        if isinf(value):
            raise self._error("this number is too large", *found.span())
        if digits.isdecimal() and value <= _WHOLE:
            value = int(digits)
        return -value if found["sign"] in ("-", "−") else value

    def _not_a_number(self, start: int, stop: int) -> DataError:
        first, last = _within(start, self.text[start:stop])
        part = self.text[first:last]
        if not part:
            return self._error(f"an entry of {self.name} is missing", max(start - 1, 0), stop + 1)
        hint = None
        if part.lower() in ("nan", "inf", "-inf"):
            return self._error(f"{self.name} holds {part}: values must be finite numbers", first, last)
        if _FACTOR.match(part) and all(_FACTOR.fullmatch(p) for p in part.split()):
            hint = ", ".join(part.split())
        return self._error(f"'{part}' is not a number", first, last, hint)

    def _error(self, what: str, start: int, stop: int, hint: str | None = None) -> DataError:
        return DataError(what, source=self.text, span=(start, stop), hint=hint)
