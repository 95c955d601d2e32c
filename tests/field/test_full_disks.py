"""Saving that fails keeps the old file, says what is there, and leaves nothing beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = (
    "m.keras", "m.h5", "folder", "w.weights.h5", "w.h5", "w.safetensors", "w.npz", "w",
    "w.weights.json",
)  # fmt: skip
# A file may have so many bytes in the process that saves: as on a disk that is full, a write fails
# in its middle.
_SAVING = """
import os, resource, signal, sys
import numpy as np
import nacre
from nacre import layers

def made(width):
    model = nacre.Sequential([nacre.Input((4,)), layers.Dense(width), layers.Dense(4)])
    model.compile("adam", "mse")
    return model

def save(model, name):
    if name == "folder":
        model.save(name, zipped=False)
    elif name.startswith("m."):
        model.save(name)
    elif name.endswith(".json"):
        model.save_weights(name, max_shard_size=0.5)
    else:
        model.save_weights(name)

def contents(folder="."):
    return {
        os.path.join(place, file): open(os.path.join(place, file), "rb").read()
        for place, _, files in os.walk(folder) for file in files
    }

old, new = made(4), made(200_000)
names = sys.argv[2:]
for name in names:
    save(old, name)
before = contents()
if sys.argv[1] == "full":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
else:
    os.chmod(".", 0o555)
    os.setuid(65534)
for name in names:
    try:
        save(new, name)
    except OSError as error:
        assert "is as it was before" in str(error), (name, error)
    else:
        raise AssertionError(name)
    after = contents()
    assert after == before, (name, sorted(set(after) ^ set(before)))
if sys.argv[1] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for name in names:
        save(old, name)
"""


def _save_failing(why: str, folder: Path) -> None:
    here = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(here), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", _SAVING, why, *NAMES],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux")
def test_a_disk_that_is_full_keeps_every_format_as_it_was(tmp_path):
    _save_failing("full", tmp_path)


@pytest.mark.slow  # another process, which imports all
@pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.getuid() != 0, reason="root alone becomes another"
)
def test_a_folder_that_may_not_be_written_to_keeps_every_format_as_it_was(tmp_path):
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    _save_failing("read only", tmp_path)
    shutil.rmtree(tmp_path, ignore_errors=True)
