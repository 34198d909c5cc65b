"""Inverses of sums, for the reader: rank-one updates and common factors. Where an answer gets shorter, it is given so.

What is needed, an invertible A, is known from the facts; that A + u*v' has an inverse was needed to write the formula,
so 1 + v'*inv(A)*u is not 0 by the matrix determinant lemma.
"""

from __future__ import annotations

from typing import NamedTuple

from matgrad.tensor import builders as b
from matgrad.tensor.builders import Operand, einsum, number, power, scaled
from matgrad.tensor.facts import Fact, invertible
from matgrad.tensor.laws.shared import power_of, weight
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


@b.UPDATE_LAWS.add(
    "factor of an inverse",
    "inv(eye + inv(B)*A)*inv(B) = inv(B + A), inv(eye + A/c)/c = inv(c*eye + A)",
    because="inv(P)*inv(B) = inv(B*P), distributivity",
    examples=(
        ("inv(eye + inv(B)*A)*inv(B)*x", "A: matrix(n,n); B: matrix(n,n); x: vector(n)"),
        ("x'*inv(B)'*inv(eye + A*inv(B)')", "A: matrix(n,n); B: matrix(n,n); x: vector(n)"),
        ("inv(eye + A/c)*A/c^2", "A: matrix(n,n); c: positive"),
    ),
)
def factor_of_inverse(node: Einsum) -> Node | None:
    """inv(P)·inv(B) = inv(B·P) and inv(P)/c = inv(c·P), where less is left of P multiplied out."""
    pairs = list(zip(node.operands, node.subscripts, strict=True))
    for i, (operand, labels) in enumerate(pairs):
        if not has_factors(operand) or labels[0] == labels[1]:
            continue
        assert isinstance(operand, Apply) and isinstance(operand.arg, Sum)
        for j, (other, own) in enumerate(pairs):
            found: tuple[Operand, tuple[int, ...], list[Operand]] | None = None
            base, count = power_of(other)
            if not own and count <= -node.operands.count(operand):  # of several equal inverses, each takes one
                found = (base, ()), labels, [(power(base, count + 1), ())]
            elif isinstance(other, Apply) and other.function == "inv" and i != j and len({*labels, *own}) == 3:
                found = _beside(other.arg, own, labels, pairs, node)
            if found is None:
                continue
            factor, legs, left = found
            turned = legs[0] not in labels or labels.index(legs[0]) == 1
            terms = []
            for times, term in operand.arg.terms:
                inner = (b.transpose(term) if turned else term, (2, 1) if factor[1] else (0, 1))
                terms.append(scaled(einsum([factor, inner], (0, 1)), times))
            total = b.add(terms)
            if weight(total) < weight(operand.arg) + (not own):
                rest = [pair for k, pair in enumerate(pairs) if k not in (i, j)]
                new: list[Operand] = [(b.apply("inv", total), legs), *left]
                sizes = {x: node.sizes[x] for x in node.out}
                return einsum([*rest, *new], node.out, node.coefficient, sizes)
    return None


def _beside(
    arg: Node, own: tuple[int, ...], labels: tuple[int, ...], pairs: list[Operand], node: Einsum
) -> tuple[Operand, tuple[int, ...], list[Operand]] | None:
    """B as a factor from the left, where inv(P)·inv(B) is a matrix product; the legs of the product."""
    (shared,) = {*own} & {*labels}
    if _counted(pairs, node, shared) != 2:
        return None
    a, other = labels.index(shared), own.index(shared)
    factor = arg if other == 0 else b.transpose(arg)
    return (factor, (0, 2)), (labels[1 - a], own[1 - other]), []


def has_factors(node: Node) -> bool:
    """Whether a node is the inverse of a sum in which there are inverses, or quotients by scalars."""
    if not isinstance(node, Apply) or node.function != "inv" or not isinstance(node.arg, Sum):
        return False
    if "factors" not in node.memo:
        operands = [operand for _, term in node.arg.terms if isinstance(term, Einsum) for operand in term.operands]
        inverses = any(isinstance(operand, Apply) and operand.function == "inv" for operand in operands)
        node.memo["factors"] = inverses or any(not o.shape and power_of(o)[1] < 0 for o in operands)
    return bool(node.memo["factors"])


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
