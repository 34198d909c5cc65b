"""From a call in the formula tree to the tensor graph: by the family of the function's card."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matgrad.errors import FormulaError, NotSupported
from matgrad.formula.kinds import constant_value
from matgrad.formula.syntax import Call, Expr, compared
from matgrad.functions import Card, card
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Node
from matgrad.translate.card_laws import along, elementwise, widened
from matgrad.translate.patterns import indexed, kron_pattern
from matgrad.translate.slices import as_dim


def lower_call(expr: Expr, args: list[Node], names: Mapping[str, Node]) -> Node:
    call: Call = expr.value
    known = card(call.name)
    if known is None:  # an unspecified function, declared
        return b.map_("function", args, (call.name, call.primes))
    if len(args) == 2 and call.name in ("max", "min"):
        return _larger_or_smaller(expr, args)
    if call.name in _SPECIAL:
        return _SPECIAL[call.name](expr, args)
    if known.family == "elementwise" or known.of_pairs:
        _refuse_outside_domain(expr, known)
    if known.of_pairs:
        args = [widened(arg, expr.dims) for arg in args]
        pair = dict(zip(known.arguments, args, strict=True))
        return along(known.definition, pair, 0) if known.definition else b.map_(known.name, args)
    if known.family == "elementwise":
        return b.map_(known.name, args)
    if not args[0].shape and known.family in ("matrix", "structural"):
        return _of_scalar(known, args[0])
    if known.family == "matrix":
        if known.needs and b.is_zero(args[0]):
            raise FormulaError(
                f"{known.name} of a matrix of zeros has no value: it needs {known.needs}", span=expr.span
            )
        return b.apply(known.name, args[0])
    if known.family == "structural":
        return _structural(call, args, [a.kind for a in expr.args])
    if known.family == "defined":
        node, reduced = _turned(args[0], call.dim)
        return along(known.definition, {"x": node}, reduced)
    if known.family == "reduction":
        node, reduced = _turned(args[0], call.dim)
        if not node.shape:
            return _of_scalar(known, node)
        found = b.apply(call.name, node, reduced)
        return b.transpose(found) if call.dim == 1 and len(found.shape) == 2 else found
    raise NotSupported(f"{call.name} has no tensor form", span=expr.span)


def _refuse_outside_domain(expr: Expr, known: Card) -> None:
    """``log(0)`` has no value, whatever the variables are."""
    numbers = [number for number in map(constant_value, expr.args) if number is not None] if known.needs else []
    if len(numbers) < len(expr.args) or known.value is None:
        return
    import numpy as np

    with np.errstate(all="ignore"):
        value = known.value(np, *map(float, numbers))
    if not np.isfinite(value):
        given = ", ".join(map(str, numbers))
        raise FormulaError(f"{known.name}({given}) has no value: it needs {known.needs}", span=expr.span)


def _turned(node: Node, dim: int | None) -> tuple[Node, int]:
    """The argument with the axes that are reduced last, and their number."""
    if dim is None:
        return node, len(node.shape)
    return (b.transpose(node) if dim == 1 else node), 1


def _of_scalar(known: Card, node: Node) -> Node:
    """tr, det, inv … of a scalar, taken as a 1×1 matrix, and max, softmax … of a single entry."""
    if "of a scalar" not in known.facts:
        raise NotSupported(f"{known.name} of a scalar")
    return elementwise(known.facts["of a scalar"], node)


def _structural(call: Call, args: list[Node], kinds: list[str]) -> Node:
    known = card(call.name)
    assert known is not None
    if call.name in ("tril", "triu"):
        offset = b.as_number(args[1]) if len(args) == 2 else None
        mask = b.triangle(call.name, args[0].shape, int(offset or 0))
        return b.einsum([(mask, (0, 1)), (args[0], (0, 1))], (0, 1))
    if call.name == "kron":
        return indexed(kron_pattern(*kinds), args)
    orders = [len(arg.shape) for arg in args]
    for signature in known.signatures[call.dim]:
        left = signature.split("->")[0].split(",")
        if [len(side) for side in left] == orders:
            return indexed(signature, args)
    raise NotSupported(f"{call.name} of arrays of order {orders}")


def _larger_or_smaller(expr: Expr, args: list[Node]) -> Node:
    """max(x, y) = y + relu(x - y), and min(x, y) = y - relu(y - x)."""
    known = dict(zip(map(id, expr.args), args, strict=True))
    x, y = (widened(known[id(arg)], expr.dims) for arg in compared(expr))
    if expr.value.name == "max":
        return b.add([y, b.map_("relu", [b.subtract(x, y)])])
    return b.subtract(y, b.map_("relu", [b.subtract(y, x)]))


def _filled(expr: Expr, args: list[Node]) -> Node:
    """vector(c) and matrix(c): every entry is c."""
    return widened(args[0], expr.dims)


def _unit(expr: Expr, args: list[Node]) -> Node:
    index = b.as_number(args[0])
    assert index is not None
    return b.unit(expr.dims[0], int(index))


def _dimension(expr: Expr, args: list[Node]) -> Node:
    dims = expr.args[0].dims
    return b.size(dims[-1 if expr.value.name == "cols" else 0])


def _commutation(expr: Expr, args: list[Node]) -> Node:
    """K with vec(X') = K·vec(X): both sides fuse the two axes of X, in opposite orders."""
    m, n = (as_dim(a) for a in expr.args)
    rows = b.constant("fuse", (m * n, m, n))
    cols = b.constant("fuse", (m * n, n, m))
    return b.einsum([(rows, (0, 2, 3)), (cols, (1, 3, 2))], (0, 1))


_SPECIAL: dict[str, Callable[[Expr, list[Node]], Node]] = {
    "eye": lambda expr, args: b.identity(expr.dims[:1]),
    "ones": lambda expr, args: b.number(1, expr.dims),
    "zeros": lambda expr, args: b.zeros(expr.dims),
    "vector": _filled,
    "matrix": _filled,
    "unit": _unit,
    "rows": _dimension,
    "cols": _dimension,
    "length": _dimension,
    "commutation": _commutation,
}
