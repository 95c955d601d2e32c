"""Attention that sees how far apart steps are: a trainable number for each distance and head."""

from __future__ import annotations

import math
from typing import Any, Unpack

import jax.numpy as jnp

from nacre import initializers
from nacre.core.array_types import Array, Float, Num
from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.layers.base.input_spec import InputSpec
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.transformer.decoding import decoding_state


@register("layers/RelativePositionBias", module="nacre")
class RelativePositionBias(Layer):
    """What to add to attention scores for the distance between query and key.

    Pass the result to every block of a stack: `block(x, position_bias=bias)`. Choose it over
    learned positions where sequences may become longer than in training.

    Args:
        num_heads: Number of attention heads.
        num_buckets: Number of numbers for each head: near distances have one each, far ones share.
        max_distance: From this distance on all share the last number.
        bidirectional: Whether keys after the query have numbers of their own (encoders); False for
            decoders, where they are not looked at.
        embeddings_initializer: First values.
    Shapes:
        inputs      (batch, time, ...), of which only the number of steps is used
        embeddings  (num_buckets, num_heads)
        returns     (1, num_heads, time, time): heads, queries, keys
    Formula:
        bias[h, t, s] = embeddings[bucket(s - t), h]; of n buckets for one direction the first n / 2
        hold one distance each, the others distances on a logarithmic scale up to max_distance
    Source:
        Raffel et al. 2020, arXiv:1910.10683, section 2.1, and its published code for the buckets.
    Example:
        >>> import nacre
        >>> nacre.layers.RelativePositionBias(num_heads=2)(nacre.ops.ones((3, 5, 8))).shape
        (1, 2, 5, 5)
    """

    @property
    def is_stepwise(self) -> bool:  # type: ignore[override]
        """Whether no step needs a later one."""
        return not self.bidirectional

    def __init__(
        self,
        num_heads: int,
        num_buckets: int = 32,
        max_distance: int = 128,
        bidirectional: bool = True,
        embeddings_initializer: Any = "random_normal",
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = whole_number(self._who(), "num_heads", num_heads)
        self.num_buckets = whole_number(self._who(), "num_buckets", num_buckets)
        self.max_distance = whole_number(self._who(), "max_distance", max_distance)
        self.bidirectional = bidirectional
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.input_spec = InputSpec(min_ndim=2)
        exact = self.num_buckets // (4 if bidirectional else 2)
        if not 1 <= exact < self.max_distance:
            raise ArgumentError(
                message(
                    self._who(),
                    "num_buckets must be at least 4 (2 in one direction), and max_distance greater "
                    "than the distances that have a bucket each",
                    f"num_buckets={num_buckets}, max_distance={max_distance}, which leaves {exact}",
                )
            )

    def build(self, input_shape: Any) -> None:
        """Make the table; it does not depend on the input's shape."""
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.num_buckets, self.num_heads),
            initializer=self.embeddings_initializer,
        )

    def call(
        self, inputs: Num[Array, "batch time *_"]
    ) -> Float[Array, "1 heads={self.num_heads} time key_time"]:
        """The bias between all steps; of the newest step to all while tokens are generated."""
        queries = keys = inputs.shape[1]
        first: Any = 0
        state = decoding_state()
        if state is not None and not state.is_recording:
            first, keys = state.index, state.length
        distances = jnp.arange(keys)[None, :] - (first + jnp.arange(queries)[:, None])
        bias = self.embeddings.value[self._buckets(distances)]  # (queries, keys, heads)
        return jnp.moveaxis(bias, -1, 0)[None]

    def _buckets(self, distances: Any) -> Any:
        """The bucket of each distance (key's position minus query's)."""
        count, offset = self.num_buckets, 0
        if self.bidirectional:
            count //= 2
            offset = jnp.where(distances > 0, count, 0)
            distances = jnp.abs(distances)
        else:
            distances = jnp.maximum(-distances, 0)
        exact = count // 2
        ratio = jnp.log(jnp.maximum(distances, exact).astype("float32") / exact)
        scale = (count - exact) / math.log(self.max_distance / exact)
        far = jnp.minimum(exact + (ratio * scale).astype("int32"), count - 1)
        return offset + jnp.where(distances < exact, distances, far)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """None: distances have no padding."""
        return None
