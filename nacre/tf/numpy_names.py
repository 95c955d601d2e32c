"""`tf.experimental.numpy`: NumPy's names on tensors; `numpy_calls.py` has what they do."""

from __future__ import annotations

import numpy as np

from nacre.tf.numpy_calls import FUNCTIONS, named
from nacre.tf.numpy_calls import array as array
from nacre.tf.numpy_calls import asanyarray as asanyarray
from nacre.tf.numpy_calls import asarray as asarray
from nacre.tf.numpy_calls import ascontiguousarray as ascontiguousarray
from nacre.tf.numpy_calls import copy as copy
from nacre.tf.numpy_calls import (
    experimental_enable_numpy_behavior as experimental_enable_numpy_behavior,
)
from nacre.tf.numpy_calls import flatten as flatten
from nacre.tf.numpy_calls import promote_types as promote_types
from nacre.tf.numpy_calls import result_type as result_type
from nacre.tf.values import Tensor as ndarray

globals().update({name: named(name) for name in FUNCTIONS})

bool_, int8, int16, int32, int64 = np.bool_, np.int8, np.int16, np.int32, np.int64
uint8, uint16, uint32, uint64 = np.uint8, np.uint16, np.uint32, np.uint64
float16, float32, float64 = np.float16, np.float32, np.float64
complex64, complex128 = np.complex64, np.complex128
int_, float_, complex_, object_, inexact = np.int64, np.float64, np.complex128, object, np.inexact
string_, unicode_ = np.bytes_, np.str_
e, inf, newaxis, pi = np.e, np.inf, None, np.pi
finfo, iinfo, issubdtype = np.finfo, np.iinfo, np.issubdtype

__all__ = [
    *FUNCTIONS, "array", "asanyarray", "asarray", "ascontiguousarray", "bool_", "complex128",
    "complex64", "complex_", "copy", "e", "experimental_enable_numpy_behavior", "finfo", "flatten",
    "float16", "float32", "float64", "float_", "iinfo", "inexact", "inf", "int16", "int32", "int64",
    "int8", "int_", "issubdtype", "ndarray", "newaxis", "object_", "pi", "promote_types",
    "result_type", "string_", "uint16", "uint32", "uint64", "uint8", "unicode_",
]  # fmt: skip
