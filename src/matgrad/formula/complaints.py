"""Why the grammar cannot go on at a token, in plain words."""

from __future__ import annotations

from matgrad.errors import FormulaError, MatgradError
from matgrad.formula.token import Token
from matgrad.functions import card

_ENDS_OPERAND = {"NAME", "NUMBER", "RPAR", "RSQB", "TICK", "SUPER", "STRING"}
_INFIX = {"PLUS", "MINUS", "TIMES", "POW", "EQUALS", "COMMA", "COLON"}


def complaint(text: str, tokens: list[Token], bad: Token | None, expected: set[str]) -> MatgradError:
    """Why the grammar cannot go on at this token (None: at the end), in plain words."""
    at = tokens.index(bad) if bad is not None else len(tokens)
    before = tokens[at - 1] if at else None
    if bad is None or bad.kind == "STOP":
        return _ends_early(text, before, bad)
    shown = text[bad.start : bad.stop]

    def error(message: str, hint: str | None = None, start: int = bad.start) -> FormulaError:
        return FormulaError(message, source=text, span=(start, bad.stop), hint=hint)

    if "COLON" in expected and _in_index(tokens[:at]):
        return error("an index is a number from 1, a range such as 2:5, or ':'", "x[1], X[2,3], X[1,:] or x[2:5]")
    if bad.kind == "STRING":
        return error("text in quotes can only be the first argument of einsum", 'einsum("ij,jk->ik", A, B)')
    if bad.kind == "EQUALS":
        return error("'=' belongs after the name that a definition gives", "r = A*x - b; r'*r")
    if bad.kind == "COLON":
        return error("':' belongs inside an index", "x[2:5] or X[1,:]")
    if bad.kind == "COMMA":
        return error("a comma separates arguments, indices or entries: none are listed here", "[a, b], for a list")
    opened = before is None or before.kind in _INFIX or before.kind in ("LPAR", "LSQB", "SEMI", "STOP")
    if opened and (before is None or before.kind == "STOP"):
        return error(f"a value is missing before '{shown}'")
    if opened and before is not None and before.kind in ("LPAR", "LSQB"):
        return error(f"a value is missing after '{before.value}'")
    if opened and before is not None:
        return error(f"a value is missing between '{text[before.start : before.stop].strip()}' and '{shown}'")
    assert before is not None
    left = text[before.start : before.stop]
    if before.kind == "NAME" and card(before.value) is not None and bad.kind in ("NAME", "NUMBER", "CALL"):
        return error(f"the argument of {left} needs brackets", f"{left}({_argument(text, tokens, at)})", before.start)
    if before.kind in ("NAME", "NUMBER") and bad.kind in ("NAME", "NUMBER", "CALL"):
        transposed = left == "T" and at > 2 and tokens[at - 2].kind == "POW"
        first = f"{text[tokens[at - 3].start : tokens[at - 3].stop]}'" if transposed else left
        hint = f"{first}*{_argument(text, tokens, at)}"
        return error(f"an operator is missing between '{left}' and '{shown}'", hint, before.start)
    if bad.kind in ("NAME", "NUMBER", "CALL", "LPAR", "LSQB"):
        spaced = _letters(text, tokens, at)
        turned = before.kind == "TICK" and at > 1 and tokens[at - 2].kind == "NAME"
        spaced = f"{text[tokens[at - 2].start : before.stop]}*{spaced}" if spaced and turned else spaced
        hint = spaced or "'*' between the two: products are written A*x"
        return error(f"an operator is missing before '{shown}'", hint)
    return error(f"'{shown}' cannot stand here")


def _letters(text: str, tokens: list[Token], at: int) -> str | None:
    """``A*x`` for the name Ax where another part of the formula has the name A or x."""
    name = tokens[at].value if tokens[at].kind == "NAME" else ""
    names = {token.value for token in tokens if token.kind == "NAME"}
    return "*".join(name) if 1 < len(name) < 4 and name.isalpha() and names & set(name) else None


def _argument(text: str, tokens: list[Token], at: int) -> str:
    """The name, the number or the whole call that begins at this token; another function takes what follows it."""
    first = tokens[at]
    if first.kind == "CALL":
        depth = 0
        for token in tokens[at + 1 :]:
            depth += (token.kind == "LPAR") - (token.kind == "RPAR")
            if depth == 0:
                return text[first.start : token.stop]
    if first.kind == "NAME" and card(first.value) is not None and at + 1 < len(tokens):
        if tokens[at + 1].kind in ("NAME", "NUMBER", "CALL"):
            return f"{text[first.start : first.stop]}({_argument(text, tokens, at + 1)})"
    return text[first.start : first.stop]


def _ends_early(text: str, before: Token | None, bad: Token | None) -> FormulaError:
    if before is None:
        return FormulaError("the formula is empty", source=text, span=(0, 0), hint="x'*A*x")
    shown = text[before.start : before.stop].strip()
    where = "the formula" if bad is None else "this statement"
    return FormulaError(
        f"{where} ends after '{shown}': a value is missing", source=text, span=(before.start, before.stop)
    )


def _in_index(tokens: list[Token]) -> bool:
    """Whether the innermost bracket that is still open is that of an index."""
    opened: list[bool] = []
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.kind in ("LPAR", "LSQB"):
            opened.append(token.kind == "LSQB" and before is not None and before.kind in _ENDS_OPERAND)
        elif token.kind in ("RPAR", "RSQB") and opened:
            opened.pop()
    return bool(opened) and opened[-1]
