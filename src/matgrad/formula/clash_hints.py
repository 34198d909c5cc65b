"""What might have been meant where types clash: a transpose more or less, brackets, ``.*``, a diagonal matrix.

A change is suggested only where the types then fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from matgrad.dims import Dim
from matgrad.formula.shapes import Clash, Shapes
from matgrad.formula.sizes import unknowns
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, TENSOR, VECTOR, Expr, Type

_ATOMIC = {"name", "number", "constant", "call", "index", "stack", "einsum", "transpose"}


class Scene(NamedTuple):
    """What an explanation may look at."""

    source: str
    shapes: Shapes
    declared: Mapping[str, str]  # the words of declarations
    uses: Mapping[str, list[Expr]]  # where open names stand
    shown: Callable[[Dim], Dim]  # sizes with names for what is unknown

    def text(self, node: Expr) -> str:
        """The node as the user wrote it."""
        return " ".join(self.source[node.span[0] : node.span[1]].split()) if node.span else repr(node)

    def kind(self, type: Type) -> str:
        dims = [str(self.shown(d)) for d in type.dims]
        return {SCALAR: "scalar", VECTOR: "column", ROW: "row"}.get(type.kind, type.kind) + (
            ", " + " × ".join(dims) if dims else ""
        )

    def phrase(self, type: Type) -> str:
        dims = [str(self.shown(d)) for d in type.dims]
        if type.kind in (VECTOR, ROW):
            return f"a {'column' if type.kind == VECTOR else 'row'} of length {dims[0]}"
        if type.kind == MATRIX:
            return f"a matrix of size {dims[0]} × {dims[1]}"
        return f"a {type.kind}" if type.kind == SCALAR else f"a tensor of size {' × '.join(dims)}"


def repeated(scene: Scene, whole: Type, part: Type, text: str) -> str | None:
    """A column or row that fits beside the columns or below the rows of a matrix, as such a matrix; else None.

    Formulas do not broadcast arrays: NumPy's X - X.mean(0) is X - vector(1)*mean(X, dim=1).
    """
    if whole.kind != MATRIX or part.kind not in (VECTOR, ROW):
        return None
    if part.kind == VECTOR and fit(scene, whole.dims[0], part.dims[0]):
        return f"{text}*vector(1)'"
    row = text if part.kind == ROW else f"{text}'"
    return f"vector(1)*{row}" if fit(scene, whole.dims[1], part.dims[0]) else None


def alike(scene: Scene, left: Type, right: Type) -> bool:
    if SCALAR in (left.kind, right.kind):
        return True
    return left.kind == right.kind and all(fit(scene, a, b) for a, b in zip(left.dims, right.dims, strict=True))


def fit(scene: Scene, a: Dim, b: Dim) -> bool:
    a, b = scene.shapes.sizes.resolve(a), scene.shapes.sizes.resolve(b)
    return a == b or bool(unknowns(a) or unknowns(b))


def flipped(type: Type) -> Type:
    kind = {VECTOR: ROW, ROW: VECTOR}.get(type.kind, type.kind)
    return Type(kind, type.dims[::-1])


def flip_text(node: Expr, text: str) -> str:
    """The text with a transpose more, or one less."""
    if node.op == "transpose" and text.endswith("'"):
        return text[:-1]
    return f"{text}'" if node.op in _ATOMIC or text.startswith("(") else f"({text})'"


def bracketed(node: Expr, scene: Scene) -> str:
    text = scene.text(node)
    return f"({text})" if node.op in ("add", "product", "neg") else text


def product_hints(clash: Clash, scene: Scene, operator: str, left: str, right: str) -> Iterator[str]:
    a, b = clash.left, clash.right
    assert b is not None
    if operator == "/":
        if (alike(scene, a, b) and a.kind != SCALAR) or a.kind == SCALAR:
            yield f"{left}./{right}"
        if b.kind == VECTOR and a.kind == MATRIX:
            rows, cols = (fit(scene, dim, b.dims[0]) for dim in a.dims)
            if rows:
                yield f"diag(1./{right})*{left}"
            if cols:
                yield f"{left}*diag(1./{right})"
        if b.kind in (VECTOR, ROW) and a.kind != MATRIX and not alike(scene, a, b):
            yield f"{left}/norm2({right})" if not right.startswith("(") else f"{left}/norm2{right}"
        if b.kind == MATRIX and fit(scene, *b.dims):
            inverse = f"inv({right})" if not right.startswith("(") else f"inv{right}"
            if a.kind == SCALAR:
                yield inverse if left == "1" else f"{left}*{inverse}"
                return
            if _product(scene, "*", b, a):
                yield f"{inverse}*{left}"
            if _product(scene, "*", a, b):
                yield f"{left}*{inverse}"
        return
    if operator == "*":
        yield from _regrouped(clash, scene, left)
    yield from _transposed_factors(clash, scene)
    if operator == "*" and alike(scene, a, b):
        yield f"{left}.*{right}"
    if operator == ".*" and _product(scene, "*", a, b):
        yield f"{left}*{right}"
    if operator in (".*", "./"):
        yield from _scaled(scene, operator, (a, left), (b, right))


def _scaled(scene: Scene, operator: str, left: tuple[Type, str], right: tuple[Type, str]) -> Iterator[str]:
    """A matrix whose rows or columns are multiplied or divided by a vector: diag(1./x)*X, X*diag(x)."""
    (whole, matrix), (part, vector) = (left, right) if left[0].kind == MATRIX else (right, left)
    if whole.kind != MATRIX or part.kind not in (VECTOR, ROW):
        return
    if operator == "./" and whole is left[0]:
        vector = f"1./{vector}"
    elif operator == "./":
        matrix = f"(1./{matrix})"
    if part.kind == ROW:
        vector = vector.removesuffix("'") if vector.endswith("'") else f"{vector}'"
    if part.kind == VECTOR and fit(scene, whole.dims[0], part.dims[0]):
        yield f"diag({vector})*{matrix}"
    elif fit(scene, whole.dims[1], part.dims[0]):
        yield f"{matrix}*diag({vector})"


def _product(scene: Scene, operator: str, a: Type, b: Type) -> Type | None:
    """The type of a product where the types fit (unknown sizes fit anything), else None."""
    if operator == "/":
        return a if b.kind == SCALAR else None
    if operator != "*":
        return a if operator != "⊗" and alike(scene, a, b) else None
    if SCALAR in (a.kind, b.kind):
        return b if a.kind == SCALAR else a
    if (a.kind, b.kind) == (VECTOR, ROW):
        return Type(MATRIX, a.dims + b.dims)
    if a.kind in (ROW, MATRIX) and b.kind in (VECTOR, MATRIX) and fit(scene, a.dims[-1], b.dims[0]):
        dims = a.dims[:-1] + b.dims[1:]
        return Type({0: SCALAR, 2: MATRIX}.get(len(dims), VECTOR if a.kind == MATRIX else ROW), dims)
    return None


def _regrouped(clash: Clash, scene: Scene, left: str) -> Iterator[str]:
    """Brackets around the factors that follow, where they make the product fit: ``A*(x'*x)``."""
    node, at = clash.node, clash.step
    total: Type | None = clash.right
    texts = [bracketed(node.args[at], scene)]
    for operator, factor in zip(node.value[at:], node.args[at + 1 :], strict=True):
        kind = scene.shapes.types.get(id(factor))
        total = _product(scene, operator, total, kind) if total is not None and kind is not None else None
        texts += [operator, bracketed(factor, scene)]
        if total is None:
            return
        if _product(scene, "*", clash.left, total):
            yield f"{left}*({''.join(texts)})"
            return


def _transposed_factors(clash: Clash, scene: Scene) -> Iterator[str]:
    """The product with a transpose more or less in one of the two factors that meet, or in both."""
    node, last = clash.node, clash.step
    for flips in ({last}, {last - 1}, {last - 1, last}) if last == 1 else ({last}, {last - 1}):
        total: Type | None = None
        text = ""
        for at, factor in enumerate(node.args[: last + 1]):
            type = scene.shapes.types[id(factor)]
            if at in flips and type.kind in (SCALAR, TENSOR):
                total = None
                break
            type = flipped(type) if at in flips else type
            shown = bracketed(factor, scene)
            operator = node.value[at - 1] if at else ""
            text += operator + (flip_text(factor, shown) if at in flips else shown)
            total = type if at == 0 else _product(scene, operator, total, type) if total is not None else None
            if total is None:
                break
        if total is not None:
            yield text
