"""What kind of point it is: stationary or not, minimum, maximum, saddle, valley; and what is not decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from matgrad.analysis.local import Local
from matgrad.analysis.spectrum import Spectrum

Array = Any
STATIONARY = 1e-6
"""A gradient counts as zero below this, relative to its terms: what optimisers reach."""
PROBED = 8
"""Flat directions along which the formula is evaluated."""
DISTANCES = (1e-3, 1e-2, 1e-1, 1.0)


@dataclass(frozen=True)
class Kind:
    """``name`` in a word or two, ``reason`` why; ``flat`` are the directions in which the curvature is 0 to rounding,
    as columns."""

    name: str
    reason: str
    flat: Array
    remarks: tuple[str, ...] = ()


def is_stationary(ratio: float) -> bool:
    """Whether the gradient is zero, as far as its terms and the digits of the point allow to say."""
    return ratio <= STATIONARY


def kind_of(local: Local, spectrum: Spectrum, stationary: bool, *, semidefinite: bool = False) -> Kind:
    """The kind of the point, from signs of eigenvalues that are certain; ``semidefinite`` is what a certificate says
    where not all eigenvalues are known."""
    if spectrum.inertia is None and semidefinite:
        known = "no eigenvalue is negative, by the certificate for all points"
        name, said = ("minimum", _zero(local)) if stationary else ("not stationary", "the gradient is not 0 here")
        return Kind(name, f"{said}, and {known}", spectrum.vectors[:, :0])
    if spectrum.inertia is None:
        return _from_ends(spectrum, stationary)
    signs = spectrum.inertia
    flat = _flat(spectrum)
    if not stationary:
        return Kind(
            "not stationary", f"the gradient is not 0 here; the Hessian is {signs.definiteness} at this point", flat
        )
    if signs.positive and signs.negative:
        said = f"{_count(signs.positive, 'direction')} up, {_count(signs.negative, 'direction')} down"
        said += f", {_count(signs.undecided, 'direction')} flat to rounding" if signs.undecided else ""
        return Kind("saddle", f"eigenvalues of both signs: {said}", flat)
    if not signs.undecided:
        word, sign = ("minimum", ">") if signs.positive else ("maximum", "<")
        remarks = (
            () if spectrum.is_clear else ("shown by the matrix D*H*D with unit diagonal, which has the same signs",)
        )
        return Kind(f"strict local {word}", f"{_zero(local)} and all eigenvalues are {sign} 0", flat, remarks)
    return _semidefinite(local, spectrum, flat)


def _zero(local: Local) -> str:
    return f"the gradient is 0 (to {STATIONARY:.0e} of its terms)" if np.any(local.gradient) else "the gradient is 0"


def _flat(spectrum: Spectrum) -> Array:
    """The eigenvectors of the eigenvalues nearest 0, as many as have no certain sign."""
    count = spectrum.inertia.undecided if spectrum.inertia is not None else 0
    nearest = np.sort(np.argsort(np.abs(spectrum.values), kind="stable")[:count])
    return spectrum.vectors[:, nearest]


def _semidefinite(local: Local, spectrum: Spectrum, flat: Array) -> Kind:
    """Some eigenvalues are 0 to rounding, the others of one sign: the formula itself is asked along the flat ones."""
    signs = spectrum.inertia
    assert signs is not None
    turn = -1 if signs.negative else 1  # a maximum is a minimum of −f
    up = _joined([behaviour(local, vector) for vector in _within(flat)])
    against = {"falls" if turn > 0 else "rises"}
    base = f"{_count(flat.shape[1], 'eigenvalue')} 0 to rounding"
    base += f", the others {'>' if turn > 0 else '<'} 0" if signs.positive or signs.negative else ""
    told = {"level": "the formula is constant along them, as far as rounding shows",
            "rises": "the formula rises along them, at higher order",
            "falls": "the formula falls along them, at higher order",
            "mixed": "the formula rises along some and falls along others, at higher order"}  # fmt: skip
    remarks = (told[up],)
    if not (signs.positive or signs.negative):
        name = "flat" if up == "level" else "undecided"
        return Kind(name, f"all second derivatives are 0 to rounding: they do not decide ({told[up]})", flat, ())
    if up == "mixed" or up in against:
        return Kind("undecided", f"{base}: second derivatives do not decide", flat, remarks)
    return Kind("valley" if turn > 0 else "ridge", base, flat, remarks)


def _within(flat: Array) -> Iterator[Array]:
    """Unit vectors of a flat space: those that span it, and some between them, which may tell another story."""
    yield from flat.T[:PROBED]
    rng = np.random.default_rng(0)
    for _ in range(PROBED // 2 if flat.shape[1] > 1 else 0):
        vector = flat @ rng.standard_normal(flat.shape[1])
        yield vector / np.linalg.norm(vector)


def behaviour(local: Local, direction: Array) -> str:
    """Whether the formula rises, falls, or stays level along a direction, both ways, as near as rounding shows it."""
    scale = max(1.0, float(np.linalg.norm(local.point)))
    seen = set()
    for sign in (1, -1):
        for distance in DISTANCES:
            change = local.value_at(local.point + sign * distance * scale * direction) - local.value
            if np.isfinite(change) and abs(change) > 4 * local.value_error:
                seen.add("rises" if change > 0 else "falls")
                break
    return _joined(list(seen))


def _joined(seen: list[str]) -> str:
    kinds = set(seen) - {"level"}
    return "level" if not kinds else kinds.pop() if len(kinds) == 1 else "mixed"


def _from_ends(spectrum: Spectrum, stationary: bool) -> Kind:
    """The kind where only the ends of the spectrum are known."""
    least, most = spectrum.values[0], spectrum.values[-1]
    none = spectrum.vectors[:, :0]
    down, up = least < -spectrum.errors[0], most > spectrum.errors[-1]
    if not stationary:
        said = "indefinite" if down and up else "not yet known to be definite" if up else "without positive curvature"
        return Kind("not stationary", f"the gradient is not 0 here; the Hessian is {said} at this point", none)
    if down and up:
        return Kind("saddle", f"eigenvalues of both signs, from {least:.6g} to {most:.6g}", none)
    return Kind(
        "undecided",
        f"no negative eigenvalue was found: the smallest is {least:.6g} ± {spectrum.errors[0]:.1g}"
        if up
        else f"no positive eigenvalue was found: the largest is {most:.6g} ± {spectrum.errors[-1]:.1g}",
        none,
        ("the ends of a spectrum do not prove a minimum",) if up else (),
    )


def _count(number: int, what: str) -> str:
    if what == "eigenvalue":
        return "one eigenvalue is" if number == 1 else f"{number} eigenvalues are"
    return f"1 {what}" if number == 1 else f"{number} {what}s"
