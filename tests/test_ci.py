"""The rule of conftest.py: in CI, a test that is skipped for want of something fails the run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parent / "conftest.py"


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize(
    ("body", "ci", "status"),
    [
        ("def test_a(): pytest.skip('no display')", "true", 1),
        ("def test_a(): pytest.skip('not for CI: needs a display')", "true", 0),
        ("def test_a(): pytest.skip('no display')", "", 0),
        ("pytest.importorskip('no_such_module')\ndef test_a(): pass", "true", 1),
        ("@pytest.mark.parametrize('x', [])\ndef test_a(x): pass", "true", 1),
        ("def test_a(): pass", "true", 0),
    ],
)
def test_a_skip_fails_the_run_in_ci(tmp_path: Path, body: str, ci: str, status: int, workers: str) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(f"import pytest\n{body}\ndef test_other(): pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", workers, str(tmp_path)]
    env = {**os.environ, "CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin"}
    run = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert run.returncode == status, run.stdout + run.stderr
    assert ("which CI does not allow" in run.stdout) == (status == 1)
