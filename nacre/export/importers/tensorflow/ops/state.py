"""Variables, and what restores them from a checkpoint."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core.wire.bundle import Bundle
from nacre.export.importers.tensorflow.ops.indexing import gather, gather_nd, scattered
from nacre.export.importers.tensorflow.ops.tables import path_within
from nacre.export.importers.tensorflow.registry import Node, ShapeValue, op
from nacre.export.importers.tensorflow.run import Run
from nacre.export.importers.tensorflow.values import (
    GraphError,
    Handle,
    Restored,
    dtype,
    fits,
    numbers,
    strings,
)


def _handle(run: Run, node: Node, kind: str) -> Handle:
    container = bytes(node.get("container") or b"").decode()
    name = bytes(node.get("shared_name") or b"").decode() or node.name
    found = run.resources.handle(kind, container, name)
    if not found.dtype and node.get("dtype") is not None:
        found.dtype = int(node["dtype"])
        sizes = node.get("shape")
        found.shape = sizes.sizes if isinstance(sizes, ShapeValue) else None
    return found


@op("VarHandleOp", shared=True)
def _variable(run: Run, node: Node) -> Any:
    return _handle(run, node, "variable")


@op("VariableV2", "Variable", shared=True)
def _reference(run: Run, node: Node) -> Any:
    return _handle(run, node, "reference")


@op("ReadVariableOp", shared=True)
def _read(run: Run, node: Node, handle: Handle) -> Any:
    return run.read(handle)


def _checked(handle: Handle, value: Any) -> Any:
    """A value that a variable can take.

    Raises:
        GraphError: It is of another shape or dtype than the variable is said to be of.
    """
    if not fits(handle.shape, value):
        told = f"{handle.shape} for variable '{handle.name}'"
        raise GraphError(f"a value of shape {np.shape(value)} in place of {told}")
    return value


@op("AssignVariableOp", shared=True)
def _assign(run: Run, node: Node, handle: Handle, value: Any) -> Any:
    if isinstance(value, Restored):
        handle.key = handle.key or value.key
    run.assign(handle, _checked(handle, value))
    return ()


@op("AssignAddVariableOp", "AssignSubVariableOp", shared=True)
def _assign_more(run: Run, node: Node, handle: Handle, value: Any) -> Any:
    before = run.read(handle)
    module = numbers(before, value)
    function = module.add if node.op.startswith("AssignAdd") else module.subtract
    run.assign(handle, function(before, value).astype(before.dtype))
    return ()


@op("Assign", shared=True)
def _old_assign(run: Run, node: Node, handle: Handle, value: Any) -> Any:
    _assign(run, node, handle, value)
    return handle


@op("AssignAdd", "AssignSub", shared=True)
def _old_assign_more(run: Run, node: Node, handle: Handle, value: Any) -> Any:
    _assign_more(run, node, handle, value)
    return handle


@op("VarIsInitializedOp", "IsVariableInitialized", shared=True)
def _is_initialized(run: Run, node: Node, handle: Handle) -> Any:
    return np.asarray(handle in run.values)


@op("VariableShape", shared=True)
def _variable_shape(run: Run, node: Node, handle: Handle) -> Any:
    return np.asarray(np.shape(run.read(handle)), dtype(node["out_type"]))


@op("ResourceGather", shared=True)
def _resource_gather(run: Run, node: Node, handle: Handle, indices: Any) -> Any:
    return gather(run.read(handle), indices, 0, int(node.get("batch_dims", 0)))


@op("ResourceGatherNd", shared=True)
def _resource_gather_nd(run: Run, node: Node, handle: Handle, indices: Any) -> Any:
    return gather_nd(run.read(handle), indices)


@op("ResourceScatterUpdate", "ResourceScatterAdd", "ResourceScatterSub", shared=True)
@op("ResourceScatterMax", "ResourceScatterMin", shared=True)
def _resource_scatter(run: Run, node: Node, handle: Handle, rows: Any, values: Any) -> Any:
    run.assign(handle, scattered(node.op, run.read(handle), jnp.asarray(rows), values))
    return ()


@op("DestroyResourceOp", shared=True)
def _destroy(run: Run, node: Node, handle: Handle) -> Any:
    return ()


# --- optimizers in signatures that train ----------------------------------------------------------


@op("ResourceApplyGradientDescent", shared=True)
def _gradient_descent(run: Run, node: Node, handle: Handle, rate: Any, gradient: Any) -> Any:
    run.assign(handle, run.read(handle) - rate * gradient)
    return ()


@op("ResourceApplyMomentum", "ResourceApplyKerasMomentum", shared=True)
def _momentum(
    run: Run, node: Node, handle: Handle, slot: Handle, rate: Any, gradient: Any, momentum: Any
) -> Any:
    """Keras's counts the rate in the slot."""
    in_slot = node.op == "ResourceApplyKerasMomentum"
    scaled = -rate * gradient if in_slot else gradient
    moved = run.read(slot) * momentum + scaled
    run.assign(slot, moved)
    if node.get("use_nesterov", False):
        moved = moved * momentum + scaled
    run.assign(handle, run.read(handle) + (moved if in_slot else -rate * moved))
    return ()


@op("ResourceApplyAdam", shared=True)
def _adam(run: Run, node: Node, handle: Handle, m: Handle, v: Handle, *rest: Any) -> Any:
    """Kingma & Ba 2014, with the epsilon "hat" of the text before section 2.1."""
    beta1_power, beta2_power, rate, beta1, beta2, epsilon, gradient = rest
    first = run.read(m) * beta1 + gradient * (1 - beta1)
    second = run.read(v) * beta2 + gradient * gradient * (1 - beta2)
    run.assign(m, first)
    run.assign(v, second)
    step = rate * jnp.sqrt(1 - beta2_power) / (1 - beta1_power)
    top = first * beta1 + gradient * (1 - beta1) if node.get("use_nesterov") else first
    run.assign(handle, run.read(handle) - step * top / (jnp.sqrt(second) + epsilon))
    return ()


# --- checkpoints ----------------------------------------------------------------------------------


@op("RestoreV2", host=True, shared=True)
def _restore(run: Run, node: Node, prefix: Any, names: Any, slices: Any) -> Any:
    bundle = _bundle(run, strings(prefix).item())
    found: list[Any] = []
    for name, part in zip(strings(names).ravel(), strings(slices).ravel(), strict=True):
        text = name.decode("utf-8", "replace")
        if text not in bundle:
            raise GraphError(f"the checkpoint has no array '{text}'")
        array = np.asarray(bundle.read(text))
        array = _part(array, part.decode("utf-8", "replace")) if part else array
        if array.dtype != object:
            restored = array.view(Restored)
            restored.key = text
            array = restored
        found.append(array)
    return tuple(found)


def _bundle(run: Run, prefix: bytes) -> Bundle:
    """The checkpoint of a prefix, which lies in the folder that is read."""
    path = path_within(run, prefix)
    kept = run.resources.bundles
    if path not in kept:
        path_within(run, prefix + b".index")
        kept[path] = Bundle(path)
    return kept[path]


def _part(array: np.ndarray[Any, Any], told: str) -> Any:
    """A part of an array, `4 2 0,2:0,1`: the whole shape, then beginnings and lengths."""
    *sizes, parts = told.split(" ")
    if tuple(int(n) for n in sizes) != array.shape:
        raise GraphError(f"an array of shape {array.shape} in place of {sizes}")
    index: list[slice] = []
    for piece in parts.split(":"):
        if piece == "-":
            index.append(slice(None))
        else:
            begin, length = (int(n) for n in piece.split(","))
            index.append(slice(begin, begin + length))
    return array[tuple(index)]
