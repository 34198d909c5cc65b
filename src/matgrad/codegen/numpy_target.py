"""The operations of a plan in NumPy, which changes in place what is new and used once."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from matgrad.codegen.emit import MOVED, Body, source_of
from matgrad.codegen.numpy_helpers import HELPERS
from matgrad.codegen.python_text import Code, call, number, suffixed, times
from matgrad.codegen.target import Arrays, rank_one_term, subscripts
from matgrad.functions import card_in_code
from matgrad.planning.steps import Step, are_transposes

NEW = {
    *(
        "map",
        "series",
        "power",
        "linear",
        "mul",
        "div",
        "over",
        "sum",
        "reduce",
        "spread",
        "matmul",
        "tensordot",
        "einsum",
        "gram",
        "smooth",
        "stack",
    ),
    *("constant", "embed", "place", "assemble", "add_diagonal", "mask", "inverse", "solve", "apply"),
}
"""Operations whose result is a new array; a power with the exponent 1, or a function that is given, may give its
argument itself."""


_UFUNC = re.compile(r"(np|scipy\.special)\.\w+\(#1\)")
"""What the card of an elementwise function says that is one of NumPy's or SciPy's, which can write into an array."""


class NumPy(Arrays):
    """NumPy and SciPy."""

    np = "np"
    blas = True
    differentiated = False  # by a library
    eager = True
    imports: Mapping[str, str] = {
        "math": "import math",
        "np": "import numpy as np",
        "warnings": "import warnings",
        "scipy.linalg.lapack": "import scipy.linalg.lapack",
        "scipy.linalg": "import scipy.linalg",
        "scipy.special": "import scipy.special",
    }
    helpers: Mapping[str, str] = HELPERS

    def owns(self, step: Step, others: Collection[Step]) -> bool:
        source = source_of(step)
        return _is_new(source) and source not in others

    def copied(self, code: Code) -> Code:
        return suffixed(code, ".copy()")

    # -- parts of arrays, and diagonals

    def _place(self, step: Step, args: list[Code], body: Body) -> Code:
        zeros = self._zeros(step, body)
        body.line(f"{zeros.text}{self._part(step, step.param, body)} = {args[0].text}")
        return zeros

    def _zeros(self, step: Step, body: Body) -> Code:
        return body.name(call(f"{self.np}.zeros", body.shape(step), *self._dtype(body)), step)

    def _assemble(self, step: Step, args: list[Code], body: Body) -> Code:
        """Arrays in parts of one; they may overlap."""
        factors, parts = step.param
        based = len(args) > len(parts)
        array = self._own(step.args[0], args[0], step, body) if based else self._zeros(step, body)
        for count, (factor, part, code) in enumerate(zip(factors, parts, args[based:], strict=True)):
            sign = "=" if not count and not based else "-=" if factor < 0 else "+="
            term = times(factor if sign == "=" else abs(factor), code)
            body.line(f"{array.text}{self._part(step, part, body)} {sign} {term.text}")
        return array

    def _own(self, array: Step, code: Code, step: Step, body: Body) -> Code:
        """A named array that may be changed in place."""
        fresh = _is_fresh(array, body)
        if fresh and code.text.isidentifier():
            return code
        return body.name(code if fresh else self.copied(code), step)

    def _embedded(self, step: Step, code: Code, body: Body) -> Code:
        if step.args[0].op == "expand":
            code = body.codes[step.args[0].args[0]]  # the assignment broadcasts
        zeros = self._zeros(step, body)
        body.line(f"{self._on_diagonal(zeros, *step.param)} = {code.text}")
        return zeros

    def _on_diagonal(self, array: Code, out: Sequence[int], labels: Sequence[int]) -> str:
        """The entries on a diagonal, as they can be assigned to."""
        return f'np.einsum("{subscripts([out, tuple(dict.fromkeys(labels))])}", {array.text})[...]'

    def _add_diagonal(self, step: Step, args: list[Code], body: Body) -> Code:
        array = step.args[0]
        code = self._own(array, args[0], step, body)
        out, labels = step.param
        places = self._on_diagonal(code, out, labels)
        if array.op == "spread" and all(len(part.shape) == 1 for part in array.args):  # new, row after row
            places = f"{code.text}.ravel()[:: len({code.text}) + 1]"
        body.line(f"{places} += {args[1].text}")
        return code

    # -- entries

    def _map(self, step: Step, args: list[Code], body: Body) -> Code:
        """A function of the entries of a new matrix in its place: memory that is new costs as much as exponentials."""
        known = card_in_code(step.param)
        if known and _UFUNC.fullmatch(known.numpy) and len(step.shape) > 1 and _is_fresh(step.args[0], body):
            array = self._own(step.args[0], args[0], step, body).text
            body.line(known.numpy.replace("#1)", f"{array}, out={array})"))
            return Code(array)
        return super()._map(step, args, body)

    # -- sums and products

    def _linear(self, step: Step, args: list[Code], body: Body) -> Code:
        """A sum of an inverse and an outer product in the place of the inverse; of A and A' by blocks."""
        found = rank_one_term(step, body)
        if found is not None and _is_inverse(step.args[found[0]], body):
            this, factor, column, row = found
            return call("rank_one", args[this], number(factor), body.codes[column], body.codes[row])
        if len(step.shape) == 2 and step.param == (1, 1) and are_transposes(*step.args):
            return call("plus_transpose", args[step.args[0].op == "view"])
        return super()._linear(step, args, body)

    def _inner(self, step: Step, args: list[Code], body: Body) -> Code:
        """With a transpose by einsum, which needs no copy of it."""
        for x, y in (step.args, step.args[::-1]):
            if y.op == "view" and y.param == (1, 0) and x.op != "view":
                return self._subscripted([(0, 1), (1, 0), ()], [body.codes[x], body.codes[y.args[0]]])
        return super()._inner(step, args, body)

    def _spread(self, step: Step, args: list[Code], body: Body) -> Code:
        """Products of entries by einsum: broadcasting along the last axis is slow in NumPy."""
        *inside, out = step.param
        if inside[0] != out[: len(inside[0])] and inside[1] == out[: len(inside[1])]:
            return self._subscripted([inside[1], inside[0], out], args[::-1])  # in the order of the axes
        return self._subscripted(step.param, args)


def _is_inverse(step: Step, body: Body) -> bool:
    return step.op in ("inverse", "view") and source_of(step).op == "inverse" and _is_fresh(step, body)


def _is_new(step: Step) -> bool:
    return step.op in NEW or (step.op == "expand" and not step.args[0].shape)


def _is_fresh(step: Step, body: Body) -> bool:
    """Whether an array is new, and used once: it may be changed in place."""
    if body.uses[step] > 1:
        return False
    return _is_new(step) or (step.op in MOVED and _is_fresh(step.args[0], body))
