"""What a picture of a model shows: boxes, arrows between them, frames around nested models."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from nacre.core import tree
from nacre.core.errors import ArgumentError, NotBuiltError, message, printable
from nacre.core.symbolic import KerasTensor, Node, any_symbolic
from nacre.layers.base.layer import Layer
from nacre.models.graph import Graph
from nacre.models.layer_range import range_of_names
from nacre.models.model import Model
from nacre.models.sequential import Sequential

_LONGEST_LINE = 56  # characters of a value; shapes of a layer with many inputs take several lines


@dataclass(frozen=True)
class Shown:
    """What boxes say, by the names of `plot_model`'s arguments."""

    show_shapes: bool = False
    show_dtype: bool = False
    show_layer_names: bool = True
    expand_nested: bool = False
    show_layer_activations: bool = False
    show_trainable: bool = False


@dataclass(frozen=True)
class Cell:
    """A field of a box: what it is about, its value in lines, and how it is shaded."""

    label: str
    lines: tuple[str, ...]
    tone: Literal["plain", "trainable", "frozen"] = "plain"


@dataclass(frozen=True)
class Box:
    """A layer or op: a title of two parts, and rows of cells. `frame` is where it stands."""

    name: str
    kind: str
    rows: tuple[tuple[Cell, ...], ...]
    frame: int | None


@dataclass(frozen=True)
class Frame:
    """A nested model that is drawn with its layers; `parent` is the frame around it."""

    name: str
    parent: int | None


@dataclass
class Diagram:
    """Boxes, arrows from box to box (each once, in order), frames. All are known by their places.

    Attributes:
        name: The model's.
    """

    name: str
    boxes: list[Box] = field(default_factory=list)
    arrows: dict[tuple[int, int], None] = field(default_factory=dict)
    frames: list[Frame] = field(default_factory=list)


@dataclass(frozen=True)
class _Ends:
    """The boxes at which the arrows to a layer end, by input, and from which its outputs come."""

    box: int | None = None
    entries: Sequence[Sequence[int]] = ()
    exits: Sequence[Sequence[int]] = ()

    def entry(self, place: int) -> Sequence[int]:
        return [self.box] if self.box is not None else self.entries[place]

    def exit(self, place: int) -> Sequence[int]:
        return [self.box] if self.box is not None else self.exits[place]


def diagram_of(
    model: Any, shown: Shown, layer_range: Any = None, who: str = "plot_model"
) -> Diagram:
    """Read a model.

    Args:
        model: A model; one without a graph, such as a subclass with a `call` of its own, is a box.
        shown: What boxes say.
        layer_range: (first, last) of the layers that are drawn; see `range_of_names`.
        who: Who draws, for messages.

    Raises:
        ArgumentError: It is no model, or has no graph to take a part of.
        NotBuiltError: It is not built.
    """
    if not isinstance(model, Layer):
        rule = "model must be a model"
        raise ArgumentError(message(who, rule, f"{model!r:.60} ({type(model).__name__})"))
    if not model.built:
        raise NotBuiltError(
            message(
                who,
                f"{type(model).__name__} '{model.name}' must be built to be drawn",
                "one that is not built",
                "Call model.build((None, ...)) or the model on a batch of data first, or begin it "
                "with nacre.Input(shape=...).",
            )
        )
    reader = _Reader(model.name, shown, who)
    if isinstance(model, Model) and model._graph is not None:
        reader.add_graph(model, model._graph, None, layer_range)
    elif isinstance(model, Sequential):
        reader.add_chain(model, None, layer_range)
    elif layer_range is not None:
        rule = "layer_range takes a part of a Sequential or functional model"
        raise ArgumentError(message(who, rule, f"{type(model).__name__}, whose graph is unknown"))
    else:
        reader.add_box(model, [], None)
    return reader.diagram


class _Reader:
    def __init__(self, name: str, shown: Shown, who: str) -> None:
        self.diagram = Diagram(name)
        self.shown = shown
        self.who = who

    def add_graph(
        self, model: Model, graph: Graph, frame: int | None, layer_range: Any = None
    ) -> _Ends:
        """The boxes and arrows of a graph."""
        operations = list(graph.operations)
        if isinstance(model, Sequential) and len(operations) > len(graph.entries):
            operations = [op for op in operations if not _is_among(op, graph.entries)]
        operations = self._in_range(operations, layer_range)
        ends = {id(op): self._add(op, graph.nodes_of(op), frame) for op in operations}
        hidden: list[list[int]] = [[] for _ in graph.inputs]  # what inputs without a box lead to
        for node in graph.nodes:
            target = ends.get(id(node.operation))
            if target is None:
                continue
            for place, tensor in zip(_input_places(node), node.inputs, strict=True):
                entry = target.entry(place)
                history = graph.history_of(tensor)
                source = ends.get(id(history.operation))
                if source is not None:
                    self._connect(source.exit(history.tensor_index), entry)
                else:
                    for index, operation in enumerate(graph.entries):
                        hidden[index] += entry if operation is history.operation else ()
        entries = [
            ends[id(op)].entry(0) if id(op) in ends else found
            for op, found in zip(graph.entries, hidden, strict=True)
        ]
        exits: list[Sequence[int]] = []
        for tensor in graph.outputs:
            history = graph.history_of(tensor)
            source = ends.get(id(history.operation))
            exits.append([] if source is None else source.exit(history.tensor_index))
        return _Ends(None, entries, exits)

    def add_chain(self, model: Sequential, frame: int | None, layer_range: Any = None) -> _Ends:
        """The layers of a Sequential that is built without knowing its shapes."""
        layers = self._in_range(list(model.layers), layer_range)
        ends = [self._add(layer, [], frame) for layer in layers]
        for source, target in itertools.pairwise(ends):
            self._connect(source.exit(0), target.entry(0))
        if not ends:
            return _Ends(self.add_box(model, [], frame))
        return _Ends(None, [ends[0].entry(0)], [ends[-1].exit(0)])

    def _in_range(self, operations: list[Any], layer_range: Any) -> list[Any]:
        if layer_range is None:
            return operations
        low, high = range_of_names([op.name for op in operations], layer_range, self.who)
        return operations[low : high + 1]

    def _connect(self, sources: Sequence[int], targets: Sequence[int]) -> None:
        self.diagram.arrows.update(dict.fromkeys((s, t) for s in sources for t in targets))

    def _add(self, operation: Any, nodes: list[Node], frame: int | None) -> _Ends:
        if self.shown.expand_nested and isinstance(operation, Model):
            graph = operation._graph
            is_chain = isinstance(operation, Sequential) and bool(operation.layers)
            if graph is not None or is_chain:
                self.diagram.frames.append(Frame(printable(operation.name), frame))
                inner = len(self.diagram.frames) - 1
                if graph is not None:
                    return self.add_graph(operation, graph, inner)
                return self.add_chain(cast("Sequential", operation), inner)
        return _Ends(self.add_box(operation, nodes, frame))

    def add_box(self, operation: Any, nodes: list[Node], frame: int | None) -> int:
        """One box, and its place."""
        rows = [row for row in (self._activation(operation), self._facts(operation, nodes)) if row]
        name = printable(operation.name) if self.shown.show_layer_names else ""
        self.diagram.boxes.append(Box(name, _kind(operation), tuple(rows), frame))
        return len(self.diagram.boxes) - 1

    def _activation(self, operation: Any) -> tuple[Cell, ...]:
        activation = getattr(operation, "activation", None)
        if not self.shown.show_layer_activations or activation is None:
            return ()
        name = getattr(activation, "__name__", None) or type(activation).__name__
        return (Cell("Activation", (printable(str(name)),)),)

    def _facts(self, operation: Any, nodes: list[Node]) -> tuple[Cell, ...]:
        cells: list[Cell] = []
        takes_none = bool(nodes) and not any(node.inputs for node in nodes)
        if self.shown.show_shapes and not takes_none:
            cells.append(_cell("Input shape", [_shapes(_given(node)) for node in nodes]))
        if self.shown.show_shapes:
            cells.append(_cell("Output shape", [_shapes(_made(node)) for node in nodes]))
        if self.shown.show_dtype:
            cells.append(_cell("Output dtype", [_dtypes(node) for node in nodes]))
        if self.shown.show_trainable and isinstance(operation, Layer) and operation.weights:
            is_trained = bool(operation.trainable_variables)
            tone = "trainable" if is_trained else "frozen"
            cells.append(Cell("", ("Trainable" if is_trained else "Non-trainable",), tone))
        return tuple(cells)


def _is_among(operation: Any, others: Sequence[Any]) -> bool:
    return any(operation is other for other in others)


def _kind(operation: Any) -> str:
    """The class of a layer, the name of an op in the form of a class, as Keras has it."""
    if isinstance(operation, Layer):
        return printable(type(operation).__name__)
    op = getattr(operation, "op", None)
    name = getattr(op, "name", "")
    return "".join(part.capitalize() for part in name.split("_")) or type(operation).__name__


def _input_places(node: Node) -> list[int]:
    """Which input of a model each tensor of a call is; names decide where there are names."""
    operation = node.operation
    graph = operation._graph if isinstance(operation, Model) else None
    count = len(node.inputs)
    if graph is None:
        return [0] * count
    last = len(graph.inputs) - 1
    if len(node.args) == 1 and not node.kwargs:
        wanted = {path: place for place, (path, _) in _places(graph.input_structure)}
        given = [path for _, (path, leaf) in _places(node.args[0]) if isinstance(leaf, KerasTensor)]
        if len(given) == count and all(path in wanted for path in given):
            return [wanted[path] for path in given]
    return [min(place, last) for place in range(count)]


def _places(structure: Any) -> list[tuple[int, tuple[tuple[Any, ...], Any]]]:
    return list(enumerate(tree.flatten_with_path(structure)))


def _given(node: Node) -> Any:
    """The tensors of a call as they were given."""
    if len(node.args) == 1 and not any_symbolic((), node.kwargs):
        leaves = tree.flatten(node.args[0])
        if all(isinstance(leaf, KerasTensor) for leaf in leaves):
            return node.args[0]
    return node.inputs[0] if len(node.inputs) == 1 else node.inputs


def _made(node: Node) -> Any:
    """What a call gave; of a model in its structure."""
    graph = node.operation._graph if isinstance(node.operation, Model) else None
    if graph is not None and len(graph.outputs) == len(node.outputs):
        return tree.pack_sequence_as(graph.output_structure, node.outputs)
    return node.outputs[0] if len(node.outputs) == 1 else node.outputs


def _shapes(structure: Any) -> str:
    if isinstance(structure, KerasTensor):
        return str(tuple(structure.shape))
    if isinstance(structure, dict):
        return "{" + ", ".join(f"{k}: {_shapes(v)}" for k, v in structure.items()) + "}"
    return f"[{', '.join(_shapes(s) for s in structure)}]"


def _dtypes(node: Node) -> str:
    found = [str(tensor.dtype) for tensor in node.outputs]
    return found[0] if len(set(found)) == 1 else f"[{', '.join(found)}]"


def _cell(label: str, values: list[str]) -> Cell:
    """The values of all calls, each once; a question mark where there is no graph to tell."""
    return Cell(label, tuple(_wrapped(printable(" | ".join(dict.fromkeys(values)) or "?"))))


def _wrapped(text: str) -> list[str]:
    lines = [""]
    for part in text.split(", "):
        joined = f"{lines[-1]}, {part}" if lines[-1] else part
        if len(joined) <= _LONGEST_LINE or not lines[-1] or not part.startswith(("(", "[", "{")):
            lines[-1] = joined
        else:
            lines[-1] += ","
            lines.append(part)
    return lines


__all__ = ["Box", "Cell", "Diagram", "Frame", "Shown", "diagram_of"]
