"""Every program of `examples/` runs at its small size and leaves what it promises."""

from __future__ import annotations

import ast
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.examples.programs import FOLDER, Program, printed, table

MOST_LINES = 120
# These set up their process themselves: more devices, workers of their own.
OWN_PROCESS: set[str] = {"data_parallel.py"}
# Packages that a program needs besides nacre and matplotlib.
NEEDS: dict[str, tuple[str, ...]] = {
    "dqn.py": ("gymnasium",),
    "export_to_phone.py": ("ai_edge_litert",),
    "hyperparameter_search.py": ("sklearn",),
    "ppo.py": ("gymnasium",),
    "text_generation.py": ("tokenizers",),
}
PROGRAMS = table()


def names_of(programs: list[Program]) -> list[str]:
    return [program.path.name for program in programs]


def has_arguments(path: Path) -> bool:
    """Whether it is a program; other files are pieces that programs import."""
    return "ArgumentParser" in path.read_text(encoding="utf-8")


def test_the_table_lists_every_program_once() -> None:
    found = sorted(path.name for path in FOLDER.glob("*.py") if has_arguments(path))
    assert sorted(names_of(PROGRAMS)) == found


@pytest.mark.parametrize("program", PROGRAMS, ids=names_of(PROGRAMS))
def test_a_row_states_results_that_keep_their_own_bounds_in_less_than_90_seconds(
    program: Program,
) -> None:
    assert program.claims and program.seconds <= 90
    for claim in program.claims:
        assert claim.is_met(claim.stated), claim


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_a_program_is_short_and_imports_nacre_as_the_readme_does(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < MOST_LINES
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [(a.name, a.asname) for a in node.names if a.name.split(".")[0] == "nacre"]
            assert all(found == ("nacre", "keras") for found in names), ast.unparse(node)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nacre."):
            assert node.module == "nacre.datasets", ast.unparse(node)


@pytest.fixture
def as_a_script(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder of programs is where Python looks first, and pictures are closed at the end."""
    pytest.importorskip("matplotlib", reason="programs draw with matplotlib")
    import matplotlib.pyplot as plt

    monkeypatch.syspath_prepend(str(FOLDER))
    before = set(sys.modules)
    yield
    plt.close("all")
    pieces = {path.stem for path in FOLDER.glob("*.py")}
    for name in pieces & (set(sys.modules) - before):
        del sys.modules[name]


@pytest.mark.slow
@pytest.mark.usefixtures("as_a_script")
@pytest.mark.parametrize("program", PROGRAMS, ids=names_of(PROGRAMS))
def test_a_program_runs_prints_its_results_and_leaves_a_picture_or_a_table(
    program: Program,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for package in NEEDS.get(program.path.name, ()):
        pytest.importorskip(package, reason=f"{program.path.name} uses {package}")
    arguments = [str(program.path), "--quick", "--out", str(tmp_path / "out")]
    monkeypatch.chdir(tmp_path)
    if program.path.name in OWN_PROCESS:
        output = run_alone(arguments)
    else:
        monkeypatch.setattr(sys, "argv", arguments)
        runpy.run_path(str(program.path), run_name="__main__")
        output = capsys.readouterr().out
    for claim in program.claims:
        assert printed(output, claim.name) is not None, claim.name
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    files = list((tmp_path / "out").iterdir())
    assert any(path.name.startswith(program.path.stem) for path in files)
    assert all(path.stat().st_size > 50 for path in files)


def run_alone(arguments: list[str]) -> str:
    environment: dict[str, Any] = {**os.environ, "PYTHONPATH": str(FOLDER.parent)}
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
