"""Tables of vectors looked up by index."""

from __future__ import annotations

from typing import Any, Unpack

import jax

from nacre import constraints, initializers, ops, regularizers
from nacre.core.array_types import Array, Float, Num
from nacre.core.dtypes import is_float, standardize_dtype
from nacre.core.errors import ShapeError, message
from nacre.core.indices import refuse_outside, without_absent_indices
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.core.tensors import WholeNumber
from nacre.layers.base.adapting import Adaptable
from nacre.layers.base.keywords import WithoutWeights
from nacre.layers.base.layer import Layer
from nacre.layers.core.configs import explicit_config, without
from nacre.ops.indexing import embed


@register("layers/Embedding")
class Embedding(Adaptable, Layer):
    """A trainable vector for each index.

    Args:
        input_dim: Number of indices: largest index + 1.
        output_dim: Size of each vector.
        embeddings_initializer: First values of the table.
        embeddings_regularizer: Penalty on the table.
        embeddings_constraint: Applied after each update.
        mask_zero: Whether index 0 is padding, masked in the layers that follow.
        weights: First values of the table as an array (or a list with one).
        lora_rank: Train a change of the table of this rank instead of the table.
        lora_alpha: Scale of that change.
        quantization_config: Settings of `quantize`, or of a quantized `dtype`.
        input_length: tf.keras 2 spelling of a fixed length of the sequences.
    Shapes:
        inputs     (*batch,)              ints; floats are cut to ints
        embeddings (input_dim, output_dim)
        returns    (*batch, output_dim)   NaN for a traced index outside the table
    Raises:
        DataError: An index on the host is negative or too large; its row and value are named.
            (Keras clips or wraps it, as the backend does.)
    Example:
        >>> import nacre, numpy as np
        >>> nacre.layers.Embedding(10, 4)(np.array([[1, 2, 0]])).shape
        (1, 3, 4)
    """

    adaptable = ("embeddings",)
    quantizable = ("int8", "int4")

    is_stepwise = True

    arguments_of_weights = ("input_dim", "output_dim", "embeddings_initializer")

    def __init__(
        self,
        input_dim: WholeNumber,
        output_dim: WholeNumber,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **kwargs: Unpack[WithoutWeights],
    ) -> None:
        length = kwargs.pop("input_length", None)
        if length is not None and "input_shape" not in kwargs and "batch_input_shape" not in kwargs:
            kwargs["input_shape"] = (length,) if isinstance(length, int) else tuple(length)
        # Indices must keep their value: float ones are not cast to a short compute dtype.
        super().__init__(**{"autocast": False, **kwargs})
        who = f"{type(self).__name__} '{self.name}'"
        self.input_dim = whole_number(who, "input_dim", input_dim)
        self.output_dim = whole_number(who, "output_dim", output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = mask_zero
        self.supports_masking = bool(mask_zero)
        self.lora_rank = lora_rank
        self.lora_alpha = lora_alpha
        self.quantization_config = quantization_config
        if weights is not None:
            self.build()
            self.set_weights(list(weights) if isinstance(weights, list | tuple) else [weights])

    def build(self, input_shape: Any = None) -> None:
        """Make the table; it does not depend on the input's shape."""
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.input_dim, self.output_dim),
            initializer=self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )

    def call(
        self, inputs: Num[Array, "*batch"]
    ) -> Float[Array, "*batch features={self.output_dim}"]:
        """The vectors (*batch, output_dim) of the indices (*batch,)."""
        return self._look_up(self._checked_indices(inputs)).astype(self.compute_dtype)

    def _checked_indices(self, inputs: Any) -> Any:
        """The indices; raises for those of an array that are not in the table, traced ones give
        NaN, and at absent positions any may stand."""
        inputs = without_absent_indices(inputs, self.input_dim)
        if isinstance(inputs, jax.Array):
            self._check_indices(inputs, self.input_dim)
        return inputs

    def _index_limit(self) -> int | None:
        return self.input_dim

    def _check_indices(self, indices: Any, limit: int) -> None:
        refuse_outside(self._who(), indices, limit, size_argument="input_dim")

    def _look_up(self, indices: Any) -> Any:
        """The rows (*batch, output_dim) of the table."""
        return embed(self.embeddings, indices)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """True where the index is not 0, when `mask_zero`, and the mask of the indices is."""
        if not self.mask_zero:
            return mask
        own = ops.not_equal(inputs, 0)
        return own if mask is None else ops.logical_and(own, mask)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data; the table's values are weights, not arguments."""
        names = (
            "input_dim output_dim embeddings_initializer embeddings_regularizer "
            "activity_regularizer embeddings_constraint mask_zero quantization_config "
            "lora_rank lora_alpha"
        ).split()
        config = explicit_config(self, **{name: getattr(self, name) for name in names})
        return without(config, "lora_rank", "lora_alpha")


class ReversibleEmbeddingKeywords(WithoutWeights, total=False):
    """With what `Embedding` takes besides."""

    weights: Any
    lora_rank: Any
    lora_alpha: Any
    quantization_config: Any


@register("layers/ReversibleEmbedding")
class ReversibleEmbedding(Embedding):
    """An embedding that also maps vectors back to scores over the indices.

    Choose it for language models whose output layer shares the table of the input layer.

    Args:
        input_dim: Number of indices.
        output_dim: Size of each vector.
        tie_weights: Whether the way back uses the same table.
        embeddings_initializer: First values of the table.
        embeddings_regularizer: Penalty on the table.
        embeddings_constraint: Applied after each update.
        mask_zero: Whether index 0 is padding.
        reverse_dtype: Dtype of the way back; the compute dtype by default.
        logit_soft_cap: Scores are squashed into (-cap, cap) by a scaled tanh.
    Shapes:
        inputs  (*batch,) ints, or (*batch, output_dim) with reverse=True
        returns (*batch, output_dim), or (*batch, input_dim) with reverse=True
    Formula:
        reverse: s = x · tableᵀ;  with a soft cap c: c · tanh(s / c)
    Example:
        >>> import nacre
        >>> layer = nacre.layers.ReversibleEmbedding(10, 4)
        >>> layer(nacre.ops.ones((2, 4)), reverse=True).shape
        (2, 10)
    """

    is_stepwise = True

    def __init__(
        self,
        input_dim: WholeNumber,
        output_dim: WholeNumber,
        tie_weights: bool = True,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        reverse_dtype: Any = None,
        logit_soft_cap: float | None = None,
        **kwargs: Unpack[ReversibleEmbeddingKeywords],
    ) -> None:
        super().__init__(
            input_dim,
            output_dim,
            embeddings_initializer=embeddings_initializer,
            embeddings_regularizer=embeddings_regularizer,
            embeddings_constraint=embeddings_constraint,
            mask_zero=mask_zero,
            **kwargs,
        )
        self.tie_weights = tie_weights
        self.reverse_dtype = reverse_dtype
        self.logit_soft_cap = logit_soft_cap

    def build(self, input_shape: Any = None) -> None:
        """Make the table, and the table of the way back when it is its own."""
        super().build(input_shape)
        if not self.tie_weights:
            self.reverse_embeddings = self.add_weight(
                name="reverse_embeddings",
                shape=(self.output_dim, self.input_dim),
                initializer=self.embeddings_initializer,
            )

    def call(
        self, inputs: Num[Array, "*batch_or_vectors"], reverse: bool = False
    ) -> Float[Array, "*batch outputs"]:
        """Vectors for indices, or with `reverse` scores for vectors."""
        if not reverse:
            return super().call(inputs)
        if inputs.shape[-1] != self.output_dim:
            raise ShapeError(
                message(
                    self._who(),
                    f"the way back takes vectors of {self.output_dim}, the size of the embedding",
                    f"input of shape {tuple(inputs.shape)}",
                )
            )
        kernel = self.embeddings.value.T if self.tie_weights else self.reverse_embeddings.value
        dtype = standardize_dtype(self.reverse_dtype or self.compute_dtype)
        logits = ops.matmul(inputs.astype(dtype), kernel.astype(dtype))  # (*batch, input_dim)
        if self.logit_soft_cap is not None:
            logits = ops.tanh(logits / self.logit_soft_cap) * self.logit_soft_cap
        return logits

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """As `Embedding`; on the way back vectors (batch, time, ...) keep their mask."""
        is_index = len(inputs.shape) < 3 or not is_float(standardize_dtype(inputs.dtype))
        return super().compute_mask(inputs, mask) if is_index else mask

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        names = ("tie_weights", "reverse_dtype", "logit_soft_cap")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
