"""Formula trees: which parts vary, putting one part in the place of another, and keeping numbers in front."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from fractions import Fraction

from matgrad.formula.signatures import SIZES_OF
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, SCALAR_TYPE, VECTOR, Call, Expr, Type, fold, walk
from matgrad.functions import card
from matgrad.translate.algebra import addition, call, negative, number, product, times, transposed

DIFFERENTIAL = "\N{DOUBLE-STRUCK ITALIC SMALL D}"
"""The function that a differential not yet worked out is a call of."""


def named(name: str, type: Type | None) -> Expr:
    return Expr("name", value=name, type=type)


def pending(expr: Expr) -> Expr:
    """d(expr), still to be worked out."""
    return Expr("call", (expr,), Call(DIFFERENTIAL), type=expr.type)


def is_pending(expr: Expr) -> bool:
    return expr.op == "call" and expr.value.name == DIFFERENTIAL


def locally_constant(expr: Expr) -> bool:
    """Functions whose derivative is zero wherever they have one: sign, step, argmax."""
    if expr.op == "call" and expr.value.name == "softmax" and expr.args[0].type == SCALAR_TYPE:
        return True
    entry = card(expr.value.name) if expr.op == "call" and not expr.value.primes else None
    return entry is not None and (entry.derivative == "0" or entry.differential == "0")


_LINEAR = frozenset({"tr", "sum", "diag", "vec", DIFFERENTIAL})


def varies(expr: Expr, names: Collection[str]) -> bool:
    """Whether a formula depends on one of these names.

    >>> varies(named("x", None), {"x"})
    True
    """

    def visit(node: Expr, args: list[bool]) -> bool:
        if node.op == "name":
            return node.value in names
        if locally_constant(node) or (node.op == "call" and node.value.name in ("rows", "cols", "length")):
            return False
        return any(args)

    found: bool = fold(expr, visit)
    return found


def mentions(expr: Expr, name: str) -> bool:
    return any(node.op == "name" and node.value == name for node in walk(expr))


def places_of(expr: Expr, name: str) -> list[tuple[int, ...]]:
    """Where a name stands."""
    return list(paths_to(expr, lambda node: node.op == "name" and node.value == name))


def rebuilt(node: Expr, args: Sequence[Expr]) -> Expr:
    """The node with other arguments: products inside of products are joined, and so are sums."""
    if node.op == "product":
        return product(list(zip(("*", *node.value), args, strict=True)))
    if node.op == "add":
        return widened(addition(args), node.type)
    if node.op == "neg":
        return negative(args[0])
    if node.op == "transpose":
        return transposed(args[0])
    return node.replace(args=tuple(args)) if node.args else node


def widened(expr: Expr, type: Type | None) -> Expr:
    """A scalar that stands for an array, written as one."""
    if type is None or type.kind == SCALAR or expr.kind != SCALAR:
        return expr
    if type.kind == ROW:
        return transposed(call("vector", expr, type=Type(VECTOR, type.dims)))
    return call("vector" if type.kind == VECTOR else "matrix", expr, type=type)


def replaced(expr: Expr, values: Mapping[str, Expr]) -> Expr:
    """The formula with formulas in the place of names."""

    def visit(node: Expr, args: list[Expr]) -> Expr:
        if node.op == "name":
            return values.get(node.value, node)
        return rebuilt(node, args)

    found: Expr = fold(expr, visit)
    return found


def at(expr: Expr, path: Sequence[int]) -> Expr:
    for step in path:
        expr = expr.args[step]
    return expr


def paths_to(expr: Expr, wanted: Callable[[Expr], bool]) -> Iterator[tuple[int, ...]]:
    """The ways to the outermost parts of a kind, left to right."""
    stack: list[tuple[tuple[int, ...], Expr]] = [((), expr)]
    while stack:
        path, node = stack.pop()
        if wanted(node):
            yield path
        else:
            stack.extend(((*path, k), arg) for k, arg in reversed(list(enumerate(node.args))))


def tidied(expr: Expr) -> Expr:
    """The formula with the numbers of each product multiplied out and in front, and signs taken out of products."""

    def visit(node: Expr, args: list[Expr]) -> Expr:
        new = rebuilt(node, args)
        if new.op == "add" and any(_is_zeros(a) for a in new.args) and not all(_is_zeros(a) for a in new.args):
            kept = addition([a for a in new.args if not _is_zeros(a)])
            new = kept if kept.type == new.type else new
        linear = new.op == "transpose" or (new.op == "call" and new.value.name in _LINEAR)
        if linear and new.args[0].op == "neg":
            return negative(rebuilt(new, new.args[0].args))
        return _chain_last(_numbers_in_front(new)) if new.op == "product" and "⊗" not in new.value else new

    found: Expr = fold(expr, visit)
    return found


def _is_zeros(expr: Expr) -> bool:
    """Whether this is an array of zeros, or minus one."""
    inner = expr.args[0] if expr.op == "neg" else expr
    filled = inner.op == "call" and inner.value.name in ("vector", "matrix")
    return filled and len(inner.args) == 1 and inner.args[0] == number(0)


def _numbers_in_front(expr: Expr) -> Expr:
    coefficient, rest = Fraction(1), []
    for operator, factor in zip(("*", *expr.value), expr.args, strict=True):
        if factor.op == "neg":
            coefficient, factor = -coefficient, factor.args[0]
        if factor.op == "number" and (factor.value or operator in ("*", ".*")):
            coefficient = coefficient / factor.value if operator in ("/", "./") else coefficient * factor.value
        else:
            rest.append((operator, factor))
    size = abs(coefficient)
    if not rest:
        return number(coefficient)
    if size != 1 or rest[0][0] in ("/", "./"):
        operator, factor = rest[0]
        rest = [("*", number(size)), ("*" if operator == ".*" else operator, factor), *rest[1:]]
    else:
        rest[0] = ("*", rest[0][1])
    whole = _flat(rest, expr)
    if whole.kind != expr.kind or len(whole.dims) != len(expr.dims):
        return expr
    return negative(whole) if coefficient < 0 else whole


def _flat(pairs: list[tuple[str, Expr]], like: Expr) -> Expr:
    """The product without joining: c*u'*v stays one chain."""
    if len(pairs) == 1:
        return pairs[0][1]
    if like.kind == SCALAR:
        return Expr("product", tuple(f for _, f in pairs), tuple(o for o, _ in pairs[1:]), type=SCALAR_TYPE)
    return product(pairs)


def _chain_last(expr: Expr) -> Expr:
    """c*(u'*v) as c*u'*v, and c*(2*u'*v/s) as 2*c*u'*v/s, where all that stands before the bracket are scalars."""
    if expr.op == "neg":
        return negative(_chain_last(expr.args[0]))
    if expr.op != "product":
        return expr
    *scalars, last = expr.args
    if expr.value[-1] != "*" or last.op != "product" or not set(last.value) <= {"*", "/"} or last.kind != SCALAR:
        return expr
    if any(s.kind != SCALAR for s in scalars):
        return expr
    joined = expr.replace(args=(*scalars, *last.args), value=(*expr.value, *last.value))
    return _numbers_in_front(joined)


def factors_of(expr: Expr) -> list[tuple[str, Expr]]:
    """The factors of a formula, each with its operator; a formula that is no product is its only factor."""
    if expr.op != "product":
        return [("*", expr)]
    return list(zip(("*", *expr.value), expr.args, strict=True))


def terms_of(expr: Expr) -> tuple[Expr, ...]:
    return expr.args if expr.op == "add" else (expr,)


def expanded(expr: Expr, names: Collection[str] | None) -> Expr:
    """Products, traces, sums and transposes of sums that contain one of the names (None: any), taken term by term."""

    def visit(node: Expr, args: list[Expr]) -> Expr:
        new = rebuilt(node, args)
        place = next(
            (k for k, arg in enumerate(new.args) if arg.op == "add" and (names is None or varies(arg, names))), None
        )
        linear = new.op == "call" and new.value.name in ("tr", "sum", "diag", "vec")
        if place is None or not (new.op in ("product", "transpose", "neg") or linear):
            return new
        divides = new.op == "product" and place > 0 and new.value[place - 1] in ("/", "./")
        if divides or any(term.kind != new.args[place].kind for term in new.args[place].args):
            return new
        terms = [rebuilt(new, (*new.args[:place], term, *new.args[place + 1 :])) for term in new.args[place].args]
        return addition([visit(term, list(term.args)) if term.op == new.op else term for term in terms])

    found: Expr = fold(expr, visit)
    return tidied(found)


def had(left: Expr, operator: str, right: Expr) -> Expr:
    """``left operator right`` entry by entry; what was summed along rows or columns scales them.

    The operator is that of the scalar law: ``*`` or ``/``.
    """
    kinds = (left.kind, right.kind)
    if operator == "*" and kinds == (MATRIX, VECTOR):
        return times(_diagonal(right), left)
    if operator == "*" and kinds == (MATRIX, ROW):
        return times(left, _diagonal(transposed(right)))
    if operator == "*" and MATRIX in kinds and (VECTOR in kinds or ROW in kinds):
        return had(right, operator, left)
    if operator == "/" and left.kind == MATRIX and right.kind in (VECTOR, ROW):
        return had(left, "*", product([("*", number(1)), ("./", right)]))
    if right.kind == SCALAR:
        return product([("*", left), (operator, right)])
    if operator == "*" and left.kind == SCALAR:
        return times(left, right)
    return product([("*", left), ("." + operator, right)])


def _diagonal(vector: Expr) -> Expr:
    return call("diag", vector, type=Type(MATRIX, vector.dims * 2))


def ones(type: Type) -> Expr:
    """An array of ones."""
    return call("vector" if type.kind == VECTOR else "matrix", number(1), type=type)


def sizes_by_name(expr: Expr, taken: Collection[str]) -> Expr:
    """length(x) as n, where that is what the size of x is called."""

    def visit(node: Expr, args: list[Expr]) -> Expr:
        if node.op == "call" and node.value.name in SIZES_OF and node.args[0].type is not None:
            dim = str(node.args[0].dims[-1 if node.value.name == "cols" else 0]) if node.args[0].dims else "1"
            if dim.isidentifier() and dim not in taken:
                return named(dim, SCALAR_TYPE)
        return rebuilt(node, args) if any(a is not b for a, b in zip(args, node.args, strict=True)) else node

    found: Expr = fold(expr, visit)
    return found
