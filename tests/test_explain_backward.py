"""The backward style: the textbook's lines, layers shown once, what each line says, and its drawing."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import matgrad
from matgrad.cli import main
from matgrad.explaining.backward import Backward
from matgrad.explaining.backward_check import check_table
from matgrad.explaining.graph import source
from matgrad.explaining.lines import ANSWER, STEP
from matgrad.explaining.render import WIDTH
from matgrad.explaining.truth import WrongLine

NETWORKS = {
    "two layers": ("a1 = tanh(W1*x + b1); y = W2*a1 + b2; 0.5*norm2(y - t)^2", "W1,b1,W2,b2", None),
    "nested": ("0.5*norm2(W3*relu(W2*tanh(W1*x)) - t)^2", "W1,W2,W3", None),
    "cross-entropy": ("p = sigmoid(W*x + b); -sum(y.*log(p) + (1 - y).*log(1 - p))", "W,b", None),
    "softmax": ("p = softmax(W*x + b); -y'*log(p)", "W,b", None),
    "attention": ("P = softmax(Q*K'/sqrt(cols(K)), dim=2); norm2(P*V - T)^2", "Q,K,V", None),
    "layer norm": ("m = mean(x); c = x - m; v = mean(c.^2); h = c/sqrt(v + s); sum(g.*h + b)", "x,g,b",
                   "x: vector(n); g: vector(n); b: vector(n); s: positive"),
    "batch": ("A1 = tanh(X*W1'); Y = A1*W2' + vector(1)*b'; 0.5*norm2(Y - T)^2/rows(X)", "W1,W2,b", None),
    "recurrent": ("for l in 1..4 { h{l} = tanh(U*x{l} + W*h{l-1}) }; 0.5*norm2(V*h4 - y)^2", "U,W,V", None),
    "residual": (
        "for l in 1..3 { h{l} = h{l-1} + V{l}*relu(W{l}*h{l-1}) }; norm2(h3 - t)^2", "W1,W2,W3,V1,V2,V3", None),
    "autoencoder": ("z = sigmoid(E*x); norm2(D*z - x)^2", "E,D", None),
    "gaussian process": ("K = s^2*C + q*eye; 0.5*y'*inv(K)*y + 0.5*logdet(K)", "s,q", "C: spd(n); q: positive"),
    "gated": ("h = tanh(H*x); g = sigmoid(G*x); y = g.*h + (1 - g).*x; norm2(y - t)^2", "H,G", None),
    "cosine": ("z = A*x; q = B*y; (z'*q)/(norm2(z)*norm2(q))", "A,B", None),
    "rayleigh": ("(x'*A*x)/(x'*x)", "x,A", None),
    "factorisation": ("R = A - U*V'; norm2(R)^2 + c*norm2(U)^2 + c*norm2(V)^2", "U,V,c", None),
    "triangular": ("norm2(L*x - b)^2 + sum(D*x)", "L,D,x", "L: lower(n); D: diagonal(n)"),
    "symmetric": ("tr(S*A*S*B)", "S", "S: symmetric(n)"),
    "parts": ("y = C*x; norm2([y[1:2]; y[3]])^2", "C", None),
}  # fmt: skip


def _shown(formula: str, wrt: str, where: str | None = None) -> list[str]:
    found = matgrad.explain(formula, wrt.split(","), where=where, style="backward")
    return [f"{found.words.unicode(line.left)} = {found.words.unicode(line.right)}" for line in found]


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_has_a_table_in_which_every_line_says_what_it_does(network: str) -> None:
    formula, wrt, where = NETWORKS[network]
    found = matgrad.explain(formula, wrt.split(","), where=where, style="backward")
    assert found.points == 2
    assert max(map(len, found.text.splitlines())) <= WIDTH
    for line in found.to_dict()["lines"]:
        if line["part"] in (STEP, ANSWER):
            assert line["rule"]
            assert line["reason"] or line["law"]
            assert line["before"]
            assert line["where"]
    parser = HTMLParser()
    parser.feed(found.html)
    assert found.html.count("<tr") == found.html.count("</tr>") == len(found)
    assert not re.search(r"\^\{[^{}]*\}\^", found.latex)


def test_values_are_written_by_their_names() -> None:
    shown = _shown(*NETWORKS["softmax"])
    assert "∂L/∂z = p ∘ (∂L/∂p − pᵀ(∂L/∂p))" in shown
    assert "∂L/∂z = (1 − p) ∘ p ∘ (∂L/∂p)" in _shown(*NETWORKS["cross-entropy"])
    shown = _shown(*NETWORKS["layer norm"])
    assert "∂L/∂v = (∂L/∂q)/(2 q)" in shown
    assert any("/n" in line for line in shown)
    assert not any("length" in line for line in shown)


def test_a_product_of_weights_is_taken_step_by_step() -> None:
    assert _shown("0.5*norm2(W2*W1*x - t)^2", "W1,W2")[1:] == [
        "u = W₁ x",
        "r = W₂ u − t",
        "∂L/∂r = r",
        "∂L/∂W₂ = (∂L/∂r) uᵀ",
        "∂L/∂u = W₂ᵀ(∂L/∂r)",
        "∂L/∂W₁ = (∂L/∂u) xᵀ",
    ]


def test_what_is_symmetric_is_known_to_be() -> None:
    shown = _shown("(x - m)'*inv(S)*(x - m) + logdet(S)", "m,S", "S: spd(n); m: vector(n); x: vector(n)")
    assert shown[3:] == ["∂L/∂U = r rᵀ", "∂L/∂S = U − U (∂L/∂U) U", "∂L/∂r = 2 U r", "∂L/∂m = −∂L/∂r"]


def test_the_symmetric_part_has_a_line_of_its_own() -> None:
    assert _shown(*NETWORKS["symmetric"])[1:] == ["G = (A S B + B S A)ᵀ", "∂L/∂S = ½ (G + Gᵀ)"]
    assert _shown("sum(D*x)", "D", "D: diagonal(n)")[1:] == ["G = 𝟏 xᵀ", "∂L/∂D = diag(diag(G))"]


RECURRENT = [
    "L = ½ ‖r‖₂²",
    "z⁽ˡ⁾ = U x⁽ˡ⁾ + W h⁽ˡ⁻¹⁾",
    "h⁽ˡ⁾ = tanh(z⁽ˡ⁾)",
    "r = V h⁽⁴⁾ − y",
    "∂L/∂r = r",
    "∂L/∂V = (∂L/∂r) h⁽⁴⁾ᵀ",
    "∂L/∂h⁽⁴⁾ = Vᵀ(∂L/∂r)",
    "∂L/∂z⁽⁴⁾ = (1 − h⁽⁴⁾∘²) ∘ (∂L/∂h⁽⁴⁾)",
    "∂L/∂h⁽ˡ⁾ = Wᵀ(∂L/∂z⁽ˡ⁺¹⁾)",
    "∂L/∂z⁽ˡ⁾ = (1 − h⁽ˡ⁾∘²) ∘ (∂L/∂h⁽ˡ⁾)",
    "∂L/∂U = Σ[l=1…4] ((∂L/∂z⁽ˡ⁾) x⁽ˡ⁾ᵀ)",
    "∂L/∂W = Σ[l=1…4] ((∂L/∂z⁽ˡ⁾) h⁽ˡ⁻¹⁾ᵀ)",
]


def test_a_recurrent_network_is_a_recursion_and_sums_over_time() -> None:
    assert _shown(*NETWORKS["recurrent"]) == RECURRENT


def test_sums_over_layers_are_found_inside_of_products() -> None:
    shown = _shown("for l in 1..4 { x{l} = x{l-1} - s*(A*x{l-1} - b) }; norm2(x4)^2", "b", "s: scalar")
    assert shown[-1] == "∂L/∂b = s Σ[l=1…4] (∂L/∂x⁽ˡ⁾)"


def test_layers_are_found_in_programs_that_are_written_out() -> None:
    written = "; ".join(f"h{k} = tanh(U*x{k} + W*h{k - 1})" for k in range(1, 5)) + "; 0.5*norm2(V*h4 - y)^2"
    assert _shown(written, "U,W,V") == RECURRENT


def test_exactly_the_layers_that_are_asked_for_are_shown() -> None:
    program = "for l in 1..3 { z{l} = W{l}*a{l-1} + b{l}; a{l} = relu(z{l}) }; 1/2*norm2(a3 - t)^2"
    found = matgrad.explain(program, ["W1", "b1", "W3"], style="backward")
    answers = {found.words.unicode(line.left): line.remark for line in found if line.part == ANSWER}
    assert answers == {
        "∂L/∂W⁽³⁾": "shape (n₃, n₂)",
        "∂L/∂W⁽¹⁾": "shape (n₁, n₀)",
        "∂L/∂b⁽¹⁾": "shape (n₁)",
    }
    recursion = [line.remark for line in found if "l = 2, 1" in line.remark]
    assert recursion == ["shape (nₗ); l = 2, 1"] * 2
    assert "the recursion starts here" in found.text
    assert "\\text{l = 1, }" in found.latex or "l = 1, 2, 3" in found.latex


def test_layers_without_a_name_for_what_is_activated() -> None:
    shown = _shown("for l in 1..5 { a{l} = tanh(W{l}*a{l-1}) }; norm2(a5)^2", "W1,W2,W3,W4,W5")
    assert "z⁽ˡ⁾ = W⁽ˡ⁾ a⁽ˡ⁻¹⁾" in shown
    assert "∂L/∂W⁽ˡ⁾ = (∂L/∂z⁽ˡ⁾) a⁽ˡ⁻¹⁾ᵀ" in shown


def test_two_layers_are_not_a_loop() -> None:
    assert not any("⁽" in line for line in _shown("for l in 1..2 { a{l} = tanh(W{l}*a{l-1}) }; sum(a2)", "W1,W2"))


def test_each_line_uses_lines_above_or_the_layer_before() -> None:
    program = "for l in 1..6 { z{l} = W{l}*a{l-1}; a{l} = tanh(z{l}) }; norm2(a6)^2"
    found = matgrad.explain(program, ["W1", "W2", "W3", "W4", "W5", "W6"], style="backward")
    seen: set[str] = set()
    for line in found:
        if line.part in (STEP, ANSWER):
            used = set(re.findall(r"∂L/∂\w+⁽[^⁾]*⁾", found.words.unicode(line.right)))
            assert {name for name in used if "ˡ⁺¹" not in name} <= seen
            seen.add(found.words.unicode(line.left))


def test_numbers_of_layers() -> None:
    program = "for l in 1..6 { x{l} = c*x{l-1} }; sum(x6)"
    found = matgrad.explain(program, ["c"], style="backward", at={"c": 2.0, "x0": np.array([1.0, 2.0])})
    line = next(line for line in found if found.words.unicode(line.left) == "x⁽ˡ⁾")
    assert {k: v.tolist() for k, v in line.numbers.items()} == {k: [2.0**k, 2.0 ** (k + 1)] for k in range(1, 7)}
    assert "l = 6" in found.text
    assert np.isclose(found[-1].numbers, 6 * 2**5 * 3)
    assert found.to_dict()["lines"][1]["numbers"]["1"] == [2.0, 4.0]


def test_a_wrong_signal_is_an_error() -> None:
    formula = matgrad.parse(NETWORKS["two layers"][0])
    table = Backward(formula, ["W1", "W2"])
    lines = table.lines()
    rng = np.random.default_rng(0)
    sizes = {"m": 2, "n": 3, "p": 4}
    from matgrad.checking.sampling import Point

    arrays = {
        name: rng.normal(size=[d.evaluate(sizes) for d in variable.type.dims])
        for name, variable in formula.typed.variables.items()
    }
    assert check_table(table, lines, Point(arrays, sizes)) < 1e-9
    for k, line in enumerate(lines):
        if line.part in (STEP, ANSWER):
            wrong = line.right.replace(op="neg", args=(line.right,), value=None)
            with pytest.raises(WrongLine):
                check_table(table, [*lines[:k], line._replace(right=wrong), *lines[k + 1 :]], Point(arrays, sizes))


def test_the_drawing_has_each_signal_at_the_value_it_arrives_at() -> None:
    drawn = source("h = tanh(W*x); h'*h + sum(h)", ["W"], at={"W": np.ones((2, 3)), "x": np.ones(3)})
    assert drawn.count("∂L/∂z = (1 − h∘²) ∘ (∂L/∂h)") == 1
    assert '"W" [label="W\\n[ 1  1  1 ]\\n[ 1  1  1 ]"' in drawn
    assert '"x" -> "z";' in drawn


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_the_drawing_is_written(tmp_path: Path) -> None:
    pytest.importorskip("graphviz")
    formula, wrt, _ = NETWORKS["two layers"]
    assert main(["explain", formula, "--wrt", wrt, "--style", "backward", "--graph", str(tmp_path / "out.svg")]) == 0
    drawn = (tmp_path / "out.svg").read_text(encoding="utf-8")
    assert drawn.count("<g ") > 10
    assert "∂L/∂" in drawn
