"""The plan: which operations on whole arrays compute a graph, in any backend.

A step is one operation with its operands, and equal steps are one, so what is common is computed once. Axes are
explicit: a step never broadcasts but where a ``view`` has put axes of length 1. ``number`` is a rational constant;
all other shapes are symbolic. Operations:

    input size number constant                 leaves
    view                                       axes exchanged, left out (none) or added (None) for broadcasting
    map power series                           functions of entries; ``series`` has a radius and coefficients
    length                                     of all sides of a root of squares: hypot, log1p_square
    linear mul div                             sums with rational coefficients, products, quotients of entries
    sum reduce                                 over axes; ``reduce`` is softmax, max, … over the last ones
    spread matmul inner tensordot einsum       products of two; ``spread`` sums nothing
    stack                                      equal shapes along a new first axis
    gram                                       Z'·Z over the first axes of Z: symmetric
    smooth                                     inv(s·x + c·eye)·x, of x, the inverse, s and c
    index slice place reshape mask diagonal    parts of arrays, arrays in parts of others
    expand embed add_diagonal                  to a larger shape, onto a diagonal
    factor solve inverse det logdet            of square matrices
    apply matrix_power call                    other functions of matrices; functions that are given
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

from matgrad.dims import ONE, Dim

Shape = tuple[Dim, ...]
Axes = tuple[int | None, ...]
Labels = tuple[int, ...]


ENTRYWISE = frozenset(("map", "power", "linear", "mul", "div"))
"""Operations on entries: of symmetric matrices and numbers they give symmetric matrices."""


class Step:
    """One operation; compared by identity, since ``Plan.step`` makes equal ones once: a sum or a product of entries in
    any order."""

    __slots__ = ("args", "index", "op", "param", "shape")

    def __init__(self, op: str, args: tuple[Step, ...], param: Any, shape: Shape, index: int) -> None:
        self.op = op
        self.args = args
        self.param = param
        self.shape = shape
        self.index = index

    def __repr__(self) -> str:
        return f"%{self.index} = {self.op}{tuple(f'%{a.index}' for a in self.args)} {self.param} {self.shape}"


class Plan:
    """Steps in the order in which they were made: operands come first.

    With ``blas``, products of matrices are much faster than other operations, and transposes are views that cost
    nothing: X'·diag(w)·X with w ≥ 0 becomes a symmetric product, a sum of outer products one of stacks, and a large
    outer product is written in the order of its factors. With ``subgradient``, as in a first derivative, 0/norm2(x)
    is 0 at 0.
    """

    def __init__(self, blas: bool = True, subgradient: bool = False) -> None:
        self.blas = blas
        self.subgradient = subgradient
        self.steps: dict[tuple[Any, ...], Step] = {}
        self.hints: dict[Step, str] = {}
        self.symmetric: set[Step] = set()

    def step(self, op: str, args: Sequence[Step] = (), param: Any = None, shape: Shape = ()) -> Step:
        indices = tuple([a.index for a in args])
        key: tuple[Any, ...] = (op, indices, param, shape)
        if op == "linear":
            key = (op, tuple(sorted(zip(indices, param, strict=True))), shape)
        elif op == "spread":
            key = (op, frozenset(zip(indices, param[:-1], strict=True)), param[-1], shape)
        elif op == "mul" or (op == "inner" and len(args[0].shape) == 1):
            key = (op, frozenset(indices), shape)
        found = self.steps.get(key)
        if found is None:
            found = Step(op, tuple(args), param, tuple(shape), len(self.steps))
            self.steps[key] = found
            if len(shape) == 2 and self._is_mirrored(found):
                self.symmetric.add(found)
        return found

    def _is_mirrored(self, x: Step) -> bool:
        """Whether a matrix is symmetric since its parts are: P + c*Q, u*u'/c, A*P*A'."""
        if x.op in ENTRYWISE:
            return all(not part.shape or part in self.symmetric for part in x.args)
        if x.op == "spread":
            return len({_direction(part) for part in x.args}) == 1 and all(len(part.shape) == 1 for part in x.args)
        if x.op == "matmul":
            a, b = x.args
            if a.op == "matmul" and a.args[1] in self.symmetric:
                return are_transposes(a.args[0], b)
            return b.op == "matmul" and b.args[0] in self.symmetric and are_transposes(a, b.args[1])
        return False

    @contextmanager
    def tried(self) -> Iterator[list[Step]]:
        """What is made inside is listed in the end, and taken back, if it is new."""
        known = len(self.steps)
        made: list[Step] = []
        yield made
        made += [self.steps.pop(key) for key in list(self.steps)[known:]]

    # -- leaves

    def number(self, value: Fraction | int) -> Step:
        return self.step("number", (), Fraction(value))

    def input(self, name: str, shape: Shape) -> Step:
        return self.step("input", (), name, shape)

    def size(self, dim: Dim) -> Step:
        return self.number(dim.number) if dim.number is not None else self.step("size", (), dim)

    # -- moving axes

    def view(self, x: Step, axes: Axes) -> Step:
        """The axes of x in another order; None is a new axis of length 1."""
        if x.op == "view":
            return self.view(x.args[0], tuple(None if a is None else x.param[a] for a in axes))
        while axes and axes[0] is None:
            axes = axes[1:]
        if axes == tuple(range(len(x.shape))) or (axes == (1, 0) and x in self.symmetric):
            return x
        return self.step("view", (x,), axes, tuple(ONE if a is None else x.shape[a] for a in axes))

    def aligned(self, x: Step, labels: Sequence[int], wanted: Sequence[int]) -> Step:
        """x with its axes where an array with the wanted labels has them."""
        places = {label: axis for axis, label in enumerate(labels)}
        return self.view(x, tuple(places.get(label) for label in wanted))

    def reshape(self, x: Step, shape: Shape) -> Step:
        if x.op == "reshape":
            x = x.args[0]
        return x if x.shape == shape else self.step("reshape", (x,), None, shape)

    def place(self, x: Step, axis: int, part: Dim | tuple[Dim, Dim], total: Dim) -> Step:
        """x in an array of zeros: along the axis at (offset, length), or as the entry at an index of a new axis."""
        inner, parts, shape = (*x.args, x.param, x.shape) if x.op == "place" else (x, (None,) * len(x.shape), x.shape)
        if isinstance(part, Dim):
            parts, shape = (*parts[:axis], part, *parts[axis:]), (*shape[:axis], total, *shape[axis:])
        else:
            old = parts[axis]
            if isinstance(old, Dim):
                part = old + part[0]
            elif old is not None:
                part = (old[0] + part[0], old[1])
            parts, shape = (*parts[:axis], part, *parts[axis + 1 :]), (*shape[:axis], total, *shape[axis + 1 :])
        return self.step("place", (inner,), parts, shape)

    # -- entries

    def mul(self, a: Step, b: Step) -> Step:
        """a·b entry by entry; a factor 1/y divides."""
        if a.op == "number" and b.op == "number":
            return self.number(a.param * b.param)
        for x, y in ((a, b), (b, a)):
            if x.op == "number" and x.param == 1:
                return y
        for x, y in ((a, b), (b, a)):
            below = self._below(y)
            if below is not None:
                return self.div(x, below)
        if a.op == "number" and abs(a.param.numerator) == 1 and a.param.denominator != 1:
            return self.div(self.mul(self.number(a.param.numerator), b), self.number(a.param.denominator))
        if b.op == "number":
            a, b = b, a
        if a.op == "number" and b.op == "mul" and b.args[0].op == "number":
            return self.mul(self.number(a.param * b.args[0].param), b.args[1])
        for x, y in ((a, b), (b, a)):
            if y.op == "power" and y.param == 2 and y.shape and x.shape == y.shape:  # x·y² by x·y, where that is known
                known = self.steps.get(("mul", frozenset((x.index, y.args[0].index)), x.shape))
                if known is not None:
                    return self.mul(known, y.args[0])
        return self.step("mul", (a, b), None, broadcast(a.shape, b.shape))

    def spread(self, a: tuple[Step, Labels], b: tuple[Step, Labels], out: Labels) -> Step:
        """a·b entry by entry, where each has axes that the other has not; 1/y divides."""
        if self._below(a[0]) is not None or self._below(b[0]) is not None:
            return self.mul(self.aligned(*a, out), self.aligned(*b, out))
        number = {x: i for i, x in enumerate(out)}
        pattern = tuple(tuple(number[x] for x in labels) for labels in (a[1], b[1], out))
        sizes = {x: d for step, labels in (a, b) for x, d in zip(labels, step.shape, strict=True)}
        return self.step("spread", (a[0], b[0]), pattern, tuple(sizes[x] for x in out))

    def div(self, a: Step, b: Step) -> Step:
        if b.op == "number" and b.param == 1:
            return a
        if a.op == "number" and b.op == "number":
            return self.number(a.param / b.param)
        over = self.subgradient and _is_norm(b) and not any(step.op == "over" for step in needed([a]))
        return self.step("over" if over else "div", (a, b), None, broadcast(a.shape, b.shape))

    def at_kink(self, x: Step) -> bool:
        """Whether x is 1/norm, by which 0 is 0 where the norm is 0; by a power of the norm it is not."""
        below = self._below(x) if self.subgradient else None
        return below is not None and _is_norm(below)

    def _below(self, x: Step) -> Step | None:
        """y, where x is 1/y or a view of it."""
        if x.op == "view":
            below = self._below(x.args[0])
            return None if below is None else self.view(below, x.param)
        if x.op == "power" and x.param < 0:
            return self.power(x.args[0], -x.param)
        return None

    def power(self, x: Step, exponent: Fraction) -> Step:
        if exponent == 1:
            return x
        if x.op == "number" and exponent.denominator == 1:
            return self.number(x.param**exponent.numerator)
        return self.step("power", (x,), exponent, x.shape)

    def linear(self, terms: Sequence[tuple[Fraction, Step]]) -> Step:
        """Σ c·x entry by entry."""
        factors: dict[Step, Fraction] = {}
        for c, x in terms:
            factors[x] = factors.get(x, Fraction(0)) + c
        terms = [(c, x) for x, c in factors.items()]
        if len(terms) == 1:
            return self.mul(self.number(terms[0][0]), terms[0][1])
        shape: Shape = ()
        for _, x in terms:
            shape = broadcast(shape, x.shape)
        return self.step("linear", [x for _, x in terms], tuple([c for c, _ in terms]), shape)

    def stack(self, parts: Sequence[Step]) -> Step:
        return self.step("stack", parts, None, (Dim.of(len(parts)), *parts[0].shape))

    def sum(self, x: Step, axes: Sequence[int]) -> Step:
        gone = tuple(sorted(axes))
        if not gone:
            return x
        return self.step("sum", (x,), gone, tuple(d for i, d in enumerate(x.shape) if i not in gone))


def _direction(x: Step) -> Step:
    """x without factors that are numbers."""
    while x.op in ("mul", "div"):
        shaped = [part for part in x.args if part.shape]
        if len(shaped) != 1 or shaped[0] is not x.args[0 if x.op == "div" else x.args.index(shaped[0])]:
            return x
        x = shaped[0]
    return x


def are_transposes(a: Step, b: Step) -> bool:
    """Whether one matrix is the transpose of the other."""
    return any(y.op == "view" and y.param == (1, 0) and y.args[0] is x for x, y in ((a, b), (b, a)))


def _is_norm(step: Step) -> bool:
    """Whether a divisor is the norm of an array: at its kink 0/norm is 0 in a first derivative."""
    while step.op in ("view", "expand") or is_chosen(step):
        step = step.args[is_chosen(step)]
    return step.op == "reduce" and step.param[0] == "safe_norm"


def is_chosen(step: Step) -> bool:
    """Whether it is its second argument, but for what a test masks."""
    return step.op == "map" and step.param == "chosen"


def broadcast(a: Shape, b: Shape) -> Shape:
    """The shape of an operation on entries of arrays of these shapes."""
    if len(a) < len(b):
        a, b = b, a
    b = (ONE,) * (len(a) - len(b)) + b
    return tuple(y if x == ONE else x for x, y in zip(a, b, strict=True))


def needed(outputs: Sequence[Step]) -> list[Step]:
    """The steps on which the outputs depend, operands first."""
    seen: set[Step] = set()
    stack = list(outputs)
    while stack:
        step = stack.pop()
        if step not in seen:
            seen.add(step)
            stack += step.args
    return sorted(seen, key=lambda step: step.index)


def uses(steps: Sequence[Step], outputs: Sequence[Step]) -> dict[Step, int]:
    """How often each step is an operand, or an output."""
    found = dict.fromkeys(steps, 0)
    for step in _operands(steps):
        found[step] += 1
    for step in outputs:
        found[step] += 1
    return found


def _operands(steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        yield from step.args
