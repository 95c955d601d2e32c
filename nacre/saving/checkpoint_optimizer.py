"""The state of an optimizer in a checkpoint of TensorFlow.

Keras 2.11 and later lists an optimizer's variables and names each after the one it is for,
`Adam/m/dense/kernel`; before that, and in `optimizers.legacy`, the graph tells the slots of each
variable. Which slot is which is told by its name alone, as several have one shape. (Read off
checkpoints of tf.keras 2.15.1.)

nacre writes both, for tf.keras, and lists every variable of the optimizer once more under an
attribute of its own, in its order, as optimizers of its own and of users have what tf.keras has no
place for.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from nacre.core.errors import listed, message
from nacre.core.names import without_numbers
from nacre.core.warning import warn
from nacre.optimizers import SGD, Nadam, OptaxOptimizer, Optimizer
from nacre.saving.checkpoint_graph import Checkpoint, Node, StoredVariable
from nacre.saving.optimizer_parts import LOSS_SCALE, Held, held_by, is_of_another_line
from nacre.saving.optimizer_state import product_of_momenta
from nacre.saving.weights import LoadStep
from nacre.training.state import tell_paths

# The attribute of the optimizer under which nacre lists all its variables.
OWN_LIST = "_nacre_variables"
_WITHIN = ("inner_optimizer", "_optimizer")  # of one that scales the loss

# Variables of optimizers that are arguments of theirs, which the config tells.
_SETTINGS = frozenset(
    "learning_rate current_learning_rate decay beta_1 beta_2 rho momentum epsilon schedule_decay "
    "u_product momentum_cache beta learning_rate_power "
    "l1_regularization_strength l2_regularization_strength".split()
)

_Pairs = list[tuple[Held, StoredVariable]]


class _Another(Exception):
    """The state in a file is not an optimizer's; says what it is."""


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
    return state_of_node(optimizer, file, node, places)


def trained_places(optimizer: Optimizer, file: Checkpoint, place: int) -> list[int]:
    """The places of the variables that an optimizer of a file trained, in its order.

    Args:
        optimizer: One of its kind.
        file, place: The checkpoint, and where it is.
    """
    node = file.nodes[place]
    slots = _slots(file, node, bool(_listed(file, node)))
    return list(dict.fromkeys(at for at, _ in slots if at >= 0))


def state_of_node(
    optimizer: Optimizer, file: Checkpoint, node: Node, places: dict[int, int]
) -> list[LoadStep]:
    """How the state of an optimizer is set, of which a file has this."""
    if isinstance(optimizer, OptaxOptimizer) and not optimizer.built:
        arrays = [array for _, array in _listed(file, node)]
        return [LoadStep(lambda: [array.read() for array in arrays], optimizer.keep_state)]
    try:
        pairs = _pairs(optimizer, file, node, places)
    except _Another as found:
        warn(
            message(
                file.who,
                f"the state of optimizer '{optimizer.name}' must be of its kind, so it was left "
                "out and training starts with a fresh state",
                str(found),
                "To go on exactly, compile with the optimizer the file was saved with.",
            ),
        )
        return []

    read_ids = {id(held.variable) for held, _ in pairs}
    products = [
        (held.variable, held.owner)
        for held in held_by(optimizer)
        if isinstance(held.owner, Nadam) and held.variable.name == "variable"
    ]

    def read() -> list[np.ndarray]:
        return [array.read() for _, array in pairs]

    def assign(arrays: list[np.ndarray]) -> None:
        for (held, _), values in zip(pairs, arrays, strict=True):
            held.variable.take(values)
        for variable, nadam in products:
            if id(variable) not in read_ids:
                variable.assign(product_of_momenta(nadam, int(nadam.iterations.numpy())))

    return [LoadStep(read, assign)]


def _pairs(optimizer: Optimizer, file: Checkpoint, node: Node, places: dict[int, int]) -> _Pairs:
    """Each variable of the optimizer that the file has.

    Raises:
        _Another: It is another's state.
    """
    found = held_by(optimizer)
    listed_here = _listed(file, node)
    slots = _slots(file, node, bool(listed_here))
    places_of_slots = {array.place for array in slots.values()}
    own = {n: a for n, a in listed_here if a.place not in places_of_slots} | _scalars(file, node)
    pairs: _Pairs = []
    missing: list[str] = []
    for held in found:
        if held.of is None:
            continue
        array = _slot_of(held, slots, places)
        if array is not None:
            pairs.append((held, array))
        elif not held.is_unused:
            missing.append(held.name)
    for held, array in _own_arrays([held for held in found if held.of is None], own).items():
        if array is not None:
            pairs.append((held, array))
        elif not _is_told_otherwise(held):
            missing.append(held.name)
    if not places_of_slots and _is_untrained(own):
        missing = []
    used = {array.place for _, array in pairs}
    left = {name for _, name in slots}
    left |= {name for name, a in own.items() if a.place not in used and not _is_dispensable(name)}
    others = (is_of_another_line(_name_of(a).split("/")[0], optimizer) for a in slots.values())
    if isinstance(optimizer, SGD) and left == {"m"} and not any(others):
        left = set()  # Keras 2 keeps it where nothing uses it, without momentum
    if missing or left:
        parts = [f"nothing for {listed(sorted(set(missing)), 6)}"] if missing else []
        parts += [f"{listed(sorted(left), 6)}, which it has not"] if left else []
        raise _Another(f"that of another, or for other variables: {'; '.join(parts)}")
    return pairs


def _slot_of(
    held: Held, slots: dict[tuple[int, str], StoredVariable], places: dict[int, int]
) -> StoredVariable | None:
    """The array of a slot, taken out of those that are left."""
    place = places.get(id(held.of), -1)
    name = next((name for name in held.names if (place, name) in slots), None)
    if name is None:
        return None
    array = slots.pop((place, name))
    kind = _name_of(array).split("/")[0]
    if is_of_another_line(kind, held.owner):
        raise _Another(f"that of {kind}")
    if array.shape != held.variable.shape:
        raise _Another(f"one with {name} of shape {array.shape} for {held.variable.shape}")
    return array


def _own_arrays(
    found: list[Held], own: dict[str, StoredVariable]
) -> dict[Held, StoredVariable | None]:
    """Arrays of variables that belong to no trainable one: by name; where automatic names differ,
    in their order."""
    pairs = {held: next((own[n] for n in held.names if n in own), None) for held in found}
    ours = [held for held, array in pairs.items() if array is None]
    theirs = [name for name in own if not any(name in held.names for held in found)]
    if [without_numbers(held.name) for held in ours] == [without_numbers(n) for n in theirs]:
        pairs |= {held: own[name] for held, name in zip(ours, theirs, strict=True)}
    fits = {h: a is None or a.shape == h.variable.shape for h, a in pairs.items()}
    return {held: array if fits[held] else None for held, array in pairs.items()}


def _is_told_otherwise(held: Held) -> bool:
    """Whether a file may do without a variable: the config tells the learning rate, and Nadam's
    product follows from the number of updates. The loss may not have been scaled before."""
    is_product = held.variable.name == "variable" and isinstance(held.owner, Nadam)
    return is_product or _is_dispensable(held.name)


def _is_dispensable(name: str) -> bool:
    # Keras before 2.11 keeps its settings as arrays.
    last = name.rpartition("/")[2].lstrip("_")
    return last in _SETTINGS or name.startswith(LOSS_SCALE)


def _is_untrained(scalars: dict[str, StoredVariable]) -> bool:
    """Whether the file is of an optimizer that never made an update."""
    counter = scalars.get("_iterations")
    return counter is not None and counter.shape == () and int(counter.read()) == 0


def _node_of(file: Checkpoint, place: int) -> Node | None:
    for holder in (file.nodes[place], file.nodes[0]):
        for at in holder.children.values():
            node = file.nodes[at]
            if not node.children.keys().isdisjoint(("_iterations", "iter", OWN_LIST, *_WITHIN)):
                return node
    return None


def _scalars(file: Checkpoint, node: Node) -> dict[str, StoredVariable]:
    """What an optimizer keeps under attributes: their names, with those of an object within."""
    found: dict[str, StoredVariable] = {}
    inner = next((node.children[name] for name in _WITHIN if name in node.children), None)
    for holder in [node] if inner is None else [file.nodes[inner], node]:
        for name, at in holder.children.items():
            if (array := file.array(at)) is not None:
                found.setdefault(name, array)
            elif name == LOSS_SCALE.rstrip("/"):
                for key, place in file.nodes[at].children.items():
                    if (array := file.array(place)) is not None:
                        found[f"{name}/{key}"] = array
    return found


def _listed(file: Checkpoint, node: Node) -> list[tuple[str, StoredVariable]]:
    """(name, array) of all variables, in the optimizer's order, where nacre wrote the file."""
    at = node.children.get(OWN_LIST)
    if at is None:
        return []
    arrays = [file.array(place) for place in file.nodes[at].children.values()]
    return [(array.name, array) for array in arrays if array is not None]


def _name_of(array: StoredVariable) -> str:
    """The name of an optimizer's variable, without the branch it was made in: where the loss is
    scaled, Keras 2.12 makes them within `tf.cond`."""
    return re.sub(r"^(cond(_\d+)?/)+", "", array.name)


def _told_slots(file: Checkpoint, node: Node) -> dict[tuple[int, str], StoredVariable]:
    """Those that the graph of objects tells; that of a SavedModel folder of nacre's does not."""
    slots = ((variable, name, file.array(slot)) for name, variable, slot in node.slots)
    return {(variable, name): array for variable, name, array in slots if array is not None}


def _slots(file: Checkpoint, node: Node, is_ours: bool) -> dict[tuple[int, str], StoredVariable]:
    """What an optimizer keeps: (place of the variable it is for, name of the slot) -> array.

    Args:
        is_ours: Whether nacre wrote the file.
    """
    if is_ours and (told := _told_slots(file, file.nodes[node.children[OWN_LIST]])):
        return told
    inner = next((node.children[name] for name in _WITHIN if name in node.children), None)
    if inner is not None:
        node = file.nodes[inner]
    found = _told_slots(file, node)
    list_at = node.children.get("_variables")
    if list_at is None:
        return found
    places: dict[str, list[int]] = {}
    for place, other in enumerate(file.nodes):
        if other.key is not None:
            places.setdefault(other.name, []).append(place)
    arrays = [a for at in file.nodes[list_at].children.values() if (a := file.array(at))]
    # The optimizer's name comes first, but within one that scales the loss.
    splits = ([_name_of(a).split("/", count) for a in arrays] for count in (2, 1))
    known = [[(p[-2], p[-1]) for p in split if len(p) > 1] for split in splits]
    has_names, has_none = (sum(path in places for _, path in names) for names in known)
    count = 1 if has_none > has_names else 2
    for array in arrays:
        parts = _name_of(array).split("/", count)
        if len(parts) <= count:
            continue  # a counter
        variables = places.get(parts[-1], [])
        # One whose variable cannot be told is nobody's, and the state does not fit.
        found[variables[0] if len(variables) == 1 else -1, parts[-2]] = array
    return found


__all__ = ["OWN_LIST", "optimizer_state", "state_of_node", "trained_places"]
