"""SavedModels that TensorFlow wrote give what they gave there."""

from __future__ import annotations

from pathlib import Path

import pytest

from nacre.export.importers.tensorflow.program import open_saved_model
from tests.export.importers.tensorflow.saved_models import NAMES, called, calls, compare, extracted


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_gives_what_tensorflow_gave(name: str, tmp_path: Path) -> None:
    program = open_saved_model(extracted(name, tmp_path))
    for endpoint, args, kwargs, wanted in calls(name):
        compare(called(program, endpoint, args, kwargs), wanted, endpoint)
