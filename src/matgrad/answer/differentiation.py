"""Which node a name in ``wrt`` is, and the derivatives of a formula's graph in it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from matgrad.answer.formula import Formula
from matgrad.answer.reading import bounded
from matgrad.answer.riemannian import RIEMANNIAN, riemannian, structure
from matgrad.differentiate.powers import IN_EXPONENT
from matgrad.differentiate.transpose import derivatives
from matgrad.errors import NotSupported, UnknownName
from matgrad.formula.kinds import constant_value
from matgrad.formula.syntax import MATRIX
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Node, Symbol, topological
from matgrad.tensor.rebuild import rebuild
from matgrad.translate.lower import lower


def variable_of(formula: Formula, name: str) -> Node:
    """The node that a name in ``wrt`` stands for."""
    found = formula.symbols.get(name) or formula.intermediates.get(name)
    if found is None:
        known = [*formula.symbols, *formula.intermediates]
        if name in formula.typed.dimensions:
            raise UnknownName(f"{name} is a dimension: it cannot be differentiated in", hint=", ".join(known))
        if name in formula.typed.functions:
            raise UnknownName(f"{name} is a function: it cannot be differentiated in", hint=", ".join(known))
        close = get_close_matches(name, known, 1)
        raise UnknownName(
            f"{name} does not occur in the formula",
            details=f"its names are {', '.join(known)}" if known else "it has no names",
            hint=close[0] if close else None,
        )
    return found


def refuse_exponents(formula: Formula, variable: Node) -> None:
    """X^k and (-2)^k have no derivative in k, nor has what is made of them, even where a law would take them away."""
    for expr in [e for nodes in formula.program.walked() for e in nodes if e.op == "power"]:
        base, exponent = expr.args
        of_matrix = expr.value == "^" and base.kind == MATRIX
        known = constant_value(base)
        if (of_matrix or (known is not None and known <= 0)) and variable in topological(formula.node_of(exponent)):
            said = IN_EXPONENT if of_matrix else "only a power of a positive number has a derivative in its exponent"
            raise NotSupported(said, source=formula.source, span=exponent.span)


def one_pass(formula: Formula, node: Node, wrt: Sequence[str], symmetric: str) -> list[Node]:
    """The derivatives of a node in several variables, from one backward pass."""
    variables = [variable_of(formula, name) for name in wrt]
    for variable in variables:
        refuse_exponents(formula, variable)
    if symmetric != RIEMANNIAN:
        return derivatives(bounded(node), variables, symmetric)
    for variable in variables:
        structure(variable)
    found = derivatives(node, variables, "projected")
    return [riemannian(gradient, variable) for gradient, variable in zip(found, variables, strict=True)]


def chain(formula: Formula, wrt: tuple[str, ...], symmetric: str) -> tuple[Node, Node]:
    """The derivative of all orders but the last, and the last."""
    if symmetric == "ignore":
        return _unconstrained(formula, wrt)
    below = node = formula.node
    for name in wrt:
        below, node = node, one_pass(formula, node, [name], symmetric)[0]
    return below, node


def _unconstrained(formula: Formula, wrt: tuple[str, ...]) -> tuple[Node, Node]:
    """The facts of the variables may be used only after differentiating: they are taken off, and put back."""
    for name in wrt:
        refuse_exponents(formula, variable_of(formula, name))
    free = {n: v for n in wrt if isinstance(v := variable_of(formula, n), Symbol) and v.traits}
    symbols = {**formula.symbols, **{name: b.symbol(v.name, v.shape) for name, v in free.items()}}
    node, intermediates, _ = lower(formula.program, symbols)
    below = node
    for name in wrt:
        variable = symbols.get(name) or intermediates[name]
        below, node = node, derivatives(bounded(node), [variable], "ignore")[0]
    back = {symbols[name]: v for name, v in free.items()}
    return below, rebuild(node, back)  # what is below is differentiated again, by the check too: without the facts
