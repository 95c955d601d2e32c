"""The last good values of a training whose loss stops being a number.

Looking at every step's weights would cost the program of a small model a tenth of its time. So a
copy is taken now and then, on the host, and what ran since is remembered: when a loss, or a
weight, is found not to be finite, the steps since the copy run again one by one, up to the one
that spoiled them. A copy is taken so rarely that copying takes about a hundredth of the time.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from nacre.core.errors import NonFiniteError, message
from nacre.core.state import OUTSIDE, State, Values
from nacre.core.variable import private_copy
from nacre.training.programs import GUARDED_GROUPS

_BUDGET_BYTES = 2 << 30  # states larger than this are not copied
_LEAST_SECONDS = 0.25  # between two copies; copying one takes at most a hundredth of it, or
_SHARE = 0.01  # the time between grows until it does
_BATCH_BYTES = 256 << 20  # batches that are remembered to run again
_KEPT_BYTES = 256 << 20  # memory of copies that waits for the next run


@dataclass(frozen=True)
class Dispatch:
    """Steps that one call of a program ran.

    Args:
        program: (values, *arguments) -> (values, logs, first bad step or -1).
        one: The same for one step.
        arguments_of: Index of a step -> the arguments that run this one alone.
        arguments: Those that run all of them.
        epoch, step: Where the first step stands.
        count: Number of steps.
        size_bytes: What remembering it holds in memory.
    """

    program: Callable[..., Any]
    one: Callable[..., Any]
    arguments_of: Callable[[int], tuple[Any, ...]]
    arguments: tuple[Any, ...]
    epoch: int
    step: int
    count: int
    size_bytes: int = 0


@dataclass(frozen=True)
class NonFiniteStep:
    """What was found.

    Args:
        values: The values before the step.
        epoch, step: The step that spoiled them, from 0.
        is_loss: Whether its loss was not finite; else its gradients were not.
    """

    values: Mapping[str, list[Any]]
    epoch: int
    step: int
    is_loss: bool


class CopyMemory:
    """Memory for copies, handed from one run to the next.

    Memory that is new from the system can take ten times as long to fill as memory in use.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, list[np.ndarray]] | None = None

    def take(self) -> dict[str, list[np.ndarray]] | None:
        """What waits here, if anything: it is the caller's alone until given back."""
        arrays, self._arrays = self._arrays, None
        return arrays

    def give_back(self, arrays: dict[str, list[np.ndarray]]) -> None:
        """Keep memory for the next run; a lot of it goes back to the system instead."""
        if sum(a.nbytes for group in arrays.values() for a in group) <= _KEPT_BYTES:
            self._arrays = arrays


class LastGood:
    """Copies of a state, and what ran since the last one.

    Args:
        state: The variables of a model in training.
        memory: Where the copies go.
        is_wanted: False keeps nothing.
    """

    def __init__(self, state: State, memory: CopyMemory, is_wanted: bool = True) -> None:
        self._state, self._memory = state, memory
        self._buffers: dict[str, list[np.ndarray]] | None = None  # that the copies are in
        self._size_bytes = state.size_bytes(GUARDED_GROUPS) if is_wanted else 0
        self.is_kept = is_wanted and self._size_bytes <= _BUDGET_BYTES
        self._copies: dict[str, list[np.ndarray]] | None = None
        self._is_copy_finite: bool | None = None  # None: not looked at yet
        self._dispatches: list[Dispatch] = []
        self._remembered_bytes = 0
        self._due = 0.0

    def is_due(self, is_continued: bool) -> bool:
        """Whether it is time for a copy: what ran so far must have had finite losses.

        Args:
            is_continued: Whether the values are what the last program gave; else somebody changed
                them.
        """
        if not self.is_kept:
            return False
        is_full = self._remembered_bytes > max(_BATCH_BYTES, self._size_bytes)
        if self._copies is None or not is_continued or is_full:
            return True
        return time.perf_counter() >= self._due

    def copy(self, values: Values, is_continued: bool) -> bool:
        """Copy the values a program is about to be given.

        Args:
            values: Values of all variables.
            is_continued: See `is_due`.

        Returns:
            False: steps since the last copy spoiled the weights, and it stays.
        """
        jax.block_until_ready(values)
        begun = time.perf_counter()
        present = {name: [np.asarray(v) for v in values[name]] for name in GUARDED_GROUPS}
        is_first = self._copies is None  # what it is compared with has still to come
        is_finite = None if is_first else are_finite(present["trainable"])
        if is_finite is False and is_continued and self._was_finite:
            return False
        self._copies, self._is_copy_finite = self._copied(present), is_finite
        self._dispatches, self._remembered_bytes = [], 0
        now = time.perf_counter()
        self._due = now + max(_LEAST_SECONDS, (now - begun) / _SHARE)
        return True

    def _copied(self, present: dict[str, list[np.ndarray]]) -> dict[str, list[np.ndarray]]:
        buffers = self._buffers or self._memory.take()
        if buffers is None or _forms(buffers) != _forms(present):
            buffers = {n: [np.empty_like(a) for a in group] for n, group in present.items()}
        for name, arrays in present.items():
            for buffer, array in zip(buffers[name], arrays, strict=True):
                np.copyto(buffer, array)
        self._buffers = buffers
        return buffers

    def close(self) -> None:
        """End: the memory is free for the next run."""
        self.forget()
        if self._buffers is not None:
            self._memory.give_back(self._buffers)
            self._buffers = None

    @property
    def _was_finite(self) -> bool:
        """Whether the weights were finite at the last copy."""
        if self._copies is None:
            return False
        if self._is_copy_finite is None:
            self._is_copy_finite = are_finite(self._copies["trainable"])
        return self._is_copy_finite

    def remember(self, dispatch: Dispatch) -> None:
        """Note what was run on the values."""
        if self.is_kept:
            self._dispatches.append(dispatch)
            self._remembered_bytes += dispatch.size_bytes

    def ends_well(self, values: Values) -> bool:
        """Whether weights that were finite at the last copy still are."""
        if self._copies is None or are_finite([np.asarray(v) for v in values["trainable"]]):
            return True
        return not self._was_finite

    def forget(self) -> None:
        """Begin anew, with a copy of the next values."""
        self._copies, self._dispatches, self._remembered_bytes = None, [], 0

    def find(self, values: Values) -> NonFiniteStep | None:
        """Run the steps since the last copy again, one by one, up to the one that spoils them.

        Args:
            values: The present values; of these only the metrics are used, as a place to write.

        Returns:
            None when no copy is kept, or all steps go well this time.
        """
        if self._copies is None:
            return None
        good: dict[str, list[Any]] = dict(self._copies)
        metrics = [np.array(v) for v in values["metrics"]]
        for dispatch in self._dispatches:
            for index in range(dispatch.count):
                given = {**good, "metrics": metrics}
                # What a program found outside only while it was traced has its present value.
                given[OUTSIDE] = [*given[OUTSIDE], *values[OUTSIDE][len(given[OUTSIDE]) :]]
                donated = self._on_devices({name: given[name] for name in values})
                new, _, bad = dispatch.one(donated, *dispatch.arguments_of(index))
                is_loss = int(bad) >= 0
                after = {name: [np.array(v) for v in new[name]] for name in GUARDED_GROUPS}
                is_spoiled = self._was_finite and not are_finite(after["trainable"])
                if is_loss or is_spoiled:
                    return NonFiniteStep(
                        self._on_devices(good), dispatch.epoch, dispatch.step + index, is_loss
                    )
                good = after
        return None

    def _on_devices(self, values: Mapping[str, list[Any]]) -> Values:
        return self._state.placed(
            {name: [_on_device(v) for v in arrays] for name, arrays in values.items()}
        )


def _forms(groups: dict[str, list[np.ndarray]]) -> Hashable:
    return tuple((n, tuple((a.shape, a.dtype) for a in group)) for n, group in groups.items())


def are_finite(arrays: list[np.ndarray]) -> bool:
    """Whether all numbers of all arrays are finite."""
    return all(np.isfinite(a).all() for a in arrays if a.dtype.kind != "i")


def _on_device(array: np.ndarray) -> jax.Array:
    # A copy: on a CPU the program would else write into the array it is read from.
    return private_copy(jax.device_put(array))


def not_finite(
    who: str, found: NonFiniteStep | None, epoch: int, step: int, in_data: str = "", cause: str = ""
) -> NonFiniteError:
    """The error for a training that has left the numbers.

    Args:
        who: The method that was called.
        found: What was found, if anything.
        epoch, step: Where it was noticed, from 0.
        in_data: Where the data holds such a number, when it does.
        cause: What in the model makes one, when that is known.
    """
    if found is None:
        kept = "The weights may be spoiled: load the last checkpoint."
    else:
        epoch, step = found.epoch, found.step
        kept = "The model has the weights from before it."
    place = f"step {step + 1} of the epoch, epoch {epoch + 1}"
    is_loss = found is None or found.is_loss
    got = f"nan or inf at {place}" if is_loss else f"a gradient that is nan or inf at {place}"
    got += f"; {in_data}" if in_data else ""
    fix = (
        "Lower the learning rate, clip gradients (clipnorm=1.0), look for NaN in the data; "
        "callbacks.TerminateOnNaN() stops without an error. model.explain_nan(x, y) names the "
        "first layer."
    )
    if in_data:
        fix = (
            "Fill or leave out what is missing in the data, e.g. with np.nan_to_num(x), or "
            "fillna() and dropna() of pandas."
        )
    elif cause:
        fix = f"An index outside a table is NaN: {cause}."
    rule = f"the {'loss' if is_loss else 'gradients'} must stay finite numbers"
    return NonFiniteError(message(who, rule, got, f"{kept} {fix}"))


__all__ = ["CopyMemory", "Dispatch", "LastGood", "NonFiniteStep", "are_finite", "not_finite"]
