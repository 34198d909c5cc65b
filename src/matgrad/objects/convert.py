"""Typed formulas as objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from matgrad.formula.declarations import FUNCTION, Declaration
from matgrad.formula.syntax import Expr
from matgrad.formula.typed import Typed
from matgrad.objects.names import Names, size
from matgrad.translate.algebra import sized

if TYPE_CHECKING:
    from matgrad.objects.array import Array


def to_object(typed: Typed, expr: Expr, definitions: Mapping[str, Expr]) -> Array:
    """A formula and its intermediates, in the names of ``typed``.

    Constants that were sized by what stood around them get their sizes, since they may stand elsewhere now.
    """
    from matgrad.objects.array import Array

    declared = {name: Declaration(v.type.kind, v.type.dims, v.traits) for name, v in typed.variables.items()}
    declared |= dict.fromkeys(typed.functions, Declaration(FUNCTION))
    values = {name: sized(value, size) for name, value in definitions.items()}
    return Array(sized(expr, size), None, Names(declared, values))
