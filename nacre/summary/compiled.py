"""Summaries within a `nacre.function`: its program gives their values back to be written.

So they are written once a run, in the order of the code, under the step of that run. Values within
a loop, a condition or a gradient of JAX's own, which only exist there, cannot be given back.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nacre.core import tree
from nacre.core.context import current
from nacre.core.tracing import current_trace, is_tracer, trace_of
from nacre.core.variable import Variable
from nacre.summary.messages import summary_value
from nacre.summary.recording import is_recorded, recording, step_of

if TYPE_CHECKING:
    from nacre.summary.writer import SummaryWriter


@dataclass(frozen=True)
class _Summary:
    """What is known of a summary when the code is compiled.

    Attributes:
        who: The function that was asked, for messages.
        tag: Its name.
        value: Makes the tensor from the data.
        metadata: As they are written.
        writer: The default writer that the code sets itself; None for that of the run.
        condition: The condition that the code sets itself; None for that of the run.
    """

    who: str
    tag: str
    value: Callable[[Any], bytes]
    metadata: bytes
    writer: SummaryWriter | None
    condition: Any


class _Fixed:
    """Data that is known when the code is compiled."""

    __slots__ = ("data",)

    def __init__(self, data: Any) -> None:
        self.data = data


class Summaries:
    """The summaries of code that is being compiled.

    Attributes:
        found: (what is known of it, its data, its step or None) of each.
    """

    def __init__(self) -> None:
        self.found: list[tuple[_Summary, Any, Any]] = []
        self._outside, self._trace = recording(), current_trace()

    def can_give_back(self, values: Any) -> bool:
        """Whether these values can be given back: they are not of a loop or the like within."""
        return all(trace_of(v) is self._trace for v in tree.flatten(values) if is_tracer(v))

    def add(
        self,
        who: str,
        tag: str,
        data: Any,
        step: Any,
        value: Callable[[Any], bytes],
        metadata: bytes,
    ) -> None:
        """Take a summary; its writer, condition and step are those of the run where the code sets
        none itself."""
        now, outside = recording(), self._outside
        writer = None if now.writer is outside.writer else now.writer
        condition = None if now.condition is outside.condition else now.condition
        if step is None and now.step is not outside.step:
            step = now.step() if callable(now.step) else now.step
        if not any(is_tracer(v) or isinstance(v, Variable) for v in tree.flatten(data)):
            data = _Fixed(data)
        self.found.append((_Summary(who, tag, value, metadata, writer, condition), data, step))


_compiling: contextvars.ContextVar[Summaries | None] = contextvars.ContextVar(
    "nacre.summary.compiling", default=None
)


@contextmanager
def compiling() -> Generator[Summaries]:
    """The code within is compiled, and gives back what `found` holds in the end."""
    summaries = Summaries()
    token = _compiling.set(summaries)
    try:
        yield summaries
    finally:
        _compiling.reset(token)


def capture(
    who: str, tag: str, data: Any, step: Any, value: Callable[[Any], bytes], metadata: bytes
) -> bool:
    """Whether a summary is of code that is being compiled, whose program gives its values back."""
    summaries = _compiling.get()
    if summaries is not None and callable(data) and not isinstance(data, Variable):
        data = data()
    if summaries is None or current().finds_shapes or not summaries.can_give_back((data, step)):
        return False
    summaries.add(who, tag, data, step, value, metadata)
    return True


def write_found(found: Iterable[tuple[_Summary, Any, Any]]) -> None:
    """Write the summaries of a run, with the data and steps that it gave back."""
    for summary, data, step in found:
        writer = summary.writer or recording().writer
        if writer is None or writer.is_noop or not is_recorded(summary.condition):
            continue
        number = step_of(summary.who, step)
        data = data.data if isinstance(data, _Fixed) else data
        writer.add(number, summary_value(summary.tag, summary.value(data), summary.metadata))
        if summary.writer is not None:  # whose block ends in the code
            writer.flush()


__all__ = ["compiling", "capture", "write_found"]
