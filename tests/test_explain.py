"""Derivations: every case in every style that fits, every line checked, and the textbook's own lines."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from cases import Case, load_cases, where_text
from helpers import DECLARED, FORMULAS

import matgrad
from matgrad.answer.deriving import derivative_of
from matgrad.cli import main
from matgrad.errors import MatgradError, NotSupported
from matgrad.explaining.component_check import check_components
from matgrad.explaining.components import Components
from matgrad.explaining.differential import lines_of
from matgrad.explaining.lines import ANSWER, GIVEN, LET, STEP
from matgrad.explaining.setting import Setting
from matgrad.explaining.truth import WrongLine, check

every_case = pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in load_cases()])
LEAST_SQUARES = "norm2(A*x - b)^2"
NETWORK = "a1 = W1*x; y = W2*a1; 0.5*norm2(y - t)^2"


def _explain(case: Case, style: str) -> matgrad.Derivation:
    return matgrad.explain(case["expr"], case["wrt"], where=where_text(case), order=case["order"], style=style)


def _shown(derivation: matgrad.Derivation) -> list[str]:
    words = derivation.words
    return [f"{words.unicode(line.left)} = {words.unicode(line.right)}" for line in derivation]


@every_case
def test_every_case_has_a_differential_derivation(case: Case) -> None:
    derivation = _explain(case, "differential")
    assert derivation.points == 2
    assert derivation.max_relative_error <= 1e-9
    assert derivation[-1].part == ANSWER
    assert {line.part for line in derivation} <= {GIVEN, LET, STEP, ANSWER}
    for line in derivation:
        assert line.law.rule
        assert line.part != STEP or line.law.law or line.law.reason


@every_case
def test_every_case_is_printed_in_every_form(case: Case) -> None:
    derivation = _explain(case, "differential")
    assert max(map(len, derivation.text.splitlines())) <= 100
    assert derivation.latex.startswith(r"\begin{align*}")
    assert derivation._repr_html_().count("<tr") == len(derivation)
    assert "$$" not in derivation.html
    assert derivation.markdown.count("\n| ") == len(derivation) + 1
    outside = re.sub(r"\$[^$\n]*\$", "", derivation.markdown)
    assert not re.search(r"(?<!\\)[*_\[\]`]", outside)
    data = json.loads(derivation.json)
    assert len(data["lines"]) == len(derivation)
    assert len(derivation.brief()) <= len(derivation)
    assert derivation.brief()[-1] == derivation[-1]


@every_case
@pytest.mark.parametrize("style", ["backward", "components"])
def test_other_styles_fit_or_offer_one_that_does(case: Case, style: str) -> None:
    fits = case["order"] == 1 and (
        style == "components" or not matgrad.parse(case["expr"], where=where_text(case)).shape
    )
    if not fits:
        with pytest.raises(NotSupported, match='style="differential"'):
            _explain(case, style)
        return
    derivation = _explain(case, style)
    assert derivation.points == 2
    assert derivation.max_relative_error <= 1e-9


ENTRIES = dict(entry.strip().split(": ", 1) for entry in DECLARED.split(";"))


@pytest.mark.parametrize("formula", FORMULAS)
def test_every_operation_and_function_is_explained(formula: str) -> None:
    """Every formula that derive takes and can print, in each of its variables."""
    names = [name for name in ENTRIES if re.search(rf"\b{name}\b", formula)]
    where = "; ".join(f"{name}: {ENTRIES[name]}" for name in names)
    for name in names:
        try:
            answer = matgrad.derive(formula, name, where=where)
            printable = "<" not in answer.text
        except MatgradError:
            printable = False
        if printable:
            found = matgrad.explain(formula, name, where=where)
            assert found.points == 2
            assert max(map(len, found.text.splitlines())) <= 100


def test_a_scalar_loss_always_has_a_backward_table() -> None:
    for case in load_cases():
        scalar = not matgrad.parse(case["expr"], where=where_text(case)).shape
        if scalar and case["order"] == 1:
            assert _explain(case, "backward").style == "backward"


def test_least_squares_as_it_is_in_books() -> None:
    assert _shown(matgrad.explain(LEAST_SQUARES, "x")) == [
        "f = ‖A x − b‖₂²",
        "r = A x − b",
        "df = 2 rᵀ dr",
        "dr = A dx",
        "df = 2 rᵀ A dx",
        "df = (2 Aᵀ r)ᵀ dx",
        "∇f = 2 Aᵀ(A x − b)",
    ]


def test_the_four_steps_of_the_linear_network() -> None:
    derivation = matgrad.explain(NETWORK, ["W1", "W2"], style="backward")
    assert _shown(derivation)[3:] == [
        "∂L/∂y = y − t",
        "∂L/∂W₂ = (∂L/∂y) a₁ᵀ",
        "∂L/∂a₁ = W₂ᵀ(∂L/∂y)",
        "∂L/∂W₁ = (∂L/∂a₁) xᵀ",
    ]
    assert [line.remark for line in derivation][3:] == ["shape (p)", "shape (p, m)", "shape (m)", "shape (m, n)"]


def test_an_activation_is_an_entrywise_product() -> None:
    derivation = matgrad.explain("z = W*x; a = tanh(z); 0.5*norm2(a - t)^2", "W", style="backward")
    assert "∂L/∂z = (1 − a∘²) ∘ (∂L/∂a)" in _shown(derivation)


def test_a_batch_has_signals_times_inputs() -> None:
    derivation = matgrad.explain("Y = A*W'; 0.5*norm2(Y - T)^2", "W", style="backward")
    assert _shown(derivation)[-1] == "∂L/∂W = (∂L/∂Y)ᵀ A"


def test_components_of_a_linear_function() -> None:
    assert _shown(matgrad.explain("a'*x", "x", style="components")) == [
        "f = Σᵢ aᵢ xᵢ",
        "∂f/∂xₖ = Σᵢ aᵢ δᵢₖ",
        "∂f/∂xₖ = aₖ",
        "∇f = a",
    ]


COMPONENTS = {
    ("A*X*B", "X"): [
        "Fᵢⱼ = Σₘₙ Aᵢₘ Xₘₙ Bₙⱼ",
        "∂Fᵢⱼ/∂Xₖₗ = Σₘₙ Aᵢₘ δₘₖ δₙₗ Bₙⱼ",
        "∂Fᵢⱼ/∂Xₖₗ = Aᵢₖ Bₗⱼ",
    ],
    ("norm2(A*x - b)^2", "x"): [
        "f = Σᵢ rᵢ²",
        "rᵢ = Σⱼ Aᵢⱼ xⱼ − bᵢ",
        "∂rᵢ/∂xₖ = Σⱼ Aᵢⱼ δⱼₖ",
        "∂rᵢ/∂xₖ = Aᵢₖ",
        "∂f/∂xₖ = Σᵢ 2 rᵢ (∂rᵢ/∂xₖ)",
        "∂f/∂xₖ = 2 Σᵢ rᵢ Aᵢₖ",
        "∇f = 2 Aᵀ(A x − b)",
    ],
    ("norm2(x)", "x"): [
        "f = √s",
        "s = Σᵢ xᵢ²",
        "∂s/∂xₖ = Σᵢ 2 xᵢ δᵢₖ",
        "∂s/∂xₖ = 2 xₖ",
        "∂f/∂xₖ = (∂s/∂xₖ)/(2 √s)",
        "∂f/∂xₖ = xₖ/√s",
        "∇f = x/‖x‖₂",
    ],
    ("logsumexp(x)", "x"): [
        "f = log(s)",
        "s = Σᵢ exp(xᵢ)",
        "∂s/∂xₖ = Σᵢ exp(xᵢ) δᵢₖ",
        "∂s/∂xₖ = exp(xₖ)",
        "∂f/∂xₖ = (∂s/∂xₖ)/s",
        "∂f/∂xₖ = exp(xₖ)/s",
        "∇f = softmax(x)",
    ],
    ("inv(X)", "X"): [
        "Fᵢⱼ = [X⁻¹]ᵢⱼ",
        "∂Fᵢⱼ/∂Xₖₗ = −Σₘₙ [X⁻¹]ᵢₘ δₘₖ δₙₗ [X⁻¹]ₙⱼ",
        "∂Fᵢⱼ/∂Xₖₗ = −[X⁻¹]ᵢₖ [X⁻¹]ₗⱼ",
    ],
    ("X[2,:]*b", "X"): ["f = Σᵢ X₂ᵢ bᵢ", "∂f/∂Xₖₗ = Σᵢ δ₂ₖ δᵢₗ bᵢ", "∂f/∂Xₖₗ = δ₂ₖ bₗ", "∇f = e[2] bᵀ"],
    ("a1 = W1*x; sum(a1)", "W1"): [
        "f = Σᵢ [a₁]ᵢ",
        "[a₁]ᵢ = Σⱼ [W₁]ᵢⱼ xⱼ",
        "∂[a₁]ᵢ/∂[W₁]ₖₗ = Σⱼ δᵢₖ δⱼₗ xⱼ",
        "∂[a₁]ᵢ/∂[W₁]ₖₗ = δᵢₖ xₗ",
        "∂f/∂[W₁]ₖₗ = Σᵢ ∂[a₁]ᵢ/∂[W₁]ₖₗ",
        "∂f/∂[W₁]ₖₗ = Σᵢ δᵢₖ xₗ",
        "∂f/∂[W₁]ₖₗ = xₗ",
        "∇f = 𝟏 xᵀ",
    ],
    ("det(X)", "X"): ["f = det(X)", "∂f/∂Xₖₗ = Σᵢⱼ [adj(X)]ᵢⱼ δⱼₖ δᵢₗ", "∂f/∂Xₖₗ = [adj(X)]ₗₖ", "∇f = adj(X)ᵀ"],
}


@pytest.mark.parametrize(("formula", "wrt"), COMPONENTS)
def test_components_as_they_are_on_paper(formula: str, wrt: str) -> None:
    assert _shown(matgrad.explain(formula, wrt, style="components")) == COMPONENTS[formula, wrt]


@pytest.mark.parametrize(
    ("formula", "wrt", "where"),
    [
        ("sum(gelu(A*x))", "x", None),
        ("sum(max(A*x, 0))", "x", None),
        ("max(x, y) + min(x, 2*y)", "y", "x: vector(n); y: vector(n)"),
        ("x'*inv(X)*x", "X", None),
        ("logdet(A*diag(w)*A')", "w", "w: positive vector(n)"),
        ("P = softmax(Q*K', dim=2); tr(P*V)", "Q", None),
        ("sum(logsumexp(X*B, dim=1))", "X", None),
        ("sum(mean(X, dim=2).^3)", "X", None),
        ("x'*D*x", "D", "D: diagonal(n)"),
        ("(x'*A*x)/(x'*x)", "x", None),
        ("g(x'*x)", "x", "g: function"),
        ('einsum("ij,k->ijk", X, y)', "y", "y: vector(p)"),
        ("x[1]*x[2] + x[3]^2", "x", None),
        ("tr(X^3)", "X", None),
        ("norm2(A*x - b)", "b", None),
        ("norm2(t)^2/length(t)", "t", "t: vector(2)"),
        ("v'*v + sin(u)", "u", "u: vector(m); v: vector(p)"),
        ("mean(x*t', dim=2)", "x", "t: vector(5)"),
        ("a1 = tanh(W1*x); y = W2*a1; 0.5*norm2(y - t)^2", "W1", None),
    ],
)
def test_components_of_larger_formulas_are_checked(formula: str, wrt: str, where: str | None) -> None:
    found = matgrad.explain(formula, wrt, where=where, style="components")
    assert found.points == 2
    assert max(map(len, found.text.splitlines())) <= 100
    assert all(line.law.rule for line in found)
    assert all(line.before is not None for line in found if line.part == STEP)


def test_a_wrong_line_in_components_is_an_error() -> None:
    table = Components(Setting(derivative_of(LEAST_SQUARES, ["x"])[0]))
    lines = table.lines()
    worlds = table.s.worlds()
    error, count = check_components(table, lines, worlds)
    assert error <= 1e-9
    assert count == 2
    for k, line in enumerate(lines):
        if line.left.op == "partial":
            wrong = line._replace(right=line.right.replace(op="neg", args=(line.right,), value=None))
            with pytest.raises(WrongLine):
                check_components(table, [*lines[:k], wrong, *lines[k + 1 :]], worlds)


def test_components_of_a_symmetric_variable_have_the_representative() -> None:
    found = matgrad.explain("tr(S*A)", "S", where="S: symmetric(n)", style="components")
    assert "∂f/∂Sₖₗ = Σᵢⱼ ½ (δᵢₖ δⱼₗ + δᵢₗ δⱼₖ) Aⱼᵢ" in _shown(found)
    assert found[1].remark == "with ∂Sᵢⱼ/∂Sₖₗ = ½ (δᵢₖ δⱼₗ + δᵢₗ δⱼₖ)"
    assert _shown(found)[-1] == "∇f = ½ (A + Aᵀ)"


@pytest.mark.parametrize("formula", ["kron(x, x)", "max(x)", "x[1:2]"])
def test_what_has_no_components_says_so(formula: str) -> None:
    with pytest.raises(NotSupported, match="has no rule for") as caught:
        matgrad.explain(formula, "x", style="components")
    assert caught.value.hint == 'style="differential"'


def test_vec_and_kronecker() -> None:
    assert "vec(dF) = (Bᵀ ⊗ A) vec(dX)" in _shown(matgrad.explain("A*X*B", "X"))


def test_a_hessian_is_a_second_pass_with_the_reason_for_its_symmetry() -> None:
    derivation = matgrad.explain("x'*A*x", "x", order=2)
    assert _shown(derivation)[-5:] == [
        "H = A + Aᵀ",
        "d²f = dxᵀ dg",
        "d²f = dxᵀ H dx",
        "Hᵀ = H",
        "∇²f = A + Aᵀ",
    ]
    assert derivation[-2].law.rule.startswith("Schwarz")


@pytest.mark.parametrize(("formula", "wrt"), [("a'*x", "x"), ("c^2", "c"), ("tr(X)", "X"), ("sum(x)", "x")])
def test_trivial_formulas_take_few_lines(formula: str, wrt: str) -> None:
    assert len(matgrad.explain(formula, wrt)) <= 4


def test_a_formula_that_does_not_depend_on_the_variable() -> None:
    assert _shown(matgrad.explain("y = x; z = 2*x; sum(z)", "y"))[-1] == "∇f = 𝟎"


def test_a_wrong_line_is_an_error() -> None:
    setting = Setting(derivative_of(LEAST_SQUARES, ["x"])[0])
    lines = lines_of(setting)
    for k, line in enumerate(lines):
        other = lines[(k + 1) % len(lines)].right
        wrong = [line._replace(right=line.right.replace(op="neg", args=(line.right,), value=None), before=None)]
        with pytest.raises(WrongLine):
            check(wrong, setting.worlds(), str)
        assert other is not None


def test_each_line_says_where_its_law_acted() -> None:
    line = matgrad.explain("norm2(A*x - b)^2 + c*norm2(x)^2", "x").to_dict()["lines"][2]
    assert [place["part"] for place in line["where"]] == ["d(‖r‖₂²)", "d(‖x‖₂²)"]


def test_a_point_outside_of_the_domain_is_an_error() -> None:
    with pytest.raises(MatgradError, match="not defined"):
        matgrad.explain("log(c)", "c", at={"c": 0.0})


def test_with_a_point_each_line_has_its_numbers() -> None:
    at = {"A": np.array([[1.0, 2], [3, 4], [5, 6]]), "x": np.ones(2), "b": np.ones(3)}
    derivation = matgrad.explain(LEAST_SQUARES, "x", at=at)
    assert np.allclose(derivation[-1].numbers, [140, 176])
    assert all(line.numbers is not None for line in derivation)
    table = matgrad.explain("r = A*x - b; r'*r", "x", style="backward", at=at)
    assert np.allclose(table[-1].numbers, [140, 176])


def test_repeated_layers_are_shown_once() -> None:
    source = "for l in 1..9 { z{l} = W{l}*a{l-1}; a{l} = tanh(z{l}) }; 0.5*norm2(a9 - t)^2"
    shown = _shown(matgrad.explain(source, [f"W{k}" for k in range(1, 10)], style="backward", where="a0: vector(n)"))
    assert "∂L/∂W⁽ˡ⁾ = (∂L/∂z⁽ˡ⁾) a⁽ˡ⁻¹⁾ᵀ" in shown
    assert "∂L/∂a⁽ˡ⁾ = W⁽ˡ⁺¹⁾ᵀ(∂L/∂z⁽ˡ⁺¹⁾)" in shown
    assert len(shown) < 10


def _deep(layers: int, looped: bool) -> list[str]:
    body = "z{l} = W{l}*a{l-1}; a{l} = tanh(z{l})"
    steps = (
        f"for l in 1..{layers} {{ {body} }}"
        if looped
        else "; ".join(body.replace("{l-1}", str(k - 1)).replace("{l}", str(k)) for k in range(1, layers + 1))
    )
    names = [f"W{k}" for k in range(1, layers + 1)]
    found = matgrad.explain(f"{steps}; 0.5*norm2(a{layers} - t)^2", names, style="backward")
    assert found.points == 2
    return _shown(found)


def test_a_hundred_layers_are_one_looped_or_written_out() -> None:
    """How long that takes is for a benchmark."""
    looped = _deep(100, looped=True)
    assert looped == _deep(100, looped=False)
    assert [line.replace("¹⁰⁰", "⁵⁰") for line in looped] == _deep(50, looped=True)
    assert looped == [
        "L = ½ ‖a⁽¹⁰⁰⁾ − t‖₂²",
        "z⁽ˡ⁾ = W⁽ˡ⁾ a⁽ˡ⁻¹⁾",
        "a⁽ˡ⁾ = tanh(z⁽ˡ⁾)",
        "∂L/∂a⁽¹⁰⁰⁾ = a⁽¹⁰⁰⁾ − t",
        "∂L/∂z⁽¹⁰⁰⁾ = (1 − a⁽¹⁰⁰⁾∘²) ∘ (∂L/∂a⁽¹⁰⁰⁾)",
        "∂L/∂a⁽ˡ⁾ = W⁽ˡ⁺¹⁾ᵀ(∂L/∂z⁽ˡ⁺¹⁾)",
        "∂L/∂z⁽ˡ⁾ = (1 − a⁽ˡ⁾∘²) ∘ (∂L/∂a⁽ˡ⁾)",
        "∂L/∂W⁽ˡ⁾ = (∂L/∂z⁽ˡ⁾) a⁽ˡ⁻¹⁾ᵀ",
    ]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"style": "sideways"}, "unknown style"),
        ({"order": 5}, "order 1 to 4"),
        ({"wrt": ["x", "A"]}, "one variable"),
        ({"wrt": "q"}, "does not occur"),
        ({"formula": "A*x", "style": "backward"}, "is of a scalar"),
        ({"formula": "sin(A*x)", "order": 3}, "of 3 axes"),
        ({"style": "components", "order": 2}, "first derivatives"),
    ],
)
def test_what_does_not_fit_is_refused_with_advice(options: dict[str, object], part: str) -> None:
    given: dict[str, object] = {"formula": LEAST_SQUARES, "wrt": "x", **options}
    formula, wrt = given.pop("formula"), given.pop("wrt")
    with pytest.raises(MatgradError, match=part):
        matgrad.explain(formula, wrt, **given)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"where": 5}, "declarations are text or a mapping, not int"),
        ({"where": [1]}, "declarations are text or a mapping, not list"),
        ({"at": 5}, "at is a mapping of names to values, not 5"),
        ({"at": "x=[1,2]"}, "at is a mapping of names to values, not 'x="),
        ({"order": True}, "not True"),
        ({"order": "2"}, "not '2'"),
        ({"brief": "yes"}, "brief is True or False, not 'yes'"),
        ({"style": 3}, "unknown style 3"),
        ({"at": {"x": [1.0, 2.0]}}, "b"),
    ],
)
def test_arguments_of_the_wrong_kind_are_named(options: dict[str, object], part: str) -> None:
    with pytest.raises(MatgradError) as caught:
        matgrad.explain(LEAST_SQUARES, "x", **options)  # type: ignore[call-overload]
    assert part in str(caught.value)


@pytest.mark.parametrize("where", [5, [1], {1: "x"}, {"x": 3}])
def test_declarations_of_the_wrong_kind_are_errors_everywhere(where: object) -> None:
    for function in (matgrad.derive, matgrad.gradient, matgrad.explain):
        with pytest.raises(MatgradError, match="declarations"):
            function("x'*x", "x", where=where)  # type: ignore[operator]
    with pytest.raises(MatgradError, match="declarations"):
        matgrad.parse("x'*x", where=where)  # type: ignore[arg-type]


@pytest.mark.parametrize("style", ["differential", "backward", "components"])
def test_outside_of_the_domain_the_condition_is_named(style: str) -> None:
    with pytest.raises(MatgradError, match="not defined at this point") as caught:
        matgrad.explain("x'*log(x)", "x", style=style, at={"x": [1.0, -2.0]})
    assert "x > 0" in str(caught.value)


def test_components_of_a_deep_program_offer_another_style() -> None:
    source = "for l in 1..100 { a{l} = tanh(W{l}*a{l-1}) }; norm2(a100)^2"
    with pytest.raises(NotSupported, match='style="backward"'):
        matgrad.explain(source, "W1", style="components", where="a0: vector(n)")


def test_long_derivations_name_their_coefficients() -> None:
    shown = _shown(matgrad.explain("v'*tanh(W2*tanh(W1*x))", "W1"))
    assert "df = δᵀ dz" in shown
    assert "∇f = δ xᵀ" in shown


def test_derivations_pickle() -> None:
    derivation = matgrad.explain(LEAST_SQUARES, "x")
    assert pickle.loads(pickle.dumps(derivation)).text == derivation.text


# -- the command


def test_the_command_prints_every_form(capsys: pytest.CaptureFixture[str]) -> None:
    for option, start in (
        ("--json", "{"),
        ("--latex", r"\begin{align*}"),
        ("--markdown", "| eq"),
        ("--html", "<table"),
    ):
        assert main(["explain", LEAST_SQUARES, "--wrt", "x", option]) == 0
        assert capsys.readouterr().out.startswith(start)


def test_the_command_brief_and_at(capsys: pytest.CaptureFixture[str]) -> None:
    point = "A=[1,2;3,4;5,6]; x=[1,1]; b=[1,1,1]"
    assert main(["explain", LEAST_SQUARES, "--wrt", "x", "--brief", "--at", point]) == 0
    out = capsys.readouterr().out
    assert "substitute" not in out
    assert "(140, 176)" in out


def test_the_command_refuses_what_does_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "A*x", "--wrt", "x", "--style", "backward"]) == 2
    assert "differential" in capsys.readouterr().err


def test_a_drawing_without_graphviz_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "graphviz", None)
    assert main(["explain", LEAST_SQUARES, "--wrt", "x", "--graph", "out.svg"]) == 2
    assert "graphviz" in capsys.readouterr().err


def test_a_drawing_without_the_program_dot_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["explain", LEAST_SQUARES, "--wrt", "x", "--graph", str(tmp_path / "out.svg")]) == 2
    assert "the program dot" in capsys.readouterr().err
    assert main(["explain", LEAST_SQUARES, "--wrt", "x", "--graph", "out.xyz"]) == 2
    assert "svg, pdf, png" in capsys.readouterr().err


def test_the_drawing_has_values_and_signals() -> None:
    from matgrad.explaining.graph import source

    drawn = source(NETWORK, ["W1", "W2"])
    assert '"y" -> "L"' in drawn
    assert "∂L/∂y = y − t" in drawn


def test_a_declared_function_may_be_called_like_the_gradient() -> None:
    """The gradient is a function of its own in the second pass, and takes another name than a declared g."""
    found = matgrad.explain("g(x'*x)", "x", where="g: function; x: vector(n)", order=2)
    assert str(found).splitlines()[-1].startswith("∇²f")


def test_latex_of_a_folded_loop_has_no_double_superscript() -> None:
    program = "for l in 1..3 { z{l} = W{l}*a{l-1} + b{l}; a{l} = relu(z{l}) }; 1/2*norm2(a3 - t)^2"
    found = matgrad.explain(program, ["W1", "b1"], style="backward")
    assert "{\\mathbf{W}^{(l+1)}}^{\\top}" in found.latex
