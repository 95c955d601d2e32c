"""Layers that work on the host: strings have no place in a compiled program.

Called on arrays they just run. A model that is compiled needs two walks over its calls:

1. *recording* (`Recording`): each host layer runs on the rows of a batch and its result is kept;
2. *replaying* (`Replaying`): in the traced program each host layer gives the result kept for it.

Both walks meet the host layers in the same order, which is all that connects them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from nacre.core import tree
from nacre.core.context import changed, current
from nacre.core.errors import ArgumentError, message
from nacre.core.scope import CallContext, StatelessScope, entered_call
from nacre.core.strings import HostString, Text, is_text
from nacre.core.symbolic import any_symbolic
from nacre.core.tracing import is_tracer
from nacre.layers.base.layer import Layer


class AllRecorded(Exception):
    """Ends a recording once the last host layer has run."""


class Recording:
    """Runs host layers and records their results.

    Args:
        variables: Pairs of variables and the values that host layers read.
        max_calls: Number of host calls after which the recording may end; None to run to the end.
    """

    def __init__(self, variables: Any = (), max_calls: int | None = None) -> None:
        self.results: list[Any] = []
        self.variables = variables
        self.max_calls = max_calls

    def call(self, layer: HostLayer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run one layer."""
        args, kwargs = _with_values(args), _with_values(kwargs)
        if any(is_tracer(leaf) for leaf in tree.flatten((args, kwargs))):
            raise ArgumentError(
                message(
                    layer._who(),
                    "it works on the host, so its input must come from the model's inputs without "
                    "layers or ops between",
                    "a value computed inside the model",
                    "Apply it to the input itself, or prepare the data before the model.",
                )
            )
        with (
            in_host_scope(None),
            StatelessScope(self.variables),
            entered_call(CallContext(layer, None)),
            jax.ensure_compile_time_eval(),
        ):
            outputs = tree.map_structure(np.asarray, Layer.__call__(layer, *args, **kwargs))
        self.add(tree.map_structure(without_texts, outputs))
        return tree.map_structure(_as_placeholder, outputs)

    def add(self, results: Any) -> None:
        """Keep what one call gave."""
        self.results.append(results)
        if self.max_calls is not None and len(self.results) >= self.max_calls:
            raise AllRecorded


class Replaying:
    """Gives the results of a recording, in their order."""

    def __init__(self, results: list[Any]) -> None:
        self.remaining = iter(results)

    def call(self, layer: HostLayer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of one layer."""
        return self.take(layer._who())

    def take(self, who: str) -> Any:
        """The result of the next call."""
        try:
            return unpacked(next(self.remaining))
        except StopIteration:
            raise ArgumentError(
                message(
                    who,
                    "layers that take strings must be called in the same order each time",
                    "a call that was not made before",
                    "Do not decide by `training` or by values whether such a layer is called.",
                )
            ) from None


def in_host_scope(scope: Recording | Replaying | None) -> changed:
    """Let the host layers called within answer by `scope`."""
    return changed(host_calls=scope)


def _with_values(structure: Any) -> Any:
    def values(leaf: Any) -> Any:
        return leaf.values if isinstance(leaf, HostString) else leaf

    return tree.map_structure(values, structure)


def without_texts(output: np.ndarray) -> Any:
    """An array as it goes into a compiled program: a `Text` of its shape for strings."""
    return Text(np.zeros((*output.shape, 0), bool)) if is_text(output) else output


def _as_placeholder(output: np.ndarray) -> Any:
    return HostString(output.shape, output) if is_text(output) else output


def unpacked(structure: Any) -> Any:
    """A structure with a `HostString` in the place of each `Text`."""
    if isinstance(structure, Text):
        return HostString(structure.rows.shape[:-1])
    if isinstance(structure, dict):
        return type(structure)((key, unpacked(value)) for key, value in structure.items())
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)(*(unpacked(value) for value in structure))
    if isinstance(structure, list | tuple):
        return type(structure)(unpacked(value) for value in structure)
    return structure


_WIDE_INTS = ("int64", "uint64", "uint32")


def with_wide_ints(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments with Python ints for ints of more than 32 bits, which a call would cut.

    Arrays of a device have 32 bits; arrays of Python objects reach a layer's `call` as they are.
    """
    limits = np.iinfo("int32")

    def as_python_ints(leaf: Any) -> Any:
        is_wide = isinstance(leaf, np.ndarray | np.generic) and leaf.dtype.name in _WIDE_INTS
        if is_wide and leaf.size and not (limits.min <= leaf.min() and leaf.max() <= limits.max):
            return leaf.astype(object)
        return leaf

    if args and isinstance(args[0], list) and isinstance(_first_leaf(args[0]), int):
        args = (np.asarray(args[0]), *args[1:])
    return tree.map_structure(as_python_ints, args)


def _first_leaf(values: Any) -> Any:
    while isinstance(values, list) and values:
        values = values[0]
    return values


class HostLayer(Layer):
    """A layer that runs on the host, on NumPy arrays, strings among them."""

    _takes_strings = True
    casts_inputs = False  # values are looked up as they are

    def build(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to make: what a host layer knows comes from `adapt`, not from a shape."""
        self.built = True

    if not TYPE_CHECKING:  # a checker takes the base's, which has the types of `call`

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            """Apply the layer; inside a compiled model its result comes from the host."""
            scope = current().host_calls
            args = with_wide_ints(args)
            if scope is None or any_symbolic(args, kwargs):
                return super().__call__(*args, **kwargs)
            return scope.call(self, args, kwargs)


def encode_on_host(indices: np.ndarray, depth: int, mode: str, dtype: Any) -> np.ndarray:
    """Vectors of `depth` numbers for indices, without a table of one row an index.

    Args:
        indices: Ints; ones outside 0 ... depth - 1 count nothing.
        depth: Number of categories.
        mode: 'one_hot' a vector an index (a last axis of size 1 is dropped), 'multi_hot' 1 for
            every index of a row, 'count' how often each stands in a row.
        dtype: Of the result.

    Example:
        >>> encode_on_host(np.array([[0, 2, 2]]), 3, "count", "int32").tolist()
        [[1, 0, 2]]
    """
    if mode == "one_hot" and indices.ndim > 1 and indices.shape[-1] == 1:
        indices = indices[..., 0]
    rows = indices.reshape(-1, 1) if mode == "one_hot" or indices.ndim == 0 else indices
    outer = indices.shape if mode == "one_hot" or indices.ndim == 0 else indices.shape[:-1]
    rows = rows.reshape(int(np.prod(outer, dtype=np.int64)), rows.shape[-1])
    row, column = np.nonzero((rows >= 0) & (rows < depth))
    vectors = np.zeros((len(rows), depth), dtype)
    if mode == "count":
        np.add.at(vectors, (row, rows[row, column]), 1)
    else:
        vectors[row, rows[row, column]] = 1
    return vectors.reshape(*outer, depth)


def encoded_shape(
    shape: tuple[int | None, ...], depth: int | None, mode: str
) -> tuple[int | None, ...]:
    """The shape `encode_on_host` gives."""
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), depth)
    return (*shape[:-1], depth)


__all__ = [
    "AllRecorded", "HostLayer", "Recording", "Replaying", "encode_on_host", "encoded_shape",
    "in_host_scope", "unpacked", "with_wide_ints", "without_texts",
]  # fmt: skip
