"""The dimensions of every part of a formula whose kinds are known: one case per operation, ending in an error.

What cannot be is raised as a ``Clash``, which names the part, the step in it and the two types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matgrad.dims import ONE, Dim
from matgrad.errors import ShapeError
from matgrad.formula.kinds import constant_value
from matgrad.formula.relations import picks
from matgrad.formula.signatures import (
    SIZES_OF,
    VALUE_CONSTRUCTORS,
    Side,
    Signature,
    alternatives,
    constructed,
    is_sized,
)
from matgrad.formula.sizes import Sizes, size_of
from matgrad.formula.subscripts import split
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, SCALAR_TYPE, TENSOR, VECTOR, Expr, Type, index_items
from matgrad.functions import Card, card
from matgrad.functions.card import Whole


class Clash(Exception):
    """Two types that do not fit: at a node, at a step of it (the position of the right operand)."""

    def __init__(self, node: Expr, step: int, left: Type, right: Type | None = None) -> None:
        super().__init__(node.op, step)
        self.node = node
        self.step = step
        self.left = left
        self.right = right


class Shapes:
    """Types for nodes, with unknown sizes bound as equations are met. ``names`` maps names to types."""

    def __init__(self, kinds: Mapping[int, str], names: dict[str, Type], functions: frozenset[str]) -> None:
        self.kinds = kinds
        self.names = names
        self.functions = functions
        self.sizes = Sizes()
        self.types: dict[int, Type] = {}

    def fresh(self, kind: str) -> Type:
        count = {SCALAR: 0, VECTOR: 1, ROW: 1, MATRIX: 2, TENSOR: 0}[kind]
        return Type(kind, tuple(self.sizes.fresh() for _ in range(count)))

    def type_of(self, node: Expr) -> Type:
        return self.types[id(node)]

    def resolved(self, type: Type) -> Type:
        return Type(type.kind, tuple(self.sizes.resolve(d) for d in type.dims))

    def visit(self, node: Expr) -> Type:
        """The type of a node whose arguments have theirs."""
        args = [self.types[id(arg)] for arg in node.args]
        type: Type = getattr(self, "_" + node.op)(node, args)
        self.types[id(node)] = type
        return type

    def require(self, left: Dim, right: Dim, *clash: Any) -> None:
        """Let two sizes be equal; ``clash`` says where they meet."""
        if left is right:
            return
        why = Clash(*clash)
        if not self.sizes.unify(left, right, why):
            raise why

    def _number(self, _node: Expr, _args: list[Type]) -> Type:
        return SCALAR_TYPE

    _constant = _number

    def _name(self, node: Expr, _args: list[Type]) -> Type:
        return self.names[node.value]

    def _neg(self, _node: Expr, args: list[Type]) -> Type:
        return args[0]

    def _transpose(self, node: Expr, args: list[Type]) -> Type:
        flipped = {SCALAR: SCALAR, VECTOR: ROW, ROW: VECTOR, MATRIX: MATRIX}
        if args[0].kind == TENSOR:
            raise Clash(node, 0, args[0])
        return Type(flipped[args[0].kind], args[0].dims[::-1])

    def broadcast(self, node: Expr, step: int, left: Type, right: Type) -> Type:
        if SCALAR in (left.kind, right.kind):
            return right if left.kind == SCALAR else left
        if left.kind != right.kind or len(left.dims) != len(right.dims):
            raise Clash(node, step, left, right)
        for a, b in zip(left.dims, right.dims, strict=True):
            self.require(a, b, node, step, left, right)
        return left

    def _add(self, node: Expr, args: list[Type]) -> Type:
        total = args[0]
        for step, term in enumerate(args[1:], 1):
            total = self.broadcast(node, step, total, term)
        return total

    def _product(self, node: Expr, args: list[Type]) -> Type:
        total = args[0]
        for step, (operator, factor) in enumerate(zip(node.value, args[1:], strict=True), 1):
            total = self.multiply(node, step, operator, total, factor)
        return total

    def multiply(self, node: Expr, step: int, operator: str, left: Type, right: Type) -> Type:
        if operator in (".*", "./"):
            return self.broadcast(node, step, left, right)
        if operator == "/":
            if right.kind != SCALAR:
                raise Clash(node, step, left, right)
            return left
        if operator == "⊗":
            return self._kronecker(Clash(node, step, left, right), left, right)
        if SCALAR in (left.kind, right.kind):
            return right if left.kind == SCALAR else left
        pair = (left.kind, right.kind)
        if pair == (VECTOR, ROW):
            return Type(MATRIX, (left.dims[0], right.dims[0]))
        if pair not in ((MATRIX, MATRIX), (MATRIX, VECTOR), (ROW, MATRIX), (ROW, VECTOR)):
            raise Clash(node, step, left, right)
        self.require(left.dims[-1], right.dims[0], node, step, left, right)
        dims = left.dims[:-1] + right.dims[1:]
        return Type({0: SCALAR, 2: MATRIX}.get(len(dims), VECTOR if left.kind == MATRIX else ROW), dims)

    def _kronecker(self, clash: Clash, left: Type, right: Type) -> Type:
        if {left.kind, right.kind} & {SCALAR, TENSOR}:
            raise clash
        (a, b), (c, d) = as_matrix(left), as_matrix(right)
        if left.kind == right.kind and left.kind != MATRIX:
            return Type(left.kind, (left.dims[0] * right.dims[0],))
        return Type(MATRIX, (a * c, b * d))

    def _power(self, node: Expr, args: list[Type]) -> Type:
        base, exponent = args
        if node.value == ".^":
            return self.broadcast(node, 1, base, exponent)
        value = constant_value(node.args[1])
        whole = value is None or value.denominator == 1
        if exponent.kind != SCALAR or base.kind not in (SCALAR, MATRIX) or (base.kind == MATRIX and not whole):
            raise Clash(node, 1, base, exponent)
        if base.kind == MATRIX:
            self.require(base.dims[0], base.dims[1], node, 1, base, exponent)
        return base

    def _index(self, node: Expr, args: list[Type]) -> Type:
        base = args[0]
        if len(base.dims) != len(node.value) or base.kind in (SCALAR, TENSOR):
            raise Clash(node, 0, base)
        dims = []
        bounds = [self.size(bound) for bound in node.args[1:]]
        for item, size in zip(index_items(node, bounds), base.dims, strict=True):
            if item is None:
                dims.append(size)
                continue
            ends = item if isinstance(item, tuple) else (item, item)
            first, last = (Dim.of(end) if isinstance(end, int) else end for end in ends)
            number = self.sizes.resolve(size).number
            if number is not None and last.number is not None and last.number > number:
                raise Clash(node, 0, base)
            if first.number is not None and first.number < 1:
                raise ShapeError("indices count from 1", span=node.span, hint="x[1:n]")
            if isinstance(item, tuple):
                dims.append(last - first + ONE)
        if len(dims) == len(base.dims):
            return Type(base.kind, tuple(dims))
        return Type((SCALAR, ROW if picks(node.value)[0] else VECTOR)[len(dims)], tuple(dims))

    def _stack(self, node: Expr, args: list[Type]) -> Type:
        rows, position = [], 0
        for count in node.value:
            row = args[position]
            for step in range(position + 1, position + count):
                row = self._joined(node, step, row, args[step], across=True)
            rows.append((position, row))
            position += count
        total = rows[0][1]
        for step, row in rows[1:]:
            total = self._joined(node, step, total, row, across=False)
        return total

    def _joined(self, node: Expr, step: int, left: Type, right: Type, across: bool) -> Type:
        """Two blocks side by side (``across``), or one above the other."""
        clash = Clash(node, step, left, right)
        flat = ROW if across else VECTOR
        if TENSOR in (left.kind, right.kind):
            raise clash
        (a, b), (c, d) = as_matrix(left), as_matrix(right)
        if left.kind in (SCALAR, flat) and right.kind in (SCALAR, flat):
            return Type(flat, ((b + d) if across else (a + c),))
        if (left.kind in (SCALAR, flat)) or (right.kind in (SCALAR, flat)):
            raise clash
        self.require(a if across else b, c if across else d, node, step, left, right)
        return Type(MATRIX, (a, b + d) if across else (a + c, b))

    def _einsum(self, node: Expr, args: list[Type]) -> Type:
        operands, result = split(node.value)
        sizes: dict[str, Dim] = {}
        for step, (axes, operand) in enumerate(zip(operands, args, strict=True)):
            if len(axes) != len(operand.dims):
                raise Clash(node, step, operand)
            for axis, size in zip(axes, operand.dims, strict=True):
                if len(axis) == 1:
                    self.require(sizes.setdefault(axis, size), size, node, step, operand)
        for step, (axes, operand) in enumerate(zip(operands, args, strict=True)):
            for axis, size in zip(axes, operand.dims, strict=True):
                if len(axis) > 1:
                    self.require(self._fused(axis, sizes), size, node, step, operand)
        dims = tuple(self._fused(axis, sizes) for axis in result)
        return Type((SCALAR, VECTOR, MATRIX)[len(dims)] if len(dims) < 3 else TENSOR, dims)

    def _fused(self, axis: str, sizes: dict[str, Dim]) -> Dim:
        """The size of an axis: the product over its letters."""
        total = ONE
        for letter in axis:
            total = total * sizes.setdefault(letter, self.sizes.fresh())
        return total

    def _call(self, node: Expr, args: list[Type]) -> Type:
        name, dim, _ = node.value
        if name in self.functions:
            return args[0]
        known = card(name)
        assert known is not None
        if name in SIZES_OF:
            return self._size_of(node, args)
        if is_sized(known) or name in VALUE_CONSTRUCTORS:
            return self._constructed(known, node, args)
        if known.whole is not None and len(args) == len(known.arguments):
            _check_whole(known, known.whole, node)
        for entry in alternatives(known, dim, len(args)):
            found = self._applied(entry, node, args)
            if found is not None:
                return found
        raise Clash(node, 0, args[0], args[1] if len(args) > 1 else None)

    def _size_of(self, node: Expr, args: list[Type]) -> Type:
        if args[0].kind not in ((VECTOR, ROW) if node.value.name == "length" else (MATRIX,)):
            raise Clash(node, 0, args[0])
        return SCALAR_TYPE

    def _applied(self, entry: Signature, node: Expr, args: list[Type]) -> Type | None:
        """The result under one signature, or None where its kinds are others."""
        if all(side.any for side in entry.args):
            total = args[0]
            for step, arg in enumerate(args[1:], 1):
                total = self.broadcast(node, step, total, arg)
            return total if entry.result.any else SCALAR_TYPE
        sizes: dict[str, Dim] = {}
        for side, arg in zip(entry.args, args, strict=True):
            same = side.kind == arg.kind or (len(args) == 1 and side.kind == VECTOR and arg.kind == ROW)
            if not same or side.any:
                return None
        for step, (side, arg) in enumerate(zip(entry.args, args, strict=True)):
            for letter, size in zip(side.axes, arg.dims, strict=True):
                self.require(sizes.setdefault(letter, size), size, node, step, arg)
        return Type(entry.result.kind, _dims(entry.result, sizes))

    def _constructed(self, known: Card, node: Expr, args: list[Type]) -> Type:
        kind = self.kinds[id(node)]
        choices = [side for side in constructed(known, len(args)) if side.kind == kind]
        if not choices or any(arg.kind != SCALAR for arg in args):
            raise Clash(node, 0, args[0] if args else SCALAR_TYPE)
        if known.name in VALUE_CONSTRUCTORS or not args:
            if known.name == "unit":
                _whole(node.args[0])
            return Type(kind, _dims(choices[0], {letter: self.sizes.fresh() for letter in "".join(choices[0].axes)}))
        given = [self.size(arg) for arg in node.args]
        if any(size.number is not None and size.number < 1 for size in given):
            raise ShapeError("this is not a size", span=node.span, hint="a whole number from 1")
        letters = list(dict.fromkeys("".join(choices[0].axes)))
        if len(letters) == 1 and len(given) == 2:
            given = [given[0] * given[1]]
        return Type(kind, _dims(choices[0], dict(zip(letters, given, strict=True))))

    def size(self, node: Expr) -> Dim:
        """A size written as a formula: numbers, names of dimensions, rows(X), their sums and products."""
        found = size_of(node, lambda part: self.types[id(part)].dims)
        if found is not None and all(self.names.get(name, SCALAR_TYPE) == SCALAR_TYPE for name in found.names):
            return found
        hint = "a number, a size's name, rows(X), cols(X) or length(x)"
        raise ShapeError("this is not a size", span=node.span, hint=hint)


def _whole(node: Expr) -> None:
    if node.op != "number" or node.value.denominator != 1 or node.value < 1:
        raise ShapeError("unit takes a position: a whole number, counted from 1", span=node.span, hint="unit(1)")


def _check_whole(known: Card, whole: Whole, node: Expr) -> None:
    """The argument that is a number in every formula, nothing that depends on a variable."""
    place = known.arguments.index(whole.name)
    given = constant_value(node.args[place])
    if given is None or given.denominator != 1 or (whole.least is not None and given < whole.least):
        least = "" if whole.least is None else f" from {whole.least} on"
        tried = [[n if a == whole.name else a for a in known.arguments] for n in ("1", "2" if least else "-1")]
        raise ShapeError(
            f"the {('first', 'second')[place]} argument of {known.name} is a whole number{least}: {whole.meaning}",
            span=node.args[place].span,
            hint=" or ".join(f"{known.name}({', '.join(args)})" for args in tried),
        )


def _dims(side: Side, sizes: Mapping[str, Dim]) -> tuple[Dim, ...]:
    dims = []
    for axis in side.axes:
        size = ONE
        for letter in axis:
            size = size * sizes[letter]
        dims.append(size)
    return tuple(dims)


def as_matrix(type: Type) -> tuple[Dim, Dim]:
    """Rows and columns: a vector is one column, a row one row, a scalar one entry."""
    if type.kind == SCALAR:
        return (ONE, ONE)
    if type.kind == MATRIX:
        return (type.dims[0], type.dims[1])
    return (type.dims[0], ONE) if type.kind == VECTOR else (ONE, type.dims[0])
