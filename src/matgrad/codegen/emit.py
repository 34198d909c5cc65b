"""From a plan to the source of a function: what is used twice gets a name, the rest stands where it is used.

How an operation is spelled is the target's: ``numpy_target``, ``jax_target``, ``torch_target``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from matgrad.codegen.names import Argument, size_lines, spelled
from matgrad.codegen.python_text import ATOM, MAX_DEPTH, MAX_INLINE, Code, python_names, words
from matgrad.dims import Dim
from matgrad.functions import CODE_ONLY, card_in_code
from matgrad.planning.steps import Plan, Step, needed, uses

OF_CARDS = ("map", "reduce", "apply", "series")


class Signature(NamedTuple):
    """The function to write: its name, its arguments, the functions that it is given, and whether it gives a tuple."""

    name: str
    arguments: Sequence[Argument]
    functions: Sequence[str] = ()
    tuple: bool = False


class Target(Protocol):
    """A backend: one method for each operation, called with the step and the code of its operands.

    ``blas``, ``differentiated`` and ``eager`` are explained at ``Plan`` and ``Setting``.
    """

    imports: Mapping[str, str]
    helpers: Mapping[str, str]
    blas: bool
    differentiated: bool
    eager: bool

    def spell(self, step: Step, args: list[Code], body: Body) -> Code: ...
    def translated(self, text: str) -> str: ...
    def owns(self, step: Step, others: Collection[Step]) -> bool: ...
    def copied(self, code: Code) -> Code: ...


class Body:
    """The statements of one function."""

    def __init__(self, plan: Plan, outputs: Sequence[Step], signature: Signature, target: Target) -> None:
        self.signature = signature
        self.target = target
        self.outputs = list(outputs)
        self.steps = needed(outputs)
        self.uses = uses(self.steps, outputs)
        self.inverted = {step.args[0] for step in self.steps if step.op == "inverse"}
        self.dims = sorted({name for step in self.steps for dim in dims_of(step) for name in dim.names}
                           | {name for a in signature.arguments for dim in a.dims for name in dim.names})  # fmt: skip
        self.hints = dict(plan.hints)
        self.assigned: set[str] = set()
        given = [*(a.name for a in signature.arguments), *signature.functions]
        extra = [name for name in self.dims if name not in given]
        hinted = [name for name in plan.hints.values() if name not in given and name not in extra]
        kept = {signature.name, *target.helpers, *self._of_cards(), *(path.split(".")[0] for path in target.imports)}
        self.names = python_names([*given, *extra, *dict.fromkeys(hinted)], reserved=kept)
        self.taken = {*self.names.values(), *kept}
        self.lines: list[str] = []
        self.codes: dict[Step, Code] = {}
        self.count = 0
        self.returned: set[Step] = set()
        self.unknown: dict[str, str] = {}
        self.optional: set[str] = set()
        """The names of arguments that are not used."""

    # -- what targets ask for

    def size(self, dim: Dim) -> str:
        return spelled(dim, self.names)

    def shape(self, step: Step) -> str:
        sizes = [self.size(dim) for dim in step.shape]
        return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"

    def name(self, code: Code, step: Step | None = None) -> Code:
        """The code under a name."""
        name = self.fresh(step)
        self.lines.append(f"{name} = {code.text}")
        return Code(name)

    def fresh(self, step: Step | None = None) -> str:
        hint = None if step is None else self.hints.pop(step, None)
        if hint is not None and self.names[hint] not in self.assigned:
            self.assigned.add(self.names[hint])
            return self.names[hint]
        while True:
            self.count += 1
            if f"t{self.count}" not in self.taken:
                return f"t{self.count}"

    def line(self, text: str) -> None:
        self.lines.append(text)

    def dtype(self) -> str:
        """The type of the entries: that of the first array that is used, if one is."""
        used = {step.param for step in self.steps if step.op == "input"}
        arrays = sorted([a for a in self.signature.arguments if a.dims], key=lambda a: a.name not in used)
        return f", dtype={self.names[arrays[0].name]}.dtype" if arrays else ""

    # -- the function

    def source(self) -> str:
        signature, target = self.signature, self.target
        for step in self.steps:
            self.codes[step] = self._code(step)
        results = [self._result(step) for step in self.outputs]
        returned = ", ".join(results) + ("," if signature.tuple and len(results) == 1 else "")
        used = "\n".join([*self.lines, returned])
        sizes, shown = size_lines(signature.arguments, self.names, used)
        given = {a.name for a in signature.arguments}
        self.unknown = {d: self.names[d] for d in self.dims
                        if d not in shown and d not in given and self.names[d] in words(used)}  # fmt: skip
        there = words("\n".join([*sizes, used]))
        self.optional = {name for name in given if self.names[name] not in there}
        arguments = [self.names[a.name] for a in signature.arguments] + [self.names[f] for f in signature.functions]
        arguments += self.unknown.values()
        name = python_names([signature.name])[signature.name]
        defaults = {self.names[name]: f"{self.names[name]}=None" for name in self.optional}
        head = f"def {name}({'*, ' if arguments else ''}{', '.join(defaults.get(a, a) for a in arguments)}):"
        body = [
            f"# {shown} stands for {own}" for own, shown in self.names.items() if shown != own and shown in arguments
        ]
        body += [*sizes, *self.lines, f"return {returned}"]
        function = "\n".join([head, *("    " + line for line in body), ""])
        text = function
        helpers: list[str] = []
        of_cards = {helper: code for helper, code in self._of_cards().items() if helper not in target.helpers}
        known = {**of_cards, **target.helpers}  # each after those that it calls
        for helper, code in reversed(list(known.items())):
            if re.search(rf"(?<![\w.]){helper}\(", text):
                code = _called(code.strip(), text)
                helpers.insert(0, code)
                text += code
        imports = _imports(target, text)
        return "\n\n\n".join([*["\n".join(imports)] * bool(imports), *helpers, function])

    def _of_cards(self) -> dict[str, str]:
        """The functions that the code on the cards calls."""
        names = [step.param[0] if step.op in ("reduce", "series") else step.param for step in self.steps
                 if step.op in OF_CARDS]  # fmt: skip
        cards = [known for known in map(card_in_code, names) if known is not None]
        called = [c for c in CODE_ONLY.values() if any(f"{c.name}(" in known.helper for known in cards)]
        return {known.name: self.target.translated(known.helper) for known in [*called, *cards] if known.helper}

    def _code(self, step: Step) -> Code:
        args = [self.codes[arg] for arg in step.args]
        code = self.target.spell(step, args, self)
        literal = code.text.replace(".", "", 1).isdigit()
        if step.op in ("input", "number", "size") or literal or code.text.isidentifier():
            return code
        light = step.op in ("view", "index") and code.level == ATOM and len(code.text) < 16
        if self.uses[step] > 1 and not light:
            return self.name(code, step)
        if step in self.hints or (self.outputs != [step] and (len(code.text) > MAX_INLINE or code.depth > MAX_DEPTH)):
            return self.name(code, step)
        return code

    def _result(self, step: Step) -> str:
        """An array of the caller's own: no argument, and no part of another result."""
        code = self.codes[step]
        if step.shape and not self.target.owns(step, self.returned):
            code = self.target.copied(code)
        self.returned.add(source_of(step))
        return code.text


def _called(code: str, text: str) -> str:
    """A class without the methods that neither the text nor its other methods call."""
    head, *methods = re.split(r"\n+(?=    def )", code)
    if not code.startswith("class "):
        return code
    named = {re.split(r"\W+", method)[2]: method for method in methods}
    kept: set[str] = set()
    more = {"__init__"}
    while more:
        kept |= more
        text += "".join([named[name] for name in more])
        more = {name for name in named if f".{name}(" in text} - kept
    return "\n\n".join([head, *(method for name, method in named.items() if name in kept)])


def _imports(target: Target, text: str) -> list[str]:
    """The imports that the text uses; ``scipy.linalg.lapack.dpotrf`` does not use ``scipy.linalg``."""
    used = set()
    for prefix in sorted(target.imports, key=len, reverse=True):
        text, before = re.sub(rf"(?<![\w.]){re.escape(prefix)}\.", "", text), text
        if text != before:
            used.add(prefix)
    return [line for prefix, line in target.imports.items() if prefix in used]


MOVED = ("view", "reshape", "index", "slice", "diagonal")
"""Operations whose result may lie in the memory of their operand."""


def source_of(step: Step) -> Step:
    """The step in whose memory an array may lie."""
    while step.op in MOVED:
        step = step.args[0]
    return step


def dims_of(step: Step) -> list[Dim]:
    """The sizes that a step is about."""
    found = list(step.shape)
    parts = [step.param]
    while parts:
        part = parts.pop()
        if isinstance(part, Dim):
            found.append(part)
        elif isinstance(part, tuple):
            parts += part
    return found
