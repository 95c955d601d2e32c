"""Loops over data sets within functions: the turns are compiled, and mean what they mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre.tf as tf


def numbers(count: int, size: int = 2) -> Any:
    made = tf.data.Dataset.range(count).map(lambda x: tf.cast(x, tf.float32))
    return made.batch(size)


def test_a_training_loop_in_a_function_is_traced_once_for_each_shape() -> None:
    variable, traced = tf.Variable(0.0), list[int]()

    @tf.function
    def train(batches: Any, rate: float) -> Any:
        count, loss = 0, 0.0
        for batch in batches:
            traced.append(1)
            with tf.GradientTape() as tape:
                loss = (variable - tf.reduce_mean(batch)) ** 2
            variable.assign_sub(rate * tape.gradient(loss, variable))
            count += 1
        return loss, count

    mine = 0.0
    for _ in range(3):
        loss, count = train(numbers(5), 0.1)
        for mean in (0.5, 2.5, 4.0):
            last = (mine - mean) ** 2
            mine -= 0.2 * (mine - mean)
        assert float(loss) == pytest.approx(last, rel=1e-5) and int(count) == 3
        assert float(variable) == pytest.approx(mine, rel=1e-5)
    assert len(traced) == 2  # batches of two, and the last of one


def test_loops_within_loops_and_calls_keep_what_they_know() -> None:
    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    optimizer, metric = tf.keras.optimizers.SGD(0.01), tf.keras.metrics.Mean()
    data = tf.data.Dataset.from_tensor_slices((np.eye(6, dtype="float32"), np.ones((6, 1))))
    traced: list[int] = []

    @tf.function
    def train(batches: Any, epochs: int) -> Any:
        for _ in range(epochs):
            for x, y in batches:
                traced.append(1)
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean((model(x) - tf.cast(y, tf.float32)) ** 2)
                gradients = tape.gradient(loss, model.trainable_variables)
                optimizer.apply_gradients(zip(gradients, model.trainable_variables))
                metric.update_state(loss)
        return loss

    first = float(train(data.batch(3), 1))
    before = len(traced)
    for _ in range(3):
        last = float(train(data.batch(3), 2))
    assert last < first and len(traced) <= before + 3
    assert int(optimizer.iterations) == 14 and float(metric.count) == 14


@pytest.mark.parametrize("limit", [3, 5])
def test_a_loop_ends_where_a_tensor_says(limit: int) -> None:
    @tf.function
    def until(data: Any, most: Any) -> Any:
        total = tf.constant(0, tf.int64)
        for at, item in enumerate(data):
            if item > most:
                break
            total += item * tf.cast(at, tf.int64)
        return total

    wanted = sum(i * i for i in range(limit + 1))
    assert int(until(tf.data.Dataset.range(10), tf.constant(limit, tf.int64))) == wanted


def test_a_second_call_has_its_own_arguments() -> None:
    @tf.function
    def scaled(data: Any, scale: Any, name: Any) -> Any:
        total = tf.constant(0.0)
        for batch in data:
            total += tf.reduce_sum(batch) * scale * name["factor"]
        return total

    for scale in (tf.constant(2.0), tf.constant(3.0), 4.0, 5.0):
        for factor in (1.0, 10.0):
            found = scaled(numbers(4), scale, {"factor": factor})
            assert float(found) == 6.0 * float(scale) * factor


# What a function is given, what changes it in place, and what is read of it.
CHANGED: dict[str, tuple[Any, Any, Any]] = {
    "dict": ({"by": 2.0}, lambda x: x.update(by=3.0), lambda x: x["by"]),
    "list": ([2.0], lambda x: x.__setitem__(0, 3.0), lambda x: x[0]),
    "list of whole numbers": ([2], lambda x: x.__setitem__(0, 3.0), lambda x: float(x[0])),
    "list in a tuple": (([2.0],), lambda x: x[0].insert(0, 3.0), lambda x: x[0][0]),
    "array": (np.full(20, 2.0, "float32"), lambda x: x.fill(3.0), lambda x: x[0]),
    "array in a list": ([np.full(3, 2.0)], lambda x: x[0].fill(3.0), lambda x: float(x[0][0])),
}


@pytest.mark.parametrize("name", CHANGED)
def test_what_is_changed_in_place_between_calls_is_read_anew(name: str) -> None:
    held, change, read = CHANGED[name]
    traced: list[int] = []

    @tf.function
    def scaled(data: Any, scales: Any) -> Any:
        total = tf.constant(0.0)
        for x in data:
            traced.append(1)
            total += tf.reduce_sum(x) * read(scales)
        return total

    assert [float(scaled(numbers(4), held)) for _ in range(2)] == [12.0, 12.0]
    assert len(traced) == 1
    change(held)
    assert float(scaled(numbers(4), held)) == 18.0


def test_a_tensor_that_is_put_into_a_dict_between_calls_is_read_anew() -> None:
    held: dict[str, Any] = {}

    @tf.function
    def scaled(data: Any, scales: Any) -> Any:
        total = tf.constant(0.0)
        for x in data:
            total += tf.reduce_sum(x) * scales["by"]
        return total

    for scale in (2.0, 3.0):
        held["by"] = tf.constant(scale)
        assert float(scaled(numbers(4), held)) == 6.0 * scale


def test_methods_and_attributes_are_those_of_the_object() -> None:
    class Sum:
        def __init__(self, factor: float) -> None:
            self.factor, self.steps = factor, tf.Variable(0)

        @tf.function
        def of(self, data: Any) -> Any:
            total = 0.0
            for batch in data.take(2):
                total += tf.reduce_sum(batch) * self.factor
                self.steps.assign_add(1)
            return total

    one, two = Sum(1.0), Sum(2.0)
    assert [float(s.of(numbers(6))) for s in (one, two, one)] == [6.0, 12.0, 6.0]
    assert (int(one.steps), int(two.steps)) == (4, 2)


def test_an_empty_data_set_leaves_what_was() -> None:
    @tf.function
    def count(data: Any) -> Any:
        found = 7
        for _ in data:
            found += 1
        return found

    assert int(count(numbers(0))) == 7 and int(count(numbers(4))) == 9


def test_a_turn_that_needs_values_runs_as_plain_python_and_says_so() -> None:
    @tf.function
    def sizes(data: Any) -> Any:
        total = 0
        for batch in data:
            total += len(np.unique(batch.numpy()))
        return total

    with pytest.warns(UserWarning, match=r"the loop over a data set, line \d+, runs as plain"):
        assert int(sizes(numbers(4))) == 4


def test_texts_of_a_data_set_are_read_as_they_are() -> None:
    @tf.function
    def joined(data: Any) -> Any:
        text = tf.constant("")
        for word in data:
            text = tf.strings.join([text, word])
        return text

    found = joined(tf.data.Dataset.from_tensor_slices(["a", "b", "c"]))
    assert found.numpy() == b"abc"


_WAYS: dict[str, Any] = {
    "zip": lambda a, b: [x * y for x, y in zip(a, b)][-1],
    "list": lambda a, b: list(a)[-1],
    "reduce": lambda a, b: a.reduce(tf.constant(0, tf.int64), lambda s, x: 10 * s + x),
    "get_single_element": lambda a, b: a.take(1).get_single_element(),
}


@pytest.mark.parametrize("way", _WAYS)
def test_a_data_set_is_read_anew_at_each_call(way: str) -> None:
    passes = [0]

    def elements() -> Any:
        passes[0] += 1
        yield from (passes[0], passes[0] + 1)

    spec = tf.TensorSpec([], tf.int64)
    data = tf.data.Dataset.from_generator(elements, output_signature=spec)
    read = tf.function(lambda: _WAYS[way](data, data))
    first = int(read())
    assert first != int(read()) != int(read())


def test_the_next_element_is_a_new_one_at_each_call() -> None:
    elements = iter(tf.data.Dataset.range(10))
    for take, first in ((lambda: next(elements) * 2, 0), (lambda: elements.get_next() * 2, 4)):
        taken = tf.function(take)
        with pytest.warns(UserWarning, match="has no elements of an iterator"):
            assert int(taken()) == first
        assert int(taken()) == first + 2

    @tf.function
    def beside(data: Any) -> Any:
        total = tf.constant(0, tf.int64)
        for _ in data:
            total += next(elements)
        return total

    with pytest.warns(UserWarning, match="runs as plain Python"):
        assert int(beside(tf.data.Dataset.range(2))) == 4 + 5
