"""Minimising a formula: the method that its structure asks for, with derivatives in closed form."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from matgrad.analysis.choosing import Choice, chosen
from matgrad.analysis.descent import gradient_descent
from matgrad.analysis.ending import inspected
from matgrad.analysis.fisher_information import Fisher, fisher_of
from matgrad.analysis.inputs import inputs
from matgrad.analysis.newton import newton, solve_quadratic
from matgrad.analysis.objective import Objective
from matgrad.analysis.problem import Iteration, Problem, Stop
from matgrad.analysis.proximal import proximal_gradient
from matgrad.analysis.result import Result
from matgrad.analysis.starting import bounds_of, start_of
from matgrad.analysis.structure import expanded, restricted, weights_of, written
from matgrad.analysis.with_scipy import l_bfgs, least_squares, trust_region
from matgrad.answer.compiled import Compiled
from matgrad.answer.formula import Formula
from matgrad.errors import DataError, MatgradError, NotSupported
from matgrad.formula.declarations import Where
from matgrad.objects.asking import Name, Text
from matgrad.tensor import builders as b

Array = Any
UNBOUNDED_METHODS = ("trust-exact", "trust-krylov")
TOLERANCES = {"gradient-descent": 1e-7, "proximal-gradient": 1e-9}
LIMITS = {"gradient-descent": 100_000, "proximal-gradient": 100_000, "l-bfgs": 20_000}


def minimize(
    formula: Text,
    over: Name | Sequence[Name],
    data: object = None,
    start: Mapping[str, Any] | Array | None = None,
    method: str = "auto",
    bounds: Any = None,
    *,
    where: Where = None,
    tolerance: float | None = None,
    iterations: int | None = None,
    step: float | None = None,
    response: str | None = None,
    accelerated: bool = True,
    callback: Callable[[Iteration], Any] | None = None,
) -> Result:
    """The minimum of a scalar formula over some of its variables, the data fixed; of a vector, the least squares.

    ``method`` is ``"auto"``, which chooses by structure and says why (``Result.why``), or one of
    ``"newton"`` (one solve where the formula is quadratic; a line search and a modified Cholesky factor elsewhere),
    ``"gradient-descent"`` (backtracking, or a fixed ``step``), ``"l-bfgs"``, ``"trust-exact"``, ``"trust-krylov"``,
    ``"least-squares"``, ``"natural-gradient"`` (with the Fisher information of a likelihood, in closed form; the random
    variable is found, or named by ``response``), ``"proximal-gradient"`` (a smooth part plus c·norm1; FISTA, or ISTA
    with ``accelerated=False``). ``bounds`` maps names to pairs. ``tolerance`` is what the gradient's norm must fall to,
    relative to its norm at the start (or to 1, where that is less); ``iterations`` are the most that are made. Whatever
    ends it, also Ctrl-C, the best point so far is given; ``success`` and ``message`` say how it ended.

    >>> found = minimize("norm2(A*x - b)^2", "x", {"A": [[1, 2], [3, 4], [5, 6]], "b": [1, 1, 1]})
    >>> print(np.round(found.values["x"], 6), found.nit, found.why)
    [-1.  1.] 1 quadratic in x, since its Hessian 2*A'*A does not vary: one linear solve
    """
    began = time.perf_counter()
    _check(tolerance, iterations, step)
    made = Objective(inputs(formula, over, data, start, where))
    if not made.size:
        raise DataError(f"{', '.join(made.over)}: there are no entries that vary", hint="data with sizes above 0")
    limits = bounds_of(made, bounds)
    closed = Problem(made, made.x0, limits, 0.0, 1).is_closed
    choice = chosen(made, method, bounded=limits is not None)
    if closed and choice.method in UNBOUNDED_METHODS:
        raise MatgradError(f"{choice.method} takes no bounds", hint="method='newton' or 'l-bfgs'")
    if step is not None and choice.method != "gradient-descent":
        raise MatgradError(f"a fixed step is one of gradient descent, not of {choice.method}", hint="step=None")
    runner, target = _runner(made, choice, step, response, accelerated)
    begin, said = start_of(target, limits, shifted=not (choice.quadratic or choice.convex), kinks=choice.kinks)
    eps = TOLERANCES.get(choice.method, 1e-10) if tolerance is None else tolerance
    most = LIMITS.get(choice.method, 1000) if iterations is None else iterations
    problem = Problem(target, begin, limits, eps, most, callback)
    problem.notes += [said] if said else []
    ending = _run(problem, runner)
    if ending.success and not choice.quadratic and choice.method != "proximal-gradient":
        last = problem.history[-1].z
        ending = inspected(problem, problem.best if last is None else last, ending)
    problem.notes += _at_border(problem, ending)
    if choice.kinks and not ending.success:
        problem.notes.append(
            "gradients do not become small at kinks; a smooth formula, such as sqrt(x.^2 + 1e-6) for abs(x), converges"
        )
    return _result(problem, choice, ending, time.perf_counter() - began)


def _check(tolerance: float | None, iterations: int | None, step: float | None) -> None:
    for name, value in (("tolerance", tolerance), ("step", step)):
        if value is not None and not (isinstance(value, int | float | np.number) and 0 < value < np.inf):
            raise MatgradError(f"{name} is a number above 0, not {value!r}", hint=f"{name}=1e-6")
    if iterations is not None and (isinstance(iterations, bool) or not isinstance(iterations, int) or iterations < 1):
        raise MatgradError(f"iterations is a whole number above 0, not {iterations!r}", hint="iterations=100")


def _runner(
    made: Objective, choice: Choice, step: float | None, response: str | None, accelerated: bool
) -> tuple[Callable[[Problem], None], Objective]:
    """The method as a function of a problem, and the scalar objective that the problem is about."""
    if choice.method == "least-squares":
        assert choice.squares is not None
        parts = [(factor, restricted(made, part)) for factor, part in choice.squares.parts]
        target = made if not made.formula.node.shape else restricted(made, _half_square(made.formula))
        return (lambda problem: least_squares(problem, parts)), target
    if choice.method == "proximal-gradient":
        assert choice.split is not None
        smooth, weights = restricted(made, choice.split.smooth), weights_of(choice.split, made)
        if absent := [name for name in made.over if name not in smooth.over]:
            raise NotSupported(f"{absent[0]} is in the l1 term only, where it is best at 0", hint="over the others")
        return (lambda problem: proximal_gradient(problem, smooth, weights, accelerated=accelerated)), made
    if choice.method == "natural-gradient":
        metric = _metric(made, fisher_of(made.formula, made.over, response))
        return (lambda problem: newton(problem, metric)), made
    runners: dict[str, Callable[[Problem], None]] = {
        "newton": solve_quadratic if choice.quadratic else newton,
        "gradient-descent": lambda problem: gradient_descent(problem, step),
        "l-bfgs": l_bfgs,
        "trust-exact": lambda problem: trust_region(problem, "trust-exact"),
        "trust-krylov": lambda problem: trust_region(problem, "trust-krylov"),
    }
    return runners[choice.method], made


def _half_square(formula: Formula) -> Formula:
    """½‖F‖², of which the least squares are the minimum."""
    node = expanded(formula)
    axes = tuple(range(len(node.shape)))
    return written(formula, b.scaled(b.einsum([(node, axes), (node, axes)], ()), Fraction(1, 2)))


def _metric(made: Objective, information: Fisher) -> Callable[[Array], Array]:
    """The Fisher information as a function of the point."""
    compiled = Compiled(dict(information.blocks))
    return lambda z: made.matrix(z, compiled)


def _run(problem: Problem, runner: Callable[[Problem], None]) -> Stop:
    try:
        with np.errstate(all="ignore"):
            runner(problem)
    except Stop as stop:
        return stop
    except KeyboardInterrupt:
        done = max(len(problem.history) - 1, 0)
        return Stop(f"interrupted after {done} iterations: this is the best point so far", status=-1)
    raise AssertionError("a method ends by Stop")


def _at_border(problem: Problem, ending: Stop) -> list[str]:
    """What is said where the lowest point may lie on the border of what was declared definite."""
    made = problem.made
    definite = [name for name in made.over if "psd" in made.formula.typed.variables[name].traits]
    if not definite or ending.success:
        return []
    S = definite[0]
    said = f"{S} is declared definite, and no method here follows the border of such matrices: where the lowest point"
    return [f"{said} lies on it, write {S} = L*L' with L: lower(n)"]


def _result(problem: Problem, choice: Choice, ending: Stop, seconds: float) -> Result:
    made = problem.made
    last = problem.history[-1].z if problem.history and problem.history[-1].z is not None else None
    z = last if ending.success and last is not None else problem.best
    if not problem.history:
        problem.history.append(Iteration(0, made.fun(z), float("nan"), 0.0, z))
    return Result(
        x=z,
        fun=made.fun(z),
        jac=made.jac(z),
        values=made.unpack(z),
        success=ending.success,
        status=ending.status,
        message=ending.message,
        method=choice.method,
        why=choice.why,
        notes=tuple(dict.fromkeys(problem.notes)),
        nit=len(problem.history) - 1,
        history=problem.history,
        objective=made,
        seconds=seconds,
        **problem.counts,
    )
