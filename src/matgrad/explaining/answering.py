"""The last lines: the derivative read off, in the names of the derivation, then as ``derive`` gives it."""

from __future__ import annotations

import re

from matgrad.errors import NotSupported
from matgrad.explaining.bridging import bridged, rearranged
from matgrad.explaining.lettering import fitted
from matgrad.explaining.lines import ANSWER, Law, Line
from matgrad.explaining.setting import Setting
from matgrad.explaining.trees import replaced, tidied
from matgrad.formula.syntax import MATRIX, SCALAR, VECTOR, Expr, walk
from matgrad.formula.text import to_text
from matgrad.formula.unicode import to_unicode
from matgrad.translate.algebra import cost

IN_ONE = 40
"""The cost of printing up to which names are put back in the line that reads the derivative off."""
LONGEST = 80
"""The cost of printing above which the names of the derivation stay in its last line."""
_THEOREM = "first identification theorem, Magnus & Neudecker 2019, ch. 5"
_READ = {
    VECTOR: Law("read off the gradient", "d(f) = g'*d(x)", f"for every dx, so g is the gradient ({_THEOREM})"),
    MATRIX: Law("read off the gradient", "d(f) = tr(G'*d(x))", f"for every dX, so G is the gradient ({_THEOREM})"),
    SCALAR: Law("read off the derivative", "d(f) = a*d(x)", "for every differential, so a is the derivative"),
    "jacobian": Law("read off the Jacobian", "d(f) = J*d(x)", f"for every dx, so J is the Jacobian ({_THEOREM})"),
}
_OF_SPACE = {
    "symmetric": Law(
        "read off the gradient, a symmetric matrix", "d(f) = tr(G*d(x))", f"for every symmetric dX, G' = G ({_THEOREM})"
    ),
    "diagonal": Law(
        "read off the gradient, a diagonal matrix", "tr(G*d(x)) = tr(diag(diag(G))*d(x))", "off the diagonal dX is 0"
    ),
    "lower": Law(
        "read off the gradient, lower triangular", "tr(G'*d(x)) = tr(tril(G)'*d(x))", "above the diagonal dX is 0"
    ),
    "upper": Law(
        "read off the gradient, upper triangular", "tr(G'*d(x)) = tr(triu(G)'*d(x))", "below the diagonal dX is 0"
    ),
}


def read_law(s: Setting, kind: str, space: str | None = None) -> Law:
    """The law that reads the derivative off, in the names of the formula."""
    law = _READ[kind] if space is None else _OF_SPACE[space]
    taken = {s.wrt, s.function, *s.formula.typed.variables, *(name for name, _ in s.program.definitions)}
    law = fitted(law, taken - {"d", "f", "x"})
    text = re.sub(r"\bx\b", s.wrt, re.sub(r"\bf\b", s.function, law.law))
    return law._replace(law=text, instance=True)


def answers(s: Setting, left: Expr, found: Expr, law: Law, before: Expr, *, projected: bool = True) -> list[Line]:
    """From what was read off to what ``derive`` gives."""
    lines: list[Line] = []

    def put(right: Expr, law: Law, before: Expr | None = None) -> None:
        where = ((),) if before is not None else ()
        lines.append(Line(ANSWER, left, right, law, before, where, bool(lines)))

    final, values = _final(s)
    tidy = _tidy(s, before, projected=projected)
    whole = put_back(found, values)
    if tidy is not None and rearranged(found, tidy) and (cost(tidy) < cost(found) or rearranged(whole, final)):
        found = tidy
    in_head = rearranged(whole, final) and 4 * cost(final) >= 3 * cost(
        whole
    )  # else like terms cancel: a line of its own
    if in_head and cost(final) <= IN_ONE and not _has_signal(found):
        put(final, law)
        return lines
    put(found, law)
    if tidy is not None and not rearranged(found, tidy) and cost(tidy) <= cost(found):
        for line in bridged(found, tidy, s.simplifier, s.coefficients.node):
            put(line.after, line.law, found)
            found = line.after
        whole = put_back(found, values)
    if _keeps_names(found, whole, final):
        signals = {name: value for name, value in values.items() if _is_signal(name)}
        used = _used(found, signals)
        shown = put_back(found, signals) if used else found
        if cost(shown) <= LONGEST and _used(shown, values):
            if shown != found:
                put(shown, _put_back(used, signals), found)
            found = shown
        kept = ", ".join(dict.fromkeys(to_unicode(n) for n in walk(found) if n.op == "name" and n.value in values))
        if kept or cost(final) > max(LONGEST, cost(found)):
            lines[-1] = lines[-1]._replace(remark=f"{kept} as above" if kept else "")
            return lines
    if to_unicode(found) == to_unicode(final):
        return lines
    if rearranged(whole, final) and 4 * cost(final) >= 3 * cost(whole):
        whole = final
    if to_unicode(whole) != to_unicode(found):
        used = _used(found, values)
        if used:
            put(whole, _put_back(used, values), found)
    for line in bridged(whole, final, s.simplifier, s.coefficients.node):
        put(line.after, line.law, whole)
    return lines


def _final(s: Setting) -> tuple[Expr, dict[str, Expr]]:
    """What the last line is to be, and the values of the names that it does not use."""
    final = s.coefficients.final(s.answer.short_expr)
    values = dict(s.program.definitions)
    if cost(final) <= 90 and cost(s.answer.expr) <= 90:
        final = s.coefficients.final(s.answer.expr)
    else:
        for name, _ in s.formula.program.definitions:
            values.pop(name, None)
    return final, values


def _keeps_names(found: Expr, whole: Expr, final: Expr) -> bool:
    """Whether the names of the derivation are better than what ``derive`` gives: that is long, or takes more laws."""
    if cost(final) > max(LONGEST, cost(found)):
        return True
    return (
        cost(final) > max(IN_ONE, cost(found)) and 4 * cost(final) >= 3 * cost(whole) and not rearranged(whole, final)
    )


def _tidy(s: Setting, current: Expr, *, projected: bool) -> Expr | None:
    try:
        return s.coefficients.formula(s.coefficients.coefficient(current, s.of[s.wrt], projected=projected))
    except NotSupported:
        return None


def put_back(expr: Expr, values: dict[str, Expr]) -> Expr:
    """The formula with the names' values, and those of the names in them."""
    for name in reversed(values):
        expr = replaced(expr, {name: values[name]})
    return tidied(expr)


def _used(expr: Expr, values: dict[str, Expr]) -> list[str]:
    """The names in a formula that have values, and those in their values, outer ones first."""
    wanted = {n.value for n in walk(expr) if n.op == "name"}
    found = []
    for name in reversed(values):
        if name in wanted:
            found.append(name)
            wanted |= {n.value for n in walk(values[name]) if n.op == "name"}
    return found


def _put_back(used: list[str], values: dict[str, Expr]) -> Law:
    if len(used) == 1:
        (name,) = used
        shown = to_unicode(Expr("name", value=name, type=values[name].type))
        text = f"{name} = {to_text(values[name])}" if cost(values[name]) < 30 else ""
        return Law(f"put {shown} back", text, "the value of the name", instance=True)
    words = [to_unicode(Expr("name", value=name, type=values[name].type)) for name in used]
    return Law(f"put {', '.join(words[:-1])} and {words[-1]} back", "", "the values of the names")


def _has_signal(expr: Expr) -> bool:
    return any(n.op == "name" and _is_signal(n.value) for n in walk(expr))


def _is_signal(name: str) -> bool:
    return name.lower().startswith("delta")
