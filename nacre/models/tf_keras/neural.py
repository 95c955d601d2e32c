"""Functions of `tf.keras.backend` for networks: activations, convolutions, losses, padding."""

from __future__ import annotations

from typing import Any

from nacre import ops, random
from nacre.core import config
from nacre.core.errors import ArgumentError, message


def batch_normalization(
    x: Any, mean: Any, var: Any, beta: Any, gamma: Any, axis: int = -1, epsilon: float = 1e-3
) -> Any:
    """x · scaled to a mean and variance: gamma · (x - mean) / sqrt(var + epsilon) + beta."""
    return ops.batch_normalization(x, mean, var, axis, beta, gamma, epsilon)


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Any:
    """A bias (channels,), or one of all axes but the batch, added to each sample."""
    if (data_format or config.image_data_format()) == "channels_first" and len(x.shape) > 2:
        rank = len(x.shape)
        if len(bias.shape) == 1:
            bias = ops.reshape(bias, (1, -1, *(1,) * (rank - 2)))
        else:
            bias = ops.expand_dims(ops.moveaxis(bias, -1, 0), 0)
    return ops.add(x, bias)


def conv1d(
    x: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """Convolution over time; 'causal' pads the past alone."""
    if padding == "causal":
        past = dilation_rate * (kernel.shape[0] - 1)
        is_first = (data_format or config.image_data_format()) == "channels_first"
        x = ops.pad(x, ((0, 0), (0, 0), (past, 0)) if is_first else ((0, 0), (past, 0), (0, 0)))
        padding = "valid"
    return ops.conv(x, kernel, strides, padding, data_format, dilation_rate)


def conv2d(
    x: Any,
    kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """Convolution of images."""
    return ops.conv(x, kernel, strides, padding, data_format, dilation_rate)


def conv3d(
    x: Any,
    kernel: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1, 1),
) -> Any:
    """Convolution of volumes."""
    return ops.conv(x, kernel, strides, padding, data_format, dilation_rate)


def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Any:
    """-log of the probability that the frames of each sample spell its labels.

    Args:
        y_true: Labels (batch, labels), filled up with anything.
        y_pred: Probabilities (batch, time, classes); the last class stands for "nothing here".
        input_length: Frames of each sample (batch, 1).
        label_length: Labels of each sample (batch, 1).

    Shapes:
        returns (batch, 1)
    """
    scores = ops.log(y_pred + config.epsilon())
    labels = ops.cast(y_true, "int32")
    known, frames = (ops.reshape(length, (-1,)) for length in (label_length, input_length))
    return ops.expand_dims(ops.ctc_loss(labels, scores, known, frames, y_pred.shape[-1] - 1), 1)


def ctc_decode(
    y_pred: Any, input_length: Any, greedy: bool = True, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[Any], Any]:
    """The most likely labels of each sample.

    Args:
        y_pred: Probabilities (batch, time, classes); the last class stands for "nothing here".
        input_length: Frames of each sample (batch,).
        greedy: Whether the best class of each frame is taken; else by beam search.
        beam_width: How many beginnings a beam search keeps.
        top_paths: How many sequences it gives.

    Returns:
        A list of labels (batch, time), -1 after their end, and their scores (batch, paths).

    Source:
        tf.keras 2.15. Differs: labels are as long as the frames, as sizes cannot depend on values.
    """
    scores = ops.log(y_pred + config.epsilon())
    strategy = "greedy" if greedy else "beam_search"
    labels, found = ops.ctc_decode(
        scores, ops.reshape(input_length, (-1,)), strategy, beam_width, top_paths,
        mask_index=y_pred.shape[-1] - 1,
    )  # fmt: skip
    return [labels[path] for path in range(labels.shape[0])], found


def depthwise_conv2d(
    x: Any,
    depthwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """Convolution of each channel by itself."""
    return ops.depthwise_conv(x, depthwise_kernel, strides, padding, data_format, dilation_rate)


def dropout(x: Any, level: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Each entry is 0 with a probability, the others are scaled up."""
    return random.dropout(x, level, noise_shape, seed)


def hard_sigmoid(x: Any) -> Any:
    """0.2 · x + 0.5 between 0 and 1, as in tf.keras 2; that of Keras 3 has the slope 1/6.

    Example:
        >>> hard_sigmoid([-3.0, 0.0, 1.0]).tolist()
        [0.0, 0.5, 0.699...]
    """
    return ops.clip(0.2 * ops.convert_to_tensor(x) + 0.5, 0.0, 1.0)


def in_top_k(predictions: Any, targets: Any, k: int) -> Any:
    """Whether each target is among the k best classes."""
    return ops.in_top_k(targets, predictions, k)


def l2_normalize(x: Any, axis: Any = None) -> Any:
    """Divided by the root of the sum of squares, which counts as 1e-12 at least."""
    x = ops.convert_to_tensor(x)
    total = ops.sum(ops.square(x), axis, keepdims=True)
    return x * ops.rsqrt(ops.maximum(total, 1e-12))


def normalize_batch_in_training(
    x: Any, gamma: Any, beta: Any, reduction_axes: Any, epsilon: float = 1e-3
) -> tuple[Any, Any, Any]:
    """(normalised, mean, variance) of a batch."""
    axes = tuple(reduction_axes)
    mean, variance = ops.moments(x, axes, keepdims=True)
    found = (x - mean) * ops.rsqrt(variance + epsilon)
    shape = mean.shape
    found = found if gamma is None else found * ops.reshape(gamma, shape)
    found = found if beta is None else found + ops.reshape(beta, shape)
    return found, ops.squeeze(mean, axes), ops.squeeze(variance, axes)


def pool2d(
    x: Any,
    pool_size: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Any:
    """Maxima ('max') or means ('avg') of windows of images."""
    return _pool("pool2d", x, pool_size, strides, padding, data_format, pool_mode)


def pool3d(
    x: Any,
    pool_size: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Any:
    """Maxima ('max') or means ('avg') of windows of volumes."""
    return _pool("pool3d", x, pool_size, strides, padding, data_format, pool_mode)


def _pool(
    who: str, x: Any, size: Any, strides: Any, padding: str, data_format: Any, mode: str
) -> Any:
    if mode not in ("max", "avg"):
        raise ArgumentError(message(who, "pool_mode must be 'max' or 'avg'", repr(mode)))
    pool = ops.max_pool if mode == "max" else ops.average_pool
    return pool(x, size, strides, padding, data_format)


def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """Entries from the threshold on, `alpha` · what they are below it, at most `max_value`.

    Example:
        >>> relu([-2.0, 1.0, 9.0], alpha=0.5, max_value=6.0).tolist()
        [-1.0, 1.0, 6.0]
    """
    x = ops.convert_to_tensor(x)
    above = x if max_value is None else ops.minimum(x, max_value)
    below = alpha * (x - threshold) if alpha else ops.zeros_like(x)
    return ops.where(x >= threshold, above, below)


def resize_images(
    x: Any, height_factor: int, width_factor: int, data_format: str, interpolation: str = "nearest"
) -> Any:
    """Images so many times as high and as wide."""
    first = 2 if data_format == "channels_first" else 1
    height, width = x.shape[first : first + 2]
    size = (height * height_factor, width * width_factor)
    return ops.image.resize(x, size, interpolation, data_format=data_format)


def resize_volumes(
    x: Any, depth_factor: int, height_factor: int, width_factor: int, data_format: str
) -> Any:
    """Volumes so many times as deep, high and wide: each entry is repeated."""
    first = 2 if data_format == "channels_first" else 1
    for axis, factor in enumerate((depth_factor, height_factor, width_factor), first):
        x = ops.repeat(x, factor, axis)
    return x


def separable_conv2d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """Convolution of each channel by itself, then of all channels of each pixel."""
    return ops.separable_conv(
        x, depthwise_kernel, pointwise_kernel, strides, padding, data_format, dilation_rate
    )


def sparse_categorical_crossentropy(
    target: Any,
    output: Any,
    from_logits: bool = False,
    axis: int = -1,
    ignore_class: int | None = None,
) -> Any:
    """-log of the probability of each class index; 0 for the class that is ignored."""
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(target, output, from_logits, axis)
    target = ops.convert_to_tensor(target)
    is_ignored = ops.equal(target, ops.cast(ignore_class, target.dtype))
    known = ops.where(is_ignored, ops.zeros_like(target), target)
    found = ops.sparse_categorical_crossentropy(known, output, from_logits, axis)
    return ops.where(is_ignored, ops.zeros_like(found), found)


def spatial_2d_padding(
    x: Any, padding: Any = ((1, 1), (1, 1)), data_format: str | None = None
) -> Any:
    """Zeros around images: ((top, bottom), (left, right))."""
    return _padded(x, padding, data_format)


def spatial_3d_padding(
    x: Any, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None
) -> Any:
    """Zeros around volumes."""
    return _padded(x, padding, data_format)


def temporal_padding(x: Any, padding: Any = (1, 1)) -> Any:
    """Zeros before and after sequences (batch, time, features)."""
    return ops.pad(x, ((0, 0), tuple(padding), (0, 0)))


def _padded(x: Any, padding: Any, data_format: str | None) -> Any:
    sides = [tuple(side) for side in padding]
    is_first = (data_format or config.image_data_format()) == "channels_first"
    none = (0, 0)
    return ops.pad(x, (none, none, *sides) if is_first else (none, *sides, none))
