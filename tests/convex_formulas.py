"""Random formulas of the kind that convex analysis is about: atoms, sums with signs, compositions, products."""

from __future__ import annotations

import random
from collections.abc import Callable

DECLARED = {
    "x": "vector(n)", "y": "vector(n)", "w": "positive vector(n)", "v": "positive vector(n)",
    "k": "nonnegative vector(n)",
    "c": "scalar", "d": "positive", "a": "positive", "e": "nonnegative", "A": "matrix(m,n)", "B": "matrix(n,n)",
    "S": "spd(n)", "T": "spd(n)", "P": "psd(n)", "H": "symmetric(n)", "X": "matrix(n,n)", "u": "vector(m)",
    "D": "diagonal(n)", "O": "orthogonal(n)",
}  # fmt: skip
VECTORS = ["x", "x", "y", "w", "v", "k"]
SCALARS = ["c", "d", "a", "e", "2", "0.5", "x[1]", "w[1]"]
MATRICES = ["S", "T", "P", "H", "X", "B", "S + T", "P + S", "eye + x*x'", "w*w'", "diag(w)", "diag(x)", "X'*X", "A'*A",
            "X'*S*X", "S .* P", "inv(S)", "inv(S + P)", "D", "O'*S*O", "eye"]  # fmt: skip
ELEMENTWISE = ["exp", "log", "sqrt", "abs", "relu", "softplus", "sigmoid", "tanh", "cosh", "sinh", "arctan", "normcdf",
               "normpdf", "log1p", "expm1", "erf", "arcsin"]  # fmt: skip


class ConvexGenerator:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def of(self, kind: str, depth: int) -> str:
        leaves = {"scalar": SCALARS, "vector": VECTORS, "matrix": MATRICES}[kind]
        if depth <= 0:
            return self.random.choice(leaves)
        rules: list[Callable[[int], str]] = getattr(self, f"_{kind}")()
        return self.random.choice(rules)(depth - 1)

    def _shared(self, kind: str) -> list[Callable[[int], str]]:
        some = lambda depth: self.of(kind, depth)  # noqa: E731
        sign = lambda: self.random.choice("++-")  # noqa: E731
        return [
            lambda k: f"({some(k)} {sign()} {some(k)})",
            lambda k: f"({some(k)} {sign()} {some(k)})",
            lambda k: f"({self.of('scalar', k)})*({some(k)})",
            lambda k: f"({some(k)})/({self.of('scalar', k)})",
        ]

    def _pointwise(self, kind: str) -> list[Callable[[int], str]]:
        some = lambda depth: self.of(kind, depth)  # noqa: E731
        power = lambda: self.random.choice(["2", "3", "(-1)", "(-2)", "(1/2)", "(3/2)", "4", "(-1/2)", "(1/3)"])  # noqa: E731
        return [
            *self._shared(kind),
            *[lambda k: f"{self.random.choice(ELEMENTWISE)}({some(k)})"] * 4,
            *[lambda k: f"({some(k)}).^{power()}"] * 2,
            lambda k: f"({some(k)}).*({some(k)})",
            lambda k: f"({some(k)})./({some(k)})",
            lambda k: f"{self.random.choice(['max', 'min'])}({some(k)}, {some(k)})",
            lambda k: f"({some(0)}).*log({some(k)})",
        ]

    def _scalar(self) -> list[Callable[[int], str]]:
        vector = lambda depth: self.of("vector", depth)  # noqa: E731
        matrix = lambda depth: self.of("matrix", depth)  # noqa: E731
        names = ["sum", "norm1", "norm2", "max", "min", "logsumexp", "sum", "mean"]
        function = lambda: self.random.choice(names)  # noqa: E731
        definite = ["S", "T", "S + P", "S + X'*X", "inv(S)", "diag(w)", "S + w[1]*P", "S + diag(v)"]
        spd = lambda: self.random.choice(definite)  # noqa: E731
        return [
            *self._pointwise("scalar"),
            *[lambda k: f"{function()}({vector(k)})"] * 4,
            lambda k: f"({vector(k)})'*({vector(k)})",
            lambda k: f"norm2({vector(k)})^2",
            lambda k: f"norm2({vector(k)})^2/({self.of('scalar', k)})",
            lambda k: self.random.choice(["({v})'*({m})*({v})", "({v})'*inv({s})*({v})"]).format(
                v=vector(min(k, 1)), m=matrix(0), s=spd()
            ),
            lambda k: f"tr({matrix(k)})",
            lambda k: f"tr(({matrix(k)})*({matrix(0)}))",
            lambda k: f"logdet({spd()})",
            lambda k: f"log(det({spd()}))",
            lambda k: f"det({spd()})",
            lambda k: f"tr(inv({spd()}))",
            lambda k: f"tr(X'*inv({spd()})*X)",
            lambda k: f"-(y)'*log(softmax({vector(k)}))",
            lambda k: f"exp({self.of('scalar', k)})",
        ]

    def _vector(self) -> list[Callable[[int], str]]:
        vector = lambda depth: self.of("vector", depth)  # noqa: E731
        return [
            *self._pointwise("vector"),
            lambda k: f"({self.of('matrix', k)})*({vector(k)})",
            lambda k: f"A'*(A*({vector(0)}) - u)",
            lambda k: f"softmax({vector(k)})",
            lambda k: f"diag({self.of('matrix', k)})",
        ]

    def _matrix(self) -> list[Callable[[int], str]]:
        matrix = lambda depth: self.of("matrix", depth)  # noqa: E731
        return [
            *self._shared("matrix"),
            lambda k: f"({matrix(k)})'",
            lambda k: f"({matrix(k)})*({matrix(k)})",
            lambda k: f"({matrix(0)})'*({matrix(k)})*({matrix(0)})",
            lambda k: f"({matrix(k)}).*({matrix(k)})",
            lambda k: f"diag({self.of('vector', k)})",
            lambda k: f"({self.of('vector', k)})*({self.of('vector', k)})'",
            lambda k: f"X*diag({self.of('vector', k)})*X'",
            lambda k: f"inv({matrix(k)})",
        ]


def convex_formula(seed: int) -> str:
    g = ConvexGenerator(seed)
    kind = g.random.choice(["scalar"] * 5 + ["vector", "matrix", "matrix"])
    return g.of(kind, g.random.choice([1, 1, 2, 2, 3]))
