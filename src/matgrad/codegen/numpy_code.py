"""Readable NumPy source for a typed formula, and its compilation.

Equal parts of the tree are computed once and named. All names come from the parser and are checked to be
identifiers before they enter source that is executed.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from matgrad.codegen.numpy_products import OVER_NORM, WHOLE, block, kron, product, trace
from matgrad.codegen.python_text import (
    ADD,
    ATOM,
    MAX_DEPTH,
    MAX_INLINE,
    NEG,
    POW,
    Code,
    Statements,
    call,
    parsed,
    python_names,
    suffixed,
    transposed,
    words,
)
from matgrad.dims import ONE, Dim
from matgrad.errors import NotSupported
from matgrad.formula.binding import VariableLike
from matgrad.formula.sizes import size_of
from matgrad.formula.subscripts import is_fused, letter_sizes, plain, split_shapes
from matgrad.formula.syntax import MATRIX, SCALAR, VECTOR, Call, Expr, fold, index_items, walk
from matgrad.functions import card
from matgrad.translate.filling import numbers_shown

_TERMS_PER_LINE = 24


def to_numpy(
    function_name: str,
    expr: Expr,
    definitions: Sequence[tuple[str, Expr]] = (),
    variables: Iterable[VariableLike] = (),
    *,
    functions: Iterable[str] = (),
    docstring: str = "",
    subgradient: bool = False,
) -> str:
    """The source of a function of keyword arrays that computes the formula.

    ``definitions`` are intermediates, in order; ``variables`` are the arguments; ``functions`` are the unspecified
    functions among them, given as tuples of callables. A size that no argument shows becomes an argument. With
    ``subgradient``, for derivatives, 0/norm2(x) is 0 at the kink of the norm.
    """
    function = _Function(function_name, expr, definitions, list(variables), list(functions))
    function.subgradient = subgradient
    return function.source(docstring)


def compile_source(source: str) -> Callable[..., Any]:
    """The last function that the source defines; arguments may be given by the formula's names (``lambda``)."""
    namespace: dict[str, Any] = {}
    exec(compile(source, "<matgrad>", "exec"), namespace)
    function = [f for f in namespace.values() if inspect.isfunction(f)][-1]
    parameters = inspect.signature(function).parameters

    def call_by_name(**arrays: Any) -> Any:
        return function(**{_parameter(name, parameters): value for name, value in arrays.items()})

    call_by_name.parameters = frozenset(parameters)  # type: ignore[attr-defined]
    call_by_name.__name__, call_by_name.__doc__ = function.__name__, function.__doc__
    return call_by_name


def _parameter(name: str, parameters: Mapping[str, Any]) -> str:
    shown = name
    while shown not in parameters and len(shown) < len(name) + 4:
        shown += "_"
    return shown if shown in parameters else name


class _Function:
    """One function: its arguments, the sizes and statements of its body, its result."""

    def __init__(
        self,
        name: str,
        expr: Expr,
        definitions: Sequence[tuple[str, Expr]],
        variables: list[VariableLike],
        functions: list[str],
    ) -> None:
        self.name = python_names([name])[name]
        self.variables = [v for v in variables if v.name not in functions]
        self.roots = [(name, numbers_shown(root)) for name, root in [*definitions, ("", expr)]]
        dims = sorted({d for _, root in self.roots for e in walk(root) if e.type for dim in e.dims for d in dim.names}
                      | {d for v in self.variables if v.type for dim in v.type.dims for d in dim.names})  # fmt: skip
        given = {v.name for v in self.variables} | {d for d, _ in definitions} | set(functions)
        loose = {n.value for _, root in self.roots for n in walk(root) if n.op == "name"} - given
        dims = sorted({*dims, *loose})  # a dimension may occur only as a number
        words = [*(v.name for v in self.variables), *functions, *(d for d, _ in definitions)]
        words += [d for d in dims if d not in words]
        self.names = python_names(words, reserved={self.name})
        self.arguments = [*(v.name for v in self.variables), *functions]
        self.dims = dims
        self.helpers: dict[str, str] = {"over_norm": OVER_NORM, "whole": WHOLE}
        self.subgradient = False
        self.statements = Statements(set(self.names.values()))
        self.codes: dict[int, Code] = {}

    def source(self, docstring: str) -> str:
        roots, uses = _shared([root for _, root in self.roots])
        for (name, _), root in zip(self.roots[:-1], roots[:-1], strict=True):
            self.statements.assign(self.names[name], self.emit_all(root, uses))
        result = self.emit_all(roots[-1], uses).text
        lines = self.statements.used(result)
        sizes, unknown = self._sizes(lines, result)
        arguments = [self.names[a] for a in self.arguments] + unknown
        head = f"def {self.name}({'*, ' if arguments else ''}{', '.join(arguments)}):"
        notes = [f"# {self.names[a]} stands for {a}" for a in self.arguments if self.names[a] != a]
        body = notes + sizes + [f"{name} = {text}" for name, text in lines] + [f"return {result}"]
        if docstring:
            body.insert(0, repr(docstring) if '"' in docstring or "\\" in docstring else f'"""{docstring}"""')
        text = "\n".join([head, *("    " + line for line in body), ""])
        helpers = [h for name, h in self.helpers.items() if f"{name}(" in text]
        imports = ["import numpy as np"] + ["import scipy.special"] * ("scipy.special." in text)
        return "\n\n\n".join(["\n".join(imports), *(h.strip() for h in helpers), text])

    def _sizes(self, lines: list[tuple[str, str]], result: str) -> tuple[list[str], list[str]]:
        """``n = x.shape[0]`` for the sizes that are used, and those that no argument shows."""
        probe = Statements(())
        found: dict[str, tuple[str, frozenset[str]]] = {}
        for variable in sorted(self.variables, key=lambda v: max((len(d.terms) for d in _dims(v)), default=0)):
            for axis, dim in enumerate(_dims(variable)):
                shape = f"{self.names[variable.name]}.shape[{axis}]"
                for name in sorted(dim.names - found.keys()):
                    solved = self._solve(dim, name, shape)
                    if solved is not None and dim.names - {name} <= found.keys():
                        found[name] = (solved, dim.names - {name})
        probe.lines = [(self.names[n], text) for n, (text, _) in found.items()] + lines
        sizes = [f"{name} = {text}" for name, text in probe.used(result) if (name, text) not in lines]
        used = " ".join([result, *(text for _, text in lines)])
        unknown = [self.names[d] for d in self.dims
                   if d not in found and d not in self.arguments and self.names[d] in words(used)]  # fmt: skip
        return sizes, unknown

    def _solve(self, dim: Dim, name: str, shape: str) -> str | None:
        """``name`` from ``dim = shape``, where dim is name times known names, plus known terms."""
        containing = [(key, count) for key, count in dim.terms if name in key]
        if len(containing) != 1 or containing[0][0].count(name) != 1:
            return None
        key, count = containing[0]
        rest = [(k, c) for k, c in dim.terms if name not in k]
        factors = [*map(str, [count] * (count != 1)), *(self.names[k] for k in key if k != name)]
        left = shape if not rest else f"({shape} - ({self.size(Dim(dict(rest)))}))"
        if not factors:
            return left[1:-1] if rest else left
        return f"{left} // {factors[0] if len(factors) == 1 else '(' + '*'.join(factors) + ')'}"

    def size(self, dim: Dim) -> str:
        """A dimension in Python: ``m*n + 1``."""
        terms = ["*".join([str(c)] * (c != 1 or not k) + [self.names[n] for n in k]) for k, c in reversed(dim.terms)]
        return " + ".join(terms).replace("+ -", "- ") or "0"

    # Expressions.

    def emit_all(self, root: Expr, uses: Counter[int]) -> Code:
        """The code of the root, children first; what is used twice or is long gets a name."""

        def visit(node: Expr, _: list[None]) -> None:
            if id(node) in self.codes:
                return
            code = self.emit(node)
            long = len(code.text) > MAX_INLINE or code.depth > MAX_DEPTH
            if node is not root or uses[id(node)] > 1:
                shared = uses[id(node)] > 1 and not _trivial(node, code)
                code = self.statements.name(code) if shared or (long and node.args) else code
            self.codes[id(node)] = code

        fold(root, visit)
        return self.codes[id(root)]

    def code(self, node: Expr) -> Code:
        return self.codes[id(node)]

    def emit(self, node: Expr) -> Code:
        args = [self.code(a) for a in node.args]
        match node.op:
            case "number":
                return _number(node.value)
            case "constant":
                return Code("np." + node.value)
            case "name":
                return Code(self.names[node.value])
            case "add":
                return self._sum(node, args)
            case "neg":
                return Code("-" + _unsigned(args[0], NEG), NEG, args[0].depth + 1)
            case "product":
                return self._product(node)
            case "power":
                return _power(node, *args)
            case "transpose":
                return transposed(args[0]) if node.args[0].kind == MATRIX else args[0]
            case "call":
                return self._call(node, args)
            case "index":
                return suffixed(args[0], f"[{', '.join(self._indices(node))}]")
            case "stack":
                return _stack(node, args)
            case "einsum":
                return self._einsum(node, args)
        raise NotSupported(f"the code generator has no rule for {node.op!r}")

    def _indices(self, node: Expr) -> list[str]:
        """Each index, counted from 0; a range begins one earlier."""
        bounds = [size_of(bound, lambda part: part.dims) or ONE for bound in node.args[1:]]
        found = []
        for item in index_items(node, bounds):
            if isinstance(item, Dim):
                found.append(self.size(item - ONE))
            elif isinstance(item, tuple) and isinstance(item[0], Dim):
                found.append(f"{self.size(item[0] - ONE)}:{self.size(item[1])}")
            else:
                found.append(_index(item))
        return found

    def _einsum(self, node: Expr, args: list[Code]) -> Code:
        """Fused axes are split before, and joined after."""
        pattern = node.value
        if is_fused(pattern):
            sizes = letter_sizes(pattern, [a.dims for a in node.args], node.dims)
            shapes = split_shapes(pattern, lambda letter: self.size(sizes[letter]))
            args = [
                a if s is None else call("np.reshape", a, f"({', '.join(s)})")
                for a, s in zip(args, shapes, strict=True)
            ]
        extra = ["optimize=True"] if len(args) > 2 else []
        value = call("np.einsum", f'"{_subscripts(plain(pattern))}"', *args, *extra)
        if "(" not in pattern.split("->")[1]:
            return value
        return call("np.reshape", value, f"({', '.join(self.size(d) for d in node.dims)},)")

    def _sum(self, node: Expr, args: list[Code]) -> Code:
        """Terms with their signs; a long sum goes over several lines, since Python's compiler is recursive."""
        total = args[0]
        for count, (term, code) in enumerate(zip(node.args[1:], args[1:], strict=True), 1):
            if count % _TERMS_PER_LINE == 0 or len(total.text) > MAX_INLINE:
                total = self.statements.name(total)
            if term.op == "neg" and code.level == NEG and code.text.startswith("-"):
                body = self.code(term.args[0])
                total = Code(f"{total.text} - {_unsigned(body, ADD + 1)}", ADD, max(total.depth, body.depth + 1))
            else:
                total = Code(f"{total.text} + {_unsigned(code, ADD + 1)}", ADD, max(total.depth, code.depth + 1))
        return total

    def _product(self, node: Expr) -> Code:
        if len(node.args) <= _TERMS_PER_LINE:
            return product(node, self.code, self.subgradient)
        result = product(node, self.code, self.subgradient)
        return self.statements.name(result)

    def _call(self, node: Expr, args: list[Code]) -> Code:
        function: Call = node.value
        entry = card(function.name)
        if entry is None or function.primes:
            return call(f"{self.names[function.name]}[{function.primes}]", *args)
        if entry.family == "constructor" and not entry.numpy:
            return self._constructor(function.name, node, args)
        if node.args[0].kind == SCALAR and function.name in _OF_SCALARS:
            return _template(_OF_SCALARS[function.name], args, None)
        if function.name == "vec" and node.args[0].kind != MATRIX:
            return args[0]
        if function.name == "kron":
            return kron(args[0], node.args[0].kind, args[1], node.args[1].kind)
        if function.name == "tr":
            return trace(node.args[0], self.code) or call("np.trace", args[0])
        if entry.helper:
            self.helpers[entry.name] = entry.helper
        template = entry.numpy_pair if len(args) == 2 and entry.numpy_pair else entry.numpy
        if template.count("#1") > 1 and not args[0].text.isidentifier():
            args = [self.statements.name(args[0]), *args[1:]]
        return _template(template, args, function.dim)

    def _constructor(self, name: str, node: Expr, args: list[Code]) -> Code:
        if name in ("rows", "cols", "length"):
            return parsed(self._length(name, node.args[0]))
        sizes = [self.size(d) for d in node.dims]
        shape = sizes[0] if len(sizes) == 1 else f"({', '.join(sizes)})"
        if name == "eye":
            return call("np.eye", sizes[0])
        if name == "unit":
            given = node.args[0]
            place = str(int(given.value) - 1) if given.op == "number" else f"int({args[0].text}) - 1"
            return Code(f"np.eye(1, {sizes[0]}, {place})[0]", ATOM, 1)
        if name in ("ones", "zeros"):
            return call(f"np.{name}", shape)
        given = node.args[0]
        if given.op == "number" and given.value in (0, 1):
            return call("np.ones" if given.value else "np.zeros", shape)
        value = args[0].text + ".0" if args[0].text.isdigit() else args[0].text
        return call("np.full", shape, Code(value, depth=args[0].depth))

    def _length(self, name: str, argument: Expr) -> str:
        sizes = [self.size(d) for d in argument.dims]
        if name == "length":
            return " * ".join(f"({s})" if "+" in s or "-" in s else s for s in sizes) or "1"
        if argument.kind != MATRIX:
            return sizes[0] if sizes and (argument.kind == VECTOR) == (name == "rows") else "1"
        return sizes[0 if name == "rows" else 1]


_OF_SCALARS = {"det": "#1", "tr": "#1", "inv": "1/(#1)", "logdet": "np.log(np.abs(#1))", "adj": "1.0", "diag": "#1"}


def _dims(variable: VariableLike) -> tuple[Dim, ...]:
    return variable.type.dims if variable.type else ()


def _shared(roots: list[Expr]) -> tuple[list[Expr], Counter[int]]:
    """The roots with equal parts made one object (of equal type: two ``eye`` may differ in size), and their uses."""
    table: dict[Any, Expr] = {}
    uses: Counter[int] = Counter()

    def visit(node: Expr, args: list[Expr]) -> Expr:
        key = (node.op, node.value, node.type, tuple(id(a) for a in args))
        if key not in table:
            table[key] = node.replace(args=tuple(args))
            uses.update(id(a) for a in args)
        return table[key]

    shared = [fold(root, visit) for root in roots]
    uses.update(id(root) for root in shared[:-1])
    return shared, uses


def _unsigned(code: Code, level: int) -> str:
    """The code at a level, in brackets if it starts with a sign."""
    return f"({code.text})" if code.text.startswith("-") else code.at_least(level)


def _trivial(node: Expr, code: Code) -> bool:
    """Whether naming it would not help: names, numbers, their transposes and signs, sizes."""
    if node.op in ("transpose", "neg", "index"):
        return len(code.text) < 16
    return not node.args or code.text.replace(".", "").isalnum()


def _number(value: Fraction) -> Code:
    value = Fraction(value)
    if value < 0:
        return Code("-" + _number(-value).at_least(NEG), NEG)
    if value.denominator == 1 and value < 2**53:
        return Code(str(value.numerator))
    try:
        return Code(repr(float(value)))
    except OverflowError:
        return Code("np.inf")


def _power(node: Expr, base: Code, exponent: Code) -> Code:
    power = node.args[1]
    sign, number = (-1, power.args[0]) if power.op == "neg" else (1, power)
    value = sign * number.value if number.op == "number" else None
    if node.value == "^" and node.args[0].kind == MATRIX:
        if value == -1:
            return call("np.linalg.inv", base)
        count = str(int(value)) if value is not None else f"whole({exponent.text})"
        return call("np.linalg.matrix_power", base, Code(count, depth=exponent.depth))
    if value == Fraction(1, 2):
        return call("np.sqrt", base)
    if node.args[0].op == "number" and base.text.isdigit():
        base = Code(base.text + ".0")
    if value is not None and value < 0:
        exponent = Code(repr(float(value)), NEG)  # NumPy refuses negative integer powers of integers
    return Code(f"{base.at_least(ATOM)} ** {exponent.at_least(NEG)}", POW, 1 + max(base.depth, exponent.depth))


def _index(item: int | tuple[int, int] | None) -> str:
    if item is None:
        return ":"
    return f"{item[0] - 1}:{item[1]}" if isinstance(item, tuple) else str(item - 1)


def _subscripts(text: str) -> str:
    if not all(c.isalpha() or c in ",->" for c in text):
        raise ValueError(f"{text!r} are not subscripts")
    return text


def _stack(node: Expr, args: list[Code]) -> Code:
    depth = 2 + max(a.depth for a in args)
    if node.kind != MATRIX:
        scalars = all(a.kind == SCALAR for a in node.args)
        inner = ", ".join(a.text for a in args)
        return Code(f"np.{'array' if scalars else 'hstack'}([{inner}])", ATOM, depth)
    rows, start = [], 0
    scalars = all(a.kind == SCALAR for a in node.args)
    for count in node.value:
        pairs = list(zip(node.args, args, strict=True))[start : start + count]
        rows.append(f"[{', '.join(c.text if a.kind == SCALAR else block(c, a.kind).text for a, c in pairs)}]")
        start += count
    return Code(f"np.{'array' if scalars else 'block'}([{', '.join(rows)}])", ATOM, depth)


def _template(template: str, args: list[Code], dim: int | None) -> Code:
    """The code on a card, with its arguments: in brackets unless the template has them already."""
    template = template.replace(", axis=#axis", f", axis={dim - 1}" if dim is not None else "")
    parts, rest = [], template
    while "#" in rest:
        before, _, after = rest.partition("#")
        code, after = args[int(after[0]) - 1], after[1:]
        enclosed = before.endswith(("(", ", ")) and after.startswith((")", ","))
        parts += [before, code.text if enclosed else code.at_least(ATOM)]
        rest = after
    text = "".join([*parts, rest])
    return parsed(text, 1 + max((a.depth for a in args), default=0))
