"""Which method fits the structure of a formula, and why."""

from __future__ import annotations

from typing import NamedTuple

from matgrad.analysis.objective import Objective
from matgrad.analysis.structure import (
    Split,
    Squares,
    convexity,
    hessian_blocks,
    is_quadratic,
    kinks_in,
    split_l1,
    squares_in,
)
from matgrad.errors import MatgradError
from matgrad.tensor.builders import is_zero
from matgrad.tensor.facts import Fact

METHODS = (
    "auto", "gradient-descent", "newton", "l-bfgs", "trust-exact", "trust-krylov", "least-squares", "natural-gradient",
    "proximal-gradient",
)  # fmt: skip
LARGE, LARGE_QUADRATIC = 1500, 4000
"""Length of the vector from which no Hessian is formed: again and again, or once."""
LONGEST = 80
"""Characters of a formula that is quoted."""


class Choice(NamedTuple):
    """The method and the reason; ``quadratic`` says that one linear solve is enough, ``convex`` that it is known."""

    method: str
    why: str
    quadratic: bool = False
    split: Split | None = None
    squares: Squares | None = None
    kinks: bool = False
    convex: bool = False


def chosen(made: Objective, method: str, *, bounded: bool) -> Choice:
    """The method that was asked for, or the one that fits; ``bounded`` where there are bounds.

    >>> from matgrad import objective
    >>> choice = chosen(objective("norm2(A*x - b)^2", "x", {"A": [[1, 2], [3, 4]], "b": [1, 1]}), "auto", bounded=False)
    >>> choice.method, choice.why
    ('newton', "quadratic in x, since its Hessian 2*A'*A does not vary: one linear solve")
    """
    if method not in METHODS:
        raise MatgradError(f"there is no method {method!r}", hint=", ".join(METHODS))
    if method == "auto":
        return _fitting(made, bounded)
    asked = "asked for"
    if method == "proximal-gradient":
        split = split_l1(made.formula, made.over)
        if split is None:
            hint = "a smooth part plus c*norm1(x), with c a constant; or method='auto'"
            raise MatgradError("the formula has no l1 term that can be split off", hint=hint)
        kinks = kinks_in(split.smooth, made.over)
        if kinks:
            raise MatgradError(f"what is left beside the l1 term is not smooth: {kinks[0]}", hint="method='l-bfgs'")
        return Choice(method, asked, split=split)
    if method == "least-squares":
        return Choice(method, asked, squares=_squares(made))
    if method == "newton" and not bounded and not made.outputs and is_quadratic(made):
        return Choice(method, f"{asked}; the formula is quadratic: one linear solve", quadratic=True)
    return Choice(method, asked)


def _squares(made: Objective) -> Squares:
    if made.outputs or made.formula.node.shape:
        return Squares([(1.0, made.formula)])
    found = squares_in(made.formula, made.over)
    if found is None:
        hint = "a sum of terms norm2(r)^2 with constant factors ≥ 0, or a vector formula; or method='auto'"
        raise MatgradError("the formula is not recognised as a sum of squares", hint=hint)
    return found


def _fitting(made: Objective, bounded: bool) -> Choice:
    over = ", ".join(made.over)
    if made.formula.node.shape:
        shape = ", ".join(made.formula.shape)
        why = f"a {made.formula.kind} of shape ({shape}): half its sum of squares is minimised"
        return Choice("least-squares", why, squares=_squares(made))
    kinks = kinks_in(made.formula, made.over)
    if kinks:
        split = split_l1(made.formula, made.over)
        if split is not None and not kinks_in(split.smooth, made.over):
            terms = ", ".join(f"|{name}|" for name in split.weights)
            why = f"a smooth part, {_quoted(split.smooth.text)}, and a weighted sum of {terms}"
            return Choice("proximal-gradient", why, split=split)
        why = f"it has kinks ({kinks[0].partition(';')[0]} is needed): no Hessian serves there"
        return Choice("l-bfgs", why, kinks=True)
    quadratic = is_quadratic(made)
    if made.size > (LARGE_QUADRATIC if quadratic and not bounded else LARGE):
        if quadratic and not bounded:
            return Choice("trust-krylov", f"quadratic and large, {made.size} numbers: products with the Hessian only")
        return Choice("l-bfgs", f"large, {made.size} numbers: no Hessian is formed")
    if quadratic and not bounded:
        said = f"quadratic in {over}, since its Hessian{_hessian_text(made)} does not vary: one linear solve"
        linear = all(map(is_zero, hessian_blocks(made)))
        return Choice("newton", f"linear in {over}" if linear else said, quadratic=True)
    convex = convexity(made).holds is Fact.YES
    if bounded:
        kind = "quadratic" if quadratic else "convex" if convex else "neither quadratic nor known to be convex"
        return Choice("newton", f"bounds; within them {kind} in {over}: projected Newton steps", convex=convex)
    if convex:
        return Choice(
            "newton", f"convex in {over}: Newton's method with a line search goes to the minimum", convex=True
        )
    squares = squares_in(made.formula, made.over)
    if squares is not None:
        return Choice("least-squares", f"a sum of squares that is not known to be convex in {over}", squares=squares)
    return Choice(
        "trust-exact", f"not known to be convex in {over}: a trust region with exact Hessians copes with saddles"
    )


def _hessian_text(made: Objective) -> str:
    if len(made.over) > 1:
        return ""
    text = made.gradients[made.over[0]].derive(made.over[0]).text
    return f" {text}" if len(text) <= LONGEST else ""


def _quoted(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
