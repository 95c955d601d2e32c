"""A captured call as a program of JAX's: bytes that `jax.export` reads, and StableHLO as text."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.export

from nacre.core import changes, scope, tree
from nacre.core.run_checks import without_checks
from nacre.export.capture.from_model import Captured
from nacre.ops.kernels.placement import plain_xla

Call = Callable[..., Any]


def exported(captured: Captured, call: Call, platforms: Sequence[str]) -> bytes:
    """The program with the variables in it, as `jax.export.deserialize` takes it.

    Args:
        captured: What is called, with its inputs.
        call: The model, as it was captured.
        platforms: What it is to run on: 'cpu', 'cuda', 'rocm', 'tpu'.

    Its `call` takes the inputs in order, and gives the output, or a dict of them by name where
    there are several; sizes that are open in the model are open in it.
    """
    held = [variable.on_host() for variable in captured.variables]
    names = [name for name, _ in captured.graph.outputs]

    def run(*arrays: Any) -> Any:
        results = _results(captured, call, held, arrays)
        return results[0] if len(results) == 1 else dict(zip(names, results, strict=True))

    with plain_xla(), without_checks():
        found = jax.export.export(jax.jit(run), platforms=platforms)(*_inputs(captured))
    return bytes(found.serialize())


def text(captured: Captured, call: Call, platforms: Sequence[str]) -> str:
    """The program as StableHLO that people read: its arguments are the variables, then the inputs,
    which are listed in front with their names."""
    held = [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in captured.variables]
    given = _inputs(captured)

    def run(*arguments: Any) -> Any:
        return _results(captured, call, arguments[: len(held)], arguments[len(held) :])

    with plain_xla(), without_checks():
        found = jax.export.export(jax.jit(run, keep_unused=True), platforms=platforms)(
            *held, *given
        )
    weights = [(w.path, w.value.type) for w in captured.graph.weights]
    inputs = [(v.name, v.type) for v in captured.graph.inputs]
    outputs = [(name, v.type) for name, v in captured.graph.outputs]
    lines = [f"// argument {i}: {name} {of}" for i, (name, of) in enumerate([*weights, *inputs])]
    lines += [f"// result {i}: {name} {of}" for i, (name, of) in enumerate(outputs)]
    return "\n".join([*lines, found.mlir_module()])


def opened(data: bytes, names: Sequence[str]) -> Callable[[Sequence[Any]], list[Any]]:
    """The program of such bytes: arrays in order -> arrays by the order of the outputs' names."""
    found = jax.export.deserialize(bytearray(data))

    def run(arrays: Sequence[Any]) -> list[Any]:
        results = found.call(*arrays)
        return [results[name] for name in names] if isinstance(results, dict) else [results]

    return run


def compiled(captured: Captured, call: Call) -> Callable[[Sequence[Any]], list[Any]]:
    """The call as one compiled program for each shape: arrays in order -> results in order.

    Compiled op by op, as a call outside of a program is, a large network takes three times the time
    and the memory.
    """
    held = [variable.value for variable in captured.variables]
    program = jax.jit(lambda held, arrays: _results(captured, call, held, arrays))
    return lambda arrays: program(held, list(arrays))


def _inputs(captured: Captured) -> list[Any]:
    """What it is called with: shapes, with the named sizes of the graph."""
    sizes = jax.export.SymbolicScope()
    found: list[Any] = []
    for value in captured.graph.inputs:
        texts = ", ".join(map(str, value.shape))
        shape = jax.export.symbolic_shape(texts, scope=sizes) if value.shape else ()
        found.append(jax.ShapeDtypeStruct(shape, value.dtype))
    return found


def _results(
    captured: Captured, call: Call, held: Sequence[Any], arrays: Sequence[Any]
) -> list[Any]:
    """The results for arrays, with what the variables hold."""
    named = dict(zip((spec.name for spec in captured.inputs), arrays, strict=True))
    args, kwargs = tree.map_structure(
        lambda leaf: named.get(leaf, leaf) if isinstance(leaf, str) else leaf, captured.structure
    )
    values = [jax.numpy.asarray(value) for value in held]
    pairs = list(zip(captured.variables, values, strict=True))
    with contextlib.ExitStack() as stack:
        stack.enter_context(changes.tracing())
        stack.enter_context(scope.running_program(scope.ProgramRun(is_traced=True)))
        stack.enter_context(scope.StatelessScope(pairs))
        return [jax.numpy.asarray(x) for x in tree.flatten(call(*args, **kwargs))]


__all__ = ["compiled", "exported", "opened", "text"]
