"""Arrays have the methods of tensors within these tests, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nacre.tf.methods import lend_methods, take_methods_back


@pytest.fixture(autouse=True)
def _methods_of_tensors() -> Iterator[None]:
    lend_methods()
    yield
    take_methods_back()
