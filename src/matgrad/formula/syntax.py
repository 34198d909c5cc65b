"""The formula tree: what people read and write, in matrix notation.

The parser and ``recover`` produce it; the printers, the reference evaluator, the code generators
and ``lower`` consume it. An ``Expr`` is an operation, its arguments and a value:

========== =============== ====================================================================
op         args            value
========== =============== ====================================================================
number     –               Fraction (never negative: see neg)
constant   –               "pi"
name       –               the name of a variable, of an intermediate, or of a declared dimension
add        terms (2+)      –          a term that is subtracted is a ``neg``
neg        x               –
product    factors (2+)    one of ``* / .* ./ ⊗`` before each factor but the first, left to right
power      base, exponent  ``^`` or ``.^``
transpose  x               –
call       arguments       Call(name, dim, primes)
index      x, bounds       one item per axis: an int (from 1), (first, last) inclusive, None for ":"; or AT and
                           RANGE, whose one or two positions are the next arguments: sizes such as m + 1
stack      entries by rows number of entries of each row
einsum     operands        "ij,jk->ik"
========== =============== ====================================================================

``type`` is None until the shapes are inferred; then every node has one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from matgrad.dims import Dim

SCALAR, VECTOR, ROW, MATRIX, TENSOR = "scalar", "vector", "row", "matrix", "tensor"


AT, RANGE = "at", "range"
T = TypeVar("T")


class Type(NamedTuple):
    """What an expression is: its kind, and its dimensions (a row has one, like a vector)."""

    kind: str
    dims: tuple[Dim, ...]


SCALAR_TYPE = Type(SCALAR, ())


class Call(NamedTuple):
    """A function applied: ``sum(X, dim=1)`` is Call("sum", 1), ``g''(x)`` is Call("g", None, 2)."""

    name: str
    dim: int | None = None
    primes: int = 0


class Expr:
    """An immutable node of a formula. Equality is of structure; span and type do not count."""

    __slots__ = ("__weakref__", "args", "cost", "digest", "names", "op", "reciprocal", "span", "type", "value")

    def __init__(
        self,
        op: str,
        args: tuple[Expr, ...] = (),
        value: Any = None,
        span: tuple[int, int] | None = None,
        type: Type | None = None,
    ) -> None:
        self.op = op
        self.args = args
        self.value = value
        self.span = span
        self.type = type
        self.cost: int | None = None  # of printing it, and its names in order: found when they are asked for
        self.names: tuple[str, ...] | None = None
        self.reciprocal = False  # 1 ./ x that stands for a division by x
        self.digest: int = hash((op, value, *[arg.digest for arg in args]))

    def __hash__(self) -> int:
        return self.digest

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Expr) or self.digest != other.digest:
            return False
        pairs = [(self, other)]
        while pairs:
            a, b = pairs.pop()
            if a is b:
                continue
            if a.op != b.op or a.value != b.value or len(a.args) != len(b.args) or a.digest != b.digest:
                return False
            pairs.extend(zip(a.args, b.args, strict=True))
        return True

    def __reduce__(self) -> tuple[Any, ...]:
        return (Expr, (self.op, self.args, self.value, self.span, self.type))  # a digest is of one process

    def __repr__(self) -> str:
        inner = ", ".join([repr(self.value)] * (self.value is not None) + [repr(a) for a in self.args])
        return f"{self.op}({inner})"

    def replace(self, **changes: Any) -> Expr:
        fields = {name: getattr(self, name) for name in ("op", "args", "value", "span", "type")}
        return Expr(**{**fields, **changes})

    @property
    def kind(self) -> str:
        assert self.type is not None
        return self.type.kind

    @property
    def dims(self) -> tuple[Dim, ...]:
        assert self.type is not None
        return self.type.dims


class Program(NamedTuple):
    """Named intermediates in order, then the expression that is the formula's value."""

    definitions: tuple[tuple[str, Expr], ...]
    body: Expr

    def walked(self) -> list[list[Expr]]:
        """All nodes of each definition, and of the body."""
        return [walk(value) for value in (*[value for _, value in self.definitions], self.body)]


def walk(root: Expr) -> list[Expr]:
    """Every node once per occurrence, parents before children, left to right, without recursion."""
    order: list[Expr] = []
    stack = [root]
    while stack:
        node = stack.pop()
        order.append(node)
        if node.args:
            stack += node.args[::-1]
    return order


def fold(root: Expr, visit: Callable[[Expr, list[Any]], Any]) -> Any:
    """The value of ``visit(node, values of its args)`` at the root, children first, without recursion.

    Equal nodes may share one visit only where they are the same object.
    """
    done: dict[int, Any] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) in done:
            continue
        args = node.args
        if not args:
            done[id(node)] = visit(node, [])
        elif missing := [arg for arg in args if id(arg) not in done]:
            stack.append(node)
            stack += missing[::-1]
        else:
            done[id(node)] = visit(node, [done[id(arg)] for arg in args])
    return done[id(root)]


def compared(expr: Expr) -> tuple[Expr, Expr]:
    """The arguments of max(x, y) or min(x, y), a constant last: at ties the derivative is that of the last."""
    first, last = expr.args
    constant = not any(e.op == "name" for e in walk(first))
    return (last, first) if constant else (first, last)


def index_items(node: Expr, bounds: Sequence[T]) -> list[Any]:
    """The items of an index, with what ``bounds`` holds for its arguments after the first in each AT and RANGE."""
    left = iter(bounds)
    return [(next(left), next(left)) if i == RANGE else next(left) if i == AT else i for i in node.value]


def product_kind(left: str, operator: str, right: str) -> str | None:
    """The kind of ``left operator right``, or None where the kinds do not fit.

    >>> product_kind("matrix", "*", "vector"), product_kind("vector", "*", "row"), product_kind("row", "*", "vector")
    ('vector', 'matrix', 'scalar')
    """
    if operator == "*":
        if left == SCALAR or right == SCALAR:
            return right if left == SCALAR else left
        return _MATRIX_PRODUCT.get((left, right))
    if operator == "/":
        return left if right == SCALAR else None
    if operator in (".*", "./"):
        if left == SCALAR or right == SCALAR:
            return right if left == SCALAR else left
        return left if left == right else None
    if operator == "⊗":
        return MATRIX if (left, right) == (MATRIX, MATRIX) else _KRON.get((left, right))
    raise ValueError(operator)


_MATRIX_PRODUCT = {
    (MATRIX, MATRIX): MATRIX,
    (MATRIX, VECTOR): VECTOR,
    (ROW, MATRIX): ROW,
    (ROW, VECTOR): SCALAR,
    (VECTOR, ROW): MATRIX,
}
_KRON = {(VECTOR, VECTOR): VECTOR, (ROW, ROW): ROW, (VECTOR, ROW): MATRIX, (ROW, VECTOR): MATRIX,
         (MATRIX, VECTOR): MATRIX, (VECTOR, MATRIX): MATRIX, (MATRIX, ROW): MATRIX, (ROW, MATRIX): MATRIX}  # fmt: skip
