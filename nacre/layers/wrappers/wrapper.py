"""The base of layers that hold one other layer."""

from __future__ import annotations

from typing import Any, Unpack

from nacre.core.errors import ArgumentError, message
from nacre.core.registry import register
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer


@register("layers/Wrapper")
class Wrapper(Layer):
    """Hold one layer and call it. A base for layers that change how another layer works.

    Args:
        layer: The layer within.
    Example:
        >>> import nacre
        >>> nacre.layers.Wrapper(nacre.layers.Dense(2))(nacre.ops.ones((1, 3))).shape
        (1, 2)
    """

    casts_inputs = False  # the layers within do, each for itself

    def __init__(self, layer: Any, **kwargs: Unpack[LayerKeywords]) -> None:
        if not isinstance(layer, Layer):
            raise ArgumentError(message(type(self).__name__, "layer must be a layer", repr(layer)))
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        """Build the layer within."""
        if not self.layer.built:
            self.layer.build(input_shape)

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """What the layer within returns."""
        return self.layer(inputs, *args, **kwargs)
