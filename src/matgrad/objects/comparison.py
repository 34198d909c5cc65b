"""Tests such as ``x > 0``: arrays of 0 and 1, for np.where and as factors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matgrad.objects.elementwise import add, multiply, negative, step, subtract
from matgrad.objects.value import Value, called, literal

ONE = literal(1)


class Test:
    """1 where a comparison holds, 0 elsewhere; ``other`` is the opposite.

    step(0) = 0, so step(a - b) is exactly a > b, and 1 - step(b - a) is exactly a >= b.
    ``positive`` is t for the test t > 0.
    """

    __slots__ = ("mask", "other", "positive")

    def __init__(self, mask: Value, other: Value, positive: Value | None = None) -> None:
        self.mask = mask
        self.other = other
        self.positive = positive


def greater(left: Value, right: Value) -> Test:
    """left > right."""
    difference = _difference(left, right)
    mask = step(difference)
    return Test(mask, subtract(ONE, mask), difference)


def greater_equal(left: Value, right: Value) -> Test:
    return negated(greater(right, left))


def negated(test: Test) -> Test:
    return Test(test.other, test.mask)


def both(left: Test, right: Test) -> Test:
    mask = multiply(left.mask, right.mask)
    return Test(mask, subtract(ONE, mask))


def either(left: Test, right: Test) -> Test:
    return negated(both(negated(left), negated(right)))


def one_of(left: Test, right: Test) -> Test:
    """One of the two, and not both."""
    return either(both(left, negated(right)), both(negated(left), right))


def select(tests: Sequence[Test], choices: Sequence[Value], otherwise: Value) -> Value:
    """The choice at the first test that holds."""
    for test, choice in zip(reversed(tests), reversed(choices), strict=True):
        otherwise = where(test, choice, otherwise)
    return otherwise


LOGICAL: dict[str, Callable[..., Test]] = {
    "logical_and": both, "logical_or": either, "logical_xor": one_of, "logical_not": negated,
    "bitwise_and": both, "bitwise_or": either, "bitwise_xor": one_of, "invert": negated,
}  # fmt: skip
"""NumPy's ufuncs of tests."""


def where(test: Test, then: Value, otherwise: Value) -> Value:
    """mask.*a + (1 - mask).*b; a test t > 0 that chooses t or 0 is relu(t)."""
    if _is_zero(otherwise):
        if test.positive is not None and test.positive == then:
            return then.but(called("relu", then.expr), then.axes)
        return multiply(test.mask, then) if not _is_one(then) else test.mask
    if _is_zero(then):
        return multiply(test.other, otherwise) if not _is_one(otherwise) else test.other
    return add(multiply(test.mask, then), multiply(test.other, otherwise))


def _difference(left: Value, right: Value) -> Value:
    if _is_zero(right):
        return left
    return negative(right) if _is_zero(left) else subtract(left, right)


def _is_zero(value: Value) -> bool:
    return value.expr.op == "number" and value.expr.value == 0 and not value.axes


def _is_one(value: Value) -> bool:
    return value.expr.op == "number" and value.expr.value == 1 and not value.axes
