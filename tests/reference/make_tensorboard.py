"""What real Keras writes for TensorBoard: tags, steps and values; see test_tensorboard.py.

Written by Keras 3.15.1 with TensorFlow 2.21 and tensorboard 2.21; run it to write tensorboard.json
anew. Only TensorFlow's backend writes summaries.
"""

from __future__ import annotations

import json
import os
import tempfile

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow as tf
from cases.tensorboard import CASES, run
from oracle import FOLDER
from tensorflow.python.summary.summary_iterator import summary_iterator


def value_of(value):
    """A scalar or a histogram as numbers; of pictures the sizes; of text its beginning."""
    array = tf.make_ndarray(value.tensor)
    if value.metadata.plugin_data.plugin_name == "images":
        return [int(array[0]), int(array[1]), len(array) - 2]
    if array.dtype == object:
        return str(array.ravel()[0])[:20]
    return [float(f"{number:.7g}") for number in array.astype(float).ravel()]


def written(folder):
    """(run, plugin, tag, step, value) of all summaries, by file in the order they were made."""
    paths = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]
    found = []
    for path in sorted(paths, key=lambda path: int(path.split(".")[-2])):
        for event in summary_iterator(path):
            for value in event.summary.value:
                run_name = os.path.relpath(os.path.dirname(path), folder)
                plugin = value.metadata.plugin_data.plugin_name
                found.append([run_name, plugin, value.tag, event.step, value_of(value)])
    return found


found = {}
for case in CASES:
    with tempfile.TemporaryDirectory() as folder:
        run(keras, folder, case)
        found[case] = written(folder)
lines = [
    f"{json.dumps(case)}: [\n" + ",\n".join(map(json.dumps, rows)) + "\n]"
    for case, rows in found.items()
]
(FOLDER / "tensorboard.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
