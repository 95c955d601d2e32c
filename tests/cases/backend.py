"""Uses of `tf.keras.backend`, run with tf.keras 2.15 (`reference/make_backend.py`) and with nacre."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_drawn = np.random.default_rng(7)
X = _drawn.normal(size=(3, 4)).astype("float32")
Y = _drawn.normal(size=(3, 4)).astype("float32")
P = np.abs(X) / np.abs(X).sum(-1, keepdims=True)
T = np.eye(4, dtype="float32")[[1, 3, 0]]
B = _drawn.normal(size=(3, 4, 5)).astype("float32")
C = _drawn.normal(size=(3, 5, 2)).astype("float32")
I = _drawn.normal(size=(2, 6, 6, 2)).astype("float32")
S = _drawn.normal(size=(2, 7, 2)).astype("float32")
K1 = _drawn.normal(size=(3, 2, 4)).astype("float32")
K2 = _drawn.normal(size=(3, 3, 2, 4)).astype("float32")
D2 = _drawn.normal(size=(3, 3, 2, 1)).astype("float32")
P2 = _drawn.normal(size=(1, 1, 2, 3)).astype("float32")
V = _drawn.normal(size=(1, 3, 3, 3, 2)).astype("float32")
F = np.abs(_drawn.normal(size=(2, 6, 4))).astype("float32")
F = F / F.sum(-1, keepdims=True)

CASES: dict[str, Callable[[Any], Any]] = {
    "arange": lambda K: K.arange(2, 8, 3),
    "argmax": lambda K: K.argmax(X),
    "argmin": lambda K: K.argmin(X, axis=0),
    "batch_dot of matrices": lambda K: K.batch_dot(B, C),
    "batch_dot of vectors": lambda K: K.batch_dot(X, Y, axes=1),
    "batch_dot over one axis": lambda K: K.batch_dot(B, B, axes=2),
    "batch_dot of a vector and a matrix": lambda K: K.batch_dot(X, B, axes=(1, 1)),
    "batch_dot of a matrix and a vector": lambda K: K.batch_dot(B, X, axes=(1, 1)),
    "batch_flatten": lambda K: K.batch_flatten(B),
    "batch_normalization": lambda K: K.batch_normalization(X, X[0], P[1], Y[0], P[2]),
    "bias_add": lambda K: K.bias_add(I, X[0, :2]),
    "bias_add of all axes": lambda K: K.bias_add(B, B[0]),
    "bias_add channels first": lambda K: K.bias_add(
        K.permute_dimensions(I, (0, 3, 1, 2)), X[0, :2], "channels_first"
    ),
    "binary_crossentropy": lambda K: K.binary_crossentropy(T, P),
    "binary_crossentropy of logits": lambda K: K.binary_crossentropy(T, X, from_logits=True),
    "cast": lambda K: K.cast(X > 0, "float32"),
    "cast_to_floatx": lambda K: K.cast_to_floatx(np.arange(3)),
    "categorical_crossentropy": lambda K: K.categorical_crossentropy(T, P),
    "clip": lambda K: K.clip(X, -0.5, 0.5),
    "clip without a bound": lambda K: K.clip(X, 0.0, None),
    "clip with bounds turned around": lambda K: K.clip(X, 0.5, -0.5),
    "concatenate": lambda K: K.concatenate([X, Y]),
    "constant": lambda K: K.constant([1, 2]),
    "constant of a shape": lambda K: K.constant(3, shape=(2, 2)),
    "conv1d causal": lambda K: K.conv1d(S, K1, padding="causal", dilation_rate=2),
    "conv1d": lambda K: K.conv1d(S, K1, strides=2),
    "conv2d": lambda K: K.conv2d(I, K2, padding="same"),
    "count_params": lambda K: K.count_params(K.variable(X)),
    "ctc_batch_cost": lambda K: K.ctc_batch_cost(
        np.array([[0, 1, 1], [2, 0, 0]]), F, np.array([[6], [5]]), np.array([[3], [1]])
    ),
    "ctc_decode": lambda K: [K.ctc_decode(F, np.array([6, 5]))[1]],
    "cumprod": lambda K: K.cumprod(X),
    "cumsum": lambda K: K.cumsum(X, axis=1),
    "depthwise_conv2d": lambda K: K.depthwise_conv2d(I, D2),
    "dot": lambda K: K.dot(B, C[0]),
    "dot of tensors": lambda K: K.dot(X, K.ones((2, 4, 3))),
    "elu": lambda K: K.elu(X, 0.5),
    "equal": lambda K: K.equal(X, X),
    "eval": lambda K: K.eval(K.variable(X)),
    "expand_dims": lambda K: K.expand_dims(X),
    "eye": lambda K: K.eye(3),
    "flatten": lambda K: K.flatten(B),
    "foldl": lambda K: K.foldl(lambda a, x: a * 2 + x, X),
    "foldr": lambda K: K.foldr(lambda a, x: a * 2 + x, X),
    "gather": lambda K: K.gather(X, np.array([2, 0])),
    "greater": lambda K: K.greater(X, Y),
    "hard_sigmoid": lambda K: K.hard_sigmoid(X * 3),
    "in_test_phase": lambda K: K.in_test_phase(X, Y, training=0),
    "in_top_k": lambda K: K.in_top_k(P, np.array([1, 3, 0]), 2),
    "in_train_phase": lambda K: K.in_train_phase(lambda: X, Y, training=True),
    "l2_normalize": lambda K: K.l2_normalize(X, axis=1),
    "l2_normalize of all": lambda K: K.l2_normalize(X),
    "map_fn": lambda K: K.map_fn(lambda x: x * 2, X),
    "maximum": lambda K: K.maximum(X, Y),
    "mean": lambda K: K.mean(X, axis=-1, keepdims=True),
    "mean of truths": lambda K: K.mean(K.equal(K.argmax(T), K.argmax(P))),
    "not_equal": lambda K: K.not_equal(X, Y),
    "normalize_batch_in_training": lambda K: K.normalize_batch_in_training(X, X[0], Y[0], [0]),
    "one_hot": lambda K: K.one_hot(np.array([0, 2]), 3),
    "ones": lambda K: K.eval(K.ones((2, 2))),
    "permute_dimensions": lambda K: K.permute_dimensions(B, (0, 2, 1)),
    "pool2d": lambda K: K.pool2d(I, (2, 2), (2, 2)),
    "pool2d of means": lambda K: K.pool2d(I, (2, 2), padding="same", pool_mode="avg"),
    "pow": lambda K: K.pow(P, 2.0),
    "prod": lambda K: K.prod(X, axis=0),
    "relu": lambda K: K.relu(X * 4, alpha=0.1, max_value=3.0, threshold=0.5),
    "relu without more": lambda K: K.relu(X),
    "repeat": lambda K: K.repeat(X, 3),
    "repeat_elements": lambda K: K.repeat_elements(X, 2, 1),
    "reshape": lambda K: K.reshape(B, (-1, 10)),
    "resize_images": lambda K: K.resize_images(I, 2, 3, "channels_last"),
    "resize_images bilinear": lambda K: K.resize_images(I, 2, 2, "channels_last", "bilinear"),
    "resize_volumes": lambda K: K.resize_volumes(V, 2, 1, 2, "channels_last"),
    "reverse": lambda K: K.reverse(B, [1, 2]),
    "separable_conv2d": lambda K: K.separable_conv2d(I, D2, P2),
    "softmax": lambda K: K.softmax(X),
    "sparse_categorical_crossentropy": lambda K: K.sparse_categorical_crossentropy(np.array([1, 3, 0]), P),
    "sparse_categorical_crossentropy but for one": lambda K: K.sparse_categorical_crossentropy(
        np.array([1, 3, 0]), P, ignore_class=3
    ),
    "spatial_2d_padding": lambda K: K.spatial_2d_padding(I, ((1, 0), (0, 2))),
    "sqrt": lambda K: K.sqrt(X),
    "std": lambda K: K.std(X, axis=0),
    "sum": lambda K: K.sum(K.square(X - Y), axis=1),
    "switch": lambda K: K.switch(K.constant(1.0) > 0, lambda: X, lambda: Y),
    "switch of rows": lambda K: K.switch(X[:, :1] > 0, X, Y),
    "temporal_padding": lambda K: K.temporal_padding(S, (2, 1)),
    "tile": lambda K: K.tile(X, (1, 2)),
    "update": lambda K: K.eval(_updated(K)),
    "var": lambda K: K.var(X),
}  # fmt: skip


def _updated(K: Any) -> Any:
    variable = K.variable(X)
    K.update(variable, Y)
    K.update_add(variable, X)
    K.update_sub(variable, 2 * X)
    K.moving_average_update(variable, X, 0.75)
    return variable
