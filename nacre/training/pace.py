"""How many steps to run in one dispatch.

Long dispatches cost nothing but patience: the progress bar and Ctrl-C wait for them. The number is
found by measuring: one step while everything compiles, a few more, then as many as fill the time
somebody is willing to wait.
"""

from __future__ import annotations

import time

SEEN_SECONDS = 0.1  # a bar that is watched moves ten times a second
UNSEEN_SECONDS = 0.5  # the longest that Ctrl-C waits
FIRST_COUNTS = (1, 4)


class Pace:
    """Chooses the number of steps of the next dispatch.

    Args:
        fixed: A number that was asked for, or None.
        seconds: Time a dispatch should take.
    """

    def __init__(self, fixed: int | None, seconds: float) -> None:
        self.fixed = fixed
        self.seconds = seconds
        self.step_seconds: float | None = None
        self._dispatches = 0
        self._started = 0.0

    def next_count(self) -> int:
        """The number of steps to run now."""
        if self.fixed is not None:
            return self.fixed
        if self._dispatches < len(FIRST_COUNTS):
            return FIRST_COUNTS[self._dispatches]
        if not self.step_seconds:
            return 16
        return max(1, int(self.seconds / self.step_seconds))

    def start(self) -> None:
        """A dispatch begins."""
        self._started = time.perf_counter()

    def stop(self, count: int) -> None:
        """A dispatch of `count` steps is done."""
        elapsed = time.perf_counter() - self._started
        self._dispatches += 1
        if self._dispatches > 1:  # the first one compiled
            self.step_seconds = max(elapsed / count, 1e-7)
