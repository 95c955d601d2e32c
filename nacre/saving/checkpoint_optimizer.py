"""The state of an optimizer in a checkpoint of TensorFlow.

Keras 2.11 and later lists an optimizer's variables and names each after the one it is for,
`Adam/m/dense/kernel`; before that, and in `optimizers.legacy`, the graph tells the slots of each
variable. Which slot is which is told by its name alone, as several have one shape. (Read off
checkpoints of tf.keras 2.15.1.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.core.errors import message
from nacre.core.warning import warn
from nacre.optimizers import Nadam, Optimizer
from nacre.saving.checkpoint_graph import Checkpoint, Node, StoredVariable
from nacre.saving.optimizer_state import own_slot, product_of_momenta
from nacre.saving.weights import LoadStep
from nacre.training.state import tell_paths

# What our slots are called in checkpoints, where it is not their own name; the optimizers of one
# line have one kind of state.
_NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "Adam": {"momentum": ("m",), "velocity": ("v",), "velocity_hat": ("vhat",)},
    "Adamax": {"momentum": ("m",), "norm": ("u", "v")},
    "RMSprop": {"velocity": ("velocity", "rms"), "average_gradient": ("average_gradient", "mg")},
    "Adadelta": {"accumulated_grad": ("accum_grad",), "accumulated_delta_var": ("accum_var",)},
    "SGD": {"momentum": ("m",)},
    "Lion": {"momentum": ("m",)},
    "Nadam": {"momentum": ("m",), "velocity": ("v",)},
    "Adagrad": {},
    "Ftrl": {},
}
_NAMES["AdamW"] = _NAMES["Adam"]
# The optimizer's attribute that a variable of its own is, the newest first.
SCALARS = {
    "iteration": ("_iterations", "iter"),
    "learning_rate": ("_learning_rate", "learning_rate"),
    "variable": ("_u_product",),  # Nadam's running product of momentum factors
}
_WITHIN = ("inner_optimizer", "_optimizer")  # of one that scales the loss


def optimizer_state(
    model: Any, optimizer: Optimizer, file: Checkpoint, place: int, places: dict[int, int]
) -> list[LoadStep]:
    """How the state of a model's optimizer is set; a warning where the file has another's.

    Args:
        model: A compiled model.
        optimizer: Its optimizer.
        file: The checkpoint.
        place: Where the model is in its graph.
        places: id of each of the model's variables -> its place.
    """
    node = _node_of(file, place)
    if node is None:
        return []
    if not optimizer.built:
        tell_paths(model, optimizer)
        optimizer.build(model.trainable_variables)
    inner = next((node.children[name] for name in _WITHIN if name in node.children), None)
    if inner is not None:
        node = file.nodes[inner]
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    pairs = _pairs(optimizer, file, node, places)
    if pairs is None:
        warn(
            message(
                file.who,
                f"the state of optimizer '{optimizer.name}' must be of its kind, so it was left "
                "out and training starts with a fresh state",
                f"that of another, or for other variables: {', '.join(_slot_names(file, node))}",
                "To go on exactly, compile with the optimizer the file was saved with.",
            ),
        )
        return []

    found = {id(variable) for variable, _ in pairs}
    missing = (v for v in optimizer.variables if v.name == "variable" and id(v) not in found)
    product = next(missing, None) if type(optimizer) is Nadam else None

    def read() -> list[np.ndarray]:
        return [array.read() for _, array in pairs]

    def assign(arrays: list[np.ndarray]) -> None:
        for (variable, _), values in zip(pairs, arrays, strict=True):
            variable.assign(values)
        if product is not None:
            steps = int(optimizer.iterations.numpy())
            product.assign(product_of_momenta(optimizer, steps))

    return [LoadStep(read, assign)]


def _pairs(
    optimizer: Optimizer, file: Checkpoint, node: Node, places: dict[int, int]
) -> list[tuple[Any, StoredVariable]] | None:
    """Each variable of the optimizer that the file has; None where it is another's state."""
    trainable = optimizer._trainable_variables
    slots = _slots(file, node)
    own = type(optimizer).__name__
    names = _NAMES.get(own, {})
    if any(_NAMES.get(kind, names) is not names for kind in _kinds(file, slots)):
        return None
    pairs: list[tuple[Any, StoredVariable]] = []
    for variable in optimizer.variables:
        slot = own_slot(variable, trainable)
        if slot is not None:
            place = places.get(id(trainable[slot[1]]))
            if place is None:
                return None
            known = (*names.get(slot[0], ()), slot[0])
            array = next((a for name in known if (a := slots.pop((place, name), None))), None)
            if array is None or array.shape != variable.shape:
                return None
            pairs.append((variable, array))
            continue
        for name in SCALARS.get(variable.name, ()):
            array = file.array(node.children[name]) if name in node.children else None
            if array is not None and array.shape == variable.shape:
                pairs.append((variable, array))
                break
        else:
            if variable.name not in ("learning_rate", "variable"):
                return None
    left = {name for _, name in slots}
    if own == "SGD":
        left -= {"m"}  # Keras 2 keeps it where nothing uses it, without momentum
    return None if left else pairs


def _node_of(file: Checkpoint, place: int) -> Node | None:
    for holder in (file.nodes[place], file.nodes[0]):
        for at in holder.children.values():
            node = file.nodes[at]
            if not node.children.keys().isdisjoint(("_iterations", "iter", *_WITHIN)):
                return node
    return None


def _slots(file: Checkpoint, node: Node) -> dict[tuple[int, str], StoredVariable]:
    """What an optimizer keeps: (place of the variable it is for, name of the slot) -> array."""
    found: dict[tuple[int, str], StoredVariable] = {}
    for name, variable, slot in node.slots:
        if (array := file.array(slot)) is not None:
            found[variable, name] = array
    listed_at = node.children.get("_variables")
    if listed_at is None:
        return found
    places: dict[str, list[int]] = {}
    for place, other in enumerate(file.nodes):
        if other.key is not None:
            places.setdefault(other.name, []).append(place)
    for at in file.nodes[listed_at].children.values():
        parts = file.nodes[at].name.split("/", 2)
        if len(parts) < 3 or (array := file.array(at)) is None:
            continue  # a counter
        variables = places.get(parts[2], [])
        # One whose variable cannot be told is nobody's, and the state does not fit.
        found[variables[0] if len(variables) == 1 else -1, parts[1]] = array
    return found


def saved_name(optimizer: Optimizer, variable: Any) -> str:
    """What a variable of an optimizer is called in a checkpoint.

    Example:
        `Adam/m/dense/kernel`, and `iteration`.
    """
    slot = own_slot(variable, optimizer._trainable_variables)
    if slot is None:
        return str(variable.name)
    kind = type(optimizer).__name__
    known = (*_NAMES.get(kind, {}).get(slot[0], ()), slot[0])
    return f"{kind}/{known[0]}/{optimizer._trainable_variables[slot[1]].path}"


def _kinds(file: Checkpoint, slots: dict[tuple[int, str], StoredVariable]) -> set[str]:
    """What the optimizer was called that the slots are of: its class, if it was given no name."""
    return {file.nodes[array.place].name.split("/")[0] for array in slots.values()}


def _slot_names(file: Checkpoint, node: Node) -> list[str]:
    return sorted({name for _, name in _slots(file, node)}) or ["no slots"]


__all__ = ["SCALARS", "optimizer_state", "saved_name"]
