"""The public functions: each takes text or an object, and gives an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, overload

from matgrad.answer.compiled import Compiled, Items
from matgrad.answer.derivative import Derivative
from matgrad.answer.deriving import derivative_in, derivative_of
from matgrad.answer.formula import Formula
from matgrad.answer.question import asked_of
from matgrad.errors import MatgradError, NotScalar, NotSupported
from matgrad.formula.declarations import Where, parse_declarations
from matgrad.objects.asking import Name, Text, is_one, names, text_and_declarations
from matgrad.objects.names import written
from matgrad.objects.value import Value

if TYPE_CHECKING:
    from matgrad.diagnosing.verdict import Verdict
    from matgrad.explaining.derivation import Derivation

Names = list[str] | tuple[str, ...] | list[Value] | tuple[Value, ...] | list[str | Value]


@overload
def derive(
    formula: Text,
    wrt: Name | None = None,
    *,
    where: Where = None,
    order: int = 1,
    layout: str = "mixed",
    symmetric: str = "projected",
    riemannian: bool = False,
) -> Derivative: ...
@overload
def derive(
    formula: Text,
    wrt: Names,
    *,
    where: Where = None,
    order: int = 1,
    layout: str = "mixed",
    symmetric: str = "projected",
    riemannian: bool = False,
) -> dict[str, Derivative]: ...
def derive(
    formula: Text,
    wrt: Name | Names | None = None,
    *,
    where: Where = None,
    order: int = 1,
    layout: str = "mixed",
    symmetric: str = "projected",
    riemannian: bool = False,
) -> Derivative | dict[str, Derivative]:
    r"""The derivative of a formula in a variable or a named intermediate, in closed matrix notation.

    A scalar's derivative has the variable's shape; otherwise output axes come first, then variable axes
    (``layout="mixed"``; or ``"numerator"``, ``"denominator"``, ``"vec"``). A sequence of names gives a mapping.
    ``riemannian`` asks for the Riemannian gradient in a variable that is declared orthogonal or spd; the conditions
    name its metric. A formula read from LaTeX that begins with a ∇ or ∂ says itself what to differentiate in. Raises
    MatgradError for what cannot be read, typed or derived.

    >>> derive("norm2(A*x - b)^2", "x").text
    "2*A'*(A*x - b)"
    >>> derive("tr(A*X*B*X')", "X").text
    "A*X*B + A'*X*B'"
    >>> {name: d.text for name, d in derive("a'*x", ["a", "x"]).items()}
    {'a': 'x', 'x': 'a'}
    >>> derive("tr(A*O)", "O", where="O: orthogonal(n)", riemannian=True).text
    "0.5*(A' - O*A*O)"
    >>> derive(parse_latex(r"\nabla_{\mathbf{x}} \, \mathbf{x}^\top \mathbf{A} \mathbf{x}")).text
    "(A + A')*x"
    """
    asked = asked_of(formula, wrt, where, order)
    if asked.mixed:
        return derivative_in(asked.formula, asked.wrt, layout, symmetric, riemannian)
    found = derivative_of(asked.formula, asked.wrt, None, asked.order, layout, symmetric, riemannian)
    return found[0] if wrt is None or is_one(wrt) else dict(zip(asked.wrt, found, strict=True))


@overload
def gradient(
    formula: Text, wrt: Name, *, where: Where = None, symmetric: str = "projected", riemannian: bool = False
) -> Derivative: ...
@overload
def gradient(
    formula: Text, wrt: Names, *, where: Where = None, symmetric: str = "projected", riemannian: bool = False
) -> dict[str, Derivative]: ...
def gradient(
    formula: Text, wrt: Name | Names, *, where: Where = None, symmetric: str = "projected", riemannian: bool = False
) -> Derivative | dict[str, Derivative]:
    """All partial derivatives of a scalar formula, in the shape of ``wrt``: g[i, …] = ∂f/∂x[i, …].

    Raises NotScalar if the formula is a vector or matrix: use :func:`jacobian`.

    >>> gradient("x'*A*x", "x").text
    "(A + A')*x"
    """
    wanted = names(wrt)
    found = derivative_of(_of_order(1, formula, wrt, where), wanted, symmetric=symmetric, riemannian=riemannian)
    _require_scalar(found[0].formula, "gradient")
    return found[0] if is_one(wrt) else dict(zip(wanted, found, strict=True))


@overload
def jacobian(formula: Text, wrt: Name, *, where: Where = None, layout: str = "mixed") -> Derivative: ...
@overload
def jacobian(formula: Text, wrt: Names, *, where: Where = None, layout: str = "mixed") -> dict[str, Derivative]: ...
def jacobian(
    formula: Text, wrt: Name | Names, *, where: Where = None, layout: str = "mixed"
) -> Derivative | dict[str, Derivative]:
    """The Jacobian of a vector or matrix formula: J[i, …, j, …] = ∂f[i, …]/∂x[j, …].

    Raises NotScalar if the formula is a scalar: use :func:`gradient`.

    >>> jacobian("sin(A*x)", "x").text
    'diag(cos(A*x))*A'
    """
    wanted = names(wrt)
    found = derivative_of(_of_order(1, formula, wrt, where), wanted, layout=layout)
    if not found[0].formula.node.shape:
        raise NotScalar("the formula is a scalar: its derivative is a gradient", hint="matgrad.gradient(…)")
    return found[0] if is_one(wrt) else dict(zip(wanted, found, strict=True))


@overload
def hessian(formula: Text, wrt: Name, *, where: Where = None, symmetric: str = "projected") -> Derivative: ...
@overload
def hessian(
    formula: Text, wrt: Names, *, where: Where = None, symmetric: str = "projected"
) -> dict[tuple[str, str], Derivative]: ...
def hessian(
    formula: Text, wrt: Name | Names, *, where: Where = None, symmetric: str = "projected"
) -> Derivative | dict[tuple[str, str], Derivative]:
    """The second derivatives of a scalar formula; for several variables, a mapping from pairs to blocks.

    H[i, …, j, …] = ∂²f/∂x[i, …]∂y[j, …] is the block ("x", "y"). Raises NotScalar if the formula is not a scalar.

    >>> hessian("x'*A*x", "x").text
    "A + A'"
    >>> {pair: block.text for pair, block in hessian("a'*x", ["a", "x"]).items()}[("a", "x")]
    'eye'
    """
    wanted = names(wrt)
    first = derivative_of(_of_order(2, formula, wrt, where), wanted, symmetric=symmetric)
    _require_scalar(first[0].formula, "Hessian")
    if is_one(wrt):
        return first[0].derive(wanted[0])
    blocks: dict[tuple[str, str], Derivative] = {}
    for a, d in zip(wanted, first, strict=True):
        for b in wanted:
            mirror = blocks.get((b, a))
            blocks[a, b] = d.derive(b) if mirror is None else d.mirrored(mirror)
    return blocks


def explain(
    formula: Text,
    wrt: Name | Names | None = None,
    *,
    where: Where = None,
    order: int = 1,
    style: str = "differential",
    brief: bool = False,
    at: Mapping[str, Any] | None = None,
) -> Derivation:
    """The derivation of a derivative, one named law a line; every line is checked at random points.

    ``style`` is ``"differential"`` (take df, bring dx to the end, read off), ``"backward"`` (one signal a line, for
    one or several variables) or ``"components"`` (entry by entry). ``brief`` keeps main lines only; ``at`` gives
    arrays by name, with which each line shows its numbers. Raises MatgradError where the style does not fit.

    >>> print(explain("a'*x", "x"))
    f  = aᵀ x
    df = aᵀ dx     a is constant: d(uᵀ v + b) = uᵀ d(v)
    ∇f = a         read off the gradient: d(f) = gᵀ d(x)
    """
    from matgrad.explaining.styles import explained

    if at is not None and not (isinstance(at, Mapping) and all(isinstance(name, str) for name in at)):
        raise MatgradError(f"at is a mapping of names to values, not {_shortly(at)}", hint='at={"x": [1, 2]}')
    if not isinstance(brief, bool):
        raise MatgradError(f"brief is True or False, not {_shortly(brief)}", hint="brief=True, for main lines only")
    asked = asked_of(formula, wrt, where, order)
    if asked.mixed:
        raise NotSupported("a derivation is in one variable at a time", hint=f'explain(…, "{asked.wrt[0]}")')
    found = explained(asked.formula, asked.wrt, None, asked.order, style, at)
    return found.brief() if brief else found


def check_answer(
    formula: Text,
    wrt: Name | None,
    answer: Text | Derivative,
    *,
    where: Where = None,
    order: int = 1,
    layout: str = "mixed",
    symmetric: str = "projected",
) -> Verdict:
    """Whether ``answer`` is the derivative of ``formula`` in ``wrt``, and if not, what went wrong.

    The answer is text, LaTeX or an object, in any equivalent form. ``Verdict.correct`` is True, False, or None where
    it could not be decided; ``kind`` names the mistake, ``message`` explains it as a teacher would, ``correction`` is
    the right answer, and ``condition`` what makes a conditional answer right. ``wrt`` is None where a formula read
    from LaTeX says itself what to differentiate in. Raises MatgradError for what cannot be read.

    >>> verdict = check_answer("x'*A*x", "x", "2*A*x")
    >>> verdict.correct, verdict.kind, verdict.condition
    (False, 'only-valid-if-symmetric', 'A is symmetric')
    """
    from matgrad.diagnosing.answers import verdict_on

    asked = asked_of(formula, wrt, where, order)
    if asked.mixed:
        return verdict_on(derivative_in(asked.formula, asked.wrt, layout, symmetric), _answer_text(answer))
    return verdict_on(
        derivative_of(asked.formula, asked.wrt, None, asked.order, layout, symmetric)[0], _answer_text(answer)
    )


def check_gradient(
    function: Callable[..., Any], gradient: Any, at: Any, formula: Text | None = None, *, seed: int = 0
) -> Verdict:
    """Whether code that computes a gradient is right, and the pattern of its error if not.

    ``function`` and ``gradient`` take the arrays of ``at``: one array, a tuple of them, or a mapping of arguments by
    name; ``gradient`` may also be what it gives there. NumPy, JAX and PyTorch are understood. Compared with finite
    differences of a step that fits the precision at hand, and with the derivative of ``formula`` where there is one.
    A gradient that is None, not finite, or zero where the function changes is never right.

    >>> import numpy as np
    >>> print(check_gradient(lambda x: x @ x, lambda x: x, np.array([1.0, 2.0])).kind)
    constant-factor
    """
    from matgrad.diagnosing import gradients

    known = None if formula is None else asked_of(formula, (), None, 1).formula
    return gradients.check_gradient(function, gradient, at, known, seed=seed)


def parse(text: Text, *, where: Where = None, context: Formula | Derivative | None = None) -> Formula:
    """Read and type a formula; ``context`` gives the variables, to read printed answers back.

    >>> parse("A*x - b").shape
    ('m',)
    """
    source, where = text_and_declarations(text, (), where)
    if isinstance(context, Derivative):
        return Formula(source, where, context.formula.typed, context.expr.type)
    return Formula(source, where, None if context is None else context.typed)


def parse_latex(latex: str, *, where: Where = None, context: Formula | Derivative | None = None) -> Formula:
    r"""Read a formula in LaTeX, as papers and equation editors write it.

    Names map one to one to text names (``\hat{\mathbf{y}}`` is ``y_hat``) and print as they were spelled. Bold letters
    are vectors and matrices; sums over an index are written with matrices. Where a reading was a choice, ``assumed``
    says which was taken; what has two readings is refused. ``Formula.asks`` is the derivative that a ∇ or ∂ asks for.

    >>> f = parse_latex(r"\lVert \mathbf{A}\mathbf{x} - \mathbf{b} \rVert_2^2")
    >>> f.text, f.variables["b"]
    ('norm2(A*x - b)^2', 'vector(m)')
    >>> parse_latex(r"\nabla_{\mathbf{x}}\, \mathbf{x}^\top \mathbf{A} \mathbf{x}").asks
    ('x',)
    """
    from matgrad.latex_input.reading import read_latex

    formula = context.formula if isinstance(context, Derivative) else context
    typed = None if formula is None else formula.typed
    spelled = formula.reading.spelled if formula is not None and formula.reading is not None else {}
    expect = context.expr.type if isinstance(context, Derivative) else None
    reading = read_latex(latex, where, context=typed, spelled=spelled, expect=expect)
    return Formula(reading.text, reading.where, typed, expect, reading)


def from_sympy(expression: Any, *, where: Where = None) -> Formula:
    """A formula from an expression of SymPy, an extra. Symbols of n × 1 are vectors; ``where`` may say more of them.

    Raises NotSupported for what the language does not have, naming it.

    >>> from sympy import MatrixSymbol, Trace
    >>> A, x = MatrixSymbol("A", 3, 4), MatrixSymbol("x", 4, 1)
    >>> from_sympy(A.T * A * x).text
    "A'*A*x"
    """
    from matgrad.interop.from_sympy import from_sympy as converted

    found = converted(expression, parse_declarations(where))
    return Formula(*written(found.expr, found.names))


def compile(items: Items, backend: str = "numpy") -> Compiled:
    """One function of named arrays for a formula, a derivative, its action on a direction, or several of them.

    Several items share their work; the values are a tuple for a sequence and a dict for a mapping.

    >>> import numpy as np
    >>> f = parse("norm2(A*x - b)^2")
    >>> both = compile([f, gradient(f, "x")])
    >>> both(A=np.eye(2), x=np.array([3.0, 4.0]), b=np.zeros(2))
    (25.0, array([6., 8.]))
    """
    return Compiled(items, backend)


def _shortly(value: object) -> str:
    """A value in an error message."""
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:37]}…"


def _of_order(order: int, formula: Text, wrt: Name | Names, where: Where) -> Formula:
    """The formula, if it asks for no derivative of another order."""
    asked = asked_of(formula, wrt, where, order)
    if asked.order != order:
        raise MatgradError(f"the formula asks for a derivative of order {asked.order}", hint="matgrad.derive(…)")
    return asked.formula


def _answer_text(answer: Text | Derivative) -> str:
    if isinstance(answer, Derivative):
        return answer.text
    if not isinstance(answer, Text):
        raise MatgradError(f"an answer is text or an object, not {type(answer).__name__}", hint='"2*A\'*(A*x - b)"')
    return answer if isinstance(answer, str) else answer.written()[0]


def _require_scalar(formula: Formula, what: str) -> None:
    if formula.node.shape:
        shape = ", ".join(formula.shape)
        raise NotScalar(
            f"a {what} is of a scalar, but the formula is a {formula.kind} of shape ({shape})",
            hint=f"matgrad.jacobian(…), or a scalar such as sum({formula.text})",
        )
