"""Rank-one updates of inverses, for the reader: where an answer gets shorter by them, it is given so.

What is needed, an invertible A, is known from the facts; that A + u*v' has an inverse was needed to write the formula,
so 1 + v'*inv(A)*u is not 0 by the matrix determinant lemma.
"""

from __future__ import annotations

from typing import NamedTuple

from matgrad.tensor import builders as b
from matgrad.tensor.builders import Operand, einsum, number, power, scaled
from matgrad.tensor.facts import Fact, invertible
from matgrad.tensor.nodes import Apply, Einsum, Node, Sum


class Update(NamedTuple):
    """A + c·u·v', taken apart; ``factor`` is 1 + c·v'·inv(A)·u."""

    inverse: Node
    u: Node
    v: Node
    factor: Node


@b.UPDATE_LAWS.add(
    "Sherman-Morrison",
    "inv(A + u*v')*u = inv(A)*u/(1 + v'*inv(A)*u), where A is known to be invertible",
    because="(A + u*v')*inv(A)*u = u*(1 + v'*inv(A)*u)",
    examples=(
        ("x'*inv(S + x*x')*x", "S: spd(n); x: vector(n)"),
        ("inv(eye + c*x*y')*x", "c: scalar; x: vector(n); y: vector(n)"),
        ("y'*inv(S + x*y')", "S: spd(n); x: vector(n); y: vector(n)"),
    ),
)
def sherman_morrison(node: Einsum) -> Node | None:
    """inv(A + c·u·v')·u = inv(A)·u/(1 + c·v'·inv(A)·u), and the like for v' on the left."""
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    for i, (operand, labels) in enumerate(pairs):
        update = update_of(operand)
        if update is None or labels[0] == labels[1]:
            continue
        sides = [(update.u, labels[1]), (update.v, labels[0])]
        if b.is_symmetric(operand):
            sides += [(update.u, labels[0]), (update.v, labels[1])]
        if any((vector, (label,)) in pairs and _counted(pairs, node, label) == 2 for vector, label in sides):
            rest = pairs[:i] + pairs[i + 1 :]
            below: list[Operand] = [(power(update.factor, -1), ()), (update.inverse, labels)]
            return einsum([*rest, *below], node.out, node.coefficient, dict(enumerate(node.sizes)))
    return None


def _counted(pairs: list[Operand], node: Einsum, label: int) -> int:
    return sum(s.count(label) for _, s in pairs) + node.out.count(label)


def update_of(node: Node) -> Update | None:
    """How a node is the inverse of an invertible matrix plus one of rank one, if it is."""
    if not isinstance(node, Apply) or node.function != "inv" or not isinstance(node.arg, Sum):
        return None
    if "update" not in node.memo:
        node.memo["update"] = _taken_apart(node.arg)
    return node.memo["update"]  # type: ignore[no-any-return]


def _taken_apart(total: Sum) -> Update | None:
    for factor, term in total.terms:
        vectors = _rank_one(term)
        if vectors is None:
            continue
        rest = b.add([scaled(other, f) for f, other in total.terms if other is not term])
        if invertible(rest) is not Fact.YES:
            continue
        inverse = b.apply("inv", rest)
        u, v, scalars = vectors
        inner = einsum([*scalars, (v, (0,)), (inverse, (0, 1)), (u, (1,))], (), factor)
        return Update(inverse, u, v, b.add([number(1), inner]))
    return None


def _rank_one(term: Node) -> tuple[Node, Node, list[Operand]] | None:
    """u, v and the scalars of c·u·v'."""
    if isinstance(term, Einsum) and term.out == (0, 1) and term.coefficient == 1:
        pairs = list(zip(term.operands, term.subscripts, strict=True))
        rows, columns = ([n for n, s in pairs if s == (k,)] for k in (0, 1))
        scalars: list[Operand] = [(n, s) for n, s in pairs if s == ()]
        if len(rows) == len(columns) == 1 and len(scalars) == len(pairs) - 2:
            return rows[0], columns[0], scalars
    return None
