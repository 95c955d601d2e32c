"""What scripts of tf.keras 2 ask layers and tensors for; `methods.py` lends it."""

from __future__ import annotations

from typing import Any

from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.data import TensorSpec
from nacre.tf.shapes import TensorShape


def _node(layer: Any, node_index: Any, what: str) -> Any:
    nodes = layer._inbound_nodes
    if not -len(nodes) <= node_index < len(nodes):
        rule = f"the layer was called {len(nodes)} times on symbolic tensors"
        got = f"node_index={node_index}"
        raise ArgumentError(message(f"{layer._who()}.{what}", rule, got))
    return nodes[node_index]


def _one_or_all(found: list[Any]) -> Any:
    return found[0] if len(found) == 1 else found


def _get_input_at(self: Any, node_index: int) -> Any:
    """The symbolic tensor of one of its calls, a list where there were several."""
    node = _node(self, node_index, "get_input_at")
    return _one_or_all(node.inputs or node.outputs)  # an Input has none but its own


def _get_output_at(self: Any, node_index: int) -> Any:
    """What one of its calls gave."""
    return _one_or_all(_node(self, node_index, "get_output_at").outputs)


def _get_input_shape_at(self: Any, node_index: int) -> Any:
    """The shape of what one of its calls took."""
    node = _node(self, node_index, "get_input_shape_at")
    return _one_or_all([tuple(x.shape) for x in node.inputs or node.outputs])


def _get_output_shape_at(self: Any, node_index: int) -> Any:
    """The shape of what one of its calls gave."""
    node = _node(self, node_index, "get_output_shape_at")
    return _one_or_all([tuple(x.shape) for x in node.outputs])


def _set_shape(self: Any, shape: Any) -> None:
    """Check what is said of the shape."""
    if not TensorShape(self.shape).is_compatible_with(shape):
        rule = f"the shape must fit {tuple(TensorShape(shape))}"
        raise ShapeError(message("set_shape", rule, f"{tuple(self.shape)}"))


def _on_cpu(self: Any) -> Any:
    """The same tensor: where it is belongs to JAX."""
    return self


OF_LAYERS: dict[str, Any] = {
    "get_input_at": _get_input_at,
    "get_output_at": _get_output_at,
    "get_input_shape_at": _get_input_shape_at,
    "get_output_shape_at": _get_output_shape_at,
    "inbound_nodes": property(lambda self: list(self._inbound_nodes)),
    "dynamic": False,
}
OF_SYMBOLS: dict[str, Any] = {
    "set_shape": _set_shape,
    "type_spec": property(lambda self: TensorSpec(tuple(self.shape), self.dtype)),
}
OF_TENSORS: dict[str, Any] = {"cpu": _on_cpu}

__all__ = ["OF_LAYERS", "OF_SYMBOLS", "OF_TENSORS"]
