"""The conditions under which a derivative holds, collected from the formula as typed, before any rewriting.

Domains come from the cards (``log`` needs x > 0) and from powers and divisions; points where a function has no
derivative count only where its argument depends on the variable. What the facts prove is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

from matgrad.formula.parser import parse_expression
from matgrad.formula.syntax import MATRIX, SCALAR, Expr, Program, walk
from matgrad.functions import Card, card
from matgrad.tensor.facts import Fact, invertible, nonnegative, positive
from matgrad.tensor.nodes import Node

Print = Callable[[Expr], str]
ALMOST_EVERYWHERE = "almost everywhere"
TIMES = {2: "twice", 3: "three times", 4: "four times"}


def conditions(program: Program, wrt: tuple[str, ...], node_of: Callable[[Expr], Node], text: Print) -> tuple[str, ...]:
    """What the derivative of a typed program needs, in words that read like the formula."""
    parts = dict(program.definitions)
    varying = _varying(program, set(wrt))
    found: list[str] = []
    kinks = False
    for part in (*parts.values(), program.body):
        for expr, parent in _with_parents(part):
            found += _domains(expr, text, node_of)
            kink = _kink(expr, parent, varying, text, node_of)
            if kink is not None:
                found.append(kink)
                kinks = kinks or bool(_card_of(expr).kink)
    if len(wrt) > 1:
        smooth = f"the formula is {TIMES[len(wrt)]} continuously differentiable"
        found.append(f"holds {ALMOST_EVERYWHERE}: higher derivatives do not exist at kinks" if kinks else smooth)
    # A domain already keeps away from its kinks.
    found = [c for c in found if "; " not in c or c.partition("; ")[0] not in found]
    found = [c for c in found if not _implied(c, found)]
    return tuple(dict.fromkeys(found))


def _implied(condition: str, others: list[str]) -> bool:
    """Whether E ≥ 0, E ≠ 0 or sqrt(E) ≠ 0 stands beside E > 0."""
    for weaker in (" ≥ 0", " ≠ 0"):
        if condition.endswith(weaker):
            expr = condition.removesuffix(weaker)
            inner = expr.removeprefix("sqrt(").removesuffix(")") if expr.startswith("sqrt(") else expr
            return f"{expr} > 0" in others or f"{inner} > 0" in others
    return False


def _with_parents(root: Expr) -> Iterator[tuple[Expr, Expr | None]]:
    stack: list[tuple[Expr, Expr | None]] = [(root, None)]
    while stack:
        node, parent = stack.pop()
        yield node, parent
        stack.extend((a, node) for a in reversed(node.args))


def _varying(program: Program, wrt: set[str]) -> set[str]:
    """The names that depend on the variables: the variables themselves and intermediates made of them."""
    names = set(wrt)
    for name, definition in program.definitions:
        if any(n.op == "name" and n.value in names for n in walk(definition)):
            names.add(name)
    return names


def _depends(expr: Expr, names: set[str]) -> bool:
    return any(n.op == "name" and n.value in names for n in walk(expr))


def _is_constant(expr: Expr) -> bool:
    return not any(n.op == "name" for n in walk(expr))


def _domains(expr: Expr, text: Print, node_of: Callable[[Expr], Node]) -> Iterator[str]:
    if expr.op == "call":
        known = card(expr.value.name)
        if known is not None and known.needs and not _is_constant(expr.args[0]):
            if expr.args[0].kind == SCALAR and known.needs == "det(X) != 0":
                yield from _unless(nonzero(expr.args[0], node_of), f"{text(expr.args[0])} ≠ 0")
            else:
                yield from _unless(
                    _proved(known.needs, expr.args[0], node_of), _filled(known.needs, expr.args[0], text)
                )
    elif expr.op == "product":
        for operator, factor in zip(expr.value, expr.args[1:], strict=True):
            if operator in ("/", "./") and not _is_constant(factor):
                yield from _unless(nonzero(factor, node_of), f"{text(factor)} ≠ 0")
    elif expr.op == "power":
        yield from _domain_of_power(expr, text, node_of)


def _domain_of_power(expr: Expr, text: Print, node_of: Callable[[Expr], Node]) -> Iterator[str]:
    base, exponent = expr.args
    if _is_constant(base):
        return
    known = _literal(exponent)
    if expr.value == "^" and base.kind == MATRIX:
        if known is not None and known < 0:
            yield from _unless(invertible(node_of(base)) is Fact.YES, f"det({text(base)}) ≠ 0")
    elif known is None:
        yield from _unless(positive(node_of(base)) is Fact.YES, f"{text(base)} > 0")
    elif known.denominator != 1:
        strict = known < 1
        proved = positive(node_of(base)) is Fact.YES or (not strict and nonnegative(node_of(base)) is Fact.YES)
        yield from _unless(proved, f"{text(base)} {'>' if strict else '≥'} 0")
    elif known < 0:
        yield from _unless(nonzero(base, node_of), f"{text(base)} ≠ 0")


def _literal(expr: Expr) -> Fraction | None:
    """The number that an exponent is, with signs and quotients of literals."""
    if expr.op == "number":
        value: Fraction = expr.value
        return value
    if expr.op == "neg":
        inner = _literal(expr.args[0])
        return None if inner is None else -inner
    if expr.op == "product":
        values = [_literal(a) for a in expr.args]
        if all(v is not None for v in values) and set(expr.value) <= {"*", "/"}:
            whole = values[0]
            for operator, v in zip(expr.value, values[1:], strict=True):
                assert whole is not None and v is not None
                if operator == "/" and v == 0:
                    return None
                whole = whole * v if operator == "*" else whole / v
            return whole
    return None


def nonzero(expr: Expr, node_of: Callable[[Expr], Node]) -> bool:
    """Whether an expression is proved to have no zero entry."""
    return positive(node_of(expr)) is Fact.YES


def _unless(proved: bool, condition: str) -> Iterator[str]:
    if not proved:
        yield condition


_COMPARISON = re.compile(r"^(.*?)\s*(>=|<=|!=|>|<)\s*(.*)$")
_SIGNS = {"!=": "≠", ">=": "≥", "<=": "≤"}


def _proved(needs: str, arg: Expr, node_of: Callable[[Expr], Node]) -> bool:
    rules: Mapping[str, Callable[[Node], Fact]] = {
        "x > 0": positive,
        "x >= 0": nonnegative,
        "x > -1": nonnegative,
        "x != 0": positive,
        "det(X) != 0": invertible,
    }
    rule = rules.get(needs)
    if rule is None:
        return False
    if rule is positive and arg.op == "call" and arg.value.name == "det" and arg.args[0].kind == MATRIX:
        return positive(node_of(arg)) is Fact.YES
    return rule(node_of(arg)) is Fact.YES


def _filled(needs: str, arg: Expr, text: Print) -> str:
    """The comparison on a card with the argument in place of x: "x > 0" of log(A*x) is "A*x > 0"."""
    match = _COMPARISON.match(needs)
    if match is None:
        return needs.replace(" is ", f" of {text(arg)} is ", 1)
    left, sign, right = match.groups()
    return f"{text(_substituted(parse_expression(left), arg))} {_SIGNS.get(sign, sign)} {right}"


def _substituted(law: Expr, arg: Expr) -> Expr:
    if law.op == "name" and law.value in ("x", "X"):
        return arg
    return law.replace(args=tuple(_substituted(a, arg) for a in law.args))


_SMOOTH_POWERS = ("norm2", "normF", "abs")


def _card_of(expr: Expr) -> Card:
    known = card(expr.value.name)
    assert known is not None
    return known


def _kink(
    expr: Expr, parent: Expr | None, varying: set[str], text: Print, node_of: Callable[[Expr], Node]
) -> str | None:
    if expr.op != "call":
        return None
    known = card(expr.value.name)
    if known is None or not known.smooth or not _depends(expr, varying):
        return None
    if len(expr.args) == 1 and _proved(known.smooth, expr.args[0], node_of):
        return None
    if expr.value.name in _SMOOTH_POWERS and parent is not None and parent.op == "power" and parent.args[0] is expr:
        exponent = _literal(parent.args[1])
        if exponent is not None and exponent.denominator == 1 and exponent > 1 and exponent.numerator % 2 == 0:
            return None
    if len(expr.args) == 2:
        return f"{text(expr.args[0])} ≠ {text(expr.args[1])}; elsewhere the answer uses step(0) = 0"
    condition = _filled(known.smooth, expr.args[0], text)
    return f"{condition}; elsewhere the answer uses {known.kink}" if known.kink else condition
