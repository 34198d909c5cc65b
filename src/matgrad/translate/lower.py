"""From the formula tree to the tensor graph: one case per operation.

Rows and columns are a matter of the formula; here both are arrays of order 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matgrad.dims import ONE, Dim
from matgrad.errors import FormulaError, NotSupported
from matgrad.formula.kinds import constant_value
from matgrad.formula.sizes import size_of
from matgrad.formula.subscripts import letter_sizes, split
from matgrad.formula.syntax import (
    MATRIX,
    ROW,
    SCALAR,
    VECTOR,
    Call,
    Expr,
    Program,
    compared,
    fold,
    index_items,
    product_kind,
)
from matgrad.functions import Card, card
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Node, Shape
from matgrad.translate.card_laws import along, elementwise

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
    return b.add([_sized(arg, expr.dims) for arg in args])


def _sized(node: Node, shape: Shape) -> Node:
    """A scalar broadcast to a shape; anything else is left alone."""
    return b.broadcast(node, shape) if shape and not node.shape else node


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
            pattern = _kron_pattern(kind, expression.kind)
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


def _refuse_outside_domain(expr: Expr, known: Card) -> None:
    """``log(0)`` has no value, whatever the variables are."""
    number = constant_value(expr.args[0]) if known.needs else None
    if number is None or known.value is None:
        return
    import numpy as np

    with np.errstate(all="ignore"):
        value = known.value(np, float(number))
    if not np.isfinite(value):
        raise FormulaError(f"{known.name}({number}) has no value: it needs {known.needs}", span=expr.span)


def _reciprocal(node: Node, expr: Expr) -> Node:
    if b.is_zero(node):
        raise FormulaError("a division by zero", span=expr.span)
    return b.power(node, -1)


def _kron_pattern(left: str, right: str) -> str:
    sides = {MATRIX: ("i", "j"), VECTOR: ("i", ""), ROW: ("", "j"), SCALAR: ("", "")}
    other = {MATRIX: ("k", "l"), VECTOR: ("k", ""), ROW: ("", "l"), SCALAR: ("", "")}
    (i, j), (k, l) = sides[left], other[right]  # noqa: E741
    fused = [f"({p}{q})" if p and q else p + q for p, q in ((i, k), (j, l))]
    return f"{i}{j},{k}{l}->{''.join(fused)}"


def _power(expr: Expr, args: list[Node], names: Mapping[str, Node]) -> Node:
    base, exponent = args
    if expr.value == "^" and base.shape:
        return _matrix_power(expr, base, exponent)
    known = b.as_number(exponent)
    shape = expr.dims
    if known is not None and known < 0 and b.is_zero(base):
        raise FormulaError("a negative power of zero", span=expr.span)
    if known is not None and not exponent.shape:
        return b.power(_sized(base, shape), known)
    return b.map_("pow", [_sized(base, shape), _sized(exponent, shape)])


def _matrix_power(expr: Expr, base: Node, exponent: Node) -> Node:
    known = b.as_number(exponent)
    if known is not None and (known.denominator != 1 or abs(known) > b.UNROLLED):
        raise NotSupported(
            f"matrix powers are supported for whole exponents of at most {b.UNROLLED}",
            span=expr.args[1].span,
            hint="a product of smaller powers",
        )
    return b.matrix_power(base, exponent)


def _index(expr: Expr, args: list[Node], names: Mapping[str, Node]) -> Node:
    """Components by unit vectors, slices by shifts: both are constants, so their adjoints come for free."""
    node = args[0]
    operands: list[tuple[Node, tuple[int, ...]]] = [(node, tuple(range(len(node.shape))))]
    out: list[int] = []
    bounds = [_as_dim(bound) for bound in expr.args[1:]]
    for axis, (item, dim) in enumerate(zip(index_items(expr, bounds), node.shape, strict=True)):
        if item is None:
            out.append(axis)
        elif not isinstance(item, tuple):
            operands.append((b.unit(dim, item), (axis,)))
        else:
            first, last = (Dim.of(i) if isinstance(i, int) else i for i in item)
            block = b.constant("shift", (dim, last - first + ONE), first - ONE)
            operands.append((block, (axis, axis + 10)))
            out.append(axis + 10)
    return b.einsum(operands, out)


def _stack(expr: Expr, args: list[Node], names: Mapping[str, Node]) -> Node:
    """Σ of the blocks, each placed by shifts along the axes of the result."""
    shape = expr.dims
    horizontal, vertical = expr.kind in (MATRIX, ROW), expr.kind in (MATRIX, VECTOR)
    placed = []
    row, entries = Dim.of(0), iter(zip(args, expr.args, strict=True))
    for count in expr.value:
        col = Dim.of(0)
        height = Dim.of(1)
        for _ in range(count):
            node, entry = next(entries)
            tall = entry.dims[0] if entry.kind in (MATRIX, VECTOR) else Dim.of(1)
            wide = entry.dims[-1] if entry.kind in (MATRIX, ROW) else Dim.of(1)
            operands: list[tuple[Node, tuple[int, ...]]] = [(node, tuple(range(len(node.shape))))]
            axes = list(range(len(node.shape)))
            out: list[int] = []
            for wanted, has, offset, part in (
                (vertical, entry.kind in (MATRIX, VECTOR), row, tall),
                (horizontal, entry.kind in (MATRIX, ROW), col, wide),
            ):
                if wanted:
                    total = shape[len(out)]
                    label = 10 + len(out)
                    if has:
                        operands.append((b.constant("shift", (total, part), offset), (label, axes.pop(0))))
                    else:
                        operands.append((b.unit(total, offset + ONE), (label,)))
                    out.append(label)
            placed.append(b.einsum(operands, out))
            col, height = col + wide, tall
        row = row + height
    return b.add(placed)


def _einsum(expr: Expr, args: list[Node], names: Mapping[str, Node]) -> Node:
    return indexed(expr.value, args, letter_sizes(expr.value, [a.dims for a in expr.args], expr.dims))


def indexed(pattern: str, args: list[Node], known: Mapping[str, Dim] | None = None) -> Node:
    """An index pattern such as ``"ij,kl->(ik)(jl)"``: fused axes have the first index slowest."""
    inside, result = split(pattern.replace("'", ""))
    letters = dict.fromkeys(letter for axes in (*inside, result) for axis in axes for letter in axis)
    labels = {letter: k for k, letter in enumerate(letters)}
    sizes: dict[str, Dim] = dict(known or {})
    for axes, node in zip(inside, args, strict=True):
        sizes.update({axis: dim for axis, dim in zip(axes, node.shape, strict=True) if len(axis) == 1})
    operands: list[tuple[Node, tuple[int, ...]]] = []
    fused: dict[str, int] = {}

    def label(axis: str) -> int:
        """The label of an axis; a group is tied to its letters by the map that fuses two axes, twice if need be."""
        if len(axis) == 1:
            return labels[axis]
        if axis not in fused:
            fast = label(axis[1:])
            slow_size, fast_size = sizes[axis[0]], _product_of(sizes, axis[1:])
            fused[axis] = len(labels) + len(fused)
            fuse = b.constant("fuse", (slow_size * fast_size, slow_size, fast_size))
            operands.append((fuse, (fused[axis], labels[axis[0]], fast)))
        return fused[axis]

    for axes, node in zip(inside, args, strict=True):
        operands.append((node, tuple(label(axis) for axis in axes)))
    out = [label(axis) for axis in result]
    return b.einsum(operands, out)


def _product_of(sizes: Mapping[str, Dim], letters: str) -> Dim:
    total = Dim.of(1)
    for letter in letters:
        total = total * sizes[letter]
    return total


# -- calls ----------------------------------------------------------------------------------------


def _call(expr: Expr, args: list[Node], names: Mapping[str, Node]) -> Node:
    call: Call = expr.value
    known = card(call.name)
    if known is None:  # an unspecified function, declared
        return b.map_("function", args, (call.name, call.primes))
    if len(args) == 2 and call.name in ("max", "min"):
        return _larger_or_smaller(expr, args)
    if call.name in _SPECIAL:
        return _SPECIAL[call.name](expr, args)
    if known.family == "elementwise":
        _refuse_outside_domain(expr, known)
        return b.map_(known.name, args)
    if not args[0].shape and known.family in ("matrix", "structural"):
        return _of_scalar(known, args[0])
    if known.family == "matrix":
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
        mask = b.constant(call.name, args[0].shape)
        return b.einsum([(mask, (0, 1)), (args[0], (0, 1))], (0, 1))
    if call.name == "kron":
        return indexed(_kron_pattern(*kinds), args)
    orders = [len(arg.shape) for arg in args]
    for signature in known.signatures[call.dim]:
        left = signature.split("->")[0].split(",")
        if [len(side) for side in left] == orders:
            return indexed(signature, args)
    raise NotSupported(f"{call.name} of arrays of order {orders}")


def _larger_or_smaller(expr: Expr, args: list[Node]) -> Node:
    """max(x, y) = y + relu(x - y), and min(x, y) = y - relu(y - x)."""
    known = dict(zip(map(id, expr.args), args, strict=True))
    x, y = (_sized(known[id(arg)], expr.dims) for arg in compared(expr))
    if expr.value.name == "max":
        return b.add([y, b.map_("relu", [b.subtract(x, y)])])
    return b.subtract(y, b.map_("relu", [b.subtract(y, x)]))


def _filled(expr: Expr, args: list[Node]) -> Node:
    """vector(c) and matrix(c): every entry is c."""
    return _sized(args[0], expr.dims)


def _unit(expr: Expr, args: list[Node]) -> Node:
    index = b.as_number(args[0])
    assert index is not None
    return b.unit(expr.dims[0], int(index))


def _dimension(expr: Expr, args: list[Node]) -> Node:
    dims = expr.args[0].dims
    return b.size(dims[-1 if expr.value.name == "cols" else 0])


def _commutation(expr: Expr, args: list[Node]) -> Node:
    """K with vec(X') = K·vec(X): both sides fuse the two axes of X, in opposite orders."""
    m, n = (_as_dim(a) for a in expr.args)
    rows = b.constant("fuse", (m * n, m, n))
    cols = b.constant("fuse", (m * n, n, m))
    return b.einsum([(rows, (0, 2, 3)), (cols, (1, 3, 2))], (0, 1))


def _as_dim(expr: Expr) -> Dim:
    found = size_of(expr, lambda part: part.dims)
    if found is not None:
        return found
    raise NotSupported("a size that is not a number, a name or rows(X)", span=expr.span)


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

_RULES: dict[str, Rule] = {
    "number": _number,
    "constant": _constant,
    "name": _name,
    "add": _add,
    "neg": _neg,
    "transpose": _transpose,
    "product": _product,
    "power": _power,
    "index": _index,
    "stack": _stack,
    "einsum": _einsum,
    "call": _call,
}
