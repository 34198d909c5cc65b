"""Writes tests/data/stability.jsonl: formulas at points where floating point goes wrong, with the truth.

The truth is the formula as typed in 1,100 digits, and its derivatives by central differences in as many: no derivative
of matgrad's is used, nor any of its laws.

    python tools/write_stability.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from mp_evaluator import derivative  # noqa: E402

import matgrad  # noqa: E402

FILE = ROOT / "tests" / "data" / "stability.jsonl"
EPS = 2.0**-52

LOGISTIC = [0.5, 40.0, -40.0, 800.0, -800.0]
PEAKED = [[1000.0, 0.0, -1000.0], [-1000.0, -1001.0, -1000.5], [3.0, 40.0, -2.0]]
LENGTHS = [[3e200, 4e200, 1e200], [3e-200, 4e-200, 1e-200], [3.0, -4.0, 1.0]]
SMALL = [1e-10, -1e-10, 1e-5, 0.3]
ROWS = [[[1000.0, 0.0, -1000.0], [-1000.0, -1000.5, -1001.0]], [[0.1, 0.2, 0.4], [800.0, -800.0, 0.0]]]


def hilbert(n: int) -> list[list[float]]:
    return [[1.0 / (i + j + 1) for j in range(n)] for i in range(n)]


def graded(scale: float, n: int = 4) -> list[list[float]]:
    """A well-conditioned non-symmetric matrix times a number."""
    return [[scale * (3.0 * (i == j) + ((2 * i + 3 * j) % 5) / 4) for j in range(n)] for i in range(n)]


# (formula, declarations, variable, orders, values of the variable, the other arrays)
Row = tuple[str, str, str, str, list[Any], dict[str, Any]]
Y = {"y": [1.0, 0.0, 0.25]}
TABLE: list[Row] = [
    # logistic functions
    ("log(1 + exp(z))", "z: scalar", "z", "012", LOGISTIC, {}),
    ("log(1 + exp(-z))", "z: scalar", "z", "012", LOGISTIC, {}),
    ("1/(1 + exp(-z))", "z: scalar", "z", "012", LOGISTIC, {}),
    ("exp(z)/(1 + exp(z))", "z: scalar", "z", "012", LOGISTIC, {}),
    ("1 - 1/(1 + exp(-z))", "z: scalar", "z", "012", LOGISTIC, {}),
    ("log(sigmoid(z))", "z: scalar", "z", "012", LOGISTIC, {}),
    ("log(1/(1 + exp(-z)))", "z: scalar", "z", "012", LOGISTIC, {}),
    ("-log(1 - sigmoid(z))", "z: scalar", "z", "012", LOGISTIC, {}),
    ("sigmoid(z)*(1 - sigmoid(z))", "z: scalar", "z", "012", LOGISTIC, {}),
    ("-(y*log(sigmoid(z)) + (1 - y)*log(1 - sigmoid(z)))", "z: scalar; y: scalar", "z", "012", [0.5, 800.0, -800.0],
     {"y": 1.0}),
    ("sum(log(1 + exp(-y.*(X*w))))", "X: matrix(m, n); w: vector(n); y: vector(m)", "w", "012",
     [[400.0, -400.0], [-0.5, 0.25]], {"X": [[1.0, -1.0], [2.0, 1.0], [-1.0, 0.5]], "y": [1.0, -1.0, 1.0]}),
    ("-y'*log(sigmoid(X*w)) - (1 - y)'*log(1 - sigmoid(X*w))", "X: matrix(m, n); w: vector(n); y: vector(m)", "w",
     "012", [[400.0, -400.0], [-0.5, 0.25]], {"X": [[1.0, -1.0], [2.0, 1.0], [-1.0, 0.5]], "y": [1.0, 0.0, 1.0]}),
    ("sum(log(1 + exp(X*w)) - y.*(X*w))", "X: matrix(m, n); w: vector(n); y: vector(m)", "w", "012",
     [[400.0, -400.0]], {"X": [[1.0, -1.0], [2.0, 1.0], [-1.0, 0.5]], "y": [0.0, 1.0, 1.0]}),
    ("log(1 + exp(a) + exp(2*a))", "a: scalar", "a", "012", [800.0, -50.0, 40.0, -800.0, 0.3], {}),
    ("log(3 + 2*exp(a))", "a: scalar", "a", "012", [800.0, -800.0, 0.3], {}),
    ("exp(a)/(1 + exp(a) + exp(b))", "a: scalar; b: scalar", "a", "012", [800.0, -800.0, 40.0, 0.3], {"b": 2.0}),
    ("log(exp(x) + exp(y))", "x: scalar; y: scalar", "x", "012", [1000.0, -1000.0, 0.5], {"y": 990.0}),
    ("exp(x)/(exp(x) + exp(y))", "x: scalar; y: scalar", "x", "012", [1000.0, -1000.0, 995.0], {"y": 990.0}),
    ("log(exp(x) - 1)", "x: scalar", "x", "012", [1e-9, 0.5, 40.0, 800.0], {}),
    ("log(1 - exp(-x))", "x: scalar", "x", "012", [1e-12, 0.5, 40.0, 700.0], {}),
    ("1/(exp(x) - 1)", "x: scalar", "x", "012", [1e-9, 0.5, 400.0, 800.0], {}),
    ("x^3/(exp(x) - 1)", "x: scalar", "x", "012", [1e-5, 0.5, 400.0, 800.0], {}),
    # hyperbolic functions
    ("(exp(x) - exp(-x))/(exp(x) + exp(-x))", "x: scalar", "x", "012", [800.0, -800.0, 1e-9, 20.0], {}),
    ("(1 - exp(-2*x))/(1 + exp(-2*x))", "x: scalar", "x", "012", [800.0, -800.0, 1e-9, 20.0], {}),
    ("(exp(2*x) - 1)/(exp(2*x) + 1)", "x: scalar", "x", "012", [800.0, -800.0, 1e-9, 20.0], {}),
    ("2*sigmoid(2*x) - 1", "x: scalar", "x", "012", [800.0, -800.0, 1e-9, 20.0], {}),
    ("(exp(x) - exp(-x))/2", "x: scalar", "x", "012", [1e-9, 0.3, -20.0], {}),
    ("tanh(x)", "x: scalar", "x", "12", [800.0, 30.0, 1e-9, -12.0], {}),
    ("log(cosh(x))", "x: scalar", "x", "012", [800.0, -800.0, 1e-6, 0.5, 30.0], {}),
    ("log((exp(x) + exp(-x))/2)", "x: scalar", "x", "012", [800.0, 1e-6, 0.5], {}),
    ("1/cosh(x)", "x: scalar", "x", "012", [400.0, 800.0, 0.5], {}),
    ("exp(x)/cosh(x)", "x: scalar", "x", "012", [800.0, -800.0, 0.5, 30.0], {}),
    ("log(1 - tanh(x)^2)", "x: scalar", "x", "012", [30.0, -400.0, 0.5], {}),
    ("log(sinh(x))", "x: scalar", "x", "012", [1e-8, 0.5, 800.0], {}),
    ("log(tanh(x))", "x: scalar", "x", "012", [1e-8, 0.5, 30.0, 300.0], {}),
    # logsumexp, softmax
    ("log(sum(exp(x)))", "x: vector(n)", "x", "012", PEAKED, {}),
    ("exp(x)/sum(exp(x))", "x: vector(n)", "x", "01", PEAKED, {}),
    ("log(sum(exp(x - y)))", "x: vector(n); y: vector(n)", "x", "012", PEAKED, Y),
    ("log(sum(exp(x))/3)", "x: vector(n)", "x", "012", PEAKED, {}),
    ("log(1 + sum(exp(x)))", "x: vector(n)", "x", "012", [*PEAKED, [-40.0, -45.0, -41.0]], {}),
    ("exp(x)/(1 + sum(exp(x)))", "x: vector(n)", "x", "01", PEAKED, {}),
    ("log(softmax(x)[1])", "x: vector(n)", "x", "012", [*PEAKED, [40.0, 0.0, -3.0]], {}),
    ("log(softmax(x))", "x: vector(n)", "x", "01", PEAKED, {}),
    ("-y'*log(softmax(x))", "x: vector(n); y: vector(n)", "x", "012", PEAKED, Y),
    ("-y'*log(exp(x)/sum(exp(x)))", "x: vector(n); y: vector(n)", "x", "012", PEAKED, Y),
    ("-sum(softmax(x).*log(softmax(x)))", "x: vector(n)", "x", "012", PEAKED, {}),
    ("logsumexp(x) - x[1]", "x: vector(n)", "x", "012", [[40.0, 0.0, -3.0], [1000.0, 0.0, 1.0]], {}),
    ("log(w'*exp(x))", "x: vector(n); w: vector(n)", "x", "012", PEAKED, {"w": [0.5, 0.25, 2.0]}),
    ("w.*exp(x)/(w'*exp(x))", "x: vector(n); w: vector(n)", "x", "01", PEAKED, {"w": [0.5, 0.25, 2.0]}),
    ("y'*exp(x)/sum(exp(x))", "x: vector(n); y: vector(n)", "x", "012", PEAKED, Y),
    ("sum(log(exp(X)*vector(1)))", "X: matrix(m, n)", "X", "01", ROWS, {}),
    ("sum(log(sum(exp(X), dim=2)))", "X: matrix(m, n)", "X", "01", ROWS, {}),
    ("log(sum(exp(X), dim=1))", "X: matrix(m, n)", "X", "01", ROWS, {}),
    ("log(softmax(X, dim=2))", "X: matrix(m, n)", "X", "0", ROWS, {}),
    ("sum(Y.*log(softmax(X, dim=2)))", "X: matrix(m, n); Y: matrix(m, n)", "X", "01", ROWS,
     {"Y": [[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]]}),
    ("log(exp(-C)*exp(x))", "C: matrix(m, n); x: vector(n)", "x", "01", PEAKED,
     {"C": [[0.0, 900.0, 1.0], [2.0, 900.0, 800.0]]}),
    ("-2*log(exp(-x'*x/2) + exp(-y'*y/2))", "x: vector(n); y: vector(n)", "x", "012", [[30.0, 40.0], [0.5, 1.0]],
     {"y": [60.0, -10.0]}),
    ("exp(x - max(x))/sum(exp(x - max(x)))", "x: vector(n)", "x", "01", PEAKED, {}),
    # small differences
    ("log(1 + x)", "x: scalar", "x", "012", SMALL, {}),
    ("log(1 - x)", "x: scalar", "x", "012", SMALL, {}),
    ("log(1 + x^2)", "x: scalar", "x", "012", [1e-9, 0.5, 1e200], {}),
    ("exp(x) - 1", "x: scalar", "x", "012", SMALL, {}),
    ("(exp(x) - 1)/x", "x: scalar", "x", "0", SMALL, {}),
    ("1 - cos(x)", "x: scalar", "x", "012", SMALL, {}),
    ("cosh(x) - 1", "x: scalar", "x", "012", SMALL, {}),
    ("sqrt(1 + x^2) - 1", "x: scalar", "x", "012", [1e-9, 0.5, -1e5, 1e200], {}),
    ("c^2*(sqrt(1 + (x/c)^2) - 1)", "x: scalar; c: positive", "x", "012", [1e-9, 0.5, -1e5], {"c": 2.0}),
    ("sum(sqrt(1 + x.^2) - 1)", "x: vector(n)", "x", "012", [[1e-9, 2e-9], [1e5, 0.5]], {}),
    ("sqrt(1 + x) - 1", "x: scalar", "x", "012", SMALL, {}),
    ("sqrt(x + 1) - sqrt(x)", "x: positive", "x", "012", [1e10, 0.5, 1e-20], {}),
    ("1 - erf(x)", "x: scalar", "x", "012", [3.0, 6.0, 20.0, -2.0], {}),
    ("1 - normcdf(x)", "x: scalar", "x", "012", [3.0, 8.0, 30.0, -2.0], {}),
    ("log(normcdf(x))", "x: scalar", "x", "012", [-5.0, -40.0, 10.0, 0.5], {}),
    ("sum((x - mean(x)).^2)/3", "x: vector(n)", "x", "012", [[1e8, 1e8 + 1, 1e8 + 3]], {}),
    ("x'*x/3 - mean(x)^2", "x: vector(n)", "x", "012", [[1e8, 1e8 + 1, 1e8 + 3]], {}),
    # norms
    ("norm2(x)", "x: vector(n)", "x", "012", LENGTHS, {}),
    ("sqrt(x'*x)", "x: vector(n)", "x", "012", LENGTHS, {}),
    ("x/norm2(x)", "x: vector(n)", "x", "01", LENGTHS, {}),
    ("x/sqrt(sum(x.^2))", "x: vector(n)", "x", "01", LENGTHS, {}),
    ("norm2(x - y)", "x: vector(n); y: vector(n)", "x", "012", LENGTHS, Y),
    ("x'*y/(norm2(x)*norm2(y))", "x: vector(n); y: vector(n)", "x", "012", LENGTHS, {"y": [1e200, -2e200, 3e200]}),
    ("sum(sqrt(sum(X.^2, dim=2)))", "X: matrix(m, n)", "X", "01", [[[3e200, 4e200], [3e-200, -4e-200]]], {}),
    ("normF(X)", "X: matrix(m, n)", "X", "01", [[[3e200, 4e200], [1e200, -4e200]]], {}),
    ("log(x'*x)", "x: vector(n)", "x", "012", LENGTHS, {}),
    ("x/(x'*x)", "x: vector(n)", "x", "01", LENGTHS, {}),
    ("sqrt(1 + x'*x)", "x: vector(n)", "x", "012", LENGTHS, {}),
    ("sqrt(x^2 + y^2)", "x: scalar; y: scalar", "x", "012", [3e200, 3e-200, 3.0], {"y": 4e-200}),
    ("x/sqrt(1 + x^2)", "x: scalar", "x", "012", [1e200, -0.5, 1e-9], {}),
    ("1/sqrt(x'*x)", "x: vector(n)", "x", "01", [[3e200, 4e200, 1e200], [3.0, 4.0, 1.0]], {}),
    # determinants, inverses
    ("log(det(X))", "X: matrix(n, n)", "X", "01", [graded(1e-100), graded(1e100), graded(1.0)], {}),
    ("log(abs(det(X)))", "X: matrix(n, n)", "X", "01", [graded(-1e-100, 3), graded(1e110, 3)], {}),
    ("log(det(X)^2)", "X: matrix(n, n)", "X", "01", [graded(1e-100), graded(1e100)], {}),
    ("det(X)^(1/2)", "X: spd(n)", "X", "01", [[[2e200, 1e200], [1e200, 3e200]], [[2e-200, 1e-200], [1e-200, 3e-200]]],
     {}),
    ("det(X)", "X: matrix(n, n)", "X", "01", [graded(1e-70), graded(1e70), graded(1.0)], {}),
    ("det(X)/det(Y)", "X: matrix(n, n); Y: matrix(n, n)", "X", "01", [graded(1e-100), graded(1e100)],
     {"Y": graded(1e-100)}),
    ("log(det(X'*X))", "X: matrix(m, n)", "X", "01",
     [[[3e-90, 1e-90], [1e-90, 4e-90], [2e-90, -1e-90]], [[3e90, 1e90], [1e90, 4e90], [2e90, -1e90]]], {}),
    ("log(det(2*pi*S))", "S: spd(n)", "S", "01", [[[2e200, 1e200], [1e200, 3e200]]], {}),
    ("inv(A)*b", "A: matrix(n, n); b: vector(n)", "b", "01", [[1.0, -2.0, 0.5, 1.0, 3.0, -1.0]], {"A": hilbert(6)}),
    ("b'*inv(A)*b", "A: spd(n); b: vector(n)", "b", "012", [[1.0, -2.0, 0.5, 1.0, 3.0, -1.0, 0.25, 2.0]],
     {"A": hilbert(8)}),
    ("b'*inv(A)*b + log(det(A))", "A: spd(n); b: vector(n)", "A", "01", [hilbert(6)],
     {"b": [1.0, -2.0, 0.5, 1.0, 3.0, -1.0]}),
    # the same in other words
    ("log(mean(exp(x)))", "x: vector(n)", "x", "012", PEAKED, {}),
    ("-log(sum(exp(-x)))", "x: vector(n)", "x", "012", PEAKED, {}),
    ("log(exp(x)'*exp(y))", "x: vector(n); y: vector(n)", "x", "012", PEAKED, Y),
    ("log(exp(a) + exp(b) + exp(c))", "a: scalar; b: scalar; c: scalar", "a", "012", [1000.0, -1000.0, 1.0],
     {"b": 990.0, "c": -5.0}),
    ("exp(-z)/(1 + exp(-z))^2", "z: scalar", "z", "012", LOGISTIC, {}),
    ("1/(1 + exp(z))^2", "z: scalar", "z", "012", LOGISTIC, {}),
    ("(1 + tanh(z/2))/2", "z: scalar", "z", "012", LOGISTIC, {}),
    ("log((1 + tanh(z/2))/2)", "z: scalar", "z", "012", LOGISTIC, {}),
    ("log(sigmoid(z)/(1 - sigmoid(z)))", "z: scalar", "z", "012", LOGISTIC, {}),
    ("-log(1 - 1/(1 + exp(-z)))", "z: scalar", "z", "012", LOGISTIC, {}),
    ("log(1 + exp(z)) - z", "z: scalar", "z", "012", LOGISTIC, {}),
    ("log(1 + exp(-abs(z)))", "z: scalar", "z", "012", LOGISTIC, {}),
    ("z/(1 + exp(-z))", "z: scalar", "z", "012", LOGISTIC, {}),
    ("z*tanh(log(1 + exp(z)))", "z: scalar", "z", "012", LOGISTIC, {}),
    ("exp(2*a)/(exp(2*a) + exp(a) + 1)", "a: scalar", "a", "012", [800.0, -800.0, 0.3], {}),
    ("(exp(a) + exp(b))/(exp(a) + exp(b) + exp(c))", "a: scalar; b: scalar; c: scalar", "a", "01",
     [800.0, -800.0, 0.3], {"b": 2.0, "c": 790.0}),
    ("log((1 + x)/(1 - x))/2", "x: scalar", "x", "012", [1e-10, 0.5, -0.999999], {}),
    ("log(x + sqrt(x^2 + 1))", "x: scalar", "x", "012", [-1e8, 1e-10, 1e200, 0.5], {}),
    ("(1 - exp(-x))/x", "x: scalar", "x", "0", SMALL, {}),
    ("1/sinh(x)", "x: scalar", "x", "012", [400.0, -800.0, 0.5], {}),
    ("cosh(x)/sinh(x)", "x: scalar", "x", "012", [400.0, -800.0, 0.5, 20.0], {}),
    ("(1 - cos(x))/x^2", "x: scalar", "x", "0", SMALL, {}),
    ("exp(-x^2/2)/(exp(-x^2/2) + exp(-(x - 3)^2/2))", "x: scalar", "x", "012", [60.0, -60.0, 1.0], {}),
    ("log(exp(-x^2/2)/2 + exp(-(x - 3)^2/2)/2)", "x: scalar", "x", "012", [60.0, -60.0, 1.0], {}),
    ("-normpdf(x)/normcdf(x)", "x: scalar", "x", "01", [-40.0, -10.0, 1.0, 30.0], {}),
    ("x'*A*x/(x'*x)", "x: vector(n); A: matrix(n, n)", "x", "01", LENGTHS,
     {"A": [[1.0, 2.0, 0.5], [0.0, 3.0, -1.0], [1.0, 1.0, 2.0]]}),
    ("x*x'/(x'*x)", "x: vector(n)", "x", "0", LENGTHS, {}),
    ("norm2(x)^3", "x: vector(n)", "x", "012", [[3e100, 4e100, 1e100], [3e-100, 4e-100, 1e-100]], {}),
    ("norm2(X*w - y)", "X: matrix(m, n); w: vector(n); y: vector(m)", "w", "012", [[1e200, -2e200], [1e-200, 1e-201]],
     {"X": [[1.0, -1.0], [2.0, 1.0], [-1.0, 0.5]], "y": [0.0, 0.0, 0.0]}),
    ("1/(1 + norm2(x)^2)", "x: vector(n)", "x", "01", LENGTHS, {}),
    ("log(1 + x'*x)", "x: vector(n)", "x", "01", LENGTHS, {}),
    ("exp(logdet(X)/2)", "X: spd(n)", "X", "01", [[[2e200, 1e200], [1e200, 3e200]]], {}),
    ("log(det(eye + x*x'))", "x: vector(n)", "x", "01", [[1e-9, 2e-9], [3.0, 4.0]], {}),
    ("tr(inv(X))", "X: spd(n)", "X", "01", [hilbert(5)], {}),
    ("X*w/sqrt(w'*w)", "X: matrix(m, n); w: vector(n)", "w", "01", [[3e200, 4e200], [3e-200, 4e-200]],
     {"X": [[1.0, -1.0], [2.0, 1.0], [-1.0, 0.5]]}),
    ("exp(X)./(exp(X)*matrix(1))", "X: matrix(m, n)", "X", "0", [[[1000.0, 0.0], [-1000.0, -1000.5]]], {}),
    ("log(sum(exp(X*w)))", "X: matrix(m, n); w: vector(n)", "w", "012", [[400.0, -400.0], [-0.5, 0.25]],
     {"X": [[1.0, -1.0], [2.0, 1.0], [-1.0, 0.5]]}),
    # differences of two values, normal tails, powers of quotients, products
    ("-log(sigmoid(a) - sigmoid(b))", "a: scalar; b: scalar", "a", "012", [50.0, 700.0, 49.001], {"b": 49.0}),
    ("-log(sigmoid(c - eta) - sigmoid(d - eta))", "c: scalar; d: scalar; eta: scalar", "eta", "012",
     [50.0, -60.0, 400.0, -800.0], {"c": 1.0, "d": 0.0}),
    ("sigmoid(a) - sigmoid(b)", "a: scalar; b: scalar", "a", "012", [50.0, 700.0, 49.001], {"b": 49.0}),
    ("log(tanh(a) - tanh(b))", "a: scalar; b: scalar", "a", "012", [30.0, 29.1, 400.0], {"b": 29.0}),
    ("log(exp(a) - exp(b))", "a: scalar; b: scalar", "a", "012", [800.0, 740.0], {"b": 730.0}),
    ("log(normcdf(a) - normcdf(b))", "a: scalar; b: scalar", "a", "012", [10.0, 9.1, 40.0], {"b": 9.0}),
    ("-y'*log(normcdf(X*w)) - (1-y)'*log(1-normcdf(X*w))", "X: matrix(m, n); w: vector(n); y: vector(m)", "w", "012",
     [[20.0, 20.0], [-20.0, 10.0], [-3.0, 1.0]], {"X": [[1.0, 2.0], [3.0, -1.0]], "y": [1.0, 0.0]}),
    ("exp(-z^2/2)/normcdf(z)", "z: scalar", "z", "012", [-60.0, -40.0, -10.0, 0.5, 40.0], {}),
    ("(1-normcdf(z))/normpdf(z)", "z: scalar", "z", "012", [-5.0, 0.5, 10.0, 40.0], {}),
    ("4*e*((s/r)^12 - (s/r)^6)", "e: scalar; s: scalar; r: scalar", "r", "012", [1.1e-30, 2e-30, 1.1],
     {"e": 2.0, "s": 1e-30}),
    ("1/(1+(x/g)^2)", "x: scalar; g: scalar", "x", "012", [1e200, 1e-200, 3e199, 1e30], {"g": 1e199}),
    ("prod(x)", "x: vector(n)", "x", "012", [[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [1.0, 2.0, 3.0]], {}),
    ("sqrt(r'*inv(S)*r)", "r: vector(n); S: spd(n)", "r", "012", [[3.0, 4.0], [3e200, 4e200], [3e-200, 4e-200]],
     {"S": [[2.0, 0.5], [0.5, 1.0]]}),
]  # fmt: skip


def cases() -> Iterator[dict[str, Any]]:
    for formula, where, wrt, orders, values, others in TABLE:
        parsed = matgrad.parse(formula, where=where)
        for value in values:
            point = {**others, wrt: value}
            sizes = sizes_of(parsed, point)
            for order in map(int, orders):
                yield {"formula": formula, "where": where, "wrt": wrt, "order": order, "point": point, "sizes": sizes}


def sizes_of(parsed: Any, point: dict[str, Any]) -> dict[str, int]:
    found = {}
    for name, variable in parsed.typed.variables.items():
        for dim, length in zip(variable.type.dims, np.shape(point[name]), strict=True):
            found[str(dim)] = length
    return found


def truth(case: dict[str, Any]) -> Any:
    parsed = matgrad.parse(case["formula"], where=case["where"])
    found = derivative(parsed.typed.program, case["point"], case["sizes"], case["wrt"], case["order"])
    return np.asarray(found, dtype=float).tolist()


def lost(case: dict[str, Any]) -> float:
    """Which error the conditioning of a matrix excuses: κ(A)·2⁻⁵², and some for rounding; 1e-9 elsewhere."""
    worst = 1.0
    for array in case["point"].values():
        if np.ndim(array) == 2 and len(array) == len(array[0]):
            worst = max(worst, float(np.linalg.cond(np.asarray(array) / np.max(np.abs(array)))))
    return max(1e-9, 100 * worst ** (1 + (case["order"] > 0 and "inv" in case["formula"])) * EPS)


def main() -> None:
    lines = []
    for case in cases():
        row = {**case, "tolerance": lost(case), "truth": truth(case)}
        lines.append(json.dumps(row))
        print(len(lines), case["formula"], case["order"], flush=True)
    FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
