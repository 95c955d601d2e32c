"""Gradients gathered over several calls: one update each time, and nothing moves in between."""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from nacre import layers, optimizers
from nacre.core.variable import Variable
from tests.contracts.test_optimizer_contract import MAKERS

K = 3
RNG = np.random.default_rng(7)
GRADIENTS = [RNG.normal(size=(2, 3)).astype("float32") for _ in range(4 * K)]
MEANS = [np.mean(GRADIENTS[i : i + K], axis=0) for i in range(0, 4 * K, K)]
START = np.array([[1.0, -2.0, 0.5], [0.3, 0.1, -1.0]], "float32")


def weight(name="kernel"):
    return Variable(START, name=name)


def run(optimizer, gradients):
    """The weight after each call."""
    own = weight()
    seen = []
    for gradient in gradients:
        optimizer.apply([gradient], [own])
        seen.append(own.numpy())
    return seen


def falling(step):
    return 0.1 / (1.0 + step)


class Falling(optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return falling(nacre.ops.cast(step, "float32"))

    def get_config(self):
        return {}


SETTINGS = {
    "plain": {},
    "schedule": {"learning_rate": Falling},
    "averages": {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 2},
    "clipnorm": {"clipnorm": 0.4},
    "global_clipnorm": {"global_clipnorm": 0.4},
    "clipvalue": {"clipvalue": 0.2, "weight_decay": 0.1},
}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("setting", ["schedule", "averages"])
def test_calls_that_accumulate_equal_one_big_batch(name, setting):
    arguments = {k: v() if k == "learning_rate" else v for k, v in SETTINGS[setting].items()}
    whole = MAKERS[name](**arguments)
    parts = MAKERS[name](**arguments, gradient_accumulation_steps=K)
    expected = run(whole, MEANS)
    np.testing.assert_allclose(run(parts, GRADIENTS)[K - 1 :: K], expected, rtol=2e-5, atol=2e-6)
    assert int(parts.iterations) == int(whole.iterations) == len(MEANS)


def plain_sgd(setting, momentum=0.9):
    """SGD with momentum, written again in NumPy, one update a mean."""
    given = SETTINGS[setting]
    w, m = START.astype("float64"), np.zeros((2, 3))
    average = w
    for step, g in enumerate(np.float64(MEANS)):
        norm = np.linalg.norm(g)
        limit = given.get("clipnorm", given.get("global_clipnorm", np.inf))
        g = g * min(1.0, limit / norm)
        g = np.clip(g, -given.get("clipvalue", np.inf), given.get("clipvalue", np.inf))
        rate = falling(step) if "learning_rate" in given else 0.1
        w = w - w * rate * given.get("weight_decay", 0.0)
        m = momentum * m - rate * g
        w = w + m
        if "use_ema" in given:
            average = w if step == 0 else 0.7 * average + 0.3 * w
            if (step + 1) % 2 == 0:
                w = average
    return w, average


@pytest.mark.parametrize("setting", SETTINGS)
def test_clipping_decay_schedule_and_averages_act_on_the_mean_once(setting):
    arguments = {"learning_rate": 0.1, **SETTINGS[setting]}
    if "learning_rate" in SETTINGS[setting]:
        arguments["learning_rate"] = Falling()
    optimizer = optimizers.SGD(momentum=0.9, gradient_accumulation_steps=K, **arguments)
    expected, average = plain_sgd(setting)
    np.testing.assert_allclose(run(optimizer, GRADIENTS)[-1], expected, rtol=1e-5)
    if "use_ema" in arguments:
        np.testing.assert_allclose(optimizer.moving_averages[0].numpy(), average, rtol=1e-5)


def test_nothing_moves_between_updates():
    optimizer = optimizers.Adam(
        0.1, use_ema=True, ema_momentum=0.5, gradient_accumulation_steps=K, weight_decay=0.1
    )
    own = Variable(START, name="kernel")
    own.constraint = nacre.constraints.NonNeg()
    seen = []
    for gradient in GRADIENTS[: 2 * K]:
        optimizer.apply([gradient], [own])
        seen.append((own.numpy(), optimizer.moving_averages[0].numpy()))
    np.testing.assert_array_equal(seen[0][0], START)  # not even the constraint
    np.testing.assert_array_equal(seen[K][0], seen[K - 1][0])
    np.testing.assert_array_equal(seen[K + 1][1], seen[K - 1][1])
    assert not np.array_equal(seen[2 * K - 1][1], seen[K - 1][1])
    assert seen[-1][0].min() >= 0


def test_a_schedule_reads_updates_and_so_does_learning_rate():
    optimizer = optimizers.SGD(Falling(), gradient_accumulation_steps=K)
    run(optimizer, GRADIENTS[: 2 * K + 1])
    assert int(optimizer.iterations) == 2
    np.testing.assert_allclose(float(optimizer.learning_rate), falling(2), rtol=1e-6)


def test_a_variable_without_gradient_in_the_last_call_keeps_what_came_before():
    first, second, never = weight("first"), weight("second"), weight("never")
    optimizer = optimizers.Adam(0.1, gradient_accumulation_steps=2, weight_decay=0.1)
    optimizer.build([first, second, never])
    alone = optimizers.Adam(0.1, weight_decay=0.1)
    alone_too = weight()
    for one, two in zip(GRADIENTS[:4:2], GRADIENTS[1:4:2], strict=True):
        optimizer.apply([one], [first])
        optimizer.apply([two], [second])
        alone.apply([one / 2], [alone_too])
    np.testing.assert_allclose(first.numpy(), alone_too.numpy(), rtol=1e-5)
    assert not np.array_equal(second.numpy(), START)
    np.testing.assert_array_equal(never.numpy(), START)


def test_the_keras_way_of_subclassing_counts_updates_too():
    class Plain(optimizers.Optimizer):
        def update_step(self, gradient, variable, learning_rate):
            share = learning_rate / nacre.ops.cast(self.iterations + 1, "float32")
            variable.assign(variable.value - share * gradient)

    optimizer = Plain(Falling(), gradient_accumulation_steps=K)
    expected = START - sum(falling(i) / (i + 1) * g for i, g in enumerate(MEANS))
    np.testing.assert_allclose(run(optimizer, GRADIENTS)[-1], expected, rtol=1e-5)


@pytest.mark.parametrize("dynamic", [False, True])
def test_accumulation_under_a_loss_scale_sums_unscaled_gradients(dynamic):
    inner = {"learning_rate": Falling(), "gradient_accumulation_steps": K, "clipvalue": 0.2}
    if dynamic:
        optimizer = optimizers.LossScaleOptimizer(
            optimizers.SGD(**inner), initial_scale=8.0, dynamic_growth_steps=2
        )
    else:
        optimizer = optimizers.SGD(**inner, loss_scale_factor=8.0)
    own = weight()
    optimizer.build([own])
    for call, gradient in enumerate(GRADIENTS):
        if dynamic and call == 4:  # an overflow is left out, and counts neither as call nor update
            before = own.numpy()
            optimizer.apply([np.full((2, 3), np.inf, "float32")], [own])
            np.testing.assert_array_equal(own.numpy(), before)
        scale = float(optimizer.scale_loss(np.float32(1.0)))
        optimizer.apply([gradient * scale], [own])
    expected = START - sum(falling(i) * np.clip(g, -0.2, 0.2) for i, g in enumerate(MEANS))
    np.testing.assert_allclose(own.numpy(), expected, rtol=1e-5)
    assert int(optimizer.iterations) == len(MEANS)


def test_optimizers_of_parts_count_their_own_updates():
    slow, fast = weight("slow"), weight("fast")
    slow.path, fast.path = "slow/kernel", "fast/kernel"
    optimizer = optimizers.MultiOptimizer(
        optimizers.OptimizerMap(
            optimizers.SGD(Falling(), gradient_accumulation_steps=K), {"fast/.*": optimizers.SGD(1)}
        )
    )
    for gradient in GRADIENTS[:K]:
        optimizer.apply([gradient, gradient], [slow, fast])
    np.testing.assert_allclose(slow.numpy(), START - 0.1 * MEANS[0], rtol=1e-5)
    np.testing.assert_allclose(fast.numpy(), START - sum(GRADIENTS[:K]), rtol=1e-5)
    assert int(optimizer.iterations) == K


@pytest.mark.parametrize("skipped", [False, True])
def test_averages_are_not_put_in_place_before_there_are_any(skipped):
    own = weight()
    optimizer = optimizers.SGD(0.1, use_ema=True, gradient_accumulation_steps=K)
    gradient = GRADIENTS[0]
    if skipped:  # every step of a loss scale that is too large is left out
        optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(0.1, use_ema=True))
        optimizer.scale_loss(1.0)
        gradient = np.full((2, 3), np.nan, "float32")
    optimizer.apply([gradient], [own])
    optimizer.finalize_variable_values([own])
    np.testing.assert_array_equal(own.numpy(), START)


@pytest.mark.parametrize("scaled", [False, True])
def test_a_variable_that_takes_its_gradient_as_value_takes_it_in_every_call_as_it_is(scaled):
    own, amax = weight(), Variable(np.ones(2, "float32"), name="amax")
    amax.overwrite_with_gradient = True
    optimizer = optimizers.SGD(
        0.1, loss_scale_factor=4.0, global_clipnorm=1.0, gradient_accumulation_steps=2
    )
    if scaled:
        optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(0.1, global_clipnorm=1.0), 4.0)
    assert optimizer.scale_loss(1.0) == 4.0
    small = np.full((2, 3), 0.01, "float32")
    for value in ([5.0, 6.0], [7.0, 8.0]):
        optimizer.apply([small * 4.0, np.array(value, "float32")], [own, amax])
        np.testing.assert_array_equal(amax.numpy(), value)
    updates = 2 if scaled else 1
    np.testing.assert_allclose(own.numpy(), START - updates * 0.1 * small, rtol=1e-5)


# ---------------------------------------------------------------- in fit, and in files


def model_with(optimizer):
    nacre.utils.set_random_seed(3)
    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(1)])
    model.compile(optimizer=optimizer, loss="mse")
    return model


X = RNG.normal(size=(24, 3)).astype("float32")
Y = RNG.normal(size=(24, 1)).astype("float32")


def adam(**kwargs):
    return optimizers.Adam(Falling(), clipnorm=0.5, weight_decay=0.01, **kwargs)


def test_fit_with_accumulation_equals_fit_with_large_batches():
    parts, whole = model_with(adam(gradient_accumulation_steps=K)), model_with(adam())
    whole.fit(X, Y, batch_size=12, epochs=3, shuffle=False, verbose=0)
    parts.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0)
    for a, b in zip(parts.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_sums_go_on_over_epochs_and_files_and_the_last_group_waits(tmp_path):
    # 2 batches an epoch, 3 a group: the first update is made in the second epoch.
    straight = model_with(adam(gradient_accumulation_steps=K))
    start = straight.get_weights()
    straight.fit(X[:8], Y[:8], batch_size=4, epochs=1, shuffle=False, verbose=0)
    np.testing.assert_array_equal(straight.get_weights()[0], start[0])
    straight.save(tmp_path / "middle.keras")
    with nacre.utils.custom_object_scope({"Falling": Falling}):
        resumed = nacre.models.load_model(tmp_path / "middle.keras")
    for model in (straight, resumed):
        model.fit(X[:8], Y[:8], batch_size=4, epochs=3, shuffle=False, verbose=0)
        assert int(model.optimizer.iterations) == 2  # 8 calls: two updates, two calls wait
    for a, b in zip(straight.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(straight.get_weights()[0], start[0])


def test_averages_shown_at_an_epochs_end_before_any_update_leave_the_weights():
    swap = nacre.callbacks.SwapEMAWeights(swap_on_epoch=True)
    model = model_with(optimizers.SGD(0.1, use_ema=True, gradient_accumulation_steps=50))
    start = model.get_weights()
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[swap], validation_data=(X, Y))
    np.testing.assert_array_equal(model.get_weights()[0], start[0])
