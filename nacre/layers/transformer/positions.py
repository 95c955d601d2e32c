"""Where a token stands: learned positions, sines, and rotation of queries and keys."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp
from jax import lax

from nacre import initializers
from nacre.core.array_types import Array, Float, Num
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.core.scope import in_symbolic_scope
from nacre.initializers.initializer import fresh_copy
from nacre.layers.base.input_spec import InputSpec, plain_shape
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.core.embedding import ReversibleEmbedding
from nacre.layers.transformer.decoding import first_position


@register("layers/TokenAndPositionEmbedding", module="nacre")
class TokenAndPositionEmbedding(Layer):
    """The sum of a trainable vector for each token and one for each position.

    With `reverse=True` it maps vectors back to scores over the vocabulary, by the same table: the
    output layer of a language model.

    Args:
        vocabulary_size: Number of tokens.
        sequence_length: Largest number of positions.
        embedding_dim: Size of the vectors.
        embeddings_initializer: First values of both tables.
        mask_zero: Whether token 0 is padding, masked in the layers that follow.
    Shapes:
        inputs  (batch, time) ints, or (batch, time, embedding_dim) with reverse=True
        returns (batch, time, embedding_dim), or (batch, time, vocabulary_size) with reverse=True
    Raises:
        ShapeError: The tokens are not (batch, time), or more than `sequence_length` steps; in an
            exported file, which cannot raise, these give NaN.
    Source:
        Vaswani et al. 2017, arXiv:1706.03762, sections 3.4 and 3.5; learned positions: Gehring et
        al. 2017, arXiv:1705.03122. Differs: no factor sqrt(embedding_dim).
    Example:
        >>> import nacre, numpy as np
        >>> nacre.layers.TokenAndPositionEmbedding(10, 8, 4)(np.array([[1, 2, 0]])).shape
        (1, 3, 4)
    """

    is_stepwise = True

    casts_inputs = True  # its layers share its policy

    def __init__(
        self,
        vocabulary_size: int,
        sequence_length: int,
        embedding_dim: int,
        embeddings_initializer: Any = "uniform",
        mask_zero: bool = False,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        self.vocabulary_size = whole_number(self._who(), "vocabulary_size", vocabulary_size)
        self.sequence_length = whole_number(self._who(), "sequence_length", sequence_length)
        self.embedding_dim = whole_number(self._who(), "embedding_dim", embedding_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.mask_zero = mask_zero
        self.supports_masking = True

    def build(self, input_shape: Any = None) -> None:
        """Make both tables; they do not depend on the input's shape."""
        if input_shape is not None and len(input_shape) == 2:
            self._check_steps(tuple(input_shape))
        self.token_embedding = ReversibleEmbedding(
            self.vocabulary_size,
            self.embedding_dim,
            embeddings_initializer=self.embeddings_initializer,
            mask_zero=self.mask_zero,
            dtype=self.dtype_policy,
            name="token_embedding",
        )
        self.token_embedding.build()
        self.positions = self.add_weight(
            name="positions",
            shape=(self.sequence_length, self.embedding_dim),
            initializer=fresh_copy(self.embeddings_initializer),
        )

    def call(
        self, inputs: Num[Array, "*batch_or_vectors"], start_index: Any = 0, reverse: bool = False
    ) -> Float[Array, "batch time outputs"]:
        """Vectors of tokens that begin at position `start_index`, or scores for vectors."""
        if reverse:
            return self.token_embedding(inputs, reverse=True)
        if len(inputs.shape) != 2:
            rule, got = "inputs must be tokens (batch, time)", f"shape {plain_shape(inputs)}"
            raise ShapeError(message(self._who(), rule, got, "A single text: tokens[None]."))
        # While shapes are found, unknown sizes may stand as numbers beyond any table.
        if not in_symbolic_scope():
            self._check_steps(inputs.shape)
        return self.token_embedding(inputs) + self._rows(start_index, inputs.shape[1])

    def _rows(self, start_index: Any, steps: Any) -> Any:
        """Position vectors (time, embedding_dim)."""
        start, table = first_position(start_index), self.positions.value
        table = table.astype(self.compute_dtype)
        if in_symbolic_scope():
            return jnp.take(table, jnp.arange(steps), axis=0, mode="clip")
        if not isinstance(steps, int):  # a trace for any number: too many have no numbers
            places = jnp.arange(steps) + start
            return jnp.take(table, places, axis=0, mode="fill", fill_value=jnp.nan)
        # A slice: its gradient costs less than that of a look-up.
        return table[:steps] if _is_zero(start) else lax.dynamic_slice_in_dim(table, start, steps)

    def _check_steps(self, shape: Any) -> None:
        if isinstance(shape[1], int) and shape[1] > self.sequence_length:
            raise ShapeError(
                message(
                    self._who(),
                    f"there must be at most sequence_length={self.sequence_length} steps",
                    f"inputs of shape {tuple(shape)}",
                    "Make the layer with a larger sequence_length, or cut the inputs.",
                )
            )

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """True where the token is not 0, when `mask_zero`; vectors keep their mask."""
        if self.mask_zero and len(inputs.shape) == 2:
            return self.token_embedding.compute_mask(inputs)
        return mask


def _is_zero(start: Any) -> bool:
    return isinstance(start, int) and start == 0


def _angles(positions: Any, half: int, max_wavelength: float) -> Any:
    """Angles (..., half): wavelengths from 2π to 2π · max_wavelength."""
    frequencies = max_wavelength ** -(jnp.arange(half, dtype="float32") / half)
    return positions.astype("float32")[..., None] * frequencies


@register("layers/SinePositionEncoding", module="nacre")
class SinePositionEncoding(Layer):
    """Sines and cosines of the positions, to be added to the inputs: `x + layer(x)`.

    Choose it over learned positions where sequences may become longer than in training.

    Args:
        max_wavelength: The longest wavelength, divided by 2π.
    Shapes:
        inputs  (batch, time, features); features even
        returns the same shape
    Formula:
        p[t, 2i] = sin(t / max_wavelength^(2i / features)), p[t, 2i+1] = cos(the same)
    Raises:
        ShapeError: Other axes than these three, or a number of features that is odd or unknown.
    Source:
        Vaswani et al. 2017, arXiv:1706.03762, section 3.5.
    Example:
        >>> import nacre
        >>> nacre.layers.SinePositionEncoding()(nacre.ops.ones((1, 1, 4))).tolist()
        [[[0.0, 1.0, 0.0, 1.0]]]
    """

    is_stepwise = True

    def __init__(self, max_wavelength: float = 10000.0, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        self.max_wavelength = max_wavelength
        self.supports_masking = True
        self.input_spec = InputSpec(ndim=3)

    def call(
        self, inputs: Num[Array, "batch time features"], start_index: Any = 0
    ) -> Num[Array, "batch time features"]:
        """The encoding of positions from `start_index` on."""
        features = _even(self, inputs.shape)
        positions = first_position(start_index) + jnp.arange(inputs.shape[1])
        angles = _angles(positions, features // 2, self.max_wavelength)
        pairs = jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1)  # (time, features / 2, 2)
        encoding = pairs.reshape((inputs.shape[1], features)).astype(inputs.dtype)
        return jnp.broadcast_to(encoding, inputs.shape)


def _even(layer: Layer, shape: Any) -> int:
    size = shape[-1]
    if not isinstance(size, int) or size % 2:
        raise ShapeError(
            message(layer._who(), "the last axis must have an even size", f"shape {tuple(shape)}")
        )
    return size


def rotated(x: Any, positions: Any, max_wavelength: float) -> Any:
    """Rotate the pairs (i, i + size / 2) of the last axis by angles that grow with the position.

    Shapes:
        x         (batch, time, heads, size)
        positions (time,)
        returns   the shape of x
    """
    half = x.shape[-1] // 2
    angles = _angles(positions, half, max_wavelength)[None, :, None, :]
    cosine, sine = jnp.cos(angles), jnp.sin(angles)
    first, second = x[..., :half].astype("float32"), x[..., half:].astype("float32")
    turned = [first * cosine - second * sine, second * cosine + first * sine]
    return jnp.concatenate(turned, axis=-1).astype(x.dtype)


@register("layers/RotaryEmbedding", module="nacre")
class RotaryEmbedding(Layer):
    """Rotate queries or keys by their positions, so that products depend on distances alone.

    `TransformerEncoder` and `TransformerDecoder` use it inside with `use_rotary=True`.

    Args:
        max_wavelength: The longest wavelength, divided by 2π.
    Shapes:
        inputs  (batch, time, heads, size) or (batch, time, size); size even
        returns the same shape
    Formula:
        (a, b) -> (a cos tθ - b sin tθ, b cos tθ + a sin tθ) for each pair of features, θ of pair i
        max_wavelength^(-2i / size)
    Raises:
        ArgumentError: The input has neither three nor four axes.
        ShapeError: `size` is odd or unknown.
    Source:
        Su et al. 2021, arXiv:2104.09864, section 3.2.2. Differs: pairs are features i and
        i + size / 2, as in GPT-NeoX and Llama, not 2i and 2i + 1.
    Example:
        >>> import nacre
        >>> nacre.layers.RotaryEmbedding()(nacre.ops.ones((1, 1, 2))).tolist()
        [[[1.0, 1.0]]]
    """

    def __init__(self, max_wavelength: float = 10000.0, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        self.max_wavelength = max_wavelength
        self.supports_masking = True

    def call(
        self, inputs: Num[Any, "batch time *heads head_dim"], start_index: Any = 0
    ) -> Num[Any, "batch time *heads head_dim"]:
        """Rotated inputs, whose first step stands at `start_index`."""
        _even(self, inputs.shape)
        if inputs.ndim not in (3, 4):
            raise ArgumentError(
                message(
                    self._who(),
                    "inputs must be (batch, time, heads, size) or (batch, time, size)",
                    f"shape {tuple(inputs.shape)}",
                )
            )
        positions = first_position(start_index) + jnp.arange(inputs.shape[1])
        if inputs.ndim == 3:
            return rotated(inputs[:, :, None], positions, self.max_wavelength)[:, :, 0]
        return rotated(inputs, positions, self.max_wavelength)
