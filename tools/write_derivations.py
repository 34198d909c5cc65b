"""Writes the pages of derivations in docs/: every formula is derived, explained and evaluated by the program.

    python tools/write_derivations.py

Each page is a list of headings, remarks and commands; what the commands print is written below them, and
tests/test_docs.py runs them again.
"""

from __future__ import annotations

import contextlib
import io
import shlex
from pathlib import Path

from matgrad.cli import main

DOCS = Path(__file__).resolve().parent.parent / "docs"

SECTION = """# The section, line by line

What a textbook's section on matrix calculus covers, each formula derived, explained and evaluated by the program.
Read `df` as the part of the change of f that is linear in `dx`; the last line of each derivation is what
`matgrad derive` gives. Every line was checked at random points before it was printed.

## Gradients

A linear function, and an inner product with a matrix:

$ matgrad explain "a'*x" --wrt x
$ matgrad explain "y'*A*x" --wrt x

A quadratic form. Both places of x change, one after the other:

$ matgrad explain "x'*A*x" --wrt x
$ matgrad derive "x'*A*x" --wrt x --at "A=[1,2;0,3]; x=[1,1]"

For a symmetric matrix the two terms are one:

$ matgrad explain "x'*S*x" --wrt x --where "S: symmetric(n)"

The same in components, for those who want it proved:

$ matgrad explain "x'*A*x" --wrt x --style components

Norms: squared, plain, and of a residual, with numbers.

$ matgrad explain "norm2(x)" --wrt x
$ matgrad explain "norm2(A*x - b)^2" --wrt x
$ matgrad explain "norm2(A*x - b)^2" --wrt x --brief --at "A=[1,2;3,4;5,6]; x=[1,1]; b=[1,1,1]"

## Jacobians and the tangent map

The differential of a vector is the Jacobian times dx: the tangent map.

$ matgrad explain "A*x + b" --wrt x
$ matgrad explain "sin(A*x)" --wrt x
$ matgrad explain "x/norm2(x)" --wrt x

Of a matrix, the tangent map dX ↦ A dX B is the answer; vec writes it as one matrix:

$ matgrad explain "A*X*B" --wrt X
$ matgrad explain "inv(X)" --wrt X

## Traces and determinants

$ matgrad explain "tr(A*X)" --wrt X
$ matgrad explain "tr(X'*A*X)" --wrt X
$ matgrad explain "det(X)" --wrt X
$ matgrad explain "logdet(X)" --wrt X
$ matgrad explain "tr(inv(X)*A)" --wrt X

## A two-layer network, backwards

One signal a line, from the loss to the weights:

$ matgrad explain "a1 = W1*x; y = W2*a1; 0.5*norm2(y - t)^2" --wrt W1,W2 --style backward

With an activation, biases, and a batch whose rows are the examples:

$ matgrad explain "a1 = tanh(W1*x + b1); y = W2*a1 + b2; 0.5*norm2(y - t)^2" --wrt W1,b1,W2,b2 --style backward
$ matgrad explain "A = tanh(X*W1'); Y = A*W2'; 0.5*norm2(Y - T)^2/rows(X)" --wrt W1,W2 --style backward

A hundred layers, as a loop: `{l}` is the number of the layer.

$ matgrad explain "for l in 1..100 {z{l} = W{l}*h{l-1}; h{l} = tanh(z{l})}; norm2(h100 - t)^2" --wrt W1 --style backward

## Hessians

The differential of the gradient. It is symmetric by Schwarz's theorem; where its eigenvalues are positive the
function is convex.

$ matgrad explain "x'*A*x" --wrt x --order 2
$ matgrad explain "norm2(A*x - b)^2" --wrt x --order 2
$ matgrad derive "norm2(A*x - b)^2" --wrt x --order 2 --at "A=[1,2;3,4;5,6]; x=[1,1]; b=[1,1,1]"

Its eigenvalues, here of 2 A'A:

```python
>>> import matgrad, numpy as np
>>> A = np.array([[1., 2.], [3., 4.], [5., 6.]])
>>> H = matgrad.hessian("norm2(A*x - b)^2", "x")(A=A, x=np.ones(2), b=np.ones(3))
>>> np.linalg.eigvalsh(H).round(3)
array([  0.529, 181.471])
```
"""

TWELVE = """# Twelve derivations worth reading

Each is made by the program when this page is written, and made again in the tests. `--latex`, `--markdown` and
`--html` print them for a paper, a page or a notebook.

## Least squares

$ matgrad explain "norm2(X*w - y)^2" --wrt w

## Ridge regression

$ matgrad explain "norm2(X*w - y)^2 + lambda*norm2(w)^2" --wrt w

## Principal components: the Rayleigh quotient

$ matgrad explain "(w'*S*w)/(w'*w)" --wrt w --where "S: symmetric(n)"

## Mahalanobis distance

$ matgrad explain "(x - mu)'*inv(S)*(x - mu)" --wrt x --where "S: spd(n); mu: vector(n)"

## Gaussian likelihood, in the covariance and in the precision

$ matgrad explain "-logdet(S)/2 - r'*inv(S)*r/2" --wrt S --where "S: spd(n)"
$ matgrad explain "logdet(P)/2 - r'*P*r/2" --wrt P --where "P: spd(n)"

## The scale of a Gaussian process's kernel

$ matgrad explain "y'*inv(c*K + s*eye)*y/2 + logdet(c*K + s*eye)/2" --wrt c --where "K: spd(n); c: scalar; s: scalar"

## Logistic loss, with its Hessian

$ matgrad explain "sum(softplus(X*w)) - y'*X*w" --wrt w --order 2

## Softmax cross-entropy, with its Hessian

$ matgrad explain "logsumexp(z) - y'*z" --wrt z --order 2

## Matrix factorisation

$ matgrad explain "norm2(U*V' - R)^2" --wrt U

## A two-layer tanh network

$ matgrad explain "norm2(W2*tanh(W1*x) - y)^2" --wrt W1
$ matgrad explain "norm2(W2*tanh(W1*x) - y)^2" --wrt W1,W2 --style backward

## Attention

$ matgrad explain "S = Q*K'/sqrt(cols(K)); P = softmax(S, dim=2); O = P*V; tr(G'*O)" --wrt Q,K,V --style backward

## log det(I + u v')

$ matgrad explain "logdet(eye + u*v')" --wrt u
"""


def filled(page: str) -> str:
    """The page with the output below each command, in console blocks."""
    out: list[str] = []
    for part in page.split("\n"):
        if part.startswith("$ "):
            out += ["```console", part, printed(part), "```", ""]
        else:
            out.append(part)
    text = "\n".join(out)
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.rstrip("\n") + "\n"


def printed(command: str) -> str:
    """What a command prints."""
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        status = main(shlex.split(command.removeprefix("$ "))[1:])
    assert status == 0, command
    return stream.getvalue().rstrip("\n")


if __name__ == "__main__":
    (DOCS / "the-section-line-by-line.md").write_text(filled(SECTION), encoding="utf-8")
    (DOCS / "twelve-derivations.md").write_text(filled(TWELVE), encoding="utf-8")
