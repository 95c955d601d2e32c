"""Control flow: WHILE and IF, whose graphs are subgraphs of the file.

What is known (weights, constants) stands in each subgraph that reads it, for the buffers of a file
are common to all; only what a run tells goes through the variables of a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nacre.export.graph.ir import Graph, Node
from nacre.export.graph.sizes import Size, symbol
from nacre.export.targets.litert.body import Body, Tensor
from nacre.export.targets.litert.rules._rule import inlined, rule, widened
from nacre.export.targets.litert.rules.elementwise import binary

# (subgraph in the making, values of all inputs) -> results.
Step = Callable[[Body, Sequence[Tensor]], Sequence[Tensor]]


def _like(tensor: Tensor, name: str, inner: Body) -> Tensor:
    return inner.input(name, tensor.dtype, tensor.shape)


def _loop(make: Body, variables: Sequence[Tensor], condition: Step, step: Step) -> list[Tensor]:
    """A loop over variables; each subgraph gives its results from them."""
    names = {"cond_subgraph_index": condition, "body_subgraph_index": step}
    options: dict[str, int] = {}
    for option, run in names.items():
        inner = Body(f"{make.name}_{option.split('_')[0]}_{len(make.file)}", make.file)
        given = [_like(x, f"variable_{i}", inner) for i, x in enumerate(variables)]
        inner.outputs = _apart(inner, run(inner, given), given if option[0] == "b" else [])
        options[option] = inner.index
    results = [(x.dtype, x.shape) for x in variables]
    return make.add_all("WHILE", variables, results, **options)


def _apart(inner: Body, results: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
    """Results that are tensors of their own: not constants, not twice the same, and no input but in
    its own place."""
    found: list[Tensor] = []
    for index, x in enumerate(results):
        in_place = index < len(places) and x is places[index]
        is_own = x.data is None and x not in found and (in_place or x not in inner.inputs)
        found.append(x if is_own else inner.copied(x))
    return found


def _varying(inputs: Sequence[Tensor]) -> list[int]:
    """The places of those that only a run tells."""
    return [index for index, x in enumerate(inputs) if x.data is None]


@rule("while")
def _while(make: Body, node: Node, inputs: Sequence[Tensor]) -> list[Tensor]:
    count = node.attributes["constants"]
    handed = _varying(inputs[:count])
    variables = [*(inputs[i] for i in handed), *inputs[count:]]

    def arguments(given: Sequence[Tensor]) -> list[Tensor]:
        fixed = list(inputs[:count])
        for index, x in zip(handed, given):
            fixed[index] = x
        return [*fixed, *given[len(handed) :]]

    def condition(inner: Body, given: Sequence[Tensor]) -> list[Tensor]:
        return inlined(inner, node.graphs["condition"], arguments(given))

    def step(inner: Body, given: Sequence[Tensor]) -> list[Tensor]:
        new = inlined(inner, node.graphs["body"], arguments(given))
        return [*given[: len(handed)], *new]

    return _loop(make, variables, condition, step)[len(handed) :]


# Steps of a block. A loop's variables are copied at each pass, whole sequences too: of 4,000 steps
# of an LSTM of 64 units that is 366 ms, and 38 ms in blocks (one thread of a server).
_BLOCK = 64


@dataclass(frozen=True)
class _Scan:
    """A scan whose tensors are there.

    Attributes:
        body: What is done at each step.
        reverse: Whether it begins at the last one.
        constants, state, sequences: Its inputs.
        count: How many steps there are, (1,).
        room: Where what is collected is put, of as many steps.
    """

    body: Graph
    reverse: bool
    constants: Sequence[Tensor]
    state: Sequence[Tensor]
    sequences: Sequence[Tensor]
    count: Tensor
    room: Sequence[Tensor]


@rule("scan")
def _scan(make: Body, node: Node, inputs: Sequence[Tensor]) -> list[Tensor]:
    constants, carries = node.attributes["constants"], node.attributes["carries"]
    body, length = node.graphs["body"], node.attributes["length"]
    first = constants + carries
    collected = [output.value for output in body.outputs[carries:]]
    scan = _Scan(
        body,
        node.attributes["reverse"],
        inputs[:constants],
        inputs[constants:first],
        inputs[first:],
        make.reshape(make.size(length), (1,)),
        [make.full((length, *v.shape), 0, v.dtype) for v in collected],
    )
    is_short = isinstance(length, int) and length <= 2 * _BLOCK
    return _steps(make, scan, _step if is_short else _block)


# (subgraph in the making, the scan in it, how many steps are done) -> how many more are done then,
# the new state, and the new room.
_Pass = Callable[[Body, _Scan, Tensor], "tuple[Tensor, Sequence[Tensor], Sequence[Tensor]]"]


def _steps(make: Body, scan: _Scan, one_pass: _Pass) -> list[Tensor]:
    """The last state and what was collected. Variables of the loop: how many steps are done, how
    many there are, constants and sequences that only a run tells, state, room."""
    steady = [*scan.constants, *scan.sequences]
    handed = _varying(steady)
    start = make.constant(np.zeros(1, "int32"))
    varying = [steady[index] for index in handed]
    variables = [start, scan.count, *varying, *scan.state, *scan.room]
    at_state = 2 + len(handed)
    at_room = at_state + len(scan.state)

    def condition(inner: Body, given: Sequence[Tensor]) -> list[Tensor]:
        return [binary(inner, "LESS", given[0], given[1], "bool")]

    def step(inner: Body, given: Sequence[Tensor]) -> list[Tensor]:
        fixed = list(steady)
        for index, x in zip(handed, given[2:at_state], strict=True):
            fixed[index] = x
        count = len(scan.constants)
        within = replace(
            scan,
            constants=fixed[:count],
            sequences=fixed[count:],
            state=given[at_state:at_room],
            count=given[1],
            room=given[at_room:],
        )
        more, state, room = one_pass(inner, within, given[0])
        return [binary(inner, "ADD", given[0], more), *given[1:at_state], *state, *room]

    return _loop(make, variables, condition, step)[at_state:]


def _step(
    make: Body, scan: _Scan, done: Tensor
) -> tuple[Tensor, Sequence[Tensor], Sequence[Tensor]]:
    """One step."""
    one = make.constant([1], "int32")
    place = done
    if scan.reverse:
        place = binary(make, "SUB", binary(make, "SUB", scan.count, done), one)
    parts = [_step_of(make, x, place) for x in scan.sequences]
    results = inlined(make, scan.body, [*scan.constants, *scan.state, *parts])
    carries = len(scan.state)
    kept = [
        _put(make, whole, make.expand(part, 0), place)
        for whole, part in zip(scan.room, results[carries:], strict=True)
    ]
    return one, results[:carries], kept


def _block(
    make: Body, scan: _Scan, done: Tensor
) -> tuple[Tensor, Sequence[Tensor], Sequence[Tensor]]:
    """A loop over the next steps, of which the last may be fewer."""
    left = binary(make, "SUB", scan.count, done)
    size = binary(make, "MINIMUM", left, make.constant([_BLOCK], "int32"))
    place = binary(make, "SUB", left, size) if scan.reverse else done
    within = replace(
        scan,
        sequences=[_cut(make, x, place, size) for x in scan.sequences],
        count=size,
        room=[_cut(make, x, place, size) for x in scan.room],
    )
    results = _steps(make, within, _step)
    carries = len(scan.state)
    room = [
        _put(make, whole, block, place)
        for whole, block in zip(scan.room, results[carries:], strict=True)
    ]
    return size, results[:carries], room


def _step_of(make: Body, x: Tensor, place: Tensor) -> Tensor:
    """The part of a sequence at a step."""

    def work(xs: list[Tensor]) -> Tensor:
        (x,) = xs
        shape = (1, *x.shape[1:])
        return make.add("GATHER", [x, place], x.dtype, shape, axis=0, batch_dims=0)

    found = widened(make, [x], work, frozenset({"int8", "uint8", "int16"}))
    return make.squeeze(found, 0)


def _cut(make: Body, x: Tensor, place: Tensor, size: Tensor) -> Tensor:
    """So many steps of a sequence, from a place on."""
    begin, count = _along_first(make, place, x.ndim, 0), _along_first(make, size, x.ndim, -1)
    return make.add("SLICE", [x, begin, count], x.dtype, (symbol("steps"), *x.shape[1:]))


def _put(make: Body, whole: Tensor, update: Tensor, place: Tensor) -> Tensor:
    """A sequence with the steps from a place on replaced."""
    begin = _along_first(make, place, whole.ndim, 0)
    return make.add("DYNAMIC_UPDATE_SLICE", [whole, update, begin], whole.dtype, whole.shape)


def _along_first(make: Body, number: Tensor, count: int, others: int) -> Tensor:
    """A number for the first axis, and the same other one for the rest."""
    if count == 1:
        return number
    rest = make.ints(*[others] * (count - 1))
    return make.add("CONCATENATION", [number, rest], "int32", (count,), axis=0)


@rule("switch")
def _switch(make: Body, node: Node, inputs: Sequence[Tensor]) -> list[Tensor]:
    return _choice(make, node, inputs, 0, len(node.graphs))


def _choice(make: Body, node: Node, inputs: Sequence[Tensor], low: int, high: int) -> list[Tensor]:
    """One of the branches from low until before high: an IF, with a choice in each half."""
    index, *operands = inputs
    if high - low == 1:
        return inlined(make, node.graphs[f"branch_{low}"], operands)
    middle = (low + high) // 2
    is_upper = binary(make, "GREATER_EQUAL", index, make.constant(middle, "int32"), "bool")
    varying = _varying(inputs)
    options: dict[str, int] = {}
    halves = {"then_subgraph_index": (middle, high), "else_subgraph_index": (low, middle)}
    for option, (start, stop) in halves.items():
        inner = Body(f"{make.name}_branch_{len(make.file)}", make.file)
        given = list(inputs)
        for place in varying:
            given[place] = _like(inputs[place], f"operand_{place}", inner)
        inner.outputs = _apart(inner, _choice(inner, node, given, start, stop), [])
        options[option] = inner.index
    results: list[tuple[str, Sequence[Size]]] = [(v.dtype, v.shape) for v in node.outputs]
    handed = [inputs[place] for place in varying]
    return make.add_all("IF", [is_upper, *handed], results, **options)
