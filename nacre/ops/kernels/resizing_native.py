"""Images resized on the host by a compiled function (`native/resizing.cc`), which Python calls.

The numbers are those of NumPy's form to the last bit, so it is no matter which of the two makes an
image. That is why nobody waits for the compiler: the function is built in a thread once some images
were resized, and used from then on.
"""

from __future__ import annotations

import ctypes
import threading
from typing import Any

import numpy as np

from nacre.ops.kernels.native import build, library

Array = np.ndarray[Any, Any]

FIRST_IMAGES = 32  # by NumPy: who resizes fewer gains nothing by a library
_POINTER, _WHOLE = ctypes.c_void_p, ctypes.c_int64
_TAPS = (_POINTER, _POINTER, _WHOLE)


class Taps:
    """What the values along one axis are made of, as the compiled function reads it.

    Args:
        places: (size, taps): which old values each new one is made of, none of them outside.
        weights: Of the same shape.
    """

    def __init__(self, places: Array, weights: Array) -> None:
        self._kept = (
            np.ascontiguousarray(places, np.int64),
            np.ascontiguousarray(weights, "float32"),
        )
        self.arguments = (*map(_address, self._kept), places.shape[1])


class Resizing:
    """The compiled function.

    Args:
        compiled: The library it is in.
    """

    def __init__(self, compiled: ctypes.CDLL) -> None:
        self._function = compiled.nacre_resize
        self._function.argtypes = (
            _POINTER, *(_WHOLE,) * 5, *_TAPS, _WHOLE, *_TAPS, _POINTER,
        )  # fmt: skip
        self._function.restype = ctypes.c_int

    def __call__(
        self, image: Array, result: Array, rows: Taps | None, columns: Taps | None
    ) -> None:
        """Resize one image into another, other threads of Python going on meanwhile.

        Args:
            image: (height, width, channels), uint8 or float32.
            result: (new height, new width, channels), float32, in one piece.
            rows, columns: What those of the result are made of; None where they stay.

        Raises:
            MemoryError: There is none for one row.
        """
        assert result.dtype == np.float32 and result.flags.c_contiguous
        image, stride = _with_whole_rows(image)
        height, width, channels = result.shape
        status = self._function(
            _address(image), image.dtype == np.uint8, stride, image.shape[1], channels,
            height, *(rows.arguments if rows else (None, None, 0)),
            width, *(columns.arguments if columns else (None, None, 0)),
            _address(result),
        )  # fmt: skip
        if status:
            raise MemoryError


class _Built:
    """The function, once it is there."""

    def __init__(self) -> None:
        self.function: Resizing | None = None
        self._images, self._is_begun = 0, False

    def count(self, images: int) -> None:
        """Count images that NumPy resizes, and begin to build when they are many."""
        # Without a lock, which a fork could copy while it is held: a lost count is no matter.
        self._images += images
        # Once: in a process that was forked meanwhile NumPy goes on.
        if self._images >= FIRST_IMAGES and not self._is_begun:
            self._is_begun = True
            threading.Thread(target=self.build, name="nacre-native-build", daemon=True).start()

    def build(self) -> None:
        """Build it, or find it in the cache; where it cannot be, NumPy goes on."""
        if (compiled := library.RESIZING.outcome().library) is not None:
            self.function = Resizing(compiled)


_built = _Built()


def resizing_for(images: int) -> Resizing | None:
    """The compiled function, or None where NumPy is to resize so many images."""
    if build.is_switched_off():
        return None
    if _built.function is None:
        _built.count(images)
    return _built.function


def _address(array: Array) -> int:
    return array.__array_interface__["data"][0]  # `array.ctypes` takes as long as the call


def _with_whole_rows(image: Array) -> tuple[Array, int]:
    """An image whose rows are in one piece each, and the bytes from one to the next."""
    size = image.itemsize
    if image.strides[1:] != (image.shape[2] * size, size) or not image.flags.aligned:
        image = np.array(image, order="C")
        return image, image.shape[1] * image.shape[2] * size
    return image, image.strides[0]
