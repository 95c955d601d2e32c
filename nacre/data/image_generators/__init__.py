"""Images changed at random, and batches of them: what `keras.preprocessing.image` has.

`affine.py` and `colors.py` are the changes; `generator.py` draws them; the iterators, on the base
of `iterator.py`, give batches of an array, of folders, and of the files that a frame names.
"""

from nacre.data.image_generators.affine import apply_affine_transform as apply_affine_transform
from nacre.data.image_generators.affine import random_rotation as random_rotation
from nacre.data.image_generators.affine import random_shear as random_shear
from nacre.data.image_generators.affine import random_shift as random_shift
from nacre.data.image_generators.affine import random_zoom as random_zoom
from nacre.data.image_generators.arrays import NumpyArrayIterator as NumpyArrayIterator
from nacre.data.image_generators.colors import apply_brightness_shift as apply_brightness_shift
from nacre.data.image_generators.colors import apply_channel_shift as apply_channel_shift
from nacre.data.image_generators.colors import random_brightness as random_brightness
from nacre.data.image_generators.colors import random_channel_shift as random_channel_shift
from nacre.data.image_generators.directory import DirectoryIterator as DirectoryIterator
from nacre.data.image_generators.frame import DataFrameIterator as DataFrameIterator
from nacre.data.image_generators.generator import ImageDataGenerator as ImageDataGenerator
from nacre.data.image_generators.iterator import Iterator as Iterator

__all__ = [
    "DataFrameIterator",
    "DirectoryIterator",
    "ImageDataGenerator",
    "Iterator",
    "NumpyArrayIterator",
    "apply_affine_transform",
    "apply_brightness_shift",
    "apply_channel_shift",
    "random_brightness",
    "random_channel_shift",
    "random_rotation",
    "random_shear",
    "random_shift",
    "random_zoom",
]
