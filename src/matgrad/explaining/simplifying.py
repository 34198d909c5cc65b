"""Laws that make a formula shorter: symmetry, cancelling, what is left of identities and ones; one law a step.

A step applies one rule of ``cancelling`` wherever it fits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from matgrad.dims import Dim
from matgrad.explaining.arrangement import same
from matgrad.explaining.cancelling import RULES, Rule
from matgrad.explaining.lines import Law, Path
from matgrad.explaining.terms import turned
from matgrad.explaining.trees import at, rebuilt, tidied, varies
from matgrad.explaining.working import Step
from matgrad.formula.syntax import MATRIX, Expr, fold, walk
from matgrad.formula.text import to_text
from matgrad.formula.unicode import to_unicode
from matgrad.translate.algebra import cost, number, times

TRANSPOSING = frozenset({
    "a scalar equals its transpose", "a trace equals that of the transpose", "the transpose of a product",
    "move a matrix across",
})  # fmt: skip
"""The rules that transpose the factors of a product."""
LONGEST_WORD = 30


class Simplifier:
    """The rules, for one derivation: which of its matrices are symmetric, and why."""

    def __init__(
        self, symmetric: Callable[[Expr], str | None], names: Collection[str], size: Callable[[Dim], Expr]
    ) -> None:
        """``symmetric`` gives the reason why a matrix is symmetric, or None; ``names`` are those of differentials;
        ``size`` is how the derivation calls a dimension."""
        self.symmetric = symmetric
        self.size = size
        self.names = names

    def step(self, expr: Expr, rules: tuple[Rule, ...] = ()) -> Step | None:
        """The first law that fits, applied wherever it does."""
        for rule in rules or RULES:
            after, where = _everywhere(expr, rule.apply)
            if where:
                return Step(rule.law, expr, where, after)
        return self._by_symmetry(expr)

    def absorbed(self, step: Step, *, calls: bool = True) -> Step:
        """A transposition with the symmetry in it: u'*inv(S)*v = v'*inv(S)*u in one line; names only on request."""
        step = self._said(step)
        found = self._by_symmetry(step.after, calls=calls)
        if found is None or self._by_symmetry(step.before, calls=calls) is not None:
            return step
        law = step.law
        said = Law(f"{law.rule}; {found.law.rule}", law.law.replace("U'", "U"), f"{law.reason}; {found.law.reason}")
        return step._replace(law=said, after=found.after)

    def _said(self, step: Step) -> Step:
        """A transposition with the factors that are their own transposes by their form: diag(w), eye - u*u'."""
        if step.law.rule not in TRANSPOSING:
            return step
        found: list[Expr] = []
        for path in step.where:
            for node in walk(at(step.before, path)):
                if node.op == "product" and set(node.value) <= {"*", "/"}:
                    found += [f for f in node.args if self._is_its_transpose(f)]
        after = [node for node in walk(step.after) if node.op in ("add", "call") and node.kind == MATRIX]
        found = [next((node for node in after if same(node, f)), f) for f in dict.fromkeys(found)]
        words = list(dict.fromkeys(to_unicode(f) for f in found if cost(f) <= LONGEST_WORD))
        if not words:
            return step
        said = f"{words[0]} is symmetric" if len(words) == 1 else f"{' and '.join(words)} are symmetric"
        return step._replace(law=step.law._replace(rule=f"{step.law.rule}; {said}"))

    def _is_its_transpose(self, expr: Expr) -> bool:
        if expr.kind != MATRIX or expr.op not in ("add", "call") or varies(expr, self.names):
            return False
        return not (expr.op == "call" and expr.value.name == "eye") and same(turned(expr), expr)

    def _by_symmetry(self, expr: Expr, *, calls: bool = False) -> Step | None:
        used: list[Expr] = []

        def apply(node: Expr) -> Expr | None:
            if node.op == "call" and node.value.name == "inv" and node.args[0].op == "transpose":
                inner = apply(node.args[0])
                return None if inner is None else node.replace(args=(inner,))
            if node.op != "transpose" or node.kind != MATRIX or node.args[0].op not in ("name", "call"):
                return None
            if calls and node.args[0].op != "call":
                return None
            if varies(node, self.names) or self.symmetric(node.args[0]) is None:
                return None
            used.append(node.args[0])
            return node.args[0]

        after, where = _everywhere(expr, apply)
        if not where:
            return None
        words = list(dict.fromkeys(to_unicode(e) for e in used))
        rule = f"{words[0]} is symmetric" if len(words) == 1 else f"{' and '.join(words)} are symmetric"
        text = to_text(used[0])
        law = Law(rule, f"{text}' = {text}", self.symmetric(used[0]) or "", instance=True)
        return Step(law, expr, where, after)


def with_powers(expr: Expr) -> Expr:
    """X*X as X^2, for square matrices that stand next to each other."""

    def visit(node: Expr, args: list[Expr]) -> Expr:
        new = rebuilt(node, args) if node.args else node
        if new.op != "product" or set(new.value) != {"*"}:
            return new
        found: list[tuple[Expr, int]] = []
        for factor in new.args:
            base, count = _base(factor)
            if found and found[-1][0] == base and base.kind == MATRIX:
                found[-1] = (base, found[-1][1] + count)
            else:
                found.append((base, count))
        if len(found) == len(new.args):
            return new
        return times(*(base if count == 1 else _raised(base, count) for base, count in found))

    powered: Expr = fold(expr, visit)
    return powered


def _base(expr: Expr) -> tuple[Expr, int]:
    if expr.op == "power" and expr.value == "^" and expr.kind == MATRIX and expr.args[1].op == "number":
        return expr.args[0], int(expr.args[1].value)
    return expr, 1


def _raised(base: Expr, count: int) -> Expr:
    return Expr("power", (base, number(count)), "^", type=base.type)


def _everywhere(expr: Expr, apply: Callable[[Expr], Expr | None]) -> tuple[Expr, tuple[Path, ...]]:
    """A rule applied to every part that it fits, inner ones first, and where those are."""
    hits: list[Expr] = []

    def visit(node: Expr, args: list[Expr]) -> Expr:
        new = rebuilt(node, args) if node.args else node
        found = apply(new)
        if found is not None:
            hits.append(node)
            return found
        return new

    after = tidied(fold(expr, visit))
    if not hits or after == expr:
        return expr, ()
    ids = {id(node) for node in hits}
    paths: list[Path] = []
    stack: list[tuple[Path, Expr]] = [((), expr)]
    while stack:
        path, node = stack.pop()
        if id(node) in ids:
            paths.append(path)
        else:
            stack.extend(((*path, k), arg) for k, arg in reversed(list(enumerate(node.args))))
    return after, tuple(paths)
