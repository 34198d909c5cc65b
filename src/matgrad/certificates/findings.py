"""All that is found out about a formula: property by property yes, no or unknown, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from matgrad.certificates.exactly import of_numbers, value_in_fractions
from matgrad.certificates.hessian import by_hessian
from matgrad.certificates.judge import CONCAVE, CONVEX, Judge, fact
from matgrad.certificates.proof import SAID, Proof
from matgrad.certificates.refute import Search, Witness, against, against_convexity, plain, told
from matgrad.certificates.setting import Region, Setting, Traits, reduced, region, setting
from matgrad.certificates.structure import STRUCTURES
from matgrad.certificates.suppose import suppositions
from matgrad.checking.sampling import Point, Subject, exponents_in
from matgrad.differentiate.condition import Condition
from matgrad.errors import MatgradError, NotSupported
from matgrad.formula.syntax import MATRIX, Expr, Program, walk
from matgrad.formula.typed import Typed
from matgrad.formula.unicode import to_unicode
from matgrad.tensor.facts import Fact
from matgrad.tensor.facts.reasons import RULES
from matgrad.tensor.nodes import Node, Symbol, topological
from matgrad.translate.recover import Recovery

SIGNS = ("positive", "nonnegative")
OF_SQUARE = ("symmetric", "psd", "spd", "invertible", "orthogonal")
CURVATURES = {"affine": 0, "convex": CONVEX, "concave": CONCAVE}
_JOINTLY = 6
"""Variables up to which all of them together are asked about unasked."""
_SINGULAR = Witness({}, "it is singular: computed without rounding")
_RECHECKED = 6
"""Points from which a proof is tried against segments: it must never fail."""


@dataclass(frozen=True)
class Finding:
    """Whether a property holds for all values that the declarations allow.

    ``proof`` shows a yes, ``witness`` a no. ``where`` is the convex set on which a curvature is claimed, besides what
    is declared; ``supposing`` what would have to hold besides for a yes; ``note`` says what else is known.
    """

    claim: str
    holds: Fact
    variables: tuple[str, ...] = ()
    proof: Proof | None = None
    witness: Witness | None = None
    where: tuple[str, ...] = ()
    supposing: tuple[str, ...] = ()
    note: str = ""
    _text: Callable[[Node], str] = field(default=repr, repr=False, compare=False)

    @property
    def name(self) -> str:
        said = SAID.get(self.claim, self.claim)
        return f"{said} in {', '.join(self.variables)}" if self.variables else said

    @property
    def reason(self) -> tuple[str, ...]:
        """The proof, the counterexample or what is missing, line by line; indented as it rests on each other."""
        lines = list(self.proof.lines(self._text)) if self.proof is not None else []
        if self.witness is not None:
            lines += (
                told(self.witness) if self.holds is Fact.NO else [f"not always: {line}" for line in told(self.witness)]
            )
        lines += [self.note] if self.note else []
        if self.supposing:
            lines.append(f"it would be, if {' and '.join(self.supposing)}")
        return tuple(lines)

    def to_dict(self) -> dict[str, Any]:
        data: dict[str, Any] = {"property": SAID.get(self.claim, self.claim), "holds": self.holds.value}
        if self.variables:
            data |= {"in": list(self.variables), "where": list(self.where)}
        if self.supposing:
            data["supposing"] = list(self.supposing)
        data["reason"] = list(self.reason)
        if self.witness is not None:
            w = self.witness
            parts = {"at": w.arrays, "start": w.start or {}, "end": w.end or {}}
            data["witness"] = {k: {n: plain(v) for n, v in part.items()} for k, part in parts.items() if part}
        return data


class Facts(Mapping[str, Finding]):
    """Findings by name: ``"positive"``, ``"convex in x"``, or ``"convex"`` where that can mean only one."""

    def __init__(self, findings: Sequence[Finding], asked: tuple[Asked, Sequence[str] | None, str | None]) -> None:
        self.findings = tuple(findings)
        self.asked = asked

    @property
    def formula(self) -> str:
        return self.asked[0].text

    def __reduce__(self) -> tuple[Any, ...]:
        return _found_again, (*self.asked, list(self))

    def __getitem__(self, name: str) -> Finding:
        for finding in self.findings:
            if finding.name == name:
                return finding
        found = [f for f in self.findings if name in (f.claim, SAID.get(f.claim))]
        if len(found) != 1:
            known = ", ".join(f.name for f in self.findings)
            raise MatgradError(f"there is no one fact called '{name}' here", details=f"the facts are {known}")
        return found[0]

    def only(self, name: str) -> Facts:
        """One of the facts alone."""
        return Facts([self[name]], self.asked)

    def __iter__(self) -> Iterator[str]:
        return (finding.name for finding in self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __contains__(self, name: object) -> bool:
        return any(name in (f.name, f.claim) for f in self.findings)

    def __str__(self) -> str:
        told = [f for f in self.findings if not self._goes_without_saying(f)]
        width = max((len(f.name) for f in told), default=0)
        lines = []
        for f in told:
            where = f"   where {', '.join(f.where)}" if f.where and f.holds is Fact.YES else ""
            lines.append(f"{f.name:<{width}}   {f.holds.value}{where}")
            lines += [f"    {line}" for line in f.reason]
        return "\n".join(lines)

    def _goes_without_saying(self, finding: Finding) -> bool:
        """Affine says convex and concave, positive nonnegative; that something is not affine, they say."""
        stronger = {
            "convex": "affine",
            "concave": "affine",
            "nonnegative": "positive",
            "psd": "spd",
            "invertible": "spd",
        }
        if finding.claim == "affine" and len(self) > 1:
            return finding.holds is not Fact.YES
        above = [
            f for f in self.findings if f.claim == stronger.get(finding.claim) and f.variables == finding.variables
        ]
        return any(f.holds is Fact.YES for f in above)

    def __repr__(self) -> str:
        return f"<facts of {self.formula}: {', '.join(f'{f.name} {f.holds.value}' for f in self.findings)}>"

    def to_dict(self) -> dict[str, Any]:
        return {"formula": self.formula, "facts": [f.to_dict() for f in self.findings]}


# -- finding out --------------------------------------------------------------------------------------


class Asked(Protocol):
    """What is needed of the formula that is asked about."""

    typed: Typed

    @property
    def text(self) -> str: ...
    @property
    def recovery(self) -> Recovery: ...
    def print(self, expr: Expr) -> str: ...


def facts_of(formula: Asked, names: Sequence[str] | None, of: str | None) -> Facts:
    """All facts, with curvature in these variables jointly; or, by default, in each variable, and in all of them."""
    typed = formula.typed
    if of is not None and of not in typed.intermediates:
        raise MatgradError(
            f"there is no intermediate {of}", details=_listed("the intermediates are", typed.intermediates)
        )
    for name in names or ():
        if name not in typed.variables:
            raise MatgradError(f"there is no variable {name}", details=_listed("the variables are", typed.variables))

    def text(node: Node) -> str:
        return to_unicode(formula.recovery.formula(node))

    inquiry = Inquiry(typed, of, text, formula.print)
    integers = exponents_in(inquiry.program)
    for name in names or ():
        if name in integers and not typed.variables[name].type.dims:
            raise NotSupported(f"{name} is the exponent of a matrix, an integer: nothing is convex or concave in it")
    real = [name for name in inquiry.names if name not in integers or typed.variables[name].type.dims]
    groups: list[tuple[str, ...]] = [tuple(dict.fromkeys(names))] if names else [(name,) for name in real]
    if not names and 1 < len(groups) <= _JOINTLY:
        groups.append(tuple(real))
    bends: list[Finding] = []
    for group in groups:
        bends += [inquiry.curvature(group, property) for property in CURVATURES]
        bends += inquiry.stronger(group)
    return Facts([*bends, *inquiry.values()], (formula, names, of))


def _found_again(formula: Asked, names: Sequence[str] | None, of: str | None, kept: Sequence[str]) -> Facts:
    """Facts that were pickled: proofs hold nodes, which belong to their process."""
    found = facts_of(formula, names, of)
    return Facts([finding for finding in found.findings if finding.name in kept], found.asked)


def _listed(what: str, names: Iterable[str]) -> str:
    return (
        f"{what} {', '.join(names)}"
        if list(names)
        else f"{what.replace('are', 'would be')} defined first: r = A*x - b; …"
    )


class Inquiry:
    """Finds out about a formula or one of its intermediates (``of``); ``text`` prints a node, ``show`` a formula."""

    def __init__(self, typed: Typed, of: str | None, text: Callable[[Node], str], show: Callable[[Expr], str]) -> None:
        self.typed = typed
        self.text = text
        self.show = show
        self.program: Program = reduced(typed.program, of)
        self.setting: Setting = setting(typed, self.program)
        self.names = [n for n, symbol in self.setting.symbols.items() if symbol in _symbols(self.setting.root)]
        used = _names_in(self.program)
        self.subjects = [Subject(n, v.type, frozenset(v.traits)) for n, v in typed.variables.items() if n in used]

    @cached_property
    def numbers(self) -> Mapping[str, bool]:
        """The facts of a value that does not vary, if it is rational."""
        search = self.search()
        found = None if self.subjects or search.dims else value_in_fractions(self.program, Point({}, {}))
        return {} if found is None else of_numbers(found)

    def search(self) -> Search:
        return Search(self.program, self.subjects)

    def values(self) -> list[Finding]:
        """Signs of the entries, and the structure of a square matrix."""
        dims = self.setting.root.shape
        square = self.program.body.kind == MATRIX and dims[0] == dims[1]
        return [self.value(property) for property in (*SIGNS, *(OF_SQUARE if square else ()))]

    def value(self, property: str) -> Finding:
        root = self.setting.root
        known = self.numbers.get(property)
        if known is not None:
            shown = Proof(property, root, "computed without rounding") if known else None
            missed = None if known else self._refuted(lambda search: against(search, property), None) or _SINGULAR
            return self._finding(property, shown, missed, (), (), (), "", no=not known)
        proof = fact(root, property) if property in RULES else None
        proof = proof or (STRUCTURES[property](root) if property in STRUCTURES else None)
        witness = self._refuted(lambda search: against(search, property), proof)
        supposing: tuple[str, ...] = ()
        if proof is None and property not in ("symmetric", "orthogonal"):
            supposing = suppositions(self.typed, self.names, lambda traits: self._shows(property, traits))
        note = "" if proof or witness else _remark(property, root)
        return self._finding(property, proof, witness, (), (), supposing, note, no=witness is not None)

    def _shows(self, property: str, traits: Traits) -> bool:
        return fact(setting(self.typed, self.program, traits).root, property) is not None

    def curvature(self, names: Sequence[str], property: str) -> Finding:
        """Affine, convex or concave in some variables jointly, the others fixed."""
        sign = CURVATURES[property]
        turning = next((n for n in names if "orthogonal" in self.typed.variables[n].traits), None)
        if turning is not None:
            return self._finding(
                property,
                None,
                None,
                tuple(names),
                (),
                (),
                f"orthogonal matrices such as {turning} are no convex set",
                no=True,
            )
        proof, where = self._judged(names, sign, None)
        witness = self._refuted(lambda s: against_convexity(s, names, sign), proof, names, sign)
        supposing: tuple[str, ...] = ()
        depends = False

        supposed: list[set[Condition]] = []

        def shows(traits: Traits) -> bool:
            """Weaker suppositions must not ask for more of the domain than the strongest, which come first."""
            shown, there = self._judged(names, sign, traits)
            if shown is None:
                return False
            supposed.append(set(there.conditions))
            return supposed[-1] <= supposed[0]

        if proof is None:
            constants = [n for n in self.names if n not in names]
            supposing = suppositions(self.typed, constants, shows)
            depends = bool(supposing)  # it is a matter of the constants alone: neither yes nor no
            supposing = supposing or suppositions(self.typed, self.names, shows)
        note = ""
        if proof is None and witness is None and where.obstacle is not None:
            note = f"it is not known whether {where.obstacle.says(self.show)} on a convex set"
        conditions = tuple(dict.fromkeys(c.says(self.show) for c in where.conditions)) if proof is not None else ()
        no = witness is not None and not depends
        return self._finding(property, proof, witness, tuple(names), conditions, supposing, note, no=no)

    def stronger(self, names: Sequence[str]) -> Iterator[Finding]:
        """What says more than convexity, where it is shown: in the order of matrices, of the logarithm."""
        variables = [self.setting.symbols[n] for n in names]
        where = region(self.setting, variables)
        if where.obstacle is not None:
            return
        judge, root = Judge(variables, where.given), self.setting.root
        judge.judge(root, CONVEX)
        conditions = tuple(dict.fromkeys(c.says(self.show) for c in where.conditions))
        for sign, word in ((CONVEX, "convex"), (CONCAVE, "concave")):
            for property, proof in (
                (f"matrix {word}", judge.matrix_bent(root, sign)),
                (f"log-{word}", judge.log_bent(root, sign)),
            ):
                if proof is not None and proof.claim == property:
                    yield self._finding(property, proof, None, tuple(names), conditions, (), "")

    def _judged(self, names: Sequence[str], sign: int, stronger: Traits | None) -> tuple[Proof | None, Region]:
        found = self.setting if stronger is None else setting(self.typed, self.program, stronger)
        variables = [found.symbols[n] for n in names]
        where = region(found, variables)
        if where.obstacle is not None:
            return None, where
        judge = Judge(variables, where.given)
        if not sign:
            return judge.affine(found.root), where
        return judge.judge(found.root, sign) or by_hessian(found, names, sign), where

    def _refuted(
        self, look: Callable[[Search], Witness | None], proof: Proof | None, names: Sequence[str] = (), sign: int = 0
    ) -> Witness | None:
        """A counterexample. One to a proof is a fault of matgrad, and a few are tried to be sure."""
        if self.typed.functions:
            return None  # an unspecified function has no values
        if proof is None:
            return look(self.search())
        found = against_convexity(self.search(), names, sign, _RECHECKED) if names else look(self.search())
        if found is not None:
            raise AssertionError(f"a proof and a counterexample: {told(found)[0]}")
        return None

    def _finding(
        self,
        property: str,
        proof: Proof | None,
        witness: Witness | None,
        names: tuple[str, ...],
        where: tuple[str, ...],
        supposing: tuple[str, ...],
        note: str,
        *,
        no: bool = False,
    ) -> Finding:
        holds = Fact.YES if proof is not None else Fact.NO if no else Fact.UNKNOWN
        return Finding(property, holds, names, proof, witness, where, supposing, note, self.text)


def _symbols(root: Node) -> set[Node]:
    return {node for node in topological(root) if isinstance(node, Symbol)}


def _names_in(program: Program) -> set[str]:
    parts = [*(d for _, d in program.definitions), program.body]
    return {n.value for part in parts for n in walk(part) if n.op == "name"}


def _remark(property: str, root: Node) -> str:
    if property == "spd" and fact(root, "psd") is not None:
        return "it is positive semidefinite, and positive definite where it is invertible"
    return "it is where its determinant is not 0" if property == "invertible" else ""
