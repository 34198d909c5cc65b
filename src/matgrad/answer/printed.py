"""What is printed of a derivative, as formula trees: in full, in the formula's own words, as a matrix on vec."""

from __future__ import annotations

from functools import cached_property

from matgrad.answer.action import Action
from matgrad.answer.differentiation import chain, one_pass, variable_of
from matgrad.answer.formula import Formula
from matgrad.answer.layout import laid_out
from matgrad.answer.quotients import quotient_rule
from matgrad.answer.reading import bounded, readable
from matgrad.answer.riemannian import RIEMANNIAN
from matgrad.answer.signals import LONG, Signals, in_words, signals_of
from matgrad.errors import NotSupported
from matgrad.formula.syntax import SCALAR_TYPE, Expr, Program
from matgrad.functions import CARDS
from matgrad.stabilising.ahead import ahead
from matgrad.tensor.nodes import Node, Symbol
from matgrad.tensor.rebuild import rebuild
from matgrad.translate.algebra import names, of_order
from matgrad.translate.kronecker import kronecker
from matgrad.translate.naming import fresh, length_of, with_names

Definitions = list[tuple[str, Expr]]


class Printed:
    """The trees of the derivative ``node`` of ``below``, each made when it is asked for.

    ``convention`` is that for symmetric variables, or ``riemannian``; ``outputs`` are the axes that are not of the last
    variable.
    """

    def __init__(
        self, formula: Formula, wrt: tuple[str, ...], layout: str, convention: str, below: Node, node: Node
    ) -> None:
        self.formula = formula
        self.wrt = wrt
        self.layout = layout
        self.convention = convention
        self.below = below
        self.node = node
        self.outputs = len(below.shape)

    # -- in full

    @cached_property
    def expr(self) -> Expr:
        """With named intermediates replaced by their values."""
        return self._laid_out(self._expanded)

    @property
    def _expanded(self) -> Node:
        return rebuild(self.node, {}, expand=True) if self.formula.intermediates else self.node

    def _laid_out(self, node: Node) -> Expr:
        recovery = self.formula.recovery
        return readable(self.formula, laid_out(bounded(node), self.outputs, self.layout, recovery, recovery.size))

    @cached_property
    def on_vec(self) -> Expr | None:
        """With more than two axes: the matrix that acts on vec, with columns stacked, where there is one."""
        if len(self.node.shape) < 3:
            return None
        recovery = self.formula.recovery
        try:
            found = kronecker(bounded(self._expanded), self.outputs, recovery.formula, recovery.size)
        except NotSupported:
            return None
        return None if found is None else readable(self.formula, found)

    @cached_property
    def action(self) -> Action:
        """On a direction; the differential is that of the projected derivative."""
        node, computed = self.node, self.ahead
        if self.convention in ("entries", RIEMANNIAN):
            node, computed = chain(self.formula, self.wrt, "projected")[1], None
        free = self.convention == "ignore"
        return Action(self.formula, node, self.outputs, self.wrt[-1], free=free, computed=computed)

    @cached_property
    def ahead(self) -> Node | None:
        """For code: the derivative of what ``stabilising.ahead`` makes of the formula; None if that is the same."""
        formula = self.formula
        node = ahead(formula.node)
        if node is formula.node or self.convention not in ("projected", "entries"):
            return None
        if not all(isinstance(variable_of(formula, name), Symbol) for name in self.wrt):
            return None
        for name in self.wrt:
            node = one_pass(formula, node, [name], self.convention)[0]
        return node

    # -- in words

    @cached_property
    def signals(self) -> Signals | None:
        """The signals of a backward pass that are worth names, where this is a gradient that may use them."""
        adjoint = self.convention in ("projected", "entries")
        if len(self.wrt) > 1 or self.outputs or not self.formula.intermediates or not adjoint:
            return None
        found = signals_of(self.formula, self.convention)
        return found if found.definitions else None

    @cached_property
    def short_expr(self) -> Expr:
        """In terms of the formula's named intermediates."""
        return self._laid_out(rebuild(self.node, in_words(self.formula)))

    @cached_property
    def worded(self) -> tuple[Expr, Definitions]:
        """The same or, where that is long, in terms of signals; and the signals that it may use."""
        if self.signals is not None:
            expr = self._laid_out(self.signals.node(self.wrt[0]))
            if self.signals.length(expr) > LONG:
                return expr, list(self.signals.definitions.items())
        return self.short_expr, []

    @cached_property
    def reading(self) -> Program:
        """For a reader: with names for what it repeats, too."""
        formula, typed = self.formula, self.formula.typed
        known = {**formula.symbols, **formula.intermediates}
        body, signals = self.worded
        taken = {*known, *typed.functions, *typed.dimensions, *CARDS}
        if signals:
            return Program((), body)
        found, other = with_names(body, known, taken), self._by_quotient_rule(taken)
        # the quotient itself stands before the reader's eyes
        return other if other is not None and length_of(other, known=1) < length_of(found) else found

    def _by_quotient_rule(self, taken: set[str]) -> Program | None:
        """The Hessian of a quotient, in terms of the quotient and its gradient."""
        formula = self.formula
        x = formula.symbols.get(self.wrt[0])
        if len(self.wrt) != 2 or self.wrt[1] != self.wrt[0] or not isinstance(x, Symbol) or formula.intermediates:
            return None
        names = fresh("rqs", {*taken}), fresh("gh", {*taken})
        found = quotient_rule(formula.node, x, names)
        if found is None:
            return None
        recovery = formula.reading_with(names)
        types = dict(zip(names, (SCALAR_TYPE, of_order(x.shape)), strict=True))
        gradient, hessian = (readable(formula, recovery.formula(bounded(node)), **types) for node in found)
        value = recovery.formula(formula.node)
        return Program(((names[0], value), (names[1], gradient)), hessian)

    @property
    def definitions(self) -> Definitions:
        """The intermediates and signals that ``worded`` needs, directly or not, in order."""
        expr, signals = self.worded
        wanted = set(names(expr))
        needed: Definitions = []
        for name, value in reversed([*self.formula.program.definitions, *signals]):
            if name in wanted:
                needed.append((name, value))
                wanted.update(names(value))
        return needed[::-1]

    # -- as programs

    @property
    def program(self) -> Program:
        """In terms of the formula's intermediates and of signals."""
        return Program(tuple(self.definitions), self.worded[0])

    @property
    def whole(self) -> Program:
        """In full, or in words where that is too large to be written."""
        try:
            return Program(self.formula.program.definitions, self.expr)
        except NotSupported:
            return self.program

    @property
    def below_program(self) -> Program:
        """What this is the derivative of: the formula, or the derivative of the order below."""
        if len(self.wrt) == 1:
            return self.formula.program
        return Program(self.formula.program.definitions, self.formula.recovery.formula(self.below))
