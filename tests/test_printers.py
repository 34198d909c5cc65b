"""Printers: text reads back to the same text and the same value; Unicode and LaTeX as people write."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from helpers import DECLARED, FORMULAS, SIZES, arrays, typed
from hypothesis import given
from hypothesis import strategies as st

import matgrad
from matgrad.dims import Dim
from matgrad.formula.latex import to_latex
from matgrad.formula.printing import ATOM, Piece, split_number
from matgrad.formula.reference import evaluate
from matgrad.formula.syntax import Expr, Type
from matgrad.formula.text import to_text, type_text
from matgrad.formula.unicode import to_unicode

NAME = Expr("name", value="x")

SHOWN = [
    # as typed, text, Unicode, LaTeX
    ("2*A'*(A*x - b)", "2*A'*(A*x - b)", "2 Aᵀ(A x − b)",
     r"2 \mathbf{A}^{\top}(\mathbf{A} \mathbf{x} - \mathbf{b})"),
    ("norm2(A*x-b)^2/m", "norm2(A*x - b)^2/m", "‖A x − b‖₂²/m",
     r"\frac{\lVert \mathbf{A} \mathbf{x} - \mathbf{b}\rVert_{2}^{2}}{m}"),
    ("inv(X)'*x", "inv(X)'*x", "X⁻ᵀ x", r"\mathbf{X}^{-\top} \mathbf{x}"),
    ("inv(X')*x", "inv(X')*x", "X⁻ᵀ x", r"\mathbf{X}^{-\top} \mathbf{x}"),
    ("norm2(X) + norm1(X)", "norm2(X) + norm1(X)", "‖X‖_F + ‖vec(X)‖₁",
     r"\lVert \mathbf{X}\rVert_{F} + \lVert\operatorname{vec}(\mathbf{X})\rVert_{1}"),
    ("x.*y./z", "x.*y./z", "(x ∘ y) ⊘ z", r"(\mathbf{x} \odot \mathbf{y}) \oslash \mathbf{z}"),
    ("a/c*x", "a/c*x", "(a/c) x", r"\frac{a}{c} \mathbf{x}"),
    ("a/(c*x[1])", "a/(c*x[1])", "a/(c x[1])", r"\frac{a}{c [\mathbf{x}]_{1}}"),
    ("x.^2", "x.^2", "x∘²", r"\mathbf{x}^{\odot 2}"),
    ("(x.^2)'", "(x.^2)'", "(x∘²)ᵀ", r"(\mathbf{x}^{\odot 2})^{\top}"),
    ("X'^2", "X'^2", "(Xᵀ)²", r"(\mathbf{X}^{\top})^{2}"),
    ("-x - -y", "-x - (-y)", "−x − (−y)", r"-\mathbf{x} - (-\mathbf{y})"),
    ("a - (b[1] - c)", "a - (b[1] - c)", "a − (b[1] − c)", r"a - ([\mathbf{b}]_{1} - c)"),
    ("x*2", "x*2", "x · 2", r"\mathbf{x} \cdot 2"),
    ("inv(X)^2*x", "inv(X)^2*x", "X⁻² x", r"\mathbf{X}^{-2} \mathbf{x}"),
    ("lambda*mu + W1'*b", "lambda*mu + W1'*b", "λ μ + W₁ᵀ b",
     r"\lambda \boldsymbol{\mu} + \mathbf{W}_{1}^{\top} \mathbf{b}"),
    ("[2*x[1],1;x[2],x[1]]", "[2*x[1], 1; x[2], x[1]]", "[2 x[1], 1; x[2], x[1]]",
     r"\begin{bmatrix} 2 [\mathbf{x}]_{1} & 1 \\ [\mathbf{x}]_{2} & [\mathbf{x}]_{1} \end{bmatrix}"),
    ("exp(-x'*x/2)", "exp(-x'*x/2)", "exp(−xᵀ x/2)",
     r"\exp\left(-\frac{\mathbf{x}^{\top} \mathbf{x}}{2}\right)"),
    ("1 - tanh(X*x).^2", "1 - tanh(X*x).^2", "1 − tanh(X x)∘²",
     r"1 - \tanh(\mathbf{X} \mathbf{x})^{\odot 2}"),
    ("logdet(X)^2", "logdet(X)^2", "(log|det(X)|)²", r"(\log\lvert\det(\mathbf{X})\rvert)^{2}"),
    ("x/a/c", "x/a/c", "x/(a c)", r"\frac{\mathbf{x}}{a c}"),
    ("x/a/a", "x/a/a", "x/a²", r"\frac{\mathbf{x}}{a^{2}}"),
    ("x/m/(2*c)", "x/m/(2*c)", "x/(2 c m)", r"\frac{\mathbf{x}}{2 c m}"),
    ("x/2/3", "x/2/3", "x/2/3", r"\frac{\frac{\mathbf{x}}{2}}{3}"),
    ("1/(1 + 1/(1 + 1/c))", "1/(1 + 1/(1 + 1/c))", "1/(1 + 1/(1 + 1/c))",
     r"1 / \left(1 + \frac{1}{1 + \frac{1}{c}}\right)"),
    ("X + sin(X).*matrix(1)", "X + sin(X).*matrix(1)", "X + sin(X) ∘ (𝟏 𝟏ᵀ)",
     r"\mathbf{X} + \sin(\mathbf{X}) \odot \mathbf{1}_{n \times n}"),
    ("A ⊗ B", "A ⊗ B", "A ⊗ B", r"\mathbf{A} \otimes \mathbf{B}"),
]  # fmt: skip


@pytest.mark.parametrize(("typed_in", "text", "unicode", "latex"), SHOWN)
def test_what_is_shown(typed_in: str, text: str, unicode: str, latex: str) -> None:
    expr = typed(typed_in, DECLARED)
    assert (to_text(expr), to_unicode(expr), to_latex(expr)) == (text, unicode, latex)


def test_a_power_of_a_name_with_a_superscript_has_brackets() -> None:
    special = {"x": Piece(ATOM, (r"{\mathbf{h}^{(l)}}",))}
    assert to_latex(typed("x.^2", DECLARED), special) == r"({\mathbf{h}^{(l)}})^{\odot 2}"


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("decimals", [True, False])
def test_text_reads_back(formula: str, decimals: bool) -> None:
    expr = typed(formula, DECLARED)
    text = to_text(expr, decimals=decimals)
    again = typed(text, DECLARED)
    assert to_text(again, decimals=decimals) == text
    assert again.type == expr.type
    values = [evaluate(e, arrays(), SIZES) for e in (expr, again)]
    assert np.allclose(*values, rtol=1e-13, atol=0)


@pytest.mark.parametrize("formula", FORMULAS)
def test_latex_is_balanced(formula: str) -> None:
    latex = to_latex(typed(formula, DECLARED))
    assert latex.count("{") == latex.count("}")
    assert latex.count(r"\left") == latex.count(r"\right")
    assert "#" not in latex + to_unicode(typed(formula, DECLARED))


def test_numbers() -> None:
    half = typed("1.5*c", "c: scalar")
    assert to_text(half) == "1.5*c"
    assert to_text(half, decimals=False) == "3/2*c"
    assert to_unicode(half) == "(3/2) c"
    assert to_latex(typed("0.5*c", "c: scalar")) == r"\frac{1}{2} c"
    assert to_unicode(typed("0.5*c", "c: scalar")) == "½ c"
    assert to_text(typed("c^0.5", "c: scalar"), decimals=False) == "c^(1/2)"


def test_names_that_would_look_alike_stay_apart() -> None:
    expr = typed("W1 + W_1", "W1: scalar; W_1: scalar")
    assert to_unicode(expr) == "W₁ + W_1"
    assert to_latex(expr) == r"W_{1} + \mathit{W\_1}"


def test_deep_and_long_trees() -> None:
    deep = long = NAME
    for _ in range(20_000):
        deep = Expr("call", (deep,), typed("exp(c)", "c: scalar").value)
    long = Expr("add", (NAME,) * 20_000)
    assert to_text(deep).count("exp") == to_unicode(deep).count("exp") == to_latex(deep).count("exp") == 20_000
    assert to_text(long).count("+") == 19_999


def test_an_unknown_operation_is_refused() -> None:
    for printer in (to_text, to_unicode, to_latex):
        with pytest.raises(NotImplementedError, match="mystery"):
            printer(Expr("mystery"))


def test_types_as_declarations() -> None:
    m, n = Dim.of("m"), Dim.of("n")
    assert type_text(Type("matrix", (m, n))) == "matrix(m, n)"
    assert type_text(Type("matrix", (n, n)), {"symmetric", "psd", "spd"}) == "spd(n)"
    assert type_text(Type("matrix", (n, n)), {"symmetric", "diagonal"}) == "diagonal(n)"
    assert type_text(Type("scalar", ()), {"positive", "nonnegative"}) == "positive"
    assert type_text(Type("scalar", ())) == "scalar"


LONG = {
    "x/1.7320508075688772": ("eye/1.7320508075688772", r"\frac{\mathbf{I}}{1.7320508075688772}"),
    "3*x/1.7320508075688772": ("3*eye/1.7320508075688772", r"\frac{3 \mathbf{I}}{1.7320508075688772}"),
    "x*1.7320508075688772/3": ("1.7320508075688772*eye/3", r"\frac{1.7320508075688772 \mathbf{I}}{3}"),
    "2.5066282746310002*x": ("2.5066282746310002*eye", r"2.5066282746310002 \mathbf{I}"),
    "-1e-12*x": ("-1e-12*eye", r"-10^{-12} \mathbf{I}"),
    "2.5e20*x": ("2.5e20*eye", r"2.5 \cdot 10^{20} \mathbf{I}"),
    "x/3": ("eye/3", r"\frac{\mathbf{I}}{3}"),
    "x/1024": ("eye/1024", r"\frac{\mathbf{I}}{1024}"),
    "0.1*x": ("0.1*eye", r"\frac{1}{10} \mathbf{I}"),
}


@pytest.mark.parametrize("text", LONG)
def test_long_decimals_are_printed_as_they_are_written_and_stay_exact(text):
    d = matgrad.derive(text, "x", where="x: vector(n)")
    assert (d.text, d.latex) == LONG[text]
    assert matgrad.parse(d.text, context=d).node is d.node
    assert matgrad.parse_latex(d.latex, context=d).node is d.node
    assert matgrad.parse(d.formula.text, where="x: vector(n)").text == text


def test_long_decimals_in_exponents_and_for_reading():
    d = matgrad.derive("c^0.123456789123 + 2.5e-10*c", "c", where="c: positive")
    assert d.text == "0.123456789123/c^0.876543210877 + 2.5e-10"
    assert d.unicode == "0.123456789123/c^0.876543210877 + 2.5 · 10⁻¹⁰"
    assert matgrad.parse_latex(d.latex, context=d).node is d.node


@given(st.integers(1, 10**20), st.integers(1, 10**20), st.integers(-30, 30), st.booleans())
def test_numbers_are_read_back_exactly(top, bottom, exponent, decimals):
    value = Fraction(top, bottom) * Fraction(10) ** exponent
    above, below = split_number(value, decimals)
    assert Fraction(above) / Fraction(below or 1) == value


def test_a_fraction_that_is_divided_has_one_bar():
    """It was a fraction over a fraction, beside which no further bar fitted."""
    d = matgrad.derive("cosh(1/(2*(c^2+1)))", "c", where="c: scalar")
    assert d.latex == r"-\frac{c \sinh\left(\frac{1}{2 (c^{2} + 1)}\right)}{(c^{2} + 1)^{2}}"
    assert d.unicode == "−c sinh(1/(2 (c² + 1)))/(c² + 1)²"
