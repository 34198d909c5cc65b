"""Functions read as they are written: of each entry, of a whole array, of a matrix, and powers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fractions import Fraction
from typing import Protocol

from matgrad.errors import NotSupported
from matgrad.formula.syntax import MATRIX, SCALAR, Call, Expr, Type, walk
from matgrad.functions import card
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Apply, Map, MatrixPower, Node
from matgrad.translate.algebra import call, cost, negated, negative, number, of_order, power, product, transposed
from matgrad.translate.norms import norm, norm_of_rows, squared
from matgrad.translate.terms import Ordering


class Reader(Protocol):
    """What reads the arguments: ``written`` is how parts were typed, ``typed`` are the sums among them."""

    order: Ordering
    written: Mapping[Node, Expr]
    typed: Collection[Expr]

    def signed(self, root: Node) -> tuple[int, Expr]: ...

    def plain(self, node: Node) -> Expr: ...


def of_entries(reader: Reader, node: Map) -> Expr:
    type_ = of_order(node.shape)
    if node.function == "power":
        return _power(reader, node)
    if node.function == "pow":
        args = [_unbroadcast(reader, arg) for arg in node.args]
        if node.shape and all(a.kind == SCALAR for a in args):
            args[0] = reader.plain(node.args[0])
        return Expr("power", tuple(args), ".^" if node.shape else "^", type=type_)
    if node.function == "function":
        name, primes = node.parameter
        return Expr("call", (reader.plain(node.args[0]),), Call(name, None, primes), type=type_)
    if len(node.args) > 1:
        args = [_unbroadcast(reader, arg) for arg in node.args]
        if node.shape and all(a.kind == SCALAR for a in args):
            args[0] = reader.plain(node.args[0])
        return call(node.function, *args, type=type_)
    sign, arg = reader.signed(node.args[0])
    known = card(node.function)
    parity = known.facts.get("parity") if known is not None else None
    if parity is None:
        arg = _argument(reader, node.args[0])
    else:
        typed = reader.written.get(b.scaled(node.args[0], sign))
        arg = typed if typed is not None and cost(typed) <= cost(arg) else arg
    if len(node.shape) == 2 and any(e.op == "transpose" for e in walk(arg)):
        turned = transposed(
            call(node.function, _argument(reader, b.transpose(node.args[0])), type=of_order(node.shape[::-1]))
        )
        if cost(turned) < cost(call(node.function, reader.plain(node.args[0]), type=type_)):
            return turned  # tanh(V*X)' for tanh(X'*V')
    whole = call(node.function, arg, type=type_)
    return negative(whole) if parity == "odd" and sign < 0 else whole


def _argument(reader: Reader, node: Node) -> Expr:
    """What a function is applied to: as the formula has it, unless there is a shorter way to write it."""
    found = reader.plain(node)
    typed = reader.written.get(node)
    if typed is None and found.op == "neg":
        opposite = reader.written.get(b.scaled(node, -1))
        typed = None if opposite is None else negative(opposite)
    return typed if typed is not None and cost(typed) <= cost(found) else found


def _unbroadcast(reader: Reader, node: Node) -> Expr:
    scalar = b.scalar_of(node)
    return reader.plain(scalar if scalar is not None else node)


def _power(reader: Reader, node: Map) -> Expr:
    exponent: Fraction = node.parameter
    sign, base = reader.signed(node.args[0])
    typed = reader.written.get(node.args[0])
    root = norm(node.args[0], reader.signed) if typed is None or typed.op != "call" else None
    if root is not None and exponent.denominator == 1:
        whole = squared(node.args[0], root, reader.written)
        root, base, sign = (root, base, sign) if whole.op == "power" else (None, whole, 1)
    root = root or norm_of_rows(node.args[0], reader.signed)
    if root is not None:
        sign, base, exponent = 1, root, 2 * exponent
    if sign < 0 and exponent.denominator != 1:
        base = negated(base)
    if exponent > 0:
        whole = power(base, exponent)
    else:
        whole = product([("*", number(1)), ("./" if node.shape else "/", power(base, -exponent))])
    flips = sign < 0 and exponent.denominator == 1 and exponent.numerator % 2 == 1
    return negative(whole) if flips else whole


def of_array(reader: Reader, node: Apply) -> Expr:
    sign, arg = reader.signed(node.arg)
    type_ = of_order(node.shape)
    if node.parameter is None:
        return _matrix_function(reader, node, sign, arg)
    arg = _argument(reader, node.arg)
    if node.parameter == len(node.arg.shape):
        return call(node.function, arg, type=type_)
    if node.parameter == 1 and len(node.arg.shape) == 2:
        along_rows = call(node.function, arg, type=type_, dim=2)
        if arg.op != "transpose":
            return along_rows
        kind = "row" if len(node.shape) == 1 else MATRIX
        return transposed(call(node.function, arg.args[0], type=Type(kind, node.shape[::-1]), dim=1))
    raise NotSupported(f"{node.function} over {node.parameter} of {len(node.arg.shape)} axes has no formula")


def _matrix_function(reader: Reader, node: Apply, sign: int, arg: Expr) -> Expr:
    """f(X) or f(X')', whichever is shorter; det and logdet are the same for both."""
    odd = node.function == "inv"
    type_ = of_order(node.shape)
    found = [call(node.function, arg if odd or sign > 0 else negated(arg), type=type_)]
    if not b.is_symmetric(node.arg):
        turned_sign, turned = reader.signed(b.transpose(node.arg))
        other = call(node.function, turned if odd or turned_sign > 0 else negated(turned), type=type_)
        if turned_sign == sign:
            found.append(transposed(other) if type_.dims else other)
            if turned in reader.typed and arg not in reader.typed:
                found = found[1:]  # in the words of the formula
    best = reader.order.best(found)
    return negative(best) if odd and sign < 0 else best


def matrix_power(reader: Reader, node: MatrixPower) -> Expr:
    """X^k or (X'^k)', whichever is shorter."""
    exponent, type_ = _argument(reader, node.exponent), of_order(node.shape)
    straight, turned = _argument(reader, node.base), _argument(reader, b.transpose(node.base))
    found = [
        Expr("power", (straight, exponent), "^", type=type_),
        transposed(Expr("power", (turned, exponent), "^", type=type_)),
    ]
    return reader.order.best(found)


def with_argument(node: Map, expr: Expr, arg: Expr) -> Expr:
    """The same function of another argument (the transposed one)."""
    if node.function == "power" and node.parameter < 0 and expr.op == "product" and expr.value == ("./",):
        one, below = expr.args
        return expr.replace(args=(one, arg if node.parameter == -1 else _applied(below, arg)), type=arg.type)
    return _applied(expr, arg)


def _applied(expr: Expr, arg: Expr) -> Expr:
    if expr.op == "call":
        return expr.replace(args=(arg,), type=arg.type)
    if expr.op == "power":
        return expr.replace(args=(arg, expr.args[1]), type=arg.type)
    return transposed(expr)
