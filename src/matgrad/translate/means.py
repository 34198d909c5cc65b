"""Means read off sums divided by how many there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matgrad.dims import Dim
from matgrad.formula.syntax import Call, Expr
from matgrad.translate.algebra import transposed
from matgrad.translate.terms import Term


def with_means(term: Term, sizes: Mapping[str, Expr]) -> Term:
    """sum(x)/length(x) = mean(x), over everything or along one axis."""
    if not term.below:
        return term
    scalars, below = list(term.scalars), list(term.below)
    for k, scalar in enumerate(scalars):
        if scalar.op == "call" and scalar.value.name == "sum" and _divided(scalar.args[0].dims, below, sizes):
            scalars[k] = scalar.replace(value=Call("mean"))
    chain = list(term.chain)
    for k, factor in enumerate(chain):
        inner = factor.args[0] if factor.op == "transpose" else factor
        if inner.op == "call" and inner.value.name == "sum" and inner.value.dim is not None:
            gone = inner.args[0].dims[inner.value.dim - 1]
            if _divided((gone,), below, sizes):
                mean = inner.replace(value=Call("mean", inner.value.dim))
                chain[k] = transposed(mean) if factor.op == "transpose" else mean
    return Term(term.coefficient, tuple(scalars), tuple(below), tuple(chain))


def _divided(dims: Sequence[Dim], below: list[Expr], sizes: Mapping[str, Expr]) -> bool:
    """Take these sizes out of the denominator, if all of them are there."""
    counts = [sizes.get(str(dim)) for dim in dims]
    left = list(below)
    for count in counts:
        if count is None or count not in left:
            return False
        left.remove(count)
    below[:] = left
    return bool(counts)
