"""How the names of a derivation are written: dx, ∇f, ∂L/∂y, and d(…) for a differential still to be worked out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from matgrad.errors import MatgradError
from matgrad.explaining.trees import DIFFERENTIAL
from matgrad.formula.latex import _Latex, to_latex
from matgrad.formula.parser import parse_expression
from matgrad.formula.printing import ATOM, JOINT, Piece
from matgrad.formula.syntax import Expr
from matgrad.formula.text import to_text
from matgrad.formula.unicode import _Unicode, to_unicode


class Word(NamedTuple):
    """One special name; ``quotient`` says that it needs brackets next to other factors."""

    unicode: str
    latex: str
    quotient: bool = False


class Words:
    """The special names of one derivation, and its printers."""

    def __init__(self, words: Mapping[str, Word] | None = None) -> None:
        self.words = dict(words or {})

    def differential(self, name: str, of: Expr) -> None:
        """``name`` is the differential of ``of``."""
        self.words[name] = Word("d" + to_unicode(of), r"\,\mathrm{d}" + to_latex(of))

    def gradient(self, name: str, function: str, wrt: Expr) -> None:
        if name.startswith("∇"):
            self.words[name] = Word(name, r"\nabla " + function)
            return
        sign, shown = (r"\mathrm{d}", "d") if name.startswith("d") else (r"\partial ", "∂")
        below = to_latex(wrt)
        self.words[name] = Word(
            f"{shown}{function}/{shown}{to_unicode(wrt)}", rf"\frac{{{sign}{function}}}{{{sign}{below}}}", True
        )

    def unicode(self, expr: Expr) -> str:
        return _UnicodeWords(expr, self.words).print(expr)

    def latex(self, expr: Expr) -> str:
        return _LatexWords(expr, self.words).print(expr)

    def text(self, expr: Expr) -> str:
        return to_text(expr).replace(DIFFERENTIAL, "d")


class _UnicodeWords(_Unicode):
    def __init__(self, expr: Expr, words: Mapping[str, Word]) -> None:
        self.words = words
        super().__init__(expr)

    def show_name(self, name: str, kind: str | None) -> str:
        if name == DIFFERENTIAL:
            return "d"
        return self.words[name].unicode if name in self.words else super().show_name(name, kind)

    def visit_name(self, node: Expr, pieces: list[Piece]) -> Piece:
        word = self.words.get(node.value)
        if word is not None and word.quotient:
            return Piece(JOINT, (word.unicode,), operator="/")
        return super().visit_name(node, pieces)


class _LatexWords(_Latex):
    def __init__(self, expr: Expr, words: Mapping[str, Word]) -> None:
        self.words = words
        super().__init__(expr)

    def show_name(self, name: str, kind: str | None) -> str:
        if name == DIFFERENTIAL:
            return r"\mathrm{d}"
        return self.words[name].latex if name in self.words else super().show_name(name, kind)

    def apply(self, function: str, arguments: Piece, dim: int | None) -> Piece:
        if function != r"\mathrm{d}":
            return super().apply(function, arguments, dim)
        left, right = (r"\left(", r"\right)") if arguments.tall else ("(", ")")
        return Piece(ATOM, (function, left, arguments, right), tall=arguments.tall)

    def visit_name(self, node: Expr, pieces: list[Piece]) -> Piece:
        word = self.words.get(node.value)
        if word is not None and word.quotient:
            return Piece(JOINT, (word.latex,), tall=True, operator="/")
        return super().visit_name(node, pieces)


@lru_cache(maxsize=512)
def law_text(law: str) -> tuple[str, str]:
    """A law in matgrad's notation as Unicode and as LaTeX.

    >>> law_text("d(norm2(u)^2) = 2*u'*d(u)")[0]
    'd(‖u‖₂²) = 2 uᵀ d(u)'
    """
    try:
        sides = [parse_expression(side) for side in law.split(" = ")]
    except MatgradError:
        return law, rf"\text{{{law}}}"
    words = Words()
    return " = ".join(words.unicode(side) for side in sides), " = ".join(words.latex(side) for side in sides)
