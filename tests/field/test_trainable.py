"""Freezing and compiling again: what is trained, and what the optimizer keeps.

Real Keras 3.15 on JAX reads the flags when `fit` begins, as here, and fails within the step when an
optimizer knew other variables; tf.keras 2.15 keeps the flags of `compile`. Both let an optimizer
object that is compiled again go on counting.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import nacre
from nacre import layers, optimizers
from nacre.core.errors import NotCompiledError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(16, 3)).astype("float32"), RNG.normal(size=(16, 1)).astype("float32")


def make():
    nacre.utils.set_random_seed(1)
    return nacre.Sequential(
        [
            nacre.Input((3,)),
            layers.Dense(4, name="base"),
            layers.BatchNormalization(name="norm"),
            layers.Dense(1, name="head"),
        ]
    )


def moved(model, run=None):
    """Names of the layers whose weights a fit changes."""
    before = {v.path: v.numpy() for v in model.weights}
    (run or (lambda: model.fit(X, Y, batch_size=8, verbose=0)))()
    changed = {v.path.split("/")[-2] for v in model.weights if (v.numpy() != before[v.path]).any()}
    return sorted(changed)


def state_of(optimizer, variable):
    """The optimizer's slots of one variable."""
    index = next(i for i, v in enumerate(optimizer._trainable_variables) if v is variable)
    return [slot.numpy() for slot in optimizer._states[index] if slot is not None]


def test_flags_set_before_the_first_fit_hold():
    model = make()
    model.compile("adam", "mse")
    model.get_layer("base").trainable = False
    assert moved(model) == ["head", "norm"]


@pytest.mark.parametrize("first", [False, True], ids=["unfrozen", "frozen"])
def test_a_flag_changed_after_fit_is_refused_before_anything_changes(first):
    model = make()
    model.get_layer("base").trainable = first
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    model.get_layer("base").trainable = not first
    weights, what = model.get_weights(), "frozen" if first else "trainable"
    for run in (lambda: model.fit(X, Y, verbose=0), lambda: model.train_on_batch(X, Y)):
        with pytest.raises(
            NotCompiledError, match=rf"{what} since compile.*base/kernel.*compile\(\)"
        ):
            run()
    for a, b in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(a, b)
    model.get_layer("base").trainable = first  # as it was: nothing is in the way
    assert moved(model) == (["base", "head", "norm"] if first else ["head", "norm"])


@pytest.mark.parametrize(
    "make_optimizer",
    [
        lambda: optimizers.Adam(0.01),
        lambda: optimizers.SGD(0.01, momentum=0.9, use_ema=True),
        lambda: optimizers.Nadam(0.01, gradient_accumulation_steps=2),
        lambda: optimizers.LossScaleOptimizer(optimizers.Adam(0.01)),
        lambda: optimizers.MultiOptimizer(
            optimizers.OptimizerMap(optimizers.SGD(0.01), {".*head.*": optimizers.Adam(0.01)})
        ),
    ],
    ids=["adam", "ema", "accumulating", "scaled", "multi"],
)
def test_unfreeze_compile_the_same_optimizer_and_go_on(make_optimizer):
    model, optimizer = make(), make_optimizer()
    model.get_layer("base").trainable = False
    model.compile(optimizer, "mse")
    model.fit(X, Y, batch_size=8, verbose=0)
    iterations = int(optimizer.iterations)
    slots = {v.path: v.numpy() for v in optimizer.variables}
    model.get_layer("base").trainable = True
    model.compile(optimizer, "mse")
    optimizer_before = {}

    class Look(nacre.callbacks.Callback):
        def on_train_begin(self, logs=None):
            optimizer_before.update({v.path: v.numpy() for v in optimizer.variables})

    look = Look()
    run = lambda: model.fit(X, Y, batch_size=8, verbose=0, callbacks=[look])
    assert moved(model, run) == ["base", "head", "norm"]
    for path, value in slots.items():  # what was there is kept
        np.testing.assert_array_equal(optimizer_before[path], value)
    assert set(optimizer_before) - set(slots) or optimizer.__class__.__name__ == "MultiOptimizer"
    assert int(optimizer.iterations) == 2 * iterations
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_going_on_equals_training_that_was_never_stopped():
    straight, halted = make(), make()
    for model in (straight, halted):
        model.get_layer("base").trainable = False
    optimizer = optimizers.Adam(0.01)
    straight.compile(optimizers.Adam(0.01), "mse")
    halted.compile(optimizer, "mse")
    for model in (straight, halted):
        model.fit(X, Y, shuffle=False, verbose=0)
    halted.get_layer("base").trainable = True
    halted.compile(optimizer, "mse")
    halted.get_layer("base").trainable = False  # and frozen again before the fit: nothing changed
    for model in (straight, halted):
        model.fit(X, Y, shuffle=False, verbose=0)
    for a, b in zip(straight.get_weights(), halted.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_variable_that_was_frozen_meanwhile_begins_without_state():
    model, optimizer = make(), optimizers.SGD(0.01, momentum=0.9)
    kernel = model.get_layer("base").kernel
    model.compile(optimizer, "mse")
    model.fit(X, Y, verbose=0)
    assert np.any(state_of(optimizer, kernel)[0])
    for flag in (False, True):
        model.get_layer("base").trainable = flag
        model.compile(optimizer, "mse")
        optimizer.rebuild(model.trainable_variables)
    assert not np.any(state_of(optimizer, kernel)[0])
    assert np.any(state_of(optimizer, model.get_layer("head").kernel)[0])


def test_averages_of_new_variables_begin_where_the_variables_are():
    model, optimizer = make(), optimizers.SGD(0.0, use_ema=True)
    model.get_layer("base").trainable = False
    model.compile(optimizer, "mse")
    model.fit(X, Y, verbose=0)
    start = model.get_layer("base").kernel.numpy()
    model.get_layer("base").trainable = True
    model.compile(optimizer, "mse")
    model.fit(X, Y, epochs=2, verbose=0)  # ends with the averages in place
    np.testing.assert_allclose(model.get_layer("base").kernel.numpy(), start, rtol=1e-6)


def test_compiling_again_with_a_new_optimizer_starts_afresh_and_keeps_the_weights():
    model, same = make(), optimizers.Adam(0.01)
    for optimizer, expected in (("adam", 2), ("adam", 2), (same, 2), (same, 4)):
        model.compile(optimizer, "mse")
        assert moved(model) == ["base", "head", "norm"]
        assert int(model.optimizer.iterations) == expected


def test_an_optimizer_of_another_model_is_refused_with_the_way_out():
    first, second, optimizer = make(), make(), optimizers.Adam(0.01)
    first.compile(optimizer, "mse")
    first.fit(X, Y, verbose=0)
    second.compile(optimizer, "mse")
    with pytest.raises(NotCompiledError, match="one model.*new optimizer"):
        second.fit(X, Y, verbose=0)


def test_a_loaded_model_that_is_unfrozen_needs_compile(tmp_path):
    model = make()
    model.get_layer("base").trainable = False
    model.compile(optimizers.Adam(0.01), "mse")
    model.fit(X, Y, batch_size=8, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = nacre.models.load_model(tmp_path / "m.keras")
    loaded.get_layer("base").trainable = True
    with pytest.raises(NotCompiledError, match="trainable since compile"):
        loaded.fit(X, Y, verbose=0)
    loaded.compile(loaded.optimizer, "mse")
    assert moved(loaded) == ["base", "head", "norm"]
    assert int(loaded.optimizer.iterations) == 4
    loaded.save(tmp_path / "again.keras")
    again = nacre.models.load_model(tmp_path / "again.keras")
    for a, b in zip(again.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


# ---------------------------------------------------------------- statistics, nested models


@pytest.mark.parametrize("weights", [True, False], ids=["with weights", "without weights"])
def test_frozen_statistics_stand_still_whenever_they_were_frozen(weights):
    norm = layers.BatchNormalization(center=weights, scale=weights, name="norm")
    model = nacre.Sequential([nacre.Input((3,)), norm, layers.Dense(1, name="head")])
    model.compile("sgd", "mse")
    assert moved(model) == ["head", "norm"]
    norm.trainable = False
    if weights:  # known to the optimizer
        model.compile("sgd", "mse")
    assert moved(model) == ["head"]
    assert moved(model, lambda: model.train_on_batch(X, Y)) == ["head"]
    norm.trainable = True
    if weights:
        model.compile("sgd", "mse")
    assert moved(model) == ["head", "norm"]


def test_freezing_a_nested_model_freezes_all_of_it_and_one_layer_can_be_freed():
    inner = make()
    model = nacre.Sequential([nacre.Input((3,)), inner, layers.Dense(1, name="top")])
    inner.trainable = False
    model.compile("adam", "mse")
    assert moved(model) == ["top"]
    inner.trainable = True
    inner.get_layer("base").trainable = False
    model.compile("adam", "mse")
    assert moved(model) == ["head", "norm", "top"]


def test_flags_changed_by_a_callback_hold_from_the_next_fit_and_are_told():
    model = make()
    model.get_layer("base").trainable = False
    model.compile("sgd", "mse")

    class Unfreeze(nacre.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.get_layer("base").trainable = True

    with pytest.warns(UserWarning, match=r"`trainable` is read when fit begins.*base"):
        found = moved(model, lambda: model.fit(X, Y, epochs=3, verbose=0, callbacks=[Unfreeze()]))
    assert found == ["head", "norm"]


@pytest.mark.parametrize("hook", ["on_train_batch_begin", "on_train_batch_end"])
@pytest.mark.parametrize("what", ["layer", "variable"])
def test_flags_changed_within_an_epoch_are_told_in_it(hook, what):
    model = make()
    model.compile("sgd", "mse")
    base = model.get_layer("base")
    flagged = base if what == "layer" else base.kernel

    def freeze(step, logs=None):
        flagged.trainable = flagged.trainable and step < 1

    callback = nacre.callbacks.LambdaCallback(**{hook: freeze})
    with pytest.warns(UserWarning, match=r"`trainable` is read when fit begins.*base") as told:
        model.fit(X, Y, batch_size=2, epochs=2, verbose=0, callbacks=[callback])
    assert len(told) == 1


def test_flags_changed_for_a_moment_within_an_epoch_are_not_told():
    model = make()
    model.compile("sgd", "mse")

    def freeze(step, logs=None):
        model.trainable = False
        model.trainable = True

    callback = nacre.callbacks.LambdaCallback(on_train_batch_begin=freeze)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, Y, batch_size=2, epochs=2, verbose=0, callbacks=[callback])


def test_a_model_frozen_whole_after_it_was_trained_is_refused_as_one_frozen_in_part():
    model = make()
    model.compile("adam", "mse")
    model.train_on_batch(X, Y)
    model.trainable = False
    with pytest.raises(NotCompiledError, match="frozen since compile.*before each of its own"):
        model.train_on_batch(X, Y)
    model.trainable = True
    assert "head" in moved(model)


def test_a_model_frozen_whole_before_its_first_step_says_what_a_larger_model_needs():
    model = make()
    model.compile("adam", "mse")
    model.trainable = False
    with pytest.warns(UserWarning, match="nothing to train.*as in a GAN"):
        model.train_on_batch(X, Y)
