"""What is trainable in a model, where no config tells it: part of the files that hold whole models.

A layer of a user's own makes the layers within anew from its arguments, and a variable has no
config at all. So what was frozen there since would train again. Keras's files have no place for
that; it is kept beside their own content, and Keras passes over it.
"""

from __future__ import annotations

from typing import Any

from nacre.core.errors import FileFormatError, message
from nacre.core.kinds import is_dict, is_list
from nacre.core.variable import Variable, note_trainable_change
from nacre.layers.base.layer import Layer
from nacre.saving.layout import entries

KEY = "trainable_flags"
_FROZEN = "frozen"  # layers, by their paths
_SET = "set"  # variables whose flag is another than when they were made


def flags_of(model: Any) -> dict[str, list[str]]:
    """What a file says of a model.

    Example:
        >>> import nacre
        >>> model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2, name="a")])
        >>> model.layers[0].bias.trainable = False
        >>> flags_of(model)
        {'frozen': [], 'set': ['layers/dense/vars/1']}
    """
    layers = _layers(model)
    frozen = [path for path, layer in layers if not layer._trainable]
    changed = [
        place
        for path, layer in layers
        for place, variable in _variables(path, layer)
        if variable.trainable is not variable.made_trainable
    ]
    return {_FROZEN: frozen, _SET: changed}


def restore(model: Any, found: Any, who: str) -> None:
    """Set a model's flags as a file says; not at all where it says nothing.

    Raises:
        FileFormatError: What it says are no flags.
    """
    if found is None:
        return
    frozen, changed = _paths(found, _FROZEN, who), _paths(found, _SET, who)
    for path, layer in _layers(model):
        layer._trainable = path not in frozen
        for place, variable in _variables(path, layer):
            variable.trainable = variable.made_trainable is not (place in changed)
    note_trainable_change()


def _layers(model: Any) -> list[tuple[str, Layer]]:
    found = entries(model, optimizer=False)
    return [(entry.path, entry.owner) for entry in found if isinstance(entry.owner, Layer)]


def _variables(path: str, layer: Layer) -> list[tuple[str, Variable]]:
    if layer._adapter is not None:  # it says itself what is frozen
        return []
    variables = layer._direct_variables()
    return [(f"{path}/vars/{i}".lstrip("/"), variable) for i, variable in enumerate(variables)]


def _paths(found: Any, key: str, who: str) -> set[str]:
    listed = found.get(key, []) if is_dict(found) else None
    if not is_list(listed) or not all(isinstance(path, str) for path in listed):
        raise FileFormatError(
            message(who, f"'{KEY}' must list what is trainable", f"{str(found)[:80]}")
        )
    return set(listed)


__all__ = ["KEY", "flags_of", "restore"]
