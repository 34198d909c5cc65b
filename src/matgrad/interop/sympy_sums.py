"""Sums over indices, as SymPy writes (x.T*x)[0, 0]: products of entries become an einsum."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from matgrad.errors import NotSupported
from matgrad.interop.sympy_functions import load
from matgrad.objects import elementwise
from matgrad.objects.contraction import einsum
from matgrad.objects.indexing import pick
from matgrad.objects.value import Value

Convert = Callable[[Any, Mapping[Any, Value]], Value]
"""Converts an expression, with values for some of its parts."""
_LETTERS = "ijklmnpqrst"


def summed(node: Any, convert: Convert) -> Value:
    """Σ over indices that run over whole axes. Each term is a product; a factor has entries with the same indices."""
    s = load()
    body, limits = node.function.expand(), list(node.limits)
    while isinstance(body, s.Sum):
        limits += body.limits
        body = body.function.expand()
    letters = dict(zip((limit[0] for limit in limits), _LETTERS, strict=False))
    if len(letters) < len(limits) or not all(_runs_over_axes(limit, body) for limit in limits):
        raise NotSupported("Sum of SymPy is converted where its indices run over whole axes", details=str(node)[:80])
    terms = [_term(term, letters, convert) for term in s.Add.make_args(body)]
    total = terms[0]
    for term in terms[1:]:
        total = elementwise.add(total, term)
    return total


def _runs_over_axes(limit: Any, body: Any) -> bool:
    """Whether the index goes through all of each axis in which it stands, and stands in entries only."""
    s = load()
    index, first, last = limit
    entries = [e for e in body.atoms(s.matrices.expressions.matexpr.MatrixElement) if index in e.free_symbols]
    places = [(k, dim) for e in entries for k, dim in zip(e.indices, e.parent.shape, strict=True) if k.has(index)]
    elsewhere = body.subs({e: s.Dummy() for e in entries}).has(index)
    return (
        bool(places)
        and not elsewhere
        and all(k == index and first == 0 and s.simplify(last + 1 - dim) == 0 for k, dim in places)
    )


def _term(term: Any, letters: Mapping[Any, str], convert: Convert) -> Value:
    """One product as an einsum. A letter that is missing in it would be a factor n: that is refused."""
    s = load()
    patterns, arrays = [], []
    for factor in s.Mul.make_args(term):
        entries = [e for e in factor.atoms(s.matrices.expressions.matexpr.MatrixElement) if e.has(*letters)]
        labels = {tuple(k for k in e.indices if k in letters) for e in entries}
        if len(labels) > 1:
            raise NotSupported("a function of entries with different indices cannot be converted", details=str(factor))
        here = labels.pop() if labels else ()
        arrays.append(convert(factor, {e: _array(e, letters, convert) for e in entries}))
        patterns.append("".join(letters[k] for k in here))
    if set("".join(patterns)) != set(letters.values()):
        raise NotSupported("a term of a Sum of SymPy without one of its indices cannot be converted", details=str(term))
    return einsum(f"{','.join(patterns)}->", arrays)


def _array(entry: Any, letters: Mapping[Any, str], convert: Convert) -> Value:
    """X[i, 2] as the column of X: its axes are those of the letters."""
    places = tuple(slice(None) if k in letters else int(k) if k.is_Integer else None for k in entry.indices)
    if None in places:
        raise NotSupported(f"the index of {entry} of SymPy is no number and cannot be converted")
    return pick(convert(entry.parent, {}), places)
