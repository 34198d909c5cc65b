"""Which name is a scalar, a vector or a matrix: the constraints that every operation imposes.

Besides the hard ones there are two that only bare names which nobody declared obey: *courtesies*, such as the norm of
a scalar, are for explicit scalars, and a name next to ``+ - .* ./`` has the kind of its neighbour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

from matgrad.formula import relations as rel
from matgrad.formula.network import (
    ANY,
    BITS,
    MATRIX_BIT,
    SCALAR_BIT,
    VECTOR_BIT,
    Relation,
)
from matgrad.formula.syntax import MATRIX, SCALAR, VECTOR, Expr, Program, fold, product_kind
from matgrad.functions import card


class Limit(NamedTuple):
    """One constraint, and the node (and the step in it) that imposes it."""

    relation: Relation
    variables: tuple[int, ...]
    node: Expr
    step: int


Factors = list[tuple[str, int]]
"""The variables of factors, each with the operator before it."""


def constant_value(node: Expr) -> Fraction | None:
    """The value of an expression of literals, or None."""
    if not node.args:
        return _value_of(node, [])
    found: Fraction | None = fold(node, _value_of)
    return found


def _value_of(node: Expr, values: list[Fraction | None]) -> Fraction | None:
    if node.op == "number":
        return Fraction(node.value)
    if node.op not in ("neg", "add", "product") or None in values:
        return None
    known = [value for value in values if value is not None]
    if node.op == "neg":
        return -known[0]
    if node.op == "add":
        return sum(known, Fraction(0))
    total = known[0]
    for operator, value in zip(node.value, known[1:], strict=True):
        if operator in ("/", "./"):
            if not value:
                return None
            total /= value
        else:
            total *= value
    return total


def postorder(root: Expr) -> list[Expr]:
    """Children before parents, left to right."""
    order: list[Expr] = []
    stack = [root]
    while stack:
        node = stack.pop()
        order.append(node)
        stack.extend(node.args)
    return order[::-1]


def _is_plain(node: Expr) -> bool:
    """Whether it is a name or a number, perhaps with a sign."""
    return node.args[0].op in ("name", "number") if node.op == "neg" else node.op in ("name", "number", "constant")


def _factors(product: Expr) -> Iterator[tuple[str, Expr]]:
    """The factors, each with the operator before it; C and 2 for (C/2) in (C/2)*w'*w."""
    for operator, factor in zip(("*", *product.value), product.args, strict=True):
        if operator == "*" and factor.op == "product" and all(map(_is_plain, factor.args)):
            yield from zip((operator, *factor.value), factor.args, strict=True)
        else:
            yield operator, factor


class Kinds:
    """The constraints of a program. ``fixed`` gives the kinds that are known; all other names are open."""

    def __init__(
        self,
        program: Program,
        walked: list[list[Expr]],
        fixed: Mapping[str, str],
        functions: frozenset[str],
        sizes: frozenset[str],
    ) -> None:
        self.functions = functions
        self.sizes = sizes
        self.fixed = fixed
        self.domains: list[int] = []
        self.of_node: dict[int, int] = {}
        self.of_name: dict[str, int] = {}
        self.open: dict[str, None] = {}
        self.uses: dict[str, list[Expr]] = {}
        self.neighbours: set[str] = set()
        self.after: dict[str, list[int]] = {}  # what stands left of an open name in a product
        self.beside: dict[str, list[tuple[list[Factors], list[int], list[int]]]] = {}
        """What an open name multiplies in a term, left and right of it, and the other terms: formulas, and names; for
        each such term."""
        self.beside_numbers: dict[str, int] = {}  # how often an open name stands in a sum with numbers: 1 - y
        self.picked: set[str] = set()  # open names with one index
        self.lower: list[int] = []  # open names in lower case
        self.hard: list[Limit] = []
        self.courtesies: list[tuple[int, str, int]] = []  # a bare name may only be of these kinds here
        self.equal: list[tuple[int, str, Limit]] = []  # a bare name has the same kind as its neighbour
        self.nodes: list[Expr] = []
        self.divisors = _scalar_places(walked)
        for name, value in program.definitions:
            self.add_tree(value)
            self.of_name[name] = self.of_node[id(value)]
        self.add_tree(program.body)

    def _variable(self, domain: int = ANY) -> int:
        self.domains.append(domain)
        return len(self.domains) - 1

    def add_tree(self, root: Expr) -> None:
        for node in postorder(root):
            self.nodes.append(node)
            getattr(self, "_" + node.op)(node)
            for arg in node.args:
                inner = arg.args[0] if arg.op == "neg" else arg
                if inner.op == "name":
                    self.uses.setdefault(inner.value, []).append(node)

    def _limit(self, relation: Relation, node: Expr, *variables: int, step: int = 0) -> None:
        self.hard.append(Limit(relation, variables, node, step))

    def _bare(self, node: Expr) -> str | None:
        """The name, where the node is an open name, perhaps with a sign."""
        while node.op == "neg":
            node = node.args[0]
        return node.value if node.op == "name" and node.value in self.open else None

    def _only(self, node: Expr, mask: int) -> None:
        name = self._bare(node)
        if name is not None:
            self.courtesies.append((len(self.hard), name, mask))

    def _same(self, node: Expr, owner: Expr, variable: int, step: int = 0) -> None:
        name = self._bare(node)
        if name is not None:
            self.neighbours.add(name)
            limit = Limit(rel.SAME, (self.of_name[name], variable), owner, step)
            self.equal.append((len(self.hard), name, limit))

    def _number(self, node: Expr) -> None:
        self.of_node[id(node)] = self._variable(SCALAR_BIT)

    _constant = _number

    def _name(self, node: Expr) -> None:
        name = node.value
        if name not in self.of_name:
            self.of_name[name] = self._variable(self._name_domain(name))
            if name in self.open and not name[0].isupper():
                self.lower.append(self.of_name[name])
        self.of_node[id(node)] = self.of_name[name]

    def _name_domain(self, name: str) -> int:
        if name in self.fixed:
            return BITS[self.fixed[name]]
        if name in self.sizes:
            return SCALAR_BIT
        self.open[name] = None
        if not name[0].isupper():
            return SCALAR_BIT | VECTOR_BIT | MATRIX_BIT
        return VECTOR_BIT | MATRIX_BIT | (SCALAR_BIT if name in self.divisors else 0)

    def _neg(self, node: Expr) -> None:
        self.of_node[id(node)] = self.of_node[id(node.args[0])]

    def _transpose(self, node: Expr) -> None:
        out = self.of_node[id(node)] = self._variable()
        self._limit(rel.TRANSPOSED, node, self.of_node[id(node.args[0])], out)
        name = self._bare(node.args[0])
        if name is not None and name not in self.divisors:
            self._limit(rel.one_of((MATRIX if name[0].isupper() else VECTOR,)), node, self.of_name[name])

    def _add(self, node: Expr) -> None:
        terms = [self.of_node[id(arg)] for arg in node.args]
        total = terms[0]
        for step, term in enumerate(terms[1:], 1):
            out = self._variable()
            self._limit(rel.BROADCAST, node, total, term, out, step=step)
            total = out
        self.of_node[id(node)] = total
        for step, arg in enumerate(node.args):
            self._same(arg, node, total, step)
        self._coefficients(node)

    def _coefficients(self, node: Expr) -> None:
        """Names that multiply a term of a sum, or are one: k in norm2(A*x - b)^2 + k*norm1(x), and in x'*x + k."""
        for term in node.args:
            inner = term.args[0] if term.op == "neg" else term
            rest = [t for t in node.args if t is not term]
            others = [self.of_node[id(t)] for t in rest if self._is_formula(t)]
            names = [self.of_node[id(t)] for t in rest if not self._is_formula(t)]
            name = self._bare(inner)
            if name is not None and others:
                self.beside.setdefault(name, []).append(([[]], others, names))
            elif name is not None and all(t.op in ("number", "constant") for t in rest):
                self.beside_numbers[name] = self.beside_numbers.get(name, 0) + 1
            if inner.op != "product":
                continue
            factors = list(_factors(inner))
            pairs = [(o, self.of_node[id(f)]) for o, f in factors]
            for place, (_, factor) in enumerate(factors):
                name = self._bare(factor)
                if name is not None and others and not all(_is_plain(f) for _, f in factors):
                    self.beside.setdefault(name, []).append(([pairs[:place], pairs[place + 1 :]], others, names))

    def _is_formula(self, node: Expr) -> bool:
        """Whether it is more than a name or a number, or the name of a formula that was defined."""
        inner = node.args[0] if node.op == "neg" else node
        defined = inner.op == "name" and not (
            inner.value in self.open or inner.value in self.fixed or inner.value in self.sizes
        )
        return defined or not _is_plain(node)

    def only_weighs(self, name: str, kind_of: Callable[[int], str | None], parts: int = 2) -> bool:
        """Whether a name only multiplies scalars, as k does in k*w'*w and S in w'*S*w does not (``parts`` 1), beside
        formulas that are scalars (2), and names (3). ``kind_of`` gives the kind of a variable, where that is known."""
        places = self.beside.get(name, [])
        uses = sum(use.op != "neg" for use in self.uses.get(name, ())) - self.beside_numbers.get(name, 0)
        if not places or len(places) != uses:
            return False
        terms = (variable for _, *others in places for part in others[: parts - 1] for variable in part)
        sides = (side for place in places for side in place[0])
        return all(_gives_scalar(side, kind_of) for side in sides) and all(kind_of(v) == SCALAR for v in terms)

    def leads(self, name: str) -> bool:
        """Whether a name only stands in front of products in sums, perhaps after numbers: C in C*w'*w + norm1(w)."""
        places = self.beside.get(name, [])
        before = (variable for sides, *_ in places for _, variable in sides[0])
        return bool(places) and all(self.domains[v] == SCALAR_BIT for v in before)

    def _product(self, node: Expr) -> None:
        total = self.of_node[id(node.args[0])]
        left: Expr | None = node.args[0]
        for step, (operator, arg) in enumerate(zip(node.value, node.args[1:], strict=True), 1):
            out, right = self._variable(), self.of_node[id(arg)]
            self._limit(rel.multiplied(operator), node, total, right, out, step=step)
            name = self._bare(arg)
            if name is not None and operator == "*":
                self.after.setdefault(name, []).append(total)
            if operator in (".*", "./"):
                self._same(arg, node, out, step)
                if left is not None:
                    self._same(left, node, out, step)
            total, left = out, None
        self.of_node[id(node)] = total

    def _power(self, node: Expr) -> None:
        base, exponent = node.args
        out = self.of_node[id(node)] = self._variable()
        value = constant_value(exponent)
        relation = rel.BROADCAST
        if node.value == "^":
            relation = rel.SCALAR_POWER if value is not None and value.denominator != 1 else rel.ANY_POWER
        self._limit(relation, node, self.of_node[id(base)], self.of_node[id(exponent)], out)
        if self._bare(exponent) is not None:
            self._limit(rel.IS_SCALAR, node, self.of_node[id(exponent)])

    def _index(self, node: Expr) -> None:
        out = self.of_node[id(node)] = self._variable()
        name = self._bare(node.args[0])
        if name is not None and len(node.value) == 1:
            self.picked.add(name)
        self._limit(rel.indexed(rel.picks(node.value)), node, self.of_node[id(node.args[0])], out)
        for step, bound in enumerate(node.args[1:], 1):
            self._limit(rel.IS_SCALAR, node, self.of_node[id(bound)], step=step)

    def _stack(self, node: Expr) -> None:
        position, rows, step = 0, [], 0
        for count in node.value:
            row = [self.of_node[id(arg)] for arg in node.args[position : position + count]]
            position += count
            rows.append(self._joined(rel.BESIDE, row, node, step))
            step += count - 1
        self.of_node[id(node)] = self._joined(rel.BELOW, rows, node, step)

    def _joined(self, relation: Relation, parts: list[int], node: Expr, step: int) -> int:
        total = parts[0]
        for part in parts[1:]:
            out, step = self._variable(), step + 1
            self._limit(relation, node, total, part, out, step=step)
            total = out
        return total

    def _einsum(self, node: Expr) -> None:
        allowed, result = rel.contracted(node.value)
        for step, (arg, kinds) in enumerate(zip(node.args, allowed, strict=True)):
            self._limit(rel.one_of(kinds), node, self.of_node[id(arg)], step=step)
        self.of_node[id(node)] = self._variable(BITS[result])

    def _call(self, node: Expr) -> None:
        args = [self.of_node[id(arg)] for arg in node.args]
        out = self.of_node[id(node)] = self._variable()
        name, dim = node.value.name, node.value.dim
        if name in self.functions:
            self._limit(rel.SAME, node, *args, out)
            return
        relation = rel.called(name, dim, len(args))
        self._limit(relation, node, *args, out)
        if relation is rel.BROADCAST:
            for step, arg in enumerate(node.args):
                self._same(arg, node, out, step)
        known = card(name)
        bare = self._bare(node.args[0]) if len(args) == 1 else None
        if known is None or bare is None or not rel.scalar_is_exceptional(known, dim):
            return
        if rel.takes_square(known, dim) and bare not in self.divisors:
            self._limit(rel.one_of((MATRIX,)), node, self.of_name[bare])
        else:
            self._only(node.args[0], ANY & ~SCALAR_BIT)


def _gives_scalar(factors: Factors, kind_of: Callable[[int], str | None]) -> bool:
    """Whether the product is a scalar; of no factors, it is 1."""
    total: str | None = SCALAR
    for operator, variable in factors:
        kind = kind_of(variable)
        total = None if total is None or kind is None else product_kind(total, operator, kind)
    return total == SCALAR


def _scalar_places(walked: list[list[Expr]]) -> set[str]:
    """Names right of ``/`` or in an exponent: only there may an undeclared capital be a scalar."""
    roots = []
    for nodes in walked:
        for node in nodes:
            if node.op == "power":
                roots.append(node.args[1])
            elif node.op == "product":
                roots += [arg for sign, arg in zip(node.value, node.args[1:], strict=True) if sign == "/"]
    names: set[str] = set()
    seen: set[int] = set()
    while roots:
        node = roots.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.op == "name":
            names.add(node.value)
        elif node.op in ("neg", "add", "product", "power"):
            roots += node.args
    return names
