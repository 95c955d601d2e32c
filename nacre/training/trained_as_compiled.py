"""Training what was trainable when `compile` was called, as tf.keras 2 does.

There a GAN's discriminator is compiled, frozen, and then trains as it was compiled, while the model
around it holds it frozen. In Keras 3 and here `trainable` is read when `fit` begins; where scripts
of TensorFlow run, `nacre.tf` asks for the older meaning.
"""

from __future__ import annotations

import weakref
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from nacre.core.errors import message
from nacre.core.variable import note_trainable_change
from nacre.core.warning import warn

_is_asked_for = False


def train_as_compiled(is_asked_for: bool) -> None:
    """Say whether models train what was trainable when they were compiled."""
    global _is_asked_for
    _is_asked_for = is_asked_for


def flags_at_compile(model: Any) -> CompiledFlags | None:
    """What of a model is trainable now; None where nobody asks for it."""
    return CompiledFlags(model) if _is_asked_for else None


class CompiledFlags:
    """What of a model was trainable when it was compiled.

    Args:
        model: The model, as it is now.
    """

    def __init__(self, model: Any) -> None:
        self._flags = weakref.WeakKeyDictionary[Any, bool](
            {layer: layer.trainable for layer in model._flatten_layers()}
        )
        self._was_told = False

    @contextmanager
    def held(self, model: Any) -> Generator[None]:
        """A block in which the layers are as trainable as they were at `compile`."""
        now = {layer: layer.trainable for layer in self._flags} if _is_asked_for else {}
        if all(self._flags[layer] == flag for layer, flag in now.items()):
            yield
            return
        if not self._was_told:
            self._was_told = True
            rule = "what was trainable at compile is trained, as in tf.keras 2"
            names = [layer.name for layer, flag in now.items() if self._flags[layer] != flag]
            got = f"`trainable` set since then, of {', '.join(map(repr, names[:3]))}"
            got += f" and {len(names) - 3} more" if len(names) > 3 else ""
            warn(message(model._who(), rule, got, "Call compile again where it should count."))
        _set({layer: self._flags[layer] for layer in now})
        try:
            yield
        finally:
            _set(now)


def _set(flags: dict[Any, bool]) -> None:
    for layer, flag in flags.items():
        layer._trainable = flag
    note_trainable_change()


__all__ = ["CompiledFlags", "flags_at_compile", "train_as_compiled"]
