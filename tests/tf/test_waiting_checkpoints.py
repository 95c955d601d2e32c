"""`tf.train.Checkpoint.restore` before variables are there: they take their values when made."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre.tf as tf
from nacre.core.errors import WeightsMismatchError

X = np.arange(8, dtype="float32").reshape(4, 2) / 8


def made_net(units: int = 2, has_more: bool = False) -> Any:
    """A model with layers in attributes, in a list and in a layer of the user's."""

    class Scaled(tf.keras.layers.Layer):
        """A user's layer with a weight of its own and a layer that its first call builds."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = tf.keras.layers.Dense(3)

        def build(self, input_shape: Any) -> None:
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")

        def call(self, x: Any) -> Any:
            return self.inner(x) * self.scale

    class Net(tf.keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.scaled = Scaled()
            self.blocks = [tf.keras.layers.Dense(4, "tanh"), tf.keras.layers.BatchNormalization()]
            self.last = tf.keras.Sequential(
                [tf.keras.layers.Dense(3), tf.keras.layers.Dense(units)]
            )
            if has_more:
                self.more = tf.keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            x = self.scaled(x)
            for block in self.blocks:
                x = block(x)
            return self.more(self.last(x)) if has_more else self.last(x)

    return Net()


def step_of(net: Any, optimizer: Any) -> Any:
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((net(X) - 1.0) ** 2)
    grads = tape.gradient(loss, net.trainable_variables)
    optimizer.apply_gradients(zip(grads, net.trainable_variables, strict=True))
    return loss


def stepped(net: Any, optimizer: Any) -> float:
    return float(step_of(net, optimizer).numpy())


@pytest.fixture
def trained(tmp_path: Path) -> tuple[str, np.ndarray, list[float]]:
    """A checkpoint after two steps, what the model gives there, and the losses of two more."""
    net, optimizer = made_net(), tf.keras.optimizers.Adam(0.1)
    for _ in range(2):
        stepped(net, optimizer)
    net.scaled.scale.assign(0.5)
    path = tf.train.Checkpoint(net=net, optimizer=optimizer).save(str(tmp_path / "ckpt"))
    outputs = net(X).numpy()
    return path, outputs, [stepped(net, optimizer) for _ in range(2)]


CALLS: dict[str, Callable[[Any], Any]] = {
    "a call": lambda net: net(X),
    "tf.function": lambda net: tf.function(net)(X),
    "predict": lambda net: tf.constant(net.predict(X, verbose=0)),
    "build": lambda net: (net.build((None, 2)), net(X))[1],
}


@pytest.mark.parametrize("way", CALLS)
def test_a_model_takes_its_values_when_it_is_built(way: str, trained: Any) -> None:
    path, outputs, _ = trained
    net = made_net()
    status = tf.train.Checkpoint(net=net).restore(path).expect_partial()
    assert not net.variables
    np.testing.assert_allclose(CALLS[way](net).numpy(), outputs, rtol=1e-5)
    np.testing.assert_allclose(net(X).numpy(), outputs, rtol=1e-5)  # and it stays so
    status.assert_existing_objects_matched()
    net.scaled.scale.assign(7.0)  # what is built takes nothing a second time
    net(X[:2])
    assert float(net.scaled.scale.numpy()) == 7.0


@pytest.mark.parametrize("is_traced", [False, True], ids=["eager", "tf.function"])
def test_an_optimizer_waits_for_the_variables_it_trained(trained: Any, is_traced: bool) -> None:
    path, _, losses = trained
    net, optimizer = made_net(), tf.keras.optimizers.Adam(0.1)
    status = tf.train.Checkpoint(net=net, optimizer=optimizer).restore(path)
    with pytest.raises(AssertionError, match="which no object has"):
        status.assert_consumed()  # nothing is there yet
    step = tf.function(step_of) if is_traced else step_of
    found = [float(step(net, optimizer).numpy()) for _ in range(2)]
    assert found == pytest.approx(losses, rel=1e-4)
    assert int(optimizer.iterations.numpy()) == 4


def test_fit_goes_on_from_a_checkpoint_of_a_model_that_is_not_built(tmp_path: Path) -> None:
    def made() -> Any:
        net = tf.keras.Sequential([tf.keras.layers.Dense(3), tf.keras.layers.Dense(2)])
        net.compile(tf.keras.optimizers.Adam(0.1), "mse")
        return net

    def losses(net: Any) -> list[float]:
        return net.fit(X, X, epochs=2, shuffle=False, verbose=0).history["loss"]

    one = made()
    losses(one)
    path = tf.train.Checkpoint(model=one).save(str(tmp_path / "ckpt"))
    wanted = losses(one)
    other = made()
    status = tf.train.Checkpoint(model=other).restore(path)
    assert losses(other) == pytest.approx(wanted, rel=1e-4)
    status.assert_existing_objects_matched()
    assert int(other.optimizer.iterations.numpy()) == 4


def test_all_is_consumed_once_it_is_built(trained: Any) -> None:
    path, _, _ = trained
    net, optimizer = made_net(), tf.keras.optimizers.Adam(0.1)
    checkpoint = tf.train.Checkpoint(net=net, optimizer=optimizer)
    status = checkpoint.restore(path)
    net(X)
    status.assert_consumed()


def test_another_shape_is_told_at_each_call_that_would_build(trained: Any) -> None:
    net = made_net(units=5)
    tf.train.Checkpoint(net=net).restore(trained[0]).expect_partial()
    for _ in range(2):
        with pytest.raises(WeightsMismatchError, match=r"\(3, 2\)|\(2,\)"):
            net(X)


def test_what_the_file_has_nothing_for_is_told_when_it_is_made(trained: Any) -> None:
    net = made_net(has_more=True)
    status = tf.train.Checkpoint(net=net).restore(trained[0])
    with pytest.warns(UserWarning, match="nothing for .*kernel"):
        net(X)
    with pytest.raises(AssertionError, match="nothing for"):
        status.assert_existing_objects_matched()


def test_attributes_that_come_after_restore_take_their_values(tmp_path: Path) -> None:
    class Line(tf.Module):
        def __call__(self, x: Any) -> Any:
            if not hasattr(self, "slope"):
                self.slope = tf.Variable(1.0)
            return self.slope * x

    line, layer = Line(), tf.train.Checkpoint(bias=tf.Variable(3.0), kernel=tf.Variable(4.0))
    line(1.0)
    line.slope.assign(2.0)
    path = tf.train.Checkpoint(line=line, layer=layer).save(str(tmp_path / "ckpt"))

    other, part = Line(), tf.train.Checkpoint(bias=tf.Variable(0.0))
    status = tf.train.Checkpoint(line=other, layer=part).restore(path)
    status.assert_existing_objects_matched()
    assert float(part.bias.numpy()) == 3.0
    kernel = tf.Variable(0.0)
    part.kernel = kernel
    assert float(kernel.numpy()) == 4.0 and float(other(1.0).numpy()) == 2.0
    status.assert_consumed()
    part.bias = tf.Variable(9.0)  # in place of what has its values: it keeps its own
    assert float(part.bias.numpy()) == 9.0


def holders() -> list[Any]:
    return [tf.train.Checkpoint(), tf.Module()]


@pytest.mark.parametrize("of", [0, 1])
@pytest.mark.parametrize("is_set_before", [True, False])
def test_lists_and_dicts_that_grow_after_restore(
    of: int, is_set_before: bool, tmp_path: Path
) -> None:
    saved = holders()[of]
    saved.row = [tf.Variable(1.0), tf.Variable(2.0), tf.Variable(3.0)]
    saved.named = {"one": saved.row[0], "inner": [tf.Variable([4.0, 5.0])]}
    path = tf.train.Checkpoint(of=saved).save(tmp_path / "ckpt")
    made, start = holders()[of], tf.Variable(0.0)
    if is_set_before:
        made.row, made.named = [start], {"inner": []}
    tf.train.Checkpoint(of=made).restore(path)
    if not is_set_before:
        made.row, made.named = [start], {"inner": []}
    made.row.append(tf.Variable(0.0))
    made.row += [tf.Variable(0.0)]
    made.named["inner"].append(tf.Variable([0.0, 0.0]))
    assert [float(v) for v in made.row] == [1.0, 2.0, 3.0]
    assert made.named["inner"][0].numpy().tolist() == [4.0, 5.0]
    made.row.append(tf.Variable(7.0))  # the file has none
    assert float(made.row[3]) == 7.0 and made.row[0] is start
    with pytest.raises(WeightsMismatchError, match="inner/0"):
        tf.train.Checkpoint(of=made).restore(saved_with_other_shapes(of, tmp_path))


def saved_with_other_shapes(of: int, folder: Path) -> str:
    saved = holders()[of]
    saved.named = {"inner": [tf.Variable([4.0])]}
    return tf.train.Checkpoint(of=saved).save(folder / "other")


def test_a_dict_takes_values_as_it_grows_and_is_copied_plain(tmp_path: Path) -> None:
    saved = tf.Module()
    saved.named = {"a": tf.Variable(1.0), "b": tf.Variable(2.0), "c": tf.Variable(3.0)}
    path = tf.train.Checkpoint(of=saved).save(tmp_path / "ckpt")
    made = tf.Module()
    made.named = {}
    status = tf.train.Checkpoint(of=made).restore(path)
    made.named.update(a=tf.Variable(0.0))
    found = made.named.setdefault("b", tf.Variable(0.0))
    with pytest.raises(AssertionError, match="named/c"):
        status.assert_consumed()
    made.named |= {"c": tf.Variable(0.0)}
    status.assert_consumed()
    assert found is made.named["b"] and [float(v) for v in made.named.values()] == [1.0, 2.0, 3.0]
    with tf.GradientTape() as tape:
        total = sum(v * v for v in made.named.values())
    assert {k: float(v) for k, v in tape.gradient(total, made.named).items()} == {
        "a": 2.0, "b": 4.0, "c": 6.0,
    }  # fmt: skip
    assert type(copy.copy(made.named)) is dict
    again = tf.train.Checkpoint(of=made).save(tmp_path / "again")
    assert dict(tf.train.list_variables(again))["of/named/c/.ATTRIBUTES/VARIABLE_VALUE"] == []


def made_when_called() -> Any:
    class Summed(tf.keras.layers.Layer):
        """A layer whose first call makes its variable and a layer."""

        def __init__(self) -> None:
            super().__init__()
            self.total, self.inner = None, None

        def call(self, x: Any) -> Any:
            if self.total is None:
                self.total = tf.Variable(tf.zeros([2]), trainable=False)
                self.inner = tf.keras.layers.Dense(2, kernel_initializer="zeros")
            self.total.assign_add(tf.reduce_sum(x, 0))
            return self.inner(x) + self.total

    return Summed()


@pytest.mark.parametrize("is_within", [False, True])
def test_what_the_first_call_of_a_layer_makes_takes_its_values(
    is_within: bool, tmp_path: Path
) -> None:
    saved, made = made_when_called(), made_when_called()
    saved(X)
    saved.inner.kernel.assign([[1.0, 2.0], [3.0, 4.0]])
    path = tf.train.Checkpoint(of=[saved]).save(tmp_path / "ckpt")
    status = tf.train.Checkpoint(of=[made]).restore(path)
    called = tf.keras.Sequential([made]) if is_within else made
    found, wanted = called(X), saved(X)
    status.assert_consumed()
    np.testing.assert_allclose(found, wanted)
    np.testing.assert_array_equal(made.total, saved.total)
