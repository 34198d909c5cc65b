"""Functions and classes that generated PyTorch code calls, as source, and functions that it spells in its own way.

Code may be differentiated further, so every helper has the derivatives of what it computes: see ``jax_helpers``.
"""

from __future__ import annotations

_LU = '''\
class lu:
    """One LU factorisation for systems, the inverse and the determinant of a matrix."""

    def __init__(self, a):
        self._lu, self._pivots = torch.linalg.lu_factor(a)

    def solve(self, b, transposed=False):
        columns = b[:, None] if b.ndim == 1 else b
        found = torch.linalg.lu_solve(self._lu, self._pivots, columns, adjoint=transposed)
        return found[:, 0] if b.ndim == 1 else found

    def inverse(self):
        return self.solve(torch.eye(len(self._lu), dtype=self._lu.dtype, device=self._lu.device))

    def det(self):
        places = torch.arange(1, len(self._pivots) + 1, device=self._pivots.device)
        return torch.prod(torch.diagonal(self._lu)) * (1 - 2 * (torch.sum(self._pivots != places) % 2))

    def sign(self):
        places = torch.arange(1, len(self._pivots) + 1, device=self._pivots.device)
        odd = torch.sum(self._pivots != places) % 2
        return torch.prod(torch.sign(torch.diagonal(self._lu))) * (1 - 2 * odd)

    def logdet(self):
        return torch.sum(torch.log(torch.abs(torch.diagonal(self._lu))))
'''
_DEFINITE = '''\
class _cholesky:
    """One Cholesky factorisation for systems, the inverse and the determinant."""

    def __init__(self, c):
        self._c = c

    def solve(self, b):
        found = torch.cholesky_solve(b[:, None] if b.ndim == 1 else b, self._c)
        return found[:, 0] if b.ndim == 1 else found

    def inverse(self):
        return torch.cholesky_inverse(self._c).T  # by rows

    def det(self):
        return torch.prod(torch.diagonal(self._c)) ** 2

    def sign(self):
        return self._c.new_ones(())

    def logdet(self):
        return 2 * torch.sum(torch.log(torch.diagonal(self._c)))
'''
_CHOLESKY = '''\
def cholesky(a):
    """The Cholesky factorisation; of a matrix that is not positive definite, with a warning, LU."""
    c, failed = torch.linalg.cholesky_ex(a)
    if failed:
        warnings.warn("a matrix that should be positive definite is not: LU in place of Cholesky", stacklevel=3)
        return lu((a + a.T) / 2)
    return _cholesky(c)
'''
_SYMMETRIC = '''\
def symmetric(a):
    """The Cholesky factorisation of a symmetric matrix where it is positive definite, else LU."""
    c, failed = torch.linalg.cholesky_ex(a)
    return lu((a + a.T) / 2) if failed else _cholesky(c)
'''
_TRIANGULAR = '''\
class {name}:
    """Systems in a triangular matrix."""

    def __init__(self, a):
        self._a = a

    def solve(self, b, transposed=False):
        a, upper = (self._a.T, {lower}) if transposed else (self._a, {upper})
        found = torch.linalg.solve_triangular(a, b[:, None] if b.ndim == 1 else b, upper=upper)
        return found[:, 0] if b.ndim == 1 else found

    def inverse(self):
        return self.solve(torch.eye(len(self._a), dtype=self._a.dtype, device=self._a.device))

    def det(self):
        return torch.prod(torch.diagonal(self._a))

    def sign(self):
        return torch.prod(torch.sign(torch.diagonal(self._a)))

    def logdet(self):
        return torch.sum(torch.log(torch.abs(torch.diagonal(self._a))))
'''
_WHOLE = '''\
def whole(k):
    """The exponent of a matrix as an int."""
    if k != int(k):
        raise ValueError(f"the exponent of a matrix must be an integer, not {k}")
    return int(k)
'''
_OVER = '''\
def over(x, norm):
    """x/norm, with 0/0 = 0: the subgradient at the kink of a norm."""
    return x / torch.where((norm == 0) & (x == 0), torch.ones_like(norm), norm)
'''
_SMOOTH = '''\
def smooth(x, p, s, c):
    """p @ x for p = inv(s*x + c*eye): (eye - c*p)/s loses no digits where c is at most as large as s*x."""
    if not abs(c) <= abs(s) * torch.amax(torch.abs(torch.diagonal(x))):
        return p @ x
    found = p * (-c / s)
    torch.diagonal(found).add_(1 / s)
    return found
'''
_ADJ = '''\
def adj(x):
    """The adjugate, right at singular matrices too."""
    u, s, vt = torch.linalg.svd(x)
    others = torch.stack([torch.prod(torch.cat([s[:k], s[k + 1 :]])) for k in range(len(s))])
    return torch.linalg.det(u) * torch.linalg.det(vt) * (vt.T * others) @ u.T
'''
_TIES = """\
def {name}(x, axis):
    mask = (x == torch.{of}(x, axis, keepdim=True)).to(x.dtype)
    return mask / torch.sum(mask, axis, keepdim=True)
"""
_SOFTMAX = """\
def softmax(x, axis):
    return torch.exp(x - torch.logsumexp(x, axis, keepdim=True))
"""
_SOFTPLUS = '''\
def softplus(x):
    """log(1 + exp(x)), finite in derivatives of any order, too, for a very negative x."""
    return torch.logaddexp(torch.clamp(x, min=math.log(torch.finfo(x.dtype).tiny)), torch.zeros_like(x))
'''
_LOG1MEXP = '''\
def log1mexp(x):
    """log(1 - exp(x)) for x < 0."""
    near = x > -0.6931471805599453
    small, large = torch.where(near, x, -1), torch.where(near, -1, x)
    return torch.where(near, torch.log(-torch.expm1(small)), torch.log1p(-torch.exp(large)))
'''
_LOG1P_SQUARE = '''\
def log1p_square(x):
    """log(1 + x^2)."""
    near = torch.abs(x) < 1e15
    small, large = torch.where(near, x, 0), torch.where(near, 1, x)
    return torch.log1p(small * small) + 2 * torch.log(torch.abs(large))
'''
_SECH2 = '''\
def sech2(x):
    """1 - tanh(x)^2."""
    e = torch.exp(-2 * torch.where(x < 0, -x, x))
    return 4 * e / (1 + e) ** 2
'''
_LOG_COSH = '''\
def log_cosh(x):
    """log(cosh(x))."""
    a, small = torch.abs(x), torch.clip(x, -1, 1)
    far = a + torch.log1p(torch.exp(-2 * a)) - 0.6931471805599453
    return torch.where(a < 1, torch.log1p(2 * torch.sinh(small / 2) ** 2), far)
'''
_LOG_SOFTMAX = '''\
def log_softmax(x, axis):
    """log(softmax(x)), to the last digit for the largest entry too."""
    z = x - torch.amax(x, axis, keepdim=True).detach()
    ties = torch.sum(z == 0, axis, keepdim=True) - 1
    others = torch.sum(torch.where(z == 0, torch.expm1(z), torch.exp(z)), axis, keepdim=True)
    return z - torch.log1p(ties + others)
'''
_PROD = """\
def prod(x, axis):
    flat = x if isinstance(axis, int) else x.reshape(*x.shape[: x.ndim - len(axis)], -1)
    return torch.prod(flat, -1)
"""
_SAFE_NORM = '''\
def safe_norm(x, axis):
    """The root of the sum of squares, which neither overflows nor underflows; at 0 its derivative is 0."""
    flat = x if isinstance(axis, int) else x.reshape(*x.shape[: x.ndim - len(axis)], -1)
    scale = torch.amax(torch.abs(flat), -1).detach() if flat.shape[-1] else torch.sum(flat, -1)
    scale = torch.where((scale > 0) & (scale < torch.inf), scale, 1.0)
    total = torch.sum(flat * (flat / scale[..., None]), -1)
    root = torch.where(total == 0, 0, torch.sqrt(torch.where(total == 0, 1, total)))
    return torch.sqrt(scale) * root
'''
_SQUARED = '''\
def squared(sides):
    """Arrays to square and to sum over the last axis: a side alone, or a pair of sides and their last axes."""
    for side in sides:
        x, axis = side if isinstance(side, tuple) else (side[..., None], -1)
        yield x if axis == -1 else x.reshape(*x.shape[: x.ndim - len(axis)], -1)
'''
_LENGTH = '''\
def length(*sides):
    """The root of the sum of squares, which neither overflows nor underflows; at 0 its derivative is 0."""
    sides = list(squared(sides))
    sizes = [torch.amax(torch.abs(x), -1) if x.shape[-1] else torch.sum(x, -1) for x in sides]
    scale = functools.reduce(torch.maximum, sizes).detach()
    scale = torch.where((scale > 0) & (scale < torch.inf), scale, 1.0)
    total = sum([torch.sum(x * (x / scale[..., None]), -1) for x in sides])
    root = torch.where(total == 0, 0, torch.sqrt(torch.where(total == 0, 1, total)))
    return torch.sqrt(scale) * root
'''
_LOG1P_SQUARES = '''\
def log1p_squares(*sides):
    """log(1 + the sum of squares), of sides as in length; where these are scaled, 1 is nothing beside their squares."""
    sides = list(squared(sides))
    sizes = [torch.amax(torch.abs(x), -1) if x.shape[-1] else torch.sum(x, -1) for x in sides]
    scale = (functools.reduce(torch.maximum, sizes) / 1e15).detach()
    scale = torch.where((scale > 1) & (scale < torch.inf), scale, 1.0)
    total = sum([torch.sum((x / scale[..., None]) ** 2, -1) for x in sides])
    return torch.log1p(total) + 2 * torch.log(scale)
'''
_PROD_OTHERS = '''\
def prod_others(x, axis):
    """The product of all other entries: of those before and of those after each."""
    flat = x if isinstance(axis, int) else x.reshape(*x.shape[: x.ndim - len(axis)], -1)
    one = torch.ones_like(flat[..., :1])
    before = torch.cumprod(torch.cat([one, flat[..., :-1]], -1), -1)
    after = torch.cumprod(torch.cat([one, torch.flip(flat[..., 1:], (-1,))], -1), -1)
    return (before * torch.flip(after, (-1,))).reshape(x.shape)
'''
_LARGEST = '''\
def largest(x, axis):
    """The largest of abs(x), a scale on which nothing depends; 1 where that is 0 or inf."""
    size = torch.amax(torch.abs(x), axis).detach()
    return torch.where((size > 0) & (size < torch.inf), size, 1.0)
'''
_EXTREME = '''\
def {name}(x, y):
    """The {name} of two; at ties y, with its derivatives, as y + relu(x - y) has."""
    return torch.where((x {sign} y) | (x != x), x, y)
'''
_LEVEL = '''\
def level(x, y):
    """The larger of two, at least the smallest number: what exponents are taken relative to."""
    return torch.nan_to_num(torch.maximum(x, y), nan=torch.nan).detach()
'''

_POLYGAMMA = '''\
def polygamma(k, x):
    """The k-th derivative of digamma; torch.special.polygamma(1, x) is off in the tenth digit."""
    return (-1) ** (k + 1) * math.gamma(k + 1) * torch.special.zeta(k + 1.0, x)
'''

HELPERS = {
    "lu": _LU,
    "_cholesky": _DEFINITE,
    "cholesky": _CHOLESKY,
    "symmetric": _SYMMETRIC,
    "lower": _TRIANGULAR.format(name="lower", lower=True, upper=False),
    "upper": _TRIANGULAR.format(name="upper", lower=False, upper=True),
    "whole": _WHOLE,
    "over": _OVER,
    "smooth": _SMOOTH,
    "adj": _ADJ,
    "softmax": _SOFTMAX,
    "softplus": _SOFTPLUS,
    "log1mexp": _LOG1MEXP,
    "log_cosh": _LOG_COSH,
    "sech2": _SECH2,
    "log_softmax": _LOG_SOFTMAX,
    "log1p_square": _LOG1P_SQUARE,
    "safe_norm": _SAFE_NORM,
    "squared": _SQUARED,
    "length": _LENGTH,
    "log1p_squares": _LOG1P_SQUARES,
    "level": _LEVEL,
    "larger": _EXTREME.format(name="larger", sign=">"),
    "smaller": _EXTREME.format(name="smaller", sign="<"),
    "largest": _LARGEST,
    "prod_others": _PROD_OTHERS,
    "prod": _PROD,
    "polygamma": _POLYGAMMA,
    "argmax": _TIES.format(name="argmax", of="amax"),
    "argmin": _TIES.format(name="argmin", of="amin"),
}

SPELLED = {
    "larger": "larger(#1, #2)",
    "smaller": "smaller(#1, #2)",
    "sech2_of_tanh": "sech2(#1)",
    "one_minus_sigmoid": "torch.sigmoid(-#1)",
    "step": "(#1 > 0).to(#1.dtype)",
    "relu": "torch.relu(#1)",
    "softplus": "softplus(#1)",
    "log_add": "torch.logaddexp(#1, #2)",
    "sigmoid": "torch.sigmoid(#1)",
    "bounded_exp": "torch.exp(torch.clamp(#1, max=700))",
    "erf": "torch.erf(#1)",
    "erfc": "torch.special.erfc(#1)",
    "normcdf": "torch.special.erfc(-0.7071067811865476*#1)/2",
    "gelu": "#1*torch.special.erfc(-0.7071067811865476*#1)/2",
    "log_normcdf": "torch.special.log_ndtr(#1)",
    "normal_ratio": "(2/torch.pi)**0.5/torch.special.erfcx(-0.7071067811865476*#1)",
    "lgamma": "torch.lgamma(#1)",
    "digamma": "torch.digamma(#1)",
    "polygamma": "polygamma(#1, #2)",
    "gamma": "torch.exp(torch.lgamma(#1))",
    "lbeta": "torch.lgamma(#1) + torch.lgamma(#2) - torch.lgamma(#1 + #2)",
    "log_softmax": "log_softmax(#1, #axis)",
    "safe_norm": "safe_norm(#1, #axis)",
    "largest": "largest(#1, #axis)",
    "logsumexp": "torch.logsumexp(#1, #axis)",
    "softmax": "softmax(#1, #axis)",
    "prod": "prod(#1, #axis)",
    "prod_others": "prod_others(#1, #axis)",
    "max": "torch.amax(#1, #axis)",
    "min": "torch.amin(#1, #axis)",
    "argmax": "argmax(#1, #axis)",
    "argmin": "argmin(#1, #axis)",
}
"""Functions of which PyTorch has another name, or an axis that must be given."""
