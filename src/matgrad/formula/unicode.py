"""Formulas for reading in a terminal: ``2 Aᵀ(A x − b)``. Not meant to be read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from matgrad.formula.printing import (
    ATOM,
    GREEK,
    JOINT,
    POSTFIX,
    PRODUCT,
    SUM,
    UNARY,
    Piece,
    flatten,
    split_name,
    split_number,
)
from matgrad.formula.syntax import MATRIX, Expr
from matgrad.formula.text import index_parts, stack_rows
from matgrad.formula.visual import Marks, Visual, is_matrix_argument, kind_of
from matgrad.functions.card import Card

_FRACTIONS = {("1", "2"): "½", ("1", "3"): "⅓", ("2", "3"): "⅔", ("1", "4"): "¼", ("3", "4"): "¾", ("1", "5"): "⅕",
              ("1", "6"): "⅙", ("1", "8"): "⅛"}  # fmt: skip
_SUPERSCRIPTS = dict(zip("0123456789-−nkmpij", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻ⁿᵏᵐᵖⁱʲ", strict=True))
_SUBSCRIPTS = dict(zip("0123456789ijkmn", "₀₁₂₃₄₅₆₇₈₉ᵢⱼₖₘₙ", strict=True))


def to_unicode(expr: Expr, special: Mapping[str, Piece] | None = None) -> str:
    """The formula in Unicode; ``special`` names are written as these pieces.

    >>> A, x = Expr("name", value="A"), Expr("name", value="x")
    >>> to_unicode(Expr("product", (Expr("transpose", (A,)), Expr("neg", (x,))), ("*",)))
    'Aᵀ(−x)'
    """
    return UnicodePrinter(expr, special).print(expr)


class UnicodePrinter(Visual):
    """Printing in Unicode; a subclass may add operations, as ``visit_`` methods."""

    minus = "−"
    prime = "′"
    marks = Marks("·", "∘", "⊘", "⊗", "ᵀ", "⁻¹", "⁻ᵀ")

    def show_name(self, name: str, kind: str | None) -> str:  # noqa: ARG002
        base, sub = split_name(name)
        base = GREEK.get(base, base)
        if not sub:
            return base
        return base + "".join(_SUBSCRIPTS[c] for c in sub) if set(sub) <= set(_SUBSCRIPTS) else f"{base}_{sub}"

    def visit_number(self, node: Expr, pieces: list[Piece]) -> Piece:  # noqa: ARG002
        top, bottom = split_number(node.value, decimals=False)
        above, below = self.decimal(top), self.decimal(bottom)
        if not bottom:
            return replace(above, negative=node.value < 0)
        glyph = _FRACTIONS.get((top, bottom))
        if glyph:
            return Piece(UNARY, (glyph,), node.value < 0, operator="number")
        return Piece(JOINT, (above, "/", self.at_least(below, UNARY)), node.value < 0, operator="/")

    def visit_constant(self, node: Expr, pieces: list[Piece]) -> Piece:  # noqa: ARG002
        return Piece(ATOM, (GREEK.get(node.value, node.value),))

    def superscript(self, base: Piece, exponent: Piece, entrywise: bool) -> Piece:
        text = flatten(self.signed(exponent))
        small = "".join(_SUPERSCRIPTS[c] for c in text) if set(text) <= set(_SUPERSCRIPTS) else None
        circle = "∘" if entrywise else ""
        shown = small if small is not None else f"^{text}" if exponent.level == ATOM else f"^({text})"
        return Piece(POSTFIX, (base, circle, shown), closed=small is not None)

    def quotient(self, left: Piece, right: Piece) -> Piece:
        chained = left.level == JOINT and left.operator == "/"
        left = self.at_least(left, JOINT if chained else PRODUCT)
        return Piece(JOINT, (left, "/", self.at_least(right, UNARY)), operator="/")

    def template(self, entry: Card, node: Expr) -> str:
        return (is_matrix_argument(node) and entry.unicode_matrix) or entry.unicode or entry.name

    def fill(self, template: str, pieces: list[Piece]) -> Piece:
        """An argument between raised brackets is raised too: ψ⁽²⁾(x)."""
        shown = []
        for count, piece in enumerate(pieces, 1):
            text = flatten(self.signed(piece))
            raised = f"⁽#{count}⁾" in template and set(text) <= set(_SUPERSCRIPTS)
            shown.append(Piece(ATOM, ("".join(_SUPERSCRIPTS[c] for c in text),)) if raised else piece)
        return super().fill(template, shown)

    def apply(self, function: str, arguments: Piece, dim: int | None) -> Piece:
        along = f", dim={dim}" if dim is not None else ""
        return Piece(ATOM, (function, "(", arguments, along, ")"), closed=False)

    def constant_array(self, node: Expr, sign: str, zero: bool) -> Piece:
        """A matrix of ones is 𝟏 𝟏ᵀ, so that it is not taken for a vector."""
        if zero or kind_of(node) != MATRIX:
            return Piece(ATOM, (sign,))
        return Piece(PRODUCT, (sign, f" {sign}", self.marks.transpose), closed=True)

    def visit_index(self, node: Expr, pieces: list[Piece]) -> Piece:
        base = self.at_least(pieces[0], POSTFIX)
        return Piece(ATOM if base.level == ATOM else POSTFIX, (base, "[", *index_parts(node, pieces), "]"))

    def visit_stack(self, node: Expr, pieces: list[Piece]) -> Piece:
        rows = [self.commas(row) for row in stack_rows(node, pieces)]
        return Piece(ATOM, ("[", self.join(rows, "; "), "]"))

    def visit_einsum(self, node: Expr, pieces: list[Piece]) -> Piece:
        return Piece(ATOM, (f"einsum({node.value.replace('->', '→')}; ", Piece(SUM, (self.commas(pieces),)), ")"))
