"""Pooling over windows: the largest value or the mean."""

from __future__ import annotations

from typing import Any, Unpack

from nacre import ops
from nacre.core.array_types import Array, Shaped
from nacre.core.config import standardize_data_format
from nacre.core.registry import register
from nacre.layers.base.input_spec import InputSpec
from nacre.layers.base.keywords import WithoutName
from nacre.layers.base.layer import Layer
from nacre.layers.convolution.sliding import check_window, known_padding, per_axis


class WindowPooling(Layer):
    """One number for each window and channel.

    Args:
        pool_size: Size of the window, one number or one for each spatial axis.
        strides: Step of the window; None takes the window's size.
        padding: 'valid' or 'same'.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
    """

    rank = 2
    mode = "max"

    def __init__(
        self,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Unpack[WithoutName],
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.pool_size = per_axis(self, "pool_size", pool_size)
        self.strides = self.pool_size if strides is None else per_axis(self, "strides", strides)
        self.padding = known_padding(self, padding, ("valid", "same"))
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Shaped[Array, "batch ..."]) -> Shaped[Array, "batch ..."]:
        """Pool each window."""
        if self.padding == "valid":
            check_window(self, inputs.shape, self.pool_size, (1,) * self.rank, "window")
        pool = ops.max_pool if self.mode == "max" else ops.average_pool
        return pool(
            inputs,
            self.pool_size,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
        )


@register("layers/MaxPooling1D")
class MaxPooling1D(WindowPooling):
    """Take the largest value of each window of a sequence, for each channel.

    Choose it to keep the strongest answer of a filter, wherever it is.

    Args:
        pool_size: Size of the window, one number or one for each spatial axis.
        strides: Step of the window; None takes the window's size.
        padding: 'valid' (only whole windows) or 'same'.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        name: Name; automatic by default.
    Shapes:
        inputs   (batch, steps, channels)
        returns  (batch, new_steps, channels)
    Raises:
        ShapeError: Wrong number of axes, or a window larger than the input.
    Example:
        >>> import nacre
        >>> MaxPooling1D(2)(nacre.ops.ones((2, 6, 4))).shape
        (2, 3, 4)
    """

    rank = 1
    mode = "max"

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Unpack[WithoutName],
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


@register("layers/MaxPooling2D")
class MaxPooling2D(WindowPooling):
    """Take the largest value of each window of an image, for each channel.

    Choose it to keep the strongest answer of a filter, wherever it is.

    Args:
        pool_size: Size of the window, one number or one for each spatial axis.
        strides: Step of the window; None takes the window's size.
        padding: 'valid' (only whole windows) or 'same'.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        name: Name; automatic by default.
    Shapes:
        inputs   (batch, height, width, channels)
        returns  (batch, new_height, new_width, channels)
    Raises:
        ShapeError: Wrong number of axes, or a window larger than the input.
    Example:
        >>> import nacre
        >>> MaxPooling2D(2)(nacre.ops.ones((2, 6, 6, 4))).shape
        (2, 3, 3, 4)
    """

    rank = 2
    mode = "max"

    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Unpack[WithoutName],
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


@register("layers/MaxPooling3D")
class MaxPooling3D(WindowPooling):
    """Take the largest value of each window of a volume, for each channel.

    Choose it to keep the strongest answer of a filter, wherever it is.

    Args:
        pool_size: Size of the window, one number or one for each spatial axis.
        strides: Step of the window; None takes the window's size.
        padding: 'valid' (only whole windows) or 'same'.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        name: Name; automatic by default.
    Shapes:
        inputs   (batch, depth, height, width, channels)
        returns  (batch, new_depth, new_height, new_width, channels)
    Raises:
        ShapeError: Wrong number of axes, or a window larger than the input.
    Example:
        >>> import nacre
        >>> MaxPooling3D(2)(nacre.ops.ones((2, 4, 4, 4, 3))).shape
        (2, 2, 2, 2, 3)
    """

    rank = 3
    mode = "max"

    def __init__(
        self,
        pool_size: Any = (2, 2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Unpack[WithoutName],
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


@register("layers/AveragePooling1D")
class AveragePooling1D(WindowPooling):
    """Take the mean of each window of a sequence, for each channel.

    Choose it over max pooling to make things smoother and smaller.

    Args:
        pool_size: Size of the window, one number or one for each spatial axis.
        strides: Step of the window; None takes the window's size.
        padding: 'valid' (only whole windows) or 'same' (the mean is over
            real values only, not over padding).
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        name: Name; automatic by default.
    Shapes:
        inputs   (batch, steps, channels)
        returns  (batch, new_steps, channels)
    Raises:
        ShapeError: Wrong number of axes, or a window larger than the input.
    Example:
        >>> import nacre
        >>> AveragePooling1D(2)(nacre.ops.ones((2, 6, 4))).shape
        (2, 3, 4)
    """

    rank = 1
    mode = "average"

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Unpack[WithoutName],
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


@register("layers/AveragePooling2D")
class AveragePooling2D(WindowPooling):
    """Take the mean of each window of an image, for each channel.

    Choose it over max pooling to make things smoother and smaller.

    Args:
        pool_size: Size of the window, one number or one for each spatial axis.
        strides: Step of the window; None takes the window's size.
        padding: 'valid' (only whole windows) or 'same' (the mean is over
            real values only, not over padding).
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        name: Name; automatic by default.
    Shapes:
        inputs   (batch, height, width, channels)
        returns  (batch, new_height, new_width, channels)
    Raises:
        ShapeError: Wrong number of axes, or a window larger than the input.
    Example:
        >>> import nacre
        >>> AveragePooling2D(2)(nacre.ops.ones((2, 6, 6, 4))).shape
        (2, 3, 3, 4)
    """

    rank = 2
    mode = "average"

    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Unpack[WithoutName],
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


@register("layers/AveragePooling3D")
class AveragePooling3D(WindowPooling):
    """Take the mean of each window of a volume, for each channel.

    Choose it over max pooling to make things smoother and smaller.

    Args:
        pool_size: Size of the window, one number or one for each spatial axis.
        strides: Step of the window; None takes the window's size.
        padding: 'valid' (only whole windows) or 'same' (the mean is over
            real values only, not over padding).
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
        name: Name; automatic by default.
    Shapes:
        inputs   (batch, depth, height, width, channels)
        returns  (batch, new_depth, new_height, new_width, channels)
    Raises:
        ShapeError: Wrong number of axes, or a window larger than the input.
    Example:
        >>> import nacre
        >>> AveragePooling3D(2)(nacre.ops.ones((2, 4, 4, 4, 3))).shape
        (2, 2, 2, 2, 3)
    """

    rank = 3
    mode = "average"

    def __init__(
        self,
        pool_size: Any = (2, 2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Unpack[WithoutName],
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)
