"""Summaries within a `nacre.function`, or a `train_step`: its program gives their values back.

So they are written once a run, in the order of the code, under the step of that run. Values within
a loop, a condition or a gradient of JAX's own, which only exist there, cannot be given back. The
program of a `train_step` gives them back among its logs, where there is a writer for them.
"""

from __future__ import annotations

import contextvars
import itertools
import weakref
from collections.abc import Callable, Generator, Hashable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from nacre.core import tree
from nacre.core.context import current
from nacre.core.tracing import current_trace, is_tracer, trace_of
from nacre.core.variable import Variable, value_of
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

    Args:
        given: What the code is given.

    Attributes:
        found: (what is known of it, its data, its step or None) of each.
    """

    def __init__(self, given: Any = ()) -> None:
        self.found: list[tuple[_Summary, Any, Any]] = []
        self._outside = recording()
        # What comes from further outside is known here too.
        self._traces = [current_trace(), *map(trace_of, filter(is_tracer, tree.flatten(given)))]

    def can_give_back(self, values: Any) -> bool:
        """Whether these values can be given back: they are not of a loop or the like within."""
        traces = [trace_of(v) for v in tree.flatten(values) if is_tracer(v)]
        return all(any(trace is known for known in self._traces) for trace in traces)

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
def compiling(given: Any = ()) -> Generator[Summaries]:
    """The code within is compiled, and gives back what `found` holds in the end.

    Args:
        given: What the code is given.
    """
    summaries = Summaries(given)
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
    if summaries is None or current().finds_shapes:
        return False
    # Of variables what they hold here: the code may change them after that.
    data, step = tree.map_structure(value_of, (data, step))
    if not summaries.can_give_back((data, step)):
        return False
    summaries.add(who, tag, data, step, value, metadata)
    return True


def write_found(found: Iterable[tuple[_Summary, Any, Any]], is_of_fit: bool = False) -> None:
    """Write the summaries of a run, with the data and steps that it gave back.

    Args:
        found: The summaries.
        is_of_fit: Whether it was a step of `fit`, of which a callback may take only some.
    """
    shared = recording().shared
    every = shared.every if is_of_fit and shared is not None else 1
    for summary, data, step in found:
        writer = summary.writer or recording().writer
        if writer is None or writer.is_noop or not is_recorded(summary.condition):
            continue
        number = step_of(summary.who, step)
        if summary.writer is None and (every is None or number % every):
            continue
        data = data.data if isinstance(data, _Fixed) else data
        writer.add(number, summary_value(summary.tag, summary.value(data), summary.metadata))
        if summary.writer is not None:  # whose block ends in the code
            writer.flush()


_CARRIED = "\0summary"  # begins the name of a value among logs; no name of a user's does


# By number, as long as a program has them.
_of_steps: weakref.WeakValueDictionary[int, StepSummaries] = weakref.WeakValueDictionary()
_numbers = itertools.count()


class StepSummaries:
    """The summaries of a user's step of training in one program, among its logs until it ran."""

    def __init__(self) -> None:
        self._number = next(_numbers)
        _of_steps[self._number] = self
        # Of each trace what is known of the summaries; a trial and the trace after it are one.
        self._known: dict[Hashable, list[Any]] = {}

    def carried(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """A step, (...) -> (values, loss, logs), whose logs carry its summaries."""

        def run(*args: Any) -> Any:
            with compiling(args) as summaries:
                values, loss, logs = step(*args)
            shapes = [tuple(leaf.shape) for leaf in tree.flatten(args) if leaf is not None]
            return values, loss, {**logs, **self._as_logs(summaries.found, tuple(shapes))}

        return run

    def _as_logs(self, found: list[tuple[_Summary, Any, Any]], shapes: Hashable) -> dict[str, Any]:
        arrays: list[Any] = []

        def take(leaf: Any) -> Any:
            if not isinstance(leaf, jax.Array):
                return leaf
            arrays.append(leaf)
            return _Place(len(arrays) - 1)

        known = [(summary, *tree.map_structure(take, part)) for summary, *part in found]
        if known and not arrays:  # texts alone are to be written too
            arrays.append(jnp.int32(0))
        kind = shapes, tuple((s.who, s.tag) for s, _, _ in known), len(arrays)
        self._known[kind] = known
        head = f"{_CARRIED}/{self._number}/{list(self._known).index(kind)}"
        return {f"{head}/{i}": array for i, array in enumerate(arrays)}

    def found(self, trace: int, arrays: list[Any]) -> list[tuple[_Summary, Any, Any]]:
        """The summaries of a step that ran, with their data and steps."""

        def give(leaf: Any) -> Any:
            return arrays[leaf.index] if isinstance(leaf, _Place) else leaf

        known = list(self._known.values())[trace]
        return [(summary, *tree.map_structure(give, part)) for summary, *part in known]


def write_carried(logs: dict[str, Any]) -> dict[str, Any]:
    """The logs of a step that are reported, when the summaries that they carry are written."""
    carried = [name for name in logs if name.startswith(_CARRIED)]
    if not carried:
        return logs
    _, program, trace, _ = carried[0].split("/")
    arrays = [logs[f"{_CARRIED}/{program}/{trace}/{i}"] for i in range(len(carried))]
    write_found(_of_steps[int(program)].found(int(trace), arrays), is_of_fit=True)
    return {name: value for name, value in logs.items() if name not in carried}


@dataclass(frozen=True)
class _Place:
    """Stands for an array among the data and the step of a summary."""

    index: int


__all__ = ["StepSummaries", "capture", "compiling", "write_carried", "write_found"]
