"""`keras.preprocessing.sequence`. A face; the function lives in `nacre.data.arrays`."""

from typing import TYPE_CHECKING

from nacre.core.late_names import late_names
from nacre.data.arrays import pad_sequences as pad_sequences

__all__ = ["pad_sequences"]

if not TYPE_CHECKING:  # names that are not here yet are told
    __getattr__, __dir__ = late_names(__name__)
