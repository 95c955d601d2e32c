"""Computing the nodes of a graph, one by one."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np

from nacre.core.errors import SerializationError, ShapeError, UnsupportedError, message
from nacre.core.origins import is_unforeseen
from nacre.export.importers.onnx.reading import Graph
from nacre.export.importers.onnx.registry import OPS, Node, Op
from nacre.export.importers.onnx.values import (
    Empty,
    GraphError,
    NotKnownError,
    has_symbols,
    is_known,
    lifted,
    sizes_array,
)
from nacre.export.importers.wide_work import note

WHO = "ONNX graph"
_SMALL = 4096  # numbers that are computed while a program is traced

Scope = ChainMap[str, Any]


def run_graph(graph: Graph, around: Scope, arguments: Sequence[Any]) -> list[Any]:
    """The outputs of a graph; it sees the values of the one around it."""
    if len(arguments) > len(graph.inputs):
        raise GraphError(f"{len(arguments)} arguments for {len(graph.inputs)} inputs")
    scope: Scope = around.new_child(dict(graph.constants))
    for (name, _), value in zip(graph.inputs, arguments, strict=False):
        if value is not None:
            scope[name] = value
    return run_nodes(graph, scope)


def run_nodes(graph: Graph, scope: Scope) -> list[Any]:
    """The outputs of a graph whose inputs and constants stand in a scope."""
    for node in graph.nodes:
        found = outputs_of(node, scope)
        for name, value in zip(node.outputs, found, strict=False):
            if name:
                scope[name] = value
    return [looked_up(name, scope) for name in graph.outputs]


def looked_up(name: str, scope: Scope) -> Any:
    """The value of a name.

    Raises:
        GraphError: Nothing before makes it.
    """
    if name not in scope:
        raise GraphError(f"the value '{name}' is read before it is made")
    return scope[name]


def outputs_of(node: Node, scope: Scope) -> tuple[Any, ...]:
    """The outputs of a node."""
    try:
        inputs = [looked_up(name, scope) if name else None for name in node.inputs]
        if node.body is not None:
            given = [*inputs, *[None] * (len(node.body.inputs) - len(inputs))]
            return tuple(_called(node.body, given))
        op = OPS.get((node.domain, node.op))
        if op is None:
            raise GraphError("it is no operator that is known")
        found = _computed(op, node, scope, inputs)
    except (SerializationError, UnsupportedError, ShapeError):
        raise
    except NotKnownError as error:
        if not error.node:
            error.node = f"node '{node.name}' ({node.op})"
        raise
    except GraphError as error:
        raise _failed(node, error) from error
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
        raise (_fallen if is_unforeseen(error) else _failed)(node, error) from error
    outputs = tuple(map(_as_array, found if isinstance(found, tuple) else (found,)))
    note(node.op, inputs, outputs)
    return outputs


def _as_array(value: Any) -> Any:
    """A single number, or a size that is a symbol, as an array of no axes; numbers as numbers."""
    if isinstance(value, list | jax.Array | Empty):
        return value
    if not isinstance(value, np.ndarray):
        return (
            sizes_array([value]).reshape(()) if not hasattr(value, "dtype") else np.asarray(value)
        )
    if has_symbols(value) and all(isinstance(size, int) for size in value.ravel().tolist()):
        return value.astype(np.int64)
    return value


def _called(body: Graph, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of a function: it sees what it is given alone."""
    scope: Scope = ChainMap({"": None})
    for (name, _), value in zip(body.inputs, inputs, strict=True):
        scope[name] = value
    return run_nodes(body, scope)


def _computed(op: Op, node: Node, scope: Scope, inputs: list[Any]) -> Any:
    if op.scoped:
        return op.function(node, scope, *inputs)
    if -1 in op.kept:
        return op.function(node, *inputs)
    judged = [v for at, v in enumerate(inputs) if at not in op.kept and v is not None]
    are_known = all(is_known(value) for value in judged)
    if op.knows and are_known:
        with np.errstate(all="ignore"):
            return op.function(node, *inputs)
    if are_known and not op.draws and _is_small(judged):
        with jax.enable_x64(True), jax.ensure_compile_time_eval():
            given = [v if at in op.kept else lifted(v) for at, v in enumerate(inputs)]
            return jax.tree.map(np.asarray, op.function(node, *given))
    given = [v if at in op.kept else lifted(v) for at, v in enumerate(inputs)]
    return op.function(node, *given)


def _is_small(values: Iterable[Any]) -> bool:
    return not any(has_symbols(v) for v in values) and sum(v.size for v in values) <= _SMALL


def _failed(node: Node, error: Exception) -> Exception:
    """What was given to a node, or the node itself, cannot be."""
    rule = f"node '{node.name}' ({node.op}) must be computed from what it is given"
    return ShapeError(message(WHO, rule, str(error)))


def _fallen(node: Node, error: Exception) -> Exception:
    """The function of a node met something it is not made for: in the file, or a fault of ours."""
    return UnsupportedError(
        message(
            WHO,
            f"node '{node.name}' ({node.op}) must be of a form that nacre computes",
            f"{type(error).__name__}: {error}",
            "If ONNX Runtime runs this graph, this is a fault of nacre's: please report it with "
            "the traceback above.",
        )
    )


__all__ = ["Scope", "looked_up", "outputs_of", "run_graph", "run_nodes"]
