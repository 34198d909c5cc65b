"""Random typed formulas, made of the functions' cards and the operators (in ``random_rules``).

A formula is a tree of parts, so that one that fails can be shrunk: a part gives way to a smaller one of its type.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from random_rules import DEFINED, RULES, WITH_SHAPE, Rule

from matgrad.functions import CARDS
from matgrad.functions.card import Card

Kind = tuple[str, ...]
"""("scalar",), ("vector", n), ("row", n) or ("matrix", m, n)."""
SCALAR: Kind = ("scalar",)
SIZES = {"m": 4, "n": 3, "p": 2, "2": 2, "5": 5}
DECLARED = {
    "a": "scalar",
    "c": "scalar",
    "d": "positive",
    "x": "vector(n)",
    "y": "vector(n)",
    "w": "positive vector(n)",
    "u": "vector(m)",
    "v": "vector(p)",
    "z": "vector(5)",
    "t": "vector(2)",
    "A": "matrix(m,n)",
    "B": "matrix(n,m)",
    "C": "matrix(n,p)",
    "X": "matrix(n,n)",
    "Y": "matrix(n,n)",
    "S": "symmetric(n)",
    "P": "spd(n)",
    "H": "psd(n)",
    "D": "diagonal(n)",
    "L": "lower(n)",
    "U": "upper(n)",
    "O": "orthogonal(n)",
    "Q": "matrix(2,5)",
    "V": "symmetric(m)",
    "R": "matrix(m,p)",
    "g": "function",
}


@dataclass(frozen=True)
class Part:
    """``template`` with #1, #2 … for the arguments."""

    kind: Kind
    template: str
    args: tuple[Part, ...] = ()

    @property
    def text(self) -> str:
        texts = [arg.text for arg in self.args]
        return re.sub(r"#(\d)", lambda m: texts[int(m[1]) - 1], self.template)

    @property
    def size(self) -> int:
        return 1 + sum(arg.size for arg in self.args)


def kind_of(declaration: str) -> Kind:
    words = re.findall(r"\w+", declaration)
    if words[0] == "positive" and len(words) > 1:
        words = words[1:]
    if words[0] in ("scalar", "positive"):
        return SCALAR
    return ("vector", words[1]) if words[0] == "vector" else ("matrix", words[1], words[-1])


VARIABLES: dict[str, Kind] = {name: kind_of(text) for name, text in DECLARED.items() if text != "function"}
_VECTOR_OF = {"m": "u", "n": "x", "p": "v", "5": "z", "2": "t"}


def where_of(text: str) -> dict[str, str]:
    """The declarations of the names that a formula uses."""
    names = set(re.findall(r"[A-Za-z_]\w*", text))
    return {name: declared for name, declared in DECLARED.items() if name in names}


def variables_of(text: str) -> list[str]:
    return [name for name in where_of(text) if name != "g"]


def defined_in(text: str) -> list[str]:
    """The named intermediates of a program."""
    return re.findall(r"(?:^|; )(\w+) = ", text)


# -- drawing formulas -----------------------------------------------------------------------------


@dataclass
class Generator:
    """Formulas of a kind, drawn with one source of randomness."""

    seed: int
    names: dict[str, Kind] = field(default_factory=lambda: dict(VARIABLES))

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def part(self, kind: Kind, depth: int) -> Part:
        if depth <= 0 or self.random.random() < 0.08:
            return self.leaf(kind)
        rules = [*_cards_for(kind), *_rules_for(kind)]
        weights = [3.0 if isinstance(rule, Rule) else 0.7 for rule in rules]
        (rule,) = self.random.choices(rules, weights)
        return self._ruled(kind, rule, depth - 1) if isinstance(rule, Rule) else self._called(kind, *rule, depth - 1)

    def leaf(self, kind: Kind) -> Part:
        own = [name for name, known in self.names.items() if known == kind and name in DEFINED]
        if own and self.random.random() < 0.6:
            return Part(kind, self.random.choice(own))
        names = [name for name, known in self.names.items() if known == kind]
        if kind == SCALAR:
            names += ["2", "0.5", "3"]
        if kind[0] == "vector":
            names += [f"ones({kind[1]})"] if self.random.random() < 0.01 else []
        if kind[0] == "matrix":
            names += [f"{name}'" for name, known in self.names.items() if known == ("matrix", kind[2], kind[1])]
            names += [f"eye({kind[1]})"] if kind[1] == kind[2] and self.random.random() < 0.01 else []
            names = names or [f"{_VECTOR_OF[kind[1]]}*{_VECTOR_OF[kind[2]]}'"]
        if kind[0] == "row":
            names += [f"{name}'" for name, known in self.names.items() if known == ("vector", kind[1])]
        return Part(kind, self.random.choice(names))

    def dim(self) -> str:
        return self.random.choice(["m", "n", "n", "p", "2", "5"])

    def _ruled(self, kind: Kind, rule: Rule, depth: int) -> Part:
        """The letters of a rule: i, j are the dimensions of the kind, others are drawn."""
        bound = dict(zip("ij", kind[1:], strict=False))
        kinds = []
        for word in rule.args:
            if word == "itself":
                kinds.append(kind)
            elif word.startswith("a "):
                kinds.append((word[2:],))
            else:
                name, letters = word.split(" ")
                kinds.append((name, *(_size(letter, bound, self) for letter in letters.split(","))))
        template = re.sub(r"@([ijkl])", lambda m: _size(m[1], bound, self), rule.template)
        return Part(kind, template, tuple(self.part(k if k != ("scalar",) else SCALAR, depth) for k in kinds))

    def _called(self, kind: Kind, known: Card, dim: int | None, signature: str, depth: int) -> Part:
        """The function applied to arguments in its domain."""
        args = tuple(self.part(k, depth) for k in self._kinds(signature, kind))
        inside = _DOMAINS.get(known.needs, "#")
        if known.family == "matrix":
            inside = self._invertible(args[0].kind) if known.name != "det" or self.random.random() < 0.5 else "#"
        elif known.name in ("exp", "cosh", "sinh", "expm1"):
            inside = self.random.choice(["sin(#)", "(#)/4"])
        elif known.name == "gamma":
            inside = "sin(#) + 2"
        counted = known.whole is not None and len(args) == len(known.arguments)
        if counted:
            args = args[1:]
        holes = ", ".join(inside.replace("#", f"#{i}") for i in range(1, len(args) + 1))
        if counted:  # its first argument is a number
            holes = f"{self.random.randint(0, 2)}, {holes}"
        option = "" if dim is None else f", dim={dim}"
        return Part(kind, f"{known.name}({holes}{option})", args)

    def _invertible(self, kind: Kind) -> str:
        if not kind[1:]:
            return "(#)^2 + 1"
        return self.random.choice(["eye + (#)*(#)'", "(#)'*(#) + 0.5*eye", "4*eye + sin(#)"])

    def _kinds(self, signature: str, kind: Kind) -> list[Kind]:
        left, right = signature.replace("'", "").split("->")
        bound = dict(zip(right, kind[1:], strict=False))
        other = self.random.choice([("vector", self.dim()), ("matrix", self.dim(), self.dim())])
        found = []
        for side in left.split(","):
            if side == "*":
                found.append(kind if right == "*" else other)
            else:
                dims = tuple(bound.setdefault(letter, self.dim()) for letter in side)
                found.append((("scalar",), ("vector",), ("matrix",))[len(dims)] + dims)
        return found


def _size(letter: str, bound: dict[str, str], g: Generator) -> str:
    return letter if letter in SIZES else bound.setdefault(letter, g.dim())


@cache
def _rules_for(kind: Kind) -> list[Rule]:
    return [*RULES[kind[0]], *(rule for where, rule in WITH_SHAPE if _fits(where, kind))]


def _fits(where: str, kind: Kind) -> bool:
    name, dims = where.split(" ")
    return name == kind[0] and all(d in ("i", "j", have) for d, have in zip(dims.split(","), kind[1:], strict=True))


@cache
def _cards_for(kind: Kind) -> list[tuple[Card, int | None, str]]:
    return [
        (known, dim, signature)
        for known in CARDS.values()
        for dim, signatures in known.signatures.items()
        for signature in signatures
        if known.family != "constructor" and known.name != "kron" and signature != "ij,->ij" and _gives(signature, kind)
    ]


def _gives(signature: str, kind: Kind) -> bool:
    right = signature.split("->")[1]
    if "(" in right:
        return False
    if right == "*":
        return True
    if right.endswith("'"):
        return kind[0] == "row"
    if len(right) != len(kind) - 1 or kind[0] == "row":
        return False
    return len({*right}) == len(right) or len({*kind[1:]}) == 1


_DOMAINS = {
    "x > 0": "(#).^2 + 0.5", "x >= 0": "(#).^2 + 0.5", "x > -1": "(#).^2", "abs(x) <= 1": "0.9*sin(#)",
    "abs(x) < 1": "0.9*sin(#)", "x >= 1": "(#).^2 + 1.5", "cos(x) != 0": "sin(#)", "x != 0": "exp(sin(#))",
    "x > 0 and y > 0": "(#).^2 + 0.5",
}  # fmt: skip
_WANTED = [SCALAR] * 6 + [("vector", "n"), ("vector", "m"), ("matrix", "m", "n"), ("matrix", "n", "n"), ("row", "n")]


def random_formula(seed: int, depth: int | None = None) -> Part:
    """A scalar most of the time, else a vector or matrix, with at least one variable; one in ten a program."""
    g = Generator(seed)
    while True:
        kind = g.random.choice(_WANTED)
        deep = g.random.choice([1, 2, 2, 2, 2, 3, 3]) if depth is None else depth
        found = _program(g, kind, deep) if g.random.random() < 0.1 else g.part(kind, deep)
        if 1 < len(found.text) < 200 and variables_of(found.text):
            return found


def _program(g: Generator, kind: Kind, depth: int) -> Part:
    """Definitions before the formula, which may use them."""
    parts: list[Part] = []
    for name in DEFINED[: g.random.choice([1, 1, 2])]:
        parts.append(g.part(g.random.choice([SCALAR, *VARIABLES.values()]), max(1, depth - 1)))
        g.names[name] = parts[-1].kind
    parts.append(g.part(kind, depth))
    g.names = dict(VARIABLES)
    steps = [f"{name} = #{i}; " for i, name in enumerate(DEFINED[: len(parts) - 1], 1)]
    return Part(kind, "".join(steps) + f"#{len(parts)}", tuple(parts))


def printable(seed: int) -> str:
    """A formula without stacks, whose derivatives may have no printable form."""
    while True:
        text = random_formula(seed).text
        if "[" not in text and " = " not in text:
            return text
        seed += 10_000


# -- drawing arrays -------------------------------------------------------------------------------


def arrays_of(text: str, seed: int) -> dict[str, Any]:
    """Values of the declared structure for the names of a formula: distinct sizes, nothing symmetric by chance."""
    rng = np.random.default_rng(seed)
    return {name: drawn(declared, rng) for name, declared in where_of(text).items()}


def drawn(declared: str, rng: np.random.Generator) -> Any:
    if declared == "function":
        return (lambda x: np.sin(1.3 * x + 0.4), lambda x: 1.3 * np.cos(1.3 * x + 0.4),
                lambda x: -1.69 * np.sin(1.3 * x + 0.4), lambda x: -2.197 * np.cos(1.3 * x + 0.4))  # fmt: skip
    value = 0.8 * rng.standard_normal([SIZES[d] for d in kind_of(declared)[1:]])
    word = declared.split("(", maxsplit=1)[0]
    shaped = {
        "symmetric": lambda a: (a + a.T) / 2, "spd": lambda a: a @ a.T + np.eye(len(a)), "lower": np.tril,
        "diagonal": lambda a: np.diag(np.diag(a)), "upper": np.triu, "positive": lambda a: np.abs(a) + 0.3,
        "positive vector": lambda a: np.abs(a) + 0.3, "psd": lambda a: a[:, 1:] @ a[:, 1:].T,
        "orthogonal": lambda a: np.linalg.qr(a)[0],
    }  # fmt: skip
    return np.asarray(shaped.get(word, lambda a: a)(value))


def projected(full: Any, declared: str) -> Any:
    """A derivative on the space of its variable."""
    word = declared.split("(", maxsplit=1)[0]
    if word in ("symmetric", "spd", "psd"):
        return (full + np.swapaxes(full, -1, -2)) / 2
    masks = {"diagonal": lambda a: a * np.eye(a.shape[-1]), "lower": np.tril, "upper": np.triu}
    return masks.get(word, lambda a: a)(full)


# -- shrinking ------------------------------------------------------------------------------------


def smaller(part: Part) -> Iterator[Part]:
    """Parts of the same kind with less in them."""
    for descendant in _descendants(part):
        if descendant.kind == part.kind and descendant is not part:
            yield descendant
    if part.args:
        for name, kind in VARIABLES.items():
            if kind == part.kind:
                yield Part(kind, name)
        if part.kind[0] == "row":
            yield Generator(0).leaf(part.kind)
    for i, arg in enumerate(part.args):
        for less in smaller(arg):
            yield Part(part.kind, part.template, (*part.args[:i], less, *part.args[i + 1 :]))


def _descendants(part: Part) -> Iterator[Part]:
    yield part
    for arg in part.args:
        yield from _descendants(arg)
