"""How often the same formula as typed gives nan, inf or too few digits in matgrad, JAX and PyTorch, in float64.

The cases and their truth are those of ``tests/data/stability.jsonl``. JAX and PyTorch get the formula operation by
operation, with their own functions where the formula has them (softmax, logsumexp, slogdet), and differentiate it:
``grad``, ``jacrev``, ``hessian``.
"""

from __future__ import annotations

import importlib.util
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import matgrad

DATA = Path(__file__).parent.parent / "tests" / "data" / "stability.jsonl"
Row = dict[str, Any]
Ask = Callable[[Row], Any]
KINDS = ("ok", "digits", "inf", "nan", "none")


def rows(only: list[str] | None = None) -> list[Row]:
    found = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
    return [row for row in found if only is None or any(part in row["formula"] for part in only)]


def verdict(found: Any, row: Row) -> str:
    """ok, nan, inf or digits: relative to the largest entry of the truth, where the truth is a float."""
    truth, found = np.asarray(row["truth"]), np.asarray(found, dtype=float)
    if truth.shape != found.shape:
        raise ValueError(f"{row['formula']}: shape {found.shape}, not {truth.shape}")
    defined = np.isfinite(truth)
    truth, found = truth[defined], found[defined]
    if not np.all(np.isfinite(found)):
        return "nan" if np.any(np.isnan(found)) else "inf"
    scale = np.max(np.abs(truth), initial=0.0)
    if scale < 1e-300:
        return "ok" if np.max(np.abs(found), initial=0.0) < 1e-300 else "digits"
    return "ok" if np.max(np.abs(found / scale - truth / scale)) <= row["tolerance"] else "digits"


def of_matgrad(backend: str = "numpy") -> Ask:
    """The code that ``matgrad.compile`` writes for the formula, its derivative or its Hessian."""
    known: dict[tuple[Any, ...], Any] = {}

    def ask(row: Row) -> Any:
        key = (row["formula"], row["where"], row["wrt"], row["order"])
        if key not in known:
            formula = matgrad.parse(row["formula"], where=row["where"])
            if row["order"] == 0:
                item: Any = formula
            else:
                item = (matgrad.derive if row["order"] == 1 else matgrad.hessian)(formula, row["wrt"])
            known[key] = matgrad.compile(item, backend=backend)
        return known[key](**_arrays(row))

    return ask


def of_jax() -> Ask:
    import jax
    import jax.numpy as jnp
    import jax_evaluator

    jax.config.update("jax_enable_x64", True)

    def ask(row: Row) -> Any:
        program = matgrad.parse(row["formula"], where=row["where"]).typed.program
        arrays = {name: jnp.asarray(array) for name, array in _arrays(row).items()}

        def value(x: Any) -> Any:
            found, _ = jax_evaluator.evaluate(program, {**arrays, row["wrt"]: x}, row["sizes"])
            return jnp.asarray(found)

        derivative = [value, jax.jacrev(value), jax.hessian(value)][row["order"]]
        return np.asarray(derivative(arrays[row["wrt"]]))

    return ask


def of_torch() -> Ask:
    import torch
    from torch.func import hessian, jacrev

    from benchmarks import torch_evaluator

    def ask(row: Row) -> Any:
        program = matgrad.parse(row["formula"], where=row["where"]).typed.program
        arrays = {name: torch.as_tensor(array, dtype=torch.float64) for name, array in _arrays(row).items()}

        def value(x: Any) -> Any:
            found = torch_evaluator.evaluate(program, {**arrays, row["wrt"]: x}, row["sizes"])
            return torch.as_tensor(found, dtype=torch.float64)

        derivative = [value, jacrev(value), hessian(value)][row["order"]]
        return derivative(arrays[row["wrt"]]).detach().numpy()

    return ask


def _arrays(row: Row) -> dict[str, Any]:
    return {name: np.asarray(array, dtype=float) for name, array in row["point"].items()}


def systems() -> dict[str, Ask]:
    found = {"matgrad": of_matgrad(), "JAX": of_jax()}
    if importlib.util.find_spec("torch") is not None:
        found["PyTorch"] = of_torch()
    return found


def judged(ask: Ask, row: Row) -> str:
    """The verdict; ``none`` where a system has no such function or refuses."""
    try:
        with np.errstate(all="ignore"):
            return verdict(ask(row), row)
    except (ArithmeticError, RuntimeError, TypeError, NotImplementedError, np.linalg.LinAlgError):
        return "none"


def run(file: Path, only: list[str] | None = None) -> int:
    """Print the tables; write every verdict to a file."""
    kept = ("formula", "wrt", "order", "point")
    found: list[dict[str, Any]] = [{**{key: row[key] for key in kept}, "verdicts": {}} for row in rows(only)]
    for name, ask in systems().items():
        for row, entry in zip(rows(only), found, strict=True):
            entry["verdicts"][name] = judged(ask, row)
    file.write_text("\n".join(map(json.dumps, found)) + "\n", encoding="utf-8")
    print(summary(found))
    print()
    print(by_formula(found))
    return 0


def summary(found: list[dict[str, Any]]) -> str:
    """How often each verdict, by order and system."""
    names = list(found[0]["verdicts"])
    lines = [
        "| | system | right | digits lost | inf | nan | not there |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for order, what in enumerate(("value", "first derivative", "second derivative")):
        entries = [entry for entry in found if entry["order"] == order]
        for name in names if entries else ():
            count = Counter(entry["verdicts"][name] for entry in entries)
            shown = [str(count[kind]) for kind in KINDS]
            shown[0] = f"{count['ok']} of {len(entries)}"
            lines.append(f"| {what} | {name} | {' | '.join(shown)} |")
    return "\n".join(lines)


def by_formula(found: list[dict[str, Any]]) -> str:
    """Wrong results of each formula, all orders and points together: ``3 nan, 1 inf``."""
    names = list(found[0]["verdicts"])
    counts: Mapping[str, dict[str, Counter[str]]] = defaultdict(lambda: {name: Counter() for name in names})
    for entry in found:
        for name in names:
            counts[entry["formula"]][name][entry["verdicts"][name]] += 1
    lines = [f"| formula | cases | {' | '.join(names)} |", f"| --- | --- |{' --- |' * len(names)}"]
    for formula, of in counts.items():
        cells = [", ".join(f"{of[name][kind]} {kind}" for kind in KINDS[1:] if of[name][kind]) or "–" for name in names]
        lines.append(f"| `{formula}` | {sum(of[names[0]].values())} | {' | '.join(cells)} |")
    return "\n".join(lines)
