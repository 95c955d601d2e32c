"""The places of a graph of tf.keras 2 where a TensorFlow function is called.

tf.keras 2 records `x + y` or `tf.reshape(x, ...)` on symbolic tensors as a layer, `TFOpLambda` or
`SlicingOpLambda`, that holds the function's name; its arguments stand in the node. Here such an
entry is called once, on nacre's symbolic tensors, by a function of a closed table, which leaves
the ops it is made of in the graph. So the model that is loaded, trained and saved again holds ops.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nacre.core import tree
from nacre.core.errors import SerializationError, message, nearest
from nacre.core.symbolic import KerasTensor
from nacre.models.old_graphs import arrays, mathematics, neural  # noqa: F401  they fill the table
from nacre.models.old_graphs.sizes import Size, call_with_sizes, compute, holds_size
from nacre.models.old_graphs.table import FUNCTIONS, call_function, call_on_numbers
from nacre.ops._calls import OpCall

# The layers that hold a function, and those of tensors that do not exist here.
CLASSES = ("TFOpLambda", "SlicingOpLambda")
REFUSED = ("TensorFlowOpLayer", "ClassMethod", "InstanceMethod", "InstanceProperty")

_CONSTANT = "_CONSTANT_VALUE"
_Find = Callable[[str, int, int], Any]


@dataclass(frozen=True)
class _Call:
    """What a call gave, where a graph looks for it."""

    outputs: list[Any]


class TensorflowFunction:
    """One entry of an old graph.

    Args:
        data: The entry, of a class in `CLASSES`.

    Raises:
        SerializationError: Its function is not in the table.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        config = data["config"] if isinstance(data["config"], dict) else {}
        self.name: str = data.get("name") or config.get("name") or "tf"
        self.function = str(config.get("function"))
        self._inbound_nodes: list[_Call] = []
        special = ("compat.v1.shape", "shape", "compat.v1.size", "size", "compat.v1.rank", "rank")
        if data["class_name"] in REFUSED or self.function not in (*FUNCTIONS, *special):
            raise _refused(data, self.name, self.function)

    def arguments(self, node: Any, find: _Find) -> dict[str, Any]:
        """What a node calls it with: the first argument under no name, the others by theirs.

        Args:
            node: `[layer, node, tensor, {others}]`, or nested lists of such in place of a tensor.
            find: The symbolic tensor at (layer, node, tensor); LookupError where there is none yet.
        """
        others: dict[str, Any] = {}

        def first(entry: Any) -> Any:
            if _is_tensor_address(entry):
                if len(entry) > 3 and isinstance(entry[3], dict):
                    others.update(entry[3])
                return entry[2] if entry[0] == _CONSTANT else find(*entry[:3])
            return [first(item) for item in entry] if isinstance(entry, list) else entry

        value = first(node)
        return {"": value} | {k: _argument(v, find) for k, v in others.items() if k != "name"}

    def call(self, arguments: dict[str, Any]) -> None:
        """Call the function once more; what it gives is the next node's."""
        made = _shape_of(self.function, arguments[""])
        if made is None:
            is_done, made = compute(self.function, arguments)
            if not is_done:
                made = self._call(arguments)
        outputs = [made] if _is_shape(made) else list(tree.flatten(made))  # a shape is one tensor
        self._name_ops(outputs, arguments)
        self._inbound_nodes.append(_Call(outputs))

    def _call(self, arguments: dict[str, Any]) -> Any:
        try:
            if holds_size(arguments) or self._needs_sizes(arguments[""]):
                return call_with_sizes(self.function, arguments)
            if not any(isinstance(leaf, KerasTensor) for leaf in tree.flatten(arguments)):
                return call_on_numbers(self.function, arguments)
            return call_function(self.function, arguments)
        except TypeError as error:
            if not re.search("unexpected keyword|required positional|multiple values", str(error)):
                raise
            raise SerializationError(
                message(
                    f"layer '{self.name}'",
                    f"the arguments of tf.{self.function} in the file must be those it has here",
                    f"{', '.join(filter(None, arguments))} ({error})",
                )
            ) from error

    def _needs_sizes(self, x: Any) -> bool:
        """Whether it makes a pattern as large as sizes that only a batch tells."""
        is_pattern = self.function in ("linalg.band_part", "linalg.diag")
        return is_pattern and isinstance(x, KerasTensor) and None in x.shape[-2:]

    def _name_ops(self, outputs: list[Any], arguments: dict[str, Any]) -> None:
        """Call the ops that were made after this entry, whose name no layer of the file has."""
        known = {id(leaf) for leaf in tree.flatten(arguments)}
        waiting = [t for t in outputs if isinstance(t, KerasTensor)]
        made: list[Any] = []
        while waiting:
            one = waiting.pop(0)
            if id(one) in known or one._keras_history is None:
                continue
            known.add(id(one))
            operation, node_index, _ = one._keras_history
            if isinstance(operation, OpCall) and operation not in made:
                made.append(operation)
            waiting += operation._inbound_nodes[node_index].inputs
        for index, operation in enumerate(made):
            operation.name = f"{self.name}.{index}" if index else self.name


def _is_shape(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(v, int | Size) for v in value)
    return isinstance(value, int | Size)


def _shape_of(function: str, x: Any) -> Any:
    """`tf.shape`, `tf.size` and `tf.rank`; None for other functions."""
    what = function.removeprefix("compat.v1.")
    if what not in ("shape", "size", "rank"):
        return None
    if not isinstance(x, KerasTensor):
        return [len(x)] if what == "shape" and isinstance(x, list) else None
    sizes = [Size("axis", (x, i)) if n is None else n for i, n in enumerate(x.shape)]
    if what == "rank":
        return len(sizes)
    return sizes if what == "shape" else compute("math.reduce_prod", {"": sizes})[1]


# -------------------------------------------------------------------- what nodes hold


def _is_tensor_address(entry: Any) -> bool:
    return (
        isinstance(entry, list)
        and len(entry) in (3, 4)
        and isinstance(entry[0], str)
        and isinstance(entry[1], int)
    )


def _argument(value: Any, find: _Find) -> Any:
    if _is_tensor_address(value):
        return value[2] if value[0] == _CONSTANT else find(*value[:3])
    if isinstance(value, list):
        return [_argument(v, find) for v in value]
    if isinstance(value, dict):
        if {"start", "stop", "step"} <= value.keys():
            return slice(*(_argument(value[part], find) for part in ("start", "stop", "step")))
        class_name, inner = value.get("class_name"), value.get("config")
        if class_name in ("__ellipsis__", "Ellipsis"):
            return Ellipsis
        if class_name in (
            "__slice__",
            "__tuple__",
            "__numpy__",
            "__tensor__",
        ) and isinstance(inner, dict):
            return _argument(inner.get("value", inner), find)
        if class_name == "TypeSpec" or "DType" in str(class_name):
            return str((inner or {}).get("name"))
        return {k: _argument(v, find) for k, v in value.items()}
    return value


# They take operands as `*arguments`, which no file of tf.keras 2 holds (tried with 2.15).
_WITHOUT_OPERANDS = ("einsum", "meshgrid")


def _refused(data: dict[str, Any], name: str, function: str) -> SerializationError:
    near = nearest(function, FUNCTIONS)
    class_name = data["class_name"]
    what = f"{class_name} {function!r}" if class_name in CLASSES else class_name
    if function in _WITHOUT_OPERANDS:
        what += ", of which tf.keras 2 does not write the operands"
    return SerializationError(
        message(
            f"layer '{name}'",
            "a graph must be made of layers and of the TensorFlow functions that are read as ops",
            what + (f" (nearest: {near!r})" if near and class_name in CLASSES else ""),
            "Open the model where it was made, replace the function by a layer or a named, "
            "registered function in a Lambda layer, and save it again; or build the model here "
            "and call load_weights on the file.",
        )
    )


__all__ = ["CLASSES", "REFUSED", "TensorflowFunction"]
