"""What a derivation is about: the formula, its named program, the names of its differentials, the answer."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from matgrad.answer.derivative import Derivative
from matgrad.checking.sampling import Point, Subject, points
from matgrad.errors import NotSupported
from matgrad.explaining.collecting import Coefficients, has_words
from matgrad.explaining.naming import Naming, needed
from matgrad.explaining.trees import named, varies
from matgrad.explaining.truth import LAYERED, World, gentle, random_direction
from matgrad.formula.syntax import MATRIX, SCALAR, Expr, Program, Type
from matgrad.formula.unicode import to_unicode

POINTS = 2


class Setting:
    """One formula and one variable, with names for its parts.

    ``of`` maps every name that varies to the name of its differential; ``function`` is what the formula is called.
    """

    def __init__(
        self,
        answer: Derivative,
        program: Program | None = None,
        function: str = "",
        first: Setting | None = None,
        *,
        short: bool = False,
    ) -> None:
        formula = answer.formula
        if not has_words(answer.short_expr):
            raise NotSupported(
                "the derivative has no printable form, so there is no last line to arrive at",
                hint="the parts as variables of their own",
            )
        self.answer = answer
        self.formula = formula
        self.wrt = answer.wrt[-1]
        typed = formula.typed
        taken = {*typed.variables, *typed.intermediates, *typed.functions, *typed.sizes}
        self.function = function or next((c for c in ("f", "F", "φ", "Φ") if c not in taken), "f_")
        taken |= {self.function, "f", "d"} | ({first.function, *first.of} if first else set())
        self.first = first
        whole = needed(program or formula.program, [self.wrt])
        self.naming: Naming = Naming(whole, [self.wrt], taken, first.naming.given if first else None)
        self.program = whole if short else needed(self.naming.run(), [self.wrt])
        self.of: dict[str, str] = self._differentials(taken)
        self.coefficients = Coefficients(formula, self.program, self.of)

    def _differentials(self, taken: set[str]) -> dict[str, str]:
        names = [self.wrt]
        varying = {self.wrt}
        for name, value in self.program.definitions:
            if name != self.wrt and varies(value, varying):
                varying.add(name)
                names.append(name)
        found = {}
        for name in names:
            differential = "d" + name
            while differential in taken:
                differential += "_"
            found[name] = differential
        return found

    def name_coefficient(self, value: Expr) -> Expr:
        """A new name, δ or Δ, for a coefficient; its value is known wherever lines are checked."""
        taken = {*self.of, *self.of.values(), *self.formula.typed.variables, *self.formula.typed.sizes}
        taken |= {name for name, _ in self.program.definitions} | {self.function}
        base = "Delta" if value.kind == MATRIX else "delta"
        name, count = base, 1
        while name in taken:
            count += 1
            name = f"{base}{count}"
        self.program = Program((*self.program.definitions, (name, value)), self.program.body)
        assert value.type is not None
        self.coefficients.add(name, value.type)
        return named(name, value.type)

    @property
    def varying(self) -> dict[str, Expr]:
        """The definitions that vary, in order."""
        return {name: value for name, value in self.program.definitions if name in self.of and name != self.wrt}

    def type_of(self, name: str) -> Type:
        for known, value in self.program.definitions:
            if known == name and value.type is not None:
                return value.type
        return self.formula.typed.variables[name].type

    def name(self, name: str) -> Expr:
        return named(name, self.type_of(name))

    def differential_of(self, name: str) -> Expr:
        return named(self.of[name], self.type_of(name))

    @property
    def body(self) -> Expr:
        return self.program.body

    @property
    def f(self) -> Expr:
        return named(self.function, self.body.type)

    @property
    def df(self) -> Expr:
        return named("d" + self.function, self.body.type)

    @property
    def gradient_name(self) -> str:
        if self.first is not None:
            f, t = self.first.function, to_unicode(self.name(self.wrt))
            return f"d²{f}/d{t}²" if self.type_of(self.wrt).kind == SCALAR else f"∇²{f}"
        scalar = self.body.kind == SCALAR
        if scalar and self.type_of(self.wrt).kind != SCALAR:
            return "∇" + self.function
        sign = "d" if scalar and len(self.formula.typed.variables) == 1 else "∂"
        return f"{sign}{self.function}/{sign}{to_unicode(self.name(self.wrt))}"

    # -- the machine check

    def subject(self) -> Subject:
        variable = self.formula.typed.variables.get(self.wrt)
        return Subject(self.wrt, self.type_of(self.wrt), variable.traits if variable else frozenset())

    def points(self) -> Iterator[Point]:
        typed = self.formula.typed
        subjects = [Subject(n, v.type, frozenset(v.traits)) for n, v in typed.variables.items()]
        found = points(self.formula.program, subjects, sorted(typed.functions), 0)
        return (gentle(p, subjects, self.program) for p in found) if len(self.program.definitions) > LAYERED else found

    def worlds(self) -> list[World]:
        """Random points, with the true values of all names and differentials."""
        return [self.world(point, seed) for seed, point in enumerate(islice(self.points(), POINTS))]

    def world(self, point: Point, seed: int = 0, direction: Any = None) -> World:
        if direction is None:
            direction = random_direction(self.subject(), point.sizes, seed)
        world = World(self.program, self.subject(), point, direction)
        world.values[self.function] = world.evaluated(self.body, world.values)
        world.values["d" + self.function] = world.differential(self.body)
        for name, differential in self.of.items():
            world.values[differential] = direction if name == self.wrt else world.differential(self.name(name))
        world.values[self.gradient_name] = world.gradient(self.body)
        if self.first is not None:
            world.values["d2" + self.first.function] = (direction * world.values["d" + self.function]).sum()
        return world
