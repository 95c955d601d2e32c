"""Builds that run beside the program: what it will probably ask for while it waits for the first.

A program that needs one library soon needs others, and while one is compiled all cores but one are
idle. So their builds are begun in threads, one for each further core, each of which waits for a
compiler: the first fit of a transformer (layer norm, attention, dense, gelu, Adam) waits 3.9
seconds on two cores and not 6.9. What a program asks for it always gets: a build that has begun is
waited for, one that has not is taken out of the line and made by whoever asks. A process that ends
in between ends its compilers; what they did not finish is built by the next that needs it.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from nacre.ops.kernels.native import compiler

Key = tuple[str, tuple[str, ...]]  # name and sources of a library

END_SECONDS = 2.0  # what an ended compiler's thread may take to tidy up

_futures: dict[Key, Future[None]] = {}
_line: deque[tuple[Future[None], Callable[[], object]]] = deque()
_workers: list[threading.Thread] = []
_lock = threading.Lock()
_is_ending = False


def begin(builds: Mapping[Key, Callable[[], object]], workers: int) -> None:
    """Put builds in the line, by key; those that were there before are not put there again.

    Args:
        workers: How many may run at once; with none nothing is put in the line.
    """
    with _lock:
        if _is_ending or workers < 1:
            return
        for key, run in builds.items():
            if key not in _futures:
                _futures[key] = Future()
                _line.append((_futures[key], run))
        _workers[:] = [worker for worker in _workers if worker.is_alive()]
        for _ in range(min(workers - len(_workers), len(_line))):
            _workers.append(threading.Thread(target=_work, name="nacre-build", daemon=True))
            _workers[-1].start()


def settle(key: Key) -> None:
    """Return when no build of this key runs or will: after it, or at once where it had not begun.

    It takes no longer than the compiler may take, as building it oneself does.
    """
    future = _futures.get(key)
    if future is not None and not future.cancel():
        future.exception()  # waits; what went wrong is found again by whoever builds it


def _work() -> None:
    while True:
        with _lock:
            if not _line or _is_ending:
                return
            future, run = _line.popleft()
        if not future.set_running_or_notify_cancel():
            continue
        try:
            run()
        except BaseException as error:  # whatever it is, somebody may be waiting
            future.set_exception(error)
        else:
            future.set_result(None)


@atexit.register
def _end() -> None:
    global _is_ending
    with _lock:
        _is_ending = True
        _line.clear()
    if any(worker.is_alive() for worker in _workers):
        compiler.stop()
        for worker in _workers:
            worker.join(END_SECONDS)


def _forget_in_child() -> None:
    """Threads do not follow into a forked process: nothing there may wait for them."""
    global _lock
    _lock = threading.Lock()
    _futures.clear()
    _line.clear()
    _workers.clear()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_in_child)
