"""Rational numbers: most coefficients are the number 1, and arithmetic of fractions is slow."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

ONE = Fraction(1)

_SMALL = {value: Fraction(value) for value in range(-9, 10) if value} | {1: ONE}
"""Numbers that are made often."""

LARGEST = 4096
"""Bits of a number up to which a power of it is computed."""


def as_fraction(value: Fraction | int) -> Fraction:
    """The number as a fraction, 1 as ``ONE``."""
    if value is ONE:
        return ONE
    if isinstance(value, Fraction):
        return ONE if value.numerator == value.denominator else value
    return _SMALL.get(value) or Fraction(value)


def times(left: Fraction, right: Fraction) -> Fraction:
    """left·right: most coefficients are the number 1, and arithmetic of fractions is slow."""
    return right if left is ONE else left if right is ONE else as_fraction(left * right)


def rational_power(value: Fraction, exponent: Fraction) -> Fraction | None:
    """value^exponent where that is rational, else None.

    >>> rational_power(Fraction(4, 9), Fraction(-1, 2)), rational_power(Fraction(2), Fraction(1, 2))
    (Fraction(3, 2), None)
    """
    if value is ONE:
        return ONE
    size = abs(exponent.numerator) * max(value.numerator.bit_length(), value.denominator.bit_length())
    if size > LARGEST or (value == 0 and exponent < 0):
        return None
    if exponent.denominator == 1:
        return value**exponent.numerator
    if exponent.denominator != 2 or value <= 0:
        return ONE if value == 1 else None
    top, bottom = isqrt(value.numerator), isqrt(value.denominator)
    if top * top != value.numerator or bottom * bottom != value.denominator:
        return None
    return Fraction(top, bottom) ** exponent.numerator
