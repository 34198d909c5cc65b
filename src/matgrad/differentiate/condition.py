"""One condition under which a derivative holds: what it says, where it holds, which others it says, too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import ge, gt, le, lt, ne
from typing import Any

import numpy as np

from matgrad.formula.masks import is_zero_or_one
from matgrad.formula.syntax import SCALAR, Expr


@dataclass(frozen=True)
class Condition:
    """``expr sign bound``, entry by entry; at a kink ``otherwise`` is what the answer uses instead.

    ``words`` stands for conditions that are no comparison ("the maximum of x is unique"); ``shares`` is then the
    part of each entry in the extremum, a fraction at ties. ``instead`` is another condition that serves as well. It is
    asked for where none of the tests ``under`` which it stands is 0: x > 0 of step(x - 1).*log(x).
    """

    expr: Expr
    sign: str
    bound: str = "0"
    otherwise: str = ""
    words: str = ""
    instead: Condition | None = None
    under: tuple[Expr, ...] = ()
    shares: Expr | None = None

    def fails(self, value: Callable[[Expr], Any]) -> bool:
        """Whether a kink is met where ``value`` gives the values of formulas."""
        if not self.otherwise:
            return False  # outside of the domain of the derivative: no number is used there
        if self.shares is not None:
            found = np.asarray(value(self.shares))
            return bool(np.any((found > 0) & (found < 1)))
        return self.sign == "≠" and bool(np.any(np.asarray(value(self.expr)) == float(self.bound)))

    def holds(self, value: Callable[[Expr], Any]) -> bool:
        """Whether the derivative has a value by this condition, where ``value`` gives the values of formulas."""
        if self.words or self.otherwise:
            return True
        entries = _COMPARED[self.sign](np.asarray(value(self.expr)), float(self.bound))
        for test in self.under:
            entries = entries | (np.asarray(value(test)) == 0)
        found = bool(np.all(entries))
        return found or (self.instead is not None and self.instead.holds(value))

    def at_kink(self, text: Callable[[Expr], str]) -> str:
        """What is said where the condition fails."""
        if self.words:
            fact = self.words.replace("#1", text(self.expr)).replace("is unique", "is not unique")
        else:
            fact = f"{text(self.expr)} = {self.bound}"
            fact = fact if self.expr.kind == SCALAR else f"{fact} at an entry"
        return f"at a kink ({fact}): the answer uses {self.otherwise}"

    def says(self, text: Callable[[Expr], str]) -> str:
        main = self.words.replace("#1", text(self.expr)) or f"{text(self.expr)} {self.sign} {self.bound}"
        main = f"{main} or {self.instead.says(text)}" if self.instead is not None else main
        main = f"{main} where {' and '.join([_held(test, text) for test in self.under])}" if self.under else main
        return f"{main}; elsewhere the answer uses {self.otherwise}" if self.otherwise else main

    def follows_from(self, other: Condition) -> bool:
        """Whether another condition already says so: E > b says E ≥ b and E ≠ b, and E > 0 says sqrt(E) ≠ 0."""
        if self == other or any(c.words or c.instead for c in (self, other)) or self.bound != other.bound:
            return False
        if not set(other.under) <= set(self.under):
            return False
        inner = self.expr
        if self.bound == "0" and inner != other.expr:
            inner = _base(inner)
        if inner != other.expr:
            return False
        if inner is not self.expr and other.sign == "≠":
            return self.sign == "≠"
        if self.sign == other.sign:
            return inner is not self.expr or (bool(self.otherwise) and not other.otherwise)
        return self.sign in _WEAKER.get(other.sign, ())

    def follows_from_tests(self) -> bool:
        """Whether a test under which it stands says so: x > 0 of step(x).*log(x)."""
        return self.bound == "0" and any(
            test.op == "call" and (test.args[0], self.sign) in [(self.expr, sign) for sign in (">", "≥", "≠")]
            for test in self.under
        )


def _held(test: Expr, text: Callable[[Expr], str]) -> str:
    """What a test says where it is not 0."""
    if test.op == "call":
        return f"{text(test.args[0])} > 0"
    inner = test.args[1].args[0] if test.op == "add" and test.args[1].op == "neg" else test
    return f"{text(inner.args[0])} ≤ 0" if inner.op == "call" and is_zero_or_one(test) else f"{text(test)} ≠ 0"


def _base(expr: Expr) -> Expr:
    """E of 2*sqrt(E) and E^3, which are 0 where it is, and have its sign where it is positive."""
    if expr.op == "product" and len(expr.args) == 2 and expr.args[0].op == "number" and expr.value == ("*",):
        expr = expr.args[1]
    known = expr.op == "power" or (expr.op == "call" and expr.value.name == "sqrt")
    return expr.args[0] if known else expr


_COMPARED: dict[str, Callable[..., Any]] = {">": gt, "≥": ge, "<": lt, "≤": le, "≠": ne}

_WEAKER = {">": "≥≠", "<": "≤≠"}
"""What a sign says besides."""
