"""`utils.Progbar`: the progress bar of `fit` for loops by hand."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nacre.callbacks.progress import Display, Stage
from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import number, whole_number

Values = Mapping[str, Any] | Sequence[tuple[str, Any]]


class Progbar:
    """A progress bar for a loop of one's own: live in a terminal or notebook, else one line at its
    end.

    Args:
        target: Number of steps; None where it is not known: then nobody but `finalize` ends it.
        width: Accepted for compatibility: the bar takes the room that there is.
        verbose: 0 shows nothing, 1 a live line where that is possible, 2 one line at the end.
        interval: Seconds between two drawings at least.
        stateful_metrics: Names of values that are shown as given. Of all others the mean is shown.
        stateless_metrics: The other way round: names of those whose mean is shown.
        unit_name: What a step is called.

    Raises:
        ArgumentError: Both lists of names, or a number that is none.
    Source:
        Keras 3.15, utils.Progbar. Differs: where stdout is no terminal, one line at the end; means
        are shown as its documentation says (it shows the last values, tf.keras 2 means).
    Example:
        >>> bar = Progbar(3)
        >>> for step in range(3):
        ...     bar.update(step + 1, values=[("loss", 1.0 - step)])  # doctest: +ELLIPSIS
        3/3 steps - ... - loss: 0.0000...
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        self.target = None if target is None else whole_number("Progbar", "target", target, 0)
        self.width, self.unit_name = width, unit_name
        self.interval = number("Progbar", "interval", interval)
        self.verbose = whole_number("Progbar", "verbose", verbose, 0)
        if stateful_metrics is not None and stateless_metrics is not None:
            rule = "it takes stateful_metrics or stateless_metrics"
            raise ArgumentError(message("Progbar", rule, "both", "Leave one of them out."))
        self.stateful_metrics = frozenset(stateful_metrics or ())
        self.stateless_metrics = None if stateless_metrics is None else frozenset(stateless_metrics)
        self._begin()

    def _begin(self) -> None:
        self._display = Display(self.verbose) if self.verbose else None
        self._stage: Stage | None = None
        if self._display is not None:
            self._stage = Stage(self._display, f"{self.unit_name}s".capitalize(), self.target)
        self._done, self._drawn = 0, 0.0
        self._sums: dict[str, tuple[Any, int]] = {}  # name -> sum, and number of steps in it
        self._is_over = False

    def update(
        self, current: int, values: Values | None = None, finalize: bool | None = None
    ) -> None:
        """Say how far the loop is.

        Args:
            current: How many steps are done.
            values: (name, number) for what there is to show of the steps since the last update; a
                mean counts as often as there were steps, and once at least.
            finalize: Whether this is the end; None: when `current` has reached `target`.

        Raises:
            ArgumentError: A value is no number.
        """
        if self._is_over and current <= self._done:  # the next pass of a loop that has several
            self._begin()
        weight = max(current - self._done, 1)
        for name, value in dict(values or {}).items():
            try:
                given = float(value)
            except (TypeError, ValueError):
                rule = "values must be pairs of a name and a number"
                raise ArgumentError(message("Progbar.update", rule, f"{name}: {value!r}")) from None
            total, count = self._sums.get(name, (0.0, 0))
            if self._is_shown_as_given(name):
                self._sums[name] = given, 1
            else:
                self._sums[name] = total + weight * given, count + weight
        self._done = current
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        self._show(finalize)
        self._is_over = finalize

    def _is_shown_as_given(self, name: str) -> bool:
        if self.stateless_metrics is not None:
            return name not in self.stateless_metrics
        return name in self.stateful_metrics

    def add(self, n: int, values: Values | None = None) -> None:
        """Say that `n` more steps are done; see `update`."""
        self.update(self._done + n, values)

    def _show(self, is_end: bool) -> None:
        stage, now = self._stage, time.perf_counter()
        if stage is None or not (is_end or now - self._drawn >= self.interval):
            return
        self._drawn = now
        shown = {name: total / count for name, (total, count) in self._sums.items()}
        stage.update(self._done, shown)
        if is_end:
            done = self._done if self.target is None else f"{self._done}/{self.target}"
            stage.title = f"{done} {self.unit_name}s"
            stage.finish(shown)
            stage.display.close()
            self._stage = None


__all__ = ["Progbar"]
