"""Which factors are 0 by a comparison: step(z), relu(z) = z*step(z), 1 - step(z), and what is a product with these."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod

from matgrad.tensor.builders import add, einsum, is_zero, linear_terms, map_, number, scaled
from matgrad.tensor.laws.shared import is_map, power_of
from matgrad.tensor.nodes import Einsum, Map, Named, Node, Shape, Sum, topological
from matgrad.tensor.rebuild import rebuild

MOST = 6
"""Tests of one node that are kept."""

Tests = tuple[tuple[Node, tuple[int, ...]], ...]
"""Tests, each with those axes of a node that are its own."""


def tests_of(root: Node) -> Tests:
    """The tests that a node is a product with: it is 0 where one of them is.

    >>> from matgrad import parse
    >>> node = parse("step(x).*(A*x) + (1 - c)*relu(x).*step(x)", where="x: vector(n); c: scalar").node
    >>> [(test.function, axes) for test, axes in tests_of(node)]
    [('step', (0,))]
    >>> [(test.function, axes) for test, axes in tests_of(parse("A.*(step(x)*y')").node)]
    [('step', (0,))]
    """
    if "tests" not in root.memo:
        for node in topological(root):
            if "tests" not in node.memo:
                node.memo["tests"] = _tests(node)[:MOST]
    return root.memo["tests"]  # type: ignore[no-any-return]


def _tests(node: Node) -> Tests:
    if isinstance(node, Named):
        return tests_of(node.value)
    if isinstance(node, Map):
        if node.function in ("step", "relu"):
            return _itself(map_("step", node.args))  # relu(z) is 0 where step(z) is
        positive = node.function == "power" and node.parameter > 0
        return tests_of(node.args[0]) if positive or node.function == "ratio" else ()
    if isinstance(node, Einsum):
        pairs = zip(node.operands, node.subscripts, strict=True)
        found = [(test, [labels[axis] for axis in axes]) for x, labels in pairs for test, axes in tests_of(x)]
        return tuple(dict.fromkeys([(test, tuple(map(node.out.index, labels))) for test, labels in found
                                    if set(labels) <= set(node.out)]))  # fmt: skip
    if not isinstance(node, Sum):
        return ()
    if value_where_it_holds(node) is not None or all(_is_nonnegative(factor, term) for factor, term in node.terms):
        return _itself(node)
    inner = [tests_of(term) for term in node.children]
    every = dict.fromkeys([test for tests in inner for test in tests])
    others = {test: [term for term, tests in zip(node.terms, inner, strict=True) if test not in tests]
              for test in every}  # fmt: skip
    common = tuple(test for test in every if _vanishes(others[test], test[0]))
    return common or (_either(inner, node.shape) if all(inner) and len(inner) <= MOST else ())


def _either(found: Sequence[Tests], shape: Shape) -> Tests:
    """The test that is 0 where in each list one is: t + s of t*x + s*y."""
    axes = range(len(shape))
    sizes = dict(enumerate(shape))
    lists = dict.fromkeys(tuple((_positive(test), own) for test, own in tests) for tests in found)
    either = add([einsum(tests, axes, 1, sizes) for tests in lists])
    terms = linear_terms(either)
    never = all(factor > 0 for factor in terms.values()) and number(1, shape) in terms
    return () if never else _itself(either)


def _positive(test: Node) -> Node:
    value = value_where_it_holds(test)
    return test if value is None else scaled(test, 1 / value)


def _vanishes(terms: list[tuple[Fraction, Node]], test: Node) -> bool:
    """Whether the other terms are 0 where a test is: 3 - 3*t, beside y*(1 - t), where t is 1."""
    if not terms or len(terms) > MOST or not isinstance(test, Sum) or value_where_it_holds(test) is None:
        return not terms
    (t,) = [term for term in test.children if term is not number(1, test.shape)]
    one = number(value_where_it_holds(t) or 0, t.shape)
    return is_zero(add([scaled(rebuild(term, {t: one}), factor) for factor, term in terms]))


def _itself(node: Node) -> Tests:
    return ((node, tuple(range(len(node.shape)))),)


def _is_nonnegative(factor: Fraction, term: Node) -> bool:
    value = value_where_it_holds(term)
    return value is not None and factor * value > 0


def value_where_it_holds(root: Node) -> Fraction | None:
    """c, where all entries of a node are 0 or c by comparisons: 1 of step(z), and of 1 - step(z)."""
    if "holds" not in root.memo:
        for node in topological(root):
            if "holds" not in node.memo:
                node.memo["holds"] = _value(node)
    return root.memo["holds"]  # type: ignore[no-any-return]


def _value(node: Node) -> Fraction | None:
    base, exponent = power_of(node)
    if is_map(base, "step"):
        return Fraction(1) if exponent > 0 else None
    if isinstance(node, Named):
        return value_where_it_holds(node.value)
    if isinstance(node, Einsum) and len(set(node.out)) == len(node.out) == len(node.sizes):
        values = [value_where_it_holds(operand) for operand in node.operands]
        known = [value for value in values if value is not None]
        return prod(known, start=node.coefficient) if known and len(known) == len(values) else None
    if isinstance(node, Sum) and len(node.terms) == 2:
        for (size, whole), (factor, test) in (node.terms, node.terms[::-1]):
            value = value_where_it_holds(test) if whole is number(1, node.shape) else None
            if value is not None and factor * value == -size:
                return size
    return None
