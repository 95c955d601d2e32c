"""Which array of a file is which variable of an optimizer, for files of every Keras.

Keras 3 writes `iteration, learning_rate, then the slots`; Keras 2.11 and later leaves the learning
rate out; before that, and in Keras 1, the slots stand slot by slot (all m, then all v) where
Keras 3 takes m and v of one variable together. Facts read off the names and shapes in files of
each.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from nacre.saving.optimizer_parts import held_by

# Scalars that older files lack: the learning rate, of which the config tells the value, and Nadam's
# running product, which `variable` is the name of in Keras.
_LEFT_OUT = ("learning_rate", "variable")


def fit_state(
    optimizer: Any, shapes: list[tuple[int, ...]], names: list[str] | None = None
) -> list[int | str] | None:
    """For each variable of the optimizer the index of its array in the file.

    Args:
        optimizer: A built optimizer.
        shapes: Shapes of the arrays, in file order.
        names: Their names, where the file has any.

    Returns:
        Indices; in place of one, the name of a variable the file never holds. None when nothing
        fits.
    """
    own = optimizer.variables
    if names and len(names) == len(shapes):
        by_slot = _slot_by_slot(optimizer, shapes, names)
        if by_slot is not None:
            return by_slot
    if [v.shape for v in own] == shapes:
        return list(range(len(own)))
    in_front = _scalars_in_front(own, shapes)
    if in_front is not None:
        return in_front
    if all(v.shape == () for v in own) and shapes[:1] == [()]:
        # Keras 2 kept slots even where nothing uses them (SGD without momentum).
        return [0, *[v.name for v in own[1:]]]
    order: list[int | str] = []
    position = 0
    # tf.keras 2 writes nothing where Adafactor keeps nothing, and Keras 3 a number.
    unused = {id(held.variable) for held in held_by(optimizer) if held.is_unused}
    for variable in own:
        is_left_out = variable.name in _LEFT_OUT or id(variable) in unused
        if is_left_out:
            order.append(variable.name)
            continue
        if position >= len(shapes) or shapes[position] != variable.shape:
            return _unbuilt(optimizer, shapes)
        order.append(position)
        position += 1
    return order if position == len(shapes) else None


def _scalars_in_front(own: list[Any], shapes: list[tuple[int, ...]]) -> list[int | str] | None:
    """The order when the file has all scalars before the slots, as Keras before 3.6 wrote Nadam's;
    None where slots may be scalars too."""
    scalars = [place for place, variable in enumerate(own) if variable.shape == ()]
    slots = [place for place, variable in enumerate(own) if variable.shape != ()]
    others = [variable.name for place, variable in enumerate(own) if place in scalars]
    if any(name not in ("iteration", *_LEFT_OUT) for name in others):
        return None
    if shapes != [(), *[()] * (len(scalars) - 1), *[own[place].shape for place in slots]]:
        return None
    source = {place: index for index, place in enumerate([*scalars, *slots])}
    return [source[place] for place in range(len(own))]


def _unbuilt(optimizer: Any, shapes: list[tuple[int, ...]]) -> list[int | str] | None:
    """A file of a model that was compiled and never trained: iteration and learning rate alone."""
    own = optimizer.variables
    if 1 <= len(shapes) <= 3 and all(shape == () for shape in shapes):
        return [i if i < len(shapes) else "fresh" for i in range(len(own))]
    return None


def _slot_by_slot(
    optimizer: Any, shapes: list[tuple[int, ...]], names: list[str]
) -> list[int | str] | None:
    """The order when the file has all arrays of one slot together, known by the ends of names."""
    slots = [re.sub(r"(_\d+)?(:\d+)?$", "", name.rsplit("/", 1)[-1]) for name in names]
    known = ("m", "v", "vhat", "momentum", "rms", "mg", "accumulator", "accum_grad", "accum_var")
    positions: dict[str, list[int]] = {}
    for index, slot in enumerate(slots):
        if slot in known:
            positions.setdefault(slot, []).append(index)
    places = {id(variable): i for i, variable in enumerate(optimizer.trained_variables)}
    if not positions or any(len(p) != len(places) for p in positions.values()):
        return None
    first = next((i for i, slot in enumerate(slots) if slot in ("iter", "iteration")), None)
    own = {
        key: (slot, places[id(of)])
        for key, (of, slot) in optimizer.slots_of_variables().items()
        if id(of) in places
    }
    own_slots = dict.fromkeys(slot for slot, _ in own.values())
    if len(own_slots) != len(positions):
        return None
    source = dict(zip(own_slots, positions.values(), strict=True))
    order: list[int | str] = []
    for variable in optimizer.variables:
        slot = own.get(id(variable))
        if slot is None:
            is_step = variable.name == "iteration" and first is not None
            order.append(first if is_step else variable.name)  # type: ignore[arg-type]
            continue
        index = source[slot[0]][slot[1]]
        if shapes[index] != variable.shape:
            return None
        order.append(index)
    return order


def product_of_momenta(optimizer: Any, steps: int) -> float:
    """Nadam's running product of momentum factors after `steps`, which Keras 2 did not save.

    Source:
        Dozat 2016, section 3
    """
    return float(np.prod(optimizer.momentum_share(np.arange(1, steps + 1, dtype="float64"))))


__all__ = ["fit_state", "product_of_momenta"]
