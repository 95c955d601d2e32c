"""What encoder and decoder blocks share: attention, the two dense layers, norms and residuals."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp

from nacre import activations, initializers, ops
from nacre.core.errors import ShapeError, message
from nacre.core.numbers import whole_number
from nacre.core.shapes import check_broadcasts
from nacre.initializers.initializer import fresh_copy
from nacre.layers.attention.projected import ProjectedAttention
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.core.dense import Dense
from nacre.layers.normalization.sample_normalization import LayerNormalization, RMSNormalization
from nacre.layers.regularization.dropout import Dropout, checked_rate
from nacre.layers.transformer.decoding import decoding_state, first_position
from nacre.layers.transformer.positions import rotated

_MAX_WAVELENGTH = 10000.0  # Su et al. 2021, section 3.3


class SequenceAttention(ProjectedAttention):
    """Attention of several heads over one axis, that remembers keys while tokens are generated.

    Args:
        num_heads: Number of heads.
        head_dim: Size of each.
        use_rotary: Whether queries and keys are rotated by their positions.
        kwargs: See `ProjectedAttention`.
    """

    def __init__(
        self, num_heads: int, head_dim: int, use_rotary: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads, self.head_dim, self.use_rotary = num_heads, head_dim, use_rotary

    def build(self, query_shape: Any, value_shape: Any) -> None:
        """Make the projections."""
        for name, shape in (("query", query_shape), ("key", value_shape), ("value", value_shape)):
            dense = self._to_heads(name, shape, self.num_heads, self.head_dim)
            setattr(self, f"_{name}_dense", dense)
        self._output_dense = self._from_heads(
            "attention_output", 3, self.num_heads, self.head_dim, (query_shape[-1],)
        )

    def call(
        self,
        query: Any,
        value: Any,
        value_mask: Any = None,
        attention_mask: Any = None,
        use_causal_mask: bool = False,
        training: bool | None = None,
        position_bias: Any = None,
    ) -> Any:
        """Attend from each step of `query` to the steps of `value`."""
        queries = self._query_dense(query)
        state = decoding_state()
        project = lambda: (self._key_dense(value), self._value_dense(value))
        # Keys of an encoder stay as they are from token to token.
        keys, values = (
            project() if state is None or use_causal_mask else state.computed_once(project)
        )
        if self.use_rotary:
            positions = first_position(0) + jnp.arange(query.shape[1])
            queries, keys = (rotated(x, positions, _MAX_WAVELENGTH) for x in (queries, keys))
        if state is not None and use_causal_mask:
            keys, values, value_mask = state.extend_cache(keys, values, value_mask)
            if not state.is_recording:
                use_causal_mask = False
                seen = state.causal_mask(query.shape[1], keys.shape[1])
                attention_mask = seen if attention_mask is None else seen & attention_mask
        masks = {
            "query_mask": None,
            "value_mask": value_mask,
            "key_mask": None,
            "attention_mask": attention_mask,
        }
        outputs, _ = self._attend(
            queries, keys, values, masks, use_causal_mask, training, False, position_bias
        )
        return self._output_dense(outputs)


class TransformerBlock(Layer):
    """Arguments and parts of `TransformerEncoder` and `TransformerDecoder`, which tell them."""

    casts_inputs = True  # its layers share its policy

    def __init__(
        self,
        intermediate_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        activation: Any = "relu",
        layer_norm_epsilon: float = 1e-5,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        normalize_first: bool = False,
        *,
        use_rotary: bool = False,
        use_rms_norm: bool = False,
        use_bias: bool = True,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self.intermediate_dim = whole_number(self._who(), "intermediate_dim", intermediate_dim)
        self.num_heads = whole_number(self._who(), "num_heads", num_heads)
        self.dropout = checked_rate(self, dropout, "dropout")
        self.activation = activations.get(activation)
        self.layer_norm_epsilon = layer_norm_epsilon
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.normalize_first = normalize_first
        self.use_rotary = use_rotary
        self.use_rms_norm = use_rms_norm
        self.use_bias = use_bias
        self.supports_masking = True

    def _head_dim(self, features: Any) -> int:
        size = features // self.num_heads if isinstance(features, int) else 0
        if not size or features % self.num_heads or (self.use_rotary and size % 2):
            rule = f"the number of features must be a multiple of num_heads={self.num_heads}"
            rule += ", with an even quotient" if self.use_rotary else ""
            raise ShapeError(
                message(
                    self._who(),
                    rule,
                    f"{features} features",
                )
            )
        return size

    def _attention(self, name: str, features: int, **kwargs: Any) -> SequenceAttention:
        return SequenceAttention(
            self.num_heads,
            self._head_dim(features),
            dropout=self.dropout,
            use_bias=self.use_bias,
            kernel_initializer=self.kernel_initializer,
            bias_initializer=self.bias_initializer,
            dtype=self.dtype_policy,
            name=name,
            **kwargs,
        )

    def _norm(self, name: str, shape: Any) -> Layer:
        kind = RMSNormalization if self.use_rms_norm else LayerNormalization
        norm = kind(epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name=f"{name}_norm")
        norm.build(shape)
        return norm

    def _dense(self, name: str, units: int, activation: Any, shape: Any) -> Dense:
        dense = Dense(
            units,
            activation=activation,
            use_bias=self.use_bias,
            kernel_initializer=fresh_copy(self.kernel_initializer),
            bias_initializer=fresh_copy(self.bias_initializer),
            dtype=self.dtype_policy,
            name=name,
        )
        dense.build(shape)
        return dense

    def _build_feedforward(self, shape: tuple[Any, ...]) -> None:
        wide = (*shape[:-1], self.intermediate_dim)
        self.feedforward_in = self._dense(
            "feedforward_in", self.intermediate_dim, self.activation, shape
        )
        self.feedforward_out = self._dense("feedforward_out", shape[-1], None, wide)
        self.feedforward_norm = self._norm("feedforward", shape)
        self.residual_dropout = Dropout(self.dropout, dtype=self.dtype_policy, name="dropout")

    def _residual(self, inputs: Any, norm: Any, branch: Any, training: Any) -> Any:
        """Inputs plus a branch of them, the norm before the branch or after the sum."""
        outputs = branch(norm(inputs) if self.normalize_first else inputs)
        outputs = inputs + self.residual_dropout(outputs, training=training)
        return outputs if self.normalize_first else norm(outputs)

    def _feedforward(self, inputs: Any, training: Any) -> Any:
        return self._residual(
            inputs,
            self.feedforward_norm,
            lambda x: self.feedforward_out(self.feedforward_in(x)),
            training,
        )

    def _check_masks(self, shape: Any, sources: Any = None, **masks: Any) -> None:
        """Raise for a mask that does not fit, by the name and the shapes the caller gave.

        Args:
            shape: Of the sequence the masks are about.
            sources: Of the sequence that is looked at, when it is another one.
            masks: By their names; those that end in 'attention_mask' have an axis for each.
        """
        if decoding_state() is not None:
            return  # one step of many: the masks are those of all steps so far
        sources = shape if sources is None else sources
        for name, mask in masks.items():
            if not hasattr(mask, "shape"):
                continue
            if not name.endswith("attention_mask"):
                check_broadcasts(self._who(), name, mask.shape, sources[:2])
                continue
            wanted = (shape[0], shape[1], sources[1])
            if len(mask.shape) > 3:
                wanted = (shape[0], self.num_heads, *wanted[1:])
            check_broadcasts(self._who(), name, mask.shape, wanted)

    def _check(self, shape: Any) -> tuple[Any, ...]:
        if len(shape) != 3:
            raise ShapeError(
                message(
                    self._who(), "inputs must be (batch, time, features)", f"shape {tuple(shape)}"
                )
            )
        self._head_dim(shape[-1])
        return tuple(shape)


def joined(*masks: Any) -> Any:
    """The logical and of the masks that are not None."""
    found = None
    for mask in masks:
        if mask is not None:
            mask = ops.cast(mask, "bool")
            found = mask if found is None else ops.logical_and(found, mask)
    return found
