"""Layers that act in training only: dropout and noise; penalties on activity; random codes."""

from nacre.layers.regularization.dropout import AlphaDropout as AlphaDropout
from nacre.layers.regularization.dropout import Dropout as Dropout
from nacre.layers.regularization.dropout import SpatialDropout1D as SpatialDropout1D
from nacre.layers.regularization.dropout import SpatialDropout2D as SpatialDropout2D
from nacre.layers.regularization.dropout import SpatialDropout3D as SpatialDropout3D
from nacre.layers.regularization.noise import ActivityRegularization as ActivityRegularization
from nacre.layers.regularization.noise import GaussianDropout as GaussianDropout
from nacre.layers.regularization.noise import GaussianNoise as GaussianNoise
from nacre.layers.regularization.variational import (
    KLDivergenceRegularization as KLDivergenceRegularization,
)
from nacre.layers.regularization.variational import Sampling as Sampling

__all__ = [
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "KLDivergenceRegularization",
    "Sampling",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
]
