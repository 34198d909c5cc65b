"""Closed forms made of a formula's derivatives: products and inverses of them, read as formulas and simplified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from matgrad.analysis.setting import Setting
from matgrad.answer.derivative import Derivative
from matgrad.answer.differentiation import variable_of
from matgrad.answer.formula import Formula
from matgrad.dims import Dim
from matgrad.errors import MatgradError, NotSupported
from matgrad.formula.declarations import FUNCTION, Declaration
from matgrad.formula.syntax import Expr, Type, walk
from matgrad.translate.algebra import cost, of_order, power, times, transposed

_TWO = Fraction(2)


def simplified(formula: Formula, expr: Expr, more: Mapping[str, Declaration] | None = None) -> Formula:
    """A formula of this tree, in normal form; ``more`` declares names that the formula does not have."""
    made = formula_of(formula, expr, more)
    found = made.recovery.formula(made.node)
    return _written_as(formula, Formula(made.print(found), made.where, made.typed, expr.type))


def shortest(formula: Formula, expr: Expr, more: Mapping[str, Declaration] | None = None) -> Formula:
    """A formula of this tree as it is, or simplified if that is no longer."""
    plain = formula_of(formula, expr, more)
    normal = simplified(formula, expr, more)
    return normal if cost(normal.program.body) <= cost(plain.program.body) else plain


def formula_of(formula: Formula, expr: Expr, more: Mapping[str, Declaration] | None = None) -> Formula:
    """A formula of this tree, with the names of the first one and their sizes as its context."""
    names = {e.value for e in walk(expr) if e.op == "name"}
    where = {name: declared for name, declared in (more or {}).items() if name in names}
    made = Formula(formula.print(expr), where, formula.typed, expr.type)
    return _written_as(formula, made)


def _written_as(formula: Formula, made: Formula) -> Formula:
    """With numbers written as in the formula."""
    made.decimals = formula.decimals
    return made


def declarations(formula: Formula) -> dict[str, Declaration]:
    """All that is known of a formula's names."""
    typed = formula.typed
    known = {name: Declaration(v.type.kind, v.type.dims, frozenset(v.traits)) for name, v in typed.variables.items()}
    return known | dict.fromkeys(typed.functions, Declaration(FUNCTION))


def square(formula: Formula, unknown: Sequence[str]) -> Formula:
    """The formula with the sizes of its value taken for those of the unknown, where names of sizes allow it.

    >>> square(Formula("A*y - b"), ["y"]).variables
    {'A': 'matrix(n, n)', 'y': 'vector(n)', 'b': 'vector(n)'}
    """
    if len(unknown) != 1:
        return formula
    wanted = variable_of(formula, unknown[0]).shape
    if len(wanted) != len(formula.node.shape):
        return formula
    same: dict[str, Dim] = {}
    for mine, yours in zip(formula.node.shape, wanted, strict=True):
        name, value = (mine, yours) if str(mine) in mine.names else (yours, mine)
        if name != value and str(name) in name.names and str(name) not in value.names:
            same[str(name)] = value
    if not same:
        return formula
    where: dict[str, str | Declaration] = {
        name: Declaration(d.kind, d.dims and tuple(dim.replaced(same) for dim in d.dims), d.traits)
        for name, d in declarations(formula).items()
    }
    try:
        return Formula(formula.text, where)
    except MatgradError:  # the size is a name in the formula itself
        return formula


def covariance_text(setting: Setting) -> str:
    """J Σ Jᵀ over variables that are scalars or vectors, each with a covariance of its own, of a scalar or a vector."""
    terms = [_spread(setting, name, d) for name, d in setting.derivatives.items()]
    return " + ".join(simplified(setting.formula, term, more).text for term, more in terms)


def _spread(setting: Setting, name: str, d: Derivative) -> tuple[Expr, dict[str, Declaration]]:
    formula = setting.formula
    outputs, dims = len(formula.node.shape), formula.typed.variables[name].type.dims
    if outputs > 1 or len(dims) > 1:
        raise NotSupported("of matrices the covariance has more than two axes")
    slope = d.expr
    if not dims:
        spread = Expr("name", value=fresh(f"var_{name}", formula), type=Type("scalar", ()))
        square = power(slope, _TWO) if not outputs else times(slope, transposed(slope))
        return times(square, spread), {spread.value: Declaration("scalar", (), frozenset({"nonnegative"}))}
    spread = Expr("name", value=fresh(f"Sigma_{name}", formula), type=of_order((*dims, *dims)))
    middle = times(transposed(slope), spread, slope) if not outputs else times(slope, spread, transposed(slope))
    return middle, {spread.value: Declaration("matrix", (*dims, *dims), frozenset({"psd", "symmetric"}))}


def fresh(name: str, formula: Formula) -> str:
    """The name, or one like it that the formula does not have."""
    while name in {*formula.typed.variables, *formula.intermediates, *formula.typed.dimensions}:
        name += "_"
    return name
