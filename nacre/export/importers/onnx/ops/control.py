"""Branches and loops; sequences and optionals.

What a branch or a loop decides by is looked at where it is known, and becomes part of the program
where it is not.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from nacre.core.tracing import is_tracer
from nacre.export.importers.onnx.ops.math import name_of
from nacre.export.importers.onnx.ops.shaping import split
from nacre.export.importers.onnx.reading import Graph
from nacre.export.importers.onnx.registry import Node, op
from nacre.export.importers.onnx.run import Scope, run_graph
from nacre.export.importers.onnx.values import (
    EMPTY,
    Empty,
    GraphError,
    NotKnownError,
    axis_of,
    dtype_of,
    has_symbols,
    integer,
    ints,
    is_known,
    known,
    lifted,
    numbers,
)

_MOST_STEPS = 100_000  # of a loop that is run step by step
_MOST_UNROLLED = 16  # of one whose steps are written out in a program


def _graph(node: Node, name: str) -> Graph:
    found = node.get(name)
    if not isinstance(found, Graph):
        raise GraphError(f"the attribute {name} must be a graph")
    return found


@op("If", scoped=True)
def _if(node: Node, scope: Scope, condition: Any) -> Any:
    branches = [_graph(node, "else_branch"), _graph(node, "then_branch")]
    if not is_tracer(condition):
        return tuple(run_graph(branches[bool(known(condition).reshape(()))], scope, []))

    def branch(graph: Graph) -> Any:
        def computed() -> Any:
            found = run_graph(graph, scope, [])
            if not all(is_known(v) or hasattr(v, "aval") for v in found):
                raise NotKnownError("sequences of a branch that is chosen when the program runs")
            return tuple(lifted(v) for v in found)

        return computed

    try:
        return lax.cond(
            condition.reshape(()).astype(bool), branch(branches[1]), branch(branches[0])
        )
    except TypeError as error:
        raise NotKnownError(f"branches give arrays of different shapes: {error}") from None


@op("Loop", scoped=True)
def _loop(node: Node, scope: Scope, most: Any = None, condition: Any = None, *states: Any) -> Any:
    body = _graph(node, "body")
    if len(body.inputs) != len(states) + 2:
        raise GraphError(f"a body of {len(body.inputs)} inputs for {len(states)} values")
    parts = [most, condition, *states, *(scope.get(name) for name in body.reads)]
    is_traced = any(_has_tracer(part) for part in parts)
    if not is_traced:
        return tuple(_by_steps(body, scope, most, condition, states))
    if any(isinstance(state, list | Empty) for state in states) or _few(most):
        try:
            return tuple(_by_steps(body, scope, most, condition, states))
        except _AskError as error:
            if any(isinstance(state, list | Empty) for state in states):
                raise NotKnownError(
                    "a loop over sequences that ends when the program runs"
                ) from error
    return tuple(_in_program(body, scope, most, condition, states))


class _AskError(Exception):
    """A loop whose end is not known was to be run step by step."""


def _few(most: Any) -> bool:
    if most is None or is_tracer(most) or has_symbols(most):
        return False
    return int(known(most).reshape(())) <= _MOST_UNROLLED


def _has_tracer(value: Any) -> bool:
    if isinstance(value, list):
        return any(_has_tracer(item) for item in value)
    return is_tracer(value) or has_symbols(value)


def _asked(value: Any) -> bool:
    if is_tracer(value):
        raise _AskError
    return bool(known(value).reshape(()))


def _by_steps(body: Graph, scope: Scope, most: Any, condition: Any, states: Any) -> list[Any]:
    """A loop that is run step by step."""
    count = None if most is None else int(integer(most))
    goes_on = condition is None or _asked(condition)
    current, kept = list(states), [[] for _ in range(len(body.outputs) - 1 - len(states))]
    step = 0
    while goes_on and (count is None or step < count):
        if step >= _MOST_STEPS:
            raise GraphError(f"a loop of more than {_MOST_STEPS} steps")
        found = run_graph(body, scope, [np.asarray(step, np.int64), np.asarray(True), *current])
        goes_on = _asked(found[0])
        current = found[1 : 1 + len(current)]
        for values, value in zip(kept, found[1 + len(current) :], strict=True):
            values.append(value)
        step += 1
    return [
        *current,
        *(_stacked(values, body, at) for at, values in enumerate(kept, 1 + len(current))),
    ]


def _stacked(values: list[Any], body: Graph, at: int) -> Any:
    """What an output of the body was at each step."""
    if values:
        module = numbers(*values)
        return module.stack(values if module is np else [lifted(v) for v in values])
    told = body.types.get(body.outputs[at])
    tensor = None if told is None else told.tensor_type
    if tensor is None:
        raise GraphError("a loop without steps, of whose outputs no shape is told")
    sizes = [d.dim_value or 0 for d in tensor.shape.dim] if tensor.shape is not None else []
    return np.zeros((0, *sizes), dtype_of(name_of(tensor.elem_type)))


def _in_program(body: Graph, scope: Scope, most: Any, condition: Any, states: Any) -> list[Any]:
    """A loop that is part of a program: a scan where its length is known, else a `while`."""
    count_stacked = len(body.outputs) - 1 - len(states)
    begin = tuple(lifted(state) for state in states)
    is_open = condition is not None and is_tracer(condition)
    if not is_open and condition is not None and not bool(known(condition).reshape(())):
        if count_stacked:
            return [
                *begin,
                *(_stacked([], body, 1 + len(begin) + at) for at in range(count_stacked)),
            ]
        return list(begin)
    ends: list[bool] = []

    def one(carried: Any, step: Any) -> Any:
        found = run_graph(body, scope, [step, np.asarray(True), *carried])
        ends.append(is_known(found[0]) and bool(found[0].reshape(())))
        states_after = tuple(
            _like(value, old) for value, old in zip(found[1:], carried, strict=False)
        )
        return states_after, tuple(lifted(v) for v in found[1 + len(carried) :]), found[0]

    if most is not None and not is_tracer(most) and not is_open:
        (length,) = ints(most)
        try:
            last, stacked = lax.scan(
                lambda c, s: _if_endless(one(c, s), ends), begin, jnp.arange(length)
            )
            return [*last, *stacked]
        except _AskError:
            pass
    if count_stacked:
        raise NotKnownError("a loop that ends when the program runs gives an output for each step")
    limit = None if most is None else lifted(most).reshape(())

    def goes_on(carried: Any) -> Any:
        step, holds, _ = carried
        return holds if limit is None else holds & (step < limit)

    def turn(carried: Any) -> Any:
        step, _, values = carried
        after, _, holds = one(values, step)
        return step + 1, jnp.asarray(lifted(holds)).reshape(()).astype(bool), after

    start = jnp.asarray(True) if condition is None else lifted(condition).reshape(()).astype(bool)
    zero = jnp.zeros((), jnp.int32 if limit is None else limit.dtype)
    return list(lax.while_loop(goes_on, turn, (zero, start, begin))[2])


def _if_endless(found: Any, ends: list[bool]) -> Any:
    if not ends[-1]:
        raise _AskError
    return found[:2]


def _like(value: Any, old: Any) -> Any:
    """A value that is carried on: of the shape that it had.

    Raises:
        NotKnownError: It has another.
    """
    value = lifted(value)
    if tuple(value.shape) != tuple(old.shape):
        raise NotKnownError(f"a value of a loop grows from {old.shape} to {value.shape}")
    return value.astype(old.dtype)


@op("Scan", scoped=True)
def _scan(node: Node, scope: Scope, *inputs: Any) -> Any:
    if node.version < 9:
        return _scan_of_batches(node, scope, inputs)
    return _scanned(node, scope, inputs)


def _scanned(node: Node, scope: Scope, inputs: Any) -> Any:
    body, count = _graph(node, "body"), node.number("num_scan_inputs", 0)
    first = len(inputs) - count
    states = tuple(lifted(v) for v in inputs[:first])
    outs = len(body.outputs) - first
    directions = node.numbers("scan_input_directions", node.numbers("directions", [0] * count))
    axes = node.numbers("scan_input_axes", [0] * count)
    given: list[Any] = []
    for value, axis, is_backward in zip(inputs[first:], axes, directions, strict=True):
        value = lifted(value)
        value = jnp.moveaxis(value, axis_of(axis, len(value.shape)), 0)
        given.append(jnp.flip(value, 0) if is_backward else value)

    def one(carried: Any, parts: Any) -> Any:
        found = run_graph(body, scope, [*carried, *parts])
        after = tuple(_like(v, old) for v, old in zip(found, carried, strict=False))
        return after, tuple(lifted(v) for v in found[first:])

    last, stacked = lax.scan(one, states, tuple(given))
    backward = node.numbers("scan_output_directions", [0] * outs)
    to_axes = node.numbers("scan_output_axes", [0] * outs)
    made: list[Any] = []
    for value, axis, is_backward in zip(stacked, to_axes, backward, strict=True):
        value = jnp.flip(value, 0) if is_backward else value
        made.append(jnp.moveaxis(value, 0, axis_of(axis, len(value.shape))))
    return (*last, *made)


def _scan_of_batches(node: Node, scope: Scope, inputs: Any) -> Any:
    """Operator set 8: a first axis of batches, and lengths before all."""
    lengths, rest = inputs[0], [lifted(v) for v in inputs[1:]]
    if lengths is not None:
        raise GraphError("lengths of sequences, in a Scan of operator set 8")
    found = [_scanned(node, scope, [v[i] for v in rest]) for i in range(rest[0].shape[0])]
    return tuple(jnp.stack(list(each)) for each in zip(*found, strict=True))


# --- sequences ------------------------------------------------------------------------------------


def _place(sequence: list[Any], at: Any, default: int) -> int:
    place = default if at is None else int(integer(at))
    place = place + len(sequence) if place < 0 else place
    if not 0 <= place <= len(sequence):
        raise GraphError(f"there is no place {place} among {len(sequence)}")
    return place


@op("SequenceConstruct", kept=(-1,))
def _sequence_construct(node: Node, *values: Any) -> Any:
    return (list(values),)


@op("SequenceEmpty", kept=(-1,))
def _sequence_empty(node: Node) -> Any:
    return ([],)


@op("SequenceAt", kept=(-1,))
def _sequence_at(node: Node, sequence: Any, at: Any) -> Any:
    place = _place(sequence, at, 0)
    if place == len(sequence):
        raise GraphError(f"there is no place {place} among {len(sequence)}")
    return sequence[place]


@op("SequenceInsert", kept=(-1,))
def _sequence_insert(node: Node, sequence: Any, value: Any, at: Any = None) -> Any:
    place = _place(sequence, at, len(sequence))
    return ([*sequence[:place], value, *sequence[place:]],)


@op("SequenceErase", kept=(-1,))
def _sequence_erase(node: Node, sequence: Any, at: Any = None) -> Any:
    place = _place(sequence, at, len(sequence) - 1)
    return ([*sequence[:place], *sequence[place + 1 :]],)


@op("SequenceLength", kept=(-1,))
def _sequence_length(node: Node, sequence: Any) -> Any:
    return np.asarray(len(sequence), np.int64)


@op("SequenceMap", scoped=True)
def _sequence_map(node: Node, scope: Scope, sequence: Any, *others: Any) -> Any:
    body = _graph(node, "body")
    found = [
        run_graph(body, scope, [v, *(o[i] if isinstance(o, list) else o for o in others)])
        for i, v in enumerate(sequence)
    ]
    if not found:
        return tuple([] for _ in body.outputs)
    return tuple(list(each) for each in zip(*found, strict=True))


@op("SplitToSequence", kept=(-1,))
def _split_to_sequence(node: Node, x: Any, sizes: Any = None) -> Any:
    axis = axis_of(node.number("axis", 0), len(x.shape))
    total = x.shape[axis]
    if sizes is None:
        parts = split(x, [1] * total, axis)
        if not node.number("keepdims", 1):
            parts = [numbers(x).squeeze(part, axis) for part in parts]
        return (parts,)
    found = ints(sizes)
    if not np.ndim(sizes):
        each = found[0]
        rest = total % each
        found = (each,) * (total // each) + ((rest,) if rest else ())
    return (split(x, list(found), axis),)


@op("ConcatFromSequence", kept=(-1,))
def _concat_from_sequence(node: Node, sequence: Any) -> Any:
    if not sequence:
        raise GraphError("an empty sequence has nothing to join")
    module = numbers(*sequence)
    values = sequence if module is np else [lifted(v) for v in sequence]
    axis = node.number("axis", 0)
    return (module.stack if node.number("new_axis", 0) else module.concatenate)(values, axis)


@op("Optional", kept=(-1,))
def _optional(node: Node, value: Any = None) -> Any:
    return (EMPTY if value is None else value,)


@op("OptionalHasElement", kept=(-1,))
def _optional_has_element(node: Node, value: Any = None) -> Any:
    return np.asarray(value is not None and value is not EMPTY)


@op("OptionalGetElement", kept=(-1,))
def _optional_get_element(node: Node, value: Any) -> Any:
    if value is EMPTY:
        raise GraphError("an empty optional has no element")
    return (value,)


__all__: list[str] = []
