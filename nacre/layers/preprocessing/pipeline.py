"""Several preprocessing layers as one."""

from __future__ import annotations

from typing import Any, Unpack

from nacre.core.registry import register
from nacre.layers.base.keywords import WithoutName
from nacre.layers.base.layer import Layer


@register("layers/Pipeline")
class Pipeline(Layer):
    """Apply layers one after the other.

    Args:
        layers: The layers.
    Example:
        >>> import nacre
        >>> steps = [nacre.layers.Rescaling(1 / 255), nacre.layers.RandomFlip()]
        >>> nacre.layers.Pipeline(steps)(nacre.ops.ones((1, 2, 2, 3))).shape
        (1, 2, 2, 3)
    """

    _takes_strings = True  # as its first layer does
    casts_inputs = False  # the layers within do, each for itself

    def __init__(self, layers: Any, name: str | None = None, **kwargs: Unpack[WithoutName]) -> None:
        super().__init__(name=name, **kwargs)
        self.layers = list(layers)

    def call(self, inputs: Any, training: bool = True, mask: Any = None) -> Any:
        """What the last layer gives."""
        for layer in self.layers:
            inputs = layer(inputs, training=training)
        return inputs

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        config = super().get_config()
        return {key: config[key] for key in ("layers", "name")}
