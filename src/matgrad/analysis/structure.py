"""What the structure of a formula says about minimising it: quadratic, convex, a sum of squares, an l1 term."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from matgrad.analysis.objective import Objective
from matgrad.answer.formula import Formula
from matgrad.answer.reading import readable
from matgrad.certificates.findings import Finding, Inquiry
from matgrad.differentiate.conditions import kinks
from matgrad.differentiate.transpose import derivatives
from matgrad.errors import NotSupported
from matgrad.formula.unicode import to_unicode
from matgrad.tensor import builders as b
from matgrad.tensor.facts import Fact, nonnegative
from matgrad.tensor.nodes import Einsum, Map, Node, topological
from matgrad.tensor.rebuild import rebuild

Array = Any


class Split(NamedTuple):
    """A formula as a smooth part plus Σ weights∘|x|, for each variable x that has such a term."""

    smooth: Formula
    weights: dict[str, Formula]


class Squares(NamedTuple):
    """A formula as ½ Σ factor²·‖residual‖² plus what does not vary."""

    parts: list[tuple[float, Formula]]


def varies(node: Node, formula: Formula, over: Sequence[str]) -> bool:
    """Whether a node depends on one of the variables."""
    moving = {formula.symbols[name] for name in over}
    return any(part in moving for part in topological(node))


def restricted(made: Objective, formula: Formula) -> Objective:
    """The same data with another formula made of the same names, over those of the variables that it has."""
    data = {name: array for name, array in made.data.items() if name in formula.typed.variables}
    over = tuple(name for name in made.over if name in formula.typed.variables)
    return Objective(made.given._replace(formula=formula, data=data, over=over))


def written(formula: Formula, node: Node) -> Formula:
    """The graph of a part of a formula as a formula in the same names.

    >>> f = Formula("r = A*x - b; r'*r")
    >>> written(f, rebuild(f.node, {}, expand=True)).text
    'norm2(A*x - b)^2'
    """
    expr = readable(formula, formula.recovery.formula(node))
    return Formula(formula.print(expr), None, formula.typed, expr.type)


def expanded(formula: Formula) -> Node:
    """The graph of a formula with its intermediates replaced by their values."""
    return rebuild(formula.node, {}, expand=True)


# -- quadratic, convex, kinks


def hessian_blocks(made: Objective) -> list[Node]:
    """The graphs of the second derivatives, in all pairs of variables."""
    moving = [made.formula.symbols[name] for name in made.over]
    return [
        block for gradient in derivatives(expanded(made.formula), moving) for block in derivatives(gradient, moving)
    ]


def is_quadratic(made: Objective) -> bool:
    """Whether every second derivative is free of the variables.

    >>> from matgrad import objective
    >>> is_quadratic(objective("norm2(A*x - b)^2", "x", {"A": np.eye(2), "b": np.ones(2)}))
    True
    """
    if kinks_in(made.formula, made.over):
        return False
    return not any(varies(block, made.formula, made.over) for block in hessian_blocks(made))


def convexity(made: Objective) -> Finding:
    """Whether the formula is convex in the variables jointly, with the proof."""
    formula = made.formula

    def text(node: Node) -> str:
        return to_unicode(formula.recovery.formula(node))

    return Inquiry(formula.typed, None, text, formula.print).curvature(made.over, "convex")


def kinks_in(formula: Formula, over: Sequence[str]) -> tuple[str, ...]:
    """Where the formula has no derivative, in words."""
    return tuple(c.says(formula.print) for c in kinks(formula.program, over, formula.node_of))


# -- a smooth part and an l1 term


def split_l1(formula: Formula, over: Sequence[str]) -> Split | None:
    """f(x) = g(x) + Σ w∘|x| with weights w that do not vary, or None: f is affine in |x|, put there as a name.

    >>> f = Formula("0.5*norm2(X*w - y)^2 + c*norm1(w)", "c: positive")
    >>> found = split_l1(f, ["w"])
    >>> found.smooth.text, found.weights["w"].text
    ('0.5*norm2(X*w - y)^2', 'vector(c)')
    """
    root = expanded(formula)
    symbols = {formula.symbols[name]: name for name in over}
    sizes = {node: symbols[node.args[0]] for node in topological(root)
             if isinstance(node, Map) and node.function == "abs" and node.args[0] in symbols}  # fmt: skip
    if not sizes:
        return None
    named: dict[Node, Node] = {node: b.symbol(f"|{name}|", node.shape) for node, name in sizes.items()}
    opened = rebuild(root, {**named})
    slopes = derivatives(opened, list(named.values()))
    moving = {*named.values(), *symbols}
    if any(part in moving for slope in slopes for part in topological(slope)):
        return None
    smooth = rebuild(root, {node: b.zeros(node.shape) for node in named})
    weights = {name: written(formula, slope) for name, slope in zip(sizes.values(), slopes, strict=True)}
    return Split(written(formula, smooth), weights)


def weights_of(split: Split, made: Objective) -> Array:
    """The weights of |z| in coordinates. Raises NotSupported where one is negative: that has no proximal step."""
    full: dict[str, Array] = {}
    for name in made.over:
        found = split.weights.get(name)
        value: Any = 0.0
        if found is not None:
            value = at_data(found, made)
        full[name] = np.broadcast_to(np.asarray(value, dtype=float), made.shapes[name])
    if any(np.any(array < 0) for array in full.values()):
        raise NotSupported("a term c·norm1 with a negative c is not convex", hint="c: nonnegative")
    return np.concatenate([made.coordinates.columns(name, full[name], first=0).reshape(-1) for name in made.over])


# -- sums of squares


def squares_in(formula: Formula, over: Sequence[str]) -> Squares | None:
    """The formula as a sum of squared norms of residuals, with factors that are surely nonnegative; else None.

    >>> f = Formula("norm2(y - a*exp(-k*t))^2 + c*k^2", "k: scalar; c: positive")
    >>> [(factor, part.text) for factor, part in squares_in(f, ["a", "k"]).parts]
    [(1.4142135623730951, 'y - a*exp(-k*t)'), (1.4142135623730951, 'k*sqrt(c)')]
    """
    parts = []
    for term, factor in b.linear_terms(expanded(formula)).items():
        if not varies(term, formula, over):
            continue
        residual = _root(term, formula, over)
        if residual is None or factor <= 0:
            return None
        parts.append((float(2 * factor) ** 0.5, written(formula, residual)))
    return Squares(parts) if parts else None


def _root(term: Node, formula: Formula, over: Sequence[str]) -> Node | None:
    """An array whose squares add up to the term."""
    if isinstance(term, Map) and term.function == "power" and term.parameter == 2:
        return term.args[0]
    if not isinstance(term, Einsum) or term.out or term.coefficient <= 0:
        return None
    pairs = list(zip(term.operands, term.subscripts, strict=True))
    moving = [(node, labels) for node, labels in pairs if varies(node, formula, over)]
    if len(moving) != 1:
        return None
    square, labels = moving[0]
    if not isinstance(square, Map) or square.function != "power" or square.parameter != 2:
        return None
    constant = [(node, at) for node, at in pairs if node is not square]
    if len(set(labels)) != len(labels) or any(nonnegative(node) is not Fact.YES for node, _ in constant):
        return None
    if any(not set(at) <= set(labels) for _, at in constant):
        return None
    half = Fraction(1, 2)
    scale = b.number(term.coefficient)
    operands = [(square.args[0], labels), *((b.power(node, half), at) for node, at in constant)]
    return b.einsum([*operands, (b.power(scale, half), ())], labels)


def at_data(formula: Formula, made: Objective) -> Any:
    """The value of a formula in which nothing varies."""
    sizes = {name: made.given.sizes[name] for name in formula.sizes_needed() if name in made.given.sizes}
    return formula(**{n: array for n, array in made.data.items() if n in formula.typed.variables}, **sizes)
