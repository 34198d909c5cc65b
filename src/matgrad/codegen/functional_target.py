"""Spelling for backends in which what is computed is not changed in place, since it is traced or records gradients."""

from __future__ import annotations

from collections.abc import Sequence

from matgrad.codegen.emit import Body
from matgrad.codegen.python_text import ADD, Code, binary, call, suffixed, transposed
from matgrad.codegen.target import Arrays, is_plain
from matgrad.planning.steps import Step


class Functional(Arrays):
    """Diagonals by identities, products of entries by broadcasting."""

    blas = False  # no symmetric product
    differentiated = True

    def _embedded(self, step: Step, code: Code, body: Body) -> Code:
        return self._by_identities(step, code, step.param, body)

    def _by_identities(self, step: Step, code: Code, param: tuple[Sequence[int], Sequence[int]], body: Body) -> Code:
        """An array on a diagonal as a product with identities, which need not be formed."""
        out, labels = param
        inner, places, eyes = [tuple(labels)], list(out), []
        for axis, label in enumerate(out):
            if label in out[:axis]:
                places[axis] = len(out) + axis
                inner.append((label, places[axis]))
                eyes.append(self._eye([body.size(step.shape[axis])], body))
        return self._subscripted([*inner, places], [code, *eyes])

    def _add_diagonal(self, step: Step, args: list[Code], body: Body) -> Code:
        """An array plus one on its diagonal, where nothing can be changed in place."""
        out, labels = step.param
        sizes = dict(zip(out, step.shape, strict=True))
        code = args[1]
        if step.args[1].shape != tuple(sizes[x] for x in labels):
            wanted = [body.size(sizes[x]) for x in labels]
            shape = f"({', '.join(wanted)}{',' * (len(wanted) == 1)})"
            code = call(f"{self.np}.full", shape, code, *self._dtype(body)) if is_plain(step.args[1]) else call(
                f"{self.np}.broadcast_to", code, shape)  # fmt: skip
        whole = call(f"{self.np}.diag", code) if len(out) == 2 else self._by_identities(step, code, step.param, body)
        return binary(args[0], "+", whole, ADD)

    def _tensordot(self, step: Step, args: list[Code], body: Body) -> Code:
        """A vector comes first, where it is summed over the first axis: compilers take r @ X better than X.T @ r."""
        left, right = step.param
        if left == (0,) and len(step.args[1].shape) == 1:
            step, args = Step(step.op, step.args[::-1], (right, left), step.shape, step.index), args[::-1]
        return super()._tensordot(step, args, body)

    def _length(self, step: Step, args: list[Code], body: Body) -> Code:
        """A root of a sum of squares, and what is made of it, from all sides: of some the last axes are summed."""
        name, counts = step.param
        sides = [Code(f"({code.text}, {tuple(range(-count, 0)) if count > 1 else -1})") if count else code
                 for code, count in zip(self._tensors(step, args, body), counts, strict=True)]  # fmt: skip
        return call({"hypot": "length", "log1p_square": "log1p_squares"}[name], *sides)

    def _tensors(self, step: Step, args: list[Code], body: Body) -> list[Code]:
        """Arguments as functions of the backend take them."""
        return args

    def _spread(self, step: Step, args: list[Code], body: Body) -> Code:
        """Products of entries: broadcasting for matrices, einsum for more axes."""
        return self._broadcast(step, args) if len(step.shape) == 2 else self._subscripted(step.param, args)

    def _broadcast(self, step: Step, args: list[Code]) -> Code:
        """A product of entries that makes a matrix, with axes added for broadcasting."""
        *inside, out = step.param
        codes = []
        for code, labels in zip(args, inside, strict=True):
            if len(labels) == 2:
                codes.append(code if labels == out else transposed(code))
            else:
                codes.append(suffixed(code, "[:, None]") if labels[0] == out[0] else code)
        return binary(codes[0], "*", codes[1])
