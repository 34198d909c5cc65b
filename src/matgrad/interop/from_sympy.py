"""An expression of SymPy as a formula: each of its nodes is an operation on objects of two axes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import reduce
from typing import Any

from matgrad.dims import ONE, Dim
from matgrad.errors import DeclarationError, NotSupported
from matgrad.formula.declarations import FUNCTION, Declaration, parse_declarations
from matgrad.formula.syntax import SCALAR_TYPE, Call, Expr, Type
from matgrad.interop.sympy_cases import piecewise
from matgrad.interop.sympy_functions import composed, elementary, load, reciprocals
from matgrad.interop.sympy_sums import summed
from matgrad.objects import elementwise, indexing, linear, stacking
from matgrad.objects.names import Names, joined, size
from matgrad.objects.value import Place, Value, as_matrix, eye, literal, ones


def from_sympy(expression: Any, declared: Mapping[str, Declaration]) -> Value:
    """The formula; n × 1 symbols are vectors, unless ``declared`` says otherwise. Raises NotSupported, naming nodes."""
    s = load()
    try:
        expression = s.sympify(expression)
    except (s.SympifyError, TypeError) as error:
        raise NotSupported(f"this is no expression of SymPy, but {type(expression).__name__}") from error
    matrices = expression.atoms(s.MatrixExpr) if isinstance(expression, s.Basic) else set()
    sizes = {symbol.name for matrix in matrices for dim in matrix.shape for symbol in s.sympify(dim).free_symbols}
    found = _Walk(declared, sizes).convert(expression)
    return Value(as_matrix(found) if len(found.axes) == 2 else found.expr, None, found.names)


class _Walk:
    def __init__(self, declared: Mapping[str, Declaration], sizes: set[str]) -> None:
        self.s = load()
        self.declared = declared
        self.sizes = sizes
        self.bound: dict[Any, Value] = {}

    def convert(self, node: Any) -> Value:
        if node in self.bound:
            return self.bound[node]
        for type_ in type(node).__mro__:
            rule = getattr(self, "_" + type_.__name__, None)
            if rule is not None:
                found: Value = rule(node)
                return found
        if isinstance(node, self.s.Function) and len(node.args) == 1:
            return self._function(node)
        raise NotSupported(f"{type(node).__name__} of SymPy cannot be converted", details=str(node)[:80])

    def _all(self, nodes: Any) -> list[Value]:
        return [self.convert(node) for node in nodes]

    # -- numbers and names

    def _Rational(self, node: Any) -> Value:
        return literal(Fraction(int(node.p), int(node.q)))

    def _Float(self, node: Any) -> Value:
        return literal(Fraction(str(node)))

    def _Pi(self, _node: Any) -> Value:
        return Value(Expr("constant", value="pi", type=SCALAR_TYPE))

    def _Exp1(self, _node: Any) -> Value:
        return elementwise.exp(literal(1))

    def _Symbol(self, node: Any) -> Value:
        if node.name in self.sizes:
            return Value(size(Dim.of(node.name)))
        sign = "positive" if node.is_positive else "nonnegative" if node.is_nonnegative else "scalar"
        return self._variable(node.name, sign)

    def _MatrixSymbol(self, node: Any) -> Value:
        rows, cols = (self._dim(d) for d in node.shape)
        kind = Type("vector", (rows,)) if cols == Dim.of(1) else Type("matrix", (rows, cols))
        words = Declaration(kind.kind, kind.dims)
        found = self._variable(node.name, words)
        return found.but(found.expr, (0, None)) if found.order == 1 else found

    def _variable(self, name: str, words: str | Declaration) -> Value:
        given = self.declared.get(name)
        known = given if given is not None and given.dims is not None else words
        try:
            (name, what), *_ = parse_declarations({name: known}).items()
        except DeclarationError as error:
            plain = re.sub(r"\W+", "_", name).strip("_") or "x"
            raise NotSupported(
                f"SymPy's symbol {name} has no name that a formula can have",
                hint=f'expression.subs(symbol, Symbol("{plain}")), or MatrixSymbol("{plain}", …)',
            ) from error
        return Value(Expr("name", value=name, type=Type(what.kind, what.dims or ())), None, Names({name: what}))

    def _dim(self, given: Any) -> Dim:
        """A size: a polynomial in names, with whole coefficients."""
        polynomial = self.s.sympify(given).as_poly(*sorted(given.free_symbols, key=str)) if given.free_symbols else None
        terms = polynomial.terms() if polynomial is not None else [((), given)]
        if not all(count.is_Integer for _, count in terms):
            raise NotSupported(f"the size {given} of SymPy is no polynomial with whole coefficients")
        total = Dim({})
        for powers, count in terms:
            term = Dim.of(int(count))
            for symbol, power in zip(polynomial.gens if polynomial else (), powers, strict=True):
                for _ in range(power):
                    term = term * Dim.of(symbol.name)
            total = total + term
        return total

    # -- arithmetic

    def _Add(self, node: Any) -> Value:
        return self._sum(node.as_ordered_terms())

    def _MatAdd(self, node: Any) -> Value:
        return self._sum(sorted(node.args, key=_is_negative))

    def _sum(self, terms: Any) -> Value:
        """A sum in which a negative term is subtracted."""
        total = self.convert(terms[0])
        for term in terms[1:]:
            if _is_negative(term):
                total = elementwise.subtract(total, self.convert(-term))
            else:
                total = elementwise.add(total, self.convert(term))
        return total

    def _Mul(self, node: Any) -> Value:
        if node.args[0] == -1:
            return elementwise.negative(self.convert(-node))
        top, bottom = node.as_numer_denom() if isinstance(node, self.s.Mul) else (node, self.s.Integer(1))
        if bottom == 1 or top == node:
            return reduce(elementwise.multiply, self._all(node.args))
        return elementwise.divide(self.convert(top), self.convert(bottom))

    def _MatMul(self, node: Any) -> Value:
        if _is_negative(node):
            return elementwise.negative(self.convert(-node))
        bottom = node.as_coeff_matrices()[0].as_numer_denom()[1]
        if bottom.free_symbols:
            return elementwise.divide(self.convert(node * bottom), self.convert(bottom))
        return reduce(self._times, self._all(node.args))

    def _times(self, left: Value, right: Value) -> Value:
        scalars = not left.axes or not right.axes
        return elementwise.multiply(left, right) if scalars else linear.matmul(left, right)

    def _Pow(self, node: Any) -> Value:
        base, exponent = node.args
        if exponent == self.s.Rational(1, 2):
            return elementwise.sqrt(self.convert(base))
        return elementwise.power(self.convert(base), self.convert(exponent))

    def _MatPow(self, node: Any) -> Value:
        base, exponent = node.args
        if not exponent.is_number:
            return linear.symbolic_power(self.convert(base), self.convert(exponent))
        if not exponent.is_Integer:
            raise NotSupported(f"a power of a matrix with the exponent {exponent} cannot be converted")
        return linear.matrix_power(self.convert(base), int(exponent))

    def _HadamardProduct(self, node: Any) -> Value:
        return reduce(elementwise.multiply, self._all(node.args))

    def _HadamardPower(self, node: Any) -> Value:
        return elementwise.power(*self._all(node.args))

    def _KroneckerProduct(self, node: Any) -> Value:
        return reduce(linear.kron, self._all(node.args))

    # -- functions of numbers

    def _function(self, node: Any) -> Value:
        for name, function in elementary().items():
            if node.func == function:
                return elementwise.applied(name)(self.convert(node.args[0]))
        if node.func in reciprocals():
            return elementwise.divide(literal(1), self.convert(reciprocals()[node.func](node.args[0])))
        if not isinstance(node, self.s.core.function.AppliedUndef):
            raise NotSupported(f"{type(node).__name__} of SymPy cannot be converted", details=str(node)[:80])
        value, name = self.convert(node.args[0]), node.func.__name__
        expr = Expr("call", (value.expr,), Call(name), type=value.expr.type)
        return Value(expr, value.axes, joined([value.names, Names({name: Declaration(FUNCTION)})]))

    def _Heaviside(self, node: Any) -> Value:
        if node.args[1:] != (0,):
            raise NotSupported("Heaviside of SymPy is converted where it is 0 at 0: Heaviside(x, 0)")
        return elementwise.step(self.convert(node.args[0]))

    def _Piecewise(self, node: Any) -> Value:
        return piecewise(node, self.convert)

    def _conjugate(self, node: Any) -> Value:
        """Of a real number, itself; so is its real part."""
        return self.convert(node.args[0])

    _re = _conjugate

    def _beta(self, node: Any) -> Value:
        return elementwise.exp(elementwise.pairwise("lbeta")(*self._all(node.args)))

    def _Max(self, node: Any) -> Value:
        return reduce(elementwise.maximum, self._all(node.args))

    def _Min(self, node: Any) -> Value:
        return reduce(elementwise.minimum, self._all(node.args))

    def _atan2(self, node: Any) -> Value:
        return elementwise.pairwise("arctan2")(*self._all(node.args))

    def _polygamma(self, node: Any) -> Value:
        order, inner = node.args
        if not order.is_Integer:
            raise NotSupported(f"polygamma of SymPy is converted for numbers, not for the order {order}")
        value = self.convert(inner)
        return elementwise.polygamma(int(order), value) if order else elementwise.applied("digamma")(value)

    def _ElementwiseApplyFunction(self, node: Any) -> Value:
        value = self.convert(node.expr)
        (dummy,), body = node.function.variables, node.function.expr
        for name, function in composed().items():
            if body == function(dummy):
                return elementwise.applied(name)(value)
        found = self._with(body, {dummy: value})
        return found if found.axes else elementwise.multiply(found, value.but(ones(*value.expr.dims), value.axes))

    def _Sum(self, node: Any) -> Value:
        return summed(node, self._with)

    def _with(self, node: Any, values: Mapping[Any, Value]) -> Value:
        """A node in which some parts have these values."""
        outer, self.bound = self.bound, {**self.bound, **values}
        found = self.convert(node)
        self.bound = outer
        return found

    # -- matrices

    def _Transpose(self, node: Any) -> Value:
        return linear.transpose(self.convert(node.arg))

    _Adjoint = _Transpose

    def _Inverse(self, node: Any) -> Value:
        return linear.inverse(self.convert(node.arg))

    def _Trace(self, node: Any) -> Value:
        value = self.convert(node.arg)
        return value.but(value.expr, ()) if value.axes == (None, None) else linear.trace(value)

    def _Determinant(self, node: Any) -> Value:
        value = self.convert(node.arg)
        return value.but(value.expr, ()) if value.axes == (None, None) else linear.determinant(value)

    def _Identity(self, node: Any) -> Value:
        return Value(eye(self._dim(node.shape[0])))

    def _OneMatrix(self, node: Any) -> Value:
        return self._ones(node)

    def _ZeroMatrix(self, node: Any) -> Value:
        return elementwise.multiply(literal(0), self._ones(node))

    def _ones(self, node: Any) -> Value:
        dims = [self._dim(self.s.sympify(d)) for d in node.shape]
        own = [d for d in dims if d != Dim.of(1)]
        places = [k for k, d in enumerate(dims) if d != Dim.of(1)]
        axes = tuple(places.index(k) if k in places else None for k in (0, 1))
        return Value(ones(*own) if own else literal(1).expr, axes)

    def _DiagMatrix(self, node: Any) -> Value:
        value = self.convert(node.args[0])
        return linear.diag(value.but(value.expr, (0,)))

    def _DiagonalOf(self, node: Any) -> Value:
        found = linear.diagonal(self.convert(node.arg))
        return found.but(found.expr, (0, None))

    def _BlockMatrix(self, node: Any) -> Value:
        rows, cols = node.blockshape
        return stacking.grid([[self.convert(node.blocks[i, j]) for j in range(cols)] for i in range(rows)])

    def _ImmutableDenseMatrix(self, node: Any) -> Value:
        rows, cols = node.shape
        entries = [[self.convert(node[i, j]) for j in range(cols)] for i in range(rows)]
        return stacking.grid([[v.but(v.expr, (None, None)) for v in row] for row in entries])

    def _MatrixElement(self, node: Any) -> Value:
        places: list[Place] = [self._place(i) + ONE for i in node.indices]
        return indexing.ranges(self.convert(node.parent), places)

    def _MatrixSlice(self, node: Any) -> Value:
        ranges: list[tuple[Place, Place] | None] = []
        for (first, last, step), count in zip((node.rowslice, node.colslice), node.parent.shape, strict=True):
            if step != 1:
                raise NotSupported(f"a slice of SymPy with the step {step} cannot be converted")
            whole = first == 0 and last == count
            ranges.append(None if whole else (self._place(first) + ONE, self._place(last)))
        return indexing.ranges(self.convert(node.parent), ranges)

    def _place(self, given: Any) -> Dim:
        """A number, or a size."""
        given = self.s.sympify(given)
        if not all(symbol.name in self.sizes for symbol in given.free_symbols):
            raise NotSupported(f"the index {given} of SymPy is no number and no size, and cannot be converted")
        return self._dim(given)


def _is_negative(term: Any) -> bool:
    """Whether it is written with a minus sign; that of a product of matrices is in its number."""
    if hasattr(term, "as_coeff_matrices"):
        term = term.as_coeff_matrices()[0]
    return hasattr(term, "could_extract_minus_sign") and bool(term.could_extract_minus_sign())
