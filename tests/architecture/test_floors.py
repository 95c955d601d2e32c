"""Imports point downwards, and laziness sits where it belongs."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "nacre"
# Files that may import nacre inside functions: upward calls of a model, commands that must start
# fast, and the lazy names of the package itself.
LAZY_PLACES = (
    "nacre/models/doors.py",
    "nacre/cli/",
    "nacre/compat/",
    "nacre/tf/",
    "nacre/__init__.py",
)


@functools.cache  # five hundred files are parsed once for all tests
def imports(path: Path) -> list[tuple[str, bool]]:
    """Pairs (module, is it inside a function) for every absolute import of a file."""
    found: list[tuple[str, bool]] = []

    def visit(node: ast.AST, is_inside: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend((alias.name, is_inside) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                if child.module and child.level == 0:
                    found.append((child.module, is_inside))
            elif not isinstance(child, ast.expr):  # which holds no statement
                is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
                visit(child, is_inside or is_function)

    visit(ast.parse(path.read_text(encoding="utf-8")), False)
    return found


def files() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), path


def test_floors_hold() -> None:
    command = "from importlinter.cli import lint_imports_command as run; run()"
    done = subprocess.run(
        [sys.executable, "-c", command, "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_cli_and_the_package_itself_import_compat_and_tf() -> None:
    offenders = [
        f"{name} imports {module}"
        for name, path in files()
        if not name.startswith(("nacre/compat/", "nacre/tf/", "nacre/cli/", "nacre/__init__.py"))
        for module, _ in imports(path)
        if module.startswith(("nacre.compat", "nacre.tf."))
    ]
    assert not offenders


def test_upward_imports_inside_functions_live_in_one_file() -> None:
    offenders = [
        f"{name} imports {module} inside a function"
        for name, path in files()
        if not name.startswith(LAZY_PLACES)
        for module, is_inside in imports(path)
        if is_inside and module.split(".")[0] == "nacre" and _floor(module) > _floor(name)
    ]
    assert not offenders


FLOORS = (
    {"core"},
    {"ops"},
    set("initializers regularizers constraints activations losses metrics optimizers".split())
    | {"quantizers", "random", "summary", "visualization"},
    {"layers", "data", "callbacks", "datasets"},
    {"training"},
    {"models"},
    {"saving", "export", "applications", "distillation", "wrappers"},
    {"testing", "serving", "compat", "tf", "preprocessing"},
    {"cli"},
)


def _floor(name: str) -> int:
    """The floor of a dotted module or a file path; the package itself counts as the lowest."""
    parts = name.replace("/", ".").removesuffix(".py").split(".")
    folder = parts[1] if len(parts) > 1 else ""
    return next((index for index, names in enumerate(FLOORS) if folder in names), -1)


def test_every_folder_has_a_floor() -> None:
    homeless = [
        path.name
        for path in PACKAGE.iterdir()
        if path.is_dir() and any(path.glob("*.py")) and not any(path.name in f for f in FLOORS)
    ]
    assert not homeless


def test_no_folder_without_a_subject() -> None:
    unwanted = {"utils", "common", "backend", "legacy", "helpers", "misc"}
    found = [str(p.relative_to(ROOT)) for p in PACKAGE.rglob("*") if p.is_dir()]
    assert not [name for name in found if Path(name).name in unwanted]


def test_the_graph_side_of_export_knows_neither_jax_nor_models() -> None:
    allowed = ("nacre.core", "nacre.export")
    offenders = [
        f"{name} imports {module}"
        for name, path in files()
        if name.startswith(("nacre/export/graph/", "nacre/export/passes/", "nacre/export/targets/"))
        for module, _ in imports(path)
        if module.split(".")[0] in ("jax", "jaxlib")
        or (module.split(".")[0] == "nacre" and not module.startswith(allowed))
    ]
    assert not offenders
