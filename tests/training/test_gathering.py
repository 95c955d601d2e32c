"""Outputs of batches become arrays over all samples, with one copy of each."""

from __future__ import annotations

import tracemalloc

import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.callbacks import Callback
from nacre.training.gathering import Gathered


def test_batches_come_one_after_the_other_without_their_padding() -> None:
    gathered = Gathered(5)
    first = gathered.add({"a": jnp.ones((3, 2)), "b": [jnp.zeros(3, "int32")]}, 3, 3)
    gathered.add({"a": jnp.full((3, 2), 2.0), "b": [jnp.ones(3, "int32")]}, 2, 3)
    result = gathered.result()
    assert first["a"].tolist() == [[1.0, 1.0]] * 3
    assert result["a"].tolist() == [[1.0, 1.0]] * 3 + [[2.0, 2.0]] * 2
    assert result["b"][0].tolist() == [0, 0, 0, 1, 1] and result["b"][0].dtype == "int32"


def test_fewer_samples_than_were_announced_leave_no_empty_rows() -> None:
    gathered = Gathered(100)
    gathered.add(jnp.ones((2, 1)), 2, 2)
    assert gathered.result().shape == (2, 1)


@pytest.mark.parametrize("total", [None, 4])
def test_outputs_without_a_row_a_sample_are_stacked_or_joined(total: int | None) -> None:
    gathered = Gathered(total)
    for number in (1.0, 2.0):
        gathered.add((jnp.float32(number), jnp.full((6, 1), number)), 2, 2)
    scalars, rows = gathered.result()
    assert scalars.tolist() == [1.0, 2.0] and rows.shape == (12, 1)


def test_an_output_that_changes_its_kind_half_way_is_kept_whole() -> None:
    gathered = Gathered(6)
    for values in (np.zeros((2, 1), "int32"), np.full((2, 1), 0.5, "float32"), np.ones((2, 1))):
        gathered.add(values, 2, 2)
    assert gathered.result().ravel().tolist() == [0, 0, 0.5, 0.5, 1, 1]


def test_bfloat16_arrives_as_float32() -> None:
    gathered = Gathered(2)
    gathered.add(jnp.ones((2, 1), "bfloat16"), 2, 2)
    assert gathered.result().dtype == "float32"


def test_predictions_are_the_users_own() -> None:
    model = nacre.Sequential([layers.Input((2,)), layers.Activation("linear")])
    x = np.ones((70, 2), "float32")
    first = model.predict(x, batch_size=32, verbose=0)
    first[:] = 7.0
    assert (x == 1).all() and (model.predict(x, batch_size=32, verbose=0) == 1).all()


@pytest.mark.parametrize("count", [1, 3])
def test_predictions_of_a_generator_are_the_users_own(count: int) -> None:
    model = nacre.Sequential([layers.Input((2,)), layers.Activation("linear")])
    result = model.predict((np.full((2, 2), i) for i in range(count)), verbose=0)
    result += 1.0
    assert result[:, 0].tolist() == [i + 1.0 for i in range(count) for _ in range(2)]


def test_a_callback_is_given_the_outputs_of_its_batch() -> None:
    class Outputs(Callback):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[list[float]] = []

        def on_predict_batch_end(self, batch, logs=None):
            self.seen.append(logs["outputs"].ravel().tolist())

    model = nacre.Sequential([layers.Input((1,)), layers.Activation("linear")])
    outputs = Outputs()
    x = np.arange(5.0).reshape(5, 1)
    assert model.predict(x, batch_size=2, verbose=0, callbacks=[outputs]).tolist() == x.tolist()
    assert outputs.seen == [[0.0, 1.0], [2.0, 3.0], [4.0]]


def test_memory_holds_the_predictions_once() -> None:
    model = nacre.Sequential([layers.Input((1,)), layers.RepeatVector(4096), layers.Flatten()])
    x = np.ones((1024, 1), "float32")
    model.predict(x[:64], verbose=0)
    tracemalloc.start()
    result = model.predict(x, verbose=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * result.nbytes
