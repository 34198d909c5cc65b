"""The functions of the language: one card each, and what to use for those that it does not have.

>>> card("tanh").derivative
'1 - tanh(x)^2'
>>> card("ln") is None, NOT_YET["ln"]
(True, 'log(x)')
"""

from __future__ import annotations

from matgrad.functions import code_only, constructors, elementwise, matrix, reductions, structural
from matgrad.functions.card import Card

__all__ = ["CARDS", "CODE_ONLY", "NOT_YET", "Card", "card", "card_in_code", "names"]

CARDS: dict[str, Card] = {
    entry.name: entry
    for module in (elementwise, reductions, matrix, structural, constructors)
    for entry in module.CARDS
}

CODE_ONLY: dict[str, Card] = {entry.name: entry for entry in code_only.CARDS}
"""Functions that code uses, and nobody types."""

_LATER = "matrix functions of this kind are not supported yet"
_EIGEN = "tr(X) for the sum and det(X) for the product of the eigenvalues; others are not supported yet"
_SINGULAR = "normF(X) for the root of the sum of squared singular values; others are not supported yet"
_WHICH = "norm1(x), norm2(x) or normF(X): say which norm is meant"

NOT_YET: dict[str, str] = {
    "pinv": "inv(X'*X)*X' (full column rank) or X'*inv(X*X') (full row rank)",
    "expm": f"exp(X) is entrywise; {_LATER}",
    "logm": f"log(X) is entrywise; {_LATER}",
    "sqrtm": f"sqrt(X) is entrywise; {_LATER}",
    "chol": f"logdet(X) or inv(X), which use the factor where that is faster; {_LATER}",
    "cholesky": f"logdet(X) or inv(X), which use the factor where that is faster; {_LATER}",
    "eig": _EIGEN,
    "eigvals": _EIGEN,
    "eigenvalues": _EIGEN,
    "svd": _SINGULAR,
    "nuclear": _SINGULAR,
    "normNuc": _SINGULAR,
    "norm_nuclear": _SINGULAR,
    "spectral": _SINGULAR,
    "norm": _WHICH,
    "cov": "(X - vector(1)*mean(X, dim=1))'*(X - vector(1)*mean(X, dim=1))/(rows(X) - 1)",
    "var": "sum((x - mean(x)).^2)/length(x)",
    "std": "norm2(x - mean(x))/sqrt(length(x))",
    "cumsum": "tril(matrix(1))*x",
    "conj": "x: all variables are real",
    "real": "x: all variables are real",
    "trace": "tr(X)",
    "Tr": "tr(X)",
    "transpose": "X'",
    "dot": "x'*y",
    "inner": "x'*y, or tr(X'*Y)",
    "outer": "x*y'",
    "matmul": "A*B",
    "cross": "the entries, as in [x[2]*y[3] - x[3]*y[2]; x[3]*y[1] - x[1]*y[3]; x[1]*y[2] - x[2]*y[1]]",
    "solve": "inv(A)*b",
    "lstsq": "inv(A'*A)*A'*b",
    "rank": "the rank is not differentiable",
    "null": f"the orthogonal complement is not unique; {_LATER}",
    "orth": f"the orthogonal basis is not unique; {_LATER}",
    "cond": _SINGULAR,
    "ln": "log(x)",
    "log2": "log(x)/log(2)",
    "log10": "log(x)/log(10)",
    "pow": "x^p, or x.^p entry by entry",
    "power": "x.^p",
    "square": "x.^2",
    "cot": "1./tan(x)",
    "sec": "1./cos(x)",
    "csc": "1./sin(x)",
    "asin": "arcsin(x)",
    "acos": "arccos(x)",
    "atan": "arctan(x)",
    "atan2": "arctan2(y, x)",
    "asinh": "arcsinh(x)",
    "acosh": "arccosh(x)",
    "atanh": "arctanh(x)",
    "arsinh": "arcsinh(x)",
    "arcosh": "arccosh(x)",
    "artanh": "arctanh(x)",
    "swish": "silu(x)",
    "sgn": "sign(x)",
    "heaviside": "step(x)",
    "sigma": "sigmoid(x)",
    "logistic": "sigmoid(x)",
    "logsigmoid": "-softplus(-x)",
    "logaddexp": "log(exp(x) + exp(y))",
    "log_softmax": "x - logsumexp(x)",
    "logsoftmax": "x - logsumexp(x)",
    "maximum": "max(x, y)",
    "minimum": "min(x, y)",
    "gamma": "the gamma function is not supported yet",
    "frobenius": "normF(X)",
    "norminf": "max(abs(x))",
    "normInf": "max(abs(x))",
    "adjugate": "adj(X)",
    "inverse": "inv(X)",
    "determinant": "det(X)",
    "identity": "eye",
    "Identity": "eye",
    "hadamard": "x.*y",
    "size": "rows(X), cols(X) or length(x)",
    "numel": "rows(X)*cols(X), or length(x)",
    "len": "length(x)",
    "average": "mean(x)",
}


def card(name: str) -> Card | None:
    """What is known about a function, or None where the language does not have it."""
    return CARDS.get(name)


def card_in_code(name: str) -> Card | None:
    """What is known about a function of the language, or about one that only code uses.

    >>> card("log_cosh") is None, card_in_code("log_cosh").because
    (True, 'log(cosh(x))')
    """
    return CARDS.get(name) or CODE_ONLY.get(name)


def names() -> list[str]:
    """All functions, in the order of their cards."""
    return list(CARDS)
