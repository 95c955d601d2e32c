"""What callbacks share that watch one quantity: its name, its direction, what counts as better."""

from __future__ import annotations

from typing import Any

from nacre.callbacks.base import Callback
from nacre.core.errors import ArgumentError, MonitorError, message, nearest

# Parts of metric names for which more is better.
_MORE_IS_BETTER = (
    "acc",
    "auc",
    "precision",
    "recall",
    "sensitivity",
    "specificity",
    "f1",
    "fbeta",
    "f_beta",
    "iou",
    "dice",
    "r2",
    "cosine_similarity",
    "psnr",
    "ssim",
    "true_positives",
    "true_negatives",
)


class MonitorCallback(Callback):
    """A callback that watches one quantity of the logs.

    Args:
        monitor: Name of the quantity.
        mode: 'min' or 'max': what is better; 'auto' decides by the metric and its name.
        min_delta: A change smaller than this is no improvement.
    """

    def __init__(self, monitor: str = "val_loss", mode: str = "auto", min_delta: float = 0) -> None:
        if mode not in ("auto", "min", "max"):
            hint = nearest(mode, ("auto", "min", "max"))
            raise ArgumentError(
                message(
                    type(self).__name__,
                    "mode must be 'auto', 'min' or 'max'",
                    repr(mode),
                    f"Did you mean {hint!r}?" if hint else "Pass mode='auto'.",
                )
            )
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self.best: float | None = None

    def check_monitor(self, log_names: list[str]) -> None:
        """Refuse a name this run will not log.

        Raises:
            MonitorError: With the name that was probably meant.
        """
        if self.monitor in log_names:
            return
        fixes, why = [], ""
        if self.monitor.startswith("val_") and self.monitor[4:] in log_names:
            why = " (no validation runs)"
            fixes = ["Pass validation_data to fit(), or set", f"monitor={self.monitor[4:]!r}."]
        else:
            hint = nearest(self.monitor, log_names)
            fixes = [f"Did you mean {hint!r}?"] if hint else ["Set monitor to one of them."]
        raise MonitorError(
            message(
                type(self).__name__,
                f"monitor must be one of this run's logs: {', '.join(log_names)}",
                f"{self.monitor!r}{why}",
                " ".join(fixes),
            )
        )

    def more_is_better(self) -> bool:
        """Whether a larger value is an improvement."""
        if self.mode != "auto":
            return self.mode == "max"
        name = self.monitor.removeprefix("val_").lower()
        if name == "loss" or name.endswith("_loss"):
            return False
        for metric in getattr(self.model, "metrics", None) or []:
            direction = getattr(metric, "_direction", None)
            if direction in ("up", "down") and getattr(metric, "name", None) == name:
                return direction == "up"
        return any(part in name for part in _MORE_IS_BETTER)

    def is_better(self, value: float, reference: float | None) -> bool:
        """Whether `value` improves on `reference` by more than `min_delta`."""
        if value != value:  # NaN is never better
            return False
        if reference is None:
            return True
        gain = value - reference if self.more_is_better() else reference - value
        return gain > self.min_delta

    def value(self, logs: dict[str, Any] | None) -> float | None:
        """The watched quantity in these logs; None where it is missing."""
        found = (logs or {}).get(self.monitor)
        return None if found is None else float(found)
