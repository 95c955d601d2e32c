"""Write `orbax.zip`: what Keras's `OrbaxCheckpoint` leaves of a training, and the values in it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import oracle  # isort: skip
import keras
import numpy as np


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(2),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(1),
        ],
        name="trained",
    )
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    x = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
    saves = keras.callbacks.OrbaxCheckpoint(str(folder / "saved"), save_on_background=False)
    model.fit(x, x[:, :1], batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=[saves])
    np.savez(
        folder / "values.npz",
        predicted=model.predict(x, verbose=0),
        **{f"weight_{i}": w for i, w in enumerate(model.get_weights())},
        **{f"optimizer_{i}": v.numpy() for i, v in enumerate(model.optimizer.variables)},
    )
    shutil.make_archive(str(oracle.FOLDER / "orbax"), "zip", folder)


if __name__ == "__main__":
    main()
