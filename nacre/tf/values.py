"""What `nacre.tf` gives for a tensor: arrays of JAX, and of NumPy what the device cannot hold.

Arrays of JAX are given the methods that scripts ask a tensor for. A class around each array would
have to be put on wherever a value reaches the user and taken off where it comes back: at layers,
tapes, `apply_gradients`, losses, metrics, callbacks, data sets, `tf.function`, every op and branch.
One such place that is forgotten hands out an array without `numpy()`, or loses a gradient, since a
tape knows arrays by which object they are. Methods need no such place, and no code of nacre's knows
of them. Costs do not decide: nothing once a function is traced, and 1 to 2 µs of the 20 to 70 µs
that an op takes eagerly (2 cores, JAX 0.10.2).

Two things follow. `x.dtype` of an array is NumPy's dtype, which is equal to `tf.float32` and has
its name, but not `is_floating`: JAX reads `x.dtype` itself and stops at anything else
(`tf.as_dtype(x.dtype)` has all). And `x + y` is JAX's, which takes operands of different dtypes
where TensorFlow refuses them.

What JAX does not hold exactly stays on the host, as the `HostTensor` that data sets give too:
strings (`bytes`, dtype object), int64 and float64, and all whole numbers and truths until they meet
an array of the device: so shapes and axes are known numbers while a program is traced. Floats of 32
bits and fewer are arrays of JAX, since only those can be watched by a tape.

Nothing of it is there before a name of `nacre.tf` is used: `import nacre` changes no class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.array_classes import ARRAY, TRACER
from nacre.core.dtypes import host_dtype
from nacre.core.errors import ArgumentError, DTypeError, PositionError, ShapeError, message
from nacre.core.host_arrays import exact, refuse_wide_integers
from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable
from nacre.data import HostTensor
from nacre.data.dataset.elements import sealed
from nacre.tf.dtypes import DType, as_dtype, dtype_of
from nacre.tf.shapes import TensorShape, of_sizes

_ON_DEVICE = ("float32", "float16", "bfloat16")


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
        ShapeError: Rows of nested lists have different lengths.
    """
    wanted = None if dtype is None else as_dtype(dtype)
    if isinstance(value, Variable):
        value = value.value
    if isinstance(value, jax.Array | KerasTensor):
        return value if wanted is None else _of_dtype(value, wanted)
    if isinstance(value, np.ndarray | np.generic):
        return _landed(_of_array(np.asarray(value), wanted))
    if isinstance(value, list | tuple) and _holds_tensors(value):
        return _stacked(value, wanted)
    return _landed(_of_python(value, wanted))


def landed(array: np.ndarray) -> Any:
    """An array of NumPy's where it belongs: floats on the device, all else on the host."""
    return _landed(array)


def _landed(array: np.ndarray) -> Any:
    if array.dtype.name in _ON_DEVICE:
        return jnp.array(array)
    return sealed(array if array.flags.owndata or array.dtype.kind == "O" else array.copy())


def _of_dtype(value: Any, wanted: DType) -> Any:
    """An array of the device whose dtype is told: another kind of numbers is refused."""
    have = dtype_of(value)
    if have is wanted or _fits_width(have, wanted):
        return value
    raise DTypeError(
        message(
            "tf.convert_to_tensor",
            f"a tensor of dtype {wanted.name} is asked for",
            f"one of dtype {have.name}",
            f"Convert it: tf.cast(x, tf.{wanted.name}).",
        )
    )


def _fits_width(have: DType, wanted: DType) -> bool:
    """Whether 64 bits were asked for, and are 32 on the device."""
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
    if array.dtype.kind in "OSU":
        # From the texts themselves: NumPy's own kind drops zero bytes at their ends.
        return _of_texts(np.asarray(value, object), wanted)
    if wanted is not None:
        return array.astype(wanted._dtype) if array.size == 0 else _cast_exactly(array, wanted)
    if array.dtype.kind == "f":
        return array.astype(np.float32)
    if array.dtype.kind == "i":
        return array if _needs_64_bits(array) else array.astype(np.int32)
    return array


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
    return isinstance(value, jax.Array | Variable | KerasTensor | HostTensor)


def _stacked(value: Any, wanted: DType | None) -> Any:
    """Nested lists with tensors among them."""
    if not isinstance(value, list | tuple):
        return tensor(value, wanted)
    parts = same(*[_stacked(item, wanted) for item in value])
    if any(isinstance(part, KerasTensor) for part in parts):
        from_symbols: Callable[..., Any] = _symbolic_stack
        return from_symbols(parts)
    if all(isinstance(part, np.ndarray) for part in parts):
        return _landed(np.stack(parts))
    return jnp.stack(parts)


def _symbolic_stack(parts: Any) -> Any:
    from nacre import ops

    return ops.stack(list(parts))


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
        elif dtype_of(value) is not first and not _alike(dtype_of(value), first):
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


def _alike(one: DType, other: DType) -> bool:
    """Whether the two are one dtype, but for what the device has no bits for."""
    return _fits_width(one, other) or _fits_width(other, one)


# --- methods --------------------------------------------------------------------------------------


def _numpy(self: Any) -> Any:
    """The values as an array of NumPy's, a copy; a number where there are no axes."""
    array = np.array(self)
    return array if array.ndim else array[()]


def _get_shape(self: Any) -> TensorShape:
    return of_sizes(tuple(self.shape))


def _to_device(self: Any) -> jax.Array:
    """What an operator with an array of the device takes: its numbers in 32 bits, if they fit."""
    array = self.view(np.ndarray)
    refuse_wide_integers(array, "a tensor that meets one of the device")
    return jnp.asarray(array, host_dtype(array.dtype))


def _ref(self: Any) -> Reference:
    return Reference(self)


def _set_shape(self: Any, shape: Any) -> None:
    """Check what is said of the shape."""
    if not TensorShape(self.shape).is_compatible_with(shape):
        rule = f"the shape must fit {tuple(shape)}"
        raise ShapeError(message("Tensor.set_shape", rule, f"{tuple(self.shape)}"))


class Reference:
    """A tensor or a variable as a key of a dict: equal to another of the same object.

    Args:
        value: It.
    """

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def deref(self) -> Any:
        """The tensor or variable."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and other._value is self._value

    def __hash__(self) -> int:
        return id(self._value)

    def __repr__(self) -> str:
        return f"<Reference wrapping {self._value!r}>"


def _shown(value: Any) -> str:
    """The numbers as NumPy shows them, also within brackets."""
    array = np.asarray(value)
    if array.ndim == 0:
        return repr(array.item()) if array.dtype.kind == "O" else str(array)
    return np.array2string(array, separator=" ")


def _text(self: Any) -> str:
    name = as_dtype(self.dtype).name
    return f"tf.Tensor({_shown(self)}, shape={tuple(self.shape)}, dtype={name})"


def _repr(self: Any) -> str:
    name, array = as_dtype(self.dtype).name, np.asarray(self)
    shown = repr(array) if array.ndim else _shown(array)
    return f"<tf.Tensor: shape={tuple(self.shape)}, dtype={name}, numpy={shown}>"


def _checked(get: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Indexing that refuses a place that is not there, where JAX takes the last one."""

    def getitem(self: Any, key: Any) -> Any:
        parts = key if type(key) is tuple else (key,)
        axis = 0
        for at, part in enumerate(parts):
            if part is None:
                continue
            if part is Ellipsis:
                axis = self.ndim - sum(p is not None for p in parts[at + 1 :])
                continue
            if isinstance(part, int | np.integer) and not isinstance(part, bool):
                size = self.shape[axis] if axis < self.ndim else None
                if isinstance(size, int) and not -size <= part < size:
                    rule = f"an index of axis {axis} must be from {-size} to {size - 1}"
                    raise PositionError(message("Tensor", rule, str(part)))
            axis += 1
        return get(self, key)

    return getitem


def _with_symbols(get: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Indexing also by sizes that are symbols, which NumPy does not know."""

    def getitem(self: Any, key: Any) -> Any:
        try:
            return get(self, key)
        except TypeError:
            parts = key if type(key) is tuple else (key,)
            ends = [end for p in parts if type(p) is slice for end in (p.start, p.stop, p.step)]
            if self.dtype.kind == "O" or not any(map(jax.export.is_symbolic_dim, ends)):
                raise
            return jnp.asarray(self)[key]

    return getitem


def _shape_of(old: Any) -> property:
    return property(lambda self: of_sizes(old.__get__(self)))


def _kept_shape() -> property:
    """`shape` of an object that sets it itself."""

    def get(self: Any) -> TensorShape:
        try:
            return of_sizes(vars(self)["shape"])
        except KeyError:
            raise AttributeError("shape") from None

    return property(get, lambda self, shape: vars(self).__setitem__("shape", shape))


_lent: dict[tuple[type, str], Any] = {}
_MISSING = object()


def _lend(cls: type, **methods: Any) -> None:
    for name, method in methods.items():
        _lent[cls, name] = vars(cls).get(name, _MISSING)
        setattr(cls, name, method)


def lend_methods() -> None:
    """Give arrays, variables and symbolic tensors what scripts ask a tensor of TensorFlow's for."""
    if _lent:
        return
    for cls in (ARRAY, TRACER):
        _lend(
            cls,
            shape=_shape_of(cls.shape),
            get_shape=_get_shape,
            set_shape=_set_shape,
            ref=_ref,
            __getitem__=_checked(cls.__getitem__),
        )
    _lend(ARRAY, numpy=_numpy, __repr__=_repr, __str__=_text)
    _lend(HostTensor, shape=_shape_of(np.ndarray.shape))
    _lend(HostTensor, __jax_array__=_to_device)
    _lend(HostTensor, __getitem__=_with_symbols(HostTensor.__getitem__))
    _lend(HostTensor, __repr__=_repr, __str__=_text, ref=_ref, get_shape=_get_shape)
    _lend(Variable, shape=_shape_of(Variable.shape), get_shape=_get_shape, ref=_ref)
    _lend(KerasTensor, shape=_kept_shape(), get_shape=_get_shape, ref=_ref)


def take_methods_back() -> None:
    """Undo `lend_methods`, so that classes are as JAX and nacre define them."""
    for (cls, name), old in _lent.items():
        if old is _MISSING:
            delattr(cls, name)
        else:
            setattr(cls, name, old)
    _lent.clear()


__all__ = [
    "Reference",
    "Tensor",
    "landed",
    "lend_methods",
    "same",
    "take_methods_back",
    "tensor",
]
