"""The graph between symbolic inputs and outputs: which calls, in which order, and running them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from nacre.core import tree
from nacre.core.errors import ArgumentError, message
from nacre.core.symbolic import History, KerasTensor, Node
from nacre.layers.base.calling import has_pure_calls
from nacre.layers.base.inventory import is_own_value, parts_in
from nacre.layers.base.layer import Layer
from nacre.layers.core.input_layer import InputLayer
from nacre.ops.operation import Operation

T = TypeVar("T")


def graph_of(operation: Any) -> Graph | None:
    """The graph of a model that has one; None for other layers, and for ops."""
    is_model = isinstance(operation, Layer) and operation._is_model
    return operation._graph if is_model else None  # type: ignore[union-attr]


class Graph:
    """All calls between inputs and outputs.

    Args:
        inputs: Symbolic tensors, nested as the user gave them.
        outputs: Symbolic tensors, nested as the user gave them.
        losses: Symbolic scalars to minimise besides, which `run` reports. The calls they need come
            after all others, so that layers, and so weights, keep their order.

    Attributes:
        entries: The input layer of each input, in order. A tensor within another graph may be an
            input, as in `Model(hidden, outputs)`; it has an input layer of this graph's own, and
            the layer that made it is no part of the graph.
        nodes: The calls, each after those it needs.
        operations: Layers and op calls, deepest first; on one depth in the order they are met
            walking back from the outputs. Keras orders layers, and so weights, in this way.
        needs_values: Whether an op's result has a shape that is a matter of values, as that of
            `ops.nonzero`: found when the graph is compiled, and it runs op by op from then on.

    Raises:
        ArgumentError: An output or a loss does not depend on the inputs given, a name stands twice,
            or an operation that is no layer holds what only layers may.
    """

    def __init__(self, inputs: Any, outputs: Any, losses: Sequence[KerasTensor] = ()) -> None:
        self.needs_values = False
        self._found: dict[Callable[[Graph], Any], Any] = {}
        self.input_structure = inputs
        self.output_structure = outputs
        self.inputs: list[KerasTensor] = tree.flatten(inputs)
        self.outputs: list[KerasTensor] = tree.flatten(outputs)
        self.losses: list[KerasTensor] = list(losses)
        self.entries: list[InputLayer] = self._entries()
        self._entry_of = {id(t): e for t, e in zip(self.inputs, self.entries, strict=True)}
        self._sort_nodes()
        self._add_loss_nodes()
        self._check_names()
        self._check_operations()

    def once(self, find: Callable[[Graph], T]) -> T:
        """What a function finds in this graph, which does not change: found once and kept."""
        if find not in self._found:
            self._found[find] = find(self)
        return self._found[find]

    def readers(
        self, of_node: Callable[[Node, int], Sequence[tuple[Layer, int]]]
    ) -> list[tuple[int, Layer, int]]:
        """The layers that are given an input of this graph: (its position, layer, a number of it).

        Args:
            of_node: (node, place among what it is given) -> layers that read it, and a number each.
        """
        positions = {id(tensor): i for i, tensor in enumerate(self.inputs)}
        return [
            (positions[id(tensor)], layer, number)
            for node in self.nodes
            for place, tensor in enumerate(node.inputs)
            if id(tensor) in positions
            for layer, number in of_node(node, place)
        ]

    def _entries(self) -> list[InputLayer]:
        entries: list[InputLayer] = []
        for tensor in self.inputs:
            operation = None if tensor._keras_history is None else tensor._keras_history.operation
            if not isinstance(operation, InputLayer):
                name = tensor.name if operation is None else _input_layer_name(tensor)
                while any(name == entry.name for entry in entries):
                    name = f"{name}_1"
                operation = InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype, name=name)
            entries.append(operation)
        return entries

    def history_of(self, tensor: KerasTensor) -> History:
        """Which call of this graph made a tensor; of an input, its input layer's."""
        entry = self._entry_of.get(id(tensor))
        history = tensor._keras_history
        if entry is not None and (history is None or history.operation is not entry):
            return History(entry, 0, 0)
        if history is None:
            raise self._unreachable_error(tensor)
        return history

    def _node_of(self, tensor: KerasTensor) -> Node:
        history = self.history_of(tensor)
        return history.operation._inbound_nodes[history.node_index]

    def _sort_nodes(self) -> None:
        finished: list[Node] = []  # each after its parents
        first_visits: dict[int, int] = {}
        visited: set[int] = set()
        for output in self.outputs:
            self._walk(output, finished, visited, first_visits)
        depth_of_node: dict[int, int] = {}
        depth_of_operation: dict[int, int] = {}
        operations: dict[int, Any] = {}
        for node in reversed(finished):
            key = id(node.operation)
            operations[key] = node.operation
            depth = max(depth_of_node.get(id(node), 0), depth_of_operation.get(key, 0))
            depth_of_node[id(node)] = depth_of_operation[key] = depth
            for parent in map(self._node_of, node.inputs):
                depth_of_node[id(parent)] = max(depth + 1, depth_of_node.get(id(parent), 0))
        for entry in self.entries:
            if id(entry) not in operations:
                operations[id(entry)] = entry
                depth_of_operation[id(entry)] = 0
                first_visits[id(entry)] = -1
        self.nodes = [n for n in finished if n.inputs]
        self.operations = sorted(
            operations.values(), key=lambda op: (-depth_of_operation[id(op)], first_visits[id(op)])
        )
        self._node_ids = {id(n) for n in finished}
        self._node_ids |= {id(entry._inbound_nodes[0]) for entry in self.entries}

    def _add_loss_nodes(self) -> None:
        found: list[Node] = []
        for loss in self.losses:
            self._walk(loss, found, self._node_ids, {})
        self.nodes += [n for n in found if n.inputs]
        known = {id(op): op for op in [*self.operations, *(n.operation for n in found)]}
        self.operations = list(known.values())

    def _walk(
        self,
        tensor: KerasTensor,
        finished: list[Node],
        visited: set[int],
        first_visits: dict[int, int],
    ) -> None:
        """Depth first from an output back to the inputs, without recursion: graphs can be deep."""
        stack: list[tuple[KerasTensor, bool]] = [(tensor, False)]
        entered: set[int] = set()
        while stack:
            current, leaving = stack.pop()
            node = self._node_of(current)
            if leaving:
                if id(node) not in visited:
                    visited.add(id(node))
                    finished.append(node)
                continue
            if id(node) in visited or id(node) in entered:
                continue
            entered.add(id(node))
            first_visits.setdefault(id(node.operation), len(first_visits))
            stack.append((current, True))
            if not node.inputs and id(current) not in self._entry_of:
                raise self._unreachable_error(current)
            stack.extend((t, False) for t in reversed(node.inputs))

    def _unreachable_error(self, tensor: KerasTensor) -> ArgumentError:
        names = [entry.name for entry in self.entries]
        what, fix = _origin(tensor)
        return ArgumentError(
            message(
                "Model",
                "every output must be reached from the inputs",
                f"{what}, which none of the inputs {names} leads to",
                fix,
            )
        )

    def _check_names(self) -> None:
        names = [op.name for op in self.operations]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ArgumentError(
                message(
                    "Model",
                    "each layer must have a name of its own",
                    f"{len(twice)} name(s) used twice: {', '.join(twice[:10])}",
                    "Pass name='...' to one of them.",
                )
            )

    def _check_operations(self) -> None:
        """Refuse operations whose weights or random states nobody would find."""
        for operation in self.users_operations:
            for name, value in vars(operation).items():
                part = next(parts_in(value), None)
                if part is not None:
                    raise ArgumentError(
                        message(
                            operation._who(),
                            "what is no layer holds no layers, variables, metrics or random states "
                            "in a model: they would be neither trained nor saved",
                            f"a {type(part).__name__} in self.{name}",
                            "Derive the class from nacre.Layer; its call() may stay as it is.",
                        )
                    )

    @property
    def users_operations(self) -> list[Operation]:
        """Operations that are no layers and run a user's Python."""
        return self.once(_users_operations)

    @property
    def is_own(self) -> bool:
        """Whether no op in it runs a function of the user's."""
        return not self.users_operations and all(
            is_own_value(tree.flatten((node.args, node.kwargs)))
            for node in self.nodes
            if not isinstance(node.operation, Layer)
        )

    @property
    def layers(self) -> list[Layer]:
        """The layers among the operations, in order."""
        return [op for op in self.operations if isinstance(op, Layer)]

    def nodes_of(self, operation: Any) -> list[Node]:
        """The calls of one operation that belong to this graph, in the order they were made."""
        return [n for n in operation._inbound_nodes if id(n) in self._node_ids]

    def run(
        self, values: list[Any], call: Any = None, add_loss: Callable[[Any], None] | None = None
    ) -> Any:
        """Compute the outputs for flat input values.

        Args:
            values: One for each input, in order.
            call: `call(operation, args, kwargs)`; by default the operation itself.
            add_loss: Is given the value of each loss.
        """
        known = {id(t): v for t, v in zip(self.inputs, values, strict=True)}

        def fill(leaf: Any) -> Any:
            return known[id(leaf)] if isinstance(leaf, KerasTensor) else leaf

        for node in self.nodes:
            args = tuple(tree.map_structure(fill, a) for a in node.args)
            kwargs = {k: tree.map_structure(fill, v) for k, v in node.kwargs.items()}
            run = (
                node.operation(*args, **kwargs)
                if call is None
                else call(node.operation, args, kwargs)
            )
            results = [r for r in tree.flatten(run)]
            if len(results) != len(node.outputs):
                results = [r for r in results if r is not None]
            for tensor, result in zip(node.outputs, results, strict=False):
                known.setdefault(id(tensor), result)  # an input keeps the value that was given
        if add_loss is not None:
            for loss in self.losses:
                add_loss(known[id(loss)])
        return tree.map_structure(lambda t: known[id(t)], self.output_structure)


def _users_operations(graph: Graph) -> list[Operation]:
    return [
        op
        for op in graph.operations
        if not isinstance(op, Layer) and not (has_pure_calls(op) and is_own_value(vars(op)))
    ]


def _input_layer_name(tensor: KerasTensor) -> str:
    """A name for the input layer that stands for a layer's output."""
    history = tensor._keras_history
    assert history is not None
    several = f"_{history.tensor_index}" if history.tensor_index else ""
    return f"{history.operation.name}_output{several}"


def _origin(tensor: KerasTensor) -> tuple[str, str]:
    """What a tensor that no input leads to is, and what to do about it."""
    history = tensor._keras_history
    if history is None:
        return (
            f"a symbolic tensor of shape {tensor.shape} that no layer, op or Input made",
            "Make inputs with nacre.Input(...); leave masks to the layers, which find them.",
        )
    if isinstance(history.operation, InputLayer):
        return (
            f"the Input '{history.operation.name}' of shape {tensor.shape}",
            "Add the missing Input to inputs=[...], or build on the inputs that are there.",
        )
    return (
        f"'{history.operation.name}' of shape {tensor.shape}, which takes no tensor",
        "Build the outputs from the inputs that are there.",
    )
