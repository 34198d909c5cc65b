"""A formula whose every part has a type: what ``infer`` gives, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from matgrad.formula.syntax import Program, Type


@dataclass(frozen=True)
class Variable:
    """A name that the formula depends on."""

    name: str
    type: Type
    traits: frozenset[str] = frozenset()
    declared: bool = False


@dataclass(frozen=True)
class Typed:
    """A formula whose every part has a type, and what is known about its names."""

    program: Program
    variables: dict[str, Variable]
    intermediates: dict[str, Type]
    functions: frozenset[str]
    assumed: tuple[str, ...]
    dimensions: frozenset[str]
    source: str = ""

    @property
    def type(self) -> Type:
        """The type of the formula's value."""
        assert self.program.body.type is not None
        return self.program.body.type

    @property
    def sizes(self) -> frozenset[str]:
        """All names of dimensions: those declared, and those given automatically."""
        known = [v.type for v in self.variables.values()] + list(self.intermediates.values())
        return self.dimensions.union(*(dim.names for type in known for dim in type.dims))
