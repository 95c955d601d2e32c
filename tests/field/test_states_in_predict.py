"""What `call` counts and sums is of the samples that were given: batches that `predict` fills up
for its programs add nothing to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, metrics, ops


class Counts(layers.Layer):
    """Keeps a mean, a number of samples and a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = metrics.Mean(name="mean_of_inputs")
        self.samples = self.add_weight((), initializer="zeros", trainable=False, name="samples")
        self.total = self.add_weight((), initializer="zeros", trainable=False, name="total")

    def call(self, inputs: Any) -> Any:
        self.mean.update_state(inputs)
        self.samples.assign_add(ops.cast(ops.shape(inputs)[0], "float32"))
        self.total.assign_add(ops.sum(inputs))
        return inputs * 2.0


def model_of(part: Counts) -> nacre.Model:
    return nacre.Sequential([nacre.Input((2,)), part])


def rows(count: int) -> np.ndarray:
    return np.arange(2 * count, dtype="float32").reshape(count, 2)


@pytest.mark.parametrize("count", [1, 5, 32, 37])
def test_what_call_counts_in_predict_is_of_the_given_samples(count: int) -> None:
    part, x = Counts(), rows(count)
    outputs = model_of(part).predict(x, verbose=0)
    np.testing.assert_array_equal(outputs, x * 2)
    assert float(part.samples.value) == count
    assert float(part.total.value) == x.sum()
    assert float(part.mean.result()) == pytest.approx(x.mean())


def test_so_it_is_from_batch_to_batch_and_call_to_call() -> None:
    part = Counts()
    model = model_of(part)

    def batches() -> Iterator[np.ndarray]:
        yield from (rows(4), rows(4), rows(3))

    model.predict(batches(), verbose=0)
    assert float(part.samples.value) == 11
    for count in (3, 5, 3):
        model.predict(rows(count), verbose=0)
    assert float(part.samples.value) == 22


def test_noise_alone_leaves_the_few_programs_of_predict() -> None:
    model = nacre.Sequential(
        [nacre.Input((2,)), layers.Lambda(lambda x: x + nacre.random.normal((2,)))]
    )
    program_count = 0
    for count in (5, 6, 7, 8):
        assert model.predict(rows(count), verbose=0).shape == (count, 2)
    assert model._programs is not None
    for program in model._programs.values():
        program_count += len(program.traced_shapes)
    assert program_count <= 2
