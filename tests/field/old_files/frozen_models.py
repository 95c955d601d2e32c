"""Models whose parts are frozen in several ways, for `nacre` and for the Keras that wrote files.

`Pair` is a layer of a user's with two layers of the same shapes, weights of its own, and a
BatchNormalization within.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def pair_class(keras: Any) -> Any:
    """The custom layer, for one library."""

    class Pair(keras.layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.first = keras.layers.Dense(3)
            self.second = keras.layers.Dense(3)
            self.norm = keras.layers.BatchNormalization()
            self.more = [keras.layers.Dense(3)]

        def build(self, shape: Any) -> None:
            self.own = self.add_weight(name="own", shape=(3,))
            self.fixed = self.add_weight(name="fixed", shape=(3,), trainable=False)
            if hasattr(keras, "ops"):  # tf.keras names weights after the call that builds them
                for layer in (self.first, self.second, self.norm, *self.more):
                    layer.build(shape)
            super().build(shape)

        def call(self, x: Any) -> Any:
            x = self.second(self.first(x) + self.own) * 0.5
            return self.more[0](self.norm(x)) + self.fixed

        def compute_output_shape(self, shape: Any) -> Any:
            return shape

    return Pair


def custom(keras: Any) -> tuple[Any, Callable[[], list[Any]]]:
    inputs = keras.Input((3,))
    layer = pair_class(keras)()
    return keras.Model(inputs, layer(inputs)), lambda: [layer, layer.first]


def wrapped(keras: Any) -> tuple[Any, Callable[[], list[Any]]]:
    inputs = keras.Input((2, 3))
    layer = pair_class(keras)()
    outputs = keras.layers.TimeDistributed(layer)(inputs)
    return keras.Model(inputs, outputs), lambda: [layer, layer.first]


def sequential(keras: Any) -> tuple[Any, Callable[[], list[Any]]]:
    within = [keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dense(3)]
    inner = keras.Sequential([keras.Input((3,)), *within])
    return keras.Sequential([keras.Input((3,)), inner]), lambda: [inner, within[0]]


def functional(keras: Any) -> tuple[Any, Callable[[], list[Any]]]:
    inner_inputs = keras.Input((3,))
    first, second = keras.layers.Dense(3, name="alpha"), keras.layers.Dense(3, name="beta")
    inner = keras.Model(inner_inputs, second(first(inner_inputs)))
    deeper_inputs = keras.Input((3,))
    third = keras.layers.Dense(3)
    deeper = keras.Model(deeper_inputs, third(inner(deeper_inputs)))
    inputs = keras.Input((3,))
    return keras.Model(inputs, deeper(inputs)), lambda: [deeper, first]


def bidirectional(keras: Any) -> tuple[Any, Callable[[], list[Any]]]:
    layer = keras.layers.Bidirectional(keras.layers.GRU(2, return_sequences=True))
    inputs = keras.Input((2, 3))
    return keras.Model(inputs, layer(inputs)), lambda: [layer, layer.forward_layer]


MODELS = {f.__name__: f for f in (custom, wrapped, sequential, functional, bidirectional)}
# What is frozen: nothing, the first layer within, all of the holder.
STATES = ("none", "first", "all")


def freeze(parts: list[Any], state: str) -> None:
    """Bring a model into one of `STATES`."""
    holder, first = parts
    holder.trainable = True
    if state == "first":
        first.trainable = False
    elif state == "all":
        holder.trainable = False
