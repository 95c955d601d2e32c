"""Control flow: ops that hold graphs."""

from __future__ import annotations

from collections.abc import Sequence

from nacre.export.graph.ir import Graph, Node
from nacre.export.targets.graphdef.body import (
    Body,
    Callee,
    Callees,
    Kind,
    Kinds,
    Shapes,
    known_shape,
)
from nacre.export.targets.graphdef.rules import _loops
from nacre.export.targets.graphdef.rules._rule import dtype_of, lower_nodes, rule, value


def _inlined(make: Body, graph: Graph, arguments: Sequence[str]) -> list[str]:
    """The results of a graph, whose nodes are added to a function."""
    tensors: dict[object, str] = dict(zip(graph.inputs, arguments, strict=True))
    make.use_sizes_of(graph, tensors)
    lower_nodes(make, graph, tensors)
    return [tensors[output.value] for output in graph.outputs]


@rule("while")
def _while(make: Body, node: Node, inputs: Sequence[str]) -> list[str]:
    count = node.attributes["constants"]
    variables = [
        _loops.fixed(tensor, dtype_of(node, index), value(node, index).shape)
        for index, tensor in enumerate(inputs)
    ]

    def condition(inner: Body, arguments: Sequence[str]) -> list[str]:
        return _inlined(inner, node.graphs["condition"], arguments[1:])

    def step(inner: Body, arguments: Sequence[str]) -> list[str]:
        given = list(arguments[1:])
        return given[:count] + _inlined(inner, node.graphs["body"], given)

    return list(_loops.loop(make, "while", variables, condition, step))[count:]


@rule("scan")
def _scan(make: Body, node: Node, inputs: Sequence[str]) -> list[str]:
    constants, carries = node.attributes["constants"], node.attributes["carries"]
    body, length = node.graphs["body"], make.size(node.attributes["length"])
    first = constants + carries
    collected = [output.value for output in body.outputs[carries:]]
    sequences = [value(node, index) for index in range(first, len(inputs))]
    variables = [
        _loops.fixed(tensor, dtype_of(node, index), value(node, index).shape)
        for index, tensor in enumerate(inputs[:first])
    ]
    for tensor, sequence in zip(inputs[first:], sequences, strict=True):
        made = _loops.list_from(make, tensor, sequence.dtype, sequence.shape[1:])
        variables.append(_loops.held(made))
    for result in collected:
        variables.append(_loops.held(_loops.list_of(make, length, result.dtype, result.shape)))
    variables.append(_loops.Variable(length, "int32", ()))
    last = first + len(sequences)

    def condition(inner: Body, arguments: Sequence[str]) -> list[str]:
        return [inner.add("Less", [arguments[0], arguments[-1]], T=Kind("int32"))]

    def step(inner: Body, arguments: Sequence[str]) -> list[str]:
        number, *given, end = arguments
        place = number
        if node.attributes["reverse"]:
            one = inner.constant(1, "int32")
            place = inner.add("Sub", [end, number], T=Kind("int32"))
            place = inner.add("Sub", [place, one], T=Kind("int32"))
        parts = [
            _loops.get(inner, items, place, x.dtype, x.shape[1:])
            for items, x in zip(given[first:last], sequences, strict=True)
        ]
        results = _inlined(inner, body, [*given[:first], *parts])
        lists = [
            _loops.put(inner, items, place, tensor, result.dtype)
            for items, tensor, result in zip(
                given[last:], results[carries:], collected, strict=True
            )
        ]
        return [*given[:constants], *results[:carries], *given[first:last], *lists, end]

    found = _loops.loop(make, "scan", variables, condition, step, length)
    stacked = [
        _loops.stack(make, items, result.dtype, result.shape)
        for items, result in zip(found[last:-1], collected, strict=True)
    ]
    return [*found[constants:first], *stacked]


@rule("switch")
def _switch(make: Body, node: Node, inputs: Sequence[str]) -> Sequence[str]:
    index, *operands = inputs
    names: list[str] = []
    is_stateful = False
    for number in range(len(node.graphs)):
        graph = node.graphs[f"branch_{number}"]
        inner = make.inner(f"branch_{number}")
        given = [inner.argument(v.name, v.dtype, known_shape(v.shape)) for v in graph.inputs]
        results = _inlined(inner, graph, given)
        ends = [
            (f"output_{place}", tensor, output.value.dtype)
            for place, (tensor, output) in enumerate(zip(results, graph.outputs, strict=True))
        ]
        is_stateful |= inner.is_stateful
        make.library.append(inner.finish(ends))
        names.append(inner.name)
    kinds = {
        "Tin": Kinds(tuple(dtype_of(node, place) for place in range(1, len(inputs)))),
        "Tout": Kinds(tuple(v.dtype for v in node.outputs)),
        "output_shapes": Shapes(tuple(known_shape(v.shape) for v in node.outputs)),
    }
    count = len(node.outputs)
    if len(names) == 2:
        zero = make.constant(0, "int32")
        holds = make.add("Greater", [index, zero], T=Kind("int32"))
        return make.add_all(
            "If" if is_stateful else "StatelessIf",
            [holds, *operands],
            count,
            Tcond=Kind("bool"),
            then_branch=Callee(names[1]),
            else_branch=Callee(names[0]),
            **kinds,
        )
    index = make.add("Maximum", [index, make.constant(0, "int32")], T=Kind("int32"))
    return make.add_all(
        "Case" if is_stateful else "StatelessCase",
        [index, *operands],
        count,
        branches=Callees(tuple(names)),
        **kinds,
    )
