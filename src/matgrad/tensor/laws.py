"""Named laws of the normal form. Each registers itself with the builders; importing this module arms them.

A law is applied only where it holds on the whole domain of the formula as typed: what it needs beyond
that (x ≠ 0 in x·x⁻¹) was already needed to write the formula, and its conditions are collected from there.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from matgrad.dims import Dim
from matgrad.functions import CARDS
from matgrad.tensor import builders as b
from matgrad.tensor.builders import Network, einsum, map_, number, power, scaled
from matgrad.tensor.facts import Fact, invertible, nonnegative, of_function, positive
from matgrad.tensor.nodes import Apply, Constant, Einsum, Map, Node, Sum

ONE = Fraction(1)


def _power_of(node: Node) -> tuple[Node, Fraction]:
    return (node.args[0], node.parameter) if isinstance(node, Map) and node.function == "power" else (node, ONE)


def _is_map(node: Node, function: str) -> bool:
    return isinstance(node, Map) and node.function == function


def _is_apply(node: Node, function: str) -> bool:
    return isinstance(node, Apply) and node.function == function


# -- networks -------------------------------------------------------------------------------------


def selections(net: Network) -> Network | Node | None:
    """Unit vectors, shifts and fused axes: eᵢ'eⱼ = δᵢⱼ, Σeᵢ = 1, S'S = I on one block and 0 across blocks."""
    places = [i for i, (node, _) in enumerate(net.operands) if isinstance(node, Constant) and node.shape]
    for i in places:
        node, labels = net.operands[i]
        assert isinstance(node, Constant)
        found = _alone(net, i, node, labels)
        if found is not None:
            return found
        for j in places:
            if j > i:
                other, others = net.operands[j]
                assert isinstance(other, Constant)
                met = _selected(net, (i, j), (node, other), (labels, others))
                if met is not None:
                    return met
    return None


def _alone(net: Network, place: int, node: Constant, labels: tuple[int, ...]) -> Network | None:
    """A selection all of whose large or small side is summed away."""
    if node.name == "shift" and node.shape[0] == node.shape[1]:
        return net.replaced([place], merge=(labels[0], labels[1]))  # the whole is a block of itself
    lonely = [x for x in labels if net.count(x) == 1]
    if node.name == "unit" and lonely:
        return net.replaced([place], drop=lonely)
    if node.name == "fuse" and labels[0] in lonely:
        return net.replaced([place], drop=labels[:1])
    if node.name == "fuse" and sorted(lonely) == sorted(labels[1:]):
        return net.replaced([place], drop=lonely)
    if node.name == "shift" and labels[0] in lonely and labels[1] not in lonely:
        return net.replaced([place], drop=[labels[0]])
    return None


def _selected(
    net: Network, places: tuple[int, int], nodes: tuple[Constant, Constant], labels: tuple[tuple[int, ...], ...]
) -> Network | Node | None:
    (a, b_), (s, t) = nodes, labels
    if {a.name, b_.name} == {"shift", "unit"}:
        return _component(net, places, nodes, labels)
    if a.name != b_.name:
        return None
    if a.name == "unit" and s == t:
        return Network([], net.out, Fraction(0), net.sizes)  # different units: equal ones were merged as a power
    if a.name == "fuse" and a is b_:
        if s[0] == t[0]:
            # F[f,i,k]·F[f,j,l] = δij·δkl·F[f,i,k], whatever else f is used for
            half = net.replaced([places[1]], merge=(s[1], t[1]))
            fast, other = (s[1] if x == t[1] else x for x in (s[2], t[2]))
            return half.replaced([], merge=(fast, other))
        if s[1:] == t[1:] and net.count(s[1]) == 2 and net.count(s[2]) == 2:
            return net.replaced(places, drop=[s[1], s[2]], merge=(s[0], t[0]))
    if a.name == "shift" and s[0] == t[0] and net.count(s[0]) == 2 and a.shape[0] == b_.shape[0]:
        if a is b_:
            return net.replaced(places, drop=[s[0]], merge=(s[1], t[1]))
        if _disjoint(a, b_):
            return Network([], net.out, Fraction(0), net.sizes)
    return None


def _component(
    net: Network, places: tuple[int, int], nodes: tuple[Constant, Constant], labels: tuple[tuple[int, ...], ...]
) -> Network | Node | None:
    """A unit vector through a shift is a unit vector of the other size, or 0 outside of the block."""
    (shift, (large, small)), (unit, (at,)) = sorted(zip(nodes, labels, strict=True), key=lambda p: p[0].name)
    offset, part = shift.parameter.number, shift.shape[1].number
    if offset is None or part is None or at not in (large, small) or net.count(at) != 2:
        return None
    if at == small:
        return net.replaced(places, [(b.unit(shift.shape[0], unit.parameter + offset), (large,))], drop=[at])
    if not offset < unit.parameter <= offset + part:
        return Network([], net.out, Fraction(0), net.sizes)
    return net.replaced(places, [(b.unit(shift.shape[1], unit.parameter - offset), (small,))], drop=[at])


def _disjoint(a: Constant, other: Constant) -> bool:
    """Whether two blocks do not overlap, whatever the dimensions: one ends where the other begins, or before."""
    return any(_gap(low, high) for low, high in ((a, other), (other, a)))


def _gap(low: Constant, high: Constant) -> bool:
    (start, length), (end, _) = _span(low), _span(high)
    return all(count >= 0 for _, count in (end + Dim({k: -c for k, c in (start + length).terms})).terms)


def _span(block: Constant) -> tuple[Dim, Dim]:
    """Where a unit or a shift begins on its large axis, and how long it is."""
    if block.name == "unit":
        return Dim.of(block.parameter - 1), Dim.of(1)
    return block.parameter, block.shape[1]


def inverse(net: Network) -> Network | None:
    """inv(X)*X = eye, where X is a node or a product of nodes."""
    for place, (node, labels) in enumerate(net.operands):
        if not _is_apply(node, "inv") or labels[0] == labels[1]:
            continue
        assert isinstance(node, Apply)
        for side in (0, 1):
            joint, far = labels[side], labels[1 - side]
            if net.count(joint) != 2 or joint in net.out:
                continue
            for turned in (False, True) if b.is_symmetric(node.arg) else (False,):
                # inv(X)[.., j]·X[j, k]: the inverse's second axis meets the first of X, and the other way round
                axis = (1 - side) if not turned else side
                found = _match(net, place, node.arg, joint, axis)
                if found is not None:
                    used, end, inner = found
                    return net.replaced([place, *used], drop=[joint, *inner], merge=(far, end))
    return None


def _match(net: Network, skip: int, arg: Node, joint: int, axis: int) -> tuple[list[int], int, list[int]] | None:
    """Operands of the network that make up ``arg`` with its ``axis`` at ``joint``; the label of its other axis."""
    if isinstance(arg, Einsum):
        if arg.coefficient != 1 or len(set(arg.out)) != 2 or not arg.operands:
            return None
        pattern = list(zip(arg.operands, arg.subscripts, strict=True))
        out = arg.out
    else:
        pattern, out = [(arg, (0, 1))], (0, 1)
    bound = {out[axis]: joint}
    used: list[int] = []
    if not _extend(net, skip, pattern, bound, used) or out[1 - axis] not in bound:
        return None
    inner = [bound[x] for x in bound if x not in out]
    counts = {x: sum(net.operands[i][1].count(x) for i in used) for x in inner}
    if any(net.count(x) != counts[x] for x in inner) or bound[out[1 - axis]] in (joint, *inner):
        return None
    return used, bound[out[1 - axis]], inner


def _extend(
    net: Network, skip: int, pattern: list[tuple[Node, tuple[int, ...]]], bound: dict[int, int], used: list[int]
) -> bool:
    if not pattern:
        return len(set(bound.values())) == len(bound)
    # Take an operand that is tied to what is bound already, so that few candidates remain.
    index = next((k for k, (_, s) in enumerate(pattern) if any(x in bound for x in s)), 0)
    node, subscript = pattern[index]
    rest = pattern[:index] + pattern[index + 1 :]
    for i, (candidate, labels) in enumerate(net.operands):
        if i == skip or i in used or candidate is not node:
            continue
        for legs in (labels, labels[::-1]) if b.is_symmetric(node) else (labels,):
            trial = dict(bound)
            if all(trial.setdefault(x, y) == y for x, y in zip(subscript, legs, strict=True)):
                used.append(i)
                if _extend(net, skip, rest, trial, used):
                    bound.update(trial)
                    return True
                used.pop()
    return False


def adjugate(net: Network) -> Network | None:
    """adj(X)·det(X)^p = inv(X)·det(X)^(p+1) for p < 0, and inv(X)·det(X)^p = adj(X)·det(X)^(p-1) for p ≥ 1."""
    for i, (node, labels) in enumerate(net.operands):
        if not isinstance(node, Apply) or node.function not in ("adj", "inv"):
            continue
        for j, (other, _) in enumerate(net.operands):
            base, exponent = _power_of(other)
            if not isinstance(base, Apply) or base.function != "det" or base.arg is not node.arg:
                continue
            if node.function == "adj" and exponent < 0:
                return net.replaced([i, j], [(b.apply("inv", node.arg), labels), (power(base, exponent + 1), ())])
            if node.function == "inv" and exponent >= 1:
                return net.replaced([i, j], [(b.apply("adj", node.arg), labels), (power(base, exponent - 1), ())])
    return None


def softmax(net: Network) -> Network | None:
    """exp(x)/sum(exp(x)) = softmax(x), over all entries or along some axes."""
    for j, (total, free) in enumerate(net.operands):
        sums, exponent = _power_of(total)
        if exponent > -1 or not isinstance(sums, Einsum) or len(sums.operands) != 1 or sums.coefficient != 1:
            continue
        exps = sums.operands[0]
        if not _is_map(exps, "exp") or len(set(sums.out)) != len(sums.out):
            continue
        assert isinstance(exps, Map)
        subscript = sums.subscripts[0]
        if len(set(subscript)) != len(subscript) or not set(sums.out) <= set(subscript):
            continue
        for i, (node, labels) in enumerate(net.operands):
            base, times = _power_of(node)
            if base is not exps or times < 1:
                continue
            kept = [subscript.index(x) for x in sums.out]
            if tuple(labels[p] for p in kept) != tuple(free):
                continue
            order = kept + [p for p in range(len(labels)) if p not in kept]
            turned = einsum([(exps.args[0], tuple(range(len(labels))))], order)
            soft = b.apply("softmax", turned, len(labels) - len(kept))
            return net.replaced(
                [i, j],
                [
                    (soft, tuple(labels[p] for p in order)),
                    (power(base, times - 1), labels),
                    (power(sums, exponent + 1), free),
                ],
            )
    return None


def logistic(net: Network) -> Network | None:
    """exp(z)·sigmoid(-z) = sigmoid(z)."""
    for i, (node, labels) in enumerate(net.operands):
        base, times = _power_of(node)
        if not _is_map(base, "exp") or times < 1:
            continue
        assert isinstance(base, Map)
        for j, (other, others) in enumerate(net.operands):
            soft, count = _power_of(other)
            if count >= 1 and labels == others and _is_map(soft, "sigmoid"):
                assert isinstance(soft, Map)
                if soft.args[0] is scaled(base.args[0], -1):
                    new = map_("sigmoid", base.args)
                    return net.replaced(
                        [i, j],
                        [(new, labels), (power(base, times - 1), labels), (power(soft, count - 1), labels)],
                    )
    return None


def total_of_sum(net: Network) -> Node | None:
    """Σ (u + v) = Σu + Σv, where that leaves fewer terms: Σ (x - mean(x)) = 0."""
    for i, (node, labels) in enumerate(net.operands):
        lonely = [x for x in labels if net.count(x) == 1]
        if not isinstance(node, Sum) or not lonely or len(set(labels)) != len(labels):
            continue
        kept = tuple(x for x in labels if x not in lonely)
        rest = [operand for j, operand in enumerate(net.operands) if j != i]
        own = {x: net.sizes[x] for x in labels}
        total = b.add([scaled(einsum([(term, labels)], kept, 1, own), factor) for factor, term in node.terms])
        if len(b.linear_terms(total)) < len(node.terms):
            others = {x: dim for x, dim in net.sizes.items() if x not in lonely}
            return einsum([*rest, (total, kept)], net.out, net.coefficient, others)
    return None


_QUOTIENTS = {entry.facts["quotient"]: entry.name for entry in CARDS.values() if "quotient" in entry.facts}


def quotients(net: Network) -> Network | None:
    """sinh(z)/cosh(z) = tanh(z), sin(z)/cos(z) = tan(z)."""
    for i, (above, labels) in enumerate(net.operands):
        top, times = _power_of(above)
        for j, (below, others) in enumerate(net.operands):
            bottom, count = _power_of(below)
            if not (isinstance(top, Map) and isinstance(bottom, Map) and labels == others and top.args == bottom.args):
                continue
            name = _QUOTIENTS.get(f"{top.function}/{bottom.function}")
            joint = min(times, -count)
            if name is not None and joint >= 1 and joint.denominator == 1:
                whole = power(map_(name, top.args), joint)
                return net.replaced(
                    [i, j],
                    [(whole, labels), (power(top, times - joint), labels), (power(bottom, count + joint), labels)],
                )
    return None


def _placed(node: Node) -> list[Constant] | None:
    """The blocks that the terms of a Sum stand in, by shifts or units on one and the same axis; None if some do not."""
    if not isinstance(node, Sum):
        return None
    for axis in range(len(node.shape)):
        blocks = [_block_on(term, axis) for _, term in node.terms]
        if all(block is not None for block in blocks):
            return [block for block in blocks if block is not None]
    return None


def _block_on(term: Node, axis: int) -> Constant | None:
    if isinstance(term, Constant) and (term.name == "unit" or (term.name == "shift" and axis == 0)):
        return term
    if isinstance(term, Einsum) and term.out.count(term.out[axis]) == 1:
        for operand, labels in zip(term.operands, term.subscripts, strict=True):
            if isinstance(operand, Constant) and operand.name in ("unit", "shift") and labels[0] == term.out[axis]:
                return operand
    return None


def stacked(net: Network) -> Node | None:
    """[A; B]*x = [A*x; B*x]: a stack is multiplied block by block."""
    if len(net.operands) < 2 and net.coefficient == 1:
        return None
    for i, (node, labels) in enumerate(net.operands):
        if isinstance(node, Sum) and _placed(node) is not None and (len(net.operands) > 1 or _contracts(net, labels)):
            rest = [operand for j, operand in enumerate(net.operands) if j != i]
            parts = [
                einsum([*rest, (term, labels)], net.out, net.coefficient * factor, net.sizes)
                for factor, term in node.terms
            ]
            return b.add(parts)
    return None


def _contracts(net: Network, labels: tuple[int, ...]) -> bool:
    return any(x not in net.out for x in labels)


def absolute_values(net: Network) -> Network | None:
    """abs(z)*sign(z) = z, and sign(z)/abs(z) = 1/z."""
    for i, (above, labels) in enumerate(net.operands):
        signs, times = _power_of(above)
        if not _is_map(signs, "sign") or times.denominator != 1 or times < 1:
            continue
        assert isinstance(signs, Map)
        for j, (other, others) in enumerate(net.operands):
            base, exponent = _power_of(other)
            if not (_is_map(base, "abs") and labels == others and exponent.denominator == 1):
                continue
            assert isinstance(base, Map)
            if base.args == signs.args:
                one = 1 if exponent > 0 else -1
                left = [(power(signs, times - 1), labels), (power(base, exponent - one), labels)]
                return net.replaced([i, j], [(power(signs.args[0], one), labels), *left])
    return None


b.NETWORK_LAWS += [selections, inverse, adjugate, softmax, logistic, quotients, absolute_values, total_of_sum, stacked]


# -- sums -----------------------------------------------------------------------------------------


def complement(terms: dict[Node, Fraction]) -> bool:
    """1 - sigmoid(z) = sigmoid(-z)."""
    for node, factor in terms.items():
        if _is_map(node, "sigmoid"):
            assert isinstance(node, Map)
            ones = number(1, node.shape)
            if terms.get(ones) == -factor:
                opposite = map_("sigmoid", (scaled(node.args[0], -1),))
                del terms[node], terms[ones]
                b.collect(terms, opposite, -factor)
                return True
    return False


b.SUM_LAWS += [complement]


# -- elementwise functions ------------------------------------------------------------------------

Args = tuple[Node, ...]


def known_values(function: str, args: Args, parameter: Any) -> Node | None:
    """f(0) and log(1) where they are rational; rational powers of numbers; 0^p = 0 for p > 0."""
    value = b.as_number(args[0])
    if value is None or len(args) > 1:
        return None
    if function == "power":
        root = b.rational_power(value, parameter) if value else (Fraction(0) if parameter > 0 else None)
        return None if root is None else number(root, args[0].shape)
    found = of_function(function, f"at {value}")
    return None if found is None else number(Fraction(found), args[0].shape)


def inverse_functions(function: str, args: Args, parameter: Any) -> Node | None:
    """exp(log(x)) = x and its like."""
    inner = args[0]
    if isinstance(inner, Map) and of_function(function, "undoes") == inner.function:
        return inner.args[0]
    return None


def parity(function: str, args: Args, parameter: Any) -> Node | None:
    """f(-x) = -f(x) for odd functions, f(-x) = f(x) for even ones."""
    kind = of_function(function, "parity")
    inner = args[0]
    if kind is None or not isinstance(inner, Einsum) or inner.coefficient >= 0:
        return None
    return scaled(map_(function, (scaled(inner, -1),)), -1 if kind == "odd" else 1)


def homogeneity(function: str, args: Args, parameter: Any) -> Node | None:
    """f(c·x) = c^degree·f(x) for c > 0: numbers come out of abs and relu, and drop out of sign and step."""
    inner = args[0]
    degree = of_function(function, "degree")
    if degree is None or not isinstance(inner, Einsum) or inner.coefficient <= 0 or inner.coefficient == 1:
        return None
    plain = map_(function, (scaled(inner, 1 / inner.coefficient),))
    return scaled(plain, inner.coefficient ** int(degree))


def known_sign(function: str, args: Args, parameter: Any) -> Node | None:
    """abs and relu of what is ≥ 0 are that; sign and step of what is > 0 are 1."""
    for fact, holds in (("on positive", positive), ("on nonnegative", nonnegative)):
        found = of_function(function, fact)
        if found is not None and holds(args[0]) is Fact.YES:
            return args[0] if found == "x" else number(Fraction(found), args[0].shape)
    return None


def logarithms(function: str, args: Args, parameter: Any) -> Node | None:
    """log(sum(exp(x))), log(1 + exp(z)), log(det(X)), and log(x^p) = p·log(x) for odd p."""
    inner = args[0]
    if function == "log1p" and _is_map(inner, "exp"):
        return map_("softplus", inner.args)  # type: ignore[attr-defined]
    if function != "log":
        return None
    if _is_apply(inner, "det"):
        return b.apply("logdet", inner.arg)  # type: ignore[attr-defined]
    if isinstance(inner, Map) and inner.function == "abs" and _is_apply(inner.args[0], "det"):
        return b.apply("logdet", inner.args[0].arg)  # type: ignore[attr-defined]
    if isinstance(inner, Map) and inner.function == "power" and inner.parameter.denominator == 1:
        if inner.parameter.numerator % 2:
            return scaled(map_("log", inner.args), inner.parameter)
    exponent = _one_plus_exp(inner)
    if exponent is not None:
        return map_("softplus", (exponent,))
    if isinstance(inner, Einsum) and len(inner.operands) == 1 and inner.coefficient == 1:
        exps, subscript = inner.operands[0], inner.subscripts[0]
        if isinstance(exps, Map) and exps.function == "exp" and len(set(subscript)) == len(subscript):
            if set(inner.out) < set(subscript) and len(set(inner.out)) == len(inner.out):
                order = [*inner.out, *(x for x in subscript if x not in inner.out)]
                turned = einsum([(exps.args[0], subscript)], order)
                return b.apply("logsumexp", turned, len(subscript) - len(inner.out))
    return None


def _one_plus_exp(node: Node) -> Node | None:
    """z, where the node is 1 + exp(z)."""
    if isinstance(node, Sum) and len(node.terms) == 2 and all(factor == 1 for factor, _ in node.terms):
        exps = [term for _, term in node.terms if _is_map(term, "exp")]
        if len(exps) == 1 and any(term is number(1, node.shape) for _, term in node.terms):
            return exps[0].args[0]  # type: ignore[attr-defined, no-any-return]
    return None


def powers(function: str, args: Args, parameter: Any) -> Node | None:
    """(x^a)^b = x^(ab) for whole b or x ≥ 0; |x|^2k = x^2k; 1/(1 + exp(z)) = sigmoid(-z); sqrt; 0/1 masks."""
    inner = args[0]
    if function == "sqrt":
        return power(inner, Fraction(1, 2))
    if function == "pow":
        exponent = b.as_number(args[1])
        return None if exponent is None else power(inner, exponent)
    if function != "power":
        return None
    whole = parameter.denominator == 1
    if isinstance(inner, Map):
        if inner.function == "power" and (whole or nonnegative(inner.args[0]) is Fact.YES):
            return power(inner.args[0], inner.parameter * parameter)
        if inner.function == "abs" and whole and parameter.numerator % 2 == 0:
            return power(inner.args[0], parameter)
        if inner.function == "step" and parameter > 0:
            return inner
    if isinstance(inner, Constant) and inner.shape and parameter > 0:
        return inner
    if isinstance(inner, Einsum):
        split = b.split_power(inner, parameter)
        if split is not None:
            return split
    inside = _one_plus_exp(inner)
    if inside is not None and parameter < 0:
        return power(map_("sigmoid", (scaled(inside, -1),)), -parameter)
    return None


def _cover(blocks: list[Constant], dim: Dim) -> bool:
    """Whether blocks that do not overlap make up the whole axis."""
    total = Dim.of(0)
    for block in blocks:
        total = total + _span(block)[1]
    return total == dim


def blockwise(function: str, args: Args, parameter: Any) -> Node | None:
    """f([u; v]) = [f(u); f(v)] for elementwise functions; where a block is missing, f(0) must be 0."""
    if len(args) != 1 or len(args[0].shape) != 1:
        return None
    inner = args[0]
    blocks = _placed(inner)
    vanishes = parameter > 0 if function == "power" else of_function(function, "at 0") == "0"
    if (
        blocks is None
        or not (vanishes or _cover(blocks, inner.shape[0]))
        or len(set(blocks)) < len(blocks)
        or not isinstance(inner, Sum)
    ):
        return None
    if any(not _disjoint(a, other) for k, a in enumerate(blocks) for other in blocks[:k]):
        return None
    parts = []
    for (factor, term), block in zip(inner.terms, blocks, strict=True):
        value = scaled(
            einsum([(term, (0,)), (block, (0, 1)[: len(block.shape)])], (1,)[: len(block.shape) - 1]), factor
        )
        mapped = power(value, parameter) if function == "power" else map_(function, (value,), parameter)
        parts.append(einsum([(block, (0, 1)[: len(block.shape)]), (mapped, (1,)[: len(block.shape) - 1])], (0,)))
    return b.add(parts)


b.MAP_LAWS += [known_values, inverse_functions, parity, homogeneity, known_sign, logarithms, powers, blockwise]


# -- matrix functions -----------------------------------------------------------------------------


def matrix_functions(function: str, arg: Node, parameter: Any) -> Node | None:
    """inv(inv(X)) = X, inv(c·X) = inv(X)/c, inv(diag(d)) = diag(1/d), det(inv(X)) = 1/det(X), det(eye) = 1 …"""
    if parameter is not None:
        return None
    if isinstance(arg, Apply) and arg.function == "inv":
        if function == "inv":
            return arg.arg
        if function == "det":
            return power(b.apply("det", arg.arg), -1)
        if function == "logdet":
            return scaled(b.apply("logdet", arg.arg), -1)
    if not isinstance(arg, Einsum) or arg.coefficient == 0:
        return None
    operands = list(zip(arg.operands, arg.subscripts, strict=True))
    if arg.out == (0, 0) and not operands and function != "inv":
        found = {"det": number(1), "logdet": number(0), "adj": arg} if arg.coefficient == 1 else {}
        return found.get(function)
    if function != "inv":
        return None
    if arg.out == (0, 0) and all(set(s) <= {0} for _, s in operands):
        powers_ = [(power(node, -1), s) for node, s in operands]
        return einsum(powers_, arg.out, 1 / arg.coefficient, dict(enumerate(arg.sizes)))
    scalars = [node for node, s in operands if not s]
    if scalars or arg.coefficient != 1:
        rest = einsum([(n, s) for n, s in operands if s], arg.out, ONE, dict(enumerate(arg.sizes)))
        outer: list[tuple[Node, tuple[int, ...]]] = [(power(node, -1), ()) for node in scalars]
        return einsum([*outer, (b.apply("inv", rest), (0, 1))], (0, 1), 1 / arg.coefficient)
    return None


def of_products(function: str, arg: Node, parameter: Any) -> Node | None:
    """inv(A*B) = inv(B)*inv(A), det(A*B) = det(A)*det(B) for square factors, where one has a known inverse."""
    if parameter is not None or function not in ("inv", "det", "logdet") or not isinstance(arg, Einsum):
        return None
    chain = _square_chain(arg)
    if chain is None or not any(invertible(node) is Fact.YES for node, _ in chain):
        return None
    if function == "inv":
        operands = [(b.apply("inv", node), s) for node, s in chain]
        # the axes of an inverse are those of the matrix, exchanged: inv(X)[j, i] goes with X[i, j]
        return einsum([(node, s[::-1]) for node, s in operands], arg.out[::-1], 1 / arg.coefficient)
    parts = [b.apply(function, node) for node, _ in chain]
    if function == "logdet":
        return b.add(parts) if arg.coefficient == 1 else None
    return einsum([(part, ()) for part in parts], ()) if arg.coefficient == 1 else None


def _square_chain(arg: Einsum) -> list[tuple[Node, tuple[int, ...]]] | None:
    """The factors of a product of square matrices of one size, walked from one axis to the other, or None."""
    pairs = list(zip(arg.operands, arg.subscripts, strict=True))
    if len(pairs) < 2 or arg.out != (0, 1) or len(set(arg.sizes)) != 1:
        return None
    chain: list[tuple[Node, tuple[int, ...]]] = []
    at = 0
    while pairs:
        here = [pair for pair in pairs if at in pair[1]]
        if len(here) != 1 or len(set(here[0][1])) != 2:
            return None
        chain += here
        pairs.remove(here[0])
        (at,) = set(here[0][1]) - {at}
    return chain if at == 1 else None


b.APPLY_LAWS += [matrix_functions, of_products]
