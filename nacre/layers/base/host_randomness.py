"""Random numbers of the host in a user's `call`: drawn once, when a program is traced.

NumPy's and Python's generators are no part of a program. Code that asks them in `call` runs when
the program is traced, and its number is a constant from then on: the same "noise" at every step.
Their states before and after tell.
"""

from __future__ import annotations

import random as python_random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.core import leftovers, moved, readings, scope
from nacre.core.random import seeds_drawn

if TYPE_CHECKING:
    from nacre.layers.base.layer import Layer


def watched(layer: Layer) -> AbstractContextManager[None]:
    """Warn, once a layer, when its `call` draws numbers of the host while a program is traced."""
    leftovers.note_called(layer)
    if not scope.is_tracing_program() or layer._inventory().is_own:
        return _UNWATCHED
    return _watched(layer)


_UNWATCHED = nullcontext()


@contextmanager
def _watched(layer: Layer) -> Iterator[None]:
    if layer._warned_random:
        leftovers.note_told_of_draws()
        yield
        _warned[0] += 1  # what it draws is not drawn by the layers around it
        return
    before, own_before, warned_before = _states(layer), seeds_drawn(), _warned[0]
    yield
    if _warned[0] != warned_before:  # a layer within was the one
        return
    after = _states(layer)
    changed = [name for name in before if name in after and before[name] != after[name]]
    if seeds_drawn() != own_before:  # nacre drew seeds itself, for what was made within
        changed = [name for name in changed if name != _PYTHON]
    if not changed:
        return
    layer._warned_random = True
    _warned[0] += 1
    leftovers.note_told_of_draws()
    moved.warn_of_draws(f"{layer._who()}.call", f"numbers drawn from {' and '.join(changed)}")


_PYTHON = "Python's random"
_warned = [0]  # how often a layer was called that draws such numbers


def _states(layer: Layer) -> dict[str, Any]:
    found: dict[str, Any] = {
        _PYTHON: python_random.getstate(),
        "numpy.random": _as_tuple(np.random.get_state()),
    }
    for name, value in vars(layer).items():
        generator = readings.generator_behind(value)
        if generator is not None:
            found[f"self.{name}"] = readings.state_of(generator)
    return found


def _as_tuple(state: Any) -> tuple[Any, ...]:
    """The state of one of NumPy's older generators, in a form that can be compared."""
    _, keys, position, *rest = state
    return keys.tobytes(), position, *rest


__all__ = ["watched"]
