"""`Feed`: where the steps of training, evaluation and prediction get their batches from.

Whatever the user gave, a feed yields the same thing: arrays on the device, and which rows of them
are the batches of the next steps. Rows of arrays are kept on the device or sent in
chunks (`row_feeds.py`); sources of batches give one after another (`batch_feed.py`).

The order of the samples is a function of a seed, which a run draws once, and the number of the
pass, which for epochs of one pass is the epoch. So a feed's state is a few whole numbers, and one
that is restored gives the batches it would have given had it never stopped.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeVar

import jax
import numpy as np

from nacre.core import tree
from nacre.core.errors import DataError, message
from nacre.core.layout import Layout, current_layout
from nacre.core.random import keyed_generator
from nacre.core.strings import is_text
from nacre.data.prefetch import Prefetched
from nacre.data.sources import ArraySource, Batch, without_arrays

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Arrays on the device, and the steps whose batches are rows of them.

    Args:
        arrays: The leaves of (x, y, sample_weight), None where nothing was given.
        structure: The structure of the leaves, with 0 or None in the place of each.
        order: Which rows the samples are, int32 on the device; None where they lie one after
            another.
        first_row: Where the first batch begins, in `order` or in the arrays themselves.
        num_steps: The number of steps; a batch follows the one before it.
        batch_size: The samples of each batch.
        step: The number of the first step within the epoch, from 0.
        repeats: Whether steps like these come in any number, so that one program should run many of
            them; else each comes by itself.
        next_batch_size: The size of a smaller batch that comes after these out of the same arrays,
            so that its program can be made meanwhile; None when there is none.
        is_temporary: Whether the arrays are there for these steps only, so that keeping them costs
            memory.
        is_awaited: Whether whoever runs them may wait for them before the next are asked for, as
            they are made meanwhile; else making them has to begin while these are under way.
    """

    arrays: list[Any]
    structure: Any
    order: jax.Array | None
    first_row: int
    num_steps: int
    batch_size: int
    step: int
    repeats: bool = False
    next_batch_size: int | None = None
    is_temporary: bool = False
    is_awaited: bool = True

    @property
    def is_whole(self) -> bool:
        """Whether the arrays are the batch itself.

        Those of different lengths always are, as rows of a source are as many in each array.
        """
        if self.repeats or self.order is not None:
            return False
        counts = {len(a) for a in self.arrays if a is not None}
        return len(counts) != 1 or self.batch_size in counts

    def smaller(self) -> Stretch:
        """The step that comes after these, on a smaller batch of the same arrays."""
        assert self.next_batch_size is not None
        return replace(
            self, num_steps=1, batch_size=self.next_batch_size, repeats=False, next_batch_size=None
        )

    @property
    def size_bytes(self) -> int:
        """What it costs to keep their share of the arrays when the steps have run."""
        if not self.is_temporary:
            return 0
        arrays = [a for a in self.arrays if a is not None]
        total = sum(a.nbytes for a in arrays)
        if not self.repeats:
            return total
        return total * self.num_steps * self.batch_size // max(1, len(arrays[0]))


class Position(NamedTuple):
    """A position among all the batches of a run: a pass over the data, and a batch in it."""

    pass_number: int
    batch: int


class Feed(ABC):
    """Batches, epoch after epoch.

    Args:
        who: The method that was called, for messages.
        steps: Steps an epoch; None for one pass where the number of batches is not known.
        seed: What the order of shuffled samples follows from, together with the pass.
        continues: Whether an epoch begins where the one before stopped, and at the end of the data
            with its beginning, as in training; else each begins anew.
    """

    batch_size: int | None = None
    num_batches: int | None = None  # of one pass, None when that is not known
    is_one_pass = False  # whether the data can be gone over once only
    # Whether steps may begin before all rows are on the device. To be set to False where somebody
    # who is called between the steps may change the arrays.
    overlaps = True
    _sent: tuple[tuple[Any, Any], tuple[Any, Any]] | None = None  # arrays and order, laid out
    _running: Prefetched[Any] | None = None
    has_repeated = False  # whether an epoch was longer than the data
    # Where Python's and NumPy's generators are after the batches given out so far, where a thread
    # that makes them ahead draws from these; None: where they are now.
    host_random: dict[str, Any] | None = None
    _notes_random = False
    _is_over = False  # whether the epoch's data was gone over, and was told so

    def __init__(self, who: str, steps: int | None, seed: int, continues: bool) -> None:
        self.who, self.steps, self.seed, self.continues = who, steps, seed, continues
        self.layout = current_layout()
        self._epoch = 0
        self._next: Position | None = None  # after the steps given out so far
        self._step = 0  # of the epoch, after the steps given out so far
        self._last: tuple[Position, int] | None = None  # where the last steps given out begin

    def epoch(self, epoch: int = 0, first_step: int = 0) -> Generator[Stretch]:
        """The steps of one epoch.

        Args:
            epoch: Its number, from 0.
            first_step: The number of its first step, where steps before were run earlier, see
                `restore`.
        """
        if self._next is None or not (self.continues or self.is_one_pass):
            self._next = Position(epoch if self.continues else 0, 0)
        self._epoch, self._step, self._last = epoch, first_step, None
        is_over, self._is_over = self._is_over and first_step > 0, False
        for place, stretch in () if is_over else self._stretches(self._next, first_step):
            self._last = self._next, stretch.step
            self._next, self._step = place, stretch.step + stretch.num_steps
            yield stretch if self.layout is None else self._laid_out(stretch, self.layout)
        self._is_over = True

    def _laid_out(self, stretch: Stretch, layout: Layout) -> Stretch:
        """The steps with their arrays on all devices, a batch by itself divided among them."""
        given = stretch.arrays, stretch.order
        if self._sent is None or not all(map(operator.is_, self._sent[0], given)):
            place = layout.of_batch(stretch.batch_size) if stretch.is_whole else layout.everywhere
            self._sent = given, _placed(given, place)
        arrays, order = self._sent[1]
        return replace(stretch, arrays=arrays, order=order)

    @abstractmethod
    def _stretches(self, begin: Position, first_step: int) -> Iterator[tuple[Position, Stretch]]:
        """The steps from a place to the end of an epoch, each stretch with the place after it.

        A stretch lies within one pass.
        """

    def state(self, step: int | None = None) -> dict[str, int]:
        """Where the run is, as whole numbers that can be stored as JSON.

        Args:
            step: How many steps of the epoch under way were run, at least those before the last
                stretch; all that were given out by default.

        Returns:
            `epoch` and `step`, at which to go on; `seed`; and the place of the next batch: `pass`,
            and `batch`, the batches of this pass that were used. Of a generator these are all that
            were taken from it. `steps` are those of an epoch, once they are known; `is_over` stands
            there when all of an epoch were run.
        """
        place, step = self._next or Position(self._epoch, 0), self._step if step is None else step
        if step != self._step:
            begin, first = self._last or (place, self._step)
            assert first <= step <= self._step, "only the last steps given out can be open"
            place = Position(begin.pass_number, begin.batch + step - first)
        return {
            "seed": self.seed,
            "epoch": self._epoch,
            "step": step,
            "pass": place.pass_number,
            "batch": place.batch,
            **({} if self.steps is None else {"steps": self.steps}),
            **({"is_over": 1} if self._is_over and step == self._step else {}),
            **self._fingerprint(),
        }

    def be_resumable(self) -> None:
        """Keep what a state needs and batches that are made ahead would hide."""
        self._notes_random = True

    def data_state(self) -> Any:
        """Where the data says itself that it is; None where it does not."""
        return None

    def restore(self, state: Mapping[str, int], data: Any = None) -> None:
        """Go on where a state was taken, over the same data.

        The next call is `epoch(state["epoch"], state["step"])`. A generator must stand at its
        beginning: the batches that were used are taken from it and thrown away.

        Args:
            state: What `state` gave.
            data: What `data_state` gave.

        Raises:
            DataError: The numbers of samples differ, or the batch sizes, or the steps an epoch.
        """
        own = self._fingerprint()
        if self.steps is not None:
            own["steps"] = self.steps
        given = {name: state.get(name, own[name]) for name in own}
        if own != given:
            raise DataError(
                message(
                    self.who,
                    f"a run continues over the data it began with: {_described(given)}",
                    _described(own),
                    "Give the same data and batch size, or begin a new run.",
                )
            )
        self.seed, self._epoch, self._step = state["seed"], state["epoch"], state["step"]
        self._next, self._last = Position(state["pass"], state["batch"]), None
        self._is_over = bool(state.get("is_over"))
        if self.steps is None:
            self.steps = state.get("steps")

    def _fingerprint(self) -> dict[str, int]:
        """What must be the same for a state to have a meaning."""
        return {}

    def _prefetch(self, items: Iterator[T], ahead: int) -> Generator[T]:
        """The items, made ahead in a thread until the feed is closed; with 0 without one."""
        if ahead == 0:
            yield from items
            return
        self._running = Prefetched(items, ahead)
        with closing(self._running) as ready:
            yield from ready

    def close(self) -> None:
        """Stop the thread that works ahead, without waiting for it."""
        if self._running is not None:
            self._running.close()


class RowFeed(Feed):
    """A feed of the rows of arrays."""

    def __init__(
        self,
        source: ArraySource,
        batch_size: int,
        *,
        steps: int | None = None,
        shuffle: bool | Literal["batch"] = False,
        seed: int = 0,
        continues: bool = True,
    ) -> None:
        self.source, self.shuffle = source, shuffle
        self.batch_size: int = min(batch_size, source.num_rows)
        self.num_batches: int = -(-source.num_rows // self.batch_size)
        wanted = self.num_batches if steps is None else steps
        self.steps: int = wanted if continues else min(wanted, self.num_batches)
        super().__init__(source.who, self.steps, seed, continues)
        self._drawn: tuple[int, np.ndarray] | None = None

    def _fingerprint(self) -> dict[str, int]:
        return {"samples": self.source.num_rows, "batch_size": self.batch_size}

    def take(self, source: ArraySource) -> None:
        """Go on with a source of as many rows, whose numbers are others."""
        self.source = source

    def _spans(self, begin: Position, first_step: int) -> Iterator[tuple[int, int, int, int]]:
        """(pass, first batch, batch to stop before, step) until the epoch has all its steps."""
        passes, batch = divmod(begin.batch, self.num_batches)
        number, step = begin.pass_number + passes, first_step
        while step < self.steps:
            stop = min(self.num_batches, batch + self.steps - step)
            yield number, batch, stop, step
            step += stop - batch
            number, batch = number + 1, 0

    def _order(self, pass_number: int) -> np.ndarray | None:
        """The samples of a pass in their order, None for the one they have."""
        if not self.shuffle:
            return None
        if self._drawn is None or self._drawn[0] != pass_number:
            count, seed = self.source.num_rows, self.seed
            if self.shuffle == "batch":
                order = shuffled_batches(count, self.batch_size, seed, pass_number)
            else:
                order = shuffled(count, seed, pass_number)
            self._drawn = pass_number, order
        return self._drawn[1]


def shuffled(count: int, seed: int, pass_number: int) -> np.ndarray:
    """The numbers from 0 to `count` in the order of one pass, int32.

    Drawn on the host, by the same generator on every machine: sorting on a device costs seconds of
    compilation.

    Example:
        >>> sorted(shuffled(4, 7, 0).tolist())
        [0, 1, 2, 3]
    """
    return keyed_generator(seed, pass_number).permutation(count).astype(np.int32)


def shuffled_batches(count: int, batch_size: int, seed: int, pass_number: int) -> np.ndarray:
    """The numbers from 0 to `count`, batches of neighbours in another order; a smaller one last.

    Example:
        >>> shuffled_batches(5, 2, 7, 0).tolist() in ([0, 1, 2, 3, 4], [2, 3, 0, 1, 4])
        True
    """
    full = count // batch_size
    batches = shuffled(full, seed, pass_number)[:, None] * np.int32(batch_size)
    order = (batches + np.arange(batch_size, dtype=np.int32)).ravel()
    return np.concatenate([order, np.arange(full * batch_size, count, dtype=np.int32)])


def stretch_of(batch: Batch, step: int, who: str, *, sends: bool = True) -> Stretch:
    """One step on a batch of the host.

    Args:
        batch: Arrays that nobody else changes.
        step: Its number.
        who: Who asks, for messages.
        sends: Whether the arrays are sent to the device now; else the program that takes them does,
            which is faster where nothing is done meanwhile.

    Raises:
        DataError: There are no arrays in it.
    """
    leaves = tree.flatten(batch)
    counts = [len(leaf) for leaf in leaves if leaf is not None]
    if not counts:
        raise DataError(message(who, "each batch must hold arrays", "one without any"))
    structure = without_arrays(batch)
    arrays = uploaded(leaves) if sends else leaves
    return Stretch(arrays, structure, None, 0, 1, counts[0], step, is_temporary=True)


def stretch_of_rows(
    source: ArraySource, rows: np.ndarray | slice, step: int, *, sends: bool = True
) -> Stretch:
    """One step on some rows of a source; see `stretch_of`."""
    if source.convert is not None:
        return stretch_of(source.batch(rows), step, source.who, sends=sends)
    leaves = source.rows(rows)
    count = next(len(leaf) for leaf in leaves if leaf is not None)
    arrays = uploaded(leaves) if sends else leaves
    return Stretch(arrays, source.structure, None, 0, 1, count, step, is_temporary=True)


def _placed(given: tuple[Any, Any], place: jax.sharding.Sharding) -> tuple[Any, Any]:
    arrays, order = given
    leaves = [a if a is None or is_text(a) else jax.device_put(a, place) for a in arrays]
    return leaves, None if order is None else jax.device_put(order, place)


def uploaded(leaves: list[Any]) -> list[Any]:
    """Arrays on the device; strings, which no device has, stay on the host."""
    return [a if a is None or is_text(a) else jax.device_put(a) for a in leaves]


def _described(fingerprint: Mapping[str, int | None]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in fingerprint.items())


__all__ = [
    "Feed",
    "Position",
    "RowFeed",
    "Stretch",
    "shuffled",
    "shuffled_batches",
    "stretch_of",
    "stretch_of_rows",
    "uploaded",
]
