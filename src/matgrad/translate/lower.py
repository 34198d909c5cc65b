"""From the formula tree to the tensor graph: one case per operation.

Rows and columns are a matter of the formula; here both are arrays of order 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matgrad.dims import Dim
from matgrad.errors import FormulaError, NotSupported
from matgrad.formula.subscripts import letter_sizes
from matgrad.formula.syntax import (
    ROW,
    SCALAR,
    VECTOR,
    Expr,
    Program,
    fold,
    product_kind,
)
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Node
from matgrad.translate.calls import lower_call
from matgrad.translate.card_laws import widened
from matgrad.translate.patterns import indexed, kron_pattern
from matgrad.translate.slices import index, stack

Written = dict[Node, Expr]
"""How the parts of a formula were typed."""

_NOTED = ("add", "product", "power", "call", "stack")


def lower(program: Program, symbols: Mapping[str, Node]) -> tuple[Node, dict[str, Node], Written]:
    """The graph of a typed program's value, and of each of its named intermediates.

    ``symbols`` gives the node of every variable. Intermediates stay named nodes, which the normal form
    does not look into: they can be differentiated in, and printed by name. The parts are given as typed, too.
    """
    names = dict(symbols)
    intermediates: dict[str, Node] = {}
    written: Written = {}
    for name, definition in program.definitions:
        names[name] = intermediates[name] = b.named(name, lower_expression(definition, names, written))
    return lower_expression(program.body, names, written), intermediates, written


def lower_expression(root: Expr, names: Mapping[str, Node], written: Written | None = None) -> Node:
    """The graph of one typed expression; how its parts were typed is noted in ``written``."""

    def visit(expr: Expr, args: list[Node]) -> Node:
        rule = _RULES.get(expr.op)
        if rule is None:
            raise NotSupported(f"{expr.op} has no tensor form", span=expr.span)
        node = rule(expr, args, names)
        if written is not None and expr.op in _NOTED and expr.kind != ROW:
            written.setdefault(node, expr)
        return node

    found: Node = fold(root, visit)
    return found


Rule = Callable[[Expr, list[Node], Mapping[str, Node]], Node]


def _number(expr: Expr, args: list[Node], names: Mapping[str, Node]) -> Node:
    return b.number(expr.value)


def _constant(expr: Expr, args: list[Node], names: Mapping[str, Node]) -> Node:
    return b.constant("pi")


def _name(expr: Expr, args: list[Node], names: Mapping[str, Node]) -> Node:
    found = names.get(expr.value)
    return found if found is not None else b.size(Dim.of(expr.value))


def _add(expr: Expr, args: list[Node], names: Mapping[str, Node]) -> Node:
    return b.add([widened(arg, expr.dims) for arg in args])


def _neg(expr: Expr, args: list[Node], names: Mapping[str, Node]) -> Node:
    return b.scaled(args[0], -1)


def _transpose(expr: Expr, args: list[Node], names: Mapping[str, Node]) -> Node:
    return b.transpose(args[0])


def _product(expr: Expr, args: list[Node], names: Mapping[str, Node]) -> Node:
    """One contraction for the whole chain: ``rows`` and ``cols`` are the labels of the axes still open."""
    operands: list[tuple[Node, tuple[int, ...]]] = []
    kind, fresh = SCALAR, 0
    labels: tuple[int, ...] = ()
    for operator, factor, expression in zip(("*", *expr.value), args, expr.args, strict=True):
        if operator == "⊗":
            left = b.einsum(operands, labels)
            pattern = kron_pattern(kind, expression.kind)
            node = indexed(pattern, [left, factor])
            kind = product_kind(kind, operator, expression.kind) or kind
            labels = tuple(range(fresh, fresh + len(node.shape)))
            operands = [(node, labels)]
            fresh += len(labels)
            continue
        if operator in ("/", "./"):
            factor = _reciprocal(factor, expression)
        own = tuple(range(fresh, fresh + len(factor.shape)))
        fresh += len(own)
        result = product_kind(kind, "*" if operator == "/" else operator, expression.kind)
        assert result is not None, (kind, operator, expression.kind)
        if not own or not labels:
            labels = labels or own
        elif operator in (".*", "./"):
            own = labels
        elif (kind, expression.kind) == (VECTOR, ROW):
            labels = labels + own
        else:
            own = (labels[-1], *own[1:])
            labels = labels[:-1] + own[1:]
        operands.append((factor, own))
        kind = result
    return b.einsum(operands, labels)


def _reciprocal(node: Node, expr: Expr) -> Node:
    if b.is_zero(node):
        raise FormulaError("a division by zero", span=expr.span)
    return b.power(node, -1)


def _power(expr: Expr, args: list[Node], names: Mapping[str, Node]) -> Node:
    base, exponent = args
    if expr.value == "^" and base.shape:
        return _matrix_power(expr, base, exponent)
    known = b.as_number(exponent)
    shape = expr.dims
    if known is not None and known < 0 and b.is_zero(base):
        raise FormulaError("a negative power of zero", span=expr.span)
    if known is not None and not exponent.shape:
        return b.power(widened(base, shape), known)
    return b.map_("pow", [widened(base, shape), widened(exponent, shape)])


def _matrix_power(expr: Expr, base: Node, exponent: Node) -> Node:
    known = b.as_number(exponent)
    if known is not None and (known.denominator != 1 or abs(known) > b.UNROLLED):
        raise NotSupported(
            f"matrix powers are supported for whole exponents of at most {b.UNROLLED}",
            span=expr.args[1].span,
            hint="a product of smaller powers",
        )
    if known is not None and known < 0 and b.is_zero(base):
        raise FormulaError("a negative power of zero", span=expr.span)
    return b.matrix_power(base, exponent)


def _einsum(expr: Expr, args: list[Node], names: Mapping[str, Node]) -> Node:
    return indexed(expr.value, args, letter_sizes(expr.value, [a.dims for a in expr.args], expr.dims))


_RULES: dict[str, Rule] = {
    "number": _number,
    "constant": _constant,
    "name": _name,
    "add": _add,
    "neg": _neg,
    "transpose": _transpose,
    "product": _product,
    "power": _power,
    "index": index,
    "stack": stack,
    "einsum": _einsum,
    "call": lower_call,
}
