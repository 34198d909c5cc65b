"""Higher derivatives: the derivative before as a function of its own, and its differential; d²f = dx'*H*dx."""

from __future__ import annotations

from matgrad.answer.derivative import Derivative
from matgrad.errors import NotSupported
from matgrad.explaining.differential import Pass, in_own_letters, opening
from matgrad.explaining.lines import ANSWER, LET, STEP, Law, Line
from matgrad.explaining.setting import Setting
from matgrad.explaining.trees import named
from matgrad.explaining.vectorising import vec
from matgrad.formula.syntax import MATRIX, SCALAR, SCALAR_TYPE, TENSOR, VECTOR, Expr, Program
from matgrad.formula.unicode import to_unicode
from matgrad.translate.algebra import call, number, power, times, transposed

_SECOND = Law("second differential, dx is constant", "d(g'*d(x)) = d(x)'*d(g)", "the differential does not depend on x")
_SECOND_TRACE = Law(
    "second differential, dx is constant", "d(tr(G'*d(x))) = tr(d(G)'*d(x))", "the differential does not depend on x"
)
_SECOND_NUMBER = Law(
    "second differential, dx is constant", "d(a*d(x)) = d(a)*d(x)", "the differential does not depend on x"
)
_INNER = Law("an inner product of matrices", "tr(U'*V) = vec(V)'*vec(U)", "both add up U[i,j]*V[i,j]")
_MATRIX = Law("abbreviation", "", "the matrix in the differential of the gradient")
SCHWARZ = Law(
    "Schwarz: mixed second derivatives are equal", "H' = H",
    "f is twice continuously differentiable, so the order of differentiation does not matter", instance=True,
)  # fmt: skip
_READ = Law(
    "read off the Hessian", "d(d(f)) = d(x)'*H*d(x)", "for every dx, with H' = H (second identification theorem)"
)
_READ_VEC = Law(
    "read off the Hessian",
    "d(d(f)) = vec(d(x))'*H*vec(d(x))",
    "for every dX, with H' = H (second identification theorem)",
)
_READ_NUMBER = Law("read off the second derivative", "d(d(f)) = a*d(x)^2", "for every differential")


def next_setting(before: Setting, answer: Derivative) -> Setting:
    """The derivative before as a function of its own, in the names of its derivation."""
    last = before.answer.short_expr
    if last.kind == TENSOR or last.op == "einsum":
        raise NotSupported(
            f"a derivation of order {answer.order} would start from a derivative of {len(last.dims)} axes",
            hint=f"order={answer.order - 1}, or derive, for the answer alone",
        )
    program = Program(before.formula.program.definitions, last)
    typed = before.formula.typed
    taken = {*typed.variables, *typed.intermediates, *typed.functions, *before.of, *before.functions}
    letters = ("G", "J", "Γ", "G_") if last.kind == MATRIX else ("g", "h", "j", "γ", "g_")
    function = next(c for c in letters if c not in taken and "d" + c not in taken)
    return Setting(answer, program, function, before)


def next_lines(setting: Setting) -> list[Line]:
    """From the derivative before to the next one."""
    assert setting.first is not None
    start, *names = opening(setting)
    over = Pass(setting)
    found = over.run()
    place = next(k for k, line in enumerate(found) if line.part == ANSWER)
    hessian = setting.answer.order == 2 and setting.first.body.kind == SCALAR
    which = "gradient" if hessian and setting.body.kind != SCALAR else "derivative"
    lines = [start._replace(remark=f"the {which}, as a function of its own"), *names, *found[:place]]
    if hessian:
        lines += _second_differential(setting, over.matrix)
    rest = found[place:]
    if hessian and over.matrix is not None:
        kind = setting.type_of(setting.wrt).kind
        law = _about(setting, {SCALAR: _READ_NUMBER, VECTOR: _READ}.get(kind, _READ_VEC))
        if kind == MATRIX and setting.hessian is not None:
            rest = [Line(ANSWER, named(setting.vec_name, over.matrix.type), setting.hessian, law), *rest]
        else:
            rest[0] = rest[0]._replace(law=law)
    return in_own_letters(setting, lines + rest)


def _about(setting: Setting, law: Law) -> Law:
    """The law in the names of the formula."""
    assert setting.first is not None
    text = law.law.replace("(f)", f"({setting.first.function})").replace("(x)", f"({setting.wrt})")
    text = text.replace("(g'", f"({setting.function}'").replace("(g)", f"({setting.function})")
    text = text.replace("(G'", f"({setting.function}'").replace("(G)", f"({setting.function})")
    if setting.hessian is not None:
        text = text.replace("H", setting.hessian.value)
    rule = law.rule.replace("dx", "d" + to_unicode(setting.name(setting.wrt)))
    return law._replace(rule=rule, law=text, instance=True)


def _second_differential(setting: Setting, matrix: Expr | None) -> list[Line]:
    """The lines from df = g'*dx to d²f = dx'*H*dx, with H' = H."""
    dx, dg = setting.differential_of(setting.wrt), setting.df
    assert setting.first is not None and dx.type is not None
    d2f = named("d2" + setting.first.function, SCALAR_TYPE)
    if dx.kind == SCALAR:
        lines = [Line(STEP, d2f, times(dg, dx), _about(setting, _SECOND_NUMBER))]
        if matrix is not None:
            square = times(matrix, power(dx, number(2).value))
            lines.append(Line(STEP, d2f, square, _substituted(setting), times(dg, dx), ((0,),), True, main=False))
        return lines
    if dx.kind == VECTOR:
        inner = times(transposed(dx), dg)
        lines = [Line(STEP, d2f, inner, _about(setting, _SECOND))]
    else:
        trace = call("tr", times(transposed(dg), dx), type=SCALAR_TYPE)
        lines = [Line(STEP, d2f, trace, _about(setting, _SECOND_TRACE))]
        if matrix is None:
            return lines
        inner = times(transposed(vec(dx)), vec(dg))
        lines.append(Line(STEP, d2f, inner, _INNER, trace, ((),), True, main=False))
    if matrix is None:
        return lines
    name = setting.name_hessian(matrix)
    form = times(inner.args[0], name, vec(dx))
    return [
        Line(LET, name, matrix, _MATRIX),
        *lines,
        Line(STEP, d2f, form, _substituted(setting), inner, ((1,),), True),
        Line(STEP, transposed(name), name, SCHWARZ._replace(law=f"{name.value}' = {name.value}"), main=True),
    ]


def _substituted(setting: Setting) -> Law:
    shown = to_unicode(named(setting.function, setting.body.type))
    return Law(f"substitute d{shown}", "", "the differential just found")
