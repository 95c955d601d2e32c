"""Symbolic tensors: a shape, a dtype and where they come from.

Calling a layer or an op with a symbolic tensor records a `Node`. The shape of the result is found
by tracing the real function (`shape_inference`), so there is one definition of every op.
"""

# A leading underscore is private to the folder, not to the class.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from nacre.core import tree
from nacre.core.dtypes import standardize_dtype
from nacre.core.errors import ArgumentError, message, printable
from nacre.core.kinds import is_dict
from nacre.core.names import auto_name
from nacre.core.operators import OPERATIONS, Operators
from nacre.core.scope import masks_end_at_ops
from nacre.core.variable import standardize_shape


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
        # Each size is an int or None; as an `Any`, a script may compute with those it knows.
        self.shape: tuple[Any, ...] = standardize_shape(shape)
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

    def reshape(self, newshape: Any) -> KerasTensor:
        """The same entries in another shape."""
        return OPERATIONS["reshape"](self, newshape)

    def squeeze(self, axis: Any = None) -> KerasTensor:
        """Without the axes of size 1, or without `axis`."""
        return OPERATIONS["squeeze"](self, axis)

    def __pos__(self) -> KerasTensor:
        return self

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> KerasTensor:
        return OPERATIONS["array_ufunc"](self, ufunc, method, *inputs, **kwargs)

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
        return (self[index] for index in range(self.shape[0]))

    def _refuse(self, what: str) -> Any:
        raise ArgumentError(
            message(
                f"Symbolic tensor '{self.name}' of shape {self.shape}",
                f"it has no values yet and cannot {what}",
                "a use that needs values",
                "Use functions of nacre.ops, or put the code into the call() of a layer.",
            )
        )

    def __eq__(self, other: Any, /) -> Any:
        return _compared("eq", self, other)

    def __ne__(self, other: Any, /) -> Any:
        return _compared("ne", self, other)

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        name = printable(self.name)
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={name}>"


class Comparison(KerasTensor):
    """`x == y` or `x != y`: the op of that name, which is recorded once it is used as a tensor.

    Where Python asks for its truth, as when it looks for a symbolic tensor in a list, it says
    whether the two are the same tensor.

    Args:
        operator: 'eq' or 'ne'.
        left, right: What is compared; `left` is symbolic.

    Example:
        >>> x, y = KerasTensor((None, 3)), KerasTensor((None, 3))
        >>> (x == y).shape, (x != 0).dtype, y in [x, y], [x, y].index(y)
        ((None, 3), 'bool', True, 1)
    """

    def __init__(self, operator: str, left: KerasTensor, right: Any) -> None:
        self._compares = (operator, left, right)

    def __getattr__(self, name: str) -> Any:
        if "_compares" in vars(self) and "shape" not in vars(self) and not name.startswith("__"):
            self._record()
            if name in vars(self):
                return vars(self)[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def _record(self) -> None:
        operator, left, right = self._compares
        made = OPERATIONS[operator](left, right)
        vars(self).update({**vars(made), **vars(self)})
        history = made._keras_history
        # The graph knows tensors by their identity, and the one made here goes no further.
        history.operation._inbound_nodes[history.node_index].outputs[history.tensor_index] = self

    def __bool__(self) -> bool:
        operator, left, right = self._compares
        return (left is right) == (operator == "eq")

    __hash__ = KerasTensor.__hash__


def _compared(operator: str, left: KerasTensor, right: Any) -> Any:
    if right is None or isinstance(right, str):
        return NotImplemented
    return Comparison(operator, left, right)


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
        found: list[Node] = []
        for tensor in self.inputs:
            history = tensor._keras_history
            if history is not None:
                found.append(history.operation._inbound_nodes[history.node_index])
        return found


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


# Not written out as a union where they are asked for: every op asks, and would make it anew.
_LOOKED_AT = (KerasTensor, list, tuple, dict)


def any_symbolic(args: Any, kwargs: Any = ()) -> bool:
    """True when a symbolic tensor stands anywhere among the arguments."""
    for value in args:
        if isinstance(value, _LOOKED_AT):
            if isinstance(value, KerasTensor) or _nested_symbolic(value):
                return True
    if kwargs:
        return any_symbolic(tuple(kwargs.values()))
    return False


def _nested_symbolic(value: Any) -> bool:
    return any_symbolic(tuple(value.values() if is_dict(value) else value))
