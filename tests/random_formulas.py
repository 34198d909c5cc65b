"""Random typed formulas, made of the functions' cards and the operators, and what must hold for each of them.

A formula is a tree of parts, so that one that fails can be shrunk: a part gives way to a smaller one of its type.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import tensor_evaluator

import matgrad
from matgrad.errors import NotSupported
from matgrad.formula.reference import evaluate as reference
from matgrad.functions import CARDS
from matgrad.functions.card import Card
from matgrad.tensor.rebuild import rebuild

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
    "D": "diagonal(n)",
    "L": "lower(n)",
    "U": "upper(n)",
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
        found = self.template
        for i, arg in enumerate(self.args, 1):
            found = found.replace(f"#{i}", arg.text)
        return found

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


# -- drawing formulas -----------------------------------------------------------------------------


class Generator:
    """Formulas of a kind, drawn with one source of randomness."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def part(self, kind: Kind, depth: int) -> Part:
        if depth <= 0 or self.random.random() < 0.08:
            return self.leaf(kind)
        rules = [*self._by_card(kind), *_RULES[kind[0]]]
        weights = [3.0 if callable(rule) else 0.7 for rule in rules]
        (rule,) = self.random.choices(rules, weights)
        return rule(self, kind, depth - 1) if callable(rule) else self._called(kind, *rule, depth - 1)

    def leaf(self, kind: Kind) -> Part:
        names = [name for name, known in VARIABLES.items() if known == kind]
        if kind == SCALAR:
            names += ["2", "0.5", "3"]
        if kind[0] == "vector":
            names += [f"ones({kind[1]})"] if self.random.random() < 0.01 else []
        if kind[0] == "matrix":
            names += [f"{name}'" for name, known in VARIABLES.items() if known == ("matrix", kind[2], kind[1])]
            names += [f"eye({kind[1]})"] if kind[1] == kind[2] and self.random.random() < 0.01 else []
            names = names or [f"{_VECTOR_OF[kind[1]]}*{_VECTOR_OF[kind[2]]}'"]
        if kind[0] == "row":
            names = [f"{name}'" for name, known in VARIABLES.items() if known == ("vector", kind[1])]
        return Part(kind, self.random.choice(names))

    def dim(self) -> str:
        return self.random.choice(["m", "n", "n", "p", "2", "5"])

    def _by_card(self, kind: Kind) -> Iterator[tuple[Card, int | None, str]]:
        for known in CARDS.values():
            for dim, signatures in known.signatures.items():
                for signature in signatures:
                    if known.family != "constructor" and _gives(signature, kind):
                        yield known, dim, signature

    def _called(self, kind: Kind, known: Card, dim: int | None, signature: str, depth: int) -> Part:
        """The function applied to arguments in its domain."""
        args = tuple(self.part(k, depth) for k in self._kinds(signature, kind))
        inside = _DOMAINS.get(known.needs, "#")
        if known.family == "matrix" or (known.name in ("det", "inv", "adj", "logdet")):
            inside = self._invertible(args[0].kind) if known.name != "det" or self.random.random() < 0.5 else "#"
        elif known.name in ("exp", "cosh", "sinh", "expm1"):
            inside = self.random.choice(["sin(#)", "(#)/4"])
        elif known.name == "norm2":
            inside = "#"
        holes = ", ".join(inside.replace("#", f"#{i}") for i in range(1, len(args) + 1))
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


@cache
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
    "cos(x) != 0": "sin(#)",
}  # fmt: skip
Rule = Callable[[Generator, Kind, int], Part]


def _same(template: str) -> Rule:
    def rule(g: Generator, kind: Kind, depth: int) -> Part:
        count = len(set(re.findall(r"#\d", template)))
        return Part(kind, template, tuple(g.part(kind, depth) for _ in range(count)))

    return rule


def _scaled(template: str) -> Rule:
    """#1 is a scalar, #2 of the kind."""

    def rule(g: Generator, kind: Kind, depth: int) -> Part:
        return Part(kind, template, (g.part(SCALAR, depth), g.part(kind, depth)))

    return rule


def _of(template: str, *kinds: Callable[[Generator, Kind, str], Kind]) -> Rule:
    def rule(g: Generator, kind: Kind, depth: int) -> Part:
        k = g.dim()
        return Part(kind, template.replace("@", k), tuple(g.part(make(g, kind, k), depth) for make in kinds))

    return rule


_ELEMENTWISE: list[Rule] = [
    _same("(#1 + #2)"),
    _same("(#1 - #2)"),
    _same("(#1 + #2 - #3)"),
    _same("(#1).*(#2)"),
    _same("-(#1)"),
    _same("(#1).^2"),
    _same("(#1)./((#2).^2 + 1)"),
    _same("1./((#1).^2 + 1)"),
    _same("(#1).^3"),
    _same("((#1).^2 + 1).^(1/2)"),
    _same("((#1).^2 + 0.5).^(-3/2)"),
    _scaled("(#1)*(#2)"),
    _scaled("(#2)/((#1)^2 + 1)"),
    _scaled("((#1) + #2)"),
    _scaled("((#2).^2 + 1).^sin(#1)"),
    _scaled("((#1)^2 + 1).^sin(#2)"),
    _same("max(#1, #2)"),
    _same("min(#1, 0.1)"),
    _same("g(#1)"),
    _same("((#1).^2 + 0.5).^(sin(#2))"),
]
_VECTOR = lambda g, kind, k: ("vector", k)  # noqa: E731
_ROW = lambda g, kind, k: ("row", k)  # noqa: E731
_SQUARE = lambda g, kind, k: ("matrix", k, k)  # noqa: E731
_ITSELF = lambda g, kind, k: kind  # noqa: E731
_RULES: dict[str, list[Rule]] = {
    "scalar": [
        *_ELEMENTWISE,
        _of("(#1)'*(#2)", _VECTOR, _VECTOR), _of("(#1)'*(#2)*(#3)", _VECTOR, _SQUARE, _VECTOR),
        _of("tr((#1)*(#2))", lambda g, kind, k: ("matrix", "n", k), lambda g, kind, k: ("matrix", k, "n")),
        _of("tr((#1)'*(#1))", lambda g, kind, k: ("matrix", g.dim(), k)), _of("norm2(#1)^2", _VECTOR),
        _of("(#1)*(#2)", _ROW, _VECTOR), _of("(#1)[1]", _VECTOR), _of("(#1)[2,1]", _SQUARE),
        _of("log(sum(exp((#1)/4)))", _VECTOR), _of("(#1)'*inv(eye + (#2)*(#2)')*(#1)", _VECTOR, _SQUARE),
        _of("log(det(eye + (#1)*(#1)'))", _SQUARE), _of("vec(#1)'*vec(#2)", _SQUARE, _SQUARE),
        _of("norm2(kron(#1, #2))", _SQUARE, _VECTOR), _of("norm2((#1) ⊗ (#2))^2", _VECTOR, _SQUARE),
        _of("sum(kron(#1, #2).^2)", _VECTOR, _VECTOR), _of("norm2([#1; #2])^2", _VECTOR, _VECTOR),
        _of("norm2(#1)^2/length(#1)", _VECTOR), _of("logsumexp(#1)", _VECTOR),
    ],
    "vector": [
        *_ELEMENTWISE,
        _of("(#1)*(#2)", lambda g, kind, k: ("matrix", kind[1], k), _VECTOR),
        _of("(#1)*(#2)", lambda g, kind, k: ("matrix", kind[1], k), _VECTOR),
        _of("(#1)'*(#2)", lambda g, kind, k: ("matrix", k, kind[1]), _VECTOR),
        _of("inv(eye + (#1)*(#1)')*(#2)", lambda g, kind, k: ("matrix", kind[1], k), _ITSELF),
        _of("(#1)'", lambda g, kind, k: ("row", kind[1])), _of("(#1)/sqrt(norm2(#1)^2 + 1)", _ITSELF),
        _of("(#1)[:,2]", lambda g, kind, k: ("matrix", kind[1], k)), _of("((#1) - mean(#1))", _ITSELF),
        _of("softmax(#1)", _ITSELF), _of("exp((#1)/4)./sum(exp((#1)/4))", _ITSELF),
        _of("diag(#1)*(#2)", _ITSELF, _ITSELF), _of("(#1)*((#1)'*(#2))", _ITSELF, _ITSELF),
    ],
    "row": [
        *_ELEMENTWISE,
        _of("(#1)'", lambda g, kind, k: ("vector", kind[1])),
        _of("(#1)*(#2)", _ROW, lambda g, kind, k: ("matrix", k, kind[1])),
        _of("(#1)'*(#2)", _VECTOR, lambda g, kind, k: ("matrix", k, kind[1])),
        _of("(#1)[2,:]", lambda g, kind, k: ("matrix", k, kind[1])),
    ],
    "matrix": [
        *_ELEMENTWISE,
        *[_of("(#1)*(#2)", lambda g, kind, k: ("matrix", kind[1], k), lambda g, kind, k: ("matrix", k, kind[2]))] * 3,
        _of("(#1)'", lambda g, kind, k: ("matrix", kind[2], kind[1])),
        _of("(#1)*(#2)'", lambda g, kind, k: ("vector", kind[1]), lambda g, kind, k: ("vector", kind[2])),
        _of("(#1)*(#2)", lambda g, kind, k: ("vector", kind[1]), lambda g, kind, k: ("row", kind[2])),
        _of("diag(#1)*(#2)", lambda g, kind, k: ("vector", kind[1]), _ITSELF),
        _of("(#1)*diag(#2)", _ITSELF, lambda g, kind, k: ("vector", kind[2])),
        _of("inv(eye + (#1)*(#1)')*(#2)", lambda g, kind, k: ("matrix", kind[1], k), _ITSELF),
        _of("((#1) - vector(1)*mean(#1, dim=1))", _ITSELF),
        _of("(4*eye + sin(#1))^-1*(#2)", lambda g, kind, k: ("matrix", kind[1], kind[1]), _ITSELF),
        _of("(#1)^2*(#2)", lambda g, kind, k: ("matrix", kind[1], kind[1]), _ITSELF),
    ],
}  # fmt: skip


def random_formula(seed: int, depth: int | None = None) -> Part:
    """A scalar most of the time, else a vector or matrix, with at least one variable."""
    g = Generator(seed)
    while True:
        kinds = [SCALAR] * 6 + [
            ("vector", "n"),
            ("vector", "m"),
            ("matrix", "m", "n"),
            ("matrix", "n", "n"),
            ("row", "n"),
        ]
        found = g.part(g.random.choice(kinds), g.random.choice([1, 2, 2, 3, 3]) if depth is None else depth)
        if 1 < len(found.text) < 200 and variables_of(found.text):
            return found


def variables_of(text: str) -> list[str]:
    return [name for name in where_of(text) if name != "g"]


def printable(seed: int) -> str:
    """A formula without stacks, whose derivatives may have no printable form."""
    while True:
        text = random_formula(seed).text
        if "[" not in text:
            return text
        seed += 10_000


# -- drawing arrays -------------------------------------------------------------------------------


def arrays_of(text: str, seed: int) -> dict[str, Any]:
    """Values of the declared structure for the names of a formula: distinct sizes, nothing symmetric by chance."""
    rng = np.random.default_rng(seed)
    return {name: _drawn(declared, rng) for name, declared in where_of(text).items()}


def _drawn(declared: str, rng: np.random.Generator) -> Any:
    if declared == "function":
        return (lambda x: np.sin(1.3 * x + 0.4), lambda x: 1.3 * np.cos(1.3 * x + 0.4),
                lambda x: -1.69 * np.sin(1.3 * x + 0.4), lambda x: -2.197 * np.cos(1.3 * x + 0.4))  # fmt: skip
    value = 0.8 * rng.standard_normal([SIZES[d] for d in kind_of(declared)[1:]])
    word = declared.split("(", maxsplit=1)[0]
    shaped = {
        "symmetric": lambda a: (a + a.T) / 2, "spd": lambda a: a @ a.T + np.eye(len(a)), "lower": np.tril,
        "diagonal": lambda a: np.diag(np.diag(a)), "upper": np.triu, "positive": lambda a: np.abs(a) + 0.3,
        "positive vector": lambda a: np.abs(a) + 0.3,
    }  # fmt: skip
    return np.asarray(shaped.get(word, lambda a: a)(value))


# -- what must hold -------------------------------------------------------------------------------


class Failure(AssertionError):
    """``kind`` says which of the properties does not hold."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


def require(kind: str, got: Any, expected: Any, said: str, tolerance: float = 1e-7) -> None:
    got, expected = np.asarray(got), np.asarray(expected)
    if got.shape != expected.shape:
        raise Failure(kind, f"shape {got.shape}, not {expected.shape}, in {said}")
    scale = max(1e-3, float(np.max(np.abs(expected), initial=0)))
    error = float(np.max(np.abs(got - expected), initial=0)) / scale
    if not error < tolerance and np.isfinite(expected).all():
        raise Failure(kind, f"off by {error:.1e} in {said}")


def check_formula(text: str, wrt: str, order: int = 1, seed: int = 0) -> matgrad.Derivative:
    """Raise Failure for the first property that does not hold."""
    where, arrays = where_of(text), arrays_of(text, seed)
    formula = matgrad.parse(text, where=where)
    arrays |= {name: SIZES[name] for name in formula.sizes_needed()}
    require("graph of the formula", tensor_evaluator.evaluate(formula.node, arrays, SIZES), formula(**arrays), text)
    derivative = matgrad.derive(text, wrt, where=where, order=order)
    graph = tensor_evaluator.evaluate(derivative._node, arrays, SIZES)
    check_differences(derivative, arrays, seed)
    value = derivative(**arrays)
    require("code against graph", value, graph, derivative.text)
    require("printed against graph", reference(derivative.expr, arrays, SIZES), graph, derivative.text)
    check = derivative.verify(points=2, seed=seed)
    if check.passed is False:
        raise Failure("verify", f"{check} of {derivative.text}")
    check_reading_back(derivative, arrays, graph)
    check_matvec(derivative, arrays, graph, seed)
    again = rebuild(derivative._node, {})
    if again is not derivative._node:
        raise Failure("rebuild", "the graph is not its own normal form")
    return derivative


def check_differences(derivative: matgrad.Derivative, arrays: dict[str, Any], seed: int) -> None:
    """At one of three points at least: the others may be too close to a kink."""
    for attempt in (0, 1, 2):
        moved = arrays if not attempt else arrays | arrays_of(derivative.formula.text, seed + 1000 * attempt)
        graph = tensor_evaluator.evaluate(derivative._node, moved, SIZES)
        try:
            require("graph against differences", graph, differences(derivative, moved), str(derivative.formula), 1e-5)
        except Failure:
            if attempt == 2:
                raise
        else:
            return


def differences(derivative: matgrad.Derivative, arrays: dict[str, Any]) -> Any:
    """The derivative of the graph below by differences, extrapolated, projected on the space of the variable."""
    name = derivative.wrt[-1]
    at = np.asarray(arrays[name], dtype=float)

    def slope(step: float) -> Any:
        columns = []
        for index in np.ndindex(*at.shape):
            unit = np.zeros(at.shape)
            unit[index] = step
            ahead, behind = ({**arrays, name: at + sign * unit} for sign in (1, -1))
            columns.append(tensor_evaluator.evaluate(derivative._below, ahead, SIZES)
                           - tensor_evaluator.evaluate(derivative._below, behind, SIZES))  # fmt: skip
        return np.stack(columns, axis=-1) / (2 * step)

    raw = (64 * slope(5e-4) - 20 * slope(1e-3) + slope(2e-3)) / 45
    return projected(raw.reshape(raw.shape[:-1] + at.shape), DECLARED[name])


def projected(full: Any, declared: str) -> Any:
    word = declared.split("(", maxsplit=1)[0]
    if word in ("symmetric", "spd"):
        return (full + np.swapaxes(full, -1, -2)) / 2
    masks = {"diagonal": lambda a: a * np.eye(a.shape[-1]), "lower": np.tril, "upper": np.triu}
    return masks.get(word, lambda a: a)(full)


def check_reading_back(derivative: matgrad.Derivative, arrays: dict[str, Any], graph: Any) -> None:
    back = matgrad.parse(derivative.text, context=derivative)
    require("read back", reference(back.program, arrays, SIZES), graph, derivative.text)


def check_matvec(derivative: matgrad.Derivative, arrays: dict[str, Any], graph: Any, seed: int) -> None:
    if not derivative.matvec.available:
        return
    direction = _drawn(DECLARED[derivative.wrt[-1]], np.random.default_rng(seed + 1))
    expected = np.tensordot(graph, direction, direction.ndim)
    known = {**arrays, derivative.matvec.direction: direction}
    require("matvec", reference(derivative.matvec.expr, known, SIZES), expected, derivative.matvec.text)


def check_renaming(text: str, wrt: str, seed: int = 0) -> None:
    """Other names of the variables give another order of terms at most."""
    where = where_of(text)
    new = {name: f"q{(i * 7 + seed) % 11}_{i}" for i, name in enumerate(where)}
    renamed = re.sub(r"[A-Za-z_]\w*", lambda m: new.get(m[0], m[0]), text)
    arrays = arrays_of(text, seed)
    one = matgrad.derive(text, wrt, where=where)
    other = matgrad.derive(renamed, new[wrt], where={new[n]: d for n, d in where.items()})
    arrays_other = {new[n]: v for n, v in arrays.items()}
    one_value = tensor_evaluator.evaluate(one._node, arrays, SIZES)
    require("renaming", tensor_evaluator.evaluate(other._node, arrays_other, SIZES), one_value, renamed)
    if len(one.conditions) != len(other.conditions):
        raise Failure("renaming", f"the conditions {one.conditions} became {other.conditions}")


def failure_of(text: str, wrt: str, order: int, seed: int = 0) -> tuple[str, str] | None:
    """The kind of failure and its message, or None; what is refused as not supported is no failure."""
    try:
        check_formula(text, wrt, order, seed)
        if order == 1:
            check_renaming(text, wrt, seed)
    except Failure as failure:
        return failure.kind, str(failure)
    except NotSupported:
        return None
    except Exception as error:  # whatever it is, it is a finding
        return f"raised {type(error).__name__}", f"{type(error).__name__}: {str(error)[:300]}"
    return None


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
            yield replace(part, args=(*part.args[:i], less, *part.args[i + 1 :]))


def _descendants(part: Part) -> Iterator[Part]:
    yield part
    for arg in part.args:
        yield from _descendants(arg)


def shrunk(part: Part, wrt: str, order: int, kind: str, seed: int = 0, tries: int = 300) -> Part:
    """A smaller formula that fails in the same way."""
    while True:
        for less in smaller(part):
            tries -= 1
            if tries < 0:
                return part
            if less.size < part.size and wrt in variables_of(less.text):
                found = failure_of(less.text, wrt, order, seed)
                if found is not None and found[0] == kind:
                    part = less
                    break
        else:
            return part
