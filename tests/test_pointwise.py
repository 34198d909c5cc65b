"""At a kink: one value from max(0, x) and max(x, 0), derive, its code and every style of explain, with a remark."""

from __future__ import annotations

import numpy as np
import pytest

import matgrad
from matgrad.answer.evaluation import kinks_at
from matgrad.errors import DataError

KINKS = [
    # formula, point, gradient there, remark
    ("sum(max(0, x))", [0.0, 1.0, -1.0], [0, 1, 0], "x = 0 at an entry"),
    ("sum(max(x, 0))", [0.0, 1.0, -1.0], [0, 1, 0], "x = 0 at an entry"),
    ("sum(relu(x))", [0.0, 1.0, -1.0], [0, 1, 0], "x = 0 at an entry"),
    ("sum(max(1, x))", [1.0, 2.0, 0.0], [0, 1, 0], "x - 1 = 0 at an entry"),
    ("sum(min(x, 1))", [1.0, 2.0, 0.0], [0, 0, 1], "x - 1 = 0 at an entry"),
    ("sum(min(1, x))", [1.0, 2.0, 0.0], [0, 0, 1], "x - 1 = 0 at an entry"),
    ("norm1(x)", [0.0, 1.0, -1.0], [0, 1, -1], "x = 0 at an entry"),
    ("norm2(x)", [0.0, 0.0, 0.0], [0, 0, 0], "norm2(x) = 0"),
    ("max(x)", [2.0, 1.0, 2.0], [0.5, 0, 0.5], "the maximum of x is not unique"),
    ("min(x)", [2.0, 1.0, 1.0], [0, 0.5, 0.5], "the minimum of x is not unique"),
]


@pytest.mark.parametrize(("source", "x", "expected", "said"), KINKS)
def test_at_a_kink_every_way_gives_the_convention_and_says_so(
    source: str, x: list[float], expected: list[float], said: str
) -> None:
    d = matgrad.derive(source, "x")
    point = np.array(x)
    assert np.array_equal(d(x=point), expected)
    (remark,) = kinks_at(d.formula, d.wrt, {"x": point})
    assert remark.startswith(f"at a kink ({said}): the answer uses ")
    entrywise = source not in ("max(x)", "min(x)")  # the style of components has no rule for these
    for style in ("differential", "backward", *(("components",) if entrywise else ())):
        derivation = matgrad.explain(source, "x", style=style, at={"x": point})
        assert np.array_equal(derivation[-1].numbers, expected), style
        assert remark in derivation.notes
        assert remark in derivation.text
    elsewhere = {"x": np.array([0.3, 1.7, -0.9])}
    assert not kinks_at(d.formula, d.wrt, elsewhere)
    assert not matgrad.explain(source, "x", at=elsewhere).notes


def test_ties_are_looked_for_along_the_axis_that_is_reduced() -> None:
    tied_columns = {"X": np.array([[1.0, 2.0, 3.0], [1.0, 5.0, 4.0]])}
    rows, columns = (matgrad.derive(f"sum(max(X, dim={dim}))", "X") for dim in (2, 1))
    assert not kinks_at(rows.formula, rows.wrt, tied_columns)
    assert "each column of X is not unique" in kinks_at(columns.formula, columns.wrt, tied_columns)[0]


@pytest.mark.parametrize("style", ["differential", "backward", "components"])
def test_where_there_is_no_derivative_the_condition_is_said(style: str) -> None:
    with pytest.raises(DataError, match=r"not defined at this point(?s:.)*det\(X\) ≠ 0"):
        matgrad.explain("logdet(X)", "X", style=style, at={"X": np.array([[1.0, 2.0], [2.0, 4.0]])})


def test_a_value_at_a_singular_matrix_is_refused_with_what_it_needs() -> None:
    with pytest.raises(DataError, match=r"no value at this point: singular matrix(?s:.)*det\(X\) ≠ 0"):
        matgrad.parse("tr(inv(X))")(X=np.array([[1.0, 2.0], [2.0, 4.0]]))
