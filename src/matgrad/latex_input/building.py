r"""From LaTeX to a tree in which what has two readings is still open.

Beside the operations of a formula (see ``formula.syntax``) it has: ``bars`` (|X|: a determinant or absolute values),
``norm`` (value: its subscript), ``inner`` (⟨x, y⟩), ``ones`` (value: the digit and its sizes), ``over`` (a sum; value:
its indices, where they end, and sum, prod, max or min), and names whose value is a :class:`Name`.
"""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

from matgrad.errors import FormulaError
from matgrad.formula.syntax import Call, Expr, Program
from matgrad.functions import card
from matgrad.latex_input.branches import Branches
from matgrad.latex_input.names import BOLD, Name
from matgrad.latex_input.parts import Part, leaf, made, span_of
from matgrad.latex_input.positions import index, size
from matgrad.latex_input.tokens import Names, Token
from matgrad.latex_input.vocabulary import NUMBERED


class Tree(NamedTuple):
    """What a text says: definitions, the formula, the name that stands left of it, and which readings were chosen."""

    program: Program
    value_name: Name | None
    notes: tuple[str, ...]


class Build(Branches):
    """One method per rule of the grammar; trees are folded bottom-up, without recursion."""

    def __init__(self, text: str, names: Names) -> None:
        self.text = text
        self.names = names
        self.notes: list[str] = []
        self.hidden: list[FormulaError] = []

    def tree(self, root: Any) -> Tree:
        from lark import Tree as LarkTree

        done: dict[int, Any] = {}
        stack = [(root, False)]
        while stack:
            node, ready = stack.pop()
            if not isinstance(node, LarkTree):
                done[id(node)] = node.value
            elif ready:
                done[id(node)] = getattr(self, "on_" + node.data)([done[id(c)] for c in node.children])
            else:
                stack.append((node, True))
                stack.extend((child, False) for child in node.children)
        result: Tree = done[id(root)]
        return result

    def error(self, message: str, start: int, stop: int, hint: str | None = None) -> FormulaError:
        return FormulaError(message, source=self.text, span=(start, stop), hint=hint)

    def _shown(self, part: Part | Token) -> str:
        return self.text[part.start : part.stop].strip()

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    # -- statements

    def on_start(self, parts: list[Any]) -> Tree:
        statements = [p for p in parts if isinstance(p, tuple) and not isinstance(p, Token)]
        if self.hidden:
            raise self.hidden[0]
        definitions: list[tuple[Any, Expr]] = []
        for name, part in statements[:-1]:
            if name is None:
                raise self.error(
                    "only the last part may go without a name", part.start, part.stop, r"r = Ax - b; r^\top r"
                )
            definitions.append((name, part.expr))
        value_name, last = statements[-1]
        if value_name is not None:
            self.note(f"{value_name.latex} = …: the right side is the formula")
        return Tree(Program(tuple(definitions), last.expr), value_name, tuple(self.notes))

    def on_statement(self, parts: list[Any]) -> tuple[Name | None, Part]:
        sides: list[Part] = [p for p in parts if isinstance(p, Part)]
        if len(sides) == 1:
            return None, sides[0]
        self.hidden = [
            e for e in self.hidden if e.span is None or e.span[0] >= sides[1].start or e.span[0] < sides[0].start
        ]
        name = self._defined(sides[0])
        if name is None or len(sides) > 2:
            raise self.error(
                "the left side of '=' is not a name", sides[0].start, sides[0].stop, "one formula, without '='"
            )
        return name, sides[1]

    def _defined(self, side: Part) -> Name | None:
        """The name that the left side of an equation defines: ``L``, or ``L`` of its variables, ``L(x)``."""
        expr = side.expr
        if expr.op == "product" and expr.args[0].op == "name":
            expr = expr.args[0]
            rest = self.text[span_of(expr)[1] : side.stop]
            if not re.fullmatch(r"(?:\\left|\\[!,]|\s)*[(\[].*[)\]]\s*", rest, re.DOTALL):
                return None
        if expr.op == "call" and expr.value.name != "eye" and expr.args and card(expr.value.name) is None:
            return Name(expr.value.name)
        return expr.value if expr.op == "name" else None

    # -- sums and products

    def on_signed(self, parts: list[Any]) -> Part:
        sign, part = parts
        return part if sign.kind == "PLUS" else self._negative(sign.start, part)

    def _negative(self, start: int, part: Part) -> Part:
        return made("neg", [part], start=start)

    def _sum(self, left: Part, right: Part) -> Part:
        terms = left.expr.args if left.expr.op == "add" and not left.bracketed else (left.expr,)
        span = (left.start, right.stop)
        return Part(Expr("add", (*terms, right.expr), None, span), *span)

    def on_plus(self, parts: list[Any]) -> Part:
        return self._sum(parts[0], parts[2])

    def on_minus(self, parts: list[Any]) -> Part:
        return self._sum(parts[0], self._negative(parts[1].start, parts[2]))

    def _product(self, parts: list[Part], operators: list[str]) -> Part:
        """Factors in one product; one that stands first is spliced in where it is a product already."""
        first = parts[0]
        span = (first.start, parts[-1].stop)
        if first.expr.op == "product" and not first.bracketed:
            args = (*first.expr.args, *(p.expr for p in parts[1:]))
            return Part(Expr("product", args, (*first.expr.value, *operators), span), *span)
        return Part(Expr("product", tuple(p.expr for p in parts), tuple(operators), span), *span)

    def on_times(self, parts: list[Any]) -> Part:
        left, operator, right = parts
        if operator.value == "/":
            return self._quotient(left, operator, right)
        if operator.value in ("·", "×"):
            return self._dotted(left, operator, right)
        return self._product([left, right], [operator.value])

    def _dotted(self, left: Part, operator: Token, right: Part) -> Part:
        r"""``\mathbf{a} \cdot \mathbf{b}`` of two columns is their inner product; of others, a product."""
        if not (_is_column(left.expr) and _is_column(right.expr)):
            return self._product([left, right], ["*"])
        if operator.value == "×":
            raise self.error(
                "a cross product is not part of formulas here", left.start, right.stop, r"\mathbf{a}^\top \mathbf{b}"
            )
        self.note(r"\cdot of two vectors is read as their inner product")
        turned = Part(Expr("transpose", (left.expr,), None, (left.start, left.stop)), left.start, left.stop)
        return self._product([turned, right], ["*"])

    def _quotient(self, left: Part, operator: Token, right: Part) -> Part:
        """``1/2 x`` is (1/2) x; a product right of ``/`` has two readings otherwise."""
        if right.factors == 1 or right.bracketed:
            return self._product([left, right], ["/"])
        args = right.expr.args
        if left.expr.op == "number" and args[0].op == "number" and left.factors == 1:
            shown = self.text[left.start : right.stop].strip()
            self.note(f"{shown} is read with the fraction {left.expr.value}/{args[0].value} first")
            fraction = Expr("product", (left.expr, args[0]), ("/",), (left.start, right.start + 1))
            span = (left.start, right.stop)
            return Part(Expr("product", (fraction, *args[1:]), right.expr.value, span), *span)
        raise self.error(
            "a product right of '/' has two readings", operator.start, right.stop, r"\frac{…}{…}, or brackets"
        )

    def on_before_sum(self, parts: list[Any]) -> Part:
        return self._product(parts, ["*"])

    def on_bigsum(self, parts: list[Any]) -> Part:
        token, body = parts[0], parts[-1]
        if len(parts) == 3:
            body = self._negative(parts[1].start, body)
        return made("over", [body], token.value, start=token.start)

    def on_run(self, parts: list[Part]) -> Part:
        if len(parts) == 1:
            return parts[0]
        self._hidden_calls(parts)
        whole = made("product", parts, ("*",) * (len(parts) - 1))
        whole.factors = len(parts)
        return whole

    def _hidden_calls(self, parts: list[Part]) -> None:
        """``f(x)`` with an f that nobody declared: a value of a function, or a product?"""
        for left, right in pairwise(parts):
            if left.expr.op != "name" or left.bracketed or not right.bracketed or self.text[right.start] != "(":
                continue
            name: Name = left.expr.value
            alone = right.expr.op == "name"
            if name.base not in self.names.variables and (alone or name.base in ("f", "g", "h", "phi", "psi")):
                shown = self.text[left.start : left.stop]
                self.hidden.append(self.error(
                    f"{shown}(…) has two readings: a function's value, or a product", left.start, right.stop,
                    rf"the declaration {name.base}: function, or {shown} \cdot (…)",
                ))  # fmt: skip

    def on_apps(self, parts: list[Part]) -> Part:
        return parts[0] if len(parts) == 1 else made("product", parts, ("*",) * (len(parts) - 1))

    def on_app(self, parts: list[Any]) -> Part:
        token, argument = parts
        if argument.factors > 1 and self._is_fenced(argument.expr.args[0]):
            return self._before_rest(token, argument)
        first = argument.expr.args[0] if argument.factors > 1 else None
        if first is not None and not (argument.factors == 2 and first.op == "number"):
            shown = self.text[token.start : argument.stop].strip()
            self.note(f"{shown} is read as {self._shown(token)}({self._shown(argument)})")
        return self._call(token, [argument], None, argument.stop)

    def _is_fenced(self, expr: Expr) -> bool:
        """|x|, its powers, and functions of it without brackets: bars end an argument as brackets do."""
        while expr.op in ("power", "call") and expr.args:
            (start, stop), inner = span_of(expr), expr.args[0]
            if self.text[start] in "([{" or (expr.op == "call" and stop != span_of(inner)[1]):
                return False
            expr = inner
        return expr.op in ("bars", "norm")

    def _before_rest(self, token: Token, argument: Part) -> Part:
        r"""``\log |x| y`` is (log |x|) y."""
        first, *rest = [Part(factor, *span_of(factor)) for factor in argument.expr.args]
        parts = [self._call(token, [first], None, first.stop), *rest]
        whole = made("product", parts, argument.expr.value, start=token.start, stop=argument.stop)
        whole.factors = argument.factors
        return whole

    def on_chain(self, parts: list[Part]) -> Part:
        if len(parts) == 1:
            return parts[0]
        whole = self._product(parts, ["*"])
        whole.factors = sum(p.factors for p in parts)
        return whole

    # -- postfix

    def on_braced(self, parts: list[Part]) -> Part:
        return parts[1]

    def on_power(self, parts: list[Any]) -> Part:
        base, token, exponent = parts
        if base.expr.op == "power" and not base.bracketed:
            raise self.error("a power of a power needs brackets", base.start, exponent.stop, "{(a^b)}^c or a^{b^c}")
        stop = exponent.stop + 1 if self.text[exponent.stop : exponent.stop + 1] == "}" else exponent.stop
        if self._is_e(base.expr) and token.kind == "POW":
            self.note("e^{…} is the exponential function")
            return made("call", [exponent], Call("exp"), base.start, stop)
        if base.expr.op == "call" and not base.bracketed and base.expr.args and self.text[base.stop - 1] in ")]":
            shown = self.text[base.start : stop].strip()
            if re.match(r"\\(?!frac|sqrt|mathbf|boldsymbol)", shown):
                self.note(f"{shown} is the power of the function's value")
        return made("power", [base, exponent], token.value, stop=stop)

    def _is_e(self, expr: Expr) -> bool:
        return expr.op == "name" and expr.value == Name("e") and "e" not in self.names.variables

    def on_tick(self, parts: list[Any]) -> Part:
        base, token = parts
        return made("transpose", [base], stop=token.stop)

    def on_inverse_transpose(self, parts: list[Any]) -> Part:
        base, token = parts
        inverse = made("call", [base], Call("inv"), stop=token.stop)
        return made("transpose", [inverse])

    # -- atoms

    def on_name(self, parts: list[Any]) -> Part:
        (token,) = parts
        name: Name = token.value
        declared = {"I", "I" + name.sub, "I_" + name.sub} & self.names.variables
        if name.base != "I" or name.accent or name.sup or declared:
            return leaf("name", token, name)
        self.note("I is read as the identity matrix")
        return leaf("call", token, Call("eye"), (self._size(name.sub, token),) if name.sub else ())

    def _size(self, text: str, token: Token) -> Expr:
        return size(text, (token.start, token.stop), self.text)

    def on_number(self, parts: list[Any]) -> Part:
        (token,) = parts
        return leaf("number", token, Fraction(token.value))

    def on_constant(self, parts: list[Any]) -> Part:
        (token,) = parts
        if isinstance(token.value, tuple) and token.value[0] == "commutation":
            self.note(f"K_{{{token.value[1]},{token.value[2]}}} is read as a commutation matrix")
            return leaf("call", token, Call("commutation"), tuple(self._size(n, token) for n in token.value[1:]))
        if isinstance(token.value, tuple):
            self.note(f"e_{token.value[1]} is read as a unit vector")
            return leaf("call", token, Call("unit"), (leaf("number", token, Fraction(token.value[1])).expr,))
        return leaf("constant", token, token.value)

    def on_ones(self, parts: list[Any]) -> Part:
        (token,) = parts
        digit, sizes = token.value
        if sizes is None:
            return leaf("ones", token, digit)
        named = tuple(self._size(part, token) for part in re.split(r"\\times|×|,", sizes))
        return leaf("call", token, Call("ones" if digit == "1" else "zeros"), named)

    def on_brackets(self, parts: list[Any]) -> Part:
        opening, part, closing = parts
        return Part(part.expr, opening.start, closing.stop, bracketed=True)

    def on_entry(self, parts: list[Any]) -> Part:
        opening, part, _, token = parts
        value, bounds = index(token.value, (token.start, token.stop), self.text)
        span = (opening.start, token.stop)
        return Part(Expr("index", (part.expr, *bounds), value, span), *span)

    def on_bars(self, parts: list[Any]) -> Part:
        return made("bars", [parts[1]], start=parts[0].start, stop=parts[2].stop)

    def on_norm(self, parts: list[Any]) -> Part:
        return made("norm", [parts[1]], parts[2].value, parts[0].start, parts[2].stop)

    def on_inner(self, parts: list[Any]) -> Part:
        return made("inner", [parts[1], parts[3]], None, parts[0].start, parts[4].stop)

    def on_arguments(self, parts: list[Any]) -> tuple[list[Part], int | None]:
        arguments = [p for p in parts if isinstance(p, Part)]
        keyword = [p for p in parts if isinstance(p, Token) and p.kind in ("NAME", "NUMBER")]
        if not keyword:
            return arguments, None
        if keyword[0].value.base != "dim" or keyword[1].value not in ("1", "2"):
            raise self.error("the only named argument is dim = 1 or dim = 2", keyword[0].start, keyword[1].stop)
        return arguments, int(keyword[1].value)

    def on_call(self, parts: list[Any]) -> Part:
        token, _, (arguments, dim), closing = parts
        return self._call(token, arguments, dim, max(closing.stop, arguments[-1].stop))

    def _call(self, token: Token, arguments: list[Part], dim: int | None, stop: int) -> Part:
        name, primes, more = token.value
        if name == "einsum":
            return made("einsum", arguments, more, token.start, stop)
        if name in NUMBERED.values() and isinstance(more, str):
            number = Expr("number", (), Fraction(primes), (token.start, token.stop))
            arguments, primes = [Part(number, token.start, token.stop), *arguments], 0
        entry = card(name) if not primes else None
        if entry is not None and isinstance(more, str):
            self.note(f"{more}(·) is read as {name}")
        whole = made("call", arguments, Call(name, dim, primes), token.start, stop)
        if isinstance(more, int):
            power = Expr("number", (), Fraction(more), (token.start, token.stop))
            entrywise = Expr("power", (whole.expr, power), "^", (token.start, stop))
            return Part(entrywise, token.start, stop, bracketed=True)
        return whole

    def on_fraction(self, parts: list[Any]) -> Part:
        token, top, bottom = parts
        whole = made("product", [top, bottom], ("/",), token.start, _after_brace(self.text, bottom.stop))
        whole.bracketed = True
        return whole

    def on_root(self, parts: list[Any]) -> Part:
        token, inside = parts[0], parts[-1]
        stop = _after_brace(self.text, inside.stop)
        if len(parts) == 2:
            return made("call", [inside], Call("sqrt"), token.start, stop)
        one = Part(Expr("number", (), Fraction(1), (token.start, token.stop)), token.start, token.stop)
        return made("power", [inside, made("product", [one, parts[1]], ("/",))], "^", token.start, stop)

    def on_stack(self, parts: list[Any]) -> Part:
        opening, rows, closing = parts
        entries = [part for row in rows for part in row]
        if len(entries) == 1:
            return Part(entries[0].expr, opening.start, closing.stop, bracketed=True)
        return made("stack", entries, tuple(len(row) for row in rows), opening.start, closing.stop)

    def on_rows(self, parts: list[Any]) -> list[list[Part]]:
        return [p for p in parts if isinstance(p, list)]

    def on_entries(self, parts: list[Any]) -> list[Part]:
        return [p for p in parts if isinstance(p, Part)]


def _after_brace(text: str, stop: int) -> int:
    return stop + 1 if text[stop : stop + 1] == "}" else stop


def _is_column(expr: Expr) -> bool:
    """Whether an expression looks like a column: a bold small letter, or what ends in one."""
    while expr.op in ("neg", "add", "product"):
        if expr.op == "product" and set(expr.value) - {"*", ".*"}:
            return False
        expr = expr.args[-1]
    return expr.op == "name" and expr.value.style == BOLD and not expr.value.upper
