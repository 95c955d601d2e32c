"""A loss that stops being a number is told with its step, and the last good weights are kept."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre as keras
from nacre import layers
from nacre.callbacks import Callback, LambdaCallback, TerminateOnNaN
from nacre.core.errors import NonFiniteError
from nacre.training import last_good

GENERATOR = np.random.default_rng(0)
X = GENERATOR.random((40, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)
SPOILED = X.copy()
SPOILED[25] = np.nan  # the sixth batch of five, step 6
UNSEEN = -7.0  # a target that makes a gradient, not the loss, NaN


def own_loss(y_true, y_pred):
    extra = jax.lax.cond(
        jnp.any(y_true == UNSEEN), lambda: jnp.sum(jnp.sqrt(0 * y_pred)), lambda: jnp.float32(0)
    )
    return jnp.mean((jnp.where(y_true == UNSEEN, y_pred, y_true) - y_pred) ** 2) + extra


def make(optimizer="adam", loss="mse", **compiled):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, activation="tanh"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer, loss, **compiled)
    return model


def train(model, x=SPOILED, y=Y, **arguments):
    arguments = {"batch_size": 5, "shuffle": False, "verbose": 0, **arguments}
    return model.fit(x, y, **arguments)


def assert_equal(one, other):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=5e-6)
    states = (one.optimizer.variables, other.optimizer.variables)
    for a, b in zip(*states, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=5e-6)


@pytest.fixture(scope="module")
def five_steps():
    """The model after the steps before the one that spoils it."""
    model = make()
    train(model, X[:25], Y[:25])
    return model


@pytest.mark.parametrize("way", ["resident", "streamed", "hooks", "single", "batches"])
def test_the_weights_before_the_step_are_kept(way, five_steps, monkeypatch):
    model = make(steps_per_execution={"resident": 8, "single": 1}.get(way))
    if way == "streamed":
        monkeypatch.setenv("NACRE_DEVICE_BUDGET_BYTES", "0")
    callbacks = [LambdaCallback(on_train_batch_end=lambda *_: None)] if way == "hooks" else []
    pairs = ((SPOILED[i : i + 5], Y[i : i + 5]) for i in range(0, 40, 5))
    data = {"x": pairs, "y": None, "batch_size": None} if way == "batches" else {}
    with pytest.raises(NonFiniteError, match="step 6 of the epoch, epoch 1.*from before it"):
        train(model, callbacks=callbacks, **data)
    assert_equal(model, five_steps)
    assert model.optimizer.iterations.numpy() == 5


@pytest.mark.parametrize("cause", ["data", "loss", "gradient"])
def test_an_epoch_of_one_step_goes_back_by_itself(cause):
    # The same as where the rows are two batches, and a copy of the weights is kept.
    x, y = X[:5].copy(), Y[:5].copy()
    if cause == "data":
        x[3] = np.nan
    elif cause == "loss":
        y[3] = np.inf
    else:
        y[3] = UNSEEN
    model, other = make("adam", own_loss), make("adam", own_loss)
    for one in (model, other):
        train(one, X[:5], Y[:5], epochs=2)
    rule = "gradients" if cause == "gradient" else "loss"
    where = "step 1 of the epoch, epoch 1; x holds nan in row 3" if cause == "data" else "step 1"
    with pytest.raises(NonFiniteError, match=f"the {rule} must stay.*{where}.*from before it"):
        train(model, x, y, epochs=3)
    assert_equal(model, other)
    train(model, X[:5], Y[:5])
    assert model.optimizer.iterations.numpy() == 3


def test_an_epoch_of_one_step_can_be_let_go_without_the_step():
    class GoesOn(Callback):
        def on_non_finite_loss(self, step, logs=None):
            self.model.layers[0].kernel.assign(start)

    model = make()
    start = model.layers[0].kernel.numpy()
    spoiled = start.copy()
    spoiled[0, 0] = np.nan

    class Spoils(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.layers[0].kernel.assign(spoiled)

    history = train(model, X[:5], Y[:5], epochs=4, callbacks=[Spoils(), GoesOn()])
    assert [bool(np.isnan(loss)) for loss in history.history["loss"]] == [False, True, False, False]
    assert model.optimizer.iterations.numpy() == 3


def _with_a_weight_that_no_step_reads():
    class Keeps(layers.Layer):
        def build(self, shape):
            self.used = self.add_weight(shape=(), initializer="ones")
            self.aside = self.add_weight(shape=(2,), initializer="zeros")

        def call(self, x):
            return x * self.used

    model = keras.Sequential([keras.Input((3,)), Keeps(), layers.Dense(1)])
    model.compile("sgd", own_loss)
    return model, model.layers[0].aside


@pytest.mark.parametrize("rows", [5, 10])  # an epoch of one step, and of two
def test_what_was_not_finite_before_a_step_is_not_its_fault(rows):
    model, aside = _with_a_weight_that_no_step_reads()
    aside.assign([np.nan, 1.0])
    before = model.layers[1].kernel.numpy()
    train(model, X[:rows], Y[:rows], epochs=3)
    assert not np.allclose(model.layers[1].kernel.numpy(), before)
    y = Y[:rows].copy()
    y[3] = np.inf
    with pytest.raises(NonFiniteError, match="the loss must stay"):
        train(model, X[:rows], y)


def test_one_small_batch_is_trained_on_as_it_is_at_each_fit():
    x, y = X[:5].copy(), Y[:5].copy()
    model, other = make("sgd"), make("sgd")
    for one in (model, other):  # the same draws of dropout
        keras.utils.set_random_seed(5)
        for step in range(3):
            x[:] = X[5 * step : 5 * step + 5]
            y[:] = Y[5 * step : 5 * step + 5]
            one.fit(x, y, batch_size=5 if one is model else 64, shuffle=False, verbose=0)
            x[:] = np.nan  # what was handed over is nobody else's
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert_equal(model, other)


def test_training_goes_on_after_the_error(five_steps):
    model = make()
    with pytest.raises(NonFiniteError):
        train(model)
    train(model, X, Y)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_a_gradient_that_is_not_finite_is_told_where_it_came():
    y = Y.copy()
    y[12] = UNSEEN  # step 3
    model, other = make("sgd", own_loss), make("sgd", own_loss)
    with pytest.raises(NonFiniteError, match="gradients must stay.*step 3 of the epoch"):
        train(model, X, y)
    train(other, X[:10], Y[:10])
    assert_equal(model, other)


def test_a_gradient_of_the_last_step_is_not_left_unsaid():
    y = Y.copy()
    y[-1] = UNSEEN
    model = make("sgd", own_loss)
    with pytest.raises(NonFiniteError, match="gradients must stay.*step 8 of the epoch, epoch 2"):
        train(model, X, y, epochs=2, initial_epoch=1)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_changes_of_callbacks_between_epochs_are_part_of_the_way_back():
    def rate(epoch, rate):
        return 0.1 / (epoch + 1)

    class Shifts(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            kernel = self.model.layers[0].kernel
            kernel.assign(kernel.numpy() + 0.125)
            if self.spoils and epoch == 2:
                kernel.assign(np.full(kernel.shape, np.nan))

    one, other = make(), make()
    for model, spoils, epochs in ((one, True, 4), (other, False, 2)):
        shifts = Shifts()
        shifts.spoils = spoils
        callbacks = [keras.callbacks.LearningRateScheduler(rate), shifts]
        if spoils:
            with pytest.raises(NonFiniteError, match="step 1 of the epoch, epoch 3"):
                train(model, X, Y, callbacks=callbacks, epochs=epochs)
        else:
            train(model, X, Y, callbacks=callbacks, epochs=epochs)
    # What a callback spoiled itself is its own: only the training's steps are taken back.
    assert np.isnan(one.layers[0].kernel.numpy()).all()
    for a, b in zip(one.layers[-1].get_weights(), other.layers[-1].get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_terminate_on_nan_keeps_the_good_weights_and_the_record(five_steps, capsys):
    model = make()
    history = train(model, epochs=3, callbacks=[TerminateOnNaN()])
    assert history.epoch == [0] and np.isnan(history.history["loss"][0])
    assert "The loss is nan at step 6" in capsys.readouterr().out
    assert_equal(model, five_steps)


def test_a_callback_may_let_training_go_on_without_the_step():
    class GoesOn(Callback):
        def __init__(self):
            self.steps = []

        def on_non_finite_loss(self, step, logs=None):
            self.steps.append(step)

    model, callback = make(steps_per_execution=1), GoesOn()
    history = train(model, callbacks=[callback], epochs=2)
    assert callback.steps == [5, 5] and history.epoch == [0, 1]
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert model.optimizer.iterations.numpy() == 14


def test_a_loss_scale_that_overflows_is_the_optimizers_own_matter():
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), initial_scale=1e38)
    model = make(scaled)
    train(model, X * 100, Y * 100)
    assert all(np.isfinite(w).all() for w in model.get_weights())


class Lookahead(keras.optimizers.SGD):
    """An optimizer of a user's, which has another one inside, and no scale."""

    def __init__(self, inner_optimizer, **arguments):
        super().__init__(**arguments)
        self.inner_optimizer = inner_optimizer


def test_an_optimizer_with_another_one_inside_does_not_hide_nan():
    with pytest.raises(NonFiniteError, match=r"step 6 .*from before it"):
        train(make(Lookahead(keras.optimizers.SGD(0.01), learning_rate=0.01)))


def test_an_optimizer_of_a_users_may_say_that_it_skips_such_steps():
    class Skipping(keras.optimizers.SGD):
        skips_non_finite_steps = True

        def update_step(self, gradient, variable, learning_rate):
            super().update_step(jnp.nan_to_num(gradient), variable, learning_rate)

    history = train(make(Skipping(0.01)))
    assert np.isnan(history.history["loss"]).all()


def test_a_model_too_large_for_a_copy_is_told_so(monkeypatch):
    monkeypatch.setattr(last_good, "_BUDGET_BYTES", 10)
    with pytest.raises(NonFiniteError, match=r"step 6 .*weights may be spoiled"):
        train(make())


def test_the_memory_of_copies_belongs_to_one_run_at_a_time(monkeypatch):
    memory = last_good.CopyMemory()
    assert memory.take() is None
    arrays = {"trainable": [np.zeros(3, "float32")]}
    memory.give_back(arrays)
    assert memory.take() is arrays
    assert memory.take() is None
    monkeypatch.setattr(last_good, "_KEPT_BYTES", 11)
    memory.give_back(arrays)
    assert memory.take() is None


def test_one_fit_copies_into_the_memory_of_the_last(monkeypatch):
    empty_like, made = np.empty_like, []
    monkeypatch.setattr(
        last_good.np, "empty_like", lambda a: made.append(a.nbytes) or empty_like(a)
    )
    model = make()
    train(model, X, Y)
    first = len(made)
    train(model, X, Y)
    assert 0 < first == len(made)
    with pytest.raises(NonFiniteError, match="step 6 "):
        train(model)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_copies_are_taken_seldom(monkeypatch):
    taken = []
    copy = last_good.LastGood.copy

    def counted(self, *arguments):
        taken.append(1)
        return copy(self, *arguments)

    monkeypatch.setattr(last_good.LastGood, "copy", counted)
    monkeypatch.setattr(last_good, "_LEAST_SECONDS", 60.0)
    train(make(), X, Y, epochs=5)
    assert len(taken) == 1


def test_a_loss_that_is_not_finite_is_seen_before_the_weights_after_it_are_kept_as_good(
    monkeypatch,
):
    """Batches come one by one and their losses are looked at later; the weights stay finite."""
    monkeypatch.setattr(last_good, "_LEAST_SECONDS", 0.0)
    monkeypatch.setattr(last_good, "_SHARE", 1e9)
    monkeypatch.setattr("nacre.training.pace.SEEN_SECONDS", 100.0)
    x = np.ones((4, 1), "float32")

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 8

        def __getitem__(self, index):
            return x, np.full((4, 1), 9.0 if index == 2 else 0.0, "float32")

    def loss(y, p):
        return keras.ops.where(y > 5.0, np.inf, (y - p) ** 2)

    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), loss)
    with pytest.raises(NonFiniteError, match="step 3 of the epoch.*from before it"):
        model.fit(Batches(), shuffle=False, verbose=0)
    assert int(model.optimizer.iterations) == 2
