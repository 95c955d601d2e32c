"""Small whole models, written once and built with whichever library is given.

Each builder takes the library (a module with `layers`, `Sequential`, `Input`, ...) and returns a
compiled model. `MODEL_CASES` says which data it eats. The stored files in `reference/files` were
written by these builders, after `TRAINING_STEPS` calls of `train_on_batch` on the stored batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .spec import ArrayInput as X

TRAINING_STEPS = 2
BATCH = 6


@dataclass(frozen=True)
class ModelCase:
    """A builder and its data. Inputs and targets are by name when the model's are.

    Attributes:
        id: Name of the files.
        builder: Takes the library, returns the compiled model.
        inputs, targets: One array, or arrays by name.
        is_serializable: False where only weights can be stored (a subclassed model).
        has_randomness: Training is random, so a resumed step cannot be compared.
        needs_adapt: The model has a `Normalization` called "normalization" to adapt first.
        in_legacy: A file by Keras 2 exists too.
    """

    id: str
    builder: Callable[[Any], Any]
    inputs: X | dict[str, X]
    targets: X | dict[str, X]
    is_serializable: bool = True
    has_randomness: bool = False
    needs_adapt: bool = False
    in_legacy: bool = False


def sequential_dense(k: Any) -> Any:
    model = k.Sequential(
        [
            k.Input((4,)),
            k.layers.Dense(5, activation="relu", name="hidden"),
            k.layers.Dense(3, activation="softmax", name="classes"),
        ],
        name="sequential_dense",
    )
    model.compile(
        optimizer=k.optimizers.Adam(0.01),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def cnn_first_layer_shape(k: Any) -> Any:
    """A course's first CNN in small, with `input_shape=` on the first layer and default names."""
    model = k.Sequential(
        [
            k.layers.Conv2D(4, (3, 3), activation="relu", input_shape=(12, 12, 3)),
            k.layers.MaxPooling2D((2, 2)),
            k.layers.Conv2D(6, (3, 3), activation="relu"),
            k.layers.Flatten(),
            k.layers.Dense(8, activation="relu"),
            k.layers.Dense(10, activation="softmax"),
        ],
        name="cnn_first_layer_shape",
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def cnn_batch_normalization(k: Any) -> Any:
    inputs = k.Input((8, 8, 3), name="image")
    x = k.layers.Conv2D(4, 3, padding="same", use_bias=False, name="conv_1")(inputs)
    x = k.layers.BatchNormalization(name="norm_1")(x)
    x = k.layers.ReLU(name="relu_1")(x)
    x = k.layers.MaxPooling2D(2, name="pool_1")(x)
    x = k.layers.Dropout(0.25, name="dropout_1")(x)
    x = k.layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = k.layers.SeparableConv2D(5, 3, activation="relu", name="separable")(x)
    x = k.layers.GlobalAveragePooling2D(name="pool_2")(x)
    outputs = k.layers.Dense(2, name="logits")(x)
    model = k.Model(inputs, outputs, name="cnn_batch_normalization")
    model.compile(
        optimizer=k.optimizers.RMSprop(0.01, momentum=0.5),
        loss=k.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[k.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    return model


def recurrent(k: Any) -> Any:
    model = k.Sequential(
        [
            k.Input((5, 3)),
            k.layers.Masking(name="masking"),
            k.layers.LSTM(4, return_sequences=True, name="lstm"),
            k.layers.Bidirectional(
                k.layers.GRU(3, return_sequences=True, name="gru"), name="both_ways"
            ),
            k.layers.TimeDistributed(k.layers.Dense(3, activation="tanh"), name="each_step"),
            k.layers.SimpleRNN(2, name="simple"),
            k.layers.Dense(1, name="value"),
        ],
        name="recurrent",
    )
    model.compile(
        optimizer=k.optimizers.SGD(0.05, momentum=0.9, nesterov=True), loss="mse", metrics=["mae"]
    )
    return model


def functional_named(k: Any) -> Any:
    """Two named inputs, two named outputs, a layer used twice and a model inside."""
    inner_input = k.Input((3,), name="inner_input")
    inner_output = k.layers.Dense(3, activation="tanh", name="inner_dense")(inner_input)
    inner = k.Model(inner_input, inner_output, name="inner")

    left = k.Input((4,), name="left")
    right = k.Input((4,), name="right")
    shared = k.layers.Dense(3, activation="relu", name="shared")
    a = inner(shared(left))
    b = inner(shared(right))
    joined = k.layers.Concatenate(name="joined")([a, b])
    difference = k.layers.Subtract(name="difference")([a, b])
    value = k.layers.Dense(1, name="value")(joined)
    kind = k.layers.Dense(3, activation="softmax", name="kind")(difference)
    model = k.Model(
        {"left": left, "right": right}, {"value": value, "kind": kind}, name="functional_named"
    )
    model.compile(
        optimizer=k.optimizers.Adam(0.01, amsgrad=True),
        loss={"value": "mse", "kind": "sparse_categorical_crossentropy"},
        loss_weights={"value": 0.5, "kind": 1.0},
        metrics={"value": ["mae"], "kind": ["accuracy"]},
    )
    return model


def functional_lists(k: Any) -> Any:
    """Two inputs and two outputs in lists; residual connections; merging layers."""
    first = k.Input((6,), name="first")
    second = k.Input((6,), name="second")
    x = k.layers.Add(name="sum")([first, second])
    y = k.layers.Multiply(name="product")([first, second])
    hidden = k.layers.Dense(6, name="hidden")(x)
    hidden = k.layers.LeakyReLU(name="leaky")(hidden)
    residual = k.layers.Average(name="residual")([hidden, y])
    one = k.layers.Dense(2, name="one")(residual)
    two = k.layers.Dense(1, activation="sigmoid", name="two")(residual)
    model = k.Model([first, second], [one, two], name="functional_lists")
    model.compile(optimizer=k.optimizers.Adagrad(0.05), loss=["mse", "binary_crossentropy"])
    return model


def attention(k: Any) -> Any:
    inputs = k.Input((6, 8), name="sequence")
    attended = k.layers.MultiHeadAttention(2, 4, dropout=0.0, name="heads")(inputs, inputs)
    x = k.layers.Add(name="residual_1")([inputs, attended])
    x = k.layers.LayerNormalization(epsilon=1e-6, name="norm_1")(x)
    hidden = k.layers.Dense(12, activation="gelu", name="hidden")(x)
    hidden = k.layers.Dense(8, name="project")(hidden)
    x = k.layers.LayerNormalization(name="norm_2")(x + hidden)
    x = k.layers.GlobalAveragePooling1D(name="pool")(x)
    outputs = k.layers.Dense(3, activation="softmax", name="classes")(x)
    model = k.Model(inputs, outputs, name="attention")
    model.compile(
        optimizer=k.optimizers.AdamW(0.01, weight_decay=0.02, clipnorm=1.0),
        loss="categorical_crossentropy",
        metrics=["categorical_accuracy"],
    )
    return model


def embedding(k: Any) -> Any:
    model = k.Sequential(
        [
            k.Input((7,), dtype="int32"),
            k.layers.Embedding(11, 4, mask_zero=True, name="embedding"),
            k.layers.LSTM(3, name="lstm"),
            k.layers.Dense(1, activation="sigmoid", name="probability"),
        ],
        name="embedding",
    )
    model.compile(optimizer="nadam", loss="binary_crossentropy", metrics=["binary_accuracy"])
    return model


def normalization(k: Any) -> Any:
    model = k.Sequential(
        [
            k.Input((5,)),
            k.layers.Normalization(name="normalization"),
            k.layers.Dense(
                4,
                activation="elu",
                kernel_regularizer=k.regularizers.L2(0.01),
                kernel_initializer=k.initializers.HeNormal(seed=3),
                name="hidden",
            ),
            k.layers.Dense(1, kernel_constraint=k.constraints.MaxNorm(2.0), name="value"),
        ],
        name="normalization",
    )
    model.compile(
        optimizer=k.optimizers.SGD(k.optimizers.schedules.ExponentialDecay(0.05, 10, 0.9)),
        loss=k.losses.Huber(),  # Keras's files lose a delta other than 1
        metrics=["mae", k.metrics.RootMeanSquaredError()],
    )
    return model


def operators(k: Any) -> Any:
    """Operators, slices and `ops` functions between symbolic tensors."""
    x = k.Input((6,), name="x")
    y = k.Input((6,), name="y")
    z = x + 2.0 * y - 1.0
    z = k.ops.relu(z)
    left = z[:, :3]
    right = z[:, 3:]
    joined = k.ops.concatenate([left * right, -left / 2.0], axis=-1)
    hidden = k.layers.Dense(4, name="hidden")(joined)
    hidden = k.ops.tanh(hidden) ** 2
    scaled = hidden / (1.0 + k.ops.sum(k.ops.abs(hidden), axis=1, keepdims=True))
    outputs = k.layers.Dense(1, name="value")(k.ops.reshape(scaled, (-1, 4)))
    model = k.Model([x, y], outputs, name="operators")
    model.compile(optimizer="adam", loss="mse")
    return model


def autoencoder(k: Any) -> Any:
    """Models inside a model, transposed convolution, up-sampling, padding and cropping."""
    encoder = k.Sequential(
        [
            k.Input((8, 8, 2)),
            k.layers.ZeroPadding2D(1, name="pad"),
            k.layers.Conv2D(3, 3, strides=2, activation="relu", name="down"),
            k.layers.GroupNormalization(groups=3, name="groups"),
            k.layers.Flatten(name="flat"),
            k.layers.Dense(4, name="code"),
        ],
        name="encoder",
    )
    decoder = k.Sequential(
        [
            k.Input((4,)),
            k.layers.Dense(32, name="spread"),
            k.layers.Reshape((4, 4, 2), name="image"),
            k.layers.PReLU(shared_axes=(1, 2), name="prelu"),
            k.layers.Conv2DTranspose(3, 3, strides=2, padding="same", name="up"),
            k.layers.UpSampling2D(2, interpolation="bilinear", name="bigger"),
            k.layers.Cropping2D(4, name="crop"),
            k.layers.Conv2D(2, 1, name="colours"),
        ],
        name="decoder",
    )
    inputs = k.Input((8, 8, 2), name="picture")
    model = k.Model(inputs, decoder(encoder(inputs)), name="autoencoder")
    model.compile(optimizer=k.optimizers.Adamax(0.01), loss="mean_absolute_error")
    return model


def subclassed(k: Any) -> Any:
    """A model of one's own: layers as attributes, in a list, in a dict, and a plain weight."""

    class Block(k.layers.Layer):
        def __init__(self, units: int, **kwargs: Any):
            super().__init__(**kwargs)
            self.units = units
            self.dense = k.layers.Dense(units, activation="relu")
            self.norm = k.layers.BatchNormalization()

        def build(self, input_shape: Any) -> None:
            self.dense.build(input_shape)
            self.norm.build((input_shape[0], self.units))
            self.gain = self.add_weight(shape=(self.units,), initializer="ones", name="gain")

        def call(self, inputs: Any, training: bool = False) -> Any:
            return self.norm(self.dense(inputs), training=training) * self.gain

    class Tower(k.Model):
        def __init__(self, **kwargs: Any):
            super().__init__(**kwargs)
            self.blocks = [Block(4), Block(3)]
            self.heads = {"value": k.layers.Dense(1), "kind": k.layers.Dense(2)}
            self.last = k.layers.Dense(2)

        def call(self, inputs: Any, training: bool = False) -> Any:
            x = inputs
            for block in self.blocks:
                x = block(x, training=training)
            joined = self.heads["value"](x) + self.heads["kind"](x)
            return self.last(joined)

    model = Tower(name="subclassed")
    model.compile(optimizer=k.optimizers.Adam(0.01), loss="mse")
    return model


MODEL_CASES: tuple[ModelCase, ...] = (
    ModelCase(
        "sequential_dense",
        sequential_dense,
        X((BATCH, 4)),
        X((BATCH,), "int32", 0, 3),
        in_legacy=True,
    ),
    ModelCase(
        "cnn_first_layer_shape",
        cnn_first_layer_shape,
        X((BATCH, 12, 12, 3), low=0),
        X((BATCH,), "int32", 0, 10),
        in_legacy=True,
    ),
    ModelCase(
        "cnn_batch_normalization",
        cnn_batch_normalization,
        X((BATCH, 8, 8, 3)),
        X((BATCH,), "int32", 0, 2),
        has_randomness=True,
        in_legacy=True,
    ),
    ModelCase("recurrent", recurrent, X((BATCH, 5, 3)), X((BATCH, 1)), in_legacy=True),
    ModelCase(
        "functional_named",
        functional_named,
        {"left": X((BATCH, 4)), "right": X((BATCH, 4))},
        {"value": X((BATCH, 1)), "kind": X((BATCH,), "int32", 0, 3)},
        in_legacy=True,
    ),
    ModelCase(
        "functional_lists",
        functional_lists,
        {"0": X((BATCH, 6)), "1": X((BATCH, 6))},
        {"0": X((BATCH, 2)), "1": X((BATCH, 1), "int32", 0, 2)},
        in_legacy=True,
    ),
    ModelCase(
        "attention",
        attention,
        X((BATCH, 6, 8)),
        X(values=((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1))),
    ),
    ModelCase(
        "embedding",
        embedding,
        X((BATCH, 7), "int32", 0, 11),
        X((BATCH, 1), "int32", 0, 2),
        in_legacy=True,
    ),
    ModelCase(
        "normalization",
        normalization,
        X((BATCH, 5), low=-3, high=9),
        X((BATCH, 1)),
        needs_adapt=True,
        in_legacy=True,
    ),
    ModelCase("operators", operators, {"0": X((BATCH, 6)), "1": X((BATCH, 6))}, X((BATCH, 1))),
    ModelCase("autoencoder", autoencoder, X((BATCH, 8, 8, 2)), X((BATCH, 8, 8, 2))),
    ModelCase("subclassed", subclassed, X((BATCH, 5)), X((BATCH, 2)), is_serializable=False),
)
MODEL_CASES_BY_ID: dict[str, ModelCase] = {case.id: case for case in MODEL_CASES}


def arrange(arrays: dict[str, Any]) -> Any:
    """Arrays by suffix in the form a model takes: `{"": a}` → a, `{"0": a, "1": b}` → list."""
    if set(arrays) == {""}:
        return arrays[""]
    if all(name.isdigit() for name in arrays):
        return [arrays[name] for name in sorted(arrays, key=int)]
    return dict(arrays)


def spread(value: Any) -> dict[str, Any]:
    """The inverse of `arrange`: one array, a list or a dict, as arrays by suffix."""
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, (list, tuple)):
        return {str(i): item for i, item in enumerate(value)}
    return {"": value}
