"""Bookkeeping with scalars that are linear in a differential: traces, transposes, inner products.

A rule looks at one term without its sign and scalar factors, and gives what it makes of it, or None. A line applies
one rule to every term that it fits, and rules are tried in order until none fits: each moves the differential
nearer to the end of an inner product u'*dx or a trace tr(M*dX), so this ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from matgrad.dims import Dim
from matgrad.explaining.lines import Law, Path
from matgrad.explaining.simplifying import Simplifier, with_powers
from matgrad.explaining.terms import chain_of, parts_of, turned, turned_chain
from matgrad.explaining.trees import expanded, factors_of, ones, terms_of, tidied, varies
from matgrad.explaining.working import Step
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, SCALAR_TYPE, VECTOR, Expr, Type
from matgrad.translate.algebra import addition, call, number, product, times, transposed

Names = Collection[str]
LONGEST = 16
"""Lines of bookkeeping after which the terms are collected in one."""


class Rule(NamedTuple):
    law: Law
    apply: Callable[[Expr, Names], Expr | None]


def _place(factors: list[Expr], names: Names) -> int | None:
    places = [k for k, f in enumerate(factors) if varies(f, names)]
    return places[0] if len(places) == 1 else None


def _sum_of_products(core: Expr, names: Names) -> Expr | None:
    return _sum_as_product(core, names, VECTOR)


def _sum_as_trace(core: Expr, names: Names) -> Expr | None:
    return _sum_as_product(core, names, MATRIX)


def _sum_as_product(core: Expr, names: Names, kind: str) -> Expr | None:
    if core.op != "call" or core.value.name != "sum" or core.value.dim is not None:
        return None
    inner = core.args[0]
    split = _entrywise(inner, names) if inner.kind == kind else None
    if split is None:
        return None
    others, varying = split
    if inner.kind == VECTOR:
        return times(transposed(others), varying)
    return call("tr", times(turned(others), varying), type=SCALAR_TYPE)


def _summed(core: Expr, kind: str) -> Expr | None:
    """What a sum over all entries of a vector or a matrix adds up."""
    if core.op != "call" or core.value.name != "sum" or core.value.dim is not None:
        return None
    return core.args[0] if core.args[0].kind == kind else None


def _sum_of_entries(core: Expr, names: Names) -> Expr | None:
    """sum(A*dx) = ones'*A*dx."""
    inner = _summed(core, VECTOR)
    return None if inner is None else times(transposed(ones(Type(VECTOR, inner.dims))), inner)


def _sum_of_all(core: Expr, names: Names) -> Expr | None:
    """sum(A*dX) = ones'*A*dX*ones."""
    inner = _summed(core, MATRIX)
    if inner is None:
        return None
    row, column = ones(Type(VECTOR, inner.dims[:1])), ones(Type(VECTOR, inner.dims[1:]))
    return times(transposed(row), inner, column)


def _sum_of_sums(core: Expr, names: Names) -> Expr | None:
    """sum(sum(U, dim=2)) = sum(U)."""
    if core.op != "call" or core.value.name != "sum" or core.value.dim is not None:
        return None
    inner = core.args[0]
    inner = inner.args[0] if inner.op == "transpose" else inner
    if inner.op != "call" or inner.value.name != "sum" or inner.value.dim is None:
        return None
    return call("sum", inner.args[0], type=SCALAR_TYPE)


def _of_row_sums(core: Expr, names: Names) -> Expr | None:
    """u'*sum(V, dim=2) = sum(diag(u)*V), where V varies."""
    return _of_sums(core, names, 2)


def _of_column_sums(core: Expr, names: Names) -> Expr | None:
    """sum(V, dim=1)*u = sum(V*diag(u)), where V varies."""
    return _of_sums(core, names, 1)


def _of_sums(core: Expr, names: Names, dim: int) -> Expr | None:
    factors = chain_of(core)
    if factors is None or len(factors) < 2 or factors[0].kind != ROW or factors[-1].kind != VECTOR:
        return None
    place = _place(factors, names)
    if place not in (0, len(factors) - 1):
        return None
    sums = factors[place]
    if sums.op == "transpose":
        sums = sums.args[0]
    if sums.op != "call" or sums.value.name != "sum" or sums.value.dim != dim:
        return None
    weights = turned_chain(factors[:-1]) if place else times(*factors[1:])
    diagonal = call("diag", weights, type=Type(MATRIX, weights.dims * 2))
    split = _entrywise(sums.args[0], names)
    inner = sums.args[0] if split is None else split[0]
    scaled = times(diagonal, inner) if dim == 2 else times(inner, diagonal)
    whole = scaled if split is None else product([("*", scaled), (".*", split[1])])
    return call("sum", whole, type=SCALAR_TYPE)


def _mean(size: Callable[[Dim], Expr]) -> Callable[[Expr, Names], Expr | None]:
    """mean(u) = sum(u)/n, with n as the derivation calls it."""

    def apply(core: Expr, names: Names) -> Expr | None:
        if core.op != "call" or core.value.name != "mean" or core.value.dim is not None:
            return None
        total = call("sum", core.args[0], type=SCALAR_TYPE)
        return product([("*", total), ("/", times(*(size(dim) for dim in core.args[0].dims)))])

    return apply


def _trace_entrywise(core: Expr, names: Names) -> Expr | None:
    """tr(A.*dX) = tr(diag(diag(A))*dX)."""
    if core.op != "call" or core.value.name != "tr":
        return None
    split = _entrywise(core.args[0], names)
    if split is None or split[0].kind != MATRIX:
        return None
    inner = call("diag", split[0], type=Type(VECTOR, split[0].dims[:1]))
    return call("tr", times(call("diag", inner, type=split[0].type or SCALAR_TYPE), split[1]), type=SCALAR_TYPE)


def _entrywise(expr: Expr, names: Names) -> tuple[Expr, Expr] | None:
    """(u, v) where the formula is u.*v and only v varies."""
    if expr.op != "product":
        return None
    pairs = _grouped(factors_of(expr))
    if any(o not in (".*", "./") for o, f in pairs[1:] if f.kind != SCALAR) or not any(
        f.kind != SCALAR for _, f in pairs[1:]
    ):
        return None
    place = next((k for k, (_, f) in enumerate(pairs) if varies(f, names)), None)
    if place is None or pairs[place][0] in ("/", "./") or pairs[place][1].kind == SCALAR:
        return None
    rest = pairs[:place] + pairs[place + 1 :]
    if sum(varies(f, names) for _, f in rest):
        return None
    if rest[0][0] in ("/", "./"):
        rest = [("*", number(1)), *rest]
    others = product(rest)
    return (others, pairs[place][1]) if others.kind == expr.kind else None


def _grouped(pairs: list[tuple[str, Expr]]) -> list[tuple[str, Expr]]:
    """A*B.*C as (A*B).*C: what stands before the entrywise factors is one factor."""
    places = [k for k, (o, f) in enumerate(pairs) if k and o == "*" and MATRIX in (f.kind, pairs[k - 1][1].kind)]
    if not places or places[-1] == len(pairs) - 1:
        return pairs
    head = product(pairs[: places[-1] + 1])
    return [("*", head), *pairs[places[-1] + 1 :]]


def _scalar_transposed(core: Expr, names: Names) -> Expr | None:
    """dx'*A*x = x'*A'*dx; u'*dX'*v = v'*dX*u."""
    factors = chain_of(core)
    if factors is None or len(factors) < 2 or factors[0].kind != ROW or factors[-1].kind != VECTOR:
        return None
    place = _place(factors, names)
    if place is None or factors[place].op != "transpose":
        return None
    return turned_chain(factors)


def _across(core: Expr, names: Names) -> Expr | None:
    """u'*(v.*dw) = (u.*v)'*dw."""
    factors = chain_of(core)
    if factors is None or len(factors) < 2 or factors[0].kind != ROW or _place(factors, names) != len(factors) - 1:
        return None
    split = _entrywise(factors[-1], names)
    if split is None or factors[-1].kind != VECTOR:
        return None
    left = turned_chain(factors[:-1])
    return times(transposed(_had(left, split[0])), split[1])


def _had(left: Expr, right: Expr) -> Expr:
    """left .* right, with 1./v on the right written as a division."""
    if right.op == "product" and right.args[0].op == "number" and right.value[0] == "./":
        return product([("*", left), *zip(right.value, right.args[1:], strict=True)])
    return product([("*", left), (".*", right)])


def _trace_of_scalar(core: Expr, names: Names) -> Expr | None:
    """u'*dX*v = tr(v*u'*dX)."""
    factors = chain_of(core)
    if factors is None or len(factors) < 2 or factors[0].kind != ROW or factors[-1].kind != VECTOR:
        return None
    place = _place(factors, names)
    if place is None or factors[place].kind != MATRIX:
        return None
    if factors[place].op == "call" and factors[place].value.name == "diag":
        return None
    return call("tr", times(*factors[place + 1 :], *factors[: place + 1]), type=SCALAR_TYPE)


def _of_diagonal(core: Expr, names: Names) -> Expr | None:
    """u'*diag(dv)*w = (u.*w)'*dv."""
    factors = chain_of(core)
    if factors is None or len(factors) < 3 or factors[0].kind != ROW or factors[-1].kind != VECTOR:
        return None
    place = _place(factors, names)
    if place is None or factors[place].op != "call" or factors[place].value.name != "diag":
        return None
    inside = factors[place].args[0]
    if inside.kind != VECTOR or not 0 < place < len(factors) - 1:
        return None
    left, right = turned_chain(factors[:place]), times(*factors[place + 1 :])
    return times(transposed(product([("*", left), (".*", right)])), inside)


def _in_trace(core: Expr) -> list[Expr] | None:
    if core.op != "call" or core.value.name != "tr" or core.args[0].kind != MATRIX:
        return None
    return chain_of(core.args[0])


def _out_of_trace(core: Expr, names: Names) -> Expr | None:
    """tr(a*dX) = a*tr(dX), and tr(dt*A) = tr(A)*dt where the differential is that of a number."""
    factors = _in_trace(core)
    if factors is None or all(f.kind != SCALAR for f in factors):
        return None
    numbers = [f for f in factors if f.kind == SCALAR]
    rest = call("tr", times(*(f for f in factors if f.kind != SCALAR)), type=SCALAR_TYPE)
    fixed, varying = ([f for f in numbers if varies(f, names) is moves] for moves in (False, True))
    return product([("*", f) for f in (*fixed, rest, *varying)])


def _trace_transposed(core: Expr, names: Names) -> Expr | None:
    factors = _in_trace(core)
    place = _place(factors, names) if factors else None
    if factors is None or place is None or factors[place].op != "transpose":
        return None
    return call("tr", turned_chain(factors), type=SCALAR_TYPE)


def _cyclic(core: Expr, names: Names) -> Expr | None:
    factors = _in_trace(core)
    place = _place(factors, names) if factors else None
    if factors is None or place is None or place == len(factors) - 1:
        return None
    moved = [*factors[place + 1 :], *factors[: place + 1]]
    if moved[0].kind == ROW and moved[-1].kind == VECTOR:
        return times(*moved)
    return call("tr", times(*moved), type=SCALAR_TYPE)


def _across_trace(core: Expr, names: Names) -> Expr | None:
    factors = _in_trace(core)
    if factors is None or len(factors) < 2 or _place(factors, names) != len(factors) - 1:
        return None
    split = _entrywise(factors[-1], names)
    if split is None:
        return None
    left = turned_chain(factors[:-1])
    return call("tr", times(transposed(_had(left, split[0])), split[1]), type=SCALAR_TYPE)


def _trace_of_diagonal(core: Expr, names: Names) -> Expr | None:
    """tr(M*diag(dv)) = diag(M)'*dv."""
    factors = _in_trace(core)
    if factors is None or len(factors) < 2 or _place(factors, names) != len(factors) - 1:
        return None
    last = factors[-1]
    if last.op != "call" or last.value.name != "diag" or last.args[0].kind != VECTOR:
        return None
    square = times(*factors[:-1])
    return times(transposed(call("diag", square, type=Type(VECTOR, square.dims[:1]))), last.args[0])


RULES = (
    Rule(Law("a number comes out of a trace", "tr(a*U) = tr(U)*a", "the trace is linear"), _out_of_trace),
    Rule(Law("a sum of products", "sum(u.*v) = u'*v", "the definition of the inner product"),
         _sum_of_products),
    Rule(Law("a sum of products is a trace", "sum(U.*V) = tr(U'*V)", "both add up U[i,j]*V[i,j]"), _sum_as_trace),
    Rule(Law("all sums of rows or columns", "sum(sum(U, dim=2)) = sum(U)", "every entry is added once"), _sum_of_sums),
    Rule(Law("weighted sums of rows", "u'*sum(V, dim=2) = sum(diag(u)*V)", "both add up u[i]*V[i,j]"), _of_row_sums),
    Rule(Law("weighted sums of columns", "sum(V, dim=1)*u = sum(V*diag(u))", "both add up V[i,j]*u[j]"),
         _of_column_sums),
    Rule(Law("a sum is a product with ones", "sum(u) = vector(1)'*u", "all entries are added"), _sum_of_entries),
    Rule(Law("a sum of all entries", "sum(U) = vector(1)'*U*vector(1)", "rows, then columns are added"), _sum_of_all),
    Rule(Law("the trace of an entrywise product", "tr(U.*V) = tr(diag(diag(U))*V)", "only diagonals meet"),
         _trace_entrywise),
    Rule(Law("a scalar equals its transpose", "u'*U*v = v'*U'*u", "the transpose of a number is that number"),
         _scalar_transposed),
    Rule(Law("move an entrywise factor across", "u'*(v.*w) = (u.*v)'*w", "both are sum(u.*v.*w)"),
         _across),
    Rule(Law("a diagonal matrix between two vectors", "u'*diag(v)*w = (u.*w)'*v", "both are sum(u.*v.*w)"),
         _of_diagonal),
    Rule(Law("a number is its own trace; cyclic permutation", "u'*U*v = tr(v*u'*U)", "tr(U*V) = tr(V*U)"),
         _trace_of_scalar),
    Rule(Law("a trace equals that of the transpose", "tr(U) = tr(U')", "the diagonal stays in its place"),
         _trace_transposed),
    Rule(Law("cyclic permutation of a trace", "tr(U*V) = tr(V*U)", "both add up U[i,j]*V[j,i]"), _cyclic),
    Rule(Law("move an entrywise factor across", "tr(U'*(V.*W)) = tr((U.*V)'*W)", "both are sum(U.*V.*W)"),
         _across_trace),
    Rule(Law("the trace with a diagonal matrix", "tr(U*diag(v)) = diag(U)'*v", "only the diagonal of U meets v"),
         _trace_of_diagonal),
)  # fmt: skip


def rules_for(simplifier: Simplifier) -> tuple[Rule, ...]:
    """The rules, with the sizes as one derivation calls them."""
    mean = Law("the definition of mean", "mean(u) = sum(u)/n", "n is the number of entries")
    return (Rule(mean, _mean(simplifier.size)), *RULES)


def bookkept(expr: Expr, names: Names, simplifier: Simplifier) -> list[Step]:
    """The lines that bring each term of a scalar into the form u'*dx or tr(M*dX), as far as the rules go."""
    current = expanded(expr, names)
    steps: list[Step] = []
    while len(steps) < LONGEST:
        found = simplifier.step(current) or _one_line(current, names, rules_for(simplifier))
        if found is None:
            break
        found = simplifier.absorbed(found._replace(after=with_powers(expanded(found.after, names))))
        if found.after == current:
            break
        steps.append(found)
        current = found.after
    return steps


def _one_line(expr: Expr, names: Names, rules: tuple[Rule, ...]) -> Step | None:
    terms = terms_of(expr)
    for rule in rules:
        new = [on_term(term, names, rule.apply) for term in terms]
        places: list[Path] = [(k,) if expr.op == "add" else () for k, t in enumerate(new) if t is not None]
        if places:
            kept = [_rebuilt(old, names) if t is None else t for old, t in zip(terms, new, strict=True)]
            after = tidied(addition(kept))
            return Step(rule.law, expr, tuple(places), after)
    return None


def _rebuilt(term: Expr, names: Names) -> Expr:
    """The term with its scalars in front, so that equal terms are seen to be equal."""
    parts = parts_of(term, names)
    return term if parts is None else parts.around(parts.core)


def on_term(term: Expr, names: Names, apply: Callable[[Expr, Names], Expr | None]) -> Expr | None:
    """A rule applied to what is left of a term when its sign and scalar factors are taken out."""
    parts = parts_of(term, names)
    if parts is None:
        return None
    found = apply(parts.core, names)
    return None if found is None else parts.around(found)
