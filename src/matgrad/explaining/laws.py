"""The differential of one operation in those of its arguments: one law each, those of functions from their cards.

``differential(e, …)`` gives a law and the formula that it makes of d(e), with d(…) of the arguments still pending.
The law is None where d only moves inside something linear: a reader does that in his head.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from matgrad.errors import NotSupported
from matgrad.explaining.card_trees import along, of_matrices
from matgrad.explaining.lines import Law
from matgrad.explaining.powers import is_symbolic_power, of_power
from matgrad.explaining.trees import had, named, ones, pending, tidied, varies, widened
from matgrad.formula.syntax import MATRIX, SCALAR, SCALAR_TYPE, VECTOR, Call, Expr, Type, compared
from matgrad.functions import Card, card
from matgrad.translate.algebra import addition, call, negative, number, power, product, times, transposed

Differentials = Mapping[str, str]
"""The names that vary, each with the name of its differential."""
Outcome = tuple[Law | None, Expr]

PRODUCT = Law("product rule", "d(u*v) = d(u)*v + u*d(v)", "the terms of first order in (u + du)(v + dv)")
QUOTIENT = Law("quotient rule", "d(u/v) = d(u)/v - u*d(v)/v^2", "the product rule on u times 1/v")
POWER = Law("power rule", "d(u^p) = p*u^(p - 1)*d(u)", "the product rule, repeated; by log and exp for any p")
EXPONENT = Law("power rule in base and exponent", "d(u^p) = p*u^(p - 1)*d(u) + log(u)*u^p*d(p)", "u^p = exp(p*log(u))")
NORM = Law("differential of a norm", "d(norm2(u)) = u'*d(u)/norm2(u)", "the square root of u'*u")
SQUARED_NORM = Law("differential of a squared norm", "d(norm2(u)^2) = 2*u'*d(u)", "the product rule on u'*u")
SQUARED_FROBENIUS = Law(
    "differential of a squared Frobenius norm", "d(normF(U)^2) = 2*tr(U'*d(U))", "the product rule on tr(U'*U)"
)
CHAIN = Law("chain rule, entry by entry", "d(g(u)) = g'(u).*d(u)", "the derivative of the function g")


def differential(expr: Expr, of: Differentials) -> Outcome:
    """d(expr) by the law of its outermost operation."""
    rule = _RULES.get(expr.op)
    if rule is None:
        raise NotSupported(f"{expr.op} has no differential")
    law, found = rule(expr, of)
    return law, tidied(widened(found, expr.type))


def _d(expr: Expr, of: Differentials) -> Expr:
    if expr.op == "name":
        return named(of[expr.value], expr.type)
    return pending(expr)


def _name(expr: Expr, of: Differentials) -> Outcome:
    return None, _d(expr, of)


def _add(expr: Expr, of: Differentials) -> Outcome:
    return None, addition([_broadcast(_d(arg, of), expr.type) for arg in expr.args if varies(arg, of)])


def _broadcast(expr: Expr, type: Type | None) -> Expr:
    """A number in a sum of arrays stands for an array: mean(x) is mean(x)*ones."""
    if type is None or expr.kind != SCALAR or type.kind not in (VECTOR, MATRIX):
        return expr
    return times(expr, ones(type))


def _neg(expr: Expr, of: Differentials) -> Outcome:
    return None, negative(_d(expr.args[0], of))


def _transpose(expr: Expr, of: Differentials) -> Outcome:
    return None, transposed(_d(expr.args[0], of))


def _each(expr: Expr, of: Differentials) -> Outcome:
    """An operation that is linear in each of its arguments."""
    places = [k for k, arg in enumerate(expr.args) if varies(arg, of)]
    terms = [expr.replace(args=(*expr.args[:k], _d(expr.args[k], of), *expr.args[k + 1 :])) for k in places]
    return (PRODUCT if len(places) > 1 else None), addition(terms)


def _stack(expr: Expr, of: Differentials) -> Outcome:
    return None, expr.replace(args=tuple(_d(a, of) if varies(a, of) else _zero(a) for a in expr.args))


def _zero(expr: Expr) -> Expr:
    return widened(number(0), expr.type)


def _product(expr: Expr, of: Differentials) -> Outcome:
    pairs = list(zip(("*", *expr.value), expr.args, strict=True))
    quotient = _quotient(pairs, of)
    if quotient is not None:
        return QUOTIENT, quotient
    terms, divides = [], False
    for k, (operator, factor) in enumerate(pairs):
        if not varies(factor, of):
            continue
        if operator in ("/", "./"):
            divides = True
            multiply = "*" if operator == "/" or factor.kind == SCALAR else ".*"
            changed = [(multiply, _d(factor, of)), (operator, power(factor, Fraction(2)))]
            terms.append(negative(product(_without_one([*pairs[:k], *changed, *pairs[k + 1 :]]))))
        else:
            terms.append(product([*pairs[:k], (operator, _d(factor, of)), *pairs[k + 1 :]]))
    law = QUOTIENT if divides else PRODUCT if len(terms) > 1 else None
    return law, addition(terms)


def _quotient(pairs: list[tuple[str, Expr]], of: Differentials) -> Expr | None:
    """d(u)/v - u*d(v)/v^2, where u is a product whose differential is still to be taken."""
    above = [(o, f) for o, f in pairs if o not in ("/", "./")]
    below = [(o, f) for o, f in pairs if o in ("/", "./")]
    if len(below) != 1 or len(above) < 2 or below[0][0] != "/" or not varies(below[0][1], of):
        return None
    bottom = below[0][1]
    if not any(varies(f, of) for _, f in above):
        return None
    top = product(above)
    first = product([("*", _d(top, of)), ("/", bottom)])
    second = product([*above, ("*", _d(bottom, of)), ("/", power(bottom, Fraction(2)))])
    return addition([first, negative(second)])


def _without_one(pairs: list[tuple[str, Expr]]) -> list[tuple[str, Expr]]:
    first = pairs[0][1]
    return pairs[1:] if first.op == "number" and first.value == 1 and pairs[1][0] in ("*", ".*") else pairs


def squared_norm(expr: Expr) -> Expr | None:
    """The argument u of ``norm2(u)^2``."""
    if expr.op != "power" or expr.args[1].op != "number" or expr.args[1].value != 2:
        return None
    base = expr.args[0]
    norm = base.op == "call" and base.value.name in ("norm2", "normF") and base.value.dim is None
    return base.args[0] if norm and base.args[0].kind != SCALAR else None


def _power(expr: Expr, of: Differentials) -> Outcome:
    inside = squared_norm(expr)
    if inside is not None:
        law = SQUARED_FROBENIUS if inside.kind == MATRIX else SQUARED_NORM
        return law, times(number(2), _inner(inside, _d(inside, of)))
    base, exponent = expr.args
    if is_symbolic_power(expr):
        raise NotSupported(
            "a derivation has no rule for a power of a matrix with a symbolic exponent, but in tr, det and logdet",
            hint="a literal exponent, such as X^3",
        )
    if expr.value == "^" and base.kind == MATRIX:
        return _matrix_power(base, exponent, of)
    terms = []
    law = EXPONENT if varies(exponent, of) else POWER
    if varies(base, of):
        below = _one_less(base, exponent, expr)
        terms.append(had(had(exponent, "*", below) if exponent.kind == SCALAR else
                         had(below, "*", exponent), "*", _d(base, of)))  # fmt: skip
    if varies(exponent, of):
        log = call("log", base, type=base.type or SCALAR_TYPE)
        terms.append(had(had(log, "*", expr), "*", _d(exponent, of)))
    return law, addition(terms)


def _one_less(base: Expr, exponent: Expr, whole: Expr) -> Expr:
    value = exponent.args[0].value * -1 if exponent.op == "neg" and exponent.args[0].op == "number" else None
    value = exponent.value if exponent.op == "number" else value
    if value is not None:
        return power(base, Fraction(value) - 1) if value != 2 else base
    return whole.replace(args=(base, addition([exponent, number(-1)])))


def _inner(u: Expr, v: Expr) -> Expr:
    """⟨u, v⟩: u'*v, or tr(U'*V) for matrices."""
    if u.kind == MATRIX:
        return call("tr", times(transposed(u), v), type=SCALAR_TYPE)
    return times(transposed(u), v) if u.kind == VECTOR else times(u, transposed(v))


def _matrix_power(base: Expr, exponent: Expr, of: Differentials) -> Outcome:
    value = exponent.value if exponent.op == "number" else -exponent.args[0].value
    count = abs(int(value))
    inverse = call("inv", base, type=base.type or SCALAR_TYPE)
    if value == -1:
        return differential(inverse, of)
    step = base if value > 0 else inverse
    change = _d(base, of) if value > 0 else pending(inverse)

    def of_order(k: int) -> list[Expr]:
        if k < 2:
            return [step] * k
        return [Expr("power", (step, number(k)), "^", type=base.type)]

    terms = [times(*of_order(k), change, *of_order(count - 1 - k)) for k in range(count)]
    return _matrix_power_law(value), addition(terms)


def _matrix_power_law(value: Fraction) -> Law:
    """The product rule for X^k: each factor changes in its place."""
    count = abs(int(value))
    inverse = "inv(U)" if value < 0 else "U"

    def of_order(k: int) -> list[str]:
        return [inverse] if k == 1 else [f"{inverse}^{k}"] if k else []

    terms = ["*".join([*of_order(k), f"d({inverse})", *of_order(count - 1 - k)]) for k in range(count)]
    law = f"d(U^{int(value)}) = " + (" + ".join(terms) if count < 5 else f"{terms[0]} + {terms[1]} + …")
    return Law("power of a matrix", law, "the product rule: factors keep their places")


def _call(expr: Expr, of: Differentials) -> Outcome:
    entry = card(expr.value.name)
    if entry is None:
        slope = expr.replace(value=Call(expr.value.name, None, expr.value.primes + 1))
        return CHAIN, had(slope, "*", _d(expr.args[0], of))
    found = of_power(expr, lambda part: varies(part, of), lambda part: _d(part, of))
    if found is not None:
        return found
    if len(expr.args) == 2 and entry.name in ("max", "min"):
        return _of_two(entry, expr, of)
    if entry.of_pairs:
        return _of_pair(entry, expr, of)
    if entry.family == "structural" and entry.name != "kron" and expr.args[0].kind != SCALAR:
        return None, expr.replace(args=(_d(expr.args[0], of), *expr.args[1:]))
    if entry.name in ("kron", "vector", "matrix"):
        return _each(expr, of)
    if entry.family in ("structural", "matrix") and expr.args[0].kind == SCALAR:
        return _of_scalar(entry, expr.args[0], of)
    if entry.family == "defined" and expr.args[0].kind != SCALAR:
        return _defined(entry, expr, of)
    return _from_card(entry, expr, of)


def _from_card(entry: Card, expr: Expr, of: Differentials) -> Outcome:
    u = expr.args[0]
    du = _d(u, of)
    reason = entry.because + (f" ({entry.source})" if entry.source else "")
    if entry.family == "elementwise" and entry.derivative:
        slope = entry.derivative
        text = f"d({entry.name}(x)) = " + (f"({slope})" if " " in slope else slope) + "*d(x)"
        return Law(f"derivative of {entry.name}", text, reason), _scaled(along(slope, {"x": u}), du)
    if entry.family == "matrix":
        text = f"d({entry.name}(X)) = " + entry.differential.replace("dX", "d(X)")
        return Law(f"differential of {entry.name}", text, reason), of_matrices(entry.differential, {"X": u, "dX": du})
    if entry.family == "reduction" and u.kind != SCALAR:
        text = f"d({entry.name}(x)) = " + entry.differential.replace("dx", "d(x)")
        law = Law(f"differential of {entry.name}", text, reason)
        if u.kind == MATRIX or expr.value.dim is None:
            return law, along(entry.differential, {"x": u, "dx": du}, expr.value.dim)
    if entry.family == "reduction" and u.kind == SCALAR:
        return _of_scalar(entry, u, of)
    if entry.definition:
        return Law(f"definition of {entry.name}", f"{entry.name}(x) = {entry.definition}", reason), pending(
            along(entry.definition, {"x": u}, expr.value.dim)
        )
    raise NotSupported(f"{entry.name} has no differential")


def _scaled(slope: Expr, du: Expr) -> Expr:
    """slope .* du, written as a quotient where the slope is 1/v."""
    if slope.op == "product" and slope.args[0].op == "number" and set(slope.value) <= {"/", "./"}:
        top = times(slope.args[0], du) if slope.args[0].value != 1 else du
        return product([("*", top), *zip(slope.value, slope.args[1:], strict=True)])
    if slope.op == "number":
        return times(slope, du)
    return had(slope, "*", du)


def _defined(entry: Card, expr: Expr, of: Differentials) -> Outcome:
    u = expr.args[0]
    if entry.name == "mean":
        return None, expr.replace(args=(_d(u, of),))
    if entry.name in ("norm2", "normF") and expr.value.dim is None:
        return NORM, product([("*", _inner(u, _d(u, of))), ("/", expr)])
    law = Law(f"definition of {entry.name}", f"{entry.name}(x) = {entry.definition}", entry.because)
    return law, pending(along(entry.definition, {"x": u}, expr.value.dim))


def _of_two(entry: Card, expr: Expr, of: Differentials) -> Outcome:
    """max(x, y) = y + relu(x - y), and min(x, y) = y - relu(y - x)."""
    x, y = (widened(arg, expr.type) for arg in compared(expr))
    big = entry.name == "max"
    gap = addition([x, negative(y)] if big else [y, negative(x)])
    relu = call("relu", gap, type=expr.type or SCALAR_TYPE)
    law = "max(x, y) = y + relu(x - y)" if big else "min(x, y) = y - relu(y - x)"
    return Law(f"{entry.name} of two", law, "both sides are equal in either case"), pending(
        addition([y, relu if big else negative(relu)])
    )


def _of_pair(entry: Card, expr: Expr, of: Differentials) -> Outcome:
    """d(f(u, v)) = f_u(u, v).*d(u) + f_v(u, v).*d(v), or what f is defined as."""
    given = dict(zip(entry.arguments, expr.args, strict=True))
    signature = f"{entry.name}({', '.join(entry.arguments)})"
    if entry.definition:
        law = Law(f"definition of {entry.name}", f"{signature} = {entry.definition}", entry.because)
        return law, pending(along(entry.definition, given))
    slopes = [(name, slope) for name, slope in zip(entry.arguments, entry.partials, strict=True) if slope]
    text = f"d({signature}) = " + " + ".join(f"({slope})*d({name})" for name, slope in slopes)
    terms = [
        _broadcast(_scaled(along(slope, given), _d(given[name], of)), expr.type)
        for name, slope in slopes
        if varies(given[name], of)
    ]
    return Law(f"derivative of {entry.name}", text, entry.because), addition(terms)


def _of_scalar(entry: Card, u: Expr, of: Differentials) -> Outcome:
    """inv, det, tr … of a scalar, taken as a 1×1 matrix, and max, softmax … of a single entry: what the card says."""
    if "of a scalar" not in entry.facts:
        raise NotSupported(f"{entry.name} of a scalar has no law", hint=f"{entry.name} of a matrix or a vector")
    value = along(entry.facts["of a scalar"], {"x": u})
    return None, _d(value, of) if varies(value, of) else number(0)


_RULES: dict[str, Callable[[Expr, Differentials], Outcome]] = {
    "name": _name,
    "add": _add,
    "neg": _neg,
    "transpose": _transpose,
    "product": _product,
    "power": _power,
    "call": _call,
    "index": _each,
    "stack": _stack,
    "einsum": _each,
}
