"""From the tensor graph back to the formula tree: one case per kind of node, and the cheapest candidate wins.

``Recovery.formula`` gives an array of order 0, 1 or 2 as a scalar, a column or a matrix. What has no matrix
form, and every array of a higher order, is given in index notation, as an ``einsum``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction

from matgrad.dims import Dim
from matgrad.errors import NotSupported
from matgrad.formula.syntax import MATRIX, SCALAR_TYPE, Expr, walk
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Apply, Constant, Einsum, Map, MatrixPower, Named, Node, Sum, Symbol, topological
from matgrad.tensor.reading import updated
from matgrad.translate.algebra import (
    addition,
    as_row,
    call,
    coefficient,
    cost,
    is_terse,
    names,
    negated,
    negative,
    number,
    of_order,
    times,
    transposed,
    triangle,
    turned_kron,
)
from matgrad.translate.applications import matrix_power, of_array, of_entries, with_argument
from matgrad.translate.blocks import in_blocks, written_out
from matgrad.translate.constants import constant, sized_zero, zero
from matgrad.translate.contraction import Contraction, Factor, NoMatrixForm, Piece, self_transposed
from matgrad.translate.differences import Differences
from matgrad.translate.factors import EXHAUSTIVE, dressed_cost, is_palindrome, is_zero, joined, total
from matgrad.translate.filling import ones_shown
from matgrad.translate.fused import is_fuse
from matgrad.translate.index_notation import UNPRINTABLE, index_notation
from matgrad.translate.means import with_means
from matgrad.translate.multiples import Multiples
from matgrad.translate.norms import is_total, norm, squared
from matgrad.translate.operands import read_operands
from matgrad.translate.splitting import split_scalar
from matgrad.translate.spreading import arranged_sums, dissolves, is_sum, spread_sums, worth_spreading
from matgrad.translate.terms import Ordering, Term, flattened
from matgrad.translate.triangles import diagonal_as_it_is, is_triangular
from matgrad.translate.typed_products import as_typed, products_in

_IN_WORDS = 6
"""Of how many characters one more is worth it to have a sum as it was typed."""
SIZED = "sizes of the constants, as in zeros(m, n)"


class Recovery:
    """Reads graphs as formulas, in the words of one formula: its order of names, and what it calls its sizes.

    ``sizes`` gives, for each dimension, an expression such as ``length(x)`` or the declared name. ``written``
    holds the parts of the formula as they were typed: its sums keep their order and their signs.
    """

    def __init__(self, order: Sequence[str], sizes: Mapping[str, Expr], written: Mapping[Node, Expr]) -> None:
        self.order = Ordering(order)
        self.sizes = sizes
        self.written = written
        self.typed = frozenset(e for e in written.values() if e.op == "add")
        self.order.sums = self.typed
        self.order.typed = frozenset(e for e in written.values() if e.op in ("call", "product"))
        self._done: dict[Node, tuple[int, Expr]] = {}
        self._turned: dict[Node, Expr] = {}
        self._multiples = Multiples(written)
        self._differences = Differences(self.typed)
        self._products = products_in(written)
        self._ones = any(e.op == "call" and e.value.name == "ones" and e.kind == MATRIX for e in written.values())
        self._sums = [node for node, expr in written.items() if isinstance(node, Sum) and expr.op == "add"]

    def formula(self, root: Node) -> Expr:
        """The node as a formula."""
        if b.is_zero(root):
            return sized_zero(root.shape, self.size)
        order = topological(root)
        selected = any(n.name in ("unit", "shift") for n in order if isinstance(n, Constant))
        found = written_out(root, self.plain, self.size) if selected else self.plain(root)
        found = self._updated(root, found, order)
        if root.shape and is_zero(found):  # terms that only the text shows to cancel
            return sized_zero(root.shape, self.size)
        if any(name[0] == "<" for name in names(found)):
            raise NotSupported(UNPRINTABLE, hint="the parts as variables of their own")
        return ones_shown(found, self.size, self.typed, whole=self._ones)

    def _updated(self, root: Node, found: Expr, order: Sequence[Node]) -> Expr:
        """What was found for the node, or the node with the laws of updates applied throughout, if that is shorter."""
        other = updated(root, order)
        return found if other is None else min(found, self.plain(other), key=cost)

    def size(self, dim: Dim) -> Expr:
        """A dimension as a formula that can stand as a size: m*m, not m^2."""
        terms = []
        for parts, count in dim.terms:
            unnamed = [name for name in parts if name not in self.sizes]
            if unnamed:
                raise NotSupported(f"no variable has the size {unnamed[0]}, so that it cannot be written", hint=SIZED)
            factors = [self.sizes[name] for name in parts]
            whole = times(*([number(abs(count))] if abs(count) != 1 or not factors else []), *factors)
            terms.append(whole if count > 0 else negative(whole))
        return addition(sorted(terms, key=lambda t: (t.op == "neg", t.op == "number"))) if terms else number(0)

    def plain(self, node: Node) -> Expr:
        """The node, with its sign."""
        sign, expr = self.signed(node)
        if sign > 0:
            return expr
        return self._differences.negated(expr) if is_sum(node) and expr.op in ("product", "add") else negated(expr)

    def signed(self, root: Node) -> tuple[int, Expr]:
        """The sign and the formula of which the node is the product: the first term of a sum is positive."""
        if root not in self._done:
            needed = {root}
            order = topological(root, skip=self._done)
            for node in reversed(order):
                if node in needed:
                    needed.update(_read_from(node))
            for node in order:  # children first, so that depth is no problem
                if node in needed and node not in self._done:
                    self._done[node] = self._one(node)
        return self._done[root]

    def _one(self, node: Node) -> tuple[int, Expr]:
        rule = _RULES.get(type(node))
        if rule is None:
            raise NotSupported(f"{type(node).__name__} has no formula")
        expr = rule(self, node)
        return (-1, expr.args[0]) if expr.op == "neg" else (1, expr)

    # -- leaves and functions

    def _symbol(self, node: Symbol) -> Expr:
        return Expr("name", value=node.name, type=of_order(node.shape))

    def _named(self, node: Named) -> Expr:
        return Expr("name", value=node.name, type=of_order(node.shape))

    def _constant(self, node: Constant) -> Expr:
        return constant(node, self.sizes, self.size)

    # -- sums

    def _sum(self, node: Sum) -> Expr:
        typed: dict[int, Expr | None] = {}
        for factor in (1, -1):
            expr = typed[factor] = self._sum_as_typed(b.scaled(node, factor))
            if expr is not None and is_terse(expr):
                return expr if factor > 0 else negative(expr)
        found = in_blocks(node, self.plain, self.size) or self._read_sum(node.terms, node.shape)
        for factor, expr in typed.items():
            if expr is not None and cost(expr) <= cost(found) + max(1, cost(found) // _IN_WORDS):
                return expr if factor > 0 else negative(expr)
            turned = self._sum_as_typed(b.scaled(b.transpose(node), factor)) if len(node.shape) == 2 else None
            if turned is not None and cost(turned) < cost(found):
                return transposed(turned) if factor > 0 else negative(transposed(turned))
        return found

    def _read_sum(self, terms: Sequence[tuple[Fraction, Node]], shape: tuple[Dim, ...]) -> Expr:
        """The sum as it stands, or with a sum of the formula in it, or as a law for readers gives it, whichever is
        shorter."""
        found = [self._total(other, shape) for other in (*self._with_typed_sums(terms), terms)]
        for law in b.READING_LAWS:
            other = law.rewrite({term: factor for factor, term in terms})
            if other is not None:
                found.append(self.plain(other))
        return min(found, key=cost)

    def _with_typed_sums(self, terms: Sequence[tuple[Fraction, Node]]) -> Iterator[Sequence[tuple[Fraction, Node]]]:
        """The terms with some of them as a sum of the formula: r - p*q, where r = y - mean(y)."""
        factors = {term: factor for factor, term in terms}
        for node in self._sums:
            if len(node.terms) < len(terms) and all(term in factors for _, term in node.terms):
                ratios = {factors[term] / factor for factor, term in node.terms}
                if len(ratios) == 1:
                    inside = {term for _, term in node.terms}
                    yield [(ratios.pop(), node), *((f, term) for f, term in terms if term not in inside)]

    def _sum_as_typed(self, node: Node) -> Expr | None:
        typed = self.written.get(node)
        if typed is None or typed.op in ("add", "stack"):
            return typed
        larger = typed.op == "call" and typed.value.name in ("max", "min") and len(typed.args) == 2
        return typed if larger else None

    def _total(self, terms: Sequence[tuple[Fraction, Node]], shape: tuple[Dim, ...], *, turning: bool = False) -> Expr:
        if len(shape) > 2:
            tensors = sorted((self._scaled_tensor(factor, term) for factor, term in terms), key=lambda e: e.op == "neg")
            return addition([e for e in tensors if not is_zero(coefficient(e)[1])] or [zero(shape, self.size)])
        parts = sorted((self._term(factor, term) for factor, term in terms), key=self.order.rank_term)
        parts = [part for part in parts if not any(is_zero(e) for e in (*part.scalars, *part.chain))]
        if not parts:
            return zero(shape, self.size)
        sign = 1 if parts[0].coefficient.numerator > 0 else -1
        oriented = parts if sign > 0 else [part._replace(coefficient=-part.coefficient) for part in parts]
        whole = total(oriented, self.order, of_order(shape))
        if len(shape) == 2 and not turning and sum(e.op == "transpose" for e in walk(whole)) > len(terms):
            turned = self._total([(sign * f, b.transpose(t)) for f, t in terms], shape[::-1], turning=True)
            whole = self.order.best([whole, as_row(turned)])
        return whole if sign > 0 else negative(whole)

    def _scaled_tensor(self, factor: Fraction, term: Node) -> Expr:
        return self.plain(b.scaled(term, factor))

    def _term(self, factor: Fraction, node: Node) -> Term:
        """One term of a sum, taken apart into scalars and a chain."""
        if isinstance(node, Einsum) and len(node.shape) <= 2:
            try:
                return self._network(node, b.times(factor, node.coefficient))
            except NoMatrixForm:
                pass
        sign, expr = self.signed(node)
        factor = factor if sign > 0 else -factor
        if node.shape:
            return Term(factor, (), (), (expr,))
        scalars: list[Expr] = []
        below: list[Expr] = []
        factor = b.times(factor, split_scalar(expr, scalars, below))
        return Term(factor, tuple(scalars), tuple(below), ())

    # -- contractions

    def _einsum(self, node: Einsum) -> Expr:
        if b.is_zero(node):
            return zero(node.shape, self.size)
        found = self._contraction(node)
        square = len(node.shape) == 2 and node.shape[0] == node.shape[1] and not is_palindrome(found)
        spread = self._spread(node, square)
        if spread is not None and dressed_cost(spread) <= dressed_cost(found):
            return spread
        others = [self.plain(other) for other in arranged_sums(node)]
        if len(node.operands) == 1 and node.coefficient.denominator != 1 and is_sum(b.transpose(node)):
            terms = b.linear_terms(b.transpose(node.operands[0]))  # the coefficient may cancel in them
            others.append(self._read_sum([(node.coefficient * f, t) for t, f in terms.items()], node.shape))
        return min([found, *others], key=dressed_cost) if others else found

    def _spread(self, node: Einsum, square: bool) -> Expr | None:
        """The same with a sum among its factors multiplied out and factored anew.

        A'*(u + v)*A for (A'*u + A'*v)*A, where the product is square, S + S*A*S for S*(inv(S) + A)*S,
        tr(A*B) + u'*B*v for tr((A + v*u')*B), p.*(z - p'*z) for (diag(p) - p*p')*z, and u.*v for diag(u*v').
        """
        pairs = list(zip(node.operands, node.subscripts, strict=True))
        for k, (operand, labels) in enumerate(pairs):
            if isinstance(operand, Sum) and len(labels) == 2 and len(operand.terms) <= EXHAUSTIVE:
                rest = pairs[:k] + pairs[k + 1 :]
                inside = any(len(s) == 2 and worth_spreading(n, operand, square) for n, s in rest)
                if not (inside or dissolves(operand, labels, node, typed=operand in self.written)):
                    continue
                sizes = dict(enumerate(node.sizes))
                terms = [
                    (f, b.einsum([(t, labels), *rest], node.out, node.coefficient, sizes)) for f, t in operand.terms
                ]
                return self._total(terms, node.shape)
        return None

    def _contraction(self, node: Einsum) -> Expr:
        spread = spread_sums(node)
        if spread is not None:
            return self._updated(spread, self.plain(spread), topological(spread))
        if is_sum(node):
            (inner,) = node.operands
            assert isinstance(inner, Sum)
            found = self._read_sum([(node.coefficient * f, t) for f, t in inner.terms], node.shape)
            sign, expr = self.signed(inner)
            if abs(node.coefficient) != 1 and expr not in self.typed:
                return found
            parts = ((expr,), (), ()) if not node.shape else ((), (), (expr,))
            whole = joined(Term(sign * node.coefficient, *parts), self.order, of_order(node.shape))
            longer = max(1, cost(found) // _IN_WORDS) if expr in self.typed and found.op != "add" else 0
            return whole if cost(whole) < cost(found) + longer else found
        if len(node.shape) <= 2:
            try:
                term = self._network(node, node.coefficient)
                return joined(term, self.order, of_order(node.shape))
            except NoMatrixForm:
                pass
        return index_notation(node, self.signed, self.order, self.size)

    def _network(self, node: Einsum, coefficient: Fraction) -> Term:
        """An Einsum of order ≤ 2 as a term; raises NoMatrixForm."""
        if is_total(node):
            squares = b.primitive(node)
            root = norm(squares, self.signed)
            if root is not None:
                return Term(coefficient, (squared(squares, root, self.written),), (), ())
        unmasked = diagonal_as_it_is(node) if len({*node.out}) < len(node.out) else None
        if unmasked is not None:
            return self._term(coefficient, unmasked)
        masked = self._masked(node, coefficient)
        if masked is not None:
            return masked
        typed = self._multiples.in_product(node, coefficient, self.signed)
        pieces: list[Piece] = []
        scalars: list[Expr] = []
        below: list[Expr] = []
        for operand, labels in as_typed(node, read_operands(node, self.plain, self.size), self._products):
            if isinstance(operand, Expr):
                if labels:
                    turned = self.order.best([transposed(operand), turned_kron(operand)])
                    pieces.append(Piece((Factor(operand, turned),), labels))
                else:
                    scalars.append(operand)
                continue
            sign, expr = self.signed(operand)
            coefficient = coefficient if sign > 0 else -coefficient
            if operand in typed:
                number_of, expr = typed[operand]
                coefficient = b.times(coefficient, sign / number_of)
                if len(labels) == 2:
                    pieces.append(Piece((Factor(expr, transposed(expr)),), labels))
                    continue
            if isinstance(operand, Sum) and len(labels) == 2 and labels[0] == labels[1] and labels[0] not in node.out:
                if sum(s.count(labels[0]) for s in node.subscripts) == 2:
                    scalars.append(self._trace_of_sum(operand, sign, expr))
                    continue
            if not labels:
                coefficient = b.times(coefficient, split_scalar(expr, scalars, below))
            elif len(labels) > 2 or is_fuse(operand):
                raise NoMatrixForm
            else:
                pieces.append(Piece((self._factor(operand, sign, expr),), labels))
        contraction = Contraction(pieces, node.out, lambda x: node.sizes[x], self.order)
        found, chain = contraction.run()
        scalars += found
        whole = flattened(Term(coefficient, tuple(scalars), tuple(below), chain))
        return with_means(self._differences.upright(whole), self.sizes)

    def _trace_of_sum(self, node: Sum, sign: int, expr: Expr) -> Expr:
        """sign · tr(node): of the whole sum, or of one term after the other."""
        traces = b.add([b.scaled(b.einsum([(term, (0, 0))], ()), sign * factor) for factor, term in node.terms])
        return self.order.best([call("tr", expr, type=SCALAR_TYPE), self.plain(traces)])

    def _masked(self, node: Einsum, coefficient: Fraction) -> Term | None:
        """tril(M) and triu(M), where a mask stands on both axes of the result and on something else."""
        pairs = list(zip(node.operands, node.subscripts, strict=True))
        for k, (mask, labels) in enumerate(pairs):
            if isinstance(mask, Constant) and mask.name in ("tril", "triu") and sorted(labels) == sorted(node.out):
                rest = [(n, s) for n, s in pairs[:k] + pairs[k + 1 :] if s]
                if len(set(node.out)) < 2 or not rest:
                    continue
                scalars: list[Expr] = []
                below: list[Expr] = []
                for scalar in [n for n, s in pairs if not s]:
                    sign, expr = self.signed(scalar)
                    coefficient = b.times(sign * coefficient, split_scalar(expr, scalars, below))
                name, offset = mask.name, mask.parameter
                if labels != node.out:  # tril(X, k)' = triu(X', -k)
                    name, offset = {"tril": "triu", "triu": "tril"}[name], -offset
                inside = b.einsum(rest, node.out, sizes=dict(enumerate(node.sizes)))
                sign, expr = self.signed(inside)
                coefficient = coefficient if sign > 0 else -coefficient
                if is_triangular(inside, name) and (offset >= 0 if name == "tril" else offset <= 0):
                    return Term(coefficient, tuple(scalars), tuple(below), (expr,))
                if expr.op == "call" and expr.value.name == "matrix":  # c*triu(matrix(1)) for triu(matrix(c))
                    coefficient = b.times(coefficient, split_scalar(expr.args[0], scalars, below))
                    expr = expr.replace(args=(number(1),))
                return Term(coefficient, tuple(scalars), tuple(below), (triangle(name, expr, offset),))
        return None

    def _factor(self, node: Node, sign: int, straight: Expr) -> Factor:
        """sign · node, and its transpose."""
        if len(node.shape) == 1:
            return Factor(straight, transposed(straight))
        if b.is_symmetric(node):
            return self_transposed(straight)
        return Factor(straight, self.turned(node, sign, straight))

    def turned(self, node: Node, sign: int, straight: Expr) -> Expr:
        """The transpose of sign · node, as it is best written: (A + B)' or A' + B'."""
        if node not in self._turned:
            candidates = [transposed(straight)]
            if isinstance(node, Sum):
                candidates.append(as_row(straight))
                turned = self._total(
                    [(sign * f, b.transpose(t)) for f, t in node.terms], node.shape[::-1], turning=True
                )
                candidates.append(negated(turned.args[0]) if turned.op == "neg" else turned)
            elif isinstance(node, Map) and len(node.args) == 1 and node.function != "function" and sign > 0:
                arg = self.plain(b.transpose(node.args[0]))
                candidates += [with_argument(node, straight, arg)] if arg.op != "transpose" else []
            best = self.order.best(candidates)
            is_typed = straight in self.typed  # the formula's own sums are recognised best as typed
            self._turned[node] = candidates[0] if is_typed and cost(candidates[0]) <= cost(best) + 2 else best
        return self._turned[node]


def _read_from(node: Node) -> Iterator[Node]:
    """The nodes whose formulas are asked for to write one: contractions in a sum are read in place, term by term."""
    if is_sum(node):
        (node,) = node.children if isinstance(node, Einsum) else (node,)
        for term in node.children:
            yield from term.children if isinstance(term, Einsum) else (term,)
    else:
        yield from node.children


_RULES: dict[type[Node], Callable[..., Expr]] = {
    Symbol: Recovery._symbol,
    Constant: Recovery._constant,
    Einsum: Recovery._einsum,
    Sum: Recovery._sum,
    Map: of_entries,
    Apply: of_array,
    MatrixPower: matrix_power,
    Named: Recovery._named,
}


def has_closed_form(expr: Expr) -> bool:
    """Whether a recovered formula is in matrix notation throughout."""
    return all(node.op != "einsum" for node in walk(expr))
