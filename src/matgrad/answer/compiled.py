"""Formulas and derivatives as one function of named arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matgrad.answer.action import Action
from matgrad.answer.derivative import Derivative
from matgrad.answer.formula import Formula
from matgrad.errors import NotSupported

Item = Formula | Derivative | Action


class Compiled:
    """Several items as one function of arrays given by name: a tuple for a sequence, a dict for a mapping."""

    def __init__(self, items: Item | Sequence[Item] | Mapping[Any, Item], backend: str = "numpy") -> None:
        if backend != "numpy":
            raise NotSupported(f"there is no code for {backend} yet", hint='backend="numpy"')
        self.items = items
        self.backend = backend

    def __call__(self, /, **arrays: Any) -> Any:
        if isinstance(self.items, Mapping):
            return {key: _value(item, arrays) for key, item in self.items.items()}
        if isinstance(self.items, Sequence):
            return tuple(_value(item, arrays) for item in self.items)
        return _value(self.items, arrays)


def _value(item: Item, arrays: Mapping[str, Any]) -> Any:
    if isinstance(item, Action):
        rest = {name: array for name, array in arrays.items() if name != item.direction}
        return item(arrays[item.direction], **rest)
    known = item.formula.typed.variables if isinstance(item, Derivative) else item.typed.variables
    return item(**{name: array for name, array in arrays.items() if name in known})
