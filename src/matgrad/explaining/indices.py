"""Formulas entry by entry: (A x)ᵢ as Σⱼ Aᵢⱼ xⱼ, in the operations of ``index_trees``.

An index is a number; ``Indices.letters`` says how it is written, and ``sizes`` how far it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import count

from matgrad.dims import Dim
from matgrad.errors import NotSupported
from matgrad.explaining.card_trees import along
from matgrad.explaining.index_trees import (
    Index,
    bound_in,
    delta,
    divided,
    entry,
    over,
    reading_order,
    renumbered,
    scalar,
    times,
    total,
)
from matgrad.explaining.trees import named, varies
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, SCALAR_TYPE, VECTOR, Call, Expr, compared, walk
from matgrad.formula.text import to_text
from matgrad.functions import card
from matgrad.translate.algebra import number, of_order, product_type

LETTERS = "ijmnpqrstuvwabcdegh"
MOST_PARTS = 60


class Indices:
    """The indices of one derivation, and the names of the sums that stand inside of functions."""

    def __init__(self, varying: Collection[str], taken: Collection[str]) -> None:
        self.varying = set(varying)
        self.taken = set(taken)
        self.sizes: dict[Index, Dim] = {}
        self.letters: dict[Index, str] = {}
        self.fixed: dict[Index, int] = {}
        self.definitions: list[tuple[str, tuple[Index, ...], Expr]] = []
        self.values: dict[tuple[Expr, tuple[Index, ...]], str] = {}
        self._next = count()

    def new(self, dim: Dim) -> Index:
        index = next(self._next)
        self.sizes[index] = dim
        return index

    def write(self, index: Index, letter: str) -> None:
        self.letters[index] = letter

    def write_all(self, expr: Expr, beside: Sequence[Index]) -> None:
        """Letters for the indices of a formula that have none, in reading order; none that stands beside them."""
        order = reading_order(expr)
        used = {self.letters[i] for i in (*order, *beside) if i in self.letters} | self.taken | {"k", "l"}
        for index in order:
            if index not in self.letters:  # a number is its own letter
                free = [c for c in LETTERS if c not in used]
                if not free:
                    raise too_long()
                self.letters[index] = free[0]
                used.add(free[0])

    # -- a formula at indices

    def at(self, expr: Expr, at: tuple[Index, ...]) -> Expr:
        """One entry of a formula."""
        found = self._at(expr, at)
        if sum(1 for _ in walk(found)) > MOST_PARTS:
            raise too_long()
        return found

    def _at(self, expr: Expr, at: tuple[Index, ...]) -> Expr:
        match expr.op:
            case "number" | "constant":
                return expr
            case "name":
                return entry(expr, at if expr.dims else ())
            case "neg":
                return scalar("neg", (self._at(expr.args[0], at),))
            case "transpose":
                return self._at(expr.args[0], at[::-1])
            case "add":
                return total([self._at(arg, at if arg.dims else ()) for arg in expr.args])
            case "product":
                return self._product(expr, at)
            case "power":
                return self._power(expr, at)
            case "call":
                return self._call(expr, at)
            case "index":
                return self._part(expr, at)
            case "einsum":
                return self._einsum(expr, at)
        raise _unknown(expr)

    def _part(self, expr: Expr, at: tuple[Index, ...]) -> Expr:
        """x[2] and X[2,:]: an index that is a number."""
        free, found = list(at), []
        for item, dim in zip(expr.value, expr.args[0].dims, strict=True):
            if item is not None and not isinstance(item, int):
                raise _unknown(expr)
            found.append(free.pop(0) if item is None else self.fix(item, dim))
        return self._at(expr.args[0], tuple(found))

    def fix(self, number: int, dim: Dim) -> Index:
        """An index that is this number."""
        index = next((i for i, n in self.fixed.items() if n == number and self.sizes[i] == dim), None)
        if index is None:
            index = self.new(dim)
            self.fixed[index] = number
            self.letters[index] = str(number)
        return index

    def _einsum(self, expr: Expr, at: tuple[Index, ...]) -> Expr:
        """Index notation is what it is."""
        if "(" in expr.value:
            raise _unknown(expr)
        inside, _, out = expr.value.partition("->")
        names = dict(zip(out, at, strict=True))
        patterns = inside.split(",")
        for pattern, arg in zip(patterns, expr.args, strict=True):
            for letter, dim in zip(pattern, arg.dims, strict=True):
                names.setdefault(letter, self.new(dim))
        factors = [self._at(arg, tuple(names[c] for c in p)) for p, arg in zip(patterns, expr.args, strict=True)]
        return over(tuple(i for c, i in names.items() if c not in out), times(*factors))

    def _product(self, expr: Expr, at: tuple[Index, ...]) -> Expr:
        """The last factor, times the product of those before it."""
        factors, signs = expr.args, expr.value
        types = [factors[0].type or SCALAR_TYPE]
        for sign, factor in zip(signs, factors[1:], strict=True):
            types.append(product_type(types[-1], sign, factor.type or SCALAR_TYPE))

        def upto(k: int, at: tuple[Index, ...]) -> Expr:
            if k == 0:
                return self._at(factors[0], at)
            left, sign, right = types[k - 1], signs[k - 1], factors[k]
            if sign in ("/", "./"):
                bottom = self._inside(self._at(right, at if right.dims else ()), right)
                return divided(upto(k - 1, at if left.dims else ()), bottom)
            if sign == ".*" or SCALAR in (left.kind, right.kind):
                return times(upto(k - 1, at if left.dims else ()), self._at(right, at if right.dims else ()))
            if sign != "*":
                raise _unknown(expr)
            if (left.kind, right.kind) == (VECTOR, ROW):
                return times(upto(k - 1, at[:1]), self._at(right, at[1:]))
            middle = self.new(left.dims[-1])
            before = at[:1] if left.kind == MATRIX else ()
            after = at[len(before) :]
            return over((middle,), times(upto(k - 1, (*before, middle)), self._at(right, (middle, *after))))

        return upto(len(factors) - 1, at)

    def _power(self, expr: Expr, at: tuple[Index, ...]) -> Expr:
        base, exponent = expr.args
        if base.op == "call" and base.value.name in ("norm2", "normF") and exponent == number(2) and base.args[0].dims:
            return self._summed(base.args[0], lambda u: scalar("power", (u, number(2)), "^"))
        if base.kind == MATRIX and expr.value == "^":
            if exponent.op == "neg" and exponent.args[0] == number(1):
                return self._call(Expr("call", (base,), Call("inv"), type=expr.type), at)
            if exponent.op != "number" or not 2 <= exponent.value <= 3:
                raise _unknown(expr)
            chain = Expr("product", (base,) * int(exponent.value), ("*",) * (int(exponent.value) - 1), type=expr.type)
            return self._product(chain, at)
        inner = self._inside(self._at(base, at), base)
        return scalar("power", (inner, self._at(exponent, at if exponent.dims else ())), "^")

    def _call(self, expr: Expr, at: tuple[Index, ...]) -> Expr:
        name, args = expr.value.name, expr.args
        x = args[0] if args else expr
        entry_card = card(name)
        if name == "eye":
            return delta(*at)
        if name in ("ones", "zeros"):
            return number(int(name == "ones"))
        if name in ("vector", "matrix"):
            return self._at(x, ())
        if name in ("rows", "cols", "length"):
            return _size(x.dims[-1 if name == "cols" else 0] if x.dims else Dim.of(1), expr)
        if name == "diag":
            return self._at(x, (at[0], at[0])) if x.kind == MATRIX else times(self._at(x, at[:1]), delta(*at))
        if name == "tr" and x.kind == MATRIX:
            i = self.new(x.dims[0])
            return over((i,), self._at(x, (i, i)))
        if entry_card is not None and entry_card.definition and len(args) == 1 and not entry_card.derivative:
            if name not in _REDUCTIONS:
                return self._at(along(entry_card.definition, {"x": x}), at)
        if entry_card is not None and entry_card.of_pairs:
            pair = [self._inside(self._at(arg, at if arg.dims else ()), arg) for arg in args]
            if entry_card.definition:
                return along(entry_card.definition, dict(zip(entry_card.arguments, pair, strict=True)))
            return scalar("call", tuple(pair), expr.value)
        if name in ("max", "min") and len(args) == 2:
            return self._of_two(name, compared(expr.replace(args=args)), at)
        if name == "inv" and not x.dims:
            return divided(number(1), self._at(x, ()))
        if entry_card is None or (entry_card.family == "elementwise" and len(args) == 1):
            return scalar("call", (self._inside(self._at(x, at), x),), expr.value)
        if name in _REDUCTIONS and x.dims:
            return self._reduction(name, x, at, expr.value.dim)
        if name in ("inv", "det", "logdet") and x.kind == MATRIX:
            whole = expr.replace(args=(self._as_name(x),))
            return entry(whole, at)
        raise _unknown(expr)

    def _of_two(self, name: str, args: tuple[Expr, ...], at: tuple[Index, ...]) -> Expr:
        """max(u, v) = v + relu(u − v), and min(u, v) = v − relu(v − u)."""
        u, v = (self._at(arg, at if arg.dims else ()) for arg in args)
        gap = total([u, scalar("neg", (v,))] if name == "max" else [v, scalar("neg", (u,))])
        if v == number(0) and name == "max":
            gap = u
        varying = any(varies(arg, self.varying) for arg in args)
        inner = self._named(gap) if varying and any(node.op == "over" for node in walk(gap)) else gap
        relu = scalar("call", (inner,), Call("relu"))
        if v == number(0):
            return relu if name == "max" else scalar("neg", (relu,))
        return total([v, relu if name == "max" else scalar("neg", (relu,))])

    def _reduction(self, name: str, x: Expr, at: tuple[Index, ...], dim: int | None) -> Expr:
        """Sums, means, norms, logsumexp and softmax as sums over entries, along ``dim``."""
        exp: Callable[[Expr], Expr] = lambda u: scalar("call", (u,), Call("exp"))  # noqa: E731
        if name == "softmax":
            along = at if dim is None else at[1:] if dim == 1 else at[:1]
            below = self._named(self._summed(x, exp, () if dim is None else along, dim))
            return divided(exp(self._at(x, at)), below)
        if name == "sum":
            return self._summed(x, lambda u: u, at, dim)
        if name == "mean":
            found = self._summed(x, lambda u: u, at, dim)
            sizes = x.dims if dim is None else x.dims[:1] if dim == 1 else x.dims[1:]
            for size in sizes:
                found = divided(found, _size(size, x))
            return found
        if name == "norm1":
            return self._summed(x, lambda u: scalar("call", (u,), Call("abs")), at, dim)
        if name == "logsumexp":
            return scalar("call", (self._named(self._summed(x, exp, at, dim)),), Call("log"))
        squares = self._summed(x, lambda u: scalar("power", (u, number(2)), "^"), at, dim)
        return scalar("call", (self._named(squares),), Call("sqrt"))

    def _summed(self, x: Expr, of: Callable[[Expr], Expr], at: tuple[Index, ...] = (), dim: int | None = None) -> Expr:
        """Σ of(x) over all entries, down each column (1), or along each row (2)."""
        if dim is None:
            indices = tuple(self.new(d) for d in x.dims)
            return over(indices, of(self._at(x, indices)))
        i = self.new(x.dims[0] if dim == 1 else x.dims[1])
        return over((i,), of(self._at(x, (i, *at) if dim == 1 else (*at, i))))

    # -- names

    def _inside(self, found: Expr, whole: Expr) -> Expr:
        """What a function is applied to: a sum that varies gets a name."""
        sums = any(node.op == "over" for node in walk(found))
        return self._named(found) if sums and varies(whole, self.varying) else found

    def _named(self, found: Expr) -> Expr:
        free = tuple(i for i in reading_order(found) if i not in bound_in(found))
        key = (renumbered(found, free), tuple(range(len(free))))
        if key not in self.values:
            self.values[key] = self._fresh("stuvwqh")
            self.varying.add(self.values[key])
            self.definitions.append((self.values[key], free, found))
        type_ = of_order(tuple(self.sizes[i] for i in free))
        return entry(named(self.values[key], type_), free)

    def _as_name(self, x: Expr) -> Expr:
        """A matrix by its name."""
        if x.op == "name":
            return x
        indices = tuple(self.new(d) for d in x.dims)
        name = self._fresh("MKQ")
        self.definitions.append((name, indices, self._at(x, indices)))
        if varies(x, self.varying):
            self.varying.add(name)
        return named(name, x.type)

    def _fresh(self, letters: str) -> str:
        name = next((c for c in letters if c not in self.taken), f"{letters[0]}{len(self.definitions) + 1}")
        self.taken.add(name)
        return name


_REDUCTIONS = frozenset({"sum", "mean", "norm1", "norm2", "normF", "logsumexp", "softmax"})


def _size(dim: Dim, where: Expr) -> Expr:
    """A size by its name, or as the number that it is."""
    text = str(dim)
    if text.isdigit():
        return number(int(text))
    if not text.isidentifier():
        raise _unknown(where)
    return entry(named(text, SCALAR_TYPE))


def too_long() -> NotSupported:
    return NotSupported("the style of components is for small formulas: this one is too long", hint="")


def _unknown(expr: Expr) -> NotSupported:
    shown = to_text(expr)
    shown = shown if len(shown) < 40 else expr.value.name if expr.op == "call" else expr.op
    return NotSupported(f"the style of components has no rule for {shown}", hint="")
