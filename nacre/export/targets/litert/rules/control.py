"""Control flow: WHILE and IF, whose graphs are subgraphs of the file.

What is known (weights, constants) stands in each subgraph that reads it, for the buffers of a file
are common to all; only what a run tells goes through the variables of a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nacre.export.graph.ir import Node
from nacre.export.graph.sizes import Size
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


@rule("scan")
def _scan(make: Body, node: Node, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Variables: the number of the step, constants, sequences, state, what is collected."""
    constants, carries = node.attributes["constants"], node.attributes["carries"]
    body, length = node.graphs["body"], node.attributes["length"]
    first = constants + carries
    steady = [*inputs[:constants], *inputs[first:]]
    handed = _varying(steady)
    collected = [output.value for output in body.outputs[carries:]]
    start = make.reshape(make.constant(0, "int32"), (1,))
    room = [make.full((length, *v.shape), 0, v.dtype) for v in collected]
    count = make.reshape(make.size(length), (1,))
    variables = [start, count, *(steady[i] for i in handed), *inputs[constants:first], *room]
    at_state = 2 + len(handed)

    def condition(inner: Body, given: Sequence[Tensor]) -> list[Tensor]:
        return [binary(inner, "LESS", given[0], given[1], "bool")]

    def step(inner: Body, given: Sequence[Tensor]) -> list[Tensor]:
        number, end, *_ = given
        one = inner.constant([1], "int32")
        place = number
        if node.attributes["reverse"]:
            place = binary(inner, "SUB", binary(inner, "SUB", end, number), one)
        fixed = list(steady)
        for index, x in zip(handed, given[2:at_state], strict=True):
            fixed[index] = x
        parts = [_step_of(inner, x, place) for x in fixed[constants:]]
        state = given[at_state : at_state + carries]
        results = inlined(inner, body, [*fixed[:constants], *state, *parts])
        kept = [
            _put(inner, whole, part, place)
            for whole, part in zip(given[at_state + carries :], results[carries:], strict=True)
        ]
        following = binary(inner, "ADD", number, one)
        return [following, *given[1:at_state], *results[:carries], *kept]

    return _loop(make, variables, condition, step)[at_state:]


def _step_of(make: Body, x: Tensor, place: Tensor) -> Tensor:
    """The part of a sequence at a step."""

    def work(xs: list[Tensor]) -> Tensor:
        (x,) = xs
        shape = (1, *x.shape[1:])
        return make.add("GATHER", [x, place], x.dtype, shape, axis=0, batch_dims=0)

    found = widened(make, [x], work, frozenset({"int8", "uint8", "int16"}))
    return make.squeeze(found, 0)


def _put(make: Body, whole: Tensor, part: Tensor, place: Tensor) -> Tensor:
    """A sequence with the part of a step replaced."""
    update = make.expand(part, 0)
    zeros = make.ints(*[0] * part.ndim)
    begin = make.add("CONCATENATION", [place, zeros], "int32", (whole.ndim,), axis=0)
    begin = begin if part.ndim else place
    return make.add("DYNAMIC_UPDATE_SLICE", [whole, update, begin], whole.dtype, whole.shape)


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
