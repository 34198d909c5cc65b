"""Derive and print each case of tests/data: matgrad from cold tables, SymPy beside it, both against JAX.

matgrad's time holds everything from the text to the text: reading, typing, deriving, printing, with all tables empty.
SymPy's holds building the expression, ``.diff`` and ``str``, with its cache empty; reading is not counted. An answer is
right where it agrees with JAX to nine digits at a random point; of SymPy's, the axes may be in any order.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from cases import Case, disagreement, draw, load_cases, truth, value, where_text

import matgrad
from benchmarks.cold import forget
from benchmarks.measure import Task, interleaved, limited, quantile

Verdict = str
Row = dict[str, Any]
RIGHT, WRONG = "right", "WRONG"


def run(repeat: int, output: Path, only: list[str] | None, *, with_sympy: bool, strict: bool = False) -> None:
    """Measure, print a table, and write all figures as JSON."""
    cases = [case for case in load_cases() if only is None or case["id"] in only]
    tasks: dict[tuple[str, str], Task] = {}
    verdicts: dict[tuple[str, str], Verdict] = {}
    prepare: dict[str, Callable[[], None]] = {"matgrad": partial(forget, strict=strict)}
    for case in cases:
        key = (case["id"], "matgrad")
        tasks[key], verdicts[key] = _matgrad(case), _judged(case, lambda case=case: _matgrad_value(case))
    if with_sympy:
        _add_sympy(cases, tasks, verdicts, prepare)
    targets = {} if only else _targets()
    for name, task in targets.items():
        tasks[name, "matgrad"] = task
    times = interleaved(tasks, prepare, repeat)
    rows = [_row(case["id"], times, verdicts) for case in cases]
    _print_cases(rows)
    _print_summary(rows)
    for name in targets:
        print(f"{name:60s} {times[name, 'matgrad']:9.1f} ms")
    found = {
        "machine": {"python": sys.version, "platform": platform.platform(), "packages": _versions()},
        "repeat": repeat,
        "strict": strict,
        "cases": rows,
        "targets": {name: times[name, "matgrad"] for name in targets},
    }
    output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"all figures: {output}")


def _matgrad(case: Case) -> Task:
    where = where_text(case)
    return lambda: matgrad.derive(case["expr"], case["wrt"], where=where, order=case["order"]).text


def _matgrad_value(case: Case) -> np.ndarray:
    derivative = matgrad.derive(case["expr"], case["wrt"], where=where_text(case), order=case["order"])
    return np.asarray(derivative(**draw(case, 0)))


def _judged(case: Case, compute: Callable[[], np.ndarray]) -> Verdict:
    """Whether a derivative agrees with JAX, or why there is none."""
    arrays = draw(case, 0)
    try:
        with limited():
            got = compute()
    except Exception as error:
        return f"none: {type(error).__name__}"
    terms = max(1.0, float(np.max(np.abs(value(case, arrays)))))
    return RIGHT if disagreement(got, truth(case, arrays), terms) <= 1e-9 else WRONG


def _add_sympy(
    cases: list[Case],
    tasks: dict[tuple[str, str], Task],
    verdicts: dict[tuple[str, str], Verdict],
    prepare: dict[str, Callable[[], None]],
) -> None:
    from benchmarks import in_sympy

    prepare["sympy"] = in_sympy.clear_cache
    for case in cases:
        key = (case["id"], "sympy")
        formula = matgrad.parse(case["expr"], where=where_text(case))
        try:
            with limited():
                in_sympy.derivative(formula, case["wrt"], case["order"])
        except in_sympy.Inexpressible as error:
            verdicts[key] = f"not expressible: {error}"
            continue
        except Exception as error:
            verdicts[key] = f"none: {type(error).__name__}"
            continue
        tasks[key] = lambda f=formula, c=case: str(in_sympy.derivative(f, c["wrt"], c["order"]))
        verdicts[key] = _judged(case, lambda f=formula, c=case: _sympy_value(f, c))


def _sympy_value(formula: matgrad.Formula, case: Case) -> np.ndarray:
    """SymPy's value with the axes in the order that fits the truth best: how it orders them is its own affair."""
    from benchmarks import in_sympy

    arrays = draw(case, 0)
    got, expected = in_sympy.value(formula, case["wrt"], case["order"], arrays), truth(case, arrays)
    turned = [np.transpose(got, axes) for axes in permutations(range(got.ndim))]
    fitting = [t for t in turned if t.shape == np.squeeze(expected).shape] or [got.reshape(expected.shape)]
    return min((t.reshape(expected.shape) for t in fitting), key=lambda t: disagreement(t, expected))


def _targets() -> dict[str, Task]:
    """The hard ones that the project has set itself a time for."""
    layers = 100
    steps = "; ".join(f"h{k + 1} = tanh(W{k + 1}*h{k})" for k in range(layers))
    weights = [f"W{k + 1}" for k in range(layers)]
    sums = "*".join(f"(A{k} + B{k})" for k in range(12))
    square = "; ".join(f"A{k}: matrix(n,n); B{k}: matrix(n,n)" for k in range(12))
    pair = "A: matrix(n,n); B: matrix(n,n)"
    logits, layer = "y: vector(n); z: vector(n)", "y: vector(n); W: matrix(n,m); x: vector(m)"

    def deep() -> list[str]:
        found = matgrad.derive(f"{steps}; norm2(h{layers})^2", weights, where="h0: vector(n)")
        return [d.short for d in found.values()]

    return {
        "softmax cross-entropy, Hessian in z": lambda: (
            matgrad.derive("-y'*log(exp(z)/sum(exp(z)))", "z", where=logits, order=2).text
        ),
        "softmax cross-entropy, Hessian in W": lambda: (
            matgrad.derive("-y'*log(exp(W*x)/sum(exp(W*x)))", "W", where=layer, order=2).text
        ),
        "100 tanh layers, gradients in all weights, short": deep,
        "tr((A + B)^20) in A": lambda: matgrad.derive("tr((A + B)^20)", "A", where=pair).text,
        "(A + B)^20 in A": lambda: matgrad.derive("(A + B)^20", "A", where=pair).text,
        "x'*(A + B)^20*x in A": lambda: matgrad.derive("x'*(A + B)^20*x", "A", where=pair + "; x: vector(n)").text,
        "tr of a product of 12 sums in one of them": lambda: matgrad.derive(f"tr({sums})", "A5", where=square).text,
        "a product of 12 sums in one of them": lambda: matgrad.derive(sums, "A5", where=square).text,
    }


def _row(name: str, times: dict[tuple[str, str], float], verdicts: dict[tuple[str, str], Verdict]) -> Row:
    ours, theirs = times[name, "matgrad"], times.get((name, "sympy"))
    return {
        "case": name,
        "matgrad_ms": ours,
        "sympy_ms": theirs,
        "ratio": None if theirs is None else theirs / ours,
        "matgrad": verdicts[name, "matgrad"],
        "sympy": verdicts.get((name, "sympy")),
    }


def _print_cases(rows: list[Row]) -> None:
    print(f"{'case':34s} {'matgrad':>9s} {'SymPy':>9s} {'ratio':>6s}  matgrad  SymPy")
    for row in rows:
        theirs = f"{row['sympy_ms']:6.2f} ms {row['ratio']:6.1f}" if row["sympy_ms"] else f"{'–':>9s} {'':6s}"
        print(f"{row['case']:34s} {row['matgrad_ms']:6.2f} ms {theirs}  {row['matgrad']:8s} {row['sympy'] or '–'}")


def _print_summary(rows: list[Row]) -> None:
    ours = [row["matgrad_ms"] for row in rows]
    print(f"\nmatgrad: {len(rows)} cases, {sum(row['matgrad'] == RIGHT for row in rows)} right")
    print(
        f"  median {quantile(ours, 0.5):.2f} ms, 90 % {quantile(ours, 0.9):.2f} ms, 99 % {quantile(ours, 0.99):.2f} ms"
    )
    both = [row for row in rows if row["sympy_ms"]]
    if both:
        theirs = [row["sympy_ms"] for row in both]
        right = sum(row["sympy"] == RIGHT for row in rows)
        print(f"SymPy: {len(both)} cases derived, {right} right, {sum(r['sympy'] == WRONG for r in rows)} wrong")
        print(f"  median {quantile(theirs, 0.5):.2f} ms, 99 % {quantile(theirs, 0.99):.2f} ms", end=", ")
        print(f"time over matgrad's: median {quantile([row['ratio'] for row in both], 0.5):.1f}")
    print()


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in ("matgrad", "lark", "numpy", "sympy", "jax"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
