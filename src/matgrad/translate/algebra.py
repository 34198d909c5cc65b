"""Typed building of formulas, and the cost of printing them.

``cost`` is about the length of the text without spaces; recovery keeps the candidate that costs least.
Nothing here simplifies by laws of calculus: it only joins products, drops double transposes and the like.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from fractions import Fraction

from matgrad.dims import Dim
from matgrad.formula.printing import reads_alone, split_number
from matgrad.formula.syntax import (
    MATRIX,
    ROW,
    SCALAR,
    SCALAR_TYPE,
    TENSOR,
    VECTOR,
    Call,
    Expr,
    Type,
    fold,
    product_kind,
    walk,
)

KINDS = (SCALAR, VECTOR, MATRIX)
_HALF = Fraction(1, 2)


def of_order(dims: Sequence[Dim]) -> Type:
    """The type of an array with these axes: vectors are columns."""
    return Type(KINDS[len(dims)] if len(dims) < 3 else TENSOR, tuple(dims))


def number(value: Fraction | int) -> Expr:
    value = value if isinstance(value, Fraction) else Fraction(value)
    if value.numerator >= 0:
        return Expr("number", value=value, type=SCALAR_TYPE)
    return Expr("neg", (Expr("number", value=-value, type=SCALAR_TYPE),), type=SCALAR_TYPE)


def negative(expr: Expr) -> Expr:
    return expr.args[0] if expr.op == "neg" else Expr("neg", (expr,), type=expr.type)


def negated(expr: Expr) -> Expr:
    """-expr with the sign inside a sum: b - a for a - b."""
    if expr.op == "add":
        args = [negative(a) for a in expr.args]
        first = next((k for k, a in enumerate(args) if a.op != "neg"), 0)
        return expr.replace(args=(args[first], *args[:first], *args[first + 1 :]))
    return negative(expr)


def call(name: str, *args: Expr, type: Type, dim: int | None = None, primes: int = 0) -> Expr:
    return Expr("call", args, Call(name, dim, primes), type=type)


def triangle(name: str, matrix: Expr, offset: int) -> Expr:
    """tril(X) or triu(X), up to the diagonal with this offset or from it on."""
    return call(name, matrix, *[number(offset)] * (offset != 0), type=matrix.type or SCALAR_TYPE)


def transposed(expr: Expr) -> Expr:
    """The transpose as it is written: x' for a column, nothing for a scalar."""
    if expr.kind == SCALAR:
        return expr
    if expr.op == "transpose":
        return expr.args[0]
    if is_self_transposed(expr):
        return expr
    if expr.op == "add" and all(_bare(a).op == "transpose" for a in expr.args):
        args = [negative(_bare(a).args[0]) if a.op == "neg" else a.args[0] for a in expr.args]
        return expr.replace(args=tuple(args), type=_turned(expr))  # A + B for (A' + B')'
    shaped = [a for a in expr.args if a.kind != SCALAR]
    if shaped and all(a.op == "transpose" for a in shaped) and _is_entrywise(expr):
        turned = tuple(a if a.kind == SCALAR else a.args[0] for a in expr.args)
        return expr.replace(args=turned, type=_turned(expr))  # x.*y for (x'.*y')'
    return Expr("transpose", (expr,), type=_turned(expr))


def symmetric_upright(root: Expr, names: Collection[str]) -> Expr:
    """Without the transposes of matrices that are symmetric, where these names are: kron(S, eye) for kron(S', eye)."""

    def visit(expr: Expr, args: list[Expr]) -> Expr:
        if any(new is not old for new, old in zip(args, expr.args, strict=True)):
            expr = expr.replace(args=tuple(args))
        return expr.args[0] if expr.op == "transpose" and is_self_transposed(expr.args[0], names) else expr

    found: Expr = fold(root, visit)
    return found


def is_self_transposed(expr: Expr, names: Collection[str] = ()) -> bool:
    """Whether a matrix is seen to be symmetric, as those of these names are: diag(p) - p*p', inv(X'*X)."""
    if expr.kind == SCALAR or (expr.op == "name" and expr.value in names):
        return True
    if expr.kind != MATRIX:
        return False
    if expr.op == "call" and expr.value.name in ("eye", "diag"):
        return True
    if expr.op in ("add", "neg") or (expr.op == "call" and expr.value.name == "inv"):
        return all(is_self_transposed(a, names) for a in expr.args)
    if expr.op != "product" or not set(expr.value) <= {"*", "/"}:
        return False
    chain = [a for a in expr.args if a.kind != SCALAR]
    turned = (a if is_self_transposed(a, names) else transposed(a) for a in reversed(chain))
    return all(a == z for a, z in zip(chain[: (len(chain) + 1) // 2], turned, strict=False))


def _is_entrywise(expr: Expr) -> bool:
    """Whether it is a product or a power entry by entry, perhaps with scalars."""
    if expr.op != "product":
        return expr.op == "power" and expr.value == ".^"
    scalar = expr.args[0].kind == SCALAR
    for operator, factor in zip(expr.value, expr.args[1:], strict=True):
        if operator == "*" and not scalar and factor.kind != SCALAR:
            return False
        scalar = scalar and factor.kind == SCALAR
    return True


def _bare(term: Expr) -> Expr:
    return term.args[0] if term.op == "neg" else term


def _turned(expr: Expr) -> Type:
    kind = {VECTOR: ROW, ROW: VECTOR, MATRIX: MATRIX}[expr.kind]
    return Type(kind, expr.dims[::-1])


def power(base: Expr, exponent: Fraction) -> Expr:
    """Scalars with ^, arrays with .^ entry by entry; negative exponents stay."""
    if exponent == 1:
        return base
    if exponent == _HALF:
        return call("sqrt", base, type=base.type or SCALAR_TYPE)
    return Expr("power", (base, number(exponent)), "^" if base.kind == SCALAR else ".^", type=base.type)


def product(factors: Sequence[tuple[str, Expr]]) -> Expr:
    """Factors with the operator before each, the first ignored. Products inside are joined; c*1/x is c/x."""
    flat: list[tuple[str, Expr]] = []
    for k, (operator, factor) in enumerate(factors):
        if factor.op == "product" and (
            reads_alone(factor, factors[1:])
            if not flat
            else operator == "*" and _joins(factor, flat, all(o == "/" for o, _ in factors[k + 1 :]))
        ):
            inner = ("*", *factor.value)
            flat += [(operator if j == 0 else o, a) for j, (o, a) in enumerate(zip(inner, factor.args, strict=True))]
        else:
            flat.append((operator, factor))
    flat = [flat[0], *((o, f) for o, f in flat[1:] if o != "*" or f.op != "number" or f.value != 1)]
    if len(flat) == 1:
        return flat[0][1]
    type_ = flat[0][1].type
    for operator, factor in flat[1:]:
        assert type_ is not None and factor.type is not None
        type_ = product_type(type_, operator, factor.type)
    return Expr("product", tuple(f for _, f in flat), tuple(o for o, _ in flat[1:]), type=type_)


def _joins(factor: Expr, before: Sequence[tuple[str, Expr]], last: bool) -> bool:
    """Whether a*(b*c) may be written a*b*c: the matrix product is associative, scalars keep their brackets.

    Only 2*x'*A*x needs none, with nothing after it.
    """
    if factor.kind == SCALAR and last and set(factor.value) == {"*"}:
        return all(o == "*" and f.op in ("number", "name") and f.kind == SCALAR for o, f in before)
    if factor.kind == SCALAR or any(o != "*" for o in factor.value):
        scalars = all(f.kind == SCALAR for _, f in before) and all(o == "*" for o, _ in before)
        return scalars and factor.kind != SCALAR
    return all(o == "*" for o, _ in before)


def times(*factors: Expr) -> Expr:
    return product([("*", factor) for factor in factors])


def product_type(left: Type, operator: str, right: Type) -> Type:
    kind = product_kind(left.kind, operator, right.kind)
    if kind is None:
        raise ValueError(f"{left} {operator} {right}")
    if kind == SCALAR:
        return SCALAR_TYPE
    if SCALAR in (left.kind, right.kind):
        return left if right.kind == SCALAR else right
    if operator in (".*", "./"):
        return left
    if operator == "⊗":
        rows = [t.dims[0] for t in (left, right) if t.kind in (MATRIX, VECTOR)]
        cols = [t.dims[-1] for t in (left, right) if t.kind in (MATRIX, ROW)]
        sides = [_all(d) for d in (rows, cols) if d]
        return Type(kind, tuple(sides))
    rows_ = left.dims[:1] if left.kind in (MATRIX, VECTOR) else ()
    cols_ = right.dims[-1:] if right.kind in (MATRIX, ROW) else ()
    return Type(kind, rows_ + cols_)


def _all(dims: Iterable[Dim]) -> Dim:
    result = Dim.of(1)
    for dim in dims:
        result = result * dim
    return result


def addition(terms: Sequence[Expr]) -> Expr:
    """The sum of terms, nested sums joined; scalars among arrays are broadcast."""
    flat: list[Expr] = []
    for term in terms:
        if term.op == "add":
            flat += term.args
        elif term.op == "neg" and term.args[0].op == "add":
            flat += [negative(t) for t in term.args[0].args]
        else:
            flat.append(term)
    flat = _gathered(flat)
    if len(flat) == 1:
        return flat[0]
    type_ = next((t.type for t in flat if t.kind != SCALAR), SCALAR_TYPE)
    return Expr("add", tuple(flat), type=type_)


_ONE = Fraction(1)


def _gathered(terms: list[Expr]) -> list[Expr]:
    """Terms that differ in their coefficients only, added up where the first of them stands."""
    sums: dict[Expr, Fraction] = {}
    for term in terms:
        factor, rest = coefficient(term)
        sums[rest] = sums[rest] + factor if rest in sums else factor
    if len(sums) == len(terms):
        return terms
    found = [multiple(total, rest) for rest, total in sums.items() if total]
    return found or [number(0)]


def coefficient(term: Expr) -> tuple[Fraction, Expr]:
    """The number in front of a term, with its sign, and the rest; the rest of a number is 1."""
    if term.op == "neg":
        factor, rest = coefficient(term.args[0])
        return -factor, rest
    if term.op == "number":
        return Fraction(term.value), number(1)
    if term.op == "product" and term.args[0].op == "number" and term.value[0] in ("*", ".*"):
        rest = product(list(zip(("*", *term.value[1:]), term.args[1:], strict=True)))
        return Fraction(term.args[0].value), rest
    if _is_number_over(term):
        return Fraction(term.args[0].value), term.replace(args=(number(1), *term.args[1:]))
    return _ONE, term


def _is_number_over(term: Expr) -> bool:
    """3/x, 3./x."""
    return term.op == "product" and term.args[0].op == "number" and term.value[0] in ("/", "./")


def multiple(factor: Fraction, rest: Expr) -> Expr:
    """A number times what has no number in front."""
    if rest.op == "number":
        return number(factor * rest.value)
    if _is_number_over(rest) and factor.denominator == 1:
        whole = rest.replace(args=(number(abs(factor)), *rest.args[1:]))
        return whole if factor > 0 else negative(whole)
    whole = rest if abs(factor) == 1 else _joined_multiple(abs(factor), rest)
    return whole if factor > 0 else negative(whole)


def _joined_multiple(factor: Fraction, rest: Expr) -> Expr:
    """2*n/k for 2*(n/k), where all are scalars."""
    if rest.op == "product" and set(rest.value) <= {"*", "/"} and all(a.kind == SCALAR for a in rest.args):
        return product([("*", number(factor)), *zip(("*", *rest.value), rest.args, strict=True)])
    return times(number(factor), rest)


# -- what a formula costs to print and where it stands --------------------------------------------


def cost(expr: Expr) -> int:
    """About the number of characters of the text, without spaces; remembered at each node, without recursion."""
    if expr.cost is None:
        stack = [expr]
        while stack:
            node = stack[-1]
            args = node.args
            if missing := [arg for arg in args if arg.cost is None]:
                stack += missing
            else:
                stack.pop()
                own = _own_cost(node)
                node.cost = own + sum([arg.cost for arg in args if arg.cost]) if args else own
    return expr.cost  # type: ignore[return-value]


_ONES = 3
"""What a vector of ones costs beyond its letters: sum(X, dim=2) reads better than X*vector(1)."""


def is_ones(expr: Expr) -> bool:
    return expr.op == "call" and expr.value.name == "vector" and expr.args[0].op == "number"


_LARGEST = 10**300
"""Numbers up to which the length is that of a decimal number; Python's floats end soon after."""


def _own_cost(node: Expr) -> int:
    op, args = node.op, node.args
    if op == "number":
        short = node.value.denominator in (1, 2, 4, 5, 10) and abs(node.value) < _LARGEST
        return len(f"{float(node.value):g}") if short else _digits(node.value)
    if op in ("name", "constant"):
        return len(node.value)
    if op == "neg":
        return 1 + 2 * (args[0].op == "add")
    if op == "add":
        # An added negative term writes its own sign.
        return sum(1 for a in args[1:] if a.op != "neg")
    if op == "product":
        inside = 2 * sum(1 for a in args if a.op in ("add", "neg", "product"))
        return sum(len(o) for o in node.value) + inside
    if op == "power":
        return len(node.value) + 2 * (args[0].op in ("add", "product", "neg", "power")) + 2 * (args[1].op != "number")
    if op == "transpose":
        return 1 + 2 * (args[0].op in ("add", "product", "neg"))
    if op == "call":
        return (
            _ONES * is_ones(node)
            + len(node.value.name)
            + 2 * bool(args)
            + max(0, len(args) - 1)
            + 6 * (node.value.dim is not None)
        )
    return 3 + len(args) + (8 if op == "einsum" else 0)


def _digits(value: Fraction) -> int:
    above, below = split_number(value, decimals=False)
    return len(above) + bool(below) + len(below)


def names(expr: Expr) -> tuple[str, ...]:
    """The names in reading order; remembered at each node, without recursion."""
    if expr.names is None:
        stack = [expr]
        while stack:
            node = stack[-1]
            args = node.args
            if not args:
                stack.pop()
                node.names = (node.value,) if node.op == "name" else ()
            elif missing := [arg for arg in args if arg.names is None]:
                stack += missing
            else:
                stack.pop()
                node.names = tuple([name for arg in args for name in arg.names or ()])
    return expr.names  # type: ignore[return-value]


def is_terse(expr: Expr) -> bool:
    """Whether nothing that is equal can be shorter by more than one character: each name once, and what joins them."""
    found = names(expr)
    return len({*found}) == len(found) and cost(expr) <= sum(map(len, found)) + len(found)


# -- arranging a finished formula -----------------------------------------------------------------


def scalars_outside(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """``change`` applied to what is left when the sign and the leading scalars are taken out: 2*vec(X)."""
    if expr.op == "neg":
        return negative(scalars_outside(expr.args[0], change))
    if expr.op != "product" or set(expr.value) != {"*"}:
        return change(expr)
    count = next(k for k, a in enumerate(expr.args) if a.kind != SCALAR)
    return times(*expr.args[:count], change(times(*expr.args[count:])))


def turned_product(expr: Expr) -> Expr:
    """The transpose of a matrix product as the product of transposes: y*x' for (x*y')'."""
    if expr.op == "product" and set(expr.value) == {"*"} and all(a.kind != SCALAR for a in expr.args):
        return times(*(transposed(a) for a in reversed(expr.args)))
    return transposed(expr)


def turned_kron(expr: Expr) -> Expr:
    """The transpose of kron(A, B) as kron(A', B'); of anything else with a prime."""
    if expr.op == "call" and expr.value.name == "kron":
        assert expr.type is not None
        kind = {VECTOR: ROW, ROW: VECTOR, MATRIX: MATRIX}[expr.kind]
        return expr.replace(args=tuple(map(transposed, expr.args)), type=Type(kind, expr.dims[::-1]))
    return transposed(expr)


def as_row(expr: Expr) -> Expr:
    """A column as a row: 2*(A*x - b)'*A for 2*A'*(A*x - b)."""
    return scalars_outside(expr, turned_product)


_UNSIZED = ("eye", "vector", "matrix", "unit")


def has_inner_constants(expr: Expr) -> bool:
    """Whether a constant sized by context stands inside of a call, an einsum, a stack or an index."""
    nodes = walk(expr)
    if not any(is_unsized(node) for node in nodes if node.op == "call"):
        return False
    inside = (node for node in nodes if node.op in ("call", "einsum", "stack", "index"))
    return any(is_unsized(inner) for node in inside for arg in node.args for inner in walk(arg))


def is_unsized(expr: Expr) -> bool:
    """Whether it is a constant such as eye or vector(1), whose size comes from what stands around it."""
    return expr.op == "call" and expr.value.name in _UNSIZED and (expr.value.name != "eye" or not expr.args)


def sized(expr: Expr, size: Callable[[Dim], Expr]) -> Expr:
    """The formula with sizes: eye(n), ones(m, n), c*ones(n), eye(n)[:,1] for eye, matrix(1), vector(c), unit(1)."""

    def visit(node: Expr, args: list[Expr]) -> Expr:
        if not is_unsized(node):
            return node.replace(args=tuple(args))
        assert node.type is not None
        if node.value.name == "eye":
            return call("eye", size(node.dims[0]), type=node.type)
        if node.value.name == "unit":
            eye = call("eye", size(node.dims[0]), type=Type(MATRIX, node.dims * 2))
            return Expr("index", (eye,), (None, int(args[0].value)), type=node.type)
        ones = call("ones", *(size(d) for d in node.dims), type=node.type)
        (value,) = args
        return ones if value.op == "number" and value.value == 1 else times(value, ones)

    found: Expr = fold(expr, visit)
    return found
