"""A layer that changes nothing."""

from __future__ import annotations

from typing import Any, Unpack

from nacre.core.registry import register
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer


@register("layers/Identity")
class Identity(Layer):
    """Return the inputs as they are. A placeholder where an architecture wants a layer.

    Example:
        >>> import nacre
        >>> nacre.layers.Identity()(nacre.ops.ones((2, 3))).shape
        (2, 3)
    """

    is_stepwise = True

    def __init__(self, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """The inputs."""
        return inputs
