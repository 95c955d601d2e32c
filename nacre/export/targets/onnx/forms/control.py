"""Control flow: Loop, Scan and If. Their graphs see the one around, so that what is the same at
each pass is not handed on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nacre.export.graph.ir import Graph, Node, Value
from nacre.export.targets.onnx.body import Body
from nacre.export.targets.onnx.forms._form import form, lower_nodes
from nacre.export.targets.onnx.forms.shaping import reversed_along

_ENDLESS = (1 << 63) - 1  # passes, of int64


def _given(node: Node) -> list[Value]:
    return [value for value in node.inputs if value is not None]


def _run(make: Body, graph: Graph, tensors: Sequence[str]) -> list[str]:
    """The results of a graph, whose nodes are added to this one."""
    for value, tensor in zip(graph.inputs, tensors, strict=True):
        make.bind(value, tensor)
    lower_nodes(make, graph)
    return [make.tensor(value) for _, value in graph.outputs]


def _finish(body: Body, results: Sequence[tuple[str, Value]]) -> None:
    """Let these be the results: each made by a node of this graph, and no two the same."""
    taken: set[str] = set()
    for tensor, value in results:
        if tensor not in body.maker or tensor in taken:
            tensor = body.add("Identity", [tensor])
        taken.add(tensor)
        body.outputs.append((tensor, value.dtype, value.shape))


def _argument(body: Body, value: Value) -> str:
    name = body.shared.own(f"{body.name}/{value.name}")
    body.inputs.append((name, value.dtype, value.shape))
    return name


@form("scan")
def _scan(make: Body, node: Node) -> Sequence[str]:
    attributes, graph = node.attributes, node.graphs["body"]
    values = _given(node)
    constants, carries = attributes["constants"], attributes["carries"]
    tensors = [make.tensor(value) for value in values]
    if len(values) == constants + carries:
        return _counted(make, node, tensors)
    body = make.inner(make.shared.own("scan"))
    # Arrays of the file are seen from within; what is computed is handed on from step to step,
    # since some runtimes do not let it be seen.
    passed = [i for i in range(constants) if tensors[i] not in make.shared.stored]
    held = {i: _argument(body, graph.inputs[i]) for i in passed}
    fixed = [held.get(i, tensors[i]) for i in range(constants)]
    own = [_argument(body, value) for value in graph.inputs[constants:]]
    results = _run(body, graph, [*fixed, *own])
    kept = [(held[i], graph.inputs[i]) for i in passed]
    _finish(body, [*kept, *((t, v) for t, (_, v) in zip(results, graph.outputs))])
    sequences = len(values) - constants - carries
    collected = len(graph.outputs) - carries
    backwards = {}
    if attributes["reverse"]:
        backwards = {"scan_input_directions": (1,) * sequences}
        if collected:
            backwards["scan_output_directions"] = (1,) * collected
    found = make.add_all(
        "Scan",
        [*(tensors[i] for i in passed), *tensors[constants:]],
        len(passed) + len(graph.outputs),
        body=body,
        num_scan_inputs=sequences,
        **backwards,
    )
    return found[len(passed) :]


def _counted(make: Body, node: Node, tensors: Sequence[str]) -> Sequence[str]:
    """A scan over no sequences: so many passes."""
    graph, constants = node.graphs["body"], node.attributes["constants"]
    carries = node.attributes["carries"]
    body = make.inner(make.shared.own("loop"))
    body.inputs.append((make.shared.own("pass"), "int64", ()))
    more = make.shared.own("more")
    body.inputs.append((more, "bool", ()))
    own = [_argument(body, value) for value in graph.inputs[constants:]]
    results = _run(body, graph, [*tensors[:constants], *own])
    said = Value("more", "bool", ())
    _finish(body, [(more, said), *((t, v) for t, (_, v) in zip(results, graph.outputs))])
    # Both limits are given: some runtimes do not take a loop without one of them.
    limits = [make.scalar(node.attributes["length"]), make.constant(np.asarray(True))]
    found = make.add_all("Loop", [*limits, *tensors[constants:]], len(graph.outputs), body=body)
    if not node.attributes["reverse"]:
        return found
    return [*found[:carries], *(reversed_along(make, x, [0]) for x in found[carries:])]


@form("while")
def _while(make: Body, node: Node) -> Sequence[str]:
    constants = node.attributes["constants"]
    condition, graph = node.graphs["condition"], node.graphs["body"]
    tensors = [make.tensor(value) for value in _given(node)]
    (first,) = _run(make, condition, tensors)
    body = make.inner(make.shared.own("while"))
    body.inputs.append((make.shared.own("pass"), "int64", ()))
    body.inputs.append((make.shared.own("more"), "bool", ()))
    own = [_argument(body, value) for value in graph.inputs[constants:]]
    results = _run(body, graph, [*tensors[:constants], *own])
    (more,) = _run(body, condition, [*tensors[:constants], *results])
    said = condition.outputs[0].value
    _finish(body, [(more, said), *((t, v) for t, (_, v) in zip(results, graph.outputs))])
    limits = [make.constant(np.int64(_ENDLESS)), first]
    return make.add_all("Loop", [*limits, *tensors[constants:]], len(graph.outputs), body=body)


@form("switch")
def _switch(make: Body, node: Node) -> Sequence[str]:
    index, *operands = [make.tensor(value) for value in _given(node)]
    branches = [node.graphs[f"branch_{i}"] for i in range(len(node.graphs))]
    return _chosen(make, index, branches, operands, 0)


def _chosen(
    make: Body, index: str, branches: Sequence[Graph], operands: Sequence[str], place: int
) -> list[str]:
    """The first branch where the index is at most its place, else one of the others."""
    if len(branches) == 1:
        return _run(make, branches[0], operands)
    is_first = make.add("LessOrEqual", [index, make.constant(np.int32(place))])
    inner: list[Body] = []
    for name, rest in (("then", branches[:1]), ("else", branches[1:])):
        body = make.inner(make.shared.own(name))
        results = _chosen(body, index, rest, operands, place + 1)
        _finish(body, [(t, v) for t, (_, v) in zip(results, branches[0].outputs)])
        inner.append(body)
    count = len(branches[0].outputs)
    return make.add_all("If", [is_first], count, then_branch=inner[0], else_branch=inner[1])
