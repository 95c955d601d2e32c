"""How many steps to run in one dispatch, and whether one program serves every number of them.

Long dispatches cost nothing but patience: the progress bar and Ctrl-C wait for them. The number is
found by measuring: one step while everything compiles, a few more, then as many as fill the time
somebody is willing to wait. Beginning a dispatch is not free: the memory a program works in comes
from the system, which clears it. 100 MB take 40 ms on a CPU, as long as half a step of a small
transformer. So where that would count, dispatches last longer, and a later run of the same programs
goes on with what an earlier one measured.

On a CPU one program runs any number of steps: the number is an argument. On a GPU a loop of unknown
length is expected to fetch its condition to the host at every turn, and to keep CUDA graphs away.
There a program runs a fixed number of steps, one of a few so that few are compiled, and what is
left over is run by programs of smaller numbers, down to one step. `NACRE_LOOPS=fixed` and
`NACRE_LOOPS=counted` in the environment ask for the one or the other form, to compare them.

A clock must not decide about the bits that a training gives. Loops of any length run the same code
for a step; one step by itself is compiled without a loop, and may round differently. So which
steps run by themselves follows from the number of steps alone: the last one, where it is odd.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Generator
from typing import Any, Literal

import jax

from nacre.core.errors import ArgumentError, message
from nacre.data.feed import Stretch
from nacre.ops.kernels import placement

LoopForm = Literal["counted", "fixed"]

SEEN_SECONDS = 0.1  # a bar that is watched moves ten times a second
UNSEEN_SECONDS = 0.5  # the longest that Ctrl-C waits
LONGEST_SECONDS = 2.0, 1.0  # where a dispatch is dear to begin: unseen, and watched
BEGINNING_SHARE = 0.02  # of the time of a dispatch that its beginning may take
FIRST_COUNTS = (1, 4)
# Steps of programs of fixed length. With factors of 8 at most seven dispatches of each number are
# left over, and four programs are compiled for the fastest step, two for a slow one.
FIXED_COUNTS = (1, 2, 16, 128)
# A dispatch costs the host 0.1 to 0.2 ms: of one that takes so long about a hundredth. Shorter ones
# work in little memory.
ENOUGH_SECONDS = 0.01
IN_FLIGHT = 4  # dispatches of fixed length that are handed over before they are waited for


def loop_form() -> LoopForm:
    """Whether the steps of a program are counted by an argument, or fixed when it is compiled.

    Raises:
        ArgumentError: `NACRE_LOOPS` asks for something else.
    """
    asked = os.environ.get("NACRE_LOOPS", "").lower()
    if not asked:
        return "fixed" if placement.platform() == "gpu" else "counted"
    if asked not in ("counted", "fixed"):
        raise ArgumentError(message("NACRE_LOOPS", "it must be 'counted' or 'fixed'", repr(asked)))
    return asked


def program_steps(count: int) -> int | None:
    """The number of steps that a program which runs `count` is compiled for; None: any."""
    return count if loop_form() == "fixed" else None


class Measured:
    """What dispatches of one program took.

    What beginning one takes is told by processor time, which other programs do not change much.

    Example:
        >>> measured = Measured()
        >>> measured.note(1, 0.2, 0.12), measured.note(5, 0.5, 0.44)
        (None, None)
        >>> measured.step_seconds, measured.wanted_count()
        (0.1, 25)
    """

    def __init__(self) -> None:
        self.step_seconds: float | None = None  # of the last one, its beginning included
        self._one: float | None = None  # processor time of one step, at best
        self._several = 0, 0.0  # steps of the last dispatch of some, and its processor time

    def note(self, count: int, elapsed: float, processor: float) -> None:
        """A dispatch of `count` steps is done, after some time and processor time."""
        self.step_seconds = max(elapsed / count, 1e-7)
        if count == 1:
            self._one = processor if self._one is None else min(processor, self._one)
        elif count >= FIRST_COUNTS[1]:
            self._several = count, processor

    def asks_for_one(self) -> bool:
        """Whether a dispatch of one step would tell what a beginning takes, which may be much."""
        is_slow = self.step_seconds is not None and self.step_seconds > ENOUGH_SECONDS / 4
        return is_slow and self._one is None

    def wanted_count(self) -> int:
        """The steps of a dispatch whose beginning takes little of its time, as far as is known."""
        count, processor = self._several
        if self._one is None or not count:
            return 1
        step = (processor - self._one) / (count - 1)
        if not 0 < step < self._one:
            return 1
        return round((self._one - step) / (BEGINNING_SHARE * step))


def _is_measured(stretch: Stretch) -> bool:
    """Whether how long steps take says how many the next dispatch runs."""
    return stretch.repeats and stretch.is_awaited


class Pace:
    """Chooses the number of steps of the next dispatch, where one program runs any number.

    Args:
        asked: A number that was asked for, or None.
        seconds: Time a dispatch should take.
        unmeasured: So few steps are run at once, without measuring.
    """

    def __init__(self, asked: int | None, seconds: float, unmeasured: int = 0) -> None:
        self.asked, self.seconds, self.unmeasured = asked, seconds, unmeasured
        self._measured = Measured()
        self._dispatches = 0

    def go_on_with(self, measured: Measured) -> None:
        """Go on with what earlier runs of the same program took, and note there what this takes.

        Not where the number is given: then the time of callbacks is in it.
        """
        if self.asked is None and measured is not self._measured:
            self._measured = measured
            self._dispatches = 0 if measured.step_seconds is None else len(FIRST_COUNTS)

    def dispatches(self, stretch: Stretch) -> Generator[tuple[int, int]]:
        """The position of the first step, and the number of steps, of each dispatch of a stretch.

        One lasts until the next is asked for.
        """
        position, is_measured = 0, _is_measured(stretch)
        while position < stretch.num_steps:
            count = self.next_count(stretch.num_steps - position)
            if is_measured:
                begun, used = time.perf_counter(), time.process_time()
                yield position, count
                self.note(count, time.perf_counter() - begun, time.process_time() - used)
            else:
                yield position, count
            position += count

    def next_count(self, left: int) -> int:
        """The number of steps to run now, of those that are left."""
        if self.asked is not None:
            return min(self.asked, left)
        if self._dispatches == 0 and left <= self.unmeasured:
            return left
        if self._dispatches < len(FIRST_COUNTS):
            return min(FIRST_COUNTS[self._dispatches], left)
        measured = self._measured
        if not measured.step_seconds:
            return min(16, left)
        if measured.asks_for_one():
            return 1
        longest = LONGEST_SECONDS[self.seconds < UNSEEN_SECONDS]
        least, most = (int(s / measured.step_seconds) for s in (self.seconds, longest))
        return min(max(1, least, min(measured.wanted_count(), most)), left)

    def measures(self, count: int) -> bool:
        """Whether a dispatch of `count` steps is to be waited for, as its time is needed."""
        return True

    def waits(self, stretch: Stretch, count: int) -> bool:
        """The same for a dispatch of some steps of a stretch."""
        return _is_measured(stretch) and self.measures(count)

    def program_steps(self, count: int) -> int | None:
        """The number of steps that a program which runs `count` is compiled for; None: any."""
        return None

    def note(self, count: int, elapsed: float, processor: float) -> None:
        """A dispatch of `count` steps is done, or handed over where it is not measured."""
        self._dispatches += 1
        if self._dispatches > 1:  # the first one compiled
            self._measured.note(count, elapsed, processor)

    def hold_back(self, result: Any) -> None:
        """Wait until few dispatches are under way, of which `result` is the newest's."""


class FixedPace(Pace):
    """Chooses the number of steps among a few, each of which has a program of its own.

    The number grows until a dispatch takes long enough for its costs not to count.
    """

    def __init__(self, asked: int | None, seconds: float) -> None:
        super().__init__(asked, seconds)
        self.step_seconds: float | None = None
        self._level = 1
        self._is_settled = asked is not None
        self._compiled: set[int] = set()
        self._under_way: deque[Any] = deque()

    def next_count(self, left: int) -> int:
        """The number of steps to run now, of those that are left."""
        if self.asked is not None:
            return min(self.asked, left)
        return max(count for count in FIXED_COUNTS[: self._level + 1] if count <= left)

    def measures(self, count: int) -> bool:
        """Whether a dispatch of `count` steps is to be waited for, as its time is needed."""
        return not self._is_settled and count == FIXED_COUNTS[self._level]

    def program_steps(self, count: int) -> int | None:
        """The number of steps that a program which runs `count` is compiled for."""
        return count

    def note(self, count: int, elapsed: float, processor: float) -> None:
        """A dispatch of `count` steps is done, or handed over where it is not measured."""
        if not self.measures(count):
            return
        if count not in self._compiled:
            self._compiled.add(count)  # which took most of the time
            return
        self.step_seconds = max(elapsed / count, 1e-7)
        longer = FIXED_COUNTS[self._level + 1 :][:1]
        if elapsed < ENOUGH_SECONDS and longer and longer[0] * self.step_seconds <= self.seconds:
            self._level += 1
        else:
            self._is_settled = True

    def hold_back(self, result: Any) -> None:
        """Wait until few dispatches are under way, of which `result` is the newest's.

        A device that is fed faster than it works would let batches pile up in its memory. Waiting
        for an older dispatch leaves it the newer ones to work on.
        """
        self._under_way.append(result)
        if len(self._under_way) > IN_FLIGHT:
            result = self._under_way.popleft()
            jax.block_until_ready(result)  # pyright: ignore[reportUnknownMemberType]  # JAX's own


def pace_of(asked: int | None, seconds: float, unmeasured: int = 0) -> Pace:
    """The pace for the form that loops have here."""
    if loop_form() == "fixed":
        return FixedPace(asked, seconds)
    return Pace(asked, seconds, unmeasured)


__all__ = ["FixedPace", "LoopForm", "Pace", "loop_form", "pace_of", "program_steps"]
