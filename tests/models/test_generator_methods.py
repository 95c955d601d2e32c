"""What scripts for tf.keras 2 call with a source of batches."""

from __future__ import annotations

import numpy as np
import pytest

import nacre as keras

X, Y = np.ones((50, 3), "float32"), np.ones((50, 1), "float32")


def endless():
    while True:
        yield X[:4], Y[:4]


class Steps(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.count = 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1


@pytest.fixture
def model():
    made = keras.Sequential([keras.layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


# tf.keras 2.15.1 takes as many.
@pytest.mark.parametrize(("given", "taken"), [(50 / 32, 2), (2.0, 2), (2.1, 3), (0.5, 1)])
def test_a_fraction_of_steps_is_rounded_up(model, given, taken):
    steps = Steps()
    model.fit(
        endless(),
        steps_per_epoch=given,
        validation_data=endless(),
        validation_steps=given,
        verbose=0,
        callbacks=[steps],
    )
    assert steps.count == taken
    assert model.predict(endless(), steps=given, verbose=0).shape == (4 * taken, 1)
    assert model.evaluate(endless(), steps=given, verbose=0) >= 0


@pytest.mark.parametrize("given", [0, -1.5, np.nan, np.inf, "2"])
def test_other_numbers_of_steps_are_refused(model, given):
    with pytest.raises(ValueError, match="steps_per_epoch must be a positive int"):
        model.fit(endless(), steps_per_epoch=given, verbose=0)


def test_generator_methods_do_what_the_others_do(model):
    history = model.fit_generator(
        endless(), steps_per_epoch=2, epochs=3, verbose=0, validation_data=(X, Y), workers=2
    )
    assert len(history.history["val_loss"]) == 3
    assert model.evaluate_generator(endless(), 2) == pytest.approx(model.evaluate(X, Y, verbose=0))
    predicted = model.predict_generator(endless(), steps=3, max_queue_size=5)
    np.testing.assert_allclose(predicted, model.predict(X[:12], verbose=0), rtol=1e-6)


def test_generator_methods_call_what_a_subclass_overrides():
    class Counted(keras.Sequential):
        calls = 0

        def fit(self, *args, **kwargs):
            type(self).calls += 1
            return super().fit(*args, **kwargs)

    made = Counted([keras.layers.Dense(1)])
    made.compile("sgd", "mse")
    made.fit_generator(endless(), 1, verbose=0)
    assert Counted.calls == 1


def test_nothing_of_a_generator_is_read_further_than_used(model):
    read = []

    def noted():
        for batch in endless():
            read.append(1)
            yield batch

    model.fit_generator(noted(), steps_per_epoch=2, epochs=2, verbose=0)
    assert len(read) == 4
