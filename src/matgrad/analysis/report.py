"""How numbers and tables are written in the reports of an analysis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

MOST_ENTRIES = 64
"""Of an array that is written out."""


def number(value: float, digits: int = 6) -> str:
    """A number with so many significant digits, whole numbers plainly.

    >>> number(0.1 + 0.2), number(16.0), number(-0.0), number(1e-20), number(float("inf"))
    ('0.3', '16', '0', '1e-20', 'inf')
    """
    value = float(value)
    if value == 0:
        return "0"
    if value.is_integer() and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.{digits}g}"


def array(value: Any, digits: int = 6) -> str:
    """A number, a vector as ``(1, 2)``, a matrix as rows; of a large array its shape and range.

    >>> print(array([[2, 4], [4, 60]]))
    [ 2   4 ]
    [ 4  60 ]
    """
    found = np.asarray(value, dtype=float)
    if found.ndim == 0:
        return number(float(found), digits)
    if found.size > MOST_ENTRIES or found.ndim > 2 or not found.size:
        between = f", from {number(found.min())} to {number(found.max())}" if found.size else ""
        return f"{' × '.join(map(str, found.shape))} numbers{between}"
    if found.ndim == 1:
        return f"({', '.join(number(entry, digits) for entry in found)})"
    rows = table([[number(entry, digits) for entry in row] for row in found])
    return "\n".join(f"[ {row} ]" for row in rows)


def table(rows: Sequence[Sequence[str]], left: int = 0) -> list[str]:
    """Rows with aligned columns, the first ``left`` of them to the left and the others to the right.

    >>> table([["a", "10"], ["bc", "7"]], left=1)
    ['a   10', 'bc   7']
    """
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if k < left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def labelled(pairs: Sequence[tuple[str, str]], indent: int = 0) -> str:
    """Lines of a label and a text, the texts in one column; a text may have several lines.

    >>> print(labelled([("value", "3"), ("J", "[ 1 ]\\n[ 2 ]")]))
    value  3
    J      [ 1 ]
           [ 2 ]
    """
    width = max((len(label) for label, _ in pairs), default=0)
    lines = []
    for label, text in pairs:
        first, *others = text.split("\n")
        lines.append(f"{' ' * indent}{label:<{width}}  {first}".rstrip())
        lines += [" " * (indent + width + 2) + other for other in others]
    return "\n".join(lines)
