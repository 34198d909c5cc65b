"""What an objective is asked about: the formula, the variables that vary, and arrays for all others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from matgrad.analysis.data import gathered, load_data
from matgrad.answer.differentiation import variable_of
from matgrad.answer.formula import Formula
from matgrad.answer.question import Asked, asked_of
from matgrad.errors import DataError, MatgradError, NotSupported
from matgrad.formula.binding import bind
from matgrad.formula.declarations import Where
from matgrad.objects.asking import Name, Text
from matgrad.tensor.nodes import Symbol

Array = Any


class Inputs(NamedTuple):
    """``data`` holds the arrays that stay; ``shapes`` and ``start`` are about those that vary."""

    formula: Formula
    over: tuple[str, ...]
    data: dict[str, Array]
    sizes: dict[str, int]
    shapes: dict[str, tuple[int, ...]]
    start: dict[str, Array]


def inputs(
    formula: Text, over: Name | Sequence[Name], data: object, start: Mapping[str, Any] | Array | None, where: Where
) -> Inputs:
    """All checked against each other. Raises MatgradError, naming what does not fit."""
    asked = _asked(formula, over, where)
    found, names = asked.formula, tuple(asked.wrt)
    typed = found.typed
    for name in names:
        if not isinstance(variable_of(found, name), Symbol):
            raise MatgradError(f"{name} is an intermediate: it varies as {_listed(found.symbols)} do")
    if typed.functions:
        function = min(typed.functions)
        raise NotSupported(f"{function} is an unspecified function: it has no values", hint="a known function instead")
    given = _given(data, found, names)
    begun = _begun(start, names)
    dims = {d for v in typed.variables.values() for dim in v.type.dims for d in dim.names} | found.sizes_needed()
    variables = [v for v in typed.variables.values() if v.name not in names or v.name in begun]
    bound = bind(variables, {**given, **begun}, dimensions=(dims - typed.variables.keys()) & given.keys())
    for name, array in bound.arrays.items():
        if not np.all(np.isfinite(array)):
            raise DataError(f"{name} holds an infinite number{_place(np.isfinite(array))}", hint="finite numbers")
    shapes = {name: _shape(found, name, bound.sizes) for name in names}
    unknown = sorted(found.sizes_needed() - bound.sizes.keys())
    if unknown:
        raise DataError(f"the size {unknown[0]} is not known", hint=f"{unknown[0]}=…, a number, among the data")
    kept = {name: array for name, array in bound.arrays.items() if name not in names}
    return Inputs(found, names, kept, bound.sizes, shapes, {n: bound.arrays[n] for n in begun})


def _asked(formula: Text, over: Name | Sequence[Name], where: Where) -> Asked:
    try:
        return asked_of(formula, over, where, 1)
    except MatgradError as error:
        error.message = error.message.replace("wrt ", "over ")
        raise


def _given(data: object, formula: Formula, over: tuple[str, ...]) -> dict[str, Any]:
    """The data by name; a file may hold more than the formula needs."""
    variables = formula.typed.variables
    axes = {name: len(v.type.dims) for name, v in variables.items() if name not in over}
    if data is None:
        return {}
    if isinstance(data, str | Path):
        held = gathered(load_data(data), axes)
        return {name: _complete(name, value) for name, value in held.items() if name in axes}
    if not hasattr(data, "keys") or not hasattr(data, "__getitem__"):
        kind = type(data).__name__
        raise DataError(f"data are a mapping of names to arrays, or the name of a file, not {kind}", hint='{"X": X}')
    found = gathered({name: data[name] for name in data.keys()}, axes)  # noqa: SIM118  (a table of pandas is no dict)
    both = [name for name in found if name in over]
    if both:
        raise DataError(f"{both[0]} varies: it has no value among the data", hint=f"start={{'{both[0]}': …}}")
    return {name: _complete(name, value) for name, value in found.items()}


def _complete(name: str, value: Any) -> Any:
    """The value, if nothing in it is missing."""
    try:
        missing = np.isnan(np.asarray(value))
    except (TypeError, ValueError):
        return value  # what is no number is told where arrays are bound
    if missing.any():
        hint = "only what is complete, such as rows without nan"
        raise DataError(f"{name} holds nan{_place(~missing)}", hint=hint)
    return value


def _place(fine: Array) -> str:
    """Where the first entry is that is not fine, in the language's way of counting."""
    if not fine.ndim:
        return ""
    first = ",".join(str(k + 1) for k in np.argwhere(~fine)[0])
    others = int(np.sum(~fine)) - 1
    return f" at [{first}]" + (
        f" and {others} other places" if others > 1 else " and one other place" if others else ""
    )


def _begun(start: Mapping[str, Any] | Array | None, over: tuple[str, ...]) -> dict[str, Any]:
    if start is None:
        return {}
    if not isinstance(start, Mapping):
        if len(over) != 1:
            raise DataError("start is a mapping of names to arrays", hint=f"start={{'{over[0]}': …}}")
        return {over[0]: _complete("start", start)}
    unknown = [name for name in start if name not in over]
    if unknown:
        raise DataError(f"start has {unknown[0]}, which does not vary", details=f"what varies is {_listed(over)}")
    return {name: _complete(f"start of {name}", value) for name, value in start.items()}


def _shape(formula: Formula, name: str, sizes: Mapping[str, int]) -> tuple[int, ...]:
    dims = formula.typed.variables[name].type.dims
    for dim in dims:
        unknown = sorted(dim.names - sizes.keys())
        if unknown:
            hint = f"start={{'{name}': …}}, or {unknown[0]}=3 among the data"
            raise DataError(f"the data do not say the size {unknown[0]} of {name}", hint=hint)
    return tuple(dim.evaluate(sizes) for dim in dims)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
