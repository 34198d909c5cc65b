"""The product of two arrays: which operation serves, and in which orientation.

A vector next to a matrix stands on the side of the axis that is summed (``r @ X``, not ``X.T @ r``), so that rows are
read as they lie in memory. An inverse is never formed where it meets a matrix or a vector: the system is solved.
"""

from __future__ import annotations

from collections.abc import Collection

from matgrad.planning.steps import Plan, Step

Labels = tuple[int, ...]
Array = tuple[Step, Labels]


def contract(plan: Plan, a: Array, b: Array, wanted: Collection[int], out: Labels) -> Array:
    """Σ a·b over the labels that both have and that are not wanted; no label that only one has is summed."""
    both = [x for x in a[1] if x in b[1]]
    summed = [x for x in both if x not in wanted]
    kept = [x for x in both if x in wanted]
    if not summed:
        return _entrywise(plan, a, b, out)
    if len(summed) == 1 and not kept:
        solved = _solved(plan, a, b, summed[0]) or _solved(plan, b, a, summed[0])
        if solved is not None:
            return solved
    if not kept and set(a[1]) == set(b[1]):
        both_ways = len(a[1]) == 2 and not plan.symmetric.isdisjoint((a[0], b[0]))
        return plan.step("inner", (a[0], b[0] if both_ways else plan.aligned(*b, a[1]))), ()
    if len(summed) == 1 and not kept and len(a[1]) <= 2 and len(b[1]) <= 2:
        return _matrix_product(plan, a, b, summed[0], out)
    if not kept:
        return _tensordot(plan, a, b, summed)
    return _batched(plan, a, b, summed, kept, out)


def _entrywise(plan: Plan, a: Array, b: Array, out: Labels) -> Array:
    """Nothing is summed: entry by entry, or an outer product."""
    if len(b[1]) > len(a[1]):
        a, b = b, a
    rest = tuple(x for x in b[1] if x not in a[1])
    labels = a[1] + rest
    as_written = plan.blas and len(labels) > 2 and rest == b[1]
    if set(labels) <= set(out) and not as_written:
        labels = tuple(x for x in out if x in labels)
    rows = set(a[1]) == set(labels) and b[1] == labels[len(labels) - len(b[1]) :]
    if not b[1] or rows or set(a[1]) == set(b[1]):
        return plan.mul(plan.aligned(*a, labels), plan.aligned(*b, labels)), labels
    return plan.spread(a, b, labels), labels


def _solved(plan: Plan, a: Array, b: Array, summed: int) -> Array | None:
    """inv(F)·b, where a is an inverse."""
    if a[0].op != "inverse" or len(b[1]) > 2:
        return None
    factor = a[0].args[0]
    left = a[1][0] == summed  # b'·inv(F) = (inv(F')·b)'
    result = a[1][1] if left else a[1][0]
    transposed = left and factor.param not in ("cholesky", "symmetric")
    rest = tuple(x for x in b[1] if x != summed)
    right = plan.aligned(*b, (summed, *rest))
    return plan.step("solve", (factor, right), transposed, right.shape), (result, *rest)


def _matrix_product(plan: Plan, a: Array, b: Array, summed: int, out: Labels) -> Array:
    rest_a, rest_b = (tuple(x for x in labels if x != summed) for _, labels in (a, b))
    first = _turns(a[1], (*rest_a, summed)) + _turns(b[1], (summed, *rest_b))
    second = _turns(b[1], (*rest_b, summed)) + _turns(a[1], (summed, *rest_a))
    in_order = _ordered(rest_a + rest_b, out) - _ordered(rest_b + rest_a, out)
    if {x[0] for x in (a, b) if len(x[1]) == 2} <= plan.symmetric:  # either order serves: one for all
        first, second, in_order = 0, 0, len(a[1]) - len(b[1]) or b[0].index - a[0].index
    if second < first or (second == first and in_order < 0):
        a, b, rest_a, rest_b = b, a, rest_b, rest_a
    left = plan.aligned(*a, (*rest_a, summed))
    right = plan.aligned(*b, (summed, *rest_b))
    shape = left.shape[: len(rest_a)] + right.shape[1:]
    return plan.step("matmul", (left, right), None, shape), rest_a + rest_b


def _turns(labels: Labels, wanted: Labels) -> int:
    """Whether a matrix has to be transposed."""
    return int(labels != wanted)


def _ordered(labels: Labels, out: Labels) -> int:
    return int(labels == tuple(x for x in out if x in labels))


def _tensordot(plan: Plan, a: Array, b: Array, summed: list[int]) -> Array:
    axes = (tuple(a[1].index(x) for x in summed), tuple(b[1].index(x) for x in summed))
    labels = tuple(x for x in (*a[1], *b[1]) if x not in summed)
    shape = tuple(d for (step, own) in (a, b) for d, x in zip(step.shape, own, strict=True) if x not in summed)
    return plan.step("tensordot", (a[0], b[0]), axes, shape), labels


def _batched(plan: Plan, a: Array, b: Array, summed: list[int], kept: list[int], out: Labels) -> Array:
    """Axes that both have and that stay: a stack of products of matrices, or a sum of products of entries."""
    rest_a, rest_b = (tuple(x for x in labels if x not in summed and x not in kept) for _, labels in (a, b))
    sizes = {x: d for step, own in (a, b) for x, d in zip(own, step.shape, strict=True)}
    if rest_a and rest_b and len(summed) == 1 == len(rest_a) == len(rest_b):
        left = plan.aligned(*a, (*kept, *rest_a, *summed))
        right = plan.aligned(*b, (*kept, *summed, *rest_b))
        labels = (*kept, *rest_a, *rest_b)
        return plan.step("matmul", (left, right), None, tuple(sizes[x] for x in labels)), labels
    labels = tuple(kept) + rest_a + rest_b
    if set(labels) <= set(out):
        labels = tuple(x for x in out if x in labels)
    number = {x: i for i, x in enumerate(dict.fromkeys(a[1] + b[1]))}
    pattern = tuple(tuple(number[x] for x in own) for own in (a[1], b[1], labels))
    return plan.step("einsum", (a[0], b[0]), pattern, tuple(sizes[x] for x in labels)), labels
