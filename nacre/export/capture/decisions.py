"""What Python decides by sizes that vary, noted while a function is traced.

JAX answers whether such a size is a certain number, `x.shape[0] == 1`, with False and says nothing:
what is traced is the branch for any other size. (It cannot raise, as sizes are keys of its tables;
`x.shape[0] > 1` does.) So each such question of users' code is noted, and whoever writes the graph
tries it for the number that was asked for.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import jax.export

from nacre.core import readings
from nacre.core.context import current
from nacre.export.capture import jaxpr
from nacre.export.graph.sizes import Size

_LOCK = threading.Lock()


class Decision(NamedTuple):
    """A size that was asked for a number.

    Attributes:
        size: With the names of sizes that the graph has.
        number: What was asked for.
        place: Which code asked, as messages say it.
    """

    size: Size
    number: int
    place: str


@contextlib.contextmanager
def noted(found: dict[Decision, None]) -> Generator[None]:
    """Note in `found` what is asked in this block, by this thread."""
    kind: Any = type(jax.export.symbolic_shape("n")[0])
    thread = threading.get_ident()
    with _LOCK:
        answer: Callable[[Any, Any], bool] = kind.__eq__

        def asked(size: Any, other: Any) -> bool:
            if type(other) is int and threading.get_ident() == thread:
                frame = sys._getframe(1)
                if frame.f_code.co_name == "__ne__" and frame.f_back is not None:
                    frame = frame.f_back
                if readings.is_users_name(frame.f_globals.get("__name__", "")):
                    found[Decision(jaxpr.size_of(size), other, _place(frame))] = None
            return answer(size, other)

        kind.__eq__ = asked
        try:
            yield
        finally:
            kind.__eq__ = answer


def _place(frame: FrameType) -> str:
    call = current().call
    path = "/".join(call.path) if call is not None else ""
    of = f" in '{path}'" if path else ""
    return f"line {frame.f_lineno} of {Path(frame.f_code.co_filename).name}{of}"
