"""The chain rule as a product: for F(x) = g(y(x), x), ∂F/∂x = ∂g/∂y · ∂y/∂x (+ ∂g/∂x where x stands in g as well)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from matgrad.analysis.closed import declarations
from matgrad.analysis.maps import Pullback, Pushforward, jacobian_operator
from matgrad.analysis.report import labelled
from matgrad.answer.derivative import Derivative
from matgrad.answer.deriving import derivative_of
from matgrad.answer.differentiation import variable_of
from matgrad.answer.formula import Formula
from matgrad.api import parse
from matgrad.errors import MatgradError
from matgrad.formula.declarations import Declaration, Where
from matgrad.formula.syntax import Expr, walk
from matgrad.objects.asking import Name, Text, names
from matgrad.translate.algebra import of_order

Array = Any


def composition(
    formula: Text, through: str, wrt: Name, *, inner: Text | None = None, where: Where = None
) -> Composition:
    """The Jacobian of a composition as the product of two, which is used without forming either.

    ``formula`` defines the intermediate ``through`` itself, ``"y = tanh(A*x); sin(B*y)"``; or it is a formula in
    ``through``, and ``inner`` is what that stands for.

    >>> c = composition("y = tanh(A*x); sin(B*y)", "y", "x")
    >>> print(c.outer.text, "times", c.inner.text)
    diag(cos(B*y))*B times diag(1 - tanh(A*x).^2)*A
    >>> print(composition("norm2(y)^2", "y", "x", inner="A*x - b").pullback_text)
    y = A*x - b; ybar = 2*fbar*y; xbar = A'*ybar
    """
    if inner is not None:
        if not isinstance(formula, str) or not isinstance(inner, str):
            raise MatgradError(
                "with inner, both formulas are text", hint='composition("sin(B*y)", "y", "x", inner="A*x")'
            )
        formula = f"{through} = ({inner}); {formula}"
    typed = formula if isinstance(formula, Formula) and where is None else parse(formula, where=where)
    (one,) = names(wrt) if len(names(wrt)) == 1 else ("",)
    if not one:
        raise MatgradError("the product of two Jacobians is in one variable", hint='wrt="x"')
    return Composition(typed, through, one)


class Composition:
    """Two Jacobians, whose product is that of the composition. Made by :func:`composition`."""

    def __init__(self, formula: Formula, through: str, wrt: str) -> None:
        self.formula, self.through, self.wrt = formula, through, wrt
        defined = dict(formula.program.definitions)
        if through not in defined:
            raise MatgradError(
                f"{through} is no intermediate of the formula",
                details=f"its intermediates are {', '.join(defined)}" if defined else "it has none",
                hint=f"{through} = …; {formula.text}",
            )
        variable_of(formula, wrt)
        self.inside = self._part(_before(formula, through), defined[through])
        self.outside = self._part([name for name in defined if name != through], formula.program.body)

    def _part(self, allowed: Sequence[str], body: Expr) -> Formula:
        """A formula of this body with those of the definitions that it uses; ``through`` is a variable otherwise."""
        wanted, steps = _names(body), []
        for name, value in reversed(self.formula.program.definitions):
            if name in wanted and name in allowed:
                steps.append(f"{name} = {self.formula.print(value)}")
                wanted |= _names(value)
        node = self.formula.intermediates[self.through]
        type_ = of_order(node.shape)
        known = {**declarations(self.formula), self.through: Declaration(type_.kind, type_.dims)}
        text = "; ".join([*reversed(steps), self.formula.print(body)])
        defined = dict(self.formula.program.definitions)
        kept = {n: d for n, d in known.items() if n in wanted and (n == self.through or n not in defined)}
        return Formula(text, kept, expect=body.type)

    # -- the two factors

    @cached_property
    def outer(self) -> Derivative:
        """∂F/∂y, at y as a variable of its own."""
        return derivative_of(self.outside, [self.through])[0]

    @cached_property
    def inner(self) -> Derivative:
        """∂y/∂x."""
        return derivative_of(self.inside, [self.wrt])[0]

    @cached_property
    def direct(self) -> Derivative | None:
        """∂F/∂x with y held fixed, where x stands outside of y too; None where all goes through y."""
        if self.wrt not in self.outside.symbols:
            return None
        return derivative_of(self.outside, [self.wrt])[0]

    @property
    def text(self) -> str:
        """The product, as it is read: of a scalar, whose gradients are columns, (∂y/∂x)' times that in y."""
        x, y = self.wrt, self.through
        gradient = not self.formula.node.shape and self.inside.node.shape
        factors = f"(∂{y}/∂{x})' · ∂F/∂{y}" if gradient else f"∂F/∂{y} · ∂{y}/∂{x}"
        product = f"∂F/∂{x} = {factors}"
        return product if self.direct is None else f"{product} + ∂F/∂{x} with {y} fixed"

    # -- forward and backward, one factor after the other

    @cached_property
    def _forward(self) -> tuple[Pushforward, Pushforward]:
        both = (self.through,) if self.direct is None else (self.through, self.wrt)
        return Pushforward(self.inside, (self.wrt,)), Pushforward(self.outside, both)

    @cached_property
    def _backward(self) -> tuple[Pullback, Pullback]:
        both = (self.through,) if self.direct is None else (self.through, self.wrt)
        return Pullback(self.outside, both), Pullback(self.inside, (self.wrt,))

    @property
    def pushforward_text(self) -> str:
        """dx ↦ dy ↦ dF, as a program: neither Jacobian is formed."""
        first, second = self._forward
        return f"{self._link}; d{self.through} = {first.text}; dF = {second.text}"

    @property
    def pullback_text(self) -> str:
        """F̄ ↦ ȳ ↦ x̄, as a program: neither Jacobian is formed."""
        first, second = self._backward
        (bar,), (link,) = first.arguments, second.arguments
        top = "fbar" if not self.formula.node.shape else "Fbar"
        texts = [_renamed(first.formula.print(expr), bar, top) for expr in first.exprs]
        down = _renamed(second.text, link, f"{self.through}bar")
        direct = f" + {texts[1]}" if len(texts) > 1 else ""
        return f"{self._link}; {self.through}bar = {texts[0]}; {self.wrt}bar = {down}{direct}"

    @property
    def _link(self) -> str:
        inside = self.inside
        steps = [*inside.program.definitions, (self.through, inside.program.body)]
        return "; ".join(f"{name} = {inside.print(value)}" for name, value in steps)

    def matvec(self, direction: Any, /, **arrays: Any) -> Any:
        """J dx: through the inner map, then through the outer one."""
        first, second = self._forward
        link = self._value(arrays)
        moved = first(direction, **self._known(self.inside, arrays))
        directions = {self.through: moved} | ({} if self.direct is None else {self.wrt: direction})
        return second(directions, **self._known(self.outside, {**arrays, self.through: link}))

    def rmatvec(self, bar: Any, /, **arrays: Any) -> Any:
        """Jᵀ F̄: back through the outer map, then through the inner one."""
        first, second = self._backward
        found = first(bar, **self._known(self.outside, {**arrays, self.through: self._value(arrays)}))
        parts = found if isinstance(found, dict) else {self.through: found}
        pulled = second(parts[self.through], **self._known(self.inside, arrays))
        return pulled if self.direct is None else np.asarray(pulled) + parts[self.wrt]

    def _value(self, arrays: Mapping[str, Any]) -> Array:
        return self.inside(**self._known(self.inside, arrays))

    def _known(self, formula: Formula, arrays: Mapping[str, Any]) -> dict[str, Any]:
        typed = formula.typed
        wanted = {*typed.variables, *typed.functions, *formula.sizes_needed()}
        return {name: value for name, value in arrays.items() if name in wanted}

    def factors(self, **arrays: Any) -> tuple[Any, Any]:
        """Both Jacobians at a point as ``scipy.sparse.linalg.LinearOperator``: their product is ``A @ B``."""
        at = {**arrays, self.through: self._value(arrays)}
        outer = jacobian_operator(self.outside, self._known(self.outside, at), self.through)
        return outer, jacobian_operator(self.inside, self._known(self.inside, arrays), self.wrt)

    def __str__(self) -> str:
        x, y = self.wrt, self.through
        lines = [
            ("formula", self.formula.text),
            ("chain rule", self.text),
            (f"∂F/∂{y}", self.outer.text),
            (f"∂{y}/∂{x}", self.inner.text),
        ]
        if self.direct is not None:
            lines.append((f"{y} fixed", self.direct.text))
        return labelled([*lines, ("forward", self.pushforward_text), ("backward", self.pullback_text)])

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain data for JSON."""
        return {
            "formula": self.formula.text,
            "through": self.through,
            "wrt": self.wrt,
            "outer": self.outer.text,
            "inner": self.inner.text,
            "direct": None if self.direct is None else self.direct.text,
            "pushforward": self.pushforward_text,
            "pullback": self.pullback_text,
        }


def _before(formula: Formula, through: str) -> list[str]:
    """The intermediates that are defined before this one."""
    found = []
    for name, _ in formula.program.definitions:
        if name == through:
            break
        found.append(name)
    return found


def _names(expr: Expr) -> set[str]:
    return {e.value if e.op == "name" else e.value.name for e in walk(expr) if e.op in ("name", "call")}


def _renamed(text: str, old: str, new: str) -> str:
    import re

    return re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", new, text)
