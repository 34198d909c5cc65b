"""Products in NumPy: order of multiplication, scaling in place of diagonal matrices, solving in place of inverting.

``*`` chains are cut where a vector meets a row, so that no product is formed that need not be: ``A*x*y'*B`` is the
outer product of two vectors, ``A*B*x`` is ``A @ (B @ x)``. Scalars are collected in front.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from matgrad.codegen.python_text import ATOM, MUL, Code, binary, call, suffixed, transposed
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Expr, product_kind
from matgrad.functions import card

Emit = Callable[[Expr], Code]


class Factor(NamedTuple):
    """A non-scalar factor: its code, its kind, and its expression where it is still one factor of the tree."""

    code: Code
    kind: str
    expr: Expr | None = None


class Chain:
    """A product that grows to the right: a coefficient, a divisor and a chain of ``*``."""

    def __init__(self, emit: Emit, subgradient: bool = False) -> None:
        self.emit = emit
        self.subgradient = subgradient
        self.over_norm = False
        self.numerator: list[Code] = []
        self.denominator: list[Code] = []
        self.factors: list[Factor] = []
        self.kind = SCALAR

    def times(self, expr: Expr) -> None:
        if expr.kind == SCALAR:
            self.numerator.append(self.emit(expr))
        else:
            self.factors.append(Factor(self.emit(expr), expr.kind, expr))

    def divide(self, expr: Expr) -> None:
        self.denominator.append(self.emit(expr))
        known = card(expr.value.name) if expr.op == "call" else None
        self.over_norm |= self.subgradient and known is not None and known.facts.get("0 over it") == "0"

    def close(self) -> Code:
        """The code of the whole."""
        value = self._arrays()
        number = _joined(self.numerator)
        if number is not None and value is not None:
            value = binary(number, "*", Code(f"({value.text})", ATOM, value.depth + 1) if value.matmul else value)
        value = value or number or Code("1.0")
        below = _joined(self.denominator)
        if below is not None and self.over_norm:
            return call("over_norm", value, below)
        return value if below is None else binary(value, "/", below)

    def _arrays(self) -> Code | None:
        """The ``*`` chain; inner products found on the way go to the coefficient."""
        groups: list[Factor] = []
        for group in _groups(self.factors):
            product = _evaluate(group, self.emit)
            if product.kind == SCALAR:
                self.numerator.append(product.code)
            else:
                groups.append(product)
        if len(groups) == 2:
            return call("np.outer", groups[0].code, groups[1].code)
        return groups[0].code if groups else None


def _joined(factors: list[Code]) -> Code | None:
    if not factors:
        return None
    result = factors[0]
    for factor in factors[1:]:
        result = binary(result, "*", factor)
    return result


def _groups(factors: list[Factor]) -> list[list[Factor]]:
    """The chain, cut before each row that follows a vector, and after each inner product."""
    groups: list[list[Factor]] = []
    for factor in factors:
        if not groups or groups[-1][-1].kind == VECTOR:  # only a row fits after it, or anything after a scalar
            groups.append([factor])
        else:
            groups[-1].append(factor)
    return groups


def _evaluate(group: list[Factor], emit: Emit) -> Factor:
    """One group, from the end that is a vector; a row comes first, since it is one already."""
    if group[-1].kind == VECTOR and group[0].kind == MATRIX:
        value = group[-1]
        for factor in reversed(group[:-1]):
            value = _pair(factor, value, emit)
        return value
    value = group[0]
    for factor in group[1:]:
        value = _pair(value, factor, emit)
    return value


def _pair(left: Factor, right: Factor, emit: Emit) -> Factor:
    kind = product_kind(left.kind, "*", right.kind)
    assert kind is not None
    return Factor(_multiply(left, right, emit), kind)


def _multiply(left: Factor, right: Factor, emit: Emit) -> Code:
    diagonal, right_diagonal = _diagonal(left.expr), _diagonal(right.expr)
    inverse, right_inverse = _inverse(left.expr), _inverse(right.expr)
    if inverse is not None:
        return call("np.linalg.solve", _oriented(inverse, emit), right.code)
    if right_inverse is not None:
        matrix, flipped = right_inverse
        solver = _oriented((matrix, not flipped), emit)
        if left.kind == ROW:
            return call("np.linalg.solve", solver, left.code)
        return transposed(call("np.linalg.solve", solver, transposed(left.code)))
    if diagonal is not None:
        scale = emit(diagonal)
        return binary(suffixed(scale, "[:, None]") if right.kind == MATRIX else scale, "*", right.code)
    if right_diagonal is not None:
        return binary(left.code, "*", emit(right_diagonal))
    return binary(left.code, "@", right.code)


def _diagonal(expr: Expr | None) -> Expr | None:
    """d, where the expression is diag(d)."""
    if expr is not None and expr.op == "transpose":
        return _diagonal(expr.args[0])
    is_diagonal = expr is not None and expr.op == "call" and expr.value.name == "diag" and expr.kind == MATRIX
    return expr.args[0] if expr is not None and is_diagonal else None


def _inverse(expr: Expr | None) -> tuple[Expr, bool] | None:
    """The matrix, where the expression is its inverse, and whether it is transposed."""
    flipped = False
    while expr is not None and expr.op == "transpose":
        expr, flipped = expr.args[0], not flipped
    if expr is None or expr.kind != MATRIX:
        return None
    if expr.op == "call" and expr.value.name == "inv":
        return expr.args[0], flipped
    if expr.op == "power" and expr.value == "^" and expr.args[1].op == "neg" and _is_one(expr.args[1].args[0]):
        return expr.args[0], flipped
    return None


def _is_one(expr: Expr) -> bool:
    return expr.op == "number" and expr.value == 1


def _oriented(matrix: tuple[Expr, bool], emit: Emit) -> Code:
    code = emit(matrix[0])
    return transposed(code) if matrix[1] else code


WHOLE = '''\
def whole(k):
    """The exponent of a matrix as an int."""
    if k != int(k):
        raise ValueError(f"the exponent of a matrix must be an integer, not {k}")
    return int(k)
'''
OVER_NORM = '''\
def over_norm(x, norm):
    """x/norm, with 0/0 = 0: the subgradient at the kink of a norm."""
    return np.divide(x, norm, out=np.zeros(np.shape(x)), where=(norm != 0) | (np.asarray(x) != 0))
'''


def product(node: Expr, emit: Emit, subgradient: bool = False) -> Code:
    """The code of a product of the formula tree; a derivative takes 0/norm2(x) as 0 at the kink of a norm."""
    chain = Chain(emit, subgradient)
    chain.times(node.args[0])
    kind = node.args[0].kind
    for operator, factor in zip(node.value, node.args[1:], strict=True):
        combined = product_kind(kind, operator, factor.kind)
        if combined is None:
            raise NotImplementedError(f"{kind} {operator} {factor.kind}")
        scalar = SCALAR in (kind, factor.kind)
        if operator == "*" or (operator == ".*" and scalar):
            chain.times(factor)
        elif operator == "/" or (operator == "./" and factor.kind == SCALAR):
            chain.divide(factor)
        else:
            joined = _entrywise(operator, chain.close(), kind, emit(factor), factor.kind)
            chain = Chain(emit, subgradient)
            chain.factors.append(Factor(joined, combined))
        kind = combined
    return chain.close()


def _entrywise(operator: str, left: Code, left_kind: str, right: Code, right_kind: str) -> Code:
    if operator == "⊗":
        return kron(left, left_kind, right, right_kind)
    return binary(left, operator[1:], right)


def kron(left: Code, left_kind: str, right: Code, right_kind: str) -> Code:
    """np.kron, with vectors as columns and rows as rows unless both are the same."""
    if left_kind != right_kind:
        left, right = block(left, left_kind), block(right, right_kind)
    return call("np.kron", left, right)


def block(code: Code, kind: str) -> Code:
    """The code as an array of two axes."""
    return suffixed(code, {VECTOR: "[:, None]", ROW: "[None, :]"}.get(kind, "")) if kind != MATRIX else code


def trace(argument: Expr, emit: Emit) -> Code | None:
    """tr(A*B) as a sum of products, tr(x*y') as an inner product; None where a plain trace must do."""
    if argument.op != "product" or any(operator not in ("*", "/") for operator in argument.value):
        return None
    chain = Chain(emit)
    chain.times(argument.args[0])
    for operator, factor in zip(argument.value, argument.args[1:], strict=True):
        if operator == "*":
            chain.times(factor)
        else:
            chain.divide(factor)
    groups = _groups(chain.factors)
    if len(groups) == 2:
        inner = binary(_evaluate(groups[1], emit).code, "@", _evaluate(groups[0], emit).code)
    elif len(groups) == 1 and len(chain.factors) > 1 and not any(_inverse(f.expr) for f in chain.factors):
        *rest, last = chain.factors
        inner = call("np.sum", binary(_evaluate(rest, emit).code, "*", transposed(last.code), MUL))
    else:
        return None
    chain.factors = []
    chain.numerator.append(inner)
    return chain.close()
