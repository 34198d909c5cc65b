"""From the tokens of a LaTeX formula to its tree, by the grammar; what cannot be read is explained."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from matgrad.errors import FormulaError
from matgrad.formula.grammar import parser_of
from matgrad.latex_input.building import Build, Tree
from matgrad.latex_input.tokens import Names, Token, tokenize

if TYPE_CHECKING:
    from lark import Lark


def parse(text: str, tokens: list[Token], names: Names) -> Tree:
    """The tree of these tokens."""
    from lark.exceptions import UnexpectedInput, VisitError

    if not tokens:
        raise FormulaError(
            "the formula is empty", source=text, span=(0, 0), hint=r"\mathbf{x}^\top \mathbf{A} \mathbf{x}"
        )
    build = Build(text, names)
    try:
        raw = _lark().parse(tokens)
    except UnexpectedInput as error:
        bad = getattr(getattr(error, "token", None), "value", None)
        raise _complaint(text, tokens, bad if isinstance(bad, Token) else None) from None
    try:
        return build.tree(raw)
    except VisitError as error:
        raise error.orig_exc from None


def read_tree(text: str, names: Names, *, limits: bool = True) -> Tree:
    """Tokens and tree at once."""
    return parse(text, tokenize(text, names, limits=limits), names)


@lru_cache(maxsize=1)
def _lark() -> Lark:
    return parser_of("matgrad.latex_input", maybe_placeholders=False)


def _complaint(text: str, tokens: list[Token], bad: Token | None) -> FormulaError:
    at = tokens.index(bad) if bad is not None else len(tokens)
    before = tokens[at - 1] if at else None
    if bad is None or bad.kind in ("STOP", "RBRACE", "RPAR", "END"):
        last = before or tokens[0]
        shown = text[last.start : last.stop] or "the opening bracket"
        return FormulaError(f"a value is missing after '{shown}'", source=text, span=(last.start, last.stop))
    shown = text[bad.start : bad.stop]
    hints = {
        "AMP": r"\begin{bmatrix} … \end{bmatrix} around rows",
        "ROWEND": r"\begin{bmatrix} … \end{bmatrix} around rows",
    }
    what = f"'{shown}' cannot stand here"
    if bad.kind in ("OP", "PLUS", "MINUS", "EQUALS") and (
        before is None or before.kind in ("OP", "PLUS", "MINUS", "EQUALS")
    ):
        what = f"a value is missing before '{shown}'"
    elif before is not None and before.kind == "FUNC":
        what = f"the argument of '{text[before.start : before.stop]}' is missing"
    return FormulaError(what, source=text, span=(bad.start, bad.stop), hint=hints.get(bad.kind))
