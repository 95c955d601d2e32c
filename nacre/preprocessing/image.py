"""`keras.preprocessing.image`. A face; the functions live in `nacre.data`."""

from typing import TYPE_CHECKING

from nacre.core.late_names import late_names
from nacre.data.image_generators import DataFrameIterator as DataFrameIterator
from nacre.data.image_generators import DirectoryIterator as DirectoryIterator
from nacre.data.image_generators import ImageDataGenerator as ImageDataGenerator
from nacre.data.image_generators import Iterator as Iterator
from nacre.data.image_generators import NumpyArrayIterator as NumpyArrayIterator
from nacre.data.image_generators import apply_affine_transform as apply_affine_transform
from nacre.data.image_generators import apply_brightness_shift as apply_brightness_shift
from nacre.data.image_generators import apply_channel_shift as apply_channel_shift
from nacre.data.image_generators import random_brightness as random_brightness
from nacre.data.image_generators import random_channel_shift as random_channel_shift
from nacre.data.image_generators import random_rotation as random_rotation
from nacre.data.image_generators import random_shear as random_shear
from nacre.data.image_generators import random_shift as random_shift
from nacre.data.image_generators import random_zoom as random_zoom
from nacre.data.images import array_to_img as array_to_img
from nacre.data.images import img_to_array as img_to_array
from nacre.data.images import load_img as load_img
from nacre.data.images import save_img as save_img
from nacre.data.resizing import smart_resize as smart_resize

__all__ = [
    "DataFrameIterator",
    "DirectoryIterator",
    "ImageDataGenerator",
    "Iterator",
    "NumpyArrayIterator",
    "apply_affine_transform",
    "apply_brightness_shift",
    "apply_channel_shift",
    "array_to_img",
    "img_to_array",
    "load_img",
    "random_brightness",
    "random_channel_shift",
    "random_rotation",
    "random_shear",
    "random_shift",
    "random_zoom",
    "save_img",
    "smart_resize",
]

if not TYPE_CHECKING:  # a name that is not there is told
    __getattr__, __dir__ = late_names(__name__)
