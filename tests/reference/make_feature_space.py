"""Write `feature_space.npz` and two `.keras` files: spaces and string layers of real Keras.

It needs TensorFlow, whose backend is the only one of Keras that has strings.
"""

from __future__ import annotations

import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"

import oracle  # isort: skip
import keras
import numpy as np
import tensorflow as tf
from cases.feature_space import (
    COLUMNS,
    NEW_ROWS,
    SPACES,
    STRING_LAYERS,
    TEXTS,
    columns_of,
    make_space,
)


def run_space(name, spec):
    space = make_space(keras.utils.FeatureSpace, spec)
    space.adapt(tf.data.Dataset.from_tensor_slices(columns_of(spec, COLUMNS)))
    found = {}
    for label, table in (("known", COLUMNS), ("new", NEW_ROWS)):
        output = space({k: np.array(v) for k, v in columns_of(spec, table).items()})
        parts = output if isinstance(output, dict) else {"": output}
        found.update({f"{name}/{label}/{key}": np.asarray(value) for key, value in parts.items()})
    return space, found


def run_layer(kind, arguments, data, inputs):
    layer = getattr(keras.layers, kind)(**arguments)
    layer.adapt(np.array(data))
    return np.asarray(layer(np.array(inputs)))


def main() -> int:
    arrays = {}
    for name, spec in SPACES.items():
        space, found = run_space(name, spec)
        arrays.update(found)
        if name == "every_kind":
            space.save(str(oracle.FOLDER / "files" / "strings" / "feature_space.keras"))
    for name, case in STRING_LAYERS.items():
        arrays[f"layers/{name}"] = run_layer(*case)
    weighted = keras.layers.TextVectorization(output_mode="tf_idf")
    weighted.adapt(np.array(TEXTS))
    model = keras.Sequential(
        [keras.Input((1,), dtype="string"), weighted, keras.layers.Dense(2, name="dense")]
    )
    model.save(str(oracle.FOLDER / "files" / "strings" / "text_weights.keras"))
    arrays["text_model"] = np.asarray(model(tf.constant([[text] for text in TEXTS])))
    oracle.write_arrays("feature_space", arrays)
    return 0


if __name__ == "__main__":
    sys.exit(main())
