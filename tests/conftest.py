"""In CI no test may be skipped for want of something: such a skip turns the run into a failure.

A skip that is meant says so: ``pytest.skip("not for CI: …")``. JAX compiles quickly here, and what the tests of the
command line share is here too.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

# JAX is here for the truth, at one point each: compiling takes all the time. Read when JAX is imported.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

if TYPE_CHECKING:
    from commands import Outcome

MEANT = "not for CI:"
_skips: list[str] = []


def _note(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if not reason.startswith(MEANT):
        _skips.append(f"{report.nodeid}: {reason}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _note(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    _note(report)


# Last, so that nothing that runs later at the end of a session sets the status back.
@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    fine = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    if os.environ.get("CI") and _skips and fine:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if os.environ.get("CI") and _skips:
        terminalreporter.section("skipped, which CI does not allow", red=True)
        for line in _skips:
            terminalreporter.line(line)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs a command of the command line in this process."""
    from commands import Outcome

    from matgrad.cli import main

    def command(*arguments: str) -> Outcome:
        status = main(arguments)
        printed = capsys.readouterr()
        return Outcome(status, printed.out, printed.err)

    return command
