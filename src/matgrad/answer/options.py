"""The options of a derivative, and which of them go together."""

from __future__ import annotations

from matgrad.answer.layout import LAYOUTS
from matgrad.errors import MatgradError, NotSupported

SYMMETRIC = ("projected", "entries", "ignore")


def check_options(layout: str, symmetric: str, order: int, riemannian: bool = False) -> None:
    """Refuse unknown options, naming the known ones."""
    if layout not in LAYOUTS:
        raise MatgradError(f"unknown layout {layout!r}", hint=", ".join(LAYOUTS))
    if symmetric not in SYMMETRIC:
        raise MatgradError(f"unknown convention {symmetric!r} for symmetric variables", hint=", ".join(SYMMETRIC))
    if riemannian and symmetric != "projected":
        raise MatgradError("riemannian=True and another convention cannot be had at once", hint='symmetric="projected"')
    if not isinstance(order, int) or isinstance(order, bool) or not 1 <= order <= 4:
        raise MatgradError(f"the order of a derivative is 1, 2, 3 or 4, not {order!r}", hint="order=2, for a Hessian")
    if order > 1 and symmetric == "entries":
        raise NotSupported('symmetric="entries" is defined for gradients only', hint='symmetric="projected"')
    if order > 1 and riemannian:
        raise NotSupported("riemannian=True is defined for gradients only", hint="riemannian=False")
