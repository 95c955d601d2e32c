"""What every op does first: make an array of whatever was given."""

from __future__ import annotations

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import config, interop
from nacre.core.dtypes import host_dtype, standardize_dtype
from nacre.core.host_arrays import plain_array, refuse_wide_integers
from nacre.core.indices import check_width
from nacre.core.typed_jax import setting
from nacre.core.variable import Variable

# A tensor is an array, a traced or symbolic tensor, a Variable, a number or nested lists of them.
Tensor: TypeAlias = Any
Axis: TypeAlias = int | tuple[int, ...] | list[int] | None
Shape: TypeAlias = Any
DType: TypeAlias = Any


def array(x: Tensor) -> jax.Array:
    """An array of `x`; Python numbers stay weak, so they do not widen what they meet.

    Example:
        >>> array([1, 2]).dtype
        dtype('int32')
    """
    if isinstance(x, jax.Array):
        return x
    if isinstance(x, Variable):
        return x.value
    if isinstance(x, np.ndarray | np.generic):
        if getattr(x, "keeps_64_bits", False):
            return jnp.array(x.view(np.ndarray))
        if isinstance(x, np.ndarray):
            x = plain_array(x, "an op")
            refuse_wide_integers(x, "an op")
            # What is computed may look into this memory later, when its owner writes to it again.
            x = x.copy()
        return jnp.asarray(x, dtype=host_dtype(x.dtype))
    if isinstance(x, int | float | complex):
        return jnp.asarray(x)
    if isinstance(x, list | tuple):
        x = _without_variables(x)
        if _all_plain(x):
            return jnp.asarray(np.asarray(x, dtype=_plain_dtype(x)))
    x = interop.to_numpy_if_foreign(x, "an op")
    return jnp.asarray(x, dtype=host_dtype(x.dtype) if isinstance(x, np.ndarray) else None)


def converted(x: Tensor, dtype: Any, *, is_exact: bool = False) -> jax.Array:
    """`x` in another dtype, from the numbers that were given: a whole number of 64 bits becomes the
    nearest float.

    Args:
        x: Anything `array` takes.
        dtype: The dtype.
        is_exact: Whether whole numbers of the host must fit into an integer dtype; otherwise their
            last bits are taken, as NumPy's `astype` does.
    """
    if isinstance(x, list | tuple) and _all_plain(list(x)):
        x = np.asarray(x)
    if isinstance(x, np.ndarray) and x.dtype.kind in "iu":
        if jnp.issubdtype(dtype, jnp.inexact) or jnp.issubdtype(dtype, jnp.bool_):
            return jnp.asarray(plain_array(x, "an op").astype(dtype))
        if is_exact:
            check_width("an op", x, np.dtype(dtype))
    return array(x).astype(dtype)


def _without_variables(x: Any) -> Any:
    if isinstance(x, list | tuple):
        return [_without_variables(item) for item in x]
    return x.value if isinstance(x, Variable) else x


def _all_plain(x: Any) -> bool:
    if isinstance(x, list):
        return all(_all_plain(item) for item in x)
    return isinstance(x, bool | int | float)


def _plain_dtype(x: Any) -> Any:
    """The dtype of nested lists of Python numbers: bool, int32, or floatx when a float is there."""
    kind = np.asarray(x).dtype.kind
    return {"b": np.bool_, "i": np.int32, "u": np.uint32}.get(kind, jnp.dtype(config.floatx()))


def operand(x: Tensor) -> Any:
    """Like `array`, but a Python number stays one (cheaper, and weak all the same)."""
    if type(x) in (int, float, bool):
        return x
    return array(x)


def operands(*xs: Tensor) -> list[Any]:
    """What `operand` gives of each. Whole numbers and Python's floats together are in floatx.

    JAX would give them 64 bits in a process that has any.
    """
    found = [operand(x) for x in xs]
    return _in_floatx(found) if setting("jax_enable_x64") else found


def arrays(*xs: Tensor) -> list[jax.Array]:
    """`operands`, each an array."""
    return [array(x) for x in operands(*xs)]


def _in_floatx(xs: list[Any]) -> list[Any]:
    floats = [type(x) is float or (not isinstance(x, int) and is_inexact(x)) for x in xs]
    if any(is_float and not _is_weak(x) for x, is_float in zip(xs, floats, strict=True)):
        return xs
    wide = {np.dtype("complex128"): "complex64"} if config.floatx() != "float64" else {}
    return [
        jnp.asarray(x, wide.get(jnp.result_type(x), config.floatx()))
        if is_float and (type(x) is float or x.dtype in (*wide, np.float64))
        else x
        for x, is_float in zip(xs, floats, strict=True)
    ]


def _is_weak(x: Any) -> bool:
    """Whether numbers were Python's, and have no dtype anybody asked for."""
    return type(x) is float or x.weak_type


def floating(x: Tensor) -> jax.Array:
    """An array of `x` with a float (or complex) dtype: floatx for integers and booleans."""
    x = array(x)
    return x if is_inexact(x) else x.astype(config.floatx())


def is_inexact(x: jax.Array) -> bool:
    """True for float and complex arrays."""
    return jnp.issubdtype(x.dtype, jnp.inexact)


def dtype_of(dtype: DType) -> Any:
    """The NumPy dtype object for a dtype, None for None."""
    return None if dtype is None else jnp.dtype(standardize_dtype(dtype))


def axes_of(axis: Axis) -> int | tuple[int, ...] | None:
    """An axis argument as an int, a tuple or None (lists are not hashable)."""
    if isinstance(axis, list | tuple):
        return tuple(int(a) for a in axis)
    return axis


def together(*xs: Tensor) -> list[jax.Array]:
    """The arrays, all of the dtype they promote to."""
    found = arrays(*xs)
    dtype = jnp.result_type(*found)
    return [x.astype(dtype) for x in found]


def to_pair(value: Any, count: int) -> tuple[int, ...]:
    """One int per spatial axis from an int or a sequence."""
    if isinstance(value, int | np.integer):
        return (int(value),) * count
    values = tuple(int(v) for v in value)
    return values * count if len(values) == 1 else values
