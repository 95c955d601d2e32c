"""Compiled programs kept between runs: where, how much, and how to turn it off."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

from nacre.core import compile_cache
from nacre.core.whole_programs import WholeFiles

OPTIONS = (
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
    "jax_persistent_cache_enable_xla_caches",
)


@pytest.fixture(autouse=True)
def options_restored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    before = {name: getattr(jax.config, name) for name in OPTIONS}
    jax.config.update("jax_compilation_cache_dir", None)
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path))
    monkeypatch.delenv("NACRE_COMPILE_CACHE", raising=False)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def test_it_uses_the_folder_of_the_user(tmp_path: Path) -> None:
    assert compile_cache.enable() == str(tmp_path / "compiled")
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "compiled")


@pytest.mark.parametrize("word", ["0", "off", "False", "no"])
def test_one_variable_turns_it_off(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NACRE_COMPILE_CACHE", word)
    assert compile_cache.enable() is None
    assert not jax.config.jax_compilation_cache_dir


def test_a_folder_chosen_for_jax_stays(tmp_path: Path) -> None:
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "own"))
    assert compile_cache.enable() == str(tmp_path / "own")
    assert not (tmp_path / "compiled").exists()


def test_a_home_that_cannot_be_written_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path / "file"))
    assert compile_cache.enable() is None


def test_the_oldest_programs_go_first(tmp_path: Path) -> None:
    for age, name in enumerate(["new", "middle", "old"]):
        (tmp_path / name).write_bytes(b"x" * 100)
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    compile_cache._prune(tmp_path, 250, 9)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["middle", "new"]
    compile_cache._prune(tmp_path, 250, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["new"]
    compile_cache._prune(tmp_path, 0, 9)
    assert not list(tmp_path.iterdir())
    compile_cache._prune(tmp_path / "absent", 0, 9)


def test_a_second_process_finds_the_programs_of_the_first(tmp_path: Path) -> None:
    program = (
        "import jax; from nacre.core import compile_cache\n"
        "compile_cache.MIN_COMPILE_SECONDS = 0.0\n"
        "folder = compile_cache.enable()\n"
        "jax.jit(lambda x: x * 2 + 1)(1.0)\n"
        "import os; print(sorted(n for n in os.listdir(folder) if 'lambda' in n and 'atime' not in n))"
    )
    environment = {**os.environ, "NACRE_CACHE": str(tmp_path)}
    runs = [
        subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True,
                       text=True, timeout=60, check=True).stdout
        for _ in range(2)
    ]  # fmt: skip
    assert runs[0] == runs[1] and "lambda" in runs[0]


_ONE_PROGRAM = """
import nacre, jax, jax.numpy as jnp
nacre.models
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
print(jax.jit(lambda x: jnp.sin(x) * 3)(jnp.ones(3))[0])
"""


def test_a_file_that_was_cut_off_is_told_of_once_and_replaced(tmp_path: Path) -> None:
    def run() -> subprocess.CompletedProcess[str]:
        chosen = {k: v for k, v in os.environ.items() if "COMPIL" not in k and "PERSIST" not in k}
        return subprocess.run(
            [sys.executable, "-c", _ONE_PROGRAM],
            env={**chosen, "NACRE_CACHE": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )

    first = run()
    files = list((tmp_path / "compiled").glob("*-cache"))
    assert files and not list((tmp_path / "compiled").glob("*.tmp"))
    sizes = {file: file.stat().st_size for file in files}
    for file in files:
        file.write_bytes(file.read_bytes()[:40])
    cut, healed = run(), run()
    assert first.stdout == cut.stdout == healed.stdout
    assert "Error reading" in cut.stderr and "Error" not in healed.stderr
    assert {file: file.stat().st_size for file in files}.keys() == sizes.keys()
    assert all(file.stat().st_size > 40 for file in files)


def test_a_program_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch
) -> None:
    kept = WholeFiles(tmp_path)
    kept.put("program", b"old")
    monkeypatch.setattr(os, "replace", _fails)
    with pytest.raises(OSError, match="full"):
        kept.put("program", b"new")
    assert kept.get("program") == b"old" and kept.get("other") is None
    assert [file.name for file in tmp_path.iterdir()] == ["program-cache"]


def _fails(*_: object) -> None:
    raise OSError("the disk is full")
