"""A plane through the space of the variables, to look at a function of many variables in two of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from matgrad.analysis.krylov import Extremes
from matgrad.analysis.setting import Setting
from matgrad.errors import DataError, MatgradError

Array = Any
DENSE = 400
"""Up to so many coordinates the Hessian is an array; beyond, eigenvectors come from Hessian-vector products."""
TOLERANCE, UNIT = 1e-6, 1e-14
"""Of these eigenvectors, and of the products, relative to the largest eigenvalue: enough for a picture."""


class Plane(NamedTuple):
    """The points centre + s·u + t·v, with u and v orthonormal, and the labels of s and t."""

    centre: Array
    basis: Array
    labels: tuple[str, str]
    whole: bool
    """Whether it is the whole space, so that nothing is projected."""
    alike: bool = True
    """Whether both axes measure alike, as the entries of one variable do."""

    def point(self, s: float, t: float) -> Array:
        return self.centre + self.basis @ np.array([s, t])

    def project(self, points: Array) -> Array:
        """Points as pairs (s, t): the nearest ones of the plane."""
        return (np.atleast_2d(points) - self.centre) @ self.basis


Choice = Sequence[Any] | None


def plane_of(setting: Setting, choice: Choice) -> Plane:
    """The plane through the setting's point that is asked for.

    Two coordinates by their names, ``("x[1]", "x[3]")``; two eigenvectors of the Hessian by their numbers, 1 of the
    largest eigenvalue and -1 of the smallest; or two directions as arrays. None is the whole space where that has two
    coordinates, else the eigenvectors 1 and -1.
    """
    size = setting.coordinates.size
    if size < 2:
        raise DataError("contours need two coordinates or more, and there is one", hint="two variables in over")
    if choice is None and size == 2:
        one, two = setting.inputs
        return Plane(np.zeros(2), np.eye(2), (one, two), True, _variable(one) == _variable(two))
    first, second = (1, -1) if choice is None else _two(choice)
    if isinstance(first, str) and isinstance(second, str):
        return _of_coordinates(setting, first, second)
    if isinstance(first, int | np.integer) and isinstance(second, int | np.integer):
        return _of_eigenvectors(setting, int(first), int(second))
    return _of_directions(setting, first, second)


def _two(choice: Sequence[Any]) -> tuple[Any, Any]:
    if isinstance(choice, str) or len(choice) != 2:
        raise MatgradError(f"a plane is given by two directions, not {choice!r}", hint='("x[1]", "x[2]") or (1, -1)')
    return choice[0], choice[1]


def _of_coordinates(setting: Setting, first: str, second: str) -> Plane:
    places = []
    for label in (first, second):
        if label not in setting.inputs:
            known = ", ".join(setting.inputs[:6]) + (", …" if len(setting.inputs) > 6 else "")
            raise DataError(f"there is no coordinate {label}", details=f"the coordinates are {known}")
        places.append(setting.inputs.index(label))
    if places[0] == places[1]:
        raise DataError(f"a plane needs two different coordinates, not {first} twice")
    basis = np.zeros((setting.coordinates.size, 2))
    basis[places, (0, 1)] = 1
    centre = setting.point.copy()
    centre[places] = 0  # the axes then show the coordinates themselves
    whole, alike = setting.coordinates.size == 2, _variable(first) == _variable(second)
    return Plane(centre, basis, (first, second), whole, alike)


def _variable(label: str) -> str:
    return label.partition("[")[0]


def _of_directions(setting: Setting, first: Any, second: Any) -> Plane:
    rows = []
    for direction in (first, second):
        array = np.asarray(direction, dtype=float).reshape(-1)
        if array.size != setting.coordinates.size or not np.all(np.isfinite(array)):
            raise DataError(
                f"a direction has {setting.coordinates.size} finite entries here, not {array.size}",
                details=f"of {', '.join(setting.wrt)}, one after the other",
            )
        rows.append(array)
    u = rows[0] / (np.linalg.norm(rows[0]) or 1)
    v = rows[1] - (u @ rows[1]) * u
    if not np.any(u) or np.linalg.norm(v) <= 1e-10 * np.linalg.norm(rows[1]):
        raise DataError("the two directions lie on one line", hint="two directions that do not")
    basis = np.column_stack([u, v / np.linalg.norm(v)])
    return Plane(setting.point, basis, ("distance along the first direction", "distance along the second"), False)


def _of_eigenvectors(setting: Setting, first: int, second: int) -> Plane:
    size = setting.coordinates.size
    if first == second or not all(1 <= abs(k) <= size for k in (first, second)):
        raise DataError(
            f"eigenvectors {first} and {second} of {size} make no plane",
            hint="(1, -1): 1 is that of the largest eigenvalue, -1 that of the smallest",
        )
    values, vectors = _eigenvectors(setting, [first, second])
    names = [f"distance along the eigenvector of λ = {value:.3g}" for value in values]
    return Plane(setting.point, vectors, (names[0], names[1]), False)


def _eigenvectors(setting: Setting, wanted: Sequence[int]) -> tuple[Array, Array]:
    """Eigenpairs of the Hessian at the point, numbered from the largest, negative numbers from the smallest."""
    size = setting.coordinates.size
    if size <= DENSE or min(abs(k) for k in wanted) > 10:
        values, vectors = np.linalg.eigh(setting.hessians[0])
        places = [size - k if k > 0 else -k - 1 for k in wanted]
        return values[places], vectors[:, places]
    largest, smallest = max(0, *wanted), max(0, *(-k for k in wanted))
    found = Extremes(hessian_product(setting), size, UNIT, tolerance=TOLERANCE).ends(largest, smallest)
    missing = [note for note in found.notes if note.startswith("not converged")]
    if missing:
        raise DataError(
            "the eigenvectors of the Hessian were not found",
            details="\n".join(missing),
            hint='coordinates, such as plane=("x[1]", "x[2]")',
        )
    places = [-k if k > 0 else -k - 1 for k in wanted]
    return found.values[places], found.vectors[:, places]


def hessian_product(setting: Setting) -> Callable[[Array], Array]:
    """v ↦ H v at the setting's point, from closed forms that build no Hessian."""
    actions = {(a, b): d.derive(b).matvec for a, d in setting.derivatives.items() for b in setting.wrt}
    coordinates = setting.coordinates

    def product(direction: Array) -> Array:
        moves = coordinates.arrays(np.asarray(direction).reshape(-1))
        rows = []
        for a in setting.wrt:
            total = sum(np.asarray(actions[a, b](moves[b], **setting.arrays)) for b in setting.wrt)
            rows.append(coordinates.columns(a, total, first=0).reshape(-1))
        return np.concatenate(rows)

    return product
