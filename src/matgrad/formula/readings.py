"""Which kinds the names of a formula have: what the constraints leave open is chosen by rule, with backtracking.

The rules, in order: what is forced by the operations; what stands next to ``+ - .* ./`` takes the other operand's
shape; the first letter. A choice that leads to a contradiction gives way to the next kind.
"""

from __future__ import annotations

from typing import NamedTuple

from matgrad.formula.kinds import Kinds, Limit
from matgrad.formula.network import KIND_OF_BIT, MATRIX_BIT, ROW_BIT, SCALAR_BIT, VECTOR_BIT, Network, single

_GREEK_WORDS = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda lam mu nu xi omicron rho sigma tau upsilon phi chi psi
omega varepsilon vartheta varphi varrho varsigma
"""
GREEK = frozenset(_GREEK_WORDS.split())
_BUDGET = 2000


class Reading(NamedTuple):
    """A kind for each variable of the solver, and why each name has its own.

    The reasons are "forced", "letter", "fits" (all else failed) and "neighbour".
    """

    kinds: list[str]
    why: dict[str, str]


def solve(kinds: Kinds, count: int | None = None) -> Reading | None:
    """Kinds for all names, from the first ``count`` constraints (all, where None)."""
    count = len(kinds.hard) if count is None else count
    found = _Search(kinds, count, strict=True).run() or _Search(kinds, count, strict=False).run()
    if found is None:
        leading = [n for n in kinds.open if kinds.leads(n) and _natural(n) != SCALAR_BIT]
        return _with_scalars(kinds, count, leading) if leading else None
    return _with_scalar_weights(kinds, count, found)


def _with_scalar_weights(kinds: Kinds, count: int, found: Reading) -> Reading:
    """Names that only weigh scalars beside scalars are scalars too: C in C*norm1(w) + w'*w, y in y*p + (1 - y)*q."""
    names = [n for n in kinds.open if found.why[n] == "letter" and _natural(n) != SCALAR_BIT and n in kinds.beside]
    names = [name for name in names if kinds.only_weighs(name, found.kinds.__getitem__, 1)]
    return (names and _with_scalars(kinds, count, names)) or found


def _with_scalars(kinds: Kinds, count: int, names: list[str]) -> Reading | None:
    """A reading in which these names are scalars and only weigh scalars beside scalars, if there is one."""
    search = _Search(kinds, count, strict=True)
    for name in names:
        search.net.domains[kinds.of_name[name]] = SCALAR_BIT
    found = search.run()
    if found is None or not all(kinds.only_weighs(n, found.kinds.__getitem__, 3) for n in names):
        return None
    return found._replace(why={**found.why, **dict.fromkeys(names, "neighbour")})


def first_clash(kinds: Kinds) -> tuple[Limit, Reading]:
    """The first constraint that cannot be met together with all before it, and kinds that meet those."""
    low, high = 0, len(kinds.hard)  # the first `low` can be met, the first `high` cannot
    best = solve(kinds, 0)
    while high - low > 1:
        middle = (low + high) // 2
        found = solve(kinds, middle)
        if found is None:
            high = middle
        else:
            low, best = middle, found
    assert best is not None
    return kinds.hard[low], best


def is_scalar_by_letter(name: str) -> bool:
    """Whether an otherwise free name is taken for a scalar: a to g, and Greek letters.

    >>> [is_scalar_by_letter(name) for name in ("c", "w", "lambda", "mu_2", "Σ", "A", "σ")]
    [True, False, True, True, False, False, True]
    """
    head = name.rstrip("0123456789").split("_")[0]
    return "a" <= name[0] <= "g" or head in GREEK or ("ά" <= name[0] <= "Ͽ" and name[0].islower())


class _Search:
    """One attempt to find kinds, with or without the rule for neighbours."""

    def __init__(self, kinds: Kinds, count: int, strict: bool) -> None:
        self.kinds = kinds
        self.net = Network(kinds.domains)
        for limit in kinds.hard[:count]:
            self.net.constrain(limit.relation, *limit.variables)
        self.courtesies = [(n, m) for at, n, m in kinds.courtesies if at <= count]
        self.strict = strict
        self.equal = [(n, limit) for at, n, limit in kinds.equal if at <= count] if strict else []
        self.why: dict[str, str] = {}

    def run(self) -> Reading | None:
        net, kinds = self.net, self.kinds
        if not net.propagate(range(len(net.constraints))):
            return None
        for name, mask in self.courtesies:
            net.try_to((kinds.of_name[name], mask))
        for name in kinds.open:
            if not name[0].isupper() and not self._domain(name) & VECTOR_BIT:
                net.try_to((kinds.of_name[name], SCALAR_BIT))
        for name in kinds.open:
            if single(self._domain(name)):
                self.why[name] = "forced"
        for name in kinds.open:
            plain = name[0].isupper() and name not in kinds.neighbours and name not in kinds.picked
            if plain and not net.restrict(kinds.of_name[name], SCALAR_BIT | MATRIX_BIT):
                return None
        for name, limit in self.equal:
            if self.why.get(name) != "forced" or self._domain(name) != SCALAR_BIT:
                self._try_limit(limit)
        if not self._choose():
            return None
        for name in kinds.open:
            letter = self._domain(name) == _natural(name) and name not in kinds.neighbours
            self.why.setdefault(name, "letter" if letter else "neighbour")
        return Reading([KIND_OF_BIT[mask & -mask] for mask in net.domains], self.why)

    def _domain(self, name: str) -> int:
        return self.net.domains[self.kinds.of_name[name]]

    def _try_limit(self, limit: Limit) -> None:
        """Add a constraint unless it contradicts what is known already."""
        mark = self.net.mark()
        number = self.net.constrain(limit.relation, *limit.variables)
        if not self.net.propagate([number]):
            self.net.undo(mark)
            self.net.constraints[number] = (limit.relation, ())

    def _choose(self) -> bool:
        """Kinds for what is still open: names by letter, then constants such as ``ones``; backtracking."""
        kinds = self.kinds
        names = [n for n in kinds.open if n not in kinds.neighbours]
        beside = [n for n in kinds.open if n in kinds.neighbours]
        names += [n for n in beside if not _starts_scalar(n)] + [n for n in beside if _starts_scalar(n)]
        # What a scalar by letter multiplies is decided first: after a row or a matrix it is rather a vector.
        names.sort(key=lambda n: _starts_scalar(n) and n in kinds.after)
        order: list[tuple[int, str | None]] = [(kinds.of_name[n], n) for n in names]
        order += [(v, None) for v in range(len(self.net.domains)) if not single(self.net.domains[v])]
        made: list[tuple[int, int, list[int]]] = []  # position, mark before it, kinds not yet tried
        at, budget = 0, _BUDGET
        while at < len(order):
            variable, name = order[at]
            if single(self.net.domains[variable]):
                at += 1
                continue
            wanted = self._preferences(variable, name)
            made.append((at, self.net.mark(), wanted))
            while made:
                at, mark, left = made[-1]
                self.net.undo(mark)
                if not left:
                    made.pop()
                    continue
                budget -= 1
                if budget < 0:
                    return False
                tried, chosen = left.pop(0), order[at][1]
                if not self.net.restrict(order[at][0], tried):
                    continue
                if chosen is not None and tried != _natural(chosen) and self._lower_case_matrix_since(mark):
                    continue  # an odd kind here would make odd kinds there: rather an error
                self._note(chosen, tried, len(made) == 1)
                break
            else:
                return False
            at += 1
        return True

    def _note(self, name: str | None, kind: int, first: bool) -> None:
        if name is not None:
            natural = _natural(name)
            weight = kind == SCALAR_BIT and self.kinds.only_weighs(name, self._kind)
            odd = "neighbour" if weight else "forced" if first else "fits"
            self.why[name] = "letter" if kind == natural else odd

    def _preferences(self, variable: int, name: str | None) -> list[int]:
        """The kinds that are possible, the most natural one first."""
        domain = self.net.domains[variable]
        if name is None:
            return [bit for bit in (MATRIX_BIT, VECTOR_BIT, SCALAR_BIT, 4, 16) if bit & domain]
        natural = _natural(name)
        if not self.strict and natural & domain:
            return [natural]  # names may broadcast here: then all else is as usual
        if natural == SCALAR_BIT and self._follows_array(name):
            natural = VECTOR_BIT
        if natural == VECTOR_BIT and self.kinds.only_weighs(name, self._kind):
            natural = SCALAR_BIT
        order = [natural] + [bit for bit in (VECTOR_BIT, SCALAR_BIT, MATRIX_BIT) if bit != natural]
        if natural == SCALAR_BIT and domain & VECTOR_BIT and self._makes_lower_case_matrix(variable, SCALAR_BIT):
            if not self._makes_lower_case_matrix(variable, VECTOR_BIT):
                order = [VECTOR_BIT, SCALAR_BIT, MATRIX_BIT]
        return [bit for bit in order if bit & domain]

    def _follows_array(self, name: str) -> bool:
        """Whether a name multiplies a row or a matrix from the right: b in a'*b and in A*b is a vector."""
        left = [self.net.domains[variable] for variable in self.kinds.after.get(name, ())]
        return any(mask in (ROW_BIT, MATRIX_BIT, ROW_BIT | MATRIX_BIT) for mask in left)

    def _kind(self, variable: int) -> str | None:
        """The kind of a variable, where only one is left."""
        return KIND_OF_BIT.get(self.net.domains[variable])

    def _makes_lower_case_matrix(self, variable: int, kind: int) -> bool:
        """Whether a choice is impossible, or leaves a lower-case name no kind but matrix (y - X*beta)."""
        mark = self.net.mark()
        poor = not self.net.restrict(variable, kind) or self._lower_case_matrix_since(mark)
        self.net.undo(mark)
        return poor

    def _lower_case_matrix_since(self, mark: int) -> bool:
        """Whether a lower-case name has come to be a matrix since then."""
        changed = {variable for variable, _ in self.net.trail[mark:]}
        lower = self.kinds.lower
        return any(v in changed and self.net.domains[v] == MATRIX_BIT for v in lower)


def _starts_scalar(name: str) -> bool:
    return not name[0].isupper() and is_scalar_by_letter(name)


def _natural(name: str) -> int:
    """The kind that the first letter suggests."""
    if is_scalar_by_letter(name):
        return SCALAR_BIT
    return MATRIX_BIT if name[0].isupper() else VECTOR_BIT
