"""Derivatives in structured variables, in each convention, and in each layout."""

from __future__ import annotations

import re

import numpy as np
import pytest
from draws import arrays_of_size, close, normal, spd
from random_formulas import projected

import matgrad
from matgrad import derive


def test_the_conventions_for_symmetric_variables() -> None:
    where, a, s = "S: symmetric(n)", normal(3, 3), spd(3)
    projection = derive("tr(A*S)", "S", where=where)
    entries = derive("tr(A*S)", "S", where=where, symmetric="entries")
    free = derive("tr(A*S)", "S", where=where, symmetric="ignore")
    close(projection(A=a, S=s), (a + a.T) / 2)
    close(entries(A=a, S=s), a + a.T - np.diag(np.diag(a)))
    close(free(A=a, S=s), a.T)
    assert free.text == "A'"
    assert all(d.verify().passed for d in (projection, entries, free))
    with pytest.raises(matgrad.MatgradError, match="gradients only"):
        derive("tr(S*S)", "S", where=where, symmetric="entries", order=2)
    with pytest.raises(matgrad.MatgradError, match="convention"):
        derive("tr(S)", "S", symmetric="other")


IGNORED = [
    "tr(A*S)",
    "tr(A*S*B*S)",
    "tr(A*inv(S))",
    "logdet(S)",
    "x'*S*A*x",
    "sum(A.*exp(S))",
    "det(S)*tr(A*S)",
    "norm2(S*x)^2",
    "tr(S'*A*S)",
]


@pytest.mark.parametrize("text", IGNORED)
@pytest.mark.parametrize("declared", ["symmetric(n)", "spd(n)"])
def test_a_symmetric_variable_taken_as_free(text: str, declared: str) -> None:
    """What holds of symmetric matrices alone is used only after differentiating."""
    constrained = derive(text, "S", where={"S": declared}, symmetric="ignore")
    assert constrained.verify().passed is True
    free = derive(text, "S", where={"S": "matrix(n,n)"})
    at = {"S": spd(3), "A": normal(3, 3), "B": normal(3, 3), "x": normal(3)}
    at = {name: array for name, array in at.items() if name in re.findall(r"\w+", text)}
    close(constrained(**at), free(**at))
    close(derive(text, "S", where={"S": declared})(**at), projected(free(**at), "symmetric"))


@pytest.mark.parametrize("declared", ["symmetric", "spd", "diagonal", "lower", "upper"])
@pytest.mark.parametrize("text", ["x'*T*y", "tr(A*T*B*T')", "x'*inv(T + 2*eye)*y", "sum(A.*sin(T))"])
def test_structured_variables(text: str, declared: str) -> None:
    at = {"x": normal(3), "y": normal(3), "A": normal(3, 3), "B": normal(3, 3)}
    at = {name: array for name, array in at.items() if name in re.findall(r"\w+", text)}
    shapes = {"lower": np.tril, "upper": np.triu, "diagonal": lambda m: np.diag(np.diag(m))}
    at["T"] = shapes.get(declared, lambda m: m)(spd(3))
    where = {name: "vector(n)" if array.ndim == 1 else "matrix(n,n)" for name, array in at.items()}
    free = derive(text, "T", where=where)(**at)
    derivative = derive(text, "T", where=where | {"T": f"{declared}(n)"})
    close(derivative(**at), projected(free, declared))
    assert derivative.verify().passed is True
    second = derivative.derive("T")
    assert second.verify(points=2).passed is True


def test_a_symmetric_second_derivative_is_symmetric_in_every_pair() -> None:
    derivative = derive("tr(A*S*B*S)", "S", where="S: symmetric(n)", order=2)
    got = derivative(A=normal(3, 3), B=normal(3, 3), S=spd(3))
    close(got, got.transpose(1, 0, 2, 3))
    close(got, got.transpose(0, 1, 3, 2))
    close(got, got.transpose(2, 3, 0, 1))


def test_layouts_of_scalars_and_vectors() -> None:
    a, x = normal(4, 3), normal(3)
    texts = {k: derive("sin(A*x)", "x", layout=k).text for k in ("mixed", "numerator", "denominator", "vec")}
    assert texts["numerator"] == texts["mixed"] == texts["vec"] == "diag(cos(A*x))*A"
    assert texts["denominator"] == "A'*diag(cos(A*x))"
    close(derive("sin(A*x)", "x", layout="denominator")(A=a, x=x), (np.diag(np.cos(a @ x)) @ a).T)
    assert derive("a'*x", "x", layout="numerator").text == "a'"
    assert derive("a'*x", "x", layout="denominator").text == "a"
    assert derive("c*x", "c", layout="denominator", where="x: vector(n); c: scalar").text == "x'"
    for layout in texts:
        assert derive("sin(A*x)", "x", layout=layout).verify().passed is True


def test_layouts_are_refused_where_they_are_not_defined() -> None:
    for layout in ("numerator", "denominator"):
        for text, wrt in (("tr(X)", "X"), ("A*x*x'", "x"), ("X*x", "X")):
            with pytest.raises(matgrad.MatgradError, match="vec"):
                _ = derive(text, wrt, layout=layout).text
    with pytest.raises(matgrad.MatgradError, match="layout"):
        derive("tr(X)", "X", layout="columns")


def vec_matrix(array: np.ndarray, outputs: int) -> np.ndarray:
    """An array in mixed layout with its output axes and its variable axes flattened, columns stacked."""
    axes = [*range(outputs)][::-1] + [*range(outputs, array.ndim)][::-1]
    rows = int(np.prod(array.shape[:outputs]))
    return array.transpose(axes).reshape(rows, -1)


KRONECKER = [
    ("A*X*B", "kron(B', A)"), ("X*X", "kron(eye, X) + kron(X', eye)"), ("inv(X)", "-kron(inv(X)', inv(X))"),
    ("X'", "commutation(m, n)"), ("A*X*B + C*X*D", None), ("X'*A*X", None), ("X*x", None), ("exp(X)", None),
    ("X.*A", None), ("x*x'", None), ("A*x*b'*x", None), ("diag(x)*A", None), ("tr(X)*X", None), ("det(X)*inv(X)", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), KRONECKER)
def test_the_vec_form_acts_on_vec(text: str, expected: str | None) -> None:
    wrt = "X" if "X" in text else "x"
    where = {"X": "matrix(m,n)"} if text in ("X'", "exp(X)", "X.*A", "X*x") else None
    derivative = derive(text, wrt, where=where)
    sizes = dict.fromkeys("mnpqkrst", 3) if where is None else {"m": 4, "n": 3}
    at = arrays_of_size(derivative.formula, sizes)
    full = np.asarray(derivative(**at))
    outputs = full.ndim - at[wrt].ndim
    if derivative.kronecker is None:
        assert expected is None
        return
    assert expected is None or derivative.kronecker == expected
    vec = derive(text, wrt, where=where, layout="vec")
    close(vec(**at), vec_matrix(full, outputs))
    assert vec.verify(points=3).passed is True
    direction = normal(*at[wrt].shape)
    close(vec(**at) @ direction.ravel(order="F"), np.tensordot(full, direction, direction.ndim).ravel(order="F"))


@pytest.mark.parametrize(
    ("formula", "wrt", "where", "order"),
    [
        ("logdet(S)", "S", "S: spd(n)", 2),
        ("tr(S*A*S)", "S", "S: symmetric(n); A: matrix(n,n)", 2),
        ("x'*S*S*x", "S", "S: symmetric(n)", 2),
    ],
)
def test_without_the_constraint_the_order_below_is_differentiated_without_it_too(
    formula: str, wrt: str, where: str, order: int
) -> None:
    assert matgrad.derive(formula, wrt, where=where, order=order, symmetric="ignore").verify().passed is True
