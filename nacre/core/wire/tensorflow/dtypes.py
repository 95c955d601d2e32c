"""TensorFlow's numbers of dtypes.

Source: tensorflow/core/framework/types.proto, enum DataType.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes as ml_dtypes  # NumPy knows its names from here on
import numpy as np

STRING = 7  # DT_STRING
RESOURCE = 20  # DT_RESOURCE: a handle of a variable or a table
VARIANT = 21  # DT_VARIANT: a list of tensors, a ragged tensor, a data set
_REFERENCE = 100  # DT_FLOAT_REF = 101 ...: what a variable of TensorFlow 1 gives

NAMES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 8: "complex64",
    9: "int64", 10: "bool", 14: "bfloat16", 17: "uint16", 18: "complex128", 19: "float16",
    22: "uint32", 23: "uint64", 24: "float8_e5m2", 25: "float8_e4m3fn", 29: "int4", 30: "uint4",
}  # fmt: skip
NUMBERS = {name: number for number, name in NAMES.items()}
_NO_NUMBERS = {STRING: "string", RESOURCE: "resource", VARIANT: "variant"}
_NUMBERS_OF_ALL = NUMBERS | {name: number for number, name in _NO_NUMBERS.items()}
_QUANTIZED = {11: "int8", 12: "uint8", 13: "int32", 15: "int16", 16: "uint16"}  # DT_QINT8 ...


def dtype_of(number: int) -> np.dtype[Any] | None:
    """NumPy's dtype for TensorFlow's number; None for strings, handles and what has none.

    Example:
        >>> dtype_of(14), dtype_of(7)
        (dtype(bfloat16), None)
    """
    number = number - _REFERENCE if number > _REFERENCE else number
    name = NAMES.get(number) or _QUANTIZED.get(number)
    if name is None:
        return None
    return np.dtype(name)


def name_of(number: int) -> str:
    """What a dtype is called: `float32`, `string`, `resource`, `variant`; else its number."""
    number = number - _REFERENCE if number > _REFERENCE else number
    return NAMES.get(number) or _NO_NUMBERS.get(number) or f"dtype {number}"


def number_of(name: str) -> int:
    """TensorFlow's number of a dtype: 'float32', 'string', 'resource', 'variant' ...

    Raises:
        KeyError: It has none.

    Example:
        >>> number_of("bfloat16"), number_of("string")
        (14, 7)
    """
    return _NUMBERS_OF_ALL[name]


__all__ = ["NAMES", "NUMBERS", "RESOURCE", "STRING", "VARIANT", "dtype_of", "name_of", "number_of"]
