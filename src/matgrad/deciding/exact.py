"""The exact value of a formula: with residues modulo a prime where it is rational, else with fifty digits.

One walk over the typed tree serves both: arrays hold Python objects, residues or mpmath's numbers, and the
operations are theirs. Nothing is rounded modulo a prime, so two rational formulas that agree there at random points
are equal but for a chance of about their degree divided by the prime.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from matgrad.deciding.fields import Digits, Field, NotRational, Unlucky
from matgrad.deciding.reductions import REDUCTIONS, eliminated, plain_number, whole_number
from matgrad.errors import NotSupported
from matgrad.formula.kinds import constant_value
from matgrad.formula.reference import as_block, indices_of, split_and_joined
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Call, Expr, fold, product_kind
from matgrad.functions import card

Array = Any


def exact_value(expr: Expr, arrays: Mapping[str, Array], sizes: Mapping[str, int], field: Field) -> Array:
    """The value of a typed formula; variables are arrays of the field's numbers.

    >>> from matgrad.formula.infer import read
    >>> from matgrad.deciding.fields import Residue, Residues
    >>> x = np.array([Residue(2), Residue(5)], dtype=object)
    >>> exact_value(read("x'*x/29").program.body, {"x": x}, {"n": 2}, Residues()) == 1
    True
    """
    walk = _Walk(arrays, sizes, field)
    try:
        return fold(expr, walk.visit)
    except ZeroDivisionError:
        raise Unlucky from None


class _Walk:
    def __init__(self, arrays: Mapping[str, Array], sizes: Mapping[str, int], field: Field) -> None:
        self.arrays = arrays
        self.sizes = sizes
        self.field = field

    def visit(self, node: Expr, values: list[Array]) -> Array:
        match node.op:
            case "number":
                return self.field.number(node.value)
            case "constant":
                return self.field.constant(node.value)
            case "name":
                if node.value in self.arrays:
                    return self.arrays[node.value]
                return self.field.number(Fraction(self.sizes[node.value]))
            case "add":
                total = values[0]
                for value in values[1:]:
                    total = total + value
                return total
            case "neg":
                return -values[0]
            case "transpose":
                return np.transpose(values[0]) if node.kind == MATRIX else values[0]
            case "product":
                return self._product(node, values)
            case "power":
                return self._power(node, *values)
            case "index":
                return values[0][indices_of(node, [values[0], *map(whole_number, values[1:])])]
            case "stack":
                return _stacked(node, values)
            case "einsum":
                return self._einsum(node, values)
            case "call":
                return self._call(node, values)
        raise NotSupported(f"exact evaluation has no rule for {node.op!r}")

    def _product(self, node: Expr, values: list[Array]) -> Array:
        result, kind = values[0], node.args[0].kind
        for operator, value, factor in zip(node.value, values[1:], node.args[1:], strict=True):
            combined = product_kind(kind, operator, factor.kind)
            if operator == "⊗":
                whole = _kron(as_block(kind, result), as_block(factor.kind, value))
                result = whole if combined == MATRIX else whole.reshape(-1)
            elif operator in ("/", "./"):
                result = result / value
            elif operator == ".*" or SCALAR in (kind, factor.kind):
                result = result * value
            elif (kind, factor.kind) == (VECTOR, ROW):
                result = np.multiply.outer(result, value)
            else:
                result = np.dot(result, value)
            kind = combined or kind
        return result

    def _power(self, node: Expr, base: Array, exponent: Array) -> Array:
        if node.value == "^" and node.args[0].kind == MATRIX:
            return self._matrix_power(base, whole_number(exponent))
        return np.frompyfunc(self._scalar_power, 2, 1)(base, exponent)

    def _scalar_power(self, base: Any, exponent: Any) -> Any:
        count = whole_number(exponent, required=False)
        if count is not None:
            return base**count
        return self.field.power(base, exponent)

    def _matrix_power(self, base: Array, count: int | None) -> Array:
        if count is None:
            raise NotRational
        factor = base if count >= 0 else self._inverse(base)
        result = self._identity(len(base))
        for _ in range(abs(count)):
            result = np.dot(result, factor)
        return result

    def _einsum(self, node: Expr, values: list[Array]) -> Array:
        arrays = [np.asarray(v, dtype=object) for v in values]
        return split_and_joined(node, arrays, self.sizes, _contracted)

    # -- calls

    def _call(self, node: Expr, values: list[Array]) -> Array:
        call: Call = node.value
        entry = card(call.name)
        if entry is None or call.primes:
            return np.frompyfunc(self._unspecified(call), 1, 1)(values[0])
        rule = _CALLS.get(call.name)
        if rule is not None:
            return rule(self, node, *values)
        if entry.family == "constructor":
            return self._constructor(node, call.name)
        if call.name in REDUCTIONS:
            return self._reduction(call, values)
        if entry.signatures.get(None) != ENTRYWISE and not entry.of_pairs:
            raise NotSupported(f"{call.name} has no exact value")
        return np.frompyfunc(self.field.function(call.name), len(values), 1)(*values)

    def _unspecified(self, call: Call) -> Callable[[Any], Any]:
        """A declared function: a sine of its own, and its derivatives."""
        if not isinstance(self.field, Digits):
            raise NotRational
        mp = self.field.mp
        seed = sum(map(ord, call.name)) % 17
        rate, shift = mp.mpf(7 + seed) / 10, mp.mpf(seed) / 7
        return lambda x: (
            rate**call.primes * mp.sin(rate * x + shift + call.primes * mp.pi / 2)
            + (x * x / 3 if not call.primes else 2 * x / 3 if call.primes == 1 else mp.mpf(2) / 3 * (call.primes == 2))
        )

    def _shape(self, node: Expr) -> tuple[int, ...]:
        return tuple(d.evaluate(self.sizes) for d in node.dims)

    def _lifted(self, array: Array) -> Array:
        return np.frompyfunc(lambda x: self.field.number(Fraction(int(x))), 1, 1)(array)

    def _identity(self, size: int) -> Array:
        return self._lifted(np.eye(size))

    def _constructor(self, node: Expr, name: str) -> Array:
        if name in ("rows", "cols", "length"):
            dims = list(self._shape(node.args[0]))
            dims = [1, *dims] if node.args[0].kind == ROW else dims
            whole = [*dims, *[1] * (2 - len(dims))]
            size = int(np.prod(dims)) if name == "length" else whole[0 if name == "rows" else 1]
            return self.field.number(Fraction(size))
        raise NotSupported(f"{name} has no exact value")

    def _eye(self, node: Expr, *_sizes: Array) -> Array:
        return self._identity(self._shape(node)[0])

    def _ones(self, node: Expr, *_sizes: Array) -> Array:
        return self._lifted(np.ones(self._shape(node)))

    def _zeros(self, node: Expr, *_sizes: Array) -> Array:
        return self._lifted(np.zeros(self._shape(node)))

    def _vector(self, node: Expr, value: Array) -> Array:
        return self._ones(node) * value

    def _unit(self, node: Expr, _place: Array) -> Array:
        return self._identity(self._shape(node)[0])[int(node.args[0].value) - 1]

    def _commutation(self, node: Expr, m: Array, n: Array) -> Array:  # noqa: ARG002
        from matgrad.functions.numeric import commutation

        rows, cols = (round(float(plain_number(v))) for v in (m, n))
        return self._lifted(commutation(np, rows, cols))

    def _tr(self, node: Expr, value: Array) -> Array:  # noqa: ARG002
        return value if np.ndim(value) == 0 else np.sum(np.diagonal(value))

    def _diag(self, node: Expr, value: Array) -> Array:
        if node.kind != MATRIX:
            return np.diagonal(value).copy()
        return self._identity(len(value)) * value

    def _vec(self, node: Expr, value: Array) -> Array:  # noqa: ARG002
        return np.reshape(value, -1, order="F")

    def _kron(self, node: Expr, left: Array, right: Array) -> Array:
        whole = _kron(as_block(node.args[0].kind, left), as_block(node.args[1].kind, right))
        return whole if node.kind == MATRIX else whole.reshape(-1)

    def _triangle(self, node: Expr, value: Array, *_offset: Array) -> Array:
        kept = {"tril": np.tril, "triu": np.triu}[node.value.name]
        offset = constant_value(node.args[1]) if len(node.args) == 2 else None
        return value * self._lifted(kept(np.ones(value.shape), int(offset or 0)))

    def _det(self, node: Expr, value: Array) -> Array:  # noqa: ARG002
        return value if np.ndim(value) == 0 else self._solved(value)[1]

    def _logdet(self, node: Expr, value: Array) -> Array:
        found = self._det(node, value)
        return self.field.function("log")(self.field.function("abs")(found))

    def _inv(self, node: Expr, value: Array) -> Array:  # noqa: ARG002
        return 1 / value if np.ndim(value) == 0 else self._inverse(value)

    def _adj(self, node: Expr, value: Array) -> Array:  # noqa: ARG002
        if np.ndim(value) == 0:
            return self.field.number(Fraction(1))
        inverse, determinant = self._solved(value)
        return determinant * inverse

    def _inverse(self, matrix: Array) -> Array:
        return self._solved(matrix)[0]

    def _solved(self, matrix: Array) -> tuple[Array, Any]:
        return eliminated(self.field, matrix)

    # -- reductions

    def _reduction(self, call: Call, values: list[Array]) -> Array:
        reduce = REDUCTIONS[call.name]
        if len(values) == 2:  # max(x, y), entry by entry
            sign = 1 if call.name == "max" else -1
            bigger = np.frompyfunc(lambda a, b: a if self.field.positive(sign * (a - b)) else b, 2, 1)
            return bigger(*values)
        value = np.asarray(values[0], dtype=object)
        if call.dim is None:
            flat = reduce(self.field, value.reshape(-1))
            return flat.reshape(value.shape) if np.ndim(flat) else flat
        lanes = np.moveaxis(value, call.dim - 1, -1)
        done = [reduce(self.field, lane) for lane in lanes]
        if np.ndim(done[0]) == 0:
            return np.array([*done, None], dtype=object)[:-1]
        return np.moveaxis(np.stack(done), -1, call.dim - 1)


_CALLS: dict[str, Callable[..., Array]] = {
    "eye": _Walk._eye,
    "ones": _Walk._ones,
    "zeros": _Walk._zeros,
    "vector": _Walk._vector,
    "matrix": _Walk._vector,
    "unit": _Walk._unit,
    "commutation": _Walk._commutation,
    "tr": _Walk._tr,
    "diag": _Walk._diag,
    "vec": _Walk._vec,
    "kron": _Walk._kron,
    "tril": _Walk._triangle,
    "triu": _Walk._triangle,
    "det": _Walk._det,
    "logdet": _Walk._logdet,
    "inv": _Walk._inv,
    "adj": _Walk._adj,
}
"""What has a rule of its own; all else is a reduction, or is said by its card to be of one number, entry by entry."""
ENTRYWISE = ("*->*",)


def _kron(left: Array, right: Array) -> Array:
    whole = np.multiply.outer(left, right).transpose(0, 2, 1, 3)
    return whole.reshape(left.shape[0] * right.shape[0], left.shape[1] * right.shape[1])


def _stacked(node: Expr, values: list[Array]) -> Array:
    blocks = [
        np.asarray(as_block(a.kind, np.asarray(v, dtype=object)), dtype=object)
        for a, v in zip(node.args, values, strict=True)
    ]
    rows, start = [], 0
    for count in node.value:
        rows.append(np.hstack(blocks[start : start + count]))
        start += count
    result = np.vstack(rows)
    return result if node.kind == MATRIX else result.reshape(-1) if node.kind != SCALAR else result[0, 0]


def _contracted(pattern: str, values: list[Array]) -> Array:
    """``np.einsum`` for arrays of objects, two at a time so that few products are made."""
    left, out = pattern.split("->")
    labels = left.split(",")
    while len(values) > 1:
        a, b = labels.pop(0), labels.pop(0)
        rest = set("".join(labels)) | set(out)
        kept = "".join(dict.fromkeys(letter for letter in a + b if letter in rest))
        values = [*values[2:], np.asarray(np.einsum(f"{a},{b}->{kept}", *values[:2]), dtype=object)]
        labels.append(kept)
    return np.einsum(f"{labels[0]}->{out}", values[0])
