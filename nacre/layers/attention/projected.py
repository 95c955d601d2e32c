"""What attention with projections shares: dense layers for each head, masks, the sum itself."""

from __future__ import annotations

import math
import string
from typing import TYPE_CHECKING, Any, Unpack

from nacre import constraints, initializers, ops, regularizers
from nacre.core import random
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.numbers import whole_number
from nacre.core.shapes import check_broadcasts
from nacre.initializers.initializer import fresh_copy
from nacre.layers.attention.masks import (
    attended_with_dropout,
    dropped,
    joined_mask,
    masked_softmax,
    with_axes,
    zeros_where_blind,
)
from nacre.layers.base.keywords import WithoutRegularizer
from nacre.layers.base.layer import Layer
from nacre.layers.base.masking import without_absent
from nacre.layers.core.einsum_dense import EinsumDense
from nacre.layers.regularization.dropout import checked_rate


class _Projection(EinsumDense):
    """The dense layer of one projection. Attention uses the masks itself, so they end here."""

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """None."""
        return None


class ProjectedAttention(Layer):
    """Attention between projections of query, key and value.

    Args:
        dropout: Share of the attention weights set to zero in training.
        use_bias: Whether the projections have biases.
        sliding_window: How many steps apart query and key may be at most, plus one.
        flash_attention: True asks for a fused kernel where the platform has one.
        use_gate: Whether each head's output is multiplied by a gate made from the query.
        seed: For the dropout.
        kernel_*, bias_*, activity_regularizer: For each projection.
    """

    casts_inputs = True  # its layers share its policy

    def __init__(
        self,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Unpack[WithoutRegularizer],
    ) -> None:
        super().__init__(**kwargs)
        self.dropout = checked_rate(self, dropout, "dropout")
        self.use_bias = use_bias
        if sliding_window is not None:
            who = self._who()
            sliding_window = whole_number(who, "sliding_window", sliding_window, or_else=" or None")
        self.sliding_window = sliding_window
        self.flash_attention = flash_attention
        self.use_gate = use_gate
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self._projection_regularizer = regularizers.get(activity_regularizer)
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed) if dropout > 0 else None
        self.supports_masking = True

    if not TYPE_CHECKING:  # a checker takes the base's, which has the types of `call`

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            """Attend; `value` has no default, though self-attention repeats the query there."""
            if len(args) < 2 and "value" not in kwargs:
                raise ArgumentError(
                    message(
                        self._who(),
                        "it must be called with a query and a value",
                        "no value",
                        "For self-attention pass the sequence twice: layer(x, x).",
                    )
                )
            return super().__call__(*args, **kwargs)

    # ------------------------------------------------------------------------------- building

    def _to_heads(self, name: str, shape: Any, heads: int, size: int) -> EinsumDense:
        """A projection of the last axis to (heads, size), built."""
        rank = len(shape)
        letters = string.ascii_lowercase
        inputs, new = letters[:rank], letters[rank : rank + 2]
        equation = f"{inputs},{inputs[-1]}{new}->{inputs[:-1]}{new}"
        return self._dense(name, equation, (*(None,) * (rank - 2), heads, size), new, shape)

    def _from_heads(
        self, name: str, rank: int, heads: int, size: int, outputs: tuple[int, ...]
    ) -> EinsumDense:
        """A projection of (heads, size) to `outputs`, built; `rank` is the layer input's."""
        letters = string.ascii_lowercase
        inputs = letters[: rank + 1]
        new = letters[rank + 1 : rank + 1 + len(outputs)]
        equation = f"{inputs},{inputs[-2:]}{new}->{inputs[:-2]}{new}"
        shape = (*(None,) * (rank - 1), heads, size)
        return self._dense(name, equation, (*(None,) * (rank - 2), *outputs), new, shape)

    def _dense(
        self, name: str, equation: str, output_shape: Any, bias_axes: str, input_shape: Any
    ) -> EinsumDense:
        dense = _Projection(
            equation,
            output_shape=output_shape,
            bias_axes=bias_axes if self.use_bias else None,
            kernel_initializer=fresh_copy(self.kernel_initializer),
            bias_initializer=fresh_copy(self.bias_initializer),
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            activity_regularizer=self._projection_regularizer,
            kernel_constraint=self.kernel_constraint,
            bias_constraint=self.bias_constraint,
            dtype=self.dtype_policy,
            name=name,
        )
        dense.build(tuple(input_shape))
        return dense

    def _check_pair(self, query_shape: Any, value_shape: Any, key_shape: Any) -> None:
        """Query and value must be sequences of one batch; key and value agree on their steps."""
        batches = (query_shape[0], value_shape[0])
        if (
            len(query_shape) < 3
            or len(query_shape) != len(value_shape)
            or (not {None, 1} & set(batches) and batches[0] != batches[1])
        ):
            raise ShapeError(
                message(
                    self._who(),
                    "query and value must have shapes (batch, ..., features) with the same batch "
                    "and the same number of axes, 3 or more",
                    f"query {tuple(query_shape)}, value {tuple(value_shape)}",
                )
            )
        if key_shape is None:
            return
        pairs = zip(value_shape[1:-1], key_shape[1:-1], strict=False)
        if len(value_shape) != len(key_shape) or any(None not in p and p[0] != p[1] for p in pairs):
            raise ShapeError(
                message(
                    self._who(),
                    "key and value must agree on all axes but the last",
                    f"key {tuple(key_shape)}, value {tuple(value_shape)}",
                    "Call it as layer(query, value, key).",
                )
            )

    # ------------------------------------------------------------------------------- the sum

    def _without_absent(self, query: Any, value: Any, key: Any) -> tuple[Any, Any, Any]:
        """Query, value and key (None: the value serves), each given with its mask, without NaN in
        absent steps; what masks a key masks its value too."""
        (query, query_mask), (value, value_mask), (key, key_mask) = query, value, key
        query = without_absent(query, query_mask)
        value = without_absent(without_absent(value, value_mask), key_mask)
        key = without_absent(without_absent(key, value_mask), key_mask)
        return query, value, key

    def _attend(
        self,
        query: Any,
        key: Any,
        value: Any,
        masks: dict[str, Any],
        use_causal_mask: bool,
        training: Any,
        return_attention_scores: bool,
        bias: Any = None,
    ) -> tuple[Any, Any]:
        """Outputs (batch, targets, heads, size), and the weights when they are asked for.

        `bias` is added to the scores (batch, heads, targets, sources). As in Keras 3.15, a target
        that may look at no source gets zeros where there are weights to return or to drop, in
        inference too, and else the mean of all values.
        """
        self._check_masks(query, value, masks)
        drops = bool(training) and self.dropout > 0
        rows = {"query": query, "value": value, "window": self.sliding_window, **masks}
        scale = 1 / math.sqrt(query.shape[-1])
        if not return_attention_scores:
            mask = joined_mask(is_causal=False, **rows)
            mask = None if mask is None else with_axes(mask, 4)
            if drops:
                arrays = query, key, value
                outputs = attended_with_dropout(
                    arrays, bias, mask, use_causal_mask, self.dropout, self.seed_generator
                )
            else:
                outputs = ops.dot_product_attention(
                    query,
                    key,
                    value,
                    bias=bias,
                    mask=mask,
                    scale=scale,
                    is_causal=use_causal_mask,
                    flash_attention=self.flash_attention,
                )
            if mask is not None and self.dropout > 0:
                mask = joined_mask(is_causal=use_causal_mask, **rows)
                outputs = zeros_where_blind(outputs, with_axes(mask, 4))
            return outputs, None
        mask = joined_mask(is_causal=use_causal_mask, **rows)
        repeats = query.shape[2] // key.shape[2]
        if repeats > 1:
            key, value = ops.repeat(key, repeats, axis=2), ops.repeat(value, repeats, axis=2)
        scores = ops.einsum("btnh,bsnh->bnts", query * scale, key)
        scores = scores if bias is None else scores + bias
        mask = None if mask is None else with_axes(mask, 4)
        weights = masked_softmax(scores, mask, (-1,))
        used = dropped(weights, self.dropout, self.seed_generator) if drops else weights
        return ops.einsum("bnts,bsnh->btnh", used, value), weights

    def _check_masks(self, query: Any, value: Any, masks: dict[str, Any]) -> None:
        """Every mask must fit (batch, targets, heads, size) and (batch, sources, heads, size)."""
        batch, targets, heads = query.shape[:3]
        sources = value.shape[1]
        shapes = {
            "query_mask": (batch, targets),
            "value_mask": (batch, sources),
            "key_mask": (batch, sources),
        }
        for name, wanted in shapes.items():
            if masks[name] is not None:
                check_broadcasts(self._who(), name, masks[name].shape, wanted)
        mask = masks["attention_mask"]
        if mask is None:
            return
        wanted = (batch, targets, sources) if mask.ndim < 4 else (batch, heads, targets, sources)
        if mask.ndim < 2:
            raise ShapeError(
                message(self._who(), f"attention_mask must be of shape {wanted}", f"{mask.shape}")
            )
        check_broadcasts(self._who(), "attention_mask", mask.shape, wanted)
