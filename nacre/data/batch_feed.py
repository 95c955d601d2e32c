"""The feed of a source that gives whole batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing

from nacre.data.batch_source import BatchSource
from nacre.data.feed import Feed, Position, Stretch, stretch_of
from nacre.data.sources import Batch

AHEAD = 2  # batches made and sent before they are used


class BatchFeed(Feed):
    """Batches of a source, each a stretch of one step, made and sent ahead in a thread.

    From a generator nothing is taken before it is used, unless that is asked for: what the user
    does with it afterwards must not depend on how fast a thread was. Its next batch is made while
    the device works on the present one all the same.

    Args:
        source: The batches.
        steps, seed, continues: See `Feed`. The seed is that of the source.
        ahead: How many batches are made ahead; 0 makes each when it is used, without a thread. By
            default 2, and 0 for what can be gone over once only.
    """

    def __init__(
        self,
        source: BatchSource,
        *,
        steps: int | None = None,
        continues: bool = True,
        ahead: int | None = None,
    ) -> None:
        self.source, self.num_batches = source, source.num_batches
        self.is_one_pass = source.is_one_pass
        super().__init__(
            source.who, self.num_batches if steps is None else steps, source.seed, continues
        )
        self._ahead = (0 if source.is_one_pass else AHEAD) if ahead is None else ahead
        self._items: Iterator[Batch] | None = None  # of the pass under way
        self._end: Position | None = None
        self._to_skip = 0  # batches of a generator that were used before a state was taken

    def restore(self, state: Mapping[str, int]) -> None:
        """Go on where a state was taken; see `Feed.restore`."""
        super().restore(state)
        self.source.seed = self.seed
        self._forget_pass()
        if self.is_one_pass:
            self._to_skip = state["batch"]

    def _stretches(self, begin: Position, first_step: int) -> Iterator[tuple[Position, Stretch]]:
        self.source.begin_epoch()
        done = first_step
        with closing(self._prefetch(self._batches(begin, first_step), self._ahead)) as ready:
            for place, is_longer, stretch in ready:
                self.has_repeated = self.has_repeated or is_longer
                done += 1
                yield place, stretch
        self._next = self._end
        if self.steps is None and self.continues:
            self.steps = done
        self.source.end_epoch()

    def _batches(self, begin: Position, step: int) -> Iterator[tuple[Position, bool, Stretch]]:
        """The steps of an epoch, and whether the data had to begin again within it."""
        number, batch = begin
        if self.num_batches and not self.is_one_pass:
            passes, batch = divmod(batch, self.num_batches)
            if passes:
                self._forget_pass()
            number += passes
        is_longer = has_ended = False
        try:
            while self.steps is None or step < self.steps:
                if self._items is None:
                    self._items = self._pass(number, batch)
                item = next(self._items, None)
                if item is not None:
                    batch += 1
                    yield Position(number, batch), is_longer, stretch_of(item, step, self.who)
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

    def _pass(self, number: int, batch: int) -> Iterator[Batch]:
        if not self.is_one_pass:
            return self.source.batches(number, batch)
        skip, self._to_skip = self._to_skip, 0
        return self.source.batches(number, skip)

    def _forget_pass(self) -> None:
        items, self._items = self._items, None
        if items is not None and hasattr(items, "close"):
            items.close()  # type: ignore[attr-defined]


__all__ = ["BatchFeed"]
