"""Where a formula as typed has no value and its normal form has one: log(det(X)) for det(X) < 0."""

from __future__ import annotations

from collections.abc import Callable

from matgrad.formula.syntax import Expr, Program
from matgrad.tensor import builders as b
from matgrad.tensor.facts import Fact, positive
from matgrad.tensor.nodes import Apply, Node
from matgrad.tensor.rebuild import rebuild


def on_domain(node: Node, program: Program, node_of: Callable[[Expr], Node]) -> Node:
    """The graph of a formula, with log(det(X)) = logdet(X) + log(sign(det(X))) where det(X) may be negative.

    The normal form has logdet(X) = log(abs(det(X))), which is as good for derivatives.

    >>> from matgrad import parse
    >>> free, definite = (parse("log(det(X))", where=f"X: {kind}") for kind in ("matrix(n, n)", "spd(n)"))
    >>> [on_domain(f.node, f.program, f.node_of) is f.node for f in (free, definite)]
    [False, True]
    """
    found: dict[Node, Node] = {}
    for parts in program.walked():
        for part in parts:
            if part.op == "call" and part.value.name == "log" and part.args[0].op == "call":
                inner = part.args[0]
                matrix = node_of(inner.args[0]) if inner.value.name == "det" else None
                if matrix is None or positive(b.apply("det", matrix)) is Fact.YES:
                    continue
                whole = b.apply("logdet", matrix)
                if isinstance(whole, Apply):  # else it was taken apart: the signs of the parts say less
                    found[whole] = b.add([whole, b.map_("log", (b.apply("detsign", matrix),))])
    return rebuild(node, found) if found else node
