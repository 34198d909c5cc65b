"""Constants, sized by context (``eye``, ``vector(1)``) or by their arguments (``eye(n)``), and sizes themselves.

``value`` is given the shape that inference found, then the arguments.
"""

from __future__ import annotations

from matgrad.functions import numeric
from matgrad.functions.card import Card

_COMMUTATION = '''\
def commutation(m, n):
    """The matrix K with vec(X') = K vec(X) for every m x n matrix X."""
    return np.eye(int(m * n))[np.arange(int(m * n)).reshape(int(n), int(m)).T.ravel()]
'''

_ANY_ORDER = ("->ij", "->i", *("->" + "ijklmnop"[:order] for order in range(3, 9)))

EYE = Card(
    "eye", "constructor", {None: ("->ii",)}, "the identity matrix, of a size given or found",
    lambda np, shape, *sizes: np.eye(shape[0]), latex=r"\mathbf{I}", unicode="I",
)  # fmt: skip
ONES = Card(
    "ones", "constructor", {None: _ANY_ORDER}, "all entries 1, of sizes given",
    lambda np, shape, *sizes: np.ones(shape), latex=r"\mathbf{1}", unicode="𝟏",
)  # fmt: skip
ZEROS = Card(
    "zeros", "constructor", {None: _ANY_ORDER}, "all entries 0, of sizes given",
    lambda np, shape, *sizes: np.zeros(shape), latex=r"\mathbf{0}", unicode="𝟎",
)  # fmt: skip
VECTOR = Card(
    "vector", "constructor", {None: ("->i",)}, "all entries equal to the argument, of the length that fits",
    lambda np, shape, c: c * np.ones(shape), latex=r"\operatorname{vector}",
)  # fmt: skip
MATRIX = Card(
    "matrix", "constructor", {None: ("->ij",)}, "all entries equal to the argument, of the sizes that fit",
    lambda np, shape, c: c * np.ones(shape), latex=r"\operatorname{matrix}",
)  # fmt: skip
UNIT = Card(
    "unit", "constructor", {None: ("->i",)}, "1 at the position given (counted from 1), 0 elsewhere",
    lambda np, shape, i: np.eye(shape[0])[int(i) - 1], latex=r"\mathbf{e}_{#1}", unicode="e[#1]",
)  # fmt: skip
COMMUTATION = Card(
    "commutation", "constructor", {None: ("->ii",)},
    "the matrix K with vec(X') = commutation(m, n)*vec(X) for every m x n matrix X",
    lambda np, shape, m, n: numeric.commutation(np, int(m), int(n)),
    "commutation(#1, #2)", helper=_COMMUTATION, latex=r"\mathbf{K}_{#1,#2}", unicode="K_{#1,#2}",
    source="Magnus & Neudecker 2019, ch. 3",
)  # fmt: skip
ROWS = Card(
    "rows", "constructor", {None: ("ij->",)}, "the number of rows: a constant", latex=r"\operatorname{rows}",
)  # fmt: skip
COLS = Card(
    "cols", "constructor", {None: ("ij->",)}, "the number of columns: a constant", latex=r"\operatorname{cols}",
)  # fmt: skip
LENGTH = Card(
    "length", "constructor", {None: ("i->",)}, "the number of entries: a constant", latex=r"\operatorname{length}",
)  # fmt: skip

CARDS = (EYE, ONES, ZEROS, VECTOR, MATRIX, UNIT, COMMUTATION, ROWS, COLS, LENGTH)
