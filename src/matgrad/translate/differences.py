"""Signs: a difference u - v that the formula does not have itself may be written v - u, to take up a minus."""

from __future__ import annotations

from collections.abc import Collection

from matgrad.formula.syntax import Expr
from matgrad.translate.algebra import negated
from matgrad.translate.terms import Term, together


class Differences:
    """``typed`` are the sums of the formula, which stay as they are."""

    def __init__(self, typed: Collection[Expr]) -> None:
        self._typed = typed

    def _turns(self, expr: Expr) -> bool:
        """Whether it is a difference that the formula does not have itself."""
        if expr.op != "add" or all(a.op != "neg" for a in expr.args):
            return False
        terms = {*expr.args}
        return negated(expr) not in self._typed and not any(terms.issuperset(typed.args) for typed in self._typed)

    def negated(self, product: Expr) -> Expr:
        """-product, with the sign taken into the sum that factoring left behind; -sum, with differences turned."""
        if product.op == "add":
            turned = self._all_positive(negated(product))
            return turned if turned.args[0].op != "neg" else negated(negated(turned))
        for k, arg in enumerate(product.args):
            if self._turns(arg):
                return product.replace(args=_with(product.args, k, self._all_positive(self._turned(arg))))
        return negated(product)

    def _turned(self, total: Expr) -> Expr:
        """-total, with the terms of a sum of the formula side by side."""
        turned = negated(total)
        return turned.replace(args=tuple(together(turned.args, self._typed))) if turned.op == "add" else turned

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
        """The factors with the first difference among them turned, or in one of them; None where there is none."""
        place = next((k for k, factor in enumerate(factors) if self._turns(factor)), None)
        if place is not None:
            return _with(factors, place, self._turned(factors[place]))
        for k, factor in enumerate(factors):
            turned = self._turned_inside(factor)
            if turned is not None:
                return _with(factors, k, turned)
        return None

    def _turned_inside(self, expr: Expr) -> Expr | None:
        """-expr, with the sign in a difference within: diag(u.*(1 - v)) for -diag(u.*(v - 1)); not 1 - p as p - 1."""
        if self._turns(expr):
            return None if expr.args[0].op == "number" else negated(expr)
        linear = expr.op == "call" and expr.value.name in ("diag", "sum") and expr.value.dim is None
        above = expr.args[:1] if linear or expr.op == "transpose" else expr.args if expr.op == "product" else ()
        for k, arg in enumerate(above):
            if expr.op != "product" or k == 0 or expr.value[k - 1] in ("*", ".*"):
                turned = self._turned_inside(arg)
                if turned is not None:
                    return expr.replace(args=_with(expr.args, k, turned))
        return None


def _with(args: tuple[Expr, ...], place: int, arg: Expr) -> tuple[Expr, ...]:
    return (*args[:place], arg, *args[place + 1 :])
