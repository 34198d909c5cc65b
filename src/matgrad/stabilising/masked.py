"""What is multiplied by a test that fails is harmless there: 0*inf and 0*nan are nan.

A formula by cases is a product with tests: step(-x)*(exp(x) - 1). Where a test is 0, functions beside it that may be
infinite or undefined are computed at a harmless argument in place of their own: exp(chosen(step(-x), x, 0)). What they
give is then finite, to any order of derivatives, and times 0 it is 0.

* A test is a factor that is 0 by a comparison: see ``comparisons``.
* It masks factors that have its axes: log(x) in step(x)*log(x), and not log(c), which other entries need.
* What the test itself depends on is computed anyway, and not masked.
* step(z) does not mask f(relu(z)): it is there in the derivative of log(relu(z)), and nobody asked for z > 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from matgrad.functions import card_in_code
from matgrad.stabilising.comparisons import tests_of
from matgrad.tensor.builders import einsum, map_, number, scaled
from matgrad.tensor.facts import Fact, nonnegative
from matgrad.tensor.laws.shared import is_map, power_of
from matgrad.tensor.nodes import Apply, Constant, Einsum, Map, MatrixPower, Named, Node, Sum, Symbol, topological
from matgrad.tensor.rebuild import remade

MOST = 8
"""Ways to mask one node; beyond these it is computed unmasked."""


class Test(NamedTuple):
    """A test, and which axes of the array that it masks are its own; it is computed where those of ``under`` hold."""

    node: Node
    axes: tuple[int, ...]
    under: tuple[Test, ...]


Labels = tuple[int, ...]
Tests = tuple[Test, ...]
Part = tuple[Node, Tests]
"""A node, and by what it is masked."""


def masked(root: Node, differentiated: bool) -> Node:
    """The graph with harmless arguments where tests fail; with ``differentiated``, its derivatives are finite, too.

    >>> from matgrad import parse
    >>> node = parse("step(c)*log(c)", where="c: scalar").node
    >>> [n.function for n in topological(masked(node, False)) if isinstance(n, Map)]
    ['step', 'chosen', 'log']
    >>> node = parse("step(c)*tanh(c)", where="c: scalar").node
    >>> masked(node, False) is node
    True
    """
    if not any(isinstance(node, Map) and node.function in ("step", "relu") for node in topological(root)):
        return root
    return _Search(differentiated).of(root)


class _Search:
    """What was made of each part; ``ways`` are those in which a node is masked."""

    def __init__(self, differentiated: bool) -> None:
        self.differentiated = differentiated
        self.done: dict[Part, Node] = {}
        self.parts: dict[Part, list[Part]] = {}
        self.tests: dict[Part, Tests] = {}
        self.ways: dict[Node, set[Tests]] = {}
        self.below: dict[Node, set[Node]] = {}

    def of(self, root: Node) -> Node:
        stack: list[Part] = [(root, ())]
        while stack:
            part = stack[-1]
            if part not in self.parts:
                self.parts[part] = self._parts(*part)
                self.tests[part] = self._tests(*part)
            missing = [needed for needed in self._needed(part) if needed not in self.done]
            if missing:
                stack += missing[::-1]
            else:
                stack.pop()
                if part not in self.done:
                    self.done[part] = self._made(part)
        return self.done[root, ()]

    def _needed(self, part: Part) -> Iterator[Part]:
        yield from self.parts[part]
        yield from ((test.node, test.under) for test in self.tests[part])

    def _tests(self, node: Node, tests: Tests) -> Tests:
        """Those where a function is computed at harmless arguments; what is above in a quotient has some, too."""
        if not isinstance(node, Map) or not fails(node, self.differentiated):
            return ()
        if node.function == "ratio":
            whole = tuple(range(len(node.shape)))
            tests = self._with(tests, [(test, axes) for test, axes in tests_of(node.args[0])], whole)
        replaced = [arg for arg, other in zip(node.args, harmless(node), strict=True) if other is not None]
        rectified = {n.children[0] for n in topological(*replaced) if is_map(n, "relu")} if tests else set()
        return tuple(test for test in tests if rectified.isdisjoint(_positive(test.node)))

    def _parts(self, node: Node, tests: Tests) -> list[Part]:
        """The children, and by what each is masked."""
        if not may_fail(node, self.differentiated):
            return []
        if isinstance(node, Einsum):
            return self._factors(node, tests)
        if isinstance(node, Apply):
            kept = 0 if node.parameter is None else len(node.arg.shape) - node.parameter
            tests = tuple(test for test in tests if all(axis < kept for axis in test.axes))
        elif isinstance(node, MatrixPower):
            tests = tuple(test for test in tests if not test.axes)
        return [self._part(child, tests) for child in node.children]

    def _part(self, node: Node, tests: Tests) -> Part:
        if not may_fail(node, self.differentiated):
            return node, ()
        tests = tuple(test for test in tests if node not in self._below(test.node))
        ways = self.ways.setdefault(node, set())
        if tests not in ways and len(ways) == MOST:
            return node, ()
        ways.add(tests)
        return node, tests

    def _below(self, test: Node) -> set[Node]:
        """All that is computed for a test."""
        if test not in self.below:
            self.below[test] = set(topological(test))
        return self.below[test]

    def _factors(self, node: Einsum, tests: Tests) -> list[Part]:
        """Each factor is masked by the tests of the others."""
        outer = [Test(test, tuple(node.out[axis] for axis in axes), under) for test, axes, under in tests]
        pairs = list(zip(node.operands, node.subscripts, strict=True))
        found = []
        for i, (operand, labels) in enumerate(pairs):
            others = [(test, tuple(own[axis] for axis in axes)) for j, (x, own) in enumerate(pairs) if j != i
                      for test, axes in tests_of(x)]  # fmt: skip
            beside = self._with(outer, others, labels)
            found.append(self._part(operand, beside))
        return found

    def _with(self, outer: Sequence[Test], others: Sequence[tuple[Node, Labels]], labels: Labels) -> Tests:
        """Tests of an array with these axes, each to be computed where those before it hold."""
        found = [Test(node, tuple(map(labels.index, own)), under) for node, own, under in outer
                 if set(own) <= set(labels)]  # fmt: skip
        for node, own in sorted(others, key=lambda other: may_fail(other[0], self.differentiated)):
            axes = tuple(map(labels.index, own)) if set(own) <= set(labels) else None
            if axes is None or any((node, axes) == test[:2] for test in found):
                continue
            before = [Test(t.node, tuple(map(axes.index, t.axes)), t.under) for t in found if set(t.axes) <= set(axes)]
            found.append(Test(node, axes, self._part(node, tuple(before))[1]))
        return tuple(found)

    def _made(self, part: Part) -> Node:
        node, tests = part
        children = [self.done[child] for child in self.parts[part]]
        if not children:
            return node
        if self.tests[part] and isinstance(node, Map):
            children = self._harmless(node, self.tests[part], children)
        if isinstance(node, Named) and tests and children[0] is not node.value:
            return children[0]  # under its name is what is not masked
        return remade(node, children)

    def _harmless(self, node: Map, tests: Tests, args: list[Node]) -> list[Node]:
        """The arguments where all tests hold, and harmless ones elsewhere."""
        masks = [(self.done[test.node, test.under], test.axes) for test in tests]
        mask = einsum(masks, range(len(node.shape)), 1, dict(enumerate(node.shape)))
        others = [None if value is None else number(value, node.shape) for value in harmless(node)]
        return [arg if other is None else map_("chosen", (mask, arg, other))
                for arg, other in zip(args, others, strict=True)]  # fmt: skip


def _positive(test: Node) -> Sequence[Node]:
    """What is positive where the test holds: z of step(z)."""
    return test.args if isinstance(test, Map) else ()


# -- what may be infinite or undefined


def may_fail(root: Node, differentiated: bool) -> bool:
    """Whether some function in it may be infinite or undefined, though its variables are finite."""
    key = "fails in derivatives" if differentiated else "fails"
    if key not in root.memo:
        for node in topological(root):
            if key not in node.memo:
                own = isinstance(node, Map) and fails(node, differentiated)
                node.memo[key] = own or any(child.memo[key] for child in node.children)
    return root.memo[key]  # type: ignore[no-any-return]


def harmless(node: Map) -> Sequence[Fraction | None]:
    """Arguments at which the function and all its derivatives are finite; None where any is."""
    if node.function in ("power", "pow"):
        return [Fraction(1), None][: len(node.args)]
    known = card_in_code(node.function)
    found = known.harmless if known is not None and known.harmless else (None,) * len(node.args)
    return [None if value is None else Fraction(value) for value in found]


def fails(node: Map, differentiated: bool) -> bool:
    """Whether the function may be infinite or undefined at what its arguments may be, or its derivatives may."""
    if not any(value is not None for value in harmless(node)):
        return False
    arg = node.args[0]
    if node.function == "power":
        if node.parameter.denominator > 1 and node.parameter > 0 and not differentiated:
            return nonnegative(arg) is not Fact.YES
        whole = node.parameter.denominator == 1
        return not ((whole and (node.parameter > 0 or is_map(arg, "away_from_zero"))) or is_clear(arg))
    if node.function == "exp":
        return nonnegative(scaled(arg, -1)) is not Fact.YES
    if node.function == "log1p":
        return nonnegative(arg) is not Fact.YES
    if node.function == "ratio":
        return not is_clear(node.args[1])
    return node.function not in ("log", "lgamma", "digamma", "polygamma", "sqrt") or not is_clear(node.args[-1])


def is_clear(node: Node) -> bool:
    """Whether all entries are certainly positive, and do not underflow unless variables do."""
    if isinstance(node, Symbol):
        return "positive" in node.traits
    if isinstance(node, Named):
        return is_clear(node.value)
    if isinstance(node, Constant):
        return node.name in ("size", "pi")
    if isinstance(node, Einsum):
        whole = len(set(node.out)) == len(node.out)
        return whole and node.coefficient > 0 and all(map(is_clear, node.operands))
    if isinstance(node, Sum):
        terms = [(factor > 0 and nonnegative(term) is Fact.YES, term) for factor, term in node.terms]
        return all(known for known, _ in terms) and any(is_clear(term) for _, term in terms)
    base, _ = power_of(node)
    if base is not node:
        return is_clear(base)
    return is_map(node, "cosh")
