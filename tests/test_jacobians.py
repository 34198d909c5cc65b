"""Jacobians at work: linearisation, sensitivity, propagation, implicit functions, degeneracy, directions, compositions.

Truth is what shares nothing with them: finite differences of code written by hand, the package uncertainties, sampling.
"""

import math
import pickle

import numpy as np
import pytest
import uncertainties
import uncertainties.umath as um

from matgrad import MatgradError, derive, parse
from matgrad.analysis import (
    composition,
    degeneracy,
    descent_step,
    directional,
    implicit,
    linearize,
    propagate,
    sensitivity,
    steepest,
)

RNG = np.random.default_rng(7)
A = RNG.normal(size=(3, 2))
SQUARE = RNG.normal(size=(3, 3)) + 3 * np.eye(3)


# -- linearize


def test_models_converge_with_their_orders():
    near = linearize("sin(A*x)", {"A": A, "x": [1.0, -0.5]}, "x", radius=0.2, samples=60)
    assert near.orders == pytest.approx((2, 3), abs=0.15)
    dx = np.array([0.01, 0.02])
    truth = np.sin(A @ (np.array([1.0, -0.5]) + dx))
    assert np.allclose(near.second(x=[1.01, -0.48]), truth, atol=1e-5)
    assert near.second.text == "sin(A*x) + cos(A*x).*(A*dx) - 0.5*sin(A*x).*(A*dx).^2"
    assert near.errors[0].largest[0] > near.errors[0].mean[0] > 0


def test_models_in_several_variables_and_spaces():
    S = np.array([[2.0, 0.5], [0.5, 1.0]])
    near = linearize("logdet(S)*c", {"S": S, "c": 3.0}, where="S: spd(n); c: scalar", radius=0.1, samples=40)
    assert near.orders == pytest.approx((2, 3), abs=0.3)
    moved = S + np.array([[0.01, 0.02], [0.02, -0.01]])
    assert near.second(S=moved, c=3.1) == pytest.approx(3.1 * np.log(np.linalg.det(moved)), abs=1e-3)
    assert near.setting.inputs == ("S[1,1]", "S[2,1]", "S[2,2]", "c")


def test_exact_models_and_kinks():
    assert linearize("A*x", {"A": A, "x": [1.0, 2.0]}, "x", samples=5).exact == (True, True)
    quadratic = linearize("x'*x", {"x": [1.0, 2.0]}, samples=20)
    assert quadratic.exact == (False, True)
    assert math.isnan(quadratic.orders[1])
    kink = linearize("abs(x)", {"x": 0.0}, radius=0.1, samples=20)
    assert kink.orders[0] == pytest.approx(1, abs=0.1)
    assert "at a kink" in str(kink)


def test_no_model_at_a_singular_point():
    with pytest.raises(MatgradError, match="no Taylor model of order 1 at this point"):
        linearize("norm2(x)", {"x": [0.0, 0.0]})


def test_points_outside_the_domain_are_counted():
    near = linearize("log(x)", {"x": 1.0}, radius=2.0, samples=100)
    assert 10 < near.errors[0].undefined < 40
    assert near.errors[2].undefined == 0


# -- sensitivity


def test_condition_numbers_and_ranking():
    s = sensitivity("[a*b^3; a - b]", {"a": 2.0, "b": 1.9})
    assert s.relative == pytest.approx(np.array([[1, 3], [20, 19]]))
    assert [(p.output, p.input) for p in s.ranked] == [("F[2]", "a"), ("F[2]", "b"), ("F[1]", "b"), ("F[1]", "a")]
    assert s.ranked[0].derivative == 1


def test_outputs_and_inputs_that_are_zero():
    s = sensitivity("[x[1] - x[2]; x[1]*x[3]; x[2]]", {"x": [0.3, 0.1 + 0.2, 0.0]})
    assert s.zero.tolist() == [True, True, False]  # 0.3 and 0.1 + 0.2 differ by rounding only
    assert np.isinf(s.relative[0, :2]).all()
    assert np.isnan(s.relative[1]).all()  # x[3] is 0: of 0/0 nothing is known
    assert s.ranked[-1].relative != s.ranked[-1].relative
    assert "F[1], F[2] are 0 here" in s.notes[0]
    assert "x[3] is 0 here" in s.notes[1]


def test_condition_of_a_linear_system():
    """In norm, the solution of A y = b has the condition ‖A⁻¹‖‖b‖/‖y‖ in b."""
    b = np.array([1.0, -2.0, 0.5])
    s = sensitivity("inv(A)*b", {"A": SQUARE, "b": b}, "b")
    inverse = np.linalg.inv(SQUARE)
    wanted = np.linalg.norm(inverse, 2) * np.linalg.norm(b) / np.linalg.norm(inverse @ b)
    assert s.by_variable["b"] == pytest.approx(wanted)


# -- propagate

PACKAGE = [
    ("a*b^2/c", lambda a, b, c: a * b**2 / c),
    ("exp(-a)*sin(b*c)", lambda a, b, c: um.exp(-a) * um.sin(b * c)),
    ("sqrt(a^2 + b^2)/log(c)", lambda a, b, c: um.sqrt(a**2 + b**2) / um.log(c)),
]
MEAN = {"a": 1.3, "b": 0.7, "c": 2.5}
COVARIANCE = np.array([[0.04, 0.01, -0.006], [0.01, 0.09, 0.002], [-0.006, 0.002, 0.01]])


@pytest.mark.parametrize(("text", "function"), PACKAGE)
def test_first_order_is_that_of_the_package_uncertainties(text, function):
    where = "a: scalar; b: scalar; c: scalar"
    alone = function(*(uncertainties.ufloat(MEAN[n], s) for n, s in zip("abc", (0.2, 0.3, 0.1), strict=True)))
    found = propagate(text, MEAN, {"a": 0.04, "b": 0.09, "c": 0.01}, where=where)
    assert (found.value, found.standard_deviation) == pytest.approx((alone.nominal_value, alone.std_dev))
    joint = function(*uncertainties.correlated_values(list(MEAN.values()), COVARIANCE))
    order = list(parse(text, where=where).variables)
    places = ["abc".index(name) for name in order]
    found = propagate(text, MEAN, COVARIANCE[np.ix_(places, places)], where=where)
    assert found.standard_deviation == pytest.approx(joint.std_dev)
    pairs = {"a": 0.04, "b": 0.09, "c": 0.01, ("a", "b"): 0.01, ("c", "a"): -0.006, ("b", "c"): 0.002}
    assert propagate(text, MEAN, pairs, where=where).covariance == pytest.approx(joint.std_dev**2)


def test_covariance_of_several_outputs_is_that_of_the_package():
    r, t = uncertainties.correlated_values([2.0, 1.0], [[0.01, 0.005], [0.005, 0.02]])
    wanted = uncertainties.covariance_matrix([r * um.cos(t), r * um.sin(t)])
    found = propagate("[r*cos(t); r*sin(t)]", {"r": 2.0, "t": 1.0}, {"r": 0.01, "t": 0.02, ("r", "t"): 0.005})
    assert np.allclose(found.covariance, wanted)
    assert found.text is None  # the variables are correlated


def test_vectors_matrices_and_closed_forms():
    spread = np.array([[0.1, 0.02], [0.02, 0.2]])
    found = propagate("A*x", {"A": A, "x": [1.0, 2.0]}, {"x": spread})
    assert found.text == "A*Sigma_x*A'"
    assert np.allclose(found.covariance, A @ spread @ A.T)
    found = propagate("A*x", {"A": A, "x": [1.0, 2.0]}, {"A": 0.01 * np.ones((3, 2))})
    assert np.allclose(found.covariance, 0.05 * np.eye(3))
    found = propagate("S*x", {"S": np.eye(2), "x": [1.0, 2.0]}, {"S": np.ones((2, 2))}, where="S: symmetric(2)")
    assert np.allclose(found.covariance, [[5, 2], [2, 5]])  # S[1,2] and S[2,1] are one number


def test_second_order_of_a_square_is_exact():
    """For x normal, x² has mean μ² + σ² and variance 4μ²σ² + 2σ⁴."""
    found = propagate("x^2", {"x": 1.5}, {"x": 0.49}, samples=4000)
    assert found.second_mean == pytest.approx(2.25 + 0.49)
    assert found.second_covariance == pytest.approx(4 * 2.25 * 0.49 + 2 * 0.49**2)
    drawn = found.monte_carlo
    assert abs(drawn.mean - found.second_mean) < 4 * drawn.mean_error
    assert abs(drawn.covariance - found.second_covariance) < 4 * drawn.covariance_error
    assert drawn.mean_error == pytest.approx(float(drawn.standard_deviation) / np.sqrt(4000))
    assert "first order does not agree" in str(found)
    assert "second order agrees" in str(found)


@pytest.mark.parametrize(
    ("covariance", "said"),
    [
        ({"x": [[1.0, 2.0], [2.0, 1.0]]}, "more than the product of their standard deviations"),
        ({"x": [[1.0, 0.5], [0.2, 1.0]]}, "not symmetric: x.1., x.2. is 0.5"),
        ({"x": [1.0, -1.0]}, r"the variance of x\[2\] is -1"),
        ({"x": [1.0, np.nan]}, "holds nan"),
        ({"x": np.ones((3, 3))}, r"has the shape \(3, 3\), not"),
        ({"y": 1.0}, "there is no variable y"),
        (np.eye(3), r"has the shape \(3, 3\), not \(2, 2\)"),
        ({}, "no variable has a covariance"),
        ({"x": "much"}, "not an array of numbers"),
    ],
)
def test_what_is_no_covariance(covariance, said):
    with pytest.raises(MatgradError, match=said):
        propagate("x[1]*x[2]", {"x": [1.0, 2.0]}, covariance)


def test_a_covariance_that_is_not_semidefinite_says_what_to_try():
    bad = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]) * 1e-12
    with pytest.raises(MatgradError, match=r"not positive semidefinite.*eigenvalue -0\.8") as error:
        propagate("sum(x)", {"x": [1.0, 2.0, 3.0]}, {"x": bad})
    assert "np.maximum" in str(error.value)


def test_second_order_means_of_many_outputs_need_no_hessian():
    matrix, x = RNG.normal(size=(300, 260)) / 16, RNG.normal(size=260)
    found = propagate("tanh(A*x)", {"A": matrix, "x": x}, {"x": 0.01})
    t = np.tanh(matrix @ x)
    assert np.allclose(found.second_mean, t - t * (1 - t**2) * 0.01 * np.sum(matrix**2, axis=1))
    assert "of second order the mean alone" in str(found)


def test_variances_that_cancel():
    found = propagate("a + b", {"a": 1.0, "b": 2.0}, [[1, -1], [-1, 1]])
    assert found.covariance == pytest.approx(0, abs=1e-12)
    assert math.isnan(found.contributions["a"])
    assert "%" not in str(found)


def test_draws_outside_the_domain_are_said():
    found = propagate("log(x)", {"x": 1.0}, {"x": 0.5}, samples=300)
    assert found.monte_carlo.undefined > 5
    assert "not defined" in str(found)


# -- implicit


def test_implicit_closed_forms():
    assert implicit("A*y - b", "y", "b").text == "inv(A)"
    assert implicit("A*y - b", "y", "A").text == "-kron(y', inv(A))"
    assert implicit("A*X + X*B - C", "X", "C").text == "inv(kron(eye, A) + kron(B', eye))"
    assert implicit("a'*x*y - 1", "y", "x", where="y: scalar").text == "-y*a/(a'*x)"
    i = implicit("y^3 + y - x", "y", "x", where="x: scalar; y: scalar")
    assert (i.text, i.condition) == ("1/(3*y^2 + 1)", "3*y^2 + 1 ≠ 0")
    assert "frac" in i.latex
    assert implicit("y^2 - x", "y", "x", where="x: scalar; y: scalar").text == "0.5/y"
    assert implicit("y^2 - x", "y", "x", where="x: scalar; y: scalar").condition == "y ≠ 0"


@pytest.mark.parametrize(
    ("text", "unknown", "wrt", "at"),
    [
        ("x^2 + y^2 - 25", "y", "x", {"x": 3.0, "y": 4.1}),
        ("y + 0.1*sin(A*y) - x", "y", ["x", "A"], {"A": SQUARE, "x": [0.1, 0.2, -0.3], "y": np.zeros(3)}),
        ("A*X + X*B - C", "X", ["A", "C"],
         {"A": SQUARE, "B": np.array([[1, 1], [0, 1.0]]), "C": A, "X": np.zeros((3, 2))}),
        ("[y^2 + z^2 - a; y - z*b]", ["y", "z"], ["a", "b"], {"a": 5.0, "b": 2.0, "y": 1.0, "z": 1.0}),
        ("A*y - S*y.^3 - x", "y", "S", {"A": SQUARE, "S": 0.1 * np.eye(3), "x": [0.1, 0.2, 0.3], "y": np.zeros(3)}),
        ("y^2 - x", "y", "x", {"x": 1e-14, "y": 1e-3}),
    ],
)  # fmt: skip
def test_implicit_against_solving_again(text, unknown, wrt, at):
    i = implicit(text, unknown, wrt, at=at)
    assert i.error < 1e-8
    assert np.allclose(i.formula(**i.setting.arrays), 0, atol=1e-12)


def test_implicit_values_by_hand():
    i = implicit("[y^2 + z^2 - a; y - z*b]", ["y", "z"], "a", at={"a": 5.0, "b": 2.0, "y": 1.0, "z": 1.0})
    assert np.allclose(i.value, [0.2, 0.1])  # y = b z and z² = a/(1 + b²)
    assert i.solution["y"] == pytest.approx(2)
    assert i.text == "inv([2*y, 2*z; 1, -b])[:,1]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("x^2 + y^2 - 25", "y", "x", {"x": 5.0, "y": 0.0}), "∂F/∂y is 0 at this point"),
        (("A*y - b", "y", "b", {"A": [[1.0, 2], [2, 4]], "b": [1.0, 2], "y": [1.0, 0]}), "singular.*singular values"),
        (("x^2 + y^2 + 1", "y", "x", {"x": 5.0, "y": 1.0}), "no solution of F = 0 was found"),
        (("x^2 + y^2 - 25", "y", "x", {"x": 5.0}), "no value is given for y"),
        (("x^2 + log(y)", "y", "x", {"x": 1.0, "y": -1.0}), "not defined at the guess"),
        (("a'*y - 1", "y", "a", None), "as many equations as unknowns"),
        (("A*y - b", "y", "y", None), "cannot be both"),
        (("A*y - b", "z", "b", None), "z does not occur"),
    ],
)
def test_implicit_is_refused(arguments, said):
    formula, unknown, wrt, at = arguments
    with pytest.raises(MatgradError, match=said):
        implicit(formula, unknown, wrt, at=at)


# -- degeneracy


def test_degenerate_points():
    d = degeneracy("[x[1]^2 + x[2]; x[1]*x[2]]", {"x": [1.0, 2.0]})
    assert (d.rank, d.full, d.singular, d.determinant_text) == (1, 2, True, "2*x[1]^2 - x[2]")
    assert np.allclose(d.jacobian @ d.lost, 0)
    assert np.allclose(d.missed.T @ d.jacobian, 0)
    assert d.second_order() == pytest.approx(np.linalg.norm([0.2, -0.4]), rel=1e-3)
    assert not degeneracy("[x[1]^2 + x[2]; x[1]*x[2]]", {"x": [1.0, 1.0]}).singular
    polar = degeneracy("[r*cos(t); r*sin(t)]", {"r": 0.0, "t": 1.0})
    assert np.allclose(np.abs(polar.lost.T), [[0, 1]])
    outer = degeneracy("x*y'", {"x": [2.0, 1.0], "y": [1.0, 2.0, 3.0]})
    assert (outer.rank, outer.lost.shape[1]) == (4, 1)  # x and y may be scaled against each other


def test_rank_with_a_tolerance():
    at = {"A": np.diag([1.0, 1e-6, 0.0]), "x": np.ones(3)}
    assert degeneracy("A*x", at, "x").rank == 2
    assert degeneracy("A*x", at, "x", tolerance=1e-3).rank == 1
    with pytest.raises(MatgradError, match="tolerance"):
        degeneracy("A*x", at, "x", tolerance=-1)


# -- directions


def test_slopes_and_the_bound():
    at = {"A": SQUARE, "x": [1.0, -1.0, 2.0]}
    d = directional("x'*A*x", at, [0.5, 1.0, -1.0], "x")
    step = 1e-6 * np.array([0.5, 1.0, -1.0])
    x = np.array(at["x"])
    numeric = ((x + step) @ SQUARE @ (x + step) - (x - step) @ SQUARE @ (x - step)) / 2e-6
    assert d.value == pytest.approx(numeric, rel=1e-6)
    assert abs(d.value) < d.bound
    s = steepest("x'*A*x", at, "x")
    assert (s.value, s.cosine) == pytest.approx((s.bound, 1))
    assert np.linalg.norm(s.direction["x"]) == pytest.approx(1)
    assert directional("tr(A*X)", {"A": A.T, "X": A}, {"X": A}, "X").text == "tr(U'*A')"


def test_steps_in_a_symmetric_variable_are_along_the_gradient():
    S = np.array([[2.0, 0.3], [0.3, 1.0]])
    at = {"S": S, "T": [[1.0, 2.0], [0.0, 3.0]]}
    s = descent_step("tr(S*S) + tr(T*S)", at, "S", step=0.1, where="S: symmetric(2)")
    gradient = derive("tr(S*S) + tr(T*S)", "S", where="S: symmetric(2)")(**{k: np.array(v) for k, v in at.items()})
    assert np.allclose(s.point["S"], S - 0.1 * gradient)
    assert s.global_limit == pytest.approx(1.0)  # H is twice the identity, in the Frobenius norm


def test_descent_of_a_quadratic_is_decided_by_the_limit():
    text, at = "x[1]^2 + 2*x[1]*x[2] + 3*x[2]^2", {"x": [1.0, 1.0]}
    limit = descent_step(text, at).limit
    below, above = (descent_step(text, at, step=limit * k) for k in (0.999, 1.001))
    assert below.guaranteed
    assert below.after < below.before
    assert not above.guaranteed
    assert above.after > above.before
    assert below.global_limit == pytest.approx(2 / (4 + 2 * math.sqrt(2)))


def test_descent_of_a_convex_function_is_guaranteed_up_to_the_last_lower_point():
    """For f = exp(x) - x at 1: η* solves f(1 - η(e - 1)) = f(1) on the other side of the minimum at 0."""
    s = descent_step("exp(x) - x", {"x": 1.0})
    other = 1 - s.convex_limit * (math.e - 1)
    assert other < 0
    assert math.exp(other) - other == pytest.approx(math.e - 1, rel=1e-9)
    assert s.guaranteed
    assert not descent_step("exp(x) - x", {"x": 1.0}, step=1.01 * s.convex_limit).guaranteed
    assert descent_step("x[1]^2*x[2]^2 + x[1]", {"x": [1.0, 1.0]}).convex_limit is None  # not convex


@pytest.mark.parametrize(("text", "at", "last"), [("abs(x)", {"x": 1.0}, 2), ("norm1(x)", {"x": [1.0, 1.0]}, 2)])
def test_what_has_kinks_is_not_quadratic(text, at, last):
    """Its second derivatives are 0 beside the kinks; from 1 the steps are lower up to the mirror image, -1."""
    s = descent_step(text, at, step=5.0)
    assert s.after > s.before
    assert not s.quadratic
    assert not s.guaranteed
    assert s.convex_limit == pytest.approx(last)
    assert descent_step(text, at, step=1.5).guaranteed


def test_a_step_out_of_what_is_declared_is_not_guaranteed():
    """tr(S) - log|det S| is lower far beyond the singular matrices, where S is not positive definite."""
    found = [
        descent_step("tr(S) - logdet(S)", {"S": [[3.0]]}, "S", where="S: spd(n)", step=9.0),
        descent_step("sum(log(x))", {"x": [1.0, 2.0]}, step=10.0, where="x: positive vector(n)"),
        descent_step("x^2", {"x": 1.0}, step=0.9, where="x: positive"),
    ]
    for s in found:
        assert math.isnan(s.after)
        assert not s.guaranteed
    assert 3 - found[0].convex_limit * 2 / 3 > 0
    assert "is not defined there" in str(found[0])


def test_descent_elsewhere():
    s = descent_step("x[1]^4*x[2]", {"x": [2.0, 1.0]})
    assert not s.quadratic
    assert s.after < s.before
    assert "not quadratic" in str(s)
    assert descent_step("logsumexp(A*x)", {"A": A, "x": [0.0, 1.0]}, "x").after < 2
    assert descent_step("sum(log(x))", {"x": [1.0, 2.0]}, step=0.1, where="x: positive vector(n)").guaranteed
    with pytest.raises(MatgradError, match="stationary"):
        descent_step("x'*x", {"x": [0.0, 0.0]})
    with pytest.raises(MatgradError, match="stationary"):
        steepest("x'*x", {"x": [0.0, 0.0]})
    with pytest.raises(MatgradError, match="not defined"):
        steepest("log(x)", {"x": -1.0})
    with pytest.raises(MatgradError, match="of a scalar"):
        steepest("A*x", {"A": A, "x": [0.0, 0.0]})
    with pytest.raises(MatgradError, match=r"shape \(3,\), not \(2,\)"):
        directional("x'*x", {"x": [0.0, 0.0]}, [1.0, 2.0, 3.0])


# -- compositions


@pytest.mark.parametrize(
    "text",
    ["y = tanh(A*x); sin(B*y)", "h = A*x; y = tanh(h); B*(y.*h) + x[1]*(B*y)", "y = A*x; x'*x*sum(y)"],
)
def test_the_product_of_two_jacobians(text):
    at = {"A": A, "B": RNG.normal(size=(4, 3)), "x": np.array([0.3, -0.8])}
    c = composition(text, "y", "x")
    at = {name: at[name] for name in c.formula.typed.variables}
    whole = np.atleast_2d(derive(text, "x")(**at))
    dx = np.array([0.7, 1.1])
    assert np.allclose(np.atleast_1d(c.matvec(dx, **at)), whole @ dx)
    bar = np.ones(len(whole)) if c.formula.node.shape else 1.0
    assert np.allclose(c.rmatvec(bar, **at), np.atleast_1d(bar) @ whole)
    if c.direct is None:
        outer, inner = c.factors(**at)
        assert np.allclose((outer @ inner) @ np.eye(2), whole)


def test_words_of_a_composition():
    c = composition("norm2(y)^2", "y", "x", inner="A*x - b")
    assert c.text == "∂F/∂x = (∂y/∂x)' · ∂F/∂y"
    assert c.pushforward_text == "y = A*x - b; dy = A*dx; dF = 2*y'*dy"
    assert composition("h = A*x; y = tanh(h); norm2(y)^2", "y", "x").pullback_text.startswith("h = A*x; y = tanh(h);")
    with pytest.raises(MatgradError, match="z is no intermediate"):
        composition("y = A*x; norm2(y)^2", "z", "x")


# -- all of them


def test_functions_are_not_hidden_by_modules():
    """A module of the same name would take the place of a function once it is imported, as by unpickling."""
    import importlib

    import matgrad.analysis

    for name, home in matgrad.analysis._HOMES.items():
        assert home.rpartition(".")[2] != name
        assert callable(getattr(importlib.import_module(home), name))


def test_answers_print_and_are_plain_data():
    import json

    at = {"x": [1.0, 1.5]}
    text = "[x[1]^2 + x[2]; x[1]*x[2]]"
    found = [
        linearize(text, at, samples=5),
        sensitivity(text, at),
        propagate(text, at, {"x": 0.01}, samples=50),
        degeneracy(text, at),
        implicit("y^2 - x", "y", "x", at={"x": 4.0, "y": 1.0}),
        directional("x'*x", at, [1.0, 0.0]),
        descent_step("x'*x", at),
        composition("y = 2*x; y'*y", "y", "x"),
    ]
    for answer in found:
        assert str(answer)
        json.dumps(answer.to_dict())
        assert str(pickle.loads(pickle.dumps(answer))) == str(answer)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ({"x": [1.0, np.nan]}, "x holds nan"),
        ({"x": [1.0, np.inf]}, "infinite"),
        ({"x": [[1.0, 2.0]]}, "must have 1 axis"),
        ({"y": 1.0}, "there is no variable y"),
        ({"x": [-1.0, 2.0]}, "not defined at this point"),
    ],
)
def test_points_that_are_no_points(at, said):
    for function in (linearize, sensitivity, degeneracy):
        with pytest.raises(MatgradError, match=said):
            str(function("log(x[1]) + x[2]", at))
