"""The direction of imports, and what `import matgrad` may load."""

import re
import subprocess
import sys
from pathlib import Path

import check_imports
import pytest


def _package(tmp_path: Path, **files: str) -> Path:
    root = tmp_path / "matgrad"
    for name, text in {"__init__": "", **files}.items():
        path = root / f"{name.replace('__in__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_the_package_is_in_order() -> None:
    assert check_imports.problems(check_imports.ROOT) == []


@pytest.mark.parametrize(
    "statement",
    [
        "import matgrad.cli",
        "from matgrad import cli",
        "from matgrad.cli import main",
        "from .cli import main",
        "from . import cli",
        "import matgrad",
        "def late():\n    from matgrad.cli import main",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from matgrad import cli",
        "import importlib\nimportlib.import_module('matgrad.cli')",
    ],
)
def test_a_later_module_is_found(tmp_path: Path, statement: str) -> None:
    found = check_imports.problems(_package(tmp_path, cli="def main(): ...", errors=statement))
    assert len(found) == 1
    assert "comes later" in found[0]


def test_a_circle_in_one_layer_is_found(tmp_path: Path) -> None:
    files = {"formula__in__a": "from matgrad.formula import b", "formula__in__b": "from .a import x"}
    found = check_imports.problems(_package(tmp_path, formula__in____init__="", **files))
    assert len(found) == 1
    assert found[0].startswith("circle: ")


def test_a_module_without_a_place_is_found(tmp_path: Path) -> None:
    found = check_imports.problems(_package(tmp_path, elsewhere=""))
    assert len(found) == 1
    assert "matgrad.elsewhere has no place" in found[0]


def test_a_module_that_cannot_be_read_is_found(tmp_path: Path) -> None:
    found = check_imports.problems(_package(tmp_path, errors="def"))
    assert len(found) == 1
    assert "invalid syntax" in found[0]


def test_earlier_and_foreign_modules_are_fine(tmp_path: Path) -> None:
    files = {"errors": "import ast", "cli": "import numpy\nfrom matgrad import errors\nfrom matgrad.errors import E"}
    assert check_imports.problems(_package(tmp_path, **files)) == []


def test_import_matgrad_is_light() -> None:
    code = "import sys, matgrad; print(*sorted({'numpy', 'scipy', 'lark', 'jax'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


def test_the_map_names_every_module() -> None:
    """A row of docs/architecture.md is about modules of the package above it; ``laws/`` are all in that folder."""
    names = {name.removeprefix("matgrad.").replace(".", "/") for name in check_imports.modules_of(check_imports.ROOT)}
    text = (check_imports.ROOT.parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
    package, listed, unknown = "", set(), set()
    for line in text.split("\n## Where it is decided")[0].splitlines():
        if line.startswith("**"):
            package = line.split("/**")[0].strip("*") + "/" if "/**" in line else ""
        head = line.split("|")[1] if line.startswith("| `") else line if line.startswith("**`") else ""
        for name in re.findall(r"`([\w/]+)`", head):
            (listed if f"{package}{name}".rstrip("/") in names else unknown).add(f"{package}{name}")
    packages = {name for name in names if any(other.startswith(f"{name}/") for other in names)}
    folders = tuple(name for name in listed if name.endswith("/"))
    assert unknown == set()
    assert {name for name in names - listed - packages if not name.startswith(folders)} == {"matgrad", "__main__"}
