"""Functions of the table on symbolic tensors: a node in the model's graph, as ops of nacre's."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.export

from nacre.core.errors import ArgumentError, message
from nacre.core.symbolic import any_symbolic
from nacre.ops._calls import OpCall
from nacre.ops._op import Op


def on_symbols(function: Callable[..., Any], path: str) -> Callable[..., Any]:
    """The function, which with a symbolic tensor among its arguments describes the call.

    Args:
        function: A function of tensors.
        path: Its name, such as 'tf.math.abs': the node's too.
    """

    @functools.cache
    def op() -> Op:
        first = next(iter(inspect.signature(function).parameters), "name")
        reason = f"{path} has no rule for masks"
        return Op(
            function, path, tensors=(first,), class_name=path, keras="tensorflow", masks=reason
        )

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not any_symbolic(args, kwargs):
            return function(*args, **kwargs)
        kwargs.pop("name", None)
        given, attributes = op().split(args, kwargs)
        if any(map(_holds_symbols, attributes.values())):
            attributes = _without_symbols(path, given, attributes)
        positional, named = op().leading(given)
        return OpCall(op(), attributes=attributes).symbolic_call(*positional, **named)

    _ops[call] = op
    return call


def _holds_symbols(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_holds_symbols, value))
    return jax.export.is_symbolic_dim(value)


def _without_symbols(
    path: str, given: dict[str, Any], attributes: dict[str, Any]
) -> dict[str, Any]:
    """Attributes where a size that only a batch tells, `tf.shape(x)[0]`, is left open.

    Raises:
        ArgumentError: The function cannot leave a size open.
    """
    tensor, shape = given.get("tensor"), attributes.get("shape")
    if path == "tf.reshape" and isinstance(shape, list | tuple):
        shape = list(shape)
        places = [place for place, size in enumerate(shape) if jax.export.is_symbolic_dim(size)]
        sizes: Any = getattr(tensor, "shape", (None, None))
        is_batch = places == [0] and sizes[:1] == (None,) and None not in sizes[1:]
        if is_batch and str(shape[0]) == _BATCH:
            known = [size for size in shape[1:] if size != -1]
            free = len(shape) - 1 - len(known)
            total, rest = math.prod(sizes[1:]), math.prod(known)
            if free <= 1 and rest and (total == rest if not free else total % rest == 0):
                open_shape = [-1, *(total // rest if size == -1 else size for size in shape[1:])]
                return {**attributes, "shape": open_shape}
    raise ArgumentError(
        message(
            path,
            "while a model is described, an argument must not be a size that only a batch tells",
            ", ".join(f"{k}={v}" for k, v in attributes.items() if _holds_symbols(v)),
            "Write -1 for that size where the function takes it, or call the function in the "
            "call() of a layer, where sizes are known.",
        )
    )


_BATCH = "b"  # what the first size of `tf.shape(x)` is called
_ops: dict[Callable[..., Any], Callable[[], Op]] = {}


def op_by(function: Callable[..., Any]) -> Op:
    """What a call of a function that `on_symbols` gave is in a graph."""
    return _ops[function]()


__all__ = ["on_symbols", "op_by"]
