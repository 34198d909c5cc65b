"""What must hold for every formula, tried on random ones; and a comparison of such compositions with JAX."""

from __future__ import annotations

import random
import re
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special as jss
import numpy as np
import pytest
from random_formulas import (
    SIZES,
    arrays_of,
    failure_of,
    kind_of,
    random_formula,
    require,
    shrunk,
    smaller,
    variables_of,
    where_of,
)

import matgrad

jax.config.update("jax_enable_x64", True)
CHUNKS, EACH = 20, 20
EXPENSIVE = 90
"""Length of a formula from which only its first derivative is tried."""


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_formulas(chunk: int) -> None:
    """Graph, text, code, check, reading back, action and renaming agree: a failure names a small formula."""
    for seed in range(chunk * EACH, (chunk + 1) * EACH):
        part, rng = random_formula(seed), random.Random(seed)
        wrt = rng.choice(variables_of(part.text))
        for order in (1, 2) if len(part.text) < EXPENSIVE // 2 else (1,):
            found = failure_of(part.text, wrt, order, seed)
            if found is not None:
                least = shrunk(part, wrt, order, found[0], seed, tries=60)
                told = failure_of(least.text, wrt, order, seed) or found
                pytest.fail(f"seed {seed}: {least.text}  in {wrt}, order {order}\n{told[1]}")


# What has failed: formula, variable, order.
FAILED_ONCE = [
    ("sum(kron(x,y).^3)", "x", 2),
    ("sum(kron(x,x).^3)", "x", 2),
    ("1./((sum(kron(w, w).^2)).^2 + 1)", "w", 2),
    ("((sum(kron(y, w).^2)).^2 + 1).^(1/2)", "y", 2),
    ("sum(kron((u)*((u)'*(u)), diag(u)*(u)).^2)", "u", 1),
    ("ones(m)*y'", "y", 1),
    ("sum(ones(5,p)'*z)", "z", 1),
    ("tr(ones(n,5)*ones(5,n))*a^2", "a", 1),
    ("norm2(kron(ones(5,5), z))", "z", 1),
    ("norm2(kron(ones(2,2), t))", "t", 1),
    ("sum(kron(v, ones(p)).^2)", "v", 1),
    ("max(sum(kron(ones(m), u).^2), 3)", "u", 2),
    ("norm2(kron(eye(5), z))", "z", 1),
    ("diag(logsumexp(ones(m,5), dim=2))*(u)", "u", 1),
    ("norm1((ones(2,n))*(X'))", "X", 1),
    ("vec(inv(eye + (ones(2,2))*(ones(2,2))'))'*vec(((d)^2 + 1).^sin(ones(2,2)))", "d", 1),
    ("mean(((A') - vector(1)*mean(A', dim=1)))", "A", 1),
    ("vec(ones(5,5))'*vec(inv(eye + ((z)*(v'))*((z)*(v'))')*(ones(5,5)))", "v", 1),
    ("vec((ones(2,m))*(ones(m,2)))'*vec(inv(eye + (Q)*(Q)')*(ones(2,2)))", "Q", 1),
    ("(x)'*inv(eye + (max(S, U'))*(max(S, U'))')*(x)", "U", 1),
    ("logsumexp(((u).^2 + 1).^sin((z)[1]))", "z", 2),
    ("(ones(m))/((d)^2 + 1)", "d", 1),
    ("(a)/((norm2((v) ⊗ (((v*v') - vector(1)*mean(v*v', dim=1))))^2)^2 + 1)", "v", 2),
    ("(((sum(kron(u, u).^2))./((2).^2 + 1)).^2 + 1).^sin(3)", "u", 2),
    ("1./((w').^2 + 1)", "w", 1),
    ("((x').^2 + 1).^sin(0.5)", "x", 1),
    ("((w' - x')).*(y')", "y", 1),
    ("(a)*((((2) + v'))*(v))", "v", 1),
    ("((w' - x'))*(P')", "P", 1),
    ("1./(((S)[2,:]).^2 + 1)", "S", 1),
    ("max(((w').^2 + 1).^sin(a), w')", "w", 2),
    ("((w').^2 + 1).^sin((z)'*inv(eye + (z*z')*(z*z')')*(z))", "z", 1),
    ("(1./(((v).^2).^2 + 1))'*(((v*v')')*(inv(eye + (C')*(C')')*(v*v')))*(expm1(sin(-(v))))", "v", 2),
]


@pytest.mark.parametrize(("text", "wrt", "order"), FAILED_ONCE)
def test_what_has_failed_before(text: str, wrt: str, order: int) -> None:
    assert failure_of(text, wrt, order) is None


def test_a_saturated_function_does_not_fail_the_check() -> None:
    for text, wrt in (("tanh(sum(x.^2)^2)", "x"), ("c^tanh(10 + norm2(x)^2)", "x"), ("sinh(tanh(y[1] - 9))", "y")):
        where = {"c": "positive"} if text[0] == "c" else {}
        assert matgrad.derive(text, wrt, where=where).verify().passed is not False


def test_a_derivative_that_vanishes_does_not_fail_the_check() -> None:
    for text in ("sum(x - mean(x))", "(x - x)'*x", "tr(X)-tr(X')"):
        derivative = matgrad.derive(text, text[-2] if "X" in text and text[-2] == "X" else "X" if "X" in text else "x")
        assert derivative.verify().passed is True
        assert derivative.text in ("vector(0)", "matrix(0)", "zeros(n)", "zeros(n,n)")


# -- the generator itself -------------------------------------------------------------------------


def test_formulas_are_seeded_and_varied() -> None:
    texts = [random_formula(seed).text for seed in range(300)]
    assert texts == [random_formula(seed).text for seed in range(300)]
    used = {word for text in texts for word in re.findall(r"[a-zA-Z_]\w*(?=\()", text)}
    assert {"inv", "det", "softmax", "logsumexp", "kron", "max", "norm2", "tr", "diag", "gelu", "erf", "vec"} <= used
    assert {name for text in texts for name in variables_of(text)} >= set("axyuvzABCXYSPDLUw")
    assert any("dim=1" in text for text in texts)
    assert any("dim=2" in text for text in texts)


def test_formulas_have_the_type_that_was_drawn() -> None:
    for seed in range(120):
        part = random_formula(seed)
        formula = matgrad.parse(part.text, where=where_of(part.text))
        assert formula.kind == part.kind[0]
        assert formula.shape == part.kind[1:]


def test_shrinking_keeps_types_and_ends() -> None:
    part = random_formula(5, depth=3)
    for less in list(smaller(part))[:50]:
        assert less.kind == part.kind
    assert kind_of("positive vector(n)") == ("vector", "n")


def test_a_wrong_answer_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The properties are no empty words: a wrong derivative fails."""
    from matgrad.answer import differentiation
    from matgrad.tensor import builders

    right = differentiation.derivatives
    monkeypatch.setattr(differentiation, "derivatives", lambda *a: [builders.scaled(d, 2) for d in right(*a)])
    found = failure_of("x'*A'*A*x", "x", 1)
    assert found is not None
    assert found[0] == "graph against differences"


# -- JAX ------------------------------------------------------------------------------------------

UNARY = {
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tanh": jnp.tanh,
    "exp": jnp.exp,
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "arctan": jnp.arctan,
    "erf": jss.erf,
    "gelu": lambda x: x * jss.ndtr(x),
    "relu": jax.nn.relu,
    "abs": jnp.abs,
    "sinh": jnp.sinh,
    "normpdf": lambda x: jnp.exp(-x * x / 2) / jnp.sqrt(2 * jnp.pi),
    "normcdf": jss.ndtr,
}
Function = Any
Pair = tuple[str, Function]
"""A formula, and the same as a function of a dictionary of arrays."""


def _name(name: str) -> Pair:
    return name, lambda v: v[name]


def _vector(rng: random.Random, depth: int, size: str) -> Pair:
    names = {"n": ["x", "y"], "m": ["u"]}[size]
    if depth == 0:
        return _name(rng.choice(names))
    match rng.randrange(8):
        case 0:
            function, (t, f) = rng.choice(list(UNARY)), _vector(rng, depth - 1, size)
            return f"{function}({t})", lambda v: UNARY[function](f(v))
        case 1:
            (t, f), (s, g) = _vector(rng, depth - 1, size), _vector(rng, depth - 1, size)
            return f"({t} - 2*{s})", lambda v: f(v) - 2 * g(v)
        case 2:
            (t, f), (s, g) = _vector(rng, depth - 1, size), _vector(rng, depth - 1, size)
            return f"({t}).*({s})", lambda v: f(v) * g(v)
        case 3:
            other = rng.choice("mn")
            (t, f), (s, g) = _matrix(rng, depth - 1, size, other), _vector(rng, depth - 1, other)
            return f"({t})*({s})", lambda v: f(v) @ g(v)
        case 4:
            t, f = _vector(rng, depth - 1, size)
            return f"softmax({t})", lambda v: jax.nn.softmax(f(v))
        case 5:
            (t, f), (s, g) = _matrix(rng, depth - 1, size, size), _vector(rng, depth - 1, size)
            return f"inv(eye + ({t})*({t})')*({s})", lambda v: jnp.linalg.solve(_shifted(f(v)), g(v))
        case 6:
            (t, f), (s, g) = _vector(rng, depth - 1, size), _scalar(rng, depth - 1)
            return f"({t})./(1 + ({s})^2)", lambda v: f(v) / (1 + g(v) ** 2)
        case _:
            other = rng.choice("mn")
            t, f = _matrix(rng, depth - 1, size, other)
            return f"logsumexp({t}, dim=2)", lambda v: jss.logsumexp(f(v), axis=1)


def _shifted(matrix: Any) -> Any:
    return jnp.eye(len(matrix)) + matrix @ matrix.T


def _matrix(rng: random.Random, depth: int, rows: str, cols: str) -> Pair:
    names = {("m", "n"): "A", ("n", "n"): "X", ("n", "m"): "B", ("m", "m"): "V"}
    if depth == 0:
        return _name(names[rows, cols])
    match rng.randrange(5):
        case 0:
            function, (t, f) = rng.choice(list(UNARY)), _matrix(rng, depth - 1, rows, cols)
            return f"{function}({t})", lambda v: UNARY[function](f(v))
        case 1:
            other = rng.choice("mn")
            (t, f), (s, g) = _matrix(rng, depth - 1, rows, other), _matrix(rng, depth - 1, other, cols)
            return f"({t})*({s})", lambda v: f(v) @ g(v)
        case 2:
            t, f = _matrix(rng, depth - 1, cols, rows)
            return f"({t})'", lambda v: f(v).T
        case 3:
            (t, f), (s, g) = _vector(rng, depth - 1, rows), _vector(rng, depth - 1, cols)
            return f"({t})*({s})'", lambda v: jnp.outer(f(v), g(v))
        case _:
            (t, f), (s, g) = _vector(rng, depth - 1, rows), _matrix(rng, depth - 1, rows, cols)
            return f"diag({t})*({s})", lambda v: f(v)[:, None] * g(v)


def _scalar(rng: random.Random, depth: int) -> Pair:
    size, other = rng.choice("mn"), rng.choice("mn")
    match rng.randrange(6):
        case 0:
            (t, f), (s, g) = _vector(rng, depth, size), _vector(rng, depth, size)
            return f"({t})'*({s})", lambda v: f(v) @ g(v)
        case 1:
            t, f = _vector(rng, depth, size)
            return f"logsumexp({t})", lambda v: jss.logsumexp(f(v))
        case 2:
            t, f = _matrix(rng, depth, size, other)
            return f"logdet(eye + ({t})*({t})')", lambda v: jnp.linalg.slogdet(_shifted(f(v)))[1]
        case 3:
            (t, f), (s, g) = _matrix(rng, depth, size, other), _matrix(rng, depth, other, size)
            return f"tr(({t})*({s}))", lambda v: jnp.trace(f(v) @ g(v))
        case 4:
            t, f = _matrix(rng, depth, size, other)
            return f"norm2({t})^2", lambda v: jnp.sum(f(v) ** 2)
        case _:
            t, f = _vector(rng, depth, size)
            return f"sum({t})", lambda v: jnp.sum(f(v))


@pytest.mark.parametrize("seed", range(60))
def test_it_agrees_with_jax(seed: int) -> None:
    rng = random.Random(seed)
    kind = rng.choice([_scalar, _scalar, lambda r, d: _vector(r, d, r.choice("mn"))])
    text, function = kind(rng, rng.choice([1, 2, 3]))
    where = {name: declared if name != "V" else "matrix(m,m)" for name, declared in where_of(text).items()}
    at = {name: 0.7 * np.random.default_rng(seed).standard_normal(a.shape) for name, a in arrays_of(text, seed).items()}
    wrt = rng.choice(sorted(at))
    require("value", matgrad.parse(text, where=where)(**at), function(at), text)
    derivative = matgrad.derive(text, wrt, where=where)
    expected = jax.jacobian(lambda a: function({**at, wrt: a}))(at[wrt])
    require("JAX", derivative(**at), expected, f"{derivative.text} of {text} in {wrt}", 1e-9)
    if len(text) < 40 and np.ndim(expected) + np.ndim(at[wrt]) <= 3:
        second = jax.jacobian(jax.jacobian(lambda a: function({**at, wrt: a})))(at[wrt])
        require("JAX, order 2", derivative.derive(wrt)(**at), second, f"{text} in {wrt}", 1e-9)


def test_the_sizes_are_distinct() -> None:
    assert len({SIZES[d] for d in "mnp"}) == 3
