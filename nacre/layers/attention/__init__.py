"""Attention: one head over lists, many heads, and heads that share keys and values."""

from nacre.layers.attention.grouped_query import GroupQueryAttention as GroupQueryAttention
from nacre.layers.attention.multi_head import MultiHeadAttention as MultiHeadAttention
from nacre.layers.attention.single_head import AdditiveAttention as AdditiveAttention
from nacre.layers.attention.single_head import Attention as Attention

# Old spelling -> name.
LEGACY_NAMES = {"GroupedQueryAttention": "GroupQueryAttention"}

__all__ = ["AdditiveAttention", "Attention", "GroupQueryAttention", "MultiHeadAttention"]
