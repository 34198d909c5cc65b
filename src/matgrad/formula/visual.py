"""What the printers for reading share: products by juxtaposition, superscripts, templates of cards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import groupby
from typing import NamedTuple

from matgrad.formula.printing import (
    ATOM,
    JOINT,
    POSTFIX,
    PRODUCT,
    SUM,
    UNARY,
    Piece,
    Printer,
    distinct,
    flatten,
    leading_joined,
    reads_alone,
    split_number,
)
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Call, Expr, product_kind, walk
from matgrad.functions import card
from matgrad.functions.card import Card


class Marks(NamedTuple):
    """The signs in which the visual printers differ."""

    times: str
    hadamard: str
    division: str
    kronecker: str
    transpose: str
    inverse: str
    inverse_transpose: str


def kind_of(expr: Expr) -> str | None:
    return expr.type.kind if expr.type is not None else None


class Visual(Printer):
    """Unicode and LaTeX; subclasses give signs, names, superscripts and quotients."""

    marks: Marks
    prime = "'"
    marks_exponents = False
    """Whether 2^x of a vector x says that the power is entry by entry, so that it can be read back."""

    def __init__(self, expr: Expr, special: Mapping[str, Piece] | None = None) -> None:
        """``special`` says how some names are written, by those who make them up: dx, ∂L/∂y."""
        self.special = special or {}
        self.names: dict[str, str] = {}
        kinds: dict[str, str | None] = {}
        for node in walk(expr):
            if node.op == "name":
                kinds.setdefault(node.value, kind_of(node))
        self.names = distinct(kinds, lambda name: self.show_name(name, kinds[name]), self.show_plainly)

    def print(self, expr: Expr) -> str:
        return super().print(leading_joined(expr))

    # What subclasses decide.

    def show_name(self, name: str, kind: str | None) -> str:
        raise NotImplementedError

    def show_plainly(self, name: str) -> str:
        return name

    def visit_number(self, node: Expr, pieces: list[Piece]) -> Piece:
        raise NotImplementedError

    def superscript(self, base: Piece, exponent: Piece, entrywise: bool) -> Piece:
        raise NotImplementedError

    def quotient(self, left: Piece, right: Piece) -> Piece:
        raise NotImplementedError

    def template(self, entry: Card, node: Expr) -> str:
        raise NotImplementedError

    def apply(self, function: str, arguments: Piece, dim: int | None) -> Piece:
        raise NotImplementedError

    # What they share.

    def visit_name(self, node: Expr, pieces: list[Piece]) -> Piece:  # noqa: ARG002
        if node.value in self.special:
            return self.special[node.value]
        return Piece(ATOM, (self.names[node.value],))

    def visit_product(self, node: Expr, pieces: list[Piece]) -> Piece:
        node, pieces = self._fraction_apart(node, pieces)
        left, kind = pieces[0], kind_of(node.args[0])
        if kind == SCALAR and not reads_alone(node.args[0], zip(node.value, node.args[1:], strict=True)):
            left = self.fence(left)
        for operator, right, other in self._divisors_joined(node, pieces):
            shown = _as_scalar_product(operator, kind, other)
            if left.negative and left.level == SUM:
                left = self.fence(left)
            negative = left.negative
            left = replace(self.combine(replace(left, negative=False), shown, right), negative=negative)
            kind = product_kind(kind, operator, other) if kind and other else None
        return left

    def _fraction_apart(self, node: Expr, pieces: list[Piece]) -> tuple[Expr, list[Piece]]:
        """1/2/(c^2 + 1) as 1/2/(c^2 + 1) was typed, with 2 a divisor like the next one: 1/(2 (c^2 + 1))."""
        first = node.args[0]
        if first.op != "number" or node.value[0] != "/" or pieces[0].level == ATOM:
            return node, pieces
        top, bottom = (
            Expr("number", value=Fraction(part), type=first.type) for part in split_number(first.value, False)
        )
        shown = [replace(self.visit_number(top, []), negative=pieces[0].negative), self.visit_number(bottom, [])]
        apart = node.replace(args=(top, bottom, *node.args[1:]), value=("/", *node.value))
        return apart, [*shown, *pieces[1:]]

    def _divisors_joined(self, node: Expr, pieces: list[Piece]) -> Iterator[tuple[str, Piece, str | None]]:
        """Operator, right side and its kind; what is divided by one after the other is divided by at once: x/(q s²)."""
        steps = zip(node.value, pieces[1:], node.args[1:], strict=True)
        for divides, group in groupby(steps, key=lambda step: step[0] == "/" and kind_of(step[2]) == SCALAR):
            found = list(group)
            rights: dict[Expr, list[Piece]] = {}
            for _, right, factor in found if divides and len(found) > 1 else ():
                rights.setdefault(factor, []).append(right)
            whole = self._times_each(list(rights.values())) if rights else None
            if whole is None:
                yield from ((operator, right, kind_of(factor)) for operator, right, factor in found)
            else:
                yield "/", whole, SCALAR

    def _times_each(self, groups: list[list[Piece]]) -> Piece | None:
        """The product of scalars, equal ones as powers and a number first; None where numbers would meet."""
        numbers = [flatten(self.signed(group[0]))[:1].isdigit() for group in groups]
        if sum(numbers) > 1 or any(len(group) > 1 for group, number in zip(groups, numbers, strict=True) if number):
            return None
        powers = [
            group[0] if len(group) == 1
            else self.superscript(self.at_least(group[0], ATOM), Piece(ATOM, (str(len(group)),)), False)
            for group in groups
        ]  # fmt: skip
        first = numbers.index(True) if any(numbers) else 0
        whole = powers.pop(first)
        for right in powers:
            whole = self.combine(whole, "*", right)
        return whole

    def combine(self, left: Piece, operator: str, right: Piece) -> Piece:
        """``left operator right``: juxtaposed, as a quotient, or joined by a sign."""
        if operator == "/":
            return self.quotient(left, right)
        if operator == "*":
            return self.juxtapose(self.at_least(left, PRODUCT), self.at_least(right, UNARY))
        sign = {".*": self.marks.hadamard, "./": self.marks.division, "⊗": self.marks.kronecker}[operator]
        chained = left.level == JOINT and left.operator == operator != "./"
        left = self.at_least(left, JOINT if chained else PRODUCT)
        right = self.at_least(right, UNARY)
        tall = left.tall or right.tall
        return Piece(JOINT, (left, f" {sign} ", right), tall=tall, closed=right.closed, operator=operator)

    def juxtapose(self, left: Piece, right: Piece) -> Piece:
        """A number on the right needs a dot; a bracket after a bracket or superscript needs no space."""
        fenced = right.closed and right.level == ATOM and right.script is None
        gap = f" {self.marks.times} " if right.operator == "number" else "" if left.closed and fenced else " "
        return Piece(PRODUCT, (left, gap, right), tall=left.tall or right.tall, closed=right.closed)

    def decimal(self, number: str) -> Piece:
        """A number as it is written in text, with a power of ten for ``1.5e-7``."""
        leading, _, exponent = number.partition("e")
        if not exponent:
            return Piece(ATOM, (number,), operator="number")
        power = self.superscript(Piece(ATOM, ("10",)), Piece(ATOM, (exponent,)), entrywise=False)
        if leading == "1":
            return replace(power, operator="number")
        return Piece(PRODUCT, (leading, f" {self.marks.times} ", power), operator="number")

    def visit_power(self, node: Expr, pieces: list[Piece]) -> Piece:
        base, exponent = pieces
        base_node = node.args[0]
        array = self.marks_exponents and kind_of(node.args[1]) in (VECTOR, ROW, MATRIX)
        entrywise = node.value == ".^" and (array or kind_of(base_node) != SCALAR)
        inverse = base.script is not None and base.script[1] == self.marks.inverse and not base.negative
        if node.value == "^" and inverse and node.args[1].op == "number" and base.script is not None:  # X^-2
            return self.superscript(base.script[0], replace(exponent, negative=True), entrywise)
        return self.superscript(self.at_least(base, ATOM), exponent, entrywise)

    def visit_transpose(self, node: Expr, pieces: list[Piece]) -> Piece:
        (piece,) = pieces
        if kind_of(node) == SCALAR:
            return piece
        return self.scripted(piece, self.marks.transpose, self.marks.inverse)

    def scripted(self, piece: Piece, mark: str, other: str) -> Piece:
        """The piece with a transpose or inverse sign; one that has the other sign already gets both in one."""
        if piece.script is not None and piece.script[1] == other and not piece.negative:
            base, mark = piece.script[0], self.marks.inverse_transpose
        else:
            base = self.at_least(piece, ATOM)
        return Piece(POSTFIX, (base, mark), tall=base.tall, closed=True, script=(base, mark))

    def visit_call(self, node: Expr, pieces: list[Piece]) -> Piece:
        call: Call = node.value
        entry = card(call.name) if not call.primes else None
        if entry is None:
            special = self.special.get(call.name)
            name = self.show_name(call.name, SCALAR) if special is None else flatten(special)
            return self.apply(name + self.prime * call.primes, self.commas(pieces), None)
        if call.name == "inv":
            return self.scripted(pieces[0], self.marks.inverse, self.marks.transpose)
        if call.name in ("vector", "matrix", "ones", "zeros", "eye"):
            return self.constant(call.name, node, pieces)
        template = self.template(entry, node)
        if call.dim is not None or "#1" not in template:
            template = entry.name if call.dim is not None and "#1" in template else template
            return self.apply(template, self.commas(pieces), call.dim)
        return self.fill(template, pieces)

    def constant(self, name: str, node: Expr, pieces: list[Piece]) -> Piece:
        """The identity, and arrays of equal entries: ``c 𝟏``."""
        if name == "eye":
            return self.identity(node, self.template(_card("eye"), node))
        value = pieces[0] if name in ("vector", "matrix") else None
        number = node.args[0].value if value is not None and node.args[0].op == "number" else None
        zero = name == "zeros" or number == 0
        sized = self.constant_array(node, self.template(_card("zeros" if zero else "ones"), node), zero)
        if value is None or number in (0, 1):
            return sized
        negative = value.negative
        return replace(self.juxtapose(self.at_least(replace(value, negative=False), PRODUCT), sized), negative=negative)

    def identity(self, node: Expr, sign: str) -> Piece:  # noqa: ARG002
        return Piece(ATOM, (sign,))

    def constant_array(self, node: Expr, sign: str, zero: bool) -> Piece:
        """An array of zeros or of ones, whose usual sign this is."""
        raise NotImplementedError

    def fill(self, template: str, pieces: list[Piece]) -> Piece:
        """A template with its arguments, each in brackets where the template does not enclose it."""
        parts: list[str | Piece] = []
        rest, fenced_all, tall = template, True, False
        for count, piece in enumerate(pieces, 1):
            before, _, rest = rest.partition(f"#{count}")
            free = _encloses(before, rest)
            fenced_all = fenced_all and free
            level = PRODUCT if before.endswith("+ ") else UNARY if " " in before[-1:] + rest[:1] else ATOM
            shown = self.signed(piece) if free else self.at_least(piece, level)
            before, rest = self.stretch(before, rest, piece)
            parts += [before, shown]
            tall = tall or piece.tall
        parts.append(rest)
        return Piece(_template_level(template, fenced_all), tuple(parts), tall=tall, closed=False)

    def stretch(self, before: str, after: str, piece: Piece) -> tuple[str, str]:  # noqa: ARG002
        """The template's own brackets around an argument, made larger where that is tall."""
        return before, after


def _card(name: str) -> Card:
    entry = card(name)
    assert entry is not None
    return entry


def _as_scalar_product(operator: str, left: str | None, right: str | None) -> str:
    """Entrywise operators next to a scalar are ordinary ones: ``c.*x`` reads as ``c x``."""
    if operator == ".*" and SCALAR in (left, right):
        return "*"
    if operator == "./" and right == SCALAR:
        return "/"
    return operator


def _encloses(before: str, after: str) -> bool:
    return before.endswith(("(", "{", "|", "‖", "[", ",", "⁽", r"\lvert ", r"\lVert ")) and after.startswith(
        (")", "}", "|", "‖", "]", ",", "⁾", r"\rvert", r"\rVert")
    )


def _template_level(template: str, fenced: bool) -> int:
    if template.startswith((r"\lvert", r"\lVert", r"\sqrt", r"\mathbf", "|", "‖", "e[")) and fenced:
        return ATOM
    if template.endswith(")") and fenced:  # a function with an argument in its name
        return ATOM
    if r"\otimes" in template or "⊗" in template:
        return JOINT
    return UNARY


def is_matrix_argument(node: Expr) -> bool:
    return bool(node.args) and kind_of(node.args[0]) == MATRIX
