"""The Fisher information of a negative log-likelihood, in closed form: the Hessian expected over the response.

The family is recognised from the formula. With f linear in the response y, η = −∂f/∂y is the natural parameter, and
f(y = 0) must be the log-partition function of Bernoulli (Σ softplus η), Poisson (Σ exp η) or categorical (logsumexp η
by rows) variables; since the Hessian is then linear in y, its mean is its value at y = E[y]. With f quadratic in y, it
is Gaussian with precision P = ∂²f/∂y∂y and mean m = y − P⁻¹∂f/∂y; the mean of the Hessian is that at y = m plus
½⟨∂²H/∂y∂y, P⁻¹⟩. Both hold for any link, and agree with the Hessian at a canonical one.

>>> from matgrad.answer.formula import Formula
>>> found = fisher_of(Formula("sum(exp(X*w)) - y'*X*w"), ["w"])
>>> found.family, found.response, found.mean.text, found.blocks["w", "w"].text
('Poisson', 'y', 'exp(X*w)', "X'*diag(exp(X*w))*X")
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from matgrad.analysis.structure import expanded, varies, written
from matgrad.answer.formula import Formula
from matgrad.answer.question import asked_of
from matgrad.checking.sampling import Subject
from matgrad.deciding.equality import equal
from matgrad.differentiate.transpose import derivatives
from matgrad.dims import Dim
from matgrad.errors import MatgradError, NotScalar, NotSupported, UnknownName
from matgrad.formula.declarations import Where
from matgrad.objects.asking import Name, Text
from matgrad.tensor import builders as b
from matgrad.tensor.nodes import Node, topological
from matgrad.tensor.rebuild import rebuild

HALF = Fraction(1, 2)
KNOWN = "Bernoulli (labels 0 and 1, or −1 and 1), Poisson, categorical, Gaussian"


class Fisher(NamedTuple):
    """The information: ``blocks`` by pairs of variables, with the family, the response and its mean."""

    family: str
    response: str
    mean: Formula
    blocks: dict[tuple[str, str], Formula]


class _Model(NamedTuple):
    """A recognised likelihood: the part of f it explains, the mean of y, and the covariance where f is quadratic."""

    family: str
    node: Node
    mean: Node
    covariance: Node | None


def fisher(formula: Text, over: Name | Sequence[Name], *, response: str | None = None, where: Where = None) -> Fisher:
    """The Fisher information of a negative log-likelihood in some of its variables.

    ``response`` is the variable that is random; without it, the one that makes the formula a known likelihood is found.
    A quadratic penalty adds its Hessian. Raises NotSupported where no family fits.

    >>> found = fisher("0.5*n*log(v) + norm2(y - X*w)^2/(2*v)", ["w", "v"], where="X: matrix(n,p); v: positive")
    >>> {pair: block.text for pair, block in found.blocks.items() if pair[0] == pair[1]}
    {('w', 'w'): "X'*X/v", ('v', 'v'): 'n/(2*v^2)'}
    """
    asked = asked_of(formula, over, where, 1)
    return fisher_of(asked.formula, asked.wrt, response)


def fisher_of(formula: Formula, over: Sequence[str], response: str | None = None) -> Fisher:
    """The Fisher information of a formula that was read."""
    if formula.node.shape:
        raise NotScalar("a negative log-likelihood is a scalar", hint=f"sum({formula.text})")
    if response is not None and (response not in formula.symbols or response in over):
        data = [name for name in formula.symbols if name not in over]
        raise UnknownName(f"{response} is no variable that is data", details=f"the data are {', '.join(data)}")
    candidates = [response] if response is not None else [name for name in formula.symbols if name not in over]
    for name in candidates:
        for likelihood, penalty in _parted(formula, over, formula.symbols[name]):
            model = _recognised(formula, likelihood, over, name)
            if model is not None:
                blocks = _information(formula, over, formula.symbols[name], model, penalty)
                return Fisher(model.family, name, written(formula, model.mean), blocks)
    raise NotSupported(
        f"the formula is not recognised as a negative log-likelihood of {response or 'one of its data'}",
        details=f"known are {KNOWN}; with a quadratic penalty",
        hint="method='newton'",
    )


def _parted(formula: Formula, over: Sequence[str], y: Node) -> Iterator[tuple[Node, Node]]:
    """What varies, as a likelihood without a penalty; then with one: the quadratic terms without the response."""
    symbols = [formula.symbols[name] for name in over]
    likelihood, penalty = [b.zeros(())], [b.zeros(())]
    for term, factor in b.linear_terms(expanded(formula)).items():
        if varies(term, formula, over):
            second = [h for g in derivatives(term, symbols) for h in derivatives(g, symbols)]
            constant = not any(varies(h, formula, over) for h in second) and not all(map(b.is_zero, second))
            (penalty if constant and y not in topological(term) else likelihood).append(b.scaled(term, factor))
    yield b.add([*likelihood, *penalty]), b.zeros(())
    if len(penalty) > 1:
        yield b.add(likelihood), b.add(penalty)


# -- which family


def _recognised(formula: Formula, node: Node, over: Sequence[str], name: str) -> _Model | None:
    y = formula.symbols[name]
    if y not in topological(node):
        return None
    for scale in _scales(y):
        f = b.multiply(scale, node)
        try:
            found = next(_models(formula, f, over, y), None)
        except (MatgradError, ZeroDivisionError):  # the formula has no value at y = 0, say: it is no density of this y
            found = None
        if found is not None:
            back = b.power(scale, -1)
            return found._replace(node=b.multiply(back, found.node)) if scale is not _one() else found
    return None


def _one() -> Node:
    return b.number(1)


def _scales(y: Node) -> Iterator[Node]:
    """What a mean was divided by: nothing, the number of entries, or of rows."""
    yield _one()
    if y.shape:
        yield b.size(y.shape[0])
    if len(y.shape) == 2:
        yield b.multiply(b.size(y.shape[0]), b.size(y.shape[1]))


def _models(formula: Formula, f: Node, over: Sequence[str], y: Node) -> Iterator[_Model]:
    first = derivatives(f, [y])[0]
    second = derivatives(first, [y])[0]
    if b.is_zero(second):
        yield from _exponential(formula, f, over, y, first)
    elif y in topological(second):
        yield from _of_signs(formula, f, over, y, first)
    else:
        yield from _gaussian(formula, f, over, y, first, second)


def _exponential(formula: Formula, f: Node, over: Sequence[str], y: Node, first: Node) -> Iterator[_Model]:
    terms = [b.scaled(t, c) for t, c in b.linear_terms(first).items() if varies(t, formula, over)]
    if not terms:
        return
    natural = b.scaled(b.add(terms), -1)
    for family, partition, mean in _families(natural):
        density = b.subtract(partition, _inner(y, natural))
        if _same(formula, f, density, over):
            yield _Model(family, density, mean, None)


def _families(natural: Node) -> Iterator[tuple[str, Node, Node]]:
    """The log-partition function of each family, and the mean, at natural parameters."""
    yield "Bernoulli", _total(b.map_("softplus", [natural])), b.map_("sigmoid", [natural])
    if natural.shape:  # before Poisson: with η = log softmax the rates add up to one, and both give the same
        yield "categorical", _total(b.apply("logsumexp", natural, 1)), b.apply("softmax", natural, 1)
    yield "Poisson", _total(b.map_("exp", [natural])), b.map_("exp", [natural])


def _of_signs(formula: Formula, f: Node, over: Sequence[str], y: Node, first: Node) -> Iterator[_Model]:
    """Labels −1 and 1: f = Σ softplus(−y∘η), which is Bernoulli in the label (1 + y)/2."""
    natural = b.scaled(rebuild(first, {y: b.zeros(y.shape)}), -2)
    axes = tuple(range(len(y.shape)))
    product = b.einsum([(y, axes), (natural, axes)], axes)
    if _same(formula, f, _total(b.map_("softplus", [b.scaled(product, -1)])), over):
        label = b.scaled(b.add([y, b.number(1, y.shape)]), HALF)
        density = b.subtract(_total(b.map_("softplus", [natural])), _inner(label, natural))
        mean = b.subtract(b.scaled(b.map_("sigmoid", [natural]), 2), b.number(1, y.shape))
        yield _Model("Bernoulli", density, mean, None)


def _gaussian(
    formula: Formula, f: Node, over: Sequence[str], y: Node, first: Node, precision: Node
) -> Iterator[_Model]:
    """f = ½(y − m)'P(y − m) − ½ log det P, the last where P varies."""
    axes = len(y.shape)
    covariance, logdet = _inverse(precision, y.shape)
    if covariance is None or logdet is None:
        return
    inner = tuple(range(axes, 2 * axes))
    solved = b.einsum([(covariance, tuple(range(2 * axes))), (first, inner)], tuple(range(axes)))
    mean = rebuild(b.subtract(y, solved), {y: b.zeros(y.shape)})
    off = b.subtract(y, mean)
    form = b.einsum([(off, tuple(range(axes))), (precision, tuple(range(2 * axes))), (off, inner)], ())
    density = b.scaled(form, HALF)
    if varies(precision, formula, over):
        density = b.subtract(density, b.scaled(logdet, HALF))
    if _same(formula, f, density, over):
        yield _Model("Gaussian", density, mean, covariance)


def _inverse(precision: Node, shape: tuple[Dim, ...]) -> tuple[Node | None, Node | None]:
    """P⁻¹ and log det P, where P is a matrix or a multiple of the identity."""
    axes = tuple(range(len(shape)))
    count = b.number(1)
    for dim in shape:
        count = b.multiply(count, b.size(dim))
    trace = b.einsum([(precision, axes + axes)], ())
    size = b.multiply(trace, b.power(count, -1))
    identity = b.identity(shape)
    multiple = b.einsum([(size, ()), (identity, tuple(range(2 * len(shape))))], tuple(range(2 * len(shape))))
    if b.is_zero(b.subtract(precision, multiple)):
        inverse = b.einsum(
            [(b.power(size, -1), ()), (identity, tuple(range(2 * len(shape))))], tuple(range(2 * len(shape)))
        )
        return inverse, b.multiply(count, b.map_("log", [size]))
    if len(shape) == 1:
        return b.apply("inv", precision), b.apply("logdet", precision)
    return _of_rows(precision, shape) if len(shape) == 2 else (None, None)


def _of_rows(precision: Node, shape: tuple[Dim, ...]) -> tuple[Node | None, Node | None]:
    """The same where the rows of Y are independent and have one precision Q: P = δᵢⱼ Qₐᵦ, at (i, a), (j, b)."""
    count = b.size(shape[0])
    total = b.einsum([(precision, (0, 1, 0, 2))], (1, 2))
    one = b.einsum([(total, (1, 2)), (b.power(count, -1), ())], (1, 2))

    def repeated(node: Node) -> Node:
        return b.einsum([(b.identity(shape[:1]), (0, 1)), (node, (2, 3))], (0, 2, 1, 3))

    if not b.is_zero(b.subtract(precision, repeated(one))):
        return None, None
    return repeated(b.apply("inv", one)), b.multiply(count, b.apply("logdet", one))


def _total(node: Node) -> Node:
    return b.einsum([(node, tuple(range(len(node.shape))))], ())


def _inner(left: Node, right: Node) -> Node:
    axes = tuple(range(len(left.shape)))
    return b.einsum([(left, axes), (right, axes)], ())


def _same(formula: Formula, f: Node, density: Node, over: Sequence[str]) -> bool:
    """Whether the two differ by what does not vary: by the normal form, else by values of their gradients."""
    difference = b.subtract(f, density)
    if not varies(difference, formula, over):
        return True
    moving = [formula.symbols[name] for name in over]
    subjects = [Subject(n, v.type, frozenset(v.traits)) for n, v in formula.typed.variables.items()]
    for ours, theirs in zip(derivatives(f, moving), derivatives(density, moving), strict=True):
        if not b.is_zero(b.subtract(ours, theirs)):
            left, right = (formula.recovery.formula(node) for node in (ours, theirs))
            if equal(left, right, subjects) is not True:
                return False
    return True


# -- the mean of the Hessian


def _information(
    formula: Formula, over: Sequence[str], y: Node, model: _Model, penalty: Node
) -> dict[tuple[str, str], Formula]:
    moving = [formula.symbols[name] for name in over]
    found = {}
    for name, gradient, extra in zip(over, derivatives(model.node, moving), derivatives(penalty, moving), strict=True):
        blocks = zip(over, derivatives(gradient, moving), derivatives(extra, moving), strict=True)
        for other, block, constant in blocks:
            mean = rebuild(block, {y: model.mean})
            if model.covariance is not None:
                mean = b.add([mean, _spread(block, y, model.covariance)])
            found[name, other] = written(formula, b.add([mean, constant]))
    return found


def _spread(block: Node, y: Node, covariance: Node) -> Node:
    """½⟨∂²H/∂y∂y, Σ⟩, for an H that is quadratic in y."""
    second = derivatives(derivatives(block, [y])[0], [y])[0]
    axes, outer = 2 * len(y.shape), len(block.shape)
    labels = tuple(range(outer + axes))
    return b.scaled(b.einsum([(second, labels), (covariance, labels[outer:])], labels[:outer]), HALF)
