"""The operations of a plan in JAX."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from matgrad.codegen.emit import Body
from matgrad.codegen.functional_target import Functional
from matgrad.codegen.jax_helpers import HELPERS, SPELLED
from matgrad.codegen.python_text import ATOM, Code, binary, call, suffixed, times
from matgrad.functions import card_in_code
from matgrad.planning.steps import Step, is_chosen


class Jax(Functional):
    """``jax.numpy``, so that the function can be transformed by jit, vmap and grad."""

    np = "jnp"
    eager = False
    imports: Mapping[str, str] = {
        "functools": "import functools",
        "math": "import math",
        "jax": "import jax",
        "jnp": "import jax.numpy as jnp",
        "jax.scipy.linalg": "import jax.scipy.linalg",
        "jax.scipy.special": "import jax.scipy.special",
    }
    helpers: Mapping[str, str] = HELPERS

    def owns(self, step: Step, others: Collection[Step]) -> bool:
        return True  # arrays of JAX do not change

    def copied(self, code: Code) -> Code:
        return code

    def translated(self, text: str) -> str:
        return text.replace("scipy.special.", "jax.scipy.special.").replace("np.", "jnp.")

    def _map(self, step: Step, args: list[Code], body: Body) -> Code:
        if step.param in SPELLED:
            return self._template(SPELLED[step.param], args, body, None)
        return super()._map(step, args, body)

    def _div(self, step: Step, args: list[Code], body: Body) -> Code:
        """A quotient of a quotient is a product: XLA makes x/y/z to x/(y*z), where y*z may overflow."""
        if _is_length(step.args[1]):
            return call("ratio", *args)
        if step.args[0].op == "div":
            return binary(args[0], "*", binary(Code("1"), "/", args[1]))
        return super()._div(step, args, body)

    def _plain_map(self, code: Code) -> Code:
        return code  # of weak type already

    def _reshape(self, step: Step, args: list[Code], body: Body) -> Code:
        return call("jnp.reshape", args[0], body.shape(step))

    def _reduce(self, step: Step, args: list[Code], body: Body) -> Code:
        name, count = step.param
        known = card_in_code(name)
        assert known is not None
        axes = tuple(range(-count, 0))
        axis = str(axes[0] if count == 1 else axes)
        text = SPELLED.get(name, known.numpy).replace("#axis", axis)
        return self._template(text, args, body, axis)

    def _place(self, step: Step, args: list[Code], body: Body) -> Code:
        zeros = self._zeros_text(step, body)
        return Code(f"{zeros}.at{self._part(step, step.param, body)}.set({args[0].text})", ATOM, args[0].depth + 1)

    def _assemble(self, step: Step, args: list[Code], body: Body) -> Code:
        factors, parts = step.param
        based = len(args) > len(parts)
        array = args[0] if based else Code(self._zeros_text(step, body))
        for factor, part, code in zip(factors, parts, args[based:], strict=True):
            array = body.name(
                suffixed(array, f".at{self._part(step, part, body)}.add({times(factor, code).text})"), step
            )
        return array

    def _zeros_text(self, step: Step, body: Body) -> str:
        return f"jnp.zeros({body.shape(step)}, {self._dtype(body)[0]})"

    def _permuted(self, code: Code, order: Sequence[int]) -> Code:
        return call("jnp.transpose", code, f"({', '.join(map(str, order))})")

    def _matrix_power(self, step: Step, args: list[Code], body: Body) -> Code:
        return call("matrix_power", *args)


def _is_length(step: Step) -> bool:
    """Whether a divisor is a root of squares, which may be tiny or huge."""
    while step.op in ("view", "expand") or is_chosen(step):
        step = step.args[is_chosen(step)]
    name = step.param[0] if step.op in ("reduce", "length") else step.param if step.op == "map" else ""
    return name in ("safe_norm", "hypot")
