"""Which generation of Keras a script is told that it runs on."""

from __future__ import annotations

import ast
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
    ("import os\nos.environ.setdefault('KERAS_BACKEND', 'jax')", True),
    ("import os\nos.environ.update({'KERAS_BACKEND': 'jax'})", True),
    ("from tensorflow import keras as k\nk.ops.ones(2)", True),
    ("import tensorflow as tf\ntf.keras.ops.ones(2)", True),
    ("from keras import (\n    layers,\n    ops,\n)", True),
    ("from keras.ops import ones", True),
    ("import keras.ops as K", True),
    ("import keras\nif keras.__version__.startswith('3.'): pass", True),
    ("import keras\nkeras.config.set_dtype_policy('float32')", True),
    ("import keras\n# works with Keras 3 (keras.ops), not with KERAS_BACKEND", False),
    ("'''Not for Keras 3: from keras import ops.'''\nimport keras", False),
    ("import keras\nprint('KERAS_BACKEND'.lower() or 'Keras 3', 'keras.random')", False),
    ("import keras\nprint(keras.__version__, '3 layers')", False),
    ("def f(own): return own.keras.models.ops", False),
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
    generation.note_source(ast.parse(text))
    assert tf.keras.__version__.startswith("3." if is_third else "2.15")
    assert tf.__version__ == tf.version.VERSION == tf.compat.v1.__version__
    assert tf.__version__.startswith("2.21" if is_third else "2.15")
    assert tf.keras.version().startswith("3.")


@pytest.mark.parametrize(
    ("chosen", "told"), [("jax", "jax"), ("tensorflow", "tensorflow"), ("", "tensorflow")]
)
def test_a_script_that_chose_jax_is_told_so(
    chosen: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", chosen)
    assert tf.keras.backend.backend() == told


@pytest.mark.parametrize("sign", ["from keras import ops", "%env KERAS_BACKEND=jax"])
def test_a_notebook_is_told_it_from_its_first_cell_on(sign: str, tmp_path: Path) -> None:
    texts = ["import keras\nprint(keras.__version__[0])", sign]
    cells = [{"cell_type": "code", "source": text} for text in texts]
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))
    command = [sys.executable, "-m", "nacre", "run", "-q", str(path)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["3"]


OBJECTS = """
import keras, tensorflow as tf
from keras import layers
{sign}
layer = layers.Dense(2, name="last")
layer.build((None, 3))
x, own = keras.Input((2,)), tf.Variable([1.0], name="own")
print([v.name for v in layer.weights], own.name)
print(layer.kernel.dtype, x.dtype, own.dtype, str(layer.bias)[:13], str(own)[:12])
print(x.dtype == "float32", x.dtype == tf.float32, layer.kernel.dtype == tf.float32)
print(tf.cast(own, layer.kernel.dtype).dtype == tf.float32, layer.kernel.numpy().shape)
"""


@pytest.mark.parametrize(
    ("sign", "told"),
    [
        (
            "keras.ops",
            "['kernel', 'bias'] own:0\nfloat32 float32 <dtype: 'float32'> <Variable pat <tf.Variable\n",
        ),
        (
            "",
            "['last/kernel:0', 'last/bias:0'] own:0\n<dtype: 'float32'> <dtype: 'float32'> "
            "<dtype: 'float32'> <tf.Variable  <tf.Variable\n",
        ),
    ],
)
def test_variables_are_told_of_as_the_generation_does(sign: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "s.py"
    path.write_text(OBJECTS.format(sign=sign))
    command = [sys.executable, "-m", "nacre", "run", "-q", str(path)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout == f"{told}True True True\nTrue (3, 2)\n"
