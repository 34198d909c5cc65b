"""What a test masks, in numbers: 0 by a comparison times what is infinite or undefined is 0.

step(x).*log(x) is 0 at -1, where log(x) has no value. A test is step(z), relu(z) = z.*step(z), 1 - test, and what is a
product with one. It masks the other factors entry by entry, those that have its axes; f(relu(z)) is not masked by
step(z): it is beside it in the derivative of log(relu(z)), which has no value for z < 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from matgrad.formula.syntax import ROW, SCALAR, VECTOR, Expr, Program, product_kind, walk

Array = Any
Evaluate = Callable[[Expr], Array]
Named = Mapping[str, Expr]
NONE: Named = {}
_ONE = Expr("number", value=Fraction(1))


class Zero(NamedTuple):
    """Where an array is 0 since a test fails."""

    at: Array
    test: Expr


class Tests:
    """The tests of factors; ``named`` are definitions, and ``value`` evaluates a part of a factor."""

    def __init__(self, value: Evaluate, named: Named = NONE) -> None:
        self.value = value
        self.named = named

    def masked(self, node: Expr, values: Sequence[Array]) -> list[Array]:
        """The factors of a product, harmless where others are 0 by a test."""
        zeros = [self.zeros(arg, value) for arg, value in zip(node.args, values, strict=True)]
        found = list(values)
        if not any(zeros):
            return found
        aligned = _Alignment(node)
        for j, operator in enumerate(("*", *node.value)):
            for i, own in enumerate(zeros):
                at = [aligned.over(zero.at, i, j, np.shape(values[j])) for zero in own
                      if i != j and not _is_about(node.args[j], zero.test, operator in ("/", "./"))]  # fmt: skip
                for place in at:
                    if place is not None:
                        found[j] = np.where(place, 1.0 if operator in ("/", "./") else 0.0, found[j])
        return found

    def masked_operands(self, node: Expr, pattern: str, values: Sequence[Array]) -> list[Array]:
        """The same of an index pattern: a test masks the operands that have all of its letters."""
        zeros = [self.zeros(arg, value) for arg, value in zip(node.args, values, strict=True)]
        letters = pattern.partition("->")[0].split(",")
        found = list(values)
        for j, own in enumerate(letters):
            for i, its in enumerate(letters):
                if i == j or not set(its) <= set(own) or len({*own}) < len(own) or len({*its}) < len(its):
                    continue
                for at, test in zeros[i]:
                    if not _is_about(node.args[j], test):
                        order = sorted(range(len(its)), key=lambda k: own.index(its[k]))
                        shape = [n if x in its else 1 for x, n in zip(own, np.shape(found[j]), strict=True)]
                        found[j] = np.where(np.transpose(at, order).reshape(shape), 0.0, found[j])
        return found

    def zeros(self, expr: Expr, value: Array) -> list[Zero]:
        """Where an expression with this value is 0 by a test."""
        if expr.op == "name" and expr.value in self.named:
            return self.zeros(self.named[expr.value], value)
        if expr.op == "call" and _is_comparison(expr):
            return [Zero(np.real(value) == 0, expr)]
        if expr.op == "neg":
            return self.zeros(expr.args[0], value)
        if expr.op == "power" and expr.args[1].op == "number" and expr.args[1].value > 0 and np.ndim(value) < 2:
            return self._inside(expr.args[0])
        if expr.op == "transpose":
            return [Zero(np.transpose(at), test) for at, test in self.zeros(expr.args[0], np.transpose(value))]
        if expr.op == "add":
            return self._of_sum(expr, value)
        return self._of_product(expr, np.shape(value)) if expr.op == "product" else []

    def _inside(self, expr: Expr) -> list[Zero]:
        return self.zeros(expr, self.value(expr)) if may_be_test(expr, self.named) else []

    def _of_sum(self, expr: Expr, value: Array) -> list[Zero]:
        """1 - test is one; another sum is 0 where all its terms are."""
        if is_zero_or_one(expr, self.named):
            return [Zero(np.real(value) == 0, expr)]
        kept = _without_constants(expr.args)
        if not all(may_be_test(arg, self.named) for arg in kept):
            return []
        terms = [[zero.at for zero in self._inside(arg)] for arg in kept]
        if not terms or not all(terms) or any(at.shape != np.shape(value) for term in terms for at in term):
            return []
        return [Zero(reduce(np.logical_and, [reduce(np.logical_or, term) for term in terms]), expr)]

    def _of_product(self, expr: Expr, shape: tuple[int, ...]) -> list[Zero]:
        if expr.value == ("*",) and [arg.kind for arg in expr.args] == [VECTOR, ROW]:
            rows, columns = map(self._inside, expr.args)
            spread = [*((at[:, None], test) for at, test in rows), *((at, test) for at, test in columns)]
            return [Zero(np.broadcast_to(at, shape), test) for at, test in spread]
        entrywise = all(block == 0 for block, _ in _Alignment(expr).places)
        factors = [arg for arg, operator in zip(expr.args, ("*", *expr.value), strict=True)
                   if operator in ("*", ".*") and (entrywise or arg.kind == SCALAR)]  # fmt: skip
        found = [zero for arg in factors for zero in self._inside(arg)]
        return [Zero(np.broadcast_to(at, shape), test) for at, test in found if at.shape in ((), shape)]


class Unmasked(Tests):
    """No test masks anything: a branch that is not taken must have a value, too."""

    def zeros(self, expr: Expr, value: Array) -> list[Zero]:  # noqa: ARG002
        return []


class _Alignment:
    """Which entries of one factor meet which of another, in a product from left to right."""

    def __init__(self, node: Expr) -> None:
        self.args = node.args
        self.places: list[tuple[int, bool]] = [(0, False)]
        kind: str | None = node.args[0].kind
        self.kinds = [kind]
        for operator, factor in zip(node.value, node.args[1:], strict=True):
            block = self.places[-1][0]
            joins = operator in (".*", "./", "/") or SCALAR in (kind, factor.kind)
            kind = product_kind(kind or SCALAR, operator, factor.kind)
            if joins:
                self.places.append((block, False))
                self.kinds[-1] = kind
            else:
                self.places.append((block + 1, operator == "*"))
                self.kinds.append(kind)

    def over(self, at: Array, i: int, j: int, shape: tuple[int, ...]) -> Array | None:
        """Where the factor j is masked by the factor i, which is 0 at these entries."""
        (mine, multiplied), (other, taken) = self.places[i], self.places[j]
        if at.shape == () or (mine == other and at.shape == shape):
            return at
        if at.ndim != 1 or not shape:
            return None
        if multiplied and mine == 1 and other == 0 and self.args[i].kind == VECTOR and shape[-1] == len(at):
            return at  # A*x: along the columns of A
        if taken and mine == 0 and other == 1 and self.args[i].kind == ROW and shape[0] == len(at):
            return at if len(shape) == 1 else at[:, None]
        return None


def may_be_test(expr: Expr, named: Named = NONE) -> bool:
    """Whether it may be 0 by a test, before anything is computed."""
    if expr.op == "name":
        return expr.value in named and may_be_test(named[expr.value], named)
    if expr.op in ("neg", "transpose", "power"):
        return may_be_test(expr.args[0], named)
    if expr.op == "product":
        return any(may_be_test(arg, named) for arg in expr.args)
    if expr.op == "add":
        return is_zero_or_one(expr, named) or all(may_be_test(arg, named) for arg in _without_constants(expr.args))
    return expr.op == "call" and _is_comparison(expr)


def is_zero_or_one(expr: Expr, named: Named = NONE) -> bool:
    """Whether all values are 0 or 1, or all are 0 or -1, by comparisons."""
    if expr.op == "name":
        return expr.value in named and is_zero_or_one(named[expr.value], named)
    if expr.op == "product":
        return {*expr.value} <= {".*", "*"} and all(is_zero_or_one(arg, named) for arg in expr.args)
    if expr.op == "add" and len(expr.args) == 2:
        return any(_is_one_without(whole, test, named) for whole, test in (expr.args, expr.args[::-1]))
    return expr.op == "call" and expr.value.name == "step" and _is_comparison(expr)


def _is_one_without(whole: Expr, test: Expr, named: Named) -> bool:
    """1 - test, or test - 1."""
    if test.op == "neg":
        return whole == _ONE and is_zero_or_one(test.args[0], named)
    return whole == Expr("neg", (_ONE,)) and is_zero_or_one(test, named)


def _without_constants(terms: Sequence[Expr]) -> Sequence[Expr]:
    """y.*(1 - t) of 3 - 3*t + y.*(1 - t), since 3 - 3*t is 0 where 1 - t is; else all terms."""
    for one in terms:
        size = _multiple(one, _ONE)
        if size is None:
            continue
        for term in terms:
            test = _test_in(term)
            if test is None or _multiple(term, test) != -size:
                continue
            rest = [other for other in terms if other is not one and other is not term]
            whole = Expr("add", (_ONE, Expr("neg", (test,))))
            if rest and all(whole in _factors(other) for other in rest):
                return rest
    return terms


def _multiple(term: Expr, of: Expr) -> Fraction | None:
    """c, where a term is c*of."""
    if term.op == "neg":
        inner = _multiple(term.args[0], of)
        return None if inner is None else -inner
    if of is _ONE:
        return term.value if term.op == "number" else None
    if term == of:
        return Fraction(1)
    twice = term.op == "product" and len(term.args) == 2 and term.args[0].op == "number" and term.args[1] == of
    return term.args[0].value if twice and "/" not in term.value[0] else None


def _test_in(term: Expr) -> Expr | None:
    return next((factor for factor in _factors(term) if is_zero_or_one(factor)), None)


def _factors(term: Expr) -> tuple[Expr, ...]:
    """The factors of a term, without its sign."""
    while term.op == "neg":
        term = term.args[0]
    return term.args if term.op == "product" else (term,)


def is_rectifier(expr: Expr) -> bool:
    """Whether it is relu(z), which is 0 where step(z) is."""
    return expr.op == "call" and expr.value.name == "relu"


def named_tests(program: Program) -> dict[str, Expr]:
    """The definitions that are tests as they stand."""
    return {name: value for name, value in program.definitions if may_be_test(value)}


def _is_comparison(call: Expr) -> bool:
    return call.value.name in ("step", "relu") and not call.value.primes


def _is_about(factor: Expr, test: Expr, divides: bool = False) -> bool:
    """Whether a factor divides by relu(z), or applies a function to it, where the test is about z."""
    compared = {node.args[0] for node in walk(test) if node.op == "call" and _is_comparison(node)}
    return any(node.args[0] in compared for node in _inner_rectifiers(factor, divides))


def _inner_rectifiers(root: Expr, divides: bool) -> Iterator[Expr]:
    stack = [(root, divides)]
    while stack:
        node, inner = stack.pop()
        if node.op == "call" and node.value.name == "relu":
            if inner:
                yield node
            continue
        operators = ("*", *node.value) if node.op == "product" else ()
        for k, arg in enumerate(node.args):
            below = bool(operators) and operators[k] in ("/", "./")
            stack.append((arg, inner or below or node.op in ("call", "power")))
