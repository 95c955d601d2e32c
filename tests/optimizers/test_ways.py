"""The ways to give an optimizer gradients, those of tf.keras 2 too, and what may be set meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from nacre import layers, optimizers
from nacre.core.errors import ArgumentError
from nacre.core.variable import Variable
from nacre.optimizers import SGD, Adam, LossScaleOptimizer, MultiOptimizer, OptimizerMap
from tests.contracts.test_optimizer_contract import MAKERS

ONES = np.ones(2, "float32")


def weight(name="weight"):
    return Variable(ONES, name=name)


def square(own):
    return lambda: nacre.ops.sum(own * own)


def test_pairs_come_from_a_list_a_zip_or_a_generator():
    for pairs_of in (
        lambda pairs: pairs,
        lambda pairs: zip(*zip(*pairs)),
        lambda pairs: (pair for pair in pairs),
    ):
        own, optimizer = [weight("a"), weight("b")], SGD(1.0)
        count = optimizer.apply_gradients(pairs_of([(ONES, own[0]), (2 * ONES, own[1])]))
        assert [v.numpy().tolist() for v in own] == [[0, 0], [-1, -1]] and int(count) == 1


def test_keywords_of_tf_keras_are_taken_and_others_refused():
    own, optimizer = weight(), SGD(1.0)
    pairs = optimizer.aggregate_gradients([(ONES, own)])
    optimizer.apply_gradients(
        pairs, name="step", skip_gradients_aggregation=True, experimental_aggregate_gradients=False
    )
    assert own.numpy().tolist() == [0, 0]
    with pytest.raises(ArgumentError, match="aggregate=False"):
        optimizer.apply_gradients(pairs, aggregate=False)


def test_no_pairs_are_no_step():
    optimizer = SGD(1.0)
    optimizer.apply_gradients([])
    optimizer.apply_gradients([(ONES, weight())])
    assert int(optimizer.iterations) == 1


def test_pairs_the_other_way_round_are_told():
    with pytest.raises(ArgumentError, match=r"pairs of a gradient and its variable.*zip\(grad"):
        SGD().apply_gradients([(weight(), ONES)])


def test_a_variable_that_two_models_share_is_updated_once():
    own, optimizer = weight(), SGD(0.25)
    with nacre.GradientTape() as tape:
        loss = square(own)()
    optimizer.apply_gradients(zip(tape.gradient(loss, [own, own]), [own, own]))
    np.testing.assert_array_equal(own.numpy(), 0.5 * ONES)
    optimizer.apply_gradients([(ONES, own), (ONES + 1, own)])  # two gradients add up
    np.testing.assert_array_equal(own.numpy(), -0.25 * ONES)


SCALING = {
    "none": lambda: SGD(0.25),
    "factor": lambda: SGD(0.25, loss_scale_factor=64.0),
    "dynamic": lambda: LossScaleOptimizer(SGD(0.25), initial_scale=64.0),
}


@pytest.mark.parametrize("scaling", SCALING)
def test_minimize_takes_the_loss_itself_whatever_the_loss_scale(scaling):
    own, optimizer = weight(), SCALING[scaling]()
    optimizer.minimize(square(own), [own])
    np.testing.assert_array_equal(own.numpy(), 0.5 * ONES)
    with nacre.GradientTape() as tape:
        loss = square(own)()
    optimizer.minimize(loss, lambda: [own], tape=tape)
    np.testing.assert_array_equal(own.numpy(), 0.25 * ONES)
    optimizer.minimize(square(own), own)
    np.testing.assert_array_equal(own.numpy(), 0.125 * ONES)
    optimizer.apply_gradients(optimizer.compute_gradients(square(own), [own]))
    np.testing.assert_array_equal(own.numpy(), 0.0625 * ONES)


def keras_3(optimizer, own):
    with nacre.GradientTape() as tape:
        loss = optimizer.scale_loss(square(own)())
    return tape.gradient(loss, [own])


def tf_keras_2(optimizer, own):
    with nacre.GradientTape() as tape:
        loss = optimizer.get_scaled_loss(square(own)())
    return optimizer.get_unscaled_gradients(tape.gradient(loss, [own]))


@pytest.mark.parametrize("gradients", [keras_3, tf_keras_2])
@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_tape_loop_with_a_loss_scale_is_the_loop_without(gradients, is_compiled):
    """The first scale is so large that some steps are left out until it has been halved."""
    own = Variable(ONES, dtype="float32", name="weight")
    optimizer = LossScaleOptimizer(SGD(0.25), initial_scale=2.0**127, dynamic_growth_steps=3)
    optimizer.build([own])

    def step():
        optimizer.apply_gradients(zip(gradients(optimizer, own), [own]))

    step = nacre.function(step) if is_compiled else step
    seen = []
    for _ in range(4):
        step()
        seen.append((own.numpy()[0], int(optimizer.iterations), float(optimizer.dynamic_scale)))
    assert seen == [
        (1.0, 0, 2.0**126),  # 2 * 2^127 overflows
        (0.5, 1, 2.0**126),
        (0.25, 2, 2.0**126),
        (0.125, 3, 2.0**127),
    ]


def test_gradients_of_a_loss_that_was_never_scaled_are_taken_as_they_are():
    own, optimizer = weight(), LossScaleOptimizer(SGD(0.25))
    with nacre.GradientTape() as tape:
        loss = square(own)()
    with pytest.warns(UserWarning, match=r"the loss should be scaled.*optimizer\.scale_loss\(loss"):
        optimizer.apply_gradients(zip(tape.gradient(loss, [own]), [own]))
    np.testing.assert_array_equal(own.numpy(), 0.5 * ONES)
    assert float(optimizer.dynamic_scale) == float(optimizer.loss_scale) == 2.0**15  # for a log
    with nacre.GradientTape() as tape:
        loss = square(own)()
    optimizer.apply_gradients(zip(tape.gradient(loss, [own]), [own]))
    np.testing.assert_array_equal(own.numpy(), 0.25 * ONES)
    optimizer.apply_gradients(zip(keras_3(optimizer, own), [own]))  # it is scaled from here on
    np.testing.assert_array_equal(own.numpy(), 0.125 * ONES)


class Steps(nacre.Model):
    """A step by hand as in tf.keras, which leaves the loss unscaled."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1, kernel_initializer="ones", dtype="float32")

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        x, y = data
        with nacre.GradientTape() as tape:
            loss = nacre.ops.mean((self(x, training=True) - y) ** 2)
        self.optimizer.apply_gradients(
            zip(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        )
        return {"loss": loss}


def test_a_step_by_hand_that_leaves_the_loss_unscaled_trains_all_the_same():
    x, y = np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")
    plain, scaled = Steps(), Steps()
    plain.compile(SGD(0.05))
    scaled.compile(LossScaleOptimizer(SGD(0.05)))
    plain.fit(x, y, epochs=2, batch_size=2, verbose=0)
    with pytest.warns(UserWarning, match="the loss should be scaled"):
        scaled.fit(x, y, epochs=2, batch_size=2, verbose=0)
    for a, b in zip(plain.get_weights(), scaled.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_a_loop_by_hand_after_a_fit_that_scaled_its_loss_is_told_too():
    x, y = np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")
    model = nacre.Sequential([nacre.Input((2,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile(LossScaleOptimizer(SGD(0.0)), "mse")
    model.fit(x, y, verbose=0)
    model.optimizer.learning_rate = 0.125
    with nacre.GradientTape() as tape:
        loss = nacre.ops.mean((model(x) - y) ** 2)
    own = model.trainable_variables
    with pytest.warns(UserWarning, match="the loss should be scaled"):
        model.optimizer.apply_gradients(zip(tape.gradient(loss, own), own))
    np.testing.assert_allclose(own[0].numpy(), 0.5)


def test_state_made_within_a_compiled_loop_is_that_made_before_it():
    optax, found = pytest.importorskip("optax"), []
    for is_built in (True, False):
        made = [make(use_ema=True) for make in MAKERS.values()]
        made.append(optimizers.get(optax.contrib.schedule_free_sgd(0.1)))
        own = [Variable(np.array([[1.0, -2.0]], "float32"), name="weight") for _ in made]
        if is_built:
            for optimizer, variable in zip(made, own):
                optimizer.build([variable])

        @nacre.function
        def step(own=own, made=made):
            with nacre.GradientTape() as tape:
                loss = sum(square(variable)() for variable in own)
            for optimizer, variable, slope in zip(made, own, tape.gradient(loss, own)):
                optimizer.apply_gradients([(slope, variable)])

        step(), step()
        states = [v for optimizer in made for v in optimizer.variables]
        found.append([v.numpy() for v in (*own, *states)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_old_arguments_and_attributes_of_a_loss_scale():
    optimizer = LossScaleOptimizer(SGD(), dynamic=True, initial_scale=8.0)
    assert float(optimizer.loss_scale) == float(optimizer.get_scaled_loss(lambda: 1.0)()) == 8.0
    assert (optimizer.dynamic, int(optimizer.dynamic_counter)) == (True, 0)
    with pytest.raises(ArgumentError, match=r"dynamic=False.*initial_scale=1024"):
        LossScaleOptimizer(SGD(), dynamic=False)


def test_a_loss_scale_that_stays_does_so_after_calm_and_after_wild_steps_and_in_files():
    made = LossScaleOptimizer(SGD(0.5), initial_scale=4.0, dynamic=False, dynamic_growth_steps=1)
    for optimizer in (made, LossScaleOptimizer.from_config(made.get_config())):
        variable = Variable([1.0])
        for slope in (1.0, np.inf, 1.0):
            gradients = optimizer.get_scaled_loss(np.array([slope], "float32"))
            optimizer.apply_gradients([(gradients, variable)])
        np.testing.assert_array_equal(variable.numpy(), [0.0])
        assert float(optimizer.loss_scale) == 4.0
        assert optimizer.dynamic_counter is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: LossScaleOptimizer(Adam()),
        lambda: MultiOptimizer(OptimizerMap(SGD(), {".*": Adam()})),
    ],
)
def test_weights_are_all_variables(make):
    optimizer = make()
    optimizer.build([weight()])
    assert [v.path for v in optimizer.weights] == [v.path for v in optimizer.variables]
    optimizer.set_weights(optimizer.get_weights())


def test_iterations_set_to_a_number_count_from_there():
    rate = optimizers.schedules.PiecewiseConstantDecay([9], [1.0, 0.5])
    own, optimizer = weight(), SGD(rate, gradient_accumulation_steps=2)
    for _ in range(3):  # one update, and one call that waits
        optimizer.apply([ONES], [own])
    np.testing.assert_array_equal(own.numpy(), 0 * ONES)
    optimizer.iterations = 10
    assert int(optimizer.iterations) == 10 and float(optimizer.learning_rate) == 0.5
    optimizer.apply([ONES], [own])
    np.testing.assert_array_equal(own.numpy(), 0 * ONES)  # what waited was dropped
    optimizer.apply([ONES], [own])
    np.testing.assert_array_equal(own.numpy(), -0.5 * ONES)
    with pytest.raises(ArgumentError, match="iterations must be an int from 0"):
        optimizer.iterations = -1


def test_a_rate_or_a_schedule_set_by_a_callback_holds_from_the_next_step():
    """A loss linear in the weight: each step moves it by the learning rate."""
    model = nacre.Sequential([nacre.Input((1,)), layers.Dense(1, use_bias=False)])
    model.set_weights([np.zeros((1, 1), "float32")])
    model.compile(SGD(1.0), lambda y_true, y_pred: nacre.ops.mean(y_pred))
    ten_to_one = optimizers.schedules.PiecewiseConstantDecay([6], [10.0, 100.0])

    class Set(nacre.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.optimizer.lr = 0.5
            elif epoch == 2:
                self.model.optimizer.learning_rate = ten_to_one

    x = np.ones((2, 1), "float32")
    model.fit(x, x, batch_size=1, epochs=4, verbose=0, callbacks=[Set()])
    # Steps 0 and 1, 2 and 3, then 4, 5, 6 and 7.
    assert model.get_weights()[0].item() == -(2 * 1.0 + 2 * 0.5 + 3 * 10.0 + 100.0)


LEGACY = {  # weights of TensorFlow 2.15.1 after five steps, from [1, -2, 0.5]
    "Adam": ({"learning_rate": 0.1, "decay": 0.1}, (0.8003102541, -1.8003150225, 0.3003110886)),
    "SGD": (
        {"learning_rate": 0.1, "decay": 0.5, "momentum": 0.9, "nesterov": True},
        (0.8021019697, -1.9604203701, 0.3812611997),
    ),
    "RMSprop": (
        {"learning_rate": 0.1, "momentum": 0.5, "centered": True},
        (0.7064071894, -1.7064383030, 0.2064093944),
    ),
    "Adagrad": ({"learning_rate": 0.1}, (0.9992428422, -2.0123414993, 0.5074945092)),
    "Adadelta": ({"learning_rate": 1.0}, (1.0010310411, -2.0010309219, 0.5010309816)),
    "Adamax": ({"learning_rate": 0.1}, (0.8177400231, -1.8177400827, 0.3177400231)),
    "Nadam": ({"learning_rate": 0.1}, (0.9962624311, -1.9962623119, 0.4962624013)),
    "Ftrl": ({"learning_rate": 0.1}, (0.4647204280, -0.1054163054, 0.1447563916)),
}


@pytest.mark.parametrize("name", LEGACY)
def test_legacy_optimizers_compute_what_those_of_tf_keras_did(name):
    arguments, expected = LEGACY[name]
    optimizer = getattr(optimizers.legacy, name)(**arguments)
    own = Variable(np.array([1.0, -2.0, 0.5], "float32"), name="weight")
    for step in range(5):
        gradient = np.array([0.5, -0.1, 0.3], "float32") * np.float32(np.cos(step))
        optimizer.apply_gradients([(gradient, own)])
    np.testing.assert_allclose(own.numpy(), expected, rtol=3e-5, atol=1e-5)


def test_legacy_and_experimental_names_are_all_here():
    assert set(optimizers.legacy.__all__) == set(LEGACY) | {"Optimizer"}
    assert set(optimizers.experimental.__all__) == set(LEGACY) | {"Optimizer", "AdamW", "Adafactor"}
    again = optimizers.deserialize(optimizers.serialize(optimizers.legacy.Nadam(0.1)))
    assert again.schedule_decay == 0.004


class HalvedInApply(SGD):
    def apply(self, grads, trainable_variables=None):
        super().apply([g * 0.5 for g in grads], trainable_variables)


class HalvedInPairs(SGD):
    def apply_gradients(self, grads_and_vars, **kwargs):
        return super().apply_gradients([(g * 0.5, v) for g, v in grads_and_vars], **kwargs)


class Both(HalvedInApply):
    def apply_gradients(self, grads_and_vars, **kwargs):
        return super().apply_gradients([(g * 2.0, v) for g, v in grads_and_vars], **kwargs)


@pytest.mark.parametrize(
    ("own", "share"), [(HalvedInApply, 0.5), (HalvedInPairs, 0.5), (Both, 1.0)]
)
@pytest.mark.parametrize(
    "around",
    [
        lambda inner: inner,
        lambda inner: LossScaleOptimizer(inner, initial_scale=4.0),
        lambda inner: MultiOptimizer(OptimizerMap(inner)),
    ],
)
def test_what_a_subclass_does_in_apply_it_does_in_fit_too(own, share, around):
    """A loss linear in the weight, so that a step is the share of the gradient that is left."""
    model = nacre.Sequential([nacre.Input((1,)), layers.Dense(1, use_bias=False)])
    model.set_weights([np.zeros((1, 1), "float32")])
    model.compile(around(own(1.0)), lambda y_true, y_pred: nacre.ops.mean(y_pred))
    x = np.ones((4, 1), "float32")
    model.fit(x, x, batch_size=1, verbose=0)
    assert model.get_weights()[0].item() == -4 * share
    weight_by_hand = weight()
    own(1.0).apply_gradients([(ONES, weight_by_hand)])
    np.testing.assert_array_equal(weight_by_hand.numpy(), ONES - share)
