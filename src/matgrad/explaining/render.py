"""Derivations as text for a terminal, Markdown, LaTeX, HTML and plain data."""

from __future__ import annotations

import html as _html
import math
import re
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from matgrad.explaining.lines import ANSWER, GIVEN, LET, Law, Line
from matgrad.explaining.trees import at
from matgrad.explaining.words import Words, law_text
from matgrad.formula.printing import SPELLED
from matgrad.formula.syntax import Expr

WIDTH = 100
"""Columns of a terminal that a line may take."""
MOST_COMMENT = 64
"""Letters of a rule and its law that stand together beside an equation in LaTeX."""
MOST_LAYERS = 4
"""Layers whose numbers are shown in a line for many."""


def shown_law(line: Line) -> str:
    return "" if line.part in (GIVEN, LET) else line.law.rule


def _label(line: Line, words: Words) -> str:
    return ("let " if line.part == LET else "") + words.unicode(line.left)


def terminal(lines: Sequence[Line], words: Words, notes: Sequence[str] = ()) -> str:
    """One equation a line, aligned at the sign of equality; beside it the rule, with its law where there is room."""
    labels = ["" if line.continues else _label(line, words) for line in lines]
    width = max((len(label) for label in labels), default=0)
    bodies = [f"{label:<{width}} = {words.unicode(line.right)}" for label, line in zip(labels, lines, strict=True)]
    column = _column([(len(body), len(_remark(line))) for body, line in zip(bodies, lines, strict=True)])
    out: list[str] = []
    for body, line in zip(bodies, lines, strict=True):
        remark, law = _remark(line), law_text(line.law.law)[0] if line.law.law and shown_law(line) else ""
        place = max(column, len(body) + 3)
        pieces = _wrapped(body, width + 3)
        if len(pieces) == 1 and place + len(remark) <= WIDTH:
            full = "; ".join(part for part in (f"{shown_law(line)}: {law}", line.remark) if part)
            shown = full if law and place + len(full) <= WIDTH else remark
            out.append((body.ljust(place) + shown).rstrip())
        else:
            out += [*pieces, *_below(remark, width + 5)]
        out += [" " * (width + 5) + row for row in _numbers(line)]
    return "\n".join([*out, *notes])


def _remark(line: Line) -> str:
    return "; ".join(part for part in (shown_law(line), line.remark) if part)


def _column(sizes: Sequence[tuple[int, int]]) -> int:
    """Where remarks stand: the first column behind all equations that leave the others room for theirs."""
    fitting = [(body, remark) for body, remark in sizes if remark and body + 3 + remark <= WIDTH]
    for column in sorted({body + 5 for body, _ in fitting}, reverse=True):
        if all(max(column, body + 3) + remark <= WIDTH for body, remark in fitting):
            return column
    return 0


def _below(remark: str, indent: int) -> list[str]:
    """A remark on lines of its own."""
    if not remark:
        return []
    rows = textwrap.wrap(remark, WIDTH - indent - 2, break_long_words=False, break_on_hyphens=False)
    return [" " * indent + ("— " if k == 0 else "  ") + row for k, row in enumerate(rows)]


def _wrapped(body: str, indent: int) -> list[str]:
    """A line broken before + or − at the outermost level, where it is too wide and naming did not help."""
    if len(body) <= WIDTH:
        return [body]
    found, rest = [], body
    while len(rest) > WIDTH:
        cuts = [k for k in range(indent + 4, WIDTH - 1) if rest[k : k + 3] in (" + ", " − ")]
        cuts = cuts or [k for k in range(indent + 4, WIDTH - 1) if rest[k] == " "]
        if not cuts:
            break
        flat = [k for k in cuts if rest[:k].count("(") == rest[:k].count(")")] or cuts
        found.append(rest[: flat[-1]])
        rest = " " * (indent + 2) + rest[flat[-1] + 1 :]
    return [*found, rest]


def _numbers(line: Line) -> list[str]:
    if line.numbers is None:
        return []
    if isinstance(line.numbers, dict):  # of a line for several layers
        return [f"{'l = ' + str(layer) if k == 0 else '':<7} {row}" for layer, value in _some(line.numbers)
                for k, row in enumerate(show_value(value).split("\n"))]  # fmt: skip
    return [("= " if k == 0 else "  ") + row for k, row in enumerate(show_value(line.numbers).split("\n"))]


def _some(numbers: Mapping[int, Any]) -> list[tuple[int, Any]]:
    """The numbers of the first layers and of the last."""
    found = list(numbers.items())
    return found if len(found) <= MOST_LAYERS else [*found[: MOST_LAYERS - 1], found[-1]]


def show_value(value: Any) -> str:
    """A number, a vector as ``(10, 16)``, a matrix as rows; six digits.

    >>> print(show_value([[2.0, 4.0], [4.0, 60.0]]))
    [ 2   4 ]
    [ 4  60 ]
    """
    import numpy as np

    array = np.asarray(value, dtype=float)
    if array.size > 60 or array.ndim > 2:
        norm = float(np.linalg.norm(array))
        return f"{' × '.join(map(str, array.shape))} numbers, norm {norm:.6g}"
    if array.ndim == 0:
        return f"{float(array) + 0.0:.6g}"
    if array.ndim == 1:
        return "(" + ", ".join(f"{v + 0.0:.6g}" for v in array) + ")"
    cells = [[f"{v + 0.0:.6g}" for v in row] for row in array]
    widths = [max(len(row[j]) for row in cells) for j in range(len(cells[0]))]
    return "\n".join("[ " + "  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) + " ]" for row in cells)


def latex_value(value: Any) -> str:
    """A number, a column or a matrix in LaTeX."""
    import numpy as np

    array = np.asarray(value, dtype=float)
    if array.size > 60 or array.ndim > 2:
        return rf"\text{{({show_value(value)})}}"
    if array.ndim == 0:
        return f"{float(array) + 0.0:.6g}"
    rows = array.reshape(-1, 1) if array.ndim == 1 else array
    body = r" \\ ".join(" & ".join(f"{v + 0.0:.6g}" for v in row) for row in rows)
    return rf"\begin{{bmatrix}} {body} \end{{bmatrix}}"


def _latex_numbers(line: Line) -> str:
    """The value after the equation; that of a line for many layers is left to the terminal and to JSON."""
    return "" if line.numbers is None or isinstance(line.numbers, dict) else f" = {latex_value(line.numbers)}"


def latex(lines: Sequence[Line], words: Words) -> str:
    """``align*``, with the rule at the right, its law where both are short, and shapes."""
    rows = []
    for line in lines:
        left = "" if line.continues else words.latex(line.left)
        comment = _latex_comment(line)
        rows.append(f"  {left} &= {words.latex(line.right)}{_latex_numbers(line)}{f' && {comment}' if comment else ''}")
    return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"


def _latex_comment(line: Line) -> str:
    rule = shown_law(line)
    law_unicode, law = law_text(line.law.law) if rule and line.law.law else ("", "")
    parts = (
        [latex_text(rule) + (rf"\text{{: }} {law}" if law and len(rule + law_unicode) <= MOST_COMMENT else "")]
        if rule
        else []
    )
    if not rule and line.part == LET:
        parts = [r"\text{where}"] if not line.remark else []
    if line.remark:
        parts.append(latex_text(line.remark))
    return r"\text{; } ".join(parts)


def latex_text(text: str) -> str:
    r"""Words in LaTeX; a word with signs or indices in it is mathematics.

    >>> print(latex_text("shape (nₗ₋₁) of ∂f"))
    \text{shape }(n_{l-1})\text{ of }\partial f
    """
    words = re.split(r"( +)", text)
    parts = [("math", _mathematics(w)) if any(_is_sign(c) for c in w) else ("text", _escaped(w)) for w in words]
    out = ""
    for kind, group in groupby(parts, key=lambda part: part[0]):
        joined = "".join(shown for _, shown in group)
        out += rf"\text{{{joined}}}" if kind == "text" else joined
    return out


def _is_sign(char: str) -> bool:
    return char in _SIGNS or char in SPELLED or unicodedata.decomposition(char).startswith(("<sub>", "<super>"))


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(c, c) for c in text)


def _mathematics(word: str) -> str:
    """One word of mathematics: ∂xᵢ, (nₗ₋₁)."""
    out = ""
    for kind, run in groupby(word, key=lambda c: unicodedata.decomposition(c).partition(" ")[0]):
        chars = list(run)
        if kind in ("<sub>", "<super>"):
            plain = "".join(unicodedata.normalize("NFKC", c).replace("−", "-") for c in chars)
            out += f"{'_' if kind == '<sub>' else '^'}{{{plain.replace('T', chr(92) + 'top')}}}"
        else:
            out += "".join(_SIGNS.get(c) or (f"\\{SPELLED[c]} " if c in SPELLED else _ESCAPES.get(c, c)) for c in chars)
    return out


_ESCAPES = {"_": r"\_", "&": r"\&", "%": r"\%", "#": r"\#", "^": r"\^{}", "{": r"\{", "}": r"\}", "$": r"\$"}
_SIGNS = {
    "∂": r"\partial ", "∇": r"\nabla ", "·": r"\cdot ", "…": r"\dots ", "∘": r"\odot ", "⇒": r"\Rightarrow ",
    "½": r"\tfrac{1}{2} ", "‖": r"\Vert ", "×": r"\times ", "−": "-", "𝟏": r"\mathbf{1} ", "⊗": r"\otimes ",
    "√": r"\surd ", "≠": r"\neq ", "⟨": r"\langle ", "⟩": r"\rangle ",
}  # fmt: skip


def markdown(lines: Sequence[Line], words: Words, notes: Sequence[str] = ()) -> str:
    """A table: the equation, the rule with its law, and the reason."""
    rows = ["| equation | rule | reason |", "| --- | --- | --- |"]
    for line in lines:
        left = "" if line.continues else words.latex(line.left)
        number = _latex_numbers(line)
        # Two backslashes and a bar end a row and a cell of the table: these are their other names.
        equation = f"{left} = {words.latex(line.right)}{number}".strip().replace("|", r"\vert ")
        law = f": ${law_text(line.law.law)[1]}$".replace("|", r"\vert ") if line.law.law else ""
        rule = {GIVEN: "", LET: "name"}.get(line.part, markdown_text(line.law.rule) + law)
        rule = "; ".join(part for part in (rule, markdown_text(line.remark)) if part)
        reason = "" if line.part == GIVEN else markdown_text(line.law.reason)
        rows.append(f"| ${equation}$ | {rule} | {reason} |")
    return "\n".join([*rows, *(["", *map(markdown_text, notes)] if notes else [])])


def markdown_text(text: str) -> str:
    r"""Words in Markdown, without italics, links or cells that are not meant.

    >>> print(markdown_text("tr(U*W) = tr(W'*U')"))
    tr(U\*W) = tr(W'\*U')
    """
    return re.sub(r"([\\`*_\[\]<>|$~])", r"\\\1", text)


def html(lines: Sequence[Line], words: Words, notes: Sequence[str] = ()) -> str:
    """A table; the equations are LaTeX, which notebooks draw."""
    rows = []
    for line in lines:
        left = "" if line.continues else words.latex(line.left)
        number = _latex_numbers(line)
        law = law_text(line.law.law)[0] if line.law.law else ""
        hint = _html.escape(" — ".join(part for part in (law, line.law.reason) if part))
        rule = _html.escape("; ".join(p for p in ("let" if line.part == LET else shown_law(line), line.remark) if p))
        cells = (
            f'<td style="text-align:right">{f"${_html.escape(left)}$" if left else ""}</td>',
            f'<td style="text-align:left">$= {_html.escape(words.latex(line.right) + number)}$</td>',
            f'<td style="text-align:left" title="{hint}">{rule}</td>',
        )
        strong = ' style="font-weight:bold"' if line.part == ANSWER else ""
        rows.append(f"<tr{strong}>{''.join(cells)}</tr>")
    below = "".join(f"<p>{_html.escape(note)}</p>" for note in notes)
    return f"<table>{''.join(rows)}</table>{below}"


def as_data(line: Line, words: Words) -> dict[str, Any]:
    """One line as plain data."""
    before = line.before
    law: Law = line.law
    return {
        "part": line.part,
        "rule": law.rule,
        "law": law_text(law.law)[0] if law.law else "",
        "reason": law.reason,
        "left": words.unicode(line.left),
        "before": None if before is None else words.unicode(before),
        "after": words.unicode(line.right),
        "latex": f"{words.latex(line.left)} = {words.latex(line.right)}",
        "shape": [str(d) for d in line.right.dims] if line.right.type else [],
        "where": [{"path": list(path), "part": words.unicode(_part(before, path))} for path in line.where]
        if before is not None else [],
        "remark": line.remark,
        "numbers": _plain(line.numbers),
    }  # fmt: skip


def _part(before: Expr, path: Sequence[int]) -> Expr:
    try:
        return at(before, path)
    except IndexError:
        return before


def _plain(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return value if math.isfinite(value) else str(value)
