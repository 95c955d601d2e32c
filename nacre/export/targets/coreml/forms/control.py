"""Control flow. A scan is a loop that counts, and puts what is collected into arrays of zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nacre.export.graph.ir import Graph, Node
from nacre.export.targets.coreml.maker import Maker, Var, mil_dtype
from nacre.export.targets.coreml.support import FORMS


def run(make: Maker, graph: Graph, given: Sequence[Any]) -> list[Var]:
    """A graph's nodes added, for these inputs; its results."""
    inner = make.within(dict(zip(graph.inputs, given, strict=True)))
    lower_nodes(inner, graph)
    return [inner.var(output.value) for output in graph.outputs]


def lower_nodes(make: Maker, graph: Graph) -> None:
    """Add the nodes of a graph."""
    for node in graph.nodes:
        make.put(node, FORMS.by_op[node.op](make, node))


def _givens(make: Maker, node: Node) -> list[Any]:
    return [make.given(v) for v in node.inputs if v is not None]


def _vars(make: Maker, node: Node) -> list[Var]:
    return [make.var(v) for v in node.inputs if v is not None]


@FORMS.form("while")
def _while(make: Maker, node: Node) -> Any:
    count = node.attributes["constants"]
    fixed, state = _givens(make, node)[:count], _vars(make, node)[count:]
    found = make.add(
        "while_loop",
        _cond=lambda *s: run(make, node.graphs["condition"], [*fixed, *s])[0],
        _body=lambda *s: tuple(run(make, node.graphs["body"], [*fixed, *s])),
        loop_vars=tuple(state),
    )
    return tuple(found) if len(state) > 1 else found


@FORMS.form("scan")
def _scan(make: Maker, node: Node) -> Any:
    a, body = node.attributes, node.graphs["body"]
    constants, carries = a["constants"], a["carries"]
    first = constants + carries
    fixed = _givens(make, node)[:constants]
    given = _vars(make, node)
    state, sequences = given[constants:first], given[first:]
    length = make.size(a["length"])
    length = np.int32(length) if isinstance(length, int) else length
    collected = [
        make.cast(
            make.add("fill", shape=make.vector(value.shape), value=np.float32(0)),
            "int32" if value.dtype == "bool" else value.dtype,
        )
        for value in node.outputs[carries:]
    ]
    last = make.add("sub", x=length, y=np.int32(1))

    def more(step: Var, *_: Var) -> Var:
        return make.add("less", x=step, y=length)

    def once(step: Var, *loop: Var) -> tuple[Var, ...]:
        place = make.add("sub", x=last, y=step) if a["reverse"] else step
        place = make.add("expand_dims", x=place, axes=[0])
        parts = [_part(make, x, place) for x in sequences]
        results = run(make, body, [*fixed, *loop[:carries], *parts])
        kept = [
            _put(make, whole, place, new, output.value.dtype)
            for whole, new, output in zip(
                loop[carries:], results[carries:], body.outputs[carries:], strict=True
            )
        ]
        return (make.add("add", x=step, y=np.int32(1)), *results[:carries], *kept)

    start = make.add("const", val=np.int32(0))
    found = make.add("while_loop", _cond=more, _body=once, loop_vars=(start, *state, *collected))
    _, *results = found
    ends = [
        make.cast(x, "bool") if value.dtype == "bool" and index >= carries else x
        for index, (x, value) in enumerate(zip(results, node.outputs, strict=True))
    ]
    return tuple(ends)


def _part(make: Maker, x: Var, place: Var) -> Var:
    """What stands at a step."""
    is_bool = x.dtype.__name__ == "bool"
    x = make.cast(x, "int32") if is_bool else x
    found = make.add("squeeze", x=make.add("gather", x=x, indices=place, axis=0), axes=[0])
    return make.cast(found, "bool") if is_bool else found


def _put(make: Maker, whole: Var, place: Var, new: Var, dtype: str) -> Var:
    new = make.cast(new, "int32") if dtype == "bool" else new
    row = make.add("expand_dims", x=new, axes=[0])
    return make.add("scatter", data=whole, indices=place, updates=row, axis=0, mode="update")


@FORMS.form("switch")
def _switch(make: Maker, node: Node) -> Any:
    index = make.input(node)
    operands = _vars(make, node)[1:]
    found = _chosen(make, node, index, operands, 0)
    return tuple(found) if isinstance(found, list | tuple) else found


def _chosen(make: Maker, node: Node, index: Var, operands: Sequence[Var], number: int) -> Any:
    """Branch `number`, or one after it: an index outside takes the nearest one."""
    branch = node.graphs[f"branch_{number}"]
    if number == len(node.graphs) - 1:
        return _results(make, branch, operands)
    is_this = make.add("less_equal", x=index, y=np.int32(number))
    return make.add(
        "cond",
        pred=is_this,
        _true_fn=lambda: _results(make, branch, operands),
        _false_fn=lambda: _chosen(make, node, index, operands, number + 1),
    )


def _results(make: Maker, branch: Graph, operands: Sequence[Var]) -> Any:
    # A result that is an operand is no op of the branch: MIL wants one there.
    found = [make.add("identity", x=x) for x in run(make, branch, operands)]
    return tuple(found) if len(found) > 1 else found[0]


__all__ = ["lower_nodes", "mil_dtype", "run"]
