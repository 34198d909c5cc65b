"""NumPy's array protocols: which formula is a call of one of its functions?"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from matgrad.errors import MatgradError, NotSupported
from matgrad.objects import reductions
from matgrad.objects.comparison import LOGICAL, Test
from matgrad.objects.inputs import as_test, as_value
from matgrad.objects.numpy_functions import FUNCTIONS
from matgrad.objects.numpy_functions import INSTEAD as INSTEAD_OF_FUNCTIONS
from matgrad.objects.ufuncs import INSTEAD as INSTEAD_OF_UFUNCS
from matgrad.objects.ufuncs import REDUCES, UFUNCS
from matgrad.objects.value import Value

_OF_TESTS = ("multiply", "logical_and", "bitwise_and")


def ufunc(function: Any, method: str, inputs: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """``np.exp(x)``, ``np.add.outer(x, y)``, ``np.maximum.reduce(X, axis=1)``."""
    name = function.__name__
    if method == "reduce" and name in REDUCES:
        return _called(f"{name}.reduce", _reduction(REDUCES[name]), inputs, options)
    if method == "__call__" and name in LOGICAL and any(isinstance(one, Test) for one in inputs):
        return _called(name, LOGICAL[name], [as_test(one) for one in inputs], options)
    if method not in ("__call__", "outer") or name not in UFUNCS:
        full = name if method == "__call__" else f"{name}.{method}"
        _refuse(function, full, INSTEAD_OF_UFUNCS.get(name))
    if sum(isinstance(one, Test) for one in inputs) > 1 and name not in _OF_TESTS:
        raise MatgradError("NumPy has + of two tests as 'or', and no -", hint="(x > 0) | (y > 0), or np.where")
    values = [as_value(one) for one in inputs]
    if method == "outer":
        first, second = values
        values[0] = first.but(first.expr, first.axes + (None,) * len(second.axes))
    return _called(name, UFUNCS[name], values, options)


def _reduction(name: str) -> Callable[..., Value]:
    def reduce(array: Any, axis: reductions.Axis = 0, *, keepdims: bool = False) -> Value:
        return reductions.reduce(name, as_value(array), axis, keepdims)

    return reduce


def function(given: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """``np.linalg.inv(X)``, ``np.einsum("ij,j", A, x)``."""
    module = given.__module__.removeprefix("numpy").removeprefix(".")
    name = f"{module}.{given.__name__}" if module else given.__name__
    if name not in FUNCTIONS:
        _refuse(given, name, INSTEAD_OF_FUNCTIONS.get(name))
    return _called(name, FUNCTIONS[name], args, options)


def _called(name: str, found: Callable[..., Any], args: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """The call, after options that ask for nothing; one that formulas do not have is refused by its name."""
    known = inspect.signature(found).parameters
    given = {k: o for k, o in options.items() if k in known or not _asks_nothing(k, o)}
    try:
        inspect.signature(found).bind(*args, **given)
    except TypeError as error:
        what = ", ".join(k for k in given if k not in known)
        message = f"np.{name} with the argument {what}" if what else f"this call of np.{name} ({error})"
        raise NotSupported(f"{message} is not supported on objects") from None
    return found(*args, **given)


def _asks_nothing(name: str, option: Any) -> bool:
    match name:
        case "dtype":
            return option is None or np.dtype(option).kind == "f"
        case "where":
            return option is True
        case "order":
            return isinstance(option, str) and option == "C"
    return option is None


def _refuse(given: Any, name: str, hint: str | None) -> NoReturn:
    owner = "np" if getattr(given, "__module__", "") or hasattr(np, given.__name__) else "scipy.special"
    full = f"{owner}.{name}"
    if hint is not None and hint.startswith("it "):
        raise NotSupported(f"{full} is not supported on objects", details=hint)
    raise NotSupported(f"{full} is not supported on objects", hint=hint or _LISTED)


_LISTED = "what docs/python-objects.md lists, or matgrad.function for one that is not specified"
