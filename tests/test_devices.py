"""The suite runs with one device and the kernels on; what needs eight devices runs beside it."""

from __future__ import annotations

import subprocess
import sys

import jax
import pytest

from nacre.ops.kernels.native import build, compiler, library
from tests import devices, native


@pytest.mark.skipif(devices.has_eight(), reason="this process was asked to have eight devices")
def test_the_suite_runs_with_one_device():
    assert jax.device_count() == 1


@pytest.mark.skipif(not compiler.find_compiler(), reason="no C++ compiler here")
@pytest.mark.skipif(build.is_switched_off(), reason="switched off by NACRE_NATIVE or NACRE_KERNELS")
@pytest.mark.parametrize("each", library.LIBRARIES, ids=lambda each: each.name)
def test_the_suite_runs_with_the_kernels(each: library.Library):
    assert native.finish(each) == ""


@pytest.mark.slow
@pytest.mark.skipif(devices.has_eight(), reason="this is the process with eight devices")
def test_what_needs_eight_devices_passes_where_there_are_eight():
    command = [sys.executable, "-m", "pytest", "-m", "eight_devices", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *map(str, devices.files())],
        cwd=devices.FOLDER.parent,
        env=devices.environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.eight_devices
def test_there_are_eight_devices_where_tests_ask_for_them():
    assert jax.device_count() == 8
