"""What a derivation is about: the formula, its named program, the names of its differentials, the answer."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from matgrad.answer.derivative import Derivative
from matgrad.checking.sampling import Point, Subject, points
from matgrad.dims import Dim
from matgrad.errors import NotSupported
from matgrad.explaining.arrangement import same
from matgrad.explaining.collecting import Coefficients, has_words
from matgrad.explaining.naming import Naming, needed
from matgrad.explaining.simplifying import Simplifier
from matgrad.explaining.trees import is_pending, named, rebuilt, replaced, varies
from matgrad.explaining.truth import LAYERED, World, gentle, random_direction
from matgrad.formula.syntax import MATRIX, SCALAR, SCALAR_TYPE, Expr, Program, Type, fold, walk
from matgrad.formula.unicode import to_unicode
from matgrad.tensor.builders import is_symmetric

POINTS = 2
_RAISED = {2: "²", 3: "³", 4: "⁴"}
_SYMMETRIC = frozenset({"symmetric", "diagonal", "spd", "psd"})


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
        letters = ("F", "Φ", "f", "φ") if formula.program.body.kind == MATRIX else ("f", "F", "φ", "Φ")
        self.function = function or next((c for c in letters if c not in taken), "f_")
        taken |= {self.function, "f", "d"} | ({*first.functions, *first.of} if first else set())
        self.first = first
        self.hessian: Expr | None = None
        whole = needed(program or formula.program, [self.wrt])
        self.naming: Naming = Naming(whole, [self.wrt], taken, first.naming.given if first else None)
        self.program = whole if short else needed(self.naming.run(), [self.wrt])
        self.of: dict[str, str] = self._differentials(taken)
        self.coefficients = Coefficients(formula, self.program, self.of)
        self.typed_body = whole.body
        self.simplifier = Simplifier(self.symmetric, self.of.values(), self.size)
        self._names_of = {value: named(name, value.type) for name, value in self.program.definitions if value.args}

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

    def name_hessian(self, value: Expr) -> Expr:
        """A new name for the matrix of a second differential."""
        taken = {*self.of, *self.of.values(), *self.formula.typed.variables, *self.formula.typed.sizes, self.function}
        taken |= {name for name, _ in self.program.definitions}
        name = next(c for c in ("H", "B", "N", "H_") if c not in taken)
        self.program = Program((*self.program.definitions, (name, value)), self.program.body)
        self.hessian = named(name, value.type)
        return self.hessian

    def in_names(self, expr: Expr) -> Expr:
        """The formula with names for the parts that have one: p for softmax(z)."""

        def visit(node: Expr, args: list[Expr]) -> Expr:
            if is_pending(node):
                return node
            new = rebuilt(node, args) if node.args else node
            return self._names_of.get(new, new)

        found: Expr = fold(expr, visit)
        return found

    def symmetric(self, expr: Expr) -> str | None:
        """Why a matrix is symmetric; None where it is not known to be."""
        try:
            known = is_symmetric(self.coefficients.node(expr))
        except NotSupported:
            return None
        if not known:
            return None
        inside = dict.fromkeys(n for n in walk(self._back(expr)) if n.op == "name" and n.kind == MATRIX)
        traits = {n: v.traits for n, v in self.formula.typed.variables.items()}
        words = [to_unicode(n) for n in inside if set(traits.get(n.value, ())) & _SYMMETRIC]
        if not words:
            return "it is its own transpose"
        return f"{' and '.join(words)} {'are' if len(words) > 1 else 'is'} symmetric"

    def _back(self, expr: Expr) -> Expr:
        for name, value in reversed(self.program.definitions):
            expr = replaced(expr, {name: value})
        return expr

    def in_order(self, expr: Expr, differential: str, current: Expr) -> Expr:
        """A coefficient in the order of the formula, where that is only another arrangement."""
        try:
            tidy = self.coefficients.formula(self.coefficients.coefficient(current, differential))
        except NotSupported:
            return expr
        return tidy if same(expr, tidy) else expr

    def size(self, dim: Dim) -> Expr:
        """A size by its name, where the derivation's names leave it free."""
        name = str(dim)
        taken = {*self.formula.typed.variables, *self.of.values(), *(n for n, _ in self.program.definitions)}
        if name.isidentifier() and name not in taken and name in self.formula.typed.sizes:
            return named(name, SCALAR_TYPE)
        return self.coefficients.recovery.size(dim)

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
        symmetric = is_symmetric(self.coefficients.node(value))
        self.coefficients.add(name, value.type, frozenset({"symmetric"}) if symmetric else frozenset())
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
    def origin(self) -> Setting:
        """The setting of the formula itself."""
        return self if self.first is None else self.first.origin

    @property
    def functions(self) -> set[str]:
        """What this formula and those before it are called."""
        return {self.function} | (self.first.functions if self.first is not None else set())

    @property
    def gradient_name(self) -> str:
        if self.answer.order > 1:
            f, t, k = self.origin.function, to_unicode(self.name(self.wrt)), _RAISED[self.answer.order]
            if self.origin.body.kind != SCALAR:
                return f"∂{k}{f}/∂{t}{k}"
            return f"d{k}{f}/d{t}{k}" if self.type_of(self.wrt).kind == SCALAR else f"∇{k}{f}"
        scalar = self.body.kind == SCALAR
        if scalar and self.type_of(self.wrt).kind != SCALAR:
            return "∇" + self.function
        sign = "d" if scalar and len(self.formula.typed.variables) == 1 else "∂"
        return f"{sign}{self.function}/{sign}{to_unicode(self.name(self.wrt))}"

    @property
    def vec_name(self) -> str:
        """The name of the matrix in vec(dF) = DF*vec(dX)."""
        return "D" + self.function

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
        gradient = world.values[self.gradient_name] = world.gradient(self.body)
        outputs = len(self.body.dims)
        if gradient.ndim > 2:
            rows, cols = (int(np.prod(part)) for part in (gradient.shape[:outputs], gradient.shape[outputs:]))
            flat = np.moveaxis(gradient, range(outputs), range(outputs - 1, -1, -1))
            inner = np.moveaxis(flat, range(outputs, gradient.ndim), range(gradient.ndim - 1, outputs - 1, -1))
            world.values[self.vec_name] = inner.reshape(rows, cols)
        if self.first is not None and self.answer.order == 2 and self.first.body.kind == SCALAR:
            world.values["d2" + self.first.function] = (direction * world.values["d" + self.function]).sum()
        return world
