"""Where a formula as typed has no value and its normal form has one: log(det(X)) for det(X) < 0."""

from __future__ import annotations

from collections.abc import Callable

from matgrad.formula.syntax import Expr, Program
from matgrad.tensor import builders as b
from matgrad.tensor.builders import scaled
from matgrad.tensor.facts import Fact, nonnegative, positive
from matgrad.tensor.laws.shared import is_apply
from matgrad.tensor.nodes import Node, topological
from matgrad.tensor.rebuild import rebuild


def on_domain(node: Node, program: Program, node_of: Callable[[Expr], Node]) -> Node:
    """The graph of a formula, with log(det(X)) = logdet(X) + log(sign(det(X))) where det(X) may be negative.

    The normal form has logdet(X) = log(abs(det(X))), which is as good for derivatives.

    >>> from matgrad import parse
    >>> free, definite = (parse("log(det(X))", where=f"X: {kind}") for kind in ("matrix(n, n)", "spd(n)"))
    >>> [on_domain(f.node, f.program, f.node_of) is f.node for f in (free, definite)]
    [False, True]
    """
    calls = [part for parts in program.walked() for part in parts if part.op == "call"]
    if all(part.value.name != "det" for part in calls):
        return node
    found: dict[Node, Node] = {}
    for part in calls:
        if part.value.name == "logdet":
            continue
        whole, *given = [rebuild(node_of(each), {}, expand=True) for each in (part, *part.args)]
        made = _logdets(whole) - {n for arg in given for n in _logdets(arg)}
        sign = _sign(whole, made) if made and all(nonnegative(arg) is not Fact.YES for arg in given) else None
        typed = node_of(part)
        place = next((n for n in topological(typed) if n in made), typed)  # of an intermediate, its logarithm
        if sign is not None and place.shape == ():
            found[place] = b.add([place, b.map_("log", (sign,))])
    return rebuild(node, found) if found else node


def _logdets(node: Node) -> set[Node]:
    return {part for part in topological(node) if is_apply(part, "logdet")}


def _sign(whole: Node, made: set[Node]) -> Node | None:
    """The sign of the product of determinants of which a logarithm was taken apart; None where it is certainly 1."""
    signs = []
    for n in topological(whole):
        if n not in made or positive(b.apply("det", n.children[0])) is Fact.YES:
            continue
        held = [scaled(term, factor) for term, factor in b.linear_terms(whole).items() if n in (term, *term.children)]
        exponent = b.multiply(b.add(held), b.power(n, -1)) if held and whole.shape == () else b.number(1)
        sign, count = b.apply("detsign", n.children[0]), b.as_number(exponent)
        if count is None or count % 2 != 0:
            signs.append(b.map_("pow", (sign, exponent)) if count is None else sign)
    return b.multiply(*signs) if signs else None
