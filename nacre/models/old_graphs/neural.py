"""`tf.nn` and `tf.image`, as graphs of tf.keras 2 name them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nacre import ops
from nacre.models.old_graphs.table import (
    FUNCTIONS,
    Value,
    check_num_elements,
    function,
    pair,
    refuse,
    tensor,
)

for _name in "relu relu6 elu selu softsign".split():
    FUNCTIONS[f"nn.{_name}"] = getattr(ops, _name)


@function("nn.silu", "nn.swish")
def silu(features: Value, beta: float = 1.0) -> Any:
    if beta == 1.0:
        return ops.silu(features)
    return ops.multiply(features, ops.sigmoid(ops.multiply(features, beta)))


@function("nn.gelu")
def gelu(features: Value, approximate: bool = False) -> Any:
    return ops.gelu(features, approximate=bool(approximate))


@function("nn.leaky_relu")
def leaky_relu(features: Value, alpha: float = 0.2) -> Any:
    return ops.leaky_relu(features, negative_slope=float(alpha))


@function("compat.v1.nn.crelu", "nn.crelu")
def crelu(features: Value, axis: int = -1) -> Any:
    return ops.concatenate([ops.relu(features), ops.relu(ops.negative(features))], axis=axis)


@function("nn.softmax", "math.softmax")
def softmax(logits: Value, axis: int | None = None) -> Any:
    return ops.softmax(logits, axis=-1 if axis is None else axis)


@function("nn.log_softmax", "math.log_softmax")
def log_softmax(logits: Value, axis: int | None = None) -> Any:
    return ops.log_softmax(logits, axis=-1 if axis is None else axis)


@function("nn.l2_loss")
def l2_loss(t: Value) -> Any:
    return ops.multiply(ops.sum(ops.square(t)), 0.5)


@function("nn.bias_add")
def bias_add(value: Value, bias: Value, data_format: str | None = None) -> Any:
    bias = tensor(bias, like=value)
    if str(data_format or "N").startswith("NC"):
        bias = ops.reshape(bias, (-1, *[1] * (len(value.shape) - 2)))
    return ops.add(value, bias)


@function("nn.dropout")
def dropout(x: Value, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    if rate:
        raise refuse("nn.dropout", "rate must be 0, as it drops in inference too", f"rate={rate}")
    return ops.copy(x)


@function("nn.batch_normalization")
def batch_normalization(
    x: Value, mean: Value, variance: Value, offset: Value, scale: Value, variance_epsilon: float
) -> Any:
    factor = ops.rsqrt(ops.add(tensor(variance, like=x), variance_epsilon))
    factor = factor if scale is None else ops.multiply(factor, tensor(scale, like=x))
    result = ops.multiply(ops.subtract(x, tensor(mean, like=x)), factor)
    return result if offset is None else ops.add(result, tensor(offset, like=x))


# -------------------------------------------------------------------- losses


@function(
    "compat.v1.nn.softmax_cross_entropy_with_logits_v2", "nn.softmax_cross_entropy_with_logits"
)
def softmax_cross_entropy(labels: Value, logits: Value, axis: int = -1, **others: Any) -> Any:
    labels, logits = pair(labels, logits)
    products = ops.multiply(labels, ops.log_softmax(logits, axis=axis))
    return ops.negative(ops.sum(products, axis=axis))


@function(
    "compat.v1.nn.sparse_softmax_cross_entropy_with_logits",
    "nn.sparse_softmax_cross_entropy_with_logits",
)
def sparse_softmax_cross_entropy(labels: Value, logits: Value) -> Any:
    return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)


@function("compat.v1.nn.sigmoid_cross_entropy_with_logits", "nn.sigmoid_cross_entropy_with_logits")
def sigmoid_cross_entropy(labels: Value, logits: Value) -> Any:
    labels, logits = pair(labels, logits)
    return ops.subtract(ops.softplus(logits), ops.multiply(labels, logits))


# -------------------------------------------------------------------- convolution and pooling


def _spatial(value: Any, count: int) -> Any:
    """A window or stride of the spatial axes: TensorFlow writes 1 or 4 numbers as well as 2."""
    if isinstance(value, list | tuple):
        if len(value) == count + 2:
            if value[0] != 1 or value[-1] != 1:
                raise refuse("nn", "windows and strides must be 1 over batch and channels", value)
            value = value[1:-1]
        return tuple(int(v) for v in value) if len(value) > 1 else (int(value[0]),) * count
    return (int(value),) * count


def _last_channels(name: str, data_format: str | None) -> None:
    if data_format is not None and data_format.startswith("NC"):
        raise refuse(name, "channels must be last", f"data_format={data_format!r}")


def _pooling(name: str, operation: Callable[..., Any], axes: int | None) -> None:
    def pool(
        x: Value, ksize: Any, strides: Any, padding: str, data_format: str | None = None
    ) -> Any:
        _last_channels(name, data_format)
        count = axes or len(x.shape) - 2
        window, steps = _spatial(ksize, count), _spatial(strides, count)
        return operation(x, window, strides=steps, padding=str(padding).lower())

    FUNCTIONS[f"nn.{name}"] = pool


for _kind, _operation in (("max", ops.max_pool), ("avg", ops.average_pool)):
    for _suffix, _axes in (("", None), ("1d", 1), ("2d", 2), ("3d", 3)):
        _pooling(f"{_kind}_pool{_suffix}", _operation, _axes)
FUNCTIONS["compat.v1.nn.max_pool"] = FUNCTIONS["nn.max_pool"]
FUNCTIONS["compat.v1.nn.avg_pool"] = FUNCTIONS["nn.avg_pool"]


def _convolution(name: str, axes: int, operation: Callable[..., Any]) -> None:
    def convolve(x: Value, padding: Any, data_format: str | None = None, **others: Any) -> Any:
        def given(*names: str) -> Any:  # the spellings of versions and dimensions
            return next((others[n] for n in names if others.get(n) is not None), None)

        _last_channels(name, data_format)
        if not isinstance(padding, str):
            raise refuse(name, "padding must be 'SAME' or 'VALID'", padding)
        kernel, strides = given("filters", "filter"), given("strides", "stride")
        dilations = given("dilations", "rate")
        return operation(
            x,
            tensor(kernel, like=x),
            strides=_spatial(strides, axes),
            padding=padding.lower(),
            dilation_rate=_spatial(1 if dilations is None else dilations, axes),
        )

    FUNCTIONS[f"compat.v1.nn.{name}"] = FUNCTIONS[f"nn.{name}"] = convolve


for _axes in (1, 2, 3):
    _convolution(f"conv{_axes}d", _axes, ops.conv)
_convolution("depthwise_conv2d", 2, ops.depthwise_conv)


@function("nn.space_to_depth", "compat.v1.space_to_depth")
def space_to_depth(input: Value, block_size: int, data_format: str = "NHWC") -> Any:
    _last_channels("nn.space_to_depth", data_format)
    return ops.space_to_depth(input, block_size, data_format="channels_last")


@function("nn.depth_to_space", "compat.v1.depth_to_space")
def depth_to_space(input: Value, block_size: int, data_format: str = "NHWC") -> Any:
    _last_channels("nn.depth_to_space", data_format)
    return ops.depth_to_space(input, block_size, data_format="channels_last")


@function("nn.local_response_normalization", "nn.lrn")
def local_response_normalization(
    input: Value, depth_radius: int = 5, bias: float = 1.0, alpha: float = 1.0, beta: float = 0.5
) -> Any:
    """x / (bias + alpha · sum of squares over nearby channels)^beta."""
    channels = int(input.shape[-1])
    check_num_elements("nn.local_response_normalization", channels, channels)
    near = np.abs(np.arange(channels)[:, None] - np.arange(channels)[None]) <= depth_radius
    sums = ops.matmul(ops.square(input), near.astype(str(input.dtype)))
    return ops.divide(input, ops.power(ops.add(ops.multiply(sums, alpha), bias), beta))


# -------------------------------------------------------------------- images


@function("image.resize", "image.resize_images", "compat.v1.image.resize_images")
def resize(
    images: Value,
    size: Any,
    method: str = "bilinear",
    preserve_aspect_ratio: bool = False,
    antialias: bool = False,
) -> Any:
    if preserve_aspect_ratio:
        raise refuse("image.resize", "preserve_aspect_ratio must be False", True)
    size = tuple(int(n) for n in np.asarray(size))
    result = ops.image.resize(
        images, size, interpolation=method, antialias=antialias, data_format="channels_last"
    )
    return result if method == "nearest" else ops.cast(result, "float32")


FUNCTIONS["image.flip_left_right"] = lambda image: ops.flip(image, axis=-2)
FUNCTIONS["image.flip_up_down"] = lambda image: ops.flip(image, axis=-3)
FUNCTIONS["image.rgb_to_grayscale"] = lambda images: ops.image.rgb_to_grayscale(
    images, data_format="channels_last"
)
FUNCTIONS["image.rgb_to_hsv"] = lambda images: ops.image.rgb_to_hsv(
    images, data_format="channels_last"
)
FUNCTIONS["image.hsv_to_rgb"] = lambda images: ops.image.hsv_to_rgb(
    images, data_format="channels_last"
)
FUNCTIONS["image.grayscale_to_rgb"] = lambda images: ops.concatenate([images] * 3, axis=-1)
FUNCTIONS["image.adjust_brightness"] = lambda image, delta: ops.add(image, delta)
FUNCTIONS["image.adjust_gamma"] = lambda image, gamma=1, gain=1: ops.multiply(
    ops.power(image, gamma), gain
)
FUNCTIONS["image.sobel_edges"] = lambda image: ops.image.sobel_edges(
    image, data_format="channels_last"
)


@function("image.adjust_contrast")
def adjust_contrast(images: Value, contrast_factor: float) -> Any:
    mean = ops.mean(images, axis=(-3, -2), keepdims=True)
    return ops.add(ops.multiply(ops.subtract(images, mean), contrast_factor), mean)


@function("image.adjust_saturation")
def adjust_saturation(image: Value, saturation_factor: float) -> Any:
    hsv = ops.image.rgb_to_hsv(image, data_format="channels_last")
    hue, saturation, value = (ops.get_item(hsv, (..., slice(i, i + 1))) for i in range(3))
    saturation = ops.clip(ops.multiply(saturation, saturation_factor), 0.0, 1.0)
    changed = ops.concatenate([hue, saturation, value], axis=-1)
    return ops.image.hsv_to_rgb(changed, data_format="channels_last")


@function("image.per_image_standardization")
def per_image_standardization(image: Value) -> Any:
    axes, count = (-3, -2, -1), float(np.prod([int(n) for n in image.shape[-3:]]))
    mean = ops.mean(image, axis=axes, keepdims=True)
    deviation = ops.std(image, axis=axes, keepdims=True)
    return ops.divide(ops.subtract(image, mean), ops.maximum(deviation, 1.0 / np.sqrt(count)))


def _window(image: Value, top: int, left: int, height: int, width: int) -> Any:
    return ops.get_item(
        image, (..., slice(top, top + height), slice(left, left + width), slice(None))
    )


@function("image.central_crop")
def central_crop(image: Value, central_fraction: float) -> Any:
    height, width = (int(n) for n in image.shape[-3:-1])
    top, left = (int((n - n * central_fraction) / 2) for n in (height, width))
    return _window(image, top, left, height - 2 * top, width - 2 * left)


@function("image.crop_to_bounding_box")
def crop_to_bounding_box(
    image: Value, offset_height: int, offset_width: int, target_height: int, target_width: int
) -> Any:
    return _window(image, offset_height, offset_width, target_height, target_width)


@function("image.pad_to_bounding_box")
def pad_to_bounding_box(
    image: Value, offset_height: int, offset_width: int, target_height: int, target_width: int
) -> Any:
    height, width = (int(n) for n in image.shape[-3:-1])
    rows = (offset_height, target_height - height - offset_height)
    columns = (offset_width, target_width - width - offset_width)
    return ops.pad(image, [(0, 0)] * (len(image.shape) - 3) + [rows, columns, (0, 0)])


@function("image.resize_with_crop_or_pad")
def resize_with_crop_or_pad(image: Value, target_height: int, target_width: int) -> Any:
    height, width = (int(n) for n in image.shape[-3:-1])
    cut_rows, cut_columns = max(height - target_height, 0), max(width - target_width, 0)
    image = _window(image, cut_rows // 2, cut_columns // 2, height - cut_rows, width - cut_columns)
    top, left = max(target_height - height, 0) // 2, max(target_width - width, 0) // 2
    return pad_to_bounding_box(image, top, left, target_height, target_width)


@function("image.rot90")
def rot90(image: Value, k: int = 1) -> Any:
    return ops.rot90(image, k=k, axes=(-3, -2))


@function("image.extract_patches")
def extract_patches(images: Value, sizes: Any, strides: Any, rates: Any, padding: str) -> Any:
    return ops.image.extract_patches(
        images,
        _spatial(sizes, 2),
        strides=_spatial(strides, 2),
        dilation_rate=_spatial(rates, 2)[0],
        padding=padding.lower(),
        data_format="channels_last",
    )


@function("image.psnr")
def psnr(a: Value, b: Value, max_val: float) -> Any:
    error = ops.mean(ops.square(ops.subtract(*pair(a, b))), axis=(-3, -2, -1))
    # 10 · log10(max² / error)
    return ops.multiply(ops.log(ops.divide(float(max_val) ** 2, error)), 10.0 / np.log(10.0))
