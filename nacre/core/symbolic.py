"""Symbolic tensors: a shape, a dtype and where they come from.

Calling a layer or an op with a symbolic tensor records a `Node`. The shape of the result is found
by tracing the real function with JAX's symbolic sizes, so there is one definition of every op.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import export

from nacre.core import tree
from nacre.core.dtypes import standardize_dtype
from nacre.core.errors import ArgumentError, message, printable
from nacre.core.names import auto_name
from nacre.core.scope import StatelessScope, masks_end_at_ops, symbolic_scope
from nacre.core.strings import strings_refused
from nacre.core.tensors import Operators
from nacre.core.variable import Variable, standardize_shape


class History(NamedTuple):
    """Which call made a symbolic tensor: the operation, which of its calls, which output."""

    operation: Any
    node_index: int
    tensor_index: int


class KerasTensor(Operators["KerasTensor"]):
    """A tensor that stands for values to come, while a model is being described.

    Args:
        shape: Sizes; None where not known yet.
        dtype: Dtype of the values to come.
        sparse: Always False here; kept for compatibility with Keras.
        ragged: Always False here; kept for compatibility with Keras.
        record_history: Kept for compatibility with Keras.
        name: For messages and `summary()`.

    Example:
        >>> KerasTensor((None, 3), name="x")
        <KerasTensor shape=(None, 3), dtype=float32, name=x>
    """

    __array_priority__ = 1000  # NumPy arrays on the left leave the operator to us
    __array_ufunc__ = None

    def __init__(
        self,
        shape: Any,
        dtype: Any = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.shape = standardize_shape(shape)
        self.dtype = standardize_dtype(dtype)
        self.sparse = sparse
        self.ragged = ragged
        self.name = name or auto_name("keras_tensor")
        self.record_history = record_history
        self._keras_history: History | None = None

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int | None:
        """The number of elements, None when a size is not known."""
        total = 1
        for size in self.shape:
            if size is None:
                return None
            total *= size
        return total

    if TYPE_CHECKING:  # `ops` installs them, with the operators

        def reshape(self, newshape: Any) -> KerasTensor: ...

        def squeeze(self, axis: Any = None) -> KerasTensor: ...

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        self._refuse("become a NumPy array")

    def __jax_array__(self) -> Any:
        self._refuse("be given to a JAX function")

    def __bool__(self) -> bool:
        return self._refuse("decide an `if`")

    def __float__(self) -> float:
        return self._refuse("become a Python number")

    def __int__(self) -> int:
        return self._refuse("become a Python number")

    def __len__(self) -> int:
        if self.shape and self.shape[0] is not None:
            return self.shape[0]
        return self._refuse("tell its length")

    def __iter__(self) -> Iterator[KerasTensor]:
        if not self.shape or self.shape[0] is None:
            return self._refuse("be walked through")
        return (self[index] for index in range(self.shape[0]))  # type: ignore[index]

    def _refuse(self, what: str) -> Any:
        raise ArgumentError(
            message(
                f"Symbolic tensor '{self.name}' of shape {self.shape}",
                f"it has no values yet and cannot {what}",
                "a use that needs values",
                "Use functions of nacre.ops, or put the code into the call() of a layer.",
            )
        )

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        name = printable(self.name)
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={name}>"


class Node:
    """One call of a layer or op on symbolic tensors.

    Attributes:
        operation: What was called.
        args, kwargs: The arguments, symbolic tensors among them.
        inputs: The symbolic tensors among the arguments, flat.
        outputs: The resulting symbolic tensors, flat.
        masks_end_at_ops: Whether it was made while a graph that Keras wrote was read.
    """

    def __init__(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any):
        self.operation = operation
        self.masks_end_at_ops = masks_end_at_ops()
        self.args = args
        self.kwargs = kwargs
        self.inputs = [x for x in tree.flatten((args, kwargs)) if isinstance(x, KerasTensor)]
        self.outputs = [x for x in tree.flatten(outputs) if isinstance(x, KerasTensor)]
        nodes = operation._inbound_nodes
        for index, tensor in enumerate(self.outputs):
            tensor._keras_history = History(operation, len(nodes), index)
        nodes.append(self)

    @property
    def parents(self) -> list[Node]:
        """The nodes that made the inputs."""
        found = []
        for tensor in self.inputs:
            history = tensor._keras_history
            if history is not None:
                found.append(history.operation._inbound_nodes[history.node_index])
        return found


# 2 · 2 · 3 · 5 · 7: what a size divided by a small number can be.
_MANY_DIVISORS = 420


def is_symbolic(x: Any) -> bool:
    """True for a symbolic tensor."""
    return isinstance(x, KerasTensor)


def get_source_inputs(tensor: KerasTensor) -> list[KerasTensor]:
    """The inputs a symbolic tensor is computed from, each once, in the order of the arguments."""
    history = tensor._keras_history
    node = None if history is None else history.operation._inbound_nodes[history.node_index]
    if node is None or not node.inputs:
        return [tensor]
    found: list[KerasTensor] = []
    for parent in node.inputs:
        found += [t for t in get_source_inputs(parent) if not any(t is known for known in found)]
    return found


def any_symbolic(args: Any, kwargs: Any = ()) -> bool:
    """True when a symbolic tensor stands anywhere among the arguments."""
    for value in args:
        if isinstance(value, KerasTensor):
            return True
        if isinstance(value, list | tuple | dict) and _nested_symbolic(value):
            return True
    if kwargs:
        return any_symbolic(tuple(kwargs.values()))
    return False


def _nested_symbolic(value: Any) -> bool:
    items = value.values() if isinstance(value, dict) else value
    return any_symbolic(tuple(items))


def infer(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """The symbolic outputs of `function`, found by tracing it.

    Unknown sizes on the same axis of different inputs are taken to be equal (they are wherever the
    function is defined). When a function decides something by comparing sizes, JAX cannot answer
    for all sizes at once; it is then traced for two sets of example sizes (large ones, then small
    ones), and sizes that differ between them are unknown. When only the size of an array or shape
    among the arguments fits, the first unknown size is taken to be that one.
    """
    leaves = tree.flatten((args, kwargs))
    symbolic = [leaf for leaf in leaves if isinstance(leaf, KerasTensor)]
    for tensor in symbolic:
        if tensor.dtype == "string":
            raise strings_refused(f"Symbolic tensor '{tensor.name}'", "an operation on strings")
    axes = sorted({axis for t in symbolic for axis, n in enumerate(t.shape) if n is None})

    def shapes_for(sizes: dict[int, Any]) -> Any:
        specs = [
            jax.ShapeDtypeStruct(
                tuple(sizes[a] if n is None else n for a, n in enumerate(t.shape)),
                jnp.dtype(t.dtype),
            )
            for t in symbolic
        ]

        structure: list[Any] = []

        def run(*tensors: Any) -> Any:
            stream = iter(tensors)
            filled = [next(stream) if isinstance(leaf, KerasTensor) else leaf for leaf in leaves]
            new_args, new_kwargs = tree.pack_sequence_as((args, kwargs), filled)
            outputs = function(*new_args, **new_kwargs)
            structure.append(outputs)
            return [x for x in tree.flatten(outputs) if _has_shape(x)]

        with StatelessScope(), symbolic_scope():
            flat = jax.eval_shape(run, *specs)
        return structure[-1], flat

    if not axes:
        return _as_symbolic(*shapes_for({}))
    try:
        return _as_symbolic(*shapes_for(_named_sizes(dict.fromkeys(axes))))
    except Exception as symbolic_error:
        known = _sizes_beside(symbolic, axes)
        try:
            found = _by_example(shapes_for, axes, 192, 384)
        except Exception as error:
            if known:  # an unknown size must be that of another input, as in a sum
                with contextlib.suppress(Exception):
                    return _as_symbolic(*shapes_for(_named_sizes(dict.fromkeys(axes) | known)))
            # Sizes that stand on different axes may be the same: (None, None, 3) + (None, 3). And
            # a size may have a limit: x + positions[:steps] ends with the table of positions.
            for small, large in ((8, 12), (2, 3)):
                with contextlib.suppress(Exception):
                    if (same := _by_example(shapes_for, axes, small, large)) is not None:
                        return same
            # Perhaps sizes must be multiples of a number: reshape(x, (-1, 5)).
            for size in [*_sizes_met(leaves), _MANY_DIVISORS]:
                with contextlib.suppress(Exception):
                    if (same := _by_example(shapes_for, axes, 192, 384, size)) is not None:
                        return same
            for size in _sizes_met(leaves):
                with contextlib.suppress(Exception):
                    return _as_symbolic(*shapes_for({a: 192 for a in axes} | {axes[0]: size}))
            if type(error) is not type(symbolic_error):
                error.add_note("Sizes not known yet were tried as 8 for the batch, 192 elsewhere.")
                raise
            # The same mistake, told with `b` instead of an example batch size.
            raise symbolic_error from None
        if found is None:
            raise symbolic_error from None
        return found


def _by_example(
    shapes_for: Callable[..., Any], axes: list[int], small: int, large: int, times: int = 1
) -> Any:
    """Outputs for two sets of sizes, what differs between them unknown; the first axis is a batch.

    The first unknown size is a multiple of `times`.

    None when there are as many outputs as an unknown size says.
    """
    structure, first = shapes_for(_example(axes, 8, small, times))
    _, second = shapes_for(_example(axes, 12, large, times))
    if len(first) != len(second):
        return None
    merged = [
        jax.ShapeDtypeStruct(
            tuple(m if m == n else -1 for m, n in zip(a.shape, b.shape, strict=True)), a.dtype
        )
        for a, b in zip(first, second, strict=True)
    ]
    return _as_symbolic(structure, merged)


def _example(axes: list[int], batch: int, other: int, times: int) -> dict[int, int]:
    return {a: (batch if a == 0 else other) * (times if a == axes[0] else 1) for a in axes}


def _sizes_met(leaves: list[Any]) -> list[int]:
    """First sizes of arrays, and numbers such as those of a shape: what an unknown size may be."""
    found: dict[int, None] = {}
    for leaf in leaves:
        if type(leaf) is int and leaf > 1:
            found[leaf] = None
        elif _has_shape(leaf) and not isinstance(leaf, KerasTensor) and leaf.shape:
            found[leaf.shape[0]] = None
    return list(found)[:4]


def _named_sizes(sizes: dict[int, int | None]) -> dict[int, Any]:
    """A symbol for each axis of unknown size; known sizes as they are."""
    scope = export.SymbolicScope()
    return {
        axis: export.symbolic_shape(f"d{axis}" if axis else "b", scope=scope)[0]
        if size is None
        else size
        for axis, size in sizes.items()
    }


def _sizes_beside(tensors: list[KerasTensor], axes: list[int]) -> dict[int, int | None]:
    """For unknown axes, the one size above 1 that other tensors of as many axes have there."""
    found: dict[int, int | None] = {}
    for axis in axes:
        sizes = {
            other.shape[axis]
            for tensor in tensors
            for other in tensors
            if len(tensor.shape) == len(other.shape) > axis and tensor.shape[axis] is None
        } - {None, 1}
        if len(sizes) == 1:
            found[axis] = sizes.pop()
    return found


def _has_shape(value: Any) -> bool:
    return isinstance(value, Variable) or (hasattr(value, "shape") and hasattr(value, "dtype"))


def _as_symbolic(structure: Any, flat: list[Any]) -> Any:
    stream = iter(flat)

    def convert(leaf: Any) -> Any:
        if not _has_shape(leaf):
            return leaf
        spec = next(stream)
        shape = tuple(n if isinstance(n, int) and n >= 0 else None for n in spec.shape)
        return KerasTensor(shape, spec.dtype)

    return tree.map_structure(convert, structure)
