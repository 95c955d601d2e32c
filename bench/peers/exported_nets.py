"""Nets that are exported by both sides: the same layers of Keras, and of nacre."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _mlp(k: Any) -> Any:
    x = k.Input((64,), name="x")
    y = x
    for _ in range(3):
        y = k.layers.Dense(256, activation="relu")(y)
    return k.Model(x, k.layers.Dense(10, activation="softmax")(y))


def _convolutions(k: Any) -> Any:
    x = k.Input((28, 28, 1), name="x")
    y = x
    for filters in (32, 64):
        y = k.layers.Conv2D(filters, 3, activation="relu")(y)
        y = k.layers.MaxPooling2D()(y)
    y = k.layers.Dropout(0.5)(k.layers.Flatten()(y))
    return k.Model(x, k.layers.Dense(10, activation="softmax")(y))


def _residual(k: Any) -> Any:
    x = k.Input((64, 64, 3), name="x")
    y = k.layers.Conv2D(32, 3, padding="same")(x)
    for filters in (32, 64, 128):
        before = k.layers.Conv2D(filters, 1, strides=2)(y)
        y = k.layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(y)
        y = k.layers.ReLU()(k.layers.BatchNormalization()(y))
        y = k.layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
        y = k.layers.ReLU()(k.layers.Add()([k.layers.BatchNormalization()(y), before]))
    return k.Model(x, k.layers.Dense(100)(k.layers.GlobalAveragePooling2D()(y)))


def _separable(k: Any) -> Any:
    x = k.Input((64, 64, 3), name="x")
    y = k.layers.Conv2D(16, 3, strides=2, padding="same")(x)
    for filters in (32, 64, 128):
        y = k.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(y)
        y = k.layers.ReLU(max_value=6.0)(k.layers.BatchNormalization()(y))
        y = k.layers.Conv2D(filters, 1, strides=2, use_bias=False)(y)
        y = k.layers.ReLU(max_value=6.0)(k.layers.BatchNormalization()(y))
    return k.Model(x, k.layers.Dense(100)(k.layers.GlobalAveragePooling2D()(y)))


def _segmentation(k: Any) -> Any:
    x = k.Input((64, 64, 3), name="x")
    one = k.layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    two = k.layers.Conv2D(32, 3, padding="same", activation="relu")(k.layers.MaxPooling2D()(one))
    y = k.layers.UpSampling2D(interpolation="bilinear")(two)
    y = k.layers.Concatenate()([one, y])
    y = k.layers.Conv2DTranspose(16, 2, strides=2)(k.layers.MaxPooling2D()(y))
    return k.Model(x, k.layers.Conv2D(5, 1, activation="softmax")(y))


def _sequence(k: Any) -> Any:
    x = k.Input((40, 32), name="x")
    y = k.layers.Conv1D(64, 5, padding="same", activation="relu")(x)
    y = k.layers.Conv1D(64, 5, padding="causal", dilation_rate=2, activation="relu")(y)
    return k.Model(x, k.layers.Dense(8)(k.layers.GlobalMaxPooling1D()(y)))


def _lstm(k: Any) -> Any:
    x = k.Input((40, 32), name="x")
    y = k.layers.LSTM(64, return_sequences=True)(x)
    return k.Model(x, k.layers.Dense(8)(k.layers.LSTM(64)(y)))


def _transformer(k: Any) -> Any:
    x = k.Input((32, 128), name="x")
    y = x
    for _ in range(2):
        z = k.layers.LayerNormalization()(y)
        y = k.layers.Add()([y, k.layers.MultiHeadAttention(4, 32)(z, z)])
        z = k.layers.Dense(256, activation="gelu")(k.layers.LayerNormalization()(y))
        y = k.layers.Add()([y, k.layers.Dense(128)(z)])
    return k.Model(x, k.layers.Dense(10)(k.layers.GlobalAveragePooling1D()(y)))


NETS: dict[str, Callable[[Any], Any]] = {
    "mlp": _mlp,
    "convolutions": _convolutions,
    "residual": _residual,
    "separable": _separable,
    "segmentation": _segmentation,
    "sequence": _sequence,
    "lstm": _lstm,
    "transformer": _transformer,
}


def with_weights(k: Any, name: str) -> Any:
    """A net whose weights are the same on both sides; variances stay above 0."""
    k.utils.set_random_seed(0)
    net, random = NETS[name](k), np.random.default_rng(0)
    for weight in net.weights:
        if weight.dtype != "float32":
            continue
        if len(weight.shape) > 1:
            scale = np.prod(weight.shape[:-1]) ** -0.5
            weight.assign(random.normal(0, scale, weight.shape).astype("float32"))
        else:
            weight.assign(random.uniform(0.5, 1, weight.shape).astype("float32"))
    return net


__all__ = ["NETS", "with_weights"]
