"""Kinds and shapes: the rules for names that nobody declared, every operation, and errors that show what clashes."""

from __future__ import annotations

import pytest

from matgrad.errors import DeclarationError, FormulaError, MatgradError, NotSupported, ShapeError, UnknownName
from matgrad.formula.infer import read
from matgrad.formula.syntax import walk
from matgrad.formula.text import declaration_text
from matgrad.formula.typed import Typed


def described(typed: Typed) -> str:
    names = "; ".join(f"{v.name}: {declaration_text(v.type)}" for v in typed.variables.values())
    return f"{names} -> {declaration_text(typed.type)}"


INFERRED = [
    ("a'*x", "a: vector(n); x: vector(n) -> scalar"),
    ("x^2", "x: scalar -> scalar"),
    ("x*exp(x)", "x: scalar -> scalar"),
    ("exp(x)", "x: vector(n) -> vector(n)"),
    ("A*x - b", "A: matrix(m,n); x: vector(n); b: vector(m) -> vector(m)"),
    ("norm2(A*x - b)^2", "A: matrix(m,n); x: vector(n); b: vector(m) -> scalar"),
    ("c*x + c", "c: scalar; x: scalar -> scalar"),
    ("(x - mu)'*inv(S)*(x - mu)", "x: vector(n); mu: vector(n); S: matrix(n,n) -> scalar"),
    ("(mu - x)'*inv(S)*(mu - x)", "mu: vector(n); x: vector(n); S: matrix(n,n) -> scalar"),
    ("norm2(x)^2", "x: vector(n) -> scalar"),
    ("lambda*norm2(w)^2", "lambda: scalar; w: vector(n) -> scalar"),
    ("λ*norm2(w)^2", "λ: scalar; w: vector(n) -> scalar"),
    ("c*norm1(x)", "c: scalar; x: vector(n) -> scalar"),
    ("x.*y", "x: vector(n); y: vector(n) -> vector(n)"),
    ("x + c", "x: vector(n); c: vector(n) -> vector(n)"),
    ("c + x", "c: vector(n); x: vector(n) -> vector(n)"),
    ("tr(A*X*B*X')", "A: matrix(n,n); X: matrix(n,m); B: matrix(m,m) -> scalar"),
    ("sum(log(1 + exp(-y.*(X*w))))", "y: vector(n); X: matrix(n,m); w: vector(m) -> scalar"),
    (
        "W2*tanh(W1*x + b1) + b2",
        "W2: matrix(m,n); W1: matrix(n,p); x: vector(p); b1: vector(n); b2: vector(m) -> vector(m)",
    ),
    ("norm2(y - X*beta)^2", "y: vector(n); X: matrix(n,m); beta: vector(m) -> scalar"),
    ("Y - X*w", "Y: vector(n); X: matrix(n,m); w: vector(m) -> vector(n)"),
    ("(c.*A)*x", "c: matrix(m,n); A: matrix(m,n); x: vector(n) -> vector(m)"),
    ("tr(x)", "x: matrix(n,n) -> scalar"),
    ("x[1]^2 + x[2]*x[3]", "x: vector(3) -> scalar"),
    ("x[1:4]'*x[1:4]", "x: vector(4) -> scalar"),
    ("X[1,2]", "X: matrix(m,n) -> scalar"),
    ("norm2(x)/N", "x: vector(n); N: scalar -> scalar"),
    ("x/c + c", "x: vector(n); c: scalar -> vector(n)"),
    ("X^k", "X: matrix(n,n); k: scalar -> matrix(n,n)"),
    ("x.^p", "x: vector(n); p: scalar -> vector(n)"),
    ("r = A*x - b; r'*r", "A: matrix(m,n); x: vector(n); b: vector(m) -> scalar"),
    ("n*x", "n: vector(m); x: scalar -> vector(m)"),
    ("m'*x", "m: vector(n); x: vector(n) -> scalar"),
    ("max(X*w, 0)", "X: matrix(m,n); w: vector(n) -> vector(m)"),
    ("[a; b]", "a: scalar; b: scalar -> vector(2)"),
    ("[a, b]", "a: scalar; b: scalar -> row(2)"),
    ("[a, b; c, d]", "a: scalar; b: scalar; c: scalar; d: scalar -> matrix(2,2)"),
    ("[x; 1]", "x: vector(n) -> vector(n + 1)"),
    ("[x', 1]", "x: vector(n) -> row(n + 1)"),
    ("[A, B; C, D]", "A: matrix(m,n); B: matrix(m,p); C: matrix(q,n); D: matrix(q,p) -> matrix(m + q,n + p)"),
    ("[A, B]*x", "A: matrix(m,n); B: matrix(m,p); x: vector(n + p) -> vector(m)"),
    ("x'*A", "x: vector(n); A: matrix(n,m) -> row(m)"),
    ("x*y'", "x: vector(n); y: vector(m) -> matrix(n,m)"),
    # what multiplies a row or a matrix from the right is a vector, whatever its letter
    ("a'*b", "a: vector(n); b: vector(n) -> scalar"),
    ("a'*X*b", "a: vector(n); X: matrix(n,m); b: vector(m) -> scalar"),
    ("inv(A)*b", "A: matrix(n,n); b: vector(n) -> vector(n)"),
    ("w'*mu", "w: vector(n); mu: vector(n) -> scalar"),
    ("x'*x*c", "x: vector(n); c: scalar -> scalar"),
    ("diag(x)*A", "x: vector(n); A: matrix(n,m) -> matrix(n,m)"),
    ("A ⊗ B", "A: matrix(m,n); B: matrix(p,q) -> matrix(m*p,n*q)"),
    ("vec(X)", "X: matrix(m,n) -> vector(m*n)"),
    ("kron(B', A)*vec(X) - vec(A*X*B)", "B: matrix(m,n); A: matrix(p,q); X: matrix(q,m) -> vector(n*p)"),
    ('einsum("ik,jl->ijkl", A, B)', "A: matrix(m,n); B: matrix(p,q) -> tensor(m,p,n,q)"),
    ('einsum("ij,j->i", A, x)', "A: matrix(m,n); x: vector(n) -> vector(m)"),
    ("sum(X, dim=1)", "X: matrix(m,n) -> row(n)"),
    ("norm2(X, dim=2)", "X: matrix(m,n) -> vector(m)"),
    ("softmax(X, dim=2)", "X: matrix(m,n) -> matrix(m,n)"),
    ("X - vector(1)*mean(X, dim=1)", "X: matrix(m,n) -> matrix(m,n)"),
    ("vector(1) - x", "x: vector(n) -> vector(n)"),
    ("matrix(1).*X", "X: matrix(m,n) -> matrix(m,n)"),
    ("X + c*eye", "X: matrix(n,n); c: scalar -> matrix(n,n)"),
    ("unit(2)'*x", "x: vector(n) -> scalar"),
    ("eye(3)*x", "x: vector(3) -> vector(3)"),
    ("ones(2, 3)*x", "x: vector(3) -> vector(2)"),
    ("x'*ones(n)/n", "x: vector(n) -> scalar"),
    ("eye(rows(X))*X", "X: matrix(m,n) -> matrix(m,n)"),
    ("sum(x)/length(x)", "x: vector(n) -> scalar"),
    ("norm2(X)^2/(rows(X)*cols(X))", "X: matrix(m,n) -> scalar"),
    ("exp(vector(1)*x' - x*vector(1)')*vector(1)", "x: vector(n) -> vector(n)"),
    ("I*x + A*x", "x: vector(n); A: matrix(n,n) -> vector(n)"),
    ("pi*x^2", "x: scalar -> scalar"),
    # what stands beside scalars, or weighs a scalar beside others, is a scalar, whatever its letter
    ("x'*x + k", "x: vector(n); k: scalar -> scalar"),
    ("x^2 + y", "x: scalar; y: scalar -> scalar"),
    ("r = tr(A); r - y", "A: matrix(n,n); y: scalar -> scalar"),
    ("C*norm1(x) + norm2(A*x)^2", "C: scalar; x: vector(n); A: matrix(m,n) -> scalar"),
    ("C*norm1(x) + D*norm2(x)^2", "C: scalar; x: vector(n); D: scalar -> scalar"),
    ("logdet(S) - D*log(pi)/2", "S: matrix(n,n); D: scalar -> scalar"),
    ("A*norm2(x) + c*B", "A: matrix(m,n); x: vector(p); c: scalar; B: matrix(m,n) -> matrix(m,n)"),
    ("p = sigmoid(w'*x); -y*log(p) - (1 - y)*log(1 - p)", "w: vector(n); x: vector(n); y: scalar -> scalar"),
    ("k*norm1(w) + (1 - k)*w'*w", "k: scalar; w: vector(n) -> scalar"),
    ("t*c'*x - sum(log(x))", "t: scalar; c: vector(n); x: vector(n) -> scalar"),
    ("w'*S*w - k*w'*w", "w: vector(n); S: matrix(n,n); k: scalar -> scalar"),
    ("norm1(w) + C/2*w'*w", "w: vector(n); C: scalar -> scalar"),
    ("C*w'*S*w + w'*b", "C: scalar; w: vector(n); S: matrix(n,n); b: vector(n) -> scalar"),
    ("(1 - y)*norm1(x)", "y: vector(n); x: vector(m) -> vector(n)"),
    ("norm2(x)*C - B", "x: vector(n); C: matrix(m,p); B: matrix(m,p) -> matrix(m,p)"),
    ("tr(A) + norm2(x)*C - B", "A: matrix(n,n); x: vector(m); C: matrix(p,q); B: matrix(p,q) -> matrix(p,q)"),
]


@pytest.mark.parametrize(("text", "expected"), INFERRED)
def test_inferred(text: str, expected: str) -> None:
    typed = read(text)
    assert described(typed) == expected
    for value in [v for _, v in typed.program.definitions] + [typed.program.body]:
        assert all(node.type is not None for node in walk(value))


DECLARED = [
    ("c'*tr(c)*inv(c)", "c: scalar", "c: scalar -> scalar"),
    ("x + c", "c: scalar", "x: vector(n); c: scalar -> vector(n)"),
    ("norm2(A*x - b)^2/m", "A: matrix(m,n)", "A: matrix(m,n); x: vector(n); b: vector(m) -> scalar"),
    ("A*x", {"A": "matrix(3,n)"}, "A: matrix(3,n); x: vector(n) -> vector(3)"),
    ("S*x", "S: symmetric", "S: matrix(n,n); x: vector(n) -> vector(n)"),
    ("g'(x)'*y", "g: function", "x: vector(n); y: vector(n) -> scalar"),
    ("I*x", "I: matrix(m,n)", "I: matrix(m,n); x: vector(n) -> vector(m)"),
    ("x'*x", "x: vector(7)", "x: vector(7) -> scalar"),
    ("a.^x", "x: vector(n)", "a: scalar; x: vector(n) -> vector(n)"),
    ("m*n", "m: scalar", "m: scalar; n: vector(p) -> vector(p)"),
    ("X^(-2)*y", "X: spd(n)", "X: matrix(n,n); y: vector(n) -> vector(n)"),
]


@pytest.mark.parametrize(("text", "where", "expected"), DECLARED)
def test_declared(text: str, where: str | dict[str, str], expected: str) -> None:
    assert described(read(text, where)) == expected


def test_what_was_assumed() -> None:
    assert read("A*x - b", "A: matrix(m,n)").assumed == (
        "x: vector(n), assumed from its first letter",
        "b: vector(m), assumed from A*x - b",
    )
    assert read("x^2").assumed == ()
    assert read("tr(X)").assumed == ()
    assert read("X + I").assumed == ("I is read as the identity matrix",)
    assert "lambda: scalar, assumed from its first letter" in read("lambda*norm2(w)").assumed


def test_names_and_traits() -> None:
    typed = read("r = A*x; g(r)'*r + n", "A: matrix(m,n); x: positive vector(n); g: function")
    assert typed.functions == {"g"}
    assert {n: declaration_text(t) for n, t in typed.intermediates.items()} == {"r": "vector(m)"}
    assert typed.dimensions == {"m", "n"}
    assert typed.variables["x"].traits == {"positive", "nonnegative"}
    assert typed.variables["A"].declared


def test_answers_are_read_in_context() -> None:
    formula = read("r = A*x - b; c*r'*r")
    answer = read("2*c*A'*r", context=formula)
    assert declaration_text(answer.type) == "vector(n)"
    assert answer.variables["A"] == formula.variables["A"]
    assert declaration_text(answer.intermediates["r"]) == "vector(m)"
    assert described(read("A'*b + ones(n)", context=formula)).endswith("vector(n)")
    whole = read("tr(A)*eye", context=read("tr(A)*x"), expect=read("X", "X: matrix(5,5)").type)
    assert declaration_text(whole.type) == "matrix(5,5)"


CLASHES = [
    # text, declarations, carets, message, hint
    ("A*x + b'", None, (6, 8), "a row of length p cannot be added", "A*x + b"),
    ("A*x + b'", "b: vector(m); A: matrix(m,n)", (6, 8), "a column of length m and a row of length m", "A*x + b"),
    ("A*x'*x", None, (0, 4), "a matrix of size m × n and a row of length p", "A*(x'*x)"),
    ("A*x'*x", "A: matrix(m,n); x: vector(k)", (0, 4), "cannot be multiplied", "A*(x'*x)"),
    ("c + A*x", "A: matrix(m,n); x: vector(m)", (4, 7), "m × n and a column of length m", "A'*x"),
    ("x*y", "x: vector; y: vector", (0, 3), "cannot be multiplied", "x'*y"),
    ("A + B", "A: matrix(2,3); B: matrix(3,2)", (4, 5), "their sizes differ", "A + B'"),
    ("x + y", "x: vector(3); y: vector(4)", (4, 5), "their sizes differ", ""),
    ("A.*B", "A: matrix(2,3); B: matrix(3,2)", (0, 4), "entry by entry", "A.*B'"),
    ("A/B", "A: matrix(m,n); B: matrix(n,n)", (0, 3), "divided by a matrix", "A*inv(B)"),
    ("b/A", "b: vector(n); A: matrix(n,n)", (0, 3), "divided by a matrix", "inv(A)*b"),
    ("x/y", "x: vector(n); y: vector(n)", (0, 3), "divided by a column", "x./y"),
    ("x^2", "x: vector(n)", (0, 3), "no powers", "x.^2"),
    ("1 + x^2", "x: vector(n)", (4, 7), "no powers", "x'*x"),
    ("X^0.5", None, (0, 5), "whole powers", "X.^0.5"),
    ("X^2", "X: matrix(m,n)", (0, 3), "square matrix", "X'*X"),
    ("c*tr(x)", "x: vector(n)", (5, 6), "tr takes a square matrix, not a column", "diag(x)"),
    ("det(X)", "X: matrix(m,n)", (4, 5), "not a matrix of size m × n", "det(X'*X)"),
    ("x'*x + tr(x)", None, (10, 11), "not a column", ""),
    ("sum(x, dim=1)", "x: vector", (4, 5), "takes a matrix", "sum(x)"),
    ("length(X)", "X: matrix(m,n)", (7, 8), "takes a vector", "rows(X)"),
    ("x[4]", "x: vector(3)", (0, 4), "beyond the end", ""),
    ("c[1]", "c: scalar", (0, 4), "no entries", ""),
    ("X[1]", "X: matrix(m,n)", (0, 4), "takes 2 indices, not 1", "X[1,2]"),
    ("[A; x']", "A: matrix(2,3); x: vector(4)", (4, 6), "stacked", ""),
    ("[A, x]", "A: matrix(2,3); x: vector(4)", (4, 5), "side by side", ""),
    ('einsum("ij->i", x)', "x: vector", (16, 17), "letters 'ij'", ""),
    ("unit(5)'*x", "x: vector(3)", (0, 7), "only 3 entries", ""),
    ("tr(eye)", None, (3, 6), "not determined", "eye(n)"),
    ("sum(vector(1))", None, (4, 13), "not determined", "ones(n)"),
    ("eye(x'*x)*y", "y: vector", (4, 5), "", ""),
]


@pytest.mark.parametrize(("text", "where", "span", "says", "hint"), CLASHES)
def test_clashes(text: str, where: str | None, span: tuple[int, int], says: str, hint: str) -> None:
    with pytest.raises((ShapeError, FormulaError)) as caught:
        read(text, where)
    shown = str(caught.value)
    assert says in caught.value.message, shown
    assert hint in (caught.value.hint or ""), shown
    if text != "eye(x'*x)*y":
        assert caught.value.span == span, shown
        assert caught.value.source == text


def test_a_name_used_in_two_ways() -> None:
    with pytest.raises(ShapeError) as caught:
        read("r = x^k; x'*x + r")
    assert caught.value.message == "x is used as a scalar and as a vector"
    assert caught.value.details == "x  scalar in x^k        vector in x'"
    assert caught.value.span == (9, 11)
    assert described(read("r = x^k; x'*x + r", "x: scalar")).endswith("-> scalar")


def test_an_error_in_full() -> None:
    with pytest.raises(ShapeError) as caught:
        read("A*x + b'", {"A": "matrix(m,n)"})
    assert str(caught.value) == (
        "A*x + b': a column of length m and a row of length p cannot be added\n"
        "    A*x + b'\n"
        "          ^^\n"
        "    A*x  column, m        b'  row, p\n"
        "    try  A*x + b"
    )


def test_both_uses_are_named() -> None:
    with pytest.raises(ShapeError) as caught:
        read("A*x + A'*x", "A: matrix(m,n)")
    assert "x  column, n (as in A*x)" in str(caught.value)
    with pytest.raises(ShapeError) as declared:
        read("A*x", "A: matrix(m,n); x: vector(m)")
    assert "x is declared vector(m)" in str(declared.value)


UNKNOWN = [
    ("a(b + c)", None, UnknownName, (0, 1), "a*(b + c)", "declare a: function"),
    ("A'(b)", None, UnknownName, (0, 2), "A'*(b)", "declare A: function"),
    ("g'(x)", None, UnknownName, (0, 2), "g'*(x)", "declare g: function"),
    ("tahn(x)", None, UnknownName, (0, 4), "tan", "function"),
    ("sigmoyd(x)", None, UnknownName, (0, 7), "sigmoid(x)", "function"),
    ("svd(X)", None, NotSupported, (0, 3), "normF", ""),
    ("ln(x)", None, NotSupported, (0, 2), "log(x)", ""),
    ("exp'(x)", None, FormulaError, (0, 4), "exp(x)", ""),
    ("exp(x, y)", None, FormulaError, (0, 9), "exp(x)", ""),
    ("exp(X, dim=1)", None, FormulaError, (0, 13), "softmax", ""),
    ("vector()", None, FormulaError, (0, 8), "vector(1)", ""),
    ("x'*commutation(1)", None, FormulaError, (3, 17), "commutation(m,n)", ""),
    ("commutation(1,2,3)", None, FormulaError, (0, 18), "commutation(m,n)", ""),
    ("g(x, y)", "g: function", FormulaError, (0, 7), "g(x)", ""),
    ("g''''(x)", "g: function", NotSupported, (0, 8), "g'''", ""),
    ("g + x", "g: function", FormulaError, (0, 1), "g(x)", ""),
    ("r = s; s = x; r", None, UnknownName, (4, 5), "first", ""),
    ("x^T*x", None, FormulaError, (0, 3), "x'", ""),
    ("eye(c)*x", "c: scalar", FormulaError, (4, 5), "rows(X)", ""),
]


@pytest.mark.parametrize(("text", "where", "error", "span", "first", "second"), UNKNOWN)
def test_unknown(
    text: str, where: str | None, error: type[MatgradError], span: tuple[int, int], first: str, second: str
) -> None:
    with pytest.raises(error) as caught:
        read(text, where)
    assert caught.value.span == span
    assert first in (caught.value.hint or "")
    assert second in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("x'*y", "z: vector"),
        ("exp(x)", "g: function; x: vector"),
        ("r = x; r", "r: vector"),
        ("exp(x)", "exp: function"),
        ("eye*x", "eye: matrix(n,n)"),
    ],
)
def test_declarations_that_do_not_fit_the_formula(text: str, where: str) -> None:
    with pytest.raises(DeclarationError):
        read(text, where)


def test_a_deep_network_is_read_fast() -> None:
    layers = [f"h{i + 1} = tanh(W{i + 1}*{f'h{i}' if i else 'x'} + b{i + 1})" for i in range(100)]
    text = "; ".join([*layers, "norm2(h100 - y)^2"])
    read("x")
    typed = read(text)
    assert all(v.type.kind == ("matrix" if n.startswith("W") else "vector") for n, v in typed.variables.items())
    assert declaration_text(typed.type) == "scalar"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("norm2(X*w - y)^2 + k*norm1(w)", "scalar"),
        ("k*norm1(w) + norm2(X*w - y)^2", "scalar"),
        ("norm2(X*w - y)^2 - k/2*norm2(w)^2", "scalar"),
        ("norm2(X*w - y)^2/2 + norm1(w)*k + norm2(w)", "scalar"),
        ("w'*w + k*w'*S*w", "scalar"),
        ("k*w'*b - sum(log(w))", "scalar"),
        ("norm1(w) - w'*b*k/2", "scalar"),
        ("k*norm1(w)", "vector"),
        ("k*w'*b", "vector"),
        ("k*w'*b + w", "vector"),
        ("1 + k*norm1(w)", "vector"),
        ("c^2 + k*c", "vector"),
        ("norm2(X*k - y)^2 + k*norm1(w)", "vector"),
        ("X*w + k*norm1(w)", "vector"),
    ],
)
def test_a_name_that_weighs_a_scalar_beside_scalars_is_one(text: str, kind: str) -> None:
    assert read(text).variables["k"].type.kind == kind
