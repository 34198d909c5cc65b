"""Coefficients of differentials, found in the tensor graph and read back in the names of the derivation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from matgrad.answer.formula import Formula
from matgrad.differentiate.transpose import derivative
from matgrad.errors import NotSupported
from matgrad.explaining.trees import named, sizes_by_name, tidied
from matgrad.formula.declarations import SPACES
from matgrad.formula.signatures import SIZES_OF
from matgrad.formula.syntax import MATRIX, ROW, SCALAR_TYPE, VECTOR, Expr, Program, Type, walk
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Node, Symbol
from matgrad.translate.algebra import addition, call, cost, negative, of_order, times, transposed
from matgrad.translate.kronecker import kronecker
from matgrad.translate.lower import lower_expression
from matgrad.translate.recover import Recovery


class Coefficients:
    """The names of a program as opaque symbols, so that answers are in terms of them."""

    def __init__(self, formula: Formula, program: Program, of: Mapping[str, str], free: Collection[str] = ()) -> None:
        """Intermediates in ``free`` are not known to be symmetric: their derivatives are then the free ones."""
        self.plain = False
        parts = [value for _, value in formula.program.definitions] + [formula.program.body]
        self.named_sizes = not any(e.op == "call" and e.value.name in SIZES_OF for part in parts for e in walk(part))
        self.symbols: dict[str, Node] = dict(formula.symbols)
        written: dict[Node, Expr] = {}
        for name, value in program.definitions:
            node = self._lowered(value, written)
            traits = frozenset({"symmetric"}) if name not in free and b.is_symmetric(node) else frozenset[str]()
            self.symbols[name] = b.symbol(name, node.shape, traits)
        self._lowered(program.body, written)
        for name, differential in of.items():
            own = self.symbols[name]
            traits = own.traits & SPACES if isinstance(own, Symbol) and name in formula.symbols else frozenset()
            self.symbols[differential] = b.symbol(differential, own.shape, traits)
        order = [n.value for part in (*(v for _, v in program.definitions), program.body) for n in walk(part)
                 if n.op == "name"]  # fmt: skip
        self.recovery = Recovery(list(dict.fromkeys([*order, *self.symbols])), self._sizes(formula), written)

    def _sizes(self, formula: Formula) -> dict[str, Expr]:
        """What sizes are called: n for length(x), unless the formula says length(x) itself or something else is n."""
        return {
            dim: sizes_by_name(size, self.symbols) if self.named_sizes else size
            for dim, size in formula.recovery.sizes.items()
        }

    def final(self, expr: Expr) -> Expr:
        """The answer of ``derive`` with sizes called as in the derivation."""
        return sizes_by_name(expr, self.symbols) if self.named_sizes else expr

    def _lowered(self, expr: Expr, written: dict[Node, Expr]) -> Node:
        """The graph of a part; the sums in it are remembered as they were written."""
        for part in walk(expr):
            if part.op == "add" and part.kind != ROW and len(part.dims) < 3:
                written.setdefault(self.node(part), part)
        return self.node(expr)

    def add(self, name: str, type: Type, traits: frozenset[str] = frozenset()) -> None:
        self.symbols[name] = b.symbol(name, type.dims, traits)

    def type_of(self, name: str) -> Type:
        return of_order(self.symbols[name].shape)

    def node(self, expr: Expr) -> Node:
        return lower_expression(expr, self.symbols)

    def tidy(self, expr: Expr) -> Expr:
        """The formula in its normal form, where that is not longer."""
        try:
            found = self.formula(self.node(expr))
        except NotSupported:
            return expr
        if found.op == "einsum" or not printable(found) or found.kind != expr.kind or cost(found) > cost(expr):
            return expr
        return found

    def coefficient(self, expr: Expr, differential: str, *, projected: bool = False) -> Node:
        """What a formula linear in a differential multiplies it by: axes of the formula, then of the variable."""
        return derivative(self.node(expr), self.symbols[differential], "projected" if projected else "ignore")

    def formula(self, node: Node) -> Expr:
        """The node in words; NotSupported where the fused axes of a Kronecker product leave it without any."""
        if self.plain:
            raise NotSupported("coefficients are not gathered")
        try:
            found = self.recovery.formula(node)
        except KeyError as error:
            raise NotSupported("a coefficient has no printable form") from error
        if not printable(found):
            raise NotSupported("a coefficient has no printable form")
        return found

    def gathered(self, expr: Expr, differentials: list[str]) -> Expr:
        """A scalar as the sum of g'*dx, tr(M*dX) and c*dt, one term for each differential."""
        terms = [self.paired(self.coefficient(expr, d), d) for d in differentials]
        return tidied(addition(terms)) if terms else expr

    def paired(self, gradient: Node, differential: str) -> Expr:
        type_ = of_order(self.symbols[differential].shape)
        d = named(differential, type_)
        if type_.kind == MATRIX:
            return _signed(self.formula(b.transpose(gradient)), lambda m: call("tr", times(m, d), type=SCALAR_TYPE))
        found = self.formula(gradient)
        return _signed(found, lambda g: times(transposed(g) if type_.kind == VECTOR else g, d))

    def kronecker(self, node: Node, outputs: int) -> Expr | None:
        if self.plain:
            return None
        try:
            return kronecker(node, outputs, self.recovery.formula, self.recovery.size)
        except NotSupported:
            return None


def has_words(expr: Expr) -> bool:
    """Whether no part of a recovered formula is a placeholder."""
    return not any(node.op == "name" and node.value.startswith("<") for node in walk(expr))


def printable(expr: Expr) -> bool:
    """Whether a recovered formula has words for everything in it."""
    return has_words(expr) and not any(node.op == "einsum" and "(" in node.value for node in walk(expr))


def _signed(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """``change`` of a formula, with its sign and leading number kept outside."""
    if expr.op == "neg":
        return negative(_signed(expr.args[0], change))
    if expr.op == "product" and expr.args[0].op == "number" and expr.value[0] == "*":
        rest = times(*expr.args[1:]) if set(expr.value[1:]) <= {"*"} else None
        if rest is not None and rest.kind == expr.kind:
            return times(expr.args[0], change(rest))
    return change(expr)
