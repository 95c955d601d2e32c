"""What a run of `fit` goes on from: taken while it runs, kept on disk, and given back.

The loop (`loop.py`) says where a run is; a `Keeper` writes what is taken here, and when.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from nacre.callbacks import memory
from nacre.callbacks.memory import Remembered, Undeclared
from nacre.callbacks.runner import CallbackList, changes_trainable
from nacre.core.errors import listed, message
from nacre.core.host_random import host_random_state, set_host_random_state
from nacre.core.state import State
from nacre.core.warning import warn
from nacre.data.batch_source import BatchSource
from nacre.data.feed import Feed, stretch_of
from nacre.data.sources import ArraySource
from nacre.training import inputs
from nacre.training.model_programs import ModelPrograms, TrainableFlags
from nacre.training.programs import FINE
from nacre.training.state import TrainingState, arrays_by_path, spoiled_paths, variables_by_path

if TYPE_CHECKING:
    from nacre.training.keeper import Keeper, KeptRun


class ResumableRun:
    """The part of a `TrainRun` that another run goes on from."""

    # What the loop sets.
    model: Any
    who: str
    feed: Feed
    source: ArraySource | BatchSource
    state: State
    runner: CallbackList
    _programs: ModelPrograms
    _flags: TrainableFlags
    _epoch: int
    _done: int  # steps of the epoch
    _logs: Any
    _pending: list[tuple[int, Any]]
    _skips_non_finite: bool
    _has_run: bool

    def __init__(self) -> None:
        self._resumed: TrainingState | None = None  # until its first epoch has begun
        self.keeper: Keeper | None = None  # who keeps the run on disk, if anybody
        # Whether a run could go on from just here: not while callbacks are being called.
        self._is_exact = self._is_batch_open = False
        # What callbacks remembered, and random numbers, before the validation of the epoch.
        self._before_validation: tuple[Remembered, Mapping[str, Any]] | None = None
        self._undeclared: Undeclared | None = None
        self._spoiled_from_the_beginning: set[str] = set()

    # ------------------------------------------------------------ what the loop does

    def sync(self) -> None:
        """Commit the newest values to the model's variables."""
        raise NotImplementedError

    def _host_logs(self) -> dict[str, Any]:
        raise NotImplementedError

    def _use_flags(self) -> None:
        raise NotImplementedError

    def _leave(self, reason: BaseException | None) -> None:
        raise NotImplementedError

    # ------------------------------------------------------------ taken and given back

    def taken(self) -> TrainingState:
        """All that this run would go on from now, between two steps or two epochs."""
        self.sync()
        # At the beginning of an epoch the data is where the one before left it.
        position = self.feed.state(self._done or None) | {"epoch": self._epoch, "step": self._done}
        before = self._before_validation
        return TrainingState(
            arrays_by_path(self.model, self.state),
            position,
            self._host_logs() if self._done and self._logs else {},
            before[0] if before else memory.remembered(self.runner.callbacks),
            before[1] if before else self.feed.host_random or host_random_state(),
            self.feed.data_state(),
            self._is_batch_open,
            {} if self._undeclared is None else self._undeclared.changed(),
        )

    def resume(self, state: TrainingState, runner: CallbackList) -> int:
        """Go on from a state instead of from the beginning; returns the epoch.

        The variables get their values when callbacks have begun: until then a refusal leaves
        everything as it was.
        """
        self._catch_up(state, runner)
        variables = variables_by_path(self.model, self.state)
        if state.arrays.keys() - variables.keys():
            self._find_outside()
            variables = variables_by_path(self.model, self.state)
        state = state.renamed(variables, {} if self.keeper is None else self.keeper.names)
        state.check(variables, self.who)
        memory.check(runner.callbacks, state.callbacks, self.who)
        self.feed.restore(state.position, state.data)
        memory.give_back(runner.callbacks, state.callbacks)
        self._resumed = state
        if state.undeclared:
            warn(_forgotten(self.who, state.undeclared))
        return state.epoch

    def be_kept(self, keeper: Keeper, runner: CallbackList) -> None:
        """Keep this run on disk while it runs."""
        self.keeper = keeper
        self.feed.be_resumable()
        self._undeclared = Undeclared(runner.callbacks)
        self._spoiled_from_the_beginning = spoiled_paths(arrays_by_path(self.model, self.state))

    def _catch_up(self, state: TrainingState, runner: CallbackList) -> None:
        """Have the layers trainable that a callback of the run had set so by then."""
        begun = state.epoch + (state.step > 0)
        for callback in filter(changes_trainable, runner.callbacks):
            callback.catch_up(begun)
        if self._flags.changed():
            self._use_flags()

    def _find_outside(self) -> None:
        """Let the state take in what a step uses that nothing holds, by tracing one."""
        specs = inputs.batch_specs(self.source, self.feed.batch_size or 1)
        stretch = stretch_of(specs, 0, self.who, sends=False)
        program = self._programs.train(stretch)
        scalars = np.int32(0), np.int32(1)
        if program.compiled:
            program.trace(self.state.read(), stretch.arrays, None, *scalars)
        else:
            zeros = [None if a is None else np.zeros(a.shape, a.dtype) for a in stretch.arrays]
            program(self.state.read(), zeros, None, *scalars)

    def _restore(self, state: TrainingState, is_begun: bool = True) -> None:
        """Give variables, callbacks and generators what they had.

        Args:
            state: The state.
            is_begun: Whether callbacks were told that training begins.
        """
        state.assign(variables_by_path(self.model, self.state))
        memory.give_back(self.runner.callbacks, state.callbacks, is_begun)
        set_host_random_state(state.random)

    def give_back(self, kept: KeptRun, runner: CallbackList) -> Any:
        """What a run that is over ended with: model, optimizer and seeds get it, and the history
        is returned."""
        self._catch_up(kept.state, runner)
        assert self._resumed is not None
        self.runner, state, self._resumed = runner, self._resumed, None
        self._restore(state)
        variables = variables_by_path(self.model, self.state)
        for path, old in kept.state.paths_of(variables).items():
            if old in kept.final:
                variables[path].assign(kept.final[old])
        return self.model.history

    # ------------------------------------------------------------ kept on disk

    def _keep_if_due(self, steps: int) -> None:
        """Keep the run on disk, if that is wanted and it is time, after so many more steps."""
        if self.keeper is not None and self.keeper.is_due(steps):
            self._keep(self.keeper)

    def _keep(self, keeper: Keeper) -> None:
        """Keep all that this run would go on from, unless no run should go on from here."""
        if not self._is_exact or self.model.stop_training or not self._has_run:
            return
        begun = time.perf_counter()
        if not self._skips_non_finite:  # what a bad step gave is about to be found
            if any(int(bad) != FINE for bad in jax.device_get([bad for _, bad in self._pending])):
                return
        state = self.taken()
        if spoiled_paths(state.arrays) <= self._spoiled_from_the_beginning:
            keeper.keep(state, begun)

    def _keep_at_the_end(self, keeper: Keeper, reason: BaseException) -> None:
        """Keep what an error or Ctrl-C left, where a run can go on from it."""
        try:
            self._keep(keeper)
            keeper.wait()
        except Exception as error:  # the reason is what the user is to see
            reason.add_note(f"{self.who}: the state could not be kept: {error!r}")

    def _begin_validation(self) -> None:
        """Note what a run goes on from that is killed while it validates."""
        if self.keeper is not None:
            states = memory.remembered(self.runner.callbacks)
            self._before_validation = states, host_random_state()

    def _finish(self, keeper: Keeper) -> None:
        """End a run that is kept: what it would go on from, and what it ends with."""
        state, is_stopped = self.taken(), self.model.stop_training
        self._leave(None)
        if keeper.keeping.is_deleted:
            keeper.delete()
            return
        last = arrays_by_path(self.model, self.state)
        final = {p: a for p, a in last.items() if not _is_same(a, state.arrays.get(p))}
        keeper.keep_end(state, is_stopped, final)


def _is_same(array: np.ndarray, other: np.ndarray | None) -> bool:
    return other is not None and array.tobytes() == other.tobytes()


def _forgotten(who: str, undeclared: Mapping[str, Sequence[str]]) -> str:
    """That callbacks begin anew."""
    names = [f"{name}.{attribute}" for name, found in undeclared.items() for attribute in found]
    return message(
        who,
        "callbacks go on with what they say that they remember; others begin anew",
        f"what had changed and is not remembered: {listed(names)}",
        "List such attributes in the class, remembers = ('best', 'wait'); where nothing is to be "
        "remembered, remembers = ().",
    )


__all__ = ["ResumableRun"]
