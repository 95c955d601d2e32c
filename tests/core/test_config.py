"""Process-wide settings: what they accept, what they refuse, where files go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nacre.core import config
from nacre.core.errors import ArgumentError


@pytest.fixture(autouse=True)
def settings_restored() -> Iterator[None]:
    before = dict(config._settings)
    yield
    config._settings.clear()
    config._settings.update(before)


@pytest.mark.parametrize("name", ["bfloat16", "float16", "float32", "float64"])
def test_floatx_is_what_was_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("nacre.core.dtypes.use_64_bits", lambda: asked.append(name))
    config.set_floatx(name)
    assert config.floatx() == name
    assert asked == (["float64"] if name == "float64" else [])


@pytest.mark.parametrize("name", ["int32", "float", "", None])
def test_floatx_refuses_what_is_no_float(name: object) -> None:
    with pytest.raises(ArgumentError, match=r"must be one of .*float32.* Got"):
        config.set_floatx(name)  # type: ignore[arg-type]
    assert config.floatx() == "float32"


def test_epsilon_becomes_a_float() -> None:
    config.set_epsilon(1)
    assert config.epsilon() == 1.0 and isinstance(config.epsilon(), float)


def test_data_format_is_read_in_any_case_and_refused_when_unknown() -> None:
    config.set_image_data_format("Channels_First")
    assert config.image_data_format() == "channels_first"
    assert config.standardize_data_format(None) == "channels_first"
    assert config.standardize_data_format("channels_last") == "channels_last"
    with pytest.raises(ArgumentError, match="channels_last.*Got 'NHWC'"):
        config.standardize_data_format("NHWC")


def test_switches_switch() -> None:
    config.disable_interactive_logging()
    assert not config.is_interactive_logging_enabled()
    config.enable_interactive_logging()
    assert config.is_interactive_logging_enabled()
    config.disable_traceback_filtering()
    assert not config.is_traceback_filtering_enabled()
    config.enable_traceback_filtering()
    assert config.is_traceback_filtering_enabled()


def test_full_tracebacks_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NACRE_TRACEBACK", "full")
    assert not config.is_traceback_filtering_enabled()


def test_folders_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "k"))
    monkeypatch.setenv("NACRE_CACHE", str(tmp_path / "n"))
    assert config.keras_home() == tmp_path / "k"
    assert config.cache_home() == tmp_path / "n"
    monkeypatch.delenv("NACRE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert config.cache_home() == tmp_path / "x" / "nacre"


def test_an_empty_variable_is_no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("NACRE_CACHE", "")
    monkeypatch.setenv("KERAS_HOME", "")
    assert config.cache_home() == tmp_path / "nacre"
    assert config.keras_home() == Path.home() / ".keras"


def test_the_engine_is_jax() -> None:
    assert config.backend() == "jax"
