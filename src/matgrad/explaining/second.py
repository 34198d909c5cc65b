"""The second pass: the differential of the gradient gives the Hessian, d²f = dx'*H*dx."""

from __future__ import annotations

from matgrad.answer.derivative import Derivative
from matgrad.explaining.differential import Pass, opening
from matgrad.explaining.lines import ANSWER, STEP, Law, Line
from matgrad.explaining.setting import Setting
from matgrad.explaining.trees import named
from matgrad.formula.syntax import MATRIX, SCALAR, SCALAR_TYPE, VECTOR, Program, Type
from matgrad.translate.algebra import call, times, transposed

_SECOND = Law(
    "the second differential, with dx constant", "d(g'*d(x)) = d(g)'*d(x)", "dx does not depend on x, so d(dx) = 0"
)
SCHWARZ = "the second derivatives are continuous, so their order does not matter (Schwarz)"
_READ = Law("read off the Hessian", "d(g) = H*d(x)", f"for every dx; H is symmetric: {SCHWARZ}")
_READ_SCALAR = Law("read off the second derivative", "d(g) = a*d(t)", "for every dt")
_READ_ENTRIES = Law("read off entry by entry", "", f"the entry [i,j,k,l] is ∂²f/∂X[i,j]∂X[k,l]: {SCHWARZ}")
_INSERT = Law("insert dg = H dx, with H symmetric", "(H*v)'*v = v'*H*v", SCHWARZ)
_SYMMETRIC = Law("the Hessian is symmetric", "H' = H", SCHWARZ)


def second_setting(first: Setting, answer: Derivative) -> Setting:
    """The gradient as a function of its own, in the names of the first pass."""
    gradient = first.answer.short_expr
    program = Program(first.formula.program.definitions, gradient)
    typed = first.formula.typed
    taken = {*typed.variables, *typed.intermediates, *typed.functions, *first.of}
    function = next(c for c in ("g", "G", "γ", "Γ", "g_") if c not in taken and "d" + c not in taken)
    return Setting(answer, program, function, first)


def second_lines(setting: Setting) -> list[Line]:
    """From g = ∇f to the Hessian."""
    assert setting.first is not None
    found = Pass(setting).run()
    place = next(k for k, line in enumerate(found) if line.part == ANSWER)
    dx, dg = setting.differential_of(setting.wrt), setting.df
    d2f = named("d2" + setting.first.function, SCALAR_TYPE)
    law = _READ_ENTRIES
    between = []
    if dx.kind == VECTOR:
        assert dx.type is not None
        hessian = named(setting.gradient_name, Type(MATRIX, dx.dims * 2))
        between = [Line(STEP, d2f, times(transposed(dg), dx), _SECOND),
                   Line(STEP, d2f, times(transposed(dx), hessian, dx), _INSERT, times(transposed(dg), dx), ((),),
                        continues=True),
                   Line(STEP, transposed(hessian), hessian, _SYMMETRIC, main=False)]  # fmt: skip
        law = _READ
    elif dx.kind == MATRIX:
        right = call("tr", times(transposed(dg), dx), type=SCALAR_TYPE)
        between = [Line(STEP, d2f, right, _SECOND)]
    elif dx.kind == SCALAR:
        law = _READ_SCALAR
    answers = [line._replace(law=law if k == 0 else line.law) for k, line in enumerate(found[place:])]
    first, *names = opening(setting)
    start = first._replace(remark="the gradient, as a function of its own")
    return [start, *names, *found[:place], *between, *answers]
