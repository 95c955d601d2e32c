"""The feed of a source that gives whole batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any, NamedTuple

from nacre.core.errors import DataError, message
from nacre.core.host_random import are_same, host_random_state
from nacre.data.batch_source import BatchSource
from nacre.data.chunks import Chunks, batches_a_chunk
from nacre.data.feed import Feed, Position, Stretch, stretch_of
from nacre.data.sources import Batch

AHEAD = 2  # batches made and sent before they are used


class _Made(NamedTuple):
    """Steps.

    Attributes:
        place: The place after them.
        is_longer: Whether the data had begun again before them.
        stretch: The steps.
        random: Where Python's and NumPy's generators are after making them, see `_next_of`.
    """

    place: Position
    is_longer: bool
    stretch: Stretch
    random: dict[str, Any] | None


class BatchFeed(Feed):
    """Batches of a source, made and sent ahead in a thread.

    From a generator nothing is taken before it is used, unless that is asked for: what the user
    does with it afterwards must not depend on how fast a thread was. Its next batch is made while
    the device works on the present one all the same.

    Each batch is a stretch of one step. In chunks those that are made are one of several; nobody
    waits for a second one. Where somebody is called between the steps, or a state is to be taken
    there, they come one by one all the same.

    Args:
        source: The batches.
        steps, seed, continues: See `Feed`. The seed is that of the source.
        ahead: How many batches are made ahead; 0 makes each when it is used, without a thread. By
            default 2, those of a chunk where they come in chunks, and 0 for what can be gone over
            once only.
        in_chunks: Whether one dispatch may run several. Not those of a generator, which may make
            each batch by what the model has learnt from the one before it.
    """

    def __init__(
        self,
        source: BatchSource,
        *,
        steps: int | None = None,
        continues: bool = True,
        ahead: int | None = None,
        in_chunks: bool = False,
    ) -> None:
        if steps is None and source.is_endless:
            raise DataError(
                message(
                    source.who,
                    "data without end needs a number of batches",
                    f"a {type(source.data).__name__} that goes on without end, and no steps",
                    "Pass steps_per_epoch to fit (steps to evaluate and predict, validation_steps "
                    "for validation data), or leave repeat() out: fit begins anew each epoch.",
                )
            )
        self.source, self.num_batches = source, source.num_batches
        self.is_one_pass = source.is_one_pass
        super().__init__(
            source.who, self.num_batches if steps is None else steps, source.seed, continues
        )
        self._ahead = (0 if source.is_one_pass else AHEAD) if ahead is None else ahead
        self._is_ahead_given = ahead is not None
        self._in_chunks = in_chunks and not self.is_one_pass and self.layout is None
        self._form: int | None = None  # of the batches in chunks, see `Chunks`
        self._chunk_batches = 1  # as far as is known
        self._items: Iterator[Batch] | None = None  # of the pass under way
        self._end: Position | None = None
        self._to_skip = 0  # batches of a generator that were used before a state was taken
        self._goes_on = False  # whether the next pass begins where a state says, not at a batch

    def data_state(self) -> Any:
        """Where the data says itself that it is; None where it does not."""
        return self.source.state(self._items is None)

    def state(self, step: int | None = None) -> dict[str, int]:
        """Where the run is; see `Feed.state`. `form` is that of the batches in chunks."""
        return super().state(step) | ({} if self._form is None else {"form": self._form})

    def restore(self, state: Mapping[str, int], data: Any = None) -> None:
        """Go on where a state was taken; see `Feed.restore`."""
        super().restore(state)
        self._form = state.get("form")
        self.source.seed = self.seed
        self._forget_pass()
        has_state = self.source.has_state
        if has_state or not self.is_one_pass:
            self.source.restore(data, state["step"] > 0)
            self._goes_on = has_state and not self.source.is_indexed
        else:
            self._to_skip = state["batch"]

    def be_resumable(self) -> None:
        """Keep what a state needs; see `Feed.be_resumable`."""
        self._notes_random = True
        if self.source.has_state:
            self._ahead = 0  # it is to say where the steps are, not where a thread is

    def _stretches(self, begin: Position, first_step: int) -> Iterator[tuple[Position, Stretch]]:
        self.source.begin_epoch()
        done, ahead = first_step, self._ahead
        if self._in_chunks and ahead and not self._is_ahead_given:
            if self._form is None and self.source.seen is not None:
                self._chunk_batches = batches_a_chunk(self.source.seen)
            ahead = max(ahead, self._chunk_batches)
        with closing(self._prefetch(self._batches(begin, first_step), ahead)) as ready:
            joins = self.overlaps and ahead > 0 and not self._notes_random
            for made in self._joined(ready) if joins else ready:
                self.has_repeated = self.has_repeated or made.is_longer
                self.host_random = made.random
                done += made.stretch.num_steps
                yield made.place, made.stretch
        self._next, self.host_random = self._end, None
        if self.steps is None and self.continues:
            self.steps = done
        self.source.end_epoch()

    def _joined(self, ready: Iterator[_Made]) -> Iterator[_Made]:
        """Steps that are made and lie behind one another as one stretch, within one pass."""
        waiting: deque[_Made] = deque()
        while (made := waiting.popleft() if waiting else next(ready, None)) is not None:
            if not waiting and made.stretch.repeats and self._running is not None:
                waiting.extend(self._running.take_ready())
            # A pass begins with a step by itself, as a place in it is told from where it begins.
            while waiting and made.place.batch > 1 and _lie_together(made, waiting[0]):
                more = waiting.popleft()
                count = made.stretch.num_steps + more.stretch.num_steps
                made = made._replace(
                    place=more.place, stretch=replace(made.stretch, num_steps=count)
                )
            yield made

    def _stretch(self, batch: Batch, step: int, chunks: Chunks | None) -> Stretch:
        found = None if chunks is None else chunks.laid_down(batch, step)
        if chunks is not None and chunks.is_begun:
            self._form, self._chunk_batches = chunks.form, chunks.batches_a_chunk
        if found is None:
            return stretch_of(batch, step, self.who, sends=self._ahead > 0)
        return found if self._ahead else replace(found, is_awaited=False)

    def _batches(self, begin: Position, step: int) -> Iterator[_Made]:
        """The steps of an epoch, one by one."""
        number, batch = begin
        if self.num_batches and not self.is_one_pass:
            passes, batch = divmod(batch, self.num_batches)
            if passes:
                self._forget_pass()
            number += passes
        is_longer = has_ended = False
        # New ones for each epoch: the thread of one that was left may be at work on the last.
        chunks = Chunks(self._form) if self._in_chunks else None
        try:
            while self.steps is None or step < self.steps:
                if self._items is None:
                    self._items = self._pass(number, batch)
                item, random = self._next_of(self._items)
                if item is not None:
                    batch += 1
                    stretch = self._stretch(item, step, chunks)
                    yield _Made(Position(number, batch), is_longer, stretch, random)
                    step += 1
                    continue
                self._items = None
                if self.is_one_pass or batch == 0:
                    break
                used, number, batch = batch, number + 1, 0
                if self.steps is None or (not self.continues and used < self.steps):
                    break
                is_longer = is_longer or used < self.steps
            has_ended = True
        finally:
            if not has_ended or not (self.continues or self.is_one_pass):
                self._forget_pass()
        self._end = Position(number, batch)

    def _next_of(self, items: Iterator[Batch]) -> tuple[Batch | None, dict[str, Any] | None]:
        """The next batch, and where Python's and NumPy's generators are after it.

        The latter where making it drew from them ahead of the steps: then that, not where they are
        when a state is taken, is where the next batch begins.
        """
        if not self._notes_random or self._ahead == 0:
            return next(items, None), None
        before = host_random_state()
        item = next(items, None)
        after = host_random_state()
        return item, None if are_same(before, after) else after

    def _pass(self, number: int, batch: int) -> Iterator[Batch]:
        if self._goes_on:
            self._goes_on = False
            return self.source.batches(number)
        if not self.is_one_pass:
            return self.source.batches(number, batch)
        skip, self._to_skip = self._to_skip, 0
        return self.source.batches(number, skip)

    def close(self) -> None:
        """Stop the thread that works ahead and the source's workers, without waiting for any."""
        super().close()
        self.source.stop()

    def _fingerprint(self) -> dict[str, int]:
        return {} if self.num_batches is None else {"batches": self.num_batches}

    def _forget_pass(self) -> None:
        items, self._items = self._items, None
        if items is not None and hasattr(items, "close"):
            items.close()  # type: ignore[attr-defined]


def _lie_together(made: _Made, more: _Made) -> bool:
    before, after = made.stretch, more.stretch
    end = before.first_row + before.num_steps * before.batch_size
    return (
        after.arrays is before.arrays
        and after.first_row == end
        and more.place.pass_number == made.place.pass_number
    )


__all__ = ["BatchFeed"]
