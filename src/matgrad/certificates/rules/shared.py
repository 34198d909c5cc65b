"""What several rules ask of a node."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from matgrad.certificates.judge import CONVEX, WORDS, Judge
from matgrad.certificates.proof import Proof
from matgrad.tensor.builders import einsum, linear_terms
from matgrad.tensor.nodes import Apply, Einsum, Map, Node, Sum

Operand = tuple[Node, tuple[int, ...]]
LIMIT = 48
"""Terms up to which a product of sums is multiplied out."""


def operands_of(node: Einsum) -> list[Operand]:
    return list(zip(node.operands, node.subscripts, strict=True))


def sizes_of(node: Einsum) -> dict[int, object]:
    return dict(enumerate(node.sizes))


def shown(node: Node, sign: int, reason: str, premises: Iterable[Proof | None] = ()) -> Proof:
    """A proof that a node is convex or concave."""
    return Proof(WORDS[sign], node, reason, tuple(p for p in premises if p is not None))


def matrix_shown(node: Node, sign: int, reason: str, premises: Iterable[Proof | None] = ()) -> Proof:
    return Proof(f"matrix {WORDS[sign]}", node, reason, tuple(p for p in premises if p is not None))


def summed(node: Node) -> dict[Node, Fraction] | None:
    """The terms of a sum with their factors, if it is one; a number in front is multiplied in."""
    terms = linear_terms(node)
    return terms if len(terms) > 1 else None


def varying_labels(judge: Judge, node: Einsum) -> tuple[int, ...]:
    return tuple(dict.fromkeys(x for n, s in operands_of(node) if judge.varies(n) for x in s))


def weight(
    judge: Judge, node: Einsum, constants: list[Operand], kept: tuple[int, ...]
) -> tuple[int, list[Proof]] | None:
    """The sign of coefficient · constants, with its proofs, where one is known: factor by factor, or as a whole.

    ``kept`` are the labels of what they are the weights of: every entry of the weights must have the sign.
    """
    sign, told = (1 if node.coefficient > 0 else -1), []
    for constant, _ in constants:
        found = judge.sign(constant)
        if found is None:
            break
        sign *= found[0]
        told.append(found[1])
    else:
        return sign, told
    labels = tuple(x for x in dict.fromkeys((*kept, *node.out)) if any(x in s for _, s in constants))
    whole = judge.sign(einsum(constants, labels, node.coefficient))
    return None if whole is None else (whole[0], [whole[1]])


def spread(node: Node) -> Node:
    """A product with its sums multiplied out, once; other nodes, and what would grow too large, as they are."""
    from matgrad.tensor import builders as b

    if not isinstance(node, Einsum):
        return node
    for place, (operand, labels) in enumerate(operands_of(node)):
        if isinstance(operand, Sum) and len(operand.terms) <= LIMIT:
            rest = [o for k, o in enumerate(operands_of(node)) if k != place]
            terms = [
                b.einsum([*rest, (term, labels)], node.out, node.coefficient * factor, dict(enumerate(node.sizes)))
                for factor, term in operand.terms
            ]
            return b.add(terms)
    return node


def exponents(node: Node) -> list[tuple[Node, Fraction]] | None:
    """The node as a product of powers, entry by entry: pairs of a base and an exponent. A fractional power of
    a product is split, which is right where all bases are ≥ 0: whoever asks must see to that."""
    if isinstance(node, Map) and node.function == "power":
        inner = exponents(node.args[0])
        if inner is None or (len(inner) == 1 and inner[0] == (node.args[0], Fraction(1))):
            return [(node.args[0], node.parameter)]
        return [(base, times * node.parameter) for base, times in inner]
    if isinstance(node, Einsum) and _is_entrywise(node):
        parts = [exponents(operand) for operand in node.operands]
        return [pair for part in parts if part is not None for pair in part]
    return [(node, Fraction(1))]


def _is_entrywise(node: Einsum) -> bool:
    """A product of entries, with nothing summed and no diagonal; its coefficient is 1."""
    labels = {x for s in node.subscripts for x in s}
    return (
        bool(node.operands)
        and node.coefficient == 1
        and len(set(node.out)) == len(node.out)
        and labels <= set(node.out)
    )


def is_map(node: Node, *functions: str) -> bool:
    return isinstance(node, Map) and node.function in functions


def is_apply(node: Node, *functions: str) -> bool:
    return isinstance(node, Apply) and node.function in functions


__all__ = [
    "CONVEX", "LIMIT", "Operand", "exponents", "is_apply", "is_map", "matrix_shown", "operands_of", "shown", "sizes_of",
    "spread", "summed", "varying_labels", "weight",
]  # fmt: skip
