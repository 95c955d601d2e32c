"""A profile of some batches, taken by JAX, for TensorBoard's page of profiles."""

from __future__ import annotations

from typing import Any

import jax

from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import as_whole
from nacre.core.warning import warn

_WHO = "TensorBoard"


def profiled_batches(profile_batch: Any) -> tuple[int, int] | None:
    """The first and the last batch, from 1 on, or None for none.

    Args:
        profile_batch: One batch, two, or both in one string as `"10,20"`; 0 for none.

    Raises:
        ArgumentError: It is something else.
    Example:
        >>> profiled_batches(5), profiled_batches("10,20"), profiled_batches(0)
        ((5, 5), (10, 20), None)
    """
    parts = profile_batch.split(",") if isinstance(profile_batch, str) else profile_batch
    parts = list(parts) if isinstance(parts, list | tuple) else [parts]
    numbers = [int(p) if isinstance(p, str) and p.strip().isdigit() else as_whole(p) for p in parts]
    if numbers == [0]:
        return None
    first, last = numbers[0], numbers[-1]
    if first is None or last is None or len(numbers) > 2 or not 1 <= first <= last:
        rule = "profile_batch must be a batch (from 1 on), a pair (first, last), or 0 for none"
        raise ArgumentError(message(_WHO, rule, repr(profile_batch)[:100]))
    return first, last


class Profile:
    """A profile that is under way, or not yet, or done.

    Args:
        folder: Of the run; the files go below it, to `plugins/profile`, where the viewer looks.
        batches: The first and the last batch.
    """

    def __init__(self, folder: str, batches: tuple[int, int]) -> None:
        self._folder = folder
        self._first, self._last = batches
        self._is_running = self._is_done = False
        self._begun = 0  # the first batch it was told of; a resumed training begins later
        self._marker: Any = None

    def begin_batch(self, batch: int, at_once: int) -> None:
        """Start where its time has come.

        Args:
            batch: The number of the batch that begins.
            at_once: How many are expected to run together.
        """
        self._begun = self._begun or batch
        is_due = self._begun <= self._last and batch + at_once > self._first
        if is_due and not self._is_running and not self._is_done:
            self._start()
        if self._is_running:  # the viewer counts time by these marks
            self._marker = jax.profiler.StepTraceAnnotation("train", step_num=batch)
            self._marker.__enter__()

    def _start(self) -> None:
        try:
            jax.profiler.start_trace(self._folder)
            self._is_running = True
        except RuntimeError as error:  # JAX takes one profile at a time
            self._is_done = True
            warn(
                message(
                    _WHO, "only one profile is taken at a time; this one is left out", str(error)
                )
            )

    def end_batch(self, batch: int) -> None:
        """Stop where the last batch is done."""
        self._end_marker()
        if batch >= self._last:
            self.stop()

    def stop(self) -> None:
        """Stop if it runs, and write it."""
        self._end_marker()
        if self._is_running:
            self._is_running, self._is_done = False, True
            jax.profiler.stop_trace()

    def _end_marker(self) -> None:
        marker, self._marker = self._marker, None
        if marker is not None:
            marker.__exit__(None, None, None)


__all__ = ["Profile", "profiled_batches"]
