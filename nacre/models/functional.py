"""Functional models: a graph of layer and op calls between named inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nacre.core import identity, scope, tree
from nacre.core.constructor import accepted, given_arguments, object_from, parameters_of
from nacre.core.errors import NacreError, SerializationError, message
from nacre.core.registry import deserialize_keras_object, is_builtin, plain_config, register
from nacre.core.symbolic import KerasTensor, Node, any_symbolic
from nacre.layers.base import calling
from nacre.layers.base.configuring import BASE_KEYS
from nacre.layers.base.layer import Layer
from nacre.models.graph import Graph
from nacre.models.graph_calls import KEEPS_LIST_OF_ONE, MASKS_END_AT_OPS
from nacre.models.model import Model
from nacre.models.old_graphs import calls as old_calls
from nacre.ops._calls import OpCall
from nacre.ops.operation import Operation


@register("Functional", module="keras.src.models.functional", class_name="Functional")
class Function(Model):
    """What turns some symbolic tensors into others, as a function that can be called.

    Choose it for a part of a graph: features halfway through a model, a step that several models
    share. It is a model that need not be compiled, so what is in it belongs to whoever holds it: in
    a model that calls it, or a layer with it as an attribute, its layers are trained, saved and
    copied. (In Keras 3.15 a `Function` is no model: layers within are not found, stay as they were
    initialized without a word, and no file can hold it.) Files write it as a functional model,
    which Keras opens too.

    Inputs are matched, cast and checked as those of a model; more than Keras's are taken (a list of
    one, a dict by name). Outputs come in the structure that was given, a list of one too, where a
    model gives the tensor alone.

    Args:
        inputs: Symbolic tensors: an `Input`, what a layer or op gave, or a list or dict of them.
        outputs: A symbolic tensor, or a list or dict of them.
        name: Name; automatic by default.
        kwargs: What models take, as `trainable`.

    Raises:
        ArgumentError: `inputs` or `outputs` are no symbolic tensors, or the outputs do not follow
            from the inputs.
        ShapeError: It is called on other inputs than it was made from.

    Example:
        >>> import nacre
        >>> x = nacre.Input((3,), name="x")
        >>> function = nacre.Function(x, {"sum": nacre.ops.sum(x, -1), "twice": 2 * x})
        >>> {name: shape for name, shape in function.compute_output_shape((5, 3)).items()}
        {'sum': (5,), 'twice': (5, 3)}
        >>> [operation.name for operation in function.operations][0]
        'x'
    """

    _config_registered_name = "Functional"  # as Keras writes it
    _keeps_list_of_one = True

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)


class Functional(Function):
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

    _keeps_list_of_one = False


# -------------------------------------------------------------------- configs


def graph_config(model: Model) -> dict[str, Any]:
    """The config of a functional model, in Keras 3's form.

    Places of tensors, `[layer, call, output]`, count a layer's calls in this graph from 0. In
    `output_layers` the calls of a functional model within are counted from 1: Keras takes the
    making of that model for its call 0 there, and only there (found by comparing files of Keras
    3.15.1; calls of a nested `Sequential` are counted from 0 everywhere).
    """
    return identity.written(lambda: _graph_config(model))


def _graph_config(model: Model) -> dict[str, Any]:
    graph = model._graph
    assert graph is not None
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
    config: dict[str, Any] = {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": _tensor_addresses(graph, model._nested_inputs),
        "output_layers": _tensor_addresses(graph, model._nested_outputs, is_output=True),
    }
    if graph.losses:
        config["added_losses"] = [_tensor_address(graph, t) for t in graph.losses]
    config[MASKS_END_AT_OPS] = model._masks_end_at_ops
    if model._keeps_list_of_one:
        config[KEEPS_LIST_OF_ONE] = True
    return {**arguments_beside_graph(model), **config}


# Keys of a graph's config; those beside them are arguments of the user's constructor.
_GRAPH_KEYS = frozenset(
    ("name", "trainable", "layers", "input_layers", "output_layers", "added_losses", "inputs")
    + ("outputs", "build_input_shape", MASKS_END_AT_OPS, KEEPS_LIST_OF_ONE)
)


def has_own_constructor(cls: type[Model]) -> bool:
    """Whether a class of models is made by a constructor of the user's."""
    return not is_builtin(_class_of_method(cls, "__init__"))


def from_graph(cls: type[Model], inputs: Any, outputs: Any, config: dict[str, Any]) -> Model:
    """A model of a class and a graph, with the other arguments that a config holds."""
    arguments = {"inputs": inputs, "outputs": outputs, "name": config.get("name")}
    if "trainable" in config:
        arguments["trainable"] = config["trainable"]
    if has_own_constructor(cls):
        beside = {k: object_from(v) for k, v in config.items() if k not in _GRAPH_KEYS}
        arguments = accepted(cls, {**beside, **arguments}, BASE_KEYS)
    return cls(**arguments)


def _class_of_method(cls: type, name: str) -> type:
    return next(base for base in cls.__mro__ if name in vars(base))


def arguments_beside_graph(model: Model) -> dict[str, Any]:
    """What a constructor of the user's was given with the graph, as plain data."""
    cls = type(model)
    if not has_own_constructor(cls):
        return {}
    loose = {p.name for p in parameters_of(cls) if p.kind is p.VAR_POSITIONAL}
    config: dict[str, Any] = {}
    for name, value in given_arguments(cls, model._init_arguments).items():
        if name in _GRAPH_KEYS or name in loose:
            continue
        try:
            config[name] = plain_config(value)
        except NacreError:
            if is_builtin(_class_of_method(cls, "get_config")):
                raise  # else left to the class, which may write it itself
    return config


def _tensor_address(graph: Graph, tensor: KerasTensor, is_output: bool = False) -> list[Any]:
    history = graph.history_of(tensor)
    operation = history.operation
    call = graph.nodes_of(operation).index(operation._inbound_nodes[history.node_index])
    first = int(is_output and _counts_from_one(operation))
    return [operation.name, call + first, history.tensor_index]


def _counts_from_one(operation: Any) -> bool:
    return isinstance(operation, Model) and operation._is_functional()


def _tensor_addresses(graph: Graph, structure: Any, is_output: bool = False) -> Any:
    if isinstance(structure, KerasTensor):
        return _tensor_address(graph, structure, is_output)
    return tree.map_structure(lambda t: _tensor_address(graph, t, is_output), structure)


def _node_config(graph: Graph, node: Node) -> dict[str, Any]:
    def encode(value: Any) -> Any:
        if isinstance(value, KerasTensor):
            return {
                "class_name": "__keras_tensor__",
                "config": {
                    "shape": list(value.shape),
                    "dtype": value.dtype,
                    "keras_history": _tensor_address(graph, value),
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
    return identity.read(lambda: _from_config(cls, config, custom_objects))


def _from_config(
    cls: type[Model], config: dict[str, Any], custom_objects: dict[str, Any] | None
) -> Model:
    calls = _Calls(is_keras_file=MASKS_END_AT_OPS not in config)
    waiting: list[tuple[Any, list[Any]]] = []
    for data in config["layers"]:
        operation = _make_operation(data, custom_objects)
        nodes = data.get("inbound_nodes") or []
        calls.add(data.get("name") or operation.name, operation, is_source=not nodes)
        waiting.append((operation, list(nodes)))
    # A node can be made once the nodes it refers to are; shared layers make several passes needed.
    ends = bool(config.get(MASKS_END_AT_OPS, True))
    with scope.masks_ending_at_ops(ends):
        progress = True
        while progress and any(nodes for _, nodes in waiting):
            progress = False
            for operation, nodes in waiting:
                while nodes and _replay(operation, nodes[0], calls):
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
    inputs = _structure(config["input_layers"], calls.tensor)
    outputs = _structure(config["output_layers"], calls.output_lookup(config["output_layers"]))
    if calls.is_keras_file:
        inputs, outputs = _alone(inputs), _alone(outputs)
    kind = Functional if cls is Model else cls
    if config.get(KEEPS_LIST_OF_ONE) and kind is Functional:
        kind = Function
    model = from_graph(kind, inputs, outputs, config)
    model._masks_end_at_ops = ends
    if config.get("added_losses"):
        model.add_loss([calls.tensor(address) for address in config["added_losses"]])
    return model


class _Calls:
    """The calls made so far while a graph is read, by the name of what was called.

    A layer may have been called elsewhere too, in a nested model that holds it; only the calls of
    this graph count.
    """

    def __init__(self, is_keras_file: bool) -> None:
        self.is_keras_file = is_keras_file
        self._operations: dict[str, Any] = {}
        self._nodes: dict[str, list[Node]] = {}
        self._names: dict[int, str] = {}

    def add(self, name: str, operation: Any, is_source: bool) -> None:
        """Add an operation; an input has its one call already."""
        self._operations[name] = operation
        self._nodes[name] = list(operation._inbound_nodes[:1]) if is_source else []
        self._names[id(operation)] = name

    def append_call(self, operation: Any) -> None:
        """Add the call that was just made."""
        self._nodes[self._names[id(operation)]].append(operation._inbound_nodes[-1])

    def tensor(self, address: Any) -> KerasTensor:
        """The tensor at an address: (layer name, call, index of the output).

        Raises:
            LookupError: The call was not made yet.
        """
        name, call, index = address[:3]
        if call < 0 or index < 0:
            raise IndexError(address)
        return self._nodes[name][call].outputs[index]

    def output_lookup(self, addresses: Any) -> Callable[[Any], KerasTensor]:
        """What finds the tensors of `output_layers`, where some calls are counted from 1."""
        from_zero = {address[0] for address in _flat_addresses(addresses) if address[1] == 0}

        def find(address: Any) -> KerasTensor:
            name, call, index = address[:3]
            first = int(_counts_from_one(self._operations[name]) and name not in from_zero)
            try:
                return self.tensor((name, call - first, index))
            except IndexError:
                raise SerializationError(
                    message(
                        "Functional.from_config",
                        f"output_layers must name calls of the graph; '{name}' is called "
                        f"{len(self._nodes[name])} time(s)",
                        f"{list(address[:3])}",
                    )
                ) from None

        return find


def _flat_addresses(addresses: Any) -> list[Any]:
    if isinstance(addresses, dict):
        return [address for value in addresses.values() for address in _flat_addresses(value)]
    if addresses and isinstance(addresses[0], str):
        return [addresses]
    return [address for value in addresses for address in _flat_addresses(value)]


def _structure(addresses: Any, tensor: Any) -> Any:
    if isinstance(addresses, dict):
        return {k: _structure(v, tensor) for k, v in addresses.items()}
    if addresses and isinstance(addresses[0], str):
        return tensor(addresses)
    return [_structure(p, tensor) for p in addresses]


def _alone(structure: Any) -> Any:
    """What Keras's models take and give: one tensor that was given in a list is taken alone.

    Keras before 3.10 writes each single tensor in a list; and a model that was made with a list of
    one gives the tensor alone, too, in every version (tried with 2.12 to 3.15).
    """
    is_one = isinstance(structure, list) and len(structure) == 1
    return structure[0] if is_one and isinstance(structure[0], KerasTensor) else structure


def _make_operation(data: dict[str, Any], custom_objects: dict[str, Any] | None) -> Any:
    if data.get("class_name") in (*old_calls.CLASSES, *old_calls.REFUSED):
        return old_calls.TensorflowFunction(data)
    module = str(data.get("module") or "")
    is_kerass = module.partition(".")[0] in ("keras", "nacre")  # a user's file may be ops.py too
    if (is_kerass and ".ops" in module) or data.get("class_name") in ("GetItem", "ConvertToTensor"):
        data = _as_known_op(data)
        call = OpCall.from_config_data(data)
        if call is not None:
            return call
    kept = {k: data[k] for k in data if k not in ("inbound_nodes", "name", "build_config")}
    operation = deserialize_keras_object(kept, custom_objects)
    if not isinstance(operation, Operation):
        # What else a config can name is called with the file's arguments nowhere.
        raise SerializationError(
            message(
                f"graph entry '{data.get('name')}'",
                "a graph must be made of layers and operations",
                f"{data.get('class_name')!r} of module {data.get('module')!r}",
                "Do not open files of this kind from people you do not trust.",
            )
        )
    if not isinstance(operation, Layer):
        return operation
    build_config = data.get("build_config")
    if build_config and not operation.built and operation.has_own_build:
        # Others are built by their call, which tells more than shapes: strings, whole numbers.
        operation.build_from_config(deserialize_keras_object(build_config))
    return operation


def _as_known_op(data: dict[str, Any]) -> dict[str, Any]:
    """Keras records a conversion where it passes masks on; here what is symbolic is a tensor."""
    if data["class_name"] != "ConvertToTensor":
        return data
    dtype = data["config"].get("dtype")
    config = {"name": data["config"].get("name")} | ({"dtype": dtype} if dtype else {})
    return {**data, "class_name": "Cast" if dtype else "Copy", "config": config}


def _replay(operation: Any, node: Any, calls: _Calls) -> bool:
    """Call `operation` as a config's node says; False while an input is not there yet."""
    if isinstance(operation, old_calls.TensorflowFunction):
        try:
            arguments = operation.arguments(node, lambda *address: calls.tensor(address))
        except LookupError:
            return False
        operation.call(arguments)
        calls.append_call(operation)
        return True
    try:
        args, kwargs = _node_arguments(node, calls.tensor)
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
    if calls.is_keras_file and isinstance(node, dict) and isinstance(operation, Layer):
        kwargs = _without_defaults(operation, kwargs)
    operation(*args, **kwargs)
    calls.append_call(operation)
    return True


def _without_defaults(layer: Layer, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments without a training flag that nobody gave.

    Keras records the default of `call`, False for `Dropout` and True for `RandomFlip`, and lets
    `fit` and `predict` set the flag nevertheless. Here a flag that was given in a graph holds
    always, so a recorded default must not become one.
    """
    default = calling.signature_of(type(layer).call).defaults.get("training")
    if default is not None and kwargs.get("training") is default:
        return {name: value for name, value in kwargs.items() if name != "training"}
    return kwargs


def _node_arguments(
    node: Any, tensor: Callable[[Any], KerasTensor]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    def find(name: str, node_index: int, tensor_index: int) -> KerasTensor:
        return tensor((name, node_index, tensor_index))

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
