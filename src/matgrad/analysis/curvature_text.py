"""Curvature as people and programs read it: for a terminal, as Markdown, as plain data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from matgrad.analysis.curvature_data import AtPoint, CurvatureData
from matgrad.formula.syntax import Expr
from matgrad.formula.unicode import to_unicode

Array = Any
Rows = list[tuple[str, list[str]]]
SHOWN = 12
"""Entries of a vector, and rows of a matrix, that are printed."""


def text(found: CurvatureData) -> str:
    """For a terminal: the formula, the point, and what holds for all points."""
    blocks = [heading(found)]
    if found.at is not None:
        blocks.append(_aligned(point_rows(found, found.at)))
    lines = found.convexity.lines()
    blocks.append("\n".join(["for all points", *(f"  {line}" for line in lines)]))
    return "\n\n".join(blocks)


def markdown(found: CurvatureData) -> str:
    """The same for a notebook."""
    parts = [f"**Curvature** of `{found.formula.text}` in {', '.join(f'`{name}`' for name in found.wrt)}"]
    if found.at is not None:
        rows = [_row(label, lines) for label, lines in point_rows(found, found.at)]
        parts.append("\n".join(["| at the point | |", "| --- | --- |", *rows]))
    first, *others = found.convexity.lines()
    parts.append("\n".join([f"For all points: **{first}**", "", *(f"- {line.strip()}" for line in others)]).rstrip())
    return "\n\n".join(parts)


def _row(label: str, lines: list[str]) -> str:
    told = [f"`{line}`" if label == "H" else _escaped(line) for line in lines]
    return f"| {label} | {'<br>'.join(told)} |"


def _escaped(line: str) -> str:
    return line.strip().replace("|", "\\|")


def heading(found: CurvatureData) -> str:
    """The formula with its variables."""
    formula = found.formula
    lines = [f"{to_unicode(_name(name, value))} = {to_unicode(value)}" for name, value in formula.program.definitions]
    arguments = ", ".join(found.wrt)
    taken = {*formula.typed.variables, *formula.typed.intermediates, *formula.typed.dimensions}
    letter = next((c for c in "fFφ" if c not in taken), "the formula")
    lines.append(f"{letter}({arguments}) = {to_unicode(formula.program.body)}")
    lines.append("    " + " · ".join(f"{name}: {kind}" for name, kind in formula.variables.items()))
    lines += [f"    {line}" for line in formula.assumed]
    return "\n".join(lines)


def _name(name: str, value: Any) -> Any:
    return Expr("name", value=name, type=value.type)


def _aligned(rows: Rows) -> str:
    width = max(len(label) for label, _ in rows)
    lines = ["at this point"]
    for label, told in rows:
        for k, line in enumerate(told):
            lines.append(f"  {label if k == 0 else '':<{width}}   {line}".rstrip())
    return "\n".join(lines)


def point_rows(found: CurvatureData, at: AtPoint) -> Rows:
    """What is said at the point: labels, each with its lines."""
    local, spectrum = at.local, at.spectrum
    small = local.size <= SHOWN
    rows: Rows = []
    if small:
        rows.append(("point", [f"{name} = {shown(array)}" for name, array in local.unflat(local.point).items()]))
    rows.append(("f", [number(local.value)]))
    rows.append(("‖∇f‖", [_gradient_line(at)]))
    rows.append(("over", _over(found, at)))
    if spectrum.complete and small:
        rows.append(("H", _matrix(local.hessian)))
    rows.append(("eigenvalues", _eigenvalues(at)))
    kind = [f"{at.kind.name}: {at.kind.reason}", *at.kind.remarks, *_globally(found, at)]
    rows.append(("kind", kind))
    if at.kind.flat.shape[1] and small:
        rows.append(("flat along", [shown(vector) for vector in at.kind.flat.T]))
    rows += _conditioning(found)
    rows += _descent(found)
    rows += _newton(at, small)
    rows += [("note", [line]) for line in [*spectrum.notes, *_edges(found, at)]]
    return rows


def _gradient_line(at: AtPoint) -> str:
    if at.gradient_norm == 0:
        return "0: stationary"
    said = "stationary" if at.stationary else "not stationary, so what follows is about the curvature here only"
    return f"{number(at.gradient_norm)}, {at.gradient_ratio:.1e} of its terms: {said}"


def _over(found: CurvatureData, at: AtPoint) -> list[str]:
    """What varies: entries, and of what kind where that is declared to be special."""
    parts = []
    for block in at.local.coordinates.blocks:
        what = "entry" if block.size == 1 else "entries"
        free = "free " if block.mirrored or block.size < np.prod(block.shape, dtype=int) else ""
        special = found.formula.typed.variables[block.name].traits
        kind = f" ({found.formula.variables[block.name]})" if special else ""
        parts.append(f"{block.size:,} {free}{what} of {block.name}{kind}")
    said = "; ".join(parts)
    if any(block.mirrored for block in at.local.coordinates.blocks):
        return [said, "(off the diagonal √2 times an entry is a coordinate, as in the inner product of matrices)"]
    return [said]


def _eigenvalues(at: AtPoint) -> list[str]:
    spectrum = at.spectrum
    count = len(spectrum.values)
    order = np.arange(count)[::-1]
    if spectrum.complete and count > SHOWN:
        order = np.concatenate([order[: SHOWN // 2], order[-SHOWN // 2 :]])
    lines = []
    for place, k in enumerate(order):
        if spectrum.complete and count > SHOWN and place == SHOWN // 2:
            lines.append(f"… {count - SHOWN} more")
        line = f"{number(spectrum.values[k]):>14}"
        if not spectrum.complete:
            line += f"   ‖Hv − λv‖ = {spectrum.residuals[k]:.1e}"
        elif count <= SHOWN:
            line += f"   along {shown(spectrum.vectors[:, k])}"
        lines.append(line)
    if spectrum.complete:
        lines.append(f"each to ±{float(np.max(spectrum.errors)):.1e}")
    else:
        lines.append(f"{count} of {spectrum.size:,}: the ends of the spectrum, from products H·v")
    return lines


def _globally(found: CurvatureData, at: AtPoint) -> list[str]:
    """What convexity adds at a stationary point."""
    if not at.stationary or not found.convexity.is_certified:
        return []
    word = {"convex": "minimum", "concave": "maximum", "affine": "minimum and maximum"}[found.convexity.verdict]
    article, strictly = ("the", "strictly ") if found.convexity.definite else ("a", "")
    return [f"{article} global {word}, since the formula is {strictly}{found.convexity.verdict}"]


def _conditioning(found: CurvatureData) -> Rows:
    number_ = found.condition_number
    if number_ is None:
        return []
    said = "infinite to rounding" if math.isinf(number_) else f"{number(number_)} = |λ|max/|λ|min"
    if found.at is not None and not found.at.spectrum.is_clear and not math.isinf(number_):
        return [("condition", [f"{said}, as far as rounding lets the smallest eigenvalue be known"])]
    if number_ > 1e8 and not math.isinf(number_):
        said += f": about {math.log10(number_):.0f} digits of a solution are lost"
    return [("condition", [said])]


def _descent(found: CurvatureData) -> Rows:
    d = found.descent
    if d is None:
        return []
    steps = (
        "1 step"
        if d.iterations == 1
        else f"{d.iterations:,} steps"
        if d.iterations < 10**9
        else f"{d.iterations:.2g} steps"
    )
    return [("descent", [
        f"stable for steps η < {number(d.limit)} = 2/λmax; best fixed step {number(d.best)} = 2/(λmin + λmax)",
        f"then the error shrinks by (κ − 1)/(κ + 1) = {number(d.contraction)} a step: {steps} to 1e-6",
        *d.why.replace(": ", ":\n").splitlines(),
    ])]  # fmt: skip


def _newton(at: AtPoint, small: bool) -> Rows:
    n = at.newton
    if n is None:
        return []
    lines = []
    if small:
        for name, array in at.local.unflat(n.step).items():
            lines.append(f"step in {name}: {shown(array)}")
    else:
        lines.append(f"step of length {number(float(np.linalg.norm(n.step)))}")
    if n.decrement is not None:
        lines.append(f"decrement {number(n.decrement)}")
    actual = number(n.actual) if math.isfinite(n.actual) else "undefined: it leaves the domain"
    lines.append(f"the model changes by {number(n.predicted)}, the formula by {actual}")
    return [("Newton", [*lines, *([n.remark] if n.remark else [])])]


def _edges(found: CurvatureData, at: AtPoint) -> list[str]:
    """Entries at the edge of what is declared: a minimum there needs no zero gradient."""
    notes = []
    for name in found.wrt:
        traits = found.formula.typed.variables[name].traits
        array = np.asarray(at.local.arrays[name])
        if "nonnegative" in traits and "positive" not in traits and np.any(array == 0):
            notes.append(
                f"{name} is 0 at an entry, the edge of what is declared: a minimum there needs no zero gradient"
            )
        if "psd" in traits and "spd" not in traits and np.linalg.eigvalsh(array)[0] < 1e-12 * np.linalg.norm(array):
            notes.append(f"{name} is singular, at the edge of what is declared: a minimum there needs no zero gradient")
    return notes


# -- numbers


def number(value: float) -> str:
    """Eight significant digits at most."""
    value = float(value)
    if value == 0:
        return "0"
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.8g}"


def shown(value: Array) -> str:
    """A number, a vector as (1, 2), a matrix as [1, 2; 3, 4]; long ones shortened."""
    array = np.asarray(value, dtype=float)
    if array.ndim == 0:
        return number(float(array))
    if array.ndim == 1:
        cells = [f"{entry:.6g}" for entry in array[:SHOWN] + 0.0]
        return f"({', '.join(cells)}{', …' if len(array) > SHOWN else ''})"
    return f"[{'; '.join(', '.join(f'{entry:.6g}' for entry in row + 0.0) for row in array)}]"


def _matrix(array: Array) -> list[str]:
    cells = [[number(entry) for entry in row] for row in array]
    widths = [max(len(row[j]) for row in cells) for j in range(len(cells))]
    return [f"[ {'  '.join(c.rjust(w) for c, w in zip(row, widths, strict=True))} ]" for row in cells]


# -- data


def as_data(found: CurvatureData) -> dict[str, Any]:
    """Everything as plain data; what is infinite or undefined is text, as JSON has no such numbers."""
    data: dict[str, Any] = {
        "formula": found.formula.text,
        "wrt": list(found.wrt),
        "variables": found.formula.variables,
        "assumed": list(found.formula.assumed),
        "convexity": found.convexity.to_dict(),
    }
    if found.at is None:
        return plain_dict(data)
    at, spectrum = found.at, found.at.spectrum
    signs = spectrum.inertia
    large = at.local.size > 10_000
    data["at"] = {
        "value": found.value,
        "gradient": None if large else found.gradient,
        "gradient_norm": at.gradient_norm,
        "gradient_ratio": at.gradient_ratio,
        "stationary": at.stationary,
        "size": at.local.size,
        "coordinates": None if large else list(found.labels or ()),
        "hessian": found.hessian,
        "eigenvalues": spectrum.values,
        "eigenvectors": None if large else spectrum.vectors,
        "residuals": spectrum.residuals,
        "errors": spectrum.errors,
        "complete": spectrum.complete,
        "signs": None if signs is None else
        {"positive": signs.positive, "negative": signs.negative, "undecided": signs.undecided},
        "definiteness": found.definiteness,
        "kind": at.kind.name,
        "reason": at.kind.reason,
        "remarks": [*at.kind.remarks, *_globally(found, at), *_edges(found, at)],
        "flat_directions": at.kind.flat.T,
        "condition_number": found.condition_number,
        "gradient_descent": None if found.descent is None else found.descent.to_dict(),
        "newton": None if at.newton is None else {
            "step": at.local.unflat(at.newton.step), "decrement": at.newton.decrement,
            "predicted_change": at.newton.predicted, "change": at.newton.actual, "remark": at.newton.remark},
        "quadratic": at.quadratic,
        "notes": list(spectrum.notes),
    }  # fmt: skip
    return plain_dict(data)


def plain_dict(data: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain(entry) for key, entry in data.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
