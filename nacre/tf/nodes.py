"""Ops by the names they have in TensorFlow's graphs, called on tensors.

`nacre.export.importers.tensorflow` defines what each computes, for graphs from files; here they are
called one at a time, with attributes as values of Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import nacre.export.importers.tensorflow.ops as _registered  # noqa: F401  (registers them)
from nacre.core.errors import ArgumentError, DTypeError, ShapeError, TracedValueError, message
from nacre.core.origins import passed_users_code
from nacre.core.tracing import is_tracer, is_tracing
from nacre.data import HostTensor
from nacre.data.dataset.elements import sealed
from nacre.export.importers.tensorflow.registry import OPS, DataType, Node
from nacre.export.importers.tensorflow.values import GraphError, NotKnownError
from nacre.tf.dtypes import DType, as_dtype
from nacre.tf.values import landed

_LONG = ("int64", "uint64")


# Which TensorFlow has for numbers alone. JAX takes truths for 0 and 1, and sums them to a truth.
_OF_NUMBERS = frozenset((
    "Abs AddV2 Ceil DivNoNan Exp Floor FloorDiv FloorMod Greater GreaterEqual Less LessEqual Log "
    "Max Maximum Mean Min Minimum Mul Neg Pow Prod RealDiv Relu Relu6 Round Rsqrt Sigmoid Sign "
    "Sqrt Square SquaredDifference Sub Sum Tanh"
).split())  # fmt: skip


def node(name: str) -> Callable[..., Any]:
    """The op of a name, to be called with its inputs; attributes by name.

    Args:
        name: A type of node, such as "AddV2".
    """
    op = OPS[name]
    if op.is_shared:
        raise AssertionError(f"{name} takes a run of a graph")
    is_of_numbers = name in _OF_NUMBERS

    def call(*inputs: Any, **attributes: Any) -> Any:
        if is_of_numbers and as_dtype(inputs[0].dtype) == "bool":
            rule, fix = "it takes numbers", "Convert them: tf.cast(x, tf.int32)."
            raise DTypeError(message(f"tf op {name}", rule, "bool", fix))
        if inputs and is_tracing() and all(map(_is_whole_constant, inputs)) and is_of_numbers:
            # What a program takes from no argument is known: a size may come of it.
            with jax.ensure_compile_time_eval():
                return landed(np.asarray(computed(inputs, attributes)))
        return computed(inputs, attributes)

    def computed(inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
        described = Node(name, name, {key: _attribute(v) for key, v in attributes.items()})
        is_host = op.is_host or any(map(_is_text, inputs))
        given = [_on_host(name, x) for x in inputs] if is_host else inputs
        if not is_host and op.is_known and all(isinstance(x, np.ndarray) for x in inputs):
            given = [x.view(np.ndarray) for x in inputs]  # NumPy writes to what it makes
        try:
            found = op.function(described, *given)
        except NotKnownError as error:
            raise _not_known(name, str(error)) from None
        except (GraphError, TypeError, ValueError, LookupError, ArithmeticError) as error:
            if isinstance(error, TracedValueError | ShapeError) or passed_users_code(error):
                raise
            raise _failed(name, inputs, error) from error
        stays = all(isinstance(x, np.ndarray) for x in inputs) and any(
            isinstance(x, HostTensor) and x.dtype.kind == "f" for x in inputs
        )
        if isinstance(found, tuple | list):
            return tuple(_result(item, stays) for item in found)
        return _result(found, stays)

    return call


def _is_whole_constant(value: Any) -> bool:
    """Whether it is an array of whole numbers on the host."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "iu"


def _is_text(value: Any) -> bool:
    """Whether it is a tensor of strings, which no program holds."""
    return isinstance(value, np.ndarray) and value.dtype.kind == "O"


def _attribute(value: Any) -> Any:
    if isinstance(value, DType):
        return DataType(value.as_datatype_enum)
    return value.encode() if isinstance(value, str) else value


def _on_host(name: str, value: Any) -> Any:
    if is_tracer(value):
        raise _not_known(name, f"a tensor of shape {tuple(value.shape)}")
    return np.asarray(value)


def _not_known(name: str, got: str) -> TracedValueError:
    return TracedValueError(
        message(
            f"tf op {name}",
            "it needs the values of its inputs, which a compiled function does not have",
            got,
            "Call it outside of tf.function, in Dataset.map, or within tf.py_function.",
        )
    )


def _failed(name: str, inputs: tuple[Any, ...], error: Exception) -> ArgumentError:
    described = ", ".join(
        f"{as_dtype(x.dtype).name}{list(x.shape)}" for x in inputs if hasattr(x, "dtype")
    )
    rule = "it must be computed from what it is given"
    return ArgumentError(message(f"tf op {name}", rule, f"{described}: {error}"))


def _result(value: Any, stays: bool) -> Any:
    """What a node gives as a tensor.

    Args:
        value: An array, a number or `bytes`.
        stays: Whether floats stay on the host, where those that they were computed from are.
    """
    if isinstance(value, jax.Array):
        is_long = value.dtype.name in _LONG and not is_tracer(value)
        return landed(np.asarray(value)) if is_long else value
    array = np.asarray(value, object) if isinstance(value, bytes) else np.asarray(value)
    return sealed(array) if stays else landed(array)


__all__ = ["node"]
