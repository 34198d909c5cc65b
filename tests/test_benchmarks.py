"""The benchmark of compiled code runs, compares before it times, and flags what became slower. Times are not tested."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import jax
import numpy as np
import pytest

from benchmarks import competitors, limits, machine, report
from benchmarks.compile import measured
from benchmarks.outcome import Outcome, Timing
from benchmarks.problems import PROBLEMS
from benchmarks.problems.problem import BEST, JAX, Target, Work

ROOT = Path(__file__).parent.parent
SMALL = "small logistic gradient"


def test_one_problem_from_the_command_line(tmp_path):
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "compile",
        "--only",
        SMALL,
        "--repeat",
        "2",
        "--no-plot",
        "--no-fresh",
    ]
    command += [
        "--libraries",
        "numpy",
        "jax",
        "--json",
        str(tmp_path / "found.json"),
        "--stored",
        str(tmp_path / "none"),
    ]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    (outcome,) = json.loads((tmp_path / "found.json").read_text())["outcomes"]
    kinds = {(timing["kind"], timing["library"]) for timing in outcome["timings"]}
    assert {("matgrad", "numpy"), ("by hand", "numpy"), ("peer", "jax"), ("peer", "unjitted")} <= kinds
    assert outcome["wrong"] == {}
    assert all(timing["least"] > 0 for timing in outcome["timings"])
    assert f"| {SMALL} | 20×5 |" in done.stdout


def test_a_wrong_result_is_not_timed(monkeypatch):
    (problem,) = (p for p in PROBLEMS if p.name == "x'Ax Hessian")
    monkeypatch.setitem(problem.by_hand, "numpy", lambda A, x: 2 * A)
    monkeypatch.setitem(competitors._PEERS, "jax", {})
    jax.config.update("jax_enable_x64", True)
    ceiling = limits.Limits(1e9, 1e9, {1: 1e9}, {1: 1e9})
    outcome = measured(problem, (3,), 1, ["numpy", "jax"], ceiling, memory=False)
    assert outcome.wrong["by hand numpy"] > 0.1
    assert {timing.name for timing in outcome.timings} >= {"by hand jax", "matgrad numpy"}
    assert "by hand numpy" not in {timing.name for timing in outcome.timings}


def outcome(ours: float, theirs: float) -> Outcome:
    timings = [
        Timing("matgrad numpy", "matgrad", "numpy", ours, ours, 1, None),
        Timing("jax.grad", "peer", "jax", theirs, theirs, 1, None),
        Timing("jax.grad, not jitted", "peer", "unjitted", theirs / 2, theirs / 2, 1, None),
    ]
    return Outcome(SMALL, (20, 5), 0.0, timings)


@pytest.mark.parametrize(
    ("ours", "theirs", "slower"),
    [(1.1, 4.0, False), (1.2, 4.0, True), (1.2, 5.0, False), (1.0, 3.0, False), (3.0, 8.0, True)],
)
def test_slower_is_slower_both_absolutely_and_against_the_best_peer(ours, theirs, slower):
    stored = {"machine": machine.described(), "outcomes": [asdict(outcome(1.0, 4.0))]}
    stored = json.loads(json.dumps(stored))
    assert bool(report.regressions([outcome(ours, theirs)], stored)) == slower
    stored["machine"]["cpu"] = "another"
    assert report.regressions([outcome(ours, theirs)], stored) == []


def test_ratios_are_of_the_fastest_that_counts():
    found = outcome(2.0, 3.0)
    assert found.ratio(Target(1.0)) == 1.5
    assert found.ratio(Target(1.0, "unjitted")) == 0.75
    assert found.ratio(Target(1.0, BEST, JAX)) is None


def test_the_limit_is_arithmetic_or_memory_whichever_takes_longer():
    ceiling = limits.Limits(gemm=10.0, syrk=5.0, reading={1: 4.0, 1000: 2.0}, copying={1: 4.0, 1000: 2.0})
    assert ceiling.seconds(Work(gemm=20, syrk=5)) == 3
    assert ceiling.seconds(Work(gemm=20, read=800, held=400)) == 400
    assert np.isclose(ceiling.seconds(Work(written=2)), 1.0)


def test_stability_counts_what_goes_wrong(tmp_path, capsys):
    from benchmarks import stability

    assert stability.run(tmp_path / "found.jsonl", only=["log(1 + exp(z))", "sqrt(x'*x)"]) == 0
    found = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    assert {entry["verdicts"]["matgrad"] for entry in found} == {"ok"}
    of_jax = {(entry["formula"], entry["order"], str(entry["point"])): entry["verdicts"]["JAX"] for entry in found}
    assert of_jax["log(1 + exp(z))", 0, "{'z': 800.0}"] == "inf"
    assert of_jax["log(1 + exp(z))", 1, "{'z': 800.0}"] == "nan"
    assert of_jax["log(1 + exp(z))", 0, "{'z': -40.0}"] == "digits"
    assert of_jax["log(1 + exp(z))", 2, "{'z': 0.5}"] == "ok"
    assert "| value | matgrad |" in capsys.readouterr().out
