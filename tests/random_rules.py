"""The operators of the language as rules for random formulas: a template, and the kinds of its arguments.

In the words for kinds, i and j are the dimensions of the result, k and l any others, and numbers themselves.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

DEFINED = ("r", "q")
"""Names of intermediates."""


class Rule(NamedTuple):
    template: str
    args: tuple[str, ...]


def _rule(template: str, *args: str) -> Rule:
    return Rule(template, args)


def _same(template: str) -> Rule:
    return Rule(template, ("itself",) * len({c for a, c in pairwise(template) if a == "#"}))


_ELEMENTWISE = [
    _same("(#1 + #2)"),
    _same("(#1 - #2)"),
    _same("(#1 + #2 - #3)"),
    _same("(#1).*(#2)"),
    _same("-(#1)"),
    _same("(#1)/3"),
    _same("(#1).^2"),
    _same("(#1)./((#2).^2 + 1)"),
    _same("1./((#1).^2 + 1)"),
    _same("(#1).^3"),
    _same("((#1).^2 + 1).^(1/2)"),
    _same("((#1).^2 + 0.5).^(-3/2)"),
    _same("((#1).^2 + 0.5).^-1"),
    _same("(#1).*sigmoid(#1)"),
    _same("(#1)./(1 + abs(#1))"),
    _same("max(#1, #2)"),
    _same("min(#1, 0.1)"),
    _same("g(#1)"),
    _same("((#1).^2 + 0.5).^(sin(#2))"),
    _rule("(#1)*(#2)", "a scalar", "itself"),
    _rule("(#2)*(#1)", "a scalar", "itself"),
    _rule("(#2)/((#1)^2 + 1)", "a scalar", "itself"),
    _rule("((#1) + #2)", "a scalar", "itself"),
    _rule("((#2).^2 + 1).^sin(#1)", "a scalar", "itself"),
    _rule("((#1)^2 + 1).^sin(#2)", "a scalar", "itself"),
]
RULES = {
    "scalar": [
        *_ELEMENTWISE,
        _rule("(#1)'*(#2)", "vector k", "vector k"),
        _rule("(#1)'*(#1)", "vector k"),
        _rule("(#1)'*(#2)*(#3)", "vector k", "matrix k,k", "vector k"),
        _rule("(#1)'*(#2)*(#1)", "vector k", "matrix k,k"),
        _rule("tr((#1)*(#2))", "matrix n,k", "matrix k,n"),
        _rule("tr((#1)'*(#1))", "matrix l,k"),
        _rule("norm2(#1)^2", "vector k"),
        _rule("norm2(#1)^3", "matrix k,l"),
        _rule("(#1)*(#2)", "row k", "vector k"),
        _rule("(#1)[1]", "vector k"),
        _rule("(#1)[2,1]", "matrix k,k"),
        _rule("log(sum(exp((#1)/4)))", "vector k"),
        _rule("(#1)'*inv(eye + (#2)*(#2)')*(#1)", "vector k", "matrix k,k"),
        _rule("log(det(eye + (#1)*(#1)'))", "matrix k,k"),
        _rule("vec(#1)'*vec(#2)", "matrix k,k", "matrix k,k"),
        _rule("norm2(kron(#1, #2))", "matrix k,k", "vector k"),
        _rule("norm2((#1) ⊗ (#2))^2", "vector k", "matrix k,k"),
        _rule("sum(kron(#1, #2).^2)", "vector k", "vector k"),
        _rule("tr(kron(#1, #2))", "matrix k,k", "matrix l,l"),
        _rule("norm2([#1; #2])^2", "vector k", "vector k"),
        _rule("sum([#1, #2; (#3)', #4].^2)", "matrix k,l", "vector k", "vector l", "a scalar"),
        _rule("norm2(#1)^2/length(#1)", "vector k"),
        _rule("logsumexp(#1)", "vector k"),
        _rule("tr((#1)^3)", "matrix k,k"),
        _rule("tr((eye + (#1)*(#1)')^-2)", "matrix k,k"),
        _rule("sum(triu(#1).^2)", "matrix k,k"),
        _rule("sum(tril(#1, -1).^2)", "matrix k,l"),
        _rule("sum(vec(#1).^3)", "matrix k,l"),
        _rule("sum((#1)[1:2])", "vector k"),
        _rule('einsum("ij,ij,i->", #1, #2, #3)', "matrix k,l", "matrix k,l", "vector k"),
        _rule("rows(#1)*(#2)", "matrix k,l", "a scalar"),
        _rule("vec(#1)'*commutation(@k,@l)*vec(#2)", "matrix k,l", "matrix l,k"),
        _rule("exp(-(#1)'*(#2)*(#1)/(1 + norm2(#2)^2))", "vector k", "matrix k,k"),
        _rule("(#1)'*(#2)*(#1)/((#1)'*(#1) + 1)", "vector k", "matrix k,k"),
    ],
    "vector": [
        *_ELEMENTWISE,
        *[_rule("(#1)*(#2)", "matrix i,k", "vector k")] * 2,
        _rule("(#1)'*(#2)", "matrix k,i", "vector k"),
        _rule("inv(eye + (#1)*(#1)')*(#2)", "matrix i,k", "itself"),
        _rule("(#1)'", "row i"),
        _rule("(#1)/sqrt(norm2(#1)^2 + 1)", "itself"),
        _rule("(#1)[:,2]", "matrix i,k"),
        _rule("((#1) - mean(#1))", "itself"),
        _rule("softmax(#1)", "itself"),
        _rule("exp((#1)/4)./sum(exp((#1)/4))", "itself"),
        _rule("diag(#1)*(#2)", "itself", "itself"),
        _rule("(#1)*((#1)'*(#2))", "itself", "itself"),
        _rule("((#1) + vector(#2))", "itself", "a scalar"),
        _rule("((#1) + unit(2))", "itself"),
        _rule("exp((#1)/4 - logsumexp(#1))", "itself"),
        _rule('einsum("ij,j->i", #1, #2)', "matrix i,k", "vector k"),
        _rule("sum((#1).*(#2), dim=2)", "matrix i,k", "matrix i,k"),
        _rule("(#1 - (#2)*(#1))", "itself", "matrix i,i"),
    ],
    "row": [
        *_ELEMENTWISE,
        _rule("(#1)'", "vector i"),
        _rule("(#1)*(#2)", "row k", "matrix k,i"),
        _rule("(#1)'*(#2)", "vector k", "matrix k,i"),
        _rule("(#1)[2,:]", "matrix k,i"),
    ],
    "matrix": [
        _rule("(tril(#1, -1) + #2)", "itself", "itself"),
        _rule("(#1 - triu(#2, 1))", "itself", "itself"),
        *_ELEMENTWISE,
        *[_rule("(#1)*(#2)", "matrix i,k", "matrix k,j")] * 3,
        _rule("(#1)'", "matrix j,i"),
        _rule("(#1)*(#2)'", "vector i", "vector j"),
        _rule("(#1)*(#2)", "vector i", "row j"),
        _rule("diag(#1)*(#2)", "vector i", "itself"),
        _rule("(#1)*diag(#2)", "itself", "vector j"),
        _rule("inv(eye + (#1)*(#1)')*(#2)", "matrix i,k", "itself"),
        _rule("((#1) - vector(1)*mean(#1, dim=1))", "itself"),
        _rule("(4*eye + sin(#1))^-1*(#2)", "matrix i,i", "itself"),
        _rule("(#1)^2*(#2)", "matrix i,i", "itself"),
        _rule("((#1) + matrix(#2))", "itself", "a scalar"),
        _rule("softmax((#1)*(#2)', dim=2)*(#3)", "matrix i,k", "matrix l,k", "matrix l,j"),
        _rule('einsum("ik,jk,k->ij", #1, #2, #3)', "matrix i,k", "matrix j,k", "vector k"),
    ],
}
"""For every result of a kind."""

WITH_SHAPE = [
    ("vector 2", _rule("(#1)[2:3]", "vector n")),
    ("vector 2", _rule("[#1; #2]", "a scalar", "a scalar")),
    ("vector 2", _rule("vec(#1)[2:3]", "matrix k,l")),
    ("vector 2", _rule("(#1)[2:3,1]", "matrix n,k")),
    ("vector 5", _rule("[#1; #2; #3]", "vector 2", "a scalar", "vector 2")),
    ("vector 5", _rule("kron(#1, #2)[1:5]", "vector 2", "vector n")),
    ("row 2", _rule("[#1, #2]", "a scalar", "a scalar")),
    ("row 2", _rule("(#1)[1,2:3]", "matrix k,n")),
    ("row 5", _rule("[#1, #2, #3]", "row 2", "row 2", "a scalar")),
    ("matrix 2,j", _rule("(#1)[2:3,:]", "matrix n,j")),
    ("matrix 2,j", _rule("[#1; #2]", "row j", "row j")),
    ("matrix i,2", _rule("(#1)[:,1:2]", "matrix i,k")),
    ("matrix i,2", _rule("[#1, #2]", "vector i", "vector i")),
    ("matrix 2,2", _rule("[#1, #2; #3, #4]", "a scalar", "a scalar", "a scalar", "a scalar")),
    ("matrix 2,2", _rule("(#1)[2:3,1:2]", "matrix m,n")),
    ("matrix 5,j", _rule("[#1; #2; #3]", "matrix 2,j", "row j", "matrix 2,j")),
    ("matrix i,5", _rule("[#1, #2, #3]", "matrix i,2", "vector i", "matrix i,2")),
    ("matrix 5,j", _rule("kron(#1, #2)[1:5,:]", "matrix n,j", "vector 2")),
]
"""For results of one shape only: slices, stacks and blocks of literal sizes."""
