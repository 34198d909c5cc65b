"""Repeated layers, found by their structure and shown once with the index l.

Lines that differ by the number of their layer only are one line, for l in a range. A step that refers to itself in
another layer (a signal goes back through all of them) is a recursion: its lines stand together, for the layers that all
of them have, after the lines of the layer where it starts. So each line uses lines above it, or the layer before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

from matgrad.dims import Dim
from matgrad.explaining.lines import GIVEN, LET, Line
from matgrad.explaining.step_names import layer_of
from matgrad.explaining.trees import named
from matgrad.explaining.words import Word
from matgrad.formula.latex import to_latex
from matgrad.formula.syntax import VECTOR, Call, Expr, fold, walk
from matgrad.formula.unicode import to_unicode

LEAST = 3
"""Layers from which on they are shown once."""
SUM = "Σ over l = "
"""The function that a sum over layers is a call of, before its range."""


class Group(NamedTuple):
    """One line of a layer: the places of its copies in the list of lines, and the number of the layer of each."""

    places: tuple[int, ...]
    numbers: tuple[int, ...]


def folded(lines: Sequence[Line]) -> list[Line]:
    """The lines with repeated layers shown once; the same lines where there are none."""
    folding = _Folding(lines)
    return folding.lines() if folding.layered else list(lines)


class _Folding:
    def __init__(self, given: Sequence[Line]) -> None:
        self.given = list(given)
        self.names = [_names(line) for line in self.given]
        self.place = {names[0]: k for k, names in enumerate(self.names) if self.given[k].part != GIVEN}
        self.starts: set[int] = set()  # lines with which a recursion starts
        self.layered = self._families()
        self.sizes = self._sizes()
        self.templates = [self._template(line) for line in self.given]

    def _families(self) -> frozenset[str]:
        """Letters that are defined in three layers or more, and those that occur as often."""
        numbers: dict[str, set[int]] = {}
        defined: dict[str, set[int]] = {}
        for line, names in zip(self.given, self.names, strict=True):
            for name in names:
                found = layer_of(_variable(name))
                if found is not None:
                    numbers.setdefault(found[0], set()).add(found[1])
                    if line.part == LET and name == line.left.value:
                        defined.setdefault(found[0], set()).add(found[1])
        if not any(len(found) >= LEAST for found in defined.values()):
            return frozenset()
        return frozenset(base for base, found in numbers.items() if len(found) >= LEAST)

    def number_of(self, name: str) -> int | None:
        found = layer_of(_variable(name))
        return found[1] if found is not None and found[0] in self.layered else None

    # -- which lines are one

    def _template(self, line: Line) -> tuple[Any, ...] | None:
        number = self.number_of(line.left.value) if line.left.op == "name" else None
        if number is None:
            return None
        right = self._with_index(line.right, number)
        return (line.part, self._with_index(line.left, number), right, line.law.rule, _same_shape(line.right))

    def _groups(self, places: Iterable[int]) -> list[Group]:
        """Lines of one template, in runs of layers that follow each other."""
        found: dict[Any, list[int]] = {}
        for place in places:
            if self.templates[place] is not None:
                found.setdefault(self.templates[place], []).append(place)
        groups = []
        for members in found.values():
            run: list[int] = []
            for place in members:
                if run and abs(self._number(place) - self._number(run[-1])) != 1:
                    groups.append(run)
                    run = []
                run.append(place)
            groups.append(run)
        return [Group(tuple(run), tuple(map(self._number, run))) for run in groups if len(run) > 1]

    def _number(self, place: int) -> int:
        number = self.number_of(self.given[place].left.value)
        assert number is not None
        return number

    # -- in which order

    def lines(self) -> list[Line]:
        """The loss, its program, its signals; each in an order in which lines use those above them."""
        parts = [[k for k, line in enumerate(self.given) if line.part == part] for part in (GIVEN, LET)]
        rest = [k for k, line in enumerate(self.given) if line.part not in (GIVEN, LET)]
        return [line for places in (*parts, rest) for line in self._arranged(places)]

    def _arranged(self, places: Sequence[int]) -> list[Line]:
        groups = self._groups(places)
        while True:
            blocks = self._blocks(groups, places)
            try:
                order = self._sorted(blocks)
            except CycleError:  # two runs need each other: the longest stays
                groups = groups[:-1]
                continue
            return [line for block in order for line in self._shown(block)]

    def _blocks(self, groups: Sequence[Group], places: Sequence[int]) -> list[list[Group]]:
        """Recursions, other groups, and lines that stand alone."""
        blocks = []
        used: set[int] = set()
        for block in self._recursions(groups):
            if len(block) > 1 or self._needs(block[0]) & set(block[0].places):
                common = set.intersection(*(set(group.numbers) for group in block))
                whole, block = block, [_cut(group, common) for group in block] if len(common) > 1 else []
                if block:
                    self.starts |= {p for group in whole for p in group.places} - {p for g in block for p in g.places}
            elif len(block[0].places) < LEAST:
                block = []
            if block:
                blocks.append(block)
                used |= {place for group in block for place in group.places}
        singles = [[Group((place,), ())] for place in places if place not in used]
        return sorted([*blocks, *singles], key=lambda block: min(group.places[0] for group in block))

    def _needs(self, group: Group) -> set[int]:
        """The lines that define what the lines of a group use."""
        return {self.place[name] for k in group.places for name in self.names[k][1:] if name in self.place} - (
            set() if group.numbers else set(group.places)
        )

    def _recursions(self, groups: Sequence[Group]) -> list[list[Group]]:
        """Groups that need each other, in the order of the lines; any other group by itself."""
        owner = {place: k for k, group in enumerate(groups) for place in group.places}
        reach = {k: {owner[p] for p in self._needs(group) if p in owner} for k, group in enumerate(groups)}
        for _ in groups:
            reach = {k: found.union(*(reach[j] for j in found)) for k, found in reach.items()}
        blocks: list[list[Group]] = []
        seen: set[int] = set()
        for k, group in enumerate(groups):
            if k not in seen:
                together = [j for j in range(len(groups)) if j == k or (j in reach[k] and k in reach[j])]
                seen |= set(together)
                blocks.append([groups[j] for j in together] if len(together) > 1 else [group])
        return blocks

    def _sorted(self, blocks: list[list[Group]]) -> list[list[Group]]:
        owner = {place: k for k, block in enumerate(blocks) for group in block for place in group.places}
        needs = {
            k: {owner[p] for group in block for p in self._needs(group) if p in owner} - {k}
            for k, block in enumerate(blocks)
        }
        return [blocks[k] for k in _stable_order(needs)]

    # -- how they are shown

    def _shown(self, block: list[Group]) -> list[Line]:
        if not block[0].numbers:
            (place,) = block[0].places
            line = self._with_layers(self.given[place])
            start = "the recursion starts here" if place in self.starts else ""
            return [line._replace(remark="; ".join(part for part in (line.remark, start) if part))]
        out = []
        for group in self._within(block):
            lines = [self.given[place] for place in group.places]
            first, number = lines[0], group.numbers[0]
            index = f"l = {', '.join(map(str, group.numbers))}" if len(group.numbers) < 4 else (
                f"l = {group.numbers[0]}, …, {group.numbers[-1]}")  # fmt: skip
            remark = "; ".join(part for part in (self._shape(lines, group.numbers), index) if part)
            numbers = None
            if first.numbers is not None:
                numbers = {number: line.numbers for number, line in zip(group.numbers, lines, strict=True)}
            out.append(first._replace(
                left=self._with_index(first.left, number), right=self._with_index(first.right, number),
                before=None if first.before is None else self._with_index(first.before, number),
                remark=remark, numbers=numbers,
            ))  # fmt: skip
        return out

    def _within(self, block: list[Group]) -> list[Group]:
        """The lines of one layer, each after those of the same layer that it uses."""
        owner = {place: k for k, group in enumerate(block) for place in group.places}
        needs: dict[int, set[int]] = {}
        for k, group in enumerate(block):
            needs[k] = set()
            for place in group.places:
                used = {self.place[name] for name in self.names[place][1:] if name in self.place}
                same = {p for p in used if p in owner and self._number(p) == self._number(place)}
                needs[k] |= {owner[p] for p in same} - {k}
        try:
            return [block[k] for k in _stable_order(needs)]
        except CycleError:
            return block

    def _with_layers(self, line: Line) -> Line:
        """A line of its own, its layers written as in the others."""
        remark = line.remark
        if line.part not in (GIVEN, LET) and line.right.type is not None and line.right.dims:
            remark = f"shape ({', '.join(self._size(dim, None) for dim in line.right.dims)})"
            remark = "; ".join([*line.remark.split("; ")[:-1], remark])
        before = None if line.before is None else self._with_index(line.before, None)
        return line._replace(
            left=self._with_index(line.left, None), right=self._summed(line.right), before=before, remark=remark
        )

    def _summed(self, expr: Expr) -> Expr:
        """The formula with sums over layers as Σₗ of one term."""

        def visit(node: Expr, args: list[Expr]) -> Expr:
            terms = self._one_term(node) if node.op == "add" else None
            if terms is not None:
                return terms
            return self._with_index(node, None) if not args else node.replace(args=tuple(args))

        found: Expr = fold(expr, visit)
        return found

    def _one_term(self, expr: Expr) -> Expr | None:
        numbers = []
        for term in expr.args:
            found = [self.number_of(node.value) for node in walk(term) if node.op == "name"]
            numbers.append(next((number for number in found if number is not None), None))
        run = sorted(number for number in numbers if number is not None)
        if len(run) < max(LEAST, len(expr.args)) or run != list(range(run[0], run[0] + len(run))):
            return None
        terms = {self._with_index(term, number) for term, number in zip(expr.args, numbers, strict=True)}
        if len(terms) > 1:
            return None
        return Expr("call", (terms.pop(),), Call(f"{SUM}{run[0]}…{run[-1]}"), type=expr.type)

    def _with_index(self, expr: Expr, layer: int | None) -> Expr:
        """The formula with layers relative to this one: W8 in layer 7 is W⁽ˡ⁺¹⁾; absolute without one."""

        def indexed(name: str) -> str:
            number = self.number_of(name)
            if number is None:
                return name
            shift = 0 if layer is None else number - layer
            index = str(number) if layer is None else "l" if not shift else f"l{shift:+d}"
            top, slash, below = name.rpartition("/∂")
            found = layer_of(below)
            assert found is not None
            return f"{top}{slash}{found[0]}⁽{index}⁾"

        def visit(node: Expr, args: list[Expr]) -> Expr:
            if node.op == "name":
                return named(indexed(node.value), node.type)
            if node.op == "call" and node.value.name.startswith("∂/∂"):
                node = node.replace(value=node.value._replace(name=indexed(node.value.name)))
            return node.replace(args=tuple(args)) if args else node

        found: Expr = fold(expr, visit)
        return found

    # -- shapes

    def _sizes(self) -> dict[Dim, int]:
        """The layer whose vectors have a size, for sizes that are of one layer only."""
        found: dict[Dim, int] = {}
        several: set[Dim] = set()
        for line in self.given:
            for node in (line.left, *walk(line.right)) if line.part == LET else ():
                number = self.number_of(node.value) if node.op == "name" else None
                if number is None or node.type is None or node.kind != VECTOR:
                    continue
                if found.setdefault(node.dims[0], number) != number:
                    several.add(node.dims[0])
        return {dim: number for dim, number in found.items() if dim not in several and dim.names}

    def _shape(self, lines: Sequence[Line], numbers: Sequence[int]) -> str:
        if lines[0].part in (GIVEN, LET) or not lines[0].right.dims:
            return ""
        shapes = {
            tuple(self._size(dim, number) for dim in line.right.dims)
            for line, number in zip(lines, numbers, strict=True)
        }
        return f"shape ({', '.join(shapes.pop())})" if len(shapes) == 1 else ""

    def _size(self, dim: Dim, layer: int | None) -> str:
        number = self.sizes.get(dim)
        if number is None:
            return str(dim)
        if layer is None:
            return "n" + _lowered(str(number))
        shift = number - layer
        return "n" + _lowered("l" if not shift else f"l{shift:+d}")


def _stable_order(needs: dict[int, set[int]]) -> list[int]:
    """The keys, each after those that it needs, as near to their own order as that allows."""
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    ready, out = sorted(sorter.get_ready()), []
    while ready:
        first = ready.pop(0)
        out.append(first)
        sorter.done(first)
        ready = sorted([*ready, *sorter.get_ready()])
    return out


def _cut(group: Group, common: set[int]) -> Group:
    kept = [(p, n) for p, n in zip(group.places, group.numbers, strict=True) if n in common]
    return Group(tuple(p for p, _ in kept), tuple(n for _, n in kept))


def _names(line: Line) -> list[str]:
    """The name that a line defines, then all that it uses."""
    left = str(line.left.value) if line.left.op == "name" else ""
    return [left, *(node.value for node in walk(line.right) if node.op == "name")]


def _variable(name: str) -> str:
    return name.rpartition("/∂")[2]


def _same_shape(expr: Expr) -> int:
    return len(expr.dims) if expr.type is not None else 0


# -- how the names of layers are written


def layer_words(lines: Sequence[Line]) -> dict[str, Word]:
    """How the names of layer l are written: a signal is a quotient, and its index a superscript in brackets."""
    found: dict[str, Word] = {}
    sides = (side for line in lines for side in (line.left, line.right, line.before) if side is not None)
    for node in (node for side in sides for node in walk(side)):
        name = node.value if node.op == "name" else node.value.name if node.op == "call" else ""
        if name.startswith(SUM):
            first, _, last = name.removeprefix(SUM).partition("…")
            found[name] = Word(f"Σ[l={first}…{last}] ", rf"\sum_{{l={first}}}^{{{last}}} ")
        if "⁽" not in name or name in found:
            continue
        base, _, index = name.removesuffix("⁾").partition("⁽")
        top, _, below = base.rpartition("/∂")
        variable = named(below, node.type)
        # in braces, so that a transpose can be raised on it
        shown = "{" + to_latex(variable) + f"^{{({index})}}}}"
        latex = rf"\frac{{\partial {top.removeprefix('∂')}}}{{\partial {shown}}}" if top else shown
        raised = "".join(_RAISED[c] for c in index)
        text = to_unicode(variable) + f"⁽{raised}⁾"
        found[name] = Word(f"{top}/∂{text}" if top else text, latex, bool(top) and node.op == "name")
    return found


_RAISED = dict(zip("l+-0123456789", "ˡ⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True))
_LOWERED = dict(zip("l+-0123456789", "ₗ₊₋₀₁₂₃₄₅₆₇₈₉", strict=True))


def _lowered(text: str) -> str:
    return "".join(_LOWERED[c] for c in text)
