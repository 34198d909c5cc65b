"""Stable graphs: every rule on its examples, random compositions, and formulas where floating point goes wrong.

The truth of the table was found without matgrad's derivatives (``tools/write_stability.py``), and is checked here.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from fractions import Fraction
from itertools import permutations
from pathlib import Path
from typing import Any

import mp_evaluator
import numpy as np
import pytest
from random_formulas import SIZES, arrays_of, random_formula, variables_of, where_of
from tensor_evaluator import evaluate

import matgrad
from matgrad.answer.formula import Formula
from matgrad.checking.sampling import Subject, points
from matgrad.functions import CARDS, CODE_ONLY
from matgrad.stabilising import stable as stable_page
from matgrad.stabilising.growth import NESTED, grows
from matgrad.stabilising.rule import AHEAD, BEFORE, LAST, RULES
from matgrad.stabilising.series import FUNCTIONS, Series, near, of_function
from matgrad.stabilising.stable import stabilised
from matgrad.tensor import builders as b
from matgrad.tensor.law import Law, Laws, laws_used
from matgrad.tensor.nodes import Map, Node

ALL = [*AHEAD.all, *BEFORE.all, *RULES.all, *LAST.all]
EXAMPLES = [(rule, formula, where) for rule in ALL for formula, where in rule.examples]
ROWS = [json.loads(line) for line in (Path(__file__).parent / "data" / "stability.jsonl").read_text().splitlines()]

# Where digits are lost for a reason: a difference of rounded data, or a result that is itself nearly nothing beside
# the terms that it is made of (a gradient at a perfect fit, the Hessian of softmax where one entry is nearly 1).
LOST = {
    ("exp(a)/(1 + exp(a) + exp(b))", 2),
    ("log(sum(exp(x)))", 2),
    ("exp(x)/sum(exp(x))", 1),
    ("log(sum(exp(x - y)))", 2),
    ("log(sum(exp(x))/3)", 2),
    ("log(mean(exp(x)))", 2),
    ("log(exp(x)'*exp(y))", 2),
    ("log(sum(exp(X*w)))", 2),
    ("log(1 + sum(exp(x)))", 2),
    ("exp(x)/(1 + sum(exp(x)))", 1),
    ("log(softmax(x)[1])", 1),
    ("log(softmax(x)[1])", 2),
    ("-y'*log(softmax(x))", 2),
    ("-y'*log(exp(x)/sum(exp(x)))", 2),
    ("-sum(softmax(x).*log(softmax(x)))", 2),
    ("logsumexp(x) - x[1]", 1),
    ("logsumexp(x) - x[1]", 2),
    ("log(w'*exp(x))", 2),
    ("w.*exp(x)/(w'*exp(x))", 1),
    ("exp(x - max(x))/sum(exp(x - max(x)))", 1),
    ("sqrt(x + 1) - sqrt(x)", 2),
    ("log(det(eye + x*x'))", 0),
    ("sum((x - mean(x)).^2)/3", 1),
    ("x'*x/3 - mean(x)^2", 0),
    ("x'*x/3 - mean(x)^2", 1),
}


def asked(formula: Formula, wrt: str, order: int) -> Any:
    """The formula, its derivative or its Hessian."""
    return [lambda: formula, lambda: matgrad.derive(formula, wrt), lambda: matgrad.hessian(formula, wrt)][order]()


def node_of(formula: Formula, wrt: str, order: int) -> Node:
    found: Node = asked(formula, wrt, order).node
    return found


@pytest.mark.parametrize(
    ("rule", "text", "where"), EXAMPLES, ids=[f"{rule.name}: {text}" for rule, text, _ in EXAMPLES]
)
def test_rule_keeps_the_value(rule: Law, text: str, where: str) -> None:
    formula = Formula(text, where)
    with laws_used() as used:
        formula.node.memo.clear()
        stable = stabilised(formula.node)
    assert stable is not formula.node
    assert any(law.name == rule.name for law in used), [law.name for law in used]
    subjects = [Subject(n, v.type, frozenset(v.traits)) for n, v in formula.typed.variables.items()]
    compared = 0
    for point, _ in zip(points(formula.program, subjects, (), seed=3), range(5), strict=False):
        before = evaluate(formula.node, point.arrays, point.sizes)
        after = evaluate(stable, point.arrays, point.sizes)
        np.testing.assert_allclose(after, before, rtol=1e-8, atol=1e-12 + 1e-9 * np.max(np.abs(before)))
        compared += 1
    assert compared == 5


def verdict(found: Any, row: dict[str, Any]) -> str:
    """ok, nan, inf or digits: against the truth, relative to its largest entry."""
    truth, found = np.asarray(row["truth"]), np.asarray(found)
    assert found.shape == truth.shape
    defined = np.isfinite(truth)
    truth, found = truth[defined], found[defined]
    if not np.all(np.isfinite(found)):
        return "nan" if np.any(np.isnan(found)) else "inf"
    scale = np.max(np.abs(truth), initial=0.0)
    if scale < 1e-300:
        return "ok" if np.max(np.abs(found), initial=0.0) < 1e-300 else "digits"
    return "ok" if np.max(np.abs(found / scale - truth / scale)) <= row["tolerance"] else "digits"


def wrong_in(order: int) -> dict[tuple[str, int], list[tuple[str, Any]]]:
    """What the compiled code gets wrong: nan, inf or digits, and where."""
    compiled: dict[tuple[str, str, str], Any] = {}
    wrong = defaultdict(list)
    for row in ROWS:
        if row["order"] != order:
            continue
        key = (row["formula"], row["where"], row["wrt"])
        if key not in compiled:
            compiled[key] = matgrad.compile(asked(matgrad.parse(row["formula"], where=row["where"]), row["wrt"], order))
        arrays = {name: np.asarray(value, dtype=float) for name, value in row["point"].items()}
        with np.errstate(all="ignore"):
            found = verdict(compiled[key](**arrays), row)
        if found != "ok":
            wrong[row["formula"], order].append((found, row["point"][row["wrt"]]))
    assert len(compiled) > 60
    return wrong


@pytest.mark.parametrize("order", [0, 1, 2])
def test_stable_where_floating_point_goes_wrong(order: int) -> None:
    wrong = wrong_in(order)
    lost = {key for key, found in wrong.items() if {what for what, _ in found} == {"digits"}}
    assert lost == {key for key in LOST if key[1] == order}, {key: wrong[key] for key in lost - LOST}
    assert wrong.keys() == lost, {key: wrong[key] for key in wrong.keys() - lost}


@pytest.mark.parametrize("row", ROWS[::97], ids=lambda row: f"{row['formula']}, order {row['order']}")
def test_truth_of_the_table(row: dict[str, Any]) -> None:
    program = matgrad.parse(row["formula"], where=row["where"]).typed.program
    found = mp_evaluator.derivative(program, row["point"], row["sizes"], row["wrt"], row["order"])
    np.testing.assert_allclose(np.asarray(found, dtype=float), row["truth"], rtol=1e-14, atol=0)


def test_exact_derivatives_are_those_known() -> None:
    program = matgrad.parse("log(1 + exp(z))", where="z: scalar").typed.program
    first, second = (float(mp_evaluator.derivative(program, {"z": -800.0}, {}, "z", order)) for order in (1, 2))
    assert first == second == 0.0  # 4e-348
    at = float(mp_evaluator.derivative(program, {"z": -700.0}, {}, "z", 2))
    assert at == pytest.approx(np.exp(-700.0), rel=1e-15)


@pytest.mark.parametrize("chunk", range(4))
def test_random_formulas_keep_their_values(chunk: int) -> None:
    """Wherever the graph has a finite value, the stable one has the same, in derivatives too."""
    changed = 0
    for seed in range(5 * 10**6 + 30 * chunk, 5 * 10**6 + 30 * (chunk + 1)):
        text = random_formula(seed).text
        formula = matgrad.parse(text, where=where_of(text))
        arrays = arrays_of(text, seed)
        nodes = [formula.node, *[matgrad.derive(formula, name).node for name in variables_of(text)[:1]]]
        for node in nodes:
            stable = stabilised(node)
            if stable is node:
                continue
            with np.errstate(all="ignore"):
                before, after = evaluate(node, arrays, SIZES), evaluate(stable, arrays, SIZES)
            finite = np.isfinite(before)
            size = max(np.max(np.abs(before[finite]), initial=0.0), 1e-3)
            np.testing.assert_allclose(after[finite], before[finite], rtol=1e-8, atol=1e-8 * size, err_msg=text)
            changed += bool(finite.any())
    assert changed >= 3


def test_rules_are_tried_in_the_order_of_the_page_whatever_is_imported_first() -> None:
    imported = re.findall(
        r"^from matgrad.stabilising import (\w+) as", Path(stable_page.__file__).read_text(), re.MULTILINE
    )
    for rules in (RULES, BEFORE, LAST):
        modules = dict.fromkeys(rule.rewrite.__module__.rpartition(".")[2] for rule in rules.all)
        assert list(modules) == [name for name in imported if name in modules]


def test_stable_graphs_stay() -> None:
    for row in ROWS[::29]:
        stable = stabilised(node_of(matgrad.parse(row["formula"], where=row["where"]), row["wrt"], row["order"]))
        assert stabilised(stable) is stable, row["formula"]


def test_rules_in_a_circle_depend_on_the_root_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was asked before: what is found inside a circle of rules is not remembered."""
    rules = Laws()
    for name, other in (("sin", "cos"), ("cos", "tan"), ("tan", "sin")):

        @rules.add(f"{name} as {other}", "", because="", examples=(), on=(Map,))
        def turned(node: Any, name: str = name, other: str = other) -> Node | None:
            return b.map_(other, node.args) if node.function == name else None

    monkeypatch.setattr("matgrad.stabilising.stable.RULES", rules)
    found = set()
    for k, order in enumerate(permutations(("sin", "cos", "tan", "exp"))):
        x = b.symbol(f"x{k}", ())
        nodes = {name: b.map_(name, (x,)) for name in ("sin", "cos", "tan")}
        sin, cos, tan = (b.map_("exp", (node,)) for node in nodes.values())
        nodes["exp"] = b.map_("ratio", (sin, b.map_("ratio", (cos, tan))))
        stable = {name: stabilised(nodes[name]) for name in order}
        found.add(tuple(sorted((name, str(node).replace(x.name, "x")) for name, node in stable.items())))
    assert len(found) == 1, found


@pytest.mark.parametrize("first", range(2 * NESTED + 1))
def test_what_grows_does_not_depend_on_what_was_asked_before(first: int) -> None:
    nodes = [b.map_("exp", (b.symbol(f"x{first}", ()),))]
    for k in range(NESTED):
        nodes.append(b.multiply(b.symbol(f"a{k}", ()), nodes[-1]))
        nodes.append(b.add([nodes[-1], b.symbol(f"c{k}", ())]))
    for depth in (first, *range(len(nodes))):
        assert grows(nodes[depth]) == (depth <= NESTED)


def test_deep_graphs_need_no_recursion() -> None:
    levels = 400
    c = b.symbol("c", ())
    x = b.symbol("x", ())
    value = np.asarray(0.5)
    for _ in range(levels):
        x = b.map_("log", (b.add([b.number(3), b.map_("exp", (b.multiply(c, x),))]),))
        value = np.log(3 + np.exp(-0.3 * value))
    found = evaluate(stabilised(x), {"x": np.asarray(0.5), "c": np.asarray(-0.3)}, {})
    assert found == pytest.approx(value, rel=1e-10)


def test_functions_for_code_are_not_in_the_language() -> None:
    assert not CODE_ONLY.keys() & CARDS.keys()
    for name in CODE_ONLY:
        with pytest.raises(matgrad.MatgradError):
            matgrad.parse(f"{name}(x)", where="x: vector(n)")


TAILS = [-1e6, -60.0, -8.0, -3.01, -3.0, -2.9, -1.0, 0.5, 6.0, 30.0]


def _hazard(mp: Any, x: Any) -> list[Any]:
    """h = normpdf(x)/normcdf(x), -h' and h''; just right of -3 the terms of h'' are 600 times as large as it is."""
    h = mp.npdf(x) * 2 / mp.erfc(-x / mp.sqrt(2))
    return [h, h * (x + h), h * (x * x + 3 * x * h + 2 * h * h - 1)]


EXACT = [
    ("log1mexp", [-1e-12, -0.5, -0.7, -30.0, -800.0], lambda mp, x: mp.log(1 - mp.exp(x))),
    ("log_cosh", [1e-9, -1e-5, 0.9, -1.1, 30.0, 900.0], lambda mp, x: mp.log(mp.cosh(x))),
    ("log1p_square", [1e-9, -0.5, 1e99, 1e101, -1e250], lambda mp, x: mp.log(1 + x * x)),
    ("log_normcdf", [-1e3, -40.0, -1.0, 0.5, 6.0], lambda mp, x: mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)),
    ("sech2", [-1e-9, 0.5, -30.0, 300.0, 800.0], lambda mp, x: 1 / mp.cosh(x) ** 2),
    ("normal_ratio", TAILS, lambda mp, x: _hazard(mp, x)[0]),
    ("normal_ratio1", TAILS, lambda mp, x: _hazard(mp, x)[1]),
    ("normal_ratio2", TAILS, lambda mp, x: _hazard(mp, x)[2]),
    ("decay", [-1000.0, -0.5, 0.0], lambda mp, x: mp.exp(x)),
]


@pytest.mark.parametrize(("name", "at", "exact"), EXACT, ids=[name for name, *_ in EXACT])
def test_functions_for_code(name: str, at: list[float], exact: Any) -> None:
    import mpmath

    x = b.symbol("x", ())
    with mpmath.workdps(400):
        wanted = [float(exact(mpmath, mpmath.mpf(value))) for value in at]
    with np.errstate(all="ignore"):
        found = [float(evaluate(b.map_(name, (x,)), {"x": np.asarray(value)}, {})) for value in at]
    np.testing.assert_allclose(found, wanted, rtol=2e-12 if "normal" in name else 1e-14, atol=0)


def _between(mp: Any, x: Any, y: Any) -> Any:
    """A tail of the normal distribution, or the integral: no difference of numbers near 1."""
    x, y = (-x, -y) if x + y > 0 else (x, y)
    return mp.log(abs(mp.erfc(-x / mp.sqrt(2)) - mp.erfc(-y / mp.sqrt(2))) / 2)


NEAR = [(1e-9, -1e-9), (0.5, 0.25), (9.5, 9.0), (-40.0, -39.0), (60.0, -60.0), (30.0, -2.0), (2.0, 30.0)]
EXACT_PAIRS = [
    ("larger", [*NEAR, (0.25, 0.25)], lambda mp, x, y: max(x, y)),
    ("smaller", [*NEAR, (0.25, 0.25)], lambda mp, x, y: min(x, y)),
    ("log_normcdf_between", NEAR, _between),
    ("exp_difference", [*NEAR, (1.0, 1.0 + 1e-9), (-800.0, 0.25)], lambda mp, x, y: mp.exp(x) - mp.exp(y)),
]


@pytest.mark.parametrize(("name", "at", "exact"), EXACT_PAIRS, ids=[name for name, *_ in EXACT_PAIRS])
def test_functions_of_two_for_code(name: str, at: list[tuple[float, float]], exact: Any) -> None:
    import mpmath

    x, y = b.symbol("x", ()), b.symbol("y", ())
    with mpmath.workdps(1000):
        wanted = [float(exact(mpmath, mpmath.mpf(first), mpmath.mpf(second))) for first, second in at]
    for (first, second), value in zip(at, wanted, strict=True):
        found = evaluate(b.map_(name, (x, y)), {"x": np.asarray(first), "y": np.asarray(second)}, {})
        assert float(found) == pytest.approx(value, rel=1e-13, abs=1e-15)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_what_is_clipped_keeps_its_digits(backend: Any) -> None:
    """max(min(r, d), -d) - r was rounding instead of 0, of which norm2 made a unit vector."""
    if backend == "jax":
        pytest.importorskip("jax")
    where = "r: vector(n); d: positive"
    lost = matgrad.gradient("d*norm2(r - max(min(r,d),-d))", "r", where=where)
    huber = matgrad.gradient("c = max(min(r,d),-d); c'*(r - c/2)", "r", where=where)
    for derivative, wanted in ((lost, np.zeros(3)), (huber, np.array([1e-12, -0.3, 0.2]))):
        found = matgrad.compile(derivative, backend=backend)(r=np.array([1e-12, -0.3, 0.2]), d=1.0)
        np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-14, atol=0)
    far = matgrad.compile(matgrad.parse("max(min(r,d),-d)", where=where), backend=backend)
    np.testing.assert_array_equal(np.asarray(far(r=np.array([1e30, -1e30, np.nan]), d=0.3)), [0.3, -0.3, np.nan])


AT_ZERO = {"decay": "exp", "arctan": "atan", "arcsin": "asin", "arcsinh": "asinh", "arctanh": "atanh"}
BY_NAME: dict[str, Any] = {
    "log1p": lambda mp, x: mp.log(1 + x),
    "sech2": lambda mp, x: mp.sech(x) ** 2,
    "log_cosh": lambda mp, x: mp.log(mp.cosh(x)),
    "log1p_square": lambda mp, x: mp.log(1 + x * x),
    "sigmoid": lambda mp, x: 1 / (1 + mp.exp(-x)),
}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_series_of_functions(name: str) -> None:
    import mpmath

    with mpmath.workdps(60):
        exact = BY_NAME.get(name) or (lambda mp, x: getattr(mp, AT_ZERO.get(name, name))(x))
        wanted = [float(c) for c in mpmath.taylor(lambda x: exact(mpmath, x), 0, 12)]
    np.testing.assert_allclose([float(c) for c in of_function(name, 13)], wanted, rtol=1e-14, atol=1e-30)


def test_series_of_products_powers_and_compositions() -> None:
    x = Series(1, [Fraction(1), *[Fraction(0)] * 9])
    sine, cosine = x.inside("sin"), x.inside("cos")
    assert sine is not None
    assert cosine is not None
    root = (sine * sine).scaled(Fraction(-1)) + Series(0, [Fraction(1), *[Fraction(0)] * 9])
    cosine_again = root.power(Fraction(1, 2))
    assert cosine_again is not None
    assert cosine_again.numbers == cosine.numbers[:10]
    tangent, inverse = x.inside("tan"), sine.power(Fraction(-1))
    assert tangent is not None
    assert inverse is not None
    again = tangent.inside("arctan")
    assert again is not None
    assert [again.at(k) for k in range(10)] == [0, 1, *[0] * 8]
    assert inverse.first == -1
    assert [inverse.at(k) for k in (-1, 1, 3)] == [1, Fraction(1, 6), Fraction(7, 360)]
    assert sine.power(Fraction(1, 2)) is None
    assert cosine.inside("exp") is None


REMOVABLE: dict[str, Any] = {
    "sin(x)/x": lambda mp, x: mp.sin(x) / x,
    "1 - sin(x^4)/x^4": lambda mp, x: 1 - mp.sin(x**4) / x**4,
    "x^3 - sin(x^3)": lambda mp, x: x**3 - mp.sin(x**3),
    "1/x^5 - 1/(exp(x^5) - 1)": lambda mp, x: 1 / x**5 - 1 / mp.expm1(x**5),
    "(exp(-x^7) - 1 + x^7)/x^3": lambda mp, x: (mp.exp(-(x**7)) - 1 + x**7) / x**3,
    "(1 - cos(x^3))/x^6": lambda mp, x: (1 - mp.cos(x**3)) / x**6,
    "erf(x)/x": lambda mp, x: mp.erf(x) / x,
    "(sqrt(1 + x) - 1)/x": lambda mp, x: (mp.sqrt(1 + x) - 1) / x,
}


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("text", REMOVABLE)
def test_near_and_far_from_removable_singularities(text: str, order: int) -> None:
    """On both sides of the radius up to which a series is taken, and there."""
    import mpmath

    formula = matgrad.parse(text, where="x: scalar")
    computed = matgrad.compile(asked(formula, "x", order))
    with mpmath.workdps(120):
        for k in range(60):
            x = 1e-3 * 1.14**k
            exact = mpmath.diff(lambda x: REMOVABLE[text](mpmath, x), mpmath.mpf(x), order, h=mpmath.mpf(10) ** -40)
            assert computed(x=x) == pytest.approx(float(exact), rel=1e-11), x


def test_a_series_of_which_too_little_is_known_is_not_taken() -> None:
    """x^20/6 - x^40/120: with 32 coefficients nothing is known of what is left out."""
    few = [Fraction(1, 6), *[Fraction(0)] * 19, Fraction(-1, 120), *[Fraction(0)] * 11]
    assert near(few) is None
    assert near([Fraction(1, 6), *[Fraction(0)] * 31]) is None
    assert near(of_function("exp", 32)) is not None


FINITE = [
    ("-log(softmax(x)[1])", "x: vector(n)", {"x": [-1000.0, 1000.0, 0.0]}, 2000.0, [-1.0, 1.0, 0.0], np.zeros((3, 3))),
]


@pytest.mark.parametrize(("text", "where", "at", "value", "slope", "second"), FINITE)
def test_derivatives_where_what_is_typed_overflows(
    text: str, where: str, at: dict[str, Any], value: Any, slope: Any, second: Any
) -> None:
    formula, wrt = matgrad.parse(text, where=where), next(iter(at))
    together = matgrad.compile([asked(formula, wrt, order) for order in range(3)])
    point = {name: np.asarray(given) for name, given in at.items()}
    alone = [matgrad.compile(asked(formula, wrt, order))(**point) for order in range(3)]
    for found in (together(**point), alone):
        for one, wanted in zip(found, (value, slope, second), strict=True):
            np.testing.assert_allclose(one, wanted, rtol=1e-12, atol=0)


def test_determinants_whose_parts_overflow() -> None:
    pivots = np.array([1e200, 3e200, -1e-200, 2e-200])
    mixed = np.eye(4)[[2, 0, 1, 3]] @ np.diag(pivots)
    items = [matgrad.parse(text, where="X: matrix(n, n)") for text in ("det(X)", "tr(inv(X))", "log(abs(det(X)))")]
    found, _, log = matgrad.compile(items)(X=mixed)
    assert found == pytest.approx(-6.0, rel=1e-14)
    assert log == pytest.approx(np.log(6.0), rel=1e-12)
    many = np.full(240, 1e-3)
    many[:120] = 1e3
    found, _, log = matgrad.compile(items)(X=np.diag(many))
    assert found == pytest.approx(1.0, rel=1e-12)
    assert log == pytest.approx(0.0, abs=1e-12)
    for size in (1, 65, 130):
        d = np.linspace(0.5, 2.0, size)
        found, *_ = matgrad.compile(items)(X=np.diag(d))
        assert found == pytest.approx(np.prod(d), rel=1e-12)


@pytest.mark.parametrize("text", ["log(1 + x^2) + log(cosh(x))", "sqrt(1 + x^2) - 1"])
def test_code_for_jax_can_be_differentiated(text: str) -> None:
    jax = pytest.importorskip("jax")
    formula = matgrad.parse(text, where="x: scalar")
    value = matgrad.compile(formula, backend="jax")
    slope = matgrad.compile(matgrad.derive(formula, "x"))
    for at in (0.0, 1e-5, -3.0, 900.0, 1e17):
        assert jax.grad(lambda x: value(x=x))(at) == pytest.approx(float(slope(x=at)), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize(
    ("text", "where", "at"),
    [
        ("exp(x) - exp(c)", "x: scalar; c: scalar", [(1.0, 1.0), (-3.0, 2.0), (5.0, -1.0)]),
        ("sigmoid(x) - sigmoid(c) + tanh(x) - tanh(c)", "x: scalar; c: scalar", [(1.0, 1.0), (-3.0, 2.0)]),
        ("normcdf(x) - normcdf(c)", "x: scalar; c: scalar", [(1.0, 1.5), (-3.0, -2.0), (0.5, -0.25)]),
        ("normpdf(x)/normcdf(x) + c", "x: scalar; c: scalar", [(-3.0, 0.0), (-8.0, 0.0), (2.0, 0.0)]),
        ("x^3/c^3", "x: scalar; c: scalar", [(0.0, 2.0), (-3.0, 2.0)]),
    ],
)
def test_new_code_for_jax_can_be_differentiated(text: str, where: str, at: list[tuple[float, float]]) -> None:
    jax = pytest.importorskip("jax")
    formula = matgrad.parse(text, where=where)
    value = matgrad.compile(formula, backend="jax")
    slope = matgrad.compile(matgrad.derive(formula, "x"))
    for x, c in at:
        found = jax.grad(lambda x, c=c: value(x=x, c=c))(x)
        assert found == pytest.approx(float(slope(x=x, c=c)), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("x", [[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [1.0, 2.0, -3.0]])
def test_products_with_zeros(x: list[float]) -> None:
    """Also of rows, of what is made of x, and where JAX differentiates the code."""
    jax = pytest.importorskip("jax")
    formula = matgrad.parse("prod(x)", where="x: vector(n)")
    text = "y'*prod(X, dim=2) + exp(prod(X[1, :])) + prod(X[1, :])^2"
    rows = matgrad.parse(text, where="X: matrix(m, n); y: vector(m)")
    gradient, hessian = (matgrad.compile(asked(formula, "x", order))(x=np.array(x)) for order in (1, 2))
    others = [np.prod(np.delete(x, i)) for i in range(3)]
    two = [[0.0 if i == j else np.prod(np.delete(x, [i, j])) for j in range(3)] for i in range(3)]
    np.testing.assert_allclose(gradient, others)
    np.testing.assert_allclose(hessian, two)
    X, y = np.array([x, [1.0, 0.0, 4.0]]), np.array([1.0, -2.0])
    found = matgrad.compile(matgrad.hessian(rows, "X"))(X=X, y=y)
    exponential, both = np.exp(np.prod(x)), np.outer(others, others)
    wanted = np.array(two) * (1 + exponential + 2 * np.prod(x)) + (exponential + 2) * both
    np.testing.assert_allclose(found[0, :, 0, :], wanted)
    code = matgrad.compile(asked(formula, "x", 1), backend="jax")
    np.testing.assert_allclose(jax.jacobian(lambda x: code(x=x))(np.array(x)), two, rtol=1e-5)
