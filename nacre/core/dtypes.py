"""Dtype names and promotion, and when numbers are 64 bits wide."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import config
from nacre.core.errors import DTypeError, message, nearest
from nacre.core.typed_jax import change_setting, setting

FLOAT_DTYPES = ("bfloat16", "float16", "float32", "float64")
INT_DTYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
ALLOWED_DTYPES = (
    *FLOAT_DTYPES,
    *INT_DTYPES,
    "bool",
    "string",
    "complex64",
    "complex128",
    "float8_e4m3fn",
    "float8_e5m2",
)
_PYTHON_DTYPES = {bool: "bool", int: "int32", float: "float32", str: "string"}


def standardize_dtype(dtype: Any) -> str:
    """The plain name of a dtype given as a string, a NumPy or JAX dtype, or a Python type.

    Raises:
        DTypeError: It is no dtype nacre knows.
    Example:
        >>> standardize_dtype(np.float32), standardize_dtype(None), standardize_dtype("int")
        ('float32', 'float32', 'int32')
    """
    if dtype is None:
        return config.floatx()
    if isinstance(dtype, str) and dtype in ALLOWED_DTYPES:
        return dtype
    # Compared as strings only: NumPy says that its float64 dtype equals "float".
    if dtype is float or (isinstance(dtype, str) and dtype == "float"):
        return config.floatx()
    if isinstance(dtype, type) and dtype in _PYTHON_DTYPES:
        return _PYTHON_DTYPES[dtype]
    if isinstance(dtype, str) and dtype == "int":
        return "int32"
    text = str(dtype)
    if "torch." in text:
        name = text.replace("torch.", "")
    elif _module_of(dtype).startswith("tensorflow") and hasattr(dtype, "name"):
        name = str(getattr(dtype, "name", ""))
    else:
        try:
            name = _numpy_name(dtype)
        except TypeError:
            name = text
    if name.startswith("str"):
        name = "string"
    if name not in ALLOWED_DTYPES:
        hint = nearest(name, ALLOWED_DTYPES)
        raise DTypeError(
            message(
                "dtype",
                "it must be a known dtype",
                repr(dtype),
                f"Did you mean {hint!r}?" if hint else f"Known: {', '.join(ALLOWED_DTYPES)}.",
            )
        )
    return name


def _module_of(value: object) -> str:
    return type(value).__module__


def _numpy_name(dtype: Any) -> str:
    return np.dtype(dtype).name


def is_float(dtype: Any) -> bool:
    """True for a floating dtype, 8-bit ones included."""
    name = standardize_dtype(dtype)
    return name.startswith(("float", "bfloat"))


def is_int(dtype: Any) -> bool:
    """True for a signed or unsigned integer dtype."""
    return standardize_dtype(dtype) in INT_DTYPES


def result_type(*dtypes: Any) -> str:
    """The dtype Keras promotes these to (JAX's lattice; Python numbers are weak).

    Example:
        >>> result_type("int32", "float16"), result_type("float32", int)
        ('float16', 'float32')
    """
    if not dtypes:
        return config.floatx()
    leaves: list[Any] = []
    for dtype in dtypes:
        if dtype is int or dtype is float:
            leaves.append(dtype(0))
        else:
            # 64 bits become 32 where JAX has no 64-bit numbers, without a warning.
            leaves.append(jax.dtypes.canonicalize_dtype(jnp.dtype(standardize_dtype(dtype))))
    if all(isinstance(leaf, int | float) for leaf in leaves):
        return config.floatx() if any(isinstance(leaf, float) for leaf in leaves) else "int32"
    return standardize_dtype(jnp.result_type(*leaves))


def use_64_bits() -> None:
    """Switch JAX's 64-bit numbers on, for the rest of the process.

    Called when float64 is asked for: by `set_floatx`, a dtype policy, or a variable's dtype. It is
    never switched off again, as that would leave float64 variables behind that nothing can use.
    Other dtypes stay what they are: ints from the host are int32, Python numbers are weak, NumPy's
    float64 arrays become float32 unless they meet something of float64.
    """
    if not setting("jax_enable_x64"):
        change_setting("jax_enable_x64", True)


def machine_dtype(dtype: np.dtype) -> np.dtype:
    """The same in the order of bytes, and of a width, that this machine computes in.

    Files of other machines (IDX, FITS) have the other order of bytes; NumPy's long doubles have 80
    bits.

    Example:
        >>> machine_dtype(np.dtype(">f4"))
        dtype('float32')
    """
    if not dtype.isnative:
        dtype = dtype.newbyteorder("=")
    return _LONG.get(dtype, dtype)


def host_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype an array of the host gets on the device.

    64-bit ints and, unless `floatx` is float64, 64-bit floats are NumPy's defaults rather than
    anybody's wish, so they become 32 bits wide, with JAX's 64-bit numbers on as well as off.

    Example:
        >>> host_dtype(np.dtype("int64"))
        dtype('int32')
    """
    dtype = machine_dtype(dtype)
    if dtype == np.float64 and config.floatx() == "float64":
        return dtype
    return _NARROW.get(dtype, dtype)


def device_dtype(dtype: Any) -> np.dtype:
    """The dtype an array has on the device: 64-bit numbers become 32-bit ones.

    Floats keep their digits where float64 was asked for, as some layer may compute in it.
    """
    dtype = machine_dtype(np.dtype(dtype))
    if dtype not in _NARROW or (dtype.kind in "fc" and setting("jax_enable_x64")):
        return dtype
    return host_dtype(dtype)


_LONG = {
    np.dtype(np.longdouble): np.dtype("float64"),
    np.dtype(np.clongdouble): np.dtype("complex128"),
}
_NARROW = {
    np.dtype(wide): np.dtype(narrow)
    for wide, narrow in (
        ("float64", "float32"),
        ("int64", "int32"),
        ("uint64", "uint32"),
        ("complex128", "complex64"),
    )
}
