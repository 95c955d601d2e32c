"""Normalizing layers: by batch, by layer, by group, by length; and of a kernel."""

from nacre.layers.normalization.batch_normalization import BatchNormalization as BatchNormalization
from nacre.layers.normalization.sample_normalization import GroupNormalization as GroupNormalization
from nacre.layers.normalization.sample_normalization import LayerNormalization as LayerNormalization
from nacre.layers.normalization.sample_normalization import RMSNormalization as RMSNormalization
from nacre.layers.normalization.sample_normalization import UnitNormalization as UnitNormalization
from nacre.layers.normalization.spectral_normalization import (
    SpectralNormalization as SpectralNormalization,
)

__all__ = [
    "BatchNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "RMSNormalization",
    "SpectralNormalization",
    "UnitNormalization",
]
