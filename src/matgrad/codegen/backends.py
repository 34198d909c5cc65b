"""How arrays reach generated code, and how it is run: one class for each backend."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import Context
from functools import partial, reduce
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from numpy import ndarray

from matgrad.codegen.source import as_function
from matgrad.errors import DataError, NotSupported
from matgrad.formula.binding import VariableLike, as_array, check_traits

_TAKEN = frozenset({np.dtype(np.float64), np.dtype(np.float32), np.float64, float})
"""Types of the entries of arrays, and of numbers, that NumPy's code takes as they are."""
_SILENT = Context()
"""One in which NumPy does not warn of what is infinite or undefined: ``np.errstate`` takes longer to enter."""
_SILENT.run(np.seterr, all="ignore")

SINGULAR = "a matrix that is inverted is singular at this point"
_ROOT = re.compile(r"\*\* (?!-?\d+\b(?!\.))")
"""A power whose exponent is no integer."""


class _Own:
    """The context that there is, in place of another one."""

    def run(self, function: Callable[..., Any], **values: Any) -> Any:
        return function(**values)


class Backend(Protocol):
    """What ``Compiled`` asks of a backend."""

    def array(self, variable: VariableLike, value: Any) -> Any:
        """The user's value as an array of the backend, of float64 or float32. Raises DataError."""

    def key(self, arrays: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Names, shapes and types of entries, of arrays that are taken as they are; None where one is not."""

    def alike(self, values: dict[str, Any]) -> dict[str, Any]:
        """The arrays with entries of one type, the most precise one."""

    def check(self, name: str, value: Any, traits: Collection[str]) -> None:
        """Refuse an array that has not the structure it was declared with, where that can be seen."""

    def function(self, source: str, static: Collection[str], opaque: bool, /) -> Callable[[Mapping[str, Any]], Any]:
        """The function that the source defines, of its arguments by name.

        ``static`` arguments are numbers, not arrays; an ``opaque`` function is given callables besides.
        """


class NumPyBackend:
    """float64 and float32 stay what they are, other real numbers become float64."""

    def array(self, variable: VariableLike, value: Any) -> Any:
        axes = len(_dims(variable))
        if type(value) is float and not axes:
            return value
        if not (type(value) is np.ndarray and value.ndim == axes and value.dtype.char in "df"):
            value = as_array(variable, _readable(variable, value))
            value = value if value.dtype.char in "df" else value.astype(np.float64)
        return value if axes else value[()]

    def key(self, arrays: Mapping[str, Any]) -> tuple[Any, ...] | None:
        found: list[Any] = [*arrays]
        for value in arrays.values():
            kind = type(value)
            if kind is ndarray and value.shape:
                found += value.shape
                kind = value.dtype
            if kind not in _TAKEN:
                return None
            found.append(kind)
        return tuple(found)

    def alike(self, values: dict[str, Any]) -> dict[str, Any]:
        if len({value.dtype for value in values.values() if isinstance(value, np.ndarray)}) < 2:
            return values
        return {n: v.astype(np.float64) if isinstance(v, np.ndarray) else v for n, v in values.items()}

    def check(self, name: str, value: Any, traits: Collection[str]) -> None:
        check_traits(name, value, traits, definite=False)

    def function(self, source: str, _static: Collection[str], opaque: bool, /) -> Callable[[Mapping[str, Any]], Any]:
        """Without warnings of NumPy; a function that is given runs in the context of its caller."""
        function = as_function(source)
        if _ROOT.search(source):
            function = _of_numpy(function)
        if opaque:
            return partial(self._value, _Own, np.errstate(all="ignore")(function))
        return partial(self._value, _SILENT.copy, function)

    def _value(
        self, context: Callable[[], Context | _Own], function: Callable[..., Any], values: Mapping[str, Any]
    ) -> Any:
        try:
            try:
                found = context().run(function, **values)
            except ArithmeticError:  # numbers of Python raise where NumPy's overflow
                numbers = {n: np.float64(v) if type(v) is float else v for n, v in values.items()}
                found = context().run(function, **numbers)
            return tuple(map(_number, found)) if type(found) is tuple else _number(found)
        except np.linalg.LinAlgError as error:
            raise DataError(f"{SINGULAR} ({error})", hint="a point at which the conditions hold") from None
        except ArithmeticError as error:  # a constant of the formula is 1/0
            raise DataError(
                f"there is no value at this point ({error})", hint="a point at which the conditions hold"
            ) from None
        except Exception as error:
            raise _without_entries(values, error) or error from None


def _without_entries(values: Mapping[str, Any], error: Exception) -> DataError | None:
    """What to say where a library fails since arrays have no entries."""
    empty = [name for name, value in values.items() if 0 in getattr(value, "shape", ())]
    return DataError(f"{', '.join(empty)} without entries: this has no value ({error})") if empty else None


def _of_numpy(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of NumPy's numbers: outside of its domain a power of theirs is nan, of Python's a complex number."""
    return lambda **values: function(**{n: np.float64(v) if type(v) is float else v for n, v in values.items()})


def _readable(variable: VariableLike, value: Any) -> Any:
    """What NumPy can read: a tensor that records its operations is refused, with what to do."""
    if isinstance(value, np.ndarray | float | int | list | tuple):
        return value
    try:
        return np.asarray(value)
    except (RuntimeError, TypeError) as error:
        raise DataError(f"{variable.name} is no array that NumPy can read: {error}", hint="a NumPy array") from None


def _floating(variable: VariableLike, value: Any) -> Any:
    """The user's value as an array of a type that every library has, in the machine's order of bytes."""
    array = as_array(variable, _readable(variable, value))
    return array if array.dtype.char in "dfe" else array.astype(np.float64)


def _not_numeric(variable: VariableLike, dtype: Any) -> DataError:
    return DataError(f"{variable.name} must hold real numbers, and is not numeric (dtype {dtype})")


def _number(value: Any) -> Any:
    """Python's float for a scalar of NumPy of the same type, and for a constant."""
    kind = type(value)
    return float(value) if kind is np.float64 or kind is int else value


class JaxBackend:
    """Arrays of JAX, traced ones too; the function is compiled by ``jax.jit``, and can be transformed further."""

    def __init__(self) -> None:
        self.jax = _library("jax")
        self.jnp = import_module("jax.numpy")
        self._own = type(self.jnp.zeros(()))

    def array(self, variable: VariableLike, value: Any) -> Any:
        if not isinstance(value, self.jax.Array):
            value = self.jnp.asarray(_floating(variable, value))
        elif self.jnp.issubdtype(value.dtype, self.jax.dtypes.extended):
            raise _not_numeric(variable, value.dtype)
        elif value.ndim != len(_dims(variable)) or not self.jnp.issubdtype(value.dtype, self.jnp.floating):
            as_array(variable, np.zeros(value.shape, value.dtype))  # says what is wrong
        if not self.jnp.issubdtype(value.dtype, self.jnp.floating):
            value = value.astype(self.jnp.result_type(float))
        return value

    def key(self, arrays: Mapping[str, Any]) -> tuple[Any, ...] | None:
        found: list[Any] = []
        for name, value in arrays.items():
            kind = type(value)
            if (kind is self._own or kind is np.ndarray) and value.dtype.char in "df" and value.dtype.isnative:
                found += (name, value.shape, value.dtype.char)
            elif kind is float:
                found += (name, float)
            else:
                return None
        return tuple(found)

    def alike(self, values: dict[str, Any]) -> dict[str, Any]:
        if len({value.dtype for value in values.values()}) < 2:
            return values
        type_ = self.jnp.result_type(*values.values())
        return {name: value.astype(type_) for name, value in values.items()}

    def check(self, name: str, value: Any, traits: Collection[str]) -> None:
        """Entries that are traced have no values yet."""
        if not isinstance(value, self.jax.core.Tracer):
            check_traits(name, np.asarray(value), traits, definite=False)

    def function(self, source: str, static: Collection[str], opaque: bool, /) -> Callable[[Mapping[str, Any]], Any]:
        function = as_function(source)
        run = function if opaque else self.jax.jit(function, static_argnames=tuple(static))
        return partial(self._value, run)

    def _value(self, function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
        try:
            return function(**values)
        except (ValueError, TypeError) as error:
            raise _without_entries(values, error) or error from None


class TorchBackend:
    """Tensors, on the device and of the type that they have."""

    def __init__(self) -> None:
        self.torch = _library("torch")

    def array(self, variable: VariableLike, value: Any) -> Any:
        torch = self.torch
        if not isinstance(value, torch.Tensor):
            found = _floating(variable, value)
            shareable = found.flags.writeable and min(found.strides, default=0) >= 0
            value = torch.as_tensor(found if shareable else found.copy())
            value = value if value.dtype in (torch.float32, torch.float64) else value.to(torch.float64)
        elif value.is_quantized:
            raise _not_numeric(variable, value.dtype)
        elif value.ndim != len(_dims(variable)) or not value.is_floating_point():
            kind = complex if value.is_complex() else float
            as_array(variable, np.zeros(tuple(value.shape), kind))  # says what is wrong
            value = value.to(torch.float64)
        return value

    def key(self, arrays: Mapping[str, Any]) -> tuple[Any, ...] | None:
        found: list[Any] = []
        for name, value in arrays.items():
            if type(value) is not self.torch.Tensor or not value.is_floating_point():
                return None
            found += (name, value.shape, value.dtype, value.device)
        return tuple(found)

    def alike(self, values: dict[str, Any]) -> dict[str, Any]:
        if len({value.dtype for value in values.values() if value.ndim}) < 2:
            return values
        type_ = reduce(self.torch.promote_types, [value.dtype for value in values.values() if value.ndim])
        return {name: value.to(type_) for name, value in values.items()}

    def check(self, name: str, value: Any, traits: Collection[str]) -> None:
        """Inside torch.func's transformations, and on the device "meta", there are no values to look at."""
        try:
            seen = value.detach().to_dense().cpu()
            known = seen if seen.dtype in (self.torch.float32, self.torch.float64) else seen.double()
            array = known.numpy()
        except RuntimeError:
            return
        check_traits(name, array, traits, definite=False)

    def function(self, source: str, _static: Collection[str], _opaque: bool, /) -> Callable[[Mapping[str, Any]], Any]:
        return partial(self._value, as_function(source))

    def _value(self, function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
        try:
            return function(**values)
        except IndexError as error:
            raise _without_entries(values, error) or error from None
        except RuntimeError as error:
            if isinstance(error, self.torch.linalg.LinAlgError) or "linalg.lu_factor" in str(error):
                raise DataError(SINGULAR, hint="a point at which the conditions hold") from None
            raise DataError(
                f"PyTorch cannot compute this: {error}", hint="tensors of one type on one device"
            ) from error


BACKENDS: dict[str, Callable[[], Backend]] = {"numpy": NumPyBackend, "jax": JaxBackend, "torch": TorchBackend}


def check_backend(name: str) -> None:
    """Raises NotSupported for a name that is none of a backend."""
    if name not in BACKENDS:
        raise NotSupported(f"there is no backend {name!r}", hint=" or ".join(f'"{known}"' for known in BACKENDS))


def backend_of(name: str) -> Backend:
    """The backend of a name. Raises NotSupported where its library is not installed."""
    return BACKENDS[name]()


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise NotSupported(
            f'the backend "{name}" needs {name}, which is not installed', hint=f"pip install {name}"
        ) from None


def _dims(variable: VariableLike) -> Sequence[Any]:
    return () if variable.type is None else variable.type.dims
