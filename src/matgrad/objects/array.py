"""The objects: formulas that behave like NumPy arrays. One thin layer over the functions on ``Value``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

from matgrad.errors import MatgradError, NotSupported
from matgrad.formula.binding import bind
from matgrad.formula.declarations import FUNCTION, Declaration, parse_declarations
from matgrad.formula.latex import to_latex
from matgrad.formula.reference import evaluate
from matgrad.formula.syntax import Call, Expr, Type, walk
from matgrad.formula.typed import Variable
from matgrad.formula.unicode import to_unicode
from matgrad.objects import comparison, dispatch, indexing, linear, shaping, ufuncs
from matgrad.objects.comparison import Test
from matgrad.objects.inputs import as_value
from matgrad.objects.names import Names, joined, program, written
from matgrad.objects.numpy_functions import FUNCTIONS
from matgrad.objects.value import Value, clash, shape_text


def wrapped(found: Any) -> Any:
    """What users hold, for what the functions give."""
    if isinstance(found, Value):
        return found if isinstance(found, Array) else Array(found.expr, found.axes, found.names)
    if isinstance(found, Test):
        return Comparison(found.mask, found.other, found.positive)
    if isinstance(found, tuple):
        parts = [wrapped(part) for part in found]
        return type(found)(*parts) if hasattr(found, "_fields") else tuple(parts)
    return found


def _operator(name: str) -> Any:
    def operate(self: Any, other: Any) -> Any:
        return self._ufunc(name, self, other)

    return operate


def _reflected(name: str) -> Any:
    def operate(self: Any, other: Any) -> Any:
        return self._ufunc(name, other, self)

    return operate


class Operators:
    """What arrays and tests have in common: arithmetic, NumPy's protocols, and what neither can do."""

    __slots__ = ()
    __array_priority__ = 1000

    def _ufunc(self, name: str, *inputs: Any) -> Any:
        return wrapped(dispatch.ufunc(getattr(np, name), "__call__", inputs, {}))

    __add__, __radd__ = _operator("add"), _reflected("add")
    __sub__, __rsub__ = _operator("subtract"), _reflected("subtract")
    __truediv__, __rtruediv__ = _operator("divide"), _reflected("divide")
    __pow__, __rpow__ = _operator("power"), _reflected("power")
    __matmul__, __rmatmul__ = _operator("matmul"), _reflected("matmul")
    __floordiv__, __rfloordiv__ = _operator("floor_divide"), _reflected("floor_divide")
    __mod__, __rmod__ = _operator("remainder"), _reflected("remainder")
    __gt__, __lt__ = _operator("greater"), _operator("less")
    __ge__, __le__ = _operator("greater_equal"), _operator("less_equal")

    def __mul__(self, other: Any) -> Any:
        """Entry by entry; of two matrices it is refused, since both products are usual."""
        if _is_matrix(self) and _is_matrix(other):
            raise clash(
                "* of two matrices could be either product",
                as_value(self),
                as_value(other),
                hint="A @ B, the matrix product, or np.multiply(A, B), entry by entry",
            )
        return self._ufunc("multiply", self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._ufunc("multiply", other, self)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return wrapped(dispatch.ufunc(ufunc, method, inputs, options))

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return wrapped(dispatch.function(function, args, options))

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise NotSupported(
            "this function needs the numbers in an array, and this is a formula",
            hint="NumPy's own functions, matgrad.fn (softmax, logsumexp, relu, …), np.stack([x, y]) for "
            "np.array([x, y]), or values: f(x=…)",
        )

    def __bool__(self) -> NoReturn:
        raise MatgradError(
            "a formula is neither true nor false",
            hint="np.where(x > 0, x, 0) for if and else, np.maximum(x, y) for max(x, y), & and | for and and or",
        )

    def _no_number(self) -> NoReturn:
        raise MatgradError("a formula is not a number", hint="np.exp(x) for math.exp(x), or a value: f(x=…)")

    __float__ = __int__ = __complex__ = __round__ = _no_number

    def __index__(self) -> NoReturn:
        raise MatgradError("a formula is not a whole number", hint="matgrad.fn.ones, zeros and eye, which take sizes")

    def sum(self, axis: Any = None, *, keepdims: bool = False) -> Array:
        return _array("sum", self, axis, keepdims=keepdims)

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> Array:
        return _array("mean", self, axis, keepdims=keepdims)

    def max(self, axis: Any = None, *, keepdims: bool = False) -> Array:
        return _array("max", self, axis, keepdims=keepdims)

    def min(self, axis: Any = None, *, keepdims: bool = False) -> Array:
        return _array("min", self, axis, keepdims=keepdims)

    def astype(self, dtype: Any) -> Array:
        """The same array: all entries are real numbers."""
        if np.dtype(dtype).kind != "f":
            raise NotSupported(f"a formula holds real numbers, not {np.dtype(dtype)}")
        return _wrap(as_value(self))


class Array(Operators, Value):
    """A formula that behaves like a NumPy array.

    ``str(x)`` is its text. ``==`` and ``hash`` are of the formula as a whole. Called with arrays by name, it gives
    its value. Made by :func:`matgrad.matrix`, :func:`matgrad.vector`, :func:`matgrad.scalar` and operations on them.
    """

    __slots__ = ()
    __hash__ = Value.__hash__

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.expr, self.axes, self.names))

    # -- what it is

    @property
    def shape(self) -> tuple[Any, ...]:
        """The size of each axis: a number, or a formula such as ``n``, which may be used as a number."""
        found: tuple[Any, ...] = wrapped(shaping.shape(self))
        return found

    @property
    def ndim(self) -> int:
        return len(self.axes)

    @property
    def size(self) -> Any:
        """The number of entries."""
        return wrapped(FUNCTIONS["size"](self))

    @property
    def text(self) -> str:
        """In matgrad's own notation; axes of size 1 that only NumPy sees are left out."""
        return self.written()[0]

    def written(self) -> tuple[str, dict[str, Declaration]]:
        """The text, and the declarations of its names."""
        return written(self.expr, self.names)

    @property
    def unicode(self) -> str:
        return to_unicode(self.expr)

    @property
    def latex(self) -> str:
        return to_latex(self.expr)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<{self.text}: shape {shape_text(self)}>"

    # -- what can be done with it

    def named(self, name: str) -> Array:
        """The same under a name: an intermediate, which answers may use and in which one can differentiate."""
        given = next(iter(parse_declarations({name: "scalar"})))  # refuses what cannot be a name
        alone = Expr("name", value=given, type=self.expr.type)
        return Array(alone, self.axes, joined([self.names, Names({}, {given: self.expr})]))

    def __call__(self, /, **arrays: Any) -> Any:
        """The value at arrays given by name, in NumPy's shape."""
        found, declared = program(self.expr, self.names)
        variables = [Variable(n, Type(d.kind, d.dims), d.traits) for n, d in declared.items() if d.dims is not None]
        functions = [name for name, d in declared.items() if d.kind == FUNCTION]
        parts = [*(value for _, value in found.definitions), found.body]
        sizes = {n for part in parts for e in walk(part) for d in e.dims for n in d.names}
        bound = bind(variables, arrays, functions=functions, dimensions=sizes)
        value = np.asarray(evaluate(found, bound.arrays, bound.sizes), dtype=float)
        shaped = np.reshape(value, tuple(d.evaluate(bound.sizes) for d in self.sizes))
        return shaped if shaped.ndim else float(shaped)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same formula; NumPy's comparison entry by entry would have no derivative."""
        return Value.__eq__(self, other)

    def __getitem__(self, item: Any) -> Array:
        return _wrap(indexing.pick(self, item))

    def __setitem__(self, item: Any, value: Any) -> NoReturn:
        raise NotSupported(
            "a formula cannot be changed in place",
            hint="np.where(x > 0, y, x) for x[x > 0] = y, np.concatenate or np.block of its parts, or arithmetic",
        )

    def __len__(self) -> int:
        number = self.sizes[0].number if self.axes else None
        if number is None:
            what = f"the length {self.sizes[0]} is a name, not a number" if self.axes else "a number has no length"
            raise MatgradError(what, hint="x.shape[0], or a size that is a number")
        return number

    def __iter__(self) -> Iterator[Array]:
        if not self.axes or self.sizes[0].number is None:
            raise MatgradError(
                "one cannot go through the entries of a formula" + " whose length is a name" * bool(self.axes),
                hint="x.sum() for sum(x), np.stack([x, y]) for np.array([x, y]), or a size that is a number",
            )
        return (self[k] for k in range(len(self)))

    __contains__ = None

    def __neg__(self) -> Array:
        return _wrap(ufuncs.UFUNCS["negative"](self))

    def __pos__(self) -> Array:
        return self

    def __abs__(self) -> Array:
        return _wrap(ufuncs.UFUNCS["absolute"](self))

    @property
    def T(self) -> Array:
        return _wrap(linear.transpose(self))

    mT = T

    def transpose(self, *axes: Any) -> Array:
        return _array("transpose", self, (axes[0] if len(axes) == 1 else axes) or None)

    def dot(self, other: Any) -> Array:
        return _array("dot", self, other)

    def trace(self, offset: int = 0) -> Array:
        return _array("trace", self, offset)

    def diagonal(self, offset: int = 0) -> Array:
        return _array("diagonal", self, offset)

    def take(self, indices: Any, axis: int | None = None) -> Array:
        return _array("take", self, indices, axis)

    def var(self, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> Array:
        return _array("var", self, axis, ddof=ddof, keepdims=keepdims)

    def std(self, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> Array:
        return _array("std", self, axis, ddof=ddof, keepdims=keepdims)

    def ptp(self, axis: Any = None, *, keepdims: bool = False) -> Array:
        return _array("ptp", self, axis, keepdims=keepdims)

    def prod(self, axis: Any = None, *, keepdims: bool = False) -> Array:
        return _array("prod", self, axis, keepdims=keepdims)

    def clip(self, min: Any = None, max: Any = None) -> Array:
        return _array("clip", self, min, max)

    def cumsum(self, axis: Any = None) -> Array:
        return _array("cumsum", self, axis)

    def ravel(self, order: str = "C") -> Array:
        """Order C, NumPy's own, reads row by row: vec(X'). Order F stacks the columns: vec(X)."""
        return _array("ravel", self, order)

    flatten = ravel

    def reshape(self, *shape: Any, order: str = "C") -> Array:
        return _wrap(shaping.reshape(self, *shape, order=order))

    def squeeze(self, axis: Any = None) -> Array:
        return _array("squeeze", self, axis)

    def swapaxes(self, axis1: int, axis2: int) -> Array:
        return _array("swapaxes", self, axis1, axis2)

    def copy(self) -> Array:
        return self

    @property
    def real(self) -> Array:
        return self

    def conj(self) -> Array:
        return self


class Comparison(Operators, Test):
    """A test such as ``x > 0``: for np.where, or as an array of 0 and 1."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __and__(self, other: Any) -> Comparison:
        return _test(comparison.both, self, other)

    def __or__(self, other: Any) -> Comparison:
        return _test(comparison.either, self, other)

    def __xor__(self, other: Any) -> Comparison:
        return _test(comparison.one_of, self, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> Comparison:
        return _test(comparison.negated, self)

    def __eq__(self, other: object) -> NoReturn:
        raise NotSupported("two tests cannot be compared", hint="(s & t) | (~s & ~t)")

    __ne__ = __eq__

    @property
    def shape(self) -> tuple[Any, ...]:
        return _wrap(self.mask).shape

    def __repr__(self) -> str:
        return f"<test with the values {_wrap(self.mask)}>"


class Function:
    """An unspecified function of one number, applied to every entry; ``prime`` is its derivative."""

    def __init__(self, name: str, primes: int = 0) -> None:
        declared = parse_declarations({name: FUNCTION})
        self.name = next(iter(declared))
        self.primes = primes
        self.names = Names(declared, {})

    def __call__(self, argument: Any) -> Array:
        value = as_value(argument)
        expr = Expr("call", (value.expr,), Call(self.name, None, self.primes), type=value.expr.type)
        return Array(expr, value.axes, joined([value.names, self.names]))

    @property
    def prime(self) -> Function:
        if self.primes == 3:
            raise NotSupported("derivatives of a function go up to the third")
        return Function(self.name, self.primes + 1)

    def __repr__(self) -> str:
        return f"<function {self.name}{chr(39) * self.primes}>"


def _wrap(value: Value) -> Array:
    found: Array = wrapped(value)
    return found


def _array(name: str, *args: Any, **options: Any) -> Array:
    return _wrap(FUNCTIONS[name](*args, **options))


def _test(operation: Any, *tests: Any) -> Comparison:
    if not all(isinstance(test, Test) for test in tests):
        raise MatgradError("& and | are of two tests", hint="(x > 0) & (y > 0)")
    found: Comparison = wrapped(operation(*tests))
    return found


def _is_matrix(given: Any) -> bool:
    return isinstance(given, Array) and given.axes == (0, 1)
