"""A case in SymPy's matrix expressions: built from the typed formula, differentiated with ``.diff``, printed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp
from sympy.core.cache import clear_cache

import matgrad
from matgrad.formula.syntax import Expr, fold

__all__ = ["Inexpressible", "clear_cache", "derivative", "value"]


class Inexpressible(Exception):
    """SymPy has no matrix expression for this."""


def derivative(formula: matgrad.Formula, wrt: str, order: int, sizes: dict[str, int] | None = None) -> sp.Basic:
    """The derivative as SymPy gives it, with symbolic dimensions, or with numbers for them."""
    symbols = {name: _symbol(name, v.type, sizes) for name, v in formula.typed.variables.items()}
    expr: Any = symbolic(formula.program.body, symbols, sizes)
    if formula.program.definitions:
        raise Inexpressible("intermediates")
    for _ in range(order):
        expr = expr.diff(symbols[wrt])
    if expr.has(sp.Derivative):
        raise NotImplementedError("the derivative is left as it is")
    return expr


def value(formula: matgrad.Formula, wrt: str, order: int, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """The value of the derivative at these arrays, with SymPy's order of axes, those of length 1 left out."""
    sizes = _numbers(formula, arrays)
    found = derivative(formula, wrt, order, sizes)
    constants = (sp.OneMatrix, sp.ZeroMatrix, sp.Identity)
    found = found.replace(lambda e: isinstance(e, constants), lambda e: e.as_explicit())
    known = {}
    for name, variable in formula.typed.variables.items():
        array = np.asarray(arrays[name])
        column = array.reshape(-1, 1) if array.ndim < 2 else array
        key = _symbol(name, variable.type, sizes)
        known[key] = sp.ImmutableMatrix(column) if array.ndim else sp.Float(float(array))
    done = found.subs(known).doit()
    explicit = done.as_explicit() if hasattr(done, "as_explicit") else done
    return np.squeeze(np.array(explicit.tolist() if hasattr(explicit, "tolist") else explicit, dtype=float))


def _numbers(formula: matgrad.Formula, arrays: dict[str, np.ndarray]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, variable in formula.typed.variables.items():
        for dim, size in zip(variable.type.dims, np.shape(arrays[name]), strict=True):
            found[str(dim)] = size
    return found


def _symbol(name: str, type_: Any, sizes: dict[str, int] | None) -> Any:
    dims = [_size(str(dim), sizes) for dim in type_.dims]
    if not dims:
        return sp.Symbol(name)
    return sp.MatrixSymbol(name, dims[0], dims[1] if len(dims) == 2 else 1)


def _size(name: str, sizes: dict[str, int] | None) -> Any:
    if name.isdigit():
        return sp.Integer(name)
    return sp.Symbol(name, integer=True, positive=True) if sizes is None else sp.Integer(sizes[name])


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "exp": sp.exp, "log": sp.log, "sin": sp.sin, "cos": sp.cos, "tan": sp.tan, "tanh": sp.tanh, "sqrt": sp.sqrt,
    "abs": sp.Abs, "sign": sp.sign, "sinh": sp.sinh, "cosh": sp.cosh,
    "sigmoid": lambda x: 1 / (1 + sp.exp(-x)),
    "softplus": lambda x: sp.log(1 + sp.exp(x)),
    "relu": lambda x: sp.Max(x, 0),
}  # fmt: skip


def symbolic(root: Expr, symbols: dict[str, Any], sizes: dict[str, int] | None) -> Any:
    """A typed formula as a SymPy expression; scalars made of matrices are traces."""

    def visit(node: Expr, args: list[Any]) -> Any:
        if node.op == "number":
            return sp.Rational(node.value.numerator, node.value.denominator)
        if node.op == "name":
            return symbols[node.value] if node.value in symbols else _size(node.value, sizes)
        if node.op == "neg":
            return -args[0]
        if node.op == "add":
            if len({a.kind == "scalar" for a in node.args}) > 1:
                raise Inexpressible("a scalar added to an array")
            return sum(args[1:], args[0])
        if node.op == "transpose":
            return args[0] if node.kind == "scalar" else args[0].T
        if node.op == "product":
            return _product(node, args)
        if node.op == "power":
            return args[0] ** args[1] if node.value == "^" else sp.HadamardPower(args[0], args[1])
        if node.op == "call":
            return _call(node, args)
        raise Inexpressible(node.op)

    return fold(root, visit)


def _product(node: Expr, args: list[Any]) -> Any:
    total, kind = args[0], node.args[0].kind
    for operator, factor, expr in zip(node.value, args[1:], node.args[1:], strict=True):
        scalar = "scalar" in (kind, expr.kind)
        if operator == "⊗":
            raise Inexpressible("kron of vectors") if kind != "matrix" else NotImplementedError
        if operator in ("/", "./") and scalar and expr.kind == "scalar":
            total = total / factor
        elif operator == "./":
            if scalar:
                raise Inexpressible("a scalar divided by an array")
            total = sp.HadamardProduct(total, sp.HadamardPower(factor, -1))
        elif operator == ".*" and not scalar:
            total = sp.HadamardProduct(total, factor)
        elif (kind, expr.kind) == ("row", "vector"):
            total, kind = sp.Trace(total * factor), "scalar"
            continue
        else:
            total = total * factor
        kind = _kind(kind, operator, expr.kind)
    return total


def _kind(left: str, operator: str, right: str) -> str:
    if "scalar" in (left, right):
        return right if left == "scalar" else left
    if operator != "*":
        return left
    return {("matrix", "vector"): "vector", ("row", "matrix"): "row"}.get((left, right), "matrix")


def _call(node: Expr, args: list[Any]) -> Any:
    name, dim = node.value.name, node.value.dim
    x = args[0] if args else None
    scalar = not node.args or node.args[0].kind == "scalar"
    if dim is not None or len(args) != 1:
        raise Inexpressible(f"{name} with dim, or of {len(args)} arguments")
    if scalar and name in _FUNCTIONS:
        return _FUNCTIONS[name](x)
    if scalar:
        raise Inexpressible(f"{name} of a scalar")
    if name in _FUNCTIONS:
        t = sp.Dummy("t")
        return x.applyfunc(sp.Lambda(t, _FUNCTIONS[name](t)))
    rows, cols = x.shape
    total = sp.OneMatrix(1, rows) * x * sp.OneMatrix(cols, 1)
    known: dict[str, Callable[[], Any]] = {
        "tr": lambda: sp.Trace(x),
        "det": lambda: sp.Determinant(x),
        "inv": lambda: sp.Inverse(x),
        "logdet": lambda: sp.log(sp.Determinant(x)),
        "sum": lambda: sp.Trace(total),
        "norm2": lambda: sp.sqrt(sp.Trace(x.T * x)),
        "normF": lambda: sp.sqrt(sp.Trace(x.T * x)),
        "diag": lambda: sp.diagonalize_vector(x) if node.args[0].kind == "vector" else sp.DiagonalOf(x),
        "logsumexp": lambda: sp.log(sp.Trace(sp.OneMatrix(1, rows) * x.applyfunc(sp.exp) * sp.OneMatrix(cols, 1))),
        "length": lambda: rows,
        "rows": lambda: rows,
        "cols": lambda: cols,
    }
    if name not in known:
        raise Inexpressible(name)
    return known[name]()
