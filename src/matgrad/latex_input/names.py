r"""Names as LaTeX writes them, ``\hat{\mathbf{W}}^{(1)}_{ij}``, and the text names that stand for them, one to one."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

from matgrad.formula.parser import CONSTANTS
from matgrad.formula.printing import GREEK
from matgrad.formula.tokens import normalise_name

BOLD, PLAIN, ROMAN, SCRIPT = "bold", "plain", "roman", "script"
GREEK_VARIANTS = {
    "varepsilon": "epsilon", "varphi": "phi", "vartheta": "theta", "varrho": "rho", "varsigma": "sigma", "varpi": "pi",
    "varkappa": "kappa",
}  # fmt: skip
GREEK_COMMANDS = {**{name: name for name in GREEK}, **GREEK_VARIANTS, "ell": "ell"}


class Name(NamedTuple):
    r"""A name as it is written. Two names are the same variable if all parts agree.

    ``indices`` are those subscripts that a sum around it runs over: ``y_i`` is the entry i of ``y``. Where the sum does
    not run from 1 to the end, ``block`` says from where to where it goes: 2 and n for ``y_{i+1}``, i from 1 to n - 1.
    """

    base: str
    style: str = PLAIN
    accent: str = ""
    sub: str = ""
    sup: str = ""
    command: str = ""
    indices: tuple[str, ...] = ()
    block: tuple[str, ...] = ()

    @property
    def upper(self) -> bool:
        return self.base[:1].isupper()

    @property
    def latex(self) -> str:
        """The name in LaTeX, as it prints."""
        body = "\\" + (self.command or self.base) if self.base in GREEK or self.command else self.base
        if self.style == BOLD:
            letters = (
                body if len(self.base) == 1 else body if body.startswith("\\") else rf"\mathit{{{_escaped(body)}}}"
            )
            body = rf"\boldsymbol{{{letters}}}" if len(self.base) > 1 else rf"\mathbf{{{letters}}}"
        elif self.style == SCRIPT:
            body = rf"\mathcal{{{body}}}"
        elif not body.startswith("\\") and len(body) > 1:
            body = rf"\mathit{{{_escaped(body)}}}"
        if self.accent:
            body = rf"\{self.accent}{{{body}}}"
        sub = self.sub if len(self.sub) == 1 or not self.sub.isalpha() else rf"\mathrm{{{self.sub}}}"
        scripts = (f"_{{{sub}}}" if sub else "") + (f"^{{({self.sup})}}" if self.sup else "")
        return f"{{{body}{scripts}}}" if self.sup else body + scripts


class NameTable:
    """Which text name stands for which LaTeX name, within one formula."""

    def __init__(self, known: Iterable[str], spelled: Mapping[str, str]) -> None:
        self.known = set(known)
        self._text: dict[Name, str] = {}
        self._taken: dict[str, Name] = {}
        self._spelled = {latex: text for text, latex in spelled.items()}

    def text(self, name: Name) -> str:
        """The text name: a known one where one fits, else the first of the candidates that is free."""
        if name not in self._text:
            self._text[name] = self._chosen(name)
            self._taken[self._text[name]] = name
        return self._text[name]

    def _chosen(self, name: Name) -> str:
        spelled = self._spelled.get(name.latex)
        if spelled is not None:
            return spelled
        candidates = [c for c in _candidates(name) if normalise_name(c) == c]
        if name.style == BOLD:
            candidates = [c for c in candidates if c not in CONSTANTS] or [f"{name.base}_{BOLD}"]
        free = [c for c in candidates if c not in self._taken]
        return next((c for c in free if c in self.known), None) or next(iter(free), None) or self._numbered(candidates)

    def _numbered(self, candidates: list[str]) -> str:
        stem = candidates[0] if candidates else "v"
        count = 2
        while f"{stem}_{count}" in self._taken:
            count += 1
        return f"{stem}_{count}"

    def alike(self, name: Name, known: Container[str]) -> str | None:
        """A known text name of the same letter and subscript, whatever else its LaTeX has."""
        same = (text for n, text in self._text.items() if (n.base, n.sub) == (name.base, name.sub))
        return next((text for text in same if text in known), None)

    def spelling(self) -> dict[str, str]:
        """Each text name with its LaTeX."""
        return {text: name.latex for name, text in self._text.items()}


def _candidates(name: Name) -> Iterable[str]:
    """Text names that would do, the most natural first.

    >>> list(_candidates(Name("W", sup="1")))[:2], list(_candidates(Name("y", accent="hat", sub="i")))[0]
    (['W1', 'W_1'], 'y_hat_i')
    """
    accent = f"_{name.accent}" if name.accent else ""
    sub, sup = _worded(name.sub), _worded(name.sup)
    stems = [name.base + accent]
    if name.style == SCRIPT:
        stems.append(f"{name.base}{accent}_cal")
    if name.style == BOLD:
        stems.append(f"{name.base}{accent}_bold")
    if name.command in GREEK_VARIANTS:
        stems.append(name.command + accent)
    for stem in stems:
        tails = [part for part in (sup, sub) if part]
        if not tails:
            yield stem
            continue
        joined = "_".join(tails)
        if len(tails) == 1 and joined.isdigit() and not accent:
            yield stem + joined
        yield f"{stem}_{joined}"


def _worded(script: str) -> str:
    """A sub- or superscript as part of a name.

    >>> _worded("t+1"), _worded("max"), _worded("i,j")
    ('t_plus_1', 'max', 'i_j')
    """
    spelled = script.replace("+", "_plus_").replace("-", "_minus_").replace("*", "star").replace("'", "_prime")
    return re.sub(r"_+", "_", re.sub(r"\W+", "_", spelled)).strip("_")


def _escaped(text: str) -> str:
    return text.replace("_", r"\_")
