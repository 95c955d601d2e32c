"""How tests compile: with little effort, or as a person's programs are."""

from __future__ import annotations

import jax
import pytest

from tests import effort

compiler = pytest.importorskip("jax._src.compiler")


def given() -> dict[str, object]:
    """The options that a program is compiled with now."""
    return dict(compiler.get_compile_options(1, 1).env_option_overrides)


@pytest.mark.skipif(
    effort.is_full() or jax.default_backend() != "cpu", reason="all is compiled in full"
)
def test_programs_are_compiled_with_little_effort() -> None:
    assert given() == effort.LITTLE


@pytest.mark.full_effort
def test_programs_of_a_marked_test_are_compiled_as_they_are_for_a_person() -> None:
    assert given() == {}
