"""Write `frozen.npz`: `.h5` weights of models of which a part was frozen when they were saved.

Usage: python make_frozen.py, where tf.keras 2.15 is installed; then KERAS_BACKEND=jax python
make_frozen.py, where Keras 3 is, which adds its files.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from frozen_models import MODELS, STATES, freeze

HERE = Path(__file__).parent


def main() -> None:
    try:
        import keras

        version = keras.__version__
    except (ImportError, AttributeError):
        version = "2"
    if version.startswith("2"):
        import tensorflow

        library: Any = tensorflow.keras
        label = "tf.keras"
    else:
        library, label = keras, "keras3"
    target = HERE / "frozen.npz"
    arrays = dict(np.load(target)) if target.exists() else {}
    random = np.random.default_rng(7)
    for name, builder in MODELS.items():
        library.utils.set_random_seed(3)
        model, parts = builder(library)
        x = random.normal(size=(2, *model.input_shape[1:])).astype("float32")
        model(x)
        for weight in model.weights:
            values = random.uniform(0.3, 1.2, size=weight.shape)
            weight.assign(values.astype("float32"))
        arrays[f"{label}/{name}/inputs"] = x
        arrays[f"{label}/{name}/outputs"] = np.asarray(model(x, training=False))
        for state in STATES:
            freeze(parts(), state)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.h5"
                model.save(path) if label == "keras3" else model.save_weights(path)
                arrays[f"{label}/{name}/{state}"] = np.frombuffer(path.read_bytes(), "uint8")
    np.savez_compressed(target, **arrays)
    print(label, sum(len(v) for v in arrays.values()), target.stat().st_size, file=sys.stderr)


if __name__ == "__main__":
    main()
