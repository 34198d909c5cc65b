"""What the user says about names: ``"A: matrix(m,n); w: positive vector(n); g: function"``.

>>> declared = parse_declarations("S: spd(n); x: vector(3)")
>>> declared["S"].kind, sorted(declared["S"].traits), str(declared["x"].dims[0])
('matrix', ['psd', 'spd', 'symmetric'], '3')
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from matgrad.dims import Dim
from matgrad.errors import DeclarationError
from matgrad.formula.loops import statements
from matgrad.formula.syntax import MATRIX, SCALAR, VECTOR
from matgrad.formula.tokens import normalise_name

FUNCTION = "function"
SPACES = frozenset({"symmetric", "diagonal", "lower", "upper"})
"""The declarations that are linear spaces of matrices: a derivative, and a direction, lies in the space."""
_STRUCTURES: dict[str, frozenset[str]] = {
    "symmetric": frozenset({"symmetric"}),
    "spd": frozenset({"spd", "psd", "symmetric"}),
    "psd": frozenset({"psd", "symmetric"}),
    "diagonal": frozenset({"diagonal", "symmetric"}),
    "lower": frozenset({"lower"}),
    "upper": frozenset({"upper"}),
    "orthogonal": frozenset({"orthogonal"}),
}
_ADJECTIVES: dict[str, frozenset[str]] = {
    "positive": frozenset({"positive", "nonnegative"}),
    "nonnegative": frozenset({"nonnegative"}),
}
_KINDS = {MATRIX: 2, VECTOR: 1, SCALAR: 0, FUNCTION: 0}
_WORDS = [*_KINDS, *_STRUCTURES, *_ADJECTIVES]
_INSTEAD = {
    "row": "vector(n), and x' in the formula", "square": "matrix(n,n)", "number": "scalar", "real": "scalar",
    "pd": "spd(n)", "posdef": "spd(n)", "array": "vector(n) or matrix(m,n)", "triangular": "lower(n) or upper(n)",
    "definite": "spd(n), symmetric and positive definite", "general": "matrix(m,n)", "tensor": "matrix(m,n)",
}  # fmt: skip
_FORM = re.compile(r"\s*([^\W\d][\w\s-]*?)\s*(?:\(([^()]*)\))?\s*")
_OPERATOR = re.compile(r"[-+*]")
_EXAMPLE = "A: matrix(m,n); x: vector(n); c: scalar"


@dataclass(frozen=True)
class Declaration:
    """What a name is: its kind (or ``"function"``), its sizes where they are given, its traits, and the words used."""

    kind: str
    dims: tuple[Dim, ...] | None = None
    traits: frozenset[str] = frozenset()
    words: str = field(default="", compare=False)

    @property
    def square(self) -> bool:
        return not self.traits.isdisjoint(_STRUCTURES)


Where = str | Mapping[str, "str | Declaration"] | None


def parse_declarations(where: Where) -> dict[str, Declaration]:
    """Declarations by name, from one text or from a mapping of names to texts."""
    declared: dict[str, Declaration] = {}
    for name, words, source, span in _entries(where):
        proper = normalise_name(name)
        if proper is None:
            raise DeclarationError(f"'{name}' cannot be a name", source=source, span=span, hint=_EXAMPLE)
        if proper in ("pi", "π"):
            raise DeclarationError(f"{proper} is a constant and cannot be declared", source=source, span=span)
        if proper in declared:
            raise DeclarationError(f"{proper} is declared twice", source=source, span=span)
        if isinstance(words, Declaration):
            declared[proper] = words
            continue
        try:
            declared[proper] = _declaration(proper, words)
        except DeclarationError as error:
            error.source, error.span = source, span
            raise
    _no_dimension_is_declared(declared)
    return declared


def _entries(where: Where) -> list[tuple[str, str | Declaration, str, tuple[int, int]]]:
    """Name, declaration, and where it stands in which text."""
    if where is None:
        return []
    if isinstance(where, str):
        return [entry for part, span in statements(where) for entry in _named(where, part, span)]
    if not isinstance(where, Mapping):
        raise DeclarationError(f"declarations are text or a mapping, not {type(where).__name__}", hint=f'"{_EXAMPLE}"')
    entries: list[tuple[str, str | Declaration, str, tuple[int, int]]] = []
    for name, words in where.items():
        if not isinstance(name, str) or not isinstance(words, str | Declaration):
            raise DeclarationError("a mapping of declarations goes from names to text", hint='{"A": "matrix(m,n)"}')
        source = f"{name}: {words}"
        entries.append((name, words, source, (0, len(source))))
    return entries


def _named(where: str, part: str, span: tuple[int, int]) -> list[tuple[str, str | Declaration, str, tuple[int, int]]]:
    names, colon, words = part.partition(":")
    if not colon:
        raise DeclarationError("a declaration is a name, ':' and what it is", source=where, span=span, hint=_EXAMPLE)
    return [(name.strip(), words, where, span) for name in names.split(",")]


def _declaration(name: str, text: str) -> Declaration:
    form = _FORM.fullmatch(text)
    if form is None:
        raise DeclarationError(f"'{text.strip()}' does not say what {name} is", hint=_EXAMPLE)
    words = form.group(1).split()
    kind, traits = _kind(name, words)
    sizes = None if form.group(2) is None else [_size(name, part) for part in form.group(2).split(",")]
    return Declaration(kind, _dims(name, words, kind, traits, sizes), traits, text.strip())


def _kind(name: str, words: list[str]) -> tuple[str, frozenset[str]]:
    """The kind that the last word names, and what the words before it add."""
    if len(words) == 1 and words[0] in _KINDS:
        return words[0], frozenset()
    for word in words:
        if word not in _WORDS:
            close = difflib.get_close_matches(word.lower(), _WORDS, 1)
            hint = _INSTEAD.get(word.lower()) or (close[0] if close else "one of " + ", ".join(_WORDS))
            raise DeclarationError(f"'{word}' is not known: it cannot say what {name} is", hint=hint)
    *before, last = words
    traits: frozenset[str] = frozenset().union(*(_STRUCTURES.get(w, _ADJECTIVES.get(w, frozenset())) for w in words))
    if last in _ADJECTIVES:
        before, last = words, SCALAR
    kind = MATRIX if last in _STRUCTURES else last
    adjectives = [w for w in before if w in _ADJECTIVES]
    structures = [w for w in before if w in _STRUCTURES]
    allowed = len(adjectives) <= 1 and len(structures) <= 1 and len(adjectives) + len(structures) == len(before)
    if not allowed or (adjectives and (structures or last in _STRUCTURES or last == FUNCTION)):
        raise DeclarationError(f"'{' '.join(words)}' is not a kind", hint="w: positive vector(n)")
    if structures and last != MATRIX:
        raise DeclarationError(f"only a matrix can be {structures[0]}", hint=f"{name}: {structures[0]}(n)")
    return kind, traits


def _size(name: str, text: str) -> Dim:
    """A size: numbers and names, their products and sums.

    >>> str(_size("C", "m + 2*n - 1"))
    'm + 2*n - 1'
    """
    if not _OPERATOR.search(text):
        return _factor(name, text.strip(), text.strip())
    total = Dim({})
    for sign, term in re.findall(r"([+-]?)([^+-]*)", text.strip() or "?")[:-1]:
        product = Dim.of(-1 if sign == "-" else 1)
        for factor in term.split("*"):
            product = product * _factor(name, factor.strip(), text.strip())
        total = total + product
    if total.number is not None and total.number < 1:
        raise DeclarationError(f"a size of {name} is a whole number from 1, not {total}", hint="A: matrix(m,3)")
    return total


def _factor(name: str, text: str, whole: str) -> Dim:
    if text.isdecimal() and len(text) < 16 and int(text) >= 1:
        return Dim.of(int(text))
    size = normalise_name(text) if text else None
    if size is None:
        shown = f"'{whole}'" if whole else "nothing"
        raise DeclarationError(
            f"a size of {name} is a whole number from 1, a name, or a sum or product of these, not {shown}",
            hint="A: matrix(m,3)",
        )
    return Dim.of(size)


def _dims(
    name: str, words: list[str], kind: str, traits: frozenset[str], sizes: list[Dim] | None
) -> tuple[Dim, ...] | None:
    structured = not traits.isdisjoint(_STRUCTURES)
    if sizes is None:
        return () if kind == SCALAR else None
    if structured and len(sizes) == 1:
        return (sizes[0], sizes[0])
    if structured and len(sizes) == 2 and sizes[0] != sizes[1]:
        raise DeclarationError(f"a {words[0]} matrix is square", hint=f"{name}: {words[0]}({sizes[0]})")
    if len(sizes) != _KINDS[kind] or not sizes:
        hints = {MATRIX: "matrix(m,n)", VECTOR: "vector(n)", SCALAR: "scalar", FUNCTION: "function"}
        wanted = {0: "no size", 1: "one size", 2: "two sizes"}[_KINDS[kind]]
        raise DeclarationError(f"a {kind} has {wanted}", hint=f"{name}: {hints[kind]}")
    return tuple(sizes)


def _no_dimension_is_declared(declared: dict[str, Declaration]) -> None:
    for name, what in declared.items():
        for dim in what.dims or ():
            for size in dim.names & declared.keys():
                raise DeclarationError(
                    f"{size} is a size of {name}, and declared as a variable too",
                    hint=f"another name for one of them; the size {size} may be used as a number in the formula",
                )
