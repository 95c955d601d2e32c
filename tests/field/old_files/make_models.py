"""Write `models.zip` and `models.npz`: models saved by tf.keras 2.15, and what they compute.

Usage: python make_models.py, where tf.keras 2.15 is installed.

Each model is trained a step, saved as `.keras` and `.h5`, and its outputs for the stored inputs
written down, all arrays by name.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import packing
import tensorflow as tf
from custom_layers import custom_classes

HERE = Path(__file__).parent
K, L = tf.keras, tf.keras.layers
CUSTOM = custom_classes(tf.keras)
Data = Any  # an array, or a list of some
MODELS: dict[str, Callable[[np.random.Generator], tuple[Any, Data, Data]]] = {}


def model(builder: Callable[[np.random.Generator], tuple[Any, Data, Data]]) -> Any:
    MODELS[builder.__name__] = builder
    return builder


def floats(random: np.random.Generator, *shape: int) -> np.ndarray:
    return random.normal(size=shape).astype("float32")


def compiled(net: Any, optimizer: Any = "adam", loss: Any = "mse", **others: Any) -> Any:
    net.compile(optimizer, loss, **others)
    return net


@model
def autoencoder(random):
    i = K.Input((8, 8, 1))
    x = L.Conv2D(4, 3, strides=2, padding="same", activation="relu")(i)
    x = L.BatchNormalization()(x)
    x = L.Conv2DTranspose(3, 3, strides=2, padding="same", activation="relu")(x)
    x = L.Conv2D(1, 3, padding="same", activation="sigmoid")(L.UpSampling2D(1)(x))
    x = floats(random, 2, 8, 8, 1), x
    return compiled(K.Model(i, x[1]), loss="binary_crossentropy"), x[0], x[0] > 0


@model
def transformer(random):
    tokens = K.Input((6,), dtype="int32")
    positions = tf.range(0, 6, 1)
    x = L.Embedding(20, 8, mask_zero=True)(tokens) + L.Embedding(6, 8)(positions)
    attended = L.MultiHeadAttention(2, 4, dropout=0.1)(x, x)
    x = L.LayerNormalization(epsilon=1e-6)(x + attended)
    inner = L.Dense(8)(tf.nn.gelu(L.Dense(12)(x)))
    x = L.LayerNormalization()(x + L.Dropout(0.1)(inner))
    x = tf.reduce_mean(x, axis=1)
    net = K.Model(tokens, L.Dense(3, activation="softmax")(x))
    compiled(net, K.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return net, random.integers(1, 20, (2, 6)).astype("int32"), np.array([0, 2])


@model
def unet(random):
    i = K.Input((8, 8, 2))
    a = L.Conv2D(3, 3, padding="same", activation="relu")(i)
    b = L.Conv2D(4, 3, padding="same", activation="relu")(L.MaxPooling2D()(a))
    up = L.Conv2DTranspose(3, 2, strides=2, padding="valid")(b)
    x = tf.concat([a, up], axis=-1)
    x = L.Conv2D(1, 1)(L.concatenate([x, L.UpSampling2D(interpolation="bilinear")(b)]))
    return (
        compiled(K.Model(i, x), "rmsprop"),
        floats(random, 2, 8, 8, 2),
        floats(random, 2, 8, 8, 1),
    )


@model
def residual_cnn(random):
    i = K.Input((6, 6, 3))
    x = L.BatchNormalization()(L.Conv2D(4, 3, padding="same", use_bias=False)(i))
    x = tf.nn.relu(x)
    y = L.ReLU(max_value=6.0)(L.BatchNormalization()(L.Conv2D(4, 3, padding="same")(x)))
    y = L.Activation("relu")(x + y * 0.5)
    y = L.LeakyReLU(0.1)(L.DepthwiseConv2D(3, padding="same")(y))
    y = L.SeparableConv2D(3, 3, activation="swish")(L.ZeroPadding2D(1)(y))
    y = L.Dense(2, activation="softmax")(L.Dropout(0.2)(L.GlobalAveragePooling2D()(y)))
    net = compiled(
        K.Model(i, y), K.optimizers.SGD(0.1, 0.9, nesterov=True), "categorical_crossentropy"
    )
    return net, floats(random, 2, 6, 6, 3), np.eye(2, dtype="float32")


@model
def masked_recurrent(random):
    net = K.Sequential([
        L.Masking(0.0, input_shape=(5, 3)), L.LSTM(4, return_sequences=True),
        L.GRU(3, return_sequences=True), L.SimpleRNN(3), L.Dense(1),
    ])  # fmt: skip
    x = floats(random, 2, 5, 3)
    x[1, 3:] = 0
    return compiled(net, K.optimizers.RMSprop(0.01, momentum=0.5)), x, floats(random, 2, 1)


@model
def text_bidirectional(random):
    net = K.Sequential([
        L.Embedding(12, 4, mask_zero=True, input_length=5),
        L.Bidirectional(L.LSTM(3, return_sequences=True)),
        L.Bidirectional(L.GRU(2, reset_after=False), merge_mode="sum"),
        L.Dense(1, activation="hard_sigmoid"),
    ])  # fmt: skip
    x = np.array([[1, 5, 3, 0, 0], [4, 4, 2, 9, 11]])
    net(x)
    return compiled(net, "nadam", "binary_crossentropy"), x, np.array([[0.0], [1.0]])


@model
def several_inputs_and_outputs(random):
    a, b = K.Input((3,), name="left"), K.Input((2,), name="right")
    joined = L.Concatenate()([L.Dense(4, activation="tanh")(a), b])
    one = L.Dense(1, name="score")(joined)
    two = L.Dense(3, activation="softmax", name="kind")(L.Dense(4, activation="elu")(joined))
    net = K.Model([a, b], [one, two])
    net.compile("adam", {"score": "mse", "kind": "sparse_categorical_crossentropy"},
                metrics={"kind": ["accuracy"], "score": [K.metrics.MeanAbsoluteError()]},
                loss_weights={"score": 0.5, "kind": 1.0})  # fmt: skip
    return (
        net,
        [floats(random, 2, 3), floats(random, 2, 2)],
        [floats(random, 2, 1), np.array([0, 2])],
    )


@model
def nested(random):
    i = K.Input((4,))
    base = K.Sequential([L.Dense(5, activation="relu"), L.BatchNormalization()], name="base")
    j = K.Input((5,))
    head = K.Model(j, [L.Dense(2)(j) + 1.0, L.Dense(3)(j)], name="head")
    one, two = head(base(i))
    net = K.Model(i, L.Concatenate()([one, two * 2.0]))
    base.layers[0].trainable = False
    return compiled(net), floats(random, 2, 4), floats(random, 2, 5)


@model
def shared_siamese(random):
    a, b = K.Input((4,)), K.Input((4,))
    encoder = K.Sequential([K.Input((4,)), L.Dense(3, activation="relu")])
    distance = tf.math.abs(encoder(a) - encoder(b))
    similar = L.Dot(axes=1, normalize=True)([encoder(a), encoder(b)])
    net = K.Model([a, b], L.Dense(1, activation="sigmoid")(tf.concat([distance, similar], -1)))
    x = [floats(random, 2, 4), floats(random, 2, 4)]
    return compiled(net, loss="binary_crossentropy"), x, np.array([[0.0], [1.0]])


@model
def text(random):
    words = np.array([["the cat sat"], ["a dog"]])
    vectorize = L.TextVectorization(max_tokens=12, output_sequence_length=4)
    vectorize.adapt(["the cat sat on the mat", "a dog ran"])
    i = K.Input((1,), dtype="string")
    x = L.GlobalAveragePooling1D()(L.Embedding(12, 3)(vectorize(i)))
    return compiled(K.Model(i, L.Dense(1)(x))), words, floats(random, 2, 1)


@model
def categories(random):
    color = L.StringLookup(output_mode="multi_hot")
    color.adapt(["red", "green", "blue", "red"])
    number = L.IntegerLookup(output_mode="one_hot")
    number.adapt([3, 7, 7, 12])
    a, b, c = (K.Input((1,), dtype=d, name=n) for d, n in
               (("string", "color"), ("int64", "number"), ("float32", "size")))  # fmt: skip
    scaled, bins = L.Normalization(axis=-1), L.Discretization(num_bins=3)
    values = random.normal(2.0, 3.0, size=(50, 1)).astype("float32")
    scaled.adapt(values)
    bins.adapt(values)
    coded = L.CategoryEncoding(3, output_mode="one_hot")(bins(c))
    joined = L.Concatenate()([color(a), number(b), scaled(c), coded])
    x = [np.array([["red"], ["pink"]]), np.array([[7], [5]]), np.array([[1.5], [-2.0]], "float32")]
    return compiled(K.Model([a, b, c], L.Dense(1)(joined))), x, floats(random, 2, 1)


@model
def hashed(random):
    a = K.Input((1,), dtype="string")
    x = L.Embedding(8, 3)(L.Hashing(8)(a))
    net = K.Model(a, L.Dense(1)(L.Flatten()(x)))
    return compiled(net, "sgd"), np.array([["x"], ["yy"]]), floats(random, 2, 1)


@model
def custom_with_frozen_part(random):
    i = K.Input((3,))
    layer = CUSTOM["Pair"]()
    x = layer(i)
    layer.first.trainable = False
    return compiled(K.Model(i, x)), floats(random, 2, 3), floats(random, 2, 3)


@model
def custom_with_lookup(random):
    i = K.Input((1,), dtype="string")
    layer = CUSTOM["Tokens"](["red", "green", "blue"])
    return (
        compiled(K.Model(i, L.Dense(1)(layer(i)))),
        np.array([["red"], ["x"]]),
        floats(random, 2, 1),
    )


@model
def mixed_precision(random):
    K.mixed_precision.set_global_policy("mixed_float16")
    i = K.Input((4,))
    x = L.BatchNormalization()(L.Dense(5, activation="relu")(i)) * 0.5 + 1.0
    net = K.Model(i, L.Dense(2, dtype="float32")(x))
    K.mixed_precision.set_global_policy("float32")
    return compiled(net), floats(random, 2, 4), floats(random, 2, 2)


@model
def patches(random):
    i = K.Input((8, 8, 1))
    x = tf.image.extract_patches(i, [1, 4, 4, 1], [1, 4, 4, 1], [1, 1, 1, 1], "VALID")
    x = tf.reshape(x, (tf.shape(x)[0], -1, 16))
    x = L.Dense(4)(x)
    x = x + L.Embedding(4, 4)(tf.range(0, 4))
    first = tf.zeros((tf.shape(x)[0], 1, 4))
    x = L.Attention(use_scale=True)([tf.concat([first, x], 1), x])
    heads = tf.transpose(tf.reshape(x, (tf.shape(x)[0], tf.shape(x)[1], 2, 2)), (0, 2, 1, 3))
    weights = tf.nn.softmax(tf.matmul(heads, heads, transpose_b=True) / tf.sqrt(2.0))
    x = tf.reshape(tf.transpose(tf.matmul(weights, heads), (0, 2, 1, 3)), (-1, 5, 4))
    x = tf.cast(tf.shape(x)[1], tf.float32) * x[:, 0]
    return compiled(K.Model(i, L.Dense(2)(x))), floats(random, 2, 8, 8, 1), floats(random, 2, 2)


@model
def attention_layers(random):
    a, b = K.Input((4, 3)), K.Input((5, 3))
    x = L.AdditiveAttention()([a, b]) + L.Attention()([a, b])
    x = L.EinsumDense("abc,cd->abd", output_shape=(None, 2), bias_axes="d")(x)
    x = L.Dense(2)(L.GlobalMaxPooling1D()(L.LayerNormalization(axis=[1, 2])(x)))
    return (
        compiled(K.Model([a, b], x)),
        [floats(random, 2, 4, 3), floats(random, 2, 5, 3)],
        floats(random, 2, 2),
    )


@model
def generator(random):
    net = K.Sequential([
        L.Dense(2 * 2 * 4, use_bias=False, input_dim=5), L.BatchNormalization(momentum=0.8),
        L.LeakyReLU(), L.Reshape((2, 2, 4)),
        L.Conv2DTranspose(3, 4, strides=2, padding="same", use_bias=False), L.LeakyReLU(alpha=0.2),
        L.Conv2DTranspose(1, 3, strides=(2, 1), padding="same", activation="tanh", output_padding=(1, 0)),
    ])  # fmt: skip
    return compiled(net, "adam", "mae"), floats(random, 2, 5), floats(random, 2, 8, 4, 1)


@model
def temporal_convolution(random):
    i = K.Input((8, 2))
    x = L.Conv1D(3, 2, dilation_rate=2, padding="causal", activation="relu")(i)
    x = L.SpatialDropout1D(0.1)(x) + L.Conv1D(3, 1)(i)
    x = L.Conv1DTranspose(2, 3, strides=2)(L.AveragePooling1D()(L.Cropping1D(1)(x)))
    return (
        compiled(K.Model(i, x[:, -1] - x[:, 0]), "adagrad"),
        floats(random, 2, 8, 2),
        floats(random, 2, 2),
    )


@model
def video(random):
    net = K.Sequential([
        K.Input((3, 4, 4, 1)),
        L.TimeDistributed(K.Sequential([L.Conv2D(2, 3, padding="same"), L.BatchNormalization()])),
        L.ConvLSTM2D(2, 2, padding="same"), L.Flatten(), L.Dense(1),
    ])  # fmt: skip
    return compiled(net, "adadelta"), floats(random, 2, 3, 4, 4, 1), floats(random, 2, 1)


@model
def volumes(random):
    net = K.Sequential([
        L.Conv3D(2, 2, padding="same", input_shape=(4, 4, 4, 1)), L.PReLU(shared_axes=[1, 2, 3]),
        L.Conv3DTranspose(1, 2, strides=2), L.MaxPool3D(4), L.GlobalAveragePooling3D(),
    ])  # fmt: skip
    return compiled(net, "adamax", "huber"), floats(random, 2, 4, 4, 4, 1), floats(random, 2, 1)


@model
def stacked_cells(random):
    cells = L.RNN(L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(2)]), return_sequences=True)
    net = K.Sequential([K.Input((4, 2)), cells, L.RNN(L.SimpleRNNCell(2)), L.Dense(1)])
    return compiled(net, "ftrl"), floats(random, 2, 4, 2), floats(random, 2, 1)


@model
def settings(random):
    rate = K.optimizers.schedules.ExponentialDecay(0.01, 100, 0.9)
    net = K.Sequential([
        L.Dense(4, kernel_regularizer=K.regularizers.L1L2(1e-3, 1e-2), bias_constraint="non_neg",
                kernel_initializer=K.initializers.HeNormal(3), activation="selu", input_shape=(3,)),
        L.GaussianNoise(0.1), L.ActivityRegularization(1e-3), L.UnitNormalization(),
        L.Dense(1, activation="sigmoid", kernel_constraint=K.constraints.MaxNorm(2.0)),
    ])  # fmt: skip
    net.compile(K.optimizers.AdamW(rate, weight_decay=0.01, clipnorm=1.0, amsgrad=True),
                K.losses.BinaryCrossentropy(label_smoothing=0.1),
                metrics=[K.metrics.AUC(num_thresholds=10), K.metrics.Precision(), "mae"])  # fmt: skip
    return net, floats(random, 2, 3), np.array([[0.0], [1.0]])


@model
def images(random):
    net = K.Sequential([
        L.Rescaling(1 / 255.0, offset=-0.5, input_shape=(7, 7, 3)), L.Resizing(6, 6),
        L.CenterCrop(4, 4), L.RandomFlip(), L.RandomRotation(0.1), L.RandomZoom(0.1),
        L.Conv2D(2, 3, data_format="channels_last"), L.GroupNormalization(2), L.Flatten(), L.Dense(2),
    ])  # fmt: skip
    x = random.uniform(0, 255, (2, 7, 7, 3)).astype("float32")
    return compiled(net, "sgd"), x, floats(random, 2, 2)


@model
def legacy_optimizer(random):
    net = K.Sequential([L.Dense(3, activation="relu", input_shape=(2,)), L.Dense(1)])
    return (
        compiled(net, K.optimizers.legacy.Adam(0.01, decay=1e-3)),
        floats(random, 2, 2),
        floats(random, 2, 1),
    )


@model
def gathers(random):
    i = K.Input((4, 3))
    k = K.Input((1,), dtype="int32")
    hot = tf.one_hot(tf.squeeze(k, -1), 4)
    picked = tf.linalg.matvec(i, hot[:, :3]) + tf.gather(i, [0, 2, 1, 0], axis=1)[..., 0]
    picked = tf.where(picked > 0, picked, 0.1 * picked)
    a, b = tf.split(tf.clip_by_value(picked, -1.0, 1.0), 2, axis=-1)
    best = tf.math.top_k(tf.stack([a, b], axis=1)[:, 0], 1)[0]
    x = tf.pad(tf.tile(best, [1, 2]), [[0, 0], [0, 1]]) ** 2.0
    net = K.Model([i, k], L.Dense(1)(tf.math.l2_normalize(1.0 - x, axis=-1)))
    return (
        compiled(net),
        [floats(random, 2, 4, 3), np.array([[1], [3]], "int32")],
        floats(random, 2, 1),
    )


@model
def stateful(random):
    net = K.Sequential([L.LSTM(3, stateful=True, batch_input_shape=(2, 4, 2)), L.Dense(1)])
    return compiled(net, "sgd"), floats(random, 2, 4, 2), floats(random, 2, 1)


@model
def dictionary(random):
    given = {"a": K.Input((2,), name="a"), "b": K.Input((3,), name="b")}
    x = L.Add()([L.Dense(3)(given["a"]), given["b"]])
    net = K.Model(
        given, {"sum": L.Dense(1, name="sum")(x), "product": L.Multiply(name="product")([x, x])}
    )
    return compiled(net), {"a": floats(random, 2, 2), "b": floats(random, 2, 3)}, {
        "sum": floats(random, 2, 1), "product": floats(random, 2, 3)}  # fmt: skip


def flat(data: Any) -> list[np.ndarray]:
    if isinstance(data, dict):
        return [v for key in sorted(data) for v in flat(data[key])]
    return (
        [v for item in data for v in flat(item)] if isinstance(data, list) else [np.asarray(data)]
    )


def main() -> None:
    arrays, notes, failed = {}, {}, []
    with tempfile.TemporaryDirectory() as folder:
        archive = zipfile.ZipFile(HERE / "models.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9)
        for name, builder in MODELS.items():
            K.backend.clear_session()
            K.utils.set_random_seed(11)
            net, x, y = builder(np.random.default_rng(13))
            with_strings = any(v.dtype.kind == "U" for v in flat(x))
            feed = tf.nest.map_structure(tf.constant, x)
            net.train_on_batch(feed, tf.nest.map_structure(tf.constant, y))
            if name == "stateful":
                net.reset_states()
            outputs = net(feed, training=False)
            structure = "dict" if isinstance(x, dict) else "list" if isinstance(x, list) else "one"
            note = {
                "inputs": structure,
                "files": [],
                "keys": sorted(x) if structure == "dict" else [],
            }
            note["iterations"] = int(net.optimizer.iterations.numpy())
            note["output_keys"] = sorted(outputs) if isinstance(outputs, dict) else []
            if name == "stateful":
                net.reset_states()
            for ending in ("keras", "h5"):
                path = Path(folder) / f"{name}.{ending}"
                try:
                    net.save(path)
                except Exception as error:
                    failed.append(f"{path.name}: {type(error).__name__} {str(error)[:120]}")
                    continue
                info = zipfile.ZipInfo(path.name, (2020, 1, 1, 0, 0, 0))
                archive.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
                note["files"].append(ending)
            for kind, data in (("input", flat(x)), ("target", flat(y)), ("output", flat(outputs))):
                for index, array in enumerate(data):
                    arrays[f"{name}/{kind}/{index}"] = np.asarray(array)
            notes[name] = {**note, "strings": with_strings}
        archive.close()
    packing.write(HERE / "models.npz", arrays, notes)
    print(len(notes), (HERE / "models.zip").stat().st_size, *failed, sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()
