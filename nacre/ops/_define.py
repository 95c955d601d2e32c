"""`@op`: one definition of an op serves arrays, traced values and symbolic tensors.

An op is a pure JAX function. Called with arrays it just runs. Called with symbolic tensors it
records a node in the model's graph, and the shape of the result comes from tracing the function.

With `whole=True` the op is kept whole in a trace: it runs inside an inner `jax.jit` whose name
carries the op and its attributes (`nacre.softmax|{"axis":-1}`), so that an exporter can see a
softmax instead of the exponentials and sums it is made of. The compiled program is the same.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, overload

import jax

from nacre.core import tree
from nacre.core.names import auto_name
from nacre.core.registry import deserialize_keras_object, serialize_keras_object
from nacre.core.symbolic import Node, any_symbolic, infer
from nacre.core.variable import Variable

P = ParamSpec("P")
R = TypeVar("R")

# Parameters with these names hold tensors; the others are attributes of the op.
TENSOR_PARAMETERS = frozenset(
    "x x1 x2 x3 xs a b v y inputs values condition indices key kernel bias query value query_mask "
    "labels logits target output segment_ids boolean_mask mask image images operand updates start "
    "start_indices mean variance offset scale pointwise_kernel depthwise_kernel gamma beta "
    "recurrent_kernel initial_state initial_h initial_c y_true y_pred data abs_ x_points y_points "
    "coordinates transforms points attention_mask".split()
)

REGISTRY: dict[str, Op] = {}


class Op:
    """What is known of one op: its function, its attributes, and how it is written to a config."""

    def __init__(
        self, function: Callable[..., Any], whole: bool, tensors: tuple[str, ...] | None, name: str
    ) -> None:
        self.function = function
        self.name = name
        self.whole = whole
        self.signature = inspect.signature(function)
        parameters = self.signature.parameters
        if tensors is None:
            tensors = tuple(n for n in parameters if n in TENSOR_PARAMETERS)
        self.tensors = tensors
        # The file of keras.src.ops that defines the operation; a family of ours may name its own.
        self.keras_module = function.__globals__.get("KERAS_OPS_MODULE", "numpy")
        self.class_name = "".join(part[:1].upper() + part[1:] for part in name.split("_"))

    def split(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The arguments as (tensors, attributes), by parameter name."""
        bound = self.signature.bind(*args, **kwargs).arguments
        tensors: dict[str, Any] = {}
        attributes: dict[str, Any] = {}
        for name, value in bound.items():
            kind = self.signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                attributes.update(value)
            else:
                (tensors if name in self.tensors else attributes)[name] = value
        return tensors, attributes

    def leading(self, tensors: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Tensors as positional arguments as far as they lead the signature, the rest by name."""
        names = list(self.signature.parameters)
        rest = dict(tensors)
        positional = []
        for name in names:
            if name not in rest:
                break
            positional.append(rest.pop(name))
        return tuple(positional), rest

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function on arrays."""
        if self.whole:
            return self._run_whole(args, kwargs)
        return self.function(*_values(args), **_values(kwargs))

    def _run_whole(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        tensors, attributes = self.split(args, kwargs)
        try:
            key = tuple(sorted((k, _hashable(v)) for k, v in attributes.items()))
            program = _whole_program(self, tuple(tensors), key)
        except TypeError:  # an attribute that cannot be part of a name
            return self.function(**_values(tensors), **attributes)
        return program(*_values(tuple(tensors.values())))


@functools.lru_cache(maxsize=4096)
def _whole_program(
    op: Op, tensor_names: tuple[str, ...], attributes: tuple[tuple[str, Any], ...]
) -> Callable[..., Any]:
    values = dict(attributes)

    def program(*tensors: Any) -> Any:
        return op.function(**dict(zip(tensor_names, tensors, strict=True)), **values)

    described = {k: getattr(v, "__name__", v) for k, v in values.items()}
    text = json.dumps(described, separators=(",", ":"), default=str)
    program.__name__ = program.__qualname__ = f"nacre.{op.name}|{text}"
    return jax.jit(program)


def _hashable(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_hashable(v) for v in value)
    hash(value)
    return value


def _values(arguments: Any) -> Any:
    """Arguments with variables replaced by their values."""
    if isinstance(arguments, dict):
        return {k: _value(v) for k, v in arguments.items()}
    return tuple(_value(v) for v in arguments)


def _value(value: Any) -> Any:
    if isinstance(value, Variable):
        return value.value
    if type(value) in (list, tuple) and any(isinstance(v, Variable | list | tuple) for v in value):
        return type(value)(_value(v) for v in value)
    return value


class OpCall:
    """One place in a model's graph where an op is called.

    Args:
        op: The op.
        name: Name within the model, automatic by default.
    """

    def __init__(self, op: Op, name: str | None = None, attributes: dict[str, Any] | None = None):
        self.op = op
        self.name = name or auto_name(op.name)
        self.attributes = attributes or {}
        self._inbound_nodes: list[Node] = []
        self._outbound_nodes: list[Node] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run or record the op again, with other tensors and the same attributes."""
        if any_symbolic(args, kwargs):
            return self.record(args, kwargs)
        return self.op.run(*args, **kwargs, **self.attributes)

    def record(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Add a node for symbolic arguments and return the symbolic result."""
        outputs = infer(self.op.run, *args, **kwargs, **self.attributes)
        Node(self, args, kwargs, outputs)
        return outputs

    @property
    def input(self) -> Any:
        """The symbolic input of the first call."""
        inputs = self._inbound_nodes[0].inputs
        return inputs[0] if len(inputs) == 1 else inputs

    @property
    def output(self) -> Any:
        """The symbolic output of the first call."""
        outputs = self._inbound_nodes[0].outputs
        return outputs[0] if len(outputs) == 1 else outputs

    def get_config(self) -> dict[str, Any]:
        """The name and the attributes, as plain data."""
        return {"name": self.name, **{k: _plain(v) for k, v in self.attributes.items()}}

    def to_config_data(self) -> dict[str, Any]:
        """The whole config, in Keras's form for operations."""
        return {
            "module": f"keras.src.ops.{self.op.keras_module}",
            "class_name": self.op.class_name,
            "config": self.get_config(),
            "registered_name": self.op.class_name,
        }

    @classmethod
    def from_config_data(cls, data: dict[str, Any]) -> OpCall | None:
        """The call a config describes, or None when the class name is no op's."""
        op = by_class_name(data["class_name"])
        if op is None:
            return None
        config = deserialize_keras_object(dict(data.get("config") or {}))
        name = config.pop("name", None)
        known = op.signature.parameters
        attributes = {k: v for k, v in config.items() if k in known}
        return cls(op, name, attributes)


def _plain(value: Any) -> Any:
    return value if callable(value) else serialize_keras_object(value)


def by_class_name(class_name: str) -> Op | None:
    """The op a Keras operation class is, such as `Add`, `GetItem` or `LeakyRelu`."""
    for op in REGISTRY.values():
        if op.class_name == class_name:
            return op
    return None


@overload
def op(function: Callable[P, R]) -> Callable[P, R]: ...
@overload
def op(
    function: None = None,
    *,
    whole: bool = ...,
    tensors: tuple[str, ...] | None = ...,
    class_name: str | None = ...,
    name: str | None = ...,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def op(
    function: Any = None,
    *,
    whole: bool = False,
    tensors: tuple[str, ...] | None = None,
    class_name: str | None = None,
    name: str | None = None,
) -> Any:
    """Declare an op.

    Args:
        function: A pure JAX function of arrays and attributes.
        whole: Keep the op as one named call in traces.
        tensors: Names of the parameters that hold tensors, when `TENSOR_PARAMETERS` does not tell.
        class_name: The operation class Keras writes into configs, when it is not the op's name in
            capitals.
        name: The op's name when it is not the function's.

    Example:
        >>> from nacre.core.symbolic import KerasTensor
        >>> @op
        ... def doubled(x):
        ...     return x * 2
        >>> doubled(KerasTensor((None, 3))).shape
        (None, 3)
    """

    def declare(fn: Callable[..., Any]) -> Callable[..., Any]:
        info = Op(fn, whole, tensors, name or fn.__name__)
        if class_name is not None:
            info.class_name = class_name
        REGISTRY[info.name] = info

        @functools.wraps(fn)
        def call(*args: Any, **kwargs: Any) -> Any:
            if any_symbolic(args, kwargs):
                tensors_given, attributes = info.split(args, kwargs)
                positional, named = info.leading(tensors_given)
                return OpCall(info, attributes=attributes).record(positional, named)
            return info.run(*args, **kwargs)

        call.op = info  # type: ignore[attr-defined]
        return call

    return declare if function is None else declare(function)


def map_arrays(function: Callable[[Any], Any], structure: Any) -> Any:
    """Apply `function` to each leaf that is not None."""
    return tree.map_structure(lambda leaf: None if leaf is None else function(leaf), structure)
