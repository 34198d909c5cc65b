"""Quotients and powers of determinants, which overflow or underflow where the whole does not."""

from __future__ import annotations

from matgrad.stabilising.growth import exchanged, pairs_of
from matgrad.stabilising.rule import RULES
from matgrad.tensor import builders as b
from matgrad.tensor.builders import Operand, map_, number, power, scaled
from matgrad.tensor.facts import Fact, positive
from matgrad.tensor.laws.shared import is_apply, power_of
from matgrad.tensor.nodes import Einsum, Map, Node


@RULES.add(
    "quotient of determinants",
    "det(X)/det(Y) = sign(det(X))*sign(det(Y))*exp(logdet(X) - logdet(Y)), det(X)^p = sign(det(X))^p*exp(p*logdet(X))",
    because="each may overflow where the quotient does not",
    on=(Einsum, Map),
    examples=(
        ("det(X)/det(Y)", "X: matrix(n, n); Y: matrix(n, n)"),
        ("det(X)^(1/2)/det(Y)^(1/3)", "X: spd(n); Y: spd(n)"),
        ("log(det(X)^2) + log(det(X)^3)", "X: matrix(n, n)"),
        ("det(X'*X + eye)^(1/3)", "X: matrix(n, n)"),
    ),
)
def quotient_of_determinants(node: Node) -> Node | None:
    if isinstance(node, Map):
        base, count = power_of(node)
        if is_apply(base, "det") and count.denominator > 1:
            root = map_("exp", (scaled(b.apply("logdet", base.arg), count),))  # type: ignore[attr-defined]
            if positive(base) is Fact.YES:
                return root
            return b.multiply(power(b.apply("detsign", base.arg), count), root)  # type: ignore[attr-defined]
        if node.function == "log":
            base, count = power_of(node.args[0])
            if is_apply(base, "det") and count.denominator == 1:
                logdet = scaled(b.apply("logdet", base.arg), count)  # type: ignore[attr-defined]
                if count.numerator % 2 == 0 or positive(base) is Fact.YES:
                    return logdet
                return b.add([logdet, map_("log", (b.apply("detsign", base.arg),))])  # type: ignore[attr-defined]
        return None
    pairs = pairs_of(node)
    places = [place for place, (operand, _) in enumerate(pairs) if is_apply(power_of(operand)[0], "det")]
    counts = [power_of(pairs[place][0])[1] for place in places]
    if len(places) < 2 or any(count.denominator > 1 for count in counts) or min(counts) > 0 or max(counts) < 0:
        return None
    args = [power_of(pairs[place][0])[0].arg for place in places]  # type: ignore[attr-defined]
    logs = [scaled(b.apply("logdet", arg), count) for arg, count in zip(args, counts, strict=True)]
    signs: list[Operand] = [(b.apply("detsign", arg), ()) for arg, count in zip(args, counts, strict=True)
                            if count.numerator % 2]  # fmt: skip
    return exchanged(node, set(places), [(map_("exp", (b.add(logs),)), ()), *signs])


@RULES.add(
    "adjugate over a determinant",
    "adj(X)/det(Y) = sign(det(Y))*exp((n - 1)*log(m) - logdet(Y))*adj(X/m) with m = max(abs(X))",
    because="both may underflow or overflow where the quotient does not",
    on=(Einsum,),
    examples=(("adj(X)/det(Y)^3", "X: matrix(n, n); Y: matrix(n, n)"),),
)
def adjugate_over_determinant(node: Node) -> Node | None:
    pairs = pairs_of(node)
    above = next((place for place, (operand, _) in enumerate(pairs) if is_apply(operand, "adj")), None)
    below = {place: power_of(operand) for place, (operand, _) in enumerate(pairs)
             if is_apply(power_of(operand)[0], "det")}  # fmt: skip
    if above is None or not any(count < 0 and count.denominator == 1 for _, count in below.values()):
        return None
    x = pairs[above][0].children[0]
    largest = b.apply("largest", x, 2)
    part = map_("ratio", (x, b.broadcast(largest, x.shape)))
    logs = [b.multiply(b.subtract(b.size(x.shape[0]), number(1)), map_("log", (largest,)))]
    signs: list[Operand] = []
    for det, count in below.values():
        logs.append(scaled(b.apply("logdet", det.children[0]), count))
        if count.numerator % 2:
            signs.append((b.apply("detsign", det.children[0]), ()))
    new = [(b.apply("adj", part), pairs[above][1]), (map_("exp", (b.add(logs),)), ()), *signs]
    return exchanged(node, {above, *below}, new)
