"""What must hold for a formula and its derivatives: each property is a function that raises Failure.

Three evaluators that share nothing meet here: the reference evaluator (of formula trees), the one of tensor graphs
(``tensor_evaluator``), and the generated code. The derivative is compared with complex steps of the formula as typed.
"""

from __future__ import annotations

import math
import random
import re
from typing import Any

import numpy as np
import tensor_evaluator
from multiplied_out import multiplied_out
from random_formulas import (
    DECLARED,
    SIZES,
    Part,
    arrays_of,
    defined_in,
    drawn,
    smaller,
    variables_of,
    where_of,
)

import matgrad
from matgrad.answer.formula import Formula
from matgrad.dims import Dim
from matgrad.errors import MatgradError, NotSupported, ShapeError
from matgrad.formula.reference import evaluate as reference
from matgrad.formula.syntax import Expr, Program, Type, fold
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Named, Symbol, topological
from matgrad.tensor.rebuild import rebuild
from matgrad.translate.lower import lower

SHORT = 45
"""Length up to which the second derivative of one formula in 15 is tried as well: one in three up to half of it."""
SHARE = 10
"""One formula in so many has each of its costly forms compared; all have their values and their derivatives checked."""
READABLE = 2500
"""Length of an answer up to which it is read back: reading is slower than printing."""


CONSTANTS = (r"\mathbf{1}", r"\mathbf{0}", r"\mathbf{I}", r"\mathbf{K}", r"\mathbf{e}")
"""What LaTeX writes without sizes."""


class Failure(AssertionError):
    """``kind`` says which of the properties does not hold."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


def require(kind: str, got: Any, expected: Any, said: str, tolerance: float = 1e-7) -> None:
    got, expected = np.asarray(got), np.asarray(expected)
    if got.shape != expected.shape:
        raise Failure(kind, f"shape {got.shape}, not {expected.shape}, in {said}")
    scale = max(1e-3, float(np.max(np.abs(expected), initial=0)))
    error = float(np.max(np.abs(got - expected), initial=0)) / scale
    if not error < tolerance and np.isfinite(expected).all():
        raise Failure(kind, f"off by {error:.1e} in {said}")


class Trial:
    """One formula at one point; ``notes`` names what was not decided, for statistics.

    The value and the printed derivative are checked for every formula; each other form for one in ``share``, by the
    seed, so that many formulas can be tried.
    """

    def __init__(self, text: str, seed: int = 0, share: int = SHARE) -> None:
        self.text = text
        self.seed = seed
        self.share = share
        self.where = where_of(text)
        self.formula = matgrad.parse(text, where=self.where)
        self.arrays = arrays_of(text, seed)
        self.arrays |= {name: SIZES[name] for name in self.formula.sizes_needed() if name in SIZES}
        self.notes: list[str] = []

    def turn(self, form: int) -> bool:
        """Whether a form, from 0 to 5, is compared for this formula."""
        return self.seed % self.share == form % self.share

    def graph(self, node: Any) -> Any:
        return tensor_evaluator.evaluate(node, self.arrays, SIZES)

    def value(self, formula: Expr | Program) -> Any:
        return reference(formula, self.arrays, SIZES)

    # -- the formula

    def check_formula(self) -> None:
        graph = self.graph(self.formula.node)
        require("graph of the formula", graph, self.value(self.formula.program), self.text)
        if not self.turn(5):
            return
        self.check_latex(self.formula, graph, None)
        again = matgrad.parse(self.formula.text, where=self.where)
        if again.text != self.formula.text:
            raise Failure("formula read back", f"{self.formula.text} became {again.text}")
        require("formula read back", self.value(again.program), graph, self.formula.text)
        self._same("order of terms", self.formula.node, self._lowered(_shuffled(self.formula.program, self.seed)))

    def _lowered(self, program: Program) -> Any:
        return lower(program, self.formula.symbols)[0]

    def _same(self, kind: str, one: Any, other: Any) -> None:
        """Where two graphs of one value are two nodes, their values must agree; how often that is, is counted.

        Of a sum it does not matter whether it is factored.
        """
        if one is not other:
            require(kind, self.graph(other), self.graph(one), self.text)
        if one is not other and multiplied_out(one) is not multiplied_out(other):
            self.notes.append(f"another node: {kind}")

    # -- a derivative

    def check_derivative(self, derivative: matgrad.Derivative) -> None:
        graph = self.graph(derivative.node)
        self.check_independently(derivative)
        require("printed against graph", self.value(derivative.expr), graph, derivative.text)
        if self.turn(0):
            require("short against graph", self.value(derivative.program()), graph, derivative.short)
            self.check_matvec(derivative, graph)
        if self.turn(1):
            self.check_kronecker(derivative, graph)
            self.check_renamed(derivative.node)
        if self.turn(2):
            self.check_latex(derivative, graph, derivative)
        if self.turn(3):
            require("code against graph", self._coded(derivative), graph, derivative.text)
            if not derivative.unicode or not derivative.latex or not isinstance(derivative.conditions, tuple):
                raise Failure("printing", "an empty answer")
        if self.turn(4):
            self.check_reading_back(derivative, graph)

    def _coded(self, derivative: matgrad.Derivative) -> Any:
        return derivative(**{name: value for name, value in self.arrays.items() if name in self._asked})

    @property
    def _asked(self) -> set[str]:
        return {*self.formula.variables, *self.formula.typed.functions, *self.formula.sizes_needed()}

    def check_independently(self, derivative: matgrad.Derivative) -> None:
        forms = self.turn(0) or self.turn(1)
        check = derivative._check(1, self.seed, forms)
        if check.passed is None:
            check = derivative._check(3, self.seed + 1, forms)
        if check.passed is None:
            self.notes.append("undecided")
        if check.passed is False:
            raise Failure("verify", f"{check} of {derivative.text}")

    def check_reading_back(self, derivative: matgrad.Derivative, graph: Any) -> None:
        if len(derivative.text) > READABLE:
            self.notes.append("too long to read back")
            return
        back = matgrad.parse(derivative.text, context=derivative)
        require("read back", self.value(back.program), graph, derivative.text)
        self._same("read back", rebuild(derivative.node, {}, expand=True), back.node)

    def check_latex(self, answer: Any, graph: Any, context: Any) -> None:
        """LaTeX is read back as the same value; it does not say the sizes of its constants."""
        if defined_in(self.text):
            return
        options = {"context": context} if context else {"where": self.where}
        try:
            back = matgrad.parse_latex(answer.latex, **options)
            value = self.value(back.program)
        except MatgradError:
            self.notes.append("LaTeX not read back")
            return
        if not any(constant in answer.latex for constant in CONSTANTS):
            require("LaTeX read back", value, graph, answer.latex)

    def check_matvec(self, derivative: matgrad.Derivative, graph: Any) -> None:
        name = derivative.wrt[-1]
        if name not in DECLARED or derivative.symmetric == "entries" or not derivative.matvec.available:
            return
        direction = drawn(DECLARED[name].replace("orthogonal", "matrix"), np.random.default_rng(self.seed + 1))
        expected = np.tensordot(graph, direction, direction.ndim)
        known = {**self.arrays, derivative.matvec.direction: direction}
        require("matvec", reference(derivative.matvec.expr, known, SIZES), expected, derivative.matvec.text)

    def check_kronecker(self, derivative: matgrad.Derivative, graph: Any) -> None:
        """The matrix that acts on vec, with columns stacked on both sides."""
        text = derivative.kronecker
        if text is None or len(text) > READABLE:
            return
        outputs = derivative.outputs
        dims = [derivative.node.shape[:outputs], derivative.node.shape[outputs:]]
        expect = Type("matrix", tuple(math.prod(side, start=Dim.of(1)) for side in dims))
        back = Formula(text, None, derivative.formula.typed, expect)
        axes = [*range(outputs)[::-1], *range(outputs, graph.ndim)[::-1]]
        rows = int(np.prod(graph.shape[:outputs], dtype=int))
        require("kronecker", self.value(back.program), graph.transpose(axes).reshape(rows, -1), text)

    def check_renamed(self, node: Any) -> None:
        """Under other names the same graph comes out, and with the old ones back, the very node."""
        names = sorted({n.name for n in topological(node) if isinstance(n, Symbol)})
        there = {name: f"q{(i * 7 + self.seed) % 11}_{i}" for i, name in enumerate(names)}
        symbols = [n for n in topological(node) if isinstance(n, Symbol)]
        to = {n: b.symbol(there[n.name], n.shape, n.traits) for n in symbols}
        back = rebuild(rebuild(node, to), {new: old for old, new in to.items()})
        self._same("names", node, back)


def _shuffled(program: Program, seed: int) -> Program:
    """The terms of sums and the factors of entrywise products in another order."""
    rng = random.Random(seed)

    def visit(node: Expr, args: list[Expr]) -> Expr:
        commute = node.op == "add" or (node.op == "product" and {*node.value} == {".*"})
        if commute:
            args = rng.sample(args, len(args))
        return node.replace(args=tuple(args)) if args else node

    return Program(tuple((name, fold(value, visit)) for name, value in program.definitions), fold(program.body, visit))


# -- one composition ------------------------------------------------------------------------------


def check(text: str, wrt: str, order: int = 1, seed: int = 0, share: int = SHARE) -> list[str]:
    """Raise Failure for the first property that does not hold; what was left undecided is given back."""
    trial, rng = Trial(text, seed, share), random.Random(seed)
    trial.check_formula()
    symmetric = rng.choice(["projected", "projected", "projected", "ignore", "entries"]) if order == 1 else "projected"
    derivative = matgrad.derive(trial.formula, wrt, symmetric=symmetric)
    below = derivative
    for _ in range(order - 1):
        below, derivative = derivative, derivative.derive(wrt)
    if order > 1:
        check_symmetry(trial, derivative)
    trial.check_derivative(derivative)
    if order == 1 and seed % (2 * share) == 1:
        check_renaming(trial, wrt, below)
    elif order == 1 and seed % (2 * share) == 0:
        check_layout(trial, wrt, rng)
    return trial.notes


def check_symmetry(trial: Trial, derivative: matgrad.Derivative) -> None:
    """Second derivatives commute; away from kinks, which random points are."""
    value, outputs = trial.graph(derivative.node), len(derivative.formula.node.shape)
    k = (value.ndim - outputs) // 2
    axes = [*range(outputs), *range(outputs + k, outputs + 2 * k), *range(outputs, outputs + k)]
    require("Hessian against its transpose", value.transpose(axes), value, derivative.text)


def check_layout(trial: Trial, wrt: str, rng: random.Random) -> None:
    """Another layout either is refused, or passes the same check."""
    layout = rng.choice(["numerator", "denominator", "vec"])
    try:
        derivative = matgrad.derive(trial.text, wrt, where=trial.where, layout=layout)
        text = derivative.text
    except NotSupported:
        return
    found = derivative.verify(points=1, seed=trial.seed)
    if found.passed is False:
        raise Failure(f"layout {layout}", f"{found} of {text}")
    if len(text) < READABLE:
        try:
            back = matgrad.parse(text, context=derivative)
        except ShapeError:
            trial.notes.append("layout not read back")
            return
        require(f"layout {layout}", trial.value(back.program), trial.value(derivative.expr), text)


def check_renaming(trial: Trial, wrt: str, derivative: matgrad.Derivative) -> None:
    """Other names of the variables give another order of terms at most."""
    new = {name: f"q{(i * 7 + trial.seed) % 11}_{i}" for i, name in enumerate(variables_of(trial.text))}
    renamed = re.sub(r"[A-Za-z_]\w*", lambda m: new.get(m[0], m[0]), trial.text)
    where = {new.get(n, n): d for n, d in trial.where.items()}
    other = matgrad.derive(renamed, new.get(wrt, wrt), where=where, symmetric=derivative.symmetric)
    arrays = {new.get(n, n): v for n, v in trial.arrays.items()}
    value = tensor_evaluator.evaluate(other.node, arrays, SIZES)
    require("renaming", value, trial.graph(derivative.node), renamed)
    if len(derivative.conditions) != len(other.conditions):
        raise Failure("renaming", f"the conditions {derivative.conditions} became {other.conditions}")
    symbols = {n: v for n, v in derivative.formula.symbols.items() if n in new}
    back: dict[Any, Any] = {b.symbol(new[n], v.shape, v.traits): v for n, v in symbols.items()}
    if not any(isinstance(n, Named) for n in topological(other.node)):
        trial._same("renaming", derivative.node, rebuild(other.node, back))


def failure_of(text: str, wrt: str, order: int, seed: int = 0, share: int = SHARE) -> tuple[str, str] | None:
    """The kind of failure and its message, or None; what is refused as not supported is no failure."""
    found = outcome_of(text, wrt, order, seed, share)
    return found if isinstance(found, tuple) else None


def outcome_of(text: str, wrt: str, order: int, seed: int = 0, share: int = SHARE) -> tuple[str, str] | list[str]:
    """A failure, or the notes on one that passed."""
    try:
        return check(text, wrt, order, seed, share)
    except Failure as failure:
        return failure.kind, str(failure)
    except NotSupported:
        return ["not supported"]
    except np.linalg.LinAlgError:
        return ["outside of the domain"]
    except Exception as error:  # whatever it is, it is a finding
        return f"raised {type(error).__name__}", f"{type(error).__name__}: {str(error)[:300]}"


def trials_of(part: Part, seed: int) -> list[tuple[str, int]]:
    """In which variables, and to which order, a random formula is tried: (name, order)."""
    rng, names = random.Random(seed), variables_of(part.text)
    wrt = rng.choice(names)
    found = [(wrt, 1)]
    if rng.random() < 0.2:
        found += [(name, 1) for name in defined_in(part.text)[:1]]
    if seed % 3 == 0 and len(part.text) < (SHORT if seed % 5 == 0 else SHORT // 2):
        found.append((wrt, 2))
    return found


def shrunk(part: Part, wrt: str, order: int, kind: str, seed: int = 0, tries: int = 300, share: int = SHARE) -> Part:
    """A smaller formula that fails in the same way."""
    while True:
        for less in smaller(part):
            tries -= 1
            if tries < 0:
                return part
            if less.size < part.size and wrt in [*variables_of(less.text), *defined_in(less.text)]:
                found = failure_of(less.text, wrt, order, seed, share)
                if found is not None and found[0] == kind:
                    part = less
                    break
        else:
            return part
