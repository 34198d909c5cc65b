"""Loops over layers, as part of the language: what they mean, and where errors in them are shown."""

from __future__ import annotations

import numpy as np
import pytest

import matgrad
from matgrad.cli import main
from matgrad.errors import MatgradError
from matgrad.formula.parser import parse_program

TANH = "for l in 1..3 { a{l} = tanh(W{l}*a{l-1} + b{l}) }; norm2(a3 - t)^2"
WRITTEN = "a1 = tanh(W1*a0 + b1); a2 = tanh(W2*a1 + b2); a3 = tanh(W3*a2 + b3); norm2(a3 - t)^2"


@pytest.mark.parametrize(
    ("looped", "written"),
    [
        (TANH, WRITTEN),
        ("for k in 2..3 { h{k} = W{k}*h{k-1} }; sum(h3)", "h2 = W2*h1; h3 = W3*h2; sum(h3)"),
        ("for l in 1..2 {\n z{l} = W{l}*a{ l - 1 }\n a{l} = tanh(z{l});\n}\nsum(a2)",
         "z1 = W1*a0; a1 = tanh(z1); z2 = W2*a1; a2 = tanh(z2); sum(a2)"),
        ("r = 2*x; for l in 1..2 { y{l} = l*r }; sum(y1 + y2)", "r = 2*x; y1 = l*r; y2 = l*r; sum(y1 + y2)"),
        ("for i in 1..2 { for j in i0..2 { x } }; x", None),
        ("for i in 1..2 { for j in 1..2 { h{i}_{j} = W{i}_{j}*x } }; sum(h1_2)",
         "h1_1 = W1_1*x; h1_2 = W1_2*x; h2_1 = W2_1*x; h2_2 = W2_2*x; sum(h1_2)"),
        ("x{1}'*x{1}", "x1'*x1"),
        ("for + for*in", "for + for*in"),
    ],
)  # fmt: skip
def test_a_loop_is_its_layers_written_out(looped: str, written: str | None) -> None:
    if written is None:
        with pytest.raises(MatgradError):
            parse_program(looped)
        return
    assert parse_program(looped) == parse_program(written)


def test_everything_that_reads_a_program_reads_loops() -> None:
    assert matgrad.derive(TANH, "W2").text == matgrad.derive(WRITTEN, "W2").text
    assert matgrad.derive(TANH, "W1").verify().passed
    rng = np.random.default_rng(0)
    sizes = [2, 3, 4, 5]
    point = {f"W{k}": rng.normal(size=(sizes[k], sizes[k - 1])) for k in (1, 2, 3)}
    point |= {f"b{k}": rng.normal(size=sizes[k]) for k in (1, 2, 3)}
    point |= {"a0": rng.normal(size=2), "t": rng.normal(size=5)}
    assert matgrad.parse(TANH)(**point) == matgrad.parse(WRITTEN)(**point)


def test_the_command_reads_loops(capsys: pytest.CaptureFixture[str]) -> None:
    program = "for l in 1..3 { x{l} = c*x{l-1} }; sum(x3)"
    assert main(["eval", program, "--at", "c=2; x0=[1,2]"]) == 0
    assert capsys.readouterr().out == "24\n"
    assert main(["derive", program, "--wrt", "c", "--at", "c=2; x0=[1,2]"]) == 0
    assert "36" in capsys.readouterr().out


def test_declarations_take_loops() -> None:
    where = "for l in 1..3 { W{l}: matrix(n{l},n{l-1}); b{l}: vector(n{l}) }; a0: vector(n0)"
    declared = matgrad.parse(TANH, where=where).variables
    assert declared["W3"] == "matrix(n3, n2)"
    assert declared["b1"] == "vector(n1)"


@pytest.mark.parametrize(
    ("program", "message", "marked"),
    [
        ("for l in 1..3 { a{l} = W{k}*a{l-1} }; a3", "{k} is not an index here: the loop is over l", "{k}"),
        ("for l in 1..3 { a{l} = W{l*2}*a{l-1} }; a3", "{l*2} is not an index here", "{l*2}"),
        ("for l in 1.. { a{l} = x }; a1", "the range of a loop has no end", "1.."),
        ("for l in 1..n { a{l} = x }; a1", "the range of a loop needs numbers: n has no value", "n"),
        ("for l in 1...3 { a{l} = x }; a1", "two dots", "1..."),
        ("for l in ..3 { a{l} = x }; a1", "from one to another", "for l in "),
        ("for l in 3..1 { a{l} = x }; a1", "a loop runs upwards: 3..1", "3..1"),
        ("for l in 1..2000 { a{l} = x }; a1", "1000 layers at most", "1..2000"),
        ("for l in 0..1 { a{l} = a{l-1} }; a1", "{l-1} is -1 in layer 0", "{l-1}"),
        ("for l in 1..2 { a{l} = x", "never closed", "{"),
        ("for l in 1..2 { a{l} = (x }; a2", "'(' is never closed", "("),
        ("for l in 1..2 a{l} = x", "in braces", "a"),
        ("for l in 1..2 { }; x", "the body of this loop is empty", "1..2"),
        ("for l in 1..2 { a = x }; a", "a is defined again in each layer", "a"),
        ("2*for l in 1..2 { a{l} = x }; a1", "a statement of its own", "for"),
        ("for l in 1..2 { for l in 1..2 { a{l} = x } }; a1", "inside of another", "for l in 1..2"),
        ("W{l}*x", "the index {l} stands outside of a loop", "{l}"),
        ("x}", "the character '}'", "}"),
        ("for l in 1..3 { a{l} = W{l}*a{l-1}' }; sum(a3)", "cannot be multiplied", "W{l}*a{l-1}'"),
    ],
)
def test_errors_say_what_and_where_in_the_text_as_typed(program: str, message: str, marked: str) -> None:
    with pytest.raises(MatgradError) as caught:
        matgrad.parse(program)
    assert message in caught.value.message
    assert caught.value.source == program
    assert caught.value.span is not None
    assert program[slice(*caught.value.span)] == marked


def test_errors_in_declared_loops() -> None:
    with pytest.raises(MatgradError) as caught:
        matgrad.parse("W1*x", where="for l in 1..3 { W{k}: matrix(n,n) }")
    assert "{k} is not an index here" in caught.value.message
    with pytest.raises(MatgradError, match="not known"):
        matgrad.parse("W1*x", where="for l in 1..3 { W{l}: matrx(n,n) }")


def test_a_loop_cannot_grow_without_bounds() -> None:
    nested = "for i in 1..1000 { for j in 1..1000 { a{i}_{j} = x } }; x"
    with pytest.raises(MatgradError, match="more than"):
        matgrad.parse(nested)
