"""Runs of a user's code that are made again, such as traces of a loop that showed too little.

What such a run has used up (a gradient tape gives its gradients once) is there again for the next.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

_Steps = list[tuple[Callable[[], None], bool]]  # what undoes something, whether only for a new run
_undone: ContextVar[_Steps | None] = ContextVar("undone", default=None)


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
        self._steps: _Steps = []
        self._outer = _undone.get()
        self._token = _undone.set(self._steps)
        return self

    def __exit__(self, *_: object) -> None:
        _undone.reset(self._token)
        if self._outer is not None:  # which may be run again as a whole
            self._outer += self._steps

    def undo(self, runs_again: bool = True) -> None:
        """Undo what the block has done so far.

        Args:
            runs_again: Whether the same code is to run again; else what it did to the script's
                own lists stays, and what it used up is there for other code.
        """
        left = [] if runs_again else [entry for entry in self._steps if entry[1]]
        steps = [step for step, is_for_again in self._steps if runs_again or not is_for_again]
        self._steps[:] = left
        while steps:
            steps.pop()()


def to_undo(step: Callable[[], None], only_to_run_again: bool = False) -> None:
    """Say how to undo something, where the code under way may be run again.

    Args:
        step: Undoes it.
        only_to_run_again: Whether it stays where the code does not run again.
    """
    steps = _undone.get()
    if steps is not None:
        steps.append((step, only_to_run_again))


__all__ = ["Attempt", "to_undo"]
