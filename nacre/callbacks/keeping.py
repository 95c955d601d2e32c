"""How a run is kept on disk, so that a later process goes on with it."""

from __future__ import annotations

import os
from dataclasses import dataclass

DEFAULT_SECONDS = 30.0


@dataclass(frozen=True)
class Keeping:
    """Where and how often a run is kept; a callback that has one as `keeping` asks `fit` for it.

    Args:
        folder: The folder.
        every_steps, every_seconds: How often; without both every 30 seconds, and less often where
            copying the state takes more than a hundredth of the time.
        every_epoch: Whether at the end of epochs instead.
        is_exact: Whether what could give other bits than a run that never stopped is refused; else
            it is warned of.
        is_deleted: Whether the files are deleted when training has come to its end.
        ends_on_sigterm: Whether SIGTERM ends training like Ctrl-C, so that its state is kept.
    """

    folder: str | os.PathLike[str]
    every_steps: int | None = None
    every_seconds: float | None = None
    every_epoch: bool = False
    is_exact: bool = True
    is_deleted: bool = False
    ends_on_sigterm: bool = False


__all__ = ["DEFAULT_SECONDS", "Keeping"]
