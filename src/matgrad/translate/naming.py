"""Names for the parts that a formula repeats: p for probabilities, r for a residual, u for inv(S)*(x - m).

Two parts are the same if they are one node of the graph, so (x - m)'*inv(S) is u' where S is symmetric, and sigmoid(-z)
is 1 - p. The part that saves most is named first; what is left is looked through again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Expr, Program, fold, walk
from matgrad.functions import card
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Einsum, Map, Node
from matgrad.translate.algebra import (
    addition,
    coefficient,
    cost,
    is_unsized,
    multiple,
    negative,
    number,
    product,
    transposed,
)
from matgrad.translate.lower import lower_expression

SHORTEST = 5
"""The cost of printing below which a part is not worth a name."""
SAVED = 3
"""Characters that a name must save, its definition counted."""
MOST = 8
"""Names given at most."""


def _is_constant(expr: Expr) -> bool:
    """zeros(n - 1), eye(n), ones(m)': they say what they are."""
    inner = expr.args[0] if expr.op == "transpose" else expr
    known = card(inner.value.name) if inner.op == "call" else None
    return known is not None and known.family == "constructor"


class Part(NamedTuple):
    """A part as a column or a matrix; how it stands at some place: itself, transposed, or 1 minus it."""

    expr: Expr
    node: Node
    turned: bool = False
    complement: bool = False


def with_names(
    body: Expr, nodes: Mapping[str, Node], taken: Collection[str], given: Mapping[str, tuple[Expr, Node]] | None = None
) -> Program:
    """The formula in terms of names for the parts that it repeats, and their definitions in order.

    Parts that have a name already are ``given``, written out, each after those that are parts of it.
    """
    naming = _Naming(nodes, taken)
    for name, (expr, node) in reversed(list((given or {}).items())):
        body = naming.in_terms_of(name, expr, node, body)
    return naming.run(body)


class _Naming:
    def __init__(self, nodes: Mapping[str, Node], taken: Collection[str]) -> None:
        self.nodes = dict(nodes)
        self.taken = set(taken)
        self.parts: dict[Expr, Part | None] = {}
        self.sums: set[Expr] = set()

    def in_terms_of(self, name: str, expr: Expr, node: Node, body: Expr) -> Expr:
        """The formula with the name of a part for the part."""
        part = self._part(expr)
        if part is None:
            return body
        self.nodes[name] = node
        return self._replaced(body, part, Expr("name", value=name, type=expr.type))

    def run(self, body: Expr) -> Program:
        definitions: list[tuple[str, Expr]] = []
        for _ in range(MOST):
            best = self._best([value for _, value in definitions] + [body])
            if best is None:
                break
            name = Expr("name", value=fresh(_letters(best.expr), self.taken), type=best.expr.type)
            self.nodes[name.value] = b.transpose(best.node) if best.turned else best.node
            definitions = [(n, self._replaced(value, best, name)) for n, value in definitions]
            body = self._replaced(body, best, name)
            definitions.append((name.value, best.expr))
        return _used_often(Program(tuple(_in_order(definitions)), body))

    def _best(self, roots: list[Expr]) -> Part | None:
        """The part whose name saves most."""
        found: dict[Node, list[Part]] = {}
        self.sums = {e for root in roots for e in walk(root) if e.op == "add"}
        for root in roots:
            for part in self._parts_of(root):
                found.setdefault(part.node, []).append(part)
        best, most = None, SAVED - 1
        for places in found.values():
            plain = [p for p in places if not p.complement]
            shortest = min(plain, key=lambda p: (cost(p.expr), p.turned), default=None)
            if len(places) < 2 or shortest is None:
                continue
            written = sum(cost(p.expr) + 2 * (p.expr.op == "add") for p in places)
            after = sum(1 + p.turned + 4 * p.complement for p in places) + cost(shortest.expr) + 4
            if written - after > most:
                best, most = shortest, written - after
        return best

    def _parts_of(self, root: Expr) -> Iterator[Part]:
        for expr in walk(root):
            if expr.op in ("add", "call", "power", "product"):
                part = self._part(expr)
                if part is not None:
                    yield part
            for start, stop in _partial_sums(expr, self.sums):
                part = self._part(expr.replace(args=expr.args[start:stop]))
                if part is not None:
                    yield part
            ends: dict[Node, int] = {}
            for start, stop in _spans(expr):
                part = self._part(_run(expr, start, stop))
                if part is not None and start >= ends.get(part.node, 0):
                    ends[part.node] = stop  # places that overlap count once
                    yield part

    def _part(self, expr: Expr) -> Part | None:
        if expr not in self.parts:
            self.parts[expr] = self._read(expr)
        return self.parts[expr]

    def _read(self, expr: Expr) -> Part | None:
        plain = expr.kind in (SCALAR, VECTOR, ROW, MATRIX) and not is_unsized(expr)
        simple = expr.op == "call" and expr.value.name == "inv" and expr.args[0].op == "name"
        simple = simple or _is_constant(expr)
        if not plain or simple or cost(expr) < SHORTEST or all(e.op not in ("name", "index") for e in walk(expr)):
            return None
        if any(e.op == "einsum" or (is_unsized(e) and expr.op != "add") for e in walk(expr)):
            return None  # what is sized by context stays in it
        node = lower_expression(expr, self.nodes)
        complement = isinstance(node, Map) and node.function == "sigmoid" and _is_negative(node.args[0])
        if complement:
            node = b.map_("sigmoid", (b.scaled(node.children[0], -1),))
        if expr.kind == ROW:
            return Part(transposed(expr), node, True, complement)
        if expr.kind == MATRIX and not b.is_symmetric(node):
            other = b.transpose(node)
            if other.digest < node.digest:
                return Part(expr, other, True, complement)
        return Part(expr, node, False, complement)

    def _replaced(self, root: Expr, part: Part, name: Expr) -> Expr:
        def there(expr: Expr) -> Expr | None:
            found = self._part(expr) if expr.op in ("add", "call", "power", "product") else None
            if found is None or found.node is not part.node:
                return None
            straight = found.turned == (part.turned and name.kind != VECTOR)  # a name for a row is that of its column
            shown = name if straight else transposed(name)
            return addition([number(1), negative(shown)]).replace(type=shown.type) if found.complement else shown

        def visit(expr: Expr, args: list[Expr]) -> Expr:
            whole = there(expr)
            if whole is not None:
                return whole
            if expr.op == "product":
                return _product(expr, args, there)
            for start, stop in _partial_sums(expr, {part.expr}):
                args[start:stop] = [name]
                return expr.replace(args=tuple(args))
            if expr.op == "transpose":
                return transposed(args[0])
            if expr.op == "add" and any(coefficient(a)[1].op == "add" for a in args):
                opened = addition([part for a in args for part in _opened(a)])  # 2 - 3*p for 2*(1 - p) - p
                return min(addition(args), opened, key=cost)
            return expr.replace(args=tuple(args)) if args else expr

        found: Expr = fold(root, visit)
        return found


def _opened(term: Expr) -> list[Expr]:
    """The terms of a multiple of a sum: 2 and -2*p of 2*(1 - p)."""
    factor, rest = coefficient(term)
    if rest.op != "add":
        return [term]
    return [multiple(factor * size, inner) for size, inner in map(coefficient, rest.args)]


def _used_often(program: Program) -> Program:
    """Without the names that only one place still uses, once larger parts have names of their own."""
    definitions = dict(program.definitions)
    body = program.body
    for name, value in reversed(program.definitions):
        del definitions[name]
        if sum(e.op == "name" and e.value == name for root in (*definitions.values(), body) for e in walk(root)) > 1:
            definitions[name] = value
            continue
        definitions = {n: _inlined(v, name, value) for n, v in definitions.items()}
        body = _inlined(body, name, value)
    return Program(tuple(_in_order(list(definitions.items()))), body)


def _inlined(root: Expr, name: str, value: Expr) -> Expr:
    def visit(expr: Expr, args: list[Expr]) -> Expr:
        if expr.op == "name":
            return value if expr.value == name else expr
        return expr.replace(args=tuple(args)) if args else expr

    found: Expr = fold(root, visit)
    return found


def _is_negative(node: Node) -> bool:
    return isinstance(node, Einsum) and node.coefficient < 0


def _partial_sums(expr: Expr, sums: Collection[Expr]) -> Iterator[tuple[int, int]]:
    """Where some of the terms of a sum, side by side, are one of these sums."""
    for whole in sums if expr.op == "add" and len(expr.args) > 2 else ():
        size = len(whole.args)
        for start in range(len(expr.args) - size + 1 if size < len(expr.args) and whole.op == "add" else 0):
            if expr.args[start : start + size] == whole.args and whole.type == expr.type:
                yield start, start + size


def _run(expr: Expr, start: int, stop: int) -> Expr:
    return product([("*", a) for a in expr.args[start:stop]])


def _spans(expr: Expr) -> list[tuple[int, int]]:
    """Runs of a matrix product that are columns or rows: inv(S)*(x - m) in C*inv(S)*(x - m)*y'."""
    if expr.op != "product" or len(expr.args) < 3 or any(o != "*" for o in expr.value):
        return []
    kinds = [a.kind for a in expr.args]
    spans = []
    for start in range(len(kinds)):
        for stop in range(start + 2, min(len(kinds), start + 4) + 1):
            run = kinds[start:stop]
            column = run[-1] == VECTOR and all(k == MATRIX for k in run[:-1])
            row = run[0] == ROW and all(k == MATRIX for k in run[1:])
            if stop - start < len(kinds) and (column or row):
                spans.append((start, stop))
    return spans


def _product(expr: Expr, args: list[Expr], there: Callable[[Expr], Expr | None]) -> Expr:
    """The product with the runs that have a name replaced, the longest first, and p before 1 - p."""
    operators = ("*", *expr.value)
    for start, stop in sorted(_spans(expr), key=lambda s: s[0] - s[1]):
        name = there(_run(expr, start, stop))
        if name is not None:
            shorter = (*expr.args[:start], name, *expr.args[stop:])
            rest = expr.replace(args=shorter, value=("*",) * (len(shorter) - 1))
            return _product(rest, [*args[:start], name, *args[stop:]], there)
    factors = list(zip(operators, args, strict=True))
    for k in range(1, len(factors)):
        (before, left), (operator, right) = factors[k - 1], factors[k]
        opposite = left.op == "add" and left.args == (number(1), negative(right))
        if opposite and operator in ("*", ".*") and (k == 1 or before == operator):
            factors[k - 1 : k + 1] = [(before, right), (operator, left)]
    return product(factors)


def _in_order(definitions: list[tuple[str, Expr]]) -> Iterator[tuple[str, Expr]]:
    """Each definition after those that it uses."""
    left = dict(definitions)
    while left:
        for name, value in list(left.items()):
            if not any(e.op == "name" and e.value in left for e in walk(value)):
                yield name, left.pop(name)


_PROBABILITIES = ("sigmoid", "softmax", "normcdf")


def _letters(expr: Expr) -> str:
    """The letters that such a part is called by, best first."""
    function = expr.value.name if expr.op == "call" else ""
    if function in _PROBABILITIES:
        letters = "pqs"
    elif function in ("inv", "adj"):
        letters = "MKV"
    elif function == "exp":
        letters = "eph"
    elif function:
        letters = "hts" if function not in ("norm2", "norm1", "sum") else "ds"
    elif expr.op == "add" and any(a.op == "neg" for a in expr.args):
        letters = "re"
    elif expr.kind == SCALAR:
        letters = "qst"
    elif expr.op == "add":
        letters = "zs" if expr.kind == VECTOR else "MS"
    else:
        letters = "uvz"
    letters += "quvwzh"
    return letters.upper() if expr.kind == MATRIX else letters


def length_of(program: Program, known: int = 0) -> int:
    """What a formula costs to print, its definitions counted but for the first that are ``known``."""
    return cost(program.body) + sum(cost(value) + 4 for _, value in program.definitions[known:])


def fresh(letters: str, taken: set[str]) -> str:
    """The first of these letters that is free, with a number where none is; it is taken from now on."""
    free = next((letter for letter in letters if letter not in taken), None)
    count = 1
    while free is None:
        candidate = f"{letters[0]}{count}"
        free = candidate if candidate not in taken else None
        count += 1
    taken.add(free)
    return free
