"""Batches made by index, in order, by the threads or processes that a source asks for."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nacre.core.errors import DataError, message
from nacre.core.host_random import are_same, host_random_state
from nacre.core.random import user_seed
from nacre.core.warning import warn
from nacre.data.processes import OfScriptError, Parcel, parcel_of
from nacre.data.py_dataset import number_of_batches
from nacre.data.worker_process import drawn_seeds
from nacre.data.workers import Seeds, Task, Workers


@dataclass(frozen=True)
class Making:
    """What was asked for in place of what the source says itself; None for that."""

    workers: int | None = None
    use_multiprocessing: bool | None = None
    max_queue_size: int | None = None


class IndexedBatches:
    """Makes the batches of a source, pass after pass. Its workers live until it is stopped or
    dropped, so that processes begin once a run and not once an epoch.

    Args:
        source: The source: has `__getitem__`.
        making: By what.
        seed: What random numbers in worker processes follow from, together with the number of the
            pass and of the batch; with 0 a number drawn from `np.random` for each pass.
    """

    def __init__(self, source: Any, making: Making | None = None, seed: int = 0) -> None:
        self.source, self.seed = source, seed
        self._who = type(source).__name__
        making = making or Making()
        count = making.workers
        self._count = int(getattr(source, "workers", 1) or 0) if count is None else count
        uses = making.use_multiprocessing
        uses = getattr(source, "use_multiprocessing", False) if uses is None else uses
        self._uses_processes = bool(uses) and self._count > 0
        queue = making.max_queue_size
        queue = getattr(source, "max_queue_size", 10) if queue is None else queue
        self._ahead = max(self._count, int(queue or 0))
        self._workers: Workers | None = None
        self._may_have_changed = False

    def note_change(self) -> None:
        """Say that the source may have changed, so that processes are to have it as it is now."""
        self._may_have_changed = True

    def stop(self) -> None:
        """End the workers, without waiting for any; a later pass begins others."""
        workers, self._workers = self._workers, None
        if workers is not None:
            workers.stop()

    def batches(
        self, order: Sequence[int] | None = None, skip: int = 0, pass_number: int = 0
    ) -> Iterator[Any]:
        """The batches of one pass.

        Args:
            order: The indices in another order than their own.
            skip: How many of the first are left out.
            pass_number: The number of the pass.
        """
        source = self.source
        count = number_of_batches(source)
        if count == 0:
            raise DataError(message(self._who, "it must have at least one batch", "none"))
        indices: Any = order
        if order is None:
            indices = itertools.count() if count is None else range(count)
        remaining = itertools.islice(indices, skip, None)
        if self._count <= 1 and not self._uses_processes:
            for index in remaining:
                yield source[index]
            return
        self._may_have_changed = True
        workers = self._begun()
        seeds = self._drawn_seeds(workers.parcel, pass_number)
        # Who gave a seed wants the same numbers again; a source may see to that itself.
        is_fixed = self._uses_processes or bool(getattr(source, "draws_by_index", False))
        random = None if user_seed() is None or is_fixed else host_random_state()
        first = itertools.islice(remaining, self._ahead)
        try:
            waiting = deque(self._submitted(workers, index, seeds) for index in first)
            while waiting:
                batch = _result_of(waiting, workers)
                if random is not None and not are_same(random, host_random_state()):
                    warn(_random_order(self._who, self._count))
                random = None
                following = next(remaining, None)
                if following is not None:
                    waiting.append(self._submitted(workers, following, seeds))
                yield batch
                del batch  # or it would live until the next one is there
        except GeneratorExit:  # the reader leaves early: batches not begun are not made
            workers.forget(waiting)
            raise
        except BaseException:
            self.stop()
            workers.stop()
            raise

    def _begun(self) -> Workers:
        if self._workers is None:
            parcel = self._packed() if self._uses_processes else None
            if parcel is not None:
                workers = Workers(self._who, self._count, parcel=parcel)
            else:
                function = self.source.__getitem__
                workers = Workers(self._who, self._count, function, name="nacre-batches")
            self._workers = workers
        return self._workers

    def _packed(self) -> Parcel | None:
        """The source for processes; None where threads must do, since they give the same."""
        self._may_have_changed = False
        try:
            return parcel_of(self.source.__getitem__, self._who, self.source)
        except OfScriptError as error:
            warn(f"{error} Threads make the batches now.")
            self._uses_processes = False
            return None

    def _submitted(self, workers: Workers, index: int, seeds: Seeds | None) -> Task:
        if self._may_have_changed and workers.parcel is not None:
            parcel = self._packed()
            assert parcel is not None, "it could be sent before"
            workers.renew(parcel)
        if seeds is not None:
            seeds = [(*seed, int(index)) for seed in seeds]
        return workers.submit(f"batch {index}", index, seeds=seeds)

    def _drawn_seeds(self, parcel: Parcel | None, pass_number: int) -> Seeds | None:
        if parcel is None:
            return None
        own = (self.seed, pass_number) if self.seed else ()
        return drawn_seeds(parcel.generators, own)


def _result_of(waiting: deque[Task], workers: Workers) -> Any:
    """What the first of some tasks gave."""
    task = waiting[0]
    workers.wait(lambda: task.is_done, waiting)
    waiting.popleft()
    if task.error is not None:
        raise task.error
    return task.value


def _random_order(who: str, workers: int) -> str:
    return message(
        who,
        "several workers draw from the generators of Python and NumPy in no fixed order, so that "
        "a run with the same seed gets other batches",
        f"workers={workers}",
        "Draw from a generator of the batch's own, np.random.default_rng([seed, index]), or pass "
        "workers=1, or use_multiprocessing=True, where each batch has its own numbers.",
    )


__all__ = ["IndexedBatches", "Making"]
