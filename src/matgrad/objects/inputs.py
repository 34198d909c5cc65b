"""What may stand beside an object: other objects, tests, numbers, some constant arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from matgrad.errors import MatgradError
from matgrad.objects import constants
from matgrad.objects.comparison import Test
from matgrad.objects.value import Value


def as_value(given: Any) -> Value:
    """An operand as a formula. Raises MatgradError for what cannot be one."""
    if isinstance(given, Value):
        return given
    if isinstance(given, Test):
        return given.mask
    if isinstance(given, str):
        raise MatgradError(f"{given!r} is text, and stands beside an object", hint=f'matgrad.scalar("{given}")')
    if isinstance(given, list | tuple | np.ndarray) or (hasattr(given, "__array__") and not np.isscalar(given)):
        return constants.array(given)
    return constants.number(given)


def as_test(given: Any) -> Test:
    if isinstance(given, Test):
        return given
    raise MatgradError(
        f"a test is a comparison of objects, not {type(given).__name__}",
        details="== and != compare formulas as a whole, and give True or False",
        hint="np.where(x > 0, x, 0)",
    )


def values(given: Any) -> list[Value]:
    """A sequence of operands."""
    if isinstance(given, Value):
        raise MatgradError("this takes a list of arrays, not one array", hint="[x, y]")
    return [as_value(one) for one in given]


def nested(given: Any) -> Any:
    """Lists of lists of operands."""
    return [nested(one) for one in given] if isinstance(given, list) else as_value(given)
