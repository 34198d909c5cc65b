"""Python and NumPy numbers, and the few constant arrays that have a formula."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from numbers import Rational, Real
from typing import Any

import numpy as np

from matgrad.dims import Dim
from matgrad.errors import MatgradError, NotSupported
from matgrad.formula.syntax import SCALAR_TYPE, Expr
from matgrad.objects.elementwise import multiply
from matgrad.objects.value import Value, eye, literal, ones


def number(given: Any) -> Value:
    """A number, exactly as written: 0.1 is 1/10, and the float nearest to π is π.

    A float of less precision is the number that NumPy computes with.

    >>> number(0.5).expr, number(math.pi).expr, float(number(np.float32(0.1)).expr.value)
    (number(Fraction(1, 2)), constant('pi'), 0.10000000149011612)
    """
    if isinstance(given, bool | np.bool_):
        raise MatgradError(
            "True and False are no numbers here: == and != compare formulas as a whole",
            hint="a test such as x > 0, in np.where(x > 0, x, 0) or (x > 0)*x",
        )
    if isinstance(given, Rational | np.integer):
        return literal(Fraction(int(given.numerator), int(given.denominator)))
    if isinstance(given, Real | Decimal | np.floating):
        if not math.isfinite(given):
            raise NotSupported(f"{given} is not a number that a formula can hold")
        return Value(Expr("constant", value="pi", type=SCALAR_TYPE)) if given == math.pi else literal(_exact(given))
    raise NotSupported(f"all numbers are real, and this is {type(given).__name__}")


def _exact(given: Any) -> Fraction:
    """A simple fraction that is this float, such as 1/3; else the decimal number that Python prints."""
    simple = Fraction(float(given)).limit_denominator(1000)
    if float(simple) == float(given):
        return simple
    return Fraction(str(given if isinstance(given, Decimal) else float(given)))


def array(given: Any) -> Value:
    """A constant array: all entries alike, or a multiple of the identity. Others need a name."""
    try:
        found = np.asarray(given)
    except ValueError as error:
        raise NotSupported("this is not an array: its rows differ in length") from error
    if found.dtype.kind not in "iuf":
        raise NotSupported(f"an array of dtype {found.dtype} cannot stand in a formula", hint=_named(found.shape))
    if found.ndim == 0:
        return number(found[()])
    if found.ndim > 2 or found.size == 0:
        raise NotSupported(f"a constant array of shape {found.shape} cannot stand in a formula")
    dims = [Dim.of(size) for size in found.shape]
    if np.all(found == found.flat[0]):
        return multiply(number(found.flat[0]), Value(ones(*dims)))
    if found.ndim == 2 and found.shape[0] == found.shape[1] and np.array_equal(found, found[0, 0] * np.eye(len(found))):
        return multiply(number(found[0, 0]), Value(eye(dims[0])))
    raise NotSupported(
        f"an array of numbers, here of shape {found.shape}, needs a name in a formula", hint=_named(found.shape)
    )


def _named(shape: tuple[int, ...]) -> str | None:
    """The variable to put in the place of an array of this shape."""
    if len(shape) not in (1, 2):
        return None
    name, kind = ("b", "vector") if len(shape) == 1 else ("B", "matrix")
    sizes = ", ".join(map(str, shape))
    return f'{name} = matgrad.{kind}("{name}", {sizes}) in its place, and the numbers at evaluation: f({name}=…)'
