r"""Formulas in LaTeX, fit for print: ``2\,\mathbf{A}^{\top}(\mathbf{A}\mathbf{x} - \mathbf{b})``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from matgrad.formula.printing import (
    ATOM,
    GREEK,
    JOINT,
    POSTFIX,
    PRODUCT,
    SPELLED,
    UNARY,
    Piece,
    split_name,
    split_number,
)
from matgrad.formula.syntax import MATRIX, ROW, VECTOR, Expr, walk
from matgrad.formula.text import index_parts, stack_rows
from matgrad.formula.visual import Marks, Visual, is_matrix_argument
from matgrad.functions.card import Card

_STRETCH = {"(": r"\left(", r"\lvert ": r"\left\lvert ", r"\lVert ": r"\left\lVert "}
_STRETCH_AFTER = {")": r"\right)", r"\rvert": r"\right\rvert", r"\rVert": r"\right\rVert"}
MOST_BARS = 2
"""Fraction bars that stand one over the other; a further quotient is written with a slash."""
_LIKE_LATIN = {"omicron": "o"}


def to_latex(expr: Expr, special: Mapping[str, Piece] | None = None) -> str:
    r"""The formula in LaTeX; vectors and matrices are bold where types are known.

    ``special`` names are written as these pieces.

    >>> from matgrad.formula.syntax import Call
    >>> x = Expr("name", value="x")
    >>> print(to_latex(Expr("product", (x, Expr("call", (x,), Call("sqrt"))), ("/",))))
    \frac{x}{\sqrt{x}}
    """
    return LatexPrinter(expr, special).print(expr)


class LatexPrinter(Visual):
    """Printing in LaTeX; a subclass may add operations, as ``visit_`` methods."""

    tall_opening, tall_closing = r"\left(", r"\right)"
    marks_exponents = True
    marks = Marks(r"\cdot", r"\odot", r"\oslash", r"\otimes", r"^{\top}", "^{-1}", r"^{-\top}")

    def __init__(self, expr: Expr, special: Mapping[str, Piece] | None = None) -> None:
        super().__init__(expr, special)
        stacks = [node for node in walk(expr) if node.op == "stack"]
        self.blocks = {id(_core(part)) for node in stacks for part in node.args}

    def show_name(self, name: str, kind: str | None) -> str:
        base, sub = split_name(name)
        shown = _letters(base, bold=kind in (VECTOR, ROW, MATRIX))
        if not sub:
            return shown
        return f"{shown}_{{{sub}}}" if len(sub) == 1 or sub.isdigit() else rf"{shown}_{{\mathrm{{{_escape(sub)}}}}}"

    def show_plainly(self, name: str) -> str:
        return rf"\mathit{{{_escape(name)}}}"

    def visit_number(self, node: Expr, pieces: list[Piece]) -> Piece:  # noqa: ARG002
        top, bottom = split_number(node.value, decimals=False)
        above, below = self.decimal(top), self.decimal(bottom)
        if not bottom:
            return replace(above, negative=node.value < 0)
        return Piece(UNARY, (r"\frac{", above, "}{", below, "}"), node.value < 0, tall=True, bars=1)

    def visit_constant(self, node: Expr, pieces: list[Piece]) -> Piece:  # noqa: ARG002
        return Piece(ATOM, ("\\" + node.value,))

    def superscript(self, base: Piece, exponent: Piece, entrywise: bool) -> Piece:
        circle = r"\odot " if entrywise else ""
        if base.level == ATOM and len(base.parts) == 1 and "^" in str(base.parts[0]):  # a layer's name: h^{(l)}
            base = self.fence(base)
        return Piece(POSTFIX, (base, "^{", circle, self.signed(exponent), "}"), tall=base.tall, closed=True)

    def quotient(self, left: Piece, right: Piece) -> Piece:
        bars = max(left.bars, right.bars)
        if bars < MOST_BARS:
            return Piece(UNARY, (r"\frac{", self.signed(left), "}{", self.signed(right), "}"), tall=True, bars=bars + 1)
        left, right = self.at_least(left, PRODUCT), self.at_least(right, UNARY)
        return Piece(JOINT, (left, " / ", right), tall=left.tall or right.tall, operator="/")

    def template(self, entry: Card, node: Expr) -> str:
        return (is_matrix_argument(node) and entry.latex_matrix) or entry.latex

    def apply(self, function: str, arguments: Piece, dim: int | None) -> Piece:
        name = function if function.startswith("\\") or len(function.rstrip("'")) == 1 else _operator(function)
        left, right = (r"\left(", r"\right)") if arguments.tall else ("(", ")")
        along = rf",\, \mathrm{{dim}}={dim}" if dim is not None else ""
        return Piece(ATOM, (name, left, arguments, along, right), tall=arguments.tall)

    def stretch(self, before: str, after: str, piece: Piece) -> tuple[str, str]:
        if not piece.tall:
            return before, after
        for short, long in _STRETCH.items():
            if before.endswith(short):
                before = before.removesuffix(short) + long
                break
        for short, long in _STRETCH_AFTER.items():
            if after.startswith(short):
                after = long + after.removeprefix(short)
                break
        return before, after

    def identity(self, node: Expr, sign: str) -> Piece:
        """With its size where that is written: where nothing beside it tells it."""
        sized = bool(node.args) and node.type is not None
        return Piece(ATOM, (sign, f"_{{{node.dims[0]}}}" if sized else ""))

    def constant_array(self, node: Expr, sign: str, zero: bool) -> Piece:  # noqa: ARG002
        """Constant matrices have their sizes below; a vector's size is rarely in doubt, but in a stack."""
        dims = node.dims if node.type is not None else ()
        sized = len(dims) > 1 or (bool(node.args) and id(node) in self.blocks)
        sizes = r" \times ".join(map(str, dims)) if sized else ""
        return Piece(ATOM, (sign, f"_{{{sizes}}}" if sizes else ""))

    def visit_index(self, node: Expr, pieces: list[Piece]) -> Piece:
        left, right = (r"\left[", r"\right]") if pieces[0].tall else ("[", "]")
        inside = (left, self.signed(pieces[0]), right, "_{", *index_parts(node, pieces), "}")
        return Piece(ATOM, inside, tall=pieces[0].tall)

    def visit_stack(self, node: Expr, pieces: list[Piece]) -> Piece:
        rows = [self.commas(row, " & ") for row in stack_rows(node, pieces)]
        body = self.join(rows, r" \\ ")
        return Piece(ATOM, (r"\begin{bmatrix} ", body, r" \end{bmatrix}"), tall=True)

    def visit_einsum(self, node: Expr, pieces: list[Piece]) -> Piece:
        subscripts = node.value.replace("->", r" \to ")
        arguments = self.commas(pieces)
        return Piece(ATOM, (rf"\operatorname{{einsum}}({subscripts};\, ", arguments, ")"), tall=arguments.tall)


def _core(expr: Expr) -> Expr:
    """What stands under a sign and a transpose."""
    while expr.op in ("neg", "transpose"):
        expr = expr.args[0]
    return expr


def _letters(base: str, bold: bool) -> str:
    base = SPELLED.get(base, base)
    if base in GREEK and base not in _LIKE_LATIN:
        return rf"\boldsymbol{{\{base}}}" if bold else "\\" + base
    base = _LIKE_LATIN.get(base, base)
    if len(base) == 1:
        return rf"\mathbf{{{base}}}" if bold else base
    return rf"\{'mathbf' if bold else 'mathit'}{{{_escape(base)}}}"


def _escape(name: str) -> str:
    return name.replace("_", r"\_")


def _operator(name: str) -> str:
    return rf"\operatorname{{{_escape(name)}}}"
