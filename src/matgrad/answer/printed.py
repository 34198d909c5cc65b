"""What is printed of a derivative, as formula trees: in full, in the formula's own words, as a matrix on vec."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from matgrad.answer.action import Action
from matgrad.answer.differentiation import chain, one_pass, variable_of
from matgrad.answer.formula import Formula
from matgrad.answer.layout import laid_out
from matgrad.answer.quotients import quotient_rule
from matgrad.answer.reading import bounded, readable
from matgrad.answer.riemannian import RIEMANNIAN
from matgrad.answer.signals import LONG, Signals, signals_of
from matgrad.answer.words import Words, words_of
from matgrad.errors import NotSupported
from matgrad.formula.syntax import SCALAR_TYPE, Expr, Program
from matgrad.functions import CARDS
from matgrad.stabilising.ahead import ahead
from matgrad.tensor.nodes import Node, Symbol
from matgrad.tensor.rebuild import rebuild
from matgrad.translate.algebra import names, of_order
from matgrad.translate.kronecker import kronecker
from matgrad.translate.naming import fresh, length_of, with_names
from matgrad.translate.recover import Recovery

Definitions = list[tuple[str, Expr]]
FEW = 5
"""Named intermediates up to which ``short`` is sought in the full text, too; deep programs are not written out."""
SMALL = 400
"""The size of the graph up to which it is."""


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
        return self._laid_out(self._expanded, self.formula.recovery)

    @property
    def _expanded(self) -> Node:
        return rebuild(self.node, {}, expand=True) if self.formula.intermediates else self.node

    def _laid_out(self, node: Node, recovery: Recovery) -> Expr:
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
        found = signals_of(self.formula, self.convention, self._free)
        return found if found.definitions else None

    @property
    def _free(self) -> list[str]:
        """The intermediates that are differentiated in."""
        return [name for name in self.wrt if name in self.formula.intermediates]

    @property
    def _words(self) -> Words:
        return words_of(self.formula, self._free)

    @cached_property
    def short_expr(self) -> Expr:
        """In terms of the formula's named intermediates."""
        return self._laid_out(rebuild(self.node, self._words.replaced()), self._words.recovery)

    @cached_property
    def worded(self) -> tuple[Expr, Definitions]:
        """The same or, where that is long, in terms of signals; and the signals that it may use."""
        if self.signals is not None:
            expr = self._laid_out(self.signals.node(self.wrt[0]), self._words.recovery)
            if self.signals.length(expr) > LONG:
                return expr, list(self.signals.definitions.items())
        return self.short_expr, []

    @cached_property
    def reading(self) -> Program:
        """For a reader: with names for what it repeats, too."""
        formula, typed = self.formula, self.formula.typed
        known = {**formula.symbols, **self._words.names}
        body, signals = self.worded
        taken = {*known, *typed.functions, *typed.dimensions, *CARDS}
        found = Program((), body) if signals else with_names(body, known, taken)
        length = length_of(Program(tuple(needed([body], signals)), body) if signals else found)
        other = self._by_quotient_rule(taken)
        if other is not None and length_of(other, known=1) < length:  # the quotient stands before the reader's eyes
            return other
        other = self._with_typed_names(taken)
        return other if other is not None and length_of(other) < length else found

    def _with_typed_names(self, taken: set[str]) -> Program | None:
        """The text with the formula's names for its parts: what cancels only in full is not in it."""
        formula = self.formula
        if not 0 < len(formula.intermediates) <= FEW or self._free or self._expanded.extent > SMALL:
            return None
        values = {name: rebuild(node, {}, expand=True) for name, node in formula.intermediates.items()}
        given = {name: (formula.recovery.formula(value), value) for name, value in values.items()}
        return with_names(self.expr, formula.symbols, taken, given)

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
        return needed([expr], [*self.formula.program.definitions, *signals])

    @property
    def reading_definitions(self) -> Definitions:
        """The same of ``reading``, and its own."""
        own = self.reading.definitions
        roots = [self.reading.body, *[value for _, value in own]]
        return [*needed(roots, [*self.formula.program.definitions, *self.worded[1]]), *own]

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


def needed(roots: Sequence[Expr], definitions: Sequence[tuple[str, Expr]]) -> Definitions:
    """The definitions that formulas need, directly or not, in order."""
    wanted = {name for root in roots for name in names(root)}
    found: Definitions = []
    for name, value in reversed(definitions):
        if name in wanted:
            found.append((name, value))
            wanted.update(names(value))
    return found[::-1]
