"""The operations of a plan in PyTorch, on any device; what records gradients is not changed in place."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction

from matgrad.codegen.emit import Body, source_of
from matgrad.codegen.functional_target import Functional
from matgrad.codegen.python_text import ATOM, MUL, NEG, POW, Code, binary, call, number, suffixed
from matgrad.codegen.target import is_plain, rank_one_term
from matgrad.codegen.torch_helpers import HELPERS, SPELLED
from matgrad.dims import ONE, Dim
from matgrad.functions import card_in_code
from matgrad.planning.steps import Step


class Torch(Functional):
    """``torch``: under autograd, and on the device of the arguments."""

    np = "torch"
    eager = True
    solve_many = "solve"
    imports: Mapping[str, str] = {
        "functools": "import functools",
        "math": "import math",
        "warnings": "import warnings",
        "torch": "import torch",
    }
    helpers: Mapping[str, str] = HELPERS

    def owns(self, step: Step, others: Collection[Step]) -> bool:
        source = source_of(step)
        return source.op not in ("input", "expand", "call", "matrix_power") and source not in others

    def copied(self, code: Code) -> Code:
        return suffixed(code, ".clone()")

    def _options(self, body: Body) -> str:
        arrays = [a for a in body.signature.arguments if a.dims] or list(body.signature.arguments)
        if not arrays:
            return ", dtype=torch.float64"
        name = body.names[arrays[0].name]
        return f", dtype={name}.dtype, device={name}.device"

    def _dtype(self, body: Body) -> list[str]:
        return [self._options(body).removeprefix(", ")]

    def _eye(self, arguments: list[str], body: Body) -> Code:
        sizes = [a for a in arguments if not a.startswith("k=")]
        eye = Code(f"torch.eye({', '.join(sizes)}{self._options(body)})", ATOM, 1)
        shifted = [a for a in arguments if a.startswith("k=")]
        if not shifted:
            return eye
        size = f"max({', '.join(sizes)})"
        whole = f"torch.eye({size}{self._options(body)})"
        return Code(
            f"torch.roll({whole}, {shifted[0][3:].removeprefix('-')}, 0)[:{sizes[0]}, :{sizes[-1]}].tril()", ATOM, 2
        )

    def _permuted(self, code: Code, order: Sequence[int]) -> Code:
        return suffixed(code, f".permute({', '.join(map(str, order))})")

    def _reshape(self, step: Step, args: list[Code], body: Body) -> Code:
        return call("torch.reshape", args[0], body.shape(step))

    def _expand(self, step: Step, args: list[Code], body: Body) -> Code:
        if is_plain(step.args[0]):
            return call("torch.full", body.shape(step), args[0], *self._dtype(body))
        return call("torch.broadcast_to", args[0], body.shape(step))

    def _diagonal(self, step: Step, args: list[Code], body: Body) -> Code:
        if len(step.param[0]) == 2:
            return call("torch.diagonal", args[0])
        return self._subscripted(step.param, args)

    def _place(self, step: Step, args: list[Code], body: Body) -> Code:
        return self._padded(self._tensors(step, args, body)[0], step, step.param, body)

    def _padded(self, code: Code, step: Step, parts: Sequence[Dim | tuple[Dim, Dim] | None], body: Body) -> Code:
        """Zeros around an array, without writing into one: the last axis comes first."""
        if any(isinstance(part, Dim) for part in parts):
            code = suffixed(code, f"[{', '.join('None' if isinstance(part, Dim) else ':' for part in parts)}]")
        widths = []
        for part, total in zip(reversed(parts), reversed(step.shape), strict=True):
            first, length = (part, ONE) if isinstance(part, Dim) else part or (total - total, total)
            widths += [body.size(first), body.size(total - first - length)]
        return call("torch.nn.functional.pad", code, f"({', '.join(widths)})")

    def _assemble(self, step: Step, args: list[Code], body: Body) -> Code:
        factors, parts = step.param
        based = len(args) > len(parts)
        args = self._tensors(step, args, body)
        terms = [(Fraction(1), args[0])] if based else []
        for factor, part, code in zip(factors, parts, args[based:], strict=True):
            terms.append((factor, self._padded(code, step, part, body)))
        return self._sum_of(terms, body)

    def _add_diagonal(self, step: Step, args: list[Code], body: Body) -> Code:
        if len(step.shape) != 2:
            return super()._add_diagonal(step, args, body)
        array = args[0] if args[0].text.isidentifier() else body.name(args[0])
        diagonal = binary(call("torch.diagonal", array), "+", args[1])
        return call("torch.diagonal_scatter", array, diagonal)

    # -- entries

    def _map(self, step: Step, args: list[Code], body: Body) -> Code:
        known = card_in_code(step.param)
        if step.param in SPELLED and known is not None and len(args) == len(known.arguments):
            return self._template(SPELLED[step.param], self._tensors(step, args, body), body, None)
        return super()._map(step, self._tensors(step, args, body), body)

    def _tensors(self, step: Step, args: list[Code], body: Body) -> list[Code]:
        """Python's numbers as tensors, which functions of PyTorch need, but for whole numbers that they are told by."""
        known = card_in_code(step.param)
        whole = None if known is None or known.whole is None else known.arguments.index(known.whole.name)
        return [call("torch.as_tensor", code, *self._dtype(body)) if is_plain(x) and place != whole else code
                for place, (x, code) in enumerate(zip(step.args, args, strict=True))]  # fmt: skip

    def _plain_map(self, code: Code) -> Code:
        return code

    def _raised(self, step: Step, x: Code, exponent: Fraction, body: Body) -> Code:
        if is_plain(step.args[0]):
            return Code(f"{x.at_least(ATOM)} ** {number(exponent).at_least(NEG)}", POW, 1 + x.depth)
        return super()._raised(step, x, exponent, body)

    def _reduce(self, step: Step, args: list[Code], body: Body) -> Code:
        name, count = step.param
        axes = tuple(range(-count, 0))
        text = SPELLED[name].replace("#axis", str(axes[0] if count == 1 else axes))
        return self._template(text, args, body, None)

    def translated(self, text: str) -> str:
        return text.replace("scipy.special.", "torch.special.").replace("np.", "torch.")

    # -- sums and products

    def _linear(self, step: Step, args: list[Code], body: Body) -> Code:
        """A matrix and an outer product in one pass."""
        found = rank_one_term(step, body)
        if found is None:
            return super()._linear(step, args, body)
        this, factor, column, row = found
        vectors = [body.codes[column], body.codes[row]]
        return call("torch.addr", args[this], *vectors, f"alpha={number(factor).text}")

    def _inner(self, step: Step, args: list[Code], body: Body) -> Code:
        if len(step.args[0].shape) == 1:
            return binary(args[0], "@", args[1])
        if any(x.op == "view" for x in step.args):
            return call("torch.sum", binary(args[0], "*", args[1], MUL))
        return call("torch.dot", *(suffixed(code, ".ravel()") for code in args))

    def _tensordot(self, step: Step, args: list[Code], body: Body) -> Code:
        left, right = step.param
        return call("torch.tensordot", *args, f"dims=({list(left)}, {list(right)})")
