"""The commands about Jacobians: what they print, what they write, and how they refuse."""

import json

import pytest
from commands import refused

CASES = [
    (["sensitivity", "a*b^3/c", "--at", "a=2; b=5; c=4"], "f       b      3     37.5"),
    (["linearize", "exp(x)", "--at", "x=0"], "dx ↦ exp(x) + dx*exp(x) + 0.5*dx^2*exp(x)"),
    (["propagate", "a*b", "--at", "a=3; b=4", "--std", "a=0.1", "--covariance", "b=0.04"], "b^2*var_a + a^2*var_b"),
    (["implicit", "A*y - b", "--unknown", "y", "--wrt", "b,A"], "-kron(y', inv(A))"),
    (["degeneracy", "[x[1]^2 + x[2]; x[1]*x[2]]", "--at", "x=[1,2]"], "1 of 2: singular"),
    (["slope", "x'*x", "--at", "x=[3,4]"], "(0.6, 0.8)"),
    (["slope", "x'*x", "--at", "x=[3,4]", "--along", "x=[1,0]"], "u'*∇f = 2*u'*x"),
    (["slope", "x'*x", "--at", "x=[3,4]", "--step", "best"], "η = 0.5, to x = (0, 0)"),
    (["maps", "A*X", "--wrt", "X"], "Ybar ↦ A'*Ybar"),
    (["maps", "y = A*x; norm2(y)^2", "--wrt", "x", "--through", "y"], "ybar = 2*fbar*y; xbar = A'*ybar"),
]


@pytest.mark.parametrize(("arguments", "said"), CASES, ids=str)
def test_commands(run, arguments, said):
    found = run(*arguments)
    assert found.status == 0, found
    assert said in found.out
    found = run(*arguments, "--json")
    assert found.status == 0
    assert isinstance(json.loads(found.out), dict)


def test_pictures(run, tmp_path):
    target = tmp_path / "saddle.svg"
    arguments = ["contours", "x[1]^2 - x[2]^2 + x[3]^2", "--at", "x=[0,0,1]", "--plot", str(target)]
    assert run(*arguments, "--plane", "x[1]; x[2]")[0] == 0
    assert "<svg" in target.read_text(encoding="utf-8")
    text, paths = "x[1]^4 + x[1]*x[2] + x[2]^2", str(tmp_path / "paths.svg")
    found = run("contours", text, "--at", "x=[1,1.5]", "--methods", "newton,l-bfgs", "--plot", paths)
    assert found.status == 0
    assert "newton  -0.015625 after" in found.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sensitivity", "a*b"], '--at "a=…; b=…"'),
        (["sensitivity", "A*x", "--at", "A=[1,2;3,4]; x=3", "--where", "x: vector(n)"], "x=[3]"),
        (["propagate", "a*b", "--at", "a=1;b=2"], "how uncertain the variables are"),
        (["propagate", "a*b", "--at", "a=1;b=2", "--std", "a=1", "--covariance", "a=1"], "both a covariance"),
        (["implicit", "A*y - b", "--unknown", "y"], "--unknown y --wrt x"),
        (["slope", "x'*x", "--at", "x=[1,2]", "--step", "far"], "'best'"),
        (["contours", "x'*x", "--at", "x=[1,2]", "--plot", "p.bmp"], ".png, .svg, .pdf"),
        (["contours", "x'*x", "--at", "x=[1,2,3]", "--plot", "p.png", "--plane", "1"], "two directions"),
        (["maps", "A*X", "--wrt", "X,"], "--wrt takes names with commas"),
        (["implicit", "A*y - b", "--unknown", "y,", "--wrt", "b"], "--unknown takes names with commas"),
        (["slope", "g(a)*b", "--where", "g: function", "--at", "a=1; b=2"], "g is an unspecified function"),
    ],
)
def test_bad_input(run, arguments, said):
    assert said in refused(run(*arguments))
