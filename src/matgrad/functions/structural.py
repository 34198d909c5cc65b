"""Functions that only move or add entries: linear, and given whole by their signatures."""

from __future__ import annotations

from typing import Any

from matgrad.functions.card import Card, Whole


def _trace(np: Any, x: Any) -> Any:
    return x if np.ndim(x) == 0 else np.trace(x)


def _kron(np: Any, a: Any, b: Any) -> Any:
    """np.kron, except that a vector next to a matrix is a column."""
    if np.ndim(a) != np.ndim(b):
        a, b = (np.reshape(c, (len(c), -1)) for c in (a, b))
    return np.kron(a, b)


_PAIRS: dict[int | None, tuple[str, ...]] = {
    None: ("ij,kl->(ik)(jl)", "i,k->(ik)", "ij,k->(ik)j", "i,kl->(ik)l",
           "j',l'->(jl)'", "i,l'->il", "j',k->kj", "ij,l'->i(jl)", "j',kl->k(jl)"),
}  # fmt: skip

TR = Card(
    "tr", "structural", {None: ("ii->", "->")}, "linear: the sum of the diagonal", _trace, "np.trace(#1)",
    latex=r"\operatorname{tr}", laws=("tr(X') = tr(X)",),
    facts={"of a scalar": "x"},
)  # fmt: skip
DIAG = Card(
    "diag", "structural", {None: ("i->ii", "ii->i")}, "linear: a vector on the diagonal, or the diagonal of a matrix",
    lambda np, x: np.diag(x), "np.diag(#1)", latex=r"\operatorname{diag}",
)  # fmt: skip
VEC = Card(
    "vec", "structural", {None: ("ij->(ji)", "i->i")}, "linear: the columns, stacked",
    lambda np, x: np.reshape(x, -1, order="F"), '#1.ravel(order="F")', latex=r"\operatorname{vec}",
)  # fmt: skip
KRON = Card(
    "kron", "structural", _PAIRS,
    "linear in each argument: all products of entries, in blocks", _kron, "np.kron(#1, #2)",
    latex=r"#1 \otimes #2", unicode="#1 ⊗ #2",
)  # fmt: skip
_DIAGONAL = Whole("k", "a diagonal, counted from the main one upwards")

TRIL = Card(
    "tril", "structural", {None: ("ij->ij", "ij,->ij")},
    "linear: the entries above the diagonal, or the k-th above it, set to 0",
    lambda np, x, k=0: np.tril(x, int(np.real(k))), "np.tril(#1)", latex=r"\operatorname{tril}",
    arguments=("X", "k"), whole=_DIAGONAL,
    laws=("tril(X, 0) = tril(X)", "tril(X, -1) = X - triu(X)"),
)  # fmt: skip
TRIU = Card(
    "triu", "structural", {None: ("ij->ij", "ij,->ij")},
    "linear: the entries below the diagonal, or the k-th above it, set to 0",
    lambda np, x, k=0: np.triu(x, int(np.real(k))), "np.triu(#1)", latex=r"\operatorname{triu}",
    arguments=("X", "k"), whole=_DIAGONAL,
    laws=("triu(X) = tril(X')'", "triu(X, 1) = tril(X', -1)'", "triu(X, -2) = X - tril(X, -3)"),
)  # fmt: skip
SUM = Card(
    "sum", "structural", {None: ("->", "i->", "ij->"), 1: ("ij->j'",), 2: ("ij->i",)}, "linear",
    lambda np, x, axis=None: np.sum(x, axis=axis), "np.sum(#1, axis=#axis)", latex=r"\operatorname{sum}", unicode="Σ",
    facts={"of a scalar": "x"},
)  # fmt: skip

CARDS = (TR, DIAG, VEC, KRON, TRIL, TRIU, SUM)
