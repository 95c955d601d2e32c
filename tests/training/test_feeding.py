"""What fit, evaluate and predict take from the data they are given, and when."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.callbacks import Callback
from nacre.core.errors import ArgumentError, DataError, NonFiniteError
from nacre.training.loop import TrainRun
from nacre.utils import PyDataset

X = np.random.default_rng(0).random((40, 3), dtype=np.float32)
Y = X.sum(axis=1, keepdims=True)


def compiled(**options: Any) -> Any:
    nacre.utils.set_random_seed(7)
    model = nacre.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse", **options)
    return model


class Taken:
    """An endless generator that counts what was taken from it."""

    def __init__(self) -> None:
        self.count = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        self.count += 1
        return X[:4] * self.count, Y[:4] * self.count


def test_no_batch_of_a_generator_is_taken_that_is_not_used() -> None:
    model, data = compiled(), Taken()
    model.fit(
        data, steps_per_epoch=3, epochs=2, validation_data=data, validation_steps=2, verbose=0
    )
    assert data.count == 2 * (3 + 2)
    model.evaluate(data, steps=2, verbose=0)
    model.predict(data, steps=3, verbose=0)
    assert data.count == 15


def test_training_that_stops_leaves_the_rest_in_the_generator() -> None:
    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    data = Taken()
    compiled().fit(data, steps_per_epoch=9, callbacks=[Stop()], verbose=0)
    assert data.count == 2


def test_more_is_taken_ahead_where_max_queue_size_asks_for_it() -> None:
    class Look(Callback):
        most = 0

        def on_train_batch_end(self, batch, logs=None):
            Look.most = max(Look.most, data.count - batch - 1)

    for ahead in (None, 4):
        data = Taken()
        options = {} if ahead is None else {"max_queue_size": ahead}
        compiled().fit(data, steps_per_epoch=30, verbose=0, callbacks=[Look()], **options)
        assert (Look.most > 0) == (ahead is not None) and data.count == 30
    with pytest.raises(ArgumentError, match="max_queue_size must be an int from 0 on"):
        compiled().fit(Taken(), steps_per_epoch=1, max_queue_size="many")


def test_a_generator_may_fill_the_same_memory_for_each_batch() -> None:
    def reused() -> Iterator[Any]:
        x, y = np.empty((8, 3), "float32"), np.empty((8, 1), "float32")
        for start in range(0, 40, 8):
            x[:], y[:] = X[start : start + 8], Y[start : start + 8]
            yield x, y

    ours, other = compiled(), compiled()
    ours.fit(reused(), verbose=0)
    other.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    np.testing.assert_allclose(ours.get_weights()[0], other.get_weights()[0], rtol=1e-5)
    loss = other.evaluate(X, Y, batch_size=8, verbose=0)
    np.testing.assert_allclose(ours.evaluate(reused(), verbose=0), loss, rtol=1e-4)
    predicted = ours.predict((x for x, _ in reused()), verbose=0)
    np.testing.assert_allclose(predicted, other.predict(X, verbose=0), rtol=1e-4)


def test_a_source_may_ask_the_model_that_is_trained_from_it() -> None:
    model, seen = compiled(), []

    def ask() -> Any:
        seen.append(float(model.predict(X[:4], verbose=0)[0, 0]))
        return X[:4], Y[:4]

    class Rows(PyDataset):
        def __len__(self) -> int:
            return 5

        def __getitem__(self, index: int) -> Any:
            return ask()

    model.fit((ask() for _ in range(5)), verbose=0)
    assert len(set(seen)) >= 4  # the newest step but the one under way, each time
    model.fit(Rows(), epochs=2, verbose=0)
    assert len(seen) == 15


@pytest.mark.parametrize("steps", [None, 3, 7])
def test_rows_are_trained_in_one_order_wherever_they_are_kept(
    steps: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def weights(**options: Any) -> Any:
        model = compiled(**options)
        model.fit(X, Y, batch_size=12, epochs=3, steps_per_epoch=steps, verbose=0)
        return model.get_weights()

    monkeypatch.setattr("nacre.training.loop.warn", lambda *_: None)
    kept, eager = weights(), weights(run_eagerly=True)
    monkeypatch.setenv("NACRE_DEVICE_BUDGET_BYTES", "1")
    monkeypatch.setattr("nacre.data.sources.CHUNK_BYTES", 2 * 12 * 16)
    streamed = weights()
    for a, b, c in zip(kept, eager, streamed, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4)
        np.testing.assert_allclose(a, c, rtol=1e-4)


def test_each_fit_shuffles_in_an_order_of_its_own_which_follows_the_seed() -> None:
    class Rows(PyDataset):
        def __init__(self) -> None:
            super().__init__()
            self.asked: list[int] = []

        def __len__(self) -> int:
            return 10

        def __getitem__(self, index: int) -> Any:
            self.asked.append(index)
            return X[:4], Y[:4]

    orders = []
    for _ in range(2):
        model, data = compiled(), Rows()
        model.fit(data, epochs=2, verbose=0)
        model.fit(data, verbose=0)
        orders.append([data.asked[i : i + 10] for i in (0, 10, 20)])
    assert orders[0] == orders[1] and all(sorted(o) == list(range(10)) for o in orders[0])
    assert len({tuple(o) for o in orders[0]}) == 3


def test_an_epoch_is_on_the_rows_as_they_were_whatever_a_callback_does_to_them() -> None:
    class Spoil(Callback):
        def __init__(self, x: np.ndarray) -> None:
            super().__init__()
            self.x = x

        def on_epoch_end(self, epoch, logs=None):
            self.x[:] = 1e6

    class SpoilAtOnce(Spoil):
        def on_train_batch_end(self, batch, logs=None):
            self.x[:] = 1e6

    expected = compiled()
    expected.fit(X, Y, verbose=0)
    for kind in (Spoil, SpoilAtOnce):
        model, x = compiled(), X.copy()
        model.fit(x, Y, callbacks=[kind(x)], verbose=0)
        np.testing.assert_allclose(model.get_weights()[0], expected.get_weights()[0], rtol=1e-4)


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_an_index_outside_a_table_is_found_in_every_batch(method: str) -> None:
    model = nacre.Sequential([layers.Input((2,), dtype="int32"), layers.Embedding(5, 3)])
    model.compile("sgd", "mse")

    def batches() -> Iterator[Any]:
        y = np.zeros((2, 2, 3), "float32")
        for x in (np.array([[0, 1], [2, 3]]), np.array([[0, 1], [2, 9]])):
            yield (x,) if method == "predict" else (x, y)

    with pytest.raises(DataError, match="from 0 to 4. Got 9 in row 1"):
        getattr(model, method)(batches(), verbose=0)


def test_class_weights_count_for_each_batch_of_a_source() -> None:
    labels = (np.arange(40) % 2).astype("int32")
    weights = {0: 0.0, 1: 2.0}

    def model() -> Any:
        nacre.utils.set_random_seed(7)
        found = nacre.Sequential([layers.Input((3,)), layers.Dense(2, "softmax")])
        found.compile("sgd", "sparse_categorical_crossentropy")
        return found

    by_rows, by_batch = model(), model()
    by_rows.fit(X, labels, batch_size=8, shuffle=False, class_weight=weights, verbose=0)
    batches = ((X[i : i + 8], labels[i : i + 8]) for i in itertools.count(0, 8) if i < 40)
    by_batch.fit(batches, steps_per_epoch=5, class_weight=weights, verbose=0)
    for a, b in zip(by_rows.get_weights(), by_batch.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


# ------------------------------------------------------------------ several batches a dispatch


class Indexed(PyDataset):
    """Ten batches of four rows, and one of three, each of which may take its time."""

    def __init__(self, seconds: float = 0.0, bad: int | None = None) -> None:
        super().__init__()
        self.seconds, self.bad = seconds, bad

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> Any:
        time.sleep(self.seconds)
        rows = slice(4 * index, 4 * index + (4 if index < 9 else 3))
        return X[rows] * (np.nan if index == self.bad else 1), Y[rows]


class CountsBatches(Callback):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(batch)


@pytest.fixture
def dispatched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of steps of each dispatch of a training."""
    counts: list[int] = []
    execute = TrainRun._execute

    def noted(self: Any, dispatch: Any) -> None:
        counts.append(dispatch.count)
        execute(self, dispatch)

    monkeypatch.setattr(TrainRun, "_execute", noted)
    return counts


@pytest.mark.full_effort
def test_how_fast_batches_come_and_who_looks_changes_how_many_run_at_once_and_no_bit(
    dispatched: list[int],
) -> None:
    trained, runs = [], []
    hooks = CountsBatches()
    for source, callbacks in ((Indexed(), []), (Indexed(0.02), []), (Indexed(), [hooks])):
        dispatched.clear()
        model = compiled()
        history = model.fit(source, epochs=3, shuffle=False, callbacks=callbacks, verbose=0)
        trained.append([*map(np.asarray, model.get_weights()), np.array(history.history["loss"])])
        runs.append(len(dispatched))
        assert sum(dispatched) == 30
    for other in trained[1:]:
        assert all((a == b).all() for a, b in zip(trained[0], other, strict=True))
    assert hooks.seen == [*range(10)] * 3 and runs[0] < runs[2] == 30


def test_a_batch_that_spoils_the_weights_is_named_wherever_it_was_run(
    dispatched: list[int],
) -> None:
    model, sound = compiled(), compiled()
    with pytest.raises(NonFiniteError, match="step 8 of the epoch, epoch 1"):
        model.fit(Indexed(bad=7), shuffle=False, verbose=0)
    sound.fit(Indexed(), shuffle=False, steps_per_epoch=7, verbose=0)
    for kept, expected in zip(model.get_weights(), sound.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, expected)


def test_batches_of_validation_run_several_at_once_and_report_what_they_did_one_by_one() -> None:
    model = compiled(metrics=["mae"])
    found = model.evaluate(Indexed(), verbose=0)
    expected = model.evaluate(X[:39], Y[:39], batch_size=4, verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
