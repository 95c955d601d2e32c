"""Functional models: a graph of layer and op calls between named inputs and outputs."""

from __future__ import annotations

from typing import Any

from nacre.core import tree
from nacre.core.errors import SerializationError, message
from nacre.core.registry import deserialize_keras_object, plain_config, register
from nacre.core.symbolic import KerasTensor, Node, any_symbolic
from nacre.layers.base.layer import Layer
from nacre.models.graph import Graph
from nacre.models.model import Model
from nacre.ops._define import OpCall


@register("Functional", module="keras.src.models.functional", class_name="Functional")
class Functional(Model):
    """A model described by symbolic tensors; `Model(inputs, outputs)` makes one.

    Args:
        inputs: An `Input`, or a list or dict of them.
        outputs: A symbolic tensor, or a list or dict of them.
        name: Name; automatic by default.

    Example:
        >>> import nacre
        >>> inputs = nacre.Input((4,))
        >>> model = nacre.Model(inputs, nacre.layers.Dense(2)(inputs))
        >>> model.output_shape
        (None, 2)
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)


# -------------------------------------------------------------------- configs


def graph_config(model: Model) -> dict[str, Any]:
    """The config of a functional model, in Keras 3's form."""
    graph = model._graph
    layers = []
    for operation in graph.operations:
        data = (
            operation.to_config_data() if isinstance(operation, OpCall) else plain_config(operation)
        )
        data["name"] = operation.name
        data["inbound_nodes"] = [
            _node_config(graph, node) for node in graph.nodes_of(operation) if node.inputs
        ]
        layers.append(data)
    added = {"added_losses": [_place(graph, t) for t in graph.losses]} if graph.losses else {}
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": _places(graph, model._nested_inputs),
        "output_layers": _places(graph, model._nested_outputs),
        **added,
    }


def _place(graph: Graph, tensor: KerasTensor) -> list[Any]:
    operation, node_index, tensor_index = tensor._keras_history  # type: ignore[misc]
    node = operation._inbound_nodes[node_index]
    kept = graph.nodes_of(operation)
    return [operation.name, kept.index(node), tensor_index]


def _places(graph: Graph, structure: Any) -> Any:
    if isinstance(structure, KerasTensor):
        return _place(graph, structure)
    return tree.map_structure(lambda t: _place(graph, t), structure)


def _node_config(graph: Graph, node: Node) -> dict[str, Any]:
    def encode(value: Any) -> Any:
        if isinstance(value, KerasTensor):
            return {
                "class_name": "__keras_tensor__",
                "config": {
                    "shape": list(value.shape),
                    "dtype": value.dtype,
                    "keras_history": _place(graph, value),
                },
            }
        if isinstance(value, list | tuple):
            return [encode(v) for v in value]
        if isinstance(value, dict):
            return {k: encode(v) for k, v in value.items()}
        return plain_config(value)

    return {"args": [encode(a) for a in node.args], "kwargs": encode(node.kwargs)}


def functional_from_config(
    cls: type[Model], config: dict[str, Any], custom_objects: dict[str, Any] | None = None
) -> Model:
    """Build a functional model from Keras 3's or tf.keras 2's config."""
    made: dict[str, Any] = {}
    waiting: list[tuple[Any, list[Any]]] = []
    for data in config["layers"]:
        operation = _make_operation(data, custom_objects)
        name = data.get("name") or operation.name
        made[name] = operation
        nodes = data.get("inbound_nodes") or []
        waiting.append((operation, list(nodes)))
    # A node can be made once the nodes it refers to are; shared layers make several passes needed.
    progress = True
    while progress and any(nodes for _, nodes in waiting):
        progress = False
        for operation, nodes in waiting:
            while nodes and _replay(operation, nodes[0], made):
                nodes.pop(0)
                progress = True
    left = [operation.name for operation, nodes in waiting if nodes]
    if left:
        raise SerializationError(
            message(
                "Functional.from_config",
                "every layer's inputs must be in the config",
                f"{left[:10]}",
            )
        )

    def tensor(place: Any) -> KerasTensor:
        name, node_index, tensor_index = place[:3]
        operation = made[name]
        base = getattr(operation, "_first_node", 0)
        return operation._inbound_nodes[base + node_index].outputs[tensor_index]

    inputs = _structure(config["input_layers"], tensor)
    outputs = _structure(config["output_layers"], tensor)
    extra = {k: config[k] for k in ("trainable",) if k in config}
    kind = Functional if cls is Model or issubclass(cls, Functional) else cls
    model = kind(inputs=inputs, outputs=outputs, name=config.get("name"), **extra)
    if config.get("added_losses"):
        model.add_loss([tensor(place) for place in config["added_losses"]])
    return model


def _structure(places: Any, tensor: Any) -> Any:
    if isinstance(places, dict):
        return {k: _structure(v, tensor) for k, v in places.items()}
    if places and isinstance(places[0], str):
        return tensor(places)
    found = [_structure(p, tensor) for p in places]
    # tf.keras 2 wrote one input as a list of one.
    return found


def _make_operation(data: dict[str, Any], custom_objects: dict[str, Any] | None) -> Any:
    module = str(data.get("module") or "")
    if ".ops" in module or data.get("class_name") in ("GetItem", "ConvertToTensor"):
        data = _as_known_op(data)
        call = OpCall.from_config_data(data)
        if call is not None:
            return call
    operation = deserialize_keras_object(
        {k: data[k] for k in data if k not in ("inbound_nodes", "name")}, custom_objects
    )
    if not isinstance(operation, Layer):
        # What else a config can name is called with the file's arguments nowhere.
        raise SerializationError(
            message(
                f"graph entry '{data.get('name')}'",
                "a graph must be made of layers and ops",
                f"{data.get('class_name')!r} of module {data.get('module')!r}",
                "Do not open files of this kind from people you do not trust.",
            )
        )
    # A functional model inside made its own nodes; those of this graph come after them.
    operation._first_node = len(operation._inbound_nodes) if isinstance(operation, Model) else 0
    return operation


def _as_known_op(data: dict[str, Any]) -> dict[str, Any]:
    """Keras records a conversion where it passes masks on; here what is symbolic is a tensor."""
    if data["class_name"] != "ConvertToTensor":
        return data
    dtype = data["config"].get("dtype")
    config = {"name": data["config"].get("name")} | ({"dtype": dtype} if dtype else {})
    return {**data, "class_name": "Cast" if dtype else "Copy", "config": config}


def _replay(operation: Any, node: Any, made: dict[str, Any]) -> bool:
    """Call `operation` as a config's node says; False while an input is not there yet."""
    try:
        args, kwargs = _node_arguments(node, made)
    except LookupError:
        return False
    if not any_symbolic(args, kwargs):  # it would run at once, however much it makes
        raise SerializationError(
            message(
                f"graph entry '{operation.name}'",
                "each call must take a tensor of the graph",
                "a call with constants alone",
                "Do not open files of this kind from people you do not trust.",
            )
        )
    if isinstance(operation, OpCall) and operation.op.name == "get_item":
        # The key of `x[:, 1:3]` and of `x[0, 0]` is a tuple, which JSON could not say.
        args, kwargs = (
            tuple(tuple(a) if isinstance(a, list) else a for a in args),
            {k: tuple(v) if isinstance(v, list) else v for k, v in kwargs.items()},
        )
    operation(*args, **kwargs)
    return True


def _node_arguments(node: Any, made: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    def find(name: str, node_index: int, tensor_index: int) -> KerasTensor:
        operation = made[name]
        base = getattr(operation, "_first_node", 0)
        return operation._inbound_nodes[base + node_index].outputs[tensor_index]

    def decode(value: Any) -> Any:
        if isinstance(value, dict):
            if value.get("class_name") == "__keras_tensor__":
                return find(*value["config"]["keras_history"])
            if "class_name" in value and "config" in value:
                return deserialize_keras_object(value)
            return {k: decode(v) for k, v in value.items()}
        if isinstance(value, list):
            return [decode(v) for v in value]
        return value

    if isinstance(node, dict):
        args = tuple(decode(a) for a in node["args"])
        return args, decode(node.get("kwargs") or {})
    return _old_node_arguments(node, find)


def _old_node_arguments(node: Any, find: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """tf.keras 2: a list of [name, node, tensor, kwargs], or one such entry."""
    entries = node if node and isinstance(node[0], list) else [node]
    tensors = [find(e[0], e[1], e[2]) for e in entries]
    kwargs: dict[str, Any] = {}
    for entry in entries:
        if len(entry) > 3:
            kwargs.update({k: _old_value(v, find) for k, v in entry[3].items()})
    return (tensors[0] if len(tensors) == 1 else tensors,), kwargs


def _old_value(value: Any, find: Any) -> Any:
    is_place = isinstance(value, list) and len(value) in (3, 4) and isinstance(value[0], str)
    return find(*value[:3]) if is_place else value


Model._functional_class = Functional
