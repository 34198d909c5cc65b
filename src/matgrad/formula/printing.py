"""What all printers share: levels of precedence, brackets, signs, numbers and names.

A printer turns each node into a ``Piece``: text in parts, its level, and its sign kept apart, so that a sum
can write ``a - b`` where the tree has ``a + neg(b)`` and a product can pull the minus out of its first factor.
Parts are nested, not joined, until the end: printing is linear in the length of the result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from matgrad.formula.syntax import SCALAR, Expr, fold

SUM, JOINT, PRODUCT, UNARY, POSTFIX, ATOM = range(6)
"""Levels, loosest first. JOINT is ``∘ ⊘ ⊗`` where products are written by juxtaposition; in text, which
has one level for all of them, it is not used. UNARY is a call written without brackets, such as ``√x``."""


@dataclass(slots=True, eq=False)
class Piece:
    """A printed node, without its minus sign if ``negative``; never changed once it is made.

    ``tall`` asks for large brackets; ``closed`` says that it ends in a bracket or a superscript; ``operator``
    is the one at its top; ``script`` holds base and superscript, so that transposes and inverses can join;
    ``bars`` counts fraction bars one over the other, its own and those of its parts.
    """

    level: int
    parts: tuple[str | Piece, ...]
    negative: bool = False
    tall: bool = False
    closed: bool = False
    operator: str = ""
    script: tuple[Piece, str] | None = None
    bars: int = 0

    def __post_init__(self) -> None:
        for part in self.parts:
            if isinstance(part, Piece) and part.bars > self.bars:
                self.bars = part.bars


def flatten(piece: Piece) -> str:
    out: list[str] = []
    stack: list[str | Piece] = [piece]
    while stack:
        top = stack.pop()
        if isinstance(top, str):
            out.append(top)
        else:
            stack.extend(reversed(top.parts))
    return "".join(out)


def reads_alone(factor: Expr, operators: Iterable[tuple[str, Expr]]) -> bool:
    """Whether a product that leads another needs no brackets to be read right by a person.

    The grammar reads from left to right, people do not: (x'*A*x)*B, (u.*v)*w and (A*x).*y keep theirs.
    """
    if factor.op != "product" or factor.type is None:
        return True
    rest = [operator for operator, other in operators if operator != "/" and other.type and other.kind != SCALAR]
    if not rest:
        return True
    if factor.kind == SCALAR:
        return all(a.type is not None and a.kind == SCALAR for a in factor.args)
    own = {o in (".*", "./") for o, a in zip(factor.value, factor.args[1:], strict=True) if a.kind != SCALAR}
    return own <= {rest[0] in (".*", "./")}


def leading_joined(root: Expr) -> Expr:
    """Products that lead others without brackets are part of them: (u/v)/4 is u/v/4, as it is read back."""

    def visit(expr: Expr, args: list[Expr]) -> Expr:
        if any(new is not old for new, old in zip(args, expr.args, strict=True)):
            expr = expr.replace(args=tuple(args))
        first, *rest = expr.args if expr.op == "product" else (expr,)
        if expr.op == "product" and first.op == "product" and first.type is not None:
            if reads_alone(first, zip(expr.value, rest, strict=True)):
                return expr.replace(args=(*first.args, *rest), value=(*first.value, *expr.value))
        return expr

    found: Expr = fold(root, visit)
    return found


class Printer:
    """One method per operation, called with the node and the pieces of its arguments."""

    minus = "-"
    opening, closing = "(", ")"
    tall_opening, tall_closing = "(", ")"

    def print(self, expr: Expr) -> str:
        return flatten(self.signed(fold(expr, self.visit)))

    def visit(self, node: Expr, pieces: list[Piece]) -> Piece:
        method: Callable[[Expr, list[Piece]], Piece] | None = getattr(self, "visit_" + node.op, None)
        if method is None:
            raise NotImplementedError(f"{type(self).__name__} has no rule for {node.op!r}")
        return method(node, pieces)

    def signed(self, piece: Piece) -> Piece:
        """The piece with its minus sign written out."""
        if not piece.negative:
            return piece
        return Piece(min(piece.level, PRODUCT), (self.minus, piece), tall=piece.tall, closed=piece.closed)

    def fence(self, piece: Piece) -> Piece:
        left, right = (self.tall_opening, self.tall_closing) if piece.tall else (self.opening, self.closing)
        return Piece(ATOM, (left, self.signed(piece), right), tall=piece.tall, closed=True)

    def at_least(self, piece: Piece, level: int) -> Piece:
        """The piece, in brackets if it binds less tightly than ``level`` or has a sign."""
        return self.fence(piece) if piece.level < level or piece.negative else piece

    def commas(self, pieces: Iterable[Piece], separator: str = ", ") -> Piece:
        return self.join([self.signed(p) for p in pieces], separator)

    def join(self, pieces: list[Piece], separator: str) -> Piece:
        parts: list[str | Piece] = []
        for piece in pieces:
            parts += [separator, piece] if parts else [piece]
        return Piece(SUM, tuple(parts), tall=any(p.tall for p in pieces))

    def visit_add(self, node: Expr, pieces: list[Piece]) -> Piece:  # noqa: ARG002
        parts: list[str | Piece] = []
        for piece in pieces:
            if parts:
                parts += [f" {self.minus} " if piece.negative else " + ", piece]
            else:
                parts += [self.minus, piece] if piece.negative else [piece]
        return Piece(SUM, tuple(parts), tall=any(p.tall for p in pieces))

    def visit_neg(self, node: Expr, pieces: list[Piece]) -> Piece:  # noqa: ARG002
        (piece,) = pieces
        if piece.level == SUM or piece.negative:
            piece = self.fence(piece)
        return replace(piece, negative=True)


def split_number(value: Fraction, decimals: bool) -> tuple[str, str]:
    """Numerator and denominator as text, without the sign; the denominator is empty for what prints as one number.

    Fractions of few digits stay fractions unless ``decimals``; long ones are made of decimals where these are shorter.

    >>> split_number(Fraction(1, 2), True), split_number(Fraction(1, 2), False), split_number(Fraction(1, 3), True)
    (('0.5', ''), ('1', '2'), ('1', '3'))
    >>> split_number(Fraction("1.7320508075688772"), False), split_number(3 / Fraction("1.7320508075688773"), False)
    (('1.7320508075688772', ''), ('3', '1.7320508075688773'))
    """
    value = abs(value)
    if decimals and (10**_PLACES * value).denominator == 1:
        return decimal_text(value), ""
    above, below = decimal_parts(value)
    return decimal_text(above), "" if below == 1 else decimal_text(below)


_PLACES = 8
"""Decimal places up to which a number is a decimal, where decimals are wanted."""
_FEW = 9
"""Digits of a fraction, numerator and denominator together, that are easily read."""


def is_short(value: Fraction) -> bool:
    """Whether the fraction is easily read as one."""
    return len(f"{value.numerator}{value.denominator}") <= _FEW


def decimal_parts(value: Fraction) -> tuple[Fraction, Fraction]:
    """A positive number as a quotient of two that have finite decimals, in as few characters as possible.

    >>> decimal_parts(Fraction(3, 4)), decimal_parts(3 / Fraction("1.7320508075688773"))[0]
    ((Fraction(3, 1), Fraction(4, 1)), Fraction(3, 1))
    """
    top, bottom = Fraction(value.numerator), Fraction(value.denominator)
    if is_short(value) or value.denominator == 1:
        return top, bottom
    above, below = _without_tens(value.numerator), _without_tens(value.denominator)
    found = [(value * below, below), (above, above / value), (top, bottom)]
    return min(found, key=lambda pair: _length(*pair))


def _length(above: Fraction, below: Fraction) -> int:
    """One number is preferred to a quotient of two that is hardly shorter."""
    return len(decimal_text(above)) + (0 if below == 1 else len(decimal_text(below)) + 3)


def _without_tens(number: int) -> Fraction:
    """A whole number without its factors 2 and 5: in a denominator, what keeps a decimal from ending."""
    for prime in (2, 5):
        while number % prime == 0:
            number //= prime
    return Fraction(number)


def decimal_text(value: Fraction) -> str:
    """A number whose decimals end; what is large or small is written with an exponent, as Python does.

    >>> decimal_text(Fraction(1, 40)), decimal_text(Fraction("1.5e-7")), decimal_text(Fraction(10) ** 20)
    ('0.025', '1.5e-7', '1e20')
    """
    places = 0
    while (value * 10**places).denominator != 1:
        places += 1
    digits = str(value * 10**places)
    exponent = len(digits) - 1 - places
    if not places:
        plain = digits
    elif exponent >= 0:
        plain = f"{digits[:-places]}.{digits[-places:]}"
    else:
        plain = "0." + digits.rjust(places, "0")
    if -5 < exponent < 16:
        return plain
    leading, rest = digits[0], digits[1:].rstrip("0")
    scientific = f"{leading}.{rest}e{exponent}" if rest else f"{leading}e{exponent}"
    return scientific if len(scientific) < len(plain) else plain


GREEK = dict(
    zip(
        ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu",
         "xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta",
         "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"),
        "αβγδεζηθικλμνξοπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ",
        strict=True,
    )
)  # fmt: skip
SPELLED = {letter: name for name, letter in GREEK.items()}

_NAME = re.compile(r"(?P<base>.*?[^\W\d_])_*(?P<sub>\d+)|(?P<base2>[^\W_]+?)_(?P<sub2>\w+)")


def split_name(name: str) -> tuple[str, str]:
    """A name and its subscript.

    >>> split_name("W1"), split_name("a_max"), split_name("loss"), split_name("lambda_2")
    (('W', '1'), ('a', 'max'), ('loss', ''), ('lambda', '2'))
    """
    found = _NAME.fullmatch(name)
    if not found:
        return name, ""
    groups: dict[str, Any] = found.groupdict()
    return groups["base"] or groups["base2"], groups["sub"] or groups["sub2"]


def distinct(names: Iterable[str], shown: Callable[[str], str], plain: Callable[[str], str]) -> dict[str, str]:
    """How each name is shown; one that would look like another (W1 and W_1) is shown plainly, as it is typed."""
    table: dict[str, str] = {}
    for name in names:
        text = shown(name)
        if name not in table:
            table[name] = plain(name) if text in table.values() else text
    return table
