"""The functions of TensorFlow that a graph of tf.keras 2 may name, as functions of nacre's ops.

The table is closed: a file's name is looked up here and nowhere else. Each entry takes TensorFlow's
arguments, by TensorFlow's names, as arrays or symbolic tensors; `name=` never arrives.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre import ops
from nacre.core.errors import SerializationError, message
from nacre.core.symbolic import KerasTensor

# A tensor of the graph, an array, or plain numbers.
Value = Any

FUNCTIONS: dict[str, Callable[..., Any]] = {}


def function(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: the function stands for these names of TensorFlow's."""

    def declare(implementation: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            FUNCTIONS[name] = implementation
        return implementation

    return declare


def call_function(name: str, arguments: dict[str, Any]) -> Any:
    """What a function gives; the first argument, which has no name here, goes by position."""
    others = {key: value for key, value in arguments.items() if key}
    return (
        FUNCTIONS[name](arguments[""], **others) if "" in arguments else FUNCTIONS[name](**others)
    )


# A graph may make so many elements out of plain numbers; positions and tables need far fewer.
_MOST_ELEMENTS = 2**24


def check_num_elements(name: str, *sizes: int) -> None:
    """Refuse an array that no model needs, before its memory is taken."""
    if math.prod(sizes) > _MOST_ELEMENTS:
        raise refuse(
            name, f"it must make at most {_MOST_ELEMENTS} elements of plain numbers", sizes
        )


def call_on_numbers(name: str, arguments: dict[str, Any]) -> Any:
    """The same where no tensor is among the arguments: small, and told before it is made."""
    shapes = jax.eval_shape(lambda: call_function(name, arguments))
    for shape in jax.tree.leaves(shapes):
        check_num_elements(name, *shape.shape)
    return call_function(name, arguments)


def is_tensor(value: Value) -> bool:
    """Whether it is of the graph or an array, not plain numbers."""
    return isinstance(value, KerasTensor | np.ndarray | jnp.ndarray)


def tensor(value: Value, like: Value = None) -> Any:
    """Plain numbers as an array, of the dtype of `like` as TensorFlow has it; tensors as they are.

    Without `like`: floats are float32, whole numbers int32.
    """
    if is_tensor(value):
        return value
    if isinstance(value, list | tuple) and any(is_tensor(v) for v in value):
        return ops.stack([tensor(v, like) for v in value])
    array = np.asarray(value)
    if like is not None and is_tensor(like):
        return array.astype(jnp.dtype(str(like.dtype)))
    return array.astype(device_dtype_name(array.dtype))


def device_dtype_name(dtype: Any) -> str:
    """A dtype by name; numbers of 64 bits have 32 on the device."""
    name = str(dtype)
    return name.replace("64", "32") if name in ("int64", "uint64", "float64") else name


def pair(x: Value, y: Value) -> tuple[Any, Any]:
    """Two operands, of which one may be plain numbers and takes the other's dtype."""
    return tensor(x, like=y), tensor(y, like=x)


def refuse(name: str, rule: str, got: object) -> SerializationError:
    """The error for arguments that nothing here can do."""
    return SerializationError(
        message(f"TensorFlow function 'tf.{name}' in the graph", rule, str(got))
    )


__all__ = [
    "FUNCTIONS",
    "Value",
    "call_function",
    "call_on_numbers",
    "check_num_elements",
    "function",
    "is_tensor",
    "device_dtype_name",
    "pair",
    "refuse",
    "tensor",
]
