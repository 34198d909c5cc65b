"""Functions and classes that generated JAX code calls, as source."""

from __future__ import annotations

_LU = '''\
class lu:
    """One LU factorisation for systems, the inverse and the determinant of a matrix."""

    def __init__(self, a):
        self._lu = jax.scipy.linalg.lu_factor(a)

    def solve(self, b, transposed=False):
        return jax.scipy.linalg.lu_solve(self._lu, b, trans=int(transposed))

    def inverse(self):
        return self.solve(jnp.eye(self._lu[0].shape[0], dtype=self._lu[0].dtype))

    def det(self):
        swaps = jnp.count_nonzero(self._lu[1] != jnp.arange(self._lu[1].shape[0]))
        return jnp.prod(jnp.diagonal(self._lu[0])) * jnp.where(swaps % 2, -1, 1)

    def sign(self):
        swaps = jnp.count_nonzero(self._lu[1] != jnp.arange(self._lu[1].shape[0]))
        return jnp.prod(jnp.sign(jnp.diagonal(self._lu[0]))) * jnp.where(swaps % 2, -1, 1)

    def logdet(self):
        return jnp.sum(jnp.log(jnp.abs(jnp.diagonal(self._lu[0]))))
'''
_CHOLESKY = '''\
class cholesky:
    """The Cholesky factorisation; of a matrix that is not positive definite LU."""

    def __init__(self, a):
        self._c = jnp.linalg.cholesky(a, symmetrize_input=False)
        self._a, self._definite = a, jnp.all(jnp.isfinite(jnp.diagonal(self._c)))

    def _either(self, of_cholesky, of_lu):
        return jax.lax.cond(self._definite, lambda: of_cholesky(), lambda: of_lu(lu(self._a)))

    def solve(self, b):
        return self._either(lambda: jax.scipy.linalg.cho_solve((self._c, True), b), lambda f: f.solve(b))

    def inverse(self):
        return self.solve(jnp.eye(self._c.shape[0], dtype=self._c.dtype))

    def det(self):
        return self._either(lambda: jnp.prod(jnp.diagonal(self._c)) ** 2, lambda f: f.det())

    def sign(self):
        return self._either(lambda: jnp.ones((), self._c.dtype), lambda f: f.sign())

    def logdet(self):
        return self._either(lambda: 2 * jnp.sum(jnp.log(jnp.diagonal(self._c))), lambda f: f.logdet())
'''
_TRIANGULAR = '''\
class {name}:
    """Systems in a triangular matrix."""

    def __init__(self, a):
        self._a = a

    def solve(self, b, transposed=False):
        return jax.scipy.linalg.solve_triangular(self._a, b, trans=int(transposed), lower={lower})

    def inverse(self):
        return self.solve(jnp.eye(self._a.shape[0], dtype=self._a.dtype))

    def det(self):
        return jnp.prod(jnp.diagonal(self._a))

    def sign(self):
        return jnp.prod(jnp.sign(jnp.diagonal(self._a)))

    def logdet(self):
        return jnp.sum(jnp.log(jnp.abs(jnp.diagonal(self._a))))
'''
_POWER = '''\
def matrix_power(a, k):
    """The power of a matrix for a whole k, which may be known only when the function runs."""
    if not isinstance(k, jax.core.Tracer) and k != int(k):
        raise ValueError(f"the exponent of a matrix must be an integer, not {k}")

    def step(state):
        base, left, result = state
        result = jnp.where(left % 2 == 1, result @ base, result)
        return base @ base, left // 2, result

    k = jnp.asarray(k)
    base = jax.lax.cond(k < 0, lambda: jnp.linalg.inv(a), lambda: a)
    start = base, jnp.abs(k).astype(int), jnp.eye(a.shape[0], dtype=a.dtype)
    return jax.lax.while_loop(lambda state: state[1] > 0, step, start)[2]
'''
_OVER = '''\
def over(x, norm):
    """x/norm, with 0/0 = 0: the subgradient at the kink of a norm."""
    return jnp.where(norm == 0, 0, x) / jnp.where(norm == 0, 1, norm)
'''
_SAFE_NORM = '''\
def safe_norm(x, axis=None):
    """The root of the sum of squares, which neither overflows nor underflows."""
    scale = jnp.max(jnp.abs(x), axis=axis, keepdims=True, initial=0)
    scale = jnp.where((scale > 0) & (scale < jnp.inf), scale, 1.0)
    return jnp.squeeze(scale, axis=axis) * jnp.sqrt(jnp.sum((x / scale) ** 2, axis=axis))
'''

HELPERS = {
    "lu": _LU,
    "cholesky": _CHOLESKY,
    "symmetric": _CHOLESKY.replace("class cholesky", "class symmetric"),
    "lower": _TRIANGULAR.format(name="lower", lower=True),
    "upper": _TRIANGULAR.format(name="upper", lower=False),
    "matrix_power": _POWER,
    "over": _OVER,
    "safe_norm": _SAFE_NORM,
}

SPELLED = {
    "sigmoid": "jax.nn.sigmoid(#1)",
    "softplus": "jax.nn.softplus(#1)",
    "softmax": "jax.nn.softmax(#1, axis=#axis)",
    "logsumexp": "scipy.special.logsumexp(#1, axis=#axis)",
}
"""Functions that JAX has."""
