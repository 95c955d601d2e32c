"""A call of an op on symbolic tensors: the node it leaves in a model's graph, and its config."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import jax

from nacre.core.dtypes import standardize_dtype
from nacre.core.errors import ArgumentError, message
from nacre.core.names import auto_name
from nacre.core.registry import deserialize_keras_object, plain_config
from nacre.core.shape_inference import infer
from nacre.core.symbolic import Node, any_symbolic
from nacre.ops import mask_propagation
from nacre.ops._op import Op
from nacre.ops.operation import Operation

# All ops, by name.
REGISTRY: dict[str, Op] = {}


class OpCall(Operation):
    """One place in a model's graph where an op is called.

    Args:
        op: The op.
        name: Name within the model, automatic by default.
        attributes: The arguments that are no tensors, by name.
    """

    def __init__(
        self, op: Op, name: str | None = None, attributes: dict[str, Any] | None = None
    ) -> None:
        super().__init__(name or auto_name(op.name))
        self.op = op
        self.attributes = attributes or {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run or record the op again, with other tensors and the same attributes."""
        if any_symbolic(args, kwargs):
            return self.symbolic_call(*args, **kwargs)
        return self.op.call(*args, **kwargs, **self.attributes)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Run the op on arrays."""
        return self.op.run(*args, **kwargs, **self.attributes)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Add a node for symbolic arguments and return the symbolic result."""
        outputs = self.compute_output_spec(*args, **kwargs)
        Node(self, args, kwargs, outputs)
        mask_propagation.propagate(self.op, args, {**kwargs, **self.attributes}, outputs)
        return outputs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The symbolic result for symbolic arguments."""
        rule = self.op.shape_rule
        outputs = None if rule is None else rule(*args, **kwargs, **self.attributes)
        return self._infer(args, kwargs) if outputs is None else outputs

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
    """The op a Keras operation class is, such as `Add`, `GetItem` or `LeakyRelu`.

    'tf.math.square' is the function of `nacre.tf`, which is loaded only where a graph needs it.
    """
    if class_name.startswith("tf."):
        return importlib.import_module("nacre.tf.rows").op_of(class_name)
    for op in REGISTRY.values():
        if op.class_name == class_name:
            return op
    return None
