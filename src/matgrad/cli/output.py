"""What the command line prints: aligned lines, in Unicode or in what the terminal can encode.

A report is made of rows (label, text, remark); remarks stand in a column of their own, or on a line of their own
where the text is too wide.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matgrad.answer.derivative import Derivative
from matgrad.answer.formula import Formula
from matgrad.certificates.findings import Facts
from matgrad.diagnosing.verdict import Verdict
from matgrad.formula.syntax import Expr, Program
from matgrad.formula.text import declaration_text, type_text
from matgrad.formula.unicode import to_unicode

REMARKS_AT = 28
WIDEST = 44
"""A text that reaches further right has its remark on a line of its own."""
LONG = 60
"""A text that is longer is shown with names for the parts that it repeats."""
_MOST_ENTRIES = 400
_ASCII: dict[str, str | int | None] = {
          "∇": "grad ", "∂": "d", "≠": "!=", "≥": ">=", "≤": "<=", "≻": ">", "⪰": ">=", "·": ";", "↦": "->", "−": "-",
          "…": "...", "′": "'", "⊗": "(x)", "→": "->", "π": "pi", "²": "^2", "³": "^3", "⁴": "^4", "×": "x",
          "∞": "inf", "“": '"', "”": '"', "‖": "||", "∈": "in"}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A line: ``label = text   remark`` if ``equation``, else ``label  text``."""

    label: str
    text: str
    remark: str = ""
    equation: bool = False


def aligned(blocks: Sequence[Sequence[Row]]) -> str:
    """Blocks of rows, separated by empty lines, all with the same columns.

    >>> print(aligned([[Row("f(x)", "x'*x", "x: vector(n)", True), Row("text", "2*x")]]))
    f(x) = x'*x                 x: vector(n)
    text   2*x
    """
    rows = [row for block in blocks for row in block]
    label = max([len(r.label) for r in rows if r.equation] + [len(r.label) - 1 for r in rows if not r.equation])
    indent = label + 3
    fitting = [indent + len(r.text) for r in rows if r.remark and indent + len(r.text) <= WIDEST]
    column = max([REMARKS_AT, *(width + 4 for width in fitting)])
    return "\n\n".join("\n".join(line for row in block for line in _lines(row, label, column)) for block in blocks)


def _lines(row: Row, label: int, column: int) -> list[str]:
    indent = label + 3
    head = f"{row.label:<{label}} = " if row.equation else f"{row.label:<{indent}}"
    first, *others = row.text.split("\n")
    lines = [head + first, *(" " * indent + other for other in others)]
    if not row.remark:
        return lines
    if len(lines) > 1 or len(lines[0]) > WIDEST:
        return [*lines, " " * indent + row.remark]
    return [lines[0].ljust(column) + row.remark]


def ascii_only(text: str) -> str:
    """Without the signs that this module and the conditions use; names of variables stay as they are.

    >>> ascii_only("∂f/∂x, det(X) ≠ 0")
    'df/dx, det(X) != 0'
    """
    return text.replace("∇²", "hess ").translate(str.maketrans(_ASCII))


# -- what a formula and its derivatives are called


@dataclass(frozen=True)
class Names:
    """Labels: ``f(x)``, ``∇f``, ``∂f/∂x``, ``J``; another letter where ``f`` is one of the formula's own names."""

    formula: Formula
    wrt: tuple[str, ...]
    single: bool

    @property
    def function(self) -> str:
        return self._free("f", "F", "φ", "the formula")

    def _free(self, *candidates: str) -> str:
        typed = self.formula.typed
        taken = {*typed.variables, *typed.intermediates, *typed.functions, *typed.dimensions}
        return next((c for c in candidates[:-1] if c not in taken), candidates[-1])

    def head(self, shown: Callable[[str], str]) -> str:
        """The formula's name with what it is differentiated in, where that is short."""
        arguments = ", ".join(shown(name) for name in self.wrt)
        if not arguments:
            return self.function
        return f"{self.function}({arguments})" if self.single or len(arguments) <= 8 else self.function

    def derivative(self, d: Derivative, shown: Callable[[str], str]) -> str:
        symbol = {"gradient": "∇", "Hessian": "∇²"}.get(d.called, "")
        if self.single and symbol:
            return symbol + self.function
        if self.single and d.called == "Jacobian":
            return self._free("J", f"∂{self.function}/∂{shown(d.wrt[0])}")
        power = {1: "", 2: "²", 3: "³", 4: "⁴"}[d.order]
        if len(set(d.wrt)) > 1:
            return f"∂{power}{self.function}/{''.join(f'∂{shown(name)}' for name in d.wrt)}"
        return f"∂{power}{self.function}/∂{shown(d.wrt[0])}{power}"

    def latex_name(self, name: str) -> str:
        """A name as it looks in the formula: bold where it is a vector or matrix."""
        typed = self.formula.typed
        type = typed.variables[name].type if name in typed.variables else typed.intermediates[name]
        return self.formula.print_latex(Expr("name", value=name, type=type))

    def latex(self, d: Derivative) -> str:
        symbol = {"gradient": r"\nabla ", "Hessian": r"\nabla^{2} "}.get(d.called, "")
        if self.single and symbol:
            return symbol + self.function
        power = "" if d.order == 1 else f"^{{{d.order}}}"
        variable = self.latex_name(d.wrt[0])
        if len(set(d.wrt)) > 1:
            below = r"\, ".join(rf"\partial {self.latex_name(name)}" for name in d.wrt)
            return rf"\frac{{\partial{power} {self.function}}}{{{below}}}"
        return rf"\frac{{\partial{power} {self.function}}}{{\partial {variable}{power}}}"


def unicode_name(name: str) -> str:
    return to_unicode(Expr("name", value=name))


def latex_lines(names: Names, derivatives: Sequence[Derivative]) -> list[str]:
    """One line for the formula with its intermediates, and one for each derivative."""
    formula = names.formula
    steps = [f"{names.latex_name(name)} = {formula.print_latex(value)}" for name, value in formula.program.definitions]
    steps.append(f"{names.head(names.latex_name)} = {formula.print_latex(formula.program.body)}")
    return [r",\quad ".join(steps), *(f"{names.latex(d)} = {d.latex}" for d in derivatives)]


def joined_code(sources: Mapping[str, str]) -> str:
    """One module from the sources by variable; several functions are told apart by their variables.

    >>> print(joined_code({"x": "import numpy as np\\n\\n\\ndef gradient(*, x):\\n    return x\\n"}), end="")
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def gradient(*, x):
        return x
    """
    if len(sources) == 1:
        return next(iter(sources.values()))
    imports: dict[str, None] = {}
    bodies = []
    for name, source in sources.items():
        lines = source.splitlines()
        imports |= dict.fromkeys(line for line in lines if line.startswith(("import ", "from ")))
        body = "\n".join(line for line in lines if line not in imports).strip("\n")
        bodies.append(_MADE.sub(rf"def \1_{name}(", body))
    return "\n\n\n".join([*["\n".join(imports)] * bool(imports), *bodies]) + "\n"


_MADE = re.compile(r"^def (gradient|jacobian|hessian|derivative)\(", re.MULTILINE)


# -- rows


def report(names: Names, answers: Sequence[tuple[Derivative, object]], *, rich: bool) -> list[list[Row]]:
    """The formula and its derivatives with their checks: in one block, or in one each after that of the formula."""
    first = formula_rows(names, rich=rich)
    blocks = [derivative_rows(names, d, check, rich=rich) for d, check in answers]
    return [[*first, *blocks[0]]] if names.single else [first, *blocks]


def formula_rows(names: Names, *, rich: bool) -> list[Row]:
    """A ``let`` line for each named intermediate, then the formula with its variables."""
    formula = names.formula
    rows = []
    for name, value in formula.program.definitions:
        shown = unicode_name(name) if rich else name
        remark = type_text(value.type) if value.type is not None else ""
        rows.append(Row(f"let {shown}", to_unicode(value) if rich else formula.print(value), remark, True))
    body = formula.program.body
    head = names.head(unicode_name if rich else str)
    return [*rows, Row(head, to_unicode(body) if rich else formula.print(body), variables(formula), True)]


def facts_report(names: Names, facts: Facts, of: str | None, *, rich: bool) -> str:
    """The formula, then each fact with its reason: what a line rests on is indented below it."""
    heading = aligned([formula_rows(names, rich=rich)])
    title = "" if of is None else f"of {of}:\n"
    return f"{heading}\n\n{title}{facts}"


def verdict_report(names: Names, verdict: Verdict, *, show: bool, rich: bool) -> str:
    """The verdict in a word, why, and what else it may be; the right answer where that is asked for."""
    word = {True: "right", False: "wrong", None: "undecided"}[verdict.correct]
    kinds = [f"{verdict.kind} {verdict.value}".strip()] if verdict.kind else []
    kinds += [f"it may also be {' or '.join(verdict.also)}"] if verdict.also else []
    heading = aligned([formula_rows(names, rich=rich)])
    lines = [heading, "", ": ".join([word, "; ".join(kinds)] if kinds else [word]), *verdict.message.splitlines()]
    if show and verdict.correct is not True:
        lines += ["", f"correct: {verdict.correction}"]
    return "\n".join(lines)


def derivative_rows(names: Names, d: Derivative, check: object, *, rich: bool) -> list[Row]:
    """All that is said about one derivative."""
    label = names.derivative(d, unicode_name if rich else str)
    shown = d.reading if len(d.text) > LONG else Program((), d.short_expr)
    rows = [Row(label, to_unicode(shown.body) if rich else d.formula.print(shown.body), remark_on(d), True)]
    for name, value in shown.definitions:
        text = to_unicode(value) if rich else d.formula.print(value)
        rows.append(Row(f"with {unicode_name(name) if rich else name}", text, equation=True))
    rows.append(Row("text", d.text))
    if d.short != d.text and (len(d.text) > LONG or d.formula.program.definitions):
        rows.append(Row("short", d.short))
    if not d.closed_form:
        if d.matvec.available:
            rows.append(Row("action", str(d.matvec)))
        if d.kronecker is not None:
            rows.append(Row("vec", d.kronecker))
    rows += [Row("where", condition) for condition in d.conditions]
    return [*rows, Row("check", str(check))]


def remark_on(d: Derivative) -> str:
    """What the derivative is, its shape, and the conventions that are not the usual ones."""
    said = [d.described]
    if d.layout == "vec":
        said.append("vec layout (columns stacked)")
    elif d.layout != "mixed":
        said.append(f"{d.layout} layout")
    variable = d.formula.typed.variables.get(d.wrt[0])
    if variable is not None and "symmetric" in variable.traits and d.symmetric in ("entries", "ignore"):
        how = {"entries": "each free entry counted once", "ignore": f"as if {d.wrt[0]} were not symmetric"}
        said.append(how[d.symmetric])
    return ", ".join(said)


def variables(formula: Formula) -> str:
    """The variables with their declarations, and after them what was assumed."""
    listed = [f"{name}: {kind}" for name, kind in formula.variables.items()]
    listed += [f"{name}: function" for name in sorted(formula.typed.functions)]
    text = " · ".join(listed)
    reasons, notes = _assumptions(formula)
    last = next(reversed(formula.typed.variables), None)
    if not notes and not formula.typed.functions and list(reasons.values()) == [[last]]:
        return f"{text}, {next(iter(reasons))}"
    said = [_because(names, reason) for reason, names in reasons.items()]
    return "; ".join([text] * bool(text) + said + notes)


def _assumptions(formula: Formula) -> tuple[dict[str, list[str]], list[str]]:
    """For each reason the variables that were assumed for it; and what else was assumed.

    A name that was read by its first letter is left out where a reason quotes the part in which it stands.
    """
    reasons: dict[str, list[str]] = {}
    notes = []
    for line in formula.assumed:
        name = line.partition(": ")[0]
        variable = formula.typed.variables.get(name)
        start = f"{name}: {declaration_text(variable.type)}, " if variable is not None else line
        if variable is not None and line.startswith(start):
            reasons.setdefault(line.removeprefix(start), []).append(name)
        else:
            notes.append(line)
    quoted = {word for reason in reasons if reason.startswith(_FROM) for word in _WORD.findall(reason[len(_FROM) :])}
    others = [name for name in reasons.pop(_LETTER, []) if name not in quoted]
    return ({_LETTER: others} if others else {}) | reasons, notes


_LETTER, _FROM = "assumed from its first letter", "assumed from "
_WORD = re.compile(r"[^\W\d]\w*")


def _because(names: Sequence[str], reason: str) -> str:
    if len(names) > 1:
        reason = reason.replace("its first letter", "their first letters").replace("kind that fits", "kinds that fit")
    return ", ".join(names) + (" " if reason.startswith("assumed") else ": ") + reason


# -- numbers


def show_value(value: Any) -> str:
    """A number, a vector as ``(10, 16)``, a matrix as rows, more axes as one matrix for each leading index.

    >>> print(show_value([[2, 4], [4, 60]]))
    [ 2   4 ]
    [ 4  60 ]
    """
    import numpy as np

    array = np.asarray(value, dtype=float)
    if array.ndim == 0:
        return show_number(float(array))
    if array.size > _MOST_ENTRIES:
        least, most = show_number(array.min()), show_number(array.max())
        return f"{' × '.join(map(str, array.shape))} numbers, from {least} to {most}"
    if array.ndim == 1:
        return f"({', '.join(map(show_number, array))})"
    if array.ndim == 2:
        return _matrix(array)
    parts = []
    for index in np.ndindex(*array.shape[:-2]):
        place = ",".join(str(i + 1) for i in index)
        parts.append(f"[{place},:,:]\n{_matrix(array[index])}")
    return "\n".join(parts)


def _matrix(array: Any) -> str:
    if not array.size:
        return f"[ ] ({array.shape[0]} × {array.shape[1]})"
    cells = [[show_number(entry) for entry in row] for row in array]
    widths = [max(len(row[j]) for row in cells) for j in range(len(cells[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(f"[ {line} ]" for line in lines)


def show_number(number: float) -> str:
    """Eight significant digits at most, whole numbers plainly.

    >>> show_number(0.1 + 0.2), show_number(16.0), show_number(-0.0), show_number(1e-20)
    ('0.3', '16', '0', '1e-20')
    """
    number = float(number)
    if number == 0:
        return "0"
    if number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    return f"{number:.8g}"


def plain_data(value: Any) -> Any:
    """A value for JSON, which knows no infinities: these become text."""
    if isinstance(value, Mapping):
        return {name: plain_data(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain_data(entry) for entry in value]
    if hasattr(value, "tolist"):
        return plain_data(value.tolist())
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
