"""Where summaries go, under which step, and whether they are kept."""

from __future__ import annotations

import threading

import jax
import numpy as np
import pytest

import nacre
from nacre import summary
from nacre.core.errors import TracedValueError
from nacre.summary.recording import put
from tests.summary.event_files import scalars


@pytest.fixture(autouse=True)
def nothing_left():
    yield
    put(writer=None, step=None)


def test_without_a_writer_nothing_is_written_and_nothing_said():
    assert summary.scalar("loss", 1.0) is False
    with summary.create_noop_writer().as_default():
        assert summary.scalar("loss", 1.0) is False
        assert not summary.should_record_summaries()


def test_writers_can_be_nested_and_steps_given_by_default(tmp_path):
    outer = summary.create_file_writer(tmp_path / "outer")
    inner = summary.create_file_writer(tmp_path / "inner")
    summary.experimental.set_step(1)
    with outer.as_default():
        summary.scalar("a", 1.0)
        with inner.as_default(step=5):
            summary.scalar("a", 2.0)
            assert summary.experimental.get_step() == 5
        summary.experimental.set_step(2)
        summary.scalar("a", 3.0)
    assert summary.experimental.get_step() == 2
    assert scalars(tmp_path, "outer") == {"a": [(1, 1.0), (2, 3.0)]}
    assert scalars(tmp_path, "inner") == {"a": [(5, 2.0)]}
    outer.close()
    inner.close()


def test_a_variable_as_step_is_read_at_each_summary(tmp_path):
    step = nacre.Variable(0, dtype="int32")
    summary.experimental.set_step(step)
    with summary.create_file_writer(tmp_path).as_default():
        for _ in range(3):
            step.assign_add(1)
            summary.scalar("a", 0.0)
    assert [s for s, _ in scalars(tmp_path)["a"]] == [1, 2, 3]


def test_record_if_asks_its_condition_each_time(tmp_path):
    with summary.create_file_writer(tmp_path).as_default():
        for step in range(4):
            summary.experimental.set_step(step)
            with summary.record_if(lambda: summary.experimental.get_step() % 2 == 0):
                summary.scalar("even", 0.0)
                with summary.record_if(False):
                    assert not summary.scalar("never", 0.0)
                assert summary.should_record_summaries() is (step % 2 == 0)
    assert scalars(tmp_path) == {"even": [(0, 0.0), (2, 0.0)]}


def test_set_as_default_holds_until_another_one(tmp_path):
    writer = summary.create_file_writer(tmp_path)
    writer.set_as_default(step=3)
    assert summary.scalar("a", 1.0)
    summary.flush()
    assert scalars(tmp_path) == {"a": [(3, 1.0)]}
    seen = []
    thread = threading.Thread(target=lambda: seen.append(summary.should_record_summaries()))
    thread.start()
    thread.join()
    assert seen == [False]  # each thread has its own
    writer.close()


def test_compiled_code_is_refused_where_there_is_a_writer(tmp_path):
    @jax.jit
    def step(x):
        summary.scalar("within", x, step=0)
        return x * 2

    with (
        summary.create_file_writer(tmp_path).as_default(),
        pytest.raises(TracedValueError, match="'within' within a compiled step.*write it outside"),
    ):
        step(np.float32(1))


def test_what_was_compiled_without_a_writer_is_told_when_there_is_one(tmp_path):
    @jax.jit
    def step(x):
        assert not summary.scalar("early", x, step=0)
        return x * 2

    step(1.0)
    writer = summary.create_file_writer(tmp_path)
    with pytest.warns(UserWarning, match="'early'.*write it outside"), writer.as_default():
        step(1.0)
    with writer.as_default():  # said once
        summary.scalar("a", 1.0, step=0)
    assert list(scalars(tmp_path)) == ["a"]
    writer.close()


def test_eager_tapes_and_eager_layers_write(tmp_path):
    class Noted(nacre.layers.Layer):
        def call(self, x):
            summary.scalar("mean", nacre.ops.mean(x), step=0)
            return x * 2

    inputs = nacre.Input((2,))
    model = nacre.Model(inputs, Noted(name="noted")(inputs))
    with summary.create_file_writer(tmp_path).as_default():
        model(np.ones((3, 2), "float32"))
        variable = nacre.Variable(2.0)
        with nacre.GradientTape() as tape:
            loss = variable * variable
            summary.scalar("loss", loss, step=1)
        assert float(tape.gradient(loss, variable)) == 4
    found = scalars(tmp_path)
    assert found["loss"] == [(1, 4.0)]
    assert [value for tag, value in found.items() if tag.endswith("mean")] == [[(0, 1.0)]]
