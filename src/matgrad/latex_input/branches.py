r"""Formulas by cases, ``\begin{cases} x^2 & x > 0 \\ 0 & \text{otherwise} \end{cases}``: written with steps.

step(0) = 0, so that step(a - b) is exactly a > b, and 1 - step(b - a) is exactly a ≥ b. What holds in the first case
whose tests are met is chosen by mask .* value + (1 - mask) .* the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from matgrad.formula.syntax import Call, Expr, fold
from matgrad.latex_input.parts import Part, span_of
from matgrad.latex_input.scanner import Token


class Test(NamedTuple):
    """large > small, or large ≥ small where it is not strict."""

    large: Expr
    small: Expr
    strict: bool

    @property
    def opposite(self) -> Test:
        return Test(self.small, self.large, not self.strict)


class Branches:
    """The rules of the grammar for cases."""

    note: Callable[[str], None]

    def on_test(self, parts: list[Any]) -> list[Test]:
        """``-1 < x \\le 1`` is two tests."""
        tests = []
        for left, token, right in zip(parts[::2], parts[1::2], parts[2::2], strict=False):
            ends = (left.expr, right.expr) if token.value[0] == ">" else (right.expr, left.expr)
            tests.append(Test(*ends, strict=len(token.value) == 1))
        return tests

    def on_tests(self, parts: list[Any]) -> list[Test]:
        return [test for part in parts if isinstance(part, list) for test in part]

    def on_otherwise(self, parts: list[Any]) -> list[Test]:  # noqa: ARG002
        return []

    def on_branch(self, parts: list[Any]) -> tuple[Part, list[Test]]:
        return parts[0], next(part for part in parts[1:] if isinstance(part, list))

    def on_cases(self, parts: list[Any]) -> Part:
        opening, closing = parts[0], parts[-1]
        branches = [part for part in parts if isinstance(part, tuple) and not isinstance(part, Token)]
        writer = _Writer((opening.start, closing.stop))
        (last, tests) = branches[-1]
        before = branches[0][1]
        if tests and not (len(branches) == 2 and len(before) == len(tests) == 1 and tests[0] == before[0].opposite):
            self.note("the last case is read as all that is left")
        whole = last.expr
        for value, chosen in reversed(branches[:-1]):
            whole = writer.choice(chosen, value.expr, whole)
        return Part(whole, opening.start, closing.stop, bracketed=True)


class _Writer:
    """Makes nodes; each has a place that is a tuple of its own, as ``choices`` asks."""

    def __init__(self, span: tuple[int, int]) -> None:
        self.span = span

    def node(self, op: str, args: tuple[Expr, ...], value: Any = None) -> Expr:
        start, stop = self.span
        return Expr(op, args, value, (start, stop))

    def choice(self, tests: list[Test], then: Expr, rest: Expr) -> Expr:
        """The value where all the tests hold, and the rest elsewhere."""
        if not tests:
            return then
        if (
            len(tests) == 1
            and _is_zero(rest)
            and tests[0].strict
            and _is_zero(tests[0].small)
            and tests[0].large == then
        ):
            return self.node("call", (then,), Call("relu"))
        terms = [] if _is_zero(then) else [self.weighed(self.all_of(tests), then)]
        if not _is_zero(rest):
            terms.append(self.weighed(self.not_all(tests), rest))
        if not terms:
            return then
        return terms[0] if len(terms) == 1 else self.node("add", tuple(terms))

    def weighed(self, mask: Expr, value: Expr) -> Expr:
        return mask if _is_number(value, 1) else self.node("product", (mask, value), (".*",))

    def all_of(self, tests: list[Test]) -> Expr:
        masks = tuple(self.holds(test) for test in tests)
        return masks[0] if len(masks) == 1 else self.node("product", masks, (".*",) * (len(masks) - 1))

    def not_all(self, tests: list[Test]) -> Expr:
        if len(tests) == 1:
            return self.holds(tests[0].opposite)
        return self.without(self.all_of(tests))

    def holds(self, test: Test) -> Expr:
        if test.strict:
            return self.node("call", (self.difference(test.large, test.small),), Call("step"))
        return self.without(self.holds(test.opposite))

    def without(self, mask: Expr) -> Expr:
        """1 - mask."""
        return self.node("add", (self.node("number", (), Fraction(1)), self.node("neg", (mask,))))

    def difference(self, left: Expr, right: Expr) -> Expr:
        left, right = _copied(left), _copied(right)
        if _is_zero(right):
            return left
        minus = right.args[0] if right.op == "neg" else self.node("neg", (right,))
        return minus if _is_zero(left) else self.node("add", (left, minus))


def _copied(root: Expr) -> Expr:
    """The same at places that are tuples of their own: a test is written twice."""

    def visit(node: Expr, args: list[Expr]) -> Expr:
        start, stop = span_of(node)
        return Expr(node.op, tuple(args), node.value, (start, stop))

    copy: Expr = fold(root, visit)
    return copy


def _is_number(expr: Expr, number: int) -> bool:
    return expr.op == "number" and expr.value == number


def _is_zero(expr: Expr) -> bool:
    return _is_number(expr, 0)
