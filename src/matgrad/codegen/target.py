"""The operations of a plan in the manner of NumPy, which JAX and PyTorch share for the most part."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from fractions import Fraction

from matgrad.codegen.emit import Body
from matgrad.codegen.python_text import (
    ADD,
    ATOM,
    MAX_INLINE,
    NEG,
    POW,
    Code,
    binary,
    call,
    number,
    parsed,
    suffixed,
    times,
    transposed,
    unsigned,
)
from matgrad.dims import Dim
from matgrad.errors import NotSupported
from matgrad.functions import card_in_code
from matgrad.planning.steps import Step

_TERMS_PER_LINE = 24


class Arrays:
    """What the backends have in common; ``np`` is the module of the functions of arrays."""

    np: str
    blas: bool
    differentiated: bool
    eager: bool
    solve_many: str = "solve_many"
    """What factors of definite matrices call the solution of systems with several right sides."""
    imports: Mapping[str, str]
    helpers: Mapping[str, str]

    def spell(self, step: Step, args: list[Code], body: Body) -> Code:
        rule = getattr(self, "_" + step.op, None)
        if rule is None:
            raise NotSupported(f"the code generator has no rule for {step.op}")
        found: Code = rule(step, args, body)
        return found

    # -- leaves

    def _input(self, step: Step, args: list[Code], body: Body) -> Code:
        return Code(body.names[step.param])

    def _size(self, step: Step, args: list[Code], body: Body) -> Code:
        return parsed(body.size(step.param))

    def _number(self, step: Step, args: list[Code], body: Body) -> Code:
        return number(step.param)

    def _constant(self, step: Step, args: list[Code], body: Body) -> Code:
        name, parameter = step.param
        sizes = [body.size(d) for d in step.shape]
        if name == "pi":
            return Code(f"{self.np}.pi")
        if name == "unit":
            place = parameter if isinstance(parameter, Dim) else Dim.of(parameter)
            return Code(f"{self._eye([sizes[0]], body).text}[{body.size(place - Dim.of(1))}]", ATOM, 2)
        if name == "shift":
            offset = f"k=-({body.size(parameter)})" if parameter.number != 0 else ""
            return self._eye([*sizes, *[offset] * bool(offset)], body)
        if name == "fuse":
            return suffixed(self._eye([sizes[0]], body), f".reshape({', '.join(sizes)})")
        if name in ("tril", "triu"):
            shape = body.shape(step)
            return self._triangle(name, call(f"{self.np}.ones", shape, *self._dtype(body)), parameter)
        raise NotSupported(f"the code generator has no rule for the constant {name}")

    def _eye(self, arguments: list[str], body: Body) -> Code:
        return Code(f"{self.np}.eye({', '.join(arguments)}{body.dtype()})", ATOM, 1)

    # -- moving axes

    def _view(self, step: Step, args: list[Code], body: Body) -> Code:
        (code,) = args
        order = [axis for axis in step.param if axis is not None]
        if order == [1, 0]:
            code = transposed(code)
        elif order != sorted(order):
            code = self._permuted(code, order)
        if None in step.param:
            code = suffixed(code, f"[{', '.join('None' if axis is None else ':' for axis in step.param)}]")
        return code

    def _permuted(self, code: Code, order: Sequence[int]) -> Code:
        return suffixed(code, f".transpose({', '.join(map(str, order))})")

    def _reshape(self, step: Step, args: list[Code], body: Body) -> Code:
        if not step.args[0].shape:
            return call(f"{self.np}.reshape", args[0], body.shape(step))
        return suffixed(args[0], f".reshape({body.shape(step)})")

    def _index(self, step: Step, args: list[Code], body: Body) -> Code:
        axis, place = step.param
        return suffixed(args[0], f"[{':, ' * axis}{body.size(place - Dim.of(1))}]")

    def _slice(self, step: Step, args: list[Code], body: Body) -> Code:
        axis, offset, length = step.param
        first = "" if offset.number == 0 else body.size(offset)
        return suffixed(args[0], f"[{':, ' * axis}{first}:{body.size(offset + length)}]")

    def _diagonal(self, step: Step, args: list[Code], body: Body) -> Code:
        labels, out = step.param
        if len(labels) == 2:
            return call(f"{self.np}.diagonal", args[0])
        return self._subscripted([labels, out], args)

    def _part(self, step: Step, parts: Sequence[Dim | tuple[Dim, Dim] | None], body: Body) -> str:
        """``[n, :, 1:m]``: where an array stands in a larger one."""
        shown = []
        for part, total in zip(parts, step.shape, strict=True):
            if isinstance(part, Dim):
                shown.append(body.size(part))
            elif part is None:
                shown.append(":")
            else:
                offset, length = part
                first = "" if offset.number == 0 else body.size(offset)
                shown.append(f"{first}:{'' if offset + length == total else body.size(offset + length)}")
        return f"[{', '.join(shown)}]"

    def _mask(self, step: Step, args: list[Code], body: Body) -> Code:
        name, offset, (row, col) = step.param
        if row > col:
            name, offset, row, col = {"tril": "triu", "triu": "tril"}[name], -offset, col, row
        last = len(step.shape) - 1
        if (row, col) == (last - 1, last):
            return self._triangle(name, args[0], offset)
        moved = call(f"{self.np}.moveaxis", args[0], f"({row}, {col})", "(-2, -1)")
        return call(f"{self.np}.moveaxis", self._triangle(name, moved, offset), "(-2, -1)", f"({row}, {col})")

    def _triangle(self, name: str, code: Code, offset: int) -> Code:
        return call(f"{self.np}.{name}", code, *[str(offset)] * (offset != 0))

    def _expand(self, step: Step, args: list[Code], body: Body) -> Code:
        if not step.args[0].shape:
            return call(f"{self.np}.full", body.shape(step), args[0], *self._dtype(body))
        return call(f"{self.np}.broadcast_to", args[0], body.shape(step))

    def _dtype(self, body: Body) -> list[str]:
        return [body.dtype().removeprefix(", ")] if body.dtype() else ["dtype=float"]

    def _embed(self, step: Step, args: list[Code], body: Body) -> Code:
        out, _ = step.param
        if step.args[0].op == "expand" and step.args[0].args[0].op == "number" and len(out) == 2:
            one = step.args[0].args[0].param
            eye = self._eye([body.size(step.shape[0])], body)
            return eye if one == 1 else binary(number(one), "*", eye)
        if len(out) == 2:
            return call(f"{self.np}.diag", args[0])
        return self._embedded(step, args[0], body)

    def _embedded(self, step: Step, code: Code, body: Body) -> Code:
        """An array on a diagonal of one with more than two axes."""
        raise NotImplementedError

    # -- entries

    def _map(self, step: Step, args: list[Code], body: Body) -> Code:
        if step.param == "pow":
            return Code(f"{args[0].at_least(ATOM)} ** {args[1].at_least(NEG)}", POW, 1 + max(a.depth for a in args))
        known = card_in_code(step.param)
        assert known is not None
        text = known.numpy_pair if len(args) == 2 and known.numpy_pair else known.numpy
        code = self._template(text, args, body, None)
        return self._plain_map(code) if all(map(is_plain, step.args)) else code

    def _series(self, step: Step, args: list[Code], body: Body) -> Code:
        name, radius, coefficients = step.param
        known = card_in_code(name)
        assert known is not None
        listed = [f"{c.numerator}/{c.denominator}" if c.denominator > 1 else str(c) for c in coefficients]
        text = known.numpy.replace("#series", f"{radius!r}, [{', '.join(listed)}]")
        return self._template(text, args, body, None)

    def _plain_map(self, code: Code) -> Code:
        """A function of numbers is a number of Python, so that float32 stays float32."""
        return call("float", code)

    def _template(self, text: str, args: list[Code], body: Body, axis: str | None) -> Code:
        """The code on a card, with its arguments: in brackets unless the template has them already."""
        text = text.replace(", axis=#axis", f", axis={axis}" if axis is not None else "")
        if text.count("#1") > 1 and not args[0].text.isidentifier():
            args = [body.name(args[0]), *args[1:]]
        parts, rest = [], self.translated(text)
        while "#" in rest:
            before, _, after = rest.partition("#")
            code, after = args[int(after[0]) - 1], after[1:]
            enclosed = before.endswith(("(", ", ")) and after.startswith((")", ","))
            parts += [before, code.text if enclosed else code.at_least(ATOM)]
            rest = after
        return parsed("".join([*parts, rest]), 1 + max((a.depth for a in args), default=0))

    def translated(self, text: str) -> str:
        """The code on a card, for this backend."""
        return text

    def _call(self, step: Step, args: list[Code], body: Body) -> Code:
        name, primes = step.param
        return call(f"{body.names[name]}[{primes}]", *args)

    def _power(self, step: Step, args: list[Code], body: Body) -> Code:
        (x,) = args
        exponent = step.param
        if exponent < 0:
            return binary(Code("1"), "/", self._raised(step, x, -exponent, body))
        return self._raised(step, x, exponent, body)

    def _raised(self, step: Step, x: Code, exponent: Fraction, body: Body) -> Code:
        if exponent == 1:
            return x
        if step.args[0].op == "number" and exponent.denominator != 1:
            return Code(repr(float(step.args[0].param) ** float(exponent)))
        if exponent == Fraction(1, 2):
            return call(f"{self.np}.sqrt", x)
        if exponent in (Fraction(3, 2), 3) and step.args[0].shape:
            x = x if x.text.isidentifier() else body.name(x)
            return binary(x, "*", self._raised(step, x, exponent - 1, body))
        if x.text.isdigit():
            x = Code(x.text + ".0")
        return Code(f"{x.at_least(ATOM)} ** {number(exponent).at_least(NEG)}", POW, 1 + x.depth)

    def _linear(self, step: Step, args: list[Code], body: Body) -> Code:
        return self._sum_of([_term(c, x, code) for c, x, code in zip(step.param, step.args, args, strict=True)], body)

    def _sum_of(self, terms: Sequence[tuple[Fraction, Code]], body: Body) -> Code:
        """Terms with their signs; a long sum goes over several lines, since Python's compiler is recursive."""
        total: Code | None = None
        for count, (factor, code) in enumerate(terms):
            if total is not None and (count % _TERMS_PER_LINE == 0 or len(total.text) > MAX_INLINE):
                total = body.name(total)
            term = times(abs(factor), code)
            sign = "-" if factor < 0 else "+"
            if total is None:
                total = Code("-" + unsigned(term, NEG), NEG, term.depth + 1) if factor < 0 else term
                continue
            if term.text.startswith("-") and term.level == NEG:
                term, sign = Code(term.text[1:], NEG, term.depth), {"+": "-", "-": "+"}[sign]
            total = Code(f"{total.text} {sign} {unsigned(term, ADD + 1)}", ADD, max(total.depth, term.depth + 1))
        assert total is not None
        return total

    def _mul(self, step: Step, args: list[Code], body: Body) -> Code:
        factor, of = step.args
        if factor.op == "number" and of.op == "linear" and body.uses[of] == 1:
            terms = [_term(c * factor.param, x, body.codes[x]) for c, x in zip(of.param, of.args, strict=True)]
            return self._sum_of(sorted(terms, key=lambda term: term[0] < 0), body)
        if factor.op == "number":
            return times(factor.param, args[1])
        return binary(args[0], "*", args[1])

    def _div(self, step: Step, args: list[Code], body: Body) -> Code:
        return binary(args[0], "/", args[1])

    def _over(self, step: Step, args: list[Code], body: Body) -> Code:
        return call("over", *args)

    def _sum(self, step: Step, args: list[Code], body: Body) -> Code:
        (x,) = step.args
        if x.op == "diagonal" and len(x.param[0]) == 2 and body.uses[x] == 1:
            return call(f"{self.np}.trace", body.codes[x.args[0]])
        if not step.shape:
            return call(f"{self.np}.sum", args[0])
        axes = step.param[0] if len(step.param) == 1 else step.param
        return call(f"{self.np}.sum", args[0], f"axis={axes}")

    def _reduce(self, step: Step, args: list[Code], body: Body) -> Code:
        name, count = step.param
        known = card_in_code(name)
        assert known is not None
        order = len(step.args[0].shape)
        axis = None if count == order else "-1" if count == 1 else str(tuple(range(-count, 0)))
        return self._template(known.numpy, args, body, axis)

    # -- products

    def _matmul(self, step: Step, args: list[Code], body: Body) -> Code:
        return binary(args[0], "@", args[1])

    def _inner(self, step: Step, args: list[Code], body: Body) -> Code:
        if len(step.args[0].shape) == 1:
            return binary(args[0], "@", args[1])
        return call(f"{self.np}.vdot", *args)

    def _stack(self, step: Step, args: list[Code], body: Body) -> Code:
        return Code(f"{self.np}.stack([{', '.join(code.text for code in args)}])", ATOM, 1 + max(x.depth for x in args))

    def _tensordot(self, step: Step, args: list[Code], body: Body) -> Code:
        left, right = step.param
        return call(f"{self.np}.tensordot", *args, f"axes=({list(left)}, {list(right)})")

    def _einsum(self, step: Step, args: list[Code], body: Body) -> Code:
        return self._subscripted(step.param, args)

    def _subscripted(self, labels: Sequence[Sequence[int]], args: Sequence[Code]) -> Code:
        return call(f"{self.np}.einsum", f'"{subscripts(labels)}"', *args)

    def _gram(self, step: Step, args: list[Code], body: Body) -> Code:
        """Z'·Z of a named array, which NumPy sees to be symmetric."""
        z = args[0] if args[0].text.isidentifier() else body.name(args[0])
        return binary(transposed(z), "@", z)

    def _smooth(self, step: Step, args: list[Code], body: Body) -> Code:
        return call("smooth", *args)

    # -- square matrices

    def _factor(self, step: Step, args: list[Code], body: Body) -> Code:
        """A factorisation for one system or determinant is left to the function that uses it."""
        return call(step.param, args[0]) if self._shared(step, body) else args[0]

    def _shared(self, factor: Step, body: Body) -> bool:
        return factor.param != "lu" or body.uses[factor] > 1 or factor in body.inverted

    def _solve(self, step: Step, args: list[Code], body: Body) -> Code:
        factor, right = args
        if self._shared(step.args[0], body):
            many = len(step.shape) == 2 and step.args[0].param in ("cholesky", "symmetric")
            method = self.solve_many if many else "solve"
            return call(f"{factor.at_least(ATOM)}.{method}", right, *["transposed=True"] * step.param)
        return call(f"{self.np}.linalg.solve", transposed(factor) if step.param else factor, right)

    def _inverse(self, step: Step, args: list[Code], body: Body) -> Code:
        return Code(f"{args[0].at_least(ATOM)}.inverse()", ATOM, args[0].depth)

    def _det(self, step: Step, args: list[Code], body: Body) -> Code:
        if self._shared(step.args[0], body):
            return Code(f"{args[0].at_least(ATOM)}.det()", ATOM, args[0].depth)
        return call(f"{self.np}.linalg.det", args[0])

    def _logdet(self, step: Step, args: list[Code], body: Body) -> Code:
        if self._shared(step.args[0], body):
            return Code(f"{args[0].at_least(ATOM)}.logdet()", ATOM, args[0].depth)
        return suffixed(call(f"{self.np}.linalg.slogdet", args[0]), "[1]")

    def _detsign(self, step: Step, args: list[Code], body: Body) -> Code:
        if self._shared(step.args[0], body):
            return Code(f"{args[0].at_least(ATOM)}.sign()", ATOM, args[0].depth)
        return suffixed(call(f"{self.np}.linalg.slogdet", args[0]), "[0]")

    def _apply(self, step: Step, args: list[Code], body: Body) -> Code:
        known = card_in_code(step.param)
        assert known is not None
        return self._template(known.numpy, args, body, None)

    def _matrix_power(self, step: Step, args: list[Code], body: Body) -> Code:
        return call(f"{self.np}.linalg.matrix_power", args[0], f"whole({args[1].text})")


def is_plain(step: Step) -> bool:
    """Whether the value is a number of Python: it depends on no array."""
    if step.op == "constant":
        return not step.shape
    made = ("map", "mul", "div", "linear", "power")
    return step.op in ("number", "size") or (step.op in made and all(map(is_plain, step.args)))


def rank_one_term(step: Step, body: Body) -> tuple[int, Fraction, Step, Step] | None:
    """Of a matrix plus s·x·y', the place of the matrix among the operands, s, x and y."""
    if len(step.args) == 2 and len(step.shape) == 2:
        for this, other in ((0, 1), (1, 0)):
            y = step.args[other]
            outer = y.op == "spread" and all(len(part.shape) == 1 for part in y.args) and body.uses[y] == 1
            if outer and step.param[this] == 1 and step.args[this].shape == step.shape:
                column, row = y.args if y.param[0] < y.param[1] else y.args[::-1]
                return this, step.param[other], column, row
    return None


def subscripts(labels: Sequence[Sequence[int]]) -> str:
    """The pattern of an einsum: the last labels are those of the result."""
    letters = {
        x: string.ascii_letters[i + 8 if i < 18 else i - 18]
        for i, x in enumerate(dict.fromkeys(x for s in labels for x in s))
    }
    *inside, out = ["".join(letters[x] for x in s) for s in labels]
    return f"{','.join(inside)}->{out}"


def _term(factor: Fraction, step: Step, code: Code) -> tuple[Fraction, Code]:
    """A term of a sum: a factor and what it multiplies; numbers are multiplied now."""
    if step.op != "number":
        return factor, code
    value = factor * step.param
    return Fraction(-1 if value < 0 else 1), number(abs(value))
