"""Piecewise of SymPy, written with steps."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

from matgrad.errors import NotSupported
from matgrad.objects.comparison import Test, both, either, greater, greater_equal, negated, select
from matgrad.objects.value import Value

Convert = Callable[[Any], Value]


def piecewise(node: Any, convert: Convert) -> Value:
    """The value at the first condition that holds; the last has to be for all that is left."""
    *pairs, (last, otherwise) = node.args
    if otherwise != True:  # noqa: E712  (SymPy's own truth)
        raise NotSupported(
            "Piecewise of SymPy is converted where it says what holds otherwise",
            details=str(node)[:80],
            hint="Piecewise((x**2, x > 0), (0, True))",
        )
    tests = [condition(test, convert) for _, test in pairs]
    return select(tests, [convert(value) for value, _ in pairs], convert(last))


def condition(node: Any, convert: Convert) -> Test:
    """A comparison, or several with and, or, not."""
    name = type(node).__name__
    if name in ("And", "Or"):
        return reduce(both if name == "And" else either, [condition(arg, convert) for arg in node.args])
    if name == "Not":
        return negated(condition(node.args[0], convert))
    if name not in _COMPARISONS:
        raise NotSupported(
            f"the condition {node} of SymPy cannot be converted", hint="x > 0, x >= 0, and these with &, | and ~"
        )
    compare, turned = _COMPARISONS[name]
    left, right = (convert(arg) for arg in node.args)
    return compare(right, left) if turned else compare(left, right)


_COMPARISONS = {
    "StrictGreaterThan": (greater, False), "GreaterThan": (greater_equal, False),
    "StrictLessThan": (greater, True), "LessThan": (greater_equal, True),
}  # fmt: skip
