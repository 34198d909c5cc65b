"""How arrays reach generated code, and how it is run: one class for each backend."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

import numpy as np

from matgrad.codegen.source import as_function
from matgrad.errors import DataError, NotSupported
from matgrad.formula.binding import VariableLike, as_array, check_traits

SINGULAR = "a matrix that is inverted is singular at this point"


class Backend(Protocol):
    """What ``Compiled`` asks of a backend."""

    def array(self, variable: VariableLike, value: Any) -> Any:
        """The user's value as an array of the backend, of float64 or float32. Raises DataError."""

    def kind(self, value: Any) -> Any:
        """Shape and type of entries, as a key."""

    def check(self, name: str, value: Any, traits: Collection[str]) -> None:
        """Refuse an array that has not the structure it was declared with, where that can be seen."""

    def function(self, source: str, static: Collection[str], opaque: bool, /) -> Callable[..., Any]:
        """The function that the source defines.

        ``static`` arguments are numbers, not arrays; an ``opaque`` function is given callables besides.
        """

    def call(self, function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
        """The function's value."""


class NumPyBackend:
    """float64 and float32 stay what they are, other real numbers become float64."""

    def array(self, variable: VariableLike, value: Any) -> Any:
        axes = 0 if variable.type is None else len(variable.type.dims)
        if type(value) is float and not axes:
            return value
        if not (type(value) is np.ndarray and value.ndim == axes and value.dtype.char in "df"):
            value = as_array(variable, _readable(variable, value))
            value = value if value.dtype.char in "df" else value.astype(np.float64)
        return value if axes else value[()]

    def kind(self, value: Any) -> Any:
        return None if type(value) is float else (value.shape, value.dtype.char)

    def check(self, name: str, value: Any, traits: Collection[str]) -> None:
        check_traits(name, value, traits, definite=False)

    def function(self, source: str, _static: Collection[str], _opaque: bool, /) -> Callable[..., Any]:
        return as_function(source)

    def call(self, function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
        try:
            with np.errstate(all="ignore"):
                return function(**values)
        except np.linalg.LinAlgError as error:
            raise DataError(f"{SINGULAR} ({error})", hint="a point at which the conditions hold") from None


def _readable(variable: VariableLike, value: Any) -> Any:
    """What NumPy can read: a tensor that records its operations is refused, with what to do."""
    if isinstance(value, np.ndarray | float | int | list | tuple):
        return value
    try:
        return np.asarray(value)
    except (RuntimeError, TypeError) as error:
        raise DataError(f"{variable.name} is no array that NumPy can read: {error}", hint="a NumPy array") from None


def backend_of(name: str) -> Backend:
    """The backend of a name. Raises NotSupported for others."""
    if name == "numpy":
        return NumPyBackend()
    raise NotSupported(f"there is no backend {name!r}", hint='"numpy"')
