"""Index notation: an ``einsum`` as a sum over indices, ``Σᵢⱼ xᵢ Aᵢⱼ xⱼ``, and the identity as a Kronecker delta."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from matgrad.explaining.words import Word, Words
from matgrad.formula.latex import to_latex
from matgrad.formula.syntax import SCALAR, Expr
from matgrad.formula.unicode import to_unicode

if TYPE_CHECKING:
    from matgrad.explaining.setting import Setting

_SMALL = dict(zip("ijklmnprstuvaeh", "ᵢⱼₖₗₘₙₚᵣₛₜᵤᵥₐₑₕ", strict=True))


class IndexWords(Words):
    """Printers of one derivation in components."""

    def __init__(self, words: Mapping[str, Word], setting: Setting) -> None:
        super().__init__(words)
        self.gradient_name = setting.gradient_name
        self.function = setting.function
        outputs = len(setting.body.dims)
        out = "ij"[:outputs]
        at = "kl"[: len(setting.type_of(setting.wrt).dims)]
        variable = setting.name(setting.wrt)
        top = setting.function + _subscript(out)
        self.words[setting.gradient_name] = Word(
            f"∂{top}/∂{to_unicode(variable)}{_subscript(at)}",
            rf"\frac{{\partial {setting.function}{_below(out)}}}{{\partial {_plain(to_latex(variable))}{_below(at)}}}",
        )
        self.words[setting.function] = Word(top, setting.function + _below(out))
        self.free = out + at

    def unicode(self, expr: Expr) -> str:
        return self._sum(expr, latex=False)

    def latex(self, expr: Expr) -> str:
        return self._sum(expr, latex=True)

    def _sum(self, expr: Expr, *, latex: bool) -> str:
        if not any(term.op == "einsum" or "einsum" in _ops(term) for term in _terms(expr)):
            shown = super().latex(expr) if latex else super().unicode(expr)
            if expr.kind == SCALAR or not self.free or (expr.op == "name" and expr.value in self.words):
                return shown
            if expr.op == "name":
                return (_plain(shown) + _below(self.free)) if latex else shown + _subscript(self.free)
            return f"({shown}){_below(self.free)}" if latex else f"({shown}){_subscript(self.free)}"
        out = ""
        for term in _terms(expr):
            minus, inner = ("-" if latex else "−", term.args[0]) if term.op == "neg" else ("", term)
            sign = f" {minus or '+'} " if out else minus
            out += sign + self._term(inner, latex=latex)
        return out

    def _term(self, expr: Expr, *, latex: bool) -> str:
        scalars = expr.args[:-1] if expr.op == "product" else ()
        whole = expr.args[-1] if expr.op == "product" else expr
        shown = [super(IndexWords, self).latex(s) if latex else super(IndexWords, self).unicode(s) for s in scalars]
        if whole.op != "einsum":
            return " ".join([*shown, super().latex(whole) if latex else super().unicode(whole)])
        inside, _, out = whole.value.partition("->")
        patterns = inside.split(",")
        summed = "".join(dict.fromkeys(c for p in patterns for c in p if c not in out))
        if summed:
            shown.append(rf"\sum_{{{summed}}}" if latex else "Σ" + _subscript(summed))
        pairs = list(zip(whole.args, patterns, strict=True))
        kept = [(a, p) for a, p in pairs if not (a.op == "call" and a.value.name == "ones")] or []
        shown += [self._factor(arg, pattern, latex=latex) for arg, pattern in kept]
        return " ".join(shown) if shown and (kept or scalars) else "1"

    def _factor(self, expr: Expr, pattern: str, *, latex: bool) -> str:
        below = _below(pattern) if latex else _subscript(pattern)
        shown = to_latex(expr) if latex else to_unicode(expr)
        if expr.op == "call" and expr.value.name == "eye":
            return (r"\delta" if latex else "δ") + below
        if not pattern:
            return f"({shown})" if expr.op in ("add", "neg") else shown
        if expr.op == "name":
            return (_plain(shown) if latex else shown) + below
        if expr.op == "power" and expr.args[0].op == "name" and expr.value == ".^":
            base = self._factor(expr.args[0], pattern, latex=latex)
            exponent = to_latex(expr.args[1]) if latex else to_unicode(Expr("power", (_X, expr.args[1]), "^"))[1:]
            return f"{base}^{{{exponent}}}" if latex else base + exponent
        if expr.op == "call" and len(expr.args) == 1 and expr.args[0].op == "name" and expr.value.dim is None:
            whole = expr.args[0]
            if whole.kind == expr.kind and expr.value.name not in ("inv", "adj", "softmax"):
                inner = self._factor(whole, pattern, latex=latex)
                name = to_latex(whole) if latex else to_unicode(whole)
                found = shown.replace(f"({name})", f"({inner})").replace(f"|{name}|", f"|{inner}|")
                if found != shown:
                    return found
        return (rf"\left[{shown}\right]" if latex else f"[{shown}]") + below


_X = Expr("name", value="x")


def _terms(expr: Expr) -> tuple[Expr, ...]:
    return expr.args if expr.op == "add" else (expr,)


def _ops(expr: Expr) -> set[str]:
    inner = expr.args[0] if expr.op == "neg" else expr
    return {inner.op} | {arg.op for arg in inner.args}


def _subscript(letters: str) -> str:
    if not letters:
        return ""
    return "".join(_SMALL[c] for c in letters) if set(letters) <= set(_SMALL) else f"_{{{letters}}}"


def _below(letters: str) -> str:
    return f"_{{{letters}}}" if letters else ""


def _plain(latex: str) -> str:
    """Entries are numbers: not bold."""
    return latex.removeprefix(r"\mathbf{").removesuffix("}") if latex.startswith(r"\mathbf{") else latex
