"""What a derivation is made of: laws and lines, as plain data."""

from __future__ import annotations

from typing import Any, NamedTuple

from matgrad.formula.syntax import Expr

Path = tuple[int, ...]
"""The way to a part of a tree: which argument to take at each step."""

GIVEN, LET, STEP, ANSWER = "given", "let", "step", "answer"


class Law(NamedTuple):
    """A rule's name, its law in matgrad's notation (``d(...)`` is a differential), and its reason or source.

    ``instance`` says that the law is about the formula's own names: S' = S.
    """

    rule: str
    law: str = ""
    reason: str = ""
    instance: bool = False


class Line(NamedTuple):
    """One equation ``left = right``.

    ``part`` is given, let, step or answer. ``before`` is the expression that the law was applied to, ``where`` the
    parts of it in which the law acted, and ``right`` what came out. ``continues`` says that left is that of the line
    above, ``main`` that a brief derivation keeps the line; ``numbers`` is its value, where a point was given.
    """

    part: str
    left: Expr
    right: Expr
    law: Law
    before: Expr | None = None
    where: tuple[Path, ...] = ()
    continues: bool = False
    main: bool = True
    remark: str = ""
    numbers: Any = None
