"""Answers: the exact texts that were promised, the literature, every option, and the numbers behind all of them."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from draws import RNG, arrays_of_size, close, normal, spd

import matgrad
from matgrad import derive, gradient, hessian, jacobian, parse

jax.config.update("jax_enable_x64", True)

NETWORK = "a1 = W1*x; y = W2*a1; 0.5*norm2(y - t)^2"
PROMISED = [
    ("a'*x", "x", None, 1, "a"),
    ("x'*A*x", "x", None, 1, "(A + A')*x"),
    ("x'*A*x", "x", "A: symmetric(n)", 1, "2*A*x"),
    ("norm2(x)^2", "x", None, 1, "2*x"),
    ("g(a'*x)", "x", "g: function", 1, "g'(a'*x)*a"),
    ("tr(X)", "X", None, 1, "eye"),
    ("tr(A*X)", "X", None, 1, "A'"),
    ("tr(X'*A*X)", "X", None, 1, "(A + A')*X"),
    ("logdet(X)", "X", None, 1, "inv(X)'"),
    ("normF(X)^2", "X", None, 1, "2*X"),
    ("tr(X'*X)", "X", None, 1, "2*X"),
    ("[x[1]^2 + x[2]; x[1]*x[2]]", "x", None, 1, "[2*x[1], 1; x[2], x[1]]"),
    ("exp(A*tanh(B*x))", "x", None, 1, "diag(exp(A*tanh(B*x)))*A*diag(1 - tanh(B*x).^2)*B"),
    ("x[1]^2 + 2*x[1]*x[2] + 3*x[2]^2", "x", None, 2, "[2, 2; 2, 6]"),
    ("norm2(A*x - b)^2", "x", None, 1, "2*A'*(A*x - b)"),
]


@pytest.mark.parametrize(("formula", "wrt", "where", "order", "text"), PROMISED)
def test_what_must_come_out(formula: str, wrt: str, where: str | None, order: int, text: str) -> None:
    derivative = derive(formula, wrt, where=where, order=order)
    assert derivative.text == text
    assert derivative.closed_form
    assert derivative.verify().passed is True


@pytest.mark.parametrize(
    ("wrt", "short"), [("y", "y - t"), ("W2", "(y - t)*a1'"), ("a1", "W2'*(y - t)"), ("W1", "W2'*(y - t)*x'")]
)
def test_backpropagation_in_terms_of_the_intermediates(wrt: str, short: str) -> None:
    derivative = derive(NETWORK, wrt, where="t: vector(k)")
    assert derivative.short == short
    assert derivative.names == {"a1": "W1*x", "y": "W2*a1"}
    assert derivative.verify().passed is True
    assert "y" not in re.findall(r"\w+", derivative.text)


def test_the_worked_numbers() -> None:
    assert parse("a'*x")(a=[2, 3], x=[1, 1]) == 5
    close(derive("a'*x", "x")(a=[2, 3], x=[0.3, -1]), [2.0, 3.0])
    form = derive("x'*A*x", "x")
    at = {"A": [[1, 2], [2, 3]]}
    for x in ([1, 0], [0, 1], [2, -1]):
        close(form(x=x, **at), [2.0 * x[0] + 4 * x[1], 4.0 * x[0] + 6 * x[1]])
    close(derive("[x[1]^2 + x[2]; x[1]*x[2]]", "x")(x=[1, 2]), [[2.0, 1], [2, 1]])
    close(derive("x[1]^2 + 2*x[1]*x[2] + 3*x[2]^2", "x", order=2)(x=[5, 7]), [[2.0, 2], [2, 6]])


def test_the_chain_of_jacobians_in_numbers() -> None:
    known = {"A": normal(4, 3), "B": normal(3, 5), "x": normal(5)}
    expected = jax.jacobian(lambda x: jnp.exp(known["A"] @ jnp.tanh(known["B"] @ x)))(known["x"])
    close(derive("exp(A*tanh(B*x))", "x")(**known), expected)


DENSITY = "-logdet(S)/2 - (x - mu)'*inv(S)*(x - mu)/2"
LITERATURE = [
    ("norm2(A*x - b)^2/2", "x", None, 1, "A'*(A*x - b)"),
    ("norm2(X*w - y)^2/2 + lambda/2*norm2(w)^2", "w", None, 1, "X'*(X*w - y) + lambda*w"),
    ("norm2(X*w - y)^2/2 + lambda/2*norm2(w)^2", "w", None, 2, "X'*X + lambda*eye"),
    ("tr(W'*S*W)", "W", "S: symmetric(n)", 1, "2*S*W"),
    (DENSITY, "mu", "S: spd(n); mu: vector(n)", 1, "inv(S)*(x - mu)"),
    (DENSITY, "S", "S: spd(n); mu: vector(n)", 1, "1/2*(inv(S)*(x - mu)*(x - mu)'*inv(S) - inv(S))"),
    ("logdet(P)/2 - (x - mu)'*P*(x - mu)/2", "P", "P: spd(n); mu: vector(n)", 1, "1/2*(inv(P) - (x - mu)*(x - mu)')"),
    ("norm2(X*w - y)^2/2 + lambda*norm1(w)", "w", None, 1, "X'*(X*w - y) + lambda*sign(w)"),
    ("sum(log(1 + exp(-y.*(X*w))))", "w", "y: vector(m)", 1, "-X'*(y.*sigmoid(-y.*(X*w)))"),
    ("sum(log(1 + exp(-y.*(X*w))))", "w", "y: vector(m)", 2,
     "X'*diag(y.^2.*sigmoid(y.*(X*w)).*sigmoid(-y.*(X*w)))*X"),
    ("logsumexp(z) - y'*z", "z", None, 1, "softmax(z) - y"),
    ("log(sum(exp(z))) - y'*z", "z", None, 1, "softmax(z) - y"),
    ("logsumexp(z) - y'*z", "z", None, 2, "diag(softmax(z)) - softmax(z)*softmax(z)'"),
    ("logsumexp(W*x) - y'*W*x", "W", None, 1, "(softmax(W*x) - y)*x'"),
    ("log(det(eye + u*v'))", "v", "u: vector(n); v: vector(n)", 1, "u/(1 + u'*v)"),
    ("log(det(X))", "X", None, 1, "inv(X)'"),
    ("det(X)", "X", None, 1, "adj(X)'"),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "wrt", "where", "order", "text"), LITERATURE)
def test_the_literature(formula: str, wrt: str, where: str | None, order: int, text: str) -> None:
    derivative = derive(formula, wrt, where=where, order=order)
    assert derivative.text == text
    assert derivative.verify().passed is True


def test_the_literature_in_numbers() -> None:
    s, x, mu = spd(4), normal(4), normal(4)
    at = {"S": s, "x": x, "mu": mu}
    where = "S: spd(n); mu: vector(n)"

    def density(s: Any, mu: Any) -> Any:
        return -jnp.linalg.slogdet(s)[1] / 2 - (x - mu) @ jnp.linalg.solve(s, x - mu) / 2

    close(derive(DENSITY, "mu", where=where)(**at), jax.grad(density, 1)(s, mu))
    full = jax.grad(density)(s, mu)
    close(derive(DENSITY, "S", where=where)(**at), (full + full.T) / 2)


def test_the_marginal_likelihood_in_the_scale_of_a_kernel() -> None:
    text = "-y'*inv(s*K + t*eye)*y/2 - logdet(s*K + t*eye)/2"
    derivative = derive(text, "s", where="K: spd(n); s: positive; t: positive; y: vector(n)")
    k, y = spd(5), normal(5)
    inverse = np.linalg.inv(0.7 * k + 0.2 * np.eye(5))
    alpha = inverse @ y
    close(derivative(K=k, y=y, s=0.7, t=0.2), np.trace((np.outer(alpha, alpha) - inverse) @ k) / 2)
    assert "eye(" not in derivative.text, "s*K gives the size"
    assert derivative.conditions == ()


def test_a_rank_one_update_of_the_determinant() -> None:
    u, v = normal(4), normal(4)
    for text in ("log(det(eye + u*v'))", "logdet(eye + u*v')"):
        derivative = derive(text, "u", where="u: vector(n); v: vector(n)")
        close(derivative(u=u, v=v), v / (1 + u @ v))


def test_the_gradient_of_det_is_right_at_singular_matrices() -> None:
    for rank in (3, 2, 1, 0):
        x = normal(4, rank) @ normal(rank, 4)
        cofactors = np.empty((4, 4))
        for i, j in itertools.product(range(4), repeat=2):
            cofactors[i, j] = (-1) ** (i + j) * np.linalg.det(np.delete(np.delete(x, i, 0), j, 1))
        close(derive("det(X)", "X")(X=x), cofactors)
        close(derive("det(X)^2", "X")(X=x), np.zeros((4, 4)) if rank < 4 else 1)


def test_several_variables_give_a_mapping() -> None:
    found = derive("x'*A*y", ["x", "A", "y"])
    assert {name: d.text for name, d in found.items()} == {"x": "A*y", "A": "x*y'", "y": "A'*x"}
    assert all(d.verify().passed for d in found.values())
    for wrong in ([], ["x", "x"], 3, {"x": 1}, ["x", 2]):
        with pytest.raises(matgrad.MatgradError, match="wrt"):
            derive("x'*x", wrong)  # type: ignore[arg-type]


def test_blocks_of_a_hessian() -> None:
    text, where = "sum(exp(A*x)) + x'*B*y + norm2(y)^4", "A: matrix(m,n); B: matrix(n,k)"
    blocks = hessian(text, ["x", "y"], where=where)
    at = {"A": normal(2, 3), "x": normal(3), "B": normal(3, 4), "y": normal(4)}

    def f(x: Any, y: Any) -> Any:
        return jnp.sum(jnp.exp(at["A"] @ x)) + x @ at["B"] @ y + (y @ y) ** 2

    truth = jax.hessian(f, (0, 1))(at["x"], at["y"])
    for (i, a), (j, c) in itertools.product(enumerate("xy"), repeat=2):
        used = {n: v for n, v in at.items() if n in blocks[a, c].formula.variables}
        close(blocks[a, c](**used), truth[i][j])
        assert blocks[a, c].verify(points=3).passed is True
    assert blocks["x", "y"].text == "B"


def test_mixed_partials_commute() -> None:
    first = derive("x'*X*sin(y)", "x")
    at = {"x": normal(3), "X": normal(3, 4), "y": normal(4)}
    close(first.derive("y")(**at), derive("x'*X*sin(y)", "y").derive("x")(**at).T)
    mixed = first.derive("X")
    assert mixed.shape == ("n", "n", "m")
    assert mixed.verify().passed is True
    assert mixed.derive("y").verify(points=2).passed is True
    assert mixed.wrt == ("x", "X")


@pytest.mark.parametrize(("text", "where"), [
    ("sum(x.^3)", None), ("(a'*x)^4", None), ("sum(sin(A*x))", None), ("norm2(x)^3", None), ("logsumexp(x)", None),
    ("x'*x*sin(a'*x)", None), ("g(a'*x)", "g: function"),
])  # fmt: skip
def test_third_derivatives(text: str, where: str | None) -> None:
    derivative = derive(text, "x", where=where, order=3)
    assert derivative.shape == ("n",) * 3
    assert derivative.verify(points=3).passed is True


def test_orders_are_checked() -> None:
    for order in (0, 5, -1, 1.0, True, "2"):
        with pytest.raises(matgrad.MatgradError, match="order"):
            derive("x'*x", "x", order=order)  # type: ignore[arg-type]


def test_intermediates_are_variables_too() -> None:
    text, where = "r = A*x - b; s = r'*r; s^2 + c*s", "c: scalar"
    assert derive(text, "s", where=where).short == "2*s + c"
    assert derive(text, "r", where=where).verify().passed is True
    assert derive(text, "s", where=where, order=2).text == "2"
    assert derive(text, "r", where=where, order=2).verify().passed is True
    mixed = derive(text, "s", where=where).derive("x")
    assert mixed.verify().passed is True
    both = derive(text, ["x", "r", "s"], where=where)
    assert {d.formula.source for d in both.values()} == {text}


def test_gradient_jacobian_and_hessian_want_their_orders() -> None:
    assert gradient("x'*A*x", "x").text == "(A + A')*x"
    assert jacobian("A*x", "x").text == "A"
    for call in (lambda: gradient("A*x", "x"), lambda: hessian("A*x", "x"), lambda: jacobian("x'*x", "x")):
        with pytest.raises(matgrad.MatgradError, match="scalar"):
            call()


@pytest.mark.parametrize(("formula", "wrt", "where", "order", "_"), [*PROMISED, *LITERATURE])
def test_text_reads_back_and_the_rest_is_plain_data(
    formula: str, wrt: str, where: str | None, order: int, _: str
) -> None:
    derivative = derive(formula, wrt, where=where, order=order)
    back = parse(derivative.text, context=derivative)
    at: dict[str, Any] = arrays_of_size(derivative.formula, {"m": 4, "n": 3, "p": 5})
    for name, variable in derivative.formula.typed.variables.items():
        at[name] = spd(len(at[name])) if "symmetric" in variable.traits else at[name]
        at[name] = np.abs(at[name]) if "positive" in variable.traits else at[name]
    at |= {"g": (np.sin, np.cos)} if "g" in derivative.formula.typed.functions else {}
    given = {n: a for n, a in at.items() if n in {*back.typed.variables, *back.typed.functions}}
    given |= {n: {"m": 4, "n": 3, "p": 5}.get(n, 3) for n in back.sizes_needed()}
    close(back(**given), derivative(**at))
    data = json.loads(json.dumps(derivative.to_dict()))
    assert data["text"] == derivative.text
    assert tuple(data["shape"]) == derivative.shape
    assert data["conditions"] == list(derivative.conditions)
    assert derivative._repr_latex_().startswith("$")
    assert derivative.text in repr(derivative)


def test_the_action_on_a_direction() -> None:
    derivative = derive("A*X*B", "X")
    a, x, bb, dx = normal(2, 3), normal(3, 4), normal(4, 5), normal(3, 4)
    assert str(derivative.matvec) == "dX ↦ A*dX*B"
    close(derivative.matvec(dx, A=a, X=x, B=bb), a @ dx @ bb)
    inverse = derive("inv(X)", "X")
    square, direction = spd(3), normal(3, 3)
    close(inverse.matvec(direction, X=square), -np.linalg.solve(square, direction) @ np.linalg.inv(square))
    product = derive("sum(sin(A*x))", "x", order=2)
    close(product.matvec(dx[:, 0], A=a, x=x[:, 1]), product(A=a, x=x[:, 1]) @ dx[:, 0])
    with pytest.raises(matgrad.MatgradError, match="direction"):
        derivative.matvec(normal(4, 3), A=a, X=x, B=bb)


def test_what_is_wrong_with_arrays_is_said() -> None:
    derivative = derive("norm2(A*x - b)^2", "x")
    good: dict[str, Any] = {"A": normal(4, 3), "x": normal(3), "b": normal(4)}
    bad: list[tuple[dict[str, Any], str]] = [
        ({"A": normal(3, 4)}, "shape"),
        ({"x": normal(4)}, "shape"),
        ({"x": normal(3, 1)}, "axis|axes"),
        ({"x": "abc"}, "numeric"),
        ({"x": [1, np.nan, 2]}, "nan"),
        ({"x": [[1, 2], [3]]}, "rows differ"),
        ({"x": 1j * normal(3)}, "complex"),
        ({"z": 1.0}, "z"),
        ({"x": None}, "numeric"),
    ]
    for wrong, said in bad:
        with pytest.raises(matgrad.MatgradError, match=said):
            derivative(**{**good, **wrong})
    with pytest.raises(matgrad.MatgradError, match="no value is given for b"):
        derivative(A=good["A"], x=good["x"])
    with pytest.raises(matgrad.MatgradError, match="positive definite"):
        derive("logdet(S)", "S", where="S: spd(n)")(S=-np.eye(2))


def test_names_that_cannot_be_differentiated_in() -> None:
    for wrt, said in (("z", "does not occur"), ("m", "dimension"), ("AA", "does not occur")):
        with pytest.raises(matgrad.MatgradError, match=said):
            derive("norm2(A*x)^2/m", wrt, where="A: matrix(m,n)")
    with pytest.raises(matgrad.MatgradError, match="function"):
        derive("g(c)", "g", where="g: function; c: scalar")
    with pytest.raises(matgrad.MatgradError, match="text"):
        derive(3, "x")  # type: ignore[arg-type]


def test_a_complex_step_that_underflows_is_no_verdict() -> None:
    """The slope of erfc at 26 is about 1e-296: times a step of 1e-30 it is 0, and its quotient with erfc(26) is not."""
    assert derive("sum(log(erfc(x)))", "x").verify(seed=0).passed is True
    d = derive("sum(log(erfc(x)))", "x")
    wrong = matgrad.parse("-2*exp(-x.^2)./erfc(x)", context=d)
    assert not matgrad.check_answer("sum(log(erfc(x)))", "x", wrong.text).correct


def test_sizes_that_a_shape_does_not_tell_are_asked_for() -> None:
    d = matgrad.derive("norm2(X[1:k,:]*a)^2", "X", where="X: matrix(k+n, p)")
    arrays = {"X": np.arange(15.0).reshape(5, 3), "a": np.array([1.0, -2.0, 0.5])}
    for asked in (d, d.formula, matgrad.compile(d)):
        with pytest.raises(matgrad.MatgradError) as error:
            asked(**arrays)
        assert "from which the sizes in k + n cannot be told" in str(error.value)
        assert error.value.hint.startswith("k=…, a number")
    assert not d(**arrays, k=2)[2:].any()
    assert d(**arrays, k=2)[:2].all()


def test_sizes_that_no_array_shows_are_arguments() -> None:
    derivative = derive("ones(m)*y'", "y", where="y: vector(n)")
    got = derivative(y=normal(3), m=2)
    close(got, np.einsum("i,jk->ijk", np.ones(2), np.eye(3)))
    with pytest.raises(matgrad.MatgradError, match="m is not known"):
        derivative(y=normal(3))
    close(derive("tr(ones(n,5)*ones(5,n))*a^2", "a", where="a: scalar")(a=3.0, n=4), 120.0)


def test_a_hundred_layers() -> None:
    layers = 100
    steps = ["h0 = tanh(W0*x)", *(f"h{i} = tanh(W{i}*h{i - 1})" for i in range(1, layers))]
    text = "; ".join([*steps, f"norm2(h{layers - 1} - t)^2/2"])
    found = derive(text, [f"W{i}" for i in range(layers)])
    shorts = [found[f"W{i}"].short for i in range(layers)]
    assert shorts[-1] == "((1 - h99.^2).*(h99 - t))*h98'"
    # Each layer is as long as the last: signals have names where writing them out would be long.
    assert max(map(len, shorts)) < 120
    assert shorts[0] == "((1 - h0.^2).*δ_h0)*x'"
    names = found["W0"].names
    assert names.keys() - {f"h{i}" for i in range(layers)} == {f"δ_h{i}" for i in range(layers - 1)}
    assert names["δ_h0"] == "W1'*((1 - h1.^2).*δ_h1)"
    square = {name: 0.6 * normal(3, 3) for name in found}
    at = {**square, "x": normal(3), "t": normal(3)}

    def loss(w: Any) -> Any:
        h = at["x"]
        for i in range(layers):
            h = jnp.tanh((w if i == 50 else at[f"W{i}"]) @ h)
        return jnp.sum((h - at["t"]) ** 2) / 2

    close(found["W50"](**at), jax.grad(loss)(at["W50"]), 1e-11)


def test_long_sums_and_products() -> None:
    total = derive("+".join(f"{i}*c^{i % 3 + 2}" for i in range(2000)), "c", where="c: scalar")
    c = 0.4
    expected = sum(i * (i % 3 + 2) * c ** (i % 3 + 1) for i in range(2000))
    close(total(c=c), expected)
    assert len(total.text) < 200, "like terms are merged"
    names = [f"x{i}" for i in range(2000)]
    many = derive("+".join(f"{n}^3" for n in names), "x7", where=dict.fromkeys(names, "scalar"))
    assert many.text == "3*x7^2"
    product = derive("*".join(names), "x7", where=dict.fromkeys(names, "scalar"))
    values = dict(zip(names, RNG.uniform(0.9, 1.1, 2000), strict=True))
    close(product(**values), np.prod(list(values.values())) / values["x7"])


def test_deep_calls() -> None:
    depth = 150
    text = "sin(" * depth + "c" + ")" * depth
    close(derive(text, "c", where="c: scalar")(c=1.0), jax.grad(_iterated(depth))(1.0))


def _iterated(depth: int) -> Any:
    def f(c: Any) -> Any:
        for _ in range(depth):
            c = jnp.sin(c)
        return c

    return f


def test_products_of_many_sizes_are_checked_at_small_ones() -> None:
    assert matgrad.derive("kron(kron(A,B),kron(C,D))", "B").verify(points=3).passed is not False


def test_lam_is_a_scalar() -> None:
    assert matgrad.parse("sum(x) + 0.5*lam*norm2(w)^2").variables["lam"] == "scalar"
