"""`tf.function` compiles, and runs as plain Python what cannot be compiled."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import nacre.tf as tf
from nacre.core.errors import ArgumentError, TracedValueError


@pytest.fixture
def _compiled_again() -> Iterator[None]:
    yield
    tf.config.run_functions_eagerly(False)


def test_it_is_traced_once_for_a_shape() -> None:
    traces = []

    @tf.function
    def double(x):
        traces.append(x.shape)
        return x * 2

    for _ in range(3):
        assert double(tf.ones([2])).numpy().tolist() == [2.0, 2.0]
    double(tf.ones([3]))
    # The first call looks twice: what it makes is kept.
    assert sorted(set(traces)) == [(2,), (3,)] and len(traces) <= 3


@pytest.mark.parametrize("how", ["list", "raise", "where", "size"])
def test_python_that_decides_by_values_runs_eagerly_with_one_warning(how: str) -> None:
    @tf.function
    def halved(x):
        if how == "list":
            found = []
            while len(found) < tf.reduce_sum(x):
                found.append(x / 2)
            return found[0]
        if how == "raise":
            if tf.reduce_sum(x) < 0:
                raise ValueError
            return x / 2
        if how == "where":
            return tf.gather(x, tf.where(x > 0)[:, 0]) / 2
        return tf.zeros([int(x[0])]) + 1

    with pytest.warns(UserWarning, match="runs as plain Python") as caught:
        found = [halved(tf.constant([2.0, 2.0])).numpy().tolist() for _ in range(2)]
    assert found == [[1.0, 1.0]] * 2 and len(caught) == 1


def test_a_method_that_cannot_be_compiled_runs_eagerly() -> None:
    class Counter:
        @tf.function
        def count(self, x):
            return 1 if float(x.numpy()[0]) > 0 else 2

    counter = Counter()
    with pytest.warns(UserWarning, match="runs as plain Python"):
        assert counter.count(tf.ones([1])) == 1
    assert counter.count(-tf.ones([1])) == 2


@pytest.mark.usefixtures("_compiled_again")
def test_all_functions_can_run_eagerly() -> None:
    seen = []

    @tf.function
    def look(x):
        seen.append(float(x))
        return x

    tf.config.run_functions_eagerly(True)
    look(tf.constant(1.5))
    assert seen == [1.5] and tf.config.functions_run_eagerly()


def test_a_training_step_with_two_tapes() -> None:
    dense, other = tf.keras.layers.Dense(2), tf.keras.layers.Dense(1)
    first, second = tf.keras.optimizers.Adam(0.1), tf.keras.optimizers.Adam(0.1)

    @tf.function
    def step(x):
        with tf.GradientTape() as a, tf.GradientTape() as b:
            out = other(dense(x))
            loss, rest = tf.reduce_mean(out**2), tf.reduce_mean(tf.abs(out))
        first.apply_gradients(
            zip(a.gradient(loss, dense.trainable_variables), dense.trainable_variables)
        )
        second.apply_gradients(
            zip(b.gradient(rest, other.trainable_variables), other.trainable_variables)
        )
        return loss

    x = tf.constant(np.ones((4, 3), "float32"))
    losses = [float(step(x).numpy()) for _ in range(8)]
    assert losses[-1] < losses[0]


def test_a_signature_casts_and_printing_prints_each_time(capfd: pytest.CaptureFixture[str]) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def shown(x):
        tf.print("x is", x)
        return x

    count = tf.Variable(3)

    @tf.function
    def counted(x):
        if x > 0:
            tf.print("count", count, {"x": [x, None]})

    counted(tf.constant(1))
    counted(tf.constant(0))
    count.assign(4)
    counted(tf.constant(1))
    import jax

    jax.effects_barrier()
    found = capfd.readouterr().err.splitlines()
    assert found == ["count 3 {'x': [1, None]}", "count 4 {'x': [1, None]}"]
    shown([1, 2])
    shown(np.array([3, 4]))
    jax.effects_barrier()
    assert capfd.readouterr().err.splitlines() == ["x is [1 2]", "x is [3 4]"]


def test_functions_that_decide_over_strings_run_as_plain_python() -> None:
    @tf.function
    def named(n):
        words = tf.TensorArray(tf.string, size=0, dynamic_size=True)
        for i in tf.range(n):
            if i % 2 == 0:
                words = words.write(i, "even")
            else:
                words = words.write(i, tf.strings.as_string(i))
        return words.stack()

    @tf.function
    def chosen(x):
        return tf.where(x > 0, "a", "b")

    for function, given, wanted in (
        (named, tf.constant(3), [b"even", b"1", b"even"]),
        (chosen, tf.constant([1.0, -1.0]), [b"a", b"b"]),
    ):
        with pytest.warns(UserWarning, match="runs as plain Python"):
            assert function(given).numpy().tolist() == wanted
        assert function(given).numpy().tolist() == wanted


def test_a_wrong_call_is_not_taken_for_one_of_strings() -> None:
    @tf.function
    def wrong(x):
        return tf.matmul(x, len)

    with pytest.raises((TypeError, ValueError)):
        wrong(tf.ones([2, 2]))


def test_a_signature_of_int64_has_64_bits() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)])
    def doubled(x):
        return x * 2

    assert doubled(tf.constant([1, 2], tf.int64)).numpy().tolist() == [2, 4]
    assert doubled(tf.constant([2**40], tf.int64)).numpy().tolist() == [2**41]
    assert doubled(np.array([2**40])).numpy().tolist() == [2**41]


def scale(first):
    """A module that makes its variable at the first call."""

    class Scale(tf.Module):
        def __init__(self, first) -> None:
            super().__init__()
            self.first, self.weight = first, None

        @tf.function
        def __call__(self, x):
            if self.weight is None:
                self.weight = tf.Variable(self.first(x))
            self.weight.assign_add(tf.ones_like(self.weight))
            return self.weight * x

    return Scale(first)


@pytest.mark.parametrize(
    ("first", "begins"),
    [
        (lambda x: tf.ones_like(x), [1.0, 1.0]),
        (lambda x: tf.exp(tf.zeros(tf.shape(x))) + 1.0, [2.0, 2.0]),
        (lambda x: tf.random.uniform([2]) * 0.0 + 4.0, [4.0, 4.0]),
        (lambda x: x * 3.0, [3.0, 6.0]),
        (lambda x: 3.0, 3.0),
    ],
)
def test_variables_are_made_of_tensors_at_the_first_call(first, begins) -> None:
    module, x = scale(first), np.float32([1.0, 2.0])
    for call in (1, 2, 3):
        wanted = (np.float32(begins) + call) * x
        np.testing.assert_allclose(module(tf.constant(x)).numpy(), wanted)
    np.testing.assert_allclose(module.weight.numpy(), np.float32(begins) + 3)


def test_several_variables_are_made_at_the_first_call_of_a_training_step() -> None:
    modules = [scale(tf.ones_like), scale(lambda x: tf.random.uniform([2]) * 0.0 + 4.0)]
    optimizer = tf.keras.optimizers.SGD(0.5)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(modules[0](x) + modules[1](x))
        weights = [module.weight for module in modules]
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
        return loss

    losses = [float(step(tf.ones([2]))) for _ in range(2)]
    assert losses == [14.0, 16.0]
    assert [m.weight.numpy().tolist() for m in modules] == [[2.0, 2.0], [5.0, 5.0]]


def test_what_is_drawn_behind_a_variable_made_of_random_numbers_is_not_these() -> None:
    made = []

    @tf.function
    def draw():
        if not made:
            made.append(tf.Variable(tf.random.normal([4])))
        return tf.random.normal([4]), made[0] * 1.0

    (noise, weight), (later, same) = draw(), draw()
    assert not np.allclose(noise, weight) and not np.allclose(noise, later)
    np.testing.assert_array_equal(weight, same)


def test_a_first_value_that_needs_arguments_is_not_made_of_their_shapes() -> None:
    module = scale(lambda x: x * 3.0)
    with pytest.raises(TracedValueError, match="shapes alone"):
        module.__call__.get_concrete_function(tf.TensorSpec([2]))


# As TensorFlow 2.15.1 and 2.21 print them.
@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: tf.constant([1, 2]).shape, "TensorShape([2])"),
        (lambda: [tf.TensorShape([None, 3]), 1], "[TensorShape([None, 3]), 1]"),
        (lambda: OfList([1, tf.constant([1, 2])]), "[1, [1 2]]"),
        (lambda: {"k": [tf.constant(1.5), "s"], "n": None}, "{'k': [1.5, 's'], 'n': None}"),
        (lambda: (tf.constant([1, 2]),), "([1 2],)"),
        (lambda: tf.as_dtype("float32"), "tf.float32"),
        (lambda: 3.5, "3.5"),
        (lambda: True, "True"),
        (lambda: None, "None"),
    ],
)
def test_what_is_no_tensor_is_printed_as_tensorflow_prints_it(
    make: Any, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    tf.print(make(), "end")
    assert capfd.readouterr().err == f"{text} end\n"


class OfList(list):
    """One that JAX takes for a leaf."""


def test_functions_of_strings_take_texts_by_signature_and_by_kind() -> None:
    traced: list[int] = []

    def shout(x):
        traced.append(1)
        return tf.strings.upper(x)

    spec = tf.TensorSpec([None], tf.string)
    said = tf.function(shout, input_signature=[spec])
    for run in (said, said.get_concrete_function(), tf.function(shout).get_concrete_function(spec)):
        assert run(tf.constant(["a", "b"])).numpy().tolist() == [b"A", b"B"]
    assert said(["c"]).numpy().tolist() == [b"C"]
    beside = tf.function(lambda word, x: (tf.strings.join([word, "!"]), x * 2))
    for word in ("a", "b"):
        text, number = beside(tf.constant([word]), tf.constant([1.0]))
        assert text.numpy()[0] == word.encode() + b"!" and number.numpy().tolist() == [2.0]


def test_strings_are_put_into_places() -> None:
    found = tf.scatter_nd([[1], [3]], tf.constant(["a", "b"]), [4])
    assert found.numpy().tolist() == [b"", b"a", b"", b"b"]
    found = tf.tensor_scatter_nd_update(tf.constant(["a", "b"]), [[1]], tf.constant(["z"]))
    assert found.numpy().tolist() == [b"a", b"z"]


def test_sizes_that_are_open_are_told_as_none() -> None:
    told: list[str] = []

    class Shown(tf.keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            told.append(f"{inputs.shape} {inputs.shape!r}")
            return inputs

    Shown()(tf.keras.Input((2,)))
    assert set(told) == {"(None, 2) TensorShape([None, 2])"}


def test_tensor_arrays_with_nothing_in_them_have_the_shape_of_their_elements() -> None:
    @tf.function
    def squares(n):
        found = tf.TensorArray(tf.float32, size=0, dynamic_size=True, element_shape=[2, 3])
        for i in tf.range(n):
            found = found.write(i, tf.zeros([2, 3]))
        return found.stack(), found.concat()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert [tuple(x.shape) for x in squares(tf.constant(0))] == [(0, 2, 3), (0, 3)]
        assert [tuple(x.shape) for x in squares(tf.constant(2))] == [(2, 2, 3), (4, 3)]
    assert tuple(tf.TensorArray(tf.string, 0, element_shape=[]).stack().shape) == (0,)
    open_ends = tf.TensorArray(tf.int32, 0, element_shape=[None, 2])
    assert tuple(open_ends.concat().shape) == (0, 2)
    with pytest.raises(ArgumentError, match=r"Got element_shape=None. Make it with element_shape"):
        tf.TensorArray(tf.float32, 0).stack()
