"""What the public functions are asked: a formula, names and declarations, each as text or as an object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from matgrad.errors import MatgradError
from matgrad.formula.declarations import Where, parse_declarations
from matgrad.objects.names import Names, joined
from matgrad.objects.value import Value, shown


@runtime_checkable
class Written(Protocol):
    """What knows its text and the declarations of its names: an object, or a formula that was read before."""

    def written(self) -> tuple[str, Where]: ...


Text = str | Written
Name = str | Value


def is_one(wrt: object) -> bool:
    """Whether one name is given, not a sequence of names."""
    return isinstance(wrt, Name)


def names(wrt: object) -> list[str]:
    """The names of variables or intermediates, of one or of a sequence."""
    if isinstance(wrt, Name):
        return [_name(wrt)]
    if isinstance(wrt, Mapping) or not isinstance(wrt, Sequence) or not all(isinstance(n, Name) for n in wrt):
        raise MatgradError(f"wrt is a name or a sequence of names, not {wrt!r}")
    if not wrt:
        raise MatgradError("wrt names no variable")
    found = [_name(n) for n in wrt]
    if len(set(found)) != len(found):
        raise MatgradError(f"wrt names a variable twice: {', '.join(found)}")
    return found


def _name(given: Name) -> str:
    if isinstance(given, str):
        return given
    if given.expr.op != "name" or given.expr.value not in {**given.names.declared, **given.names.defined}:
        raise MatgradError(
            "one differentiates in a variable, or in an intermediate that has a name",
            details=shown(given),
            hint='r = (A @ x - b).named("r"), used in the formula',
        )
    name: str = given.expr.value
    return name


def text_and_declarations(formula: object, wrt: object = (), where: Where = None) -> tuple[str, Where]:
    """The formula as text, and ``where`` with the declarations that objects bring along.

    Raises DeclarationError where two of them say different things of one name.
    """
    if not isinstance(formula, Text):
        hint = 'derive("x\'*A*x", "x")'
        raise MatgradError(f"a formula is text or an object, not {type(formula).__name__}", hint=hint)
    text, brought = (formula, None) if isinstance(formula, str) else formula.written()
    variables: list[Any] = [wrt] if isinstance(wrt, Name) else list(wrt) if isinstance(wrt, Sequence) else []
    parts = [_declared(v) for v in variables if isinstance(v, Value)]
    if brought is None and not parts:
        return text, where
    return text, joined([*(Names(parse_declarations(w)) for w in (where, brought)), *parts]).declared


def _declared(variable: Value) -> Names:
    """What an object in ``wrt`` says of its own name."""
    name = variable.expr.value
    return Names({name: variable.names.declared[name]} if name in variable.names.declared else {})
