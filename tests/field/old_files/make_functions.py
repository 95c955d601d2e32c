"""Write `functions.npz`: functional models of one TensorFlow function each.

Usage: python make_functions.py, where tf.keras 2.15 is installed.

A model is written as the JSON of its graph, without weights; arrays hold its inputs and outputs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import packing
import tensorflow as tf

HERE = Path(__file__).parent
K = tf.keras.backend
Input = tf.keras.Input

# Inputs by the letters of a case: name -> (shape, dtype, lowest, highest).
INPUTS: dict[str, tuple[tuple[int, ...], str, float, float]] = {
    "x": ((3, 4), "float32", -2.0, 2.0),
    "y": ((3, 4), "float32", -2.0, 2.0),
    "p": ((3, 4), "float32", 0.1, 0.9),  # positive
    "v": ((4,), "float32", -2.0, 2.0),
    "m": ((4, 2), "float32", -2.0, 2.0),
    "q": ((3, 3), "float32", -1.0, 1.0),  # square
    "i": ((3,), "int32", 0, 4),
    "j": ((3, 4), "int32", 1, 9),
    "k": ((3, 4), "int32", 1, 9),
    "b": ((3, 4), "bool", 0, 2),
    "c": ((3, 4), "bool", 0, 2),
    "g": ((4, 6, 3), "float32", 0.0, 1.0),  # an image
    "s": ((6, 2), "float32", -1.0, 1.0),  # a series
}

# Unary functions of floats, of positive floats; binary ones.
UNARY = """abs math.abs negative math.negative square math.square exp math.exp math.expm1 sign math.sign
sin cos tan asin:p acos:p atan sinh cosh tanh asinh acosh:1 atanh:p math.sin math.cos math.tanh
sqrt:p math.sqrt:p math.rsqrt:p math.log:p math.log1p:p math.reciprocal:p math.reciprocal_no_nan
floor math.floor math.ceil round math.round math.rint sigmoid math.sigmoid math.log_sigmoid
math.softplus math.erf math.erfc math.erfinv:p math.is_finite
math.is_inf math.is_nan identity stop_gradient zeros_like ones_like
nn.relu nn.relu6 nn.elu nn.selu nn.silu nn.swish nn.gelu nn.leaky_relu nn.sigmoid nn.tanh
nn.softplus nn.softsign nn.softmax nn.log_softmax nn.l2_loss nn.crelu
math.softmax math.log_softmax math.bessel_i0
reduce_sum reduce_mean reduce_max reduce_min reduce_prod math.reduce_sum math.reduce_mean
math.reduce_max math.reduce_min math.reduce_prod math.reduce_std math.reduce_variance
math.reduce_logsumexp reduce_logsumexp math.reduce_euclidean_norm norm math.l2_normalize
nn.l2_normalize math.cumsum cumsum math.cumprod argmax argmin math.argmax math.argmin argsort sort
transpose linalg.matrix_transpose linalg.norm linalg.l2_normalize linalg.diag
linalg.diag_part:q linalg.inv:q linalg.det:q linalg.trace:q math.zero_fraction nn.zero_fraction""".split()
BINARY = """add subtract multiply divide math.add math.subtract math.multiply math.divide
math.divide_no_nan math.multiply_no_nan:p truediv math.truediv:p math.floordiv math.floormod math.mod:p math.pow:pp pow:pp maximum minimum math.maximum math.minimum
math.squared_difference math.atan2 math.xlogy:pp math.xdivy:pp math.xlog1py:pp
equal not_equal greater greater_equal less less_equal math.equal math.not_equal math.greater
math.greater_equal math.less math.less_equal""".split()


def attribute(path: str) -> Callable[..., Any]:
    found: Any = tf
    for part in path.split("."):
        found = getattr(found, part)
    return found


def with_positive(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda p: function(p, p * 0.5 + 0.1)


Case = Callable[..., Any]
CASES: dict[str, tuple[str, Case]] = {}


def case(letters: str, function: Case, name: str) -> None:
    CASES[name] = (letters, function)


for entry in UNARY:
    path, _, kind = entry.partition(":")
    letters = kind if kind in ("p", "q") else "x"
    if kind == "1":
        case("p", lambda x: tf.acosh(x + 1.0), path)
    else:
        case(letters, attribute(path), path)
for entry in BINARY:
    path, _, kind = entry.partition(":")
    letters = {"": "xy", "p": "xp", "pp": "pp2"}[kind]
    if letters == "pp2":
        case("p", with_positive(attribute(path)), path)
    else:
        case(letters, attribute(path), path)

# Operators, constants on either side, and slices.
case("xy", lambda x, y: x + y, "x + y")
case("x", lambda x: x + 1, "x + 1")
case("x", lambda x: 2.0 * x - 1.0, "2 * x - 1")
case("x", lambda x: 1.0 - x, "1 - x")
case("xp", lambda x, p: x / p, "x / p")
case("x", lambda x: 1.0 / (x * x + 1.0), "1 / x")
case("p", lambda p: p**2, "p ** 2")
case("p", lambda p: 2.0**p, "2 ** p")
case("xp", lambda x, p: x // p, "x // p")
case("xp", lambda x, p: x % p, "x % p")
case("x", lambda x: -x, "-x")
case("x", lambda x: abs(x), "abs(x)")
case("xm", lambda x, m: x @ m, "x @ m")
case("xy", lambda x, y: x > y, "x > y")
case("xy", lambda x, y: x <= y, "x <= y")
case("bc", lambda b, c: b & c, "b & c")
case("bc", lambda b, c: b | c, "b | c")
case("bc", lambda b, c: b ^ c, "b ^ c")
case("b", lambda b: ~b, "~b")
case("jk", lambda j, k: j // k, "j // k")
case("jk", lambda j, k: j % k, "j % k")
case("jk", lambda j, k: j / k, "j / k")
case("jk", lambda j, k: j + k * 2, "j + k * 2")
case("x", lambda x: x + np.arange(4, dtype="float32"), "x + array")
case("x", lambda x: x * tf.constant([[1.0, 2.0, 3.0, 4.0]]), "x * constant")
case("x", lambda x: x[:, 0], "x[:, 0]")
case("x", lambda x: x[:, -1], "x[:, -1]")
case("x", lambda x: x[:, 1:3], "x[:, 1:3]")
case("x", lambda x: x[..., ::2], "x[..., ::2]")
case("x", lambda x: x[:, ::-1, 1:], "x[:, ::-1, 1:]")
case("x", lambda x: x[:, tf.newaxis], "x[:, newaxis]")
case("x", lambda x: x[:, :, None], "x[:, :, None]")
case("x", lambda x: x[:, 0, 1:][..., None], "x[:, 0, 1:]")
case("x", lambda x: x[0], "x[0]")
case("x", lambda x: x[1:], "x[1:]")
case("xi", lambda x, i: x[:, : tf.shape(i)[1]], "x[:, :size]")
case("x", lambda x: x[:, : tf.shape(x)[1] - 1], "x[:, :size - 1]")

# Shapes.
case("x", lambda x: tf.reshape(x, (-1, 12)), "reshape")
case("x", lambda x: tf.reshape(x, [tf.shape(x)[0], 12]), "reshape by shape")
case("x", lambda x: tf.reshape(x, (tf.shape(x)[0], tf.shape(x)[1], 2, 2)), "reshape by shapes")
case("x", lambda x: tf.reshape(x, [tf.shape(x)[0], tf.shape(x)[1] * 4]), "reshape by product")
case("xy", lambda x, y: tf.reshape(x, tf.shape(y)), "reshape to shape")
case("x", lambda x: tf.reshape(x, tf.concat([tf.shape(x)[:1], [2, 6]], 0)), "reshape concat")
case("x", lambda x: tf.reshape(x, tf.stack([tf.shape(x)[0], 6, 2])), "reshape stack")
case("x", lambda x: tf.cast(tf.shape(x)[1], tf.float32) * x, "shape as number")
case("x", lambda x: x / tf.math.sqrt(tf.cast(tf.shape(x)[-1], tf.float32)), "scaled by size")
case("x", lambda x: tf.zeros((tf.shape(x)[0], 5)), "zeros by shape")
case("x", lambda x: tf.ones([tf.shape(x)[0], 2, 3]), "ones by shape")
case("x", lambda x: tf.fill([tf.shape(x)[0], 2], 7.0), "fill by shape")
case("x", lambda x: tf.fill(tf.shape(x), 7.0), "fill shape")
case("x", lambda x: tf.ones_like(x[:, :1]), "ones_like slice")
case("x", lambda x: x + tf.cast(tf.range(tf.shape(x)[2]), tf.float32), "range by shape")
case("x", lambda x: tf.linalg.band_part(tf.ones([tf.shape(x)[0]] * 2), -1, 0), "causal mask")
case("v", lambda v: tf.broadcast_to(v, [2, tf.shape(v)[0], 4]), "broadcast_to by shape")
case("v", lambda v: tf.tile(v[:, None], [1, 3, 1]), "tile")
case("vx", lambda v, x: tf.tile(v[:, None], [1, tf.shape(x)[1], 1]), "tile by shape")
case("x", lambda x: tf.transpose(x, [0, 2, 1]), "transpose perm")
case("x", lambda x: tf.transpose(x, perm=(0, 2, 1)), "transpose keyword")
case("x", lambda x: tf.expand_dims(x, -1), "expand_dims")
case("x", lambda x: tf.expand_dims(x, axis=1), "expand_dims axis")
case("x", lambda x: tf.squeeze(tf.expand_dims(x, 1), axis=[1]), "squeeze")
case("x", lambda x: tf.squeeze(tf.expand_dims(x, 1), 1), "squeeze one")
case("xy", lambda x, y: tf.concat([x, y], axis=-1), "concat")
case("xy", lambda x, y: tf.concat((x, y), 1), "concat tuple")
case("xy", lambda x, y: tf.concat(values=[x, y], axis=2), "concat keywords")
case("xy", lambda x, y: tf.stack([x, y], axis=1), "stack")
case("x", lambda x: tf.unstack(x, axis=1)[1], "unstack")
case("x", lambda x: tf.split(x, 2, axis=-1)[1], "split")
case("x", lambda x: tf.concat(tf.split(x, [1, 3], axis=2)[::-1], -1), "split sizes")
case("x", lambda x: tf.split(x, num_or_size_splits=2, axis=2)[0], "split keyword")
case("x", lambda x: tf.pad(x, [[0, 0], [1, 1], [0, 2]]), "pad")
case("x", lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 2]], "REFLECT"), "pad reflect")
case("x", lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 2]], mode="SYMMETRIC"), "pad symmetric")
case("x", lambda x: tf.pad(x, [[0, 0], [0, 1], [0, 0]], constant_values=3.0), "pad value")
case("x", lambda x: tf.repeat(x, 2, axis=1), "repeat")
case("x", lambda x: tf.roll(x, shift=1, axis=2), "roll")
case("x", lambda x: tf.reverse(x, axis=[1]), "reverse")
case("x", lambda x: tf.slice(x, [0, 1, 0], [-1, 2, 3]), "slice")
case("x", lambda x: tf.ensure_shape(x, (None, 3, 4)), "ensure_shape")

# Functions with arguments.
case("x", lambda x: tf.cast(x, tf.int32), "cast int")
case("x", lambda x: tf.cast(x, "float16"), "cast half")
case("b", lambda b: tf.cast(b, tf.float32), "cast bool")
case("i", lambda i: tf.cast(i, dtype=tf.float32), "cast keyword")
case("j", lambda j: tf.dtypes.cast(j, tf.float32), "dtypes.cast")
case("j", lambda j: tf.saturate_cast(j, tf.uint8), "saturate_cast")
case("x", lambda x: tf.reduce_mean(x, axis=1), "reduce_mean axis")
case("x", lambda x: tf.reduce_mean(x, [1, 2]), "reduce_mean axes")
case("x", lambda x: tf.reduce_sum(x, -1, keepdims=True), "reduce_sum keepdims")
case("x", lambda x: tf.reduce_max(x, axis=(1, 2), keepdims=True), "reduce_max axes")
case("b", lambda b: tf.reduce_any(b, axis=1), "reduce_any")
case("b", lambda b: tf.reduce_all(b, axis=-1), "reduce_all")
case("bc", tf.logical_and, "logical_and")
case("bc", tf.math.logical_or, "logical_or")
case("bc", tf.math.logical_xor, "logical_xor")
case("b", tf.logical_not, "logical_not")
case("x", lambda x: tf.math.count_nonzero(x, axis=1), "count_nonzero")
case("x", lambda x: tf.argmax(x, axis=-1), "argmax axis")
case("x", lambda x: tf.argmax(x, axis=1, output_type=tf.int32), "argmax type")
case("x", lambda x: tf.norm(x, axis=-1, keepdims=True), "norm axis")
case("x", lambda x: tf.norm(x, ord=1, axis=1), "norm one")
case("x", lambda x: tf.math.l2_normalize(x, axis=-1), "l2_normalize axis")
case("x", lambda x: tf.cumsum(x, axis=1, exclusive=True), "cumsum exclusive")
case("x", lambda x: tf.cumsum(x, axis=2, reverse=True), "cumsum reverse")
case("x", lambda x: tf.clip_by_value(x, -1.0, 1.0), "clip_by_value")
case("x", lambda x: tf.clip_by_value(x, clip_value_min=0, clip_value_max=1), "clip keywords")
case("x", lambda x: tf.clip_by_norm(x, 1.0, axes=[1]), "clip_by_norm")
case("x", lambda x: tf.nn.softmax(x, axis=1), "softmax axis")
case("x", lambda x: tf.nn.leaky_relu(x, alpha=0.1), "leaky_relu alpha")
case("x", lambda x: tf.nn.leaky_relu(x, 0.3), "leaky_relu positional")
case("x", lambda x: tf.nn.gelu(x, approximate=True), "gelu approximate")
case("x", lambda x: tf.nn.moments(x, axes=[1])[1], "moments")
case("x", lambda x: x - tf.nn.moments(x, [1, 2], keepdims=True)[0], "moments keepdims")
case("x", lambda x: tf.nn.dropout(x, rate=0.0), "dropout")
case("xv", lambda x, v: tf.nn.bias_add(x, tf.constant([1.0, 2.0, 3.0, 4.0])), "bias_add")
case("xm", lambda x, m: tf.matmul(x, m), "matmul")
case("xy", lambda x, y: tf.matmul(x, y, transpose_b=True), "matmul transpose_b")
case("xy", lambda x, y: tf.linalg.matmul(x, y, transpose_a=True), "matmul transpose_a")
case("xv", lambda x, v: tf.linalg.matvec(x, v), "matvec")
case("xm", lambda x, m: tf.tensordot(x, tf.constant(np.eye(4, 2, dtype="float32")), 1), "tensordot")
case("q", lambda q: tf.linalg.band_part(q, -1, 0), "band_part")
case("q", lambda q: tf.linalg.diag(tf.linalg.diag_part(q)), "diag of diag_part")
case("xi", lambda x, i: tf.gather(tf.constant(np.arange(10, dtype="float32")), i), "gather table")
case("x", lambda x: tf.gather(x, [0, 2], axis=1), "gather axis")
case("x", lambda x: tf.gather(x, indices=1, axis=2), "gather one")
case("xi", lambda x, i: tf.gather(x, tf.minimum(i, 2), axis=1, batch_dims=1), "gather batch_dims")
case("xi", lambda x, i: tf.gather_nd(x, tf.minimum(i, 2)[:, :1], batch_dims=1), "gather_nd")
case("i", lambda i: tf.one_hot(i, 5), "one_hot")
case("i", lambda i: tf.one_hot(i, depth=4, dtype=tf.int32), "one_hot type")
case("i", lambda i: tf.one_hot(i, 4, on_value=2.0, off_value=-1.0), "one_hot values")
case("bxy", lambda b, x, y: tf.where(b, x, y), "where")
case("x", lambda x: tf.where(x > 0, x, tf.zeros_like(x)), "where zeros_like")
case("x", lambda x: tf.where(tf.greater(x, 0.0), x, 0.0), "where number")
case("x", lambda x: tf.math.top_k(x, 2)[0], "top_k values")
case("x", lambda x: tf.nn.top_k(x, k=2).indices, "top_k indices")
case("x", lambda x: tf.sort(x, axis=1, direction="DESCENDING"), "sort descending")
case("x", lambda x: tf.argsort(x, direction="DESCENDING"), "argsort descending")
case("xy", lambda x, y: tf.add_n([x, y, x]), "add_n")
case("xy", lambda x, y: tf.math.add_n([x, y]), "math.add_n")
case("xy", lambda x, y: tf.linspace(0.0, 1.0, 4) + x, "x + linspace")
case("xy", lambda x, y: tf.keras.losses.cosine_similarity(x, y), "losses.cosine_similarity")
case("xy", lambda x, y: tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(x), y), "softmax ce")
case(
    "pb", lambda p, b: tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(b, tf.float32), p), "sig ce"
)
case("xi", lambda x, i: tf.nn.sparse_softmax_cross_entropy_with_logits(tf.minimum(i, 3), x), "sce")
case("i", lambda i: tf.sequence_mask(i, 5), "sequence_mask")
case("x", lambda x: tf.searchsorted(tf.sort(x), x), "searchsorted")
case("x", lambda x: tf.math.segment_sum(x[0], [0, 0, 1]), "segment_sum")
case("j", lambda j: tf.bitwise.bitwise_and(j, 3), "bitwise_and")
case("x", lambda x: tf.nn.normalize_moments(tf.constant(2.0), x, x, None)[0], "normalize_moments")
case("x", lambda x: tf.nn.batch_normalization(x, 0.5, 2.0, 0.1, 1.5, 1e-3), "batch_normalization")
case("x", lambda x: tf.debugging.check_numerics(x, "x"), "check_numerics")
case("x", lambda x: tf.math.polyval([2.0, 1.0], x), "polyval")

# Images and series.
case("g", lambda g: tf.image.resize(g, (8, 9)), "image.resize")
case("g", lambda g: tf.image.resize(g, [2, 3], method="nearest"), "image.resize nearest")
case("g", lambda g: tf.image.resize(g, tf.shape(g)[1:3] * 2), "image.resize by shape")
case("g", lambda g: tf.image.resize(g, (3, 3), antialias=True), "image.resize antialias")
case("g", lambda g: tf.image.resize(g, (7, 9), method=tf.image.ResizeMethod.BICUBIC), "bicubic")
case("g", tf.image.flip_left_right, "image.flip_left_right")
case("g", tf.image.flip_up_down, "image.flip_up_down")
case("g", tf.image.rgb_to_grayscale, "image.rgb_to_grayscale")
case("g", tf.image.rgb_to_hsv, "image.rgb_to_hsv")
case("g", tf.image.hsv_to_rgb, "image.hsv_to_rgb")
case("g", lambda g: tf.image.grayscale_to_rgb(g[..., :1]), "image.grayscale_to_rgb")
case("g", lambda g: tf.image.adjust_brightness(g, 0.2), "image.adjust_brightness")
case("g", lambda g: tf.image.adjust_contrast(g, 1.5), "image.adjust_contrast")
case("g", lambda g: tf.image.adjust_saturation(g, 0.5), "image.adjust_saturation")
case("g", lambda g: tf.image.adjust_gamma(g, 0.7), "image.adjust_gamma")
case("g", tf.image.per_image_standardization, "image.per_image_standardization")
case("g", lambda g: tf.image.central_crop(g, 0.5), "image.central_crop")
case("g", lambda g: tf.image.crop_to_bounding_box(g, 1, 2, 2, 3), "image.crop_to_bounding_box")
case("g", lambda g: tf.image.pad_to_bounding_box(g, 1, 1, 7, 8), "image.pad_to_bounding_box")
case("g", lambda g: tf.image.resize_with_crop_or_pad(g, 6, 5), "image.resize_with_crop_or_pad")
case("g", lambda g: tf.image.rot90(g), "image.rot90")
case("g", lambda g: tf.image.sobel_edges(g), "image.sobel_edges")
case(
    "g",
    lambda g: tf.image.extract_patches(g, [1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID"),
    "image.extract_patches",
)
case(
    "g",
    lambda g: tf.image.extract_patches(
        images=g, sizes=[1, 2, 3, 1], strides=[1, 2, 3, 1], rates=[1, 1, 1, 1], padding="VALID"
    ),
    "extract_patches keywords",
)
case("g", lambda g: tf.image.psnr(g, g * 0.9, max_val=1.0), "image.psnr")
case("g", lambda g: tf.nn.max_pool2d(g, 2, 2, "VALID"), "max_pool2d")
case("g", lambda g: tf.nn.avg_pool2d(g, ksize=2, strides=2, padding="SAME"), "avg_pool2d")
case("g", lambda g: tf.nn.max_pool(g, [1, 2, 2, 1], [1, 2, 2, 1], "SAME"), "max_pool")
case("g", lambda g: tf.nn.avg_pool(g, 2, 1, "VALID"), "avg_pool")
case(
    "g",
    lambda g: tf.nn.conv2d(g, tf.constant(np.ones((3, 3, 3, 2), "float32")), 1, "SAME"),
    "conv2d",
)
case(
    "g",
    lambda g: tf.nn.conv2d(
        g,
        filters=tf.constant(np.ones((2, 2, 3, 2), "float32")),
        strides=[1, 2, 2, 1],
        padding="VALID",
    ),
    "conv2d strides",
)
case(
    "g",
    lambda g: tf.nn.depthwise_conv2d(
        g, tf.constant(np.ones((3, 3, 3, 1), "float32")), [1, 1, 1, 1], "SAME"
    ),
    "depthwise_conv2d",
)
case(
    "s", lambda s: tf.nn.conv1d(s, tf.constant(np.ones((3, 2, 2), "float32")), 1, "SAME"), "conv1d"
)
case("g", lambda g: tf.nn.space_to_depth(g, 2), "space_to_depth")
case("g", lambda g: tf.nn.depth_to_space(tf.concat([g] * 4, -1), 2), "depth_to_space")
case("g", lambda g: tf.nn.local_response_normalization(g), "local_response_normalization")

# The functions of keras.backend.
for name in "abs square sqrt:p exp log:p sign round softmax relu sigmoid tanh hard_sigmoid softplus softsign elu mean sum max min prod std var all:b any:b argmax argmin flatten batch_flatten l2_normalize cos sin transpose:2 stop_gradient ones_like zeros_like logsumexp".split():
    base, _, kind = name.partition(":")
    if kind == "2" or not hasattr(K, base):
        continue
    case(kind or "x", getattr(K, base), f"K.{base}")
case("x", lambda x: K.mean(x, axis=-1, keepdims=True), "K.mean axis")
case("x", lambda x: K.sum(x, axis=1), "K.sum axis")
case("xy", lambda x, y: K.batch_dot(x, y, axes=2), "K.batch_dot")
case("xy", lambda x, y: K.concatenate([x, y], axis=-1), "K.concatenate")
case("xy", lambda x, y: K.stack([x, y], axis=1), "K.stack")
case("xy", K.maximum, "K.maximum")
case("xy", K.equal, "K.equal")
case("xy", K.greater, "K.greater")
case("x", lambda x: K.clip(x, -1, 1), "K.clip")
case("x", lambda x: K.expand_dims(x, axis=-1), "K.expand_dims")
case("x", lambda x: K.squeeze(K.expand_dims(x, 1), 1), "K.squeeze")
case("x", lambda x: K.reshape(x, (-1, 12)), "K.reshape")
case("x", lambda x: K.permute_dimensions(x, (0, 2, 1)), "K.permute_dimensions")
case("x", lambda x: K.cast(x, "int32"), "K.cast")
case("x", lambda x: K.pow(x, 2), "K.pow")
case("v", lambda v: K.repeat(v, 3), "K.repeat")
case("x", lambda x: K.repeat_elements(x, 2, axis=1), "K.repeat_elements")
case("v", lambda v: K.tile(v, [1, 2]), "K.tile")
case("x", lambda x: K.reverse(x, 1), "K.reverse")
case("i", lambda i: K.one_hot(i, 5), "K.one_hot")
case("x", lambda x: K.relu(x, alpha=0.1, max_value=1.0), "K.relu arguments")
case("x", lambda x: K.zeros_like(x) + K.epsilon(), "K.zeros_like")
case("x", lambda x: K.reshape(x, (K.shape(x)[0], 12)), "K.shape")
case("x", lambda x: K.softmax(x, axis=1), "K.softmax axis")
case("x", lambda x: K.cumsum(x, axis=1), "K.cumsum")
case("g", lambda g: K.resize_images(g, 2, 2, "channels_last"), "K.resize_images")
case("x", lambda x: tf.keras.activations.gelu(x), "activations.gelu")
case("x", lambda x: tf.keras.activations.relu(x, max_value=6.0), "activations.relu")
case("x", lambda x: tf.keras.activations.swish(x), "activations.swish")
case("x", lambda x: tf.keras.activations.softmax(x, axis=1), "activations.softmax")
case("x", lambda x: tf.keras.activations.hard_sigmoid(x), "activations.hard_sigmoid")
for name in ("mish", "exponential", "elu", "selu", "softplus", "softsign", "tanh", "sigmoid"):
    case("x", getattr(tf.keras.activations, name), f"activations.{name}")


def main() -> None:
    random = np.random.default_rng(5)
    values = {}
    for letter, (shape, dtype, low, high) in INPUTS.items():
        drawn = random.uniform(low, high, size=(2, *shape))
        values[letter] = (
            np.floor(drawn).astype(dtype) if dtype != "float32" else drawn.astype(dtype)
        )
    arrays = {f"input/{letter}": value for letter, value in values.items()}
    graphs, failed = {}, []
    for name, (letters, function) in CASES.items():
        K.clear_session()
        try:
            inputs = [Input(INPUTS[c][0], dtype=INPUTS[c][1], name=c) for c in letters]
            outputs = function(*inputs)
            model = tf.keras.Model(inputs, outputs)
            text = model.to_json()
            got = model([tf.constant(values[c]) for c in letters])
        except Exception as error:
            failed.append(f"{name}: {type(error).__name__} {str(error)[:90]}")
            continue
        graphs[name] = {"inputs": letters, "graph": json.loads(text)}
        for index, array in enumerate(tf.nest.flatten(got)):
            arrays[f"{name}/{index}"] = np.asarray(array)
    packing.write(HERE / "functions.npz", arrays, graphs)
    print(len(graphs), "written; not written:", *failed, sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()
