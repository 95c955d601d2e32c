"""A training killed at random moments, also while it saves, ends with the bits of an unbroken one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills with signals")
def test_a_run_killed_at_random_moments_ends_with_the_same_bits(tmp_path: Path) -> None:
    kills, seed = 8, 2
    found = subprocess.run(
        [sys.executable, "-m", "tests.training.killed", str(tmp_path), str(kills), str(seed)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    result = json.loads(found.stdout)
    assert result["kills"] >= kills
    assert set(result["ends"]) == {result["whole"]}
