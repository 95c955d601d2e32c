"""The encoder block of transformers."""

from __future__ import annotations

from typing import Any

from nacre.core.array_types import Array, Float, Num
from nacre.core.registry import register
from nacre.layers.base.masking import without_absent
from nacre.layers.transformer.block import TransformerBlock, joined


@register("layers/TransformerEncoder", module="nacre")
class TransformerEncoder(TransformerBlock):
    """Self-attention in both directions and two dense layers, each with residual and norm.

    Args:
        intermediate_dim: Size between the two dense layers.
        num_heads: Number of attention heads; it divides the features.
        dropout: Share set to zero in training, of attention weights and of both branches.
        activation: Between the two dense layers.
        layer_norm_epsilon: Added to the variance in the norms.
        kernel_initializer, bias_initializer: First values of all projections.
        normalize_first: True puts the norm before each branch (pre-norm), False after each sum.
        use_rotary: Whether queries and keys are rotated by their positions.
        use_rms_norm: Norms divide by the root mean square alone, with no mean and no offset.
        use_bias: Whether the projections and dense layers have biases.
    Shapes:
        inputs         (batch, time, features)
        padding_mask   (batch, time), False for padding; by default the mask of the inputs
        attention_mask (batch, time, time), True where a step may look at another
        position_bias  (1 or batch, num_heads, time, time), added to the scores: see
                       `RelativePositionBias`
        returns        (batch, time, features)
    Raises:
        ShapeError: The features are no multiple of `num_heads`, or there are not three axes.
    Source:
        Vaswani et al. 2017, arXiv:1706.03762, section 3.1; pre-norm: Xiong et al. 2020,
        arXiv:2002.04745; rotation: Su et al. 2021, arXiv:2104.09864.
    Example:
        >>> import nacre
        >>> nacre.layers.TransformerEncoder(16, num_heads=2)(nacre.ops.ones((1, 3, 8))).shape
        (1, 3, 8)
    """

    def build(self, input_shape: Any) -> None:
        """Make attention, dense layers and norms."""
        shape = self._check(input_shape)
        self.self_attention = self._attention(
            "self_attention", shape[-1], use_rotary=self.use_rotary
        )
        self.self_attention.build(shape, shape)
        self.self_attention_norm = self._norm("self_attention", shape)
        self._build_feedforward(shape)

    def call(
        self,
        inputs: Num[Array, "batch time features"],
        padding_mask: Any = None,
        attention_mask: Any = None,
        training: bool | None = None,
        mask: Any = None,
        position_bias: Any = None,
    ) -> Float[Array, "batch time features"]:
        """The encoded sequence."""
        self._check_masks(
            inputs.shape, padding_mask=padding_mask, mask=mask, attention_mask=attention_mask
        )
        allowed = joined(padding_mask, mask)
        inputs = without_absent(inputs, allowed)

        def attend(x: Any) -> Any:
            return self.self_attention(
                x,
                x,
                value_mask=allowed,
                attention_mask=attention_mask,
                training=training,
                position_bias=position_bias,
            )

        outputs = self._residual(inputs, self.self_attention_norm, attend, training)
        return self._feedforward(outputs, training)
