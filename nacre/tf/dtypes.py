"""`tf.DType`: the names of dtypes, with what TensorFlow's objects tell of themselves."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core.errors import DTypeError, message, nearest
from nacre.core.wire.tensorflow.dtypes import number_of


class DType(str):
    """A dtype of TensorFlow's: its name, which nacre, NumPy and JAX take for a dtype as it is.

    It is equal to every spelling of the dtype: the name, NumPy's dtype, NumPy's type.

    Example:
        >>> float32 = as_dtype("float32")
        >>> float32.is_floating, float32 == np.float32, np.zeros(2, float32).dtype.name
        (True, True, 'float32')
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """The name."""
        return str.__str__(self)

    @property
    def as_numpy_dtype(self) -> Any:
        """NumPy's type: `object` for strings, which are `bytes`."""
        return object if self.name == "string" else self._dtype.type

    @property
    def as_datatype_enum(self) -> int:
        """The number that files have for it."""
        return number_of(self.name)

    @property
    def base_dtype(self) -> DType:
        """The dtype itself."""
        return self

    @property
    def real_dtype(self) -> DType:
        """The dtype of the real part."""
        return DTYPES[{"complex64": "float32", "complex128": "float64"}.get(self.name, self.name)]

    @property
    def size(self) -> int:
        """Bytes of one number."""
        return 1 if self.name == "string" else self._dtype.itemsize

    @property
    def is_floating(self) -> bool:
        """Whether it holds real numbers that are not whole."""
        return jnp.issubdtype(self._dtype, jnp.floating)

    @property
    def is_integer(self) -> bool:
        """Whether it holds whole numbers."""
        return jnp.issubdtype(self._dtype, jnp.integer)

    @property
    def is_unsigned(self) -> bool:
        """Whether it holds whole numbers that are not negative."""
        return jnp.issubdtype(self._dtype, jnp.unsignedinteger)

    @property
    def is_complex(self) -> bool:
        """Whether it holds complex numbers."""
        return jnp.issubdtype(self._dtype, jnp.complexfloating)

    @property
    def is_bool(self) -> bool:
        """Whether it holds truths."""
        return self.name == "bool"

    @property
    def is_numpy_compatible(self) -> bool:
        """Always: NumPy has them all."""
        return True

    @property
    def min(self) -> Any:
        """The smallest number."""
        return self._limits().min

    @property
    def max(self) -> Any:
        """The largest number."""
        return self._limits().max

    @property
    def limits(self) -> tuple[Any, Any]:
        """Both."""
        return self.min, self.max

    def is_compatible_with(self, other: Any) -> bool:
        """Whether the other is the same dtype."""
        return self == as_dtype(other)

    @property
    def _dtype(self) -> np.dtype:
        return np.dtype(object) if self.name == "string" else jnp.dtype(self.name)

    def _limits(self) -> Any:
        if self.is_integer:
            return jnp.iinfo(self._dtype)
        if self.is_floating:
            return jnp.finfo(self._dtype)
        raise TypeError(f"tf.{self.name} has no smallest or largest number")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return str.__eq__(self, other)
        return other is not None and as_dtype_or_none(other) is self

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__

    def __str__(self) -> str:
        return f"<dtype: '{self.name}'>"

    def __repr__(self) -> str:
        return f"tf.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return as_dtype, (self.name,)


_NAMES = (
    "bfloat16 bool complex64 complex128 float16 float32 float64 int8 int16 int32 int64 string "
    "uint8 uint16 uint32 uint64"
).split()
DTYPES = {name: DType(name) for name in _NAMES}
# Names of TensorFlow's that are second names.
ALIASES = {"double": "float64", "half": "float16"}
_PYTHON = {bool: "bool", int: "int32", float: "float32", complex: "complex128"}
_TEXTS = (str, bytes, object)


def as_dtype_or_none(value: Any) -> DType | None:
    """The dtype that something names, None for what names none."""
    if type(value) is DType:
        return value
    if isinstance(value, str):
        return DTYPES.get(ALIASES.get(value, value))
    if isinstance(value, type) and value in _PYTHON:
        return DTYPES[_PYTHON[value]]
    if any(value is text for text in _TEXTS):
        return DTYPES["string"]
    try:
        found = jnp.dtype(value)
    except TypeError:
        return None
    return DTYPES["string"] if found.kind in "OSU" else DTYPES.get(found.name)


def as_dtype(value: Any) -> DType:
    """The dtype that a name, NumPy's dtype, a type or another dtype means.

    Raises:
        DTypeError: It means none.
    Example:
        >>> as_dtype("double"), as_dtype(np.uint8), as_dtype(float)
        (tf.float64, tf.uint8, tf.float32)
    """
    found = as_dtype_or_none(value)
    if found is None:
        hint = nearest(value, [*DTYPES, *ALIASES]) if isinstance(value, str) else None
        raise DTypeError(
            message(
                "tf.as_dtype",
                "it must mean a dtype",
                repr(value)[:60],
                f"Did you mean tf.{hint}?" if hint else f"Known: {', '.join(DTYPES)}.",
            )
        )
    return found


def dtype_of(value: Any) -> DType:
    """The dtype of a tensor."""
    return as_dtype(value.dtype)


def __getattr__(name: str) -> DType:
    """`float32` and the others, by their names."""
    name = ALIASES.get(name, name)
    if name in DTYPES:
        return DTYPES[name]
    if name.startswith("__"):
        raise AttributeError(name)
    # `import nacre.tf as tf` has this file as `tf.dtypes`: what TensorFlow has there besides.
    from nacre.tf.namespaces import find

    return find("dtypes", name)


__all__ = ["ALIASES", "DTYPES", "DType", "as_dtype", "as_dtype_or_none", "dtype_of"]
