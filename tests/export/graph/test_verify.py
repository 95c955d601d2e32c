"""A graph in which something does not hold is refused, with the fault in words: one case a rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from nacre.core.errors import GraphError
from nacre.export.graph.ir import Builder, Graph, Node, Output, Update, Value
from nacre.export.graph.sizes import symbol
from nacre.export.graph.verify import verify

BATCH = symbol("batch")


def graph() -> Graph:
    """relu(x · kernel), with an update of `mean`."""
    make = Builder("net")
    x = make.input("x", "float32", (BATCH, 4))
    kernel = make.weight("dense/kernel", np.ones((4, 3), "float32"))
    mean = make.weight("dense/mean", np.ones((3,), "float32"), trainable=False)
    y = make.add("dense", [x, kernel, None], layer="dense")
    y = make.add("relu", [y])
    new = make.add("reduce_mean", [y], {"axes": (0,), "keepdims": False})
    new = make.add("add", [new, mean])
    return make.finish([("y", y)], [("dense/mean", new)])


def with_node(index: int, **changes: object) -> Graph:
    """The graph with one node changed."""
    whole = graph()
    nodes = list(whole.nodes)
    nodes[index] = replace(nodes[index], **changes)  # type: ignore[arg-type]
    return replace(whole, nodes=tuple(nodes))


def renamed(op: str) -> Graph:
    return with_node(1, op=op)


def with_attributes(**attributes: object) -> Graph:
    return with_node(2, attributes=attributes)


def read_too_early() -> Graph:
    whole = graph()
    return replace(whole, nodes=(whole.nodes[1], whole.nodes[0], *whole.nodes[2:]))


def made_twice() -> Graph:
    whole = graph()
    return replace(whole, nodes=(*whole.nodes, whole.nodes[1]))


def same_name() -> Graph:
    whole = graph()
    relu = whole.nodes[1]
    value = Value("dense_0", *relu.outputs[0].type)
    return replace(whole, nodes=(*whole.nodes, Node("relu", relu.inputs, (value,))))


def with_outputs(*types: tuple[str, tuple[object, ...]]) -> Graph:
    values = tuple(Value(f"v{i}", *type_) for i, type_ in enumerate(types))  # type: ignore[arg-type]
    whole = graph()
    return replace(whole, nodes=(*whole.nodes, Node("relu", (whole.inputs[0],), values)))


def stray_output() -> Graph:
    return replace(graph(), outputs=(Output("y", Value("z", "float32", ())),))


def two_outputs() -> Graph:
    whole = graph()
    return replace(whole, outputs=whole.outputs * 2)


def with_update(path: str, dtype: str = "float32") -> Graph:
    whole = graph()
    new = Value("new", dtype, (3,))
    nodes = (*whole.nodes, Node("cast", (whole.updates[0].value,), (new,), {"dtype": dtype}))
    return replace(whole, nodes=nodes, updates=(Update(path, new),))


def two_updates() -> Graph:
    whole = graph()
    return replace(whole, updates=whole.updates * 2)


def other_numbers() -> Graph:
    whole = graph()
    first = replace(whole.weights[0], data=np.ones((4, 2), "float32"))
    return replace(whole, weights=(first, whole.weights[1]))


def one_path_twice() -> Graph:
    whole = graph()
    second = replace(whole.weights[1], path="dense/kernel")
    return replace(whole, weights=(whole.weights[0], second), updates=())


def unbound_size() -> Graph:
    whole = graph()
    value = Value("long", "float32", (symbol("time"), 4))
    return replace(whole, inputs=(*whole.inputs, value, Value("w", "float32", (symbol("k") + 1,))))


def branch_of_other_types() -> Graph:
    inner = Builder("one")
    inner.input("a", "int32", ())
    branch = inner.finish([("out", inner.inputs[0])])
    make = Builder("net")
    index = make.input("index", "int32", ())
    x = make.input("x", "float32", ())
    node = Node("switch", (index, x), (Value("y", "int32", ()),), {}, {"branch_0": branch})
    return replace(make.finish([("y", node.outputs[0])]), nodes=(node,))


CASES: list[tuple[str, Callable[[], Graph]]] = [
    ("there is no such op; did you mean 'relu'?", lambda: renamed("reluu")),
    ("it takes 1 inputs: 2", lambda: with_node(1, inputs=(graph().inputs[0],) * 2)),
    ("input 'kernel' must not be left out", lambda: with_node(0, inputs=(None, None, None))),
    ("attribute 'keepdims' is missing", lambda: with_attributes(axes=(0,))),
    ("it has no attribute 'axis'", lambda: with_attributes(axes=(0,), keepdims=False, axis=1)),
    ("'axes': it must be of kind Ints: [0]", lambda: with_attributes(axes=[0], keepdims=False)),
    ("'keepdims': it must be of kind Bool: 0", lambda: with_attributes(axes=(0,), keepdims=0)),
    ("axis 5 is none of 2", lambda: with_attributes(axes=(5,), keepdims=False)),
    ("input 'dense_0' was not made before it", read_too_early),
    ("'relu_0' is made a second time", made_twice),
    ("there is a value 'dense_0' already", same_name),
    ("it gives 1 values, the node has 2", lambda: with_outputs(("float32", ()), ("float32", ()))),
    (
        "float32[batch, 4], the node says float32[batch, 5]",
        lambda: with_outputs(("float32", (BATCH, 5))),
    ),
    (
        "it gives float32[batch, 4], the node says int32",
        lambda: with_outputs(("int32", (BATCH, 4))),
    ),
    ("has an unknown dtype 'float7'", lambda: with_outputs(("float7", (BATCH, 4)))),
    ("has sizes that no input has: k", unbound_size),
    ("output 'y': there is no such value", stray_output),
    ("there are two outputs 'y'", two_outputs),
    ("update of 'other': there is no such weight", lambda: with_update("other")),
    ("int32[3] cannot replace float32[3]", lambda: with_update("dense/mean", "int32")),
    ("'dense/mean' is updated twice", two_updates),
    ("its numbers are float32[4, 2], the graph says float32[4, 3]", other_numbers),
    ("two weights have one path", one_path_twice),
    ("graph 'branch_0' takes int32[], and is given float32[]", branch_of_other_types),
]


@pytest.mark.parametrize(("fault", "make"), CASES, ids=[fault for fault, _ in CASES])
def test_what_does_not_hold_is_refused(fault: str, make: Callable[[], Graph]) -> None:
    with pytest.raises(GraphError) as caught:
        verify(make())
    assert fault in str(caught.value)


def test_a_graph_that_holds_is_given_back() -> None:
    whole = graph()
    assert verify(whole) is whole


def test_all_faults_are_told_at_once() -> None:
    whole = replace(two_outputs(), updates=two_updates().updates)
    with pytest.raises(GraphError, match=r"4 faults:\n  there are two outputs"):
        verify(whole)
