"""Which generation of Keras a script is told that it runs on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import nacre.tf as tf
from nacre.tf import generation

SIGNS = [
    ('import os\nos.environ["KERAS_BACKEND"] = "jax"\nimport keras', True),
    ("import keras\nkeras.ops.ones(2)", True),
    ("from keras import layers, ops", True),
    ("from tensorflow.keras import layers, ops", True),
    ("import keras_hub", True),
    ("import keras\nseed = keras.random.SeedGenerator(1)", True),
    ('assert keras.__version__ >= "3.0"', True),
    ("from tensorflow import keras\nkeras.layers.Dense(1)", False),
    ("import tensorflow as tf\ntf.random.normal((2,))", False),
    ("from keras.models import Sequential\nkeras.saving.load_model('m')", False),
]


@pytest.mark.parametrize(("text", "is_third"), SIGNS)
def test_a_script_is_told_the_version_it_is_written_for(
    text: str, is_third: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "_sources", [])
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    before = tf.keras.__version__  # read first: nothing of it may be kept
    assert before.startswith("2.15")
    generation.note_source(text)
    assert tf.keras.__version__.startswith("3." if is_third else "2.15")
    assert tf.__version__ == tf.version.VERSION == tf.compat.v1.__version__
    assert tf.__version__.startswith("2.21" if is_third else "2.15")
    assert tf.keras.version().startswith("3.")


def test_a_notebook_is_told_it_from_its_first_cell_on(tmp_path: Path) -> None:
    texts = ["import keras\nprint(keras.__version__[0])", "from keras import ops"]
    cells = [{"cell_type": "code", "source": text} for text in texts]
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))
    command = [sys.executable, "-m", "nacre", "run", "-q", str(path)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["3"]
