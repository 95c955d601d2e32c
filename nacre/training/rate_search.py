"""`lr_find`: the loss at learning rates from tiny to huge, in one short trial of a training.

The rate grows from step to step by the same factor, and the loss of each batch is noted. A rate far
below the useful ones changes nothing; then the loss falls, and at last it explodes.
"""

# What only training asks of a model has a leading underscore, out of the way of people.
# pyright: reportPrivateUsage=false
# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nacre.callbacks.base import Callback, Logs
from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import number, whole_number
from nacre.core.pictures import BLUE, GREY, ORANGE, finished, new_figure
from nacre.core.tensors import WholeNumber
from nacre.core.variable import Variable
from nacre.training import prepare
from nacre.training.fitting import fit

_FIRST = 10  # losses that tell where they start


@dataclass(frozen=True, eq=False)
class RateSearch:
    """What `Model.lr_find` found.

    Attributes:
        rates: Learning rates, (steps,). Where an optimizer has several, the largest of them.
        losses: The loss of the batch trained at each rate, (steps,); the last may have exploded.
        smoothed: The same as an exponential average without its bias to the start, (steps,).
        has_diverged: Whether it ended before the largest rate, because the loss exploded.

    Example:
        >>> import numpy as np
        >>> rates, losses = np.geomspace(1e-4, 1, 41), np.r_[np.linspace(1, 0, 31), np.arange(10)]
        >>> bool(1e-4 < RateSearch(rates, losses, losses, True).suggestion < 0.1)
        True
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    has_diverged: bool

    @property
    def suggestion(self) -> float | None:
        """A learning rate to train with: the steepest; None where the loss never really falls."""
        return self.steepest

    @property
    def steepest(self) -> float | None:
        """The rate at which the loss falls fastest."""
        way = self._way_down()
        if way is None:
            return None
        slopes, top, bottom = way
        return float(self.rates[top + int(np.argmin(slopes[top : bottom + 1]))])

    @property
    def valley(self) -> float | None:
        """The rate in the middle of the way down: between that where a tenth of it is done and that
        of the lowest loss, on the scale of factors."""
        way = self._way_down()
        return None if way is None else float(np.sqrt(self.rates[way[1]] * self.rates[way[2]]))

    def _way_down(self) -> tuple[np.ndarray, int, int] | None:
        """Slopes of the losses, and where the way down begins and ends; None where what
        they fall by may as well be chance."""
        count = len(self.rates)
        if count < 8:
            return None
        reach = max(2, count // 12)
        high, low = np.max(self.smoothed[: count // 2]), np.min(self.smoothed)
        losses = np.minimum(self.losses, high + 2 * (high - low))  # an explosion hides the rest
        levels, slopes = _lines_through(np.log(self.rates), losses, reach)
        bottom = int(np.argmin(levels))
        start = float(np.mean(levels[: max(1, bottom // 3)]))
        fall = start - levels[bottom]
        spread = float(np.std((losses - levels)[: bottom + 1]))
        if bottom < 3 or fall <= 3 * spread / np.sqrt(2 * reach + 1):
            return None
        top = int(np.flatnonzero(levels[:bottom] >= start - 0.1 * fall)[-1])
        return slopes, top, bottom

    def plot(self, save: str | os.PathLike[str] | None = None) -> Any:
        """The loss over the rates, as a figure of matplotlib.

        Args:
            save: A path to write the picture to, `.png`, `.svg` or `.pdf`.

        Raises:
            MissingPackageError: matplotlib is not installed: pip install "nacre[plot]".
        """
        figure, (axes,) = new_figure("lr_find().plot", figsize=(7, 4.2))
        axes.plot(self.rates, self.losses, color=GREY, linewidth=1, alpha=0.7, label="each batch")
        axes.plot(self.rates, self.smoothed, color=BLUE, linewidth=2, label="smoothed")
        axes.set_xscale("log")
        axes.set_xlabel("learning rate")
        axes.set_ylabel("loss")
        low, high = np.nanmin(self.smoothed), self.smoothed[:_FIRST].max()
        room = max(high - low, 1e-12)
        if self.has_diverged and np.nanmax(self.losses) > high + room:
            axes.set_ylim(low - 0.25 * room, high + room)  # an explosion would flatten the rest
        marks = {"steepest": self.steepest, "valley": self.valley}
        for (name, rate), shape in zip(marks.items(), ("o", "^"), strict=True):
            if rate is not None:
                loss = self.smoothed[int(np.argmin(abs(np.log(self.rates / rate))))]
                text = f"{name}: {rate:.2g}"
                axes.plot([rate], [loss], shape, color=ORANGE, markersize=8, label=text)
        axes.legend(frameon=False)
        axes.set_title("Loss over the learning rate", loc="left")
        return finished(figure, save)

    def __repr__(self) -> str:
        end = ", where the loss exploded" if self.has_diverged else ""
        found = "nothing to suggest" if self.suggestion is None else f"{self.suggestion:.3g}"
        low, high = self.rates[0], self.rates[-1]
        return f"<RateSearch of {len(self.rates)} rates, {low:.2g} to {high:.2g}{end}: {found}>"


def _lines_through(
    places: np.ndarray, values: np.ndarray, reach: int
) -> tuple[np.ndarray, np.ndarray]:
    """Level and slope, at each place, of the straight line that fits the values around it best."""
    levels, slopes = np.empty(len(values)), np.empty(len(values))
    for index in range(len(values)):
        near = slice(max(0, index - reach), index + reach + 1)
        slopes[index], levels[index] = np.polyfit(places[near] - places[index], values[near], 1)
    return levels, slopes


def lr_find(
    model: Any,
    x: Any,
    y: Any,
    *,
    batch_size: WholeNumber | None,
    sample_weight: Any,
    class_weight: Mapping[Any, Any] | list[Any] | None,
    augment: Any,
    min_lr: float,
    max_lr: float,
    steps: WholeNumber,
    smoothing: float,
    stop_factor: float,
) -> RateSearch:
    """The loss at growing learning rates; see `Model.lr_find`."""
    who = f"{model._who()}.lr_find"
    prepare.require_compiled(model, "lr_find")
    steps = whole_number(who, "steps", steps, 2)
    lowest, highest = number(who, "min_lr", min_lr), number(who, "max_lr", max_lr)
    if not 0 < lowest < highest < math.inf:
        rule = "min_lr and max_lr must be positive, the second larger"
        raise ArgumentError(message(who, rule, f"min_lr={min_lr}, max_lr={max_lr}"))
    for name, value, low, high in (
        ("smoothing", smoothing, 0, 1),
        ("stop_factor", stop_factor, 1, math.inf),
    ):
        if not low <= number(who, name, value) <= high or value == 1:
            rule = f"{name} must be " + ("from 0 to below 1" if high == 1 else "above 1")
            raise ArgumentError(message(who, rule, repr(value)))
    every = _updates_every(model.optimizer)
    search = _Search(who, np.geomspace(lowest, highest, steps), every, smoothing, stop_factor)
    fit(
        model,
        x,
        y,
        batch_size=batch_size,
        epochs=1,
        verbose=0,
        callbacks=search,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=class_weight,
        sample_weight=sample_weight,
        initial_epoch=0,
        steps_per_epoch=steps * every,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
        augment=augment,
        is_trial=True,
    )
    return search.found()


class _Search(Callback):
    """Sets the rate before each batch, and notes its loss."""

    tolerates_nan = True
    adds_logs = ()

    def __init__(
        self, who: str, rates: np.ndarray, every: int, smoothing: float, stop_factor: float
    ) -> None:
        self.who, self.rates, self.every = who, rates, every
        self.smoothing, self.stop_factor = smoothing, stop_factor
        self.losses: list[float] = []
        self.smoothed: list[float] = []
        self.has_diverged = False
        self._sum = 0.0  # of the batches of one update
        self._optimizer_rates: _Rates | None = None  # during the training

    def on_train_begin(self, logs: Logs = None) -> None:
        self._optimizer_rates = _Rates(self.who, self.model.optimizer)

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self.model.reset_metrics()  # the logs are this batch's alone then
        assert self._optimizer_rates is not None
        self._optimizer_rates.set(self.rates[batch // self.every])

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.has_diverged:
            return
        if "loss" not in (logs or {}):
            rule = "a step must report its 'loss'"
            got = f"logs of {', '.join(logs) or 'nothing'}"
            raise ArgumentError(message(self.who, rule, got, "Return it from train_step()."))
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            self._stop()
            return
        self._sum += loss
        if (batch + 1) % self.every == 0:
            self._note(self._sum / self.every)
            self._sum = 0.0

    def _note(self, loss: float) -> None:
        self.losses.append(loss)
        count, past = len(self.losses), self.smoothing
        average = sum(past**i * one for i, one in enumerate(reversed(self.losses)))
        self.smoothed.append(average * (1 - past) / (1 - past**count))
        best = min(self.smoothed)
        # Of losses that may be negative the height above the best counts.
        limit = best + (self.stop_factor - 1) * max(abs(best), abs(self.smoothed[0] - best))
        if count > 1 and self.smoothed[-1] > limit:
            self._stop()

    def on_non_finite_loss(self, step: int, logs: Logs = None) -> None:
        self._stop()

    def _stop(self) -> None:
        self.has_diverged = self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        if self._optimizer_rates is not None:
            self._optimizer_rates.put_back()

    def found(self) -> RateSearch:
        """What was noted.

        Raises:
            ArgumentError: There is nothing.
        """
        if not self.losses:
            rule = "the loss must be a number at the smallest rate"
            fix = "model.explain_nan(x, y) finds where it comes from."
            raise ArgumentError(message(self.who, rule, "nan or inf in the first step", fix))
        rates = self.rates[: len(self.losses)]
        return RateSearch(rates, np.array(self.losses), np.array(self.smoothed), self.has_diverged)


class _Rates:
    """The learning rates of an optimizer and of those within it, set together.

    Several keep their ratios. In place of schedules stand variables until `put_back`; the values of
    variables are put back with those of the whole trial.
    """

    def __init__(self, who: str, optimizer: Any) -> None:
        parts = _parts(optimizer)
        settable = [part for part in parts if hasattr(part, "_learning_rate")]
        if not settable:
            rule = "it needs an optimizer whose learning rate can be set"
            raise ArgumentError(message(who, rule, type(optimizer).__name__))
        present = [float(part.learning_rate) for part in settable]
        largest = max(present)
        self._shares = [rate / largest if largest > 0 else 1.0 for rate in present]
        self._replaced: list[tuple[Any, Any]] = []
        self._variables: list[Variable] = []
        for part in settable:
            holder = part._learning_rate
            if not isinstance(holder, Variable):
                self._replaced.append((part, holder))
                holder = Variable(0.0, trainable=False, name="searched_rate")
                part.learning_rate = lambda held=holder: held.value
            self._variables.append(holder)

    def set(self, rate: float) -> None:
        """Let the largest be this one."""
        for variable, share in zip(self._variables, self._shares, strict=True):
            variable.assign(rate * share)

    def put_back(self) -> None:
        """Give schedules their places back."""
        for part, holder in self._replaced:
            part.learning_rate = holder


def _parts(optimizer: Any) -> list[Any]:
    """The optimizers that have rates of their own."""
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        return _parts(inner)
    within = getattr(optimizer, "optimizers", None)
    if within is not None:
        return [part for one in within for part in _parts(one)]
    return [optimizer]


def _updates_every(optimizer: Any) -> int:
    """How many batches make one update."""
    counts = [getattr(part, "gradient_accumulation_steps", None) or 1 for part in _parts(optimizer)]
    return max(counts, default=1)


__all__ = ["RateSearch", "lr_find"]
