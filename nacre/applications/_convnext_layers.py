"""The two layers that ConvNeXt brings along: they stand in files of weights and models."""

from __future__ import annotations

from typing import Unpack

from nacre.core.array_types import Array, Shaped
from nacre.core.numbers import whole_number
from nacre.core.random import draw_key
from nacre.core.registry import register
from nacre.initializers import Constant
from nacre.layers import Layer
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.regularization.dropout import checked_rate, drop

_MODULE = "keras.src.applications.convnext"  # as Keras 3.15 and tf.keras 2.15 write it


@register("applications/LayerScale", module=_MODULE)
class LayerScale(Layer):
    """Multiply each channel by a number that is learned, and small in the beginning.

    Args:
        init_values: What the numbers begin with.
        projection_dim: How many channels there are.
    Shapes:
        inputs  (*batch, projection_dim)   float
        gamma   (projection_dim,)          trainable
        returns (*batch, projection_dim)
    Formula:
        y = x · gamma
    Source:
        Touvron et al. 2021, arXiv:2103.17239, section 2.
    Example:
        >>> import nacre
        >>> LayerScale(0.5, 3)(nacre.ops.ones((1, 3))).tolist()
        [[0.5, 0.5, 0.5]]
    """

    _config_registered_name = "LayerScale"  # as Keras writes it

    def __init__(
        self, init_values: float, projection_dim: int, **kwargs: Unpack[LayerKeywords]
    ) -> None:
        super().__init__(**kwargs)
        self.init_values = init_values
        self.projection_dim = whole_number(self._who(), "projection_dim", projection_dim)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the numbers."""
        first = Constant(self.init_values)
        self.gamma = self.add_weight(name="gamma", shape=(self.projection_dim,), initializer=first)

    def call(self, inputs: Shaped[Array, "*shape"]) -> Shaped[Array, "*shape"]:
        """The inputs, each channel times its number."""
        return inputs * self.gamma


@register("applications/StochasticDepth", module=_MODULE)
class StochasticDepth(Layer):
    """Leave out whole samples in training and scale up the rest, before what they are added to.

    As `Dropout(rate, noise_shape=(None, 1, ..., 1))`; this is what Keras's files name.

    Args:
        drop_path_rate: The share of samples that is set to 0.
    Formula:
        y = x · m / (1 - rate), m = 1 for a sample with probability 1 - rate, else 0;
        in inference y = x
    Source:
        Huang et al. 2016, arXiv:1603.09382, section 3. Differs: what is kept is scaled up in
        training, so that nothing is scaled in inference.
    Example:
        >>> import nacre
        >>> StochasticDepth(0.5)(nacre.ops.ones((1, 3))).tolist()
        [[1.0, 1.0, 1.0]]
    """

    _config_registered_name = "StochasticDepth"

    def __init__(self, drop_path_rate: float, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        self.drop_path_rate = checked_rate(self, drop_path_rate, "drop_path_rate")

    def call(self, x: Shaped[Array, "*shape"], training: bool = False) -> Shaped[Array, "*shape"]:
        """The inputs, some samples 0 in training."""
        if not training or self.drop_path_rate == 0:
            return x
        # Keras's has no seed of its own, and files have no place for one.
        noise_shape = (None,) + (1,) * (len(x.shape) - 1)
        return drop(x, self.drop_path_rate, draw_key(None), noise_shape)


__all__ = ["LayerScale", "StochasticDepth"]
