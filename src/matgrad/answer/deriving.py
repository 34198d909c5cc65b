"""Derivatives of a formula: in several names at once, or in one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from matgrad.answer.derivative import Derivative
from matgrad.answer.differentiation import one_pass
from matgrad.answer.formula import Formula, formula_of
from matgrad.answer.options import check_options
from matgrad.answer.riemannian import RIEMANNIAN
from matgrad.formula.declarations import Where


def derivative_of(
    source: str | Formula,
    wrt: Sequence[str],
    where: Where = None,
    order: int = 1,
    layout: str = "mixed",
    symmetric: str = "projected",
    riemannian: bool = False,
) -> list[Derivative]:
    """One formula, its derivatives in several names."""
    check_options(layout, symmetric, order, riemannian)
    formula = formula_of(source, where)
    convention = RIEMANNIAN if riemannian else symmetric
    nodes = one_pass(formula, formula.node, wrt, convention) if order == 1 else [None] * len(wrt)
    below = formula.node if order == 1 else None
    return [
        Derivative(formula, (name,) * order, layout, symmetric, riemannian, node=node, below=below)
        for name, node in zip(wrt, nodes, strict=True)
    ]


def derivative_in(
    formula: Formula,
    wrt: Sequence[str],
    layout: str = "mixed",
    symmetric: str = "projected",
    riemannian: bool = False,
) -> Derivative:
    """The derivative in several variables, one after the other.

    >>> derivative_in(Formula("x'*A*y"), ["x", "y"]).text
    'A'
    """
    check_options(layout, symmetric, len(wrt), riemannian)
    return Derivative(formula, tuple(wrt), layout, symmetric, riemannian)
