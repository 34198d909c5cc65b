"""LaTeX as input: what is printed is read back, and published formulas are read as they are meant."""

from __future__ import annotations

import contextlib
import json
import pickle
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import load_cases, where_text
from random_formulas import random_formula, variables_of, where_of

import matgrad
from matgrad.errors import NotSupported
from matgrad.latex_input.alignment import unaligned
from matgrad.latex_input.asking import asked_for
from matgrad.latex_input.parser import read_tree
from matgrad.latex_input.reading import read_latex
from matgrad.latex_input.tokens import Names

DATA = Path(__file__).parent / "data" / "latex.jsonl"
PUBLISHED = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
CASES = load_cases()


@pytest.mark.parametrize("case", [pytest.param(c, id=c["id"]) for c in CASES])
def test_printed_latex_is_read_back(case: dict[str, Any]) -> None:
    derivative = matgrad.derive(case["expr"], case["wrt"], where=where_text(case), order=case["order"])
    formula = derivative.formula
    assert matgrad.parse_latex(formula.latex, context=formula).node is formula.node
    answer = matgrad.parse(derivative.text, context=derivative)
    assert matgrad.parse_latex(derivative.latex, context=derivative).node is answer.node


@pytest.mark.parametrize("case", [pytest.param(c, id=c["id"]) for c in CASES])
def test_printed_latex_is_read_without_context(case: dict[str, Any]) -> None:
    formula = matgrad.parse(case["expr"])
    read = matgrad.parse_latex(formula.latex)
    assert read.text == formula.text or read.node is formula.node


@pytest.mark.parametrize("row", [pytest.param(r, id=r["latex"]) for r in PUBLISHED if "text" in r])
def test_published_formulas(row: dict[str, Any]) -> None:
    formula = matgrad.parse_latex(row["latex"])
    assert formula.reading is not None
    assert formula.reading.text == row["text"]
    assert formula.asks == tuple(row.get("asks", ()))
    again = matgrad.parse_latex(formula.latex, context=formula)
    assert again.node is formula.node, formula.latex


def test_a_function_of_a_matrix_that_could_be_two_things_is_told() -> None:
    for latex in (r"e^{\mathbf{X}}", r"\exp(\mathbf{X})"):
        reading = matgrad.parse_latex(latex).reading
        assert reading is not None
        assert "exp of a matrix is read entry by entry" in reading.notes


@pytest.mark.parametrize(
    ("latex", "hint"),
    [
        (r"\frac{1}{\mathbf{x}}", r"1 \oslash \mathbf{x}"),
        (r"\mathbf{x}^2", r"\mathbf{x}^{\odot 2} (entry by entry), or \mathbf{x}^\top \mathbf{x} (a scalar)"),
        (r"[\mathbf{X}]_{ij}", r"[\mathbf{X}]_{1,2}, or [\mathbf{X}]_{1,:} for a row"),
        (
            r"\mathbf{A}/\mathbf{B}",
            r"\mathbf{A} \oslash \mathbf{B} or \mathbf{B}^{-1} \mathbf{A} or \mathbf{A} \mathbf{B}^{-1}",
        ),
        (r"\|\mathbf{X}\|_{2,1}", r"\sum_i \|\mathbf{x}_i\|_2, where X has the rows x_i"),
    ],
)
def test_hints_are_in_latex(latex: str, hint: str) -> None:
    with pytest.raises(matgrad.MatgradError) as caught:
        matgrad.parse_latex(latex)
    assert caught.value.hint == hint


def test_an_index_may_end_elsewhere_in_another_sum() -> None:
    formula = matgrad.parse_latex(r"\sum_{i=1}^n x_i + \sum_{i=1}^m y_i + \sum_{i=1}^3 z_i")
    assert {name: str(what) for name, what in formula.variables.items()} == {
        "x": "vector(n)", "y": "vector(m)", "z": "vector(3)",
    }  # fmt: skip


SOFT = r"\begin{cases} x - c & x > c \\ 0 & |x| \le c \\ x + c & x < -c \end{cases}"


@pytest.mark.parametrize(("x", "value"), [(3.0, 2.0), (1.0, 0.0), (0.5, 0.0), (-1.0, 0.0), (-3.0, -2.0)])
def test_the_first_case_that_holds_is_taken(x: float, value: float) -> None:
    soft = matgrad.parse_latex(SOFT, where="x: scalar; c: scalar")
    assert soft(x=x, c=1.0) == value
    assert soft.reading is not None
    assert "the last case is read as all that is left" in soft.reading.notes


@pytest.mark.parametrize("row", [pytest.param(r, id=r["latex"]) for r in PUBLISHED if "refused" in r])
def test_what_is_refused_shows_the_place(row: dict[str, Any]) -> None:
    with pytest.raises(matgrad.MatgradError) as caught:
        matgrad.parse_latex(row["latex"])
    assert caught.value.message == row["refused"]
    assert caught.value.span is not None


SUBSCRIPTS = [r"\mathbf{I}_{2m + n - 1} \mathbf{x}", r"[\mathbf{x}]_{m n + 1}", r"[\mathbf{X}]_{m+1:n, 2}",
              r"\mathbf{1}_{m \times n}", r"\mathbf{K}_{m+1,n}", r"\mathbf{e}_1"]  # fmt: skip


@pytest.mark.parametrize("latex", [row["latex"] for row in PUBLISHED if "text" in row] + SUBSCRIPTS)
def test_every_part_has_a_place_of_its_own(latex: str) -> None:
    """Kinds are kept by the identity of places: two parts that shared one would be given one kind."""
    program = read_tree(asked_for(unaligned(latex)).text, Names(frozenset("mn"), frozenset())).program
    places = [part.span for nodes in program.walked() for part in nodes]
    assert None not in places
    assert len({id(place) for place in places}) == len(places)


def test_sums_over_an_index_have_the_value_of_the_sum() -> None:
    rng = np.random.default_rng(0)
    X, y, w, mu = rng.normal(size=(5, 3)), rng.normal(size=5), rng.normal(size=3), rng.normal(size=3)
    S = np.eye(3) + 0.1 * rng.normal(size=(3, 3))
    logistic = matgrad.parse_latex(r"\sum_{i=1}^{n} \log(1 + e^{-y_i \mathbf{x}_i^\top \mathbf{w}})")
    assert np.isclose(logistic(X=X, y=y, w=w), sum(np.log1p(np.exp(-y[i] * X[i] @ w)) for i in range(5)))
    gauss = matgrad.parse_latex(
        r"\sum_{i=1}^{n} (\mathbf{x}_i - \boldsymbol{\mu})^\top"
        r"\boldsymbol{\Sigma}^{-1} (\mathbf{x}_i - \boldsymbol{\mu})"
    )
    expected = sum((X[i] - mu) @ np.linalg.inv(S) @ (X[i] - mu) for i in range(5))
    assert np.isclose(gauss(X=X, mu=mu, Sigma=S), expected)
    double = matgrad.parse_latex(r"\sum_i \sum_j a_i K_{ij} a_j b_{i}")
    a, b, K = rng.normal(size=4), rng.normal(size=4), rng.normal(size=(4, 4))
    assert np.isclose(double(a=a, b=b, K=K), sum(a[i] * K[i, j] * a[j] * b[i] for i in range(4) for j in range(4)))
    outer = matgrad.parse_latex(r"\sum_{i} y_i \mathbf{x}_i \mathbf{x}_i^\top")
    assert np.allclose(outer(X=X, y=y), sum(y[i] * np.outer(X[i], X[i]) for i in range(5)))
    norms = matgrad.parse_latex(r"\sum_{i=1}^{n} \| \mathbf{x}_i - \boldsymbol{\mu} \|_2")
    assert np.isclose(norms(X=X, mu=mu), sum(np.linalg.norm(X[i] - mu) for i in range(5)))
    repeated = matgrad.parse_latex(r"\sum_{i=1}^{n} (c + y_i)", where="c: scalar")
    assert np.isclose(repeated(c=2.0, y=y), np.sum(2.0 + y))


def test_an_index_outside_its_sum_is_refused() -> None:
    with pytest.raises(matgrad.MatgradError, match="outside its sum"):
        matgrad.parse_latex(r"\sum_{i=1}^{n} y_i - \log x_i")


def test_names_map_one_to_one_and_back() -> None:
    formula = matgrad.parse_latex(r"\mathbf{W}^{(1)} \hat{\mathbf{x}} + \mathbf{W}_1 \tilde{\mathbf{x}}_t")
    assert len(formula.variables) == 4
    for written in (r"\mathbf{W}^{(1)}", r"\mathbf{W}_{1}", r"\hat{\mathbf{x}}", r"\tilde{\mathbf{x}}_{t}"):
        assert written in formula.latex, formula.latex


def test_declarations_decide() -> None:
    assert matgrad.parse_latex(r"\sigma(x)", where="sigma: scalar; x: scalar").text == "sigma*x"
    assert matgrad.parse_latex("g'(x)", where="g: function; x: scalar").text == "g'(x)"
    assert matgrad.parse_latex("x^T", where="x: scalar; T: scalar").text == "x^T"
    assert matgrad.parse_latex(r"|x|", where="x: scalar").text == "abs(x)"
    with pytest.raises(matgrad.MatgradError, match="two readings"):
        matgrad.parse_latex(r"\|X\|", where="X: matrix(m,n)")


def test_readings_are_told() -> None:
    assert "|·| of a matrix is read as its determinant" in matgrad.parse_latex(r"\log |\mathbf{S}|").assumed
    assert r"\sigma(·) is read as sigmoid" in matgrad.parse_latex(r"\sigma(z)").assumed


def test_pickles_with_its_spelling() -> None:
    formula = matgrad.parse_latex(r"\hat{\mathbf{y}}^\top \mathbf{x}")
    assert pickle.loads(pickle.dumps(formula)).latex == formula.latex


BAD = [
    "", "{", "}", r"\frac", r"\frac{1}", "^2", "x^", "x_", r"\left(", ")", r"\begin{bmatrix}", "|x", r"\|x", "&", "\\",
    "\\\\", r"\sum x", r"\sum_", r"\mathbf", r"\mathbf{}", r"\operatorname{foo}(x)", "x+", "=x", "x==y", "$", "x^{}",
    r"\sqrt[3", "{" * 70, r"\nabla_x", r"\frac{\partial}{\partial x}", r"\unknowncommand", "x!", "é", "\ud800", "𝒙",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_bad_input_is_an_error_of_matgrad(text: str) -> None:
    """Some of these can be read; the others raise nothing but errors of matgrad."""
    with contextlib.suppress(matgrad.MatgradError):
        assert read_latex(text).text


def test_readings_have_the_value_that_is_meant() -> None:
    """The formula's value against loops and NumPy, on data of distinct sizes."""
    rng = np.random.default_rng(4)
    X, A, K = rng.normal(size=(5, 3)), rng.normal(size=(3, 3)), rng.normal(size=(5, 5))
    y, w, x, mu = rng.normal(size=5), rng.normal(size=3), rng.normal(size=3), rng.normal(size=3)
    n = range(5)
    read = matgrad.parse_latex
    quadratic = read(r"\sum_{i=1}^n\sum_{j=1}^n y_i K_{ij} y_j")
    assert np.isclose(quadratic(y=y, K=K), sum(y[i] * K[i, j] * y[j] for i in n for j in n))
    mean = read(r"\frac1N\sum_{n=1}^N (t_n - \mathbf{w}^\top\mathbf{x}_n)^2")
    assert np.isclose(mean(t=y, X=X, w=w), np.mean((y - X @ w) ** 2))
    entropy = read(r"-\sum_{k} y_k \log \frac{e^{z_k}}{\sum_j e^{z_j}}")
    assert np.isclose(entropy(y=y, z=y + 1), -sum(y[k] * np.log(np.exp(y[k]) / np.exp(y).sum()) for k in n))
    dots = read(r"2\mathbf{w}\cdot\mathbf{A}\mathbf{x} - \mathbf{w}\cdot\boldsymbol{\mu}")
    assert np.isclose(dots(w=w, A=A, x=x, mu=mu), 2 * w @ A @ x - w @ mu)
    scatter = read(r"\sum_{i=1}^{n} (\mathbf{x}_i - \boldsymbol{\mu})(\mathbf{x}_i - \boldsymbol{\mu})^\top")
    assert np.allclose(scatter(X=X, mu=mu), sum(np.outer(X[i] - mu, X[i] - mu) for i in n))


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\log\lvert\det\mathbf{X}\rvert a", "log(abs(det(X)))*a"),
        (r"\log |a|^2 b c", "log(abs(a)^2)*b*c"),
        (r"\log \lVert \mathbf{x}\rVert \mathbf{x}", "log(norm2(x))*x"),
        (r"\log\exp |a| b", "log(exp(abs(a)))*b"),
        (r"\log 2|a| b", "log(2*abs(a)*b)"),
    ],
)
def test_bars_end_the_argument_of_a_function_as_brackets_do(latex: str, text: str) -> None:
    """What logdet(X)*a is printed as was read as the logarithm of the product."""
    assert matgrad.parse_latex(latex).text == text


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("A[1:m,:]*x", "A: matrix(m+n,p); x: vector(p)"),
        ("A[m + 1:m + n,2]", "A: matrix(m+n,p)"),
        ("x[2:n]'*x[1:n - 1] + x[n]", "x: vector(n)"),
        ("A[2*m,:]", "A: matrix(2*m,p)"),
        ("zeros(m - 1, n)*x", "x: vector(n)"),
    ],
)
def test_positions_and_sizes_may_be_sums(text: str, where: str) -> None:
    formula = matgrad.parse(text, where=where)
    assert matgrad.parse_latex(formula.latex, context=formula).node is formula.node


def test_the_gradient_of_a_slice_is_read_back() -> None:
    gradient = matgrad.gradient("norm2(A[1:m,:]*x)^2", "A", where="A: matrix(m+n,p); x: vector(p)")
    assert matgrad.parse_latex(gradient.latex, context=gradient).text == gradient.text


@pytest.mark.parametrize("index", ["1:", "0", "m+", "1:2:3", "-1", "", "+", "1,2,3"])
def test_what_is_no_position_is_refused(index: str) -> None:
    with pytest.raises(matgrad.MatgradError):
        matgrad.parse_latex(rf"[\mathbf{{x}}]_{{{index}}}")


def test_another_point_of_a_kernel_is_not_a_transpose() -> None:
    with pytest.raises(matgrad.MatgradError, match="two readings"):
        matgrad.parse_latex(r"\exp\left(-\|\mathbf{x}-\mathbf{x}'\|^2\right)")


PIECES = [
    r"x",
    r"y",
    r"\mathbf{A}",
    r"\mathbf{x}",
    r"+",
    r"-",
    r"=",
    r"^",
    r"_",
    r"{",
    r"}",
    r"(",
    r")",
    r"[",
    r"]",
    r"|",
    r"\|",
    r"\frac",
    r"\sqrt",
    r"\sum_{i}",
    r"^\top",
    r"^{-1}",
    r"&",
    r"\\",
    r",",
    r"2",
    r"0.5",
    r"\left",
    r"\right",
    r"\begin{bmatrix}",
    r"\end{bmatrix}",
    r"\begin{align}",
    r"\end{align}",
    r"\cdot",
    r"\odot",
    r"\nabla_",
    r"\log",
    r"\exp",
    r"e^",
    r"\operatorname{tr}",
    r"\text{for}",
    r"\mathrm{d}",
    r"\partial",
    r"x_i",
    r"_i^2",
    r"'",
    r"\sigma(",
    r"\quad",
    r";",
    r".",
    r"$",
    r"\hat",
    r"\langle",
    r",",
    r"\rangle",
    r"\det",
    r"\mid",
    r"\mathbb{R}",
]


@pytest.mark.parametrize("seed", range(4))
def test_what_is_mangled_raises_errors_of_matgrad(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(60):
        if rng.random() < 0.5:
            text = " ".join(rng.choices(PIECES, k=rng.randrange(1, 14)))
        else:
            text = rng.choice(PUBLISHED)["latex"]
            for _ in range(rng.randrange(1, 4)):
                at = rng.randrange(len(text) + 1)
                text = text[:at] + rng.choice(["", *PIECES]) + text[at + rng.randrange(3) :]
        start = time.process_time()
        with contextlib.suppress(matgrad.MatgradError):
            matgrad.parse_latex(text)
        assert time.process_time() - start < 2, text


@pytest.mark.parametrize("seed", range(60))
def test_what_is_printed_can_be_read_back(seed: int) -> None:
    """First and second derivatives of random formulas; log1p is read as log(1 + x), which is the same."""
    text = random_formula(seed + 4000).text
    names = variables_of(text)
    d = matgrad.derive(text, names[seed % len(names)], where=where_of(text), order=1 + seed % 2)
    back = matgrad.parse_latex(d.latex, context=d)
    assert back.node.shape == d.expr.dims
    if "log1p" not in d.text and "log(1" not in d.text:
        assert back.node is matgrad.parse(d.text, context=d).node


@pytest.mark.parametrize(
    ("formula", "name", "order", "where"),
    [
        ("x[n]", "x", 1, "x: vector(n)"),
        ("x[1:3]'*x[n-2:n]", "x", 1, None),
        ("sum(X[3:m,2:n].^2)", "X", 1, "X: matrix(m,n)"),
        ("exp(-z'*z/(1 + norm2(eye(5))^2))", "z", 1, None),
        ("sum(vec(X').^3)", "X", 1, "X: matrix(m,n)"),
        ("vec(v*t')'*commutation(p,2)*vec(t*v')", "v", 2, "v: vector(p); t: vector(2)"),
        ("tr((eye + A*A*(A*A)')^-2)", "A", 2, "A: matrix(n,n)"),
    ],
)
def test_sizes_that_only_the_answer_shows(formula: str, name: str, order: int, where: str | None) -> None:
    d = matgrad.derive(formula, name, order=order, where=where)
    assert matgrad.parse_latex(d.latex, context=d).node is matgrad.parse(d.text, context=d).node
    assert matgrad.parse_latex(d.formula.latex, context=d.formula).node is d.formula.node


@pytest.mark.parametrize(
    ("latex", "where", "text", "printed"),
    [
        (r"\boldsymbol{\pi}^\top x + \pi", None, "pi_bold'*x + pi", r"\boldsymbol{\pi}^{\top} x + \pi"),
        (r"\sum_k \pi_k \log \pi_k", None, "pi_bold'*log(pi_bold)", r"\boldsymbol{\pi}^{\top} \log(\boldsymbol{\pi})"),
        (r"\sum_k \pi_k \log(2 \pi x_k)", None, "pi_bold'*log(2*pi*x)",
         r"\boldsymbol{\pi}^{\top} \log(2 \pi \mathbf{x})"),
        (r"\sum_{i=1}^n \log x_i", "x: positive vector(n)", "sum(log(x))", r"\operatorname{sum}(\log(\mathbf{x}))"),
    ],
)  # fmt: skip
def test_arrays_that_share_a_letter_with_a_constant_or_are_declared(
    latex: str, where: str | None, text: str, printed: str
) -> None:
    """Mixture weights are no number pi; an array may be declared where only its entries stand."""
    formula = matgrad.parse_latex(latex, where=where)
    assert (formula.text, formula.latex) == (text, printed)
    assert matgrad.parse_latex(printed, context=formula).text == text


def test_a_declared_vector_gives_the_rows_their_length() -> None:
    formula = matgrad.parse_latex(r"\sum_{i=1}^n (y_i - w^\top x_i)^2", where="w: vector(p)")
    assert formula.variables == {"y": "vector(n)", "X": "matrix(n, p)", "w": "vector(p)"}


@pytest.mark.parametrize("latex", [r"\max_w w^\top x", r"\min_x \|A x - b\|^2"])
def test_what_is_to_be_maximised_over_is_no_index(latex: str) -> None:
    with pytest.raises(NotSupported, match="a subscript of"):
        matgrad.parse_latex(latex)
