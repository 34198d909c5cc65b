"""Sums in which positive terms outweigh negative ones: covariances, and functions that are bounded by 1.

For weights p ≥ 0 with Σ p = 1, such as a softmax, and any M (Jensen, or Cauchy and Schwarz)

    Σᵢ pᵢ Mᵢ'·P·Mᵢ − (Σᵢ pᵢ Mᵢ)'·P·(Σⱼ pⱼ Mⱼ)

is positive semidefinite for a positive semidefinite P: a covariance. diag(p) − p·p' is the case Mᵢ = eᵢ'.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from matgrad.tensor.builders import einsum, linear_terms, scaled, symbol
from matgrad.tensor.facts.mirrors import Operand, mirrors
from matgrad.tensor.facts.reasons import Why, holds, of_function, why
from matgrad.tensor.nodes import Apply, Einsum, Map, Node, Sum

Premises = list[tuple[str, Node]]


def dominated(node: Node, property: str) -> Why | None:
    """``psd``, ``nonnegative`` or ``positive`` of a sum with negative terms, or of a product of a negative number and
    such a sum."""
    terms = linear_terms(node)
    if len(terms) > 1:
        found = None if property == "psd" else bounded(terms, property)
        weighed = property == "psd" or (property == "nonnegative" and not node.shape)
        return found or (covariance(terms, property) if weighed else None)
    return _turned(node, property) if isinstance(node, Einsum) and node.coefficient < 0 else None


def _turned(node: Einsum, property: str) -> Why | None:
    """−2·A'·diag(tanh(z)² − 1)·A: the sign belongs to the sum, for which another name is put."""
    for operand in dict.fromkeys(node.operands):
        if not isinstance(operand, Sum) or node.operands.count(operand) > 1:
            continue
        negated = scaled(operand, -1)
        for of, traits in (("nonnegative", {"nonnegative"}), ("psd", {"psd", "symmetric"})):
            if (of == "psd" and len(operand.shape) != 2) or negated is node or not holds(negated, of):
                continue
            stand_in = symbol("(−)", operand.shape, frozenset(traits))
            operands = [
                (stand_in if n is operand else n, s) for n, s in zip(node.operands, node.subscripts, strict=True)
            ]
            found = why(einsum(operands, node.out, -node.coefficient, dict(enumerate(node.sizes))), property)
            if found is not None:
                told = [(p, n) for p, n in found.premises if n is not stand_in and stand_in not in n.children]
                return Why(found.reason, ((of, negated), *told))
    return None


def covariance(terms: dict[Node, Fraction], property: str) -> Why | None:
    """``psd`` of a matrix or ``nonnegative`` of a number: every negative term is taken up by one it is a part of."""
    terms, told = dict(terms), list[tuple[str, Node]]()
    if all(factor > 0 for factor in terms.values()):
        return None
    for term, factor in list(terms.items()):
        if factor > 0:
            continue
        for whole, premises in _second_moments(term):
            ((part, times),) = linear_terms(whole).items() or [(whole, Fraction(0))]
            if times > 0 and terms.get(part, Fraction(0)) >= -factor * times:
                terms[part] += factor * times
                told += premises
                break
        else:
            return None
        del terms[term]
    rest = [term for term, factor in terms.items() if factor]
    if not all(holds(term, property) for term in rest):
        return None
    told += [(property, term) for term in rest]
    return Why("a covariance, Σp*u*u' − (Σp*u)*(Σp*u)' with weights p ≥ 0 that sum to 1", tuple(dict.fromkeys(told)))


def _second_moments(term: Node) -> Iterator[tuple[Node, Premises]]:
    """For (Σ p·M)'·P·(Σ p·M) the term Σ p·M'·P·M that outweighs it, with the premises."""
    if not isinstance(term, Einsum) or len(term.out) not in (0, 2):
        return
    operands = list(zip(term.operands, term.subscripts, strict=True))
    for i, (p, here) in enumerate(operands):
        reduced = p.parameter if isinstance(p, Apply) and p.function == "softmax" else 0
        for twin, there in operands[i + 1 :] if reduced else ():
            lead = here[:-reduced]
            if twin is not p or lead != there[:-reduced] or set(here[-reduced:]) & set(there[-reduced:]):
                continue
            pairs = list(zip(here[-reduced:], there[-reduced:], strict=True))
            found = _weights(operands, term.out, pairs, lead)
            if found is None:
                continue
            merged = {b: a for a, b in pairs}
            kept = [(n, tuple(merged.get(x, x) for x in s)) for n, s in operands]
            kept.remove((p, here))  # the two are one now
            out = tuple(merged.get(x, x) for x in term.out)
            sizes = {x: dim for x, dim in enumerate(term.sizes) if x not in merged}
            yield einsum(kept, out, term.coefficient, sizes), found


def _weights(
    operands: list[Operand], out: tuple[int, ...], pairs: list[tuple[int, int]], lead: tuple[int, ...]
) -> Premises | None:
    """Premises for a mirror that exchanges the labels of p: psd bridges, and weights ≥ 0."""
    exchanged = [*pairs]
    if out and (out[0], out[1]) not in pairs:
        if (out[1], out[0]) in pairs:
            pass
        elif {out[0], out[1]} & {x for pair in pairs for x in pair}:
            return None
        else:
            exchanged.append((out[0], out[1]))
    turns = [exchanged] if not out or len(exchanged) == len(pairs) else [exchanged, [*pairs, (out[1], out[0])]]
    for turn in turns:
        for mirror in mirrors(operands, turn, lead, lambda n: holds(n, "psd")):
            if all(holds(n, "nonnegative") for n, _ in mirror.fixed):
                told = [("psd", n) for n, _ in mirror.bridges] + [("nonnegative", n) for n, _ in mirror.fixed]
                return list(dict.fromkeys(told))
    return None


def bounded(terms: dict[Node, Fraction], property: str) -> Why | None:
    """A number that is as large as all that may be taken from it, 1 − tanh(z)²; for ``positive`` larger, 2 + sin(z)."""
    least, told = Fraction(0), []
    for term, factor in terms.items():
        low, high = _range(term)
        end = low if factor > 0 else high
        if end is None:
            return None
        least += factor * end
        if not (isinstance(term, Einsum) and not term.operands):
            told.append(term)
    if not told or least < 0 or (property == "positive" and least == 0):
        return None
    lows = {t.function: _lowest(t) for t in told if isinstance(t, Map)}
    lows = {f: low for f, low in lows.items() if low is not None}
    said = "; ".join(f"{f} is least at 0, where it is {low}" for f, low in lows.items())
    return Why(said or "functions that are bounded by 1 are taken from at least as much")


def least_at_zero(function: str) -> Fraction | None:
    """f(0), where f falls up to 0 and rises from there: 1 for cosh."""
    falls, rises = of_function(function, "decreasing on"), of_function(function, "increasing on")
    value = of_function(function, "at 0")
    return Fraction(value) if value is not None and (falls, rises) == ("nonpositive", "nonnegative") else None


def _lowest(node: Map) -> Fraction | None:
    """f(0), where that is the least value: of cosh(u) for all u, of exp(u) for u ≥ 0."""
    least = least_at_zero(node.function)
    if least is not None or of_function(node.function, "increasing on") not in ("all", "nonnegative"):
        return least
    value = of_function(node.function, "at 0")
    return Fraction(value) if value is not None and holds(node.args[0], "nonnegative") else None


def _range(node: Node) -> tuple[Fraction | None, Fraction | None]:
    """Bounds of the entries, where they are known: numbers, bounded functions, their powers and entrywise products."""
    if isinstance(node, Einsum):
        if set(range(len(node.sizes))) - set(node.out) or len(set(node.out)) < len(node.out) or node.coefficient <= 0:
            return (Fraction(0), None) if holds(node, "nonnegative") else (None, None)
        if all(_is_bounded(n) for n in node.operands):
            low = Fraction(0) if holds(node, "nonnegative") else Fraction(-1)
            return (low if node.operands else Fraction(1)) * node.coefficient, node.coefficient
    if isinstance(node, Map) and (lowest := _lowest(node)) is not None:
        return lowest, Fraction(1) if _is_bounded(node) else None
    if _is_bounded(node):
        return Fraction(0) if holds(node, "nonnegative") else Fraction(-1), Fraction(1)
    return (Fraction(0), None) if holds(node, "nonnegative") else (None, None)


def _is_bounded(node: Node) -> bool:
    """Whether all entries are between −1 and 1."""
    if isinstance(node, Map) and node.function == "power":
        return node.parameter > 0 and _is_bounded(node.args[0])
    return isinstance(node, Map | Apply) and of_function(node.function, "bounded") == "1"
