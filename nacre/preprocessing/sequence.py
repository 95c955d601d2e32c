"""`keras.preprocessing.sequence`. A face; the function lives in `nacre.data.arrays`."""

from nacre.data.arrays import pad_sequences as pad_sequences

__all__ = ["pad_sequences"]
