"""Open with real tf.keras 2.15.1 the checkpoints that nacre wrote.

`python -m tests.reference.check_checkpoints write FOLDER` with nacre, then the same with `read`
where TensorFlow 2.15.1 is installed: predictions, and the losses of two more epochs, agree. (Not of
Nadam, whose product tf.keras 2.15 multiplies once for each variable in every step.)
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.cases import checkpoints

OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "Adam": ("Adam", {}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "RMSprop": ("RMSprop", {"momentum": 0.9}),
    "averages": ("Adam", {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2}),
    "largest": ("Adam", {"amsgrad": True}),
    "scaled": ("Adam", {}),
} | {name: (name, {}) for name in ("Adadelta", "Adafactor", "Adagrad", "Adamax", "Ftrl", "Lion")}


def optimizer_of(keras: Any, kind: str) -> Any:
    name, options = OPTIMIZERS[kind]
    made = getattr(keras.optimizers, name)(0.01, **options)
    if kind != "scaled":
        return made
    return keras.mixed_precision.LossScaleOptimizer(made, initial_scale=8.0)


def numbers(model: Any, x: Any) -> tuple[np.ndarray, list[float]]:
    predicted = model.predict(x, verbose=0)
    fitted = model.fit(x, checkpoints.Y, epochs=2, batch_size=4, shuffle=False, verbose=0)
    return predicted, fitted.history["loss"]


def main(way: str, folder: Path) -> None:
    keras: Any
    if way == "write":
        import nacre as keras
    else:
        import tensorflow as tf

        keras = tf.keras
    for name, make in checkpoints.MODELS.items():
        for kind in OPTIMIZERS:
            if kind != "Adam" and name != "own_class":
                continue
            path = folder / f"{name}-{kind}"
            model, x = make(keras), checkpoints.inputs_of(name)
            model.compile(optimizer_of(keras, kind), "mse")
            if way == "write":
                model.fit(x, checkpoints.Y, batch_size=4, shuffle=False, verbose=0)
                model.save_weights(path)
                predicted, losses = numbers(model, x)
                np.savez(f"{path}.npz", predicted=predicted, losses=losses)
                continue
            model.optimizer.build(model.trainable_variables)
            model.load_weights(str(path)).assert_existing_objects_matched()
            predicted, losses = numbers(model, x)
            wanted = np.load(f"{path}.npz")
            np.testing.assert_allclose(predicted, wanted["predicted"], rtol=1e-5, atol=1e-5)
            if name == "own_class":  # the others drop values at random
                np.testing.assert_allclose(losses, wanted["losses"], rtol=1e-5)
            print(path.name, "agrees")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
