"""What a step of a backward table is called: the laws of the operations on the way from a formula to a name in it."""

from __future__ import annotations

from matgrad.explaining.laws import differential, squared_norm
from matgrad.explaining.lines import Law
from matgrad.explaining.powers import TRACE_OF_POWER, is_symbolic_power
from matgrad.explaining.trees import varies
from matgrad.formula.syntax import MATRIX, ROW, SCALAR, VECTOR, Expr, walk

_OUTER = Law("outer product of the signal and the layer's input", "y = W*x gives ∂L/∂W = ∂L/∂y*x'")
_WEIGHTS = Law("transposed weights times the signal", "y = W*x gives ∂L/∂x = W'*∂L/∂y")
_MATRICES = Law("signal, times the other factor transposed", "Y = A*B gives ∂L/∂A = ∂L/∂Y*B' and ∂L/∂B = A'*∂L/∂Y")
_INNER = Law("inner product: the other factor", "q = u'*v gives ∂L/∂u = ∂L/∂q*v")
_ENTRYWISE = Law("entrywise product with the other factor", "y = u.*v gives ∂L/∂u = v.*∂L/∂y")
_SCALAR = Law("a scalar factor", "y = c*u gives ∂L/∂u = c*∂L/∂y and ∂L/∂c = u'*∂L/∂y")
_LINEAR = Law("a linear step, transposed", "y = M*u gives ∂L/∂u = M'*∂L/∂y")
_PASSES = Law("a sum passes its signal on", "y = u + v gives ∂L/∂u = ∂L/∂y")
_COPIES = Law(
    "copies of one value add their signals up",
    "y = u + c*vector(1) gives ∂L/∂c = sum(∂L/∂y)",
    "they share the change of c",
)
_SUMMED = Law("a sum of entries sends its signal to each of them", "q = sum(u) gives ∂L/∂u = ∂L/∂q*vector(1)")
_PARTS = Law("parts send their signals to their places", "", "what is not used gets zero")
_VECTORS = Law(
    "outer product: the signal times the other vector", "Y = u*v' gives ∂L/∂u = ∂L/∂Y*v and ∂L/∂v = ∂L/∂Y'*u"
)
_BETWEEN = Law("signal between the other factors, transposed", "Y = A*X*B gives ∂L/∂X = A'*∂L/∂Y*B'")
_QUIET = (_LINEAR, _PASSES, _SUMMED, _SCALAR)
_PASSING = frozenset({"add", "neg", "transpose", "einsum"})

_REASON = "⟨∂L/∂y, dy⟩ is ⟨∂L/∂u, du⟩ for every du"


def rules_of(user: Expr, name: str) -> list[Law]:
    """The laws of a step back from a formula to a name in it: one for each place of the name.

    Laws that act one after the other on one way are joined by "then".
    """
    found: list[Law] = []
    stack: list[tuple[Expr, tuple[Law, ...]]] = [(user, ())]
    while stack:
        node, above = stack.pop()
        inner = [arg for arg in node.args if varies(arg, [name])]
        law = _law(node, inner, name)
        way = (*above, law) if law is not None and law not in above else above
        if not inner:
            found.append(_joined(way) if way else _PASSES)
        elif squared_norm(node) is not None or (
            len(inner) > 1 and law is not None and law.rule == "product rule" and all(map(_bare, inner))
        ):
            found.append(_joined(way))
        else:
            stack += [(arg, way) for arg in reversed(inner)]
    return [law if law.reason else law._replace(reason=_REASON) for law in dict.fromkeys(found)]


def _joined(way: tuple[Law, ...]) -> Law:
    if len(way) == 1:
        return way[0]
    own = tuple(law for law in way if law not in _QUIET) or tuple(law for law in way if law is _SUMMED) or way[:1]
    if len(own) == 1:
        return own[0]
    return Law(", then ".join(law.rule for law in own), "", "; ".join(law.reason for law in own if law.reason))


def _bare(expr: Expr) -> bool:
    while expr.op == "transpose":
        expr = expr.args[0]
    return not expr.args


def _law(node: Expr, inner: list[Expr], name: str) -> Law | None:
    """What the operation does to a signal on its way back; None where it passes it on."""
    if node.op == "add":
        return _COPIES if any(arg.kind == SCALAR != node.kind for arg in inner) else None
    if node.op in ("index", "stack"):
        return _PARTS
    if not inner or node.op in _PASSING:
        return None
    if node.op == "call" and node.value.name == "sum":
        return _SUMMED
    if node.op == "product" and len(inner) == 1:
        return _of_product(node, inner[0])
    if is_symbolic_power(node):
        return None  # its law is that of the trace or the determinant around it
    if node.op == "call" and node.value.name == "tr" and any(map(is_symbolic_power, walk(node.args[0]))):
        return TRACE_OF_POWER
    law, _ = differential(node, {name: "d" + name})
    return law or _LINEAR


def _of_product(node: Expr, factor: Expr) -> Law:
    place = next(k for k, arg in enumerate(node.args) if arg is factor)
    operators = {sign for sign, arg in zip(node.value, node.args[1:], strict=True) if arg.kind != SCALAR}
    others = [arg.kind for k, arg in enumerate(node.args) if k != place and arg.kind != SCALAR]
    if place and node.value[place - 1] in ("/", "./"):
        law, _ = differential(node, {n: "d" + n for n in _names(factor)})
        return law or _LINEAR
    if not others or (factor.kind == SCALAR and node.kind != SCALAR):
        return _SCALAR
    if operators and operators <= {".*", "./"}:
        return _ENTRYWISE
    if operators != {"*"} and operators:
        return _LINEAR
    if factor.kind == MATRIX and node.kind == MATRIX:
        beside = [node.args[k].kind for k in (place - 1, place + 1) if 0 <= k < len(node.args)]
        return _BETWEEN if beside == [MATRIX, MATRIX] else _MATRICES
    if factor.kind in (VECTOR, ROW) and node.kind == MATRIX:
        return _VECTORS
    if factor.kind == MATRIX and node.kind == VECTOR:
        return _OUTER
    if factor.kind == VECTOR and node.kind == VECTOR and MATRIX in others:
        return _WEIGHTS
    return _INNER if node.kind == SCALAR and MATRIX not in others else _LINEAR


def _names(expr: Expr) -> list[str]:
    return [node.value for node in walk(expr) if node.op == "name"]
