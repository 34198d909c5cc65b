"""A typed formula in SymPy: vectors are matrices of one column, and a product of 1 × 1 is the trace of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from matgrad.dims import Dim
from matgrad.errors import NotSupported
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, TENSOR, VECTOR, Expr, Program, fold, index_items, product_kind
from matgrad.formula.typed import Variable
from matgrad.interop.sympy_functions import entrywise, load


def to_sympy(program: Program, variables: Mapping[str, Variable], functions: frozenset[str]) -> Any:
    """The formula with its intermediates put in. Raises NotSupported for what SymPy cannot hold, naming it."""
    walk = _Walk(variables, functions)
    for name, value in program.definitions:
        walk.known[name] = fold(value, walk.visit)
    return fold(program.body, walk.visit)


def size(dim: Dim) -> Any:
    """A size: names are positive integers."""
    s = load()
    total = s.Integer(0)
    for key, count in dim.terms:
        total += count * s.Mul(*(s.Symbol(name, integer=True, positive=True) for name in key))
    return total


def _shape(node: Expr) -> tuple[Any, Any]:
    dims = [size(d) for d in node.dims]
    if node.kind == MATRIX:
        return dims[0], dims[1]
    return (dims[0], 1) if node.kind == VECTOR else (1, dims[0])


class _Walk:
    def __init__(self, variables: Mapping[str, Variable], functions: frozenset[str]) -> None:
        self.s = load()
        self.functions = functions
        self.known: dict[str, Any] = {name: self._variable(v) for name, v in variables.items()}

    def _variable(self, variable: Variable) -> Any:
        if variable.type.kind == SCALAR:
            signs = {trait: True for trait in ("positive", "nonnegative") if trait in variable.traits}
            return self.s.Symbol(variable.name, real=True, **signs)
        rows, cols = _shape(Expr("name", value=variable.name, type=variable.type))
        return self.s.MatrixSymbol(variable.name, rows, cols)

    def visit(self, node: Expr, args: list[Any]) -> Any:
        if node.kind == TENSOR:
            raise NotSupported("SymPy's matrices have two axes, and this has more")
        rule: Callable[[Expr, list[Any]], Any] | None = getattr(self, "_" + node.op, None)
        if rule is None:
            raise NotSupported(f"{node.op} cannot be converted to SymPy")
        return rule(node, args)

    def _number(self, node: Expr, _args: list[Any]) -> Any:
        return self.s.Rational(node.value.numerator, node.value.denominator)

    def _constant(self, _node: Expr, _args: list[Any]) -> Any:
        return self.s.pi

    def _name(self, node: Expr, _args: list[Any]) -> Any:
        return self.known[node.value] if node.value in self.known else size(Dim.of(node.value))

    def _neg(self, _node: Expr, args: list[Any]) -> Any:
        return -args[0]

    def _add(self, node: Expr, args: list[Any]) -> Any:
        total = self._filled(node, node.args[0], args[0])
        for term, value in zip(node.args[1:], args[1:], strict=True):
            total = total + self._filled(node, term, value)
        return total

    def _filled(self, node: Expr, part: Expr, value: Any) -> Any:
        """A number among arrays as an array of it."""
        return value * self.s.OneMatrix(*_shape(node)) if part.kind == SCALAR != node.kind else value

    def _transpose(self, node: Expr, args: list[Any]) -> Any:
        return args[0] if node.kind == SCALAR else self.s.Transpose(args[0]).doit(deep=False)

    def _product(self, node: Expr, args: list[Any]) -> Any:
        total, kind = args[0], node.args[0].kind
        for operator, factor, value in zip(node.value, node.args[1:], args[1:], strict=True):
            total = self._times(total, kind, operator, value, factor.kind)
            found = product_kind(kind, operator, factor.kind)
            assert found is not None
            kind = found
        return total

    def _times(self, left: Any, kind: str, operator: str, right: Any, other: str) -> Any:
        s = self.s
        if operator == "⊗":
            return s.KroneckerProduct(left, right)
        if operator in ("/", "./"):
            right = 1 / right if other == SCALAR else s.HadamardPower(right, -1)
        if SCALAR in (kind, other):
            return left * right
        if operator in (".*", "./"):
            return s.HadamardProduct(left, right)
        return s.Trace(left * right) if (kind, other) == (ROW, VECTOR) else left * right

    def _power(self, node: Expr, args: list[Any]) -> Any:
        if node.value == "^" or node.kind == SCALAR:
            return args[0] ** args[1]
        if node.args[0].kind == SCALAR:
            dummy = self.s.Dummy("d")
            return args[1].applyfunc(self.s.Lambda(dummy, args[0] ** dummy))
        return self.s.HadamardPower(*args)

    def _index(self, node: Expr, args: list[Any]) -> Any:
        items = index_items(node, args[1:])
        if node.args[0].kind != MATRIX:
            items = [items[0], 1] if node.args[0].kind == VECTOR else [1, items[0]]
        if not any(item is None or isinstance(item, tuple) for item in items):
            return self.s.matrices.expressions.matexpr.MatrixElement(args[0], items[0] - 1, items[1] - 1)
        rows, cols = (_slice(item, count) for item, count in zip(items, args[0].shape, strict=True))
        return self.s.matrices.expressions.MatrixSlice(args[0], rows, cols)

    def _stack(self, node: Expr, args: list[Any]) -> Any:
        blocks = [self.s.ImmutableMatrix([[value]]) if part.kind == SCALAR else value
                  for part, value in zip(node.args, args, strict=True)]  # fmt: skip
        rows, start = [], 0
        for count in node.value:
            rows.append(blocks[start : start + count])
            start += count
        if len({len(row) for row in rows}) > 1:
            raise NotSupported("rows of blocks that are divided differently cannot be converted to SymPy")
        if all(part.kind == SCALAR for part in node.args):
            return self.s.ImmutableMatrix([[block[0, 0] for block in row] for row in rows])
        return self.s.BlockMatrix(rows)

    def _call(self, node: Expr, args: list[Any]) -> Any:
        name = node.value.name
        if name in self.functions:
            return self._unspecified(node, args[0])
        function = entrywise(name)
        if function is not None:
            return self._applied(function, node, args[0])
        rule: Callable[[Expr, list[Any]], Any] | None = getattr(self, "_of_" + name, None)
        if rule is None or (args and node.args[0].kind == SCALAR and name not in _OF_NUMBERS):
            what = f"{name} of a number" if rule is not None else name
            raise NotSupported(f"{what} cannot be converted to SymPy")
        return rule(node, args)

    def _unspecified(self, node: Expr, value: Any) -> Any:
        if node.value.primes:
            raise NotSupported(f"{node.value.name}' cannot be converted to SymPy", hint="a function with a formula")
        return self._applied(self.s.Function(node.value.name), node, value)

    def _applied(self, function: Callable[[Any], Any], node: Expr, value: Any) -> Any:
        if node.kind == SCALAR:
            return function(value)
        dummy = self.s.Dummy("d")
        return value.applyfunc(self.s.Lambda(dummy, function(dummy)))

    # -- functions of arrays

    def _of_tr(self, _node: Expr, args: list[Any]) -> Any:
        return self.s.Trace(args[0])

    def _of_det(self, _node: Expr, args: list[Any]) -> Any:
        return self.s.Determinant(args[0])

    def _of_logdet(self, _node: Expr, args: list[Any]) -> Any:
        return self.s.log(self.s.Abs(self.s.Determinant(args[0])))

    def _of_inv(self, _node: Expr, args: list[Any]) -> Any:
        return self.s.Inverse(args[0])

    def _of_diag(self, node: Expr, args: list[Any]) -> Any:
        expressions = self.s.matrices.expressions.diagonal
        return expressions.DiagMatrix(args[0]) if node.kind == MATRIX else expressions.DiagonalOf(args[0])

    def _of_kron(self, _node: Expr, args: list[Any]) -> Any:
        return self.s.KroneckerProduct(*args)

    def _of_sum(self, node: Expr, args: list[Any]) -> Any:
        rows, cols = args[0].shape
        if node.value.dim == 1:
            return self.s.OneMatrix(1, rows) * args[0]
        if node.value.dim == 2:
            return args[0] * self.s.OneMatrix(cols, 1)
        left = args[0] if rows == 1 else self.s.OneMatrix(1, rows) * args[0]
        return self.s.Trace(left if cols == 1 else left * self.s.OneMatrix(cols, 1))

    def _of_mean(self, node: Expr, args: list[Any]) -> Any:
        rows, cols = args[0].shape
        count = {None: rows * cols, 1: rows, 2: cols}[node.value.dim]
        return self._of_sum(node, args) / count

    def _of_norm2(self, node: Expr, args: list[Any]) -> Any:
        squares = self._of_sum(node, [self.s.HadamardPower(args[0], 2)])
        return self._applied(self.s.sqrt, node, squares)

    _of_normF = _of_norm2

    def _of_norm1(self, node: Expr, args: list[Any]) -> Any:
        return self._of_sum(node, [args[0].applyfunc(self.s.Abs)])

    def _of_logsumexp(self, node: Expr, args: list[Any]) -> Any:
        return self._applied(self.s.log, node, self._of_sum(node, [args[0].applyfunc(self.s.exp)]))

    def _of_softmax(self, node: Expr, args: list[Any]) -> Any:
        if node.value.dim is not None:
            raise NotSupported("softmax along an axis cannot be converted to SymPy")
        exps = args[0].applyfunc(self.s.exp)
        return exps / self._of_sum(node, [exps])

    def _of_max(self, node: Expr, args: list[Any]) -> Any:
        return self._of_two(self.s.Max, node, args)

    def _of_min(self, node: Expr, args: list[Any]) -> Any:
        return self._of_two(self.s.Min, node, args)

    def _of_arctan2(self, node: Expr, args: list[Any]) -> Any:
        return self._of_two(self.s.atan2, node, args)

    def _of_hypot(self, node: Expr, args: list[Any]) -> Any:
        return self._of_two(lambda x, y: self.s.sqrt(x**2 + y**2), node, args)

    def _of_polygamma(self, node: Expr, args: list[Any]) -> Any:
        return self._applied(lambda x: self.s.polygamma(args[0], x), node, args[1])

    def _of_lbeta(self, node: Expr, args: list[Any]) -> Any:
        log = self.s.loggamma
        return self._of_two(lambda x, y: log(x) + log(y) - log(x + y), node, args)

    def _of_two(self, function: Any, node: Expr, args: list[Any]) -> Any:
        if len(args) != 2 or any(a.kind != SCALAR for a in node.args):
            raise NotSupported(f"{node.value.name} of arrays cannot be converted to SymPy")
        return function(*args)

    # -- constants

    def _of_eye(self, node: Expr, _args: list[Any]) -> Any:
        return self.s.Identity(size(node.dims[0]))

    def _of_ones(self, node: Expr, _args: list[Any]) -> Any:
        return self.s.OneMatrix(*_shape(node))

    def _of_zeros(self, node: Expr, _args: list[Any]) -> Any:
        return self.s.ZeroMatrix(*_shape(node))

    def _of_vector(self, node: Expr, args: list[Any]) -> Any:
        return args[0] * self.s.OneMatrix(*_shape(node))

    _of_matrix = _of_vector

    def _of_rows(self, node: Expr, _args: list[Any]) -> Any:
        return size(node.args[0].dims[0])

    _of_length = _of_rows

    def _of_cols(self, node: Expr, _args: list[Any]) -> Any:
        return size(node.args[0].dims[-1])


_OF_NUMBERS = ("max", "min", "arctan2", "hypot", "polygamma", "lbeta", "eye", "ones", "zeros", "vector", "matrix")


def _slice(item: Any, count: Any) -> tuple[Any, Any]:
    """From a place, or a range, counted from 1: numbers or sizes of SymPy."""
    if item is None:
        return (0, count)
    return (item[0] - 1, item[1]) if isinstance(item, tuple) else (item - 1, item)
