"""Attention of one head, over a list of query, value and perhaps key."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Unpack

import jax.numpy as jnp

from nacre import ops
from nacre.core import random
from nacre.core.array_types import Num
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.registry import register
from nacre.core.shapes import check_broadcasts, differ
from nacre.layers.attention.masks import causal_mask, dropped
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.base.masking import without_absent
from nacre.layers.regularization.dropout import checked_rate
from nacre.ops._define import composite

SCORE_MODES = ("dot", "concat")


@register("layers/Attention")
class Attention(Layer):
    """Mix values by how well each query fits each key: Luong's attention.

    Choose it for one head without projections; `MultiHeadAttention` projects and splits.

    Args:
        use_scale: Whether to multiply the scores by a trained number.
        score_mode: 'dot' (query · key) or 'concat' (the sum of tanh(query + key)).
        dropout: Share of the attention weights set to zero in training.
        seed: For the dropout.
    Shapes:
        inputs   [query, value] or [query, value, key]: (batch, targets, dim),
                 (batch, sources, dim), (batch, sources, dim); the key is the value by default
        mask     [query mask, value mask]: (batch, targets), (batch, sources), True where a step
                 counts; masked queries give zeros, masked values are not looked at
        returns  (batch, targets, dim), and with return_attention_scores the weights
                 (batch, targets, sources)
    Formula:
        softmax(score(query, key)) · value
    Source:
        Luong et al. 2015, arXiv:1508.04025, section 3.1; arguments and masks as in Keras 3.
    Example:
        >>> import nacre
        >>> query, value = nacre.ops.ones((2, 3, 4)), nacre.ops.ones((2, 5, 4))
        >>> Attention()([query, value]).shape
        (2, 3, 4)
    """

    arguments_of_weights = ("use_scale", "score_mode")

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self.use_scale = use_scale
        self.score_mode = score_mode
        self.dropout = checked_rate(self, dropout, "dropout")
        self.seed = seed
        self.supports_masking = True
        self.scale = None
        self.concat_score_weight = None
        self.seed_generator = random.SeedGenerator(seed) if dropout > 0 else None
        if score_mode not in SCORE_MODES:
            raise ArgumentError(
                message(self._who(), f"score_mode must be one of {SCORE_MODES}", repr(score_mode))
            )

    def build(self, input_shape: Any) -> None:
        """Make the numbers that scale the scores."""
        self._check_list(input_shape)
        if self.use_scale:
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight(
                name="concat_score_weight", shape=(), initializer="ones"
            )

    def _check_list(self, inputs: Any) -> None:
        if not isinstance(inputs, list | tuple) or len(inputs) not in (2, 3):
            got = f"a list of {len(inputs)}" if isinstance(inputs, list | tuple) else "one tensor"
            raise ArgumentError(
                message(
                    self._who(),
                    "inputs must be a list [query, value] or [query, value, key]",
                    got,
                    "For self-attention pass [x, x].",
                )
            )

    def call(
        self,
        inputs: Sequence[Num[Any, "#batch *_ features"]],
        mask: Any = None,
        training: Any = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Mix the values, one mixture for each query."""
        self._check_list(inputs)
        query, value = inputs[0], inputs[1]
        key = inputs[2] if len(inputs) > 2 else value
        self._check_shapes(query, key, value)
        query_mask, value_mask = self._masks(inputs, mask)
        query_mask = self._step_mask("query", query_mask, query)
        value_mask = self._step_mask("value", value_mask, value)
        query, key, value = (
            without_absent(steps, one)
            for steps, one in ((query, query_mask), (key, value_mask), (value, value_mask))
        )
        drops = bool(training) and self.dropout > 0
        numbers = (self.scale, self.concat_score_weight)
        if drops or return_attention_scores:
            scores = _scores(query, key, *numbers, self._score_form)
            weights = ops.softmax(_masked(scores, value_mask, use_causal_mask), axis=-1)
            if drops:
                weights = dropped(weights, self.dropout, self.seed_generator)
            result = ops.matmul(weights, value)
        else:
            result = _attention(
                query, key, value, *numbers, value_mask, self._score_form, bool(use_causal_mask)
            )
        if query_mask is not None:
            result = result * ops.expand_dims(ops.cast(query_mask, result.dtype), -1)
        return (result, weights) if return_attention_scores else result

    def _step_mask(self, name: str, mask: Any, tensor: Any) -> Any:
        """The mask of a tensor's steps. One of fewer axes covers its first axes, as masks do;
        one that does not fit those stands for its last axes, the steps among them."""
        if mask is None:
            return None
        mask, wanted = jnp.asarray(mask), tensor.shape[:-1]
        if mask.ndim < len(wanted) and mask.shape == wanted[: mask.ndim]:
            return ops.expand_dims(mask, tuple(range(mask.ndim, len(wanted))))
        check_broadcasts(self._who(), f"the {name} mask", mask.shape, wanted)
        return mask

    def _check_shapes(self, query: Any, key: Any, value: Any) -> None:
        """Query and key must have features in common, key and value steps, all of them batches."""
        pairs = [(query.shape[-1], key.shape[-1]), (key.shape[-2], value.shape[-2])]
        leading = [tuple(reversed(tensor.shape[:-2])) for tensor in (query, key, value)]
        for some, others in itertools.combinations(leading, 2):
            pairs += [pair for pair in zip(some, others, strict=False) if 1 not in pair]
        if any(differ(a, b) for a, b in pairs):
            raise ShapeError(
                message(
                    self._who(),
                    "query and key must have the same features, key and value the same steps, "
                    "all of them the same batch",
                    f"query {tuple(query.shape)}, value {tuple(value.shape)}, "
                    f"key {tuple(key.shape)}",
                    "Project them with a Dense layer, or use MultiHeadAttention.",
                )
            )

    @property
    def _score_form(self) -> str:
        return self.score_mode

    def _masks(self, inputs: Any, mask: Any) -> tuple[Any, Any]:
        if mask is None:
            return None, None
        if not isinstance(mask, list | tuple) or not 2 <= len(mask) <= 3:
            raise ShapeError(
                message(
                    self._who(),
                    "mask must be a list [query mask, value mask], with None for no mask",
                    f"a list of {len(mask)}" if isinstance(mask, list | tuple) else "one mask",
                )
            )
        return mask[0], mask[1]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The query's mask."""
        return None if mask is None else self._masks(inputs, mask)[0]


class AdditiveAttentionKeywords(LayerKeywords, total=False):
    """With what `Attention` takes besides."""

    seed: Any


@register("layers/AdditiveAttention")
class AdditiveAttention(Attention):
    """Mix values by a small network's score of each query and key: Bahdanau's attention.

    Choose it over `Attention` when queries and keys do not live in one space yet.

    Args:
        use_scale: Whether each feature has a trained weight in the score.
        dropout: Share of the attention weights set to zero in training.
    Shapes:
        inputs   as in `Attention`
        scale    (dim,)
        returns  as in `Attention`
    Formula:
        softmax(sum(scale · tanh(query + key))) · value
    Source:
        Bahdanau et al. 2014, arXiv:1409.0473, section 3.1, without its projections.
    Example:
        >>> import nacre
        >>> query, value = nacre.ops.ones((2, 3, 4)), nacre.ops.ones((2, 5, 4))
        >>> AdditiveAttention()([query, value]).shape
        (2, 3, 4)
    """

    def __init__(
        self,
        use_scale: bool = True,
        dropout: float = 0.0,
        **kwargs: Unpack[AdditiveAttentionKeywords],
    ) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape: Any) -> None:
        """Make the weight of each feature."""
        self._check_list(input_shape)
        if self.use_scale:
            self.scale = self.add_weight(
                name="scale", shape=(input_shape[0][-1],), initializer="glorot_uniform"
            )

    @property
    def _score_form(self) -> str:
        return "additive"

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data; the score mode is not one of them."""
        config = super().get_config()
        config.pop("score_mode", None)
        return config


@composite("query", "key", "value", "scale", "concat_weight", "value_mask", name="attention")
def _attention(
    query: Any,
    key: Any,
    value: Any,
    scale: Any,
    concat_weight: Any,
    value_mask: Any,
    score_mode: str,
    is_causal: bool,
) -> Any:
    scores = _scores(query, key, scale, concat_weight, score_mode)
    return ops.matmul(ops.softmax(_masked(scores, value_mask, is_causal), axis=-1), value)


def _scores(query: Any, key: Any, scale: Any, concat_weight: Any, score_mode: str) -> Any:
    """How well each key fits each query, (batch, targets, sources)."""
    if score_mode == "dot":
        scores = ops.matmul(query, ops.swapaxes(key, -2, -1))
        return scores if scale is None else ops.multiply(scores, scale)
    pairs = ops.add(ops.expand_dims(query, -2), ops.expand_dims(key, -3))
    if score_mode == "additive":
        pairs = ops.tanh(pairs)
        return ops.sum(pairs if scale is None else ops.multiply(scale, pairs), axis=-1)
    if scale is not None:
        pairs = ops.multiply(scale, pairs)
    return ops.multiply(concat_weight, ops.sum(ops.tanh(pairs), axis=-1))


def _masked(scores: Any, value_mask: Any, is_causal: bool) -> Any:
    """Scores with a large number taken off where a query must not look."""
    allowed = None
    if value_mask is not None:
        allowed = ops.expand_dims(ops.cast(value_mask, "bool"), -2)  # (batch, 1, sources)
    if is_causal:
        causal = causal_mask(scores.shape[-2], scores.shape[-1])[None]
        allowed = causal if allowed is None else ops.logical_and(allowed, causal)
    if allowed is None:
        return scores
    # Finite, and within float16: a row without any allowed place is then a plain mean.
    large = 65504.0 if scores.dtype == jnp.float16 else 1e9
    return ops.where(allowed, scores, jnp.asarray(-large, scores.dtype))
