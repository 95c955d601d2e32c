"""Attention of several heads."""

from __future__ import annotations

import math
import string
from typing import Any, Unpack, cast

from nacre import ops
from nacre.core.array_types import Num
from nacre.core.axes import axis_numbers
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.numbers import as_whole, whole_number
from nacre.core.registry import register
from nacre.core.shapes import fits_leading_axes
from nacre.layers.attention.masks import dropped, mask_over_axes, masked_softmax
from nacre.layers.attention.projected import ProjectedAttention
from nacre.layers.base.input_spec import plain_sizes
from nacre.layers.base.keywords import WithoutRegularizer
from nacre.layers.core.configs import explicit_config


@register("layers/MultiHeadAttention")
class MultiHeadAttention(ProjectedAttention):
    """Project query, key and value for several heads, attend in each, and join the results.

    Choose it as the core of a transformer; `GroupQueryAttention` needs less memory for the keys.

    Args:
        num_heads: Number of heads.
        key_dim: Size of each head's queries and keys.
        value_dim: Size of each head's values; `key_dim` by default.
        dropout: Share of the attention weights set to zero in training.
        use_bias: Whether the projections have biases.
        output_shape: Size (or shape) of the last axis of the output; the query's by default.
        attention_axes: The axes attention runs over; all but batch and features by default.
        sliding_window: A query looks only at keys fewer steps away than this.
        flash_attention: True asks for a fused kernel where the platform has one.
        kernel_initializer, bias_initializer: First values.
        kernel_regularizer, bias_regularizer, activity_regularizer: Penalties, for each projection.
        kernel_constraint, bias_constraint: Applied after each update.
        use_gate: Whether each head's output is multiplied by a sigmoid gate made from the query.
        seed: For the dropout.
    Shapes:
        query                   (batch, targets, query_features)
        value, key              (batch, sources, features); the key is the value by default
        query_mask, value_mask, key_mask
                                (batch, targets or sources), True where a step counts; the
                                query's is the output's mask too and changes no number
        attention_mask          (batch, targets, sources), True where a query may look at a key
        attention over the axes (batch, height, width): masks of query, value and key are
                                (batch, height, width) or (batch, height); attention_mask is
                                (batch, height, width, height, width), as in Keras, or
                                (batch, height · width, height · width); the causal mask and the
                                window go by the place in the flattened attention axes
        query, key kernel       (features, num_heads, key_dim)
        value kernel            (features, num_heads, value_dim)
        output kernel           (num_heads, value_dim, output_features)
        returns                 (batch, targets, output_features), and with return_attention_scores
                                the weights (batch, num_heads, targets, sources)
    Formula:
        head = softmax(query · keyᵀ / sqrt(key_dim)) · value;  output = concatenated heads · kernel
    Source:
        Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2; gate: Qiu et al. 2025,
        arXiv:2505.06708. Differs: a query that may look nowhere gets zero weights when the weights
        are returned or dropped, and the mean of all values else, as in Keras 3.
    Example:
        >>> import nacre
        >>> x = nacre.ops.ones((2, 5, 8))
        >>> MultiHeadAttention(num_heads=2, key_dim=4)(x, x).shape
        (2, 5, 8)
    """

    arguments_of_weights = ("num_heads", "key_dim", "value_dim", "use_bias")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
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
        self.num_heads = whole_number(self._who(), "num_heads", num_heads)
        self.key_dim = whole_number(self._who(), "key_dim", key_dim)
        value_dim = key_dim if value_dim is None else value_dim
        self.value_dim = whole_number(self._who(), "value_dim", value_dim)
        self._output_shape = self._as_sizes("output_shape", output_shape)
        if attention_axes is not None:
            attention_axes = axis_numbers(self._who(), attention_axes, "attention_axes")
        self.attention_axes = attention_axes
        if any(size < 1 for size in self._output_shape or ()):
            raise ArgumentError(
                message(self._who(), "output_shape must be of sizes above 0", repr(output_shape))
            )

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        """Make the projections."""
        self._check_pair(query_shape, value_shape, key_shape)
        rank = len(query_shape)
        if self.attention_axes is None:
            self.attention_axes = tuple(range(1, rank - 1))
        else:
            self.attention_axes = self._checked_axes(self.attention_axes, rank)
        key_shape = value_shape if key_shape is None else key_shape
        heads, outputs = self.num_heads, self._output_shape or (query_shape[-1],)
        self._query_dense = self._to_heads("query", query_shape, heads, self.key_dim)
        self._key_dense = self._to_heads("key", key_shape, heads, self.key_dim)
        if self.use_gate:
            self._gate_dense = self._to_heads("gate", query_shape, heads, self.value_dim)
        self._value_dense = self._to_heads("value", value_shape, heads, self.value_dim)
        self._output_dense = self._from_heads(
            "attention_output", rank, heads, self.value_dim, outputs
        )

    def _as_sizes(self, name: str, value: Any) -> tuple[int, ...] | None:
        """None, or a tuple of ints from an int or a sequence."""
        if value is None:
            return None
        values = tuple(value) if isinstance(value, list | tuple) else (value,)
        sizes = tuple(size for v in values if (size := as_whole(v)) is not None)
        if not sizes or len(sizes) < len(values):
            raise ArgumentError(
                message(self._who(), f"{name} must be an int or a tuple of ints", repr(value))
            )
        return sizes

    def _checked_axes(self, axes: tuple[int, ...], rank: int) -> tuple[int, ...]:
        """Attention axes counted from the left: each once, neither batch nor features."""
        counted = tuple(axis % rank for axis in axes if -rank <= axis < rank)
        if len(set(counted)) < len(axes) or {0, rank - 1} & set(counted):
            raise ShapeError(
                message(
                    self._who(),
                    f"attention_axes must be among 1 … {rank - 2}, between batch and features",
                    f"{axes} for a query of {rank} axes",
                )
            )
        return counted

    @property
    def query_dense(self) -> Any:
        """The projection of the query."""
        return self._query_dense

    @property
    def key_dense(self) -> Any:
        """The projection of the key."""
        return self._key_dense

    @property
    def value_dense(self) -> Any:
        """The projection of the value."""
        return self._value_dense

    @property
    def output_dense(self) -> Any:
        """The projection that joins the heads."""
        return self._output_dense

    def call(
        self,
        query: Num[Any, "#batch *query_axes query_features"],
        value: Num[Any, "#batch *value_axes value_features"],
        key: Num[Any, "#batch *_ key_features"] | None = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """Attend; `value` serves as key when none is given."""
        self._check_query_mask(query_mask, query.shape[:-1])
        if query_mask is not None or value_mask is not None or key_mask is not None:
            query, value, key = self._without_absent(
                (query, query_mask), (value, value_mask), (key, key_mask)
            )
        heads = (
            self._query_dense(query),
            self._key_dense(value if key is None else key),
            self._value_dense(value),
        )
        # A masked query attends like any other: its output is masked by whoever reads it.
        masks = {
            "query_mask": None,
            "value_mask": value_mask,
            "key_mask": key_mask,
            "attention_mask": attention_mask,
        }
        attend = self._attend
        if heads[0].ndim != 4 or self.attention_axes != (1,):
            attend = self._attend_over_axes
        outputs, weights = attend(*heads, masks, use_causal_mask, training, return_attention_scores)
        if self.use_gate:
            outputs = outputs * ops.sigmoid(self._gate_dense(query))
        outputs = self._output_dense(outputs)
        return (outputs, weights) if return_attention_scores else outputs

    def _check_query_mask(self, mask: Any, steps: Any) -> None:
        """Raise for a mask that does not fit the query, though it changes no number here."""
        assert self.attention_axes is not None  # since build()
        attended = (steps[0], *(steps[axis] for axis in self.attention_axes))
        if mask is None or any(
            fits_leading_axes(mask.shape, wanted) for wanted in (steps, attended)
        ):
            return
        rule = f"query_mask must have the first axes of {plain_sizes(steps)}"
        raise ShapeError(message(self._who(), rule, f"shape {plain_sizes(mask.shape)}"))

    def _attend_over_axes(
        self,
        query: Any,
        key: Any,
        value: Any,
        masks: dict[str, Any],
        use_causal_mask: bool,
        training: Any,
        return_attention_scores: bool,
    ) -> tuple[Any, Any]:
        """As `_attend`, for other axes than (1,) or more of them."""
        axes = cast("tuple[int, ...]", self.attention_axes)
        score, combine = axis_equations(query.ndim, axes)
        scores = ops.einsum(score, query * (1 / math.sqrt(self.key_dim)), key)
        num_axes = len(axes)
        mask = mask_over_axes(
            self._who(),
            (query.shape[:-2], value.shape[:-2]),
            axes,
            masks,
            use_causal_mask,
            self.sliding_window,
        )
        weights = masked_softmax(scores, mask, tuple(range(-num_axes, 0)))
        used = weights
        if training and self.dropout > 0:
            used = dropped(weights, self.dropout, self.seed_generator)
        return ops.einsum(combine, used, value), weights

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data; the kernel to use is not one of them."""
        return explicit_config(
            self,
            num_heads=self.num_heads,
            key_dim=self.key_dim,
            value_dim=self.value_dim,
            dropout=self.dropout,
            use_bias=self.use_bias,
            use_gate=self.use_gate,
            output_shape=self._output_shape,
            attention_axes=self.attention_axes,
            sliding_window=self.sliding_window,
            kernel_initializer=self.kernel_initializer,
            bias_initializer=self.bias_initializer,
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            activity_regularizer=self._projection_regularizer,
            kernel_constraint=self.kernel_constraint,
            bias_constraint=self.bias_constraint,
            seed=self.seed,
        )


def axis_equations(rank: int, axes: tuple[int, ...]) -> tuple[str, str]:
    """Einsum equations for scores and outputs of projected tensors of `rank` axes.

    Scores have the free axes, the heads, the query's attention axes, the key's.

    Example:
        >>> axis_equations(4, (1,))
        ('abcd,aecd->acbe', 'acbe,aecd->abcd')
    """
    letters = string.ascii_lowercase
    query = letters[:rank]
    others = iter(letters[rank:])
    key = "".join(next(others) if axis in axes else query[axis] for axis in range(rank))
    free = "".join(query[axis] for axis in range(rank - 1) if axis not in axes)
    scores = free + "".join(query[a] for a in axes) + "".join(key[a] for a in axes)
    return f"{query},{key}->{scores}", f"{scores},{key}->{query}"
