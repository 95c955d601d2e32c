"""`@op`: one definition of an op serves arrays, traced values and symbolic tensors.

An op is a pure JAX function. Called with arrays it just runs. Called with symbolic tensors it
records a node in the model's graph, and the shape of the result comes from tracing the function.

With `whole=True` the op is kept whole in a trace: it runs inside an inner `jax.jit` whose name
carries the op, its attributes, and the name and rank of each operand:

    nacre.softmax|{"axis":-1,"operands":{"x":2}}

so that an exporter can see a softmax instead of the exponentials and sums it is made of; `named`
reads such names back (of a long one only a digest is in the trace: `nacre.lstm|#5f0c…`).

Three things make a call run as its primitives instead: the block of `opened()`; an attribute that
is no plain data, such as a function that is not nacre's own (it may hold variables, and a name
could not rebuild it); an array where an attribute is expected.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import threading
import types
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, overload

import jax
import numpy as np

from nacre.core import config, tree
from nacre.core.dtypes import standardize_dtype
from nacre.core.errors import ArgumentError, message
from nacre.core.held import Held
from nacre.core.names import auto_name
from nacre.core.registry import deserialize_keras_object, plain_config
from nacre.core.scope import call_context
from nacre.core.shape_inference import infer
from nacre.core.symbolic import Node, any_symbolic
from nacre.core.variable import Variable
from nacre.ops import mask_travel
from nacre.ops._arrays import array
from nacre.ops._explain import EXPLAINED, cause_shown, explained_call
from nacre.ops.kernels.placement import uses_plain_xla

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

# They choose among lowerings that give the same numbers: part of the program, not of its name.
LOWERING_PARAMETERS = frozenset({"placement"})

REGISTRY: dict[str, Op] = {}

# JAX's compile cache makes file names of at most 255 characters out of a function's name: with
# `jit_nacre.` and `|` before it, and a dash, 64 digits and `-cache` behind, this is what remains.
LONGEST_NAME = 170
# What does not fit in a name (an LSTM's attributes), by the digest that stands there instead.
LONG_DESCRIPTIONS: dict[str, str] = {}


class _State(threading.local):
    opened = False


_state = _State()


def opened() -> Held:
    """Let whole ops run as the primitives they are made of, in this block and thread."""
    return Held(_state, "opened", True)


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
        # For an op whose result's shape depends on values, which tracing cannot answer: called
        # with the op's arguments, it gives the symbolic outputs, or None where tracing can.
        self.shape_rule: Callable[..., Any] | None = None

    def split(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The arguments as (tensors, attributes), by parameter name."""
        try:
            bound = self.signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{self.name}() {error}") from None
        tensors: dict[str, Any] = {}
        attributes: dict[str, Any] = {}
        for name, value in bound.items():
            kind = self.signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                attributes.update(value)
            else:
                # A symbolic tensor is an input of the call wherever it stands: clip(x, low, high).
                is_tensor = name in self.tensors or any_symbolic((value,))
                (tensors if is_tensor else attributes)[name] = value
        return tensors, attributes

    def leading(self, tensors: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Tensors as positional arguments as far as they lead the signature, the rest by name."""
        rest = dict(tensors)
        positional: list[Any] = []
        for name, parameter in self.signature.parameters.items():
            if name not in rest:
                break
            value = rest.pop(name)
            several = parameter.kind is inspect.Parameter.VAR_POSITIONAL
            positional += value if several else [value]
        return tuple(positional), rest

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function on arrays."""
        try:
            if self.whole:
                return self._run_whole(args, kwargs)
            return self.function(*_values(args), **_values(kwargs))
        except EXPLAINED as error:
            better = explained_call(self.name, self.signature, args, kwargs, error)
            if better is error:
                raise
            raise better from cause_shown(error)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function on arrays, and let masks travel where the layer being called does."""
        context = call_context()
        if context is None or not context.carries:
            return self.run(*args, **kwargs)
        context.carries = False  # the ops within are parts of this one
        try:
            outputs = self.run(*args, **kwargs)
        finally:
            context.carries = True
        mask_travel.carry(self, args, kwargs, outputs)
        return outputs

    def _run_whole(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        tensors, attributes = self.split(args, kwargs)
        if not _state.opened:
            try:
                plain = {name: _plain_data(value) for name, value in attributes.items()}
            except TypeError:
                plain = None
            if plain is not None:
                return self._run_named(tensors, plain)
        return self.function(**_values(tensors), **attributes)

    def _run_named(self, tensors: dict[str, Any], attributes: dict[str, Any]) -> Any:
        operands = [_operand(value) for value in tensors.values()]
        ranks = tuple(None if x is None else getattr(x, "ndim", 0) for x in operands)
        # 1, 1.0 and True are equal keys, but not one attribute.
        kinds = tuple(map(type, attributes.values()))
        settings = (config.floatx(), uses_plain_xla())  # what functions read while traced
        key = (tuple(attributes.items()), kinds, settings)
        named = tuple(zip(tensors, ranks, strict=True))
        program = _whole_program(self, named, key)
        return program(*(x for x in operands if x is not None))

    def described(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """All attributes as plain data, those left out with their defaults."""
        given: dict[str, Any] = {}
        for name, parameter in self.signature.parameters.items():
            if name in self.tensors or parameter.default is parameter.empty:
                continue
            given[name] = parameter.default
        given |= attributes
        return {
            name: value.__name__ if callable(value) else value
            for name, value in sorted(given.items())
            if name not in LOWERING_PARAMETERS
        }


@functools.lru_cache(maxsize=4096)
def _whole_program(
    op: Op, operands: tuple[tuple[str, int | None], ...], key: tuple[Any, ...]
) -> Callable[..., Any]:
    """The op as one named, compiled function of those operands that are not None."""
    attributes = dict(key[0])
    present = {name: rank for name, rank in operands if rank is not None}
    absent = {name: None for name, rank in operands if rank is None}

    def program(*tensors: Any) -> Any:
        return op.function(**dict(zip(present, tensors, strict=True)), **absent, **attributes)

    text = json.dumps(op.described(attributes) | {"operands": present}, separators=(",", ":"))
    if len(op.name) + len(text) > LONGEST_NAME:
        digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        LONG_DESCRIPTIONS[digest], text = text, f"#{digest}"
    program.__name__ = program.__qualname__ = f"nacre.{op.name}|{text}"
    return jax.jit(program)


def _plain_data(value: Any) -> Any:
    """An attribute as hashable plain data, or TypeError when it is none."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return tuple(_plain_data(v) for v in value)
    if isinstance(value, np.dtype) or (isinstance(value, type) and hasattr(value, "dtype")):
        return np.dtype(value).name
    if isinstance(value, types.FunctionType) and value.__module__.startswith("nacre."):
        return value
    raise TypeError(f"no plain data: {value!r}")


def _operand(value: Any) -> Any:
    """What the program of a whole op takes: an array, a number or None."""
    if value is None or isinstance(value, jax.Array | np.ndarray | bool | int | float):
        return value
    return array(value)


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
        return self.op.call(*args, **kwargs, **self.attributes)

    def record(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Add a node for symbolic arguments and return the symbolic result."""
        rule = self.op.shape_rule
        outputs = None if rule is None else rule(*args, **kwargs, **self.attributes)
        if outputs is None:
            outputs = self._infer(args, kwargs)
        Node(self, args, kwargs, outputs)
        mask_travel.carry(self.op, args, {**kwargs, **self.attributes}, outputs)
        return outputs

    def _infer(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            return infer(self.op.run, *args, **kwargs, **self.attributes)
        except jax.errors.JAXTypeError as error:
            raise ArgumentError(
                message(
                    self.op.name,
                    "what it gives must have a shape that follows from shapes alone",
                    "values that are not known while a model is described",
                    "Give the size as an argument, or call it in the call() of a layer.",
                )
            ) from error

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
        plain = {k: _plain(v) for k, v in self.attributes.items() if k != "dtype"}
        if (dtype := self.attributes.get("dtype")) is not None:
            plain["dtype"] = standardize_dtype(dtype)  # np.float16 as well as "float16"
        return {"name": self.name, **plain}

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
        # Arguments of the caller's own choice of name, as the axes of `rearrange`.
        is_open = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values())
        attributes = {k: v for k, v in config.items() if k in known or is_open}
        return cls(op, name, attributes)


def _plain(value: Any) -> Any:
    return value if callable(value) else plain_config(value)


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
            context = call_context()
            if context is None or not context.carries:
                return info.run(*args, **kwargs)
            return info.call(*args, **kwargs)

        call.op = info  # type: ignore[attr-defined]
        return call

    return declare if function is None else declare(function)


def whole(*tensors: str, name: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep a function of ops as one named call in traces, without making an op of it.

    For what a layer computes and Keras has no op for. With symbolic tensors the function just
    runs, so that a model's graph, and its file, hold the ops inside.

    Args:
        tensors: Names of the parameters that hold tensors.
        name: The name in traces when it is not the function's.

    Example:
        >>> @whole("x")
        ... def halved(x):
        ...     return x / 2
        >>> "nacre.halved" in str(jax.make_jaxpr(halved)(np.ones(3)))
        True
    """

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        info = Op(function, True, tensors, name or function.__name__)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return (function if any_symbolic(args, kwargs) else info.run)(*args, **kwargs)

        return call

    return declare


def map_arrays(function: Callable[[Any], Any], structure: Any) -> Any:
    """Apply `function` to each leaf that is not None."""
    return tree.map_structure(lambda leaf: None if leaf is None else function(leaf), structure)
