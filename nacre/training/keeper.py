"""Keeps a training on disk while it runs, and knows what an earlier process kept.

The arrays are copied between two steps; a thread makes the file of them and writes it. Where that
fails, because the disk is full say, training goes on: it is warned of, and tried again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import weakref
from collections.abc import Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np

from nacre.callbacks import memory
from nacre.callbacks.keeping import DEFAULT_SECONDS, Keeping
from nacre.callbacks.runner import CallbackList, changes_trainable
from nacre.core.errors import ArgumentError, DataError, listed, message
from nacre.core.warning import warn
from nacre.data import seeking
from nacre.data.batch_source import BatchSource
from nacre.data.feed import Feed
from nacre.training import state_file
from nacre.training.inputs import Source
from nacre.training.manifest import decisive_differences, differences, run_manifest
from nacre.training.run_folder import RunFolder
from nacre.training.run_settings import learning_rate, renamed_since, with_learning_rate
from nacre.training.state import TrainingState

_SHARE = 0.01  # of the time, for copying, where nobody said how often
_FINAL = "final/"
_RATE = "optimizer/learning_rate"
# The learning rate that an optimizer had when a run that is kept ended, however it did.
_rates_left: weakref.WeakKeyDictionary[Any, float] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class KeptRun:
    """What an earlier process kept.

    Args:
        state: What to go on from.
        settings: What the run was of; see `run_settings`.
        manifest: What it was made with.
        is_finished: Whether it came to its end.
        is_stopped: Whether something stopped it before its last epoch.
        final: Path -> what a variable held after the end, where that is not what training goes on
            from: best weights, averages.
    """

    state: TrainingState
    settings: Mapping[str, Any]
    manifest: Mapping[str, Any]
    is_finished: bool
    is_stopped: bool
    final: Mapping[str, np.ndarray]

    def is_over(self, epochs: int) -> bool:
        """Whether there is nothing left to train."""
        return self.is_finished and (self.is_stopped or self.state.epoch >= epochs)


class Keeper:
    """The folder of a run, its thread, and when a state is due.

    Args:
        keeping: Where and how often.
        who: The method that was called, for messages.

    Raises:
        BusyError, ArgumentError, OSError: See `RunFolder`.
        FileFormatError: What is in the folder is damaged.
    """

    def __init__(self, keeping: Keeping, who: str) -> None:
        self.keeping, self.who = keeping, who
        self.folder = RunFolder(keeping.folder, who)
        try:
            self.kept = _kept(self.folder)
        except BaseException:
            self.folder.release()
            raise
        self.names: Mapping[str, str] = {}  # name in what was kept -> name now
        self._settings: Mapping[str, Any] = {}
        self._manifest: Mapping[str, Any] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nacre-resume")
        self._writing: Future[None] | None = None
        self._steps = 0  # since the last state
        self._due = time.perf_counter() + self._seconds
        self._is_other_run, self._other_run = False, ""
        self._has_warned = False  # whether a write that failed was warned of

    @property
    def _seconds(self) -> float:
        keeping = self.keeping
        if keeping.every_seconds is not None:
            return keeping.every_seconds
        is_said = keeping.every_steps is not None or keeping.every_epoch
        return float("inf") if is_said else DEFAULT_SECONDS

    # ------------------------------------------------------------ before the first step

    def begin(
        self, settings: Mapping[str, Any], feed: Feed, runner: CallbackList, optimizer: Any
    ) -> None:
        """Compare what this run is of with what was kept, if anything.

        Args:
            settings: What it is of; see `run_settings`.
            feed, runner: Its data and callbacks, which must remember what a file can hold.
            optimizer: Its optimizer.

        Raises:
            ArgumentError: It is another run.
            SerializationError: What is remembered is no plain data.
        """
        states = memory.remembered(runner.callbacks)
        state_file.packed({}, {"callbacks": states, "data": feed.data_state()})
        self._settings, self._manifest = settings, run_manifest()
        if self.kept is None:
            self.folder.note_manifest(dict(self._manifest), is_resumed=False)
            return
        differences = self._differences(self.kept, settings, _rates_left.get(optimizer))
        if any(map(changes_trainable, runner.callbacks)):  # which did so before, in this process
            differences = [text for text in differences if ".trainable " not in text]
        self._other_run = message(
            self.who,
            f"the folder '{self.folder.name}' keeps another training",
            listed(differences, separator="; "),
            "Give what it was begun with, or another folder to begin anew.",
        )
        if differences and self.keeping.is_exact:
            raise ArgumentError(self._other_run)
        self._is_other_run = bool(differences)
        self.folder.note_manifest(dict(self._manifest), is_resumed=True)

    def warn_of_differences(self) -> None:
        """Warn of what may make the bits others than those of a training that never stopped."""
        assert self.kept is not None
        if self._is_other_run:
            warn(f"{self._other_run} This one goes on from its weights.")
        wrong = decisive_differences(self.kept.manifest, self._manifest)
        if wrong:
            rule = (
                "a training gives the same bits on the same machine with the same versions; this "
                "one goes on with others, so its last bits may be others"
            )
            warn(message(self.who, rule, "; ".join(wrong)))

    def _differences(
        self, kept: KeptRun, settings: Mapping[str, Any], rate_left: float | None
    ) -> list[str]:
        rate, now = kept.state.arrays.get(_RATE), learning_rate(settings)
        then = kept.settings
        known = [np.float32(value) for value in (rate, rate_left) if value is not None]
        if now is not None and np.float32(now) in known:
            # The optimizer is the one that was trained, in the same process, and not changed since.
            settings = with_learning_rate(settings, learning_rate(then) or now)
        self.names = renamed_since(then, settings)
        wrong = differences(then, settings, names=self.names)
        if then.get("seed") is None or settings.get("seed") is None:
            wrong = [text for text in wrong if not text.startswith("seed ")]
        return wrong

    def over(self, epochs: int) -> str:
        """That there is nothing left to train."""
        assert self.kept is not None
        epoch = self.kept.state.epoch
        how = "was stopped by a callback" if self.kept.is_stopped else "came to its end"
        return message(
            self.who,
            f"the training in '{self.folder.name}' {how} in epoch {epoch}, so nothing is trained; "
            "the model has the weights it ended with",
            f"epochs={epochs}",
            "Take another folder to train anew.",
        )

    def going_on(self, epochs: int) -> str:
        """Where it goes on."""
        assert self.kept is not None
        state = self.kept.state
        place = f"epoch {state.epoch + 1}/{epochs}"
        place += f", after step {state.step}" if state.step else ""
        return f"Going on with the training in '{self.folder.name}': {place}."

    # ------------------------------------------------------------ while it runs

    def is_due(self, steps: int) -> bool:
        """Whether it is time for a state, after so many more steps."""
        self._steps += steps
        every = self.keeping.every_steps
        is_due = (every is not None and self._steps >= every) or time.perf_counter() >= self._due
        return is_due and not self._is_writing

    def is_due_at_epoch(self) -> bool:
        """The same when an epoch is over."""
        return (self.keeping.every_epoch or self.is_due(0)) and not self._is_writing

    @property
    def _is_writing(self) -> bool:
        return self._writing is not None and not self._writing.done()

    def keep(self, state: TrainingState, begun: float) -> None:
        """Write a state, in the thread.

        Args:
            state: The state.
            begun: When it was begun to be copied, by `time.perf_counter`.
        """
        self._collect()
        now = time.perf_counter()
        least = (now - begun) / _SHARE if self.keeping.every_seconds is None else 0.0
        self._steps, self._due = 0, now + max(self._seconds, least)
        self._begin_to_write(state, {}, {})

    def keep_end(
        self, state: TrainingState, is_stopped: bool, final: Mapping[str, np.ndarray]
    ) -> None:
        """Write what a run that is over would go on from, and what it ended with; see `KeptRun`."""
        self.wait()
        self._begin_to_write(state, {"is_finished": True, "is_stopped": is_stopped}, final)
        self.wait()

    def _begin_to_write(
        self, state: TrainingState, end: dict[str, bool], final: Mapping[str, np.ndarray]
    ) -> None:
        arrays, data = state.as_file()
        arrays |= {f"{_FINAL}{path}": array for path, array in final.items()}
        data |= {"settings": self._settings, "manifest": self._manifest, "end": end}
        self._writing = self._thread.submit(self._write, arrays, data)

    def _write(self, arrays: dict[str, np.ndarray], data: dict[str, Any]) -> None:
        self.folder.write(state_file.packed(arrays, data))

    def wait(self) -> None:
        """Wait for the thread to write what it has; warn where it could not."""
        if self._writing is not None:
            with contextlib.suppress(OSError):
                self._writing.result()
        self._collect()

    def _collect(self) -> None:
        """See how the last write went."""
        if self._writing is None:
            return
        writing, self._writing = self._writing, None
        try:
            writing.result()
            self._has_warned = False
        except OSError as error:
            if not self._has_warned:
                self._has_warned = True
                rule = (
                    "states of the training should be written; it goes on without, and tries again"
                )
                why = str(error) if error.errno is None else os.strerror(error.errno)
                warn(message(self.who, rule, f"'{self.folder.name}': {why}"))

    def note_end(self, optimizer: Any) -> None:
        """Note what a run leaves, so that the next one knows what was changed in between."""
        with contextlib.suppress(TypeError, ValueError, AttributeError):
            _rates_left[optimizer] = float(optimizer.learning_rate)

    def close(self) -> None:
        """Let go of the folder, when what is being written is written."""
        self._thread.shutdown()
        self.folder.release()

    def delete(self) -> None:
        """Delete what was kept, as training is over."""
        self.wait()
        self.folder.delete()

    @contextlib.contextmanager
    def watching_sigterm(self) -> Generator[None]:
        """A block in which SIGTERM raises `SystemExit`, where that was asked for."""
        is_main = threading.current_thread() is threading.main_thread()
        if not self.keeping.ends_on_sigterm or not is_main:
            yield
            return
        before = signal.signal(signal.SIGTERM, _exit)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)


def check_seekable(keeping: Keeping, source: Source, validation: Source | None, who: str) -> None:
    """Refuse data that cannot go on in the middle, or warn of it where that was not promised.

    Raises:
        DataError: It cannot.
    """
    for name, given in (("x", source), ("validation_data", validation)):
        if isinstance(given, BatchSource):
            try:
                seeking.refuse_unseekable(given, who, name)
            except DataError as error:
                if keeping.is_exact:
                    raise
                warn(f"{error} Training that goes on later sees other batches.")


@contextlib.contextmanager
def opened(keeping: Keeping, who: str) -> Generator[Keeper]:
    """A block in which a run is kept; see `Keeper`."""
    keeper = Keeper(keeping, who)
    try:
        yield keeper
    finally:
        keeper.close()


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)  # as shells report it


def _kept(folder: RunFolder) -> KeptRun | None:
    found = folder.newest()
    if found is None:
        return None
    arrays, data = found
    final = {k.removeprefix(_FINAL): v for k, v in arrays.items() if k.startswith(_FINAL)}
    arrays = {k: v for k, v in arrays.items() if not k.startswith(_FINAL)}
    end = data["end"]
    return KeptRun(
        TrainingState.from_file(arrays, data),
        data["settings"],
        data["manifest"],
        bool(end.get("is_finished")),
        bool(end.get("is_stopped")),
        final,
    )


__all__ = ["Keeper", "KeptRun", "check_seekable", "opened"]
