"""Layers that prepare data: scales, categories, image sizes."""

from nacre.layers.preprocessing.encoding import CategoryEncoding as CategoryEncoding
from nacre.layers.preprocessing.encoding import Discretization as Discretization
from nacre.layers.preprocessing.image_size import CenterCrop as CenterCrop
from nacre.layers.preprocessing.image_size import Resizing as Resizing
from nacre.layers.preprocessing.scaling import Normalization as Normalization
from nacre.layers.preprocessing.scaling import Rescaling as Rescaling

__all__ = [
    "CategoryEncoding",
    "CenterCrop",
    "Discretization",
    "Normalization",
    "Rescaling",
    "Resizing",
]
