"""From text to an untyped formula tree: the grammar's rules, one method each, without an intermediate tree.

>>> parse_expression("-2*x'*A + b").args[0].op
'neg'
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from matgrad.errors import FormulaError, MatgradError
from matgrad.formula.complaints import complaint
from matgrad.formula.grammar import parser_of
from matgrad.formula.subscripts import plain
from matgrad.formula.syntax import AT, RANGE, Call, Expr, Program
from matgrad.formula.token import Token
from matgrad.formula.tokens import tokenize

if TYPE_CHECKING:
    from lark import Lark

CONSTANTS = {"pi": "pi", "π": "pi"}
SIZED_BY_CONTEXT = frozenset({"eye", "ones", "zeros"})


def parse_program(text: str, *, limits: bool = True) -> Program:
    """Definitions and the formula that follows them.

    >>> program = parse_program("r = A*x - b; r'*r")
    >>> program.definitions[0][0], program.body.op
    ('r', 'product')
    """
    program: Program = _parse(text, "program", limits)
    seen: set[str] = set()
    for name, value in program.definitions:
        if name in seen:
            raise FormulaError(f"{name} is defined twice", source=text, span=value.span, hint=f"{name}2 = …")
        seen.add(name)
    return program


def parse_expression(text: str, *, limits: bool = True) -> Expr:
    """One expression, without definitions."""
    expression: Expr = _parse(text, "expression", limits)
    return expression


def writes_decimals(text: str) -> bool:
    """Whether the text writes numbers such as 0.5, which answers then do too.

    >>> writes_decimals("0.5*x"), writes_decimals("x/2")
    (True, False)
    """
    if _PERHAPS_DECIMAL.search(text) is None:
        return False
    return any(token.kind == "NUMBER" and not token.value.isdigit() for token in tokenize(text, limits=False))


_PERHAPS_DECIMAL = re.compile(r"[0-9][.eE]|\.[0-9]")


def _parse(text: str, start: str, limits: bool) -> Any:
    from lark.exceptions import UnexpectedInput

    tokens = tokenize(text, limits=limits)
    try:
        return _lark().parse(tokens, start=start)
    except UnexpectedInput as error:
        bad = getattr(getattr(error, "token", None), "value", None)
        expected = set(getattr(error, "expected", ()))
        problem = complaint(text, tokens, bad if isinstance(bad, Token) else None, expected)
    except MatgradError as error:
        problem = error.located(text)
    raise problem


@lru_cache(maxsize=1)
def _lark() -> Lark:
    return parser_of("matgrad.formula", transformer=_Build(), start=["program", "expression"])


class _Piece:
    """An expression with what only the text shows: where it starts with its brackets, and whether it has any."""

    __slots__ = ("bracketed", "expr", "inner", "start", "stop")

    def __init__(self, expr: Expr, start: int, stop: int, bracketed: bool = False, inner: _Piece | None = None) -> None:
        self.expr = expr
        self.start = start
        self.stop = stop
        self.bracketed = bracketed
        self.inner = inner  # what follows a leading sign


class _Chain:
    """A sum or product that is still growing."""

    __slots__ = ("op", "pieces", "signs")

    def __init__(self, op: str, first: _Piece) -> None:
        self.op = op
        self.pieces = [first]
        self.signs: list[str] = []


def _made(op: str, pieces: list[_Piece], value: Any = None) -> _Piece:
    start, stop = pieces[0].start, pieces[-1].stop
    return _Piece(Expr(op, tuple(p.expr for p in pieces), value, (start, stop)), start, stop)


def _closed(item: _Piece | _Chain) -> _Piece:
    """A finished operand. A leading sign of a product is the sign of the product."""
    if isinstance(item, _Piece):
        return item
    if item.op == "add":
        return _made("add", item.pieces)
    first, signs = item.pieces[0], []
    while first.inner is not None and not first.bracketed:
        signs.append(first.start)
        first = first.inner
    product = _made("product", [first, *item.pieces[1:]], tuple(item.signs))
    for at in reversed(signs):
        product = _negative(at, product)
    return product


def _negative(start: int, piece: _Piece) -> _Piece:
    return _Piece(Expr("neg", (piece.expr,), None, (start, piece.stop)), start, piece.stop, inner=piece)


def _grown(op: str, left: _Piece | _Chain, sign: str, right: _Piece) -> _Chain:
    if not (isinstance(left, _Chain) and left.op == op):
        left = _Chain(op, _closed(left))
    left.signs.append(sign)
    left.pieces.append(right)
    return left


def _power(base: _Piece, operator: str, exponent: _Piece) -> _Piece:
    if base.expr.op == "power" and not base.bracketed:
        raise FormulaError(
            "a power of a power needs brackets", span=(base.start, exponent.stop), hint="(a^b)^c or a^(b^c)"
        )
    return _made("power", [base, exponent], operator)


def _position(piece: _Piece) -> int | None:
    """The whole number that an index is, or None where it is a formula."""
    inner = piece.expr.args[0] if piece.expr.op == "neg" else piece.expr
    if inner.op != "number":
        return None
    if inner is not piece.expr or inner.value.denominator != 1 or inner.value < 1:
        raise FormulaError(
            "an index is a whole number, counted from 1", span=(piece.start, piece.stop), hint="x[1], the first entry"
        )
    return int(inner.value)


def _einsum_subscripts(token: Token, operands: int) -> str:
    def error(message: str) -> FormulaError:
        return FormulaError(message, span=(token.start, token.stop), hint='einsum("ik,jl->ijkl", A, B)')

    text = str(token.value)
    if not _FUSED.fullmatch(text):
        raise error("brackets in the letters of einsum group at least two letters, as in (ij)")
    left, arrow, right = plain(text).partition("->")
    letters = left.replace(",", "")
    if not arrow or (not (letters + right).isalpha() and (letters + right)):
        raise error("the first argument of einsum lists letters, an arrow, and letters")
    if len(left.split(",")) != operands:
        raise error(f"einsum has letters for {len(left.split(','))} arguments, but {operands} are given")
    if len(set(right)) != len(right) or not set(right) <= set(letters):
        raise error("letters after the arrow stand once each, and occur before it")
    return text


_FUSED = re.compile(r"(?:[^()]|\([^(),>]{2,}\))*")


class _Build:
    """One method per rule of the grammar, called with the list of its parts."""

    def program(self, parts: list[Any]) -> Program:
        statements = [p for p in parts if isinstance(p, tuple | Expr)]
        for name, value in (s for s in statements[:-1] if not isinstance(s, Expr)):
            if name in CONSTANTS:
                raise FormulaError(f"{name} is a constant and cannot be defined", span=value.span)
        for value in statements[:-1]:
            if isinstance(value, Expr):
                raise FormulaError(
                    "only the last part may go without a name", span=value.span, hint="r = A*x - b; r'*r"
                )
        body = statements[-1]
        if not isinstance(body, Expr):
            raise FormulaError(
                f"{body[0]} is defined, but nothing is asked for",
                span=body[1].span,
                hint=f"{body[0]} after it, as in r = A*x - b; r",
            )
        return Program(tuple(s for s in statements[:-1] if not isinstance(s, Expr)), body)

    def definition(self, parts: list[Any]) -> tuple[str, Expr]:
        return (parts[0].value.value, _closed(parts[2]).expr)

    def body(self, parts: list[Any]) -> Expr:
        return _closed(parts[0]).expr

    def plus(self, parts: list[Any]) -> _Chain:
        return _grown("add", parts[0], "+", _closed(parts[2]))

    def minus(self, parts: list[Any]) -> _Chain:
        return _grown("add", parts[0], "-", _negative(parts[1].value.start, _closed(parts[2])))

    def times(self, parts: list[Any]) -> _Chain:
        return _grown("product", parts[0], parts[1].value.value, parts[2])

    def negative(self, parts: list[Any]) -> _Piece:
        return _negative(parts[0].value.start, parts[1])

    def tick(self, parts: list[Any]) -> _Piece:
        base, stop = parts[0], parts[1].value.stop
        return _Piece(Expr("transpose", (base.expr,), None, (base.start, stop)), base.start, stop)

    def superscript(self, parts: list[Any]) -> _Piece:
        token = parts[1].value
        span = (token.start, token.stop)
        number = Expr("number", (), Fraction(abs(int(token.value))), span)
        exponent = Expr("neg", (number,), None, span) if token.value.startswith("-") else number
        return _power(parts[0], "^", _Piece(exponent, *span))

    def power(self, parts: list[Any]) -> _Piece:
        return _power(parts[0], parts[1].value.value, parts[2])

    def index(self, parts: list[Any]) -> _Piece:
        base, items, stop = parts[0], parts[2], parts[3].value.stop
        args = (base.expr, *(bound for item in items for bound in item.bounds))
        value = tuple(item.item for item in items)
        return _Piece(Expr("index", args, value, (base.start, stop)), base.start, stop)

    def items(self, parts: list[Any]) -> tuple[_Item, ...]:
        chosen = tuple(p for p in parts if isinstance(p, _Item))
        if len(chosen) > 2:
            raise FormulaError("at most two indices can be given", span=parts[-1].span, hint="X[2,3]")
        return chosen

    def position(self, parts: list[Any]) -> _Item:
        piece = _closed(parts[0])
        span = (piece.start, piece.stop)
        found = _position(piece)
        return _Item(found, span) if found is not None else _Item(AT, span, (piece.expr,))

    def everything(self, parts: list[Any]) -> _Item:
        return _Item(None, (parts[0].value.start, parts[0].value.stop))

    def slice(self, parts: list[Any]) -> _Item:
        low, high = _closed(parts[0]), _closed(parts[2])
        first, last = _position(low), _position(high)
        if first is None or last is None:
            return _Item(RANGE, (low.start, high.stop), (low.expr, high.expr))
        if first > last:
            raise FormulaError("a range goes upwards", span=(low.start, high.stop), hint=f"{last}:{first}")
        return _Item((first, last), (low.start, high.stop))

    def name(self, parts: list[Any]) -> _Piece:
        token = parts[0].value
        span = (token.start, token.stop)
        if token.value in CONSTANTS:
            return _Piece(Expr("constant", (), CONSTANTS[token.value], span), *span)
        if token.value in SIZED_BY_CONTEXT:
            return _Piece(Expr("call", (), Call(token.value), span), *span)
        return _Piece(Expr("name", (), token.value, span), *span)

    def number(self, parts: list[Any]) -> _Piece:
        token = parts[0].value
        span = (token.start, token.stop)
        return _Piece(Expr("number", (), Fraction(token.value), span), *span)

    def brackets(self, parts: list[Any]) -> _Piece:
        return _Piece(_closed(parts[1]).expr, parts[0].value.start, parts[2].value.stop, bracketed=True)

    def stack(self, parts: list[Any]) -> _Piece:
        start, stop, rows = parts[0].value.start, parts[2].value.stop, parts[1]
        entries = tuple(piece.expr for row in rows for piece in row)
        if len(entries) == 1:
            return _Piece(entries[0], start, stop, bracketed=True)
        return _Piece(Expr("stack", entries, tuple(len(row) for row in rows), (start, stop)), start, stop)

    def rows(self, parts: list[Any]) -> list[list[_Piece]]:
        return [p for p in parts if isinstance(p, list)]

    def entries(self, parts: list[Any]) -> list[_Piece]:
        return [_closed(p) for p in parts if isinstance(p, _Piece | _Chain)]

    def arguments(self, parts: list[Any]) -> list[tuple[str, Any, Any]]:
        return [p for p in parts if isinstance(p, tuple) and not isinstance(p, Token)]

    def positional(self, parts: list[Any]) -> tuple[str, Any, Any]:
        return ("positional", _closed(parts[0]), None)

    def keyword(self, parts: list[Any]) -> tuple[str, Any, Any]:
        return ("keyword", parts[0].value, _closed(parts[2]))

    def string(self, parts: list[Any]) -> tuple[str, Any, Any]:
        return ("string", parts[0].value, None)

    def call(self, parts: list[Any]) -> _Piece:
        token, arguments, stop = parts[0].value, parts[2], parts[3].value.stop
        name, primes = token.value
        span = (token.start, stop)
        operands = tuple(value.expr for what, value, _ in arguments if what == "positional")
        strings = [value for what, value, _ in arguments if what == "string"]
        dim = _dim_of([(key, value) for what, key, value in arguments if what == "keyword"])
        if name == "einsum" and not primes:
            if arguments and arguments[0][0] == "string" and len(strings) == 1 and dim is None:
                subscripts = _einsum_subscripts(strings[0], len(operands))
                return _Piece(Expr("einsum", operands, subscripts, span), *span)
            raise FormulaError(
                "einsum takes letters in quotes, then its arguments", span=span, hint='einsum("ij,jk->ik", A, B)'
            )
        if strings:
            where = (strings[0].start, strings[0].stop)
            raise FormulaError(
                "text in quotes can only be the first argument of einsum", span=where, hint='einsum("ij,jk->ik", A, B)'
            )
        return _Piece(Expr("call", operands, Call(name, dim, primes), span), *span)


class _Item:
    """One index, where it stands, and the bounds of a range that are formulas."""

    __slots__ = ("bounds", "item", "span")

    def __init__(self, item: Any, span: tuple[int, int], bounds: tuple[Expr, ...] = ()) -> None:
        self.item = item
        self.span = span
        self.bounds = bounds


def _dim_of(keywords: list[tuple[Token, _Piece]]) -> int | None:
    for count, (key, value) in enumerate(keywords):
        span = (key.start, value.stop)
        if key.value != "dim" or count:
            raise FormulaError("the only argument with a name is dim, once", span=span, hint="sum(X, dim=1)")
        if value.expr.op != "number" or value.expr.value not in (1, 2):
            raise FormulaError("dim is 1 (down each column) or 2 (along each row)", span=span, hint="sum(X, dim=1)")
        return int(value.expr.value)
    return None
