"""Formulas to SymPy and back: the round trip gives the same node, and SymPy's own values are those of the formula."""

import re

import numpy as np
import pytest

import matgrad
from matgrad.errors import NotSupported

sympy = pytest.importorskip("sympy")

WHERE = {
    "A": "matrix(m,n)", "B": "matrix(m,n)", "X": "matrix(n,n)", "Y": "matrix(n,n)", "x": "vector(n)", "y": "vector(n)",
    "b": "vector(m)", "w": "positive vector(n)", "c": "scalar", "d": "positive", "g": "function",
}  # fmt: skip
SIZES = {"m": 2, "n": 3}

THERE_AND_BACK = """
A*x - b | x'*X*y | (A*x - b)'*(A*x - b) | c*x + 2*y - w/3 | 0.25*c*d/(1 + d) | c^3 - sqrt(d) + d^c
x*y' - X | x'*A'*b*c
x.*y + x./w | w.^2 + 1./w | w.^c | 2.^x | A.*B | A.*(b*x') | x + c | A - 1 | x'*X | -x'*y
inv(X)*y | X^3 - X^-2 | tr(X*Y) | det(X)*c | logdet(X) | diag(x)*X | diag(X) | tr(X)*eye(n) + X
exp(A*x) | sin(x) + cos(y) - tan(x) | log(w) + sqrt(w) | tanh(x).*cosh(y) + sinh(x) | arctan(x) + abs(y).*sign(x)
sigmoid(x) | softplus(x) | relu(x) + step(y) | log1p(w) + expm1(w) | erf(x) | normcdf(x) + normpdf(y) | gelu(x)
exp(c) + log(d) + sigmoid(c) | max(c, d) | min(2, c) | pi*c
sum(x) | sum(A) | sum(A, dim=1) | sum(A, dim=2) | mean(x)*n
mean(A, dim=1)' | norm2(x) | norm2(A)^2 | norm1(x) | logsumexp(x) | softmax(x) | kron(A, X) | kron(x, b) | A ⊗ x'
x[2] + X[1,3] | X[2,:]*y | X[:,2] | x[1:2] | X[1:2,2:3] | [x; b] | [X, x; y', c] | [A; B] | (b + ones(m))*x'
zeros(n) + x | g(x) + g(c)*y
"""
TEXTS = [text.strip() for line in THERE_AND_BACK.split("\n") if line for text in line.split("|")]


def declared(text):
    """The declarations of the names in a text."""
    return {name: words for name, words in WHERE.items() if name in re.findall(r"[A-Za-z]+", text)}


def arrays():
    """Numbers for the variables: short ones, which SymPy holds exactly."""
    draw = np.random.default_rng(0)
    shapes = {"A": (2, 3), "B": (2, 3), "X": (3, 3), "Y": (3, 3), "x": (3,), "y": (3,), "w": (3,), "b": (2,)}
    points = {name: np.round(draw.normal(size=shapes.get(name, ())), 3) for name in [*shapes, "c", "d"]}
    return {name: np.abs(a) + 0.5 if name in ("w", "d") else a for name, a in points.items()}


def explicit(expression, points):
    """The value of an expression of SymPy, by SymPy: numbers for symbols, explicit matrices for matrices."""
    sizes = {s: sympy.Integer(SIZES[s.name]) for s in expression.atoms(sympy.Symbol) if s.name in SIZES}
    found = expression.subs(sizes)
    for symbol in found.atoms(sympy.MatrixSymbol):
        found = found.subs(symbol, sympy.ImmutableMatrix(np.reshape(points[symbol.name], symbol.shape)))
    found = found.replace(lambda e: isinstance(e, sympy.Trace), lambda e: e.arg.doit().as_explicit().trace())
    found = found.subs({s: float(points[s.name]) for s in found.free_symbols}).doit()
    found = found.as_explicit() if isinstance(found, sympy.MatrixExpr) else found
    return np.array(found.evalf().tolist() if hasattr(found, "tolist") else found.evalf(), dtype=float)


@pytest.mark.parametrize("text", TEXTS)
def test_there_and_back(text):
    formula = matgrad.parse(text, where=declared(text))
    back = matgrad.from_sympy(formula.to_sympy(), where=declared(text))
    assert matgrad.parse(back.text, context=formula).node is formula.node


@pytest.mark.parametrize("text", [text for text in TEXTS if "g(" not in text])
def test_values_are_those_of_sympy(text):
    points = {name: value for name, value in arrays().items() if name in declared(text)}
    formula = matgrad.parse(text, where=declared(text))
    value = explicit(formula.to_sympy(), points)
    np.testing.assert_allclose(value.ravel(), np.ravel(formula(**points)), rtol=1e-9, atol=1e-9)


def test_intermediates_are_put_in():
    formula = matgrad.parse("r = A*x - b; r'*r")
    assert str(formula.to_sympy()) == "Trace((-b.T + x.T*A.T)*(A*x - b))"


def test_derivatives():
    gradient = matgrad.gradient("norm2(A*x - b)^2", "x")
    assert str(gradient.to_sympy()) == "2*A.T*(A*x - b)"
    assert matgrad.from_sympy(gradient.to_sympy()).text == gradient.text
    with pytest.raises(NotSupported, match="two axes"):
        matgrad.jacobian("A*X*B", "X").to_sympy()


@pytest.mark.parametrize(
    ("text", "wrt", "declarations", "back"),
    [
        ("mean(x)", "x", "x: vector(n)", "ones(n)/n"),
        ("x - mean(x)", "x", "x: vector(n)", "eye(n) - ones(n, n)/n"),
        ("mean(X)", "X", "X: matrix(m+1,n)", None),
        ("mean(C*x)", "x", "C: matrix(m,n)", None),
    ],
)
def test_names_of_sizes_without_a_variable_of_that_size(text, wrt, declarations, back):
    d = matgrad.derive(text, wrt, where=declarations)
    found = matgrad.from_sympy(d.to_sympy())
    assert back is None or found.text == back
    assert set(found.variables) <= {"C"}
    assert matgrad.parse(found.text, context=d).node is d.node


def test_sums_over_indices_and_slices_of_sizes():
    """SymPy makes a Sum of (x.T*x)[0, 0]; slices whose ends are sizes come back as they went."""
    n = sympy.Symbol("n", integer=True, positive=True)
    i, j = sympy.symbols("i j", integer=True)
    x, y, X = sympy.MatrixSymbol("x", n, 1), sympy.MatrixSymbol("y", n, 1), sympy.MatrixSymbol("X", n, n)
    c = sympy.Symbol("c")
    points = arrays()
    for expression in (
        sympy.sqrt((x.T * x)[0, 0]),
        (x.T * X * y)[0, 0] * c,
        sympy.Sum(sympy.sin(x[i, 0] - y[i, 0]) ** 2 * c, (i, 0, n - 1)),
        sympy.Sum((x[i, 0] * X[j, i] + X[i, 2] * y[j, 0]) * y[j, 0], (i, 0, n - 1), (j, 0, n - 1)),
        sympy.Sum(X[i, i] / (1 + sympy.exp(x[i, 0])), (i, 0, n - 1)),
        sympy.sec(c) + sympy.cot(c) + sympy.coth(c),
    ):
        formula = matgrad.from_sympy(expression)
        names = {name: points[name] for name in formula.variables}
        np.testing.assert_allclose(formula(**names), explicit(expression, points), rtol=1e-10)
    assert matgrad.gradient(matgrad.from_sympy(sympy.sqrt((x.T * x)[0, 0])), "x").text == "x/norm2(x)"
    d = matgrad.derive("logdet([A, B; C, D])", "B", where="A: matrix(m,m); D: matrix(n,n)")
    back = matgrad.from_sympy(d.to_sympy())
    assert back.text == "inv([A, B; C, D])[m+1:m+n,1:m]'"
    assert str(matgrad.parse("[c, 1; 2, c]").to_sympy()) == "Matrix([[c, 1], [2, c]])"


def test_symbols_keep_their_signs():
    d = sympy.Symbol("d", positive=True)
    assert matgrad.from_sympy(sympy.log(d)).variables == {"d": "positive"}
    assert matgrad.from_sympy(sympy.MatrixSymbol("S", 3, 3) * 2, where="S: spd(3)").variables == {"S": "spd(3)"}


REFUSED = {
    "vec(A)": "vec", "tril(X)": "tril", "max(x)": "max", "einsum(\"ij,j->ij\", A, x)": "einsum", "adj(X)": "adj",
    "softmax(A, dim=1)": "softmax", "g'(x)": "g'", "argmax(x)": "argmax",
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_sympy_cannot_hold_is_named(text):
    with pytest.raises(NotSupported) as error:
        matgrad.parse(text, where=declared(text)).to_sympy()
    assert REFUSED[text] in str(error.value)


def foreign():
    n, k = sympy.symbols("n k", integer=True, positive=True)
    x, A = sympy.MatrixSymbol("x", n, 1), sympy.MatrixSymbol("A", n, n)
    c = sympy.Symbol("c")
    return [
        (sympy.zeta(c), "zeta"), (sympy.Integral(c, c), "Integral"), (sympy.Sum(x[k, 0], (k, 1, n - 1)), "Sum"),
        (sympy.Sum(k * x[k, 0], (k, 0, n - 1)), "Sum"), (sympy.Sum(x[k, 0] + 1, (k, 0, n - 1)), "one of its indices"),
        (sympy.Sum(A[k, k + 1], (k, 0, n - 1)), "Sum"), (sympy.Product(x[k, 0], (k, 0, n - 1)), "Product"),
        (sympy.besselj(0, c), "besselj"), (x[k, 0], "index k"), (A**sympy.Rational(1, 2), "exponent 1/2"),
        (sympy.I * c, "ImaginaryUnit"),
        (sympy.oo, "Infinity"), (sympy.Piecewise((c, c > 0)), "what holds otherwise"),
        (sympy.Piecewise((c, sympy.Eq(c, 0)), (0, True)), "Eq(c, 0)"),
        (sympy.Symbol(r"\lambda") * c, 'Symbol("lambda")'),
        (sympy.Heaviside(c), "Heaviside"),
        (sympy.Eq(c, 1), "Equality"), (sympy.MatrixSymbol("H", n / 2, 1), "the size n/2"), (object(), "no expression"),
    ]  # fmt: skip


@pytest.mark.parametrize(("expression", "words"), foreign(), ids=[words for _, words in foreign()])
def test_what_the_language_has_not_is_named(expression, words):
    with pytest.raises(NotSupported) as error:
        matgrad.from_sympy(expression)
    assert words in str(error.value)


def test_cases_take_the_first_condition_that_holds():
    c, d = sympy.symbols("c d")
    whole = sympy.Piecewise(
        (c**2, (c > 1) & (d >= c)), (-c, c <= 0), (sympy.conjugate(c * d), ~(c < d) | (d < -2)), (3, True)
    )
    formula = matgrad.from_sympy(whole)
    back = formula.to_sympy()
    for x, y in ((2, 3), (2, 2), (2, 1), (0, 1), (0.5, 1), (0.5, -1), (1, 1), (0.25, -3), (-1, 5)):
        wanted = float(whole.subs({c: x, d: y}))
        assert formula(c=float(x), d=float(y)) == wanted
        assert float(back.subs({symbol: {"c": x, "d": y}[symbol.name] for symbol in back.free_symbols})) == wanted
    assert matgrad.derive(matgrad.from_sympy(sympy.Piecewise((c, c > 0), (0, True))), "c").text == "step(c)"
