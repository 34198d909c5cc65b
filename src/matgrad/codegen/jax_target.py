"""The operations of a plan in JAX: NumPy's, but for what must not be changed in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matgrad.codegen.emit import Body
from matgrad.codegen.jax_helpers import HELPERS, SPELLED
from matgrad.codegen.numpy_target import NumPy, times
from matgrad.codegen.python_text import ATOM, Code, binary, call, suffixed, transposed
from matgrad.functions import card_in_code
from matgrad.planning.steps import Step


class Jax(NumPy):
    """``jax.numpy``, so that the function can be transformed by jit, vmap and grad."""

    np = "jnp"
    gram = False  # XLA has no symmetric product
    imports: Mapping[str, str] = {
        "jax": "import jax",
        "jnp": "import jax.numpy as jnp",
        "jax.scipy.linalg": "import jax.scipy.linalg",
        "jax.scipy.special": "import jax.scipy.special",
    }
    helpers: Mapping[str, str] = HELPERS

    def owned(self, step: Step, code: Code) -> Code:
        return code

    def translated(self, text: str) -> str:
        return text.replace("scipy.special.", "jax.scipy.special.").replace("np.", "jnp.")

    def _map(self, step: Step, args: list[Code], body: Body) -> Code:
        if step.param in SPELLED:
            return self._template(SPELLED[step.param], args, body, None)
        return super()._map(step, args, body)

    def _plain_map(self, code: Code) -> Code:
        return code  # of weak type already

    def _reshape(self, step: Step, args: list[Code], body: Body) -> Code:
        return call("jnp.reshape", args[0], body.shape(step))

    def _embedded(self, step: Step, code: Code, body: Body) -> Code:
        return self._by_identities(step, code, step.param, body)

    def _add_diagonal(self, step: Step, args: list[Code], body: Body) -> Code:
        return self._plus_diagonal(step, args, body)

    def _reduce(self, step: Step, args: list[Code], body: Body) -> Code:
        name, count = step.param
        known = card_in_code(name)
        assert known is not None
        axes = tuple(range(-count, 0))
        axis = str(axes[0] if count == 1 else axes)
        return self._template(SPELLED.get(name, known.numpy), args, body, axis)

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

    def _spread(self, step: Step, args: list[Code], body: Body) -> Code:
        """Products of entries: XLA prefers broadcasting for matrices, and einsum for more axes."""
        return self._broadcast(step, args) if len(step.shape) == 2 else self._subscripted(step.param, args)

    def _inner(self, step: Step, args: list[Code], body: Body) -> Code:
        if len(step.args[0].shape) == 1:
            return binary(args[0], "@", args[1])
        return call("jnp.vdot", *args)

    def _matrix_power(self, step: Step, args: list[Code], body: Body) -> Code:
        return call("matrix_power", *args)

    def _gram(self, step: Step, args: list[Code], body: Body) -> Code:
        return binary(transposed(args[0]), "@", args[0])
