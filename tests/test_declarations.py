"""Declarations: every kind and trait, and errors that say what to write instead."""

from __future__ import annotations

import pytest

from matgrad.errors import DeclarationError
from matgrad.formula.declarations import Declaration, parse_declarations

KINDS = [
    ("matrix(m,n)", "matrix", "m n", ""),
    ("matrix(3, 4)", "matrix", "3 4", ""),
    ("matrix", "matrix", None, ""),
    ("symmetric(n)", "matrix", "n n", "symmetric"),
    ("symmetric matrix(n)", "matrix", "n n", "symmetric"),
    ("spd(n)", "matrix", "n n", "psd spd symmetric"),
    ("psd(n)", "matrix", "n n", "psd symmetric"),
    ("diagonal(n)", "matrix", "n n", "diagonal symmetric"),
    ("lower(n)", "matrix", "n n", "lower"),
    ("upper(n)", "matrix", "n n", "upper"),
    ("orthogonal(n, n)", "matrix", "n n", "orthogonal"),
    ("spd", "matrix", None, "psd spd symmetric"),
    ("vector(n)", "vector", "n", ""),
    ("vector", "vector", None, ""),
    ("positive vector(n)", "vector", "n", "nonnegative positive"),
    ("nonnegative matrix(m,n)", "matrix", "m n", "nonnegative"),
    ("scalar", "scalar", "", ""),
    ("positive", "scalar", "", "nonnegative positive"),
    ("positive scalar", "scalar", "", "nonnegative positive"),
    ("nonnegative", "scalar", "", "nonnegative"),
    ("function", "function", None, ""),
]


@pytest.mark.parametrize(("words", "kind", "dims", "traits"), KINDS)
def test_kinds(words: str, kind: str, dims: str | None, traits: str) -> None:
    for where in (f"z: {words}", {"z": words}, f"  z :{words} ;\n"):
        found = parse_declarations(where)["z"]
        assert found.kind == kind
        assert (None if found.dims is None else " ".join(map(str, found.dims))) == dims
        assert " ".join(sorted(found.traits)) == traits


def test_several() -> None:
    assert list(parse_declarations("A: matrix(m,n); x, y: vector(n)\nc: scalar")) == ["A", "x", "y", "c"]
    assert parse_declarations(None) == parse_declarations("") == parse_declarations({}) == {}
    assert parse_declarations({"x": Declaration("vector")}) == {"x": Declaration("vector")}
    assert "μ" in parse_declarations("µ: scalar")  # the micro sign is the letter, as in formulas


ERRORS = [
    ("A: martix(m,n)", "'martix' is not known", "matrix"),
    ("A: pd(n)", "'pd' is not known", "spd(n)"),
    ("P: positive definite(n)", "'definite' is not known", "spd"),
    ("x: row(n)", "'row' is not known", "x'"),
    ("A: matrix(n)", "two sizes", "matrix(m,n)"),
    ("x: vector(m,n)", "one size", "vector(n)"),
    ("c: scalar(3)", "no size", "scalar"),
    ("S: symmetric(m,n)", "square", "symmetric(m)"),
    ("x: vector(0)", "a whole number from 1", ""),
    ("x: vector(-1)", "a whole number from 1", ""),
    ("x: vector(1.5)", "a whole number from 1", ""),
    ("x: vector()", "nothing", ""),
    ("x:", "does not say", ""),
    ("x vector(n)", "a name, ':' and what it is", ""),
    ("1x: scalar", "cannot be a name", ""),
    ("pi: scalar", "constant", ""),
    ("x: scalar; x: vector", "declared twice", ""),
    ("x: positive spd(n)", "not a kind", ""),
    ("g: positive function", "not a kind", ""),
    ("n: scalar; x: vector(n)", "a size of x, and declared", ""),
    (3, "text or a mapping", ""),
    ({"x": 3}, "names to text", ""),
    ({"x": "vectr"}, "'vectr' is not known", "vector"),
]


@pytest.mark.parametrize(("where", "says", "hint"), ERRORS)
def test_errors(where: object, says: str, hint: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        parse_declarations(where)  # type: ignore[arg-type]
    assert says in caught.value.message
    assert hint in (caught.value.hint or "")


def test_the_caret_stands_under_the_declaration() -> None:
    with pytest.raises(DeclarationError) as caught:
        parse_declarations("A: matrix(m,n); x: vectr(n)")
    assert caught.value.span == (16, 27)
