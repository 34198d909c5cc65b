"""Signs: a difference u - v that the formula does not have itself may be written v - u, to take up a minus."""

from __future__ import annotations

from collections.abc import Collection

from matgrad.formula.syntax import Expr
from matgrad.translate.algebra import negated
from matgrad.translate.terms import Term


class Differences:
    """``typed`` are the sums of the formula, which stay as they are."""

    def __init__(self, typed: Collection[Expr]) -> None:
        self._typed = typed

    def _turns(self, expr: Expr) -> bool:
        """Whether it is a difference that the formula does not have itself."""
        if expr.op != "add" or all(a.op != "neg" for a in expr.args):
            return False
        return expr not in self._typed and negated(expr) not in self._typed

    def negated(self, product: Expr) -> Expr:
        """-product, with the sign taken into the sum that factoring left behind."""
        for k, arg in enumerate(product.args):
            if self._turns(arg):
                return product.replace(args=_with(product.args, k, self._all_positive(negated(arg))))
        return negated(product)

    def _all_positive(self, expr: Expr) -> Expr:
        """A - (C - B)*S as A + (B - C)*S."""
        args = list(expr.args)
        for k, term in enumerate(args):
            if term.op == "neg" and term.args[0].op == "product":
                turned = self._one_turned(term.args[0].args)
                if turned is not None:
                    args[k] = term.args[0].replace(args=turned)
        return expr.replace(args=tuple(args))

    def upright(self, term: Term) -> Term:
        """-(u - v)*w as (v - u)*w."""
        if term.coefficient.numerator > 0:
            return term
        chain = self._one_turned(term.chain)
        if chain is not None:
            return term._replace(coefficient=-term.coefficient, chain=chain)
        scalars = self._one_turned(term.scalars)
        if scalars is not None:
            return term._replace(coefficient=-term.coefficient, scalars=scalars)
        return term

    def _one_turned(self, factors: tuple[Expr, ...]) -> tuple[Expr, ...] | None:
        """The factors with the first difference among them turned; None where there is none."""
        place = next((k for k, factor in enumerate(factors) if self._turns(factor)), None)
        return None if place is None else _with(factors, place, negated(factors[place]))


def _with(args: tuple[Expr, ...], place: int, arg: Expr) -> tuple[Expr, ...]:
    return (*args[:place], arg, *args[place + 1 :])
