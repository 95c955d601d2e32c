"""Pooling with windows that adapt: the output has the size one asks for."""

from __future__ import annotations

from typing import Any, Unpack

from nacre import ops
from nacre.core.array_types import Array, Shaped
from nacre.core.config import standardize_data_format
from nacre.core.registry import register
from nacre.layers.base.input_spec import InputSpec
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.convolution.sliding import per_axis


class AdaptivePooling(Layer):
    """The input is cut into as many windows as the output has places.

    Args:
        output_size: Spatial size of the output, one number or one for each axis.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
    """

    rank = 2
    mode = "max"

    def __init__(
        self, output_size: Any, data_format: str | None = None, **kwargs: Unpack[LayerKeywords]
    ) -> None:
        super().__init__(**kwargs)
        self.output_size = per_axis(self, "output_size", output_size)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Shaped[Array, "batch ..."]) -> Shaped[Array, "batch ..."]:
        """Pool each window."""
        is_max = self.mode == "max"
        pool = ops.adaptive_max_pool if is_max else ops.adaptive_average_pool
        return pool(inputs, output_size=self.output_size, data_format=self.data_format)


@register("layers/AdaptiveAveragePooling1D")
class AdaptiveAveragePooling1D(AdaptivePooling):
    """Cut a sequence into `output_size` windows; take the mean of each.

    Choose it when inputs of any size must give an output of one size.

    Args:
        output_size: Spatial size of the output, one number or one for each axis.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
    Shapes:
        inputs   (batch, steps, channels)
        returns  (batch, *output_size, channels)
    Formula:
        window i covers floor(i · n / m) up to ceil((i + 1) · n / m), n in, m out
    Example:
        >>> import nacre
        >>> AdaptiveAveragePooling1D(3)(nacre.ops.ones((2, 6, 4))).shape
        (2, 3, 4)
    """

    rank = 1
    mode = "average"


@register("layers/AdaptiveAveragePooling2D")
class AdaptiveAveragePooling2D(AdaptivePooling):
    """Cut an image into `output_size` windows; take the mean of each.

    Choose it when inputs of any size must give an output of one size.

    Args:
        output_size: Spatial size of the output, one number or one for each axis.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
    Shapes:
        inputs   (batch, height, width, channels)
        returns  (batch, *output_size, channels)
    Formula:
        window i covers floor(i · n / m) up to ceil((i + 1) · n / m), n in, m out
    Example:
        >>> import nacre
        >>> AdaptiveAveragePooling2D(3)(nacre.ops.ones((2, 6, 6, 4))).shape
        (2, 3, 3, 4)
    """

    rank = 2
    mode = "average"


@register("layers/AdaptiveAveragePooling3D")
class AdaptiveAveragePooling3D(AdaptivePooling):
    """Cut a volume into `output_size` windows; take the mean of each.

    Choose it when inputs of any size must give an output of one size.

    Args:
        output_size: Spatial size of the output, one number or one for each axis.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
    Shapes:
        inputs   (batch, depth, height, width, channels)
        returns  (batch, *output_size, channels)
    Formula:
        window i covers floor(i · n / m) up to ceil((i + 1) · n / m), n in, m out
    Example:
        >>> import nacre
        >>> AdaptiveAveragePooling3D(2)(nacre.ops.ones((2, 4, 4, 4, 3))).shape
        (2, 2, 2, 2, 3)
    """

    rank = 3
    mode = "average"


@register("layers/AdaptiveMaxPooling1D")
class AdaptiveMaxPooling1D(AdaptivePooling):
    """Cut a sequence into `output_size` windows; take the largest value of each.

    Choose it when inputs of any size must give an output of one size.

    Args:
        output_size: Spatial size of the output, one number or one for each axis.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
    Shapes:
        inputs   (batch, steps, channels)
        returns  (batch, *output_size, channels)
    Formula:
        window i covers floor(i · n / m) up to ceil((i + 1) · n / m), n in, m out
    Example:
        >>> import nacre
        >>> AdaptiveMaxPooling1D(3)(nacre.ops.ones((2, 6, 4))).shape
        (2, 3, 4)
    """

    rank = 1
    mode = "max"


@register("layers/AdaptiveMaxPooling2D")
class AdaptiveMaxPooling2D(AdaptivePooling):
    """Cut an image into `output_size` windows; take the largest value of each.

    Choose it when inputs of any size must give an output of one size.

    Args:
        output_size: Spatial size of the output, one number or one for each axis.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
    Shapes:
        inputs   (batch, height, width, channels)
        returns  (batch, *output_size, channels)
    Formula:
        window i covers floor(i · n / m) up to ceil((i + 1) · n / m), n in, m out
    Example:
        >>> import nacre
        >>> AdaptiveMaxPooling2D(3)(nacre.ops.ones((2, 6, 6, 4))).shape
        (2, 3, 3, 4)
    """

    rank = 2
    mode = "max"


@register("layers/AdaptiveMaxPooling3D")
class AdaptiveMaxPooling3D(AdaptivePooling):
    """Cut a volume into `output_size` windows; take the largest value of each.

    Choose it when inputs of any size must give an output of one size.

    Args:
        output_size: Spatial size of the output, one number or one for each axis.
        data_format: 'channels_last' or 'channels_first'; None takes the global setting.
    Shapes:
        inputs   (batch, depth, height, width, channels)
        returns  (batch, *output_size, channels)
    Formula:
        window i covers floor(i · n / m) up to ceil((i + 1) · n / m), n in, m out
    Example:
        >>> import nacre
        >>> AdaptiveMaxPooling3D(2)(nacre.ops.ones((2, 4, 4, 4, 3))).shape
        (2, 2, 2, 2, 3)
    """

    rank = 3
    mode = "max"
