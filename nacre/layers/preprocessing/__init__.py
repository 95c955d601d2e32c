"""Layers that prepare data: scales, categories, texts, sounds, images, random changes."""

from nacre.layers.preprocessing.byte_pairs import BytePairTokenizer as BytePairTokenizer
from nacre.layers.preprocessing.encoding import CategoryEncoding as CategoryEncoding
from nacre.layers.preprocessing.encoding import Discretization as Discretization
from nacre.layers.preprocessing.hashing import HashedCrossing as HashedCrossing
from nacre.layers.preprocessing.hashing import Hashing as Hashing
from nacre.layers.preprocessing.histograms import AutoContrast as AutoContrast
from nacre.layers.preprocessing.histograms import (
    ContrastLimitedAdaptiveHistogramEqualization as ContrastLimitedAdaptiveHistogramEqualization,
)
from nacre.layers.preprocessing.histograms import Equalization as Equalization
from nacre.layers.preprocessing.image_layer import MaxNumBoundingBoxes as MaxNumBoundingBoxes
from nacre.layers.preprocessing.image_size import CenterCrop as CenterCrop
from nacre.layers.preprocessing.image_size import Resizing as Resizing
from nacre.layers.preprocessing.pipeline import Pipeline as Pipeline
from nacre.layers.preprocessing.random_colours import RandomBrightness as RandomBrightness
from nacre.layers.preprocessing.random_colours import (
    RandomColorDegeneration as RandomColorDegeneration,
)
from nacre.layers.preprocessing.random_colours import RandomColorJitter as RandomColorJitter
from nacre.layers.preprocessing.random_colours import RandomContrast as RandomContrast
from nacre.layers.preprocessing.random_colours import RandomGrayscale as RandomGrayscale
from nacre.layers.preprocessing.random_colours import RandomHue as RandomHue
from nacre.layers.preprocessing.random_colours import RandomInvert as RandomInvert
from nacre.layers.preprocessing.random_colours import RandomSaturation as RandomSaturation
from nacre.layers.preprocessing.random_images import RandomCrop as RandomCrop
from nacre.layers.preprocessing.random_images import RandomFlip as RandomFlip
from nacre.layers.preprocessing.random_images import RandomRotation as RandomRotation
from nacre.layers.preprocessing.random_images import RandomShear as RandomShear
from nacre.layers.preprocessing.random_images import RandomTranslation as RandomTranslation
from nacre.layers.preprocessing.random_images import RandomZoom as RandomZoom
from nacre.layers.preprocessing.random_patches import CutMix as CutMix
from nacre.layers.preprocessing.random_patches import MixUp as MixUp
from nacre.layers.preprocessing.random_patches import (
    RandomElasticTransform as RandomElasticTransform,
)
from nacre.layers.preprocessing.random_patches import RandomErasing as RandomErasing
from nacre.layers.preprocessing.random_patches import RandomPerspective as RandomPerspective
from nacre.layers.preprocessing.random_pixels import RandomGaussianBlur as RandomGaussianBlur
from nacre.layers.preprocessing.random_pixels import RandomPosterization as RandomPosterization
from nacre.layers.preprocessing.random_pixels import RandomSharpness as RandomSharpness
from nacre.layers.preprocessing.random_pixels import Solarization as Solarization
from nacre.layers.preprocessing.random_policies import AugMix as AugMix
from nacre.layers.preprocessing.random_policies import RandAugment as RandAugment
from nacre.layers.preprocessing.scaling import Normalization as Normalization
from nacre.layers.preprocessing.scaling import Rescaling as Rescaling
from nacre.layers.preprocessing.spectrograms import MelSpectrogram as MelSpectrogram
from nacre.layers.preprocessing.spectrograms import STFTSpectrogram as STFTSpectrogram
from nacre.layers.preprocessing.text import TextVectorization as TextVectorization
from nacre.layers.preprocessing.vocabulary import IntegerLookup as IntegerLookup
from nacre.layers.preprocessing.vocabulary import StringLookup as StringLookup
from nacre.layers.preprocessing.word_pieces import WordPieceTokenizer as WordPieceTokenizer

__all__ = [
    "AugMix",
    "AutoContrast",
    "BytePairTokenizer",
    "CategoryEncoding",
    "CenterCrop",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "CutMix",
    "Discretization",
    "Equalization",
    "HashedCrossing",
    "Hashing",
    "IntegerLookup",
    "MaxNumBoundingBoxes",
    "MelSpectrogram",
    "MixUp",
    "Normalization",
    "Pipeline",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "Rescaling",
    "Resizing",
    "STFTSpectrogram",
    "Solarization",
    "StringLookup",
    "TextVectorization",
    "WordPieceTokenizer",
]
