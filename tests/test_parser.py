"""The grammar: precedence, pasted symbols, definitions, limits, and errors that point at the right place."""

from __future__ import annotations

import random
import subprocess
import sys
from fractions import Fraction

import pytest

from matgrad.errors import FormulaError, MatgradError, NotSupported
from matgrad.formula.infer import read
from matgrad.formula.parser import parse_expression, parse_program, writes_decimals
from matgrad.formula.syntax import Call, Expr, walk

SAME = [
    # precedence
    ("X'^2", "(X')^2"),
    ("x.^2'", "(x.^2)'"),
    ("x^2'", "(x^2)'"),
    ("-x^2", "-(x^2)"),
    ("A*B + C", "(A*B) + C"),
    ("a/b*c", "a/b*c"),
    ("x^-1", "x^(-1)"),
    ("x^y[1]", "x^(y[1])"),
    ("x[1]^2", "(x[1])^2"),
    ("x*-y", "x*(-y)"),
    ("-x*y", "-(x*y)"),
    ("--x*y", "-(-(x*y))"),
    ("a - b - c", "a - b - c"),
    # other spellings
    ("A@x", "A*x"),
    ("A·x", "A*x"),
    ("A×x", "A*x"),
    ("x⊙y", "x.*y"),
    ("x∘y", "x.*y"),
    ("a − b", "a - b"),
    ("x²", "x^2"),
    ("x⁻¹", "x^(-1)"),
    ("A⁻¹*b", "A^(-1)*b"),
    ("x¹⁰", "x^10"),
    ("xᵀ", "x'"),
    ("x.'", "x'"),
    ("x.T*A", "x'*A"),
    ("x′*y", "x'*y"),
    ("π*x", "pi*x"),
    ("x₁ + µ", "x1 + μ"),  # NFKC
    ("1./x", "1 ./ x"),
    ("2.*x", "2 .* x"),
    ("2.^x", "2 .^ x"),
    ("1e-3*x", "0.001*x"),
    (".5*x", "0.5*x"),
    ("[x]", "(x)"),
    ("(a +\n b)", "a + b"),
    ("a +\n b", "a + b"),
    ("a\n* b", "a*b"),
    ("[a, b\n c, d]", "[a, b; c, d]"),
    ("[a, b;\n c, d]", "[a, b; c, d]"),
    ("r = A*x\nr'*r\n", "r = A*x; r'*r"),
    ("r = A*x;;\n ; r", "r = A*x; r"),
    ("f (x)", "f(x)"),
]


@pytest.mark.parametrize(("text", "other"), SAME)
def test_two_spellings_of_one_formula(text: str, other: str) -> None:
    assert parse_program(text) == parse_program(other)


DIFFERENT = [("A*(x'*x)", "A*x'*x"), ("A''", "A"), ("a + (b + c)", "a + b + c"), ("2^-1", "2^1")]


@pytest.mark.parametrize(("text", "other"), DIFFERENT)
def test_brackets_and_primes_are_kept(text: str, other: str) -> None:
    assert parse_program(text) != parse_program(other)


def test_sums_and_products_are_flat() -> None:
    total = parse_expression(" + ".join(f"x{i}" for i in range(1000)))
    assert (total.op, len(total.args)) == ("add", 1000)
    assert parse_expression("a*b/c.*d").value == ("*", "/", ".*")
    assert [t.op for t in parse_expression("a - b + c").args] == ["name", "neg", "name"]


def test_leaves() -> None:
    assert parse_expression("0.1").value == Fraction(1, 10)
    assert parse_expression("pi") == Expr("constant", (), "pi")
    assert parse_expression("eye") == Expr("call", (), Call("eye"))
    for name in ("e", "e_1", "lambda", "λ", "self", "s", "order", "if", "x̂"):
        assert parse_expression(name).op == "name"
    assert parse_expression("𝐱").value == "x"


def test_calls_primes_and_indices() -> None:
    assert parse_expression("g''(x)").value == Call("g", None, 2)
    assert parse_expression("sum(X, dim=1)").value == Call("sum", 1)
    assert parse_expression("A'[1,2]").value == (1, 2)
    assert parse_expression("X[1,:]").value == (1, None)
    assert parse_expression("x[2:5]").value == ((2, 5),)
    assert parse_expression("[a, b; c, d]").value == (2, 2)
    assert parse_expression('einsum("ik, jl -> ijkl", A, B)').value == "ik,jl->ijkl"
    assert parse_expression("einsum('ij,j->i', A, x)").value == "ij,j->i"


def test_spans_point_into_the_text() -> None:
    text = "c*(A*x - b)'"
    found = {node.op: text[slice(*node.span)] for node in walk(parse_expression(text)) if node.span}
    assert found["transpose"] == "(A*x - b)'"
    assert found["add"] == "A*x - b"


def test_decimals() -> None:
    assert writes_decimals("0.5*x")
    assert writes_decimals("1e-3*x")
    assert not writes_decimals("x.^2/2")
    assert not writes_decimals("1./x")


ERRORS = [
    # text, where the carets stand, what the message says
    ("", (0, 0), "empty"),
    ("a + ", (2, 3), "ends after '+'"),
    ("(a + b", (0, 1), "never closed"),
    ("a + b)", (5, 6), "closes nothing"),
    ("[a, b)", (5, 6), "cannot close"),
    ("2x", (0, 2), "operator is missing"),
    ("A x", (0, 3), "operator is missing"),
    ("(a)(b)", (3, 4), "operator is missing"),
    ("a + * b", (4, 5), "between '+' and '*'"),
    ("* b", (0, 1), "missing before"),
    ("()", (1, 2), "missing after"),
    ("a^b^c", (0, 5), "brackets"),
    ("x²^3", (0, 4), "brackets"),
    ("a $ b", (2, 3), "not part of a formula"),
    ("x**2", (1, 3), "not an operator"),
    ("x == y", (2, 4), "comparisons"),
    ("x[0]", (2, 3), "counted from 1"),
    ("x[1.5]", (2, 5), "counted from 1"),
    ("x[*]", (2, 3), "an index is"),
    ("x[3:2]", (2, 5), "upwards"),
    ("x, y", (1, 2), "comma"),
    ("sum(X, dim=3)", (7, 12), "dim is 1"),
    ("sum(X, axis=0)", (7, 13), "dim"),
    ("a; b", (0, 1), "without a name"),
    ("f = x", (4, 5), "nothing is asked for"),
    ("r = x; r = y; r", (11, 12), "defined twice"),
    ("pi = 3; pi*x", (5, 6), "constant"),
    ("sin(a; b)", (5, 6), "inside ( )"),
    ("a\n- b", (2, 3), "continue"),
    ('"ij"*x', (0, 4), "einsum"),
    ("einsum(A, B)", (0, 12), "letters in quotes"),
    ('einsum("ij->k", A)', (7, 14), "after the arrow"),
    ('einsum("ij,j->i", A)', (7, 16), "2 arguments, but 1"),
    ("1e9999", (0, 6), "too long"),
    ("9" * 500, (0, 500), "too long"),
]


@pytest.mark.parametrize(("text", "span", "says"), ERRORS)
def test_errors_point_at_the_place(text: str, span: tuple[int, int], says: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse_program(text)
    assert caught.value.span == span
    assert says in caught.value.message
    assert not any(word in str(caught.value) for word in ("LPAR", "TICK", "NAME", "STOP", "Token"))


def test_what_to_try() -> None:
    with pytest.raises(FormulaError, match="operator") as caught:
        parse_program("2x")
    assert caught.value.hint == "2*x"
    with pytest.raises(NotSupported) as solve:
        parse_program("A\\b")
    assert (solve.value.hint, solve.value.span) == ("inv(A)*b", (1, 2))
    with pytest.raises(FormulaError) as latex:
        parse_program(r"\frac{a}{b}")
    assert "parse_latex" in str(latex.value)
    with pytest.raises(FormulaError):
        parse_program(None)  # type: ignore[arg-type]


DEEP = {
    "brackets": lambda n: "(" * n + "x" + ")" * n,
    "calls": lambda n: "sin(" * n + "x" + ")" * n,
    "signs": lambda n: "-" * n + "x",
    "primes": lambda n: "x" + "'" * n,
    "stacks": lambda n: "[" * n + "x" + "]" * n,
}


@pytest.mark.parametrize("kind", DEEP)
def test_nesting_is_limited(kind: str) -> None:
    parse_program(DEEP[kind](200))
    with pytest.raises(FormulaError, match="200"):
        parse_program(DEEP[kind](201))
    parse_program(DEEP[kind](5000), limits=False)


def test_length_is_limited() -> None:
    long = " + ".join(["x"] * 6000)
    with pytest.raises(FormulaError, match="20000"):
        parse_program(long)
    assert len(parse_program(long, limits=False).body.args) == 6000


def test_lark_is_imported_when_first_used() -> None:
    code = "import sys, matgrad.formula.infer; assert 'lark' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


SEEDS = [
    "A*x - b",
    "r = A*x - b; r'*r + c*norm1(x)",
    "tr(A*X*B*X')",
    "sum(log(1 + exp(-y.*(X*w))))",
    "[a, b; c, d]*x",
    'einsum("ik,jl->ijkl", A, B)',
    "X[1,:]*x[2:5]",
    "x.^2' + eye(3)*y/c",
    "g''(x) .* max(x, 0)",
    "sum(X, dim=1)*vec(X) ⊗ y",
    "unit(1)'*ones(m,n)*vector(2)",
    "kron(A, B)*vec(X*Y')^-2",
]
PIECES = [*"'^*/+-()[],;:=.\\\"\n 12xXAcgπ²ᵀ−⊗", "dim=1", ".*", "./", "->", "det(", "inv(", "einsum", "\ud800", "\x00"]


@pytest.mark.parametrize("seed", range(40))
def test_only_errors_of_ours_escape(seed: int) -> None:
    """Mutations of formulas are read, or refused with an error that can be shown."""
    rng = random.Random(seed)
    for _ in range(60):
        text = rng.choice(SEEDS)
        for _ in range(rng.randint(1, 4)):
            at, size = rng.randint(0, len(text)), rng.choice([0, 0, 1, 3])
            text = text[:at] + rng.choice([*PIECES, rng.choice(SEEDS)]) + text[at + size :]
        where = rng.choice([None, None, "A: matrix(m,n); x: vector(n)", {"g": "function"}, "x: scalar", "X: spd(3)"])
        try:
            read(text, where)
        except MatgradError as error:
            assert str(error)  # noqa: PT017
