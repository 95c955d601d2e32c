"""Calls with sizes that only a batch tells, `tf.zeros((tf.shape(x)[0], 1))`, in a model's graph.

While a model is described `tf.shape(x)[0]` is a symbol. A call of a function with such a size
becomes a node whose inputs are the tensors whose sizes they are: when the model runs, the sizes are
read from these, and the function is called with numbers.
"""

from __future__ import annotations

import ast
import functools
import operator
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.export
import jax.numpy as jnp

from nacre.core.errors import ArgumentError, message
from nacre.core.symbolic import KerasTensor
from nacre.core.tracing import is_tracing
from nacre.ops._calls import OpCall
from nacre.ops._op import Op
from nacre.tf.dtypes import DType
from nacre.tf.sizes import Sizes
from nacre.tf.values import tensor

PATH = "tf.with_sizes"  # what the node's class is called in files

# The tensors whose sizes were asked for of late, the newest first, with their sizes.
_asked: deque[tuple[weakref.ref[KerasTensor], tuple[Any, ...]]] = deque(maxlen=32)


def note_sizes(tensor: Any, sizes: Any) -> None:
    """Remember of a symbolic tensor that its sizes were asked for.

    Args:
        tensor: It.
        sizes: What was given.
    """
    if isinstance(tensor, KerasTensor) and isinstance(sizes, tuple):
        _asked.appendleft((weakref.ref(tensor), tuple(sizes)))


def holds_sizes(value: Any) -> bool:
    """Whether there is a size that is a symbol among arguments."""
    if isinstance(value, list | tuple):
        return any(map(holds_sizes, value))
    if isinstance(value, dict):
        return any(map(holds_sizes, value.values()))
    return jax.export.is_symbolic_dim(value)


def is_of_model(args: Any, kwargs: Any) -> bool:
    """Whether arguments hold sizes of symbolic tensors: not where a function is being traced."""
    return not is_tracing() and (holds_sizes(args) or holds_sizes(kwargs))


def sized_call(path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Describe a call of a function with such sizes.

    Args:
        path: The function, 'tf.zeros'.
        args, kwargs: Its arguments.
    """
    inputs: list[Any] = []
    places: dict[str, list[int]] = {}

    def taken(tensor: Any) -> int:
        at = next((i for i, known in enumerate(inputs) if known is tensor), len(inputs))
        if at == len(inputs):
            inputs.append(tensor)
        return at

    def plain(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return {"list": [plain(item) for item in value]}
        if jax.export.is_symbolic_dim(value):
            text = str(value)
            for name in _names(text):
                if name not in places:
                    tensor, axis = _source(path, name)
                    places[name] = [taken(tensor), axis]
            return {"size": text}
        if isinstance(value, DType):
            return {"dtype": value.name}
        if hasattr(value, "dtype") and hasattr(value, "shape"):
            return {"input": taken(value)}
        if value is None or isinstance(value, bool | int | float | str):
            return {"value": value}
        rule = "besides tensors and sizes it takes numbers and texts while a model is described"
        raise ArgumentError(message(path, rule, type(value).__name__))

    call = {
        "path": path,
        "args": [plain(value) for value in args],
        "kwargs": {key: plain(value) for key, value in kwargs.items() if key != "name"},
    }
    return OpCall(op(), attributes={"call": call, "places": places}).symbolic_call(inputs)


def _source(path: str, name: str) -> tuple[KerasTensor, int]:
    """The tensor and the axis that a symbol is the size of."""
    for reference, sizes in _asked:
        tensor = reference()
        for axis, size in enumerate(sizes):
            if tensor is not None and str(size) == name:
                return tensor, axis
    rule = "a size that only a batch tells must come from tf.shape of a tensor of the model"
    raise ArgumentError(message(path, rule, name, "Take it from tf.shape(x)[0]."))


@functools.cache
def op() -> Op:
    """What such a call is in a graph."""
    return Op(
        _run, PATH, tensors=("inputs",), class_name=PATH, keras="tensorflow",
        masks="it has no rule for masks",
    )  # fmt: skip


def _run(inputs: Any, call: dict[str, Any], places: dict[str, Any]) -> Any:
    """Call the function, with the sizes that the inputs have now."""
    from nacre.tf.rows import home_of, made, rows_of

    sizes = {name: inputs[at].shape[axis] for name, (at, axis) in places.items()}
    module, _, name = call["path"].removeprefix("tf").lstrip(".").rpartition(".")
    row = rows_of(module).get(name) if module in _MODULES else None
    if row is None or row.is_face:
        rule = "a file may name functions of tensors only"
        raise ArgumentError(message(PATH, rule, str(call["path"])))

    def given(value: dict[str, Any]) -> Any:
        ((kind, held),) = value.items()
        if kind == "list":
            return [given(item) for item in held]
        if kind == "size":
            return _evaluated(ast.parse(held, mode="eval").body, sizes)
        return inputs[held] if kind == "input" else held

    function = made(home_of(module, name), name)
    kwargs = {key: given(value) for key, value in call["kwargs"].items()}
    found = function(*map(given, call["args"]), **kwargs)
    if isinstance(found, Sizes):
        return jnp.stack([tensor(size) for size in found])
    return tensor(found) if jax.export.is_symbolic_dim(found) else found


_MODULES = ("", "math", "nn", "linalg", "random", "image", "signal")

_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Pow: operator.pow,
}  # fmt: skip


_CALLS: dict[str, Callable[..., Any]] = {
    "floordiv": operator.floordiv, "mod": operator.mod,
    "max": lambda a, b: a if a >= b else b, "min": lambda a, b: a if a <= b else b,
}  # fmt: skip


def _evaluated(node: ast.expr, sizes: dict[str, Any]) -> Any:
    """A size as JAX writes it, `3*b + 1` or `floordiv(b, 2)`, for numbers."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name):
        return sizes[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_evaluated(node.operand, sizes)
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        left, right = _evaluated(node.left, sizes), _evaluated(node.right, sizes)
        return _BINARY[type(node.op)](left, right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
        return _CALLS[node.func.id](*[_evaluated(arg, sizes) for arg in node.args])
    raise ArgumentError(message(PATH, "a size must be told by its sum", ast.unparse(node)))


def _names(text: str) -> Sequence[str]:
    calls = set(_CALLS)
    return sorted(
        {n.id for n in ast.walk(ast.parse(text, mode="eval")) if isinstance(n, ast.Name)} - calls
    )


__all__ = ["PATH", "holds_sizes", "is_of_model", "note_sizes", "op", "sized_call"]
