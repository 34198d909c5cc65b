r"""What is asked: a formula, and what to differentiate it in, which LaTeX may say itself.

>>> from matgrad.latex_input.reading import read_latex
>>> r = read_latex(r"\nabla_{\mathbf{x}}^2 \, \mathbf{x}^\top \mathbf{A} \mathbf{x}")
>>> asked_of(Formula(r.text, r.where, reading=r), None, None, 1)
Asked(formula=Formula("x'*A*x"), wrt=['x'], order=2, mixed=False)
"""

from __future__ import annotations

from typing import NamedTuple

from matgrad.answer.formula import Formula
from matgrad.errors import MatgradError
from matgrad.formula.declarations import Where
from matgrad.objects.asking import names, text_and_declarations


class Asked(NamedTuple):
    """A formula, and the names to differentiate in; ``mixed``: one after the other, else each for itself."""

    formula: Formula
    wrt: list[str]
    order: int
    mixed: bool = False


def asked_of(formula: object, wrt: object, where: Where, order: int) -> Asked:
    """What is asked; ``wrt`` is None where the formula says it, and empty where nothing is differentiated.

    Raises MatgradError where nothing says what to differentiate in, or two say different things.
    """
    wanted = [] if wrt is None or wrt == () else names(wrt)
    text, declared = text_and_declarations(formula, () if wrt is None else wrt, where)
    known = formula if isinstance(formula, Formula) else None
    if known is None or where is not None or any(not isinstance(name, str) for name in _each(wrt)):
        known = Formula(text, declared, reading=None if known is None else known.reading)
    asks = known.asks
    if wrt is None and not asks:
        raise MatgradError("say in which variable to differentiate", hint=f'wrt="{next(iter(known.variables), "x")}"')
    if not asks:
        return Asked(known, wanted, order)
    if wanted and set(wanted) != set(asks):
        raise MatgradError(
            f"the formula asks for the derivative in {', '.join(dict.fromkeys(asks))}, not in {', '.join(wanted)}",
            hint="one of the two",
        )
    if order not in (1, len(asks)):
        raise MatgradError(
            f"the formula asks for a derivative of order {len(asks)}, not {order}", hint="one of the two"
        )
    return Asked(known, list(dict.fromkeys(asks)) if len(set(asks)) == 1 else list(asks), len(asks), len(set(asks)) > 1)


def _each(wrt: object) -> tuple[object, ...]:
    return tuple(wrt) if isinstance(wrt, list | tuple) else () if wrt is None else (wrt,)
