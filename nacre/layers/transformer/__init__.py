"""Transformers: positions, encoder and decoder blocks, and the choice of next tokens."""

from nacre.layers.transformer.decoder import TransformerDecoder as TransformerDecoder
from nacre.layers.transformer.encoder import TransformerEncoder as TransformerEncoder
from nacre.layers.transformer.positions import RotaryEmbedding as RotaryEmbedding
from nacre.layers.transformer.positions import SinePositionEncoding as SinePositionEncoding
from nacre.layers.transformer.positions import (
    TokenAndPositionEmbedding as TokenAndPositionEmbedding,
)
from nacre.layers.transformer.relative_positions import (
    RelativePositionBias as RelativePositionBias,
)
from nacre.layers.transformer.sampling import beam_step as beam_step
from nacre.layers.transformer.sampling import keep_top_k as keep_top_k
from nacre.layers.transformer.sampling import keep_top_p as keep_top_p
from nacre.layers.transformer.sampling import sample_tokens as sample_tokens

__all__ = [
    "RelativePositionBias",
    "RotaryEmbedding",
    "SinePositionEncoding",
    "TokenAndPositionEmbedding",
    "TransformerDecoder",
    "TransformerEncoder",
    "beam_step",
    "keep_top_k",
    "keep_top_p",
    "sample_tokens",
]
