r"""Sums over an index, written with matrices: Σᵢ yᵢ xᵢᵀw is ``y'*X*w``, where X has the xᵢ as rows.

A part that depends on indices i, j is an array with an axis for each, before the axes that it has of its own; it has
two at most. Products are contractions of such arrays, which ``recover`` writes with matrices; the rest is entrywise.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from matgrad.dims import Dim
from matgrad.errors import NotSupported
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Call, Expr, Type, fold, walk
from matgrad.functions import card
from matgrad.latex_input.choices import Kinds, norm, with_reading
from matgrad.latex_input.names import Name
from matgrad.latex_input.positions import part_of
from matgrad.tensor import builders as b
from matgrad.translate.lower import lower_expression
from matgrad.translate.recover import Recovery

_OWN = {SCALAR: 0, VECTOR: 1, ROW: 1, MATRIX: 2}
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Part(NamedTuple):
    """An expression as an array: its indices, in the order of its first axes, and its kind at each value of them."""

    expr: Expr
    kind: str
    indices: tuple[str, ...] = ()


class Sums:
    """The tree without sums over indices, and with one reading for everything."""

    def __init__(
        self,
        source: str,
        kinds: Kinds,
        array_of: Callable[[Name, str], str],
        text_of: Callable[[Name], str],
        note: Callable[[str], None],
    ) -> None:
        self.source = source
        self.kinds = kinds
        self.array_of = array_of
        self.text_of = text_of
        self.note = note

    def expression(self, root: Expr) -> Expr:
        """The tree as a formula of the language."""
        part: Part = fold(root, self._visit)
        if part.indices or part.expr is _TOO_LARGE:
            raise self._refused(root, "this sum has no matrix form here")
        return part.expr

    def _visit(self, node: Expr, parts: list[Part]) -> Part:
        kind = self.kinds.of(node).kind
        if node.op == "name":
            return self._name(node, kind)
        if node.op == "over":
            return self._over(node, parts[0], kind)
        if not any(part.indices for part in parts):
            return Part(self._plain(node, [part.expr for part in parts]), kind)
        rule: Callable[[Expr, list[Part], str], Part] | None = getattr(self, "_indexed_" + node.op, None)
        if rule is None:
            raise self._refused(node, f"{node.op} of indexed terms has no matrix form here")
        if any(part.expr is _TOO_LARGE for part in parts) and node.op != "neg":
            raise self._refused(node, "this has three indices or more")
        return rule(node, parts, kind)

    def _refused(self, node: Expr, what: str) -> NotSupported:
        return NotSupported(what, source=self.source, span=node.span, hint="the sum in matrix form, as in y^\\top X w")

    def _plain(self, node: Expr, args: list[Expr]) -> Expr:
        kind = self.kinds.of(node.args[0]).kind if node.args else None
        if node.op == "norm":
            return norm(self.source, node, args[0], kind or SCALAR, self.note)
        if node.op == "bars":
            if kind == VECTOR:
                self.note("|·| of a vector is read entry by entry")
            elif kind == MATRIX:
                self.note("|·| of a matrix is read as its determinant")
        if node.op == "call" and kind == MATRIX and node.value.name in ("exp", "log", "sqrt"):
            self.note(f"{node.value.name} of a matrix is read entry by entry")
        return with_reading(node, args, self.kinds.choice.get(id(node.span)), kind)

    def _name(self, node: Expr, kind: str) -> Part:
        name: Name = node.value
        if not name.indices:
            return Part(node.replace(value=self.text_of(name)), kind)
        if len(name.indices) + _OWN[kind] > 2:
            raise self._refused(node, "this has three indices or more")
        array = Expr("name", (), self.array_of(name, kind), node.span)
        return Part(part_of(array, name.block, _OWN[kind]) if name.block else array, kind, name.indices)

    # -- what is entrywise in the indices

    def _indexed_neg(self, node: Expr, parts: list[Part], kind: str) -> Part:  # noqa: ARG002
        if parts[0].expr is _TOO_LARGE:
            return parts[0]
        return Part(_negated(parts[0].expr), kind, parts[0].indices)

    def _indexed_transpose(self, node: Expr, parts: list[Part], kind: str) -> Part:
        (part,) = parts
        if kind == MATRIX:
            raise self._refused(node, "this has three indices or more")
        return Part(part.expr, kind, part.indices)

    def _indexed_add(self, node: Expr, parts: list[Part], kind: str) -> Part:
        indices = _union(parts)
        terms = [self._aligned(node, part, indices, kind) for part in parts]
        return Part(Expr("add", tuple(terms), None, node.span), kind, indices)

    def _aligned(self, node: Expr, part: Part, indices: tuple[str, ...], kind: str) -> Expr:
        """The part as an array with all these indices: what lacks one is repeated along it."""
        if part.indices == indices and (part.kind == kind or not indices):
            return part.expr
        negative, expr = (True, part.expr.args[0]) if part.expr.op == "neg" else (False, part.expr)
        one = Expr("number", (), Fraction(1))
        ones = Expr("call", (one,), Call("vector"))
        axes = len(indices) + _OWN[kind]
        own = len(part.indices) + _OWN[part.kind]
        if own == 0:
            whole = expr if expr.op == "number" else Expr("call", (expr,), Call("vector" if axes == 1 else "matrix"))
        elif own == axes == 2 and part.indices == indices[::-1]:
            whole = Expr("transpose", (expr,))
        elif axes == 2 and own == 1:
            first = part.indices == indices[:1]
            ends = (expr, Expr("transpose", (ones,))) if first else (ones, Expr("transpose", (expr,)))
            if part.kind == ROW:
                ends = (ones, expr)
            whole = Expr("product", ends, ("*",))
        else:
            raise self._refused(node, "this has three indices or more")
        return _negated(whole) if negative else whole

    def _indexed_power(self, node: Expr, parts: list[Part], kind: str) -> Part:
        if kind != SCALAR and node.value == "^":
            raise self._refused(node, "a power of a vector")
        indices = _union(parts)
        base = self._aligned(node, parts[0], indices, kind)
        exponent = self._aligned(node, parts[1], indices, SCALAR) if parts[1].indices else parts[1].expr
        return Part(Expr("power", (base, exponent), ".^", node.span), kind, indices)

    def _indexed_bars(self, node: Expr, parts: list[Part], kind: str) -> Part:
        return Part(Expr("call", (parts[0].expr,), Call("abs"), node.span), kind, parts[0].indices)

    def _indexed_norm(self, node: Expr, parts: list[Part], kind: str) -> Part:
        (part,) = parts
        whole = norm(self.source, node, part.expr, part.kind, self.note)
        return self._along_rows(node, whole, part, kind)

    def _along_rows(self, node: Expr, whole: Expr, part: Part, kind: str) -> Part:
        """A function of the vector in each row."""
        if part.kind == SCALAR:
            return Part(whole, kind, part.indices)
        if part.kind != VECTOR or len(part.indices) != 1 or whole.value.name not in _ROWWISE:
            raise self._refused(node, f"{whole.value.name} of indexed terms has no matrix form here")
        return Part(whole.replace(value=whole.value._replace(dim=2)), kind, part.indices)

    def _indexed_call(self, node: Expr, parts: list[Part], kind: str) -> Part:
        entry = card(node.value.name) if not node.value.primes else None
        if entry is None or ("*->*" in entry.signatures.get(None, ()) and entry.family != "reduction"):
            indices = _union(parts)
            args = [self._aligned(node, part, indices, kind) for part in parts]
            return Part(Expr("call", tuple(args), node.value, node.span), kind, indices)
        if len(parts) == 2 and entry.name in ("max", "min"):
            indices = _union(parts)
            args = [
                part.expr if part.expr.op == "number" else self._aligned(node, part, indices, kind) for part in parts
            ]
            return Part(Expr("call", tuple(args), node.value, node.span), kind, indices)
        if len(parts) == 1 and node.value.dim is None:
            return self._along_rows(node, Expr("call", (parts[0].expr,), node.value, node.span), parts[0], kind)
        raise self._refused(node, f"{entry.name} of indexed terms has no matrix form here")

    # -- products are contractions

    def _indexed_product(self, node: Expr, parts: list[Part], kind: str) -> Part:
        indices = _union(parts)
        if len(indices) + _OWN[kind] > 2:
            return Part(_TOO_LARGE, kind, indices)  # the sum around it may be smaller
        return Part(
            self._contraction(node, parts, list(zip(("*", *node.value), parts, strict=True)), indices),
            kind,
            indices,
        )

    def _indexed_inner(self, node: Expr, parts: list[Part], kind: str) -> Part:
        left, right = parts
        if left.kind == MATRIX:
            raise self._refused(node, "this has three indices or more")
        factors = [("*", Part(left.expr, ROW if left.kind == VECTOR else left.kind, left.indices)), ("*", right)]
        indices = _union(parts)
        return Part(self._contraction(node, parts, factors, indices), kind, indices)

    def _contraction(
        self, node: Expr, parts: list[Part], factors: list[tuple[str, Part]], out: tuple[str, ...]
    ) -> Expr:
        """The product of these factors, summed over the indices that ``out`` lacks."""
        letters = dict(zip(dict.fromkeys(i for part in parts for i in part.indices), _LETTERS, strict=False))
        fresh = iter(_LETTERS[len(letters) :])
        fronts: list[Expr] = []
        below: list[Expr] = []
        operands: list[Expr] = []
        labels: list[str] = []
        current: str = ""
        kind_so_far = SCALAR
        merged: dict[str, str] = {}
        for operator, part in factors:
            if operator == "⊗":
                raise self._refused(node, "a Kronecker product of indexed terms has no matrix form here")
            if not part.indices and part.kind == SCALAR:
                (below if operator in ("/", "./") else fronts).append(part.expr)
                continue
            own = "".join(next(fresh) for _ in range(_OWN[part.kind]))
            index = "".join(letters[i] for i in part.indices)
            operand = _column(part.expr) if part.kind == ROW and not part.indices else part.expr
            operands.append(_reciprocal(operand) if operator in ("/", "./") else operand)
            labels.append(index + own)
            if part.kind == SCALAR:
                continue
            if kind_so_far == SCALAR:
                current, kind_so_far = own, part.kind
            elif operator in (".*", "./"):
                merged.update(zip(own, current, strict=True))
            else:
                current, kind_so_far = _multiplied(current, kind_so_far, own, part.kind, merged)
        labels = ["".join(_final(letter, merged) for letter in label) for label in labels]
        result = "".join(letters[i] for i in out) + "".join(_final(letter, merged) for letter in current)
        core = self._recovered(node, operands, labels, result)
        whole = core if not fronts else Expr("product", (*fronts, core), ("*",) * len(fronts), node.span)
        return whole if not below else Expr("product", (whole, *below), ("/",) * len(below), node.span)

    def _recovered(self, node: Expr, operands: list[Expr], labels: list[str], out: str) -> Expr:
        """The contraction with matrices, the operands as they stand: each is one symbol to ``recover``."""
        sizes = {letter: Dim.of(f"size_{letter}") for label in labels for letter in label}
        kinds = (SCALAR, VECTOR, MATRIX)
        symbols, values, args = {}, {}, []
        for k, (operand, label) in enumerate(zip(operands, labels, strict=True)):
            name = f"q{k}"
            inner = operand.args[1] if operand.reciprocal else operand
            type_ = Type(kinds[len(label)], tuple(sizes[letter] for letter in label))
            symbol = Expr("name", (), name, type=type_)
            symbols[name] = b.symbol(name, type_.dims, frozenset())
            values[name] = inner
            args.append(_reciprocal(symbol, type_) if inner is not operand else symbol)
        type_ = Type(kinds[len(out)], tuple(sizes[letter] for letter in out))
        einsum = Expr("einsum", tuple(args), f"{','.join(labels)}->{out}", type=type_)
        recovery = Recovery(list(symbols), {name: Expr("name", (), name) for name in sizes}, {})
        found = recovery.formula(lower_expression(einsum, symbols))
        if any(e.op == "name" and e.value.startswith("size_") for e in walk(found)):
            raise self._refused(node, "this product has no matrix form here")
        return _substituted(found, values)

    # -- sums

    def _over(self, node: Expr, part: Part, kind: str) -> Part:
        """Σ over the indices of the node, pushed into sums and products; Π, max and min of numbers."""
        indices, high, name = node.value
        if name != "sum":
            return self._of_numbers(node, name, part, indices)
        inner, within = node.args[0], indices
        while inner.op == "over" and inner.value[2] == "sum":
            inner, within = inner.args[0], (*within, *inner.value[0])
        if inner is not node.args[0]:  # sums of sums at once
            own: Part = fold(inner, self._visit)
            if set(within) <= set(own.indices):
                expr, rest = self._summed(node, inner, own, within, high)
                return Part(expr, kind, rest)
        expr, rest = self._summed(node, node.args[0], part, indices, high)
        return Part(expr, kind, rest)

    def _of_numbers(self, node: Expr, name: str, part: Part, indices: tuple[str, ...]) -> Part:
        """Π, max or min over the indices: of all entries, or down or along a matrix."""
        rest = tuple(i for i in part.indices if i not in indices)
        if part.kind != SCALAR or part.expr is _TOO_LARGE or not set(indices) <= set(part.indices):
            what, terms = ("product", "factors") if name == "prod" else (f"{name}imum", "terms")
            raise NotSupported(
                f"this {what} over an index has no matrix form here: its {terms} are to be numbers with that index",
                source=self.source, span=node.span,
                hint=r"\exp(\sum_{i} \log x_i), for positive factors; c^n for equal ones" if name == "prod" else None,
            )  # fmt: skip
        dim = part.indices.index(indices[0]) + 1 if rest else None
        whole = Expr("call", (part.expr,), Call(name, dim), node.span)
        return Part(Expr("transpose", (whole,)) if dim == 1 else whole, SCALAR, rest)

    def _summed(
        self, node: Expr, body: Expr, part: Part, indices: tuple[str, ...], high: str
    ) -> tuple[Expr, tuple[str, ...]]:
        rest = tuple(i for i in part.indices if i not in indices)
        missing = [i for i in indices if i not in part.indices]
        if missing:
            return self._repeated(node, part, [i for i in indices if i in part.indices], missing, high, body)
        if body.op == "neg":
            inner: Part = fold(body.args[0], self._visit)
            expr, rest = self._summed(node, body.args[0], inner, indices, high)
            return _negated(expr), rest
        if body.op == "add":
            inners: list[Part] = [fold(arg, self._visit) for arg in body.args]
            if all(set(indices) <= set(inner.indices) for inner in inners) and len({i.kind for i in inners}) == 1:
                pairs = [self._summed(node, a, i, indices, high) for a, i in zip(body.args, inners, strict=True)]
                terms = [self._aligned(node, Part(e, part.kind, r), rest, part.kind) for e, r in pairs]
                return Expr("add", tuple(terms), None, node.span), rest
        if body.op in ("product", "inner"):
            inners = [fold(arg, self._visit) for arg in body.args]
            entries = {inner.indices for inner in inners if inner.indices}
            if body.op == "product" and part.kind == SCALAR and part.indices == indices and entries == {indices}:
                if len(indices) == 2:  # sum(Y.*P), not tr(Y'*P)
                    return self._reduced(node, part, indices), rest
            operators = ("*", *body.value) if body.op == "product" else ("*", "*")
            if body.op == "inner":
                inners[0] = inners[0]._replace(kind=ROW if inners[0].kind == VECTOR else inners[0].kind)
            return self._contraction(node, inners, list(zip(operators, inners, strict=True)), rest), rest
        return self._reduced(node, part, indices), rest

    def _repeated(
        self, node: Expr, part: Part, present: list[str], missing: list[str], high: str, body: Expr
    ) -> tuple[Expr, tuple[str, ...]]:
        """Terms that do not depend on an index, as often as it has values."""
        if not high or ":" in high:
            raise self._refused(node, f"the terms do not depend on {missing[0]}, and how many there are is not said")
        number = Expr("number", (), Fraction(high)) if high.isdigit() else Expr("name", (), high)
        expr, rest = self._summed(node, body, part, tuple(present), high) if present else (part.expr, part.indices)
        return Expr("product", (*[number] * len(missing), expr), ("*",) * len(missing), node.span), rest

    def _reduced(self, node: Expr, part: Part, indices: tuple[str, ...]) -> Expr:
        """The array, added up along the axes of these indices."""
        if part.expr is _TOO_LARGE:
            raise self._refused(node, "this has three indices or more")
        axes = [part.indices.index(i) for i in indices]
        if len(part.indices) + _OWN[part.kind] == len(axes):
            expr = part.expr
            if expr.op == "call" and expr.value.name == "sum" and expr.value.dim is not None:
                expr = expr.args[0]
            return Expr("call", (expr,), Call("sum"), node.span)
        dim = axes[0] + 1
        along = Expr("call", (part.expr,), Call("sum", dim), node.span)
        column = dim == 2 or part.kind == ROW
        return along if column else Expr("transpose", (along,), None, node.span)


_TOO_LARGE = Expr("name", (), "<three axes>")
_ROWWISE = {"norm1", "norm2", "normF", "sum", "mean", "max", "min", "logsumexp", "softmax"}


def _union(parts: list[Part]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(i for part in parts for i in part.indices))


def _negated(expr: Expr) -> Expr:
    return expr.args[0] if expr.op == "neg" else Expr("neg", (expr,), None, expr.span)


def _column(row: Expr) -> Expr:
    return row.args[0] if row.op == "transpose" else Expr("transpose", (row,), None, row.span)


def _reciprocal(expr: Expr, type_: Type | None = None) -> Expr:
    """1 ./ expr, marked as such."""
    one = Expr("number", (), Fraction(1), type=Type(SCALAR, ()))
    whole = Expr("product", (one, expr), ("./",), expr.span, type_)
    whole.reciprocal = True
    return whole


def _multiplied(left: str, left_kind: str, right: str, right_kind: str, merged: dict[str, str]) -> tuple[str, str]:
    """The labels and the kind of a matrix product; what is summed gets one label."""
    if left_kind == VECTOR and right_kind == ROW:
        return left + right, MATRIX
    merged[right[0]] = left[-1]
    rest = left[:-1] + right[1:]
    if len(rest) == 2:
        return rest, MATRIX
    if len(rest) == 1:
        return rest, VECTOR if left_kind == MATRIX else ROW
    return rest, SCALAR


def _final(letter: str, merged: dict[str, str]) -> str:
    while letter in merged:
        letter = merged[letter]
    return letter


def _substituted(root: Expr, values: dict[str, Expr]) -> Expr:
    def visit(node: Expr, args: list[Expr]) -> Expr:
        if node.op == "name" and node.value in values:
            return values[node.value]
        return Expr(node.op, tuple(args), node.value, node.span)

    whole: Expr = fold(root, visit)
    return whole
