"""The console that commands print on."""

from __future__ import annotations

import sys
from typing import IO, Any, NoReturn


def make_console(file: IO[str] | None = None) -> Any:
    """A rich console on stdout; rich is imported here and not before.

    A reader that leaves early (`nacre doctor | head`) is an ordinary end: rich would make it exit
    status 1, here it is the error that `main` knows.
    """
    from rich.console import Console

    class CommandConsole(Console):
        def on_broken_pipe(self) -> NoReturn:
            raise BrokenPipeError

    return CommandConsole(file=file or sys.stdout, highlight=False)
