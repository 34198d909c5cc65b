"""From graphs to a plan: one rule per kind of node, and contractions in ``contraction``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from matgrad.dims import Dim
from matgrad.planning.common import factored
from matgrad.planning.contraction import Factor, Network, dense
from matgrad.planning.finish import finished
from matgrad.planning.forms import flattened, holds_outer, is_large, is_outer, known_symmetric
from matgrad.planning.outer import joined
from matgrad.planning.setting import Setting
from matgrad.planning.steps import Shape, Step, broadcast
from matgrad.planning.values import Value, labelled
from matgrad.stabilising.guarded import guarded
from matgrad.stabilising.length_forms import sides
from matgrad.stabilising.masked import masked
from matgrad.stabilising.stable import stabilised
from matgrad.tensor import builders as b
from matgrad.tensor.facts import Fact, spd
from matgrad.tensor.nodes import Apply, Constant, Einsum, Map, MatrixPower, Named, Node, Sum, Symbol, topological


class Planner:
    """Plans nodes into one plan, so that several share their work."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.plan = setting.plan
        self._values: dict[Node, Value] = {}
        self._whole: set[Node] = set()  # products that are not multiplied out
        self._all: set[Node] = set()
        self._parents: Counter[Node] = Counter()

    def outputs(self, roots: Sequence[Node]) -> list[Step]:
        """The steps of whole arrays for the roots."""
        roots = [stabilised(known_symmetric(root)) for root in roots]
        roots = [guarded(root) for root in roots] if self.setting.differentiated else roots
        roots = [masked(root, self.setting.differentiated) for root in roots]
        self._all = set(topological(*roots))
        self._parents = Counter(child for node in self._all for child in node.children) + Counter(roots)
        return finished(self.setting, [dense(self.plan, self.value(root), root.shape) for root in roots])

    def call(self, names: Mapping[str, Node]) -> None:
        """Give the arrays of nodes their names, as far as they are planned."""
        for name, node in names.items():
            value = self._values.get(node.value if isinstance(node, Named) else node)
            if value is not None and value.step.op not in ("input", "number", "size"):
                self.plan.hints.setdefault(value.step, name)

    def value(self, root: Node) -> Value:
        for node in topological(root, skip=self._values):
            if node not in self._values and (node is root or not is_large(node)):
                found = self._turned(node) or _RULES[type(node)](self, node)
                if len(node.shape) == len(found.labels) == 2 and b.is_symmetric(node):
                    self.plan.symmetric.add(found.step)
                self._values[node] = found
        return self._values[root]

    def _turned(self, node: Node) -> Value | None:
        """The transpose or a multiple of what there is already, or will be."""
        turned = b.transpose(node) if isinstance(node, Einsum | Sum | Map) and len(node.shape) == 2 else node
        if turned is not node and turned in self._values:
            return _turned_back(self._values[turned])
        if not isinstance(node, Einsum) or node.coefficient == 1 or not node.operands:
            return None
        plain = b.primitive(node)
        if plain in node.operands or not {plain, b.transpose(plain)} & self._all:
            return None
        step, labels, out = self.value(plain)
        return Value(self.plan.mul(self.plan.number(node.coefficient), step), labels, out)

    def dense(self, node: Node) -> Step:
        return dense(self.plan, self.value(node), node.shape)

    # -- one rule per kind of node

    def _symbol(self, node: Symbol) -> Value:
        return labelled(self.plan.input(node.name, node.shape))

    def _constant(self, node: Constant) -> Value:
        if node.name == "size":
            return labelled(self.plan.size(Dim.of(node.parameter)))
        return labelled(self.plan.step("constant", (), (node.name, node.parameter), node.shape))

    def _named(self, node: Named) -> Value:
        found = self.value(node.value)
        self.call({node.name: node})
        return found

    def _map(self, node: Map) -> Value:
        if self.setting.differentiated and any(count for _, _, count in sides(node)):
            return self._length(node)
        beside = self._beside(node)
        if beside is not None:
            return beside
        steps, labels, out = self._aligned([self.value(arg) for arg in node.args], node.shape)
        if node.function == "power":
            return Value(self.plan.power(steps[0], node.parameter), labels, out)
        shape: Shape = ()
        for step in steps:
            shape = broadcast(shape, step.shape)
        if node.function == "ratio":
            step = self.plan.div(*steps)
        elif node.function == "function":
            step = self.plan.step("call", steps, node.parameter, shape)
        elif node.parameter is not None:
            step = self.plan.step("series", steps, (node.function, *node.parameter), shape)
        else:
            step = self.plan.step("map", steps, node.function, shape)
        return Value(step, labels, out)

    def _beside(self, node: Map) -> Value | None:
        """sech2(X) by tanh(X) and sigmoid(-X) by sigmoid(X), where that is needed, too, perhaps of the transpose."""
        if len(node.shape) < 2 or node.function not in ("sech2", "sigmoid"):
            return None
        (x,) = node.args
        if node.function == "sech2":
            name, wanted = "sech2_of_tanh", b.map_("tanh", (x,))
        elif isinstance(x, Einsum) and x.coefficient < 0:
            name, wanted = "one_minus_sigmoid", b.map_("sigmoid", (b.scaled(x, -1),))
        else:
            return None
        known = wanted if isinstance(wanted, Map) else wanted.children[0]
        if known not in self._all:
            return None
        steps, labels, out = self._aligned([self.value(known.children[0]), self.value(known)], known.shape)
        found = Value(self.plan.step("map", steps, name, steps[1].shape), labels, out)
        return found if known is wanted else _turned_back(found)

    def _length(self, node: Map) -> Value:
        """All sides of a root of squares in one operation."""
        axes = tuple(range(len(node.shape)))
        found = []
        for side, labels, count in sides(node):
            own = labelled(self.dense(side)) if count else self.value(side)
            if len(set(own.out)) < len(own.out):
                own = labelled(self.dense(side))
            over = tuple(range(len(axes), len(axes) + count))
            found.append((own.renamed((*labels, *over)), over))
        labels = tuple(axis for axis in axes if any(axis in own.labels for own, _ in found))
        steps = [self.plan.aligned(own.step, own.labels, (*labels, *over)) for own, over in found]
        param = (node.function, tuple(len(over) for _, over in found))
        return Value(self.plan.step("length", steps, param, tuple(node.shape[x] for x in labels)), labels, axes)

    def _aligned(self, args: Sequence[Value], shape: Shape) -> tuple[list[Step], tuple[int, ...], tuple[int, ...]]:
        """The arguments over the same axes; those that none of them has are left to broadcasting."""
        axes = tuple(range(len(shape)))
        if len(args) == 1 and len(set(args[0].out)) == len(args[0].out):
            return [args[0].step], args[0].labels, args[0].out
        steps = []
        having: set[int] = set()
        for arg in args:
            if len(set(arg.out)) < len(arg.out):
                arg = labelled(dense(self.plan, arg, shape))
            arg = arg.renamed(axes)
            steps.append((arg.step, arg.labels))
            having.update(arg.labels)
        labels = tuple(axis for axis in axes if axis in having)
        return [self.plan.aligned(step, own, labels) for step, own in steps], labels, axes

    def _sum(self, node: Sum) -> Value:
        if self._lean(node) >= 0:
            return self._of_terms(node.terms, node.shape)
        return _turned_back(self._of_terms([(c, b.transpose(x)) for c, x in node.terms], node.shape[::-1]))

    def _lean(self, node: Node) -> int:
        """How many more of the matrices that are multiplied or added entry by entry lie in memory as the result does
        than as its transpose."""
        if len(node.shape) != 2:
            return 0
        if isinstance(node, Sum):
            return sum([self._lean(term) for _, term in node.terms])
        if not isinstance(node, Einsum):
            return self._order(node)
        pairs = zip(node.operands, node.subscripts, strict=True)
        signs = {node.out: 1, node.out[::-1]: -1}
        return sum([signs[labels] * self._order(x) for x, labels in pairs if labels in signs])

    def _order(self, node: Node) -> int:
        """-1 for a matrix that lies in memory as its transpose does."""
        step, labels, out = self.value(node)
        if len(labels) < 2 or len(set(out)) < 2:
            return 0
        turned = step.op == "view" and step.param == (1, 0)
        return -1 if (labels == out) == turned else 1

    def _of_terms(self, terms: Sequence[tuple[Fraction, Node]], shape: Shape) -> Value:
        """Σ c·x; a factor goes into a contraction, which may have a smaller place for it."""
        given = {term for _, term in terms}
        terms = factored(terms, self._is_larger)
        self._whole.update(term for _, term in terms if term not in given)
        if len(terms) == 1:
            return self.value(b.scaled(terms[0][1], terms[0][0]))
        plain = [term for _, term in terms if len(set(self.value(term).out)) == len(shape)]
        found = []
        for factor, term in terms:
            single = plain == [term] and len(terms) > 1
            if len(shape) > 1 and isinstance(term, Einsum) and factor != 1 and (factor != -1 or single):
                found.append((Fraction(1), self._times(factor, term)))
            else:
                found.append((factor, self.value(term)))
        return self.added(found, shape)

    def _is_larger(self, x: Node, y: Node) -> bool:
        if sorted(x.shape, key=str) == sorted(y.shape, key=str):
            return False
        self.setting.by_size = True
        entries = [math.prod([self.setting.size(dim) for dim in node.shape]) for node in (x, y)]
        return entries[0] > entries[1]

    def _times(self, factor: Fraction, term: Einsum) -> Value:
        """A multiple of a contraction, made anew where nothing else needs the contraction itself."""
        node = b.scaled(term, factor)
        if isinstance(node, Einsum) and node not in self._values and self._parents[term] < 2:
            self._values[node] = self._einsum(node)
        return self.value(node)

    def added(self, terms: Sequence[tuple[Fraction, Value]], shape: Shape) -> Value:
        """Terms on a diagonal are added to it in the end; the others are one linear combination."""
        axes = tuple(range(len(shape)))
        on: dict[tuple[int, ...], list[tuple[Fraction, Value]]] = {}
        for factor, value in terms:
            value = value.renamed(axes)
            on.setdefault(value.out, []).append((factor, value))
        base = self._combined(on.pop(axes), shape) if axes in on else None
        parts = {out: self._combined(found, shape) for out, found in on.items()}
        if base is None and len(parts) == 1:
            ((out, (step, labels)),) = parts.items()
            return Value(step, labels, out)
        if base is None:
            out = next(iter(parts))
            base, axes = parts.pop(out), out
        step, labels = base
        if not parts:
            return Value(step, labels, axes)
        step = dense(self.plan, Value(step, labels, axes), shape)
        for out, (part, having) in parts.items():
            distinct = tuple(dict.fromkeys(out))
            part = self.plan.aligned(part, having, distinct)
            step = self.plan.step("add_diagonal", (step, part), (out, distinct), shape)
        return labelled(step)

    def _combined(self, terms: list[tuple[Fraction, Value]], shape: Shape) -> tuple[Step, tuple[int, ...]]:
        """Σ c·x over the labels that any of the terms has; what stands in a part of the array is added there."""
        labels = tuple(sorted({label for _, value in terms for label in value.labels}))
        if self.plan.blas:
            terms = joined(self.plan, terms)
        placed = [(c, x) for c, x in terms if x.step.op == "place" and x.labels == labels]
        if placed and len(terms) > 1:
            return self._assembled(placed, [term for term in terms if term not in placed], labels, shape)
        steps = [(c, self.plan.aligned(value.step, value.labels, labels)) for c, value in terms]
        steps.sort(key=lambda term: term[0] < 0)  # a positive term first: a - b, not -b + a
        return self.plan.linear(steps), labels

    def _assembled(
        self,
        placed: list[tuple[Fraction, Value]],
        rest: list[tuple[Fraction, Value]],
        labels: tuple[int, ...],
        shape: Shape,
    ) -> tuple[Step, tuple[int, ...]]:
        """What stands in a part of the array is added there, to the other terms or to zeros."""
        placed = sorted(placed, key=lambda term: tuple(map(_begins, term[1].step.param)))
        whole = tuple(shape[x] for x in labels)
        base = [dense(self.plan, Value(*self._combined(rest, shape), labels), whole)] if rest else []
        param = (tuple(c for c, _ in placed), tuple(x.step.param for _, x in placed))
        args = [*base, *(x.step.args[0] for _, x in placed)]
        return self.plan.step("assemble", args, param, whole), labels

    def _einsum(self, node: Einsum) -> Value:
        place = next((i for i, operand in enumerate(node.operands) if self._is_spread(node, operand)), None)
        if place is None:
            coefficient, operands = self._signed(node)
            coefficient, network, sizes = flattened(coefficient, operands, node)
            factors = [Factor(self.value(x), own, x) for x, own in network]
            if self._lean(node) < 0:
                return _turned_back(Network(self.setting, coefficient, factors, node.out[::-1], sizes).contracted())
            return Network(self.setting, coefficient, factors, node.out, sizes).contracted()
        spread = node.operands[place]
        assert isinstance(spread, Sum)
        if len(node.operands) == 1:
            return self._of_terms([(node.coefficient * factor, term) for factor, term in spread.terms], node.shape)
        terms = []
        for factor, term in spread.terms:
            operands = [*node.operands[:place], term, *node.operands[place + 1 :]]
            network = list(zip(operands, node.subscripts, strict=True))
            terms.append((factor, b.einsum(network, node.out, node.coefficient, dict(enumerate(node.sizes)))))
        return self._of_terms(terms, node.shape)

    def _signed(self, node: Einsum) -> tuple[Fraction, Sequence[Node]]:
        """-c·(b - a) as c·(a - b), where nothing else needs the sum."""
        if node.coefficient > 0 or len(node.operands) == 1:
            return node.coefficient, node.operands
        for i, operand in enumerate(node.operands):
            if isinstance(operand, Sum) and self._parents[operand] == 1:
                turned = b.scaled(operand, -1)
                return -node.coefficient, (*node.operands[:i], turned, *node.operands[i + 1 :])
        return node.coefficient, node.operands

    def _is_spread(self, node: Einsum, operand: Node) -> bool:
        """Whether the product with a sum is multiplied out: a sum of numbers, or one with terms on a diagonal, or with
        outer products, which are then never formed, or which take in a number cheaper; squares stay squares."""
        if not isinstance(operand, Sum) or node in self._whole:
            return False
        if len(node.operands) == 1 and node.subscripts[0] == node.out and len(set(node.out)) == len(node.out):
            if not node.shape or self._parents[operand] > 1:
                return not node.shape
            return node.coefficient == -1 or all(self._has_diagonal(x) or is_outer(x) for _, x in operand.terms)
        if len(node.operands) == 1 or node.operands.count(operand) > 1:
            return False
        if any(self._has_diagonal(term) or is_outer(term) for _, term in operand.terms):
            return True
        return not node.shape and any(holds_outer(term) for _, term in operand.terms)

    def _has_diagonal(self, term: Node) -> bool:
        """Whether an array is zero off a diagonal; large products, which may never be formed, are not planned."""
        if not isinstance(term, Einsum) or not is_large(term):
            return len(set(self.value(term).out)) < len(term.shape)
        return len(set(term.out)) < len(term.out)

    def _apply(self, node: Apply) -> Value:
        if node.parameter is not None:
            return labelled(
                self.plan.step("reduce", (self.dense(node.arg),), (node.function, node.parameter), node.shape)
            )
        if node.function in ("inv", "det", "logdet", "detsign"):
            op = {"inv": "inverse"}.get(node.function, node.function)
            return labelled(self.plan.step(op, (self.factor(node.arg),), None, node.shape))
        return labelled(self.plan.step("apply", (self.dense(node.arg),), node.function, node.shape))

    def factor(self, matrix: Node) -> Step:
        """The factorisation of a square matrix, by what is known of it."""
        if spd(matrix) is Fact.YES:
            kind = "cholesky"
        else:
            traits = matrix.traits if isinstance(matrix, Symbol) else frozenset()
            kind = next((trait for trait in ("lower", "upper") if trait in traits), "lu")
        if kind == "lu" and b.is_symmetric(matrix):
            kind = "symmetric"
        return self.plan.step("factor", (self.dense(matrix),), kind, matrix.shape)

    def _matrix_power(self, node: MatrixPower) -> Value:
        args = (self.dense(node.base), self.dense(node.exponent))
        return labelled(self.plan.step("matrix_power", args, None, node.shape))


def _turned_back(value: Value) -> Value:
    """The matrix of which this is the transpose."""
    return Value(value.step, value.labels, value.out[::-1])


def _begins(part: Dim | tuple[Dim, Dim] | None) -> bool:
    """Whether an array stands after the beginning of an axis: those at the beginning come first."""
    start = part[0] if isinstance(part, tuple) else part
    return start is not None and start.number != 0


_RULES: dict[type[Node], Callable[[Planner, Any], Value]] = {
    Symbol: Planner._symbol,
    Constant: Planner._constant,
    Named: Planner._named,
    Map: Planner._map,
    Sum: Planner._sum,
    Einsum: Planner._einsum,
    Apply: Planner._apply,
    MatrixPower: Planner._matrix_power,
}
