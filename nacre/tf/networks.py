"""`tf.nn`: convolutions, windows and losses, with arguments as TensorFlow has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre import ops
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.tf.arguments import t
from nacre.tf.arranging import pad, transpose
from nacre.tf.formulas import clip_by_norm, reduced
from nacre.tf.nodes import node
from nacre.tf.sizes import plain, sizes_of
from nacre.tf.values import same, tensor


def layout(data_format: Any) -> str:
    """TensorFlow's word for where channels are."""
    return "NCHW" if str(data_format or "").startswith("NC") else "NHWC"


def _keras_format(data_format: Any) -> str:
    return "channels_first" if str(data_format or "").startswith("NC") else "channels_last"


def _steps(value: Any, count: int, data_format: Any) -> tuple[int, ...]:
    """Steps along the axes of space, told as one number, as theirs, or of all axes."""
    found = plain(1 if value is None else value)
    found = found if isinstance(found, tuple) else (found,)
    if len(found) == 1:
        return found * count
    if len(found) == count + 2:
        first = _keras_format(data_format) == "channels_first"
        spatial = found[2:] if first else found[1:-1]
        if any(n != 1 for n in (found[0], found[1] if first else found[-1])):
            rule = "steps along batch and channels must be 1"
            raise ArgumentError(message("tf.nn", rule, str(found)))
        return spatial
    if len(found) != count:
        raise ArgumentError(message("tf.nn", f"there must be {count} numbers", str(found)))
    return found


def _padded(x: Any, padding: Any) -> tuple[Any, str]:
    """What is told in numbers, done before."""
    if isinstance(padding, str):
        return x, padding.lower()
    return pad(x, padding, "CONSTANT", 0), "valid"


def convolution(
    x: Any, kernel: Any, strides: Any, padding: Any, data_format: Any, rates: Any, rank: Any
) -> Any:
    """A convolution with a kernel (*window, in, out)."""
    count = kernel.ndim - 2 if rank is None else rank
    x, padding = _padded(x, padding)
    strides, rates = (_steps(v, count, data_format) for v in (strides, rates))
    x, kernel = same(x, kernel)
    return ops.conv(x, kernel, strides, padding, _keras_format(data_format), rates)


def depthwise(x: Any, kernel: Any, strides: Any, padding: Any, data_format: Any, rates: Any) -> Any:
    """A convolution of each channel by itself, kernel (*window, in, multiplier)."""
    x, padding = _padded(x, padding)
    strides, rates = (_steps(v, 2, data_format) for v in (strides, rates))
    return ops.depthwise_conv(x, kernel, strides, padding, _keras_format(data_format), rates)


def transposed_convolution(
    x: Any, kernel: Any, sizes: Any, strides: Any, padding: Any, data_format: Any, rates: Any
) -> Any:
    """The gradient of a convolution with respect to its input, kernel (*window, out, in)."""
    first = _keras_format(data_format) == "channels_first"
    steps, rates = (_steps(v, 2, data_format) for v in (strides, rates))

    def four(values: tuple[int, ...]) -> list[int]:
        return [1, 1, *values] if first else [1, *values, 1]

    return node("Conv2DBackpropInput")(
        np.asarray(sizes_of(sizes), np.int32), kernel, x, strides=four(steps), padding=padding,
        dilations=four(rates), data_format=layout(data_format),
    )  # fmt: skip


def pool(name: str, x: Any, window: Any, strides: Any, padding: Any, data_format: Any) -> Any:
    """The mean or the largest number of windows."""
    count = x.ndim - 2
    window, strides = (_steps(v, count, data_format) for v in (window, strides))
    x, padding = (x, padding.lower()) if isinstance(padding, str) else _padded(x, padding)
    function = ops.max_pool if name == "MaxPool" else ops.average_pool
    return function(x, window, strides, padding, _keras_format(data_format))


def batch_normalization(
    x: Any, mean: Any, variance: Any, offset: Any, scale: Any, epsilon: Any
) -> Any:
    """(x - mean) · scale / sqrt(variance + epsilon) + offset."""
    inverse = node("Rsqrt")(t(variance) + epsilon)
    inverse = inverse if scale is None else inverse * t(scale)
    moved = (x - t(mean)) * inverse
    return moved if offset is None else moved + t(offset)


def swish(x: Any, beta: Any) -> Any:
    """x · sigmoid(beta · x)."""
    return ops.silu(x) if type(beta) is float and beta == 1.0 else x * node("Sigmoid")(x * beta)


def sigmoid_cross_entropy(labels: Any, logits: Any) -> Any:
    """max(x, 0) - x · z + log(1 + exp(-|x|)), element by element."""
    z, x = same(labels, logits)
    if tuple(z.shape) != tuple(x.shape):
        rule = "labels and logits must have one shape"
        got = f"{tuple(z.shape)} and {tuple(x.shape)}"
        raise ShapeError(message("tf.nn.sigmoid_cross_entropy_with_logits", rule, got))
    return node("Maximum")(x, t(0, x)) - x * z + node("Log1p")(node("Exp")(-node("Abs")(x)))


def weighted_cross_entropy(labels: Any, logits: Any, weight: Any) -> Any:
    """The same with the loss of positives times a weight."""
    z, x = same(labels, logits)
    factor = 1 + (weight - 1) * z
    tail = node("Log1p")(node("Exp")(-node("Abs")(x))) + node("Relu")(-x)
    return (1 - z) * x + factor * tail


def softmax_cross_entropy(labels: Any, logits: Any, axis: int) -> Any:
    """-Σ labels · log softmax(logits)."""
    labels, logits = same(labels, logits)
    return -reduced("Sum", labels * ops.log_softmax(logits, axis), axis, False)


def ctc_loss(
    labels: Any, logits: Any, label_length: Any, logit_length: Any, by_time: bool, blank: Any
) -> Any:
    """-log of the probability of the labels, over all alignments."""
    logits = transpose(logits, [1, 0, 2]) if by_time else logits
    index = 0 if blank is None else blank
    index = index + logits.shape[-1] if index < 0 else index
    return ops.ctc_loss(labels, logits, label_length, logit_length, mask_index=index)


def embedding_lookup(params: Any, ids: Any, max_norm: Any) -> Any:
    """Rows of a table."""
    if isinstance(params, list | tuple):
        if len(params) != 1:
            raise ArgumentError(
                message("tf.nn.embedding_lookup", "one table is taken", f"{len(params)}")
            )
        params = params[0]
    rows = node("GatherV2")(tensor(params), ids, np.int32(0))
    return rows if max_norm is None else clip_by_norm(rows, max_norm, [-1])
