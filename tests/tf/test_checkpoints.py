"""`tf.train.Checkpoint` writes and reads TensorFlow's files of variables of any objects."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre.tf as tf
from nacre.core.errors import ArgumentError, WeightsMismatchError

X = np.arange(8, dtype="float32").reshape(4, 2) / 8


class Objects:
    """A training with two optimizers, a module and a metric."""

    def __init__(self) -> None:
        class Part(tf.Module):
            def __init__(self):
                super().__init__()
                self.w = tf.Variable([0.0, 0.0])
                self.listed = [tf.Variable(0.0), tf.Variable(0.0)]
                self.named = {"a": tf.Variable(0)}

        class Net(tf.keras.Model):
            def __init__(self):
                super().__init__()
                self.first = tf.keras.layers.Dense(3, activation="tanh")
                self.last = tf.keras.layers.Dense(2)

            def call(self, x):
                return self.last(self.first(x))

        self.net, self.part, self.step = Net(), Part(), tf.Variable(0)
        self.other = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(2)])
        self.net(X)
        self.adam = tf.keras.optimizers.Adam(0.1)
        self.sgd = tf.keras.optimizers.SGD(0.1, momentum=0.9)
        self.mean = tf.keras.metrics.Mean()

    def checkpoint(self) -> Any:
        return tf.train.Checkpoint(**vars(self))

    def train(self) -> list[float]:
        losses = []
        for net, optimizer in ((self.net, self.adam), (self.other, self.sgd)):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((net(X) - 1.0) ** 2)
            grads = tape.gradient(loss, net.trainable_variables)
            optimizer.apply_gradients(zip(grads, net.trainable_variables))
            losses.append(float(loss.numpy()))
        return losses


def test_a_training_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    one = Objects()
    one.train(), one.train()
    one.part.w.assign([1.0, 2.0])
    one.part.listed[1].assign(4.0)
    one.part.named["a"].assign(5)
    one.mean.update_state(3.0)
    one.step.assign(7)
    path = one.checkpoint().save(str(tmp_path / "ckpt"))
    wanted = one.train(), one.train()

    other = Objects()  # whose optimizers have no state yet
    checkpoint = other.checkpoint()
    checkpoint.restore(path).assert_consumed()
    np.testing.assert_allclose((other.train(), other.train()), wanted, rtol=1e-5)
    assert other.part.w.numpy().tolist() == [1.0, 2.0] and int(other.step.numpy()) == 7
    assert float(other.part.listed[1].numpy()) == 4.0 and int(other.part.named["a"].numpy()) == 5
    assert float(other.mean.result().numpy()) == 3.0 and int(other.adam.iterations.numpy()) == 4
    assert int(checkpoint.save_counter.numpy()) == 1


def test_names_in_the_file_are_tensorflows(tmp_path: Path) -> None:
    one = Objects()
    one.train()
    path = one.checkpoint().write(tmp_path / "ckpt")
    names = dict(tf.train.list_variables(path))
    end = "/.ATTRIBUTES/VARIABLE_VALUE"
    # Read off a file of TensorFlow 2.15.1 of the same objects.
    for name, shape in {
        "net/first/kernel": [2, 3], "other/layer_with_weights-0/bias": [2], "part/listed/1": [],
        "part/named/a": [], "mean/total": [], "adam/_variables/1": [2, 3], "adam/_iterations": [],
        "sgd/_variables/2": [2], "adam/_learning_rate": [], "save_counter": [],
    }.items():  # fmt: skip
        assert names[name + end] == shape
    reader = tf.train.load_checkpoint(path)
    assert reader.get_variable_to_dtype_map()["save_counter" + end] == "int64"
    assert reader.get_tensor("step" + end) == 0 and not reader.has_tensor("nothing")


def test_a_manager_keeps_the_newest_and_goes_on(tmp_path: Path) -> None:
    step = tf.Variable(0)
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(step=step), tmp_path, max_to_keep=2)
    assert manager.latest_checkpoint is None and manager.restore_or_initialize() is None
    for _ in range(3):
        step.assign_add(1)
        manager.save()
    (tmp_path / "ckpt-3.index.txt").write_text("mine")
    names = [Path(path).name for path in manager.checkpoints]
    assert names == ["ckpt-2", "ckpt-3"] and not (tmp_path / "ckpt-1.index").exists()
    assert tf.train.latest_checkpoint(tmp_path) == str(tmp_path / "ckpt-3")

    again = tf.Variable(0)
    checkpoint = tf.train.Checkpoint(step=again)
    other = tf.train.CheckpointManager(checkpoint, str(tmp_path), max_to_keep=1)
    assert other.restore_or_initialize() == str(tmp_path / "ckpt-3") and int(again.numpy()) == 3
    other.save()
    assert sorted(p.name for p in tmp_path.glob("*.index")) == ["ckpt-4.index"]
    assert (tmp_path / "ckpt-3.index.txt").exists()


def test_a_manager_waits_for_its_interval(tmp_path: Path) -> None:
    step = tf.Variable(0)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(step=step), tmp_path, 3, step_counter=step, checkpoint_interval=5
    )
    found = []
    for _ in range(7):
        step.assign_add(1)
        found.append(manager.save())
    assert [Path(path).name for path in found if path] == ["ckpt-1", "ckpt-6"]


def test_what_does_not_match_is_told(tmp_path: Path) -> None:
    one = tf.train.Checkpoint(a=tf.Variable([1.0]), b=tf.Variable(2.0))
    path = one.save(tmp_path / "ckpt")
    part = tf.train.Checkpoint(a=tf.Variable([0.0]))
    part.restore(path).expect_partial().assert_existing_objects_matched()
    with pytest.raises(WeightsMismatchError, match="b/.ATTRIBUTES"):
        part.restore(path).assert_consumed()
    more = tf.train.Checkpoint(a=tf.Variable([0.0]), c=tf.Variable(9.0))
    with pytest.warns(UserWarning, match="nothing for c"):
        status = more.restore(path)
    with pytest.raises(WeightsMismatchError, match="nothing for c"):
        status.assert_existing_objects_matched()
    with pytest.raises(WeightsMismatchError, match=r"\(2,\).*\(1,\)"):
        tf.train.Checkpoint(a=tf.Variable([1.0, 2.0])).restore(path)
    with pytest.raises(tf.errors.NotFoundError, match="latest_checkpoint"):
        one.restore(tmp_path / "nothing")
    with pytest.raises(ArgumentError, match=r"tf\.Variable"):
        tf.train.Checkpoint(step=3)
    for name in ("_a", "save", "save_counter"):  # would be lost, or stand in the way
        with pytest.raises(ArgumentError, match=f"must be free.*'{name}'"):
            tf.train.Checkpoint(**{name: tf.Variable(1.0)})
    with pytest.raises(WeightsMismatchError, match="None for its path"):
        one.restore(None).assert_consumed()


def test_a_compiled_model_brings_its_optimizer_and_iterators_are_told(tmp_path: Path) -> None:
    def made() -> Any:
        net = tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(2)])
        net.compile(tf.keras.optimizers.Adam(0.1), "mse")
        return net

    net = made()
    net.fit(X, X, verbose=0)
    path = tf.train.Checkpoint(net=net).save(tmp_path / "ckpt")
    other = made()
    tf.train.Checkpoint(net=other).restore(path).assert_consumed()
    for model in (net, other):
        model.fit(X, X, verbose=0, shuffle=False)
    np.testing.assert_allclose(other.get_weights()[0], net.get_weights()[0], rtol=1e-6)
    with pytest.warns(UserWarning, match="iterator"):
        tf.train.Checkpoint(it=iter(tf.data.Dataset.range(3)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tf.train.Checkpoint(root=net, listed=[])
