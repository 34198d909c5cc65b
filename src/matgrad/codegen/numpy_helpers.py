"""Functions and classes that generated NumPy code calls, as source: they are written out beside the function."""

from __future__ import annotations

_LAPACK = '''\
def lapack(a, *names):
    """Functions of LAPACK for the type of the entries."""
    if not a.size:
        raise ValueError("a matrix without entries has no factorisation")
    return [getattr(scipy.linalg.lapack, ("s" if a.dtype == np.float32 else "d") + name) for name in names]
'''
_BLAS = '''\
def blas(a, *names):
    """Functions of BLAS for the type of the entries."""
    return [getattr(scipy.linalg.blas, ("s" if a.dtype == np.float32 else "d") + name) for name in names]
'''
_LU = '''\
class lu:
    """One LU factorisation for systems, the inverse and the determinant of a matrix."""

    def __init__(self, a):
        getrf, self._getrs, self._getri = lapack(a, "getrf", "getrs", "getri")
        self._lu, self._pivots, _ = getrf(a)

    def _check(self):
        if not np.all(np.diagonal(self._lu)):
            raise np.linalg.LinAlgError("Singular matrix")

    def solve(self, b, transposed=False):
        self._check()
        return self._getrs(self._lu, self._pivots, b, trans=int(transposed))[0]

    def solve_many(self, b):
        return self.solve(b)

    def inverse(self):
        self._check()
        return self._getri(self._lu, self._pivots, lwork=64 * len(self._lu))[0]

    def det(self):
        swaps = np.count_nonzero(self._pivots != np.arange(len(self._pivots)))
        return product(np.diagonal(self._lu)) * (-1) ** swaps

    def sign(self):
        swaps = np.count_nonzero(self._pivots != np.arange(len(self._pivots)))
        return np.prod(np.sign(np.diagonal(self._lu))) * (-1) ** swaps

    def logdet(self):
        with np.errstate(divide="ignore"):
            return np.sum(np.log(np.abs(np.diagonal(self._lu))))
'''
_HALVES = '''\
def invert_lower(x):
    """A lower triangle becomes its inverse, by halves, so that nearly all of the work is products of matrices."""
    half = len(x) // 2
    trtri, trmm = lapack(x, "trtri") + blas(x, "trmm")
    if half < 32:
        x[...] = trtri(x, lower=True)[0]
    else:
        first, below, last = x[:half, :half], x[half:, :half], x[half:, half:]
        invert_lower(first)
        invert_lower(last)
        below[...] = trmm(-1, first, trmm(1, last, below, lower=True), side=True, lower=True, overwrite_b=True)
'''
_MIRRORED = '''\
def mirrored(x):
    """The symmetric matrix of a lower triangle, zeros above it; of a large one by blocks, which stay in the cache."""
    if len(x) <= 128:
        x = x + x.T
    else:
        for i in range(0, len(x), 128):
            x[i : i + 128, i : i + 128] += x[i : i + 128, i : i + 128].T
            x[i : i + 128, i + 128 :] = x[i + 128 :, i : i + 128].T
    np.einsum("ii->i", x)[...] /= 2
    return x.T
'''
_RANK_ONE = '''\
def rank_one(a, s, x, y):
    """a + s*x*y' in the place of a."""
    (ger,) = blas(a, "ger")
    if a.flags.f_contiguous:
        return ger(s, x, y, a=a, overwrite_a=True)
    return ger(s, y, x, a=a.T, overwrite_a=True).T
'''
_PLUS_TRANSPOSE = '''\
def plus_transpose(a):
    """a + a', of a large matrix by blocks of rows, which stay in the cache."""
    if len(a) < 256:
        return a + a.T
    total = np.empty_like(a)
    for i in range(0, len(a), 64):
        rows = total[i : i + 64]
        rows[...] = a[:, i : i + 64].T
        rows += a[i : i + 64]
    return total
'''
_DEFINITE = '''\
class _cholesky:
    """One Cholesky factorisation for systems, the inverse and the determinant."""

    def __init__(self, c, potrs, potri):
        self._c, self._potrs, self._potri = c, potrs, potri

    def _inverted(self):
        x = self._c.copy(order="F")
        invert_lower(x)
        return x

    def solve(self, b):
        return self._potrs(self._c, b, lower=True)[0]

    def solve_many(self, b):
        """By products with the inverse of the factor, which are as accurate as substitution, and faster for many b."""
        if b.shape[1] < max(len(b), 64):
            return self.solve(b)
        x, (trmm,) = self._inverted(), blas(self._c, "trmm")
        return trmm(1, x, trmm(1, x, b, lower=True), lower=True, trans_a=True, overwrite_b=True)

    def inverse(self):
        if len(self._c) < 96:
            return mirrored(self._potri(self._c, lower=True)[0])
        (lauum,) = lapack(self._c, "lauum")
        return mirrored(lauum(self._inverted(), lower=True, overwrite_c=True)[0])

    def det(self):
        return product(np.diagonal(self._c)) ** 2

    def sign(self):
        return 1.0

    def logdet(self):
        return 2 * np.sum(np.log(np.diagonal(self._c)))
'''
_CHOLESKY = '''\
def cholesky(a):
    """The Cholesky factorisation; of a matrix that is not positive definite, with a warning, LU."""
    potrf, potrs, potri = lapack(a, "potrf", "potrs", "potri")
    c, failed = potrf(a.T, lower=True)  # in the order of LAPACK
    if failed:
        warnings.warn("a matrix that should be positive definite is not: LU in place of Cholesky", stacklevel=3)
        return lu(a)
    return _cholesky(c, potrs, potri)
'''
_SYMMETRIC = '''\
def symmetric(a):
    """The Cholesky factorisation of a symmetric matrix where it is positive definite, else LU."""
    potrf, potrs, potri = lapack(a, "potrf", "potrs", "potri")
    c, failed = potrf(a.T, lower=True)
    return lu(a) if failed else _cholesky(c, potrs, potri)
'''
_TRIANGULAR = '''\
class {name}:
    """Systems in a triangular matrix."""

    def __init__(self, a):
        self._a = a
        if not np.all(np.diagonal(a)):
            raise np.linalg.LinAlgError("Singular matrix")

    def solve(self, b, transposed=False):
        return scipy.linalg.solve_triangular(self._a, b, trans=int(transposed), lower={lower}, check_finite=False)

    def inverse(self):
        return self.solve(np.eye(len(self._a), dtype=self._a.dtype))

    def det(self):
        return product(np.diagonal(self._a))

    def sign(self):
        return np.prod(np.sign(np.diagonal(self._a)))

    def logdet(self):
        return np.sum(np.log(np.abs(np.diagonal(self._a))))
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
    x, norm = np.broadcast_arrays(x, norm)
    return np.divide(x, norm, out=np.zeros(x.shape, norm.dtype), where=(norm != 0) | (x != 0))[()]
'''
_SMOOTH = '''\
def smooth(x, p, s, c):
    """p @ x for p = inv(s*x + c*eye): (eye - c*p)/s loses no digits where c is at most as large as s*x."""
    if not abs(c) <= abs(s) * np.max(np.abs(np.diagonal(x))):
        return p @ x
    found = p * (-c / s)
    np.einsum("ii->i", found)[...] += 1 / s
    return found
'''

_PRODUCT = '''\
def product(d):
    """The product of numbers, where that of some of them may overflow or underflow."""
    whole, exponent = d.dtype.type(1), 0
    for part in np.array_split(d, len(d) // 64 + 1):
        mantissas, exponents = np.frexp(part)
        whole, more = np.frexp(whole * np.prod(mantissas))
        exponent += int(np.sum(exponents)) + int(more)
    return np.ldexp(whole, exponent)
'''

HELPERS = {
    "product": _PRODUCT,
    "lapack": _LAPACK,
    "blas": _BLAS,
    "invert_lower": _HALVES,
    "mirrored": _MIRRORED,
    "rank_one": _RANK_ONE,
    "plus_transpose": _PLUS_TRANSPOSE,
    "lu": _LU,
    "_cholesky": _DEFINITE,
    "symmetric": _SYMMETRIC,
    "cholesky": _CHOLESKY,
    "lower": _TRIANGULAR.format(name="lower", lower=True),
    "upper": _TRIANGULAR.format(name="upper", lower=False),
    "whole": _WHOLE,
    "over": _OVER,
    "smooth": _SMOOTH,
}
