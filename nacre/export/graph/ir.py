"""Graph, Node, Value: what a model computes, as every format can hold it.

A `Graph` has named inputs, named weights (inputs of their own kind, with the variable's path and
its numbers), nodes in the order they run, named outputs, and updates: which weight has which value
afterwards, as the moving statistics of a BatchNormalization in training.

A `Node` applies one op of the closed list (`opset`) to values. Its attributes are plain data,
always all there: ints, floats, bools, strings, tuples of these, arrays, and sizes that may be
symbolic. Control flow holds graphs (`while`, `scan`, `switch`): these see nothing of the graph
around, all they use is handed to them as inputs, and they have no weights.

A `Value` has name, dtype and shape from birth. Sizes that are known only when the graph runs are
expressions of named sizes (`sizes`); each name is the size of some axis of an input, and
`Graph.symbols()` tells which, so that a format can ask for it there. A few ops (`text_split`) make
a new one, which is the size of an axis of their result.

Axes are as in Keras, channels last. Booleans are 'bool', texts are 'string'. All of this is
immutable: a pass makes a new graph, with `Builder`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from nacre.export.graph.opset import OPSET, Type
from nacre.export.graph.sizes import Size, multiple_of_name


@dataclass(frozen=True, eq=False, slots=True)
class Value:
    """What a node gives, or what a graph is given. Two values are the same only if they are one.

    Attributes:
        name: Its own within the graph. That of a weight is the variable's path.
        dtype: 'float32', 'int32', 'bool', 'string' ...
        shape: Sizes, known or symbolic.
    """

    name: str
    dtype: str
    shape: tuple[Size, ...]

    @property
    def type(self) -> Type:
        """Dtype and shape."""
        return Type(self.dtype, self.shape)


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """One op applied to values.

    Attributes:
        op: The op's name in `OPSET`.
        inputs: Values, one for each parameter of the op, None for one that is left out.
        outputs: Values it makes.
        attributes: All attributes of the op, by name.
        graphs: The graphs of control flow, by name.
        layer: Path of the layer whose call it came from, '' where none.
    """

    op: str
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    graphs: Mapping[str, Graph] = field(default_factory=dict)
    layer: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class Weight:
    """A variable of the model, as an input of the graph.

    Attributes:
        value: The value nodes use; its name is the path.
        path: The variable's path, such as 'encoder/dense/kernel'.
        data: Its numbers.
        trainable: Whether training changes it by gradients.
    """

    value: Value
    path: str
    data: np.ndarray
    trainable: bool = True


class Output(NamedTuple):
    """A result of a graph: its name for callers, and the value."""

    name: str
    value: Value


class Update(NamedTuple):
    """What a weight holds after a run: the weight's path, and the value that replaces it."""

    path: str
    value: Value


class Axis(NamedTuple):
    """An axis of an input, or of what a node makes, that tells a named size.

    Attributes:
        input, axis: Where it is.
        multiple: So many times the named size is the axis's: sizes that must be divided evenly.
    """

    input: Value
    axis: int
    multiple: int = 1


_NO_AXIS = Axis(Value("", "", ()), 0, 1 << 62)


def value_of(node: Node, index: int = 0) -> Value:
    """An input of a node that is always there."""
    found = node.inputs[index]
    assert found is not None
    return found


def dtype_of(node: Node, index: int = 0) -> str:
    """The dtype of such an input."""
    return value_of(node, index).dtype


def shape_of(node: Node, index: int = 0) -> tuple[Size, ...]:
    """The sizes of such an input."""
    return value_of(node, index).shape


def rank_of(node: Node, index: int = 0) -> int:
    """How many axes such an input has."""
    return len(shape_of(node, index))


@dataclass(frozen=True, eq=False, slots=True)
class Graph:
    """What a model computes.

    Attributes:
        name: For messages, and for functions that formats make of it.
        inputs: What a caller gives, in order.
        outputs: What the caller gets, in order. One value may be several outputs.
        nodes: In the order they run: the inputs of each were made before it.
        weights: The variables it uses.
        updates: What variables hold afterwards; empty for inference.
    """

    name: str
    inputs: tuple[Value, ...]
    outputs: tuple[Output, ...]
    nodes: tuple[Node, ...]
    weights: tuple[Weight, ...] = ()
    updates: tuple[Update, ...] = ()

    def symbols(self) -> dict[str, Axis]:
        """The named sizes, each with the first axis that tells it: of an input, or of what a node
        makes that gives it its size."""
        found: dict[str, Axis] = {}
        made = (v for n in self.nodes if OPSET[n.op].new_sizes(n.attributes) for v in n.outputs)
        for value in (*self.inputs, *made):
            for axis, size in enumerate(value.shape):
                named = multiple_of_name(size)
                if named is not None and found.get(named[0], _NO_AXIS).multiple > named[1]:
                    found[named[0]] = Axis(value, axis, named[1])
        return found

    def producers(self) -> dict[Value, Node]:
        """The node that made each value; inputs and weights are not among them."""
        return {value: node for node in self.nodes for value in node.outputs}

    def consumers(self) -> dict[Value, list[Node]]:
        """The nodes that use each value."""
        found: dict[Value, list[Node]] = {}
        for node in self.nodes:
            for value in dict.fromkeys(v for v in node.inputs if v is not None):
                found.setdefault(value, []).append(node)
        return found

    def results(self) -> list[Value]:
        """The values that outlive a run: outputs and updates."""
        return [o.value for o in self.outputs] + [u.value for u in self.updates]

    def all_nodes(self) -> Iterator[Node]:
        """All nodes, those in the graphs of control flow too."""
        for node in self.nodes:
            yield node
            for inner in node.graphs.values():
                yield from inner.all_nodes()


class Builder:
    """Makes a graph, node by node; the types of results follow from the op's rule.

    Args:
        name: The graph's name.

    Example:
        >>> make = Builder("double")
        >>> x = make.input("x", "float32", (2, 3))
        >>> y = make.add("add", [x, x])
        >>> y.shape, [node.op for node in make.finish([("y", y)]).nodes]
        ((2, 3), ['add'])
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.inputs: list[Value] = []
        self.weights: list[Weight] = []
        self.nodes: list[Node] = []
        self._names: dict[str, int] = {}

    def input(self, name: str, dtype: str, shape: Sequence[Size]) -> Value:
        """A further input."""
        value = Value(self._own(name), dtype, tuple(shape))
        self.inputs.append(value)
        return value

    def weight(self, path: str, data: np.ndarray, trainable: bool = True) -> Value:
        """A further weight; of several with one path the others get a number."""
        value = Value(self._own(path), data.dtype.name, data.shape)
        self.weights.append(Weight(value, value.name, data, trainable))
        return value

    def constant(self, data: Any, dtype: str | None = None) -> Value:
        """An array that is part of the graph."""
        return self.add("constant", [], {"value": np.asarray(data, dtype)})

    def add(
        self,
        op: str,
        inputs: Sequence[Value | None] = (),
        attributes: Mapping[str, Any] | None = None,
        *,
        graphs: Mapping[str, Graph] | None = None,
        layer: str = "",
    ) -> Value:
        """Append a node whose op has one result, and return that."""
        (value,) = self.add_all(op, inputs, attributes, graphs=graphs, layer=layer)
        return value

    def add_all(
        self,
        op: str,
        inputs: Sequence[Value | None] = (),
        attributes: Mapping[str, Any] | None = None,
        *,
        graphs: Mapping[str, Graph] | None = None,
        layer: str = "",
    ) -> tuple[Value, ...]:
        """Append a node, and return its results."""
        attributes, graphs = dict(attributes or {}), dict(graphs or {})
        types = [None if value is None else value.type for value in inputs]
        results = OPSET[op].result_types(types, attributes, graphs)
        outputs = tuple(Value(self._numbered(op), *type_) for type_ in results)
        self.nodes.append(Node(op, tuple(inputs), outputs, attributes, graphs, layer))
        return outputs

    def finish(
        self,
        outputs: Sequence[tuple[str, Value]],
        updates: Sequence[tuple[str, Value]] = (),
    ) -> Graph:
        """The graph."""
        return Graph(
            self.name,
            tuple(self.inputs),
            tuple(Output(*output) for output in outputs),
            tuple(self.nodes),
            tuple(self.weights),
            tuple(Update(*update) for update in updates),
        )

    def take(self, name: str) -> None:
        """Give this name to nothing that is made."""
        self._names.setdefault(name, 0)

    def _own(self, name: str) -> str:
        """The name, or the name with a number where it is taken."""
        if name not in self._names:
            self._names[name] = 0
            return name
        return self._numbered(name)

    def _numbered(self, name: str) -> str:
        while True:
            count = self._names[name] = self._names.get(name, -1) + 1
            numbered = f"{name}_{count}"
            if numbered not in self._names:
                self._names[numbered] = 0
                return numbered
