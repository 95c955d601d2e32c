"""Write `checkpoints.zip`: checkpoints by tf.keras 2.15.1, and what their models predict."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import oracle  # isort: skip
import numpy as np
import tensorflow as tf
from cases import checkpoints

OPTIMIZERS = {
    "adam": lambda: tf.keras.optimizers.Adam(0.01),
    "sgd": lambda: tf.keras.optimizers.SGD(0.01, momentum=0.9),
    "amsgrad": lambda: tf.keras.optimizers.Adam(0.01, amsgrad=True),
    "rmsprop": lambda: tf.keras.optimizers.RMSprop(0.01, momentum=0.9, centered=True),
    "nadam": lambda: tf.keras.optimizers.Nadam(0.01),
    "adamax": lambda: tf.keras.optimizers.Adamax(0.01),
    "adadelta": lambda: tf.keras.optimizers.Adadelta(0.1),
    "ftrl": lambda: tf.keras.optimizers.Ftrl(0.01),
    "lion": lambda: tf.keras.optimizers.Lion(0.01),
    "adagrad": lambda: tf.keras.optimizers.Adagrad(0.01),
    "adafactor": lambda: tf.keras.optimizers.Adafactor(0.01),
    "averages": lambda: tf.keras.optimizers.Adam(
        0.01, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2
    ),
    "scaled": lambda: tf.keras.mixed_precision.LossScaleOptimizer(tf.keras.optimizers.Adam(0.01)),
    "old_adam": lambda: tf.keras.optimizers.legacy.Adam(0.01),
    "old_rmsprop": lambda: tf.keras.optimizers.legacy.RMSprop(0.01, momentum=0.9, centered=True),
    "old_adamax": lambda: tf.keras.optimizers.legacy.Adamax(0.01),
    "old_adadelta": lambda: tf.keras.optimizers.legacy.Adadelta(0.1),
    "old_nadam": lambda: tf.keras.optimizers.legacy.Nadam(0.01),
    "old_scaled": lambda: tf.keras.mixed_precision.LossScaleOptimizer(
        tf.keras.optimizers.legacy.Adam(0.01)
    ),
}


def fit(model: Any, x: Any, epochs: int) -> list[float]:
    past = model.fit(x, checkpoints.Y, epochs=epochs, batch_size=4, shuffle=False, verbose=0)
    return past.history["loss"]


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    values: dict[str, Any] = {}
    for name, make in checkpoints.MODELS.items():
        for kind, optimizer in OPTIMIZERS.items():
            if kind not in ("adam", "old_adam") and name != "own_class":
                continue
            tf.keras.utils.set_random_seed(1)
            model, x = make(tf.keras), checkpoints.inputs_of(name)
            model.compile(optimizer(), "mse")
            fit(model, x, 2)
            path = folder / f"{name}-{kind}" / "weights"
            model.save_weights(str(path))
            values[f"{name}-{kind}/predicted"] = model.predict(x, verbose=0)
            if name == "own_class":  # no dropout: what training goes on with is the optimizer's
                values[f"{name}-{kind}/losses"] = fit(model, x, 2)
    tf.keras.utils.set_random_seed(2)
    net, step = checkpoints.stack(tf.keras), tf.Variable(7)
    net.compile("adam", "mse")
    fit(net, checkpoints.X, 1)
    file = tf.train.Checkpoint(net=net, optimizer=net.optimizer, step=step)
    manager = tf.train.CheckpointManager(file, str(folder / "managed"), max_to_keep=2)
    for _ in range(3):
        fit(net, checkpoints.X, 1)
        manager.save()
    values["managed/predicted"] = net.predict(checkpoints.X, verbose=0)
    np.savez(folder / "values.npz", **values)
    shutil.make_archive(str(oracle.FOLDER / "checkpoints"), "zip", folder)


if __name__ == "__main__":
    main()
