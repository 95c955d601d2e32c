"""Every block of Python in the five users' notes, in order and as it stands, through `nacre run`.

A note is run as a notebook, a block a cell. Where a note presumes something (a data set, a model
that a layer is added to), a cell before the block makes it.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BLOCKS: dict[str, list[str]] = json.loads(
    Path(__file__).with_name("note_blocks.json").read_text(encoding="utf-8")
)

# Blocks that are not run: (note, number) -> why.
WAITING = {
    ("2", 7): "a bracket is missing in the note",
}

_IMPORTS = """\
import numpy as np
import tensorflow as tf
from tensorflow.keras.models import Sequential
from tensorflow.keras.layers import LSTM, Conv2D, Dense, Flatten, MaxPooling2D
"""
_TRAINED = """\
model.compile('adam', 'sparse_categorical_crossentropy')
model.fit(np.ones((4, *model.input_shape[1:])), np.zeros(4), verbose=0)
assert model.predict(np.ones((2, *model.input_shape[1:])), verbose=0).shape == (2, 3)
"""


def on(shape: str) -> str:
    """A model that a layer can be added to."""
    return f"model = tf.keras.Sequential([tf.keras.layers.InputLayer(input_shape={shape})])"


# (note, number) -> what the note presumes before that block; a number behind the last: what is
# asked of it all.
PRESUMED: dict[tuple[str, int], str] = {
    ("1", 0): _IMPORTS + "input_shape, num_classes = 12, 3",
    ("1", 1): _TRAINED + "input_shape = (12, 12, 1)",
    ("1", 2): _TRAINED + "timesteps, features = 5, 4",
    ("1", 3): _TRAINED,
    ("1", 6): "assert np.allclose(model.predict(np.ones((2, 5, 4)), verbose=0), "
    "loaded_model.predict(np.ones((2, 5, 4)), verbose=0))",
    ("2", 0): "import tensorflow as tf\nnum_classes = 4",
    ("2", 4): on("(6, 3)"),
    ("2", 5): on("(8, 8, 3)"),
    ("2", 6): on("(6, 3)"),
    ("2", 8): on("(6, 3)"),
    ("2", 10): on("(8, 8, 3)"),
    ("2", 11): on("(5,)"),
    ("2", 12): "x = y = tf.keras.Input((4,))",
    ("2", 13): "assert residual.shape == (None, 4)\n" + on("(6, 3)"),
    ("2", 14): on("(3,)"),
    ("2", 24): "model.fit(tf.ones((8, 3)), tf.one_hot([0, 1, 2, 3] * 2, 4), verbose=0)",
    ("4", 14): "assert np.allclose(model.predict(x_test[:2], verbose=0).sum(1), 1)",
    ("4", 0): "import numpy as np",
}


def notebook(note: str) -> dict[str, object]:
    """A note as a notebook."""
    cells = []
    for number, block in enumerate([*BLOCKS[note], None]):
        presumed = PRESUMED.get((note, number))
        for source in (presumed, block):
            if source is not None and not (source is block and (note, number) in WAITING):
                cells.append({"cell_type": "code", "source": source.splitlines(keepends=True)})
    return {"cells": cells, "nbformat": 4, "metadata": {}}


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """`nacre run` in a folder."""
    environment = os.environ | {
        "KERAS_HOME": str(folder / "keras"),
        "MPLBACKEND": "Agg",
        "PYTHONPATH": os.getcwd(),
    }
    command = [sys.executable, "-W", "ignore", "-m", "nacre", "run", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def cifar10(tmp_path: Path) -> None:
    """Twenty pictures a file, where the loader looks."""
    folder = tmp_path / "keras" / "datasets" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        labels = np.arange(20) % 10
        rows = np.repeat(labels[:, None] * 25, 3072, axis=1).astype("uint8")
        batch = {b"data": rows, b"labels": labels.tolist()}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))


@pytest.mark.parametrize("note", [note for note, blocks in BLOCKS.items() if blocks])
def test_a_note_runs_as_it_stands(note: str, tmp_path: Path, cifar10: None) -> None:
    (tmp_path / "note.ipynb").write_text(json.dumps(notebook(note)))
    done = run(["note.ipynb"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("brings nacre here") == 1
    if note == "4":
        written = {path.name for path in tmp_path.iterdir()}
        assert {"my_cnn_model.h5", "my_cnn_model", "my_cnn_weights.h5", "my_saved_model"} <= written
        assert "Test Accuracy: " in done.stdout
    if note == "1":
        assert (tmp_path / "model_name.h5").is_file()
        assert (tmp_path / "model.tflite").read_bytes()[4:8] == b"TFL3"


def test_blocks_are_those_of_the_notes() -> None:
    counts = {note: len(blocks) for note, blocks in BLOCKS.items()}
    assert counts == {"1": 6, "2": 24, "3": 0, "4": 14, "5": 0}
    assert all(number < counts[note] for note, number in WAITING)
