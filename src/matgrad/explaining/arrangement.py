"""Whether two formulas differ only in their arrangement: what a reader does in his head, without a law.

Sums and products are multiplied out and sorted; transposes go to the factors; numbers are multiplied. Nothing is
cancelled but numbers and scalars, and no law of a function is used: 1 - sigmoid(z) stays what it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import NamedTuple

from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Expr, fold
from matgrad.formula.text import to_text

MOST = 400
"""Terms above which nothing is compared."""
Scalars = tuple[tuple[str, Fraction], ...]
Entries = tuple[tuple[tuple["Atom", ...], Fraction], ...]


class Atom(NamedTuple):
    """A factor of a chain: a text, or an entrywise product of chains with exponents 1 and -1."""

    kind: str
    text: str
    turned: bool = False
    entries: Entries = ()


class Term(NamedTuple):
    """Scalars with their exponents, and a chain of arrays."""

    scalars: Scalars
    chain: tuple[Atom, ...]


Terms = Mapping[Term, Fraction]
_ONE = Term((), ())


class _TooMany(Exception):
    pass


def same(left: Expr, right: Expr, *, powers: bool = False) -> bool:
    """Whether two formulas are one up to the arrangement of their terms and factors.

    With ``powers``, equal factors of an entrywise product are one power, and u.*v./v is u.

    >>> import matgrad
    >>> parsed = matgrad.parse("2*A'*(A*x - b) - (2*x'*A'*A - 2*b'*A)'").program.body
    >>> same(parsed.args[0], parsed.args[1].args[0])
    True
    """
    if left == right:
        return True
    try:
        return left.kind == right.kind and _terms(left, powers) == _terms(right, powers)
    except _TooMany:
        return False


def _terms(expr: Expr, powers: bool) -> Terms:
    def visit(node: Expr, args: list[Terms]) -> Terms:
        found = _visited(node, args)
        if powers:
            found = _added({_cancelled(term): factor} for term, factor in found.items())
        if len(found) > MOST:
            raise _TooMany
        return found

    found: Terms = fold(expr, visit)
    return found


def _visited(node: Expr, args: list[Terms]) -> Terms:
    match node.op:
        case "number":
            return {_ONE: Fraction(node.value)} if node.value else {}
        case "neg":
            return {term: -factor for term, factor in args[0].items()}
        case "add":
            return _added(_filled(part, arg, node) for part, arg in zip(args, node.args, strict=True))
        case "transpose":
            return {Term(t.scalars, _turned(t.chain)): f for t, f in args[0].items()}
        case "product" if "⊗" not in node.value:
            found, kind = args[0], node.args[0].kind
            for operator, factor, arg in zip(node.value, args[1:], node.args[1:], strict=True):
                found, kind = _multiplied(found, kind, operator, factor, arg)
            return found
        case "power":
            return _power(node, args)
        case "call":
            return _call(node, args)
    return _atom(node, to_text(node))


def _cancelled(term: Term) -> Term:
    chain = []
    for atom in term.chain:
        entries = tuple(entry for entry in atom.entries if entry[1])
        if entries == atom.entries:
            chain.append(atom)
        elif len(entries) == 1 and entries[0][1] == 1:
            chain += entries[0][0]
        else:
            chain.append(Atom(atom.kind, "" if entries else "1", False, entries))
    return Term(term.scalars, tuple(chain))


def _atom(node: Expr, text: str) -> Terms:
    if node.kind == SCALAR:
        return {Term(((text, Fraction(1)),), ()): Fraction(1)}
    return {Term((), (Atom(node.kind, text),)): Fraction(1)}


def _added(parts: Iterable[Terms]) -> Terms:
    total: Counter[Term] = Counter()
    for part in parts:
        for term, factor in part.items():
            total[term] += factor  # type: ignore[assignment]
    return {term: Fraction(factor) for term, factor in total.items() if factor}


def _filled(terms: Terms, arg: Expr, whole: Expr) -> Terms:
    """A scalar in a sum of arrays is an array of equal entries."""
    if arg.kind != SCALAR or whole.kind == SCALAR:
        return terms
    ones = (Atom(whole.kind, "1"),)
    return {Term(t.scalars, ones): f for t, f in terms.items()}


def _turned(chain: tuple[Atom, ...]) -> tuple[Atom, ...]:
    return tuple(_turned_atom(atom) for atom in reversed(chain))


def _turned_atom(atom: Atom) -> Atom:
    kind = {VECTOR: ROW, ROW: VECTOR}.get(atom.kind, atom.kind)
    if atom.entries:
        return Atom(kind, "", False, _sorted((_turned(chain), count) for chain, count in atom.entries))
    same_ = kind == MATRIX and (atom.text in ("eye", "1") or atom.text.startswith("diag("))
    return atom._replace(kind=kind, turned=not (same_ or atom.turned))


def _sorted(entries: Iterable[tuple[tuple[Atom, ...], Fraction]]) -> Entries:
    counts: dict[tuple[Atom, ...], Fraction] = {}
    for chain, count in entries:
        counts[chain] = counts.get(chain, Fraction(0)) + count
    return tuple(sorted(counts.items(), key=repr))  # v with the exponent 0 stays: cancelling is a law


def _multiplied(left: Terms, kind: str, operator: str, right: Terms, arg: Expr) -> tuple[Terms, str]:
    if operator in ("/", "./"):
        right = _inverted(right, arg)
    if operator in ("*", "/") or SCALAR in (kind, arg.kind):
        if kind != SCALAR and arg.kind == SCALAR:
            joined, after = _pairs(left, right, lambda a, b: a), kind
        elif operator == "./" and kind == SCALAR and arg.kind != SCALAR:
            joined, after = _pairs(left, right, lambda a, b: b), arg.kind
        else:
            joined = _pairs(left, right, lambda a, b: a + b)
            after = _kind_after(kind, arg.kind)
        return joined, after
    return _pairs(left, right, _entrywise), kind


def _kind_after(left: str, right: str) -> str:
    if left == SCALAR:
        return right
    if right == SCALAR:
        return left
    return {(ROW, VECTOR): SCALAR, (ROW, MATRIX): ROW, (MATRIX, VECTOR): VECTOR}.get((left, right), MATRIX)


def _pairs(left: Terms, right: Terms, joined: object) -> Terms:
    found: list[Terms] = []
    for a, c in left.items():
        for b, d in right.items():
            scalars, chain = _without_scalars(joined(a.chain, b.chain))  # type: ignore[operator]
            found.append({Term(_exponents((*a.scalars, *b.scalars, *scalars)), chain): c * d})
    return _added(found)


def _exponents(scalars: Iterable[tuple[str, Fraction]]) -> Scalars:
    total: dict[str, Fraction] = {}
    for text, exponent in scalars:
        total[text] = total.get(text, Fraction(0)) + exponent
    return tuple(sorted((text, e) for text, e in total.items() if e))


def _without_scalars(chain: tuple[Atom, ...]) -> tuple[list[tuple[str, Fraction]], tuple[Atom, ...]]:
    """Inner products u'*M*v of a chain are scalars; identities among other factors are dropped."""
    if len(chain) > 1 and any(a.text != "eye" for a in chain):
        chain = tuple(a for a in chain if a.text != "eye")
    scalars: list[tuple[str, Fraction]] = []
    while True:
        end = next((k for k, a in enumerate(chain) if a.kind == VECTOR and _row_before(chain, k) is not None), None)
        if end is None:
            return scalars, chain
        start = _row_before(chain, end)
        assert start is not None
        inner = chain[start : end + 1]
        scalars.append((min(repr(inner), repr(_turned(inner))), Fraction(1)))
        chain = chain[:start] + chain[end + 1 :]


def _row_before(chain: tuple[Atom, ...], end: int) -> int | None:
    for k in range(end - 1, -1, -1):
        if chain[k].kind == ROW:
            return k
        if chain[k].kind != MATRIX:
            return None
    return None


def _entrywise(left: tuple[Atom, ...], right: tuple[Atom, ...]) -> tuple[Atom, ...]:
    entries = _sorted([*_entries(left), *_entries(right)])
    kind = _kind_of(left)
    if not entries:
        return (Atom(kind, "1"),)
    if len(entries) == 1 and entries[0][1] == 1:
        return entries[0][0]
    return (Atom(kind, "", False, entries),)


def _entries(chain: tuple[Atom, ...]) -> Entries:
    if len(chain) == 1 and chain[0].entries:
        return chain[0].entries
    if len(chain) == 1 and chain[0].text == "1":
        return ()
    return ((chain, Fraction(1)),)


def _kind_of(chain: tuple[Atom, ...]) -> str:
    kind = chain[0].kind
    for atom in chain[1:]:
        kind = _kind_after(kind, atom.kind)
    return kind


def _inverted(terms: Terms, arg: Expr) -> Terms:
    """1/t of a single term; of a sum, as a whole."""
    if len(terms) != 1:
        text = repr(sorted(terms.items(), key=repr))
        if arg.kind == SCALAR:
            return {Term(((text, Fraction(-1)),), ()): Fraction(1)}
        return {Term((), (Atom(arg.kind, "", False, (((Atom(arg.kind, text),), Fraction(-1)),)),)): Fraction(1)}
    ((term, factor),) = terms.items()
    scalars = tuple((text, -e) for text, e in term.scalars)
    if arg.kind == SCALAR:
        return {Term(scalars, ()): 1 / factor}
    entries = tuple((chain, -count) for chain, count in _entries(term.chain))
    return {Term(scalars, (Atom(arg.kind, "", False, entries),) if entries else term.chain): 1 / factor}


def _power(node: Expr, args: list[Terms]) -> Terms:
    exponent = node.args[1]
    count = exponent.value if exponent.op == "number" else None
    if exponent.op == "neg" and exponent.args[0].op == "number":
        count = -exponent.args[0].value
    if count is None:
        return _atom(node, f"power({_text(args[0])},{_text(args[1])},{node.value})")
    return _raised(node, args[0], Fraction(count), entrywise=node.value == ".^")


def _raised(node: Expr, base: Terms, count: Fraction, *, entrywise: bool) -> Terms:
    """base^count; a root is of the whole base, since (x^2)^(1/2) is not x."""
    whole = count.denominator == 1
    if len(base) == 1 and whole:
        ((term, factor),) = base.items()
        scalars = tuple((text, e * count) for text, e in term.scalars)
        if node.kind == SCALAR:
            return {Term(scalars, ()): factor ** int(count)}
        if entrywise:
            entries = tuple((chain, n * count) for chain, n in _entries(term.chain))
            return {Term(scalars, (Atom(node.kind, "", False, entries),)): factor ** int(count)}
        if count > 0:
            return {Term(scalars, term.chain * int(count)): factor ** int(count)}
    if node.kind == SCALAR:
        ((inner, one),) = _single(base)
        return {Term(_exponents([(text, e * count) for text, e in inner]), ()): one}
    if entrywise:
        only = next(iter(base)) if len(base) == 1 else None
        plain = only is not None and not only.scalars and base[only] == 1 and not any(a.entries for a in only.chain)
        chain = only.chain if only is not None and plain else (Atom(node.kind, _text(base)),)
        return {Term((), (Atom(node.kind, "", False, ((chain, count),)),)): Fraction(1)}
    return _atom(node, f"power({_text(base)},{count},{node.value})")


def _single(base: Terms) -> tuple[tuple[Scalars, Fraction]]:
    """The base of a root as one scalar."""
    if len(base) == 1:
        ((term, factor),) = base.items()
        if factor == 1 and len(term.scalars) == 1 and term.scalars[0][1] == 1:
            return ((term.scalars, Fraction(1)),)
    return ((((_text(base), Fraction(1)),), Fraction(1)),)


def _text(terms: Terms) -> str:
    return repr(sorted(terms.items(), key=repr))


_LINEAR = ("tr", "sum", "diag", "vec")


def _first_turn(chain: tuple[Atom, ...]) -> tuple[Atom, ...]:
    """Of all cyclic permutations of the factors in a trace and in its transpose, the first."""
    both = (chain, _turned(chain))
    return min((c[k:] + c[:k] for c in both for k in range(len(c))), key=repr, default=chain)


def _call(node: Expr, args: list[Terms]) -> Terms:
    name, dim, primes = node.value
    name = "norm2" if name == "normF" else name  # of a matrix, one norm
    if name == "sqrt":
        return _raised(node, args[0], Fraction(1, 2), entrywise=True)
    if name in ("length", "rows", "cols") and node.args[0].dims:
        size = node.args[0].dims[-1 if name == "cols" else 0]
        return {_ONE: Fraction(size.number)} if size.number else _atom(node, str(size))
    if name in ("vector", "matrix") and args and node.args[0].kind == SCALAR:
        return {Term(t.scalars, (Atom(node.kind, "1"),)): f for t, f in args[0].items()}
    if name == "eye":
        return _atom(node, "eye")
    if name in _LINEAR and dim is None and not primes:
        if node.args[0].kind == SCALAR:
            return args[0]
        found = []
        for term, factor in args[0].items():
            chain = _first_turn(term.chain) if name == "tr" else term.chain
            inner = _atom(node, f"{name}({chain!r})")
            found.append({Term(_exponents((*term.scalars, *t.scalars)), t.chain): factor for t in inner})
        return _added(found)
    if name in ("inv", "adj") and node.kind == MATRIX:
        turned = {Term(t.scalars, _turned(t.chain)): f for t, f in args[0].items()}
        first, other = _text(args[0]), _text(turned)
        atom = Atom(MATRIX, f"{name}{dim}{primes}({min(first, other)})", turned=other < first)
        return {Term((), (atom,)): Fraction(1)}
    return _atom(node, f"{name}{dim}{primes}({','.join(map(_text, args))})")
