"""Models that several versions of Keras wrote to files, beside those in `models.py`.

Each builder takes the library: tf.keras 2 or Keras 3. A class of one's own is written with it too,
and registered under the name that the files have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from .models import BATCH, MODEL_CASES_BY_ID, ModelCase
from .spec import ArrayInput as X

PACKAGE = "corpus"


@dataclass(frozen=True)
class VersionCase(ModelCase):
    """A case of `models.py` for all versions.

    Attributes:
        own_classes: Takes the library and gives the classes and functions that a file names.
        is_safe: False where a file holds Python code.
        tolerance: How near predictions come.
    """

    own_classes: Callable[[Any], dict[str, Any]] | None = None
    is_safe: bool = True
    tolerance: float = 1e-5


# -------------------------------------------------------------------- classes of one's own


@cache
def own_classes(k: Any) -> dict[str, Any]:
    """A layer with a weight and a layer within, an activation and a loss, all registered."""
    saving = k.saving if hasattr(k, "saving") else k.utils

    @saving.register_keras_serializable(PACKAGE)
    class Gated(k.layers.Layer):
        """A Dense layer times a gate that is learnt."""

        def __init__(self, units: int, activation: Any = None, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units = units
            self.activation = k.activations.get(activation)
            self.inner = k.layers.Dense(units, name="inner")

        def build(self, input_shape: Any) -> None:
            self.inner.build(input_shape)
            self.gate = self.add_weight(name="gate", shape=(self.units,), initializer="ones")
            self.built = True

        def call(self, inputs: Any, training: Any = None) -> Any:
            return self.activation(self.inner(inputs)) * self.gate

        def compute_output_shape(self, input_shape: Any) -> Any:
            return (*input_shape[:-1], self.units)

        def get_config(self) -> dict[str, Any]:
            own = {
                "units": self.units,
                "activation": k.activations.serialize(self.activation),
            }
            return {**super().get_config(), **own}

    @saving.register_keras_serializable(PACKAGE)
    def leaky_cube(x: Any) -> Any:
        return x * x * x + 0.1 * x

    @saving.register_keras_serializable(PACKAGE)
    class Shifted(k.losses.Loss):
        """Mean of (difference - shift)²."""

        def __init__(self, shift: float = 0.0, name: str = "shifted", **kwargs: Any) -> None:
            super().__init__(name=name, **kwargs)
            self.shift = shift

        def call(self, y_true: Any, y_pred: Any) -> Any:
            difference = y_pred - y_true - self.shift
            return (
                k.backend.mean(difference * difference, axis=-1)
                if _is_keras2(k)
                else k.ops.mean(difference * difference, axis=-1)
            )

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "shift": self.shift}

    return {"Gated": Gated, "leaky_cube": leaky_cube, "Shifted": Shifted}


def _is_keras2(k: Any) -> bool:
    return not hasattr(k, "ops")


def own_layer(k: Any) -> Any:
    classes = own_classes(k)
    inputs = k.Input((4,), name="x")
    x = classes["Gated"](3, activation=classes["leaky_cube"], name="gated")(inputs)
    outputs = k.layers.Dense(2, name="head")(x)
    model = k.Model(inputs, outputs, name="own_layer")
    model.compile(k.optimizers.Adam(0.01), loss=classes["Shifted"](0.25))
    return model


# -------------------------------------------------------------------- other kinds

COLOURS = ("red", "green", "blue", "mauve")


def words(k: Any) -> Any:
    """Vocabularies of strings and of numbers, bins, and what `adapt` measured."""
    colour = k.Input((1,), dtype="string", name="colour")
    shop = k.Input((1,), dtype="int64", name="shop")
    price = k.Input((3,), name="price")
    look_up = k.layers.StringLookup(num_oov_indices=2, name="look_up")
    look_up.adapt(np.array([[c] for c in ("red", "green", "red", "blue", "red", "green")]))
    number = k.layers.IntegerLookup(vocabulary=[7, 11, 42], output_mode="one_hot", name="number")
    bins = k.layers.Discretization(bin_boundaries=[-0.5, 0.0, 0.5], name="bins")
    normalization = k.layers.Normalization(name="normalization")
    normalization.adapt(np.arange(12, dtype="float32").reshape(4, 3) / 7)
    embedded = k.layers.Flatten(name="flat")(
        k.layers.Embedding(6, 2, name="embed")(look_up(colour))
    )
    encoded = k.layers.CategoryEncoding(4, output_mode="multi_hot", name="encode")(bins(price))
    parts = [embedded, number(shop), encoded, normalization(price)]
    outputs = k.layers.Dense(2, name="head")(k.layers.Concatenate(name="joined")(parts))
    model = k.Model({"colour": colour, "shop": shop, "price": price}, outputs, name="words")
    model.compile(k.optimizers.SGD(0.05), loss="mse")
    return model


TEXTS = ("the cat sat", "a dog ran off", "the dog sat down", "cat and dog", "birds", "the the end")


def text(k: Any) -> Any:
    """Strings to numbers inside the model, then a masked Embedding and a GRU."""
    vectorize = k.layers.TextVectorization(
        max_tokens=12, output_sequence_length=5, name="vectorize"
    )
    vectorize.adapt(np.array(TEXTS))
    model = k.Sequential(
        [
            k.Input((1,), dtype="string"),
            vectorize,
            k.layers.Embedding(12, 3, mask_zero=True, name="embed"),
            k.layers.GRU(3, reset_after=False, name="gru"),
            k.layers.Dense(1, activation="sigmoid", name="head"),
        ],
        name="text",
    )
    # Not RMSprop: for a token that comes twice Keras 3 on TensorFlow squares each gradient alone.
    model.compile(k.optimizers.SGD(0.05, momentum=0.9), loss="binary_crossentropy")
    return model


def mixed(k: Any) -> Any:
    """Variables of float32 that compute in float16, the loss scaled; the head in float32."""
    policy = "mixed_float16"
    model = k.Sequential(
        [
            k.Input((4,)),
            k.layers.Dense(6, activation="relu", dtype=policy, name="hidden"),
            k.layers.BatchNormalization(dtype=policy, name="norm"),
            k.layers.Dense(2, dtype="float32", name="head"),
        ],
        name="mixed",
    )
    optimizer = k.mixed_precision.LossScaleOptimizer(k.optimizers.Adam(0.01))
    model.compile(optimizer, loss="mse")
    return model


def frozen(k: Any) -> Any:
    """A model within whose layers are frozen, one layer alone, and a schedule for the rest."""
    base = k.Sequential(
        [
            k.Input((4,)),
            k.layers.Dense(5, name="base_dense"),
            k.layers.BatchNormalization(name="base_norm"),
        ],
        name="base",
    )
    base.trainable = False
    inputs = k.Input((4,), name="x")
    x = base(inputs)
    x = k.layers.Dense(3, activation="tanh", trainable=False, name="still")(x)
    x = k.layers.BatchNormalization(momentum=0.5, name="norm")(x)
    outputs = k.layers.Dense(2, kernel_regularizer="l2", name="head")(x)
    model = k.Model(inputs, outputs, name="frozen")
    schedule = k.optimizers.schedules.PiecewiseConstantDecay([1, 2], [0.05, 0.1, 0.02])
    model.compile(k.optimizers.SGD(schedule, momentum=0.5), loss="mse")
    return model


def stateful(k: Any) -> Any:
    """States carried from batch to batch, of two kinds of cells; a batch size is given."""
    inputs = k.Input(batch_shape=(BATCH, 4, 3), name="x")
    x = k.layers.LSTM(3, return_sequences=True, stateful=True, name="lstm")(inputs)
    cells = [k.layers.GRUCell(3, name="cell_1"), k.layers.SimpleRNNCell(2, name="cell_2")]
    x = k.layers.RNN(cells, go_backwards=True, name="stacked")(x)
    model = k.Model(inputs, k.layers.Dense(1, name="head")(x), name="stateful")
    model.compile(k.optimizers.Adagrad(0.05), loss="mae")
    return model


def expressions(k: Any) -> Any:
    """Operators, slices and functions between symbolic tensors, in the library's own spelling."""
    x, y = k.Input((6,), name="x"), k.Input((6,), name="y")
    z = x + 2.0 * y - 1.0
    if _is_keras2(k):
        import tensorflow as tf

        relu, concat, tanh, mean, reshape = (
            tf.nn.relu, tf.concat, tf.math.tanh, tf.reduce_mean, tf.reshape,
        )  # fmt: skip
        cast = tf.cast
    else:
        relu, concat, tanh = k.ops.relu, k.ops.concatenate, k.ops.tanh
        mean, reshape, cast = k.ops.mean, k.ops.reshape, k.ops.cast
    z = relu(z)
    left, right = z[:, :3], z[:, 3:]
    joined = concat([left * right, -left / 2.0], axis=-1)
    hidden = k.layers.Dense(4, name="hidden")(joined)
    hidden = tanh(hidden) ** 2
    hidden = hidden - mean(hidden, axis=1, keepdims=True)
    hidden = hidden * cast(x[:, 0:1] > 0.0, "float32") + hidden
    outputs = k.layers.Dense(1, name="value")(reshape(hidden, (-1, 4)))
    model = k.Model([x, y], outputs, name="expressions")
    model.compile(k.optimizers.Adam(0.01), loss="mse")
    return model


def code(k: Any) -> Any:
    """A Lambda layer with a Python lambda, and one with arguments."""
    model = k.Sequential(
        [
            k.Input((4,)),
            k.layers.Dense(4, name="hidden"),
            k.layers.Lambda(lambda x: x * x - 1.0, name="square"),
            k.layers.Dense(2, name="head"),
        ],
        name="code",
    )
    model.compile(k.optimizers.SGD(0.05), loss="mse")
    return model


def own_model(k: Any) -> Any:
    """A class with layers in a list, a plain variable, dropout, a loss added in `call`."""

    class Net(k.Model):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.blocks = [k.layers.Dense(5, activation="relu"), k.layers.BatchNormalization()]
            self.drop = k.layers.Dropout(0.5)
            self.head = k.layers.Dense(2, kernel_regularizer=k.regularizers.L2(0.01))
            self.gain = self.add_weight(name="gain", shape=(5,), initializer="ones")

        def call(self, inputs: Any, training: Any = False) -> Any:
            x = self.blocks[0](inputs)
            x = self.blocks[1](x, training=training) * self.gain
            return self.head(self.drop(x, training=training))

    model = Net(name="own_model")
    model.compile(k.optimizers.Adam(0.01), loss="mse")
    return model


_TAKEN = (
    "sequential_dense", "cnn_batch_normalization", "recurrent", "functional_named",
    "functional_lists", "attention", "embedding", "normalization", "autoencoder",
)  # fmt: skip


def _taken(case: ModelCase) -> VersionCase:
    return VersionCase(**vars(case))


_STRINGS = {"colour": X(values=[[c] for c in ("red", "blue", "mauve", "green", "red", "?")], dtype="str"),
            "shop": X(values=[[7], [42], [1], [11], [7], [0]], dtype="int64"),
            "price": X((BATCH, 3))}  # fmt: skip

VERSION_CASES: tuple[VersionCase, ...] = (
    *(_taken(MODEL_CASES_BY_ID[name]) for name in _TAKEN),
    VersionCase("own_layer", own_layer, X((BATCH, 4)), X((BATCH, 2)), own_classes=own_classes),
    VersionCase("words", words, _STRINGS, X((BATCH, 2))),
    VersionCase(
        "text",
        text,
        X(values=[[t] for t in TEXTS], dtype="str"),
        X((BATCH, 1), "int32", 0, 2),
    ),
    # A float16 has 11 bits.
    VersionCase("mixed", mixed, X((BATCH, 4)), X((BATCH, 2)), tolerance=4e-3),
    VersionCase("frozen", frozen, X((BATCH, 4)), X((BATCH, 2))),
    VersionCase("stateful", stateful, X((BATCH, 4, 3)), X((BATCH, 1))),
    VersionCase(
        "expressions", expressions, {"0": X((BATCH, 6)), "1": X((BATCH, 6))}, X((BATCH, 1))
    ),
    VersionCase("code", code, X((BATCH, 4)), X((BATCH, 2)), is_safe=False),
    VersionCase(
        "own_model",
        own_model,
        X((BATCH, 4)),
        X((BATCH, 2)),
        is_serializable=False,
        has_randomness=True,
    ),
)
VERSION_CASES_BY_ID = {case.id: case for case in VERSION_CASES}
