"""Whole nets, one of each kind that people build, tiny: for exporters, which must hold them all.

Each builder takes the library and returns a model, or a layer. `inputs` are what it is called with:
the sizes of the first and second element of a pair are two of those that it must take, without
being built anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class NetCase:
    """A net and what it is called with.

    Attributes:
        id: Its name.
        builder: Takes the library, returns the model.
        shapes: For each of two calls, the shapes of the inputs.
        high: Inputs are whole numbers below it, one for each input; None for floats.
        names: Keys, where the model takes a dict.
    """

    id: str
    builder: Callable[[Any], Any]
    shapes: tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]
    high: tuple[int | None, ...] = ()
    names: tuple[str, ...] = ()


def drawn(case: NetCase, call: int) -> Any:
    """The arguments of one of the two calls: an array, a list of them, or a dict."""
    random = np.random.default_rng(call)
    arrays: list[Any] = []
    for index, shape in enumerate(case.shapes[call]):
        high = case.high[index] if case.high else None
        if high is None:
            arrays.append(random.normal(size=shape).astype("float32"))
        else:
            arrays.append(random.integers(0, high, shape).astype("int32"))
    if case.names:
        return dict(zip(case.names, arrays, strict=True))
    return arrays[0] if len(arrays) == 1 else arrays


def built(case: NetCase, library: Any) -> Any:
    """The net, its weights moved so that none is where it began, and variances stay positive."""
    library.backend.clear_session()  # layers are named by how many there were
    library.utils.set_random_seed(1)
    model = case.builder(library)
    random = np.random.default_rng(2)
    for weight in model.weights:
        if not weight.is_seed:
            values = weight.numpy()
            weight.assign(np.abs(values + random.normal(0, 0.2, values.shape)).astype(values.dtype))
    return model


def mlp(k: Any) -> Any:
    L = k.layers
    return k.Sequential(
        [k.Input((6,)), L.Dense(8, "relu"), L.Dropout(0.3), L.Dense(3, "softmax")], name="mlp"
    )


def activations(k: Any) -> Any:
    names = (
        "elu", "gelu", "hard_sigmoid", "leaky_relu", "log_softmax", "mish", "relu6", "selu", "silu",
        "softplus", "softsign", "tanh", "exponential", "celu", "glu", "squareplus", "sparsemax",
    )  # fmt: skip
    x = k.Input((4,))
    parts = [k.layers.Dense(4, name)(x) for name in names]
    return k.Model(x, k.layers.Concatenate()(parts), name="activations")


def cnn(k: Any) -> Any:
    L = k.layers
    return k.Sequential(
        [
            k.Input((9, 8, 2)), L.Conv2D(4, 3, padding="same", activation="relu"),
            L.BatchNormalization(), L.MaxPooling2D(), L.Conv2D(5, 3, strides=2, padding="same"),
            L.AveragePooling2D(2, padding="same"), L.Flatten(), L.Dense(3),
        ],
        name="cnn",
    )  # fmt: skip


def cnn_channels_first(k: Any) -> Any:
    L, first = k.layers, {"data_format": "channels_first"}
    return k.Sequential(
        [
            k.Input((2, 8, 8)), L.Conv2D(4, 3, activation="relu", **first),
            L.BatchNormalization(axis=1), L.MaxPooling2D(**first), L.Conv2D(3, 2, **first),
            L.GlobalAveragePooling2D(**first),
        ],
        name="first",
    )  # fmt: skip


def residual(k: Any) -> Any:
    L = k.layers
    x = k.Input((8, 8, 4))
    y = L.BatchNormalization()(L.Conv2D(4, 3, padding="same", use_bias=False)(x))
    y = L.ReLU()(L.Add()([y, x]))
    short = L.Conv2D(6, 1, strides=2)(y)
    y = L.GroupNormalization(2)(L.Conv2D(6, 3, strides=2, padding="same")(y))
    y = L.GlobalAveragePooling2D()(L.ReLU()(L.Add()([y, short])))
    return k.Model(x, L.Dense(3)(y), name="residual")


def mobile(k: Any) -> Any:
    L = k.layers
    x = k.Input((8, 8, 3))
    y = L.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2)(L.ZeroPadding2D()(x))
    y = L.SeparableConv2D(4, 3, activation="relu6")(y)
    gate = L.Dense(4, "hard_sigmoid")(L.GlobalAveragePooling2D(keepdims=True)(y))
    return k.Model(x, L.GlobalMaxPooling2D()(L.Multiply()([y, gate])), name="mobile")


def unet(k: Any) -> Any:
    L = k.layers
    x = k.Input((8, 8, 2))
    down = L.Conv2D(3, 3, padding="same", activation="relu")(x)
    low = L.Conv2D(4, 3, padding="same", activation="relu")(L.MaxPooling2D()(down))
    up = L.Concatenate()([L.UpSampling2D()(low), L.Conv2DTranspose(2, 2, 2)(low), down])
    smooth = L.UpSampling2D(interpolation="bilinear")(low)
    return k.Model(x, [L.Conv2D(1, 1)(up), smooth], name="unet")


def images_of_any_size(k: Any) -> Any:
    L = k.layers
    x = k.Input((None, None, 3))
    y = L.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    y = L.MaxPooling2D(2)(L.Conv2D(4, 3)(y))
    return k.Model(x, L.Dense(2)(L.GlobalAveragePooling2D()(y)), name="any_size")


def generator(k: Any) -> Any:
    L = k.layers
    return k.Sequential(
        [
            k.Input((5,)), L.Dense(2 * 2 * 4), L.Reshape((2, 2, 4)), L.LeakyReLU(),
            L.Conv2DTranspose(3, 4, 2, padding="same"), L.BatchNormalization(), L.ReLU(),
            L.Conv2DTranspose(2, 3, 2, output_padding=1), L.Activation("tanh"),
        ],
        name="generator",
    )  # fmt: skip


def volumes(k: Any) -> Any:
    L = k.layers
    return k.Sequential(
        [
            k.Input((4, 5, 6, 2)), L.Conv3D(3, 2, activation="relu"), L.MaxPooling3D(2),
            L.Cropping3D((0, 0, 0)), L.GlobalAveragePooling3D(), L.Dense(2),
        ],
        name="volumes",
    )  # fmt: skip


def lstm(k: Any) -> Any:
    L = k.layers
    x = k.Input((None, 3))
    out, h, c = L.LSTM(4, return_sequences=True, return_state=True)(x)
    return k.Model(x, [L.Dense(2)(out), h, c], name="lstm")


def masked_bidirectional(k: Any) -> Any:
    L = k.layers
    x = k.Input((None,), dtype="int32")
    y = L.Embedding(7, 4, mask_zero=True)(x)
    y = L.Bidirectional(L.LSTM(3, return_sequences=True))(y)
    return k.Model(x, L.Dense(2)(L.GRU(3)(y)), name="masked")


def gru(k: Any) -> Any:
    L = k.layers
    return k.Sequential(
        [
            k.Input((None, 3)), L.GRU(4, return_sequences=True),
            L.GRU(3, reset_after=False, activation="relu", go_backwards=True),
        ],
        name="gru",
    )  # fmt: skip


def stacked_cells(k: Any) -> Any:
    L = k.layers
    cells = [L.LSTMCell(3), L.GRUCell(2), L.SimpleRNNCell(4)]
    return k.Sequential([k.Input((5, 3)), L.RNN(cells, return_sequences=True)], name="cells")


def simple_rnn(k: Any) -> Any:
    L = k.layers
    return k.Sequential([k.Input((None, 3)), L.Masking(), L.SimpleRNN(4), L.Dense(1)], name="rnn")


def causal_convolutions(k: Any) -> Any:
    L = k.layers
    return k.Sequential(
        [
            k.Input((None, 3)), L.Conv1D(4, 3, padding="causal", activation="relu"),
            L.Conv1D(4, 3, padding="causal", dilation_rate=2), L.SpatialDropout1D(0.2),
            L.LayerNormalization(), L.GlobalMaxPooling1D(),
        ],
        name="causal",
    )  # fmt: skip


def convolutional_lstm(k: Any) -> Any:
    L = k.layers
    return k.Sequential(
        [k.Input((4, 5, 5, 2)), L.ConvLSTM2D(3, 3, padding="same"), L.Conv2D(1, 3)],
        name="conv_lstm",
    )


def time_distributed(k: Any) -> Any:
    L = k.layers
    return k.Sequential(
        [k.Input((4, 6, 6, 1)), L.TimeDistributed(L.Conv2D(2, 3)), L.TimeDistributed(L.Flatten()),
         L.LSTM(3)],
        name="frames",
    )  # fmt: skip


def text_mean(k: Any) -> Any:
    L = k.layers
    x = k.Input((None,), dtype="int32")
    y = L.GlobalAveragePooling1D()(L.Embedding(9, 4, mask_zero=True)(x))
    return k.Model(x, L.Dense(1, "sigmoid")(y), name="text_mean")


def _encoder(k: Any, y: Any, **call: Any) -> Any:
    L = k.layers
    seen = L.MultiHeadAttention(2, 3, dropout=0.1)(y, y, **call)
    y = L.LayerNormalization(epsilon=1e-6)(L.Add()([y, seen]))
    wide = L.Dense(4)(L.Dense(8, "gelu")(y))
    return L.RMSNormalization()(L.Add()([y, L.Dropout(0.1)(wide)]))


def transformer(k: Any) -> Any:
    L = k.layers
    x = k.Input((None,), dtype="int32")
    y = L.Embedding(9, 4, mask_zero=True)(x)
    y = _encoder(k, _encoder(k, y), use_causal_mask=True)
    return k.Model(x, L.Dense(9)(y), name="transformer")


def vision_transformer(k: Any) -> Any:
    L = k.layers
    x = k.Input((8, 8, 3))
    y = L.Reshape((4, 4))(L.Conv2D(4, 4, strides=4)(x))
    return k.Model(x, L.Dense(3)(L.Flatten()(_encoder(k, y))), name="vit")


def grouped_attention(k: Any) -> Any:
    L = k.layers
    query, value = k.Input((3, 4)), k.Input((None, 4))
    y = L.GroupQueryAttention(3, 4, 2)(query, value)
    y = L.Concatenate()([y, L.Attention(use_scale=True)([query, value])])
    return k.Model([query, value], L.AdditiveAttention()([y, y]), name="grouped")


def sequence_to_sequence(k: Any) -> Any:
    L = k.layers
    source, target = k.Input((None, 3), name="source"), k.Input((None, 2), name="target")
    _, *states = L.LSTM(4, return_state=True)(source)
    y = L.LSTM(4, return_sequences=True)(target, initial_state=states)
    return k.Model([source, target], L.Dense(2)(y), name="seq2seq")


def named_inputs(k: Any) -> Any:
    L = k.layers
    a, b = k.Input((3,), name="a"), k.Input((2,), name="b")
    y = L.Dense(4, "tanh")(L.Concatenate()([a, b]))
    outputs = {"score": L.Dense(1)(y), "class": L.Dense(3, "softmax")(y)}
    return k.Model({"a": a, "b": b}, outputs, name="named")


def siamese(k: Any) -> Any:
    L = k.layers
    tower = k.Sequential([L.Dense(4, "relu"), L.UnitNormalization()], name="tower")
    left, right = k.Input((3,)), k.Input((3,))
    return k.Model([left, right], L.Dot(-1)([tower(left), tower(right)]), name="siamese")


def nested(k: Any) -> Any:
    L = k.layers
    inner_in = k.Input((4,))
    inner = k.Model(inner_in, L.Dense(3)(L.BatchNormalization()(inner_in)), name="inner")
    x = k.Input((4,))
    return k.Model(
        x, inner(k.Sequential([L.Dense(4, "relu"), inner])(x) @ np.ones((3, 4), "float32"))
    )


def subclassed(k: Any) -> Any:
    class Net(k.Model):
        def __init__(self) -> None:
            super().__init__(name="subclassed")
            self.first = k.layers.Dense(4, "relu")
            self.norm = k.layers.BatchNormalization()
            self.last = k.layers.Dense(2)

        def call(self, inputs: Any, training: bool = False) -> Any:
            y = self.norm(self.first(inputs), training=training)
            return self.last(y) * 2 + k.ops.mean(inputs, axis=-1, keepdims=True)

    model = Net()
    model.build((None, 5))
    return model


def graph_net(k: Any) -> Any:
    L = k.layers
    nodes, edges = k.Input((6, 3)), k.Input((6, 6))
    y = L.Activation("relu")(k.ops.matmul(edges, L.Dense(4)(nodes)))
    return k.Model([nodes, edges], k.ops.max(y, axis=1), name="graph_net")


def tabular(k: Any) -> Any:
    L = k.layers
    numbers, kind = k.Input((3,)), k.Input((1,), dtype="int32")
    normal = L.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0])(numbers)
    one_hot = L.CategoryEncoding(num_tokens=4, output_mode="one_hot")(kind)
    bins = L.Discretization(bin_boundaries=[-0.5, 0.0, 0.5])(numbers)
    y = L.Concatenate()([normal, one_hot, L.Flatten()(L.Embedding(4, 2)(bins))])
    return k.Model([numbers, kind], L.Dense(1)(y), name="tabular")


def recommender(k: Any) -> Any:
    L = k.layers
    user, item = k.Input((1,), dtype="int32"), k.Input((1,), dtype="int32")
    product = L.Dot(2)([L.Embedding(5, 3)(user), L.Embedding(6, 3)(item)])
    return k.Model([user, item], L.Rescaling(5.0, offset=1.0)(L.Flatten()(product)), name="films")


def loops(k: Any) -> Any:
    import jax
    import jax.numpy as jnp

    class Loops(k.layers.Layer):
        def build(self, shape: Any) -> None:
            self.w = self.add_weight(shape=(3, 3), name="w")

        def call(self, x: Any) -> Any:
            w = self.w.value
            step = lambda carry, part: (jnp.tanh(carry @ w + part), carry.sum(-1))
            last, sums = jax.lax.scan(step, x[:, 0], jnp.moveaxis(x, 1, 0), reverse=True)
            big = jax.lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] @ w), (0, last))
            either = jax.lax.cond(x.sum() > 0, lambda a: a @ w, lambda a: a * 2, last)
            switched = jax.lax.switch(2, [jnp.sin, jnp.cos, jnp.exp], last)
            times = jax.lax.fori_loop(0, 4, lambda i, a: a + i * w[0], last)
            return last, sums, big[1], either, switched + times

    layer = Loops(name="loops")
    layer.build((None, 4, 3))
    return layer


def pieces(k: Any) -> Any:
    import jax
    import jax.numpy as jnp

    def call(x: Any) -> Any:
        values, places = jax.lax.top_k(x, 2)
        picked = jnp.take_along_axis(x, places[..., ::-1], axis=-1)
        put = x.at[:, 1].add(1.0).at[0, ::2].set(0.5)
        ordered = jnp.sort(x, axis=-1)[:, ::-1] + jnp.argsort(x, axis=-1)
        windows = jnp.stack([x[:, i : i + 3] for i in range(3)], 1)[..., -1]
        summed = jax.ops.segment_sum(x.T, jnp.array([0, 1, 1, 0, 2]), 3).T
        rolled = jnp.roll(jnp.cumsum(x, -1), 2, -1) + jnp.var(x, 0) + x[::-1]
        return values, picked, put, ordered, windows, summed, rolled, jnp.where(x > 0, x, -x)

    x = k.Input((5,))
    return k.Model(x, k.layers.Lambda(call)(x), name="pieces")


def random_sample(k: Any) -> Any:
    class Sampling(k.layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.seed = k.random.SeedGenerator(1)

        def call(self, inputs: Any) -> Any:
            mean, log = inputs
            noise = k.random.normal(k.ops.shape(mean), seed=self.seed)
            return mean + 0.0 * k.ops.exp(0.5 * log) * noise

    L = k.layers
    x = k.Input((4,))
    return k.Model(x, Sampling(name="z")([L.Dense(2)(x), L.Dense(2)(x)]), name="vae")


def mixed_precision(k: Any) -> Any:
    L, policy = k.layers, {"dtype": "mixed_bfloat16"}
    return k.Sequential(
        [k.Input((6,)), L.Dense(8, "relu", **policy), L.LayerNormalization(**policy),
         L.Dense(2, dtype="float32")],
        name="mixed",
    )  # fmt: skip


def spectrum(k: Any) -> Any:
    L = k.layers
    x = k.Input((64, 1))
    y = L.STFTSpectrogram("log", frame_length=16, frame_step=8)(x)
    return k.Model(x, L.Dense(2)(y), name="spectrum")


NETS: list[NetCase] = [
    NetCase("mlp", mlp, (((3, 6),), ((1, 6),))),
    NetCase("activations", activations, (((3, 4),), ((7, 4),))),
    NetCase("cnn", cnn, (((2, 9, 8, 2),), ((3, 9, 8, 2),))),
    NetCase("cnn_channels_first", cnn_channels_first, (((2, 2, 8, 8),), ((1, 2, 8, 8),))),
    NetCase("residual", residual, (((2, 8, 8, 4),), ((1, 8, 8, 4),))),
    NetCase("mobile", mobile, (((2, 8, 8, 3),), ((3, 8, 8, 3),))),
    NetCase("unet", unet, (((1, 8, 8, 2),), ((2, 8, 8, 2),))),
    NetCase("images_of_any_size", images_of_any_size, (((2, 16, 14, 3),), ((1, 17, 21, 3),))),
    NetCase("generator", generator, (((2, 5),), ((3, 5),))),
    NetCase("volumes", volumes, (((2, 4, 5, 6, 2),), ((1, 4, 5, 6, 2),))),
    NetCase("lstm", lstm, (((2, 4, 3),), ((3, 7, 3),))),
    NetCase("masked_bidirectional", masked_bidirectional, (((3, 5),), ((2, 8),)), (7,)),
    NetCase("gru", gru, (((2, 4, 3),), ((3, 6, 3),))),
    NetCase("stacked_cells", stacked_cells, (((2, 5, 3),), ((4, 5, 3),))),
    NetCase("simple_rnn", simple_rnn, (((2, 4, 3),), ((3, 6, 3),))),
    NetCase("causal_convolutions", causal_convolutions, (((2, 6, 3),), ((1, 9, 3),))),
    NetCase("convolutional_lstm", convolutional_lstm, (((2, 4, 5, 5, 2),), ((1, 4, 5, 5, 2),))),
    NetCase("time_distributed", time_distributed, (((2, 4, 6, 6, 1),), ((3, 4, 6, 6, 1),))),
    NetCase("text_mean", text_mean, (((3, 5),), ((2, 8),)), (9,)),
    NetCase("transformer", transformer, (((3, 5),), ((2, 8),)), (9,)),
    NetCase("vision_transformer", vision_transformer, (((2, 8, 8, 3),), ((1, 8, 8, 3),))),
    NetCase("grouped_attention", grouped_attention, (((2, 3, 4), (2, 5, 4)), ((1, 3, 4), (1, 2, 4)))),
    NetCase("sequence_to_sequence", sequence_to_sequence,
            (((2, 5, 3), (2, 4, 2)), ((3, 2, 3), (3, 6, 2)))),
    NetCase("named_inputs", named_inputs, (((2, 3), (2, 2)), ((5, 3), (5, 2))), (), ("a", "b")),
    NetCase("siamese", siamese, (((2, 3), (2, 3)), ((4, 3), (4, 3)))),
    NetCase("nested", nested, (((3, 4),), ((2, 4),))),
    NetCase("subclassed", subclassed, (((3, 5),), ((2, 5),))),
    NetCase("graph_net", graph_net, (((2, 6, 3), (2, 6, 6)), ((1, 6, 3), (1, 6, 6)))),
    NetCase("tabular", tabular, (((3, 3), (3, 1)), ((2, 3), (2, 1))), (None, 4)),
    NetCase("recommender", recommender, (((3, 1), (3, 1)), ((2, 1), (2, 1))), (5, 6)),
    NetCase("loops", loops, (((2, 4, 3),), ((3, 4, 3),))),
    NetCase("pieces", pieces, (((2, 5),), ((4, 5),))),
    NetCase("random_sample", random_sample, (((2, 4),), ((3, 4),))),
    NetCase("mixed_precision", mixed_precision, (((2, 6),), ((3, 6),))),
    NetCase("spectrum", spectrum, (((2, 64, 1),), ((3, 64, 1),))),
]  # fmt: skip
