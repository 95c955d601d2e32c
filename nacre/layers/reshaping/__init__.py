"""Layers that change shapes: flatten, reshape, permute, repeat, pad, crop, up-sample."""

from nacre.layers.reshaping.borders import Cropping1D as Cropping1D
from nacre.layers.reshaping.borders import Cropping2D as Cropping2D
from nacre.layers.reshaping.borders import Cropping3D as Cropping3D
from nacre.layers.reshaping.borders import ZeroPadding1D as ZeroPadding1D
from nacre.layers.reshaping.borders import ZeroPadding2D as ZeroPadding2D
from nacre.layers.reshaping.borders import ZeroPadding3D as ZeroPadding3D
from nacre.layers.reshaping.shapes import Flatten as Flatten
from nacre.layers.reshaping.shapes import Permute as Permute
from nacre.layers.reshaping.shapes import RepeatVector as RepeatVector
from nacre.layers.reshaping.shapes import Reshape as Reshape
from nacre.layers.reshaping.up_sampling import UpSampling1D as UpSampling1D
from nacre.layers.reshaping.up_sampling import UpSampling2D as UpSampling2D
from nacre.layers.reshaping.up_sampling import UpSampling3D as UpSampling3D

__all__ = [
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Flatten",
    "Permute",
    "RepeatVector",
    "Reshape",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
]
