"""Layers that prepare data: scales, categories, texts, image sizes, random changes."""

from nacre.layers.preprocessing.encoding import CategoryEncoding as CategoryEncoding
from nacre.layers.preprocessing.encoding import Discretization as Discretization
from nacre.layers.preprocessing.image_size import CenterCrop as CenterCrop
from nacre.layers.preprocessing.image_size import Resizing as Resizing
from nacre.layers.preprocessing.pipeline import Pipeline as Pipeline
from nacre.layers.preprocessing.random_images import RandomBrightness as RandomBrightness
from nacre.layers.preprocessing.random_images import RandomContrast as RandomContrast
from nacre.layers.preprocessing.random_images import RandomCrop as RandomCrop
from nacre.layers.preprocessing.random_images import RandomFlip as RandomFlip
from nacre.layers.preprocessing.random_images import RandomRotation as RandomRotation
from nacre.layers.preprocessing.random_images import RandomTranslation as RandomTranslation
from nacre.layers.preprocessing.random_images import RandomZoom as RandomZoom
from nacre.layers.preprocessing.scaling import Normalization as Normalization
from nacre.layers.preprocessing.scaling import Rescaling as Rescaling
from nacre.layers.preprocessing.text import TextVectorization as TextVectorization
from nacre.layers.preprocessing.vocabulary import IntegerLookup as IntegerLookup
from nacre.layers.preprocessing.vocabulary import StringLookup as StringLookup

__all__ = [
    "CategoryEncoding",
    "CenterCrop",
    "Discretization",
    "IntegerLookup",
    "Normalization",
    "Pipeline",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "Rescaling",
    "Resizing",
    "StringLookup",
    "TextVectorization",
]
