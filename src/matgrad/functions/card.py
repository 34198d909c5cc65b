"""What a function card holds: all that matgrad knows about one function, as plain data.

A card belongs to one of five families, by how its derivative is given:

* ``elementwise`` – ``derivative`` is the scalar derivative in ``x`` (``"1 - tanh(x)^2"``), or ``partials``;
* ``reduction``   – over all entries, or along ``dim``; ``differential`` is linear in ``dx``
  (``"sum(softmax(x).*dx)"``), where ``sum`` and the like run over the axes that the function reduces;
* ``matrix``      – ``differential`` in ``X`` and ``dX`` (``"tr(inv(X)*dX)"``);
* ``structural``  – linear in each argument and given whole by its signature, read as an index pattern;
* ``defined``     – ``definition`` in terms of other functions of ``x``;
* ``constructor`` – constants sized by context (eye, ones, vector, unit, …).

A signature names the dimensions of the arguments and of the result: ``"ii->"`` takes a square matrix and
gives a scalar, ``"ij->j'"`` gives a row, ``"ij,kl->(ik)(jl)"`` fuses dimensions (first index slowest),
``"*->*"`` is elementwise and ``"*->"`` reduces anything to a scalar. ``signatures`` maps ``dim`` (None, 1, 2)
to the alternatives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Whole(NamedTuple):
    """The argument that has to be a whole number, written as one: k in triu(X, k). Nothing depends on it."""

    name: str
    meaning: str
    least: int | None = None


@dataclass(frozen=True)
class Card:
    """One function.

    ``value`` is for the reference evaluator: complex-safe, given ``np`` first (a constructor is then given its
    shape), and ``axis=`` for reductions. ``numpy`` is the code that is generated (``#1`` is the argument, ``#axis``
    the axis argument), ``numpy_pair`` the code for two arguments, ``helper`` the source of a function that the code
    calls. ``latex`` and ``unicode`` are templates in ``#1``, or without it the name of an operator that is applied
    in brackets; ``latex_matrix`` and ``unicode_matrix`` are those for a matrix argument. ``needs`` is the domain,
    ``smooth`` where it can be differentiated, both as comparisons of formulas in ``x`` (``"x > 0"``,
    ``"det(X) != 0"``); ``kink`` says what is used elsewhere.
    A function of several numbers names them in ``arguments``; its derivatives in each are ``partials``. ``whole`` says
    which of them is a whole number in every formula; it has no derivative, so its partial is empty.
    ``harmless`` is for a function that may overflow at a moderate argument, or is undefined at some: arguments at which
    it and all its derivatives are finite, None for one that may be anything.
    ``exact`` is the value of a smooth elementwise function to any precision, given ``mpmath`` first, for tests.

    ``facts`` are what the normal form and the facts of expressions use, each a word with its value; ``facts_at(k)``
    gives them where they differ with the whole number:

    * ``range`` – ``positive`` or ``nonnegative``: every value is; ``that of x``: if all arguments are;
    * ``bounded`` – ``1``: all values are between -1 and 1;
    * ``at 0``, ``at 1`` – the value there, where it is rational (``"1/2"``);
    * ``parity`` – ``odd``: f(-x) = -f(x), or ``even``: f(-x) = f(x);
    * ``degree`` – ``1`` or ``0``: f(c*x) = c^degree*f(x) for every c > 0;
    * ``on positive``, ``on nonnegative`` – what f(x) is for such x: ``x``, or a number;
    * ``undoes`` – the function g with f(g(x)) = x wherever g(x) is defined;
    * ``quotient`` – ``sin/cos``: f(x) = sin(x)/cos(x);
    * ``0 over it`` – what 0/f(x) is taken as where f(x) = 0, in a derivative: the subgradient x/norm2(x) at 0;
    * ``even powers`` – ``smooth``: f(x)^2, f(x)^4, … have derivatives where f has a kink;
    * ``of a scalar`` – what a reduction or a function of a matrix is of a single number, as a law in ``x``;
    * ``convex on``, ``concave on``, ``log-concave on``, ``increasing on``, ``decreasing on`` – for which arguments in
      the domain: ``all``, ``positive``, ``nonnegative``, ``nonpositive``; ``spd`` for a function of a matrix,
      in the order X ⪯ Y if Y − X is positive semidefinite. Increasing is in the wide sense.
    """

    name: str
    family: str
    signatures: Mapping[int | None, tuple[str, ...]]
    because: str
    value: Callable[..., Any] | None = None
    numpy: str = ""
    numpy_pair: str = ""
    helper: str = ""
    latex: str = ""
    unicode: str = ""
    latex_matrix: str = ""
    unicode_matrix: str = ""
    derivative: str = ""
    arguments: tuple[str, ...] = ("x",)
    partials: tuple[str, ...] = ()
    differential: str = ""
    definition: str = ""
    needs: str = ""
    smooth: str = ""
    kink: str = ""
    laws: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    whole: Whole | None = None
    facts_at: Callable[[int], Mapping[str, str]] | None = None
    source: str = ""
    scipy: bool = False
    exact: Callable[..., Any] | None = None
    harmless: tuple[str | None, ...] = ()

    @property
    def slopes(self) -> tuple[str, ...]:
        """The derivatives of an elementwise function, one for each argument."""
        return self.partials or (self.derivative,)

    @property
    def of_pairs(self) -> bool:
        """Whether it is a function of two numbers, entry by entry, and of nothing else: hypot, not max."""
        return self.signatures.get(None) == ("*,*->*",)

    @property
    def to_number(self) -> bool:
        """Whether it takes a whole array to a number (det, max), not to an array (inv, softmax): by its signature."""
        return not self.signatures[None][0].partition("->")[2]
