"""Models that are written as SavedModels by nacre and called by TensorFlow.

Each builder takes the library. Arrays are drawn by shape: whole numbers from 0 to 9, or floats from
0 to 1; those in `longer` have other sizes where the model leaves them open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class SavedCase:
    """A model and shapes of its inputs, one or by name.

    Attributes:
        shapes: Of a batch; `longer` of another one.
        dtype: Of the inputs.
        is_random: Whether training is, so that only inference is compared.
        in_keras: What tf.keras 2.15 opens it as.
        tolerance: How near results come.
        optimizer: What a file is compiled with.
    """

    build: Callable[[Any], Any]
    shapes: Any
    longer: Any
    dtype: str = "float32"
    is_random: bool = False
    in_keras: str = "Functional"
    tolerance: float = 1e-5
    optimizer: str = "adam"

    def arrays(self, shapes: Any) -> Any:
        """A batch."""
        if isinstance(shapes, dict):
            return {name: self.arrays(shape) for name, shape in shapes.items()}
        if isinstance(shapes, list):
            return [self.arrays(shape) for shape in shapes]
        random = np.random.default_rng(len(shapes) + shapes[0])
        if self.dtype == "string":
            return np.array([["a b"], ["b"], ["z c"], ["c a"]])[: shapes[0]]
        if "int" in self.dtype:
            return random.integers(0, 10, shapes).astype(self.dtype)
        return random.random(shapes).astype(self.dtype)


def dense(k: Any) -> Any:
    layers = k.layers
    parts = [layers.Dense(3, activation="relu"), layers.BatchNormalization(), layers.Dense(2)]
    return k.Sequential([k.Input((4,), name="features"), *parts])


def dropout(k: Any) -> Any:
    return k.Sequential([k.Input((4,)), k.layers.Dense(8), k.layers.Dropout(0.5)])


def images(k: Any) -> Any:
    layers = k.layers
    x = inputs = k.Input((9, 8, 3), name="image")
    x = layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.SeparableConv2D(4, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.Conv2DTranspose(3, 3, strides=2, padding="same")(x)
    return k.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))


def words(k: Any) -> Any:
    layers = k.layers
    inputs = k.Input((None,), dtype="int64", name="ids")
    x = layers.Embedding(10, 4, mask_zero=True)(inputs)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    return k.Model(inputs, layers.Dense(2, name="scores")(layers.GRU(3)(x)))


def attention(k: Any) -> Any:
    layers = k.layers
    inputs = k.Input((None, 8))
    x = layers.MultiHeadAttention(2, 4)(inputs, inputs)
    x = layers.LayerNormalization()(layers.Add()([x, inputs]))
    return k.Model(inputs, layers.Dense(2)(layers.GlobalMaxPooling1D()(x)))


def dilated(k: Any) -> Any:
    x = inputs = k.Input((None, 4))
    for rate in (1, 2, 4):
        conv = k.layers.Conv1D(4, 2, dilation_rate=rate, padding="causal", activation="relu")
        x = conv(x)
    return k.Model(inputs, k.layers.Conv1D(1, 1)(x))


def by_name(k: Any) -> Any:
    layers = k.layers
    a, b = k.Input((3,), name="a"), k.Input((2,), name="b")
    hidden = layers.Dense(4, activation="tanh")(layers.Concatenate()([a, b]))
    outputs = {"y": layers.Dense(1, name="y")(hidden), "z": layers.Dense(2, name="z")(hidden)}
    return k.Model({"a": a, "b": b}, outputs)


def nested(k: Any) -> Any:
    inner = k.Sequential(
        [k.Input((4,)), k.layers.Dense(4), k.layers.BatchNormalization()], name="inner"
    )
    inputs = k.Input((4,))
    return k.Model(inputs, k.layers.Dense(2)(inner(inner(inputs)) + inputs))


def half(k: Any) -> Any:
    policy = "mixed_float16"
    inputs = k.Input((4,))
    x = k.layers.Dense(6, activation="relu", dtype=policy)(inputs)
    return k.Model(inputs, k.layers.Dense(2, dtype="float32")(x))


def own_class(k: Any) -> Any:
    class Own(k.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = k.layers.Dense(4, activation="relu")
            self.normal = k.layers.BatchNormalization()
            self.head = k.layers.Dense(2)

        def call(self, inputs: Any, training: bool = False) -> Any:
            return self.head(self.normal(self.hidden(inputs), training=training))

    model = Own()
    model(np.zeros((1, 4), "float32"))
    return model


def branches(k: Any) -> Any:
    dense = k.layers.Dense
    inputs = k.Input((4,))
    a, b, c = (dense(3)(inputs) for _ in range(3))
    d = dense(3)(k.layers.Subtract()([b, dense(3)(a)]))
    return k.Model(inputs, [dense(1)(d * 2.0 + c - b), dense(1)(k.layers.Concatenate()([a, b]))])


def normalized(k: Any) -> Any:
    layer = k.layers.Normalization()
    layer.adapt(np.arange(40.0).reshape(10, 4))
    return k.Sequential([k.Input((4,)), layer, k.layers.Dense(2)])


def shared(k: Any) -> Any:
    layer = k.layers.Dense(4, activation="tanh")
    inputs = [k.Input((4,)), k.Input((4,))]
    return k.Model(inputs, k.layers.Dot(1)([layer(x) for x in inputs]))


def looked_up(k: Any) -> Any:
    layers = k.layers
    inputs = k.Input((2,), dtype="int64")
    x = layers.Embedding(5, 3)(layers.IntegerLookup(vocabulary=[3, 5, 7])(inputs))
    return k.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


def texts(k: Any) -> Any:
    layers = k.layers
    words = layers.TextVectorization(output_sequence_length=4)
    words.adapt(["a b c", "b c"])
    inputs = k.Input((1,), dtype="string")
    x = layers.Embedding(9, 3)(words(inputs))
    return k.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


def binned(k: Any) -> Any:
    layers = k.layers
    bins = layers.Discretization(num_bins=4)
    bins.adapt(np.arange(40.0).reshape(-1, 1) / 40)
    inputs = k.Input((4,))
    x = layers.Embedding(5, 3)(bins(inputs))
    return k.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


def regularized(k: Any) -> Any:
    layers = k.layers
    kept = {"kernel_regularizer": "l2", "kernel_constraint": "max_norm"}
    parts = [layers.Dense(3, activity_regularizer="l1", **kept), layers.LeakyReLU()]
    return k.Sequential([k.Input((4,)), *parts, layers.Dense(1, bias_regularizer="l1")])


def blocks(k: Any) -> Any:
    layers = k.layers
    inner = k.Input((3, 8))
    x = layers.MultiHeadAttention(2, 4)(inner, inner)
    block = k.Model(inner, layers.LayerNormalization()(x + inner))
    inputs = k.Input((3, 8))
    return k.Model(inputs, block(block(inputs)))


def films(k: Any) -> Any:
    layers = k.layers
    cells = layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)])
    parts = [layers.TimeDistributed(layers.Conv2D(2, 3)), layers.TimeDistributed(layers.Flatten())]
    return k.Sequential([k.Input((3, 6, 6, 2)), *parts, cells, layers.Dense(1)])


CASES: dict[str, SavedCase] = {
    "dense": SavedCase(dense, (5, 4), (1, 4), in_keras="Sequential"),
    "dropout": SavedCase(dropout, (5, 4), (2, 4), is_random=True, in_keras="Sequential"),
    "images": SavedCase(images, (3, 9, 8, 3), (1, 9, 8, 3)),
    "words": SavedCase(words, (3, 5), (2, 9), "int64"),
    "attention": SavedCase(attention, (3, 5, 8), (2, 7, 8)),
    "dilated": SavedCase(dilated, (3, 9, 4), (2, 4, 4)),
    "by_name": SavedCase(by_name, {"a": (3, 3), "b": (3, 2)}, {"a": (1, 3), "b": (1, 2)}),
    "nested": SavedCase(nested, (3, 4), (6, 4)),
    "half": SavedCase(half, (3, 4), (2, 4), tolerance=2e-3),
    "own_class": SavedCase(own_class, (3, 4), (6, 4), in_keras="SavedOwn"),
}

# Models that are written as `.h5` files for tf.keras 2.15.
FILES: dict[str, SavedCase] = {
    "dense": CASES["dense"],
    "dropout": replace(CASES["dropout"], optimizer="sgd"),
    "images": replace(CASES["images"], optimizer="rmsprop"),
    "words": replace(CASES["words"], optimizer="adamw"),
    "attention": replace(CASES["attention"], optimizer="nadam"),
    "dilated": replace(CASES["dilated"], optimizer="adagrad"),
    "by_name": replace(CASES["by_name"], optimizer="adadelta"),
    "nested": replace(CASES["nested"], optimizer="adamax"),
    "half": replace(CASES["half"], optimizer="ftrl"),
    "branches": SavedCase(branches, (5, 4), (), optimizer="lion"),
    "normalized": SavedCase(normalized, (5, 4), ()),
    "shared": SavedCase(shared, [(3, 4), (3, 4)], (), optimizer="adafactor"),
    "looked_up": SavedCase(looked_up, (5, 2), (), "int64"),
    "texts": SavedCase(texts, (4, 1), (), "string"),
    "binned": SavedCase(binned, (5, 4), ()),
    "regularized": SavedCase(regularized, (5, 4), ()),
    "blocks": SavedCase(blocks, (2, 3, 8), ()),
    "films": SavedCase(films, (2, 3, 6, 6, 2), ()),
}
