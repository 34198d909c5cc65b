"""Parsers from grammar files, for tokens that were cut already."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lark import Lark


class Terminal:
    """A token as lark takes it: its kind is its type; where it stands, it knows itself."""

    __slots__ = ("type", "value")
    start_pos = line = column = end_line = end_column = end_pos = None

    def __init__(self, type: str, value: Any) -> None:
        self.type = type
        self.value = value


def parser_of(package: str, **options: Any) -> Lark:
    """The parser of ``grammar.lark`` in a package; lark is imported only here, on first use."""
    from lark import Lark
    from lark.lexer import Lexer

    class Cut(Lexer):
        """Hands on the tokens that were cut already."""

        def __init__(self, lexer_conf: Any) -> None:
            pass

        def lex(self, data: Any) -> Any:  # type: ignore[override]
            for token in data:
                yield Terminal(token.kind, token)

    grammar = files(package).joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer=Cut, **options)
