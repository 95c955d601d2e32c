"""The graph between symbolic inputs and outputs: which calls, in which order, and running them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nacre.core import tree
from nacre.core.errors import ArgumentError, message
from nacre.core.symbolic import KerasTensor, Node
from nacre.layers.base.layer import Layer


class Graph:
    """All calls between inputs and outputs.

    Args:
        inputs: Symbolic tensors, nested as the user gave them.
        outputs: Symbolic tensors, nested as the user gave them.
        losses: Symbolic scalars to minimise besides, which `run` reports. The calls they need come
            after all others, so that layers, and so weights, keep their order.

    Attributes:
        nodes: The calls, each after those it needs.
        operations: Layers and op calls, deepest first; on one depth in the order they are met
            walking back from the outputs. Keras orders layers, and so weights, in this way.

    Raises:
        ArgumentError: An output or a loss does not depend on the inputs given.
    """

    def __init__(self, inputs: Any, outputs: Any, losses: Sequence[KerasTensor] = ()) -> None:
        self.input_structure = inputs
        self.output_structure = outputs
        self.inputs: list[KerasTensor] = tree.flatten(inputs)
        self.outputs: list[KerasTensor] = tree.flatten(outputs)
        self.losses: list[KerasTensor] = list(losses)
        self._find()
        self._find_losses()
        self._check_names()

    def _find(self) -> None:
        finished: list[Node] = []  # each after its parents
        met: dict[int, int] = {}
        done: set[int] = set()
        stops = {id(t) for t in self.inputs}
        for output in self.outputs:
            self._walk(output, stops, finished, done, met)
        depth_of_node: dict[int, int] = {}
        depth_of_operation: dict[int, int] = {}
        operations: dict[int, Any] = {}
        for node in reversed(finished):
            key = id(node.operation)
            operations[key] = node.operation
            depth = max(depth_of_node.get(id(node), 0), depth_of_operation.get(key, 0))
            depth_of_node[id(node)] = depth_of_operation[key] = depth
            for parent in self._parents(node, stops):
                depth_of_node[id(parent)] = max(depth + 1, depth_of_node.get(id(parent), 0))
        for tensor in self.inputs:
            operation = tensor._keras_history.operation  # type: ignore[union-attr]
            if id(operation) not in operations:
                operations[id(operation)] = operation
                depth_of_operation[id(operation)] = 0
                met[id(operation)] = -1
        self.nodes = [n for n in finished if not self._is_source(n, stops)]
        self.operations = sorted(
            operations.values(), key=lambda op: (-depth_of_operation[id(op)], met[id(op)])
        )
        self._kept_nodes = {id(n) for n in finished}

    def _find_losses(self) -> None:
        stops = {id(t) for t in self.inputs}
        found: list[Node] = []
        for loss in self.losses:
            self._walk(loss, stops, found, self._kept_nodes, {})
        self.nodes += [n for n in found if not self._is_source(n, stops)]
        known = {id(op): op for op in [*self.operations, *(n.operation for n in found)]}
        self.operations = list(known.values())

    @staticmethod
    def _is_source(node: Node, stops: set[int]) -> bool:
        return all(id(t) in stops for t in node.outputs) or not node.inputs

    @staticmethod
    def _parents(node: Node, stops: set[int]) -> list[Node]:
        if all(id(t) in stops for t in node.outputs):
            return []
        return node.parents

    def _walk(
        self,
        tensor: KerasTensor,
        stops: set[int],
        finished: list[Node],
        done: set[int],
        met: dict[int, int],
    ) -> None:
        """Depth first from an output back to the inputs, without recursion: graphs can be deep."""
        stack: list[tuple[KerasTensor, bool]] = [(tensor, False)]
        entered: set[int] = set()
        while stack:
            current, leaving = stack.pop()
            history = current._keras_history
            if history is None:
                self._refuse(current)
            node = history.operation._inbound_nodes[history.node_index]  # type: ignore[union-attr]
            if leaving:
                if id(node) not in done:
                    done.add(id(node))
                    finished.append(node)
                continue
            if id(node) in done or id(node) in entered:
                continue
            entered.add(id(node))
            met.setdefault(id(node.operation), len(met))
            stack.append((current, True))
            if id(current) in stops:
                continue
            if not node.inputs:
                self._refuse(current)
            stack.extend((t, False) for t in reversed(node.inputs))

    def _refuse(self, tensor: KerasTensor) -> None:
        names = [t.name for t in self.inputs]
        raise ArgumentError(
            message(
                "Model",
                "every output must be reached from the inputs",
                f"tensor '{tensor.name}' of shape {tensor.shape}, which none of the inputs "
                f"{names} leads to",
                "Add the missing Input to inputs=[...].",
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

    @property
    def layers(self) -> list[Layer]:
        """The layers among the operations, in order."""
        return [op for op in self.operations if isinstance(op, Layer)]

    def nodes_of(self, operation: Any) -> list[Node]:
        """The calls of one operation that belong to this graph, in the order they were made."""
        return [n for n in operation._inbound_nodes if id(n) in self._kept_nodes]

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
                known[id(tensor)] = result
        if add_loss is not None:
            for loss in self.losses:
                add_loss(known[id(loss)])
        return tree.map_structure(lambda t: known[id(t)], self.output_structure)
