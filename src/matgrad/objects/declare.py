"""How objects begin: variables with their declarations."""

from __future__ import annotations

from typing import Any

from matgrad.errors import DeclarationError
from matgrad.formula.declarations import Declaration, parse_declarations
from matgrad.formula.parser import CONSTANTS, SIZED_BY_CONTEXT
from matgrad.formula.syntax import Expr, Type
from matgrad.objects.array import Array, Function
from matgrad.objects.names import Names, joined

Size = str | int


def matrix(
    name: str,
    rows: Size,
    cols: Size | None = None,
    *,
    symmetric: bool = False,
    spd: bool = False,
    psd: bool = False,
    diagonal: bool = False,
    lower: bool = False,
    upper: bool = False,
    orthogonal: bool = False,
    positive: bool = False,
    nonnegative: bool = False,
) -> Array:
    """A matrix; with one size it is square. Sizes are names or numbers; of the traits, one can be given.

    >>> A = matrix("A", "m", "n")
    >>> A, A.T @ A
    (<A: shape (m, n)>, <A'*A: shape (n, n)>)
    >>> matrix("S", "n", spd=True).text
    'S'
    """
    structures = {"symmetric": symmetric, "spd": spd, "psd": psd, "diagonal": diagonal,
                  "lower": lower, "upper": upper, "orthogonal": orthogonal}  # fmt: skip
    words = [word for word, given in structures.items() if given]
    signs = _signs(positive, nonnegative)
    sizes = f"{rows}" if cols is None or (words and cols == rows) else f"{rows},{cols}"
    if not words and cols is None:
        sizes = f"{rows},{rows}"
    return _declared(name, " ".join([*signs, *words, *([] if words else ["matrix"])]) + f"({sizes})")


def vector(name: str, length: Size, *, positive: bool = False, nonnegative: bool = False) -> Array:
    """A vector.

    >>> w = vector("w", "n", positive=True)
    >>> w @ w
    <w'*w: shape ()>
    """
    return _declared(name, " ".join([*_signs(positive, nonnegative), f"vector({length})"]))


def scalar(name: str, *, positive: bool = False, nonnegative: bool = False) -> Array:
    """A number.

    >>> 2*scalar("c")**2
    <2*c^2: shape ()>
    """
    return _declared(name, " ".join([*_signs(positive, nonnegative), "scalar"]))


def function(name: str) -> Function:
    """A function of one number that is not specified, applied to every entry.

    >>> g = function("g")
    >>> g(vector("x", "n")).sum()
    <sum(g(x)): shape ()>
    """
    return Function(name)


def _signs(positive: bool, nonnegative: bool) -> list[str]:
    return ["positive"] * positive + ["nonnegative"] * (nonnegative and not positive)


def _declared(name: str, words: str) -> Array:
    """A variable, declared in the words of the language, which are checked as such."""
    if not isinstance(name, str):
        raise DeclarationError(f"the name of a variable is text, not {type(name).__name__}", hint='vector("x", "n")')
    declared = parse_declarations({name: words})
    (given, what), *_ = declared.items()
    if given in SIZED_BY_CONTEXT or given in CONSTANTS:
        raise DeclarationError(f"{given} is a constant of the language", hint="another name for the variable")
    return variable(given, what)


def variable(name: str, what: Declaration) -> Array:
    names: Any = joined([Names({name: what}, {})])
    return Array(Expr("name", value=name, type=Type(what.kind, what.dims or ())), None, names)
