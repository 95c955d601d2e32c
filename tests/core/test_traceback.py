"""Tracebacks show the user's own lines."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre.core import config
from nacre.core.traceback import boundary

PACKAGE = str(Path(nacre.__file__).parent)


class Broken(nacre.layers.Layer):
    def __init__(self, fail: Any) -> None:
        super().__init__()
        self.fail = fail

    def call(self, x: Any) -> Any:
        return self.fail(x)


def error_of(fail: Any) -> BaseException:
    with pytest.raises(Exception) as caught:
        Broken(fail)(np.ones((2, 3)))
    return caught.value


def files_of(error: BaseException) -> list[str]:
    return [frame.filename for frame in traceback.extract_tb(error.__traceback__)]


def user_error(x: Any) -> Any:
    raise KeyError("mine")


def jax_error(x: Any) -> Any:
    return jax.jit(lambda a: a @ jnp.ones((7, 7)))(x)


@pytest.mark.parametrize("fail", [user_error, jax_error])
def test_only_the_users_frames_remain(fail: Any) -> None:
    error = error_of(fail)
    inside = [f for f in files_of(error) if f.startswith(PACKAGE)]
    assert files_of(error)[-1] == __file__ and len(inside) <= 1
    assert not any("/jax/" in f for f in files_of(error))
    notes = getattr(error, "__notes__", [])
    assert any("In Broken 'broken'" in note for note in notes)
    assert not any("JAX has removed" in note for note in notes)


def test_everything_is_shown_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NACRE_TRACEBACK", "full")
    assert sum(f.startswith(PACKAGE) for f in files_of(error_of(user_error))) > 1
    monkeypatch.delenv("NACRE_TRACEBACK")
    config.disable_traceback_filtering()
    try:
        assert sum(f.startswith(PACKAGE) for f in files_of(error_of(user_error))) > 1
    finally:
        config.enable_traceback_filtering()


def test_a_folder_of_the_users_called_jax_is_shown(tmp_path: Path) -> None:
    folder = tmp_path / "jax" / "nacre"
    folder.mkdir(parents=True)
    (folder / "own_code_here.py").write_text("def fail(x):\n    raise KeyError('mine')\n")
    sys.path.insert(0, str(folder))
    try:
        import own_code_here  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(folder))
    assert files_of(error_of(own_code_here.fail))[-1] == str(folder / "own_code_here.py")


def test_the_error_behind_an_error_stays() -> None:
    def handling(x: Any) -> Any:
        try:
            {}["absent"]
        except KeyError:
            raise ValueError("second")  # noqa: B904  the chain is what is tested

    def causing(x: Any) -> Any:
        raise ValueError("second") from KeyError("first")

    def hiding(x: Any) -> Any:
        try:
            {}["absent"]
        except KeyError:
            raise ValueError("second") from None

    shown = error_of(handling)
    assert isinstance(shown.__context__, KeyError) and not shown.__suppress_context__
    assert isinstance(error_of(causing).__cause__, KeyError)
    assert error_of(hiding).__suppress_context__


def test_the_outermost_entrance_shortens_and_state_is_left_clean() -> None:
    @boundary
    def inner() -> None:
        raise KeyError

    @boundary
    def outer() -> int:
        try:
            inner()
        except KeyError as error:
            return len(files_of(error))
        return 0

    assert outer() == outer() == 3  # outer, the entrance of inner, inner: not cut inside
    assert inner.__name__ == "inner"
