"""Which name is a scalar, a vector or a matrix: constraints from every operation, then the rules for what is left.

The rules, in order: what is forced; what stands next to ``+ - .* ./`` takes the other operand's shape; the first
letter. Forced means: by the operations alone, together with the *courtesies* that only explicit scalars enjoy
(the transpose, trace or norm of a scalar), which a bare name that nobody declared does not claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import NamedTuple

from matgrad.formula import relations as rel
from matgrad.formula.network import ANY, BITS, KIND_OF_BIT, MATRIX_BIT, SCALAR_BIT, VECTOR_BIT, Network, Relation, single
from matgrad.formula.syntax import MATRIX, VECTOR, Expr, Program, walk
from matgrad.functions import card

GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron rho sigma tau upsilon phi chi "
    "psi omega varepsilon vartheta varphi varrho varsigma".split()
)
_BUDGET = 2000


class Limit(NamedTuple):
    """One constraint, and the node (and the step in it) that imposes it."""

    relation: Relation
    variables: tuple[int, ...]
    node: Expr
    step: int


class Reading(NamedTuple):
    """A kind for each variable of the solver, and why each name has its own: "forced", "letter", "fits", "neighbour"."""

    kinds: list[str]
    why: dict[str, str]


def constant_value(node: Expr) -> Fraction | None:
    """The value of a small expression of literals, or None."""
    values: list[Fraction] = []
    if node.op == "number":
        return Fraction(node.value)
    if node.op not in ("neg", "add", "product"):
        return None
    for arg in node.args:
        inner = arg.args[0] if arg.op == "neg" else arg
        if inner.op != "number":
            return None
        values.append(-inner.value if arg.op == "neg" else inner.value)
    if node.op == "neg":
        return -values[0]
    if node.op == "add":
        return sum(values, Fraction(0))
    total = values[0]
    for operator, value in zip(node.value, values[1:], strict=True):
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


def is_scalar_by_letter(name: str) -> bool:
    """Whether an otherwise free name is taken for a scalar: a to g, and Greek letters.

    >>> [is_scalar_by_letter(name) for name in ("c", "w", "lambda", "mu_2", "Σ", "A", "σ")]
    [True, False, True, True, False, False, True]
    """
    head = name.rstrip("0123456789").split("_")[0]
    return "a" <= name[0] <= "g" or head in GREEK or ("ά" <= name[0] <= "Ͽ" and name[0].islower())


class Kinds:
    """The constraints of a program. ``fixed`` gives the kinds that are known; all other names are open."""

    def __init__(
        self, program: Program, fixed: Mapping[str, str], functions: frozenset[str], sizes: frozenset[str]
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
        self.picked: set[str] = set()  # open names with one index
        self.lower: list[int] = []  # open names in lower case
        self.hard: list[Limit] = []
        self.courtesies: list[tuple[int, str, int]] = []  # a bare name may only be of these kinds here
        self.equal: list[tuple[int, str, Limit]] = []  # a bare name has the same kind as its neighbour
        self.nodes: list[Expr] = []
        self.divisors = _scalar_places(program)
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

    def _product(self, node: Expr) -> None:
        total = self.of_node[id(node.args[0])]
        left: Expr | None = node.args[0]
        for step, (operator, arg) in enumerate(zip(node.value, node.args[1:], strict=True), 1):
            out, right = self._variable(), self.of_node[id(arg)]
            self._limit(rel.multiplied(operator), node, total, right, out, step=step)
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

    def solve(self, count: int | None = None) -> Reading | None:
        """Kinds for all names, from the first ``count`` constraints (all, where None)."""
        count = len(self.hard) if count is None else count
        return _Search(self, count, equal=True).run() or _Search(self, count, equal=False).run()

    def first_clash(self) -> tuple[Limit, Reading]:
        """The first constraint that cannot be met together with all before it, and kinds that meet those."""
        low, high = 0, len(self.hard)  # the first `low` can be met, the first `high` cannot
        best = self.solve(0)
        while high - low > 1:
            middle = (low + high) // 2
            found = self.solve(middle)
            if found is None:
                high = middle
            else:
                low, best = middle, found
        assert best is not None
        return self.hard[low], best


def _scalar_places(program: Program) -> set[str]:
    """Names right of ``/`` or in an exponent: only there may an undeclared capital be a scalar."""
    roots = []
    for value in [value for _, value in program.definitions] + [program.body]:
        for node in walk(value):
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


class _Search:
    """One attempt to find kinds, with or without the rule for neighbours."""

    def __init__(self, kinds: Kinds, count: int, equal: bool) -> None:
        self.kinds = kinds
        self.net = Network()
        for domain in kinds.domains:
            self.net.variable(domain)
        for limit in kinds.hard[:count]:
            self.net.constrain(limit.relation, *limit.variables)
        self.courtesies = [(n, m) for at, n, m in kinds.courtesies if at <= count]
        self.equal = [(n, limit) for at, n, limit in kinds.equal if at <= count] if equal else []
        self.why: dict[str, str] = {}

    def run(self) -> Reading | None:
        net, kinds = self.net, self.kinds
        if not net.propagate(range(len(net.constraints))):
            return None
        for name, mask in self.courtesies:
            net.try_to((kinds.of_name[name], mask))
        for name in kinds.open:
            if not name[0].isupper() and not self._domain(name) & VECTOR_BIT:
                net.try_to((kinds.of_name[name], SCALAR_BIT))
        for name in kinds.open:
            if single(self._domain(name)):
                self.why[name] = "forced"
        for name in kinds.open:
            plain = name[0].isupper() and name not in kinds.neighbours and name not in kinds.picked
            if plain and not net.restrict(kinds.of_name[name], SCALAR_BIT | MATRIX_BIT):
                return None
        for name, limit in self.equal:
            if self.why.get(name) != "forced" or self._domain(name) != SCALAR_BIT:
                self._try_limit(limit)
        if not self._choose():
            return None
        for name in kinds.open:
            letter = self._domain(name) == _natural(name) and name not in kinds.neighbours
            self.why.setdefault(name, "letter" if letter else "neighbour")
        return Reading([KIND_OF_BIT[mask & -mask] for mask in net.domains], self.why)

    def _domain(self, name: str) -> int:
        return self.net.domains[self.kinds.of_name[name]]

    def _try_limit(self, limit: Limit) -> None:
        """Add a constraint unless it contradicts what is known already."""
        mark = self.net.mark()
        number = self.net.constrain(limit.relation, *limit.variables)
        if not self.net.propagate([number]):
            self.net.undo(mark)
            self.net.constraints[number] = (limit.relation, ())

    def _choose(self) -> bool:
        """Kinds for what is still open: names by letter, then constants such as ``ones``; backtracking."""
        kinds = self.kinds
        names = [n for n in kinds.open if n not in kinds.neighbours]
        beside = [n for n in kinds.open if n in kinds.neighbours]
        names += [n for n in beside if not _starts_scalar(n)] + [n for n in beside if _starts_scalar(n)]
        order: list[tuple[int, str | None]] = [(kinds.of_name[n], n) for n in names]
        order += [(v, None) for v in range(len(self.net.domains)) if not single(self.net.domains[v])]
        made: list[tuple[int, int, list[int]]] = []  # position, mark before it, kinds not yet tried
        at, budget = 0, _BUDGET
        while at < len(order):
            variable, name = order[at]
            if single(self.net.domains[variable]):
                at += 1
                continue
            wanted = self._preferences(variable, name)
            made.append((at, self.net.mark(), wanted))
            while made:
                at, mark, left = made[-1]
                self.net.undo(mark)
                if not left:
                    made.pop()
                    continue
                budget -= 1
                if budget < 0:
                    return False
                tried, chosen = left.pop(0), order[at][1]
                if not self.net.restrict(order[at][0], tried):
                    continue
                if chosen is not None and tried != _natural(chosen) and self._lower_case_matrix_since(mark):
                    continue  # an odd kind here would make odd kinds there: rather an error
                self._note(chosen, tried, len(made) == 1)
                break
            else:
                return False
            at += 1
        return True

    def _note(self, name: str | None, kind: int, first: bool) -> None:
        if name is not None:
            natural = _natural(name)
            self.why[name] = "letter" if kind == natural else ("forced" if first else "fits")

    def _preferences(self, variable: int, name: str | None) -> list[int]:
        """The kinds that are possible, the most natural one first."""
        domain = self.net.domains[variable]
        if name is None:
            return [bit for bit in (MATRIX_BIT, VECTOR_BIT, SCALAR_BIT, 4, 16) if bit & domain]
        natural = _natural(name)
        order = [natural] + [bit for bit in (VECTOR_BIT, SCALAR_BIT, MATRIX_BIT) if bit != natural]
        if natural == SCALAR_BIT and domain & VECTOR_BIT and self._makes_lower_case_matrix(variable, SCALAR_BIT):
            if not self._makes_lower_case_matrix(variable, VECTOR_BIT):
                order = [VECTOR_BIT, SCALAR_BIT, MATRIX_BIT]
        return [bit for bit in order if bit & domain]

    def _makes_lower_case_matrix(self, variable: int, kind: int) -> bool:
        """Whether a choice is impossible, or leaves a lower-case name no kind but matrix (y - X*beta)."""
        mark = self.net.mark()
        poor = not self.net.restrict(variable, kind) or self._lower_case_matrix_since(mark)
        self.net.undo(mark)
        return poor

    def _lower_case_matrix_since(self, mark: int) -> bool:
        """Whether a lower-case name has come to be a matrix since then."""
        changed = {variable for variable, _ in self.net.trail[mark:]}
        lower = self.kinds.lower
        return any(v in changed and self.net.domains[v] == MATRIX_BIT for v in lower)


def _starts_scalar(name: str) -> bool:
    return not name[0].isupper() and is_scalar_by_letter(name)


def _natural(name: str) -> int:
    """The kind that the first letter suggests."""
    if is_scalar_by_letter(name):
        return SCALAR_BIT
    return MATRIX_BIT if name[0].isupper() else VECTOR_BIT
