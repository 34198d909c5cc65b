"""What an object holds: a typed formula, and how NumPy would see its axes.

A formula has vectors, rows and matrices; NumPy has axes. ``axes`` says of each NumPy axis which axis of the
formula it is, or None where it has size one and the formula has no such axis: ``x[:, None]`` is (0, None).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from matgrad.dims import ONE, Dim
from matgrad.errors import NotSupported, ShapeError
from matgrad.formula.syntax import AT, MATRIX, RANGE, ROW, SCALAR, SCALAR_TYPE, VECTOR, Call, Expr, Type
from matgrad.formula.text import to_text
from matgrad.objects.names import Names, joined, said_of, size
from matgrad.translate import algebra
from matgrad.translate.algebra import as_row, of_order, product_type

Axes = tuple[int | None, ...]


class Value:
    """An immutable formula with NumPy's axes. Equality is of the formula, its axes and what its names are."""

    __slots__ = ("axes", "expr", "names")

    def __init__(self, expr: Expr, axes: Axes | None = None, names: Names = Names()) -> None:  # noqa: B008 (immutable)
        self.expr = expr
        self.axes = tuple(range(len(expr.dims))) if axes is None else axes
        self.names = names

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Value):
            return NotImplemented
        return self.expr == other.expr and self.axes == other.axes and self.said == other.said

    def __hash__(self) -> int:
        return hash((self.expr, self.axes))

    @property
    def said(self) -> Names:
        """What is known of the names that occur."""
        return said_of(self.expr, self.names)

    @property
    def sizes(self) -> tuple[Dim, ...]:
        """The size of each NumPy axis."""
        return tuple(ONE if axis is None else self.expr.dims[axis] for axis in self.axes)

    @property
    def order(self) -> int:
        """The number of axes that the formula has."""
        return len(self.expr.dims)

    def but(self, expr: Expr, axes: Axes | None = None) -> Value:
        """Another formula of the same names."""
        return Value(expr, axes, self.names)


def literal(number: Fraction | int) -> Value:
    return Value(algebra.number(number))


def shape_text(value: Value) -> str:
    inner = ", ".join(map(str, value.sizes))
    return f"({inner},)" if len(value.sizes) == 1 else f"({inner})"


def shown(value: Value) -> str:
    """An object in an error message: its text, and its shape as NumPy would see it."""
    text = to_text(value.expr) if algebra.cost(value.expr) < 60 else "…"
    return f"{text}  shape {shape_text(value)}"


def clash(message: str, *values: Value, hint: str | None = None) -> ShapeError:
    return ShapeError(message, details="\n".join(map(shown, values)), hint=hint)


# -- the parts of formulas


def column(expr: Expr) -> Expr:
    """A formula with one axis as a column: A'*x for x'*A."""
    return as_row(expr) if expr.kind == ROW else expr


def row(expr: Expr) -> Expr:
    return as_row(expr) if expr.kind == VECTOR else expr


def transposed(expr: Expr) -> Expr:
    return algebra.transposed(expr)


def called(name: str, *args: Expr, type: Type | None = None, dim: int | None = None) -> Expr:
    """A function of the language; without a type, it has that of its first argument."""
    return Expr("call", args, Call(name, dim), type=type or args[0].type)


def ones(*dims: Dim) -> Expr:
    return called("ones", *map(size, dims), type=of_order(dims))


def eye(dim: Dim) -> Expr:
    return called("eye", size(dim), type=of_order((dim, dim)))


def matrix_product(*factors: Expr) -> Expr:
    return algebra.times(*factors)


def as_matrix(value: Value) -> Expr:
    """The formula of an array of two axes, standing as NumPy has it: a column, a row, a matrix, or a scalar."""
    if value.axes == (0, None):
        return column(value.expr)
    return row(value.expr) if value.axes == (None, 0) else value.expr


AXES_OF_KIND: dict[str, Axes] = {SCALAR: (None, None), VECTOR: (0, None), ROW: (None, 0), MATRIX: (0, 1)}


def from_matrix(expr: Expr, names: Names) -> Value:
    """An array of two axes from a formula that stands as it should."""
    return Value(expr, AXES_OF_KIND[expr.kind], names)


Place = int | Dim
"""A position, counted from 1."""
Picked = Place | tuple[Place, Place] | None
"""A position or a range with both ends, or everything: as the language has it."""


def index(expr: Expr, items: Sequence[Picked]) -> Expr:
    """``expr[items]``, as the language has it: counted from 1, ranges with both ends; places may be sizes, too."""
    dims = [
        d if item is None else as_dim(item[1]) - as_dim(item[0]) + ONE
        for item, d in zip(items, expr.dims, strict=True)
        if item is None or isinstance(item, tuple)
    ]
    if not dims:
        type_ = SCALAR_TYPE
    elif len(expr.dims) == 1:
        type_ = Type(expr.kind, tuple(dims))
    else:
        type_ = Type(MATRIX if len(dims) > 1 else ROW if isinstance(items[0], Place) else VECTOR, tuple(dims))
    parts = [_item(item) for item in items]
    bounds = [bound for _, sizes in parts for bound in sizes]
    return Expr("index", (expr, *bounds), tuple(item for item, _ in parts), type=type_)


def as_dim(place: Place) -> Dim:
    return Dim.of(place) if isinstance(place, int) else place


def _item(picked: Picked) -> tuple[object, tuple[Expr, ...]]:
    """An item of an index, with the sizes in it as formulas."""
    if isinstance(picked, Dim):
        return AT, (size(picked),)
    if isinstance(picked, tuple) and not all(isinstance(end, int) for end in picked):
        return RANGE, tuple(size(as_dim(end)) for end in picked)
    return picked, ()


def squeezed(value: Value, positions: Sequence[int] | None = None) -> Value:
    """Axes of the formula whose size is 1 (at these positions, or all) as axes that only NumPy sees."""
    chosen = range(len(value.axes)) if positions is None else positions
    drop = {value.axes[k] for k in chosen if value.axes[k] is not None and value.sizes[k] == ONE}
    if not drop or value.order > 2:
        return value
    expr = index(value.expr, [1 if axis in drop else None for axis in range(value.order)])
    kept = [axis for axis in range(value.order) if axis not in drop]
    axes = tuple(None if axis is None or axis in drop else kept.index(axis) for axis in value.axes)
    return value.but(expr, axes)


# -- broadcasting


def broadcast(values: Sequence[Value]) -> tuple[list[Expr], Axes, Names]:
    """The formulas brought to one shape, as NumPy would (a scalar stays one), the axes of the result, and the names."""
    names = joined([v.names for v in values])
    spread, sizes = _aligned(values)
    places = [k for k in range(len(sizes)) if any(v.axes[k] is not None for v in spread)]
    if len(places) > 2 and any(0 < v.order < len(places) for v in spread):
        raise NotSupported(
            "this would be an array of three axes or more, which formulas have only as np.einsum",
            details="\n".join(map(shown, values)),
            hint='np.einsum("ik,jk->ijk", X, Y); squared distances are ((X**2).sum(1)[:, None] + (Y**2).sum(1)'
            " - 2*X @ Y.T)",
        )
    exprs = [_expanded(v, places, sizes) for v in spread]
    if len(places) == 1 and any(e.kind == VECTOR for e in exprs):
        exprs = [column(e) for e in exprs]
    axes = tuple(places.index(k) if k in places else None for k in range(len(sizes)))
    return exprs, axes, names


def _aligned(values: Sequence[Value]) -> tuple[list[Value], list[Dim]]:
    """The values with as many axes each, new ones in front, and the sizes that they have together."""
    count = max(len(v.axes) for v in values)
    spread = _one_sided([v.but(v.expr, (None,) * (count - len(v.axes)) + v.axes) for v in values])
    return spread, [_common(values, {v.sizes[k] for v in spread}) for k in range(count)]


def _one_sided(values: list[Value]) -> list[Value]:
    """An axis of size 1 is dropped from a formula where another one lacks it, or has a larger one."""
    arrays = [v for v in values if v.order]
    if len(arrays) < 2:
        return values
    mixed = [k for k in range(len(values[0].axes)) if any(v.axes[k] is None or v.sizes[k] != ONE for v in arrays)]
    return [squeezed(v, mixed) for v in values]


def _common(values: Sequence[Value], sizes: set[Dim]) -> Dim:
    larger = sizes - {ONE}
    if len(larger) > 1:
        a, b = sorted(map(str, larger))[:2]
        raise clash(f"these shapes cannot be broadcast together: {a} and {b} differ", *values)
    return larger.pop() if larger else ONE


def _expanded(value: Value, places: Sequence[int], sizes: Sequence[Dim]) -> Expr:
    own = [k for k in places if value.axes[k] is not None]
    if not own or own == list(places):
        return value.expr
    if own == [places[0]]:
        return matrix_product(column(value.expr), transposed(ones(sizes[places[1]])))
    return matrix_product(ones(sizes[places[0]]), row(value.expr))


def one_axis_each(left: Value, right: Value) -> tuple[Value, Value, int, int] | None:
    """Two arrays that broadcast to a matrix although not both are one, and the axis that each has (2: both, -1: none).

    Their elementwise product is then a product with a diagonal matrix, or an outer product.
    """
    if max(len(left.axes), len(right.axes)) != 2:
        return None
    (a, b), _ = _aligned([left, right])
    which: dict[Axes, int] = {(0, 1): 2, (0, None): 0, (None, 0): 1}
    first, second = which.get(a.axes, -1), which.get(b.axes, -1)
    return None if -1 in (first, second) or first == second else (a, b, first, second)


def kind_of_product(left: Expr, operator: str, right: Expr) -> Type:
    assert left.type is not None
    assert right.type is not None
    return product_type(left.type, operator, right.type)
