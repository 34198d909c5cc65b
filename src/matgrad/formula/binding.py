"""Arrays given by the user, checked against what the variables were declared or inferred to be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from numbers import Real
from typing import Any, NamedTuple, Protocol

import numpy as np

from matgrad.dims import Dim
from matgrad.errors import DataError
from matgrad.formula.syntax import Type
from matgrad.formula.text import type_text

_BLOCK = 128
TOLERANCE = 1e-8
"""How far a declared structure may be violated, relative to the largest entry."""


class VariableLike(Protocol):
    """What is known of a variable."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> Type | None: ...
    @property
    def traits(self) -> Collection[str]: ...


class Bound(NamedTuple):
    """Arrays by name, as float64, and the sizes of the dimension names."""

    arrays: dict[str, Any]
    sizes: dict[str, int]


def bind(
    variables: Iterable[VariableLike],
    arrays: Mapping[str, Any],
    *,
    functions: Collection[str] = (),
    dimensions: Collection[str] = (),
) -> Bound:
    """Check the arrays and find the sizes. Raises DataError, naming the argument.

    ``functions`` are the unspecified functions, given as callables; a dimension that no variable shows may be
    given as a number under its name, and must be if it is one of ``dimensions``.
    """
    known = {v.name: v for v in variables if v.name not in functions and v.type is not None}
    names = set(dimensions).union(*(d.names for v in known.values() for d in _type(v).dims)) - known.keys()
    check_names(list(known) + list(functions), names, arrays)
    values = {name: _array(variable, arrays[name]) for name, variable in known.items()}
    shapes = {name: value.shape for name, value in values.items()}
    sizes = sizes_of(known, shapes, {name: arrays[name] for name in names & arrays.keys()}, dimensions)
    for name, variable in known.items():
        check_traits(name, values[name], variable.traits)
    return Bound({**values, **{name: callables(name, arrays[name]) for name in functions}}, sizes)


def _type(variable: VariableLike) -> Type:
    assert variable.type is not None
    return variable.type


def check_names(
    known: list[str], dimensions: Collection[str], arrays: Mapping[str, Any], optional: Collection[str] = ()
) -> None:
    for name in arrays:
        if name not in known and name not in dimensions:
            close = get_close_matches(name, [k for k in known if k not in arrays], 1, 0.5)
            expected = "the variables are " + ", ".join(known) if known else "the formula has no variables"
            raise DataError(f"there is no variable {name}", details=expected, hint=close[0] if close else None)
    missing = [name for name in known if name not in arrays and name not in optional]
    if missing:
        raise DataError(f"no value is given for {', '.join(missing)}", details="the variables are " + ", ".join(known))


def _array(variable: VariableLike, value: Any) -> Any:
    """The value as a float64 array with the right number of axes and no nan."""
    array = as_array(variable, value).astype(np.float64)
    if np.isnan(array).any():
        raise DataError(f"{variable.name} holds nan")
    return array


def as_array(variable: VariableLike, value: Any) -> Any:
    """The value as an array of real numbers, in the machine's order of bytes, with the right number of axes."""
    name, type = variable.name, _type(variable)
    if np.ma.is_masked(value):
        raise DataError(f"{name} has masked entries, which have no value", hint=f"{name}.filled(…)")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DataError(f"{name} is not an array: its rows differ in length") from error
    if array.dtype.kind == "O":
        array = _numbers(name, array)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind not in "biuf":
        found = "complex" if array.dtype.kind == "c" else f"not numeric (dtype {array.dtype})"
        raise DataError(f"{name} must hold real numbers, and is {found}")
    if array.ndim != len(type.dims):
        expected = f"{name} is declared or inferred as {type_text(type, variable.traits)}"
        if not type.dims:
            hint = f"{name}.item(), a number" if array.size == 1 else None
            raise DataError(f"{name} must be a number, and has shape {array.shape}", details=expected, hint=hint)
        axes = "1 axis" if len(type.dims) == 1 else f"{len(type.dims)} axes"
        flat = len(type.dims) == 1 and array.size == max(array.shape, default=0)
        hint = f"{name}.ravel()" if flat and array.ndim > 1 else None
        raise DataError(f"{name} must have {axes}, and has shape {array.shape}", details=expected, hint=hint)
    return array


def _kind(entry: object) -> str:
    return f"of the type {type(entry).__name__}"


def _numbers(name: str, array: Any) -> Any:
    """Python's numbers as float64: large integers, fractions, columns of a table."""
    for entry in array.flat:
        if hasattr(entry, "toarray"):
            raise DataError(f"{name} is sparse, and what is taken are dense arrays", hint=f"{name}.toarray()")
        if not isinstance(entry, Real | Decimal):
            shown = f"{entry!r}, " if len(repr(entry)) < 30 else ""
            raise DataError(f"{name} must hold real numbers, and is not numeric: it holds {shown}{_kind(entry)}")
    try:
        return array.astype(np.float64)
    except OverflowError:
        raise DataError(f"{name} holds a number beyond 1.8e308, the largest float64") from None


def _size(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        raise DataError(f"{name} is a dimension and must be a whole number, not {value!r}")
    return int(value)


def sizes_of(
    known: Mapping[str, VariableLike],
    shapes: Mapping[str, tuple[int, ...]],
    given: Mapping[str, Any],
    dimensions: Collection[str] = (),
) -> dict[str, int]:
    """The dimension names from the shapes, single names first, and those given; then every shape is checked."""
    sizes = {name: _size(name, given[name]) for name in sorted(given)}
    origin = dict.fromkeys(sizes, "the argument")
    axes = [(name, dim, size) for name, v in known.items()
            for dim, size in zip(_type(v).dims, shapes[name], strict=True)]  # fmt: skip
    pending = sorted(axes, key=lambda axis: len(axis[1].terms) + sum(len(key) for key, _ in axis[1].terms))
    for _ in range(len(pending) + 1):
        for name, dim, size in pending:
            unknown = dim.names - sizes.keys()
            if len(unknown) == 1:
                found = _linear(dim, next(iter(unknown)), size, sizes)
                if found is not None:
                    sizes[next(iter(unknown))], origin[next(iter(unknown))] = found, name
        if all(dim.names <= sizes.keys() for _, dim, _ in pending):
            break
    for name, variable in known.items():
        _check_shape(name, variable, shapes[name], sizes, origin, dimensions)
    missing = sorted(set(dimensions) - sizes.keys())
    if missing:
        raise DataError(f"the size {missing[0]} is not known", hint=f"{missing[0]}=…, a number, among the arguments")
    return sizes


def _linear(dim: Dim, unknown: str, size: int, sizes: Mapping[str, int]) -> int | None:
    """The value of ``unknown`` for which ``dim`` is ``size``, if dim is linear in it and the value is whole."""
    if any(key.count(unknown) > 1 for key, _ in dim.terms):
        return None
    at_zero = dim.evaluate({**sizes, unknown: 0})
    slope = dim.evaluate({**sizes, unknown: 1}) - at_zero
    if slope == 0 or (size - at_zero) % slope or (size - at_zero) // slope < 0:
        return None
    return (size - at_zero) // slope


def _check_shape(
    name: str,
    variable: VariableLike,
    shape: tuple[int, ...],
    sizes: Mapping[str, int],
    origin: Mapping[str, str],
    used: Collection[str],
) -> None:
    """The shape of one array; of sizes that are not known, those that the formula uses are asked for first."""
    dims = _type(variable).dims
    for dim, size in zip(dims, shape, strict=True):
        unknown = sorted(dim.names - sizes.keys(), key=lambda n: (n not in used, n))
        if len(unknown) > 1:
            message = f"{name} has shape {shape}, from which the sizes in {dim} cannot be told"
            asked = ", ".join(f"{n}=…" for n in unknown[:-1])
            raise DataError(message, hint=f"{asked}, a number, among the arguments")
        if unknown:
            raise DataError(f"{name} has shape {shape}, which does not fit ({', '.join(map(str, dims))})")
        if dim.evaluate(sizes) != size:
            facts = [f"{n} = {sizes[n]} from {origin[n]}" for n in sorted(dim.names)]
            details = f"{name} is declared or inferred as {type_text(_type(variable), variable.traits)}"
            expected = tuple(d.evaluate(sizes) for d in dims if d.names <= sizes.keys())
            wanted = f", not {expected}" if len(expected) == len(dims) else ""
            raise DataError(f"{name} has shape {shape}{wanted}", details="\n".join([details, *facts]))


def check_traits(name: str, array: Any, traits: Collection[str], *, definite: bool = True) -> None:
    """Refuse an array that is not what it is declared to be; eigenvalues are looked at only if ``definite``."""
    if not definite and _SYMMETRIC.issuperset(traits) and _equals_transpose(array):
        return
    if np.ndim(array) == 2 and array.shape[0] != array.shape[1] and not _SQUARE.isdisjoint(traits):
        raise DataError(f"{name} has shape {array.shape}, and by its declaration it is square")
    if np.isnan(array).any():
        said = next(trait for trait in ("spd", "psd", *_TESTS, *traits) if trait in traits)
        raise DataError(f"{name} holds nan, and is declared {_SAID.get(said, said)}")
    scale = TOLERANCE * (np.max(np.abs(array), initial=0.0))
    for trait, test in _TESTS.items():
        if trait in ("spd", "psd") and not definite:
            test = _symmetric
        if trait in traits and not test(array, scale):
            raise DataError(f"{name} is declared {_SAID.get(trait, trait)}, and this array is not")


def _equals_transpose(x: Any) -> bool:
    """Block by block below the diagonal, since columns are far apart in memory."""
    if x.ndim != 2 or x.shape[0] != x.shape[1]:
        return False
    if len(x) <= _BLOCK:
        return not np.count_nonzero(x != x.T)
    places = [slice(i, i + _BLOCK) for i in range(0, len(x), _BLOCK)]
    return all(np.array_equal(x[rows, : rows.stop], x[: rows.stop, rows].T) for rows in places)


def _symmetric(x: Any, scale: float) -> bool:
    return bool(np.all(np.abs(x - x.T) <= scale))


_TESTS: dict[str, Callable[[Any, float], bool]] = {
    "symmetric": _symmetric,
    "spd": lambda x, s: _symmetric(x, s) and bool(np.all(np.linalg.eigvalsh(x) > 0)),
    "psd": lambda x, s: _symmetric(x, s) and bool(np.all(np.linalg.eigvalsh(x) >= -s)),
    "diagonal": lambda x, s: bool(np.all(np.abs(x - np.diag(np.diag(x))) <= s)),
    "lower": lambda x, s: bool(np.all(np.abs(np.triu(x, 1)) <= s)),
    "upper": lambda x, s: bool(np.all(np.abs(np.tril(x, -1)) <= s)),
    "orthogonal": lambda x, _: bool(np.all(np.abs(x.T @ x - np.eye(len(x))) <= TOLERANCE)),
    "positive": lambda x, _: bool(np.all(x > 0)),
    "nonnegative": lambda x, _: bool(np.all(x >= 0)),
}
_SYMMETRIC = frozenset({"symmetric", "spd", "psd"})
_SQUARE = frozenset(_TESTS) - {"positive", "nonnegative"}
_SAID = {"spd": "symmetric positive definite", "psd": "symmetric positive semidefinite",
         "lower": "lower triangular", "upper": "upper triangular"}  # fmt: skip


def callables(name: str, value: Any) -> tuple[Any, ...]:
    functions = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not functions or not all(callable(f) for f in functions):
        raise DataError(f"{name} must be a callable, or a tuple of callables", hint=f"{name}=(g0, g1, …)")
    return functions
