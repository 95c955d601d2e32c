"""Code from files runs only where the user allowed it."""

import pytest

from nacre.core import safety


def test_what_is_allowed_for_a_config_is_allowed_within_it_alone():
    assert not safety.may_run_code()
    with safety.reading(safe_mode=False):
        assert safety.may_run_code()
        with safety.reading(safe_mode=True):
            assert safety.may_run_code(safe_mode=True)
    assert not safety.may_run_code(safe_mode=True)
    with pytest.raises(ZeroDivisionError), safety.reading(False):
        1 / 0  # noqa: B018
    assert not safety.may_run_code()


def test_the_user_may_trust_every_file(monkeypatch):
    monkeypatch.setattr(safety, "_enabled", [False])
    safety.enable_unsafe_deserialization()
    assert safety.may_run_code(safe_mode=True)


def test_a_closed_gate_is_opened_by_nothing_within():
    with safety.reading(safe_mode=True):
        assert safety.is_reading()
        with safety.reading(safe_mode=False):
            assert not safety.may_run_code(safe_mode=False)
            assert safety.is_reading()
    assert not safety.is_reading()
    assert safety.may_run_code(safe_mode=False)
