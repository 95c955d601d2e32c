"""What is known of a training before its first step: its epochs, its logs, what they mean."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from nacre.metrics.direction import Direction


@dataclass(frozen=True)
class Log:
    """One name in the logs.

    Args:
        size: How many numbers it holds; None when unknown.
        direction: 'max' or 'min': what is better; None when unknown.
    """

    size: int | None = 1
    direction: Direction | None = None


@dataclass(frozen=True)
class RunPlan:
    """What callbacks know of a training in `check_run`, before its first step.

    Args:
        find_logs: Gives name -> `Log` of what the steps of training report. It is only called when
            somebody asks.
        first_epoch, epochs: Epochs `first_epoch` to `epochs` - 1 are run.
        steps: Batches of an epoch; None when unknown.
        validated: The epochs (from 0) that end with validation; None where nothing is given to
            validate with.
        train_is_open, validation_is_open: Whether code of the user decides what training, or
            validation, logs: a step or `compute_metrics` of their own. Then more may come than is
            known.
        added: What callbacks that are called earlier add at the end of an epoch.
        epoch_is_open: Whether one of them may add more.
        added_behind: Classes of callbacks that are called later and may add unknown logs, too late
            for the one that is asked.

    Example:
        >>> plan = RunPlan(lambda: {"loss": Log(1, "min")}, 0, 5, 100, validated=range(5))
        >>> list(plan.epoch_logs), plan.knows("val_loss"), plan.may_log("val_f1")
        (['loss', 'val_loss'], True, False)
    """

    find_logs: Callable[[], Mapping[str, Log]]
    first_epoch: int
    epochs: int
    steps: int | None = None
    validated: Collection[int] | None = None
    train_is_open: bool = False
    validation_is_open: bool = False
    added: Mapping[str, Log] = field(default_factory=dict)
    epoch_is_open: bool = False
    added_behind: tuple[str, ...] = ()

    @cached_property
    def batch_logs(self) -> Mapping[str, Log]:
        """What is known of the logs of a batch of training."""
        return self.find_logs()

    @cached_property
    def epoch_logs(self) -> Mapping[str, Log]:
        """What is known of the logs at the end of an epoch."""
        logs = dict(self.batch_logs)
        if self.validated is not None:
            logs.update({f"val_{name}": log for name, log in self.batch_logs.items()})
        return {**logs, **self.added}

    def knows(self, name: str) -> bool:
        """Whether epochs are known to log it; those without validation lack `val_` names."""
        return name in self.epoch_logs

    def may_log(self, name: str) -> bool:
        """Whether an epoch may log it: known, or left open by code of the user."""
        if self.knows(name) or self.epoch_is_open:
            return True
        if name.startswith("val_") and self.validated is not None and self.validation_is_open:
            return True
        return self.train_is_open

    def validates(self, epoch: int) -> bool:
        """Whether this epoch ends with validation."""
        return self.validated is not None and epoch in self.validated

    def is_unvalidated(self, name: str, epoch: int) -> bool:
        """Whether a name is missing in an epoch because others end with validation, not this."""
        return name.startswith("val_") and bool(self.validated) and not self.validates(epoch)

    def after(self, added: Mapping[str, Log] | None) -> RunPlan:
        """The plan for the callbacks behind one that adds these logs; None when unknown what."""
        if added is None:
            return replace(self, epoch_is_open=True)
        return replace(self, added={**self.added, **added}) if added else self
