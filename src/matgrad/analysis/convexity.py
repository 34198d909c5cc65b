"""Convex, concave or neither for all points, from the structure of a formula: the certificate, or what refutes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from matgrad.analysis.local import Local
from matgrad.answer.deriving import derivative_of
from matgrad.answer.formula import Formula
from matgrad.certificates.findings import Finding, Inquiry
from matgrad.certificates.hessian import by_hessian
from matgrad.certificates.proof import Proof
from matgrad.certificates.refute import shown_values
from matgrad.certificates.setting import region, setting
from matgrad.differentiate.conditions import smooth
from matgrad.errors import MatgradError
from matgrad.formula.declarations import Declaration
from matgrad.formula.syntax import Expr
from matgrad.formula.unicode import to_unicode
from matgrad.tensor.facts import Fact
from matgrad.tensor.nodes import Node, topological

Array = Any
LARGEST = 1000
"""Rows up to which a given matrix is tested for being positive definite."""
ALONG = (0.0, 0.5, 1.0, *np.linspace(0.125, 0.875, 7))
"""Where on a refuting segment the curvature along it is looked at, the ends and the middle first."""


@dataclass(frozen=True)
class Refutation:
    """A ``point`` and a ``direction`` in the variables along which the formula curves the wrong way: ``curvature`` is
    v'·H·v. For formulas with kinks, and domains that are not convex, only ``says`` is known, of a segment."""

    of: str
    says: str
    arrays: Mapping[str, Array] = field(default_factory=dict)
    point: Mapping[str, Array] = field(default_factory=dict)
    direction: Mapping[str, Array] = field(default_factory=dict)
    curvature: float | None = None

    def to_dict(self) -> dict[str, Any]:
        parts = {"arrays": self.arrays, "point": self.point, "direction": self.direction}
        plain = {key: {n: np.asarray(v).tolist() for n, v in part.items()} for key, part in parts.items() if part}
        return {"of": self.of, "says": self.says, **plain, "curvature": self.curvature}


@dataclass(frozen=True)
class Convexity:
    """``verdict`` is affine, convex, concave, neither or unknown, in the variables jointly, everything else fixed.

    ``on`` names the convex domain. ``because`` is the certificate, line by line; ``refutations`` are what is against
    convex and concave; ``supposing`` what would have to be known besides; ``data`` what it uses of the given
    values of the other variables. It is strict where the Hessian is ``definite``.
    """

    verdict: str
    variables: tuple[str, ...]
    on: tuple[str, ...]
    because: tuple[str, ...] = ()
    refutations: tuple[Refutation, ...] = ()
    supposing: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    definite: bool = False

    @property
    def is_certified(self) -> bool:
        return self.verdict in ("affine", "convex", "concave")

    def lines(self) -> list[str]:
        held = f", where {', '.join(self.data)}" if self.data else ""
        word = f"strictly {self.verdict}" if self.definite else self.verdict
        head = f"{word} in {', '.join(self.variables)} on {'; '.join(self.on)}{held}"
        lines = [head if self.is_certified else f"{self.verdict} in {', '.join(self.variables)}"]
        lines += [f"    {line}" for line in self.because]
        lines += [f"    not {r.of}: {r.says}" for r in self.refutations]
        lines += [f"    it would be, if {line}" for line in self.supposing]
        return lines

    def to_dict(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict,
            "in": list(self.variables),
            "on": list(self.on),
            "for_these_data": list(self.data),
            "because": list(self.because),
            "refutations": [r.to_dict() for r in self.refutations],
            "supposing": list(self.supposing),
        }


def convexity_of(formula: Formula, wrt: Sequence[str], arrays: Mapping[str, Array] | None = None) -> Convexity:
    """The verdict for all points that the declarations allow; with ``arrays``, if need be, for these data only.

    >>> found = convexity_of(Formula("sum(softplus(X*w)) - y'*X*w"), ["w"])
    >>> found.verdict, found.because[0]
    ('convex', 'H = Xᵀ diag(p ∘ (1 − p)) X with p = σ(X w) is positive semidefinite')
    """
    found = _judged(formula, wrt)
    if found.is_certified or arrays is None:
        return found
    seen = _seen_in_data(formula, wrt, arrays)
    again = _supposed(formula, wrt, seen)
    if again is None or not again.is_certified:
        return found
    for name in list(seen):  # what the certificate does not need is left out
        fewer = {n: s for n, s in seen.items() if n != name}
        less = _supposed(formula, wrt, fewer) if len(seen) > 1 else None
        if less is not None and less.verdict == again.verdict:
            seen, again = fewer, less
    data = tuple(f"{name} is {said}" for name, (_, said) in seen.items())
    return replace(again, data=data)


def of_constant_hessian(local: Local, definiteness: str, found: Convexity) -> Convexity:
    """The verdict where the Hessian is the same at all points, and definite at these data."""
    symbols = {local.formula.symbols[name] for name in local.wrt}
    if found.is_certified or not is_quadratic(local) or definiteness not in ("positive definite", "negative definite"):
        return found
    setting_ = setting(local.formula.typed, local.formula.typed.program)
    if region(setting_, [setting_.symbols[name] for name in local.wrt]).obstacle is not None or not symbols:
        return found
    word = "convex" if definiteness.startswith("positive") else "concave"
    because = (f"H does not depend on {', '.join(local.wrt)}, and is {definiteness} with these data",)
    return Convexity(word, found.variables, found.on, because, data=("the other values are as given",), definite=True)


def is_quadratic(local: Local) -> bool:
    """Whether the Hessian does not depend on the variables, by its closed form, and has no kinks anywhere."""
    formula = local.formula
    if not smooth(formula.program, local.wrt, formula.node_of, 3):
        return False
    symbols = {formula.symbols[name] for name in local.wrt}
    return all(symbols.isdisjoint(topological(block.node)) for block in local.blocks.values())


def _judged(formula: Formula, wrt: Sequence[str]) -> Convexity:
    def text(node: Node) -> str:
        return to_unicode(formula.recovery.formula(node))

    inquiry = Inquiry(formula.typed, None, text, formula.print)
    names = tuple(wrt)
    on = tuple(f"{name}: {formula.variables[name]}" for name in names)
    affine = inquiry.curvature(names, "affine")
    if affine.holds is Fact.YES:
        return Convexity("affine", names, (*on, *affine.where), affine.reason)
    both = {word: inquiry.curvature(names, word) for word in ("convex", "concave")}
    for word, finding in both.items():
        if finding.holds is Fact.YES:
            proof = by_hessian(inquiry.setting, names, 1 if word == "convex" else -1)
            because = finding.reason if proof is None else _of_hessian(formula, names, word, proof, text)
            definite = proof is not None and proof.premises[0].claim in ("spd", "positive")
            return Convexity(word, names, (*on, *finding.where), because, definite=definite)
    refused = tuple(_refutation(formula, names, word, f) for word, f in both.items() if f.holds is Fact.NO)
    verdict = "neither" if len(refused) == 2 else "unknown"
    supposing = tuple(" and ".join(f.supposing) + f" ({word})" for word, f in both.items() if f.supposing)
    notes = tuple(f.note for f in both.values() if f.note and f.holds is Fact.UNKNOWN)
    return Convexity(
        verdict, names, on, tuple(dict.fromkeys(notes)), refused, supposing if verdict == "unknown" else ()
    )


def _of_hessian(
    formula: Formula, names: tuple[str, ...], word: str, proof: Proof, text: Callable[[Node], str]
) -> tuple[str, ...]:
    """The certificate in terms of the Hessian's closed form: what it is, and why its sign is certain."""
    (sign,) = proof.premises
    minus = "" if word == "convex" else "−"
    if sign.node.shape:
        label = f"{minus}H"
    else:
        label = f"{minus}d²f" if len(names) > 1 or formula.typed.variables[names[0]].type.dims else f"{minus}f″"
    shown = text(sign.node)
    if len(names) == 1 and word == "convex" and label in ("H", "f″"):
        (gradient,) = derivative_of(formula, names)
        reading = gradient.derive(names[0]).reading
        given = [f"{to_unicode(_named(name))} = {to_unicode(value)}" for name, value in reading.definitions]
        shown = to_unicode(reading.body) + (f" with {', '.join(given)}" if given else "")
    said = {"nonnegative": "≥ 0", "positive": "> 0"}.get(sign.claim, sign.said)
    lines = [f"{label} = {shown} is {said}", f"because {_it_is(sign.reason)}"]
    for premise in sign.premises:
        if not premise.is_plain:
            lines += [f"  {line}" for line in premise.lines(text)]
    return (*lines, "and the formula is twice continuously differentiable there")


def _it_is(reason: str) -> str:
    return f"it is {reason}" if reason.startswith(("a ", "an ", "such ", "the ", "declared")) else reason


def _named(name: str) -> Any:
    return Expr("name", value=name)


# -- against


def _refutation(formula: Formula, names: tuple[str, ...], word: str, finding: Finding) -> Refutation:
    """A point and a direction from the segment that refutes; the segment itself where there are no second
    derivatives on it."""
    witness = finding.witness
    if witness is None or witness.start is None or witness.end is None:
        return Refutation(word, finding.note or finding.reason[0])
    found = None if "not midway" in witness.says else _steepest(formula, names, word, witness)
    if found is None:
        said = "; ".join(line for line in finding.reason if not line.startswith("it would be"))
        return Refutation(word, said, witness.arrays, witness.start, _difference(witness.start, witness.end, names))
    point, direction, curvature = found
    at = shown_values({**point, **witness.arrays})
    says = f"at {at} along {shown_values({f'd{n}': v for n, v in direction.items()})} the curvature v'·H·v is "
    return Refutation(word, f"{says}{curvature:.6g}", witness.arrays, point, direction, curvature)


def _difference(start: Mapping[str, Array], end: Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
    return {n: np.asarray(end[n], dtype=float) - np.asarray(start[n], dtype=float) for n in names}


def _steepest(
    formula: Formula, names: tuple[str, ...], word: str, witness: Any
) -> tuple[dict[str, Array], dict[str, Array], float] | None:
    """The point of a segment at which the curvature along it has the wrong sign most clearly."""
    direction = _difference(witness.start, witness.end, names)
    best: tuple[dict[str, Array], dict[str, Array], float] | None = None
    sign = 1 if word == "convex" else -1
    here: Local | None = None
    for t in ALONG:
        point = {n: np.asarray(witness.start[n], dtype=float) + t * direction[n] for n in names}
        try:
            here = Local(formula, names, {**witness.arrays, **point}) if here is None else here.moved(point)
            flat = here.flat(direction)
            curvature = float(flat @ here.product(flat))
            terms = np.abs(flat) @ np.abs(here.product(np.abs(flat)))
            if here.kinks or not sign * curvature < -1e-9 * max(abs(curvature), float(terms)):
                continue
        except MatgradError:
            continue
        if best is None or sign * curvature < 4 * sign * best[2]:
            best = point, direction, curvature
    return best


# -- with the data


Seen = Mapping[str, tuple[frozenset[str], str]]


def _seen_in_data(formula: Formula, wrt: Sequence[str], arrays: Mapping[str, Array]) -> Seen:
    """What the given constants are besides what is declared: of one sign, or positive definite."""
    found = {}
    for name, variable in formula.typed.variables.items():
        if name not in wrt and name in arrays and name not in formula.typed.functions:
            dims, traits = variable.type.dims, frozenset(variable.traits)
            square = len(dims) == 2 and dims[0] == dims[1]
            more, said = _seen(np.asarray(arrays[name], dtype=float), traits, square)
            if more:
                found[name] = more, said
    return found


def _supposed(formula: Formula, wrt: Sequence[str], seen: Seen) -> Convexity | None:
    """The verdict on the formula with more known of its constants."""
    if not seen:
        return None
    declared = {
        name: Declaration(v.type.kind, v.type.dims, frozenset(v.traits) | seen.get(name, (frozenset(), ""))[0])
        for name, v in formula.typed.variables.items()
    }
    source, where = formula.written()
    kept = {n: d for n, d in where.items() if n in formula.typed.functions} if isinstance(where, Mapping) else {}
    try:
        return _judged(Formula(source, {**kept, **declared}), wrt)
    except MatgradError:
        return None


def _seen(array: Array, traits: frozenset[str], square: bool) -> tuple[frozenset[str], str]:
    """Traits that an array has for certain, and in words."""
    if square and not traits and 0 < len(array) <= LARGEST:
        if np.array_equal(array, array.T) and _is_definite(array):
            return frozenset({"spd", "psd", "symmetric"}), "positive definite"
    if traits or not array.size:
        return frozenset(), ""
    if np.all(array > 0):
        return frozenset({"positive", "nonnegative"}), "positive"
    return (frozenset({"nonnegative"}), "nonnegative") if np.all(array >= 0) else (frozenset(), "")


def _is_definite(array: Array) -> bool:
    """Positive definite beyond rounding errors."""
    margin = 8 * len(array) * np.finfo(float).eps * np.linalg.norm(array)
    return bool(np.linalg.eigvalsh(array)[0] > margin)
