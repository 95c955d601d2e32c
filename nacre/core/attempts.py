"""Runs of a user's code that are made again, such as traces of a loop that showed too little.

What such a run has used up (a gradient tape gives its gradients once) is there again for the next.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

_undone: ContextVar[list[Callable[[], None]] | None] = ContextVar("undone", default=None)


class Attempt:
    """A block that may be run again.

    Example:
        >>> left = [1, 2]
        >>> with Attempt() as attempt:
        ...     taken = left.pop()
        ...     to_undo(lambda: left.append(taken))
        ...     attempt.undo()
        >>> left
        [1, 2]
    """

    def __enter__(self) -> Attempt:
        self._steps: list[Callable[[], None]] = []
        self._outer = _undone.get()
        self._token = _undone.set(self._steps)
        return self

    def __exit__(self, *_: object) -> None:
        _undone.reset(self._token)
        if self._outer is not None:  # which may be run again as a whole
            self._outer += self._steps

    def undo(self) -> None:
        """Undo what the block has done so far."""
        while self._steps:
            self._steps.pop()()


def to_undo(step: Callable[[], None]) -> None:
    """Say how to undo something, where the code under way may be run again."""
    steps = _undone.get()
    if steps is not None:
        steps.append(step)


__all__ = ["Attempt", "to_undo"]
