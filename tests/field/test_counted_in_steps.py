"""What a script's code counts in steps that are compiled: told, as it stands still."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import re
import types
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops

X = np.linspace(0, 1, 16, dtype="float32")[:, None]


class EverySecond(nacre.Model):
    """Gradients are applied in every second step, as scripts for tf.keras try to have it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.count = 0

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        self.count += 1
        with nacre.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        if self.count == 2:
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            self.count = 0
        return {"loss": loss}


def fit(cls: Any, part: Any = None, **compiled: Any) -> Any:
    inputs = nacre.Input((1,))
    hidden = inputs if part is None else part(inputs)
    model = cls(inputs, layers.Dense(1, kernel_initializer="ones")(hidden))
    model.compile(nacre.optimizers.SGD(0.1), "mse", **compiled)
    model.fit(X, X, batch_size=4, epochs=2, verbose=0)
    return model


def test_a_counter_in_a_step_is_told_of_and_what_to_do_instead() -> None:
    with pytest.warns(UserWarning, match=r"EverySecond 'every.*'\.count: .*stands still.*run_eag"):
        fit(EverySecond)


def test_it_counts_where_steps_run_eagerly() -> None:
    assert int(fit(EverySecond, run_eagerly=True).optimizer.iterations) == 4


class Calls(layers.Layer):
    calls = 0

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def call(self, inputs: Any) -> Any:
        self.calls += 1
        return inputs * (1.0 if self.calls < 3 else 0.0)


def test_a_counter_in_a_layer_is_told_of_once_a_program() -> None:
    with pytest.warns(UserWarning, match=r"Calls 'calls.*'\.calls: ") as told:
        model = fit(nacre.Model, Calls())
    assert len(told) == 1
    with pytest.warns(UserWarning, match=r"Calls 'calls.*'\.calls: "):
        model.predict(X, verbose=0)


class Table(layers.Layer):
    """Remembers the size it made its table for, and makes it once a size."""

    def __init__(self) -> None:
        super().__init__()
        self.size, self.scale, self.is_made = 0, 1.0, False
        self.table: Any = None

    def call(self, inputs: Any) -> Any:
        if self.size != inputs.shape[-1]:
            self.size = inputs.shape[-1]
            self.table = np.ones(self.size, "float32")
        if not self.is_made:
            self.is_made = True
        self.scale = self.scale * 1.0
        return inputs * ops.convert_to_tensor(self.table) * self.scale


def test_what_is_remembered_of_shapes_is_no_counter() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(nacre.Model, Table()).predict(X, verbose=0)


# ------------------------------------------------------------ kept elsewhere


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def next(self) -> int:
        self.count += 1
        return self.count


class Slotted:
    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


@dataclasses.dataclass
class Record:
    count: int = 0


class Around:
    def __init__(self) -> None:
        self.inner = Counter()


def raised(holder: Any) -> int:
    holder.count += 1
    return holder.count


def raised_in(holder: Any, key: Any) -> int:
    holder[key] += 1
    return int(holder[key])


class Fixed(dict[str, int]):
    """A dict that refuses to be changed."""

    def __setitem__(self, key: str, value: int) -> None:
        raise TypeError("fixed")

    update = clear = __setitem__  # type: ignore[assignment]


class BesideFixed(Counter):
    def __init__(self) -> None:
        super().__init__()
        self.options = Fixed(rate=1)


def raised_where_locked(array: Any) -> int:
    array.flags.writeable = True
    array[0] += 1
    array.flags.writeable = False
    return int(array[0])


TOTAL = 0
KEPT = {"count": 0}


def raised_name() -> int:
    global TOTAL
    TOTAL += 1
    return TOTAL


class Holding(layers.Layer):
    """Multiplies by what a function makes of an object it holds."""

    seen = 0

    def __init__(self, held: Any, turn: Callable[[Any], int]) -> None:
        super().__init__()
        self.held, self.turn = held, turn

    def call(self, inputs: Any) -> Any:
        return inputs * float(self.turn(self.held))


def appended(held: list[int]) -> int:
    held.append(1)
    return len(held)


def raised_in_class(_: Any) -> int:
    Holding.seen += 1
    return Holding.seen


ELSEWHERE = {
    "object": (Counter, raised, "held.count"),
    "method": (Counter, Counter.next, "held.count"),
    "slots": (Slotted, raised, "held.count"),
    "dataclass": (Record, raised, "held.count"),
    "namespace": (lambda: types.SimpleNamespace(count=0), raised, "held.count"),
    "within": (Around, lambda o: o.inner.next(), "held.count"),
    "in a list": (lambda: [Counter()], lambda o: o[0].next(), "Counter.count"),
    "dict": (lambda: {"n": 0}, lambda d: raised_in(d, "n"), "held"),
    "counter": (collections.Counter, lambda d: raised_in(d, "n"), "held"),
    "list": (lambda: [0], lambda d: raised_in(d, 0), "held"),
    "length": (list, appended, "held"),
    "array": (lambda: np.zeros(2), lambda a: raised_in(a, 0), "held"),
    "locked array": (lambda: np.zeros(2), raised_where_locked, "held"),
    "beside a fixed dict": (BesideFixed, raised, "held.count"),
    "name": (object, lambda _: raised_name(), "'TOTAL' in raised_name"),
    "dict outside": (object, lambda _: raised_in(KEPT, "count"), "a dict"),
    "class": (object, raised_in_class, "Holding.seen"),
    "count": (lambda: itertools.count(1), next, "held"),
    "generator": (lambda: (i for i in range(1, 99)), next, "held"),
    "iterator": (lambda: iter([1, 2, 3, 4]), next, "held"),
    "cycle": (lambda: itertools.cycle(range(1, 99)), next, "held"),
    "chain": (lambda: itertools.chain([1, 2], [3, 4, 5, 6]), next, "held"),
    "map": (lambda: map(abs, itertools.count(1)), next, "held"),
    "pairs": (
        lambda: zip(itertools.count(1), "abcdef", strict=False),
        lambda p: next(p)[0],
        "held",
    ),
    "islice": (lambda: itertools.islice(itertools.count(1), 99), next, "held"),
    "in a dict": (lambda: {"turn": itertools.count(1)}, lambda d: next(d["turn"]), "held"),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_counter_wherever_it_is_kept_is_told_of_and_goes_on_where_it_was(name: str) -> None:
    make, turn, place = ELSEWHERE[name]
    layer = Holding(make(), turn)
    first = turn(make() if turn is next or name in ("pairs", "in a dict") else layer.held)
    with pytest.warns(UserWarning, match=re.escape(place) + ".*stands still") as told:
        fit(nacre.Model, layer)
    assert len(told) == 1
    # The looking itself moved nothing: on arrays it goes on from the trial and the one trace.
    runs = [float(layer(np.ones((1, 1)))[0, 0]) for _ in range(2)]
    assert runs[1] == runs[0] + 1 and runs[0] <= first + 3


def test_a_counter_of_a_loss_and_of_a_closure_is_told_of() -> None:
    held, calls = Counter(), 0

    def loss(y_true: Any, y_pred: Any) -> Any:
        nonlocal calls
        calls += 1
        return ops.mean((y_true - y_pred) ** 2) * calls

    for own in (loss, lambda t, p: ops.mean((t - p) ** 2) * held.next()):
        model = nacre.Sequential([nacre.Input((1,)), layers.Dense(1)])
        model.compile("sgd", own)
        with pytest.warns(UserWarning, match="stands still"):
            model.fit(X, X, verbose=0)


class Noting(layers.Layer):
    """Keeps records of its calls, and what it needs once: nothing that it computes hangs on them."""

    def __init__(self) -> None:
        super().__init__()
        self.log, self.tables, self.counter = [], {}, Counter()

    def call(self, inputs: Any) -> Any:
        self.log.append(tuple(inputs.shape))
        self.counter.next()
        if inputs.shape[-1] not in self.tables:
            self.tables[inputs.shape[-1]] = np.ones(inputs.shape[-1], "float32")
        return inputs * self.tables[inputs.shape[-1]]


def test_records_that_decide_nothing_are_not_told_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(nacre.Model, Noting()).predict(X, verbose=0)


def test_counters_count_where_steps_run_eagerly() -> None:
    layer = Holding(Counter(), Counter.next)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(nacre.Model, layer, run_eagerly=True)
    assert layer.held.count >= 8


TURNS = itertools.cycle((1, 2, 3))


class Turns:
    def __init__(self) -> None:
        self.inner = itertools.cycle([1, 2])


def outer_turns() -> Callable[[Any], int]:
    turns = itertools.cycle([1.0, 2.0])
    return lambda _: next(turns)  # type: ignore[return-value]


def helping_turns() -> Callable[[Any], int]:
    turns = itertools.count(1)

    def helper() -> int:
        return next(turns)

    return lambda _: helper()


TAKEN = {
    "global": (object, lambda _: next(TURNS), "'TURNS' in <lambda>"),
    "closure": (object, outer_turns(), "'turns' in outer_turns"),
    "helper": (object, helping_turns(), "'turns' in helping_turns"),
    "within": (Turns, lambda held: next(held.inner), "Turns.inner"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_an_iterator_outside_of_a_layer_is_told_of_by_name(name: str) -> None:
    make, turn, place = TAKEN[name]
    with pytest.warns(UserWarning, match=re.escape(place) + ".*an iterator") as told:
        fit(nacre.Model, Holding(make(), turn))
    assert len(told) == 1 and place in str(told[0].message)


def test_iterators_that_name_things_decide_nothing_and_are_not_told_of() -> None:
    ids = itertools.count()
    names: list[str] = []

    def named(_: Any) -> int:
        names.append(f"call_{next(ids)}")
        return 1

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(nacre.Model, Holding(None, named))
    assert len(set(names)) == len(names)


def beyond(most: int) -> Callable[[Any], int]:
    return lambda held: 1 if held.next() <= most else 0


LATER = {
    "after 1000": beyond(1000),
    "after 20": beyond(20),
    "every tenth": lambda held: int(held.next() % 10 == 0),
    "every third": lambda held: int(held.next() % 3 == 0),
    "every hundredth": lambda held: int(held.next() % 100 == 0),
    "rarely": lambda held: 1 / (1 + held.next() // 500),
    "at the 500th": lambda held: int(held.next() == 500),
    "but at the 500th": lambda held: int(held.next() - 1 != 499),
    "at some": lambda held: int(held.next() in (71, 90)),
    "every thousandth": lambda held: int(not held.next() % 1000),
    "after 50000": beyond(50_000),
}


@pytest.mark.parametrize("kind", [Counter, lambda: types.SimpleNamespace(count=0, next=None)])
@pytest.mark.parametrize("name", LATER)
def test_a_counter_that_decides_later_is_told_of(name: str, kind: Callable[[], Any]) -> None:
    layer = Holding(kind(), LATER[name])
    if layer.held.next is None:
        layer.held.next = lambda: raised(layer.held)
    with pytest.warns(UserWarning, match="held.count.*stands still"):
        fit(nacre.Model, layer)
    assert 0 < layer.held.count < 10


LATER_AND_FOR_NOTHING = {
    "a print": lambda held: print() if held.next() == 500 else None,
    "a number it never has": lambda held: float(held.next() == -1),
    "a name": lambda held: f"call_{held.next()}",
    "an error": lambda held: 1 // (held.next() != 500),
}


@pytest.mark.parametrize("name", LATER_AND_FOR_NOTHING)
def test_a_counter_that_decides_nothing_later_is_not_told_of(name: str) -> None:
    class Remembers(Holding):
        last = 0

        def call(self, inputs: Any) -> Any:
            LATER_AND_FOR_NOTHING[name](self.held)
            self.last = self.held.count
            return inputs

    layer = Remembers(Counter(), lambda held: 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(nacre.Model, layer)
    assert type(layer.held.count) is type(layer.last) is int
    assert 0 < layer.held.count < 10 and 0 < layer.last < 10


CALLS = np.zeros((), "int64")


def test_a_count_in_an_array_a_name_or_a_closure_that_decides_later_is_told_of() -> None:
    calls = 0

    def in_closure(_: Any) -> int:
        nonlocal calls
        calls += 1
        return int(calls > 300)

    def in_array(_: Any) -> int:
        CALLS[...] += 1
        return int(CALLS > 300)

    for turn in (in_closure, in_array, lambda _: int(raised_name() > 300)):
        with pytest.warns(UserWarning, match="stands still"):
            fit(nacre.Model, Holding(None, turn))
    assert calls < 10 and CALLS < 10 and TOTAL < 99
