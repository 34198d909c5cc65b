"""A formula with its domain, as graphs without named intermediates, under its declarations or stronger ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from matgrad.certificates import rules as _rules  # noqa: F401  (registers them)
from matgrad.certificates.judge import CONCAVE, CONVEX, Judge
from matgrad.certificates.proof import Proof
from matgrad.differentiate.condition import Condition
from matgrad.differentiate.conditions import domain
from matgrad.formula.syntax import Expr, Program, walk
from matgrad.formula.typed import Typed
from matgrad.tensor import builders as b
from matgrad.tensor.facts import Fact, positive
from matgrad.tensor.nodes import Apply, Node
from matgrad.translate.lower import lower_expression

Traits = Mapping[str, frozenset[str]]
STRONGER = {"≥": frozenset({"nonnegative"}), ">": frozenset({"positive", "nonnegative"})}


@dataclass(frozen=True)
class Setting:
    """``program`` computes ``root``; ``domain`` says where, as conditions with the node that each is about.

    ``supposed`` are conditions such as x > 0 on variables: ``symbols`` have them as traits already.
    """

    program: Program
    symbols: Mapping[str, Node]
    root: Node
    domain: tuple[tuple[Condition, Node], ...]
    supposed: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Region:
    """The domain in some of the variables: whether it is known to be convex, what is ``given`` on it, and in words the
    conditions on it. ``obstacle`` is a condition that is not known to hold on a convex set."""

    given: frozenset[tuple[str, Node]]
    conditions: tuple[Condition, ...]
    obstacle: Condition | None = None


def reduced(program: Program, target: str | None) -> Program:
    """The program of an intermediate, or of the value, with the definitions that it uses."""
    definitions = dict(program.definitions)
    body = program.body if target is None else definitions[target]
    used: set[str] = set()
    waiting = [body]
    while waiting:
        for node in walk(waiting.pop()):
            if node.op == "name" and node.value in definitions and node.value not in used:
                used.add(node.value)
                waiting.append(definitions[node.value])
    return Program(tuple((n, d) for n, d in program.definitions if n in used), body)


def setting(typed: Typed, program: Program, stronger: Traits | None = None) -> Setting:
    """The graphs of a program. A domain such as x > 0 counts like a declaration that x is positive."""
    traits = {
        name: frozenset(v.traits) | (stronger or {}).get(name, frozenset()) for name, v in typed.variables.items()
    }
    supposed: tuple[Condition, ...] = ()
    while True:
        found = _lowered(typed, program, traits)
        more = [c for c, _ in found.domain if _says_more(c, traits)]
        if not more:
            return replace(found, supposed=supposed)
        traits |= {c.expr.value: traits[c.expr.value] | STRONGER[c.sign] for c in more}
        supposed += tuple(more)


def _lowered(typed: Typed, program: Program, traits: Traits) -> Setting:
    symbols = {name: b.symbol(name, v.type.dims, traits[name]) for name, v in typed.variables.items()}
    names = dict(symbols)
    for name, definition in program.definitions:
        names[name] = lower_expression(definition, names)
    known: dict[Expr, Node] = {}

    def node_of(expr: Expr) -> Node:
        if expr not in known:
            known[expr] = lower_expression(expr, names)
        return known[expr]

    conditions = domain(program, node_of)
    about = tuple((c, node_of(c.expr)) for c in conditions)
    return Setting(program, symbols, node_of(program.body), about)


def _says_more(condition: Condition, traits: Traits) -> bool:
    """Whether a condition is one on a variable, and more than is declared."""
    if condition.expr.op != "name" or condition.bound != "0" or condition.expr.value not in traits:
        return False
    return not STRONGER.get(condition.sign, frozenset()) <= traits[condition.expr.value]


def region(found: Setting, variables: Collection[Node]) -> Region:
    """The set on which the formula is defined, condition by condition, the innermost first: {g > 0} is convex where g
    is concave on what the conditions before it leave."""
    given: frozenset[tuple[str, Node]] = frozenset()
    kept = [c for c in found.supposed if found.symbols[c.expr.value] in variables]
    for condition, node in sorted(found.domain, key=lambda pair: sum(1 for _ in walk(pair[0].expr))):
        judge = Judge(variables, given)
        definite = _definite(judge, condition, node)
        if judge.varies(node):
            if definite is None and not _is_convex(judge, condition, node):
                return Region(given, (*kept, condition), condition)
            kept.append(condition)
        if definite is not None:
            given |= {("spd", definite), ("positive", b.apply("det", definite))}
        elif condition.bound == "0" and condition.sign in STRONGER:
            given |= {("positive" if condition.sign == ">" else "nonnegative", node)}
    return Region(given, tuple(kept))


def _definite(judge: Judge, condition: Condition, node: Node) -> Node | None:
    """U, where det(U) ≠ 0 or det(U) > 0 is asked of a positive semidefinite U: then it is definite.

    Where U is concave in the order of matrices, it is so on a convex set.
    """
    if not isinstance(node, Apply) or node.function != "det" or condition.bound != "0" or condition.sign not in "≠>":
        return None
    if condition.words or judge.fact(node.arg, "psd") is None:
        return None
    return node.arg if judge.matrix_bent(node.arg, CONCAVE) is not None else None


def _is_convex(judge: Judge, condition: Condition, node: Node) -> bool:
    """Whether a condition leaves a convex set."""
    if condition.words:
        return False
    shifted = b.subtract(node, b.number(Fraction(condition.bound), node.shape))
    if condition.sign == "≠":
        return any(positive(b.scaled(shifted, sign)) is Fact.YES for sign in (1, -1))
    sign = {">": CONCAVE, "≥": CONCAVE, "<": CONVEX, "≤": CONVEX}[condition.sign]
    found: Proof | None = judge.judge(shifted, sign)
    return found is not None
