"""Where summaries go just now: the default writer, the default step, and whether they are kept.

As with `tf.summary`, each thread has its own (and each task of asyncio).
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.core.context import current
from nacre.core.errors import ArgumentError, TracedValueError, message
from nacre.core.numbers import as_whole
from nacre.core.scope import is_tracing_program
from nacre.core.symbolic import is_symbolic
from nacre.core.tracing import is_tracer
from nacre.core.warning import warn

if TYPE_CHECKING:
    from nacre.summary.writer import SummaryWriter


@dataclass(frozen=True)
class Recording:
    """What is in force.

    Attributes:
        writer: Takes what is not given a writer of its own.
        step: For what is not given one: a number, a variable, or a function that gives it.
        condition: Whether anything is recorded.
        shared: Set where the writer is a callback's, which lets the others write beside it. What a
            compiled step summarises is then left out with a warning: nobody asked for it.
    """

    writer: SummaryWriter | None = None
    step: Any = None
    condition: Any = True
    shared: SharedWriter | None = None


_NOTHING = Recording()
_recording: contextvars.ContextVar[Recording] = contextvars.ContextVar(
    "nacre.summary", default=_NOTHING
)
# Names that compiled code had for summaries, while there was no writer to ask for them.
_unheard: dict[str, None] = {}


def recording() -> Recording:
    """What is in force."""
    return _recording.get()


def put(**fields: Any) -> None:
    """Change what is in force, from here on."""
    _recording.set(replace(_recording.get(), **fields))


@contextmanager
def default_writer(writer: SummaryWriter, step: Any = None) -> Generator[SummaryWriter]:
    """The block of `SummaryWriter.as_default`."""
    before = recording()
    begin_writer(writer, step)
    try:
        yield writer
    finally:
        put(writer=before.writer, shared=before.shared)
        if step is not None:
            put(step=before.step)


def begin_writer(writer: SummaryWriter, step: Any = None) -> None:
    """Make a writer the default, and tell what compiled code would have given it."""
    put(writer=writer, shared=None)
    if step is not None:
        put(step=step)
    if _unheard:
        names, fix = ", ".join(map(repr, _unheard)), _fix()
        _unheard.clear()
        warn(message("nacre.summary", "what compiled code summarises is not written", names, fix))


class SharedWriter:
    """A callback's writer as the default one, until `end`.

    Several callbacks may share theirs; that of the one that began last is in use, and they may end
    in any order.

    Args:
        writer: The writer.
        step: Gives the default step, where there is none.
        every: Every how many steps of `fit` it takes what they summarise; None for never.
    """

    def __init__(
        self, writer: SummaryWriter, step: Callable[[], int], every: int | None = None
    ) -> None:
        self.before, self.step, self.is_over = recording(), step, False
        self.every = every
        put(writer=writer, shared=self)
        if self.before.step is None:
            put(step=step)

    def end(self) -> None:
        """Put back what was there before, or before those that have ended meanwhile."""
        self.is_over, now = True, recording()
        writer, step, shared = now.writer, now.step, now.shared
        while shared is not None and shared.is_over:
            if step == shared.step:  # else somebody has set another one
                step = shared.before.step
            writer, shared = shared.before.writer, shared.before.shared
        put(writer=writer, step=step, shared=shared)


def takes_steps() -> bool:
    """Whether there is a writer for what the steps of `fit` summarise."""
    now = recording()
    if now.writer is None or now.writer.is_noop:
        return False
    return now.shared is None or now.shared.every is not None


_is_made_anew: contextvars.ContextVar[bool] = contextvars.ContextVar(
    "nacre.summary.is_made_anew", default=False
)


@contextmanager
def made_anew() -> Generator[None]:
    """Compiled code that is compiled anew when there is a writer: nothing to tell until then."""
    token = _is_made_anew.set(True)
    try:
        yield
    finally:
        _is_made_anew.reset(token)


def is_due(who: str, name: str, *values: Any) -> bool:
    """Whether a summary is to be written now.

    Args:
        who: The function asked, for messages.
        name: The summary's name.
        values: What it was given; values that are being traced cannot be written.

    Raises:
        TracedValueError: There is a writer, and this is compiled code.
    """
    if current().finds_shapes or any(map(is_symbolic, values)):
        return False  # there are no values yet
    now = recording()
    is_compiled = is_tracing_program() or any(map(is_tracer, values))
    if now.writer is None or now.writer.is_noop:
        if is_compiled and not _is_made_anew.get():
            _unheard[name] = None
        return False
    if not is_compiled:
        return should_record_summaries()
    rule = "values are written where they are known, and compiled code runs later, and many times"
    text = message(who, rule, f"{name!r} within a compiled step", _fix())
    if now.shared is None:
        raise TracedValueError(text)
    _unheard.pop(name, None)
    warn(f"{text} It is left out.")
    return False


def _fix() -> str:
    return (
        "Summarise it in a train_step of your own, with TensorBoard(update_freq='batch') or a "
        "writer of yours as the default; or return it from the loop or the compiled function, and "
        "write it outside. Or compile(run_eagerly=True)."
    )


def should_record_summaries() -> bool:
    """Whether a summary given now would be written.

    Returns:
        False without a default writer, and where `record_if` says so.
    Example:
        >>> should_record_summaries()
        False
    """
    now = recording()
    return now.writer is not None and not now.writer.is_noop and is_recorded()


def is_recorded(condition: Any = None) -> bool:
    """Whether a condition holds; None for the one in force."""
    condition = recording().condition if condition is None else condition
    return bool(np.asarray(condition() if callable(condition) else condition))


@contextmanager
def record_if(condition: bool | Callable[[], Any]) -> Generator[None]:
    """A block in which summaries are written only where a condition holds.

    Args:
        condition: True or False, or a function that is asked at each summary.

    Example:
        >>> import tempfile
        >>> from nacre import summary
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with summary.create_file_writer(folder).as_default(), summary.record_if(False):
        ...         summary.scalar("loss", 0.5, step=1)
        False
    """
    before = recording().condition
    put(condition=condition)
    try:
        yield
    finally:
        put(condition=before)


def get_step() -> Any:
    """The default step: what `set_step` or `as_default(step=...)` gave; None without one."""
    step = recording().step
    return step() if callable(step) else step


def set_step(step: Any) -> None:
    """Give the default step, for summaries that are given none.

    Args:
        step: A whole number, or a `Variable` such as `optimizer.iterations`, which is read anew at
            each summary; None takes the default away.

    Example:
        >>> set_step(3)
        >>> get_step()
        3
        >>> set_step(None)
    """
    if step is not None:
        _whole("nacre.summary.experimental.set_step", step)
    put(step=step)


def step_of(who: str, step: Any) -> int:
    """The step of a summary as a number.

    Raises:
        ArgumentError: There is none, or it is no whole number.
    """
    found = get_step() if step is None else step
    if found is None:
        rule = "a summary must have a step"
        fix = "Pass step=..., or call nacre.summary.experimental.set_step(...) before."
        raise ArgumentError(message(who, rule, "none", fix))
    return _whole(who, found)


def _whole(who: str, step: Any) -> int:
    found = as_whole(step.numpy() if hasattr(step, "numpy") else step)
    if found is None or not -(1 << 63) <= found < 1 << 63:
        raise ArgumentError(message(who, "step must be a whole number", repr(step)[:100]))
    return found


__all__ = [
    "Recording",
    "SharedWriter",
    "begin_writer",
    "default_writer",
    "get_step",
    "is_due",
    "is_recorded",
    "made_anew",
    "put",
    "record_if",
    "recording",
    "set_step",
    "should_record_summaries",
    "step_of",
    "takes_steps",
]
