"""Wide and deep models, adapted layers, steps over time, queues: what Keras 3 dropped."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre.tf as tf
from nacre.core.errors import ArgumentError, NotBuiltError, ShapeError

K = tf.keras.backend
X = np.arange(24, dtype="float32").reshape(2, 4, 3) / 24


def _adding(x: Any, states: Any) -> Any:
    return x + states[0], [x + states[0]]


# As tf.keras 2.15 gives them: outputs summed over features, then the state.
@pytest.mark.parametrize(
    ("options", "sums", "state"),
    [
        ({}, [[0.125, 0.625, 1.5, 2.75], [1.625, 3.625, 6.0, 8.75]], [2.75, 8.75]),
        ({"go_backwards": True}, [[1.25, 2.125, 2.625, 2.75], [2.75, 5.125, 7.125, 8.75]], None),
        (
            {"mask": [[True, False, True, True], [False, True, False, True]]},
            [[0.125, 0.125, 1.0, 2.25], [0.0, 2.0, 2.0, 4.75]],
            [2.25, 4.75],
        ),
        (
            {
                "mask": [[True, False, True, True], [False, True, False, True]],
                "zero_output_for_mask": True,
            },
            [[0.125, 0.0, 1.0, 2.25], [0.0, 2.0, 0.0, 4.75]],
            [2.25, 4.75],
        ),
    ],
)
@pytest.mark.parametrize("unroll", [False, True])
def test_rnn_takes_step_after_step(options: Any, sums: Any, state: Any, unroll: bool) -> None:
    start = np.zeros((2, 3), "float32")
    last, outputs, (end,) = K.rnn(_adding, X, [start], unroll=unroll, **options)
    np.testing.assert_allclose(outputs.numpy().sum(-1), sums, rtol=1e-5)
    np.testing.assert_allclose(last, outputs[:, -1])
    if state is not None:
        np.testing.assert_allclose(end.numpy().sum(-1), state, rtol=1e-5)


def test_rnn_takes_constants_time_first_and_gives_the_last_output_alone() -> None:
    start, turned = [np.zeros((2, 3), "float32")], X.swapaxes(0, 1)

    def step(x: Any, states: Any) -> Any:
        return x * states[1], [states[0] + x]

    last, outputs, states = K.rnn(step, turned, start, constants=[np.float32(2)], time_major=True)
    assert outputs.shape == (4, 2, 3) and len(states) == 1
    np.testing.assert_allclose(outputs, turned * 2)
    _, short, _ = K.rnn(step, X, start, constants=[np.float32(2)], return_all_outputs=False)
    assert short.shape == (2, 1, 3)
    np.testing.assert_allclose(short[:, 0], last)
    with pytest.raises(ArgumentError, match=r"layers\.RNN"):
        K.rnn(step, tf.keras.Input((4, 3)), start)


def test_a_placeholder_is_an_input_of_a_function() -> None:
    x = K.placeholder(shape=(None, 2))
    assert K.function([x], [x * 2])([np.ones((1, 2), "float32")])[0].tolist() == [[2.0, 2.0]]
    assert K.placeholder(ndim=3, dtype="int32").shape == (None, None, None)
    with pytest.raises(ArgumentError, match="shape or ndim"):
        K.placeholder()


def test_wide_and_deep_models_learn_and_are_saved(tmp_path: Path) -> None:
    wide = tf.keras.experimental.LinearModel(units=1)
    deep = tf.keras.Sequential([tf.keras.layers.Dense(4, "relu"), tf.keras.layers.Dense(1)])
    model = tf.keras.experimental.WideDeepModel(wide, deep)
    a, b = np.random.RandomState(0).rand(2, 32, 3).astype("float32")
    y = a.sum(1, keepdims=True) + 1
    model.compile(tf.keras.optimizers.SGD(0.1), "mse")
    before = model.evaluate([a, b], y, verbose=0)
    model.fit([a, b], y, epochs=20, verbose=0)
    assert model.evaluate([a, b], y, verbose=0) < before / 2
    model.save(tmp_path / "m.keras")
    again = tf.keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(again([a, b]), model([a, b]), rtol=1e-5)
    with pytest.raises(ArgumentError, match="one optimizer"):
        model.compile(["sgd", "adam"], "mse")


def test_a_linear_model_takes_dicts_by_name_and_refuses_another_number_of_inputs() -> None:
    model = tf.keras.experimental.LinearModel(2, kernel_initializer="ones")
    x = {"b": np.full((1, 3), 2.0, "float32"), "a": np.ones((1, 2), "float32")}
    assert model(x).numpy().tolist() == [[8.0, 8.0]]
    assert model(dict(reversed(x.items()))).numpy().tolist() == [[8.0, 8.0]]
    with pytest.raises(ShapeError, match="2 inputs"):
        model([x["a"]])


def test_layers_are_adapted_anew_and_say_what_is_missing() -> None:
    base = tf.keras.layers.experimental.preprocessing.PreprocessingLayer

    class Sum(base):
        def build(self, shape: Any) -> None:
            self.total = self.add_weight(name="total", shape=(), initializer="zeros")

        def update_state(self, data: Any) -> None:
            self.total.assign_add(tf.reduce_sum(data))

        def call(self, inputs: Any) -> Any:
            return inputs + self.total

    layer = Sum()
    assert not layer.is_adapted
    layer.adapt(np.ones((40, 2), "float32"))
    assert layer.is_adapted and float(layer.total.numpy()) == 80
    layer.adapt(tf.data.Dataset.from_tensor_slices(np.ones((6, 2), "float32")).batch(2), steps=2)
    assert float(layer.total.numpy()) == 8
    with pytest.raises(ArgumentError, match="update_state"):
        base().adapt(np.ones((1, 1), "float32"))
    with pytest.raises(ArgumentError, match="data to adapt"):
        layer.adapt(np.ones((0, 2), "float32"))


def test_queues_keep_the_order_and_tell_errors() -> None:
    batches = tf.keras.utils.OrderedEnqueuer([1, 2, 3])
    with pytest.raises(NotBuiltError, match="started"):
        batches.get()
    batches.start(workers=2, max_queue_size=2)
    stream = batches.get()
    assert [next(stream) for _ in range(7)] == [1, 2, 3, 1, 2, 3, 1] and batches.is_running()
    batches.stop()
    assert not batches.is_running() and list(stream) == []

    def failing() -> Any:
        yield 1
        raise OSError("no file")

    broken = tf.keras.utils.GeneratorEnqueuer(failing())
    broken.start()
    stream = broken.get()
    assert next(stream) == 1
    with pytest.raises(OSError, match="no file"):
        next(stream)
    broken.stop()
    whole = tf.keras.utils.GeneratorEnqueuer(iter("ab"))
    whole.start()
    assert list(whole.get()) == ["a", "b"]
    whole.stop()


def test_a_timed_thread_calls_until_it_is_stopped() -> None:
    class Counting(tf.keras.utils.TimedThread):
        calls = 0

        def on_interval(self) -> None:
            self.calls += 1

    with Counting(0.01, daemon=True) as thread:
        end = time.monotonic() + 5
        while thread.calls < 3 and time.monotonic() < end:
            time.sleep(0.01)
    thread.thread.join(5)
    assert thread.calls >= 3 and not thread.is_alive()


def test_each_checkpoint_is_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def make() -> Any:
        model = tf.keras.Sequential([tf.keras.Input((1,)), tf.keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    x, y = np.ones((4, 1), "float32"), np.zeros((4, 1), "float32")
    trained = make()
    checkpoint = tf.train.Checkpoint(model=trained, optimizer=trained.optimizer)
    manager = tf.train.CheckpointManager(checkpoint, tmp_path, max_to_keep=2)
    trained.fit(x, y, verbose=0)
    manager.save()
    beside = make()
    tf.keras.utils.SidecarEvaluator(
        beside, (data := tf.data.Dataset.from_tensor_slices((x, y)).batch(2)), tmp_path,
        max_evaluations=1,
    ).start()  # fmt: skip
    np.testing.assert_array_equal(beside.get_weights()[0], trained.get_weights()[0])
    loss = trained.evaluate(data, verbose=0)
    told = capsys.readouterr().out
    assert "ckpt-1: loss=" in told
    assert float(told.rpartition("=")[2]) == pytest.approx(loss, rel=1e-4)


def test_the_rate_of_an_epoch_has_its_older_name_too() -> None:
    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    scheduler = tf.keras.callbacks.LearningRateScheduler(lambda epoch: 0.5 / (epoch + 1))
    x, y = np.ones((4, 2)), np.ones((4, 1))
    history = model.fit(x, y, epochs=2, callbacks=[scheduler], verbose=0).history
    assert history["lr"] == history["learning_rate"] == [0.5, 0.25]


def test_mean_iou_cuts_scores_and_says_so() -> None:
    metric = tf.keras.metrics.MeanIoU(2)
    with pytest.warns(UserWarning, match="scores are cut"):
        metric.update_state([0, 1, 1], [0.2, 0.9, 1.0])
    assert float(metric.result()) == 0.5


def test_build_of_a_script_gets_shapes_of_tensorflow() -> None:
    seen: list[Any] = []

    class Scale(tf.keras.layers.Layer):
        def build(self, input_shape: Any) -> None:
            seen.append(input_shape)
            if not isinstance(input_shape, list):
                self.w = self.add_weight(name="w", shape=input_shape.as_list()[1:])
            super().build(input_shape)

        def call(self, inputs: Any) -> Any:
            return inputs[0] + inputs[1] if isinstance(inputs, list) else inputs * self.w

        def compute_output_shape(self, input_shape: Any) -> Any:
            raise AssertionError("tf.keras 2 does not ask")

    layer = Scale()
    model = tf.keras.Sequential([tf.keras.Input((3,)), layer])
    assert model.output_shape == (None, 3) and layer.w.shape == (3,)
    Scale()(tf.ones((2, 3)))
    Scale()([tf.keras.Input((4,)), tf.keras.Input((4,))])
    assert seen == [(None, 3), (2, 3), [(None, 4), (None, 4)]]
    assert isinstance(seen[0], tf.TensorShape) and isinstance(seen[2][1], tf.TensorShape)
    assert layer.get_build_config() == {"input_shape": (None, 3)}
    assert type(layer.get_build_config()["input_shape"]) is tuple


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
def test_vectors_of_lookups_are_floats_that_meet_others(mode: str) -> None:
    make = {"vocabulary": ["a", "b"], "output_mode": mode}
    lookup, texts = tf.keras.layers.StringLookup(**make), tf.constant([["a"], ["b"]])
    layers = [lookup]
    if mode != "one_hot":
        layers.append(tf.keras.layers.TextVectorization(**make))
    for layer in layers:
        x = tf.keras.Input((1,), dtype=tf.string)
        model = tf.keras.Model(x, tf.concat([layer(x), tf.ones_like(layer(x))], -1))
        assert layer(texts).dtype == layer(x).dtype == tf.float32
        assert model(texts).numpy().tolist() == [[0, 1, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]]
        assert tf.reduce_mean(layer(texts)).numpy() == pytest.approx(1 / 3)  # whole ones gave 0
