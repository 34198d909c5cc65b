"""Checks that imports follow the flow of data: a module imports from its own layer or earlier ones, never in a circle.

Imports inside functions and under TYPE_CHECKING count as well, and so does ``import_module`` with a literal name: an
import that is hidden to avoid a circle is a circle.

    python tools/check_imports.py [root of the package]
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

# The flow of data. Names on one line are of one layer; each is a module or a package of matgrad.
# "" is matgrad/__init__.py itself.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "dims"),
    ("functions",),
    ("formula",),
    ("tensor",),
    ("translate",),
    ("latex_input",),
    ("objects",),
    ("interop",),
    ("differentiate",),
    ("stabilising",),
    ("planning",),
    ("codegen",),
    ("checking",),
    ("deciding",),
    ("certificates",),
    ("answer",),
    ("explaining",),
    ("diagnosing",),
    ("api",),
    ("analysis",),
    ("",),
    ("serving",),
    ("cli",),
    ("__main__",),
)

ROOT = Path(__file__).resolve().parent.parent / "src" / "matgrad"


def modules_of(root: Path) -> dict[str, Path]:
    """Every module of the package under ``root``, by its dotted name; a package is its ``__init__.py``."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = (root.name, *path.relative_to(root).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(module: str, path: Path, known: dict[str, Path]) -> Iterator[tuple[str, int]]:
    """The modules of the package that ``module`` imports, each with the line."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        for name in _imported_names(node, package):
            target = _longest_known(name, known)
            # ``from . import x`` names the module x where there is one, else the package itself.
            if target is not None and target != module:
                yield target, getattr(node, "lineno", 0)


def _imported_names(node: ast.AST, package: str) -> list[str]:
    """What a statement imports, as absolute dotted names; ``from a import b`` gives a.b."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            outer = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*outer, base] if base else outer)
        return [f"{base}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
            return [node.args[0].value]
    return []


def _longest_known(name: str, known: dict[str, Path]) -> str | None:
    """The module that a dotted name lies in, or None where it is not one of the package."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name or None


def layer_of(module: str) -> int | None:
    """The place of a module in the flow, or None where LAYERS does not name it."""
    head = [*module.split("."), ""][1]
    return next((i for i, layer in enumerate(LAYERS) if head in layer), None)


def problems(root: Path) -> list[str]:
    """What is wrong with the imports of the package under ``root``, one line each; empty if nothing is."""
    known = modules_of(root)
    if not known:
        return [f"{root}: no modules found"]
    found: list[str] = []
    graph: dict[str, set[str]] = {}
    for module, path in known.items():
        place = layer_of(module)
        if place is None:
            found.append(f"{path}: {module} has no place in LAYERS of {Path(__file__).name}")
            continue
        try:
            imported = list(imports_of(module, path, known))
        except SyntaxError as error:
            found.append(f"{path}:{error.lineno}: {error.msg}")
            continue
        graph[module] = {target for target, _ in imported}
        for target, line in imported:
            target_place = layer_of(target)
            if target_place is not None and target_place > place:
                found.append(f"{path}:{line}: {module} imports {target}, which comes later")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found.append("circle: " + " imports ".join(reversed(error.args[1])))
    return found


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]).resolve() if arguments else ROOT
    found = problems(root)
    print("\n".join(found) or f"imports of {root.name}: {len(modules_of(root))} modules, all in order")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
