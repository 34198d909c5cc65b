"""Formula trees taken apart and changed in one place: what repairs of an answer are made of."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product as combinations

from matgrad.formula.syntax import MATRIX, SCALAR, Call, Expr, fold

Path = tuple[int, ...]
MOST_TERMS = 32


def paths(root: Expr) -> Iterator[tuple[Path, Expr]]:
    """Every node with the way to it, parents first."""
    stack: list[tuple[Path, Expr]] = [((), root)]
    while stack:
        path, node = stack.pop()
        yield path, node
        stack.extend(((*path, k), arg) for k, arg in reversed(list(enumerate(node.args))))


def replaced(root: Expr, path: Path, new: Expr) -> Expr:
    """The tree with another node at this place."""
    if not path:
        return new
    spine = [root]
    for k in path[:-1]:
        spine.append(spine[-1].args[k])
    for node, k in zip(reversed(spine), reversed(path), strict=True):
        new = node.replace(args=(*node.args[:k], new, *node.args[k + 1 :]), type=None)
    return new


def everywhere(root: Expr, old: Expr, new: Expr) -> Expr:
    """The tree with every part that equals ``old`` replaced, outermost first."""

    def visit(node: Expr, args: list[Expr]) -> Expr:
        if node == old:
            return new
        return node.replace(args=tuple(args), type=None) if args else node

    changed: Expr = fold(root, visit)
    return changed


def number(value: Fraction | int) -> Expr:
    value = Fraction(value)
    if value < 0:
        return negated(number(-value))
    if value.denominator == 1:
        return Expr("number", (), value, (0, 0))
    return Expr("product", (number(value.numerator), number(value.denominator)), ("/",), (0, 0))


def negated(expr: Expr) -> Expr:
    return expr.args[0] if expr.op == "neg" else Expr("neg", (expr,), None, expr.span)


def transposed(expr: Expr) -> Expr:
    """The transpose; a transpose is undone."""
    return expr.args[0] if expr.op == "transpose" else Expr("transpose", (expr,), None, expr.span)


def times(*factors: Expr) -> Expr:
    if len(factors) == 1:
        return factors[0]
    return Expr("product", factors, ("*",) * (len(factors) - 1), factors[0].span)


def multiple(count: Fraction, term: Expr) -> Expr:
    """A number times a term; numbers are multiplied, signs stay in front."""
    if count == 1:
        return term
    if term.op == "neg":
        return negated(multiple(count, term.args[0]))
    if term.op == "product" and term.args[0].op == "number" and set(term.value[:1]) == {"*"}:
        count, rest = count * term.args[0].value, without_factor(term, 0)
        if rest is not None:
            return rest if count == 1 else flat(times(number(count), rest))
    return flat(times(number(count), term))


def total(terms: list[Expr]) -> Expr:
    return terms[0] if len(terms) == 1 else Expr("add", tuple(terms), None, terms[0].span)


def flat(root: Expr) -> Expr:
    """The tree with products of products by ``*`` joined, where the inner one stands first or is of matrices."""

    def visit(node: Expr, args: list[Expr]) -> Expr:
        node = node.replace(args=tuple(args), type=node.type) if args else node
        if node.op != "product":
            return node
        factors, operators = [node.args[0]], []
        if node.args[0].op == "product":
            factors, operators = list(node.args[0].args), list(node.args[0].value)
        for operator, arg in zip(node.value, node.args[1:], strict=True):
            inner = operator == "*" and arg.op == "product" and set(arg.value) == {"*"} and set(operators) <= {"*"}
            factors += arg.args if inner else (arg,)
            operators += [operator, *arg.value] if inner else [operator]
        return Expr("product", tuple(factors), tuple(operators), node.span, node.type)

    joined: Expr = fold(root, visit)
    return joined


def tidy(root: Expr) -> Expr:
    """The same value with transposes at the factors, signs in front, and no brackets that are not needed.

    >>> from matgrad.formula.parser import parse_expression
    >>> from matgrad.formula.text import to_text
    >>> to_text(tidy(parse_expression("2*(X*(a*b')')")))
    "2*X*b*a'"
    """

    def visit(node: Expr, args: list[Expr]) -> Expr:
        node = node.replace(args=tuple(args), type=node.type) if args else node
        if node.op == "transpose":
            return _turned(node.args[0])
        if node.op == "neg" and node.args[0].op == "neg":
            return node.args[0].args[0]
        return node

    tidied: Expr = fold(flat(root), visit)
    return flat(tidied)


def _turned(inner: Expr) -> Expr:
    if inner.op == "neg":
        return negated(_turned(inner.args[0]))
    if inner.op == "product" and set(inner.value) == {"*"} and len(inner.args) <= 3:
        if not any(arg.op == "number" for arg in inner.args):
            return times(*(transposed(arg) for arg in reversed(inner.args)))
    return transposed(inner)


def expanded(root: Expr) -> list[Expr]:
    """The terms of a sum, products distributed over sums as long as there are few; signs stay with the terms."""

    def visit(node: Expr, args: list[list[Expr]]) -> list[Expr]:
        if node.op == "add":
            return [term for terms in args for term in terms]
        if node.op == "neg":
            return [negated(term) for term in args[0]]
        if node.op == "transpose":
            return [_signed(term, transposed) for term in args[0]]
        if node.op == "product" and all(
            len(terms) == 1 or operator in ("*", ".*") for operator, terms in zip(("*", *node.value), args, strict=True)
        ):
            count = 1
            for terms in args:
                count *= len(terms)
            if 1 < count <= MOST_TERMS:
                return [_product(node, choice) for choice in combinations(*args)]
        return [node]

    terms: list[Expr] = fold(root, visit)
    return terms


def _signed(term: Expr, change: object) -> Expr:
    assert callable(change)
    if term.op == "neg":
        return negated(change(term.args[0]))
    changed: Expr = change(term)
    return changed


def _product(node: Expr, choice: tuple[Expr, ...]) -> Expr:
    sign = sum(term.op == "neg" for term in choice) % 2
    factors = tuple(term.args[0] if term.op == "neg" else term for term in choice)
    whole = Expr("product", factors, node.value, node.span)
    return negated(whole) if sign else whole


def without_factor(node: Expr, k: int) -> Expr | None:
    """A product without one factor."""
    if len(node.args) == 1:
        return None
    args = node.args[:k] + node.args[k + 1 :]
    operators = node.value[:k] + node.value[k + 1 :] if k < len(node.value) else node.value[:-1]
    if k == 0:
        if node.value[0] in ("/", "./"):
            return None
        operators = node.value[1:]
    elif k <= len(node.value):
        operators = node.value[: k - 1] + node.value[k:]
    return args[0] if len(args) == 1 else Expr("product", args, operators, node.span)


def is_matrix(expr: Expr) -> bool:
    return expr.type is not None and expr.kind == MATRIX


def is_scalar(expr: Expr) -> bool:
    return expr.type is not None and expr.kind == SCALAR


def is_inverse(expr: Expr) -> bool:
    """``inv(X)``, or a negative power of a matrix."""
    if expr.op == "call" and isinstance(expr.value, Call):
        return expr.value.name == "inv" and is_matrix(expr)
    return expr.op == "power" and is_matrix(expr) and expr.args[1].op == "neg"
