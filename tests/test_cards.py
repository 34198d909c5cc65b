"""Every card against its own value: derivatives by complex step and by differences, values against 50 digits."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from fractions import Fraction
from functools import partial

import mpmath
import numpy as np
import pytest
from helpers import typed

import matgrad
from matgrad.codegen.torch_helpers import SPELLED
from matgrad.formula.latex import to_latex
from matgrad.formula.parser import parse_expression
from matgrad.formula.reference import evaluate
from matgrad.formula.syntax import walk
from matgrad.formula.text import type_text
from matgrad.formula.unicode import to_unicode
from matgrad.functions import CARDS, NOT_YET, Card, card, names

STEP = 1e-30
FAMILIES = {"elementwise", "reduction", "matrix", "structural", "defined", "constructor"}
PAIRS = [c for c in CARDS.values() if c.of_pairs and c.whole is None]
COUNTED = [c for c in CARDS.values() if c.of_pairs and c.whole is not None]
ELEMENTWISE = [c for c in CARDS.values() if c.family == "elementwise" and not c.of_pairs]
REDUCTIONS = [c for c in CARDS.values() if c.family == "reduction"]
MATRIX = [c for c in CARDS.values() if c.family == "matrix"]
DEFINED = [c for c in CARDS.values() if c.family == "defined" and not c.of_pairs]
LAWS = [(c.name, law) for c in CARDS.values() for law in c.laws]

EXACT = {c.name: c.exact for c in CARDS.values() if c.exact is not None and not c.of_pairs}


def by_name(cards: list[Card]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("entry", [pytest.param(c, id=c.name) for c in cards])


def call_of(entry: Card, *arguments: object) -> np.ndarray:
    assert entry.value is not None
    with np.errstate(all="ignore"):
        return np.asarray(entry.value(np, *arguments))


def points(entry: Card) -> np.ndarray:
    low, high = (0.1, 0.9) if entry.needs else (-2.0, 2.0)
    return inside(entry, np.random.default_rng(1).uniform(low, high, 7))


def inside(entry: Card, x: np.ndarray) -> np.ndarray:
    """Points between 0 and 1, or 1 more, for a domain that begins at 1."""
    return x + 1 if entry.needs == "x >= 1" else x


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("x", [1000.0, -1000.0, 1e-30, -1e-30, 1e-8, 0.3, -0.7, 0.999, 5.0, -5.0, 15.0])
def test_values_and_steps_are_exact(name: str, x: float) -> None:
    with mpmath.workdps(100 if "gamma" in name else 400):  # enough for them, and a hundred times as fast
        exact = EXACT[name](mpmath, mpmath.mpf(x))
        if not isinstance(exact, mpmath.mpf) or abs(exact) > sys.float_info.max:
            return
        slope = mpmath.diff(lambda z: EXACT[name](mpmath, z), mpmath.mpf(x), h=mpmath.mpf(10) ** -60)
    value, step = call_of(CARDS[name], np.array(x)), call_of(CARDS[name], np.array(x + 1j * STEP))
    assert value == pytest.approx(float(exact), rel=3e-15, abs=1e-300)
    assert step.real == value
    assert step.imag / STEP == pytest.approx(float(slope), rel=3e-15, abs=1e-260)


def test_every_elementwise_value_is_compared_with_an_exact_one() -> None:
    assert {c.name for c in ELEMENTWISE if not c.kink} <= EXACT.keys()


@pytest.mark.parametrize("name", [c.name for c in ELEMENTWISE if c.kink])
def test_kinks(name: str) -> None:
    step = call_of(CARDS[name], np.array([-2.0, 0.0, 3.0]) + 1j * STEP)
    slopes = {"abs": [-1, 0, 1], "relu": [0, 0, 1]}.get(name, [0, 0, 0])
    values = {"abs": [2, 0, 3], "relu": [0, 0, 3], "sign": [-1, 0, 1], "step": [0, 0, 1]}[name]
    assert np.imag(step) / STEP == pytest.approx(slopes)
    assert np.real(step) == pytest.approx(values)


@by_name(ELEMENTWISE)
def test_elementwise_derivatives(entry: Card) -> None:
    x = points(entry)
    law = typed(entry.derivative, "x: scalar") if "x" in entry.derivative else typed(entry.derivative)
    claimed = [evaluate(law, {"x": v}, {}) for v in x]
    assert claimed == pytest.approx(np.imag(call_of(entry, x + 1j * STEP)) / STEP, rel=1e-12, abs=1e-13)
    differences = (call_of(entry, x + 1e-6) - call_of(entry, x - 1e-6)) / 2e-6
    assert claimed == pytest.approx(differences, rel=1e-6, abs=1e-8)


@by_name(PAIRS)
def test_functions_of_two_numbers(entry: Card) -> None:
    """Value, steps in both arguments and the laws of the derivatives, against mpmath."""
    assert entry.exact is not None
    numbers = [1e200, -3e150, 1e-30, -1e-8, 0.3, -0.7, 5.0, 1000.0]
    numbers = [1e-8, 0.3, 5.0, 2e7] if entry.needs else numbers
    for x, y in itertools.product(numbers, numbers):
        digits = 100 if entry.needs else 700
        with mpmath.workdps(digits):
            at, h = (mpmath.mpf(x), mpmath.mpf(y)), mpmath.mpf(10) ** -int(0.6 * digits)
            exact = entry.exact(mpmath, *at)
            slopes = [float(mpmath.diff(partial(entry.exact, mpmath), at, k, h=h)) for k in ((1, 0), (0, 1))]
        assert call_of(entry, x, y) == pytest.approx(float(exact), rel=3e-15)
        step = [call_of(entry, x + 1j * STEP, y), call_of(entry, x, y + 1j * STEP)]
        assert [float(s.imag / STEP) for s in step] == pytest.approx(slopes, rel=3e-15, abs=1e-260)
        if entry.partials and max(abs(x), abs(y)) < 1e100:
            laws = [typed(law, "x: scalar; y: scalar") for law in entry.partials]
            named = dict(zip(entry.arguments, (x, y), strict=True))
            assert [evaluate(law, named, {}) for law in laws] == pytest.approx(slopes, rel=1e-14)
    assert len(entry.partials) == len(entry.arguments) or entry.definition


@by_name(COUNTED)
def test_functions_of_a_number_with_a_whole_one(entry: Card) -> None:
    """Value, step, the law of the derivative and the facts for each whole number, against mpmath."""
    assert entry.exact is not None
    assert entry.facts_at is not None
    for k in range(6):
        for x in (1e-30, 1e-8, 0.3, 5.0, 1e6):
            with mpmath.workdps(100):
                of_k = partial(entry.exact, mpmath, k)
                exact, slope = of_k(mpmath.mpf(x)), mpmath.diff(of_k, mpmath.mpf(x), h=mpmath.mpf(10) ** -60)
            if abs(slope) > sys.float_info.max:
                continue
            assert call_of(entry, k, x) == pytest.approx(float(exact), rel=3e-15)
            step = call_of(entry, k, x + 1j * STEP)
            assert float(step.imag / STEP) == pytest.approx(float(slope), rel=3e-15, abs=1e-260)
            law = typed(entry.partials[1].replace("k", str(k)), "x: scalar")
            assert evaluate(law, {"x": x}, {}) == pytest.approx(float(slope), rel=3e-15, abs=1e-260)
        values = call_of(entry, k, np.linspace(0.1, 5, 50))
        first, second = np.diff(values), np.diff(values, 2)
        signs = {"convex on": second, "concave on": -second, "increasing on": first, "decreasing on": -first}
        said = entry.facts_at(k)
        assert said
        assert all(np.min(signs.get(fact, values)) > 0 for fact in said)


@by_name(REDUCTIONS)
def test_reduction_differentials(entry: Card) -> None:
    x, dx = np.random.default_rng(2).normal(size=(2, 6))
    law = typed(entry.differential, "x: vector(n); dx: vector(n)")
    claimed = evaluate(law, {"x": x, "dx": dx}, {"n": 6})
    assert claimed == pytest.approx(np.imag(call_of(entry, x + 1j * STEP * dx)) / STEP, rel=1e-12, abs=1e-14)
    differences = (call_of(entry, x + 1e-6 * dx) - call_of(entry, x - 1e-6 * dx)) / 2e-6
    assert claimed == pytest.approx(differences, rel=1e-6, abs=1e-8)


@by_name(REDUCTIONS + [c for c in DEFINED if len(c.signatures) > 1])
def test_reductions_along_an_axis_are_those_of_each_line(entry: Card) -> None:
    assert entry.value is not None
    x = np.random.default_rng(3).normal(size=(3, 4)) + 1j * STEP * np.arange(12.0).reshape(3, 4)
    down = np.stack([call_of(entry, column) for column in x.T], axis=-1)
    along = np.stack([call_of(entry, row) for row in x])
    assert np.asarray(entry.value(np, x, axis=0)) == pytest.approx(down, rel=1e-14)
    assert np.asarray(entry.value(np, x, axis=1)) == pytest.approx(along, rel=1e-14)


@by_name(MATRIX)
def test_matrix_differentials(entry: Card) -> None:
    x, dx = np.random.default_rng(4).normal(size=(2, 4, 4))
    law = typed(entry.differential, "X: matrix(n,n); dX: matrix(n,n)")
    claimed = evaluate(law, {"X": x, "dX": dx}, {"n": 4})
    assert claimed == pytest.approx(np.imag(call_of(entry, x + 1j * STEP * dx)) / STEP, rel=1e-10, abs=1e-11)
    differences = (call_of(entry, x + 1e-6 * dx) - call_of(entry, x - 1e-6 * dx)) / 2e-6
    assert claimed == pytest.approx(differences, rel=1e-6, abs=1e-6)
    assert call_of(entry, x) == pytest.approx(call_of(entry, x + 0j), rel=1e-12)


@by_name(DEFINED)
def test_definitions(entry: Card) -> None:
    x = np.random.default_rng(5).normal(size=5)
    x = np.abs(x) if entry.needs else x
    claimed = evaluate(typed(entry.definition, "x: vector(n)"), {"x": x}, {"n": 5})
    assert call_of(entry, x) == pytest.approx(claimed, rel=1e-14)


def test_the_adjugate_of_singular_matrices() -> None:
    for rank in (0, 1, 2, 3):
        left, right = np.random.default_rng(rank).integers(-3, 4, (2, 3, 3)).astype(float)
        x = left[:, :rank] @ right[:rank]
        cofactors = [[(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(x, i, 0), j, 1)) for i in range(3)]
                     for j in range(3)]  # fmt: skip
        assert call_of(CARDS["adj"], x) == pytest.approx(np.array(cofactors), abs=1e-12)
        assert call_of(CARDS["adj"], x + 0j) == pytest.approx(np.array(cofactors), abs=1e-12)


@pytest.mark.parametrize("x", [[1000.0, -1000.0], [1000.0, 1000.0], [-1000.0, -1001.0], [0.0, -50.0], [1e-30, -1e3]])
def test_logsumexp_and_softmax_are_stable(x: list[float]) -> None:
    with mpmath.workdps(50):
        total = mpmath.fsum(mpmath.exp(v) for v in x)
        exact, shares = float(mpmath.log(total)), [float(mpmath.exp(v) / total) for v in x]
    step = call_of(CARDS["logsumexp"], np.array(x) + 1j * STEP * np.array([1.0, 0.0]))
    assert call_of(CARDS["logsumexp"], np.array(x)) == pytest.approx(exact, rel=1e-15, abs=1e-35)
    assert step.imag / STEP == pytest.approx(shares[0], rel=1e-14)
    assert call_of(CARDS["softmax"], np.array(x)) == pytest.approx(shares, rel=1e-15)


def test_ties_share_the_maximum() -> None:
    x = np.array([2.0, 5.0, 5.0, 1.0])
    assert call_of(CARDS["argmax"], x) == pytest.approx([0, 0.5, 0.5, 0])
    assert np.imag(call_of(CARDS["max"], x + 1j * STEP * np.array([0, 1, 0, 0]))) == pytest.approx(0.5 * STEP)


def test_norm2_neither_overflows_nor_divides_by_zero() -> None:
    norm = CARDS["norm2"]
    assert call_of(norm, np.array([3e200, 4e200])) == pytest.approx(5e200)
    assert call_of(norm, np.zeros(3) + 1j * STEP) == 0


def test_the_commutation_matrix_transposes() -> None:
    x = np.arange(6.0).reshape(2, 3)
    k = CARDS["commutation"].value(np, (6, 6), 2, 3)  # type: ignore[misc]
    assert k @ x.ravel(order="F") == pytest.approx(x.T.ravel(order="F"))


ENTRYWISE = [c for c in CARDS.values() if c.value is not None and c.family != "constructor"
             and ("*->*" in c.signatures.get(None, ())[:1] or c.of_pairs)]  # fmt: skip
EXTREME = np.array([0.0, 1e-300, -1e-300, 1.0, -1.0, 750.0, -750.0])


@pytest.mark.parametrize("entry", ENTRYWISE, ids=lambda entry: entry.name)
def test_harmless_arguments(entry: Card) -> None:
    """Values and slopes are finite there, and anywhere if none are named."""
    if entry.harmless:
        points = [np.array(float(value or 1)) for value in entry.harmless]
    else:
        assert not entry.needs
        points = [np.repeat(EXTREME[1:], 7), np.tile(EXTREME, 6)] if entry.of_pairs else [EXTREME]
    for k in range(len(points)):
        value = call_of(entry, *[x + 1j * STEP * (i == k) * (i or not entry.whole) for i, x in enumerate(points)])
        assert np.all(np.isfinite(value)), entry.name


@pytest.mark.parametrize(("name", "law"), LAWS)
def test_laws(name: str, law: str) -> None:
    left, right = law.split(" = ")
    difference = typed(f"{left} - ({right})", "x: positive vector(n); X: matrix(n,n)")  # one formula sizes both sides
    rng = np.random.default_rng(6)
    arrays = {"x": inside(CARDS[name], rng.uniform(0.1, 0.9, 4)), "X": rng.normal(size=(4, 4))}
    assert np.max(np.abs(evaluate(difference, arrays, {"n": 4}))) < 1e-13, f"{name}: {law}"


FACTS = [pytest.param(c, fact, id=f"{c.name}-{fact}") for c in CARDS.values() for fact in c.facts]
RANGES = {"positive": lambda y: y > 0, "nonnegative": lambda y: y >= 0, "that of x": lambda y: y > 0}


@pytest.mark.parametrize(("entry", "fact"), FACTS)
def test_facts(entry: Card, fact: str) -> None:
    """Each fact against the values."""
    said = entry.facts[fact]
    x = inside(entry, np.random.default_rng(8).uniform(0.1, 0.9, 7))
    signed = x if entry.needs else x * [1, -1, 1, -1, 1, -1, 1]
    if fact == "range":
        assert np.all(RANGES[said](call_of(entry, x if said == "that of x" else signed)))
    elif fact == "bounded":
        assert np.max(np.abs(call_of(entry, signed * [[0.1], [1], [10], [300]]))) <= float(said)
    elif fact in ("at 0", "at 1"):
        assert call_of(entry, np.array(float(fact[-1]))) == pytest.approx(float(Fraction(said)))
    elif fact == "parity":
        assert call_of(entry, -x) == pytest.approx({"odd": -1, "even": 1}[said] * call_of(entry, x))
    elif fact == "degree":
        assert call_of(entry, 3 * signed) == pytest.approx(3 ** int(said) * call_of(entry, signed))
    elif fact in ("on positive", "on nonnegative"):
        at = x if fact == "on positive" else np.append(x, 0)
        assert call_of(entry, at) == pytest.approx(at if said == "x" else float(said))
    elif fact == "undoes":
        x = inside(CARDS[said], x)
        assert call_of(entry, call_of(CARDS[said], x)) == pytest.approx(x)
    elif fact == "quotient":
        above, below = said.split("/")
        assert call_of(entry, x) == pytest.approx(call_of(CARDS[above], x) / call_of(CARDS[below], x))
    elif fact == "of a scalar":
        claimed = evaluate(typed(f"0*x + {said}", "x: scalar"), {"x": np.float64(-0.3)}, {})
        assert call_of(entry, np.array(-0.3)) == pytest.approx(claimed)
    elif fact == "even powers":  # a kink at 0 whose square is flat there
        slopes = [np.abs(call_of(entry, h * x) - call_of(entry, 0 * x)) / h for h in (1e-6, -1e-6)]
        assert np.all(np.abs(slopes) > 0.05)
        assert np.all(np.abs(call_of(entry, 1e-6 * x) ** 2 - call_of(entry, 0 * x) ** 2) < 1e-11)
    elif fact == "0 over it":  # 0 is a subgradient: the function is least at 0
        assert call_of(entry, 0 * x) == 0
        assert call_of(entry, signed) > 0
    else:
        assert fact.endswith(" on")  # tests/test_facts.py


def test_the_functions_are_closed_under_differentiation() -> None:
    for entry in CARDS.values():
        for text in (*entry.slopes, entry.differential, entry.definition):
            for node in walk(parse_expression(text)) if text else ():
                assert node.op != "call" or card(node.value.name), f"{entry.name}: {node.value.name} has no card"


def test_torch_has_what_numpy_code_takes_from_scipy() -> None:
    assert {c.name for c in CARDS.values() if c.scipy} <= SPELLED.keys()


@by_name(list(CARDS.values()))
def test_a_card_is_complete(entry: Card) -> None:
    assert entry.family in FAMILIES
    assert all((entry.because, entry.signatures, entry.latex))
    assert entry.whole is None or entry.whole.name in entry.arguments
    counted = entry.whole.name if entry.whole else ""
    slopes = [slope for a, slope in zip(entry.arguments, entry.slopes, strict=False) if a != counted]
    given = {"elementwise": all(slopes), "reduction": entry.differential, "matrix": entry.differential,
             "defined": entry.definition}.get(entry.family, "-")  # fmt: skip
    assert given
    assert entry.value or entry.name in ("rows", "cols", "length")
    assert entry.scipy == ("scipy" in entry.numpy)
    assert all(re.fullmatch(r"(\*|[a-z()',]*)(,\*)?->(\*|[a-z()']*)", s) for s in sum(entry.signatures.values(), ()))


@by_name([c for c in CARDS.values() if c.family != "constructor"])
def test_generated_code_agrees_with_the_value(entry: Card) -> None:
    square = any("ii" in s for s in entry.signatures[None])
    count = 2 if entry.name == "kron" or entry.of_pairs else 1
    arguments = ", ".join("XY"[:count] if square or entry.name in ("kron", "tril", "triu") else "xy"[:count])
    text = f"{entry.name}({'2, x' if entry in COUNTED else arguments})"
    expr = typed(text, "X: matrix(n,n); Y: matrix(m,n); x: vector(n); y: vector(n)")
    rng = np.random.default_rng(7)
    arrays = {
        "X": rng.uniform(0.1, 0.9, (4, 4)),
        "Y": rng.normal(size=(3, 4)),
        "x": inside(entry, rng.uniform(0.1, 0.9, 4)),
    }
    arrays["y"] = np.abs(rng.normal(size=4)) if entry.needs else rng.normal(size=4)
    used = {node.value: node.type for node in walk(expr) if node.op == "name"}
    where = {name: type_text(type, frozenset()) for name, type in used.items() if type}
    got = matgrad.compile(matgrad.parse(text, where=where))(**{name: arrays[name] for name in used})
    assert got == pytest.approx(evaluate(expr, arrays, {"m": 3, "n": 4}), rel=1e-12)
    assert all((to_latex(expr), to_unicode(expr)))


def test_names_that_are_not_functions_say_what_to_use() -> None:
    assert not NOT_YET.keys() & set(names())
    assert all(NOT_YET.values())
    assert card("ln") is None


FORMULAS = sorted({hint for hint in NOT_YET.values() if not re.search(r"[a-z]{2,} |[;:] |, [a-z]", hint)})
"""The hints that are formulas, without a word."""


@pytest.mark.parametrize("text", FORMULAS)
def test_what_to_use_instead_can_be_read(text: str) -> None:
    where = {"x": "vector(n)", "y": "vector(n)", "z": "vector(n)", "a": "scalar", "b": "scalar", "c": "scalar"}
    where |= {"X": "matrix(n,n)", "Y": "matrix(n,n)", "A": "matrix(n,n)", "B": "matrix(n,n)", "p": "scalar"}
    used = {name: kind for name, kind in where.items() if re.search(rf"\b{name}\b", text)}
    assert matgrad.parse(text, where=used).text


def test_cards_do_not_import_numpy() -> None:
    code = "import sys, matgrad.functions; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
