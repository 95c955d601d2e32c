"""Sizes that only a batch tells, as values of a graph: `tf.shape(x)[0]` and what is made of it.

In TensorFlow a shape is a tensor that is computed with the others. Here shapes are known when a
program is traced. So `tf.shape(x)` is a list, of plain numbers where the graph knows them and of a
`Size` elsewhere; arithmetic on it is done by Python; and a function that is given a `Size` becomes
one op, `TensorflowCall`, which fills in the numbers when it is traced.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

from nacre.core.symbolic import KerasTensor
from nacre.models.old_graphs.table import call_function
from nacre.ops._define import Family

# No op of Keras: it cannot open a graph with this one.
_op = Family("tensorflow", is_listed=False)


@dataclass(frozen=True, eq=False)
class Size:
    """One number of a shape: an axis of a tensor, or an operation on sizes and whole numbers.

    Attributes:
        operation: `axis`, or a key of `_ARITHMETIC`.
        parts: Of `axis` the tensor and the axis; else the operands.
    """

    operation: str
    parts: tuple[Any, ...]


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "floordiv": operator.floordiv,
    "floormod": operator.mod,
    "maximum": max,
    "minimum": min,
}
_ELEMENTWISE = {f"math.{name}": name for name in _ARITHMETIC} | {
    "__operators__.add": "add", "compat.v1.floor_div": "floordiv", "floor_div": "floordiv",
    "math.divide": "floordiv",
}  # fmt: skip


def is_static(value: Any) -> bool:
    """Whether it is whole numbers and sizes, in lists: what Python itself computes with."""
    if isinstance(value, list):
        return all(is_static(v) for v in value)
    return isinstance(value, Size) or (isinstance(value, int) and not isinstance(value, bool))


def holds_size(value: Any) -> bool:
    """Whether a `Size` is anywhere in it."""
    if isinstance(value, list | tuple):
        return any(holds_size(v) for v in value)
    if isinstance(value, dict):
        return any(holds_size(v) for v in value.values())
    if isinstance(value, slice):
        return any(holds_size(v) for v in (value.start, value.stop, value.step))
    return isinstance(value, Size)


def _combine(name: str, x: Any, y: Any) -> Any:
    if isinstance(x, list) or isinstance(y, list):
        count = len(x) if isinstance(x, list) else len(y)
        xs, ys = (v if isinstance(v, list) else [v] * count for v in (x, y))
        xs, ys = (v * count if len(v) == 1 else v for v in (xs, ys))
        return [_combine(name, a, b) for a, b in zip(xs, ys, strict=True)]
    if isinstance(x, int) and isinstance(y, int):
        return _ARITHMETIC[name](x, y)
    return Size(name, (x, y))


def compute(function: str, arguments: dict[str, Any]) -> tuple[bool, Any]:
    """(whether Python can do it, the result) of a function whose first argument is sizes."""
    values = list(arguments.values())
    if not values or not is_static(values[0]):
        return False, None
    first = values[0]
    if function in _ELEMENTWISE and is_static(values[1]):
        return True, _combine(_ELEMENTWISE[function], first, values[1])
    if function == "__operators__.getitem" and isinstance(first, list):
        key = arguments["slice_spec"]
        key = key[0] if isinstance(key, list | tuple) and len(key) == 1 else key
        if isinstance(key, int | slice) and not holds_size(key):
            return True, first[key]
    if function in ("identity", "stop_gradient"):
        return True, first
    if function == "cast" and str(arguments.get("dtype")) in ("int32", "int64"):
        return True, first
    if function == "concat":
        return True, [
            size for part in first for size in (part if isinstance(part, list) else [part])
        ]
    if function in ("stack", "unstack"):
        return True, first
    if function in ("math.reduce_prod", "compat.v1.size") and isinstance(first, list):
        if function == "compat.v1.size":
            return True, len(first)
        return True, reduce(lambda a, b: _combine("multiply", a, b), first, 1)
    if function == "reshape" and arguments.get("shape") in ([-1], [1], []):
        flat = first if isinstance(first, list) else [first]
        return True, flat[0] if arguments["shape"] == [] else flat
    if function in ("compat.v1.squeeze", "expand_dims") and not isinstance(first, list):
        return True, [first] if function == "expand_dims" else first
    return False, None


# -------------------------------------------------------------------- the op


@_op(tensors=("xs",), class_name="TensorflowCall")
def tensorflow_call(xs: Any, function: str, arguments: dict[str, Any]) -> Any:
    """Call a function of the table with sizes that the tensors tell.

    Args:
        xs: All tensors it needs, for their values or their sizes.
        function: TensorFlow's name.
        arguments: By name: plain data, `{"tensor": k}` for one of `xs`, or `{"size": ...}` for a
            number, which is `[k, axis]` or `[operation, size, size]`.
    """
    return call_function(function, {k: _filled(v, xs) for k, v in arguments.items()})


def _filled(value: Any, xs: Any) -> Any:
    if isinstance(value, dict):
        if "tensor" in value:
            return xs[value["tensor"]]
        if "size" in value:
            return _number(value["size"], xs)
        return slice(*(_filled(value[part], xs) for part in ("start", "stop", "step")))
    if isinstance(value, list | tuple):
        return [_filled(v, xs) for v in value]
    return value


def _number(size: Any, xs: Any) -> Any:
    if not isinstance(size, list | tuple):
        return size
    if isinstance(size[0], str):
        return _ARITHMETIC[size[0]](_number(size[1], xs), _number(size[2], xs))
    return xs[size[0]].shape[size[1]]


def call_with_sizes(function: str, arguments: dict[str, Any]) -> Any:
    """Record a call with sizes among its arguments as one op."""
    xs: list[KerasTensor] = []

    def place(x: KerasTensor) -> int:
        for index, known in enumerate(xs):
            if known is x:
                return index
        xs.append(x)
        return len(xs) - 1

    def number(size: Any) -> Any:
        if not isinstance(size, Size):
            return size
        if size.operation == "axis":
            return [place(size.parts[0]), size.parts[1]]
        return [size.operation, *(number(part) for part in size.parts)]

    def encode(value: Any) -> Any:
        if isinstance(value, KerasTensor):
            return {"tensor": place(value)}
        if isinstance(value, Size):
            return {"size": number(value)}
        if isinstance(value, slice):
            return {part: encode(getattr(value, part)) for part in ("start", "stop", "step")}
        return [encode(v) for v in value] if isinstance(value, list | tuple) else value

    encoded = {name: encode(value) for name, value in arguments.items()}
    return tensorflow_call(xs, function=function, arguments=encoded)


__all__ = ["Size", "call_with_sizes", "compute", "holds_size", "is_static", "tensorflow_call"]
