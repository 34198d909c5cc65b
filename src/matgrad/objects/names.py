"""What the names in an object are: its variables with their declarations, and its named intermediates."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple, TypeVar

from matgrad.dims import Dim
from matgrad.errors import DeclarationError, MatgradError, NotSupported
from matgrad.formula.declarations import Declaration
from matgrad.formula.syntax import SCALAR_TYPE, Call, Expr, Program, Type, fold
from matgrad.formula.text import to_text, type_text
from matgrad.formula.tokens import MAX_CHARS
from matgrad.translate.algebra import cost, negative, number, times

T = TypeVar("T")


class Names(NamedTuple):
    """Declarations of variables and functions, and definitions of intermediates in their order."""

    declared: Mapping[str, Declaration] = {}
    defined: Mapping[str, Expr] = {}


def joined(parts: Iterable[Names]) -> Names:
    """The names of several objects together. Raises DeclarationError where one name is two things."""
    distinct: list[Names] = []
    for names in parts:
        if not any(names is seen for seen in distinct):
            distinct.append(names)
    if len(distinct) == 1:
        return distinct[0]
    declared: dict[str, Declaration] = {}
    defined: dict[str, Expr] = {}
    for names in distinct:
        _merge(declared, names.declared, _declared_twice)
        _merge(defined, names.defined, _defined_twice)
    _each_is_one_thing(declared, defined)
    return Names(declared, defined)


def _merge(into: dict[str, T], more: Mapping[str, T], clash: Callable[[str, T, T], DeclarationError]) -> None:
    for name, what in more.items():
        if into.setdefault(name, what) != what:
            raise clash(name, into[name], what)


def _declared_twice(name: str, first: Declaration, second: Declaration) -> DeclarationError:
    return DeclarationError(
        f"{name} is declared as {words(first)} and as {words(second)}",
        hint="one object for each name, or another name for one of them",
    )


def _defined_twice(name: str, _first: Expr, _second: Expr) -> DeclarationError:
    return DeclarationError(f"{name} is the name of two different intermediates", hint=f'.named("{name}2")')


def _each_is_one_thing(declared: Mapping[str, Declaration], defined: Mapping[str, Expr]) -> None:
    for name in defined:
        if name in declared:
            raise DeclarationError(f"{name} is a variable and an intermediate", hint=f'.named("{name}2")')
    for owner, what in declared.items():
        for size in size_names(what.dims or ()):
            if size in declared or size in defined:
                raise DeclarationError(f"{size} is a size of {owner}, and the name of something else", hint=f"{size}2")


def words(declaration: Declaration) -> str:
    """A declaration as it would be typed."""
    if declaration.dims is None:
        return declaration.words or declaration.kind
    return type_text(Type(declaration.kind, declaration.dims), declaration.traits)


def size_names(dims: Iterable[Dim]) -> list[str]:
    return sorted({name for dim in dims for name in dim.names})


def size(dim: Dim) -> Expr:
    """A size as a scalar formula.

    >>> size(Dim.of("m") * Dim.of("n") + Dim.of(1)).op
    'add'
    """
    terms = []
    for key, count in sorted(dim.terms, key=lambda term: (term[1] < 0, not term[0])):  # n - 1
        factors = [Expr("name", value=name, type=SCALAR_TYPE) for name in key]
        whole = times(*([number(abs(count))] if abs(count) != 1 or not key else []), *factors)
        terms.append(whole if count > 0 else negative(whole))
    return terms[0] if len(terms) == 1 else Expr("add", tuple(terms), type=SCALAR_TYPE)


def dim_of(expr: Expr, declared: Collection[str]) -> Dim | None:
    """The size that a formula writes, or None where it is none: the opposite of ``size``."""
    if expr.op == "number" and expr.value.denominator == 1:
        return Dim.of(int(expr.value))
    if expr.op == "name" and expr.type == SCALAR_TYPE and expr.value not in declared:
        return Dim.of(expr.value)
    if expr.op == "neg" or (expr.op == "product" and set(expr.value) == {"*"}) or expr.op == "add":
        parts = [dim_of(arg, declared) for arg in expr.args]
        total = Dim({}) if expr.op == "add" else Dim.of(-1 if expr.op == "neg" else 1)
        for part in parts:
            if part is None:
                return None
            total = total + part if expr.op == "add" else total * part
        return total
    return None


def program(expr: Expr, names: Names) -> tuple[Program, dict[str, Declaration]]:
    """The formula with the intermediates that it uses, and the declarations of what occurs in it.

    A size such as ``n`` is known by its name where a variable that has it occurs. Elsewhere it is written as
    ``length(x)`` of one that has it.
    """
    said = said_of(expr, names)
    declared, needed = dict(said.declared), list(said.defined.items())
    used = _used(expr).union(*(_used(value) for _, value in needed))
    known = size_names(d for what in declared.values() for d in what.dims or ())
    sizes = size_names(d for what in names.declared.values() for d in what.dims or ())
    for name in sizes:
        if name in used and name not in known:
            owner, length = _owned(name, names.declared)
            declared[owner] = names.declared[owner]
            expr = _replaced(expr, name, length)
            needed = [(other, _replaced(value, name, length)) for other, value in needed]
    return Program(tuple(needed), expr), declared


def _used(expr: Expr) -> set[str]:
    """The names of variables, intermediates, sizes and functions; shared parts are looked at once."""
    found: set[str] = set()
    seen: set[int] = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen.add(id(node))
            stack += node.args
            if node.op in ("name", "call"):
                found.add(node.value if node.op == "name" else node.value.name)
    return found


def written(expr: Expr, names: Names) -> tuple[str, dict[str, Declaration]]:
    """The text of a formula, and the declarations of its names."""
    found, declared = program(expr, names)
    if sum(cost(e) for e in (*(value for _, value in found.definitions), found.body)) > MAX_CHARS:
        raise MatgradError(
            f"the formula has over {MAX_CHARS:,} characters",
            hint='names for parts that occur several times: h = np.tanh(W @ x).named("h")',
        )
    steps = [f"{name} = {to_text(value)}" for name, value in found.definitions]
    return "; ".join([*steps, to_text(found.body)]), declared


def said_of(expr: Expr, names: Names) -> Names:
    """The declarations and definitions of what occurs in a formula."""
    used = _used(expr)
    for name, value in reversed(list(names.defined.items())):
        if name in used:
            used |= _used(value)
    declared = {name: what for name, what in names.declared.items() if name in used}
    return Names(declared, {name: value for name, value in names.defined.items() if name in used})


def _owned(name: str, declared: Mapping[str, Declaration]) -> tuple[str, Expr]:
    """A variable that has this size, and the size in terms of it."""
    for owner, what in declared.items():
        for function, dim in zip(_SIZES[len(what.dims or ())], what.dims or (), strict=True):
            if dim == Dim.of(name):
                variable = Expr("name", value=owner, type=Type(what.kind, what.dims or ()))
                return owner, Expr("call", (variable,), Call(function), type=SCALAR_TYPE)
    raise NotSupported(f"no variable has the size {name}", hint=f"a variable that has it, such as vector({name})")


_SIZES: tuple[tuple[str, ...], ...] = ((), ("length",), ("rows", "cols"))


def _replaced(expr: Expr, name: str, by: Expr) -> Expr:
    def visit(node: Expr, args: list[Expr]) -> Expr:
        if node.op == "name" and node.value == name:
            return by
        return node.replace(args=tuple(args)) if args else node

    found: Expr = fold(expr, visit)
    return found
