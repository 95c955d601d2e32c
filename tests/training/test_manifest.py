"""The manifest of a run: plain data that says what its bits depend on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

import nacre
from nacre.training.manifest import decisive_differences


def test_it_says_what_trained_as_data_that_json_can_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NACRE_LOOPS", "counted")
    nacre.utils.set_random_seed(12)
    found = json.loads(json.dumps(nacre.utils.run_manifest()))
    assert found["versions"]["numpy"] == np.__version__
    assert found["versions"]["nacre"] == nacre.__version__
    assert (found["seed"], found["folder"], found["git"]) == (12, str(tmp_path), None)
    assert found["settings"]["environment"]["NACRE_LOOPS"] == "counted"
    assert "python" in found["command"] and found["processor"] and found["device"]


def test_in_a_repository_it_names_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        return subprocess.run(
            ["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "one")
    monkeypatch.chdir(tmp_path)
    commit = git("rev-parse", "HEAD")
    assert nacre.utils.run_manifest()["git"] == {"commit": commit, "has_changes": False}
    (tmp_path / "file").write_text("2")
    assert nacre.utils.run_manifest()["git"] == {"commit": commit, "has_changes": True}


def test_only_what_bits_depend_on_counts_as_a_difference() -> None:
    now = nacre.utils.run_manifest()
    other = {**now, "date": "", "command": "", "cores": 99, "settings": {**now["settings"]}}
    assert decisive_differences(now, other) == []
    other["settings"]["floatx"] = "float16"
    assert decisive_differences(now, other) == ["settings.floatx float32, now float16"]
