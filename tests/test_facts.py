"""Facts: textbook tables, and random formulas on which every yes is tried to be refuted and every no rechecked."""

from __future__ import annotations

import json
import pickle
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import random_formulas
from convex_formulas import DECLARED, convex_formula
from random_formulas import random_formula

import matgrad
from matgrad.certificates.findings import CURVATURES, Finding, Inquiry
from matgrad.certificates.judge import RULES, Judge
from matgrad.certificates.refute import Search, against, against_convexity
from matgrad.certificates.setting import region
from matgrad.cli import main
from matgrad.errors import MatgradError
from matgrad.formula.reference import evaluate
from matgrad.functions import CARDS
from matgrad.tensor.facts import Fact

YES, NO, UNKNOWN = Fact.YES, Fact.NO, Fact.UNKNOWN
TABLE = [
    [part.strip() for part in line.split("|")]
    for line in (Path(__file__).parent / "data" / "curvature.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
VERDICTS = {"affine": (YES, YES, YES), "convex": (NO, YES, NO), "concave": (NO, NO, YES), "neither": (NO, NO, NO)}


def test_the_table_is_long_enough() -> None:
    assert len(TABLE) >= 80
    assert len([row for row in TABLE if row[3].endswith("?")]) <= 5


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]} in {row[2]}")
def test_textbook(row: list[str]) -> None:
    """Right answers; what is true and not shown is marked, and must be unknown, not no."""
    text, where, names, verdict, _ = row
    facts = matgrad.parse(text, where=where or None).facts(names.split(","))
    found = [facts[claim] for claim in ("affine", "convex", "concave")]
    if verdict == "unknown":
        assert found[1].holds is UNKNOWN
        assert found[1].supposing
    elif verdict.endswith("?"):
        assert facts[verdict[:-1]].holds is UNKNOWN
        assert [f.holds for f in found].count(NO) == 2
    else:
        assert tuple(f.holds for f in found) == VERDICTS[verdict]
    assert all(f.reason for f in found if f.holds is not UNKNOWN)


# Formula, declarations, fact, what it is.
VALUES = [
    ("A'*A", "", "psd", YES),
    ("A'*A", "", "symmetric", YES),
    ("A'*A", "", "spd", UNKNOWN),
    ("A*A", "A: matrix(n,n)", "symmetric", NO),
    ("A.*A'", "A: matrix(n,n)", "psd", NO),
    ("A.*A'", "A: matrix(n,n)", "symmetric", YES),
    ("X'*C*X", "C: psd(n)", "psd", YES),
    ("X'*C*X", "C: symmetric(n)", "psd", NO),
    ("inv(S)", "S: spd(n)", "spd", YES),
    ("S + Q", "S: spd(n); Q: psd(n)", "spd", YES),
    ("S - T", "S: spd(n); T: spd(n)", "psd", NO),
    ("S*T", "S: spd(n); T: spd(n)", "symmetric", NO),
    ("S*T", "S: spd(n); T: spd(n)", "psd", NO),
    ("S .* T", "S: spd(n); T: psd(n)", "psd", YES),
    ("S .* S", "S: spd(n)", "spd", YES),
    ("kron(S, T)", "S: spd(n); T: spd(m)", "spd", YES),
    ("kron(S, T)", "S: spd(n); T: psd(m)", "psd", YES),
    ("eye + x*x'", "x: vector(n)", "spd", YES),
    ("eye - x*x'", "x: vector(n)", "psd", NO),
    ("x*x'", "", "psd", YES),
    ("x*y'", "y: vector(n); x: vector(n)", "symmetric", NO),
    ("diag(w)", "w: positive vector(n)", "spd", YES),
    ("diag(w)", "w: nonnegative vector(n)", "psd", YES),
    ("diag(x)", "", "psd", NO),
    ("diag(p) - p*p'", "p: positive vector(n)", "psd", NO),
    ("A'*diag(exp(x))*A", "", "psd", YES),
    ("S[1:2,1:2]", "S: spd(3)", "spd", YES),
    ("S[1:2,1:2]", "S: psd(3)", "psd", YES),
    ("S^2", "S: symmetric(n)", "psd", YES),
    ("S^3", "S: spd(n)", "spd", YES),
    ("S^3", "S: symmetric(n)", "psd", NO),
    ("c*S", "S: spd(n); c: positive", "spd", YES),
    ("c*S", "S: spd(n); c: scalar", "psd", NO),
    ("O'*S*O", "S: spd(n); O: orthogonal(n)", "spd", YES),
    ("O*U'", "O: orthogonal(n); U: orthogonal(n)", "orthogonal", YES),
    ("O + U", "O: orthogonal(n); U: orthogonal(n)", "orthogonal", NO),
    ("inv(O)", "O: orthogonal(n)", "invertible", YES),
    ("eye + A'*A", "", "invertible", YES),
    ("X", "X: matrix(n,n)", "invertible", UNKNOWN),
    ("x'*P*x", "P: psd(n)", "nonnegative", YES),
    ("x'*P*x", "P: symmetric(n)", "nonnegative", NO),
    ("x'*x", "", "positive", NO),
    ("x'*x", "", "nonnegative", YES),
    ("1 + x'*x", "", "positive", YES),
    ("exp(x)", "x: vector(n)", "positive", YES),
    ("tr(A'*S*A*T)", "S: psd(n); T: psd(m)", "nonnegative", YES),
    ("tr(S*T)", "S: psd(n); T: psd(n)", "nonnegative", YES),
    ("tr(S*T)", "S: symmetric(n); T: psd(n)", "nonnegative", NO),
    ("det(S)", "S: spd(n)", "positive", YES),
    ("diag(S)", "S: psd(n)", "nonnegative", YES),
    ("norm2(A*x - b)", "", "nonnegative", YES),
    ("softmax(x)", "x: vector(n)", "positive", YES),
    ("1 - tanh(x).^2", "x: vector(n)", "positive", UNKNOWN),
    ("w'*v", "w: positive vector(n); v: nonnegative vector(n)", "nonnegative", YES),
    ("relu(x) - x", "x: vector(n)", "nonnegative", UNKNOWN),
    ("logsumexp(x)", "x: vector(n)", "nonnegative", NO),
    ("A'*inv(A*A' + eye)*A", "", "psd", YES),
    ("x[2]", "x: positive vector(3)", "positive", YES),
    ("x[2:3]", "x: positive vector(n)", "positive", YES),
    ("[x; y[1]]", "x: positive vector(n); y: vector(n)", "positive", NO),
    ("[x; 0]", "x: positive vector(n)", "positive", NO),
    ("kron(x, y)", "x: positive vector(n); y: positive vector(m)", "positive", YES),
    ("X[1,:]", "X: matrix(m,n)", "nonnegative", NO),
    ("S[1,1]", "S: spd(3)", "nonnegative", YES),
    ("exp(A) .* exp(A')", "A: matrix(n,n)", "psd", NO),
    ("log(1 + norm2(x)^2)", "", "nonnegative", YES),
    ("sum(log(1 + x.^2))", "x: vector(n)", "nonnegative", YES),
    ("log(0.99 + norm2(x)^2)", "", "nonnegative", NO),
    ("log(cosh(A*x))", "", "nonnegative", YES),
    ("cosh(x) - 1", "x: vector(n)", "nonnegative", YES),
    ("cosh(x) - 1.01", "x: vector(n)", "nonnegative", NO),
    ("2 - cosh(x)", "x: vector(n)", "nonnegative", NO),
    ("log1p(norm2(x))", "", "nonnegative", YES),
    ("arctan(x.^2)", "x: vector(n)", "nonnegative", YES),
    ("log(w)", "w: positive vector(n)", "nonnegative", NO),
    ("logdet(eye + X'*X)", "", "nonnegative", YES),
    ("logdet(0.9*eye + X'*X)", "", "nonnegative", NO),
    ("eye - X*inv(X'*X)*X'", "", "psd", YES),
    ("eye - 2*X*inv(X'*X)*X'", "", "psd", NO),
    ("eye - X*inv(X'*X + eye)*X'", "", "spd", UNKNOWN),
    ("eye - x*x'", "", "psd", NO),
    # a projection and a reflection, whatever the order in which their terms are written
    ("eye - A*inv(A'*A)*A'", "", "psd", YES),
    ("eye - x*x'/(x'*x)", "x: vector(n)", "psd", YES),
    ("eye - ones(n)*ones(n)'/n", "", "psd", YES),
    ("eye - 2*x*x'/(x'*x)", "x: vector(n)", "orthogonal", YES),
    ("2*x*x'/(x'*x) - eye", "x: vector(n)", "invertible", YES),
    ("eye - 3*x*x'/(x'*x)", "x: vector(n)", "orthogonal", NO),
    ("O*U", "O: orthogonal(n); U: orthogonal(n)", "invertible", YES),
    ("-2*S*O'*inv(X)", "S: spd(n); O: orthogonal(n)", "invertible", YES),
    ("S*P", "S: spd(n); P: psd(n)", "invertible", UNKNOWN),
    # positive, where nonnegative would say too little
    ("tr(S)", "S: spd(n)", "positive", YES),
    ("tr(S)", "S: psd(n)", "positive", NO),
    ("diag(inv(S))", "S: spd(n)", "positive", YES),
    ("S[1,1]", "S: spd(n)", "positive", YES),
    ("x'*S*x", "S: spd(n); x: positive vector(n)", "positive", YES),
    ("x'*S*x", "S: spd(n); x: nonnegative vector(n)", "positive", NO),
    ("x'*S*y", "S: spd(n); x: positive vector(n); y: positive vector(n)", "positive", NO),
    ("2 + sin(x)", "x: vector(n)", "positive", YES),
    ("3 - cos(x) - sin(x)", "x: vector(n)", "positive", YES),
    ("1.9 + sin(x) + cos(x)", "x: vector(n)", "positive", UNKNOWN),
    ("log(1 + w)", "w: positive vector(n)", "positive", YES),
    ("tanh(w)", "w: positive vector(n)", "positive", YES),
    ("exp(w) - 1", "w: nonnegative vector(n)", "nonnegative", YES),
    ("exp(w) - 1.5", "w: nonnegative vector(n)", "nonnegative", NO),
    # zeros that are computed without rounding
    ("x'*inv(S)*x/c", "S: spd(n); x: vector(n); c: positive", "positive", NO),
    ("sum(log(cosh(x)))", "x: vector(n)", "positive", NO),
    ("1 - cos(x)", "x: vector(n)", "positive", NO),
    ("exp(-1000 - 1000*x.^2)", "x: vector(n)", "positive", YES),
    ("sinh(c)*exp(-999)*1e-200*exp(-c^2) + exp(-999)", "c: scalar", "positive", UNKNOWN),
    # numbers
    ("[2, 1; 1, 2]", "", "spd", YES),
    ("[2, 1; 1, 2]", "", "positive", YES),
    ("[1, 2; 2, 1]", "", "psd", NO),
    ("[1, 2; 2, 4]", "", "psd", YES),
    ("[1, 2; 2, 4]", "", "spd", NO),
    ("[1, 2; 2, 4]", "", "invertible", NO),
    ("[0, 1; 1, 0]", "", "psd", NO),
    ("[0, 0; 0, 1]", "", "psd", YES),
    ("[3, 4; -4, 3]/5", "", "orthogonal", YES),
    ("sqrt(4)*eye(3) - [0, 1, 0; 1, 0, 1; 0, 1, 0]", "", "spd", YES),
    ("[2, 1; 1, sqrt(2)]", "", "spd", UNKNOWN),
]


@pytest.mark.parametrize(("text", "where", "claim", "holds"), VALUES)
def test_values(text: str, where: str, claim: str, holds: Fact) -> None:
    found = matgrad.parse(text, where=where or None).facts()[claim]
    assert found.holds is holds
    assert found.reason or holds is UNKNOWN


# -- every rule, and every card -------------------------------------------------------------------

EXAMPLES = [(kind, r.name, *example) for kind, rules in RULES.items() for r in rules for example in r.examples]


@pytest.mark.parametrize(("kind", "name", "text", "where", "claim"), EXAMPLES)
def test_rules_show_their_examples(kind: str, name: str, text: str, where: str, claim: str) -> None:
    formula = matgrad.parse(text, where=where)
    inquiry = Inquiry(formula.typed, None, repr, formula.print)
    variables = [s for n, s in inquiry.setting.symbols.items() if n in _varied(text, where, kind)]
    judge = Judge(variables, region(inquiry.setting, variables).given)
    root = inquiry.setting.root
    ask = {"bent": judge.bent, "log_bent": judge.log_bent, "matrix_bent": judge.matrix_bent}
    shown = [judge.affine(root)] if kind == "affine" else [ask[kind](root, 1), ask[kind](root, -1)]
    assert [s.claim for s in shown if s is not None] == ([] if claim == "unknown" else [claim])


def _varied(text: str, where: str, kind: str) -> set[str]:
    """All but A, M, C, P, a and b and such, which are the constants of the examples."""
    names = set(re.findall(r"[A-Za-z]\w*", where.replace(":", " : ")))
    return (
        {n for n in names if re.search(rf"\b{n}\b", text)}
        - {"A", "M", "C", "P", "a", "b"}
        - ({"w"} if "w'*exp" in text else {"c"} if "c^x" in text or "c*log(sig" in text else set())
    )


REGIONS = {
    "all": (-3, 3), "positive": (0.01, 4), "nonnegative": (0, 4), "nonpositive": (-4, 0),
}  # fmt: skip
SHAPES = [(c, f) for c in CARDS.values() for f in c.facts if f.endswith(" on") and c.family == "elementwise"]


@pytest.mark.parametrize(("entry", "fact"), SHAPES, ids=lambda v: getattr(v, "name", v))
def test_shapes_on_cards(entry: Any, fact: str) -> None:
    """Convex, concave, increasing: on every chord within the domain."""
    low, high = REGIONS[entry.facts[fact]]
    ends = np.random.default_rng(3).uniform(low, high, (2, 4000))
    with np.errstate(all="ignore"):
        first, last, half = (np.asarray(entry.value(np, x), dtype=float) for x in (*ends, ends.mean(axis=0)))
    fine = np.isfinite(first) & np.isfinite(last)
    assert np.count_nonzero(fine) > 30
    assert np.all(np.isfinite(half[fine]))  # the domain is an interval
    if fact.startswith("log-"):
        first, last, half = np.log(first), np.log(last), np.log(half)
    above, rise = (first + last) / 2 - half, (last - first) * np.sign(ends[1] - ends[0])
    gap = {"convex": above, "concave": -above, "log-concave": -above, "increasing": rise, "decreasing": -rise}
    assert np.all(gap[fact.removesuffix(" on")][fine] >= -1e-12 * (1 + np.abs(half[fine])))


# -- random formulas ------------------------------------------------------------------------------


def _typed(text: str, declared: dict[str, str]) -> Any:
    names = set(re.findall(r"[A-Za-z_]\w*", text))
    return matgrad.parse(text, where={n: d for n, d in declared.items() if n in names})


def _recheck(inquiry: Inquiry, found: Finding, seed: int) -> None:
    """Another attempt to refute a yes; the no's witness evaluated once more."""
    if found.holds is YES:
        search = Search(inquiry.program, inquiry.subjects, seed + 1000)
        if found.variables and found.claim in CURVATURES:
            assert against_convexity(search, found.variables, CURVATURES[found.claim], 25) is None, found.reason
        elif not found.variables:
            assert against(search, found.claim) is None, found.reason
    elif found.holds is NO and found.witness is not None and found.witness.start is not None:
        _check_segment(inquiry, found)


def _check_segment(inquiry: Inquiry, found: Finding) -> None:
    witness = found.witness
    assert witness is not None
    assert witness.start is not None
    assert witness.end is not None
    middle = {n: (v + witness.end[n]) / 2 for n, v in witness.start.items()}
    first, last, half = (_value(inquiry, {**witness.arrays, **part}) for part in (witness.start, witness.end, middle))
    assert np.all(np.isfinite(first))
    assert np.all(np.isfinite(last))
    if np.all(np.isfinite(half)):
        gap = half - (first + last) / 2
        sign = CURVATURES[found.claim]
        assert np.max(np.abs(gap) if sign == 0 else sign * gap) > 0


def _value(inquiry: Inquiry, arrays: dict[str, Any]) -> Any:
    sizes: dict[str, int] = {}
    for subject in inquiry.subjects:
        for dim, size in zip(subject.type.dims, np.shape(arrays[subject.name]), strict=True):
            sizes.update({str(dim): size})
    return np.asarray(evaluate(inquiry.program, arrays, sizes), dtype=float)


@pytest.mark.parametrize("chunk", range(4))
def test_random_formulas(chunk: int) -> None:
    counts = dict.fromkeys(Fact, 0)
    for seed in range(chunk * 12, chunk * 12 + 12):
        for text, declared in ((convex_formula(seed), DECLARED), (random_formula(seed).text, random_formulas.DECLARED)):
            formula = _typed(text, declared)
            inquiry = Inquiry(formula.typed, None, repr, formula.print)
            rng = random.Random(seed)
            free = [n for n in inquiry.names if n != "O"]
            groups = [(rng.choice(free),), tuple(rng.sample(free, min(2, len(free))))] if free else []
            found = [inquiry.curvature(g, claim) for g in groups for claim in CURVATURES]
            for finding in [*found, *inquiry.values()]:
                counts[finding.holds] += 1
                _recheck(inquiry, finding, seed)
    assert all(counts.values())


def test_a_false_rule_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempts to refute are no empty words."""
    monkeypatch.setattr(Judge, "bent", lambda self, node, sign: self.fact(node, "nonnegative"))
    with pytest.raises(AssertionError, match="a proof and a counterexample"):
        matgrad.parse("sqrt(c)", where="c: positive").facts("c")


# -- what is said ---------------------------------------------------------------------------------


def test_an_unknown_says_what_would_help() -> None:
    facts = matgrad.parse("y'*softplus(z)", where="y: vector(n)").facts("z")
    assert facts["convex"].holds is UNKNOWN
    assert facts["convex"].supposing == ("y ≥ 0",)
    assert matgrad.parse("1/c").facts("c")["convex"].supposing == ("c > 0",)
    assert matgrad.parse("-logdet(X)").facts("X")["convex"].supposing == ("X positive definite",)
    assert matgrad.parse("x'*A*x").facts("x")["convex"].supposing == ("A positive semidefinite",)


def test_the_domain_is_named() -> None:
    assert matgrad.parse("x'*log(x)").facts("x")["convex"].where == ("x > 0",)
    assert matgrad.parse("-sum(log(b - A*x))").facts("x")["convex"].where == ("b - A*x > 0",)


def test_what_cancels_still_has_its_domain() -> None:
    """c^2/c is c where c is not 0: affine on no convex set."""
    assert matgrad.parse("c^2/c").facts("c")["affine"].holds is not YES
    assert matgrad.parse("c^2/c", where="c: positive").facts("c")["affine"].holds is YES


def test_min_and_relu_do_not_hide_what_is_undefined() -> None:
    """max(log1p(-2), 1) has no value: it was 1, and refuted what is true."""
    for text in ("min(log1p(c), 2)", "max(log(c), 1)", "relu(log(c))", "step(sqrt(c))"):
        assert np.isnan(matgrad.parse(text)(c=-2.0))
    assert matgrad.parse("min(log1p(c), 2)").facts("c")["concave"].holds is YES


def test_intermediates() -> None:
    formula = matgrad.parse("r = A*x - b; norm2(r)^2")
    assert formula.facts("x", of="r")["affine"].holds is YES
    assert formula.facts("x")["convex"].holds is YES
    with pytest.raises(MatgradError, match="no intermediate q"):
        formula.facts("x", of="q")


def test_all_variables_are_asked_about() -> None:
    facts = matgrad.parse("norm2(U*V - Y)^2").facts()
    assert facts["convex in U"].holds is YES
    assert facts["convex in U, V, Y"].holds is NO
    with pytest.raises(MatgradError, match="no one fact"):
        facts["convex"]
    with pytest.raises(MatgradError, match="no variable z"):
        matgrad.parse("x'*x").facts("z")


def test_orthogonal_matrices_are_no_convex_set() -> None:
    facts = matgrad.parse("tr(C*O)", where="O: orthogonal(n)").facts("O")
    assert facts["affine"].holds is NO
    assert "no convex set" in facts["affine"].reason[0]


def test_unspecified_functions_are_unknown() -> None:
    facts = matgrad.parse("g(c)", where="g: function").facts("c")
    assert facts["convex"].holds is UNKNOWN
    assert facts["positive"].holds is UNKNOWN


DEPTH = 800
"""Layers: two calls a layer would be more than the limit of recursion."""


def test_a_deep_formula_takes_no_deep_recursion() -> None:
    steps = "; ".join(f"a{k + 1} = exp(W{k}*a{k})" for k in range(DEPTH))
    text = f"{steps}; norm2(a{DEPTH})^2"
    formula = matgrad.parse(text, where="; ".join(f"W{k}: matrix(n,n)" for k in range(DEPTH)) + "; a0: vector(n)")
    inquiry = Inquiry(formula.typed, None, repr, formula.print)
    assert inquiry._judged([f"W{DEPTH - 1}"], 1, None)[0] is not None
    assert inquiry._judged(["W0"], 1, None)[0] is None


def test_facts_pickle() -> None:
    facts = matgrad.parse("norm2(A*x - b)").facts("x")
    again = pickle.loads(pickle.dumps(facts.only("convex")))
    assert list(again) == ["convex in x"]
    assert again["convex"].reason == facts["convex"].reason


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    asked = {"yes": ("norm2(x)", 0), "no": ("-norm2(x)", 1), "unknown": ("c*norm2(x)", 4)}
    for holds, (text, status) in asked.items():
        assert main(["facts", text, "--in", "x", "--is", "convex", "--json"]) == status
        (found,) = json.loads(capsys.readouterr().out)["facts"]
        assert (found["property"], found["holds"], found["in"]) == ("convex", holds, ["x"])
    assert main(["facts", "norm2(x)", "--in", "q"]) == 2
    assert "there is no variable q" in capsys.readouterr().err
    assert main(["facts", "r = A*x; r'*r", "--of", "r"]) == 0
    assert "affine in x" in capsys.readouterr().out
