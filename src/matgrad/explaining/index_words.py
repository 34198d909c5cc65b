"""How formulas in components are written: ``Σᵢⱼ xᵢ Aᵢⱼ xⱼ``, ``δᵢₖ``, ``∂rᵢ/∂xₖ``."""

from __future__ import annotations

from collections.abc import Mapping

from matgrad.explaining.index_trees import Index
from matgrad.explaining.trees import named
from matgrad.explaining.words import Word, Words
from matgrad.formula.latex import LatexPrinter, to_latex
from matgrad.formula.printing import ATOM, JOINT, UNARY, Piece
from matgrad.formula.syntax import SCALAR_TYPE, Expr
from matgrad.formula.unicode import UnicodePrinter, to_unicode

_SMALL = dict(zip("ijklmnprstuvaeh0123456789", "ᵢⱼₖₗₘₙₚᵣₛₜᵤᵥₐₑₕ₀₁₂₃₄₅₆₇₈₉", strict=True))


class IndexWords(Words):
    """Printers of one derivation in components: what is differentiated in, at which indices, and their letters."""

    def __init__(
        self, words: Mapping[str, Word], letters: Mapping[Index, str], variable: str, at: tuple[Index, ...]
    ) -> None:
        super().__init__(words)
        self.letters = dict(letters)
        self.variable, self.at = variable, at

    def unicode(self, expr: Expr) -> str:
        return _Unicode(expr, self).print(expr)

    def latex(self, expr: Expr) -> str:
        return _Latex(expr, self).print(expr)

    def below(self, indices: tuple[Index, ...], *, latex: bool) -> str:
        letters = "".join(self.letters.get(i, "?") for i in indices)
        if latex or not set(letters) <= set(_SMALL):
            return f"_{{{letters}}}" if letters else ""
        return "".join(_SMALL[c] for c in letters)


class _Unicode(UnicodePrinter):
    def __init__(self, expr: Expr, words: IndexWords) -> None:
        super().__init__(expr, words.pieces(latex=False))
        self.words = words

    def visit_entry(self, node: Expr, pieces: list[Piece]) -> Piece:
        if not node.value:
            return pieces[0]
        below = self.words.below(node.value, latex=False)
        if node.args[0].op == "name":
            return Piece(ATOM, (_entry_of(node.args[0].value, below),))
        return Piece(ATOM, (f"[{to_unicode(node.args[0])}]{below}",))

    def visit_delta(self, node: Expr, pieces: list[Piece]) -> Piece:  # noqa: ARG002
        return Piece(ATOM, ("δ" + self.words.below(node.value, latex=False),))

    def visit_over(self, node: Expr, pieces: list[Piece]) -> Piece:
        return Piece(UNARY, (f"Σ{self.words.below(node.value, latex=False)} ", self.at_least(pieces[0], JOINT)))

    def visit_partial(self, node: Expr, pieces: list[Piece]) -> Piece:  # noqa: ARG002
        name, indices = node.value
        top = _entry_of(name, self.words.below(indices, latex=False))
        below = _entry_of(self.words.variable, self.words.below(self.words.at, latex=False))
        return Piece(JOINT, (f"∂{top}/∂{below}",))

    def visit_slope(self, node: Expr, pieces: list[Piece]) -> Piece:  # noqa: ARG002
        below = _entry_of(self.words.variable, self.words.below(self.words.at, latex=False))
        return Piece(UNARY, (f"∂/∂{below} ", self.fence(pieces[0])))


class _Latex(LatexPrinter):
    def __init__(self, expr: Expr, words: IndexWords) -> None:
        super().__init__(expr, words.pieces(latex=True))
        self.words = words

    def visit_entry(self, node: Expr, pieces: list[Piece]) -> Piece:
        if not node.value:
            return pieces[0]
        array = node.args[0]
        if array.op == "name":
            return Piece(ATOM, ("{" + _entry_name(array.value) + "}" + self.words.below(node.value, latex=True),))
        inside = (r"\left[", to_latex(array), r"\right]", self.words.below(node.value, latex=True))
        return Piece(ATOM, inside, tall=pieces[0].tall, closed=True)

    def visit_delta(self, node: Expr, pieces: list[Piece]) -> Piece:  # noqa: ARG002
        return Piece(ATOM, (r"\delta" + self.words.below(node.value, latex=True),))

    def visit_over(self, node: Expr, pieces: list[Piece]) -> Piece:
        sign = rf"\sum{self.words.below(node.value, latex=True)} "
        return Piece(UNARY, (sign, self.at_least(pieces[0], JOINT)), tall=True)

    def _variable(self) -> str:
        return _entry_name(self.words.variable) + self.words.below(self.words.at, latex=True)

    def visit_partial(self, node: Expr, pieces: list[Piece]) -> Piece:  # noqa: ARG002
        name, indices = node.value
        top = _entry_name(name) + self.words.below(indices, latex=True)
        return Piece(UNARY, (rf"\frac{{\partial {top}}}{{\partial {self._variable()}}}",), tall=True)

    def visit_slope(self, node: Expr, pieces: list[Piece]) -> Piece:  # noqa: ARG002
        return Piece(UNARY, (rf"\frac{{\partial}}{{\partial {self._variable()}}} ", self.fence(pieces[0])), tall=True)


def _entry_of(name: str, below: str) -> str:
    """xᵢ; a name that has a subscript of its own is put in brackets, [W₁]ᵢⱼ."""
    shown = to_unicode(named(name, SCALAR_TYPE))
    return shown + below if shown.isalpha() or not below else f"[{shown}]{below}"


def _entry_name(name: str) -> str:
    """Entries are numbers: not bold. A name with a subscript of its own is put in brackets."""
    shown = to_latex(named(name, SCALAR_TYPE))
    return rf"[{shown}]" if "_" in shown else shown
