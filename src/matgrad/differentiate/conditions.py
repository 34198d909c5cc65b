"""The conditions under which a derivative holds, collected from the formula as typed, before any rewriting.

Domains come from the cards (``log`` needs x > 0) and from powers and divisions; points where a function has no
derivative count only where its argument depends on the variable. What the facts prove is left out. A higher
derivative also needs what the derivative below it, as printed, needs: that of det(X) brings in inv(X).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from matgrad.differentiate.condition import Condition
from matgrad.formula.kinds import constant_value
from matgrad.formula.masks import is_rectifier, is_zero_or_one, may_be_test
from matgrad.formula.parser import parse_expression
from matgrad.formula.syntax import MATRIX, SCALAR, SCALAR_TYPE, Call, Expr, Program, compared, walk
from matgrad.functions import Card, card
from matgrad.tensor.facts import Fact, invertible, nonnegative, positive
from matgrad.tensor.facts.rank import rank_bound
from matgrad.tensor.nodes import Constant, Einsum, Node, Sum, Symbol

NodeOf = Callable[[Expr], Node]
TIMES = {2: "twice", 3: "three times", 4: "four times"}


def conditions(
    program: Program, wrt: tuple[str, ...], node_of: NodeOf, text: Callable[[Expr], str], below: Sequence[Expr] = ()
) -> tuple[str, ...]:
    """What the derivative of a typed program needs, in words that read like the formula.

    ``below`` are the printed derivatives of lower order.
    """
    found = needed(program, wrt, node_of)
    kinks = any(c.otherwise for c in found)
    for part in below:
        for expr, _, tests in _with_tests(part):
            found += _asked(_domains(expr, node_of, 1), tests)
    found = [c for c in found if not any(c.follows_from(other) for other in found)]
    found = _strict(found)
    lines = [c.says(text) + _rank_note(c, node_of) for c in found]
    if len(wrt) > 1:
        smooth = f"the formula is {TIMES[len(wrt)]} continuously differentiable"
        lines.append("holds almost everywhere: higher derivatives do not exist at kinks" if kinks else smooth)
    return tuple(dict.fromkeys(lines))


def needed(program: Program, wrt: Sequence[str], node_of: NodeOf) -> list[Condition]:
    """What the derivative of a typed program needs, one condition for each part."""
    varying = _varying(program, set(wrt))
    found: list[Condition] = []
    for part in (*(value for _, value in program.definitions), program.body):
        for expr, parent, tests in _with_tests(part):
            found += _asked(_domains(expr, node_of, len(wrt)), tests)
            found += _exponents(expr, varying, node_of)
            found += _asked(_kinks(expr, parent, varying, node_of), tests)
    return found


def _asked(found: Iterable[Condition], tests: tuple[Expr, ...]) -> list[Condition]:
    """Conditions on what tests mask."""
    if not tests:
        return list(found)
    under = [replace(c, under=tests) if not c.words and not c.otherwise else c for c in found]
    return [c for c in under if not c.follows_from_tests()]


def kinks(program: Program, wrt: Sequence[str], node_of: NodeOf) -> list[Condition]:
    """Where the formula has no derivative, with what is used there."""
    varying = _varying(program, set(wrt))
    parts = (*(value for _, value in program.definitions), program.body)
    found = [
        c for part in parts for expr, parent in _with_parents(part) for c in _kinks(expr, parent, varying, node_of)
    ]
    return list(dict.fromkeys(found))


def smooth(program: Program, wrt: Sequence[str], node_of: NodeOf, order: int) -> bool:
    """Whether the formula has continuous derivatives of this order in the variables, wherever it has a value.

    No function has a kink or a jump, and no power of a part that may be 0 is too low: (x'*x)^(1/2) has a kink.
    """
    if kinks(program, wrt, node_of):
        return False
    known = set(domain(program, node_of))
    parts = (*(value for _, value in program.definitions), program.body)
    return all(
        c in known or any(c.follows_from(other) for other in known)
        for part in parts
        for expr in walk(part)
        for c in _domains(expr, node_of, order)
    )


def domain(program: Program, node_of: NodeOf) -> list[Condition]:
    """Where a typed program has a value: what its functions, quotients and powers need and the facts do not show."""
    found: list[Condition] = []
    for part in (*(value for _, value in program.definitions), program.body):
        for expr in walk(part):
            found += _domains(expr, node_of, 0)
            found += _exponents(expr, set(), node_of)
    return [c for c in dict.fromkeys(found) if not any(c.follows_from(other) for other in found)]


def _with_parents(root: Expr) -> Iterator[tuple[Expr, Expr | None]]:
    stack: list[tuple[Expr, Expr | None]] = [(root, None)]
    while stack:
        node, parent = stack.pop()
        yield node, parent
        stack.extend((a, node) for a in reversed(node.args))


def _with_tests(root: Expr) -> Iterator[tuple[Expr, Expr | None, tuple[Expr, ...]]]:
    """All parts with their parents, and the tests that they are multiplied with."""
    stack: list[tuple[Expr, Expr | None, tuple[Expr, ...]]] = [(root, None, ())]
    while stack:
        node, parent, tests = stack.pop()
        if node.op == "product" and any(map(may_be_test, node.args)):
            own = [arg for arg, operator in zip(node.args, ("*", *node.value), strict=True)
                   if operator in ("*", ".*") and (is_zero_or_one(arg) or is_rectifier(arg))]  # fmt: skip
            tests = tuple(dict.fromkeys((*tests, *(t for t in own if t.dims in ((), node.dims)))))
        yield node, parent, tests
        kept = tests if _is_entrywise(node) else tuple(t for t in tests if not t.dims)
        stack += [(arg, node, tuple(t for t in kept if t is not arg and t.dims in ((), arg.dims)))
                  for arg in reversed(node.args)]  # fmt: skip


def _is_entrywise(expr: Expr) -> bool:
    """Whether each entry is one of the entries of the arguments with these axes."""
    if expr.op == "product":
        return set(expr.value) <= {".*", "./", "/"} or sum(bool(arg.dims) for arg in expr.args) == 1
    known = card(expr.value.name) if expr.op == "call" else None
    return expr.op in ("add", "neg", "power") or (known is not None and known.signatures.get(None) == ("*->*",))


def _varying(program: Program, wrt: set[str]) -> set[str]:
    """The names that depend on the variables: the variables themselves and intermediates made of them."""
    names = set(wrt)
    for name, definition in program.definitions:
        if _depends(definition, names):
            names.add(name)
    return names


def _depends(expr: Expr, names: set[str]) -> bool:
    return any(n.op == "name" and n.value in names for n in walk(expr))


def _is_constant(expr: Expr) -> bool:
    return not any(n.op == "name" for n in walk(expr))


def _strict(found: Sequence[Condition]) -> list[Condition]:
    """E ≥ 0 and E ≠ 0 as E > 0."""
    apart = {(c.expr, c.bound) for c in found if c.sign == "≠" and c == Condition(c.expr, "≠", c.bound)}
    joined = {"≥": ">", "≤": "<"}
    strict = [replace(c, sign=joined[c.sign]) if c.sign in joined and (c.expr, c.bound) in apart else c for c in found]
    return [c for c in strict if not any(c.follows_from(other) for other in strict)]


def _rank_note(condition: Condition, node_of: NodeOf) -> str:
    """That det(X) ≠ 0 cannot hold, where the rank of X is too small: x*x' has an inverse for one entry only."""
    expr = condition.expr
    if expr.op != "call" or expr.value.name != "det" or condition.sign not in ("≠", ">") or condition.bound != "0":
        return ""
    rank = rank_bound(node_of(expr.args[0]))
    size = expr.args[0].dims[0] if expr.args[0].dims else None
    if rank is None or size is None or (size.number is not None and size.number <= rank):
        return ""
    when = "never holds" if size.number is not None else f"does not hold for {size} > {rank}"
    return f", which {when}: the rank is at most {rank}"


# -- domains --------------------------------------------------------------------------------------


def _domains(expr: Expr, node_of: NodeOf, order: int) -> Iterator[Condition]:
    """Where an operation has a value, and a derivative of this order on the side of its domain."""
    if expr.op == "call":
        known = card(expr.value.name)
        if known is not None and known.needs and not _is_constant(expr):
            for law in known.needs.split(" and "):
                yield from _compared(law, expr, node_of)
    elif expr.op == "product":
        for operator, factor in zip(expr.value, expr.args[1:], strict=True):
            if operator in ("/", "./") and not _is_constant(factor) and not _is_positive(factor, node_of):
                yield Condition(factor, "≠")
    elif expr.op == "power":
        yield from _domain_of_power(expr, node_of, order)


def _domain_of_power(expr: Expr, node_of: NodeOf, order: int) -> Iterator[Condition]:
    base, exponent = expr.args
    if _is_constant(base):
        return
    known = _literal(exponent)
    if expr.value == "^" and base.kind == MATRIX:
        if known is not None and known < 0 and invertible(node_of(base)) is not Fact.YES:
            yield Condition(Expr("call", (base,), Call("det"), type=SCALAR_TYPE), "≠")
    elif known is None or (known.denominator != 1 and known < order):
        if not _is_positive(base, node_of):
            yield Condition(base, ">")
    elif known.denominator != 1:
        if nonnegative(node_of(base)) is not Fact.YES:
            yield Condition(base, "≥")
    elif known < 0 and not _is_positive(base, node_of):
        yield Condition(base, "≠")


def _exponents(expr: Expr, varying: set[str], node_of: NodeOf) -> Iterator[Condition]:
    """A symbolic exponent of a matrix or of a negative number is an integer.

    Where that of X, or in a derivative in X one less, may be negative, X has an inverse; that of 0 is not negative.
    """
    if expr.op != "power" or _literal(expr.args[1]) is not None:
        return
    base, exponent = expr.args
    power, known = node_of(exponent), constant_value(base)
    if expr.value == "^" and base.kind == MATRIX:
        yield from _whole(exponent, node_of)
        least = 1 if _depends(base, varying) else 0
        enough = _is_integer(power) or (nonnegative(power) is Fact.YES and not least)
        if not enough and invertible(node_of(base)) is not Fact.YES:
            det = Expr("call", (base,), Call("det"), type=SCALAR_TYPE)
            yield Condition(exponent, "≥", str(least), instead=Condition(det, "≠"))
    elif known is not None and known < 0:
        yield from _whole(exponent, node_of)
    elif known == 0 and nonnegative(power) is not Fact.YES:
        yield Condition(exponent, "≥")


def _whole(exponent: Expr, node_of: NodeOf) -> Iterator[Condition]:
    """That the names in an exponent are integers, where that is enough for it to be one; else that it is."""
    names = [e for e in walk(exponent) if e.op == "name" and not e.dims and not _is_integer(node_of(e))]
    parts = names if _is_integer(node_of(exponent), (Symbol,)) else [exponent]
    yield from (Condition(part, "", words="#1 is an integer") for part in parts)


def _is_integer(node: Node, also: tuple[type, ...] = ()) -> bool:
    """Whether it is made of sizes, and of nodes that are taken for integers ``also``, by sums and integer multiples."""
    if isinstance(node, Sum):
        return all(factor.denominator == 1 and _is_integer(term, also) for factor, term in node.terms)
    if isinstance(node, Einsum):
        return node.coefficient.denominator == 1 and all(_is_integer(n, also) for n in node.operands)
    return (isinstance(node, also) and not node.shape) or (isinstance(node, Constant) and node.name == "size")


def _is_positive(expr: Expr, node_of: NodeOf) -> bool:
    return positive(node_of(expr)) is Fact.YES


def _literal(expr: Expr) -> Fraction | None:
    """The number that an exponent is, with signs and quotients of literals."""
    if expr.op == "number":
        value: Fraction = expr.value
        return value
    if expr.op == "neg":
        inner = _literal(expr.args[0])
        return None if inner is None else -inner
    if expr.op != "product" or not set(expr.value) <= {"*", "/"}:
        return None
    whole = Fraction(1)
    for operator, arg in zip(("*", *expr.value), expr.args, strict=True):
        value_ = _literal(arg)
        if value_ is None or (operator == "/" and value_ == 0):
            return None
        whole = whole * value_ if operator == "*" else whole / value_
    return whole


# -- the comparisons on cards ---------------------------------------------------------------------

_COMPARISON = re.compile(r"^(.*?)\s*(>=|<=|!=|>|<)\s*(.*)$")
_SIGNS = {"!=": "≠", ">=": "≥", "<=": "≤"}
_PROOFS: dict[str, Callable[[Node], Fact]] = {
    "x > 0": positive,
    "x >= 0": nonnegative,
    "x > -1": nonnegative,
    "x != 0": positive,
    "det(X) != 0": invertible,
}


def _compared(law: str, call: Expr, node_of: NodeOf, otherwise: str = "") -> Iterator[Condition]:
    """The comparison on a card with the argument in place of x: "x > 0" of log(A*x) is A*x > 0."""
    arg = call.args[0]
    if arg.kind == SCALAR and law == "det(X) != 0":
        law = "x != 0"
    law, _, other = law.partition(" or ")
    if other:
        either = [next(_compared(part, call, node_of, said), None) for part, said in ((law, otherwise), (other, ""))]
        if either[0] is not None and either[1] is not None:
            yield replace(either[0], instead=either[1])
        return
    known = card(call.value.name)
    assert known is not None
    names = dict(zip(known.arguments, call.args, strict=True)) if known.of_pairs else {"x": arg}
    subject = names.get(law[0], arg)
    proof = _PROOFS.get("x" + law[1:] if known.of_pairs else law)
    if proof is not None and proof(node_of(subject)) is Fact.YES:
        return
    match = _COMPARISON.match(law)
    if match is None:
        each = {1: "each column of ", 2: "each row of "}.get(call.value.dim, "")
        words = law.replace(" is ", f" of {each}#1 is ", 1)
        extremum = "argmin" if "min" in call.value.name else "argmax"
        shares = call.replace(value=call.value._replace(name=extremum), type=arg.type)
        yield Condition(arg, "", otherwise=otherwise, words=words, shares=shares)
        return
    left, sign, bound = match.groups()
    filled = _substituted(parse_expression(left), names, call)
    if not (known.of_pairs and bound == "0" and sign != "<" and _is_positive(filled, node_of)):
        yield Condition(filled, _SIGNS.get(sign, sign), bound, otherwise)


def _substituted(law: Expr, names: Mapping[str, Expr], call: Expr) -> Expr:
    """A law in x with an argument; the function itself keeps the ``dim`` that it was called with."""
    if law.op == "name":
        return names[law.value.lower()]
    if law.op == "number":
        return law.replace(type=SCALAR_TYPE)
    args = tuple(_substituted(a, names, call) for a in law.args)
    arg = max(args, key=lambda a: len(a.dims), default=call.args[0])
    if law.op == "power" and arg.kind != SCALAR:
        return law.replace(args=args, value=".^", type=arg.type)
    if law.op == "call" and law.value.name in (call.value.name, "norm2"):
        return law.replace(args=args, value=law.value._replace(dim=call.value.dim), type=call.type)
    return law.replace(args=args, type=SCALAR_TYPE if law.op == "call" and law.value.name == "det" else arg.type)


# -- kinks ----------------------------------------------------------------------------------------


def _kinks(expr: Expr, parent: Expr | None, varying: set[str], node_of: NodeOf) -> Iterator[Condition]:
    """Where a function of the variable has no derivative, and what the answer uses there."""
    known: Card | None = card(expr.value.name) if expr.op == "call" else None
    if known is None or not known.smooth or not _depends(expr, varying) or _is_smoothed(expr, parent):
        return
    if len(expr.args) == 2 and not known.of_pairs:
        left, right = compared(expr)
        difference = Expr("add", (left, Expr("neg", (right,), type=right.type)), type=expr.type)
        is_zero = right.op == "number" and right.value == 0
        yield Condition(left if is_zero else difference, "≠", otherwise="step(0) = 0")
        return
    yield from _compared(known.smooth, expr, node_of, known.kink)


def _is_smoothed(expr: Expr, parent: Expr | None) -> bool:
    """Whether an even power takes the kink away: norm2(x)^2, abs(x).^4."""
    known = card(expr.value.name)
    smooth = known is not None and known.facts.get("even powers") == "smooth"
    if not smooth or parent is None or parent.op != "power":
        return False
    exponent = _literal(parent.args[1])
    return exponent is not None and exponent.denominator == 1 and exponent > 1 and exponent.numerator % 2 == 0
