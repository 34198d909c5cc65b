"""The tensor graph: frozen, interned nodes in Einstein notation.

Equality of nodes is identity, so every pass can memoise. Eight kinds:

* ``Symbol``   – a variable, with the traits it was declared with (symmetric, spd, positive, …);
* ``Constant`` – a fixed array: a dimension as a number, a unit vector, a mask, the map that fuses two axes;
* ``Einsum``   – any product and contraction. A label that occurs twice in ``out`` is a diagonal, so the
  identity is the Einsum without operands and with ``out = (0, 0)``; a label of ``out`` that no operand has
  is a broadcast; a number is the Einsum with no operands and no labels;
* ``Sum``      – a linear combination, with rational coefficients;
* ``Map``      – an elementwise function of arguments of one shape;
* ``Apply``    – any other function (inv, det, logsumexp, …), along the last axes of its argument;
* ``MatrixPower`` – X^k with an exponent that is no number, but stands for an integer;
* ``Named``    – a named intermediate: opaque to the normal form, transparent to differentiation.

Nodes are made by ``builders`` only, and never know anything but their own fields.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b
from typing import Any, ClassVar, TypeVar
from weakref import ref

from matgrad.dims import Dim

Shape = tuple[Dim, ...]
Spelling = Callable[[Any], Any]


class Node:
    """The base of all nodes: a shape, a digest that orders nodes alike in every process, and a memo."""

    __slots__ = ("__weakref__", "_digest", "extent", "memo", "shape")
    __match_args__: ClassVar[tuple[str, ...]] = ()
    shape: Shape
    extent: int
    """The number of nodes that it takes to write it out; a named intermediate is written as its name."""
    memo: dict[str, Any]
    _digest: int | None

    @property
    def children(self) -> tuple[Node, ...]:
        """The nodes that this one is made of. Each kind says so itself: one that did not would pass for a constant."""
        raise NotImplementedError(type(self).__name__)

    @property
    def heads(self) -> tuple[type | str, ...]:
        """What laws ask for: its kind, or the function that it applies; of a power its base's, too."""
        return (type(self),)

    @staticmethod
    def spelled(_name: Spelling, _number: Spelling, *values: Any) -> tuple[Any, ...]:
        """The values of the fields, with a name in place of every child, and a spelling of every coefficient."""
        return values

    @property
    def digest(self) -> int:
        """A number that depends on the structure alone. It is found when nodes are first put in order."""
        if self._digest is None:
            _find_digest(self)
        return self._digest  # type: ignore[return-value]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(getattr(self, f)) for f in self.__match_args__)})"


@dataclass(slots=True, eq=False, repr=False)
class Symbol(Node):
    name: str
    shape: Shape
    traits: frozenset[str]

    @property
    def children(self) -> tuple[Node, ...]:
        return ()


@dataclass(slots=True, eq=False, repr=False)
class Constant(Node):
    """``name`` is one of size, pi, unit, shift, fuse, tril, triu; ``parameter`` says which one, or which diagonal."""

    name: str
    shape: Shape
    parameter: Any

    @property
    def children(self) -> tuple[Node, ...]:
        return ()


@dataclass(slots=True, eq=False, repr=False)
class Einsum(Node):
    coefficient: Fraction
    operands: tuple[Node, ...]
    subscripts: tuple[tuple[int, ...], ...]
    out: tuple[int, ...]
    sizes: Shape

    @property
    def children(self) -> tuple[Node, ...]:
        return self.operands

    @staticmethod
    def spelled(name: Spelling, number: Spelling, *values: Any) -> tuple[Any, ...]:
        coefficient, operands, subscripts, out, sizes = values
        return number(coefficient), tuple(map(name, operands)), subscripts, out, sizes


@dataclass(slots=True, eq=False, repr=False)
class Sum(Node):
    terms: tuple[tuple[Fraction, Node], ...]

    @property
    def children(self) -> tuple[Node, ...]:
        return tuple(node for _, node in self.terms)

    @staticmethod
    def spelled(name: Spelling, number: Spelling, *values: Any) -> tuple[Any, ...]:
        (terms,) = values
        return (tuple([(number(factor), name(node)) for factor, node in terms]),)


@dataclass(slots=True, eq=False, repr=False)
class Map(Node):
    """``parameter`` is the exponent of a ``power``, and (name, primes) of an unspecified ``function``."""

    function: str
    args: tuple[Node, ...]
    parameter: Any

    @property
    def children(self) -> tuple[Node, ...]:
        return self.args

    @property
    def heads(self) -> tuple[type | str, ...]:
        return (self.function, *self.args[0].heads) if self.function == "power" else (self.function,)

    @staticmethod
    def spelled(name: Spelling, _number: Spelling, *values: Any) -> tuple[Any, ...]:
        function, args, parameter = values
        return function, tuple(map(name, args)), parameter


@dataclass(slots=True, eq=False, repr=False)
class Apply(Node):
    """``parameter`` is the number of last axes over which a reduction runs; None for matrix functions."""

    function: str
    arg: Node
    parameter: Any
    shape: Shape

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.arg,)

    @property
    def heads(self) -> tuple[type | str, ...]:
        return (self.function,)

    @staticmethod
    def spelled(name: Spelling, _number: Spelling, *values: Any) -> tuple[Any, ...]:
        function, arg, parameter, shape = values
        return function, name(arg), parameter, shape


@dataclass(slots=True, eq=False, repr=False)
class MatrixPower(Node):
    """X^k for a square X; the exponent is a node of order 0, whose values are integers."""

    base: Node
    exponent: Node

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.base, self.exponent)

    @staticmethod
    def spelled(name: Spelling, _number: Spelling, *values: Any) -> tuple[Any, ...]:
        base, exponent = values
        return name(base), name(exponent)


@dataclass(slots=True, eq=False, repr=False)
class Named(Node):
    """``symmetric``: its value is, and it is only read, not differentiated in, where entries would be free."""

    name: str
    value: Node
    symmetric: bool

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.value,)

    @staticmethod
    def spelled(name: Spelling, _number: Spelling, *values: Any) -> tuple[Any, ...]:
        named, value, symmetric = values
        return (named, name(value), symmetric) if symmetric else (named, name(value))


_TABLE: dict[tuple[Any, ...], ref[Node]] = {}
_LOCK = threading.Lock()
_LEAST = 1000
"""Entries of the table up to which those of nodes that are gone are left in it."""
_most = _LEAST
N = TypeVar("N", bound=Node)


def intern(kind: type[N], shape: Shape, *values: Any) -> N:
    """The one node with these values of its fields; only builders call this."""
    # Children by id: a node keeps its children alive, and its key must not, or no cycle could be collected.
    # An id that is used again can only be found in the entry of a node that is gone, as its child is.
    key = (kind, *kind.spelled(id, Fraction.as_integer_ratio, *values))
    with _LOCK:
        entry = _TABLE.get(key)
        found = entry() if entry is not None else None
        if found is None:
            found = kind(*values)
            found.shape = shape
            found.extent = 1 if kind is Named else 1 + sum([child.extent for child in found.children])
            found.memo = {}
            found._digest = None
            _TABLE[key] = ref(found)
            if len(_TABLE) > _most:
                _sweep()
    return found  # type: ignore[return-value]


def _sweep() -> None:
    """Drop the entries of nodes that are gone: so rarely that it costs as much as making the nodes did."""
    global _most  # noqa: PLW0603
    for key in [key for key, entry in _TABLE.items() if entry() is None]:
        del _TABLE[key]
    _most = _LEAST + 2 * len(_TABLE)


def _find_digest(root: Node) -> None:
    """Digests of the node and of what is below it, children first, without recursion."""
    stack = [root]
    while stack:
        node = stack[-1]
        missing = [child for child in node.children if child._digest is None]
        if missing:
            stack += missing
            continue
        stack.pop()
        values = node.spelled(_known_digest, _itself, *[getattr(node, name) for name in node.__match_args__])
        text = repr((type(node).__name__, [sorted(v) if isinstance(v, frozenset) else v for v in values]))
        node._digest = int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


def _known_digest(node: Node) -> int | None:
    return node._digest


def _itself(number: Fraction) -> Fraction:
    return number


def topological(*roots: Node, skip: Container[Node] = ()) -> list[Node]:
    """Every node below the roots once, children before parents, without recursion; ``skip`` is not entered."""
    order: list[Node] = []
    seen: set[Node] = set()
    stack: list[Node | None] = [root for root in reversed(roots) if root not in skip]
    while stack:
        node = stack.pop()
        if node is None:  # all below the next one has been ordered
            order.append(stack.pop())  # type: ignore[arg-type]
        elif node not in seen:
            seen.add(node)
            if children := node.children:
                stack += (node, None)
                stack += [c for c in reversed(children) if c not in seen and c not in skip]
            else:
                order.append(node)
    return order
