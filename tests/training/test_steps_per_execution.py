"""The numbers of the batches that callbacks see when several steps are run at once."""

import numpy as np
import pytest

import nacre as keras
from nacre import layers

X = np.arange(60, dtype="float32").reshape(30, 2)
Y = np.ones((30, 1), "float32")


class Recorder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen, self.outputs = [], []

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append(batch)

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(batch)
        self.iterations = int(self.model.optimizer.iterations)

    on_test_batch_begin = on_predict_batch_begin = on_train_batch_begin

    def on_test_batch_end(self, batch, logs=None):
        self.seen.append(batch)

    def on_predict_batch_end(self, batch, logs=None):
        self.seen.append(batch)
        self.outputs.append(logs["outputs"])


def made(steps):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), layers.Rescaling(1e-2), layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=steps)
    return model


def batches(count):
    for start in range(0, 4 * count, 4):
        yield X[start : start + 4], Y[start : start + 4]


# Of batches of 4 there are 8, the last of 2 samples.
GROUPS = [0, 2, 3, 5, 6, 7]


@pytest.mark.full_effort
def test_groups_of_batches_have_the_numbers_of_their_ends():
    model, recorder = made(3), Recorder()
    settings = {"batch_size": 4, "verbose": 0, "callbacks": [recorder]}
    model.fit(X, Y, epochs=2, **settings)
    assert recorder.seen == GROUPS * 2
    assert recorder.iterations == 16
    recorder.seen = []
    model.evaluate(X, Y, **settings)
    assert recorder.seen == GROUPS
    recorder.seen = []
    found = model.predict(X, **settings)
    assert recorder.seen == GROUPS
    assert [len(outputs) for outputs in recorder.outputs] == [12, 12, 6]
    np.testing.assert_array_equal(np.concatenate(recorder.outputs), found)


@pytest.mark.parametrize("is_known", [True, False])
def test_batches_of_a_generator_are_grouped_as_well(is_known):
    model, recorder = made(3), Recorder()
    settings = {"verbose": 0, "callbacks": [recorder]}
    known = {"steps_per_epoch": 5} if is_known else {}
    model.fit(batches(5), **settings, **known)
    assert recorder.seen == [0, 2, 3, 4]
    recorder.seen = []
    model.evaluate(batches(5), **settings, **({"steps": 5} if is_known else {}))
    assert recorder.seen == [0, 2, 3, 4]
    recorder.seen = []
    model.predict(batches(5), **settings, **({"steps": 5} if is_known else {}))
    assert recorder.seen == [0, 2, 3, 4]


@pytest.mark.full_effort
def test_the_numbers_trained_are_the_same_however_many_run_at_once():
    found = []
    for steps in (1, 3, None):
        model = made(steps)
        history = model.fit(X, Y, batch_size=4, shuffle=False, verbose=0).history
        found.append([*history["loss"], *model.get_weights(), model.evaluate(X, Y, 4, verbose=0)])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5)


def test_training_stopped_within_a_group_ends_it():
    model = made(3)

    class Stopping(Recorder):
        def on_train_batch_begin(self, batch, logs=None):
            super().on_train_batch_begin(batch)
            self.model.stop_training = batch == 3

    recorder = Stopping()
    model.fit(batches(7), steps_per_epoch=7, verbose=0, callbacks=[recorder])
    assert recorder.seen == [0, 2, 3, 3]
