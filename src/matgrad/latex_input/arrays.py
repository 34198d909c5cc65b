r"""The arrays behind indexed names: y_i is an entry of ``y``, a bold x_i a row of ``X``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from matgrad.dims import Dim
from matgrad.errors import FormulaError
from matgrad.formula.declarations import Declaration
from matgrad.formula.syntax import MATRIX, SCALAR, VECTOR, Program, walk
from matgrad.formula.typed import Typed
from matgrad.latex_input.choices import values
from matgrad.latex_input.names import BOLD, PLAIN, Name, NameTable

_ENTRY = re.compile(r"(?:[A-Za-z]|[1-9]\d*)(?:,?(?:[A-Za-z]|[1-9]\d*))?")
"""A subscript that says which entry: one or two letters or numbers. Longer words and 0 make another name."""


class Arrays:
    """The arrays whose entries, or rows, are the values of indexed names, each with its declaration."""

    def __init__(
        self,
        source: str,
        names: Sequence[Name],
        table: NameTable,
        declared: Mapping[str, Declaration],
        highs: Mapping[Name, tuple[str, ...]],
        sizes: set[str],
        defined: Mapping[Name, str],
        note: Callable[[str], None],
    ) -> None:
        self.source = source
        self.names = names
        self.table = table
        self.declared = declared
        self.highs = highs
        self.sizes = sizes
        self.defined = defined
        self.note = note
        self.declarations: dict[str, Declaration] = {}
        self.temporary: Mapping[Name, str] = {}
        self._kind_of_term: dict[tuple[Name, int], str] = {}

    # -- what the single terms are

    def for_terms(self, temporary: Mapping[Name, str]) -> dict[str, Declaration]:
        """The declarations for single terms: where y is declared a vector, y_i is a scalar."""
        self.temporary = temporary
        found = dict(self.declared)
        alone = {self.table.text(name) for name in self.names if not name.indices}
        for name in self.names:
            whole = self._declared(name) if name.indices else None
            if whole is None:
                continue
            if whole not in alone:
                found.pop(whole, None)
            declaration = self.declared[whole]
            axes = len(declaration.dims or ()) or {VECTOR: 1, MATRIX: 2, SCALAR: 0}[declaration.kind]
            left = axes - len(name.indices)
            if left < 0:
                raise FormulaError(
                    f"{whole} is declared as a {declaration.kind}: it has not {len(name.indices)} indices"
                )
            traits = declaration.traits & {"positive", "nonnegative"}
            dims = None if declaration.dims is None else declaration.dims[axes - left :]
            found[temporary[name]] = Declaration((SCALAR, VECTOR)[left], () if not left else dims, traits)
        return found

    def _whole(self, base: str, name: Name) -> Name | None:
        """The name of the array where it stands in the formula without an index, in bold or not."""
        wanted = (base, name.accent, name.sub, name.sup)
        found = [n for n in self.names if not n.indices and (n.base, n.accent, n.sub, n.sup) == wanted]
        return next((n for style in (BOLD, PLAIN) for n in found if n.style == style), None)

    def _declared(self, name: Name) -> str | None:
        return next((text for text in (name.base, name.base.upper()) if text in self.declared), None)

    # -- the array of a name

    def of(self, name: Name, kind: str, typed: Typed) -> str:
        """The array of an indexed name whose single values have this kind."""
        matrix = len(name.indices) == 2 or kind == VECTOR
        plain = name._replace(indices=(), block=())
        if self._kind_of_term.setdefault((plain, len(name.indices)), kind) != kind:
            raise FormulaError(
                f"{name.latex} with one index is read as a number here and as a vector there",
                source=self.source, span=(0, len(self.source)), hint=r"bold for vectors: \mathbf{x}_i",
            )  # fmt: skip
        if letter(name) in self.defined:
            return self._entries_of(self.defined[letter(name)], name, matrix, typed)
        whole = self._declared(name)
        if whole is None:
            whole = self.table.text(self._proper(name, matrix, typed))
        if whole not in self.declarations:
            self.declarations[whole] = self.declared.get(whole) or self._declaration(name, matrix, typed)
            term = f"{name.base}_{''.join(name.indices)}"
            what = "rows" if kind == VECTOR else "entries"
            self.note(f"{whole} has the {term} as its {what}")
        return whole

    def _entries_of(self, whole: str, name: Name, matrix: bool, typed: Typed) -> str:
        """A definition whose entries are meant: z_i of z = Wx."""
        if typed.intermediates[whole].kind != (MATRIX if matrix else VECTOR):
            raise FormulaError(
                f"{whole} is defined as a {typed.intermediates[whole].kind}, and {name.latex} has indices",
                source=self.source, span=(0, len(self.source)), hint="another letter for one of them",
            )  # fmt: skip
        self.note(f"{whole} has the {name.base}_{''.join(name.indices)} as its entries")
        return whole

    def _proper(self, name: Name, matrix: bool, typed: Typed) -> Name:
        base = name.base.upper() if matrix and len(name.base) == 1 else name.base
        there = self._whole(base, name)  # x in ‖x‖, beside the x_i of a sum; but σ² is a number beside the σ_i
        if there is not None:
            variable = typed.variables.get(self.table.text(there))
            if variable is None or variable.type.kind == (MATRIX if matrix else VECTOR):
                return there
        return Name(base, BOLD, name.accent, name.sub, name.sup, "" if base != name.base else name.command)

    def _declaration(self, name: Name, matrix: bool, typed: Typed) -> Declaration:
        highs = self.highs[name] if not name.block else (self._end_of_blocks(name),)
        dims: tuple[Dim, ...] | None = None
        if all(highs):
            dims = tuple(Dim.of(int(h) if h.isdigit() else h) for h in highs)
            if matrix and len(dims) == 1:
                term = typed.variables.get(self.temporary.get(name, ""))
                known = term is not None and all(self.sizes.issuperset(dim.names) for dim in term.type.dims)
                dims = (*dims, *(term.type.dims if term is not None and known else (Dim.of(self._free_size()),)))
        return Declaration(MATRIX if matrix else VECTOR, dims)

    def _end_of_blocks(self, name: Name) -> str:
        """How long an array is whose blocks are x_{i+1} and the like, or "" where that is not said as a name or number.

        It ends where the last block ends, unless a sum runs over all of it.
        """
        same = [n for n in self.names if n.indices and letter(n) == letter(name)]
        whole = next((high for n in same if not n.block for high in self.highs[n] if high), None)
        ends = {n.block[1] for n in same if n.block}
        if whole is not None or not ends:
            return whole or ""
        if all(end.isdigit() for end in ends):
            return max(ends, key=int)
        names = [end for end in ends if not end.isdigit() and "-" not in end]
        bases = {end.partition("-")[0] for end in ends}
        return names[0] if names and len(bases) == 1 else ""

    def _free_size(self) -> str:
        ends = {end for ends in self.highs.values() for end in ends}
        taken = {self.table.text(n) for n in self.names if not n.indices} | ends | self.sizes
        return next(s for s in ("d", "p", "q", "k", "r", *(f"d{n}" for n in range(1, 99))) if s not in taken)

    def check_entries(self, program: Program) -> None:
        """A name such as x_k, or x_1, outside of the sum that makes the x_i entries of x, is no variable of its own."""
        terms = {letter(name): name for name in self.names if name.indices}
        nodes = [node for value in values(program) for node in walk(value) if node.op == "name"]
        for node in nodes:
            name: Name = node.value
            term = terms.get(letter(name._replace(sub="")))
            if name.indices or term is None or not _ENTRY.fullmatch(name.sub):
                continue
            rows = self._kind_of_term[term._replace(indices=(), block=()), len(term.indices)] == VECTOR
            array = Name(name.base.upper() if rows else name.base, BOLD, name.accent, command=name.command).latex
            places = re.findall(r"\d" if len(term.indices) == 2 else r"\d+", name.sub) or ["1"] * len(term.indices)
            entry = ",".join([*places, ":"] if rows else places)
            raise FormulaError(
                f"{name.latex} has two readings: one of the {term.latex}_{{{','.join(term.indices)}}}, which are the "
                f"{'rows' if rows else 'entries'} of an array, or a name of its own",
                source=self.source, span=node.span,
                hint=rf"[{array}]_{{{entry}}} for one of them, {array} for all, or another letter",
            )  # fmt: skip


def letter(name: Name) -> Name:
    """The name whatever its font and the indices that a sum runs over."""
    return name._replace(indices=(), block=(), style="", command="")
