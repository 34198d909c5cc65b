"""Functions of a square matrix: each is known by its differential in ``X`` and ``dX``. Scalars are accepted."""

from __future__ import annotations

from typing import Any

from matgrad.functions import numeric
from matgrad.functions.card import Card

_ADJ = '''\
def adj(x):
    """The adjugate, right at singular matrices too."""
    u, s, vt = np.linalg.svd(x)
    others = np.array([np.prod(np.delete(s, k)) for k in range(len(s))])
    return np.linalg.det(u) * np.linalg.det(vt) * (vt.T * others) @ u.T
'''


def _det(np: Any, x: Any) -> Any:
    return x if np.ndim(x) == 0 else np.linalg.det(x)


def _inv(np: Any, x: Any) -> Any:
    return 1 / x if np.ndim(x) == 0 else np.linalg.inv(x)


DET = Card(
    "det", "matrix", {None: ("ii->", "->")}, "Jacobi's formula", _det, "np.linalg.det(#1)",
    differential="tr(adj(X)*dX)", latex=r"\det",
    laws=("det(X') = det(X)", "det(inv(X)) = 1/det(X)"), source="Magnus & Neudecker 2019, ch. 8",
    facts={"of a scalar": "x", "log-concave on": "spd"},
)  # fmt: skip
LOGDET = Card(
    "logdet", "matrix", {None: ("ii->", "->")}, "Jacobi's formula, divided by det(X); the value is log|det X|",
    numeric.logdet, "np.linalg.slogdet(#1)[1]", differential="tr(inv(X)*dX)", needs="det(X) != 0",
    latex=r"\log\lvert\det(#1)\rvert", unicode="log|det(#1)|",
    laws=("logdet(X') = logdet(X)", "logdet(inv(X)) = -logdet(X)"),
    facts={"of a scalar": "log(abs(x))", "concave on": "spd", "increasing on": "spd"},
    source="Magnus & Neudecker 2019, ch. 8",
)  # fmt: skip
INV = Card(
    "inv", "matrix", {None: ("ii->ii", "->")}, "the differential of X*inv(X) = eye", _inv, "np.linalg.inv(#1)",
    differential="-inv(X)*dX*inv(X)", needs="det(X) != 0", latex=r"#1^{-1}", unicode="#1⁻¹",
    laws=("inv(X') = inv(X)'", "inv(inv(X)) = X"),
    facts={"of a scalar": "1/x", "convex on": "spd", "decreasing on": "spd"},
    source="Magnus & Neudecker 2019, ch. 8",
)  # fmt: skip
ADJ = Card(
    "adj", "matrix", {None: ("ii->ii", "->")}, "the product rule on det(X)*inv(X)",
    numeric.adjugate, "adj(#1)", helper=_ADJ, differential="tr(inv(X)*dX)*adj(X) - inv(X)*dX*adj(X)",
    smooth="det(X) != 0", latex=r"\operatorname{adj}", laws=("adj(X') = adj(X)'", "X*adj(X) = det(X)*eye"),
    source="Magnus & Neudecker 2019, ch. 8",
    facts={"of a scalar": "1"},
)  # fmt: skip

CARDS = (DET, LOGDET, INV, ADJ)
