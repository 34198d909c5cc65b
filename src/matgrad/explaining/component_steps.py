"""Derivatives entry by entry: the rules, ∂xᵢ/∂xₖ = δᵢₖ, and what a Kronecker delta picks from a sum."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from matgrad.explaining.card_trees import along
from matgrad.explaining.index_trees import (
    Index,
    bound_in,
    delta,
    divided,
    entry,
    joined,
    numbers_first,
    over,
    parts_of,
    reading_order,
    scalar,
    times,
    total,
    with_indices,
)
from matgrad.explaining.indices import Indices, too_long
from matgrad.explaining.lines import Law
from matgrad.formula.syntax import Call, Expr, fold, walk
from matgrad.functions import Card, card
from matgrad.translate.algebra import number

MOST_TERMS, MOST_FACTORS = 8, 9
SUM = Law(
    "sum rule", "d(u + v) = d(u) + d(v)", "the derivative of a sum is that of its terms; factors that do not vary stay"
)
PRODUCT = Law("product rule", "d(u*v) = d(u)*v + u*d(v)", "the terms of first order in (u + du)(v + dv)")
QUOTIENT = Law("quotient rule", "d(u/v) = d(u)/v - u*d(v)/v^2", "the product rule on u times 1/v")
POWER = Law("power rule", "d(u^p) = p*u^(p - 1)*d(u)", "the product rule, repeated")
INVERSE = Law("derivative of an inverse", "d(inv(X)) = -inv(X)*d(X)*inv(X)", "d of X*inv(X) = I, entry by entry")
COFACTORS = Law(
    "expansion by cofactors",
    "d(det(X)) = tr(adj(X)*d(X))",
    "det(X) = Σⱼ Xᵢⱼ Cᵢⱼ, where no cofactor of row i contains Xᵢⱼ",
)
LOGDET = Law("expansion by cofactors, over the determinant", "d(logdet(X)) = tr(inv(X)*d(X))", "inv(X) = adj(X)/det(X)")


class Slopes:
    """∂/∂x[at] of entries, with the rules that were used."""

    def __init__(
        self, indices: Indices, wrt: str, at: tuple[Index, ...], traits: Collection[str], varying: Collection[str]
    ) -> None:
        self.indices, self.wrt, self.at = indices, wrt, at
        self.traits = set(traits)
        self.varying = set(varying)
        self.rules: dict[Law, None] = {}

    def moves(self, expr: Expr) -> bool:
        return any(
            node.op == "entry" and any(n.op == "name" and n.value in self.varying for n in walk(node.args[0]))
            for node in walk(expr)
        )

    def of(self, expr: Expr) -> Expr:
        """The derivative of a formula that varies."""
        match expr.op:
            case "entry":
                return self._entry(expr)
            case "neg":
                return scalar("neg", (self.of(expr.args[0]),))
            case "add":
                return total([self.of(arg) for arg in expr.args if self.moves(arg)])
            case "over":
                return over(expr.value, self.of(expr.args[0]))
            case "product":
                return self._product(expr)
            case "power":
                return self._power(expr)
            case "call":
                return self._call(expr)
        raise too_long()

    def _entry(self, expr: Expr) -> Expr:
        array, indices = expr.args[0], expr.value
        if array.op == "call":
            return self._matrix(array, indices)
        if array.value != self.wrt:
            return scalar("partial", (), (array.value, indices))
        if not indices:
            return number(1)
        straight = times(*(delta(i, k) for i, k in zip(indices, self.at, strict=True)))
        if "diagonal" in self.traits:
            return times(straight, delta(*self.at))
        if "symmetric" in self.traits:
            crossed = times(*(delta(i, k) for i, k in zip(indices, self.at[::-1], strict=True)))
            return times(number(Fraction(1, 2)), total([straight, crossed]))
        return straight

    def _matrix(self, array: Expr, indices: tuple[Index, ...]) -> Expr:
        """inv(M) at i, j; det(M) and logdet(M)."""
        function, matrix = array.value.name, array.args[0]
        m, n = (self.indices.new(dim) for dim in matrix.dims)
        slope = self.of(entry(matrix, (m, n)))
        if function == "inv":
            self.rules[INVERSE] = None
            i, j = indices
            return scalar("neg", (over((m, n), times(entry(array, (i, m)), slope, entry(array, (n, j)))),))
        law, name = (COFACTORS, "adj") if function == "det" else (LOGDET, "inv")
        self.rules[law] = None
        factor = Expr("call", (matrix,), Call(name), type=matrix.type)
        return over((m, n), times(entry(factor, (n, m)), slope))

    def _product(self, expr: Expr) -> Expr:
        parts = parts_of(expr)
        terms = []
        for k, (sign, factor) in enumerate(parts):
            if not self.moves(factor):
                continue
            if sign == "/":
                self.rules[QUOTIENT] = None
                root = factor.op == "call" and factor.value.name == "sqrt"
                square = factor.args[0] if root else scalar("power", (factor, number(2)), "^")
                rest = [p for j, p in enumerate(parts) if j != k]
                terms.append(scalar("neg", (divided(times(joined(rest), self.of(factor)), square),)))
            else:
                slope = self.of(factor)
                inner = [*parts[:k], ("*", slope), *parts[k + 1 :]]
                terms.append(times_parts(inner))
        if len(terms) > 1 and QUOTIENT not in self.rules:
            self.rules[PRODUCT] = None
        return total(terms)

    def _power(self, expr: Expr) -> Expr:
        base, exponent = expr.args
        if self.moves(exponent):
            raise too_long()
        self.rules[POWER] = None
        value = exponent.value if exponent.op == "number" else None
        if value == 2:
            lower = base
        elif value is not None:
            lower = scalar("power", (base, number(value - 1)), "^")
        else:
            lower = scalar("power", (base, total([exponent, scalar("neg", (number(1),))])), "^")
        return times(exponent, lower, self.of(base))

    def _call(self, expr: Expr) -> Expr:
        name, inner = expr.value.name, expr.args[0]
        entry_card = card(name)
        if entry_card is not None and entry_card.partials:
            return self._of_pair(entry_card, expr)
        if entry_card is None:
            self.rules[Law("chain rule", "d(g(u)) = g'(u)*d(u)", "the derivative of the function")] = None
            slope = expr.replace(value=Call(name, None, expr.value.primes + 1))
        elif entry_card.derivative:
            law = f"d({name}(x)) = ({entry_card.derivative})*d(x)"
            self.rules[Law(f"chain rule, derivative of {name}", law, entry_card.because)] = None
            slope = along(entry_card.derivative, {"x": inner})
        else:
            raise too_long()
        if slope.op == "product" and slope.args[0] == number(1) and set(slope.value) == {"/"}:
            return divided(self.of(inner), joined([("*", f) for f in slope.args[1:]]))
        return times(slope, self.of(inner))

    def _of_pair(self, entry: Card, expr: Expr) -> Expr:
        given = dict(zip(entry.arguments, expr.args, strict=True))
        signature = f"{entry.name}({', '.join(entry.arguments)})"
        slopes = [(name, slope) for name, slope in zip(entry.arguments, entry.partials, strict=True) if slope]
        parts = [f"({slope})*d({name})" for name, slope in slopes]
        law = f"d({signature}) = " + " + ".join(parts)
        self.rules[Law(f"chain rule, derivative of {entry.name}", law, entry.because)] = None
        return total(
            [times(along(slope, given), self.of(given[name])) for name, slope in slopes if self.moves(given[name])]
        )


def times_parts(parts: Sequence[tuple[str, Expr]]) -> Expr:
    """A product with divisors; sums in it are pulled to the front."""
    sums: tuple[Index, ...] = ()
    flat: list[tuple[str, Expr]] = []
    for sign, factor in parts:
        if sign == "*" and factor.op == "over":
            sums, factor = (*sums, *factor.value), factor.args[0]
        if sign == "*":
            flat += parts_of(factor)
        else:
            flat.append((sign, factor))
    return over(sums, joined(numbers_first(flat)))


class Term(NamedTuple):
    """coefficient · Σ over ``sums`` of the factors."""

    coefficient: Fraction
    sums: tuple[Index, ...]
    parts: tuple[tuple[str, Expr], ...]


def terms_of(expr: Expr) -> list[Term]:
    """A formula multiplied out as far as its deltas and partial derivatives need."""
    found = _terms(expr)
    if len(found) > MOST_TERMS or any(len(term.parts) > MOST_FACTORS for term in found):
        raise too_long()
    return found


def _terms(expr: Expr) -> list[Term]:
    match expr.op:
        case "add":
            return [term for arg in expr.args for term in _terms(arg)]
        case "neg":
            return [term._replace(coefficient=-term.coefficient) for term in _terms(expr.args[0])]
        case "over":
            return [term._replace(sums=(*expr.value, *term.sums)) for term in _terms(expr.args[0])]
        case "number":
            return [Term(expr.value, (), ())]
        case "product":
            found = [Term(Fraction(1), (), ())]
            for sign, factor in _divisors_apart(expr):
                if sign == "/" and factor.op == "number" and factor.value:
                    inner = [Term(1 / factor.value, (), ())]
                elif sign == "*" and (factor.op in ("number", "neg", "product") or _opens(factor)):
                    inner = _terms(factor)
                else:
                    inner = [Term(Fraction(1), (), ((sign, factor),))]
                found = [
                    Term(a.coefficient * b.coefficient, (*a.sums, *b.sums), (*a.parts, *b.parts))
                    for a in found for b in inner
                ]  # fmt: skip
            return found
    return [Term(Fraction(1), (), (("*", expr),))]


def _divisors_apart(expr: Expr) -> list[tuple[str, Expr]]:
    """The factors, with a/(2*b) as a/2/b, so that numbers cancel."""
    found = []
    for sign, factor in parts_of(expr):
        if sign == "/" and factor.op == "product" and set(factor.value) == {"*"}:
            found += [("/", part) for part in factor.args]
        else:
            found.append((sign, factor))
    return found


def _opens(expr: Expr) -> bool:
    return expr.op in ("add", "over") and any(node.op in ("delta", "partial") for node in walk(expr))


def picks(expr: Expr) -> bool:
    """Whether a delta in the formula has an index that is summed over."""
    bound = bound_in(expr)
    return any(node.op == "delta" and not bound.isdisjoint(node.value) for node in walk(expr))


def picked(expr: Expr, kept: Collection[Index]) -> Expr:
    """The formula with its deltas summed out: δᵢₖ in a sum over i leaves the term with i = k."""
    return written([_picked(term, set(kept)) for term in terms_of(expr)])


def _picked(term: Term, kept: set[Index]) -> Term:
    sums, parts = list(term.sums), list(term.parts)
    k = 0
    while k < len(parts):
        sign, factor = parts[k]
        if sign != "*" or factor.op != "delta":
            k += 1
            continue
        i, j = factor.value
        if i in sums or j in sums:
            old, new = (i, j) if i in sums else (j, i)
            parts.pop(k)
            sums.remove(old)
            parts = [(s, with_indices(f, {old: new})) for s, f in parts]
            k = 0
        elif i == j:
            parts.pop(k)
            k = 0
        else:
            k += 1
    return Term(term.coefficient, tuple(sums), tuple(parts))


def inserted(expr: Expr, slopes: Mapping[str, tuple[tuple[Index, ...], Expr]], indices: Indices) -> Expr:
    """The formula with the derivatives of the names in it: each with indices of its own for its sums."""

    def visit(node: Expr, args: list[Expr]) -> Expr:
        if node.op != "partial":
            return node.replace(args=tuple(args)) if args else node
        own, slope = slopes[node.value[0]]
        fresh = {i: indices.new(indices.sizes[i]) for part in walk(slope) if part.op == "over" for i in part.value}
        return with_indices(slope, {**fresh, **dict(zip(own, node.value[1], strict=True))})

    filled: Expr = fold(expr, visit)
    return written(terms_of(filled))


def written(terms: Sequence[Term]) -> Expr:
    """The sum of the terms, equal ones gathered."""
    gathered: dict[Expr, tuple[Fraction, Expr]] = {}
    for term in terms:
        used = {i for _, f in term.parts for i in reading_order(f)}
        order = [i for _, f in term.parts for i in reading_order(f)]
        sums = tuple(dict.fromkeys(i for i in order if i in term.sums))
        top = [p for p in term.parts if p[0] == "*"]
        divisors = [factor for sign, factor in term.parts if sign != "*"]
        rest = [("/", times(*divisors))] if divisors else []
        body = over(sums, joined([*top, *rest] or [("*", number(1))])) if term.parts else number(1)
        if any(i not in used for i in term.sums):
            raise too_long()
        key = _canonical(body)
        old = gathered.get(key, (Fraction(0), body))
        gathered[key] = (old[0] + term.coefficient, old[1])
    found = []
    for coefficient, body in gathered.values():
        size = abs(coefficient)
        if not size:
            continue
        whole = number(size) if body == number(1) else body if size == 1 else _scaled(size, body)
        found.append(scalar("neg", (whole,)) if coefficient < 0 else whole)
    found.sort(key=lambda term: term.op == "neg")
    return total(found) if found else number(0)


def _scaled(size: Fraction, body: Expr) -> Expr:
    if body.op == "over":
        return scalar("product", (number(size), body), ("*",))
    return joined([("*", number(size)), *[p for p in parts_of(body) if p != ("*", number(1))]])


def _canonical(body: Expr) -> Expr:
    """One key for terms that are equal up to the names of the indices they sum over and the order of factors."""
    bound = {i for node in walk(body) if node.op == "over" for i in node.value}
    inner = body.args[0] if body.op == "over" else body
    parts = sorted(parts_of(inner), key=lambda p: (p[0], repr(with_indices(p[1], dict.fromkeys(bound, -1)))))
    order = [i for _, f in parts for i in reading_order(f) if i in bound]
    names = {i: -1 - k for k, i in enumerate(dict.fromkeys(order))}
    return joined([(sign, with_indices(factor, names)) for sign, factor in parts])
