"""The differential of X^k for a symbolic integer k, where it has a closed form.

d(X^k) = Σ X^i·dX·X^(k−1−i) is a sum over i, whose length is k. Against a matrix S whose transpose commutes with X, all
its terms are alike: tr(S'·d(X^k)) = k·tr(S'·X^(k−1)·dX). That holds of tr(X^k), where S is the identity.
"""

from __future__ import annotations

from fractions import Fraction

from matgrad.differentiate.linearise import Edge
from matgrad.errors import NotSupported
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import MatrixPower, Node

IN_EXPONENT = "a power of a matrix cannot be differentiated in its exponent, which is an integer"


def of_matrix_power(node: MatrixPower, signal: Node, *, varies: bool) -> list[Edge]:
    """The edge from X^k to X for a signal, which must commute with X'; ``varies`` if k depends on the variable."""
    if varies:
        raise NotSupported(IN_EXPONENT)
    if b.is_zero(signal):
        return []
    if not all(_commutes(term, node.base) for term in b.linear_terms(signal)):
        raise NotSupported(
            "the derivative of a power of a matrix with a symbolic exponent has no closed form here",
            details="d(U^k) = U^(k-1)*dU + U^(k-2)*dU*U + ... + dU*U^(k-1), a sum of k terms;\n"
            "only where the trace is taken, as in tr(U^k), are they all alike",
            hint="a literal exponent, such as X^3",
        )
    below = b.matrix_power(node.base, b.add([node.exponent, b.number(-1)]))
    n = node.shape[0]
    operands = ((node.exponent, ()), (below, (0, 2)))
    return [Edge(node.base, (2, 1), (0, 1), operands, Fraction(1), {0: n, 1: n, 2: n})]


def _commutes(signal: Node, base: Node) -> bool:
    """Whether S·X' and X'·S have one normal form, for every index of the output."""
    outer = tuple(range(3, 1 + len(signal.shape)))
    right = b.einsum([(signal, (*outer, 0, 1)), (base, (2, 1))], (*outer, 0, 2))
    left = b.einsum([(base, (1, 0)), (signal, (*outer, 1, 2))], (*outer, 0, 2))
    return left is right
