"""How a layer's `call` is filled: its arguments, the training flag, the masks."""

from __future__ import annotations

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import tree
from nacre.core.config import floatx
from nacre.core.dtypes import device_dtype, is_float
from nacre.core.host_arrays import plain_array
from nacre.core.indices import check_width
from nacre.core.interop import to_numpy_if_foreign
from nacre.core.registry import is_builtin
from nacre.core.strings import HostString, is_text
from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable, standardize_shape
from nacre.core.weak_cache import weak_cache


class CallSignature:
    """What a `call` method takes, as its class holds it: the object itself comes first.

    Attributes:
        first: Name of the first argument.
        names: Names of all positional arguments.
        takes_training: Whether it has an argument `training`.
        takes_mask: Whether it has an argument `mask`.
        passes_on: Whether it names no argument, as `call(*args, **kwargs)` around another one does.
    """

    def __init__(self, function: Any) -> None:
        parameters = list(inspect.signature(function).parameters.values())[1:]
        fixed = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        self.names = [p.name for p in parameters if p.kind in fixed]
        keyword = [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
        self.all_names = frozenset(self.names + keyword)
        self.has_kwargs = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
        self.first = self.names[0] if self.names else ""
        takes_any = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
        self.passes_on = takes_any and not self.names
        self.takes_training = "training" in self.all_names
        self.takes_mask = "mask" in self.all_names
        self.defaults = {
            p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty
        }
        self.mask_names = {
            name: f"{name}_mask" for name in self.names if f"{name}_mask" in self.all_names
        }

    def named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arguments by name; extra positional ones (for *args) are left out, but for the inputs."""
        if self.passes_on and args:
            return {"inputs": args[0], **kwargs}
        return {**dict(zip(self.names, args, strict=False)), **kwargs}


def _private(value: Any) -> Any:
    """A NumPy array that its owner may write to while a computation still reads this one."""
    return value.copy() if isinstance(value, np.ndarray) else value


@weak_cache
def signature_of(function: Any) -> CallSignature:
    """The signature of a `call` function, looked at once."""
    return CallSignature(function)


@weak_cache
def parameter_names(function: Any) -> tuple[str, ...]:
    """Names of a method's parameters after the object itself, for `build`."""
    return tuple(inspect.signature(function).parameters)[1:]


def to_tensor(value: Any, compute_dtype: str | None, who: str = "a layer's argument") -> Any:
    """An argument leaf ready for `call`: arrays on the device, floats in the compute dtype.

    Raises:
        DataError: An array with masked values or dates.
        DTypeError: Integers that need more than 32 bits.
    """
    if isinstance(value, Variable):
        value = value.value
    if not isinstance(value, jax.Array):
        value = to_numpy_if_foreign(value, who)
    if isinstance(value, KerasTensor):
        return value
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind == "T":
            return value.astype(object)
        if value.dtype.kind in "OUS":
            return value  # strings stay on the host; preprocessing layers take them
        if isinstance(value, np.ndarray):
            value = plain_array(value, who)
        if compute_dtype and is_float_array(value):
            return jnp.asarray(_private(value), dtype=compute_dtype)
        dtype = device_dtype(value.dtype)
        if dtype != value.dtype:
            check_width(who, np.asarray(value), dtype)
        return jnp.asarray(_private(value), dtype=dtype)
    if isinstance(value, jax.Array) and compute_dtype and is_float_array(value):
        return value.astype(compute_dtype)
    return value


def numbers_as_array(value: Any) -> Any:
    """A list of numbers, nested or not, as an array; any other list unchanged.

    Example:
        >>> numbers_as_array([[1.0, 2.0]]).shape
        (1, 2)
    """
    if not value or not _only_numbers(value):
        return value
    try:
        return np.asarray(value)
    except ValueError:  # rows of different lengths
        return value


def _only_numbers(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_only_numbers(item) for item in value)
    return isinstance(value, int | float | np.number)


def to_float(value: Any, dtype: str) -> Any:
    """A float array in another float dtype; anything else as it is."""
    if isinstance(value, jax.Array) and is_float_array(value):
        return value.astype(dtype)
    return value


def is_float_array(value: Any) -> bool:
    """True for an array of floats (not keys, ints, complex numbers)."""
    return jnp.issubdtype(value.dtype, jnp.floating)


# Not a union written out where it is asked for: every call asks, and would make it anew.
_TENSORS = (jax.Array, np.ndarray, KerasTensor, Variable, HostString)


def is_tensor(value: Any) -> bool:
    """True for arrays, traced values, symbolic tensors and variables."""
    return isinstance(value, _TENSORS)


def shapes_of(structure: Any) -> Any:
    """The shapes of the tensors in a structure; None for leaves without one."""

    def shape(leaf: Any) -> Any:
        return standardize_shape(leaf.shape) if hasattr(leaf, "shape") else None

    if isinstance(structure, dict):
        return {key: shapes_of(value) for key, value in structure.items()}
    if isinstance(structure, list | tuple):
        return [shapes_of(value) for value in structure]
    return shape(structure)


def tensors_for(shape: Any, dtype: str) -> Any:
    """Symbolic tensors for a shape or a structure of shapes."""
    if isinstance(shape, list | tuple):
        if all(n is None or isinstance(n, int) for n in shape):
            return KerasTensor(tuple(shape), dtype)
        return type(shape)(tensors_for(s, dtype) for s in shape)
    if isinstance(shape, dict):
        return {k: tensors_for(s, dtype) for k, s in shape.items()}
    if isinstance(shape, KerasTensor):
        return shape
    return KerasTensor(shape, dtype)


def kind_of(value: Any) -> str | None:
    """The dtype of an input that is no array of floats; None of those."""
    if is_text(value):
        return "string"
    dtype = str(getattr(value, "dtype", None))
    return dtype if dtype == "bool" or "int" in dtype else None


def described(named: dict[str, Any]) -> dict[str, Any]:
    """Arguments with symbolic tensors in the places of arrays, for a batch of any size."""

    def tensor(value: Any) -> Any:
        if not hasattr(value, "shape"):
            return value
        shape = shapes_of(value)
        return KerasTensor((None, *shape[1:]) if shape else (), kind_of(value) or floatx())

    return {name: tree.map_structure(tensor, value) for name, value in named.items()}


def float_dtype(compute_dtype: str) -> str | None:
    """The dtype to cast float inputs to, None when the policy computes in ints."""
    return compute_dtype if is_float(compute_dtype) else None


@weak_cache
def has_call_of_nacre(cls: type) -> bool:
    """Whether a class of layers has a `call` of nacre's, its own or one that it inherits."""
    return is_builtin(next((base for base in cls.__mro__ if "call" in vars(base)), None))


def has_pure_calls(layer: object) -> bool:
    """Whether a call runs no Python of a user's: nacre's very classes, and those that say so."""
    cls = type(layer)
    return is_builtin(cls) or bool(vars(cls).get("calls_are_pure", False))


def acts_on_steps(activation: Any) -> bool:
    """Whether an activation sees each step alone: nacre's own do, others say `is_stepwise`."""
    return bool(getattr(activation, "is_stepwise", is_builtin(activation)))
