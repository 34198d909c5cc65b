"""Formulas near the examples of laws and rules: what is almost their pattern must not be taken for it.

Formula number N is the same in every run: an example in which some parts are exchanged for others of the same type, or
which stands beside one of its own parts. Generated code is compared with the reference evaluator.
"""

from __future__ import annotations

import random
import re
from itertools import islice
from typing import Any

import numpy as np

import matgrad
from matgrad.answer.formula import Formula
from matgrad.checking.sampling import Subject, points
from matgrad.errors import MatgradError
from matgrad.formula.reference import evaluate
from matgrad.formula.syntax import MATRIX, SCALAR, VECTOR, Expr, walk
from matgrad.formula.text import to_text, type_text
from matgrad.stabilising import stable
from matgrad.stabilising.rule import AHEAD, BEFORE, LAST, RULES
from matgrad.tensor import builders, laws
from matgrad.tensor.facts.reasons import holds

assert stable
assert laws
KINDS = (AHEAD, BEFORE, RULES, LAST, builders.NETWORK_LAWS, builders.MAP_LAWS, builders.APPLY_LAWS, builders.SUM_LAWS,
         builders.POWER_LAWS, builders.UPDATE_LAWS)  # fmt: skip
EXAMPLES = [(formula, where) for kind in KINDS for law in kind for formula, where in law.examples]

NUMBERS = ["2", "3", "(1/2)"]
OF_NUMBERS = ["%s*%q", "%s + %q", "%s - %q", "%s/%q", "-%s", "%s^2", "2*%s", "1/%s", "%s*%c", "%s/%c", "%s + %c",
              "sqrt(%s)", "%q", "%c"]  # fmt: skip
OF_ARRAYS = ["%s.*%q", "%s + %q", "%s - %q", "%s./%q", "-%s", "%s.^2", "2*%s", "1./%s", "%c*%s", "%s/%c", "%s.^3",
             "sqrt(%s)", "%q", "exp(%s)", "%s.*%s"]  # fmt: skip
OF_VECTORS = ["%s - mean(%s)", "%s*(%s'*%q)", "%q*%c", "diag(%s*%q')", "diag(diag(%s))*%q", "(%s*%q')*%q"]
OF_SQUARES = ["%s'", "%s.*%s'", "%s*%s", "%s + %s'", "diag(diag(%s))", "%s.*diag(diag(%q))", "%s - diag(diag(%s))",
              "tril(%s)", "triu(%s, 1)*%q", "%s'*%s", "tr(%s)*%q", "%s*inv(%q)"]  # fmt: skip
DECLARED = ["symmetric matrix(%n,%n)", "spd(%n)", "psd(%n)", "diagonal matrix(%n,%n)", "lower matrix(%n,%n)",
            "upper matrix(%n,%n)", "orthogonal(%n)"]  # fmt: skip
"""What a square matrix may be declared to be."""
NUMBER_AND_PART = ["%s*%c", "%s/%c", "%s - %c", "%s*%q", "%s/%q", "%s - %q", "%s^2", "log(%s^2 + 1)", "exp(%s)",
                   "sqrt(%s)", "log(%s)", "%s - 2*%c"]  # fmt: skip
ARRAY_AND_PART = ["%s*%c", "%s/%c", "%s.*%q", "%s./%q", "%s - %q", "%s + %q", "sum(%s)", "norm2(%s)^2", "sum(log(%s))",
                  "exp(%s)", "sqrt(%s)", "log(%s)", "sum(%s.*%q)"]  # fmt: skip
LONG = 160
"""Length of a formula that is not tried."""
HUGE = 1e8
"""Values that are not compared."""
HERE = "ZZQ"
"""The name that stands for the part that is exchanged."""


def near_example(number: int) -> tuple[str, str] | None:
    """A formula and its declarations; None where the exchange made no formula."""
    rng = random.Random(number)
    text, where = rng.choice(EXAMPLES)
    try:
        typed = Formula(text, where).typed
        where = "; ".join(
            [
                *(f"{name}: {_declared(v, rng)}" for name, v in typed.variables.items() if v.type),
                *(f"{name}: function" for name in sorted(typed.functions)),
            ]
        )
        if rng.random() < 0.2:  # one entry, two, or as many as another axis has
            where = re.sub(rf"\b{rng.choice('mnk')}\b(?=[,)])", rng.choice(["1", "2", "n", "m"]), where)
        for _ in range(rng.choice([1, 1, 2, 2, 3])):
            text = _changed(Formula(text, where).typed.program.body, rng)
        Formula(text, where)
    except MatgradError:
        return None
    return (text, where) if len(text) <= LONG else None


def _declared(variable: Any, rng: random.Random) -> str:
    """The declaration of a variable, with more structure than it had in one case of three."""
    dims = variable.type.dims
    if len(dims) == 2 and dims[0] == dims[1] and not variable.traits and rng.random() < 0.35:
        return rng.choice(DECLARED).replace("%n", str(dims[0]))
    return type_text(variable.type, frozenset(variable.traits))


def _changed(body: Expr, rng: random.Random) -> str:
    """The formula with a part exchanged, once or wherever a name occurs, or beside one of its parts."""
    nodes = [node for node in walk(body) if node.type is not None and node.op != "number"] or [body]
    names = [node for node in nodes if node.op == "name"]
    beside = rng.random() < 0.4
    part = body if beside else rng.choice(names if names and rng.random() < 0.6 else nodes)
    peers = [node for node in nodes if (node.kind, node.dims) == (part.kind, part.dims)]
    if part.kind == SCALAR:
        templates = NUMBER_AND_PART if beside else OF_NUMBERS
    else:
        square = part.kind == MATRIX and part.dims[0] == part.dims[1]
        more = OF_VECTORS * (part.kind == VECTOR) + OF_SQUARES * square
        templates = ARRAY_AND_PART if beside else [*OF_ARRAYS, *more]
    scalars = [_enclosed(node) for node in nodes if node.kind == SCALAR]
    scalars += [made.replace("x", str(node.value)) for node in names if node.kind == VECTOR
                for made in ("x[1]", "x[1]*x[2]", "sum(x)")]  # fmt: skip
    new = rng.choice(templates).replace("%c", f"({rng.choice(scalars + NUMBERS)})")
    new = new.replace("%q", _enclosed(rng.choice(peers or [part]))).replace("%s", _enclosed(part))
    if beside:
        return new
    everywhere = part.op == "name" and rng.random() < 0.4
    return to_text(_marked(body, part, everywhere)).replace(HERE, f"({new})")


def _enclosed(node: Expr) -> str:
    return f"({to_text(node)})"


def _marked(node: Expr, part: Expr, everywhere: bool) -> Expr:
    if node is part or (everywhere and node == part):
        return Expr("name", value=HERE, type=node.type)
    return node.replace(args=tuple(_marked(arg, part, everywhere) for arg in node.args)) if node.args else node


def failure_near(text: str, where: str, seed: int, order: int) -> str | None:
    """How the code of a formula, or of its first derivative, differs from the reference evaluator; None if not."""
    formula = Formula(text, where)
    subjects = [Subject(name, v.type, frozenset(v.traits)) for name, v in formula.typed.variables.items()]
    if not order:
        return _difference(formula, formula.program, formula, subjects, seed)
    wrt = random.Random(seed).choice(list(formula.typed.variables))
    try:
        derivative = matgrad.derive(formula, wrt)
    except MatgradError:
        return None
    found = _difference(derivative, derivative.program(), formula, subjects, seed)
    return None if found is None else f"in {wrt}: {found}"


def false_fact(text: str, where: str, seed: int) -> str | None:
    """A part of the formula that is said to be positive or semidefinite and is not; None if there is none."""
    formula = Formula(text, where)
    subjects = [Subject(name, v.type, frozenset(v.traits)) for name, v in formula.typed.variables.items()]
    claimed = [
        (part, property)
        for part in walk(formula.program.body)
        if part.type is not None
        for property in ("nonnegative", "psd")
        if holds(formula.node_of(part), property)
    ]
    drawing = points(formula.program, subjects, sorted(formula.typed.functions), seed=seed, attempts=30)
    for point in islice(drawing, 3 if claimed else 0):
        for part, property in claimed:
            value = np.asarray(evaluate(formula.program._replace(body=part), point.arrays, point.sizes), dtype=float)
            if np.isfinite(value).all() and _least(value, property) < -1e-7 * max(
                1.0, np.max(np.abs(value), initial=0)
            ):
                return f"not {property}: {formula.print(part)}"
    return None


def _least(value: np.ndarray, property: str) -> float:
    """The least entry or eigenvalue; how far from symmetric a matrix is, with a minus, where that is more."""
    if property == "nonnegative":
        return float(np.min(value, initial=0))
    skew = float(np.max(np.abs(value - value.T), initial=0))
    return min(-skew, float(np.min(np.linalg.eigvalsh((value + value.T) / 2), initial=0)))


def _difference(item: Any, program: Any, formula: Formula, subjects: list[Subject], seed: int) -> str | None:
    code, count = matgrad.compile(item), 0
    for point in points(formula.program, subjects, sorted(formula.typed.functions), seed=seed):
        wanted = np.asarray(evaluate(program, point.arrays, point.sizes), dtype=float)
        if not np.isfinite(wanted).all() or np.max(np.abs(wanted), initial=0) > HUGE:
            continue
        if not _is_certain(program, point, wanted):
            continue
        given = {name: point.arrays[name] for name in code.parameters if name in point.arrays}
        got = np.asarray(code(**given, **{name: point.sizes[name] for name in code.dimensions}))
        if got.shape != wanted.shape:
            return f"shape {got.shape}, not {wanted.shape}"
        off = np.max(np.abs(got - wanted), initial=0) / max(1e-2, np.max(np.abs(wanted), initial=0))
        if not off < 1e-5:
            return f"off by {off:.1e}"
        count += 1
        if count == 3:
            break
    return None


def _is_certain(program: Any, point: Any, value: np.ndarray) -> bool:
    """Whether a value is about the same for data changed in the tenth digit: 0 but for rounding is not."""
    rng = np.random.default_rng(0)
    arrays = {}
    for name, array in point.arrays.items():
        exact = np.all(array == np.round(array))  # the exponent of a matrix
        arrays[name] = array if exact else array * (1 + 1e-10 * rng.standard_normal(np.shape(array)))
    moved = np.asarray(evaluate(program, arrays, point.sizes), dtype=float)
    return bool(np.max(np.abs(moved - value), initial=0) <= 1e-6 * max(1e-2, np.max(np.abs(value), initial=0)))
