"""Formulas and derivatives as one function of named arrays, with its source."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from matgrad.codegen.backends import Backend, backend_of, check_backend
from matgrad.codegen.emit import Signature
from matgrad.codegen.names import Argument
from matgrad.codegen.source import Arrange, Written, as_it_is, written
from matgrad.errors import DataError, MatgradError
from matgrad.formula.binding import VariableLike, callables, check_names, sizes_of
from matgrad.formula.ranges import Range, check_ranges
from matgrad.formula.text import type_text
from matgrad.tensor.nodes import Node, Symbol, topological


@dataclass(frozen=True)
class Root:
    """What an item computes: a graph, its variables and unspecified functions, and how its array is laid out.

    ``named`` are the formula's intermediates; ``subgradient``: x/norm2(x) is 0 at 0, as in a first derivative.
    """

    node: Node
    called: str
    variables: Mapping[str, VariableLike]
    functions: Collection[str] = ()
    dimensions: Collection[str] = ()
    arrange: Arrange = field(default=as_it_is)
    named: Mapping[str, Node] = field(default_factory=dict)
    subgradient: bool = False
    ranges: Sequence[Range] = ()
    """Those of the formula's indices that do not lie within their arrays whatever these are."""


class Item(Protocol):
    """A formula, a derivative, the action of a derivative on a direction."""

    def root(self) -> Root: ...


Run = Callable[[Mapping[str, Any]], Any]
"""A function of arrays by name."""
Items = Item | Sequence[Item] | Mapping[Any, Item]


class Compiled:
    """Formulas, derivatives or actions on directions as one function of arrays given by name.

    The value of a sequence of items is a tuple, that of a mapping a dict. ``source`` is what runs: that of the last
    call, or before the first one that for typical sizes, since the order of products depends on them. Arrays must have
    the shapes that the formula gives them; one that the code does not use need not be given. Where they are of float32,
    so is the value; integers count as float64.

    Raises MatgradError where items disagree about a variable, and DataError for arrays that do not fit.
    """

    def __init__(self, items: Items, backend: str = "numpy") -> None:
        self.items = items
        self.backend = backend
        check_backend(backend)
        self._several = isinstance(items, Sequence | Mapping)
        self._keys = [*items] if isinstance(items, Mapping) else None
        self._roots = [item.root() for item in _listed(items)]
        self._variables = _variables(self._roots)
        self._functions = sorted({name for root in self._roots for name in root.functions})
        self._dims = frozenset().union(*(root.dimensions for root in self._roots)) - self._variables.keys()
        self._structured = [(name, v.traits) for name, v in self._variables.items() if v.traits]
        self._plans: dict[tuple[tuple[str, int], ...], Ready] = {}
        self._ready: dict[tuple[Any, ...] | None, Run] = {}
        self._source = ""
        self._by_size = True

    @cached_property
    def _key(self) -> Callable[[Mapping[str, Any]], tuple[Any, ...] | None]:
        return self._backend.key

    @cached_property
    def _backend(self) -> Backend:
        return backend_of(self.backend)

    @cached_property
    def _unused(self) -> Set[str]:
        """Variables that do not occur in what is computed; a size may still have to be read off one."""
        nodes = topological(*(root.node for root in self._roots))
        return self._variables.keys() - {node.name for node in nodes if isinstance(node, Symbol)}

    @property
    def source(self) -> str:
        """The source of the function; a call runs it."""
        if not self._source:
            self._source = self._written({}).source
        return self._source

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the arguments; a dimension that no array shows may have to be given as well."""
        return (*self._variables, *self._functions)

    @property
    def dimensions(self) -> frozenset[str]:
        """The names of sizes: one that no array shows is an argument too."""
        shown = {n for v in self._variables.values() if v.type for d in v.type.dims for n in d.names}
        return self._dims - shown

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.items, self.backend))

    def __repr__(self) -> str:
        return f"<{self.backend} function of {', '.join(self.parameters)}>"

    def __call__(self, /, **arrays: Any) -> Any:
        """The values at arrays given by name."""
        run = self._ready.get(self._key(arrays))
        return self._first_call(arrays) if run is None else run(arrays)

    def _check(self, arrays: Mapping[str, Any]) -> None:
        for name, traits in self._structured:
            if name in arrays:
                self._backend.check(name, arrays[name], traits)

    def _first_call(self, arrays: Mapping[str, Any]) -> Any:
        """With all checks; arrays of the same types and shapes need not pass those of names and shapes again."""
        check_names([*self.parameters], self._dims, arrays, self._unused)
        variables = {name: variable for name, variable in self._variables.items() if name in arrays}
        read = {name: self._backend.array(variable, arrays[name]) for name, variable in variables.items()}
        values = self._backend.alike(read)
        self._check(values)
        shapes = {name: tuple(getattr(values[name], "shape", ())) for name in variables}
        given = {name: arrays[name] for name in arrays.keys() & self._dims}
        sizes = sizes_of(variables, shapes, given)
        check_ranges([r for root in self._roots for r in root.ranges], sizes)
        ready = self._prepared(sizes)
        check_names([*self.parameters], self._dims, arrays, ready.optional)
        missing = [name for name in ready.sizes if name not in sizes]
        if missing:
            raise DataError(
                f"the size {missing[0]} is not known", hint=f"{missing[0]}=…, a number, among the arguments"
            )
        key = self._key(arrays)
        if values is read and key is not None and not ready.sizes and not given:
            self._ready[key] = self._again(ready)
        return self._run(ready, values | {name: callables(name, arrays[name]) for name in self._functions}, sizes)

    def _again(self, ready: Ready) -> Run:
        """What is left to do for other arrays of the same types and shapes."""
        if not (self._structured or ready.renamed or self._keys):
            return ready.function

        def run(arrays: Mapping[str, Any]) -> Any:
            self._check(arrays)
            return self._run(ready, arrays, {})

        return run

    def _run(self, ready: Ready, values: Mapping[str, Any], sizes: Mapping[str, int]) -> Any:
        if ready.renamed:
            values = {python: values[name] for name, python in ready.names if name in values}
            values |= {python: sizes[name] for name, python in ready.sizes.items()}
        found = ready.function(values)
        return found if self._keys is None else dict(zip(self._keys, found, strict=True))

    def _prepared(self, sizes: Mapping[str, int]) -> Ready:
        """The function for these sizes."""
        key = tuple(sorted(sizes.items())) if self._by_size else ()
        if key not in self._plans:
            found = self._written(sizes)
            self._by_size = found.by_size
            function = self._backend.function(found.source, found.sizes.values(), bool(self._functions))
            names = [(name, found.names[name]) for name in self.parameters]
            renamed = bool(found.sizes) or any(name != python for name, python in names)
            self._plans[key if self._by_size else ()] = Ready(function, names, found.sizes, renamed, found.optional)
            self._source = found.source
        return self._plans[key if self._by_size else ()]

    def _written(self, sizes: Mapping[str, int]) -> Written:
        called = "functions" if self._several else self._roots[0].called
        arguments = [Argument(name, v.type.dims if v.type else ()) for name, v in self._variables.items()]
        signature = Signature(called, arguments, self._functions, tuple=self._several)
        named = {name: node for root in self._roots for name, node in root.named.items()}
        subgradient = any(root.subgradient for root in self._roots)
        layouts = [(root.node, root.arrange) for root in self._roots]
        return written(layouts, signature, self.backend, sizes, named, subgradient)


class Ready(NamedTuple):
    """A function, with the name in it of each argument, and of each size that it has to be given.

    ``renamed``: these are not simply the arguments under their own names; ``optional``: it does not use these.
    """

    function: Run
    names: list[tuple[str, str]]
    sizes: dict[str, str]
    renamed: bool
    optional: Set[str]


def _listed(items: Items) -> list[Item]:
    found = [*items.values()] if isinstance(items, Mapping) else [*items] if isinstance(items, Sequence) else [items]
    for item in found:
        if not hasattr(item, "root"):
            raise MatgradError(
                f"a {type(item).__name__} cannot be compiled",
                hint="matgrad.parse(…), matgrad.derive(…), or the .matvec of a derivative",
            )
    if not found:
        raise MatgradError("there is nothing to compile", hint="a formula, a derivative, or several of them")
    return found


def _variables(roots: Sequence[Root]) -> dict[str, VariableLike]:
    """All variables. Raises where two items have another idea of one."""
    found: dict[str, VariableLike] = {}
    for root in roots:
        for name, variable in root.variables.items():
            known = found.setdefault(name, variable)
            if (known.type, frozenset(known.traits)) != (variable.type, frozenset(variable.traits)):
                first, second = (type_text(v.type, frozenset(v.traits)) for v in (known, variable) if v.type)
                raise MatgradError(
                    f"{name} is {first} in one item and {second} in another",
                    hint=f'the same declarations in all of them: where="{name}: {first}; …"',
                )
    return found
