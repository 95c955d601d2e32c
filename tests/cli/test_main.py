"""The command line: help, versions, near misses, and errors in one line."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import jax
import pytest

from nacre.cli import doctor, main
from nacre.ops.kernels.native import build, compiler
from nacre.ops.kernels.native.table import KERNELS


def output(capsys: pytest.CaptureFixture[str], words: list[str]) -> str:
    assert main.main(words) == 0
    return capsys.readouterr().out


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, [])
    for name, purpose in main.COMMANDS.items():
        assert re.search(rf"{name}\s+{re.escape(purpose[:25])}", text)


def test_help_has_no_colour_codes_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert "\x1b[" not in output(capsys, [])


@pytest.mark.parametrize("name", list(main.COMMANDS))
def test_every_command_has_its_file_and_its_help(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(importlib.import_module(f"nacre.cli.{name}").run)
    with pytest.raises(SystemExit) as leave:
        main.main([name, "--help"])
    assert leave.value.code == 0
    assert f"nacre {name}" in capsys.readouterr().out


def test_version_is_a_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", output(capsys, ["version"]))
    assert output(capsys, ["--version"]) == output(capsys, ["version"])


def test_a_misspelt_command_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leave:
        main.main(["quikstart"])
    assert leave.value.code == 2
    expected = "nacre: no command 'quikstart'. Did you mean 'quickstart'?\nSee: nacre --help\n"
    assert capsys.readouterr().err == expected


def test_a_word_near_no_command_gets_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.main(["zzz"])
    assert f"no command 'zzz'. There are {', '.join(main.COMMANDS)}." in capsys.readouterr().err


@pytest.mark.parametrize("value", ["x", "0", "-3"])
def test_epochs_must_be_a_positive_number(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leave:
        main.main(["quickstart", "--epochs", value])
    assert leave.value.code == 2
    text = capsys.readouterr().err
    assert f"--epochs: must be a number of at least 1. Got '{value}'." in text


def test_doctor_tells_versions_devices_caches_and_extras(
    capsys: pytest.CaptureFixture[str], cache_folder: object
) -> None:
    text = output(capsys, ["doctor"])
    for word in ("nacre", "python", "jax", "numpy", "h5py", "cpu 0", "compiled programs", "data"):
        assert word in text


def test_doctor_tells_of_every_kernel_whether_it_is_used_and_when(
    capsys: pytest.CaptureFixture[str], cache_folder: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NACRE_NATIVE", "force")
    text = re.sub(r"\s+", " ", output(capsys, ["doctor"]))
    for kernel in KERNELS:
        assert re.search(rf" {kernel.name} (used: |not used: \w+)", text)
        assert kernel.serves in text
        assert all(condition.text in text for condition in kernel.conditions)
    monkeypatch.setenv("NACRE_KERNELS", "xla")
    text = re.sub(r"\s+", " ", output(capsys, ["doctor"]))
    assert text.count("not used: switched off by NACRE_NATIVE or NACRE_KERNELS") == len(KERNELS)


def test_doctor_tells_why_no_kernel_is_used(
    capsys: pytest.CaptureFixture[str], cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cache in (compiler.find_compiler, compiler.version):
        cache.cache_clear()
    monkeypatch.setattr(build, "_outcomes", {})
    monkeypatch.setenv("NACRE_NATIVE", "force")
    monkeypatch.setenv("CXX", "no-such-compiler")
    text = re.sub(r"\s+", " ", output(capsys, ["doctor"]))
    compiler.find_compiler.cache_clear()
    assert text.count("not used: no C++ compiler found") == len(KERNELS)
    assert "resizing used: NumPy, as: no C++ compiler found" in text
    monkeypatch.delenv("CXX")
    monkeypatch.delenv("NACRE_NATIVE")
    monkeypatch.setattr(jax, "device_count", lambda: 4)
    text = re.sub(r"\s+", " ", output(capsys, ["doctor"]))
    assert text.count("not used: needs one device, here are 4") == len(KERNELS)


def test_doctor_gives_the_line_that_installs_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        doctor, "_OPTIONAL_PACKAGES", (("no-such-package", "no_such", "nothing", "plot"),)
    )
    text = output(capsys, ["doctor"])
    assert 'not installed, for nothing: pip install "nacre[plot]"' in re.sub(r"\s+", " ", text)


def test_summary_of_a_missing_file_is_one_line_and_status_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("nacre.saving")
    assert main.main(["summary", "no_such_model.keras"]) == 1
    text = capsys.readouterr().err
    assert text.startswith("nacre summary: ") and "no_such_model.keras" in text
    assert "Traceback" not in text
