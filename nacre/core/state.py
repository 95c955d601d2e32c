"""The state of a program: variables in named groups, and their values as one tree.

A program that only reads borrows the variables' arrays; one that overwrites them is given them for
good (XLA calls this donation) and what it returns is committed. While a training runs its newest
values are on their way from step to step and not in the variables. They say so, and whoever reads
a variable meanwhile, from a callback or another thread, gets the last committed step.
"""

# A leading underscore is private to the folder, not to the class.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.errors import BusyError, message
from nacre.core.layout import Layout, current_layout
from nacre.core.typed_jax import put, said_to_lie
from nacre.core.variable import RunningTraining, Variable, private_copy

Values = dict[str, list[Any]]
Updates = dict[str, dict[int, Any]]

OUTSIDE = "outside"  # what code uses that no layer, metric or optimizer holds


@contextlib.contextmanager
def standing_still(variables: Iterable[Variable]) -> Generator[None]:
    """Let no training go on meanwhile that trains one of these: all have one step's values.

    It waits at its next step, and one that would begin meanwhile at its first. In the thread that
    trains, which a callback is of, it stands anyway.

    Example:
        >>> v = Variable(1.0)
        >>> with standing_still([v]):
        ...     float(v.value)
        1.0
    """
    held = list(variables)
    one = threading.get_ident(), {id(v) for v in held}
    with _changed:
        _standing.append(one)  # from here on none begins
    try:
        while True:
            trainings = _trainings_of(held)
            with _all_locked(trainings):
                if trainings.keys() == _trainings_of(held).keys():  # none ended or began meanwhile
                    yield
                    return
    finally:
        with _changed:
            _standing.remove(one)
            _changed.notify_all()


def _trainings_of(variables: Iterable[Variable]) -> dict[int, RunningTraining]:
    return {id(t): t for v in variables if (t := getattr(v, "trained_by", None)) is not None}


@contextlib.contextmanager
def _all_locked(trainings: Mapping[int, RunningTraining]) -> Generator[None]:
    """Hold the locks of trainings; all take them in one order, lest two wait for each other."""
    with contextlib.ExitStack() as locks:
        for _, training in sorted(trainings.items()):
            locks.enter_context(training.lock)
        yield


# (thread, ids of variables) of each block of `standing_still`, and who waits for their end.
_standing: list[tuple[int, set[int]]] = []
_changed = threading.Condition()
_trainers: set[int] = set()  # threads in which something was trained, those of before among them


def _others_train() -> bool:
    """Whether something was trained in another thread that there still is."""
    known = list(_trainers)  # before the threads: one that begins now is in neither or in both
    _trainers.difference_update(set(known) - {thread.ident for thread in threading.enumerate()})
    return bool(_trainers - {threading.get_ident()})


_running: weakref.WeakSet[RunningTraining] = weakref.WeakSet()
_halted: list[RunningTraining] = []  # whose locks are held while this process is forked
_PATIENCE_SECONDS = 5.0


def _halt_trainings() -> None:
    """Let trainings of other threads stand at a step while the process is forked, with the newest
    values in their variables: those threads are not in the new process, and would end no step.

    Not for ever, as code that forks may be what such a step waits for.
    """
    end = time.monotonic() + _PATIENCE_SECONDS
    for training in list(_running):
        if training.lock.acquire(timeout=max(0.0, end - time.monotonic())):
            _halted.append(training)
            training.commit_newest()
    for training in _halted:
        for variable in training.variables:
            value = vars(variable).get("_value")
            while not _is_there(value) and time.monotonic() < end:
                time.sleep(0.001)


def _is_there(value: Any) -> bool:
    try:
        return value is None or isinstance(value, np.ndarray) or bool(value.is_ready())
    except RuntimeError:  # it was donated
        return True


def _go_on_with_trainings() -> None:
    while _halted:
        _halted.pop().lock.release()


def _forget_other_threads() -> None:
    """In a forked process there are none."""
    global _changed
    _go_on_with_trainings()
    for training in list(_running):
        if training.thread != threading.get_ident():
            training.lock = threading.RLock()
            training.end()
    _changed = threading.Condition()
    _standing[:] = [one for one in _standing if one[0] == threading.get_ident()]
    _trainers.intersection_update({threading.get_ident()})


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(
        before=_halt_trainings,
        after_in_parent=_go_on_with_trainings,
        after_in_child=_forget_other_threads,
    )


class Copies:
    """Copies of the values of variables, to put back after a trial."""

    def __init__(self) -> None:
        self._values: dict[int, tuple[Variable, Any]] = {}

    def add(self, variable: Variable) -> None:
        """Copy a variable, unless it was copied before."""
        if id(variable) not in self._values:
            self._values[id(variable)] = variable, private_copy(variable.borrow())

    def put_back(self) -> None:
        """Give all variables the values they had."""
        for variable, value in self._values.values():
            variable.commit(value)


class State:
    """Variables in named groups, each variable once: in the first group that names it.

    Args:
        groups: Name -> variables.

    Example:
        >>> v, w = Variable(1.0), Variable(2.0)
        >>> state = State({"trainable": [v], "other": [v, w]})
        >>> [len(group) for group in state.groups.values()]
        [1, 1, 0]
        >>> state.commit({"trainable": [w.value]})
        >>> float(v.value)
        2.0
    """

    def __init__(self, groups: Mapping[str, Sequence[Variable]]) -> None:
        self.groups: dict[str, list[Variable]] = {}
        self.layout = current_layout()  # of the devices its programs run on
        self._places: dict[int, jax.sharding.Sharding] = {}
        self._known: set[int] = set()
        self._training: RunningTraining | None = None
        self._sizes: dict[tuple[str, ...], tuple[int, int]] = {}
        self._copies: Copies | None = None  # of what every variable was, in a trial
        for name, variables in {**groups, OUTSIDE: groups.get(OUTSIDE, ())}.items():
            self.groups[name] = []
            self._add(name, variables)

    def _add(self, name: str, variables: Iterable[Variable]) -> None:
        for variable in variables:
            if id(variable) not in self._known:
                self._known.add(id(variable))
                self.groups[name].append(variable)
                if self._copies is not None:
                    self._copies.add(variable)

    def extend(self, variables: Iterable[Variable]) -> None:
        """Take in variables that a program turned out to use; a training has them from here."""
        known = len(self.groups[OUTSIDE])
        self._add(OUTSIDE, variables)
        if self._training is not None:
            for variable in self.groups[OUTSIDE][known:]:
                if variable.trained_by is None:
                    variable.trained_by = self._training

    @contextlib.contextmanager
    def copied(self, copies: Copies) -> Generator[None]:
        """A block at whose beginning all variables are copied; those that a program turns out to
        use meanwhile are copied when they are found, before it runs."""
        outer, self._copies = self._copies, copies
        for group in self.groups.values():
            for variable in group:
                copies.add(variable)
        try:
            yield
        finally:
            self._copies = outer

    def knows(self, variable: Variable) -> bool:
        """Whether a variable is in one of the groups."""
        return id(variable) in self._known

    def size_bytes(self, names: tuple[str, ...]) -> int:
        """What the variables of these groups take."""
        count = sum([len(self.groups[name]) for name in names])
        if self._sizes.get(names, (0, 0))[0] != count:
            arrays = [v for name in names for v in self.groups[name]]
            self._sizes[names] = count, sum(v.size * jnp.dtype(v.dtype).itemsize for v in arrays)
        return self._sizes[names][1]

    def pairs(self, values: Mapping[str, Sequence[Any]]) -> list[tuple[Variable, Any]]:
        """(variable, value) for a functional scope."""
        return [
            pair
            for name, group in values.items()
            for pair in zip(self.groups[name], group, strict=True)
        ]

    # ------------------------------------------------------------ values of the variables

    def read(self, names: Iterable[str] | None = None) -> Values:
        """The values for a program that only reads them, all of one step."""
        groups = self.groups if names is None else {name: self.groups[name] for name in names}
        self._place_groups(groups)
        if _trainers and _trainers != {threading.get_ident()} and _others_train():
            return self._read_apart(groups)
        values: Values = {}
        for name, group in groups.items():
            found: list[Any] = []
            values[name] = found
            for variable in group:  # written out, as every call of a model comes here
                value = variable._value
                if variable.trained_by is not None or type(value) is np.ndarray:
                    return self._borrowed(groups)
                found.append(value)
        return values

    def _read_apart(self, groups: Mapping[str, list[Variable]]) -> Values:
        """The same where another thread trains now and then: a step that it begins before they are
        used, or between two uses, must not be given these very arrays."""
        variables = [v for group in groups.values() for v in group]
        thread = threading.get_ident()
        with standing_still(variables):
            for variable in variables:
                if (training := variable.trained_by) is None or training.thread != thread:
                    variable._was_read = True
            return {name: [v.borrow() for v in group] for name, group in groups.items()}

    def _borrowed(self, groups: Mapping[str, list[Variable]]) -> Values:
        """The same where some have to be waited for, or sent to the device."""
        with _all_locked(_trainings_of(v for group in groups.values() for v in group)):
            return {name: [v.borrow() for v in group] for name, group in groups.items()}

    def donate(self, names: Iterable[str] | None = None) -> Values:
        """The values for a program that overwrites them."""
        groups = self.groups if names is None else {name: self.groups[name] for name in names}
        self._place_groups(groups)
        # What `Variable.donate` does for nearly all of them is written out: each step comes here.
        return {
            name: [v.donate() if v._was_read else v._value for v in group]
            for name, group in groups.items()
        }

    def _place_groups(self, groups: Mapping[str, Sequence[Variable]]) -> None:
        if self.layout is not None:
            for group in groups.values():
                self.place(group)

    def place(self, variables: Iterable[Variable]) -> None:
        """Put the arrays of variables where the layout has them."""
        if self.layout is not None:
            for variable in variables:
                variable.place(self._place_of(variable, self.layout))

    def placed(self, values: Values) -> Values:
        """Values that are no variable's, each where the layout has it."""
        return self._by_place(put, values)

    def settled(self, values: Values) -> Values:
        """Within a program: the values it gives back, said to lie where the layout has them."""
        return self._by_place(said_to_lie, values)

    def _by_place(
        self, function: Callable[[Any, jax.sharding.Sharding], jax.Array], values: Values
    ) -> Values:
        layout = self.layout
        if layout is None:
            return values
        return {
            name: [
                function(value, self._place_of(variable, layout))
                for variable, value in zip(self.groups[name], group)
            ]
            for name, group in values.items()
        }

    def _place_of(self, variable: Variable, layout: Layout) -> jax.sharding.Sharding:
        found = self._places.get(id(variable))
        if found is None:
            found = self._places[id(variable)] = layout.of_variable(variable.path, variable.shape)
        return found

    def commit(self, values: Mapping[str, Sequence[Any]]) -> None:
        """Commit the arrays a program returned."""
        for name, group in values.items():
            # A program that fails may have found more variables from outside than were handed in.
            for variable, value in zip(self.groups[name], group, strict=name != OUTSIDE):
                variable._value, variable._was_read = value, False  # `Variable.commit`, written out

    def commit_unless_in_training(self, values: Values | Updates) -> None:
        """The same, but for variables of a training that is running: its own steps change them.

        Args:
            values: Of each group all, or those that changed by index.
        """
        for name, group in values.items():
            pairs = group.items() if isinstance(group, dict) else enumerate(group)
            for index, value in pairs:
                variable = self.groups[name][index]
                if variable.trained_by is None:
                    variable.commit(value)

    def holds(self, values: Mapping[str, Sequence[Any]], names: Iterable[str]) -> bool:
        """Whether the variables of these groups still hold these very arrays."""
        return all(
            variable.is_holding(value)
            for name in names
            for variable, value in zip(self.groups[name], values[name], strict=True)
        )

    @contextlib.contextmanager
    def in_training(
        self, who: str, commit_newest: Callable[[], None]
    ) -> Generator[RunningTraining]:
        """A block in which all variables are those of a training.

        Args:
            who: Who trains, for messages.
            commit_newest: Commits the newest values to the variables.

        Raises:
            BusyError: Another thread trains one of them.
        """
        training = RunningTraining(threading.get_ident(), commit_newest)
        variables = [v for group in self.groups.values() for v in group]
        training.variables = variables
        _running.add(training)
        before = self._begin(who, training, variables)
        is_inner = any(before)
        outer, self._training = self._training, training
        try:
            yield training
        finally:
            self._training = outer
            training.end()
            _running.discard(training)
            for variable in self.groups[OUTSIDE]:  # what was found meanwhile
                if variable.trained_by is training:
                    variable.trained_by = outer
            if is_inner:
                for variable, earlier in zip(variables, before, strict=True):
                    variable.trained_by = earlier
            else:
                for variable in variables:
                    variable.trained_by = None

    def wait_for_saves(self) -> None:
        """Wait while another thread has some of the variables stand still (`standing_still`)."""
        with _changed:
            while self._stands_still():
                _changed.wait()

    def _stands_still(self) -> bool:
        if not _standing:
            return False
        thread = threading.get_ident()
        return any([t != thread and not ids.isdisjoint(self._known) for t, ids in _standing])

    def _begin(
        self, who: str, training: RunningTraining, variables: list[Variable]
    ) -> list[RunningTraining | None]:
        """Make the variables a training's; returns what they were before.

        It waits like `wait_for_saves`.
        """
        if training.thread not in _trainers:
            threading.current_thread()  # one that Python did not begin is listed from then on
            _trainers.add(training.thread)
        with contextlib.ExitStack() as locks:
            with _changed:
                while not any([v.trained_by for v in variables]) and self._stands_still():
                    _changed.wait()
                before = [v.trained_by for v in variables]
                if not any(before):
                    for variable in variables:
                        variable.trained_by = training
                    return before
            for earlier in _trainings_of(variables).values():
                if earlier.thread == training.thread:
                    locks.enter_context(earlier.lock)
            self._enter_another(who, training, variables)
            for variable in variables:
                variable.trained_by = training
            return before

    def _enter_another(
        self, who: str, training: RunningTraining, variables: list[Variable]
    ) -> None:
        """Have a training that has variables commit them: one of its callbacks trains here."""
        pairs = [(v, earlier) for v in variables if (earlier := v.trained_by) is not None]
        taken = [v for v, earlier in pairs if earlier.thread != training.thread]
        if taken:
            raise BusyError(
                message(
                    who,
                    "one thread may train a variable at a time",
                    f"'{taken[0].path}', which another thread's fit is training",
                    "Wait for it to end, or train a copy: nacre.models.clone_model(model).",
                )
            )
        for earlier in {earlier for _, earlier in pairs}:
            earlier.commit_newest()


__all__ = ["OUTSIDE", "Copies", "State", "Updates", "Values", "standing_still"]
