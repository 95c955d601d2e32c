"""Attention whose query heads share key and value heads in groups."""

from __future__ import annotations

from typing import Any, Unpack

from nacre import ops
from nacre.core.array_types import Num
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.names import auto_name
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.layers.attention.projected import ProjectedAttention
from nacre.layers.base.keywords import WithoutRegularizer


@register("layers/GroupQueryAttention")
class GroupQueryAttention(ProjectedAttention):
    """Attention of many query heads over few key and value heads.

    Choose it over `MultiHeadAttention` for nearly the same quality with a smaller cache of keys and
    values; with as many key heads as query heads it is multi-head, with one it is multi-query.

    Args:
        head_dim: Size of each head.
        num_query_heads: Number of query heads.
        num_key_value_heads: Number of key and value heads; it divides `num_query_heads`.
        dropout: Share of the attention weights set to zero in training.
        use_bias: Whether the projections have biases.
        sliding_window: A query looks only at keys fewer steps away than this.
        flash_attention: True asks for a fused kernel where the platform has one.
        kernel_initializer, bias_initializer: First values.
        kernel_regularizer, bias_regularizer, activity_regularizer: Penalties, for each projection.
        kernel_constraint, bias_constraint: Applied after each update.
        use_gate: Whether each head's output is multiplied by a sigmoid gate made from the query.
        seed: For the dropout.
    Shapes:
        query             (batch, targets, features)
        value, key        (batch, sources, features); the key is the value by default
        attention_mask    (batch, targets, sources), True where a query may look at a key
        query kernel      (features, num_query_heads, head_dim)
        key, value kernel (features, num_key_value_heads, head_dim)
        output kernel     (num_query_heads, head_dim, features)
        returns           (batch, targets, features), and with return_attention_scores the weights
                          (batch, num_query_heads, targets, sources)
    Raises:
        ArgumentError: The key heads do not divide the query heads.
    Source:
        Ainslie et al. 2023, arXiv:2305.13245; arguments as in Keras 3.
    Example:
        >>> import nacre
        >>> x = nacre.ops.ones((2, 5, 8))
        >>> GroupQueryAttention(head_dim=4, num_query_heads=4, num_key_value_heads=2)(x, x).shape
        (2, 5, 8)
    """

    arguments_of_weights = ("head_dim", "num_query_heads", "num_key_value_heads", "use_bias")

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
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
        if kwargs.get("name") is None:
            kwargs["name"] = auto_name("GroupedQueryAttention")  # the name Keras gives
        super().__init__(
            dropout=dropout,
            use_bias=use_bias,
            sliding_window=sliding_window,
            flash_attention=flash_attention,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            use_gate=use_gate,
            seed=seed,
            **kwargs,
        )
        # Keras gives this layer's own output the penalty too, unlike MultiHeadAttention's.
        self.activity_regularizer = self._projection_regularizer
        who = self._who()
        self.head_dim = whole_number(who, "head_dim", head_dim)
        self.num_query_heads = whole_number(who, "num_query_heads", num_query_heads)
        self.num_key_value_heads = whole_number(who, "num_key_value_heads", num_key_value_heads)
        if self.num_query_heads % self.num_key_value_heads:
            raise ArgumentError(
                message(
                    self._who(),
                    "num_query_heads must be a multiple of num_key_value_heads",
                    f"{num_query_heads} and {num_key_value_heads}",
                )
            )

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        """Make the projections."""
        self._check_pair(query_shape, value_shape, key_shape)
        if len(query_shape) != 3 or len(value_shape) != 3:
            raise ShapeError(
                message(
                    self._who(),
                    "query and value must have axes (batch, steps, features)",
                    f"query {tuple(query_shape)}, value {tuple(value_shape)}",
                )
            )
        key_shape = value_shape if key_shape is None else key_shape
        heads, shared, size = self.num_query_heads, self.num_key_value_heads, self.head_dim
        self._query_dense = self._to_heads("query", query_shape, heads, size)
        self._key_dense = self._to_heads("key", key_shape, shared, size)
        if self.use_gate:
            self._gate_dense = self._to_heads("gate", query_shape, heads, size)
        self._value_dense = self._to_heads("value", value_shape, shared, size)
        self._output_dense = self._from_heads(
            "attention_output", 3, heads, size, (query_shape[-1],)
        )

    def call(
        self,
        query: Num[Any, "#batch query_time query_features"],
        value: Num[Any, "#batch time value_features"],
        key: Num[Any, "#batch time key_features"] | None = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """Attend; `value` serves as key when none is given."""
        if query_mask is not None or value_mask is not None or key_mask is not None:
            query, value, key = self._without_absent(
                (query, query_mask), (value, value_mask), (key, key_mask)
            )
        masks = {
            "query_mask": query_mask,
            "value_mask": value_mask,
            "key_mask": key_mask,
            "attention_mask": attention_mask,
        }
        outputs, weights = self._attend(
            self._query_dense(query),
            self._key_dense(value if key is None else key),
            self._value_dense(value),
            masks,
            use_causal_mask,
            training,
            return_attention_scores,
        )
        if self.use_gate:
            outputs = outputs * ops.sigmoid(self._gate_dense(query))
        outputs = self._output_dense(outputs)
        return (outputs, weights) if return_attention_scores else outputs

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data; the kernel to use is not one of them."""
        config = super().get_config()
        config.pop("flash_attention", None)
        return config
