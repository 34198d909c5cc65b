"""How the names of a derivation are written: dx, ∇f, ∂L/∂y, and d(…) for a differential still to be worked out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from matgrad.errors import MatgradError
from matgrad.explaining.trees import DIFFERENTIAL
from matgrad.formula.latex import to_latex
from matgrad.formula.parser import parse_expression
from matgrad.formula.printing import ATOM, JOINT, UNARY, Piece
from matgrad.formula.syntax import Expr
from matgrad.formula.text import to_text
from matgrad.formula.unicode import to_unicode


class Word(NamedTuple):
    """One special name; ``quotient`` says that it needs brackets next to other factors."""

    unicode: str
    latex: str
    quotient: bool = False


def spelled_words(spelled: Mapping[str, str]) -> dict[str, Word]:
    """Names of the formula that have a LaTeX spelling of their own."""
    return {name: Word(to_unicode(Expr("name", value=name)), latex) for name, latex in spelled.items()}


class Words:
    """The special names of one derivation, and its printers."""

    def __init__(self, words: Mapping[str, Word] | None = None) -> None:
        self.words = dict(words or {})

    def differential(self, name: str, of: Expr) -> None:
        """``name`` is the differential of ``of``."""
        self.words[name] = Word("d" + to_unicode(of), rf"{BEFORE}\mathrm{{d}}{self.latex(of)}{AFTER}")

    def gradient(self, name: str, function: Expr, wrt: Expr) -> None:
        """``name`` is ∇f, or the derivative of f in ``wrt`` as a quotient."""
        if name.startswith("∇"):
            self.words[name] = Word(name, r"\nabla " + self.latex(function))
            return
        sign, shown = (r"\mathrm{d}", "d") if name.startswith("d") else (r"\partial ", "∂")
        below = self.latex(wrt)
        self.words[name] = Word(
            f"{shown}{to_unicode(function)}/{shown}{to_unicode(wrt)}",
            rf"\frac{{{sign}{self.latex(function)}}}{{{sign}{below}}}",
            True,
        )

    def unicode(self, expr: Expr) -> str:
        return to_unicode(expr, self.pieces(latex=False))

    def latex(self, expr: Expr) -> str:
        return _with_thin_spaces(to_latex(expr, self.pieces(latex=True)))

    def pieces(self, *, latex: bool) -> dict[str, Piece]:
        """The special names as the printers take them."""
        found = {DIFFERENTIAL: Piece(ATOM, (r"\mathrm{d}" if latex else "d",))}
        for name, word in self.words.items():
            level = ATOM if not word.quotient else UNARY if latex else JOINT  # a fraction needs no brackets
            found[name] = Piece(level, (word.latex if latex else word.unicode,), tall=latex and word.quotient)
        return found

    def text(self, expr: Expr) -> str:
        return to_text(expr).replace(DIFFERENTIAL, "d")


BEFORE, AFTER = "\N{ZERO WIDTH SPACE}", "\N{ZERO WIDTH NON-JOINER}"
"""Mark the two ends of a differential, until its neighbours are known."""
_FACTOR_BEFORE = re.compile(rf"(?<=[\w)}}\]])(?<!\\odot)(?<!\\oslash)(?<!\\otimes)(?<!\\cdot) ?{BEFORE}")
_FACTOR_AFTER = re.compile(rf"{AFTER}(?= ?(?:[\w(]|\\(?!odot|oslash|otimes|cdot|right|end|,)[A-Za-z]))")


def _with_thin_spaces(latex: str) -> str:
    r"""A differential stands apart from the factors beside it.

    >>> print(_with_thin_spaces(rf"A {BEFORE}\mathrm{{d}}W{AFTER} x + {BEFORE}\mathrm{{d}}x{AFTER}"))
    A \,\mathrm{d}W\, x + \mathrm{d}x
    """
    spaced = _FACTOR_AFTER.sub(r"\\,", _FACTOR_BEFORE.sub(r" \\,", latex))
    return spaced.replace(BEFORE, "").replace(AFTER, "")


_SIGNAL = re.compile(r"∂L/∂(\w+)")


@lru_cache(maxsize=512)
def law_text(law: str) -> tuple[str, str]:
    """A law in matgrad's notation as Unicode and as LaTeX; "gives" stands between what is and what follows.

    >>> law_text("d(norm2(u)^2) = 2*u'*d(u)")[0]
    'd(‖u‖₂²) = 2 uᵀ d(u)'
    >>> law_text("y = W*x gives ∂L/∂W = ∂L/∂y*x'")[0]
    'y = W x ⇒ ∂L/∂W = (∂L/∂y) xᵀ'
    """
    words = Words()
    for name in _SIGNAL.findall(law):
        words.words[f"signal_{name}"] = Word(f"∂L/∂{name}", rf"\frac{{\partial L}}{{\partial {name}}}", True)
    text = _SIGNAL.sub(r"signal_\1", law)
    try:
        clauses = [[[parse_expression(side) for side in equation.split(" = ")] for equation in clause.split(" and ")]
                   for clause in text.split(" gives ")]  # fmt: skip
    except MatgradError:
        return law, rf"\text{{{law}}}"
    return _joined_law(clauses, words.unicode, " ⇒ ", ", "), _joined_law(
        clauses, words.latex, r" \;\Rightarrow\; ", r",\; "
    )


def _joined_law(
    clauses: Sequence[Sequence[Sequence[Expr]]], shown: Callable[[Expr], str], gives: str, also: str
) -> str:
    return gives.join(also.join(" = ".join(map(shown, sides)) for sides in clause) for clause in clauses)
