"""Summaries within a `nacre.function` are written once a run, as they would be without it."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers, ops, summary
from nacre.core.errors import ArgumentError, TracedValueError
from nacre.summary.recording import put
from tests.summary.event_files import read, scalars


@pytest.fixture(autouse=True)
def nothing_left():
    yield
    put(writer=None, step=None)


@pytest.fixture
def writer(tmp_path):
    writer = summary.create_file_writer(tmp_path)
    yield writer
    writer.close()


def test_a_training_step_by_hand_writes_its_loss(writer, tmp_path):
    model = nacre.Sequential([layers.Input((2,)), layers.Dense(1)])
    optimizer = nacre.optimizers.SGD(0.1)
    traced = []

    @nacre.function
    def step(x, y, number):
        traced.append(1)
        with nacre.GradientTape() as tape:
            loss = ops.mean((model(x) - y) ** 2)
            summary.scalar("within", loss, step=number)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        with writer.as_default():
            assert summary.scalar("loss", loss, step=number // 2)
            summary.histogram("bias", model.layers[0].bias, step=optimizer.iterations)
        return loss

    x, y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")
    with writer.as_default():
        losses = [float(step(x, y, jnp.int32(number))) for number in range(4)]
    found = scalars(tmp_path)
    assert found["within"] == list(enumerate(losses))
    assert found["loss"] == [(n // 2, loss) for n, loss in enumerate(losses)]
    histograms = [(w.step, w.value) for w in read(tmp_path) if w.plugin == "histograms"]
    assert [step for step, _ in histograms] == [1, 2, 3, 4]
    assert histograms[-1][1][-1, 0] == model.layers[0].bias.numpy()[0]
    assert len(traced) <= 3  # no program a step


@nacre.function
def noted(x):
    summary.scalar("x", x)
    return x * 2


def test_writer_step_and_condition_are_those_of_the_run(tmp_path):
    assert noted(np.float32(1)) == 2  # without a writer nothing is written, nor later refused
    step = nacre.Variable(0, dtype="int32")
    for run, number in (("train", 3.0), ("test", 4.0), ("train", 5.0)):
        step.assign_add(1)
        writer = summary.create_file_writer(tmp_path / run)
        with writer.as_default(step=step):
            noted(np.float32(number))
            with summary.record_if(False):
                noted(np.float32(number))
        writer.close()
    noted(np.float32(9))
    assert scalars(tmp_path, "train") == {"x": [(1, 3.0), (3, 5.0)]}
    assert scalars(tmp_path, "test") == {"x": [(2, 4.0)]}
    writer = summary.create_file_writer(tmp_path / "more")
    with writer.as_default(), pytest.raises(ArgumentError, match="a summary must have a step"):
        noted(np.float32(1))
    writer.close()


def test_what_the_code_sets_itself_counts(writer, tmp_path):
    @nacre.function
    def step(x, number):
        with writer.as_default(step=number):
            summary.scalar("all", x)
            with summary.record_if(False):
                summary.scalar("none", x)
        with nacre.name_scope("scope"):
            summary.text("words", np.array(["a", "b"]), step=0)
        return x

    for number in range(2):
        step(np.float32(number), jnp.int32(number + 7))
    assert scalars(tmp_path) == {"all": [(7, 0.0), (8, 1.0)]}
    with writer.as_default():
        step(np.float32(2), jnp.int32(9))
    [words] = [w for w in read(tmp_path) if w.plugin == "text"]
    assert (words.tag, words.value) == ("scope/words", [b"a", b"b"])


def test_lists_of_tensors_are_written(writer, tmp_path):
    @nacre.function
    def step(x):
        summary.histogram("both", [x, x + 1], step=0, buckets=1)
        summary.write("late", lambda: x * 3, step=0)
        return x

    with writer.as_default():
        step(np.float32(1))
    found = {w.tag: w.value.tolist() for w in read(tmp_path)}
    assert found == {"both": [[1, 2, 2]], "late": 3}


def test_values_of_loops_within_are_refused(writer):
    @nacre.function
    def step(x):
        def body(i, value):
            summary.scalar("inner", value, step=i)
            return value + 1

        return ops.fori_loop(0, 3, body, x)

    with writer.as_default(), pytest.raises(TracedValueError, match="'inner'.*the loop"):
        step(np.float32(1))


def test_a_function_under_a_tape_writes_too(writer, tmp_path):
    variable = nacre.Variable(3.0)

    @nacre.function
    def square(x):
        summary.scalar("square", x * x, step=1)
        return x * x

    with writer.as_default(), nacre.GradientTape() as tape:
        result = square(variable)
    assert float(tape.gradient(result, variable)) == 6
    assert scalars(tmp_path) == {"square": [(1, 9.0)]}
