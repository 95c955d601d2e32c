"""Inputs brought to a scale: by given factors, or by the statistics of the data."""

from __future__ import annotations

from itertools import zip_longest
from math import prod
from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import config
from nacre.core.axes import axis_numbers
from nacre.core.errors import ArgumentError, DataError, NotBuiltError, ShapeError, message
from nacre.core.registry import register
from nacre.core.warning import warn
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.core.configs import explicit_config
from nacre.layers.preprocessing.encoding import batches_of, numbers_to_adapt

_ADAPTED_AT_ONCE = 128  # samples of a Dataset that was not batched
_FLOAT32_STEP = 2.0**-24  # half of what neighbours differ by, as a share of their size


def _one_array(layer: Layer, inputs: Any) -> Any:
    """Inputs as an array of float32, or of the compute dtype where that has more digits."""
    try:
        return jnp.asarray(inputs).astype(jnp.promote_types(layer.compute_dtype, "float32"))
    except (TypeError, ValueError):
        raise ArgumentError(
            message(
                layer._who(),
                "inputs must be one array of numbers",
                f"a {type(inputs).__name__}",
                "Call it on each array of a dict or list by itself.",
            )
        ) from None


def _are_numbers(values: Any) -> bool:
    try:
        return values is not None and np.asarray(values, "float64").size > 0
    except (TypeError, ValueError):
        return False


def _fits(shape: Any, other: Any) -> bool:
    """Whether arrays of two shapes can be broadcast against each other."""
    pairs = zip(reversed(shape), reversed(other), strict=False)
    return all(n == 1 or m == 1 or n == m for n, m in pairs)


@register("layers/Rescaling")
class Rescaling(Layer):
    """Multiply by a factor and add an offset.

    Args:
        scale: The factor, such as 1/255 for pixels; or several that broadcast.
        offset: The offset.
    Formula:
        y = x · scale + offset
    Example:
        >>> import nacre
        >>> nacre.layers.Rescaling(0.5, offset=1.0)(nacre.ops.ones((1, 2))).tolist()
        [[1.5, 1.5]]
    """

    casts_inputs = False  # it computes in float32: 70000 / 255 fits float16, 70000 does not

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        for name, numbers in (("scale", scale), ("offset", offset)):
            if not _are_numbers(numbers):
                rule = f"{name} must be a number, or several"
                raise ArgumentError(message(self._who(), rule, repr(numbers)))
        self.scale = scale
        self.offset = offset
        self.supports_masking = True

    def call(self, inputs: jax.Array) -> jax.Array:
        """The rescaled inputs, in the compute dtype."""
        x = _one_array(self, inputs)
        scale, offset = (np.asarray(numbers, "float64") for numbers in (self.scale, self.offset))
        if not (_fits(x.shape, scale.shape) and _fits(x.shape, offset.shape)):
            raise ShapeError(
                message(
                    self._who(),
                    f"scale of shape {scale.shape} and offset of shape {offset.shape} must fit "
                    "the last axes of the inputs",
                    f"inputs of shape {x.shape}",
                )
            )
        outputs = x * jnp.asarray(scale).astype(x.dtype) + jnp.asarray(offset).astype(x.dtype)
        return outputs.astype(self.compute_dtype)


@register("layers/Normalization")
class Normalization(Layer):
    """Give each feature mean 0 and variance 1, as measured on the data by `adapt`.

    Args:
        axis: Axes that keep statistics of their own; None for one mean and variance of everything.
        mean: Mean, instead of `adapt`.
        variance: Variance, instead of `adapt`.
        invert: Map normalized values back.
    Shapes:
        inputs (batch, *sizes); mean, variance: the sizes of `axis`; count ()
    Formula:
        y = (x - mean) / max(sqrt(variance), 1e-7); inverted: x · max(sqrt(variance), 1e-7) + mean
    Precision:
        Computed in float32, cast to the compute dtype at the end: inputs may be beyond the range of
        float16.
    Before `adapt`:
        It changes nothing, as in Keras; `fit` warns of a layer that is left so.
    Example:
        >>> import nacre, numpy as np
        >>> layer = nacre.layers.Normalization()
        >>> layer.adapt(np.array([[1.0], [3.0]]))
        >>> layer(np.array([[1.0], [3.0]])).tolist()
        [[-1.0], [1.0]]
    """

    casts_inputs = False  # it computes in float32: values may leave float16's range

    def __init__(
        self,
        axis: Any = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**kwargs)
        if axis is None:
            axis = ()
        self.axis = axis_numbers(self._who(), axis, least=0)
        if 0 in self.axis:
            raise ArgumentError(message(self._who(), "axis must not be 0, the batch", repr(axis)))
        self._check_given(mean, variance)
        self.input_mean = mean
        self.input_variance = variance
        self.invert = invert
        self.supports_masking = True
        self.adapt_mean: Any = None
        self.adapt_variance: Any = None
        self._adapted = mean is not None

    def _check_given(self, mean: Any, variance: Any) -> None:
        given = [value for value in (mean, variance) if value is not None]
        if not given:
            return
        is_right = len(given) == 2 and all(map(_are_numbers, given))
        if not is_right or np.shape(mean) != np.shape(variance) or np.min(variance) < 0:
            raise ArgumentError(
                message(
                    self._who(),
                    "mean and variance must be given together: numbers of one shape, the variance "
                    "not negative",
                    f"mean={mean}, variance={variance}",
                )
            )

    def build(self, input_shape: Any) -> None:
        """Make the statistics, unless they were given."""
        if input_shape is None:
            return
        ndim = len(input_shape)
        if any(not -ndim <= axis < ndim for axis in self.axis):
            raise ShapeError(
                message(
                    self._who(),
                    f"the input must have the axes {self.axis}",
                    f"input of shape {tuple(input_shape)}",
                )
            )
        self._kept = tuple(sorted(axis % ndim for axis in self.axis))
        sizes = tuple(input_shape[axis] for axis in self._kept)
        if None in sizes:
            raise ShapeError(
                message(
                    self._who(),
                    f"the sizes of the axes {self.axis} must be known",
                    f"input of shape {tuple(input_shape)}",
                )
            )
        wide = tuple(n if a in self._kept else 1 for a, n in enumerate(input_shape))
        if self.input_mean is not None:
            self._check_fit(wide, tuple(input_shape))
        self._wide = wide
        if self.input_mean is not None or self.adapt_mean is not None:
            return
        self.adapt_mean = self.add_weight(
            name="mean", shape=sizes, initializer="zeros", trainable=False, autocast=False
        )
        self.adapt_variance = self.add_weight(
            name="variance", shape=sizes, initializer="ones", trainable=False, autocast=False
        )
        # Keeps the place it has in files of Keras; nothing counts here.
        self.count = self.add_weight(
            name="count", shape=(), dtype="int32", initializer="zeros", trainable=False
        )

    def _check_fit(self, wide: tuple[int, ...], input_shape: tuple[int | None, ...]) -> None:
        """Raise for inputs that the given mean and variance cannot be spread over."""
        given = np.shape(self.input_mean)
        pairs = zip_longest(reversed(given), reversed(wide), fillvalue=1)
        if prod(given) != prod(wide) and any(size not in (1, n) for size, n in pairs):
            raise ShapeError(
                message(
                    self._who(),
                    f"the axes {self.axis} of the inputs must have the sizes of mean and variance, "
                    f"{given}",
                    f"input of shape {input_shape}",
                )
            )

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Measure mean and variance.

        Args:
            data: Array, or batches of arrays. The elements of a Dataset that was not batched are
                samples, as in Keras.
            steps: Number of batches to look at.

        Warns of values that lie too close together for float32 (times in milliseconds): they
        would all become 0.
        """
        if self.input_mean is not None:
            raise ArgumentError(
                message(
                    self._who(),
                    "adapt must not be called when mean and variance were given",
                    "a call of adapt",
                )
            )
        total = None
        for batch in batches_of(self, _in_batches(data), steps):
            batch = numbers_to_adapt(self, batch)
            if batch.ndim == 1 and self.axis:
                batch = batch[:, None]  # one feature
            if not self.built:
                self.build((None, *batch.shape[1:]))
                self._after_build()
            self._check_width(batch.shape)
            if batch.size:
                total = _joined(total, _measured(batch, self._kept))
        if total is None:
            raise DataError(message(self._who(), "adapt needs at least one row", "none"))
        count, mean, squares = total
        self._warn_of_digits_lost(count, np.abs(mean), np.sqrt(squares / count))
        self.adapt_mean.assign(np.asarray(mean, "float32"))
        self.adapt_variance.assign(np.asarray(squares / count, "float32"))
        self._adapted = True

    def _warn_of_digits_lost(self, count: int, size: np.ndarray, deviation: np.ndarray) -> None:
        """Say so where float32, which the layer computes in, has no digits for the differences."""
        rounding = size * count * 2.0**-52  # what the sums may leave of equal values
        is_lost = (deviation > rounding) & (deviation < size * _FLOAT32_STEP)
        if is_lost.any():
            worst = int(np.argmax(is_lost))
            warn(
                message(
                    self._who(),
                    "values must differ by more than float32 can tell apart, or they all become "
                    "the same number",
                    f"a mean of size {size.flat[worst]:.6g} and a standard deviation of "
                    f"{deviation.flat[worst]:.3g}",
                    "Subtract an offset first, in float64: x - x.min().",
                )
            )

    def _changes_nothing(self) -> bool:
        """Whether its statistics are still those it was built with: `adapt` was forgotten."""
        if self._adapted or self.adapt_mean is None:
            return False
        return not self.adapt_mean.numpy().any() and bool((self.adapt_variance.numpy() == 1).all())

    def _take_adapted(self, other: Normalization) -> None:
        """Have the statistics another layer measured, unless there are some."""
        if self._adapted or not other._adapted or other.adapt_mean is None:
            return
        if not self.built:
            self.build((None, *other._wide[1:]))
            self._after_build()
        self.set_weights(other.get_weights())

    def _check_width(self, shape: tuple[Any, ...]) -> None:
        """Raise for data whose kept axes have other sizes than the statistics."""
        pairs = zip_longest(reversed(shape), reversed(self._wide), fillvalue=1)
        if any(wide not in (1, size) for size, wide in pairs):
            raise ShapeError(
                message(
                    self._who(),
                    f"its mean and variance have the sizes {tuple(self._wide)} (1: any)",
                    f"data of shape {tuple(shape)}",
                    "Use one layer for each kind of data.",
                )
            )

    def reset_state(self) -> None:
        """Forget what `adapt` measured."""
        if self.adapt_mean is not None:
            self.adapt_mean.assign(np.zeros(self.adapt_mean.shape, "float32"))
            self.adapt_variance.assign(np.ones(self.adapt_variance.shape, "float32"))
            self._adapted = False

    @property
    def mean(self) -> Any:
        """The mean, broadcastable against the inputs."""
        return self._statistic(self.input_mean, self.adapt_mean)

    @property
    def variance(self) -> Any:
        """The variance, broadcastable against the inputs."""
        return self._statistic(self.input_variance, self.adapt_variance)

    def _statistic(self, given: Any, measured: Any) -> Any:
        if given is None and measured is None:
            return None
        value = jnp.asarray(given, "float32") if measured is None else measured.value
        wide = getattr(self, "_wide", None)
        if wide is None:
            return value
        if value.size == prod(wide):
            value = value.reshape(wide)
        return jnp.broadcast_to(value, wide)

    def call(self, inputs: jax.Array) -> jax.Array:
        """The normalized inputs."""
        x = _one_array(self, inputs)
        mean, variance = self.mean, self.variance
        if mean is None:
            raise NotBuiltError(
                message(
                    self._who(),
                    "its mean and variance must be known",
                    "a layer without statistics",
                    "Call adapt(data) first, or pass mean= and variance=.",
                )
            )
        deviation = jnp.maximum(jnp.sqrt(variance), config.epsilon()).astype(x.dtype)
        mean = mean.astype(x.dtype)
        if mean.size > 1:
            self._check_width(x.shape)
        if mean.size == 1:  # one feature: a column without its axis keeps its shape
            mean, deviation = mean.reshape(()), deviation.reshape(())
        outputs = x * deviation + mean if self.invert else (x - mean) / deviation
        return outputs.astype(self.compute_dtype)

    def set_weights(self, weights: Any) -> None:
        """Set the statistics from arrays."""
        super().set_weights(weights)
        self._adapted = True

    saves_by_number = True

    def load_own_variables(self, store: Any) -> None:
        """Set the statistics from a store."""
        super().load_own_variables(store)
        self._adapted = True

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""

        def plain(value: Any) -> Any:
            return None if value is None else np.asarray(value).tolist()

        return explicit_config(
            self,
            axis=self.axis,
            invert=self.invert,
            mean=plain(self.input_mean),
            variance=plain(self.input_variance),
        )


def _in_batches(data: Any) -> Any:
    """A Dataset of vectors as one of batches: each number of a vector is a feature."""
    spec = getattr(data, "element_spec", None)
    if isinstance(spec, tuple) and spec:
        spec = spec[0]  # (inputs, targets)
    shape = getattr(spec, "shape", None)
    holds_batches = getattr(data, "_holds_batches", True)  # of another library's: who knows
    if shape is None or len(shape) > 1 or None in shape or holds_batches:
        return data
    return data.batch(_ADAPTED_AT_ONCE)


Measured = tuple[int, np.ndarray, np.ndarray]


def _measured(batch: np.ndarray, kept: tuple[int, ...]) -> Measured:
    """(count, mean, sum of squared distances from it) of a batch, in float64."""
    axes = tuple(a for a in range(batch.ndim) if a not in kept)
    mean = batch.mean(axes, keepdims=True)
    squares = np.square(batch - mean).sum(axes)
    return batch.size // max(squares.size, 1), mean.reshape(squares.shape), squares


def _joined(first: Measured | None, second: Measured) -> Measured:
    """Statistics of two batches together (Chan, Golub, LeVeque 1979)."""
    if first is None:
        return second
    (n, mean_a, squares_a), (m, mean_b, squares_b) = first, second
    distance = mean_b - mean_a
    mean = mean_a + distance * (m / (n + m))
    return n + m, mean, squares_a + squares_b + np.square(distance) * (n * m / (n + m))
