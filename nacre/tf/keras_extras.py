"""What tf.keras 2.15 has and Keras 3 dropped: layers, a metric, functions of the backend."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre import activations, constraints, initializers, losses, ops, regularizers
from nacre.callbacks import Callback
from nacre.core.config import standardize_data_format
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.registry import register
from nacre.layers import BatchNormalization, Layer
from nacre.layers.merging.merge import Merge
from nacre.metrics import Mean
from nacre.models.tf_keras import neural
from nacre.tf.making import cast
from nacre.tf.sizes import plain
from nacre.tf.values import tensor


class _LocallyConnected(Layer):
    """A convolution with a kernel of its own at each place of the output."""

    _rank = 0

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        data_format: str | None = None, activation: Any = None, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, implementation: int = 1, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if padding != "valid":
            rule = "padding must be 'valid'"
            fix = "Put a ZeroPadding layer before it."
            raise ArgumentError(message(self._who(), rule, repr(padding), fix))
        self.filters, self.padding = filters, padding
        self.data_format = standardize_data_format(data_format)
        self.kernel_size = _sizes(kernel_size, self._rank)
        self.strides = _sizes(strides, self._rank)
        self.activation = activations.get(activation)
        self.use_bias, self.implementation = use_bias, implementation
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def build(self, input_shape: Any) -> None:
        """Make a kernel for each place."""
        sizes, channels = self._of(tuple(input_shape))
        if None in sizes or channels is None:
            rule = "the sizes of its inputs must be known"
            raise ShapeError(message(self._who(), rule, f"shape {tuple(input_shape)}"))
        places = _outputs(sizes, self.kernel_size, self.strides)
        if min(places) < 1:
            rule = f"inputs must be at least as large as the kernel {self.kernel_size}"
            raise ShapeError(message(self._who(), rule, f"shape {tuple(input_shape)}"))
        shape = (int(np.prod(places)), int(np.prod(self.kernel_size)) * channels, self.filters)
        self.kernel = self.add_weight(
            name="kernel", shape=shape, initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(*places, self.filters), initializer=self.bias_initializer,
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip

    def _of(self, shape: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
        """Spatial sizes and channels."""
        if self.data_format == "channels_first":
            return shape[2:], shape[1]
        return shape[1:-1], shape[-1]

    def call(self, inputs: Any) -> Any:
        """The windows at all places, each times the kernel of its place."""
        x = jnp.asarray(inputs)
        first = self.data_format == "channels_first"
        x = jnp.moveaxis(x, 1, -1) if first else x  # (batch, *spatial, channels)
        places = _outputs(x.shape[1:-1], self.kernel_size, self.strides)
        for axis, (size, count, step) in enumerate(
            zip(self.kernel_size, places, self.strides, strict=True)
        ):
            rows = np.arange(count)[:, None] * step + np.arange(size)
            # each spatial axis becomes two: places, and offsets within a window
            x = jnp.take(x, rows, axis=1 + 2 * axis)
        rank = self._rank
        order = [0, *range(1, 2 * rank, 2), *range(2, 2 * rank + 1, 2), 2 * rank + 1]
        windows = x.transpose(order).reshape(x.shape[0], int(np.prod(places)), -1)
        out = jnp.einsum("bpw,pwf->bpf", windows, self.kernel.value.astype(x.dtype))
        out = out.reshape(x.shape[0], *places, self.filters)
        if self.bias is not None:
            out = out + self.bias.value.astype(x.dtype)
        out = self.activation(out)
        return jnp.moveaxis(out, -1, 1) if first else out


def _sizes(value: Any, rank: int) -> tuple[int, ...]:
    return (value,) * rank if isinstance(value, int) else tuple(value)


def _outputs(sizes: Any, kernel: Any, strides: Any) -> tuple[int, ...]:
    return tuple((n - k) // s + 1 for n, k, s in zip(sizes, kernel, strides, strict=True))


@register("layers/LocallyConnected1D")
class LocallyConnected1D(_LocallyConnected):
    """A convolution along steps, with a kernel of its own at each step of the output.

    Args:
        filters, kernel_size, strides, padding, data_format, activation, use_bias,
            kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            activity_regularizer, kernel_constraint, bias_constraint: As of `Conv1D`; padding is
            'valid' alone.
        implementation: Accepted for compatibility: weights are always those of 1.

    Source:
        tf.keras 2.15. Differs: only padding='valid' is here.
    """

    _rank = 1


@register("layers/LocallyConnected2D")
class LocallyConnected2D(_LocallyConnected):
    """A convolution over pictures, with a kernel of its own at each place of the output.

    Args:
        filters, kernel_size, strides, padding, data_format, activation, use_bias,
            kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            activity_regularizer, kernel_constraint, bias_constraint: As of `Conv2D`; padding is
            'valid' alone.
        implementation: Accepted for compatibility: weights are always those of 1.

    Source:
        tf.keras 2.15. Differs: only padding='valid' is here.
    """

    _rank = 2


class AbstractRNNCell(Layer):
    """Base class of cells for `tf.keras.layers.RNN`: `call(inputs, states)` gives (output, states).

    Subclasses have `state_size` and `output_size`.
    """

    def call(self, inputs: Any, states: Any) -> Any:
        """One step, which a subclass has."""
        rule = "a cell has call(inputs, states)"
        raise ArgumentError(message(type(self).__name__, rule, "none"))

    @property
    def state_size(self) -> Any:
        """The size of the state, or of each."""
        rule = "a cell has state_size"
        raise ArgumentError(message(type(self).__name__, rule, "none"))

    @property
    def output_size(self) -> Any:
        """The size of the output."""
        rule = "a cell has output_size"
        raise ArgumentError(message(type(self).__name__, rule, "none"))

    def get_initial_state(
        self, inputs: Any = None, batch_size: Any = None, dtype: Any = None
    ) -> Any:
        """Zeros."""
        if inputs is not None:
            batch_size, dtype = inputs.shape[0], inputs.dtype
        kind = dtype or self.compute_dtype
        sizes = self.state_size
        nested = isinstance(sizes, list | tuple)
        made = [ops.zeros((batch_size, n), kind) for n in (sizes if nested else [sizes])]
        return made if nested else made[0]


@register("layers/SyncBatchNormalization")
class SyncBatchNormalization(BatchNormalization):
    """`BatchNormalization`, whose statistics are those of the batch on all devices.

    Args:
        args, kwargs: As of `BatchNormalization`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "synchronized": True})


class BaseLogger(Callback):
    """Nothing: the logs of an epoch are means already.

    Args:
        stateful_metrics: Accepted for compatibility.
    """

    def __init__(self, stateful_metrics: Any = None) -> None:
        super().__init__()
        self.stateful_metrics = set(stateful_metrics or ())


class MeanRelativeError(Mean):
    """The mean of absolute errors, each divided by a number; 0 where that is 0.

    Args:
        normalizer: The numbers, of the targets' shape or one that fits it.
        name, dtype: As of other metrics.
    """

    def __init__(self, normalizer: Any, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name=name or "mean_relative_error", dtype=dtype)
        self.normalizer = np.asarray(normalizer).tolist()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take targets and predictions in."""
        truth = jnp.asarray(tensor(y_true)).astype("float32")
        predictions = jnp.asarray(tensor(y_pred)).astype("float32")
        scale = jnp.asarray(self.normalizer, "float32")
        errors = jnp.abs(truth - predictions)
        relative = jnp.where(scale == 0, 0.0, errors / jnp.where(scale == 0, 1.0, scale))
        super().update_state(relative, sample_weight)


# ------------------------------------------------------------------ tf.keras.backend


def binary_focal_crossentropy(
    target: Any, output: Any, apply_class_balancing: bool = False, alpha: float = 0.25,
    gamma: float = 2.0, from_logits: bool = False,
) -> Any:  # fmt: skip
    """The binary focal cross-entropy of each number."""
    truth, guess = (jnp.asarray(tensor(x))[..., None] for x in (target, output))
    return losses.binary_focal_crossentropy(
        truth, guess, apply_class_balancing, alpha, gamma, from_logits
    )


def categorical_focal_crossentropy(
    target: Any, output: Any, alpha: Any = 0.25, gamma: float = 2.0, from_logits: bool = False,
    axis: int = -1,
) -> Any:  # fmt: skip
    """The categorical focal cross-entropy of each row."""
    return losses.categorical_focal_crossentropy(
        target, output, alpha, gamma, from_logits, axis=axis
    )


def local_conv(rank: int, inputs: Any, kernel: Any, kernel_size: Any, strides: Any, layout: Any) -> Any:  # noqa: E501  # fmt: skip
    """A convolution with a kernel for each place, (places, window, filters)."""
    kind = LocallyConnected1D if rank == 1 else LocallyConnected2D
    x, weights = jnp.asarray(tensor(inputs)), jnp.asarray(tensor(kernel))
    layer = kind(weights.shape[-1], kernel_size, strides, data_format=layout, use_bias=False)
    layer.build(tuple(x.shape))
    layer.kernel.assign(weights)
    return layer(x)


def local_conv1d(inputs: Any, kernel: Any, kernel_size: Any, strides: Any, data_format: Any = None) -> Any:  # noqa: E501  # fmt: skip
    """A convolution along steps with a kernel for each."""
    return local_conv(1, inputs, kernel, kernel_size, strides, data_format)


def local_conv2d(inputs: Any, kernel: Any, kernel_size: Any, strides: Any, output_shape: Any, data_format: Any = None) -> Any:  # noqa: E501  # fmt: skip
    """A convolution over pictures with a kernel for each place."""
    return local_conv(2, inputs, kernel, kernel_size, strides, data_format)


def ctc_decode(
    y_pred: Any, input_length: Any, greedy: bool = True, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[Any], Any]:
    """`nacre.backend.ctc_decode`, whose labels have 64 bits, as in tf.keras 2."""
    labels, scores = neural.ctc_decode(y_pred, input_length, greedy, beam_width, top_paths)
    return [cast(path, "int64") for path in labels], scores


def ctc_label_dense_to_sparse(labels: Any, label_lengths: Any) -> Any:
    """Rows of labels, each of its length, as a sparse tensor."""
    from nacre.tf.sparse_tensors import SparseTensor

    rows = np.asarray(tensor(labels))
    lengths = np.asarray(plain(tensor(label_lengths))).ravel()
    places = np.argwhere(np.arange(rows.shape[1]) < lengths[:, None])
    return SparseTensor(places, rows[tuple(places.T)], rows.shape)


class MergeOfScripts(Merge):
    """The base of merging layers in tf.keras 2, whose subclasses join tensors in
    `_merge_function`."""

    def _merge(self, tensors: list[Any]) -> Any:
        return self._merge_function(tensors)

    def _merge_function(self, inputs: list[Any]) -> Any:
        """The joined tensor; subclasses define it."""
        return super()._merge(inputs)


def is_tf_random_generator_enabled() -> bool:
    """True: there is one kind of generator."""
    return True


def accepted() -> None:
    """Nothing: accepted for compatibility."""


__all__ = [
    "AbstractRNNCell", "BaseLogger", "LocallyConnected1D", "LocallyConnected2D",
    "MeanRelativeError", "SyncBatchNormalization",
]  # fmt: skip
