"""Parsers from grammar files, for tokens that were cut already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from lark import Lark


def parser_of(package: str, **options: Any) -> Lark:
    """The parser of ``grammar.lark`` in a package; lark is imported only here, on first use."""
    from lark import Lark
    from lark import Token as LarkToken
    from lark.lexer import Lexer

    class Cut(Lexer):
        """Hands on the tokens that were cut already."""

        def __init__(self, lexer_conf: Any) -> None:
            pass

        def lex(self, data: Any) -> Any:  # type: ignore[override]
            for token in data:
                yield LarkToken(token.kind, token)

    grammar = files(package).joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer=Cut, **options)


class Cuttable(Protocol):
    """A token, of which the grammar knows the kind only."""

    @property
    def kind(self) -> str: ...


class Unexpected(Exception):
    """A token that the grammar does not allow where it stands (None: the end), and what it does."""

    def __init__(self, token: Any, expected: set[str]) -> None:
        super().__init__(token, expected)
        self.token = token
        self.expected = expected


class _Reduction(NamedTuple):
    """The last ``size`` values are one; without ``build`` the only one stays as it is."""

    size: int
    build: Callable[[list[Any]], Any] | None
    rule: str


_Row = dict[str, Any]
"""What to do in a state, by the next token's kind or by the rule just reduced: a _Reduction, or the next state."""
_END = "$END"


class Machine:
    """The tables that lark makes of a grammar, run without the generality of lark's own loop.

    What the grammar's rules build is made of the tokens themselves.
    """

    def __init__(self, package: str, build: object, start: list[str]) -> None:
        from lark.parse_tree_builder import ExpandSingleChild
        from lark.parsers.lalr_analysis import Shift

        lark: Any = parser_of(package, transformer=build, start=start).parser
        table, builders = lark.parser.parser.parse_table, lark.parser.parser.callbacks
        rows: dict[Any, _Row] = {state: {} for state in table.states}
        for state, row in table.states.items():
            for name, (action, argument) in row.items():
                if action is Shift:
                    rows[state][str(name)] = rows[argument]
                    continue
                size, builder = len(argument.expansion), builders[argument]
                alone = size == 1 and isinstance(builder, ExpandSingleChild)
                rows[state][str(name)] = _Reduction(size, None if alone else builder, str(argument.origin.name))
        self._ends = {name: (rows[table.start_states[name]], rows[table.end_states[name]]) for name in start}

    def parse(self, tokens: Sequence[Cuttable], start: str) -> Any:
        """What is built of all tokens; raises Unexpected."""
        first, last = self._ends[start]
        states: list[_Row] = [first]
        values: list[Any] = []
        following = iter(tokens)
        while True:
            token = next(following, None)
            kind = _END if token is None else token.kind
            while (step := states[-1].get(kind)).__class__ is _Reduction:
                size, build, rule = step
                if build is None:
                    states.pop()
                else:
                    at = len(values) - size
                    values[at:] = [build(values[at:])]
                    del states[at + 1 :]
                states.append(states[-1][rule])
                if states[-1] is last:
                    return values[-1]
            if step is None:
                raise Unexpected(token, {name for name in states[-1] if name.isupper()})
            states.append(step)
            values.append(token)
