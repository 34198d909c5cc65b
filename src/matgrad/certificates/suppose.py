"""What would have to be known besides: the weakest signs, name by name, under which a proof is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from matgrad.formula.typed import Typed, Variable

Traits = Mapping[str, frozenset[str]]
_POSITIVE, _NONNEGATIVE = frozenset({"positive", "nonnegative"}), frozenset({"nonnegative"})
_SPD, _PSD = frozenset({"spd", "psd", "symmetric"}), frozenset({"psd", "symmetric"})
_SAID = {_POSITIVE: "{} > 0", _NONNEGATIVE: "{} ≥ 0", _SPD: "{} positive definite", _PSD: "{} positive semidefinite"}
_MANY = 6
"""Names that are tried; formulas with more unsigned names get no such remark."""


def suppositions(typed: Typed, names: Sequence[str], holds: Callable[[Traits], bool]) -> tuple[str, ...]:
    """In words, the weakest of the suppositions tried under which ``holds``; nothing where none helps."""
    choices = {n: c for n in names if (c := _choices(typed.variables[n]))}
    if not choices or len(choices) > _MANY:
        return ()
    known: dict[str, frozenset[str]] = {n: c[-1] for n, c in choices.items()}
    if not holds(known):
        return ()
    for name, weaker in choices.items():
        for traits in (frozenset[str](), *weaker[:-1]):
            if holds({**known, name: traits}):
                known[name] = traits
                break
    return tuple(_SAID[traits].format(name) for name, traits in known.items() if traits)


def _choices(variable: Variable) -> tuple[frozenset[str], ...]:
    """What may be supposed of a variable, the weakest first."""
    dims, traits = variable.type.dims, variable.traits
    if len(dims) == 2 and dims[0] == dims[1] and not traits & {"diagonal", "lower", "upper", "orthogonal"}:
        return () if "spd" in traits else (_SPD,) if "psd" in traits else (_PSD, _SPD)
    if "positive" in traits or traits - {"nonnegative"}:
        return ()
    return (_POSITIVE,) if "nonnegative" in traits else (_NONNEGATIVE, _POSITIVE)
