"""What can be said about names and calls before any kind is known: spelling, arguments, order of definitions."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from matgrad.errors import DeclarationError, FormulaError, MatgradError, NotSupported, UnknownName
from matgrad.formula.declarations import FUNCTION, Declaration
from matgrad.formula.signatures import SIZES_OF, VALUE_CONSTRUCTORS, alternatives, constructed, is_sized
from matgrad.formula.syntax import Expr, Program, walk
from matgrad.functions import NOT_YET, card, names

MAX_PRIMES = 3
_NUMBERS = ("no", "one", "two", "three")


def sized_names(walked: list[list[Expr]], variables: Iterable[str]) -> frozenset[str]:
    """Names that stand where a size is expected, as in ``eye(n)``: names of dimensions, then."""
    found: set[str] = set()
    taken = set(variables)
    for nodes in walked:
        for node in nodes:
            if node.op not in ("call", "index"):
                continue
            known = card(node.value.name) if node.op == "call" and node.args else None
            if not (known is not None and is_sized(known)) and node.op != "index":
                continue
            pending = list(node.args[1:] if node.op == "index" else node.args)
            while pending:
                part = pending.pop()
                if part.op == "name" and part.value in taken:
                    raise FormulaError(
                        f"{part.value} is a variable and cannot be a size",
                        span=part.span,
                        hint="a number, rows(X), cols(X), length(x), or a name of its own",
                    )
                if part.op == "name":
                    found.add(part.value)
                elif part.op != "call":
                    pending.extend(part.args)
    return frozenset(found)


def check_names(
    program: Program,
    walked: list[list[Expr]],
    source: str,
    declarations: Mapping[str, Declaration],
    known: set[str],
    functions: frozenset[str],
    dimensions: frozenset[str],
) -> None:
    """Raise for the first name or call that cannot be right."""
    defined = [name for name, _ in program.definitions]
    _check_definitions(program, declarations, functions, dimensions)
    occurring: set[str] = set()
    later = set(defined)
    for name, nodes in zip([*defined, None], walked, strict=True):
        for node in nodes:
            if node.op == "name":
                occurring.add(node.value)
                if node.value in later:
                    raise UnknownName(
                        f"{node.value} is used before it is defined", span=node.span, hint="its definition first"
                    )
                if node.value in functions:
                    raise FormulaError(f"{node.value} is a function", span=node.span, hint=f"{node.value}(x)")
            elif node.op == "call":
                occurring.add(node.value.name)
                _check_call(node, source, functions, printed=bool(known))
            elif node.op == "power":
                _check_exponent(node, {*declarations, *known, *defined, *dimensions}, source)
        later.discard(name or "")
    for name in declarations:
        if name not in occurring:
            close = difflib.get_close_matches(name, sorted(occurring - set(names())), 1)
            raise DeclarationError(
                f"{name} is declared, but does not occur in the formula",
                details=_names_in(program),
                hint=f"{close[0]}: {declarations[name].words}" if close else None,
            )


def _names_in(program: Program) -> str:
    parts = [*(value for _, value in program.definitions), program.body]
    found = dict.fromkeys(n.value for part in parts for n in walk(part) if n.op == "name")
    return f"its names are {', '.join(found)}" if found else "it has no names"


def _check_definitions(
    program: Program, declarations: Mapping[str, Declaration], functions: frozenset[str], dimensions: frozenset[str]
) -> None:
    for name, value in program.definitions:
        if name in declarations:
            raise DeclarationError(f"{name} is defined in the formula, and declared too", span=value.span)
        if name in dimensions:
            raise FormulaError(f"{name} is the name of a size, and cannot be defined", span=value.span)
    for name in functions:
        if card(name) is not None:
            raise DeclarationError(f"{name} is a function of the language", hint="another name for the function")
    for name, what in declarations.items():
        known = card(name)
        if known is not None and is_sized(known) and what.kind != FUNCTION:
            raise DeclarationError(f"{name} is a constant of the language", hint="another name for the variable")


def _check_exponent(node: Expr, known: set[str], source: str) -> None:
    """X^T is the transpose in print, and here a power of a T that nobody declared; so is X^-T."""
    base, exponent = node.args
    inverse = exponent.op == "neg"
    name = exponent.args[0] if inverse else exponent
    if name.op == "name" and name.value == "T" and "T" not in known:
        text = source[slice(*base.span)] if base.span else "x"
        if inverse:
            what, hint = "-T is no exponent that is known: is the transpose of the inverse meant?", f"inv({text})'"
        else:
            loose = base.op in ("add", "product", "neg") and not text.startswith("(")
            what, hint = (
                "T is no exponent that is known: is the transpose meant?",
                f"({text})'" if loose else f"{text}'",
            )
        raise FormulaError(what, span=node.span, hint=hint)


def _check_call(node: Expr, source: str, functions: frozenset[str], *, printed: bool) -> None:
    name, dim, primes = node.value
    if name in functions:
        if len(node.args) != 1 or dim is not None:
            raise FormulaError(f"{name} takes one argument", span=node.span, hint=f"{name}(x)")
        if primes > MAX_PRIMES and not printed:  # answers may have more: they can be read back
            raise NotSupported(f"at most {MAX_PRIMES} primes can be given", span=node.span, hint=f"{name}'''(x)")
        return
    known = card(name)
    if known is None or primes:
        raise _unknown(node, source)
    count = len(node.args)
    if name in VALUE_CONSTRUCTORS:
        fits = count == 1 and dim is None
    elif is_sized(known):
        fits = dim is None and bool(constructed(known, count))
    else:
        fits = bool(alternatives(known, dim, count))
    if not fits:
        raise _misapplied(node)


def _misapplied(node: Expr) -> MatgradError:
    name, dim, _ = node.value
    known = card(name)
    assert known is not None
    if dim is not None and len(node.args) == 1:
        able = [other for other in names() if _takes_dim(other)]
        return FormulaError(f"{name} does not take dim", span=node.span, hint=", ".join(able))
    if known.family == "constructor" and name not in SIZES_OF:
        wanted = {"eye": "eye or eye(n)", "vector": "vector(1)", "matrix": "matrix(1)", "unit": "unit(1)"}
        hint = wanted.get(name, f"{name}(m,n)")
        return FormulaError(f"{name} does not take {_counted(len(node.args))}", span=node.span, hint=hint)
    if _takes_dim(name) and len(node.args) == 2 and node.args[1].op == "number" and node.args[1].value in (1, 2):
        array = node.args[0].value if node.args[0].op == "name" else "X"
        message = f"{name} takes the dimension over which it runs by its name"
        return FormulaError(message, span=node.span, hint=f"{name}({array}, dim={node.args[1].value})")
    counts = sorted({s.split("->")[0].count(",") + 1 for entries in known.signatures.values() for s in entries})
    takes = " or ".join(_counted(c) for c in counts)
    named = known.arguments if known.of_pairs else "xy"[: counts[0]]
    hint = f"{name}({', '.join(named)})"
    return FormulaError(f"{name} takes {takes}, not {len(node.args)}", span=node.span, hint=hint)


def _takes_dim(name: str) -> bool:
    known = card(name)
    return known is not None and 1 in known.signatures


def _counted(count: int) -> str:
    shown = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
    return f"{shown} argument{'s' * (count != 1)}"


def _unknown(node: Expr, source: str) -> MatgradError:
    """Both readings of a call of something unknown: a product, or a function."""
    name, _, primes = node.value
    span = node.span or (0, 0)
    head = name + "'" * primes
    where = (span[0], source.find("(", span[0]))
    inside = source[source.find("(", span[0]) : span[1]]
    inside = inside if len(inside) < 40 and len(node.args) == 1 else "(…)"
    if name in NOT_YET and not primes:
        return NotSupported(f"{name} is not a function of the language", span=where, hint=NOT_YET[name])
    if card(name) is not None:
        return FormulaError(
            f"only declared functions take primes, and {name} is one of the language",
            span=where,
            hint=f"{name}{inside}",
        )
    close = difflib.get_close_matches(name, names(), 1) if not primes else []
    readings = f"{head}*{inside} for a product, or declare {name}: function"
    hint = f"{close[0]}{inside}, or {readings}" if close else readings
    return UnknownName(f"{name} is called, but it is not a known function", span=where, hint=hint)
