"""Write `penalties.zip`: SavedModels of tf.keras whose layers add losses and penalties.

    python make_penalties.py            (TensorFlow 2.15.1)

The classes are not at hand when nacre opens them. `numbers.json` has each model's losses for `X`
and the loss of three steps of plain gradient descent.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

OUT = Path(__file__).with_name("penalties.zip")
X = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)
keras = tf.keras
layers, regularizers = keras.layers, keras.regularizers


class Penalized(layers.Layer):
    """A weight and a layer within with penalties, one on outputs, and a loss of its own."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = layers.Dense(
            3, kernel_regularizer=regularizers.L2(0.5), activity_regularizer=regularizers.L1(0.01)
        )

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(
            "scale", (3,), initializer="ones", regularizer=regularizers.L1(0.1)
        )

    def call(self, inputs: Any) -> Any:
        outputs = self.inner(inputs) * self.scale
        self.add_loss(tf.reduce_mean(outputs**2))
        return outputs


class Block(layers.Layer):
    """Such a layer in another one, without a config."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.parts = [Penalized(), layers.Dense(3, kernel_regularizer="l1")]

    def call(self, inputs: Any) -> Any:
        return self.parts[1](self.parts[0](inputs))


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = Penalized(), layers.Dense(2, kernel_regularizer="l2")

    def call(self, inputs: Any) -> Any:
        return self.last(self.first(inputs))


def functional() -> Any:
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Dense(2, kernel_regularizer="l2")(Penalized()(inputs)))


def stack() -> Any:
    return keras.Sequential([keras.Input((4,)), Block(), layers.Dense(2, kernel_regularizer="l1")])


def main() -> None:
    numbers: dict[str, Any] = {}
    folder = Path(tempfile.mkdtemp())
    for name, build in {"functional": functional, "stack": stack, "model": Subclassed}.items():
        tf.random.set_seed(1)
        model = build()
        outputs = model(X, training=True)
        losses = [float(loss) for loss in model.losses]
        model.compile("sgd", "mse")
        model.predict(X, verbose=0)
        model.save(folder / name)
        steps = [float(model.train_on_batch(X, np.zeros_like(outputs))) for _ in range(3)]
        numbers[name] = {"losses": losses, "steps": steps}
    with zipfile.ZipFile(OUT, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
        archive.writestr("numbers.json", json.dumps(numbers))
    print(f"{OUT}: {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
