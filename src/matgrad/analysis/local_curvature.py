"""The curvature of a scalar formula: at a point from its Hessian there, for all points from its structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from matgrad.analysis import curvature_text
from matgrad.analysis.convexity import Convexity, convexity_of, is_quadratic, of_constant_hessian
from matgrad.analysis.curvature_data import AtPoint, CurvatureData
from matgrad.analysis.kinds import is_stationary, kind_of
from matgrad.analysis.krylov import Extremes, Progress
from matgrad.analysis.local import Local
from matgrad.analysis.progress import shown_progress
from matgrad.analysis.setting import formula_at
from matgrad.analysis.spectrum import dense
from matgrad.analysis.steps import newton_step
from matgrad.answer.differentiation import variable_of
from matgrad.answer.formula import Formula
from matgrad.answer.question import asked_of
from matgrad.errors import DataError, MatgradError, NotScalar, NotSupported
from matgrad.formula.declarations import Where
from matgrad.objects.asking import Name, Text

DENSE = 1000
"""Entries of the variables up to which the Hessian is formed, unless it is said otherwise."""
MOST = 20_000
"""Entries up to which it can be formed at all."""
METHODS = ("auto", "dense", "iterative")


class Curvature(CurvatureData):
    """The curvature of a formula, which prints itself. Made by :func:`matgrad.curvature`."""

    # -- printing

    @property
    def text(self) -> str:
        return curvature_text.text(self)

    @property
    def markdown(self) -> str:
        return curvature_text.markdown(self)

    def _repr_markdown_(self) -> str:
        return self.markdown

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        found = f"{self.kind}, " if self.at else ""
        return f"<curvature of {self.formula.text} in {', '.join(self.wrt)}: {found}{self.convexity.verdict}>"

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data for JSON."""
        return curvature_text.as_data(self)


def curvature(
    formula: Text,
    wrt: Name | Sequence[Name] | None = None,
    at: Mapping[str, Any] | None = None,
    *,
    where: Where = None,
    method: str = "auto",
    largest: int = 10,
    progress: bool | Progress | None = None,
    seed: int = 0,
) -> Curvature:
    """The curvature of a scalar formula in one or several variables: at a point, and for all points.

    ``at`` gives all arrays by name. Then there are the Hessian over all entries of the variables (the blocks in one
    matrix), its eigenvalues and eigenvectors, whether the point is stationary, and of which kind; what gradient
    descent and Newton's method will do. For more than 1000 entries, or with ``method="iterative"``, the Hessian is
    not formed: its ``largest`` eigenvalues and its most negative ones come from products H·v, with their residuals;
    ``progress=True`` shows a bar. Without ``at`` there is the verdict for all points alone: convex, concave or
    neither, with its reason. Raises MatgradError for what is no scalar, and for points at which it is not defined.

    >>> c = curvature("x[1]^2 + 2*x[1]*x[2] + 3*x[2]^2", "x", {"x": [0, 0]})
    >>> c.kind, c.hessian.tolist(), c.eigenvalues.round(6).tolist(), c.convexity.verdict
    ('strict local minimum', [[2.0, 2.0], [2.0, 6.0]], [1.171573, 6.828427], 'convex')
    >>> curvature("norm2(U*V - Y)^2", ["U", "V"]).convexity.verdict
    'neither'
    """
    if method not in METHODS:
        raise MatgradError(f"there is no method {method!r}", hint=" or ".join(f'"{m}"' for m in METHODS))
    if isinstance(largest, bool) or not isinstance(largest, int) or largest < 1:
        raise MatgradError(f"largest is a whole number above 0, not {largest!r}", hint="largest=10")
    if isinstance(formula, str) and isinstance(at, Mapping):
        formula, where = formula_at(formula, at, where), None
    known, names = _asked(formula, wrt, where)
    if at is None:
        return Curvature(known, names, convexity_of(known, names) if not known.typed.functions else _unknown(names))
    if not isinstance(at, Mapping):
        raise DataError(f"a point is a mapping of names to values, not {type(at).__name__}", hint='at={"x": [1, 2]}')
    local = Local(known, names, at)
    _require_smooth(local)
    convexity = convexity_of(known, names, local.arrays) if not known.typed.functions else _unknown(names)
    search = Search(method, largest, progress, seed, convexity.verdict == "convex")
    found = _at_point(local, search)
    if found.spectrum.inertia is not None:
        convexity = of_constant_hessian(local, found.spectrum.inertia.definiteness, convexity)
    return Curvature(known, names, convexity, found)


def _asked(formula: Text, wrt: Name | Sequence[Name] | None, where: Where) -> tuple[Formula, tuple[str, ...]]:
    known = asked_of(formula, (), where, 1).formula
    if wrt is None and not known.asks:
        if len(known.typed.variables) != 1:
            names = ", ".join(known.typed.variables)
            raise MatgradError(
                "say in which variables the curvature is wanted" if names else "the formula has no variables",
                details=f"the variables are {names}" if names else None,
                hint=f'wrt="{next(iter(known.typed.variables))}"' if names else None,
            )
        wrt = next(iter(known.typed.variables))
    asked = asked_of(known, wrt, None, 2 if known.asks and len(known.asks) == 2 else 1)
    if known.node.shape:
        raise NotScalar(
            f"curvature is of a scalar, but the formula is a {known.kind} of shape ({', '.join(known.shape)})",
            hint=f"a scalar such as sum({known.text}), or one entry of it",
        )
    names_ = tuple(dict.fromkeys(asked.wrt))
    for name in names_:
        _require_variable(known, name)
    return known, names_


def _require_variable(formula: Formula, name: str) -> None:
    variable_of(formula, name)
    if name not in formula.typed.variables:
        known = ", ".join(formula.typed.variables)
        raise MatgradError(f"{name} is an intermediate: curvature is in variables", details=f"these are {known}")
    if "orthogonal" in formula.typed.variables[name].traits:
        raise NotSupported(
            f"{name} is orthogonal: its entries cannot vary one by one, and along the constraint the curvature of the "
            "constraint counts too",
            hint=f"{name} declared as matrix(n,n), or a parametrisation such as exp of a skew matrix",
        )


def _unknown(names: tuple[str, ...]) -> Convexity:
    return Convexity("unknown", names, (), ("an unspecified function may be anything",))


class Search(NamedTuple):
    """How eigenvalues are looked for; ``semidefinite`` where a certificate says that none is negative."""

    method: str
    largest: int
    progress: bool | Progress | None
    seed: int
    semidefinite: bool


def _require_smooth(local: Local) -> None:
    local.value  # noqa: B018  (an error outside the domain)
    if local.kinks:
        raise DataError(
            "the formula has no second derivatives at this point",
            details="\n".join(local.kinks),
            hint="a point beside it; without a point there is the verdict for all points",
        )


def _at_point(local: Local, search: Search) -> AtPoint:
    if search.method == "dense" or (search.method == "auto" and local.size <= DENSE):
        if local.size > MOST:
            raise NotSupported(f"the Hessian has {local.size:,}² entries", hint='method="iterative"')
        spectrum = dense(local.hessian, local.hessian_error)
    else:
        with shown_progress(search.progress) as tick:
            extremes = Extremes(
                local.product, local.size, local.unit, loss=local.product_error, progress=tick, seed=search.seed
            )
            spectrum = extremes.find(search.largest, semidefinite=search.semidefinite)
    norm, ratio = float(np.linalg.norm(local.gradient)), local.gradient_ratio(formed=spectrum.complete)
    stationary = is_stationary(ratio)
    quadratic = is_quadratic(local)
    step = newton_step(local, spectrum, quadratic) if spectrum.complete else None
    kind = kind_of(local, spectrum, stationary, semidefinite=search.semidefinite)
    return AtPoint(local, spectrum, norm, ratio, kind, stationary, step, quadratic)
