"""`keras.preprocessing.image`. A face; the functions live in `nacre.data`."""

from typing import TYPE_CHECKING

from nacre.core.late_names import late_names
from nacre.data.images import array_to_img as array_to_img
from nacre.data.images import img_to_array as img_to_array
from nacre.data.images import load_img as load_img
from nacre.data.images import save_img as save_img
from nacre.data.resizing import smart_resize as smart_resize

__all__ = ["array_to_img", "img_to_array", "load_img", "save_img", "smart_resize"]

if not TYPE_CHECKING:  # names that are not here yet are told
    __getattr__, __dir__ = late_names(__name__)
