"""What tests of formulas share: typed formulas of every operation, and arrays for their variables."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from matgrad.formula.declarations import parse_declarations
from matgrad.formula.infer import read
from matgrad.formula.syntax import Expr, Program, Type
from matgrad.formula.typed import Typed, Variable

DECLARED = """\
A: matrix(m,n); B: matrix(m,n); C: matrix(n,p); W1: matrix(m,n); X: matrix(n,n); Y: matrix(n,n); Sigma: matrix(n,n);
x: vector(n); y: vector(n); z: vector(n); mu: vector(n); b: vector(m); a: scalar; c: scalar; lambda: scalar;
lambda_1: scalar"""
SIZES = {"m": 4, "n": 3, "p": 5}


def variable(name: str, type: Type, *traits: str) -> Variable:
    return Variable(name, type, frozenset(traits))


def typed(text: str, declared: str = "") -> Expr:
    """A formula with the types that inference finds; unlike in ``read``, not all that is declared has to occur."""
    return read(text, context=_context(declared)).program.body


@lru_cache
def _context(declared: str) -> Typed:
    entries = parse_declarations(declared)
    functions = frozenset(name for name, entry in entries.items() if entry.kind == "function")
    variables = {name: Variable(name, Type(entry.kind, entry.dims or ()), entry.traits)
                 for name, entry in entries.items() if name not in functions}  # fmt: skip
    dimensions = frozenset(name for v in variables.values() for dim in v.type.dims for name in dim.names)
    nothing = Program((), Expr("number", value=Fraction(0), type=Type("scalar", ())))
    return Typed(nothing, variables, {}, functions, (), dimensions)


def arrays(seed: int = 0) -> dict[str, Any]:
    """Values for the declared variables: positive, so that every function is inside its domain."""
    rng = np.random.default_rng(seed)
    shapes = {"A": (4, 3), "B": (4, 3), "C": (3, 5), "W1": (4, 3), "X": (3, 3), "Y": (3, 3), "Sigma": (3, 3),
              "x": (3,), "y": (3,), "z": (3,), "mu": (3,), "b": (4,), "a": (), "c": (),
              "lambda": (), "lambda_1": ()}  # fmt: skip
    return {name: rng.uniform(0.3, 2.0, shape) for name, shape in shapes.items()}


# One of each operation and function, in the company in which brackets, orders and transposes matter.
FORMULAS = """
2*A'*(A*x - b)
1 - tanh(X*x).^2
[2*x[1], 1; x[2], x[1]]
-x'*X*y
-(x - y)'*inv(X)*(x-y)/2
x.^-1*c + c^-1*x
c^(1/2)*x + a*y
(x.^2)'
X'^2
(X^2)'
inv(X)'*x
inv(X')*x
inv(X)*X*inv(Y)
X*inv(Y)*X'
x'*inv(X)
x'*inv(X)'*y
inv(X)'*inv(Y)
norm2(A*x - b)^2/m
norm2(X)*norm1(X) + norm1(x)
tr(A'*B) + tr(X) + tr(x*y') + tr(inv(X)*Y) + tr(2*X*Y/3)
diag(x)*X*diag(y)
diag(x)*y + diag(X)
(diag(x)*X)'
x'*diag(y)*X
x*y'
x*y'*x
A*x*y'*A'
A'*b*x'*y
A*X*x
2*X*Y*C/c*3
x.*y./z
x.*y*c./a
(x.*y)'*z*x
A*x.*b
c.*x./a
1./x
a/b[1]/c
a/(b[1]*c)
(a/c)*x
a*(b[1]+c)
x ⊗ y
A ⊗ B
x ⊗ b'
A ⊗ x
kron(A, X)*vec(C[1:3,:]*0 + 1)[1]
exp(x).*log(1 + x.^2)
sqrt(x.^2 + 1)
log(sum(exp(X*x)))
logsumexp(x) + max(x) - min(x) + mean(X)
softmax(X, dim=1) + softmax(X, dim=2)
sum(X, dim=1) + x'
sum(X, dim=2) + mean(X, dim=2) + logsumexp(X, dim=2) + max(X, dim=2) + norm2(X, dim=2) + norm1(X, dim=2)
argmax(x) + argmin(X, dim=2)*x
max(x, 0) + min(x, y)
gelu(x) + normpdf(x + 1) + normcdf(x)
gelu(x.*y) + erf(x)
sigmoid(x).*(1 - sigmoid(x))
softplus(-x) + relu(x) + step(x) + sign(x) + abs(x)
logdet(X'*X) + det(X)
adj(X)'
det(X)*inv(X)'
X^3 + X^-1 + X^-2
c^2 + c^-2 + c^a
x.^3 + x.^-1 + c.^x + abs(x).^c
pi*x + 0.5*y + x/3 - 2/7*z
-(1/2)*x
x*(1/3)
2*3*x
x*2
-(-x)
a - (-c)
a - (b[1] - c)
X[1,:]*y + X[:,2]'*x + X[2,3]
(X*x)[1] + x'[2]
x[2:3]
X[1:2,:]*x
[x; y; c]
[X, x; y', c]
[x, y]
[x', y'; y', x']
einsum("ij,jk,k->i", X, Y, x)
einsum("i,j->ij", x, y)
einsum("ij,k->ijk", X, y)
lambda*x + lambda_1*mu
W1*x + b
eye + X
(eye + x*x')*y
ones(m,n) + zeros(m,n)
vector(1) + vector(c) + vector(2) + x
x'*vector(1)
matrix(1) + matrix(c) + A
unit(2) + x
commutation(m, n)*vec(A)
rows(A)*cols(A)*length(x)
tril(X) + triu(Y)
log1p(x.^2) + expm1(x)
-inv(X)*Y*inv(X)
exp(-norm2(x-y)^2/(2*c^2))
(x'*X*x)/(x'*x)*x
X*(x.*y) - (x'*y)*z
tr(X)*X^2/(c + 1)
(a + c)*(a - c)
(c*X)^2
(-c)^2 + (-x).^2
sum(abs(X).^2)
2^c + 10^x[1]
inv(c)*det(c) + logdet(c^2) + tr(c)
(X*Y)^2
exp(x)'
Sigma*mu
log(c)^2+ logdet(X)^2 + sqrt(c)^2
x'*x*2
""".strip().splitlines()
