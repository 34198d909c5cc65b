"""The reference evaluator: a plain walk over the typed formula tree, one case per operation.

It shares nothing with differentiation or with generated code, so that it can check both. Rows and vectors are
arrays of one axis. Everything is safe for a complex step: an imaginary part of 1e-30 comes out as the
derivative, to full precision.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from matgrad.errors import DataError, NotSupported
from matgrad.formula.masks import Evaluate, Tests, Unmasked, named_tests
from matgrad.formula.subscripts import is_fused, letter_sizes, plain, split_shapes
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Call, Expr, Program, fold, index_items, product_kind
from matgrad.functions import card

Array = Any
"""A NumPy array or scalar, real or complex: what flows through the walk."""


def evaluate(
    formula: Expr | Program,
    arrays: Mapping[str, Any],
    sizes: Mapping[str, int],
    *,
    subgradient: bool = False,
    strict: bool = False,
) -> Array:
    """The value of a typed formula, given its variables and its dimension names.

    An unspecified function is given as ``(g0, g1, …)``: callables for itself and its derivatives. A printed
    gradient x/norm2(x) is 0/0 at 0, the kink of the norm; with ``subgradient`` it is taken as 0 there. What is
    multiplied by a test that fails is 0: see ``masks``; with ``strict`` it must have a value, too.

    >>> from matgrad.dims import Dim
    >>> from matgrad.formula.syntax import Type
    >>> x = Expr("name", value="x", type=Type("vector", (Dim.of("n"),)))
    >>> evaluate(Expr("call", (x,), Call("sum"), type=Type("scalar", ())), {"x": np.array([1.0, 2.0])}, {"n": 2})
    np.float64(3.0)
    """
    with np.errstate(all="ignore"):
        if not isinstance(formula, Program):
            return _Walk(arrays, sizes, subgradient, Unmasked if strict else Tests).value(formula)
        known = dict(arrays)
        tests = Unmasked if strict else partial(Tests, named=named_tests(formula))
        for name, definition in formula.definitions:
            known[name] = _Walk(known, sizes, tests=tests).value(definition)
        return _Walk(known, sizes, subgradient, tests).value(formula.body)


def operate(node: Expr, values: Sequence[Array], arrays: Mapping[str, Any], sizes: Mapping[str, int]) -> Array:
    """The value of one operation, given those of its arguments."""
    with np.errstate(all="ignore"):
        return _Walk(arrays, sizes).visit(node, list(values))


class _Walk:
    def __init__(
        self,
        arrays: Mapping[str, Any],
        sizes: Mapping[str, int],
        subgradient: bool = False,
        tests: Callable[[Evaluate], Tests] = Tests,
    ) -> None:
        self.arrays = arrays
        self.sizes = sizes
        self.subgradient = subgradient
        self.tests = tests(self.value)

    def value(self, expr: Expr) -> Array:
        return fold(expr, self.visit)

    def visit(self, node: Expr, values: list[Array]) -> Array:
        match node.op:
            case "number":
                return _number(node)
            case "constant":
                return _CONSTANTS[node.value]
            case "name":
                return self._name(node.value)
            case "add":
                return _total(values)
            case "neg":
                return -values[0]
            case "product":
                return _product(node, self.tests.masked(node, values), self.subgradient)
            case "power":
                return _power(node, *values)
            case "transpose":
                return np.transpose(values[0])
            case "call":
                return self._call(node, values)
            case "index":
                return values[0][indices_of(node, values)]
            case "stack":
                return _stack(node, values)
            case "einsum":
                if not is_fused(node.value):
                    values = self.tests.masked_operands(node, node.value, values)
                return split_and_joined(node, values, self.sizes, _einsum)
        raise NotSupported(f"the reference evaluator has no rule for {node.op!r}")

    def _name(self, name: str) -> Array:
        if name in self.arrays:
            return np.asarray(self.arrays[name])[()]
        if name in self.sizes:
            return np.float64(self.sizes[name])
        raise DataError(f"no value is given for {name}")

    def _call(self, node: Expr, values: list[Array]) -> Array:
        call: Call = node.value
        entry = card(call.name)
        if entry is None or call.primes:
            return self._unspecified(call)(*values)
        if call.name in ("rows", "cols", "length"):
            return np.float64(self._size(call.name, node.args[0]))
        if call.name == "kron":
            return _kron(node.kind, node.args[0].kind, values[0], node.args[1].kind, values[1])
        if entry.value is None:
            raise NotSupported(f"{call.name} has no value")
        if entry.family == "constructor":
            return entry.value(np, self._shape(node), *values)
        try:
            if call.dim is not None:
                return entry.value(np, *values, axis=call.dim - 1)
            return entry.value(np, *values)
        except np.linalg.LinAlgError as error:
            needs = entry.needs.replace("!=", "≠")
            raise DataError(
                f"{call.name} has no value at this point: {str(error).lower()}",
                details=f"{call.name}(X) needs {needs}" if needs else None,
            ) from error

    def _unspecified(self, call: Call) -> Callable[..., Array]:
        given = self.arrays.get(call.name)
        functions = given if isinstance(given, Sequence) else () if given is None else (given,)
        if len(functions) <= call.primes or not callable(functions[call.primes]):
            wanted = ", ".join(call.name + str(k) for k in range(call.primes + 1))
            raise DataError(
                f"{call.name}{'′' * call.primes} is needed, and not given",
                hint=f"{call.name}=({wanted}), callables for {call.name} and its derivatives",
            )
        chosen: Callable[..., Array] = functions[call.primes]
        return chosen

    def _shape(self, node: Expr) -> tuple[int, ...]:
        missing = sorted(frozenset().union(*(d.names for d in node.dims)) - self.sizes.keys())
        if missing:
            raise DataError(f"the size {missing[0]} is not known")
        return tuple(d.evaluate(self.sizes) for d in node.dims)

    def _size(self, function: str, argument: Expr) -> int:
        dims = list(self._shape(argument))
        if function == "length":
            return int(np.prod(dims))
        if argument.kind == ROW:
            dims = [1, *dims]
        dims += [1] * (2 - len(dims))
        return dims[0] if function == "rows" else dims[1]


_CONSTANTS = {"pi": np.float64(np.pi)}


def split_and_joined(
    node: Expr, values: Sequence[Array], sizes: Mapping[str, int], contract: Callable[[str, list[Array]], Array]
) -> Array:
    """An index pattern: fused axes are split before ``contract`` takes the letters, and joined after."""
    pattern, arrays = node.value, list(values)
    if not is_fused(pattern):
        return contract(pattern, arrays)
    dims = letter_sizes(pattern, [a.dims for a in node.args], node.dims)
    shapes = split_shapes(pattern, lambda letter: dims[letter].evaluate(sizes))
    arrays = [v if s is None else np.reshape(v, s) for v, s in zip(arrays, shapes, strict=True)]
    return np.reshape(contract(plain(pattern), arrays), [d.evaluate(sizes) for d in node.dims])


def _einsum(pattern: str, values: list[Array]) -> Array:
    """NumPy's einsum; a letter that the result has twice is a diagonal, which NumPy does not write."""
    inside, _, out = pattern.partition("->")
    sizes = {x: n for part, value in zip(inside.split(","), values, strict=True)
             for x, n in zip(part, np.shape(value), strict=True)}  # fmt: skip
    spare = iter(sorted(set(string.ascii_letters) - set(pattern)))
    kept: list[str] = []
    for letter in out:
        if letter in kept:
            other = next(spare)
            inside, values = f"{inside},{letter}{other}", [*values, np.eye(sizes[letter])]
            letter = other
        kept.append(letter)
    return np.einsum(f"{inside}->{''.join(kept)}", *values, optimize=len(values) > 2)


def _number(node: Expr) -> Array:
    try:
        return np.float64(node.value)
    except OverflowError:
        return np.float64(np.inf)


def _total(values: list[Array]) -> Array:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total


def _product(node: Expr, values: list[Array], subgradient: bool) -> Array:
    if set(node.value) == {"*"} and _is_chain([factor.kind for factor in node.args]):
        return _chain(values)
    result, kind = values[0], node.args[0].kind
    for operator, value, factor in zip(node.value, values[1:], node.args[1:], strict=True):
        combined = product_kind(kind, operator, factor.kind)
        if combined is None:
            raise NotSupported(f"{kind} {operator} {factor.kind} has no meaning")
        if operator == "⊗":
            result = _kron(combined, kind, result, factor.kind, value)
        else:
            zero = subgradient and operator in ("/", "./") and is_norm(factor)
            at_kink = (value == 0) & (result == 0) if zero else False
            result = _multiply(operator, kind, result, factor.kind, value)
            if zero:
                result = np.where(at_kink, 0, result)
        kind = combined
    return result


def _is_chain(kinds: list[str]) -> bool:
    """Whether it is a product of three or more matrices, of which the outer ones may be vectors, and of numbers."""
    found = [kind for kind in kinds if kind != SCALAR]
    return (
        len(found) > 2 and found[0] in (ROW, MATRIX) and found[-1] in (VECTOR, MATRIX) and set(found[1:-1]) == {MATRIX}
    )


def _chain(values: list[Array]) -> Array:
    """In the cheapest order: A'*A*x forms no matrix of the size of A'*A."""
    result = np.linalg.multi_dot([value for value in values if np.ndim(value)])
    for value in values:
        if not np.ndim(value):
            result = result * value
    return result


def is_norm(expr: Expr) -> bool:
    """Whether 0 over it is taken as 0 in a derivative."""
    known = card(expr.value.name) if expr.op == "call" else None
    return known is not None and known.facts.get("0 over it") == "0"


def _multiply(operator: str, left: str, a: Array, right: str, b: Array) -> Array:
    """``a operator b``, where a and b are of kinds ``left`` and ``right``."""
    if operator in ("/", "./"):
        return a / b
    if operator == ".*" or SCALAR in (left, right):
        return a * b
    return np.outer(a, b) if (left, right) == (VECTOR, ROW) else a @ b


def _kron(kind: str, left: str, a: Array, right: str, b: Array) -> Array:
    product = np.kron(as_block(left, a), as_block(right, b))
    return product if kind == MATRIX else product.reshape(-1)


def as_block(kind: str, value: Array) -> Array:
    """A value as an array of two axes: a vector is a column, a scalar is 1 × 1."""
    if kind == MATRIX:
        return value
    return np.reshape(value, (-1, 1) if kind == VECTOR else (1, -1))


def _power(node: Expr, base: Array, exponent: Array) -> Array:
    if node.value == "^" and node.args[0].kind == MATRIX:
        count = round(float(np.real(exponent)))
        if count != exponent:
            raise DataError("a matrix power needs an integer exponent", details=f"the exponent is {exponent}")
        try:
            return np.linalg.matrix_power(base, count)
        except np.linalg.LinAlgError as error:
            raise DataError(
                f"a negative power has no value at this point: {str(error).lower()}", details="X^(-k) needs det(X) ≠ 0"
            ) from error
    return power(base, exponent)


def power(base: Array, exponent: Array) -> Array:
    """Entrywise power, extended to complex steps to first order: d(aᵖ) = p·aᵖ⁻¹·da + log(a)·aᵖ·dp.

    Integer exponents hold for negative bases; NumPy's complex power would go through a logarithm there.
    """
    a, p = np.real(base), np.real(exponent)
    with np.errstate(all="ignore"):
        result = np.power(a, p)
        if not (np.iscomplexobj(base) or np.iscomplexobj(exponent)):
            return result
        da, dp = np.imag(base), np.imag(exponent)
        from_base = np.where((p == 0) | (da == 0), 0.0, p * np.power(a, p - 1) * da)
        from_exponent = np.where(dp == 0, 0.0, np.log(a) * result * dp)
        return result + 1j * (from_base + from_exponent)


def _axis_index(item: int | tuple[int, int] | None) -> int | slice:
    if item is None:
        return slice(None)
    if isinstance(item, tuple):
        return slice(item[0] - 1, item[1])
    return item - 1


def indices_of(node: Expr, values: list[Array]) -> tuple[int | slice, ...]:
    """The index of an array; a range that is a formula must lie within it."""
    bounds = [round(float(np.real(v))) for v in values[1:]]
    items = index_items(node, bounds)
    for item, size in zip(items, np.shape(values[0]), strict=True):
        first, last = item if isinstance(item, tuple) else (item, item)
        if item is not None and not (1 <= first <= last + 1 and last <= size):
            raise DataError(f"the index {first}{f':{last}' if last != first else ''} does not lie within 1:{size}")
    return tuple(_axis_index(item) for item in items)


def _stack(node: Expr, values: list[Array]) -> Array:
    blocks = [as_block(a.kind, v) for a, v in zip(node.args, values, strict=True)]
    rows, start = [], 0
    for count in node.value:
        rows.append(np.hstack(blocks[start : start + count]))
        start += count
    result = np.vstack(rows)
    return result if node.kind == MATRIX else result.reshape(-1) if node.kind != SCALAR else result[0, 0]
