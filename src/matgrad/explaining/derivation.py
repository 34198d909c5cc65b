"""A derivation: lines that have been checked, printed for a terminal, a notebook, a paper or a program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from matgrad.explaining import render
from matgrad.explaining.lines import LET, Line
from matgrad.explaining.words import Words
from matgrad.formula.syntax import walk

UNDECIDED = "not checked: no random point was found at which the formula is finite and away from kinks"


@dataclass(frozen=True)
class Derivation:
    """The lines of one derivation, in order; every one has been checked at ``points`` random points.

    >>> from matgrad import explain
    >>> derivation = explain("x'*A*x", "x")
    >>> print(derivation)
    f  = xᵀ A x
    df = dxᵀ A x + xᵀ A dx          product rule: d(u v) = d(u) v + u d(v)
       = xᵀ Aᵀ dx + xᵀ A dx         a scalar equals its transpose: uᵀ U v = vᵀ Uᵀ u
       = (A x)ᵀ dx + (Aᵀ x)ᵀ dx     move a matrix across: uᵀ U v = (Uᵀ u)ᵀ v
       = ((A + Aᵀ) x)ᵀ dx           collect the terms: uᵀ v + wᵀ v = (u + w)ᵀ v
    ∇f = (A + Aᵀ) x                 read off the gradient: d(f) = gᵀ d(x)
    """

    formula: str
    wrt: tuple[str, ...]
    order: int
    style: str
    lines: tuple[Line, ...]
    words: Words = field(repr=False)
    points: int = 0
    max_relative_error: float = 0.0
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, index: int) -> Line:
        return self.lines[index]

    def brief(self) -> Derivation:
        """Main lines only, and the names that they use."""
        lines = self.lines
        chosen = {
            k for k, line in enumerate(lines)
            if line.main or (line.continues and (k + 1 == len(lines) or lines[k + 1].left != line.left))
        }  # fmt: skip
        used: set[str] = set()
        for k in reversed(range(len(lines))):
            line = lines[k]
            if line.part == LET and line.left.value in used:
                chosen.add(k)
            if k in chosen:
                used |= {node.value for node in walk(line.right) if node.op == "name"}
        kept: list[Line] = []
        for k in sorted(chosen):
            continues = bool(kept) and kept[-1].left == lines[k].left and kept[-1].part == lines[k].part
            kept.append(lines[k]._replace(continues=continues))
        return replace(self, lines=tuple(kept))

    @property
    def text(self) -> str:
        """For a terminal, in Unicode."""
        return render.terminal(self.lines, self.words, self.notes)

    def __str__(self) -> str:
        return self.text

    @property
    def markdown(self) -> str:
        """A table with LaTeX between dollar signs."""
        return render.markdown(self.lines, self.words, self.notes)

    @property
    def latex(self) -> str:
        """An ``align*`` environment."""
        return render.latex(self.lines, self.words)

    def _repr_html_(self) -> str:
        return render.html(self.lines, self.words, self.notes)

    @property
    def html(self) -> str:
        return self._repr_html_()

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain data for JSON."""
        return {
            "formula": self.formula,
            "wrt": list(self.wrt),
            "order": self.order,
            "style": self.style,
            "lines": [render.as_data(line, self.words) for line in self.lines],
            "check": {"points": self.points, "max_relative_error": self.max_relative_error},
            "notes": list(self.notes),
        }

    @property
    def json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
