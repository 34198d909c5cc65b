"""The numbers of exact evaluation: residues modulo a prime and fractions, without rounding, and fifty digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from matgrad.errors import NotSupported
from matgrad.functions import card

DIGITS = 50
PRIME = 2**61 - 1


class NotRational(Exception):
    """The formula has functions or roots that residues do not have."""


class Unlucky(Exception):
    """The formula has no value at this point: a zero division, a singular matrix, a negative logarithm."""


class Residue:
    """An integer modulo a prime, with the four operations.

    >>> Residue(3) / Residue(7) * Residue(7) == Residue(3)
    True
    """

    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        self.value = value % PRIME

    def __add__(self, other: Residue | int) -> Residue:
        return Residue(self.value + _int(other)) if isinstance(other, Residue | int) else NotImplemented

    def __sub__(self, other: Residue | int) -> Residue:
        return Residue(self.value - _int(other)) if isinstance(other, Residue | int) else NotImplemented

    def __mul__(self, other: Residue | int) -> Residue:
        return Residue(self.value * _int(other)) if isinstance(other, Residue | int) else NotImplemented

    def __truediv__(self, other: Residue | int) -> Residue:
        if not isinstance(other, Residue | int):
            return NotImplemented
        below = _int(other) % PRIME
        if below == 0:
            raise Unlucky
        return Residue(self.value * pow(below, -1, PRIME))

    def __rtruediv__(self, other: int) -> Residue:
        return Residue(other) / self

    def __rsub__(self, other: int) -> Residue:
        return Residue(other - self.value)

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Residue:
        return Residue(-self.value)

    def __pow__(self, count: int) -> Residue:
        if count < 0 and self.value == 0:
            raise Unlucky
        return Residue(pow(self.value, count, PRIME))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Residue | int) and self.value == _int(other) % PRIME

    def __hash__(self) -> int:
        return hash(self.value)


def _int(other: Residue | int) -> int:
    return other.value if isinstance(other, Residue) else other


class Residues:
    """Arithmetic modulo the prime."""

    def number(self, value: Fraction) -> Residue:
        return Residue(value.numerator) / Residue(value.denominator)

    def constant(self, name: str) -> Any:
        raise NotRational(name)

    def function(self, name: str) -> Callable[[Any], Any]:
        raise NotRational(name)

    def positive(self, value: Any) -> bool:
        raise NotRational(value)

    def power(self, base: Any, exponent: Any) -> Any:
        """A power that is no whole one."""
        raise NotRational(base, exponent)

    def size(self, value: Any) -> float:
        """What pivots are chosen by: any but zero will do."""
        return float(value != 0)


class Digits:
    """Arithmetic with fifty digits."""

    def __init__(self) -> None:
        from mpmath import MPContext  # type: ignore[import-untyped, unused-ignore]

        self.mp = MPContext()
        self.mp.dps = DIGITS

    def number(self, value: Fraction) -> Any:
        return self.mp.mpf(value.numerator) / value.denominator

    def constant(self, name: str) -> Any:
        return +getattr(self.mp, name)

    def function(self, name: str) -> Callable[..., Any]:
        mp = self.mp
        known = card(name)
        chosen: Callable[..., Any] | None = _WITH_DIGITS.get(name) or (known.exact if known else None)
        if chosen is None:
            raise NotSupported(f"{name} has no exact value")

        def apply(*values: Any) -> Any:
            found = chosen(mp, *values)
            if isinstance(found, mp.mpc) or not mp.isfinite(found):
                raise Unlucky
            return found

        return apply

    def positive(self, value: Any) -> bool:
        return bool(value > 0)

    def power(self, base: Any, exponent: Any) -> Any:
        if base < 0 or (base == 0 and exponent < 0):
            raise Unlucky
        return base**exponent

    def size(self, value: Any) -> float:
        return float(abs(value))


class Fractions:
    """Rational arithmetic. Functions have a value where their cards say one, as cosh(0) = 1; roots, where rational.

    >>> Fractions().function("log")(Fraction(1)), Fractions().power(Fraction(4, 9), Fraction(1, 2))
    (Fraction(0, 1), Fraction(2, 3))
    """

    def number(self, value: Fraction) -> Fraction:
        return value

    def constant(self, name: str) -> Any:
        raise NotRational(name)

    def function(self, name: str) -> Callable[[Any], Any]:
        known = card(name)
        facts: Mapping[str, str] = known.facts if known else {}

        def apply(value: Fraction, *others: Fraction) -> Fraction:
            if not others and name in _OF_FRACTIONS:
                return Fraction(_OF_FRACTIONS[name](value))
            found = facts.get(f"at {value}") if not others else None
            if name == "sqrt":
                return self.power(value, Fraction(1, 2))
            if found is None:
                raise NotRational(name, value)
            return Fraction(found)

        return apply

    def positive(self, value: Any) -> bool:
        return bool(value > 0)

    def power(self, base: Fraction, exponent: Fraction) -> Fraction:
        if base < 0 or (base == 0 and exponent < 0):
            raise Unlucky
        root = Fraction(_root(base.numerator, exponent.denominator), _root(base.denominator, exponent.denominator))
        return root**exponent.numerator

    def size(self, value: Any) -> float:
        return float(value != 0)


def _root(value: int, order: int) -> int:
    """The whole root of a whole number, if it has one."""
    guess = round(value ** (1 / order)) if value < 2**50 else -1
    if guess**order != value:
        raise NotRational(value)
    return guess


Field = Residues | Digits | Fractions

_OF_FRACTIONS: dict[str, Callable[[Fraction], Any]] = {
    "abs": abs,
    "sign": lambda x: (x > 0) - (x < 0),
    "step": lambda x: x > 0,
    "relu": lambda x: max(x, 0),
}

_WITH_DIGITS: dict[str, Callable[[Any, Any], Any]] = {
    "abs": lambda mp, x: abs(x),
    "sign": lambda mp, x: mp.sign(x),
    "step": lambda mp, x: mp.mpf(x > 0),
    "relu": lambda mp, x: x if x > 0 else mp.mpf(0),
}
