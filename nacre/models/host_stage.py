"""The part of a model that works on strings: run on the host, batch by batch, before the program.

JAX has no strings. Layers such as `TextVectorization` therefore run in NumPy on the rows of a
batch (*staging*), and the compiled program, which walks over the same model, takes their results in
the place of their calls. `layers/preprocessing/host_layer.py` holds what happens in the two walks;
here stands which calls of a model they have to make.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from nacre.core import scope, tree
from nacre.core.errors import ArgumentError, message
from nacre.core.host_arrays import outside_32_bits, plain_array, refuse_wide_integers
from nacre.core.interop import to_numpy_if_foreign
from nacre.core.strings import HostString, Staged, is_text, strings_refused, text_array
from nacre.core.symbolic import KerasTensor, Node
from nacre.data.rows import arrays_of_lists
from nacre.layers.base.layer import Layer
from nacre.layers.preprocessing.host_layer import (
    AllRecorded,
    HostLayer,
    Recording,
    Replaying,
    in_host_scope,
    unpacked,
    without_texts,
)
from nacre.models.graph import Graph, graph_of
from nacre.models.graph_calls import inputs_for

if TYPE_CHECKING:
    from nacre.models.model import Model


# -------------------------------------------------------------------- what a graph has to do


class HostPlan:
    """The calls of a graph that run on the host.

    Args:
        graph: The graph.

    Attributes:
        host_nodes: ids of the nodes that hold host layers.
        required_nodes: ids of the nodes whose results these need.
        late_layer: A layer with weights that one of them comes after; its result is known only once
            the program has run.
        gives_strings: Some of the graph's outputs are strings, which no program can hand on.
    """

    def __init__(self, graph: Graph) -> None:
        self.host_nodes = {id(n) for n in graph.nodes if _works_on_host(n)}
        self.required_nodes: set[int] = set()
        self.late_layer: Layer | None = None
        made_by = {id(t): n for n in graph.nodes for t in n.outputs}
        waiting = [t for n in graph.nodes if id(n) in self.host_nodes for t in n.inputs]
        while waiting:
            node = made_by.get(id(waiting.pop()))
            if node is None or id(node) in self.required_nodes:
                continue
            self.required_nodes.add(id(node))
            waiting.extend(node.inputs)
            if isinstance(node.operation, Layer) and node.operation.trainable_variables:
                self.late_layer = node.operation
        self.gives_strings = any(t.dtype == "string" for t in graph.outputs)

    def __bool__(self) -> bool:
        return bool(self.host_nodes)


def _works_on_host(node: Node) -> bool:
    operation = node.operation
    if isinstance(operation, HostLayer):
        return True
    graph = graph_of(operation)
    if graph is not None:
        return bool(plan_of(graph))
    return any(t.dtype == "string" for t in node.inputs) and isinstance(operation, Layer)


def plan_of(graph: Graph) -> HostPlan:
    """The plan of a graph, made once."""
    return graph.once(HostPlan)


# -------------------------------------------------------------------- recording host calls


def _record(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Make the host calls within one call of `layer`."""
    graph = _graph_of(layer)
    if isinstance(layer, HostLayer):
        layer(*args, **kwargs)
    elif graph is not None:
        _record_graph(graph, layer._standardize_inputs(args[0]))  # type: ignore[attr-defined]
    else:
        _record_traced(layer, args, kwargs)


def _record_graph(graph: Graph, values: list[Any]) -> None:
    known = {id(t): v for t, v in zip(graph.inputs, values, strict=True)}

    def filled(leaf: Any) -> Any:
        return known[id(leaf)] if isinstance(leaf, KerasTensor) else leaf

    plan = plan_of(graph)
    for node in graph.nodes:
        is_required = id(node) in plan.required_nodes
        if not is_required and id(node) not in plan.host_nodes:
            continue
        args = tuple(tree.map_structure(filled, a) for a in node.args)
        kwargs = {k: tree.map_structure(filled, v) for k, v in node.kwargs.items()}
        if not is_required:
            _record(node.operation, args, kwargs)
            continue
        results = tree.flatten(node.operation(*args, **kwargs))
        for tensor, result in zip(node.outputs, results, strict=False):
            known[id(tensor)] = result


def _record_traced(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Walk over a `call` written in Python: what it computes is only traced, host layers run.

    Inputs are on the device already, so that a layer is handed the array itself, not a copy made
    within the trace, which would have no values.
    """
    args, kwargs = tree.map_structure(_on_device, (args, kwargs))
    variables = layer.variables if layer.built else []
    shapes = [jax.ShapeDtypeStruct(v.shape, v.own_dtype) for v in variables]

    def walk(values: list[Any]) -> None:
        pairs = list(zip(variables, values, strict=True))
        with scope.StatelessScope(pairs), scope.entered_call(scope.CallContext(layer, None)):
            Layer.__call__(layer, *args, **kwargs)

    jax.eval_shape(walk, shapes)


def _on_device(leaf: Any) -> Any:
    if not isinstance(leaf, np.ndarray) or is_text(leaf):
        return leaf
    refuse_wide_integers(leaf, "inputs of a call() written in Python")
    return jax.numpy.asarray(leaf)


def _graph_of(model: Any) -> Graph | None:
    """The graph of a model that runs it; None when its class has a `call` of its own."""
    graph = graph_of(model)
    return graph if graph is not None and model._runs_its_graph() else None


# -------------------------------------------------------------------- staging


class HostStage:
    """Turns the inputs of a model into what its compiled program takes.

    Args:
        model: The model.
        who: The caller, for messages.
    """

    def __init__(self, model: Model, who: str) -> None:
        self.model, self.who = model, who
        self.count: int | None = None  # of host calls, known after the first walk
        self.variables = _host_variables(model)

    def __call__(self, x: Any) -> Staged:
        """Inputs and the results of the host layers, for rows of any number."""
        x = as_host_arrays(x, self.who)
        recording = Recording(self.variables, self.count)
        held = tree.map_structure(_as_host_string, x)
        with in_host_scope(recording), jax.default_device(_host_device()):
            try:
                if _graph_of(self.model) is None:
                    _record_traced(self.model, (held,), {})
                else:
                    with scope.StatelessScope(self.variables), scope.entered_call(None):
                        _record(self.model, (held,), {})
            except AllRecorded:
                pass
        self.count = len(recording.results)
        return Staged(
            tree.map_structure(without_texts, self._without_wide_host_inputs(x)), recording.results
        )

    def _without_wide_host_inputs(self, x: Any) -> Any:
        """The inputs without integers of 64 bits that only host layers read."""
        if _graph_of(self.model) is None:
            return x
        leaves = [
            np.zeros_like(leaf)
            if not is_text(leaf) and outside_32_bits(leaf) and _is_for_host(self.model, tensors)
            else leaf
            for leaf, tensors in zip(tree.flatten(x), inputs_for(self.model, x), strict=True)
        ]
        return tree.pack_sequence_as(x, leaves)


def _is_for_host(model: Model, tensors: list[KerasTensor]) -> bool:
    """Whether these inputs go to host layers and nowhere else."""
    graph = _graph_of(model)
    wanted = {id(tensor) for tensor in tensors}
    readers = [n for n in graph.nodes if any(id(t) in wanted for t in n.inputs)] if graph else []
    return bool(readers) and all(isinstance(n.operation, HostLayer) for n in readers)


def _host_variables(model: Model) -> list[Any]:
    """Weights that host calls read, as copies: training donates the variables' own arrays."""
    layers: list[Layer] = [x for x in model._flatten_layers() if isinstance(x, HostLayer)]
    graph = _graph_of(model)
    if graph is not None:
        required = plan_of(graph).required_nodes
        operations = [n.operation for n in graph.nodes if id(n) in required]
        layers += [operation for operation in operations if isinstance(operation, Layer)]
    found = {id(v): v for layer in layers for v in layer.variables}
    with jax.default_device(_host_device()):
        return [(v, jax.numpy.asarray(v.numpy())) for v in found.values()]


def _host_device() -> Any:
    try:
        return jax.devices("cpu")[0]
    except RuntimeError:  # a platform was chosen that leaves the CPU out
        return jax.devices()[0]


def _as_host_string(leaf: Any) -> Any:
    return HostString(leaf.shape, leaf) if is_text(leaf) else leaf


def as_host_arrays(structure: Any, who: str) -> Any:
    """Inputs as NumPy arrays, lists of strings and numbers among them."""

    def convert(leaf: Any) -> Any:
        if leaf is None:
            return None
        if isinstance(leaf, jax.Array):
            return np.asarray(leaf)
        return plain_array(text_array(to_numpy_if_foreign(leaf, who)), who)

    return tree.map_structure(convert, arrays_of_lists(structure))


def stage_for(model: Model, x: Any, who: str) -> HostStage | None:
    """What has to be done with inputs like `x` before the program; None when nothing.

    Raises:
        DTypeError: There are strings, and no layer that takes them.
    """
    graph = _graph_of(model)
    has_strings = any(is_text(leaf) for leaf in tree.flatten(x))
    if graph is not None:
        plan = plan_of(graph)
        if plan.late_layer is not None:
            raise _late_strings_error(who, plan.late_layer)
        if plan:
            return HostStage(model, who)
    elif model._inventory().holds(HostLayer):
        return HostStage(model, who)
    if has_strings:
        raise strings_refused(who, f"strings, and no layer that takes them in {model._who()}")
    return None


def _late_strings_error(who: str, layer: Layer) -> ArgumentError:
    return ArgumentError(
        message(
            who,
            "layers that work on strings must come before all layers with weights",
            f"one that comes after '{layer.name}'",
            "Train the model without it, and put it behind in another model: "
            "Model(model.inputs, lookup(model.output)).",
        )
    )


def has_late_strings(model: Model) -> bool:
    """Whether strings are made of what the model computed: it is then run call by call."""
    graph = _graph_of(model)
    if graph is None:
        return False
    plan = plan_of(graph)
    return plan.late_layer is not None or plan.gives_strings


def staged_arguments(model: Model, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments of `model(...)` with the host's part done, when there is one."""
    graph = _graph_of(model)
    if graph is None or not args or not plan_of(graph) or has_late_strings(model):
        return args
    return (HostStage(model, model._who())(args[0]), *args[1:])


def replay(call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`call(*args)` where the first argument was staged."""
    with in_host_scope(Replaying(args[0].results)):
        return call(unpacked(args[0].inputs), *args[1:], **kwargs)


__all__ = ["HostStage", "has_late_strings", "plan_of", "replay", "stage_for", "staged_arguments"]
