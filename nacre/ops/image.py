"""Face: the ops on images, as `keras.ops.image` has them.

Written by `python -m tests.architecture.op_faces --write` from what the ops declare where they
are defined (`_define`); a test compares the two.
"""

import typing as _typing

from nacre.ops._define import face as _face
from nacre.ops.geometry import affine_transform as affine_transform
from nacre.ops.geometry import elastic_transform as elastic_transform
from nacre.ops.geometry import map_coordinates as map_coordinates
from nacre.ops.geometry import perspective_transform as perspective_transform
from nacre.ops.geometry import resize as resize
from nacre.ops.geometry import scale_and_translate as scale_and_translate
from nacre.ops.pixels import crop_images as crop_images
from nacre.ops.pixels import extract_patches as extract_patches
from nacre.ops.pixels import extract_patches_3d as extract_patches_3d
from nacre.ops.pixels import gaussian_blur as gaussian_blur
from nacre.ops.pixels import hsv_to_rgb as hsv_to_rgb
from nacre.ops.pixels import pad_images as pad_images
from nacre.ops.pixels import rgb_to_grayscale as rgb_to_grayscale
from nacre.ops.pixels import rgb_to_hsv as rgb_to_hsv
from nacre.ops.pixels import sobel_edges as sobel_edges
from nacre.ops.pixels import ssim as ssim

__all__, __dir__, _missing = _face(__name__)

if not _typing.TYPE_CHECKING:  # a checker would take any name for one of the module's
    __getattr__ = _missing
