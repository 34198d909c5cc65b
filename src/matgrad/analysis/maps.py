"""The derivative as a linear map, forward and backward, in closed forms that never build the Jacobian.

The pushforward takes changes of the variables to the change of the value, dx ↦ J dx; the pullback takes a vector on the
value's axes to one on the variables', ȳ ↦ Jᵀ ȳ. They are adjoint: ⟨ȳ, J dx⟩ = ⟨Jᵀ ȳ, dx⟩.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from matgrad.analysis.setting import Evaluator, Setting, bound_at
from matgrad.answer.differentiation import refuse_exponents, variable_of
from matgrad.answer.formula import Formula
from matgrad.answer.reading import bounded, readable
from matgrad.answer.words import words_of
from matgrad.api import parse
from matgrad.differentiate.tangent import tangent
from matgrad.differentiate.transpose import derivatives
from matgrad.errors import DataError, NotSupported
from matgrad.formula.declarations import SPACES, Declaration, Where
from matgrad.formula.latex import to_latex
from matgrad.formula.printing import ATOM, Piece
from matgrad.formula.syntax import Expr, Type, walk
from matgrad.objects.asking import Name, Text, names
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Node, Symbol
from matgrad.tensor.rebuild import rebuild
from matgrad.translate.algebra import of_order
from matgrad.translate.recover import Recovery

Array = Any
Sizes = Mapping[str, int] | None


def pushforward(formula: Text, wrt: Name | Sequence[Name], *, where: Where = None) -> Pushforward:
    """dx ↦ J dx: the change of the formula's value, to first order, along a direction in ``wrt``.

    Of several variables, the sum of what each contributes. Made by one forward pass: no Jacobian is formed.

    >>> print(pushforward("A*softmax(B*x)", "x"))
    dx ↦ A*(softmax(B*x).*(B*dx - softmax(B*x)'*B*dx))
    >>> print(pushforward("A*X", ["A", "X"]))
    (dA, dX) ↦ A*dX + dA*X
    >>> import numpy as np
    >>> pushforward("[x[1]^2 + x[2]; x[1]*x[2]]", "x")([1.0, 0.0], x=np.array([1.0, 2.0]))
    array([2., 2.])
    """
    return Pushforward(_formula(formula, where), tuple(names(wrt)))


def pullback(formula: Text, wrt: Name | Sequence[Name], *, where: Where = None) -> Pullback:
    """ȳ ↦ Jᵀ ȳ: what a vector on the value's axes is on the variable's, as in backpropagation.

    Of several variables, one result each. Made by one backward pass from ȳ: no Jacobian is formed.

    >>> print(pullback("A*softmax(B*x)", "x"))
    ybar ↦ B'*(softmax(B*x).*(A'*ybar - ybar'*A*softmax(B*x)))
    >>> print(pullback("A*X", ["A", "X"]))
    Ybar ↦ (Ybar*X', A'*Ybar)
    >>> import numpy as np
    >>> pullback("[x[1]^2 + x[2]; x[1]*x[2]]", "x")([1.0, 0.0], x=np.array([1.0, 2.0]))
    array([2., 1.])
    """
    return Pullback(_formula(formula, where), tuple(names(wrt)))


def _formula(formula: Text, where: Where) -> Formula:
    return formula if isinstance(formula, Formula) and where is None else parse(formula, where=where)


class _Map:
    """What both directions share: graphs in the formula's words and in those of the arguments of the map."""

    def __init__(self, formula: Formula, wrt: tuple[str, ...]) -> None:
        self.formula = formula
        self.wrt = wrt
        self._variables = {name: variable_of(formula, name) for name in wrt}
        for variable in self._variables.values():
            refuse_exponents(formula, variable)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.formula, self.wrt))

    @cached_property
    def arguments(self) -> dict[str, Symbol]:
        """What the map acts on: its names and their symbols."""
        raise NotImplementedError

    @cached_property
    def _nodes(self) -> list[Node]:
        """The values, as graphs."""
        raise NotImplementedError

    def _fresh(self, name: str) -> str:
        typed = self.formula.typed
        taken = {*typed.variables, *self.formula.intermediates, *typed.dimensions, *typed.functions}
        while name in taken:
            name += "_"
        return name

    def _read(self, node: Node, recovery: Recovery) -> Expr:
        types = {name: of_order(symbol.shape) for name, symbol in self.arguments.items()}
        return readable(self.formula, recovery.formula(bounded(node)), **types)

    @cached_property
    def exprs(self) -> list[Expr]:
        """The values, with intermediates replaced by what they are."""
        return [self._worded(node, expand=True) for node in self._nodes]

    @cached_property
    def short_exprs(self) -> list[Expr]:
        """The values in terms of the formula's intermediates."""
        return [self._worded(node, expand=False) for node in self._nodes]

    def _worded(self, node: Node, *, expand: bool) -> Expr:
        words = words_of(self.formula)
        if expand:
            return self._read(rebuild(node, {}, expand=True), self.formula.recovery)
        return self._read(rebuild(node, words.replaced()), words.recovery)

    def formulas(self) -> list[Formula]:
        """The values as formulas of the variables and of the map's arguments, with the intermediates they use."""
        return [self._formula(expr) for expr in self.short_exprs]

    def _formula(self, expr: Expr) -> Formula:
        """The value as a formula: the names of this one, their sizes too, are its context."""
        steps: list[tuple[str, Expr]] = []
        wanted = _occurring(expr)
        for name, value in reversed(self.formula.program.definitions):
            if name in wanted:
                steps.append((name, value))
                wanted |= _occurring(value)
        text = [f"{name} = {self.formula.print(value)}" for name, value in reversed(steps)]
        where = {name: _declared(symbol) for name, symbol in self.arguments.items() if name in wanted}
        return Formula("; ".join([*text, self.formula.print(expr)]), where, self.formula.typed, expr.type)

    @cached_property
    def _functions(self) -> list[Evaluator]:
        return [Evaluator(formula) for formula in self.formulas()]

    def _values(self, given: Mapping[str, Any], arrays: Mapping[str, Any], sizes: Sizes = None) -> list[Any]:
        """The values at arguments and arrays by name; these are checked, unless ``sizes`` says that they were."""
        known, sizes = (arrays, sizes) if sizes is not None else bound_at(self.formula, arrays)
        for name, symbol in self.arguments.items():
            shape = tuple(dim.evaluate(sizes) for dim in symbol.shape)
            if np.shape(given[name]) != shape:
                raise DataError(f"{name} has the shape {np.shape(given[name])}, not {shape}")
        return [function(**{**sizes, **known, **given}) for function in self._functions]

    @property
    def text(self) -> str:
        """The value, or the values in brackets; it can be read back."""
        return _joined([self.formula.print(expr) for expr in self.exprs])

    @property
    def short(self) -> str:
        """Like ``text``, with the formula's intermediates."""
        return _joined([self.formula.print(expr) for expr in self.short_exprs])

    @property
    def latex(self) -> str:
        return _joined([self._latex(expr) for expr in self.exprs])

    def _latex(self, expr: Expr) -> str:
        special = {name: Piece(ATOM, (latex,)) for name, latex in {**self.formula.spelled, **self._spelled()}.items()}
        return to_latex(expr, special)

    def _spelled(self) -> dict[str, str]:
        raise NotImplementedError

    def __str__(self) -> str:
        return f"{_joined(list(self.arguments))} ↦ {self.text}"

    def __repr__(self) -> str:
        return f"<{self}>"


class Forward(_Map):
    """Maps of the directions dx, of which the pushforward is one."""

    @cached_property
    def arguments(self) -> dict[str, Symbol]:
        found = {}
        for name, variable in self._variables.items():
            traits = variable.traits & SPACES if isinstance(variable, Symbol) else frozenset()
            direction = self._fresh("d" + name)
            found[direction] = _symbol(direction, variable, traits)
        return found

    @cached_property
    def directions(self) -> dict[Node, Node]:
        """Each variable's direction."""
        return dict(zip(self._variables.values(), self.arguments.values(), strict=True))

    @cached_property
    def differential(self) -> Node:
        """dF[dx]."""
        try:
            return tangent(self.formula.node, self.directions)
        except NotSupported:  # X^k: what has a derivative in closed form, such as tr(X^k), has a differential
            return _contracted(self.formula.node, self.directions)

    def along(self, direction: Any, arrays: Mapping[str, Any], sizes: Sizes = None) -> Any:
        """The value for one direction, or for a mapping of them by variable; ``sizes`` of arrays that were checked."""
        given = direction if isinstance(direction, Mapping) else {self.wrt[0]: direction}
        if set(given) != set(self.wrt):
            raise DataError(
                f"directions are given for {', '.join(map(str, given))}, and the map is in {', '.join(self.wrt)}",
                hint="{" + ", ".join(f'"{name}": …' for name in self.wrt) + "}",
            )
        named = {d: given[name] for d, name in zip(self.arguments, self.wrt, strict=True)}
        return self._values(named, arrays, sizes)[0]

    def _spelled(self) -> dict[str, str]:
        shown = [self.formula.print_latex(_name(name, v)) for name, v in self._variables.items()]
        return {d: rf"\mathrm{{d}}{latex}" for d, latex in zip(self.arguments, shown, strict=True)}


class Pushforward(Forward):
    """dx ↦ J dx. Called with the direction, or with a mapping of them by variable, and the arrays by name."""

    @cached_property
    def _nodes(self) -> list[Node]:
        return [self.differential]

    def __call__(self, direction: Any, /, **arrays: Any) -> Any:
        return self.along(direction, arrays)


class Pullback(_Map):
    """ȳ ↦ Jᵀ ȳ. Called with ȳ and the arrays by name; of several variables it gives a mapping by name."""

    @cached_property
    def arguments(self) -> dict[str, Symbol]:
        node = self.formula.node
        name = self._fresh("Ybar" if len(node.shape) == 2 else "ybar")
        return {name: _symbol(name, node)}

    @cached_property
    def _nodes(self) -> list[Node]:
        (bar,) = self.arguments.values()
        node, axes = self.formula.node, tuple(range(len(bar.shape)))
        return derivatives(b.einsum([(node, axes), (bar, axes)], ()), list(self._variables.values()))

    def __call__(self, bar: Any, /, **arrays: Any) -> Any:
        return self.back(bar, arrays)

    def back(self, bar: Any, arrays: Mapping[str, Any], sizes: Sizes = None) -> Any:
        """The values for ȳ; ``sizes`` of arrays that were checked."""
        values = self._values(dict.fromkeys(self.arguments, bar), arrays, sizes)
        return values[0] if len(values) == 1 else dict(zip(self.wrt, values, strict=True))

    def _spelled(self) -> dict[str, str]:
        (bar,) = self.arguments
        letter = "Y" if bar.startswith("Y") else "y"
        shown = rf"\mathbf{{{letter}}}" if self.formula.node.shape else letter
        return {bar: rf"\bar{{{shown}}}"}


def jacobian_operator(
    formula: Text, at: Mapping[str, Any], wrt: Name | Sequence[Name] | None = None, *, where: Where = None
) -> Any:
    """The Jacobian at a point as a ``scipy.sparse.linalg.LinearOperator`` on coordinates, built of both maps.

    >>> import numpy as np
    >>> J = jacobian_operator("[x[1]^2 + x[2]; x[1]*x[2]]", {"x": [1, 2]})
    >>> J @ np.array([1.0, 0.0]), J.T @ np.array([1.0, 0.0])
    (array([2., 2.]), array([2., 1.]))
    """
    from scipy.sparse.linalg import LinearOperator

    setting = Setting(formula, at, wrt, where)
    forward, backward = Pushforward(setting.formula, setting.wrt), Pullback(setting.formula, setting.wrt)
    coordinates, shape = setting.coordinates, setting.shape

    def push(direction: Array) -> Array:
        moves = coordinates.arrays(np.reshape(direction, -1))
        return np.reshape(forward.along(moves, setting.arrays, setting.sizes), -1)

    def pull(bar: Array) -> Array:
        found = backward.back(np.reshape(bar, shape), setting.arrays, setting.sizes)
        by_name = found if isinstance(found, dict) else {setting.wrt[0]: found}
        parts = [np.reshape(coordinates.columns(name, array, first=0), -1) for name, array in by_name.items()]
        return np.concatenate(parts)

    size = (len(setting.outputs), coordinates.size)
    return LinearOperator(size, matvec=push, rmatvec=pull, dtype=float)


# -- parts


def _symbol(name: str, like: Node, traits: frozenset[str] = frozenset()) -> Symbol:
    found = b.symbol(name, like.shape, traits)
    assert isinstance(found, Symbol)
    return found


def _occurring(expr: Expr) -> set[str]:
    """The names of variables, intermediates and functions in a formula."""
    return {e.value if e.op == "name" else e.value.name for e in walk(expr) if e.op in ("name", "call")}


def _declared(symbol: Symbol) -> Declaration:
    type_ = of_order(symbol.shape)
    if len(symbol.shape) > 2:
        raise NotSupported("a map on arrays with more than two axes has no formula of its own", hint="a matrix or less")
    return Declaration(type_.kind, type_.dims, symbol.traits)


def _name(name: str, node: Node) -> Expr:
    type_: Type = of_order(node.shape)
    return Expr("name", value=name, type=type_)


def _contracted(root: Node, directions: Mapping[Node, Node]) -> Node:
    """Σ ∂root/∂x · dx, from derivatives."""
    found = derivatives(root, list(directions))
    outputs = len(root.shape)
    terms = []
    for derivative, direction in zip(found, directions.values(), strict=True):
        axes = tuple(range(len(derivative.shape)))
        terms.append(b.einsum([(derivative, axes), (direction, axes[outputs:])], axes[:outputs]))
    return b.add(terms)


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"
