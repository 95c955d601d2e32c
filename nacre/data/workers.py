"""`Workers`: a few threads or processes that do tasks, watched.

Whatever becomes of one, who waits for a task is told: an error of the user's code is raised again
there; one that dies raises at once; one that is at a single task for longer than `STALL_SECONDS`
raises with the place it is at. Nobody ever waits for a worker that is no longer wanted: processes
are killed, threads end after the task they are at, when their owner stops them or is dropped, and
when Python ends.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, NoReturn, TypeAlias

from nacre.core.context import carried
from nacre.core.errors import ArgumentError, WorkerError, message
from nacre.data import worker_process as wire
from nacre.data.prefetch import WAIT_SECONDS, stopped_at_exit
from nacre.data.processes import Parcel, Process, how_it_ended

# A worker that is at one task for so long stands still. `NACRE_WORKER_SECONDS` sets another number,
# 0 that there is no limit.
STALL_SECONDS = 60.0
# To begin, a process imports what the function needs, on a machine that does other things too.
_BEGINNINGS = 5
# How long an error waits for the results before it, so that it is raised in its place; longer than
# that only a worker that stands still would let it wait.
_ERROR_WAITS_SECONDS = 1.0
_SECONDS_FOR_STACK = 2.0
_SUSPENDED_SECONDS = 5.0  # a wait that took so much longer: the process itself stood still

Seeds: TypeAlias = Sequence[Sequence[int]]


class Stopped(Exception):
    """The workers were stopped while somebody waited for them, who is wanted no longer."""


def stall_seconds() -> float:
    """How long a worker may be at one task.

    Raises:
        ArgumentError: `NACRE_WORKER_SECONDS` is no number.
    """
    given = os.environ.get("NACRE_WORKER_SECONDS")
    if not given:
        return STALL_SECONDS
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        rule = "NACRE_WORKER_SECONDS must be a number of seconds, or 0 for no limit"
        raise ArgumentError(message("workers", rule, repr(given)))
    return seconds or math.inf


class Task:
    """One call of the function, and what came of it."""

    __slots__ = ("arguments", "ended", "error", "is_done", "name", "seeds", "value")

    def __init__(self, name: str, arguments: tuple[Any, ...], seeds: Seeds | None) -> None:
        self.name, self.arguments, self.seeds = name, arguments, seeds
        self.is_done, self.value, self.ended = False, None, 0.0
        self.error: BaseException | None = None


class _AtWork:
    """What a worker is doing since when."""

    def __init__(self, what: str, limit_seconds: float, process: Process | None) -> None:
        self.what, self.limit_seconds, self.process = what, limit_seconds, process
        self.begun = time.monotonic()
        self.thread = threading.get_ident()


class _Shared:
    """What the threads hold; their owner may be dropped, which ends them."""

    def __init__(self, who: str, call: Callable[..., Any] | None, parcel: Parcel | None) -> None:
        self.who, self.call, self.parcel = who, call, parcel
        self.limit_seconds = stall_seconds()
        self.changed = threading.Condition()
        self.tasks: deque[Task] = deque()
        self.at_work: dict[int, _AtWork] = {}
        self.processes: set[Process] = set()
        self.fault: BaseException | None = None
        self.is_stopped = False

    def work(self) -> None:
        """The work of a thread."""
        caller = None if self.parcel is None else _Caller(self)
        try:
            if caller is not None:
                caller.begin()  # before there is a task, which does not wait for it then
            while (task := self._next()) is not None:
                self._do(task, caller)
                del task  # or what it made would live as long as the next one takes
        except BaseException as error:  # a process that died: nothing can be trusted any more
            with self.changed:
                told = WorkerError(*error.args) if type(error) is _Died else error
                self.fault = self.fault or told
        finally:
            if caller is not None:
                caller.end()
            with self.changed:
                self.at_work.pop(threading.get_ident(), None)
                self.changed.notify_all()

    def _next(self) -> Task | None:
        with self.changed:
            self.at_work.pop(threading.get_ident(), None)
            while not self.tasks and not self.is_stopped:
                self.changed.wait()
            return None if self.is_stopped else self.tasks.popleft()

    def _do(self, task: Task, caller: _Caller | None) -> None:
        try:
            if caller is not None:
                task.value, task.error = caller.call(task)
            else:
                assert self.call is not None
                self.note(task.name, self.limit_seconds)
                task.value = self.call(*task.arguments)
        except _Died:
            raise
        except BaseException as error:  # handed over to who waits
            task.error = error
        with self.changed:
            task.is_done, task.ended = True, time.monotonic()
            self.changed.notify_all()

    def note(self, what: str, limit_seconds: float, process: Process | None = None) -> None:
        """Note what the thread is at from now on."""
        with self.changed:
            self.at_work[threading.get_ident()] = _AtWork(what, limit_seconds, process)
            self.changed.notify_all()  # who waits looks when the limit is reached

    def stop(self) -> None:
        """Let the threads end, and the processes at once."""
        with self.changed:
            self.is_stopped = True
            self.tasks.clear()
            processes = list(self.processes)
            self.changed.notify_all()
        for process in processes:
            process.kill()


class _Died(WorkerError):
    """A process died, or could not begin; told as a WorkerError."""


class _Caller:
    """A thread's process: begins it, lets it call, tells what became of it."""

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared
        self._process: Process | None = None
        self._parcel: Parcel | None = None  # what it has

    def begin(self) -> Process:
        """The process, with the function as it is now."""
        shared, parcel = self._shared, self._shared.parcel
        assert parcel is not None
        if self._process is not None and parcel is self._parcel:
            return self._process
        if self._process is not None and parcel.method == "fork":
            self.end()  # another one has the function as it is now
        process = self._process
        if process is None:
            process = Process(parcel)
            with shared.changed:
                shared.processes.add(process)
                is_stopped = shared.is_stopped
            self._process = process
            if is_stopped:
                process.kill()
        self._parcel = parcel
        if parcel.method != "fork":
            shared.note("its beginning", _BEGINNINGS * shared.limit_seconds, process)
            process.send(wire.FUNCTION, parcel.parts)
            frame = process.receive()
            if frame is None:
                self._raise_dead(process, "its beginning")
            if frame[0] == wire.ERROR:
                self._raise_beginning(*wire.unpacked(frame[1]))
        return process

    def call(self, task: Task) -> tuple[Any, BaseException | None]:
        """What a call gave, and the error it raised."""
        process = self.begin()
        parts = wire.packed((task.seeds, task.arguments))
        self._shared.note(task.name, self._shared.limit_seconds, process)
        process.send(wire.CALL, parts)
        frame = process.receive()
        if frame is None:
            self._raise_dead(process, task.name)
        if frame[0] == wire.VALUE:
            return wire.unpacked(frame[1]), None
        error, said, text = wire.unpacked(frame[1])
        where = f"In worker process {process.pid}, {task.name}:\n{text}"
        if error is None:
            rule = "making the data must not fail"
            error = WorkerError(message(self._shared.who, rule, f"{said}, in {task.name}"))
        error.add_note(where)
        return None, error

    def end(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.end()
            with self._shared.changed:
                self._shared.processes.discard(process)

    def _raise_dead(self, process: Process, at: str) -> NoReturn:
        pid, code = process.pid, process.end()
        if self._shared.is_stopped:
            raise Stopped
        raise _Died(
            message(
                self._shared.who,
                "a worker process must live as long as it is needed",
                f"process {pid} died at {at}: {how_it_ended(code)}",
                "What it printed last may tell why; with use_multiprocessing=False (no processes= "
                "for map and interleave) threads do the work, in this process.",
            )
        )

    def _raise_beginning(self, error: BaseException | None, said: str, text: str) -> NoReturn:
        shown = WorkerError(
            message(
                self._shared.who,
                "a worker process must be able to take what it is to call",
                said,
                "Classes and functions must be in a module that can be imported there, or in the "
                "script, whose own work stands under if __name__ == '__main__':.",
            )
        )
        if isinstance(error, WorkerError):  # of a script that runs on: it says what to do
            shown = error
        shown.add_note(f"In a worker process that begins:\n{text}")
        raise shown


class Workers:
    """Threads or processes that call one function. The first begin with the first task.

    Args:
        who: Whose they are, for messages.
        count: How many.
        function: What threads call.
        parcel: What processes call, if it is to be processes.
        name: Of the threads.
    """

    def __init__(
        self,
        who: str,
        count: int,
        function: Callable[..., Any] | None = None,
        parcel: Parcel | None = None,
        name: str = "nacre-worker",
    ) -> None:
        self._shared = _Shared(who, None if function is None else carried(function), parcel)
        self.who, self.count, self._name = who, count, name
        self._threads: list[threading.Thread] = []

    @property
    def parcel(self) -> Parcel | None:
        """What processes call."""
        return self._shared.parcel

    def renew(self, parcel: Parcel) -> None:
        """Let processes call another function from the next task on, such as the same object after
        it has changed. One that is the same costs nothing."""
        shared = self._shared
        assert shared.parcel is not None
        if not parcel.is_same(shared.parcel):
            shared.parcel = parcel

    def submit(self, name: str, *arguments: Any, seeds: Seeds | None = None) -> Task:
        """Let a worker call the function.

        Args:
            name: What the task is, for messages.
            arguments: What it is called with.
            seeds: Where random numbers begin in a process: see `worker_process.reseed`.
        """
        task = Task(name, arguments, seeds)
        shared = self._shared
        with shared.changed:
            shared.tasks.append(task)
            shared.changed.notify_all()
        if len(self._threads) < self.count:
            number = len(self._threads)
            thread = threading.Thread(
                target=shared.work, name=f"{self._name}-{number}", daemon=True
            )
            self._threads.append(thread)
            stopped_at_exit(shared, thread)
            thread.start()
        return task

    def wait(self, is_ready: Callable[[], Any], behind: Collection[Task] = ()) -> None:
        """Wait until something is true that a task's end may make true.

        Args:
            is_ready: What is waited for.
            behind: Tasks that come later. The error of one of them is raised now where what is
                waited for does not come: it might never.

        Raises:
            WorkerError: A worker died, or stands still.
            Stopped: They were stopped.
        """
        shared = self._shared
        with shared.changed:
            while True:
                if shared.fault is not None:
                    raise shared.fault
                if is_ready():
                    return
                if shared.is_stopped:
                    raise Stopped
                now = time.monotonic()
                seconds = self._seconds_to_error(behind, now)
                late = self._latest(now)
                if late is not None:
                    rest = late.begun + late.limit_seconds - now
                    if rest <= 0:
                        break
                    seconds = min(seconds, rest)
                if WAIT_SECONDS is not None:
                    seconds = min(seconds, WAIT_SECONDS)
                shared.changed.wait(None if seconds == math.inf else seconds)
                self._forgive_suspension(seconds, time.monotonic() - now)
        raise self._stalled(late)

    def _seconds_to_error(self, behind: Collection[Task], now: float) -> float:
        failed = [task for task in behind if task.error is not None]
        if not failed:
            return math.inf
        first = min(failed, key=lambda task: task.ended)
        seconds = first.ended + _ERROR_WAITS_SECONDS - now
        if seconds <= 0:
            assert first.error is not None
            raise first.error
        return seconds

    def _latest(self, now: float) -> _AtWork | None:
        """The worker whose time is over first."""
        at_work = [a for a in self._shared.at_work.values() if a.limit_seconds < math.inf]
        return min(at_work, key=lambda a: a.begun + a.limit_seconds, default=None)

    def _forgive_suspension(self, wanted: float, took: float) -> None:
        """Not count the time in which this process stood still, as after Ctrl-Z."""
        if took > wanted + _SUSPENDED_SECONDS:
            for at_work in self._shared.at_work.values():
                at_work.begun += took - wanted

    def _stalled(self, late: _AtWork) -> WorkerError:
        process = late.process
        stack = _stack_of_thread(late.thread) if process is None else self._stack_of(process)
        seconds = late.limit_seconds
        place = "a thread" if process is None else f"process {process.pid}"
        error = WorkerError(
            message(
                self.who,
                f"a worker must not stand still; each task may take {seconds:g} seconds",
                f"{late.what}, which {place} has been at for longer than that",
                "The place it is at stands below. If it is at work there, let it have more time: "
                "set NACRE_WORKER_SECONDS=600 in the environment (0 for no limit).",
            )
        )
        if stack:
            error.add_note(f"The worker is at:\n{stack}")
        return error

    def _stack_of(self, process: Process) -> str:
        """Where a process is; empty where it does not say so soon."""
        process.ask_for_stack()
        end = time.monotonic() + _SECONDS_FOR_STACK
        while process.stack is None and time.monotonic() < end:
            time.sleep(0.01)
        return process.stack or ""

    def forget(self, tasks: Collection[Task]) -> None:
        """Leave out those of some tasks that nobody has begun."""
        shared = self._shared
        with shared.changed:
            shared.tasks = deque(task for task in shared.tasks if task not in tasks)

    def stop(self) -> None:
        """End them. Threads do the task that they are at first; nobody waits for that."""
        self._shared.stop()

    def __del__(self) -> None:
        try:
            self._shared.stop()
        except Exception:  # Python is ending, and has taken names away
            pass


def _stack_of_thread(number: int) -> str:
    """Where a thread is, without this package's own lines."""
    lines = traceback.format_stack(sys._current_frames().get(number))
    return "".join(line for line in lines if __file__ not in line and "threading.py" not in line)


__all__ = ["STALL_SECONDS", "Seeds", "Stopped", "Task", "Workers", "stall_seconds"]
