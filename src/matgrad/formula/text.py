"""Formulas as text that can be read back, with as few brackets as the grammar needs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from matgrad.formula.printing import ATOM, POSTFIX, PRODUCT, Piece, Printer, flatten, reads_alone, split_number
from matgrad.formula.syntax import SCALAR, Call, Expr, Type, index_items


def to_text(expr: Expr, *, decimals: bool = True) -> str:
    """The formula in the language of matgrad; numbers such as 1/2 print as 0.5 if ``decimals``.

    >>> x, n = Expr("name", value="x"), Expr("number", value=2)
    >>> to_text(Expr("neg", (Expr("power", (Expr("add", (x, Expr("neg", (n,)))), n), "^"),)))
    '-(x - 2)^2'
    """
    return _Text(decimals).print(expr)


class _Text(Printer):
    def __init__(self, decimals: bool) -> None:
        self.decimals = decimals

    def visit_number(self, node: Expr, pieces: list[Piece]) -> Piece:  # noqa: ARG002
        top, bottom = split_number(node.value, self.decimals)
        if bottom:
            return Piece(PRODUCT, (top, "/", bottom), negative=node.value < 0)
        return Piece(ATOM, (top,), negative=node.value < 0)

    def visit_constant(self, node: Expr, pieces: list[Piece]) -> Piece:  # noqa: ARG002
        return Piece(ATOM, (node.value,))

    visit_name = visit_constant

    def visit_product(self, node: Expr, pieces: list[Piece]) -> Piece:
        first, leading = pieces[0], node.args[0]
        bare = leading.args[0] if leading.op == "neg" else leading
        if not reads_alone(bare, zip(node.value, node.args[1:], strict=True)):
            first = replace(self.fence(replace(first, negative=False)), negative=first.negative)
        parts: list[str | Piece] = [self.fence(first) if first.level < PRODUCT else first]
        for operator, piece in zip(node.value, pieces[1:], strict=True):
            parts += [" ⊗ " if operator == "⊗" else operator, self.at_least(piece, POSTFIX)]
        return Piece(PRODUCT, tuple(parts), negative=first.negative and first.level >= PRODUCT)

    def visit_power(self, node: Expr, pieces: list[Piece]) -> Piece:
        base, exponent = pieces
        operator = node.value
        fenced = self.fence(exponent) if exponent.level < ATOM else self.signed(exponent)
        return Piece(POSTFIX, (self._postfix_base(base), operator, fenced), operator=operator)

    def visit_transpose(self, node: Expr, pieces: list[Piece]) -> Piece:  # noqa: ARG002
        return Piece(POSTFIX, (self._postfix_base(pieces[0]), "'"))

    def _postfix_base(self, piece: Piece) -> Piece:
        """Postfix operators follow each other left to right; only ``x^2'`` is clearer as ``(x^2)'``."""
        return self.fence(piece) if piece.operator in ("^", ".^") else self.at_least(piece, POSTFIX)

    def visit_call(self, node: Expr, pieces: list[Piece]) -> Piece:
        call: Call = node.value
        if not pieces:
            return Piece(ATOM, (call.name,))
        dim = f", dim={call.dim}" if call.dim is not None else ""
        return Piece(ATOM, (call.name, "'" * call.primes, "(", self.commas(pieces), dim, ")"))

    def visit_index(self, node: Expr, pieces: list[Piece]) -> Piece:
        base = pieces[0]
        fenced = self._postfix_base(base)
        level = ATOM if fenced.level == ATOM else POSTFIX
        return Piece(level, (fenced, "[", *index_parts(node, pieces), "]"))

    def visit_stack(self, node: Expr, pieces: list[Piece]) -> Piece:
        return Piece(ATOM, ("[", self.join([self.commas(row) for row in stack_rows(node, pieces)], "; "), "]"))

    def visit_einsum(self, node: Expr, pieces: list[Piece]) -> Piece:
        return Piece(ATOM, (f'einsum("{node.value}", ', self.commas(pieces), ")"))


def index_parts(node: Expr, pieces: list[Piece]) -> list[str | Piece]:
    """The items of an index, as typed: ``1,:`` or ``2:5`` or ``m + 1:m + n``."""
    parts: list[str | Piece] = []
    for item in index_items(node, pieces[1:]):
        parts += [","] if parts else []
        first, *last = item if isinstance(item, tuple) else (item,)
        parts.append(":" if item is None else _tight(first))
        parts += [":", _tight(last[0])] if last else []
    return parts


def _tight(item: int | Piece) -> str:
    """A position without spaces: m+1."""
    return str(item) if isinstance(item, int) else flatten(item).replace(" ", "")


def stack_rows(node: Expr, pieces: list[Piece]) -> list[list[Piece]]:
    """The entries of a stack, row by row."""
    rows, start = [], 0
    for count in node.value:
        rows.append(pieces[start : start + count])
        start += count
    return rows


_MATRIX_TRAITS = ("spd", "psd", "diagonal", "symmetric", "orthogonal", "lower", "upper")


def type_text(type: Type, traits: Collection[str] = ()) -> str:
    """A declaration: ``matrix(m, n)``, ``spd(n)``, ``positive vector(n)``, ``positive`` for a positive scalar.

    >>> from matgrad.dims import Dim
    >>> n = Dim.of("n")
    >>> type_text(Type("matrix", (n, n)), {"symmetric", "spd"}), type_text(Type("vector", (n,)), {"positive"})
    ('spd(n)', 'positive vector(n)')
    """
    sign = next((t for t in ("positive", "nonnegative") if t in traits), "")
    if type.kind == SCALAR:
        return sign or SCALAR
    special = next((t for t in _MATRIX_TRAITS if t in traits), "")
    dims = type.dims[:1] if special else type.dims
    body = f"{special or type.kind}({', '.join(map(str, dims))})"
    return f"{sign} {body}" if sign else body


def declaration_text(type: Type) -> str:
    """A type in the words of a declaration.

    >>> from matgrad.dims import Dim
    >>> declaration_text(Type("matrix", (Dim.of("m"), Dim.of(3))))
    'matrix(m,3)'
    """
    return type.kind + (f"({','.join(map(str, type.dims))})" if type.dims else "")
