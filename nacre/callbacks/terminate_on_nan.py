"""Stop training when the loss becomes NaN or infinite."""

from __future__ import annotations

import math
from typing import Any

from nacre.callbacks.base import Callback, Logs
from nacre.core.errors import NonFiniteError, message


class TerminateOnNaN(Callback):
    """Ends training when the loss becomes NaN or infinite.

    The model keeps the weights from before the step in which that happened (Keras keeps those it
    spoiled). In loops of your own, call its `on_epoch_end`.

    Args:
        raise_error: Whether to raise instead of ending quietly.

    Raises:
        NonFiniteError: The loss is NaN or infinite and `raise_error` is set.
    Example:
        >>> TerminateOnNaN(raise_error=True).raise_error
        True
    """

    adds_logs = ()
    remembers = ()
    tolerates_nan = True

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = raise_error

    def on_non_finite_loss(self, step: int, logs: Logs = None) -> None:
        self._check(f"step {step + 1}", logs)

    def on_progress(self, step: int, logs: dict[str, Any]) -> None:
        self._check(f"step {step}", logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._check(f"epoch {epoch + 1}", logs)

    def _check(self, place: str, logs: Logs) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(float(loss)) or self.model.stop_training:
            return
        if self.raise_error:
            raise NonFiniteError(
                message(
                    "TerminateOnNaN",
                    "the loss must stay a finite number",
                    f"{float(loss)} at {place}",
                    "Lower the learning rate, or clip gradients (clipnorm=1.0).",
                )
            )
        self.say(f"The loss is {float(loss)} at {place}: training ends.")
        self.model.stop_training = True
