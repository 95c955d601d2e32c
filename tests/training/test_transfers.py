"""Between host and device: batches are sent ahead by the feed's thread, predictions come early."""

from __future__ import annotations

import threading
from typing import Any

import jax
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.training import gathering, prediction, prediction_loop

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 3)).astype("float32")
Y = X[:, :1].copy()


class Batches(nacre.utils.PyDataset):
    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Any:
        return X[8 * index : 8 * index + 8], Y[8 * index : 8 * index + 8]


def model() -> nacre.Model:
    made = nacre.Sequential([nacre.Input((3,)), layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


@pytest.mark.parametrize("source", ["batches", "batches in chunks", "streamed rows"])
def test_what_is_streamed_is_sent_by_the_thread_of_the_feed(
    monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setenv("NACRE_DEVICE_BUDGET_BYTES", "10")
    monkeypatch.setattr("nacre.data.sources.CHUNK_BYTES", 8 * 16 * 2)
    senders: list[str] = []
    put = jax.device_put

    def noted(value: Any, *rest: Any, **options: Any) -> Any:
        if getattr(value, "shape", ())[1:] == (3,) and not isinstance(value, jax.Array):
            senders.append(threading.current_thread().name)
        return put(value, *rest, **options)

    made = model()
    monkeypatch.setattr("jax.device_put", noted)
    if source == "batches":
        monkeypatch.setenv("NACRE_LOOPS", "fixed")
    data: tuple[Any, ...] = (X, Y) if source == "streamed rows" else (Batches(),)
    made.fit(*data, batch_size=8, epochs=2, verbose=0)
    # Each batch, a chunk that all are laid into, or one of two of them, once an epoch.
    each_epoch = {"batches": 6, "batches in chunks": 1, "streamed rows": 3}
    assert senders == ["nacre-prefetch"] * (2 * each_epoch[source])


def test_what_nothing_is_done_beside_goes_with_the_step_that_uses_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[Any] = []
    put = jax.device_put

    def noted(value: Any, *rest: Any, **options: Any) -> Any:
        if getattr(value, "shape", ())[1:] == (3,) and not isinstance(value, jax.Array):
            sent.append(value)
        return put(value, *rest, **options)

    made = model()
    monkeypatch.setattr("jax.device_put", noted)
    made.fit((Batches()[i] for i in range(6)), verbose=0)
    assert not sent


@pytest.mark.parametrize("chunked", [False, True])
def test_predictions_begin_to_come_before_earlier_ones_are_taken(
    monkeypatch: pytest.MonkeyPatch, chunked: bool
) -> None:
    if chunked:
        monkeypatch.setattr(prediction_loop, "LEAST_BATCHES", 20)
        monkeypatch.setattr(prediction_loop, "_LEAST_A_CHUNK", 2)
        monkeypatch.setattr("nacre.data.sources.CHUNK_BYTES", 2 * 12 * 4)
    made = model()
    expected = made.predict(X, batch_size=2, verbose=0)
    monkeypatch.setattr("nacre.ops.kernels.placement.platform", lambda: "gpu")
    events: list[str] = []
    begin, add = gathering.start_fetching, gathering.Gathered.add

    def began(outputs: Any) -> None:
        events.append("begin")
        begin(outputs)

    def added(self: Any, *given: Any) -> Any:
        events.append("take")
        return add(self, *given)

    monkeypatch.setattr(prediction, "start_fetching", began)
    monkeypatch.setattr(gathering.Gathered, "add", added)
    np.testing.assert_array_equal(made.predict(X, batch_size=2, verbose=0), expected)
    under_way = np.cumsum([1 if event == "begin" else -1 for event in events])
    assert len(events) > 10 and under_way[-1] == 0
    assert under_way.max() == (2 if chunked else prediction.IN_FLIGHT + 1)
