"""The decoder block of transformers."""

from __future__ import annotations

from typing import Any

from nacre.core.array_types import Array, Float, Num
from nacre.core.errors import ArgumentError, message
from nacre.core.registry import register
from nacre.layers.base.masking import without_absent
from nacre.layers.transformer.block import TransformerBlock, joined


@register("layers/TransformerDecoder", module="nacre")
class TransformerDecoder(TransformerBlock):
    """Causal self-attention, attention to an encoded sequence when there is one, two dense layers.

    Called on one sequence it is a block of a GPT; called on two, of an encoder-decoder.
    `nacre.models.generate` keeps its keys and values from step to step.

    Args:
        intermediate_dim: Size between the two dense layers.
        num_heads: Number of attention heads; it divides the features.
        dropout: Share set to zero in training, of attention weights and of all branches.
        activation: Between the two dense layers.
        layer_norm_epsilon: Added to the variance in the norms.
        kernel_initializer, bias_initializer: First values of all projections.
        normalize_first: True puts the norm before each branch (pre-norm), False after each sum.
        use_rotary: Whether queries and keys of self-attention are rotated by their positions.
        use_rms_norm: Norms divide by the root mean square alone, with no mean and no offset.
        use_bias: Whether the projections and dense layers have biases.
    Shapes:
        decoder_sequence (batch, targets, features)
        encoder_sequence (batch, sources, encoder_features), optional
        padding masks    (batch, targets or sources), False for padding; by default the masks that
                         of the sequences
        attention masks  (batch, targets, targets or sources), True where a step may look
        position_bias    (1 or batch, num_heads, targets, targets), added to the scores of
                         self-attention: see `RelativePositionBias`
        returns          (batch, targets, features)
    Raises:
        ArgumentError: It was built with an encoder sequence and is called without, or vice versa.
        ShapeError: The features are no multiple of `num_heads`, or there are not three axes.
    Source:
        Vaswani et al. 2017, arXiv:1706.03762, section 3.1; pre-norm: Xiong et al. 2020,
        arXiv:2002.04745; rotation: Su et al. 2021, arXiv:2104.09864.
    Example:
        >>> import nacre
        >>> nacre.layers.TransformerDecoder(16, num_heads=2)(nacre.ops.ones((1, 3, 8))).shape
        (1, 3, 8)
    """

    is_stepwise = True

    def build(self, decoder_sequence_shape: Any, encoder_sequence_shape: Any = None) -> None:
        """Make attention, dense layers and norms."""
        shape = self._check(decoder_sequence_shape)
        self.self_attention = self._attention(
            "self_attention", shape[-1], use_rotary=self.use_rotary
        )
        self.self_attention.build(shape, shape)
        self.self_attention_norm = self._norm("self_attention", shape)
        self.cross_attention = None
        if encoder_sequence_shape is not None:
            self.cross_attention = self._attention("cross_attention", shape[-1])
            self.cross_attention.build(shape, tuple(encoder_sequence_shape))
            self.cross_attention_norm = self._norm("cross_attention", shape)
        self._build_feedforward(shape)

    def call(
        self,
        decoder_sequence: Num[Array, "batch time features"],
        encoder_sequence: Num[Any, "#batch encoder_time encoder_features"] | None = None,
        decoder_padding_mask: Any = None,
        decoder_attention_mask: Any = None,
        encoder_padding_mask: Any = None,
        encoder_attention_mask: Any = None,
        use_causal_mask: bool = True,
        training: bool | None = None,
        decoder_sequence_mask: Any = None,
        encoder_sequence_mask: Any = None,
        position_bias: Any = None,
    ) -> Float[Array, "batch time features"]:
        """The decoded sequence."""
        self._check_call(encoder_sequence)
        self._check_masks(
            decoder_sequence.shape,
            decoder_padding_mask=decoder_padding_mask,
            decoder_sequence_mask=decoder_sequence_mask,
            decoder_attention_mask=decoder_attention_mask,
        )
        if encoder_sequence is not None:
            self._check_masks(
                decoder_sequence.shape,
                encoder_sequence.shape,
                encoder_padding_mask=encoder_padding_mask,
                encoder_sequence_mask=encoder_sequence_mask,
                encoder_attention_mask=encoder_attention_mask,
            )
        own = joined(decoder_padding_mask, decoder_sequence_mask)
        other = joined(encoder_padding_mask, encoder_sequence_mask)
        decoder_sequence = without_absent(decoder_sequence, own)
        encoder_sequence = without_absent(encoder_sequence, other)

        def look_back(x: Any) -> Any:
            return self.self_attention(
                x,
                x,
                value_mask=own,
                attention_mask=decoder_attention_mask,
                use_causal_mask=use_causal_mask,
                training=training,
                position_bias=position_bias,
            )

        def look_at_encoder(x: Any) -> Any:
            assert self.cross_attention is not None  # made with the encoder's sequence
            return self.cross_attention(
                x,
                encoder_sequence,
                value_mask=other,
                attention_mask=encoder_attention_mask,
                training=training,
            )

        outputs = self._residual(decoder_sequence, self.self_attention_norm, look_back, training)
        if encoder_sequence is not None:
            outputs = self._residual(outputs, self.cross_attention_norm, look_at_encoder, training)
        return self._feedforward(outputs, training)

    def _check_call(self, encoder_sequence: Any) -> None:
        if (encoder_sequence is None) != (self.cross_attention is None):
            has = "without" if self.cross_attention is None else "with"
            raise ArgumentError(
                message(
                    self._who(),
                    f"it was built {has} an encoder sequence and must be called in the same way",
                    "no encoder sequence" if encoder_sequence is None else "an encoder sequence",
                )
            )
