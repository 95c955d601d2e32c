"""What `nacre.tf` gives for a tensor: arrays of JAX, and of NumPy what the device cannot hold.

What JAX does not hold stays on the host, as the `HostTensor` that data sets give too: strings
(`bytes`, dtype object), and all whole numbers and truths until they meet an array of the device: so
shapes and axes are known numbers while a program is traced. Floats and complex numbers are arrays
of JAX, since only those can be watched by a tape. What scripts ask of both, `methods.py` lends
them, which switches JAX's numbers of 64 bits on: dtypes mean what they mean in TensorFlow.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ArgumentError, DTypeError, ShapeError, TracedValueError, message
from nacre.core.host_arrays import exact
from nacre.core.symbolic import KerasTensor
from nacre.core.tables import is_table
from nacre.core.tracing import is_bare, is_tracer, is_tracing
from nacre.core.variable import Variable
from nacre.data import HostTensor, Ragged
from nacre.data.dataset.elements import sealed
from nacre.tf.dtypes import DType, as_dtype, dtype_of

_ON_DEVICE = ("float32", "float16", "bfloat16", "float64", "complex64", "complex128")


class _TensorKind(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, jax.Array | HostTensor)


class Tensor(metaclass=_TensorKind):
    """What `isinstance(x, tf.Tensor)` asks for: arrays of JAX and of data sets, traced ones too.

    It is never made itself: `tf.constant` and ops give tensors.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Tensor:
        """Refused."""
        rule = "it is only asked for, as in isinstance(x, tf.Tensor)"
        raise ArgumentError(message("tf.Tensor", rule, "a call", "Use tf.constant(value)."))


# --- making them ----------------------------------------------------------------------------------


def tensor(value: Any, dtype: Any = None) -> Any:
    """A tensor of anything: numbers, strings, nested lists, arrays, variables.

    Args:
        value: What to make it of.
        dtype: The dtype, where it is said. Else int32 of Python's whole numbers (int64 of those
            that need it), float32 of its floats, and what an array has.

    Raises:
        DTypeError: The values are none of the dtype.
        ShapeError: Rows of nested lists have different lengths; or it is a ragged tensor.
    """
    wanted = None if dtype is None else as_dtype(dtype)
    if isinstance(value, Variable):
        value = read(value)
    if isinstance(value, jax.Array | KerasTensor):
        return value if wanted is None else _of_dtype(value, wanted)
    if is_table(value):  # its columns have dtypes, as NumPy's arrays have
        value = np.asarray(value)
    if isinstance(value, np.ndarray | np.generic):
        return landed(_of_array(np.asarray(value), wanted))
    if isinstance(value, list | tuple) and _holds_tensors(value):
        return _stacked(value, wanted)
    if isinstance(value, Ragged):
        rule = "a ragged tensor is no tensor of one shape"
        fix = "Fill its rows up first: x.to_tensor()."
        raise ShapeError(message("tf.convert_to_tensor", rule, repr(value)[:60], fix))
    size: Any = value
    if jax.export.is_symbolic_dim(size):  # a size, while the shape of a layer's output is found
        return jnp.asarray(size, "int32" if wanted is None else wanted.name)
    return landed(_of_python(value, wanted))


def read(variable: Variable) -> Any:
    """What a variable holds. Outside of programs whole numbers of 64 bits are on the host, as what
    is computed of them may be one that the device does not hold."""
    value = variable.value
    if variable.dtype not in ("int64", "uint64") or is_tracer(value) or not is_bare():
        return value
    return landed(np.asarray(value).astype(variable.dtype))


def landed(array: np.ndarray) -> Any:
    """An array of NumPy's where it belongs: floats on the device, all else on the host."""
    if array.dtype.name in _ON_DEVICE:
        return jnp.array(array)
    return sealed(array if array.flags.owndata or array.dtype.kind == "O" else array.copy())


def _of_dtype(value: Any, wanted: DType) -> Any:
    """An array of the device whose dtype is told: another kind of numbers is refused."""
    have = dtype_of(value)
    if have is wanted:
        return value
    if alike_on_device(have, wanted) and not isinstance(value, KerasTensor):
        return value.astype(wanted._dtype)
    raise DTypeError(
        message(
            "tf.convert_to_tensor",
            f"a tensor of dtype {wanted.name} is asked for",
            f"one of dtype {have.name}",
            f"Convert it: tf.cast(x, tf.{wanted.name}).",
        )
    )


def _fits_width(have: DType, wanted: DType) -> bool:
    """Whether 64 bits were asked for, and are 32 in data that `fit` brings to the device."""
    return (have.name, wanted.name) in {
        ("int32", "int64"),
        ("uint32", "uint64"),
        ("float32", "float64"),
        ("complex64", "complex128"),
    }


def _of_array(array: np.ndarray, wanted: DType | None) -> np.ndarray:
    if array.dtype.kind in "OSU":
        return _of_texts(array, wanted)
    have = as_dtype(array.dtype)
    if wanted is None or have is wanted:
        return array.astype(have._dtype, copy=False)
    return _cast_exactly(array, wanted)


def _cast_exactly(array: np.ndarray, wanted: DType) -> np.ndarray:
    is_whole = array.dtype.kind in "iu"
    if array.dtype == wanted._dtype:
        return array
    if wanted.is_integer and is_whole:
        return exact(array, wanted._dtype, "tf.constant")
    fits = wanted.is_floating or wanted.is_complex
    if fits and array.dtype.kind != "b" and (wanted.is_complex or array.dtype.kind != "c"):
        return array.astype(wanted._dtype)
    raise DTypeError(
        message(
            "tf.constant",
            f"the values must be of dtype {wanted.name}",
            f"values of dtype {array.dtype}",
            f"Convert them: tf.cast(x, tf.{wanted.name}).",
        )
    )


def _of_python(value: Any, wanted: DType | None) -> np.ndarray:
    if value is None:
        raise ArgumentError(message("tf.constant", "there must be a value", "None"))
    try:
        array = np.asarray(value)
    except ValueError:
        raise ShapeError(
            message(
                "tf.constant",
                "the rows of nested lists must be equally long",
                str(value)[:60],
                "Use tf.ragged.constant, or pad them: tf.keras.utils.pad_sequences.",
            )
        ) from None
    if array.dtype.kind in "OSU" and wanted is None:
        _refuse_mixed(np.asarray(value, object))
    if array.dtype.kind in "OSU":
        # From the texts themselves: NumPy's own kind drops zero bytes at their ends.
        return _of_texts(np.asarray(value, object), wanted)
    if wanted is not None:
        is_kept = array.size == 0 or (array.dtype.kind == "b" and _takes_truths(wanted))
        return array.astype(wanted._dtype) if is_kept else _cast_exactly(array, wanted)
    if array.dtype.kind == "f":
        return array.astype(np.float32)
    if array.dtype.kind == "i":
        return array if _needs_64_bits(array) else array.astype(np.int32)
    return array


def _refuse_mixed(array: np.ndarray) -> None:
    """Strings beside numbers; and what is neither."""
    kinds = {type(item).__name__ for item in array.ravel().tolist()}
    if not kinds <= {"str", "bytes", "str_", "bytes_"}:
        rule, got = "values must be numbers, or strings throughout", " and ".join(sorted(kinds))
        raise ArgumentError(message("tf.constant", rule, got))


def _takes_truths(wanted: DType) -> bool:
    """Whether Python's truths can be of a dtype, as in TensorFlow: numbers too."""
    return wanted == "bool" or wanted.is_integer or wanted.is_floating


def _needs_64_bits(array: np.ndarray) -> bool:
    limits = np.iinfo(np.int32)
    return array.size > 0 and (int(array.max()) > limits.max or int(array.min()) < limits.min)


def _of_texts(array: np.ndarray, wanted: DType | None) -> np.ndarray:
    """Strings as `bytes`."""
    items = [item.encode() if isinstance(item, str) else item for item in array.ravel().tolist()]
    if not all(isinstance(item, bytes) for item in items) or wanted not in (None, "string"):
        got = type(next((item for item in items if not isinstance(item, bytes)), b"")).__name__
        rule = "values must be numbers, or strings throughout"
        raise DTypeError(message("tf.constant", rule, f"{got} where dtype is {wanted or 'string'}"))
    texts = np.empty(len(items), object)
    texts[:] = items
    return texts.reshape(array.shape)


def _holds_tensors(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_holds_tensors, value))
    is_tensor = isinstance(value, jax.Array | Variable | KerasTensor | HostTensor)
    return is_tensor or jax.export.is_symbolic_dim(value)


def _stacked(value: Any, wanted: DType | None) -> Any:
    """Nested lists with tensors among them."""
    if not isinstance(value, list | tuple):
        return tensor(value, wanted)
    parts = same(*[_stacked(item, wanted) for item in value])
    if any(isinstance(part, KerasTensor) for part in parts):
        from_symbols: Callable[..., Any] = _symbolic_stack
        return from_symbols(parts)
    if all(isinstance(part, np.ndarray) for part in parts):
        return landed(np.stack(parts))
    return jnp.stack(parts)


def _symbolic_stack(parts: Any) -> Any:
    from nacre import ops

    return ops.stack(list(parts))


_WIDE = ("int64", "uint64", "float64")


def is_wide(value: Any) -> bool:
    """Whether it is an array of 64-bit numbers."""
    return isinstance(value, np.ndarray | jax.Array) and value.dtype.name in _WIDE


def are_wide(*values: Any) -> bool:
    """Whether they are on the host, with 64 bits among them, and no program or tape asks for them:
    NumPy computes what ops would in 32 bits, where sums of whole numbers can be others."""
    return (
        is_bare() and all(isinstance(v, np.ndarray) for v in values) and any(map(is_wide, values))
    )


# --- operands -------------------------------------------------------------------------------------


def same(*values: Any) -> list[Any]:
    """Operands of an op that takes one dtype: numbers of Python's become what the tensors are.

    Raises:
        DTypeError: Tensors differ in more than how many bits the device has for them, or a
            number is none of that dtype.
    """
    known = [v for v in values if hasattr(v, "dtype")]
    if not known:
        tensors = [tensor(value) for value in values]
        kinds = {dtype_of(t).is_floating for t in tensors}
        if len(kinds) > 1:  # 1 and 2.5
            return [tensor(value, "float32") for value in values]
        return tensors
    first = next((dtype_of(v) for v in known if not isinstance(v, np.generic)), dtype_of(known[0]))
    out: list[Any] = []
    for value in values:
        if not hasattr(value, "dtype"):
            value = tensor(value, first)
        elif out and isinstance(value, np.generic | np.ndarray) and _is_of_numpy(value, first):
            value = tensor(np.asarray(value).astype(first._dtype))  # as TensorFlow has it
        elif dtype_of(value) is not first and not alike_on_device(dtype_of(value), first):
            raise DTypeError(
                message(
                    "tf",
                    "the tensors of an op must have one dtype",
                    f"{first.name} and {dtype_of(value).name}",
                    f"Convert one: tf.cast(x, tf.{first.name}).",
                )
            )
        out.append(tensor(value))
    return out


class _Traced(threading.local):
    """How many functions of `tf` are being traced, one within another."""

    depth = 0


_traced = _Traced()


@contextlib.contextmanager
def traced_function() -> Generator[None]:
    """A block in which a `tf.function` is traced."""
    _traced.depth += 1
    try:
        yield
    finally:
        _traced.depth -= 1


def is_traced_function() -> bool:
    """Whether a function of `tf` is traced here."""
    return _traced.depth > 0


class DataLoopError(TracedValueError):
    """A function reads a data set, and so is no program as a whole."""


def means_tensorflow() -> bool:
    """Whether dtypes are what TensorFlow's are: with values, and in functions of `tf`. Data that
    `fit` brings to the device have 32 bits."""
    return _traced.depth > 0 or not is_tracing()


def _is_of_numpy(value: Any, wanted: DType) -> bool:
    """Whether numbers of NumPy's, no tensor's, are of another dtype."""
    kinds = (value.dtype.kind, wanted._dtype.kind)
    return not isinstance(value, HostTensor) and "O" not in kinds and value.dtype.kind not in "SU"


def alike_on_device(one: DType, other: DType) -> bool:
    """Whether the two are one dtype, but for the bits of data that `fit` brings to the device."""
    is_whole = one.is_integer and other.is_integer
    return (is_whole or not means_tensorflow()) and (
        _fits_width(one, other) or _fits_width(other, one)
    )


__all__ = [
    "DataLoopError", "Tensor", "alike_on_device", "are_wide", "is_traced_function", "is_wide",
    "landed", "means_tensorflow", "read", "same", "tensor", "traced_function",
]  # fmt: skip
