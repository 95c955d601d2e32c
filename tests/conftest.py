"""What every test shares: the defaults a person has, on one CPU, and fixed seeds."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests import compiled, devices, effort, heap, left_behind, tiers

# A first example compiles, and a machine may have other work: time is measured elsewhere.
settings.register_profile("nacre", deadline=None)
settings.load_profile("nacre")

# Before anything imports JAX.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "Agg")
# Before anything imports NumPy. Threads of OpenBLAS wait for each other by turning in circles: with
# a worker on every core, factors of a matrix of 600 rows took 25 times the processor time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# A shell's background jobs begin with Ctrl-C ignored, which tests of Ctrl-C send themselves.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
compiled.keep()

# Else every process that a test starts compiles nacre's files anew, and every worker the tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# What is collected stays until the end: looking for garbage in it takes a quarter of the time.
gc.disable()


# Scripts that make reference numbers run where real Keras is installed; an editor looks at others.
collect_ignore_glob = [
    "reference/*.py",
    "saving/make_*.py",
    "field/old_files/*.py",
    "architecture/editor/*.py",
    "tf/prepared/*.py",
    "tf/scripts/*.py",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--measure-tiers", action="store_true", help="write tests/costly.txt (see tests/tiers.py)"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(heap)
    config.pluginmanager.register(left_behind)
    config.pluginmanager.register(effort)
    if config.getoption("--measure-tiers"):
        config.pluginmanager.register(tiers.Measuring())
    if os.environ.get("PYTEST_XDIST_WORKER") == "gw0":
        compiled.delete_oldest()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Neighbours run in one worker, not in turns: what one has traced and lowered, others use."""
    if config.getoption("dist") != "load":
        return None
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tiers.mark_costly(items)
    devices.skip_where_one(items)


def pytest_collection_finish() -> None:
    heap.share_contexts()
    effort.spare()
    # All tests would run with the methods. Those of `tests/tf` ask for names and give them back.
    methods = sys.modules.get("nacre.tf.methods")
    if methods is not None and methods._lent:
        raise pytest.UsageError(
            "collecting tests has asked nacre.tf for names, which lends methods"
        )
    heap.collection_is_over()
    gc.enable()


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    """Python, NumPy and nacre start every test from the same seed, and names from `dense`."""
    from nacre.core.names import reset_names
    from nacre.core.random import set_random_seed

    set_random_seed(0)
    reset_names()


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of data sets and compiled programs, for this test only."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path / "nacre"))
    return tmp_path / "keras"
