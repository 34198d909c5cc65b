"""Functions and classes that generated JAX code calls, as source, and functions that it spells in its own way.

Code may be differentiated further, any number of times, so every helper has the derivatives of what it computes:

* where it selects by the size of x, abs(x) is one analytic branch also at 0: ``where(x < 0, -x, x)``;
* a maximum or scale that the value does not depend on stands behind ``stop_gradient``;
* what is not selected is finite, since reverse mode multiplies its derivative by 0.
"""

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
_CHOLESKY_FACTOR = '''\
@jax.custom_jvp
def cholesky_factor(a):
    """The lower triangular C with C*C' = a; nan where a is not positive definite."""
    return jnp.linalg.cholesky(a, symmetrize_input=False)


@cholesky_factor.defjvp
def _(matrices, changes):
    """dC = C*half(inv(C)*da*inv(C)'), of a lower triangle with half of its diagonal; finite where C is nan."""
    c, da = cholesky_factor(*matrices), changes[0]
    known = jnp.where(jnp.isfinite(c), c, jnp.eye(c.shape[0], dtype=c.dtype))
    half = jax.scipy.linalg.solve_triangular(known, (da + da.T) / 2, lower=True)
    whole = jax.scipy.linalg.solve_triangular(known, half.T, lower=True)
    return c, known @ (jnp.tril(whole) - jnp.diag(jnp.diagonal(whole)) / 2)
'''
_CHOLESKY = '''\
class cholesky:
    """The Cholesky factorisation; of a matrix that is not positive definite LU."""

    def __init__(self, a):
        c = cholesky_factor(a)
        self._a, self._definite = (a + a.T) / 2, jnp.all(jnp.isfinite(jnp.diagonal(c)))
        self._c = jnp.where(self._definite, c, jnp.eye(c.shape[0], dtype=c.dtype))

    def _either(self, of_cholesky, of_lu):
        return jax.lax.cond(self._definite, lambda: of_cholesky(), lambda: of_lu(lu(self._a)))

    def solve(self, b):
        return self._either(lambda: jax.scipy.linalg.cho_solve((self._c, True), b), lambda f: f.solve(b))

    def solve_many(self, b):
        """By products with the inverse of the factor, which are as accurate as substitution, and faster for many b."""
        n = len(self._c)
        if b.shape[1] < max(4 * n, 128):
            return self.solve(b)
        x = jax.scipy.linalg.solve_triangular(self._c, jnp.eye(n, dtype=self._c.dtype), lower=True)
        return self._either(lambda: x.T @ (x @ b), lambda f: f.solve(b))

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
    found = ratio(jnp.where(norm == 0, 0, x), jnp.where(norm == 0, 1, norm))
    return jnp.where((norm == 0) & (x != 0), jnp.where(x > 0, jnp.inf, -jnp.inf), found)
'''
_RATIO = '''\
def ratio(x, norm):
    """x/norm, whose derivatives do not divide by the square of a norm that may be tiny or huge."""
    norm = jnp.asarray(norm)
    least = 4 * jnp.finfo(norm.dtype).tiny
    scale = jax.lax.stop_gradient(jnp.clip(norm, least, 1 / least))
    return x * (1 / scale) / (norm / scale)  # XLA would make x/scale/norm a quotient by the product
'''
_ADJ = '''\
def adj(x):
    """The adjugate, right at singular matrices too: the transposed gradient of the determinant."""
    return jax.grad(jnp.linalg.det)(x).T
'''
_LOG1MEXP = '''\
def log1mexp(x):
    """log(1 - exp(x)) for x < 0."""
    near = x > -0.6931471805599453
    small, large = jnp.where(near, x, -1), jnp.where(near, -1, x)
    return jnp.where(near, jnp.log(-jnp.expm1(small)), jnp.log1p(-jnp.exp(large)))
'''
_LOG1P_SQUARE = '''\
def log1p_square(x):
    """log(1 + x^2)."""
    near = jnp.abs(x) < 1e15
    small, large = jnp.where(near, x, 0), jnp.where(near, 1, x)
    return jnp.log1p(small * small) + 2 * jnp.log(jnp.abs(large))
'''
_SECH2 = '''\
def sech2(x):
    """1 - tanh(x)^2."""
    e = jnp.exp(-2 * jnp.where(x < 0, -x, x))
    return 4 * e / (1 + e) ** 2
'''
_SECH2_OF_TANH = '''\
def by_exponentials(x, t):
    return sech2(x)


def by_square(x, t):
    return 1 - t * t


def sech2_of_tanh(x, t):
    """1 - tanh(x)^2 for t = tanh(x): by exponentials where a difference from 1 would have few digits."""
    few = jnp.min(1 - t * t, initial=1) < 5e11 * jnp.finfo(t.dtype).eps
    return jax.lax.cond(few, by_exponentials, by_square, x, t)
'''
_LOG_COSH = '''\
def log_cosh(x):
    """log(cosh(x))."""
    a, small = jnp.abs(x), jnp.clip(x, -1, 1)
    far = a + jnp.log1p(jnp.exp(-2 * a)) - 0.6931471805599453
    return jnp.where(a < 1, jnp.log1p(2 * jnp.sinh(small / 2) ** 2), far)
'''
_LOG_SOFTMAX = '''\
def log_softmax(x, axis=None):
    """log(softmax(x)), to the last digit for the largest entry too."""
    z = x - jax.lax.stop_gradient(jnp.max(x, axis=axis, keepdims=True))
    ties = jnp.sum(z == 0, axis=axis, keepdims=True) - 1
    others = jnp.sum(jnp.where(z == 0, jnp.expm1(z), jnp.exp(z)), axis=axis, keepdims=True)
    return z - jnp.log1p(ties + others)
'''
_SAFE_NORM = '''\
def safe_norm(x, axis=None):
    """The root of the sum of squares, which neither overflows nor underflows; at 0 its derivative is 0."""
    scale = jax.lax.stop_gradient(jnp.max(jnp.abs(x), axis=axis, keepdims=True, initial=0))
    scale = jnp.where((scale > 0) & (scale < jnp.inf), scale, 1.0)
    total = jnp.sum(x * (x / scale), axis=axis)
    root = jnp.where(total == 0, 0, jnp.sqrt(jnp.where(total == 0, 1, total)))
    return jnp.sqrt(jnp.squeeze(scale, axis=axis)) * root
'''
_SQUARED = '''\
def squared(sides):
    """Arrays to square and to sum over the last axis: a side alone, or a pair of sides and their last axes."""
    for side in sides:
        x, axis = side if isinstance(side, tuple) else (jnp.asarray(side)[..., None], -1)
        yield x if axis == -1 else x.reshape(*x.shape[: x.ndim - len(axis)], -1)
'''
_LENGTH = '''\
def length(*sides):
    """The root of the sum of squares, which neither overflows nor underflows; at 0 its derivative is 0."""
    sides = list(squared(sides))
    sizes = [jnp.max(jnp.abs(x), axis=-1, initial=0) for x in sides]
    scale = jax.lax.stop_gradient(functools.reduce(jnp.maximum, sizes))
    scale = jnp.where((scale > 0) & (scale < jnp.inf), scale, 1.0)
    total = sum([jnp.sum(x * (x / scale[..., None]), axis=-1) for x in sides])
    root = jnp.where(total == 0, 0, jnp.sqrt(jnp.where(total == 0, 1, total)))
    return jnp.sqrt(scale) * root
'''
_LOG1P_SQUARES = '''\
def log1p_squares(*sides):
    """log(1 + the sum of squares), of sides as in length; where these are scaled, 1 is nothing beside their squares."""
    sides = list(squared(sides))
    sizes = [jnp.max(jnp.abs(x), axis=-1, initial=0) for x in sides]
    scale = jax.lax.stop_gradient(functools.reduce(jnp.maximum, sizes) / 1e15)
    scale = jnp.where((scale > 1) & (scale < jnp.inf), scale, 1.0)
    total = sum([jnp.sum((x / scale[..., None]) ** 2, axis=-1) for x in sides])
    return jnp.log1p(total) + 2 * jnp.log(scale)
'''
_LARGEST = '''\
def largest(x, axis=None):
    """The largest of abs(x), a scale on which nothing depends; 1 where that is 0 or inf."""
    size = jax.lax.stop_gradient(jnp.max(jnp.abs(x), axis=axis))
    return jnp.where((size > 0) & (size < jnp.inf), size, 1.0)
'''
_NORMAL_TAIL = '''\
def normal_tail(t):
    """normpdf(t)/normcdf(-t) for t >= 3: t + 1/(t + 2/(t + 3/(t + ...)))."""
    tail = 0 * t
    for k in range(50, 0, -1):
        tail = k / (t + tail)
    return t + tail
'''
_NORMAL_RATIO = '''\
def normal_ratio(x):
    """normpdf(x)/normcdf(x), in the left tail without dividing what is nearly 0."""
    t, near = jnp.where(x < -3, -x, 3.0), jnp.where(x < -3, -3.0, jnp.where(x > 40, 40.0, x))
    density = jnp.exp(-near * near / 2) / (2 * jnp.pi) ** 0.5
    return jnp.where(x < -3, normal_tail(t), density / jax.scipy.special.ndtr(near))
'''
_LOG_NORMCDF = '''\
def log_normcdf(x):
    """log(normcdf(x)), to the last digits in both tails."""
    t, right = jnp.where(x < -3, -x, 3.0), jnp.where(x > 0, x, 0.0)
    near = jnp.where(x < -3, -3.0, jnp.where(x > 0, 0.0, x))
    left = -t * t / 2 - math.log(2 * math.pi) / 2 - jnp.log(normal_tail(t))
    middle = jnp.log(jax.scipy.special.ndtr(near))
    return jnp.where(x < -3, left, jnp.where(x > 0, jnp.log1p(-jax.scipy.special.ndtr(-right)), middle))
'''
_EXTREME = '''\
def {name}(x, y):
    """The {name} of two; at ties y, with its derivatives, as y + relu(x - y) has."""
    return jnp.where((x {sign} y) | (x != x), x, y)
'''
_LEVEL = '''\
def level(x, y):
    """The larger of two, at least the smallest number: what exponents are taken relative to."""
    return jax.lax.stop_gradient(jnp.nan_to_num(jnp.maximum(x, y), nan=jnp.nan))
'''

HELPERS = {
    "lu": _LU,
    "cholesky_factor": _CHOLESKY_FACTOR,
    "cholesky": _CHOLESKY,
    "symmetric": _CHOLESKY.replace("class cholesky", "class symmetric"),
    "lower": _TRIANGULAR.format(name="lower", lower=True),
    "upper": _TRIANGULAR.format(name="upper", lower=False),
    "matrix_power": _POWER,
    "ratio": _RATIO,
    "normal_tail": _NORMAL_TAIL,
    "normal_ratio": _NORMAL_RATIO,
    "over": _OVER,
    "adj": _ADJ,
    "log1mexp": _LOG1MEXP,
    "sech2": _SECH2,
    "sech2_of_tanh": _SECH2_OF_TANH,
    "log_cosh": _LOG_COSH,
    "log_softmax": _LOG_SOFTMAX,
    "largest": _LARGEST,
    "log1p_square": _LOG1P_SQUARE,
    "safe_norm": _SAFE_NORM,
    "squared": _SQUARED,
    "length": _LENGTH,
    "log1p_squares": _LOG1P_SQUARES,
    "level": _LEVEL,
    "larger": _EXTREME.format(name="larger", sign=">"),
    "smaller": _EXTREME.format(name="smaller", sign="<"),
    "log_normcdf": _LOG_NORMCDF,
}

SPELLED = {
    "larger": "larger(#1, #2)",
    "smaller": "smaller(#1, #2)",
    "sigmoid": "jax.nn.sigmoid(#1)",
    "softplus": "jax.nn.softplus(#1)",
    "softmax": "jax.nn.softmax(#1, axis=#axis)",
    "logsumexp": "scipy.special.logsumexp(#1, axis=#axis)",
    "abs": "#1*np.sign(#1)",
    "relu": "jax.nn.relu(#1)",
    "hypot": "length(#1, #2)",
    "one_minus_sigmoid": "jax.nn.sigmoid(-#1)",
    "normcdf": "scipy.special.erfc(-0.7071067811865476*#1)/2",
    "gelu": "#1*scipy.special.erfc(-0.7071067811865476*#1)/2",
    "log_normcdf": "log_normcdf(#1)",
}
"""Functions that JAX has; abs and relu with the derivative 0 at 0."""
