"""The laws on the cards as typed formula trees: slopes of elementwise functions, differentials of all others."""

from __future__ import annotations

from collections.abc import Mapping

from matgrad.errors import NotSupported
from matgrad.explaining.trees import had, tidied
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, SCALAR_TYPE, VECTOR, Call, Expr, Type, fold
from matgrad.functions import card
from matgrad.translate.algebra import addition, call, negative, times
from matgrad.translate.card_laws import law_tree


def along(text: str, names: Mapping[str, Expr], dim: int | None = None) -> Expr:
    """A law in ``x`` and ``dx``, entry by entry; ``sum`` and the like run along ``dim``."""

    def visit(node: Expr, args: list[Expr]) -> Expr:
        match node.op:
            case "name":
                return names[node.value]
            case "number" | "constant":
                return node.replace(type=SCALAR_TYPE)
            case "neg":
                return negative(args[0])
            case "add":
                return addition(args)
            case "product":
                result = args[0]
                for operator, factor in zip(node.value, args[1:], strict=True):
                    result = had(result, operator.removeprefix("."), factor)
                return result
            case "power":
                operator = "^" if args[0].kind == SCALAR else ".^"
                return Expr("power", tuple(args), operator, type=args[0].type)
            case "call":
                return _called(node.value.name, args, dim)
        raise NotSupported(f"{node.op} in the law of a card: {text}")

    found: Expr = fold(law_tree(text), visit)
    return tidied(found)


def _called(name: str, args: list[Expr], dim: int | None) -> Expr:
    arg, known = args[0], card(name)
    assert known is not None
    if name == "length":
        return _size(arg, dim)
    if known.to_number:
        return call(name, arg, type=reduced(arg, dim), dim=dim)
    within = dim if known.family == "reduction" else None
    return call(name, *args, type=arg.type or SCALAR_TYPE, dim=within)


def _size(arg: Expr, dim: int | None) -> Expr:
    if arg.kind != MATRIX:
        return call("length", arg, type=SCALAR_TYPE)
    rows, cols = (call(name, arg, type=SCALAR_TYPE) for name in ("rows", "cols"))
    return times(rows, cols) if dim is None else rows if dim == 1 else cols


def reduced(arg: Expr, dim: int | None) -> Type:
    """The type of a reduction over everything, down each column (1) or along each row (2)."""
    if dim is None:
        return SCALAR_TYPE
    return Type(ROW, arg.dims[1:]) if dim == 1 else Type(VECTOR, arg.dims[:1])


def of_matrices(text: str, names: Mapping[str, Expr]) -> Expr:
    """A law in square matrices ``X`` and ``dX``, with ``*`` the matrix product."""
    square = names["X"].type

    def visit(node: Expr, args: list[Expr]) -> Expr:
        match node.op:
            case "name":
                return names[node.value]
            case "number":
                return node.replace(type=SCALAR_TYPE)
            case "neg":
                return negative(args[0])
            case "add":
                return addition(args)
            case "product":
                return times(*args)
            case "call":
                known = card(node.value.name)
                assert known is not None
                return Expr("call", tuple(args), Call(known.name), type=SCALAR_TYPE if known.to_number else square)
        raise NotSupported(f"{node.op} in the law of a card: {text}")

    found: Expr = fold(law_tree(text), visit)
    return found
