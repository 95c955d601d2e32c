"""Models whose checkpoints real tf.keras wrote; `keras` is either library."""

from __future__ import annotations

from typing import Any

import numpy as np

FEATURES = 4
X = np.linspace(-1, 1, 12 * FEATURES, dtype="float32").reshape(12, FEATURES)
Y = np.stack([X.sum(1), X[:, 0]], 1)


def stack(keras: Any) -> Any:
    """BatchNormalization between two Dense layers."""
    layers = keras.layers
    first = layers.Dense(3, activation="relu", name="first")
    parts = [first, layers.BatchNormalization(), layers.Dropout(0.1), layers.Dense(2)]
    return keras.Sequential([keras.Input((FEATURES,)), *parts])


def nested(keras: Any) -> Any:
    """A graph with a model within, used twice, and two inputs."""
    layers = keras.layers
    encoder = keras.Sequential(
        [keras.Input((FEATURES,)), layers.Dense(3, activation="tanh"), layers.Dense(3)],
        name="encoder",
    )
    a, b = keras.Input((FEATURES,), name="a"), keras.Input((FEATURES,), name="b")
    left, right = encoder(a), encoder(b)
    joined = layers.Concatenate()([left, right, layers.Subtract()([left, right])])
    return keras.Model([a, b], layers.Dense(2, name="head")(joined))


def sequences(keras: Any) -> Any:
    """Recurrent layers and attention."""
    layers = keras.layers
    x = inputs = keras.Input((FEATURES,))
    x = layers.Reshape((FEATURES, 1))(x)
    x = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(x)
    x = layers.MultiHeadAttention(2, 2)(x, x)
    x = layers.GRU(3)(layers.LayerNormalization()(x))
    return keras.Model(inputs, layers.Dense(2)(x))


def own_class(keras: Any) -> Any:
    """A class with layers in attributes, lists and dicts, a model within and a variable."""
    layers = keras.layers

    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.zed = layers.Dense(3)
            self.blocks = [layers.Dense(3), layers.Dense(3)]
            self.heads = {"a": layers.Dense(2), "b": layers.Dense(2)}
            self.inner = keras.Sequential([layers.Dense(3), layers.Dense(3)])
            self.scale = self.add_weight(name="scale", shape=(2,), initializer="ones")

        def call(self, x: Any) -> Any:
            x = self.zed(x)
            for block in self.blocks:
                x = block(x)
            x = self.inner(x)
            return (self.heads["a"](x) + self.heads["b"](x)) * self.scale

    model = Own()
    model(X[:1])
    return model


MODELS = {"stack": stack, "nested": nested, "sequences": sequences, "own_class": own_class}


def inputs_of(name: str) -> Any:
    """What the model of a name is called on."""
    return [X, X[::-1].copy()] if name == "nested" else X
