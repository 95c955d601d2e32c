"""Functions of the table on symbolic tensors: a node in the model's graph, as ops of nacre's."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from nacre.core.symbolic import any_symbolic
from nacre.core.tracing import is_tracing
from nacre.ops._calls import OpCall
from nacre.ops._op import Op
from nacre.tf.dispatching import NOT_DISPATCHED, dispatched, in_use
from nacre.tf.kept_sizes import KEEPING, NOT_KEPT, kept_sizes, standing_for, with_sizes
from nacre.tf.ragged_calls import holds_ragged, ragged_call
from nacre.tf.sized_calls import is_of_model, note_sizes, sized_call
from nacre.tf.sparse_calls import OF_SPARSE, sparse_among, sparse_call
from nacre.tf.text_calls import holds_texts_of_host, numbers_of, takes_texts, text_call


def on_symbols(function: Callable[..., Any], path: str) -> Callable[..., Any]:
    """The function, which with a symbolic tensor among its arguments describes the call.

    Of ragged tensors it is what `ragged_calls.py` says.

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
        if in_use and (found := dispatched(call, path, args, kwargs)) is not NOT_DISPATCHED:
            return found
        if holds_ragged(args) or (kwargs and holds_ragged(kwargs.values())):
            return ragged_call(function, path, args, kwargs)
        if path in OF_SPARSE and sparse_among(args, kwargs):
            return sparse_call(function, path, args, kwargs)
        is_symbolic = any_symbolic(args, kwargs)
        if is_symbolic:
            args, kwargs = with_sizes(args), with_sizes(kwargs)
        if path in KEEPING and (kept := kept_sizes(path, args, kwargs)) is not NOT_KEPT:
            # While a model is described it must also meet the model's other tensors.
            is_size = is_tracing() or type(kept) is list
            return kept if is_size else standing_for(kept, sized_call(path, args, kwargs))
        if is_of_model(args, kwargs):
            return sized_call(path, args, kwargs)
        if not is_symbolic:
            if holds_texts_of_host(args):
                if path == "tf.shape":  # which the host alone would compute too late for a size
                    return function(*args, **kwargs)
                return text_call(path, args, kwargs)
            return function(*args, **kwargs)
        if takes_texts(args, kwargs):
            if path != "tf.shape":
                return text_call(path, args, kwargs)
            # As sizes, not as what the host computes: with those nothing of such a size is made.
            args = (numbers_of(args[0] if args else kwargs.pop("input")), *args[1:])
        kwargs.pop("name", None)
        given, attributes = op().split(args, kwargs)
        positional, named = op().leading(given)
        found = OpCall(op(), attributes=attributes).symbolic_call(*positional, **named)
        if path == "tf.shape":
            note_sizes(next(iter(given.values())), found)
        return found

    _ops[call] = op
    _paths[call] = path
    return call


_ops: dict[Callable[..., Any], Callable[[], Op]] = {}


_paths: dict[Callable[..., Any], str] = {}


def path_by(function: Callable[..., Any]) -> str | None:
    """The place of a function that `on_symbols` gave; None for another."""
    return _paths.get(function)


def op_by(function: Callable[..., Any]) -> Op:
    """What a call of a function that `on_symbols` gave is in a graph."""
    return _ops[function]()


__all__ = ["on_symbols", "op_by", "path_by"]
