"""How are functions and powers of matrices, and reductions, made?"""

from __future__ import annotations

from typing import Any

from matgrad.functions import card_in_code
from matgrad.tensor.arithmetic import einsum, transpose
from matgrad.tensor.form import as_number, stands
from matgrad.tensor.law import APPLY_LAWS, POWER_LAWS
from matgrad.tensor.network import IllegalNode
from matgrad.tensor.nodes import Apply, MatrixPower, Node, intern
from matgrad.tensor.simple import identity


def apply(function: str, arg: Node, parameter: Any = None) -> Node:
    """A matrix function, or a reduction over the last ``parameter`` axes."""
    for law in APPLY_LAWS:
        found: Node | None = law.rewrite(function, arg, parameter)
        if found is not None:
            return found
    shape = arg.shape
    known = card_in_code(function)
    if known is None:
        raise IllegalNode(f"there is no card for {function}")
    if parameter is None:
        if len(shape) != 2 or shape[0] != shape[1]:
            raise IllegalNode(f"{function} of shape {shape}")
        shape = () if known.to_number else shape
        turned = transpose(arg)
        if stands([turned], [arg]):
            found = intern(Apply, shape, function, turned, None, shape)
            return transpose(found)
    elif known.to_number:
        shape = shape[: len(shape) - parameter]
    return intern(Apply, shape, function, arg, parameter, shape)


UNROLLED = 64
"""Exponents of a matrix that are numbers up to which a power is written out as a product."""


def matrix_power(base: Node, exponent: Node) -> Node:
    """X^k: a product of X or of inv(X) where k is a modest number, else a node; X'^k is (X^k)'."""
    if len(base.shape) != 2 or base.shape[0] != base.shape[1] or exponent.shape:
        raise IllegalNode(f"a power of shape {base.shape} with an exponent of shape {exponent.shape}")
    known = as_number(exponent)
    if known is not None and known.denominator == 1 and abs(known) <= UNROLLED:
        if known == 0:
            return identity(base.shape[:1])
        factor = base if known > 0 else apply("inv", base)
        return einsum([(factor, (i, i + 1)) for i in range(abs(known.numerator))], (0, abs(known.numerator)))
    for law in POWER_LAWS:
        found: Node | None = law.rewrite(base, exponent)
        if found is not None:
            return found
    turned = transpose(base)
    if stands([turned], [base]):
        return transpose(intern(MatrixPower, base.shape, turned, exponent))
    return intern(MatrixPower, base.shape, base, exponent)
