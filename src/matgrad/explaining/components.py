"""The style of components: entry by entry in index notation, with the Kronecker delta ∂xᵢ/∂xⱼ = δᵢⱼ.

Each side is a sum of ``einsum`` terms, which the reference evaluator checks like any other formula; ``index_words``
prints them as sums over indices. For small formulas only: long ones are better read in another style.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from matgrad.differentiate.linearise import edges
from matgrad.dims import Dim
from matgrad.errors import NotSupported
from matgrad.explaining.collecting import printable
from matgrad.explaining.lines import ANSWER, GIVEN, STEP, Law, Line
from matgrad.explaining.setting import Setting
from matgrad.explaining.trees import named
from matgrad.formula.syntax import MATRIX, VECTOR, Expr, Type
from matgrad.tensor.nodes import Einsum, Node, Sum, topological
from matgrad.tensor.rebuild import rebuild
from matgrad.translate.algebra import addition, call, negative, number, of_order, times

MOST_TERMS, MOST_FACTORS = 6, 7
_LETTERS = "ijmnprstuvabcdefgh"
_VARIABLE = "kl"

_GIVEN = Law("in components", "", "a matrix product is a sum over the index in the middle")
_PRODUCT = Law(
    "product rule and chain rule, entry by entry", "d(u*v) = d(u)*v + u*d(v)", "∂x[i]/∂x[k] is 1 where i = k, else 0: δ"
)
_PICK = Law("the Kronecker delta picks one term", "", "in a sum over i, δ[i,k] leaves the term with i = k")
_BACK = Law("back to matrix notation", "", "a sum over an index in the middle is a matrix product")


class Term(NamedTuple):
    """coefficient · Σ ∏ factors; a factor without a node is a Kronecker delta."""

    coefficient: Fraction
    factors: tuple[tuple[Node | None, tuple[int, ...]], ...]
    sizes: Mapping[int, Dim]


def component_lines(setting: Setting) -> list[Line]:
    """The formula in components, its derivative with deltas, without them, and in matrix notation."""
    return _Components(setting).lines()


class _Components:
    def __init__(self, setting: Setting) -> None:
        self.s = setting
        formula = setting.formula
        self.root = rebuild(formula.node, {}, expand=True)
        self.x = formula.symbols.get(setting.wrt)
        self.recovery = formula.recovery
        outputs = len(self.root.shape)
        if self.x is None or len(self.x.shape) + outputs > 4:
            self._refuse("an intermediate" if self.x is None else "so many axes")
        self.out = tuple(range(outputs))
        self.at = tuple(range(100, 100 + len(self.x.shape) if self.x else 0))
        self.fresh = 200

    def _refuse(self, why: str) -> None:
        raise NotSupported(f"the style of components is for small formulas, not for {why}", hint='style="differential"')

    def lines(self) -> list[Line]:
        s = self.s
        left = named(s.gradient_name, of_order((*self.root.shape, *(self.x.shape if self.x else ()))))
        value = self._value_terms()
        slopes = self._slopes(self.root, self.out, ())
        picked = [_picked(term, {*self.out, *self.at}) for term in slopes]
        given = [self._expr(term, self.out, s.body.type) for term in value]
        lines = [Line(GIVEN, s.f, self._total(given), _GIVEN)]
        if slopes:
            type_ = left.type
            labels = (*self.out, *self.at)
            with_deltas = self._total([self._expr(t, labels, type_) for t in slopes])
            without = self._total([self._expr(t, labels, type_) for t in picked])
            lines.append(Line(STEP, left, with_deltas, _PRODUCT))
            if without != with_deltas:
                lines.append(Line(STEP, left, without, _PICK, with_deltas, ((),), continues=True))
        lines.append(Line(ANSWER, left, s.answer.expr, _BACK, None, (), continues=bool(slopes)))
        return lines

    def _value_terms(self) -> list[Term]:
        nodes = self.root.terms if isinstance(self.root, Sum) else ((Fraction(1), self.root),)
        found = []
        for factor, node in nodes:
            if isinstance(node, Einsum):
                names = {label: self._new() for label in range(len(node.sizes))}
                names.update(dict(zip(node.out, self.out, strict=True)))
                if len(set(node.out)) == len(node.out):
                    pairs = tuple(
                        (n, tuple(names[x] for x in sub)) for n, sub in zip(node.operands, node.subscripts, strict=True)
                    )
                    sizes = {names[k]: dim for k, dim in enumerate(node.sizes)}
                    found.append(Term(factor * node.coefficient, pairs, sizes))
                    continue
            found.append(Term(factor, ((node, self.out),), dict(zip(self.out, node.shape, strict=True))))
        return found

    def _new(self) -> int:
        self.fresh += 1
        return self.fresh

    def _slopes(
        self, root: Node, out: tuple[int, ...], above: tuple[tuple[Node | None, tuple[int, ...]], ...]
    ) -> list[Term]:
        """One term for each way from the root to the variable, each with a delta at its end."""
        assert self.x is not None
        varying = {self.x}
        for node in topological(root):
            if not varying.isdisjoint(node.children):
                varying.add(node)
        done: list[Term] = []
        stack = [(root, out, above, Fraction(1), dict(zip(out, root.shape, strict=True)))]
        while stack:
            node, labels, factors, coefficient, sizes = stack.pop()
            if node is self.x:
                deltas = tuple((None, pair) for pair in zip(labels, self.at, strict=True))
                more = dict(zip(self.at, self.x.shape, strict=True))
                done.append(Term(coefficient, (*factors, *deltas), {**sizes, **more}))
                continue
            for edge in reversed(edges(node)):
                if edge.child not in varying:
                    continue
                names = {label: self._new() for label in edge.sizes}
                if len(set(edge.out)) != len(edge.out):
                    self._refuse("a diagonal")
                names.update(dict(zip(edge.out, labels, strict=True)))
                own = tuple((n, tuple(names[x] for x in sub)) for n, sub in edge.operands)
                known = {**sizes, **{names[x]: dim for x, dim in edge.sizes.items()}}
                hole = tuple(names[x] for x in edge.hole)
                stack.append((edge.child, hole, (*factors, *own), coefficient * edge.coefficient, known))
            if len(done) + len(stack) > MOST_TERMS or any(len(f[2]) > MOST_FACTORS for f in stack):
                self._refuse("so long a formula")
        if len(done) > MOST_TERMS:
            self._refuse("so long a formula")
        return done

    # -- as einsums

    def _expr(self, term: Term, out: tuple[int, ...], type: Type | None) -> Expr:
        """One term as an ``einsum`` with its coefficient."""
        letters = self._letters(term, out)
        operands, patterns = [], []
        for node, labels in term.factors:
            if node is None:
                dims = tuple(term.sizes[x] for x in labels)
                operands.append(call("eye", self.recovery.size(dims[0]), type=Type(MATRIX, dims)))
            else:
                operands.append(self.recovery.formula(node))
                if not printable(operands[-1]):
                    self._refuse("fused axes")
            patterns.append("".join(letters[x] for x in labels))
        for label in out:
            if not any(label in labels for _, labels in term.factors):
                operands.append(self._ones(term.sizes[label]))
                patterns.append(letters[label])
        free = {x for _, labels in term.factors for x in labels}
        unused = [self.recovery.size(term.sizes[x]) for x in term.sizes if x not in free and x not in out]
        coefficient = abs(term.coefficient)
        scalars = ([number(coefficient)] if coefficient != 1 or not (operands or unused) else []) + unused
        if operands:
            whole = Expr(
                "einsum", tuple(operands), f"{','.join(patterns)}->{''.join(letters[x] for x in out)}", type=type
            )
            result = Expr("product", (*scalars, whole), ("*",) * len(scalars), type=type) if scalars else whole
        else:
            result = times(*scalars)
        return negative(result) if term.coefficient < 0 else result

    def _ones(self, dim: Dim) -> Expr:
        return call("ones", self.recovery.size(dim), type=Type(VECTOR, (dim,)))

    def _letters(self, term: Term, out: tuple[int, ...]) -> dict[int, str]:
        """Letters of labels: k, l for the variable's axes, i, j, m … for all others, in reading order."""
        order = dict.fromkeys([*self.out, *(x for _, labels in term.factors for x in labels), *out])
        others = iter(_LETTERS)
        return {x: _VARIABLE[self.at.index(x)] if x in self.at else next(others) for x in order}

    def _total(self, terms: Sequence[Expr]) -> Expr:
        found = list(terms)
        found.sort(key=lambda t: t.op == "neg")
        return addition(found) if len(found) > 1 else found[0]


def _picked(term: Term, kept: set[int]) -> Term:
    """The term with its deltas summed out: δ[i,k] renames i to k, unless both are free."""
    factors = list(term.factors)
    for factor in term.factors:
        node, labels = factor
        if node is not None:
            continue
        i, k = labels
        place = next(n for n, f in enumerate(factors) if f[0] is None)
        node, (i, k) = factors[place][0], factors[place][1]
        if i in kept and k in kept and i != k:
            factors.append(factors.pop(place))
            continue
        factors.pop(place)
        factors = [(n, tuple(k if x == i else x for x in sub)) for n, sub in factors]
    used = {x for _, sub in factors for x in sub} | kept
    return Term(term.coefficient, tuple(factors), {x: d for x, d in term.sizes.items() if x in used})
