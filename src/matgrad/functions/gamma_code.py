"""Functions that only code uses, for differences of lgamma, digamma and polygamma that cancel.

Stirling's series of f at x + y less that at x has the factor y in every term, once it is written with u = 1/x and
v = 1/(x + y): u - v = y*u*v, and u^(j + 1) - v^(j + 1) = (u - v)*(u^j + u^(j - 1)*v + … + v^j).
"""

from __future__ import annotations

from matgrad.functions.card import Card, Whole

RISE = '''\
def polygamma_rise(k, x, z, y):
    """polygamma(k, z) - polygamma(k, x), z = x + y; of lgamma for k = -1: Stirling's series, after some steps up."""

    def shares(u, v, last):
        found, power = [1.0], 1.0
        for _ in range(last):
            power = power * v
            found.append(found[-1] * u + power)
        return found

    turned = y < 0
    x, z, y = np.where(turned, z, x), np.where(turned, x, z), np.where(turned, -y, y)
    steps = 10 + 2 * max(k, 0)
    total = 0
    for i in range(steps):
        u = 1 / (x + i)
        v = 1 / (z + i) if k >= 0 else u
        total = total + (np.log1p(y * u) if k < 0 else math.factorial(k) * y * u * v * shares(u, v, k)[k])
    x, z = x + steps, z + steps
    u, v = 1 / x, 1 / z
    share = shares(u, v, k + 15)
    tail = 0 if k < 0 else math.factorial(k) / 2 * share[k]
    for m, b in enumerate((1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510), 1):
        tail = tail + b * math.factorial(2 * m + k - 1) / math.factorial(2 * m) * share[2 * m + k - 1]
    if k > 0:
        tail = tail + math.factorial(k - 1) * share[k - 1]
    total = total + y * u * v * tail
    if k == 0:
        total = total + np.log1p(y * u)
    if k < 0:
        total = total + y - (x - 0.5) * np.log1p(y * u) - y * np.log(z)
    total = np.where(x < steps, np.nan, total)
    return np.where(turned == (k % 2 == 0), -total, total)[()]
'''
OVER = '''\
def lgamma_over(z, x, y, s, t):
    """lgamma(z) - lgamma(x) - lgamma(y), where z = x + s = y + t; by Stirling's series where x and y are large."""
    first = x > y
    x, y, s, t = np.where(first, x, y), np.where(first, y, x), np.where(first, s, t), np.where(first, t, s)
    small = y < 10
    near = polygamma_rise(-1, x, z, s) - scipy.special.gammaln(np.where(small, y, 1.0))
    x, y, z = np.where(small, 10.0, x), np.where(small, 10.0, y), np.where(small, 10.0, z)
    s, t = np.where(small, 0.0, s), np.where(small, 0.0, t)
    far = (x - 0.5) * np.log1p(s / x) + (y - 0.5) * np.log1p(t / y) + (s - y + 0.5) * np.log(z)
    far = far + (y - s) - 0.9189385332046728
    for at, sign in ((z, 1), (x, -1), (y, -1)):
        w, tail = 1 / at**2, 0
        for c in (-3617 / 122400, 1 / 156, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12):
            tail = tail * w + c
        far = far + sign * tail / at
    return np.where(small, near, far)[()]
'''

CARDS = (
    Card("polygamma_rise", "elementwise", {None: ("*,*,*,*->*",)}, "polygamma(k, z) - polygamma(k, x), lgamma at -1",
         numpy="polygamma_rise(#1, #2, #3, #4)", helper=RISE, arguments=("k", "x", "z", "y"),
         whole=Whole("k", "how often digamma is differentiated", least=-1),
         harmless=(None, "1", "2", "1")),
    Card("lgamma_over", "elementwise", {None: ("*,*,*,*,*->*",)},
         "lgamma(z) - lgamma(x) - lgamma(y), z = x + s = y + t",
         numpy="lgamma_over(#1, #2, #3, #4, #5)", helper=OVER, scipy=True, arguments=("z", "x", "y", "s", "t"),
         harmless=("2", "1", "1", "1", "1")),
)  # fmt: skip
