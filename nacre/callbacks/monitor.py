"""What callbacks share that watch one quantity: its name, its direction, what counts as better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from nacre.callbacks.base import Callback
from nacre.callbacks.run_plan import Log, RunPlan
from nacre.core.errors import ArgumentError, MonitorError, message, nearest
from nacre.core.numbers import number
from nacre.core.warning import warn
from nacre.metrics.direction import Direction, direction_of

_MODES = ("auto", "min", "max")


class MonitorCallback(Callback):
    """A callback that watches one quantity of the logs.

    With mode 'auto' losses are minimised, and a metric says itself what is better (its attribute
    `direction`). Names are never guessed from. Of a function of your own, of a metric without a
    direction, and that of what a callback adds is unknown: `mode` must be given then. (Keras 3 does
    the same, but minimises functions; tf.keras 2 guessed by parts of the name.)

    Args:
        monitor: Name of the quantity.
        mode: 'min' or 'max': what is better; 'auto' asks the metric.
        min_delta: A change smaller than this is no improvement.
    """

    remembers = ("best", "_was_seen")

    def __init__(self, monitor: str = "val_loss", mode: str = "auto", min_delta: float = 0) -> None:
        who = type(self).__name__
        if not isinstance(monitor, str):
            rule = "monitor must be the name of a log"
            raise ArgumentError(message(who, rule, repr(monitor), "Pass monitor='val_loss'."))
        if mode not in _MODES:
            hint = nearest(mode, _MODES)
            raise ArgumentError(
                message(
                    who,
                    "mode must be 'auto', 'min' or 'max'",
                    repr(mode),
                    f"Did you mean {hint!r}?" if hint else "Pass mode='auto'.",
                )
            )
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(number(who, "min_delta", min_delta))
        self.best: float | None = None
        self._plan: RunPlan | None = None
        self._direction_found: Direction | None = None
        self._was_seen = False

    def check_run(self, plan: RunPlan) -> None:
        """Refuse a monitor this run will not log, or whose direction is unknown.

        Raises:
            MonitorError: With the name that was probably meant, or the argument to pass.
        """
        self._plan = plan
        self._was_seen = self._was_seen and self.is_restored
        known = self._watched_logs(plan)
        log = known.get(self.monitor)
        if not self._finds_it_itself:
            if log is None and not self._may_be_logged(plan, self.monitor):
                raise self._unknown(list(known), plan)
            if log is not None and log.size not in (1, None):
                raise self._not_one_number(log.size)
        self._direction_found = None if log is None else log.direction
        self.more_is_better()
        self._warn_of_missing_validation(plan)

    @property
    def _finds_it_itself(self) -> bool:
        """Whether a subclass takes the quantity from somewhere else than these logs."""
        return type(self).get_monitor_value is not MonitorCallback.get_monitor_value

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_plan": None}  # which holds functions of the run

    def _watched_logs(self, plan: RunPlan) -> Mapping[str, Log]:
        """name -> `Log` at the moments when this callback looks."""
        return plan.epoch_logs

    def _may_be_logged(self, plan: RunPlan, name: str) -> bool:
        """Whether this name may be in those logs, if only because code of the user decides them."""
        return plan.may_log(name)

    def _warn_of_missing_validation(self, plan: RunPlan) -> None:
        if self._has_no_validation(plan):
            warn(
                message(
                    type(self).__name__,
                    f"no epoch of this training is validated, so {self.monitor!r} never comes and "
                    "the callback does nothing",
                    f"epochs={plan.epochs}",
                    "Pass a validation_freq to fit() that lies within the epochs.",
                )
            )

    def _has_no_validation(self, plan: RunPlan) -> bool:
        if plan.validated is None or plan.first_epoch >= plan.epochs:
            return False
        return self.monitor.startswith("val_") and len(plan.validated) == 0

    def _unknown(self, names: list[str], plan: RunPlan) -> MonitorError:
        why = ""
        if self.monitor.startswith("val_") and plan.validated is None:
            why = " (no validation runs)"
        if why and self.monitor[4:] in names:
            fix = f"Pass validation_data to fit(), or set monitor={self.monitor[4:]!r}."
        else:
            hint = nearest(self.monitor, names)
            fix = f"Did you mean {hint!r}?" if hint else "Set monitor to one of them."
            if plan.added_behind:
                adders = " and ".join(plan.added_behind)
                fix += f" What {adders} may add comes too late: callbacks are called in order."
        rule = f"monitor must be one of this run's logs: {', '.join(names)}"
        return MonitorError(message(type(self).__name__, rule, f"{self.monitor!r}{why}", fix))

    def _not_one_number(self, size: int | None) -> MonitorError:
        return MonitorError(
            message(
                type(self).__name__,
                "a watched quantity must be one number",
                f"{self.monitor!r}, which is {size} numbers",
                "Use the metric with average='macro' or 'weighted', or watch another quantity.",
            )
        )

    def more_is_better(self) -> bool:
        """Whether a larger value is an improvement.

        Raises:
            MonitorError: Mode 'auto', and the direction is unknown.
        """
        if self.mode != "auto":
            return self.mode == "max"
        name = self.monitor.removeprefix("val_")
        if name == "loss" or name.endswith("_loss"):
            return False
        found = self._direction_found or self._direction_by_host(name)
        if found is None:
            raise MonitorError(
                message(
                    type(self).__name__,
                    f"mode='auto' needs a metric that says whether more of {self.monitor!r} is "
                    "better; a function, a metric of your own or an added log does not",
                    "mode='auto'",
                    f"Pass mode='max' or 'min'.{self._nearest_known()}",
                )
            )
        return found == "max"

    def _direction_by_host(self, name: str) -> Direction | None:
        """For loops of the user's own, in which no plan is given."""
        metrics = getattr(self.model, "metrics", None) or []
        named = (m for m in metrics if getattr(m, "name", None) == name)
        return next((d for d in map(direction_of, named) if d), None)

    def _nearest_known(self) -> str:
        known: Mapping[str, Log] = {} if self._plan is None else self._watched_logs(self._plan)
        hint = None if self.monitor in known else nearest(self.monitor, known)
        return f" Or did you mean {hint!r}?" if hint else ""

    def is_better(self, value: float, reference: float | None) -> bool:
        """Whether `value` improves on `reference` by more than `min_delta`."""
        if value != value:  # NaN is never better
            return False
        if reference is None:
            return True
        if self.more_is_better():
            return value - self.min_delta > reference
        return value + self.min_delta < reference

    def get_monitor_value(self, logs: dict[str, Any] | None) -> float | None:
        """The watched quantity in these logs; None where it is missing. A subclass may take it from
        somewhere else."""
        found = (logs or {}).get(self.monitor)
        if found is None:
            return None
        if np.size(found) != 1:
            raise self._not_one_number(np.size(found))
        return float(np.reshape(found, ())) if np.ndim(found) else float(found)

    def value(self, logs: dict[str, Any] | None, epoch: int | None = None) -> float | None:
        """The watched quantity in these logs; None where it is missing.

        Args:
            logs: The logs.
            epoch: The epoch they come from. Where this is given, a quantity that should have come
                by now, and did not, is an error.

        Raises:
            MonitorError: It is missing, or is not one number.
        """
        found = self.get_monitor_value(logs)
        if found is not None:
            self._was_seen = True
        elif epoch is not None and not self._was_seen and not self._finds_it_itself:
            self._refuse_missing(logs or {}, epoch)
        return found

    def _refuse_missing(self, logs: Iterable[str], epoch: int) -> None:
        """What could not be known before the first step is refused when the first epoch ends."""
        plan = self._plan
        if plan is None:  # a loop of the user's own logs what it likes
            return
        if plan.is_unvalidated(self.monitor, epoch):
            return
        if self._has_no_validation(plan):
            return  # said before the first step
        hint = nearest(self.monitor, logs)
        fix = f"Did you mean {hint!r}?" if hint else "Set monitor to one of them."
        raise MonitorError(
            message(
                type(self).__name__,
                f"monitor must be one of the logs, which were in epoch {epoch + 1}: "
                f"{', '.join(logs)}",
                repr(self.monitor),
                f"{fix} A callback that adds it must come before this one, and add it from the "
                "first epoch on (nan where it is not known yet).",
            )
        )
