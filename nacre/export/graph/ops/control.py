"""Control flow: ops that hold graphs.

The graphs see nothing of the graph around: all they use is among their inputs. The first
`constants` inputs of `while` and `scan` are the same for each pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nacre.export.graph.opset import Array, Bool, Int, OneSize, Type, op
from nacre.export.graph.rules import require, same_shape, same_size

Run = Callable[..., list[Array]]


def _fits(graph: Any, types: Any, name: str) -> None:
    """The graph's inputs must be of these types."""
    inputs = [v.type for v in graph.inputs]
    fits = len(inputs) == len(types) and all(map(_alike, inputs, types))
    text = ", ".join(map(str, types))
    require(fits, f"graph {name!r} takes {', '.join(map(str, inputs))}, and is given {text}")
    require(not graph.weights and not graph.updates, f"graph {name!r} must not have weights")


def _gives(graph: Any, types: Any, name: str) -> None:
    """The graph's outputs must be of these types."""
    outputs = [o.value.type for o in graph.outputs]
    fits = len(outputs) == len(types) and all(map(_alike, outputs, types))
    text = ", ".join(map(str, types))
    require(fits, f"graph {name!r} gives {', '.join(map(str, outputs))}, not {text}")


def _alike(left: Type, right: Type) -> bool:
    return left.dtype == right.dtype and same_shape(left.shape, right.shape)


def _while_types(types: Any, attributes: Any) -> tuple[Type, ...]:
    graphs, state = attributes["graphs"], types[attributes["constants"] :]
    _fits(graphs["condition"], types, "condition")
    _fits(graphs["body"], types, "body")
    _gives(graphs["condition"], [Type("bool", ())], "condition")
    _gives(graphs["body"], state, "body")
    return tuple(state)


@op(shapes=_while_types, graphs=("condition", "body"))
def while_(graphs: dict[str, Run], *values: Array, constants: Int) -> Any:
    """The state, run through 'body' as long as 'condition' gives True. Inputs, of the graphs too:
    constants, then state; the condition gives one bool, the body the new state."""
    fixed, state = list(values[:constants]), list(values[constants:])
    while bool(graphs["condition"](*fixed, *state)[0]):
        state = graphs["body"](*fixed, *state)
    return tuple(state)


def _scan_types(types: Any, attributes: Any) -> tuple[Type, ...]:
    body, length = attributes["graphs"]["body"], attributes["length"]
    first = attributes["constants"] + attributes["carries"]
    sequences = types[first:]
    for x in sequences:
        fits = len(x.shape) > 0 and same_size(x.shape[0], length)
        require(fits, f"the first axis of {x} must be the length {length}")
    _fits(body, [*types[:first], *(Type(x.dtype, x.shape[1:]) for x in sequences)], "body")
    carried = types[attributes["constants"] : first]
    outputs = [o.value.type for o in body.outputs]
    require(len(outputs) >= len(carried), "graph 'body' gives too little")
    collected = outputs[len(carried) :]
    _gives(body, [*carried, *collected], "body")
    return (*carried, *(Type(t.dtype, (length, *t.shape)) for t in collected))


@op(shapes=_scan_types, graphs=("body",))
def scan(
    graphs: dict[str, Run],
    *values: Array,
    constants: Int,
    carries: Int,
    length: OneSize,
    reverse: Bool,
) -> Any:
    """'body' run for each of `length` steps. Inputs: constants, carried state, sequences with the
    step as first axis; the body takes constants, state and one step of each sequence, and gives the
    new state and what is collected. Results: the last state, and what was collected, with the step
    as first axis. `reverse` runs from the last step; results keep the order of the sequences."""
    first = constants + carries
    fixed, state, sequences = (
        list(values[:constants]),
        list(values[constants:first]),
        values[first:],
    )
    steps: list[list[Array]] = []
    for t in reversed(range(length)) if reverse else range(length):
        results = graphs["body"](*fixed, *state, *(x[t] for x in sequences))
        state = results[:carries]
        steps.append(results[carries:])
    steps = steps[::-1] if reverse else steps
    collected = [np.stack(parts) for parts in zip(*steps)]
    return (*state, *collected)


def _switch_types(types: Any, attributes: Any) -> tuple[Type, ...]:
    index, *operands = types
    require(index == Type("int32", ()), f"the index must be int32[], not {index}")
    graphs = attributes["graphs"]
    names = [f"branch_{i}" for i in range(len(graphs))]
    require(sorted(graphs) == sorted(names) and bool(names), f"graphs must be named {names}")
    results = [o.value.type for o in graphs["branch_0"].outputs]
    for name in names:
        _fits(graphs[name], operands, name)
        _gives(graphs[name], results, name)
    return tuple(results)


@op(shapes=_switch_types, graphs=("*",))
def switch(graphs: dict[str, Run], index: Array, *operands: Array) -> Any:
    """The graph 'branch_<index>' applied to the operands; an index outside takes the nearest one.
    A condition is an index: False 0, True 1."""
    chosen = min(max(int(index), 0), len(graphs) - 1)
    return tuple(graphs[f"branch_{chosen}"](*operands))
