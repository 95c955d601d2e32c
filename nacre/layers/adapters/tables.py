"""Layers whose weight is a table of rows: `Embedding` and `ReversibleEmbedding`."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from nacre import ops
from nacre.core.dtypes import standardize_dtype
from nacre.layers.adapters.lora import LowRank
from nacre.layers.adapters.products import integer_product
from nacre.layers.adapters.weights import Weight
from nacre.layers.core.embedding import ReversibleEmbedding


class _ReverseLabels:
    """The labels of the way back, for `integer_product`.

    Args:
        is_untied: Whether the table is one of its own, (dim, vocabulary), and not the first one.
    """

    inputs, outputs, ellipsis_side = "d", "v", "left"

    def __init__(self, is_untied: bool) -> None:
        self.is_untied = is_untied
        self.equation = "...d,dv->...v" if is_untied else "...d,vd->...v"

    def axes_summed(self, ndim: int) -> tuple[int, ...]:
        """The last axis."""
        return (ndim - 1,)

    def align_with_outputs(self, scale: Any) -> Any:
        """The scale has size 1 where the outputs have the vocabulary."""
        return scale

    def scale_for_kernel(self, scale: Any) -> Any:
        """One scale for each row of the vocabulary."""
        return scale if self.is_untied else scale[:, None]


class TableForm:
    """How an embedding uses its table, and a reversible one the table of the way back.

    Args:
        layer: A built `Embedding` or `ReversibleEmbedding`.
    """

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self.is_untied = isinstance(layer, ReversibleEmbedding) and not layer.tie_weights
        rows, size = layer.embeddings.shape
        self.table = Weight("embeddings", (rows, size), (1,), (rows,), (rows, size), 1, 1)
        reverse_table = ("reverse_embeddings", (size, rows), (0,), (rows,), (size, rows))
        self.reverse_table = Weight(*reverse_table, pack_axis=0, group_axis=0, zero_dtype="float32")

    def weights(self) -> list[Weight]:
        """The table, and the one of the way back when it is its own."""
        return [self.table, self.reverse_table] if self.is_untied else [self.table]

    def scale_for_outputs(self, scale: Any) -> Any:
        """One scale for each row, as it is."""
        return scale.reshape(-1)

    def call(
        self,
        stored: list[Any],
        low_rank: LowRank | None,
        quantizer: Any,
        inputs: Any,
        reverse: bool = False,
    ) -> Any:
        """Rows for indices, or with `reverse` scores for vectors."""
        if reverse:
            return self.scores(stored, low_rank, quantizer, inputs)
        layer = self.layer
        inputs = layer._checked_indices(inputs)
        outputs = stored[0].rows(inputs)
        if low_rank is not None:
            outputs = outputs + low_rank.rows(inputs).astype(outputs.dtype)
        return outputs.astype(layer.compute_dtype)

    def scores(self, stored: list[Any], low_rank: LowRank | None, quantizer: Any, x: Any) -> Any:
        """The products of vectors with all rows."""
        layer = self.layer
        x = x.astype(standardize_dtype(layer.reverse_dtype or layer.compute_dtype))
        kernel = stored[-1]
        numbers = None if quantizer is None else kernel.numbers()
        if numbers is None:
            values = kernel.values(x.dtype)
            logits = jnp.matmul(x, values if self.is_untied else values.T)
        else:
            table, scale = numbers
            labels = _ReverseLabels(self.is_untied)
            logits = integer_product(labels, quantizer, x, table, scale)
        if low_rank is not None and not self.is_untied:
            inner = jnp.matmul(x, low_rank.b.value.T.astype(x.dtype))
            change = jnp.matmul(inner, low_rank.a.value.T.astype(x.dtype))
            logits = logits + change * jnp.asarray(low_rank.scale, x.dtype)
        cap = layer.logit_soft_cap
        return logits if cap is None else ops.tanh(logits / cap) * cap
