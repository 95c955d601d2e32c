"""Faults put into formats on purpose: an op that gives other numbers in the file than it should.

What compares a file with its model must find each, and name the layer: a format whose comparison
sees no fault says nothing by "verified".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np

from nacre.export.capture import Captured
from nacre.export.capture.signature import Spec
from nacre.export.graph.evaluate import evaluate
from nacre.export.graph.ir import Builder, Graph, Node, Value
from nacre.export.graph.opset import OPSET
from nacre.export.graph.sizes import SizeExpr, parse_size
from nacre.export.passes.rewriting import Rewriting
from nacre.testing.graph_ops import CASES, B, OpCase

Array: TypeAlias = np.ndarray[Any, Any]
Fault: TypeAlias = Literal["one percent more", "operands swapped"]
FAULTS: tuple[Fault, ...] = ("one percent more", "operands swapped")
_PERCENT = 0.01
_TIME = 5  # steps, where they are known
_FIRST, _SECOND = "net/first", "net/second"


@dataclass(frozen=True)
class SmallNet:
    """An op in the first of two layers, as a model's call is captured.

    Attributes:
        op: The op.
        captured: The net.
        arrays: What it is called with.
    """

    op: str
    captured: Captured
    arrays: Sequence[Array]

    def __call__(self, *arrays: Any) -> list[Array]:
        """What the net gives, by NumPy."""
        given = [np.asarray(x) for x in arrays]
        return list(evaluate(self.captured.graph, given).outputs.values())


def nets_of(op: str, *, scalars_as_lines: bool = False) -> Iterator[SmallNet]:
    """Nets with an op, one for each case that is known of it.

    Args:
        op: Its name in the graph.
        scalars_as_lines: Whether scalars are given as arrays of one axis.
    """
    for case in CASES:
        if case.op == op:
            graph, places = case.as_in_models(scalars_as_lines=scalars_as_lines)
            given = case.arrays(2, 5)
            arrays = [np.atleast_1d(given[i]) if scalars_as_lines else given[i] for i in places]
            yield _net(op, graph, arrays)
    for make in _FURTHER.get(op, ()):
        yield _net(op, *make())
    for case in CASES:
        if case.op == op and (plain := _with_known_sizes(case)) is not None:
            yield _net(op, *plain)


def _net(op: str, graph: Graph, arrays: Sequence[Array]) -> SmallNet:
    graph = _in_layers(graph)
    specs = tuple(
        Spec(v.name, tuple(None if isinstance(n, SizeExpr) else n for n in v.shape), v.dtype)
        for v in graph.inputs
    )
    outputs = [output.name for output in graph.outputs]
    names = [spec.name for spec in specs]
    return SmallNet(op, Captured(graph, specs, (names, {}), outputs, ()), arrays)


def _in_layers(graph: Graph) -> Graph:
    """The graph as a layer, and one behind it that adds floats up."""
    new = Rewriting(graph)
    for node in graph.nodes:
        new.keep(replace(node, layer=_FIRST))
    like = replace(graph.nodes[-1], layer=_SECOND)
    outputs = [
        output._replace(value=new.add("add", [output.value, output.value], like))
        if output.value.dtype == "float32"
        else output
        for output in graph.outputs
    ]
    return replace(graph, nodes=tuple(new.nodes), outputs=tuple(outputs))


# --- further nets of ops --------------------------------------------------------------------------


def _with_known_sizes(case: OpCase) -> tuple[Graph, list[Array]] | None:
    """A case of samples of known sizes, whose other inputs are weights; None where it has none."""
    if not case.inputs or None in case.inputs or case.graphs or case.sized_by:
        return None
    first = case.inputs[0]
    if first is None or not first.shape or first.shape[0] is not B:
        return None
    make, arrays = Builder(case.name), case.arrays(2, _TIME)
    x = make.input("x", first.dtype, [_settled(size) for size in first.shape])
    one = [  # of what has a batch too the first sample, which goes with any
        array[:1] if other is not None and B in other.shape[:1] else array
        for array, other in zip(arrays[1:], case.inputs[1:], strict=True)
    ]
    weights = [make.weight(f"layer/w{i}", array) for i, array in enumerate(one)]
    attributes = {
        name: tuple(map(_settled, value)) if isinstance(value, tuple) else value
        for name, value in case.attributes.items()
    }
    try:
        results = make.add_all(case.op, [x, *weights], attributes)
    except ValueError:  # all must have one shape
        return None
    return make.finish([(f"y{i}", value) for i, value in enumerate(results)]), arrays[:1]


def _settled(size: Any) -> Any:
    """A size with the number of steps in it known."""
    is_open = isinstance(size, SizeExpr)
    return parse_size(str(size).replace("time", str(_TIME))) if is_open else size


def _of_texts(op: str, **attributes: Any) -> tuple[Graph, list[Array]]:
    make = Builder(op)
    shape = (B,) if op == "text_split" else (B, 2)
    x = make.input("x", "string", shape)
    inputs = [x, x] if op == "text_cross" else [x]
    words = np.array([["one", "two"], ["six", "ten"]], object)
    graph = make.finish([("y", make.add(op, inputs, attributes))])
    return graph, [words[:, 0] if op == "text_split" else words]


def _of_indices(op: str, **attributes: Any) -> tuple[Graph, list[Array]]:
    make = Builder(op)
    x = make.input("x", "int32", (B, 2))
    graph = make.finish([("y", make.add(op, [x], attributes))])
    return graph, [np.array([[0, 1], [1, 2]], "int32")]


def _of_complex() -> tuple[Graph, list[Array]]:
    make = Builder("complex")
    x, y = make.input("x", "float32", (B, 3)), make.input("y", "float32", (B, 3))
    both = make.add("complex", [x, y])
    graph = make.finish([("re", make.add("real", [both])), ("im", make.add("imag", [both]))])
    random = np.random.default_rng(0)
    return graph, [random.uniform(0.1, 0.9, (2, 3)).astype("float32") for _ in "xy"]


def _of_spectrum() -> tuple[Graph, list[Array]]:
    make = Builder("spectrum")
    x = make.input("x", "float32", (B, 8))
    both = make.add("fft", [x], {"kind": "rfft", "lengths": (8,)})
    graph = make.finish([("re", make.add("real", [both])), ("im", make.add("imag", [both]))])
    return graph, [np.random.default_rng(0).uniform(0.1, 0.9, (2, 8)).astype("float32")]


def _of_matrix() -> tuple[Graph, list[Array]]:
    make = Builder("cholesky")
    x = make.input("x", "float32", (B, 2, 2))
    graph = make.finish([("y", make.add("cholesky", [x]))])
    return graph, [np.array([[[2, 1], [1, 2]], [[3, 1], [1, 1]]], "float32")]


def _of_constant() -> tuple[Graph, list[Array]]:
    make = Builder("constant")
    x = make.input("x", "float32", (B, 3))
    y = make.add("mul", [x, make.constant(np.array([0.5, 1.5, 2.5], "float32"))])
    return make.finish([("y", y)]), [np.random.default_rng(0).uniform(0.1, 0.9, (2, 3))]


# Of ops that no table of cases has.
_FURTHER: dict[str, Sequence[Callable[[], tuple[Graph, list[Array]]]]] = {
    "text_from_int": [partial(_of_indices, "text_from_int")],
    "text_of_index": [
        partial(_of_indices, "text_of_index", texts=("one", "two", "six"), missing="none")
    ],
    "text_lower": [partial(_of_texts, "text_lower")],
    "text_replace": [partial(_of_texts, "text_replace", pattern="[t]", replacement="d")],
    "text_split": [partial(_of_texts, "text_split", by="character", ngrams=(), length=4)],
    "text_lookup": [
        partial(_of_texts, "text_lookup", keys=("one", "two"), values=(3, 4), missing=0)
    ],
    "text_hash": [partial(_of_texts, "text_hash", buckets=100, salt=None)],
    "text_cross": [partial(_of_texts, "text_cross", buckets=100)],
    "complex": [_of_complex],
    "real": [_of_complex, _of_spectrum],
    "imag": [_of_complex, _of_spectrum],
    "cholesky": [_of_matrix],
    "constant": [_of_constant],
}

# --- faults ---------------------------------------------------------------------------------------


def with_fault(graph: Graph, op: str, fault: Fault) -> Graph | None:
    """The graph with a fault in each node of an op; None where it has no node for it.

    Args:
        op: Whose results are wrong.
        fault: 'one percent more' of floats, one more of whole numbers, the other of two truths,
            other letters, and texts of one number more; 'operands swapped' of the first two, where
            their types are the same.
    """
    changed = False

    def once(node: Node, new: Rewriting) -> Sequence[Value] | None:
        nonlocal changed
        inputs = node.inputs
        if node.op != op or OPSET[op].is_random:
            return None
        if fault == "operands swapped":
            first, second, *others = [*inputs, None, None]
            if first is None or second is None or first.type != second.type:
                return None
            inputs = (second, first, *others[: len(inputs) - 2])
        is_of_texts = fault != "operands swapped" and node.outputs[0].dtype == "string"
        if is_of_texts and inputs[0] is not None and inputs[0].dtype != "string":
            inputs = (_wrong(inputs[0], node, new), *inputs[1:])  # few formats change texts
        values = new.add_all(op, inputs, node, node.graphs, **node.attributes)
        changed = True
        if fault == "operands swapped" or inputs != node.inputs:
            return values
        return [_wrong(value, node, new) for value in values]

    found = Rewriting(graph).run(once)
    return found if changed else None


def _wrong(value: Value, node: Node, new: Rewriting) -> Value:
    if value.dtype == "bool":
        return new.add("not", [value], node)
    if value.dtype == "string":
        return new.add("text_replace", [value], node, pattern="[a-z0-9]", replacement="#")
    if "float" in value.dtype or "complex" in value.dtype:
        by = new.add("constant", [], node, value=np.asarray(1 + _PERCENT, value.dtype))
        return new.add("mul", [value, by], node)
    one = new.add("constant", [], node, value=np.asarray(1, value.dtype))
    return new.add("add", [value, one], node)


def is_seen(net: SmallNet, fault: Fault) -> bool:
    """Whether a fault changes what the net gives: sums do not know their operands' order."""
    wrong = with_fault(net.captured.graph, net.op, fault)
    if wrong is None:
        return False
    right = net(*net.arrays)
    found = evaluate(wrong, list(net.arrays)).outputs.values()
    same = (
        np.array_equal(one, other, equal_nan=other.dtype.kind in "fc")
        for one, other in zip(found, right, strict=True)
    )
    return not all(same)


__all__ = ["FAULTS", "Fault", "SmallNet", "is_seen", "nets_of", "with_fault"]
